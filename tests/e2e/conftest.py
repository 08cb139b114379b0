"""A served desk, a browser for each person, and a look at the console after every test.

One server and one browser serve the whole session; each test opens cases of its own.  Time only moves forward (the demo clock), so tests
of limits come last: their files are named so that they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import Engine
from tests.support.browser import BrowserPlayer, Desk
from tests.support.by_requests import RequestsPlayer
from tests.support.player import ROOT, named
from tests.support.server import RunningServer

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def _built_assets() -> str:
    """Why the browser's files are missing, or nothing."""
    manifest = ROOT / "web" / "static" / "build" / "manifest.json"
    return "" if manifest.exists() else "the browser's files are not built yet; “make assets” builds them"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, _built_assets: str) -> Iterator[RunningServer]:
    """One ``banjie serve`` on an SQLite file, with the delivered procedures and the demo organisation."""
    if _built_assets:
        pytest.fail(_built_assets, pytrace=False)
    running = RunningServer(tmp_path_factory.mktemp("desk")).start(prepare=True)
    yield running
    running.stop()
    assert "Traceback" not in running.log, running.log


@pytest.fixture(scope="session")
def onlooker(server: RunningServer) -> Iterator[Engine]:
    """An engine that only looks at the server's database."""
    engine = server.onlooker()
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def designing(server: RunningServer) -> Iterator[Engine]:
    """An engine on the served database, to make drafts and to read what was saved."""
    engine = Engine(server.database)
    yield engine
    engine.dispose()


@pytest.fixture
def desk(browser: Any, server: RunningServer) -> Iterator[Desk]:
    """The served desk in Chromium; each person has their own context.  A message in the console fails the test."""
    opened = Desk(browser, server)
    yield opened
    opened.close()
    assert not opened.troubles, "\n".join(opened.troubles)


@pytest.fixture
def in_browser(desk: Desk) -> Iterator[Callable[[str], BrowserPlayer]]:
    """``in_browser("complaint_c")``: a player of that scenario at the pages."""
    made: list[BrowserPlayer] = []

    def make(name: str) -> BrowserPlayer:
        made.append(BrowserPlayer(desk, named(name)))
        return made[-1]

    yield make
    for each in made:
        each.engine.dispose()


@pytest.fixture
def by_requests(server: RunningServer) -> Iterator[Callable[..., RequestsPlayer]]:
    """The same by plain requests: a quick way to a case at the step a test is about."""
    made: list[RequestsPlayer] = []

    def make(name: str, on: RunningServer | None = None, **options: Any) -> RequestsPlayer:
        made.append(RequestsPlayer(on or server, named(name), **options))
        return made[-1]

    yield make
    for each in made:
        each.engine.dispose()
