"""How a procedure sheet will look in use: the start page, the head of a case and the head of the register, on sample answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from engine.bpmn.variables import plain
from engine.errors import Problem, ValidationFailed
from engine.feel import FeelError
from engine.feel.values import to_text
from engine.runtime.casework.casestate import text_of
from engine.runtime.casework.labels import URGENCIES, labelled
from engine.runtime.casework.moments import instant
from engine.runtime.design.sheet_choices import Choices, FormChoice, sample_answers
from engine.runtime.number_rules import refusal_of_code, refusal_of_rule
from engine.runtime.sheets import Formula, Sheet, parse_sheet
from engine.words import Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

EXAMPLES = 3
"""Case numbers shown: two of today, and the first of tomorrow, when the serial begins anew."""


@dataclass(frozen=True)
class Shown:
    """What an expression of the sheet gives on the sample answers; ``problem`` when it cannot be computed on them."""

    label: str
    text: str
    problem: Words | str | None = None


@dataclass(frozen=True)
class Preview:
    """The sheet in use.  ``sheet`` is ``None`` while it cannot be read; then only ``numbers`` may be there.

    ``header`` has the keys of the sheet's header; ``limits`` are the label of a rule, from when it counts, and its length.
    ``search`` and ``public`` are what staff find the case by and what outsiders would see.  ``schema`` is the form to begin with as the
    start page draws it, ``answers`` what it is tried on; ``None`` for no form, or one that cannot be read.
    """

    sheet: Sheet | None
    problems: tuple[Problem, ...] = ()
    numbers: tuple[str, ...] = ()
    title: Shown | None = None
    header: dict[str, Shown] = field(default_factory=dict)
    register: tuple[Shown, ...] = ()
    search: tuple[Shown, ...] = ()
    public: tuple[Shown, ...] = ()
    limits: tuple[tuple[str, str, Words | str], ...] = ()
    form: FormChoice | None = None
    schema: dict[str, Any] | None = None
    answers: Mapping[str, Any] = field(default_factory=dict)


def numbers(rule: str, *, region: str, code: str, day: date) -> tuple[str, ...]:
    """Examples of the case numbers that ``rule`` gives; none while it is no rule."""
    if refusal_of_rule(rule, code) is not None or refusal_of_code(code) is not None:
        return ()
    made = [(day, 1), (day, 2), (day + timedelta(days=1), 1)][:EXAMPLES]
    return tuple(rule.format(region=region, code=code, date=on.strftime("%Y%m%d"), serial=serial) for on, serial in made)


def preview(desk: Desk, files: Mapping[str, str], file: str, text: str, offered: Choices) -> Preview:
    """The sheet ``text`` in use, tried on the answers of the draft's first scenario, else on made-up ones."""
    sheet, problems = parse_sheet(file, text.encode())
    if sheet is None:
        return Preview(None, tuple(problems))
    forms = {each.id: each for each in (*offered.forms, *offered.own)}
    form = forms.get(sheet.start.form or "")
    answers = sample_answers(files, form)
    options = {
        path: {str(value): str(label) for value, label in choices} for each in offered.own for path, _, choices in each.fields if choices
    }
    today = desk.engine.calendar.local(desk.engine.clock()).date()
    header = {key: _shown(key, formula, answers, options) for key, formula in sheet.header.items()}
    directory = desk.people.directory()
    for key, words in (("county", directory.section_name), ("section", directory.section_name), ("urgency", lambda code: URGENCIES.get(code, code))):
        if key in header and header[key].text:
            header[key] = Shown(key, str(words(header[key].text)))
    if "received_at" in header:
        header["received_at"] = _moment(desk, header["received_at"])
    register = tuple(_shown(each.label, each.value, answers, options) for each in sheet.register)
    title = _shown("title", sheet.title, answers, {}) if sheet.title else None
    return Preview(
        sheet,
        numbers=numbers(sheet.case_number, region=desk.settings.region, code=sheet.code, day=today),
        title=title,
        header=header,
        register=register,
        search=tuple(_shown(each.label, each.value, answers, options) for each in sheet.search),
        public=tuple(_public(key, title, header, {each.key: shown for each, shown in zip(sheet.register, register, strict=True)}) for key in sheet.public.columns),
        schema=start_schema(desk, files, sheet.start.form),
        answers=answers,
        limits=tuple(
            (rule.label, limit.start or "", rule.limit_words)
            for limit in sheet.deadlines
            if (rule := desk.book().rules.on(limit.rule, today)) is not None
        ),
        form=form,
    )


def _public(key: str, title: Shown | None, header: Mapping[str, Shown], register: Mapping[str, Shown]) -> Shown:
    """A public column; what only a running case has (result, day of closing) is empty here."""
    if key == "title" and title is not None:
        return Shown(key, title.text, title.problem)
    return register.get(key) or header.get(key) or Shown(key, "")


def start_schema(desk: Desk, files: Mapping[str, str], form_id: str | None) -> dict[str, Any] | None:
    """The form of that id as form-js draws it: the draft's own file, else the deployed one."""
    for name, text in files.items() if form_id else ():
        if PurePosixPath(name).suffix.lower() == ".form":
            schema = _read(text)
            if schema is not None and schema.get("id") == form_id:
                return schema
    deployed = desk.engine.catalogue.find("form", form_id) if form_id else None
    return _read(desk.engine.catalogue.content(deployed)[1].decode("utf-8-sig", errors="replace")) if deployed is not None else None


def _read(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _moment(desk: Desk, shown: Shown) -> Shown:
    """A moment in office time; one that is none says so, as the opening of a case would."""
    try:
        at = instant(shown.text or None, desk.zone)
    except ValidationFailed as refused:
        return Shown(shown.label, shown.text, refused.message)
    return Shown(shown.label, f"{at.astimezone(desk.zone):%Y-%m-%d %H:%M}") if at is not None else shown


def _shown(label: str, formula: Formula, answers: Mapping[str, Any], options: Mapping[str, Mapping[str, str]]) -> Shown:
    try:
        value = labelled(options, formula, plain(formula.value(dict(answers))))
    except FeelError as error:
        return Shown(label, "", getattr(error, "message", None) or str(error))
    if isinstance(value, list):
        return Shown(label, "、".join(text_of(each) for each in value))
    return Shown(label, text_of(value) if value is None or isinstance(value, str) else to_text(value))
