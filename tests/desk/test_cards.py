"""Electronic supervision: what is found, that each card is issued once, and to whom."""

from __future__ import annotations

import logging

import pytest
from sqlalchemy import update

from engine import Engine
from engine.runtime.supervision import monitoring
from engine.store import tables
from tests.desk import desk_models as models
from tests.desk.conftest import SETTINGS
from tests.desk.test_two_nodes import together

RULES = """
effective_from: 2026-11-01
rules:
  - {id: acceptance, label: 受理超时, kind: late_acceptance, limits: [lic.accept], cards: [{card: yellow, days: 0, tell: [section_chief]}]}
  - id: promised
    label: 超承诺时限
    kind: over_limit
    cards: [{card: yellow, days: 0, tell: [section_chief]}, {card: red, days: 3, tell: [section_chief, vice_director, supervisor]}]
  - {id: step, label: 环节超时, kind: step_overdue, cards: [{card: warning, days: 0}, {card: yellow, days: 2}]}
  - id: no_reason
    label: 未说明理由
    kind: refusal
    outcomes: [decline, return]
    reason_fields: [note]
    cards: [{card: warning, shorter_than: 6}, {card: yellow, shorter_than: 3}, {card: red, shorter_than: 1}]
  - {id: extensions, label: 多次延期, kind: repeated_extension, whom: section_chief, cards: [{card: warning, times: 1}]}
  - {id: month, label: 科室当月延期, kind: repeated_extension, scope: section_month, whom: section, cards: [{card: warning, times: 2}]}
  - {id: returns, label: 多次退回, kind: repeated_return, whom: section, cards: [{card: warning, times: 2}]}
  - {id: unclaimed, label: 无人签收, kind: unclaimed, whom: section_chief, cards: [{card: warning, days: 2}, {card: yellow, days: 4}]}
  - {id: unopened, label: 无人打开, kind: unopened, whom: section_chief, cards: [{card: warning}]}
  - {id: order_late, label: 督办单逾期, kind: order_late, cards: [{card: yellow, days: 0}, {card: red, days: 2}]}
"""


def only(*rules: str, **changes: str) -> dict[str, bytes]:
    """The sheet with some of its rules, as a deployment."""
    import yaml

    sheet = yaml.safe_load(RULES)
    sheet["rules"] = [{**row, **changes} for row in sheet["rules"] if row["id"] in rules]
    return {"supervision_rules.yaml": yaml.safe_dump(sheet, allow_unicode=True).encode()}


@pytest.fixture
def watch(engine):
    """Deploys some of the rules."""

    def deploy(*rules: str, **changes) -> None:
        engine.deploy(only(*rules, **changes), by="designer")

    return deploy


@pytest.fixture
def cards(rows):
    """Rule and degree of every card, oldest first."""
    return lambda: [(row["rule_id"], row["degree"]) for row in rows(tables.card)]


def test_a_limit_of_the_whole_case_brings_yellow_then_red(engine, watch, in_handling, clock, rows, cards):
    watch("promised")
    clock.office("2026-12-21 17:30")
    engine.run_due()
    assert cards() == []
    clock.office("2026-12-21 17:31")
    engine.run_due()
    assert cards() == [("promised", "yellow")]
    clock.office("2026-12-24 08:31")
    engine.run_due()
    engine.run_due()
    assert cards() == [("promised", "yellow"), ("promised", "red")]
    yellow, red = rows(tables.card)
    assert [yellow["number"], red["number"]] == ["周科监〔2026〕1号", "周科监〔2026〕2号"]
    assert yellow["subject"] == red["subject"] and not yellow["late"]
    assert yellow["to_section"] == "gaoxin" and yellow["to_login"] is None  # nobody has taken the task
    assert yellow["appeal_until"].isoformat() == "2026-12-29"
    assert {row["login"] for row in rows(tables.notification, kind="card") if "red" in str(row["params"]) or "2号" in str(row["params"])} >= {"chen", "wu", "du"}
    assert [row["action"] for row in rows(tables.trail, case_key=in_handling.key) if row["action"] == "card"] == ["card", "card"]


