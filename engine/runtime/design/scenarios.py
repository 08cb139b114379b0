"""Scenarios: what a procedure is tried with, kept as data beside it, and played before it is published.

A scenario is a JSON file ``scenarios/NAME.json`` of a draft::

    {"title": "…", "at": "2026-11-23T09:00:00+08:00", "by": "songjie", "start": {form answers},
     "steps": [{"do": "complete", "element": "accept", "by": "wangfang", "outcome": "accept", "opinion": "…", "data": {…}},
               {"do": "wait", "workdays": 5}, …],
     "expect": {"state": "COMPLETED", "path": ["accept", "handle"], …}}

``by`` is a login, a group of the candidate notation (``clerk@gaoxin``), ``assignee`` or ``candidate``.  An answer that begins
with ``=`` is FEEL over the case's variables (and the desk's functions, such as ``people(group)``); a text that really begins so
is written ``="=…"``.  :data:`STEPS` lists what a step may say, :data:`EXPECTATIONS` what may be expected.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from engine.errors import DeploymentRejected, ValidationFailed
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.design.story import Run
    from engine.runtime.desk import Desk

FOLDER = "scenarios"
MAX_STEPS = 500
MAX_BYTES = 512 * 1024
SECONDS_EACH, SECONDS_TOGETHER = 20.0, 180.0
"""How long one scenario, and all of a draft together, may take: a loop must not hang a server."""


@dataclass(frozen=True)
class Scenario:
    """One scenario, checked.  ``process`` is the procedure it starts, empty for the one of the draft; ``at`` is aware.

    ``mocks`` maps the element or type of a service task to its answer ``{"data": {…}}`` or ``{"error": "CODE"}``; ``files`` maps a
    file field's value to the names of the documents of the start form.
    """

    name: str
    title: str
    at: datetime
    by: str
    process: str = ""
    start: Mapping[str, Any] = field(default_factory=dict)
    steps: tuple[Mapping[str, Any], ...] = ()
    expect: Mapping[str, Any] = field(default_factory=dict)
    mocks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class ScenarioResult:
    """How a scenario went.  ``visited`` and ``flows`` are ids of elements and sequence flows of the draft's own processes."""

    name: str
    title: str
    ok: bool
    problems: list[Words]
    visited: set[str]
    flows: set[str]
    seconds: float


# --- what a file may say -------------------------------------------------------------------------------------------------------


def _text(value: Any) -> Words | None:
    return None if isinstance(value, str) and value.strip() else T("A text is expected.")


def _any_text(value: Any) -> Words | None:
    return None if isinstance(value, str) else T("A text is expected.")


def _mapping(value: Any) -> Words | None:
    return None if isinstance(value, Mapping) else T("Names with values are expected.")


def _count(value: Any) -> Words | None:
    return (
        None
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 3660
        else T("A whole number from 1 to 3660 is expected.")
    )


def _instant(value: Any) -> Words | None:
    try:
        aware = datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        aware = False
    return None if aware else T("A date and time with a zone is expected, such as 2026-11-23T09:00:00+08:00.")


def _texts(value: Any) -> Words | None:
    return None if isinstance(value, list) and all(isinstance(each, str) for each in value) else T("A list of texts is expected.")


def _documents(value: Any) -> Words | None:
    return (
        None if isinstance(value, Mapping) and not any(_texts(each) for each in value.values()) else T("Lists of file names are expected.")
    )


def _one_of(*allowed: str) -> Callable[[Any], Words | None]:
    return lambda value: None if value in allowed else T("One of these is expected: %(allowed)s.", allowed=", ".join(allowed))


def _extensions(value: Any) -> Words | None:
    fine = isinstance(value, list) and all(isinstance(each, Mapping) and set(each) == {"rule", "amount"} for each in value)
    return None if fine else T("A list of rule and amount is expected.")


def _steps(value: Any) -> Words | None:
    return None if isinstance(value, list) else T("A list of steps is expected.")


