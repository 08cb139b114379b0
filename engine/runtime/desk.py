"""The case desk: what an office adds to an engine.

The engine moves tokens; the desk keeps the case files, clocks, trails and notifications in step with them, and is the face of
every command a person gives.  Each command is one transaction and raises the errors of :mod:`engine.errors`; the subjects have
their own modules, this one wires them together.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from engine.deadlines import WorkCalendar
from engine.deadlines.calendar import OFFICE_ZONE
from engine.errors import NotFound, NotPermitted, ValidationFailed
from engine.forms import rights_of
from engine.organisation import Person
from engine.runtime.caches import Kept
from engine.runtime.casework import attachments, drafts, filing, handling, terms
from engine.runtime.casework.access import Access, AccessRefused, Reveal, serve
from engine.runtime.casework.attachments import Download
from engine.runtime.casework.book import Book
from engine.runtime.casework.cases import Observation
from engine.runtime.casework.casestate import Note
from engine.runtime.casework.functions import HostFunctions
from engine.runtime.casework.labels import Labels
from engine.runtime.design import publishing, sweeping
from engine.runtime.design.running import Runner
from engine.runtime.limits import calendar_alarm, daily_looks, extending, ladder_changes, pausing, recalculation, rungs, worktime
from engine.runtime.people import People
from engine.runtime.settings import DeskSettings
from engine.runtime.sheets import Sheet
from engine.runtime.supervision import bulletins, late_answers, monitoring
from engine.runtime.telling import deliveries, notices
from engine.runtime.telling.digest import send_digest
from engine.runtime.types import Instance
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.engine import Engine

PLAIN_INSTANCES_REMEMBERED = 20_000
CALENDAR_SECONDS = 60
"""How long a node may count with a calendar that another node has corrected; corrections come once a year."""
OPERATOR = "system"
"""Whoever runs commands on the server itself; no account may have this name (:meth:`People.save_person`)."""
DELIVERER = "banjie"
"""In whose name the program deploys the procedures that come with it; no account may have this name either."""
NestedTransaction = RuntimeError
"""What the database raises when a second transaction is begun inside one."""


class Desk:
    """The desk of one engine; safe from many threads."""

    zone = OFFICE_ZONE
    OPERATOR, DELIVERER = OPERATOR, DELIVERER

    def __init__(self, engine: Engine, settings: Any = None) -> None:
        self.engine = engine
        self.settings = DeskSettings.of(settings)
        self.people = People(self)
        self.access = Access(self)
        self.labels = Labels(self)
        self.translator: Callable[[str], Callable[[str], str]] = lambda language: str
        """Language → gettext of the catalogue, for messages outside the house; the engine itself speaks English."""
        self.scenario_runs = Runner(self)
        self._notes: weakref.WeakKeyDictionary[Any, Note] = weakref.WeakKeyDictionary()
        self.digested: date | None = None  # the office day whose digest this node knows to be sent
        self.orders_told: date | None = None  # the office day whose late orders this node has told
        self.designs_swept: date | None = None  # the day on which this node found nothing more that drafts had left over
        self.calendar_alarmed: tuple[tuple[int, ...], str] | None = None  # years and week whose alarm this node knows to be raised
        self.searched_by: dict[str, int] = {}  # process id → the sheet by whose searchable fields this node knows all its cases to be kept
        self.looked_on: date | None = None  # the office day whose conditions this node knows to have been looked at
        self.monitored_until: datetime | None = None  # when this node looks again for what calls for a card
        self._calendar = Kept(lambda conn: worktime.load_calendar(conn, self.settings.hours), CALENDAR_SECONDS)
        self._plain: OrderedDict[int, None] = OrderedDict()
        serve(engine.database.sa, self)
        self._refusals: deque[dict[str, Any]] = deque(maxlen=10_000)

    # -- what the engine core calls ------------------------------------------------------------------------------------

    def before_start(self, tx: Any, definition: Any, variables: Mapping[str, Any], instance_key: int) -> dict[str, Any]:
        """Variables a new root instance gets besides its own; none for a process without a procedure sheet."""
        return filing.opening_variables(self, tx, definition.id, variables)

    def observe(self, tx: Any, effects: Any) -> None:
        """Keep case files, clocks, trails and notifications in step with what a command did; before its commit."""
        if effects:
            Observation(self, tx, effects, self.note_of(tx)).run()

    def decided(self, tx: Any, root_key: int, instance_key: int, element: Any, definition: Any, value: Any, rules: Any) -> None:
        """A decision was evaluated for a case: kept for the trail (决策依据)."""
        self.note_of(tx).decisions.append((root_key, instance_key, element, definition, value, rules))

    def held_up(self, tx: Any, process_id: str, step: str) -> None:
        """A case cannot go on for a technical reason: the administrators hear of it, once a day for each step."""
        entry = self.book(tx.conn).procedure(process_id)
        name = entry[1].name if entry else process_id
        words = T("A case of “%(process)s” is held up at “%(step)s” by a technical problem. See the incidents of the process monitor.", process=name, step=step)
        notices.alarm(self, tx, "incident", f"{process_id}:{step}", words)

    def functions(self, tx: Any, root_key: int | None) -> dict[str, Callable[..., Any]]:
        """The FEEL host functions for a case."""
        return HostFunctions(self, tx, root_key, self.note_of(tx)).mapping()

    def run_due(self, limit: int | None = None) -> int:
        """Fire due ladder rungs, and send the morning's digest; returns how many rungs fired."""
        self.flush_refusals()
        send_digest(self)
        calendar_alarm.raise_alarm(self)
        late_answers.run(self)
        # Before the rungs, so that they fall due by the calendar and the ladders that are in force.
        recalculated = recalculation.run(self, limit)
        if limit is None or recalculated < limit:
            recalculated += ladder_changes.run(self, None if limit is None else limit - recalculated)
        fired = rungs.run_due(self, None if limit is None else limit - recalculated)
        # After the rungs and before anything that only reads: it may move cases.
        daily_looks.run(self)
        published = publishing.run_due(self, limit)
        self.scenario_runs.tend()
        sweeping.sweep(self)
        bulletins.review(self)
        terms.refill(self)
        # After the rungs, which may stop a limit or issue an order; what it issues are findings, not due rows, and is not counted.
        monitoring.run(self)
        # After the rungs, so that those of one round can be told together.
        deliveries.dispatch(self)
        return recalculated + fired + published

    def run_rungs_before_timers(self, failed: set[int]) -> int:
        """See :func:`rungs.run_before_timers`."""
        return rungs.run_before_timers(self, failed)

    def next_due(self, conn: Connection) -> datetime | None:
        """When the next rung is due."""
        return rungs.next_due(conn)

    @property
    def calendar(self) -> WorkCalendar:
        """The work calendar."""
        with self.engine.reading() as conn:
            return self._calendar.get(conn)

    def forget_calendar(self) -> None:
        """Read the calendar tables again at the next question."""
        self._calendar.forget()

    def hold_calendar(self, calendar: WorkCalendar) -> None:
        """Take ``calendar`` for what the tables say."""
        self._calendar.hold(calendar)

    def seed_calendar(self) -> int:
        """See :func:`worktime.seed_calendar`."""
        return worktime.seed_calendar(self)

    # -- for the desk's own modules --------------------------------------------------------------------------------------

    def note_of(self, tx: Any) -> Note:
        note = self._notes.get(tx)
        if note is None:
            note = self._notes[tx] = Note()
        return note

    def command(self, work: Callable[[Any, Note], Any], *, by: str, address: str | None = None) -> Any:
        """Run ``work(tx, note)`` as one command of the engine; refusals are audited after its roll-back."""

        def run(unit: Any) -> Any:
            note = self.note_of(unit.tx)
            note.unit = unit
            return work(unit.tx, note)

        with self._noting_refusals(by, address):
            return self.engine.command(run, by=by, address=address)

    def instance_command(self, work: Callable[[Any, Note], Any], *, by: str, address: str | None = None) -> Instance:
        """Like :meth:`command`, for work that answers with a live instance; the instance as it stands at the commit."""
        return instance_of(self.command(work, by=by, address=address))

    @contextmanager
    def audited(self, by: str, address: str | None = None, role: str | None = None) -> Iterator[Any]:
        """A transaction that moves no process; ``role`` is what ``by`` must hold in their own right, unless it is the operator.

        Refusals are audited.
        """
        with self._noting_refusals(by, address), self.engine.transaction(by=by, address=address) as tx:
            if role is not None and by != OPERATOR and role not in self.people.directory(tx.conn).own_groups(by):
                raise NotPermitted("Only people with the role “%(role)s” may do this.", role=role)
            yield tx

    @contextmanager
    def _noting_refusals(self, by: str, address: str | None) -> Iterator[None]:
        try:
            yield
        except AccessRefused as refusal:
            self.record_refusal(refusal, by=by, address=address)
            raise
        except NotPermitted as refusal:
            self.record_refusal(AccessRefused(refusal.message, subject="command", reason=str(refusal)), by=by, address=address)
            raise

    def record_refusal(self, refusal: AccessRefused, *, by: str | None, address: str | None) -> None:
        """Put a refusal into the audit.

        It must outlive the roll-back it causes, and a refusal may come up while a connection is in use; so it is queued and
        written as soon as there is none: at once, by the next command, or by :meth:`flush_refusals` after the request.
        """
        self._refusals.append(
            {"at": self.engine.clock(), "by": by, "address": address, "subject": refusal.subject, "reason": refusal.reason}
        )
        self.flush_refusals()

    def flush_refusals(self) -> None:
        """Write refusals that are still queued; does nothing while this thread is inside a transaction."""
        if not self._refusals:
            return
        waiting = list(self._refusals)
        try:
            with self.engine.transaction() as tx:
                for row in waiting:
                    tx.by, tx.address = row["by"], row["address"]
                    tx.audit("access.refused", row["subject"], reason=row["reason"])
        except NestedTransaction:
            return
        for row in waiting:
            if row in self._refusals:
                self._refusals.remove(row)

    def book(self, conn: Connection | None = None) -> Book:
        """Sheets, rules and ladders as deployed."""
        return Book(self.engine.catalogue, conn)

    def sheet_of(self, conn: Connection | None, procedure_key: int) -> Sheet | None:
        """The sheet a case was opened under."""
        return self.book(conn).sheet(procedure_key)

    def remember_plain(self, root_key: int) -> None:
        """This root instance has no case file and never will: later commands on it ask the desk nothing."""
        self._plain[root_key] = None
        while len(self._plain) > PLAIN_INSTANCES_REMEMBERED:
            self._plain.popitem(last=False)

    def is_plain(self, root_key: int) -> bool:
        return root_key in self._plain

    def require_start(self, conn: Connection, process_id: str, login: str) -> Sheet:
        """The sheet of a procedure that ``login`` may open a case of."""
        entry = self.book(conn).procedure(process_id)
        if entry is None:
            raise NotFound("There is no procedure “%(id)s”.", id=process_id)
        sheet = entry[1]
        groups = self.people.groups(login, conn)
        if not groups or (sheet.start.roles and groups.isdisjoint(sheet.start.roles)):
            raise NotPermitted("You may not open a case of “%(name)s”.", name=sheet.name)
        return sheet

    def require_work(self, conn: Connection, task: Any, login: str) -> None:
        """That ``login`` may work on a ``user_task`` row; :class:`NotPermitted` otherwise."""
        may = self.access.may_work(conn, task, login)
        if not may.allowed:
            raise NotPermitted(may.refusal or T("You may not work on this task."))

    def validated(
        self,
        tx: Any,
        form: Any,
        data: Mapping[str, Any],
        *,
        subject: str,
        context: Mapping[str, Any] | None = None,
        case_key: int | None = None,
    ) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        """The clean answers of a form and what is wrong with them, by field; without a form nothing is taken over.

        ``subject`` (``task:KEY``, ``start:PROCESS``, ``case:KEY``) and ``case_key`` say which uploads the answers may refer to.
        """
        if form is None:
            return {}, {}
        known = attachments.references(tx, data, subject=subject, case_key=case_key)
        try:
            return form.load(dict(data), context, today=tx.now.astimezone(self.zone).date(), files=known), {}
        except ValidationFailed as refusal:
            return {}, refusal.errors or {"": [refusal.message]}

    def form(self, conn: Connection | None, form_id: str | None) -> Any:
        """The deployed form of that id; ``None`` for no form.  :class:`NotFound` when it is not deployed."""
        if not form_id:
            return None
        found = self.engine.catalogue.find("form", form_id, conn=conn)
        if found is None:
            raise NotFound("The form “%(id)s” is not deployed.", id=form_id)
        return found.model

    def task_form(self, conn: Connection | None, task: Mapping[str, Any]) -> Any:
        """The form of a ``user_task`` row as its step sees it (see :mod:`engine.forms.rights`); ``None`` for no form."""
        form = self.form(conn, task["form_id"])
        return form.limited(rights_of(task["properties"])) if form is not None else None

    # -- questions -------------------------------------------------------------------------------------------------------

    def person(self, login: str) -> Person | None:
        return self.people.directory().person(login)

    def groups(self, login: str) -> frozenset[str]:
        """Own groups and those of everybody ``login`` stands in for today."""
        return self.people.groups(login)

    def startable(self, login: str) -> list[Sheet]:
        """The procedures ``login`` may open a case of."""
        groups = self.groups(login)
        return [
            sheet for sheet in self.book().procedures() if groups and (not sheet.start.roles or not groups.isdisjoint(sheet.start.roles))
        ]

    def readable_procedures(self, login: str) -> list[str]:
        """Process ids whose sheet lets ``login`` read every case; for :func:`engine.runtime.casework.access.visible_cases`."""
        groups = self.groups(login)
        return [sheet.process for sheet in self.book().procedures() if not groups.isdisjoint(sheet.access_roles)]

    # -- commands --------------------------------------------------------------------------------------------------------

    def authenticate(self, login: str, password: str, address: str | None = None) -> Person:
        """See :meth:`People.authenticate`."""
        return self.people.authenticate(login, password, address)

    def start_case(
        self, process_id: str, data: Mapping[str, Any], *, by: str, address: str | None = None, token: str | None = None
    ) -> Instance:
        """See :func:`filing.start_case`."""
        return filing.start_case(self, process_id, data, by=by, address=address, token=token)

    def complete_task(
        self,
        task_key: int,
        data: Mapping[str, Any],
        *,
        outcome: str | None = None,
        opinion: str = "",
        by: str,
        address: str | None = None,
        revision: int | None = None,
    ) -> Instance:
        """See :func:`handling.complete_task`."""
        return handling.complete_task(
            self, task_key, data, outcome=outcome, opinion=opinion, by=by, address=address, revision=revision
        )

    def claim(self, task_key: int, *, by: str, address: str | None = None) -> None:
        """See :func:`handling.claim`."""
        handling.claim(self, task_key, by=by, address=address)

    def unclaim(self, task_key: int, *, by: str, address: str | None = None) -> None:
        """See :func:`handling.unclaim`."""
        handling.unclaim(self, task_key, by=by, address=address)

    def transfer(self, task_key: int, to: str, reason: str, *, by: str, address: str | None = None) -> None:
        """See :func:`handling.transfer`."""
        handling.transfer(self, task_key, to, reason, by=by, address=address)

    def save_draft(self, subject: str, data: Mapping[str, Any], by: str, address: str | None = None) -> None:
        """See :func:`drafts.save_draft`."""
        drafts.save_draft(self, subject, data, by=by, address=address)

    def draft(self, subject: str, by: str) -> dict[str, Any] | None:
        """See :func:`drafts.draft`."""
        return drafts.draft(self, subject, by)

    def discard_draft(self, subject: str, by: str, address: str | None = None) -> None:
        """See :func:`drafts.discard_draft`."""
        drafts.discard_draft(self, subject, by=by, address=address)

    def upload(
        self, subject: str, field: str, filename: str, content_type: str, content: bytes, by: str, case_key: int | None = None,
        address: str | None = None,
    ) -> int:  # fmt: skip
        """See :func:`attachments.upload`.  The declared ``content_type`` is not believed."""
        return attachments.upload(self, subject, field, filename, content, by=by, case_key=case_key, address=address)

    def download(self, key: int, viewer: str, address: str | None = None) -> Download:
        """See :func:`attachments.download`."""
        return attachments.download(self, key, viewer, address)

    def remove_attachment(self, key: int, *, by: str, address: str | None = None) -> None:
        """See :func:`attachments.remove`."""
        attachments.remove(self, key, by=by, address=address)

    def urge(self, case_key: int, text: str, *, by: str, address: str | None = None) -> list[str]:
        """See :func:`filing.urge`."""
        return filing.urge(self, case_key, text, by=by, address=address)

    def case_action(self, case_key: int, message: str, data: Mapping[str, Any], *, by: str, address: str | None = None) -> Instance:
        """See :func:`filing.case_action`."""
        return filing.case_action(self, case_key, message, data, by=by, address=address)

    def request_extension(self, task_key: int, *, by: str, address: str | None = None) -> Instance:
        """See :func:`filing.request_extension`."""
        return filing.request_extension(self, task_key, by=by, address=address)

    def extension_possible(self, conn: Connection, case_key: int, rule_id: str) -> bool:
        """See :func:`filing.extension_possible`."""
        return filing.extension_possible(self, conn, case_key, rule_id)

    def extend_clock(
        self, clock_key: int, amount: int | float | Decimal, reason: str, *, by: str, address: str | None = None, unit: str | None = None
    ) -> None:
        """See :func:`extending.extend_clock`."""
        extending.extend_clock(self, clock_key, amount, reason, by=by, address=address, unit=unit)

    def pause_clocks(
        self, case_key: int, clock_keys: Collection[int], kind: str, reason: str, *, document: str = "", paper: pausing.Paper | None = None,
        by: str, address: str | None = None,
    ) -> list[str]:  # fmt: skip
        """See :func:`pausing.pause`."""
        return pausing.pause(self, case_key, clock_keys, kind, reason, document=document, paper=paper, by=by, address=address)

    def resume_clocks(
        self, case_key: int, clock_keys: Collection[int], kind: str, reason: str = "", *, by: str, address: str | None = None
    ) -> list[str]:
        """See :func:`pausing.resume`."""
        return pausing.resume(self, case_key, clock_keys, kind, reason, by=by, address=address)

    def state_reason(self, clock_key: int, reason: str, *, by: str, address: str | None = None) -> None:
        """See :func:`filing.state_reason`."""
        filing.state_reason(self, clock_key, reason, by=by, address=address)

    def look(self, case_key: int, *, by: str, address: str | None = None) -> Reveal:
        """See :func:`filing.look`."""
        return filing.look(self, case_key, by=by, address=address)

    def mark_read(self, *, by: str, keys: Collection[int] | None = None) -> int:
        """See :func:`notices.mark_read`."""
        return notices.mark_read(self, by=by, keys=keys)

    def save_deputy(self, login: str, deputy_login: str, starts_on: date, ends_on: date, *, by: str, address: str | None = None) -> int:
        """See :meth:`People.save_deputy`."""
        return self.people.save_deputy(login, deputy_login, starts_on, ends_on, by=by, address=address)


def instance_of(live: Any) -> Instance:
    """The value of a live instance."""
    row = live.row
    return Instance(
        row["key"], row["process_id"], row["version"], row["state"], dict(live.execution.variables), row["business_key"], row["parent_key"],
        row["root_key"], row["revision"], row["started_at"], row["ended_at"],
    )  # fmt: skip
