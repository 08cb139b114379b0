"""One marshmallow field per kind of answer.

A field knows its component; the schema it stands in (:class:`engine.forms.form.Level`) knows the load that is going on: the
scope for FEEL, and which answers are kept as they are.  Messages are :class:`engine.words.Words` throughout.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import ValidationError, fields
from marshmallow.utils import missing

from engine.forms.components import EMAIL, FILE_REFERENCE, PHONE, Component, js_pattern, setting, type_of
from engine.forms.feel import run
from engine.words import T, Words

REQUIRED = T("Please fill this in.")
MOST_TEXT = 100_000
# Numbers that a JSON number carries without loss; longer ones travel as text (serializeToString).
MOST_DIGITS, MOST_TEXT_DIGITS = 15, 40
_STORABLE = re.compile("[^\x00\ud800-\udfff]*")


def empty(value: Any) -> bool:
    """Whether a value is no answer: nothing, or blank text."""
    return value is missing or value is None or (isinstance(value, str) and not value.strip())


class Answer(fields.Field):
    """Base of all answers: emptiness, ``required``, and values kept from the context instead of taken from the client."""

    # A list, because marshmallow would run str.format over a plain str and lose the Words.
    default_error_messages = {"required": [REQUIRED], "null": [REQUIRED]}

    def __init__(self, component: Component) -> None:
        super().__init__(required=setting(component, "validate", "required") is True, allow_none=True)
        self.component = component

    def deserialize(self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        path = (*self.parent.prefix, attr)
        if path in self.parent.state.kept:
            return value
        if self.is_empty(value):
            if self.required:
                raise self.make_error("required")
            return self.empty_value(value)
        return self.read(value, self.parent.state.scope_at(path))

    def is_empty(self, value: Any) -> bool:
        return empty(value)

    def empty_value(self, value: Any) -> Any:
        return missing if value is missing else None

    def read(self, value: Any, scope: Mapping[str, Any]) -> Any:
        raise NotImplementedError

    def rule(self, name: str, scope: Mapping[str, Any]) -> Any:
        """A limit under ``validate``, which may be FEEL."""
        return run(setting(self.component, "validate", name), scope)

    def number_rule(self, name: str, scope: Mapping[str, Any]) -> Decimal | None:
        value = self.rule(name, scope)
        if value is None or value == "" or isinstance(value, bool):
            return None
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            return None
        return number if number.is_finite() else None


class Text(Answer):
    def read(self, value: Any, scope: Mapping[str, Any]) -> str:
        if not isinstance(value, str):
            raise ValidationError([T("This must be text.")])
        if len(value) > MOST_TEXT or not _STORABLE.fullmatch(value):
            raise ValidationError([T("This text is too long or contains characters that cannot be stored.")])
        errors = [each for each in (self._length(value, scope), self._pattern(value), self._check(value)) if each]
        if errors:
            raise ValidationError(errors)
        return value

    def _length(self, value: str, scope: Mapping[str, Any]) -> Words | None:
        length = len(value.strip())
        least, most = self.number_rule("minLength", scope), self.number_rule("maxLength", scope)
        if least is not None and length < least:
            return T("Please write at least %(count)s characters.", count=f"{least:f}")
        if most is not None and length > most:
            return T("Please write at most %(count)s characters; there are %(now)d.", count=f"{most:f}", now=length)
        return None

    def _pattern(self, value: str) -> Words | str | None:
        pattern = setting(self.component, "validate", "pattern")
        if not isinstance(pattern, str) or not pattern:
            return None
        try:
            matches = js_pattern(pattern).search(value) is not None
        except (re.error, OverflowError, RecursionError):
            return T("The form's pattern for this answer is wrong; please tell the designer of the form.")
        custom = setting(self.component, "validate", "patternErrorMessage")
        refusal = T("%(message)s", message=custom) if isinstance(custom, str) and custom else T("This is not written in the expected way.")
        return None if matches else refusal

    def _check(self, value: str) -> Words | None:
        check = setting(self.component, "validate", "validationType")
        if check == "email" and not EMAIL.fullmatch(value.strip()):
            return T("This is not an e-mail address.")
        if check == "phone" and not PHONE.fullmatch(re.sub(r"[ ()（）]", "", value.strip())):
            return T("This is not a telephone number.")
        return None


class Number(Answer):
    def read(self, value: Any, scope: Mapping[str, Any]) -> int | float | str:
        as_text = self.component.get("serializeToString") is True
        number = self._parsed(value)
        most = MOST_TEXT_DIGITS if as_text else MOST_DIGITS
        if number is None:
            raise ValidationError([T("This is not a number.")])
        if len(number.as_tuple().digits) > most or abs(number.adjusted()) >= most:
            raise ValidationError([T("This number has too many digits.")])
        errors = [each for each in (self._range(number, scope), self._digits(number), self._step(number)) if each]
        if errors:
            raise ValidationError(errors)
        if as_text:
            return f"{number:f}"
        return int(number) if number == number.to_integral_value() else float(number)

    def _parsed(self, value: Any) -> Decimal | None:
        if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
            return None
        # Long integers are refused by their size before they are written out; that would be slow, and Python may refuse to.
        if isinstance(value, int) and value.bit_length() > 256:
            return None
        text = str(value).strip()
        if len(text) > 80 or not text.isascii() or "_" in text:
            return None
        try:
            number = Decimal(text)
        except InvalidOperation:
            return None
        if not number.is_finite():
            return None
        # Trailing zeros are not digits: 5.00 and 1E+2 are plain numbers; minus zero is zero.
        return number.normalize() if number else Decimal(0)

    def _range(self, number: Decimal, scope: Mapping[str, Any]) -> Words | None:
        least, most = self.number_rule("min", scope), self.number_rule("max", scope)
        if least is not None and number < least:
            return T("This must be at least %(limit)s.", limit=f"{least:f}")
        if most is not None and number > most:
            return T("This must be at most %(limit)s.", limit=f"{most:f}")
        return None

    def _digits(self, number: Decimal) -> Words | None:
        allowed = self.component.get("decimalDigits")
        if isinstance(allowed, bool) or not isinstance(allowed, int) or allowed < 0:
            return None
        if -number.as_tuple().exponent <= allowed:
            return None
        if allowed == 0:
            return T("This must be a whole number.")
        return T("This may have at most %(count)d decimal digit(s).", count=allowed)

    def _step(self, number: Decimal) -> Words | None:
        step = self.component.get("increment")
        try:
            step = Decimal(str(step))
        except InvalidOperation:
            return None
        if not step.is_finite() or step <= 0 or number % step == 0:
            return None
        below = number // step * step
        return T("This must be a multiple of %(step)s; near are %(below)s and %(above)s.", step=f"{step:f}", below=f"{below:f}", above=f"{below + step:f}")


class Checkbox(Answer):
    def is_empty(self, value: Any) -> bool:
        # A box that must be ticked is not answered by leaving it.
        return value is missing or value is None or (value is False and self.required)

    def read(self, value: Any, scope: Mapping[str, Any]) -> bool:
        if not isinstance(value, bool):
            raise ValidationError([T("This must be yes or no.")])
        return value


def options_of(component: Component, scope: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """The options of a component as ``(value, label)``, from ``values``, ``valuesKey`` or ``valuesExpression``."""
    if component.get("valuesExpression"):
        given = run(component["valuesExpression"], scope)
    elif component.get("valuesKey"):
        key = component["valuesKey"]
        given = scope.get(key) if isinstance(key, str) else None
    else:
        given = component.get("values")
    options = []
    for option in given if isinstance(given, list) else []:
        if isinstance(option, dict):
            value = option.get("value", option.get("label"))
            label = option.get("label", value)
        else:
            value = label = option
        if value is not None and value != "":
            options.append((value, label if isinstance(label, str) else _canonical(label)))
    return options


def _canonical(value: Any) -> str:
    """One text per JSON value; True is not 1, and 1 is 1.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


