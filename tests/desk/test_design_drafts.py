"""Drafts of procedures: two designers at one draft, autosaves after a crash, names and texts that strangers chose."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import Conflict, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.design import drafts
from engine.runtime.design.files import main_process, refusal_of_name
from engine.runtime.design.skeleton import skeleton
from engine.store import tables
from tests.desk import desk_models as models


@pytest.fixture
def designers(desk):
    for login, name in (("mei", "梅"), ("tao", "陶")):
        desk.people.save_person(login, name=name, section_code="office", roles=["designer"], password=models.PASSWORD, by="system")
    return desk


def test_a_new_procedure_deploys_as_it_is(designers):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    assert draft.process_id == "leave" and draft.state == "OPEN" and draft.revision == 1
    assert drafts.examine(designers, draft.files) == []
    assert "BPMNShape" in draft.files["leave.bpmn"]


@pytest.mark.parametrize("title", ['<script>alert(1)</script>', '"quoted" & \'so\'', "=1+1", "a: b # c", "%(x)s {id}", "标题\n第二行"])
def test_a_new_procedure_takes_any_title_and_stays_valid(designers, title):
    draft = drafts.create(designers, title=title, by="mei")
    assert drafts.examine(designers, draft.files) == []


def test_a_title_is_needed_and_an_id_must_be_one_and_free(designers):
    for values in ({"title": "  "}, {"title": "x" * 201}, {"title": "请假", "process_id": "a b"}, {"title": "许可", "process_id": "licence"}):
        with pytest.raises(ValidationFailed) as refused:
            drafts.create(designers, by="mei", **values)
        assert refused.value.errors


def test_a_double_click_makes_one_draft(designers, rows):
    first = drafts.create(designers, title="请假", by="mei", token="t-1")
    assert drafts.create(designers, title="请假", by="mei", token="t-1").key == first.key
    assert len(rows(tables.design_draft)) == 1


def test_a_change_begins_with_what_is_in_use(designers, engine):
    draft = drafts.branch(designers, "licence", by="mei")
    assert draft.process_id == "licence" and not draft.from_older
    process = engine.definition("process", "licence")
    assert draft.files["licence.bpmn"] == engine.process_xml(process.key).decode()
    assert {"procedure.yaml", "licence_start.form", "licence_step.form"} <= set(draft.files)
    assert ("process", "licence", 1) in draft.parts["licence.bpmn"]
    assert not any("rules" in name or "ladders" in name for name in draft.files)
    with pytest.raises(NotFound):
        drafts.branch(designers, "nothing", by="mei")


def test_the_second_of_two_who_save_hears_the_name_of_the_first(designers, engine, clock):
    draft = drafts.branch(designers, "licence", by="mei")
    clock.now += timedelta(minutes=3)
    drafts.save(designers, draft.key, {"README.md": "梅的"}, revision=1, by="mei")
    with pytest.raises(Conflict) as refused:
        drafts.save(designers, draft.key, {"README.md": "陶的"}, revision=1, by="tao")
    assert refused.value.by == "mei" and refused.value.at == clock.now and "梅" in str(refused.value)
    with engine.reading() as conn:
        assert drafts.get(designers, conn, draft.key, "tao").files["README.md"] == "梅的"
    again = drafts.save(designers, draft.key, {"README.md": "陶的"}, revision=2, by="tao", note="改写说明")
    assert again.revision == 3 and again.saved_by == "tao"


def test_the_list_of_saves_names_the_files_and_leaves_their_texts_in_the_database(designers, engine):
    draft = drafts.create(designers, title="请假", process_id="leave", by="mei")
    drafts.save(designers, draft.key, {"README.md": "一", "leave.form": "{}"}, revision=1, note="加表单", by="tao")
    drafts.save(designers, draft.key, {"leave.form": None}, revision=2, by="mei")
    with engine.reading() as conn:
        listed = drafts.saves_listed(conn, draft.key)
        whole = drafts.saves(designers, conn, draft.key)
        assert [each.revision for each in drafts.saves_listed(conn, draft.key, 2)] == [3, 2]
    assert [(each.revision, each.files, each.note, each.by) for each in listed] == [
        (each.revision, sorted(each.changes), each.note, each.by) for each in whole
    ]
    assert listed[1].files == ["README.md", "leave.form"] and listed[0].at.tzinfo is not None


def test_saves_can_be_read_back_one_by_one(designers, engine):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    drafts.save(designers, draft.key, {"README.md": "二"}, revision=1, by="mei", note="说明")
    drafts.save(designers, draft.key, {"README.md": None, "notes.md": "三"}, revision=2, by="tao")
    with engine.reading() as conn:
        history = drafts.saves(designers, conn, draft.key)
    assert [(each.revision, each.by, each.note) for each in history] == [(3, "tao", ""), (2, "mei", "说明"), (1, "mei", "")]
    assert drafts.files_at(history, 2)["README.md"] == "二"
    assert "README.md" not in drafts.files_at(history, 3) and drafts.files_at(history, 3)["notes.md"] == "三"
    assert drafts.files_at(history, 1) == draft.files


def test_saving_what_is_there_already_makes_no_revision(designers):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    same = drafts.save(designers, draft.key, {"README.md": draft.files["README.md"]}, revision=1, by="mei")
    assert same.revision == 1


def test_an_autosave_outlives_a_crash_and_goes_with_the_next_save_of_its_file(designers, engine, clock):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    drafts.autosave(designers, draft.key, "leave.bpmn", "<half", revision=1, by="mei")
    clock.now += timedelta(seconds=20)
    drafts.autosave(designers, draft.key, "leave.bpmn", "<half more", revision=1, by="mei")
    drafts.autosave(designers, draft.key, "leave.bpmn", "<taos", revision=1, by="tao")
    engine.dispose()  # the node is gone; another opens the same database
    with engine.reading() as conn:
        mine = drafts.autosaves(designers, conn, draft.key, "mei")
        assert {file: (each.content, each.at, each.revision) for file, each in mine.items()} == {"leave.bpmn": ("<half more", clock.now, 1)}
        assert [login for login, _ in drafts.people_here(designers, conn, draft.key)] in (["mei", "tao"], ["tao", "mei"])
    drafts.autosave(designers, draft.key, "README.md", "half", revision=1, by="mei")
    saved = drafts.save(designers, draft.key, {"README.md": "x"}, revision=1, by="mei")
    with engine.reading() as conn:
        assert {file: each.content for file, each in drafts.autosaves(designers, conn, draft.key, "mei").items()} == {"leave.bpmn": "<half more"}
    # A file that is saved as it was counts too: its work was taken back.
    drafts.save(designers, draft.key, {"leave.bpmn": draft.files["leave.bpmn"]}, revision=saved.revision, by="mei")
    with engine.reading() as conn:
        assert drafts.autosaves(designers, conn, draft.key, "mei") == {}
        assert drafts.autosaves(designers, conn, draft.key, "tao")["leave.bpmn"].content == "<taos"
        clock.now += timedelta(minutes=3)
        assert drafts.people_here(designers, conn, draft.key) == []


def test_a_refused_save_keeps_the_autosave(designers, engine):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    drafts.autosave(designers, draft.key, "README.md", "lange getippt", revision=1, by="tao")
    drafts.save(designers, draft.key, {"README.md": "x"}, revision=1, by="mei")
    with pytest.raises(Conflict):
        drafts.save(designers, draft.key, {"README.md": "lange getippt"}, revision=1, by="tao")
    with engine.reading() as conn:
        assert drafts.autosaves(designers, conn, draft.key, "tao")["README.md"].content == "lange getippt"


def test_who_is_no_designer_neither_reads_nor_writes_and_the_audit_knows(designers, engine, rows):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    with engine.reading() as conn, pytest.raises(NotFound):
        drafts.get(designers, conn, draft.key, "wang")
    for attempt in (
        lambda: drafts.save(designers, draft.key, {"README.md": "x"}, revision=1, by="wang"),
        lambda: drafts.autosave(designers, draft.key, "README.md", "x", revision=1, by="wang"),
        lambda: drafts.discard(designers, draft.key, revision=1, by="wang"),
        lambda: drafts.create(designers, title="x", by="wang"),
    ):
        with pytest.raises(NotPermitted):
            attempt()
    designers.flush_refusals()
    assert [row["by"] for row in rows(tables.audit) if row["action"] == "access.refused"].count("wang") == 5


def test_a_discarded_draft_is_not_lost(designers, engine):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    drafts.discard(designers, draft.key, revision=1, by="tao")
    drafts.discard(designers, draft.key, revision=1, by="tao")  # the second click
    with pytest.raises(InvalidState):
        drafts.save(designers, draft.key, {"README.md": "x"}, revision=1, by="mei")
    drafts.restore(designers, draft.key, by="mei")
    assert drafts.save(designers, draft.key, {"README.md": "x"}, revision=1, by="mei").state == "OPEN"
    with pytest.raises(Conflict):
        drafts.discard(designers, draft.key, revision=1, by="tao")


def test_a_copy_goes_its_own_way(designers):
    draft = drafts.branch(designers, "licence", by="mei")
    twin = drafts.copy(designers, draft.key, title="许可（试改）", by="tao")
    assert twin.files == draft.files and twin.parts == draft.parts and twin.owner == "tao"
    drafts.save(designers, twin.key, {"README.md": "x"}, revision=1, by="tao")
    drafts.rename(designers, draft.key, "许可 新", revision=1, by="mei")


@pytest.mark.parametrize(
    "name",
    ["../x.bpmn", "/etc/x.bpmn", "a/b.bpmn", "x.exe", "x", "", ".bpmn", "scenarios/a.txt", "scenarios/../a.json", "scenarios/a/b.json",
     "deadline_rules.yaml", "ladders.yml", "a\\b.form", "a\x00.form", "con|x.form", "x" * 200 + ".form", "x.json", " x.md"],
)  # fmt: skip
def test_a_file_cannot_have_a_name_that_leads_elsewhere(designers, name):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    with pytest.raises(ValidationFailed):
        drafts.save(designers, draft.key, {name: "x"}, revision=1, by="mei")


def test_texts_that_no_database_keeps_and_texts_without_end_are_refused(designers):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    for text in ("a\x00b", "\ud800", "x" * (5 * 2**20 + 1)):
        with pytest.raises(ValidationFailed):
            drafts.save(designers, draft.key, {"README.md": text}, revision=1, by="mei")
        with pytest.raises(ValidationFailed):
            drafts.autosave(designers, draft.key, "README.md", text, revision=1, by="mei")
    with pytest.raises(ValidationFailed):
        drafts.save(designers, draft.key, {f"scenarios/{number}.json": "{}" for number in range(301)}, revision=1, by="mei")
    with pytest.raises(ValidationFailed):
        drafts.save(designers, draft.key, dict.fromkeys(draft.files), revision=1, by="mei")


def test_a_bomb_and_a_torn_file_can_be_saved_and_are_findings(designers):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    saved = drafts.save(designers, draft.key, {"leave.bpmn": bomb, "leave_handle.form": '{"components": ['}, revision=1, by="mei")
    rules = {problem.rule for problem in drafts.examine(designers, saved.files)}
    assert "xml.doctype" in rules and len(rules) > 1


@given(st.text(max_size=40))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_escapes_its_folder(name):
    if refusal_of_name(name) is None:
        assert name.count("/") <= 1 and ".." not in name.split("/") and not name.startswith("/") and "\x00" not in name


def test_the_files_say_which_procedure_they_are_about():
    files = skeleton("leave", "请假")
    assert main_process(files) == "leave"
    assert main_process({"a.bpmn": "<torn"}) is None
    assert main_process({}) is None
