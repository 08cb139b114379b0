"""Migrating running instances to another version of their process, each as a whole or not at all.

The tokens keep their ids, variables and history; what changes is the element each stands on.  What a token waited for is
compared event by event: an event that is there in both versions keeps its row (a timer its due instant), one that is gone is
closed, one that is new is armed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table, delete, select, update

from engine.bpmn.activities import UserTask
from engine.bpmn.elements import ElementFailure, Flow, FlowNode
from engine.bpmn.execution import Execution, Token, awaited
from engine.bpmn.snapshot import dump, restore
from engine.bpmn.variables import plain
from engine.errors import InvalidState, NotFound, ValidationFailed
from engine.feel import FeelError
from engine.runtime import instances
from engine.runtime.live import MAX_LABEL
from engine.runtime.operations.common import running
from engine.runtime.operations.planning import Pairing
from engine.runtime.operations.values import MigrationCheck, MigrationPlan, MigrationProblem
from engine.runtime.operations.variables import read_execution
from engine.runtime.types import Instance
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.engine import Engine
    from engine.runtime.live import Live
    from engine.runtime.unit import Unit


@dataclass
class _Route:
    """Where the tokens of one instance go: by token id the new element and what it remembers then."""

    specs: dict[int, FlowNode] = field(default_factory=dict)
    memories: dict[int, dict[str, Any]] = field(default_factory=dict)
    problems: list[MigrationProblem] = field(default_factory=list)

    def refuse(self, spec: FlowNode, message: Words) -> None:
        self.problems.append(MigrationProblem(spec.bpmn_id, message))


def pairing_of(engine: Engine, conn: Connection, plan: MigrationPlan) -> Pairing:
    """The parsed versions of a plan.  Raises :class:`ValidationFailed` with all problems of a plan that is not sound."""
    if not plan.sound:
        wrong = [problem for problem in plan.problems if problem.severity == "error"]
        errors: dict[str, list[Any]] = {}
        for problem in wrong:
            errors.setdefault(problem.element_id, []).append(problem.message)
        raise ValidationFailed("The plan has %(count)d mistake(s). First: %(first)s", count=len(wrong), first=wrong[0].message, errors=errors)
    old = engine.definition("process", plan.process_id, plan.from_version, conn=conn).model
    new = engine.definition("process", plan.process_id, plan.to_version, conn=conn).model
    return Pairing(old, new, plan.mapping)


# --- looking -----------------------------------------------------------------------------------------------------------------


def running_keys(conn: Connection, plan: MigrationPlan, limit: int | None = None) -> list[int]:
    """The instances a plan is for: all that run in its old version, oldest first."""
    instance = tables.instance
    statement = (
        select(instance.c.key)
        .where(
            instance.c.process_id == plan.process_id,
            instance.c.version == plan.from_version,
            instance.c.state.in_(("ACTIVE", "SUSPENDED")),
        )
        .order_by(instance.c.key)
    )
    return list(conn.execute(statement if limit is None else statement.limit(limit)).scalars())


def check(engine: Engine, conn: Connection, plan: MigrationPlan, keys: Iterable[int] | None, limit: int) -> list[MigrationCheck]:
    """What would happen to each instance now.  Raises :class:`ValidationFailed` for a plan that is not sound."""
    pairing = pairing_of(engine, conn, plan)
    wanted = running_keys(conn, plan, limit) if keys is None else list(dict.fromkeys(keys))[:limit]
    instance, checks = tables.instance, []
    for key in wanted:
        row = conn.execute(select(instance).where(instance.c.key == key)).mappings().one_or_none()
        refusal = None
        if row is None:
            refusal = T("There is no process instance %(key)s.", key=key)
        elif row["process_id"] != plan.process_id or row["version"] != plan.from_version:
            refusal = _other_version(row, plan)
        elif row["state"] not in ("ACTIVE", "SUSPENDED"):
            refusal = T("This case has already ended (%(state)s).", state=row["state"])
        if refusal is not None:
            checks.append(MigrationCheck(key, (MigrationProblem("", refusal),)))
            continue
        execution = read_execution(engine, conn, key)
        tokens = tuple(dict.fromkeys(token.task_spec.bpmn_id for token in execution.tasks.values() if token is not execution.root))
        checks.append(MigrationCheck(key, tuple(_route(execution, pairing).problems), tokens))
    return checks


def _other_version(row: Mapping[str, Any], plan: MigrationPlan) -> Words:
    return T(
        "This case runs in version %(version)d of “%(process)s”, not in version %(needed)d of “%(wanted)s”.",
        version=row["version"],
        process=row["process_id"],
        needed=plan.from_version,
        wanted=plan.process_id,
    )


def _route(execution: Execution, pairing: Pairing) -> _Route:
    """Find the new place of every token, and say all that has none."""
    route = _Route()
    for token in execution.tasks.values():
        spec = token.task_spec
        new = pairing.image(spec)
        if new is None:
            # Of a repeated activity the body says it already.
            if not pairing.is_inner(spec):
                route.refuse(spec, T("“%(label)s” has no place in the new version. Choose an element for it, or move the case first.", label=spec.label))
            continue
        route.specs[token.id] = new
        around = None if token.parent is None or pairing.is_inner(spec) else route.specs.get(token.parent.id)
        if around is not None and (new.container or pairing.new.start) is not around:
            route.refuse(spec, T("“%(label)s” would leave the sub-process it runs in. Choose an element in the same one.", label=spec.label))
        try:
            route.memories[token.id] = _memory(token, new, pairing)
        except _Lost as lost:
            route.refuse(spec, lost.message)
    return route


class _Lost(Exception):
    """Something that a token remembers has no counterpart in the new version."""

    def __init__(self, message: Words) -> None:
        super().__init__(str(message))
        self.message = message


def _memory(token: Token, new: FlowNode, pairing: Pairing) -> dict[str, Any]:
    """What the token remembers, in the names of the new version (see :mod:`engine.bpmn` for who keeps what)."""
    memory, spec = dict(token.internal_data), token.task_spec
    if "flow" in memory and new.joins:
        memory["flow"] = _flow_id(spec, new, memory["flow"], pairing)
    for name in ("completed", "undo"):
        if name in memory:
            memory[name] = [_record(record, pairing, spec) for record in memory[name]]
    if "todo" in memory:
        memory["todo"] = [_name(name, pairing, spec) for name in memory["todo"]]
    if "activated" in memory:
        gateways = {name: (pairing.old.task_specs[name], _name(name, pairing, spec)) for name in memory["activated"]}
        memory["activated"] = {
            other: [_flow_id(gateway, pairing.new.task_specs[other], flow, pairing) for flow in memory["activated"][name]]
            for name, (gateway, other) in gateways.items()
        }
    if "happened" in memory:
        memory["happened"] = {_name(name, pairing, spec): parts for name, parts in memory["happened"].items()}
    return memory


def _record(record: dict[str, Any], pairing: Pairing, spec: FlowNode) -> dict[str, Any]:
    """A completed activity that can be undone."""
    changed = {**record, "e": _name(record["e"], pairing, spec)}
    if "c" in record:
        changed["c"] = [_record(inner, pairing, spec) for inner in record["c"]]
    return changed


def _name(name: str, pairing: Pairing, spec: FlowNode) -> str:
    found = pairing.image_name(name)
    if found is None:
        message = T("“%(label)s” remembers “%(element)s”, which has no place in the new version. Choose an element for it.", label=spec.label, element=name)
        raise _Lost(message)
    return found


def _flow_id(old: FlowNode, new: FlowNode, flow_id: str, pairing: Pairing) -> str:
    found = _flow(old, new, flow_id, pairing)
    if found is None:
        raise _Lost(T("A branch waits before “%(label)s”, and the new version has no flow for it there. Move the case first.", label=old.label))
    return found.id


def _flow(old: FlowNode, new: FlowNode, flow_id: str, pairing: Pairing) -> Flow | None:
    """The flow of the new join that stands for one of the old: the same id, else the one from the paired element."""
    for flow in new.flows_in:
        if flow.id == flow_id:
            return flow
    before = next((flow.source for flow in old.flows_in if flow.id == flow_id), None)
    source = None if before is None else pairing.image(before)
    found = [flow for flow in new.flows_in if flow.source is source]
    return found[0] if source is not None and len(found) == 1 else None


# --- doing -------------------------------------------------------------------------------------------------------------------


def migrate_instance(unit: Unit, plan: MigrationPlan, key: int, reason: str | None) -> Callable[[], Instance]:
    """Bring one instance to the new version.

    Raises :class:`ValidationFailed` for an unsound plan, :class:`InvalidState` saying why this instance cannot follow it (it ended,
    it moved on, an element has no place); then nothing of it is changed.
    """
    conn = unit.tx.conn
    pairing = pairing_of(unit.engine, conn, plan)
    live = running(unit, key)
    row = live.row
    if row["process_id"] != plan.process_id or row["version"] != plan.from_version:
        raise InvalidState(_other_version(row, plan))
    route = _route(live.execution, pairing)
    if route.problems:
        raise InvalidState(route.problems[0].message)
    definition = unit.engine.catalogue.find("process", plan.process_id, plan.to_version, conn)
    if definition is None:
        raise NotFound("There is no %(kind)s “%(id)s”. Deploy it first.", kind="process", id=plan.process_id)
    execution = live.execution
    old = {token.id: token.task_spec for token in execution.tasks.values()}
    for token in execution.tasks.values():
        token.task_spec, token.internal_data = route.specs[token.id], route.memories[token.id]
    # By way of its stored form, so that nothing of the old version is left in it.
    execution = live.execution = restore(pairing.new, live, dump(execution))
    row["definition_key"], row["version"] = definition.key, definition.version
    instance = tables.instance
    # The snapshot and the revision follow at the end of the command, in the same transaction.
    unit.tx.execute(update(instance).where(instance.c.key == key).values(definition_key=definition.key, version=definition.version))
    try:
        _follow_rows(unit, live, old)
        _follow_waits(unit, live, old, pairing)
    except (ElementFailure, FeelError) as failure:
        raise InvalidState("A new event cannot be armed: %(reason)s", reason=getattr(failure, "message", str(failure))) from failure
    unit.tx.audit(
        "instance.migrate",
        f"instance:{key}",
        process=plan.process_id,
        old=plan.from_version,
        new=plan.to_version,
        elements={
            old[token.id].bpmn_id: token.task_spec.bpmn_id for token in execution.tasks.values() if token is not execution.root
        },
        reason=reason,
    )
    if row["state"] == "ACTIVE":
        unit.run(live)
    return instances.later(live)


def _follow_rows(unit: Unit, live: Live, old: dict[int, FlowNode]) -> None:
    """Rows that name a live token's element name the new one: history, tasks, jobs, incidents, clocks."""
    tx = unit.tx
    for token in live.execution.tasks.values():
        before, spec, id = old[token.id], token.task_spec, token.task_spec.bpmn_id
        if token.history is not None and (id != before.bpmn_id or spec.bpmn_name != before.bpmn_name):
            activity = tables.activity
            name = spec.bpmn_name and spec.bpmn_name[:MAX_LABEL]
            tx.execute(update(activity).where(activity.c.key == token.history).values(element_id=id, name=name))
        if isinstance(spec, UserTask) and token.history is not None:
            _follow_task(unit, live, token)
        if id != before.bpmn_id:
            for table in (tables.job, tables.incident, tables.clock):
                tx.execute(update(table).where(table.c.instance_key == live.key, table.c.token == token.id).values(element_id=id))


