"""What the instances of a multi-instance activity bring is collected, whichever way a variable takes (dialect: multi-instance,
variable mappings)."""

from __future__ import annotations

import pytest

from tests.bpmn.builder import call, each, mapped, process, user

CHILD = process("child", "start -> a -> end")


def complete_all(engine, key: int, **variables: int) -> dict:
    """Complete every open task of a case, the last one first, each with its place and ``variables``."""
    for place, task in reversed(list(enumerate(engine.user_tasks(), 1))):
        engine.complete(task.key, {"x": place * 10, **variables})
    return engine.instance(key).variables


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_called_instance_does_not_bring_back_the_collection_as_it_was_when_it_began(engine, deploy):
    deploy(process("p", "start -> c -> end", c=each(call("child"), "=[1, 2, 3]", "item", results="all", result="=item * 2")), CHILD)
    assert complete_all(engine, engine.start("p").key)["all"] == [2, 4, 6]


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("element", [call("child"), user()], ids=["call", "user task"])
def test_an_output_mapping_gives_the_element_that_is_collected(engine, deploy, element):
    inner = mapped(element, outputs={"output": "=x"})
    deploy(process("p", "start -> c -> end", c=each(inner, "=[1, 2, 3]", "item", results="all", result="=output")), CHILD)
    assert complete_all(engine, engine.start("p").key) == {"all": [10, 20, 30]}