def test_a_case_that_is_finished_late_gets_its_card_from_whoever_finished_it(engine, watch, desk, case, open_task, clock, rows, cards):
    watch("acceptance")
    engine.run_due()
    # Nobody looked while the limit ran out and the task was done: the machines stood still.
    clock.office("2026-12-01 10:00")
    desk.complete_task(open_task(case.key, "accept").key, {}, outcome="accept", by="wang")
    engine.run_due()
    (row,) = rows(tables.card)
    assert (row["rule_id"], row["degree"], row["to_login"], row["to_section"], row["late"]) == ("acceptance", "yellow", "wang", "office", True)
    assert row["fell_due_at"].isoformat() == "2026-11-26T09:30:00.000001+00:00" or row["fell_due_at"].day == 26
    assert any("working day(s) late" in fact["msgid"] for fact in row["evidence"]["facts"])


def test_a_step_gets_a_card_only_while_the_whole_is_in_time(engine, watch, in_handling, clock, cards, rows):
    watch("promised", "step")
    clock.office("2026-11-30 17:31")
    engine.run_due()
    assert cards() == [("step", "warning")]
    clock.office("2026-12-02 08:40")
    engine.run_due()
    assert cards() == [("step", "warning"), ("step", "yellow")]


def test_what_was_over_together_with_the_whole_is_one_fact_and_one_rule(engine, watch, in_handling, clock, cards):
    clock.office("2026-12-30 09:00")
    watch("promised")
    engine.run_due()
    assert sorted(cards()) == [("promised", "red"), ("promised", "yellow")]


def test_the_rule_that_stands_first_takes_the_limit(engine, watch, case, clock, cards):
    watch("acceptance", "promised", "step")
    clock.office("2026-12-01 09:00")
    engine.run_due()
    assert cards() == [("acceptance", "yellow")]


def test_a_suspended_case_waits_and_its_card_names_the_moment(engine, watch, in_handling, clock, rows, cards):
    watch("step")
    engine.suspend(in_handling.key, by="admin", reason="核查")
    clock.office("2026-12-01 09:00")
    engine.run_due()
    assert cards() == []
    clock.office("2026-12-01 15:00")
    engine.resume(in_handling.key, by="admin")
    engine.run_due()
    (row,) = rows(tables.card)
    assert row["late"] and row["fell_due_at"].date().isoformat() == "2026-11-30" and row["issued_at"].date().isoformat() == "2026-12-01"


def test_facts_before_the_rule_came_into_force_issue_no_card(engine, watch, in_handling, clock, cards):
    from datetime import date

    watch("step", "promised", effective_from=date(2026, 12, 1))
    clock.office("2026-12-01 09:00")
    engine.run_due()
    assert cards() == []


@pytest.mark.parametrize(
    ("opinion", "note", "degree"),
    [("。。。", None, "red"), ("不行", None, "yellow"), ("材料不全", None, "warning"), ("申请材料第三项缺少公章", None, None), ("见表", "申请人不具备主体资格", None)],
)
def test_a_refusal_without_a_reason_gets_the_card_its_length_deserves(engine, watch, desk, case, open_task, rows, opinion, note, degree):
    watch("no_reason")
    desk.complete_task(open_task(case.key, "accept").key, {"note": note} if note else {}, outcome="decline", opinion=opinion, by="wang")
    engine.run_due()
    found = rows(tables.card)
    assert [row["degree"] for row in found] == ([degree] if degree else [])
    assert all((row["to_login"], row["subject"].partition(":")[0]) == ("wang", "trail") for row in found)


