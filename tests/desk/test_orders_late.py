"""Orders whose answer is overdue: told once to who issued them and to whom they name, then a line every working morning."""

from __future__ import annotations

from datetime import date

import pytest

from engine import Engine
from engine.runtime.supervision import late_answers, orders
from engine.store import tables
from tests.desk.conftest import SETTINGS


@pytest.fixture
def order(desk, in_handling, rows):
    orders.issue(desk, in_handling.key, level="red", text="请说明", due_on=date(2026, 11, 26), to_login="li", by="du")
    return rows(tables.supervision_order)[-1]


def told(rows, login, msgid):
    return [row for row in rows(tables.notification, login=login) if row["kind"] == "order" and msgid in row["msgid"]]


def test_an_order_is_told_as_late_once_to_the_issuer_the_addressee_and_the_chief(engine, order, clock, rows):
    clock.office("2026-11-26 17:00")
    engine.run_due()
    assert told(rows, "du", "is overdue") == []
    clock.office("2026-11-27 08:29")
    engine.run_due()
    assert told(rows, "du", "is overdue") == []
    clock.office("2026-11-27 08:30")
    engine.run_due()
    engine.desk.orders_told = None  # as another node, or this one after a restart
    engine.run_due()
    for login in ("du", "li", "chen"):
        (notice,) = told(rows, login, "is overdue")
        assert notice["params"]["order"] == order["key"] and notice["params"]["number"] == order["number"]
    assert told(rows, "wu", "is overdue") == []


def test_what_is_still_late_is_one_line_for_each_issuer_every_working_morning(engine, desk, in_handling, order, clock, rows):
    orders.issue(desk, in_handling.key, level="blue", text="再说明", due_on=date(2026, 11, 26), to_login="li", by="du")
    clock.office("2026-11-27 09:00")
    engine.run_due()
    assert told(rows, "du", "still unanswered") == [] and len(told(rows, "du", "is overdue")) == 2
    clock.office("2026-11-28 09:00")  # a Saturday
    engine.run_due()
    assert told(rows, "du", "still unanswered") == []
    clock.office("2026-11-30 09:00")
    engine.run_due()
    engine.desk.orders_told = None
    engine.run_due()
    (line,) = told(rows, "du", "still unanswered")
    assert line["params"]["count"] == 2 and line["params"]["day"] == "2026-11-26"
    assert len(told(rows, "du", "is overdue")) == 2


def test_an_answered_order_is_not_late_and_one_that_is_sent_back_is_reminded_of(engine, desk, order, clock, rows):
    orders.answer(desk, order["key"], "已办", by="li")
    clock.office("2026-11-27 09:00")
    engine.run_due()
    assert told(rows, "du", "is overdue") == []
    orders.send_back(desk, order["key"], "附记录", by="du")
    clock.office("2026-11-30 09:00")
    engine.run_due()
    assert len(told(rows, "du", "is overdue")) == 1


def test_two_nodes_tell_once(database_url, engine, order, clock, rows):
    clock.office("2026-11-27 09:00")
    other = Engine(database_url, clock=clock, settings=SETTINGS, node="other")
    late_answers.run(engine.desk)
    late_answers.run(other.desk)
    other.dispose()
    assert len(told(rows, "du", "is overdue")) == 1
