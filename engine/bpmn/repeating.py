"""Activities that run several times: multi-instance and standard loop (BPMN 2.0 §10.3.2, §13.3.6–13.3.7).

Both have a *body*: a scope that carries the boundary events and the flows and holds a token for each run of the ``inner`` activity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.bpmn.activities import Activity
from engine.bpmn.elements import ElementFailure, EventDefinition
from engine.bpmn.expressions import ModelValue
from engine.bpmn.variables import assign, plain
from engine.words import T

if TYPE_CHECKING:
    from engine.bpmn.execution import Token

MAX_ITEMS = 100_000
"""Instances one multi-instance activity may have."""


class Body(Activity):
    """Base of both bodies."""

    recorded = False

    def __init__(self, wf_spec, bpmn_id: str, inner: Activity, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, **kwargs)
        self.inner = inner
        self.element_type = inner.element_type

    def item_completed(self, body: Token, token: Token) -> None:
        """One run of the inner activity is done; its outputs are mapped.  Each kind of body says what comes next."""
        raise NotImplementedError

    def _close_item(self, body: Token, token: Token) -> None:
        execution = body.execution
        execution._finished(token, "COMPLETED")
        if execution.spec.has_compensation:
            execution.remember(token)
        execution.discard(token)


@dataclass
class Loop:
    """``multiInstanceLoopCharacteristics`` with the dialect's ``zeebe:loopCharacteristics``.

    ``behaviour``: All, None, One or Complex; ``thrown`` the definitions of the events thrown when an instance completes, each with
    its condition for Complex.
    """

    sequential: bool
    items: ModelValue | None
    cardinality: ModelValue | None
    input_element: str | None
    output_collection: str | None
    output_element: ModelValue | None
    condition: ModelValue | None
    behaviour: str = "All"
    thrown: list[tuple[ModelValue | None, list[EventDefinition]]] = field(default_factory=list)


class MultiInstance(Body):
    """The body of a multi-instance activity.

    The output collection is filled in the order of the items; the completion condition is asked after each item and sees
    everything collected so far.
    """

    def __init__(self, wf_spec, bpmn_id: str, inner: Activity, loop: Loop, **kwargs: Any) -> None:
        super().__init__(wf_spec, bpmn_id, inner, **kwargs)
        self.loop = loop

    def execute(self, token: Token) -> bool | None:
        items = self._items(token)
        if self.loop.output_collection:
            token.internal_data["collected"] = [None] * len(items)
        if not items:
            self._publish(token)
            return True
        memory = token.internal_data
        memory["total"], memory["started"], memory["done"] = len(items), 0, 0
        if self.loop.sequential:
            memory["items"] = items
            self._start_item(token, items[0])
        else:
            for item in items:
                self._start_item(token, item)
        return None

    def _items(self, token: Token) -> list[Any]:
        view = token.execution.view(token)
        if self.loop.items is not None:
            items = plain(self.loop.items.evaluate(view))
            if not isinstance(items, list):
                text = self.loop.items.text.strip()
                raise ElementFailure(
                    "MULTI_INSTANCE_ERROR",
                    T(
                        "“%(label)s” repeats over “%(text)s”, which is %(value)s and not a list.",
                        label=self.label,
                        text=text,
                        value=repr(items),
                    ),
                    {"expression": text, "seen": {text: items}},
                )
            number = len(items)
        else:
            number = self._number(plain(self.loop.cardinality.evaluate(view)))
            items = None
        if number > MAX_ITEMS:
            raise ElementFailure(
                "MULTI_INSTANCE_ERROR",
                T(
                    "“%(label)s” is to run %(count)d times; at most %(limit)d are possible.",
                    label=self.label,
                    count=number,
                    limit=MAX_ITEMS,
                ),
            )
        return list(range(1, number + 1)) if items is None else items

    def _number(self, count: Any) -> int:
        try:
            number = int(count)
        except (TypeError, ValueError):
            number = -1
        if number < 0 or number != count:
            raise ElementFailure(
                "MULTI_INSTANCE_ERROR",
                T("“%(label)s” is to run %(count)s times; a whole number from 0 is needed.", label=self.label, count=repr(count)),
                {"expression": self.loop.cardinality.text.strip(), "seen": {"loopCardinality": count}},
            )
        return number

    def _start_item(self, body: Token, item: Any) -> None:
        body.internal_data["started"] += 1
        token = body.execution.make_token(self.inner, body)
        token.internal_data["n"] = body.internal_data["started"]
        token.data["loopCounter"] = body.internal_data["started"]
        if self.loop.input_element:
            token.data[self.loop.input_element] = item
        output = self.loop.output_element.simple_name if self.loop.output_element else None
        if output:
            token.data.setdefault(output, None)
        token._ready()

    def item_completed(self, body: Token, token: Token) -> None:
        """Collect the item's output, ask the condition, throw what is to be thrown, start the next or finish."""
        execution, memory, loop = body.execution, body.internal_data, self.loop
        view = execution.view(token)
        # All that may fail comes before anything is counted, so that a retry counts the item once.
        if loop.output_collection and loop.output_element is not None:
            collected = self._collected(body)
            collected[token.internal_data["n"] - 1] = plain(loop.output_element.evaluate(view))
            token.data[loop.output_collection] = collected
        token.data.update(self._counters(memory["total"], memory["started"], memory["done"] + 1))
        satisfied = loop.condition is not None and loop.condition.evaluate(view) is True
        thrown = self._thrown(memory["done"] + 1, view)
        self._close_item(body, token)
        memory["done"] += 1
        for definition in thrown:
            if body.alive:
                execution.throw_behaviour(body, definition)
        if not body.alive:
            return
        if satisfied:
            execution.terminate_contents(body)
        elif loop.sequential and memory["started"] < memory["total"]:
            self._start_item(body, memory["items"][memory["started"]])
        if not body._children:
            self._publish(body)
            execution.attempt(body, body.complete)

    def _thrown(self, done: int, view: Any) -> list[EventDefinition]:
        """What the behaviour throws now: never (All), each time (None), the first time (One), where a condition holds (Complex)."""
        behaviour = self.loop.behaviour
        if behaviour == "All" or (behaviour == "One" and done > 1):
            return []
        return [
            definition
            for condition, definitions in self.loop.thrown
            if condition is None or condition.evaluate(view) is True
            for definition in definitions
        ]

    @staticmethod
    def _counters(total: int, started: int, done: int) -> dict[str, int]:
        """The standard's counters (BPMN 2.0 table 10.30) as they stand after the item just completed."""
        return {
            "numberOfInstances": total,
            "numberOfCompletedInstances": done,
            "numberOfActiveInstances": started - done,
            "numberOfTerminatedInstances": 0,
        }

    def _collected(self, body: Token) -> list[Any]:
        """The outputs so far.  They lie in the body's memory, not among its variables: a called process that gets and brings back
        all variables would write its old copy over them."""
        if self.loop.output_collection in body.data:
            # Where release 0.1 kept them.
            body.internal_data["collected"] = body.data.pop(self.loop.output_collection)
        return body.internal_data["collected"]

    def _publish(self, body: Token) -> None:
        if self.loop.output_collection:
            assign(body.scope, self.loop.output_collection, self._collected(body))
            del body.internal_data["collected"]


