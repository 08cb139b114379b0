"""Sentences for people, kept translatable.

The engine knows no user and no language.  A message is therefore a :class:`Words`: a plain English ``str`` (so logs
and ``str(error)`` read well) that remembers the sentence it was made from and the values put into it.  The web
layer renders the same object in the reader's language with :func:`translate`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Words(str):
    """An English sentence that remembers its message id and its parameters.

    ``msgid`` is a gettext message id with ``%(name)s`` places; ``params`` are the values, which may be ``Words``
    themselves and are then translated too.
    """

    msgid: str
    params: dict[str, Any]

    def __new__(cls, msgid: str, /, **params: Any) -> Words:
        text = str.__new__(cls, msgid % params if params else msgid)
        text.msgid = msgid
        text.params = params
        return text

    def __reduce__(self):
        return _rebuild, (self.msgid, self.params)


def _rebuild(msgid: str, params: dict[str, Any]) -> Words:
    return Words(msgid, **params)


def T(msgid: str, /, **params: Any) -> Words:
    """Make a translatable sentence.  The name is the keyword that message extraction looks for."""
    return Words(msgid, **params)


def translate(text: str, gettext: Callable[[str], str]) -> str:
    """Render ``text`` through ``gettext``; anything that is not :class:`Words` comes back as it is."""
    if not isinstance(text, Words):
        return str(text)
    params = {name: translate(value, gettext) if isinstance(value, Words) else value for name, value in text.params.items()}
    translated = gettext(text.msgid)
    return translated % params if params else translated
