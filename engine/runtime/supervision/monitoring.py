"""Electronic supervision 电子监察 at work: looks once a minute for what the rules answer with a card, and issues each card once.

What runs is found by a question that leaves out what has a card already, so an outage or a changed clock loses nothing and the card
says when the fact came about.  What passes (a refusal, an extension, a limit that ended late) is read from the trail and the clocks
since the last look, which is kept in the table of settings; two looks overlap, because a transaction may commit later than the next.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from engine.runtime.supervision import cards
from engine.runtime.supervision.findings import Finding, Scope, find
from engine.store import tables
from engine.store.types import DIALECT_INSERTS
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

log = logging.getLogger(__name__)

CADENCE = timedelta(minutes=1)
"""How often a node looks."""
OVERLAP = timedelta(minutes=2)
"""How far a look reaches back behind the last one; no command takes that long to commit."""
LATE = timedelta(minutes=5)
"""A card issued later than this after its fact says so."""
LINES = 10_000
"""Lines of the trail that one look reads; when there are more, the next look follows at once."""
ROUND = 200
"""Cards that one look issues; each is a transaction of its own, and other due work must not wait for thousands."""
LOOKED = "monitoring.looked"
"""The setting that says how far supervision has looked: ``key`` of the trail and instant ``at``."""
_PER_MILLISECOND = 1 << 22
"""Keys are milliseconds above 22 bits of node and sequence."""
PATIENCE = timedelta(days=1)
"""While a card cannot be issued the look is not moved on, but no longer than this."""


def run(desk: Desk) -> int:
    """Look if it is time to; returns how many cards this node issued.  Without rules it costs nothing."""
    now = desk.engine.clock()
    # A clock that was set back must not silence supervision until it has caught up.
    if desk.monitored_until is not None and desk.monitored_until - CADENCE <= now < desk.monitored_until:
        return 0
    book = desk.book()
    if not book.monitoring.rules:
        desk.monitored_until = now + CADENCE
        return 0
    issued, more = look(desk, now)
    desk.monitored_until = None if more else now + CADENCE
    return issued


def look(desk: Desk, now: datetime) -> tuple[int, bool]:
    """Look once; returns how many cards were issued and whether there is more to look at."""
    book = desk.book()
    sheet, version = book.monitoring, book.monitoring_version
    with desk.engine.reading() as conn:
        scope, more = _scope(desk, conn, sheet, now)
        found = [finding for rule in sheet.rules for finding in find(scope, rule)]
    issued, failed = 0, False
    for matter in _matters(found):
        if issued >= ROUND:
            # What stands in the trail is read again until all of it has its card.
            return issued, True
        try:
            issued += _issue(desk, matter, replace(scope, conn=None), version)  # type: ignore[arg-type]
        except Exception as error:  # whatever is wrong with it must not hold up the others
            finding = matter[-1]
            log.exception("a card of the rule %s about %s could not be issued", finding.rule.id, finding.subject)
            failed = True
            with desk.engine.transaction() as tx:
                tx.audit("card.failed", finding.subject, rule=finding.rule.id, degree=finding.degree.card, reason=str(error)[:500])
    if not failed or now - scope.since > PATIENCE:
        _remember(desk, scope)
    return issued, more and not failed


def _scope(desk: Desk, conn: Any, sheet: Any, now: datetime) -> tuple[Scope, bool]:
    """What this look is about, and whether lines of the trail are left for the next one."""
    stored = conn.execute(select(tables.setting.c.value).where(tables.setting.c.name == LOOKED)).scalar_one_or_none()
    scope = Scope(conn, sheet, desk.engine.calendar, now)
    if stored is not None:
        back = int(OVERLAP.total_seconds() * 1000) * _PER_MILLISECOND
        scope = replace(scope, since_key=stored["key"] - back, since=min(datetime.fromisoformat(stored["at"]), now) - OVERLAP)
    trail = tables.trail.c
    begin = stored["key"] if stored is not None else 0
    # Counted from the last look on: the overlap is read in addition, so that a look always gets ahead.
    last = conn.execute(select(trail.key).where(trail.key > begin).order_by(trail.key).offset(LINES - 1).limit(1)).scalar()
    newest = conn.execute(select(func.max(trail.key))).scalar() or 0
    return replace(scope, upto_key=last if last is not None else max(newest, begin)), last is not None and last < newest


def _matters(found: Sequence[Finding]) -> list[list[Finding]]:
    """The findings by rule and subject in the order found, the mildest of each first: after an outage several are ripe at once."""
    matters: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        matters.setdefault((finding.rule.id, finding.subject), []).append(finding)
    return [sorted(each, key=_gravity) for each in matters.values()]


def _gravity(finding: Finding) -> int:
    return cards.DEGREES.index(finding.degree.card)


def _issue(desk: Desk, matter: Sequence[Finding], scope: Scope, version: int) -> int:
    """Issue the cards of one matter in a transaction of their own, and tell of the gravest; the others are recorded as superseded by it.

    Returns how many; none when another node was first, or when it is no longer true.
    """

    def missing(conn: Any) -> list[Finding]:
        return [each for each in matter if not cards.exists_already(conn, each.rule, each.degree, each.subject)]

    def work(unit: Any) -> int:
        tx = unit.tx
        wanted = missing(tx.conn)
        if not wanted:
            return 0
        # Asked again here: the limit may have been extended, or the task taken, since the look.
        again = list(find(replace(scope, conn=tx.conn), wanted[0].rule, wanted[0].only))
        subject, degrees = wanted[0].subject, {each.degree for each in wanted}
        still = sorted((each for each in again if each.subject == subject and each.degree in degrees), key=_gravity)
        made = []
        for each in still:
            late = tx.now - each.fell_due_at > LATE
            told = each is still[-1]
            made.append(cards.issue(desk, tx, each, version=version, appeal_workdays=scope.sheet.appeal_workdays, late=late, told=told))
        issued = [each for each in made if each is not None]
        for key, _number in issued[:-1]:
            cards.note(tx, key, cards.SUPERSEDE, issued[-1][1], None)
        tx.flush()
        return len(issued)

    for _attempt in range(len(matter)):
        try:
            return int(desk.engine.command(work, by=None))
        except IntegrityError:
            # Another node has issued one of them meanwhile, which undid all of this; what is missing then is issued without it.
            with desk.engine.reading() as conn:
                left = missing(conn)
            if not left:
                return 0
            if len(left) == len(matter):
                raise
    return 0


def _remember(desk: Desk, scope: Scope) -> None:
    """Say how far was looked; another node may have looked farther.  Written only when there is something new to say."""
    setting = tables.setting
    value = {"key": scope.upto_key, "at": scope.now.isoformat()}
    with desk.engine.transaction() as tx:
        tx.execute(DIALECT_INSERTS[tx.conn.dialect.name](setting).values(name=LOOKED, value={"key": 0, "at": scope.now.isoformat()}).on_conflict_do_nothing())
        stored = tx.execute(select(setting.c.value).where(setting.c.name == LOOKED).with_for_update()).scalar_one()
        if stored["key"] > value["key"]:
            value["key"] = stored["key"]
        tx.execute(setting.update().where(setting.c.name == LOOKED).values(value=value))


def problems_of(sheet: Any, known: dict[str, set[str]]) -> list[tuple[str, Any]]:
    """What the rules name and nobody has, as (rule id, message): procedures and deadline rules."""
    found = []
    for rule in sheet.rules:
        for kind, ids in (("process", rule.procedures), ("rule", rule.limits)):
            for id in ids:
                if id not in known[kind]:
                    message = T("Supervision rule %(rule)s names the %(kind)s “%(id)s”, which is not deployed. Deploy it too, or correct the id.", rule=rule.id, kind=kind, id=id)
                    found.append((rule.id, message))
    return found
