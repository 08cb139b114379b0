"""The board changes under the eyes of whoever looks at it: no reload, no timer, nothing lost of what they were doing."""

from __future__ import annotations

import http.client
import re
import time
from datetime import datetime
from pathlib import Path

from playwright.sync_api import Page, expect
from sqlalchemy import select

from engine.store import tables
from tests.support.browser import Desk
from tests.support.by_requests import Visitor
from tests.support.server import RunningServer

STREAM = "/supervision/changes"
LIVE, POLLING = "实时更新", "每 30 秒刷新"


def turns_yellow(engine, case_key: int) -> datetime:
    clock = tables.clock.c
    with engine.reading() as conn:
        running = select(clock.yellow_at).where(clock.case_key == case_key, clock.state == "RUNNING").order_by(clock.overdue_at)
        return conn.execute(running).scalars().first()


def is_on(page: Page, place: str) -> bool:
    return page.evaluate("place => document.activeElement?.closest(place) !== null", place)


def test_a_light_turns_without_reload_and_takes_nothing_from_whoever_works_on_the_board(by_requests, in_browser, desk: Desk, onlooker):
    filed, player = by_requests("complaint_c"), in_browser("complaint_c")
    filed.play_until("handle")
    player.take_over(filed)
    key = filed.case_key
    board = desk.person("duqiang").go("/supervision?sort=-case_no")
    row = board.locator(f"#case-{key}")
    light, step = row.locator(".light").first, row.locator("td[data-label='环节']")
    expect(board.locator("[data-live-state]")).to_have_text(LIVE)
    board.evaluate("() => { window.sameDocument = true; }")
    row.locator("[data-select]").check()
    board.locator("#lights-by > summary").click()
    row.get_by_role("button", name="催办").focus()

    player.until(turns_yellow(onlooker, key))

    expect(light).to_have_text("临期")
    expect(board.locator("#announcements")).to_contain_text(f"{filed.case_no} 现为：临期")

    handle = next(each for each in player.scenario.steps if each.get("element") == "handle")
    before = step.inner_text()
    player.step(handle)

    expect(step).not_to_have_text(before)
    expect(light).not_to_have_text("临期")
    assert board.evaluate("window.sameDocument") is True
    expect(row.locator("[data-select]")).to_be_checked()
    expect(board.locator(".bulkbar strong")).to_have_text("1")
    expect(board.locator("#lights-by")).to_have_attribute("open", "")
    assert is_on(board, f"#case-{key} button")


def test_a_new_case_appears_on_the_big_screen_and_a_closed_tab_gives_its_place_back(by_requests, desk: Desk):
    screen = desk.person("duqiang").go("/supervision/screen")
    expect(screen.locator("[data-live-state]")).to_have_text(LIVE)
    open_cases = screen.locator(".screen__counts strong").first
    before = int(open_cases.inner_text())
    by_requests("complaint_c").begin()
    expect(open_cases).to_have_text(str(before + 1))


def test_marking_text_is_not_disturbed_and_the_news_comes_afterwards(by_requests, desk: Desk):
    board = desk.person("duqiang").go("/supervision")
    expect(board.locator("[data-live-state]")).to_have_text(LIVE)
    total = board.locator(".light-counts strong").first
    before = int(total.inner_text())
    board.evaluate("() => getSelection().selectAllChildren(document.querySelector('#board .light-counts'))")
    by_requests("complaint_c").begin()
    assert board.evaluate("() => String(getSelection()).length") > 0
    expect(total).to_have_text(str(before))
    board.evaluate("() => getSelection().removeAllRanges()")
    expect(total).to_have_text(str(before + 1))


def test_a_node_without_a_free_stream_refreshes_by_the_timer(tmp_path: Path, browser, _built_assets):
    server = RunningServer(tmp_path, live_streams=0).start(prepare=True)
    own = Desk(browser, server)
    try:
        board = own.person("duqiang").go("/supervision")
        expect(board.locator("[data-live-state]")).to_have_text(POLLING)
    finally:
        own.close()
        server.stop()
    assert not own.troubles


def test_a_page_that_has_lost_its_server_says_so_and_catches_up_when_it_is_back(tmp_path: Path, browser, _built_assets):
    server = RunningServer(tmp_path).start(prepare=True)
    own = Desk(browser, server)
    try:
        board = own.person("duqiang").go("/supervision")
        state = board.locator("[data-live-state]")
        expect(state).to_have_text(LIVE)
        server.stop()
        board.dispatch_event("[data-live-stream]", "awake")
        expect(state).to_have_text(re.compile(r"\d\d:\d\d 起未刷新：连不上服务器"))
        server.start()
        expect(state).to_have_text(LIVE, timeout=20_000)
    finally:
        own.close()
        server.stop()


