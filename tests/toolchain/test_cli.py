"""The administrators' program: what it does, and that every refusal is one sentence and exit code 2."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from web.cli import main

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(f"languages: [en]\nport: {free_port()}\noffice_name: 测试局\n", encoding="utf-8")
    return file


@pytest.fixture
def banjie(config, monkeypatch):
    for name in [name for name in os.environ if name.startswith("BANJIE_")]:
        monkeypatch.delenv(name)

    def run(*arguments: str, typed: str | None = None):
        result = CliRunner().invoke(main, ["--config", str(config), *arguments], input=typed)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        return result

    return run


def refused(result) -> str:
    """The one sentence of a refusal."""
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_wrong_setting_is_one_sentence(banjie, config):
    config.write_text("port: many\n")
    assert refused(banjie("migrate")) == f"{config}:1: “port” is many; allowed: a whole number from 1 to 65535."


def test_the_database_folder_is_made_where_it_is_ours(banjie, tmp_path):
    assert banjie("migrate").output == "The database is up to date.\n"
    assert (tmp_path / "var" / "banjie.db").exists()
    assert banjie("migrate").exit_code == 0


def test_a_folder_that_does_not_exist_elsewhere_is_named(banjie, config):
    config.write_text("languages: [en]\ndatabase: sqlite:////nowhere/at/all.db\n")
    assert "/nowhere/at" in refused(banjie("migrate"))


def test_a_database_that_cannot_be_reached_is_one_sentence(banjie, config):
    config.write_text(f"languages: [en]\ndatabase: postgresql://u@127.0.0.1:{free_port()}/x\n")
    assert refused(banjie("migrate")).startswith("The database cannot be used: ")


def test_serving_without_tables_names_the_command_that_makes_them(banjie):
    assert "banjie migrate" in refused(banjie("serve"))


def test_serving_on_a_port_in_use_says_so_and_touches_no_database(banjie, config, tmp_path):
    port = int(config.read_text().split("port: ")[1].split()[0])
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert refused(banjie("serve")).startswith(f"Port {port} on 127.0.0.1 is in use.")
    assert not (tmp_path / "var" / "banjie.db").exists()


def test_serving_on_a_foreign_address_says_so(banjie, config):
    config.write_text("languages: [en]\nhost: 203.0.113.9\n")
    assert "203.0.113.9 does not belong to this machine" in refused(banjie("serve"))


def test_files_and_folders_are_deployed_together(banjie, tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "small.bpmn").write_bytes((Path(__file__).parent / "small.bpmn").read_bytes())
    (folder / "README.md").write_text("not deployed")
    banjie("migrate")
    assert banjie("deploy", str(folder)).output.endswith("Deployed 1 file(s).\n")


def test_cases_are_brought_to_the_searchable_fields_at_once(banjie):
    assert refused(banjie("refill-search"))
    banjie("migrate")
    assert banjie("refill-search").output.strip() == "0 case(s) brought to the searchable fields in use."


def test_an_empty_folder_is_refused(banjie, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "nothing to deploy" in refused(banjie("deploy", str(tmp_path / "empty")))


def test_findings_name_file_line_and_rule(banjie, tmp_path):
    broken = tmp_path / "broken.bpmn"
    broken.write_text((Path(__file__).parent / "small.bpmn").read_text().replace('targetRef="Decide"', 'targetRef="Nowhere"'))
    result = banjie("lint", str(broken))
    assert result.exit_code == 1
    first = result.stderr.splitlines()[0]
    assert first.startswith(f"{broken}:")
    assert first.endswith("]")
    banjie("migrate")
    result = banjie("deploy", str(broken))
    assert result.exit_code == 2
    assert result.stderr.endswith("Nothing was deployed.\n")


ORGANISATION = """
sections: [{code: office, name: 办公室, kind: section}]
roles: [{code: admin, name: 管理员}]
people: [{login: root, name: 管理员, section: office, roles: [admin], password: long-enough-1}]
"""


def test_an_organisation_and_an_account_can_be_made_from_nothing(banjie, tmp_path):
    (tmp_path / "org.yaml").write_text(ORGANISATION, encoding="utf-8")
    banjie("migrate")
    assert banjie("organisation", str(tmp_path / "org.yaml")).output == "1 people were added.\n"
    assert banjie("organisation", str(tmp_path / "org.yaml")).output == "0 people were added.\n"
    added = banjie("user", "add", "li", "--name", "李", "--section", "office", "--role", "admin", "--password-stdin", typed="long-enough-2\n")
    assert added.output == "The account “li” is ready.\n"


def test_an_organisation_file_with_a_gap_is_refused_with_the_row(banjie, tmp_path):
    (tmp_path / "org.yaml").write_text("sections: [{code: office, name: x, kind: section}, {code: other}]\n")
    banjie("migrate")
    assert refused(banjie("organisation", str(tmp_path / "org.yaml"))) == "Row 2 of “sections” needs code, kind, name."


def test_a_refused_account_says_which_field(banjie):
    banjie("migrate")
    result = banjie("user", "add", "li", "--name", "李", "--section", "nowhere", "--password-stdin", typed="short\n")
    assert result.exit_code == 2
    assert "There is no section “nowhere”." in result.stderr
    assert "  password: " in result.stderr


def test_the_demonstration_is_not_loaded_into_a_real_installation(banjie):
    assert "“demo” is false" in refused(banjie("demo"))


def test_the_version_is_known_without_settings(tmp_path):
    assert CliRunner().invoke(main, ["--config", str(tmp_path / "none.yaml"), "version"]).output.startswith("banjie ")


def test_a_served_desk_answers_and_stops_when_asked(banjie, config, tmp_path):
    banjie("migrate")
    port = int(config.read_text().split("port: ")[1].split()[0])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BANJIE_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "web.cli", "--config", str(config), "serve"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        # The line is printed once the address is taken; connections wait in the queue until waitress answers them.
        assert process.stdout.readline() == f"Banjie is ready at http://127.0.0.1:{port}/ (Ctrl-C stops it).\n"
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
            assert answer.status == 200
            assert "Content-Security-Policy" in answer.headers
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert time.monotonic() - begun < 10
    finally:
        process.kill()
        output = process.stdout.read()
        process.stdout.close()
        process.wait()
    assert "Traceback" not in output


def test_the_program_speaks_the_first_language_of_the_settings(banjie, config):
    config.write_text("languages: [zh, en]\n", encoding="utf-8")
    assert banjie("migrate").output == "数据库已是最新。\n"


def test_every_sentence_of_the_program_has_a_chinese_one():
    import ast

    from web.i18n import read_catalogues

    catalogue = read_catalogues("zh")
    missing = []
    for name in ("cli", "config", "server"):
        for node in ast.walk(ast.parse((ROOT / "web" / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("T", "EngineError", "CannotServe"):
                sentence = node.args[0]
                if isinstance(sentence, ast.Constant) and catalogue.ugettext(sentence.value) == sentence.value:
                    missing.append(sentence.value)
    assert missing == []
