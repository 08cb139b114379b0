"""What the list of instances shows, as it stands in the address; and a selection made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import parse_qsl, urlencode

from web.requests import number

PAGE_SIZE = 20
STATES: dict[str, tuple[str, ...]] = {
    "running": ("ACTIVE", "SUSPENDED"),
    "ACTIVE": ("ACTIVE",),
    "SUSPENDED": ("SUSPENDED",),
    "ended": ("COMPLETED", "TERMINATED"),
    "COMPLETED": ("COMPLETED",),
    "TERMINATED": ("TERMINATED",),
}
"""Value of the state filter → states of instances."""


def page_number(args: Mapping[str, str], name: str = "page") -> int:
    """The page in an address; 1 for anything that is no page."""
    page = args.get(name, "1")
    return max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


@dataclass(frozen=True)
class InstanceFilter:
    """``q`` is looked for in business key and case number, or is an instance's key; ``since`` and ``until`` are office days of the
    start, both included.  ``page`` 0 stands for everything (export)."""

    process: str = ""
    version: int | None = None
    state: str = ""
    incident: bool = False
    q: str = ""
    since: date | None = None
    until: date | None = None
    page: int = 1

    @classmethod
    def of(cls, args: Mapping[str, str]) -> InstanceFilter:
        """Read an address; what makes no sense is left out rather than refused."""
        return cls(
            process=args.get("process", "").strip()[:255],
            version=number(args.get("version")),
            state=args.get("state") if args.get("state") in STATES else "",
            incident=args.get("incident") == "1",
            q=args.get("q", "").strip()[:200],
            since=_day(args.get("since")),
            until=_day(args.get("until")),
            page=page_number(args),
        )

    @property
    def query(self) -> dict[str, str]:
        """The filter as parameters of an address, without the page."""
        values: dict[str, Any] = {
            "process": self.process, "version": self.version, "state": self.state, "incident": "1" if self.incident else "", "q": self.q,
            "since": self.since, "until": self.until,
        }  # fmt: skip
        return {name: str(value) for name, value in values.items() if value not in ("", None)}

    @property
    def filtered(self) -> bool:
        return bool(self.query)

    def everything(self) -> InstanceFilter:
        """The same list without pages."""
        return replace(self, page=0)


@dataclass(frozen=True)
class Selection:
    """Which instances an operation is for: the ``keys`` that were ticked or, without keys, all that match ``match``."""

    keys: tuple[int, ...] = ()
    match: InstanceFilter | None = None

    @classmethod
    def of(cls, args: Any) -> Selection:
        """Read a form or an address (a werkzeug ``MultiDict``): ``keys`` (repeated, or joined by commas) or ``match`` (a query)."""
        if "match" in args:
            return cls(match=InstanceFilter.of(dict(parse_qsl(args["match"][:2000]))))
        return cls.ticked(args)

    @classmethod
    def ticked(cls, args: Any) -> Selection:
        """Only the ``keys``, whatever the list was filtered by."""
        found = [number(key) for each in args.getlist("keys") for key in each.split(",")]
        return cls(keys=tuple(dict.fromkeys(key for key in found if key is not None))[:1000])

    @property
    def fields(self) -> dict[str, str]:
        """Hidden fields (or parameters) that give this selection again."""
        if self.match is not None:
            return {"match": urlencode(self.match.query)}
        return {"keys": ",".join(map(str, self.keys))} if self.keys else {}
