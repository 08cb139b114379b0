"""Transactions, keys and instants, below everything else."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from engine import Engine, EngineError
from engine.store import tables
from engine.store.database import Database
from engine.store.types import KeyMaker


@pytest.fixture
def database(database_url):
    made = Database(database_url)
    yield made
    made.dispose()


def put(connection, name: str, value) -> None:
    connection.execute(insert(tables.setting).values(name=name, value=value))


def names(database) -> list[str]:
    with database.reading() as connection:
        return list(connection.execute(select(tables.setting.c.name).where(tables.setting.c.name.like("test%"))).scalars())


def test_a_transaction_commits_at_its_end_or_not_at_all(database):
    with database.writing() as connection:
        put(connection, "test one", 1)
    with pytest.raises(ZeroDivisionError), database.writing() as connection:
        put(connection, "test two", 2)
        _ = 1 / 0
    assert names(database) == ["test one"]


def test_a_second_transaction_inside_the_first_is_refused(database):
    with database.writing(), pytest.raises(RuntimeError), database.writing():
        pass


def test_a_query_inside_a_command_sees_what_the_command_wrote(database):
    with database.writing() as connection:
        put(connection, "test", 1)
        assert names(database) == ["test"]


def test_a_reader_sees_one_state_and_blocks_no_writer(database):
    read, written = threading.Event(), threading.Event()

    def write() -> None:
        assert read.wait(30)
        with database.writing() as connection:
            put(connection, "test", 1)
        written.set()

    thread = threading.Thread(target=write)
    thread.start()
    with database.reading() as connection:
        before = connection.execute(select(tables.setting.c.name)).all()
        read.set()
        assert written.wait(30)
        if database.is_sqlite:
            assert connection.execute(select(tables.setting.c.name)).all() == before
    thread.join()
    assert names(database) == ["test"]


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_folder_that_is_not_there_is_named(tmp_path, database_kind):
    with pytest.raises(EngineError, match="no/such"):
        Engine(f"sqlite:///{tmp_path}/no/such/banjie.db")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_database_that_cannot_be_written_is_named(tmp_path, monkeypatch, database_kind):
    file = tmp_path / "banjie.db"
    file.touch()
    file.chmod(stat.S_IRUSR)
    # The superuser, as whom the tests may run, can write everything.
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(EngineError, match="cannot be written"):
        Database(f"sqlite:///{file}")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_two_databases_in_memory_are_two(database_kind):
    one, two = Engine("sqlite://"), Engine("sqlite://")
    one.migrate()
    two.migrate()
    assert one.database.name != two.database.name
    with one.transaction() as tx:
        put(tx.conn, "test", 1)
    assert (names(one.database), names(two.database)) == (["test"], [])
    one.dispose()
    two.dispose()


INSTANT = datetime(2026, 11, 2, 1, 2, 3, 456789, tzinfo=UTC)


def test_an_instant_comes_back_as_utc_with_microseconds(database):
    shanghai = timezone(timedelta(hours=8))
    with database.writing() as connection:
        connection.execute(
            insert(tables.deployment),
            [{"key": 1, "deployed_at": INSTANT.astimezone(shanghai), "deployed_by": "x"}, {"key": 2, "deployed_at": INSTANT, "deployed_by": "x"}],
        )
    with database.reading() as connection:
        found = list(connection.execute(select(tables.deployment.c.deployed_at)).scalars())
    assert found == [INSTANT, INSTANT]
    assert all(item.utcoffset() == timedelta(0) for item in found)


def test_an_instant_without_a_zone_is_refused(database):
    from sqlalchemy.exc import StatementError

    with pytest.raises(StatementError, match="time zone"), database.writing() as connection:
        connection.execute(insert(tables.deployment).values(key=1, deployed_at=INSTANT.replace(tzinfo=None), deployed_by="x"))


@given(st.lists(st.integers(min_value=KeyMaker.EPOCH_MS, max_value=KeyMaker.EPOCH_MS + 2**41 - 2), min_size=1, max_size=50))
def test_keys_never_repeat_nor_go_back_when_the_clock_does(times):
    ticks = iter(times)
    maker = KeyMaker(node=3, clock_ms=lambda: next(ticks))
    keys = [maker() for _ in times]
    assert keys == sorted(set(keys))
    assert keys[0] >= 0 and keys[-1] < 2**63


def test_many_keys_in_one_millisecond():
    maker = KeyMaker(node=3, clock_ms=lambda: KeyMaker.EPOCH_MS)
    keys = [maker() for _ in range(10_000)]
    assert keys == sorted(set(keys))


def test_processes_that_were_forked_off_make_keys_of_their_own():
    # A server that loads the program once and forks its workers would otherwise give all of them one node.
    program = (
        "import os\n"
        "from engine.store.types import new_key\n"
        "node = lambda: (new_key() >> 12) & 0x3FF\n"
        "print(node(), flush=True)\n"
        "for _ in range(4):\n"
        "    if os.fork() == 0:\n"
        "        print(node(), flush=True)\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    root = Path(__file__).resolve().parents[2]
    nodes = subprocess.run([sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert len(nodes) == 5
    # Drawn at random out of 1,024: that all five agree by chance happens once in 10¹².
    assert len(set(nodes)) > 1
