"""The list of failed deliveries, and the page on which everybody chooses what reaches them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from engine import Engine
from engine.runtime.telling.notices import Notices
from engine.runtime.telling.preferences import KINDS
from engine.store import tables
from engine.words import T
from tests.desk import desk_models as models
from tests.web.rooms import PEOPLE, app, browse, clock

__all__ = ["app", "browse", "clock"]
SOMETHING = T("something")


@pytest.fixture
def engine(clock):
    settings = {"cache_seconds": 60, "outbox_channels": ("mail", "wecom"), "delivery_attempts": 1, "digest_more_than": 9}
    made = Engine("sqlite://", clock=clock, settings=settings, node="test")
    made.migrate()
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=PEOPLE, by="system")
    with made.transaction() as tx:
        tx.execute(update(tables.person).where(tables.person.c.login != "sun").values(email=tables.person.c.login + "@a.cn"))
    made.desk.people.forget()
    yield made
    made.dispose()


@pytest.fixture
def fail(engine):
    """Tell people something that cannot be delivered by mail; gives the keys of the deliveries."""

    def run(*logins):
        with engine.transaction() as tx:
            notices = Notices(tx.now, None)
            notices.tell(logins, "urged", SOMETHING, case_key=None, only=("mail",))
            notices.post(engine.desk, tx)
        engine.run_due()
        for job in engine.activate_jobs("notify.mail", "w", timedelta(minutes=1), 100):
            engine.fail_job(job.key, 0, "The mail server is dead", timedelta(0), "w")
        return [row.key for row in read(engine) if row.state == "FAILED"]

    return run


def read(engine):
    with engine.reading() as conn:
        return conn.execute(select(tables.delivery).order_by(tables.delivery.c.key)).all()


def test_administrators_see_what_failed_and_why(browse, fail):
    fail("li", "zhao")
    page = browse("admin").get("/admin/deliveries").get_data(as_text=True)
    assert page.count("The mail server is dead") == 2 and "李强" in page and "Send all failed again" in page
    assert "李强" in browse("admin", "zh").get("/admin/deliveries").get_data(as_text=True)


def test_nobody_else_sees_or_touches_the_list(browse, fail, engine):
    key = fail("li")[0]
    client = browse("li")
    assert client.get("/admin/deliveries").status_code == 403
    assert client.post("/admin/deliveries", data={"act": "retry", "keys": key}).status_code == 403
    assert client.post("/admin/deliveries/test/mail").status_code == 403
    assert read(engine)[0].state == "FAILED"


def test_one_is_sent_again_and_the_rest_stays(browse, fail, engine):
    first, second = fail("li", "zhao")
    answer = browse("admin").post(
        "/admin/deliveries", data={"act": "retry", "keys": first, "list_state": "FAILED", "list_channel": "", "list_login": ""}
    )
    assert answer.status_code == 302 and "state=FAILED" in answer.headers["Location"]
    assert {row.key: row.state for row in read(engine)} == {first: "QUEUED", second: "FAILED"}


def test_all_are_sent_again(browse, fail, engine):
    fail("li", "zhao")
    browse("admin").post("/admin/deliveries", data={"act": "retry_all"})
    assert {row.state for row in read(engine)} == {"QUEUED"}


def test_giving_up_asks_for_a_reason(browse, fail, engine):
    (key,) = fail("li")
    client = browse("admin")
    page = client.post("/admin/deliveries", data={"act": "give_up", "keys": key, "reason": " "}, follow_redirects=True).get_data(
        as_text=True
    )
    assert "Say why the message is given up." in page and read(engine)[0].state == "FAILED"
    client.post("/admin/deliveries", data={"act": "give_up", "keys": key, "reason": "told in person"})
    assert read(engine)[0].state == "GIVEN_UP"
    assert "told in person" in client.get("/admin/deliveries?state=GIVEN_UP").get_data(as_text=True)


def test_nothing_chosen_changes_nothing(browse, fail, engine):
    fail("li")
    page = browse("admin").post("/admin/deliveries", data={"act": "retry", "keys": "x"}, follow_redirects=True).get_data(as_text=True)
    assert "Choose at least one message." in page and read(engine)[0].state == "FAILED"


def test_a_test_message_is_on_its_way_and_can_be_followed(browse, engine):
    client = browse("admin")
    page = client.post("/admin/deliveries/test/mail", follow_redirects=True).get_data(as_text=True)
    assert "A test message by “E-mail” is on its way to you." in page
    assert [(row.login, row.kind, row.state) for row in read(engine)] == [("admin", "test", "QUEUED")]
    assert client.post("/admin/deliveries/test/pigeon").status_code == 404


def test_the_health_page_counts_by_channel(browse, fail, app):
    fail("li")
    answer = app.test_client().get("/healthz")
    assert answer.json["channels"]["mail"] == {"waiting": 0, "put_off": 0, "sent": 0, "failed": 1}
    assert set(answer.json["channels"]) == {"mail", "wecom"} and "li" not in answer.json["channels"]


def test_everybody_chooses_kinds_channels_and_quiet_hours_for_themselves(browse, engine):
    client = browse("li")
    page = client.get("/notices/preferences").get_data(as_text=True)
    assert 'name="want-urged-mail" value="1" checked' in page and 'name="want-notice-mail" value="1" aria' in page
    data = {f"want-{kind}-mail": "1" for kind in KINDS if kind != "urged"}
    client.post("/notices/preferences", data={**data, "quiet_from": "21:00", "quiet_to": "08:00", "digest": "1"})
    page = client.get("/notices/preferences").get_data(as_text=True)
    assert 'name="want-urged-mail" value="1" aria' in page and 'name="want-notice-mail" value="1" checked' in page
    assert 'value="21:00"' in page and 'value="08:00"' in page
    with engine.reading() as conn:
        (row,) = conn.execute(select(tables.notice_preference)).all()
    assert row.login == "li" and row.choices["quiet_rest_days"] is False
    assert "rung" not in row.choices["kinds"] or "mail" not in row.choices["kinds"]["rung"], "an untouched default is not written down"


def test_a_time_that_is_none_is_refused_at_its_field(browse, engine):
    answer = browse("li").post("/notices/preferences", data={"quiet_from": "late", "quiet_to": "08:00"})
    assert answer.status_code == 422 and "Enter a time like 22:00." in answer.get_data(as_text=True)
    with engine.reading() as conn:
        assert conn.execute(select(tables.notice_preference)).first() is None


def test_who_has_no_address_is_told_so_on_the_page(browse):
    assert "No address of yours is known for “E-mail”" in browse("sun").get("/notices/preferences").get_data(as_text=True)
    assert "No address of yours" not in browse("li").get("/notices/preferences").get_data(as_text=True)


def test_a_notice_in_somebodys_place_says_whose(browse, engine):
    from datetime import date

    engine.desk.save_deputy("li", "zhao", date(2026, 11, 23), date(2026, 11, 25), by="admin")
    with engine.transaction() as tx:
        notices = Notices(tx.now, None)
        notices.tell(["li"], "urged", SOMETHING, case_key=None)
        notices.post(engine.desk, tx)
    assert "(For 李强)" in browse("zhao").get("/notices").get_data(as_text=True)
    assert "(Also told to the deputy: 赵敏)" in browse("li").get("/notices").get_data(as_text=True)


def test_the_pages_are_protected_against_forgery(engine, browse, app):
    app.config["WTF_CSRF_ENABLED"] = True
    client = browse("admin")
    for path in ("/admin/deliveries", "/admin/deliveries/test/mail", "/notices/preferences"):
        assert client.post(path, data={"act": "retry_all"}).status_code in (302, 400), path
    assert read(engine) == []
