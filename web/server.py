"""Serving: an address that is surely ours, waitress on it, the acquirer beside it, and a stop that cuts nothing off."""

from __future__ import annotations

import errno
import logging
import signal
import socket
import threading
from typing import Any

from waitress.server import create_server

from engine.errors import EngineError
from web import live, scheduler
from web.config import Settings

log = logging.getLogger(__name__)

REST_SECONDS = 5.0
"""How long the stop waits for a question to the database that is under way."""
CONNECTIONS = 100
"""Browsers connected to a node at the same time, beside those that listen to a stream."""


class CannotServe(EngineError):
    """The address cannot be served from; the sentence says why and what to change."""


def listen(settings: Settings) -> socket.socket:
    """Take the configured address before anything else is started.

    Raises :class:`CannotServe` when another program has the port, when the port needs rights we do not have, or when the
    host is not one of this machine's.
    """
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    # A restart must not wait for the closed connections of the last run to be forgotten.
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((host, port))
        taken.listen(socket.SOMAXCONN)
    except OSError as trouble:
        taken.close()
        place = {"host": host, "port": port}
        if trouble.errno == errno.EADDRINUSE:
            raise CannotServe("Port %(port)d on %(host)s is in use. Stop the other program or set another “port”.", **place) from trouble
        if trouble.errno == errno.EACCES:
            raise CannotServe("This account may not use port %(port)d. Set “port” to 1024 or more.", **place) from trouble
        raise CannotServe("The address %(host)s does not belong to this machine. Set “host” to one of its addresses.", **place) from trouble
    return taken


def address(settings: Settings) -> str:
    """What to type into a browser on this machine."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://[{host}]:{settings.port}/" if ":" in host else f"http://{host}:{settings.port}/"


def run(app: Any, engine: Any, settings: Settings, taken: socket.socket) -> None:
    """Answer requests on ``taken`` and look for due work until the process is asked to stop (SIGTERM or Ctrl-C).

    A request is read ahead, because only then does a stream learn at once that its browser has gone.
    """
    server = create_server(
        app, sockets=[taken], threads=settings.threads + settings.live_streams, ident="banjie", max_request_body_size=settings.max_request_bytes,
        clear_untrusted_proxy_headers=False, connection_limit=CONNECTIONS + settings.live_streams, channel_request_lookahead=1,
    )  # fmt: skip
    hub = app.extensions[live.EXTENSION]
    acquirer = scheduler.start(app, engine, settings.acquirer_interval_seconds)
    if threading.current_thread() is threading.main_thread():
        # Streams would keep the server's threads waiting at its stop; they are told first.
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda signum, frame: _interrupt(hub))
    workers = None
    try:
        workers = scheduler.start_workers(app, engine, settings)
        server.run()
    except KeyboardInterrupt:
        log.info("asked to stop")
    finally:
        hub.close()
        server.close()
        acquirer.stop()
        engine.desk.scenario_runs.stop()
        if workers is not None:
            workers.stop(scheduler.STOP_GRACE)
        hub.rested(REST_SECONDS)


def _interrupt(hub: live.Hub) -> None:
    hub.close()
    raise KeyboardInterrupt