class Choice(Answer):
    def read(self, value: Any, scope: Mapping[str, Any]) -> Any:
        if _canonical(value) not in {_canonical(each) for each, _ in options_of(self.component, scope)}:
            raise ValidationError([T("This is not one of the options.")])
        return value


class Choices(Answer):
    def is_empty(self, value: Any) -> bool:
        return value == [] or empty(value)

    def empty_value(self, value: Any) -> Any:
        return [] if value == [] else super().empty_value(value)

    def read(self, value: Any, scope: Mapping[str, Any]) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError([T("This must be a list of choices.")])
        known = {_canonical(each) for each, _ in options_of(self.component, scope)}
        chosen = [_canonical(each) for each in value]
        if not known.issuperset(chosen):
            raise ValidationError([T("This contains something that is not one of the options.")])
        if len(set(chosen)) < len(chosen):
            raise ValidationError([T("The same option is chosen twice.")])
        return value


_ZONE = r"(Z|[+-](?:0\d|1[0-4]):[0-5]\d)?"
_FORMS = {
    "date": (re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII), T("This is not a date. Write it as 2026-11-22.")),
    "time": (re.compile(r"\d{2}:\d{2}(:\d{2})?" + _ZONE, re.ASCII), T("This is not a time. Write it as 09:30.")),
    "datetime": (
        re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?" + _ZONE, re.ASCII),
        T("This is not a date and time. Write them as 2026-11-22T09:30."),
    ),
}
_READERS = {"date": date.fromisoformat, "time": time.fromisoformat, "datetime": datetime.fromisoformat}


