"""The limits of a case on its page: bars, arithmetic, pauses by decision, promises, phases."""

from __future__ import annotations

import re
from datetime import timedelta
from io import BytesIO

import pytest

from engine.store import tables
from tests.desk import desk_models as models
from tests.desk import pause_models

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def opening(office):
    office.deploy(pause_models.files(), by="designer")
    return office.desk.start_case("opening", models.START, by="wang")


@pytest.fixture
def clock_key(office):
    from sqlalchemy import select

    def find(case, rule):
        clock = tables.clock.c
        with office.reading() as conn:
            return conn.execute(select(clock.key).where(clock.case_key == case.key, clock.rule_id == rule).order_by(clock.key.desc())).scalars().first()

    return find


@pytest.fixture
def handled(office, new_case, task_of):
    case = new_case()
    office.desk.complete_task(task_of(case.key, "accept").key, {}, outcome="accept", by="wang")
    return case


def section_of(page: str, key: int) -> str:
    """The block of a limit on the case page."""
    return re.search(rf'<section class="clock[^"]*" aria-labelledby="clock-{key}">.*?</section>', page, re.DOTALL).group(0)


def test_the_chief_pauses_on_the_page_and_lets_it_go_on(sign_in, office, handled, clock_key):
    key, client = clock_key(handled, "lic.close"), sign_in("chen")
    assert f"/case/{handled.key}/clocks/pause" in client.get(f"/case/{handled.key}").text
    form = client.get(f"/case/{handled.key}/clocks/pause").text
    for words in ("暂停时限", "恢复后", "中止", "例如暂停 5 个工作日", "补正", "政府信息公开条例"):
        assert words in form, words
    data = {"clock": str(key), "kind": "suspension", "reason": "等待法院裁判", "document": "周科函〔2026〕9号", "file": (BytesIO(b"%PDF-1.7"), "决定.pdf")}
    answer = client.post(f"/case/{handled.key}/clocks/pause", data=data, content_type="multipart/form-data")
    assert answer.status_code == 302
    block = section_of(client.get(f"/case/{handled.key}").text, key)
    for words in ("暂停", "中止", "等待法院裁判", "周科函〔2026〕9号", "决定.pdf", "陈刚", "如今日恢复", "暂停期间不触发", "bar__part--"):
        assert words in block, words
    again = client.post(f"/case/{handled.key}/clocks/pause", data={"clock": str(key), "kind": "suspension", "reason": "再停", "document": "2号"})
    assert again.status_code == 409
    assert "再停" in again.text
    back = client.get(f"/case/{handled.key}/clocks/resume/suspension").text
    assert "恢复计算" in back
    assert client.post(f"/case/{handled.key}/clocks/resume/suspension", data={"clock": str(key)}).status_code == 302
    assert "不触发" not in section_of(client.get(f"/case/{handled.key}").text, key)
    assert client.get(f"/case/{handled.key}/clocks/resume/suspension").status_code == 409


@sqlite_only
def test_a_decision_that_lacks_something_comes_back_as_it_was_filled_in(sign_in, handled, clock_key):
    client = sign_in("du")
    data = {"clock": str(clock_key(handled, "lic.close")), "kind": "suspension", "reason": "等待法院裁判", "document": ""}
    answer = client.post(f"/case/{handled.key}/clocks/pause", data=data)
    assert answer.status_code == 422
    assert "等待法院裁判" in answer.text and 'value="suspension" checked' in answer.text
    nothing = client.post(f"/case/{handled.key}/clocks/pause", data={"kind": "hearing", "reason": "听证"})
    assert nothing.status_code == 422
    assert "请至少选择一个时限" in nothing.text


