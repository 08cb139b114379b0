"""Measuring two things side by side, and counting what goes to a database."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from sqlalchemy import event

_NOT_OURS = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK|PRAGMA)", re.IGNORECASE)


def series(repetitions: int, **subjects: Callable[[int], Any]) -> dict[str, list[float]]:
    """Call each subject ``repetitions`` times in turn (with the number of the turn); gives the milliseconds of each, by turn.

    Taking turns lets a busy moment of the machine fall on all alike; who goes first changes from turn to turn.
    """
    times: dict[str, list[float]] = {name: [] for name in subjects}
    order = list(subjects.items())
    for turn in range(repetitions):
        for name, subject in order[:: -1 if turn % 2 else 1]:
            began = time.perf_counter()
            subject(turn)
            times[name].append((time.perf_counter() - began) * 1000)
    return times


def interleaved(repetitions: int, **subjects: Callable[[int], Any]) -> dict[str, float]:
    """As :func:`series`; gives the median of each."""
    return {name: median(values) for name, values in series(repetitions, **subjects).items()}


def spread(values: list[float], form: str = ",.0f") -> str:
    """The median with the quartiles around it: ``52 (48–55)``."""
    low, middle, high = quantiles(values, n=4)
    return f"{middle:{form}} ({low:{form}}–{high:{form}})"


@dataclass
class Sent:
    """What went to the database: statements with their parameters, and the commits of transactions that may write."""

    statements: list[tuple[str, Any]] = field(default_factory=list)
    commits: int = 0

    @property
    def writes(self) -> list[tuple[str, Any]]:
        return [item for item in self.statements if re.match(r"\s*(INSERT|UPDATE|DELETE)", item[0])]


@contextmanager
def sent_by(engine: Any) -> Iterator[Sent]:
    """Count and keep what ``engine`` sends inside the block.  A commit counts when its transaction wrote."""
    sent = Sent()
    wrote: list[bool] = [False]

    def execute(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if _NOT_OURS.match(statement):
            return
        sent.statements.append((statement, parameters))
        wrote[0] = wrote[0] or bool(re.match(r"\s*(INSERT|UPDATE|DELETE)", statement))

    def commit(conn: Any) -> None:
        sent.commits += wrote[0]
        wrote[0] = False

    event.listen(engine.database.sa, "before_cursor_execute", execute)
    event.listen(engine.database.sa, "commit", commit)
    try:
        yield sent
    finally:
        event.remove(engine.database.sa, "before_cursor_execute", execute)
        event.remove(engine.database.sa, "commit", commit)


def row(what: str, value: str, goal: str = "") -> None:
    """Print one line of the report."""
    print(f"  {what:<62} {value:>22}  {goal}".rstrip())
