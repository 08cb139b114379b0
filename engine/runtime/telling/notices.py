"""Notifications: what a command tells people, in the bell and, by :mod:`engine.runtime.telling.deliveries`, outside the house.

A row keeps its sentence translatable until somebody reads it.  The bell is always on; for each channel that the office has set up
a ``delivery`` row is written in the same transaction, so that nothing that was told can be forgotten on its way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from engine.organisation import Directory, may_stand_in
from engine.runtime.casework.access import CHIEFS
from engine.store import tables
from engine.store.types import DIALECT_INSERTS, new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

URGENT_LEVEL = 3
"""A rung of this level or higher is urgent: nobody can switch off the channels its ladder names, and it may break quiet hours."""
PERSONAL = frozenset({"digest", "alarm", "test"})
"""Kinds that are about the reader's own work or duty: a deputy hears their own."""
ALARM = "alarm"
"""Alarms to administrators stay in the bell, because their cause may be that a channel is dead."""
CLAIM_WIDTH = 60
"""Characters of ``firing.occurrence``."""


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


def unpacked_or_none(value: Mapping[str, Any] | None) -> Words | None:
    """The sentence of a column that holds packed words or nothing."""
    return unpacked(value["msgid"], value.get("params")) if value else None


class Notices:
    """The notifications of one command: each person hears each thing once, and nobody of what they did themselves."""

    def __init__(self, now: datetime, by: str | None) -> None:
        self._now, self._by = now, by
        self._seen: set[tuple[str, str, str, int | None]] = set()
        self._ways: dict[int, tuple[frozenset[str], bool, str | None, frozenset[str] | None]] = {}
        self._for_deputies: set[int] = set()
        self._rules: dict[int, str | None] = {}
        self.rows: list[dict[str, Any]] = []

    def tell(
        self,
        logins: Collection[str],
        kind: str,
        words: Words,
        *,
        case_key: int | None,
        task_key: int | None = None,
        ordered: Collection[str] = (),
        level: int = 0,
        only: Collection[str] | None = None,
        deputies: str | None = None,
    ) -> list[str]:
        """Add a notification for each of ``logins``; returns who is really told.

        ``ordered`` are the channels that a ladder names for it, ``level`` the level of its rung.  ``only`` leaves no other
        channels than these; empty: the bell alone.  ``deputies`` is the rule of the step that it is about
        (:data:`engine.organisation.DEPUTY_RULES`): who may not stand in there is not told in somebody's place either.
        """
        told = []
        for login in logins:
            row = self._add(login, kind, words, case_key, task_key, ordered, level, only) if login != self._by else None
            if row is not None:
                told.append(login)
                self._rules[row["key"]] = deputies
        return told

    def _add(
        self, login: str, kind: str, words: Words, case_key: int | None, task_key: int | None, ordered: Collection[str], level: int,
        only: Collection[str] | None, *, note: Words | None = None, on_behalf_of: str | None = None,
    ) -> dict[str, Any] | None:  # fmt: skip
        mark = (login, kind, str(words), task_key)
        if mark in self._seen:
            return None
        self._seen.add(mark)
        row = {
            "key": new_key(), "login": login, "kind": kind, "msgid": words.msgid,
            "params": {name: packed(value) for name, value in words.params.items()},
            "case_key": case_key, "task_key": task_key, "created_at": self._now, "read_at": None,
            "note": None if note is None else packed(note),
        }  # fmt: skip
        self.rows.append(row)
        self._ways[row["key"]] = (frozenset(ordered), level >= URGENT_LEVEL, on_behalf_of, None if only is None else frozenset(only))
        return row

    def post(self, desk: Desk, tx: Any) -> None:
        """Write what was told: the rows of the bell, those of deputies and of people who have left, and their deliveries.

        Without a channel this writes the notifications only, in one statement; with channels, their deliveries in another.
        """
        if not self.rows:
            return
        directory, today = desk.people.directory(tx.conn), tx.now.astimezone(desk.zone).date()
        for row in self.rows:  # grows: the chief who is told instead of somebody may be on leave
            self._pass_on(desk, tx, directory, today, row)
        for row in self.rows:
            tx.add(tables.notification, **row)
            for delivery in self._deliveries(desk, row):
                tx.add(tables.delivery, **delivery)

    def _pass_on(self, desk: Desk, tx: Any, directory: Directory, today: Any, row: dict[str, Any]) -> None:
        """To the deputies of who is on leave, noted on both sides; to the chief of who has left."""
        login, person = row["login"], directory.person(row["login"])
        if person is None or row["kind"] in PERSONAL or row["key"] in self._for_deputies:
            return
        if not person.active:
            chiefs = [chief for chief in directory.holders(CHIEFS, person.section_code) if chief != login]
            self._copy(row, chiefs, T("Instead of %(name)s, who has left", name=person.name), login)
            alarm(desk, tx, "left", login, T("%(name)s has left but is still told about work; it goes to the section chief.", name=person.name))
            return
        rule = self._rules.get(row["key"])
        deputies = [each for each in directory.deputies_of(login, today) if may_stand_in(directory, each, login, rule)]
        if deputies:
            names = "、".join(directory.name(each) for each in deputies)
            row["note"] = packed(T("Also told to the deputy: %(names)s", names=names))
            # The deputy of a deputy gets nothing: an office grants a substitution by name.
            self._for_deputies.update(self._copy(row, deputies, T("For %(name)s", name=person.name), login))

    def _copy(self, row: dict[str, Any], logins: Collection[str], note: Words, on_behalf_of: str) -> list[int]:
        """The same for others; gives the keys of the new rows."""
        ordered, urgent, _, only = self._ways[row["key"]]
        words = unpacked(row["msgid"], row["params"])
        made = [
            self._add(
                login, row["kind"], words, row["case_key"], row["task_key"], ordered, URGENT_LEVEL if urgent else 0, only,
                note=note, on_behalf_of=on_behalf_of,
            )
            for login in logins if login != self._by
        ]  # fmt: skip
        return [each["key"] for each in made if each is not None]

    def _deliveries(self, desk: Desk, row: dict[str, Any]) -> Iterator[dict[str, Any]]:
        ordered, urgent, on_behalf_of, only = self._ways[row["key"]]
        for channel in desk.settings.outbox_channels:
            if row["kind"] != ALARM and (only is None or channel in only):
                yield {
                    "key": new_key(), "notification_key": row["key"], "login": row["login"], "channel": channel, "state": "QUEUED",
                    "kind": row["kind"], "case_key": row["case_key"], "urgent": urgent, "ordered": channel in ordered,
                    "on_behalf_of": on_behalf_of, "attempts": 0, "reason": None, "next_attempt_at": self._now, "job_key": None,
                    "bundle": None, "created_at": self._now, "ended_at": None,
                }  # fmt: skip


