"""The process monitor: who may, its lists, one instance and what can be done to it."""

from __future__ import annotations

import io
import json
import re

import openpyxl
import pytest
from sqlalchemy import func, select

from engine.store import tables
from tests.bpmn.builder import bpmn, each, process, tag, user
from tests.web.operations_room import audited, orders, text  # noqa: F401  a fixture
from tests.web.rooms import app, browse, clock, engine, open_case, selects, statements  # noqa: F401  fixtures

PAGES = ("/operations", "/operations/instances", "/operations/incidents", "/operations/batches", "/operations/cleanup")


def refusals(engine) -> list:
    return [row.subject for row in audited(engine, "access.refused")]


# --- who may ----------------------------------------------------------------------------------------------------------


def test_administrators_designers_and_supervisors_see_and_nobody_else(browse, engine):
    for login, status in {"admin": 200, "designer": 200, "du": 200, "zheng": 404, "wu": 404, "chen": 404, "li": 404, "auditor": 404}.items():
        for page in PAGES:
            assert browse(login).get(page).status_code == status, (login, page)
    assert "operations:see" in refusals(engine)


def test_the_menu_shows_the_room_to_those_who_may_use_it(browse):
    assert 'href="/operations"' in browse("admin").get("/home").get_data(as_text=True)
    assert 'href="/operations"' not in browse("li").get("/home").get_data(as_text=True)


def test_a_supervisor_looks_and_changes_nothing(browse, engine, orders):
    one = orders.stuck("A-1")
    client, incident = browse("du"), engine.incidents()[0]
    page = text(client.get(f"/operations/instances/{one.key}"))
    assert "/suspend" not in page and "Move tokens" not in page and "data-select" not in text(client.get("/operations/instances"))
    for address in ("suspend", "cancel", "move", "restart", "variable", "delete"):
        assert client.post(f"/operations/instances/{one.key}/{address}", data={"reason": "why"}).status_code == 403, address
    for address in (f"/operations/incidents/{incident.key}/retry", "/operations/instances/many", "/operations/migration", "/operations/cleanup"):
        assert client.post(address).status_code == 403, address
    assert engine.instance(one.key).state == "ACTIVE" and len(engine.incidents()) == 1


def test_somebody_else_is_not_told_that_there_is_anything_to_change(browse, engine, orders):
    one = orders.start()
    assert browse("li").post(f"/operations/instances/{one.key}/suspend").status_code == 404
    assert engine.instance(one.key).state == "ACTIVE"


def test_no_change_is_made_by_a_link_and_none_without_its_token(app, browse, orders, engine):
    app.config["WTF_CSRF_ENABLED"] = True
    one = orders.start()
    client = browse("admin")
    assert client.get(f"/operations/instances/{one.key}/suspend").status_code == 200
    assert client.post(f"/operations/instances/{one.key}/suspend").status_code == 400
    assert engine.instance(one.key).state == "ACTIVE"


# --- the lists --------------------------------------------------------------------------------------------------------


def test_the_overview_counts_what_runs_is_suspended_is_held_up_and_has_ended(browse, engine, orders):
    orders.start()
    engine.suspend(orders.start().key)
    engine.cancel(orders.start().key, reason="x")
    orders.stuck()
    rows = {tuple(cell for cell in row) for row in _numbers(browse("du").get("/operations"))}
    assert ("order", "v1", 2, 1, 1, 1) in rows


def _numbers(answer):
    from lxml import html

    for row in html.fromstring(answer.get_data()).iterfind(".//tbody/tr"):
        cells = [" ".join(cell.text_content().split()) for cell in row.iterfind("td")]
        yield (cells[1], cells[2], *(int(cell.split()[0]) for cell in cells[4:8]))


