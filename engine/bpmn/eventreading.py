"""Reading events: their definitions, and the messages, signals, errors and times these refer to (BPMN 2.0 §10.5)."""

from __future__ import annotations

from engine.bpmn import activities, events
from engine.bpmn.elements import EventDefinition
from engine.bpmn.expressions import ModelValue, UnreadableExpression, feel
from engine.bpmn.kinds import ALLOWED_EVENTS, EVENT_KINDS, PARSERS
from engine.bpmn.timers import readable
from engine.bpmn.xml import is_feel, local, tag, zeebe
from engine.words import T


class EventReading:
    """The part of a node's reader that reads event definitions."""

    def _read_event(self, spec) -> None:
        found = [child for child in self.node if local(child) in EVENT_KINDS]
        for reference in self.node.findall(tag("eventDefinitionRef")):
            target = self.reader.by_id.get((reference.text or "").rpartition(":")[2])
            if target is None or local(target) not in EVENT_KINDS:
                self.problem("bpmn.reference", T("“%(label)s” refers to an event definition that does not exist.", label=spec.label))
            else:
                found.append(target)
        position = local(self.node)
        spec.parallel_multiple = self.node.get("parallelMultiple") == "true"
        for element in found:
            kind = EVENT_KINDS[local(element)]
            if kind not in ALLOWED_EVENTS[position] or (
                kind in ("link", "cancel", "compensate") and len(found) > 1 and position != "endEvent"
            ):
                self.problem(
                    "bpmn.event-kind",
                    T(
                        "“%(label)s” is a %(position)s of kind “%(kind)s”, which BPMN does not know. Choose another kind.",
                        label=spec.label,
                        position=position,
                        kind=kind,
                    ),
                )
                continue
            spec.definitions.append(self._definition(element, kind))
        if isinstance(spec, events.ThrowingEvent) and spec.job_type is not None:
            spec.wait_kind = "job"

    def _definition(self, element, kind: str) -> EventDefinition:
        if kind == "message":
            return self._message(element.get("messageRef"), element)
        if kind == "timer":
            return self._timer(element)
        if kind == "signal":
            if not element.get("signalRef"):
                # The standard allows it (minOccurs 0); nobody can throw or hear such a signal, which the checks of the flow say.
                return EventDefinition("signal")
            signal = self._reference(element, "signalRef", "signal")
            name = None if signal is None else signal.get("name") or signal.get("id")
            return EventDefinition("signal", name=self.compiled(name or None))
        if kind in ("error", "escalation"):
            attribute = f"{kind}Ref"
            if not element.get(attribute):
                return EventDefinition(kind)
            target = self._reference(element, attribute, kind)
            code = None if target is None else target.get(f"{kind}Code") or target.get("name") or target.get("id")
            return EventDefinition(kind, code=self.compiled(code))
        if kind == "conditional":
            return EventDefinition(kind, condition=self._condition(element))
        if kind == "link":
            return EventDefinition(kind, name=ModelValue(element.get("name") or ""))
        if kind == "compensate":
            return EventDefinition(
                kind, activity=self._activity(element), wait_for_completion=element.get("waitForCompletion", "true") == "true"
            )
        return EventDefinition(kind)

    def _condition(self, element) -> ModelValue:
        condition = self.expression(element.find(tag("condition")))
        if condition is None:
            self.problem("bpmn.condition", T("Conditional event “%(label)s” has no condition.", label=self.label), self.severity, element)
        return condition or feel("null")

    def _activity(self, element) -> str | None:
        """The activity that a compensation is thrown at."""
        reference = (element.get("activityRef") or "").rpartition(":")[2]
        if not reference:
            return None
        target = self.reader.by_id.get(reference)
        if target is None or local(target) not in PARSERS or not issubclass(PARSERS[local(target)], activities.Activity):
            self.problem(
                "bpmn.reference",
                T("“%(label)s” compensates the activity “%(reference)s”, which does not exist.", label=self.label, reference=reference),
                node=element,
            )
        return reference

    def _reference(self, element, attribute: str, wanted: str):
        """The root element a reference names; a dead or mistyped one is reported."""
        reference = (element.get(attribute) or "").rpartition(":")[2]
        target = self.reader.by_id.get(reference)
        if target is None or local(target) != wanted:
            self.problem(
                "bpmn.reference",
                T(
                    "“%(label)s” refers to the %(wanted)s “%(reference)s”, which does not exist in the file.",
                    label=self.node.get("name") or self.bpmn_id,
                    wanted=wanted,
                    reference=reference or "–",
                ),
                node=element,
            )
            return None
        return target

    def _message(self, reference: str | None, element) -> EventDefinition:
        message = self._reference(element, "messageRef", "message") if reference else None
        if message is None:
            if not reference:
                label = self.node.get("name") or self.bpmn_id
                self.problem("bpmn.message", T("“%(label)s” names no message. Choose or create one.", label=label), self.severity)
            return EventDefinition("message")
        subscription = message.find(f"{tag('extensionElements')}/{zeebe('subscription')}")
        key = None if subscription is None else self.compiled(subscription.get("correlationKey"))
        return EventDefinition("message", name=self.compiled(message.get("name") or message.get("id")), correlation_key=key)

    def _timer(self, element) -> EventDefinition:
        for child in element:
            if local(child) in ("timeDate", "timeDuration", "timeCycle"):
                text = (child.text or "").strip()
                literal = not text.startswith("=")
                compiled = ModelValue(text) if literal else self.compiled(text)
                if literal and not readable(local(child), text):
                    if self._as_feel(text):
                        # In a file whose language is FEEL the standard's own expression elements need no “=”.
                        return EventDefinition("timer", timer_type=local(child)[4:].lower(), timer=feel(text))
                    self.problem(
                        "bpmn.timer",
                        T(
                            "The timer of “%(label)s” reads “%(text)s”; write an ISO 8601 text such as PT2H, R3/PT5M or 2026-12-31T09:00:00+08:00, or FEEL after “=”.",
                            label=self.node.get("name") or self.bpmn_id,
                            text=text,
                        ),
                        "warning" if self.reader.is_foreign(child) else "error",
                        child,
                    )
                return EventDefinition("timer", timer_type=local(child)[4:].lower(), timer=compiled)
        self.problem("bpmn.timer", T("The timer of “%(label)s” says no time.", label=self.node.get("name") or self.bpmn_id), self.severity)
        return EventDefinition("timer", timer_type="duration", timer=ModelValue("PT0S"))

    def _as_feel(self, text: str) -> bool:
        """Whether a timer's text is meant as FEEL: the file's language is FEEL, and it parses."""
        if not is_feel(self.reader.language):
            return False
        try:
            feel(text)
        except UnreadableExpression:
            return False
        return True
