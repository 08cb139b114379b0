"""What the desk refuses, and in which words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from engine.store import tables
from tests.support.browser import Desk
from tests.support.by_requests import Visitor
from tests.support.player import ROOT

CHINESE = re.compile(r"[\u4e00-\u9fff]")


def test_another_persons_case_is_not_found_by_guessing_its_address(by_requests, desk: Desk, onlooker):
    desk.expects(404)
    player = by_requests("complaint_c")
    player.play_until("accept_review")
    task = player.open_tasks("accept_review")[0]
    stranger = desk.person("qiye1")
    audit = tables.audit

    for address in (f"/case/{player.case_key}", f"/task/{task.key}", f"/case/{player.case_key}/print", f"/case/{player.case_key + 1}"):
        answer = stranger.page.goto(desk.url + address)
        assert answer.status == 404, address
        expect(stranger.page.locator("main")).to_contain_text(CHINESE)
        expect(stranger.page.locator("main")).not_to_contain_text(player.case_no)

    with onlooker.reading() as conn:
        logged = conn.execute(select(audit).where(audit.c.by == "qiye1", audit.c.subject.contains(str(player.case_key)))).all()
    assert logged


def test_a_document_of_a_wrong_type_is_refused_in_words(desk: Desk):
    desk.expects(400, 413, 415, 422)
    person = desk.person("wangfang")
    page = person.go_to_form("/start/complaint")

    page.locator("#task-form-fields input[type=file]").set_input_files(
        {"name": "证据.pdf", "mimeType": "application/pdf", "buffer": b"MZ\x90\x00\x03 this is a program, not a document"}
    )

    expect(page.locator("#toasts")).to_contain_text(re.compile("证据.pdf"))
    expect(page.locator("#toasts")).to_contain_text(CHINESE)


def test_a_request_without_the_csrf_token_is_refused(server, by_requests):
    player = by_requests("complaint_c")
    player.play_until("accept_review")
    task = player.open_tasks("accept_review")[0]
    visitor = Visitor(server.url, "wangfang").sign_in()

    for path in (f"/task/{task.key}/claim", f"/task/{task.key}", "/start/complaint", "/logout", f"/case/{player.case_key}/urge"):
        answer = visitor.post(path, {"data": "{}"})
        assert answer.status in (400, 403), (path, answer.status)
        assert CHINESE.search(answer.text)

    assert player.open_tasks("accept_review")[0].assignee == task.assignee


def test_a_refused_form_says_where_and_keeps_what_was_typed(desk: Desk):
    person = desk.person("wangfang")
    page = person.go_to_form("/start/complaint")
    person.fill({"respondent_unit": "周口市科学技术局"})

    page.locator('button[data-outcome=""]').click()

    expect(page.locator("[data-error-count]")).to_contain_text(re.compile(r"有 \d+ 处需要修改"))
    expect(page.locator(".fjs-has-errors").first).to_contain_text("必填")
    expect(page.locator('[id$="-respondent_unit"]')).to_have_value("周口市科学技术局")


BROKEN = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" targetNamespace="x">
  <bpmn:process id="leave_request" name="请假" isExecutable="true">
    <bpmn:startEvent id="begin" name="申请"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
    <bpmn:sequenceFlow id="f1" sourceRef="begin" targetRef="check"/>
    <bpmn:userTask id="check" name="科长审核"><bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing></bpmn:userTask>
    <bpmn:sequenceFlow id="f2" sourceRef="check" targetRef="which"/>
    <bpmn:exclusiveGateway id="which" name="几天？"><bpmn:incoming>f2</bpmn:incoming><bpmn:outgoing>f3</bpmn:outgoing><bpmn:outgoing>f4</bpmn:outgoing></bpmn:exclusiveGateway>
    <bpmn:sequenceFlow id="f3" sourceRef="which" targetRef="done"><bpmn:conditionExpression>=days &gt; </bpmn:conditionExpression></bpmn:sequenceFlow>
    <bpmn:sequenceFlow id="f4" sourceRef="which" targetRef="nowhere"/>
    <bpmn:endEvent id="done" name="结束"><bpmn:incoming>f3</bpmn:incoming></bpmn:endEvent>
  </bpmn:process>
</bpmn:definitions>
"""


@pytest.fixture
def upload_page(desk: Desk):
    return desk.person("yaojing").go("/designer/upload")


def test_a_designer_is_told_what_is_wrong_with_a_model_and_where(upload_page, desk: Desk, tmp_path: Path):
    desk.expects(422)
    file = tmp_path / "leave.bpmn"
    file.write_text(BROKEN, encoding="utf-8")
    upload_page.set_input_files("#files", file)
    upload_page.get_by_role("button", name="检查").click()

    findings = upload_page.locator("table tbody tr")
    expect(findings.first).to_be_visible()
    words = upload_page.locator("main").inner_text()
    assert "leave.bpmn" in words
    assert "顺序流“f4”的起点或终点“nowhere”不存在" in words
    assert CHINESE.search(findings.first.inner_text())
    expect(upload_page.get_by_role("button", name=re.compile("发布"))).to_have_count(0)


def test_a_good_model_becomes_a_draft_that_a_second_person_must_approve(upload_page, desk: Desk, onlooker):
    upload_page.set_input_files("#files", ROOT / "tests" / "toolchain" / "small.bpmn")
    upload_page.get_by_role("button", name="检查").click()
    upload_page.get_by_role("button", name="做成设计稿").click()

    expect(upload_page.locator("main .alert-success")).to_be_visible()
    expect(upload_page.get_by_role("link", name="small.bpmn").first).to_be_visible()
    assert onlooker.catalogue.find("process", "small") is None