def test_every_page_says_so_when_it_is_empty(browse):
    client = browse("admin")
    for page, sentence in {
        "/operations/instances": "Nothing was ever started.", "/operations/incidents": "No incidents.", "/operations/batches": "No batches.",
        "/operations/cleanup": "Nothing waits to be deleted.", "/operations/migration": "Every process has one version only.",
        "/operations/instances?state=ended": "Nothing matches these filters.",
    }.items():  # fmt: skip
        assert sentence in text(client.get(page)), page


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("process=order", {"A-1", "A-2", "A-3"}), ("version=1&process=order", {"A-1", "A-2", "A-3"}), ("version=7", set()),
        ("state=SUSPENDED", {"A-2"}), ("state=ended", {"A-3"}), ("incident=1", {"A-1"}), ("q=A-2", {"A-2"}),
        ("since=2026-11-23&process=order", {"A-1", "A-2", "A-3"}), ("until=2026-11-22", set()), ("since=nonsense&q=A-1", {"A-1"}),
    ],
)  # fmt: skip
def test_filters_narrow_the_instances(browse, engine, orders, query, shown):
    orders.stuck("A-1")
    engine.suspend(orders.start("A-2").key)
    engine.cancel(orders.start("A-3").key, reason="x")
    page = text(browse("admin").get(f"/operations/instances?{query}"))
    assert {name for name in ("A-1", "A-2", "A-3") if f">{name}</a>" in page} == shown


def test_an_instance_is_found_by_the_number_of_its_case(browse, open_case, engine):
    case = open_case()
    with engine.reading() as conn:
        number = conn.execute(select(tables.case_file.c.case_no).where(tables.case_file.c.key == case.key)).scalar_one()
    page = text(browse("admin").get(f"/operations/instances?q={number}"))
    assert f'/operations/instances/{case.key}"' in page and "承办" in page


def test_the_way_back_leads_to_the_filtered_list(browse, orders):
    one = orders.start("A-1")
    client = browse("admin")
    client.get("/operations/instances?state=ACTIVE&q=A")
    assert 'href="/operations/instances?state=ACTIVE&amp;q=A"' in text(client.get(f"/operations/instances/{one.key}"))


def test_pages_of_instances_never_overlap(browse, engine, orders, monkeypatch):
    from web.operations import queries
    from web.operations.state import InstanceFilter

    made = {orders.start(f"A-{number}").key for number in range(5)}
    monkeypatch.setattr(queries, "PAGE_SIZE", 2)
    with engine.reading() as conn:
        found = [queries.instances(conn, InstanceFilter(page=page), engine.calendar) for page in (1, 2, 3)]
    assert [total for _rows, total in found] == [5, 5, 5]
    assert {row.key for rows, _total in found for row in rows} == made


def test_the_filtered_list_opens_as_a_workbook_in_which_nothing_is_a_formula(browse, orders):
    orders.start("=1+1")
    orders.start("B")
    answer = browse("admin").get("/operations/instances/export.xlsx?process=order")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.data)).active
    assert sheet.max_row == 3
    assert {sheet.cell(row, 5).value for row in (2, 3)} == {"=1+1", "B"}
    assert all(sheet.cell(row, 5).data_type == "s" for row in (2, 3))


@pytest.mark.parametrize("page", [*PAGES, "/operations/instances?process=order&state=running&incident=1&q=A&since=2026-01-01"])
def test_a_list_costs_at_most_eight_statements_however_long_it_is(browse, engine, orders, page):
    for number in range(25):
        orders.stuck(f"A-{number}")
    engine.suspend_many([each.key for each in engine.instances()], by="admin")
    engine.run_due()
    client = browse("admin")
    client.get(page)  # fills the caches of organisation and definitions
    with statements(engine) as sent:
        assert client.get(page).status_code == 200
    assert len(selects(sent)) <= 8, "\n\n".join(selects(sent))


# --- a process --------------------------------------------------------------------------------------------------------


