"""What the fields of a procedure sheet, and the values chosen from a list, are called: on its form and wherever a difference is told."""

from __future__ import annotations

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
