"""Telling open pages that something has changed, by server-sent events.

An event says that there is news and nothing else; the page then asks for its part again through the ordinary view, with its filters
and the rights of whoever looks.  So nothing can leak through a stream.

Each open response holds a thread of the server.  Hence the bounds: so many streams a node (``live_streams``), a few a person, and each
ends by itself after some minutes, when the browser connects again.  A page that gets no stream polls.  All streams of a node share
one watcher, which asks the database once a second and only while somebody listens.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, Response

from engine.runtime.changes import Watch

log = logging.getLogger(__name__)

EXTENSION = "banjie.live"
"""Where the hub stands in ``app.extensions``."""

DEFAULT_STREAMS = 16
PER_PERSON = 4
"""Streams of one person at a time: a window or two on each of two machines."""
STREAM_SECONDS = 300.0
BEAT_SECONDS = 15.0
"""Between two signs of life; a proxy that saw nothing for a minute would cut the connection."""
LOOK_SECONDS = 1.0
RETRY_MS = 2000
"""How long the browser waits before it connects again."""
MARGIN_MS = 10_000
"""A page may have been drawn before a transaction committed whose keys were made earlier."""

HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class Listener:
    """One open stream."""

    def __init__(self, hub: Hub, login: str, count: int) -> None:
        self.hub, self.login, self._count = hub, login, count

    def wait(self, seconds: float) -> bool:
        """Whether there was news within ``seconds``; returns early when there is, or when the hub was closed."""
        hub = self.hub
        with hub.condition:
            hub.condition.wait_for(lambda: hub.closed or hub.count != self._count, seconds)
            news = hub.count != self._count
            self._count = hub.count
        return news


class Hub:
    """The streams of this node and the one watcher they share.

    ``make_watch`` makes the object that is asked (:class:`engine.runtime.changes.Watch`); ``most`` is the bound on streams, 0 for none.
    """

    def __init__(self, make_watch: Callable[[], Watch], most: int, pause: float = LOOK_SECONDS) -> None:
        self.most, self.count, self.closed = most, 0, False
        self.condition = threading.Condition()
        self._make_watch, self._pause = make_watch, pause
        self._listeners: set[Listener] = set()
        self._watch: Watch | None = None
        self._watcher: threading.Thread | None = None

    @property
    def streams(self) -> int:
        return len(self._listeners)

    @property
    def watching(self) -> bool:
        """Whether the database is being asked."""
        return self._watcher is not None

    def join(self, login: str) -> Listener | None:
        """A place for one stream, or ``None`` when there is none left on this node or for this person."""
        with self.condition:
            own = sum(listener.login == login for listener in self._listeners)
            if self.closed or len(self._listeners) >= self.most or own >= PER_PERSON:
                return None
            listener = Listener(self, login, self.count)
            self._listeners.add(listener)
            if self._watcher is None:
                self._watch = None
                self._watcher = threading.Thread(target=self._run, name="live-watcher", daemon=True)
                self._watcher.start()
            return listener

    def leave(self, listener: Listener) -> None:
        """Give the place back; a second time does nothing."""
        with self.condition:
            self._listeners.discard(listener)
            self.condition.notify_all()

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        with self.condition:
            self.closed = True
            self.condition.notify_all()

    def rested(self, seconds: float) -> bool:
        """Whether the watcher has stopped asking, or does within ``seconds``: then no connection is in use."""
        with self.condition:
            return self.condition.wait_for(lambda: self._watcher is None, seconds)

    def changed_since(self, key: int) -> bool:
        """Whether something was written after a page that was drawn when ``key`` was made; waits for the watcher's first look."""
        with self.condition:
            self.condition.wait_for(lambda: self.closed or self._watch is not None, 5 * self._pause)
            return self._watch is not None and self._watch.newest > key - (MARGIN_MS << 22)

    def _run(self) -> None:
        watch = self._make_watch()
        while True:
            news = self._look(watch)
            with self.condition:
                self._watch = watch
                self.count += news
                self.condition.notify_all()
                self.condition.wait_for(lambda: self.closed or not self._listeners, self._pause)
                if self.closed or not self._listeners:
                    self._watcher = None
                    self.condition.notify_all()
                    return

    @staticmethod
    def _look(watch: Watch) -> bool:
        try:
            return watch.look()
        except Exception:
            # A database that is away for a moment must not end the watching; the pages' own requests will say what is wrong.
            log.warning("could not ask for changes", exc_info=True)
            return False


def init_live(app: Flask, engine: Any, settings: Any) -> Hub:
    """Give ``app`` its hub; no thread is started before somebody listens."""
    hub = Hub(lambda: Watch(engine), getattr(settings, "live_streams", DEFAULT_STREAMS))
    app.extensions[EXTENSION] = hub
    return hub


def no_stream() -> Response:
    """The answer that tells a browser not to connect again: the page polls."""
    return Response(status=204)


def stream(
    hub: Hub, login: str, since: int, seconds: float, alive: Callable[[], bool], disconnected: Callable[[], bool], stopwatch: Callable[[], float] = time.monotonic
) -> Response:
    """An event stream for ``login`` of at most ``seconds``, or :func:`no_stream` when all places are taken.

    ``since`` is the key made when the page was drawn.  ``alive`` is asked at each beat whether the session still holds,
    ``disconnected`` each second whether the browser has gone.
    """
    listener = hub.join(login) if seconds > 0 else None
    if listener is None:
        return no_stream()
    response = Response(_events(hub, listener, since, min(seconds, STREAM_SECONDS), alive, disconnected, stopwatch), headers=HEADERS)
    # Also when the browser has gone before the first line was sent, and the generator was never begun.
    response.call_on_close(lambda: hub.leave(listener))
    return response


def _events(
    hub: Hub, listener: Listener, since: int, seconds: float, alive: Callable[[], bool], disconnected: Callable[[], bool], stopwatch: Callable[[], float]
) -> Iterator[bytes]:
    begun = beaten = stopwatch()
    yield b"retry: %d\nevent: ready\ndata: 1\n\n" % RETRY_MS
    news = hub.changed_since(since)
    while not hub.closed and not disconnected() and stopwatch() - begun < seconds:
        if news:
            yield b"event: changed\ndata: 1\n\n"
        if stopwatch() - beaten >= BEAT_SECONDS:
            beaten = stopwatch()
            if not alive():
                return
            yield b": still here\n\n"
        news = listener.wait(LOOK_SECONDS)
