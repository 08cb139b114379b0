"""Multi-instance activities (BPMN 2.0 §10.3.2, §13.3.7; the dialect's ``loopCharacteristics``)."""

from __future__ import annotations

import pytest

from tests.bpmn.builder import (
    ad_hoc,
    both,
    boundary,
    call,
    catch,
    each,
    end,
    error,
    escalation,
    mapped,
    message,
    on,
    process,
    receive,
    script,
    service,
    signal,
    start,
    sub,
    terminate,
    throw,
    timer,
    transaction,
    user,
    xor,
)
from tests.bpmn.stage import Stage

BOTH_WAYS = pytest.mark.parametrize("one_by_one", [True, False])


@BOTH_WAYS
@pytest.mark.parametrize("kind", ["user", "service", "script", "receive", "call", "sub", "transaction", "ad_hoc"])
def test_every_kind_of_activity_runs_once_for_each_item_and_its_results_keep_the_order_of_the_items(kind, one_by_one):
    made = {
        "user": user,
        "service": lambda: service("work"),
        "script": lambda: script("{}"),
        "receive": lambda: receive(message("M")),
        "call": lambda: call("c"),
        "sub": lambda: sub("s -> w -> e", s=start(), e=end(), w=user()),
        "transaction": lambda: transaction("s -> w -> e", s=start(), e=end(), w=user()),
        "ad_hoc": lambda: ad_hoc("w", w=user()),
    }[kind]()
    a = each(made, "=[1, 2, 3]", "item", results="all", result="=item * 10", one_by_one=one_by_one)
    stage = Stage.of(process("p", "start -> a -> end", a=a), process("c", "start -> w -> end")).start("p")
    for _ in range(20):
        if stage.open:
            # Backwards, as far as they are open together.
            actor = next(actor for actor in reversed(stage.actors) if any(row.kind in ("task", "job") for row in actor.rows))
            row = [row for row in actor.rows if row.kind in ("task", "job")][-1]
            actor.rows.remove(row)
            actor.execution.complete_token(actor.execution.token(row.token), {})
            actor.execution.run()
            stage._settle()
        elif stage.waits:
            stage.message("M")
    assert stage.ended and stage.variables == {"all": [10, 20, 30]}
    assert stage.times("a") == 3


@BOTH_WAYS
@pytest.mark.parametrize("items", ["=[]", None])
def test_no_items_means_done_at_once(items, one_by_one):
    a = (
        each(user(), items, "item", results="all", result="=item", one_by_one=one_by_one)
        if items
        else each(user(), times="=0", one_by_one=one_by_one)
    )
    stage = Stage.of("p", "start -> a -> end; x -> end2", a=a, x=boundary("a", timer("PT1H"))).start()
    assert stage.ended and stage.times("end") == 1 and stage.variables.get("all", []) == []


@BOTH_WAYS
def test_the_condition_sees_all_results_and_counters_and_ends_the_rest(one_by_one):
    a = each(
        user(),
        "=[1, 2, 3, 4]",
        "item",
        results="votes",
        result="=vote",
        one_by_one=one_by_one,
        until='=count(votes[item = "yes"]) >= 2 or numberOfCompletedInstances > 3',
    )
    stage = Stage.of("p", "start -> a -> end", a=a).start()
    stage.do("a", vote="yes").do("a", vote="no").do("a", vote="yes")
    assert stage.ended and stage.variables["votes"] == ["yes", "no", "yes", None]
    assert stage.killed.count("a") == (0 if one_by_one else 1)


@pytest.mark.parametrize(
    "attribute", ["numberOfInstances = 3", "numberOfActiveInstances = 2", "numberOfCompletedInstances = 1", "loopCounter = 1"]
)
def test_the_counters_of_the_standard(attribute):
    stage = Stage.of("p", "start -> a -> end", a=each(user(), times="=3", until=f"={attribute}")).start().do("a")
    assert stage.ended


@BOTH_WAYS
def test_an_error_of_one_ends_all(one_by_one):
    stage = Stage.of(
        "p", "start -> a -> end; x -> after -> end2", a=each(user(), times="=3", one_by_one=one_by_one), x=boundary("a", error("E"))
    ).start()
    stage.do("a").fail("a", "E")
    assert stage.open == ["after"] and stage.times("a") == 1


@BOTH_WAYS
def test_an_error_caught_inside_one_leaves_the_others(one_by_one):
    inner = sub("s -> w -> e", s=start(), e=end(), w=user(), es_=on("es -> h -> he", es=start(error("E")), he=end(), h=user()))
    stage = Stage.of(
        "p", "start -> a -> end; x -> after -> end2", a=each(inner, times="=2", one_by_one=one_by_one), x=boundary("a", error("E"))
    ).start()
    stage.fail("w", "E").do("h").do("w")
    assert stage.ended and stage.times("end") == 1 and stage.times("a") == 2


def test_escalations_are_heard_for_each():
    inner = sub("s -> t -> e", s=start(), e=end(), t=throw(escalation("E")))
    stage = Stage.of(
        "p",
        "start -> a -> end; x -> n -> end2",
        a=each(inner, times="=3"),
        n=script("{n: n + 1}"),
        x=boundary("a", escalation("E"), interrupting=False),
    ).start(n=0)
    assert stage.ended and stage.variables["n"] == 3


