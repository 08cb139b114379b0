"""Decisions that import other models: deployed together or later, and pinned to what they were deployed with."""

from __future__ import annotations

from tests.dmn.test_graphs import FILES, decision, file_of, literal


def test_decisions_that_import_others_are_deployed_and_found_again_by_another_node(engine):
    engine.deploy(FILES, by="designer")
    assert engine.evaluate_decision("top", {"n": 4}) == 41
    engine.catalogue._by_key.clear()
    engine.catalogue._last = None
    engine.catalogue.forget()
    assert engine.evaluate_decision("top", {"n": 4}) == 41


def test_a_changed_import_makes_a_new_version_of_what_imports_it_and_leaves_the_old_one_as_it_was(engine):
    engine.deploy(FILES, by="designer")
    changed = {**FILES, "c.dmn": file_of("urn:c", decision("base", literal("n + 100")))}
    answer = engine.deploy(changed, by="designer")
    assert {item.id: (item.version, item.new) for item in answer.definitions} == {"top": (2, True), "mid": (2, True), "base": (2, True)}
    assert engine.evaluate_decision("top", {"n": 4}) == 1041
    assert engine.catalogue.find("decision", "top", 1).model.evaluate({"n": 4}).value == 41


def test_a_file_may_import_what_was_deployed_before(engine):
    engine.deploy(FILES, by="designer")
    engine.deploy({"a.dmn": FILES["a.dmn"].replace(b"+ 1", b"+ 2")}, by="designer")
    assert engine.evaluate_decision("top", {"n": 4}) == 42
