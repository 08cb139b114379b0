"""The cost of a step does not grow with what an instance has behind it, nor with what its model might still do.

Counted, not timed: bytes of the snapshot, SQL statements, live tokens, and calls of Python functions (a measure of work that is the
same on every machine).
"""

from __future__ import annotations

import cProfile
import pstats
import threading
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from engine import Engine
from engine.bpmn.execution import Execution
from engine.bpmn.reader import read_bpmn
from engine.bpmn.snapshot import dump, restore
from engine.runtime import catalogue
from engine.store import tables
from tests.bpmn.builder import Process, both, boundary, bpmn, each, message, process, script, some, sub, timer, user, xor
from tests.bpmn.host import Desk
from tests.runtime.conftest import counted

SLACK = 16
"""Bytes that counters may grow by: 10,000 has three digits more than 10; so have the numbers of tokens and of history rows."""

LOOP = process(
    "loop", "start -> a -> s -> g -[n < 20000]-> a; g -[*]-> end; t -> b -> end2; m -> c -> end3",
    s=script("n + 1", "n"), g=xor(), t=boundary("a", timer("P9D")), m=boundary("a", message("stop"), interrupting=False),
)  # fmt: skip


def calls(action: Callable[[], Any]) -> int:
    """How many Python functions ``action`` calls."""
    profile = cProfile.Profile()
    profile.runcall(action)
    return pstats.Stats(profile).total_calls


def spec_of(made: Process) -> Any:
    return read_bpmn(bpmn(made), f"{made.id}.bpmn").processes[made.id]


class Plain(Desk):
    """A host that also lets timers and subscriptions be opened; it keeps none."""

    def open_timer(self, *_: Any) -> None: ...
    def open_subscription(self, *_: Any) -> None: ...
    def close_waits(self, *_: Any) -> None: ...


class Stepping:
    """An instance without a database: every step restores its text, completes the oldest open task, and saves."""

    def __init__(self, made: Process, variables: dict[str, Any]) -> None:
        self.spec, self.desk = spec_of(made), Plain()
        execution = Execution(self.spec, self.desk)
        execution.begin(variables)
        execution.run()
        self.saved, self.ended, self.most = dump(execution), execution.ended, len(execution.tasks)

    def step(self, element: str | None = None) -> None:
        execution = restore(self.spec, self.desk, self.saved)
        token = next(id for id, name in self.desk.open.items() if element in (None, name))
        del self.desk.open[token]
        execution.complete_token(execution.token(token), {})
        execution.run()
        self.saved, self.ended, self.most = dump(execution), execution.ended, max(self.most, len(execution.tasks))


def test_ten_thousand_rounds_of_a_loop_cost_as_much_each():
    loop = Stepping(LOOP, {"n": 0})
    sizes: dict[int, int] = {}
    work: dict[int, int] = {}
    for round_ in range(1, 10_001):
        # The least of a few: the first step of a kind in a process fills caches.
        near = next((place for place in (10, 1_000, 10_000) if place - 5 < round_ <= place), None)
        if near is None:
            loop.step()
        else:
            work[near] = min(work.get(near, 1_000_000), calls(loop.step))
            sizes[near] = len(loop.saved)
    assert sizes[10_000] - sizes[10] <= SLACK
    assert max(work.values()) - min(work.values()) <= 2, work
    assert loop.most <= 4
    assert loop.desk.incidents == [] and loop.desk.done["a"] == 10_000


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_the_statements_and_the_work_of_a_command_do_not_grow_with_its_history(engine: Engine, deploy, clock):
    """As many rows of history as 10,000 rounds leave are put there at once; the tables' indexes must make them free."""
    deploy(LOOP)
    key = engine.start("loop", {"n": 0}).key

    def round_() -> tuple[int, int]:
        (task,) = engine.user_tasks(key)
        # The catalogue looks for other nodes' deployments once a second; not in the middle of this.
        engine.catalogue.find("process", "loop")
        engine.catalogue._until += 60
        with counted(engine) as sql:
            work = calls(lambda: engine.complete(task.key))
        return len(sql.statements), work

    costs = [round_() for _ in range(12)]
    _multiply_history(engine, key, 10_000)
    later = [round_() for _ in range(12)]
    assert {statements for statements, _ in costs[2:]} == {statements for statements, _ in later[2:]}
    early, late = sorted(work for _, work in costs[2:])[5], sorted(work for _, work in later[2:])[5]
    assert late <= early * 1.02, (early, late)


def _multiply_history(engine: Engine, key: int, times: int) -> None:
    """Repeat the ended tasks and activities of ``key``."""
    for table, state in ((tables.activity, "COMPLETED"), (tables.user_task, "COMPLETED")):
        with engine.transaction() as tx:
            statement = select(table).where(table.c.instance_key == key, table.c.state == state).limit(1)
            row = dict(tx.execute(statement).mappings().first())
            tx.execute(table.insert(), [{**row, "key": row["key"] - number} for number in range(1, times + 1)])


# --- large models ---------------------------------------------------------------------------------------------------------------


def test_a_model_of_two_hundred_nodes_has_one_live_token():
    names = [f"t{number}" for number in range(198)]
    chain = Stepping(process("chain", " -> ".join(["start", *names, "end"])), {})
    work, sizes = {}, {}
    for number in range(198):
        work[number], sizes[number] = calls(chain.step), len(chain.saved)
    assert chain.ended and chain.most == 2  # the process itself and the one that waits
    assert max(work[number] for number in range(1, 190)) - min(work[number] for number in range(1, 190)) <= 4
    assert max(sizes.values()) <= 100


