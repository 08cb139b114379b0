"""What the supervision board shows, as it stands in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from web.lights import LIGHTS

PAGE_SIZE = 20
SORTS = ("case_no", "procedure", "due", "received", "level")
TEXTS = ("section", "county", "procedure", "person", "step")
PAUSED_WORKDAYS = 10
"""A pause of more working days than this is long, unless the settings say otherwise."""
SWITCHES = ("today", "week", "unclaimed", "paused_long")
"""Due today, due until Sunday, a step nobody has taken, paused for a long time."""


@dataclass(frozen=True)
class BoardState:
    """One view of the board.  The :data:`SWITCHES` are on or off; without ``sort`` the most urgent come first.

    ``person`` is the login of somebody who has an open task, ``step`` a process and its element ("process/element") where the case waits.
    ``page`` 0 stands for everything (export).  ``paused_workdays`` is a
    setting and no part of the address: a pause is long after so many working days.
    """

    section: str = ""
    county: str = ""
    procedure: str = ""
    person: str = ""
    step: str = ""
    light: str = ""
    today: bool = False
    week: bool = False
    unclaimed: bool = False
    paused_long: bool = False
    sort: str = ""
    page: int = 1
    paused_workdays: int = PAUSED_WORKDAYS

    @classmethod
    def of(cls, args: Mapping[str, str], paused_workdays: int = PAUSED_WORKDAYS) -> BoardState:
        """Read an address; what makes no sense is left out rather than refused."""
        sort, page = args.get("sort", ""), args.get("page", "1")
        return cls(
            light=args.get("light") if args.get("light") in LIGHTS else "",
            sort=sort if sort.removeprefix("-") in SORTS else "",
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
            paused_workdays=paused_workdays,
            **{name: args.get(name) == "1" for name in SWITCHES},
            **{name: args.get(name, "").strip()[:200] for name in TEXTS},
        )

    @property
    def filtered(self) -> bool:
        return bool(self.light) or any(getattr(self, name) for name in (*TEXTS, *SWITCHES))

    def query(self, **changes: Any) -> dict[str, str]:
        """The address parameters of this view with ``changes``; what is off or empty is left out, and the first page too."""
        values = {name: getattr(self, name) for name in (*TEXTS, "light", *SWITCHES, "sort", "page")} | {"page": 1} | changes
        plain = {name: "1" if value is True else str(value) for name, value in values.items() if value}
        return {name: value for name, value in plain.items() if (name, value) != ("page", "1")}

    def narrowed(self, **changes: Any) -> dict[str, str]:
        """The same with nothing but section, county, procedure, person, step and order kept: what the counts on top lead to."""
        kept = {name: getattr(self, name) for name in (*TEXTS, "sort") if getattr(self, name)}
        return kept | {name: "1" if value is True else str(value) for name, value in changes.items() if value}

    def everything(self) -> BoardState:
        """The same view without pages."""
        return replace(self, page=0)
