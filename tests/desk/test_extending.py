"""More time for a limit, asked for by one person and granted by another, before the limit runs out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.errors import Conflict, InvalidState, NotPermitted, ValidationFailed
from engine.runtime.limits import extending
from engine.runtime.limits.pausing import Paper
from engine.store import tables
from tests.desk import desk_models as models
from tests.desk.desk_models import element, flow, task
from tests.desk.test_two_nodes import together


def clock_of(rows, case, rule):
    return rows(tables.clock, case_key=case.key, rule_id=rule)[-1]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


@pytest.fixture
def handled(desk, in_handling, open_task):
    """A case that Li has in hand."""
    desk.claim(open_task(in_handling.key, "handle").key, by="li")
    return in_handling


@pytest.fixture
def ask(desk, handled, rows):
    def run(amount=5, reason="案情复杂", by="li", **options):
        return extending.ask(desk, handled.key, clock_of(rows, handled, "lic.close")["key"], amount, reason, by=by, **options)

    return run


def test_an_extension_is_asked_for_by_one_and_granted_by_another(desk, handled, ask, rows):
    before = clock_of(rows, handled, "lic.close")["due_at"]
    key = ask(document="周科请〔2026〕3号", paper=Paper("请示.pdf", b"%PDF-1.7"))
    assert clock_of(rows, handled, "lic.close")["due_at"] == before
    assert [row["kind"] for row in rows(tables.notification, login="chen")].count("extension") == 1
    for refused in ("li", "wang"):
        with pytest.raises(NotPermitted):
            extending.grant(desk, key, by=refused)
    extending.grant(desk, key, by="chen")
    assert clock_of(rows, handled, "lic.close")["due_at"] == instant("2026-12-28T17:30")
    (request,) = rows(tables.extension_request)
    assert (request["state"], request["granted"], request["decided_by"], request["only_key"]) == ("GRANTED", "5", "chen", None)
    actions = [row["action"] for row in rows(tables.trail, case_key=handled.key)]
    assert "extend_asked" in actions and "extend" in actions
    assert {"clock.extend_asked", "clock.extend"} <= {row["action"] for row in rows(tables.audit)}
    assert "extension" in {row["kind"] for row in rows(tables.notification, login="li")}
    with pytest.raises(InvalidState):
        extending.grant(desk, key, by="chen")
    with pytest.raises(InvalidState):
        ask()  # the rule allows one


def test_less_may_be_granted_than_was_asked_for_but_not_more(desk, handled, ask, rows):
    key = ask(8)
    for amount in (9, 0, -1, "viel"):
        with pytest.raises(ValidationFailed) as refused:
            extending.grant(desk, key, amount, by="chen")
        assert "amount" in refused.value.errors
    extending.grant(desk, key, 3, "酌情", by="chen")
    assert clock_of(rows, handled, "lic.close")["due_at"] == instant("2026-12-24T17:30")


def test_who_asks_does_not_grant_even_as_the_chief(desk, handled, ask):
    key = ask(by="chen")
    with pytest.raises(NotPermitted):
        extending.grant(desk, key, by="chen")
    extending.grant(desk, key, by="wu")


def test_a_refusal_needs_words_and_a_request_can_be_withdrawn_only_by_its_author(desk, handled, ask, rows):
    key = ask()
    with pytest.raises(ValidationFailed):
        extending.refuse(desk, key, " ", by="chen")
    extending.refuse(desk, key, "理由不足", by="chen")
    second = ask()
    with pytest.raises(NotPermitted):
        extending.withdraw(desk, second, by="chen")
    extending.withdraw(desk, second, by="li")
    assert [row["state"] for row in rows(tables.extension_request)] == ["REFUSED", "WITHDRAWN"]
    assert not clock_of(rows, handled, "lic.close")["ledger"]["extensions"]


def test_one_request_waits_at_a_time(ask):
    ask()
    with pytest.raises(InvalidState):
        ask(by="chen")


def test_two_requests_at_the_same_instant_leave_one(desk, handled, ask, rows):
    outcomes = together(lambda: ask(by="li"), lambda: ask(by="chen"))
    assert sum(isinstance(each, (Conflict, InvalidState)) for each in outcomes) == 1
    assert len(rows(tables.extension_request)) == 1


@pytest.mark.parametrize("amount, reason, field", [(11, "复杂", "amount"), (0, "复杂", "amount"), ("x", "复杂", "amount"), (5, " ", "reason")])
def test_what_the_rule_does_not_allow_is_not_asked_for(ask, rows, amount, reason, field):
    with pytest.raises(ValidationFailed) as refused:
        ask(amount, reason)
    assert field in refused.value.errors and not rows(tables.extension_request)


def test_a_limit_without_extension_and_a_stranger_are_refused(desk, handled, ask, rows):
    with pytest.raises(InvalidState):
        extending.ask(desk, handled.key, clock_of(rows, handled, "lic.handle")["key"], 5, "复杂", by="li")
    with pytest.raises(NotPermitted):
        ask(by="du")


def test_nothing_is_asked_for_or_granted_once_the_limit_is_over(desk, engine, handled, ask, clock, rows):
    key = ask()
    clock.office("2026-12-21 17:31")
    with pytest.raises(InvalidState):
        extending.grant(desk, key, by="chen")
    extending.refuse(desk, key, "已到期", by="chen")
    with pytest.raises(InvalidState):
        ask()
    assert clock_of(rows, handled, "lic.close")["due_at"] == instant("2026-12-21T17:30")


def test_while_the_procedures_own_extension_step_runs_nothing_else_is_asked_for(desk, engine, rows, open_task):
    inner = "".join(
        (
            element("startEvent", "asked"), task("prolong", "延期审批", 'candidateGroups="vice_director"'),
            element("endEvent", "granted", clock__extend="lic.close", clock__extend__by="=3"), flow("asked", "prolong"), flow("prolong", "granted"),
        )
    )  # fmt: skip
    own = element("subProcess", "prolonging", "延期", inner)
    body = "".join(
        (
            element("startEvent", "began", clock__start="lic.close", clock__start__from="=received_at"), own,
            task("handle", "承办", 'candidateGroups="clerk"'), element("endEvent", "ended"),
            flow("began", "prolonging"), flow("prolonging", "handle"), flow("handle", "ended"),
        )
    )  # fmt: skip
    model = f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="m" targetNamespace="urn:test">
  <bpmn:process id="own_way" name="自带延期" isExecutable="true">{body}</bpmn:process></bpmn:definitions>""".encode()
    sheet = "process: own_way\nname: 自带延期\nshort: 自带\ncode: ZD\ntitle: '=subject'\nheader: {applicant: '=applicant_name', county: '=county', section: '=handler_section'}\naccess: {roles: [vice_director]}\nstart: {form: licence_start, roles: [window]}\n"
    engine.deploy({**models.files(), "processes/own_way/own_way.bpmn": model, "processes/own_way/procedure.yaml": sheet.encode()}, by="designer")
    case = desk.start_case("own_way", models.START, by="wang")
    limit = clock_of(rows, case, "lic.close")["key"]
    with pytest.raises(InvalidState, match="own extension step"):
        extending.ask(desk, case.key, limit, 5, "复杂", by="chen")
    desk.complete_task(open_task(case.key, "prolong").key, {}, by="wu")
    (state,) = rows(tables.clock, case_key=case.key)
    assert len(state["ledger"]["extensions"]) == 1
    with pytest.raises(InvalidState):
        extending.ask(desk, case.key, limit, 5, "复杂", by="chen")  # as often as the rule allows


def test_an_expired_limit_is_not_paused_by_hand_and_goes_on_ringing(desk, engine, handled, clock, rows):
    limit = clock_of(rows, handled, "lic.close")
    clock.office("2026-12-22 09:00")
    with pytest.raises(InvalidState, match="ran out"):
        desk.pause_clocks(handled.key, [limit["key"]], "hearing", "听证", by="chen")
    engine.run_due()
    assert clock_of(rows, handled, "lic.close")["state"] == "RUNNING"
    assert rows(tables.rung_firing, clock_key=limit["key"])