class Moment(Answer):
    """A date, a time, or both, kept as the text the browser sent."""

    def read(self, value: Any, scope: Mapping[str, Any]) -> str:
        subtype = self.component.get("subtype")
        subtype = subtype if subtype in _FORMS else "date"
        pattern, refusal = _FORMS[subtype]
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValidationError([refusal])
        try:
            moment = _READERS[subtype](value)
        except ValueError:
            raise ValidationError([refusal]) from None
        today = self.parent.state.today
        if self.component.get("disallowPassedDates") is True and today is not None and subtype != "time":
            day = moment.date() if isinstance(moment, datetime) else moment
            if day < today:
                raise ValidationError([T("This day has passed.")])
        return value


class Files(Answer):
    """A reference ``files::<id>`` to what was uploaded; the files themselves are checked when the load is told about them."""

    def read(self, value: Any, scope: Mapping[str, Any]) -> str:
        if not isinstance(value, str) or not FILE_REFERENCE.fullmatch(value):
            raise ValidationError([T("This is not an uploaded file.")])
        known = self.parent.state.files
        if known is None:
            return value
        uploaded = known.get(value)
        if uploaded is None:
            raise ValidationError([T("The uploaded file is not there any more; please upload it again.")])
        errors = refused_files(self.component, uploaded, scope)
        if errors:
            raise ValidationError(errors)
        return value


def file_limits(component: Component) -> dict[str, Any]:
    """``{"multiple": bool, "accept": [".pdf", …], "max_size": bytes or None, "max_files": int or None}`` of a file picker.

    ``multiple`` and ``accept`` are form-js's own; ``maxSize`` (megabytes) and ``maxFiles`` stand in the component's ``properties``.
    """
    accept = component.get("accept")
    size, count = (_positive(setting(component, "properties", name)) for name in ("maxSize", "maxFiles"))
    return {
        "multiple": component.get("multiple"),
        "accept": [each.strip().lower() for each in accept.split(",") if each.strip()] if isinstance(accept, str) else [],
        "max_size": int(size * 1024 * 1024) if size else None,
        "max_files": int(count) if count else None,
    }


def _positive(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number > 0 and not isinstance(value, bool) else None


def refused_files(component: Component, uploaded: list[Mapping[str, Any]], scope: Mapping[str, Any]) -> list[Words]:
    """Why uploaded files ``[{"name": str, "size": bytes, "type": media type}]`` are not acceptable; empty when they are."""
    limits = file_limits(component)
    most = limits["max_files"] if run(limits["multiple"], scope) is True else 1
    errors = []
    if most is not None and len(uploaded) > most:
        errors.append(T("At most %(count)d file(s) can be uploaded here.", count=most))
    for each in uploaded:
        name, media = str(each.get("name", "")), str(each.get("type", "")).lower()
        if limits["accept"] and not any(_accepted(rule, name.lower(), media) for rule in limits["accept"]):
            errors.append(T("“%(name)s” is not of an accepted kind (%(kinds)s).", name=name, kinds=", ".join(limits["accept"])))
        if limits["max_size"] is not None and each.get("size", 0) > limits["max_size"]:
            errors.append(T("“%(name)s” is larger than %(size)s MB.", name=name, size=str(setting(component, "properties", "maxSize"))))
    return errors


def _accepted(rule: str, name: str, media: str) -> bool:
    if rule.startswith("."):
        return name.endswith(rule)
    return media.startswith(rule[:-1]) if rule.endswith("/*") else media == rule


class Computed(Answer):
    """The result of an expression component: computed here, never taken from the client."""

    def deserialize(self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        return value


FIELD_OF: dict[str, type[Answer]] = {
    "textfield": Text, "textarea": Text, "number": Number, "checkbox": Checkbox, "radio": Choice, "select": Choice,
    "checklist": Choices, "taglist": Choices, "datetime": Moment, "filepicker": Files, "expression": Computed,
}  # fmt: skip


def field_for(component: Component) -> Answer:
    """The marshmallow field of an input or computed component."""
    return FIELD_OF[type_of(component).name](component)
