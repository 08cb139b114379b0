"""The lists of work: what is in them, in which order, and what can be done from there."""

from __future__ import annotations

import re
from datetime import timedelta
from io import BytesIO

import pytest
from openpyxl import load_workbook

from engine.store import tables
from web.inbox.state import ListState

sqlite_only = pytest.mark.parametrize("database_kind", ["sqlite"])


def numbers(page: str) -> list[str]:
    """The case numbers of the table, in order."""
    return re.findall(r'class="code"[^>]*><a [^>]*>([^<]+)</a>', page)


def titles(page: str) -> list[str]:
    return re.findall(r'data-label="标题" title="([^"]*)"', page)


def test_red_comes_first_then_yellow_then_what_is_due_soon(sign_in, new_case, clock):
    new_case(subject="红")
    clock.advance(timedelta(days=3))
    new_case(subject="黄")
    clock.advance(timedelta(days=1))
    new_case(subject="绿甲")
    clock.advance(timedelta(days=3))
    new_case(subject="绿乙")
    page = sign_in("wang").get("/inbox").text
    assert [title[2] for title in titles(page)] == ["红", "黄", "绿", "绿"]
    assert re.findall(r'light light--(\w+)"', re.search(r"<tbody>.*</tbody>", page, re.S)[0]) == ["red", "yellow", "green", "green"]


@pytest.mark.parametrize("column", ["light", "case_no", "title", "procedure", "step", "applicant", "county", "received", "due", "assignee", "urgency"])
def test_every_column_sorts_both_ways(sign_in, new_case, column):
    for county, urgency in (("乙县", "normal"), ("甲县", "urgent")):
        new_case(subject=county, county=county, urgency=urgency)
    client = sign_in("wang")
    up, down = client.get(f"/inbox?sort={column}"), client.get(f"/inbox?sort=-{column}")
    assert up.status_code == down.status_code == 200
    assert set(numbers(up.text)) == set(numbers(down.text))
    assert 'aria-sort="ascending"' in up.text
    assert 'aria-sort="descending"' in down.text
    if column in ("case_no",):
        assert numbers(up.text) == numbers(down.text)[::-1]


def test_urgency_sorts_by_urgency_and_not_by_its_letters(sign_in, new_case):
    for urgency in ("normal", "urgent"):
        new_case(subject=urgency, urgency=urgency)
    client = sign_in("wang")
    assert titles(client.get("/inbox?sort=urgency").text) == ["关于urgent的许可", "关于normal的许可"]
    assert titles(client.get("/inbox?sort=-urgency").text) == ["关于normal的许可", "关于urgent的许可"]


def test_filters_narrow_the_list(sign_in, new_case):
    new_case(subject="甲", county="川汇区")
    new_case(subject="乙", county="淮阳区")
    client = sign_in("wang")
    assert titles(client.get("/inbox?county=川汇区").text) == ["关于甲的许可"]
    assert titles(client.get("/inbox?q=乙的").text) == ["关于乙的许可"]
    assert titles(client.get("/inbox?light=red").text) == []
    assert len(titles(client.get("/inbox?light=green&step=受理审查&procedure=licence").text)) == 2
    assert len(titles(client.get("/inbox?due_from=2026-11-05&due_to=2026-11-05").text)) == 2
    assert titles(client.get("/inbox?due_to=2026-11-04").text) == []


def test_a_percent_sign_in_the_search_is_a_percent_sign(sign_in, new_case):
    new_case(subject="补贴 50% 项目")
    new_case(subject="补贴 50 项目")
    assert titles(sign_in("wang").get("/inbox?q=50%25").text) == ["关于补贴 50% 项目的许可"]


@sqlite_only
def test_an_address_with_nonsense_shows_the_plain_list(sign_in, new_case):
    new_case()
    client = sign_in("wang")
    for query in ("sort=drop", "page=-1", "page=99999999999", "light=pink", "tab=zzz", "due_from=yesterday", "page=x"):
        answer = client.get(f"/inbox?{query}", follow_redirects=True)
        assert answer.status_code == 200
        assert len(titles(answer.text)) == 1


