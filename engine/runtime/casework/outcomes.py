"""The buttons of a task: the ``outcomes…`` properties of its element (``value=Label;value=Label``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import ValidationFailed
from engine.words import T, Words

DEFAULT_VARIABLE = "outcome"


@dataclass(frozen=True)
class Outcome:
    """One button.  ``confirm`` is the sentence that names the consequence of an irreversible one, asked once.

    An ``unchecked`` one leaves the form aside: who sends a case back need not fill in what he sends it back for.
    """

    value: str
    label: str
    opinion_required: bool = False
    confirm: str | None = None
    unchecked: bool = False


def _pairs(text: Any) -> list[tuple[str, str]]:
    pairs = []
    for part in str(text or "").split(";"):
        value, _, label = part.partition("=")
        if value.strip():
            pairs.append((value.strip(), label.strip() or value.strip()))
    return pairs


def outcomes(properties: Mapping[str, Any]) -> tuple[Outcome, ...]:
    """The buttons in their order; none for a task that is simply finished."""
    needing = {value.strip() for value in str(properties.get("outcomes.opinion") or "").split(",")}
    confirming = dict(_pairs(properties.get("outcomes.confirm")))
    unchecked = {value.strip() for value in str(properties.get("outcomes.unchecked") or "").split(",")}
    return tuple(
        Outcome(value, label, "*" in needing or value in needing, confirming.get(value), value in unchecked)
        for value, label in _pairs(properties.get("outcomes"))
    )


def outcome_variable(properties: Mapping[str, Any]) -> str:
    """The variable that holds the chosen value."""
    return str(properties.get("outcome.variable") or DEFAULT_VARIABLE).strip()


def checked_outcome(properties: Mapping[str, Any], outcome: str | None, opinion: str) -> tuple[Outcome | None, dict[str, list[Words]]]:
    """The button that was pressed and what is wrong with the choice, by field (``outcome``, ``opinion``)."""
    offered = outcomes(properties)
    if not offered:
        return None, {}
    chosen = next((each for each in offered if each.value == outcome), None)
    if chosen is None:
        labels = ", ".join(each.label for each in offered)
        return None, {"outcome": [T("Choose one of: %(labels)s.", labels=labels)]}
    if chosen.opinion_required and not opinion.strip():
        return chosen, {"opinion": [T("“%(label)s” needs an opinion: say why.", label=chosen.label)]}
    return chosen, {}


def refuse(errors: Mapping[str, list[Words]]) -> None:
    """Raise :class:`ValidationFailed` when there are ``errors``."""
    if errors:
        raise ValidationFailed("%(count)d field(s) need attention; nothing was submitted.", count=len(errors), errors=dict(errors))
