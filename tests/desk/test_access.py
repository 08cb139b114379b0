"""Who may read a case, whose names are hidden from whom, and that refusals and looks are on record."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from engine.errors import NotFound
from engine.runtime.casework.access import (
    MASK,
    access_attachment,
    access_case,
    access_person_admin,
    access_task,
    confidential,
    mask,
    visible_cases,
)
from engine.runtime.sheets import parse_sheet
from engine.store import tables
from tests.desk import desk_models as models

SHEET = parse_sheet("procedure.yaml", models.SHEET.encode())[0]
PDF = b"%PDF-1.7 test"


@pytest.fixture
def secret(desk):
    return desk.start_case("licence", {**models.START, "secret": True}, by="wang")


def readable(engine, case_key: int, login: str) -> bool:
    with engine.reading() as conn:
        try:
            access_case(conn, case_key, login)
        except NotFound:
            return False
    return True


@pytest.mark.parametrize(
    ("login", "allowed"),
    [
        ("wang", True), ("li", True), ("chen", True), ("wu", True), ("zheng", True), ("du", True),
        ("sun", False), ("zhou", False), ("admin", False), ("nobody", False),
    ],
)  # fmt: skip
def test_participants_chiefs_oversight_and_sheet_roles_read_a_case_and_nobody_else(engine, in_handling, login, allowed):
    assert readable(engine, in_handling.key, login) is allowed


def test_who_handled_a_case_may_still_read_it_later(desk, engine, in_handling, open_task):
    desk.transfer(open_task(in_handling.key, "handle").key, "sun", "请协助", by="du")
    desk.complete_task(open_task(in_handling.key, "handle").key, {}, outcome="submit", by="sun")
    assert readable(engine, in_handling.key, "sun")


def test_a_refusal_is_audited_also_when_asked_inside_a_query(engine, desk, in_handling, rows):
    assert not readable(engine, in_handling.key, "sun")
    assert not readable(engine, 4711, "sun")
    desk.flush_refusals()
    refused = [row for row in rows(tables.audit) if row["action"] == "access.refused"]
    assert [(row["by"], row["subject"], row["details"]["reason"]) for row in refused] == [
        ("sun", f"case:{in_handling.key}", "not a participant"),
        ("sun", "case:4711", "missing"),
    ]


def test_a_list_holds_the_cases_that_may_be_opened(engine, desk, in_handling):
    case = tables.case_file
    for login in ("wang", "li", "chen", "wu", "du", "sun", "zhou", "admin"):
        with engine.reading() as conn:
            condition = visible_cases(desk.groups(login), desk.access.identities(conn, login), desk.readable_procedures(login))
            listed = bool(conn.execute(select(case.c.key).where(condition)).all())
        assert listed is readable(engine, in_handling.key, login), login


def test_a_task_is_found_by_its_candidates_and_the_readers_of_its_case(engine, in_handling, open_task):
    key = open_task(in_handling.key, "handle").key
    with engine.reading() as conn:
        assert access_task(conn, key, "li").key == key
        assert access_task(conn, key, "du").key == key
        with pytest.raises(NotFound):
            access_task(conn, key, "sun")


def test_only_an_administrator_in_their_own_right_sees_the_accounts(engine, desk):
    with engine.reading() as conn:
        access_person_admin(conn, "admin")
        with pytest.raises(NotFound):
            access_person_admin(conn, "zheng")


def test_names_are_masked_at_any_depth_and_empty_ones_stay_empty():
    data = {"applicant_name": "张三", "applicant_phone": "", "list": [{"applicant_name": "李四", "note": "x"}], "subject": "s"}
    assert mask(data, SHEET) == {
        "applicant_name": MASK,
        "applicant_phone": "",
        "list": [{"applicant_name": MASK, "note": "x"}],
        "subject": "s",
    }
    assert data["applicant_name"] == "张三"


def test_names_are_hidden_unless_the_condition_is_certainly_false():
    sheet = parse_sheet("procedure.yaml", models.SHEET.replace("when: '=secret = true'", "when: '=secret'").encode())[0]
    assert confidential(sheet, {"secret": True})
    assert confidential(sheet, {})
    assert confidential(sheet, {"secret": "unclear"})
    assert not confidential(sheet, {"secret": False})
    assert not confidential(None, {})


def test_hidden_names_are_shown_by_role_and_to_the_handler_and_each_look_is_recorded(desk, secret, open_task, rows):
    desk.complete_task(open_task(secret.key, "accept").key, {}, outcome="accept", by="wang")
    task = open_task(secret.key, "handle")
    assert not desk.look(secret.key, by="chen")
    assert not desk.look(secret.key, by="li")
    desk.claim(task.key, by="li")
    assert desk.look(secret.key, by="li", address="10.0.0.9").reason == "assignee"
    assert desk.look(secret.key, by="du").reason == "role"
    looks = rows(tables.sensitive_view)
    assert [(row["viewer"], row["reason"], row["address"]) for row in looks] == [("li", "assignee", "10.0.0.9"), ("du", "role", None)]
    assert looks[0]["fields"] == ["applicant_name", "applicant_phone"]
    with pytest.raises(NotFound):
        desk.look(secret.key, by="sun")


def test_an_open_case_needs_no_look(desk, case, rows):
    assert desk.look(case.key, by="du").reason == "open"
    assert rows(tables.sensitive_view) == []


def test_an_attachment_that_shows_a_hidden_name_is_hidden_too(desk, engine, secret, rows):
    key = desk.upload(f"case:{secret.key}", "files::a", "身份证.pdf", "", PDF, by="wang")
    with engine.reading() as conn:
        assert access_attachment(conn, key, "wang")
        assert access_attachment(conn, key, "du")
        with pytest.raises(NotFound):
            access_attachment(conn, key, "chen")
