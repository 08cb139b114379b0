"""Hosts that live in other time zones, with daylight saving or an odd offset: the same instants, on both databases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from engine import Engine
from engine.store import tables
from tests.bpmn.builder import boundary, bpmn, end, process, timer, user
from tests.desk import desk_models
from tests.support.storm import SETTINGS

ROOT = Path(__file__).parents[2]
ZONES = ("UTC", "America/New_York", "Asia/Kolkata")
# New York changes in the night of each of these days.
CHANGES = ("2026-03-07", "2026-10-31")


class Stepping:
    now: datetime

    def __call__(self) -> datetime:
        return self.now


def live(url: str, day: str) -> dict[str, Any]:
    """Five days of an office from ``day`` on, looked at every hour; gives all its instants.  Runs in a process of its own."""
    clock = Stepping()
    clock.now = datetime.fromisoformat(day).replace(tzinfo=UTC)
    engine = Engine(url, clock=clock, settings=SETTINGS, node="abroad")
    engine.desk.people.import_organisation(sections=desk_models.SECTIONS, roles=desk_models.ROLES, people=desk_models.PEOPLE, by="system")
    engine.deploy(desk_models.files(), by="designer")
    timed = process(
        "timed", "start -> a -> end; daily -> d; morning -> m; once -> o; local -> l",
        a=user(), d=end(), m=end(), o=end(), l=end(),
        daily=boundary("a", timer(cycle="R/P1D"), interrupting=False), morning=boundary("a", timer(cycle="0 0 9 * * *"), interrupting=False),
        once=boundary("a", timer("PT30H"), interrupting=False), local=boundary("a", timer(date="=now() + duration(\"P1D\")"), interrupting=False),
    )  # fmt: skip
    engine.deploy({"timed.bpmn": bpmn(timed)}, by="designer")
    instance = engine.start("timed").key
    case = engine.desk.start_case("licence", desk_models.START, by="wang").key
    found: dict[str, Any] = {"present": [], "fired": []}
    for _ in range(5 * 24):
        clock.now += timedelta(hours=1)
        if engine.run_due():
            found["present"].append(engine.evaluate("=[string(now()), string(today())]"))
    clock_table, timer_table, firing, rung = tables.clock, tables.timer, tables.firing, tables.rung_firing
    with engine.reading() as conn:
        found["clocks"] = [
            [str(value) for value in row]
            for row in conn.execute(
                select(clock_table.c.rule_id, clock_table.c.started_at, clock_table.c.due_at, clock_table.c.overdue_at, clock_table.c.yellow_at, clock_table.c.next_rung_at)
                .where(clock_table.c.case_key == case).order_by(clock_table.c.key)
            )
        ]  # fmt: skip
        found["timers"] = sorted([row.element_id, str(row.due_at)] for row in conn.execute(select(timer_table)))
        found["fired"] = [[row.occurrence, str(row.fired_at)] for row in conn.execute(select(firing).where(firing.c.kind == "timer").order_by(firing.c.fired_at, firing.c.row_key))]
        found["rungs"] = [[row.rung, str(row.planned_at), str(row.fired_at)] for row in conn.execute(select(rung).order_by(rung.c.planned_at, rung.c.rung))]
        found["daily"] = [
            str(at) for at in conn.execute(select(tables.activity.c.started_at).where(tables.activity.c.instance_key == instance, tables.activity.c.element_id == "daily").order_by(tables.activity.c.key)).scalars()
        ]  # fmt: skip
    engine.dispose()
    return found


def abroad(url: str, day: str, zone: str) -> dict[str, Any]:
    """:func:`live` on a host that lives in ``zone``, as does its session with the database (``PGTZ``)."""
    program = f"import json; from tests.runtime.test_due_time_zones import live; print(json.dumps(live({url!r}, {day!r})))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env={**os.environ, "TZ": zone, "PGTZ": zone}, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture
def databases(database_kind, request, tmp_path):
    """One fresh database for each zone; on PostgreSQL the database itself is set to that zone too."""
    import shutil

    if database_kind == "sqlite":
        template = request.getfixturevalue("_sqlite_template")()
        yield {zone: f"sqlite:///{shutil.copyfile(template, tmp_path / f'{index}.db')}" for index, zone in enumerate(ZONES)}
        return
    server = request.getfixturevalue("postgres_server")
    names = {zone: server.create() for zone in ZONES}
    for zone, name in names.items():
        server.execute(f"ALTER DATABASE {name} SET timezone TO '{zone}'")
    yield {zone: server.url(name) for zone, name in names.items()}
    for name in names.values():
        server.drop(name)


@pytest.mark.parametrize("day", CHANGES)
def test_the_host_s_time_zone_and_its_daylight_saving_change_no_instant(databases, database_kind, day):
    assert database_kind in ("sqlite", "postgresql")
    at_home, *elsewhere = [abroad(databases[zone], day, zone) for zone in ZONES]
    assert len(at_home["fired"]) >= 7 and at_home["rungs"] and at_home["clocks"]
    first, second = (datetime.fromisoformat(each) for each in at_home["daily"][:2])
    assert second - first == timedelta(days=1)
    for found in elsewhere:
        assert found == at_home
