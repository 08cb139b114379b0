"""From a draft to a version in use: submitted with a reason, agreed to by a second person, deployed at once or on a day to come."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from engine.errors import Conflict, DeploymentRejected, EngineError, InvalidState, NotPermitted, ValidationFailed
from engine.runtime import due
from engine.runtime.casework.access import AccessRefused
from engine.runtime.deploy import deploy
from engine.runtime.design import drafts, plans, runs
from engine.runtime.design.checking import examine, packed_problems
from engine.runtime.design.drafts import Draft
from engine.runtime.design.files import Part, keep_companions
from engine.runtime.design.scenarios import scenario_files
from engine.runtime.design.submissions import STATES, Submission, of_row, submission, submissions, titles  # noqa: F401  read through here by the room
from engine.runtime.telling.notices import Notices, packed
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk
    from engine.runtime.transaction import Transaction

log = logging.getLogger(__name__)

APPROVERS = frozenset({"designer", "admin"})
"""Roles that may agree to a publication."""
NOTICE = "design"
"""Kind of the notifications about submissions."""
REASON_LIMIT = 1000
FARTHEST = timedelta(days=731)
"""How far ahead a publication may be fixed."""


# --- submitting -------------------------------------------------------------------------------------------------------


def submit(
    desk: Desk,
    key: int,
    *,
    revision: int,
    reason: str,
    effective_at: datetime | None = None,
    compared: Collection[Part] = (),
    warnings_seen: bool = False,
    play: plans.Play | None = None,
    by: str,
    address: str | None = None,
) -> Submission:
    """Hand a draft in for publication; where no second person is asked for, it is published (or scheduled) at once.

    ``compared`` are the versions in use that the designer has looked at and means to replace; ``warnings_seen`` that they know the
    warnings, or that there is no scenario; ``play`` is where the results of the scenarios come from (:func:`plans.require_sound`).
    Raises :class:`ValidationFailed` by field, :class:`DeploymentRejected` with all problems,
    :class:`Conflict` when the draft was saved meanwhile or what is in use is newer than the draft, :class:`InvalidState`.
    """
    reason = reason.strip()
    errors: dict[str, list[Words]] = {}
    if not reason or len(reason) > REASON_LIMIT:
        errors["reason"] = [T("Say why the procedure is changed, in at most %(most)d characters.", most=REASON_LIMIT)]
    now = desk.engine.clock()
    if effective_at is not None and not now < effective_at <= now + FARTHEST:
        errors["effective_at"] = [T("The time from which it is in use must lie ahead, within two years. Leave it empty for “at once”.")]
    if errors:
        raise ValidationFailed("The draft was not submitted: %(count)d field(s) need attention.", count=len(errors), errors=errors)
    with desk.engine.reading() as conn:
        draft = drafts.get(desk, conn, key, by)
        if draft.revision != revision:
            raise drafts.stale(desk, conn, draft)
        drafts.require_open(draft)
        planned = plans.plan(desk, conn, draft)
    results = plans.require_sound(desk, planned, compared, warnings_seen, play)
    row = {
        "key": new_key(), "draft_key": key, "process_id": draft.process_id or "", "state": "WAITING", "open_draft": str(key), "reason": reason,
        "effective_at": effective_at, "compared": [list(part) for part in compared],
        "scenarios": _listed(results), "findings": packed_problems(examine(desk, planned.merged)), "submitted_by": by, "decided_by": None, "decided_at": None,
        "note": "", "deployment_key": None, "published_at": None, "revision": 1,
    }  # fmt: skip
    try:
        with desk.audited(by, address, role="designer") as tx:
            _move_draft(tx, draft, "OPEN", "SUBMITTED")
            tx.execute(insert(tables.design_submission).values(**row, submitted_at=tx.now))
            tx.audit("design.submit", f"design:{key}", submission=row["key"], reason=reason, effective_at=effective_at and effective_at.isoformat())
            if desk.settings.design_second_approval:
                words = T("%(name)s asks you to approve the new version of “%(title)s”.", name=desk.people.directory(tx.conn).name(by), title=draft.title)
                _tell(desk, tx, approvers(desk, tx.conn), words)
    except IntegrityError as error:
        raise InvalidState("The draft “%(title)s” is submitted already.", title=draft.title) from error
    if not desk.settings.design_second_approval:
        return _agree(desk, row["key"], 1, "", by, address, lambda _desk, _files: results)
    with desk.engine.reading() as conn:
        return submission(desk, conn, row["key"], by)


def _listed(results: Iterable[Any]) -> list[list[Any]]:
    """How the scenarios ended, as the column holds it."""
    return [[each.name, str(each.title), each.ok] for each in results]


def approvers(desk: Desk, conn: Connection) -> list[str]:
    """Everybody who may agree to a publication."""
    directory = desk.people.directory(conn)
    return sorted({login for role in APPROVERS for login in directory.members(role)})


def _tell(desk: Desk, tx: Transaction, logins: Iterable[str], words: Words) -> None:
    notices = Notices(tx.now, tx.by)
    notices.tell(sorted(set(logins)), NOTICE, words, case_key=None)
    notices.post(desk, tx)


def _move_draft(tx: Transaction, draft: Draft, old: str, new: str) -> None:
    """Change a draft's state; :class:`Conflict` when it is not as it was."""
    table = tables.design_draft
    moved = update(table).where(table.c.key == draft.key, table.c.revision == draft.revision, table.c.state == old).values(state=new)
    if tx.execute(moved).rowcount != 1:
        raise Conflict("Somebody else changed this at the same moment. Look at it again, then repeat what is still needed.")


