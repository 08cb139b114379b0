"""Deductions in the assessment 考核扣分: entered by a ladder, reversed by two people.

A register of entries, not a sum: each names the section, the person, the points, why, and the limit it comes from.  An entry counts
until it is reversed.  Reversing takes two: the chief of the section, who objects, or supervision asks with a reason; somebody of
supervision or the head of the office, who is neither who asked nor whom it is about, decides (``domain.md`` §1.17 (b): 申诉).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from engine.errors import Conflict, InvalidState, NotPermitted, ValidationFailed
from engine.runtime.casework.access import CHIEFS, URGERS
from engine.runtime.supervision import orders
from engine.runtime.supervision.readers import CHIEFS_ONLY, Addressed, leads
from engine.runtime.telling.notices import Notices
from engine.runtime.telling.recipients import Recipients
from engine.store import tables
from engine.store.types import DIALECT_INSERTS, new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

VALID, ASKED, REVERSED = "VALID", "ASKED", "REVERSED"
TENTHS = 10
"""Points are kept times ten, as whole numbers: half a point is common, a sum of fractions must not be off."""
TEXT_LIMIT = 2000
_TABLE = tables.assessment_entry
PAPERS = Addressed(_TABLE, "login", "section_code", CHIEFS_ONLY, "assessment", T("There is no such entry, or you may not see it."))
"""Who reads entries besides who oversees: whom they are about, and the chief of the section."""


def enter_for_rung(desk: Desk, tx: Any, notices: Notices, recipients: Recipients, clock: Any, rung: Any) -> int | None:
    """What the action ``assessment_deduction`` of a rung does, in the transaction that fires it; gives the key.

    ``None`` when the clock belongs to no case, or the rung has deducted before.
    """
    case = recipients.case
    if case is None:
        return None
    section, login = orders.who_has_it(recipients, case)
    key, tenths = new_key(), int(rung.points * TENTHS)
    row = {
        "key": key, "case_key": case.key, "clock_key": clock["key"], "rung": rung.id, "section_code": section, "login": login, "tenths": tenths,
        "reason": f"{case.case_no} {clock['label']}：{rung.text or rung.id}", "state": VALID, "made_at": tx.now, "asked_at": None, "asked_by": None,
        "asked_reason": None, "decided_at": None, "decided_by": None, "decided_reason": None, "revision": 1,
    }  # fmt: skip
    entered = DIALECT_INSERTS[tx.conn.dialect.name](_TABLE).on_conflict_do_nothing(index_elements=["clock_key", "rung"])
    if tx.execute(entered.values(row).returning(_TABLE.c.key)).first() is None:
        return None
    directory = recipients.directory
    words = T(
        "%(points)s point(s) were deducted in the assessment: %(case_no)s — %(limit)s",
        points=points_text(tenths), case_no=case.case_no, limit=clock["label"], deduction=key,
    )  # fmt: skip
    whom = [*([login] if login else []), *(directory.holders(CHIEFS, section) if section else ())]
    notices.tell(list(dict.fromkeys(whom)), "assessment", words, case_key=case.key)
    tx.audit("assessment.deduct", f"assessment:{key}", case=case.case_no, section=section, login=login, points=points_text(tenths))
    return key


def points_text(tenths: int) -> str:
    """``"1"``, ``"0.5"``."""
    return f"{tenths / TENTHS:g}"


# -- who ---------------------------------------------------------------------------------------------------------------


def may_ask(row: Any, groups: Collection[str]) -> bool:
    """Whether somebody may ask that the entry be reversed: the chief of its section, supervision, the heads of the office."""
    chief = leads(row.section_code, groups)
    return row.state == VALID and (chief or not URGERS.isdisjoint(groups))


def may_decide(row: Any, login: str, groups: Collection[str]) -> bool:
    """Whether somebody may decide what was asked: the second person, and not whom it is about."""
    return row.state == ASKED and not URGERS.isdisjoint(groups) and login not in (row.asked_by, row.login)


# -- reversing -----------------------------------------------------------------------------------------------------------


def ask(desk: Desk, key: int, reason: str, *, revision: int | None = None, by: str, address: str | None = None) -> None:
    """Ask that an entry be reversed, with a reason; who may decide is told."""

    def work(tx: Any, note: Any) -> None:
        row = PAPERS.find(desk, tx.conn, key, by)
        said = _text(reason)
        if row.state != VALID:
            raise InvalidState("A reversal of this entry has been asked for or decided already.")
        if not may_ask(row, desk.people.groups(by, tx.conn)):
            raise NotPermitted("Only the chief of the section and supervision may ask that a deduction be reversed.")
        _move(tx, row, "ask", ASKED, revision, said, asked_at=tx.now, asked_by=by, asked_reason=said)
        directory = desk.people.directory(tx.conn)
        words = T("%(name)s asks to reverse a deduction: %(entry)s — %(text)s", name=directory.name(by), entry=row.reason, text=said)
        _tell(desk, tx, row, directory.members("supervisor") + directory.members("vice_director"), words)

    desk.command(work, by=by, address=address)


def decide(desk: Desk, key: int, reason: str, *, reverse: bool, revision: int | None = None, by: str, address: str | None = None) -> None:
    """Reverse an entry as was asked, or let it stand; by a second person, with a reason.  Who asked and whom it is about are told."""

    def work(tx: Any, note: Any) -> None:
        row = PAPERS.find(desk, tx.conn, key, by)
        said = _text(reason)
        if row.state != ASKED:
            raise InvalidState("Nobody asks that this entry be reversed.")
        if not may_decide(row, by, desk.people.groups(by, tx.conn)):
            raise NotPermitted("A second person of supervision decides about a reversal: not who asked, not whom it is about.")
        state = REVERSED if reverse else VALID
        _move(tx, row, "reverse" if reverse else "keep", state, revision, said, decided_at=tx.now, decided_by=by, decided_reason=said)
        sentence = "The deduction was reversed: %(entry)s — %(text)s" if reverse else "The deduction stands: %(entry)s — %(text)s"
        directory = desk.people.directory(tx.conn)
        chiefs = directory.holders(CHIEFS, row.section_code) if row.section_code else ()
        _tell(desk, tx, row, [row.asked_by, *([row.login] if row.login else []), *chiefs], T(sentence, entry=row.reason, text=said))

    desk.command(work, by=by, address=address)


# Named here once more for the extraction of messages, which looks for T("…").
_EXTRACTED = (T("The deduction was reversed: %(entry)s — %(text)s"), T("The deduction stands: %(entry)s — %(text)s"))


def _move(tx: Any, row: Any, action: str, state: str, revision: int | None, reason: str, **values: Any) -> None:
    seen = row.revision if revision is None else revision
    changed = update(_TABLE).where(_TABLE.c.key == row.key, _TABLE.c.revision == seen, _TABLE.c.state == row.state)
    if tx.execute(changed.values(state=state, revision=seen + 1, **values)).rowcount != 1:
        raise Conflict("This entry was changed by somebody else meanwhile. Look again.")
    tx.audit(f"assessment.{action}", f"assessment:{row.key}", reason=reason)


def _tell(desk: Desk, tx: Any, row: Any, logins: Collection[str], words: Words) -> None:
    notices = Notices(tx.now, tx.by)
    # The page that the bell leads to; no part of the sentence.
    notices.tell(list(dict.fromkeys(logins)), "assessment", T(words.msgid, **{**words.params, "deduction": row.key}), case_key=row.case_key)
    notices.post(desk, tx)


def _text(text: str) -> str:
    if not text.strip():
        refusal = T("Say why.")
        raise ValidationFailed(refusal, errors={"text": [refusal]})
    return text.strip()[:TEXT_LIMIT]
