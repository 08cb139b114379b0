"""The directory: an immutable picture of the organisation and the groups that follow from it.

A group is a plain string, the same one that a model writes into ``candidateGroups``:

* a role code (``clerk``): everybody who holds the role;
* ``section:CODE``: everybody of a section, county or agency;
* ``ROLE@CODE``: who holds the role *and* sits in the section (``section_chief@gaoxin``, ``reviewer@tax``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Section:
    """A section of the bureau, a county's department or a joint-review agency (``kind`` tells which)."""

    code: str
    name: str
    kind: str
    parent_code: str | None = None
    position: int = 0
    active: bool = True


@dataclass(frozen=True)
class Person:
    """Somebody who may sign in.  ``title`` is the post (科长, 副局长), ``roles`` are role codes."""

    login: str
    name: str
    section_code: str
    title: str = ""
    roles: frozenset[str] = field(default_factory=frozenset)
    active: bool = True
    language: str = "zh"
    phone: str | None = None
    email: str | None = None

    @property
    def groups(self) -> frozenset[str]:
        """The groups this person belongs to in their own right."""
        return frozenset(
            (*self.roles, f"section:{self.section_code}", *(f"{role}@{self.section_code}" for role in self.roles)),
        )


@dataclass(frozen=True)
class Deputy:
    """``deputy_login`` stands in for ``login`` from ``starts_on`` to ``ends_on``, both days included (office dates)."""

    login: str
    deputy_login: str
    starts_on: date
    ends_on: date
    key: int = 0

    def in_force(self, day: date) -> bool:
        return self.starts_on <= day <= self.ends_on


class Directory:
    """Everybody, as of one moment.  ``roles`` maps role codes to their names."""

    __slots__ = ("_by_group", "deputies", "people", "roles", "sections")

    def __init__(
        self,
        sections: Iterable[Section] = (),
        people: Iterable[Person] = (),
        roles: Mapping[str, str] | None = None,
        deputies: Iterable[Deputy] = (),
    ) -> None:
        self.sections = {section.code: section for section in sections}
        self.people = {person.login: person for person in people}
        self.roles = dict(roles or {})
        self.deputies = tuple(deputies)
        by_group: dict[str, list[str]] = {}
        for person in sorted(self.people.values(), key=lambda person: person.login):
            if person.active:
                for group in person.groups:
                    by_group.setdefault(group, []).append(person.login)
        self._by_group = {group: tuple(logins) for group, logins in by_group.items()}

    def person(self, login: str | None) -> Person | None:
        return self.people.get(login) if login else None

    def name(self, login: str | None) -> str:
        """The name to show for a login; the login itself when nobody has it; ``""`` for the system."""
        person = self.person(login)
        return person.name if person else (login or "")

    def section_of(self, login: str | None) -> str | None:
        person = self.person(login)
        return person.section_code if person else None

    def section_name(self, code: str | None) -> str:
        section = self.sections.get(code) if code else None
        return section.name if section else (code or "")

    def members(self, group: str) -> tuple[str, ...]:
        """Logins of the active people of a group, in alphabetical order; deputies are not members."""
        return self._by_group.get(group, ())

    def own_groups(self, login: str | None) -> frozenset[str]:
        """The groups a person belongs to in their own right; none for an unknown or inactive person."""
        person = self.person(login)
        return person.groups if person and person.active else frozenset()

    def principals(self, login: str, day: date) -> tuple[str, ...]:
        """For whom ``login`` stands in on ``day``.

        Only first-hand: the deputy of a deputy gets nothing, because an office grants a substitution by name.  A
        principal who has left the office (inactive) grants nothing either.
        """
        person = self.person(login)
        if person is None or not person.active:
            return ()
        found = {
            row.login
            for row in self.deputies
            if row.deputy_login == login and row.login != login and row.in_force(day) and self.own_groups(row.login)
        }
        return tuple(sorted(found))

    def deputies_of(self, login: str, day: date) -> tuple[str, ...]:
        """Who stands in for ``login`` on ``day``."""
        found = {row.deputy_login for row in self.deputies if row.login == login and row.in_force(day)}
        return tuple(sorted(deputy for deputy in found if deputy != login and self.own_groups(deputy)))

    def groups(self, login: str, day: date) -> frozenset[str]:
        """Own groups and those of every principal on ``day``."""
        groups = set(self.own_groups(login))
        for principal in self.principals(login, day):
            groups |= self.own_groups(principal)
        return frozenset(groups)

    def holders(self, roles: Iterable[str], section: str | None) -> tuple[str, ...]:
        """Who holds the first of ``roles`` that anybody of ``section`` holds; the order of ``roles`` is a preference."""
        for role in roles:
            found = self.members(f"{role}@{section}") if section else ()
            if found:
                return found
        return ()
