"""Conditions that read the clock, looked at once a day: time passes without anybody acting.

A conditional event is asked whenever its instance moves.  One whose condition reads ``now()`` or ``today()`` may become true by the date
alone, so after each midnight of the office the instances that have such an event in their model are looked at once.  That is a day's
resolution on purpose: what has to happen at a certain hour is a timer.

Looking twice does nothing twice, because an instance remembers which of its conditions were true; so two nodes may look at the same
slice.  How far the day's look has come is kept in a setting and moved on after a slice, so a killed node loses nothing.
"""

from __future__ import annotations

import logging
import re
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from engine.bpmn.validation import nodes
from engine.errors import NotFound
from engine.runtime.instances import wake
from engine.store import tables
from engine.store.types import DIALECT_INSERTS

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

log = logging.getLogger(__name__)

CLOCK_READERS = re.compile(r"(?<![\w.])(?:now|today|extendable)\s*\(")
"""Calls of functions whose answer changes by the time alone.  Read from the text, because built-in functions are no free names of an
expression; one that stands in a string costs a look too many."""
SLICE = 100
"""Instances looked at in one round of the acquirer, so that other due work is not kept waiting."""
LOOKED = "conditions.looked"
"""The setting that says how far the look of a day is: office ``day``, ``after`` which instance key, whether it is ``done``."""
_INSTANCE, _SETTING = tables.instance, tables.setting


def run(desk: Desk) -> int:
    """Look at a slice of the instances if today's look is not done; returns how many were looked at.  Costs nothing once it is."""
    today = desk.engine.calendar.local(desk.engine.clock()).date()
    if desk.looked_on is not None and desk.looked_on >= today:
        return 0
    with desk.engine.reading() as conn:
        after = _progress(conn, today)
        keys = [] if after is None else _waiting(desk, conn, after)
    if after is None:
        desk.looked_on = today
        return 0
    for key in keys:
        _look(desk, key)
    _remember(desk, today, keys[-1] if keys else after, done=len(keys) < SLICE)
    if len(keys) < SLICE:
        desk.looked_on = today
    return len(keys)


def _progress(conn: Connection, today: date) -> int | None:
    """The key after which today's look goes on; ``None`` when it is done."""
    stored = conn.execute(select(_SETTING.c.value).where(_SETTING.c.name == LOOKED)).scalar_one_or_none()
    if stored is None or date.fromisoformat(stored["day"]) < today:
        return 0
    # A day that is later than today: the clock was set back, and that day has been looked at.
    return None if stored["done"] or date.fromisoformat(stored["day"]) > today else stored["after"]


def _waiting(desk: Desk, conn: Connection, after: int) -> list[int]:
    """The next active instances whose model has a condition that reads the clock."""
    active = _INSTANCE.c.state == "ACTIVE"
    used = conn.execute(select(_INSTANCE.c.definition_key).where(active).distinct()).scalars().all()
    reading = [key for key in used if reads_clock(desk.engine.catalogue.get(key, conn).model)]
    if not reading:
        return []
    chosen = select(_INSTANCE.c.key).where(active, _INSTANCE.c.definition_key.in_(reading), _INSTANCE.c.key > after)
    return list(conn.execute(chosen.order_by(_INSTANCE.c.key).limit(SLICE)).scalars())


def reads_clock(model: Any) -> bool:
    """Whether a process has a conditional event whose condition reads the clock."""
    if not model.has_conditions:
        return False
    found = (its.condition for node in nodes(model) for its in getattr(node, "definitions", ()) if its.kind == "conditional")
    return any(each is not None and CLOCK_READERS.search(each.text) is not None for each in found)


def _look(desk: Desk, key: int) -> None:
    """Let one instance ask its conditions, in a transaction of its own.  Who is working on it just now asks them too."""

    def work(unit: Any) -> None:
        live = unit.load(key, skip_locked=True)
        if live is not None:
            wake(unit, live)

    try:
        desk.engine.command(work, by=None)
    except NotFound:
        log.info("instance %s ended before its conditions were looked at", key)
    except Exception as error:  # whatever is wrong with it must not hold up the others
        log.exception("the conditions of instance %s could not be looked at", key)
        with desk.engine.transaction() as tx:
            tx.audit("condition.failed", f"instance:{key}", reason=str(error)[:500])


def _remember(desk: Desk, today: date, after: int, *, done: bool) -> None:
    """Move the day's look on; another node may have come farther."""
    value = {"day": today.isoformat(), "after": after, "done": done}
    with desk.engine.transaction() as tx:
        first = DIALECT_INSERTS[tx.conn.dialect.name](_SETTING).values(name=LOOKED, value={"day": date.min.isoformat(), "after": 0, "done": True})
        tx.execute(first.on_conflict_do_nothing())
        stored = tx.execute(select(_SETTING.c.value).where(_SETTING.c.name == LOOKED).with_for_update()).scalar_one()
        if (stored["day"], stored["done"], stored["after"]) < (value["day"], value["done"], value["after"]):
            tx.execute(update(_SETTING).where(_SETTING.c.name == LOOKED).values(value=value))