def _follow_task(unit: Unit, live: Live, token: Token) -> None:
    """An open task shows the new version's name, form and properties; who has it and when it is due stay."""
    spec, task, execution = token.task_spec, tables.user_task, live.execution
    form = None if spec.form_id is None else plain(spec.form_id.evaluate(execution.view(token)))
    unit.tx.execute(
        update(task)
        .where(task.c.instance_key == live.key, task.c.token == token.id, task.c.state == "CREATED")
        .values(
            element_id=spec.bpmn_id,
            definition_key=live.row["definition_key"],
            name=spec.label[:MAX_LABEL],
            form_id=form,
            properties=dict(execution.properties(token)),
            revision=task.c.revision + 1,
        )
    )


def _follow_waits(unit: Unit, live: Live, old: dict[int, FlowNode], pairing: Pairing) -> None:
    """What the tokens wait for: kept where the event is still there, else closed; events that are new are armed.

    An event that has fired for the last time, or was closed on purpose, is not armed again because it stands in both versions.
    """
    rows: dict[int, list[tuple[Table, Mapping[str, Any]]]] = {}
    for table in (tables.timer, tables.subscription):
        found = unit.tx.execute(select(table).where(table.c.instance_key == live.key, table.c.token.is_not(None))).mappings().all()
        for row in found:
            rows.setdefault(row["token"], []).append((table, row))
    for token in list(live.execution.tasks.values()):
        before, after = awaited(old[token.id]), awaited(token.task_spec)
        conditions = token.internal_data.pop("conditions", {})
        is_open = {_event(before, reference) for reference in (*conditions, *(row["element_id"] for _, row in rows.get(token.id, ())))}
        kept = {event: image for event in before if (image := pairing.image(event)) in after and not _changed(event, image)}
        for table, row in rows.get(token.id, ()):
            if _event(before, row["element_id"]) not in kept:
                unit.tx.execute(delete(table).where(table.c.key == row["key"]))
            elif (reference := _renamed(kept, row["element_id"])) != row["element_id"]:
                unit.tx.execute(update(table).where(table.c.key == row["key"]).values(element_id=reference))
        still = {_renamed(kept, reference): value for reference, value in conditions.items() if _event(before, reference) in kept}
        if still:
            token.internal_data["conditions"] = still
        if token.id in live.execution.interrupted or not _entered(token):
            continue
        images = {pairing.image(event): event for event in before}
        for event in after:
            known = images.get(event)
            if known is None or (known not in kept and known in is_open):
                live.execution.arm(token, event)


def _event(events: list[FlowNode], reference: str) -> FlowNode | None:
    name = reference.partition("#")[0]
    return next((event for event in events if name in (event.name, event.bpmn_id)), None)


def _renamed(kept: Mapping[FlowNode, FlowNode], reference: str) -> str:
    _, mark, place = reference.partition("#")
    return f"{kept[_event(list(kept), reference)].name}{mark}{place}"


def _entered(token: Token) -> bool:
    """Whether the token's element is being done; one that gathers tokens, or stands in an incident, arms its events itself."""
    if token.internal_data.get("incident") == "run" and not token.children:
        return False
    return token.internal_data.get("gathered") is not False


def _changed(old: FlowNode, new: FlowNode) -> bool:
    """Whether an event waits for something else in the new version.

    A timer that runs keeps its due instant whatever the new version says about its length, as long as it is the same event; a
    message or signal of another name or key must be waited for anew.
    """
    named = [
        [(definition.kind, _text(definition.name), _text(definition.correlation_key)) for definition in event.definitions if definition.kind != "timer"]
        for event in (old, new)
    ]
    return named[0] != named[1]


def _text(value: Any) -> str | None:
    return None if value is None else value.text.strip()
