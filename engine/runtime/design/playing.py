"""Plays a scenario on an engine, through the same commands of the desk that people give: the one way to play one.

:class:`Player` knows no sandbox.  Whoever plays elsewhere (a test through a browser, say) overrides the verbs of its last part.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import func, select

from engine.bpmn.variables import plain
from engine.errors import EngineError
from engine.feel import FeelError, compile_expression
from engine.runtime.casework.moments import moment
from engine.runtime.design.scenarios import Scenario
from engine.runtime.limits.clocks import RUNNING, STOPPED, ClockState
from engine.store import tables
from engine.words import T, Words

MAX_DUE = 2_000
"""Instants at which something fell due that one waiting may pass; beyond it a timer is assumed to begin itself anew without end."""
MAX_JOBS = 500
"""Jobs answered after one step; beyond it a service task is assumed to come back without end."""


class StepFailed(EngineError):
    """A step could not be done.  ``number`` counts from 1, 0 is the start; ``field`` is the part of the step that is wrong."""

    def __init__(self, number: int, field: str, message: Words, errors: Mapping[str, list[Words]] | None = None) -> None:
        super().__init__(message)
        self.number, self.field, self.errors = number, field, dict(errors or {})


class Player:
    """Plays ``scenario`` on ``engine``; ``clock`` has the present in ``now`` and is moved forward by waiting.

    After :meth:`begin` the case is ``case_key``.  Every step raises :class:`StepFailed` when it cannot be done; what was done
    before stays.
    """

    def __init__(self, engine: Any, clock: Any, scenario: Scenario) -> None:
        self.engine, self.clock, self.scenario = engine, clock, scenario
        self.case_key = 0
        self.number = 0
        self.by = ""
        """Who did the last step."""
        self.worked_on: Any = None
        """The task that the last step was about, as it stood before."""

    def play(self) -> None:
        """From the start to the last step."""
        self.begin()
        for step in self.scenario.steps:
            self.step(step)

    def begin(self) -> None:
        """Open the case."""
        with self._failing("start"):
            self.by = self._one(self.scenario.by)
            data = self.answers(self.scenario.start)
            self.case_key = self.open_case(self.scenario.process, data, self.by)
            self.answer_jobs()

    def step(self, step: Mapping[str, Any]) -> None:
        """Do the next step."""
        self.number += 1
        with self._failing("element" if "element" in step else "do"):
            self.worked_on, self.by = None, ""
            VERBS[step["do"]](self, step)
            self.answer_jobs()

    @contextmanager
    def _failing(self, field: str) -> Iterator[None]:
        """Turns a refusal inside the block into :class:`StepFailed` of the present step."""
        try:
            yield
        except StepFailed:
            raise
        except EngineError as error:
            place = error.field if isinstance(error, _Wrong) else field
            raise StepFailed(self.number, place, error.message, getattr(error, "errors", None)) from error

    # --- reading -----------------------------------------------------------------------------------------------------------

    def people(self, name: str) -> list[str]:
        """A login, or the members of a group."""
        directory = self.engine.desk.people.directory()
        return [name] if directory.person(name) is not None else list(directory.members(name))

    def _one(self, name: str) -> str:
        found = self.people(name)
        if not found:
            raise _Wrong("by", T("There is nobody called “%(name)s”, and no group of that name with a member.", name=name))
        return found[0]

    def answers(self, data: Mapping[str, Any] | None) -> dict[str, Any]:
        """A form's answers; what begins with ``=`` is FEEL over the case's variables."""
        return {name: self._value(value) for name, value in (data or {}).items()}

    def _value(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("="):
            return self.feel(value[1:])
        if isinstance(value, Mapping):
            return self.answers(value)
        return [self._value(item) for item in value] if isinstance(value, list) else value

    def feel(self, source: str) -> Any:
        """FEEL as the case sees it now: its variables and the desk's functions."""
        variables = self.variables() if self.case_key else {}
        with self.engine.transaction() as tx:
            try:
                functions = self.engine.desk.functions(tx, self.case_key or None)
                return plain(compile_expression(source).evaluate({**functions, **variables}))
            except (FeelError, TypeError) as error:
                raise _Wrong("data", T("“=%(source)s” cannot be computed: %(reason)s", source=source, reason=str(error))) from error

    def variables(self) -> dict[str, Any]:
        """The variables of the case."""
        return self.engine.instance(self.case_key).variables

    def open_tasks(self, element: str | None = None) -> list[Any]:
        """The open tasks of the case (of one element), oldest first."""
        task = tables.user_task
        chosen = select(task).where(task.c.root_key == self.case_key, task.c.state == "CREATED").order_by(task.c.key)
        with self.engine.reading() as conn:
            return [row for row in conn.execute(chosen) if element in (None, row.element_id)]

    def waiting(self) -> list[str]:
        """The elements of the open tasks."""
        return sorted({task.element_id for task in self.open_tasks()})

    def open_jobs(self, element: str | None = None) -> list[Any]:
        """The jobs of the case that wait for a worker."""
        job = tables.job
        chosen = select(job).where(job.c.root_key == self.case_key, job.c.state.in_(("CREATED", "FAILED"))).order_by(job.c.key)
        with self.engine.reading() as conn:
            return [row for row in conn.execute(chosen) if element in (None, row.element_id)]

    def _task(self, step: Mapping[str, Any]) -> tuple[Any, str]:
        """The open task a step means, and who of ``by`` works on it."""
        element, name = step["element"], step["by"]
        tasks = self.open_tasks(element)
        if not tasks:
            names = "、".join(dict.fromkeys(f"{task.name}（{task.element_id}）" for task in self.open_tasks())) or "–"
            raise _Wrong("element", self.not_open(step, names))
        if "nth" in step:
            if step["nth"] > len(tasks):
                raise _Wrong("nth", T("Only %(count)d tasks of “%(element)s” are open.", count=len(tasks), element=element))
            tasks = [tasks[step["nth"] - 1]]
        # Of several, the one that was offered to exactly this group.
        for task in sorted(tasks, key=lambda task: name not in task.candidate_groups):
            for login in self.workers(task, name):
                return task, login
        raise _Wrong("by", T("Nobody of “%(name)s” may work on “%(task)s”.", name=name, task=tasks[0].name))

    def not_open(self, step: Mapping[str, Any], names: str) -> Words:
        """Why no task of a step can be worked on; ``names`` are those that are open."""
        return T("No task of “%(element)s” is open. Open are: %(open)s.", element=step.get("note") or step["element"], open=names)

    def workers(self, task: Any, name: str) -> Iterator[str]:
        """Those of ``name`` who may work on the task; whoever has it already goes first."""
        if name == "assignee":
            found = [task.assignee] if task.assignee else []
        elif name == "candidate":
            found = [*task.candidate_users, *(login for group in task.candidate_groups for login in self.people(group))]
        else:
            found = self.people(name)
        if task.assignee in found:
            found = [task.assignee, *found]
        with self.engine.reading() as conn:
            able = [login for login in dict.fromkeys(found) if self.engine.desk.access.may_work(conn, task, login).allowed]
        yield from able

    # --- waiting -----------------------------------------------------------------------------------------------------------

    def next_due(self, after: datetime) -> datetime | None:
        """The next instant after ``after`` at which a timer or a rung of a ladder falls due."""
        timer, clock = tables.timer.c, tables.clock.c
        with self.engine.reading() as conn:
            found = [
                conn.execute(select(func.min(timer.due_at)).where(timer.due_at > after)).scalar(),
                conn.execute(select(func.min(clock.next_rung_at)).where(clock.state == RUNNING, clock.next_rung_at > after)).scalar(),
            ]
        return min((each for each in found if each is not None), default=None)

    def pass_time(self, until: datetime) -> None:
        """Let the clock go to ``until``, stopping at every instant at which something falls due, so that all fires in its order."""
        self.engine.run_due()
        for _ in range(MAX_DUE):
            coming = self.next_due(self.clock.now)
            if coming is None or coming > until:
                break
            self.clock.now = coming
            self.engine.run_due()
            self.answer_jobs()
            self.instant_passed()
        else:
            raise _Wrong(
                "until", T("More than %(limit)d timers and rungs fell due while waiting. Does a timer begin itself anew?", limit=MAX_DUE)
            )
        if until > self.clock.now:
            self.clock.now = until.astimezone(UTC)
            self.engine.run_due()

    def instant_passed(self) -> None:
        """Something fell due; for whoever wants to look."""

    def _until(self, step: Mapping[str, Any]) -> datetime:
        now, calendar = self.engine.clock(), self.engine.calendar
        if "until" in step:
            found = moment(step["until"], self.engine.desk.zone)
            if not isinstance(found, datetime):
                raise _Wrong("until", T("Waiting needs a date with a time."))
            return found
        if "days" in step:
            return now + timedelta(days=step["days"])
        if "workdays" in step:
            local = calendar.local(now)
            return datetime.combine(calendar.add_workdays(local.date(), step["workdays"]), local.timetz())
        if "next" in step:
            return self._nth_due(step["next"])
        return self._overdue(step["due"], step.get("from"))

    def _nth_due(self, number: int) -> datetime:
        found = self.engine.clock()
        for _ in range(number):
            coming = self.next_due(found)
            if coming is None:
                raise _Wrong("next", T("Nothing falls due any more."))
            found = coming
        return found

    def _overdue(self, rule: str, start: str | None) -> datetime:
        """The first instant after the limit: that of the running clock, else counted from ``start`` (FEEL) or from now."""
        clock = tables.clock.c
        if start is None:
            chosen = select(clock.overdue_at).where(clock.case_key == self.case_key, clock.rule_id == rule, clock.state == RUNNING)
            with self.engine.reading() as conn:
                running = conn.execute(chosen.order_by(clock.key.desc())).scalar()
            if running is not None:
                return running
        since = moment(self.feel(start.removeprefix("=")), self.engine.desk.zone) if start else None
        with self.engine.transaction() as tx:
            found = self.engine.desk.functions(tx, self.case_key)["overdue"](rule, *([since] if since else []))
        if found is None:
            raise _Wrong("due", T("There is no rule “%(rule)s”, or its limit cannot be counted.", rule=rule))
        return found.to_datetime() if hasattr(found, "to_datetime") else found

    # --- the steps ---------------------------------------------------------------------------------------------------------

    def _complete(self, step: Mapping[str, Any]) -> None:
        if step.get("times") == "all":
            tasks = self.open_tasks(step["element"])
            for number in range(len(tasks)):
                # Counted anew: the first may close the others (a veto), and then that is what the model says.
                if self.open_tasks(step["element"]):
                    self._complete_one({name: value for name, value in step.items() if name != "times"})
                elif number == 0:
                    break
            if tasks:
                return
        self._complete_one(step)

    def _complete_one(self, step: Mapping[str, Any]) -> None:
        task, self.by = self._task(step)
        self.worked_on = task
        self.attach(f"task:{task.key}", step.get("files"), self.by)
        self.complete(task, self.answers(step.get("data")), step.get("outcome"), step.get("opinion", ""), self.by)

    def _claim(self, step: Mapping[str, Any]) -> None:
        self.worked_on, self.by = self._task(step)
        self.engine.desk.claim(self.worked_on.key, by=self.by)

    def _unclaim(self, step: Mapping[str, Any]) -> None:
        self.worked_on, self.by = self._task(step)
        self.engine.desk.unclaim(self.worked_on.key, by=self.by)

    def _transfer(self, step: Mapping[str, Any]) -> None:
        tasks = self.open_tasks(step["element"])
        # Whoever leads the section hands on a task without being able to work on it.
        self.worked_on, self.by = (
            (tasks[0], self._one(step["by"])) if tasks and step["by"] not in ("assignee", "candidate") else self._task(step)
        )
        self.engine.desk.transfer(self.worked_on.key, self._one(step["to"]), step["reason"], by=self.by)

    def _extend(self, step: Mapping[str, Any]) -> None:
        task, self.by = self._task(step)
        self.worked_on = task
        self.ask_extension(task, task.assignee or self.by)

    def _message(self, step: Mapping[str, Any]) -> None:
        self.by = self._one(step["by"])
        self.attach(f"case:{self.case_key}", step.get("files"), self.by)
        self.act(step["name"], self.answers(step.get("data")), self.by)

    def _publish(self, step: Mapping[str, Any]) -> None:
        if not self.engine.publish_message(step["name"], str(self._value(step.get("key", ""))), self.answers(step.get("data"))):
            raise _Wrong("name", T("Nobody waits for the message “%(name)s”.", name=step["name"]))

    def _signal(self, step: Mapping[str, Any]) -> None:
        if not self.engine.broadcast_signal(step["name"], self.answers(step.get("data"))):
            raise _Wrong("name", T("Nobody waits for the signal “%(name)s”.", name=step["name"]))

    def _urge(self, step: Mapping[str, Any]) -> None:
        self.by = self._one(step["by"])
        self.engine.desk.urge(self.case_key, step.get("text", ""), by=self.by)

    def _clock_keys(self, rule: str | None) -> list[int]:
        """The limits of the case that still run or pause, of one rule or all that may pause."""
        clock = tables.clock
        chosen = select(clock).where(clock.c.case_key == self.case_key, clock.c.state != STOPPED).order_by(clock.c.key)
        with self.engine.reading() as conn:
            rows = conn.execute(chosen).mappings().all()
        found = [row["key"] for row in rows if (row["rule_id"] == rule if rule else ClockState.of_row(row).clock.rule.pauses)]
        if not found:
            raise _Wrong("rule", T("No limit “%(rule)s” runs.", rule=rule or "*"))
        return found

    def _pause(self, step: Mapping[str, Any]) -> None:
        self.by = self._one(step["by"])
        keys = self._clock_keys(step.get("rule"))
        self.engine.desk.pause_clocks(self.case_key, keys, step["kind"], step["reason"], document=step.get("document", ""), by=self.by)

    def _resume(self, step: Mapping[str, Any]) -> None:
        self.by = self._one(step["by"])
        self.engine.desk.resume_clocks(self.case_key, self._clock_keys(step.get("rule")), step["kind"], step.get("reason", ""), by=self.by)

    def _grant(self, step: Mapping[str, Any]) -> None:
        self.by = self._one(step["by"])
        for key in self._clock_keys(step["rule"]):
            self.engine.desk.extend_clock(key, step["amount"], step["reason"], by=self.by)

    def _job(self, step: Mapping[str, Any]) -> None:
        jobs = self.open_jobs(step["element"])
        if not jobs:
            raise _Wrong("element", T("No job of “%(element)s” waits for an answer.", element=step["element"]))
        self._answer(jobs[0].key, step)

    def _answer(self, key: int, answer: Mapping[str, Any]) -> None:
        if "error" in answer:
            self.engine.throw_error(key, answer["error"], answer.get("text", ""), self.answers(answer.get("data")))
        else:
            self.engine.complete_job(key, self.answers(answer.get("data")))

    def answer_jobs(self) -> None:
        """Answer the jobs that the scenario declares an answer for, by the element or the type of the job."""
        mocks = self.scenario.mocks
        if not mocks or not self.case_key:
            return
        for _ in range(MAX_JOBS):
            job = next((each for each in self.open_jobs() if each.element_id in mocks or each.type in mocks), None)
            if job is None:
                return
            self._answer(job.key, mocks.get(job.element_id) or mocks[job.type])
        raise _Wrong(
            "mocks", T("More than %(limit)d jobs were answered after one step. Does a service task come back without end?", limit=MAX_JOBS)
        )

    def _wait(self, step: Mapping[str, Any]) -> None:
        self.pass_time(self._until(step))

    # --- the verbs that another way of playing does otherwise ---------------------------------------------------------------

    def open_case(self, process: str, data: dict[str, Any], by: str) -> int:
        """File the start form; returns the case's key.  A process without a procedure sheet is simply started."""
        with self.engine.reading() as conn:
            has_sheet = self.engine.desk.book(conn).procedure(process) is not None
        if not has_sheet:
            return self.engine.start(process, data, by=by).key
        self.attach(f"start:{process}", self.scenario.files, by)
        return self.engine.desk.start_case(process, data, by=by).key

    def complete(self, task: Any, data: dict[str, Any], outcome: str | None, opinion: str, by: str) -> None:
        """Fill the task's form and press the button."""
        self.engine.desk.complete_task(task.key, data, outcome=outcome, opinion=opinion, by=by)

    def act(self, message: str, data: dict[str, Any], by: str) -> None:
        """Use a button of the case page."""
        self.engine.desk.case_action(self.case_key, message, data, by=by)

    def ask_extension(self, task: Any, by: str) -> None:
        """申请延期 on the task's page."""
        self.engine.desk.request_extension(task.key, by=by)

    def attach(self, subject: str, files: Mapping[str, list[str]] | None, by: str) -> None:
        """Upload specimens under the names that the scenario gives: a scenario keeps the name of a document, not its content."""
        for field, names in (files or {}).items():
            for name in names:
                case_key = self.case_key or None
                self.engine.desk.upload(subject, field, name, "", specimen(name), by, case_key if subject.startswith("case:") else None)


