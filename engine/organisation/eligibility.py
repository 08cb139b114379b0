"""Who may take a task, on whose behalf, and who must keep away from it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date

from engine.organisation.directory import Directory, Person
from engine.words import T, Words


@dataclass(frozen=True)
class Eligibility:
    """Whether somebody may act on a task; ``on_behalf_of`` is the principal whose place they take, if any.

    ``refusal`` says why not; ``None`` when allowed.
    """

    allowed: bool
    on_behalf_of: str | None = None
    refusal: Words | None = None


def excluded_by(directory: Directory, login: str, excluded: Collection[str]) -> str | None:
    """The entry of ``excluded`` (logins and groups) that keeps ``login`` away, or ``None``."""
    if login in excluded:
        return login
    return next(iter(sorted(directory.own_groups(login).intersection(excluded))), None)


def eligible(
    directory: Directory,
    login: str,
    day: date,
    *,
    assignee: str | None,
    candidate_groups: Collection[str],
    candidate_users: Collection[str],
    excluded: Collection[str] = (),
) -> Eligibility:
    """Whether ``login`` may work on a task on ``day``.

    A person acts in their own right where they can; only otherwise as a deputy, and never for a principal who is
    excluded: the conflict of interest is the principal's, and a substitution does not cure it.  A task that names nobody
    at all is open to whoever may read its case.  Whether *somebody else* has claimed the task is not asked here.
    """
    person = directory.person(login)
    if person is None or not person.active:
        return Eligibility(False, refusal=T("%(login)s is not an active member of the office.", login=login))
    if excluded_by(directory, login, excluded):
        return Eligibility(False, refusal=T("%(name)s may not handle this task because of a conflict of interest.", name=person.name))

    def named(who: str) -> bool:
        return assignee == who or who in candidate_users or not directory.own_groups(who).isdisjoint(candidate_groups)

    if named(login) or not (assignee or candidate_groups or candidate_users):
        return Eligibility(True)
    for principal in directory.principals(login, day):
        if named(principal) and not excluded_by(directory, principal, excluded):
            return Eligibility(True, on_behalf_of=principal)
    return Eligibility(False, refusal=T("This task is not assigned to %(name)s or to a group of theirs.", name=person.name))


def conflicts(
    people: Iterable[Person],
    *,
    sections: Collection[str] = (),
    logins: Collection[str] = (),
    declared: Collection[str] = (),
) -> dict[str, Words]:
    """Which of ``people`` must keep away from a matter, and why.

    ``sections`` are the units the matter is about (a section that is complained about must not handle what is said about it:
    ``domain.md`` §1.15 step 4), ``logins`` the people it is about or who brought it, ``declared`` those who declared a
    conflict themselves (回避声明).  Maps login to the reason; people without a conflict are not in the map.
    """
    found: dict[str, Words] = {}
    for person in people:
        if person.login in logins:
            found[person.login] = T("%(name)s is a party to this matter.", name=person.name)
        elif person.login in declared:
            found[person.login] = T("%(name)s declared a conflict of interest.", name=person.name)
        elif person.section_code in sections:
            found[person.login] = T("%(name)s works in the unit that this matter is about.", name=person.name)
    return found
