"""The generic webhook: a signed POST to one address of the office, for systems that no worker here knows.

Headers of each request:

``Banjie-Delivery``    the name of the message, the same at every attempt; a receiver that has seen it answers 200 and does nothing
``Banjie-Timestamp``   seconds since 1970 (UTC) of this attempt; a receiver refuses one that is older than five minutes
``Banjie-Signature``   ``v1=`` and the hexadecimal HMAC-SHA256, keyed by the shared secret, over timestamp, a dot and the body's bytes

The body is JSON and holds the delivery's name again as ``id``, so the signature covers it, and a request cannot be replayed under
another name.  :func:`verified` is what a receiver written in Python does.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from engine.errors import EngineError
from engine.workers.channels.sending import Sender
from engine.workers.registry import Worker
from engine.workers.work import JobContext

DELIVERY, TIMESTAMP, SIGNATURE = "Banjie-Delivery", "Banjie-Timestamp", "Banjie-Signature"
OLDEST = timedelta(minutes=5)
MIN_SECRET = 32


class Webhook:
    """Raises :class:`EngineError` for a secret that is too short to protect anything."""

    def __init__(self, sender: Sender, url: str, secret: str) -> None:
        if len(secret) < MIN_SECRET:
            raise EngineError("BANJIE_WEBHOOK_SECRET must have at least %(length)d characters.", length=MIN_SECRET)
        self._sender, self._url, self._secret = sender, url, secret

    def workers(self) -> list[Worker]:
        return [Worker("notify.webhook", self.send, timeout=self._sender.lease, backoff=timedelta(seconds=60))]

    def send(self, job: JobContext) -> None:
        """One signed message.  Raises :class:`JobFailed`."""
        given = job.variables
        name = str(given.get("idempotency_key") or job.idempotency_key)
        message = {
            "id": name, "kind": given.get("kind"), "login": (given.get("logins") or [None])[0], "name": given.get("name"),
            "onBehalfOf": given.get("on_behalf_of") or None, "subject": given.get("subject"), "text": given.get("text"),
            "url": given.get("url") or None, "caseNo": given.get("case_no") or None, "count": given.get("count", 1),
        }  # fmt: skip
        body, stamp = json.dumps(message, ensure_ascii=False).encode(), str(int(job.now().timestamp()))
        headers = {DELIVERY: name, "Idempotency-Key": name, TIMESTAMP: stamp, SIGNATURE: f"v1={signature(self._secret, stamp, body)}"}
        self._sender.post(job, self._url, body, headers)


def signature(secret: str, stamp: str, body: bytes) -> str:
    """Hexadecimal HMAC-SHA256 over ``stamp``, a dot and ``body``."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verified(secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> dict[str, Any] | None:
    """The message of a request that is genuine and fresh, else ``None``.  The receiver still has to remember the ``id`` it has seen."""
    stamp, sign = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if not stamp.isascii() or not stamp.isdigit() or abs(now.timestamp() - int(stamp[:12])) > OLDEST.total_seconds():
        return None
    if not hmac.compare_digest(sign.encode(), f"v1={signature(secret, stamp, body)}".encode()):
        return None
    message = json.loads(body)
    return message if message.get("id") == headers.get(DELIVERY) else None