def test_pages_do_not_overlap_and_none_is_lost(sign_in, new_case, office):
    for number in range(23):
        new_case(subject=f"第{number}件")
    client = sign_in("wang")
    first, second = (numbers(client.get(f"/inbox?page={page}").text) for page in (1, 2))
    assert (len(first), len(second)) == (20, 3)
    assert not set(first) & set(second)
    assert client.get("/inbox?page=9").status_code == 302


def test_the_inbox_takes_at_most_five_statements(sign_in, new_case, statements):
    for number in range(12):
        new_case(subject=f"第{number}件")
    client = sign_in("wang")
    client.get("/inbox")
    with statements() as seen:
        assert client.get("/inbox").status_code == 200
    assert len(seen) <= 5, "\n\n".join(seen)


def test_what_is_offered_to_others_is_not_in_the_list(sign_in, new_case):
    new_case()
    assert titles(sign_in("sun").get("/inbox").text) == []


def test_a_conflict_of_interest_keeps_a_task_out_of_the_list(sign_in, new_case, office, task_of):
    case = new_case(respondent="gaoxin")
    office.desk.complete_task(task_of(case.key, "accept").key, {}, outcome="accept", by="wang")
    assert titles(sign_in("li").get("/inbox").text) == []
    free = new_case(subject="无关")
    office.desk.complete_task(task_of(free.key, "accept").key, {}, outcome="accept", by="wang")
    assert titles(sign_in("li").get("/inbox").text) == ["关于无关的许可"]


def test_a_deputy_sees_the_tasks_of_the_principal(sign_in, new_case, office, task_of, clock):
    case = new_case()
    office.desk.claim(task_of(case.key, "accept").key, by="wang")
    today = office.desk.people.today()
    office.desk.save_deputy("wang", "sun", today, today + timedelta(days=2), by="wang")
    page = sign_in("sun").get("/inbox").text
    assert titles(page) == ["关于大棚改造的许可"]
    assert "代理" in page


@pytest.mark.parametrize(("rule", "listed"), [("", True), ("none", False), ("section", False), ("role", True)])
@pytest.mark.parametrize("claimed", [True, False])
def test_a_step_that_a_deputy_may_not_do_is_not_in_their_list(sign_in, new_case, office, task_of, rule, listed, claimed):
    # Wang is clerk and window of the office, Sun a clerk elsewhere: another section, the same role.
    task = task_of(new_case().key, "accept")
    if claimed:
        office.desk.claim(task.key, by="wang")
    with office.transaction(by="system") as tx:
        row = tables.user_task
        tx.execute(row.update().where(row.c.key == task.key).values(properties={**task.properties, "deputy": rule}))
    today = office.desk.people.today()
    office.desk.save_deputy("wang", "sun", today, today, by="wang")
    assert bool(titles(sign_in("sun").get("/inbox").text)) is listed
    assert titles(sign_in("wang").get("/inbox").text)


