"""From an empty canvas to a procedure in use, run to its end by two accounts, then changed, compared, approved and migrated.

The steps are those of the designers' guide (``tests/support/designing.py``, ``docs/designer-guide.md``): whoever follows the guide does
what is proved here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from engine import Engine
from engine.runtime.design import publishing
from engine.store import tables
from tests.bench.editor import loaded
from tests.support.browser import Desk
from tests.support.designing import CHIEF, DESIGNER, PROCESS, RULE, SampleProcedure
from tests.support.server import RunningServer


@pytest.fixture
def engine(server: RunningServer) -> Iterator[Engine]:
    """An engine on the served database, to see what the pages did."""
    opened = Engine(server.database)
    yield opened
    opened.dispose()


def limits(engine: Engine, case: int) -> set[tuple[str, str]]:
    """(rule, ladder) of the limits of a case."""
    clock = tables.clock
    with engine.reading() as conn:
        return {(row.rule_id, row.ladder_id) for row in conn.execute(select(clock.c.rule_id, clock.c.ladder_id).where(clock.c.case_key == case))}


def test_from_an_empty_canvas_to_a_second_version_with_a_migrated_case(desk: Desk, engine: Engine):
    way = SampleProcedure(desk)
    way.begin()
    way.open_editor()
    way.draw()
    way.decide()
    way.ask_for_days()
    way.say_who_and_how_long()
    way.say_when()
    way.try_out()
    way.send("新建请假审批")
    assert engine.catalogue.find("process", PROCESS) is None
    way.approve("approve")
    assert engine.definition("process", PROCESS).version == 1
    with engine.reading() as conn:
        published, *_ = publishing.submissions(conn, process_id=PROCESS)
    assert [(title, passed) for _name, title, passed in published.scenarios] == [("超过三天，局领导审批", True), ("三天以内，科室批准", True)]

    done = way.ask("年休假两天", 2)
    assert limits(engine, done) == {(RULE, "standard")}
    way.agree(CHIEF, "年休假两天")
    assert engine.instance(done).state == "COMPLETED"
    running = way.ask("探亲五天", 5)

    way.change()
    way.send("环节改名，时限改按另一条规则")
    way.approve("approve-change")
    assert engine.definition("process", PROCESS).version == 2
    way.migrate()

    expect(desk.person("admin").page.locator("main")).to_contain_text("完成", timeout=30_000)
    assert engine.instance(running).version == 2
    way.agree(CHIEF, "探亲五天")
    assert [task.name for task in engine.user_tasks(running)] == ["局领导审批"]
    assert desk.person(DESIGNER).page.evaluate("[...(window.__missingTranslations ?? [])]") == []


def test_the_inbox_loads_none_of_the_editors_code(desk: Desk):
    """By the network: what the page fetches; by the manifest: what the editor is made of, and no page with a list is."""
    page = desk.person(CHIEF).page
    fetched: set[str] = set()
    page.on("request", lambda request: fetched.add(request.url.rpartition("/")[2]))
    desk.person(CHIEF).go("/inbox")
    page.wait_for_load_state("networkidle")

    common = {file.name for file in loaded("app.js")}
    only_editor = {file.name for entry in ("designer.js", "designer_try.js") for file in loaded(entry, later=True)} - common

    assert len(only_editor) > 3
    assert fetched & only_editor == set()
    assert not [name for name in fetched if name.startswith(("designer", "differ", "diagram", "task"))]
