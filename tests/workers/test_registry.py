"""Marking, loading and choosing workers."""

from __future__ import annotations

import sys
from datetime import timedelta

import pytest

from engine import EngineError
from engine.workers import WorkerSettings, all_workers, worker
from engine.workers.registry import Worker, load

SECOND = timedelta(seconds=1)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write an importable module: ``module("office", "text")``."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, text):
        (tmp_path / f"{name}.py").write_text("from engine.workers import worker\n" + text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    yield write
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


def test_a_marked_function_stays_a_function_and_knows_its_marks():
    @worker("a", retries=2, timeout=SECOND, backoff=SECOND, fetch=["x"])
    @worker("b")
    def both(job):
        return {"x": 1}

    assert both(None) == {"x": 1}
    assert [(made.type, made.retries, made.fetch) for made in both.job_workers] == [("b", None, None), ("a", 2, ("x",))]


def test_pauses_double_up_to_the_longest():
    made = Worker("a", print, backoff=10 * SECOND, max_backoff=60 * SECOND)
    assert [made.pause(attempts) for attempts in (0, 1, 2, 3, 4, 5, 1000)] == [SECOND * n for n in (10, 10, 20, 40, 60, 60, 60)]


def test_a_worker_may_allow_fewer_attempts_than_the_model_but_not_more():
    assert [Worker("a", print, retries=2).left(retries) for retries in (5, 2, 1)] == [1, 1, 0]
    assert Worker("a", print, retries=9).left(3) == 2


@pytest.mark.parametrize("wrong", [{"type": ""}, {"retries": 0}, {"timeout": 0 * SECOND}, {"backoff": -SECOND}])
def test_a_senseless_worker_is_refused(wrong):
    with pytest.raises(ValueError):
        Worker(**{"type": "a", "function": print, **wrong})


def test_modules_of_the_office_are_loaded(module):
    name = module("office_one", "@worker('a')\ndef a(job): ...\n@worker('b')\ndef b(job): ...\nalias = b\n")
    assert [made.type for made in load([name])] == ["a", "b"]
    settings = WorkerSettings(workers=(name,))
    assert sorted(all_workers(settings)) == ["a", "b"]
    assert sorted(all_workers(settings, ["b"])) == ["b"]
    assert all_workers(settings, []) == {}


@pytest.mark.parametrize(
    ("text", "why"), [("1 / 0", "division by zero"), ("import no_such_thing", "no_such_thing"), ("x = 1", "no function marked")]
)
def test_a_module_that_cannot_be_used_is_named_with_the_reason(module, text, why):
    name = module("office_bad", text)
    with pytest.raises(EngineError, match=why) as refused:
        load([name])
    assert name in str(refused.value) and "“workers”" in str(refused.value)


def test_two_workers_of_one_type_are_refused(module):
    names = tuple(module(f"office_{n}", "@worker('a')\ndef a(job): ...\n") for n in (1, 2))
    with pytest.raises(EngineError, match=r"Two workers .*“a”"):
        all_workers(WorkerSettings(workers=names))


def test_a_type_that_nobody_does_is_refused(module):
    with pytest.raises(EngineError, match=r"“mail”.*Set up: http"):
        all_workers(WorkerSettings(http_hosts=("example.cn",)), ["mail"])


def test_the_delivered_workers_are_there_when_they_are_set_up():
    assert all_workers(WorkerSettings()) == {}
    assert sorted(all_workers(WorkerSettings(http_internal_hosts=("10.0.0.1",)))) == ["http"]
    assert sorted(all_workers(WorkerSettings(smtp_host="mx", mail_from="a@b.cn"))) == ["mail", "notify.mail"]
    with pytest.raises(EngineError, match="mail_from"):
        all_workers(WorkerSettings(smtp_host="mx"))


def test_settings_come_from_whoever_has_them():
    assert WorkerSettings.of(None) == WorkerSettings() == WorkerSettings.of({"port": 1})
    assert WorkerSettings.of({"smtp_host": "mx", "port": 1}).smtp_host == "mx"
    assert "hunter2" not in repr(WorkerSettings(smtp_password="hunter2"))
