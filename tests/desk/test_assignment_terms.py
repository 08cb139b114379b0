"""Who does a step, as the properties panel writes it: each way of choosing deployed and run with the people of an office.

``web/assets/designer/panel/assignment_terms.json`` is what the panel fills in; ``tests/e2e/test_designer_panel.py`` proves that it does.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.store import tables
from tests.bpmn.builder import bpmn, noted, process, user
from tests.desk import desk_models as models
from tests.desk.test_field_rights import START, purchase

TERMS = json.loads(Path("web/assets/designer/panel/assignment_terms.json").read_text(encoding="utf-8"))
STRATEGIES = {each["id"]: each for each in TERMS["strategies"]}
ATTRIBUTES = {"candidateGroups": "groups", "assignee": "assignee", "candidateUsers": "users"}

in_one_database = pytest.mark.parametrize("database_kind", ["sqlite"])

NOTICE = '=case_no + " 已签发"'
VARIABLES = {
    "starter": "sun",
    "chosen": "chen",
    "several": ["li", "zhou"],
    "place": "nongcun",
    "named_groups": ["director"],
    "nothing": None,
}
GAOXIN, CLERKS = {"li", "zhao", "chen", "gone"}, {"wang", "li", "zhao", "sun", "gone"}


def filled(text: str, answers: dict[str, str]) -> str:
    return re.sub(r"\$(\w+)", lambda match: answers[match[1]], text)


@pytest.fixture
def workers(engine, desk):
    """``workers(strategy, answers, exclude)``: who may work on a step after one that Zhao did; the model is deployed without a remark."""

    def of(strategy: str, answers: dict[str, str], exclude: str | None = None) -> set[str]:
        chosen = STRATEGIES[strategy]
        step = user(**{ATTRIBUTES[chosen["in"]]: filled(chosen["write"], answers)})
        if exclude:
            noted(step, exclude=exclude)
        model = bpmn(process("p", "start -> first -> step -> end", first=user(assignee="zhao"), step=step))
        deployed = engine.deploy({"p.bpmn": model}, by="designer")
        assert not [each for each in deployed.warnings if each.element_id == "step"]
        engine.start("p", variables=VARIABLES)
        (first,) = engine.user_tasks()
        engine.complete(first.key, by="zhao")
        directory = desk.people.directory()
        with engine.reading() as conn:
            task = conn.execute(select(tables.user_task).where(tables.user_task.c.state == "CREATED")).one()
            return {login for login in directory.people if desk.access.may_work(conn, task, login).allowed}

    return of


CASES = [
    ("role", {"role": "clerk"}, CLERKS),
    ("role_in", {"role": "section_chief", "section": "gaoxin"}, {"chen"}),
    ("section", {"section": "gaoxin"}, GAOXIN),
    ("role_of_starter", {"role": "section_chief"}, {"zhou"}),
    ("role_of_handler", {"role": "section_chief", "step": "first"}, {"chen"}),
    ("starter", {}, {"sun"}),
    ("handler", {"step": "first"}, {"zhao"}),
    ("person", {"person": "wu"}, {"wu"}),
    ("field_person", {"field": "chosen"}, {"chen"}),
    ("field_people", {"field": "several"}, {"li", "zhou"}),
    ("role_of_field", {"role": "section_chief", "field": "place"}, {"zhou"}),
    ("section_of_field", {"field": "place"}, {"sun", "zhou"}),
    ("groups_of_field", {"field": "named_groups"}, {"zheng"}),
    ("groups", {"text": "director, section_chief@gaoxin"}, {"zheng", "chen"}),
    ("feel", {"text": '=if place = "nongcun" then ["vice_director"] else ["director"]'}, {"wu"}),
    ("feel_person", {"text": "=if starter = null then chosen else starter"}, {"sun"}),
    ("feel_people", {"text": "=several[1]"}, {"li"}),
]


@in_one_database
@pytest.mark.parametrize(("strategy", "answers", "expected"), CASES)
def test_each_way_of_choosing_reaches_the_people_it_names(workers, strategy, answers, expected):
    assert workers(strategy, answers) == expected


def test_every_way_of_choosing_is_run_here():
    assert {strategy for strategy, _, _ in CASES} == STRATEGIES.keys()


@in_one_database
@pytest.mark.parametrize(
    ("parts", "left"),
    [
        (["starter"], CLERKS - {"sun"}),
        (["handler"], CLERKS - {"zhao"}),
        (["starter", "handler"], CLERKS - {"sun", "zhao"}),
        (["section"], CLERKS - {"sun"}),
        (["people"], CLERKS - {"li"}),
        (["nobody", "unknown section"], CLERKS),
    ],
)
def test_who_must_keep_away_cannot_work_on_it_and_an_empty_field_keeps_nobody_away(workers, parts, left):
    terms = TERMS["exclude"]
    written = {
        "starter": terms["starter"], "handler": filled(terms["handler"], {"step": "first"}), "section": filled(terms["section"], {"field": "place"}),
        "people": filled(terms["people"], {"field": "several"}), "nobody": filled(terms["people"], {"field": "nothing"}),
        "unknown section": filled(terms["section"], {"field": "nothing"}),
    }  # fmt: skip
    exclude = filled(terms["list"], {"parts": ", ".join(written[part] for part in parts)})
    assert workers("role", {"role": "clerk"}, exclude) == left


@in_one_database
@pytest.mark.parametrize(
    ("notify", "told"),
    [
        ("director, section_chief@gaoxin", {"zheng", "chen"}),
        # Li, who handled the step, does the one that tells: nobody is told of what they do themselves.
        (("group", "starter", "handler"), {"du", "wang"}),
        (("people", "nobody"), {"zhou"}),
    ],
)
def test_who_is_told_gets_one_notice_with_the_text_and_its_values(engine, desk, rows, notify, told):
    terms = TERMS["tell"]
    written = {
        "group": filled(terms["group"], {"group": "supervisor"}), "starter": terms["starter"], "handler": filled(terms["handler"], {"step": "check"}),
        "people": filled(terms["people"], {"field": "what"}), "nobody": filled(terms["people"], {"field": "nothing"}),
    }  # fmt: skip
    text = notify if isinstance(notify, str) else filled(terms["list"], {"parts": ", ".join(written[part] for part in notify)})
    files = purchase()
    attributes = models._property("notify", text) + models._property("notify.text", NOTICE)
    head, mark, tail = files["p/purchase.bpmn"].decode().rpartition("<zeebe:properties>")
    engine.deploy({**files, "p/purchase.bpmn": (head + mark + attributes + tail).encode()}, by="designer")
    case = desk.start_case("purchase", {**START, "what": "zhou"}, by="wang")
    (task,) = [each for each in engine.user_tasks() if each.root_key == case.key]
    before = len(rows(tables.notification))

    desk.complete_task(task.key, {**START, "what": "zhou"}, by="li")

    sent = [row for row in rows(tables.notification)[before:] if row["kind"] == "notice"]
    assert sorted(row["login"] for row in sent) == sorted(told)
    assert {row["params"]["text"] for row in sent} == {case_no_of(rows, case.key) + " 已签发"}


def case_no_of(rows, key: int) -> str:
    return next(row["case_no"] for row in rows(tables.case_file) if row["key"] == key)
