"""The pages of a draft's sheet and of its figures: save, conflict, rows by keyboard, raw text, preview, who may not."""

from __future__ import annotations

import json
import re

import pytest
from lxml.html import fromstring
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from engine.runtime.design import drafts, sheet_editing
from engine.store.tables import case_file
from tests.desk import desk_models as models
from tests.web.rooms import app, browse, clock, engine, open_case  # noqa: F401  fixtures
from web.designer import sheet_form

HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def draft(engine):
    engine.desk.people.save_person("tao", name="陶", section_code="office", roles=["designer"], password=models.PASSWORD, by="system")
    return drafts.branch(engine.desk, "licence", by="designer")


def fields(page: str) -> dict[str, list[str]]:
    """What a browser would send of the form, the buttons left out."""
    form = fromstring(page).get_element_by_id("sheet-form")
    found: dict[str, list[str]] = {}
    for name, value in form.form_values():
        found.setdefault(name, []).append(value)
    return found


def now(engine, draft):
    with engine.reading() as conn:
        return drafts.get(engine.desk, conn, draft.key, "designer")


def sheet_text(engine, draft) -> str:
    files = now(engine, draft).files
    return files[sheet_editing.sheet_file(files)]


def address(draft, part: str = "") -> str:
    return f"/designer/drafts/{draft.key}/sheet{part}"


def test_a_form_that_nobody_touched_saves_nothing(engine, browse, draft):
    client = browse("designer")
    sent = fields(client.get(address(draft)).text)
    before = sheet_text(engine, draft)
    assert client.post(address(draft), data=sent | {"do": "save"}).status_code == 302
    assert sheet_text(engine, draft) == before and now(engine, draft).revision == draft.revision


def test_a_changed_field_is_saved_and_shown_in_chinese(engine, browse, draft):
    client = browse("designer", "zh")
    sent = fields(client.get(address(draft)).text)
    sent |= {"name": ["许可新办"], "register.0.label": ["所在县区"], "do": "save"}
    assert client.post(address(draft), data=sent).status_code == 302
    text = sheet_text(engine, draft)
    assert "name: 许可新办" in text and "label: 所在县区" in text and now(engine, draft).revision == draft.revision + 1
    assert "许可新办" in client.get(address(draft)).text


def test_what_is_wrong_stands_at_its_field_and_can_be_saved_on_purpose(engine, browse, draft):
    client = browse("designer")
    sent = fields(client.get(address(draft)).text) | {"register.1.value": ["=1 +"], "name": [""], "do": "save"}
    answer = client.post(address(draft), data=sent)
    assert answer.status_code == 422 and 'id="e-register.1.value"' in answer.text and 'id="e-name"' in answer.text
    assert "=1 +" in answer.text and now(engine, draft).revision == draft.revision
    assert client.post(address(draft), data=sent | {"do": "save_anyway"}).status_code == 302
    assert "=1 +" in sheet_text(engine, draft)


def test_rows_are_added_moved_and_removed_and_the_focus_follows(browse, draft):
    client = browse("designer")
    sent = fields(client.get(address(draft)).text)
    page = client.post(address(draft), data=sent | {"do": "add:register"}).text
    assert re.search(r'id="register.3.key"[^>]* autofocus', page)
    sent = fields(page) | {"register.3.key": ["extra"]}
    page = client.post(address(draft), data=sent | {"do": "up:register:3"}).text
    assert fields(page)["register.2.key"] == ["extra"] and re.search(r'id="register.2.up"[^>]* autofocus', page)
    page = client.post(address(draft), data=fields(page) | {"do": "remove:register:2"}).text
    assert "extra" not in str(fields(page)) and fields(page)["register.count"] == ["3"]


@pytest.mark.parametrize("order", ["", "up:register:99", "remove:register:-1", "add:nothing", "down:", "save:x", "up:register:²"])
def test_an_order_that_makes_no_sense_changes_nothing(engine, browse, draft, order):
    client = browse("designer")
    sent = fields(client.get(address(draft)).text)
    page = client.post(address(draft), data=sent | {"do": order})
    assert page.status_code == 200 and fields(page.text)["register.count"] == ["3"]
    assert now(engine, draft).revision == draft.revision