def test_a_task_says_itself_which_outcomes_refuse():
    from engine.deadlines.monitoring_rules import load_monitoring
    from engine.runtime.supervision.findings import refuses

    rule = next(rule for rule in load_monitoring(RULES).rules if rule.id == "no_reason")
    buttons = {"outcomes": "ok=同意;decline=不同意;no=否"}
    assert refuses(rule, buttons, "decline") and not refuses(rule, buttons, "no")
    assert refuses(rule, {**buttons, "monitor.refusal": "no"}, "no") and not refuses(rule, {**buttons, "monitor.refusal": "no"}, "decline")
    assert refuses(rule, {**buttons, "monitor.refusal": "*"}, "ok") and not refuses(rule, {**buttons, "monitor.refusal": ""}, "decline")
    assert not refuses(rule, {"outcomes": "decline=告知"}, "decline")


def test_extensions_are_counted_by_limit_and_by_section_and_month(engine, watch, desk, case, open_task, rows, cards):
    watch("extensions", "month")
    second = desk.start_case("licence", models.START, by="wang")
    for each in (case, second):
        desk.complete_task(open_task(each.key, "accept").key, {}, outcome="accept", by="wang")
        (limit,) = [row for row in rows(tables.clock, case_key=each.key) if row["rule_id"] == "lic.close"]
        desk.extend_clock(limit["key"], 3, "案情复杂", by="wu")
        engine.run_due()
        desk.monitored_until = None
    assert cards() == [("extensions", "warning"), ("extensions", "warning"), ("month", "warning")]
    month = rows(tables.card)[-1]
    assert (month["subject"], month["to_section"], month["to_login"]) == ("section:gaoxin:2026-11", "gaoxin", None)
    assert rows(tables.card)[0]["to_login"] == "chen"


def test_a_case_that_is_sent_back_twice_is_noticed(engine, watch, desk, in_handling, open_task, cards):
    watch("returns")
    for _ in range(2):
        desk.complete_task(open_task(in_handling.key, "handle").key, {}, outcome="submit", by="li")
        engine.run_due()
        desk.monitored_until = None
        assert cards() == []
        desk.complete_task(open_task(in_handling.key, "sign").key, {}, outcome="return", opinion="补充现场核查记录", by="wu")
    engine.run_due()
    assert cards() == [("returns", "warning")]


def test_a_task_nobody_takes_brings_a_card_to_the_chief(engine, watch, in_handling, clock, rows, cards):
    watch("unclaimed")
    clock.office("2026-11-25 17:29")
    engine.run_due()
    assert cards() == []
    clock.office("2026-11-25 17:31")
    engine.run_due()
    (row,) = rows(tables.card)
    assert (row["degree"], row["to_section"], row["to_login"]) == ("warning", "gaoxin", "chen")


def test_a_task_taken_late_while_nobody_looked_is_noticed_and_one_given_back_counts_anew(engine, watch, desk, in_handling, open_task, clock, cards):
    watch("unclaimed")
    engine.run_due()
    task = open_task(in_handling.key, "handle").key
    clock.office("2026-11-24 09:00")
    desk.claim(task, by="li")
    clock.office("2026-11-27 09:00")
    desk.unclaim(task, by="li")
    clock.office("2026-11-30 09:00")
    engine.run_due()
    assert cards() == []
    clock.office("2026-12-02 09:00")
    desk.claim(task, by="zhao")
    engine.run_due()
    assert cards() == [("unclaimed", "warning")]


def test_a_task_nearly_due_that_nobody_opened_is_warned_of_unless_somebody_began(engine, watch, desk, in_handling, open_task, clock, cards):
    watch("unopened")
    clock.office("2026-11-27 08:40")
    desk.save_draft(f"task:{open_task(in_handling.key, 'handle').key}", {"note": "开始"}, by="li")
    engine.run_due()
    assert cards() == []
    desk.discard_draft(f"task:{open_task(in_handling.key, 'handle').key}", by="li")
    clock.office("2026-11-27 08:45")
    engine.run_due()
    assert cards() == [("unopened", "warning")]


