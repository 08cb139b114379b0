"""Supervision orders: issued by a ladder once, or by hand; answered, returned, closed, withdrawn; on both databases."""

from __future__ import annotations

from datetime import date

import pytest

from engine.errors import Conflict, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.supervision import orders
from engine.store import tables
from tests.desk import desk_models as models
from tests.desk.conftest import case, clock, desk, in_handling, open_task, rows  # noqa: F401  fixtures

DUE = date(2026, 11, 27)


@pytest.fixture
def engine(database_url, clock):
    from engine import Engine
    from tests.desk.conftest import SETTINGS

    made = Engine(database_url, clock=clock, settings=SETTINGS, node="test")
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=models.PEOPLE, by="system")
    files = models.files()
    name = "processes/ladders.yaml"
    files[name] = files[name].replace(b"actions: [draft_bulletin]", b"actions: [draft_bulletin, supervision_order]")
    assert b"supervision_order" in files[name]
    made.deploy(files, by="designer")
    yield made
    made.dispose()


@pytest.fixture
def order(desk, in_handling, rows):
    orders.issue(desk, in_handling.key, level="yellow", text="请说明进展", due_on=DUE, by="du")
    (row,) = rows(tables.supervision_order)
    return row


def test_a_rung_issues_one_order_in_its_own_transaction(engine, in_handling, clock, rows):
    clock.office("2026-12-09 09:00")
    engine.run_due()
    engine.run_due()
    (row,) = rows(tables.supervision_order)
    assert row["number"] == "周科督〔2026〕1号"
    assert (row["level"], row["to_section"], row["to_login"], row["issued_by"]) == ("red", "gaoxin", None, None)
    assert row["due_on"] == date(2026, 12, 14)
    assert row["rung"] == "bulletin" and row["state"] == "ISSUED"
    assert {each["login"] for each in rows(tables.notification, kind="order")} == {"chen"}
    assert [each["action"] for each in rows(tables.trail, case_key=in_handling.key)].count("order") == 1


def test_an_order_that_cannot_be_written_leaves_the_rung_unfired(engine, in_handling, clock, rows, monkeypatch):
    clock.office("2026-12-09 09:00")

    def fail(*args):
        raise RuntimeError("no number")

    monkeypatch.setattr(orders, "issue_for_rung", fail)
    engine.run_due()
    assert rows(tables.rung_firing, case_key=in_handling.key, rung="bulletin") == []
    monkeypatch.undo()
    engine.run_due()
    assert len(rows(tables.supervision_order)) == len(rows(tables.rung_firing, case_key=in_handling.key, rung="bulletin")) == 1


def test_an_order_goes_to_who_holds_the_task(desk, in_handling, open_task, rows):
    desk.claim(open_task(in_handling.key, "handle").key, by="li")
    orders.issue(desk, in_handling.key, level="blue", text="请抓紧", due_on=DUE, by="wu")
    (row,) = rows(tables.supervision_order)
    assert (row["to_section"], row["to_login"], row["issued_by"]) == ("gaoxin", "li", "wu")
    assert {each["login"] for each in rows(tables.notification, kind="order")} == {"li", "chen"}


def test_only_oversight_issues_and_only_on_open_cases(desk, in_handling, open_task, rows):
    for login in ("chen", "li"):
        with pytest.raises(NotPermitted):
            orders.issue(desk, in_handling.key, level="red", text="快", due_on=DUE, by=login)
    with pytest.raises(NotFound):
        orders.issue(desk, 2**40, level="red", text="快", due_on=DUE, by="du")
    desk.complete_task(open_task(in_handling.key, "handle").key, {}, outcome="submit", by="li")
    desk.complete_task(open_task(in_handling.key, "sign").key, {}, outcome="approve", by="wu")
    with pytest.raises(InvalidState):
        orders.issue(desk, in_handling.key, level="red", text="快", due_on=DUE, by="du")
    assert rows(tables.supervision_order) == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"text": "  "}, "text"), ({"level": "purple"}, "level"), ({"due_on": date(2026, 11, 22)}, "due_on"), ({"to_login": "nobody"}, "to")],
)
def test_a_senseless_order_is_refused_by_field_and_takes_no_number(desk, in_handling, rows, wrong, field):
    with pytest.raises(ValidationFailed) as refused:
        orders.issue(desk, in_handling.key, **{"level": "red", "text": "快", "due_on": DUE, "by": "du", **wrong})
    assert field in refused.value.errors
    orders.issue(desk, in_handling.key, level="red", text="快", due_on=DUE, by="du")
    assert [row["number"] for row in rows(tables.supervision_order)] == ["周科督〔2026〕1号"]


def test_a_page_sent_twice_issues_one_order(desk, in_handling, rows):
    for attempt in range(2):
        if attempt:
            with pytest.raises(Conflict):
                orders.issue(desk, in_handling.key, level="red", text="快", due_on=DUE, token="t", by="du")
        else:
            orders.issue(desk, in_handling.key, level="red", text="快", due_on=DUE, token="t", by="du")
    assert len(rows(tables.supervision_order)) == 1


def test_an_order_is_answered_sent_back_answered_again_and_closed(desk, order, rows):
    key = order["key"]
    with pytest.raises(NotFound):
        orders.answer(desk, key, "不是我的", by="sun")
    with pytest.raises(NotPermitted):
        orders.answer(desk, key, "我来说", by="du")
    with pytest.raises(InvalidState):
        orders.close(desk, key, "", by="du")
    orders.answer(desk, key, "正在核查", by="zhao")
    with pytest.raises(NotPermitted):
        orders.close(desk, key, "", by="chen")
    orders.send_back(desk, key, "请附材料", by="du")
    orders.answer(desk, key, "材料已附", by="chen")
    orders.close(desk, key, "属实", by="du")
    (row,) = rows(tables.supervision_order)
    assert (row["state"], row["ended_by"], row["revision"]) == ("CLOSED", "du", 5)
    assert [each["action"] for each in rows(tables.supervision_step)] == ["issue", "answer", "return", "answer", "close"]
    with pytest.raises(InvalidState):
        orders.answer(desk, key, "太晚", by="chen")
    assert {each["login"] for each in rows(tables.notification, kind="order")} == {"chen", "du"}


def test_two_people_deciding_at_once_do_not_overwrite_each_other(desk, order):
    orders.answer(desk, order["key"], "一", revision=1, by="zhao")
    with pytest.raises(Conflict):
        orders.withdraw(desk, order["key"], "误发", revision=1, by="du")
    orders.withdraw(desk, order["key"], "误发", revision=2, by="du")


def test_a_named_person_answers_and_their_section_only_reads(desk, in_handling, rows, engine):
    orders.issue(desk, in_handling.key, level="blue", text="请抓紧", due_on=DUE, to_login="li", by="du")
    (row,) = rows(tables.supervision_order)
    with pytest.raises(NotPermitted):
        orders.answer(desk, row["key"], "代答", by="zhao")
    orders.answer(desk, row["key"], "已办", by="li")
    with engine.reading() as conn, pytest.raises(NotFound):
        orders.PAPERS.find(desk, conn, row["key"], "sun")
