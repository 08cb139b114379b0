"""One POST to a service outside, under the allow-list, and its answer in words.

The request goes straight to :class:`~engine.workers.transport.CheckedTransport`, not through ``httpx.Client``: the client writes
whole addresses into the log, and the address of a robot holds its key.  Redirects are not followed: a robot has none.
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpcore
import httpx

from engine.workers.addresses import AllowedHosts, Resolve, resolve
from engine.workers.http import TRY_AGAIN, retry_after
from engine.workers.settings import WorkerSettings
from engine.workers.transport import CheckedTransport, Deadline, plain_host, tls_context
from engine.workers.work import JobContext, JobFailed

LEASE_SLACK = timedelta(seconds=60)
MAX_ANSWER = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """``body`` is the JSON of the answer, ``None`` when it has none."""

    status: int
    body: Any


class Sender:
    """Posts for one set of settings; safe from many threads.

    ``resolve`` looks up hosts and ``stopwatch`` measures seconds (tests put their own here).
    """

    def __init__(
        self,
        settings: WorkerSettings,
        *,
        resolve: Resolve = resolve,
        stopwatch: Callable[[], float] = time.monotonic,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._hosts = AllowedHosts(settings.http_hosts, settings.http_internal_hosts, resolve)
        self._seconds, self._stopwatch, self._tls = settings.http_timeout_seconds, stopwatch, tls or tls_context()

    @property
    def lease(self) -> timedelta:
        """How long a job of this sender may take."""
        return timedelta(seconds=self._seconds * 2) + LEASE_SLACK

    def post(
        self, job: JobContext, address: str, body: bytes, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
    ) -> Answer:
        """Send ``body`` (JSON).  Raises :class:`JobFailed` for no connection, no permission, or a status that is no success.

        ``query`` may hold keys: it is in no message.
        """
        try:
            url = httpx.URL(address)
            place = f"{url.scheme}://{url.host}{url.path}"
            request = httpx.Request(
                "POST", url.copy_merge_params(dict(query or {})), content=body,
                headers={"User-Agent": "banjie", "Content-Type": "application/json; charset=utf-8", "Accept-Encoding": "identity", **(headers or {})},
            )  # fmt: skip
        except (httpx.InvalidURL, ValueError, TypeError) as wrong:
            raise JobFailed("The address of this channel in the settings is no address.", retry=False) from wrong
        self._hosts.check(url.scheme, plain_host(url.host), url.port or {"http": 80, "https": 443}.get(url.scheme, 0))
        try:
            response = CheckedTransport(self._hosts, Deadline(self._seconds, self._stopwatch), self._tls).handle_request(request)
            try:
                content = _bounded(response)
            finally:
                response.close()
        except (httpcore.TimeoutException, httpx.TimeoutException) as trouble:
            raise JobFailed("%(place)s did not answer within %(seconds)s seconds.", place=place, seconds=f"{self._seconds:g}") from trouble
        except (httpcore.NetworkError, httpcore.ProtocolError, httpx.TransportError, OSError) as trouble:
            raise JobFailed("%(place)s cannot be reached: %(why)s", place=place, why=str(trouble) or type(trouble).__name__) from trouble
        status = response.status_code
        if not 200 <= status < 300:
            again = status in TRY_AGAIN or status >= 500
            after = retry_after(response.headers.get("retry-after"), job.now()) if again else None
            raise JobFailed("%(message)s", message=f"{place}: HTTP {status}", retry=again, after=after)
        return Answer(status, _parsed(content))


def _bounded(response: httpx.Response) -> bytes:
    content = b""
    for part in response.iter_raw():
        content += part
        if len(content) > MAX_ANSWER:
            break
    return content[:MAX_ANSWER]


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def shortened(text: str, limit: int) -> str:
    """``text`` in at most ``limit`` bytes of UTF-8, cut between characters."""
    raw = text.encode()
    return text if len(raw) <= limit else raw[: limit - 3].decode("utf-8", "ignore") + "…"