def test_terminating_one_item_ends_that_item_only():
    inner = sub("s -> x -[item = 1]-> stop; x -[*]-> w -> e", s=start(), x=xor(), e=end(), w=user(), stop=end(terminate()))
    stage = Stage.of("p", "start -> a -> end", a=each(inner, "=[1, 2]", "item")).start()
    assert stage.open == ["w"]
    assert stage.do("w").ended


def behaving(behaviour: str, *parts: str, attribute: str | None = None, times: str = "=3", one_by_one: bool = True):
    """A script task that counts its runs, with event behaviour."""
    made = each(script("{n: n + 1}"), times=times, one_by_one=one_by_one)
    made.marker[0] = made.marker[0].replace(
        "<bpmn:multiInstanceLoopCharacteristics",
        f'<bpmn:multiInstanceLoopCharacteristics behavior="{behaviour}"' + (f" {attribute}" if attribute else ""),
    )
    if parts:
        made.marker[0] = made.marker[0].replace("</bpmn:loopCardinality>\n", "</bpmn:loopCardinality>\n" + "".join(parts))
    return made


def with_signal(flows: str, **elements):
    """The process with a root signal definition that behaviours can name."""
    made = process("p", flows, **elements)
    made.roots["signal_S"] = '<bpmn:signal id="signal_S" name="S"/>\n'
    made.roots["thrown"] = '<bpmn:signalEventDefinition id="thrown" signalRef="signal_S"/>\n'
    return made


@BOTH_WAYS
@pytest.mark.parametrize(
    ("behaviour", "attribute", "heard"),
    [("All", None, 0), ("None", 'noneBehaviorEventRef="thrown"', 3), ("One", 'oneBehaviorEventRef="thrown"', 1)],
)
def test_behaviours_throw_never_each_time_or_the_first_time(behaviour, attribute, heard, one_by_one):
    stage = Stage.of(
        with_signal(
            "start -> a -> end; x -> h -> end2",
            a=behaving(behaviour, attribute=attribute, one_by_one=one_by_one),
            x=boundary("a", signal("S")),
            h=script("{}"),
        )
    ).start(n=0)
    assert stage.ended and (stage.variables["n"], stage.times("h"), stage.times("end")) == (3, heard, 1)


def test_complex_behaviour_throws_where_its_condition_holds():
    part = (
        "<bpmn:complexBehaviorDefinition><bpmn:condition>=numberOfCompletedInstances = 2</bpmn:condition>"
        '<bpmn:event id="be"><bpmn:eventDefinitionRef>thrown</bpmn:eventDefinitionRef></bpmn:event></bpmn:complexBehaviorDefinition>'
    )
    stage = Stage.of(
        with_signal(
            "start -> a -> end; x -> h -> end2",
            a=behaving("Complex", part),
            x=boundary("a", signal("S"), interrupting=False),
            h=script("{}"),
        )
    ).start(n=0)
    assert stage.ended and stage.times("h") == 1 and stage.variables["n"] == 3


def test_a_thrown_behaviour_is_heard_elsewhere_too():
    stage = Stage.of(
        with_signal("start -> f; f -> c -> h -> end3; f -> w -> a -> end", f=both(),
                    a=behaving("One", attribute='oneBehaviorEventRef="thrown"'), c=catch(signal("S")), h=script("{}"))
    ).start(n=0)  # fmt: skip
    stage.do("w")
    assert stage.ended and stage.times("h") == 1 and stage.sent == ["S"]


@BOTH_WAYS
def test_what_cannot_be_repeated_over_is_an_incident_and_the_retry_counts_each_item_once(one_by_one):
    a = each(mapped(script("x", "y"), {"x": "=item.v"}), "=list", "item", results="all", result="=y", one_by_one=one_by_one)
    stage = Stage.of("p", "start -> a -> end", a=a).start(list=None)
    assert stage.incidents == [("a", "MULTI_INSTANCE_ERROR")]
    stage.set(list=[{"v": 1}, {"v": 2}])
    stage.retry("a")
    assert stage.ended and stage.times("a") == 2


def test_a_failing_item_does_not_disturb_the_others():
    stage = Stage.of("p", "start -> a -> end", a=each(script("if item = 2 then fix else {}"), "=[1, 2, 3]", "item")).start(fix=1)
    assert stage.incidents == [("a", "SCRIPT_ERROR")] and stage.times("a") == 2
    stage.set(fix={})
    stage.retry("a")
    assert stage.ended and stage.times("a") == 3


def test_multi_instance_in_multi_instance():
    inner = sub("s -> b -> e", s=start(), e=end(), b=each(user(), "=row", "cell", results="out", result="=cell * 2"))
    stage = Stage.of(
        "p", "start -> a -> end", a=each(mapped(inner, {"out": "=null"}), "=[[1, 2], [3]]", "row", results="table", result="=out")
    ).start()
    stage.do("b").do("b").do("b")
    assert stage.ended and stage.variables == {"table": [[2, 4], [6]]}


def test_a_called_process_that_brings_everything_back_does_not_spoil_the_results():
    a = each(call("c"), "=[1, 2, 3]", "item", results="all", result="=item * 2")
    stage = Stage.of(process("p", "start -> a -> end", a=a), process("c", "start -> w -> end")).start("p")
    stage.do("w").do("w").do("w")
    assert stage.ended and stage.variables["all"] == [2, 4, 6]