def alarm(desk: Desk, tx: Any, cause: str, about: str, words: Words) -> None:
    """Tell the administrators, in the bell only, once a day for each ``cause`` and what it is ``about``."""
    day = tx.now.astimezone(desk.zone).date().toordinal()
    firing = tables.firing
    claim = DIALECT_INSERTS[tx.conn.dialect.name](firing).on_conflict_do_nothing(index_elements=["kind", "row_key", "occurrence"])
    row = {"kind": f"alarm.{cause}"[:20], "row_key": day, "occurrence": about[:CLAIM_WIDTH], "fired_at": tx.now, "node": tx.node}
    if tx.execute(claim.values(row).returning(firing.c.row_key)).first() is None:
        return
    notices = Notices(tx.now, None)
    notices.tell(desk.people.directory(tx.conn).members("admin"), ALARM, words, case_key=None)
    notices.post(desk, tx)


def mark_read(desk: Desk, *, by: str, keys: Collection[int] | None = None) -> int:
    """Mark one's own notifications as read, all of them when no ``keys`` are given; returns how many were unread."""
    with desk.engine.transaction(by=by) as tx:
        row = tables.notification.c
        chosen = update(tables.notification).where(row.login == by, row.read_at.is_(None)).values(read_at=tx.now)
        if keys is not None:
            chosen = chosen.where(row.key.in_(list(keys)))
        return tx.execute(chosen).rowcount