def test_an_order_that_is_not_answered_in_time_brings_a_card(engine, watch, desk, in_handling, clock, rows, cards):
    from datetime import date

    from engine.runtime.supervision import orders

    watch("order_late")
    orders.issue(desk, in_handling.key, level="blue", text="请说明进展", due_on=date(2026, 11, 25), to_login="li", by="du")
    clock.office("2026-11-25 17:00")
    engine.run_due()
    assert cards() == []
    clock.office("2026-11-26 09:00")
    orders.answer(desk, rows(tables.supervision_order)[0]["key"], "已约谈", by="li")
    engine.run_due()
    (row,) = rows(tables.card)
    assert (row["degree"], row["to_login"], row["to_section"]) == ("yellow", "li", "gaoxin")
    clock.office("2026-12-01 09:00")
    engine.run_due()
    assert cards() == [("order_late", "yellow")]


def test_an_order_answered_in_time_and_sent_back_brings_none(engine, watch, desk, in_handling, clock, rows, cards):
    from datetime import date

    from engine.runtime.supervision import orders

    watch("order_late")
    orders.issue(desk, in_handling.key, level="blue", text="请说明进展", due_on=date(2026, 11, 25), to_login="li", by="du")
    key = rows(tables.supervision_order)[0]["key"]
    orders.answer(desk, key, "已约谈", by="li")
    orders.send_back(desk, key, "请附记录", by="du")
    clock.office("2026-12-01 09:00")
    engine.run_due()
    assert cards() == []


def test_two_nodes_issue_each_card_once_and_the_numbers_have_no_gap(database_url, engine, watch, desk, clock, rows):
    cases = [desk.start_case("licence", models.START, by="wang") for _ in range(6)]
    watch("acceptance", "promised", "unclaimed")
    other = Engine(database_url, clock=clock, settings=SETTINGS, node="other")
    try:
        clock.office("2026-12-30 09:00")
        answers = together(engine.run_due, other.run_due, engine.run_due, other.run_due)
        assert all(isinstance(answer, int) for answer in answers), answers
        for node in (engine, other):
            node.desk.monitored_until = None
            node.run_due()
    finally:
        other.dispose()
    found = rows(tables.card)
    claims = [(row["rule_id"], row["subject"], row["degree"]) for row in found]
    assert len(claims) == len(set(claims)) and len({row["case_key"] for row in found}) == len(cases)
    assert sorted(row["number"] for row in found) == sorted(f"周科监〔2026〕{serial}号" for serial in range(1, len(found) + 1))


def test_a_node_looks_once_a_minute_and_asks_little_when_nothing_has_changed(engine, watch, in_handling, clock):
    from tests.web.rooms import statements

    watch("acceptance", "promised", "step", "no_reason", "extensions", "month", "returns", "unclaimed", "unopened", "order_late")
    engine.run_due()
    with statements(engine) as sent:
        assert monitoring.run(engine.desk) == 0
    assert sent == []
    clock.office("2026-11-23 09:02")
    with statements(engine) as sent:
        monitoring.run(engine.desk)
    assert len(sent) <= 40, len(sent)


def test_without_rules_supervision_costs_nothing(engine, in_handling, clock):
    from tests.web.rooms import statements

    engine.run_due()
    clock.office("2026-11-23 09:02")
    assert engine.desk.book().monitoring_version == 0  # and the catalogue is fresh
    with statements(engine) as sent:
        assert monitoring.run(engine.desk) == 0
    assert sent == []


def test_a_card_that_cannot_be_issued_is_audited_and_tried_again(engine, watch, in_handling, clock, rows, cards, monkeypatch, caplog):
    watch("step")
    clock.office("2026-12-01 09:00")
    real, tries = monitoring.cards.issue, []

    def failing(*args, **kwargs):
        tries.append(1)
        if len(tries) == 1:
            raise RuntimeError("the printer is out of paper")
        return real(*args, **kwargs)

    monkeypatch.setattr(monitoring.cards, "issue", failing)
    with caplog.at_level(logging.CRITICAL):
        engine.run_due()
    assert cards() == [] and [row["details"]["rule"] for row in rows(tables.audit, action="card.failed")] == ["step"]
    clock.office("2026-12-01 09:02")
    engine.run_due()
    assert cards() == [("step", "warning")]


