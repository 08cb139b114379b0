"""Due timers: found by a query, claimed by a unique insert, fired exactly once (design.md §1.5); messages that still have to meet
their receivers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, and_, delete, exists, func, or_, select, update

from engine.bpmn.timers import next_due
from engine.runtime.transaction import Transaction
from engine.runtime.unit import Stale, Unit
from engine.store import tables
from engine.store.types import DIALECT_INSERTS

if TYPE_CHECKING:
    from engine.runtime.engine import Engine

BATCH = 200
"""Due rows read at a time; each is fired in a transaction of its own, so a failure stops one case only."""



def claim(tx: Transaction, kind: str, row_key: int, occurrence: str) -> bool:
    """Claim one firing by a unique insert; ``False`` when another node has it."""
    statement = DIALECT_INSERTS[tx.conn.dialect.name](tables.firing).values(
        kind=kind, row_key=row_key, occurrence=occurrence, fired_at=tx.now, node=tx.node
    )
    # Not by the row count: of an INSERT, the PostgreSQL driver's is not kept.
    return tx.execute(statement.on_conflict_do_nothing().returning(tables.firing.c.row_key)).first() is not None


def run_due_timers(engine: Engine, limit: int | None) -> int:
    """Fire timers due at the engine's clock, oldest first; gives how many were fired.

    A timer that another node is working on is left to it.  A timer that fails is tried once more at the next call, after the
    others.
    """
    fired, skipped = 0, set()
    while limit is None or fired < limit:
        with engine.reading() as conn:
            due = _due(conn, engine.clock(), skipped)
        if not due:
            return fired
        for key in due:
            if limit is not None and fired >= limit:
                return fired
            if _fire(engine, key):
                fired += 1
            else:
                skipped.add(key)
    return fired


def _due(conn: Connection, now: datetime, skipped: set[int]) -> list[int]:
    timer, instance, definition = tables.timer, tables.instance, tables.definition
    statement = (
        select(timer.c.key)
        .outerjoin(instance, instance.c.key == timer.c.instance_key)
        .outerjoin(definition, definition.c.key == timer.c.definition_key)
        # What is held waits: a suspended instance, a suspended definition's start timer.
        .where(timer.c.due_at <= now, or_(instance.c.key.is_(None), instance.c.state == "ACTIVE"), definition.c.suspended_at.is_(None))
        .order_by(timer.c.due_at, timer.c.key)
        .limit(BATCH + len(skipped))
    )
    return [key for key in conn.execute(statement).scalars() if key not in skipped]


def _fire(engine: Engine, key: int) -> bool:
    try:
        return engine.command(lambda unit: _fire_in(engine, unit, key), by=None)
    except Stale:
        return False


def _fire_in(engine: Engine, unit: Unit, key: int) -> bool:
    timer, tx = tables.timer, unit.tx
    row = tx.execute(select(timer).where(timer.c.key == key, timer.c.due_at <= tx.now)).mappings().one_or_none()
    if row is None:
        return False
    if row["instance_key"] is None:
        engine.catalogue.refresh(tx.conn)
        definition = engine.catalogue.get(row["definition_key"], conn=tx.conn)
        if definition.suspended_at is not None:
            return False
        if not claim(tx, "timer", key, str(row["occurrence"])):
            return False
        _advance(tx, row)
        unit.start(definition, {}, start_event=row["element_id"])
        return True
    live = unit.load(row["instance_key"], skip_locked=True)
    if live is None or live.row["state"] != "ACTIVE" or not claim(tx, "timer", key, str(row["occurrence"])):
        return False
    token = live.execution.token(row["token"])
    if token is None:
        tx.execute(delete(timer).where(timer.c.key == key))
        return False
    _advance(tx, row)
    return unit.fire(live, token, row["element_id"], {}, "timer")


def _advance(tx: Transaction, row: Any) -> None:
    """Remove a timer that has fired for the last time; move a cycle to its next instant."""
    timer = tables.timer
    following = None
    if row["every"] and row["repeats"] != 0:
        following = next_due(row["every"], row["due_at"])
    if following is None:
        tx.execute(delete(timer).where(timer.c.key == row["key"]))
        return
    left = row["repeats"] - 1 if row["repeats"] > 0 else row["repeats"]
    tx.execute(update(timer).where(timer.c.key == row["key"]).values(due_at=following, occurrence=row["occurrence"] + 1, repeats=left))


def deliver_kept_messages(engine: Engine, limit: int | None) -> int:
    """Hand kept messages to instances that wait for them; gives how many were handed out.

    A message is kept when nobody waits, and a subscription that opens looks for kept messages; when both happen in two
    transactions at once, neither sees the other.  The same holds for an instance that was suspended when the message came.
    """
    with engine.reading() as conn:
        keys = conn.execute(_kept(engine.clock()).limit(BATCH if limit is None else min(BATCH, limit))).scalars().all()
    return sum(engine.command(lambda unit, key=key: _deliver_in(unit, key), by=None) for key in keys)


def _kept(now: datetime) -> Select[tuple[int]]:
    message, subscription, instance = tables.message, tables.subscription, tables.instance
    definition, claim = tables.definition, tables.message_start
    named = and_(subscription.c.kind == "message", subscription.c.name == message.c.name)
    waits = exists().where(
        named,
        or_(subscription.c.correlation_key == message.c.correlation_key, subscription.c.correlation_key == ""),
        instance.c.key == subscription.c.instance_key,
        instance.c.state == "ACTIVE",
    )
    # A message that could start nothing because an instance with its key was running; that one has ended meanwhile.
    starts = and_(
        message.c.correlation_key != "",
        exists().where(
            named,
            definition.c.key == subscription.c.definition_key,
            definition.c.suspended_at.is_(None),
            ~exists().where(claim.c.process_id == definition.c.id, claim.c.correlation_key == message.c.correlation_key),
        ),
    )
    return select(message.c.key).where(message.c.expires_at > now, or_(waits, starts)).order_by(message.c.key)


def _deliver_in(unit: Unit, key: int) -> bool:
    message, tx = tables.message, unit.tx
    locked = select(message).where(message.c.key == key, message.c.expires_at > tx.now).with_for_update(skip_locked=True)
    row = tx.execute(locked).mappings().one_or_none()
    if row is None or not unit.correlate(row["name"], row["correlation_key"], row["variables"], starts=row["correlation_key"] != ""):
        return False
    tx.execute(delete(message).where(message.c.key == key))
    return True


def next_timer(conn: Connection) -> datetime | None:
    """The instant of the earliest timer."""
    return conn.execute(select(func.min(tables.timer.c.due_at))).scalar()
