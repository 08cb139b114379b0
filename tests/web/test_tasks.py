"""The task page: what it shows to whom, what it sends, and that nothing typed is ever lost."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from io import BytesIO

import pytest
from sqlalchemy import select

from engine.store.tables import attachment, sensitive_view

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


def island(page: str, name: str = "task-data") -> dict:
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.S)[1])


def earlier(page: str) -> list[dict]:
    return [json.loads(text) for text in re.findall(r'<script type="application/json" id="answers-\d+">(.*?)</script>', page, re.S)]


@pytest.fixture
def claimed(office, new_case, task_of):
    """Wang's task on a fresh case."""
    task = task_of(new_case().key, "accept")
    office.desk.claim(task.key, by="wang")
    return task_of(task.root_key, "accept")


@pytest.fixture
def handling(office, new_case, task_of):
    """Opens a case and brings it to the handling step; keyword arguments change the form."""

    def bring(**changes):
        case = new_case(**changes)
        office.desk.complete_task(task_of(case.key, "accept").key, {"note": "材料齐全"}, outcome="accept", opinion="拟同意", by="wang")
        return task_of(case.key, "handle")

    return bring


def test_the_page_names_the_step_the_case_and_the_light(sign_in, claimed):
    page = sign_in("wang").get(f"/task/{claimed.key}").text
    assert re.search(r"<title>受理审查 · 411600-XK-20261102-0001 · 关于大棚改造的许可 · 办结</title>", page)
    assert "light--green" in page
    assert "剩 3 工作日" in page


def test_only_the_variables_of_the_form_leave_the_server(sign_in, handling, office):
    task = handling()
    office.desk.claim(task.key, by="li")
    data = island(sign_in("li").get(f"/task/{task.key}").text)["data"]
    assert data == {"note": "材料齐全"}


def test_outcomes_are_buttons_that_ask_and_want_an_opinion(sign_in, claimed):
    page = sign_in("wang").get(f"/task/{claimed.key}").text
    buttons = dict(re.findall(r'data-outcome="(\w+)"([^>]*)>', page))
    assert set(buttons) == {"accept", "supplement", "decline"}
    assert "data-needs-opinion" in buttons["decline"]
    assert 'data-confirm="申请到此为止。"' in buttons["decline"]
    assert "data-confirm" not in buttons["accept"]


def test_an_unclaimed_task_can_be_read_and_must_be_claimed_to_be_filled_in(sign_in, new_case, task_of):
    task = task_of(new_case().key, "accept")
    client = sign_in("wang")
    page = client.get(f"/task/{task.key}").text
    assert island(page)["readonly"] is True
    assert "尚未认领" in page
    client.post(f"/task/{task.key}/claim")
    assert island(client.get(f"/task/{task.key}").text)["readonly"] is False


def test_a_task_of_somebody_else_is_shown_without_buttons(sign_in, handling, office):
    task = handling()
    office.desk.claim(task.key, by="li")
    page = sign_in("zhao").get(f"/task/{task.key}").text
    assert "该任务由 李强 办理" in page
    assert "data-outcome" not in page


def test_finishing_leads_back_to_the_list_and_names_the_next_task(sign_in, claimed, new_case):
    new_case(subject="下一件")
    client = sign_in("wang")
    client.get("/inbox?sort=title")
    answer = client.post(f"/task/{claimed.key}", data={"data": "{}", "outcome": "accept", "revision": claimed.revision})
    assert answer.location == "/inbox?sort=title"
    page = client.get(answer.location).text
    assert "已办理：受理审查。" in page
    assert "下一件：" in page
    assert "关于下一件的许可" in page


def test_a_refused_form_keeps_everything_and_says_what_is_wrong(sign_in, claimed):
    answer = sign_in("wang").post(f"/task/{claimed.key}", data={"data": json.dumps({"note": "写了很多"}), "outcome": "decline", "opinion": " "})
    assert answer.status_code == 422
    assert island(answer.text)["data"]["note"] == "写了很多"
    assert 'data-form-errors class="form-errors" role="alert"' in answer.text
    assert "is-invalid" in answer.text