def test_a_process_is_suspended_with_its_instances_and_resumed(browse, engine, orders):
    one = orders.start()
    key = engine.definition("process", "order").key
    client = browse("designer")
    assert "Hold the running instances too" in text(client.get(f"/operations/definitions/{key}/suspend"))
    page = text(client.post(f"/operations/definitions/{key}/suspend", data={"instances": "1", "reason": "a mistake"}, follow_redirects=True))
    assert "1 version suspended" in page
    assert engine.instance(one.key).state == "SUSPENDED"
    assert audited(engine, "definition.suspend")[0].details["reason"] == "a mistake"
    page = text(client.post(f"/operations/definitions/{key}/suspend", follow_redirects=True))
    assert "is suspended already" in page
    client.post(f"/operations/definitions/{key}/resume", data={"versions": "all", "instances": "1"})
    assert engine.instance(one.key).state == "ACTIVE"
    assert engine.definition("process", "order").suspended_at is None


# --- one instance -----------------------------------------------------------------------------------------------------


def test_the_page_of_an_instance_shows_tokens_variables_waiting_history_and_the_log(browse, engine, orders):
    one = orders.start("A-1", amount=500, note="秘密 <b>", flags=[True, None], who={"name": "王"})
    engine.suspend(one.key, by="admin", reason="looking into it")
    page = text(browse("du").get(f"/operations/instances/{one.key}"))
    for found in ("The ask", "500", "秘密 &lt;b&gt;", "[true, null]", "Timer", "looking into it", "Process instance suspended"):
        assert found in page, found
    about = json.loads(page.split('id="instance-drawing">')[1].split("</script>")[0])
    assert about["current"] == ["ask"] and about["done"] == ["start"] and about["tokens"] == {"ask": 1}


def test_an_instance_that_does_not_exist_is_not_found(browse):
    for address in ("/operations/instances/1", "/operations/instances/1/move", "/operations/incidents/1", "/operations/batches/1", "/operations/definitions/1/drawing"):
        assert browse("admin").get(address).status_code == 404, address


def test_confidential_fields_stay_hidden_in_variables_changes_and_log(browse, engine, open_case):
    case = open_case(secret=True, applicant_name="李四保密")
    engine.set_variables(case.key, {"applicant_name": "李四保密二", "county": "淮阳区"}, by="system")
    for login in ("admin", "designer", "du"):
        page = text(browse(login).get(f"/operations/instances/{case.key}"))
        assert "李四保密" not in page, login
        assert "(confidential)" in page and "淮阳区" in page
    page = text(browse("admin").post(f"/operations/instances/{case.key}/variable", data={"name": "applicant_name", "kind": "text", "value": "x", "step": "save"}, follow_redirects=True))
    assert "is confidential" in page
    answer = browse("admin").post(f"/operations/instances/{case.key}/variable", data={"name": "copy", "new": "1", "kind": "context", "value": '{"applicant_name": "x"}'})
    assert answer.status_code == 422 and "confidential" in text(answer)


def test_an_instance_is_held_released_and_cancelled_with_a_reason(browse, engine, orders):
    one = orders.start("A-1")
    client, address = browse("admin"), f"/operations/instances/{one.key}"
    assert "is suspended" in text(client.post(f"{address}/suspend", data={"reason": "wait"}, follow_redirects=True))
    again = text(client.post(f"{address}/suspend", follow_redirects=True))
    assert "alert-warning" in again and engine.instance(one.key).state == "SUSPENDED"
    client.post(f"{address}/resume")
    assert engine.instance(one.key).state == "ACTIVE"
    refused = client.post(f"{address}/cancel", data={"reason": "  "})
    assert refused.status_code == 422 and "Say why" in text(refused) and engine.instance(one.key).state == "ACTIVE"
    assert "was cancelled" in text(client.post(f"{address}/cancel", data={"reason": "entered twice"}, follow_redirects=True))
    assert engine.instance(one.key).state == "TERMINATED"
    assert [row.details["reason"] for row in audited(engine, "instance.suspend")] == ["wait"]
    assert audited(engine, "instance.cancel")[0].by == "admin"


