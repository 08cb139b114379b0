"""Scopes of variables: what is local, what goes out, and what one branch shows the others."""

from __future__ import annotations

from decimal import Decimal

import pytest

from engine import DeploymentRejected, ValidationFailed
from tests.bpmn.builder import both, call, catch, each, mapped, message, noted, process, script, sub, user, xor


def test_what_one_branch_writes_the_other_sees(engine, deploy, do):
    deploy("p", "start -> fork -> a -> join -> end; fork -> b -> s -> join", fork=both(), join=both(), s=script("from_a", "seen"))
    instance = engine.start("p")
    do(instance, "a", from_a=1)
    assert do(instance, "b").variables == {"from_a": 1, "seen": 1}


def test_local_variables_of_a_task_stay_there(engine, deploy, do):
    deploy("p", "start -> a -> s -> end", a=mapped(user(), {"local": "=1"}), s=script("local", "leaked"))
    assert do(engine.start("p"), "a", local=2, other=3).variables == {"other": 3, "leaked": None}


def test_output_mappings_keep_everything_else_in(engine, deploy, do):
    deploy("p", "start -> a -> end", a=mapped(user(), outputs={"answer": "=text", "deep.er": "=text"}))
    assert do(engine.start("p"), "a", text="yes", noise=1).variables == {"answer": "yes", "deep": {"er": "yes"}}


def test_a_path_keeps_what_else_the_context_holds(engine, deploy, do):
    deploy("p", "start -> a -> end", a=mapped(user(), outputs={"case.result": "=text"}))
    assert do(engine.start("p", {"case": {"id": 1}}), "a", text="yes").variables == {"case": {"id": 1, "result": "yes"}}


def test_a_sub_process_with_mappings_is_a_scope_of_its_own(engine, deploy, do):
    inner = mapped(sub("start1 -> b -> end1"), {"local": "=x + 1"}, {"y": "=local"})
    deploy("p", "start -> s -> a -> end", s=inner)
    instance = do(engine.start("p", {"x": 1}), "b", local=10, x=5, z=7)
    assert instance.variables == {"x": 5, "y": 10, "z": 7}


def test_a_called_process_gets_and_gives_everything_by_default(engine, deploy, do):
    deploy(process("p", "start -> c -> a -> end", c=call("q")), process("q", "start -> b -> end"))
    instance = engine.start("p", {"x": 1})
    (child,) = engine.instances("q")
    assert (child.variables, child.parent_key, child.root_key) == ({"x": 1}, instance.key, instance.key)
    do(instance, "b", x=2, y=3)
    assert engine.instance(instance.key).variables == {"x": 2, "y": 3}
    assert engine.instance(child.key).state == "COMPLETED"


def test_a_call_with_mappings_and_no_propagation(engine, deploy, do):
    called = mapped(call("q", all_in=False, all_out=False), {"number": "=x"}, {"answer": "=y"})
    deploy(process("p", "start -> c -> a -> end", c=called), process("q", "start -> b -> end"))
    instance = engine.start("p", {"x": 1, "secret": 2})
    assert engine.instances("q")[0].variables == {"number": 1}
    do(instance, "b", y=3, z=4)
    assert engine.instance(instance.key).variables == {"x": 1, "secret": 2, "answer": 3}


def test_without_outward_propagation_nothing_comes_back(engine, deploy, do):
    deploy(process("p", "start -> c -> a -> end", c=call("q", all_out=False)), process("q", "start -> b -> end"))
    instance = engine.start("p", {"x": 1})
    do(instance, "b", x=3)
    assert engine.instance(instance.key).variables == {"x": 1}


def test_an_unknown_called_process_is_an_incident(engine, deploy):
    deploy("p", "start -> c -> end", c=call("q"))
    (incident,) = engine.incidents(engine.start("p").key)
    assert incident.type == "CALLED_ELEMENT_ERROR" and "“q”" in incident.message


def test_numbers_keep_every_digit_through_the_database(engine, deploy, do):
    deploy("p", "start -> s -> a -> t -> end", s=script("amount / 3", "third"), t=script("third * 3 = amount", "whole"))
    instance = engine.start("p", {"amount": Decimal("0.1"), "big": 2**70, "text": "办结\u2028", "list": [1, 2.5, None, {"a": True}]})
    again = engine.instance(instance.key).variables
    assert again == instance.variables
    assert (again["big"], again["text"], again["list"]) == (2**70, "办结\u2028", [1, 2.5, None, {"a": True}])
    exact = engine.start("p", {"amount": Decimal("123456789.123456789123456789")}).variables
    assert exact["amount"] == Decimal("123456789.123456789123456789")
    assert engine.instances("p")[-1].variables["amount"] == exact["amount"]


