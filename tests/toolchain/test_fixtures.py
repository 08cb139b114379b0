from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import create_engine, inspect, text


def test_the_clock_stands_until_it_is_moved(clock):
    before = clock()
    assert clock() == before
    clock.advance(timedelta(days=1))
    assert clock() - before == timedelta(days=1)


@pytest.mark.parametrize("round_", [1, 2])
def test_each_test_gets_a_database_of_its_own_with_all_tables(database_url, round_):
    database = create_engine(database_url)
    with database.begin() as connection:
        assert inspect(connection).has_table("person")
        assert not inspect(connection).has_table("left_behind")
        connection.execute(text("CREATE TABLE left_behind (a integer)"))
    database.dispose()


def test_an_empty_database_has_no_tables(empty_database_url):
    database = create_engine(empty_database_url)
    with database.connect() as connection:
        assert inspect(connection).get_table_names() == []
    database.dispose()


def test_a_test_may_choose_one_database(database_kind):
    assert database_kind in ("sqlite", "postgresql")


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_engine_lives_in_the_time_of_the_test(engine, clock):
    assert engine.clock() == clock.now
    clock.advance(timedelta(hours=1))
    assert engine.clock() == clock.now


@pytest.mark.e2e
def test_the_browser_starts(browser):
    page = browser.new_page(locale="zh-CN")
    page.set_content("<title>办结</title>")
    assert page.title() == "办结"
    page.close()
