"""The pages of the work calendar, on each kind of database: a year, entering a notice, approving it, deciding about due dates."""

from __future__ import annotations

import io
import re
from datetime import date

import pytest
from sqlalchemy import select

from engine import Engine
from engine.deadlines.notices_of_holidays import read_notice
from engine.store import tables
from tests.deadlines.holiday_notices import IMAGINED_2027, NOTICES
from tests.desk import desk_models as models
from tests.web.rooms import PEOPLE, app, browse, clock, open_case  # noqa: F401  fixtures


@pytest.fixture
def engine(clock, database_url):
    made = Engine(database_url, clock=clock, settings={"cache_seconds": 60}, node="test")
    made.migrate()
    people = [*PEOPLE, models.person("admin2", "管理乙", "office", "admin")]
    made.desk.people.import_organisation(sections=models.SECTIONS, roles=models.ROLES, people=people, by="system")
    made.deploy(models.files(), by="designer")
    yield made
    made.dispose()


NOTICE = {"mode": "notice", "text": IMAGINED_2027, "year": "", "scope": "year", "notice": "", "reason": ""}
CLOSED_DAY = {
    "mode": "days",
    "first": "2026-11-25",
    "last": "",
    "kind": "closed",
    "hours": "",
    "name": "",
    "notice": "市政府通告",
    "reason": "雪灾",
}
SATURDAY = {**CLOSED_DAY, "first": "2026-11-28", "kind": "makeup_workday", "reason": "补班"}


def text(answer):
    return answer.get_data(as_text=True)


@pytest.fixture
def changed(browse, engine):
    """Propose as one administrator and approve as the other; gives the address of the recalculation."""

    def run(form):
        answer = browse("admin").post("/admin/calendar/proposals", data=form)
        assert answer.status_code == 302, text(answer)
        page = text(browse("admin2").get(answer.location))
        version = re.search(r'name="version" value="(\d+)"', page).group(1)
        approved = browse("admin2").post(f"{answer.location}/approve", data={"version": version})
        assert approved.status_code == 302
        return approved.location

    return run


def test_a_year_is_shown_with_words_states_and_sources(browse):
    client = browse("admin", "zh")
    page = text(client.get("/admin/calendar?year=2026"))
    assert page.count('<table class="cal-month">') == 12
    assert "cal-day--makeup_workday" in page and "chinesecalendar" in page and "config.yaml" in page
    for year in ("2025", "2027", "1", "9999", "2100", "0", "x"):
        assert client.get(f"/admin/calendar?year={year}").status_code == 200
    for login in ("li", "du", "auditor"):
        assert browse(login).get("/admin/calendar").status_code == 403


def test_a_year_leaves_as_a_calendar_file(browse):
    answer = browse("admin").get("/admin/calendar/2026.ics")
    assert answer.mimetype == "text/calendar" and answer.get_data().count(b"\r\n") > 100
    days = {entry.day: entry.kind for entry in read_notice(text(answer)).days}
    assert days == {entry.day: entry.kind for entry in read_notice(NOTICES[2026]).days}
    assert browse("admin").get("/admin/calendar/0.ics").status_code == 404


def test_a_preview_changes_nothing_and_names_the_lines(browse, engine):
    client = browse("admin")
    page = text(client.post("/admin/calendar/preview", data=NOTICE))
    assert "Submit for approval" in page and "Official arrangement" in page
    broken = NOTICE | {"text": IMAGINED_2027 + "\n1月2日（周四）上班。\n"}
    answer = client.post("/admin/calendar/preview", data=broken)
    assert "2027-01-02 is a day off in line 3 and a working day in line 11." in text(answer)
    assert "Submit for approval" not in text(answer)
    assert client.post("/admin/calendar/proposals", data=broken).status_code == 422
    assert client.post("/admin/calendar/preview", data={"mode": "notice", "text": " "}).status_code == 422
    assert client.post("/admin/calendar/preview", data=CLOSED_DAY | {"first": "gestern"}).status_code == 422
    assert client.post("/admin/calendar/preview", data=CLOSED_DAY | {"last": "2030-01-01"}).status_code == 422
    assert client.post("/admin/calendar/preview", data=CLOSED_DAY | {"kind": "hours", "hours": "9 bis 5"}).status_code == 422
    with engine.reading() as conn:
        assert conn.execute(select(tables.calendar_proposal)).first() is None


