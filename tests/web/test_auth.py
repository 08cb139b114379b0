"""Signing in, staying signed in, being signed out."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from engine.store.tables import audit, person
from tests.desk import desk_models as models

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


def test_signing_in_leads_to_where_one_wanted_to_go(client):
    answer = client.post("/login", data={"login": "wang", "password": models.PASSWORD, "next": "/inbox?tab=mine"})
    assert answer.location == "/inbox?tab=mine"


def test_signing_in_does_not_lead_out_of_the_house(client):
    answer = client.post("/login", data={"login": "wang", "password": models.PASSWORD, "next": "//evil.example/"})
    assert answer.location == "/"


def test_the_account_name_may_be_written_in_capitals(client):
    assert client.post("/login", data={"login": " WANG ", "password": models.PASSWORD}).status_code == 302


def test_a_wrong_password_and_an_unknown_account_read_the_same(client):
    wrong = client.post("/login", data={"login": "wang", "password": "no"})
    unknown = client.post("/login", data={"login": "nobody", "password": "no"})
    assert wrong.status_code == unknown.status_code == 403
    assert wrong.text.replace("wang", "x") .count("alert-danger") == unknown.text.count("alert-danger") == 1


def test_the_account_name_stays_in_the_field_and_the_password_does_not(client):
    page = client.post("/login", data={"login": "wang", "password": "secret-typo"}).text
    assert 'value="wang"' in page
    assert "secret-typo" not in page


def test_a_locked_account_is_told_for_how_long(client, clock):
    for _ in range(5):
        client.post("/login", data={"login": "wang", "password": "no"})
    page = client.post("/login", data={"login": "wang", "password": models.PASSWORD})
    assert page.status_code == 403
    assert "15" in page.text


def test_signing_out_ends_the_session_and_is_in_the_audit(office, sign_in):
    client = sign_in("wang")
    assert client.post("/logout").location == "/login"
    assert client.get("/inbox").status_code == 302
    with office.reading() as conn:
        actions = conn.execute(select(audit.c.action).where(audit.c.subject == "person:wang").order_by(audit.c.key)).scalars().all()
    assert actions == ["session.start", "session.end"]


def test_an_expired_session_sends_a_page_to_the_sign_in_with_the_way_back(client):
    answer = client.get("/inbox?tab=mine")
    assert answer.status_code == 302
    assert "next=/inbox?tab%3Dmine" in answer.location or "next=%2Finbox%3Ftab%3Dmine" in answer.location


def test_an_expired_session_tells_a_script_401_and_that_nothing_is_lost(client):
    answer = client.post("/task/1/draft", json={"data": {}}, headers={"Accept": "application/json", "X-Requested-With": "fetch"})
    assert answer.status_code == 401
    assert answer.json["code"] == "signed_out"
    assert "仍在" in answer.json["safe"]


def test_an_idle_session_ends(app, sign_in):
    seconds = [1000.0]
    app.config["SESSION_CLOCK"] = lambda: seconds[0]
    app.config["SESSION_IDLE_SECONDS"] = 600
    client = sign_in("wang")
    seconds[0] += 500
    assert client.get("/inbox").status_code == 200
    seconds[0] += 500
    assert client.get("/inbox").status_code == 200
    seconds[0] += 601
    assert client.get("/inbox").status_code == 302


def test_looking_for_news_does_not_keep_a_session_alive(app, sign_in):
    seconds = [1000.0]
    app.config["SESSION_CLOCK"] = lambda: seconds[0]
    app.config["SESSION_IDLE_SECONDS"] = 600
    client = sign_in("wang")
    for _ in range(6):
        seconds[0] += 110
        client.get("/inbox", headers={"X-Poll": "1"})
    assert client.get("/inbox").status_code == 302


def test_a_moved_office_clock_signs_nobody_out(clock, sign_in):
    from datetime import timedelta

    client = sign_in("wang")
    clock.advance(timedelta(days=30))
    assert client.get("/inbox").status_code == 200


def test_ending_all_sessions_of_a_person_ends_them(office, sign_in):
    client = sign_in("wang")
    with office.transaction(by="admin") as tx:
        tx.execute(update(person).where(person.c.login == "wang").values(session_epoch=person.c.session_epoch + 1))
    assert client.get("/inbox").status_code == 302


def test_a_person_who_left_is_signed_out(office, sign_in):
    client = sign_in("gone")
    with office.transaction(by="admin") as tx:
        tx.execute(update(person).where(person.c.login == "gone").values(active=False))
    assert client.get("/inbox").status_code == 302


def test_a_page_that_lost_its_session_learns_when_it_is_back(app, sign_in):
    assert app.test_client().post("/session").status_code == 401
    answer = sign_in("wang").post("/session")
    assert answer.json["login"] == "wang"
    assert answer.json["csrf_token"]


SCRIPT = {"Accept": "application/json", "X-Requested-With": "fetch"}


def test_an_open_page_signs_in_without_being_left(client):
    data = {"login": "wang", "password": "no"}
    refused = client.post("/login", data=data, headers=SCRIPT)
    assert refused.status_code == 403
    assert refused.json["message"]
    answer = client.post("/login", data={**data, "password": models.PASSWORD}, headers=SCRIPT)
    assert (answer.status_code, answer.json["login"]) == (200, "wang")
    assert answer.json["csrf_token"]
    assert client.post("/session").json["login"] == "wang"


def test_a_page_without_a_session_gets_the_token_with_which_it_can_sign_in(app):
    client = app.test_client()
    app.config["WTF_CSRF_ENABLED"] = True
    data = {"login": "wang", "password": models.PASSWORD}
    assert client.post("/login", data=data, headers=SCRIPT).status_code == 400
    token = client.get("/session").json["csrf_token"]
    answer = client.post("/login", data=data, headers={**SCRIPT, "X-CSRFToken": token})
    assert answer.json["login"] == "wang"
    # Of the session that began: the token of before is worth nothing in it.
    assert client.post("/logout", headers={**SCRIPT, "X-CSRFToken": token}).status_code == 400
    assert client.post("/logout", headers={**SCRIPT, "X-CSRFToken": answer.json["csrf_token"]}).status_code == 302


def test_signing_in_again_in_a_second_tab_says_to_go_back(client):
    answer = client.post("/login", data={"login": "wang", "password": models.PASSWORD, "again": "1"}, follow_redirects=True)
    assert "仍在" in answer.text


def test_the_language_can_be_switched_and_stays(sign_in):
    client = sign_in("wang")
    assert '<html lang="zh"' in client.get("/inbox").text
    client.get("/language/en")
    page = client.get("/inbox").text
    assert '<html lang="en"' in page
    assert "To do" in page
    assert client.get("/language/xx").status_code == 404


def test_a_stranger_without_chinese_is_greeted_in_english(client):
    assert '<html lang="en"' in client.get("/login", headers={"Accept-Language": "en-GB,en;q=0.9"}).text
    assert '<html lang="zh"' in client.get("/login", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}).text
    assert '<html lang="zh"' in client.get("/login").text


def test_changing_the_password_keeps_this_session_and_ends_the_others(sign_in):
    here, elsewhere = sign_in("wang"), sign_in("wang")
    fresh = "a longer phrase 2"
    answer = here.post("/me/password", data={"current": models.PASSWORD, "password": fresh, "repeated": fresh})
    assert answer.status_code == 302
    assert here.get("/inbox").status_code == 200
    assert elsewhere.get("/inbox").status_code == 302


def test_a_wrong_current_password_stands_at_its_field(sign_in):
    fresh = "a longer phrase 2"
    answer = sign_in("wang").post("/me/password", data={"current": "no", "password": fresh, "repeated": fresh})
    assert answer.status_code == 422
    assert 'id="current-error"' in answer.text


def test_the_person_is_known_from_one_statement(sign_in, statements):
    client = sign_in("wang")
    client.get("/language/zh")
    with statements() as seen:
        client.post("/session")
    assert len(seen) == 1
