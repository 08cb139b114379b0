"""Cards 监察卡 (预警, 黄牌, 红牌): issuing what a rule found, and who may read, answer for and decide on a card.

Numbered without gaps like supervision orders: the serial is drawn in the transaction that issues the card.  The unique
``(rule, subject, degree)`` is the claim, whatever the number of nodes that look at the same time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, and_, func, select

from engine.deadlines.monitoring_rules import Degree, MonitoringRule
from engine.organisation import Directory
from engine.runtime.casework import numbering
from engine.runtime.casework.access import CHIEFS
from engine.runtime.casework.casestate import people_of, trail_row
from engine.runtime.supervision.findings import Finding
from engine.runtime.supervision.readers import UNNAMED, Addressed, by_title
from engine.runtime.telling.notices import Notices, packed
from engine.runtime.telling.recipients import Recipients, open_tasks
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

ISSUED, APPEALED, UPHELD, REVOKED = "ISSUED", "APPEALED", "UPHELD", "REVOKED"
COUNTING = (ISSUED, APPEALED, UPHELD)
"""States of a card that counts; a revoked one is as if it had never been."""
SUPERSEDE = "supersede"
"""A line in the record of a card: its text is the number of the graver card of the same matter that people were told of."""
DECIDERS = frozenset({"supervisor", "director"})
"""Who decides on appeals: supervision, and the head of the office where all of supervision is concerned."""
PAPERS = Addressed(tables.card, "to_login", "to_section", UNNAMED, "card", T("There is no such card, or you may not see it."))
"""Who reads cards besides who oversees: whom they name, the chief of the section, and all of a section that gets one as a whole."""
DEGREE_WORDS: dict[str, Words] = {"warning": T("Warning card"), "yellow": T("Yellow card"), "red": T("Red card")}
DEGREES = tuple(DEGREE_WORDS)
"""The degrees, the mildest first."""
_LEVELS = {"warning": 0, "yellow": 3, "red": 6}
"""How loud the notice is: from 3 on it is urgent."""


# -- who ---------------------------------------------------------------------------------------------------------------


def may_appeal(card: Any, identities: Collection[str], groups: Collection[str]) -> bool:
    """The addressee, the chief of the section, and anybody of the section when it is the section's; deputies for their principals."""
    return PAPERS.names(card, identities, groups)


def concerned(desk: Desk, conn: Connection, card: Any, login: str) -> bool:
    """Whether ``login`` or somebody they stand in for is party to a card: named, appealing, of the section, or with a part in the case."""
    directory, identities = desk.people.directory(conn), desk.access.identities(conn, login)
    if not identities.isdisjoint({card.to_login, card.appealed_by}):
        return True
    if card.to_section and any(directory.section_of(each) == card.to_section for each in identities):
        return True
    return any(part.held_by(identities) for part in desk.access.participations(conn, card.case_key))


def may_decide(desk: Desk, conn: Connection, card: Any, login: str) -> bool:
    """Whether ``login`` may decide on the card: one of :data:`DECIDERS` who is not concerned (回避)."""
    return not DECIDERS.isdisjoint(desk.people.groups(login, conn)) and not concerned(desk, conn, card, login)


def deciders(desk: Desk, conn: Connection, card: Any) -> list[str]:
    """Who is asked to decide: the supervisors whom the card does not concern, else the head of the office."""
    directory = desk.people.directory(conn)
    free = [login for login in directory.members("supervisor") if not concerned(desk, conn, card, login)]
    return free or list(directory.members("director"))


def steps(conn: Connection, key: int) -> list[Row]:
    """What was said and decided on a card, oldest first, with the name and size of a paper that was attached."""
    step, paper = tables.card_step, tables.attachment
    joined = step.outerjoin(paper, paper.c.key == step.c.attachment_key)
    return list(conn.execute(select(step, paper.c.filename, paper.c.size).select_from(joined).where(step.c.card_key == key).order_by(step.c.key)))


# -- issuing -----------------------------------------------------------------------------------------------------------


