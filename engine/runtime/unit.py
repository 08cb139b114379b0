"""The unit of work: every instance a command touches, run to its next wait states, then written together (design.md §1.4).

A command may reach several instances: a caller and its called process, the receivers of a message.  They are loaded once each,
run until all wait, and stored with one statement a table.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, insert, or_, select, update

from engine.bpmn.elements import ElementFailure, FlowNode
from engine.bpmn.execution import Execution, Token
from engine.bpmn.snapshot import dump, restore
from engine.bpmn.variables import plain
from engine.errors import EngineError, InvalidState, NotFound, ValidationFailed
from engine.runtime.effects import Effects, InstanceEvent
from engine.runtime.live import Live
from engine.runtime.operations import history
from engine.runtime.transaction import Stale, Transaction
from engine.store import queries, tables
from engine.store.types import DIALECT_INSERTS, new_key
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.catalogue import Definition
    from engine.runtime.engine import Engine

MAX_INSTANCES = 2_000
"""Instances one command may start; beyond it a process is assumed to call itself without end."""


class Unit:
    """Collects what a command does; :meth:`finish` writes it.  Not shared between threads."""

    def __init__(self, engine: Engine, tx: Transaction) -> None:
        self.engine, self.tx = engine, tx
        self.effects = Effects()
        self.lives: dict[int, Live] = {}
        self.activities: dict[int, dict[str, Any]] = {}
        self.ended_activities: list[dict[str, Any]] = []
        self.timers: list[dict[str, Any]] = []
        self.subscriptions: list[dict[str, Any]] = []
        self.opened_messages: list[dict[str, Any]] = []
        self.jobs: list[dict[str, Any]] = []
        self.stores: dict[str, Any] = {}
        self._later: deque[Callable[[], None]] = deque()
        self._functions: dict[int, Mapping[str, Any]] = {}
        self._ended: set[int] = set()
        self._with_written_waits: set[int] = set()

    def functions(self, root_key: int) -> Mapping[str, Any]:
        """The host functions for FEEL in the case ``root_key``."""
        if root_key not in self._functions:
            self._functions[root_key] = self.engine.desk.functions(self.tx, root_key)
        return self._functions[root_key]

    def later(self, action: Callable[[], None]) -> None:
        """Do ``action`` when the instance now running waits: two instances never run inside one another."""
        self._later.append(action)

    # --- getting instances -----------------------------------------------------------------------------------------------

    def start(
        self,
        definition: Definition,
        variables: Mapping[str, Any],
        *,
        business_key: str | None = None,
        parent: Live | None = None,
        parent_token: int | None = None,
        start_event: str | None = None,
        key: int | None = None,
        correlation_key: str | None = None,
        place: Callable[[Execution], None] | None = None,
    ) -> Live:
        """Create an instance of ``definition`` and run it.

        It begins at its start event, at ``start_event`` (as a row of the definition names it), or where ``place`` puts tokens.
        Raises :class:`ValidationFailed` for variables without a JSON form and :class:`InvalidState` for a suspended definition.
        """
        if len(self.lives) >= MAX_INSTANCES:
            raise InvalidState(
                "More than %(limit)d instances were started by one command; does a process call itself?", limit=MAX_INSTANCES
            )
        definition.require_startable()
        spec = definition.model
        key = key or new_key()
        values = checked_variables(variables)
        if parent is None:
            values = {**values, **self.engine.desk.before_start(self.tx, definition, values, key)}
        row = {
            "key": key,
            "process_id": definition.id,
            "version": definition.version,
            "definition_key": definition.key,
            "state": "ACTIVE",
            "business_key": business_key,
            "parent_key": parent.key if parent else None,
            "parent_token": parent_token,
            "root_key": parent.row["root_key"] if parent else key,
            "revision": 1,
            "snapshot": "",
            "started_at": self.tx.now,
            "started_by": self.tx.by,
            "ended_at": None,
            "ended_by": None,
            "end_reason": None,
            "removal_at": None,
            "correlation_key": correlation_key,
        }
        live = Live(self, row, is_new=True)
        live.execution = Execution(spec, live)
        self.lives[key] = live
        live.execution.begin(values, start_event, place)
        if live.history_level == "full":
            history.record_start(self, live, values)
        self.effects.started.append(self._event(live))
        self.run(live)
        return live

    def start_child(self, parent: Live, token: Token, process_id: str, variables: dict[str, Any]) -> None:
        """A call activity starts the latest version of the called process."""
        if not token.alive:
            return
        definition = self._bound("process", process_id, parent, token)
        if definition is None:
            message = T("“%(label)s” calls the process “%(id)s”, which is not deployed.", label=token.task_spec.label, id=process_id)
            parent.execution.fail(token, ElementFailure("CALLED_ELEMENT_ERROR", message))
            return
        if definition.suspended_at is not None:
            message = T(
                "“%(label)s” calls the process “%(id)s”, which is suspended. Resume it, then retry.", label=token.task_spec.label, id=process_id
            )
            parent.execution.fail(token, ElementFailure("CALLED_ELEMENT_ERROR", message))
            return
        self.start(definition, variables, parent=parent, parent_token=token.id)

    def _bound(self, kind: str, id: str, live: Live, token: Token) -> Definition | None:
        """The version of a called process or decision that the element is bound to: the latest, the one that was in force when the
        calling process was deployed, or the latest with a version tag (dialect: resource binding)."""
        spec, conn = token.task_spec, self.tx.conn
        binding = getattr(spec, "binding", "latest")
        if binding == "deployment":
            own = self.engine.catalogue.get(live.row["definition_key"], conn=conn)
            return self.engine.catalogue.deployed_by(kind, id, own.deployment_key, conn=conn)
        if binding == "versionTag":
            return self.engine.catalogue.tagged(kind, id, spec.version_tag, conn=conn)
        return self.engine.catalogue.find(kind, id, conn=conn)

    def load(self, key: int, *, skip_locked: bool = False) -> Live | None:
        """Bring an instance into the unit and lock it.

        Raises :class:`NotFound`; with ``skip_locked`` gives ``None`` when somebody else is working on it.
        """
        if key in self.lives:
            return self.lives[key]
        statement = queries.LOCK_INSTANCE
        if skip_locked:
            statement = statement.with_for_update(skip_locked=True)
        row = self.tx.execute(statement, {"the_key": key}).mappings().one_or_none()
        if row is None:
            if skip_locked:
                return None
            raise NotFound("There is no process instance %(key)s.", key=key)
        return self.adopt(dict(row))

    def adopt(self, row: dict[str, Any]) -> Live:
        """As :meth:`load`, with a row already read and locked."""
        if row["key"] in self.lives:
            return self.lives[row["key"]]
        live = Live(self, row, is_new=False)
        definition = self.engine.catalogue.get(row["definition_key"], conn=self.tx.conn)
        live.execution = restore(definition.model, live, row["snapshot"])
        live.execution.ended = row["state"] in ("COMPLETED", "TERMINATED")
        self.lives[live.key] = live
        return live

    @staticmethod
    def require_active(live: Live) -> None:
        """Refuse to move a suspended or ended instance."""
        state = live.row["state"]
        if state == "SUSPENDED":
            raise InvalidState("This case is suspended; resume it first.")
        if state != "ACTIVE":
            raise InvalidState("This case has already ended (%(state)s).", state=state)

    # --- running ---------------------------------------------------------------------------------------------------------

    def run(self, live: Live) -> None:
        """Run one instance to its wait states and note its end."""
        live.execution.run()
        self._note_end(live)

    def settle(self) -> None:
        """Run until no instance of the unit can move."""
        while self._later or self.opened_messages:
            if self._later:
                self._later.popleft()()
            else:
                self._deliver_buffered()

    def _note_end(self, live: Live) -> None:
        if not live.execution.ended or live.key in self._ended:
            return
        self._ended.add(live.key)
        if live.row["state"] in ("ACTIVE", "SUSPENDED"):
            live.row["state"] = "COMPLETED"
        live.row["ended_at"], live.row["ended_by"] = self.tx.now, self.tx.by
        live.row["removal_at"] = history.removal_at(self.engine, live.definition, self.tx.now)
        self.effects.ended.append(self._event(live))
        if live.row["correlation_key"] is not None:
            self.later(lambda: self._release_key(live))
        if live.row["parent_key"] and live.row["state"] == "COMPLETED":
            self.later(lambda: self._return_to_parent(live))

    def _return_to_parent(self, child: Live) -> None:
        parent = self.load(child.row["parent_key"])
        token = parent.execution.token(child.row["parent_token"])
        if token is None:
            return
        token.task_spec.returned(token, dict(child.execution.variables))
        self.run(parent)

    def _event(self, live: Live) -> InstanceEvent:
        row = live.row
        variables = live.execution.variables
        return InstanceEvent(
            row["key"],
            row["process_id"],
            row["version"],
            row["definition_key"],
            row["root_key"],
            row["parent_key"],
            row["business_key"],
            variables,
            row["state"],
            row["end_reason"],
        )

    def terminate(self, live: Live, reason: str | None) -> None:
        """End an instance and the instances it called."""
        live.row["state"], live.row["end_reason"] = "TERMINATED", reason
        live.execution.cancel_all()
        self._note_end(live)
        self._terminate_children(live, reason)

    def _terminate_children(self, live: Live, reason: str | None) -> None:
        tokens = live.closed["call"]
        if not tokens:
            return
        live.closed["call"] = []
        in_unit = [other for other in self.lives.values() if other.row["parent_key"] == live.key and other.row["parent_token"] in tokens]
        statement = select(tables.instance).where(
            tables.instance.c.parent_key == live.key,
            tables.instance.c.parent_token.in_(tokens),
            tables.instance.c.state.in_(("ACTIVE", "SUSPENDED")),
        )
        for row in self.tx.execute(statement.with_for_update()).mappings().all():
            if row["key"] not in self.lives:
                in_unit.append(self.adopt(dict(row)))
        for child in in_unit:
            if not child.execution.ended:
                self.terminate(child, reason)

    # --- decisions, errors -----------------------------------------------------------------------------------------------

    def decide(self, live: Live, token: Token, decision_id: str, context: Mapping[str, Any]) -> Any:
        """Evaluate the latest version of a decision; what fired is kept in the case's trail for the 决策依据 tab."""
        definition = self._bound("decision", decision_id, live, token)
        if definition is None:
            raise ElementFailure(
                "DECISION_ERROR",
                T("“%(label)s” asks the decision “%(id)s”, which is not deployed.", label=token.task_spec.label, id=decision_id),
            )
        try:
            result = definition.model.evaluate(context)
        except EngineError as error:
            raise ElementFailure(
                "DECISION_ERROR",
                T(
                    "The decision “%(id)s” of “%(label)s” failed: %(reason)s",
                    id=decision_id,
                    label=token.task_spec.label,
                    reason=error.message,
                ),
            ) from error
        if result.failure is not None:
            raise ElementFailure(
                "DECISION_ERROR",
                T("The decision “%(id)s” of “%(label)s” failed: %(reason)s", id=decision_id, label=token.task_spec.label, reason=result.failure),
                {"decision": decision_id, "rules": result.rules},
            )
        value = plain(result.value)
        self.engine.desk.decided(self.tx, live.row["root_key"], live.key, token.task_spec, definition, value, result.rules)
        return value

    def escaped(self, live: Live, kind: str, code: str, message: str, variables: dict[str, Any]) -> bool:
        """An error or escalation that nobody in ``live`` caught: offer it to the calling instance."""
        if live.row["parent_key"] is None:
            return False
        parent = self.load(live.row["parent_key"])
        token = parent.execution.token(live.row["parent_token"])
        if token is None or (parent.execution.find_catcher(token, kind, code) is None and parent.row["parent_key"] is None):
            return False

        def throw() -> None:
            if kind == "error":
                parent.execution.throw_error(token, code, message, variables)
            else:
                parent.execution.throw_escalation(token, code, variables)
            self.run(parent)

        self.later(throw)
        return True

    # --- data stores -----------------------------------------------------------------------------------------------------

    def read_store(self, name: str) -> Any:
        """What lies in a data store; ``None`` when nothing was ever written."""
        if name not in self.stores:
            store = tables.data_store
            return self.tx.execute(select(store.c.value).where(store.c.name == name)).scalar()
        return self.stores[name]

    def _write_stores(self) -> None:
        for name, value in self.stores.items():
            store = tables.data_store
            statement = DIALECT_INSERTS[self.tx.conn.dialect.name](store).values(name=name, value=value, changed_at=self.tx.now)
            self.tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value, "changed_at": self.tx.now}))
            self.tx.audit("data_store.write", f"data_store:{name}", value=value)

    # --- messages and signals --------------------------------------------------------------------------------------------

    def correlate(self, name: str, correlation_key: str, variables: Mapping[str, Any], *, starts: bool = True) -> int:
        """Hand a message to at most one waiting instance of each process, and to message start events.

        Gives the number of receivers.  Without a correlation key on the waiting side the name alone matches.
        """
        self.flush_waits()
        subscription, instance = tables.subscription, tables.instance
        statement = (
            select(subscription, instance.c.process_id, instance.c.state)
            .outerjoin(instance, instance.c.key == subscription.c.instance_key)
            .where(
                subscription.c.kind == "message",
                subscription.c.name == name,
                or_(subscription.c.correlation_key == correlation_key, subscription.c.correlation_key == ""),
            )
            .order_by(subscription.c.key)
        )
        receivers, served = 0, set()
        rows = self.tx.execute(statement).mappings().all()
        for row in rows:
            if row["instance_key"] is None:
                continue
            process_id = row["process_id"] or self.lives[row["instance_key"]].row["process_id"]
            if process_id in served or row["state"] == "SUSPENDED":
                continue
            if self._receive(row, variables, "message", name):
                served.add(process_id)
                receivers += 1
        for row in rows if starts else ():
            if row["instance_key"] is None and self._start_by_message(row, name, correlation_key, variables, served):
                receivers += 1
        return receivers

    def _start_by_message(
        self, row: Mapping[str, Any], name: str, correlation_key: str, variables: Mapping[str, Any], served: set[str]
    ) -> bool:
        """Start an instance by a message, unless the message has reached a running one of the process, or one that was started with
        the same correlation key still runs: then the message waits for its end (dialect: message start events)."""
        self.engine.catalogue.refresh(self.tx.conn)
        definition = self.engine.catalogue.get(row["definition_key"], conn=self.tx.conn)
        if definition.id in served or definition.suspended_at is not None:
            return False
        key = new_key()
        if correlation_key and not self._claim_key(definition.id, correlation_key, key):
            return False
        live = self.start(definition, variables, start_event=row["element_id"], key=key, correlation_key=correlation_key or None)
        self._fired(live, live.execution.starter(row["element_id"]), "message", name)
        served.add(definition.id)
        return True

    def _claim_key(self, process_id: str, correlation_key: str, instance_key: int) -> bool:
        """Claim that the one running instance of ``process_id`` for ``correlation_key`` is ``instance_key``: a unique insert."""
        claim = tables.message_start
        statement = DIALECT_INSERTS[self.tx.conn.dialect.name](claim).values(
            process_id=process_id, correlation_key=correlation_key, instance_key=instance_key
        )
        return self.tx.execute(statement.on_conflict_do_nothing().returning(claim.c.instance_key)).first() is not None

    def _release_key(self, live: Live) -> None:
        """An instance that was started by a message with a correlation key has ended: the next kept message may start one."""
        key = live.row["correlation_key"]
        if key is None:
            return
        process_id, message, subscription = live.row["process_id"], tables.message, tables.subscription
        self.tx.execute(delete(tables.message_start).where(tables.message_start.c.instance_key == live.key))
        statement = (
            select(message)
            .join(subscription, and_(subscription.c.name == message.c.name, subscription.c.kind == "message"))
            .where(subscription.c.instance_key.is_(None), message.c.correlation_key == key, message.c.expires_at > self.tx.now)
            .order_by(message.c.key)
            .with_for_update(of=message, skip_locked=True)
            .add_columns(subscription.c.definition_key, subscription.c.element_id)
        )
        for row in self.tx.execute(statement).mappings().all():
            if self.engine.catalogue.get(row["definition_key"], conn=self.tx.conn).id != process_id:
                continue
            if self._start_by_message(row, row["name"], key, row["variables"], set()):
                self.tx.execute(delete(message).where(message.c.key == row["key"]))
                return

    def broadcast(self, name: str, variables: Mapping[str, Any], *, besides: int | None = None) -> int:
        """Hand a signal to everybody who waits for it (BPMN 2.0 §10.5.7), but not to the instance ``besides``, which threw it and
        has served its own; gives the number of receivers."""
        self.flush_waits()
        subscription = tables.subscription
        statement = select(subscription).where(subscription.c.kind == "signal", subscription.c.name == name).order_by(subscription.c.key)
        receivers, rows = 0, self.tx.execute(statement).mappings().all()
        # Definitions of which an instance waits at its parallel multiple start event for just this part.
        completing: set[int] = set()
        for row in rows:
            if row["instance_key"] not in (None, besides) and self._receive(row, variables, "signal", name):
                receivers += 1
                live = self.lives[row["instance_key"]]
                if row["element_id"].partition("#")[0] in {node.name for node in live.definition.model.starters}:
                    completing.add(live.definition.key)
        for row in rows:
            if row["instance_key"] is None and row["definition_key"] not in completing:
                receivers += self._start_by_event(row, "signal", name, variables)
        return receivers

    def _start_by_event(self, row: Mapping[str, Any], kind: str, name: str, variables: Mapping[str, Any]) -> bool:
        self.engine.catalogue.refresh(self.tx.conn)
        definition = self.engine.catalogue.get(row["definition_key"], conn=self.tx.conn)
        if definition.suspended_at is not None:
            return False
        live = self.start(definition, variables, start_event=row["element_id"])
        self._fired(live, live.execution.starter(row["element_id"]), kind, name)
        return True

    def evaluate_conditions(self, variables: Mapping[str, Any]) -> int:
        """Start an instance at each conditional start event whose condition holds for ``variables``; gives their number."""
        subscription = tables.subscription
        statement = select(subscription).where(subscription.c.kind == "condition").order_by(subscription.c.key)
        started = 0
        for row in self.tx.execute(statement).mappings().all():
            definition = self.engine.catalogue.get(row["definition_key"], conn=self.tx.conn)
            id, _, place = row["element_id"].partition("#")
            condition = definition.model.task_specs[id].definitions[int(place or 0)].condition
            if condition.evaluate({**self.functions(0), **variables}) is True:
                started += self._start_by_event(row, "condition", "", variables)
        return started

    def _receive(self, row: Mapping[str, Any], variables: Mapping[str, Any], kind: str, name: str) -> bool:
        live = self.load(row["instance_key"])
        token = live.execution.token(row["token"])
        if token is None or live.row["state"] != "ACTIVE":
            return False
        return self.fire(live, token, row["element_id"], variables, kind, name)

    def fire(self, live: Live, token: Token, element_id: str, variables: Mapping[str, Any], kind: str, name: str = "") -> bool:
        """Trigger the event ``element_id`` that ``token`` waits for; ``False`` when the model has it no more."""
        found = live.execution.awaited_event(token, element_id)
        if found is None or not token.armed:
            return False
        event, index = found
        self._fired(live, event, kind, name)
        live.execution.trigger(token, event, variables, index)
        self.run(live)
        return True

    def _fired(self, live: Live, event: FlowNode, kind: str, name: str) -> None:
        self.effects.fired.append(
            {
                "kind": kind,
                "name": name,
                "element_id": event.bpmn_id,
                "label": event.label,
                "instance_key": live.key,
                "root_key": live.row["root_key"],
            }
        )

    def _deliver_buffered(self) -> None:
        """A subscription that was just opened takes a message that was published before (dialect: message buffering)."""
        opened, self.opened_messages = self.opened_messages, []
        message = tables.message
        statement = (
            select(message)
            .where(message.c.name.in_({row["name"] for row in opened}), message.c.expires_at > self.tx.now)
            .order_by(message.c.key)
            .with_for_update(skip_locked=True)
        )
        for found in self.tx.execute(statement).mappings().all():
            for row in opened:
                live = self.lives[row["instance_key"]]
                if row["name"] != found["name"] or row["correlation_key"] not in ("", found["correlation_key"]):
                    continue
                token = live.execution.token(row["token"])
                if token is not None and self.fire(live, token, row["element_id"], found["variables"], "message", found["name"]):
                    self.tx.execute(delete(message).where(message.c.key == found["key"]))
                    break

    def flush_waits(self) -> None:
        """Write subscriptions and timers so that queries see them."""
        for live in self.lives.values():
            for table, tokens in ((tables.timer, live.closed_timers), (tables.subscription, live.closed_subscriptions)):
                if tokens and (not live.is_new or live.key in self._with_written_waits):
                    self.tx.execute(delete(table).where(table.c.instance_key == live.key, table.c.token.in_(sorted(set(tokens)))))
                tokens.clear()
        for table, rows in ((tables.timer, self.timers), (tables.subscription, self.subscriptions)):
            if rows:
                self.tx.execute(insert(table), rows)
                self._with_written_waits.update(row["instance_key"] for row in rows)
        self.effects.written_timers.update(row["key"] for row in self.effects.following)
        self.timers, self.subscriptions = [], []

    # --- user tasks ------------------------------------------------------------------------------------------------------

    def complete_task(self, row: Mapping[str, Any], variables: Mapping[str, Any]) -> Live:
        """Complete the user task ``row`` (a full ``user_task`` row of state CREATED) and run on.

        The instance must be loaded or loadable.  Raises :class:`Conflict` when the task is already done.
        """
        live = self.load(row["instance_key"])
        self.require_active(live)
        token = live.execution.token(row["token"])
        if token is None or token.task_spec.bpmn_id != row["element_id"]:
            raise Stale("the task's token is gone")
        ended = {**row, "state": "COMPLETED", "ended_at": self.tx.now, "completed_by": self.tx.by}
        changed = self.tx.execute(queries.COMPLETE_TASK, {"the_key": row["key"], "seen_revision": row["revision"], "now": self.tx.now, "who": self.tx.by})
        if changed.rowcount != 1:
            raise Stale("the task was changed meanwhile")
        self.effects.tasks_ended.append(ended)
        live.execution.complete_token(token, checked_variables(variables))
        self.run(live)
        return live

    # --- the end of the command ------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Run what is left, tell the desk, write everything."""
        self.settle()
        self._close_ended_work()
        self.engine.desk.note_of(self.tx).unit = self
        self.engine.desk.observe(self.tx, self.effects)
        self._write()

    def _close_ended_work(self) -> None:
        for live in list(self.lives.values()):
            self._terminate_children(live, None)
        self.settle()
        for live in self.lives.values():
            tokens = live.closed["task"]
            if tokens:
                for row in self.effects.tasks_created:
                    if row["instance_key"] == live.key and row["token"] in tokens:
                        row.update(state="CANCELED", ended_at=self.tx.now)
                if not live.is_new:
                    task = tables.user_task
                    statement = (
                        update(task)
                        .where(task.c.instance_key == live.key, task.c.token.in_(tokens), task.c.state == "CREATED")
                        .values(state="CANCELED", ended_at=self.tx.now, revision=task.c.revision + 1)
                        .returning(*task.c)
                    )
                    self.effects.tasks_ended.extend(dict(row) for row in self.tx.execute(statement).mappings())
            tokens = live.closed["incident"]
            if tokens and not live.is_new:
                self._resolve_incidents(tables.incident.c.instance_key == live.key, tables.incident.c.token.in_(tokens))
            tokens = live.closed["job"]
            if tokens:
                for row in self.jobs:
                    if row["instance_key"] == live.key and row["token"] in tokens:
                        row.update(state="CANCELED", ended_at=self.tx.now)
                if not live.is_new:
                    job = tables.job
                    cancelled = self.tx.execute(
                        update(job)
                        .where(job.c.instance_key == live.key, job.c.token.in_(tokens), job.c.state.in_(("CREATED", "FAILED")))
                        .values(state="CANCELED", ended_at=self.tx.now)
                        .returning(job.c.key, job.c.retries)
                    ).all()
                    given_up = [row.key for row in cancelled if row.retries <= 0]
                    if given_up:
                        self._resolve_incidents(tables.incident.c.job_key.in_(given_up))

    def _resolve_incidents(self, *which: Any) -> None:
        """What stood in an incident is gone: nobody has to look at it any more."""
        incident = tables.incident
        self.tx.execute(update(incident).where(*which, incident.c.resolved_at.is_(None)).values(resolved_at=self.tx.now, resolved_by=self.tx.by))

    def _write(self) -> None:
        history.record_changes(self)
        for live in self.lives.values():
            live.row["snapshot"] = dump(live.execution)
        instance = tables.instance
        fresh = [live.row for live in self.lives.values() if live.is_new]
        if fresh:
            self.tx.execute(insert(instance), fresh)
        for live in self.lives.values():
            if live.is_new:
                continue
            row = live.row
            values = {f"new_{name}": row[name] for name in ("snapshot", "state", "ended_at", "ended_by", "end_reason", "removal_at")}
            changed = self.tx.execute(queries.SAVE_INSTANCE, {"the_key": live.key, "seen_revision": row["revision"], **values})
            if changed.rowcount != 1:
                raise Stale("the instance was changed meanwhile")
            live.row["revision"] += 1
        self._write_stores()
        if self.ended_activities:
            self.tx.execute(queries.END_ACTIVITIES, self.ended_activities)
        self.flush_waits()
        for table, rows in (
            (tables.activity, list(self.activities.values())),
            (tables.user_task, self.effects.tasks_created),
            (tables.job, self.jobs),
        ):
            if rows:
                self.tx.execute(insert(table), rows)
        candidates = [
            {"task_key": row["key"], "kind": kind, "name": name}
            for row in self.effects.tasks_created
            if row["state"] == "CREATED"
            for kind, column in (("group", "candidate_groups"), ("user", "candidate_users"))
            for name in row[column]
        ]
        if candidates:
            self.tx.execute(insert(tables.task_candidate), candidates)


def checked_variables(variables: Mapping[str, Any] | None) -> dict[str, Any]:
    """Variables as JSON values.  Raises :class:`ValidationFailed` naming the variable that has no JSON form."""
    checked: dict[str, Any] = {}
    for name, value in (variables or {}).items():
        if not isinstance(name, str) or not name:
            raise ValidationFailed("A variable needs a name; got %(name)s.", name=repr(name))
        try:
            plain(name)
            checked[name] = plain(value)
        except TypeError as error:
            message = T("“%(name)s” cannot be stored: %(reason)s.", name=name, reason=str(error))
            raise ValidationFailed(message, errors={name: [message]}) from error
    return checked
