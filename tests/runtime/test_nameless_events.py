"""Messages and signals that a model does not name: the standard allows them, and nobody can throw or hear them."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from engine.store import tables
from tests.bpmn.builder import Definition, boundary, bpmn, catch, end, process, tag, throw, user

MESSAGE = Definition(tag("bpmn:messageEventDefinition", {}))
SIGNAL = Definition(tag("bpmn:signalEventDefinition", {}))


@pytest.fixture
def foreign(engine):
    """Deploy a process as another program writes it: without the dialect's extensions, so that a missing name only draws a warning."""

    def run(id: str, flow: str, **elements):
        file = bpmn(process(id, flow, **elements))
        file = re.sub(rb" xmlns:zeebe=\S+| <zeebe:\S+/>|<bpmn:extensionElements>.*?</bpmn:extensionElements>", b"", file, flags=re.DOTALL)
        # What is drawn as executable must name its messages.
        file = file.replace(b' isExecutable="true"', b"")
        return engine.deploy({f"{id}.bpmn": file}, by="designer")

    return run


def subscriptions(engine):
    with engine.reading() as conn:
        return conn.execute(select(tables.subscription.c.kind, tables.subscription.c.name)).all()


@pytest.mark.parametrize("event", [MESSAGE, SIGNAL], ids=["message", "signal"])
def test_an_event_without_a_name_waits_for_nothing(engine, foreign, event):
    foreign("p", "start -> c -> end", c=catch(event))
    key = engine.start("p").key
    assert subscriptions(engine) == []
    assert engine.publish_message("-", "") == engine.broadcast_signal("-") == 0
    assert engine.instance(key).state == "ACTIVE"
    assert engine.incidents(key) == []
    engine.cancel(key, by="admin", reason="nothing will come")
    assert engine.instance(key).state == "TERMINATED"


@pytest.mark.parametrize("event", [MESSAGE, SIGNAL], ids=["message", "signal"])
def test_what_is_thrown_without_a_name_is_heard_by_nobody(engine, foreign, event):
    foreign("waiting", "start -> c -> end", c=catch(event))
    foreign("throwing", "start -> t -> end", t=throw(event))
    waiting = engine.start("waiting").key
    thrower = engine.start("throwing").key
    assert engine.instance(thrower).state == "COMPLETED"
    assert engine.instance(waiting).state == "ACTIVE"
    assert engine.incidents(thrower) == engine.incidents(waiting) == []


def test_an_activity_with_a_nameless_event_on_its_border_is_done_as_without_it(engine, foreign):
    foreign("p", "start -> a -> end; b -> aside", a=user(), b=boundary("a", SIGNAL), aside=end())
    key = engine.start("p").key
    engine.complete(engine.user_tasks(instance_key=key)[0].key)
    assert engine.instance(key).state == "COMPLETED"
    assert subscriptions(engine) == []
