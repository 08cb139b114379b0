from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from web.config import FIELDS, Settings, SettingsError, load_settings, with_secret

ROOT = Path(__file__).parents[2]


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(tmp_path: Path, text: str, **environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(written(tmp_path, text), environ)
    return str(caught.value)


def test_the_delivered_file_names_every_setting_and_is_allowed():
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    named = {line.split(":")[0] for line in text.splitlines() if line and not line.startswith("#")}
    assert named == set(FIELDS)
    settings = load_settings(ROOT / "config.yaml", {})
    assert settings.demo is True
    assert settings.languages[0] == "zh"


def test_every_setting_of_the_delivered_file_is_explained_above_it():
    lines = (ROOT / "config.yaml").read_text(encoding="utf-8").splitlines()
    for above, line in zip(lines, lines[1:], strict=False):
        if line and not line.startswith("#"):
            assert above.startswith("# "), line


def test_an_empty_file_gives_the_defaults(tmp_path):
    settings = load_settings(written(tmp_path, ""), {})
    assert settings.port == 8080
    assert settings.demo is False
    assert settings.office_hours == ((time(8, 30), time(12)), (time(14, 30), time(17, 30)))


def test_a_relative_database_stands_beside_the_settings_file(tmp_path):
    assert load_settings(written(tmp_path, ""), {}).database == f"sqlite:///{tmp_path}/var/banjie.db"


def test_the_environment_overrides_the_file(tmp_path):
    environ = {"BANJIE_PORT": "9000", "BANJIE_DEMO": "true", "BANJIE_LANGUAGES": "en, zh", "BANJIE_OFFICE_HOURS": "09:00-12:00,13:00-17:00"}
    settings = load_settings(written(tmp_path, "port: 8081\n"), environ)
    assert (settings.port, settings.demo, settings.languages) == (9000, True, ("en", "zh"))
    assert settings.office_hours[1] == (time(13), time(17))


def test_a_plain_postgresql_address_gets_the_driver(tmp_path):
    assert load_settings(written(tmp_path, ""), {"BANJIE_DATABASE": "postgresql://a:b@h/n"}).database == "postgresql+psycopg://a:b@h/n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\nport: 99999\n", ":2: “port” is 99999; allowed: a whole number from 1 to 65535."),
        ("port: yes\n", ":1: “port”"),
        ("demo: 1\n", ":1: “demo” is 1; allowed: true or false."),
        ("languages: [zh, fr]\n", "allowed: a list of zh and en"),
        ("languages: []\n", "allowed: a list of zh and en"),
        ('office_hours: ["14:00-12:00"]\n', "in order of time"),
        ("database: mysql://x/y\n", "allowed: sqlite:///path"),
        ("# c\n\nprot: 8080\n", ":3: there is no setting “prot”; did you mean “port”?"),
        ("port: 1\nport: 2\n", ":2: “port” is given a second time"),
        ("port: [1\n", "this is not YAML"),
        ("- port\n", "name: value"),
        ("region: 411600\n", "six digits in quotes"),
        ("secret_key: short\n", "at least 32 characters"),
        ("upload_max_bytes: 100000000\n", "“max_request_bytes” must be at least"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_place_and_what_is_allowed(tmp_path, text, said):
    message = refusal(tmp_path, text)
    assert said in message
    assert str(tmp_path / "config.yaml") in message


def test_a_wrong_variable_is_named_and_a_secret_is_not_shown(tmp_path):
    assert refusal(tmp_path, "", BANJIE_PORT="http").startswith("BANJIE_PORT: ")
    assert "hunter2" not in refusal(tmp_path, "", BANJIE_SECRET_KEY="hunter2")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match="does not exist"):
        load_settings(tmp_path / "other.yaml", {})


def test_the_secret_is_made_once_and_only_the_owner_can_read_it(tmp_path):
    settings = load_settings(written(tmp_path, ""), {})
    first, second = with_secret(settings), with_secret(settings)
    assert len(first.secret_key) == 64
    assert first.secret_key == second.secret_key
    assert (tmp_path / "var" / "secret").stat().st_mode & 0o777 == 0o600


def test_a_configured_secret_writes_no_file(tmp_path):
    settings = load_settings(written(tmp_path, ""), {"BANJIE_SECRET_KEY": "k" * 40})
    assert with_secret(settings) is settings
    assert not (tmp_path / "var").exists()


def test_a_secret_cut_short_is_refused(tmp_path):
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "secret").write_text("abc")
    with pytest.raises(SettingsError, match="too short"):
        with_secret(load_settings(written(tmp_path, ""), {}))


def test_fields_and_settings_have_the_same_names():
    assert set(FIELDS) == set(Settings.__dataclass_fields__) - {"folder"}
