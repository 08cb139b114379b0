"""The desk through HTTP against a bare Flask view that sends the same writes by hand.

A procedure with a start form and its first step are taken from the scenarios of the tests; the office is the demonstration's.
The bare view has no permission, no form, no model, no session, and reads nothing: it takes the posted JSON, sends the INSERTs,
UPDATEs and DELETEs that the desk was seen to send, with fresh keys, and commits once.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flask import Flask, redirect, request
from sqlalchemy import select

from engine import Engine, EngineError
from engine.runtime import demo
from engine.store import tables
from tests.bench.measuring import Sent, interleaved, row, sent_by
from tests.support.player import SCENARIOS, read
from web.app import create_app

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 23, 1, 5, tzinfo=UTC)
REPETITIONS = 60
SAVED_CASES = 40
"""Cases in the desk before anything is measured, so that lists have something to sort."""


class Office:
    """The demonstration's office with the delivered procedures, and one step of one of them to repeat."""

    def __init__(self, url: str) -> None:
        # The cases of the scenarios are dated; the clock stands still, so both sides write the same instants.
        self.engine = Engine(url, clock=lambda: NOW)
        self.engine.migrate()
        files = {path.name: path for folder in ("processes", "forms") for path in sorted((ROOT / folder).rglob("*")) if path.is_file()}
        deployable = {".bpmn", ".dmn", ".form", ".yaml"}
        content = {
            str(path.relative_to(ROOT)): path.read_bytes() for path in files.values() if path.suffix in deployable and path.name != "procedure.yaml"
        }
        content |= {str(path.relative_to(ROOT)): path.read_bytes() for path in (ROOT / "processes").glob("*/procedure.yaml")}
        self.engine.deploy(content, by="bench")
        demo.load(self.engine, cases={"cases": []})
        self.app = create_app(SimpleNamespace(secret_key="only for measuring, long enough"), self.engine, TESTING=True, WTF_CSRF_ENABLED=False)
        self.scenario = self._usable()
        self.tokens = 0

    def _usable(self) -> dict[str, Any]:
        """The first scenario, by name, whose start and first step can be repeated: a start form and plain data."""
        for scenario in map(read, SCENARIOS):
            step = (scenario["steps"] or [{}])[0]
            data = step.get("data") or {}
            if not scenario.get("start") or not step.get("element") or any(str(value).startswith("=") for value in data.values()):
                continue
            for login in self.logins(scenario["by"]):
                try:
                    instance = self.engine.desk.start_case(scenario["process"], scenario["start"], by=login)
                except EngineError:
                    continue
                if step["element"] in self.open_tasks(instance.key):
                    return {**scenario, "login": login, "step": step}
        raise SystemExit("No scenario can be started with the demonstration's people.")

    def logins(self, who: str) -> list[str]:
        """The people a scenario means: a login, a role, or ``role@section``."""
        directory = self.engine.desk.people.directory()
        return [who] if who in directory.people else sorted(directory.members(who))

    def open_tasks(self, key: int) -> dict[str, Any]:
        return {task.element_id: task for task in self.engine.user_tasks() if task.root_key == key}

    def client(self, login: str) -> Any:
        """A browser of Flask's own kind, signed in."""
        client = self.app.test_client()
        with self.engine.reading() as conn:
            epoch = conn.execute(select(tables.person.c.session_epoch).where(tables.person.c.login == login)).scalar_one()
        with client.session_transaction() as session:
            session.update(login=login, epoch=epoch, seen=int(self.app.config["SESSION_CLOCK"]()), language="zh")
        return client

    def token(self) -> str:
        self.tokens += 1
        return f"token-{self.tokens}"

    def start(self, client: Any = None) -> int:
        """Post the start form; gives the new case's key."""
        form = {"data": json.dumps(self.scenario["start"], ensure_ascii=False), "command_token": self.token()}
        answer = (client or self.client(self.scenario["login"])).post(f"/start/{self.scenario['process']}", data=form)
        if answer.status_code != 302:
            raise SystemExit(f"The start form was refused ({answer.status_code}): {_sentence(answer.text)}")
        return int(re.findall(r"\d+", answer.location)[-1])

    def first_task(self, case: int) -> Any:
        return self.open_tasks(case)[self.scenario["step"]["element"]]

    def worker(self, task: Any) -> str:
        """Somebody who may complete ``task``."""
        directory = self.engine.desk.people.directory()
        names = [task.assignee] if task.assignee else [*task.candidate_users, *(one for group in task.candidate_groups for one in directory.members(group))]
        return sorted(names)[0]

    def complete(self, client: Any, task: Any) -> None:
        """Post the first step's form."""
        step = self.scenario["step"]
        form = {
            "data": json.dumps(step.get("data") or {}, ensure_ascii=False),
            "outcome": step.get("outcome") or "",
            "opinion": step.get("opinion") or "",
            "revision": str(task.revision),
            "command_token": self.token(),
        }
        answer = client.post(f"/task/{task.key}", data=form)
        if answer.status_code != 302:
            raise SystemExit(f"The first step was refused ({answer.status_code}): {_sentence(answer.text)}")

    def case_no(self, case: int) -> str:
        with self.engine.reading() as conn:
            return conn.execute(select(tables.case_file.c.case_no).where(tables.case_file.c.key == case)).scalar_one()