def test_lines_to_check_have_to_be_seen(browse):
    client = browse("admin")
    form = NOTICE | {"text": IMAGINED_2027.replace("1月1日（周五）", "1月1日（周四）")}
    refused = client.post("/admin/calendar/proposals", data=form)
    assert refused.status_code == 422 and "Say that you have looked" in text(refused)
    assert client.post("/admin/calendar/proposals", data=form | {"seen": "1"}).status_code == 302


def test_a_file_in_the_encoding_of_chinese_windows_is_read(browse, monkeypatch):
    form = NOTICE | {"text": "", "file": (io.BytesIO(IMAGINED_2027.encode("gb18030")), "通知.txt")}
    page = text(browse("admin").post("/admin/calendar/preview", data=form, content_type="multipart/form-data"))
    assert "国办发明电〔2026〕9号" in page and "Submit for approval" in page
    monkeypatch.setattr("web.admin.calendar_views.UPLOAD_LIMIT", 1_000)
    large = NOTICE | {"file": (io.BytesIO(b"x" * 1_001), "x.txt")}
    assert "too large" in text(browse("admin").post("/admin/calendar/preview", data=large, content_type="multipart/form-data"))


def test_a_notice_is_proposed_by_one_and_approved_by_another(browse, engine, open_case):
    open_case()
    made = browse("admin").post("/admin/calendar/proposals", data=NOTICE)
    assert made.status_code == 302
    own = text(browse("admin").get(made.location))
    assert "another administrator has to approve it" in own and "/approve" not in own and "no second administrator" not in own
    assert browse("admin").post(f"{made.location}/approve", data={"version": "0"}).status_code == 409
    assert browse("admin2").post(f"{made.location}/approve", data={"version": "7"}).status_code == 409
    assert browse("du").post(f"{made.location}/approve", data={"version": "0"}).status_code == 403
    assert "waits for approval" in text(browse("admin2").get("/admin/calendar"))
    approved = browse("admin2").post(f"{made.location}/approve", data={"version": "0"})
    assert "/recalculations/" in approved.location
    assert engine.calendar.year_status(2027) == "official"
    page = text(browse("admin").get("/admin/calendar?year=2027"))
    assert "国办发明电〔2026〕9号" in page and "has not been entered" not in page
    assert "approved" in text(browse("admin").get(made.location))
    assert "running" in text(browse("admin").get(approved.location))
    engine.run_due()
    assert 'hx-get="' not in text(browse("admin").get(f"{approved.location}/progress"))


def test_rejecting_needs_a_reason_and_withdrawing_is_for_the_author(browse):
    made = browse("admin").post("/admin/calendar/proposals", data=CLOSED_DAY)
    assert browse("admin2").post(f"{made.location}/reject", data={"reason": ""}).status_code == 409
    assert browse("admin2").post(f"{made.location}/withdraw").status_code == 409
    assert browse("admin2").post(f"{made.location}/reject", data={"reason": "日期有误"}).status_code == 302
    assert "日期有误" in text(browse("admin").get(made.location))
    again = browse("admin").post("/admin/calendar/proposals", data=CLOSED_DAY)
    assert browse("admin").post(f"{again.location}/withdraw").status_code == 302
    assert "withdrawn" in text(browse("admin").get("/admin/calendar/proposals"))


