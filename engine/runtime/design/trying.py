"""What the page of a dry run shows: how a draft begins, and after every step where the case stands and what can be done now.

Everything is given as plain data with :class:`~engine.words.Words` and instants in it; nothing of a run is kept on the server,
each answer plays the whole scenario anew.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.deadlines.pauses import PAUSE_KINDS
from engine.forms.rights import limited, rights_of, shown
from engine.organisation import excluded_by
from engine.runtime.casework.casestate import people_of
from engine.runtime.casework.handling import task_context
from engine.runtime.casework.outcomes import outcomes
from engine.runtime.design.coverage import Coverage, coverage
from engine.runtime.design.judging import failure_words, located, suggested
from engine.runtime.design.sandbox import Sandbox
from engine.runtime.design.scenarios import SECONDS_EACH, Scenario, ScenarioResult
from engine.runtime.design.story import Run, Teller
from engine.runtime.limits.clocks import RUNNING, STOPPED
from engine.runtime.limits.pausing import may_pause
from engine.runtime.unit import Unit
from engine.store import tables
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

COMING = 5
"""Due instants listed ahead."""
OFFERED = 60
"""People offered for one task."""


def beginning(desk: Desk, files: Mapping[str, str | bytes]) -> dict[str, Any]:
    """How a case of the draft begins: its process, the start form and who may open one.

    Raises :class:`DeploymentRejected` when the draft cannot be tried yet.
    """
    with Sandbox(desk, files, desk.engine.clock()) as sandbox:
        engine, process = sandbox.engine, sandbox.process_id
        entry = engine.desk.book().procedure(process) if process else None
        found = engine.catalogue.find("process", process) if process else None
        directory = engine.desk.people.directory()
        roles = entry[1].start.roles if entry else ()
        starters = people_of(directory, roles) if roles else [each.login for each in directory.people.values() if each.active]
        return {
            "process": process, "name": entry[1].name if entry else found.name if found else "", "starters": _people(directory, starters),
            "form": _form(engine, entry[1].start.form if entry else None), "at": engine.clock(),
        }  # fmt: skip


def try_out(desk: Desk, files: Mapping[str, str | bytes], scenario: Scenario) -> dict[str, Any]:
    """Play ``scenario`` and say what happened, where the case stands and what can be done.  Raises :class:`DeploymentRejected`."""
    began = time.monotonic()
    with Sandbox(desk, files, scenario.at) as sandbox:
        teller = Teller(sandbox, files, scenario, began + SECONDS_EACH)
        told = teller.tell()
        found = [(failure_words(told), _place_of(told))] if told.failure else list(located(told, told.wanted))
        answer = {
            "at": sandbox.clock.now, "records": [_record(desk, each) for each in told.records],
            "problems": [{"text": words, "element": place} for words, place in found],
            "failure": _failure(told), "variables": told.variables, "suggested": suggested(told), "state": told.state,
            "diagrams": _diagrams(sandbox, told), "visited": sorted(told.visited), "flows": sorted(told.flows),
            "names": {**told.names, **told.labels},
        }  # fmt: skip
        answer |= (
            _situation(teller) if teller.case_key else {"tasks": [], "actions": [], "jobs": [], "clocks": [], "coming": [], "case": None}
        )
        return answer | {"seconds": round(time.monotonic() - began, 3)}


def covered(files: Mapping[str, str | bytes], results: Iterable[ScenarioResult]) -> list[dict[str, Any]]:
    """The coverage of the draft's processes by scenarios that were played."""
    results = list(results)
    visited = {id for each in results for id in each.visited}
    flows = {id for each in results for id in each.flows}
    return [_coverage(each) for each in coverage(files, visited, flows)]


def _coverage(each: Coverage) -> dict[str, Any]:
    missed = {place.id for place in each.missed}
    return {
        "process": each.process_id, "name": each.name, "percent": each.percent, "elements": each.percent_of(each.elements),
        "flows": each.percent_of(each.flows), "missed": [{"id": one.id, "type": one.type, "label": one.label} for one in each.missed],
        "visited": [place.id for place in (*each.elements, *each.flows) if place.id not in missed],
    }  # fmt: skip


# --- the parts -----------------------------------------------------------------------------------------------------------------


