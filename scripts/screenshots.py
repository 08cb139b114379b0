"""The pictures of the README, taken from the running desk: inbox, task, case and supervisor's board at 1366×768.

``make screenshots`` starts a server of its own in a temporary folder, lets a few complaints grow old with the demo clock, and writes
``docs/images/*.png``.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, expect, sync_playwright  # noqa: E402

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


def grow(server: RunningServer) -> RequestsPlayer:
    """Fill the desk as planned; returns the player of the case whose pictures are taken."""
    clock = RequestsPlayer(server, read(BY_NAME["complaint_c"]))
    first = date(clock.local_now.year, *FROM_DAY)
    if clock.local_now.date() < first:
        clock.move_clock(day=first.isoformat())
    clock.calm_morning()
    handled = clock
    today = 0
    for day, name, until, changes in PLAN:
        for _ in range(day - today):
            clock.move_clock(step="workday")
        today = day
        scenario = read(BY_NAME[name])
        scenario["start"]["data"].update(changes)
        player = AnyDay(server, scenario)
        if until == CLOSED:
            player.play()
        else:
            player.play_until("handle" if until == HANDLED else until)
        if until == HANDLED:
            handled = player
        else:
            player.engine.dispose()
    clock.engine.dispose()
    return handled


class AnyDay(RequestsPlayer):
    """A player whose case begins on the day that the desk shows, whatever day of the week it is."""

    def calm_morning(self) -> None:
        return None


def take(page: Page, name: str) -> None:
    page.mouse.move(0, 767)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


def photograph(desk: Desk, handled: RequestsPlayer) -> None:
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
            handled = grow(server)
            browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            desk = Desk(browser, server)
            photograph(desk, handled)
            desk.close()
            browser.close()
            handled.engine.dispose()
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
