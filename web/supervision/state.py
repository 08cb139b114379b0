"""What the supervision board shows, as it stands in the address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from web.lights import LIGHTS

PAGE_SIZE = 20
SORTS = ("case_no", "procedure", "due", "received", "level")
TEXTS = ("section", "county", "procedure")


@dataclass(frozen=True)
class BoardState:
    """One view of the board.  ``today`` and ``unclaimed`` are switches; without ``sort`` the most urgent come first.

    ``page`` 0 stands for everything (export).
    """

    section: str = ""
    county: str = ""
    procedure: str = ""
    light: str = ""
    today: bool = False
    unclaimed: bool = False
    sort: str = ""
    page: int = 1

    @classmethod
    def of(cls, args: Mapping[str, str]) -> BoardState:
        """Read an address; what makes no sense is left out rather than refused."""
        sort, page = args.get("sort", ""), args.get("page", "1")
        return cls(
            light=args.get("light") if args.get("light") in LIGHTS else "",
            today=args.get("today") == "1",
            unclaimed=args.get("unclaimed") == "1",
            sort=sort if sort.removeprefix("-") in SORTS else "",
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
            **{name: args.get(name, "").strip()[:200] for name in TEXTS},
        )

    @property
    def filtered(self) -> bool:
        return any((self.section, self.county, self.procedure, self.light, self.today, self.unclaimed))

    def everything(self) -> BoardState:
        """The same view without pages."""
        return replace(self, page=0)
