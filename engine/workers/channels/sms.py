"""Text messages: an interface.  Banjie comes with no implementation, because every office has another provider, contract and template.

An office writes a class with one method and names it in the settings (``sms_sender: office.sms:Sender``); it is made once, without
arguments, and takes its keys from wherever it keeps them.
"""

from __future__ import annotations

import re
from datetime import timedelta
from importlib import import_module
from typing import Protocol, runtime_checkable

from engine.errors import EngineError
from engine.workers.registry import Worker
from engine.workers.work import JobContext, JobFailed

_PLACE = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")


@runtime_checkable
class SmsSender(Protocol):
    """What an office implements."""

    def send(self, phone: str, text: str, idempotency_key: str) -> None:
        """Hand one text message to the provider.  ``idempotency_key`` is the same at every attempt.

        Raise :class:`~engine.workers.JobFailed` (``retry=False`` when another attempt cannot help); any other exception is tried again.
        """


def load_sender(place: str) -> SmsSender:
    """The implementation that ``module:Class`` names.  Raises :class:`EngineError` when there is none."""
    found = _PLACE.fullmatch(place)
    try:
        made = getattr(import_module(found["module"]), found["name"])() if found else None
    except Exception as error:  # whatever a module of the office does while it is loaded
        why = f"{type(error).__name__}: {error}"
        raise EngineError("“sms_sender” %(place)s cannot be loaded (%(why)s).", place=place, why=why) from error
    if not isinstance(made, SmsSender):
        raise EngineError("“sms_sender” %(place)s is no class with a method send(phone, text, idempotency_key).", place=place)
    return made


class TextMessages:
    """The worker around an office's implementation."""

    def __init__(self, sender: SmsSender) -> None:
        self._sender = sender

    def workers(self) -> list[Worker]:
        return [Worker("notify.sms", self.send, timeout=timedelta(minutes=5), backoff=timedelta(seconds=60))]

    def send(self, job: JobContext) -> None:
        """The short text and the link.  Raises :class:`JobFailed` for a person without a number."""
        given = job.variables
        login = str((given.get("logins") or [""])[0])
        phone = job.phone_of(login)
        if not phone:
            raise JobFailed("%(name)s has no telephone number.", retry=False, name=str(given.get("name") or login))
        text = " ".join(part for part in (str(given.get("short") or given.get("text") or ""), str(given.get("url") or "")) if part)
        self._sender.send(phone, text, str(given.get("idempotency_key") or job.idempotency_key))
