"""Reading the rules of electronic supervision."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from engine.deadlines.monitoring_rules import KINDS, load_monitoring
from engine.errors import ValidationFailed

SHEET = Path(__file__).resolve().parents[2] / "processes" / "supervision_rules.yaml"


def sheet(*rows: str, top: str = "effective_from: 2026-11-01") -> str:
    return "\n".join([top, "rules:", *(f"  - {{{row}}}" for row in rows)])


GOOD = "id: a, label: 超期, kind: over_limit, cards: [{card: yellow, days: 0}, {card: red, days: 5}]"


def test_the_delivered_rules_watch_every_kind_and_name_their_source():
    found = load_monitoring(SHEET.read_bytes())
    assert {rule.kind for rule in found.rules} == set(KINDS)
    assert all(rule.source and rule.status in ("已核", "待核") for rule in found.rules)
    assert found.appeal_workdays == 5


def test_a_rule_is_read_with_its_cards_in_order():
    (rule,) = load_monitoring(sheet(GOOD)).rules
    assert [(each.card, each.at) for each in rule.cards] == [("yellow", 0), ("red", 5)]
    assert rule.measure == "days" and rule.whom == "handler" and rule.procedures == ()
    assert rule.to_dict()["cards"][1]["at"] == 5


def test_a_rule_may_come_into_force_later_than_its_sheet():
    found = load_monitoring(sheet(GOOD, GOOD.replace("id: a", "id: b") + ", effective_from: 2026-12-01"))
    assert [found.in_force_from(rule) for rule in found.rules] == [date(2026, 11, 1), date(2026, 12, 1)]


def test_only_rules_about_limits_above_a_rule_go_first():
    returns = "id: r, label: 退回, kind: repeated_return, cards: [{card: warning, times: 3}]"
    found = load_monitoring(sheet(GOOD, returns, GOOD.replace("id: a", "id: b")))
    assert [rule.id for rule in found.before(found.rules[2])] == ["a"]


def test_a_refusal_gets_the_worst_card_that_its_length_deserves():
    text = "id: n, label: 无理由, kind: refusal, outcomes: [decline], cards: [{card: warning, shorter_than: 6}, {card: red, shorter_than: 1}]"
    (rule,) = load_monitoring(sheet(text)).rules
    assert [each.card if (each := rule.worst(count)) else None for count in (0, 1, 5, 6)] == ["red", "warning", "warning", None]


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("label: x, kind: over_limit, cards: [{card: red, days: 1}]", "no id"),
        ("id: a, kind: over_limit, cards: [{card: red, days: 1}]", "no label"),
        ("id: a, label: x, kind: moon, cards: [{card: red, days: 1}]", "“kind” must be one of"),
        ("id: a, label: x, kind: over_limit, cards: [{card: blue, days: 1}]", "“card” must be one of"),
        ("id: a, label: x, kind: over_limit, cards: [{card: red, days: -1}]", "from 0 to 250"),
        ("id: a, label: x, kind: over_limit, cards: [{card: red, days: 999}]", "from 0 to 250"),
        ("id: a, label: x, kind: over_limit, cards: [{card: red, times: 1}]", "not a column of a card"),
        ("id: a, label: x, kind: over_limit, cards: []", "must be a list of cards"),
        ("id: a, label: x, kind: over_limit, cards: [{card: red, days: 1}, {card: yellow, days: 2}]", "become worse"),
        ("id: a, label: x, kind: over_limit, cards: [{card: yellow, days: 3}, {card: red, days: 2}]", "need more"),
        ("id: a, label: x, kind: refusal, outcomes: [decline], cards: [{card: yellow, shorter_than: 1}, {card: red, shorter_than: 5}]", "need more"),
        ("id: a, label: x, kind: refusal, cards: [{card: red, shorter_than: 1}]", "“outcomes” may not be left out"),
        ("id: a, label: x, kind: late_acceptance, cards: [{card: red, days: 1}]", "“limits” may not be left out"),
        ("id: a, label: x, kind: unclaimed, outcomes: [decline], cards: [{card: red, days: 1}]", "no meaning for the kind"),
        ("id: a, label: x, kind: unopened, cards: [{card: yellow}, {card: red}]", "has one card"),
        ("id: a, label: x, kind: over_limit, whom: mayor, cards: [{card: red, days: 1}]", "“whom” must be one of"),
        ("id: a, label: x, kind: over_limit, status: maybe, cards: [{card: red, days: 1}]", "“status” must be one of"),
        ("id: a, label: x, kind: over_limit, cards: [{card: red, days: 1, tell: [mayor]}]", "“tell” must be a list of"),
        ("id: a, label: x, kind: over_limit, procedures: one, cards: [{card: red, days: 1}]", "must be a list of texts"),
        ("id: a, label: x, kind: over_limit, effective_from: soon, cards: [{card: red, days: 1}]", "day from which facts count"),
        ("id: a, label: x, kind: over_limit, colour: red, cards: [{card: red, days: 1}]", "“colour” is not a column"),
    ],
)
def test_a_wrong_rule_is_refused_in_words(row, sentence):
    with pytest.raises(ValidationFailed) as refused:
        load_monitoring(sheet(row))
    assert any(sentence in str(message) for messages in refused.value.errors.values() for message in messages), refused.value.errors


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rules: [", "not readable YAML"),
        ("effective_from: 2026-11-01\nrules: {}", "must be a list"),
        (sheet(GOOD, top="appeal_workdays: 5"), "day from which facts count"),
        (sheet(GOOD, top="effective_from: 2026-11-01\nappeal_workdays: 0"), "appeal_workdays"),
        (sheet(GOOD, top="effective_from: 2026-11-01\nmood: good"), "not known here"),
        (sheet(GOOD, GOOD), "stands twice"),
    ],
)
def test_a_wrong_sheet_is_refused_in_words(text, sentence):
    with pytest.raises(ValidationFailed) as refused:
        load_monitoring(text)
    said = [str(refused.value), *(str(message) for messages in refused.value.errors.values() for message in messages)]
    assert any(sentence in each for each in said), said