def test_deleting_asks_for_the_number_typed_exactly(browse, engine, orders):
    one = orders.start("A-1")
    client, address = browse("admin"), f"/operations/instances/{one.key}"
    assert "not possible in the state" in text(client.get(f"{address}/delete"))
    engine.cancel(one.key, reason="x")
    for typed in ("", "A-2"):
        assert client.post(f"{address}/delete", data={"reason": "test data", "typed": typed}).status_code == 422
    answer = client.post(f"{address}/delete", data={"reason": "test data", "typed": "A-1"})
    assert answer.status_code == 302 and answer.location == "/operations/instances"
    assert client.get(address).status_code == 404
    assert audited(engine, "instance.delete")[0].details["reason"] == "test data"


def test_tokens_are_moved_and_a_refusal_keeps_what_was_chosen(browse, engine, orders):
    one = orders.start("A-1", amount=5)
    token = engine.tokens(one.key)[0]
    client, address = browse("admin"), f"/operations/instances/{one.key}/move"
    page = text(client.get(address))
    assert "The ask" in page and "The boss" in page and "The pack" in page
    refused = client.post(address, data={"cancel": str(token.id), "reason": "kept"})
    assert refused.status_code == 422 and "Nothing of the case would be left" in text(refused)
    assert f'value="{token.id}" data-diagram-tick checked' in text(refused) and ">kept</textarea>" in text(refused)
    gone = client.post(address, data={"cancel": "99", "start": "boss"})
    assert gone.status_code == 422 and "it may have moved on" in text(gone)
    assert "were moved" in text(client.post(address, data={"cancel": str(token.id), "start": "pack", "reason": "skip"}, follow_redirects=True))
    assert [each.element_id for each in engine.tokens(one.key)] == ["inner", "pack"]
    assert audited(engine, "instance.move")[0].details["reason"] == "skip"
    engine.suspend(one.key)
    assert client.post(address, data={"start": "boss"}).status_code == 409


def test_an_ended_instance_is_started_again_where_it_is_wanted(browse, engine, orders):
    one = orders.start("A-1", amount=500)
    client = browse("admin")
    assert client.get(f"/operations/instances/{one.key}/restart").status_code == 302
    engine.cancel(one.key, reason="x")
    assert "The boss" in text(client.get(f"/operations/instances/{one.key}/restart"))
    refused = client.post(f"/operations/instances/{one.key}/restart", data={"where": "chosen"})
    assert refused.status_code == 422 and "Name at least one element" in text(refused)
    answer = client.post(f"/operations/instances/{one.key}/restart", data={"where": "chosen", "start": "boss"})
    made = engine.instance(int(answer.location.rsplit("/", 1)[1]))
    assert made.variables["amount"] == 500 and [each.element_id for each in engine.tokens(made.key)] == ["boss"]


