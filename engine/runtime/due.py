"""Due timers: found by a query, claimed by a unique insert, fired exactly once (design.md §1.5); messages that still have to meet
their receivers.

Timers of instances are fired several in a transaction, because after an outage there may be tens of thousands of them and most of
what one costs is the transaction around it.  When one of them fails, nothing of that transaction stays, and each of its timers is
fired again in a transaction of its own, so that a failure stops one case only.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Select, and_, delete, exists, func, or_, select, update

from engine.bpmn.timers import next_due
from engine.runtime.transaction import Transaction
from engine.runtime.unit import Unit
from engine.store import tables
from engine.store.types import DIALECT_INSERTS

if TYPE_CHECKING:
    from engine.runtime.engine import Engine

log = logging.getLogger(__name__)

BATCH = 200
"""Due start timers, or kept messages, read at a time; each is handled in a transaction of its own."""
LISTED = 1_000
"""Due timers of instances listed at a time: finding the oldest among very many costs more than firing a few."""
TOGETHER = 25
"""Due timers of instances fired in one transaction.  Their instances are locked meanwhile, so it must stay a matter of milliseconds."""


def claim(tx: Transaction, kind: str, row_key: int, occurrence: str) -> bool:
    """Claim one firing by a unique insert; ``False`` when another node has it."""
    statement = DIALECT_INSERTS[tx.conn.dialect.name](tables.firing).values(
        kind=kind, row_key=row_key, occurrence=occurrence, fired_at=tx.now, node=tx.node
    )
    # Not by the row count: of an INSERT, the PostgreSQL driver's is not kept.
    return tx.execute(statement.on_conflict_do_nothing().returning(tables.firing.c.row_key)).first() is not None


def claim_all(tx: Transaction, kind: str, rows: list[tuple[int, str]]) -> bool:
    """Claim several firings, ``(row_key, occurrence)``, at once; ``False`` when another node has any of them."""
    statement = DIALECT_INSERTS[tx.conn.dialect.name](tables.firing).values(
        [{"kind": kind, "row_key": key, "occurrence": occurrence, "fired_at": tx.now, "node": tx.node} for key, occurrence in rows]
    )
    claimed = tx.execute(statement.on_conflict_do_nothing().returning(tables.firing.c.row_key)).all()
    return len(claimed) == len(rows)


class _Clash(Exception):
    """Another node has one of the firings; what was done together is given up."""


def run_due_timers(engine: Engine, limit: int | None) -> int:
    """Fire timers due at the engine's clock, oldest first, and the deadline rungs of a case that were due before its timers; gives how
    many were fired.

    A timer that another node is working on is left to it.  A timer that fails is audited, and tried once more at the next call.
    """
    fired, failed, stuck = 0, set(), set()
    while limit is None or fired < limit:
        left = None if limit is None else limit - fired
        now_fired = engine.desk.run_rungs_before_timers(stuck)
        now_fired += _fire_starts(engine, left, failed)
        if limit is None or fired + now_fired < limit:
            now_fired += _sweep(engine, None if left is None else left - now_fired, failed, stuck)
        if not now_fired:
            break
        fired += now_fired
    return fired


def _fire_starts(engine: Engine, limit: int | None, failed: set[int]) -> int:
    """Fire due timers of start events, once each."""
    timer, definition = tables.timer, tables.definition
    statement = (
        select(timer.c.key)
        .join(definition, definition.c.key == timer.c.definition_key)
        .where(timer.c.instance_key.is_(None), timer.c.due_at <= engine.clock(), definition.c.suspended_at.is_(None))
        .order_by(timer.c.due_at, timer.c.key)
        .limit(BATCH if limit is None else min(BATCH, limit))
    )
    with engine.reading() as conn:
        keys = conn.execute(statement).scalars().all()
    return sum(_attempt(engine, key, failed, lambda unit, key=key: _start_in(engine, unit, key)) for key in keys if key not in failed)


def _sweep(engine: Engine, limit: int | None, failed: set[int], stuck: set[int]) -> int:
    """Fire the due timers of instances, once through the queue from its oldest."""
    fired, after = 0, None
    while limit is None or fired < limit:
        listed = _listed(engine, after, stuck)
        for begin in range(0, len(listed), TOGETHER):
            keys = [key for _, key in listed[begin : begin + TOGETHER] if key not in failed]
            fired += _fire_slice(engine, keys if limit is None else keys[: limit - fired], failed)
        if len(listed) < LISTED:
            break
        after = listed[-1]
    return fired


def _listed(engine: Engine, after: tuple[datetime, int] | None, stuck: set[int]) -> list[tuple[datetime, int]]:
    """The next due timers of instances, oldest first.

    What is held waits: a suspended instance; and a timer before which a rung of its case is due, unless that clock is ``stuck``.
    """
    timer, instance, clock = tables.timer, tables.instance, tables.clock
    preceded = exists().where(
        clock.c.case_key == instance.c.root_key,
        clock.c.state == "RUNNING",
        clock.c.next_rung_at < timer.c.due_at,
        clock.c.key.not_in(stuck),
    )
    statement = (
        select(timer.c.due_at, timer.c.key)
        .join(instance, instance.c.key == timer.c.instance_key)
        .where(timer.c.due_at <= engine.clock(), instance.c.state == "ACTIVE", ~preceded)
        .order_by(timer.c.due_at, timer.c.key)
        .limit(LISTED)
    )
    if after is not None:
        # The first condition is what the index can use.
        statement = statement.where(timer.c.due_at >= after[0], or_(timer.c.due_at > after[0], timer.c.key > after[1]))
    with engine.reading() as conn:
        return [(row.due_at, row.key) for row in conn.execute(statement)]


def _fire_slice(engine: Engine, keys: list[int], failed: set[int]) -> int:
    """Fire some timers together; if one of them fails, nothing of that stays and each is fired alone."""
    if not keys:
        return 0
    try:
        return engine.command(lambda unit: _fire_together(unit, keys), by=None)
    except Exception as error:
        log.info("%d timers could not be fired together (%s: %s); each is fired alone", len(keys), type(error).__name__, error)
    return sum(_attempt(engine, key, failed, lambda unit, key=key: _fire_alone(unit, key)) for key in keys)


def _attempt(engine: Engine, key: int, failed: set[int], work: Callable[[Unit], bool]) -> bool:
    """Fire one timer in a transaction of its own; whatever is wrong with it must not hold up the others."""
    try:
        return engine.command(work, by=None)
    except Exception as error:
        log.exception("the timer %s could not be fired", key)
        failed.add(key)
        with engine.transaction() as tx:
            tx.audit("timer.failed", f"timer:{key}", reason=str(error)[:500])
        return False


def _start_in(engine: Engine, unit: Unit, key: int) -> bool:
    timer, tx = tables.timer, unit.tx
    row = tx.execute(select(timer).where(timer.c.key == key, timer.c.due_at <= tx.now)).mappings().one_or_none()
    if row is None:
        return False
    engine.catalogue.refresh(tx.conn)
    definition = engine.catalogue.get(row["definition_key"], conn=tx.conn)
    if definition.suspended_at is not None or not claim(tx, "timer", key, str(row["occurrence"])):
        return False
    _advance(tx, row)
    unit.start(definition, {}, start_event=row["element_id"])
    return True


def _fire_together(unit: Unit, keys: list[int]) -> int:
    timer, instance, tx = tables.timer, tables.instance, unit.tx
    # Locked first; an instance that another node or a person is working on is left to them.
    statement = (
        select(instance)
        .where(instance.c.key.in_(select(timer.c.instance_key).where(timer.c.key.in_(keys))), instance.c.state == "ACTIVE")
        .with_for_update(skip_locked=True)
    )
    instances = {row["key"]: dict(row) for row in tx.execute(statement).mappings()}
    if not instances:
        return 0
    # Asked under the locks: whoever held an instance just before may have fired or cancelled its timer.
    waiting = select(timer).where(timer.c.key.in_(keys), timer.c.due_at <= tx.now, timer.c.instance_key.in_(list(instances)))
    rows = tx.execute(waiting).mappings().all()
    once = [row["key"] for row in rows if _following(row) is None]
    if once:
        tx.execute(delete(timer).where(timer.c.key.in_(once)))
    queue = [(row["due_at"], row["key"], dict(row)) for row in rows]
    heapq.heapify(queue)
    claims: list[tuple[int, str]] = []
    moved: dict[int, dict[str, Any]] = {}
    fired = 0
    while queue:
        row = heapq.heappop(queue)[2]
        live = unit.adopt(instances[row["instance_key"]])
        token = live.execution.token(row["token"]) if live.row["state"] == "ACTIVE" else None
        following = _following(row)
        if token is not None:
            claims.append((row["key"], str(row["occurrence"])))
            fired += unit.fire(live, token, row["element_id"], {}, "timer")
            unit.settle()
        if following is not None:
            moved[row["key"]] = following
            # A cycle that has been missed for long takes its turn again before what fell due later.
            if token is not None and queue and following["due_at"] <= tx.now:
                heapq.heappush(queue, (following["due_at"], row["key"], {**row, **following}))
    if claims and not claim_all(tx, "timer", claims):
        raise _Clash("another node has fired one of these timers")
    for key, values in moved.items():
        tx.execute(update(timer).where(timer.c.key == key).values(**values))
    return fired


def _fire_alone(unit: Unit, key: int) -> bool:
    timer, tx = tables.timer, unit.tx
    row = tx.execute(select(timer).where(timer.c.key == key, timer.c.due_at <= tx.now)).mappings().one_or_none()
    if row is None:
        return False
    live = unit.load(row["instance_key"], skip_locked=True)
    if live is None or live.row["state"] != "ACTIVE" or not claim(tx, "timer", key, str(row["occurrence"])):
        return False
    _advance(tx, row)
    token = live.execution.token(row["token"])
    return token is not None and unit.fire(live, token, row["element_id"], {}, "timer")


def _following(row: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a cycle's row says after this firing; ``None`` when it was the last."""
    if not row["every"] or row["repeats"] == 0:
        return None
    due_at = next_due(row["every"], row["due_at"])
    if due_at is None:
        return None
    return {"due_at": due_at, "occurrence": row["occurrence"] + 1, "repeats": row["repeats"] - 1 if row["repeats"] > 0 else row["repeats"]}


def _advance(tx: Transaction, row: Mapping[str, Any]) -> None:
    """Remove a timer that has fired for the last time; move a cycle to its next instant."""
    timer, following = tables.timer, _following(row)
    this = timer.c.key == row["key"]
    tx.execute(delete(timer).where(this) if following is None else update(timer).where(this).values(**following))


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
