"""A report as Word and as PDF, in the form of a Chinese office: title, period, figures, tables, signature line.

Both are written from the same :class:`Report`.  Word names the faces of official documents (GB/T 9704: 小标宋, 黑体, 仿宋) and leaves it to
the reader's machine to have them.  A PDF has to carry its face with it, so it needs an open CJK font on this machine: the Noto and
Source Han families (SIL Open Font License 1.1) or WenQuanYi (GPL with font exception); none is shipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import Any

from docx import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from fpdf import FPDF, FontFace

FONT_PLACES: tuple[tuple[str, int], ...] = (
    ("/usr/share/fonts/opentype/noto/NotoSerifCJK-Regular.ttc", 2),
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/noto-cjk/NotoSerifCJK-Regular.ttc", 2),
    ("/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 0),
    ("/usr/share/fonts/wqy-microhei/wqy-microhei.ttc", 0),
)
"""Where the distributions put open CJK fonts, and which face of a collection is the simplified one."""


@dataclass(frozen=True)
class Table:
    """``widths`` are shares of the page."""

    title: str
    heads: Sequence[str]
    lines: Sequence[Sequence[Any]]
    widths: Sequence[int]
    empty: str


@dataclass(frozen=True)
class Report:
    """``facts`` are sentences; ``signature`` is the line at the end, ``footer`` says who made it and when."""

    title: str
    office: str
    period: str
    facts: Sequence[str]
    tables: Sequence[Table]
    signature: str
    footer: str

    @property
    def heading(self) -> str:
        """The office and the title; Chinese needs no space between them."""
        return f"{self.office}{self.title}" if _wrap(self.title) == "CHAR" else f"{self.office} {self.title}".strip()


def font() -> tuple[str, int] | None:
    """The open CJK font of this machine, or ``None``: then there is no PDF."""
    return next(((path, face) for path, face in FONT_PLACES if Path(path).is_file()), None)


# -- Word --------------------------------------------------------------------------------------------------------------

_TITLE, _HEAD, _BODY = "方正小标宋简体", "黑体", "仿宋"


def word(report: Report) -> bytes:
    """The report as .docx on A4."""
    document = Document()
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin, section.right_margin, section.top_margin, section.bottom_margin = Mm(28), Mm(26), Mm(37), Mm(35)
    _paragraph(document, report.heading, _TITLE, 22, WD_ALIGN_PARAGRAPH.CENTER)
    _paragraph(document, report.period, _BODY, 14, WD_ALIGN_PARAGRAPH.CENTER)
    for sentence in report.facts:
        _paragraph(document, sentence, _BODY, 14).paragraph_format.first_line_indent = Pt(28)
    for table in report.tables:
        _paragraph(document, table.title, _HEAD, 14)
        _word_table(document, table) if table.lines else _paragraph(document, table.empty, _BODY, 14)
    _paragraph(document, report.signature, _BODY, 14, WD_ALIGN_PARAGRAPH.RIGHT).paragraph_format.space_before = Pt(24)
    _paragraph(document, report.footer, _BODY, 9)
    out = BytesIO()
    document.save(out)
    return out.getvalue()


def _paragraph(place: Any, text: str, face: str, size: float, align: Any = None) -> Any:
    paragraph = place.add_paragraph()
    if align is not None:
        paragraph.alignment = align
    _write(paragraph, text, face, size)
    return paragraph


def _write(paragraph: Any, text: str, face: str, size: float) -> None:
    run = paragraph.add_run(text)
    run.font.size, run.font.name = Pt(size), face
    # Word asks another attribute for the face of Chinese characters.
    run._element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), face)


def _word_table(document: Any, table: Table) -> None:
    made = document.add_table(rows=1 + len(table.lines), cols=len(table.heads), style="Table Grid")
    for row, line in enumerate((table.heads, *table.lines)):
        for cell, value in zip(made.rows[row].cells, line, strict=True):
            _write(cell.paragraphs[0], "" if value is None else str(value), _HEAD if row == 0 else _BODY, 10.5)


# -- PDF ---------------------------------------------------------------------------------------------------------------


class _Pages(FPDF):
    def footer(self) -> None:
        # Page numbers as official documents have them: —1—.
        self.set_y(-18)
        self.set_font("cjk", size=10)
        self.cell(0, 8, f"—{self.page_no()}—", align="C")


def pdf(report: Report) -> bytes:
    """The report as PDF on A4 with its characters embedded.  Only where :func:`font` finds one; :class:`LookupError` otherwise.

    Reading the font and cutting it down to the report's characters takes nearly all of the time, so the last few reports are kept: the
    same report, asked for again, is not set again.
    """
    found = font()
    if found is None:
        raise LookupError("no open CJK font on this machine")
    wanted = (found, repr(report))
    with _making:
        content = _made.pop(wanted, None) or _set(report, found)
        _made[wanted] = content
        while len(_made) > KEPT:
            del _made[next(iter(_made))]
    return content


KEPT = 16
"""Finished PDFs that a process keeps, each some tens of kilobytes."""
_made: dict[tuple[Any, str], bytes] = {}
_making = Lock()
"""One report is set at a time: whoever presses twice waits for the first and gets the same."""


def _set(report: Report, found: tuple[str, int]) -> bytes:
    pages = _Pages(format="A4")
    pages.set_title(report.title)
    pages.set_margins(24, 28, 22)
    pages.set_auto_page_break(True, 25)
    pages.add_font("cjk", fname=found[0], collection_font_number=found[1])
    pages.add_page()
    _say(pages, report.heading, 20, "C", 12)
    _say(pages, report.period, 12, "C", 10)
    for sentence in report.facts:
        _say(pages, _indented(sentence), 12, "L", 8)
    for table in report.tables:
        pages.ln(3)
        _say(pages, table.title, 13, "L", 9)
        _pdf_table(pages, table) if table.lines else _say(pages, _indented(table.empty), 12, "L", 8)
    pages.ln(10)
    _say(pages, report.signature, 12, "R", 8)
    pages.ln(4)
    _say(pages, report.footer, 8, "L", 5)
    return bytes(pages.output())


def _indented(text: str) -> str:
    return f"　　{text}" if _wrap(text) == "CHAR" else text


def _wrap(text: str) -> str:
    """Chinese breaks between any two characters, English between words."""
    return "CHAR" if any(ord(char) > 0x2E7F for char in text) else "WORD"


def _say(pages: FPDF, text: str, size: float, align: str, height: float) -> None:
    pages.set_font("cjk", size=size)
    pages.multi_cell(0, height, text, align=align, new_x="LMARGIN", new_y="NEXT", wrapmode=_wrap(text))


def _pdf_table(pages: FPDF, table: Table) -> None:
    pages.set_font("cjk", size=9)
    heads = FontFace(emphasis=None, fill_color=(232, 238, 247))
    with pages.table(col_widths=tuple(table.widths), headings_style=heads, line_height=6, wrapmode=_wrap("".join(table.heads)), text_align="LEFT") as made:
        for line in (table.heads, *table.lines):
            row = made.row()
            for value in line:
                row.cell("" if value is None else str(value))