class _Wrong(EngineError):
    """What is wrong with a step, and in which part of it."""

    def __init__(self, field: str, message: Words) -> None:
        super().__init__(message)
        self.field = field


VERBS: Mapping[str, Any] = {
    "complete": Player._complete,
    "claim": Player._claim,
    "unclaim": Player._unclaim,
    "transfer": Player._transfer,
    "extend": Player._extend,
    "message": Player._message,
    "publish": Player._publish,
    "signal": Player._signal,
    "urge": Player._urge,
    "pause": Player._pause,
    "resume": Player._resume,
    "grant": Player._grant,
    "job": Player._job,
    "wait": Player._wait,
}


def _packed(*members: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for member in members:
            archive.writestr(member, "")
    return out.getvalue()


_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SPECIMENS: Mapping[str, bytes] = {
    "pdf": b"%PDF-1.4\n%%EOF\n", "png": b"\x89PNG\r\n\x1a\n", "jpg": b"\xff\xd8\xff", "jpeg": b"\xff\xd8\xff", "txt": b"specimen\n",
    "csv": b"specimen\n", "doc": _OLE, "xls": _OLE, "ppt": _OLE, "wps": _OLE, "et": _OLE, "docx": _packed("word/document.xml"),
    "xlsx": _packed("xl/workbook.xml"), "pptx": _packed("ppt/presentation.xml"), "ofd": _packed("OFD.xml"), "zip": _packed("specimen.txt"),
}  # fmt: skip


def specimen(name: str) -> bytes:
    """The smallest content that the desk takes for a file of that name; that of a text for an unknown kind, which the desk refuses."""
    return _SPECIMENS.get(PurePosixPath(name).suffix.lower().lstrip("."), b"specimen\n")
