"""The delivered procedures as a folder: each process a draft of its own, and every byte the same on the way back."""

from __future__ import annotations

import io
import shutil
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from engine.runtime.design import drafts, folder
from engine.runtime.design.exchange import HISTORY_FILE, archive_of_draft
from engine.runtime.desk import DELIVERER
from tests.desk import desk_models as models

ROOT = Path(__file__).parents[2]
SHARED = {"sub_correction", "sub_countersign", "sub_extension", "sub_reply_visit"}


@pytest.fixture
def desk(desk):
    desk.people.save_person("mei", name="梅", section_code="office", roles=["designer"], password=models.PASSWORD, by="system")
    return desk


@pytest.fixture
def office(tmp_path) -> Path:
    for name in folder.FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / "office" / name)
    return tmp_path / "office"


def drafts_of(desk, answer) -> dict[str, drafts.Draft]:
    with desk.engine.reading() as conn:
        found = [drafts.get(desk, conn, key, "mei") for key, _ in answer.drafts]
    assert len({draft.process_id for draft in found}) == len(found)
    return {draft.process_id: draft for draft in found}


def deployed(desk, office: Path) -> None:
    files = {str(path.relative_to(office)): path.read_bytes() for path in sorted(office.rglob("*")) if path.is_file()}
    desk.engine.deploy({name: data for name, data in files.items() if PurePosixPath(name).suffix in (".bpmn", ".dmn", ".form", ".yaml")}, by=DELIVERER)
    folder.keep_delivered(desk, {name: data for name, data in files.items() if len(PurePosixPath(name).parts) > 2})


def test_every_delivered_process_becomes_a_draft_of_its_own_and_leaves_it_byte_by_byte(desk, office):
    made = drafts_of(desk, folder.import_folder(desk, office, by="mei"))
    assert set(made) >= SHARED and len(made) == len(list(office.glob("processes/*/*.bpmn")))
    left: dict[str, bytes] = {}
    for draft in made.values():
        with desk.engine.reading() as conn:
            opened = zipfile.ZipFile(io.BytesIO(archive_of_draft(desk, conn, draft)))
        for name in opened.namelist():
            if name != HISTORY_FILE:
                left[f"{draft.process_id}/{name}"] = opened.read(name)
    lying = {path.read_bytes() for path in office.rglob("*") if path.is_file() and len(path.relative_to(office).parts) + (path.suffix == ".form") > 2}
    assert set(left.values()) == lying
    assert {name for name in left if name.startswith("sub_countersign/")} >= {"sub_countersign/sub_countersign.bpmn", "sub_countersign/sub_countersign.dmn"}


def test_what_is_in_use_is_exported_as_it_was_delivered(desk, office, tmp_path):
    deployed(desk, office)
    answer = folder.export_folder(desk, tmp_path / "out")
    assert not answer.conflicts
    for path in (each for each in answer.written if (office / each).exists()):
        assert (tmp_path / "out" / path).read_bytes() == (office / path).read_bytes(), path
    assert {path for path in answer.written if path.startswith("processes/shared/")} == {f"processes/shared/{each.name}" for each in (office / "processes/shared").iterdir()}
    assert folder.import_folder(desk, tmp_path / "out", by="mei").drafts == []


def test_one_shared_process_changed_in_the_folder_is_one_draft_that_knows_its_base(desk, office):
    deployed(desk, office)
    file = office / "processes/shared/sub_extension.bpmn"
    file.write_bytes(file.read_bytes().replace(b"</bpmn:definitions>", b"\n</bpmn:definitions>"))
    (made,) = drafts_of(desk, folder.import_folder(desk, office, by="mei")).values()
    assert made.process_id == "sub_extension" and made.parts["sub_extension.bpmn"] == [("process", "sub_extension", 1)]
    assert "sub_countersign.dmn" not in made.files and made.title == desk.engine.definition("process", "sub_extension").name