def test_the_second_of_two_gets_both_and_loses_nothing(engine, browse, draft):
    mine, theirs = browse("designer"), browse("tao")
    sent = fields(mine.get(address(draft)).text)
    other = fields(theirs.get(address(draft)).text)
    assert theirs.post(address(draft), data=other | {"code": ["TT"], "do": "save"}).status_code == 302
    answer = mine.post(address(draft), data=sent | {"short": ["简"], "do": "save"})
    assert answer.status_code == 409 and "陶" in answer.text and "diff__lines" in answer.text and "TT" in answer.text
    again = fields(answer.text)
    assert again["short"] == ["简"] and again["code"] == ["TT"] and again["revision"] == [str(draft.revision + 1)]
    assert mine.post(address(draft), data=again | {"do": "save"}).status_code == 302
    assert "short: 简" in sheet_text(engine, draft) and "code: TT" in sheet_text(engine, draft)


def test_a_save_of_other_files_is_no_conflict_and_neither_is_a_double_click(engine, browse, draft):
    client = browse("designer")
    sent = fields(client.get(address(draft)).text) | {"short": ["简"], "do": "save"}
    drafts.save(engine.desk, draft.key, {"README.md": "# 说明\n"}, revision=draft.revision, by="tao")
    assert client.post(address(draft), data=sent).status_code == 302
    assert client.post(address(draft), data=sent).status_code == 302
    assert now(engine, draft).revision == draft.revision + 2 and "README.md" in now(engine, draft).files


def test_the_text_is_checked_and_saved_with_its_line_ends(engine, browse, draft):
    client = browse("designer")
    page = client.get(address(draft) + "?view=text").text
    assert "process: licence" in page
    text = sheet_text(engine, draft)
    wrong = client.post(address(draft, "/text"), data={"revision": draft.revision, "text": text.replace("code: XK", "cod: XK"), "do": "save"})
    assert wrong.status_code == 422 and "cod" in wrong.text and now(engine, draft).revision == draft.revision
    sent = {"revision": draft.revision, "text": (text + "# 附注\n").replace("\n", "\r\n"), "do": "save"}
    assert client.post(address(draft, "/text"), data=sent).status_code == 302
    assert sheet_text(engine, draft) == text + "# 附注\n"
    stale = client.post(address(draft, "/text"), data=sent | {"text": text + "# 别的\n"})
    assert stale.status_code == 409 and "diff__lines" in stale.text


def test_a_sheet_that_no_field_can_show_opens_as_text(engine, browse, draft):
    file = sheet_editing.sheet_file(draft.files)
    drafts.save(engine.desk, draft.key, {file: "register: words\n"}, revision=draft.revision, by="designer")
    page = browse("designer").get(address(draft)).text
    assert "register: words" in page and "/sheet/text" in page


def test_the_preview_follows_what_is_typed_and_stores_nothing(engine, browse, draft):
    client = browse("designer")
    sent = fields(client.get(address(draft)).text) | {"code": ["QQ"], "name": [HOSTILE]}
    answer = client.post(address(draft, "/preview"), data=sent)
    assert answer.status_code == 200 and "411600-QQ-20261123-0001" in answer.text and "hx-swap-oob" in answer.text
    assert "<script>alert" not in answer.text
    wrong = client.post(address(draft, "/preview"), data=sent | {"title": ["=("]})
    assert wrong.status_code == 200 and "Title of a case" in wrong.text
    assert now(engine, draft).revision == draft.revision


def test_hidden_fields_of_what_no_field_shows_cannot_break_the_page(browse, draft):
    client = browse("designer")
    sent = fields(client.get(address(draft)).text)
    for rest in ("[", "[1]", '"x"', '{"deep": {"a": [1, null]}}', "[" * 5000):
        assert client.post(address(draft), data=sent | {"register.0.rest": rest, "do": "check"}).status_code in (200, 422), rest
    assert len(sheet_form.posted(MultiDict({"register.count": "9" * 5}))["register"]) == sheet_form.MOST_ROWS


