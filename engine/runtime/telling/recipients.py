"""Who a rung tells: the people behind roles that are relative to a case, and who hears of it when nobody is behind one.

Used when a rung fires and when a page shows what would happen, so that both always say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from engine.deadlines import Rung
from engine.deadlines.ladder import UNCLAIMED
from engine.organisation import Directory, excluded_by
from engine.runtime.casework.access import CHIEFS
from engine.runtime.casework.casestate import people_of
from engine.store import tables
from engine.words import T, Words

FALLBACKS = (("supervisor", "supervisor"), ("administrator", "admin"))
"""Who is told instead when nobody is behind a role, as (word of a ladder, role code): the first that anybody holds."""


_ROLE_WORDS: dict[str, Words] = {
    "handler": T("the handler"), "section_chief": T("the section chief"), "vice_director": T("the vice director"),
    "director": T("the director"), "supervisor": T("the supervisor"), "applicant": T("the applicant"),
    "administrator": T("the administrator"),
}  # fmt: skip


def rung_role(word: str) -> Words | str:
    """A role of a ladder for people."""
    return _ROLE_WORDS.get(word, word)


@dataclass(frozen=True)
class Missing:
    """A role with nobody behind it: ``section`` is where somebody was looked for (empty: the whole office).

    ``left`` names who held the place and is no longer in the office.  ``fault`` is false where nobody is to blame, because no step
    of the case is open: then the fall-back is told and no alarm is raised.
    """

    role: str
    section: str = ""
    left: str = ""
    fault: bool = True


@dataclass(frozen=True)
class Told:
    """``people`` are ``{login, name, role}`` as the ledger of firings keeps them; who stands in has ``instead_of``, a role, too."""

    people: list[dict[str, str]]
    missing: list[Missing]


def open_tasks(conn: Connection, case_key: int) -> Sequence[Any]:
    """The open tasks of a case, the oldest first."""
    task = tables.user_task
    return conn.execute(select(task).where(task.c.root_key == case_key, task.c.state == "CREATED").order_by(task.c.key)).all()


class Recipients:
    """Roles as seen from one clock of one case: ``case`` is its ``case_file`` row or ``None``, ``tasks`` its open tasks."""

    def __init__(self, directory: Directory, case: Any, tasks: Sequence[Any], clock_key: int) -> None:
        self.directory, self.case = directory, case
        # Those of the clock's own element if it has one, else of the case.
        self.tasks = [task for task in tasks if task.clock_key == clock_key] or list(tasks)

    def of(self, rung: Rung) -> Told:
        """Each person once, with the role they are told in; a rung that is only logged looks for no fall-back."""
        found: dict[str, dict[str, str]] = {}
        missing: list[Missing] = []
        for role in rung.recipients:
            logins = list(self.people(role))
            for login in logins:
                found.setdefault(login, {"login": login, "name": self.directory.name(login), "role": role})
            # An applicant without an account is told on paper; nobody in the office can stand in.
            if not logins and rung.channel != "log" and (role != "applicant" or len(rung.recipients) == 1):
                missing.append(self._missing(role))
        for each in missing:
            for role, login in self.instead():
                found.setdefault(login, {"login": login, "name": self.directory.name(login), "role": role, "instead_of": each.role})
        return Told(list(found.values()), missing)

    def withheld(self, rung: Rung) -> bool:
        """Whether a rung that asks for a task nobody has taken finds that somebody has."""
        return rung.when.kind == UNCLAIMED and not any(task.assignee is None for task in self.tasks)

    def instead(self) -> list[tuple[str, str]]:
        """Who hears what nobody else would, as (role, login): the supervisors, else the administrators."""
        for role, group in FALLBACKS:
            members = self.directory.members(group)
            if members:
                return [(role, login) for login in members]
        return []

    def people(self, role: str) -> Iterable[str]:
        """The active people behind a role: the handlers, the chief over them, the vice director over that section."""
        if role == "handler":
            return self._handlers()
        if role == "section_chief":
            return [login for section in self.sections() for login in self.directory.holders(CHIEFS, section)]
        if role == "vice_director":
            over = [login for section in self.sections() for login in self.directory.members(f"vice_director@{section}")]
            return over or self.directory.members("vice_director")
        if role == "applicant":
            return [self.case.starter] if self.case is not None and self.directory.own_groups(self.case.starter) else []
        return self.directory.members("admin" if role == "administrator" else role)

    def _handlers(self) -> list[str]:
        """Who has the open tasks; the candidates where nobody holds them."""
        found: dict[str, None] = {}
        for task in self.tasks:
            if task.assignee:
                if self.directory.own_groups(task.assignee):
                    found[task.assignee] = None
                continue
            candidates = people_of(self.directory, (*task.candidate_users, *task.candidate_groups))
            found.update(dict.fromkeys(login for login in candidates if not excluded_by(self.directory, login, task.excluded)))
        return list(found)

    def sections(self) -> list[str]:
        """The sections of who holds the tasks; else the one to whose people alone they are offered, else the owner section."""
        handling = dict.fromkeys(self.directory.section_of(task.assignee) for task in self.tasks if task.assignee)
        found = [section for section in handling if section]
        if found:
            return found
        offered = [section for section in dict.fromkeys(self.directory.section_of(login) for login in self._handlers()) if section]
        owner = self.case.section_code if self.case is not None else None
        return offered if len(offered) == 1 or not owner else [owner]

    def _missing(self, role: str) -> Missing:
        if role == "handler":
            left = next((task.assignee for task in self.tasks if task.assignee and not self.directory.own_groups(task.assignee)), "")
            return Missing(role, left=left, fault=bool(self.tasks))
        return Missing(role, next(iter(self.sections()), "") if role == "section_chief" else "", fault=role != "applicant")