# --- deciding ---------------------------------------------------------------------------------------------------------


class _Taken(Exception):
    """Somebody else has decided or published it."""


def approve(
    desk: Desk, key: int, *, revision: int, note: str = "", play: plans.Play | None = None, by: str, address: str | None = None
) -> Submission:
    """Agree: the version is in use at once, or scheduled for its day.

    Raises :class:`NotPermitted` for the person who submitted it, :class:`Conflict` when somebody decided already or what is in use
    has become newer, :class:`DeploymentRejected` when it does not pass any more, :class:`ValidationFailed` when a scenario fails.
    """
    with desk.engine.reading() as conn:
        found = submission(desk, conn, key, by)
    _require_approver(desk, by, found, address)
    return _agree(desk, key, revision, note, by, address, play)


def _require_approver(desk: Desk, by: str, found: Submission, address: str | None) -> None:
    refusal: Words | None = None
    if by != desk.OPERATOR and APPROVERS.isdisjoint(desk.people.directory().own_groups(by)):
        refusal = T("Only a designer or an administrator approves a publication.")
    elif by == found.submitted_by:
        refusal = T("You have submitted this version yourself. Another designer or an administrator must approve it.")
    if refusal is not None:
        desk.record_refusal(AccessRefused(refusal, subject=f"submission:{found.key}", reason="approver"), by=by, address=address)
        raise NotPermitted(refusal)


def _agree(
    desk: Desk, key: int, revision: int, note: str, by: str, address: str | None, play: plans.Play | None
) -> Submission:
    try:
        _decide(desk, key, revision, note.strip()[:REASON_LIMIT], by, address, play)
    except EngineError:
        # What seemed wrong with it may be the decision of somebody else, made between two looks: nothing differs any more, say.
        with desk.engine.reading() as conn:
            _require_waiting(desk, submission(desk, conn, key, by), revision, by)
        raise
    with desk.engine.reading() as conn:
        return submission(desk, conn, key, by)


def _decide(desk: Desk, key: int, revision: int, note: str, by: str, address: str | None, play: plans.Play | None) -> None:
    with desk.engine.reading() as conn:
        found = submission(desk, conn, key, by)
        _require_waiting(desk, found, revision, by)
        draft = drafts.get(desk, conn, found.draft_key, by)
        planned = plans.plan(desk, conn, draft)
    results = plans.require_sound(desk, planned, found.compared, True, play)
    if found.effective_at is None or found.effective_at <= desk.engine.clock():
        _publish(desk, found, draft, planned, {"decided_by": by, "note": note, "scenarios": _listed(results)}, by, address)
        return
    with desk.audited(by, address) as tx:
        if not _move(tx, found, "WAITING", {"state": "SCHEDULED", "decided_by": by, "decided_at": tx.now, "note": note, "scenarios": _listed(results)}):
            raise _decided(desk, tx.conn, key, by)
        tx.audit("design.approve", f"submission:{key}", draft=draft.key, effective_at=found.effective_at.isoformat())
        _tell(desk, tx, _concerned(found), T("The new version of “%(title)s” is approved and takes effect on its day.", title=draft.title))


def _publish(
    desk: Desk, found: Submission, draft: Draft, planned: plans.Plan, values: Mapping[str, Any], by: str | None, address: str | None
) -> None:
    """Deploy, and write the end of submission and draft in the same transaction."""

    def close(tx: Transaction, deployment_key: int) -> None:
        done = {"state": "PUBLISHED", "open_draft": None, "published_at": tx.now, "deployment_key": deployment_key, **values}
        if found.decided_at is None:
            done["decided_at"] = tx.now
        # The unique row is the claim; the state behind it says why when it is taken.
        if not due.claim(tx, "design", found.key, "published") or not _move(tx, found, found.state, done):
            raise _Taken
        _move_draft(tx, draft, "SUBMITTED", "PUBLISHED")
        keep_companions(tx, found.process_id, draft.files, deployment_key)
        tx.audit("design.publish", f"submission:{found.key}", draft=draft.key, deployment=deployment_key, process=found.process_id)
        _tell(desk, tx, _concerned(found), T("The new version of “%(title)s” is in use.", title=draft.title))

    try:
        if planned.payload:
            files = {name: text.encode() for name, text in planned.payload.items()}
            deploy(desk.engine, files, by or desk.OPERATOR, address, reason=found.reason, based_on=planned.versions, first=close)
        else:
            with desk.engine.transaction(by=by, address=address) as tx:
                close(tx, new_key())
    except _Taken:
        with desk.engine.reading() as conn:
            raise _decided(desk, conn, found.key, by) from None


