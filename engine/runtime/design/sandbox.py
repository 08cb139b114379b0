"""A fresh engine in memory for trying a draft: it knows the office's people, calendar, rules and procedures, and touches nothing real.

What the office has is copied once for each state of it, with the draft deployed on top, and kept as the bytes of an SQLite
database; a dry run restores those bytes and is ready in a few milliseconds.  The sandbox has no channel out of the house, no
worker and no scheduler: time moves only when its :class:`SandboxClock` is set, jobs are answered by whoever plays.
"""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Table, func, insert, select

from engine.bpmn.reader import read_bpmn
from engine.errors import DeploymentRejected, ValidationFailed
from engine.runtime.desk import Desk
from engine.runtime.effects import Effects
from engine.runtime.engine import Engine
from engine.runtime.examining import READERS
from engine.runtime.limits.worktime import VERSION, calendar_version
from engine.runtime.settings import DeskSettings
from engine.store import tables
from engine.words import T

if TYPE_CHECKING:
    from engine.deadlines import WorkCalendar
    from engine.organisation import Directory
    from engine.runtime.catalogue import Definition
    from engine.runtime.unit import Unit

Result = TypeVar("Result")

NODE = "sandbox"
KEPT = 12
"""Prepared databases kept in memory, about one megabyte each: the drafts that people are trying just now."""
REMEMBER_SECONDS = 86_400
"""How long a sandbox believes what it was given about people and the calendar: longer than any sandbox lives."""
COPIED: tuple[Table, ...] = (
    tables.section,
    tables.role,
    tables.person,
    tables.person_role,
    tables.deputy,
    tables.calendar_year,
    tables.calendar_day,
)
"""What a draft needs of the office besides what is deployed."""
LEFT_BEHIND = {
    "password_hash": None, "phone": None, "email": None, "failed_logins": 0, "locked_until": None, "last_login_at": None, "session_epoch": 0,
}  # fmt: skip
"""Columns of a person that a dry run has no use for."""


class SandboxClock:
    """The sandbox's present, an aware UTC datetime in ``now``; only moved forward, and only by whoever plays."""

    def __init__(self, now: datetime) -> None:
        self.now = now.astimezone(UTC)

    def __call__(self) -> datetime:
        return self.now


class WatchedDesk(Desk):
    """A desk that keeps what each command did, for whoever tells the story of the run."""

    def __init__(self, engine: Engine, settings: DeskSettings) -> None:
        super().__init__(engine, settings)
        self.doing: list[Effects] = []
        self.done: list[Effects] = []

    def observe(self, tx: Any, effects: Effects) -> None:
        super().observe(tx, effects)
        self.doing.append(effects)


class SandboxEngine(Engine):
    """An engine over a database of its own in memory."""

    desk: WatchedDesk

    def __init__(self, clock: Callable[[], datetime], settings: DeskSettings) -> None:
        super().__init__("sqlite://", clock=clock, settings=settings, node=NODE)
        self.desk = WatchedDesk(self, settings)

    def command(self, action: Callable[[Unit], Result], *, by: str | None, address: str | None = None) -> Result:
        # What is refused has not happened, whatever the desk was told before the refusal.
        self.desk.doing = []
        result = super().command(action, by=by, address=address)
        self.desk.done += self.desk.doing
        self.desk.doing = []
        return result


@dataclass(frozen=True)
class Prepared:
    """A database ready to be restored: its bytes, the parsed content of what is deployed in it, and the pictures of the office."""

    database: bytes
    definitions: tuple[Definition, ...]
    settings: DeskSettings
    directory: Directory
    calendar: WorkCalendar
    process_id: str | None


class _Shelf:
    """The prepared databases used last; safe from many threads."""

    def __init__(self, room: int) -> None:
        self._room, self._lock, self._kept = room, threading.Lock(), OrderedDict[Any, Prepared]()

    def get(self, key: Any) -> Prepared | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: Any, prepared: Prepared) -> Prepared:
        with self._lock:
            self._kept[key] = prepared
            while len(self._kept) > self._room:
                self._kept.popitem(last=False)
        return prepared


_shelf = _Shelf(KEPT)