def test_only_designers_see_sheet_and_figures_and_only_an_open_draft_is_changed(engine, browse, draft):
    sent = fields(browse("designer").get(address(draft)).text) | {"short": ["x"], "do": "save"}
    for login in ("wang", "auditor", "zhao"):
        client = browse(login)
        assert client.get(address(draft)).status_code in (403, 404), login
        assert client.post(address(draft), data=sent).status_code in (403, 404), login
        for page in ("/statistics", "/statistics.json?process=licence", "/statistics.xlsx", "/statistics/drawing?process=licence"):
            assert client.get(f"/designer/drafts/{draft.key}{page}").status_code in (403, 404), login
    drafts.discard(engine.desk, draft.key, revision=draft.revision, by="designer")
    page = browse("designer").get(address(draft))
    assert page.status_code == 200 and "<fieldset disabled" in page.text
    assert browse("designer").post(address(draft), data=sent).status_code == 409


# --- figures ---------------------------------------------------------------------------------------------------------------------


def test_the_figures_stand_in_table_drawing_and_workbook_and_name_no_case(engine, browse, open_case, draft):
    open_case(), open_case(accepted=False)
    client = browse("designer")
    for show in ("running", "median", "p90", "returns", "reached", "nothing"):
        page = client.get(f"/designer/drafts/{draft.key}/statistics?period=all&show={show}")
        assert page.status_code == 200 and "受理审查" in page.text and 'data-diagram="statistics"' in page.text
    with engine.reading() as conn:
        told = [value for row in conn.execute(select(case_file.c.case_no, case_file.c.title, case_file.c.applicant)) for value in row]
    assert len(told) == 6 and not [value for value in told if value in page.text]
    assert client.get(f"/designer/drafts/{draft.key}/statistics/drawing?process=licence").mimetype == "application/xml"
    assert client.get(f"/designer/drafts/{draft.key}/statistics/drawing?process=other").status_code == 404
    book = client.get(f"/designer/drafts/{draft.key}/statistics.xlsx?period=all")
    assert book.status_code == 200 and book.data[:2] == b"PK"


@pytest.mark.parametrize("query", ["period=own&since=2026-12-01&until=2026-01-01", "since=x&until=y&version=zz", "version=9", "period=own", "process=other"])
def test_an_address_that_makes_no_sense_shows_the_usual(browse, draft, query):
    assert browse("designer", "zh").get(f"/designer/drafts/{draft.key}/statistics?{query}").status_code == 200


def test_days_that_are_filled_in_count_whatever_the_list_says(browse, open_case, draft):
    open_case()
    client = browse("designer")
    base = f"/designer/drafts/{draft.key}/statistics?since=2026-01-01&until=2026-01-31"
    own = client.get(base + "&period=90&was=90").text
    assert 'value="own" selected' in own and 'value="2026-01-31"' in own
    assert 'value="90" selected' in client.get(base + "&period=90&was=own").text


# --- searchable fields, visibility, the form to begin with ----------------------------------------------------------------------------


