"""Who is asking: the signed-in person, and what each permission word asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import g

from engine.errors import NotPermitted
from engine.runtime.casework.access import MONITORS, OPERATORS, OUTSIDE
from engine.runtime.design.publishing import APPROVERS
from engine.runtime.limits.recalculation import DECIDERS as DATE_DECIDERS
from engine.runtime.limits.rule_changes import DECIDERS
from engine.runtime.limits.rulebook import EDITORS
from engine.words import T

PERMISSIONS: dict[str, frozenset[str]] = {
    "supervise": frozenset({"supervisor", "vice_director", "director", "section_chief", "auditor"}),
    "urge": frozenset({"supervisor", "vice_director", "director", "section_chief"}),
    "reassign": frozenset({"supervisor", "vice_director", "director", "section_chief"}),
    "register": frozenset({"supervisor", "vice_director", "director", "section_chief", "auditor", "office"}),
    "design": frozenset({"designer"}),
    "approve_design": APPROVERS,
    "publications_room": APPROVERS - {"designer"},  # designers find it in their own room
    "administer": frozenset({"admin"}),
    "decide_dates": DATE_DECIDERS,
    "dates_room": DATE_DECIDERS - {"admin"},  # administrators find it in their own room
    "audit": frozenset({"auditor"}),
    "monitor": MONITORS,
    "operate": OPERATORS,
    "limits": frozenset({"admin", "designer", "supervisor", "vice_director", "director", "section_chief", "auditor"}),
    "edit_limits": EDITORS,
    "apply_limits": DECIDERS,
    "extend": frozenset({"supervisor", "vice_director", "director"}),
}
"""Permission word → roles that hold it.  What one case or one task allows is decided by ``engine.runtime.casework.access``, not here."""


INSIDE = "inside"
"""Held by everybody of the office and its partners, whatever their roles; not by applicants."""


@dataclass(frozen=True)
class Person:
    """The person of this request.  ``groups`` are the candidate groups of user tasks, the principals' of a deputy included."""

    login: str
    name: str
    section_code: str
    section_name: str
    section_kind: str
    title: str
    language: str
    session_epoch: int
    roles: frozenset[str]
    role_names: tuple[str, ...]
    unread: int
    principals: frozenset[str]

    @property
    def groups(self) -> frozenset[str]:
        """Every role, ``section:CODE``, and ``ROLE@CODE`` for each role with the own section."""
        return self.roles | {f"section:{self.section_code}"} | {f"{role}@{self.section_code}" for role in self.roles}

    def may(self, permission: str) -> bool:
        """Whether one of the person's roles holds ``permission`` (a key of :data:`PERMISSIONS`, or :data:`INSIDE`)."""
        if permission == INSIDE:
            return self.section_kind != OUTSIDE
        return bool(self.roles & PERMISSIONS[permission])


def requires(permission: str) -> Callable:
    """View decorator: the signed-in person must hold ``permission``; otherwise :class:`NotPermitted` (page 403)."""

    def decorate(view: Callable) -> Callable:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Any:
            if not g.person.may(permission):
                raise NotPermitted(T("This page is not among your duties."))
            return view(*args, **kwargs)

        return checked

    return decorate
