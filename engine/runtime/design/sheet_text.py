"""Changing values of a YAML text and leaving every other character as it stands.

A procedure sheet is a file that people also read and keep in a version archive: its comments, its order and its quoting are theirs.
So what a form changed is replaced value by value.  All values are texts, lists and mappings of texts, as the sheet's reader takes
them.  The result is read again; a text that is written in a way that does not allow this (anchors, for one) is refused, not spoilt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from engine.errors import ValidationFailed
from engine.words import T

_NULL = "tag:yaml.org,2002:null"
_SAFE_AS_IS = re.compile(r"[^\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff]*\Z")
UNCHANGEABLE = T("The file is written in a way that cannot be changed field by field. Change it as text.")


def plain(node: yaml.Node | None) -> Any:
    """What stands in a node: texts without surrounding space (empty for null), lists, and mappings in their order."""
    if isinstance(node, yaml.MappingNode):
        return {str(name.value): plain(value) for name, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(each) for each in node.value]
    return "" if node is None or node.tag == _NULL else node.value.strip()


def read(text: str) -> dict[str, Any] | None:
    """The values of a text that is one mapping; ``None`` for any other text, such as one that is no YAML."""
    try:
        root = yaml.compose(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None
    return plain(root) if isinstance(root, yaml.MappingNode) else None


def rewritten(text: str, wanted: Mapping[str, Any]) -> str:
    """``text`` with the values of ``wanted``; a text without values is written anew.

    Top-level keys that are not in ``wanted`` go, so the caller puts in what it does not know as :func:`read` gave it.  Keys of rows
    keep their order, new ones come where ``wanted`` has them.  Raises :class:`ValidationFailed` (:data:`UNCHANGEABLE`).
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    body = text.removeprefix("\ufeff")
    line_end = "\r\n" if "\r\n" in body else "\n"
    old = read(body)
    if old is None:
        if body.strip() and yaml_of(body) is not None:
            raise ValidationFailed(UNCHANGEABLE)
        return mark + body + ("" if not body or body.endswith("\n") else line_end) + _lines(wanted, line_end)
    root = yaml_of(body)
    for deep in (True, False):
        edits = _Edits(body, line_end, deep)
        edits.mapping(root, wanted, top=True)
        changed = edits.applied()
        if pruned(read(changed)) == pruned(wanted):
            return mark + changed
    raise ValidationFailed(UNCHANGEABLE)


