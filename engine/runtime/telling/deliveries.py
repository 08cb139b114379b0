"""From the row of a notification to a message outside the house, and what became of it.

A ``delivery`` row is written with its notification.  Each look of the acquirer (:func:`dispatch`) takes the rows that are due and
decides, by what the office and the person want: held back, put off, given to somebody else, or handed to a job of the outbox.
The job is done after the commit, at least once, with an idempotency key that does not change from attempt to attempt; what comes of
it is written to the delivery in the transaction that closes the job (:func:`reported`).  A message that cannot be delivered stays
as FAILED until an administrator retries it or gives it up.

After an outage many rungs fire in one round: more than ``digest_more_than`` messages for one person by one channel in one round go
out as one digest.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update

from engine.errors import InvalidState, NotFound, ValidationFailed
from engine.organisation import Directory, Person
from engine.runtime.casework.access import CHIEFS
from engine.runtime.telling import preferences
from engine.runtime.telling.notice_texts import Message, Subject, written, written_together
from engine.runtime.telling.notices import Notices, alarm, packed, unpacked
from engine.runtime.telling.preferences import CHANNELS, Preference
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

log = logging.getLogger(__name__)

JOB_PREFIX = "notify."
WAITING = ("QUEUED", "DELAYED")
STATES: dict[str, Words] = {
    "QUEUED": T("waiting to be sent"), "DELAYED": T("put off: quiet hours"), "SENT": T("sent"), "FAILED": T("failed"),
    "SUPPRESSED": T("not wanted"), "DEPUTY": T("given to the deputy"), "FALLBACK": T("no address"), "GIVEN_UP": T("given up"),
}  # fmt: skip
BATCH = 5000
"""Deliveries of one round; a bundle is never cut smaller by it than by the next round."""
ADDRESSES: dict[str, str] = {"mail": "email", "sms": "phone"}
"""Channel → the attribute of a person without which nothing can be sent; the others go to one address of the office."""
MUST_ARRIVE = frozenset({"rung", "urged"})
"""Kinds that the section chief hears, in the bell, when they cannot reach the person."""
AT_MOST_EVERY: dict[str, timedelta] = {"wecom": timedelta(seconds=3), "dingtalk": timedelta(seconds=3)}
"""A robot takes 20 messages a minute (both vendors' documentation); jobs are planned at this distance."""
LONGEST_HOLD = timedelta(minutes=5)
"""How long the messages of rungs wait for the others of their outage; a clock that cannot be fired must not hold them for ever."""
MAX_REASON = 500
TEST = "test"


# --- from rows to jobs -------------------------------------------------------------------------------------------------------


def dispatch(desk: Desk) -> int:
    """Decide on the deliveries that are due; gives how many were looked at.

    A question first: most looks find nothing, and a reader disturbs no writer.
    """
    row, now = tables.delivery.c, desk.engine.clock()
    is_due = [row.state.in_(WAITING), row.job_key.is_(None), row.next_attempt_at <= now]
    with desk.engine.reading() as conn:
        if conn.execute(select(row.key).where(*is_due).limit(1)).first() is None:
            return 0
        if _rungs_are_late(desk, conn, now):
            is_due.append(or_(row.kind != "rung", row.created_at <= now - LONGEST_HOLD))
        if desk.monitored_until is None:
            # Supervision has more to look at than one round: its cards, too, are told together.
            is_due.append(or_(row.kind != "card", row.created_at <= now - LONGEST_HOLD))
    with desk.engine.transaction() as tx:
        chosen = select(tables.delivery).where(*is_due).order_by(row.login, row.channel, row.key).limit(BATCH)
        found = tx.execute(chosen.with_for_update(skip_locked=True)).mappings().all()
        if found:
            _Round(desk, tx, found).run()
    return len(found)


def _rungs_are_late(desk: Desk, conn: Any, now: datetime) -> bool:
    """Whether rungs of an outage are still to be fired, by this node or another: what they tell is to be told together."""
    clock = tables.clock.c
    earliest = conn.execute(select(func.min(clock.next_rung_at)).where(clock.state == "RUNNING")).scalar_one_or_none()
    return earliest is not None and earliest < now - 2 * desk.settings.acquirer_interval


class _Round:
    """The deliveries of one look of the acquirer."""

    def __init__(self, desk: Desk, tx: Any, found: Sequence[Mapping[str, Any]]) -> None:
        self.desk, self.tx, self.found = desk, tx, found
        self.directory: Directory = desk.people.directory(tx.conn)
        self.calendar = desk.engine.calendar
        self.today = tx.now.astimezone(desk.zone).date()
        self.preferences = preferences.load(tx.conn, {row["login"] for row in found})
        self.subjects = _subjects(desk, tx, found, self.directory)
        self.notices = Notices(tx.now, None)
        self.writes: dict[str, tuple[dict[str, Any], list[int]]] = {}
        self.handed_over: list[dict[str, Any]] = []

    def run(self) -> None:
        groups: dict[tuple[str, str, bool], list[Mapping[str, Any]]] = {}
        for row in self.found:
            if self._may_go(row):
                groups.setdefault((row["channel"], row["login"], row["kind"] == TEST), []).append(row)
        plan = _Plan(self.tx)
        for (channel, login, is_test), rows in groups.items():
            together = len(rows) > self.desk.settings.digest_more_than and not is_test
            for part in [rows] if together else [[row] for row in rows]:
                self._hand_over(plan, channel, login, part)
        self._flush()
        self.notices.post(self.desk, self.tx)

    def _may_go(self, row: Mapping[str, Any]) -> bool:
        """Whether it is to be sent now; if not, the row says what became of it."""
        channel, person = row["channel"], self.directory.person(row["login"])
        if channel not in self.desk.settings.outbox_channels:
            return self._close(row, "SUPPRESSED", T("The office does not use this channel any more."))
        if person is None or not person.active:
            return self._unreachable(row, person, T("The account is not in use."))
        wish = self.preferences.get(person.login, Preference())
        if row["kind"] != TEST and not wish.wants(row["kind"], channel, ordered=row["ordered"], urgent=row["urgent"]):
            return self._close(row, "SUPPRESSED", T("The person does not want this kind by this channel."))
        if channel in ADDRESSES and not getattr(person, ADDRESSES[channel]):
            return self._unreachable(row, person, T("No address is known for this channel."))
        ready = self.tx.now if row["kind"] == TEST else wish.ready_at(self.tx.now, self.calendar, urgent=row["urgent"])
        if ready > self.tx.now:
            return self._write([row["key"]], state="DELAYED", next_attempt_at=ready, reason=packed(T("Quiet hours.")))
        return True

    def _unreachable(self, row: Mapping[str, Any], person: Person | None, why: Words) -> bool:
        """To the deputy, if there is one; else the section chief hears in the bell what must arrive, and the administrators hear of it."""
        deputies = self.directory.deputies_of(row["login"], self.today) if person and person.active else ()
        if deputies:
            names = "、".join(self.directory.name(each) for each in deputies)
            return self._close(row, "DEPUTY", T("Given to the deputy: %(names)s", names=names))
        if person is not None:
            chiefs = [each for each in self.directory.holders(CHIEFS, person.section_code) if each != person.login]
            # Who has left was replaced by the chief when the notification was written; here it is about an address that is missing.
            if person.active and row["kind"] in MUST_ARRIVE:
                words = T("%(name)s could not be reached by %(channel)s: %(message)s", name=person.name, channel=CHANNELS[row["channel"]],
                          message=self.subjects[row["key"]].words())  # fmt: skip
                self.notices.tell(chiefs, "notice", words, case_key=row["case_key"], only=())
            alarm(self.desk, self.tx, f"addr.{row['channel']}", person.login, T(
                "%(name)s cannot be reached by %(channel)s: no address, or the account is not in use.", name=person.name,
                channel=CHANNELS[row["channel"]],
            ))  # fmt: skip
        return self._close(row, "FALLBACK", why)

    def _hand_over(self, plan: _Plan, channel: str, login: str, rows: list[Mapping[str, Any]]) -> None:
        """One job for these deliveries of one person."""
        desk, tx, person = self.desk, self.tx, self.directory.people[login]
        gettext, public = desk.translator(person.language), desk.settings.public_url
        about = [self.subjects[row["key"]] for row in rows]
        try:
            message: Message = written(about[0], gettext, public) if len(rows) == 1 else written_together(about, gettext, public)
        except (KeyError, TypeError, ValueError) as wrong:  # a sentence and its parameters do not fit; the others must go on
            log.exception("the deliveries of %s by %s cannot be written", login, channel)
            for row in rows:
                self._close(row, "FAILED", T("The message cannot be written: %(why)s", why=f"{type(wrong).__name__}: {wrong}"))
            return
        job_key, first = new_key(), rows[0]
        mark = f"banjie-delivery-{first['key']}" if len(rows) == 1 else f"banjie-digest-{job_key}"
        payload = {
            "logins": [login], "name": person.name, "kind": first["kind"] if len(rows) == 1 else "bundle", "subject": message.subject,
            "short": message.short, "text": message.long, "url": message.url, "case_no": about[0].case_no if len(rows) == 1 else "",
            "on_behalf_of": about[0].for_name if len(rows) == 1 else "", "count": len(rows), "idempotency_key": mark,
        }  # fmt: skip
        tx.add(
            tables.job,
            key=job_key, instance_key=None, root_key=None, token=None, element_id=None, type=f"{JOB_PREFIX}{channel}", state="CREATED",
            retries=1 if first["kind"] == TEST else desk.settings.delivery_attempts, headers={}, payload=payload,
            available_at=plan.slot(channel), worker=None, leased_until=None, message=None, created_at=tx.now, ended_at=None,
        )  # fmt: skip
        bundle = len(rows) if len(rows) > 1 else None
        self.handed_over += [{"delivery_key": row["key"], "by_job": job_key, "of": bundle} for row in rows]

    def _close(self, row: Mapping[str, Any], state: str, why: Words) -> bool:
        return self._write([row["key"]], state=state, reason=packed(why), ended_at=self.tx.now, next_attempt_at=None)

    def _write(self, keys: list[int], **values: Any) -> bool:
        """Remember what becomes of deliveries; rows that become the same are written together by :meth:`_flush`."""
        self.writes.setdefault(repr(sorted(values.items())), (values, []))[1].extend(keys)
        return False

    def _flush(self) -> None:
        row = tables.delivery
        for values, keys in self.writes.values():
            self.tx.execute(update(row).where(row.c.key.in_(keys)).values(**values))
        if self.handed_over:
            handed = update(row).where(row.c.key == bindparam("delivery_key"))
            handed = handed.values(state="QUEUED", reason=None, job_key=bindparam("by_job"), bundle=bindparam("of"))
            self.tx.execute(handed, self.handed_over)


class _Plan:
    """When the next message of a channel may go: at once, or at a distance where the other side counts."""

    def __init__(self, tx: Any) -> None:
        self._tx, self._next = tx, {}

    def slot(self, channel: str) -> datetime:
        pause = AT_MOST_EVERY.get(channel)
        if pause is None:
            return self._tx.now
        if channel not in self._next:
            job = tables.job.c
            planned = select(func.max(job.available_at)).where(
                job.type == f"{JOB_PREFIX}{channel}", job.state == "CREATED", job.attempts == 0, job.retries > 0
            )
            last = self._tx.execute(planned).scalar_one_or_none()
            self._next[channel] = max(self._tx.now, last + pause) if last is not None else self._tx.now
        slot = self._next[channel]
        self._next[channel] = slot + pause
        return slot


def _subjects(desk: Desk, tx: Any, found: Iterable[Mapping[str, Any]], directory: Directory) -> dict[int, Subject]:
    """Delivery key → what its message is about; the notification, its case and its task in one statement."""
    notice, case, task = tables.notification.c, tables.case_file.c, tables.user_task.c
    by_notice = {row["notification_key"]: None for row in found}
    chosen = (
        select(
            notice.key, notice.kind, notice.params, notice.case_key, case.case_no, case.procedure_key, task.key.label("task_key"),
            task.name.label("step"), task.state.label("task_state"),
        )
        .select_from(
            tables.notification.outerjoin(tables.case_file, case.key == notice.case_key).outerjoin(tables.user_task, task.key == notice.task_key)
        )
        .where(notice.key.in_(list(by_notice)))
    )  # fmt: skip
    rows = {row.key: row for row in tx.execute(chosen)}
    names: dict[int, str] = {}
    subjects = {}
    for row in found:
        about = rows.get(row["notification_key"])
        if about is None:
            subjects[row["key"]] = Subject(row["kind"], {})
            continue
        if about.procedure_key is not None and about.procedure_key not in names:
            sheet = desk.sheet_of(tx.conn, about.procedure_key)
            names[about.procedure_key] = sheet.name if sheet else ""
        subjects[row["key"]] = Subject(
            about.kind, about.params, about.case_no or "", names.get(about.procedure_key, ""), about.step or "",
            about.case_key if about.case_no else None, about.task_key if about.task_state == "CREATED" else None,
            directory.name(row["on_behalf_of"]) if row["on_behalf_of"] else "",
        )  # fmt: skip
    return subjects


# --- what the jobs report ----------------------------------------------------------------------------------------------------


def is_delivery(row: Mapping[str, Any]) -> bool:
    """Whether a job row may be that of deliveries; asked for every report, so it asks no database."""
    return row["instance_key"] is None and row["type"].startswith(JOB_PREFIX)


def sent(tx: Any, job_key: int) -> None:
    """The job is done: its deliveries are sent."""
    row = tables.delivery
    tx.execute(
        update(row)
        .where(row.c.job_key == job_key)
        .values(state="SENT", attempts=row.c.attempts + 1, reason=None, next_attempt_at=None, ended_at=tx.now)
    )


def not_sent(desk: Desk, tx: Any, job: Mapping[str, Any], left: int, next_at: datetime, why: str, words: Mapping[str, Any] | None) -> None:
    """An attempt has failed; with none ``left`` the deliveries are FAILED and the administrators are told, once a day and channel."""
    row = tables.delivery
    reason = dict(words) if words else packed(T("%(text)s", text=why[:MAX_REASON]))
    values = {"reason": reason, "attempts": row.c.attempts + 1, "next_attempt_at": next_at if left else None}
    if not left:
        values |= {"state": "FAILED", "ended_at": tx.now}
    changed = tx.execute(update(row).where(row.c.job_key == job["key"], row.c.state == "QUEUED").values(**values)).rowcount
    if changed and not left:
        channel = job["type"].removeprefix(JOB_PREFIX)
        words_ = T(
            "Messages by %(channel)s cannot be delivered; see the list of failed deliveries.", channel=CHANNELS.get(channel, channel)
        )
        alarm(desk, tx, "delivery", channel, words_)


# --- what administrators do --------------------------------------------------------------------------------------------------


def _failed(keys: Collection[int] | None, channel: str) -> list[ColumnElement[bool]]:
    row = tables.delivery.c
    found = [row.state == "FAILED"]
    if keys is not None:
        found.append(row.key.in_(list(keys)))
    if channel:
        found.append(row.channel == channel)
    return found


def retry(desk: Desk, *, by: str, keys: Collection[int] | None = None, channel: str = "", address: str | None = None) -> int:
    """Queue failed deliveries again, these or all (of one channel); gives how many.

    They go out with the next round, as a digest where there are many.  Raises :class:`InvalidState` when none of them has failed.
    """
    with desk.audited(by, address, "admin") as tx:
        row, job = tables.delivery, tables.job
        found = tx.execute(select(row.c.key, row.c.job_key).where(*_failed(keys, channel)).with_for_update()).all()
        if not found:
            raise InvalidState("None of these deliveries has failed any more.")
        jobs = {each.job_key for each in found} - {None}
        tx.execute(update(job).where(job.c.key.in_(sorted(jobs)), job.c.state == "CREATED").values(state="CANCELED", ended_at=tx.now))
        again = {"state": "QUEUED", "job_key": None, "bundle": None, "next_attempt_at": tx.now, "ended_at": None}
        tx.execute(update(row).where(row.c.key.in_([each.key for each in found])).values(**again))
        tx.audit("delivery.retry", f"channel:{channel or 'all'}", count=len(found), keys=[str(each.key) for each in found[:50]])
        return len(found)


def give_up(desk: Desk, keys: Collection[int], reason: str, *, by: str, address: str | None = None) -> int:
    """Close failed deliveries for good, with a reason; gives how many.  Raises :class:`ValidationFailed` without a reason."""
    said = reason.strip()
    if not said:
        refusal = T("Say why the message is given up.")
        raise ValidationFailed(refusal, errors={"reason": [refusal]})
    with desk.audited(by, address, "admin") as tx:
        row = tables.delivery
        words = packed(T("Given up: %(reason)s", reason=said[:MAX_REASON]))
        changed = update(row).where(*_failed(keys, "")).values(state="GIVEN_UP", reason=words, ended_at=tx.now)
        count = tx.execute(changed).rowcount
        if not count:
            raise InvalidState("None of these deliveries has failed any more.")
        tx.audit("delivery.give_up", "channel:all", count=count, keys=[str(each) for each in list(keys)[:50]], reason=said[:MAX_REASON])
        return count


def send_test(desk: Desk, channel: str, *, by: str, address: str | None = None) -> None:
    """Send ``by`` a test message by ``channel``; it goes the way of every message.  Raises :class:`NotFound` for a channel not set up."""
    if channel not in desk.settings.outbox_channels:
        raise NotFound("The office does not use the channel “%(channel)s”.", channel=channel)
    with desk.audited(by, address, "admin") as tx:
        notices = Notices(tx.now, None)
        words = T("You asked for a test message by %(channel)s.", channel=CHANNELS[channel])
        notices.tell([by], TEST, words, case_key=None, only=(channel,))
        notices.post(desk, tx)
        tx.audit("delivery.test", f"channel:{channel}")


def reason_of(row: Any) -> Words | None:
    """The sentence in the column ``reason`` of a delivery."""
    return unpacked(row.reason["msgid"], row.reason.get("params")) if row.reason else None