def test_claiming_swaps_the_row(sign_in, new_case, task_of):
    task = task_of(new_case().key, "accept")
    answer = sign_in("wang").post(f"/inbox/{task.key}/claim", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert f'id="row-{task.key}"' in answer.text
    assert "王芳" in answer.text
    assert "办理" in answer.text


def test_who_comes_second_is_told_who_was_faster_and_when(sign_in, new_case, office, task_of, clock):
    case = new_case()
    office.desk.complete_task(task_of(case.key, "accept").key, {}, outcome="accept", by="wang")
    task = task_of(case.key, "handle")
    zhao = sign_in("zhao")
    clock.advance(timedelta(minutes=31))
    office.desk.claim(task.key, by="li")
    answer = zhao.post(f"/inbox/{task.key}/claim", headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "李强 已于 11-02 09:31 认领" in answer.text
    assert "data-announce" in answer.text
    assert "hx-post" not in answer.text


@sqlite_only
def test_claiming_several_takes_what_is_left(sign_in, new_case, office, task_of):
    tasks = []
    for number in range(3):
        case = new_case(subject=str(number))
        office.desk.complete_task(task_of(case.key, "accept").key, {}, outcome="accept", by="wang")
        tasks.append(task_of(case.key, "handle").key)
    office.desk.claim(tasks[1], by="zhao")
    answer = sign_in("li").post("/inbox/claim", data={"keys": [str(key) for key in tasks]}, follow_redirects=True)
    assert "已认领 2 件" in answer.text
    assert "赵敏 已于" in answer.text


@sqlite_only
def test_the_export_has_the_filtered_rows_and_no_formula(sign_in, new_case):
    new_case(subject='=HYPERLINK("http://evil.example")', county="川汇区")
    new_case(subject="别处", county="淮阳区")
    answer = sign_in("wang").get("/inbox/export.xlsx?county=川汇区")
    sheet = load_workbook(BytesIO(answer.data)).active
    assert sheet.max_row == 2
    assert sheet["A2"].value == "正常"
    assert {cell.data_type for row in sheet.iter_rows(min_row=2) for cell in row if cell.value} == {"s"}
    assert not sheet._hyperlinks


def test_a_cell_that_begins_like_a_formula_stays_text(tmp_path):
    from web.inbox.excel import workbook

    sheet = load_workbook(BytesIO(workbook("表", ["甲"], [["=1+1"], ["+1"], ["@SUM(A1)"], ["http://a.example"], [None]]))).active
    assert [sheet.cell(row, 1).value for row in range(2, 6)] == ["=1+1", "+1", "@SUM(A1)", "http://a.example"]
    assert {sheet.cell(row, 1).data_type for row in range(2, 6)} == {"s"}


@sqlite_only
def test_the_way_back_leads_to_the_list_as_it_was(sign_in, new_case, task_of):
    task = task_of(new_case().key, "accept")
    client = sign_in("wang")
    client.get("/inbox?county=川汇区&sort=-received")
    page = client.get(f"/task/{task.key}").text
    assert re.search(r'href="/inbox\?county=[^"]*&amp;sort=-received"', page)


def test_an_empty_inbox_says_so(sign_in):
    page = sign_in("sun").get("/inbox").text
    assert "没有待办" in page
    assert "会出现在这里" in page


def test_finished_tasks_show_their_outcome(sign_in, new_case, office, task_of):
    case = new_case()
    office.desk.complete_task(task_of(case.key, "accept").key, {}, outcome="accept", by="wang")
    page = sign_in("wang").get("/inbox/done").text
    assert len(titles(page)) == 1
    assert 'data-label="结果"><span>受理</span>' in page
    assert titles(sign_in("li").get("/inbox/done").text) == []


def test_own_cases_show_where_they_are(sign_in, new_case):
    new_case()
    page = sign_in("wang").get("/inbox/started").text
    assert 'data-label="环节"><span>受理审查</span>' in page
    assert titles(sign_in("li").get("/inbox/started").text) == []


def test_the_workbench_counts_and_lists_what_is_next(sign_in, new_case, clock):
    new_case(subject="旧")
    clock.advance(timedelta(days=7))
    new_case(subject="新")
    page = sign_in("wang").get("/home").text
    counted = re.findall(r"<strong>(\d+)</strong>", re.search(r'<ul class="counts">.*?</ul>', page, re.S)[0])
    assert counted == ["2", "0", "0", "1"]
    assert page.index("关于旧的许可") < page.index("关于新的许可")


def test_a_chief_sees_the_lights_of_the_section(sign_in, new_case):
    new_case()
    assert "本科室在办件" in sign_in("chen").get("/home").text
    assert "本科室在办件" not in sign_in("li").get("/home").text


def test_a_state_of_an_address_survives_going_there_and_back():
    state = ListState.of({"tab": "mine", "q": " 高企 ", "light": "red", "due_to": "2026-11-05", "sort": "-due", "page": "3"}, {"due": None})
    assert (state.tab, state.q, state.light, str(state.due_to), state.sort, state.page) == ("mine", "高企", "red", "2026-11-05", "-due", 3)
    assert state.filtered
