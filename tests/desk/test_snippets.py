"""Each pattern of the editor, completed by choosing roles and rules of this office, deployed without a remark and played to its ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from engine import Engine
from engine.store import tables
from tests.desk import desk_models as models
from tests.support import snippets
from tests.support.player import ROOT

in_one_database = pytest.mark.parametrize("database_kind", ["sqlite"])

PROCESS = "pattern_case"
SHEET = f"""
process: {PROCESS}
name: 片段
short: 片段
code: PD
title: '="片段"'
header: {{applicant: '=applicant_name', county: '=county', urgency: '=urgency', section: '=handler_section'}}
register: [{{key: county, label: 县区, value: '=county'}}]
start: {{form: licence_start, roles: [window]}}
"""
CHOICES = {
    "hotline_clerk": "window", "hr_discipline": "supervisor", 'people(&#34;expert&#34;)': 'people(&#34;clerk&#34;)', "[&#34;enterprise&#34;]": "[&#34;window&#34;]",
    "cmp.close": "lic.close", "cmp.correct": "lic.accept", "[&#34;tax&#34;, &#34;market&#34;]": "[&#34;gaoxin&#34;, &#34;nongcun&#34;]", "reviewer@": "section_chief@",
}  # fmt: skip
"""What a designer of this office chooses in the panel in place of the roles and rules of the pattern."""
SHARED = ["processes/shared/sub_correction.bpmn", *(f"forms/correction_{name}.form" for name in ("notice", "supply", "check"))]


class Play:
    """One case of the pattern: ``do("step", "outcome", by=…)`` finishes an open step; ``message`` sends one to the case."""

    def __init__(self, engine: Engine, clock, name: str) -> None:
        self.engine, self.clock, self.desk = engine, clock, engine.desk
        form = snippets.FOLDER / f"{name}.json"
        files = {f"p/{PROCESS}.bpmn": snippets.connected(name, PROCESS, CHOICES), "p/procedure.yaml": SHEET.encode()}
        files |= {path: (ROOT / path).read_bytes() for path in SHARED if name == "correction"}
        if form.exists():
            files[f"p/{json.loads(form.read_text())['id']}.form"] = form.read_bytes()
        self.warnings = [each for each in engine.deploy(files, by="designer").warnings if each.file == f"p/{PROCESS}.bpmn"]
        self.key = self.desk.start_case(PROCESS, models.START, by="wang").key

    def open(self) -> list[str]:
        return [task.element_id for task in self.engine.user_tasks() if task.root_key == self.key]

    def do(self, element: str, outcome: str | None, *, by: str, data: dict | None = None) -> None:
        row = tables.user_task
        with self.engine.reading() as conn:
            tasks = conn.execute(select(row).where(row.c.root_key == self.key, row.c.element_id == element, row.c.state == "CREATED")).all()
            key = next(task.key for task in tasks if self.desk.access.may_work(conn, task, by).allowed)
        self.desk.complete_task(key, data or {}, outcome=outcome, opinion="同意", by=by)

    def message(self, name: str) -> None:
        with self.engine.reading() as conn:
            number = conn.execute(select(tables.case_file.c.case_no).where(tables.case_file.c.key == self.key)).scalar_one()
        assert self.engine.publish_message(name, number) == 1

    def later(self, **span: float) -> None:
        self.clock.now += timedelta(**span)
        self.engine.run_due()

    def ended(self) -> tuple[str, list[str]]:
        """State of the case, and the ends that it came to."""
        ends = {each.element_id for each in self.engine.activities(self.key) if each.element_type == "endEvent"}
        with self.engine.reading() as conn:
            assert [row.message for row in conn.execute(select(tables.incident.c.message).where(tables.incident.c.resolved_at.is_(None)))] == []
        return self.engine.instance(self.key).state, sorted(ends)


@pytest.fixture
def play(engine, clock) -> Callable[[str], Play]:
    def begin(name: str) -> Play:
        made = Play(engine, clock, name)
        assert [str(each.message) for each in made.warnings] == []
        return made

    return begin


DONE = ("COMPLETED", ["closed"])


def test_every_pattern_is_played_here():
    played = {"approval_chain", "countersign", "ballot", "correction", "publicity", "joint_review", "extension", "call_back", "expert_draw", "escalation", "withdrawal"}
    assert set(snippets.NAMES) == played


@in_one_database
def test_an_approval_chain_returns_and_goes_on(play):
    case = play("approval_chain")
    case.do("draft_paper", "submit", by="li")
    case.do("chief_check", "return", by="chen")
    case.do("draft_paper", "submit", by="li")
    case.do("chief_check", "approve", by="chen")
    case.do("leader_sign", "return", by="wu")
    case.do("draft_paper", "submit", by="li")
    case.do("chief_check", "approve", by="zhou")
    case.do("leader_sign", "approve", by="wu")
    assert case.ended() == DONE


@in_one_database
def test_a_countersign_with_one_objection_is_revised_and_signed_again(play):
    case = play("countersign")
    case.do("sign_paper", "agree", by="chen")
    case.do("sign_paper", "oppose", by="zhou")
    case.do("revise_paper", "submit", by="li")
    case.do("sign_paper", "agree", by="zhou")
    case.do("sign_paper", "agree", by="chen")
    assert case.ended() == DONE


@in_one_database
@pytest.mark.parametrize(("vote", "end"), [("agree", "closed"), ("oppose", "ballot_lost"), ("abstain", "ballot_lost")])
def test_a_ballot_is_decided_by_the_majority(play, vote, end):
    case = play("ballot")
    case.do("cast_ballot", vote, by="wu")
    assert case.ended() == ("COMPLETED", [end])



NOTICE = {"missing_items": [{"material": "营业执照", "problem": "缺", "requirement": "补"}], "delivery_method": "direct", "delivered_on": "2026-11-23"}


@in_one_database
def test_corrections_that_do_not_come_end_the_case(play):
    case = play("correction")
    case.do("issue_notice", "issue", by="wang", data=NOTICE)
    case.later(days=30)
    assert case.ended() == ("COMPLETED", ["lapsed"])


@in_one_database
def test_corrections_that_come_lead_on(play):
    case = play("correction")
    case.do("issue_notice", "issue", by="wang", data=NOTICE)
    case.do("supply_materials", "supply", by="wang", data={"supplied_items": [{"material": "营业执照"}]})
    case.do("check_materials", "complete", by="li")
    assert case.ended() == DONE


@in_one_database
@pytest.mark.parametrize(("objection", "end"), [(None, "closed"), ("dismiss", "closed"), ("uphold", "publicity_failed")])
def test_a_public_notice_ends_with_an_objection_upheld_or_when_its_days_are_over(play, objection, end):
    case = play("publicity")
    case.do("publish_notice", "publish", by="li")
    if objection is None:
        case.later(days=10)
    else:
        case.message("objection")
        case.do("check_objection", objection, by="du")
    assert case.ended() == ("COMPLETED", [end])


@in_one_database
@pytest.mark.parametrize(("given", "end"), [("none", "closed"), ("object", "review_vetoed")])
def test_an_agency_that_keeps_silent_has_no_objection_and_covers_none(play, given, end):
    case = play("joint_review")
    case.do("agency_review", given, by="chen")
    case.later(days=10)
    state, ends = case.ended()
    assert (state, set(ends) - {"review_given"}) == ("COMPLETED", {end})


@in_one_database
def test_a_call_back_calls_again_the_next_day_and_handles_again_what_does_not_content(play):
    case = play("call_back")
    case.do("call_visit", "unreachable", by="wang")
    case.later(days=1, minutes=1)
    case.do("call_visit", "dissatisfied", by="wang")
    case.do("handle_again", "done", by="li")
    case.do("call_visit", "satisfied", by="wang")
    assert case.ended() == DONE


@in_one_database
@pytest.mark.parametrize(("votes", "end"), [({"li": "agree", "zhao": "agree"}, "closed"), ({"li": "agree", "zhao": "oppose", "sun": "oppose"}, "expert_refused")])
def test_two_thirds_of_the_experts_drawn_decide(play, votes, end):
    case = play("expert_draw")
    case.do("draw_experts", "drawn", by="li", data={"experts": ["li", "zhao", "sun"]})
    for login, vote in votes.items():
        case.do("expert_review", vote, by=login)
    assert case.ended() == ("COMPLETED", [end])


@in_one_database
def test_what_is_overdue_gets_a_step_of_the_supervisor_beside_the_work(play):
    case = play("escalation")
    assert case.open() == ["work"]
    case.later(days=60)
    case.do("supervise_overdue", "urge", by="du")
    case.do("work", None, by="li")
    assert case.ended()[0] == "COMPLETED"


@in_one_database
@pytest.mark.parametrize(("outcome", "end"), [("approve", "extension_done"), ("reject", "extension_refused")])
def test_an_extension_is_decided_beside_the_work(play, outcome, end):
    case = play("extension")
    case.message("extension")
    case.do("extension_decision", outcome, by="wu")
    case.do("work", None, by="li")
    assert case.ended() == ("COMPLETED", sorted(["closed", end]))


@in_one_database
def test_a_withdrawal_ends_the_case_whatever_is_open(play):
    case = play("withdrawal")
    case.message("withdraw")
    assert case.ended() == ("COMPLETED", ["withdrawn"])
    assert case.open() == []
