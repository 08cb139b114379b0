"""Appeals 申诉 against cards: made in time by whom a card concerns, decided by a supervisor whom it does not.

Within the working days that the rules name (five, ``domain.md`` §1.17), the day of the card not counted; until closing of the last day.
A revoked card does not count any more; its number stays used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select, update

from engine.deadlines import date_words
from engine.errors import Conflict, InvalidState, NotPermitted, ValidationFailed
from engine.runtime.casework.access import CHIEFS, AccessRefused
from engine.runtime.casework.attachments import Download, store
from engine.runtime.casework.casestate import trail_row
from engine.runtime.supervision import cards
from engine.runtime.telling.notices import Notices
from engine.store import tables
from engine.words import T

if TYPE_CHECKING:
    from datetime import datetime

    from engine.runtime.desk import Desk

TEXT_LIMIT = 2000


def open_for_appeal(desk: Desk, card: Any, now: datetime) -> bool:
    """Whether the card may still be appealed against at ``now``: nobody has, nobody has decided, and the time is not over."""
    return card.state == cards.ISSUED and desk.engine.calendar.office_day(now) <= card.appeal_until


def appeal(
    desk: Desk, key: int, reason: str, *, filename: str = "", content: bytes = b"", revision: int | None = None, by: str, address: str | None = None
) -> None:
    """Appeal against a card, with a paper if there is one.

    For the addressee, the chief of the section, and anybody of the section when the card is the section's; deputies for their principals.
    Raises :class:`NotPermitted`, :class:`InvalidState` when the time is over or an appeal was made, :class:`ValidationFailed` for an
    empty reason or a file that cannot be taken, :class:`Conflict` for a stale ``revision``.
    """

    def work(tx: Any, note: Any) -> None:
        row = cards.PAPERS.find(desk, tx.conn, key, by)
        if not cards.may_appeal(row, desk.access.identities(tx.conn, by), desk.people.groups(by, tx.conn)):
            raise NotPermitted("Only whom the card names and the chief of the section may appeal against it.")
        if row.state != cards.ISSUED:
            raise InvalidState("%(number)s has been appealed against or decided already.", number=row.number)
        if not open_for_appeal(desk, row, tx.now):
            raise InvalidState("The time for an appeal against %(number)s ended on %(day)s.", number=row.number, day=date_words(row.appeal_until))
        said = _text(reason, T("Say why the card should be revoked."))
        # It belongs to the card and not to the case: who reads the case need not read it.
        paper = store(desk, tx, None, f"card:{row.key}", "appeal", filename, content) if filename or content else None
        behalf = row.to_login if row.to_login != by and row.to_login in desk.access.identities(tx.conn, by) else None
        _move(desk, tx, row, "appeal", cards.APPEALED, said, revision, on_behalf_of=behalf, attachment=paper, appealed_at=tx.now, appealed_by=by)
        directory = desk.people.directory(tx.conn)
        words = T("%(name)s appeals against %(number)s: %(text)s", name=directory.name(by), number=row.number, text=said)
        _tell(desk, tx, row, cards.deciders(desk, tx.conn, row), words)

    desk.command(work, by=by, address=address)


def decide(desk: Desk, key: int, *, revoke: bool, reason: str, revision: int | None = None, by: str, address: str | None = None) -> None:
    """Uphold a card after an appeal, or revoke it: after an appeal, or of one's own motion when it was issued in error.

    For supervision, or the head of the office, if the card does not concern them (:func:`cards.concerned`).  Raises what :func:`appeal` raises.
    """

    def work(tx: Any, note: Any) -> None:
        row = cards.PAPERS.find(desk, tx.conn, key, by)
        if cards.DECIDERS.isdisjoint(desk.people.groups(by, tx.conn)):
            raise NotPermitted("Only supervision and the head of the office decide on cards.")
        if cards.concerned(desk, tx.conn, row, by):
            raise NotPermitted("This card concerns you; somebody else decides on it.")
        if row.state not in (cards.ISSUED, cards.APPEALED):
            raise InvalidState("%(number)s has been decided already.", number=row.number)
        if row.state == cards.ISSUED and not revoke:
            raise InvalidState("Nobody has appealed against %(number)s; there is nothing to uphold.", number=row.number)
        said = _text(reason, T("Say what the decision rests on."))
        action, state = ("revoke", cards.REVOKED) if revoke else ("uphold", cards.UPHELD)
        _move(desk, tx, row, action, state, said, revision, decided_at=tx.now, decided_by=by)
        words = (
            T("%(number)s was revoked: %(text)s It does not count.", number=row.number, text=said)
            if revoke
            else T("The appeal against %(number)s was turned down: %(text)s", number=row.number, text=said)
        )
        chiefs = desk.people.directory(tx.conn).holders(CHIEFS, row.to_section)
        _tell(desk, tx, row, [*filter(None, (row.to_login, row.appealed_by)), *chiefs], words)

    desk.command(work, by=by, address=address)


def paper(desk: Desk, conn: Connection, card_key: int, attachment_key: int, login: str, address: str | None = None) -> Download:
    """The paper of an appeal, for whoever may read the card; :class:`AccessRefused` otherwise."""
    row = cards.PAPERS.access(desk, conn, card_key, login, address)
    file, content = tables.attachment, tables.attachment_content
    chosen = select(file, content.c.content).join(content, content.c.key == file.c.key)
    found = conn.execute(chosen.where(file.c.key == attachment_key, file.c.subject == f"card:{row.key}")).one_or_none()
    if found is None:
        refusal = AccessRefused(T("There is no such attachment, or you may not see it."), subject=f"attachment:{attachment_key}", reason="not of this card")
        desk.record_refusal(refusal, by=login, address=address)
        raise refusal
    return Download(found.key, found.filename, found.content_type, found.size, found.checksum, bytes(found.content))


def _move(
    desk: Desk, tx: Any, row: Any, action: str, state: str, text: str, revision: int | None, *, on_behalf_of: str | None = None,
    attachment: int | None = None, **values: Any,
) -> None:  # fmt: skip
    table = tables.card
    seen = row.revision if revision is None else revision
    changed = update(table).where(table.c.key == row.key, table.c.revision == seen, table.c.state == row.state)
    if tx.execute(changed.values(state=state, revision=seen + 1, **values)).rowcount != 1:
        raise Conflict("%(number)s was changed by somebody else meanwhile. Look again.", number=row.number)
    cards.note(tx, row.key, action, text, tx.by, on_behalf_of=on_behalf_of, attachment=attachment)
    details = {"number": row.number, "rule": row.rule_id, "degree": row.degree}
    line = trail_row(row.case_key, f"card_{action}", tx, actor=tx.by, on_behalf_of=on_behalf_of, opinion=f"{row.number} {text}"[:TEXT_LIMIT], details=details)
    tx.add(tables.trail, **line)
    tx.audit(f"card.{action}", f"card:{row.key}", number=row.number)


def _tell(desk: Desk, tx: Any, row: Any, logins: list[str], words: Any) -> None:
    notices = Notices(tx.now, tx.by)
    # The page that the bell leads to; no part of the sentence.
    words = T(words.msgid, **{**words.params, "card": row.key})
    notices.tell(list(dict.fromkeys(logins)), "card", words, case_key=row.case_key)
    notices.post(desk, tx)


def _text(text: str, refusal: Any) -> str:
    if not text.strip():
        raise ValidationFailed(refusal, errors={"text": [refusal]})
    return text.strip()[:TEXT_LIMIT]
