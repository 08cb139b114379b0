"""What is deployed: every version of every process, decision, form, sheet, rule table and ladder book.

The list lies in memory and is read anew when another node has deployed; parsed content is kept, because a version never
changes.  So a command finds its process and forms without a statement.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from engine.bpmn.reader import read_bpmn
from engine.deadlines.ladder import load_ladders
from engine.deadlines.monitoring_rules import load_monitoring
from engine.deadlines.rules import load_rules
from engine.dmn import parse_dmn, read_together
from engine.errors import InvalidState, NotFound
from engine.forms import compile_form
from engine.runtime.sheets import parse_sheet
from engine.store import tables

if TYPE_CHECKING:
    from engine.store.database import Database

FRESH_SECONDS = 1.0
"""How long a node may not know of another node's deployment."""

_STATE = select(
    func.max(tables.deployment.c.key),
    # Also counted: a deployment that began earlier may commit later than one with a higher key.
    func.count(tables.deployment.c.key),
    select(func.sum(tables.definition.c.revision)).scalar_subquery(),
)
"""Changes with every deployment and with every change of a definition's state."""

KINDS = ("process", "decision", "form", "procedure", "rules", "ladders", "monitoring")


def _process(content: bytes, file: str, id: str) -> Any:
    return read_bpmn(content, file).processes[id]


def _decision(content: bytes, file: str, id: str) -> Any:
    return parse_dmn(content, file).decisions[id]


LOADERS: dict[str, Callable[[bytes, str, str], Any]] = {
    "process": _process,
    "decision": _decision,
    "form": lambda content, file, id: compile_form(content, file),
    "procedure": lambda content, file, id: parse_sheet(file, content)[0],
    "rules": lambda content, file, id: load_rules(content),
    "ladders": lambda content, file, id: load_ladders(content),
    "monitoring": lambda content, file, id: load_monitoring(content),
}


@dataclass(eq=False)
class Definition:
    """One version of one deployed thing; ``model`` is its parsed content."""

    key: int
    kind: str
    id: str
    version: int
    name: str
    checksum: str
    deployment_key: int
    resource_key: int
    deployed_at: datetime
    deployed_by: str
    suspended_at: datetime | None = None
    revision: int = 1
    model: Any = field(default=None, repr=False)

    def require_startable(self) -> None:
        """Refuse to start a suspended version.  Raises :class:`InvalidState`."""
        if self.suspended_at is not None:
            raise InvalidState(
                "“%(name)s” (version %(version)d) is suspended and starts nothing. Resume it first.", name=self.name, version=self.version
            )


