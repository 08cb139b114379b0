"""The ladders as people edit them: checked, deployed as a new version of their file, compared, and shown on a real case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from engine.deadlines import Ladder, Rung, rung_times
from engine.deadlines.ladder import order_refusals, refusals_of, rung_of_row
from engine.deadlines.sheettext import ladder_bodies, with_ladder
from engine.errors import NotFound, ValidationFailed
from engine.runtime.limits import clocks
from engine.runtime.limits.clocks import ClockState
from engine.runtime.limits.rulebook import ID_PATTERN, Change, Errors, differences, publish, require_editor, sheet, versions_of
from engine.runtime.limits.rung_actions import consequences
from engine.runtime.telling.recipients import Missing, Recipients, open_tasks
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

MOST_RUNGS = 20
RUNG_FIELDS = ("when", "level", "light", "recipients", "channel", "actions", "unless", "text")

FIRED, PASSED, NEXT, COMING, ASLEEP = "fired", "passed", "next", "coming", "asleep"
STATE_WORDS: dict[str, Words] = {
    FIRED: T("fired"), PASSED: T("its moment had passed before it was added"), NEXT: T("next"), COMING: T("still to come"), ASLEEP: T("asleep"),
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One rung on one real clock: when it fires or fired, in which state, who hears it, which roles have nobody, what happens besides."""

    rung: Rung
    at: datetime | None
    state: str
    people: Sequence[Mapping[str, str]]
    missing: Sequence[Missing]
    effects: Sequence[Words] = ()


@dataclass(frozen=True)
class Shown:
    """A ladder on one running clock of a case."""

    clock: Any
    state: ClockState
    steps: tuple[Step, ...]


def check_ladder(ladder_id: str, body: Mapping[str, Any]) -> Errors:
    """What is wrong with a ladder that shall be written: by ``id``, ``label``, ``rungs`` and ``rungs.N`` (counted from 0)."""
    errors: Errors = {}
    if not ID_PATTERN.fullmatch(ladder_id) or len(ladder_id) > 60:
        errors["id"] = [T("An id is letters, digits and underscores in parts with dots between, such as “gk.reply”.")]
    if not str(body.get("label") or "").strip() or len(body["label"]) > 100:
        errors["label"] = [T("Give the ladder a name of at most 100 characters.")]
    rows = body.get("rungs") or []
    if not rows or len(rows) > MOST_RUNGS:
        errors["rungs"] = [T("A ladder has 1 to %(most)d rungs.", most=MOST_RUNGS)]
    seen: set[str] = set()
    for index, row in enumerate(rows):
        refusals = refusals_of(row)
        if row.get("id") in seen:
            refusals.append(T("its id stands twice in the ladder."))
        seen.add(row.get("id"))
        if not str(row.get("text") or "").strip():
            refusals.append(T("it says nothing: write what people are told."))
        elif len(row["text"]) > 200:
            refusals.append(T("its text is longer than 200 characters."))
        if refusals:
            errors[f"rungs.{index}"] = refusals
    if not errors:
        misplaced = order_refusals(ladder_of(ladder_id, body))
        errors |= {f"rungs.{index}": misplaced[row["id"]] for index, row in enumerate(rows) if row["id"] in misplaced}
    return errors


def ladder_of(ladder_id: str, body: Mapping[str, Any]) -> Ladder:
    """The ladder that a body says, leaving out rungs that cannot be read."""
    return Ladder(ladder_id, tuple(rung_of_row(row) for row in body["rungs"] if not refusals_of(row)), str(body.get("label") or ""))


def body_of(desk: Desk, conn: Connection, ladder_id: str) -> tuple[int, dict[str, Any]]:
    """The version of the sheet and the ladder as it is written there.  Raises :class:`NotFound`."""
    current = sheet(desk, "ladders", conn)
    bodies = ladder_bodies(current.text)
    if ladder_id not in bodies:
        raise NotFound("There is no ladder “%(id)s”.", id=ladder_id)
    return current.version, bodies[ladder_id]


