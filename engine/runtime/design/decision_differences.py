"""What differs between two states of a file of decisions: sentences, and each decision table as a table with its cells old and new."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lxml import etree

from engine.bpmn.xml import local, parse_xml
from engine.runtime.design.saying import short
from engine.words import T, Words

POLICIES: dict[str, Words] = {
    "UNIQUE": T("one row at most"), "FIRST": T("the first row"), "PRIORITY": T("by priority"), "ANY": T("any row, all alike"),
    "COLLECT": T("all rows"), "RULE ORDER": T("all rows, in their order"), "OUTPUT ORDER": T("all rows, by priority"),
    "COLLECT SUM": T("sum of all rows"), "COLLECT MIN": T("smallest of all rows"), "COLLECT MAX": T("largest of all rows"),
    "COLLECT COUNT": T("number of rows"),
}  # fmt: skip
"""Hit policy and aggregation → what the table gives."""
KINDS: dict[str, Words] = {"input": T("Asked"), "output": T("Given"), "note": T("Note")}
"""Kind of a column → what stands above it."""
NOTE = "note"
AROUND = 1
"""Rows without a difference that are shown before and behind one with a difference."""
WHOLE = 12
"""Tables of so many rows are shown whole."""
ROWS_LIMIT, COLUMNS_LIMIT = 300, 40
"""What a page shows of one table; a larger difference is read side by side."""
BESIDE = frozenset({"variable", "informationRequirement", "knowledgeRequirement", "authorityRequirement", "description", "extensionElements"})
"""Parts of a decision that are not how it decides."""


@dataclass(frozen=True)
class Cell:
    """One cell: its text then and now, cut off where it is long; ``None`` where there was, or is, no such row or column."""

    old: str | None
    new: str | None
    differs: bool

    @property
    def kind(self) -> str:
        """same, changed, added or removed."""
        return "same" if not self.differs else "added" if self.old is None else "removed" if self.new is None else "changed"


@dataclass(frozen=True)
class Row:
    """One row.  ``kind``: same, changed, added, removed, or gap (rows left out); the numbers are 1-based."""

    kind: str
    old_number: int | None = None
    number: int | None = None
    cells: tuple[Cell, ...] = ()


@dataclass(frozen=True)
class Column:
    """One column: its kind (a key of :data:`KINDS`), its title then and now, and whether it is the same, changed, added or removed."""

    kind: str
    old: str
    label: str
    status: str

    @property
    def word(self) -> Words:
        """The kind, for people."""
        return KINDS[self.kind]


@dataclass(frozen=True)
class Table:
    """One decision table of two states; those of both are merged row by row and column by column."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def sentences(name: str, old: str, new: str, cells: bool = True) -> Iterator[Words]:
    """What differs between two files of decisions; rows and cells only with ``cells`` (without, :func:`tables` shows them)."""
    before, after = _tree(name, old), _tree(name, new)
    if before is None or after is None:
        return
    then, now = _decisions(before), _decisions(after)
    for key, node in now.items():
        if key not in then:
            yield T("Added: the decision “%(name)s”.", name=_name(node))
    for key, node in then.items():
        if key not in now:
            yield T("Removed: the decision “%(name)s”.", name=_name(node))
        else:
            yield from _decision(node, now[key], cells)
    if then.keys() == now.keys() and _beside(before) != _beside(after):
        yield T("Other parts of the file have changed, such as its drawing or what the decisions need.")


def tables(name: str, old: str | None, new: str | None) -> tuple[Table, ...]:
    """Every decision table that differs, or that only one of the two files has; none when a file cannot be read or too much differs."""
    trees = [None if text is None else _tree(name, text) for text in (old, new)]
    if any(text is not None and tree is None for text, tree in zip((old, new), trees, strict=True)):
        return ()
    then, now = ({} if tree is None else _decisions(tree) for tree in trees)
    found = []
    for key in [*now, *(key for key in then if key not in now)]:
        sides = [side[key].find("{*}decisionTable") if key in side else None for side in (then, now)]
        if any(side is not None for side in sides):
            merged = _merged(_name(now.get(key, then.get(key))), *sides)
            if merged is None:
                return ()
            if any(row.kind != "same" for row in merged.rows) or any(column.status != "same" for column in merged.columns):
                found.append(merged)
    return tuple(found)


# --- sentences --------------------------------------------------------------------------------------------------------


def _decision(old: etree._Element, new: etree._Element, cells: bool) -> Iterator[Words]:
    called = _name(new)
    if _name(old) != called:
        yield T("The decision “%(old)s” is called “%(new)s” now.", old=_name(old), new=called)
    both = [node.find("{*}decisionTable") for node in (old, new)]
    if None not in both:
        yield from _table(called, *both, cells)
    elif _way(old) != _way(new):
        yield T("“%(name)s” is decided in another way.", name=called)


