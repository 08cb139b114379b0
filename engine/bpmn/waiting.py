"""How a token waits for events, and what happens when one comes (BPMN 2.0 §10.5.1, §13.5).

Timers, messages and signals are rows in the database, opened through the host; a conditional event is asked after every step of
its instance.  One element may wait for several things at once: a row names the element and, from the second definition of a
multiple event on, the place of its definition (``event#1``; a ``#`` is never part of an XML id).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.bpmn.elements import ElementFailure, EventDefinition, FlowNode
from engine.bpmn.variables import plain
from engine.feel import FeelError
from engine.words import T

if TYPE_CHECKING:
    from engine.bpmn.execution import Token

MAX_NAME = 255
"""Characters of an id, of a message's or signal's name, of a group and of a correlation key, as the tables keep them."""


class Waiting:
    """The part of an execution that arms tokens and triggers what they wait for."""

    def arm(self, owner: Token, event: FlowNode, besides: int | None = None) -> None:
        """Make ``owner`` wait for ``event`` (a boundary event, an event sub-process' start, a catch event), or for all its definitions
        ``besides`` the one that has happened already."""
        for index, definition in enumerate(event.definitions):
            if index == besides:
                continue
            reference = reference_to(event, index)
            if definition.kind == "conditional":
                owner.internal_data.setdefault("conditions", {})[reference] = False
                if self.watching is not None:
                    self.watching[owner.id] = owner
            elif definition.waits:
                self._open_row(owner, event, reference, definition)
                owner.armed = True

    def _open_row(self, owner: Token, event: FlowNode, reference: str, definition: EventDefinition) -> None:
        view = self.view(owner)
        if definition.kind == "timer":
            self.host.open_timer(owner, event, reference, definition, view)
            return
        name = definition.name.evaluate(view)
        correlation_key = ""
        if definition.correlation_key is not None:
            correlation_key = correlation_text(definition.correlation_key.evaluate(view))
            if correlation_key is None:
                text = definition.correlation_key.text.strip()
                raise ElementFailure(
                    "CORRELATION_ERROR",
                    T(
                        "The correlation key “%(text)s” of “%(label)s” has no value. Set the variable before the event is reached.",
                        text=text,
                        label=event.label,
                    ),
                    {"expression": text},
                )
        if max(len(str(name)), len(correlation_key)) > MAX_NAME:
            raise ElementFailure(
                "CORRELATION_ERROR",
                T("The name or correlation key of “%(label)s” is longer than %(limit)d characters.", label=event.label, limit=MAX_NAME),
            )
        self.host.open_subscription(owner, reference, definition.kind, str(name), correlation_key)

    def awaited_event(self, owner: Token, reference: str) -> tuple[FlowNode, int] | None:
        """The event a row of ``owner`` names, and which of its definitions; ``None`` when the model has it no more."""
        id, _, place = reference.partition("#")
        for event in self.listening(owner):
            if event.name == id or event.bpmn_id == id:
                return event, int(place or 0)
        return None

    def listening(self, owner: Token) -> list[FlowNode]:
        """The events ``owner`` may be armed with: all that its element awaits, but no more the event sub-processes of a scope that one
        of them has interrupted."""
        events = awaited(owner.task_spec)
        if owner.id in self.interrupted:
            events = [event for event in events if event.container not in owner.task_spec.event_subprocesses]
        return events

    def trigger(self, owner: Token, event: FlowNode, variables: Mapping[str, Any], index: int = 0) -> None:
        """What ``owner`` waited for has happened: ``event`` fires with ``variables``.

        A parallel multiple event fires when each of its definitions has happened once (BPMN 2.0 §10.5.1), with all they brought.
        """
        brought = plain(dict(variables))
        if event.all_needed:
            happened = owner.internal_data.setdefault("happened", {}).setdefault(event.name, {})
            happened[str(index)] = brought
            if len(happened) < len(event.definitions):
                return
            del owner.internal_data["happened"][event.name]
            brought = {name: value for _, part in sorted(happened.items()) for name, value in part.items()}
        event.fire(self, owner, brought)

    def check_conditions(self) -> bool:
        """Trigger the conditional events whose condition has become true; ``False`` when none has.

        A condition must be false in between to trigger again (BPMN 2.0 table 10.93); one that is true from the beginning triggers
        at once.
        """
        if self.watching is None:
            self.watching = {token.id: token for token in self.tasks.values() if token.internal_data.get("conditions")}
        for owner in list(self.watching.values()):
            if not owner.alive:
                del self.watching[owner.id]
                continue
            conditions = owner.internal_data.get("conditions")
            if not conditions or "incident" in owner.internal_data:
                continue
            view = self.view(owner)
            for reference, was_true in list(conditions.items()):
                found = self.awaited_event(owner, reference)
                if found is None:
                    continue
                event, index = found
                try:
                    is_true = event.definitions[index].condition.evaluate(view) is True
                except FeelError as error:
                    self._condition_failed(owner, event, reference, error)
                    continue
                conditions[reference] = is_true
                if is_true and not was_true:
                    self.trigger(owner, event, {}, index)
                    # What it started may have changed everything: look again from the beginning.
                    return True
        return False

    def _condition_failed(self, owner: Token, event: FlowNode, reference: str, error: FeelError) -> None:
        """A condition exceeds its bounds.  Who does nothing but wait for it stops; an activity goes on, and the incident is raised once."""
        message = T("“%(label)s”: %(reason)s", label=event.label, reason=error.message)
        details = {"expression": getattr(error, "source", None)}
        conditions = owner.internal_data["conditions"]
        if owner.task_spec.listens:
            self.fail(owner, ElementFailure("EXPRESSION_ERROR", message, details))
        elif conditions[reference] is not None:
            self.host.incident(owner, "EXPRESSION_ERROR", message, details)
        conditions[reference] = None

    def variables_changed(self) -> None:
        """Somebody has set variables from outside: the conditional events are asked; :meth:`run` moves what they started."""
        while self.spec.has_conditions and self.check_conditions():
            continue

    def close_event_subprocesses(self, scope: Token) -> None:
        """An event sub-process has interrupted ``scope``: the others hear nothing more, the events on its border do."""
        self.interrupted.add(scope.id)
        if any(definition.waits or definition.kind == "conditional" for event in self.listening(scope) for definition in event.definitions):
            starts = [sub.start for sub in scope.task_spec.event_subprocesses]
            for name in ("conditions", "happened"):
                kept = scope.internal_data.get(name, {})
                for start in starts:
                    for reference in [key for key in kept if key.partition("#")[0] == start.name]:
                        del kept[reference]
        else:
            self.close_waits(scope)

    def close_waits(self, token: Token) -> None:
        """Forget everything ``token`` waits for."""
        token.internal_data.pop("conditions", None)
        token.internal_data.pop("happened", None)
        if token.armed:
            self.host.close_waits(token)
            token.armed = False


def reference_to(event: FlowNode, index: int) -> str:
    """How a row names the ``index``-th definition of ``event``."""
    return f"{event.name}#{index}" if index else event.name


def awaited(spec: FlowNode) -> list[FlowNode]:
    """The events a token of ``spec`` may be armed with: its own, on its border, in its event sub-processes, behind its gateway."""
    events = [spec, *spec.boundaries, *(sub.start for sub in spec.event_subprocesses)]
    if spec.element_type == "eventBasedGateway":
        events += [flow.target for flow in spec.flows_out]
    return [event for event in events if getattr(event, "definitions", None)]


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
