"""The case file, its clocks, its trail and its notifications, kept in step with what the engine did in one command.

``Observation`` is made for each command, reads the cases it touches in one statement, applies the engine's events in their
order, and writes in at most four more: clocks, case files, trail, notifications.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, update

from engine.bpmn.variables import plain
from engine.deadlines import Rule
from engine.deadlines.clock import UNTIL_RESUMED
from engine.deadlines.pauses import PAUSE_KINDS
from engine.errors import EngineError, ValidationFailed
from engine.forms import rights_of
from engine.organisation import excluded_by
from engine.runtime.casework.access import deputy_rule
from engine.runtime.casework.book import DEFAULT_LADDER
from engine.runtime.casework.casestate import (
    CaseState,
    Note,
    after_clock_change,
    evaluated,
    jsonable,
    names_of,
    people_of,
    read_cases,
    text_of,
    trail_row,
)
from engine.runtime.casework.labels import URGENCIES, labelled
from engine.runtime.casework.moments import instant, moment
from engine.runtime.casework.terms import shows_from, terms_of
from engine.runtime.limits import clocks, following
from engine.runtime.limits.clocks import ClockState
from engine.runtime.telling.notices import Notices
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

# What a case is called before its model says otherwise; the words of domain.md §1.0.3.
STATUS_RUNNING, STATUS_CLOSED, STATUS_TERMINATED = "办理中", "已办结", "终止"
ORDINARY_URGENCY = "平件"
PAUSE_PROPERTIES = frozenset({"clock.pause", "clock.pause.kind"})
"""Properties of an element that pause the other limits of its case."""


class Observation:
    """One command's events, applied to the cases they belong to."""

    def __init__(self, desk: Desk, tx: Any, effects: Any, note: Note) -> None:
        self.desk, self.tx, self.effects, self.note = desk, tx, effects, note
        self.now: datetime = tx.now
        self.trail: list[dict[str, Any]] = []
        self.notices = Notices(tx.now, tx.by)
        self.cases: dict[int, CaseState] = {}

    def run(self) -> None:
        if not self._load():
            return
        self.calendar = self.desk.engine.calendar
        self.book = self.desk.book(self.tx.conn)
        self.directory = self.desk.people.directory(self.tx.conn)
        for task in self.effects.tasks_ended:
            self._task_ended(task)
        self._happenings()
        for event in self.effects.activities:
            case = self.cases.get(event.root_key)
            if case is not None:
                self._apply(case, event)
        self._refresh_registers()
        for ended in self.effects.ended:
            if ended.parent_key is None and ended.root_key in self.cases:
                self._close(self.cases[ended.root_key], ended.state)
        moved = self._derive_clocks()
        for task in self.effects.tasks_created:
            self._task_created(task)
        following.settle(self.desk, self.tx, self.effects, self.cases)
        for case in self.cases.values():
            if case.new:
                # The status that it is opened with counts once the model had its chance to name another.
                self._status(case, case.row["status"])
        self._write()
        after_clock_change(self.desk, self.tx, moved, {key: case.clocks for key, case in self.cases.items()})

    def _derive_clocks(self) -> list[ClockState]:
        """Bring the changed clocks in line with their ledgers; returns those whose due instant moved, before and after a restart."""
        moved = []
        for case in self.cases.values():
            for clock in case.clocks:
                if clock.changed:
                    before = clock.row["due_at"]
                    clock.derive(self.calendar, self.book.ladder(clock.row["ladder_id"]))
                    moved_on = clock.live and clock.row["due_at"] != before
                    if clock.followed_by or (clock.follows if clock.new else moved_on):
                        moved.append(clock)
        return moved

    # -- which cases ---------------------------------------------------------------------------------------------------

    def _load(self) -> bool:
        effects = self.effects
        started = {event.key: event for event in effects.started if event.parent_key is None}
        roots = dict.fromkeys(event.root_key for event in (*effects.started, *effects.activities, *effects.ended))
        roots |= dict.fromkeys(task["root_key"] for task in (*effects.tasks_created, *effects.tasks_ended))
        roots |= dict.fromkeys(timer["case_key"] for timer in effects.following)
        for key, event in started.items():
            case = self._open(event)
            if case is None:
                self.desk.remember_plain(key)
            else:
                self.cases[key] = case
        for key in roots:
            if key in self.note.cases:
                self.cases[key] = self.note.cases[key]
        wanted = [key for key in roots if key not in self.cases and not self.desk.is_plain(key)]
        if wanted:
            found = read_cases(self.desk, self.tx.conn, wanted)
            self.cases.update(found)
            for key in wanted:
                if key not in found:
                    self.desk.remember_plain(key)
        return bool(self.cases)

    def _open(self, event: Any) -> CaseState | None:
        """A case file for a root instance whose process has a procedure sheet."""
        entry = self.desk.book(self.tx.conn).procedure(event.process_id)
        variables = event.variables
        if entry is None or not variables.get("case_no"):
            return None
        procedure_key, sheet = entry
        options = self.desk.labels.of(self.tx.conn, sheet)
        header = {name: text_of(labelled(options, formula, formula.value(variables))) for name, formula in sheet.header.items()}
        title = text_of(sheet.title.value(variables)) if sheet.title else ""
        applicant = header.get("applicant", "")[:300]
        county = self.desk.people.directory(self.tx.conn).section_name(header.get("county"))[:100]
        urgency = URGENCIES.get(header.get("urgency", ""), header.get("urgency", ""))[:20]
        title = (title or sheet.name)[:500]
        row = {
            "key": event.key, "case_no": variables["case_no"], "procedure_id": sheet.process, "procedure_key": procedure_key, "title": title,
            "applicant": applicant, "county": county, "urgency": urgency or ORDINARY_URGENCY,
            "section_code": header.get("section", "")[:60] or None, "status": STATUS_RUNNING, "result": None,
            "starter": variables.get("starter") or self.tx.by or "", "start_token": self.note.start_token,
            "received_at": instant(variables.get("received_at"), self.desk.zone) or self.now, "accepted_at": None, "closed_at": None,
            "register": {each.key: labelled(options, each.value, plain(each.value.value(variables))) for each in sheet.register},
            "search": " ".join((variables["case_no"], title, applicant, county)).lower(),
            "terms": terms_of(sheet, sheet, options, lambda formula: plain(formula.value(variables)), (), self.desk.zone),
            "terms_by": procedure_key, "public_at": None,
        }  # fmt: skip
        data = self.note.data if self.note.data is not None else _own_data(variables)
        self._trail(
            event.key, event.key, "start", actor=row["starter"] or None, details={"form_id": self.note.form_id, "data": plain(dict(data))}
        )
        return CaseState(row, sheet, new=True)

    # -- events --------------------------------------------------------------------------------------------------------

    def _apply(self, case: CaseState, event: Any) -> None:
        holder = (event.instance_key, event.token)
        if event.kind == "activated":
            self._activated(case, event, event.properties or {}, holder)
            return
        for clock in case.live_clocks:
            if clock.belongs_to(event.instance_key, event.token, event.element_id):
                clock.stop(self.now)
            else:
                self._release(case, clock, holder)
        if event.kind == "completed":
            self._completed(case, event, event.properties or {})

    def _release(self, case: CaseState, clock: ClockState, holder: tuple[int, int | None]) -> None:
        held = clock.clock.paused
        clock.release(holder, self.now)
        if held and not clock.clock.paused:
            self._trail(case.key, holder[0], "resume", details={"rule": clock.rule_id, "label": clock.row["label"]})

    def _activated(self, case: CaseState, event: Any, properties: Mapping[str, Any], holder: tuple[int, int | None]) -> None:
        value = self._values(event, properties)
        if status := text_of(value("status")):
            self._status(case, status[:40])
            case.status_given = True
        if result := text_of(value("result")):
            case.set(result=result[:200])
        if rule := self._rule(case, value("deadline")):
            self._start_clocks(case, event, rule, value("deadline.start"), text_of(value("ladder")), own=True)
        rule = self._rule(case, value("clock.start"))
        # A loop that passes here again grants no new time: a limit of the case starts once.
        if rule and not any(clock.of_case and clock.rule_id == rule.id for clock in case.live_clocks):
            self._start_clocks(case, event, rule, value("clock.start.from"), text_of(value("ladder")), own=False)
        if properties.keys() & PAUSE_PROPERTIES:
            self._pause(case, event, holder, value)
        if rule_id := text_of(value("clock.extend")):
            self._extend(case, event, rule_id, value("clock.extend.by"), text_of(value("clock.extend.reason")))
        if names := names_of(value("notify")):
            self._notify(case, event, names, text_of(value("notify.text")))

    def _completed(self, case: CaseState, event: Any, properties: Mapping[str, Any]) -> None:
        value = self._values(event, properties)
        stopping = names_of(value("clock.stop"))
        for clock in case.live_clocks:
            if clock.of_case and ("*" in stopping or not set(clock.family).isdisjoint(stopping)):
                clock.stop(self.now)
        if kinds := names_of(value("clock.resume")):
            self._resume(case, event, kinds)
        if rules := names_of(value("clock.restart")):
            self._restart(case, event, rules)
        if str(value("accepted")).lower() == "true" and case.row["accepted_at"] is None:
            case.set(accepted_at=self.now)
            if event.element_type != "userTask":
                # A person's decision has a line of its own; what the law decides by itself (视为受理) must have one too.
                self._trail(case.key, event.instance_key, "accept", element=event)

    def _happenings(self) -> None:
        """A line in the trail for each timer that fired and each message or signal that arrived, and for a caught error or escalation."""
        seen = set()
        for fired in self.effects.fired:
            seen.add(fired["element_id"])
            if fired["root_key"] in self.cases:
                row = trail_row(
                    fired["root_key"], fired["kind"], self.tx, instance_key=fired["instance_key"], element_id=fired["element_id"]
                )
                details = {"name": fired["name"]} if fired["name"] else {}
                # A message that a person sent from the case page bears their name; what came by itself bears none.
                actor, label = (self.tx.by, self.note.message_label) if self.note.sent_by_hand else (None, None)
                row.update(element_name=label or fired["label"], actor=actor, opinion=self.note.opinion or None, details=details)
                if self.note.sent_by_hand and self.note.data is not None:
                    details.update(form_id=self.note.form_id, data=plain(dict(self.note.data)))
                self.trail.append(row)
        for root_key, instance_key, element, definition, value, rules in self.note.decisions:
            if root_key in self.cases:
                row = trail_row(
                    root_key, "decision", self.tx, instance_key=instance_key, element_id=element.bpmn_id, element_name=element.label
                )
                row["details"] = {
                    "decision": definition.id,
                    "version": definition.version,
                    "result": plain(value),
                    "rules": jsonable(rules),
                }
                self.trail.append(row)
        for event in self.effects.activities:
            if (
                event.kind == "completed"
                and event.element_type == "boundaryEvent"
                and event.element_id not in seen
                and event.root_key in self.cases
            ):
                self._trail(event.root_key, event.instance_key, "event", element=event)

    def _values(self, event: Any, properties: Mapping[str, Any]) -> Any:
        def value(name: str) -> Any:
            found = properties.get(name)
            # The core hands properties over as they read when the element was entered; a text that still is FEEL is evaluated here.
            return evaluated(event, found) if isinstance(found, str) and found.startswith("=") else found

        return value

    # -- clocks --------------------------------------------------------------------------------------------------------

    def _rule(self, case: CaseState, rule_id: Any) -> Rule | None:
        rule_id = text_of(rule_id)
        if not rule_id:
            return None
        # A case keeps the rules of the day on which it was received, also for limits that begin later.
        rule = self.book.rule(rule_id, case.row["received_at"].astimezone(self.desk.zone).date())
        if rule is None:
            self.tx.audit("clock.unknown_rule", f"case:{case.key}", rule=rule_id)
        return rule

    def _start_clocks(self, case: CaseState, event: Any, rule: Rule, start: Any, ladder: str, *, own: bool) -> None:
        """Start a clock of ``rule``, and one of the limit that the office promises for it (承诺时限) where the table names one."""
        began: datetime | date = self.now
        try:
            began = moment(start, self.desk.zone) or self.now
        except ValidationFailed as error:
            # A wrong start in a form must not stop the office from working: the clock runs from now and the audit says so.
            self.tx.audit("clock.unreadable_start", f"case:{case.key}", rule=rule.id, reason=str(error))
        element = (event.element_id, event.token) if own else (None, None)
        promise = self.book.rules.promise(rule.id, case.row["received_at"].astimezone(self.desk.zone).date())
        for each in (rule, promise):
            if each is not None:
                chosen = ladder or each.ladder or (case.sheet.ladder if case.sheet else None) or DEFAULT_LADDER
                made = clocks.new_clock(
                    each, chosen, case_key=case.key, instance_key=event.instance_key, element_id=element[0], token=element[1], start=began,
                    now=self.now, rules_version=self.book.rules_version,
                    scope={"type": event.element_type, "name": event.name or event.element_id} if own else None,
                )  # fmt: skip
                case.clocks.append(made)

    def _pause(self, case: CaseState, event: Any, holder: tuple[int, int | None], value: Any) -> None:
        kind, document = text_of(value("clock.pause.kind")), text_of(value("clock.pause.document"))
        reason = text_of(value("clock.pause.reason")) or text_of(value("clock.pause"))
        if kind and kind not in PAUSE_KINDS:
            # A formula may give any text; the limits stand still nevertheless, for that reason.
            self.tx.audit("clock.unknown_kind", f"case:{case.key}", kind=kind)
            kind, reason = "", reason or kind
        if not kind and not reason:
            return
        until = UNTIL_RESUMED if text_of(value("clock.pause.until")) == UNTIL_RESUMED else ""
        paused = []
        for clock in case.live_clocks:
            if not clock.belongs_to(event.instance_key, event.token, event.element_id) and clock.clock.rule.pauses:
                clock.hold(holder, self.now, reason, kind=kind, document=document[:200], until=until)
                paused.append(clock.rule_id)
        if paused:
            details = {"rules": paused, **({"kind": kind} if kind else {}), **({"document": document[:200]} if document else {})}
            self._trail(case.key, event.instance_key, "pause", element=event, opinion=reason or None, details=details)

    def _resume(self, case: CaseState, event: Any, kinds: Collection[str]) -> None:
        """An element says that what the limits waited for has come."""
        wanted = None if "*" in kinds else frozenset(kinds)
        going = [clock for clock in case.live_clocks if clock.resume(self.now, wanted)]
        if going:
            details = {"rules": [clock.rule_id for clock in going], "kinds": sorted(kinds)}
            self._trail(case.key, event.instance_key, "resume", element=event, details=details)

    def _restart(self, case: CaseState, event: Any, rule_ids: Collection[str]) -> None:
        """The budgets of these rules start anew, as the law says of a reply after the correction of an application."""
        again = [clock for clock in case.live_clocks if not set(clock.family).isdisjoint(rule_ids)]
        for clock in again:
            case.clocks.append(clock.restarted(self.now))
            details = {"rule": clock.rule_id, "label": clock.row["label"]}
            self._trail(case.key, event.instance_key, "restart", element=event, details=details)
        if not again:
            self.tx.audit("clock.not_restarted", f"case:{case.key}", rules=sorted(rule_ids))

    def _extend(self, case: CaseState, event: Any, rule_id: str, amount: Any, reason: str) -> None:
        clock = next((each for each in case.live_clocks if each.rule_id == rule_id), None)
        if clock is None:
            self.tx.audit("clock.not_extended", f"case:{case.key}", rule=rule_id, reason="no such clock is running")
            return
        try:
            clock.extend(amount, None, reason, self.tx.by or "", self.now, self.calendar)
        except EngineError as error:
            # The approval stands on paper; what the rule does not allow is not granted, and everybody can read why.
            self._trail(case.key, event.instance_key, "extend_refused", element=event, opinion=str(error), details={"rule": rule_id})
            self.tx.audit("clock.not_extended", f"case:{case.key}", rule=rule_id, reason=str(error))
            return
        details = {"rule": rule_id, "amount": plain(amount), "label": clock.row["label"]}
        self._trail(case.key, event.instance_key, "extend", actor=self.tx.by, element=event, opinion=reason, details=details)

    # -- tasks ---------------------------------------------------------------------------------------------------------

    def _task_created(self, task: dict[str, Any]) -> None:
        case = self.cases.get(task["root_key"])
        if case is None or task["state"] != "CREATED":
            return
        live = case.live_clocks
        # A step with a promise has two limits of its own; the one that is due first, the promise, is the one to watch.
        own = [clock for clock in live if clock.belongs_to(task["instance_key"], task["token"], task["element_id"])]
        governing = clocks.most_urgent(own) or clocks.most_urgent(clock for clock in live if clock.of_case) or clocks.most_urgent(live)
        if governing is not None:
            task["clock_key"] = governing.key
            task["due_at"] = task.get("due_at") or governing.row["due_at"]
            for clock in own:
                clock.row["task_key"], clock.changed = task["key"], True
        words = T("New task: %(task)s — %(case_no)s %(title)s", task=task["name"], case_no=case.row["case_no"], title=case.row["title"])
        if task.get("assignee"):
            told: Collection[str] = [task["assignee"]]
        else:
            excluded = task.get("excluded") or ()
            everybody = people_of(self.directory, (*(task.get("candidate_users") or ()), *(task.get("candidate_groups") or ())))
            candidates = [login for login in everybody if not excluded_by(self.directory, login, excluded)]
            # Telling a whole house about each task teaches people to ignore the bell.
            told = candidates if len(candidates) <= self.desk.settings.notify_candidates_up_to else ()
        self.notices.tell(told, "assigned", words, case_key=case.key, task_key=task["key"], deputies=deputy_rule(task.get("properties")))

    def _task_ended(self, task: dict[str, Any]) -> None:
        case = self.cases.get(task["root_key"])
        if case is None or task["state"] != "COMPLETED":
            return
        note = self.note if self.note.task_key == task["key"] else Note()
        action = "return" if (note.outcome or "").startswith("return") else "complete"
        # The answers are read again with the form of all its steps: what this one did not show must not look unanswered there.
        without = sorted(rights_of(task.get("properties") or {}).hidden)
        hidden = {"hidden": without} if without else {}
        self.trail.append(
            {
                **trail_row(case.key, action, self.tx, instance_key=task["instance_key"]),
                "task_key": task["key"], "element_id": task["element_id"], "element_name": task["name"],
                "actor": task.get("completed_by") or self.tx.by, "on_behalf_of": note.on_behalf_of, "outcome": note.outcome,
                "outcome_label": note.outcome_label, "opinion": note.opinion or None, "received_at": task["created_at"],
                "details": {"form_id": note.form_id or task.get("form_id"), "data": plain(dict(note.data or {})), **hidden},
            }
        )  # fmt: skip

    # -- the case as a whole -------------------------------------------------------------------------------------------

    def _refresh_registers(self) -> None:
        """Register columns and the owner section follow the case's variables; the last event at the top level can see them."""
        last = {event.root_key: event for event in self.effects.activities if event.instance_key == event.root_key}
        for key, event in last.items():
            case = self.cases.get(key)
            if case is None or case.sheet is None:
                continue
            register = dict(case.row["register"] or {})
            options = self.desk.labels.of(self.tx.conn, case.sheet)
            for column in case.sheet.register:
                value = column.value.source if column.value.expression is None else plain(evaluated(event, column.value.source))
                if value is not None:
                    register[column.key] = labelled(options, column.value, value)
            case.set(register=register)
            key, in_use = self._sheet_in_use(case)
            terms = terms_of(
                in_use, case.sheet, self.desk.labels.of(self.tx.conn, in_use), lambda formula, event=event: plain(evaluated(event, formula.source)),
                case.row["terms"], self.desk.zone,
            )  # fmt: skip
            case.set(terms=terms, terms_by=key)
            section = case.sheet.header.get("section")
            code = text_of(evaluated(event, section.source)) if section is not None and section.expression is not None else ""
            if code:
                case.set(section_code=code[:60])

    def _sheet_in_use(self, case: CaseState) -> tuple[int, Any]:
        """Key and sheet by which the case is searched and shown outside: the one in use; its own where there is none any more."""
        return self.book.procedure(case.row["procedure_id"]) or (case.row["procedure_key"], case.sheet)

    def _status(self, case: CaseState, status: str) -> None:
        """Give the case a status; from the first one that the sheet names, people outside the office may see of it what is public."""
        case.set(status=status)
        if case.row["public_at"] is None and case.sheet is not None and shows_from(self._sheet_in_use(case)[1], status):
            case.set(public_at=self.now)

    def _close(self, case: CaseState, state: str) -> None:
        for clock in case.live_clocks:
            clock.stop(self.now)
        case.set(closed_at=self.now)
        if state != "COMPLETED":
            case.set(result=case.row["result"] or STATUS_TERMINATED)
            self._status(case, STATUS_TERMINATED)
        elif not case.status_given:
            self._status(case, STATUS_CLOSED)
        self._trail(case.key, case.key, "close", details={"state": state, "status": case.row["status"], "result": case.row["result"]})

    def _notify(self, case: CaseState, event: Any, names: Iterable[str], text: str) -> None:
        told = people_of(self.directory, names)
        words: Words
        if text:
            words = T("%(text)s", text=text)
        else:
            words = T(
                "%(step)s: %(case_no)s %(title)s", step=event.name or event.element_id, case_no=case.row["case_no"], title=case.row["title"]
            )
        self.notices.tell(told, "notice", words, case_key=case.key)

    # -- writing -------------------------------------------------------------------------------------------------------

    def _trail(
        self, case_key: int, instance_key: int | None, action: str, *, actor: str | None = None, element: Any = None, opinion: str | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        row = trail_row(case_key, action, self.tx, instance_key=instance_key)
        row.update(actor=actor, opinion=opinion, details=dict(details or {}))
        if element is not None:
            row.update(element_id=element.element_id, element_name=element.name)
        self.trail.append(row)

    def _write(self) -> None:
        for case in self.cases.values():
            if case.new:
                self.tx.add(tables.case_file, **case.row)
        changed = [case for case in self.cases.values() if case.changed and not case.new]
        # Cases that changed the same columns share a statement; a command seldom touches more than one case.
        for columns in {frozenset(case.changed) for case in changed}:
            statement = update(tables.case_file).where(tables.case_file.c.key == bindparam("case_key_"))
            statement = statement.values({name: bindparam(f"new_{name}") for name in columns})
            rows = [
                {"case_key_": case.key, **{f"new_{name}": case.row[name] for name in columns}}
                for case in changed
                if frozenset(case.changed) == columns
            ]
            self.tx.execute(statement, rows)
        clocks.write(self.tx.conn, [clock for case in self.cases.values() for clock in case.clocks])
        for row in self.trail:
            self.tx.add(tables.trail, **row)
        self.notices.post(self.desk, self.tx)


def _own_data(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in variables.items() if name not in ("case_no", "starter")}
