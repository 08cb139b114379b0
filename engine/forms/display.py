"""Answers for people: labels instead of keys and option values, dates as offices write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from engine.forms.answers import _canonical, options_of
from engine.forms.check import called
from engine.forms.components import COMPUTED, DEEPEST, GROUP, INPUT, LIST, Component, children_of, own_path, setting, type_of
from engine.forms.feel import is_expression, run
from engine.words import T, Words


@dataclass(frozen=True)
class FieldInfo:
    """One answer of a form.

    ``path`` is dotted (the fields of a list are under ``columns``, with paths of their own row); ``options`` are ``(value, label)`` when
    they stand in the form, empty when they come from data.
    """

    path: str
    label: str
    type: str
    subtype: str = ""
    required: bool = False
    readonly: bool = False
    options: tuple[tuple[Any, str], ...] = ()
    columns: tuple[FieldInfo, ...] = field(default=())


def label_of(component: Component, scope: Mapping[str, Any] | None = None) -> str:
    """The label as a reader sees it; an expression is run when there is a ``scope``, else the key stands for it."""
    label = component.get("label")
    if is_expression(label):
        value = run(label, scope) if scope is not None else None
        return str(value) if value not in (None, "") else ".".join(own_path(component))
    return called(component)


def fields_of(components: list[Component], prefix: tuple[str, ...] = (), depth: int = 0) -> list[FieldInfo]:
    """The answers of a list of components, flat, in order."""
    found: list[FieldInfo] = []
    for component in components if depth <= DEEPEST else ():
        kind, path = type_of(component), (*prefix, *own_path(component))
        if kind is None:
            continue
        if kind.role == GROUP:
            found += fields_of(children_of(component), path, depth + 1)
        elif kind.role in (INPUT, COMPUTED, LIST) and path != prefix:
            static = kind.options and not component.get("valuesKey") and not component.get("valuesExpression")
            found.append(
                FieldInfo(
                    path=".".join(path),
                    label=label_of(component),
                    type=kind.name,
                    subtype=str(component.get("subtype") or ""),
                    required=setting(component, "validate", "required") is True,
                    readonly=kind.role == COMPUTED or component.get("readonly") is True or component.get("disabled") is True,
                    options=tuple(options_of(component, {})) if static else (),
                    columns=tuple(fields_of(children_of(component), (), depth + 1)) if kind.role == LIST else (),
                )
            )
    return found


def display_of(
    components: list[Component],
    answers: list[tuple[Component, tuple[str | int, ...], Mapping[str, Any], Any]],
    files: Mapping[str, list[Mapping[str, Any]]] | None,
) -> list[tuple[str, str]]:
    """``(label, text)`` for answers given as ``(component, path, scope, value)``."""
    lists = dict(_lists(components, (), 0))
    shown = []
    for component, path, scope, value in answers:
        label = label_of(component, scope)
        names: tuple[str, ...] = ()
        parts = []
        for step in path:
            if isinstance(step, int):
                parts.append(f"{lists.get(names, '.'.join(names))} {step + 1}")
            else:
                names = (*names, step)
        shown.append((" · ".join([*parts, label]), text_of(component, value, scope, files)))
    return shown


def _lists(components: list[Component], prefix: tuple[str, ...], depth: int) -> list[tuple[tuple[str, ...], str]]:
    found = []
    for component in components if depth <= DEEPEST else ():
        kind, path = type_of(component), (*prefix, *own_path(component))
        if kind is not None and kind.role in (GROUP, LIST):
            if kind.role == LIST:
                found.append((path, label_of(component)))
            found += _lists(children_of(component), path, depth + 1)
    return found


def text_of(component: Component, value: Any, scope: Mapping[str, Any], files: Mapping[str, list[Mapping[str, Any]]] | None = None) -> str:
    """One answer as text; :class:`Words` where it must be translated (yes and no)."""
    kind = type_of(component)
    if value is None or value == "" or value == []:
        return ""
    if kind is not None and kind.options:
        labels = {_canonical(each): label for each, label in options_of(component, scope)}
        chosen = value if isinstance(value, list) else [value]
        return "、".join(labels.get(_canonical(each), _plain(each)) for each in chosen)
    if kind is not None and kind.name == "datetime":
        return moment_text(value)
    if kind is not None and kind.name == "filepicker" and files is not None and isinstance(value, str):
        return "、".join(str(each.get("name", "")) for each in files.get(value, []))
    return _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return _YES if value else _NO
    return value if isinstance(value, str) else _canonical(value)


_YES: Words = T("Yes")
_NO: Words = T("No")


def moment_text(value: Any) -> str:
    """``2026-11-22`` → ``2026年11月22日``; with a time, ``2026年11月22日 09:30`` in office time; other text comes back unchanged."""
    if not isinstance(value, str):
        return _plain(value)
    for read, write in _MOMENTS:
        try:
            return write(read(value))
        except ValueError:
            continue
    return value


def _both(at: datetime) -> str:
    # What the browser sent with an offset is an instant; without one it is a time on the office's wall.
    local = at.astimezone(_OFFICE_ZONE) if at.tzinfo else at
    return f"{_day(local)} {local:%H:%M}"


def _day(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


_OFFICE_ZONE = ZoneInfo("Asia/Shanghai")
_MOMENTS = ((date.fromisoformat, _day), (datetime.fromisoformat, _both), (time.fromisoformat, lambda at: f"{at:%H:%M}"))
