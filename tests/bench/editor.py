"""What the designer's editor weighs and how long it takes until it can be worked with, beside the inbox, which must stay light.

The size of an entry is that of its own file and of everything it imports at once, as sent (gzip) and as unpacked; what is fetched only
when it is needed (the layout of files without a drawing, the editors of forms and decisions) is listed as "later".  The time is that of
a browser on this machine, from the address to ``[data-ready]``, with an empty and with a full cache.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from engine import Engine
from engine.runtime.design import drafts
from tests.bench.measuring import row
from tests.support.browser import Desk
from tests.support.server import RunningServer

STATIC = Path(__file__).resolve().parents[2] / "web" / "static"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESIGNER = "yaojing"
REPETITIONS = 5
AT_ONCE = re.compile(r"""(?:\bfrom|\bimport)\s*["'](\./[\w.-]+\.js)["']""")
LATER = re.compile(r"""\bimport\(\s*["'](\./[\w.-]+\.js)["']""")


def manifest() -> dict[str, str]:
    """Entry → its built file, below the folder ``static``."""
    return json.loads((STATIC / "build" / "manifest.json").read_text("utf-8"))


def loaded(entry: str, later: bool = False) -> set[Path]:
    """The built files a page with this entry loads; with ``later``, also what it may fetch afterwards."""
    found: set[Path] = set()
    waiting = [STATIC / manifest()[entry]]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        if file.suffix == ".js":
            text = file.read_text("utf-8")
            names = AT_ONCE.findall(text) + (LATER.findall(text) if later else [])
            waiting += [file.parent / name for name in names]
    return found


def weight(files: set[Path]) -> tuple[int, int]:
    """Bytes as sent (gzip) and unpacked."""
    contents = [file.read_bytes() for file in files]
    return sum(len(gzip.compress(content, 6, mtime=0)) for content in contents), sum(map(len, contents))


def _kilobytes(sizes: tuple[int, int]) -> str:
    return f"{sizes[0] / 1024:,.0f} KB ({sizes[1] / 1024:,.0f})"


@contextmanager
def desk_in(folder: Path) -> Iterator[Desk | None]:
    """A served desk in a browser; ``None`` where the machine has no browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        path = next(filter(None, map(shutil.which, BROWSERS)), driver.chromium.executable_path)
        if not Path(path).exists():
            yield None
            return
        place = folder / "editor"
        place.mkdir()
        server = RunningServer(place).start(prepare=True)
        try:
            browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            desk = Desk(browser, server)
            yield desk
            desk.close()
            browser.close()
        finally:
            server.stop()


def draft_of(desk: Desk, process: str) -> int:
    engine = Engine(desk.server.database)
    try:
        return drafts.branch(engine.desk, process, by=DESIGNER).key
    finally:
        engine.dispose()


def _largest(desk: Desk) -> str:
    """The delivered procedure with the longest drawing."""
    engine = Engine(desk.server.database)
    try:
        found = {each.id: len(engine.catalogue.content(each)[1]) for each in engine.catalogue.latest("process")}
        return max(found, key=lambda id: found[id])
    finally:
        engine.dispose()


def _opened(page: Any, url: str, ready: str) -> float:
    """Milliseconds from the address to the moment the page can be worked with."""
    page.goto(url, wait_until="commit")
    page.wait_for_selector(ready, state="attached")
    return page.evaluate("() => performance.now()")


def run(folder: Path) -> None:
    print("Editor of the designers: what it weighs, and when it can be worked with")
    for entry in sorted(manifest(), key=lambda name: (not name.startswith("designer"), name)):
        if not entry.endswith(".js"):
            continue
        now, all_of_it = loaded(entry), loaded(entry, later=True)
        row(f"{entry}, sent (unpacked)", _kilobytes(weight(now)), f"later {_kilobytes(weight(all_of_it - now))}" if all_of_it - now else "")
    for entry in sorted(manifest()):
        if entry.endswith(".css"):
            row(f"{entry}, sent (unpacked)", _kilobytes(weight(loaded(entry))))
    with desk_in(folder) as desk:
        if desk is None:
            row("time to interactive", "no browser here")
            return
        process = _largest(desk)
        places = {
            "inbox": ("/inbox", "html[data-ready]"),
            f"editor with “{process}”": (f"/designer/drafts/{draft_of(desk, process)}/edit", "#designer[data-ready]"),
        }
        page = desk.person(DESIGNER).page
        network = page.context.new_cdp_session(page)
        for name, (path, ready) in places.items():
            cold, warm = [], []
            for _ in range(REPETITIONS):
                network.send("Network.clearBrowserCache")
                cold.append(_opened(page, desk.url + path, ready))
                warm.append(_opened(page, desk.url + path, ready))
            row(f"{name}: until it can be worked with, first visit", f"{median(cold):,.0f} ms")
            row(f"{name}: until it can be worked with, again", f"{median(warm):,.0f} ms")