def test_field_errors_travel_with_the_form(sign_in, office):
    answer = sign_in("wang").post("/start/licence", data={"data": json.dumps({"county": "川汇区"})})
    assert answer.status_code == 422
    data = island(answer.text)
    assert list(data["errors"]) == ["subject"]
    assert data["data"] == {"county": "川汇区"}


def test_data_that_is_no_json_is_refused_in_words(sign_in, claimed):
    for text in ("{", "[]", '"x"'):
        answer = sign_in("wang").post(f"/task/{claimed.key}", data={"data": text, "outcome": "accept"})
        assert answer.status_code == 422
        assert "草稿仍在" in answer.text


def test_a_stale_page_is_a_conflict_that_shows_what_was_typed(sign_in, claimed):
    answer = sign_in("wang").post(
        f"/task/{claimed.key}", data={"data": json.dumps({"note": "我的内容"}), "outcome": "accept", "revision": claimed.revision - 1, "opinion": "我的意见"}
    )
    assert answer.status_code == 409
    assert island(answer.text, "kept")["data"] == {"note": "我的内容"}
    assert "我的意见" in answer.text


def test_a_task_that_somebody_finished_says_who_and_when(sign_in, handling, office, clock):
    task = handling()
    zhao = sign_in("zhao")
    assert zhao.get(f"/task/{task.key}").status_code == 200
    clock.advance(timedelta(minutes=5))
    office.desk.complete_task(task.key, {}, outcome="submit", by="li")
    answer = zhao.post(f"/task/{task.key}", data={"data": json.dumps({"note": "白写了"}), "outcome": "submit"})
    assert answer.status_code == 409
    assert "李强" in answer.text
    assert "11-02 09:05" in answer.text
    assert "白写了" in answer.text


def test_a_page_sent_twice_counts_once(sign_in, claimed):
    client = sign_in("wang")
    form = {"data": "{}", "outcome": "accept", "command_token": "t" * 32}
    assert client.post(f"/task/{claimed.key}", data=form).status_code == 302
    assert client.post(f"/task/{claimed.key}", data=form).status_code == 409


def test_a_link_to_a_finished_task_leads_to_its_case(sign_in, claimed):
    client = sign_in("wang")
    client.post(f"/task/{claimed.key}", data={"data": "{}", "outcome": "accept"})
    answer = client.get(f"/task/{claimed.key}", follow_redirects=True)
    assert answer.request.path == f"/case/{claimed.root_key}"
    assert "已由 王芳 于" in answer.text


def test_drafts_are_kept_and_come_back(sign_in, claimed):
    client = sign_in("wang")
    answer = client.post(f"/task/{claimed.key}/draft", json={"data": {"note": "一半"}, "opinion": "待定", "revision": claimed.revision})
    assert answer.json["saved_at"].startswith("2026-11-02T01:00")
    page = client.get(f"/task/{claimed.key}").text
    assert island(page)["data"]["note"] == "一半"
    assert ">待定</textarea>" in page
    assert island(page)["draft"]["saved_at"]


