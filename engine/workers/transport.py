"""One HTTP exchange over a connection that goes where it may, ends when it must, and is used once.

httpx builds the request and knows the rules of redirects; httpcore speaks the protocol.  Between it and the socket stand the
checks of :mod:`engine.workers.addresses` and the time limit, which holds for the whole of a call, look-up and all redirects
included: httpx's own time-outs begin anew with every byte.
"""

from __future__ import annotations

import ssl
import typing
from collections.abc import Callable, Iterator

import certifi
import httpcore
import httpx

from engine.workers.addresses import AllowedHosts


def tls_context() -> ssl.SSLContext:
    """Certificates are checked against the machine's authorities (where an office's own one is installed) and the public ones."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Deadline:
    """``seconds`` from now, by ``stopwatch`` (seconds, monotonic)."""

    def __init__(self, seconds: float, stopwatch: Callable[[], float]) -> None:
        self._stopwatch, self._end = stopwatch, stopwatch() + seconds

    def left(self) -> float:
        """Seconds left.  Raises :class:`httpcore.TimeoutException` when there are none."""
        left = self._end - self._stopwatch()
        if left <= 0:
            raise httpcore.TimeoutException("the time for the call is over")
        return left


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left())

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> typing.Any:
        return self._inner.get_extra_info(info)

    def close(self) -> None:
        self._inner.close()


class _Backend(httpcore.NetworkBackend):
    """Connects to the checked address of a host; the name stays in the Host header and in the TLS handshake."""

    def __init__(self, scheme: str, hosts: AllowedHosts, deadline: Deadline) -> None:
        self._scheme, self._hosts, self._deadline = scheme, hosts, deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: typing.Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        address = self._hosts.address(self._scheme, plain_host(host), port)
        stream = self._inner.connect_tcp(address, port, self._deadline.left(), local_address, socket_options)
        return _Stream(stream, self._deadline)


class _Body(httpx.SyncByteStream):
    def __init__(self, inner: typing.Iterable[bytes], close: Callable[[], None]) -> None:
        self._inner, self._close = inner, close

    def __iter__(self) -> Iterator[bytes]:
        yield from self._inner

    def close(self) -> None:
        self._close()


class CheckedTransport(httpx.BaseTransport):
    """Every request has a connection of its own, opened under the checks; raises the exceptions of httpcore and :class:`JobFailed`."""

    def __init__(self, hosts: AllowedHosts, deadline: Deadline, tls: ssl.SSLContext) -> None:
        self._hosts, self._deadline, self._tls = hosts, deadline, tls

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        pool = httpcore.ConnectionPool(
            ssl_context=self._tls,
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=_Backend(url.scheme, self._hosts, self._deadline),
        )
        try:
            answer = pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                )
            )
        except BaseException:
            pool.close()
            raise

        def close() -> None:
            answer.close()
            pool.close()

        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer.iter_stream(), close))


def plain_host(host: str) -> str:
    """A host as the allow-lists have it: lower case, without brackets and the dot at the end."""
    return host.lower().strip("[]").rstrip(".")
