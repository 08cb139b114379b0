"""Changing the work calendar: one administrator proposes, another approves (``domain.md`` §4.2 items 2 and 4).

A proposal is the days it names and nothing else; what it would change is worked out from the calendar of the moment, so the person
who approves sees what will happen, not what would have happened.  There is no undo: a wrong approval is put right by another
proposal, which recalculates the open limits once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, and_, func, insert, literal, or_, select, update

from engine.deadlines import WorkCalendar
from engine.deadlines import clock as deadlines
from engine.deadlines.arrangement import STANDING, ArrangedDay, DayChange, arranged, checked, differences
from engine.deadlines.calendar import CLOSED, OFFICIAL
from engine.deadlines.clock import Clock
from engine.deadlines.hours import OfficeHours
from engine.deadlines.notice_findings import ERROR, Finding
from engine.errors import Conflict, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.limits import worktime
from engine.runtime.limits.clocks import STOPPED
from engine.runtime.telling.notices import Notices, packed, unpacked
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

PROPOSED, APPROVED, REJECTED, WITHDRAWN = "PROPOSED", "APPROVED", "REJECTED", "WITHDRAWN"
NOTICE, CLOSURE, CORRECTION, USUAL_HOURS = "notice", "closure", "correction", "hours"
KIND_WORDS: dict[str, Words] = {
    NOTICE: T("Holiday notice"), CLOSURE: T("Local closure or hours"), CORRECTION: T("Correction of days"), USUAL_HOURS: T("Usual office hours"),
}  # fmt: skip
STATE_WORDS: dict[str, Words] = {
    PROPOSED: T("waits for approval"), APPROVED: T("approved"), REJECTED: T("rejected"), WITHDRAWN: T("withdrawn"),
}  # fmt: skip
PREVIEWED = 20_000
"""Open limits for which a preview works out the new due date; beyond that it says so."""
SHOWN = 100
"""Rows of each list that a preview holds."""
_PROPOSAL = tables.calendar_proposal


@dataclass(frozen=True)
class Proposal:
    """A stored proposal."""

    key: int
    kind: str
    state: str
    notice: str
    reason: str
    whole_years: tuple[int, ...]
    source_text: str
    days: tuple[ArrangedDay, ...]
    findings: tuple[Finding, ...]
    made_by: str
    made_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    version: int | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Proposal:
        values = dict(row)
        values["whole_years"] = tuple(values["whole_years"])
        values["days"] = tuple(ArrangedDay.from_dict(each) for each in values["days"])
        values["findings"] = tuple(
            Finding(each["line"], each["severity"], unpacked(each["msgid"], each["params"])) for each in values["findings"]
        )
        return cls(**values)

    @property
    def years(self) -> tuple[int, ...]:
        return tuple(sorted({*self.whole_years, *(each.day.year for each in self.days)}))


@dataclass(frozen=True)
class MovedDue:
    """An open limit whose due instant would move."""

    case_no: str
    case_key: int
    label: str
    old: datetime | None
    new: datetime | None

    @property
    def earlier(self) -> bool:
        return self.old is not None and self.new is not None and self.new < self.old


@dataclass(frozen=True)
class HoursChange:
    """Usual office hours that become others: from which office day, until which one (``None``: for good), what they were, what they are."""

    since: date
    until: date | None
    old: OfficeHours
    new: OfficeHours


@dataclass(frozen=True)
class Preview:
    """What a proposal would do to the calendar of the moment, whose ``version`` it names.

    ``hours`` are usual office hours that become others.
    ``past`` are changed days that are over, with the line that names them (0: none).  ``closed`` are cases closed on such days
    (line, day, key, number), ``closed_total`` how many there are.  ``moved`` are open limits with another due date, at most
    :data:`SHOWN`; ``earlier``/``later``/``examined`` count them, ``open_limits`` is how many run in all.
    """

    version: int
    hours: tuple[HoursChange, ...]
    changes: tuple[DayChange, ...]
    statuses: tuple[tuple[int, str, str], ...]
    past: tuple[tuple[int, date], ...]
    closed: tuple[tuple[int, date, int, str], ...]
    closed_total: int
    moved: tuple[MovedDue, ...]
    earlier: int
    later: int
    examined: int
    open_limits: int


# --- making one --------------------------------------------------------------------------------------------------------------


def propose(
    desk: Desk,
    days: Iterable[ArrangedDay],
    *,
    kind: str,
    notice: str,
    reason: str = "",
    whole_years: Collection[int] = (),
    source_text: str = "",
    findings: Collection[Finding] = (),
    by: str,
    address: str | None = None,
) -> int:
    """Put a change of the calendar before the other administrators; returns its key.  Nothing changes until one of them approves.

    ``whole_years`` are the years the notice arranges as a whole (they become official); otherwise only the named days change.
    :class:`ValidationFailed` for days that cannot be entered, a notice without a name, findings that are errors, or a proposal that
    changes nothing.
    """
    days = tuple(days)
    with desk.audited(by, address, role="admin") as tx:
        errors: dict[str, list[Words]] = {}
        if kind not in KIND_WORDS:
            errors["kind"] = [T("“%(kind)s” is not a kind of proposal.", kind=kind)]
        if not notice.strip():
            errors["notice"] = [T("Name the notice: its number, or who ordered it.")]
        if kind != NOTICE and not reason.strip():
            errors["reason"] = [T("Say why.")]
        today = desk.calendar.local(tx.now).date()
        if any(each.kind == STANDING and each.day < today for each in days):
            errors["since"] = [T("Usual office hours change from today on or later; hours of days that are over are entered day by day.")]
        if any(each.severity == ERROR for each in findings):
            errors["source_text"] = [T("The notice contradicts itself or cannot be read; correct the lines named above.")]
        if errors:
            raise ValidationFailed("The proposal was not made: %(count)d field(s) need attention.", count=len(errors), errors=errors)
        named = checked(days, whole_years)
        before = worktime.load_calendar(tx.conn, desk.settings.hours)
        years = {*whole_years, *(each.day.year for each in named)}
        after = arranged(before, named, whole_years, notice)
        same_state = all(before.year_status(year) == after.year_status(year) for year in whole_years)
        if same_state and not differences(before, after, years) and not _hours_changes(before, after, named):
            words = T("The calendar says this already; there is nothing to change.")
            raise ValidationFailed(words, errors={"days": [words]})
        key = new_key()
        tx.add(
            _PROPOSAL,
            key=key, kind=kind, state=PROPOSED, notice=notice.strip()[:200], reason=reason.strip(), whole_years=sorted(set(whole_years)),
            source_text=source_text, days=[each.to_dict() for each in named],
            findings=[{"line": each.line, "severity": each.severity, **packed(each.text)} for each in findings],
            made_by=by, made_at=tx.now, decided_by=None, decided_at=None, decision_reason=None, version=None,
        )  # fmt: skip
        tx.audit(
            "calendar.propose",
            f"calendar_proposal:{key}",
            kind=kind,
            notice=notice.strip(),
            days=len(named),
            whole_years=sorted(set(whole_years)),
        )
        directory = desk.people.directory(tx.conn)
        words = T(
            "%(name)s proposes a change of the work calendar (%(notice)s); another administrator has to approve it.",
            name=directory.name(by),
            notice=notice.strip(),
        )
        _tell(desk, tx, by, directory.members("admin"), words)
    return key


def get(conn: Connection, key: int) -> Proposal:
    """One proposal.  Raises :class:`NotFound`."""
    row = conn.execute(select(_PROPOSAL).where(_PROPOSAL.c.key == key)).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no calendar proposal %(key)s.", key=key)
    return Proposal.of(row)


def find(conn: Connection, limit: int = 50) -> list[Proposal]:
    """Proposals, the waiting ones first, then the newest."""
    waiting = (_PROPOSAL.c.state != PROPOSED).asc()
    return [Proposal.of(row) for row in conn.execute(select(_PROPOSAL).order_by(waiting, _PROPOSAL.c.key.desc()).limit(limit)).mappings()]


# --- what it would do -----------------------------------------------------------------------------------------------------------


def preview(desk: Desk, conn: Connection, days: Collection[ArrangedDay], whole_years: Collection[int], notice: str) -> Preview:
    """What the days would change now.  Reads; changes nothing."""
    before = worktime.load_calendar(conn, desk.settings.hours)
    after = arranged(before, days, whole_years, notice)
    years = sorted({*whole_years, *(each.day.year for each in days if each.kind != STANDING)})
    changes = differences(before, after, years)
    today = before.local(desk.engine.clock()).date()
    lines = {each.day: each.line for each in days}
    past = tuple((lines.get(each.day, 0), each.day) for each in changes if each.day <= today)
    closed, closed_total = _closed_on(desk, conn, past)
    moved, earlier, later, examined, total = _moved(conn, before, after)
    statuses = tuple((year, before.year_status(year), after.year_status(year)) for year in years)
    hours = _hours_changes(before, after, days)
    return Preview(before.version, hours, tuple(changes), statuses, past, closed, closed_total, moved, earlier, later, examined, total)


def _hours_changes(before: WorkCalendar, after: WorkCalendar, days: Collection[ArrangedDay]) -> tuple[HoursChange, ...]:
    """Where the arrangements of ``days`` say something new."""
    found = []
    for each in days:
        if each.standing is None:
            continue
        old = before.hours.in_force(each.day)
        if old.to_dict() != each.standing.to_dict():
            until = next((day for day, _ in after.hours.standing if day > each.day), None)
            found.append(HoursChange(each.day, until, old, each.standing))
    return tuple(found)


def _closed_on(desk: Desk, conn: Connection, past: tuple[tuple[int, date], ...]) -> tuple[tuple[tuple[int, date, int, str], ...], int]:
    """Cases closed on days that are over and would have been others."""
    case = tables.case_file.c
    found: list[tuple[int, date, int, str]] = []
    total = 0
    for chunk in (past[first : first + 50] for first in range(0, len(past), 50)):
        spans = [
            and_(case.closed_at >= _midnight(desk, day), case.closed_at < _midnight(desk, day + timedelta(days=1))) for _, day in chunk
        ]
        total += conn.execute(select(func.count()).select_from(tables.case_file).where(or_(*spans))).scalar_one()
        if len(found) < SHOWN:
            lines = {day: line for line, day in chunk}
            rows = conn.execute(
                select(case.key, case.case_no, case.closed_at).where(or_(*spans)).order_by(case.closed_at).limit(SHOWN - len(found))
            )
            for row in rows:
                day = row.closed_at.astimezone(desk.zone).date()
                found.append((lines.get(day, 0), day, row.key, row.case_no))
    return tuple(found), total


def _midnight(desk: Desk, day: date) -> datetime:
    return datetime.combine(day, time.min, desk.zone).astimezone(UTC)


def _moved(conn: Connection, before: WorkCalendar, after: WorkCalendar) -> tuple[tuple[MovedDue, ...], int, int, int, int]:
    clock, case = tables.clock, tables.case_file
    live = clock.c.state != STOPPED
    total = conn.execute(select(func.count()).select_from(clock).where(live)).scalar_one()
    joined = clock.outerjoin(case, case.c.key == clock.c.case_key)
    columns = (clock.c.case_key, clock.c.label, clock.c.ledger, clock.c.due_at, case.c.case_no)
    rows = conn.execute(select(*columns).select_from(joined).where(live).order_by(clock.c.due_at, clock.c.key).limit(PREVIEWED)).all()
    moved: list[MovedDue] = []
    counts: Counter[bool] = Counter()
    for row in rows:
        due = deadlines.due_of(Clock.from_dict(row.ledger), after)
        new = due.at if due else None
        if new != row.due_at:
            each = MovedDue(row.case_no or "", row.case_key, row.label, row.due_at, new)
            counts[each.earlier] += 1
            moved.append(each)
    # What would become earlier needs a decision: it stands first.
    moved.sort(key=lambda each: not each.earlier)
    return tuple(moved[:SHOWN]), counts[True], counts[False], len(rows), total


# --- deciding -------------------------------------------------------------------------------------------------------------------


def approve(desk: Desk, key: int, *, by: str, seen_version: int | None = None, reason: str = "", address: str | None = None) -> int:
    """Enter a proposal into the calendar and begin the recalculation of the open limits; returns the key of the recalculation.

    One transaction: the days, the state of the years, the version, the list of limits to recalculate with their due dates of this
    moment.  :class:`NotPermitted` for who proposed it; :class:`InvalidState` when it has been decided, or an earlier change is still
    being worked in; :class:`Conflict` when the calendar is no longer the one of ``seen_version`` that the preview was shown for.
    """
    with desk.audited(by, address, role="admin") as tx:
        version = worktime.next_version(tx)
        proposal = _open(tx, key)
        if proposal.made_by == by:
            raise NotPermitted("Who proposed a change of the calendar cannot approve it; another administrator has to.")
        if seen_version is not None and seen_version != version - 1:
            raise Conflict("The calendar was changed after this preview was shown. Look at the preview again, then decide.")
        running = select(tables.recalculation.c.key).where(tables.recalculation.c.state == "RUNNING").limit(1)
        if tx.execute(running).first() is not None:
            raise InvalidState("The limits are still being recalculated after the last change; approve this one when that has ended.")
        before = worktime.load_calendar(tx.conn, desk.settings.hours)
        after = arranged(before, proposal.days, proposal.whole_years, proposal.notice)
        kept = frozenset(row["date"] for year in proposal.whole_years for row in after.rows_for_year(year) if row["kind"] == CLOSED)
        named = [each.day for each in proposal.days if each.kind != STANDING]
        worktime.store_years(tx, after, proposal.whole_years, named, proposal.notice, kept)
        worktime.store_standing(tx, proposal.days, proposal.notice)
        decided = {"state": APPROVED, "decided_by": by, "decided_at": tx.now, "decision_reason": reason.strip() or None, "version": version}
        tx.execute(update(_PROPOSAL).where(_PROPOSAL.c.key == key).values(decided))
        recalculation = new_key()
        clock, item = tables.clock, tables.recalculation_item
        columns = (literal(recalculation), clock.c.key, clock.c.case_key, literal("OPEN"), clock.c.due_at)
        listed = tx.execute(
            insert(item).from_select(
                ["recalculation_key", "clock_key", "case_key", "state", "old_due_at"], select(*columns).where(clock.c.state != STOPPED)
            )
        )
        tx.add(
            tables.recalculation,
            key=recalculation, proposal_key=key, version=version, state="RUNNING", total=max(0, listed.rowcount), created_at=tx.now, created_by=by,
            ended_at=None,
        )  # fmt: skip
        tx.audit(
            "calendar.approve", f"calendar_proposal:{key}", notice=proposal.notice, version=version, limits=listed.rowcount, proposed_by=proposal.made_by,
            official=[year for year in proposal.whole_years if before.year_status(year) != OFFICIAL],
        )  # fmt: skip
        words = T("Your change of the work calendar (%(notice)s) was approved.", notice=proposal.notice)
        _tell(desk, tx, by, [proposal.made_by], words)
    desk.forget_calendar()
    return recalculation


def reject(desk: Desk, key: int, reason: str, *, by: str, address: str | None = None) -> None:
    """Turn a proposal down, with a reason; who made it withdraws it instead (:func:`withdraw`)."""
    if not reason.strip():
        words = T("Say why it is rejected.")
        raise ValidationFailed(words, errors={"reason": [words]})
    with desk.audited(by, address, role="admin") as tx:
        proposal = _open(tx, key)
        if proposal.made_by == by:
            raise NotPermitted("Your own proposal can be withdrawn, not rejected.")
        _close(tx, key, REJECTED, by, reason)
        words = T("Your change of the work calendar (%(notice)s) was rejected: %(reason)s", notice=proposal.notice, reason=reason.strip())
        _tell(desk, tx, by, [proposal.made_by], words)


def withdraw(desk: Desk, key: int, *, by: str, address: str | None = None) -> None:
    """Take one's own proposal back."""
    with desk.audited(by, address, role="admin") as tx:
        if _open(tx, key).made_by != by:
            raise NotPermitted("Only who made a proposal can withdraw it.")
        _close(tx, key, WITHDRAWN, by, "")


