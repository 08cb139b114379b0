"""From a draft to a version in use: reason, second person, comparison, day to come, earlier versions — each once."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from engine import Engine
from engine.errors import Conflict, DeploymentRejected, InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.design import checking, comparing, drafts, following, plans, publishing, versions
from engine.store import tables
from tests.desk import desk_models as models
from tests.desk.conftest import SETTINGS


@pytest.fixture
def designers(desk):
    for login, name, role in (("mei", "梅", "designer"), ("tao", "陶", "designer"), ("admin2", "管", "admin")):
        desk.people.save_person(login, name=name, section_code="office", roles=[role], password=models.PASSWORD, by="system")
    return desk


def change(desk, text="改过的说明", file="licence_step.form", by="mei"):
    """A draft of the licence whose form has another title; (draft, the text it had)."""
    draft = drafts.branch(desk, "licence", by=by)
    form = json.loads(draft.files[file])
    form["components"].append({"type": "text", "id": "Field_new", "text": text})
    return drafts.save(desk, draft.key, {file: json.dumps(form, ensure_ascii=False)}, revision=draft.revision, by=by)


def submit(desk, draft, by="mei", **changes):
    values = {"revision": draft.revision, "reason": "依据新规定", "warnings_seen": True, **changes}
    return publishing.submit(desk, draft.key, by=by, **values)


def state_of(desk, draft):
    with desk.engine.reading() as conn:
        return drafts.get(desk, conn, draft.key, "mei").state


def test_a_second_person_agrees_and_only_what_differs_makes_a_version(designers, engine, rows):
    draft = change(designers)
    found = submit(designers, draft)
    assert found.state == "WAITING" and state_of(designers, draft) == "SUBMITTED"
    assert engine.definition("form", "licence_step").version == 1
    with pytest.raises(NotPermitted):
        publishing.approve(designers, found.key, revision=1, by="mei")
    with pytest.raises(NotFound):
        publishing.approve(designers, found.key, revision=1, by="wang")
    done = publishing.approve(designers, found.key, revision=1, by="tao")
    assert done.state == "PUBLISHED" and done.decided_by == "tao" and state_of(designers, draft) == "PUBLISHED"
    assert engine.definition("form", "licence_step").version == 2
    assert engine.definition("process", "licence").version == 1 and engine.definition("procedure", "licence").version == 1
    told = {(row["login"], row["kind"]) for row in rows(tables.notification)}
    assert {("tao", "design"), ("admin2", "design"), ("mei", "design")} <= told
    actions = [row["action"] for row in rows(tables.audit)]
    assert [actions.count(name) for name in ("design.create", "design.save", "design.submit", "design.publish")] == [1, 1, 1, 1]


def test_an_administrator_may_agree_too(designers, engine):
    found = submit(designers, change(designers))
    assert publishing.approve(designers, found.key, revision=1, by="admin2").state == "PUBLISHED"


def test_a_double_click_publishes_once(designers, engine):
    found = submit(designers, change(designers))
    publishing.approve(designers, found.key, revision=1, by="tao")
    with pytest.raises(Conflict) as refused:
        publishing.approve(designers, found.key, revision=1, by="tao")
    assert refused.value.by == "tao"
    assert engine.definition("form", "licence_step").version == 2
    with pytest.raises((Conflict, InvalidState)):
        publishing.refuse(designers, found.key, revision=1, note="zu spät", by="admin2")


def test_who_decided_in_another_tab_is_not_told_that_somebody_else_did(designers):
    found = submit(designers, change(designers))
    publishing.approve(designers, found.key, revision=1, by="tao")
    for login, msgid in (("tao", "You have dealt with this submission already: it is %(state)s."), ("admin2", "%(name)s was faster: this submission is %(state)s.")):
        with pytest.raises(Conflict) as refused:
            publishing.approve(designers, found.key, revision=1, by=login)
        assert refused.value.message.msgid == msgid and refused.value.by == "tao"


def test_a_submission_keeps_what_its_author_accepted(designers, engine):
    draft = drafts.branch(designers, "licence", by="mei")
    sheet = draft.files["procedure.yaml"]
    designers.engine.deploy({"other/procedure.yaml": sheet.replace("process: licence", "process: other"), "other/o.bpmn": engine.catalogue.content(
        engine.catalogue.find("process", "licence"))[1].replace(b'id="licence"', b'id="other"')}, by="designer")  # fmt: skip
    draft = drafts.save(designers, draft.key, {"procedure.yaml": f"{sheet}\ndescription: 改过\n"}, revision=draft.revision, by="mei")
    with pytest.raises(ValidationFailed):
        submit(designers, draft, warnings_seen=False)
    found = submit(designers, draft)
    assert [each.rule for each in found.findings] == ["procedure.code-taken"]
    assert checking.new_among(drafts.examine(designers, draft.files), found.findings) == []
    assert [each.rule for each in checking.new_among(drafts.examine(designers, draft.files), ())] == ["procedure.code-taken"]
    with engine.reading() as conn:
        (again,) = publishing.submissions(conn, draft_key=draft.key)
    assert again.findings == found.findings


def test_two_who_decide_at_the_same_moment_publish_once(designers, engine):
    found = submit(designers, change(designers))
    outcomes: list[object] = []
    gate = threading.Barrier(2)

    def decide(login):
        gate.wait()
        try:
            outcomes.append(publishing.approve(designers, found.key, revision=1, by=login).state)
        except Conflict as conflict:
            outcomes.append(type(conflict))

    threads = [threading.Thread(target=decide, args=(login,)) for login in ("tao", "admin2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == sorted(map(str, ["PUBLISHED", Conflict]))
    assert engine.definition("form", "licence_step").version == 2


def test_who_decides_between_the_two_looks_of_another_is_named_to_them(designers, engine, monkeypatch):
    found = submit(designers, change(designers))
    look = plans.plan

    def overtaken(desk, conn, draft):
        monkeypatch.setattr(plans, "plan", look)
        faster = threading.Thread(target=publishing.approve, args=(designers, found.key), kwargs={"revision": 1, "by": "tao"})
        faster.start()
        faster.join()
        return look(desk, conn, draft)

    monkeypatch.setattr(plans, "plan", overtaken)
    with pytest.raises(Conflict) as refused:
        publishing.approve(designers, found.key, revision=1, by="admin2")
    assert refused.value.by == "tao"
    assert engine.definition("form", "licence_step").version == 2


def test_submitting_twice_makes_one_submission(designers, engine, rows):
    draft = change(designers)
    submit(designers, draft)
    with pytest.raises(InvalidState):
        submit(designers, draft)
    assert len(rows(tables.design_submission)) == 1
    with pytest.raises(InvalidState):
        drafts.save(designers, draft.key, {"README.md": "x"}, revision=draft.revision, by="mei")


def test_a_refusal_goes_back_with_its_reason_and_nothing_is_lost(designers, engine, rows):
    draft = change(designers)
    found = submit(designers, draft)
    with pytest.raises(ValidationFailed):
        publishing.refuse(designers, found.key, revision=1, note=" ", by="tao")
    back = publishing.refuse(designers, found.key, revision=1, note="请补充依据", by="tao")
    assert back.state == "REFUSED" and state_of(designers, draft) == "OPEN"
    assert any(row["login"] == "mei" and "请补充依据" in str(row["params"]) for row in rows(tables.notification))
    again = submit(designers, draft)
    assert publishing.withdraw(designers, again.key, revision=1, by="mei").state == "WITHDRAWN"
    assert state_of(designers, draft) == "OPEN" and engine.definition("form", "licence_step").version == 1


def test_without_a_second_person_a_submission_publishes(designers, engine, clock, database_url):
    alone = Engine(database_url, clock=clock, settings={**SETTINGS, "design_second_approval": False})
    try:
        assert submit(alone.desk, change(alone.desk)).state == "PUBLISHED"
    finally:
        alone.dispose()
    engine.catalogue.forget()
    assert engine.definition("form", "licence_step").version == 2


def test_nothing_faulty_nothing_empty_and_nothing_without_a_reason_is_submitted(designers):
    draft = change(designers)
    with pytest.raises(ValidationFailed) as refused:
        submit(designers, draft, reason="  ")
    assert "reason" in refused.value.errors
    broken = drafts.save(designers, draft.key, {"licence.bpmn": "<torn"}, revision=draft.revision, by="mei")
    with pytest.raises(DeploymentRejected):
        submit(designers, broken)
    with pytest.raises(ValidationFailed, match="Nothing differs"):
        submit(designers, drafts.branch(designers, "licence", by="mei"))
    with pytest.raises(Conflict):
        submit(designers, draft)  # saved meanwhile
    assert state_of(designers, draft) == "OPEN"


def test_a_draft_without_scenarios_needs_a_confirmation(designers):
    draft = change(designers)
    with pytest.raises(ValidationFailed) as refused:
        submit(designers, draft, warnings_seen=False)
    assert "warnings" in refused.value.errors


def test_a_scenario_that_fails_stops_the_publication(designers, monkeypatch):
    draft = change(designers)
    monkeypatch.setattr(plans, "run_scenarios", lambda desk, files: [_Result("a", "一", True), _Result("b", "投诉属实", False)])
    with pytest.raises(ValidationFailed, match="投诉属实"):
        submit(designers, draft)
    monkeypatch.setattr(plans, "run_scenarios", lambda desk, files: [_Result("a", "一", True)])
    assert submit(designers, draft, warnings_seen=True).scenarios == (("a", "一", True),)


class _Result:
    def __init__(self, name, title, ok):
        self.name, self.title, self.ok, self.problems = name, title, ok, []


def test_who_changes_what_another_has_published_meanwhile_must_have_compared(designers, engine):
    mine, theirs = change(designers, "梅的", by="mei"), change(designers, "陶的", by="tao")
    publishing.approve(designers, submit(designers, theirs, by="tao").key, revision=1, by="mei")
    with pytest.raises(Conflict) as refused:
        submit(designers, mine)
    assert refused.value.by == "mei" and "2" in str(refused.value)
    with engine.reading() as conn:
        planned = plans.plan(designers, conn, mine)
    assert [(each.kind, each.id, each.base, each.current) for each in planned.overtaken] == [("form", "licence_step", 1, 2)]
    done = submit(designers, mine, compared=[each.part for each in planned.overtaken])
    assert publishing.approve(designers, done.key, revision=1, by="tao").state == "PUBLISHED"
    assert engine.definition("form", "licence_step").version == 3


def test_a_file_the_draft_never_touched_keeps_what_somebody_else_published(designers, engine):
    mine = change(designers, "梅的", file="licence_step.form")
    other = change(designers, "陶的", file="licence_start.form", by="tao")
    publishing.approve(designers, submit(designers, other, by="tao").key, revision=1, by="mei")
    with engine.reading() as conn:
        planned = plans.plan(designers, conn, mine)
    assert planned.theirs == ("licence_start.form",) and set(planned.payload) == {"licence_step.form"} and not planned.overtaken
    publishing.approve(designers, submit(designers, mine).key, revision=1, by="tao")
    assert engine.definition("form", "licence_start").version == 2 and engine.definition("form", "licence_step").version == 2


def test_what_became_newer_between_submission_and_approval_stops_the_approval(designers, engine):
    mine, theirs = change(designers, "梅的", by="mei"), change(designers, "陶的", by="tao")
    waiting = submit(designers, mine)
    publishing.approve(designers, submit(designers, theirs, by="tao").key, revision=1, by="mei")
    with pytest.raises(Conflict):
        publishing.approve(designers, waiting.key, revision=1, by="tao")
    with engine.reading() as conn:
        assert publishing.submission(designers, conn, waiting.key, "tao").state == "WAITING"


def test_a_publication_for_a_day_to_come_happens_once_on_two_nodes(designers, engine, clock, database_url):
    draft = change(designers)
    day = clock.now + timedelta(days=3)
    found = submit(designers, draft, effective_at=day)
    scheduled = publishing.approve(designers, found.key, revision=1, by="tao")
    assert scheduled.state == "SCHEDULED" and engine.definition("form", "licence_step").version == 1
    engine.run_due()
    assert engine.definition("form", "licence_step").version == 1
    clock.now = day + timedelta(seconds=1)
    other = Engine(database_url, clock=clock, settings=SETTINGS, node="other")
    try:
        gate = threading.Barrier(2)
        done: list[int] = []

        def run(node):
            gate.wait()
            done.append(publishing.run_due(node.desk))

        threads = [threading.Thread(target=run, args=(node,)) for node in (engine, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(done) == 1
        engine.run_due()
        other.run_due()
    finally:
        other.dispose()
    engine.catalogue.forget()
    assert engine.definition("form", "licence_step").version == 2 and state_of(designers, draft) == "PUBLISHED"


def test_a_scheduled_publication_that_was_overtaken_goes_back_in_words(designers, engine, clock):
    draft = change(designers, "梅的")
    found = submit(designers, draft, effective_at=clock.now + timedelta(days=3))
    publishing.approve(designers, found.key, revision=1, by="tao")
    publishing.approve(designers, submit(designers, change(designers, "陶的", by="tao"), by="tao").key, revision=1, by="mei")
    clock.now += timedelta(days=4)
    engine.run_due()
    with engine.reading() as conn:
        failed = publishing.submission(designers, conn, found.key, "mei")
    assert failed.state == "FAILED" and "version 2" in failed.note and state_of(designers, draft) == "OPEN"
    assert engine.definition("form", "licence_step").version == 2
    engine.run_due()


def test_the_past_and_the_far_future_are_no_day_to_publish(designers, clock):
    draft = change(designers)
    for day in (clock.now - timedelta(days=1), clock.now, clock.now + timedelta(days=800)):
        with pytest.raises(ValidationFailed) as refused:
            submit(designers, draft, effective_at=day)
        assert "effective_at" in refused.value.errors


def test_a_new_procedure_is_published_with_its_companions(designers, engine):
    draft = drafts.create(designers, process_id="leave", title="请假", by="mei")
    publishing.approve(designers, submit(designers, draft).key, revision=1, by="tao")
    assert engine.definition("process", "leave").version == 1
    again = drafts.branch(designers, "leave", by="tao")
    assert again.files == draft.files and not again.from_older
    only_readme = drafts.save(designers, again.key, {"README.md": "新的说明"}, revision=1, by="tao")
    publishing.approve(designers, submit(designers, only_readme, by="tao").key, revision=1, by="mei")
    assert engine.definition("process", "leave").version == 1
    with engine.reading() as conn:
        listed = versions.versions(designers, conn, "leave")
    assert [(each.number, each.author, each.approver, each.process_version, each.in_use) for each in listed] == [
        (2, "tao", "mei", 1, True), (1, "mei", "tao", 1, False),
    ]  # fmt: skip
    assert listed[0].companions == ("README.md",)


def test_an_earlier_version_comes_back_with_one_step_and_a_reason(designers, engine):
    publishing.approve(designers, submit(designers, change(designers)).key, revision=1, by="tao")
    with engine.reading() as conn:
        newest, oldest = versions.versions(designers, conn, "licence")
    assert newest.reason == "依据新规定" and newest.changed == (("form", "licence_step", 2),) and newest.author == "mei"
    with pytest.raises(ValidationFailed):
        following.roll_back(designers, "licence", oldest.deployment_key, reason="", by="mei")
    draft, found = following.roll_back(designers, "licence", oldest.deployment_key, reason="新表单有误", by="mei", token="once")
    assert draft.from_older and found is not None and found.state == "WAITING"
    again, same = following.roll_back(designers, "licence", oldest.deployment_key, reason="新表单有误", by="mei", token="once")
    assert again.key == draft.key and same.key == found.key
    publishing.approve(designers, found.key, revision=1, by="tao")
    assert engine.definition("form", "licence_step").version == 3
    old = engine.definition("form", "licence_step", 1)
    assert engine.catalogue.content(old)[1] == engine.catalogue.content(engine.definition("form", "licence_step"))[1]


def test_instances_are_counted_by_version(designers, engine):
    engine.desk.start_case("licence", {**models.START, "subject": "大棚"}, by="wang")
    with engine.reading() as conn:
        assert versions.instances_by_version(conn, ["licence"])["licence", 1] == versions.Counts(1, 0)
        listed = {each.process_id: each for each in versions.procedures(designers, conn)}
    assert listed["licence"].running == {1: 1} and listed["licence"].sheet


def test_a_comparison_shows_lines_side_by_side_and_takes_any_text():
    old = {"a.form": '{"a": 1, "b": "<script>"}', "b.md": "x\n" * 50, "gone.md": "1", "same.md": "s"}
    new = {"a.form": '{"a": 2, "b": "<script>"}', "b.md": "x\n" * 25 + "y\n" + "x\n" * 25, "new.md": "2\n3", "same.md": "s"}
    found = {each.name: each for each in comparing.compare(old, new)}
    assert {name: each.status for name, each in found.items()} == {
        "a.form": "changed", "b.md": "changed", "gone.md": "removed", "new.md": "added", "same.md": "same",
    }  # fmt: skip
    assert any(line.kind == "changed" and line.old.strip() == '"a": 1,' and line.new.strip() == '"a": 2,' for line in found["a.form"].lines)
    assert [line.kind for line in found["b.md"].lines].count("added") == 1 and found["b.md"].lines[0].kind == "gap"
    huge = comparing.compare({"a.md": "x\n" * 9000}, {"a.md": "y\n" * 9000})
    assert huge[0].too_large
    assert comparing.drawings({"a.bpmn": "<a/>", "b.bpmn": "1"}, {"a.bpmn": "<b/>", "b.bpmn": "1"}) == {"a.bpmn": {"old": "<a/>", "new": "<b/>"}}
