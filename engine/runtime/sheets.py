"""The procedure sheet: ``procedure.yaml``, what a procedure is besides its flow.

``parse_sheet`` turns the file into an immutable :class:`Sheet` with compiled FEEL, or into a list of *all* its
:class:`Problem` findings, each with the line it stands on.  Unknown keys are refused: a misspelt ``confidental`` that is
silently ignored would publish names.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from engine.errors import Problem
from engine.feel import HOST_NAMES, Expression, FeelError, compile_expression
from engine.words import T, Words

NUMBER_PARTS = ("region", "code", "date", "serial")
HEADER_KEYS = ("applicant", "county", "urgency", "source", "section", "received_at")


@dataclass(frozen=True)
class Formula:
    """A value of the sheet: literal text, or FEEL when the file wrote a leading ``=``."""

    source: str
    expression: Expression | None = field(default=None, compare=False)

    def value(self, scope: Mapping[str, Any]) -> Any:
        """The value over ``scope``; for literal text, the text."""
        return self.source if self.expression is None else self.expression.evaluate(scope)


@dataclass(frozen=True)
class Start:
    """Who may open a case and with which form; no ``roles`` means everybody who may sign in."""

    form: str | None
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Action:
    """A button of the case page that publishes ``message``; ``form`` asks for its variables first."""

    message: str
    label: str
    form: str | None = None
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A column of the register 台账."""

    key: str
    label: str
    value: Formula


@dataclass(frozen=True)
class Paper:
    """A document of the procedure (受理通知书): ``at`` is the element it belongs to."""

    id: str
    name: str
    at: str | None = None


@dataclass(frozen=True)
class Limit:
    """A deadline rule shown on the start page; ``start`` says in a word from when it counts."""

    rule: str
    start: str | None = None


@dataclass(frozen=True)
class Confidential:
    """Whose identity is hidden: variable and form keys, when, and from whom it is not hidden."""

    fields: tuple[str, ...]
    when: Formula | None
    visible_to: tuple[str, ...]
    visible_to_handler_of: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """Something the sheet names and another file must have: ``kind`` is process, form, rule, ladder or element."""

    kind: str
    id: str
    line: int
    where: str


@dataclass(frozen=True)
class Sheet:
    """One version of a procedure's sheet.

    ``ladder`` is the ladder of all clocks of the procedure that do not name one themselves; ``None`` for the standard one.
    """

    process: str
    name: str
    short: str
    code: str
    case_number: str
    icon: str | None
    description: str
    limits_text: str
    title: Formula | None
    header: Mapping[str, Formula]
    start: Start
    deadlines: tuple[Limit, ...]
    confidential: Confidential | None
    register: tuple[Column, ...]
    withdraw: Action | None
    actions: tuple[Action, ...]
    documents: tuple[Paper, ...]
    access_roles: tuple[str, ...]
    ladder: str | None = None
    references: tuple[Reference, ...] = field(default=(), compare=False)

    def all_actions(self) -> tuple[Action, ...]:
        """Withdrawal first, then the others."""
        return ((self.withdraw,) if self.withdraw else ()) + self.actions


# --- reading YAML with its lines --------------------------------------------------------------------------------------


