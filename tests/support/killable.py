"""A process that works on a database and is killed with SIGKILL at a chosen instant of a command.

The parent keeps no engine that writes: it sends one command at a time to a worker, which either answers or dies on the way.  The
instants are: before the n-th SQL statement of the command, just before its commit, just after its commit (the answer is lost),
and between two commands.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import event

from engine import Engine
from tests.support.driving import do, target

AFTER_COMMIT, BEFORE_COMMIT, BETWEEN = "after commit", "before commit", "between"
"""Beside these an integer says: before that statement of the command, counted from 1."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.support.killable"])


class Clock:
    """The present, as the parent says."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _arm(engine: Engine, instant: int | str | None) -> None:
    """Let this process die at ``instant`` of the next writing transaction."""
    left = [instant if isinstance(instant, int) else None]

    def writes(conn: Any) -> bool:
        return conn.get_execution_options().get("writing", True)

    def execute(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if left[0] is not None and writes(conn) and not statement.startswith("BEGIN"):
            left[0] -= 1
            if left[0] == 0:
                _die()

    def commit(conn: Any) -> None:
        if not writes(conn):
            return
        if instant == BEFORE_COMMIT:
            _die()
        if instant == AFTER_COMMIT:
            conn.connection.dbapi_connection.commit()
            _die()

    event.listen(engine.database.sa, "before_cursor_execute", execute)
    event.listen(engine.database.sa, "commit", commit)


def _work(url: str, pipe: Connection) -> None:
    clock = Clock()
    engine = Engine(url, clock=clock, node=f"worker {os.getpid()}"[:60])
    while True:
        now, instant, call = pipe.recv()
        clock.now = now
        if instant is not None:
            _arm(engine, instant)
        if instant == BETWEEN:
            _die()
        verb, *rest = call
        if verb == "start":
            process_id, variables, business_key = rest
            pipe.send(engine.start(process_id, variables, business_key=business_key).key)
        elif verb == "target":
            pipe.send(target(engine, *rest))
        else:
            pipe.send(do(engine, *rest[:-1], once=rest[-1]))


class Worker:
    """One worker process; :meth:`run` gives the command's answer, or ``None`` when the worker died."""

    def __init__(self, url: str) -> None:
        self._pipe, other = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_work, args=(url, other), daemon=True)
        self._process.start()
        other.close()

    def run(self, now: datetime, call: tuple[Any, ...], instant: int | str | None = None) -> Any:
        try:
            self._pipe.send((now, instant, call))
            return self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join()
            assert self._process.exitcode == -signal.SIGKILL, f"the worker ended by itself ({self._process.exitcode})"
            return None

    def close(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()
        self._pipe.close()
