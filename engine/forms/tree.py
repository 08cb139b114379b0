"""From the components of a form to the shape of its data, and from there to marshmallow schemas.

Components nest by layout (groups without a path), data nests by path (dotted keys, groups and lists with a path).  A
:class:`Section` is one level of the data; its leaves are answers, its inner nodes sections or lists of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from marshmallow import Schema, ValidationError, fields
from marshmallow.utils import missing

from engine.forms.answers import REQUIRED, field_for
from engine.forms.components import COMPUTED, DEEPEST, GROUP, INPUT, LIST, Component, children_of, own_path, setting, type_of
from engine.words import T

MOST_ROWS = 1000
Path = tuple[str | int, ...]


@dataclass
class Section:
    """One level of the data: name → answer component, inner section, or rows."""

    nodes: dict[str, Component | Section | Rows] = field(default_factory=dict)
    schema: type[Level] | None = None


@dataclass
class Rows:
    """A list whose every row is a section."""

    component: Component
    section: Section


def section_of(components: list[Component], depth: int = 0) -> Section:
    """The data of a list of components.  Components that cannot be placed are left out: the check names them."""
    root = Section()
    _place(components, root, depth)
    _build(root)
    return root


def _place(components: list[Component], section: Section, depth: int) -> None:
    if depth > DEEPEST:
        return
    for component in components:
        kind, path = type_of(component), own_path(component)
        if kind is None:
            continue
        if kind.role == GROUP:
            target = _reach(section, path)
            if target is not None:
                _place(children_of(component), target, depth + 1)
        elif path and kind.role in (INPUT, COMPUTED, LIST):
            target = _reach(section, path[:-1])
            if target is not None and path[-1] not in target.nodes:
                rows = kind.role == LIST
                target.nodes[path[-1]] = Rows(component, section_of(children_of(component), depth + 1)) if rows else component


def _reach(section: Section, path: tuple[str, ...]) -> Section | None:
    for name in path:
        inner = section.nodes.setdefault(name, Section())
        if not isinstance(inner, Section):
            return None
        section = inner
    return section


def _build(section: Section) -> None:
    for node in section.nodes.values():
        if isinstance(node, Section):
            _build(node)
    # Fields are numbered and carry their name as data_key, so that no key of a form can clash with the schema class itself.
    declared: dict[str, fields.Field] = {}
    for number, (name, node) in enumerate(section.nodes.items()):
        made = SectionField(node) if isinstance(node, Section) else RowsField(node) if isinstance(node, Rows) else field_for(node)
        made.data_key = made.attribute = name
        declared[f"f{number}"] = made
    section.schema = Level.from_dict(declared, name="Level")


@dataclass
class LoadState:
    """One load that is going on: which answers are hidden or kept, and what FEEL sees at each of them."""

    root: Mapping[str, Any]
    hidden: frozenset[Path] = frozenset()
    kept: frozenset[Path] = frozenset()
    scopes: Mapping[Path, Mapping[str, Any]] = field(default_factory=dict)
    today: date | None = None
    files: Mapping[str, list[Mapping[str, Any]]] | None = None

    def scope_at(self, path: Path) -> Mapping[str, Any]:
        return self.scopes.get(path, self.root)


class Level(Schema):
    """The marshmallow schema of one level of data during one load.  Unknown keys are refused."""

    error_messages = {"unknown": T("This form has no such field."), "type": T("This must be a set of fields.")}

    def __init__(self, state: LoadState, prefix: Path = ()) -> None:
        self.state, self.prefix = state, prefix
        super().__init__()
        self.partial = [name for name, made in self.fields.items() if (*prefix, made.data_key) in state.hidden]


class SectionField(fields.Field):
    """An inner level.  It is loaded even when it was not sent, so that what it requires is asked for."""

    def __init__(self, section: Section) -> None:
        super().__init__()
        self.section = section

    def deserialize(self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        if value is missing or value is None:
            value = {}
        if not isinstance(value, dict):
            raise ValidationError([T("This must be a set of fields.")])
        loaded = self.section.schema(self.parent.state, (*self.parent.prefix, attr)).load(value)
        return loaded or missing


class RowsField(fields.Field):
    """The rows of a dynamic list.  ``minRows`` and ``maxRows`` stand in the component's ``properties``."""

    default_error_messages = {"required": [REQUIRED]}

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.rows = rows

    def deserialize(self, value: Any, attr: str | None = None, data: Mapping[str, Any] | None = None, **kwargs: Any) -> Any:
        path = (*self.parent.prefix, attr)
        if path in self.parent.state.kept:
            return value
        sent = [] if value is missing or value is None else value
        if not isinstance(sent, list):
            raise ValidationError([T("This must be a list of rows.")])
        component = self.rows.component
        least = _whole(setting(component, "properties", "minRows"), 1 if setting(component, "validate", "required") is True else 0)
        most = min(MOST_ROWS, _whole(setting(component, "properties", "maxRows"), MOST_ROWS))
        if len(sent) < least:
            raise ValidationError([T("Please fill in at least %(count)d row(s).", count=least)])
        if len(sent) > most:
            raise ValidationError([T("There may be at most %(count)d row(s).", count=most)])
        errors: dict[int, Any] = {}
        loaded = []
        for index, row in enumerate(sent):
            try:
                if not isinstance(row, dict):
                    raise ValidationError([T("This must be a set of fields.")])
                loaded.append(self.rows.section.schema(self.parent.state, (*path, index)).load(row))
            except ValidationError as refused:
                errors[index] = refused.messages
        if errors:
            raise ValidationError(errors)
        return missing if value is missing else loaded


def _whole(value: Any, default: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return default