def issue(desk: Desk, tx: Any, finding: Finding, *, version: int, appeal_workdays: int, late: bool, told: bool = True) -> tuple[int, str] | None:
    """Issue the card of a fact inside a transaction; returns its key and number, ``None`` when it concerns nobody of the office.

    Of a card that is not ``told`` nobody hears, because a graver one of the same matter is issued with it.  A second card for the same thing violates the unique constraint, which undoes the whole transaction with the number in it.
    """
    directory = desk.people.directory(tx.conn)
    section, login = to_whom(tx.conn, directory, finding)
    if section is not None and _outside(directory, section):
        return None
    year = str(tx.now.astimezone(desk.zone).year)
    serial = numbering.next_serial(tx.conn, numbering.number_prefix(desk.settings.card_number, year=year))
    number, key = desk.settings.card_number.format(year=year, serial=serial), new_key()
    rule, degree, case = finding.rule, finding.degree, finding.case
    until = desk.engine.calendar.add_workdays(desk.engine.calendar.office_day(tx.now), appeal_workdays)
    evidence = {"rule": rule.to_dict(), "version": version, "at": degree.at, "facts": [packed(each) for each in finding.facts]}
    tx.add(
        tables.card,
        key=key, number=number, rule_id=rule.id, rule_label=rule.label[:200], kind=rule.kind, degree=degree.card, subject=finding.subject,
        case_key=case.key, clock_key=finding.clock_key, task_key=finding.task_key, procedure_id=case.procedure_id, to_section=section, to_login=login,
        evidence=evidence, fell_due_at=finding.fell_due_at, issued_at=tx.now, late=late, appeal_until=until, state=ISSUED, appealed_at=None,
        appealed_by=None, decided_at=None, decided_by=None, revision=1,
    )  # fmt: skip
    note(tx, key, "issue", rule.label, None)
    details = {"number": number, "rule": rule.id, "degree": degree.card}
    tx.add(tables.trail, **trail_row(case.key, "card", tx, opinion=f"{number} {rule.label}", details=details))
    tx.audit("card.issue", f"card:{key}", number=number, rule=rule.id, degree=degree.card, to_section=section, to_login=login, late=late)
    if told:
        _announce(desk, tx, directory, finding, key, number, section, login, until.isoformat())
    return key, number


def note(tx: Any, card_key: int, action: str, text: str, actor: str | None, *, on_behalf_of: str | None = None, attachment: int | None = None) -> None:
    """A line of the card's own record."""
    tx.add(
        tables.card_step, key=new_key(), card_key=card_key, action=action, text=text, actor=actor, on_behalf_of=on_behalf_of, attachment_key=attachment,
        at=tx.now,
    )  # fmt: skip


def to_whom(conn: Connection, directory: Directory, finding: Finding) -> tuple[str | None, str | None]:
    """The section and the person a card is issued to, as its rule says."""
    person, section = finding.actor, finding.section
    if person is None and section is None:
        person, section = _at_hand(conn, directory, finding)
    if person is not None and directory.own_groups(person):
        section = directory.section_of(person) or section
    else:
        person = None
    section = section or finding.case.section_code or _answerable(conn, directory, finding)
    if finding.rule.whom == "handler":
        return section, person
    if finding.rule.whom == "section_chief":
        return section, next(iter(directory.holders(CHIEFS, section)), None)
    return section, None


