"""Asking for more time on the case page, deciding on it, and saying why a limit was not kept."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine.store import tables

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def handled(office, new_case, task_of):
    case = new_case()
    office.desk.complete_task(task_of(case.key, "accept").key, {}, outcome="accept", by="wang")
    office.desk.claim(task_of(case.key, "handle").key, by="li")
    return case


@pytest.fixture
def limit(office, handled):
    clock = tables.clock.c
    with office.reading() as conn:
        return conn.execute(select(clock.key).where(clock.case_key == handled.key, clock.rule_id == "lic.close")).scalar_one()


def request_of(office):
    with office.reading() as conn:
        return conn.execute(select(tables.extension_request.c.key).order_by(tables.extension_request.c.key.desc())).scalars().first()


def test_the_handler_asks_and_the_chief_grants_with_the_arithmetic_before_them(sign_in, office, handled, limit):
    li, chen = sign_in("li"), sign_in("chen")
    address = f"/case/{handled.key}/clocks/{limit}/extend"
    assert address in li.get(f"/case/{handled.key}").text
    page = li.get(address).text
    assert "负责人" in page and "陈刚" in page and "11月30日" in page
    looked = li.post(address, data={"do": "look", "amount": "5", "reason": "案情复杂"})
    assert looked.status_code == 200 and "12月7日" in looked.text and "案情复杂" in looked.text and request_of(office) is None
    assert li.post(address, data={"do": "ask", "amount": "5", "reason": "案情复杂"}).status_code == 302
    decision = f"/case/{handled.key}/extensions/{request_of(office)}"
    assert decision in chen.get(f"/case/{handled.key}").text and address not in li.get(f"/case/{handled.key}").text
    assert f"{decision}/grant" not in li.get(decision).text and f"{decision}/withdraw" in li.get(decision).text
    assert li.post(f"{decision}/grant", data={"amount": "5"}).status_code == 403
    shown = chen.get(decision).text
    assert "11月30日" in shown and "12月7日" in shown and "案情复杂" in shown
    assert chen.post(f"{decision}/grant", data={"do": "look", "amount": "3"}).text.count("12月3日") >= 1
    assert chen.post(f"{decision}/grant", data={"amount": "3", "words": "酌情"}).status_code == 302
    case_page = chen.get(f"/case/{handled.key}").text
    assert "12月3日" in case_page and decision not in case_page
    assert "酌情" in chen.get(decision).text
    assert chen.post(f"{decision}/grant", data={"amount": "3"}).status_code == 409


@sqlite_only
def test_what_is_refused_comes_back_as_it_was_filled_in(sign_in, office, handled, limit):
    li = sign_in("li")
    address = f"/case/{handled.key}/clocks/{limit}/extend"
    for amount in ("99", "0", "viel", ""):
        answer = li.post(address, data={"do": "ask", "amount": amount, "reason": "案情很复杂"})
        assert answer.status_code == 422 and "案情很复杂" in answer.text, amount
    assert request_of(office) is None
    assert sign_in("du").get(address).status_code == 403
    assert sign_in("zhou").get(address).status_code == 404


@sqlite_only
def test_a_refusal_without_words_is_asked_for_them(sign_in, office, handled, limit):
    li, chen = sign_in("li"), sign_in("chen")
    li.post(f"/case/{handled.key}/clocks/{limit}/extend", data={"do": "ask", "amount": "5", "reason": "案情复杂"})
    decision = f"/case/{handled.key}/extensions/{request_of(office)}"
    assert chen.post(f"{decision}/refuse", data={"amount": "5", "words": ""}).status_code == 422
    assert chen.post(f"{decision}/refuse", data={"amount": "5", "words": "理由不足"}).status_code == 302
    assert "理由不足" in li.get(decision).text


@sqlite_only
def test_an_overdue_limit_offers_the_reason_and_neither_pause_nor_extension(sign_in, office, handled, limit, clock):
    clock.advance(timedelta(days=29))  # the day after the limit
    chen = sign_in("chen")
    page = chen.get(f"/case/{handled.key}").text
    assert f"clocks/{limit}/extend" not in page and f"clocks/{limit}/reason" in page
    assert chen.get(f"/case/{handled.key}/clocks/{limit}/reason").status_code == 200
    assert chen.post(f"/case/{handled.key}/clocks/{limit}/reason", data={"reason": " "}).status_code == 422
    assert chen.post(f"/case/{handled.key}/clocks/{limit}/reason", data={"reason": "等待部门意见"}).status_code == 302
    assert "等待部门意见" in chen.get(f"/case/{handled.key}").text
    answer = chen.post(f"/case/{handled.key}/clocks/pause", data={"clock": str(limit), "kind": "hearing", "reason": "听证"})
    assert answer.status_code == 409