def test_searchable_fields_and_visibility_are_rows_of_the_form_and_come_into_the_text_in_their_place(engine, browse, draft):
    client = browse("designer")
    sent = fields(client.get(address(draft)).text)
    sent |= {"search.count": "1", "search.0.key": "subject", "search.0.label": "事项", "search.0.value": "=subject", "search.0.kind": "exact"}
    sent |= {"public.show": "columns", "public.columns": ["grade", "county"], "public.after": ["待签发"]}
    assert client.post(address(draft), data=sent | {"do": "save"}).status_code == 302
    text = sheet_text(engine, draft)
    assert "search:\n  - {key: subject, label: 事项, value: =subject, kind: exact}\npublic:\n  show: columns\n  columns: [grade, county]\n  after: [待签发]\n" in text
    assert text.index("register:") < text.index("search:") < text.index("withdraw:")
    # Taken away again, nothing of it stays.
    sent = fields(client.get(address(draft)).text) | {"search.count": "0", "public.show": "", "public.columns": [], "public.after": []}
    assert client.post(address(draft), data=sent | {"do": "save"}).status_code == 302
    assert "search:" not in sheet_text(engine, draft) and "public:" not in sheet_text(engine, draft)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"search.count": "1", "search.0.key": "who", "search.0.label": "谁", "search.0.value": "=applicant_name", "search.0.kind": "text"}, "search.0.value"),
        ({"search.count": "1", "search.0.key": "who", "search.0.label": "谁", "search.0.value": "subject"}, "search.0.value"),
        ({"search.count": "1", "search.0.label": "谁", "search.0.value": "=subject"}, "search.0.key"),
        ({"public.show": "columns", "public.columns": ["applicant"]}, "public.columns"),
        ({"public.show": "columns"}, "public.columns"),
    ],
)
def test_what_is_wrong_with_them_stands_at_its_field(browse, draft, changes, place):
    client = browse("designer")
    page = client.post(address(draft), data=fields(client.get(address(draft)).text) | changes | {"do": "save"})
    assert page.status_code == 422 and f'id="e-{place}"' in page.text


def test_a_status_that_the_drawing_never_sets_is_a_warning(browse, draft):
    client = browse("designer")
    sent = fields(client.get(address(draft)).text) | {"public.show": "status", "public.after": ["从未有过"]}
    page = client.post(address(draft), data=sent | {"do": "check"})
    assert page.status_code == 200 and 'id="e-public.after"' in page.text


def test_the_preview_carries_the_start_form_with_sample_answers_and_shows_what_outsiders_see(browse, draft):
    client = browse("designer")
    sent = fields(client.get(address(draft)).text)
    sent |= {"public.show": "columns", "public.columns": ["county"], "search.count": "1", "search.0.key": "s", "search.0.label": "项目事项", "search.0.value": "=subject"}
    page = client.post(address(draft, "/preview"), data=sent).text
    sample = json.loads(fromstring(page).get_element_by_id("sheet-form-sample").text)
    assert {each.get("key") for each in sample["schema"]["components"]} >= {"subject", "county"} and "subject" in sample["data"]
    assert "项目事项" in page
    assert "sheet-form-sample" not in client.post(address(draft, "/preview"), data=sent | {"start.form": ""}).text


# --- the figures for the editor's canvas -------------------------------------------------------------------------------------------------


def test_the_figures_for_the_canvas_name_versions_known_elements_and_no_case(engine, browse, open_case, draft):
    case = open_case()
    base = f"/designer/drafts/{draft.key}/statistics.json"
    found = browse("designer", "zh").get(f"{base}?process=licence&period=all").json
    accept, handle = found["steps"]["accept"], found["steps"]["handle"]
    assert (accept["reached"], accept["finished"], accept["done"], accept["returns"]) == (1, 1, 1, "0%")
    assert (handle["reached"], handle["running"], handle["median"], handle["returns"]) == (1, 1, "", "")
    assert handle["levels"]["reached"] == 4 and "median" not in handle["levels"]
    assert {"accept", "handle", "sign"} <= set(found["known"]) and found["versions"][0]["number"] == 1
    assert [code for code, _ in found["periods"]] == ["30", "90", "365", "all"] and found["measures"][0] == ["running", "目前停留"]
    with engine.reading() as conn:
        row = conn.execute(select(case_file).where(case_file.c.key == case.key)).one()
    assert row.case_no not in json.dumps(found, ensure_ascii=False) and row.title not in json.dumps(found, ensure_ascii=False)


def test_a_process_that_was_never_in_use_has_no_figures_and_no_version_that_is_not_there_has_any(browse, open_case, draft):
    open_case()
    client, base = browse("designer"), f"/designer/drafts/{draft.key}/statistics.json"
    for query in ("process=other", "", "process=licence&version=99"):
        found = client.get(f"{base}?{query}").json
        assert found["steps"] == {} and found["known"] == []
