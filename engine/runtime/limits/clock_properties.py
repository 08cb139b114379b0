"""Checking, at deployment, what a model says about pausing, resuming and restarting limits.

Values that are computed (``=…``) are known at run time only; there an unknown kind is noted in the audit and the limits stand still anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from engine.deadlines.clock import UNTIL_RESUMED
from engine.deadlines.pauses import PAUSE_KINDS
from engine.runtime.live import names
from engine.words import T, Words

STEP = "step"
"""Value of ``clock.pause.until`` for a pause that ends with its element; the same as leaving it out."""


def problems_of(label: str, properties: Mapping[str, Any], rules: Collection[str]) -> Iterable[tuple[str, Words]]:
    """What is wrong with the clock properties of an element, as (rule of the check, sentence); ``rules`` are all known rule ids."""
    for property, check in _CHECKS.items():
        value = properties.get(property)
        if value is not None and value.expression is None:
            for word in names(value.text):
                refusal = check(label, property, word, rules)
                if refusal is not None:
                    yield refusal
    if (
        "clock.pause.until" in properties
        and properties["clock.pause.until"].text.strip() == UNTIL_RESUMED
        and "clock.pause.kind" not in properties
    ):
        yield (
            "deploy.pause-without-kind",
            T("“%(label)s” pauses limits until something resumes them, but no kind of pause is given. Set clock.pause.kind.", label=label),
        )
    details = [name for name in properties if name.startswith("clock.pause.") and name != "clock.pause.kind"]
    if details and not properties.keys() & {"clock.pause", "clock.pause.kind"}:
        yield (
            "deploy.pause-without-kind",
            T("“%(label)s” has %(property)s, but pauses nothing. Set clock.pause.kind, or remove it.", label=label, property=details[0]),
        )


def _kind(label: str, property: str, word: str, rules: Collection[str]) -> tuple[str, Words] | None:
    if word in PAUSE_KINDS or (word == "*" and property == "clock.resume"):
        return None
    known = ", ".join(PAUSE_KINDS)
    words = T(
        "“%(label)s”: %(property)s names the kind of pause “%(kind)s”, which does not exist. Use one of: %(known)s.",
        label=label, property=property, kind=word, known=known,
    )  # fmt: skip
    return "deploy.unknown-pause-kind", words


def _rule(label: str, property: str, word: str, rules: Collection[str]) -> tuple[str, Words] | None:
    if word in rules:
        return None
    words = T(
        "“%(label)s” starts the limit “%(id)s” anew, which is no deadline rule. Deploy the rule too, or correct the id.",
        label=label,
        id=word,
    )
    return "deploy.unknown-rule", words


def _until(label: str, property: str, word: str, rules: Collection[str]) -> tuple[str, Words] | None:
    if word in (STEP, UNTIL_RESUMED):
        return None
    words = T("“%(label)s”: clock.pause.until is “%(value)s”; it must be “step” or “resume”.", label=label, value=word)
    return "deploy.pause-until", words


_CHECKS: dict[str, Callable[[str, str, str, Collection[str]], tuple[str, Words] | None]] = {
    "clock.pause.kind": _kind,
    "clock.resume": _kind,
    "clock.restart": _rule,
    "clock.pause.until": _until,
}
"""Property → the check of each name in it."""
