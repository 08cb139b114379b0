"""Everything that does jobs here: the workers that come with the program, where they are set up, and those of the office."""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import EngineError
from engine.workers import registry
from engine.workers.channels import channel_workers
from engine.workers.http import HttpConnector
from engine.workers.mail import Mailer
from engine.workers.registry import Worker
from engine.workers.settings import WorkerSettings

EVERY = "*"


def all_workers(settings: WorkerSettings, types: Iterable[str] = (EVERY,)) -> dict[str, Worker]:
    """Job type → worker, of the chosen ``types`` (``*``: all that are set up).

    Raises :class:`EngineError` for a module that cannot be loaded, for two workers of one type, and for a type that nobody here does.
    """
    found = registry.load(settings.workers)
    if settings.http_hosts or settings.http_internal_hosts:
        found += HttpConnector(settings).workers()
    if settings.smtp_host:
        found += Mailer(settings).workers()
    found += channel_workers(settings)
    known, chosen = registry.by_type(found), list(types)
    if EVERY in chosen:
        return known
    for type in chosen:
        if type not in known:
            raise EngineError(
                "Nobody here does jobs of the type “%(type)s”. Set up: %(known)s.", type=type, known=", ".join(sorted(known)) or "—"
            )
    return {type: known[type] for type in chosen}
