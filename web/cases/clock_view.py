"""A clock as a page shows it: its bar on a scale of days, the arithmetic in words, the ledger, the rungs fired and to come.

A statutory limit and the promise the office makes for it stand in one block with two bars on one scale.  The light of the block is the
more pressing of the two: the promise decides while it can still be kept, and a broken promise stays red although the law leaves more time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from engine.deadlines import Balance, Clock, Derived, Pause, Rung, amount_words, balance, derive, explain, left_words, rung_times
from engine.deadlines.arithmetic import arithmetic, paused_amount
from engine.deadlines.pauses import kind_word
from engine.words import T, Words
from web.cases.clock_bar import Bar, Scale, bar_of, scale_of
from web.lights import Light, light_of

UNIT_PARTS: dict[str, Words] = {
    "wd": T("working days"), "d": T("days"), "h": T("office hours"), "ch": T("hours"), "m": T("days"), "y": T("days"),
}  # fmt: skip
PHASES = frozenset({"subProcess", "callActivity", "transaction", "adHocSubProcess"})
"""Types of elements that are a phase of the case and not a single step."""
RESTARTED: Words = T("Started anew")


@dataclass(frozen=True)
class ClockView:
    """One clock.  ``strip`` is a list of (part, width, words): used, over, paused, left; ``sleeping`` are rungs that wait for a pause to end."""

    row: Row
    clock: Clock
    derived: Derived
    light: Light
    remaining: Words | str
    explanation: Words
    strip: tuple[tuple[str, float, Words], ...]
    fired: tuple[tuple[Row, Rung | None], ...]
    coming: tuple[tuple[Rung, datetime], ...]
    sleeping: tuple[Rung, ...]
    pauses: tuple[tuple[Pause, Words | str, Words], ...]
    scope: Words
    bar: Bar

    @property
    def of_case(self) -> bool:
        return self.row.element_id is None

    @property
    def running(self) -> bool:
        return self.row.state != "STOPPED"

    @property
    def restarted(self) -> bool:
        """Whether it ended because its budget began anew in another clock."""
        return bool(self.row.ledger.get("followed_by"))

    @property
    def follows(self) -> bool:
        """Whether it is such another clock."""
        return bool(self.row.ledger.get("follows"))

    @property
    def limit(self) -> Words | str:
        return amount_words(self.clock.rule.limit, self.clock.unit) if self.clock.rule.limit is not None else ""

    def amount(self, extension: Any) -> Words:
        return amount_words(extension.amount, extension.unit)


@dataclass(frozen=True)
class Block:
    """Clocks that belong together: one limit, or a statutory one (first) and its promise."""

    views: tuple[ClockView, ...]
    light: Light

    @property
    def head(self) -> ClockView:
        return self.views[0]

    @property
    def paired(self) -> bool:
        return len(self.views) > 1

    def kind(self, view: ClockView) -> Words:
        return T("Promised limit") if view.clock.rule.promise_of else T("Statutory limit")


def clock_views(
    rows: Sequence[Row], firings: Sequence[Row], ladders: Any, calendar: Any, now: datetime, names: Mapping[str, str] | None = None
) -> list[ClockView]:
    """All clocks of a case, the pressing ones first; ``ladders`` is the desk's book, ``names`` element id → name for older ledgers."""
    fired_by: dict[int, list[Row]] = {}
    for firing in firings:
        fired_by.setdefault(firing.clock_key, []).append(firing)
    views = [clock_view(row, fired_by.get(row.key, []), ladders, calendar, now, names) for row in rows]
    return sorted(views, key=lambda view: (view.row.state == "STOPPED", view.light.rank, view.row.due_at or now, view.row.key))


def blocks_of(views: Sequence[ClockView], calendar: Any, now: datetime) -> list[Block]:
    """The views in their order, a promise joined with the limit it is for; both are drawn on one scale."""
    found: list[Block] = []
    paired: dict[int, ClockView] = {}
    for view in views:
        if view.clock.rule.promise_of:
            other = _statutory(view, views)
            if other is not None and other.row.key not in paired:
                paired[other.row.key] = view
    promises = {view.row.key for view in paired.values()}
    done: set[int] = set()
    for view in views:
        if view.row.key in done:
            continue
        statutory = next((each for each in views if paired.get(each.row.key) is view), view) if view.row.key in promises else view
        promise = paired.get(statutory.row.key)
        done |= {statutory.row.key, *([promise.row.key] if promise else [])}
        if promise is None:
            found.append(Block((view,), view.light))
            continue
        both = (statutory, promise)
        scale = Scale.of([scale_of(each.clock, calendar, now, [at for _, at in each.coming]) for each in both])
        drawn = tuple(_redrawn(each, scale, calendar, now) for each in both)
        found.append(Block(drawn, min((each.light for each in both), key=lambda light: light.rank)))
    return found


def _statutory(promise: ClockView, views: Sequence[ClockView]) -> ClockView | None:
    """The clock that a promise was begun with: same element, same start, or the latest of that rule."""
    row, wanted = promise.row, promise.clock.rule.promise_of
    place = (row.instance_key, row.element_id, row.token)
    same = [each for each in views if each.clock.rule.id == wanted and (each.row.instance_key, each.row.element_id, each.row.token) == place]
    return max(same, key=lambda each: (each.clock.started_at == promise.clock.started_at, each.row.key), default=None)


