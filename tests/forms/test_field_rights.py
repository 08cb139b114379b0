"""Rights to fields as a property: whatever rights a step has and whatever is sent, what it may not touch stays as the case has it."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ValidationFailed
from engine.forms import FieldRights, compile_form, rights_of
from engine.forms.rights import limited, shown

FORM = compile_form(
    {
        "type": "default",
        "id": "f",
        "components": [
            {"type": "textfield", "key": "a", "label": "A", "validate": {"required": True}},
            {"type": "textfield", "key": "g.deep.x", "label": "X"},
            {
                "type": "group", "path": "g", "label": "G", "components": [
                    {"type": "textfield", "key": "y", "label": "Y"}, {"type": "textfield", "key": "z", "label": "Z"},
                ],
            },
            {
                "type": "dynamiclist", "path": "rows", "label": "R", "components": [
                    {"type": "textfield", "key": "p", "label": "P"},
                    {"type": "dynamiclist", "path": "inner", "label": "I", "components": [{"type": "textfield", "key": "q", "label": "Q"}]},
                ],
            },
        ],
    }
)  # fmt: skip
NAMES = ["a", "g", "g.deep", "g.deep.x", "g.y", "g.z", "rows", "rows.p", "rows.inner", "rows.inner.q"]

text = st.sampled_from(["1", "2", "3"])
row = st.fixed_dictionaries({}, optional={"p": text, "inner": st.lists(st.fixed_dictionaries({}, optional={"q": text}), max_size=2)})
answers = st.fixed_dictionaries(
    {},
    optional={
        "a": text,
        "g": st.fixed_dictionaries({}, optional={"y": text, "z": text, "deep": st.fixed_dictionaries({}, optional={"x": text})}),
        "rows": st.lists(row, max_size=3),
    },
)
rights = st.tuples(st.sets(st.sampled_from(NAMES), max_size=3), st.sets(st.sampled_from(NAMES), max_size=3)).map(
    lambda pair: FieldRights(frozenset(pair[0]), frozenset(pair[1]))
)


def values(tree: Any, names: list[str]) -> list[Any]:
    """What stands at a path, once for each row on the way."""
    if not names:
        return [tree]
    if isinstance(tree, list):
        return [found for each in tree for found in values(each, names)]
    return values(tree[names[0]], names[1:]) if isinstance(tree, dict) and names[0] in tree else []


def said(tree: Any, name: str) -> list[Any]:
    """The answers under a path, in the order of their names; levels without any are none."""
    found = values(tree, name.split("."))
    while any(isinstance(each, (dict, list)) for each in found):
        inside = [[each[key] for key in sorted(each)] if isinstance(each, dict) else each if isinstance(each, list) else [each] for each in found]
        found = [inner for several in inside for inner in several]
    return found


@given(rights, answers, answers)
@settings(max_examples=400, deadline=None)
def test_what_a_step_may_not_touch_stays_as_the_case_has_it(given_rights, case, sent):
    form, before = FORM.limited(given_rights), copy.deepcopy(case)
    with contextlib.suppress(ValidationFailed):
        stored = {**case, **form.restored(form.load(sent, case), case)}
        for name in given_rights.hidden | given_rights.readonly:
            assert said(stored, name) == said(case, name)
    assert case == before


@given(rights, answers)
@settings(max_examples=200, deadline=None)
def test_nothing_hidden_is_in_what_leaves_the_server(given_rights, case):
    visible = shown(case, given_rights)
    for name in given_rights.hidden:
        assert values(visible, name.split(".")) == []
    left = {each.path for each in compile_form(limited(FORM._schema, given_rights, case)).every_field()}
    assert not [path for path in left for name in given_rights.hidden if path == name or path.startswith(f"{name}.")]


def test_the_attributes_of_a_step_are_lists_with_commas():
    assert rights_of({"fields.hidden": " a , g.y,", "fields.readonly": "rows"}) == FieldRights(frozenset({"a", "g.y"}), frozenset({"rows"}))
    assert not rights_of({}) and FORM.limited(rights_of({})) is FORM
