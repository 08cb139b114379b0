"""``banjie procedures``: the folder and the database, from the command line."""

from __future__ import annotations

import os

import pytest
from click.testing import CliRunner

from engine import Engine
from engine.runtime.design.skeleton import skeleton
from web.cli import main


@pytest.fixture
def engine(tmp_path):
    made = Engine(f"sqlite:///{tmp_path}/banjie.db")
    made.migrate()
    made.deploy({name: text.encode() for name, text in skeleton("leave", "Leave").items() if not name.endswith(".md")}, by="mei")
    yield made
    made.dispose()


@pytest.fixture
def banjie(tmp_path, engine, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BANJIE_")]:
        monkeypatch.delenv(name)
    config = tmp_path / "config.yaml"
    config.write_text("languages: [en]\ndatabase: sqlite:///banjie.db\n", encoding="utf-8")

    def run(*arguments: object, code: int = 0):
        result = CliRunner().invoke(main, ["--config", str(config), *map(str, arguments)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert result.exit_code == code, result.output
        return result

    return run


def test_procedures_go_out_into_a_folder_and_come_back_as_drafts_or_versions(banjie, engine, tmp_path):
    out = tmp_path / "out"
    assert "4 file(s) written" in banjie("procedures", "export", out).output
    assert "Nothing new" in banjie("procedures", "import", out).output
    model = out / "processes/leave/leave.bpmn"
    model.write_text(model.read_text(encoding="utf-8").replace("办理", "审批"), encoding="utf-8")
    assert "leave.bpmn was changed in the folder" in banjie("procedures", "export", out, code=1).output
    assert "Draft: Leave" in banjie("procedures", "import", out).output
    assert engine.definition("process", "leave").version == 1
    assert "In use: processes/leave/leave.bpmn" in banjie("procedures", "import", out, "--publish").output
    engine.catalogue.forget()
    assert engine.definition("process", "leave").version == 2
    banjie("procedures", "import", tmp_path / "nowhere", code=2)
    assert "nothing" in banjie("procedures", "export", out, "--process", "nothing", code=2).output
