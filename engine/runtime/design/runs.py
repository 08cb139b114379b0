"""Runs of all scenarios of a draft in the background: asked for, watched, cancelled, and kept for whoever publishes the draft.

A run is a row; a thread of some node plays it (:mod:`engine.runtime.design.running`).  What came out stands in the row with a sum of
everything it depends on, so it may be used for exactly as long as playing it again would come to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from engine.errors import InvalidState, NotFound, ValidationFailed
from engine.runtime.design import drafts, plans
from engine.runtime.design.scenarios import ScenarioResult, scenario_files
from engine.runtime.telling.notices import packed, unpacked, unpacked_or_none
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

QUEUED, RUNNING, DONE, CANCELED, BROKEN = "QUEUED", "RUNNING", "DONE", "CANCELED", "BROKEN"
OPEN = (QUEUED, RUNNING)
STATES: dict[str, Words] = {
    QUEUED: T("waiting for its turn"), RUNNING: T("running"), DONE: T("ended"), CANCELED: T("cancelled"), BROKEN: T("broken off"),
}  # fmt: skip
KEPT = 4
"""Ended runs of a draft that are kept besides the present one."""
_RUN = tables.design_run


@dataclass(frozen=True)
class Outcome:
    """What became of that which was to follow a run: ``submission`` when it was done, else ``message`` and ``errors`` by field."""

    submission: int | None
    message: Words | None
    errors: Mapping[str, list[Words]]

    @property
    def ok(self) -> bool:
        return self.submission is not None

    def packed(self) -> dict[str, Any]:
        """As its column holds it."""
        errors = {name: [packed(words) for words in listed] for name, listed in self.errors.items()}
        return {"submission": self.submission, "message": packed(self.message) if self.message else None, "errors": errors}


@dataclass(frozen=True)
class ScenarioRun:
    """One run; see the table for the columns.  ``present`` is the title of the scenario that is being played."""

    key: int
    draft_key: int
    revision: int
    state: str
    total: int
    done: int
    failed: int
    present: str
    results: tuple[ScenarioResult, ...]
    content_sum: str | None
    following: Mapping[str, Any] | None
    outcome: Outcome | None
    asked_by: str
    asked_at: datetime
    address: str | None
    attempts: int
    ended_at: datetime | None

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def word(self) -> Words:
        """Its state, for people."""
        return STATES[self.state]

    @property
    def act(self) -> str:
        """What follows it: ``submit``, ``approve``, ``publish`` or nothing."""
        return (self.following or {}).get("act", "")


def kept_result(result: ScenarioResult) -> dict[str, Any]:
    """A result as the row holds it."""
    return {
        "name": result.name, "title": str(result.title), "ok": result.ok, "problems": [packed(words) for words in result.problems],
        "visited": sorted(result.visited), "flows": sorted(result.flows), "seconds": round(result.seconds, 2),
    }  # fmt: skip


def _result(kept: Mapping[str, Any]) -> ScenarioResult:
    problems = [unpacked(each["msgid"], each.get("params")) for each in kept["problems"]]
    return ScenarioResult(kept["name"], kept["title"], kept["ok"], problems, set(kept["visited"]), set(kept["flows"]), kept["seconds"])


def _outcome(kept: Mapping[str, Any] | None) -> Outcome | None:
    if not kept:
        return None
    errors = {name: [unpacked(each["msgid"], each.get("params")) for each in listed] for name, listed in kept["errors"].items()}
    return Outcome(kept["submission"], unpacked_or_none(kept["message"]), errors)


def _run(row: Mapping[str, Any]) -> ScenarioRun:
    values = {name: row[name] for name in ScenarioRun.__dataclass_fields__}
    return ScenarioRun(**{**values, "results": tuple(map(_result, row["results"])), "outcome": _outcome(row["outcome"])})


# --- reading ----------------------------------------------------------------------------------------------------------


def get(desk: Desk, conn: Connection, key: int, login: str) -> ScenarioRun:
    """One run.  Raises :class:`NotFound` for people who are neither designers nor administrators."""
    drafts.require_reader(desk, conn, f"run:{key}", login)
    row = conn.execute(select(_RUN).where(_RUN.c.key == key)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no such run. Runs of long ago are not kept.")
    return _run(row)


def open_run(conn: Connection, draft_key: int) -> ScenarioRun | None:
    """The run of a draft that has not ended."""
    row = conn.execute(select(_RUN).where(_RUN.c.open_draft == str(draft_key))).mappings().one_or_none()
    return None if row is None else _run(row)


def before_it(conn: Connection, run: ScenarioRun) -> int:
    """How many runs were asked for earlier and have not ended."""
    chosen = select(func.count()).where(_RUN.c.state.in_(OPEN), _RUN.c.key < run.key)
    return conn.execute(chosen).scalar_one()


def latest(conn: Connection, draft_key: int) -> ScenarioRun | None:
    """The last run of a draft that was played to its end, whatever has changed since."""
    chosen = select(_RUN).where(_RUN.c.draft_key == draft_key, _RUN.c.state == DONE).order_by(_RUN.c.key.desc()).limit(1)
    row = conn.execute(chosen).mappings().one_or_none()
    return None if row is None else _run(row)


def kept(desk: Desk, conn: Connection, draft_key: int, files: Mapping[str, str]) -> ScenarioRun | None:
    """The last run of a draft that would go the same way now: same files, same rules, organisation, calendar and program."""
    found = latest(conn, draft_key)
    return found if found is not None and found.content_sum == current_sum(desk, conn, files) else None


def current_sum(desk: Desk, conn: Connection, files: Mapping[str, str]) -> str:
    """The sum of all that a run of ``files`` depends on now."""
    # Imported here: a sandbox is an engine of its own, and engines import this module.
    from engine.runtime.design.sandbox import content_sum

    return content_sum(desk, conn, files)


# --- asking and cancelling --------------------------------------------------------------------------------------------


def start(
    desk: Desk, draft_key: int, *, following: Mapping[str, Any] | None = None, by: str, address: str | None = None
) -> ScenarioRun:
    """Ask for a run of all scenarios of a draft, with what is in use where the draft is silent; gives it, or the one that is open.

    ``following`` is what the node does with the results (:data:`engine.runtime.design.following.ACTS`).  A run of an earlier revision
    gives way.  Raises :class:`ValidationFailed` for a draft without scenarios, :class:`InvalidState` when something else is to follow
    the run that is open, :class:`NotFound` for people who are neither designers nor administrators.
    """
    with desk.engine.reading() as conn:
        draft = drafts.get(desk, conn, draft_key, by)
        total = len(scenario_files(plans.plan(desk, conn, draft).merged))
    if not total:
        raise ValidationFailed(T("This draft has no scenario. Try it, then keep the run as a scenario."))
    row = {
        "key": new_key(), "draft_key": draft_key, "open_draft": str(draft_key), "revision": draft.revision, "state": QUEUED, "total": total,
        "done": 0, "failed": 0, "present": "", "results": [], "content_sum": None, "following": dict(following) if following else None,
        "outcome": None, "asked_by": by, "address": address, "node": None, "attempts": 0, "seen_at": None, "ended_at": None,
    }  # fmt: skip
    try:
        with desk.audited(by, address) as tx:
            found = tx.execute(select(_RUN).where(_RUN.c.open_draft == str(draft_key)).with_for_update()).mappings().one_or_none()
            if found is not None and not _gives_way(found, draft.revision):
                _join(tx, found, following, by, address)
                key = found["key"]
            else:
                if found is not None:
                    _close(tx, found["key"], CANCELED)
                _forget_old(tx, draft_key)
                tx.execute(insert(_RUN).values(**row, asked_at=tx.now))
                tx.audit("design.run", f"design:{draft_key}", run=row["key"], scenarios=total, following=(following or {}).get("act"))
                key = row["key"]
    except IntegrityError:
        # Somebody else asked at the same moment: theirs is the one.
        return start(desk, draft_key, following=following, by=by, address=address)
    desk.scenario_runs.wake()
    with desk.engine.reading() as conn:
        return get(desk, conn, key, by)


def _gives_way(row: Mapping[str, Any], revision: int) -> bool:
    return row["revision"] != revision and (row["following"] or {}).get("act") != "publish"


def _join(tx: Any, row: Mapping[str, Any], following: Mapping[str, Any] | None, by: str, address: str | None) -> None:
    """Let ``following`` follow a run that is open already."""
    there = row["following"]
    if not following or there == following:
        return
    if there:
        raise InvalidState("The scenarios of this draft are being played already, and something else follows. Wait until they have ended.")
    tx.execute(update(_RUN).where(_RUN.c.key == row["key"]).values(following=dict(following), asked_by=by, address=address))


def _forget_old(tx: Any, draft_key: int) -> None:
    ended = select(_RUN.c.key).where(_RUN.c.draft_key == draft_key, _RUN.c.open_draft.is_(None)).order_by(_RUN.c.key.desc()).offset(KEPT - 1)
    old = list(tx.execute(ended.limit(100)).scalars())
    if old:
        tx.execute(delete(_RUN).where(_RUN.c.key.in_(old)))


def _close(tx: Any, key: int, state: str) -> bool:
    ended = {"state": state, "open_draft": None, "ended_at": tx.now, "present": ""}
    return tx.execute(update(_RUN).where(_RUN.c.key == key, _RUN.c.state.in_(OPEN)).values(**ended)).rowcount == 1


def cancel(desk: Desk, key: int, *, by: str, address: str | None = None) -> ScenarioRun:
    """Stop a run; what was to follow it does not happen.  Raises :class:`InvalidState` when it has ended or is that of the day."""
    with desk.audited(by, address) as tx:
        found = get(desk, tx.conn, key, by)
        if found.act == "publish":
            raise InvalidState("This run belongs to a publication whose day has come. Withdraw the submission instead.")
        if not _close(tx, key, CANCELED):
            raise InvalidState("This run has already ended (%(state)s).", state=found.word)
        tx.audit("design.run_cancel", f"design:{found.draft_key}", run=key)
    with desk.engine.reading() as conn:
        return get(desk, conn, key, by)
