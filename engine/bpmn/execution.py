"""One running instance: the live tokens, and what happens to them.

Stands on ``SpiffWorkflow``'s workflow and task; see :mod:`engine.bpmn.elements` for what differs and why.  Everything that
has to be written to the database is told to a :class:`Host`; the execution itself knows no tables.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.bpmn.elements import ElementFailure, EventDefinition, Flow, FlowNode
from engine.bpmn.variables import ScopeView, Unstorable, assign, assign_path, plain, visible
from engine.feel import FeelError
from engine.words import T

MAX_STEPS = 100_000
"""Elements run within one command; beyond it a loop without a wait state is assumed and an incident raised."""

MAX_NAME = 255
"""Characters of an id, of a message's or signal's name, of a group and of a correlation key, as the tables keep them."""


class Host(Protocol):
    """What an execution asks of the world around it.  All calls happen inside one command."""

    functions: Mapping[str, Any]

    def now(self) -> datetime: ...
    def activity_started(self, token: Token, properties: dict[str, Any]) -> int: ...
    def activity_ended(self, token: Token, state: str, properties: dict[str, Any]) -> None: ...
    def open_task(self, token: Token) -> None: ...
    def open_job(self, token: Token, type: str, retries: int, headers: dict[str, str]) -> None: ...
    def open_timer(self, token: Token, event: FlowNode, definition: EventDefinition, value: Any) -> None: ...
    def open_subscription(self, token: Token, event: FlowNode, kind: str, name: str, correlation_key: str) -> None: ...
    def close_waits(self, token: Token) -> None: ...
    def close(self, token: Token, kind: str) -> None: ...
    def call(self, token: Token, process_id: str, variables: dict[str, Any]) -> None: ...
    def decide(self, token: Token, decision_id: str, context: Mapping[str, Any]) -> Any: ...
    def send_message(self, name: str, correlation_key: str, variables: dict[str, Any]) -> None: ...
    def send_signal(self, name: str, variables: dict[str, Any]) -> None: ...
    def error_escaped(self, token: Token, code: str, message: str, variables: dict[str, Any]) -> bool: ...
    def escalation_escaped(self, token: Token, code: str, variables: dict[str, Any]) -> bool: ...
    def incident(self, token: Token, type: str, message: Any) -> None: ...


class Token(Task):
    """A live token.  ``data`` holds its own variables, ``internal_data`` what its element remembers."""

    history: int | None = None
    """Key of the activity row, once activated."""
    armed = False
    """Whether timers or subscriptions of this token lie in the database."""
    chosen: list[Flow] | None = None

    def __init__(self, execution: Execution, spec: FlowNode, parent: Token | None, id: int, state: int = TaskState.READY) -> None:
        super().__init__(execution, spec, parent, state, id)

    @property
    def execution(self) -> Execution:
        return self.workflow

    @property
    def scope(self) -> Token:
        """The token of the process, sub-process or multi-instance body this token runs in."""
        return self.parent

    @property
    def alive(self) -> bool:
        return self.id in self.workflow.tasks

    def _set_state(self, value: int) -> None:
        """As SpiffWorkflow's, without collecting log extras for every change."""
        self._state = value

    def _ready(self) -> None:
        self._state = TaskState.READY
        self.workflow.queue.append(self)


