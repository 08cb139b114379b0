"""The page of a dry run: it keeps nothing, plays what it is sent, and refuses in words."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import func, select

from engine.runtime.design import checking, drafts, scenarios
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


def test_for_a_large_draft_a_page_that_says_so_stands_until_the_dry_run_is_prepared(browse, draft, monkeypatch):
    client = browse("designer")
    monkeypatch.setattr(checking, "QUICK", 100)
    text = client.get(address(draft, "?scenario=good&_external=1&key=7")).get_data(as_text=True)
    assert "the dry run is being prepared" in text and f'hx-get="{address(draft)}/ready?scenario=good"' in text and "try-data" not in text
    way = client.get(address(draft, "/ready?scenario=good")).headers["HX-Redirect"]
    assert page_data(client.get(way).get_data(as_text=True))["begin"]["process"] == "licence" and way.endswith("ready=1&scenario=good")
    drafts.save(draft_desk(client), draft.key, {"licence.bpmn": "<broken"}, revision=draft.revision, by="designer")
    page = client.get(client.get(address(draft, "/ready")).headers["HX-Redirect"]).get_data(as_text=True)
    assert "The draft cannot be tried yet" in page


def draft_desk(client):
    return client.application.extensions["engine"].desk


def test_only_designers_may_try(browse, draft):
    for login in ("wang", "admin", "auditor"):
        client = browse(login)
        assert client.get(address(draft)).status_code in (403, 404), login
        assert client.get(address(draft, "/ready")).status_code in (403, 404), login
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


PATIENCE = 120


def played(engine, client, draft) -> dict:
    """The run of all scenarios of a draft, asked for at the page and waited for."""
    answer = client.post(address(draft, "/all"), json={})
    assert answer.status_code == 202
    assert engine.desk.scenario_runs.finish(PATIENCE)
    return client.get(answer.json["urls"]["state"]).json


def test_all_scenarios_are_played_with_the_first_difference_and_the_coverage(browse, engine, draft):
    run = played(engine, browse("designer"), draft)
    assert (run["state"], run["open"], run["total"], run["done"]) == ("DONE", False, 2, 2)
    assert {each["name"]: each["ok"] for each in run["results"]} == {"good": True, "wrong": False}
    assert "never finished" in run["results"][1]["problems"][0]
    (covered,) = run["coverage"]
    assert covered["process"] == "licence" and 0 < covered["percent"] < 100
    assert {"sign", "closed"} <= {each["id"] for each in covered["missed"]}


def test_one_scenario_is_played_here_and_now(browse, draft):
    client = browse("designer")
    one = client.post(address(draft, "/all"), json={"name": "good"}).get_json()
    assert [each["name"] for each in one["results"]] == ["good"] and one["coverage"]
    for name in ("nothing", ["good"], 5):
        assert client.post(address(draft, "/all"), json={"name": name}, headers={"Accept": "application/json"}).status_code == 422


def test_the_page_knows_the_last_run_until_something_changes(browse, engine, draft):
    client = browse("designer")
    assert page_data(client.get(address(draft)).text)["played"] is None
    run = played(engine, client, draft)
    assert page_data(client.get(address(draft)).text)["played"]["key"] == run["key"]
    drafts.save(engine.desk, draft.key, {"scenarios/wrong.json": None}, revision=draft.revision, by="designer")
    assert page_data(client.get(address(draft)).text)["played"] is None


def test_a_run_is_watched_at_its_page_with_and_without_scripts(browse, engine, draft, monkeypatch):
    monkeypatch.setattr(engine.desk.scenario_runs, "wake", lambda: None)
    client = browse("designer", "zh")
    answer = client.post(f"/designer/drafts/{draft.key}/runs")
    assert answer.status_code == 302
    page = client.get(answer.location)
    assert 'http-equiv="refresh"' in page.text and "hx-get" in page.text and "0 / 2" in page.text
    assert "hx-get" in client.get(f"{answer.location}/progress").text
    monkeypatch.undo()
    engine.desk.scenario_runs.tend()
    assert engine.desk.scenario_runs.finish(PATIENCE)
    page = client.get(answer.location)
    assert 'http-equiv="refresh"' not in page.text and "2 / 2" in page.text and "签发" in page.text
    assert client.post(f"{answer.location}/cancel").status_code == 302  # too late, which its page says
    assert client.get("/designer/runs/1").status_code == 404


def test_submitting_without_results_shows_the_run_and_goes_on_to_the_publication(browse, engine, draft):
    client = browse("designer")
    files = {"scenarios/wrong.json": None, "README.md": "新"}
    saved = drafts.save(engine.desk, draft.key, files, revision=draft.revision, by="designer")
    form = {"revision": saved.revision, "reason": "依据新规定", "warnings": "1"}
    answer = client.post(f"/designer/drafts/{draft.key}/submit", data=form)
    assert answer.status_code == 302 and "/designer/runs/" in answer.location
    assert engine.desk.scenario_runs.finish(PATIENCE)
    live = client.get(answer.location.replace("?follow=1", "/progress"))
    assert "follow=1" in live.headers["HX-Redirect"]
    on = client.get(answer.location)
    assert on.status_code == 302 and "/designer/submissions/" in on.location
    assert "The new version is in use." in client.get(on.location).text


def test_a_scenario_that_fails_says_at_the_run_why_nothing_was_submitted(browse, engine, draft):
    client = browse("designer")
    answer = client.post(f"/designer/drafts/{draft.key}/submit", data={"revision": draft.revision, "reason": "依据", "warnings": "1"})
    assert engine.desk.scenario_runs.finish(PATIENCE)
    page = client.get(answer.location)
    assert page.status_code == 200 and "Not submitted." in page.text and "签发" in page.text
    # Known by now: the form itself says so, and keeps what was written.
    again = client.post(f"/designer/drafts/{draft.key}/submit", data={"revision": draft.revision, "reason": "依据", "warnings": "1"})
    assert again.status_code == 422 and "签发" in again.text and "依据" in again.text


def test_only_the_room_may_see_or_stop_a_run(browse, engine, draft, monkeypatch):
    monkeypatch.setattr(engine.desk.scenario_runs, "wake", lambda: None)
    run = browse("designer").post(f"/designer/drafts/{draft.key}/runs").location
    for login in ("wang", "auditor"):
        client = browse(login)
        for page in (run, f"{run}/progress", f"{run}/state"):
            assert client.get(page).status_code in (403, 404), (login, page)
        for act in (f"{run}/cancel", f"/designer/drafts/{draft.key}/runs"):
            assert client.post(act).status_code in (403, 404), (login, act)
    assert browse("designer").post(f"{run}/cancel", headers={"Accept": "application/json"}).json["state"] == "CANCELED"


def test_a_difference_says_where_it_shows(browse, draft):
    scenario = {**RUN, "steps": [ACCEPT], "expect": {"path": ["accept", "sign"]}}
    (problem,) = browse("designer").post(address(draft, "/run"), json={"scenario": scenario}).get_json()["problems"]
    assert problem["element"] == "decided" and "“sign”" not in problem["text"]  # by their names, not by their ids


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


def test_who_submits_otherwise_while_the_scenarios_are_played_is_told_and_keeps_the_form(browse, engine, draft, monkeypatch):
    monkeypatch.setattr(engine.desk.scenario_runs, "wake", lambda: None)
    client = browse("designer")
    form = {"revision": draft.revision, "reason": "依据一", "warnings": "1"}
    first = client.post(f"/designer/drafts/{draft.key}/submit", data=form)
    assert client.post(f"/designer/drafts/{draft.key}/submit", data=form).location == first.location  # a double click
    other = client.post(f"/designer/drafts/{draft.key}/submit", data={**form, "reason": "依据二"})
    assert other.status_code == 409 and "being played already" in other.text and "依据二" in other.text
