"""A case in the course of a command, and the small things that every module of the desk needs to speak about it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from engine.bpmn.variables import plain
from engine.feel import FeelError
from engine.feel.values import to_text
from engine.organisation import Directory
from engine.runtime.casework.moments import office_time
from engine.runtime.limits import clocks
from engine.runtime.limits.clocks import ClockState
from engine.runtime.sheets import Sheet
from engine.store import tables
from engine.store.types import new_key

if TYPE_CHECKING:
    from engine.runtime.desk import Desk


@dataclass
class Note:
    """What the desk knows about the command in hand and the engine's events do not tell."""

    task_key: int | None = None
    outcome: str | None = None
    outcome_label: str | None = None
    opinion: str = ""
    form_id: str | None = None
    data: Mapping[str, Any] | None = None
    on_behalf_of: str | None = None
    completing: tuple[int, str, str] | None = None  # case, element, login: for handler() before the row is written
    cases: dict[int, CaseState] = field(default_factory=dict)  # read already by the command itself
    sent_by_hand: bool = False  # a person published the message that the command hands on
    message_label: str | None = None
    decisions: list[tuple[Any, ...]] = field(default_factory=list)  # as Desk.decided was told
    start_token: str | None = None  # one-time token of the page that opens a case
    unit: Any = None  # the engine's unit of work


@dataclass
class CaseState:
    """A case in the course of a command."""

    row: dict[str, Any]
    sheet: Sheet | None
    clocks: list[ClockState] = field(default_factory=list)
    changed: dict[str, Any] = field(default_factory=dict)
    new: bool = False
    status_given: bool = False  # whether the model named a status in this command

    @property
    def key(self) -> int:
        return self.row["key"]

    def set(self, **values: Any) -> None:
        for name, value in values.items():
            if self.row.get(name) != value:
                self.row[name] = self.changed[name] = value

    @property
    def live_clocks(self) -> list[ClockState]:
        return [each for each in self.clocks if each.live]


_CLOCK_PREFIX = "clock__"


def _read_cases_statement() -> Any:
    case, clock = tables.case_file, tables.clock
    joined = case.outerjoin(clock, (clock.c.case_key == case.c.key) & (clock.c.state != clocks.STOPPED))
    columns = [*case.c, *(column.label(_CLOCK_PREFIX + column.name) for column in clock.c)]
    return select(*columns).select_from(joined).where(case.c.key.in_(bindparam("the_keys", expanding=True))).order_by(clock.c.key)


# Built once: composing it costs more than running it.
READ_CASES = _read_cases_statement()


def read_cases(desk: Desk, conn: Any, keys: Collection[int]) -> dict[int, CaseState]:
    """The case files of ``keys`` with their unfinished clocks, in one statement; instances without a case file are left out."""
    case, clock = tables.case_file, tables.clock
    rows = conn.execute(READ_CASES, {"the_keys": list(keys)}).mappings().all()
    found: dict[int, CaseState] = {}
    for row in rows:
        state = found.get(row["key"])
        if state is None:
            own = {column.name: row[column.name] for column in case.c}
            state = found[row["key"]] = CaseState(own, desk.sheet_of(conn, own["procedure_key"]))
        if row[_CLOCK_PREFIX + "key"] is not None:
            state.clocks.append(ClockState.of_row({column.name: row[_CLOCK_PREFIX + column.name] for column in clock.c}))
    return found


def text_of(value: Any) -> str:
    """A FEEL value as a person reads it; ``""`` for null."""
    return "" if value is None else value if isinstance(value, str) else to_text(value)


def evaluated(event: Any, source: str) -> Any:
    """What a formula of the sheet gives where ``event`` stands; null when it cannot be computed within FEEL's limits."""
    try:
        return event.evaluate(source[1:])
    except FeelError:
        return None


def jsonable(value: Any) -> Any:
    """Any value of the engine as JSON: dataclasses as objects, what has no JSON form as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: jsonable(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): jsonable(each) for name, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(each) for each in value]
    try:
        return plain(value)
    except (FeelError, TypeError, ValueError):
        return str(value)


def names_of(value: Any) -> list[str]:
    """A comma separated text or a FEEL list as names, empty ones left out."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
    return [part.strip() for part in parts if isinstance(part, str) and part.strip()]


def people_of(directory: Directory, names: Iterable[str]) -> list[str]:
    """Logins and groups as logins of active people, each once, in order."""
    found: dict[str, None] = {}
    for name in names:
        if directory.own_groups(name):
            found[name] = None
        else:
            found.update(dict.fromkeys(directory.members(name)))
    return list(found)


def carry_due_dates(conn: Any, moved: Iterable[ClockState]) -> None:
    """Open tasks show the due instant of the clock that governs them; bring it up to date.

    A task of a clock that was restarted goes over to the one that follows it.
    """
    task = tables.user_task
    moved = list(moved)
    following = {clock.key: clock for clock in moved if clock.live}
    statement = (
        update(task)
        .where(task.c.clock_key == bindparam("clock_key_"), task.c.state == "CREATED")
        .values(due_at=bindparam("new_due_at"), clock_key=bindparam("new_clock_key"))
    )
    rows = []
    for clock in moved:
        now_counting = following.get(clock.followed_by, clock)
        rows.append({"clock_key_": clock.key, "new_due_at": now_counting.row["due_at"], "new_clock_key": now_counting.key})
    if rows:
        conn.execute(statement, rows)


def after_clock_change(
    desk: Desk, tx: Any, moved: Iterable[ClockState], known: Mapping[int, Iterable[ClockState]] | None = None
) -> None:
    """Whatever follows the due instant of a clock follows it now: open tasks, and timers of the model.

    Every command calls it once, with the instances locked, for the clocks whose due instant it changed: pause, resumption, extension,
    restart, another version of the rule.  ``known`` are all unfinished clocks of the cases, if the caller has them at hand.
    """
    from engine.runtime.limits.following import follow  # it works on cases itself

    moved = list(moved)
    if moved:
        carry_due_dates(tx.conn, moved)
        follow(desk, tx, moved, known)


def _blank(case_key: int, instance_key: int | None, action: str, now: datetime, tx: Any) -> dict[str, Any]:
    return {
        "key": new_key(), "case_key": case_key, "instance_key": instance_key, "task_key": None, "element_id": None, "element_name": None,
        "action": action, "actor": None, "on_behalf_of": None, "outcome": None, "outcome_label": None, "opinion": None, "received_at": None,
        "at": now, "details": {}, "address": tx.address,
    }  # fmt: skip


def trail_row(case_key: int, action: str, tx: Any, **values: Any) -> dict[str, Any]:
    """A row for the trail of a case; ``values`` override the empty columns."""
    return {**_blank(case_key, values.pop("instance_key", None), action, tx.now, tx), **values}


def received_text(at: datetime, zone: Any) -> str:
    """An instant as the variable ``received_at`` keeps it."""
    return office_time(at, zone).isoformat(timespec="seconds")