class Execution(BpmnWorkflow):
    """The live state of one process instance.

    ``spec`` is a process of a model; ``host`` a :class:`Host`.  A new execution has only its root token; :meth:`begin`
    starts it, :func:`engine.bpmn.snapshot.restore` brings an old one back.
    """

    def __init__(self, spec, host: Host) -> None:
        self.queue: deque[Token] = deque()
        self.host = host
        self.next_id = 1
        self.ended = False
        self.interrupted: set[int] = set()
        super().__init__(spec, script_engine=host, deserializing=True)

    # --- reading ---------------------------------------------------------------------------------------------------------

    @property
    def root(self) -> Token:
        return self.task_tree

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of the process instance."""
        return self.task_tree.data

    def view(self, token: Token) -> ScopeView:
        """The variables and functions visible from ``token``, for FEEL."""
        return ScopeView(token, self.host.functions)

    def token(self, id: int) -> Token | None:
        return self.tasks.get(id)

    def element(self, element_id: str) -> FlowNode | None:
        return self.spec.task_specs.get(element_id)

    # --- beginning -------------------------------------------------------------------------------------------------------

    def make_token(self, spec: FlowNode, parent: Token | None) -> Token:
        token = Token(self, spec, parent, self.next_id)
        self.next_id += 1
        return token

    def begin(self, variables: Mapping[str, Any], start: FlowNode | None = None) -> None:
        """Make the root token with ``variables`` and a token on the (none or given) start event; run with :meth:`run`."""
        self.task_tree = self.make_token(self.spec.start, None)
        self.task_tree._state = TaskState.STARTED
        self.task_tree.data.update(variables)
        self.open_scope(self.task_tree, start)

    def open_scope(self, scope: Token, start: FlowNode | None = None) -> None:
        """Arm the event sub-processes of ``scope`` and put a token on its start event."""
        spec = scope.task_spec
        for subprocess in spec.event_subprocesses:
            self.arm(scope, subprocess.start)
        start = start or spec.start
        if start is not None:
            self.make_token(start, scope)._ready()

    # --- running ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Move tokens until every one of them waits."""
        steps = 0
        while True:
            while self.queue:
                token = self.queue.popleft()
                if not token.alive or token._state != TaskState.READY:
                    continue
                steps += 1
                if steps > MAX_STEPS:
                    self.fail(
                        token,
                        ElementFailure(
                            "ENDLESS_LOOP",
                            T(
                                "“%(label)s” was reached %(steps)d times or more without a wait state in between.",
                                label=token.task_spec.label,
                                steps=MAX_STEPS,
                            ),
                        ),
                    )
                    self.queue.clear()
                    return
                self.attempt(token, token.run)
            if not self._release_inclusive_joins():
                return

    def do_engine_steps(self, will_complete_task=None, did_complete_task=None) -> None:
        """SpiffWorkflow's name for :meth:`run`."""
        self.run()

    def attempt(self, token: Token, action) -> None:
        """Call ``action``; what it cannot do becomes an incident on ``token``."""
        try:
            action()
        except ElementFailure as failure:
            self.fail(token, failure)
        except Unstorable as error:
            failure = T("“%(label)s” gives a value that cannot be kept: %(reason)s.", label=token.task_spec.label, reason=str(error))
            self.fail(token, ElementFailure("VALUE_ERROR", failure))
        except FeelError as error:
            # An expression that exceeds its bounds must not take the command, and with it the user's work, down.
            self.fail(token, ElementFailure("EXPRESSION_ERROR", T("“%(label)s”: %(reason)s", label=token.task_spec.label, reason=error.message)))

    def fail(self, token: Token, failure: ElementFailure) -> None:
        token._state = TaskState.WAITING
        token.internal_data["incident"] = True
        self.host.incident(token, failure.type, failure.message)

    # --- life of a token -------------------------------------------------------------------------------------------------

    def activated(self, token: Token) -> None:
        """Record that ``token`` entered its element, with the element's properties as they read at this moment."""
        spec = token.task_spec
        if spec.recorded and token.history is None:
            token.history = self.host.activity_started(token, self.properties(token))

    def properties(self, token: Token) -> dict[str, Any]:
        """The element's ``zeebe:properties``, FEEL ones evaluated in the element's scope."""
        properties = token.task_spec.properties
        if not properties:
            return properties
        view = self.view(token)
        return {name: plain(value.evaluate(view)) for name, value in properties.items()}

    def complete_token(self, token: Token, variables: Mapping[str, Any]) -> None:
        """Somebody or something finished the element's work and brought ``variables``."""
        self.merge(token, variables)
        self.attempt(token, token.complete)

    def merge(self, token: Token, variables: Mapping[str, Any]) -> None:
        """Brought variables stay local when the element has output mappings, else they propagate (dialect: variables)."""
        if token.task_spec.outputs_:
            token.data.update(variables)
        else:
            for name, value in variables.items():
                assign(token, name, value)

    def leave(self, token: Token) -> None:
        """The element's work is done: map outputs, choose the flows, record, go on."""
        spec, scope = token.task_spec, token.scope
        if spec.outputs_:
            view = self.view(token)
            results: dict[str, Any] = {}
            for mapping in spec.outputs_:
                head = mapping.target.partition(".")[0]
                if head != mapping.target and head not in results and isinstance(view.get(head), dict):
                    results[head] = view[head]
                assign_path(results, mapping.target, plain(mapping.source.evaluate(view)))
            for name, value in results.items():
                assign(scope, name, value)
        body = scope.task_spec
        if getattr(body, "inner", None) is spec:
            body.item_completed(scope, token)
            return
        flows = token.chosen if token.chosen is not None else spec.select_flows(token)
        self._finished(token, "COMPLETED")
        for flow in flows:
            self.arrive(scope, flow)
        self.discard(token)
        self.check_scope(scope)

    def arrive(self, scope: Token, flow: Flow) -> Token:
        """A token passes ``flow`` and stands before its target."""
        token = self.make_token(flow.target, scope)
        if flow.target.joins:
            token.internal_data["flow"] = flow.id
        token._ready()
        return token

    def check_scope(self, scope: Token) -> None:
        """A scope that has lost its last token is done."""
        if not scope._children and scope.alive:
            scope.task_spec.contents_done(scope)

    def finish_process(self) -> None:
        """The root scope is empty: the instance is completed."""
        self.ended = True
        self.completed = True
        self._close_waits(self.task_tree)

    def _finished(self, token: Token, state: str) -> None:
        if token.history is not None:
            properties = self.properties(token) if state == "COMPLETED" else {}
            self.host.activity_ended(token, state, properties)
        self._close_waits(token)

    def _close_waits(self, token: Token) -> None:
        if token.armed:
            self.host.close_waits(token)
            token.armed = False

    def discard(self, token: Token) -> None:
        """Take a token without children out of the tree; finished work lives in history rows, not here."""
        parent = token.parent
        if parent is not None:
            parent._children.remove(token.id)
        del self.tasks[token.id]
        token._state = TaskState.COMPLETED if token._state < TaskState.COMPLETED else token._state

    # --- terminating -----------------------------------------------------------------------------------------------------

    def terminate(self, token: Token) -> None:
        """End ``token`` and all it contains, innermost first; rows it waits on are closed."""
        for child in list(token.children):
            self.terminate(child)
        if not token.alive:
            return
        if token.task_spec.wait_kind and token.history is not None:
            self.host.close(token, token.task_spec.wait_kind)
        self._finished(token, "TERMINATED")
        token._state = TaskState.CANCELLED
        self.discard(token)

    def terminate_contents(self, scope: Token, spare: Token | None = None) -> None:
        """End all tokens in ``scope`` but ``spare``."""
        for child in list(scope.children):
            if child is not spare:
                self.terminate(child)

    def cancel_all(self) -> None:
        """End the whole instance."""
        self.terminate_contents(self.task_tree)
        self._close_waits(self.task_tree)
        self.queue.clear()
        self.ended = True

    # --- events ----------------------------------------------------------------------------------------------------------

    def arm(self, owner: Token, event: FlowNode) -> None:
        """Make ``owner`` wait for ``event`` (a boundary event, an event sub-process' start, a catch event)."""
        definition: EventDefinition = event.definition
        if not definition.waits:
            return
        view = self.view(owner)
        if definition.kind == "timer":
            self.host.open_timer(owner, event, definition, definition.timer.evaluate(view))
        else:
            name = definition.name.evaluate(view)
            correlation_key = ""
            if definition.correlation_key is not None:
                correlation_key = correlation_text(definition.correlation_key.evaluate(view))
                if correlation_key is None:
                    raise ElementFailure(
                        "CORRELATION_ERROR",
                        T(
                            "The correlation key “%(text)s” of “%(label)s” has no value. Set the variable before the event is reached.",
                            text=definition.correlation_key.text.strip(),
                            label=event.label,
                        ),
                    )
            if max(len(str(name)), len(correlation_key)) > MAX_NAME:
                raise ElementFailure(
                    "CORRELATION_ERROR",
                    T("The name or correlation key of “%(label)s” is longer than %(limit)d characters.", label=event.label, limit=MAX_NAME),
                )
            self.host.open_subscription(owner, event, definition.kind, str(name), correlation_key)
        owner.armed = True

    def trigger(self, owner: Token, event: FlowNode, variables: Mapping[str, Any]) -> None:
        """What ``owner`` waited for has happened: ``event`` fires with ``variables``."""
        event.fire(self, owner, plain(dict(variables)))

    def throw_error(self, token: Token, code: str, message: str, variables: Mapping[str, Any]) -> None:
        """Throw a BPMN error at ``token``; the innermost catcher takes it (BPMN 2.0 §10.5.6).

        Without a catcher in this instance the host is asked (the calling instance may have one); without any, the token keeps an
        incident that says so.
        """
        found = self.find_catcher(token, "error", code)
        if found is not None:
            self._caught(found, variables, {"code": code, "message": message})
        elif not self.host.error_escaped(token, code, message, dict(variables)):
            self.fail(
                token,
                ElementFailure(
                    "UNHANDLED_ERROR",
                    T(
                        "Error “%(code)s” of “%(label)s” is caught nowhere. Add an error boundary event.",
                        code=code,
                        label=token.task_spec.label,
                    ),
                ),
            )

    def throw_escalation(self, token: Token, code: str, variables: Mapping[str, Any]) -> None:
        """Throw an escalation; the thrower goes on unless the catcher interrupts it (BPMN 2.0 §10.5.6)."""
        found = self.find_catcher(token, "escalation", code)
        if found is not None:
            self._caught(found, variables, {"code": code})
        elif not self.host.escalation_escaped(token, code, dict(variables)):
            self.host.incident(
                token,
                "UNHANDLED_ESCALATION",
                T(
                    "Escalation “%(code)s” of “%(label)s” is caught nowhere. Add an escalation boundary event.",
                    code=code,
                    label=token.task_spec.label,
                ),
            )

    def throw_signal(self, name: str, variables: Mapping[str, Any]) -> None:
        """Hand a signal to everything in this instance that waits for it now, before the thrower takes another step, then to the
        world (BPMN 2.0 §10.5.7)."""
        for owner in list(self.tasks.values()):
            for event in awaited(owner.task_spec):
                if (
                    owner.alive
                    and owner.armed
                    and event.definition.kind == "signal"
                    and event.definition.name.evaluate(self.view(owner)) == name
                ):
                    self.trigger(owner, event, variables)
        self.host.send_signal(name, dict(variables))

    def _caught(self, found: tuple[FlowNode, Token], variables: Mapping[str, Any], details: dict[str, Any]) -> None:
        event, owner = found
        self.trigger(owner, event, variables)

    def find_catcher(self, token: Token, kind: str, code: str) -> tuple[FlowNode, Token] | None:
        """Search outwards from ``token``; in one place a matching code goes before a catch-all."""
        came_from: Token | None = None
        place: Token | None = token
        while place is not None:
            spec = place.task_spec
            groups: list[Iterable[FlowNode]] = []
            if came_from is not None and place.id not in self.interrupted:
                groups.append(sub.start for sub in spec.event_subprocesses if came_from.task_spec is not sub)
            groups.append(spec.boundaries)
            for group in groups:
                candidates = [event for event in group if event.definition.kind == kind]
                for wanted in (code, None):
                    for event in candidates:
                        if self._code(event, place) == wanted:
                            return event, place
            came_from, place = place, place.parent
        return None

    def _code(self, event: FlowNode, place: Token) -> str | None:
        code = event.definition.code
        return None if code is None else str(code.evaluate(self.view(place)))

    # --- inclusive joins -------------------------------------------------------------------------------------------------

    def _release_inclusive_joins(self) -> bool:
        """When nothing else moves, let go the inclusive joins that nobody can reach any more (BPMN 2.0 §13.4.3)."""
        for token in list(self.tasks.values()):
            waiting = token.alive and token._state == TaskState.STARTED and getattr(token.task_spec, "waits_for_upstream", False)
            if waiting and token.task_spec.release(token):
                # What it sent on may be on its way to another join: let that arrive before asking the next one.
                return True
        return False


def awaited(spec: FlowNode) -> list[FlowNode]:
    """The events a token of ``spec`` may be armed with: its own, on its border, in its event sub-processes, behind its gateway."""
    events = [spec, *spec.boundaries, *(sub.start for sub in spec.event_subprocesses)]
    if spec.element_type == "eventBasedGateway":
        events += [flow.target for flow in spec.flows_out]
    return [event for event in events if getattr(event, "definition", None) is not None]


def correlation_text(value: Any) -> str | None:
    """A correlation key as text: numbers without a trailing ``.0``, so that 7 and "7" meet."""
    value = plain(value)
    if value is None or isinstance(value, (list, dict)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


__all__ = ["Execution", "Host", "Token", "visible"]
