"""What differs between two states of a procedure sheet, in the words of its form: the title, the roles, one column of the register."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from engine.runtime.design.saying import listed, short
from engine.runtime.design.sheet_fields import FIELD_WORDS, KIND_WORDS, SHOW_WORDS
from engine.runtime.design.sheet_text import read
from engine.words import T, Words

CHOSEN: Mapping[str, Mapping[str, Words]] = {"search.kind": KIND_WORDS, "public.show": SHOW_WORDS}
"""Field → words of the values that are chosen from a list."""
ROLES = frozenset({"start.roles", "access.roles", "confidential.visible_to", "withdraw.roles", "actions.roles"})
"""Fields whose values are ids of roles."""
IDENTITY = ("key", "id", "rule", "message", "label", "name")
"""Fields of a row that tell it from the others, the first that it has."""
NAMES = ("label", "name", "from", "key", "id", "rule")
"""Fields of a row by which people know it, the first that it has."""
DEEPEST = 8


def sentences(old: str, new: str, roles: Mapping[str, str]) -> Iterator[Words]:
    """Everything in which two sheets differ; ``roles`` are the names of roles by their id.  Nothing when either cannot be read."""
    try:
        then, now = read(old), read(new)
    except RecursionError:
        return
    if then is None or now is None:
        return
    then, now = _filled(then), _filled(now)
    if then == now:
        yield T("Only remarks or the layout of the text differ, not what the sheet says.")
        return
    yield from _mapping("", then, now, roles, 0)


def _filled(value: Any) -> Any:
    """A value without what is empty in it, which means the same as nothing."""
    if isinstance(value, Mapping):
        kept = {name: _filled(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in ("", [], {})}
    return [each for each in map(_filled, value) if each not in ("", [], {})] if isinstance(value, list) else value


def _mapping(place: str, then: Mapping[str, Any], now: Mapping[str, Any], roles: Mapping[str, str], depth: int) -> Iterator[Words]:
    for key in [*then, *(key for key in now if key not in then)]:
        if then.get(key) != now.get(key):
            yield from _value(f"{place}.{key}" if place else key, then.get(key), now.get(key), roles, depth + 1)


def _value(place: str, then: Any, now: Any, roles: Mapping[str, str], depth: int) -> Iterator[Words]:
    sides = [each for each in (then, now) if each not in (None, "", [], {})]
    if depth < DEEPEST and all(isinstance(each, Mapping) for each in sides):
        yield from _mapping(place, then or {}, now or {}, roles, depth)
    elif all(isinstance(each, list) for each in sides) and all(isinstance(row, Mapping) for each in sides for row in each):
        yield from _rows(place, then or [], now or [], roles)
    elif all(isinstance(each, list) for each in sides):
        yield from _members(place, then or [], now or [], roles)
    else:
        yield T("%(field)s: %(old)s → %(new)s", field=_field(place), old=_shown(place, then, roles), new=_shown(place, now, roles))


def _members(place: str, then: list[Any], now: list[Any], roles: Mapping[str, str]) -> Iterator[Words]:
    """Values that came and went: roles, hidden fields, statuses."""
    texts = [[_plain(each) for each in side] for side in (then, now)]
    gone, come = Counter(texts[0]) - Counter(texts[1]), Counter(texts[1]) - Counter(texts[0])
    for value in come:
        yield T("%(field)s: “%(value)s” is new.", field=_field(place), value=_shown(place, value, roles))
    for value in gone:
        yield T("%(field)s: “%(value)s” is gone.", field=_field(place), value=_shown(place, value, roles))
    if not gone and not come:
        yield T("%(field)s: the order has changed.", field=_field(place))


def _rows(place: str, then: list[Any], now: list[Any], roles: Mapping[str, str]) -> Iterator[Words]:
    before, after = _keyed(then), _keyed(now)
    for key, row in after.items():
        if key not in before:
            yield T("%(field)s: “%(value)s” is new.", field=_field(place), value=_called(row))
        elif row != before[key]:
            yield T("%(field)s: “%(value)s” has changed: %(what)s", field=_field(place), value=_called(row), what=listed(_changes(place, before[key], row, roles)))
    for key, row in before.items():
        if key not in after:
            yield T("%(field)s: “%(value)s” is gone.", field=_field(place), value=_called(row))
    if [key for key in before if key in after] != [key for key in after if key in before]:
        yield T("%(field)s: the order has changed.", field=_field(place))


def _changes(place: str, then: Mapping[str, Any], now: Mapping[str, Any], roles: Mapping[str, str]) -> list[Words]:
    """The fields of one row that differ."""
    found = []
    for key in [*then, *(key for key in now if key not in then)]:
        if then.get(key) != now.get(key):
            at = f"{place}.{key}"
            field = FIELD_WORDS.get(at, short(key))
            found.append(T("%(field)s: %(old)s → %(new)s", field=field, old=_shown(at, then.get(key), roles), new=_shown(at, now.get(key), roles)))
    return found


def _keyed(rows: list[Any]) -> dict[tuple[str, str, int], Any]:
    """Rows by what tells them apart; two that are told alike by how often that came before."""
    seen: Counter[tuple[str, str]] = Counter()
    found = {}
    for row in rows:
        name = next((name for name in IDENTITY if row.get(name)), "")
        key = (name, _plain(row.get(name, "")))
        found[*key, seen[key]] = row
        seen[key] += 1
    return found


def _called(row: Mapping[str, Any]) -> str:
    return short(next((_plain(row[name]) for name in NAMES if row.get(name)), "?"))


def _field(place: str) -> Words | str:
    """What the form calls a field; inside a part of the form with the part before it."""
    top, _, rest = place.partition(".")
    if place in FIELD_WORDS and (not rest or top in ("header", "start", "access")):
        return FIELD_WORDS[place]
    if not rest:
        return short(top)
    return T("%(part)s · %(field)s", part=FIELD_WORDS.get(top, short(top)), field=FIELD_WORDS.get(place, short(rest)))


def _shown(place: str, value: Any, roles: Mapping[str, str]) -> Words | str:
    if value in (None, "", [], {}):
        return T("(empty)")
    if place in ROLES:
        names = value if isinstance(value, list) else [value]
        return short("、".join(roles.get(_plain(each), _plain(each)) for each in names))
    words = CHOSEN.get(place, {}).get(value) if isinstance(value, str) else None
    return words or short(_plain(value))


def _plain(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "；".join(f"{key}: {_plain(each)}" for key, each in value.items())
    if isinstance(value, list):
        return "、".join(_plain(each) for each in value)
    return " ".join(str(value).split())
