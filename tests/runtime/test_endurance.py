"""Long loops, restarts between any two steps, and the price of a command in SQL statements and bytes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from engine import Engine
from engine.store import tables
from tests.bpmn.builder import both, boundary, bpmn, call, catch, each, message, on, process, script, start, sub, timer, user, xor
from tests.runtime.conftest import counted

LOOP = process("loop", "start -> a -> s -> g -[n < 2000]-> a; g -[*]-> end", s=script("n + 1", "n"), g=xor())


def snapshot(engine: Engine, key: int) -> str:
    with engine.reading() as conn:
        return conn.execute(select(tables.instance.c.snapshot).where(tables.instance.c.key == key)).scalar_one()


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_two_thousand_rounds_cost_as_much_each(engine, deploy):
    deploy(LOOP)
    instance = engine.start("loop", {"n": 0})
    costs, sizes = set(), set()
    for round_ in range(1, 2_001):
        (task,) = engine.user_tasks(instance.key)
        with counted(engine) as sql:
            instance = engine.complete(task.key)
        # The catalogue may look for another node's deployment once a second.
        statements = [text for text in sql.statements if "FROM deployment" not in text]
        if 10 <= round_ < 2_000:
            costs.add(len(statements))
            sizes.add(len(snapshot(engine, instance.key)))
    assert instance.state == "COMPLETED"
    assert len(costs) == 1
    assert max(sizes) - min(sizes) <= 8  # digits of the counters


def test_an_automatic_loop_without_wait_completes(engine, deploy):
    deploy("p", "start -> s -> g -[n < 2000]-> s; g -[*]-> a -> end", s=script("n + 1", "n"), g=xor())
    assert engine.start("p", {"n": 0}).variables == {"n": 2000}


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_an_endless_loop_is_stopped_with_an_incident(engine, deploy, monkeypatch):
    monkeypatch.setattr("engine.bpmn.execution.MAX_STEPS", 500)
    deploy("p", "start -> g -[true]-> s -> g; g -[*]-> end", s=script("1", "n"), g=xor())
    (incident,) = engine.incidents(engine.start("p").key)
    assert incident.type == "ENDLESS_LOOP"


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_process_that_calls_itself_without_end_is_refused(engine, deploy, monkeypatch):
    from engine import InvalidState

    monkeypatch.setattr("engine.runtime.unit.MAX_INSTANCES", 50)
    # A process that calls itself at once is refused at deployment already; two that call each other are only known when they run.
    deploy("q", "start -> c -> end", c=call("p"))
    deploy("p", "start -> c -> end", c=call("q"))
    with pytest.raises(InvalidState, match="call itself"):
        engine.start("p")
    assert engine.instances() == []


# --- the price of a command ----------------------------------------------------------------------------------------------------

CHAIN = " -> ".join(["start", *(f"t{number}" for number in range(10)), "end"])


def test_a_plain_chain_keeps_to_its_budget(engine, deploy, counting):
    """One commit a command; at most six statements to start and seven to complete (the desk's own come on top, see tests/bench)."""
    deploy("chain", CHAIN)
    engine.start("chain")
    with counting() as started:
        instance = engine.start("chain", {"applicant": "li"}, by="wang")
    assert (started.commits, len(started.statements) <= 6) == (1, True), started.statements
    sizes = []
    for _ in range(10):
        (task,) = engine.user_tasks(instance.key)
        with counting() as completed:
            instance = engine.complete(task.key, by="wang")
        assert (completed.commits, len(completed.statements) <= 7) == (1, True), completed.statements
        sizes.append(len(snapshot(engine, instance.key).encode()))
    assert instance.state == "COMPLETED"
    assert max(sizes) <= 200  # the goal is a kilobyte


@pytest.mark.parametrize("command", ["claim", "cancel", "publish", "due"])
def test_every_command_commits_once(engine, deploy, counting, clock, command):
    deploy("p", "start -> a -> end; m -> end; t -> end", m=boundary("a", message("stop")), t=boundary("a", timer("PT1H")))
    instance = engine.start("p")
    (task,) = engine.user_tasks(instance.key)
    with counting() as sql:
        if command == "claim":
            engine.claim(task.key, by="li")
        elif command == "cancel":
            engine.cancel(instance.key, by="li")
        elif command == "publish":
            engine.publish_message("stop")
        else:
            clock.advance(timedelta(hours=1))
            # Looking for what is due happens in transactions of its own, which only read.
            engine.run_due(limit=1)
    assert sql.written == 1
    assert command == "due" or sql.commits == 1


# --- a new engine after every step -------------------------------------------------------------------------------------------------

BIG = [
    process(
        "big",
        "start -> fork -> a -> join -> s -> g -[again]-> a; g -[*]-> c -> many -> end; fork -> s1 -> join; late -> note -> end3",
        fork=both(),
        join=both(),
        s=script("if rounds = null then 1 else rounds + 1", "rounds"),
        g=xor(),
        s1=sub("start1 -> b -> m -> end1", m=catch(message("go", key="=number"))),
        late=boundary("s1", timer("PT1H"), interrupting=False),
        c=call("called"),
        many=each(user(), "=[1, 2]", "item", results="all", result="=item * 2", one_by_one=True),
        hear=on("heard -> d -> end2", heard=start(message("note"), interrupting=False)),
    ),
    process("called", "start -> e -> end"),
]

STEPS = ["b", "due", "note", "d", "a", "note task", "message", "e", "many", "many"]


def drive(engine: Engine, clock, step: str) -> None:
    open_now = {task.element_id: task for task in engine.user_tasks()}
    if step == "message":
        assert engine.publish_message("go", "N7", {"answer": "yes"}) == 1
    elif step == "note":
        assert engine.publish_message("note") == 1
    elif step == "due":
        clock.advance(timedelta(hours=1))
        assert engine.run_due() == 1
    else:
        engine.complete(open_now[step.removesuffix(" task")].key, {step.replace(" ", "_"): True}, by="li")


def story(engine: Engine) -> list:
    return [(item.process_id, item.state, item.variables, item.revision) for item in engine.instances()] + [
        (activity.element_id, activity.state, activity.started_at, activity.ended_at)
        for item in engine.instances()
        for activity in engine.activities(item.key)
    ]


def test_a_new_engine_between_any_two_steps_comes_to_the_same_end(engine, deploy, clock, empty_database_url):
    began = clock()
    deploy(*BIG)
    engine.start("big", {"number": "N7", "again": False})
    for step in STEPS:
        drive(engine, clock, step)
    expected = story(engine)
    assert expected[0][1] == "COMPLETED"

    clock.now = began

    def renewed() -> Engine:
        return Engine(empty_database_url, clock=clock)

    with_new = renewed()
    with_new.migrate()
    with_new.deploy({f"{item.id}.bpmn": bpmn(item) for item in BIG}, by="designer")
    with_new.start("big", {"number": "N7", "again": False})
    for step in STEPS:
        with_new.dispose()
        with_new = renewed()
        drive(with_new, clock, step)
    assert story(with_new) == expected
    with_new.dispose()


LAYOUT_1 = '{"v":1,"n":10,"t":[[1,"process:p",0,32,{"x":{"$decimal":"0.1"}}],[4,"a",1,32,0,0,%d],[9,"join",1,32,0,{"flow":"s_to_join"}]],"d":1}'


def test_a_saved_state_of_layout_1_goes_on(engine, deploy):
    """What this release writes, kept literally: a later release must still resume it."""
    deploy("p", "start -> fork -> a -> join -> b -> end; fork -> s -> join", fork=both(), join=both(), s=sub("start1 -> c -> end1"))
    instance = engine.start("p")
    a, c = engine.user_tasks(instance.key)
    engine.complete(c.key)
    activity = next(item for item in engine.activities(instance.key) if item.element_id == "a")
    table = tables.instance
    with engine.transaction() as tx:
        tx.execute(table.update().where(table.c.key == instance.key).values(snapshot=LAYOUT_1 % activity.key))
    assert engine.complete(a.key).variables == {"x": Decimal("0.1")}
    assert [task.element_id for task in engine.user_tasks(instance.key)] == ["b"]
    assert ("a", "COMPLETED") in [(item.element_id, item.state) for item in engine.activities(instance.key)]


def test_a_state_of_a_newer_release_is_refused_in_words(engine, deploy):
    from engine import InvalidState

    deploy("p", "start -> a -> end")
    instance = engine.start("p")
    table = tables.instance
    with engine.transaction() as tx:
        tx.execute(table.update().where(table.c.key == instance.key).values(snapshot='{"v":9,"n":1,"t":[[1,"process:p"]]}'))
    with pytest.raises(InvalidState, match="newer release"):
        engine.complete(engine.user_tasks(instance.key)[0].key)
