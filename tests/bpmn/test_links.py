"""Link events (BPMN 2.0 §10.5.5): a jump within one level."""

from __future__ import annotations

from engine.bpmn.reader import read_bpmn
from tests.bpmn.builder import both, bpmn, catch, end, link, process, script, start, sub, throw, user, xor
from tests.bpmn.stage import Stage


def test_a_link_leads_on_without_waiting():
    stage = Stage.of("p", "start -> a -> out; into -> b -> end", out=throw(link("L")), into=catch(link("L"))).start().do("a")
    assert stage.open == ["b"] and stage.done[-2:] == ["out", "into"]


def test_several_throws_lead_to_one_catch_once_each():
    stage = Stage.of(
        "p", "start -> f; f -> a -> o1; f -> b -> o2; into -> c -> end", f=both(), o1=throw(link("L")), o2=throw(link("L")), into=catch(link("L"))
    ).start()  # fmt: skip
    stage.do("a").do("b")
    assert stage.open == ["c", "c"]
    assert stage.do("c").do("c").ended and stage.times("end") == 2


def test_a_link_may_lead_back():
    stage = Stage.of(
        "p", "start -> m; into -> m; m -> a -> x -[n < 3]-> out; x -[*]-> end", m=xor(), x=xor(), a=script("{n: n + 1}"), out=throw(link("L")), into=catch(link("L"))
    ).start(n=0)  # fmt: skip
    assert stage.ended and stage.variables["n"] == 3


def test_the_same_name_at_another_level_is_another_link():
    stage = Stage.of(
        "p", "start -> x -> out; into -> a -> end", out=throw(link("L")), into=catch(link("L")),
        x=sub("s -> o2; i2 -> b -> e", s=start(), e=end(), o2=throw(link("L")), i2=catch(link("L")), b=user()),
    ).start()  # fmt: skip
    assert stage.open == ["b"]
    assert stage.do("b").open == ["a"]


def test_a_link_before_a_parallel_join_counts_for_it():
    stage = Stage.of(
        "p", "start -> f; f -> a -> out; into -> j; f -> b -> j; j -> end", f=both(), j=both(), out=throw(link("L")), into=catch(link("L"))
    ).start()  # fmt: skip
    stage.do("a")
    assert not stage.ended
    assert stage.do("b").ended


def test_a_link_that_leads_nowhere_is_refused():
    model = read_bpmn(bpmn(process("p", "start -> out", out=throw(link("L")))), "p.bpmn")
    assert "bpmn.link" in {problem.rule for problem in model.errors}
