"""Letting every running clock climb a ladder that was changed, in a batch (:mod:`engine.runtime.limits.batches`).

The deployment lists the clocks (:func:`begin`, in its own transaction, one statement whatever their number).  A rung that was not on the ladder before and whose moment had passed when the ladder was changed does not fire for
a clock that ran then: a new version reaches forward, not back.  So a clock that falls due before its turn is brought to the ladder
first (:func:`bring_first`), by whoever fires it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, insert, literal, or_, select, update

from engine.deadlines import Ladder, rung_times
from engine.runtime.casework.book import DEFAULT_LADDER
from engine.runtime.limits.batches import FAILED, MOOT, MOVED, OPEN, SAME, Batches, Counted, said
from engine.runtime.limits.clocks import RUNNING, ClockState, derived_columns
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

log = logging.getLogger(__name__)

STATE_WORDS: dict[str, Words] = {
    OPEN: T("to be done"), SAME: T("unchanged"), MOVED: T("next rung moved"), MOOT: T("limit has ended"), FAILED: T("failed"),
}  # fmt: skip
_CHANGE, _ITEM, _CLOCK = tables.ladder_change, tables.ladder_change_item, tables.clock
_BATCHES = Batches(_CHANGE, _ITEM, "change_key", "ladders.climbed")


@dataclass(frozen=True)
class Progress(Counted):
    """A change of the ladders and how far the running clocks have followed it; ``counts`` is by state of the items."""

    key: int
    version: int
    ladders: tuple[str, ...]
    state: str
    created_at: datetime
    created_by: str | None
    ended_at: datetime | None
    counts: Mapping[str, int]


def touched(before: Mapping[str, Ladder], after: Mapping[str, Ladder]) -> list[str]:
    """The ids of the ladders that differ."""
    return sorted(id for id in {*before, *after} if before.get(id) != after.get(id))


def begin(tx: Any, definition_id: str, version: int, before: Mapping[str, Ladder], after: Mapping[str, Ladder]) -> int | None:
    """List the running clocks that climb a ladder of ``after`` that was another one ``before``; gives the key of the batch.

    ``None`` when nothing differs.  Part of the transaction that deploys the ladders, so that neither can happen without the other.
    """
    changed = touched(before, after)
    if not changed:
        return None
    key = new_key()
    tx.execute(
        insert(_CHANGE).values(
            key=key, definition_id=definition_id, version=version, ladders=changed, state="RUNNING", created_at=tx.now, created_by=tx.by, ended_at=None
        )
    )
    climbs = _CLOCK.c.ladder_id.in_(changed)
    if DEFAULT_LADDER in changed:  # a clock whose ladder is not there climbs the standard one
        climbs = or_(climbs, _CLOCK.c.ladder_id.not_in(list(after)))
    listed = select(literal(key), _CLOCK.c.key, literal(OPEN)).where(_CLOCK.c.state == RUNNING, climbs)
    tx.execute(insert(_ITEM).from_select(["change_key", "clock_key", "state"], listed))
    return key


def run(desk: Desk, limit: int | None = None) -> int:
    """Bring a round of clocks to the ladders in force; gives how many this node did."""
    with desk.engine.reading() as conn:
        change = _BATCHES.running(conn)
    if change is None:
        return 0
    done, left = _BATCHES.work_off(limit, lambda most: _slice(desk, change, most))
    if left:
        _BATCHES.settle(desk, change["key"])
    return done


def _slice(desk: Desk, change: Mapping[str, Any], limit: int) -> int:
    """Bring some listed clocks to their ladder in one transaction.  What somebody else is working on stays on the list."""
    instance = tables.instance
    with desk.engine.transaction(by=change["created_by"]) as tx:
        chosen = _BATCHES.listed(change["key"], _ITEM.c.clock_key)
        keys = list(tx.execute(chosen.limit(limit).with_for_update(skip_locked=True)).scalars())
        if not keys:
            return 0
        # Commands lock the instance before its clocks and write whole ledgers, so the instance has to be held here too.
        owners = select(_CLOCK.c.instance_key).where(_CLOCK.c.key.in_(keys))
        held = set(tx.execute(select(instance.c.key).where(instance.c.key.in_(owners)).order_by(instance.c.key).with_for_update(skip_locked=True)).scalars())
        found = select(_CLOCK).where(_CLOCK.c.key.in_(keys)).order_by(_CLOCK.c.key)
        known = {row["key"]: row["instance_key"] for row in tx.execute(found.with_only_columns(_CLOCK.c.key, _CLOCK.c.instance_key)).mappings()}
        free = [key for key in keys if known.get(key) is None or known[key] in held]
        rows = {row["key"]: row for row in tx.execute(found.where(_CLOCK.c.key.in_(free)).with_for_update(skip_locked=True)).mappings()}
        results = []
        for key in free:
            if key in rows:
                results.append({"clock_": key, **_climbed(desk, tx, rows[key], change)})
            elif key not in known:
                results.append({"clock_": key, "state_": MOOT, "message_": None})
        _mark(tx, change["key"], results)
    return len(results)


def _climbed(desk: Desk, tx: Any, row: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Bring one locked clock to its ladder and write it; what became of its item."""
    if row["state"] != RUNNING:
        return {"state_": MOOT, "message_": None}
    try:
        state = ClockState.of_row(row)
        bring(desk, tx.conn, state, change)
        ladder = desk.book(tx.conn).ladder(row["ladder_id"])
        derived = derived_columns(state.clock, ladder, state.fired, desk.engine.calendar)
    except Exception as mistake:
        log.exception("ladder change %s, clock %s", change["key"], row["key"])
        return {"state_": FAILED, "message_": said(mistake)}
    ledger = dict(row["ledger"], fired=state.fired)
    if ledger == row["ledger"] and all(derived[name] == row[name] for name in ("next_rung", "next_rung_at")):
        return {"state_": SAME, "message_": None}
    values = {"ledger": ledger, "next_rung": derived["next_rung"], "next_rung_at": derived["next_rung_at"]}
    tx.execute(update(_CLOCK).where(_CLOCK.c.key == row["key"]).values(**values))
    return {"state_": MOVED, "message_": None}


