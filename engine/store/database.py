"""Opening a database so that one command is one transaction, on SQLite and PostgreSQL alike."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, make_url
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.pool import StaticPool

from engine.errors import EngineError
from engine.store.types import memory_name

BUSY_TIMEOUT_MS = 30_000
"""How long a SQLite writer waits for another one."""


def document(value: Any) -> str:
    """A JSON column's text.  Exact numbers become the nearest floating-point number: a document is shown and searched, not
    calculated with (variables, which are, lie in the snapshot)."""
    return json.dumps(value, ensure_ascii=False, default=_nearest)


def _nearest(value: Any) -> float:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"a document cannot hold a {type(value).__name__}")


class _Current(threading.local):
    """The connection this thread is working on."""

    connection: Connection | None = None


class Database:
    """A connection pool that knows two kinds of transaction: :meth:`writing` and :meth:`reading`.

    On SQLite a writing transaction is ``BEGIN IMMEDIATE``: it takes the write lock at once, so two commands never read the
    same state and then both write.  An in-memory database has one connection, shared behind a lock.
    """

    def __init__(self, url: str, pool_size: int = 10) -> None:
        parsed = make_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._alone = self.is_sqlite and (parsed.database in (None, "", ":memory:"))
        self._lock = threading.RLock()
        self._current = _Current()
        if self._alone:
            self.name = memory_name()
            self.sa = create_engine("sqlite://", json_serializer=document, poolclass=StaticPool, connect_args={"check_same_thread": False})
        elif self.is_sqlite:
            self.name = parsed.database
            self._check_folder(Path(parsed.database))
            self.sa = create_engine(
                parsed,
                json_serializer=document,
                pool_size=pool_size,
                max_overflow=pool_size,
                connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
            )
        else:
            self.name = parsed.render_as_string(hide_password=True)
            self.sa = create_engine(
                parsed,
                json_serializer=document,
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_pre_ping=False,
                isolation_level="READ COMMITTED",
            )
        if self.is_sqlite:
            self._teach_sqlite()

    @staticmethod
    def _check_folder(path: Path) -> None:
        folder = path.resolve().parent
        if not folder.is_dir():
            raise EngineError(
                "The folder %(folder)s for the database does not exist. Create it, or set “database” in config.yaml.", folder=str(folder)
            )
        target = path if path.exists() else folder
        if not os.access(target, os.W_OK):
            raise EngineError("The database %(path)s cannot be written. Give write permission on it and its folder.", path=str(path))

    def _teach_sqlite(self) -> None:
        @event.listens_for(self.sa, "connect")
        def connect(connection, record) -> None:
            # The driver's own transaction control would begin late and commit by itself; we begin explicitly below.
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            if not self._alone:
                cursor.execute("PRAGMA journal_mode=WAL")
                cursor.execute("PRAGMA synchronous=NORMAL")
            cursor.close()

        @event.listens_for(self.sa, "begin")
        def begin(connection) -> None:
            writing = connection.get_execution_options().get("writing", True)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that commits at the end of the block and rolls back on an error.

        Not to be nested: one command is one transaction.
        """
        if self._current.connection is not None:
            raise RuntimeError("a command may not begin a second transaction")
        with self._alone_lock(), self.sa.connect() as connection, connection.begin():
            self._current.connection = connection
            try:
                yield connection
            finally:
                self._current.connection = None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries; it sees one state of the database and blocks no writer.

        Inside a command it is the command's own connection, so that a query sees what the command has written.
        """
        if self._current.connection is not None:
            yield self._current.connection
            return
        with self._alone_lock(), self.sa.connect() as raw:
            connection = raw.execution_options(writing=False)
            with connection.begin():
                self._current.connection = connection
                try:
                    yield connection
                finally:
                    self._current.connection = None

    @contextmanager
    def _alone_lock(self) -> Iterator[None]:
        if not self._alone:
            yield
            return
        with self._lock:
            yield

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.sa.dispose()


_SAME_KEY = re.compile(r'"pk_\w+"|constraint failed: \w+\.key\b')


def is_transient(error: Exception) -> bool:
    """Whether repeating the command can help: a deadlock, a serialisation failure, a connection that was cut off (a server that
    was restarted; the pool then makes new ones), a busy SQLite, or a key that another node has made in the same millisecond
    (:class:`engine.store.types.KeyMaker`)."""
    if isinstance(error, IntegrityError):
        return bool(_SAME_KEY.search(str(error.orig)))
    if not isinstance(error, OperationalError):
        return False
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    return state in ("40001", "40P01") or "database is locked" in str(error.orig) or "database table is locked" in str(error.orig)
