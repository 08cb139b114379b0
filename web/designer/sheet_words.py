"""Findings of a procedure sheet in the words of its fields: people fill in 台账栏目, not ``register.label``."""

from __future__ import annotations

from engine.errors import Problem
from engine.runtime.design.sheet_fields import FIELD_WORDS, HEADER_WORDS, KIND_WORDS, SHOW_WORDS  # noqa: F401  the form reads its words through here
from engine.words import T, Words

_NEEDED = T("This must be filled in.")
_PLAIN: dict[str, Words] = {
    "procedure.missing-key": _NEEDED, "procedure.empty": _NEEDED, "procedure.unknown-form": T("There is no form “%(id)s”."),
    "procedure.unknown-process": T("There is no process “%(id)s” in the draft or in use."), "procedure.unknown-rule": T("There is no deadline rule “%(id)s”."),
    "procedure.unknown-ladder": T("There is no ladder “%(id)s”."), "procedure.unknown-element": T("No process has the step “%(id)s”."),
}  # fmt: skip
_EXPRESSION = T("The expression cannot be read: %(reason)s")


def at_field(problem: Problem) -> Words:
    """What a finding says where the field itself stands beside it."""
    params = getattr(problem.message, "params", {})
    if problem.rule == "procedure.feel" and "reason" in params:
        return T(_EXPRESSION.msgid, reason=params["reason"])
    words = _PLAIN.get(problem.rule)
    if words is None:
        return problem.message
    return T(words.msgid, id=params.get("id", "")) if "%(id)s" in words.msgid else words


def named(place: str, problem: Problem) -> list[Words | str]:
    """What a finding says where the field is out of sight: its heading, its row, its name, the finding."""
    top, _, rest = place.partition(".")
    number, _, column = rest.partition(".")
    row = number if number.isdecimal() else ""
    key = f"{top}.{column}" if row and column else top if row else place
    parts: list[Words | str] = []
    if key != top and top in ("register", "search", "public", "actions", "documents", "deadlines", "withdraw", "confidential") and top in FIELD_WORDS:
        parts.append(FIELD_WORDS[top])
    if row:
        parts.append(str(int(row) + 1))
    if key in FIELD_WORDS:
        parts.append(FIELD_WORDS[key])
    return [*parts, at_field(problem) if place else problem.message]
