"""The threads of a node that play runs of scenarios: at most so many at a time, visible while they do, taken over when a node dies.

A run is claimed by a row: the node and the number of the attempt.  Whoever finds another claim in the row has lost it and stops, so
a run that was taken over, or cancelled, ends with the scenario that is being played.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.exc import InterfaceError, OperationalError

from engine.runtime.design import drafts, following, plans, runs
from engine.runtime.design.runs import BROKEN, DONE, OPEN, QUEUED, RUNNING, Outcome, ScenarioRun
from engine.runtime.design.scenarios import ScenarioResult
from engine.runtime.telling.notices import Notices
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
"""After so long without a sign of life a node counts as dead: far longer than one scenario may take."""
ATTEMPTS = 3
"""How often a run is begun before it counts as broken: it may be what kills the nodes."""
ROUNDS = 3
"""How often a run is played when the office changes under it."""
STOP_SECONDS = 30.0
"""How long a node that stops waits for the scenario being played; then the others take the run over."""
_RUN = tables.design_run


class _Lost(Exception):
    """The run was cancelled, or another node has it."""


class _Stopping(Exception):
    """This node is asked to stop."""


class Runner:
    """The runs of one node; safe from many threads."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.mark = f"{desk.engine.node[:40]}:{uuid4().hex[:12]}"
        """The name under which this process claims runs: processes of one machine may share the name of their node."""
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._playing: set[int] = set()
        self._again = False
        self._stopping = False

    def wake(self) -> None:
        """There may be something to play."""
        with self._lock:
            self._again = True
            if self._stopping or len(self._threads) >= self._desk.settings.design_runs_at_once:
                return
            thread = threading.Thread(target=self._work, name="scenarios", daemon=True)
            self._threads.add(thread)
            thread.start()

    def tend(self) -> None:
        """Take over what dead nodes have left, and play what waits; called with all due work, costs one query when there is nothing."""
        desk = self._desk
        with desk.engine.reading() as conn:
            chosen = select(_RUN.c.key, _RUN.c.state, _RUN.c.node, _RUN.c.seen_at, _RUN.c.attempts).where(_RUN.c.state.in_(OPEN))
            rows = conn.execute(chosen).all()
        for row in rows:
            if row.state == RUNNING and self._is_dead(row):
                self._take_over(row)
        if rows:
            self.wake()

    def finish(self, seconds: float) -> bool:
        """Wait until this node plays nothing; ``False`` when it still does after so long."""
        until = time.monotonic() + seconds
        while True:
            with self._lock:
                thread = next(iter(self._threads), None)
            if thread is None:
                return True
            if (left := until - time.monotonic()) <= 0:
                return False
            thread.join(left)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Give back what is being played, and play nothing more."""
        with self._lock:
            self._stopping = True
        self.finish(seconds)

    # --- dead nodes -------------------------------------------------------------------------------------------------------

    def _is_dead(self, row: Any) -> bool:
        if row.node == self.mark:
            # Claimed by us and dropped, because the database was away.
            with self._lock:
                return row.key not in self._playing
        return row.seen_at is None or row.seen_at < self._desk.engine.clock() - LEASE

    def _take_over(self, row: Any) -> None:
        over = row.attempts >= ATTEMPTS
        with self._desk.engine.transaction() as tx:
            same = (_RUN.c.key == row.key, _RUN.c.state == RUNNING, _RUN.c.node == row.node, _RUN.c.attempts == row.attempts)
            values = {"state": BROKEN, "open_draft": None, "ended_at": tx.now} if over else {"state": QUEUED}
            if tx.execute(update(_RUN).where(*same).values(**values)).rowcount != 1:
                return
        log.warning("the run %s of node %s %s", row.key, row.node, "is given up" if over else "is taken over")
        if over:
            with self._desk.engine.reading() as conn:
                run = runs.get(self._desk, conn, row.key, self._desk.OPERATOR)
            self._broken(run)

    def _broken(self, run: ScenarioRun) -> None:
        following.give_up(self._desk, run)
        if run.act in following.REFUSED:
            why = T("The scenarios could not be played to their end. Look at the log of the server, then submit it again.")
            self._tell(run, Outcome(None, why, {}))

    def _tell(self, run: ScenarioRun, outcome: Outcome) -> None:
        """The person who asked hears of what could not be done: they may have left the page long ago."""
        words = following.REFUSED.get(run.act)
        if words is None or outcome.ok:
            return
        said: Words = T(words.msgid, title=following.title_of(self._desk, run), reason=outcome.message)
        with self._desk.engine.transaction() as tx:
            notices = Notices(tx.now, None)
            notices.tell([run.asked_by], "design", said, case_key=None)
            notices.post(self._desk, tx)

    # --- playing ----------------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while True:
                with self._lock:
                    self._again = False
                run = None if self._stopping else self._claim()
                if run is not None:
                    self._play(run)
                    continue
                with self._lock:
                    # What was asked for between the look and this line must not be left lying.
                    if not self._again or self._stopping:
                        self._threads.discard(threading.current_thread())
                        return
        except Exception:
            # The database is away, most likely: the next round of due work begins anew.
            log.exception("scenarios could not be played")
        with self._lock:
            self._threads.discard(threading.current_thread())

    def _claim(self) -> ScenarioRun | None:
        """Take the run that has waited longest."""
        desk = self._desk
        with desk.engine.reading() as conn:
            waiting = conn.execute(select(_RUN.c.key).where(_RUN.c.state == QUEUED).order_by(_RUN.c.key)).scalars().all()
        for key in waiting:
            found = None
            with self._lock:
                self._playing.add(key)  # before the claim: a row with our name that we do not play is one of a dead node
            try:
                with desk.engine.transaction() as tx:
                    taken = {"state": RUNNING, "node": self.mark, "seen_at": tx.now, "attempts": _RUN.c.attempts + 1}
                    mine = tx.execute(update(_RUN).where(_RUN.c.key == key, _RUN.c.state == QUEUED).values(**taken)).rowcount == 1
                if mine:
                    with desk.engine.reading() as conn:
                        found = runs.get(desk, conn, key, desk.OPERATOR)
                    return found
            finally:
                if found is None:
                    with self._lock:
                        self._playing.discard(key)
        return None

    def _play(self, run: ScenarioRun) -> None:
        try:
            content_sum, results = self._results(run)
            self._write(run, results, {"present": "", "seen_at": self._desk.engine.clock()})
            with self._desk.engine.reading() as conn:
                run = runs.get(self._desk, conn, run.key, self._desk.OPERATOR)  # somebody may have asked for more meanwhile
            outcome = following.carry_out(self._desk, run, following.from_run(content_sum, results))
            self._end(run, {"state": DONE, "content_sum": content_sum, "outcome": outcome.packed() if outcome else None})
            if outcome is not None:
                self._tell(run, outcome)
        except _Lost:
            log.info("the run %s was cancelled, or another node has it", run.key)
        except _Stopping:
            self._give_back(run)
        except (InterfaceError, OperationalError):
            raise  # the row keeps our name; whoever finds it silent takes it over
        except Exception:
            # A mistake of ours, which another node would make again.
            log.exception("the run %s broke off", run.key)
            self._end(run, {"state": BROKEN})
            self._broken(run)
        finally:
            with self._lock:
                self._playing.discard(run.key)

    def _results(self, run: ScenarioRun) -> tuple[str | None, list[ScenarioResult]]:
        """The results, and the sum of what they depend on; ``None`` when that would not keep still."""
        # Imported here: a sandbox is an engine of its own, and engines import this module.
        from engine.runtime.design import scenarios

        desk = self._desk
        results: list[ScenarioResult] = []
        for _ in range(ROUNDS):
            with desk.engine.reading() as conn:
                files = plans.plan(desk, conn, drafts.get(desk, conn, run.draft_key, desk.OPERATOR)).merged
                before = runs.current_sum(desk, conn, files)
            results = scenarios.run_all(desk, files, told=lambda title, so_far: self._alive(run, title, so_far))
            with desk.engine.reading() as conn:
                if runs.current_sum(desk, conn, files) == before:
                    return before, results
        return None, results

    def _alive(self, run: ScenarioRun, title: str, so_far: list[ScenarioResult]) -> None:
        if self._stopping:
            raise _Stopping
        self._write(run, so_far, {"present": title[:300], "seen_at": self._desk.engine.clock()})

    def _write(self, run: ScenarioRun, so_far: list[ScenarioResult], values: dict[str, Any]) -> None:
        counts = {"done": len(so_far), "failed": sum(not each.ok for each in so_far), "results": [runs.kept_result(each) for each in so_far]}
        with self._desk.engine.transaction() as tx:
            if tx.execute(update(_RUN).where(*self._mine(run)).values(**values, **counts)).rowcount != 1:
                raise _Lost

    def _mine(self, run: ScenarioRun) -> tuple[Any, ...]:
        return _RUN.c.key == run.key, _RUN.c.state == RUNNING, _RUN.c.node == self.mark, _RUN.c.attempts == run.attempts

    def _end(self, run: ScenarioRun, values: dict[str, Any]) -> None:
        with self._desk.engine.transaction() as tx:
            tx.execute(update(_RUN).where(*self._mine(run)).values(**values, open_draft=None, ended_at=tx.now, present=""))

    def _give_back(self, run: ScenarioRun) -> None:
        """Somebody else may begin it; that this node stops counts as no attempt."""
        with self._desk.engine.transaction() as tx:
            tx.execute(update(_RUN).where(*self._mine(run)).values(state=QUEUED, node=None, attempts=run.attempts - 1))
