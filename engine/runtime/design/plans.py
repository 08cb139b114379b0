"""What publishing a draft would do, and whether anything stands against it.

What is deployed is what differs from what is in use; a file that the draft never touched and that somebody else has changed
meanwhile keeps their change.  What both changed is refused until the designer has compared the two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from engine.errors import Conflict, DeploymentRejected, NotFound, Problem, ValidationFailed
from engine.runtime.design.checking import examine
from engine.runtime.design.drafts import Draft
from engine.runtime.design.files import FileSet, Part, checksum, definitions_in, deployable, file_set
from engine.runtime.design.scenarios import scenario_files
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk


@dataclass(frozen=True)
class Overtaken:
    """A definition that somebody deployed after the draft was branched: ``base`` is the version the draft knows, 0 for none."""

    kind: str
    id: str
    name: str
    base: int
    current: int
    by: str
    at: datetime

    @property
    def part(self) -> Part:
        return self.kind, self.id, self.current


@dataclass(frozen=True)
class Plan:
    """What publishing a draft now would do.

    ``payload`` are the files to deploy, ``companions`` whether README or scenarios differ, ``theirs`` files that somebody else changed
    and the draft did not, ``in_use`` the files in use, ``merged`` those in use afterwards, ``versions`` (kind, id) → version in use.
    """

    payload: dict[str, str]
    companions: tuple[str, ...]
    theirs: tuple[str, ...]
    overtaken: tuple[Overtaken, ...]
    in_use: dict[str, str]
    merged: dict[str, str]
    versions: dict[tuple[str, str], int]

    @property
    def empty(self) -> bool:
        return not self.payload and not self.companions


def plan(desk: Desk, conn: Connection, draft: Draft) -> Plan:
    """What publishing ``draft`` now would do; nothing is checked but what stands beside what."""
    catalogue = desk.engine.catalogue
    try:
        current = file_set(desk, conn, draft.process_id) if draft.process_id else FileSet({})
    except NotFound:
        current = FileSet({})
    # A file may lie under another name in the draft than in use: its definitions tell.
    by_part = {part[:2]: name for name, parts in current.parts.items() for part in parts}
    payload: dict[str, str] = {}
    theirs: list[str] = []
    mine = deployable(draft.files)
    for name in mine:
        text = draft.files[name]
        parts = draft.parts.get(name, ())
        used = next((by_part[part[:2]] for part in parts if part[:2] in by_part), name)
        if current.files.get(used) == text:
            continue
        if not draft.from_older and used in current.files and draft.sums.get(name) == checksum(text):
            theirs.append(name)
            continue
        payload[name] = text
    found = definitions_in({name: text for name, text in draft.files.items() if name in payload})
    overtaken, versions = [], {}
    in_use = dict(current.files)
    for kind, id, file in found:
        known = {part[:2]: part[2] for part in draft.parts.get(file, ())}.get((kind, id), 0)
        latest = catalogue.find(kind, id, conn=conn)
        versions[kind, id] = latest.version if latest else 0
        if latest is not None and file not in in_use and file not in draft.parts:
            # A file that came from outside, and of which the procedure in use knows nothing: its definition tells what it replaces.
            in_use[file] = catalogue.content(latest, conn)[1].decode("utf-8-sig", "replace")
        if latest is not None and latest.version > known:
            overtaken.append(Overtaken(kind, id, latest.name, known, latest.version, latest.deployed_by, latest.deployed_at))
    same = {name for name in payload if in_use.get(name) == payload[name]}
    payload = {name: text for name, text in payload.items() if name not in same}
    overtaken = [each for each in overtaken if any(file in payload for kind, id, file in found if (kind, id) == (each.kind, each.id))]
    merged = draft.files | {name: current.files[name] for name in theirs if name in current.files}
    beside = {name for name in current.files if name not in current.parts}
    changed = sorted(
        name for name in beside | (draft.files.keys() - mine.keys()) if draft.process_id and current.files.get(name) != draft.files.get(name)
    )
    return Plan(payload, tuple(changed), tuple(theirs), tuple(overtaken), in_use, merged, versions)


def run_scenarios(desk: Desk, files: Mapping[str, str]) -> list[Any]:
    """The results of all scenarios among ``files``; none where there are none."""
    # Imported here: playing them builds an engine of its own, and engines import this module.
    from engine.runtime.design import scenarios

    return scenarios.run_all(desk, files)


class Unplayed(Exception):
    """Nothing but the scenarios stands between a draft and its publication, and there are no results of them that hold."""


Play = Callable[[Any, Mapping[str, str]], list[Any]]
"""Where the results of the scenarios among some files come from; may raise :class:`Unplayed`."""


def require_sound(desk: Desk, planned: Plan, compared: Collection[Part], warnings_seen: bool, play: Play | None = None) -> list[Any]:
    """That nothing stands against publication; gives the results of the scenarios, by ``play`` (without: played here and now).

    Raises :class:`DeploymentRejected`, :class:`Conflict` for what is newer and was not ``compared``, and :class:`ValidationFailed` for
    a scenario that fails, for warnings that nobody has ``seen``, and when there is nothing to publish.
    """
    if planned.empty:
        raise ValidationFailed(T("Nothing differs from what is in use. There is nothing to publish."))
    problems = examine(desk, planned.merged)
    if any(problem.severity == "error" for problem in problems):
        raise DeploymentRejected(problems)
    require_compared(planned, compared)
    if not warnings_seen and (problems or not scenario_files(planned.merged)):
        words = T("There are warnings, or no scenario tries this procedure. Read them, then confirm that you publish nevertheless.")
        raise ValidationFailed(words, errors={"warnings": [words]})
    return require_passed(desk, planned, play)


def require_passed(desk: Desk, planned: Plan, play: Play | None = None) -> list[Any]:
    """That all scenarios pass; gives their results.  Raises :class:`ValidationFailed` with what is wrong, by scenario."""
    without = play is None or not scenario_files(planned.merged)
    results = run_scenarios(desk, planned.merged) if without else play(desk, planned.merged)
    failed = [each for each in results if not each.ok]
    if failed:
        why = T("The scenario “%(title)s” fails: %(why)s", title=str(failed[0].title), why=next(iter(failed[0].problems), ""))
        raise ValidationFailed(
            "%(count)d scenario(s) fail. All must pass before publishing. %(first)s", count=len(failed), first=why,
            errors={str(each.title): list(each.problems) for each in failed},
        )  # fmt: skip
    return results


def require_compared(planned: Plan, compared: Collection[Part]) -> None:
    """That the designer has looked at everything newer than the draft.  Raises :class:`Conflict` with who and when."""
    first = next((each for each in planned.overtaken if each.part not in set(compared)), None)
    if first is not None:
        raise Conflict(
            "“%(name)s” was changed since this draft was begun: version %(version)d is in use. Compare, then confirm.",
            name=first.name or first.id, version=first.current, by=first.by, at=first.at,
        )  # fmt: skip


def blocking(problems: Iterable[Problem]) -> int:
    """How many of the findings refuse a publication."""
    return sum(1 for each in problems if each.severity == "error")