def test_what_might_come_is_not_made_before_it_comes():
    """Two hundred nodes of splits in a row: 40 pairs would be 2^40 future paths."""
    flows, own = ["start -> x0"], {}
    for n in range(40):
        kind = (both, some, xor)[n % 3]
        own |= {f"x{n}": kind(), f"y{n}": kind()}
        one, other = ("-[true]->", "-[*]->") if kind is not both else ("->", "->")
        flows += [f"x{n} {one} a{n} -> y{n}", f"x{n} {other} b{n} -> y{n}", f"y{n} -> {f'x{n + 1}' if n < 39 else 'end'}"]
    row = Stepping(process("row", "; ".join(flows), **own), {})
    steps = 0
    while not row.ended:
        row.step()
        steps += 1
    assert row.desk.incidents == [] and steps == 40 + 14
    assert row.most <= 4


def test_nested_sub_processes_keep_one_scope_each():
    inner = sub("start9 -> t9 -> end9")
    for n in range(8, 0, -1):
        inner = sub(f"start{n} -> t{n} -> p{n + 1} -> end{n}", **{f"p{n + 1}": inner})
    nest = Stepping(process("nest", "start -> p1 -> end", p1=inner), {})
    while not nest.ended:
        nest.step()
    assert nest.most == 11 and sum(nest.desk.done[f"t{n}"] for n in range(1, 10)) == 9


# --- multi-instance ----------------------------------------------------------------------------------------------------------------


def many(times: int, one_by_one: bool, inner: Any) -> Process:
    return process("many", "start -> a -> end", a=each(inner, f"=for i in 1..{times} return i", "item", results="all", result="=item * 2",
                                                        one_by_one=one_by_one))  # fmt: skip


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_thousand_items_are_completed_one_by_one_by_people(engine, deploy, one_by_one):
    deploy(many(1_000, one_by_one, user()))
    key = engine.start("many").key
    statements = set()
    open_tasks = [task.key for task in engine.user_tasks(key)]
    assert len(open_tasks) == (1 if one_by_one else 1_000)
    for number in range(1_000):
        engine.catalogue._until += 60
        with counted(engine) as sql:
            instance = engine.complete(open_tasks.pop(), {"note": number})
        if 10 <= number < 990:
            statements.add(len(sql.statements))
        if one_by_one and instance.state == "ACTIVE":
            open_tasks = [task.key for task in engine.user_tasks(key)]
    assert instance.state == "COMPLETED"
    assert instance.variables["all"] == [2 * number for number in range(1, 1_001)]
    assert len(statements) == 1
    assert len([item for item in engine.activities(key) if item.element_id == "a" and item.element_type == "userTask"]) == 1_000


@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_thousand_automatic_items_cost_ten_times_a_hundred(one_by_one):
    work = {}
    for times in (100, 1_000):
        made = many(times, one_by_one, script("item * 2", "r"))
        spec, desk = spec_of(made), Plain()
        execution = Execution(spec, desk)

        def run(execution: Execution = execution) -> None:
            execution.begin({})
            execution.run()
            dump(execution)

        work[times] = calls(run)
        assert execution.ended and len(execution.variables["all"]) == times
        assert desk.done["a"] >= times and desk.incidents == []
    assert work[1_000] <= 10.5 * work[100], work


@pytest.mark.parametrize(("one_by_one", "most"), [(True, 3), (False, 1_002)])
def test_the_live_tokens_of_a_multi_instance_are_those_that_wait(one_by_one, most):
    """One after another holds one; all at once holds each item once and nothing more, and an item that is done is gone."""
    stepping = Stepping(many(1_000, one_by_one, user()), {})
    first = calls(stepping.step)
    for _ in range(498):
        stepping.step()
    half = calls(stepping.step)
    assert stepping.most == most
    alive = len(restore(stepping.spec, stepping.desk, stepping.saved).tasks)
    assert alive == (3 if one_by_one else 502)
    # All at once, a step restores what is alive: it becomes cheaper with every item done, never dearer.
    assert half <= first * 1.1, (first, half)


# --- models ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def parsed(monkeypatch) -> list[str]:
    """The process models parsed so far, in order."""
    seen: list[str] = []
    real = catalogue.LOADERS["process"]

    def loading(content: bytes, file: str, id: str) -> Any:
        seen.append(id)
        return real(content, file, id)

    monkeypatch.setitem(catalogue.LOADERS, "process", loading)
    return seen


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_version_is_parsed_once_however_many_instances_it_has(engine, deploy, parsed):
    deploy("p", "start -> a -> b -> end")
    parsed.clear()
    for _ in range(10):
        key = engine.start("p").key
        while engine.instance(key).state == "ACTIVE":
            engine.complete(engine.user_tasks(key)[0].key)
            engine.catalogue.forget()
    deploy("p", "start -> a -> c -> end")
    versions = len(parsed)
    engine.start("p")
    engine.start("p", version=1)
    assert versions <= 2 and len(parsed) <= 2


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_threads_that_meet_at_a_new_version_parse_it_once(engine, deploy, database_url, clock, parsed):
    deploy("p", "start -> a -> end")
    parsed.clear()
    fresh = Engine(database_url, clock=clock)
    gate = threading.Barrier(8)

    def look() -> None:
        gate.wait()
        fresh.definition("process", "p")

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    fresh.dispose()
    assert parsed == ["p"]
