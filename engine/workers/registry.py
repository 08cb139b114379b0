"""Which function does which type of job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from typing import Any, TypeVar

from engine.errors import EngineError
from engine.workers.work import JobContext

Work = Callable[[JobContext], Mapping[str, Any] | None]
Function = TypeVar("Function", bound=Work)

_MARK = "job_workers"


@dataclass(frozen=True)
class Worker:
    """A function for the jobs of ``type``.

    ``retries``      an upper bound on the attempts that the model gives a job; ``None``: as the model says.
    ``timeout``      the lease; a job that takes longer keeps it by a heart-beat, so this is how long the job of a killed process waits.
    ``backoff``      the pause after the first failure; it doubles with every attempt …
    ``max_backoff``  … up to this.
    ``fetch``        names of the variables it needs; ``None``: all that are visible.
    """

    type: str
    function: Work
    retries: int | None = None
    timeout: timedelta = timedelta(minutes=5)
    backoff: timedelta = timedelta(seconds=10)
    max_backoff: timedelta = timedelta(hours=1)
    fetch: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not self.type:
            raise ValueError("a worker needs a job type")
        if self.retries is not None and self.retries < 1:
            raise ValueError("a worker needs at least one attempt")
        if self.timeout <= timedelta(0) or self.backoff < timedelta(0) or self.max_backoff < timedelta(0):
            raise ValueError("a worker's lease must be more than nothing, and its pauses not negative")

    def pause(self, attempts: int) -> timedelta:
        """The pause after attempt number ``attempts`` (from 1) has failed."""
        doubled = self.backoff * 2 ** min(max(attempts, 1) - 1, 30)
        return min(doubled, self.max_backoff)

    def left(self, retries: int) -> int:
        """Attempts left after one of ``retries`` has failed."""
        return max(0, (retries if self.retries is None else min(retries, self.retries)) - 1)


def worker(
    type: str,
    *,
    retries: int | None = None,
    timeout: timedelta = timedelta(minutes=5),
    backoff: timedelta = timedelta(seconds=10),
    max_backoff: timedelta = timedelta(hours=1),
    fetch: Iterable[str] | None = None,
) -> Callable[[Function], Function]:
    """Mark a function as the worker for a job type; see :class:`Worker`.  One function may bear several marks.

    The function takes a :class:`JobContext` and returns a dict of variables or ``None``.  It raises :class:`BpmnError` for a
    result that the process catches; any other exception is a failure, tried again after a pause until no retry is left.
    """

    def mark(function: Function) -> Function:
        made = Worker(type, function, retries, timeout, backoff, max_backoff, None if fetch is None else tuple(fetch))
        setattr(function, _MARK, (*getattr(function, _MARK, ()), made))
        return function

    return mark


def load(modules: Iterable[str]) -> list[Worker]:
    """The workers that the named modules define.

    Raises :class:`EngineError` for a module that cannot be imported or defines none.
    """
    found: list[Worker] = []
    for name in modules:
        try:
            module = import_module(name)
        except Exception as error:  # whatever a module does while it is imported
            reason = f"{type(error).__name__}: {error}"
            raise EngineError(
                "The worker module “%(name)s” cannot be loaded (%(why)s). Check “workers” in the settings.", name=name, why=reason
            ) from error
        marked = [made for value in vars(module).values() if callable(value) for made in getattr(value, _MARK, ())]
        if not marked:
            raise EngineError("The module “%(name)s” has no function marked with @worker. Check “workers” in the settings.", name=name)
        found += [made for made in dict.fromkeys(marked) if made not in found]
    return found


def by_type(workers: Iterable[Worker]) -> dict[str, Worker]:
    """Job type → its worker.  Raises :class:`EngineError` when two claim the same type."""
    found: dict[str, Worker] = {}
    for made in workers:
        if made.type in found:
            raise EngineError("Two workers do jobs of the type “%(type)s”; leave one out of the settings.", type=made.type)
        found[made.type] = made
    return found
