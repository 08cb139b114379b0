"""Variables as people edit them: a type, a text, and back."""

from __future__ import annotations

import hashlib
import json
import re
from decimal import Decimal
from typing import Any

from engine.errors import ValidationFailed
from engine.words import T, Words

KINDS: dict[str, Words] = {
    "text": T("text"), "number": T("number"), "boolean": T("yes or no"), "list": T("list"), "context": T("context"), "null": T("nothing"),
}  # fmt: skip
MAX_TEXT = 200_000
NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,6})?", re.ASCII)
CLIP = 200


def kind_of(value: Any) -> str:
    """The type of a stored value, a key of :data:`KINDS`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, dict):
        return "context"
    return "list" if isinstance(value, (list, tuple)) else "number"


def text_of(value: Any) -> str:
    """A stored value as it stands in the field: JSON for lists and contexts."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, indent=2, default=str)
    return str(value)


def short(value: Any) -> str:
    """A value in one line of a table."""
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (dict, list, tuple)) else text_of(value)
    return text if len(text) <= CLIP else f"{text[:CLIP]}…"


def digest(value: Any) -> str:
    """A mark by which a later look recognises that the value is still the same."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=True, sort_keys=True, default=str).encode()).hexdigest()[:24]


def parse(kind: str, text: str) -> Any:
    """What was typed as a value of ``kind``.  Raises :class:`ValidationFailed` (field ``value``) with the cure."""
    if kind not in KINDS:
        raise _refused("kind", T("Choose the type of the value."))
    if len(text) > MAX_TEXT:
        raise _refused("value", T("The value is too long: at most %(limit)d characters.", limit=MAX_TEXT))
    if kind == "null":
        return None
    if kind == "text":
        return text.replace("\r\n", "\n")
    if kind == "boolean":
        if text not in ("true", "false"):
            raise _refused("value", T("Choose yes or no."))
        return text == "true"
    if kind == "number":
        return _number(text.strip())
    return _json(kind, text)


def _number(text: str) -> int | Decimal:
    if not NUMBER.fullmatch(text):
        raise _refused("value", T("“%(text)s” is no number. Write it like 12 or -3.5.", text=text[:60]))
    if text.lstrip("+-").isdecimal():
        if len(text) > 300:
            raise _refused("value", T("The number has too many digits."))
        return int(text)
    # As it was typed: a binary fraction would not be.
    return Decimal(text)


def _json(kind: str, text: str) -> Any:
    def unknown(constant: str) -> Any:
        raise ValueError(constant)

    wanted = "[…]" if kind == "list" else "{…}"
    try:
        value = json.loads(text, parse_float=Decimal, parse_constant=unknown)
    except json.JSONDecodeError as error:
        message = T("Line %(line)d, column %(column)d: this is no JSON. Write it as %(wanted)s with texts in double quotes.",
                    line=error.lineno, column=error.colno, wanted=wanted)  # fmt: skip
        raise _refused("value", message) from error
    except (ValueError, RecursionError) as error:
        raise _refused("value", T("This is no JSON that can be stored. Write it as %(wanted)s with texts in double quotes.", wanted=wanted)) from error
    if kind_of(value) != kind:
        raise _refused("value", T("This is no value of the chosen type. Write it as %(wanted)s with texts in double quotes.", wanted=wanted))
    return value


def _refused(field: str, message: Words) -> ValidationFailed:
    return ValidationFailed(message, errors={field: [message]})