def test_supervision_decides_about_earlier_due_dates(browse, engine, open_case, changed):
    case = open_case()
    address = changed(SATURDAY)
    engine.run_due()
    assert "held back" in text(browse("admin").get("/admin/calendar"))
    supervisor = browse("du")
    page = text(supervisor.get(address))
    clocks = re.findall(r'name="clock" value="(\d+)"', page)
    assert clocks and "Keep the date told" in page
    assert browse("li").get(address).status_code == 403
    assert browse("li").post(f"{address}/decide", data={"decision": "accept", "reason": "x", "all": "1"}).status_code == 403
    assert supervisor.post(f"{address}/decide", data={"decision": "accept", "reason": "", "clock": clocks[0]}).status_code == 422
    assert supervisor.post(f"{address}/decide", data={"decision": "toss", "reason": "x", "clock": clocks[0]}).status_code == 422
    assert supervisor.post(f"{address}/decide", data={"decision": "accept", "reason": "依通告", "clock": clocks[0]}).status_code == 302
    assert supervisor.post(f"{address}/decide", data={"decision": "keep", "reason": "已告知", "all": "1"}).status_code == 302
    page = text(supervisor.get(address))
    assert "shortened by decision" in page and "依通告" in page and 'name="clock"' not in page
    assert supervisor.get("/admin/calendar/recalculations").status_code == 200
    assert "accepted an earlier due date" in text(supervisor.get(f"/case/{case.key}"))


def test_hours_of_a_single_day_are_entered_and_shown(browse, engine, changed):
    changed(CLOSED_DAY | {"kind": "hours", "hours": "9:00-12:00，13:30-16:00"})
    assert engine.calendar.closing(date(2026, 11, 25)).hour == 8
    assert "13:30–16:00" in text(browse("admin").get("/admin/calendar?year=2026"))


def test_the_banner_asks_for_the_missing_notice_from_november_on(browse, clock):
    assert "holiday notice of 2027 has not been entered" in text(browse("admin").get("/admin"))
    clock.office("2026-10-20 09:00")
    assert "has not been entered" not in text(browse("admin").get("/admin"))


HOURS_FORM = {
    "mode": "hours", "since": "2026-12-01", "usual": "08:30－12:00、14:00～17:00", "summer": "8:00-12:00, 15:00-18:30", "summer_from": "06-01", "summer_to": "9月30日",
    "notice": "周科办〔2026〕12号", "reason": "冬季作息",
}  # fmt: skip


def test_usual_hours_are_changed_on_the_pages_and_keep_their_history(browse, changed, engine):
    form = text(browse("admin").get("/admin/calendar/import?mode=hours"))
    assert "08:30-12:00, 14:30-17:30" in form, "the form begins with the hours in force"
    shown = text(browse("admin").post("/admin/calendar/preview", data=HOURS_FORM))
    assert "14:00–17:00" in shown and "06-01" in shown and "Submit for approval" in shown
    changed(HOURS_FORM)
    engine.run_due()
    page = text(browse("admin").get("/admin/calendar"))
    assert "周科办〔2026〕12号" in page and "to come" in page and "in force" in page and "15:00–18:30" in page
    assert engine.calendar.hours.in_force(date(2027, 7, 1)).summer_to == (9, 30)
    changed(HOURS_FORM | {"since": "2027-03-01", "summer": ""})
    engine.run_due()
    assert text(browse("admin").get("/admin/calendar")).count("周科办〔2026〕12号") == 2


@pytest.mark.parametrize(
    "change, said",
    [
        ({"since": ""}, "Enter a date."),
        ({"usual": "9 bis 5"}, "Write hours like"),
        ({"usual": "14:00-17:00, 08:30-12:00"}, "in order of time"),
        ({"summer_from": "02-30"}, "Write a day of the year like 06-01."),
        ({"reason": ""}, "Say why."),
        ({"since": "2026-11-20"}, "from today on or later"),
    ],
)
def test_usual_hours_that_cannot_be_are_refused_and_the_form_is_kept(browse, change, said):
    answer = browse("admin").post("/admin/calendar/proposals", data=HOURS_FORM | change)
    assert answer.status_code == 422 and said in text(answer) and "周科办〔2026〕12号" in text(answer)