def test_a_board_that_is_no_longer_somebodys_duty_empties_itself_and_says_so(tmp_path: Path, browser, _built_assets):
    server = RunningServer(tmp_path).start(prepare=True)
    own, engine = Desk(browser, server), server.onlooker()
    try:
        board = own.person("duqiang").go("/supervision")
        expect(board.locator("#board .light-counts").first).to_be_visible()
        people = engine.desk.people
        known = people.directory().people["duqiang"]
        own.expects(403)
        own.forgives("Response Status Error Code 403")
        people.save_person("duqiang", name=known.name, section_code=known.section_code, roles=[], by="admin")
        board.dispatch_event("[data-live-stream]", "awake")
        expect(board.locator("[data-live-state]")).to_contain_text("本页已不在您的职责范围内")
        expect(board.locator("#board")).to_be_empty()
    finally:
        own.close()
        engine.dispose()
        server.stop()
    assert not own.troubles


def line(answer: http.client.HTTPResponse, wanted: bytes) -> None:
    """Read on until the stream has said ``wanted``."""
    while (said := answer.readline()) and wanted not in said:
        continue
    assert wanted in said


def test_streams_leave_the_server_free_for_requests_and_do_not_hold_up_its_stop(tmp_path: Path, by_requests):
    server = RunningServer(tmp_path, threads=1, live_streams=4).start(prepare=True)
    streams = [Visitor(server.url, login).sign_in().listen(STREAM) for login in ("duqiang", "duqiang", "liuwei", "zhangjianguo")]
    chief = Visitor(server.url, "chengang").sign_in()
    for each in streams:
        assert each.headers["X-Accel-Buffering"] == "no"
        line(each, b"event: ready")
    assert chief.listen(STREAM).status == 204, "the node has no place left"

    by_requests("complaint_c", on=server).begin()
    for each in streams:
        line(each, b"event: changed")

    streams[0].close()
    patience = time.monotonic() + 20
    while (again := chief.listen(STREAM)).status != 200:
        assert time.monotonic() < patience, "a browser that has gone gives its place back"

    server.stop()
    assert "still running" not in server.log, "a stream held up the stop"
    again.close()
    assert "Traceback" not in server.log, server.log


RANDOM_PARTS = """
(seed) => {
  let state = seed;
  const random = (below) => { state = (state * 1103515245 + 12345) % 2147483648; return Math.floor(state / 65536) % below; };
  const shuffled = (list) => list.map((each) => [random(1000), each]).sort((a, b) => a[0] - b[0]).map((pair) => pair[1]);
  const leaf = () => ['text', ' ', `<b class="c${random(3)}">x${random(3)}</b>`, `<i title="${random(3)}"></i>`, '<!-- note -->', '<input type="checkbox">'][random(6)];
  const row = (id) => `<li id="r${id}" data-n="${random(3)}">${Array.from({ length: random(4) }, leaf).join('')}</li>`;
  const part = () => {
    const ids = shuffled([1, 2, 3, 4, 5, 6]).slice(0, random(7));
    return Array.from({ length: random(3) }, leaf).join('') + `<ul id="list">${ids.map(row).join([' ', '', leaf()][random(3)])}</ul>` + leaf();
  };
  const wrong = [];
  for (let round = 0; round < 400; round += 1) {
    const old = document.createElement('div'), next = document.createElement('div');
    document.body.replaceChildren(old);
    const [before, after] = [part(), part()];
    old.innerHTML = before;
    next.innerHTML = after;
    const wanted = next.innerHTML;
    const rows = new Map([...old.querySelectorAll('li')].map((each) => [each.id, each]));
    window.morph(old, next);
    const stayed = [...old.querySelectorAll('li')].every((each) => !rows.has(each.id) || rows.get(each.id) === each);
    if (old.innerHTML !== wanted || !stayed) wrong.push({ before, after, got: old.innerHTML, stayed });
  }
  return wrong.slice(0, 3);
}
"""


def test_weaving_gives_exactly_the_new_part_and_keeps_every_row_that_stays(browser):
    source = (Path(__file__).parents[2] / "web" / "assets" / "lib" / "morph.js").read_text(encoding="utf-8")
    page = browser.new_page()
    page.add_script_tag(content=source.replace("export function morph", "window.morph = function morph"))
    for seed in (1, 7, 42):
        assert page.evaluate(RANDOM_PARTS, seed) == []
    page.close()
