"""Operations on one instance: variables, moving, restarting, incidents, suspended definitions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from engine import Engine, InvalidState, NotFound, ValidationFailed
from engine.runtime import catalogue
from engine.store import tables
from tests.bpmn.builder import (
    both,
    boundary,
    call,
    conditional,
    each,
    mapped,
    message,
    on,
    process,
    service,
    signal,
    start,
    sub,
    timer,
    user,
    xor,
)

HOUR = timedelta(hours=1)


def audit(engine, action: str) -> list[dict]:
    table = tables.audit
    with engine.reading() as conn:
        found = conn.execute(select(table).where(table.c.action == action).order_by(table.c.key)).mappings()
        return [{"by": row["by"], "subject": row["subject"], "address": row["address"], **row["details"]} for row in found]


def count(engine, table, *conditions) -> int:
    with engine.reading() as conn:
        return len(conn.execute(select(table).where(*conditions)).all())


def open_elements(engine) -> list[str]:
    return sorted(item.element_id for item in engine.user_tasks())


# --- variables -----------------------------------------------------------------------------------------------------------------


def test_variables_are_corrected_and_the_audit_says_what_they_were(engine, deploy):
    deploy("p", "start -> a -> end")
    one = engine.start("p", {"x": 1, "y": 2})
    after = engine.set_variables(one.key, {"x": 5, "z": [1]}, by="admin", reason="typing error", address="10.0.0.1")
    assert after.variables == engine.instance(one.key).variables == {"x": 5, "y": 2, "z": [1]}
    assert audit(engine, "instance.variables") == [
        {
            "by": "admin", "subject": f"instance:{one.key}", "address": "10.0.0.1", "scope": "", "old": {"x": 1}, "new": {"x": 5, "z": [1]},
            "reason": "typing error",
        }
    ]  # fmt: skip


def test_a_condition_that_becomes_true_by_a_correction_is_noticed(engine, deploy):
    deploy("p", "start -> a -> end; c -> b -> end", c=boundary("a", conditional("=x > 3")))
    one, two = engine.start("p", {"x": 1}), engine.start("p", {"x": 1})
    engine.set_variables(one.key, {"x": 4})
    assert open_elements(engine) == ["a", "b"]
    engine.suspend(two.key)
    engine.set_variables(two.key, {"x": 4})
    assert open_elements(engine) == ["a", "b"]
    engine.resume(two.key)
    assert open_elements(engine) == ["b", "b"]


def test_variables_of_an_inner_scope_are_corrected_there(engine, deploy, do):
    deploy("p", "start -> s -> end", s=mapped(sub("start1 -> a -> end1"), {"x": "=10"}))
    one = engine.start("p", {"x": 1})
    engine.set_variables(one.key, {"x": 11}, scope="s", by="admin")
    assert engine.instance(one.key).variables == {"x": 1}
    assert {token.element_id: token.variables for token in engine.tokens(one.key)}["s"] == {"x": 11}
    with pytest.raises(ValidationFailed) as refused:
        engine.set_variables(one.key, {"x": 1}, scope="elsewhere")
    assert list(refused.value.errors) == ["scope"]


def test_a_scope_that_runs_several_times_is_named_by_its_token(engine, deploy):
    deploy("p", "start -> s -> end; s2 -> end", s=sub("start1 -> a -> end1"), s2=boundary("s", message("m"), interrupting=False))
    one = engine.start("p")
    engine.publish_message("m")
    token = next(token for token in engine.tokens(one.key) if token.element_id == "s")
    engine.set_variables(one.key, {"x": 1}, scope=token.id)
    assert engine.tokens(one.key)[0].variables == {"x": 1}


def test_nothing_or_the_impossible_is_no_variable(engine, deploy, do):
    deploy("p", "start -> a -> end")
    one = engine.start("p")
    for values in ({}, {"x": object()}, {"x": float("nan")}):
        with pytest.raises(ValidationFailed):
            engine.set_variables(one.key, values)
    do(one, "a")
    with pytest.raises(InvalidState):
        engine.set_variables(one.key, {"x": 1})
    with pytest.raises(NotFound):
        engine.set_variables(1, {"x": 1})


# --- moving --------------------------------------------------------------------------------------------------------------------


def test_a_token_is_cancelled_here_and_started_there(engine, deploy, history):
    deploy("p", "start -> a -> b -> c -> end")
    one = engine.start("p")
    engine.move(one.key, cancel=["a"], start=["c"], variables={"x": 1}, by="admin", reason="skipped")
    assert open_elements(engine) == ["c"]
    assert history(one.key)[1:] == [("a", "TERMINATED"), ("c", "ACTIVE")]
    assert engine.instance(one.key).variables == {"x": 1}
    (row,) = audit(engine, "instance.move")
    assert (row["cancelled"], row["started"], row["reason"], row["by"]) == (["a"], ["c"], "skipped", "admin")


def test_a_token_started_in_a_sub_process_that_is_not_running_enters_it(engine, deploy, do, clock):
    deploy(
        "p",
        "start -> a -> s -> b -> end; late -> c -> end",
        s=mapped(sub("start1 -> d -> e -> end1; evented", evented=on("start2 -> f -> end2", start2=start(message("help"), interrupting=False))), {"x": "=1"}),
        late=boundary("s", timer("PT1H")),
    )  # fmt: skip
    one = engine.start("p")
    engine.move(one.key, cancel=["a"], start=["e"])
    assert open_elements(engine) == ["e"]
    assert engine.publish_message("help") == 1
    assert open_elements(engine) == ["e", "f"]
    assert {token.element_id: token.variables for token in engine.tokens(one.key)}["s"] == {"x": 1}
    clock.advance(HOUR)
    assert engine.run_due() == 1
    assert open_elements(engine) == ["c"]
    do(one, "c")
    assert engine.instance(one.key).state == "COMPLETED"


def test_a_second_token_goes_into_the_running_sub_process_and_the_last_one_out_ends_it(engine, deploy, do):
    deploy("p", "start -> s -> b -> end", s=sub("start1 -> d -> e -> end1"))
    one = engine.start("p")
    engine.move(one.key, start=["e"])
    assert open_elements(engine) == ["d", "e"]
    assert [token.element_id for token in engine.tokens(one.key)].count("s") == 1
    engine.move(one.key, cancel=["d"])
    assert open_elements(engine) == ["e"]
    do(one, "e")
    assert open_elements(engine) == ["b"]


def test_a_sub_process_left_empty_ends_with_its_events(engine, deploy):
    deploy("p", "start -> s -> b -> end; m -> end", s=sub("start1 -> d -> end1"), m=boundary("s", message("stop")))
    one = engine.start("p")
    engine.move(one.key, cancel=["d"], start=["b"])
    assert open_elements(engine) == ["b"]
    assert [token.element_id for token in engine.tokens(one.key)] == ["b"]
    assert engine.publish_message("stop") == 0


def test_a_join_is_started_by_letting_come_what_is_still_missing(engine, deploy, do):
    deploy("p", "start -> fork -> a -> join -> c -> end; fork -> b -> join", fork=both(), join=both())
    one = engine.start("p")
    do(one, "a")
    engine.move(one.key, cancel=["b"], start=["join"])
    assert open_elements(engine) == ["c"]
    do(one, "c")
    assert engine.instance(one.key).state == "COMPLETED"


def test_what_cannot_be_started_or_cancelled_is_refused_and_nothing_is_changed(engine, deploy, history):
    deploy(
        "p",
        "start -> a -> m -> end; t -> b -> end; evented",
        t=boundary("a", timer("PT1H")),
        evented=on("start2 -> f -> end2", start2=start(message("help"))),
    )
    one = engine.start("p")
    before = engine.tokens(one.key)
    for cancel, begin, field in (
        ([], ["t"], "start"),
        ([], ["evented"], "start"),
        ([], ["start2"], "start"),
        ([], ["f"], "start"),
        ([], ["nowhere"], "start"),
        ([], ["p"], "start"),
        ([], ["a@999"], "start"),
        (["b"], [], "cancel"),
        (["999"], [], "cancel"),
        (["a"], [], "cancel"),
        ([], [], "start"),
    ):
        with pytest.raises(ValidationFailed) as refused:
            engine.move(one.key, cancel=cancel, start=begin)
        assert list(refused.value.errors) == [field]
    assert engine.tokens(one.key) == before
    assert {target.element_id for target in engine.move_targets(one.key)} == {"start", "a", "m", "b", "end"}
    engine.suspend(one.key)
    with pytest.raises(InvalidState):
        engine.move(one.key, cancel=["a"], start=["b"])


def test_a_repetition_is_not_taken_away_singly(engine, deploy, do):
    deploy("p", "start -> a -> b -> end", a=each(user(), times="2"))
    one = engine.start("p")
    items = [token.id for token in engine.tokens(one.key) if token.scope is not None]
    assert len(items) == 2
    with pytest.raises(ValidationFailed):
        engine.move(one.key, cancel=[items[0]])
    engine.move(one.key, cancel=["a"], start=["b"])
    assert open_elements(engine) == ["b"]


def test_the_jobs_timers_messages_and_incidents_of_a_cancelled_token_are_closed(engine, deploy):
    deploy("p", "start -> a -> b -> end; t -> end; m -> end", a=service("mail"), t=boundary("a", timer("PT1H")), m=boundary("a", message("stop")))
    one = engine.start("p")
    (job,) = engine.activate_jobs("mail", "w")
    engine.fail_job(job.key, 0, "down")
    assert len(engine.incidents()) == 1
    engine.move(one.key, cancel=["a"], start=["b"], by="admin")
    assert engine.incidents() == []
    assert [item.resolved_by for item in engine.incidents(open=None)] == ["admin"]
    assert count(engine, tables.timer) == count(engine, tables.subscription) == 0
    with pytest.raises(InvalidState):
        engine.complete_job(job.key)


def test_a_moved_token_may_end_the_case(engine, deploy):
    deploy("p", "start -> a -> end")
    one = engine.start("p")
    assert engine.move(one.key, cancel=["a"], start=["end"]).state == "COMPLETED"


def test_in_a_repeated_sub_process_the_start_names_the_repetition(engine, deploy, do):
    deploy("p", "start -> s -> b -> end", s=each(sub("start1 -> c -> t -> end1", t=sub("start2 -> d -> end2")), times="2"))
    one = engine.start("p")
    with pytest.raises(ValidationFailed, match="several times"):
        engine.move(one.key, start=["d"])
    first = next(token for token in engine.tokens(one.key) if token.element_id == "c")
    engine.move(one.key, cancel=[first.id], start=[f"d@{first.scope}"])
    assert open_elements(engine) == ["c", "d"]
    with pytest.raises(ValidationFailed):
        engine.move(one.key, start=["d@999"])
    for element in ("d", "c", "d"):
        do(one, element)
    assert open_elements(engine) == ["b"]
    other = engine.start("p")
    engine.move(other.key, cancel=["s"], start=["b"])
    with pytest.raises(ValidationFailed, match="one by one"):
        engine.move(other.key, start=["c"])


# --- restarting ------------------------------------------------------------------------------------------------------------------


def test_an_ended_instance_is_restarted_with_its_last_variables_and_its_version(engine, deploy, do):
    deploy("p", "start -> a -> end")
    one = engine.start("p", {"x": 1}, business_key="k")
    do(one, "a", x=2)
    deploy("p", "start -> b -> end")
    two = engine.restart(one.key, by="admin", reason="again")
    assert (two.version, two.variables, two.business_key, two.state) == (1, {"x": 2}, "k", "ACTIVE")
    assert open_elements(engine) == ["a"]
    assert audit(engine, "instance.restart")[0]["new_instance"] == str(two.key)
    assert audit(engine, "instance.restarted")[0]["old_instance"] == str(one.key)
    with pytest.raises(InvalidState):
        engine.restart(two.key)
    with pytest.raises(NotFound):
        engine.restart(1)


def test_a_restart_begins_at_the_start_event_that_began_the_first(engine, deploy):
    deploy("p", "start -> a -> end; start2 -> b -> end", start2=start(message("go")))
    engine.publish_message("go", variables={"x": 1})
    one = engine.instances()[0]
    engine.cancel(one.key)
    engine.restart(one.key)
    assert open_elements(engine) == ["b"]
    two = engine.start("p")
    engine.cancel(two.key)
    engine.restart(two.key)
    assert open_elements(engine) == ["a", "b"]


def test_a_restart_may_name_its_variables_and_its_elements(engine, deploy, do):
    deploy("p", "start -> a -> s -> end", s=sub("start1 -> b -> c -> end1"))
    one = engine.start("p", {"x": 1})
    engine.cancel(one.key)
    two = engine.restart(one.key, at=["c"], variables={"y": 3})
    assert (two.variables, open_elements(engine)) == ({"y": 3}, ["c"])
    do(two, "c")
    assert engine.instance(two.key).state == "COMPLETED"
    for at in ([], ["nowhere"]):
        with pytest.raises(ValidationFailed):
            engine.restart(one.key, at=at)


# --- incidents -------------------------------------------------------------------------------------------------------------------


def test_a_job_without_retries_gets_new_ones(engine, deploy):
    deploy("p", "start -> j -> a -> end", j=service("mail"))
    engine.start("p")
    (job,) = engine.activate_jobs("mail", "w")
    engine.fail_job(job.key, 0, "server down")
    (incident,) = engine.incidents()
    assert (incident.job_key, incident.process_id, incident.message) == (job.key, "p", "server down")
    assert [place["element_id"] for place in engine.incident(incident.key).details["stack"]] == ["p", "j"]
    with pytest.raises(ValidationFailed):
        engine.retry_incident(incident.key, retries=0)
    resolved = engine.retry_incident(incident.key, retries=2, by="admin", reason="server is up")
    assert (resolved.resolved_by, resolved.resolved_at) == ("admin", engine.clock())
    assert engine.incidents() == [] and engine.incidents(open=False) == [engine.incidents(open=None)[0]]
    (again,) = engine.activate_jobs("mail", "w")
    assert (again.key, again.retries) == (job.key, 2)
    engine.complete_job(job.key)
    assert open_elements(engine) == ["a"]
    with pytest.raises(InvalidState):
        engine.retry_incident(incident.key)
    with pytest.raises(NotFound):
        engine.retry_incident(1)
    assert audit(engine, "incident.retry")[0]["retries"] == 2


def test_an_element_that_failed_runs_again_with_corrected_variables(engine, deploy):
    deploy("p", "start -> g -[x = 1]-> a -> end; g -[x = 2]-> b -> end", g=xor())
    one = engine.start("p", {"x": 0})
    (incident,) = engine.incidents(one.key)
    engine.retry_incident(incident.key, by="admin")
    (second,) = engine.incidents(one.key)
    assert second.key != incident.key
    engine.set_variables(one.key, {"x": 2})
    assert engine.retry_incidents(one.key, by="admin") == 1
    assert engine.incidents() == [] and open_elements(engine) == ["b"]
    assert [item.resolved_by for item in engine.incidents(open=False)] == ["admin", "admin"]
    assert engine.retry_incidents(one.key) == 0


def test_the_stack_of_an_incident_goes_through_the_calls(engine, deploy):
    deploy(
        process("p", "start -> s -> end", s=sub("start1 -> c -> end1", c=call("q"))),
        process("q", "start -> g -[x = 1]-> a -> end", g=xor()),
    )
    one = engine.start("p", {"x": 0})
    (incident,) = engine.incidents()
    stack = engine.incident(incident.key).details["stack"]
    assert [(place["process_id"], place["element_id"]) for place in stack] == [("p", "p"), ("p", "s"), ("p", "c"), ("q", "q"), ("q", "g")]
    assert {place["instance_key"] for place in stack} == {one.key, incident.instance_key}
    assert incident.root_key == one.key


def test_an_element_of_a_suspended_case_is_not_tried_again(engine, deploy):
    deploy("p", "start -> g -[x = 1]-> a -> end", g=xor())
    one = engine.start("p", {"x": 0})
    engine.suspend(one.key)
    with pytest.raises(InvalidState):
        engine.retry_incidents(one.key)
    assert len(engine.incidents()) == 1


def test_cancelling_a_case_closes_its_incidents(engine, deploy):
    deploy("p", "start -> g -[x = 1]-> a -> end", g=xor())
    one = engine.start("p", {"x": 0})
    engine.cancel(one.key, by="chief", reason="withdrawn", address="10.0.0.2")
    assert engine.incidents() == []
    assert audit(engine, "instance.cancel")[0]["address"] == "10.0.0.2"


# --- definitions -----------------------------------------------------------------------------------------------------------------


def test_a_suspended_definition_starts_nothing(engine, deploy, clock):
    deploy(
        process("p", "start -> a -> end"),
        process("m", "start -> b -> end", start=start(message("go"))),
        process("s", "start -> c -> end", start=start(signal("all"))),
        process("t", "start -> d -> end", start=start(timer(cycle="R/PT1H"))),
        process("caller", "start -> e -> end", e=call("p")),
    )
    for id in ("p", "m", "s", "t"):
        assert engine.suspend_definition(id, by="admin", reason="audit") == 1
    with pytest.raises(InvalidState, match="suspended"):
        engine.start("p")
    assert engine.publish_message("go") == 0
    assert engine.broadcast_signal("all") == 0
    clock.advance(3 * HOUR + timedelta(minutes=30))
    assert engine.run_due() == 0
    one = engine.start("caller")
    assert [item.type for item in engine.incidents(one.key)] == ["CALLED_ELEMENT_ERROR"]
    assert open_elements(engine) == []
    for id in ("p", "m", "s", "t"):
        assert engine.resume_definition(id, by="admin") == 1
    assert engine.run_due() == 1, "what was missed is made up for once"
    assert engine.retry_incidents(one.key) == 1
    assert engine.publish_message("go") == engine.broadcast_signal("all") == 1
    assert open_elements(engine) == ["a", "b", "c", "d"]
    clock.advance(timedelta(minutes=30))
    assert engine.run_due() == 1
    with pytest.raises(InvalidState):
        engine.resume_definition("p")
    with pytest.raises(NotFound):
        engine.suspend_definition("p", version=9)


def test_one_version_is_suspended_and_the_other_is_not(engine, deploy):
    deploy("p", "start -> a -> end")
    deploy("p", "start -> b -> end")
    engine.suspend_definition("p", version=1)
    assert engine.start("p").version == 2
    with pytest.raises(InvalidState):
        engine.start("p", version=1)
    engine.suspend_definition("p")
    with pytest.raises(InvalidState):
        engine.start("p")
    assert len(audit(engine, "definition.suspend")) == 2


def test_the_instances_are_held_with_their_definition(engine, deploy):
    deploy(process("p", "start -> c -> end", c=call("q")), process("q", "start -> a -> end"))
    one, two = engine.start("p"), engine.start("q")
    engine.suspend_definition("p", include_instances=True)
    assert {item.root_key: item.state for item in engine.instances("q")} == {one.key: "SUSPENDED", two.key: "ACTIVE"}
    task = next(item for item in engine.user_tasks() if item.root_key == one.key)
    with pytest.raises(InvalidState):
        engine.complete(task.key)
    engine.resume_definition("p", include_instances=True)
    assert {item.state for item in engine.instances()} == {"ACTIVE"}
    engine.complete(task.key)
    assert engine.instance(one.key).state == "COMPLETED"


def test_another_node_notices_that_a_definition_was_suspended(engine, deploy, database_url, clock, monkeypatch):
    monkeypatch.setattr(catalogue, "FRESH_SECONDS", 0.0)
    deploy("p", "start -> a -> end")
    other = Engine(database_url, clock=clock)
    other.start("p")
    engine.suspend_definition("p")
    with pytest.raises(InvalidState):
        other.start("p")
    engine.resume_definition("p")
    assert other.start("p").state == "ACTIVE"
    other.dispose()

