"""The rule table and the ladders on pages: who may see and change them, what is refused, what a change does."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZipFile

import pytest
from sqlalchemy import select

from engine.store import tables
from tests.web.rooms import app, browse, clock, engine, open_case  # noqa: F401  fixtures

PAGES = (
    "/limits",
    "/limits/rules/lic.handle",
    "/limits/simulate",
    "/limits/ladders",
    "/limits/ladders/standard",
    "/limits/export.xlsx",
    "/limits/rules.yaml",
)
EDITING = ("/limits/new", "/limits/rules/lic.handle/edit", "/limits/ladders/new", "/limits/ladders/standard/edit")


def fields(page: str) -> dict[str, list[str]]:
    """The values of the last form of a page that a browser would send without pressing anything."""
    form = page[page.rindex("<form") :] if page.count("<form") else ""
    for candidate in re.findall(r"<form.*?</form>", page, re.DOTALL):
        if 'name="reason"' in candidate or 'name="count"' in candidate:
            form = candidate
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        at = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if "name" in at and (at.get("type") != "checkbox" or " checked" in tag):
            found.setdefault(at["name"], []).append(at.get("value", ""))
    for name, body in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        options = re.findall(r'<option value="([^"]*)"( selected)?', body)
        found[name] = [next((value for value, chosen in options if chosen), options[0][0] if options else "")]
    return found


def changed(page: str, **values: str) -> dict[str, list[str]]:
    sent = fields(page)
    sent.update({name: value if isinstance(value, list) else [value] for name, value in values.items()})
    return sent


@pytest.fixture
def rule_form(browse):
    client = browse("admin")

    def send(address="/limits/rules/lic.handle/edit", **values):
        return client.post(address, data=changed(client.get(address).get_data(as_text=True), **values))

    return send


@pytest.mark.parametrize("address", PAGES)
def test_the_tables_are_read_by_who_answers_for_limits(browse, address):
    for login in ("admin", "designer", "du", "auditor", "chen"):
        assert browse(login).get(address).status_code == 200, login
    assert browse("li").get(address).status_code == 403


@pytest.mark.parametrize("address", EDITING)
def test_only_administrators_and_designers_change_them(browse, engine, address):
    assert browse("admin").get(address).status_code == 200
    for login in ("du", "auditor", "li"):
        assert browse(login).get(address).status_code == 403
        assert browse(login).post(address, data={"do": "save"}).status_code == 403


def test_rows_are_found_by_text_state_and_unit(browse):
    client = browse("du")
    assert "lic.close" in client.get("/limits?q=办结").get_data(as_text=True)
    page = client.get("/limits?unit=d").get_data(as_text=True)
    assert "lic.strict" in page
    assert "lic.accept" not in page
    assert "Nothing matches" in client.get("/limits?status=已核").get_data(as_text=True)


def test_the_export_holds_the_filtered_rows(browse):
    content = browse("du").get("/limits/export.xlsx?q=lic.close").data
    text = ZipFile(BytesIO(content)).read("xl/sharedStrings.xml").decode()
    assert "lic.close" in text
    assert "lic.accept" not in text


def test_a_correction_is_saved_as_a_new_version_of_the_file_with_its_reason(rule_form, browse, engine):
    assert rule_form(do="save", source="市局文件第3条", reason="补依据").status_code == 302
    page = browse("du").get("/limits/rules/lic.handle").get_data(as_text=True)
    assert "市局文件第3条" in page
    assert "补依据" in page
    assert engine.desk.book().rules_version == 2
    assert "市局文件第3条" in browse("du").get("/limits/rules.yaml").get_data(as_text=True)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"limit": "-3"}, "more than zero"), ({"limit": "0"}, "more than zero"), ({"limit": "9999"}, "absurdly long"), ({"limit": "ten"}, "not a number"),
        ({"limit": "1.5"}, "counted whole"), ({"limit": "NaN"}, "not a number"), ({"limit": "1e999999"}, "too long"), ({"unit": "weeks"}, "not a unit"), ({"unit": "by", "by": "13-40"}, "not a day of the year"),
        ({"ladder": "moon"}, "no ladder"), ({"label": " "}, "name that people understand"), ({"status": "已核", "source": ""}, "Name the source"),
        ({"extendable": "1", "extension_limit": "-1"}, "more than zero"), ({"extendable": "1", "extension_times": "0"}, "once to nine"),
        ({"effective_from": "soon", "limit": "6"}, "not a day"), ({"reason": ""}, "needs a reason"), ({"direction": "sideways"}, "must be one of"),
    ],
)  # fmt: skip
def test_a_bad_rule_is_refused_in_words_and_nothing_is_saved(rule_form, engine, values, sentence):
    answer = rule_form(**{"do": "save", "reason": "试", **values})
    assert answer.status_code == 422
    assert sentence in answer.get_data(as_text=True)
    assert engine.desk.book().rules_version == 1


def test_a_limit_that_cases_run_under_needs_a_later_day(rule_form, engine, open_case):
    open_case()
    answer = rule_form(do="save", limit="9", reason="放宽")
    assert answer.status_code == 422
    assert "1 open case(s) run under this version" in answer.get_data(as_text=True)
    answer = rule_form(do="save", limit="9", reason="放宽", effective_from="2026-11-23")
    assert "already run under the earlier version" in answer.get_data(as_text=True)
    assert rule_form(do="save", limit="9", reason="放宽", effective_from="2026-11-24").status_code == 302
    assert [rule.limit for rule in engine.desk.book().rules.versions("lic.handle")] == [5, 9]


def test_comparing_shows_old_and_new_side_by_side_and_saves_nothing(rule_form, engine):
    page = rule_form(do="compare", limit="20", effective_from="2026-12-01").get_data(as_text=True)
    assert "What the change does" in page
    assert "5 working day(s) from 2026-11-23, first day not counted → 2026-11-30" in page
    assert "20 working day(s) from 2026-11-23, first day not counted → 2026-12-21" in page
    assert "estimated" in page
    assert engine.desk.book().rules_version == 1


def test_who_was_slower_is_told_who_was_faster(browse, engine):
    client = browse("admin")
    first = client.get("/limits/rules/lic.handle/edit").get_data(as_text=True)
    assert client.post("/limits/rules/lic.handle/edit", data=changed(first, do="save", note="甲", reason="甲")).status_code == 302
    answer = client.post("/limits/rules/lic.handle/edit", data=changed(first, do="save", note="乙", reason="乙"))
    assert answer.status_code == 409
    assert "was changed meanwhile" in answer.get_data(as_text=True)


def test_a_new_rule_is_added_and_cannot_be_added_twice(browse, engine):
    client = browse("designer")
    page = client.get("/limits/new").get_data(as_text=True)
    sent = changed(page, do="save", id="lic.new", label="新时限", limit="7", unit="wd", reason="新规")
    assert client.post("/limits/new", data=sent).status_code == 302
    assert engine.desk.book().rules["lic.new"].limit == 7
    again = client.post(
        "/limits/new",
        data=changed(client.get("/limits/new").get_data(as_text=True), do="save", id="lic.new", label="x", limit="1", reason="x"),
    )
    assert again.status_code == 422
    assert "stands in the table already" in again.get_data(as_text=True)


def test_marking_as_verified_asks_for_the_source(browse, engine):
    client = browse("admin")
    sent = {"version": "1", "since": "", "source": "", "reason": "核对原文"}
    page = client.post("/limits/rules/lic.accept/verify", data=sent, follow_redirects=True).get_data(as_text=True)
    assert "Name the source" in page
    client.post("/limits/rules/lic.accept/verify", data={**sent, "source": "行政许可法第32条"})
    rule = engine.desk.book().rules["lic.accept"]
    assert (rule.status, rule.source) == ("已核", "行政许可法第32条")


def test_the_simulation_says_the_arithmetic_and_marks_estimates(browse):
    page = browse("du").get("/limits/simulate?received=2026-11-23&time=&rule=lic.close").get_data(as_text=True)
    assert "20 working day(s) from 2026-11-23, first day not counted → 2026-12-21" in page
    page = browse("du").get("/limits/simulate?received=2026-12-20&time=09:00").get_data(as_text=True)
    assert "estimated" in page


def test_open_cases_are_brought_under_a_version_by_decision_only(rule_form, browse, engine, open_case):
    case = open_case()
    assert rule_form(do="save", limit="3", reason="压缩", effective_from="2026-11-24").status_code == 302
    assert browse("admin").get("/limits/rules/lic.handle/apply?since=2026-11-24").status_code == 403
    client = browse("du")
    page = client.get("/limits/rules/lic.handle/apply?since=2026-11-24").get_data(as_text=True)
    assert "earlier than told" in page
    (mark,) = re.findall(r'name="clock" value="([^"]+)"', page)
    sent = {"since": "2026-11-24", "clock": mark, "reason": "按新规", "decision": ""}
    refused = client.post("/limits/rules/lic.handle/apply", data=sent)
    assert refused.status_code == 422
    assert "would be due earlier than was told" in refused.get_data(as_text=True)
    done = client.post("/limits/rules/lic.handle/apply", data={**sent, "decision": "局长办公会〔2026〕5号"})
    assert done.status_code == 302
    with engine.reading() as conn:
        row = conn.execute(select(tables.clock).where(tables.clock.c.rule_id == "lic.handle")).one()
        trail = conn.execute(select(tables.trail).where(tables.trail.c.action == "rule_applied")).one()
    assert row.due_at == datetime(2026, 11, 26, 9, 30, tzinfo=UTC)
    assert row.ledger["rules_version"] == 2
    assert (trail.case_key, trail.details["decision"]) == (case.key, "局长办公会〔2026〕5号")
    # The page it was looked at from is stale now.
    stale = client.post("/limits/rules/lic.handle/apply", data={**sent, "decision": "x"}, follow_redirects=True).get_data(as_text=True)
    assert "0 limit(s)" in stale


# -- ladders -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ladder_form(browse):
    client = browse("admin")

    def send(**values):
        address = "/limits/ladders/standard/edit"
        return client.post(address, data=changed(client.get(address).get_data(as_text=True), **values))

    return send


def test_a_ladder_saved_as_it_stands_makes_no_version(ladder_form, engine):
    answer = ladder_form(do="save", reason="看看")
    assert answer.status_code == 422 or engine.desk.book().ladders["standard"].rung("half").text == "过半"


def test_a_rung_is_changed_and_the_history_says_what(ladder_form, browse, engine):
    assert ladder_form(**{"do": "save", "reason": "提早", "rung-3-days": "3"}).status_code == 302
    assert engine.desk.book().ladders["standard"].rung("leader").when.workdays == 3
    page = browse("du").get("/limits/ladders/standard").get_data(as_text=True)
    assert "提早" in page
    assert "3 working day(s) after the limit" in page


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rung-2-recipients": []}, "it tells nobody"), ({"rung-2-recipients": ["king"]}, "must be a list of"), ({"rung-3-days": "0"}, "must be"),
        ({"rung-3-days": "-2"}, "must be"), ({"rung-3-id": "red"}, "stands twice"), ({"rung-3-level": "1"}, "never steps down"),
        ({"rung-4-days": "1"}, "move it up"), ({"rung-4-kind": "unclaimed"}, "move it up"), ({"rung-1-text": ""}, "says nothing"), ({"reason": ""}, "needs a reason"), ({"label": ""}, "name of at most"),
        ({"rung-0-percent": "250"}, "must be"), ({"rung-0-percent": "1e9999999"}, "must be"), ({"rung-2-level": "77"}, "between 0 and"), ({"count": "0"}, "1 to 20 rungs"),
    ],
)  # fmt: skip
def test_a_bad_ladder_is_refused_in_words_that_name_the_rung(ladder_form, engine, values, sentence):
    answer = ladder_form(**{"do": "save", "reason": "试", **values})
    assert answer.status_code == 422
    assert sentence in answer.get_data(as_text=True)
    assert engine.catalogue.find("ladders", "ladders").version == 1


def test_rungs_are_added_moved_and_removed_before_anything_is_saved(ladder_form, engine):
    assert ladder_form(do="add").get_data(as_text=True).count("<legend") == 6
    assert ladder_form(do="remove:0").get_data(as_text=True).count("<legend") == 4
    moved = fields(ladder_form(do="up:1").get_data(as_text=True))
    assert (moved["rung-0-id"], moved["rung-1-id"]) == (["yellow"], ["half"])
    assert engine.catalogue.find("ladders", "ladders").version == 1


def test_the_preview_names_people_on_a_real_case(ladder_form, browse, engine, open_case, clock):
    case = open_case()
    with engine.reading() as conn:
        number = conn.execute(select(tables.case_file.c.case_no).where(tables.case_file.c.key == case.key)).scalar_one()
    page = browse("du").get(f"/limits/ladders/standard?case={number}").get_data(as_text=True)
    assert "李强" in page
    assert "next" in page
    clock.office("2026-11-26 09:00")
    engine.run_due()
    assert "fired" in browse("du").get(f"/limits/ladders/standard?case={number}").get_data(as_text=True)
    head = engine.desk.person("zheng")
    engine.desk.people.save_person(
        login="zheng", name=head.name, section_code=head.section_code, title="", phone=None, email=None, language="zh", active=False,
        roles=head.roles, by="admin",
    )  # fmt: skip
    page = ladder_form(**{"do": "preview", "case": number, "rung-3-recipients": ["director"]}).get_data(as_text=True)
    assert "Nobody is the director" in page
    assert "杜督" in page


def test_both_languages_know_the_room(browse):
    assert "时限" in browse("du", "zh").get("/limits").get_data(as_text=True)


def test_the_page_of_a_ladder_says_how_far_the_running_limits_have_followed_it(ladder_form, browse, engine, open_case):
    open_case()
    assert ladder_form(**{"do": "save", "reason": "提早", "rung-3-days": "3"}).status_code == 302
    page = browse("du").get("/limits/ladders/standard").get_data(as_text=True)
    assert "Running limits follow version 2" in page and "2 of 2 limits" in page


def test_actions_of_a_rung_take_their_parameters_from_the_form_and_keep_what_was_typed(ladder_form, browse, engine):
    chosen = {"rung-4-actions": ["reassign", "supervision_order", "assessment_deduction"], "rung-4-reassign": "section_chief", "rung-4-colour": "yellow"}
    refused = ladder_form(**{"do": "save", "reason": "加重", **chosen, "rung-4-points": "半分"})
    assert refused.status_code == 422
    page = refused.get_data(as_text=True)
    assert "is no number of points" in page and 'value="半分"' in page
    assert ladder_form(**{"do": "save", "reason": "加重", **chosen, "rung-4-points": "0.5"}).status_code == 302
    rung = engine.desk.book().ladders["standard"].rung("bulletin")
    assert rung.actions == ("reassign:section_chief", "supervision_order:yellow", "assessment_deduction:0.5")
    assert 'value="0.5"' in browse("admin").get("/limits/ladders/standard/edit").get_data(as_text=True)
