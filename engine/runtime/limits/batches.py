"""Bringing many running clocks to something that has changed, in a batch that any node works off and that people can watch.

A batch is a head and its items, one for each clock, listed in the transaction that made the change.  Nodes work the items off in slices,
each one transaction in which its rows are locked, so a clock is done once on however many nodes and a killed one loses nothing.  What
somebody else is working on stays on the list.  Whichever node finds nothing left ends the batch, once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Table, exists, func, select, update

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

SLICE = 100
"""Clocks done by one transaction."""
ROUND = 2_000
"""Clocks done in one round of the acquirer, so that other due work is not kept waiting."""
RUNNING, DONE = "RUNNING", "DONE"
OPEN, SAME, MOVED, MOOT, FAILED = "OPEN", "SAME", "MOVED", "MOOT", "FAILED"
"""States of an item: still to do, done without and with an effect, no longer in question, could not be done."""


class Counted:
    """How far a batch is, for a value with ``counts`` by state of its items."""

    counts: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.total - self.counts.get(OPEN, 0)


@dataclass(frozen=True)
class Batches:
    """One kind of batch: its two tables, the column of the items that names the head, and the action of the audit when one ends."""

    head: Table
    item: Table
    of: str
    ended: str

    @property
    def owner(self) -> Column[int]:
        return self.item.c[self.of]

    def running(self, conn: Connection) -> Mapping[str, Any] | None:
        """The oldest batch that is not done."""
        chosen = select(self.head).where(self.head.c.state == RUNNING).order_by(self.head.c.key).limit(1)
        return conn.execute(chosen).mappings().one_or_none()

    def work_off(self, limit: int | None, one_slice: Callable[[int], int]) -> tuple[int, int]:
        """Do slices until none is left or a round is full; gives how many were done and how many the round has left.

        ``one_slice(most)`` does at most so many in a transaction and gives how many; 0: nothing left, or in another node's hands.
        """
        done, left = 0, ROUND if limit is None else min(ROUND, limit)
        while left > 0:
            count = one_slice(min(SLICE, left))
            if count == 0:
                break
            done, left = done + count, left - count
        return done, left

    def listed(self, key: int, *columns: Any) -> Any:
        """The open items of a batch in order, to be limited and locked."""
        return select(*columns).where(self.owner == key, self.item.c.state == OPEN).order_by(self.item.c.clock_key)

    def settle(self, desk: Desk, key: int, then: Callable[[Any], None] | None = None) -> None:
        """End a batch without open items; ``then(tx)`` once, in the same transaction, whichever node gets there."""
        is_open = exists().where(self.owner == key, self.item.c.state == OPEN)
        head = self.head
        with desk.engine.transaction() as tx:
            ended = update(head).where(head.c.key == key, head.c.state == RUNNING, ~is_open).values(state=DONE, ended_at=tx.now)
            if tx.execute(ended).rowcount == 1:
                tx.audit(self.ended, f"{head.name}:{key}", **self.counts(tx.conn, [key])[key])
                if then is not None:
                    then(tx)

    def counts(self, conn: Connection, keys: Collection[int]) -> dict[int, Counter[str]]:
        """Key of a batch → state → number of its items; one statement, none for no keys."""
        found: dict[int, Counter[str]] = {key: Counter() for key in keys}
        if found:
            grouped = select(self.owner, self.item.c.state, func.count()).where(self.owner.in_(list(found))).group_by(self.owner, self.item.c.state)
            for key, state, number in conn.execute(grouped):
                found[key][state] = number
        return found


def said(mistake: Exception) -> str:
    """Why one clock failed, as it is kept with its item; it must not hold up the others for ever."""
    return f"{type(mistake).__name__}: {mistake}"[:500]