def _people(directory: Any, logins: Iterable[str]) -> list[dict[str, str]]:
    found = []
    for login in list(dict.fromkeys(logins))[:OFFERED]:
        place = directory.section_name(directory.section_of(login))
        found.append({"login": login, "name": directory.name(login), "place": place})
    return found


def _form(engine: Any, form_id: str | None) -> dict[str, Any] | None:
    found = engine.catalogue.find("form", form_id) if form_id else None
    return json.loads(engine.catalogue.content(found)[1]) if found is not None else None


def _record(desk: Desk, each: Any) -> dict[str, Any]:
    happenings = [
        {"at": one.at, "kind": one.kind, "text": one.words, "element": one.element, "level": one.level} for one in each.happenings
    ]
    name = desk.people.directory().name(each.by) if each.by else ""
    return {
        "number": each.number, "do": each.step["do"], "at": each.at, "by": name, "task": each.task, "happenings": happenings,
        "changed": each.changed,
    }  # fmt: skip


def _failure(told: Run) -> dict[str, Any] | None:
    failure = told.failure
    if failure is None:
        return None
    return {"number": failure.number, "field": failure.field, "text": failure.message, "errors": failure.errors}


def _place_of(told: Run) -> str | None:
    """The element of the step that could not be done; where the run came last, if the drawing does not have it any more."""
    failure = told.failure
    if failure is None or not failure.number:
        return None
    element = told.scenario.steps[failure.number - 1].get("element")
    return element if element and told.name_of(element) else next(reversed(told.path), None)


def _diagrams(sandbox: Sandbox, told: Run) -> list[dict[str, Any]]:
    """One a process; the instances of a process called several times are drawn into one."""
    found: dict[str, dict[str, Any]] = {}
    stuck = set(told.incidents)
    for passage in told.passages.values():
        process = sandbox.engine.catalogue.find("process", passage.process_id)
        about = found.setdefault(
            passage.process_id,
            {
                "process": passage.process_id, "name": process.name if process else passage.process_id, "counts": {}, "tokens": {},
                "incidents": {}, "flows": [],
            },
        )  # fmt: skip
        for element, count in passage.entered.items():
            about["counts"][element] = about["counts"].get(element, 0) + count
        for element, count in passage.active.items():
            if count > 0:
                about["tokens"][element] = about["tokens"].get(element, 0) + count
                if element in stuck:
                    about["incidents"][element] = 1
        about["flows"] = sorted({*about["flows"], *passage.flows})
    for about in found.values():
        about["current"] = sorted(about["tokens"])
        about["done"] = sorted({*about["counts"], *about["flows"]} - set(about["tokens"]))
    return list(found.values())


def _situation(teller: Teller) -> dict[str, Any]:
    """Where the case stands, and everything that can be done with it now."""
    engine, desk = teller.engine, teller.desk
    book = desk.book()
    entry = book.procedure(teller.scenario.process)
    with engine.transaction() as tx:
        unit = Unit(engine, tx)
        tasks = [_task(teller, unit, tx.conn, task) for task in teller.open_tasks()]
        counts: dict[str, int] = {}
        for task in tasks:
            counts[task["element"]] = task["nth"] = counts.get(task["element"], 0) + 1
        for task in tasks:
            task["several"] = counts[task["element"]] > 1
        case = tables.case_file
        row = tx.conn.execute(select(case).where(case.c.key == teller.case_key)).one_or_none()
        awaited = _awaited(teller, tx.conn)
        clocks = _clocks(teller, tx.conn)
        logins = sorted(desk.people.directory(tx.conn).people)
        deciders = [] if row is None else [login for login in logins if may_pause(desk, tx.conn, row, login)]
        coming = _coming(teller, tx.conn)
    directory = desk.people.directory()
    actions = [
        {
            "message": each.message, "label": each.label, "form": _form(engine, each.form), "data": teller.run.variables,
            "people": _people(directory, people_of(directory, each.roles) if each.roles else sorted(directory.people)),
        }
        for each in (entry[1].all_actions() if entry else ())
        if each.message in awaited
    ]  # fmt: skip
    jobs = [
        {"element": each.element_id, "label": teller.run.labels.get(each.element_id, each.element_id), "type": each.type}
        for each in teller.open_jobs()
    ]
    shown = None if row is None else {"no": row.case_no, "title": row.title, "status": row.status, "result": row.result}
    return {"tasks": tasks, "actions": actions, "jobs": jobs, "clocks": clocks, "coming": coming, "case": shown} | {
        "deciders": _people(directory, deciders), "kinds": [{"id": each.id, "label": each.word} for each in PAUSE_KINDS.values()],
    }  # fmt: skip


