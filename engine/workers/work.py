"""What a worker's function is given, and how it says that it could not do the work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from engine.errors import EngineError
from engine.words import Words

if TYPE_CHECKING:
    from engine.runtime.engine import Engine
    from engine.runtime.types import Job

log = logging.getLogger("banjie.worker")


class BpmnError(Exception):
    """A result the process knows about: the boundary event or event sub-process for ``code`` catches it."""

    def __init__(self, code: str, message: str = "", variables: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code, self.message, self.variables = code, message, dict(variables or {})


class JobFailed(EngineError):
    """The work could not be done.  ``retry=False``: trying again would not help, so somebody is told at once; ``after`` replaces
    the pause before the next attempt."""

    def __init__(self, message: str | Words, /, *, retry: bool = True, after: timedelta | None = None, **params: Any) -> None:
        super().__init__(message, **params)
        self.retry, self.after = retry, after


class _JobLog(logging.LoggerAdapter):
    """Names the job in every line."""

    def process(self, msg: Any, kwargs: Any) -> tuple[Any, Any]:
        return f"{self.extra['job']}: {msg}", kwargs


class JobContext:
    """One job in a worker's hands.

    ``variables`` are those visible from the element (those the worker asked for), ``headers`` the element's task headers.
    ``idempotency_key`` is the same at every attempt and never that of another job.  ``retries`` are the attempts left, this one
    included; ``attempts`` counts how often the job was handed out.  ``log`` names the job in every line.
    """

    def __init__(self, engine: Engine, job: Job) -> None:
        self._engine, self._job = engine, job
        self._lost = threading.Event()
        self.key = job.key
        self.type = job.type
        self.instance_key = job.instance_key
        self.case_key = job.root_key
        self.element_id = job.element_id
        self.headers: dict[str, str] = dict(job.headers)
        self.variables: dict[str, Any] = dict(job.variables)
        self.retries = job.retries
        self.attempts = job.attempts
        self.idempotency_key = f"banjie-job-{job.key}"
        self.log = _JobLog(log, {"job": f"job {job.key} ({job.type})"})

    @property
    def lost(self) -> bool:
        """Whether the job is no longer this worker's: it was cancelled, or somebody else has it.  Long work should look now and then."""
        return self._lost.is_set()

    def lose(self) -> None:
        """Note that the job is no longer this worker's."""
        self._lost.set()

    def now(self) -> datetime:
        """The engine's present, aware UTC."""
        return self._engine.clock()

    def evaluate(self, expression: str, context: Mapping[str, Any] | None = None) -> Any:
        """FEEL over the job's variables and ``context``; gives a JSON value.

        Raises :class:`JobFailed`, without another attempt: an expression that fails would fail again, and the work would be done twice.
        """
        try:
            return self._engine.evaluate(expression, {**self.variables, **(context or {})})
        except EngineError as wrong:
            raise JobFailed(
                "The expression “%(expression)s” cannot be evaluated: %(why)s", retry=False, expression=expression[:200], why=wrong.message
            ) from wrong

    def given(self, name: str, default: Any = None, context: Mapping[str, Any] | None = None) -> Any:
        """An input of a delivered worker: the task header ``name`` (FEEL when it begins with ``=``), else the variable, else ``default``.

        ``context`` is what the FEEL of the header sees besides the variables.
        """
        header = self.headers.get(name)
        if header is not None and header.strip():
            return self.evaluate(header, context) if header.lstrip().startswith("=") else header
        value = self.variables.get(name)
        return default if value is None else value

    def email_of(self, login: str) -> str | None:
        """The e-mail address of an account that is in use, ``None`` if it has none."""
        person = self._engine.desk.people.directory().person(login)
        return person.email if person is not None and person.active and person.email else None

    def phone_of(self, login: str) -> str | None:
        """The telephone number of an account that is in use, ``None`` if it has none."""
        person = self._engine.desk.people.directory().person(login)
        return person.phone if person is not None and person.active and person.phone else None
