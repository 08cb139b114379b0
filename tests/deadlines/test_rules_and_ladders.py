"""The two sheets in ``processes/`` and what their readers refuse."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from engine.deadlines import Rule, derive, load_ladders, load_rules, next_rung, pause, rule_of, rung_times, start, stop
from engine.deadlines.ladder import order_refusals
from engine.deadlines.sheettext import ladder_bodies, rule_rows, with_ladder, with_rule
from engine.errors import NotFound, ValidationFailed
from tests.deadlines.conftest import PROCESSES


def local(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00").astimezone(UTC)


def test_the_table_holds_the_limits_of_the_domain(rules):
    assert (rules["gk.reply"].limit, rules["gk.reply"].unit, rules["gk.reply"].extension.limit) == (20, "wd", 20)
    assert (rules["cmp.A"].limit, rules["cmp.A"].unit) == (1, "m")
    assert [rules[f"cmp.{grade}"].limit for grade in "BC"] == [15, 5]
    assert (rules["hot.return"].unit, rules["eth.emergency"].unit) == ("ch", "ch")
    assert rules["hnte.publicity"].count_first_day
    assert rules["bad.fix"].limit == rules["bad.fix.simple"].limit == 5
    assert rules["cmp.close"].status == "待核"
    assert rules["cmp.review"].status == "已核"


def test_every_rule_has_a_chinese_label_a_start_and_a_source(rules):
    for rule in rules.values():
        assert all((rule.label, rule.starts_at, rule.source)), rule.id


def test_exactly_the_publicity_rules_count_the_first_day(rules):
    assert {rule.id for rule in rules.values() if rule.count_first_day} == {
        "hnte.publicity", "sme.publicity", "commend.publicity", "inq.reply.instant",
    }  # fmt: skip


def test_every_rule_survives_json(rules):
    for rule in rules.values():
        assert Rule.from_dict(json.loads(json.dumps(rule.to_dict()))) == rule


@pytest.mark.parametrize("limit", ["0", "-3", ".nan", ".inf", "'5'", "true", "2.5", "null"])
def test_a_refused_amount_names_its_row(limit):
    with pytest.raises(ValidationFailed) as refused:
        load_rules(f"rules:\n- {{id: ok, label: 好, limit: 5, unit: wd}}\n- {{id: bad.one, label: 坏, limit: {limit}, unit: wd}}")
    assert list(refused.value.errors) == ["bad.one"]
    assert "bad.one" in str(refused.value)


@pytest.mark.parametrize(
    "row",
    [
        "{label: 甲, limit: 5, unit: wd}",
        "{id: a, limit: 5, unit: wd}",
        "{id: a, label: 甲, limit: 5, unit: weeks}",
        "{id: a, label: 甲, limit: 5, unit: wd, typo: 1}",
        "{id: a, label: 甲, limit: 5, unit: wd, status: 大概}",
        "{id: a, label: 甲, limit: 5, unit: wd, pauses: maybe}",
        "{id: a, label: 甲, limit: 5, unit: wd, extension: {limit: 0, unit: wd}}",
        "{id: a, label: 甲, limit: 5, unit: wd, extension: {limit: 5, unit: wd, max_times: 0}}",
        "{id: a, label: 甲, by: 13-45}",
        "{id: a, label: 甲, by: '01-31', limit: 5, unit: d}",
        "{id: a, label: 甲, limit: 5, unit: wd, also: [a]}",
        "{id: a, label: 甲, limit: 5, unit: [wd]}",
        "just words",
    ],
)
def test_a_bad_row_is_refused_in_words(row):
    with pytest.raises(ValidationFailed) as refused:
        load_rules(f"rules:\n- {row}\n- {{id: a, label: 又, limit: 1, unit: d}}" if "also" in row else f"rules:\n- {row}")
    assert refused.value.errors


@pytest.mark.parametrize("text", ["", "rules: 5", "- a", "rules: [", "{"])
def test_a_sheet_that_is_no_table_is_refused(text):
    with pytest.raises(ValidationFailed):
        load_rules(text)
    with pytest.raises(ValidationFailed):
        load_ladders(text.replace("rules", "ladders"))


def test_an_unknown_rule_is_not_found_in_words(rules):
    assert rule_of(rules, "gk.reply").label == "依申请公开答复"
    with pytest.raises(NotFound, match="no_such"):
        rule_of(rules, "no_such")


# -- ladders -----------------------------------------------------------------------------------------------------------------


def test_the_standard_ladder_climbs_as_the_domain_says(calendar, rules, standard):
    clock = start(rules["gk.reply"], local("2026-11-23T10:00:00"))
    assert [(rung.id, at) for rung, at in rung_times(clock, standard, calendar)] == [
        ("half", local("2026-12-07T08:30:00")),
        ("yellow", local("2026-12-15T08:30:00")),
        ("overdue", local("2026-12-21T17:30:01")),
        ("urge", local("2026-12-22T08:30:00")),
        ("vice_director", local("2026-12-23T08:30:00")),
        ("bulletin", local("2026-12-28T08:30:00")),
        ("director", local("2027-01-05T08:30:00")),
    ]
    assert standard.rung("half").action == "silent"
    assert standard.rung("overdue").escalation_codes == ("overdue",)
    assert "section_chief" in standard.rung("overdue").recipients
    assert standard.rung("bulletin").actions == ("draft_bulletin", "assessment_deduction:1")


def test_every_rung_of_every_rule_has_its_instant_in_order(calendar, rules, standard):
    for rule in rules.values():
        clock = start(rule, local("2026-11-20T16:00:00"))
        times = rung_times(clock, standard, calendar)
        assert {rung.id for rung, _ in times} == {rung.id for rung in standard.rungs}, rule.id
        assert [at for _, at in times] == sorted(at for _, at in times), rule.id
        if rule.direction == "after":
            assert all(at >= clock.started_at for _, at in times), rule.id


def test_the_light_turns_yellow_when_the_yellow_rung_fires(calendar, rules, standard):
    second = timedelta(seconds=1)
    for rule in rules.values():
        clock = start(rule, local("2026-11-20T16:00:00"))
        at = next(at for rung, at in rung_times(clock, standard, calendar) if rung.id == "yellow")
        assert derive(clock, calendar, at).light == "yellow", rule.id
        if at > clock.started_at or rule.direction == "before":
            assert derive(clock, calendar, at - second).light == "green", rule.id


def test_no_rung_is_skipped_when_several_are_late(calendar, rules, standard):
    clock = start(rules["cmp.C"], local("2026-11-02T10:00:00"))
    fired: list[str] = []
    while (step := next_rung(clock, standard, fired, calendar)) is not None:
        fired.append(step[0].id)
    assert fired == [rung.id for rung in standard.rungs]


def test_a_paused_or_ended_clock_has_no_rung_pending(calendar, rules, standard):
    clock = start(rules["gk.reply"], local("2026-11-23T10:00:00"))
    assert rung_times(pause(clock, local("2026-11-24T10:00:00"), "征求第三方意见"), standard, calendar) == []
    assert next_rung(stop(clock, local("2026-11-24T10:00:00")), standard, [], calendar) is None


def test_hour_rules_climb_to_the_second(calendar, rules, standard):
    times = {rung.id: at for rung, at in rung_times(start(rules["hot.return"], local("2026-11-20T10:00:00")), standard, calendar)}
    assert times["half"] == local("2026-11-20T22:00:00")
    assert times["yellow"] == local("2026-11-21T05:12:00")
    assert times["overdue"] == local("2026-11-21T10:00:01")
    assert times["urge"] == local("2026-11-23T08:30:00")


def test_a_rung_day_that_falls_on_a_rest_day_waits_for_the_office_to_open(calendar, standard):
    clock = start(Rule("r", "r", 20, "d"), date(2026, 11, 5))  # half is reached on Sunday 15 November
    assert {rung.id: at for rung, at in rung_times(clock, standard, calendar)}["half"] == local("2026-11-16T08:30:00")


@pytest.mark.parametrize(
    "change",
    [
        "when: {used: 1.5}", "when: soon", "when: {after_due: 0}", "light: pink", "channel: pigeon", "actions: []", "actions: [shout]",
        "actions: ['escalate:']", "recipients: [mayor]", "level: high", "typo: 1", "text: 5",
    ],
)  # fmt: skip
def test_a_bad_rung_is_refused_in_words_that_name_it(change):
    columns = {"id": "one", "when": "due_passed", "level": "1", "light": "red", "recipients": "[handler]", "channel": "log", "actions": "[notify]"}
    key, value = change.split(": ", 1)
    columns[key] = value
    row = ", ".join(f"{name}: {text}" for name, text in columns.items())
    with pytest.raises(ValidationFailed) as refused:
        load_ladders(f"ladders:\n  own:\n    rungs:\n    - {{{row}}}")
    assert list(refused.value.errors) == ["own.one"]


def test_a_ladder_may_warn_by_share_alone():
    ladder = load_ladders(
        "ladders: {own: {rungs: [{id: a, when: {remaining: {share: 0.3}}, level: 1, light: yellow, channel: log, actions: [silent]}]}}"
    )["own"]
    assert ladder.rungs[0].when.share == Decimal("0.3")


# -- versions of a rule, and editing the sheets entry by entry ---------------------------------------------------------------


def test_the_version_of_a_rule_follows_from_the_day_of_receipt():
    table = load_rules(
        "rules:\n"
        "  - {id: a, also: [b], label: x, limit: 5, unit: wd}\n"
        "  - {id: a, also: [b], label: x, limit: 9, unit: wd, effective_from: 2026-03-01}\n"
        "  - {id: c, label: y, limit: 1, unit: d, effective_from: 2026-05-01}\n"
    )
    assert [table.on(id, date(2026, 2, 28)).limit for id in "abc"] == [5, 5, 1]
    assert [table.on(id, date(2026, 3, 1)).limit for id in "ab"] == [9, 9]
    assert table["a"].limit == 9
    assert table.family("b") == ("a", "b")
    assert table.on("d", date(2026, 3, 1)) is None
    assert Rule.from_dict(table["b"].to_dict()) == table["b"]


@pytest.mark.parametrize(
    "rows",
    [
        "  - {id: a, label: x, limit: 5, unit: wd}\n  - {id: a, label: x, limit: 6, unit: wd}\n",
        "  - {id: a, label: x, limit: 5, unit: wd}\n  - {id: b, also: [a], label: x, limit: 6, unit: wd}\n",
        "  - {id: a, label: x, limit: 5, unit: wd, effective_from: soon}\n",
        "  - {id: a, label: x, limit: 99999, unit: wd}\n",
        "  - {id: a, label: x, limit: 5, unit: wd, extension: {limit: 9000, unit: wd}}\n",
    ],
)
def test_a_table_that_contradicts_itself_or_is_absurd_is_refused(rows):
    with pytest.raises(ValidationFailed):
        load_rules("rules:\n" + rows)


@given(
    st.lists(st.dates(date(2020, 1, 1), date(2030, 1, 1)), unique=True, max_size=6), st.booleans(), st.dates(date(2019, 1, 1), date(2031, 1, 1))
)  # fmt: skip
def test_the_version_in_force_is_the_last_that_has_begun(days, from_the_beginning, received):
    rows = [{"id": "a", "label": "x", "limit": number, "unit": "d", "effective_from": day} for number, day in enumerate(days, start=1)]
    if from_the_beginning or not rows:
        rows.append({"id": "a", "label": "x", "limit": 100, "unit": "d"})
    table = load_rules(yaml.safe_dump({"rules": rows}))
    # The slow, obvious way: go through all that has begun, keep the latest; if nothing has, the first of all.
    begun = [row for row in rows if row.get("effective_from") is None or row["effective_from"] <= received]
    latest = max(begun or [min(rows, key=_begin)], key=_begin)
    assert table.on("a", received).limit == latest["limit"]


def _begin(row):
    return row.get("effective_from") or date.min


def test_changing_any_row_of_the_real_table_changes_nothing_else():
    text = (PROCESSES / "deadline_rules.yaml").read_text(encoding="utf-8")
    for row in rule_rows(text):
        changed = with_rule(text, {**row, "note": "改: {一} # 二"}, row)
        assert [each for each in rule_rows(changed) if each["id"] != row["id"]] == [each for each in rule_rows(text) if each["id"] != row["id"]]
        lines = set(changed.splitlines()) ^ set(text.splitlines())
        assert len(lines) == 2
        added = with_rule(text, {**row, "effective_from": date(2027, 1, 1)})
        assert len(added.splitlines()) == len(text.splitlines()) + 1
        assert len(load_rules(added).versions(row["id"])) == 2


@given(st.text(max_size=30), st.text(max_size=30), st.integers(0, 4))
def test_any_text_survives_being_written_into_a_sheet(label, source, at):
    text = "# head\nrules:\n  # first\n" + "".join(f"  - {{id: r{n}, label: x, limit: 1, unit: wd}} # {n}\n\n" for n in range(5)) + "# end\n"
    row = rule_rows(text)[at]
    label = "".join(char for char in label if char.isprintable()) or "x"
    source = "".join(char for char in source if char.isprintable())
    changed = with_rule(text, {**row, "label": label, "source": source}, row)
    found = rule_rows(changed)
    assert (found[at]["label"], found[at].get("source", "")) == (label, source)
    assert changed.count("#") >= 7
    assert [each["id"] for each in found] == ["r0", "r1", "r2", "r3", "r4"]


def test_a_ladder_is_written_in_its_place_or_at_the_end():
    text = (PROCESSES / "ladders.yaml").read_text(encoding="utf-8")
    body = ladder_bodies(text)["standard"]
    changed = with_ladder(text, "standard", {**body, "rungs": body["rungs"][1:]})
    assert load_ladders(changed)["standard"].rungs == load_ladders(text)["standard"].rungs[1:]
    assert changed.startswith(text[: text.index("ladders:")])
    added = with_ladder(text, "quick", {"label": "快", "rungs": body["rungs"][:2]})
    assert load_ladders(added)["standard"] == load_ladders(text)["standard"]
    assert len(load_ladders(added)["quick"].rungs) == 2
    assert added.startswith(text.rstrip("\n"))


def test_a_sheet_on_one_line_is_not_changed_entry_by_entry():
    with pytest.raises(ValidationFailed):
        with_rule("rules: [{id: a, label: x, limit: 1, unit: wd}]", {"id": "b", "label": "y", "limit": 1, "unit": "wd"})


def test_a_rung_about_unclaimed_tasks_fires_some_working_days_after_the_start(calendar, rules):
    row = "{id: taken, when: {unclaimed: 2}, level: 1, light: green, recipients: [section_chief], channel: inbox, actions: [notify], text: x}"
    ladder = load_ladders("ladders: {own: {rungs: [" + row + "]}}")["own"]
    clock = start(rules["gk.reply"], datetime(2026, 9, 30, 2, 0, tzinfo=UTC))
    ((_, at),) = rung_times(clock, ladder, calendar)
    assert calendar.local(at).isoformat() == "2026-10-09T08:30:00+08:00"


def test_rungs_in_the_wrong_place_are_named():
    rung = "{id: %s, when: %s, level: %d, light: red, recipients: [handler], channel: inbox, actions: [urge], text: x}"
    rows = [("a", "{after_due: 5}", 2), ("b", "due_passed", 2), ("c", "{after_due: 5}", 1), ("d", "{after_due: 5}", 1)]
    ladder = load_ladders("ladders: {own: {rungs: [" + ", ".join(rung % row for row in rows) + "]}}")["own"]
    assert {id: len(reasons) for id, reasons in order_refusals(ladder).items()} == {"b": 1, "c": 1, "d": 1}
