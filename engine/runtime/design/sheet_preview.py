"""How a procedure sheet will look in use: the start page, the head of a case and the head of the register, on sample answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from engine.bpmn.variables import plain
from engine.errors import Problem, ValidationFailed
from engine.feel import FeelError
from engine.feel.values import to_text
from engine.runtime.casework.casestate import text_of
from engine.runtime.casework.labels import URGENCIES, labelled
from engine.runtime.casework.moments import instant
from engine.runtime.design.sheet_choices import Choices, FormChoice, sample_answers
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
    """

    sheet: Sheet | None
    problems: tuple[Problem, ...] = ()
    numbers: tuple[str, ...] = ()
    title: Shown | None = None
    header: dict[str, Shown] = field(default_factory=dict)
    register: tuple[Shown, ...] = ()
    limits: tuple[tuple[str, str, Words | str], ...] = ()
    form: FormChoice | None = None


def numbers(rule: str, *, region: str, code: str, day: date) -> tuple[str, ...]:
    """Examples of the case numbers that ``rule`` gives; none while it is no rule."""
    try:
        made = [(day, 1), (day, 2), (day + timedelta(days=1), 1)][:EXAMPLES]
        return tuple(rule.format(region=region, code=code, date=on.strftime("%Y%m%d"), serial=serial) for on, serial in made)
    except (ValueError, KeyError, IndexError, AttributeError):
        return ()


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
    return Preview(
        sheet,
        numbers=numbers(sheet.case_number, region=desk.settings.region, code=sheet.code, day=today),
        title=_shown("title", sheet.title, answers, {}) if sheet.title else None,
        header=header,
        register=tuple(_shown(each.label, each.value, answers, options) for each in sheet.register),
        limits=tuple(
            (rule.label, limit.start or "", rule.limit_words)
            for limit in sheet.deadlines
            if (rule := desk.book().rules.on(limit.rule, today)) is not None
        ),
        form=form,
    )


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
