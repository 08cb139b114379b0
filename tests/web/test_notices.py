"""The bell: unread first, in the reader's language, one's own only."""

from __future__ import annotations

from sqlalchemy import select

from engine.store.tables import notification
from engine.store.types import new_key
from tests.web.rooms import app, browse, clock, engine, open_case, selects, statements  # noqa: F401  fixtures


def tell(engine, login: str, msgid: str = "due today", kind: str = "rung", **params):
    key = new_key()
    with engine.transaction() as tx:
        tx.add(notification, key=key, login=login, kind=kind, msgid=msgid, params=params, case_key=None, task_key=None, created_at=tx.now, read_at=None)
    return key


def unread(engine, login: str) -> int:
    with engine.reading() as conn:
        return len(conn.execute(select(notification).where(notification.c.login == login, notification.c.read_at.is_(None))).all())


def test_the_bell_counts_what_is_unread(browse, engine):
    client = browse("du")
    assert client.get("/notices/bell").get_data(as_text=True) == ""
    tell(engine, "du")
    tell(engine, "du")
    tell(engine, "li")
    assert client.get("/notices/bell").get_data(as_text=True) == "2"


def test_a_notice_is_marked_read_and_leads_to_its_object(browse, engine):
    key = tell(engine, "du")
    client = browse("du")
    answer = client.post(f"/notices/{key}/read", data={"next": "/supervision"})
    assert answer.headers["Location"] == "/supervision"
    assert unread(engine, "du") == 0


def test_nobody_reads_for_somebody_else_and_links_stay_in_the_house(browse, engine):
    key = tell(engine, "du")
    answer = browse("li").post(f"/notices/{key}/read", data={"next": "https://evil.example/"})
    assert answer.headers["Location"] == "/notices"
    assert unread(engine, "du") == 1


def test_all_are_marked_read(browse, engine):
    for _ in range(3):
        tell(engine, "du")
    client = browse("du")
    assert "3" in client.get("/notices").get_data(as_text=True)
    assert client.post("/notices/read").status_code == 302
    assert unread(engine, "du") == 0


def test_a_notice_is_told_in_the_readers_language(browse, engine):
    tell(engine, "du", "%(case_no)s %(title)s — %(limit)s: %(text)s", case_no="TS-1", title="甲", limit={"msgid": "due today", "params": {}}, text="100 % late")
    english = browse("du").get("/notices").get_data(as_text=True)
    assert "TS-1 甲 — due today: 100 % late" in english
    assert "今日到期" in browse("du", language="zh").get("/notices").get_data(as_text=True)


def test_text_of_a_model_may_hold_a_percent_sign(browse, engine):
    tell(engine, "du", "超期 100% 了")
    assert "超期 100% 了" in browse("du").get("/notices").get_data(as_text=True)


def test_the_list_pages_and_costs_few_statements(browse, engine):
    for _ in range(25):
        tell(engine, "du", kind="urged")
    client = browse("du")
    client.get("/notices")
    with statements(engine) as sent:
        page = client.get("/notices").get_data(as_text=True)
    assert len(selects(sent)) <= 4
    assert "page 1 of 2" in page
    assert client.get("/notices?page=2").status_code == 200
    assert client.get("/notices?page=7").status_code == 302
    assert client.get("/notices?unread=1").status_code == 200


def test_a_mass_of_reminders_is_one_line_that_opens(browse, engine):
    keys = [tell(engine, "du", f"limit {number}") for number in range(30)]
    client = browse("du")
    page = client.get("/notices").get_data(as_text=True)
    assert "30 reminders of limits came at once" in page and "limit 7" not in page
    opened = client.get(f"/notices?first={keys[0]}&last={keys[-1]}").get_data(as_text=True)
    assert "limit 29" in opened and "came at once" not in opened
    client.post("/notices/read", data={"first": keys[0], "last": keys[-1]})
    assert unread(engine, "du") == 0 and "came at once" not in client.get("/notices").get_data(as_text=True)


def test_reading_a_bundle_leaves_other_notices_and_other_people_alone(browse, engine):
    keys = [tell(engine, "du") for _ in range(10)]
    tell(engine, "li")
    other = tell(engine, "du", "later")
    browse("du").post("/notices/read", data={"first": keys[0], "last": keys[-1]})
    with engine.reading() as conn:
        left = conn.execute(select(notification.c.key).where(notification.c.login == "du", notification.c.read_at.is_(None))).scalars().all()
    assert left == [other] and unread(engine, "li") == 1


def test_a_few_reminders_are_shown_one_by_one(browse, engine):
    for number in range(3):
        tell(engine, "du", f"limit {number}")
    page = browse("du").get("/notices").get_data(as_text=True)
    assert "limit 0" in page and "limit 2" in page and "came at once" not in page
