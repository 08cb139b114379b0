"""The control-flow patterns of the Workflow Patterns Initiative (http://www.workflowpatterns.com), as BPMN expresses them."""

from __future__ import annotations

from tests.bpmn.builder import (
    ad_hoc,
    again,
    both,
    boundary,
    call,
    cancel,
    catch,
    complex_,
    conditional,
    counted,
    each,
    end,
    error,
    first,
    message,
    on,
    process,
    script,
    signal,
    some,
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


def test_wcp01_sequence():
    assert Stage.of("p", "start -> a -> b -> c -> end", a=script("{}"), b=script("{}"), c=script("{}")).start().order("a", "b", "c") == [
        "a",
        "b",
        "c",
    ]


def test_wcp02_and_03_split_and_synchronisation():
    for fork in ({"f": both()}, {"f": script("{}")}):
        stage = Stage.of("p", "start -> f; f -> a -> j; f -> b -> j; j -> c -> end", j=both(), **fork).start()
        stage.do("b")
        assert stage.open == ["a"]
        assert stage.do("a").open == ["c"]


def test_wcp04_and_05_choice_and_simple_merge():
    for merge in ({"m": xor()}, {"m": script("{}")}):
        stage = Stage.of("p", "start -> x -[n = 1]-> a -> m; x -[*]-> b -> m; m -> c -> end", x=xor(), **merge)
        assert stage.start(n=2).do("b").open == ["c"]


def test_wcp06_and_07_multi_choice_and_synchronising_merge():
    for split in (some(), complex_()):
        stage = Stage.of("p", "start -> f -[a]-> ta -> j; f -[b]-> tb -> j; f -[*]-> td -> j; j -> last -> end", f=split, j=some())
        assert stage.start(a=True, b=True).do("tb").open == ["ta"]
        assert stage.do("ta").open == ["last"]
        assert Stage(stage.specs).start(a=False, b=True).do("tb").open == ["last"]
        assert Stage(stage.specs).start(a=False, b=False).do("td").open == ["last"]


def test_wcp06_by_conditions_on_the_flows_of_an_activity():
    stage = Stage.of("p", "start -> s -[a]-> ta -> e1; s -[b]-> tb -> e2; s -[*]-> td -> e3", s=script("{}"), e1=end(), e2=end(), e3=end())
    assert stage.start(a=True, b=True).open == ["ta", "tb"]
    assert Stage(stage.specs).start(a=False, b=False).open == ["td"]


def test_wcp08_multi_merge():
    stage = Stage.of("p", "start -> f; f -> a -> m; f -> b -> m; m -> c -> end", f=both(), m=xor()).start().do("a").do("b")
    assert stage.open == ["c", "c"]


def test_wcp09_28_30_and_31_discriminators_and_partial_joins():
    for needed in (1, 2):
        stage = Stage.of(
            "p",
            "start -> f; f -> a -> d; f -> b -> d; f -> c -> d; d -> last -> end",
            f=both(),
            d=complex_(f"=activationCount >= {needed}"),
        )
        stage.start().do("c")
        if needed == 2:
            assert "last" not in stage.open
            stage.do("a")
        assert stage.open.count("last") == 1
        stage.do("last")
        for rest in list(stage.open):
            stage.do(rest)
        assert stage.ended and stage.times("last") == 1


def test_wcp29_and_32_cancelling_discriminator_and_partial_join():
    inner = sub(
        "s -> f; f -> a -> d; f -> b -> d; f -> c -> d; d -> stop",
        s=start(),
        f=both(),
        d=complex_("=activationCount >= 2"),
        stop=end(terminate()),
        a=user(),
        b=user(),
        c=user(),
    )
    stage = Stage.of("p", "start -> x -> last -> end", x=inner).start().do("c").do("b")
    assert stage.open == ["last"] and stage.killed == ["a"]


def test_wcp10_arbitrary_cycles_with_two_ways_in_and_out():
    stage = Stage.of(
        "p", "start -> x -[n = 0]-> m1 -> a -> y; x -[*]-> m2 -> b -> z; y -[n < 2]-> m2; y -[*]-> e1; z -[n < 4]-> m1; z -[*]-> e2",
        x=xor(), y=xor(), z=xor(), m1=xor(), m2=xor(), e1=end(), e2=end(), a=script("{n: n + 1}"), b=script("{n: n + 1}"),
    ).start(n=0)  # fmt: skip
    assert stage.ended and (stage.times("a"), stage.times("b"), stage.times("e1"), stage.times("e2")) == (2, 1, 1, 0)


def test_wcp11_implicit_termination():
    stage = Stage.of("p", "start -> f; f -> a -> e1; f -> b -> e2", f=both(), e1=end(), e2=end()).start().do("a")
    assert not stage.ended and stage.do("b").ended


def test_wcp12_instances_without_synchronisation():
    stage = Stage.of(
        "p", "start -> m -> c -> x -[n < 3]-> m; x -[*]-> end; c -> a -> end2", m=xor(), x=xor(), c=script("{n: n + 1}")
    ).start(n=0)
    assert stage.times("end") == 1 and stage.open == ["a", "a", "a"] and not stage.ended


def test_wcp13_14_21_and_22_instances_loops_and_recursion():
    assert Stage.of("p", "start -> a -> end", a=each(script("{}"), times="=3")).start().times("a") == 3
    assert Stage.of("p", "start -> a -> end", a=each(script("{}"), times="=n")).start(n=4).times("a") == 4
    assert Stage.of("p", "start -> a -> end", a=again(script("{n: n + 1}"), "=n < 3", before=True)).start(n=0).times("a") == 3
    stage = Stage.of(
        process("p", "start -> x -[n > 0]-> k -> j; x -[*]-> j; j -> s -> end", x=xor(), j=xor(), k=call("p"), s=script("{n: n - 1}"))
    ).start(n=0)
    assert stage.ended
    made = process("p", "start -> s -> x -[n > 0]-> k -> end; x -[*]-> end2", s=script("{n: n - 1}"), x=xor(), k=call("p"))
    stage = Stage.of(made).start(n=5)
    assert stage.ended and len(stage.actors) == 5 and stage.variables["n"] == 0


def test_wcp16_deferred_choice():
    stage = Stage.of("p", "start -> g; g -> m -> a -> e1; g -> s -> b -> e2; g -> t -> c -> e3", g=first(), m=catch(message("M")), s=catch(signal("S")),
                     t=catch(timer("PT1H")), e1=end(), e2=end(), e3=end())  # fmt: skip
    assert stage.start().signal("S").message("M").open == ["b"] and stage.waits == []
    assert Stage(stage.specs).start().fire("t").open == ["c"]


def test_wcp17_39_and_40_interleaved_routing():
    stage = Stage.of("p", "start -> x -> end", x=ad_hoc("a; b; c", one_by_one=True)).start()
    seen = []
    while stage.open:
        assert len(stage.open) == 1
        seen += stage.open
        stage.do(stage.open[0])
    assert stage.ended and sorted(seen) == ["a", "b", "c"]


def test_wcp18_milestone():
    stage = Stage.of(
        "p", "start -> f; f -> a -> b -> c -> end; f -> m -> d -> end2", f=both(), m=catch(conditional('=state = "b"')), a=user(), b=user(), c=user()
    ).start(state="a")  # fmt: skip
    assert "d" not in stage.do("a", state="x").open
    assert "d" in stage.do("b", state="b").open


def test_wcp19_20_and_25_cancelling_a_task_a_case_and_a_region():
    stage = Stage.of("p", "start -> a -> end; x -> b -> end2", a=user(), x=boundary("a", signal("stop"))).start().signal("stop")
    assert stage.open == ["b"] and stage.killed == ["a"]
    stage = (
        Stage.of("p", "start -> f; f -> a -> end; f -> s -> stop", f=both(), s=catch(signal("stop")), stop=end(terminate()))
        .start()
        .signal("stop")
    )
    assert stage.ended and stage.killed == ["a"]
    region = sub("s -> f; f -> a -> e; f -> b -> e", s=start(), f=both(), e=end(), a=user(), b=user())
    stage = (
        Stage.of("p", "start -> g; g -> x -> end; g -> c -> end3; y -> d -> end2", g=both(), x=region, y=boundary("x", message("stop")))
        .start()
        .message("stop")
    )
    assert stage.open == ["c", "d"] and sorted(stage.killed) == ["a", "b", "x"]


def test_wcp20_cancelling_by_a_transaction():
    body = transaction("s -> f; f -> a -> e; f -> b -> stop", s=start(), f=both(), e=end(), stop=end(cancel()), a=user(), b=user())
    stage = Stage.of("p", "start -> t -> end; c -> end2", t=body, c=boundary("t", cancel())).start().do("b")
    assert stage.ended and "a" in stage.killed


def test_wcp23_and_24_transient_and_persistent_triggers():
    stage = Stage.of("p", "start -> a -> s -> b -> end", s=catch(signal("S"))).start().signal("S").do("a")
    assert stage.open == [] and stage.signal("S").open == ["b"]


def test_wcp26_27_34_35_and_36_completing_and_cancelling_instances():
    stage = (
        Stage.of("p", "start -> a -> end; x -> b -> end2", a=each(user(), times="=3"), x=boundary("a", error("E")))
        .start()
        .do("a")
        .fail("a", "E")
    )
    assert stage.open == ["b"]
    stage = Stage.of("p", "start -> a -> b -> end", a=each(user(), times="=4", until="=numberOfCompletedInstances >= needed")).start(
        needed=2
    )
    assert stage.do("a").do("a").open == ["b"] and stage.killed.count("a") == 2
    # The number needed may change while the instances run.
    stage = Stage(stage.specs).start(needed=4).do("a").do("a").set(needed=3).do("a")
    assert stage.open == ["b"]


def test_wcp33_generalised_and_join_counts_tokens_by_flow():
    stage = Stage.of(
        "p", "start -> f; f -> a -> m; f -> b -> m; m -> j; f -> c -> n; f -> d -> n; n -> j; j -> e -> end", f=both(), m=xor(), n=xor(), j=both(),
        **{name: user() for name in "abcde"},
    ).start()  # fmt: skip
    stage.do("a").do("b")
    assert "e" not in stage.open
    stage.do("c")
    assert stage.open.count("e") == 1
    assert stage.do("d").open.count("e") == 2
    assert stage.do("e").do("e").ended


def test_wcp37_and_38_local_and_general_synchronising_merge():
    stage = Stage.of(
        "p", "start -> f -[a]-> ta -> x -[back]-> m; m -> tx -> j; x -[*]-> j; f -[b]-> tb -> j; j -> last -> end", f=some(), x=xor(), m=xor(), j=some()
    ).start(a=True, b=True, back=True)  # fmt: skip
    stage.do("tb").do("ta")
    assert stage.open == ["tx"]
    assert stage.do("tx").open == ["last"]


def test_wcp41_and_42_thread_merge_and_split():
    stage = Stage.of("p", "start -> s -> a -> m -> end", s=counted(script("{}"), sends=3), a=user(), m=counted(user(), needs=3)).start()
    assert stage.open == ["a"] * 3
    assert stage.do("a").do("a").open == ["a"]
    assert stage.do("a").open == ["m"]
    assert stage.do("m").ended


def test_wcp43_explicit_termination():
    stage = (
        Stage.of("p", "start -> f; f -> a -> end; f -> b -> stop; f -> w -> end3", f=both(), w=catch(timer("PT1H")), stop=end(terminate()))
        .start()
        .do("b")
    )
    assert stage.ended and sorted(stage.killed) == ["a", "w"]


def test_a_signal_may_be_thrown_and_caught_in_the_same_instance():
    stage = Stage.of(
        "p", "start -> f; f -> c -> a -> e1; f -> t -> e2", f=both(), c=catch(signal("S")), t=throw(signal("S")), e1=end(), e2=end()
    ).start()
    assert stage.open == ["a"]


def test_conditions_on_the_flows_of_a_parallel_gateway_are_not_asked():
    stage = Stage.of("p", "start -> f -[a]-> ta -> e1; f -[b]-> tb -> e2", f=both(), e1=end(), e2=end()).start(a=False, b=False)
    assert stage.open == ["ta", "tb"]


def test_a_parallel_split_that_meets_in_an_exclusive_gateway_passes_twice_and_the_other_way_round_gets_stuck():
    assert Stage.of("p", "start -> f; f -> a -> m; f -> b -> m; m -> end", f=both(), m=xor()).start().do("a").do("b").times("end") == 2
    stage = Stage.of("p", "start -> x -[true]-> a -> j; x -[*]-> b -> j; j -> end", x=xor(), j=both()).start().do("a")
    assert stage.open == [] and not stage.ended


def test_an_event_subprocess_of_the_process_cancels_the_case():
    stage = (
        Stage.of("p", "start -> a -> end", es_=on("es -> es_end", es=start(message("withdraw")), es_end=end())).start().message("withdraw")
    )
    assert stage.ended and stage.killed == ["a"]
