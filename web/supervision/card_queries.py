"""The statements about cards of electronic supervision."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import Connection, Row, case, func, select

from engine.runtime.supervision import cards
from engine.runtime.supervision.readers import title_for
from engine.store.tables import card, case_file, clock
from web.supervision.state import PAGE_SIZE

EXPORT_LIMIT = 5000
CHOICES_LIMIT = 500


@dataclass(frozen=True)
class CardState:
    """What of the cards is looked at, as it stands in the address; ``month`` is ``YYYY-MM`` of the issue, empty for all."""

    rule: str = ""
    degree: str = ""
    section: str = ""
    person: str = ""
    month: str = ""
    state: str = ""
    page: int = 1

    @classmethod
    def of(cls, args: Any) -> CardState:
        """Read an address; what makes no sense is left out rather than refused."""
        page, degree, state = args.get("page", "1"), args.get("degree", ""), args.get("state", "")
        return cls(
            rule=args.get("rule", "").strip()[:60], degree=degree if degree in cards.DEGREE_WORDS else "", section=args.get("section", "").strip()[:60],
            person=args.get("person", "").strip()[:100], month=_month(args.get("month", "")),
            state=state if state in (*cards.COUNTING, cards.REVOKED, "counting") else "",
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
        )  # fmt: skip

    @property
    def filtered(self) -> bool:
        return bool(self.query())

    def query(self, **changes: Any) -> dict[str, str]:
        """The address parameters of this view without the page, with ``changes``; what is empty is left out."""
        names = ("rule", "degree", "section", "person", "month", "state")
        values = {name: getattr(self, name) for name in names} | changes
        return {name: value for name, value in values.items() if value}


def _month(text: str) -> str:
    try:
        first = date.fromisoformat(f"{text}-01")
        # The office has no cards of other centuries, and the calendar no days.
        return text if len(text) == 7 and 2000 <= first.year < 2100 else ""
    except ValueError:
        return ""


def month_of(text: str, calendar: Any) -> tuple[datetime, datetime]:
    """The instants between which a month ``YYYY-MM`` of the office lies."""
    first = date.fromisoformat(f"{text}-01")
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    return calendar.instant(first, time.min), calendar.instant(following, time.min)


def _tests(state: CardState, calendar: Any, *, degree: bool = True) -> list[Any]:
    tests = [column == value for column, value in ((card.c.rule_id, state.rule), (card.c.to_section, state.section), (card.c.to_login, state.person)) if value]
    if degree and state.degree:
        tests.append(card.c.degree == state.degree)
    if state.state:
        tests.append(card.c.state.in_(cards.COUNTING) if state.state == "counting" else card.c.state == state.state)
    if state.month:
        since, until = month_of(state.month, calendar)
        tests += [card.c.issued_at >= since, card.c.issued_at < until]
    return tests


def listed(conn: Connection, readable: Any, visible: Any, state: CardState, calendar: Any) -> tuple[list[Row], int]:
    """One page of the cards that ``readable`` lets through (page 0: all of them), the newest first, and how many there are.

    The title of the case is for who may read that (``visible``); others get ``None``.
    """
    columns = (card, case_file.c.case_no, title_for(visible), func.count().over().label("total"))
    chosen = select(*columns).join(case_file, case_file.c.key == card.c.case_key).where(readable, *_tests(state, calendar))
    chosen = chosen.order_by(card.c.issued_at.desc(), card.c.key.desc())
    rows = list(conn.execute(chosen.limit(PAGE_SIZE).offset((state.page - 1) * PAGE_SIZE) if state.page else chosen.limit(EXPORT_LIMIT)))
    return rows, rows[0].total if rows else 0


def counted(conn: Connection, readable: Any, state: CardState, calendar: Any) -> dict[str, int]:
    """How many cards of each degree count, and how many wait for a decision (``APPEALED``), under the other filters."""
    chosen = select(card.c.degree, card.c.state, func.count().label("number")).join(case_file, case_file.c.key == card.c.case_key)
    rows = conn.execute(chosen.where(readable, *_tests(state, calendar, degree=False)).group_by(card.c.degree, card.c.state)).all()
    found = {degree: sum(row.number for row in rows if row.degree == degree and row.state in cards.COUNTING) for degree in cards.DEGREE_WORDS}
    return {**found, cards.APPEALED: sum(row.number for row in rows if row.state == cards.APPEALED)}


def choices(conn: Connection, readable: Any) -> list[Row]:
    """Rules, sections and persons that occur in readable cards, for the filters."""
    columns = (card.c.rule_id, card.c.rule_label, card.c.to_section, card.c.to_login)
    chosen = select(*columns).join(case_file, case_file.c.key == card.c.case_key).where(readable).distinct()
    return list(conn.execute(chosen.order_by(*columns).limit(CHOICES_LIMIT)))


def case_of(conn: Connection, key: int, visible: Any) -> Row:
    """Number and procedure of the case of a card or an order, and the title for who may read the case: nothing else of it is for everybody."""
    columns = (case_file.c.key, case_file.c.case_no, title_for(visible), case_file.c.procedure_id, case_file.c.closed_at)
    return conn.execute(select(*columns).where(case_file.c.key == key)).one()


def cases(conn: Connection, visible: Any, keys: Collection[int]) -> dict[int, Row]:
    """Key, number and title of those cases that ``visible`` lets through, by key."""
    chosen = select(case_file.c.key, case_file.c.case_no, case_file.c.title).where(visible, case_file.c.key.in_(list(keys)))
    return {row.key: row for row in conn.execute(chosen)} if keys else {}


def clock_of(conn: Connection, key: int | None) -> Row | None:
    """The limit that a card is about, as it stands now."""
    return conn.execute(select(clock).where(clock.c.key == key)).one_or_none() if key is not None else None


def related(conn: Connection, row: Any) -> list[Row]:
    """The other cards of the same thing: what it was raised from and to."""
    same = select(card.c.key, card.c.number, card.c.degree, card.c.state).where(card.c.subject == row.subject, card.c.key != row.key)
    return list(conn.execute(same.where(card.c.rule_id == row.rule_id).order_by(card.c.key)))


def figures(conn: Connection, readable: Any, state: CardState, calendar: Any, by: str) -> list[Row]:
    """Cards by ``to_section`` or ``rule_id``: those that count by degree, those appealed against, revoked, and together."""

    def count(test: Any) -> Any:
        return func.coalesce(func.sum(case((test, 1), else_=0)), 0)

    counting = card.c.state.in_(cards.COUNTING)
    numbers = [count(counting & (card.c.degree == degree)).label(degree) for degree in cards.DEGREE_WORDS]
    numbers += [count(card.c.appealed_at.is_not(None)).label("appealed"), count(card.c.state == cards.REVOKED).label("revoked")]
    column = card.c[by].label("name")
    chosen = select(column, func.max(card.c.rule_label).label("label"), *numbers, count(counting).label("together"))
    chosen = chosen.join(case_file, case_file.c.key == card.c.case_key).where(readable, *_tests(state, calendar))
    return list(conn.execute(chosen.group_by(column).order_by(count(counting).desc(), column)))
