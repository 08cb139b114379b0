"""Compiled forms: what is accepted, what is refused and in which words, and what is shown."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ValidationFailed
from engine.forms import compile_form
from engine.words import Words


def form(*components):
    return compile_form({"type": "default", "id": "f", "components": list(components)})


def field(kind, key="a", **more):
    return {"type": kind, "key": key, "label": key.upper(), **more}


def refused(compiled, data, context=None, **more):
    with pytest.raises(ValidationFailed) as caught:
        compiled.load(data, context, **more)
    for messages in caught.value.errors.values():
        assert messages
        assert all(isinstance(each, Words) for each in messages)
    return caught.value.errors


OPTIONS = [{"label": "投诉", "value": "complaint"}, {"label": "咨询", "value": "inquiry"}, {"label": "一", "value": 1}]


# -- kinds of answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("component", "good", "bad"),
    [
        (field("textfield"), ["hi", "中文"], [5, ["x"], {"a": 1}, True, "x\x00", "\ud800"]),
        (field("textfield", validate={"minLength": 2, "maxLength": 3}), ["ab", "abc"], ["a", "abcd"]),
        (field("textfield", validate={"pattern": "^[0-9]{18}$"}), ["411600199001010011"], ["12", "411600199001010011\n"]),
        (field("textfield", validate={"pattern": "(?<y>\\d{4})"}), ["x2026x"], ["二〇二六"]),
        (field("textfield", validate={"validationType": "email"}), ["a@b.cn"], ["a@", "a b@c.cn"]),
        (field("textfield", validate={"validationType": "phone"}), ["13800138000", "0394-8222333", "+8613800138000"], ["123", "abc"]),
        (field("textarea"), ["一\n二"], [1]),
        (field("number"), [0, 5, 2.5, -3], ["x", True, [], float("nan"), 10**16, 10**400]),
        (field("number", validate={"min": 1, "max": 10}), [1, 10], [0, 11]),
        (field("number", decimalDigits=0), [3, 3.0], [3.5]),
        (field("number", decimalDigits=2), [3.25], [3.255]),
        (field("number", increment="0.5"), [1.5, 2], [1.25]),
        (field("checkbox"), [True, False], ["true", 1, 0]),
        (field("radio", values=OPTIONS), ["complaint", 1], ["other", True, "1", ["complaint"]]),
        (field("select", values=OPTIONS), ["inquiry"], [{"value": "inquiry"}]),
        (field("checklist", values=OPTIONS), [["complaint", 1]], ["complaint", ["other"], ["complaint", "complaint"]]),
        (field("taglist", values=OPTIONS), [["complaint"]], [{}, [True]]),
        (field("datetime", subtype="date"), ["2026-11-22"], ["2026-02-30", "22.11.2026", 5, "2026-11-22T09:30"]),
        (field("datetime", subtype="time"), ["09:30", "09:30Z", "09:30+08:00"], ["25:00", "9:30"]),
        (field("datetime", subtype="datetime"), ["2026-11-22T09:30", "2026-11-22T09:30Z", "2026-11-22T09:30+08:00"], ["2026-11-22", "x"]),
        (field("filepicker"), ["files::3f2a-77"], ["3f2a", "files::../x", ["files::a"]]),
    ],
)
def test_each_kind_of_answer_is_accepted_and_refused_as_it_should_be(component, good, bad):
    compiled = form(component)
    assert [each for each in compiled.check() if each.severity == "error"] == []
    for value in good:
        assert compiled.load({"a": value}) == {"a": value}
    for value in bad:
        assert set(refused(compiled, {"a": value})) == {"a"}, value


def test_a_number_kept_as_text_keeps_every_digit():
    compiled = form(field("number", serializeToString=True))
    assert compiled.load({"a": "12345678901234567890.12"}) == {"a": "12345678901234567890.12"}
    assert compiled.load({"a": 5}) == {"a": "5"}


@pytest.mark.parametrize(
    ("kind", "empties"),
    [("textfield", [None, "", "  "]), ("number", [None, ""]), ("checkbox", [None, False]), ("checklist", [None, []]), ("select", [None, ""])],
)
def test_a_required_answer_may_be_neither_absent_nor_empty(kind, empties):
    compiled = form(field(kind, values=OPTIONS, validate={"required": True}))
    assert set(refused(compiled, {})) == {"a"}
    for value in empties:
        assert set(refused(compiled, {"a": value})) == {"a"}, value


def test_an_emptied_answer_is_none_and_an_absent_one_stays_absent():
    compiled = form(field("textfield"), field("number", "b"), field("checklist", "c", values=OPTIONS))
    assert compiled.load({}) == {}
    assert compiled.load({"a": "", "b": None, "c": []}) == {"a": None, "b": None, "c": []}


def test_every_wrong_answer_is_named_at_once():
    compiled = form(field("textfield", validate={"required": True}), field("number", "b"), field("group", "g", path="p", components=[field("number", "c")]))
    assert set(refused(compiled, {"b": "x", "p": {"c": "y"}})) == {"a", "b", "p.c"}


def test_unknown_keys_are_refused_at_every_level():
    compiled = form(field("textfield", "a.b"), {"type": "dynamiclist", "path": "rows", "label": "L", "components": [field("textfield", "x")]})
    assert set(refused(compiled, {"z": 1})) == {"z"}
    assert set(refused(compiled, {"a": {"z": 1}, "rows": [{"x": "1"}, {"z": 1}]})) == {"a.z", "rows.1.z"}


@pytest.mark.parametrize("kind", ["button", "text", "html", "spacer", "separator", "image", "iframe", "table", "documentPreview"])
def test_what_only_shows_something_takes_no_answer(kind):
    compiled = form({"type": kind, "key": "a", "label": "A"})
    assert compiled.check() == []
    assert set(refused(compiled, {"a": "x"})) == {"a"}
    assert compiled.fields() == []


@pytest.mark.parametrize("data", [None, [], "x", 5, {1: 2}, {"a": {1, 2}}, {"a": object()}, {"a": [[[float("inf")]]]}])
def test_what_is_not_a_set_of_readable_answers_is_refused(data):
    refused(form(field("textfield")), data)


# -- options, limits and conditions that are FEEL ------------------------------------------------------------------------------


def test_options_come_from_the_context_or_an_expression():
    keyed = form(field("select", valuesKey="counties"))
    assert keyed.load({"a": "川汇区"}, {"counties": ["川汇区", {"label": "淮阳区", "value": "hy"}]}) == {"a": "川汇区"}
    assert "a" in refused(keyed, {"a": "淮阳区"}, {"counties": [{"label": "淮阳区", "value": "hy"}]})
    assert "a" in refused(keyed, {"a": "川汇区"})
    computed = form(field("taglist", valuesExpression="=for s in sections return s.name"))
    assert computed.load({"a": ["高新科"]}, {"sections": [{"name": "高新科"}]}) == {"a": ["高新科"]}


def test_limits_may_be_expressions():
    compiled = form(field("number", validate={"max": "=limit * 2"}))
    assert compiled.load({"a": 10}, {"limit": 5}) == {"a": 10}
    assert "a" in refused(compiled, {"a": 11}, {"limit": 5})


def test_a_hidden_field_is_neither_required_nor_stored():
    compiled = form(
        field("radio", "kind", values=["real", "anonymous"]),
        field("textfield", "name", validate={"required": True}, conditional={"hide": '=kind = "anonymous"'}),
    )
    assert compiled.load({"kind": "anonymous"}) == {"kind": "anonymous"}
    assert compiled.load({"kind": "anonymous", "name": "张三"}) == {"kind": "anonymous"}
    assert "name" in refused(compiled, {"kind": "real"})


def test_hiding_a_group_hides_what_is_in_it_and_hiding_follows_on():
    compiled = form(
        field("checkbox", "a"),
        {"type": "group", "path": "g", "label": "G", "conditional": {"hide": "=a != true"}, "components": [field("textfield", "b", validate={"required": True})]},
        field("textfield", "c", conditional={"hide": "=g.b = null"}),
    )  # fmt: skip
    assert compiled.load({"a": False, "g": {"b": "x"}, "c": "y"}) == {"a": False}
    assert compiled.load({"a": True, "g": {"b": "x"}, "c": "y"}) == {"a": True, "g": {"b": "x"}, "c": "y"}
    assert set(refused(compiled, {"a": True})) == {"g.b"}


def test_conditions_that_never_agree_end():
    compiled = form(field("textfield", conditional={"hide": "=a != null"}), field("textfield", "b", conditional={"hide": "=a = null"}))
    compiled.load({"a": "x", "b": "y"})


def test_rows_see_themselves():
    rows = {
        "type": "dynamiclist", "path": "items", "label": "材料",
        "components": [field("textfield", "name", validate={"required": True}),
                       field("textfield", "why", validate={"required": True}, conditional={"hide": '=this.name != "其他"'}),
                       field("expression", "no", expression="=i[1]")],
    }  # fmt: skip
    compiled = form(rows)
    assert compiled.load({"items": [{"name": "执照", "why": "x"}, {"name": "其他", "why": "y", "no": 99}]}) == {
        "items": [{"name": "执照", "no": 1}, {"name": "其他", "why": "y", "no": 2}]
    }
    assert set(refused(compiled, {"items": [{"name": "其他"}, {}, "x"]})) == {"items.0.why", "items.1.name", "items.2"}
    assert set(refused(compiled, {"items": {"name": "x"}})) == {"items"}


def test_lists_within_lists_know_their_place():
    inner = {"type": "dynamiclist", "path": "in", "label": "I", "components": [field("expression", "at", expression="=i"), field("number", "n")]}
    outer = {"type": "dynamiclist", "path": "out", "label": "O", "components": [inner]}
    compiled = form(outer)
    assert compiled.load({"out": [{"in": []}, {"in": [{"n": 1}, {}]}]}) == {"out": [{"in": []}, {"in": [{"n": 1, "at": [2, 1]}, {"at": [2, 2]}]}]}
    assert set(refused(compiled, {"out": [{"in": [{"n": "x"}]}]})) == {"out.0.in.0.n"}


def test_a_hidden_answer_reads_as_null_whatever_an_earlier_step_left():
    compiled = form(field("checkbox", "ok"), field("textfield", "why", conditional={"hide": "=ok"}), field("expression", "seen", expression="=why"))
    assert compiled.load({"ok": True, "why": "new"}, {"why": "old"}) == {"ok": True, "seen": None}
    assert compiled.load({"ok": False, "why": "new"}, {"why": "old"}) == {"ok": False, "why": "new", "seen": "new"}


def test_a_list_may_ask_for_a_number_of_rows():
    rows = {"type": "dynamiclist", "path": "r", "label": "R", "components": [field("textfield", "x")], "properties": {"minRows": "1", "maxRows": "2"}}
    compiled = form(rows)
    assert compiled.load({"r": [{"x": "1"}]}) == {"r": [{"x": "1"}]}
    for data in ({}, {"r": []}, {"r": [{}, {}, {}]}):
        assert set(refused(compiled, data)) == {"r"}


@pytest.mark.parametrize("lock", [{"readonly": True}, {"disabled": True}, {"readonly": "=stage = 2"}])
def test_a_locked_field_keeps_the_value_of_the_context(lock):
    compiled = form(field("textfield", validate={"required": True, "maxLength": 2}, **lock))
    assert compiled.load({"a": "改写"}, {"a": "原来的值", "stage": 2}) == {"a": "原来的值"}
    assert compiled.load({"a": "改写"}, {"stage": 2}) == {}


def test_a_locked_field_in_a_row_keeps_the_value_of_its_row():
    compiled = form({"type": "dynamiclist", "path": "r", "label": "R", "components": [field("textfield", "name", readonly=True), field("number", "n")]})
    assert compiled.load({"r": [{"name": "假", "n": 1}, {"name": "新", "n": 2}]}, {"r": [{"name": "真"}]}) == {"r": [{"name": "真", "n": 1}, {"n": 2}]}


def test_computed_fields_are_computed_here_and_build_on_each_other():
    compiled = form(field("number", "n"), field("expression", "double", expression="=n * 2"), field("expression", "more", expression="=double + base"))
    assert compiled.load({"n": 2, "double": 999}, {"base": 10}) == {"n": 2, "double": 4, "more": 14}


def test_a_third_is_stored_as_the_nearest_number():
    clean = form(field("expression", expression="=[1/3, {x: 2/3}]")).load({})
    assert json.loads(json.dumps(clean)) == clean == {"a": [1 / 3, {"x": 2 / 3}]}


def test_a_thousand_rows_with_conditions_are_read_in_time():
    row = [field("textfield", "x"), field("textfield", "y", conditional={"hide": "=this.x = null"}), field("expression", "z", expression="=i[1]")]
    compiled = form({"type": "dynamiclist", "path": "r", "label": "R", "components": row})
    before = time.perf_counter()
    assert len(compiled.load({"r": [{"x": "1", "y": "2"}] * 1000})["r"]) == 1000
    assert time.perf_counter() - before < 5


def test_a_day_that_has_passed_is_refused_where_the_form_says_so():
    compiled = form(field("datetime", subtype="date", disallowPassedDates=True))
    assert "a" in refused(compiled, {"a": "2026-11-22"}, today=date(2026, 11, 23))
    assert compiled.load({"a": "2026-11-23"}, today=date(2026, 11, 23)) == {"a": "2026-11-23"}


def test_uploads_are_held_to_the_limits_of_the_file_picker():
    compiled = form(field("filepicker", accept=".pdf,image/*", multiple=True, properties={"maxSize": "1", "maxFiles": "2"}))
    pdf = {"name": "执照.PDF", "size": 1000, "type": "application/pdf"}
    assert compiled.load({"a": "files::1"}, files={"files::1": [pdf, {"name": "a.png", "size": 5, "type": "image/png"}]}) == {"a": "files::1"}
    for files in ({}, {"files::1": [pdf] * 3}, {"files::1": [{**pdf, "name": "a.exe"}]}, {"files::1": [{**pdf, "size": 2_000_000}]}):
        assert "a" in refused(compiled, {"a": "files::1"}, files=files)
    single = form(field("filepicker"))
    assert "a" in refused(single, {"a": "files::1"}, files={"files::1": [pdf, pdf]})


# -- checking a form -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("components", "rule"),
    [
        ([{"type": "slider", "key": "a"}], "form.unknown-type"),
        ([{"key": "a"}], "form.unknown-type"),
        ([field("textfield"), field("number")], "form.duplicate-key"),
        ([field("textfield", "a"), field("textfield", "a.b")], "form.duplicate-key"),
        ([field("textfield", "a.b"), field("textfield", "a")], "form.duplicate-key"),
        ([field("textfield"), {"type": "group", "label": "G", "components": [field("textfield")]}], "form.duplicate-key"),
        ([{"type": "textfield", "label": "A"}], "form.missing-key"),
        ([{"type": "dynamiclist", "label": "A", "components": []}], "form.missing-key"),
        ([field("textfield", "a b")], "form.bad-key"),
        ([{"type": "textfield", "key": "a"}], "form.no-label"),
        ([field("textfield", conditional={"hide": "=a = = 1"})], "form.bad-feel"),
        ([field("textfield", conditional={"hide": "a = 1"})], "form.not-feel"),
        ([field("number", validate={"min": "=1 +"})], "form.bad-feel"),
        ([field("number", validate={"min": "viel"})], "form.bad-limit"),
        ([field("textfield", validate={"pattern": "[a-"})], "form.bad-pattern"),
        ([field("textfield", validate={"pattern": 5})], "form.bad-pattern"),
        ([field("textfield", validate={"validationType": "iban"})], "form.bad-check"),
        ([field("select")], "form.no-options"),
        ([field("select", values=["a", "a"])], "form.same-options"),
        ([field("select", valuesExpression="=[1,")], "form.bad-feel"),
        ([field("expression")], "form.no-expression"),
        ([field("datetime")], "form.bad-subtype"),
        (["text"], "form.not-a-component"),
        ([{"type": "group", "label": "G", "components": 5}], "form.no-components"),
    ],
)
def test_what_is_wrong_with_a_form_is_found(components, rule):
    compiled = form(*components)
    assert rule in [each.rule for each in compiled.check()]
    with_any_data = {"a": "x"}
    with contextlib.suppress(ValidationFailed):
        compiled.load(with_any_data)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"5", b'{"components": 5}', b"\xff\xfe", b"[" * 100_000])
def test_a_file_that_is_no_form_is_a_finding_and_never_an_exception(content):
    compiled = compile_form(content, "x.form")
    assert [each.severity for each in compiled.check()] == ["error"]
    assert compiled.load({}) == {}


def test_a_finding_names_the_file_the_line_and_the_label():
    text = json.dumps({"components": [field("textfield"), field("select", "choice", label="类别")]}, indent=1, ensure_ascii=False)
    (found,) = compile_form(text.encode(), "f.form").check()
    assert found.file == "f.form"
    assert text.splitlines()[found.line - 1].strip().startswith('"key": "choice"')
    assert "类别" in found.message


def test_two_lists_may_use_the_same_keys_in_their_rows():
    lists = [{"type": "dynamiclist", "path": path, "label": path, "components": [field("textfield", "x")]} for path in ("one", "two")]
    assert form(*lists).check() == []


def test_a_form_is_compiled_once_for_the_same_content():
    schema = {"components": [field("textfield")]}
    assert compile_form(schema) is compile_form(json.loads(json.dumps(schema)))


def test_the_marshmallow_schema_of_a_form_can_be_had():
    schema = form(field("textfield", validate={"required": True})).schema({}, {})
    assert schema.load({"a": "x"}) == {"a": "x"}
    assert [made.data_key for made in schema.fields.values()] == ["a"]


@pytest.mark.parametrize("key", ["Meta", "fields", "state", "load", "__class__", "prefix", "f0"])
def test_no_key_of_a_form_clashes_with_its_schema(key):
    assert form(field("textfield", key)).load({key: "x"}) == {key: "x"}


# -- showing answers -----------------------------------------------------------------------------------------------------------

SHOWN = form(
    field("radio", "kind", label="类别", values=OPTIONS),
    field("checklist", "many", label="多选", values=OPTIONS),
    field("datetime", "day", label="日期", subtype="date"),
    field("datetime", "at", label="时间", subtype="datetime"),
    field("checkbox", "ok", label="属实"),
    field("textfield", "secret", label="隐藏", conditional={"hide": "=ok"}),
    {"type": "dynamiclist", "path": "items", "label": "材料", "components": [field("textfield", "name", label="名称")]},
    field("filepicker", "file", label="附件"),
)


def test_answers_are_shown_with_labels_and_chinese_dates():
    data = {
        "kind": "complaint", "many": ["inquiry", 1], "day": "2026-11-22", "at": "2026-11-22T01:30Z", "ok": True,
        "items": [{"name": "执照"}, {"name": "合同"}], "file": "files::1",
    }  # fmt: skip
    assert SHOWN.display(data, files={"files::1": [{"name": "a.pdf"}, {"name": "b.pdf"}]}) == [
        ("类别", "投诉"), ("多选", "咨询、一"), ("日期", "2026年11月22日"), ("时间", "2026年11月22日 09:30"), ("属实", "Yes"),
        ("材料 1 · 名称", "执照"), ("材料 2 · 名称", "合同"), ("附件", "a.pdf、b.pdf"),
    ]  # fmt: skip


def test_the_fields_of_a_form_are_listed_flat():
    infos = {each.path: each for each in SHOWN.fields()}
    assert list(infos) == ["kind", "many", "day", "at", "ok", "secret", "items", "file"]
    assert infos["kind"].options == (("complaint", "投诉"), ("inquiry", "咨询"), (1, "一"))
    assert [each.path for each in infos["items"].columns] == ["name"]
    assert (infos["day"].type, infos["day"].subtype, infos["day"].label) == ("datetime", "date", "日期")


# -- properties ----------------------------------------------------------------------------------------------------------------

WIDE = form(
    field("textfield", "text", validate={"required": True, "maxLength": 8}),
    field("textarea", "area", conditional={"hide": "=number > 3"}),
    field("number", "number", validate={"min": -5}),
    field("number", "exact", serializeToString=True),
    field("checkbox", "box"),
    field("select", "one", values=OPTIONS),
    field("taglist", "many", values=OPTIONS),
    field("datetime", "day", subtype="date"),
    field("datetime", "time", subtype="time"),
    field("filepicker", "file"),
    field("textfield", "locked", readonly="=box"),
    field("expression", "sum", expression="=number + 1"),
    {"type": "group", "path": "g", "label": "G", "components": [field("textfield", "x.y"), field("number", "n", validate={"required": True}, conditional={"hide": "=box"})]},
    {"type": "dynamiclist", "path": "rows", "label": "R", "components": [field("number", "n", validate={"max": "=number"}), field("textfield", "t", conditional={"hide": "=this.n = null"})]},
)  # fmt: skip

anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.binary(max_size=2), st.dates(),
              st.sampled_from(["complaint", "2026-11-22", "09:30", "files::1", "12.50", 1, 2.5])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["n", "t", "x", "y", "z"]), inner, max_size=3)),
    max_leaves=8,
)  # fmt: skip
NAMES = ["text", "area", "number", "exact", "box", "one", "many", "day", "time", "file", "locked", "sum", "g", "rows", "zzz"]


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.one_of(st.sampled_from(NAMES), st.integers(0, 3)), anything, max_size=9), st.dictionaries(st.sampled_from(NAMES), anything, max_size=3))
def test_no_data_ever_raises_anything_but_a_refusal(data, context):
    try:
        clean = WIDE.load(data, context)
    except ValidationFailed as error:
        assert error.errors
    else:
        assert WIDE.load(clean, context) == clean


numbers = st.one_of(st.none(), st.integers(-5, 10**14), st.floats(-5, 1e9).map(lambda each: round(each, 3)))
plausible = st.fixed_dictionaries(
    {"text": st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=8)},
    optional={
        "area": st.text(max_size=5), "number": numbers, "exact": st.one_of(st.none(), st.integers().map(str), st.decimals(-9, 9, places=3).map(str)),
        "box": st.booleans(), "one": st.sampled_from([None, "complaint", 1]), "many": st.lists(st.sampled_from(["complaint", 1]), unique=True),
        "day": st.dates().map(str), "locked": st.text(max_size=3), "sum": numbers, "g": st.fixed_dictionaries({"n": numbers}, optional={"x": st.just({"y": "a"})}),
        "rows": st.lists(st.fixed_dictionaries({}, optional={"n": numbers, "t": st.text(max_size=3)}), max_size=4),
    },
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(plausible, st.fixed_dictionaries({}, optional={"locked": st.text(max_size=3), "box": st.booleans()}))
def test_accepted_answers_are_accepted_again_unchanged(data, context):
    try:
        clean = WIDE.load(data, context)
    except ValidationFailed:
        return
    assert WIDE.load(clean, context) == clean
    json.dumps(clean)
    assert WIDE.display(clean, context)


schemas = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.sampled_from(["textfield", "group", "dynamiclist", "number", "=a", "=(", "a.b"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "key", "path", "label", "components", "validate", "conditional", "hide", "values", "min", "pattern", "properties"]), inner, max_size=6
        ),
    ),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(schemas, max_size=4), st.dictionaries(st.sampled_from(["a", "b"]), anything, max_size=2))
def test_no_schema_however_odd_raises_anything_but_a_refusal(components, data):
    compiled = compile_form({"components": components})
    compiled.check()
    compiled.fields()
    try:
        clean = compiled.load(data)
    except ValidationFailed:
        return
    compiled.display(clean)