# --- variables --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("text", "两行\r\n字", "两行\n字"), ("number", "12", 12), ("number", "-3.5", -3.5), ("boolean", "true", True), ("boolean", "false", False),
        ("list", "[1, \"a\", null]", [1, "a", None]), ("context", '{"a": {"b": []}}', {"a": {"b": []}}), ("null", "", None),
    ],
)  # fmt: skip
def test_a_variable_is_compared_first_and_then_written_in_its_type(browse, engine, orders, kind, value, stored):
    one = orders.start(amount=7)
    client, address = browse("admin"), f"/operations/instances/{one.key}/variable"
    form = {"name": "amount", "kind": kind, "value": value, "reason": "typo"}
    page = text(client.post(address, data={**form, "step": "check"}))
    assert "Look before you save" in page and "<pre tabindex=\"0\">7</pre>" in page
    assert engine.instance(one.key).variables["amount"] == 7
    seen = page.split('name="seen" value="')[1].split('"')[0]
    assert client.post(address, data={**form, "step": "save", "seen": seen}).status_code == 302
    assert engine.instance(one.key).variables["amount"] == stored
    assert audited(engine, "instance.variables")[0].details["old"] == {"amount": 7}


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("number", "zwölf", "is no number"), ("number", "1e9999", "too large"), ("number", "９", "is no number"), ("boolean", "maybe", "Choose yes or no"),
        ("list", "[1,", "this is no JSON"), ("list", "{}", "no value of the chosen type"), ("context", "[]", "no value of the chosen type"),
        ("context", '{"a": NaN}', "no JSON that can be stored"), ("list", "[" * 100_000, "no JSON that can be stored"), ("wrong", "1", "Choose the type"),
        ("list", '["\\u0000"]', "NUL"), ("list", "[1e999999]", "too large"),
    ],
)  # fmt: skip
def test_a_value_that_makes_no_sense_is_refused_and_stays_in_the_field(browse, engine, orders, kind, value, why):
    one = orders.start(amount=7)
    address = f"/operations/instances/{one.key}/variable"
    first = browse("admin").get(f"{address}?name=amount").get_data(as_text=True)
    assert ">7</textarea>" in first
    seen = _mark(engine, one.key)
    answer = browse("admin").post(address, data={"name": "amount", "kind": kind, "value": value, "step": "save", "seen": seen})
    assert answer.status_code == 422
    assert why in text(answer)
    if len(value) < 50 and value.isprintable():
        from markupsafe import escape

        assert f">{escape(value)}</textarea>" in answer.get_data(as_text=True)
    assert engine.instance(one.key).variables["amount"] == 7


def _mark(engine, key: int) -> str:
    from web.operations.values import digest

    return digest(engine.instance(key).variables["amount"])


def test_a_value_that_was_changed_meanwhile_is_shown_and_nothing_is_overwritten(browse, engine, orders):
    one = orders.start(amount=7)
    address = f"/operations/instances/{one.key}/variable"
    seen = _mark(engine, one.key)
    engine.set_variables(one.key, {"amount": 8})
    answer = browse("admin").post(address, data={"name": "amount", "kind": "number", "value": "9", "step": "save", "seen": seen})
    assert answer.status_code == 409
    assert "Meanwhile the value was changed" in text(answer) and '<pre tabindex="0">8</pre>' in text(answer)
    assert engine.instance(one.key).variables["amount"] == 8


def test_a_variable_of_a_scope_is_added_and_one_of_a_scope_that_is_gone_is_not(browse, engine, orders):
    one = orders.start(amount=500)
    engine.move(one.key, cancel=["ask"], start=["pack"])
    scope = engine.tokens(one.key)[0].id
    client, address = browse("admin"), f"/operations/instances/{one.key}/variable"
    form = {"name": "boxes", "new": "1", "scope": str(scope), "kind": "number", "value": "3"}
    page = text(client.post(address, data=form))
    seen = page.split('name="seen" value="')[1].split('"')[0]
    client.post(address, data={**form, "step": "save", "seen": seen})
    assert engine.tokens(one.key)[0].variables == {"boxes": 3}
    assert "boxes" not in engine.instance(one.key).variables
    assert "has moved on" in text(client.post(address, data={**form, "scope": "999"}, follow_redirects=True))


def test_a_case_whose_page_one_may_not_open_is_not_linked(browse, open_case):
    case = open_case()
    assert f'href="/case/{case.key}"' not in text(browse("admin").get(f"/operations/instances/{case.key}"))
    assert f'href="/case/{case.key}"' in text(browse("du").get(f"/operations/instances/{case.key}"))


def test_the_drawing_is_the_file_that_was_deployed(browse, engine, orders):
    answer = browse("du").get(f"/operations/definitions/{engine.definition('process', 'order').key}/drawing")
    assert answer.mimetype == "application/xml" and b'id="order"' in answer.data


