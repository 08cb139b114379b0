"""A compiled form: one form-js schema, the rules for its answers, and reading answers by them.

What is accepted (``design.md`` §5): types, required, limits, options, dates, lists, files.  A field hidden by its FEEL
condition is neither required nor stored, unknown keys are refused, read-only and disabled fields keep the value of the context
whatever the client sent, and computed fields are computed here.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

import marshmallow

from engine.errors import Problem, ValidationFailed
from engine.forms.check import problems_of
from engine.forms.components import COMPUTED, GROUP, INPUT, LIST, Component, children_of, own_path, setting, type_of
from engine.forms.display import FieldInfo, display_of, fields_of
from engine.forms.feel import is_expression, local_scope, run
from engine.forms.rights import FREE, FieldRights, changed_rows, limited, restored
from engine.forms.tree import Level, LoadState, Path, section_of
from engine.words import T, Words

MOST_NESTING = 30
ROWS_KEPT = T("At this step rows can be neither added nor removed, because some of their fields cannot be changed here.")
_ABSENT = object()

Files = Mapping[str, list[Mapping[str, Any]]]


def compile_form(schema: dict[str, Any] | bytes | str, file: str = "") -> Form:
    """Compile a form-js schema (parsed, or the bytes of a ``.form`` file).  Never raises: :meth:`Form.check` says what is wrong.

    Forms are cached by their content; a :class:`Form` is immutable and shared.
    """
    if isinstance(schema, bytes):
        text: str | None = schema.decode("utf-8-sig", errors="replace")
    elif isinstance(schema, str):
        text = schema
    else:
        # Line numbers of text nobody wrote would mislead, hence the flag.
        return _compiled(json.dumps(schema, ensure_ascii=False, default=str), file, False)
    return _compiled(text, file, True)


@lru_cache(maxsize=512)
def _compiled(text: str, file: str, written: bool) -> Form:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = T("The file is not readable JSON: %(reason)s", reason=str(error))
        return Form({}, [Problem(file, getattr(error, "lineno", None), None, "form.not-json", reason)])
    return Form(schema if isinstance(schema, dict) else {}, problems_of(schema, file, text if written else None))


@dataclass(frozen=True)
class _Instance:
    """A component at one place of the data; the components of a list have one instance a row."""

    component: Component
    path: Path
    role: str
    scope: Mapping[str, Any]
    hidden: bool


class Form:
    """A compiled form; made by :func:`compile_form`."""

    def __init__(self, schema: dict[str, Any], problems: list[Problem], rights: FieldRights = FREE) -> None:
        self._schema = schema
        self._rights = rights
        self._problems = problems
        self._components = children_of(schema)
        self._section = section_of(self._components)

    @property
    def id(self) -> str:
        """The form's own id (``formId`` of models), or ``""``."""
        value = self._schema.get("id")
        return value if isinstance(value, str) else ""

    @property
    def title(self) -> str:
        """What people call the form: the heading of its first text, else its id."""
        for component in self._schema.get("components") or []:
            text = component.get("text") if isinstance(component, dict) else None
            if isinstance(text, str) and text.lstrip().startswith("#"):
                return text.lstrip().splitlines()[0].lstrip("# ").strip() or self.id
        return self.id

    def check(self) -> list[Problem]:
        """Everything that is wrong with the form; empty when it can be deployed without a remark."""
        return list(self._problems)

    def limited(self, rights: FieldRights) -> Form:
        """The form as a step with ``rights`` sees it: without what is hidden there, and with what is read-only there."""
        return _limited_form(self, rights) if rights else self

    # -- reading answers ---------------------------------------------------------------------------------------------------

    def load(
        self, data: Any, context: Mapping[str, Any] | None = None, *, today: date | None = None, files: Files | None = None
    ) -> dict[str, Any]:
        """The clean answers in ``data``, a JSON object as the browser submits it.

        ``context`` are the variables the form was shown with: FEEL sees them (the answers go before), options may come from
        them, and read-only fields are taken from them.  ``today`` (office day) lets ``disallowPassedDates`` be checked;
        ``files`` maps each ``files::<id>`` to its uploads ``{"name", "size" (bytes), "type"}`` so that their limits are.
        An answer that was not sent is not in the result; an emptied one is there as ``None`` (``[]`` for choices).
        Raises :class:`ValidationFailed` with ``errors`` by dotted path, and nothing else.
        """
        if not isinstance(data, dict):
            raise ValidationFailed("The answers must be a set of fields.", errors={"": [T("The answers must be a set of fields.")]})
        unreadable = {
            str(name): [refusal]
            for name, value in data.items()
            if (refusal := _unreadable(value, 1) if isinstance(name, str) else T("This form has no such field.")) is not None
        }
        if unreadable:
            raise _refused(unreadable)
        lists = [each.path for each in self._lists()] if self._rights else ()
        moved = {place: [ROWS_KEPT] for place in changed_rows(data, self._rights, context or {}, lists)}
        if moved:
            raise _refused(moved)
        level, tree = self._prepare(data, dict(context or {}), today, files)
        try:
            return level.load(tree)
        except marshmallow.ValidationError as refused:
            errors: dict[str, list[Words]] = {}
            _flatten(refused.messages, "", errors)
            raise _refused(errors) from None

    def restored(self, values: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
        """What :meth:`load` gave, to be stored: parts of groups and rows that this step hides are as they were in the case."""
        return restored(values, self._rights, context) if self._rights else dict(values)

    def _lists(self) -> list[FieldInfo]:
        return [each for each in _with_columns(self.fields()) if each.columns]

    def schema(self, context: Mapping[str, Any] | None = None, data: Mapping[str, Any] | None = None) -> Level:
        """The marshmallow schema as it stands for ``context`` and the (readable) answers ``data``: what they hide is optional in it."""
        return self._prepare(dict(data or {}), dict(context or {}), None, None)[0]

    def _prepare(self, data: dict[str, Any], context: dict[str, Any], today: date | None, files: Files | None) -> tuple[Level, dict[str, Any]]:
        kept_tree = copy.deepcopy(data)
        kept = self._keep(kept_tree, context)
        # Hiding one field may show another, so the conditions are asked until they agree; where they never do, all stay hidden.
        hidden: frozenset[Path] = frozenset()
        seen: list[frozenset[Path]] = []
        while True:
            tree = copy.deepcopy(kept_tree)
            for path in hidden:
                _remove(tree, path)
            root = self._compute(tree, context, hidden)
            instances = list(_instances(self._components, (), tree, root))
            found = frozenset(each.path for each in instances if each.hidden and each.role in (INPUT, COMPUTED, LIST))
            if found == hidden:
                break
            seen.append(hidden)
            hidden = found if found not in seen else found.union(*seen[seen.index(found) :])
            if len(seen) > len(instances) + 8:
                break
        state = LoadState(
            root=root,
            hidden=hidden,
            kept=frozenset(kept - hidden),
            scopes={each.path: each.scope for each in instances if each.role in (INPUT, COMPUTED)},
            today=today,
            files=files,
        )
        return self._section.schema(state), tree

    def _keep(self, tree: dict[str, Any], context: dict[str, Any]) -> set[Path]:
        """Put the context's value (or nothing) where the client may not write, and say where that is."""
        kept: set[Path] = set()
        # Two rounds: what is read-only outright must be in place before a condition is asked whether more is.
        for conditional in (False, True):
            for each in list(_instances(self._components, (), tree, {**context, **tree})):
                if each.role not in (INPUT, LIST) or each.path in kept:
                    continue
                flag = each.component.get("readonly")
                locked = each.component.get("disabled") is True or flag is True
                if conditional and is_expression(flag):
                    locked = run(flag, each.scope) is True
                if locked:
                    kept.add(each.path)
                    value = _find(context, each.path)
                    _remove(tree, each.path) if value is _ABSENT else _put(tree, each.path, copy.deepcopy(value))
        return kept

    def _compute(self, tree: dict[str, Any], context: dict[str, Any], hidden: frozenset[Path]) -> dict[str, Any]:
        """Fill in the computed fields in the order of the form; returns the names FEEL sees at the root."""
        for path in [each.path for each in _instances(self._components, (), tree, context) if each.role == COMPUTED]:
            _remove(tree, path)
        # One walk, lazily: a result is in the data and in the scope before the next component is looked at.
        # A hidden answer reads as null, even where an earlier step left a variable of that name.
        blank = {path[0]: None for path in hidden if len(path) == 1}
        root = {**context, **tree, **blank}
        for each in _instances(self._components, (), tree, root):
            if each.role == COMPUTED and each.path not in hidden and is_expression(each.component.get("expression")):
                _put(tree, each.path, run(each.component["expression"], each.scope))
                root.update((name, tree[name]) for name in each.path[:1] if name in tree)
        return {**context, **tree, **blank}

    def every_field(self) -> list[FieldInfo]:
        """Like :meth:`fields`, with the columns of lists under their full path, after their list."""
        return list(_with_columns(self.fields()))

    # -- showing answers ---------------------------------------------------------------------------------------------------

    def fields(self) -> list[FieldInfo]:
        """The answers of the form in its order, flat: for read-only pages, spreadsheets and print."""
        return fields_of(self._components)

    def display(self, data: Mapping[str, Any], context: Mapping[str, Any] | None = None, files: Files | None = None) -> list[tuple[str, str]]:
        """``(label, text)`` for every answer in ``data``, with option labels and Chinese dates; unanswered fields have ``""``.

        Fields that ``data`` hides are left out.  The row of a list is named "label 1 · label of the field".
        """
        answers = data if isinstance(data, dict) else {}
        root = {**(context or {}), **answers}
        shown = [each for each in _instances(self._components, (), answers, root) if each.role in (INPUT, COMPUTED) and not each.hidden]
        return display_of(self._components, [(each.component, each.path, each.scope, _find(answers, each.path, None)) for each in shown], files)


@lru_cache(maxsize=512)
def _limited_form(form: Form, rights: FieldRights) -> Form:
    return Form(limited(form._schema, rights), form.check(), rights)


def _with_columns(fields: list[FieldInfo] | tuple[FieldInfo, ...], prefix: str = "") -> Iterator[FieldInfo]:
    """The fields and, after each list, its columns under their full path."""
    for each in fields:
        named = replace(each, path=f"{prefix}{each.path}")
        yield named
        yield from _with_columns(each.columns, f"{named.path}.")


# -- walking the components over the data --------------------------------------------------------------------------------------


def _instances(
    components: list[Component],
    prefix: Path,
    data: Any,
    scope: Mapping[str, Any],
    *,
    root: Mapping[str, Any] | None = None,
    indexes: tuple[int, ...] = (),
    hidden: bool = False,
    depth: int = 0,
) -> Iterator[_Instance]:
    """Every component at every place of ``data``; ``scope`` is what FEEL sees there, ``root`` what it sees at the top."""
    if depth > MOST_NESTING:
        return
    root = scope if root is None else root
    for component in components:
        kind = type_of(component)
        if kind is None:
            continue
        path = (*prefix, *own_path(component))
        gone = hidden or _hides(component, scope)
        if kind.role == GROUP:
            inner = scope
            if path != prefix:
                inner = local_scope(root, _find(data, path, {}), scope, list(indexes))
            yield from _instances(
                children_of(component), path, data, inner, root=root, indexes=indexes, hidden=gone, depth=depth + 1
            )
        elif path != prefix:
            yield _Instance(component, path, kind.role, scope, gone)
            rows = _find(data, path, None) if kind.role == LIST else None
            for index, row in enumerate(rows if isinstance(rows, list) else ()):
                inner = local_scope(root, row, scope, [*indexes, index + 1])
                yield from _instances(
                    children_of(component), (*path, index), data, inner, root=root, indexes=(*indexes, index + 1), hidden=gone, depth=depth + 1
                )


def _hides(component: Component, scope: Mapping[str, Any]) -> bool:
    condition = setting(component, "conditional", "hide")
    return run(condition, scope) is True if is_expression(condition) else condition is True


def _find(tree: Any, path: Path, default: Any = _ABSENT) -> Any:
    for name in path:
        if isinstance(name, int):
            if not isinstance(tree, list) or name >= len(tree):
                return default
            tree = tree[name]
        else:
            if not isinstance(tree, Mapping) or name not in tree:
                return default
            tree = tree[name]
    return tree


def _put(tree: Any, path: Path, value: Any) -> None:
    """Set a value, making the sections on the way; a place that cannot be made (rows not sent, text in the way) is left alone."""
    for name in path[:-1]:
        if isinstance(name, int):
            if not isinstance(tree, list) or name >= len(tree):
                return
            tree = tree[name]
        elif isinstance(tree, dict):
            tree = tree.setdefault(name, {})
        else:
            return
    if isinstance(tree, dict):
        tree[path[-1]] = value


def _remove(tree: Any, path: Path) -> None:
    holder = _find(tree, path[:-1], None)
    if isinstance(holder, dict):
        holder.pop(path[-1], None)


# -- refusing ------------------------------------------------------------------------------------------------------------------


def _unreadable(value: Any, depth: int) -> Words | None:
    """Why a value is not plain JSON, or ``None``; asked first, so that nothing odd ever reaches an expression."""
    if value is None or isinstance(value, (bool, str)):
        return None
    if isinstance(value, int):
        return None if value.bit_length() <= 256 else T("This number has too many digits.")
    if isinstance(value, float):
        return None if math.isfinite(value) else T("This is not a number.")
    if depth > MOST_NESTING or not isinstance(value, (dict, list)):
        return T("This answer cannot be read.")
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        return T("This answer cannot be read.")
    for each in value.values() if isinstance(value, dict) else value:
        refusal = _unreadable(each, depth + 1)
        if refusal is not None:
            return refusal
    return None


def _flatten(messages: Any, prefix: str, errors: dict[str, list[Words]]) -> None:
    if isinstance(messages, dict):
        for name, inner in messages.items():
            _flatten(inner, f"{prefix}.{name}" if prefix else str(name), errors)
        return
    errors.setdefault(prefix, []).extend(each if isinstance(each, Words) else T("%(message)s", message=str(each)) for each in messages)


def _refused(errors: dict[str, list[Words]]) -> ValidationFailed:
    return ValidationFailed("%(count)d answer(s) need attention.", count=len(errors), errors=errors)