def save_ladder(
    desk: Desk, ladder_id: str, body: Mapping[str, Any], *, new: bool, reason: str, based_on: int, by: str, address: str | None = None
) -> int:
    """Write a ladder into its sheet and deploy it; returns the new version of the sheet.

    Running clocks climb the new ladder from now on: their next rung is worked out anew, and a rung whose moment had passed before it
    was added does not fire for them.  Raises as :func:`engine.runtime.limits.rulebook.save_rule` does.
    """
    require_editor(desk, by, f"ladders:{ladder_id}", address)
    current = sheet(desk, "ladders")
    errors = check_ladder(ladder_id, body)
    known = ladder_bodies(current.text)
    if new and ladder_id in known:
        errors.setdefault("id", []).append(T("There is a ladder “%(id)s” already.", id=ladder_id))
    if not new and ladder_id not in known:
        raise NotFound("There is no ladder “%(id)s”.", id=ladder_id)
    if not reason.strip():
        errors["reason"] = [T("Every change needs a reason.")]
    if errors:
        raise ValidationFailed("The ladder cannot be saved like this.", errors=errors)
    return publish(desk, current, with_ladder(current.text, ladder_id, body), reason, based_on, by, address)


def ladder_history(desk: Desk, conn: Connection, ladder_id: str) -> list[tuple[Change, dict[str, list[tuple[str, Any, Any]]]]]:
    """What was changed about a ladder, the latest first: the version, and per rung id the fields with old and new values.

    A rung that came has ``("", None, text)``, one that went ``("", text, None)``; the order of rungs stands under ``""``.
    """
    found = []
    before: Ladder | None = None
    for definition, by, reason in versions_of(desk, conn, "ladders"):
        ladder = definition.model.get(ladder_id)
        if ladder != before:
            changes = compare(before, ladder)
            found.append((Change(definition.version, definition.deployed_at, by, reason, None, (), before is None), changes))
        before = ladder
    return found[::-1]


def compare(old: Ladder | None, new: Ladder | None) -> dict[str, list[tuple[str, Any, Any]]]:
    """Per rung id what is different; see :func:`ladder_history`."""
    olds = {rung.id: rung for rung in old.rungs} if old else {}
    news = {rung.id: rung for rung in new.rungs} if new else {}
    changes: dict[str, list[tuple[str, Any, Any]]] = {}
    for id, rung in news.items():
        fields = differences(olds[id], rung, RUNG_FIELDS) if id in olds else [("", None, rung.text or id)]
        if fields:
            changes[id] = fields
    changes |= {id: [("", rung.text or id, None)] for id, rung in olds.items() if id not in news}
    kept, now = [id for id in olds if id in news], [id for id in news if id in olds]
    if kept != now:
        changes[""] = [("order", kept, now)]
    return changes


def shown_on_case(desk: Desk, conn: Connection, case: Any, ladder: Ladder) -> list[Shown]:
    """What ``ladder`` does on each running clock of a case that climbs it: fired, next and to come, with names.

    A draft of a ladder may be asked about too.  A clock that climbs another ladder is left out.
    """
    rows = conn.execute(
        select(tables.clock)
        .where(tables.clock.c.case_key == case.key, tables.clock.c.state != clocks.STOPPED)
        .order_by(tables.clock.c.due_at)
    )
    tasks, directory, book = open_tasks(conn, case.key), desk.people.directory(conn), desk.book(conn)
    firing = tables.rung_firing.c
    fired = {(row.clock_key, row.rung): row for row in conn.execute(select(tables.rung_firing).where(firing.case_key == case.key))}
    found = []
    for row in rows.mappings():
        climbs = row["ladder_id"] if row["ladder_id"] in book.ladders else "standard"
        if climbs != ladder.id:
            continue
        state = ClockState.of_row(row)
        recipients = Recipients(directory, case, tasks, state.key)
        times = rung_times(state.clock, ladder, desk.engine.calendar)
        steps: list[Step] = []
        for rung, at in times or [(rung, None) for rung in ladder.rungs]:
            done = fired.get((state.key, rung.id))
            if done is not None:
                steps.append(Step(rung, done.fired_at, FIRED, done.recipients, ()))
                continue
            told = recipients.of(rung)
            word = ASLEEP if at is None else PASSED if rung.id in state.fired else COMING
            if word == COMING and not any(each.state == NEXT for each in steps):
                word = NEXT
            steps.append(Step(rung, at, word, told.people, told.missing, consequences(directory, recipients, rung)))
        found.append(Shown(row, state, tuple(steps)))
    return found