def test_many_cards_are_issued_in_rounds_and_none_is_lost(engine, watch, desk, clock, rows, monkeypatch):
    for _ in range(5):
        desk.start_case("licence", models.START, by="wang")
    watch("acceptance")
    monkeypatch.setattr(monitoring, "ROUND", 2)
    clock.office("2026-12-01 09:00")
    for expected in (2, 4, 5, 5):
        engine.run_due()
        assert len(rows(tables.card)) == expected


def test_a_card_to_an_applicant_is_not_issued(engine, watch, in_handling, clock, cards):
    watch("step")
    with engine.transaction() as tx:
        tx.execute(update(tables.section).where(tables.section.c.code == "gaoxin").values(kind="external"))
    engine.desk.people.forget()
    clock.office("2026-12-01 09:00")
    engine.run_due()
    assert cards() == []


def test_the_sheet_is_checked_against_what_is_deployed(engine):
    from engine.runtime.examining import examine

    files = only("acceptance", "promised")
    changed = files["supervision_rules.yaml"].replace(b"lic.accept", b"lic.moon")
    _, problems = examine({"supervision_rules.yaml": changed}, engine.catalogue)
    assert [(problem.severity, problem.rule) for problem in problems] == [("warning", "monitoring.unknown")]
    assert "lic.moon" in str(problems[0].message)
    _, problems = examine({"supervision_rules.yaml": b"effective_from: 2026-11-01\nrules: [{id: x}]"}, engine.catalogue)
    assert problems[0].severity == "error"


def test_after_an_outage_only_the_gravest_card_of_a_matter_is_told_and_the_milder_is_on_record(engine, watch, in_handling, clock, rows, cards):
    watch("unclaimed")
    clock.office("2026-12-02 09:00")
    engine.run_due()
    assert cards() == [("unclaimed", "warning"), ("unclaimed", "yellow")]
    warning, yellow = rows(tables.card)
    told = rows(tables.notification, kind="card")
    assert told and all(row["params"]["card"] == yellow["key"] for row in told)
    assert [(row["action"], row["text"]) for row in rows(tables.card_step, card_key=warning["key"])] == [("issue", "无人签收"), ("supersede", yellow["number"])]
    assert [row["action"] for row in rows(tables.card_step, card_key=yellow["key"])] == ["issue"]


def test_a_milder_card_that_another_node_issued_meanwhile_does_not_hold_up_the_graver(engine, watch, in_handling, clock, rows, cards, monkeypatch):
    watch("unclaimed")
    clock.office("2026-11-25 17:31")
    engine.run_due()
    monkeypatch.setattr(monitoring.cards, "exists_already", _late(monitoring.cards.exists_already))
    engine.desk.monitored_until = None
    clock.office("2026-12-02 09:00")
    # The look did not see the warning yet: it is asked to issue both.
    monkeypatch.setattr(monitoring, "_matters", _with_the_warning(monitoring._matters, rows))
    engine.run_due()
    assert cards() == [("unclaimed", "warning"), ("unclaimed", "yellow")]


def _late(real):
    asked = []

    def exists(*args):
        asked.append(args)
        return len(asked) > 2 and real(*args)

    return exists


def _with_the_warning(real, rows):
    from dataclasses import replace

    def matters(found):
        (finding,) = found
        mild = next(each for each in finding.rule.cards if each.card == "warning")
        return real([replace(finding, degree=mild), finding])

    return matters


def test_a_card_about_a_step_that_nobody_can_take_goes_to_the_section_the_case_comes_from(engine, watch, in_handling, clock, rows):
    from engine.store.tables import case_file, user_task

    with engine.transaction() as tx:
        tx.execute(update(case_file).where(case_file.c.key == in_handling.key).values(section_code=None))
        tx.execute(update(user_task).where(user_task.c.root_key == in_handling.key).values(candidate_users=[], candidate_groups=[]))
    watch("unclaimed", whom="section")
    clock.office("2026-11-25 17:31")
    engine.run_due()
    (row,) = rows(tables.card)
    assert row["to_section"] == engine.desk.people.directory().section_of("wang")
