"""Ad-hoc sub-processes (BPMN 2.0 §10.3.4, §13.3.5)."""

from __future__ import annotations

import pytest

from tests.bpmn.builder import ad_hoc, boundary, conditional, each, end, error, on, script, signal, start, sub, user
from tests.bpmn.stage import Stage


def test_everything_no_flow_leads_to_begins_together():
    stage = Stage.of("p", "start -> x -> end", x=ad_hoc("a; b; c -> d")).start()
    assert stage.open == ["a", "b", "c"]
    stage.do("c").do("a").do("b")
    assert stage.open == ["d"]
    assert stage.do("d").ended and stage.times("x") == 1


def test_or_one_after_another():
    stage = Stage.of("p", "start -> x -> end", x=ad_hoc("a -> a2; b; c", one_by_one=True)).start()
    for element in ("a", "a2", "b", "c"):
        assert stage.open == [element]
        stage.do(element)
    assert stage.ended


def test_the_condition_ends_it_and_with_it_what_still_runs():
    stage = Stage.of("p", "start -> x -> after -> end", x=ad_hoc("a; b; c", until="=n >= 2")).start(n=0)
    stage.do("a", n=1)
    assert stage.open == ["b", "c"]
    stage.do("b", n=2)
    assert stage.open == ["after"] and stage.killed == ["c"]


def test_or_lets_what_runs_finish_but_begins_nothing_new():
    stage = Stage.of("p", "start -> x -> after -> end", x=ad_hoc("a; b", until="=n >= 1", keep=True)).start(n=0)
    stage.do("a", n=1)
    assert stage.open == ["b"]
    assert stage.do("b").open == ["after"]
    stage = Stage.of("p", "start -> x -> after -> end", x=ad_hoc("a; b", one_by_one=True, until="=n >= 1", keep=True)).start(n=0)
    assert stage.do("a", n=1).open == ["after"]


def test_with_a_condition_it_stays_open_until_that_holds_and_more_may_be_begun():
    stage = Stage.of("p", "start -> x -> after -> end", x=ad_hoc("a; b", until="=ok")).start(ok=False)
    stage.do("a").do("b")
    assert stage.open == [] and not stage.ended
    token = next(token for token in stage.execution.tasks.values() if token.task_spec.bpmn_id == "x")
    token.task_spec.activate(token, ["b"])
    stage.execution.run()
    stage._settle()
    assert stage.open == ["b"]
    assert stage.do("b", ok=True).open == ["after"]


@pytest.mark.parametrize(("active", "begun"), [('=["b"]', ["b"]), ('=["a", "b"]', ["a", "b"]), ("=chosen", ["d"])])
def test_a_collection_says_what_begins(active, begun):
    stage = Stage.of("p", "start -> x -> end", x=ad_hoc("a; b; c -> d", active=active)).start(chosen=["d"])
    assert stage.open == begun


def test_an_empty_collection_means_done_at_once():
    assert Stage.of("p", "start -> x -> end", x=ad_hoc("a; b", active="=[]")).start().ended


def test_a_collection_that_names_what_is_not_there_is_an_incident_that_a_correction_cures():
    stage = Stage.of("p", "start -> x -> end", x=ad_hoc("a; b", active="=chosen")).start(chosen=["z"])
    assert stage.incidents == [("x", "AD_HOC_ERROR")]
    stage.set(chosen=["a"])
    stage.retry("x")
    assert stage.open == ["a"]
    assert stage.do("a").ended and stage.times("x") == 1


def test_events_on_its_border_and_in_it():
    inner = ad_hoc("a; b", es_=on("es -> h -> he", es=start(signal("S"), interrupting=False), he=end(), h=user()))
    stage = Stage.of("p", "start -> x -> end; y -> after -> end2", x=inner, y=boundary("x", conditional("=stop"))).start(stop=False)
    stage.signal("S")
    assert stage.open == ["a", "b", "h"]
    stage.set(stop=True)
    assert stage.open == ["after"]
    stage = Stage.of("p", "start -> x -> end; y -> after -> end2", x=ad_hoc("a; b"), y=boundary("x", error("E"))).start().fail("a", "E")
    assert stage.open == ["after"]


def test_subprocesses_and_repeated_activities_in_it():
    stage = Stage.of(
        "p",
        "start -> x -> end",
        x=ad_hoc("a; m", a=sub("s -> w -> e", s=start(), e=end(), w=user()), m=each(user(), times="=2"), until="=n = 2"),
    ).start(n=0)
    stage.do("m", n=1).do("m")
    assert stage.open == ["w"]
    assert stage.do("w", n=2).ended


def test_a_condition_that_exceeds_its_bounds_is_an_incident_of_the_whole_and_nothing_is_done_again():
    hostile = '=if n = 1 then count(for i in 1..10000000 return matches("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "(a+)+$")) > 0 else n = 2'
    stage = Stage.of("p", "start -> x -> after -> end", x=ad_hoc("a; b", one_by_one=True, until=hostile)).start(n=0)
    stage.do("a", n=1)
    assert [element for element, _ in stage.incidents] == ["x"]
    assert stage.set(n=0).open == ["b"]
    stage.retry("x")
    assert stage.open == ["b"] and stage.incidents == []
    stage.do("b", n=1)
    assert [element for element, _ in stage.incidents] == ["x"]
    stage.set(n=2)
    stage.retry("x")
    assert stage.open == ["after"] and stage.times("a") == stage.times("b") == stage.times("x") == 1


def test_the_condition_is_asked_after_an_element_not_before_the_first():
    stage = Stage.of("p", "start -> x -> end", x=ad_hoc("a; b", a=script("{}"), until="=true")).start()
    assert stage.ended and stage.times("a") == 1


def test_it_runs_once_for_each_item():
    stage = Stage.of("p", "start -> x -> end", x=each(ad_hoc("a; b"), "=[1, 2]", "i")).start()
    assert stage.open == ["a", "a", "b", "b"]
    stage.do("a").do("a").do("b").do("b")
    assert stage.ended