def test_the_name_of_a_function_is_nothing_where_no_variable_is_set(engine, deploy):
    deploy("p", "start -> s -> end", s=script("{ n: number, m: [count] }"))
    assert engine.start("p").variables == {"n": None, "m": [None]}
    assert engine.start("p", {"number": 5}).variables["n"] == 5


# --- multi-instance ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one_by_one", [True, False])
def test_results_are_collected_in_the_order_of_the_items(engine, deploy, one_by_one):
    element = each(user(assignee="=who"), "=people", "who", results="votes", result="=vote", one_by_one=one_by_one)
    deploy("p", "start -> a -> b -> end", a=element)
    instance = engine.start("p", {"people": ["li", "wang", "zhao"]})
    open_now = engine.user_tasks(instance.key)
    assert [task.assignee for task in open_now] == (["li"] if one_by_one else ["li", "wang", "zhao"])
    while open_now and open_now[0].element_id == "a":
        done = engine.complete(open_now[-1].key, {"vote": open_now[-1].assignee.upper()})
        open_now = engine.user_tasks(instance.key)
    assert done.variables["votes"] == ["LI", "WANG", "ZHAO"]
    assert set(done.variables) == {"people", "votes"}


def test_an_empty_list_passes_with_an_empty_result(engine, deploy):
    deploy("p", "start -> a -> b -> end", a=each(user(), "=[]", "who", results="votes", result="=vote"))
    instance = engine.start("p")
    assert instance.variables == {"votes": []}
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["b"]


def test_the_completion_condition_sees_all_results_so_far(engine, deploy, history):
    quorum = "count(votes[item = true]) >= 2"
    deploy("p", "start -> a -> b -> end", a=each(user(), "=people", "who", results="votes", result="=vote", until=quorum))
    instance = engine.start("p", {"people": ["a", "b", "c", "d"]})
    for vote, open_after in ((True, 3), (False, 2), (True, 1)):
        task = engine.user_tasks(instance.key)[0]
        engine.complete(task.key, {"vote": vote})
        assert len(engine.user_tasks(instance.key)) == open_after
    (task,) = engine.user_tasks(instance.key)
    assert task.element_id == "b"
    assert engine.instance(instance.key).variables["votes"] == [True, False, True, None]
    assert [state for element, state in history(instance.key) if element == "a"] == ["COMPLETED"] * 3 + ["TERMINATED"]


def test_the_standards_counters_are_there(engine, deploy):
    until = "numberOfCompletedInstances / numberOfInstances >= 0.5 and numberOfActiveInstances = 2"
    deploy("p", "start -> a -> b -> end", a=each(user(), times="=n", until=until))
    instance = engine.start("p", {"n": 4})
    for _ in range(2):
        engine.complete(engine.user_tasks(instance.key)[0].key)
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["b"]


def test_no_list_is_an_incident(engine, deploy):
    deploy("p", "start -> a -> end", a=each(user(), "=people", "who"))
    (incident,) = engine.incidents(engine.start("p", {"people": 5}).key)
    assert incident.type == "MULTI_INSTANCE_ERROR" and "people" in incident.message


def test_a_repeated_sub_process_has_a_scope_per_item(engine, deploy):
    inner = each(sub("start1 -> c -> d -> end1", c=script("item * 10", "local")), "=[1, 2]", "item", results="all", result="=local")
    deploy("p", "start -> s -> end", s=mapped(inner, {"local": "=0"}))
    instance = engine.start("p")
    for task in engine.user_tasks(instance.key):
        instance = engine.complete(task.key)
    assert instance.variables == {"all": [10, 20]}


def test_a_repeated_call(engine, deploy):
    deploy(
        process("p", "start -> c -> end", c=each(call("q", all_out=False), "=[1, 2, 3]", "item", results="all", result="=doubled")),
        process("q", "start -> s -> b -> end", s=script("item * 2", "doubled")),
    )
    instance = engine.start("p")
    for task in engine.user_tasks():
        engine.complete(task.key)
    assert engine.instance(instance.key).state == "COMPLETED"


def test_history_has_the_contents_of_sub_processes(engine, deploy, history, do):
    deploy("p", "start -> s -> end", s=sub("start1 -> t -> end1", t=sub("start2 -> b -> end2")))
    instance = engine.start("p")
    do(instance, "b")
    expected = ["start", "s", "start1", "t", "start2", "b", "end2", "end1", "end"]
    assert history(instance.key) == [(element, "COMPLETED") for element in expected]
    times = {item.element_id: item for item in engine.activities(instance.key)}
    assert times["s"].element_type == "subProcess"


