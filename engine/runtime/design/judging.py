"""Whether a dry run went as its scenario expects, and what a run that went well may be expected to do again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from engine.store.database import document
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.design.story import Run


def short(value: Any) -> str:
    """A value in one line."""
    text = "、".join(f"{name}={each}" for name, each in value.items()) if isinstance(value, Mapping) else str(value)
    return text if len(text) <= 120 else text[:119] + "…"


def suggested(told: Run) -> dict[str, Any]:
    """The expectations that this very run fulfils: for a scenario that is kept from it.

    A step that several people do one after another stands once in the path, however many they are.
    """
    found: dict[str, Any] = {"state": told.state, "path": [element for element, _ in groupby(told.turns)]}
    found |= {"open": told.open} if told.state == "ACTIVE" else {}
    found |= {name: value for name, value in (("status", told.status), ("result", told.result)) if value}
    found |= {name: value for name, value in (("rungs", told.rungs), ("extended", told.extended), ("incidents", told.incidents)) if value}
    return found


def failure_words(told: Run) -> Words:
    """Why the run could not go on, with the step and the fields."""
    failure = told.failure
    assert failure is not None
    reason: Words = failure.message
    for path, each in failure.errors.items():
        reason = T("%(reason)s %(field)s: %(why)s", reason=reason, field=path, why=each[0])
    if failure.number == 0:
        return T("The start: %(reason)s", reason=reason)
    step = told.scenario.steps[failure.number - 1]
    place = step.get("element") or step.get("name") or ""
    return T(
        "Step %(number)d (%(place)s): %(reason)s", number=failure.number, place=told.name_of(place) or step.get("note") or place or step["do"], reason=reason
    )


def differences(told: Run, expect: Mapping[str, Any]) -> Iterator[Words]:
    """What is not as expected, the way of the case first.  Incidents are never expected unless they are named."""
    return (words for words, _place in located(told, expect))


def located(told: Run, expect: Mapping[str, Any]) -> Iterator[tuple[Words, str | None]]:
    """The differences, each with the id of the element at which it shows; ``None`` where it is about the case as a whole."""

    def label(id: str) -> str:
        return told.name_of(id) or id

    if "path" in expect:
        yield from _off_the_path(told, expect["path"], label)
    for element in expect.get("avoid", ()):
        if element in told.labels:
            yield T("“%(element)s” was entered; it should not be.", element=label(element)), element
    stuck = [each for each in told.incidents if each not in expect.get("incidents", ())]
    if stuck:
        yield T("The case stands still at %(elements)s.", elements="、".join(map(label, stuck))), stuck[0]
    for name, found in (("state", told.state), ("status", told.status), ("result", told.result)):
        if name in expect and expect[name] != found:
            said = _NAMES[name]
            yield T("%(name)s is “%(found)s”; expected: “%(wanted)s”.", name=said, found=_said(name, found), wanted=_said(name, expect[name])), None
    if "open" in expect and sorted(set(expect["open"])) != told.open:
        found, wanted = ("、".join(map(label, each)) or "–" for each in (told.open, expect["open"]))
        place = next(iter(set(told.open) ^ set(expect["open"])), None)
        yield T("Open at the end are: %(found)s; expected: %(wanted)s.", found=found, wanted=wanted), place
    for name, wanted in expect.get("variables", {}).items():
        found = _reach(told.variables, name)
        if _same_as(found) != _same_as(wanted):
            yield T("%(name)s is “%(found)s”; expected: “%(wanted)s”.", name=name, found=short(found), wanted=short(wanted)), None
    for rung in _missing(expect.get("rungs", ()), told.rungs):
        yield T("The rung “%(rung)s” did not fire.", rung=rung), None
    for login in _missing(expect.get("told", ()), told.told):
        yield T("%(name)s was not told of anything.", name=login), None
    if "extended" in expect and expect["extended"] != told.extended:
        found, wanted = (
            "、".join(f"{each['rule']} +{each['amount']}" for each in listed) or "–" for listed in (told.extended, expect["extended"])
        )
        yield T("Extended: %(found)s; expected: %(wanted)s.", found=found, wanted=wanted), None


def _said(name: str, value: str) -> str:
    """A state as people call it; the words of a case as they are."""
    return _STATES.get(value, value) if name == "state" else value or "–"


_NAMES = {"state": T("State"), "status": T("Case status"), "result": T("Result")}
_STATES: Mapping[str, Words] = {
    "ACTIVE": T("in progress"), "COMPLETED": T("completed"), "TERMINATED": T("ended early"), "SUSPENDED": T("suspended"),
}  # fmt: skip


def _missing(wanted: Iterable[str], found: Iterable[str]) -> list[str]:
    left = Counter(found)
    missing = []
    for each in wanted:
        if left[each] <= 0:
            missing.append(each)
        left[each] -= 1
    return missing


def _off_the_path(told: Run, path: list[str], label: Any) -> Iterator[tuple[Words, str]]:
    """The first element of the expected path that the case did not finish in its turn; the place is where it went instead."""
    place, before = 0, ""
    for element in path:
        try:
            place = told.path.index(element, place) + 1
        except ValueError:
            went = next((each for each in told.path[place:]), None)
            if not before:
                yield T("“%(element)s” was never finished.", element=label(element)), element
            elif went is None:
                words = T(
                    "After “%(before)s”, “%(element)s” was expected; nothing more was finished.", before=label(before), element=label(element)
                )
                yield words, before
            else:
                words = T(
                    "After “%(before)s”, “%(element)s” was expected; the case went to “%(went)s”.", before=label(before),
                    element=label(element), went=label(went),
                )  # fmt: skip
                yield words, went
            return
        before = element


def _same_as(value: Any) -> Any:
    """A value as a file holds it, so that an exact number equals what was written of it."""
    return json.loads(document(value))


def _reach(variables: Mapping[str, Any], name: str) -> Any:
    """The value of ``name``, or of the path ``a.b`` into it."""
    if name in variables:
        return variables[name]
    found: Any = variables
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
