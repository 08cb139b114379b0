"""Who does a step, as the properties panel writes it: each way of choosing deployed and run with the people of an office.

``web/assets/designer/panel/assignment_terms.json`` is what the panel fills in; ``tests/e2e/test_designer_panel.py`` proves that it does.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from engine.errors import Conflict, DeploymentRejected, NotPermitted
from engine.organisation import DEPUTY_RULES
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


# --- deputies: every rule of the panel, in both databases ------------------------------------------------------------------------


@pytest.fixture
def step_of(engine, desk):
    """``step_of(rule, groups=… or assignee=…)``: the key of an open step with this deputy rule, while Zhou, Li and Wang are deputies."""

    def of(rule: str | None, **who: str) -> int:
        today = desk.people.today()
        for absent, stand_in in (("chen", "zhou"), ("chen", "li"), ("li", "wang")):
            desk.save_deputy(absent, stand_in, today, today, by="admin")
        step = noted(user(**who), **({"deputy": rule} if rule else {}))
        deployed = engine.deploy({"p.bpmn": bpmn(process("p", "start -> step -> end", step=step))}, by="designer")
        assert not [each for each in deployed.warnings if each.element_id == "step"]
        key = engine.start("p").key
        return next(task.key for task in engine.user_tasks() if task.root_key == key)

    return of


# Chen is chief of gaoxin: Zhou is a chief too, but elsewhere; Li is of the section, but no chief.  Li is a clerk of gaoxin, Wang a clerk elsewhere.
@pytest.mark.parametrize(
    ("rule", "who", "stand_ins"),
    [
        (None, {"groups": "section_chief@gaoxin"}, {"zhou": "chen", "li": "chen"}),
        ("none", {"groups": "section_chief@gaoxin"}, {}),
        ("section", {"groups": "section_chief@gaoxin"}, {"li": "chen"}),
        ("role", {"groups": "section_chief@gaoxin"}, {"zhou": "chen"}),
        ("role", {"assignee": "li"}, {"wang": "li"}),
        ("section", {"assignee": "li"}, {}),
        ('=if true then "none" else null', {"assignee": "chen"}, {}),
        ('=if true then null else "none"', {"assignee": "chen"}, {"zhou": "chen", "li": "chen"}),
        ('="whoever"', {"assignee": "chen"}, {}),
    ],
)
def test_a_deputy_stands_in_where_the_step_lets_them(engine, desk, step_of, rule, who, stand_ins):
    step = step_of(rule, **who)
    with engine.reading() as conn:
        task = conn.execute(select(tables.user_task).where(tables.user_task.c.key == step)).one()
        may = {login: desk.access.may_work(conn, task, login) for login in ("zhou", "li", "wang")}
    assert {login: each.on_behalf_of for login, each in may.items() if each.on_behalf_of} == stand_ins


def test_every_rule_of_the_panel_is_one_of_the_engine():
    assert {each["id"] for each in TERMS["deputies"]} == set(DEPUTY_RULES)


def test_who_may_not_stand_in_is_refused_in_words_and_the_person_may_still_do_it(engine, desk, step_of):
    step = step_of("none", assignee="chen")
    with pytest.raises(NotPermitted, match="stands in for 陈刚, but not at this step"), engine.reading() as conn:
        desk.require_work(conn, conn.execute(select(tables.user_task).where(tables.user_task.c.key == step)).one(), "zhou")
    desk.complete_task(step, {}, by="chen")


def test_a_colleague_who_is_a_deputy_cannot_finish_what_the_other_has_taken_where_it_must_be_the_person(desk, step_of):
    step = step_of("none", groups="clerk")
    desk.claim(step, by="li")
    # Wang is a clerk too, so the step was offered to her; but it is Li's now, and nobody may act for Li here.
    with pytest.raises(Conflict, match="taken by 李强"):
        desk.complete_task(step, {}, by="wang")
    other = step_of(None, groups="clerk")
    desk.claim(other, by="li")
    desk.complete_task(other, {}, by="wang")


@pytest.mark.parametrize(("rule", "told"), [(None, {"chen", "zhou", "li"}), ("section", {"chen", "li"}), ("none", {"chen"})])
def test_only_a_deputy_who_may_do_the_step_is_told_of_it(engine, desk, rows, rule, told):
    today = desk.people.today()
    for stand_in in ("zhou", "li"):
        desk.save_deputy("chen", stand_in, today, today, by="admin")
    files = purchase()
    model = files["p/purchase.bpmn"].decode()
    attribute = models._property("deputy", rule) if rule else ""
    model = re.sub(r'candidateGroups="[^"]*"', 'assignee="chen"', model).replace("<zeebe:properties>", "<zeebe:properties>" + attribute)
    engine.deploy({**files, "p/purchase.bpmn": model.encode()}, by="designer")
    desk.start_case("purchase", START, by="wang")
    assert {row["login"] for row in rows(tables.notification) if row["kind"] == "assigned"} == told


@in_one_database
def test_a_rule_for_deputies_that_nobody_knows_is_refused_before_it_is_in_use(step_of):
    with pytest.raises(DeploymentRejected, match="is no rule for deputies"):
        step_of("anybody", assignee="chen")


def case_no_of(rows, key: int) -> str:
    return next(row["case_no"] for row in rows(tables.case_file) if row["key"] == key)