class Sandbox:
    """The files of a draft on an engine of their own; a context manager.

    ``desk`` is the real one, which is only read.  ``files`` is the draft (name → text or bytes), ``at`` the instant at which the
    run begins.  Raises :class:`DeploymentRejected` when the draft could not be deployed, :class:`ValidationFailed` for an ``at``
    without a time zone.
    """

    def __init__(self, desk: Desk, files: Mapping[str, str | bytes], at: datetime) -> None:
        if at.tzinfo is None:
            raise ValidationFailed(T("The beginning of a dry run needs a time zone."))
        self.clock = SandboxClock(at)
        prepared = _prepared(desk, deployable(files), self.clock.now)
        self.process_id = prepared.process_id
        """The procedure of the draft; ``None`` when there are several processes and no procedure sheet says which."""
        self.engine = _restored(prepared, self.clock)
        self.desk = self.engine.desk
        self.desk.translator = desk.translator

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database; nothing of the run remains."""
        self.engine.dispose()


def deployable(files: Mapping[str, str | bytes]) -> dict[str, bytes]:
    """Those of a draft's files that are deployed: neither scenarios nor the README."""
    return {
        name: content.encode() if isinstance(content, str) else bytes(content)
        for name, content in files.items()
        if PurePosixPath(name).suffix.lower() in READERS
    }


def process_of(files: Mapping[str, str | bytes]) -> str | None:
    """The procedure that a draft is about: the one of its sheet, else its only process."""
    sheets, processes = [], []
    for name, content in deployable(files).items():
        found, _ = READERS[PurePosixPath(name).suffix.lower()](content, name)
        sheets += [item.id for item in found if item.kind == "procedure"]
        processes += [item.id for item in found if item.kind == "process"]
    return next(iter(sheets), processes[0] if len(processes) == 1 else None)


# --- preparing ---------------------------------------------------------------------------------------------------------------


def _prepared(desk: Desk, files: dict[str, bytes], at: datetime) -> Prepared:
    with desk.engine.reading() as conn:
        office = _office(desk, conn, any(b"versionTag" in content for content in files.values()))
        draft = hashlib.sha256()
        for name, content in sorted(files.items()):
            draft.update(f"{name}\0{len(content)}\0".encode() + content)
        # A timer that starts cases counts from the deployment, so such a draft is deployed anew for each beginning.
        key = (office.state, draft.hexdigest(), at if any(_has_start_timer(*each) for each in files.items()) else None)
        found = _shelf.get(key)
        if found is not None:
            return found
        base = _shelf.get(office.state) or _shelf.put(office.state, _copied(desk, conn, office, at))
    return _shelf.put(key, _with_draft(base, files, at))


def content_sum(desk: Desk, conn: Connection, files: Mapping[str, str | bytes]) -> str:
    """SHA-256 of all that a run of ``files`` depends on: the files, what is deployed, the organisation, the calendar, the program.

    Two runs with the same sum go the same way: a scenario says at which instant it begins, so the day on which it is played is no matter.
    """
    texts = {name: content.encode() if isinstance(content, str) else bytes(content) for name, content in files.items()}
    office = _office(desk, conn, any(b"versionTag" in content for content in texts.values()))
    found = hashlib.sha256(repr((office.state[1:], _release())).encode())
    for name, content in sorted(texts.items()):
        found.update(f"{name}\0{len(content)}\0".encode() + content)
    return found.hexdigest()


@lru_cache(maxsize=1)
def _release() -> str:
    """The release of the program: a newer one may play otherwise."""
    try:
        return version("banjie")
    except PackageNotFoundError:
        return ""


@dataclass(frozen=True)
class _Office:
    """What stands in the real store, short: ``state`` is equal exactly when a copy would be."""

    state: tuple[Any, ...]
    definitions: tuple[Definition, ...] = field(compare=False)
    people: Mapping[str, list[dict[str, Any]]] = field(compare=False)


