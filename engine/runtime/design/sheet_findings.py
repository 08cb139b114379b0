"""What is wrong with the procedure sheet of a draft, and at which field."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import yaml

from engine.errors import Problem, ValidationFailed
from engine.runtime.casework.cases import STATUS_CLOSED, STATUS_RUNNING, STATUS_TERMINATED
from engine.runtime.design import drafts, sheet_text
from engine.runtime.design.sheet_choices import drawn, own_forms
from engine.runtime.design.sheet_editing import ORDER, PARTS, ROWS, TEXTS, sheet_file, values_of
from engine.runtime.sheets import Sheet, parse_sheet
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk


def check(desk: Desk, files: Mapping[str, str]) -> list[Problem]:
    """What a deployment would find in the draft's sheet, and what only a designer needs to know; nothing is stored."""
    file = sheet_file(files)
    problems = [each for each in drafts.examine(desk, files) if each.file == file]
    sheet, _ = parse_sheet(file, files.get(file, "").encode())
    if sheet is None:
        return problems
    root, text = sheet_text.yaml_of(files[file]), files[file]
    directory = desk.people.directory()
    for where, names in _groups_named(values_of(text)):
        for name in names:
            role, at, section = name.partition("@")
            known = name.removeprefix("section:") in directory.sections if name.startswith("section:") else role in directory.roles
            if not known or (at and section not in directory.sections):
                words = T("Nobody can have the role “%(role)s”: the organisation does not know it.", role=name)
                problems.append(Problem(file, _line_of(root, where), where, "procedure.unknown-role", words, severity="warning"))
    fields = {path for form in own_forms(files).values() for path, _, _ in form.fields}
    for name in sheet.confidential.fields if sheet.confidential and fields else ():
        if name.partition(".")[0] not in {path.partition(".")[0] for path in fields}:
            words = T("No form of the draft has the field “%(name)s” that is to be confidential.", name=name)
            line = _line_of(root, "confidential.fields")
            problems.append(Problem(file, line, "confidential.fields", "procedure.unknown-field", words, severity="warning"))
    problems += _never_public(file, root, sheet, drawn(files).statuses)
    return problems


def _never_public(file: str, root: yaml.Node | None, sheet: Sheet, statuses: Collection[str]) -> Iterable[Problem]:
    """Statuses after which a case is to be public and that the drawing never sets; a drawing whose statuses are computed may set any."""
    for word in sheet.public.after if statuses else ():
        if word not in (*statuses, STATUS_RUNNING, STATUS_CLOSED, STATUS_TERMINATED):
            words = T("The drawing sets no status “%(status)s”: no case would be public after it.", status=word)
            yield Problem(file, _line_of(root, "public.after"), "public.after", "procedure.unknown-status", words, severity="warning")


def _groups_named(values: Mapping[str, Any]) -> Iterable[tuple[str, list[str]]]:
    yield "start.roles", values["start"]["roles"]
    yield "access.roles", (values["access"] or {}).get("roles", [])
    yield "confidential.visible_to", (values["confidential"] or {}).get("visible_to", [])
    yield "withdraw.roles", (values["withdraw"] or {}).get("roles", [])
    for number, row in enumerate(values["actions"]):
        yield f"actions.{number}.roles", row["roles"]


_WARNED = ("procedure.unknown-role", "procedure.unknown-field", "procedure.unknown-status")
"""Findings of this module: they bear the field instead of an element."""


def placed(text: str, problems: Iterable[Problem]) -> dict[str, list[Problem]]:
    """The findings by field: ``name``, ``header.applicant``, ``register.2.label``; what belongs to no field under an empty name."""
    try:
        root = sheet_text.yaml_of(text)
    except ValidationFailed:
        root = None
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        found.setdefault(_place(root, problem), []).append(problem)
    return found


def _place(root: yaml.Node | None, problem: Problem) -> str:
    params = getattr(problem.message, "params", {})
    where, key = str(params.get("where", "")), str(params.get("key", ""))
    if problem.severity == "warning" and problem.element_id and problem.rule in _WARNED:
        return problem.element_id
    if problem.rule == "procedure.number":
        return "case_number"
    if where == "procedure":
        return key if key in ORDER and problem.rule == "procedure.missing-key" else ""
    if not where:
        # Findings that name no place: the register's doubled key, the condition of the confidential fields.
        where = {"procedure.duplicate-key": "register.key", "procedure.feel": "confidential.when"}.get(problem.rule, "")
    top, _, rest = where.partition(".")
    if top in PARTS:
        rest = rest or (key if problem.rule == "procedure.missing-key" else "")
        return f"{top}.{rest}" if rest in PARTS[top] else top
    if top in ROWS:
        row = _row_at(root, top, problem.line)
        if row is None:
            return top
        if not rest and problem.rule == "procedure.missing-key":
            rest = key
        column = rest if rest in ROWS[top] else "value" if top == "register" and rest else ""
        return f"{top}.{row}.{column}" if column else f"{top}.{row}"
    return top if top in TEXTS else ""


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    if isinstance(node, yaml.SequenceNode):
        return node.value[int(key)] if key.isdecimal() and int(key) < len(node.value) else None
    return None


def _line_of(root: yaml.Node | None, path: str) -> int | None:
    node, line = root, None
    for key in path.split("."):
        node = _child(node, key)
        if node is None:
            return line
        line = node.start_mark.line + 1
    return line


def _row_at(root: yaml.Node | None, top: str, line: int | None) -> int | None:
    node = _child(root, top)
    if not isinstance(node, yaml.SequenceNode) or line is None:
        return None
    mappings = [each for each in node.value if isinstance(each, yaml.MappingNode)]
    return next((number for number, each in enumerate(mappings) if each.start_mark.line < line <= each.end_mark.line + 1), None)
