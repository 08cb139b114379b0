"""A plain chain with its database: statements, commits and bytes."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from engine import Engine
from engine.store import tables
from tests.bench.measuring import row, sent_by
from tests.bench.subjects import VARIABLES
from tests.bpmn.builder import bpmn, process

CHAIN = " -> ".join(["start", *(f"step_{number}" for number in range(1, 11)), "end"])


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


def run(folder: Path) -> None:
    print("The engine alone (SQLite file)")
    chain(folder)