def _open(tx: Any, key: int) -> Proposal:
    row = tx.execute(select(_PROPOSAL).where(_PROPOSAL.c.key == key).with_for_update()).mappings().one_or_none()
    if row is None:
        raise NotFound("There is no calendar proposal %(key)s.", key=key)
    if row["state"] != PROPOSED:
        raise InvalidState("This proposal has been decided already (%(state)s).", state=STATE_WORDS[row["state"]])
    return Proposal.of(row)


def _close(tx: Any, key: int, state: str, by: str, reason: str) -> None:
    decided = {"state": state, "decided_by": by, "decided_at": tx.now, "decision_reason": reason.strip() or None}
    tx.execute(update(_PROPOSAL).where(_PROPOSAL.c.key == key).values(decided))
    tx.audit(f"calendar.{'reject' if state == REJECTED else 'withdraw'}", f"calendar_proposal:{key}", reason=reason.strip())


def _tell(desk: Desk, tx: Any, by: str, logins: Collection[str], words: Words) -> None:
    notices = Notices(tx.now, by)
    notices.tell(logins, "calendar", words, case_key=None)
    notices.post(desk, tx)


def waiting(conn: Connection) -> list[Row]:
    """Key and author of the proposals that wait."""
    return list(conn.execute(select(_PROPOSAL.c.key, _PROPOSAL.c.made_by).where(_PROPOSAL.c.state == PROPOSED)))
