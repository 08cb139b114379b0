"""Fifty thousand timers and rungs due at one instant: two nodes on one PostgreSQL, one killed when half are done, and the inbox meanwhile.

The node that lives serves people too, as in real use: its inbox page is asked for in turn while its acquirer works in a thread of
the same process.  The other one is killed by SIGKILL when the ledger counts half of the rows, whoever has fired them.
``BANJIE_BENCH_DUE`` is the number of rows; a fifth are rungs, of which each tells two people and throws an escalation in its case, four
fifths are timers.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median, quantiles
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from engine import Engine
from engine.store import tables
from tests.bench.http import _postgres
from tests.bench.measuring import row
from tests.support.storm import INSTANT, SETTINGS, Node, Storm
from web.app import create_app

ROWS = 50_000
RUNGS_ONE_IN = 5
IDLE_PAGES = 150
PAUSE = 0.1
"""Seconds between two pages."""
LOOK = 0.2
"""Seconds between two looks at the ledger."""
GOAL = 3.0


class _Movable:
    """The prepared instants first; then real time, shifted so that the rows fall due when the drain begins."""

    def __init__(self) -> None:
        self.now: datetime = INSTANT
        self.ahead: timedelta | None = None

    def __call__(self) -> datetime:
        return self.now if self.ahead is None else datetime.now(UTC) + self.ahead


def run(folder: Path) -> None:
    rows = int(os.environ.get("BANJIE_BENCH_DUE", ROWS))
    print(f"{rows:,} timers and rungs due at one instant (PostgreSQL that keeps what it was told; two nodes, one killed half-way)")
    with _postgres() as server:
        if server is not None:
            _storm(server.url(server.create()), rows)


def _storm(url: str, rows: int) -> None:
    clock = _Movable()
    engine = Engine(url, clock=clock, settings=SETTINGS, node="living")
    rungs = rows // RUNGS_ONE_IN
    storm = Storm(engine, rows - rungs, rungs)
    inbox = _inbox(engine)
    idle = [_paused(inbox) for _ in range(IDLE_PAGES)]
    victim = Node(url, "killed")
    clock.ahead = INSTANT - datetime.now(UTC)
    drained, half = threading.Event(), threading.Event()
    killed: list[tuple[float, int]] = []
    began = time.perf_counter()

    def kill() -> None:
        while storm.fired() < rows // 2:
            time.sleep(LOOK)
        victim.kill_now()
        killed.append((time.perf_counter() - began, storm.fired()))
        half.set()

    def drain() -> None:
        # What the dead node held when this one came by is free once its connections are noticed to be gone.
        while engine.run_due() or not half.is_set():
            pass
        drained.set()

    victim.go(ahead=clock.ahead)
    threads = [threading.Thread(target=work) for work in (kill, drain)]
    for thread in threads:
        thread.start()
    busy = []
    while not drained.is_set():
        busy.append(_paused(inbox))
    for thread in threads:
        thread.join()
    took, ledger, expected, shares, late = time.perf_counter() - began, storm.ledger(), storm.expected(), storm.by_node(), storm.lateness()
    victim.close()
    wrong = {name: (ledger[name], expected[name]) for name in expected if ledger[name] != expected[name]}
    row("fired exactly once, by the ledger", "yes" if not wrong else f"NO: {wrong}")
    living, dead = shares.get("living", 0), shares.get("killed", 0)
    row("  fired by the node that lived / the one killed", f"{living:,} / {dead:,}", f"killed after {killed[0][0]:.1f} s, at {killed[0][1]:,} rows")
    row("drained in", f"{took:.1f} s", f"{rows / took:,.0f} rows/s together, {living / took:,.0f} by the living node")
    row("lateness, median / p99", f"{late[len(late) // 2]:.1f} / {late[int(len(late) * 0.99)]:.1f} s")
    for name, of, goal in (("p50", median, ""), ("p95", _p95, f", goal < {GOAL:.0f}×")):
        before, meanwhile = of(idle), of(busy)
        row(f"inbox page {name}, idle / meanwhile", f"{before:.1f} / {meanwhile:.1f} ms", f"{meanwhile / before:.1f}×{goal} ({len(busy)} pages)")
    engine.dispose()


def _paused(ask: Callable[[], float]) -> float:
    """Ask, after a pause: people click now and then, and neither must the acquirer be slowed by the measuring nor an idle page be
    faster than in real use."""
    time.sleep(PAUSE)
    return ask()


def _inbox(engine: Engine) -> Callable[[], float]:
    """Ask for the inbox as a clerk with tasks of their own; gives milliseconds."""
    app = create_app(SimpleNamespace(secret_key="only for measuring, long enough"), engine, TESTING=True, WTF_CSRF_ENABLED=False)
    client: Any = app.test_client()
    with engine.reading() as conn:
        epoch = conn.execute(select(tables.person.c.session_epoch).where(tables.person.c.login == "zhao")).scalar_one()

    def ask() -> float:
        # Signed in anew: a session of the desk does not outlive a jump of its clock.
        with client.session_transaction() as session:
            session.update(login="zhao", epoch=epoch, seen=int(app.config["SESSION_CLOCK"]()), language="zh")
        began = time.perf_counter()
        answer = client.get("/inbox")
        if answer.status_code != 200:
            raise SystemExit(f"The inbox answered {answer.status_code}.")
        return (time.perf_counter() - began) * 1000

    ask()
    return ask


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]