class Catalogue:
    """The deployed definitions of one database.  Safe from many threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.RLock()
        self._by_key: dict[int, Definition] = {}
        self._versions: dict[tuple[str, str], list[Definition]] = {}
        self._last: tuple[int | None, ...] | None = None
        self._until = 0.0

    def forget(self) -> None:
        """Look again at the next question: this node has deployed."""
        self._until = 0.0

    def refresh(self, conn: Connection | None = None) -> None:
        """Look whether another node has deployed, suspended or resumed something, if the last look is old enough."""
        self._refresh(conn)

    def borrow(self, definitions: Iterable[Definition]) -> None:
        """Know these versions with their parsed content already: of another database that holds the same rows under the same keys."""
        with self._lock:
            self._by_key.update({each.key: replace(each) for each in definitions})

    def find(self, kind: str, id: str, version: int | None = None, conn: Connection | None = None) -> Definition | None:
        """The given or the latest version, with its model; ``None`` when there is none."""
        self._refresh(conn)
        versions = self._versions.get((kind, id), [])
        if not versions:
            return None
        found = versions[-1] if version is None else next((item for item in versions if item.version == version), None)
        return found and self._loaded(found, conn)

    def deployed_by(self, kind: str, id: str, deployment_key: int, conn: Connection | None = None) -> Definition | None:
        """The version that was in force right after the deployment ``deployment_key``; ``None`` when there was none."""
        self._refresh(conn)
        versions = [item for item in self._versions.get((kind, id), []) if item.deployment_key <= deployment_key]
        return self._loaded(versions[-1], conn) if versions else None

    def tagged(self, kind: str, id: str, tag: str | None, conn: Connection | None = None) -> Definition | None:
        """The latest version that carries the version tag ``tag``; ``None`` when there is none."""
        self._refresh(conn)
        for item in reversed(self._versions.get((kind, id), [])):
            if getattr(self._loaded(item, conn).model, "version_tag", None) == tag:
                return item
        return None

    def get(self, key: int, conn: Connection | None = None) -> Definition:
        """The definition with this key.  Raises :class:`NotFound`."""
        found = self._by_key.get(key)
        if found is None:
            self.forget()
            self._refresh(conn)
            found = self._by_key.get(key)
        if found is None:
            raise NotFound("There is no definition %(key)s.", key=key)
        return self._loaded(found, conn)

    def latest(self, kind: str, conn: Connection | None = None) -> list[Definition]:
        """The latest version of everything of a kind, by id, with models."""
        self._refresh(conn)
        return [self._loaded(versions[-1], conn) for (its_kind, _), versions in sorted(self._versions.items()) if its_kind == kind]

    def all(self, conn: Connection | None = None) -> list[Definition]:
        """Every version of everything, without models."""
        self._refresh(conn)
        return list(self._by_key.values())

    def content(self, definition: Definition, conn: Connection | None = None) -> tuple[str, bytes]:
        """The file a definition came in: its name and bytes."""
        if conn is None:
            with self._database.reading() as own:
                return self.content(definition, own)
        resource = tables.resource
        row = conn.execute(select(resource.c.name, resource.c.content).where(resource.c.key == definition.resource_key)).one()
        return row.name, row.content

    def _loaded(self, definition: Definition, conn: Connection | None) -> Definition:
        if definition.model is None:
            # Threads that meet at a version nobody has used yet parse it once.
            with self._lock:
                if definition.model is None:
                    name, content = self.content(definition, conn)
                    if definition.kind == "decision" and b"importType" in content:
                        definition.model = self._importing(definition, name, content, conn)
                    else:
                        definition.model = LOADERS[definition.kind](content, name, definition.id)
        return definition

    def _importing(self, definition: Definition, name: str, content: bytes, conn: Connection | None) -> Any:
        """A decision whose file imports others: read with the decision files as they stood when it was deployed."""
        if conn is None:
            with self._database.reading() as own:
                return self._importing(definition, name, content, own)
        resource = tables.resource.c
        rows = conn.execute(
            select(resource.name, resource.content)
            .where(resource.deployment_key <= definition.deployment_key, resource.name.like("%.dmn"))
            .order_by(resource.deployment_key)
        )
        files = {row.name: row.content for row in rows} | {name: content}
        model, _ = read_together(files)[name]
        return model.decisions[definition.id]

    def _known(self, row: Mapping[str, Any]) -> Definition:
        """The definition of a row: the one that lies here, with its parsed content, or a new one."""
        known = self._by_key.get(row["key"])
        if known is None:
            return Definition(**row)
        # Only this much of a version ever changes.
        known.suspended_at, known.revision = row["suspended_at"], row["revision"]
        return known

    def _refresh(self, conn: Connection | None) -> None:
        if time.monotonic() < self._until:
            return
        if conn is None:
            with self._database.reading() as own:
                self._refresh(own)
            return
        with self._lock:
            last = tuple(conn.execute(_STATE).one())
            if last != self._last:
                table = tables.definition
                rows = conn.execute(select(table).order_by(table.c.version)).mappings().all()
                self._by_key = {row["key"]: self._known(row) for row in rows}
                self._versions = {}
                for definition in sorted(self._by_key.values(), key=lambda item: item.version):
                    self._versions.setdefault((definition.kind, definition.id), []).append(definition)
                self._last = last
            self._until = time.monotonic() + FRESH_SECONDS
