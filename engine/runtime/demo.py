"""The demonstration: an organisation with accounts, and a few cases at different stages.

The organisation stands in ``engine/organisation/demo.yaml``, the cases in ``demo_cases.yaml`` beside it; loading again changes
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml
from sqlalchemy import func, select

from engine.errors import EngineError
from engine.store import tables

if TYPE_CHECKING:
    from engine.runtime.engine import Engine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Account:
    """An account to show to who tries the program for the first time."""

    login: str
    password: str
    description: str


@cache
def organisation() -> Mapping[str, Any]:
    """The demonstration's sections, roles, people and password."""
    return yaml.safe_load(files("engine.organisation").joinpath("demo.yaml").read_text(encoding="utf-8"))


ACCOUNTS: tuple[Account, ...] = tuple(
    Account(row["login"], organisation()["password"], row["description"]) for row in organisation()["shown"]
)


@cache
def script() -> Mapping[str, Any]:
    """The demonstration's cases, as :func:`play` takes them."""
    return yaml.safe_load(files("engine.organisation").joinpath("demo_cases.yaml").read_text(encoding="utf-8"))


def load(engine: Engine, cases: Mapping[str, Any] | None = None) -> int:
    """Load what is missing; returns how many people were added.

    ``cases`` as in :func:`play` (the delivered ones by default) are opened only on an empty desk.
    """
    sheet = organisation()
    people = [{**row, "password": sheet["password"]} for row in sheet["people"]]
    added = engine.desk.people.import_organisation(sections=sheet["sections"], roles=sheet["roles"], people=people, by="system")
    with engine.reading() as conn:
        empty = conn.execute(select(func.count()).select_from(tables.case_file)).scalar_one() == 0
    if empty:
        play(engine, script() if cases is None else cases)
    return added


def _dated(value: Any, now: datetime, zone: tzinfo) -> Any:
    """``{days_ago: 2, at: "09:20"}`` as a date and time, ``{day: -2}`` as a date, both counted from today; all else as it is."""
    if isinstance(value, Mapping) and set(value) == {"days_ago", "at"}:
        day = now.astimezone(zone).date() - timedelta(days=value["days_ago"])
        return f"{day.isoformat()}T{value['at']}"
    if isinstance(value, Mapping) and set(value) == {"day"}:
        return (now.astimezone(zone).date() + timedelta(days=value["day"])).isoformat()
    if isinstance(value, Mapping):
        return {name: _dated(each, now, zone) for name, each in value.items()}
    if isinstance(value, list):
        return [_dated(each, now, zone) for each in value]
    return value


def play(engine: Engine, script: Mapping[str, Any]) -> int:
    """Open cases and do their first steps through the desk; returns how many cases were opened.

    ``script`` is ``{"cases": [{"process", "by", "data", "steps": [{"element", "by", "data", "outcome", "opinion"}]}]}``.  A step
    that the model in force does not offer ends that case's script: the demonstration must not break when a procedure is changed.
    """
    opened = 0
    for case in _dated(script.get("cases", []), engine.clock(), engine.desk.zone):
        try:
            instance = engine.desk.start_case(case["process"], case["data"], by=case["by"])
            opened += 1
            for step in case.get("steps", ()):
                task = next(task for task in engine.user_tasks() if task.root_key == instance.key and task.element_id == step["element"])
                engine.desk.complete_task(
                    task.key, step.get("data", {}), outcome=step.get("outcome"), opinion=step.get("opinion", ""), by=step["by"]
                )
        except (EngineError, StopIteration) as error:
            reasons = getattr(error, "errors", None) or error
            log.warning("the demonstration case of %s stopped early: %s", case.get("process"), reasons)
    return opened