def test_a_draft_for_a_changed_task_is_a_conflict(sign_in, claimed):
    answer = sign_in("wang").post(f"/task/{claimed.key}/draft", json={"data": {}, "revision": 0}, headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert answer.json["message"]


def test_documents_are_stored_listed_and_given_out_safely(sign_in, claimed, office):
    client = sign_in("wang")
    files = {"key": "files::1", "files": [(BytesIO(b"%PDF-1.4 ..."), "证明.pdf"), (BytesIO("说明".encode()), "说明.txt")]}
    answer = client.post(f"/task/{claimed.key}/files", data=files, content_type="multipart/form-data")
    assert answer.status_code == 200, answer.text
    page = client.get(f"/task/{claimed.key}").text
    assert island(page)["files"] == {"files::1": [{"name": "证明.pdf", "size": 12}, {"name": "说明.txt", "size": 6}]}
    assert "材料 (2)" in page
    with office.reading() as conn:
        keys = {row.filename: row.key for row in conn.execute(select(attachment))}
    shown = client.get(f"/attachment/{keys['证明.pdf']}")
    assert shown.headers["Content-Disposition"].startswith("inline")
    assert "sandbox" in shown.headers["Content-Security-Policy"]
    assert client.get(f"/attachment/{keys['说明.txt']}").headers["Content-Disposition"].startswith("attachment")
    assert sign_in("sun").get(f"/attachment/{keys['证明.pdf']}").status_code == 404


def test_a_document_that_is_not_what_it_says_is_refused_in_words(sign_in, claimed):
    files = {"key": "files::1", "files": (BytesIO(b"<html>"), "证明.pdf")}
    answer = sign_in("wang").post(
        f"/task/{claimed.key}/files", data=files, content_type="multipart/form-data", headers={"Accept": "application/json"}
    )
    assert answer.status_code == 422
    assert "证明.pdf" in answer.json["message"]


def test_handing_on_needs_a_reason_and_gives_the_task_away(sign_in, handling, office, task_of):
    task = handling()
    office.desk.claim(task.key, by="li")
    client = sign_in("li")
    assert client.post(f"/task/{task.key}/transfer", data={"to": "zhao", "reason": ""}).location.startswith(f"/task/{task.key}")
    answer = client.post(f"/task/{task.key}/transfer", data={"to": "zhao", "reason": "出差"}, follow_redirects=True)
    assert "已转 赵敏 办理" in answer.text
    assert task_of(task.root_key, "handle").assignee == "zhao"


def test_giving_back_frees_the_task(sign_in, claimed, task_of):
    sign_in("wang").post(f"/task/{claimed.key}/unclaim")
    assert task_of(claimed.root_key, "accept").assignee is None


def test_names_of_a_confidential_case_are_masked_and_never_sent(sign_in, handling, office):
    task = handling(secret=True)
    page = sign_in("chen").get(f"/task/{task.key}").text
    start = earlier(page)[0]["data"]
    assert start["applicant_name"] != "张三"
    assert "张三" not in page
    assert "13800000000" not in page


def test_who_may_see_the_names_sees_them_and_the_look_is_recorded(sign_in, handling, office):
    task = handling(secret=True)
    office.desk.claim(task.key, by="li")
    page = sign_in("li").get(f"/task/{task.key}").text
    assert "张三" in page
    with office.reading() as conn:
        looks = conn.execute(select(sensitive_view)).all()
    assert [(look.viewer, look.reason, look.case_key) for look in looks] == [("li", "assignee", task.root_key)]


def test_an_open_case_records_no_look(sign_in, handling, office):
    task = handling()
    office.desk.claim(task.key, by="li")
    sign_in("li").get(f"/task/{task.key}")
    with office.reading() as conn:
        assert conn.execute(select(sensitive_view)).all() == []


def test_urging_is_shown_to_the_handler(sign_in, handling, office):
    task = handling()
    office.desk.claim(task.key, by="li")
    office.desk.urge(task.root_key, "请今日办结", by="du")
    page = sign_in("li").get(f"/task/{task.key}").text
    assert "请今日办结" in page
    assert "杜督" in page


def test_a_deputy_acts_on_behalf_and_is_told_so(sign_in, claimed, office):
    today = office.desk.people.today()
    office.desk.save_deputy("wang", "sun", today, today, by="wang")
    client = sign_in("sun")
    assert "您代 王芳 办理" in client.get(f"/task/{claimed.key}").text
    assert client.post(f"/task/{claimed.key}", data={"data": "{}", "outcome": "accept"}).status_code == 302


def test_the_page_works_in_english_too(sign_in, claimed):
    client = sign_in("wang")
    client.get("/language/en")
    page = client.get(f"/task/{claimed.key}").text
    assert "Earlier steps" in page
    assert "3 working day(s) left" in page
