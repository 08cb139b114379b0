"""Administration: people, sections, roles, substitutions, calendar; and the log, which only the auditor reads."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from engine.store.tables import audit, person, section
from tests.desk import desk_models as models
from tests.web.rooms import app, browse, clock, engine, open_case  # noqa: F401  fixtures

ADMIN_PAGES = ("/admin", "/admin/people/new", "/admin/people/li", "/admin/sections", "/admin/roles", "/admin/deputies", "/admin/calendar")
FORM = {"name": "李强", "section_code": "gaoxin", "title": "科员", "phone": "", "email": "", "language": "zh", "active": "1", "roles": ["clerk"]}


@pytest.mark.parametrize("address", ADMIN_PAGES)
def test_pages_of_administration_are_for_administrators_only(browse, address):
    assert browse("admin").get(address).status_code == 200
    for login in ("designer", "auditor", "du", "zheng", "li"):
        assert browse(login).get(address).status_code == 403, login


def test_the_three_duties_are_split(browse):
    assert browse("admin").get("/designer").status_code == 403
    assert browse("admin").get("/admin/audit").status_code == 403
    assert browse("auditor").get("/admin/audit").status_code == 200
    assert browse("auditor").get("/admin").status_code == 403
    assert browse("designer").get("/admin/audit").status_code == 403


@pytest.mark.parametrize(
    ("login", "address"),
    [
        ("auditor", "/admin/people/li/password"), ("designer", "/admin/people/li"), ("du", "/admin/people/li/unlock"), ("li", "/admin/sections"),
        ("zheng", "/admin/roles"), ("chen", "/admin/deputies"), ("auditor", "/admin/people/new"), ("wang", "/admin/people/li/sessions"),
    ],
)  # fmt: skip
def test_commands_of_administration_are_refused_to_others(browse, login, address):
    assert browse(login).post(address, data=FORM).status_code == 403


def test_people_are_found_by_name_section_role_and_state(browse):
    client = browse("admin")
    for query, shown, hidden in (("q=李", "李强", "赵敏"), ("section=nongcun", "孙丽", "李强"), ("role=supervisor", "杜督", "李强"), ("q=%25", "", "李强")):
        body = client.get(f"/admin?{query}").get_data(as_text=True)
        body = body[body.index("frame__main") :]
        assert shown in body, query
        assert hidden not in body, query


def test_a_new_person_gets_a_password_that_is_shown_once_and_works(browse, engine, app):
    client = browse("admin")
    answer = client.post("/admin/people/new", data={**FORM, "login": "Qian", "name": "钱进"})
    password = re.search(r"<code[^>]*>([^<]+)</code>", answer.get_data(as_text=True)).group(1)
    assert engine.desk.authenticate("qian", password).name == "钱进"
    assert password not in client.get("/admin/people/qian").get_data(as_text=True)
    with engine.reading() as conn:
        assert all(password not in str(row.details) for row in conn.execute(select(audit)))
    taken = client.post("/admin/people/new", data={**FORM, "login": "qian"})
    assert taken.status_code == 422
    assert "taken" in taken.get_data(as_text=True)


def test_refused_fields_are_marked_and_nothing_is_saved(browse, engine):
    answer = browse("admin").post("/admin/people/li", data={**FORM, "name": " ", "section_code": "mars", "roles": ["king"]})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422
    assert "3 fields need attention" in page
    assert engine.desk.person("li").section_code == "gaoxin"


def test_deactivating_ends_the_sessions(browse, engine):
    theirs = browse("li")
    assert theirs.get("/inbox").status_code == 200
    form = {**FORM, "active": ""}
    assert browse("admin").post("/admin/people/li", data=form).status_code == 302
    assert theirs.get("/inbox").status_code == 302
    assert not engine.desk.person("li").active


def test_a_password_is_reset_for_others_only(browse, engine):
    client = browse("admin")
    page = client.post("/admin/people/li/password").get_data(as_text=True)
    password = re.search(r"<code[^>]*>([^<]+)</code>", page).group(1)
    assert engine.desk.authenticate("li", password).login == "li"
    assert client.post("/admin/people/admin/password").status_code == 409
    assert client.post("/admin/people/nobody/password").status_code == 404


def test_a_locked_account_is_unlocked(browse, engine, clock):
    with engine.transaction() as tx:
        tx.execute(update(person).where(person.c.login == "li").values(locked_until=clock() + timedelta(hours=1)))
    client = browse("admin")
    assert "locked" in client.get("/admin?q=li").get_data(as_text=True)
    assert client.post("/admin/people/li/unlock").status_code == 302
    assert engine.desk.authenticate("li", models.PASSWORD).login == "li"
    assert client.post("/admin/people/nobody/unlock").status_code == 404


def test_a_section_is_made_moved_and_closed(browse, engine):
    client = browse("admin")
    form = {"code": "xinxi", "name": "信息科", "kind": "section", "parent_code": "office", "position": "9", "active": "1"}
    assert client.post("/admin/sections", data=form).status_code == 302
    assert "信息科" in client.get("/admin/sections?edit=xinxi").get_data(as_text=True)
    assert client.post("/admin/sections", data={**form, "active": ""}).status_code == 302
    with engine.reading() as conn:
        row = conn.execute(select(section).where(section.c.code == "xinxi")).one()
    assert (row.name, row.parent_code, row.position, row.active) == ("信息科", "office", 9, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"code": "高新"}, "lower-case"), ({"name": ""}, "name is needed"), ({"kind": "planet"}, "kind of section"), ({"parent_code": "mars"}, "no section"),
        ({"code": "bureau", "parent_code": "gaoxin"}, "above itself"), ({"code": "gaoxin", "active": ""}, "active person"),
    ],
)  # fmt: skip
def test_a_section_out_of_order_is_refused_in_words(browse, changes, words):
    form = {"code": "neu", "name": "新科", "kind": "section", "parent_code": "bureau", "position": "1", "active": "1", **changes}
    answer = browse("admin").post("/admin/sections", data=form)
    assert answer.status_code == 422
    assert words in answer.get_data(as_text=True)


def test_a_role_is_made_and_renamed_but_keeps_its_code(browse, engine):
    client = browse("admin")
    assert client.post("/admin/roles", data={"code": "expert", "name": "专家", "description": "评审"}).status_code == 302
    assert client.post("/admin/roles", data={"code": "expert", "name": "评审专家"}).status_code == 302
    assert engine.desk.people.directory().roles["expert"] == "评审专家"
    assert client.post("/admin/roles", data={"code": "X Y", "name": ""}).status_code == 422


def test_a_substitution_is_arranged_and_withdrawn(browse, engine):
    client = browse("admin")
    form = {"login": "li", "deputy_login": "zhao", "starts_on": "2026-11-23", "ends_on": "2026-11-30"}
    assert client.post("/admin/deputies", data=form).status_code == 302
    assert engine.desk.people.directory().principals("zhao", engine.desk.people.today()) == ("li",)
    page = client.get("/admin/deputies").get_data(as_text=True)
    key = re.search(r"/admin/deputies/(\d+)/end", page).group(1)
    assert client.post(f"/admin/deputies/{key}/end").status_code == 302
    assert engine.desk.people.directory().deputies == ()
    assert client.post("/admin/deputies", data={**form, "ends_on": ""}).status_code == 422
    assert client.post("/admin/deputies", data={**form, "deputy_login": "li"}).status_code == 422


def test_the_calendar_says_which_years_are_official(browse):
    page = browse("admin").get("/admin/calendar").get_data(as_text=True)
    assert "Official arrangement" in page
    assert "2027" in page
    assert "estimates" in page
    assert browse("admin").get("/admin/calendar?year=2025").status_code == 200


def test_the_log_is_filtered_by_who_what_and_when(browse, open_case, clock):
    open_case()
    client = browse("auditor")
    everything = client.get("/admin/audit").get_data(as_text=True)
    assert "organisation.import" in everything
    mine = client.get("/admin/audit?by=system").get_data(as_text=True)
    assert "organisation.import" in mine
    assert "task." not in mine[mine.index("<tbody>") :]
    assert "No entries" in client.get("/admin/audit?until=2020-01-01").get_data(as_text=True)
    assert "organisation.import" in client.get("/admin/audit?since=2026-11-23&until=2026-11-23&subject=organisation:").get_data(as_text=True)
    assert client.get("/admin/audit?since=soon&page=-1").status_code == 200
