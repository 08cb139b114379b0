"""A node whose machine's clock is wrong warns and fires nothing early; clocks that somebody hands to the engine are not watched."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from engine import Engine
from engine.runtime.nodeclock import NodeClock, utc_now
from engine.store import tables
from tests.bpmn.builder import bpmn, catch, process, timer

ONLY_POSTGRESQL = pytest.mark.parametrize("database_kind", [pytest.param("postgresql", marks=pytest.mark.postgres)])
ONLY_SQLITE = pytest.mark.parametrize("database_kind", ["sqlite"])


class Machine:
    """A machine's clock, ``off`` from the true time, beside the stopwatch that nobody sets; ``later`` lets both run on."""

    def __init__(self) -> None:
        self.off, self.passed = timedelta(0), 0.0

    def now(self) -> datetime:
        return utc_now() + self.off + timedelta(seconds=self.passed)

    def stopwatch(self) -> float:
        return self.passed

    def later(self, seconds: float) -> None:
        self.passed += seconds


@pytest.fixture
def machine():
    return Machine()


@pytest.fixture
def node(database_url, machine):
    """An engine that lives by the machine's clock."""
    made = Engine(database_url, clock=NodeClock(machine.now, machine.stopwatch, timedelta(seconds=30)), node="astray")
    made.desk.people.import_organisation(
        sections=[{"code": "bureau", "name": "科技局", "kind": "bureau"}],
        roles=[{"code": "admin", "name": "管理员"}],
        people=[{"login": "root", "name": "管理员", "section": "bureau", "title": "", "roles": ["admin"]}],
        by="system",
    )
    yield made
    made.dispose()


def waits_until(node: Engine, instant: datetime) -> int:
    node.deploy({"p.bpmn": bpmn(process("p", "start -> t -> end", t=catch(timer(date=f"{instant:%Y-%m-%dT%H:%M:%SZ}"))))}, by="designer")
    return node.start("p").key


def alarms(node: Engine) -> list[str]:
    table = tables.notification
    with node.reading() as conn:
        about_clocks = select(table.c.msgid).where(table.c.kind == "alarm", table.c.msgid.contains("clock of node"))
        return list(conn.execute(about_clocks.order_by(table.c.key)).scalars())


@ONLY_POSTGRESQL
@pytest.mark.parametrize("off", [timedelta(minutes=10), timedelta(days=366)], ids=str)
def test_a_node_whose_clock_is_ahead_of_the_database_warns_and_fires_nothing_early(node, machine, off, caplog):
    case = waits_until(node, utc_now() + timedelta(minutes=2))
    machine.off = off
    with caplog.at_level(logging.WARNING):
        assert node.run_due() == 0
    assert node.instance(case).state == "ACTIVE"
    assert "ahead of the database" in caplog.text
    (alarm,) = alarms(node)
    assert "Nothing is fired early" in alarm
    machine.off = timedelta(0)
    assert node.run_due() == 0
    assert not node.clock.last.wrong


@ONLY_POSTGRESQL
def test_a_clock_that_jumps_ahead_between_two_comparisons_is_held_back_at_once(node, machine):
    assert node.run_due() == 0
    case = waits_until(node, utc_now() + timedelta(minutes=2))
    machine.off = timedelta(days=366)
    assert node.clock() < utc_now() + timedelta(seconds=31)
    # Not only the acquirer: any command that the node does meanwhile bears an instant that can be believed.
    assert node.start("p").started_at < utc_now() + timedelta(seconds=31)
    assert node.run_due() == 0
    assert node.instance(case).state == "ACTIVE"


@ONLY_POSTGRESQL
def test_what_is_due_by_the_database_fires_also_on_a_node_whose_clock_is_ahead(node, machine):
    case = waits_until(node, utc_now() - timedelta(minutes=1))
    machine.off = timedelta(days=1)
    assert node.run_due() == 1
    assert node.instance(case).state == "COMPLETED"
    with node.reading() as conn:
        (fired_at,) = conn.execute(select(tables.firing.c.fired_at).where(tables.firing.c.kind == "timer")).scalars().all()
    assert fired_at < utc_now() + timedelta(seconds=31)