def _office(desk: Desk, conn: Connection, every_version: bool) -> _Office:
    catalogue = desk.engine.catalogue
    catalogue.refresh(conn)
    latest: dict[tuple[str, str], Definition] = {}
    for each in sorted(catalogue.all(conn), key=lambda each: each.version):
        mark = (each.kind, each.id, each.version) if every_version and each.kind in ("process", "decision") else (each.kind, each.id)
        latest[mark] = each  # type: ignore[index]
    definitions = tuple(catalogue.get(each.key, conn) for each in latest.values())
    people = {table.name: [dict(row) for row in conn.execute(select(table)).mappings()] for table in COPIED[:5]}
    for row in people["person"]:
        row.update(LEFT_BEHIND)
    days = conn.execute(select(func.count()).select_from(tables.calendar_day)).scalar_one()
    own = hashlib.sha256(repr(sorted((name, sorted(map(repr, rows))) for name, rows in people.items())).encode()).hexdigest()
    state = (
        desk.engine.database.name, tuple(sorted((each.key, each.revision) for each in definitions)), own, calendar_version(conn), days,
        desk.settings,
    )  # fmt: skip
    return _Office(state, definitions, people)


@lru_cache(maxsize=64)
def _has_start_timer(name: str, content: bytes) -> bool:
    if not name.lower().endswith(".bpmn") or b"timerEventDefinition" not in content:
        return False
    specs = read_bpmn(content, name).processes.values()
    return any(each.kind == "timer" for spec in specs for start in spec.starters for each in start.definitions)


def _copied(desk: Desk, conn: Connection, office: _Office, at: datetime) -> Prepared:
    """The office's rows in an empty database of the same schema."""
    settings = dataclasses.replace(desk.settings, outbox_channels=(), public_url="", cache_seconds=REMEMBER_SECONDS)
    engine = SandboxEngine(SandboxClock(at), settings)
    keys = [each.key for each in office.definitions]
    rows = dict(office.people)
    rows |= {table.name: [dict(row) for row in conn.execute(select(table)).mappings()] for table in COPIED[5:]}
    for table, chosen in (
        (tables.definition, tables.definition.c.key.in_(keys)),
        (tables.resource, tables.resource.c.key.in_({each.resource_key for each in office.definitions})),
        (tables.deployment, tables.deployment.c.key.in_({each.deployment_key for each in office.definitions})),
        (tables.subscription, tables.subscription.c.definition_key.in_(keys)),
        (tables.setting, tables.setting.c.name == VERSION),
    ):
        rows[table.name] = [dict(row) for row in conn.execute(select(table).where(chosen)).mappings()]
    with engine.database.writing() as own:
        tables.metadata.create_all(own)
        for name, each in rows.items():
            if each:
                own.execute(insert(tables.metadata.tables[name]), each)
    directory, calendar = desk.people.directory(conn), desk.engine.calendar
    prepared = Prepared(_bytes_of(engine), office.definitions, settings, directory, calendar, None)
    engine.dispose()
    return prepared


def _with_draft(base: Prepared, files: dict[str, bytes], at: datetime) -> Prepared:
    engine = _restored(base, SandboxClock(at))
    try:
        process_id = process_of(files)
        if not files:
            raise DeploymentRejected([])
        deployment = engine.deploy(files, by=NODE)
        # Parsed here once, not by every run.
        for each in deployment.definitions:
            engine.catalogue.get(each.key)
        definitions = tuple(each for each in engine.catalogue.all() if each.model is not None)
        return dataclasses.replace(base, database=_bytes_of(engine), definitions=definitions, process_id=process_id)
    finally:
        engine.dispose()


def _bytes_of(engine: Engine) -> bytes:
    with engine.reading() as conn:
        return _raw(conn).serialize()


def _restored(prepared: Prepared, clock: SandboxClock) -> SandboxEngine:
    engine = SandboxEngine(clock, prepared.settings)
    with engine.database.sa.connect() as conn:
        _raw(conn).deserialize(prepared.database)
    engine.catalogue.borrow(prepared.definitions)
    engine.desk.people.hold(prepared.directory)
    engine.desk.hold_calendar(prepared.calendar)
    return engine


def _raw(conn: Connection) -> Any:
    """The driver's own connection, which can copy a database as bytes."""
    return conn.connection.driver_connection


def processes_of(files: Iterable[tuple[str, bytes]]) -> dict[str, str]:
    """Process id → file name, of the BPMN files among ``files``."""
    return {id: name for name, content in files if name.lower().endswith(".bpmn") for id in read_bpmn(content, name).processes}
