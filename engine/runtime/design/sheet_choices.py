"""What the fields of a procedure sheet can name: what the draft draws, its forms, and what is in use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from engine.bpmn.validation import nodes
from engine.bpmn.xml import parse_xml
from engine.errors import EngineError, ValidationFailed
from engine.forms import compile_form
from engine.runtime.design.sheet_editing import sheet_file, values_of

if TYPE_CHECKING:
    from engine.runtime.desk import Desk


@dataclass(frozen=True)
class FormChoice:
    """A form; ``fields`` are (path, label, options as (value, label))."""

    id: str
    label: str
    fields: tuple[tuple[str, str, tuple[tuple[Any, str], ...]], ...] = ()


@dataclass(frozen=True)
class Drawn:
    """What the drawings of a draft have, in the order of the file: processes, steps and events as id → label, message names, status words.

    ``all_elements`` are the ids of everything that tokens pass, gateways included.
    """

    processes: dict[str, str] = field(default_factory=dict)
    elements: dict[str, str] = field(default_factory=dict)
    tasks: dict[str, str] = field(default_factory=dict)
    messages: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    all_elements: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choices:
    """What the fields of a sheet can name.

    ``own`` are forms of the draft or named by it, ``forms`` all others besides; ``called`` is the name of a called process → its steps and
    events, ``handled`` every step that a person has, called ones included.
    """

    drawn: Drawn
    own: tuple[FormChoice, ...]
    forms: tuple[FormChoice, ...]
    called: dict[str, dict[str, str]]
    handled: dict[str, str]

    @property
    def fields(self) -> dict[str, str]:
        """Path → label of the fields of the draft's forms."""
        return {path: label for form in self.own for path, label, _ in form.fields}


_STEPS = ("Task", "task", "Event", "subProcess", "callActivity", "transaction", "adHocSubProcess")


def drawn(files: Mapping[str, str]) -> Drawn:
    """What the BPMN files of a draft have; a file that cannot be read has nothing."""
    found = Drawn()
    messages: dict[str, None] = {}
    statuses: dict[str, None] = {}
    called: dict[str, None] = {}
    forms: dict[str, None] = {}
    everything: dict[str, None] = {}
    for name, text in files.items():
        tree, _ = parse_xml(text.encode(), name) if PurePosixPath(name).suffix.lower() == ".bpmn" else (None, [])
        for node in tree.getroot().iter() if tree is not None else ():
            kind, id, label = str(node.tag).rpartition("}")[2], node.get("id"), " ".join((node.get("name") or "").split())
            if kind == "process" and id:
                found.processes[id] = label or id
            elif kind == "message" and label:
                messages[label] = None
            elif kind == "property" and node.get("name") == "status" and (word := (node.get("value") or "").strip()):
                if not word.startswith("="):
                    statuses[word] = None
            elif kind == "calledElement" and node.get("processId"):
                called[node.get("processId")] = None
            elif kind == "formDefinition" and node.get("formId"):
                forms[node.get("formId")] = None
            elif id and kind.endswith("Gateway"):
                everything[id] = None
            elif id and kind.endswith(_STEPS) and not kind.startswith("BPMN"):
                everything[id] = None
                found.elements[id] = label or id
                if kind == "userTask":
                    found.tasks[id] = label or id
    return Drawn(
        found.processes, found.elements, found.tasks, tuple(messages), tuple(statuses), tuple(called), tuple(forms), tuple(everything)
    )  # fmt: skip


def choices(desk: Desk, files: Mapping[str, str]) -> Choices:
    """What the sheet of these files can name."""
    picture, own, others = drawn(files), own_forms(files), []
    named = {*picture.forms, *_forms_named(files)}
    for definition in desk.engine.catalogue.latest("form"):
        if definition.id not in own:
            form = FormChoice(definition.id, definition.name or definition.id, _fields(definition.model))
            if definition.id in named:
                own[definition.id] = form
            else:
                others.append(form)
    called: dict[str, dict[str, str]] = {}
    handled = dict(picture.tasks)
    for id in picture.called:
        process = desk.engine.catalogue.find("process", id) if id not in picture.processes else None
        if process is not None:
            steps = [node for node in nodes(process.model) if node.bpmn_id and "Gateway" not in (node.element_type or "")]
            called[process.name or id] = {node.bpmn_id: node.label for node in steps}
            handled |= {node.bpmn_id: node.label for node in steps if node.element_type == "userTask" and node.bpmn_id not in handled}
    return Choices(picture, tuple(own.values()), tuple(sorted(others, key=lambda each: each.label)), called, handled)


def _forms_named(files: Mapping[str, str]) -> set[str]:
    try:
        values = values_of(files.get(sheet_file(files), ""))
    except ValidationFailed:
        return set()
    rows = [values["start"], values["withdraw"] or {}, *values["actions"]]
    return {row["form"] for row in rows if row.get("form")}


def own_forms(files: Mapping[str, str]) -> dict[str, FormChoice]:
    """Form id → the form, of the draft's own files; one that cannot be read is left out."""
    found = {}
    for name, text in files.items():
        if PurePosixPath(name).suffix.lower() == ".form":
            try:
                form = compile_form(text.encode(), name)
                found[form.id] = FormChoice(form.id, form.title or form.id, _fields(form))
            except EngineError:
                continue
    return found


def _fields(form: Any) -> tuple[tuple[str, str, tuple[tuple[Any, str], ...]], ...]:
    return tuple((each.path, each.label or each.path, tuple(each.options)) for each in form.fields())


def sample_answers(files: Mapping[str, str], form: FormChoice | None) -> dict[str, Any]:
    """Answers to try the sheet's expressions on: those of the draft's first scenario, else each field's first option or label."""
    for name in sorted(files):
        if name.startswith("scenarios/"):
            try:
                scenario = json.loads(files[name])
            except (ValueError, RecursionError):
                continue
            if isinstance(scenario, dict) and isinstance(scenario.get("start"), dict):
                return scenario["start"]
    answers: dict[str, Any] = {}
    for path, label, options in form.fields if form is not None else ():
        if "." not in path:
            answers[path] = options[0][0] if options else f"〔{label}〕"
    return answers
