"""What the tests of the workers have in common: processes, jobs without a database, a web server and a mail server on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from engine import Engine
from engine.runtime.types import Job
from engine.workers import JobContext
from tests.runtime.conftest import deploy

__all__ = ["deploy"]


@pytest.fixture
def job(clock: Any) -> Iterator[Callable[..., JobContext]]:
    """A job as a worker sees it, without a process: ``job("http", {"url": …}, resultVariable="x")`` (variables, then headers)."""
    engine = Engine("sqlite://", clock=clock)

    def make(type: str, variables: dict[str, Any] | None = None, **headers: str) -> JobContext:
        return JobContext(engine, Job(4711, 1, "call", type, 3, headers, dict(variables or {}), "w", clock.now, attempts=1, root_key=1))

    yield make
    engine.dispose()


class Site:
    """A web server of this machine.  ``answers`` maps a path to ``(status, headers, body)`` or a function of the handler."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.seen: list[dict[str, Any]] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = self.path.partition("?")[0]
                site.seen.append({"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body.decode()})
                made = site.answers.get(path, (404, {}, "nothing here"))
                if callable(made):
                    made(self)
                    return
                status, headers, content = made
                if not isinstance(content, bytes):
                    headers = {"Content-Type": "text/plain" if isinstance(content, str) else "application/json", **headers}
                    content = content.encode() if isinstance(content, str) else json.dumps(content).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = answer

            def log_message(self, *_: Any) -> None:
                return None

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def use_tls(self, context: Any) -> None:
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    made.start()
    yield made
    made.stop()
