"""One running instance: the live tokens, and what happens to them.

Stands on ``SpiffWorkflow``'s workflow and task; see :mod:`engine.bpmn.elements` for what differs and why.  Everything that
has to be written to the database is told to a :class:`Host`; the execution itself knows no tables.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol

from SpiffWorkflow.bpmn.workflow import BpmnWorkflow
from SpiffWorkflow.task import Task
from SpiffWorkflow.util.task import TaskState

from engine.bpmn.compensation import Compensating
from engine.bpmn.elements import ElementFailure, EventDefinition, Flow, FlowNode
from engine.bpmn.throwing import Throwing
from engine.bpmn.timers import MODEL_FUNCTIONS
from engine.bpmn.variables import ScopeView, Unstorable, assign, map_outputs, plain, visible
from engine.bpmn.waiting import MAX_NAME, Waiting, awaited, correlation_text
from engine.errors import InvalidState
from engine.feel import FeelError
from engine.words import T

MAX_STEPS = 100_000
"""Elements run within one command; beyond it a loop without a wait state is assumed and an incident raised."""


class Host(Protocol):
    """What an execution asks of the world around it.  All calls happen inside one command."""

    functions: Mapping[str, Any]

    def now(self) -> datetime: ...
    def activity_started(self, token: Token, properties: dict[str, Any]) -> int: ...
    def activity_ended(self, token: Token, state: str, properties: dict[str, Any]) -> None: ...
    def open_task(self, token: Token) -> None: ...
    def open_job(self, token: Token, type: str, retries: int, headers: dict[str, str]) -> None: ...
    def open_timer(self, token: Token, event: FlowNode, reference: str, definition: EventDefinition, view: ScopeView) -> None: ...
    def open_subscription(self, token: Token, reference: str, kind: str, name: str, correlation_key: str) -> None: ...
    def close_waits(self, token: Token) -> None: ...
    def close(self, token: Token, kind: str) -> None: ...
    def call(self, token: Token, process_id: str, variables: dict[str, Any]) -> None: ...
    def decide(self, token: Token, decision_id: str, context: Mapping[str, Any]) -> Any: ...
    def send_message(self, name: str, correlation_key: str, variables: dict[str, Any]) -> None: ...
    def send_signal(self, name: str, variables: dict[str, Any]) -> None: ...
    def read_store(self, name: str) -> Any: ...
    def write_store(self, name: str, value: Any) -> None: ...
    def error_escaped(self, token: Token, code: str, message: str, variables: dict[str, Any]) -> bool: ...
    def escalation_escaped(self, token: Token, code: str, variables: dict[str, Any]) -> bool: ...
    def flow_passed(self, flow: Flow) -> None: ...
    def incident(self, token: Token, type: str, message: Any, details: Mapping[str, Any]) -> None: ...


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


class Execution(Waiting, Throwing, Compensating, BpmnWorkflow):
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
        self.emptied: list[Token] = []
        self.watching: dict[int, Token] | None = None
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
        return ScopeView(token, self.functions)

    @cached_property
    def functions(self) -> Mapping[str, Any]:
        """The FEEL functions of the host and of the dialect."""
        return {**MODEL_FUNCTIONS, **self.host.functions}

    def token(self, id: int) -> Token | None:
        return self.tasks.get(id)

    def element(self, element_id: str) -> FlowNode | None:
        return self.spec.task_specs.get(element_id)

    # --- beginning -------------------------------------------------------------------------------------------------------

    def make_token(self, spec: FlowNode, parent: Token | None) -> Token:
        token = Token(self, spec, parent, self.next_id)
        self.next_id += 1
        return token

    def begin(self, variables: Mapping[str, Any], start_event: str | None = None, place: Callable[[Execution], None] | None = None) -> None:
        """Make the root token with ``variables`` and begin at the none start event, or everywhere no flow leads to, or at the event
        that a row names (see :mod:`engine.bpmn.waiting`), or where ``place`` puts tokens; run with :meth:`run`."""
        self.task_tree = self.make_token(self.spec.start, None)
        self.task_tree._state = TaskState.STARTED
        self.task_tree.data.update(variables)
        event = None if start_event is None else self.starter(start_event)
        if place is not None:
            self.arm_event_subprocesses(self.task_tree)
            place(self)
        elif event is not None and event.all_needed:
            self.arm_event_subprocesses(self.task_tree)
            event.started_by_part(self, self.task_tree, int(start_event.partition("#")[2] or 0), variables)
        else:
            self.open_scope(self.task_tree, event)

    def starter(self, reference: str) -> FlowNode:
        """The start event (or what stands for one) that a row of a definition names.  Raises :class:`InvalidState`."""
        id = reference.partition("#")[0]
        for node in self.spec.starters:
            if id in (node.name, node.bpmn_id):
                return node
        raise InvalidState("The process has no start event “%(element)s”.", element=id)

    def open_scope(self, scope: Token, start: FlowNode | None = None) -> None:
        """Arm the event sub-processes of ``scope`` and put a token on its start event."""
        spec = scope.task_spec
        for name in spec.own_data:
            scope.data.setdefault(name, None)
        self.arm_event_subprocesses(scope)
        if start is not None:
            start.started(self, scope)
        for node in spec.entry if start is None else ():
            node.begin_at(self, scope)
        if not spec.entry and start is None:
            # Nothing to do in it: done at once.
            self.check_scope(scope)

    def arm_event_subprocesses(self, scope: Token) -> None:
        for subprocess in scope.task_spec.event_subprocesses:
            self.arm(scope, subprocess.start)

    # --- running ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Move tokens until every one of them waits."""
        steps, conditional = 0, self.spec.has_conditions
        while True:
            while (conditional and self.check_conditions()) or self.queue:
                if not self.queue:
                    continue
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
            if not self._release_joins():
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
            message = T("“%(label)s”: %(reason)s", label=token.task_spec.label, reason=error.message)
            self.fail(token, ElementFailure("EXPRESSION_ERROR", message, {"expression": getattr(error, "source", None)}))

    def fail(self, token: Token, failure: ElementFailure) -> None:
        """The token stops with an incident; :meth:`retry` takes it up again where it stopped, before or after its work."""
        token.internal_data["incident"] = "leave" if token._state == TaskState.COMPLETED else "run"
        token._state = TaskState.WAITING
        self.host.incident(token, failure.type, failure.message, failure.details)

    def retry(self, token: Token) -> Token:
        """Take up a token that stands in an incident; gives the token that goes on (run with :meth:`run`).

        Work that was begun is closed and begun anew by a token of its own, so that no row of the first attempt is taken for one of
        the second.  Raises :class:`InvalidState` when the token stands in no incident.
        """
        phase = token.internal_data.pop("incident", None)
        if phase is None:
            raise InvalidState("“%(label)s” stands in no incident.", label=token.task_spec.label)
        if phase == "leave":
            self.attempt(token, token.complete)
            return token
        if token._children:
            # A scope goes on by what is in it.
            token._state = TaskState.STARTED
            return token
        again = self.make_token(token.task_spec, token.parent)
        again.data, again.internal_data, again.history = token.data, token.internal_data, token.history
        if token.task_spec.wait_kind and token.history is not None:
            self.host.close(token, token.task_spec.wait_kind)
        self.close_waits(token)
        self.discard(token)
        again._ready()
        self.wake()
        return again

    def wake(self) -> None:
        """Queue the tokens that were ready to run when their command was cut short (an endless loop stops a whole instance)."""
        queued = {id(token) for token in self.queue}
        self.queue.extend(token for token in self.tasks.values() if token._state == TaskState.READY and id(token) not in queued)

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
        if token.internal_data.get("undoing"):
            self.undoing_done(token)
            return
        if (spec.outputs_ or spec.data_outputs) and "mapped" not in token.internal_data:
            map_outputs(token)
            # Should no flow be possible now, a retry must not count a second time what an output adds up.
            token.internal_data["mapped"] = True
        if "for" in token.internal_data:
            self.undoing_done(token)
            return
        body = scope.task_spec
        if getattr(body, "inner", None) is spec:
            body.item_completed(scope, token)
            return
        flows = token.chosen if token.chosen is not None else spec.select_flows(token)
        self._finished(token, "COMPLETED")
        if self.spec.has_compensation:
            self.remember(token)
        for flow in flows:
            for _ in range(spec.completion_quantity):
                self.arrive(scope, flow)
        self.discard(token)
        if scope.alive:
            scope.task_spec.inner_completed(scope)
        self.check_scope(scope)

    def arrive(self, scope: Token, flow: Flow) -> Token:
        """A token passes ``flow`` and stands before its target."""
        self.host.flow_passed(flow)
        token = self.make_token(flow.target, scope)
        if flow.target.joins:
            token.internal_data["flow"] = flow.id
        token._state = TaskState.READY
        if flow.target.listens:
            # Who listens does so before a sibling throws: the order of branches is not defined (BPMN 2.0 §13.4.1).
            self.queue.appendleft(token)
        else:
            self.queue.append(token)
        return token

    def check_scope(self, scope: Token) -> None:
        """A scope that has lost its last token is done.  However deep it is nested, one after another: not within one another."""
        self.emptied.append(scope)
        if len(self.emptied) > 1:
            return
        try:
            for place in self.emptied:
                if not place._children and place.alive:
                    place.task_spec.contents_done(place)
        finally:
            self.emptied.clear()

    def finish_process(self) -> None:
        """The root scope is empty: the instance is completed."""
        self.ended = True
        self.completed = True
        self.close_waits(self.task_tree)

    def _finished(self, token: Token, state: str) -> None:
        if token.history is not None:
            properties = self.properties(token) if state == "COMPLETED" else {}
            self.host.activity_ended(token, state, properties)
        self.close_waits(token)

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
        if "incident" in token.internal_data:
            self.host.close(token, "incident")
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
        self.close_waits(self.task_tree)
        self.queue.clear()
        self.ended = True

    # --- joins that look upstream ----------------------------------------------------------------------------------------

    def _release_joins(self) -> bool:
        """When nothing else moves, let go the joins that nobody can reach any more (BPMN 2.0 §13.4.3, §13.4.5)."""
        for token in list(self.tasks.values()):
            if not token.alive:
                continue
            waiting = token._state == TaskState.STARTED and getattr(token.task_spec, "waits_for_upstream", False)
            if waiting and token.task_spec.release(token):
                # What it sent on may be on its way to another join: let that arrive before asking the next one.
                return True
            for name in list(token.internal_data.get("activated", ())):
                if self.spec.task_specs[name].reset(self, token):
                    return True
        return False


__all__ = ["MAX_NAME", "Execution", "Host", "Token", "awaited", "correlation_text", "visible"]
