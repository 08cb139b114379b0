"""Findings of a procedure sheet in the words of its fields: people fill in 台账栏目, not ``register.label``."""

from __future__ import annotations

from engine.errors import Problem
from engine.words import T, Words

HEADER_WORDS: dict[str, Words] = {
    "applicant": T("Applicant"), "county": T("County"), "urgency": T("Urgency"), "source": T("Source"), "section": T("Owner section"),
    "received_at": T("Time of receipt"),
}  # fmt: skip
_BUTTON: dict[str, Words] = {
    "message": T("Message of the drawing"), "label": T("Words on the button"), "form": T("Form"), "roles": T("Who may press it"),
}  # fmt: skip
FIELD_WORDS: dict[str, Words] = {
    "process": T("Process"), "name": T("Name of the procedure"), "short": T("Short name"), "code": T("Code in the case number"),
    "case_number": T("Rule of the case number"), "icon": T("Icon"), "description": T("What it is for"), "limits_text": T("Limits in words"),
    "title": T("Title of a case"), "ladder": T("Ladder of all limits that name none"), "header": T("Title and head of a case"),
    "start": T("Who begins and who reads"), "start.form": T("Form to begin with"), "start.roles": T("May begin a case"),
    "access": T("Who begins and who reads"), "access.roles": T("May read every case besides"), "deadlines": T("Limits on the start page"),
    "deadlines.rule": T("Deadline rule"), "deadlines.from": T("Counts from"), "confidential": T("Confidential"),
    "confidential.fields": T("Hidden fields"), "confidential.when": T("Only when"), "confidential.visible_to": T("Shown to"),
    "confidential.visible_to_handler_of": T("Shown to who handles"), "register": T("Columns of the register"), "register.key": T("Identifier"),
    "register.label": T("Head of the column"), "register.value": T("Value"), "search": T("Searchable fields"), "search.key": T("Identifier"),
    "search.label": T("Name of the field"), "search.value": T("Value"), "search.kind": T("Searched by"), "public": T("Public visibility"),
    "public.show": T("Outsiders see"), "public.columns": T("Public columns"), "public.after": T("Public after the status"), "withdraw": T("Withdrawal"), "actions": T("Buttons of the case page"),
    "documents": T("Papers"), "documents.id": T("Identifier"), "documents.name": T("Name of the paper"), "documents.at": T("Belongs to the step"),
    **{f"header.{name}": words for name, words in HEADER_WORDS.items()},
    **{f"{part}.{name}": words for part in ("withdraw", "actions") for name, words in _BUTTON.items()},
}  # fmt: skip
"""Field without the number of its row → what the form calls it."""

KIND_WORDS: dict[str, Words] = {
    "text": T("parts of the text"), "exact": T("the whole value"), "date": T("days from and to"), "number": T("amounts from and to"),
}  # fmt: skip
SHOW_WORDS: dict[str, Words] = {"none": T("no cases at all"), "status": T("the status only"), "columns": T("the status and the columns named")}

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