def _sentence(page: str) -> str:
    text = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())[:600]


@dataclass
class Recording:
    """The writes of one start and one completion, to be sent again with fresh keys."""

    start: Sent
    completion: Sent
    unique: dict[str, str]

    def again(self, sent: Sent, turn: int) -> Iterator[tuple[str, Any]]:
        """The writes of ``sent`` as if for another case: keys made by the two commands and unique texts are changed."""
        if not hasattr(self, "made"):
            self.made = {value for part in (self.start, self.completion) for _, rows in part.writes for value in _values(rows) if _is_key(value)}
            self.made -= self.kept
        shift = (turn + 1) << 40

        def fresh(value: Any) -> Any:
            if _is_key(value) and value in self.made:
                return value + shift
            if isinstance(value, str) and value in self.unique:
                return f"{self.unique[value]}{turn}"
            return value

        for statement, rows in sent.writes:
            yield statement, _mapped(rows, fresh)

    kept: frozenset[int] = frozenset()


def _is_key(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 1 << 50


def _values(rows: Any) -> Iterator[Any]:
    for item in rows.values() if isinstance(rows, dict) else rows:
        if isinstance(item, (dict, tuple, list)):
            yield from _values(item)
        else:
            yield item


def _mapped(rows: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(rows, dict):
        return {name: change(value) for name, value in rows.items()}
    if isinstance(rows, list):
        return [_mapped(item, change) for item in rows]
    return tuple(change(value) for value in rows)


def bare_app(write: Callable[[Iterator[tuple[str, Any]]], None], recording: Recording) -> Flask:
    """A Flask application of two views that only write."""
    app = Flask("bare")

    @app.post("/start/<int:turn>")
    def start(turn: int):
        json.loads(request.form["data"])
        write(recording.again(recording.start, turn))
        return redirect(f"/case/{turn}")

    @app.post("/task/<int:turn>")
    def complete(turn: int):
        json.loads(request.form["data"])
        write(recording.again(recording.completion, turn))
        return redirect("/inbox")

    return app


def by_driver(connection: Any, begin: str) -> Callable[[Iterator[tuple[str, Any]]], None]:
    """Writes over one kept connection of the bare driver."""

    def write(statements: Iterator[tuple[str, Any]]) -> None:
        cursor = connection.cursor()
        if begin:
            cursor.execute(begin)
        for statement, rows in statements:
            (cursor.executemany if isinstance(rows, list) else cursor.execute)(statement, rows)
        connection.commit()
        cursor.close()

    return write


def by_sqlalchemy(engine: Engine) -> Callable[[Iterator[tuple[str, Any]]], None]:
    """Writes over a pooled connection of SQLAlchemy, which most Flask applications use; the SQL is ready text here too."""

    def write(statements: Iterator[tuple[str, Any]]) -> None:
        with engine.database.writing() as connection:
            for statement, rows in statements:
                connection.exec_driver_sql(statement, rows)

    return write


def measure(office: Office, copied: Callable[[Office], tuple[Any, str, str]]) -> None:
    """Print the figures of one kind of database.

    ``copied`` makes a copy of the office's database for the bare views: a driver's connection to it, the statement that begins a
    transaction there if one is needed, and its URL.
    """
    for _ in range(SAVED_CASES):
        office.start()
    case = office.start()
    worker = office.worker(office.first_task(case))
    office.complete(office.client(worker), office.first_task(case))

    with office.engine.reading() as conn:
        known = frozenset(conn.execute(select(tables.definition.c.key)).scalars()) | frozenset(conn.execute(select(tables.resource.c.key)).scalars())
    client = office.client(office.scenario["login"])
    with sent_by(office.engine) as start:
        case = office.start(client)
    start_token = f"token-{office.tokens}"
    task, client = office.first_task(case), office.client(worker)
    with sent_by(office.engine) as completion:
        office.complete(client, task)
    with sent_by(office.engine) as inbox:
        page = client.get("/inbox")
    if page.status_code != 200:
        raise SystemExit(f"The inbox answered {page.status_code}.")
    row("start: statements / commits", f"{len(start.statements)} / {start.commits}", "goal 14 / 1")
    row("completion: statements / commits", f"{len(completion.statements)} / {completion.commits}", "goal 14 / 1")
    row("inbox page: statements", f"{len(inbox.statements)}", "goal 5")

    unique = {start_token: "again-", f"token-{office.tokens}": "done-", office.case_no(case): "NO-"}
    recording = Recording(start, completion, unique)
    recording.kept = known
    connection, begin, url = copied(office)
    second = Engine(url, clock=lambda: NOW)
    driver = bare_app(by_driver(connection, begin), recording).test_client()
    alchemy = bare_app(by_sqlalchemy(second), recording).test_client()
    bodies = {
        "start": {"data": json.dumps(office.scenario["start"], ensure_ascii=False)},
        "task": {"data": json.dumps(office.scenario["step"].get("data") or {}, ensure_ascii=False)},
    }

    def bare(client: Any, what: str, offset: int) -> Callable[[int], None]:
        def post(turn: int) -> None:
            answer = client.post(f"/{what}/{turn + offset}", data=bodies[what])
            if answer.status_code != 302:
                raise SystemExit(f"The bare view answered {answer.status_code}.")

        return post

    # Each post comes from a fresh session: a browser shows, and so drops, the message of one post before it sends the next.
    clerks = [office.client(office.scenario["login"]) for _ in range(REPETITIONS)]
    starts = interleaved(
        REPETITIONS,
        desk=lambda turn: office.start(clerks[turn]),
        driver=bare(driver, "start", 0),
        alchemy=bare(alchemy, "start", REPETITIONS),
    )
    waiting = [office.first_task(office.start()) for _ in range(REPETITIONS)]
    workers = [office.client(worker) for _ in range(REPETITIONS)]
    completions = interleaved(
        REPETITIONS,
        desk=lambda turn: office.complete(workers[turn], waiting[turn]),
        driver=bare(driver, "task", 0),
        alchemy=bare(alchemy, "task", REPETITIONS),
    )
    connection.close()
    second.dispose()
    for what, times in (("start", starts), ("completion", completions)):
        for name, label in (("alchemy", "bare view with SQLAlchemy"), ("driver", "bare view with the driver alone")):
            ratio = times["desk"] / times[name]
            row(f"{what} through HTTP: desk / {label}", f"{times['desk']:.1f} / {times[name]:.1f} ms", f"{ratio:.1f}×, goal 2×")
    pages = interleaved(20, inbox=lambda turn: client.get("/inbox"))
    row("inbox page through HTTP", f"{pages['inbox']:.1f} ms")


def on_sqlite(folder: Path) -> None:
    import sqlite3

    office = Office(f"sqlite:///{folder / 'office.db'}")

    def copy(office: Office) -> tuple[Any, str, str]:
        with sqlite3.connect(folder / "office.db") as source, sqlite3.connect(folder / "bare.db") as target:
            source.backup(target)
        source.close()
        target.close()
        made = sqlite3.connect(folder / "bare.db", isolation_level=None)
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("PRAGMA synchronous=NORMAL")
        return made, "BEGIN IMMEDIATE", f"sqlite:///{folder / 'bare.db'}"

    measure(office, copy)
    office.engine.dispose()


@contextmanager
def _postgres() -> Iterator[Any]:
    from tests.conftest import PostgresServer

    try:
        server = PostgresServer()
    except (ImportError, OSError, RuntimeError) as trouble:
        print(f"  left out: {trouble}")
        yield None
        return
    # Measured as it would be used, with a disk that keeps what it was told.
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        server.execute(f"ALTER SYSTEM SET {setting} = on")
    server.execute("SELECT pg_reload_conf()")
    try:
        yield server
    finally:
        server.stop()


def on_postgres(folder: Path) -> None:
    import psycopg

    with _postgres() as server:
        if server is None:
            return
        name = server.create(migrated=False)
        office = Office(server.url(name))

        def copy(office: Office) -> tuple[Any, str, str]:
            office.engine.database.dispose()
            server.execute(f"CREATE DATABASE bare TEMPLATE {name}")
            made = psycopg.connect(server.url("bare").replace("postgresql+psycopg://", "postgresql://", 1))
            return made, "", server.url("bare")

        measure(office, copy)
        office.engine.dispose()


def run(folder: Path) -> None:
    """The part of the report that goes through HTTP, on each kind of database."""
    kinds = os.environ.get("BANJIE_BENCH_DATABASES", "sqlite,postgresql").split(",")
    for kind, measured in (("sqlite", on_sqlite), ("postgresql", on_postgres)):
        if kind in kinds:
            print(f"The desk through HTTP ({kind})")
            measured(folder)
            print()
