"""A real server of the desk as a process of its own: started, killed and started again by tests and by ``scripts/screenshots.py``."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from engine import Engine
from engine.runtime import administration
from web.demo_clock import DemoClock

ROOT = Path(__file__).parents[2]
PASSWORD = "banjie-demo-2026"
PATIENCE_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class RunningServer:
    """``banjie serve`` on its own folder, port and database.

    ``database`` is a SQLAlchemy URL; without one an SQLite file in ``folder``.  ``settings`` are further settings, given as an
    administrator would, through ``BANJIE_…``.
    """

    def __init__(self, folder: Path, database: str = "", **settings: object) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "config.yaml", folder / "config.yaml")
        self.database = database or f"sqlite:///{folder / 'banjie.db'}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        chosen = {"acquirer_interval_seconds": 1, "cache_seconds": 1, "database": self.database, "port": self.port, **settings}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BANJIE_")}
        self._environment = {**inherited, **{f"BANJIE_{name.upper()}": str(value) for name, value in chosen.items()}}
        self._process: subprocess.Popen[str] | None = None
        self._log = folder / "server.log"

    def start(self, prepare: bool = False) -> RunningServer:
        """Start and return when the server has said that it is ready."""
        command = [
            sys.executable,
            "-m",
            "web.cli",
            "--config",
            str(self.folder / "config.yaml"),
            "serve",
            *(["--prepare"] if prepare else []),
        ]
        with self._log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                encoding="utf-8",
                start_new_session=True,
            )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if self.url in line:
                return self
        self.kill()
        raise AssertionError(f"the server did not start:\n{self.log}")

    @property
    def log(self) -> str:
        """What the server wrote on standard error."""
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def kill(self) -> None:
        """``kill -9``: nothing is finished, nothing is said."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to stop, as an administrator would."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def onlooker(self) -> Engine:
        """An engine on the same database that lives in the time the server shows; tests only read through it."""
        clock = DemoClock()
        settings: dict[str, Any] = {"cache_seconds": 0}
        engine = Engine(self.database, clock=clock, settings=settings, node="onlooker")

        def offset() -> int:
            with engine.reading() as conn:
                return administration.clock_offset(conn)

        clock.follow(offset)
        return engine

    @staticmethod
    def hurry(engine: Engine) -> None:
        """Let the onlooker notice at once that the clock was moved."""
        if isinstance(engine.clock, DemoClock):
            engine.clock.refresh()
