"""Moving the tokens of a running instance by hand: cancel here, start there.

A token is started *before* its element, which then runs as if a flow had led to it.  A sub-process that is not running is
entered on the way: its variables are mapped, its boundary events and event sub-processes armed, but nothing is put on its start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from SpiffWorkflow.util.task import TaskState
from sqlalchemy import Connection

from engine.bpmn.activities import EventSubProcess
from engine.bpmn.elements import ElementFailure, FlowNode
from engine.bpmn.events import BoundaryEvent, StartEvent
from engine.bpmn.execution import Execution, Token
from engine.bpmn.repeating import Body
from engine.bpmn.variables import map_inputs
from engine.errors import EngineError, InvalidState
from engine.feel import FeelError
from engine.runtime import instances
from engine.runtime.operations.common import inner_of, refused, resolve_gone, running, scopes_on, tokens_on
from engine.runtime.operations.values import Target
from engine.runtime.operations.variables import read_execution
from engine.runtime.types import Instance
from engine.runtime.unit import Unit, checked_variables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.engine import Engine


def move(
    unit: Unit,
    key: int,
    cancel: Sequence[int | str],
    start: Sequence[str],
    variables: Mapping[str, Any] | None,
    reason: str | None,
) -> Callable[[], Instance]:
    """Cancel tokens (by id, or all on an element) and start others, in one step.

    ``start`` names elements, ``element@token`` where the sub-process around it is running several times.  ``variables`` go into
    the process scope first.  Raises :class:`ValidationFailed` (field ``cancel`` or ``start``) for what is not there or cannot be
    started, and when nothing would be left of the case; :class:`InvalidState` for an ended or suspended one.
    """
    values = checked_variables(variables)
    live = running(unit, key)
    unit.require_active(live)
    execution = live.execution
    if not cancel and not start:
        raise refused("start", T("Name at least one element to cancel or to start."))
    # All is read before anything is touched: a target may lie in what is cancelled.
    targets = [target_of(execution, name) for name in start]
    leaving = list(dict.fromkeys(token for where in cancel for token in tokens_on(execution, where)))
    _refuse_items(execution, leaving)
    old = {name: execution.variables[name] for name in values if name in execution.variables}
    execution.variables.update(values)
    left = [token.task_spec.bpmn_id for token in leaving]
    parents = [token.parent for token in leaving]
    for token in leaving:
        if token.alive:
            execution.terminate(token)
    started = place(execution, targets)
    for parent in parents:
        _leave_empty(execution, parent)
    unit.tx.audit(
        "instance.move",
        f"instance:{key}",
        cancelled=left,
        started=[token.task_spec.bpmn_id for token in started],
        old=old,
        new=values,
        reason=reason,
    )
    if values:
        execution.variables_changed()
    unit.run(live)
    resolve_gone(unit, live)
    return instances.later(live)


def _refuse_items(execution: Execution, tokens: list[Token]) -> None:
    """What others count on cannot be taken away singly: a repetition, and what is undoing completed work."""
    for token in tokens:
        if token.internal_data.keys() & {"for", "undo"}:
            raise refused("cancel", T("“%(label)s” is undoing completed work. Let it finish, or cancel the case.", label=token.task_spec.label))
        if isinstance(token.parent.task_spec, Body) and token.parent not in tokens:
            raise refused("cancel", T("“%(label)s” is one of several repetitions, which are counted. Cancel the repeated activity as a whole.", label=token.task_spec.label))


def _leave_empty(execution: Execution, scope: Token) -> None:
    """End a sub-process in which nothing is left; what is left of the case must not be nothing."""
    while scope.alive and not scope.children:
        if scope is execution.root:
            raise refused("cancel", T("Nothing of the case would be left. Name an element to start, or cancel the case."))
        if isinstance(scope.parent.task_spec, Body):
            raise refused(
                "cancel",
                T("“%(label)s” is one of several repetitions, which are counted. Cancel the repeated activity as a whole.", label=scope.task_spec.label),
            )
        parent = scope.parent
        execution.terminate(scope)
        scope = parent


# --- starting ----------------------------------------------------------------------------------------------------------------


def target_of(execution: Execution, name: str) -> tuple[FlowNode, int | None]:
    """The element ``name`` and the scope token given with it.  Raises :class:`ValidationFailed` for one that cannot be started."""
    text, _, scope = str(name).strip().partition("@")
    spec = execution.element(text)
    if spec is None or spec is execution.spec.start:
        raise refused("start", T("There is no element “%(id)s” in this version of the process.", id=text))
    why = why_not(execution, spec)
    if why is not None:
        raise refused("start", why)
    if scope and not (scope.isdigit() and execution.token(int(scope)) is not None):
        raise refused("start", T("Nothing of this case stands on “%(where)s” now. Look at it again: it may have moved on.", where=scope))
    return spec, int(scope) if scope else None


def why_not(execution: Execution, spec: FlowNode) -> Words | None:
    """Why a token cannot be started before ``spec``; ``None`` when it can."""
    if isinstance(spec, BoundaryEvent):
        return T("“%(label)s” is an event on a border; it happens only while its activity is being done. Start the element behind it.", label=spec.label)
    if isinstance(spec, EventSubProcess):
        return T("“%(label)s” is started by its event only. Let the event happen, or start an element of the main path.", label=spec.label)
    if isinstance(spec, StartEvent) and isinstance(spec.container, EventSubProcess):
        return T("“%(label)s” starts an event sub-process; it happens by itself. Let the event happen.", label=spec.label)
    if getattr(spec, "for_compensation", False):
        return T("“%(label)s” undoes another activity; it is started by compensation only.", label=spec.label)
    repeated = inner_of(execution)
    place: FlowNode | None = spec.container
    while place is not None and place is not execution.spec.start:
        running_scopes = scopes_on(execution, place)
        if running_scopes:
            return None
        if place in repeated:
            return T("“%(label)s” is not running, and its repetitions cannot be made one by one. Start “%(label)s” itself.", label=place.label)
        if isinstance(place, EventSubProcess):
            return T("“%(label)s” is started by its event only. Let the event happen, or start an element of the main path.", label=place.label)
        place = place.container
    return None


def place(execution: Execution, targets: Sequence[tuple[FlowNode, int | None]]) -> list[Token]:
    """Put a ready token before each target, entering the sub-processes around it; gives the tokens, not run yet."""
    started: list[Token] = []
    for spec, given in targets:
        scope = _scope_for(execution, spec.container, given)
        flows = _open_flows(scope, spec)
        if flows:
            started.extend(execution.arrive(scope, flow) for flow in flows)
        else:
            for _ in range(getattr(spec, "start_quantity", 1)):
                token = execution.make_token(spec, scope)
                token._ready()
                started.append(token)
    return started


def _open_flows(scope: Token, spec: FlowNode) -> list[Any]:
    """The flows on which a join still waits for a token: it is started by letting one come on each."""
    if not spec.joins or len(spec.flows_in) < 2:
        return []
    here = {token.internal_data.get("flow") for token in scope.children if token.task_spec is spec}
    return [flow for flow in spec.flows_in if flow.id not in here]


def _scope_for(execution: Execution, container: FlowNode | None, given: int | None) -> Token:
    """The running scope of ``container``, in or at the token ``given``; entered, with those around it, when none is running."""
    if container is None or container is execution.spec.start:
        if given not in (None, execution.root.id):
            raise refused("start", T("Token %(token)d is no running sub-process around the element.", token=given))
        return execution.root
    found = [token for token in scopes_on(execution, container) if given is None or _lies_in(token, given)]
    if len(found) > 1:
        tokens = ", ".join(f"@{token.id}" for token in found)
        raise refused("start", T("“%(label)s” is running several times. Add to the element which one is meant: %(tokens)s.", label=container.label, tokens=tokens))
    return found[0] if found else enter(execution, container, _scope_for(execution, container.container, given))


def _lies_in(token: Token | None, id: int) -> bool:
    while token is not None and token.id != id:
        token = token.parent
    return token is not None


def enter(execution: Execution, spec: FlowNode, scope: Token) -> Token:
    """Make the sub-process ``spec`` run in ``scope`` without a token inside: mapped, recorded, armed.

    Raises :class:`InvalidState` when its mappings or events cannot be evaluated.
    """
    token = execution.make_token(spec, scope)
    token._state = TaskState.STARTED
    try:
        map_inputs(token)
        execution.activated(token)
        for event in (*spec.boundaries, *(inner.start for inner in spec.event_subprocesses)):
            execution.arm(token, event)
    except (ElementFailure, FeelError) as failure:
        raise cannot_enter(spec, failure) from failure
    return token


def cannot_enter(spec: FlowNode, failure: Exception) -> EngineError:
    """The refusal for an element whose mappings or events fail."""
    reason = getattr(failure, "message", str(failure))
    return InvalidState("“%(label)s” cannot be entered: %(reason)s Correct the variables first.", label=spec.label, reason=reason)


def targets(engine: Engine, conn: Connection, key: int) -> list[Target]:
    """The elements of an instance's version before which a token may be started, as the instance stands now."""
    execution = read_execution(engine, conn, key)
    root, repeated = execution.spec.start, inner_of(execution)
    return [
        Target(spec.bpmn_id, spec.label, spec.element_type, "" if spec.container in (None, root) else spec.container.bpmn_id)
        for spec in execution.spec.task_specs.values()
        if spec is not root and spec not in repeated and why_not(execution, spec) is None
    ]
