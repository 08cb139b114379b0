"""The engine alone: statements, bytes, the price of a loop's step, and a step against vanilla SpiffWorkflow."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from lxml import etree
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.util.task import TaskState
from sqlalchemy import select

from engine import Engine
from engine.bpmn.execution import Execution
from engine.bpmn.reader import read_bpmn
from engine.bpmn.snapshot import dump, restore
from engine.store import tables
from tests.bench.measuring import interleaved, row, sent_by
from tests.bpmn.builder import bpmn, process, script, xor
from tests.bpmn.host import Desk

CHAIN = " -> ".join(["start", *(f"step_{number}" for number in range(1, 11)), "end"])
VARIABLES = {"applicant": "某某科技有限公司", "amount": 1200, "county": "川汇区"}


def database(folder: Path, name: str) -> Engine:
    engine = Engine(f"sqlite:///{folder / name}.db")
    engine.migrate()
    return engine


def chain(folder: Path) -> None:
    """Statements, commits and snapshot bytes of a chain of ten user tasks."""
    engine = database(folder, "chain")
    engine.deploy({"chain.bpmn": bpmn(process("chain", CHAIN))}, by="bench")
    engine.start("chain", VARIABLES)
    with sent_by(engine) as start:
        instance = engine.start("chain", VARIABLES, by="li")
    sizes, completions = [], []
    while instance.state == "ACTIVE":
        with engine.reading() as conn:
            snapshot = conn.execute(select(tables.instance.c.snapshot).where(tables.instance.c.key == instance.key)).scalar_one()
        sizes.append(len(snapshot.encode()))
        (task,) = engine.user_tasks(instance.key)
        with sent_by(engine) as completion:
            instance = engine.complete(task.key, {"ok": True}, by="li")
        completions.append(completion)
    row("start of a plain chain: statements / commits", f"{len(start.statements)} / {start.commits}", "goal 14 / 1")
    worst = max(completions, key=lambda item: len(item.statements))
    row("completion in a plain chain: statements / commits", f"{len(worst.statements)} / {worst.commits}", "goal 14 / 1")
    row("snapshot of a 10-step chain, largest (first and last step)", f"{max(sizes)} B ({sizes[0]}, {sizes[-1]})", "goal 1,024 B")
    engine.dispose()


def loop(folder: Path, rounds: int = 1_000) -> None:
    """A loop with a user task: what a round costs early and late."""
    engine = database(folder, "loop")
    model = process("loop", "start -> work -> count -> more -[n < 2000]-> work; more -[*]-> end", count=script("n + 1", "n"), more=xor())
    engine.deploy({"loop.bpmn": bpmn(model)}, by="bench")
    instance = engine.start("loop", {"n": 0})
    times, statements, sizes = [], [], []
    for _ in range(rounds + 10):
        (task,) = engine.user_tasks(instance.key)
        with sent_by(engine) as sent:
            began = time.perf_counter()
            engine.complete(task.key)
            times.append((time.perf_counter() - began) * 1000)
        statements.append(len(sent.statements))
        with engine.reading() as conn:
            sizes.append(len(conn.execute(select(tables.instance.c.snapshot).where(tables.instance.c.key == instance.key)).scalar_one()))
    early, late = median(times[5:25]), median(times[-20:])
    row(f"a loop's round, around 10 / around {rounds:,}", f"{early:.2f} / {late:.2f} ms", f"ratio {late / early:.2f}, goal about 1")
    row("  statements and snapshot bytes then", f"{statements[10]} / {statements[-1]}, {sizes[10]} / {sizes[-1]} B")
    engine.dispose()


class Ours:
    """A chain of ten, each step restored from text, completed and saved as text; no database."""

    def __init__(self, data: bytes) -> None:
        self.spec = read_bpmn(data, "chain.bpmn").processes["chain"]

    def fresh(self) -> str:
        execution = Execution(self.spec, Desk())
        execution.begin(dict(VARIABLES))
        execution.run()
        return dump(execution)

    def step(self, saved: str) -> str:
        execution = restore(self.spec, Desk(), saved)
        waiting = next(token for token in execution.tasks.values() if token is not execution.root)
        execution.merge(waiting, {"ok": True})
        # The history row was made by a host that is gone.
        waiting.history = None
        execution.complete_token(waiting, {})
        execution.run()
        return dump(execution)


class Vanilla:
    """The same with SpiffWorkflow as it comes."""

    def __init__(self, data: bytes) -> None:
        parser = BpmnParser()
        parser.add_bpmn_xml(etree.ElementTree(etree.fromstring(data)))
        self.spec = parser.get_spec("chain")
        self.serializer = BpmnWorkflowSerializer(registry=BpmnWorkflowSerializer.configure())

    def fresh(self) -> str:
        workflow = BpmnWorkflow(self.spec)
        workflow.data.update(VARIABLES)
        workflow.do_engine_steps()
        return self.serializer.serialize_json(workflow)

    def step(self, saved: str) -> str:
        workflow = self.serializer.deserialize_json(saved)
        task = workflow.get_next_task(state=TaskState.READY, manual=True)
        task.data["ok"] = True
        task.run()
        workflow.do_engine_steps()
        return self.serializer.serialize_json(workflow)


def against_vanilla(repetitions: int = 30) -> None:
    """Restore, complete one task, save: median of all ten steps, taken in turns."""
    data = bpmn(process("chain", CHAIN))
    subjects = {"ours": Ours(data), "vanilla": Vanilla(data)}
    states = {name: subject.fresh() for name, subject in subjects.items()}
    first = dict(states)
    bytes_ = {name: len(state.encode()) for name, state in states.items()}

    def stepper(name: str):
        def step(turn: int) -> None:
            if turn % 10 == 0:
                states[name] = first[name]
            states[name] = subjects[name].step(states[name])

        return step

    times = interleaved(repetitions * 10, **{name: stepper(name) for name in subjects})
    ratio = times["vanilla"] / times["ours"]
    row("engine step (restore, complete, save): ours / vanilla", f"{times['ours']:.3f} / {times['vanilla']:.3f} ms", f"vanilla costs {ratio:.0f}×")
    row("  bytes saved at the first step: ours / vanilla", f"{bytes_['ours']:,} / {bytes_['vanilla']:,} B")


def run(folder: Path) -> None:
    print("The engine alone (SQLite file)")
    chain(folder)
    loop(folder)
    against_vanilla()