def test_a_decision_of_the_gateway_reads_chinese_names(engine, deploy):
    deploy("p", "start -> g -[申请金额 > 100]-> a -> end; g -[*]-> b -> end", g=xor())
    engine.start("p", {"申请金额": 101})
    engine.start("p", {"申请金额": 100})
    assert [task.element_id for task in engine.user_tasks()] == ["a", "b"]


def test_no_way_on_is_an_incident_that_shows_what_was_seen(engine, deploy):
    deploy("p", "start -> g -[x > 1]-> a -> end; g -[x < 0]-> b -> end", g=xor())
    (incident,) = engine.incidents(engine.start("p", {"x": 1}).key)
    assert incident.type == "CONDITION_ERROR"
    assert "The g" in incident.message and "x = 1" in incident.message and "default" in incident.message


def test_variables_of_one_instance_are_not_anothers(engine, deploy):
    deploy("p", "start -> m -> end", m=catch(message("x")))
    given = {"list": [1]}
    one, two = engine.start("p", given), engine.start("p", given)
    given["list"].append(2)
    assert engine.instance(one.key).variables == engine.instance(two.key).variables == {"list": [1]}


# --- what no variable can hold ---------------------------------------------------------------------------------------------------


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


UNSTORABLE = {
    "an object": object(),
    "bytes": b"x",
    "infinity": float("inf"),
    "not a number": Decimal("NaN"),
    "half a character": "\ud800",
    "half a character as a name": {"\ud800": 1},
    "the character NUL": "a\x00b",
    "five thousand digits": 10**5000,
    "a number beyond all measure": Decimal("1e5000"),
    "a bottomless list": nested(100_000),
    "the snapshot's own mark": {"$decimal": "x"},
}


@pytest.mark.parametrize("what", UNSTORABLE)
def test_what_cannot_be_kept_is_refused_by_name_and_nothing_happens(engine, deploy, what):
    deploy("p", "start -> a -> end")
    instance = engine.start("p")
    (task,) = engine.user_tasks(instance.key)
    for command in (lambda bad: engine.complete(task.key, bad), lambda bad: engine.start("p", bad), lambda bad: engine.publish_message("m", "", bad)):
        with pytest.raises(ValidationFailed) as refused:
            command({"fine": 1, "bad": UNSTORABLE[what]})
        assert list(refused.value.errors) == ["bad"]
    assert engine.instances() == [instance]


def test_a_script_that_makes_what_cannot_be_kept_is_an_incident(engine, deploy):
    deploy("p", "start -> s -> a -> end", s=script('{ "$decimal": 1 }', "bad"))
    (incident,) = engine.incidents(engine.start("p").key)
    assert incident.type == "VALUE_ERROR" and "The s" in incident.message


def test_an_exact_number_in_the_properties_of_a_task(engine, deploy):
    deploy("p", "start -> a -> end", a=noted(user(), share="=1 / 3"))
    (task,) = engine.user_tasks(engine.start("p").key)
    assert task.properties["share"] == pytest.approx(1 / 3)


def test_names_that_are_too_long_are_refused_in_words(engine, deploy):
    deploy(
        process("p", "start -> m -> end", m=catch(message("go", key="=no"))),
        process("q", "start -> a -> end", a=user("长" * 600, assignee="=who")),
        process("r", "start -> a -> end", a=user(groups="=who")),
    )
    for command in (
        lambda: engine.start("p", {"no": 1}, business_key="x" * 256),
        lambda: engine.publish_message("x" * 256),
        lambda: engine.publish_message("go", "x" * 256),
        lambda: engine.publish_message("go", message_id="x" * 256),
        lambda: engine.broadcast_signal("x" * 256),
    ):
        with pytest.raises(ValidationFailed, match="255"):
            command()
    found = [engine.incidents(engine.start(id, {"no": "x" * 256, "who": "x" * 256}).key)[0].type for id in ("p", "q", "r")]
    assert found == ["CORRELATION_ERROR", "ASSIGNMENT_ERROR", "ASSIGNMENT_ERROR"]
    engine.start("q", {"who": "li"})
    assert len(engine.user_tasks(assignee="li")[0].name) == 500


def test_an_id_that_is_too_long_is_refused_at_deployment(deploy):
    with pytest.raises(DeploymentRejected) as refused:
        deploy("p", f"start -> {'x' * 256} -> end")
    assert {problem.rule for problem in refused.value.problems if problem.severity == "error"} == {"bpmn.long-id"}