def _concerned(found: Submission) -> list[str]:
    return [login for login in (found.submitted_by, found.decided_by) if login]


def _move(tx: Transaction, found: Submission, old: str, values: Mapping[str, Any]) -> bool:
    table = tables.design_submission
    same = (table.c.key == found.key, table.c.state == old, table.c.revision == found.revision)
    return tx.execute(update(table).where(*same).values(**values, revision=found.revision + 1)).rowcount == 1


def _require_waiting(desk: Desk, found: Submission, revision: int, by: str) -> None:
    if found.state != "WAITING" or found.revision != revision:
        with desk.engine.reading() as conn:
            raise _decided(desk, conn, found.key, by)


def _decided(desk: Desk, conn: Connection, key: int, asker: str | None) -> Conflict:
    """That it is decided, by whom; to the very person who did it in another tab it is said as such."""
    table = tables.design_submission
    row = conn.execute(select(table).where(table.c.key == key)).mappings().one()
    by = row["decided_by"] or row["submitted_by"]
    known = {"state": STATES[row["state"]], "by": by, "at": row["published_at"] or row["decided_at"] or row["submitted_at"]}
    if by == asker:
        return Conflict("You have dealt with this submission already: it is %(state)s.", **known)
    return Conflict("%(name)s was faster: this submission is %(state)s.", name=desk.people.directory(conn).name(by), **known)


def refuse(desk: Desk, key: int, *, revision: int, note: str, by: str, address: str | None = None) -> Submission:
    """Send a submission back with a reason; the draft is open again.  Raises :class:`ValidationFailed` without a reason."""
    note = note.strip()
    if not note or len(note) > REASON_LIMIT:
        words = T("Say why you send it back, in at most %(most)d characters.", most=REASON_LIMIT)
        raise ValidationFailed(words, errors={"note": [words]})
    with desk.engine.reading() as conn:
        found = submission(desk, conn, key, by)
    _require_approver(desk, by, found, address)
    title = _reopen(desk, found, revision, ("WAITING",), "REFUSED", "design.refuse", note, by, address)
    log.info("submission %s (%s) was sent back", key, title)
    with desk.engine.reading() as conn:
        return submission(desk, conn, key, by)


def withdraw(desk: Desk, key: int, *, revision: int, by: str, address: str | None = None) -> Submission:
    """Take a submission back that waits for approval or for its day; the draft is open again."""
    with desk.engine.reading() as conn:
        found = submission(desk, conn, key, by)
    _reopen(desk, found, revision, ("WAITING", "SCHEDULED"), "WITHDRAWN", "design.withdraw", "", by, address)
    with desk.engine.reading() as conn:
        return submission(desk, conn, key, by)


def _reopen(
    desk: Desk, found: Submission, revision: int, states: tuple[str, ...], state: str, action: str, note: str, by: str, address: str | None
) -> str:
    with desk.audited(by, address, role=None if state == "REFUSED" else "designer") as tx:
        draft = drafts.locked(tx, found.draft_key)
        values: dict[str, Any] = {"state": state, "open_draft": None, "note": note}
        if state == "REFUSED":
            values |= {"decided_by": by, "decided_at": tx.now}
        if found.state not in states or found.revision != revision or not _move(tx, found, found.state, values):
            raise _decided(desk, tx.conn, found.key, by)
        _move_draft(tx, draft, "SUBMITTED", "OPEN")
        tx.audit(action, f"submission:{found.key}", draft=draft.key, **({"note": note} if note else {}))
        if state == "REFUSED":
            name = desk.people.directory(tx.conn).name(by)
            _tell(desk, tx, [found.submitted_by], T("%(name)s sent “%(title)s” back: %(note)s", name=name, title=draft.title, note=note))
        else:
            _tell(desk, tx, _concerned(found), T("The submission of “%(title)s” was withdrawn.", title=draft.title))
    return draft.title


# --- the day to come --------------------------------------------------------------------------------------------------


