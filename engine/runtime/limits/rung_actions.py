"""What a rung does when it fires: its row in the ledger, who is told, and each of its actions.

:class:`Firing` works inside the transaction that :mod:`engine.runtime.limits.rungs` has opened, with the clocks locked.
:func:`consequences` says the same of a rung that has not fired, for a preview on a real case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, select, update

from engine.deadlines import Ladder, Rung, WorkCalendar, rung_times
from engine.deadlines.amounts import plain
from engine.organisation import Directory
from engine.runtime.casework.casestate import carry_due_dates, trail_row
from engine.runtime.casework.handling import receiver_refusal
from engine.runtime.limits.clocks import ClockState, derived_columns
from engine.runtime.supervision import bulletins, deductions, orders
from engine.runtime.telling.notices import Notices, alarm
from engine.runtime.telling.preferences import CHANNELS
from engine.runtime.telling.recipients import Recipients, Told, rung_role
from engine.store import tables
from engine.store.types import DIALECT_INSERTS
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

URGENT = 90
"""Priority that ``raise_priority`` lifts the open tasks to; from here on the inbox says 紧急."""
ACTION_WIDTH = 60
"""Characters of ``rung_firing.action``."""
_REASONS = ("explain", "extend")
"""Trail actions that state a reason for being late; they withhold rungs with ``unless: reason_stated``."""
_ORDERED = {"mail": ("mail",), "sms": ("sms",), "all": tuple(CHANNELS)}
"""Channel of a rung → the ways out of the house that it orders; what else goes out is the choice of each person."""


class Clash(Exception):
    """Another node has claimed one of the rungs; what was done together is given up."""


class Firing:
    """The rungs of some locked clocks, no two of one case.  :meth:`run` each clock, then :meth:`finish`.

    ``cases`` are ``case_file`` rows by key, ``tasks`` the open tasks of each, ``instances`` the locked rows of those that may move.
    ``alone``: each rung is claimed before it acts, so that one that another node has fired is skipped; otherwise all are claimed at
    the end and :class:`Clash` is raised when one has fired before.
    """

    def __init__(
        self,
        desk: Desk,
        unit: Any,
        cases: Mapping[int, Any],
        tasks: Mapping[int, Sequence[Any]],
        instances: Mapping[int, dict[str, Any]],
        *,
        alone: bool,
    ) -> None:
        self.desk, self.unit, self.tx = desk, unit, unit.tx
        self.cases, self.tasks, self.instances, self.alone = cases, tasks, instances, alone
        self.calendar: WorkCalendar = desk.engine.calendar
        self.directory: Directory = desk.people.directory(self.tx.conn)
        self.book = desk.book(self.tx.conn)
        self.notices = Notices(self.tx.now, None)
        self._claims: list[dict[str, Any]] = []
        self._written: list[ClockState] = []
        self._levels: list[int] = []
        self._moved: list[ClockState] = []
        self._escalations: list[tuple[Mapping[str, Any], str]] = []
        self._alarms: dict[tuple[str, str], Words] = {}
        self._explained: frozenset[int] | None = None

    def run(self, state: ClockState, until: datetime) -> int:
        """Fire what was due on one clock ``until`` then, in order; returns how many rungs this node fired."""
        row = state.row
        ladder: Ladder | None = self.book.ladder(row["ladder_id"])
        case = self.cases.get(row["case_key"])
        recipients = Recipients(self.directory, case, self.tasks.get(row["case_key"], ()), state.key)
        state.protect(self.calendar)
        count, level = 0, row["level"]
        for rung, planned in rung_times(state.clock, ladder, self.calendar) if ladder else ():
            if planned > until:
                break
            if rung.id in state.fired:
                continue
            state.fired.append(rung.id)
            level = max(level, rung.level)
            if self._fire(state, rung, planned, recipients):
                count += 1
                self._escalations += [(row, code) for code in rung.escalation_codes]
        derived = derived_columns(state.clock, ladder, state.fired, self.calendar)
        if derived["due_at"] != row["due_at"]:
            self._moved.append(state)
        row.update(derived, level=level, ledger=state.written_ledger())
        self._written.append(state)
        return count

    def finish(self) -> None:
        """Claim and write everything, then throw the escalations, in the order of the rungs."""
        if self._claims:
            claimed = self.tx.execute(self._claim_statement().values(self._claims).returning(tables.rung_firing.c.rung)).all()
            if len(claimed) != len(self._claims):
                raise Clash("another node has fired one of these rungs")
        self.notices.post(self.desk, self.tx)
        # In one order on every node, so that two that raise the same alarms do not wait for each other.
        for (cause, about), words in sorted(self._alarms.items()):
            alarm(self.desk, self.tx, cause, about, words)
        self._write_clocks()
        for row, code in self._escalations:
            self._escalate(row, code)

    def _write_clocks(self) -> None:
        clock = tables.clock
        names = ("ledger", "level", "state", "due_at", "overdue_at", "yellow_at", "provisional", "stopped_at", "next_rung", "next_rung_at", "calendar_version")
        statement = update(clock).where(clock.c.key == bindparam("clock_")).values({name: bindparam(f"{name}_") for name in names})
        self.tx.execute(statement, [{"clock_": each.key, **{f"{name}_": each.row[name] for name in names}} for each in self._written])
        carry_due_dates(self.tx.conn, self._moved)

    def _claim_statement(self) -> Any:
        return DIALECT_INSERTS[self.tx.conn.dialect.name](tables.rung_firing).on_conflict_do_nothing(index_elements=["clock_key", "rung"])

    def _claim(self, row: dict[str, Any]) -> bool:
        """``False`` when the rung has fired before: by another node, or by an older state of its clock."""
        if not self.alone:
            self._claims.append(row)
            return True
        return self.tx.execute(self._claim_statement().values(row).returning(tables.rung_firing.c.rung)).first() is not None

    def _fire(self, state: ClockState, rung: Rung, planned: datetime, recipients: Recipients) -> bool:
        tx, clock = self.tx, state.row
        withheld = self._withheld(state, rung, recipients)
        told = Told([], []) if withheld else recipients.of(rung)
        label = rung.text or rung.id
        late = tx.now - planned > 2 * self.desk.settings.acquirer_interval
        row = {
            "clock_key": state.key, "rung": rung.id, "case_key": clock["case_key"], "label": label[:200], "level": rung.level,
            "action": withheld or _cut(rung.actions), "channel": rung.channel, "recipients": told.people,
            "planned_at": planned, "fired_at": tx.now, "late": late, "node": tx.node,
        }  # fmt: skip
        if not self._claim(row):
            return False
        done: dict[str, Any] = {}
        if not withheld:
            self._tell(state, rung, label, recipients.case, told)
            self._note_gaps(state, rung, told)
            for name, act in _ACTS.items():
                if rung.does(name):
                    done |= act(self, state, rung, recipients)
        if rung.level > 0 or rung.escalation_codes or done:
            details = {
                "rung": rung.id, "rule": state.rule_id, "level": rung.level, "recipients": told.people, "late": late,
                "actions": withheld or ",".join(rung.actions), **done,
            }  # fmt: skip
            if told.missing:
                details["missing"] = [asdict(each) for each in told.missing]
            tx.add(tables.trail, **trail_row(clock["case_key"], "rung", tx, instance_key=clock["instance_key"], opinion=label, details=details))
        return True

    def _escalate(self, row: Mapping[str, Any], code: str) -> None:
        """Throw a BPMN escalation where the clock runs: at its element, else at the case as a whole.

        In the same transaction as the firing, so neither can happen without the other.  Nobody need catch it.
        """
        held = self.instances.get(row["instance_key"])
        live = self.unit.adopt(held) if held is not None else self.unit.load(row["instance_key"])
        if live.row["state"] != "ACTIVE":
            return
        token = live.execution.token(row["token"]) if row["token"] is not None else None
        token = token or next(iter(live.execution.root.children), None)
        if token is not None and live.execution.find_catcher(token, "escalation", code) is not None:
            live.execution.throw_escalation(token, code, {})
            self.unit.run(live)
        elif live.row["parent_key"] is not None:
            self.unit.escaped(live, "escalation", code, "", {})
        self.unit.settle()

    # -- telling -------------------------------------------------------------------------------------------------------

    def _tell(self, state: ClockState, rung: Rung, label: str, case: Any, told: Told) -> None:
        if rung.channel == "log" or case is None:
            return
        words = T("%(case_no)s %(title)s — %(limit)s: %(text)s", case_no=case.case_no, title=case.title, limit=state.row["label"], text=label)
        logins = [each["login"] for each in told.people]
        self.notices.tell(
            logins, "rung", words, case_key=case.key, task_key=state.row["task_key"], ordered=_ORDERED.get(rung.channel, ()), level=rung.level
        )

    def _withheld(self, state: ClockState, rung: Rung, recipients: Recipients) -> str:
        """Why the rung does nothing, as the ledger says it; empty when it acts."""
        if rung.unless == "reason_stated" and state.row["case_key"] in self._with_reasons():
            return "withheld"
        return "claimed" if recipients.withheld(rung) else ""

    def _with_reasons(self) -> frozenset[int]:
        """The cases, of those in hand, in whose trail somebody has stated why it takes long; asked once, and only if a rung asks."""
        if self._explained is None:
            trail = tables.trail.c
            chosen = select(trail.case_key).where(trail.case_key.in_(list(self.cases)), trail.action.in_(_REASONS)).distinct()
            self._explained = frozenset(self.tx.execute(chosen).scalars())
        return self._explained

    def _note_gaps(self, state: ClockState, rung: Rung, told: Told) -> None:
        """Somebody has to mend a ladder that reaches nobody: the administrators hear of it, once a day for each gap."""
        names = "、".join(dict.fromkeys(each["name"] for each in told.people if "instead_of" in each))
        for gap in told.missing:
            values = {"role": rung_role(gap.role), "section": self.directory.section_name(gap.section) or "—", "names": names or "—"}
            if gap.left:
                words = T("%(person)s has left and still holds a task; rungs go to %(names)s. Hand the task on.", person=self.directory.name(gap.left), names=values["names"])  # fmt: skip
            else:
                words = T("Nobody is %(role)s (%(section)s); rungs of the ladders go to %(names)s. Name somebody or change the ladder.", **values)
            if gap.fault:
                self._alarms["nobody", f"{gap.role}:{gap.left or gap.section}"] = words
            self.tx.audit("rung.fallback", f"clock:{state.key}", rung=rung.id, role=gap.role, section=gap.section, left=gap.left, told=names)

    # -- actions: each gives what the trail says about it ----------------------------------------------------------------

    def _raise_priority(self, state: ClockState, rung: Rung, recipients: Recipients) -> dict[str, Any]:
        keys = [task.key for task in recipients.tasks if task.priority < URGENT]
        if keys:
            task = tables.user_task
            self.tx.execute(update(task).where(task.c.key.in_(keys), task.c.state == "CREATED").values(priority=URGENT))
        return {"priority": URGENT, "tasks": len(keys)}

    def _reassign(self, state: ClockState, rung: Rung, recipients: Recipients) -> dict[str, Any]:
        """Hand the open tasks of the clock to who has the role, if the rules of conflict let them; with trail and notices."""
        handed, refused = [], []
        for task in list(recipients.tasks):
            to, why = receiver(self.directory, recipients, task, rung.parameter("reassign"))
            if to is None:
                if why is not None:
                    refused.append(task.name)
                    self._alarms["reassign", str(task.key)] = T(
                        "“%(task)s” of %(case_no)s could not be handed on by its ladder: %(why)s",
                        task=task.name, case_no=recipients.case.case_no if recipients.case else "", why=why,
                    )  # fmt: skip
                continue
            self._hand_over(task, to, rung, recipients.case)
            handed.append({"task": task.name, "from": task.assignee, "to": to, "to_name": self.directory.name(to)})
        if handed:
            self._reread(recipients, state)
        return {"reassigned": handed, **({"not_reassigned": refused} if refused else {})}

    def _hand_over(self, task: Any, to: str, rung: Rung, case: Any) -> None:
        tx, name, label = self.tx, self.directory.name(to), rung.text or rung.id
        row = tables.user_task
        tx.execute(update(row).where(row.c.key == task.key, row.c.state == "CREATED").values(assignee=to, claimed_at=tx.now, revision=row.c.revision + 1))
        tx.audit("task.transfer", f"task:{task.key}", rung=rung.id, to=to, **{"from": task.assignee})
        if case is None:
            return
        details = {"from": task.assignee, "to": to, "to_name": name, "rung": rung.id}
        own = {"instance_key": task.instance_key, "task_key": task.key, "element_id": task.element_id, "element_name": task.name}
        tx.add(tables.trail, **trail_row(case.key, "transfer", tx, **own, opinion=label, details=details))
        words = T("A ladder handed a task on to you: %(task)s — %(case_no)s %(title)s (%(text)s)", task=task.name, case_no=case.case_no, title=case.title, text=label)
        self.notices.tell([to], "assigned", words, case_key=task.root_key, task_key=task.key)
        if task.assignee:
            words = T("“%(task)s” was handed on to %(name)s: %(reason)s", task=task.name, name=name, reason=label)
            self.notices.tell([task.assignee], "transferred", words, case_key=task.root_key, task_key=task.key)

    def _reread(self, recipients: Recipients, state: ClockState) -> None:
        """The tasks as they stand after some were handed on: a later rung of the same outage speaks to the new holders."""
        task = tables.user_task
        chosen = select(task).where(task.c.root_key == state.row["case_key"], task.c.state == "CREATED").order_by(task.c.key)
        tasks = self.tx.execute(chosen).all()
        recipients.tasks = [each for each in tasks if each.clock_key == state.key] or list(tasks)

    def _order(self, state: ClockState, rung: Rung, recipients: Recipients) -> dict[str, Any]:
        return {"order": orders.issue_for_rung(self.desk, self.tx, self.notices, recipients, state.row, rung)}

    def _bulletin(self, state: ClockState, rung: Rung, recipients: Recipients) -> dict[str, Any]:
        key = bulletins.draft_for_rung(self.desk, self.tx, self.notices, recipients, state, rung, self._claims)
        return {"bulletin": str(key)} if key is not None else {}

    def _deduction(self, state: ClockState, rung: Rung, recipients: Recipients) -> dict[str, Any]:
        return {"points": plain(rung.points)} if deductions.enter_for_rung(self.desk, self.tx, self.notices, recipients, state.row, rung) else {}


_ACTS = {
    "supervision_order": Firing._order,
    "draft_bulletin": Firing._bulletin,
    "assessment_deduction": Firing._deduction,
    "raise_priority": Firing._raise_priority,
    "reassign": Firing._reassign,
}
"""Action → what does it.  Those that speak of who has the case come before the one that hands it on."""


def _cut(actions: Sequence[str]) -> str:
    """The actions as the ledger of firings keeps them: as many as fit whole; the trail has them all."""
    kept = list(actions)
    while len(",".join(kept)) > ACTION_WIDTH:
        kept.pop()
    return ",".join(kept) or actions[0].partition(":")[0]


def receiver(directory: Directory, recipients: Recipients, task: Any, role: str) -> tuple[str | None, Words | None]:
    """Whom ``reassign:ROLE`` hands ``task`` to; or ``None`` and why not.  ``(None, None)``: somebody in that role has it already."""
    people = list(recipients.people(role))
    if task.assignee in people:
        return None, None
    if not people:
        return None, T("Nobody is %(role)s.", role=rung_role(role))
    first: Words | None = None
    for login in people:
        refusal = receiver_refusal(directory, task, login)
        if refusal is None:
            return login, None
        first = first or refusal
    return None, first


_ORDER_SENTENCES = {
    "blue": "a blue supervision order to %(whom)s, to be answered within %(days)d working day(s)",
    "yellow": "a yellow supervision order to %(whom)s, to be answered within %(days)d working day(s)",
    "red": "a red supervision order to %(whom)s, to be answered within %(days)d working day(s)",
}
# Named here once more for the extraction of messages, which looks for T("…").
_EXTRACTED = (
    T("a blue supervision order to %(whom)s, to be answered within %(days)d working day(s)"),
    T("a yellow supervision order to %(whom)s, to be answered within %(days)d working day(s)"),
    T("a red supervision order to %(whom)s, to be answered within %(days)d working day(s)"),
)


def consequences(directory: Directory, recipients: Recipients, rung: Rung) -> list[Words]:
    """What a rung would do on a case besides telling people, in sentences; for the preview."""
    found: list[Words] = []
    section, login = orders.who_has_it(recipients, recipients.case) if recipients.case is not None else (None, None)
    whom = _whom(directory, section, login)
    if rung.does("supervision_order"):
        found.append(T(_ORDER_SENTENCES[rung.colour], whom=whom, days=orders.ANSWER_WORKDAYS))
    if rung.does("draft_bulletin"):
        found.append(T("a draft of a bulletin about %(whom)s", whom=whom))
    if rung.does("assessment_deduction"):
        found.append(T("%(points)s point(s) deducted from %(whom)s", points=plain(rung.points), whom=whom))
    if rung.does("raise_priority"):
        found.append(T("%(count)d open task(s) marked urgent", count=len(recipients.tasks)))
    if rung.does("reassign"):
        for task in recipients.tasks:
            to, why = receiver(directory, recipients, task, rung.parameter("reassign"))
            if to is not None:
                found.append(T("“%(task)s” handed on to %(name)s", task=task.name, name=directory.name(to)))
            elif why is not None:
                found.append(T("“%(task)s” stays where it is: %(why)s", task=task.name, why=why))
    for code in rung.escalation_codes:
        found.append(T("the escalation “%(code)s” in the process", code=code))
    return found


def _whom(directory: Directory, section: str | None, login: str | None) -> str:
    return " ".join(part for part in (directory.section_name(section) if section else "", directory.name(login) if login else "") if part) or "—"
