"""The pictures of the README and of docs/deadlines.md, taken from the running desk at 1366×768.

``make screenshots`` starts a server of its own in a temporary folder, lets a few complaints grow old with the demo clock, does at the pages
what the guides tell of (a pause, a change of a rule, a holiday notice, a card, a bulletin), and writes ``docs/images/*.png``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Locator, Page, expect, sync_playwright  # noqa: E402

from engine.deadlines.calendar import IN_LIEU, WORKDAY, provisional_year  # noqa: E402
from engine.deadlines.notices_written import render_notice  # noqa: E402
from tests.support.browser import Desk  # noqa: E402
from tests.support.by_requests import RequestsPlayer  # noqa: E402
from tests.support.player import SCENARIOS, read  # noqa: E402
from tests.support.server import RunningServer  # noqa: E402

IMAGES = ROOT / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FROM_DAY = (12, 7)
"""Not before this day of the year: then some limits run into the next year, whose calendar is still an estimate."""

BY_NAME = {path.stem: path for path in SCENARIOS}

UNITS = ("市科技局窗口", "川汇区科技局", "项城市科技局", "淮阳区科技局", "扶沟县科技局")
HANDLED, CLOSED = "handled", "closed"
CHANGED_RULE = "gk.reply"
"""The rule whose change the guide shows."""
PAUSED_WORKDAYS = 3

PLAN: tuple[tuple[int, str, str, dict[str, Any]], ...] = (
    (0, "complaint_c", "handle", {"respondent_unit": UNITS[0]}),
    (0, "complaint_c", "issue_reply", {"respondent_unit": UNITS[1], "category": "abuse"}),
    (0, "complaint_c", CLOSED, {"respondent_unit": UNITS[2]}),
    (0, "hnte_approved", "form_check", {"enterprise_name": "周口天元智能装备有限公司", "county_code": "chuanhui"}),
    (2, "hnte_approved", "city_onsite", {"enterprise_name": "项城康源生物科技有限公司"}),
    (3, "complaint_c", "sign_in", {"respondent_unit": UNITS[3], "category": "abuse", "urgency": "urgent"}),
    (4, "complaint_c", HANDLED, {"respondent_unit": UNITS[0], "category": "delay", "county": "chuanhui"}),
    (6, "hnte_approved", "form_check", {"enterprise_name": "河南沃土农业装备有限公司"}),
    (7, "complaint_c", "handle", {"respondent_unit": UNITS[4], "category": "delay"}),
    (8, "complaint_c", "handle", {"respondent_unit": UNITS[3], "category": "abuse"}),
)
"""What is filed on which working day, how far it gets, and how it differs from the scenario; the pictures are taken on the last day."""


def grow(server: RunningServer) -> dict[int, RequestsPlayer]:
    """Fill the desk as planned; returns the players by their place in the plan.  The caller disposes of their engines."""
    clock = RequestsPlayer(server, read(BY_NAME["complaint_c"]))
    first = date(clock.local_now.year, *FROM_DAY)
    if clock.local_now.date() < first:
        clock.move_clock(day=first.isoformat())
    clock.calm_morning()
    players: dict[int, RequestsPlayer] = {}
    today = 0
    for place, (day, name, until, changes) in enumerate(PLAN):
        for _ in range(day - today):
            clock.move_clock(step="workday")
        today = day
        scenario = read(BY_NAME[name])
        scenario["start"].update(changes)
        player = AnyDay(server, scenario)
        if until == CLOSED:
            player.play()
        else:
            player.play_until("handle" if until == HANDLED else until)
        players[place] = player
    clock.engine.dispose()
    return players


class AnyDay(RequestsPlayer):
    """A player whose case begins on the day that the desk shows, whatever day of the week it is."""

    def calm_morning(self) -> None:
        return None


def take(page: Page, name: str, top: Locator | None = None) -> None:
    """A picture of what the window shows; ``top`` is scrolled to its upper edge before."""
    if top is not None:
        top.evaluate("node => window.scrollTo(0, node.getBoundingClientRect().top + window.scrollY - 70)")
    page.mouse.move(0, 767)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


def photograph(desk: Desk, handled: RequestsPlayer) -> None:
    """The pictures of the README."""
    person = desk.person("liqiang")
    take(person.go("/inbox"), "inbox")
    person.open_task(handled.case_no, handled.open_tasks("handle")[0].key)
    take(person.page, "task")
    board = desk.person("duqiang")
    take(board.go("/supervision"), "board")
    case = board.go(f"/case/{handled.case_key}")
    case.get_by_role("tab", name="流转").click()
    expect(case.locator("[data-drawn=yes]").first).to_be_visible()
    take(case, "case")


def answer_question(page: Page) -> None:
    page.locator('dialog[open] button[value="yes"]').click()


def rules(desk: Desk, today: date) -> None:
    """The rule table, a rule changed from a day on, and what the change does."""
    page = desk.person("admin").go(f"/limits/rules/{CHANGED_RULE}/edit")
    page.locator("#f-limit").fill("15")
    page.locator("#f-effective_from").fill(date(today.year + 1, 3, 1).isoformat())
    page.locator("#f-reason").fill("局长办公会议定，压缩答复时限")
    page.get_by_role("button", name="新旧对比").click()
    take(page, "limits-compare", page.locator("#f-source"))
    page.get_by_role("button", name="保存").click()
    expect(page.locator("main .alert-success")).to_be_visible()
    page.goto(f"{desk.url}/limits")
    take(page, "limits-rules")


def pausing(desk: Desk, paused: RequestsPlayer) -> None:
    """The chief pauses the limits of a case by decision."""
    page = desk.person("guotao").go(f"/case/{paused.case_key}/clocks/pause")
    page.locator("input[name=kind][value=consultation]").check()
    page.locator("[name=reason]").fill("征求市场监督管理局意见")
    page.locator("[name=document]").fill("周科函〔2026〕36号")
    take(page, "limits-pause")
    page.get_by_role("button", name="暂停", exact=True).click()
    expect(page.locator("#clocks")).to_be_visible()


def paused_days_later(desk: Desk, paused: RequestsPlayer) -> None:
    """The bar and the ledger of a limit that has stood still for some days."""
    for _ in range(PAUSED_WORKDAYS):
        paused.move_clock(step="workday")
    page = desk.person("guotao").go(f"/case/{paused.case_key}")
    page.get_by_role("tab", name="时限").click()
    take(page, "limits-clock", page.locator("#clocks"))


def ladders(desk: Desk, late: RequestsPlayer) -> None:
    """The ladder as it would act on a case, and the ledger of what it has done."""
    page = desk.person("admin").go(f"/limits/ladders/standard?case={late.case_no}")
    take(page, "limits-ladder")
    ledger = desk.person("duqiang").go(f"/supervision/{late.case_key}")
    take(ledger, "limits-ledger", ledger.locator("section.panel", has=ledger.locator("td", has_text="已触发")).first)


def holiday_notice(number: int) -> str:
    """A notice as the State Council writes one: the statutory days, and the first working day of the year off in lieu."""
    year = provisional_year(number)
    kinds, names = list(year.kinds), list(year.names)
    bridge = kinds.index(WORKDAY)
    kinds[bridge], names[bridge] = IN_LIEU, "元旦"
    return render_notice(replace(year, kinds=tuple(kinds), names=tuple(names))).replace("\n", f"\n国办发明电〔{number - 1}〕9号\n", 1)


def calendar(desk: Desk, today: date) -> None:
    """Next year's holiday notice: preview, approval by the second administrator, and what became of the limits."""
    take(desk.person("admin").go(f"/admin/calendar?year={today.year}"), "calendar-year")
    page = desk.person("admin").go("/admin/calendar/import")
    page.locator("#f-text").fill(holiday_notice(today.year + 1))
    page.get_by_role("button", name="预览").click()
    take(page, "calendar-preview", page.locator("#f-notice"))
    if (seen := page.locator("input[name=seen]")).count():
        seen.check()
    page.get_by_role("button", name="提交批准").click()
    expect(page.locator("h1")).to_contain_text("国办发明电")
    other = desk.person("admin2").go(page.url.removeprefix(desk.url))
    other.get_by_role("button", name="批准").click()
    answer_question(other)
    expect(other.locator("#progress .light").first).to_have_text("已结束", timeout=30_000)
    take(other, "calendar-recalculation")


