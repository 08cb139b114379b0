"""``banjie worker`` and the workers inside ``banjie serve``."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from engine import Engine, EngineError
from tests.bpmn.builder import bpmn, process, service
from web import scheduler
from web.cli import main
from web.config import SettingsError, load_settings

ROOT = Path(__file__).parents[2]
LONG = 60

OFFICE = """
from pathlib import Path
from engine.workers import worker

@worker("greet")
def greet(job):
    return {"greeting": "hello " + job.variables["name"]}

@worker("long")
def long(job):
    print("working", flush=True)
    Path(job.variables["gate"]).read_text()  # a pipe: waits until the test opens it
    return {"done": True}
"""


@pytest.fixture
def config(tmp_path, database_url, monkeypatch):
    """A settings file beside a module of the office, on a fresh database."""
    for name in [name for name in os.environ if name.startswith("BANJIE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", [*sys.path])
    file = tmp_path / "config.yaml"
    file.write_text(f"languages: [en]\ndatabase: {database_url}\nworkers: [office_jobs]\n", encoding="utf-8")
    (tmp_path / "office_jobs.py").write_text(OFFICE, encoding="utf-8")
    yield file
    sys.modules.pop("office_jobs", None)


@pytest.fixture
def desk(config, database_url):
    """An engine in real time on the same database; ``greet`` and ``long`` are processes of one job each."""
    made = Engine(database_url)
    made.deploy({f"{type}.bpmn": bpmn(process(type, "start -> j -> end", j=service(type))) for type in ("greet", "long")}, by="designer")
    yield made
    made.dispose()


def banjie(config, *arguments):
    result = CliRunner().invoke(main, ["--config", str(config), *arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def test_the_jobs_that_are_there_are_done_once(config, desk):
    keys = [desk.start("greet", {"name": name}).key for name in ("Li", "Wang", "Zhao")]
    result = banjie(config, "worker", "--once")
    assert (result.exit_code, result.stdout) == (0, "3 job(s) were worked on.\n")
    assert [desk.instance(key).variables["greeting"] for key in keys] == ["hello Li", "hello Wang", "hello Zhao"]


def test_only_the_chosen_types_are_done(config, desk):
    desk.start("greet", {"name": "Li"})
    assert banjie(config, "worker", "--once", "--type", "long").stdout == "0 job(s) were worked on.\n"
    assert banjie(config, "worker", "--once", "--type", "greet").stdout == "1 job(s) were worked on.\n"


@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize(
    ("settings", "arguments", "sentence"),
    [
        ("workers: []", (), "No worker is set up"),
        ("workers: [no_such_module_of_ours]", (), "no_such_module_of_ours"),
        ("", ("--type", "sms"), "Nobody here does jobs of the type “sms”"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(config, desk, settings, arguments, sentence):
    if settings:
        config.write_text(config.read_text(encoding="utf-8").replace("workers: [office_jobs]", settings), encoding="utf-8")
    result = banjie(config, "worker", *arguments)
    assert result.exit_code == 2 and sentence in result.stderr and len(result.stderr.strip().splitlines()) == 1


@pytest.fixture
def worker_process(config):
    """A started ``banjie worker`` that has said it is ready."""
    running = subprocess.Popen(
        [sys.executable, "-m", "web.cli", "--config", str(config), "worker", "--threads", "1"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert " does: greet, long (Ctrl-C stops it)." in running.stdout.readline()
    yield running
    running.kill()
    running.stdout.close()
    running.wait()


def test_a_worker_that_is_asked_to_stop_finishes_its_job_first(desk, worker_process, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    working, waiting = (desk.start("long", {"gate": str(gate)}).key for _ in range(2))
    assert worker_process.stdout.readline() == "working\n"
    worker_process.send_signal(signal.SIGTERM)
    opened = threading.Thread(target=gate.write_text, args=("go on",), daemon=True)
    opened.start()
    assert worker_process.wait(LONG) == 0
    opened.join(LONG)
    assert "Traceback" not in worker_process.stdout.read()
    assert (desk.instance(working).state, desk.instance(working).variables["done"]) == ("COMPLETED", True)
    assert desk.instance(waiting).state == "ACTIVE"
    (job,) = desk.activate_jobs("long", "another")
    assert (job.instance_key, job.attempts) == (waiting, 1)


def test_the_job_of_a_killed_worker_is_given_again_when_its_lease_ends(desk, worker_process, tmp_path, clock, database_url):
    from datetime import timedelta

    os.mkfifo(tmp_path / "gate")
    key = desk.start("long", {"gate": str(tmp_path / "gate")}).key
    assert worker_process.stdout.readline() == "working\n"
    worker_process.kill()
    worker_process.wait(LONG)
    assert desk.activate_jobs("long", "another") == []
    later = Engine(database_url, clock=lambda: desk.clock() + timedelta(minutes=6))
    (job,) = later.activate_jobs("long", "another")
    assert (job.instance_key, job.attempts) == (key, 2)
    later.complete_job(job.key, worker="another")
    assert later.instance(key).state == "COMPLETED"
    later.dispose()


# --- in the server -----------------------------------------------------------------------------------------------------------


def test_the_server_does_jobs_itself(config, desk):
    app = SimpleNamespace(extensions={})
    settings = load_settings(config, {})
    runner = scheduler.start_workers(app, desk, settings)
    try:
        assert app.extensions[scheduler.WORKERS] is runner and runner.running
        assert sorted(runner.workers) == ["greet", "long"]
        key = desk.start("greet", {"name": "Li"}).key
        waiting = threading.Event()
        for _ in range(LONG * 100):
            if desk.instance(key).state == "COMPLETED":
                break
            waiting.wait(0.01)
        assert desk.instance(key).variables["greeting"] == "hello Li"
    finally:
        assert runner.stop(LONG) is True


@pytest.mark.parametrize("database_kind", ["sqlite"])
def test_a_server_without_workers_starts_none(config, desk):
    app = SimpleNamespace(extensions={})
    for environ in ({"BANJIE_WORKERS_IN_PROCESS": ""}, {"BANJIE_WORKERS": ""}):
        assert scheduler.start_workers(app, desk, load_settings(config, environ)) is None
        assert app.extensions[scheduler.WORKERS] is None
    with pytest.raises(EngineError, match="“sms”"):
        scheduler.start_workers(app, desk, load_settings(config, {"BANJIE_WORKERS_IN_PROCESS": "greet, sms"}))


# --- settings ----------------------------------------------------------------------------------------------------------------


def settings(tmp_path, **environ):
    file = tmp_path / "settings.yaml"
    file.write_text("", encoding="utf-8")
    return load_settings(file, {f"BANJIE_{name}": value for name, value in environ.items()})


def test_settings_of_the_workers_are_checked(tmp_path):
    made = settings(tmp_path, HTTP_HOSTS="api.cn, *.gov.cn:8443", HTTP_INTERNAL_HOSTS="[::1]:80,10.0.0.1", WORKERS="office.jobs")
    assert made.http_hosts == ("api.cn", "*.gov.cn:8443") and made.workers == ("office.jobs",)
    for name, value in (
        ("HTTP_HOSTS", "http://api.cn"), ("HTTP_HOSTS", "*"), ("HTTP_HOSTS", "a.*.cn"), ("WORKERS", "office/jobs.py"), ("SMTP_TLS", "ssl"),
        ("WORKER_THREADS", "0"), ("MAIL_FROM", "nobody"), ("HTTP_TIMEOUT_SECONDS", "601"),
    ):  # fmt: skip
        with pytest.raises(SettingsError, match=f"BANJIE_{name}"):
            settings(tmp_path, **{name: value})


def test_a_mail_server_needs_a_sender(tmp_path):
    with pytest.raises(SettingsError, match="mail_from"):
        settings(tmp_path, SMTP_HOST="mx.example.cn")
    assert settings(tmp_path, SMTP_HOST="mx.example.cn", MAIL_FROM="desk@example.cn").smtp_port == 587


def test_the_password_of_the_mail_server_is_never_shown(tmp_path):
    made = settings(tmp_path, SMTP_PASSWORD="hunter2")
    assert made.smtp_password == "hunter2" and "hunter2" not in repr(made)


def test_in_a_demonstration_the_worker_lives_in_the_time_of_the_desk(config, desk, database_url):
    from datetime import timedelta

    from engine.runtime import administration
    from engine.runtime.desk import OPERATOR

    config.write_text(config.read_text(encoding="utf-8") + "demo: true\n", encoding="utf-8")
    administration.move_clock(desk.desk, 3 * 86400, shown=desk.clock(), by=OPERATOR)
    ahead = Engine(database_url, clock=lambda: desk.clock() + timedelta(days=2))
    ahead.start("greet", {"name": "Li"})
    ahead.dispose()
    assert banjie(config, "worker", "--once").stdout == "1 job(s) were worked on.\n"
