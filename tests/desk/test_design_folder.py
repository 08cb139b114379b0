"""The folder of procedures and the database share one truth: export, import, and what a start finds."""

from __future__ import annotations

import json

import pytest

from engine.errors import NotFound
from engine.runtime.design import drafts, folder, versions
from engine.runtime.design.files import add_companion
from engine.store import tables
from engine.store.types import new_key
from tests.desk import desk_models as models


@pytest.fixture
def desk(desk):
    desk.people.save_person("mei", name="梅", section_code="office", roles=["designer"], password=models.PASSWORD, by="system")
    return desk


def changed(text: bytes | str, words: str) -> bytes:
    form = json.loads(text)
    form["components"].append({"type": "text", "id": "Field_new", "text": words})
    return json.dumps(form, ensure_ascii=False).encode()


def test_what_is_in_use_is_written_where_it_came_from_and_comes_back_unchanged(desk, tmp_path):
    answer = folder.export_folder(desk, tmp_path)
    assert {"processes/licence/procedure.yaml", "forms/licence_step.form"} <= set(answer.written) and not answer.conflicts
    assert (tmp_path / "forms/licence_step.form").read_bytes() == models.files()["forms/licence_step.form"]
    again = folder.export_folder(desk, tmp_path)
    assert not again.written and set(again.unchanged) == set(answer.written)
    imported = folder.import_folder(desk, tmp_path, by="mei")
    assert not imported.drafts and not imported.refused
    with pytest.raises(NotFound):
        folder.export_folder(desk, tmp_path, ["nothing"])
    with pytest.raises(NotFound):
        folder.import_folder(desk, tmp_path / "empty", by="mei")


def test_a_change_in_the_folder_becomes_a_draft_or_a_version(desk, engine, tmp_path):
    folder.export_folder(desk, tmp_path)
    form = tmp_path / "forms/licence_step.form"
    form.write_bytes(changed(form.read_bytes(), "新"))
    (tmp_path / "processes/licence/README.md").write_text("说明", encoding="utf-8")
    made = folder.import_folder(desk, tmp_path, by="mei")
    assert len(made.drafts) == 1 and not made.refused
    with engine.reading() as conn:
        draft = drafts.get(desk, conn, made.drafts[0][0], "mei")
    assert draft.process_id == "licence" and draft.files["licence_step.form"] == form.read_text() and draft.files["README.md"] == "说明"
    published = folder.import_folder(desk, tmp_path, publish=True, by="system")
    assert published.published == ["forms/licence_step.form"] and engine.definition("form", "licence_step").version == 2
    assert drafts.branch(desk, "licence", by="mei").files["README.md"] == "说明"
    with engine.reading() as conn:
        assert [each.number for each in versions.versions(desk, conn, "licence")] == [2, 1]


def test_what_both_sides_changed_is_reported_and_not_taken(desk, engine, tmp_path):
    folder.export_folder(desk, tmp_path)
    form = tmp_path / "forms/licence_step.form"
    engine.deploy({"licence_step.form": changed(form.read_bytes(), "页面上")}, by="mei")
    behind = folder.import_folder(desk, tmp_path, publish=True, by="system")
    assert not behind.published and "梅" in str(behind.refused[0]) and "version 2" in str(behind.refused[0])
    form.write_bytes(changed(form.read_bytes(), "文件夹里"))
    both = folder.import_folder(desk, tmp_path, by="mei")
    assert not both.drafts and len(both.refused) == 1
    out = folder.export_folder(desk, tmp_path)
    assert out.conflicts == ["forms/licence_step.form"] and "文件夹里" in form.read_text()
    assert folder.export_folder(desk, tmp_path, force=True).written == ["forms/licence_step.form"] and "页面上" in form.read_text()


def test_a_start_notes_readme_and_scenarios_once_and_leaves_a_designers_own(desk, engine, rows):
    files = {**models.files(), "processes/licence/README.md": "说明".encode(), "processes/licence/scenarios/a.json": b"{}"}
    folder.keep_delivered(desk, files)
    before = rows(tables.design_companion)
    assert {row["name"] for row in before} == {"README.md", "scenarios/a.json"}
    folder.keep_delivered(desk, files)
    assert rows(tables.design_companion) == before
    folder.keep_delivered(desk, {**files, "processes/licence/README.md": "改".encode()})
    assert drafts.branch(desk, "licence", by="mei").files["README.md"] == "改"
    with engine.reading() as conn:
        assert [each.number for each in versions.versions(desk, conn, "licence")] == [1]
    with engine.transaction(by="mei") as tx:
        add_companion(tx, "licence", "README.md", "梅的", new_key(), tx.now)
    folder.keep_delivered(desk, files)
    assert drafts.branch(desk, "licence", by="mei").files["README.md"] == "梅的"


def test_a_broken_note_of_the_last_export_is_no_obstacle(desk, tmp_path):
    folder.export_folder(desk, tmp_path)
    for text in ("{", "[]", '{"forms/licence_step.form": 5}', "\x00"):
        (tmp_path / "processes" / folder.MARK_FILE).write_text(text, encoding="utf-8")
        assert not folder.import_folder(desk, tmp_path, by="mei").refused