def _redrawn(view: ClockView, scale: Scale, calendar: Any, now: datetime) -> ClockView:
    values = {name: getattr(view, name) for name in view.__dataclass_fields__}
    ticks = [*((rung, at, False) for rung, at in view.coming), *((rung, firing.planned_at, True) for firing, rung in view.fired if rung)]
    return ClockView(**{**values, "bar": bar_of(view.clock, calendar, now, ticks, scale)})


def clock_view(
    row: Row, fired: Sequence[Row], ladders: Any, calendar: Any, now: datetime, names: Mapping[str, str] | None = None
) -> ClockView:
    """One clock row with its firings."""
    clock = Clock.from_dict(row.ledger)
    derived, said = derive(clock, calendar, now), balance(clock, calendar, now)
    done = {firing.rung for firing in fired} | set(row.ledger.get("fired", ()))
    ladder = ladders.ladder(row.ladder_id)
    times = rung_times(clock, ladder, calendar) if ladder else []
    coming = tuple((rung, at) for rung, at in times if rung.id not in done)
    sleeping = tuple(rung for rung in ladder.rungs if rung.id not in done) if ladder and clock.paused else ()
    known = tuple((firing, ladder.rung(firing.rung) if ladder else None) for firing in fired)
    planned = {firing.rung: firing.planned_at for firing in fired}
    ticks = [(rung, planned.get(rung.id, at), rung.id in done) for rung, at in times]
    ticks += [(rung, firing.planned_at, True) for firing, rung in known if rung and not times]
    return ClockView(
        row=row,
        clock=clock,
        derived=derived,
        light=_light(row, now),
        remaining="" if row.state == "STOPPED" else left_words(said, calendar, now),
        explanation=explain(clock, calendar, now),
        strip=_strip(clock, said, calendar, now),
        fired=known,
        coming=coming,
        sleeping=sleeping,
        pauses=tuple((each, kind_word(each.kind), amount_words(paused_amount(clock, each, calendar, now), arithmetic_unit(clock))) for each in clock.pauses),
        scope=scope_words(row, names or {}),
        bar=bar_of(clock, calendar, now, ticks, scale_of(clock, calendar, now, [at for _, at in coming])),
    )


def _light(row: Row, now: datetime) -> Light:
    """The light of a clock; one that was started anew in time was not closed, so it does not say so."""
    light = light_of(row, now)
    return Light("none", light.rank, RESTARTED) if light.code == "blue" and row.ledger.get("followed_by") else light


def arithmetic_unit(clock: Clock) -> str:
    """The unit in which days of this clock are counted: months and years are counted by calendar days."""
    return "d" if clock.unit in ("m", "y") else clock.unit


def scope_words(row: Row, names: Mapping[str, str]) -> Words:
    """What a clock runs for: the whole case, a phase, or a step, with its name."""
    if row.element_id is None:
        return T("whole case")
    scope = row.ledger.get("scope") or {}
    name = scope.get("name") or names.get(row.element_id) or row.element_id
    return T("phase “%(name)s”", name=name) if scope.get("type") in PHASES else T("step “%(name)s”", name=name)


def _strip(clock: Clock, said: Balance, calendar: Any, now: datetime) -> tuple[tuple[str, float, Words], ...]:
    unit = UNIT_PARTS.get(clock.unit, T("days"))
    total, used = _drawn(said, said.budget), _drawn(said, said.used)
    parts: list[tuple[str, float, Words]] = []
    within = min(used, total) if total is not None else used
    if within > 0:
        parts.append(("used", within, T("used %(amount)s %(unit)s", amount=_number(within), unit=unit)))
    if total is not None and (over := _beyond(clock, said, used - total)) > 0:
        parts.append(("over", over, T("over by %(amount)s %(unit)s", amount=_number(over), unit=unit)))
    paused = arithmetic(clock, calendar, clock.stopped_at or now)
    if paused.paused:
        parts.append(("paused", float(paused.paused), T("paused for %(amount)s", amount=amount_words(paused.paused, paused.unit))))
    if total is not None and used < total:
        # What is left is taken from what was written as used, so that the two make up the limit as it reads.
        left = _number(total - float(_number(used)))
        words = T("%(amount)s %(unit)s to spare", amount=left, unit=unit) if clock.stopped_at else T("%(amount)s %(unit)s left", amount=left, unit=unit)
        parts.append(("left", total - used, words))
    return tuple(parts)


def _drawn(said: Balance, amount: int | None) -> Any:
    """An amount of a balance in days or hours."""
    return amount / 60 if amount is not None and said.hours else amount


def _beyond(clock: Clock, said: Balance, more: float) -> float:
    """By how much the limit is over: days over which the last day rolled on are none of it."""
    if not said.over:
        return 0
    if said.hours or clock.stopped_at:
        return more if said.hours else more - said.rolled
    # Of a limit in working days the head says how many it is over, whether paused meanwhile or not; so does the bar.
    return said.over_workdays if said.unit == "wd" else more - said.rolled


def _number(value: float) -> str:
    return f"{value:g}" if value == int(value) else f"{value:.1f}"


RECIPIENTS: Mapping[str, Words] = {
    "handler": T("handler"), "section_chief": T("section chief"), "vice_director": T("vice director"), "supervisor": T("supervisor"),
    "director": T("director"), "applicant": T("applicant"), "administrator": T("administrator"),
}  # fmt: skip
"""Word of a ladder → who that is."""
