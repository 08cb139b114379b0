"""Supervision orders 督办单: issued by a ladder or by hand, answered by whom they name, closed by who oversees.

One matter, one order (一事一单), numbered without gaps (``domain.md`` §1.15 and §5 item 5): the serial is drawn inside the
transaction that issues the order, so an order that is not issued gives its number back.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.exc import IntegrityError

from engine.errors import Conflict, InvalidState, NotPermitted, ValidationFailed
from engine.runtime.casework import numbering
from engine.runtime.casework.access import CHIEFS, URGERS
from engine.runtime.casework.casestate import trail_row
from engine.runtime.supervision.readers import EVERYBODY, UNNAMED, Addressed, by_title
from engine.runtime.telling.notices import Notices
from engine.runtime.telling.recipients import Recipients, open_tasks
from engine.store import tables
from engine.store.types import new_key
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

LEVELS = ("blue", "yellow", "red")
"""Blue reminds, yellow warns, red is the last before a bulletin (三色督办单, ``domain.md`` §1.15)."""
ISSUED, ANSWERED, CLOSED, WITHDRAWN = "ISSUED", "ANSWERED", "CLOSED", "WITHDRAWN"
OPEN = (ISSUED, ANSWERED)
ANSWER_WORKDAYS = 3
"""Working days to answer an order that a ladder issued, the day of issue not counted [D]."""
TEXT_LIMIT = 2000
PAPERS = Addressed(tables.supervision_order, "to_login", "to_section", EVERYBODY, "order", T("There is no such order, or you may not see it."))
"""Who reads orders besides who oversees: whom they name, and their section."""
_ANSWERERS = replace(PAPERS, section_reads=UNNAMED)


# -- who ---------------------------------------------------------------------------------------------------------------


def may_answer(order: Any, identities: Collection[str], groups: Collection[str]) -> bool:
    """Who is named, or anybody of the section when nobody is; the chief of the section always.  Deputies answer for their principals."""
    return _ANSWERERS.names(order, identities, groups)


def _require_issuer(groups: Collection[str]) -> None:
    if URGERS.isdisjoint(groups):
        raise NotPermitted("Only supervision and the heads of the office issue, return, close and withdraw supervision orders.")


# -- issuing -----------------------------------------------------------------------------------------------------------


def issue(
    desk: Desk,
    case_key: int,
    *,
    level: str,
    text: str,
    due_on: date,
    to_section: str | None = None,
    to_login: str | None = None,
    token: str | None = None,
    by: str,
    address: str | None = None,
) -> str:
    """Issue an order on an open case by hand; returns its number.

    Without ``to_section`` and ``to_login`` it goes to who has the case now: the one person who holds its task, else their
    section, else the owner section.  ``due_on`` is an office day, today or later.  ``token`` is the page's one-time token.
    Raises :class:`ValidationFailed` by field, :class:`Conflict` when the page was sent twice.
    """

    def work(tx: Any, note: Any) -> str:
        _require_issuer(desk.people.groups(by, tx.conn))
        case = desk.access.find_case(tx.conn, case_key, by)
        if case.closed_at is not None:
            raise InvalidState("The case %(case_no)s is closed.", case_no=case.case_no)
        directory = desk.people.directory(tx.conn)
        today = tx.now.astimezone(desk.zone).date()
        asked = _text(text, T("Say what is asked for."))
        errors = {}
        if level not in LEVELS:
            errors["level"] = [T("Choose blue, yellow or red.")]
        if due_on < today:
            errors["due_on"] = [T("The answer cannot be due in the past.")]
        if to_login and directory.own_groups(to_login) == frozenset():
            errors["to"] = [T("%(login)s is not an active member of the office.", login=to_login)]
        if errors:
            raise ValidationFailed(next(iter(errors.values()))[0], errors=errors)
        section, login = (directory.section_of(to_login), to_login) if to_login else (to_section, None)
        if not section:
            section, login = who_has_it(Recipients(directory, case, open_tasks(tx.conn, case_key), 0), case)
        if not section:
            words = T("Nobody has this case just now; name a section or a person.")
            raise ValidationFailed(words, errors={"to": [words]})
        values = {"key": new_key(), "level": level, "text": asked, "due_on": due_on, "to_section": section, "to_login": login, "issued_by": by}
        number = _insert(desk, tx, case, {**values, "token": f"{token}:{case_key}"[:100] if token else None})
        notices = Notices(tx.now, by)
        _announce(desk, tx, notices, case, number, values)
        notices.post(desk, tx)
        tx.audit("order.issue", f"case:{case_key}", number=number, level=level, to_section=section, to_login=login)
        return number

    try:
        return desk.command(work, by=by, address=address)
    except IntegrityError as error:
        if token and "token" in str(error.orig):
            raise Conflict("This order has been issued already.") from error
        raise


def issue_for_rung(desk: Desk, tx: Any, notices: Notices, recipients: Recipients, clock: Any, rung: Any) -> str | None:
    """What the action ``supervision_order`` of a rung does, inside the transaction that claims the rung; returns the number.

    The claim makes it happen once; the unique ``(clock, rung)`` of the order holds even if somebody fires a rung by other means.
    ``None`` when the clock belongs to no case.
    """
    case = recipients.case
    if case is None:
        return None
    section, login = who_has_it(recipients, case)
    today = tx.now.astimezone(desk.zone).date()
    values = {
        "key": new_key(), "level": rung.colour, "text": f"{clock['label']}：{rung.text or rung.id}",
        "due_on": desk.engine.calendar.add_workdays(today, ANSWER_WORKDAYS), "to_section": section, "to_login": login, "issued_by": None,
        "clock_key": clock["key"], "rung": rung.id,
    }  # fmt: skip
    number = _insert(desk, tx, case, values)
    _announce(desk, tx, notices, case, number, values)
    tx.audit("order.issue", f"case:{case.key}", number=number, rung=rung.id, to_section=section, to_login=login)
    return number


def who_has_it(recipients: Recipients, case: Any) -> tuple[str | None, str | None]:
    """The section that has the case (a ``case_file`` row) now, and the person if it is only one."""
    directory = recipients.directory
    holders = {task.assignee for task in recipients.tasks if task.assignee and directory.own_groups(task.assignee)}
    sections = {directory.section_of(login) for login in holders} or {directory.section_of(login) for login in recipients.people("handler")}
    section = sections.pop() if len(sections) == 1 else case.section_code or next(iter(sorted(filter(None, sections))), None)
    login = next(iter(holders)) if len(holders) == 1 else None
    return (directory.section_of(login) if login else section), login


def _insert(desk: Desk, tx: Any, case: Any, values: dict[str, Any]) -> str:
    rule, year = desk.settings.order_number, str(tx.now.astimezone(desk.zone).year)
    serial = numbering.next_serial(tx.conn, numbering.number_prefix(rule, year=year))
    number, key = rule.format(year=year, serial=serial), values["key"]
    row = {
        "number": number, "case_key": case.key, "clock_key": None, "rung": None, "token": None, "state": ISSUED,
        "issued_at": tx.now, "answered_at": None, "ended_at": None, "ended_by": None, "revision": 1, **values,
    }  # fmt: skip
    tx.add(tables.supervision_order, **row)
    _note(tx, key, "issue", values["text"], values["issued_by"])
    tx.add(
        tables.trail, **trail_row(case.key, "order", tx, actor=values["issued_by"], opinion=f"{number} {values['text']}"[:TEXT_LIMIT], details={"number": number})
    )
    return number


def _announce(desk: Desk, tx: Any, notices: Notices, case: Any, number: str, values: dict[str, Any]) -> None:
    directory = desk.people.directory(tx.conn)
    chiefs = directory.holders(CHIEFS, values["to_section"])
    logins = [values["to_login"], *chiefs] if values["to_login"] else chiefs or directory.members(f"section:{values['to_section']}") or directory.members("supervisor")
    for title, named in by_title(desk, tx.conn, case, list(dict.fromkeys(logins))):
        words = T(
            "Supervision order %(number)s: %(case_no)s %(title)s — %(text)s Answer by %(due)s.",
            number=number, case_no=case.case_no, title=title, text=values["text"], due=values["due_on"].isoformat(), order=values["key"],
        )  # fmt: skip
        notices.tell(named, "order", words, case_key=case.key, level=6 if values["level"] == "red" else 0)


# -- what becomes of it ------------------------------------------------------------------------------------------------


def answer(desk: Desk, key: int, text: str, *, revision: int | None = None, by: str, address: str | None = None) -> None:
    """反馈: whoever the order names says what has been done.  May be repeated until the order is closed; the issuer is told."""

    def work(tx: Any, note: Any) -> None:
        row = PAPERS.find(desk, tx.conn, key, by)
        if not may_answer(row, desk.access.identities(tx.conn, by), desk.people.groups(by, tx.conn)):
            raise NotPermitted("Only whom the order names and the chief of the section answer it.")
        said = _text(text, T("Say what has been done."))
        _move(desk, tx, row, "answer", ANSWERED, said, revision, answered_at=tx.now)
        directory = desk.people.directory(tx.conn)
        issuers = [row.issued_by] if row.issued_by and directory.own_groups(row.issued_by) else directory.members("supervisor")
        _tell(desk, tx, row, issuers, T("%(name)s answered %(number)s: %(text)s", name=directory.name(by), number=row.number, text=said))

    desk.command(work, by=by, address=address)


def send_back(desk: Desk, key: int, text: str, *, revision: int | None = None, by: str, address: str | None = None) -> None:
    """退办: the answer is not good enough; it has to be given again."""
    _decide(desk, key, "return", ISSUED, _text(text, T("Say what is missing.")), revision, by, address, only=(ANSWERED,))


def close(desk: Desk, key: int, text: str, *, revision: int | None = None, by: str, address: str | None = None) -> None:
    """销号: the matter is settled.  An order nobody answered can be withdrawn, not closed."""
    _decide(desk, key, "close", CLOSED, text.strip()[:TEXT_LIMIT], revision, by, address, only=(ANSWERED,))


def withdraw(desk: Desk, key: int, text: str, *, revision: int | None = None, by: str, address: str | None = None) -> None:
    """撤回: the order was issued in error or has become pointless; the number stays used."""
    _decide(desk, key, "withdraw", WITHDRAWN, _text(text, T("Say why the order is withdrawn.")), revision, by, address)


def _decide(
    desk: Desk, key: int, action: str, state: str, text: str, revision: int | None, by: str, address: str | None, only: tuple[str, ...] = OPEN
) -> None:
    def work(tx: Any, note: Any) -> None:
        row = PAPERS.find(desk, tx.conn, key, by)
        _require_issuer(desk.people.groups(by, tx.conn))
        if row.state in OPEN and row.state not in only:
            raise InvalidState("%(number)s has not been answered yet.", number=row.number)
        ended = {} if state in OPEN else {"ended_at": tx.now, "ended_by": by}
        _move(desk, tx, row, action, state, text, revision, **ended)
        directory = desk.people.directory(tx.conn)
        words = {
            "return": T("%(number)s has to be answered again: %(text)s", number=row.number, text=text),
            "close": T("%(number)s was closed by %(name)s.", number=row.number, name=directory.name(by)),
            "withdraw": T("%(number)s was withdrawn: %(text)s", number=row.number, text=text),
        }[action]
        chiefs = list(directory.holders(CHIEFS, row.to_section))
        _tell(desk, tx, row, ([row.to_login] if row.to_login else []) + chiefs, words)

    desk.command(work, by=by, address=address)


def _move(desk: Desk, tx: Any, row: Any, action: str, state: str, text: str, revision: int | None, **values: Any) -> None:
    if row.state not in OPEN:
        raise InvalidState("%(number)s is settled already.", number=row.number)
    table = tables.supervision_order
    seen = row.revision if revision is None else revision
    changed = update(table).where(table.c.key == row.key, table.c.revision == seen, table.c.state.in_(OPEN))
    if tx.execute(changed.values(state=state, revision=seen + 1, **values)).rowcount != 1:
        raise Conflict("%(number)s was changed by somebody else meanwhile. Look again.", number=row.number)
    _note(tx, row.key, action, text, tx.by)
    opinion = f"{row.number} {text}".strip()[:TEXT_LIMIT]
    tx.add(tables.trail, **trail_row(row.case_key, f"order_{action}", tx, actor=tx.by, opinion=opinion, details={"number": row.number}))
    tx.audit(f"order.{action}", f"order:{row.key}", number=row.number)


def _note(tx: Any, order_key: int, action: str, text: str, actor: str | None) -> None:
    tx.add(tables.supervision_step, key=new_key(), order_key=order_key, action=action, text=text, actor=actor, at=tx.now)


def _tell(desk: Desk, tx: Any, row: Any, logins: Collection[str], words: Any) -> None:
    notices = Notices(tx.now, tx.by)
    # The page that the bell leads to; no part of the sentence.
    words = T(words.msgid, **{**words.params, "order": row.key})
    notices.tell(list(dict.fromkeys(logins)), "order", words, case_key=row.case_key)
    notices.post(desk, tx)


def _text(text: str, refusal: Any) -> str:
    """Trimmed and bounded; empty is refused."""
    if not text.strip():
        raise ValidationFailed(refusal, errors={"text": [refusal]})
    return text.strip()[:TEXT_LIMIT]


def steps(conn: Connection, key: int) -> list[Row]:
    """What was said on an order, oldest first."""
    step = tables.supervision_step
    return list(conn.execute(select(step).where(step.c.order_key == key).order_by(step.c.key)))
