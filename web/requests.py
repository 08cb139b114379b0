"""What comes in by addresses and forms, made fit to be kept: no database and no document takes every character and every number."""

from __future__ import annotations

import re
from typing import IO, Any

import flask
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.formparser import FormDataParser
from werkzeug.routing import IntegerConverter, UnicodeConverter, ValidationError
from werkzeug.utils import cached_property

# Word processors put vertical tabs and page breaks into what is pasted from them; the rest is sent by nobody who means well.
_UNKEEPABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
LARGEST_KEY = 2**63 - 1


def keepable(text: str) -> str:
    """The text without characters that PostgreSQL or XML refuse; a vertical tab is the end of a line."""
    return _UNKEEPABLE.sub("", text.replace("\x0b", "\n")) if _UNKEEPABLE.search(text) else text


def _kept(values: MultiDict[str, str]) -> Any:
    """The same collection, of the same kind, with its texts made keepable."""
    return type(values)([(keepable(name), keepable(value)) for name, value in values.items(multi=True)])


class _Forms(FormDataParser):
    def parse(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str] | None = None
    ) -> tuple[IO[bytes], MultiDict[str, str], MultiDict[str, FileStorage]]:
        stream, form, files = super().parse(stream, mimetype, content_length, options)
        return stream, _kept(form), files


class Request(flask.Request):
    """A request whose form and address hold nothing that could not be kept."""

    form_data_parser_class = _Forms

    @cached_property
    def args(self) -> Any:
        """The parameters of the address."""
        return _kept(super().args)


class KeyConverter(IntegerConverter):
    """A number in an address; one that no database has as a key is no address of ours."""

    def __init__(self, map: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(map, *args, **{"max": LARGEST_KEY, **kwargs})


class NameConverter(UnicodeConverter):
    """A name in an address; one with characters that no database keeps is no address of ours."""

    def to_python(self, value: str) -> str:
        if keepable(value) != value:
            raise ValidationError
        return super().to_python(value)


def number(text: str | None, most: int = LARGEST_KEY) -> int | None:
    """A key, a revision or a count out of a form; ``None`` for anything else, also for what is larger than ``most``."""
    if not text or not text.isascii() or not text.isdecimal() or len(text) > len(str(most)):
        return None
    found = int(text)
    return found if found <= most else None
