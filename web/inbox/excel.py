"""Lists as Excel workbooks in which nothing is ever a formula or a link."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import xlsxwriter


def workbook(title: str, heads: Sequence[str], lines: Sequence[Sequence[Any]]) -> bytes:
    """A workbook with one sheet: bold heads that stay in sight, a filter on each column, every value written as text.

    Cell text comes from citizens.  ``=HYPERLINK(…)`` in a title must reach the reader as these characters, so values are
    written as strings and nothing else.
    """
    out = BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False})
    sheet = book.add_worksheet(title[:31])
    bold = book.add_format({"bold": True, "bottom": 1})
    widths = [_width(head) for head in heads]
    for column, head in enumerate(heads):
        sheet.write_string(0, column, head, bold)
    for row, line in enumerate(lines, start=1):
        for column, value in enumerate(line):
            text = "" if value is None else str(value)
            sheet.write_string(row, column, text[:32767])
            if len(line) == len(heads):
                widths[column] = max(widths[column], min(_width(text), 60))
    for column, width in enumerate(widths):
        sheet.set_column(column, column, width + 2)
    sheet.freeze_panes(1, 0)
    if lines:
        sheet.autofilter(0, 0, len(lines), len(heads) - 1)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    book.close()
    return out.getvalue()


def _width(text: str) -> int:
    """Columns that ``text`` takes: a Chinese character takes two."""
    return sum(2 if ord(char) > 0x2E7F else 1 for char in text)
