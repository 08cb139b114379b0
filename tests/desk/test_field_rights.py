"""Rights to the fields of a form at each step: one form serves several steps, and what a step may not touch stays as it was."""

from __future__ import annotations

import json

import pytest

from engine.errors import DeploymentRejected, ValidationFailed
from engine.store import tables
from tests.desk import desk_models as models

SHEET = """
process: purchase
name: 采购
short: 采购
code: CG
title: '="采购"'
header: {applicant: '="张三"', county: '=null', section: '="gaoxin"', urgency: '="normal"', received_at: '=null'}
start: {form: buy, roles: [window]}
"""
FORM = {
    "id": "buy",
    "type": "default",
    "components": [
        {"type": "textfield", "key": "what", "label": "采购什么", "validate": {"required": True}},
        {"type": "number", "key": "budget", "label": "预算"},
        {"type": "textfield", "key": "secret_note", "label": "内部意见", "validate": {"required": True}},
        {
            "type": "group", "path": "contact", "label": "联系人", "components": [
                {"type": "textfield", "key": "name", "label": "姓名", "validate": {"required": True}},
                {"type": "textfield", "key": "phone", "label": "电话", "validate": {"required": True}},
            ],
        },
        {
            "type": "dynamiclist", "path": "items", "label": "清单", "components": [
                {"type": "textfield", "key": "title", "label": "名称", "validate": {"required": True}},
                {"type": "number", "key": "price", "label": "单价", "validate": {"required": True}},
            ],
        },
    ],
}  # fmt: skip
START = {
    "what": "服务器", "budget": 9, "secret_note": "慎重", "contact": {"name": "张三", "phone": "13800138000"},
    "items": [{"title": "甲", "price": 1}, {"title": "乙", "price": 2}],
}  # fmt: skip


def purchase(**rights: str) -> dict[str, bytes]:
    """Two steps with the same form; ``rights`` belong to the first one."""
    own = {name: value for name, value in rights.items() if name.startswith("fields__")}
    body = "".join(
        (
            models.element("startEvent", "begin", "开始"),
            models.task("check", "核对", 'candidateGroups="clerk"', rights.get("form", "buy"), **own),
            models.task("sign", "签批", 'candidateGroups="clerk"', "buy"),
            models.element("endEvent", "done", "完"),
            models.flow("begin", "check"), models.flow("check", "sign"), models.flow("sign", "done"),
        )
    )  # fmt: skip
    xml = (
        '<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" '
        f'id="m" targetNamespace="urn:t"><bpmn:process id="purchase" name="采购" isExecutable="true">{body}</bpmn:process></bpmn:definitions>'
    )
    return {"p/purchase.bpmn": xml.encode(), "p/procedure.yaml": SHEET.encode(), "f/buy.form": json.dumps(FORM).encode()}


@pytest.fixture
def at_check(engine, desk, open_task):
    """Deploys the purchase with these rights at its first step and brings a case there."""

    def bring(**rights: str):
        engine.deploy(purchase(**rights), by="designer")
        case = desk.start_case("purchase", START, by="wang")
        return open_task(case.key, "check")

    return bring


def variables(engine, case_key: int) -> dict:
    return engine.instance(case_key).variables


def finished(desk, task, data: dict) -> None:
    desk.complete_task(task.key, data, by="li")


def test_a_hidden_field_is_not_asked_for_and_keeps_its_value(engine, desk, at_check):
    task = at_check(fields__hidden="secret_note, contact, items, budget")

    finished(desk, task, {"what": "交换机"})

    now = variables(engine, task.root_key)
    assert {name: now[name] for name in START} == {**START, "what": "交换机"}


def test_what_is_sent_for_a_hidden_field_is_refused_by_its_name(engine, desk, at_check):
    task = at_check(fields__hidden="budget,contact.phone")
    answers = {**START, "contact": {"name": "李四", "phone": "1"}}

    with pytest.raises(ValidationFailed) as refused:
        finished(desk, task, answers)

    assert set(refused.value.errors) == {"budget", "contact.phone"}
    assert variables(engine, task.root_key)["contact"] == START["contact"]