Check = Callable[[Any], Words | None]
_ABOUT_A_TASK: Mapping[str, Check] = {"element": _text, "by": _text}
_ANSWERS: Mapping[str, Check] = {"data": _mapping, "files": _documents}
STEPS: Mapping[str, tuple[Mapping[str, Check], Mapping[str, Check]]] = {
    "complete": (_ABOUT_A_TASK, {"outcome": _text, "opinion": _any_text, "nth": _count, "times": _one_of("all"), **_ANSWERS}),
    "claim": (_ABOUT_A_TASK, {"nth": _count}),
    "unclaim": (_ABOUT_A_TASK, {"nth": _count}),
    "transfer": ({**_ABOUT_A_TASK, "to": _text, "reason": _text}, {"nth": _count}),
    "extend": (_ABOUT_A_TASK, {"nth": _count}),
    "message": ({"name": _text, "by": _text}, _ANSWERS),
    "publish": ({"name": _text}, {"key": _any_text, "data": _mapping}),
    "signal": ({"name": _text}, {"data": _mapping}),
    "urge": ({"by": _text}, {"text": _any_text}),
    "pause": ({"by": _text, "kind": _text, "reason": _text}, {"rule": _text, "document": _any_text}),
    "resume": ({"by": _text, "kind": _text}, {"rule": _text, "reason": _any_text}),
    "grant": ({"by": _text, "rule": _text, "amount": _count, "reason": _text}, {}),
    "job": ({"element": _text}, {"data": _mapping, "error": _text, "text": _any_text}),
    "wait": ({}, {"until": _instant, "workdays": _count, "days": _count, "next": _count, "due": _text, "from": _text}),
}
"""What a step may do → what it must say, and what it may say besides."""
WAYS_TO_WAIT = ("until", "workdays", "days", "next", "due")
EXPECTATIONS: Mapping[str, Check] = {
    "state": _one_of("ACTIVE", "COMPLETED", "TERMINATED", "SUSPENDED"), "path": _texts, "avoid": _texts, "open": _texts,
    "status": _any_text, "result": _any_text, "variables": _mapping, "rungs": _texts, "told": _texts, "extended": _extensions,
    "incidents": _texts,
}  # fmt: skip
"""What may be expected: the end state; elements finished in this order; elements never entered; elements of the open tasks, all of
them; status and result of the case; variables (``a.b`` reaches into one); rungs that fired; people who were told; extensions granted;
elements that stand in an incident."""
_TOP: tuple[Mapping[str, Check], Mapping[str, Check]] = (
    {"title": _text, "at": _instant, "by": _text},
    {"process": _text, "start": _mapping, "steps": _steps, "expect": _mapping, "mocks": _mapping, "files": _documents},
)  # fmt: skip


def read(name: str, text: str | bytes | Mapping[str, Any]) -> Scenario:
    """The scenario of a file (or of a parsed one).  :class:`ValidationFailed` with every error, by place (``steps.3.outcome``)."""
    value = text if isinstance(text, Mapping) else _parsed(name, text)
    errors: dict[str, list[Words]] = {}
    if not isinstance(value, Mapping):
        raise ValidationFailed(T("%(name)s is no scenario: names with values are expected.", name=name))
    _look(value, *_TOP, "", errors)
    steps = value.get("steps") if isinstance(value.get("steps"), list) else []
    if len(steps) > MAX_STEPS:
        errors.setdefault("steps", []).append(T("More than %(limit)d steps.", limit=MAX_STEPS))
    for number, step in enumerate(steps[:MAX_STEPS], 1):
        _look_at_step(step, f"steps.{number}", errors)
    if isinstance(value.get("expect"), Mapping):
        _look(value["expect"], {}, EXPECTATIONS, "expect.", errors)
    for place, answer in (value.get("mocks") if isinstance(value.get("mocks"), Mapping) else {}).items():
        if not isinstance(answer, Mapping) or not set(answer) <= {"data", "error", "text"}:
            errors.setdefault(f"mocks.{place}", []).append(T("An answer has data or error."))
    if errors:
        first = next(iter(errors))
        raise ValidationFailed(
            T("The scenario %(name)s cannot be played: %(place)s: %(reason)s", name=name, place=first, reason=errors[first][0]),
            errors=errors,
        )
    return Scenario(
        name, value["title"].strip(), datetime.fromisoformat(value["at"]), value["by"], value.get("process", ""), value.get("start", {}),
        tuple(steps), value.get("expect", {}), value.get("mocks", {}), value.get("files", {}),
    )  # fmt: skip


