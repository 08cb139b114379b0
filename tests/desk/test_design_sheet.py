"""The procedure sheet as fields: what a form changes, what stays as it was written, and which field a finding belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ValidationFailed
from engine.runtime.design import drafts, sheet_choices, sheet_editing, sheet_findings, sheet_preview, sheet_text
from engine.runtime.sheets import parse_sheet
from tests.desk import desk_models as models

SHEET = '''# The sheet of the licences.
process: licence   # the id of the drawing
name: "许可办理"
code: XK
title: |
  ="关于" + subject
header:
  # who asks
  applicant: '=applicant_name'
  county: '=county'
start: {form: licence_start, roles: [window]}
register:
  # where it comes from
  - {key: county, label: 县区, value: "=county"}  # of the applicant
  - key: grade   # A, B or C
    label: 等级
    value: =grade

  # how often
  - {key: rounds, label: 轮次, value: '=rounds'}
# the end
access: {roles: [vice_director]}
'''


def changed(text: str, change) -> str:
    values = sheet_editing.values_of(text)
    change(values)
    return sheet_editing.with_values(text, values)


# --- the text ------------------------------------------------------------------------------------------------------------------


def test_fields_that_are_not_changed_leave_every_character(tmp_path):
    for text in (SHEET, models.SHEET, SHEET.replace("\n", "\r\n"), "\ufeff" + SHEET):
        assert changed(text, lambda values: None) == text


def test_a_changed_value_changes_its_own_characters_only():
    assert changed(SHEET, lambda values: values.update(code="XK2")) == SHEET.replace("code: XK\n", "code: XK2\n")
    assert changed(SHEET, lambda values: values["register"][1].update(label="级别")) == SHEET.replace("label: 等级", "label: 级别")
    assert changed(SHEET, lambda values: values["register"][0].update(label="所在县区")) == SHEET.replace("label: 县区", "label: 所在县区")


def test_rows_that_move_take_their_comments_with_them():
    text = changed(SHEET, lambda values: values["register"].reverse())
    assert text.index("# how often") < text.index("key: rounds") < text.index("# A, B or C") < text.index("# where it comes from") < text.index("# of the applicant")
    assert "# the end\naccess" in text
    assert [row["key"] for row in sheet_editing.values_of(text)["register"]] == ["rounds", "grade", "county"]


def test_a_removed_row_leaves_the_comment_above_it():
    text = changed(SHEET, lambda values: values["register"].pop(0))
    assert "# where it comes from" in text and "key: county" not in text


def test_new_keys_come_in_the_order_of_a_sheet_and_empty_ones_go():
    def change(values):
        values["ladder"] = "standard"
        values["short"] = "许可"
        values["documents"] = [{"id": "notice", "name": "通知书: #1", "at": "accept", "rest": {}}]
        values["access"] = {"roles": [], "rest": {}}

    text = changed(SHEET, change)
    assert text.index("name:") < text.index("short: 许可") < text.index("code:")
    assert "documents:\n  - {id: notice, name: '通知书: #1', at: accept}\n" in text
    assert "access" not in text and "# the end" in text
    assert parse_sheet("procedure.yaml", text.encode())[1] == []


def test_what_no_field_knows_is_kept():
    text = SHEET + "later: {a: [1, 2]}  # of a coming version\n"
    text = text.replace("label: 县区,", "label: 县区, width: 12,").replace("  county: '=county'\n", "  county: '=county'\n  fax: '=fax'\n")

    def change(values):
        values["name"] = "许可"
        values["register"].append({"key": "new", "label": "新", "value": "=x", "rest": {}})
        values["register"].insert(0, values["register"].pop(0) | {"label": "县"})
        values["header"]["urgency"] = "normal"

    found = sheet_text.read(changed(text, change))
    assert found["later"] == {"a": ["1", "2"]} and found["header"]["fax"] == "=fax"
    assert found["register"][0] == {"key": "county", "label": "县", "width": "12", "value": "=county"}


@pytest.mark.parametrize("text", ["- a\n- b\n", "process: [", "register: text\n", "register:\n  - text\n", "start: {roles: window}\n"])
def test_a_text_that_no_fields_can_show_is_left_to_the_text_view(text):
    with pytest.raises(ValidationFailed):
        sheet_editing.values_of(text)


def test_a_value_that_two_places_share_is_not_spoilt():
    text = SHEET.replace("roles: [window]", "roles: &w [window]").replace("roles: [vice_director]", "roles: *w")
    values = sheet_editing.values_of(text)
    values["start"]["roles"] = ["window", "clerk"]
    try:
        found = sheet_editing.values_of(sheet_editing.with_values(text, values))
    except ValidationFailed:
        return
    assert found["start"]["roles"] == ["window", "clerk"] and found["access"]["roles"] == ["window"]


def test_an_empty_file_becomes_a_sheet():
    values = sheet_editing.values_of("")
    values |= {"process": "licence", "name": "许可", "code": "XK", "title": '="关于" + subject'}
    values["header"]["applicant"] = "=applicant_name"
    values["start"]["roles"] = ["window"]
    sheet, problems = parse_sheet("procedure.yaml", sheet_editing.with_values("# mine\n", values).encode())
    assert problems == [] and sheet.start.roles == ("window",)


def test_two_changes_put_together_keep_both():
    base, mine, theirs = (sheet_editing.values_of(SHEET) for _ in range(3))
    mine["name"], mine["header"]["county"] = "我的", "=where"
    theirs["name"], theirs["code"], theirs["header"]["urgency"] = "他的", "TT", "normal"
    theirs["register"].pop()
    found = sheet_editing.merged(base, mine, theirs)
    assert (found["name"], found["code"], len(found["register"])) == ("我的", "TT", 2)
    assert (found["header"]["county"], found["header"]["urgency"]) == ("=where", "normal")
    assert sheet_editing.merged(base, base, theirs) == theirs and sheet_editing.merged(base, mine, base) == mine


words = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), max_size=12)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_people_type_is_read_back_and_nothing_else_changes(data):
    values = sheet_editing.values_of(SHEET)
    for key in data.draw(st.lists(st.sampled_from(["name", "short", "icon", "description", "title", "ladder"]), unique=True)):
        values[key] = data.draw(words).strip()
    rows = values["register"]
    for row in data.draw(st.lists(st.sampled_from(rows), max_size=2)):
        row[data.draw(st.sampled_from(["label", "value"]))] = data.draw(words).strip()
    for _ in range(data.draw(st.integers(0, 2))):
        rows.append({"key": "k" + data.draw(words).strip(), "label": data.draw(words).strip(), "value": "=1", "rest": {}})
    values["register"] = data.draw(st.permutations(rows))[: data.draw(st.integers(0, 5))]
    values["start"]["roles"] = [each for each in data.draw(st.lists(words.map(str.strip), max_size=3)) if each]
    text = sheet_editing.with_values(SHEET, values)
    assert sheet_editing.values_of(text) == values
    assert "# The sheet of the licences." in text and "# the id of the drawing" in text and "# the end" in text


# --- findings ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def designer(desk):
    desk.people.save_person("mei", name="梅", section_code="office", roles=["designer"], password=models.PASSWORD, by="system")
    return desk


@pytest.fixture
def draft(designer):
    return drafts.branch(designer, "licence", by="mei")


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        (lambda values: values.update(name=""), "name"),
        (lambda values: values.update(case_number="{serial}-{serial}"), "case_number"),
        (lambda values: values.update(title="=1 +"), "title"),
        (lambda values: values["header"].update(applicant=""), "header.applicant"),
        (lambda values: values["start"].update(form="nowhere"), "start.form"),
        (lambda values: values["register"][1].update(value="=("), "register.1.value"),
        (lambda values: values["register"][2].update(label=""), "register.2.label"),
        (lambda values: values["register"][1].update(key="county"), "register.1.key"),
        (lambda values: values["confidential"].update(when="always"), "confidential.when"),
        (lambda values: values["confidential"].update(visible_to_handler_of=["gone"]), "confidential.visible_to_handler_of"),
        (lambda values: values["withdraw"].update(message=""), "withdraw.message"),
        (lambda values: values["start"].update(roles=["window", "nobody@nowhere"]), "start.roles"),
        (lambda values: values["confidential"].update(fields=["applicant_name", "blood_group"]), "confidential.fields"),
        (lambda values: values.update(ladder="rope"), "ladder"),
        (lambda values: values.update(deadlines=[{"rule": "lic.none", "from": "", "rest": {}}]), "deadlines.0.rule"),
        (lambda values: values.update(documents=[{"id": "a", "name": "", "at": "gone", "rest": {}}]), "documents.0.name"),
    ],
)
def test_a_finding_stands_at_its_field(designer, draft, wrong, place):
    files = draft.files
    file = sheet_editing.sheet_file(files)
    values = sheet_editing.values_of(files[file])
    wrong(values)
    text = sheet_editing.with_values(files[file], values)
    placed = sheet_findings.placed(text, sheet_findings.check(designer, files | {file: text}))
    assert place in placed, placed


def test_the_sheet_in_use_has_no_findings(designer, draft):
    assert sheet_findings.check(designer, draft.files) == []


# --- what there is, and how it will look ------------------------------------------------------------------------------------------


def test_choices_are_what_the_draft_draws_and_names(designer, draft):
    found = sheet_choices.choices(designer, draft.files)
    assert found.drawn.processes.keys() == {"licence"} and found.drawn.tasks["handle"] == "承办"
    assert "withdrawn" in found.drawn.messages and "受理审查" in found.drawn.statuses
    assert {"licence_start", "licence_withdraw"} <= {form.id for form in found.own} and "subject" in found.fields


def test_the_preview_says_numbers_title_head_and_register(designer, draft):
    file = sheet_editing.sheet_file(draft.files)
    text = draft.files[file]
    files = draft.files | {"scenarios/a.json": '{"title": "a", "start": {"subject": "大棚", "applicant_name": "王", "secret": true, "county": "xihua"}}'}
    shown = sheet_preview.preview(designer, files, file, text, sheet_choices.choices(designer, files))
    assert shown.numbers == ("411600-XK-20261123-0001", "411600-XK-20261123-0002", "411600-XK-20261124-0001")
    assert shown.title.text == "关于大棚的许可" and shown.header["applicant"].text == "匿名(保密)"
    assert [each.label for each in shown.register] == ["县区", "等级", "轮次"] and shown.register[2].text == "0"


def test_a_preview_of_a_wrong_sheet_says_what_is_wrong(designer, draft):
    file = sheet_editing.sheet_file(draft.files)
    shown = sheet_preview.preview(designer, draft.files, file, "name: x\n", sheet_choices.choices(designer, draft.files))
    assert shown.sheet is None and shown.problems
    assert sheet_preview.numbers("{x}", region="1", code="2", day=designer.engine.clock().date()) == ()
