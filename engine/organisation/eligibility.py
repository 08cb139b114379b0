"""Who may take a task, on whose behalf, and who must keep away from it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
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


DEPUTY_RULES: Mapping[str, Callable[[Person, Person], bool]] = {
    "none": lambda deputy, principal: False,
    "section": lambda deputy, principal: deputy.section_code == principal.section_code,
    "role": lambda deputy, principal: not deputy.roles.isdisjoint(principal.roles),
}
"""What a step may ask of a deputy (property ``deputy`` of a user task): that there is none (the step is for the person who is named),
that they work in the section of who is on leave, that they hold one of the roles of who is on leave.  Without a rule the office's
substitutions apply as they were entered (请假代理, ``domain.md`` §4)."""


def may_stand_in(directory: Directory, deputy: str, principal: str, rule: str | None) -> bool:
    """Whether a step with this deputy rule lets ``deputy`` act for ``principal``, if the office has made them a deputy.

    A rule that nobody knows allows nobody: it can only come from an expression, and refusing is what can be mended afterwards.
    """
    if not rule:
        return True
    standing_in, absent = directory.person(deputy), directory.person(principal)
    holds = DEPUTY_RULES.get(rule)
    return holds is not None and standing_in is not None and absent is not None and holds(standing_in, absent)


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
    deputies: str | None = None,
) -> Eligibility:
    """Whether ``login`` may work on a task on ``day``.

    A person acts in their own right where they can; only otherwise as a deputy, and never for a principal who is
    excluded: the conflict of interest is the principal's, and a substitution does not cure it; ``deputies`` is the step's own
    rule about them (:data:`DEPUTY_RULES`).  A task that names nobody at all is open to whoever may read its case.  Whether
    *somebody else* has claimed the task is not asked here.
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
    kept_away = None
    for principal in directory.principals(login, day):
        if named(principal) and not excluded_by(directory, principal, excluded):
            if may_stand_in(directory, login, principal, deputies):
                return Eligibility(True, on_behalf_of=principal)
            kept_away = principal
    if kept_away is not None:
        refusal = T("%(name)s stands in for %(principal)s, but not at this step.", name=person.name, principal=directory.name(kept_away))
        return Eligibility(False, refusal=refusal)
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