def _table(called: str, old: etree._Element, new: etree._Element, cells: bool) -> Iterator[Words]:
    policies = [(node.get("hitPolicy", "UNIQUE"), node.get("aggregation", "")) for node in (old, new)]
    if policies[0] != policies[1]:
        yield T(
            "“%(name)s”: the hit policy is %(new)s instead of %(old)s.", name=called, old=_policy(policies[0]), new=_policy(policies[1])
        )
    columns_then, columns_now = _columns_of_both(old, new)
    for key, label in columns_now.items():
        if key not in columns_then:
            yield T("“%(name)s”: column “%(column)s” is new.", name=called, column=label[0])
        elif columns_then[key] != label:
            yield T("“%(name)s”: column “%(column)s” has changed.", name=called, column=label[0])
    for key, label in columns_then.items():
        if key not in columns_now:
            yield T("“%(name)s”: column “%(column)s” is gone.", name=called, column=label[0])
    rules_then, rules_now = _rules_of_both(old, new, columns_then, columns_now)
    if cells:
        yield from _rows(called, columns_now, rules_then, rules_now)
    if [key for key in rules_then if key in rules_now] != [key for key in rules_now if key in rules_then]:
        yield T("“%(name)s”: the rows stand in another order.", name=called)


def _rows(called: str, columns: Columns, then: Rules, now: Rules) -> Iterator[Words]:
    for key, (number, cells) in now.items():
        if key not in then:
            yield T("“%(name)s”: row %(row)d is new.", name=called, row=number)
            continue
        before = then[key][1]
        for column, text in cells.items():
            if column in before and before[column] != text:
                yield T("“%(name)s”, row %(row)d, “%(column)s”: %(old)s → %(new)s", name=called, row=number,
                        column=columns[column][0] if column in columns else KINDS[NOTE], old=short(before[column]) or "-", new=short(text) or "-")  # fmt: skip
    for key, (number, _cells) in then.items():
        if key not in now:
            yield T("“%(name)s”: the former row %(row)d is gone.", name=called, row=number)


# --- tables -----------------------------------------------------------------------------------------------------------


def _merged(name: str, old: etree._Element | None, new: etree._Element | None) -> Table | None:
    """Both states of a table in one; ``None`` when it is too large for a page."""
    columns_then, columns_now = _columns_of_both(old, new)
    rules_then, rules_now = _rules_of_both(old, new, columns_then, columns_now)
    keys = [key for kind in ("input", "output") for side in (columns_now, columns_then) for key, each in side.items() if each[-1] == kind]
    keys = list(dict.fromkeys(keys))
    columns = [_column(columns_then.get(key), columns_now.get(key)) for key in keys]
    if any(cells.get(NOTE) for rules in (rules_then, rules_now) for _number, cells in rules.values()):
        keys.append(NOTE)
        columns.append(Column(NOTE, "", "", "same"))
    rows = [_row(rules_then.get(key), rules_now.get(key), keys) for key in _order(list(rules_then), list(rules_now))]
    shown = tuple(_without_same(rows))
    return None if len(shown) > ROWS_LIMIT or len(columns) > COLUMNS_LIMIT else Table(name, tuple(columns), shown)


def _column(then: tuple[str, ...] | None, now: tuple[str, ...] | None) -> Column:
    one = now or then or ("?", "input")
    status = "added" if then is None else "removed" if now is None else "same" if then == now else "changed"
    return Column(one[-1], short(then[0]) if then else "", short(one[0]), status)


def _row(then: tuple[int, dict[str, str]] | None, now: tuple[int, dict[str, str]] | None, keys: list[str]) -> Row:
    cells = []
    for key in keys:
        old, new = (None if side is None else side[1].get(key) for side in (then, now))
        cells.append(Cell(None if old is None else short(old), None if new is None else short(new), old != new))
    kind = "added" if then is None else "removed" if now is None else "changed" if any(each.differs for each in cells) else "same"
    return Row(kind, then and then[0], now and now[0], tuple(cells))


def _order(then: list[str], now: list[str]) -> list[str]:
    """Every key once: in the order of now, those that are gone behind the one they stood behind."""
    kept = set(now)
    behind: dict[str | None, list[str]] = {}
    last: str | None = None
    for key in then:
        if key in kept:
            last = key
        else:
            behind.setdefault(last, []).append(key)
    found = behind.get(None, [])[:]
    for key in now:
        found += [key, *behind.get(key, [])]
    return found