@sqlite_only
def test_a_handler_sees_no_button_and_the_address_is_refused(sign_in, handled):
    client = sign_in("li")
    assert "clocks/pause" not in client.get(f"/case/{handled.key}").text
    assert client.get(f"/case/{handled.key}/clocks/pause").status_code == 403
    assert client.post(f"/case/{handled.key}/clocks/pause", data={"clock": "1", "kind": "hearing", "reason": "听证"}).status_code == 403
    assert sign_in("zhou").get(f"/case/{handled.key}/clocks/pause").status_code == 404


@sqlite_only
def test_a_limit_that_never_pauses_is_listed_with_the_reason_why_not(sign_in, office, opening, task_of, clock_key):
    page = sign_in("chen").get(f"/case/{opening.key}/clocks/pause").text
    key = clock_key(opening, "lic.strict")
    assert re.search(rf'value="{key}" disabled', page)
    assert "不可暂停" in page


def test_a_statutory_limit_and_its_promise_stand_in_one_block_on_one_scale(sign_in, opening, clock_key):
    page = sign_in("chen").get(f"/case/{opening.key}").text
    block = section_of(page, clock_key(opening, "open.reply"))
    assert "法定时限" in block and "承诺时限" in block and "承诺答复" in block
    assert block.count('class="bar"') == 2
    assert f'id="clock-{clock_key(opening, "open.reply.promise")}"' not in page
    due = [float(at) for at in re.findall(r'bar__mark--due" style="--at: ([\d.]+)%', block)]
    # 20 and 12 working days on one scale: the promise is due well before the law.
    assert len(due) == 2 and due[1] < due[0] * 0.8


@sqlite_only
def test_phase_and_step_are_called_by_name(sign_in, office, opening, task_of):
    for step in ("receive", "correct"):
        office.desk.complete_task(task_of(opening.key, step).key, {}, by="wang")
    page = sign_in("chen").get(f"/case/{opening.key}").text
    assert "阶段“征求意见”" in page
    assert "全程" in page
    assert "重新起算" in page
    assert "第三方意见征询" in page and "周科函〔2026〕3号" in page and "按流程" in page


@sqlite_only
def test_a_step_of_an_older_ledger_takes_its_name_from_the_trail(sign_in, office, handled):
    page = sign_in("chen").get(f"/case/{handled.key}").text
    assert "环节“承办”" in page


@sqlite_only
def test_every_mark_of_the_bar_is_said_in_words_and_each_rung_with_its_rule(sign_in, handled, clock_key):
    block = section_of(sign_in("chen").get(f"/case/{handled.key}").text, clock_key(handled, "lic.close"))
    assert block.count("bar__mark--coming") >= 3
    for words in ("时限已用 50%", "剩余不超过 1 个工作日", "今天", "到期", "临近期限，请抓紧办理"):
        assert words in block, words
    assert "自 2026年11月2日 起" in block and "首日" in block


@sqlite_only
def test_the_task_page_shows_the_same_bar_and_says_what_it_runs_for(sign_in, office, handled, task_of):
    task = task_of(handled.key, "handle")
    page = sign_in("li").get(f"/task/{task.key}").text
    assert 'class="bar"' in page and "环节“承办”" in page


@sqlite_only
def test_after_the_due_day_the_task_offers_no_extension(sign_in, office, handled, task_of, clock):
    task = task_of(handled.key, "handle")
    client = sign_in("li")
    client.post(f"/task/{task.key}/claim")
    assert "/extension" in client.get(f"/task/{task.key}").text
    clock.advance(timedelta(days=40))
    client = sign_in("li")
    assert "/extension" not in client.get(f"/task/{task.key}").text
    assert client.post(f"/task/{task.key}/extension").status_code == 409


@sqlite_only
def test_the_rule_table_takes_and_shows_a_promise(sign_in, office, opening):
    client = sign_in("admin")
    page = client.get("/limits/rules/open.reply.promise").text
    assert "open.reply" in page and "承诺" in page
    assert "承诺时限" in client.get("/limits/rules/open.reply").text
    assert 'name="promise_of"' in client.get("/limits/rules/open.reply.promise/edit").text
