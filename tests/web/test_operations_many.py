"""The process monitor: many instances at once, incidents in groups, migration, batches, clean-up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from engine.store import tables
from tests.web.operations_room import audited, orders, text  # noqa: F401  a fixture
from tests.web.rooms import app, browse, clock, engine, open_case, statements  # noqa: F401  fixtures


def field(page: str, name: str) -> str:
    return page.split(f'name="{name}" value="')[1].split('"')[0]


def states(engine) -> list[str]:
    return sorted(each.state for each in engine.instances())


# --- many at once -----------------------------------------------------------------------------------------------------


def test_the_chosen_ones_are_suspended_as_a_batch_and_the_others_are_not(browse, engine, orders):
    chosen = [orders.start(f"A-{number}").key for number in range(3)]
    other = orders.start("B")
    ended = orders.start("C")
    engine.cancel(ended.key, reason="x")
    client = browse("admin")
    page = text(client.post("/operations/instances/many", data={"kind": "suspend", "keys": [*map(str, chosen), str(ended.key)], "match": ""}))
    assert "3 instances" in page and "1 of the chosen is left out: do not run" in page
    assert engine.batches() == [] and states(engine).count("SUSPENDED") == 0
    answer = client.post("/operations/instances/many/suspend", data={"keys": field(page, "keys"), "expected": field(page, "expected"), "reason": "check"})
    batch = engine.batches()[0]
    assert answer.location == f"/operations/batches/{batch.key}"
    assert (batch.kind, batch.total, batch.parameters["reason"], batch.created_by) == ("suspend", 3, "check", "admin")
    engine.run_due()
    assert {engine.instance(key).state for key in chosen} == {"SUSPENDED"}
    assert engine.instance(other.key).state == "ACTIVE"


def test_all_that_match_are_meant_when_that_is_ticked_beyond_the_page(browse, engine, orders):
    for number in range(23):
        orders.start(f"A-{number}")
    orders.start("B")
    client = browse("admin")
    page = text(client.get("/operations/instances?q=A-"))
    assert "all 23 that match" in page
    page = text(client.post("/operations/instances/many", data={"kind": "cancel", "all": "1", "match": field(page, "match"), "keys": "1"}))
    assert "23 instances" in page
    form = {"match": field(page, "match"), "expected": field(page, "expected")}
    assert client.post("/operations/instances/many/cancel", data=form).status_code == 422
    orders.start("A-late")
    late = client.post("/operations/instances/many/cancel", data={**form, "reason": "double"})
    assert late.status_code == 409 and "Meanwhile it is 24 instances" in text(late) and engine.batches() == []
    client.post("/operations/instances/many/cancel", data={**form, "expected": "24", "reason": "double"})
    engine.run_due()
    assert states(engine) == ["ACTIVE"] + ["TERMINATED"] * 24


def test_a_forgotten_filter_never_means_everything(browse, engine, orders):
    orders.start("A")
    client = browse("admin")
    for form in ({"kind": "cancel"}, {"kind": "cancel", "keys": "nonsense"}, {"kind": "cancel", "match": "", "keys": ""}):
        assert client.post("/operations/instances/many", data=form).status_code == 302
    assert client.post("/operations/instances/many", data={"kind": "explode", "keys": "1"}).status_code == 404
    # Without any choice the second step finds none, and the number it was shown does not fit.
    assert client.post("/operations/instances/many/cancel", data={"expected": "1", "reason": "x"}).status_code == 409
    assert states(engine) == ["ACTIVE"]


def test_deleting_many_asks_for_their_number(browse, engine, orders):
    keys = [orders.start(f"A-{number}").key for number in range(2)]
    client = browse("admin")
    page = text(client.post("/operations/instances/many", data={"kind": "delete", "keys": list(map(str, keys))}))
    assert "still run" in page and "<form class=\"panel act\"" not in page
    for key in keys:
        engine.cancel(key, reason="x")
    form = {"keys": ",".join(map(str, keys)), "expected": "2", "reason": "test data"}
    assert client.post("/operations/instances/many/delete", data={**form, "typed": "3"}).status_code == 422
    client.post("/operations/instances/many/delete", data={**form, "typed": "2"})
    engine.run_due()
    assert engine.instances() == []


# --- incidents --------------------------------------------------------------------------------------------------------


def test_incidents_that_say_the_same_stand_in_one_line_and_are_tried_again_together(browse, engine, orders):
    keys = [orders.stuck(f"A-{number}").key for number in range(3)]
    client = browse("admin")
    page = text(client.get("/operations/incidents"))
    assert page.count("<tr data-row") == 1 and "</svg> 3<span" in page and "The sure" in page
    for key in keys:
        engine.set_variables(key, {"amount": 500})
    assert engine.incidents() != []
    client.post("/operations/incidents/group", data={"sample": field(page, "sample")})
    engine.run_due()
    assert engine.incidents() == []
    assert {task.element_id for task in engine.user_tasks()} == {"boss"}
    assert "resolved already" in text(client.post("/operations/incidents/group", data={"sample": field(page, "sample")}, follow_redirects=True))


def test_an_incident_shows_its_place_in_the_calls_and_what_fails_again_says_so(browse, engine, orders):
    caller = orders.start("A-1", "caller")
    task = engine.user_tasks()[0]
    engine.complete(task.key, {}, by="li")
    incident = engine.incidents()[0]
    client = browse("admin")
    page = text(client.get(f"/operations/incidents/{incident.key}"))
    assert f'/operations/instances/{caller.key}">' in page and "The step" in page and "The sure" in page
    again = text(client.post(f"/operations/incidents/{incident.key}/retry", data={"reason": "again"}, follow_redirects=True))
    assert "It failed again" in again
    assert [row.details["reason"] for row in audited(engine, "incident.retry")] == ["again"]
    late = text(client.post(f"/operations/incidents/{incident.key}/retry", follow_redirects=True))
    assert "already resolved" in late


def test_a_job_without_retries_gets_the_number_that_was_entered(browse, engine, orders):
    one = orders.start("A-1")
    engine.move(one.key, cancel=["ask"], start=["ship"])
    job = engine.activate_jobs("ship", "w")[0]
    engine.fail_job(job.key, 0, "server down", worker="w")
    incident = engine.incidents()[0]
    client = browse("admin")
    assert 'name="retries"' in text(client.get(f"/operations/instances/{one.key}"))
    client.post(f"/operations/incidents/{incident.key}/retry", data={"retries": "0"})
    assert len(engine.incidents()) == 1
    client.post(f"/operations/incidents/{incident.key}/retry", data={"retries": "7"})
    assert engine.incidents() == []
    assert "7 retries left" in text(client.get(f"/operations/instances/{one.key}"))


# --- migration --------------------------------------------------------------------------------------------------------


def test_a_plan_shows_what_needs_a_decision_and_the_report_says_who_can_follow(browse, engine, orders):
    one = orders.start("A-1", amount=5)
    orders.second()
    client = browse("designer")
    page = text(client.get("/operations/migration?process=order"))
    assert "The ask" in page and "goes nowhere" in page and "cannot follow" in page
    address = "/operations/migration?process=order&from_version=1&to_version=2&to.ask=ask2"
    page = text(client.get(address))
    assert "chosen by hand" in page and 'name="to.ask" value="ask2"' in page
    assert "cannot follow" not in page.split("Report")[1] or "A-1" in page
    form = {"process": "order", "from_version": "1", "to_version": "2", "to.ask": "ask2", "expected": "1", "which": "all", "reason": "new law"}
    answer = client.post("/operations/migration", data=form)
    engine.run_due()
    batch = engine.batches()[0]
    assert answer.location == f"/operations/batches/{batch.key}"
    progress = text(client.get(f"{answer.location}/progress"))
    assert "hx-get" not in progress
    assert (batch.kind, engine.instance(one.key).version) == ("migrate", 2) or batch.failed == 1, progress


@pytest.mark.parametrize("wrong", ["pack", "nobody"])
def test_a_plan_with_errors_is_not_carried_out(browse, engine, orders, wrong):
    one = orders.start("A-1")
    orders.second()
    client = browse("admin")
    page = text(client.get(f"/operations/migration?process=order&from_version=1&to_version=2&to.ask={wrong}"))
    assert "has errors" in page and "Migrate all" not in page
    form = {"process": "order", "from_version": "1", "to_version": "2", "to.ask": wrong, "expected": "1", "which": "all"}
    assert client.post("/operations/migration", data=form).status_code == 422
    assert engine.batches() == [] and engine.instance(one.key).version == 1


def test_only_the_ticked_instances_are_migrated(browse, engine, orders):
    keys = [orders.start(f"A-{number}").key for number in range(3)]
    for key in keys:
        engine.move(key, cancel=["ask"], start=["boss"])
    orders.second()
    client = browse("admin")
    form = {"process": "order", "from_version": "1", "to_version": "2", "which": "chosen"}
    assert client.post("/operations/migration", data=form).status_code == 422
    client.post("/operations/migration", data={**form, "only": [str(keys[0]), "17"]})
    engine.run_due()
    assert [engine.instance(key).version for key in keys] == [2, 1, 1]
    late = client.post("/operations/migration", data={**form, "which": "all", "expected": "3"})
    assert late.status_code == 409 and "Meanwhile it is 2 instances" in text(late)


def test_instances_ticked_in_the_list_go_into_a_migration_together(browse, engine, orders):
    keys = [orders.start(f"A-{number}").key for number in range(3)]
    orders.second()
    newer = orders.start("B")
    client = browse("admin")
    answer = client.post("/operations/instances/many", data={"kind": "migrate", "keys": list(map(str, keys[:2]))})
    page = text(client.get(answer.location))
    assert "running in version 1: 2" in page and "A-2" not in page
    page = text(client.post("/operations/instances/many", data={"kind": "migrate", "keys": [str(keys[0]), str(newer.key)]}, follow_redirects=True))
    assert "different processes or versions" in page


def test_a_process_that_is_not_there_cannot_be_planned(browse, orders):
    client = browse("admin")
    assert client.get("/operations/migration?process=nothing").status_code == 404
    assert "Choose two different versions" in text(client.get("/operations/migration?process=order&from_version=1&to_version=1"))
    assert client.get("/operations/migration?process=order&from_version=x&to_version=99").status_code == 200


# --- batches ----------------------------------------------------------------------------------------------------------


def test_a_batch_shows_how_far_it_is_and_stops_asking_when_it_has_ended(browse, engine, orders):
    keys = [orders.start(f"A-{number}").key for number in range(3)]
    batch = engine.suspend_many(keys, by="admin", reason="check")
    client = browse("du")
    page = text(client.get(f"/operations/batches/{batch.key}"))
    assert f'hx-get="/operations/batches/{batch.key}/progress"' in page and "3 waiting" in page and "check" in page
    engine.cancel(keys[0], reason="x")
    engine.run_due()
    page = text(client.get(f"/operations/batches/{batch.key}/progress"))
    assert "hx-get" not in page and "data-announce" in page and "2 done" in page and "1 failed" in page
    assert f'/operations/instances/{keys[0]}">A-0</a>' in page
    assert "finished" in text(client.get("/operations/batches"))


def test_a_batch_is_stopped_and_what_is_done_stays_done(browse, engine, orders):
    batch = engine.suspend_many([orders.start().key], by="admin")
    client = browse("admin")
    assert "was stopped" in text(client.post(f"/operations/batches/{batch.key}/cancel", follow_redirects=True))
    engine.run_due()
    assert states(engine) == ["ACTIVE"]
    assert "already ended" in text(client.post(f"/operations/batches/{batch.key}/cancel", follow_redirects=True))


# --- clean-up ---------------------------------------------------------------------------------------------------------


def test_the_clean_up_says_how_much_waits_and_deletes_it_on_demand(browse, engine, orders, clock):
    keys = [orders.start(f"A-{number}").key for number in range(2)]
    for key in keys:
        engine.cancel(key, reason="x")
    with engine.transaction() as tx:
        tx.execute(update(tables.instance).where(tables.instance.c.key == keys[0]).values(removal_at=clock() - timedelta(days=1)))
        tx.execute(update(tables.instance).where(tables.instance.c.key == keys[1]).values(removal_at=clock() + timedelta(days=9)))
    client = browse("admin")
    page = text(client.get("/operations/cleanup"))
    assert "<strong>1 case</strong>" in page and "1 case · the next on 2 Dec 2026" in page
    page = text(client.post("/operations/cleanup", data={"reason": "room"}, follow_redirects=True))
    assert "1 case was deleted" in page and "Nothing waits to be deleted" in page and "A-0" in page
    row = audited(engine, "cleanup.run")[0]
    assert (row.by, row.details) == ("admin", {"deleted": 1, "reason": "room"})


def test_without_a_period_cases_are_kept_for_ever(browse, engine, orders):
    assert not engine.desk.settings.history_ttl_days
    assert "for ever" in text(browse("du").get("/operations/cleanup"))
