"""Properties of decision tables and of reading DMN: against a plain oracle, and against files damaged at random."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from engine.dmn import read_dmn
from engine.feel import FeelError, to_json
from tests.dmn.test_graphs import FILES
from tests.dmn.test_tables import decide, table_xml

BOUND = st.integers(-5, 5)
ROW = st.tuples(BOUND, BOUND, st.booleans(), st.booleans(), st.integers(0, 3)).map(lambda row: (min(row[:2]), max(row[:2]), *row[2:]))
ORDER = [3, 1, 0, 2]  # output values in order of priority


def cell(low, high, low_closed, high_closed):
    return f"{'[' if low_closed else '('}{low}..{high}{']' if high_closed else ')'}"


def holds(row, value):
    low, high, low_closed, high_closed, _ = row
    return (low < value or low_closed and low == value) and (value < high or high_closed and value == high)


def oracle(policy, aggregation, outputs):
    """What the standard says of the outputs of the rows that apply (DMN 1.5 §8.2.8); ``...`` is a broken hit policy."""
    if policy in ("UNIQUE", "ANY", "FIRST", "PRIORITY"):
        if not outputs:
            return None
        broken = policy == "UNIQUE" and len(outputs) > 1 or policy == "ANY" and len(set(outputs)) > 1
        return ... if broken else min(outputs, key=ORDER.index) if policy == "PRIORITY" else outputs[0]
    if policy == "OUTPUT ORDER":
        return sorted(outputs, key=ORDER.index)
    if aggregation == "COUNT":
        return len(outputs)
    if aggregation and not outputs:
        return None
    return {"SUM": sum, "MIN": min, "MAX": max}[aggregation](outputs) if aggregation else outputs


@settings(max_examples=150, deadline=None)
@given(
    st.lists(ROW, max_size=8),
    st.integers(-6, 6),
    st.sampled_from(["UNIQUE", "ANY", "FIRST", "PRIORITY", "OUTPUT ORDER", "RULE ORDER", "COLLECT", "SUM", "MIN", "MAX", "COUNT"]),
)
def test_every_hit_policy_agrees_with_a_plain_oracle(rows, value, policy):
    aggregation = policy if policy in ("SUM", "MIN", "MAX", "COUNT") else ""
    policy = "COLLECT" if aggregation else policy
    xml = table_xml(
        [(cell(*row[:4]), str(row[4])) for row in rows],
        policy=policy,
        outputs=(("结果", "number", ", ".join(map(str, ORDER))),),
        aggregation=f' aggregation="{aggregation}"' if aggregation else "",
    )
    result = decide(xml, 金额=value)
    expected = oracle(policy, aggregation, [row[4] for row in rows if holds(row, value)])
    assert (result.failure is not None) == (expected is ...)
    assert to_json(result.value) == (None if expected is ... else expected)
    if policy in ("COLLECT", "RULE ORDER"):
        assert result.rules[0]["rule_indexes"] == [index for index, row in enumerate(rows, 1) if holds(row, value)]


TEXTS = ["", "-", "not(", "? in [1..", "{a:", "function(x) x", "null", "1e999", '@"x"', "for i in 1..1e9 return i", "[[", "金额＞1"]


def damage(data: bytes, dice: random.Random) -> bytes:
    """A file with one to four of its elements removed, moved, renamed, doubled or rewritten."""
    root = etree.fromstring(data)
    for _ in range(dice.randint(1, 4)):
        elements = list(root.iter())[1:]
        if not elements:
            break
        one, other = dice.choice(elements), dice.choice(elements)
        what = dice.randrange(6)
        if what == 0:
            one.getparent().remove(one)
        elif what == 1 and one.attrib:
            one.set(dice.choice(list(one.attrib)), dice.choice(["", "#", "list<", "x:y#z", other.get("id") or "q", "#" + (other.get("id") or "")]))
        elif what == 2:
            one.text = dice.choice(TEXTS)
        elif what == 3:
            one.getparent().append(etree.fromstring(etree.tostring(one)))
        elif what == 4:
            one.tag = other.tag
        elif other not in one.iter():
            other.append(one)
    return etree.tostring(root)


@settings(max_examples=250, deadline=None)
@given(st.integers(0, 2**32))
def test_a_damaged_file_gives_problems_or_values_and_never_another_error(seed):
    dice = random.Random(seed)
    data = dice.choice([*FILES.values(), table_xml([("&lt; 1", '"a"'), ("[1..5)", '"b"'), ("-", '"c"')], policy="FIRST", default='"d"')])
    model, problems = read_dmn(damage(data, dice), "x.dmn")
    assert all(problem.file == "x.dmn" and problem.message for problem in problems)
    for decision in model.decisions.values() if model else ():
        try:
            decision.evaluate({"金额": 1, "n": 1})
        except FeelError as error:
            assert error.position is not None
