"""The thing that wakes this node up to look for due work.

Each node runs one APScheduler with one job: call ``engine.run_due()`` every few seconds.  Nothing is remembered here — due
work is rows, and a unique insert is the claim (``design.md`` §1.5) — so a node that was asleep, or that shares the database
with ten others, neither loses nor doubles a firing.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

if TYPE_CHECKING:
    from engine.workers import Runner

log = logging.getLogger(__name__)

EXTENSION = "banjie.acquirer"
"""Where :func:`start` leaves the acquirer in ``app.extensions``."""

JOB_ID = "acquirer"


@dataclass(frozen=True)
class Wake:
    """One run of the acquirer.  ``at`` is real UTC time (not the demo clock), ``took`` seconds, ``error`` empty when it went well."""

    at: datetime
    took: float
    rows: int
    error: str = ""


def _real_utc() -> datetime:
    return datetime.now(UTC)


class Acquirer:
    """Calls ``run_due`` every ``interval`` seconds in a background thread, one call at a time.

    Late wakes are folded into one (``coalesce``), because what is due is found by a query and not by counting wakes.  An
    error is logged and counted and the next wake tries again: one broken row must not stop the whole office's clocks.
    """

    def __init__(
        self,
        run_due: Callable[[], int],
        interval: float,
        *,
        clock: Callable[[], datetime] = _real_utc,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        if interval <= 0:
            raise ValueError("the acquirer interval must be more than zero seconds")
        self.interval = interval
        self.wakes = 0
        self.rows = 0
        self.failures = 0
        self.last: Wake | None = None
        self._run_due, self._clock, self._stopwatch = run_due, clock, stopwatch
        self._scheduler: BackgroundScheduler | None = None

    @property
    def running(self) -> bool:
        return self._scheduler is not None and self._scheduler.running

    def start(self) -> None:
        """Begin waking; the first wake comes at once, so that a node which was down catches up before it serves."""
        if self.running:
            return
        scheduler = BackgroundScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)}, daemon=True)
        scheduler.add_job(
            self.wake,
            "interval",
            seconds=self.interval,
            id=JOB_ID,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            next_run_time=self._clock(),
        )
        scheduler.start()
        self._scheduler = scheduler
        log.info("acquirer wakes every %s s", self.interval)

    def stop(self) -> None:
        """Stop waking and wait for a wake that is under way, so that its transaction is not cut off."""
        scheduler, self._scheduler = self._scheduler, None
        if scheduler is not None and scheduler.running:
            scheduler.shutdown(wait=True)

    def wake(self) -> Wake:
        """Run what is due now.  Never raises: the outcome is in the returned :class:`Wake` and in the counters."""
        at, begun = self._clock(), self._stopwatch()
        rows, error = 0, ""
        try:
            rows = self._run_due()
        except Exception as trouble:
            log.exception("due work failed")
            self.failures += 1
            error = f"{type(trouble).__name__}: {trouble}"
        self.wakes += 1
        self.rows += rows
        self.last = Wake(at, self._stopwatch() - begun, rows, error)
        return self.last


def start(app: Any, engine: Any, interval: float) -> Acquirer:
    """Start an acquirer for ``engine`` and leave it in ``app.extensions`` for the health page.  Only ``serve`` calls this."""
    acquirer = Acquirer(engine.run_due, interval)
    app.extensions[EXTENSION] = acquirer
    acquirer.start()
    return acquirer


WORKERS = "banjie.workers"
"""Where :func:`start_workers` leaves the runner in ``app.extensions``."""

STOP_GRACE = 60.0
"""Seconds that jobs in work are given when the process is asked to stop; then they are given back."""


def make_runner(engine: Any, settings: Any, types: Iterable[str], threads: int | None = None) -> Runner | None:
    """A runner for the chosen job ``types`` (``*``: all that are set up); ``None`` when there is none to do.

    Raises :class:`engine.errors.EngineError` for a module that cannot be loaded or a type that nobody does.
    """
    from engine.workers import Runner, WorkerSettings, all_workers

    chosen, types = WorkerSettings.of(settings), list(types)
    if not types:
        return None
    if chosen.workers and str(settings.folder) not in sys.path:
        sys.path.append(str(settings.folder))  # the office's own modules may lie beside config.yaml
    workers = all_workers(chosen, types)
    return Runner(engine, workers, threads=threads or chosen.worker_threads, poll_seconds=chosen.worker_poll_seconds) if workers else None


def start_workers(app: Any, engine: Any, settings: Any) -> Runner | None:
    """Start the workers that this process does itself and leave their runner in ``app.extensions``.  Only ``serve`` calls this."""
    runner = make_runner(engine, settings, settings.workers_in_process)
    app.extensions[WORKERS] = runner
    if runner is not None:
        runner.start()
    return runner