class _Reader:
    """Walks a YAML node tree, collects problems, and never stops at the first."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.references: list[Reference] = []

    def refer(self, kind: str, node: yaml.Node | None, where: str, id: str | None) -> str | None:
        """Remember that the sheet names ``id``; returns it."""
        if node is not None and id:
            self.references.append(Reference(kind, id, node.start_mark.line + 1, where))
        return id

    def problem(self, node: yaml.Node | None, rule: str, message: Words, subject: str | None = None) -> None:
        line = node.start_mark.line + 1 if node is not None else None
        self.problems.append(Problem(self.file, line, subject, f"procedure.{rule}", message))

    def mapping(self, node: yaml.Node, where: str, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> dict[str, yaml.Node]:
        if not isinstance(node, yaml.MappingNode):
            self.problem(node, "shape", T("“%(where)s” must be a list of “key: value” lines.", where=where))
            return {}
        found: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key not in allowed:
                self.problem(
                    key_node,
                    "unknown-key",
                    T("“%(key)s” is not a key of “%(where)s”. Use one of: %(keys)s.", key=str(key), where=where, keys=", ".join(allowed)),
                )
            elif key in found:
                self.problem(key_node, "duplicate-key", T("“%(key)s” stands twice in “%(where)s”. Remove one.", key=key, where=where))
            else:
                found[key] = value
        for key in required:
            if key not in found:
                self.problem(node, "missing-key", T("“%(where)s” needs the key “%(key)s”.", where=where, key=key))
        return found

    def text(self, node: yaml.Node | None, where: str, default: str = "") -> str:
        if node is None:
            return default
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
            self.problem(node, "shape", T("“%(where)s” must be a text.", where=where))
            return default
        return node.value.strip()

    def optional_text(self, node: yaml.Node | None, where: str) -> str | None:
        return self.text(node, where) or None if node is not None else None

    def needed_text(self, node: yaml.Node | None, where: str) -> str:
        text = self.text(node, where)
        if node is not None and not text:
            self.problem(node, "empty", T("“%(where)s” must not be empty.", where=where))
        return text

    def texts(self, node: yaml.Node | None, where: str) -> tuple[str, ...]:
        return self.items(node, where, lambda item: self.needed_text(item, where))

    def items(self, node: yaml.Node | None, where: str, read: Callable[[yaml.Node], Any]) -> tuple[Any, ...]:
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode):
            self.problem(node, "shape", T("“%(where)s” must be a list.", where=where))
            return ()
        return tuple(read(item) for item in node.value)

    def formula(self, node: yaml.Node | None, where: str) -> Formula | None:
        if node is None:
            return None
        text = self.text(node, where)
        if not text.startswith("="):
            return Formula(text)
        try:
            return Formula(text, compile_expression(text[1:].strip(), names=HOST_NAMES))
        except FeelError as error:
            # FeelError carries translatable words where it can; its text is the fall-back.
            reason = getattr(error, "message", None) or str(error)
            self.problem(node, "feel", T("The expression of “%(where)s” cannot be read: %(reason)s", where=where, reason=reason))
            return None


# --- the sheet --------------------------------------------------------------------------------------------------------

_TOP = (
    "process", "name", "short", "code", "case_number", "icon", "description", "limits_text", "title", "header", "start", "deadlines",
    "confidential", "register", "withdraw", "actions", "documents", "access",
    "ladder",
)  # fmt: skip
DEFAULT_NUMBER = "{region}-{code}-{date}-{serial:04d}"


def parse_sheet(file: str, content: bytes) -> tuple[Sheet | None, list[Problem]]:
    """Read a procedure sheet.

    ``file`` is the name to show in findings.  Returns the sheet and no problems, or ``None`` and every problem.
    """
    reader = _Reader(file)
    try:
        root = yaml.compose(content.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except UnicodeDecodeError:
        reader.problem(None, "encoding", T("The file is not UTF-8 text. Save it as UTF-8."))
        return None, reader.problems
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        message = T("The file is not valid YAML: %(reason)s. Check indentation and quotation marks.", reason=reason)
        return None, [Problem(file, mark.line + 1 if mark else None, None, "procedure.yaml", message)]
    if root is None:
        reader.problem(None, "empty", T("The procedure sheet is empty."))
        return None, reader.problems
    sheet = _sheet(reader, root)
    return (None, reader.problems) if reader.problems else (sheet, [])


def _sheet(reader: _Reader, root: yaml.Node) -> Sheet:
    top = reader.mapping(root, "procedure", _TOP, required=("process", "name", "code", "title", "header", "start"))
    header_nodes = reader.mapping(top["header"], "header", HEADER_KEYS, required=("applicant",)) if "header" in top else {}
    header = {key: reader.formula(node, f"header.{key}") for key, node in header_nodes.items()}
    name = reader.needed_text(top.get("name"), "name")
    access = reader.mapping(top["access"], "access", ("roles",)) if "access" in top else {}
    return Sheet(
        process=reader.refer("process", top.get("process"), "process", reader.needed_text(top.get("process"), "process")) or "",
        name=name,
        short=reader.text(top.get("short"), "short") or name,
        code=reader.needed_text(top.get("code"), "code"),
        case_number=_number(reader, top.get("case_number")),
        icon=reader.optional_text(top.get("icon"), "icon"),
        description=reader.text(top.get("description"), "description"),
        limits_text=reader.text(top.get("limits_text"), "limits_text"),
        title=reader.formula(top.get("title"), "title"),
        header={key: formula for key, formula in header.items() if formula is not None},
        start=_start(reader, top.get("start")),
        deadlines=reader.items(top.get("deadlines"), "deadlines", lambda node: _limit(reader, node)),
        confidential=_confidential(reader, top.get("confidential")),
        register=_columns(reader, top.get("register")),
        withdraw=_action(reader, top["withdraw"], "withdraw") if "withdraw" in top else None,
        actions=reader.items(top.get("actions"), "actions", lambda node: _action(reader, node, "actions")),
        documents=reader.items(top.get("documents"), "documents", lambda node: _paper(reader, node)),
        access_roles=reader.texts(access.get("roles"), "access.roles"),
        ladder=reader.refer("ladder", top.get("ladder"), "ladder", reader.optional_text(top.get("ladder"), "ladder")),
        references=tuple(reader.references),
    )


def _number(reader: _Reader, node: yaml.Node | None) -> str:
    rule = reader.text(node, "case_number", DEFAULT_NUMBER)
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(rule) if name is not None]
        unknown = sorted(set(names) - set(NUMBER_PARTS))
        if unknown:
            message = T("“%(part)s” is not a part of a case number. Use: region, code, date, serial.", part=unknown[0])
            reader.problem(node, "number", message)
        elif names.count("serial") != 1:
            reader.problem(node, "number", T("A case number needs the part {serial} exactly once, or two cases get the same number."))
        else:
            rule.format(region="411600", code="XX", date="20260101", serial=1)
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        reader.problem(node, "number", T("The case number rule cannot be read: %(reason)s.", reason=str(error)))
    return rule


def _start(reader: _Reader, node: yaml.Node | None) -> Start:
    if node is None:
        return Start(None)
    found = reader.mapping(node, "start", ("form", "roles"))
    form = found.get("form")
    return Start(
        reader.refer("form", form, "start.form", reader.optional_text(form, "start.form")), reader.texts(found.get("roles"), "start.roles")
    )


def _limit(reader: _Reader, node: yaml.Node) -> Limit:
    found = reader.mapping(node, "deadlines", ("rule", "from"), required=("rule",))
    rule = reader.needed_text(found.get("rule"), "deadlines.rule")
    reader.refer("rule", found.get("rule"), "deadlines.rule", rule)
    return Limit(rule, reader.optional_text(found.get("from"), "deadlines.from"))


def _confidential(reader: _Reader, node: yaml.Node | None) -> Confidential | None:
    if node is None:
        return None
    allowed = ("fields", "when", "visible_to", "visible_to_handler_of")
    found = reader.mapping(node, "confidential", allowed, required=("fields",))
    when = found.get("when")
    formula = reader.formula(when, "confidential.when")
    if formula is not None and formula.expression is None:
        reader.problem(when, "feel", T("“confidential.when” must be an expression with a leading “=”, or be left out for “always”."))
    handled = reader.texts(found.get("visible_to_handler_of"), "confidential.visible_to_handler_of")
    for each in handled:
        reader.refer("element", found.get("visible_to_handler_of"), "confidential.visible_to_handler_of", each)
    return Confidential(
        reader.texts(found.get("fields"), "confidential.fields"),
        formula,
        reader.texts(found.get("visible_to"), "confidential.visible_to"),
        handled,
    )


def _columns(reader: _Reader, node: yaml.Node | None) -> tuple[Column, ...]:
    seen: set[str] = set()

    def column(item: yaml.Node) -> Column:
        found = reader.mapping(item, "register", ("key", "label", "value"), required=("key", "label", "value"))
        key = reader.needed_text(found.get("key"), "register.key")
        if key in seen:
            reader.problem(item, "duplicate-key", T("The register has two columns with the key “%(key)s”.", key=key))
        seen.add(key)
        value = reader.formula(found.get("value"), f"register.{key}") or Formula("")
        return Column(key, reader.needed_text(found.get("label"), "register.label"), value)

    return reader.items(node, "register", column)


def _action(reader: _Reader, node: yaml.Node, where: str) -> Action:
    found = reader.mapping(node, where, ("message", "label", "form", "roles"), required=("message", "label"))
    return Action(
        reader.needed_text(found.get("message"), f"{where}.message"),
        reader.needed_text(found.get("label"), f"{where}.label"),
        reader.refer("form", found.get("form"), f"{where}.form", reader.optional_text(found.get("form"), f"{where}.form")),
        reader.texts(found.get("roles"), f"{where}.roles"),
    )


def _paper(reader: _Reader, node: yaml.Node) -> Paper:
    found = reader.mapping(node, "documents", ("id", "name", "at"), required=("id", "name"))
    return Paper(
        reader.needed_text(found.get("id"), "documents.id"),
        reader.needed_text(found.get("name"), "documents.name"),
        reader.refer("element", found.get("at"), "documents.at", reader.optional_text(found.get("at"), "documents.at")),
    )


_MISSING = {
    "process": T("“%(where)s” names the process “%(id)s”, which is not deployed. Deploy its BPMN file too, or correct the id."),
    "form": T("“%(where)s” names the form “%(id)s”, which is not deployed. Deploy the form too, or correct the id."),
    "rule": T("“%(where)s” names the deadline rule “%(id)s”, which the rule table does not have."),
    "ladder": T("“%(where)s” names the ladder “%(id)s”, which does not exist."),
    "element": T("“%(where)s” names the element “%(id)s”, which no process has."),
}


def unresolved(sheet: Sheet, file: str, known: Mapping[str, Collection[str]]) -> list[Problem]:
    """What the sheet names and nobody has.

    ``known`` maps the kinds of :class:`Reference` to the ids that exist once the deployment is done; a kind that is not in it
    is not checked.
    """
    return [
        Problem(file, each.line, each.id, f"procedure.unknown-{each.kind}", T(_MISSING[each.kind].msgid, where=each.where, id=each.id))
        for each in sheet.references
        if each.kind in known and each.id not in known[each.kind]
    ]
