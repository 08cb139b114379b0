"""Signing in, lock-out, and the administrator's commands."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.errors import NotFound, NotPermitted, ValidationFailed
from engine.store import tables
from tests.desk import desk_models as models


def test_the_right_password_signs_in_and_is_audited(desk, rows, clock):
    person = desk.authenticate(" WangFang ".replace("Fang", ""), models.PASSWORD, "10.0.0.1")
    assert person.login == "wang"
    row = next(row for row in rows(tables.person) if row["login"] == "wang")
    assert row["last_login_at"] == clock.now and row["password_hash"].startswith("$argon2id$")
    assert [entry["address"] for entry in rows(tables.audit) if entry["action"] == "session.start"] == ["10.0.0.1"]


def test_a_wrong_password_and_an_unknown_account_get_the_same_words(desk):
    messages = set()
    for login in ("wang", "unknown"):
        with pytest.raises(NotPermitted) as refused:
            desk.authenticate(login, "wrong", "10.0.0.1")
        messages.add(str(refused.value))
    assert len(messages) == 1


def test_too_many_wrong_passwords_lock_the_account_for_a_while(desk, clock, rows):
    for _ in range(5):
        with pytest.raises(NotPermitted):
            desk.authenticate("wang", "wrong")
    with pytest.raises(NotPermitted) as refused:
        desk.authenticate("wang", models.PASSWORD)
    assert "15 minute" in str(refused.value)
    assert "session.locked" in {row["action"] for row in rows(tables.audit)}
    clock.now += timedelta(minutes=15, seconds=1)
    assert desk.authenticate("wang", models.PASSWORD).login == "wang"


def test_a_success_forgets_earlier_failures(desk):
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(NotPermitted):
                desk.authenticate("wang", "wrong")
        desk.authenticate("wang", models.PASSWORD)


def test_an_inactive_person_cannot_sign_in_and_is_in_no_group(desk):
    desk.people.save_person("gone", name="离职", section_code="gaoxin", roles=["clerk"], active=False, by="admin")
    with pytest.raises(NotPermitted):
        desk.authenticate("gone", models.PASSWORD)
    assert desk.groups("gone") == frozenset()


def test_only_an_administrator_saves_people_and_mistakes_are_named_by_field(desk, rows):
    with pytest.raises(NotPermitted):
        desk.people.save_person("neu", name="新人", section_code="gaoxin", by="zheng")
    with pytest.raises(ValidationFailed) as refused:
        desk.people.save_person("Neu Mann", name=" ", section_code="x", roles=["y"], password="short", by="admin")
    assert set(refused.value.errors) == {"login", "name", "section_code", "roles", "password"}
    with pytest.raises(ValidationFailed):
        desk.people.save_person("system", name="系统", section_code="gaoxin", by="admin")
    desk.people.save_person("neu", name="新人", section_code="gaoxin", roles=["clerk"], password="a good password", by="admin")
    assert desk.authenticate("neu", "a good password").groups >= {"clerk@gaoxin", "section:gaoxin"}
    assert "clerk@gaoxin" in desk.groups("neu")


def test_a_new_password_ends_all_sessions(desk, rows):
    with pytest.raises(ValidationFailed):
        desk.people.set_password("wang", "another good one", current="wrong", by="wang")
    desk.people.set_password("wang", "another good one", current=models.PASSWORD, by="wang")
    assert next(row for row in rows(tables.person) if row["login"] == "wang")["session_epoch"] == 1
    assert desk.authenticate("wang", "another good one")
    with pytest.raises(NotPermitted):
        desk.people.set_password("wang", "yet another one", by="li")


def test_a_substitution_can_be_ended_at_once(desk):
    key = desk.save_deputy("li", "zhao", date(2026, 11, 23), date(2026, 11, 30), by="admin")
    with pytest.raises(NotPermitted):
        desk.people.end_deputy(key, by="zhao")
    desk.people.end_deputy(key, by="li")
    with pytest.raises(NotFound):
        desk.people.end_deputy(key, by="li")
    with pytest.raises(ValidationFailed):
        desk.save_deputy("li", "li", date(2026, 11, 23), date(2026, 11, 22), by="li")


def test_the_demonstration_loads_once_and_its_accounts_work(engine, desk):
    from engine.runtime import demo

    assert demo.load(engine) > 40
    assert demo.load(engine) == 0
    account = demo.ACCOUNTS[0]
    assert desk.authenticate(account.login, account.password).login == account.login
    directory = desk.people.directory()
    for code, section in directory.sections.items():
        if section.kind == "county":
            assert directory.members(f"county_clerk@{code}") and directory.members(f"county_leader@{code}")
        if section.kind == "agency":
            assert directory.members(f"reviewer@{code}")


def test_the_demonstration_cases_open_in_the_delivered_procedures(database_url, clock, caplog):
    from engine import Engine
    from engine.runtime import demo
    from tests.desk.conftest import SETTINGS

    root = Path(__file__).parents[2]
    kinds = {".bpmn", ".dmn", ".form", ".yaml"}
    files = {
        str(path.relative_to(root)): path.read_bytes()
        for folder in ("processes", "forms")
        for path in sorted((root / folder).rglob("*"))
        if path.suffix in kinds
    }
    engine = Engine(database_url, clock=clock, settings=SETTINGS)
    engine.deploy(files, by="banjie")
    demo.load(engine)
    with engine.reading() as conn:
        opened = conn.execute(select(tables.case_file.c.procedure_id)).scalars().all()
    assert len(opened) == len(demo.script()["cases"])
    assert caplog.records == []
    assert demo.load(engine) == 0
    engine.dispose()
