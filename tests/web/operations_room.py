"""What the tests of the process monitor share: small processes beside the office's, and a look at rows."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from sqlalchemy import select

from engine.store import tables
from tests.bpmn.builder import boundary, bpmn, call, process, service, sub, timer, user, xor

ORDER = process(
    "order",
    "start -> ask -> sure -[amount > 100]-> boss -> inner -> end; sure -[amount <= 100]-> ship -> end; late -> remind -> end2",
    ask=user(assignee="li"), sure=xor(), ship=service("ship"), inner=sub("start1 -> pack -> end1"),
    late=boundary("ask", timer("P3D"), interrupting=False), remind=user(assignee="li"),
)  # fmt: skip
ORDER_2 = process(
    "order",
    "start -> ask2 -> sure -[amount > 100]-> boss -> inner -> end; sure -[amount <= 100]-> ship -> end",
    ask2=user(assignee="li"), sure=xor(), ship=service("ship"), inner=sub("start1 -> pack -> end1"),
)  # fmt: skip
CALLER = process("caller", "start -> step -> end", step=call("order"))


@pytest.fixture
def orders(engine):
    """The process ``order`` in its first version, and a process that calls it."""
    engine.deploy({"order.bpmn": bpmn(ORDER)}, by="designer")
    engine.deploy({"caller.bpmn": bpmn(CALLER)}, by="designer")

    def start(business_key: str | None = None, process_id: str = "order", **variables):
        return engine.start(process_id, variables, business_key=business_key)

    def stuck(business_key: str | None = None, **variables):
        """An instance that no flow lets through: its amount is missing."""
        made = start(business_key, **variables)
        task = next(each for each in engine.user_tasks() if each.root_key == made.key and each.element_id == "ask")
        engine.complete(task.key, {}, by="li")
        return engine.instance(made.key)

    return SimpleNamespace(start=start, stuck=stuck, second=lambda: engine.deploy({"order.bpmn": bpmn(ORDER_2)}, by="designer"))


def audited(engine, action: str) -> list:
    """The audit's rows of an action, oldest first."""
    with engine.reading() as conn:
        return conn.execute(select(tables.audit).where(tables.audit.c.action == action).order_by(tables.audit.c.key)).all()


def text(answer) -> str:
    """The page's text, whitespace folded."""
    return " ".join(answer.get_data(as_text=True).split())


__all__ = ["audited", "orders", "text"]
