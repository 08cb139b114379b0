"""Codes as people read them: the label of an option that somebody chose in a form of the procedure.

A register column or header entry that is nothing but a variable (``=category``) shows the label of the chosen option, so that a
register 台账 reads 推诿拖延 and not ``delay``; any other expression says itself what it shows.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.runtime.sheets import Formula, Sheet

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.runtime.desk import Desk

_NAME = re.compile(r"=\s*([^\W\d]\w*)\s*\Z")
URGENCIES = {"normal": "平件", "urgent": "加急", "extra": "特急"}
"""The desk's own vocabulary of urgency, for sheets that write the code itself."""

Options = Mapping[str, Mapping[str, str]]


class Labels:
    """Option labels by variable, of the forms a procedure uses; kept by the versions in force."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._kept: dict[tuple[int, ...], Options] = {}
        self._lock = threading.Lock()

    def of(self, conn: Connection | None, sheet: Sheet) -> Options:
        """Variable → option value (as text) → label; where two forms differ, the later one of the flow wins."""
        catalogue = self._desk.engine.catalogue
        process = catalogue.find("process", sheet.process, conn=conn)
        named = [sheet.start.form, *(action.form for action in sheet.all_actions())]
        for node in process.model.task_specs.values() if process is not None else ():
            form_id = getattr(node, "form_id", None)
            if form_id is not None and form_id.expression is None:
                named.append(form_id.text.strip())
        forms = [found for form_id in dict.fromkeys(named) if form_id and (found := catalogue.find("form", form_id, conn=conn)) is not None]
        key = tuple(found.key for found in forms)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = _options(found.model for found in forms)
            return self._kept[key]


def _options(forms: Any) -> Options:
    found: dict[str, dict[str, str]] = {}
    for form in forms:
        for each in form.fields():
            if each.options:
                found.setdefault(each.path, {}).update((str(value), str(label)) for value, label in each.options)
    return found


def choices_of(options: Options, formula: Formula) -> tuple[str, ...]:
    """The labels that :func:`labelled` can give for ``formula``; none where it is more than a variable, or no form offers options for it."""
    match = _NAME.match(formula.source)
    return tuple(dict.fromkeys(options.get(match.group(1), {}).values())) if match else ()


def labelled(options: Options, formula: Formula, value: Any) -> Any:
    """The value of ``formula`` with option labels in place of codes; unchanged where the formula is more than a variable."""
    match = _NAME.match(formula.source)
    known = options.get(match.group(1), {}) if match else {}
    if isinstance(value, list):
        return [known.get(str(each), each) for each in value]
    return known.get(str(value), value) if value is not None and not isinstance(value, bool) else value