@ONLY_POSTGRESQL
def test_a_node_whose_clock_is_behind_the_database_warns(node, machine):
    machine.off = -timedelta(hours=1)
    node.run_due()
    assert node.clock.last.wrong
    assert node.clock.last.ahead < -timedelta(minutes=59)
    assert ["behind the database" in alarm for alarm in alarms(node)] == [True]


@ONLY_POSTGRESQL
def test_a_clock_within_the_tolerance_is_believed(node, machine):
    machine.off = timedelta(seconds=20)
    node.run_due()
    assert not node.clock.last.wrong
    assert timedelta(seconds=18) < node.clock() - utc_now() < timedelta(seconds=22)
    assert alarms(node) == []


@ONLY_POSTGRESQL
def test_administrators_hear_of_a_wrong_clock_once_a_day(node, machine, caplog):
    machine.off = timedelta(hours=1)
    with caplog.at_level(logging.WARNING, "engine.runtime.nodeclock"):
        for _ in range(4):
            node.run_due()
            machine.later(31)
    # Compared at every wake while it is wrong, logged once a minute, told once.
    assert len(caplog.records) == 2
    assert len(alarms(node)) == 1


@ONLY_POSTGRESQL
def test_a_clock_that_is_right_is_compared_once_a_minute(node, machine):
    asked = []
    compare = node.clock._with_database
    node.clock._with_database = lambda conn: (asked.append(1), compare(conn))[1]
    for _ in range(13):
        node.run_due()
        machine.later(5)
    assert len(asked) == 2


@ONLY_POSTGRESQL
def test_nothing_is_fired_by_a_node_that_cannot_compare_its_clock(node, machine, monkeypatch):
    case = waits_until(node, utc_now() - timedelta(minutes=1))
    monkeypatch.setattr(node.clock, "_with_database", lambda conn: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        node.run_due()
    assert node.instance(case).state == "ACTIVE"


@ONLY_SQLITE
def test_on_sqlite_a_clock_that_has_gone_back_behind_what_is_written_warns(node, machine):
    case = waits_until(node, utc_now() - timedelta(minutes=1))
    assert node.run_due() == 1
    assert node.instance(case).state == "COMPLETED"
    machine.off = -timedelta(days=1)
    machine.later(61)
    assert node.run_due() == 0
    assert node.clock.last.wrong and node.clock.last.reference == "ledger"
    assert ["behind what has been written" in alarm for alarm in alarms(node)] == [True]


@ONLY_SQLITE
def test_on_sqlite_a_clock_that_goes_on_is_never_called_wrong(node, machine):
    for _ in range(3):
        node.run_due()
        machine.later(3600)
    assert not node.clock.last.wrong
    assert alarms(node) == []


def test_a_clock_that_is_handed_to_the_engine_is_taken_as_it_is(database_url, clock):
    engine = Engine(database_url, clock=clock)
    clock.now = datetime(2031, 1, 1, tzinfo=UTC)
    engine.run_due()
    assert engine.clock is clock
    engine.dispose()


def test_the_machines_own_clock_is_watched_with_the_tolerance_of_the_settings(database_url):
    engine = Engine(database_url, settings={"clock_tolerance_seconds": 7})
    assert isinstance(engine.clock, NodeClock)
    assert engine.clock.tolerance == timedelta(seconds=7)
    engine.run_due()
    assert engine.clock.last is not None and not engine.clock.last.wrong
    engine.dispose()


@ONLY_POSTGRESQL
def test_the_health_page_tells_how_far_the_clock_is_off_and_stays_healthy(node, machine):
    from types import SimpleNamespace

    from web.app import create_app

    client = create_app(SimpleNamespace(secret_key="only for this test, long enough"), node, TESTING=True).test_client()
    assert client.get("/healthz").json["clock"] is None
    machine.off = timedelta(hours=1)
    node.run_due()
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json["clock"]["state"] == "wrong" and answer.json["clock"]["compared_with"] == "database"
    assert 3595 < answer.json["clock"]["ahead_seconds"] < 3605
