"""Bulletins 通报: drafted by a ladder or by hand, heard, approved by a second person, issued with a number, or withdrawn.

A draft criticises a section for a limit that was overrun (``domain.md`` §1.15, +5 working days without a stated reason).  The section
is told of the draft and may state its view (陈述意见) until it is issued; who approves is never who wrote the text; the number is drawn
in the transaction that issues it, so that none is lost on a draft.  One limit has one bulletin (一事一报).

What happens when the ground falls away: a limit that is no longer overrun (extended, recalculated) withdraws its draft of itself, with
a note; a reason that is stated after the draft is noted on it and told to supervision, who decide whether it is a good one.  An issued
bulletin is withdrawn by a person only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, String, cast, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from engine.errors import Conflict, InvalidState, NotPermitted, ValidationFailed
from engine.runtime.casework import numbering
from engine.runtime.casework.access import CHIEFS, URGERS
from engine.runtime.casework.casestate import trail_row
from engine.runtime.limits.clocks import RUNNING, ClockState
from engine.runtime.supervision import bulletin_text, orders
from engine.runtime.supervision.readers import EVERYBODY, Addressed
from engine.runtime.telling.notices import Notices
from engine.runtime.telling.recipients import Recipients, open_tasks
from engine.store import tables
from engine.store.types import DIALECT_INSERTS, new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

DRAFT, APPROVED, ISSUED, WITHDRAWN = "DRAFT", "APPROVED", "ISSUED", "WITHDRAWN"
OPEN = (DRAFT, APPROVED)
APPROVERS = frozenset({"vice_director", "director"})
"""Roles that approve the text of a bulletin, if they have not written it."""
HEARING_WORKDAYS = 2
"""Working days in which the section may state its view before the bulletin can be issued, the day of the draft not counted [D]."""
TITLE_LIMIT, TEXT_LIMIT = 200, 8000
BASELESS = T("the limit is no longer overrun")
"""Why a bulletin withdraws of itself."""
_TABLE, _STEP = tables.bulletin, tables.bulletin_step
_REASONS = ("explain", "extend")
PAPERS = Addressed(_TABLE, "to_login", "to_section", EVERYBODY, "bulletin", T("There is no such bulletin, or you may not see it."))
"""Who reads bulletins besides who oversees: whom they are about, and the section."""


# -- who ---------------------------------------------------------------------------------------------------------------


def allowed(row: Any, login: str, identities: Collection[str], groups: Collection[str], heard: bool, today: date) -> list[str]:
    """What somebody may do with a bulletin now, as words of :data:`COMMANDS`.  ``heard``: the section has stated its view."""
    directs, found = not URGERS.isdisjoint(groups), []
    if row.state in OPEN and orders.may_answer(row, identities, groups):
        found.append("object")
    if directs and row.state in OPEN and row.objected_at is not None:
        found.append("weigh")
    if directs and row.state == DRAFT:
        found.append("change")
    if row.state == DRAFT and _may_approve(row, login, groups):
        found.append("approve")
    if directs and row.state == APPROVED:
        found += ["return"] if not APPROVERS.isdisjoint(groups) or row.changed_by == login else []
        found += ["issue"] if row.objected_at is None and (heard or today > object_by(row)) else []
    if directs and row.state != WITHDRAWN:
        found.append("withdraw")
    return found


def _may_approve(row: Any, login: str, groups: Collection[str]) -> bool:
    return not APPROVERS.isdisjoint(groups) and login not in (row.changed_by, row.drafted_by, row.to_login)


def object_by(row: Any) -> date:
    """The last office day on which the section is waited for."""
    return date.fromisoformat(row.facts["object_by"])


def _require(groups: Collection[str]) -> None:
    if URGERS.isdisjoint(groups):
        raise NotPermitted("Only supervision and the heads of the office write, issue and withdraw bulletins.")


# -- drafting ------------------------------------------------------------------------------------------------------------


def draft_for_rung(
    desk: Desk, tx: Any, notices: Notices, recipients: Recipients, state: ClockState, rung: Any, recent: Sequence[Mapping[str, Any]] = ()
) -> int | None:
    """What the action ``draft_bulletin`` of a rung does, in the transaction that fires it; gives the key.

    ``recent`` are firings of this transaction that are not written yet.  ``None`` when the clock belongs to no case; when it has a
    bulletin already, that one is noted and named.
    """
    case = recipients.case
    if case is None:
        return None
    known = _of_clock(tx.conn, state.key)
    if known is not None:
        _note(tx, known.key, "note", rung.text or rung.id, None)
        return known.key
    return _draft(desk, tx, notices, recipients, state, reason=rung.text or rung.id, rung=rung.id, recent=recent)


def draft(desk: Desk, case_key: int, reason: str, *, by: str, address: str | None = None) -> int:
    """Draft a bulletin by hand about the limit of a case that is overrun longest; gives its key.

    Raises :class:`InvalidState` when no limit of the case is overrun, :class:`Conflict` when that one has a bulletin.
    """

    def work(tx: Any, note: Any) -> int:
        _require(desk.people.groups(by, tx.conn))
        case = desk.access.find_case(tx.conn, case_key, by)
        said = _text(reason, T("Say why a bulletin is drafted."), "text")
        clock = tables.clock
        late = select(clock).where(clock.c.case_key == case_key, clock.c.state == RUNNING, clock.c.overdue_at <= tx.now)
        row = tx.execute(late.order_by(clock.c.overdue_at, clock.c.key).limit(1)).mappings().one_or_none()
        if row is None:
            raise InvalidState("No limit of the case %(case_no)s is overrun.", case_no=case.case_no)
        known = _of_clock(tx.conn, row["key"])
        if known is not None:
            raise Conflict("There is a bulletin about “%(limit)s” of %(case_no)s already.", limit=row["label"], case_no=case.case_no)
        notices = Notices(tx.now, by)
        recipients = Recipients(desk.people.directory(tx.conn), case, open_tasks(tx.conn, case_key), row["key"])
        key = _draft(desk, tx, notices, recipients, ClockState.of_row(row), reason=said, rung=None, by=by)
        notices.post(desk, tx)
        return key

    try:
        return desk.command(work, by=by, address=address)
    except IntegrityError as error:
        raise Conflict("Somebody else has drafted a bulletin about this limit at the same moment.") from error


def _of_clock(conn: Connection, clock_key: int) -> Row | None:
    return conn.execute(select(_TABLE).where(_TABLE.c.only_key == clock_key)).one_or_none()


def _draft(
    desk: Desk, tx: Any, notices: Notices, recipients: Recipients, state: ClockState, *, reason: str, rung: str | None, by: str | None = None,
    recent: Sequence[Mapping[str, Any]] = (),
) -> int:  # fmt: skip
    case, directory = recipients.case, recipients.directory
    section, login = orders.who_has_it(recipients, case)
    # The rung that asks for the bulletin is no reminder; it is left out.
    facts = _facts(desk, tx, case, state, [row for row in recent if row["rung"] != rung], rung or "") | {
        "section": directory.section_name(section) if section else "", "person": directory.name(login) if login else "",
        "county": bool(section and section in directory.sections and directory.sections[section].kind == "county"),
    }  # fmt: skip
    title, text = bulletin_text.draft(facts)
    key = new_key()
    row = {
        "key": key, "number": None, "case_key": case.key, "clock_key": state.key, "rung": rung, "only_key": state.key, "state": DRAFT,
        "to_section": section, "to_login": login, "title": title[:TITLE_LIMIT], "text": text, "reason": reason, "facts": facts,
        "drafted_at": tx.now, "drafted_by": by, "changed_by": by, "objected_at": None, "approved_at": None, "approved_by": None,
        "issued_at": None, "issued_by": None, "ended_at": None, "ended_by": None, "revision": 1,
    }  # fmt: skip
    # At once and not at the end of the command: a later rung of the same outage must find it.
    tx.execute(insert(_TABLE).values(row))
    _note(tx, key, "draft", reason, by)
    words = T(
        "A bulletin about %(case_no)s is drafted: %(title)s. The section may state its view until %(day)s.",
        case_no=case.case_no, title=title, day=facts["object_by"], bulletin=key,
    )  # fmt: skip
    whom = [*([login] if login else []), *(directory.holders(CHIEFS, section) if section else ()), *directory.members("supervisor")]
    notices.tell(list(dict.fromkeys(whom)), "bulletin", words, case_key=case.key)
    tx.audit("bulletin.draft", f"bulletin:{key}", case=case.case_no, rung=rung, to_section=section, to_login=login)
    return key


def _facts(desk: Desk, tx: Any, case: Any, state: ClockState, recent: Sequence[Mapping[str, Any]], besides: str) -> dict[str, Any]:
    """What the draft is written from; kept beside it, so that it can be seen what was known."""
    calendar = desk.engine.calendar
    today = tx.now.astimezone(desk.zone).date()
    firing, trail = tables.rung_firing, tables.trail
    chosen = select(firing.c.fired_at, firing.c.label, firing.c.recipients, firing.c.channel).where(
        firing.c.clock_key == state.key, firing.c.level > 0, firing.c.rung != besides
    )
    fired = [dict(row) for row in tx.execute(chosen.order_by(firing.c.planned_at, firing.c.level)).mappings()]
    fired += [row for row in recent if row["clock_key"] == state.key and row["level"] > 0]
    # A rung that was withheld, or only noted, has reminded nobody.
    fired = [row for row in fired if row["recipients"] and row["channel"] != "log"]
    said = select(trail.c.key).where(trail.c.case_key == case.key, trail.c.action.in_(_REASONS)).limit(1)
    due_at = state.row["due_at"]
    due = calendar.local(due_at).date() if due_at is not None else today
    sheet = desk.sheet_of(tx.conn, case.procedure_key)
    return {
        "case_no": case.case_no, "procedure": sheet.name if sheet else case.procedure_id, "limit": state.row["label"], "rule": state.rule_id,
        "due": due.isoformat(), "today": today.isoformat(), "days": max(0, calendar.workdays_between(due, today)),
        "explained": tx.execute(said).first() is not None, "object_by": calendar.add_workdays(today, HEARING_WORKDAYS).isoformat(),
        "rungs": [
            {
                "day": calendar.local(row["fired_at"]).date().isoformat(), "label": row["label"],
                "people": "、".join(each["name"] for each in row["recipients"]),
            }
            for row in fired
        ],
    }  # fmt: skip


# -- what becomes of it --------------------------------------------------------------------------------------------------


def change(desk: Desk, key: int, text: str, *, title: str | None = None, reason: str | None = None, revision: int | None = None, by: str, address: str | None = None) -> None:
    """Write the text, the title or the reason anew.  Whoever does cannot approve it; saving it as it stands is not writing."""

    def work(tx: Any, note: Any) -> None:
        row = PAPERS.find(desk, tx.conn, key, by)
        _require(desk.people.groups(by, tx.conn))
        values = {
            # Browsers send each end of a line as two characters.
            "text": _text(text.replace("\r\n", "\n"), T("A bulletin needs a text."), "text"),
            "title": row.title if title is None else " ".join(title.split()), "reason": row.reason if reason is None else reason.strip(),
        }  # fmt: skip
        errors = {}
        if not values["title"] or len(values["title"]) > TITLE_LIMIT:
            errors["title"] = [T("Give the bulletin a title of at most %(limit)d characters.", limit=TITLE_LIMIT)]
        if not values["reason"]:
            errors["reason"] = [T("Say why a bulletin is drafted.")]
        if errors:
            raise ValidationFailed(next(iter(errors.values()))[0], errors=errors)
        if row.state == DRAFT and revision in (None, row.revision) and all(row._mapping[name] == value for name, value in values.items()):
            return
        _move(tx, row, "change", DRAFT, "", revision, only=(DRAFT,), changed_by=by, **values)

    desk.command(work, by=by, address=address)


def object_(desk: Desk, key: int, text: str, *, revision: int | None = None, by: str, address: str | None = None) -> None:
    """陈述意见: the section states its view before the bulletin is issued; it has to be weighed before it can be."""

    def work(tx: Any, note: Any) -> None:
        row = PAPERS.find(desk, tx.conn, key, by)
        if not orders.may_answer(row, desk.access.identities(tx.conn, by), desk.people.groups(by, tx.conn)):
            raise NotPermitted("Only whom the bulletin names and the chief of the section state their view.")
        said = _text(text, T("Say what the section has to say."), "text")
        _move(tx, row, "object", row.state, said, revision, only=OPEN, objected_at=tx.now)
        directory = desk.people.directory(tx.conn)
        words = T("%(name)s stated a view on the bulletin “%(title)s”: %(text)s", name=directory.name(by), title=row.title, text=said)
        _tell(desk, tx, row, directory.members("supervisor"), words)

    desk.command(work, by=by, address=address)


def weigh(desk: Desk, key: int, text: str, *, revision: int | None = None, by: str, address: str | None = None) -> None:
    """Say how the view of the section was weighed; the section hears it."""

    def work(tx: Any, note: Any) -> None:
        row = PAPERS.find(desk, tx.conn, key, by)
        _require(desk.people.groups(by, tx.conn))
        if row.objected_at is None:
            raise InvalidState("There is no view of the section to weigh.")
        said = _text(text, T("Say how the view was weighed."), "text")
        _move(tx, row, "weigh", row.state, said, revision, only=OPEN, objected_at=None)
        _tell(desk, tx, row, _concerned(desk, tx, row), T("The view on the bulletin “%(title)s” was weighed: %(text)s", title=row.title, text=said))

    desk.command(work, by=by, address=address)


def approve(desk: Desk, key: int, text: str, *, revision: int | None = None, by: str, address: str | None = None) -> None:
    """审核: a vice director or the director who has not written the text approves it."""

    def work(tx: Any, note: Any) -> None:
        row = PAPERS.find(desk, tx.conn, key, by)
        if not _may_approve(row, by, desk.people.groups(by, tx.conn)):
            raise NotPermitted("A vice director or the director approves a bulletin, and never who wrote it or whom it is about.")
        _move(tx, row, "approve", APPROVED, text.strip()[:TEXT_LIMIT], revision, only=(DRAFT,), approved_at=tx.now, approved_by=by)
        directory = desk.people.directory(tx.conn)
        _tell(desk, tx, row, directory.members("supervisor"), T("%(name)s approved the bulletin “%(title)s”.", name=directory.name(by), title=row.title))

    desk.command(work, by=by, address=address)


def send_back(desk: Desk, key: int, text: str, *, revision: int | None = None, by: str, address: str | None = None) -> None:
    """退回修改: an approved bulletin becomes a draft again."""

    def work(tx: Any, note: Any) -> None:
        row = PAPERS.find(desk, tx.conn, key, by)
        _require(desk.people.groups(by, tx.conn))
        said = _text(text, T("Say what has to be changed."), "text")
        _move(tx, row, "return", DRAFT, said, revision, only=(APPROVED,), approved_at=None, approved_by=None)
        _tell(desk, tx, row, desk.people.directory(tx.conn).members("supervisor"), T("The bulletin “%(title)s” has to be changed: %(text)s", title=row.title, text=said))

    desk.command(work, by=by, address=address)


def issue(desk: Desk, key: int, text: str = "", *, revision: int | None = None, by: str, address: str | None = None) -> str:
    """印发: give it its number and tell whom it concerns; returns the number.

    Raises :class:`InvalidState` before it is approved, while a view of the section has not been weighed, and before the section has had
    its days to state one.
    """

    def work(tx: Any, note: Any) -> str:
        row = PAPERS.find(desk, tx.conn, key, by)
        _require(desk.people.groups(by, tx.conn))
        today = tx.now.astimezone(desk.zone).date()
        if row.state == APPROVED:
            if row.objected_at is not None:
                raise InvalidState("The section has stated its view; say first how it was weighed.")
            if today <= object_by(row) and not _was_heard(tx.conn, key):
                raise InvalidState("The section may state its view until %(day)s; the bulletin can be issued after that.", day=object_by(row).isoformat())
        rule, year = desk.settings.bulletin_number, str(today.year)
        number = rule.format(year=year, serial=numbering.next_serial(tx.conn, numbering.number_prefix(rule, year=year)))
        _move(tx, row, "issue", ISSUED, number, revision, only=(APPROVED,), number=number, issued_at=tx.now, issued_by=by)
        tx.add(tables.trail, **trail_row(row.case_key, "bulletin", tx, actor=by, opinion=f"{number} {row.title}", details={"number": number}))
        words = T("Bulletin %(number)s was issued: %(title)s", number=number, title=row.title)
        directory = desk.people.directory(tx.conn)
        _tell(desk, tx, row, [*_concerned(desk, tx, row), *directory.members("supervisor"), *directory.members("director")], words)
        return number

    return desk.command(work, by=by, address=address)


def withdraw(desk: Desk, key: int, text: str, *, revision: int | None = None, by: str, address: str | None = None) -> None:
    """撤回: it is not issued, or taken back after it was; a number that was drawn stays used."""

    def work(tx: Any, note: Any) -> None:
        row = PAPERS.find(desk, tx.conn, key, by)
        _require(desk.people.groups(by, tx.conn))
        _withdraw(desk, tx, row, _text(text, T("Say why the bulletin is withdrawn."), "text"), by, revision)

    desk.command(work, by=by, address=address)


def _withdraw(desk: Desk, tx: Any, row: Any, text: str, by: str | None, revision: int | None = None) -> None:
    """By a person with a reason, or of itself: then ``by`` and ``text`` are empty, and the pages say why."""
    _move(tx, row, "withdraw", WITHDRAWN, text, revision, only=(*OPEN, ISSUED), ended_at=tx.now, ended_by=by, only_key=None)
    if row.state == ISSUED:
        tx.add(
            tables.trail,
            **trail_row(row.case_key, "bulletin_withdraw", tx, actor=by, opinion=f"{row.number} {text}"[:2000], details={"number": row.number}),
        )
    words = T("The bulletin “%(title)s” was withdrawn: %(text)s", title=row.title, text=text or BASELESS)
    _tell(desk, tx, row, [*_concerned(desk, tx, row), *desk.people.directory(tx.conn).members("supervisor")], words)


def _concerned(desk: Desk, tx: Any, row: Any) -> list[str]:
    directory = desk.people.directory(tx.conn)
    return [*([row.to_login] if row.to_login else []), *(directory.holders(CHIEFS, row.to_section) if row.to_section else ())]


def _move(tx: Any, row: Any, action: str, state: str, said: str, revision: int | None, *, only: Collection[str], **values: Any) -> None:
    if row.state not in only:
        raise InvalidState("This is not possible for the bulletin “%(title)s” any more.", title=row.title)
    seen = row.revision if revision is None else revision
    moved = update(_TABLE).where(_TABLE.c.key == row.key, _TABLE.c.revision == seen, _TABLE.c.state == row.state)
    if tx.execute(moved.values(state=state, revision=seen + 1, **values)).rowcount != 1:
        raise Conflict("The bulletin “%(title)s” was changed by somebody else meanwhile. Look again.", title=row.title)
    _note(tx, row.key, action, said, tx.by)
    tx.audit(f"bulletin.{action}", f"bulletin:{row.key}", **({"number": values["number"]} if "number" in values else {}))


def _note(tx: Any, key: int, action: str, text: str, actor: str | None) -> None:
    tx.add(_STEP, key=new_key(), bulletin_key=key, action=action, text=str(text), actor=actor, at=tx.now)


def _tell(desk: Desk, tx: Any, row: Any, logins: Collection[str], words: Words) -> None:
    notices = Notices(tx.now, tx.by)
    # The page that the bell leads to; no part of the sentence.
    notices.tell(list(dict.fromkeys(logins)), "bulletin", T(words.msgid, **{**words.params, "bulletin": row.key}), case_key=row.case_key)
    notices.post(desk, tx)


def _text(text: str, refusal: Words, field: str) -> str:
    if not text.strip():
        raise ValidationFailed(refusal, errors={field: [refusal]})
    return text.strip()[:TEXT_LIMIT]


COMMANDS = {
    "change": change, "object": object_, "weigh": weigh, "approve": approve, "return": send_back, "issue": issue, "withdraw": withdraw,
}  # fmt: skip
"""Word of :func:`allowed` → the command."""


# -- when the ground falls away ------------------------------------------------------------------------------------------


def review(desk: Desk) -> int:
    """Withdraw drafts whose limit is no longer overrun and note reasons that were stated since; gives how many were touched.

    Asks one statement while no bulletin is open.  Each is a transaction of its own; a note is claimed, so it is made once.
    """
    clock, trail, firing = tables.clock, tables.trail, tables.firing
    with desk.engine.reading() as conn:
        if conn.execute(select(_TABLE.c.key).where(_TABLE.c.state.in_(OPEN)).limit(1)).first() is None:
            return 0
        now = desk.engine.clock()
        gone = select(_TABLE.c.key).join(clock, clock.c.key == _TABLE.c.clock_key)
        baseless = list(conn.execute(gone.where(_TABLE.c.state.in_(OPEN), clock.c.state == RUNNING, clock.c.overdue_at > now)).scalars())
        noted = exists().where(firing.c.kind == "bulletin.reason", firing.c.row_key == trail.c.key, firing.c.occurrence == cast(_TABLE.c.key, String))
        said = select(_TABLE.c.key, trail.c.key.label("line"), trail.c.opinion, trail.c.actor).join(trail, trail.c.case_key == _TABLE.c.case_key)
        said = said.where(_TABLE.c.state.in_(OPEN), trail.c.action.in_(_REASONS), trail.c.at >= _TABLE.c.drafted_at, ~noted)
        reasons = conn.execute(said.order_by(trail.c.key).limit(100)).all()
    for key in baseless:
        desk.engine.command(lambda unit, key=key: _withdraw_baseless(desk, unit.tx, key), by=None)
    for line in reasons:
        desk.engine.command(lambda unit, line=line: _note_reason(desk, unit.tx, line), by=None)
    return len(baseless) + len(reasons)


def _withdraw_baseless(desk: Desk, tx: Any, key: int) -> None:
    clock = tables.clock
    still = select(_TABLE).join(clock, clock.c.key == _TABLE.c.clock_key)
    still = still.where(_TABLE.c.key == key, _TABLE.c.state.in_(OPEN), clock.c.state == RUNNING, clock.c.overdue_at > tx.now)
    row = tx.execute(still.with_for_update(of=_TABLE, skip_locked=True)).one_or_none()
    if row is not None:
        _withdraw(desk, tx, row, "", None)


def _note_reason(desk: Desk, tx: Any, line: Any) -> None:
    firing = tables.firing
    claim = DIALECT_INSERTS[tx.conn.dialect.name](firing).on_conflict_do_nothing(index_elements=["kind", "row_key", "occurrence"])
    row = {"kind": "bulletin.reason", "row_key": line.line, "occurrence": str(line.key), "fired_at": tx.now, "node": tx.node}
    if tx.execute(claim.values(row).returning(firing.c.row_key)).first() is None:
        return
    bulletin = tx.execute(select(_TABLE).where(_TABLE.c.key == line.key)).one()
    _note(tx, line.key, "note", line.opinion or "", line.actor)
    directory = desk.people.directory(tx.conn)
    words = T(
        "%(name)s stated a reason after the bulletin “%(title)s” was drafted: %(text)s. Decide whether it stands.",
        name=directory.name(line.actor) if line.actor else "—", title=bulletin.title, text=line.opinion or "",
    )  # fmt: skip
    _tell(desk, tx, bulletin, directory.members("supervisor"), words)


def _was_heard(conn: Connection, key: int) -> bool:
    return conn.execute(select(_STEP.c.key).where(_STEP.c.bulletin_key == key, _STEP.c.action == "object").limit(1)).first() is not None


def steps(conn: Connection, key: int) -> list[Row]:
    """What was said and done on a bulletin, oldest first."""
    return list(conn.execute(select(_STEP).where(_STEP.c.bulletin_key == key).order_by(_STEP.c.key)))
