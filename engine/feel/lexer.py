"""Text to tokens.

Names in FEEL may hold spaces and operator signs, and which do depends on what is in scope.  The lexer therefore only
cuts single words; :mod:`engine.feel.parser` puts the words of a name together.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from engine.feel.errors import FeelError
from engine.feel.limits import MAX_SOURCE
from engine.words import T

# What DMN 1.5 §10.3.1.2 (rules 28-30) allows in names beyond letters and digits.  Full-width punctuation is left out
# on purpose: "申请金额＞100" must be an error with a cure, not the name of an unknown variable.
_EXTRA = "\u0370-\u167f\u1681-\u180d\u180f-\u1fff\u200c\u200d\u2070-\u218f\u2c00-\u2dff\U00010000-\U000effff"
_START = rf"(?:[^\W\d]|[{_EXTRA}])"
_PART = rf"(?:\w|[{_EXTRA}\u00b7\u0300-\u036f\u203f\u2040])"
_SPACE = r"[\t\n\v\f\r \u0085\u00a0\u1680\u180e\u2000-\u200b\u2028\u2029\u202f\u205f\u3000\ufeff]"
_TOKEN = re.compile(
    rf"""(?P<space>{_SPACE}+|//[^\n\v\f\r\u0085\u2028\u2029]*|/\*(?:[^*]|\*(?!/))*\*/)
    |(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?!{_PART}))
    |(?P<digits>[0-9]+)
    |(?P<name>{_START}{_PART}*)
    |(?P<quoted>`[^`\n]+`)
    |(?P<string>"(?:[^"\\]|\\.)*")
    |(?P<op>\*\*|\.\.|<=|>=|!=|->|[-+*/=<>()\[\]{{}},.:?@])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{6})|(.))", re.DOTALL)
_SIMPLE_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_HALF_WIDTH = {"“": '"', "”": '"', "‘": '"', "’": '"', "。": ".", "、": ",", "【": "[", "】": "]", "《": "<", "》": ">", "—": "-", "≥": ">=",
               "≤": "<=", "≠": "!=", "×": "*", "÷": "/"}  # fmt: skip


class Token(NamedTuple):
    """``kind`` is name, quoted, number, string, op, other or end; ``start`` is a 0-based offset in the source."""

    kind: str
    text: str
    start: int
    end: int


def tokenize(source: str) -> list[Token]:
    """Cut a text into tokens, the last of kind ``end``.  Raises :class:`FeelError` for what can never be a token."""
    if len(source) > MAX_SOURCE:
        reason = T("The expression is longer than %(limit)d characters.", limit=MAX_SOURCE)
        raise FeelError(reason, source=source, position=MAX_SOURCE)
    tokens = []
    for match in _TOKEN.finditer(source):
        kind = match.lastgroup
        if kind == "space":
            continue
        text = match.group()
        if kind == "op" and text == "/" and source.startswith("/*", match.start()):
            raise FeelError("A comment is not closed; add */ at its end.", source=source, position=match.start())
        if kind == "other" and text == '"':
            raise FeelError('A text is not closed; add " at its end.', source=source, position=match.start())
        tokens.append(Token("number" if kind == "digits" else kind, text, match.start(), match.end()))
    tokens.append(Token("end", "", len(source), len(source)))
    return tokens


def words_of(name: str) -> tuple[str, ...]:
    """The token texts a name consists of, for comparing names whatever their spacing."""
    return _words_of(name) if len(name) <= 100 else _words_of.__wrapped__(name)


@lru_cache(maxsize=8192)
def _words_of(name: str) -> tuple[str, ...]:
    try:
        return tuple(token.text for token in tokenize(name)[:-1])
    except FeelError:
        return (name,)


def half_width(character: str) -> str | None:
    """The ASCII sign that somebody typing Chinese probably meant, or ``None``."""
    if character in _HALF_WIDTH:
        return _HALF_WIDTH[character]
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain.isascii() and plain != character and not plain.isspace() else None


def string_value(token: Token, source: str) -> str:
    """Decode the escapes of a string token (DMN 1.5 rule 33); an unknown escape such as ``\\s`` is kept as written."""
    body = token.text[1:-1]
    if "\\" not in body:
        return body

    def decode(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        if code is None:
            return _SIMPLE_ESCAPES.get(match[3], match[0])
        number = int(code, 16)
        if number > 0x10FFFF:
            raise FeelError(T("\\U%(code)s is not a character.", code=code), source=source, position=token.start)
        return chr(number)

    text = _ESCAPE.sub(decode, body)
    if any("\ud800" <= character <= "\udfff" for character in text):
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
