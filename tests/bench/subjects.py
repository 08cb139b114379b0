"""The three that are measured: this engine without a database, with one, and SpiffWorkflow as it comes ("vanilla").

All do the same work: create an instance, and for every user task restore the saved state, complete the task, run on, save.  A
process without user tasks is created, run and saved once.  The models are drawn alike; scripts and conditions are FEEL for this
engine and Python for the other, whose own language that is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lxml import etree
from SpiffWorkflow.bpmn.parser.BpmnParser import BpmnParser
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.util.task import TaskState

from engine import Engine
from engine.bpmn.execution import Execution
from engine.bpmn.reader import read_bpmn
from engine.bpmn.snapshot import dump, restore
from tests.bpmn.builder import Element, both, bpmn, end, process, script, tag, terminate, xor
from tests.bpmn.host import Desk

VARIABLES = {"applicant": "某某科技有限公司", "amount": 1200, "county": "川汇区", "n": 0}


@dataclass(frozen=True)
class Pattern:
    """A model to measure: its flows, what the elements are, and how many user tasks an instance passes."""

    name: str
    what: str
    flows: str
    elements: tuple[tuple[str, str], ...] = ()
    """``(id, kind)``; a script's kind is ``name = expression``."""
    steps: int = 0

    def xml(self, python: bool) -> bytes:
        made = {id: self._element(kind, python) for id, kind in self.elements}
        data = bpmn(process(self.name, self.flows, **made))
        # FEEL marks an expression with a leading equals sign; Python has none.
        return re.sub(rb"(<bpmn:conditionExpression>)=", rb"\1", data) if python else data

    @staticmethod
    def _element(kind: str, python: bool) -> Element:
        plain = {"xor": xor, "both": both, "terminate": lambda: end(terminate())}
        if kind in plain:
            return plain[kind]()
        name, expression = kind.split(" = ")
        if python:
            return Element("scriptTask", body=[tag("bpmn:script", {}, kind)])
        return script(expression, name)


def chain(length: int) -> Pattern:
    names = [f"step_{number}" for number in range(1, length + 1)]
    return Pattern(f"chain_{length}", f"chain of {length} user task{'s' * (length > 1)}", " -> ".join(["start", *names, "end"]), steps=length)


def loop(rounds: int) -> Pattern:
    return Pattern(
        f"loop_{rounds}",
        f"loop of {rounds} rounds with a user task",
        f"start -> merge -> work -> count -> more -[n < {rounds}]-> merge; more -[*]-> end",
        (("merge", "xor"), ("count", "n = n + 1"), ("more", "xor")),
        steps=rounds,
    )


CLASSIC = (
    Pattern("SEQ", "sequence", "start -> one -> two -> end", (("one", "n = n + 1"), ("two", "n = n + 2"))),
    Pattern("EXC", "exclusive choice and merge", "start -> split -[n > 0]-> one -> merge -> end; split -[*]-> two -> merge",
            (("split", "xor"), ("merge", "xor"), ("one", "n = n + 1"), ("two", "n = n + 2"))),
    Pattern("PAR", "parallel split and join", "start -> split -> one -> join -> end; split -> two -> join",
            (("split", "both"), ("join", "both"), ("one", "a = 1"), ("two", "b = 2"))),
    Pattern("EXT", "explicit termination beside a waiting branch", "start -> split -> one -> stop; split -> wait -> end",
            (("split", "both"), ("one", "a = 1"), ("stop", "terminate"))),
    Pattern("CYC", "cycle of 10 rounds",
            "start -> merge -> one -> split -[n < 10]-> two -> merge; split -[*]-> end",
            (("merge", "xor"), ("split", "xor"), ("one", "n = n + 1"), ("two", "b = n"))),
)  # fmt: skip
"""The workflow patterns of the micro-benchmark for BPMN engines (Skouradaki et al., 2016): nothing waits, only the engine works."""


class Host(Desk):
    """A world without a database, in which a waiting task may be taken back."""

    def close(self, token: Any, kind: str) -> None:
        self.open.pop(token.id, None)


class Ours:
    """This engine's execution, each step restored from text and saved as text; no database."""

    def __init__(self, pattern: Pattern) -> None:
        self.spec = read_bpmn(pattern.xml(python=False), f"{pattern.name}.bpmn").processes[pattern.name]
        self.desk = Host()

    def create(self) -> str:
        self.desk = Host()
        execution = Execution(self.spec, self.desk)
        execution.begin(dict(VARIABLES))
        execution.run()
        return dump(execution)

    def step(self, saved: str) -> str:
        execution = restore(self.spec, self.desk, saved)
        token = next(token for token in execution.tasks.values() if token.task_spec.element_type == "userTask")
        execution.complete_token(token, {"ok": True})
        execution.run()
        return dump(execution)


class Vanilla:
    """The same with SpiffWorkflow as it comes."""

    def __init__(self, pattern: Pattern) -> None:
        parser = BpmnParser()
        parser.add_bpmn_xml(etree.ElementTree(etree.fromstring(pattern.xml(python=True))))
        self.spec = parser.get_spec(pattern.name)
        self.serializer = BpmnWorkflowSerializer(registry=BpmnWorkflowSerializer.configure())

    def create(self) -> str:
        workflow = BpmnWorkflow(self.spec)
        workflow.task_tree.data.update(VARIABLES)
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

    def ended(self, saved: str) -> bool:
        return self.serializer.deserialize_json(saved).is_completed()


class WithDatabase:
    """This engine with its tables: every step is a command with one transaction (SQLite file, write-ahead log)."""

    def __init__(self, pattern: Pattern, folder: Path) -> None:
        self.name = pattern.name
        self.engine = Engine(f"sqlite:///{folder / pattern.name}.db")
        self.engine.migrate()
        self.engine.deploy({f"{pattern.name}.bpmn": pattern.xml(python=False)}, by="bench")

    def create(self) -> Any:
        return self.engine.start(self.name, VARIABLES, by="li")

    def step(self, instance: Any) -> Any:
        (task,) = self.engine.user_tasks(instance.key)
        return self.engine.complete(task.key, {"ok": True}, by="li")

    def dispose(self) -> None:
        self.engine.dispose()


def whole(subject: Any, steps: int) -> Any:
    """One instance from its start to its end; gives its last state."""
    state = subject.create()
    for _ in range(steps):
        state = subject.step(state)
    return state