def run_due(desk: Desk, limit: int | None = None) -> int:
    """Publish what was approved for a day that has come, each once whatever the number of nodes; gives how many.

    A draft with scenarios is tried once more first, in the background: rules, forms and people may be other ones than on the day of the
    approval.  One that cannot be published any more (something newer is in use, a scenario fails) goes back to its author with the reason.
    """
    table = tables.design_submission
    chosen = select(table).where(table.c.state == "SCHEDULED", table.c.effective_at <= desk.engine.clock()).order_by(table.c.effective_at)
    with desk.engine.reading() as conn:
        ready = [of_row(row) for row in conn.execute(chosen if limit is None else chosen.limit(max(limit, 0))).mappings()]
    return sum(_attempt(desk, found) for found in ready)


def _attempt(desk: Desk, found: Submission) -> bool:
    """Publish one; a failure that is not about it (the database is away) must not hold up the others, and is tried again."""
    try:
        return _publish_due(desk, found)
    except Exception:
        log.exception("the submission %s could not be published", found.key)
        return False


def _publish_due(desk: Desk, found: Submission) -> bool:
    with desk.engine.reading() as conn:
        if runs.open_run(conn, found.draft_key) is not None:
            return False  # it is being tried, and goes on by itself
        planned = plans.plan(desk, conn, drafts.get(desk, conn, found.draft_key, desk.OPERATOR))
    if scenario_files(planned.merged):
        runs.start(desk, found.draft_key, following={"act": "publish", "submission": found.key}, by=desk.OPERATOR)
        return False
    return _publish_checked(desk, found, None)


def publish_scheduled(desk: Desk, key: int, play: plans.Play) -> bool:
    """Publish a scheduled submission with the results that ``play`` gives; ``False`` when it is not scheduled any more, or has failed.

    What changed while the scenarios were played calls for another run: the next round of due work asks for it.
    """
    with desk.engine.reading() as conn:
        found = submission(desk, conn, key, desk.OPERATOR)
    return found.state == "SCHEDULED" and _publish_checked(desk, found, play)


def _publish_checked(desk: Desk, found: Submission, play: plans.Play | None) -> bool:
    with desk.engine.reading() as conn:
        draft = drafts.get(desk, conn, found.draft_key, desk.OPERATOR)
        planned = plans.plan(desk, conn, draft)
    try:
        problems = [each for each in examine(desk, planned.merged) if each.severity == "error"]
        if problems:
            raise DeploymentRejected(problems)
        plans.require_compared(planned, found.compared)
        results = plans.require_passed(desk, planned, play)
        _publish(desk, found, draft, planned, {"scenarios": _listed(results)}, found.decided_by, None)
    except plans.Unplayed:
        return False
    except EngineError as error:
        return _fail_due(desk, found, draft, error.message)
    return True


def fail_scheduled(desk: Desk, key: int, why: Words) -> None:
    """A scheduled submission cannot be published, for ``why``; its draft is open again, and everybody concerned is told."""
    with desk.engine.reading() as conn:
        found = submission(desk, conn, key, desk.OPERATOR)
        draft = drafts.get(desk, conn, found.draft_key, desk.OPERATOR)
    _fail_due(desk, found, draft, why)


def _fail_due(desk: Desk, found: Submission, draft: Draft, why: Words) -> bool:
    with desk.engine.transaction() as tx:
        values = {"state": "FAILED", "open_draft": None, "note": str(why)[:REASON_LIMIT], "failure": packed(why)}
        if not _move(tx, found, "SCHEDULED", values):
            return False  # another node has published it, which is what we were told
        _move_draft(tx, draft, "SUBMITTED", "OPEN")
        tx.audit("design.failed", f"submission:{found.key}", draft=draft.key, reason=str(why)[:500])
        words = T("“%(title)s” could not be published on its day: %(reason)s", title=draft.title, reason=why)
        _tell(desk, tx, [*_concerned(found), *approvers(desk, tx.conn)], words)
    return False


# --- back to an earlier version ---------------------------------------------------------------------------------------


def earlier(
    desk: Desk, process_id: str, deployment: int, *, reason: str, by: str, token: str | None = None, address: str | None = None
) -> tuple[Draft, list[Part]]:
    """A draft with the content of an earlier version, and the versions in use that it would replace.  ``reason`` must be given.

    With a ``token`` that was used before it is the draft of then, whatever has become of it.
    """
    if not reason.strip():
        words = T("Say why the earlier version is taken back.")
        raise ValidationFailed(words, errors={"reason": [words]})
    title = drafts.desk_name(desk, process_id)
    made = drafts.branch(desk, process_id, deployment=deployment, title=title, note=reason, by=by, token=token, address=address)
    with desk.engine.reading() as conn:
        draft = drafts.get(desk, conn, made.key, by)
        return draft, [each.part for each in plans.plan(desk, conn, draft).overtaken]