def _without_same(rows: list[Row]) -> Iterator[Row]:
    """The rows of a long table that differ, with their neighbours; what is left out is one gap."""
    if len(rows) <= WHOLE:
        yield from rows
        return
    near = {place + step for place, row in enumerate(rows) if row.kind != "same" for step in range(-AROUND, AROUND + 1)}
    skipped = False
    for place, row in enumerate(rows):
        if place in near:
            if skipped:
                yield Row("gap")
            skipped = False
            yield row
        else:
            skipped = True
    if skipped and near:
        yield Row("gap")


# --- reading ----------------------------------------------------------------------------------------------------------

Columns = dict[str, tuple[str, ...]]
"""Id of a column → its title, what else makes it what it is, and at the end its kind."""
Rules = dict[str, tuple[int, dict[str, str]]]
"""Id of a row → its number in the table and its cells by column; its notes under :data:`NOTE`."""


def _tree(name: str, text: str) -> etree._ElementTree | None:
    tree, _problems = parse_xml(text.encode(), name)
    return tree


def _decisions(tree: etree._ElementTree) -> dict[str | None, etree._Element]:
    return {node.get("id"): node for node in tree.iter("{*}decision")}


def _columns(table: etree._Element | None) -> Columns:
    found: Columns = {}
    for node in () if table is None else table:
        kind = local(node)
        if kind not in ("input", "output"):
            continue
        label = node.get("label") or node.get("name") or _texts(node) or node.get("id") or "?"
        types = [each.get("typeRef") or "" for each in node.iter() if isinstance(each.tag, str)]
        found[node.get("id") or f"{kind}{len(found)}"] = (label, _texts(node), node.get("name") or "", *types, kind)
    return found


def _rules(table: etree._Element | None, columns: Iterable[str]) -> Rules:
    keys = list(columns)
    found: Rules = {}
    for number, rule in enumerate(() if table is None else table.iterfind("{*}rule"), 1):
        cells = dict(zip(keys, (_texts(node) for node in rule if local(node) in ("inputEntry", "outputEntry")), strict=False))
        notes = [" ".join((node.text or "").split()) if local(node) == "description" else _texts(node)
                 for node in rule if local(node) in ("description", "annotationEntry")]  # fmt: skip
        cells[NOTE] = " ".join(note for note in notes if note)
        found[rule.get("id") or f"#{number}"] = (number, cells)
    return found


def _columns_of_both(old: etree._Element | None, new: etree._Element | None) -> tuple[Columns, Columns]:
    """Columns of both; a tool that gives every part a new id makes no new columns of them: then their places count."""
    then, now = _columns(old), _columns(new)
    if then.keys() & now.keys():
        return then, now
    return _by_place(then), _by_place(now)


def _by_place(columns: Columns) -> Columns:
    found: Columns = {}
    for each in columns.values():
        number = sum(1 for key in found if key.startswith(each[-1]))
        found[f"{each[-1]}{number}"] = each
    return found


def _rules_of_both(old: etree._Element | None, new: etree._Element | None, columns_then: Columns, columns_now: Columns) -> tuple[Rules, Rules]:
    then, now = _rules(old, columns_then), _rules(new, columns_now)
    if then.keys() & now.keys():
        return then, now
    return _by_number(then), _by_number(now)


def _by_number(rules: Rules) -> Rules:
    return {f"#{number}": (number, cells) for number, cells in rules.values()}


def _policy(policy: tuple[str, str]) -> Words | str:
    key = " ".join(policy).strip()
    return POLICIES.get(key, key)


def _name(node: etree._Element) -> str:
    return short(node.get("name") or node.get("id") or "?")


def _texts(node: etree._Element) -> str:
    return " ".join(" ".join((each.text or "").split()) for each in node.iter("{*}text")).strip()


def _way(decision: etree._Element) -> list[bytes]:
    """How a decision decides, canonically."""
    return [_canonical(node) for node in decision if isinstance(node.tag, str) and local(node) not in BESIDE]


def _beside(tree: etree._ElementTree) -> bytes:
    """The file without its tables, expressions and names of decisions, canonically."""
    root = copy.deepcopy(tree.getroot())
    for name in ("exporter", "exporterVersion"):
        root.attrib.pop(name, None)
    for decision in root.iter("{*}decision"):
        decision.attrib.pop("name", None)
        for node in list(decision):
            if isinstance(node.tag, str) and local(node) not in BESIDE:
                decision.remove(node)
    return _canonical(root)


def _canonical(node: etree._Element) -> bytes:
    copied = copy.deepcopy(node)
    copied.tail = None
    for each in copied.iter():
        each.text = (each.text or "").strip() or None
        each.tail = (each.tail or "").strip() or None
    return etree.tostring(copied, method="c14n", with_comments=False)
