"""The page of a dry run: it keeps nothing, plays what it is sent, and refuses in words."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from engine.runtime.design import drafts, scenarios
from engine.store import tables
from tests.desk import desk_models as models
from tests.web.rooms import app, browse, clock, engine, open_case, settings  # noqa: F401  fixtures
from web.app import create_app

START = {name: value for name, value in models.START.items() if name != "received"}
RUN = {"title": "试运行", "at": "2026-11-23T09:00:00+08:00", "by": "wang", "start": START, "steps": []}
ACCEPT = {"do": "complete", "element": "accept", "by": "wang", "outcome": "accept"}


@pytest.fixture
def draft(engine):
    """A draft of the small procedure with one scenario that passes and one that does not."""
    made = drafts.branch(engine.desk, "licence", by="designer")
    good = {**RUN, "title": "受理", "steps": [ACCEPT], "expect": {"path": ["accept"]}}
    wrong = {**RUN, "title": "签发", "steps": [ACCEPT], "expect": {"path": ["sign"]}}
    files = {"scenarios/good.json": scenarios.written(good), "scenarios/wrong.json": scenarios.written(wrong)}
    return drafts.save(engine.desk, made.key, files, revision=made.revision, by="designer")


def address(draft, part: str = "") -> str:
    return f"/designer/drafts/{draft.key}/try{part}"


def page_data(text: str) -> dict:
    return json.loads(text.split('id="try-data">')[1].split("</script>")[0])


def test_the_page_has_the_start_form_the_people_and_the_scenarios(browse, draft):
    text = browse("designer").get(address(draft)).get_data(as_text=True)
    page = page_data(text)
    assert page["begin"]["process"] == "licence" and page["begin"]["form"]["components"]
    assert [each["name"] for each in page["scenarios"]] == ["good", "wrong"]
    assert "wang" in {each["login"] for each in page["begin"]["starters"]}


def test_only_designers_may_try(browse, draft):
    for login in ("wang", "admin", "auditor"):
        client = browse(login)
        assert client.get(address(draft)).status_code in (403, 404), login
        assert client.post(address(draft, "/run"), json={"scenario": RUN}).status_code in (403, 404), login
        assert client.post(address(draft, "/all"), json={}).status_code in (403, 404), login
        assert client.get(address(draft, "/diagram?process=licence")).status_code in (403, 404), login


def test_every_step_plays_the_whole_run_and_leaves_nothing_behind(browse, engine, draft):
    client = browse("designer")

    def rows() -> int:
        kept = (tables.instance, tables.user_task, tables.notification, tables.job, tables.case_file, tables.clock, tables.delivery)
        with engine.reading() as conn:
            return sum(conn.execute(select(func.count()).select_from(table)).scalar_one() for table in kept)

    before = rows()
    for steps in ([], [ACCEPT], [ACCEPT, {"do": "wait", "days": 30}]):
        answer = client.post(address(draft, "/run"), json={"scenario": {**RUN, "steps": steps}})
        assert answer.status_code == 200, answer.text
        shown = answer.get_json()
        assert len(shown["records"]) == len(steps) + 1 and shown["failure"] is None
    assert [task["element"] for task in shown["tasks"]] == ["handle"]
    assert shown["at"]["iso"].startswith("2026-12-23")
    assert rows() == before


def test_a_refused_step_comes_back_with_its_fields(browse, draft):
    shown = (
        browse("designer").post(address(draft, "/run"), json={"scenario": {**RUN, "steps": [{**ACCEPT, "outcome": "dance"}]}}).get_json()
    )
    assert shown["failure"]["number"] == 1 and "outcome" in shown["failure"]["errors"]
    assert [task["element"] for task in shown["tasks"]] == ["accept"]


@pytest.mark.parametrize(
    "body", [None, [], {"scenario": {}}, {"scenario": {**RUN, "steps": [{"do": "dance"}]}}, {"scenario": {**RUN, "at": "never"}}]
)
def test_what_cannot_be_read_is_refused_in_words(browse, draft, body):
    answer = browse("designer").post(address(draft, "/run"), json=body, headers={"Accept": "application/json"})
    assert answer.status_code == 422
    assert answer.get_json()["message"]


def test_a_run_of_a_megabyte_is_not_even_read(browse, draft):
    answer = browse("designer").post(
        address(draft, "/run"), json={"scenario": {**RUN, "start": {"subject": "x" * 2**21}}}, headers={"Accept": "application/json"}
    )
    assert answer.status_code in (413, 422)


def test_all_scenarios_are_played_with_the_first_difference_and_the_coverage(browse, draft):
    answer = browse("designer").post(address(draft, "/all"), json={}).get_json()
    assert {each["name"]: each["ok"] for each in answer["results"]} == {"good": True, "wrong": False}
    assert "never finished" in answer["results"][1]["problems"][0]
    (covered,) = answer["coverage"]
    assert covered["process"] == "licence" and 0 < covered["percent"] < 100
    assert {"sign", "closed"} <= {each["id"] for each in covered["missed"]}
    one = browse("designer").post(address(draft, "/all"), json={"names": ["good"]}).get_json()
    assert [each["name"] for each in one["results"]] == ["good"]


def test_the_drawing_is_the_drafts_own(browse, draft):
    client = browse("designer")
    assert client.get(address(draft, "/diagram?process=licence")).get_data(as_text=True) == draft.files["licence.bpmn"]
    assert client.get(address(draft, "/diagram?process=nothing")).status_code == 404


def test_a_draft_that_cannot_be_deployed_says_why_instead(browse, engine, draft):
    drafts.save(engine.desk, draft.key, {"licence.bpmn": "<nonsense"}, revision=draft.revision, by="designer")
    client = browse("designer")
    page = client.get(address(draft))
    assert (
        page.status_code == 200 and "cannot be tried yet" in page.get_data(as_text=True) and "licence.bpmn" in page.get_data(as_text=True)
    )
    answer = client.post(address(draft, "/run"), json={"scenario": RUN}, headers={"Accept": "application/json"})
    assert answer.status_code == 422 and "cannot be tried yet" in answer.get_json()["message"]


def test_a_hostile_title_is_inert(browse, engine, draft):
    hostile = scenarios.written({**RUN, "title": "</script><img src=x onerror=alert(1)>"})
    drafts.save(engine.desk, draft.key, {"scenarios/hostile.json": hostile}, revision=draft.revision, by="designer")
    assert "<img src=x" not in browse("designer").get(address(draft)).get_data(as_text=True)


def test_running_needs_the_token_against_forged_requests(engine, draft):
    strict = create_app(settings(), engine, TESTING=True, WTF_CSRF_ENABLED=True)
    client = strict.test_client()
    with engine.reading() as conn:
        epoch = conn.execute(select(tables.person.c.session_epoch).where(tables.person.c.login == "designer")).scalar_one()
    with client.session_transaction() as session:
        session.update(login="designer", epoch=epoch, seen=int(strict.config["SESSION_CLOCK"]()), language="en")
    assert client.post(address(draft, "/run"), json={"scenario": RUN}).status_code == 400
