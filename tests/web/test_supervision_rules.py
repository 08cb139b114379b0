"""The rules of electronic supervision on pages: read, tried on the past, changed with a reason, verified, exported."""

from __future__ import annotations

import io
import re
from pathlib import Path

import openpyxl
import pytest
import yaml

from engine.deadlines.sheettext import rule_rows, with_monitoring_rule
from engine.errors import NotPermitted
from engine.runtime.limits import rulebook
from engine.runtime.supervision import monitoring_book
from tests.desk.test_cards import RULES
from tests.web.rooms import app, browse, clock, engine, open_case  # noqa: F401  fixtures


@pytest.fixture
def rules(engine):
    engine.deploy({"supervision_rules.yaml": RULES.encode()}, by="designer")


@pytest.fixture
def late(engine, rules, open_case, clock):
    """A case whose step ran out on 30 November."""
    case = open_case()
    engine.desk.claim(next(task.key for task in engine.user_tasks(case.key) if task.element_id == "handle"), by="li")
    clock.office("2026-12-01 09:00")
    engine.run_due()
    return case


def text(answer):
    return answer.get_data(as_text=True)


def sheet(engine):
    return yaml.safe_load(rulebook.sheet(engine.desk, "monitoring").text)


STEP = {"label": "环节超时", "whom": "handler", "card-warning": "1", "at-warning": "2", "card-yellow": "1", "at-yellow": "3", "effective_from": "2026-12-01"}


def form_of(page: str) -> str:
    return re.search(r'name="version" value="(\d+)"', page).group(1)


def test_every_rule_has_a_page_and_the_table_leaves_as_a_workbook(browse, late):
    client = browse("du")
    table = text(client.get("/cards/rules"))
    assert "/cards/rules/step" in table and "/cards/rules/new" not in table
    page = text(client.get("/cards/rules/step"))
    assert "环节超时" in page and "What it finds in the last 30 days" in page and "关于大棚改造的许可" in page
    book = openpyxl.load_workbook(io.BytesIO(client.get("/cards/rules/export.xlsx").data)).active
    assert len(list(book.iter_rows())) == 11
    assert "supervision_rules.yaml" in client.get("/cards/rules/supervision_rules.yaml").headers["Content-Disposition"]
    handler = text(browse("li").get("/cards/rules/step"))
    assert "环节超时" in handler and "last 30 days" not in handler
    for login in ("li", "du", "chen"):
        assert browse(login).get("/cards/rules/step/edit").status_code == 403
        assert browse(login).post("/cards/rules/step/edit", data=STEP).status_code == 403
    assert client.get("/cards/rules/nothing").status_code == 404


def test_a_change_is_tried_on_the_past_first_and_writes_nothing(browse, engine, late):
    client = browse("admin")
    version = form_of(text(client.get("/cards/rules/step/edit")))
    shown = text(client.post("/cards/rules/step/edit", data={**STEP, "version": version, "do": "try"}))
    assert "As it stands: 1 card(s). As entered: 0." in shown
    strict = text(client.post("/cards/rules/step/edit", data={**STEP, "at-warning": "0", "version": version, "do": "try"}))
    assert "As entered: 1." in strict
    assert "大棚改造" not in strict and "You may not read this case." in strict, "who edits rules reads no cases by that"
    assert sheet(engine)["rules"][2]["cards"][0] == {"card": "warning", "days": 0}


def test_a_change_is_saved_with_reason_and_day_and_stands_in_the_history(browse, engine, late):
    client = browse("designer")
    version = form_of(text(client.get("/cards/rules/step/edit")))
    no_reason = client.post("/cards/rules/step/edit", data={**STEP, "version": version, "do": "save"})
    assert no_reason.status_code == 422 and "Every change needs a reason." in text(no_reason)
    back = client.post("/cards/rules/step/edit", data={**STEP, "version": version, "do": "save", "reason": "放宽", "effective_from": "2026-11-02"})
    assert back.status_code == 422 and "nobody gets a card by a rule that was not there" in text(back)
    data = {**STEP, "version": version, "do": "save", "reason": "放宽一天"}
    assert client.post("/cards/rules/step/edit", data=data).status_code == 302
    row = next(each for each in sheet(engine)["rules"] if each["id"] == "step")
    assert row["cards"] == [{"card": "warning", "days": 2}, {"card": "yellow", "days": 3}] and str(row["effective_from"]) == "2026-12-01"
    assert len(sheet(engine)["rules"]) == 10 and "# " not in rulebook.sheet(engine.desk, "monitoring").text.split("\n")[0]
    page = text(client.get("/cards/rules/step"))
    assert "放宽一天" in page and "Warning card" in page
    assert client.post("/cards/rules/step/edit", data=data).status_code == 409, "somebody else's version is not overwritten"


def test_a_new_rule_is_added_at_the_end_and_a_wrong_one_keeps_the_form(browse, engine, rules):
    client = browse("admin")
    version = form_of(text(client.get("/cards/rules/new")))
    data = {
        "version": version, "do": "save", "id": "refused", "label": "退回不说明理由", "kind": "refusal", "whom": "section", "outcomes": "return，decline",
        "card-red": "1", "at-red": "2", "tell-red": ["supervisor"], "effective_from": "2026-12-01", "reason": "试行", "status": "待核",
    }  # fmt: skip
    for wrong in ({"id": "promised"}, {"id": "名"}, {"at-red": "0"}, {"at-red": "x"}, {"outcomes": ""}, {"kind": "moon"}, {"card-red": ""}, {"whom": "moon"}):
        answer = client.post("/cards/rules/new", data={**data, **wrong})
        assert answer.status_code == 422 and "退回不说明理由" in text(answer), wrong
    assert client.post("/cards/rules/new", data=data).status_code == 302
    assert sheet(engine)["rules"][-1]["outcomes"] == ["return", "decline"]
    assert engine.desk.book().monitoring.rule("refused").cards[0].tell == ("supervisor",)


def test_a_rule_is_verified_against_a_source_without_a_new_day(browse, engine, rules):
    client = browse("admin")
    version = form_of(text(client.get("/cards/rules/step")))
    assert client.post("/cards/rules/step/verify", data={"version": version, "source": "", "reason": "已核对"}).status_code == 302
    assert engine.desk.book().monitoring.rule("step").status == "待核"
    client.post("/cards/rules/step/verify", data={"version": version, "source": "电子监察办法第5条", "reason": "已核对"})
    rule = engine.desk.book().monitoring.rule("step")
    assert (rule.status, rule.source, rule.effective_from) == ("已核", "电子监察办法第5条", None)


def test_the_delivered_sheet_keeps_its_comments_when_one_rule_changes(engine):
    content = (Path(__file__).resolve().parents[2] / "processes" / "supervision_rules.yaml").read_text()
    row = next(each for each in rule_rows(content) if each["id"] == "unopened")
    made = with_monitoring_rule(content, {**row, "label": "临期未开"}, "unopened")
    assert made.count("#") == content.count("#") and made.replace("临期未开", row["label"]) == content
    added = with_monitoring_rule(content, {**row, "id": "again"})
    assert [each["id"] for each in rule_rows(added)][-1] == "again" and added.startswith(content.rstrip())


def test_a_stranger_cannot_save_by_command(engine, rules):
    with pytest.raises(NotPermitted):
        monitoring_book.save(engine.desk, {"id": "step"}, replaces="step", reason="x", based_on=1, by="li")
