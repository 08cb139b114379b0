"""Who hears what is thrown: errors, escalations and signals (BPMN 2.0 §10.5.1, §10.5.6–10.5.7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from engine.bpmn.elements import ElementFailure, EventDefinition, FlowNode
from engine.words import T

if TYPE_CHECKING:
    from engine.bpmn.execution import Token


class Throwing:
    """The part of an execution that finds the catchers of thrown events."""

    def throw_error(self, token: Token, code: str, message: str, variables: Mapping[str, Any]) -> None:
        """Throw a BPMN error at ``token``; the innermost catcher takes it (BPMN 2.0 §10.5.6).

        Without a catcher in this instance the host is asked (the calling instance may have one); without any, the token keeps an
        incident that says so.
        """
        found = self.find_catcher(token, "error", code)
        if found is not None:
            event, owner, index = found
            self.trigger(owner, event, variables, index)
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
                    {"code": code, "cause": message},
                ),
            )

    def throw_escalation(self, token: Token, code: str, variables: Mapping[str, Any]) -> None:
        """Throw an escalation; the thrower goes on unless the catcher interrupts it (BPMN 2.0 §10.5.6)."""
        found = self.find_catcher(token, "escalation", code)
        if found is not None:
            event, owner, index = found
            self.trigger(owner, event, variables, index)
        elif not self.host.escalation_escaped(token, code, dict(variables)):
            self.host.incident(
                token,
                "UNHANDLED_ESCALATION",
                T(
                    "Escalation “%(code)s” of “%(label)s” is caught nowhere. Add an escalation boundary event.",
                    code=code,
                    label=token.task_spec.label,
                ),
                {"code": code},
            )

    def throw_signal(self, name: str, variables: Mapping[str, Any], *, besides: Token | None = None) -> None:
        """Hand a signal to everything in this instance that waits for it now, before the thrower takes another step, then to the
        world (BPMN 2.0 §10.5.7); ``besides`` has already been served."""
        for owner in list(self.tasks.values()):
            if owner is besides:
                continue
            for event in self.listening(owner):
                for index, definition in enumerate(event.definitions):
                    if owner.alive and owner.armed and definition.kind == "signal" and definition.named and definition.name.evaluate(self.view(owner)) == name:
                        self.trigger(owner, event, variables, index)
        self.host.send_signal(name, dict(variables))

    def find_catcher(self, token: Token, kind: str, code: str) -> tuple[FlowNode, Token, int] | None:
        """The event that catches ``kind`` with ``code``, its owner and which of its definitions, searched outwards from ``token``;
        in one place a matching code goes before a catch-all."""
        came_from: Token | None = None
        place: Token | None = token
        while place is not None:
            spec = place.task_spec
            groups: list[Iterable[FlowNode]] = []
            if came_from is not None and place.id not in self.interrupted:
                groups.append(sub.start for sub in spec.event_subprocesses if came_from.task_spec is not sub)
            # What is opened again to be undone has long been completed: nothing on its border listens.
            groups = [] if "undoing" in place.internal_data else [*groups, spec.boundaries]
            for group in groups:
                candidates = [
                    (event, index, definition)
                    for event in group
                    for index, definition in enumerate(event.definitions)
                    if definition.kind == kind
                ]
                for wanted in (code, None):
                    for event, index, definition in candidates:
                        if self.code_of(definition, place) == wanted:
                            return event, place, index
            came_from, place = place, place.parent
        return None

    def code_of(self, definition: EventDefinition, place: Token) -> str | None:
        """The error or escalation code of a definition as it reads at ``place``; ``None`` catches all."""
        return None if definition.code is None else str(definition.code.evaluate(self.view(place)))

    def throw_behaviour(self, body: Token, definition: EventDefinition) -> None:
        """Throw the event that a multi-instance activity throws when one of its instances completes (BPMN 2.0 table 10.29).

        Its own boundary events hear it first.  They do not end the activity, even if drawn as interrupting: the other instances
        are still to run, and the flow after the activity is taken when all are done.
        """
        view = self.view(body)
        name = None if definition.name is None else str(definition.name.evaluate(view))
        code = self.code_of(definition, body)
        heard = False
        for event in body.task_spec.boundaries:
            for caught in event.definitions:
                if caught.kind != definition.kind:
                    continue
                if caught.kind in ("signal", "message") and not (caught.named and str(caught.name.evaluate(view)) == name):
                    continue
                if caught.kind in ("error", "escalation") and self.code_of(caught, body) not in (None, code):
                    continue
                event.fire(self, body, {}, spare_host=True)
                heard = True
        if definition.kind in ("signal", "message") and not definition.named:
            return
        if definition.kind == "signal":
            self.throw_signal(name, {}, besides=body)
        elif definition.kind == "message":
            self.host.send_message(name, "", {})
        elif definition.kind == "escalation" and not heard:
            self.throw_escalation(body, code or "", {})
        elif definition.kind == "error" and not heard:
            self.throw_error(body, code or "", "", {})
