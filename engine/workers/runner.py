"""The runner: asks the engine for jobs, has them done on a few threads, reports what came of them."""

from __future__ import annotations

import logging
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from engine.errors import Conflict, EngineError, ValidationFailed
from engine.runtime import nodeclock
from engine.runtime.telling.notices import packed
from engine.words import T
from engine.workers.registry import Worker
from engine.workers.work import BpmnError, JobContext, JobFailed

if TYPE_CHECKING:
    from engine.runtime.engine import Engine
    from engine.runtime.types import Job

log = logging.getLogger(__name__)

REPORT_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between attempts to report while the database does not answer; then the lease runs out and the job is done again."""
LONGEST_PAUSE = timedelta(days=366)
"""A worker that wants to come back later than this has mistaken the unit."""
MAX_TRACEBACK = 20_000
"""Characters of a traceback kept in an incident; the end of it says most."""


class Runner:
    """Does the jobs of ``workers`` (type → worker) on up to ``threads`` threads.

    ``poll_seconds`` is how often an idle runner looks; ``wait(seconds)`` pauses it and may return early (tests put their own
    here).  The runner's ``name`` is that of the holder of its leases; no two runners have the same.
    """

    def __init__(
        self,
        engine: Engine,
        workers: Mapping[str, Worker],
        *,
        threads: int = 2,
        poll_seconds: float = 2.0,
        name: str | None = None,
        wait: Callable[[float], Any] | None = None,
    ) -> None:
        if threads < 1 or poll_seconds <= 0:
            raise ValueError("a runner needs at least one thread and a pause of more than nothing")
        self.engine, self.workers, self.threads, self.poll_seconds = engine, dict(workers), threads, poll_seconds
        self.name = name or f"{engine.node[:60]}:{os.getpid()}:{uuid4().hex[:8]}"
        self.done = self.failed = 0
        self._wait = wait or self._pause
        self._lock = threading.Lock()
        self._held: dict[int, tuple[JobContext, Worker]] = {}
        self._idle = threading.Condition(self._lock)
        self._wake, self._stopping, self._stopped = threading.Event(), threading.Event(), threading.Event()
        self._turn = 0
        self._services: list[threading.Thread] = []

    # --- life ------------------------------------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return any(service.is_alive() for service in self._services)

    @property
    def busy(self) -> int:
        """Jobs in work now."""
        with self._lock:
            return len(self._held)

    def start(self) -> None:
        """Begin to work in the background.  A runner is started once."""
        if self._services:
            raise RuntimeError("a runner is started once")
        for name, loop in (("jobs", self._look_for_jobs), ("jobs-heartbeat", self._keep_leases)):
            service = threading.Thread(target=loop, name=name, daemon=True)
            self._services.append(service)
            service.start()
        log.info("worker %s does %s on %d threads", self.name, ", ".join(sorted(self.workers)), self.threads)

    def stop(self, grace: float | None = None) -> bool:
        """Take no more jobs, finish those in work, and return; ``grace`` is the number of seconds that they are given.

        What is not finished then is given back, so that another worker has it at once; gives whether everything was finished.
        """
        self._stopping.set()
        self._wake.set()
        with self._idle:
            finished = self._idle.wait_for(lambda: not self._held, grace)
            left = [context.key for context, _ in self._held.values()]
        self._stopped.set()
        for key in left:
            self._give_back(key)
        for service in self._services:
            service.join(grace)
        return finished

    def _look_for_jobs(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                taken = self.poll()
            except Exception:
                # The database is away or a statement failed: the next look may succeed, and until then nothing is lost.
                log.exception("looking for jobs failed")
                taken = 0
            if not taken:
                self._wait(self.poll_seconds)

    def _pause(self, seconds: float) -> None:
        self._wake.wait(seconds)

    def _keep_leases(self) -> None:
        shortest = min((worker.timeout for worker in self.workers.values()), default=None)
        if shortest is None:
            return
        while not self._stopped.wait(max(shortest.total_seconds() / 3, 0.05)):
            self.beat()

    # --- jobs ------------------------------------------------------------------------------------------------------------

    def poll(self) -> int:
        """Take as many jobs as there are free threads and begin them; gives their number."""
        taken = self._take()
        for context, worker in taken:
            threading.Thread(target=self._do, args=(context, worker), name=f"job-{context.key}", daemon=True).start()
        return len(taken)

    def run_once(self) -> int:
        """Take as many jobs as there are free threads, do them one after the other in this thread, and give their number."""
        taken = self._take()
        for context, worker in taken:
            self._do(context, worker)
        return len(taken)

    def beat(self) -> None:
        """Prolong the leases of the jobs in work; one that is no longer ours is marked as lost."""
        with self._lock:
            held = list(self._held.values())
        for context, worker in held:
            try:
                self.engine.extend_job(context.key, self.name, worker.timeout)
            except EngineError as refused:
                context.lose()
                if self._holds(context.key):
                    log.info("job %s is lost: %s", context.key, refused)
            except Exception:
                log.exception("the lease of job %s could not be prolonged", context.key)

    def _holds(self, key: int) -> bool:
        with self._lock:
            return key in self._held

    def _take(self) -> list[tuple[JobContext, Worker]]:
        with self._lock:
            free = self.threads - len(self._held)
        taken: list[tuple[JobContext, Worker]] = []
        if free <= 0 or self._stopping.is_set():
            return taken
        # Retries, leases and what is to be sent later go by the clock: a process that does jobs and nothing else must know that its own
        # is right, as a node that looks for due work does.
        nodeclock.check(self.engine)
        types = self.engine.waiting_jobs(list(self.workers))
        # Each type is the first in turn, so that a flood of one does not starve the others.
        self._turn += 1
        start = self._turn % len(types) if types else 0
        for type in types[start:] + types[:start]:
            worker = self.workers[type]
            wanted = free - len(taken)
            if wanted <= 0:
                break
            try:
                jobs = self.engine.activate_jobs(type, self.name, worker.timeout, wanted, worker.fetch)
            except Exception:
                # What was leased already is to be done all the same.
                log.exception("taking jobs of the type %s failed", type)
                break
            taken += [(self._hold(job, worker), worker) for job in jobs]
        return taken

    def _hold(self, job: Job, worker: Worker) -> JobContext:
        context = JobContext(self.engine, job)
        with self._lock:
            self._held[job.key] = (context, worker)
        return context

    def _do(self, context: JobContext, worker: Worker) -> None:
        try:
            if self._stopping.is_set():
                self._give_back(context.key)
            else:
                self._report(context, worker, self._attempt(context, worker))
        finally:
            with self._idle:
                self._held.pop(context.key, None)
                self._idle.notify_all()
            self._wake.set()

    def _give_back(self, key: int) -> None:
        try:
            self.engine.release_job(key, self.name)
        except Exception:
            log.exception("job %s could not be given back; others have it when its lease ends", key)

    # --- reports ---------------------------------------------------------------------------------------------------------

    def _attempt(self, context: JobContext, worker: Worker) -> Callable[[], None]:
        """Do the job; gives the report to make."""
        try:
            answer = worker.function(context)
            if answer is not None and not isinstance(answer, Mapping):
                raise TypeError(f"the worker for “{worker.type}” returned a {type(answer).__name__}; it must return a dict or None")
        except BpmnError as thrown:
            if context.instance_key is None:
                return self._failure(context, worker, thrown, f"{thrown.code}: {thrown.message}".rstrip(": "), left=0)
            return partial(self.engine.throw_error, context.key, thrown.code, thrown.message, thrown.variables, self.name)
        except Exception as error:
            return self._failure(context, worker, error)
        return partial(self._complete, context, answer)

    def _complete(self, context: JobContext, answer: Mapping[str, Any] | None) -> None:
        self.engine.complete_job(context.key, answer, self.name)
        self.done += 1

    def _failure(
        self, context: JobContext, worker: Worker, error: Exception, message: str | None = None, left: int | None = None
    ) -> Callable[[], None]:
        """The report of a failure.  People read the kind of the error and its sentence; the traceback goes into the incident's details."""
        retry, after = getattr(error, "retry", True), getattr(error, "after", None)
        if left is None:
            left = worker.left(context.retries) if retry else 0
        if message is None:
            message = str(error) if isinstance(error, EngineError) else f"{type(error).__name__}: {error}".rstrip(": ")
        pause = min(max(after, timedelta(0)), LONGEST_PAUSE) if after is not None else worker.pause(context.attempts)
        trace = "".join(traceback.format_exception(error))[-MAX_TRACEBACK:]
        details: dict[str, Any] = {"error": type(error).__name__, "attempts": context.attempts, "worker": self.name, "traceback": trace}
        if isinstance(error, EngineError):
            details["words"] = packed(error.message)
        if isinstance(error, JobFailed | BpmnError):
            context.log.warning("failed, %d attempts left: %s", left, message)
        else:
            context.log.warning("failed, %d attempts left: %s", left, message, exc_info=error)

        def report() -> None:
            self.engine.fail_job(context.key, left, message, pause, self.name, details)
            self.failed += 1

        return report

    def _report(self, context: JobContext, worker: Worker, report: Callable[[], None]) -> None:
        """Make a report, again if need be: a worker that repeats itself does no harm (:mod:`engine.runtime.jobs`)."""
        for pause in (*REPORT_PAUSES, None):
            try:
                return report()
            except ValidationFailed as refused:
                # The work is done, but what came of it cannot be kept; the next attempt would bring the same.
                return self._failure(context, worker, refused, left=0)()
            except EngineError as refused:
                # Two commands met at the same instance: that says nothing about the job.
                if not (isinstance(refused, Conflict) and refused.by is None):
                    context.log.warning("the report was refused: %s", refused)
                    return None
                trouble: Exception = refused
            except Exception as error:
                context.log.exception("the report failed")
                trouble = error
            if pause is not None:
                self._stopped.wait(pause) if self._wait == self._pause else self._wait(pause)
        try:
            message = str(
                T("The work was done, but its result could not be taken over: %(why)s", why=f"{type(trouble).__name__}: {trouble}")
            )
            self._failure(context, worker, trouble, message)()
        except Exception:
            context.log.exception("gave up reporting; the job is done again when its lease ends")
        return None