class StandardLoop(Body):
    """The body of a standard loop: again while the condition holds, asked before (``test_before``) or after each run, at most
    ``maximum`` times (BPMN 2.0 table 10.27).  ``loopCounter`` counts the runs."""

    def __init__(
        self, wf_spec, bpmn_id: str, inner: Activity, test_before: bool, maximum: int | None, condition: ModelValue | None, **kwargs: Any
    ) -> None:
        super().__init__(wf_spec, bpmn_id, inner, **kwargs)
        self.test_before, self.maximum, self.condition = test_before, maximum, condition

    def execute(self, token: Token) -> bool | None:
        token.data["loopCounter"] = 0
        if self.test_before and not self._again(token, token):
            return True
        self._start(token)
        return None

    def _again(self, body: Token, seen_from: Token) -> bool:
        if self.maximum is not None and body.data["loopCounter"] >= self.maximum:
            return False
        return self.condition is None or self.condition.evaluate(body.execution.view(seen_from)) is True

    def _start(self, body: Token) -> None:
        body.data["loopCounter"] += 1
        body.execution.make_token(self.inner, body)._ready()

    def item_completed(self, body: Token, token: Token) -> None:
        again = self._again(body, token)
        self._close_item(body, token)
        if again:
            self._start(body)
        else:
            body.execution.attempt(body, body.complete)
