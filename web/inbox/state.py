"""What a list shows, as it stands in the address: tab, filters, search, order, page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from web.lights import LIGHTS

PAGE_SIZE = 20
TABS = ("all", "mine", "claimable", "followup")
TEXTS = ("q", "step", "procedure", "county", "urgency")


@dataclass(frozen=True)
class ListState:
    """One view of a list.  ``due_from`` and ``due_to`` are office days, both included; ``sort`` is a column, ``-`` in front
    for descending, empty for the order of urgency."""

    tab: str = "all"
    q: str = ""
    step: str = ""
    procedure: str = ""
    county: str = ""
    urgency: str = ""
    light: str = ""
    due_from: date | None = None
    due_to: date | None = None
    sort: str = ""
    page: int = 1

    @classmethod
    def of(cls, args: Mapping[str, str], sorts: Mapping[str, object]) -> ListState:
        """Read an address; what makes no sense is left out rather than refused, since addresses get shortened in mails."""
        texts = {name: args.get(name, "").strip()[:200] for name in TEXTS}
        sort = args.get("sort", "")
        page = args.get("page", "1")
        return cls(
            tab=args.get("tab") if args.get("tab") in TABS else "all",
            light=args.get("light") if args.get("light") in LIGHTS else "",
            due_from=_day(args.get("due_from")),
            due_to=_day(args.get("due_to")),
            sort=sort if sort.removeprefix("-") in sorts else "",
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
            **texts,
        )

    @property
    def filtered(self) -> bool:
        """Whether anything but tab, order and page narrows the list."""
        return any((self.q, self.step, self.procedure, self.county, self.urgency, self.light, self.due_from, self.due_to))

    def everything(self) -> ListState:
        """The same list without pages."""
        return replace(self, page=0)


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
