"""The task page keeps the rights of its step: what is hidden never leaves the server, what is read-only cannot be changed by a draft."""

from __future__ import annotations

import json

import pytest

from tests.desk.test_field_rights import START, purchase
from tests.web.test_tasks import earlier, island

pytestmark = pytest.mark.parametrize("database_kind", ["sqlite"])


@pytest.fixture
def at_check(office, task_of):
    """Li's task on a fresh purchase with these rights at its first step."""

    def bring(**rights: str):
        office.deploy(purchase(**rights), by="designer")
        case = office.desk.start_case("purchase", START, by="wang")
        task = task_of(case.key, "check")
        office.desk.claim(task.key, by="li")
        return task_of(case.key, "check")

    return bring


def named(components: list[dict]) -> set[str]:
    own = {each.get("key") or each.get("path") for each in components}
    return own.union(*(named(each["components"]) for each in components if each.get("components")))


def test_what_a_step_hides_is_neither_in_the_form_nor_in_the_data_of_the_page(sign_in, at_check):
    task = at_check(fields__hidden="secret_note,contact.phone,items.price")

    page = sign_in("li").get(f"/task/{task.key}").text

    shown = island(page)
    assert named(shown["schema"]["components"]) == {"what", "budget", "contact", "name", "items", "title"}
    assert shown["data"]["contact"] == {"name": "张三"} and shown["data"]["items"] == [{"title": "甲"}, {"title": "乙"}]
    form_only = page[page.index('id="task-data"') :]
    assert "慎重" not in form_only[: form_only.index("</script>")] and "13800138000" not in form_only[: form_only.index("</script>")]
    lists = [each for each in shown["schema"]["components"] if each["type"] == "dynamiclist"]
    assert lists[0]["allowAddRemove"] is False


def test_what_is_read_only_shows_the_case_and_not_an_older_draft(sign_in, at_check):
    task = at_check(fields__readonly="budget")
    client = sign_in("li")
    client.post(f"/task/{task.key}/draft", json={"data": {"budget": 1, "what": "写了一半"}, "opinion": ""})

    shown = island(client.get(f"/task/{task.key}").text)

    assert shown["data"]["budget"] == START["budget"] and shown["data"]["what"] == "写了一半"
    budget = next(each for each in shown["schema"]["components"] if each.get("key") == "budget")
    assert budget["readonly"] is True and "validate" not in budget


def test_a_refused_page_keeps_what_was_typed_and_the_rights(sign_in, at_check):
    task = at_check(fields__hidden="secret_note", fields__readonly="budget")
    typed = {**START, "what": "", "budget": 1, "contact": {"name": "李四", "phone": "1"}}
    del typed["secret_note"]

    answer = sign_in("li").post(f"/task/{task.key}", data={"data": json.dumps(typed)})

    assert answer.status_code == 422
    shown = island(answer.text)
    assert list(shown["errors"]) == ["what"] and "secret_note" not in named(shown["schema"]["components"])
    assert shown["data"]["contact"]["name"] == "李四" and shown["data"]["budget"] == START["budget"]


def test_the_answers_of_a_step_are_shown_later_without_the_fields_that_it_hid(sign_in, at_check, office, task_of):
    task = at_check(fields__hidden="secret_note")
    office.desk.complete_task(task.key, {name: value for name, value in START.items() if name != "secret_note"}, by="li")
    following = task_of(task.root_key, "sign")

    views = earlier(sign_in("li").get(f"/task/{following.key}").text)

    assert ["secret_note" in named(view["schema"]["components"]) for view in views] == [True, False]