def supervision(desk: Desk, late: RequestsPlayer) -> None:
    """A card with its appeal, a bulletin, and the figures."""
    page = desk.person("duqiang").go("/cards")
    page.locator("tr", has_text=late.case_no).get_by_role("link").first.click()
    address = page.url.removeprefix(desk.url)
    handler = desk.person("liqiang").go(address)
    handler.locator("#text-appeal").fill("当日省平台停机，附停机通知。")
    handler.get_by_role("button", name="申诉").click()
    take(desk.person("duqiang").go(address), "card")
    page = desk.person("duqiang").go(f"/supervision/act?act=bulletin&case={late.case_key}")
    page.locator("#text").fill("调查处理超期，未说明理由")
    page.get_by_role("button", name="拟通报").click()
    expect(page.locator("main .alert-success")).to_be_visible()
    page = desk.person("duqiang").go("/bulletins")
    page.locator("tbody tr").first.get_by_role("link").first.click()
    expect(page.locator("#text-change")).to_be_visible()
    take(page, "bulletin")
    page.goto(f"{desk.url}/supervision/figures")
    take(page, "figures", page.locator("table").first)


def guide(desk: Desk, players: Mapping[int, RequestsPlayer]) -> None:
    """The pictures of docs/deadlines.md."""
    late, paused = players[0], players[1]
    today = late.local_now.date()
    rules(desk, today)
    pausing(desk, paused)
    ladders(desk, late)
    supervision(desk, late)
    paused_days_later(desk, paused)
    calendar(desk, today)


def main() -> int:
    """Take the pictures; 1 when this machine has no browser."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="banjie-pictures-") as folder, sync_playwright() as driver:
        path = next(filter(None, map(shutil.which, BROWSERS)), driver.chromium.executable_path)
        if not Path(path).exists():
            print("There is no Chromium on this machine.", file=sys.stderr)
            return 1
        server = RunningServer(Path(folder)).start(prepare=True)
        try:
            players = grow(server)
            browser = driver.chromium.launch(
                executable_path=path, args=["--no-sandbox", "--disable-gpu", "--lang=zh-CN"], env={**os.environ, "LANGUAGE": "zh_CN"}
            )
            desk = Desk(browser, server)
            photograph(desk, next(players[place] for place, each in enumerate(PLAN) if each[2] == HANDLED))
            guide(desk, players)
            desk.close()
            browser.close()
            for player in players.values():
                player.engine.dispose()
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
