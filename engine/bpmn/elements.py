"""What a model is made of: flows, mappings, event definitions, and the base of all spec classes.

The spec classes stand on SpiffWorkflow's (they are registered with its parser, its ``Task`` runs them), with four
differences that design.md §1.3 fixes: nothing is predicted, tokens for the next elements are made when one completes, joins
count arrived tokens per sequence flow, and a finished token leaves the tree at once.  The tree of live tasks is therefore the
tree of *scopes*: a token's parent is the process, sub-process or multi-instance body it runs in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from SpiffWorkflow.bpmn.specs.mixins.bpmn_spec_mixin import BpmnSpecMixin

from engine.bpmn.expressions import ModelValue
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.bpmn.execution import Execution, Token


class ElementFailure(Exception):
    """An element cannot go on: no flow can be taken, a timer cannot be read, …  It becomes an incident on the token.

    ``type`` is a stable upper-case word; ``message`` names the expression, what it saw and the cure.  ``details`` are kept with
    the incident for whoever mends it: ``expression`` (text) and ``seen`` (the values it used, by name).
    """

    def __init__(self, type: str, message: Words, details: dict[str, Any] | None = None) -> None:
        super().__init__(str(message))
        self.type, self.message, self.details = type, message, details or {}


@dataclass(eq=False)
class Flow:
    """A sequence flow; ``condition`` is ``None`` for an unconditional one."""

    id: str
    name: str | None
    source: FlowNode
    target: FlowNode
    condition: ModelValue | None


@dataclass(frozen=True)
class Mapping_:
    """One ``zeebe:input`` or ``zeebe:output``: ``target`` may be a path ``a.b``."""

    source: ModelValue
    target: str


@dataclass(frozen=True)
class DataAssociation:
    """One ``dataInputAssociation`` or ``dataOutputAssociation`` (BPMN 2.0 §10.4.2): the variable (or data store) ``source`` is
    carried to ``target``, as ``transformation`` makes it, then the ``assignments`` are made (expression, target path)."""

    source: str | None
    target: str | None
    transformation: ModelValue | None
    assignments: tuple[tuple[ModelValue, str], ...] = ()
    from_store: bool = False
    to_store: bool = False
    """Whether ``source`` or ``target`` is a data store: kept beyond the instance and shared by all (BPMN 2.0 §10.4.1)."""


@dataclass
class EventDefinition:
    """What an event waits for or throws.

    ``kind``: none, message, timer, signal, error, escalation, terminate, conditional, link, cancel, compensate or multiple.
    ``name`` is the message's, signal's or link's name (``None``: the model names none, so nobody can throw or hear it); ``code`` the error or escalation code (``None`` catches all).
    ``timer_type`` is date, duration or cycle.  ``activity`` is the one a compensation is thrown at (``None``: all of the scope).
    """

    kind: str = "none"
    name: ModelValue | None = None
    code: ModelValue | None = None
    correlation_key: ModelValue | None = None
    timer_type: str | None = None
    timer: ModelValue | None = None
    condition: ModelValue | None = None
    activity: str | None = None
    wait_for_completion: bool = True

    @property
    def waits(self) -> bool:
        """Whether catching needs a row in the database: a timer or a subscription.  What bears no name is waited for in vain."""
        return self.kind == "timer" or self.named

    @property
    def named(self) -> bool:
        """Whether it is a message or signal that somebody can throw and hear."""
        return self.kind in ("message", "signal") and self.name is not None


class FlowNode(BpmnSpecMixin):
    """Base of every element that a token can stand on."""

    element_type = "task"
    recorded = True
    """Whether the element has a row in the history of activities."""
    wait_kind: str | None = None
    """What has to be closed in the database when a waiting token is terminated: task, job or call."""
    joins = False
    """Whether arriving tokens remember the flow they came by."""
    listens = False
    """Whether the element does nothing but wait for an event."""

    def __init__(self, wf_spec, bpmn_id: str, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.flows_in: list[Flow] = []
        self.flows_out: list[Flow] = []
        self.default: Flow | None = None
        self.properties: dict[str, ModelValue] = {}
        self.inputs_: list[Mapping_] = []
        self.outputs_: list[Mapping_] = []
        self.boundaries: list[FlowNode] = []
        self.event_subprocesses: list[FlowNode] = []
        self.start: FlowNode | None = None
        """The start event of a container; without one its :attr:`entry` nodes begin (implicit start, BPMN 2.0 §13.1)."""
        self.entry: list[FlowNode] = []
        self.container: FlowNode | None = None
        self.compensation_handler: FlowNode | None = None
        """What undoes this activity once it is completed: the activity its compensation boundary event points to."""
        self.completion_quantity = 1
        self.own_data: list[str] = []
        """Data objects of a sub-process: variables of each run of it."""
        self.data_inputs: list[DataAssociation] = []
        self.data_outputs: list[DataAssociation] = []
        self.line: int | None = None

    @property
    def label(self) -> str:
        """What people call the element: its name, else its id."""
        return (self.bpmn_name or "").strip() or self.bpmn_id or self.name

    # SpiffWorkflow's hooks ---------------------------------------------------------------------------------------------

    def _predict(self, my_task, seen=None, looked_ahead=0, mask=0) -> None:
        """Nothing is predicted: the future of a case is not materialised."""

    def _run(self, token: Token) -> bool | None:
        token.execution.activated(token)
        return self.execute(token)

    def _on_complete(self, token: Token) -> None:
        token.execution.leave(token)

    def _on_cancel(self, token: Token) -> None:
        """Cancelling is the execution's business (:meth:`Execution.terminate`), so that history and rows are closed."""

    # What subclasses say -------------------------------------------------------------------------------------------------

    def execute(self, token: Token) -> bool | None:
        """Do the element's work: ``True`` goes on at once, ``None`` waits.  Raises :class:`ElementFailure`."""
        return True

    def contents_done(self, token: Token) -> None:
        """Called when ``token`` is a scope and its last inner token has left."""

    def inner_completed(self, token: Token) -> None:
        """Called when ``token`` is a scope and an element in it has completed."""

    def begin_at(self, execution: Execution, scope: Token) -> None:
        """Begin ``scope`` here: a token stands before the element and runs it."""
        execution.make_token(self, scope)._ready()

    def started(self, execution: Execution, scope: Token) -> None:
        """What the element waits for has happened and starts ``scope``."""
        self.begin_at(execution, scope)

    def select_flows(self, token: Token) -> list[Flow]:
        """The flows a token leaves by: every unconditional one, every one whose condition holds, and the default flow when no
        condition holds (BPMN 2.0 §13.2.1, §8.4.13)."""
        if not self.flows_out:
            return []
        scope = token.execution.view(token.scope)
        conditional = {flow.id for flow in self.flows_out if flow.condition is not None and flow.condition.evaluate(scope) is True}
        taken = [
            flow
            for flow in self.flows_out
            if flow.id in conditional or (flow.condition is None and flow is not self.default) or (flow is self.default and not conditional)
        ]
        if taken:
            return taken
        raise no_flow(self, scope)


def no_flow(node: FlowNode, scope) -> ElementFailure:
    """No outgoing condition holds and there is no default flow."""
    conditions = "; ".join(f"{flow.name or flow.id}: {flow.condition.text.strip()}" for flow in node.flows_out if flow.condition)
    names = sorted(
        set().union(*(flow.condition.expression.names for flow in node.flows_out if flow.condition and flow.condition.expression))
    )
    values = {name: plain_or_text(scope.get(name)) for name in names}
    return ElementFailure(
        "CONDITION_ERROR",
        T(
            "No outgoing flow of “%(label)s” can be taken (%(conditions)s); seen: %(seen)s. Give one flow as the default or correct the variables.",
            label=node.label,
            conditions=conditions,
            seen=", ".join(f"{name} = {value!r}" for name, value in values.items()) or "–",
        ),
        {"expression": conditions, "seen": values},
    )


def plain_or_text(value: Any) -> Any:
    """A value as an incident can keep it: JSON, or what it reads as when it has no JSON form."""
    from engine.bpmn.variables import plain

    try:
        return plain(value)
    except TypeError:
        return repr(value)
