"""The check of a draft: what a deployment would find, and what the designer's room lets through less easily than a deployment does.

Checking a drawing of thousands of elements takes seconds, and its pages ask again and again.  The findings are therefore kept in this
process by everything that they depend on: the files, what is deployed, and the organisation.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from engine.errors import Problem
from engine.runtime.design.files import SHEET_FILE, deployable
from engine.runtime.examining import examine as examine_deployment
from engine.runtime.telling.notices import packed, unpacked
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

BLOCKING_RULES = frozenset({"assignment.nobody", "deploy.unknown-form", "deploy.unknown-decision", "deploy.unknown-process"})
"""Findings that are warnings at a deployment and errors in the room.

A deployment may be one of several that belong together, made by engineers who see the rest; what it names may come with the next.  Who
publishes from the room publishes a whole: a step that nobody receives, or a form, a decision or a process that is neither in the draft
nor in use, would stop the first case that comes there.
"""
KEPT = 32
"""Sets of files whose findings are kept, those asked for last."""
LISTED = 500
"""A longer list is read by nobody and would only burden the pages."""
QUICK = 200_000
"""Characters of files up to which a check takes no time worth speaking of."""

_kept: OrderedDict[str, tuple[Problem, ...]] = OrderedDict()
_lock = threading.Lock()


def examine(desk: Desk, files: Mapping[str, str]) -> list[Problem]:
    """What stands against publishing ``files`` from the room, errors first; nothing is stored."""
    mark = _mark(desk, files)
    with _lock:
        if mark in _kept:
            _kept.move_to_end(mark)
            return list(_kept[mark])
    problems = _examined(desk, files)
    with _lock:
        _kept[mark] = tuple(problems)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return problems


def at_hand(desk: Desk, files: Mapping[str, str]) -> bool:
    """Whether :func:`examine` answers at once: the findings are kept, or the files are small."""
    if sum(map(len, files.values())) <= QUICK:
        return True
    mark = _mark(desk, files)
    with _lock:
        return mark in _kept


def packed_problems(problems: Iterable[Problem]) -> list[dict[str, Any]]:
    """Findings as a column holds them."""
    return [{**vars(each), "message": packed(each.message)} for each in problems]


def unpacked_problems(rows: Iterable[Mapping[str, Any]]) -> tuple[Problem, ...]:
    """The findings of a column, in the reader's language."""
    return tuple(Problem(**{**row, "message": _said(row["message"])}) for row in rows)


def _said(message: Any) -> Words:
    return unpacked(message["msgid"], message.get("params")) if isinstance(message, Mapping) else T("%(text)s", text=message)


def new_among(problems: Iterable[Problem], known: Iterable[Problem]) -> list[Problem]:
    """Those of ``problems`` that are not among the ``known`` ones; a line that moved makes no finding new."""
    before = {(each.file, each.element_id, each.rule, str(each.message)) for each in known}
    return [each for each in problems if (each.file, each.element_id, each.rule, str(each.message)) not in before]


def _examined(desk: Desk, files: Mapping[str, str]) -> list[Problem]:
    found, problems = examine_deployment(deployable(files), desk.engine.catalogue, desk.people.directory())
    problems = [replace(each, severity="error") if each.rule in BLOCKING_RULES else each for each in problems]
    if not found and not any(problem.severity == "error" for problem in problems):
        words = T("The draft has no process. Draw one, or drop a BPMN file onto the page.")
        problems.append(Problem(next(iter(files), SHEET_FILE), None, None, "design.no-process", words))
    problems.sort(key=lambda problem: (problem.severity != "error", problem.file, problem.line or 0))
    if len(problems) > LISTED:
        words = T("There are %(count)d findings; only the first %(shown)d are listed, errors before warnings.", count=len(problems), shown=LISTED)
        problems[LISTED:] = [Problem(problems[0].file, None, None, "design.too-many", words, problems[0].severity)]
    return problems


def _mark(desk: Desk, files: Mapping[str, str]) -> str:
    """A sum of all that the findings depend on."""
    directory = desk.people.directory()
    deployed = sorted((each.key, each.revision) for each in desk.engine.catalogue.all())
    office = (desk.engine.database.name, deployed, sorted(directory.sections), sorted(directory.roles), next(iter(files), ""))
    found = hashlib.sha256(repr(office).encode())
    for name, content in sorted(deployable(files).items()):
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()
