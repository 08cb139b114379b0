"""The designers' guide (``docs/designer-guide.md``) as a page of the room.

Plain Markdown with tables and without HTML; a heading may carry its anchor: ``## 时限 {#limit}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

DOCS = Path(__file__).resolve().parents[2] / "docs"
GUIDE = DOCS / "designer-guide.md"
PICTURE = re.compile(r"images/(designer-[\w-]+\.png)")
ANCHOR = re.compile(r"\s*\{#([\w.-]+)\}\Z")

_READER = MarkdownIt("commonmark", {"html": False}).enable("table")


@dataclass(frozen=True)
class Heading:
    """A line of the table of contents."""

    text: str
    anchor: str


def headings(text: str) -> list[Heading]:
    """The second-level headings that have an anchor, in order."""
    return [Heading(words.content, anchor) for opening, words, anchor in _anchored(_READER.parse(text)) if opening.tag == "h2"]


def html(text: str, picture: Callable[[str], str]) -> Markup:
    """The guide as HTML; ``picture`` gives the address of a picture by its file name.  Other pictures are shown by their text only."""
    tokens = _READER.parse(text)
    for opening, _words, anchor in _anchored(tokens):
        opening.attrSet("id", anchor)
    for token in tokens:
        if token.type == "table_open":
            token.attrSet("class", "work")
        for image in (each for each in token.children or () if each.type == "image"):
            found = PICTURE.fullmatch(str(image.attrGet("src")))
            image.attrs |= {"src": picture(found[1]) if found else "", "class": "guide__picture", "loading": "lazy"}
    return Markup(_READER.renderer.render(tokens, _READER.options, {}))


def _anchored(tokens: list[Token]) -> Iterator[tuple[Token, Token, str]]:
    """Headings with an anchor: what opens them, their words (from which the anchor is taken away), the anchor."""
    for opening, words in zip(tokens, tokens[1:], strict=False):
        found = ANCHOR.search(words.content) if opening.type == "heading_open" else None
        if found is not None and words.children:
            words.content = words.content[: found.start()]
            words.children[-1].content = ANCHOR.sub("", words.children[-1].content)
            yield opening, words, found[1]
