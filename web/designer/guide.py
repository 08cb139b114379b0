"""The designers' guide (``docs/designer-guide.md``) as a page of the room: the few forms of Markdown that it is written in.

Headings, paragraphs, numbered and plain lists, tables, pictures, ``**bold**``, ```code``` and links to anchors of the page itself;
everything else stays the text it is.  A heading may carry its anchor: ``## 时限 {#limit}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDE = DOCS / "designer-guide.md"
PICTURE = re.compile(r"!\[([^\]]*)\]\(images/(designer-[\w-]+\.png)\)\Z")
HEADING = re.compile(r"(#{1,3}) (.+?)(?: \{#([\w.-]+)\})?\Z")
ITEM = re.compile(r"(?:(\d+)\.|\*|-) (.+)\Z")
INLINE = (
    (re.compile(r"\*\*([^*]+)\*\*"), r"<b>\1</b>"), (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\[([^\]]+)\]\((#[\w.-]+)\)"), r'<a href="\2">\1</a>'),
)  # fmt: skip


@dataclass(frozen=True)
class Heading:
    """A line of the table of contents."""

    level: int
    text: str
    anchor: str


def headings(text: str) -> list[Heading]:
    """The second-level headings that have an anchor, in order."""
    found = (HEADING.match(line) for line in text.splitlines())
    return [Heading(len(each[1]), each[2], each[3]) for each in found if each and each[3] and len(each[1]) == 2]


def html(text: str, picture: Callable[[str], str]) -> Markup:
    """The guide as HTML; ``picture`` gives the address of a picture by its file name."""
    return Markup("\n").join(_block(lines, picture) for lines in _blocks(text))


def _blocks(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in [*text.splitlines(), ""]:
        if line.strip():
            lines.append(line.rstrip())
        elif lines:
            yield lines
            lines = []


def _inline(text: str) -> Markup:
    result = str(escape(text))
    for pattern, replacement in INLINE:
        result = pattern.sub(replacement, result)
    return Markup(result)


def _block(lines: list[str], picture: Callable[[str], str]) -> Markup:
    first = lines[0]
    if heading := HEADING.match(first):
        level = len(heading[1])
        return Markup('<h{} id="{}">{}</h{}>').format(level, heading[3] or "", _inline(heading[2]), level)
    if image := PICTURE.match(first):
        return Markup('<figure><img class="guide__picture" src="{}" alt="{}" loading="lazy"><figcaption class="soft">{}</figcaption></figure>').format(
            picture(image[2]), image[1], image[1]
        )
    if first.startswith("|"):
        return _table(lines)
    if item := ITEM.match(first):
        return _list(lines, "ol" if item[1] else "ul")
    return Markup("<p>{}</p>").format(_inline(" ".join(lines)))


def _list(lines: list[str], kind: str) -> Markup:
    items: list[str] = []
    for line in lines:
        item = ITEM.match(line)
        if item:
            items.append(item[2])
        else:
            items[-1] += line.strip()
    return Markup("<{}>{}</{}>").format(kind, Markup("").join(Markup("<li>{}</li>").format(_inline(each)) for each in items), kind)


def _table(lines: list[str]) -> Markup:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    head, body = rows[0], [row for row in rows[1:] if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]

    def row(cells: list[str], tag: str) -> Markup:
        return Markup("<tr>{}</tr>").format(Markup("").join(Markup("<{}>{}</{}>").format(tag, _inline(cell), tag) for cell in cells))

    return Markup('<div class="work-frame"><table class="work"><thead>{}</thead><tbody>{}</tbody></table></div>').format(
        row(head, "th"), Markup("").join(row(each, "td") for each in body)
    )