def _at_hand(conn: Connection, directory: Directory, finding: Finding) -> tuple[str | None, str | None]:
    """Who has the thing now or, when it has ended, had it last: the person if it is one, and the section."""
    tasks = open_tasks(conn, finding.case.key)
    if finding.task_key is not None or finding.clock_key is not None:
        task = tables.user_task
        one = task.c.key == finding.task_key if finding.task_key is not None else task.c.clock_key == finding.clock_key
        own = and_(task.c.root_key == finding.case.key, one)
        tasks = [each for each in tasks if finding.task_key in (None, each.key) and finding.clock_key in (None, each.clock_key)] or tasks
        last = conn.execute(select(task.c.completed_by).where(own, task.c.completed_by.is_not(None)).order_by(task.c.ended_at.desc()).limit(1)).scalar()
        still = conn.execute(select(func.count()).select_from(task).where(own, task.c.state == "CREATED")).scalar_one()
        if last is not None and not still:
            return last, directory.section_of(last)
    if not tasks:
        # The case has ended: who finished its last step.
        task = tables.user_task
        ended = select(task.c.completed_by).where(task.c.root_key == finding.case.key, task.c.completed_by.is_not(None))
        last = conn.execute(ended.order_by(task.c.ended_at.desc()).limit(1)).scalar()
        return last, directory.section_of(last)
    holders = {each.assignee for each in tasks if each.assignee and directory.own_groups(each.assignee)}
    if len(holders) == 1:
        person = holders.pop()
        return person, directory.section_of(person)
    sections = {directory.section_of(each) for each in holders or _offered_to(directory, tasks)} - {None}
    return None, sections.pop() if len(sections) == 1 else None


def _answerable(conn: Connection, directory: Directory, finding: Finding) -> str | None:
    """The section of a thing that nobody has in hand, in a case of no section: where most of those are whom it is offered to, else where the
    case was begun.  A card without an addressee would be nobody's to answer."""
    tasks = [each for each in open_tasks(conn, finding.case.key) if finding.task_key in (None, each.key)]
    sections = Counter(section for login in _offered_to(directory, tasks) if (section := directory.section_of(login)))
    if sections:
        return min(sections, key=lambda code: (-sections[code], code))
    starter = finding.case.starter
    return directory.section_of(starter) if directory.own_groups(starter) else None


def _offered_to(directory: Directory, tasks: Any) -> list[str]:
    return people_of(directory, [name for each in tasks for name in (*each.candidate_users, *each.candidate_groups)])


def _outside(directory: Directory, section: str) -> bool:
    """Applicants have accounts too; supervision is about the office."""
    found = directory.sections.get(section)
    return found is not None and found.kind == "external"


def _announce(
    desk: Desk, tx: Any, directory: Directory, finding: Finding, key: int, number: str, section: str | None, login: str | None, until: str
) -> None:
    rule, degree, case = finding.rule, finding.degree, finding.case
    notices = Notices(tx.now, None)
    logins = [login] if login else list(directory.holders(CHIEFS, section)) or list(directory.members("supervisor"))
    logins += told_besides(tx.conn, directory, finding, section)
    for title, named in by_title(desk, tx.conn, case, list(dict.fromkeys(logins))):
        words = T(
            "%(degree)s %(number)s: %(rule)s — %(case_no)s %(title)s. Appeal possible until %(until)s.",
            degree=DEGREE_WORDS[degree.card], number=number, rule=rule.label, case_no=case.case_no, title=title, until=until, card=key,
        )  # fmt: skip
        notices.tell(named, "card", words, case_key=case.key, level=_LEVELS[degree.card])
    notices.post(desk, tx)


def told_besides(conn: Connection, directory: Directory, finding: Finding, section: str | None) -> list[str]:
    """Who the rule wants told besides the addressee."""
    found: list[str] = []
    for role in finding.degree.tell:
        if role == "section_chief":
            found += directory.holders(CHIEFS, section)
        elif role == "vice_director":
            found += directory.members(f"vice_director@{section}") or directory.members("vice_director")
        else:
            row = conn.execute(select(tables.case_file).where(tables.case_file.c.key == finding.case.key)).one_or_none()
            found += Recipients(directory, row, open_tasks(conn, finding.case.key), finding.clock_key or 0).people(role)
    return found


def exists_already(conn: Connection, rule: MonitoringRule, degree: Degree, subject: str) -> bool:
    """Whether the card has been issued."""
    card = tables.card.c
    return conn.execute(select(card.key).where(card.rule_id == rule.id, card.subject == subject, card.degree == degree.card)).first() is not None