def yaml_of(text: str) -> yaml.Node | None:
    """The node tree of a text; ``None`` for an empty one.  Raises :class:`ValidationFailed` for what is no YAML."""
    try:
        return yaml.compose(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ValidationFailed(UNCHANGEABLE) from error


def pruned(value: Any) -> Any:
    """A value without its empty texts and empty lists, which mean the same as nothing."""
    if isinstance(value, Mapping):
        kept = {name: pruned(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in ("", [])}
    if isinstance(value, list | tuple):
        return [pruned(each) for each in value]
    return value.strip() if isinstance(value, str) else value


def span(node: yaml.Node) -> tuple[int, int]:
    """Where the text of a node begins and ends; a block ends with its last value, not with the comments behind it."""
    begin = node.start_mark.index
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    end = node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        # The end of such a text is the begin of what follows it.
        buffer = node.end_mark.buffer
        while buffer is not None and end > node.start_mark.index and buffer[end - 1] in " \r\n":
            end -= 1
    return begin, end


def flow(value: Any) -> str:
    """A value on one line, fit to stand anywhere, inside brackets too."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(name)}: {flow(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(each) for each in value) + "]"
    text = str(value)
    style = None if _SAFE_AS_IS.match(text) else '"'
    written = yaml.safe_dump([text], default_flow_style=True, default_style=style, allow_unicode=True, width=10**9)
    return written.strip().removeprefix("[").removesuffix("]").replace("!!str ", "")


def _lines(values: Mapping[str, Any], line_end: str) -> str:
    """A mapping written anew: a list of mappings gets one line each."""
    lines = []
    for name, value in values.items():
        if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
            lines += [f"{flow(name)}:", *(f"  - {flow(each)}" for each in value)]
        elif isinstance(value, Mapping) and value:
            lines += [f"{flow(name)}:", *(f"  {flow(key)}: {flow(each)}" for key, each in value.items())]
        else:
            lines.append(f"{flow(name)}: {flow(value)}")
    return "".join(line + line_end for line in lines)


class _Impossible(Exception):
    """This value cannot be changed part by part; it is replaced as a whole."""


@dataclass
class _Edits:
    """Replacements in a text.  With ``deep`` a changed list or mapping is changed inside, else only as a whole."""

    text: str
    line_end: str
    deep: bool
    edits: list[tuple[int, int, str]] = field(default_factory=list)

    def applied(self) -> str:
        changed = self.text
        # From the end, so that places stay true; of two at one place the earlier noted stays in front.
        for _, (begin, end, new) in sorted(enumerate(self.edits), key=lambda each: (*each[1][:2], each[0]), reverse=True):
            changed = changed[:begin] + new + changed[end:]
        return changed

    def value(self, node: yaml.Node, new: Any) -> None:
        """Note what makes ``node`` say ``new``."""
        if pruned(plain(node)) == pruned(new):
            return
        before = len(self.edits)
        try:
            if self.deep and isinstance(node, yaml.MappingNode) and isinstance(new, Mapping) and new:
                self.mapping(node, new)
                return
            if self.deep and isinstance(node, yaml.SequenceNode) and isinstance(new, list) and new and not node.flow_style:
                self.sequence(node, new)
                return
        except _Impossible:
            del self.edits[before:]
        self.whole(node, new)

    def whole(self, node: yaml.Node, new: Any) -> None:
        begin, end = span(node)
        rows = isinstance(new, list) and new and all(isinstance(each, Mapping) for each in new)
        if rows and isinstance(node, yaml.SequenceNode) and not node.flow_style:
            pad = " " * node.start_mark.column
            self.edits.append((begin, end, (self.line_end + pad).join(f"- {flow(each)}" for each in new)))
            return
        space = " " if begin and self.text[begin - 1] == ":" else ""
        self.edits.append((begin, end, space + flow(new)))

    def mapping(self, node: yaml.MappingNode, new: Mapping[str, Any], top: bool = False) -> None:
        """Change the values of keys that stay, take away the others' lines, put new keys behind the one that goes before them."""
        keys = [str(name.value) for name, _ in node.value]
        if len(set(keys)) != len(keys):
            raise _Impossible if not top else ValidationFailed(UNCHANGEABLE)
        gone = [str(name.value) for name, value in node.value if str(name.value) not in new and not _empty(plain(value))]
        fresh = [key for key in new if key not in keys and (top or not _empty(new[key]))]
        if node.flow_style:
            if gone or fresh:
                raise _Impossible if not top else ValidationFailed(UNCHANGEABLE)
            for name, value in node.value:
                if str(name.value) in new:
                    self.value(value, new[str(name.value)])
            return
        pad = " " * node.start_mark.column
        behind: dict[int, str] = {}
        for name, value in node.value:
            key = str(name.value)
            if key in gone:
                self.edits.append((*self._own_lines(name, value), ""))
            elif key in new:
                self.value(value, new[key])
        order = list(new)
        for key in fresh:
            written = _lines({key: new[key]}, self.line_end).removesuffix(self.line_end).replace(self.line_end, self.line_end + pad)
            known = [each for each in order[: order.index(key)] if each in keys and each not in gone]
            if known:
                name, value = node.value[keys.index(known[-1])]
                place = self._line_end(max(span(value)[1], name.end_mark.index))
                behind[place] = behind.get(place, "") + self.line_end + pad + written
            else:
                begin = node.start_mark.index
                behind[begin] = behind.get(begin, "") + written + self.line_end + pad
        self.edits += [(place, place, words) for place, words in behind.items()]

    def sequence(self, node: yaml.SequenceNode, new: list[Any]) -> None:
        """Rows that stay keep their lines and the comments above them, also when they move."""
        dashes = [self._dash(each) for each in node.value]
        starts = [self._line_begin(dash) for dash in dashes]
        ends = [self._line_end(span(each)[1]) for each in node.value]
        above = [self._comments_begin(start, ends[number - 1] if number else None) for number, start in enumerate(starts)]
        heads = [self.text[above[number] : starts[number]] for number in range(len(starts))]
        pad = self.text[starts[0] : dashes[0]]
        taken = self._partners([plain(each) for each in node.value], new)
        rows = []
        for value, partner in zip(new, taken, strict=True):
            if partner is None:
                rows.append(f"{pad}- {flow(value)}")
                continue
            begin, end = starts[partner], ends[partner]
            inner = _Edits(self.text, self.line_end, True)
            inner.value(node.value[partner], value)
            row = inner.applied()
            row = row[begin : end + len(row) - len(self.text)]
            rows.append(heads[partner] + row)
        # Comments above a row that is gone stay, in front of what follows.
        kept = [heads[number] for number in range(len(starts)) if number not in taken and heads[number].strip()]
        first = above[0]
        self.edits.append((first, ends[-1], "".join(kept) + self.line_end.join(rows)))

    @staticmethod
    def _partners(old: list[Any], new: list[Any]) -> list[int | None]:
        """For each new row the old one that it is: the same, else the one of the same first value, else the one at its place."""
        free, found = set(range(len(old))), [None] * len(new)

        def settle(alike: Any) -> None:
            for place, value in enumerate(new):
                if found[place] is None:
                    match = next((number for number in sorted(free, key=lambda n: n != place) if alike(place, value, number)), None)
                    if match is not None:
                        found[place] = match
                        free.discard(match)

        settle(lambda place, value, number: pruned(old[number]) == pruned(value))
        settle(lambda place, value, number: _first(value) and _first(value) == _first(old[number]))
        settle(lambda place, value, number: place == number and len(old) == len(new) and isinstance(value, type(old[number])))
        return found

    def _dash(self, node: yaml.Node) -> int:
        dash = self.text.rfind("-", 0, node.start_mark.index)
        if dash < 0 or self.text[self._line_begin(dash) : dash].strip():
            raise _Impossible
        return dash

    def _own_lines(self, name: yaml.Node, value: yaml.Node) -> tuple[int, int]:
        begin, end = name.start_mark.index, max(span(value)[1], name.end_mark.index)
        line = self._line_begin(begin)
        if self.text[line:begin].strip():
            raise _Impossible
        end = self._line_end(end)
        return line, min(len(self.text), end + (2 if self.text[end : end + 2] == "\r\n" else 1))

    def _line_begin(self, place: int) -> int:
        return self.text.rfind("\n", 0, place) + 1

    def _line_end(self, place: int) -> int:
        end = self.text.find("\n", place)
        end = len(self.text) if end < 0 else end
        return end - 1 if end > place and self.text[end - 1] == "\r" else end

    def _comments_begin(self, start: int, previous_end: int | None) -> int:
        """Where the comment and empty lines above ``start`` begin; not before the line after ``previous_end``."""
        begin = start
        while begin > 0:
            line = self._line_begin(begin - 1)
            words = self.text[line:begin].strip()
            if (words and not words.startswith("#")) or (previous_end is not None and line <= previous_end):
                break
            begin = line
        return begin


def _empty(value: Any) -> bool:
    return value in ("", [])


def _first(value: Any) -> Any:
    return next(iter(value.values()), "") if isinstance(value, Mapping) else value
