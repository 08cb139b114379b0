"""The pictures of the designers' guide, taken while its sample procedure is built from nothing at the pages: 1366×768, Chinese.

Starts a server of its own in a temporary folder and writes ``docs/images/designer-*.png``; with names (``try-week coverage``) only those.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright  # noqa: E402

from tests.support.browser import Desk  # noqa: E402
from tests.support.designing import CHIEF, SampleProcedure  # noqa: E402
from tests.support.server import RunningServer  # noqa: E402

IMAGES = ROOT / "docs" / "images"
GUIDE = (ROOT / "docs" / "designer-guide.md").read_text("utf-8")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


taken: set[str] = set()
WANTED = frozenset(sys.argv[1:])


def take(page: Page, name: str) -> None:
    """The first time that a stage is reached, if the guide shows it."""
    if name in taken or (WANTED and name not in WANTED) or f"designer-{name}.png" not in GUIDE:
        return
    taken.add(name)
    page.screenshot(path=IMAGES / f"designer-{name}.png")
    print(f"docs/images/designer-{name}.png")


def walk(way: SampleProcedure) -> None:
    """The sample of the guide, from the empty canvas to the migrated case."""
    way.begin()
    way.open_editor()
    way.draw()
    way.decide()
    way.ask_for_days()
    way.say_who_and_how_long()
    way.say_when()
    way.try_out()
    way.send("新建请假审批")
    way.approve("approve")
    way.ask("年休假两天", 2)
    way.agree(CHIEF, "年休假两天")
    way.ask("探亲五天", 5)
    way.change()
    way.send("环节改名，时限改按另一条规则")
    way.approve("approve-change")
    way.migrate()


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
            browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            desk = Desk(browser, server)
            walk(SampleProcedure(desk, take))
            desk.close()
            browser.close()
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
