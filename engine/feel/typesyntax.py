"""The syntax of types: ``list<number>``, ``context<a: date>``, ``function<number> -> string``, names (rules 65-68)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.feel.types import SIMPLE_TYPES, Type, simple_type
from engine.words import T

if TYPE_CHECKING:
    from engine.feel.parser import Parser

MULTI_WORD_TYPES = tuple(tuple(name.split(" ")) for name in SIMPLE_TYPES if " " in name)


def read_type(parser: Parser) -> Type:
    """Read the type at the parser's place."""
    with parser.nested():
        for words in MULTI_WORD_TYPES:
            if tuple(token.text for token in parser.tokens[parser.index : parser.index + len(words)]) == words:
                parser.index += len(words)
                return simple_type(" ".join(words))
        if parser.token.kind != "name":
            raise parser.unexpected()
        build = _GENERIC.get(parser.token.text)
        if build is not None and parser.tokens[parser.index + 1].text == "<":
            parser.index += 2
            return build(parser)
        name = parser.words()
        while parser.is_op("."):
            parser.index += 1
            name += "." + parser.words()
        return simple_type(name) or Type("named", name=name)


def _close(parser: Parser) -> None:
    parser.expect(">", T("at the end of the type"))


def _element(parser: Parser, kind: str) -> Type:
    item = read_type(parser)
    _close(parser)
    return Type(kind, item=item)


def _context(parser: Parser) -> Type:
    fields = []
    while not parser.is_op(">"):
        name = parser.key()
        fields.append((name, read_type(parser)))
        if not parser.take(","):
            break
    _close(parser)
    return Type("context", fields=tuple(fields))


def _function(parser: Parser) -> Type:
    parameters = []
    while not parser.is_op(">"):
        parameters.append(read_type(parser))
        if not parser.take(","):
            break
    _close(parser)
    parser.expect("->", T("before the result type of a function"))
    return Type("function", parameters=tuple(parameters), result=read_type(parser))


_GENERIC = {
    "list": lambda parser: _element(parser, "list"),
    "range": lambda parser: _element(parser, "range"),
    "context": _context,
    "function": _function,
}
