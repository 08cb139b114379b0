"""Opening a case and looking at one."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from io import BytesIO

import pytest

from tests.desk import desk_models as models

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])
START = {"subject": "大棚改造", "county": "川汇区", "handler_section": "gaoxin", "urgency": "normal"}


@pytest.fixture
def accepted(office, new_case, task_of):
    case = new_case()
    office.desk.complete_task(task_of(case.key, "accept").key, {"note": "齐全"}, outcome="accept", opinion="符合条件", by="wang")
    return case


@sqlite_only
def test_only_the_procedures_one_may_start_are_offered(sign_in):
    assert "许可办理" in sign_in("wang").get("/start").text
    assert "没有您可以发起的事项" in sign_in("li").get("/start").text
    assert sign_in("li").get("/start/licence").status_code == 403
    assert sign_in("wang").get("/start/nothing").status_code == 404


def test_submitting_the_start_form_opens_a_case(sign_in):
    client = sign_in("wang")
    answer = client.post("/start/licence", data={"data": json.dumps(START), "command_token": "a" * 32})
    assert answer.status_code == 302
    page = client.get(answer.location).text
    assert "411600-XK-20261102-0001" in page
    assert "已发起" in page
    again = client.post("/start/licence", data={"data": json.dumps(START), "command_token": "a" * 32})
    assert again.status_code == 409
    assert "大棚改造" in again.text


@sqlite_only
def test_a_draft_and_its_documents_wait_for_the_case(sign_in):
    client = sign_in("wang")
    client.post("/start/licence/draft", json={"data": {"subject": "一半"}})
    client.post("/start/licence/files", data={"key": "files::7", "files": (BytesIO(b"%PDF-1.7"), "申请.pdf")}, content_type="multipart/form-data")
    page = client.get("/start/licence").text
    assert "一半" in page
    assert "files::7" in page
    assert "重新填写" in page
    answer = client.post("/start/licence", data={"data": json.dumps({**START, "papers": "files::7"})})
    case_page = client.get(answer.location).text
    assert "材料 (1)" in case_page
    assert "申请.pdf" in case_page
    assert "一半" not in client.get("/start/licence").text


@sqlite_only
def test_a_draft_can_be_thrown_away(sign_in):
    client = sign_in("wang")
    client.post("/start/licence/draft", json={"data": {"subject": "一半"}})
    client.post("/start/licence/discard")
    assert "一半" not in client.get("/start/licence").text


def test_the_case_page_shows_trail_limits_and_answers(sign_in, accepted):
    page = sign_in("wang").get(f"/case/{accepted.key}").text
    for text in ("符合条件", "受理审查", "办结", "停止计时", "将触发", "承办", "高新技术科", "基本信息", "流转记录", "时限", "日志"):
        assert text in page, text
    assert len(re.findall(r'id="answers-\d+"', page)) == 2
    about = json.loads(re.search(r'id="diagram-\d+">(.*?)</script>', page, re.S)[1])
    assert "accept" in about["done"]
    assert about["current"] == ["handle"]


def test_the_trail_tells_how_long_a_step_took(sign_in, office, accepted, task_of, clock):
    clock.advance(timedelta(days=2))
    office.desk.complete_task(task_of(accepted.key, "handle").key, {}, outcome="submit", by="li")
    assert "用时 2 个工作日" in sign_in("wang").get(f"/case/{accepted.key}").text


def test_a_returned_step_is_marked_in_the_drawing(sign_in, office, accepted, task_of):
    office.desk.complete_task(task_of(accepted.key, "handle").key, {}, outcome="submit", by="li")
    office.desk.complete_task(task_of(accepted.key, "sign").key, {}, outcome="return", opinion="补充", by="wu")
    page = sign_in("wang").get(f"/case/{accepted.key}").text
    about = json.loads(re.search(r'id="diagram-\d+">(.*?)</script>', page, re.S)[1])
    assert about["returned"] == ["sign"]
    assert about["counts"]["handle"] == 2


@sqlite_only
def test_the_drawing_is_given_only_to_readers_and_only_for_instances_of_the_case(sign_in, accepted, new_case):
    client = sign_in("wang")
    assert client.get(f"/case/{accepted.key}/diagram/{accepted.key}.bpmn").mimetype == "application/xml"
    other = new_case()
    assert client.get(f"/case/{accepted.key}/diagram/{other.key}.bpmn").status_code == 404
    assert sign_in("sun").get(f"/case/{accepted.key}/diagram/{accepted.key}.bpmn").status_code == 404


@sqlite_only
def test_the_number_of_statements_does_not_grow_with_the_case(sign_in, office, accepted, task_of, statements):
    client = sign_in("wang")
    client.get(f"/case/{accepted.key}")
    with statements() as short:
        client.get(f"/case/{accepted.key}")
    for _ in range(4):
        office.desk.complete_task(task_of(accepted.key, "handle").key, {}, outcome="submit", by="li")
        office.desk.complete_task(task_of(accepted.key, "sign").key, {}, outcome="return", opinion="补充", by="wu")
    with statements() as long:
        client.get(f"/case/{accepted.key}")
    assert len(long) == len(short)
    assert len(long) <= 25


@sqlite_only
def test_urging_reaches_the_handler_and_is_for_those_who_may(sign_in, office, accepted, task_of):
    office.desk.claim(task_of(accepted.key, "handle").key, by="li")
    answer = sign_in("du").post(f"/case/{accepted.key}/urge", data={"text": "抓紧"}, follow_redirects=True)
    assert "催办：李强" in answer.text
    assert sign_in("li").post(f"/case/{accepted.key}/urge", data={"text": "抓紧"}).status_code == 403


@sqlite_only
def test_a_button_of_the_sheet_asks_its_form_and_ends_the_case(sign_in, accepted):
    client = sign_in("wang")
    assert "申请人撤回" in client.get(f"/case/{accepted.key}").text
    assert client.get(f"/case/{accepted.key}/action/withdrawn").status_code == 200
    missing = client.post(f"/case/{accepted.key}/action/withdrawn", data={"data": "{}"})
    assert missing.status_code == 422
    done = client.post(f"/case/{accepted.key}/action/withdrawn", data={"data": json.dumps({"why": "不办了"})}, follow_redirects=True)
    assert "撤回" in done.text
    assert client.get(f"/case/{accepted.key}/action/withdrawn").status_code in (404, 409)
    assert "申请人撤回</a>" not in client.get(f"/case/{accepted.key}").text


@sqlite_only
def test_a_button_is_not_shown_to_who_may_not_press_it(sign_in, accepted):
    client = sign_in("chen")
    assert "申请人撤回" not in client.get(f"/case/{accepted.key}").text
    assert client.post(f"/case/{accepted.key}/action/withdrawn", data={"data": "{}"}).status_code in (404, 409)


@sqlite_only
def test_confidential_names_are_in_no_part_of_the_page(sign_in, new_case):
    case = new_case(secret=True)
    for url in (f"/case/{case.key}", f"/case/{case.key}/print"):
        page = sign_in("chen").get(url).text
        assert "张三" not in page
        assert "13800000000" not in page
    assert "保密" in sign_in("chen").get(f"/case/{case.key}").text
    assert "张三" in sign_in("du").get(f"/case/{case.key}").text


@sqlite_only
def test_the_printed_case_has_labels_and_answers(sign_in, accepted):
    page = sign_in("wang").get(f"/case/{accepted.key}/print").text
    assert "打印人 王芳" in page
    assert '<td style="white-space: pre-line">大棚改造</td>' in page


def test_the_search_finds_by_number_title_and_applicant_what_one_may_read(sign_in, new_case):
    new_case(subject="大棚改造")
    new_case(subject="孵化器")
    client = sign_in("wang")
    assert "1</span>" in client.get("/search?q=孵化器").text
    assert client.get("/search?q=411600-XK-20261102-0002").status_code == 302
    assert "2</span>" in client.get("/search?q=张三").text
    assert "没有与" in sign_in("sun").get("/search?q=孵化器").text
    assert "1</span>" in sign_in("du").get("/search?q=孵化器").text


@sqlite_only
def test_the_log_shows_addresses_to_administrators_only(sign_in, office, accepted, task_of):
    office.desk.claim(task_of(accepted.key, "handle").key, by="li", address="10.1.2.3")
    assert "10.1.2.3" not in sign_in("du").get(f"/case/{accepted.key}").text
    assert models.PASSWORD