def test_a_read_only_field_holds_the_value_of_the_case_whatever_is_sent(engine, desk, at_check, rows):
    task = at_check(fields__readonly="what,contact,items.price")
    answers = {
        **START, "what": "假", "budget": 5, "contact": {"name": "假", "phone": "假"},
        "items": [{"title": "丙", "price": 100}, {"title": "丁", "price": 200}],
    }  # fmt: skip

    finished(desk, task, answers)

    now = variables(engine, task.root_key)
    assert (now["what"], now["budget"], now["contact"]) == (START["what"], 5, START["contact"])
    assert now["items"] == [{"title": "丙", "price": 1}, {"title": "丁", "price": 2}]


def test_a_required_field_that_is_only_shown_and_empty_does_not_stop_the_step(engine, desk, open_task):
    files = purchase(fields__readonly="secret_note")
    relaxed = json.loads(json.dumps(FORM))
    relaxed["id"] = "first"
    relaxed["components"] = [each for each in relaxed["components"] if each.get("key") != "secret_note"]
    sheet = SHEET.replace("form: buy", "form: first").encode()
    engine.deploy({**files, "p/procedure.yaml": sheet, "f/first.form": json.dumps(relaxed).encode()}, by="designer")
    start = {name: value for name, value in START.items() if name != "secret_note"}
    case = desk.start_case("purchase", start, by="wang")

    finished(desk, open_task(case.key, "check"), {**start, "secret_note": "混入"})

    assert "secret_note" not in variables(engine, case.key)


def test_hiding_a_part_of_a_group_or_a_column_does_not_erase_it(engine, desk, at_check, rows):
    task = at_check(fields__hidden="contact.phone,items.price")

    finished(desk, task, {**START, "contact": {"name": "李四"}, "items": [{"title": "丙"}, {"title": "丁"}]})

    now = variables(engine, task.root_key)
    assert now["contact"] == {"name": "李四", "phone": "13800138000"}
    assert now["items"] == [{"title": "丙", "price": 1}, {"title": "丁", "price": 2}]
    said = next(row for row in rows(tables.trail) if row["task_key"] == task.key and row["action"] == "complete")["details"]
    assert said["data"]["contact"] == {"name": "李四"}
    assert said["hidden"] == ["contact.phone", "items.price"]


@pytest.mark.parametrize("right", ["fields__hidden", "fields__readonly"])
def test_rows_with_a_column_that_may_not_be_touched_cannot_be_added_or_removed(desk, at_check, right):
    task = at_check(**{right: "items.price"})

    with pytest.raises(ValidationFailed) as refused:
        finished(desk, task, {**START, "items": [{"title": "丙"}]})

    assert set(refused.value.errors) == {"items"}


def test_the_next_step_has_the_whole_form_again(engine, desk, at_check, open_task):
    task = at_check(fields__hidden="budget")
    finished(desk, task, {name: value for name, value in START.items() if name != "budget"})

    finished(desk, open_task(task.root_key, "sign"), {**START, "budget": 7})

    assert engine.instance(task.root_key).state == "COMPLETED"


@pytest.mark.parametrize(
    ("rights", "named"),
    [
        ({"fields__hidden": "budgets"}, "budgets"),
        ({"fields__readonly": "contact.fax"}, "contact.fax"),
        ({"fields__readonly": "items.count"}, "items.count"),
        ({"fields__hidden": '=["budget"]'}, "fields.hidden"),
        ({"fields__hidden": "budget", "fields__readonly": "budget"}, "budget"),
    ],
)
def test_a_field_that_the_form_does_not_have_is_refused_at_deployment_with_the_name_of_the_step(engine, rights, named):
    with pytest.raises(DeploymentRejected) as refused:
        engine.deploy(purchase(**rights), by="designer")

    problem = next(each for each in refused.value.problems if each.rule == "form.field-rights")
    assert problem.element_id == "check" and "核对" in str(problem.message) and named in str(problem.message)


def test_a_form_deployed_before_is_looked_into_as_well(engine):
    engine.deploy({"f/buy.form": json.dumps(FORM).encode()}, by="designer")
    files = purchase(fields__hidden="nothing")
    del files["f/buy.form"]

    with pytest.raises(DeploymentRejected):
        engine.deploy(files, by="designer")