def _parsed(name: str, text: str | bytes) -> Any:
    if len(text) > MAX_BYTES:
        raise ValidationFailed(T("%(name)s is larger than %(limit)d KB.", name=name, limit=MAX_BYTES // 1024))
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else "–"
        raise ValidationFailed(T("%(name)s is not JSON (%(where)s). Save it again from the dry run.", name=name, where=where)) from error


def _look(
    value: Mapping[str, Any], required: Mapping[str, Check], optional: Mapping[str, Check], place: str, errors: dict[str, list[Words]]
) -> None:
    for key in required:
        if key not in value:
            errors.setdefault(place + key, []).append(T("This is missing."))
    for key, each in value.items():
        check = required.get(key) or optional.get(key)
        problem = T("“%(key)s” is not known here.", key=key) if check is None else check(each)
        if problem is not None:
            errors.setdefault(place + str(key), []).append(problem)


def _look_at_step(step: Any, place: str, errors: dict[str, list[Words]]) -> None:
    if not isinstance(step, Mapping) or not isinstance(step.get("do"), str) or step["do"] not in STEPS:
        errors[f"{place}.do"] = [T("One of these is expected: %(allowed)s.", allowed=", ".join(STEPS))]
        return
    required, optional = STEPS[step["do"]]
    _look({name: value for name, value in step.items() if name not in ("do", "note")}, required, optional, f"{place}.", errors)
    if step["do"] == "wait" and sum(way in step for way in WAYS_TO_WAIT) != 1:
        errors.setdefault(f"{place}.do", []).append(T("Waiting needs exactly one of: %(ways)s.", ways=", ".join(WAYS_TO_WAIT)))


def written(value: Mapping[str, Any]) -> str:
    """A scenario as its file is written: stable, so that two versions compare line by line."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def scenario_files(files: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    """Name → content of a draft's scenarios, by name; the name is that of the file without folder and ending."""
    found = {
        PurePosixPath(name).stem: content
        for name, content in files.items()
        if PurePosixPath(name).suffix.lower() == ".json" and PurePosixPath(name).parent.name == FOLDER
    }
    return dict(sorted(found.items()))


# --- playing them --------------------------------------------------------------------------------------------------------------


def run_all(
    desk: Desk,
    files: Mapping[str, str | bytes],
    names: Iterable[str] | None = None,
    *,
    told: Callable[[str, list[ScenarioResult]], None] | None = None,
) -> list[ScenarioResult]:
    """Play a draft's scenarios (those named), each in a sandbox of its own; nothing real is touched.

    A scenario that cannot be read or takes too long fails; a draft that cannot be deployed fails them all.  ``told`` is called before
    each with its title and the results so far; what it raises ends the playing.
    """
    from engine.runtime.design.story import run

    wanted = None if names is None else set(names)
    results: list[ScenarioResult] = []
    began = time.monotonic()
    for name, content in scenario_files(files).items():
        if wanted is not None and name not in wanted:
            continue
        if told is not None:
            told(_title_of(name, content), list(results))
        left = SECONDS_TOGETHER - (time.monotonic() - began)
        results.append(_result(name, content, lambda scenario, left=left: run(desk, files, scenario, seconds=min(SECONDS_EACH, left))))
    return results


def _title_of(name: str, content: str | bytes) -> str:
    """What people call a scenario; its name when its file cannot be read."""
    try:
        return read(name, content).title
    except ValidationFailed:
        return name


def _result(name: str, content: str | bytes, play: Callable[[Scenario], Run]) -> ScenarioResult:
    began, title = time.monotonic(), name
    try:
        scenario = read(name, content)
        title = scenario.title
        told = play(scenario)
        problems, visited, flows = told.problems, told.visited, told.flows
    except DeploymentRejected as rejected:
        first = next(iter(rejected.problems), None)
        reason = first.message if first else T("it has no process")
        problems, visited, flows = [T("The draft cannot be tried yet: %(reason)s", reason=reason)], set(), set()
    except ValidationFailed as refused:
        problems = [T("%(place)s: %(reason)s", place=place, reason=each[0]) for place, each in refused.errors.items()] or [refused.message]
        visited, flows = set(), set()
    return ScenarioResult(name, title, not problems, list(problems), visited, flows, time.monotonic() - began)