def _task(teller: Teller, unit: Unit, conn: Any, task: Any) -> dict[str, Any]:
    directory = teller.desk.people.directory(conn)
    named = [task.assignee] if task.assignee else people_of(directory, (*task.candidate_users, *task.candidate_groups))
    if not named and not task.assignee:
        named = sorted(directory.people)
    able = [login for login in named if not excluded_by(directory, login, task.excluded)]
    excluded = [login for login in named if login not in able]
    form, given, context = _form(teller.engine, task.form_id), rights_of(task.properties), task_context(unit, dict(task._mapping))
    return {
        "element": task.element_id, "name": task.name, "assignee": task.assignee, "people": _people(directory, able),
        "excluded": _people(directory, excluded), "due": task.due_at, "form": limited(form, given, context) if form else None,
        "data": shown(context, given), "extendable": bool(task.properties.get("extendable")),
        "outcomes": [
            {
                "value": each.value, "label": each.label, "opinion": each.opinion_required, "confirm": each.confirm,
                "unchecked": each.unchecked,
            }
            for each in outcomes(task.properties)
        ],
    }  # fmt: skip


def _awaited(teller: Teller, conn: Any) -> set[str]:
    subscription, instance = tables.subscription, tables.instance
    chosen = select(subscription.c.name).join(instance, instance.c.key == subscription.c.instance_key)
    return set(conn.execute(chosen.where(instance.c.root_key == teller.case_key, subscription.c.kind == "message")).scalars())


def _clocks(teller: Teller, conn: Any) -> list[dict[str, Any]]:
    clock = tables.clock
    rows = conn.execute(select(clock).where(clock.c.case_key == teller.case_key).order_by(clock.c.key))
    ladder = teller.desk.book(conn).ladder
    found = []
    for row in rows:
        rungs = ladder(row.ladder_id)
        following = rungs.rung(row.next_rung) if rungs is not None and row.next_rung else None
        found.append(
            {
                "label": row.label, "rule": row.rule_id, "state": row.state, "due": row.due_at, "level": row.level,
                "provisional": row.provisional,
                "next": None if following is None or row.state == STOPPED else _rung(following, row.next_rung_at),
            }
        )  # fmt: skip
    return found


def _rung(rung: Any, at: datetime | None) -> dict[str, Any]:
    return {"text": rung.text or rung.id, "at": at}


def _coming(teller: Teller, conn: Any) -> list[dict[str, Any]]:
    """What falls due next: timers of the case and rungs of its running clocks."""
    timer, instance, clock = tables.timer, tables.instance, tables.clock
    found: list[tuple[datetime, Any, str]] = []
    chosen = select(timer.c.due_at, timer.c.element_id).join(instance, instance.c.key == timer.c.instance_key)
    for row in conn.execute(chosen.where(instance.c.root_key == teller.case_key, timer.c.due_at.is_not(None))):
        id = row.element_id.partition("#")[0]
        found.append((row.due_at, T("Timer: %(label)s", label=_label(teller, id)), id))
    running = select(clock).where(clock.c.case_key == teller.case_key, clock.c.state == RUNNING, clock.c.next_rung_at.is_not(None))
    ladder = teller.desk.book(conn).ladder
    for row in conn.execute(running):
        rungs = ladder(row.ladder_id)
        rung = rungs.rung(row.next_rung) if rungs is not None else None
        text = (rung.text or rung.id) if rung is not None else row.next_rung
        found.append((row.next_rung_at, T("%(limit)s: %(rung)s", limit=row.label, rung=text), ""))
    found.sort(key=lambda each: each[0])
    return [{"at": at, "text": text, "element": element} for at, text, element in found[:COMING]]


def _label(teller: Teller, element: str) -> str:
    for passage in teller.run.passages.values():
        found = teller.engine.catalogue.find("process", passage.process_id)
        for node in found.model.task_specs.values() if found else ():
            if node.bpmn_id == element:
                return node.label
    return element
