"""The editor's server side: the page, the check while drawing, and the lists to choose from."""

from __future__ import annotations

import json
import re

import pytest

from engine.runtime.design import drafts
from tests.web.rooms import app, browse, clock, engine  # noqa: F401  fixtures

DESIGNER = "designer"


@pytest.fixture
def draft(engine):
    return drafts.branch(engine.desk, "licence", by=DESIGNER)


def page_data(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="design">(.*?)</script>', page, re.DOTALL)[1])


def test_the_page_brings_the_files_the_lists_and_the_addresses(browse, draft):
    answer = browse(DESIGNER).get(f"/designer/drafts/{draft.key}/edit")

    assert answer.status_code == 200
    data = page_data(answer.get_data(as_text=True))
    assert data["files"] == draft.files
    assert data["draft"]["key"] == str(draft.key), "a number of this size would lose its last digits in a browser"
    assert data["draft"]["revision"] == 1 and data["draft"]["editable"] is True
    assert data["urls"]["save"] == f"/designer/drafts/{draft.key}/files"
    assert data["autosaves"] == {}


def test_only_the_style_elements_of_this_page_are_allowed_beside_its_own_files(browse, draft):
    answer = browse(DESIGNER).get(f"/designer/drafts/{draft.key}/edit")

    nonce = re.search(r'data-style-nonce="([^"]+)"', answer.get_data(as_text=True))[1]
    policy = answer.headers["Content-Security-Policy"]
    assert f"'nonce-{nonce}'" in policy
    assert "script-src 'self';" in policy and "unsafe-eval" not in policy


def test_what_the_editor_kept_after_a_crash_comes_with_the_page(browse, draft, engine):
    file = next(name for name in draft.files if name.endswith(".bpmn"))
    drafts.autosave(engine.desk, draft.key, file, "<half/>", revision=1, by=DESIGNER)

    data = page_data(browse(DESIGNER).get(f"/designer/drafts/{draft.key}/edit").get_data(as_text=True))

    assert data["autosaves"][file]["content"] == "<half/>"
    assert data["autosaves"][file]["revision"] == 1


@pytest.mark.parametrize("path", ["/designer/drafts/{key}/edit", "/designer/options"])
def test_only_designers_may_look(browse, draft, path):
    for login in ("du", "li"):
        assert browse(login).get(path.format(key=draft.key)).status_code in (403, 404), login


def test_only_designers_may_have_files_checked(browse):
    assert browse("li").post("/designer/lint", json={"files": {}}).status_code == 403


def test_the_check_names_element_rule_and_severity(browse, draft):
    file = next(name for name in draft.files if name.endswith(".bpmn"))
    broken = draft.files[file].replace("</bpmn:process>", '<bpmn:userTask id="lost" name="没人走到"/></bpmn:process>', 1)
    assert broken != draft.files[file]

    problems = browse(DESIGNER).post("/designer/lint", json={"files": {**draft.files, file: broken}}).get_json()["problems"]

    mine = [each for each in problems if each["elementId"] == "lost"]
    assert {each["rule"] for each in mine} > {"assignment.nobody"} and all(each["file"] == file for each in mine)
    assert {each["severity"] for each in problems} <= {"error", "warning"}


def test_a_file_that_is_no_xml_is_a_finding_and_no_failure(browse):
    problems = browse(DESIGNER).post("/designer/lint", json={"files": {"x.bpmn": "<nonsense", "y.form": "{"}}).get_json()["problems"]

    assert {each["file"] for each in problems} == {"x.bpmn", "y.form"}
    assert all(each["severity"] == "error" and each["message"] for each in problems)


@pytest.mark.parametrize("body", [[], {}, {"files": "x"}, {"files": {"x.bpmn": 1}}])
def test_a_request_that_is_no_set_of_files_is_refused_in_words(browse, body):
    answer = browse(DESIGNER).post("/designer/lint", json=body, headers={"Accept": "application/json"})

    assert answer.status_code == 422
    assert answer.get_json()["message"]


def test_the_lists_hold_what_an_element_can_name(browse):
    lists = browse(DESIGNER).get("/designer/options").get_json()

    assert {
        "roles",
        "sections",
        "people",
        "groups",
        "rules",
        "ladders",
        "forms",
        "decisions",
        "processes",
        "statuses",
        "documents",
    } <= lists.keys()
    assert "licence_step" in {each["id"] for each in lists["forms"]}
    assert all(each["id"] and each["label"] for name in ("roles", "sections", "people", "groups", "rules", "forms") for each in lists[name])
    form = next(each for each in lists["forms"] if each["id"] == "licence_step")
    assert form["fields"] and all(field["key"] for field in form["fields"])
    assert any("@" in each["id"] for each in lists["groups"]), "roles in a section are groups too"


def test_a_page_of_work_loads_nothing_of_the_editor(browse):
    page = browse("li").get("/inbox").get_data(as_text=True)

    assert "designer" not in " ".join(re.findall(r'(?:src|href)="([^"]*static[^"]*)"', page))
