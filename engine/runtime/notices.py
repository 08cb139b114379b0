"""Notifications in the bell: rows that keep their sentence translatable until somebody reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk


def packed(value: Any) -> Any:
    """Words as JSON; everything else as text or number."""
    if isinstance(value, Words):
        return {"msgid": value.msgid, "params": {name: packed(inner) for name, inner in value.params.items()}}
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def unpacked(msgid: str, params: Mapping[str, Any] | None) -> Words:
    """The sentence of a notification row, for :func:`engine.words.translate`."""
    values = {
        name: unpacked(value["msgid"], value.get("params")) if isinstance(value, Mapping) else value
        for name, value in (params or {}).items()
    }
    # A text from a model (notify.text) is no message id and may hold a bare percent sign.
    return T(msgid, **values) if values else T(msgid)


class Notices:
    """The notifications of one command: each person hears each thing once, and nobody of what they did themselves."""

    def __init__(self, now: datetime, by: str | None) -> None:
        self._now, self._by = now, by
        self._seen: set[tuple[str, str, str, int | None]] = set()
        self.rows: list[dict[str, Any]] = []

    def tell(self, logins: Collection[str], kind: str, words: Words, *, case_key: int | None, task_key: int | None = None) -> list[str]:
        """Add a notification for each of ``logins``; returns who is really told."""
        told = []
        for login in logins:
            mark = (login, kind, str(words), task_key)
            if login == self._by or mark in self._seen:
                continue
            self._seen.add(mark)
            told.append(login)
            self.rows.append(
                {
                    "key": new_key(), "login": login, "kind": kind, "msgid": words.msgid,
                    "params": {name: packed(value) for name, value in words.params.items()},
                    "case_key": case_key, "task_key": task_key, "created_at": self._now, "read_at": None,
                }
            )  # fmt: skip
        return told


def mark_read(desk: Desk, *, by: str, keys: Collection[int] | None = None) -> int:
    """Mark one's own notifications as read, all of them when no ``keys`` are given; returns how many were unread."""
    with desk.engine.transaction(by=by) as tx:
        row = tables.notification.c
        chosen = update(tables.notification).where(row.login == by, row.read_at.is_(None)).values(read_at=tx.now)
        if keys is not None:
            chosen = chosen.where(row.key.in_(list(keys)))
        return tx.execute(chosen).rowcount
