"""``banjie worker``: a process that does jobs and nothing else, until it is asked to stop."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from engine.errors import EngineError
from engine.runtime import administration
from engine.words import T
from web import scheduler
from web.demo_clock import DemoClock

if TYPE_CHECKING:
    from engine.workers import Runner
    from web.cli import Session


def work(session: Session, types: Sequence[str], threads: int | None, once: bool) -> None:
    """Do the jobs of the ``types`` (all that are set up, when none is named) until SIGTERM or Ctrl-C; ``once``: those that are there.

    Jobs in work are finished; a second signal ends the process at once, and others have the jobs when the leases end.
    Raises :class:`EngineError` when there is nothing to do.
    """
    from web.cli import require_tables

    clock = DemoClock() if session.settings.demo else None
    engine = session.engine(clock=clock)
    try:
        require_tables(engine)
        if clock is not None:
            clock.follow(partial(_demo_offset, engine))  # else a worker would not see what the moved clock of the desk has made due
        runner = scheduler.make_runner(engine, session.settings, types or ("*",), threads)
        if runner is None:
            raise EngineError("No worker is set up. Name modules in “workers”, or set “http_hosts” or “smtp_host”.")
        if once:
            done = 0
            while taken := runner.run_once():
                done += taken
            click.echo(session.say(T("%(count)d job(s) were worked on.", count=done)))
        else:
            _until_asked(session, runner)
    finally:
        engine.dispose()


def _demo_offset(engine: Any) -> int:
    with engine.reading() as conn:
        return administration.clock_offset(conn)


def _until_asked(session: Session, runner: Runner) -> None:
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _asking(asked))
    runner.start()
    click.echo(
        session.say(T("Worker %(name)s does: %(types)s (Ctrl-C stops it).", name=runner.name, types=", ".join(sorted(runner.workers))))
    )
    sys.stdout.flush()
    asked.wait()
    if not runner.stop(scheduler.STOP_GRACE):
        click.echo(session.say(T("Some jobs were not finished in time; they were given back.")), err=True)


def _asking(asked: threading.Event) -> Any:
    """A signal handler: the first signal asks, the second one is obeyed at once."""

    def handle(number: int, frame: Any) -> None:
        if asked.is_set():
            sys.exit(128 + number)
        asked.set()

    return handle