def bring(desk: Desk, conn: Connection, state: ClockState, change: Mapping[str, Any]) -> None:
    """Note in ``state.fired`` the rungs that ``change`` added and whose moment had passed by then."""
    catalogue = desk.engine.catalogue
    now = catalogue.find("ladders", change["definition_id"], conn=conn)
    if now is None or now.version < change["version"]:  # this node has not heard of the change yet
        catalogue.forget()
    earlier = catalogue.find("ladders", change["definition_id"], change["version"] - 1, conn=conn)
    before: Mapping[str, Ladder] = earlier.model if earlier else {}
    ladder_id = state.row["ladder_id"]
    ladder, old = desk.book(conn).ladder(ladder_id), before.get(ladder_id) or before.get(DEFAULT_LADDER)
    if ladder is None or old is None:
        return
    times = rung_times(state.clock, ladder, desk.engine.calendar)
    state.fired += [
        rung.id for rung, at in times if at <= change["created_at"] and rung.id not in state.fired and old.rung(rung.id) is None
    ]


def bring_first(desk: Desk, tx: Any, states: Collection[ClockState]) -> list[ClockState]:
    """Of clocks that are locked and about to fire, those that may: the ones still listed are brought to their ladder here.

    A clock that another node is bringing to its ladder just now is left out.
    """
    keys = [state.key for state in states]
    listed = select(_ITEM.c.change_key, _ITEM.c.clock_key).where(_ITEM.c.clock_key.in_(keys), _ITEM.c.state == OPEN)
    waiting = tx.execute(listed).all()
    if not waiting:
        return list(states)
    held = {tuple(row) for row in tx.execute(listed.with_for_update(skip_locked=True))}
    busy = {row.clock_key for row in waiting if tuple(row) not in held}
    changes = {
        row["key"]: row
        for row in tx.execute(select(_CHANGE).where(_CHANGE.c.key.in_({row.change_key for row in waiting})).order_by(_CHANGE.c.key)).mappings()
    }
    free = [state for state in states if state.key not in busy]
    for state in free:
        for change_key, change in changes.items():
            if (change_key, state.key) in held:
                bring(desk, tx.conn, state, change)
                _mark(tx, change_key, [{"clock_": state.key, "state_": MOVED, "message_": None}])
    return free


def _mark(tx: Any, change_key: int, results: list[dict[str, Any]]) -> None:
    """Write what became of items; those that became the same are written by one statement."""
    alike: dict[tuple[str, str | None], list[int]] = {}
    for each in results:
        alike.setdefault((each["state_"], each["message_"]), []).append(each["clock_"])
    for (state, message), keys in alike.items():
        marked = update(_ITEM).where(_ITEM.c.change_key == change_key, _ITEM.c.clock_key.in_(keys))
        tx.execute(marked.values(state=state, message=message))


# --- reading -------------------------------------------------------------------------------------------------------------------


def find(conn: Connection, ladder_id: str | None = None, limit: int = 5) -> list[Progress]:
    """The latest changes, the newest first; of one ladder only, when it is named."""
    rows = conn.execute(select(_CHANGE).order_by(_CHANGE.c.key.desc()).limit(50)).all()
    chosen = [row for row in rows if ladder_id is None or ladder_id in row.ladders][:limit]
    counts = _BATCHES.counts(conn, [row.key for row in chosen])
    return [
        Progress(row.key, row.version, tuple(row.ladders), row.state, row.created_at, row.created_by, row.ended_at, counts[row.key])
        for row in chosen
    ]


def failed(conn: Connection, keys: Collection[int], limit: int = 20) -> list[Row]:
    """Clocks that could not be brought to their ladder: key of the change, case number, label of the limit, why."""
    case = tables.case_file
    joined = _ITEM.outerjoin(_CLOCK, _CLOCK.c.key == _ITEM.c.clock_key).outerjoin(case, case.c.key == _CLOCK.c.case_key)
    chosen = select(_ITEM.c.change_key, _ITEM.c.message, _CLOCK.c.label, case.c.case_no).select_from(joined)
    return list(conn.execute(chosen.where(_ITEM.c.change_key.in_(list(keys)), _ITEM.c.state == FAILED).order_by(_ITEM.c.clock_key).limit(limit)))