def test_a_long_history_is_shown_in_pages(browse, engine, orders, monkeypatch):
    from web.operations import instance_queries

    monkeypatch.setattr(instance_queries, "HISTORY_PAGE", 1)
    one = orders.start()
    client = browse("admin")
    first = text(client.get(f"/operations/instances/{one.key}"))
    assert f"/operations/instances/{one.key}?page=2#history" in first
    with engine.reading() as conn:
        passages = conn.execute(select(func.count()).select_from(tables.activity).where(tables.activity.c.instance_key == one.key)).scalar_one()
    assert f"page={passages + 1}" not in text(client.get(f"/operations/instances/{one.key}?page={passages}"))


def test_a_message_that_quotes_a_confidential_value_is_shown_without_it(browse, engine, open_case):
    case = open_case(secret=True, applicant_name="李四保密")
    with engine.transaction() as tx:
        tx.add(
            tables.incident, key=5, instance_key=case.key, root_key=case.key, element_id="handle", token=None, job_key=None, type="EXPRESSION_ERROR",
            message="seen: applicant_name = 李四保密", created_at=engine.clock(), resolved_at=None, resolved_by=None,
            details={"stack": [], "seen": {"applicant_name": "李四保密", "county": "川汇区"}, "cause": "李四保密 is no number", "expression": "x"},
        )  # fmt: skip
    client = browse("admin")
    for page in (f"/operations/instances/{case.key}", "/operations/incidents", "/operations/incidents/5"):
        shown = text(client.get(page))
        assert "applicant_name" in shown and "李四保密" not in shown, page
    shown = text(browse("li").get(f"/case/{case.key}"))
    assert "held up by a technical problem" in shown and "seen: applicant_name" not in shown and "/operations/incidents/5" not in shown
    assert "/operations/incidents/5" in text(browse("du").get(f"/case/{case.key}"))
    again = text(client.post("/operations/incidents/5/retry", follow_redirects=True))
    assert "Incident tried again" in again and "李四保密" not in again


def test_a_stored_sentence_is_told_in_the_language_of_the_reader(app):
    from web.spoken import spoken

    with app.test_request_context(headers={"Accept-Language": "zh"}):
        assert spoken("nobody has ever written this sentence") == "nobody has ever written this sentence"
        assert spoken(None) == ""
        sentence = "There is no process instance 17."
        assert "17" in spoken(sentence) and spoken(sentence) != sentence
    with app.test_request_context(headers={"Accept-Language": "en"}):
        assert spoken("There is no process instance 17.") == "There is no process instance 17."


def test_an_instance_with_a_thousand_tokens_is_still_a_page(browse, engine):
    many = process("many", "start -> item -> end", item=each(user(assignee="li"), "=numbers", "number"))
    engine.deploy({"many.bpmn": bpmn(many)}, by="designer")
    one = engine.start("many", {"numbers": list(range(1000))})
    client = browse("admin")
    with statements(engine) as sent:
        page = text(client.get(f"/operations/instances/{one.key}"))
    assert "1001 in all; the first 199 are listed." in page and len(page) < 600_000
    assert len(selects(sent)) <= 24
    about = json.loads(page.split('id="instance-drawing">')[1].split("</script>")[0])
    assert about["tokens"]["item"] == 1001


def test_recorded_changes_of_variables_are_shown_the_latest_first(browse, engine):
    noting = process("noting", "start -> a -> end", a=user(assignee="li"))
    full = tag("bpmn:extensionElements", {}, tag("zeebe:properties", {}, tag("zeebe:property", {"name": "history", "value": "full"})))
    noting.xml = re.sub(r"(<bpmn:process [^>]*>)", lambda found: found[1] + full, noting.xml, count=1)
    engine.deploy({"noting.bpmn": bpmn(noting)}, by="designer")
    one = engine.start("noting", {"amount": 1})
    for value in (2, 3):
        engine.set_variables(one.key, {"amount": value}, by="admin")
    page = text(browse("du").get(f"/operations/instances/{one.key}"))
    told = page.split("What the variables became")[-1]
    assert told.index(">3<") < told.index(">2<") < told.index("given at the start")
