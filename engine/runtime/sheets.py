"""The procedure sheet: ``procedure.yaml``, what a procedure is besides its flow.

``parse_sheet`` turns the file into an immutable :class:`Sheet` with compiled FEEL, or into a list of *all* its
:class:`Problem` findings, each with the line it stands on.  Unknown keys are refused: a misspelt ``confidental`` that is
silently ignored would publish names.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import yaml

from engine.errors import Problem
from engine.runtime.number_rules import DEFAULT_NUMBER, refusal_of_code, refusal_of_rule
from engine.runtime.sheet_reader import Formula, Reader, Reference
from engine.words import T

HEADER_KEYS = ("applicant", "county", "urgency", "source", "section", "received_at")
SEARCH_KINDS = ("text", "exact", "date", "number")
"""How a searchable value is compared: parts of it are found, the whole only, by days from and to, by amounts from and to."""
MOST_SEARCHED = 20
"""Searchable values of a procedure at most: each is a row of the index for each case."""
PUBLIC_SHOWS = ("none", "status", "columns")
PUBLIC_HEADS = ("title", "applicant", "county", "received_at", "result", "closed_at")
"""What every case has and ``public.columns`` can name besides the columns of the register."""


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
class Searched:
    """A value by which staff find a case (``search``): ``kind`` is one of :data:`SEARCH_KINDS`."""

    key: str
    label: str
    value: Formula
    kind: str


@dataclass(frozen=True)
class Publicity:
    """What people outside the office see of a case (``public``): nothing, its status, or its status and ``columns``.

    ``columns`` are keys of the register or of :data:`PUBLIC_HEADS`.  ``after`` are status words: a case shows once it has had one of
    them; without any, from the beginning.  Confidential fields are never among it (:func:`_guard`).
    """

    show: str = "none"
    columns: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


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
    search: tuple[Searched, ...] = ()
    public: Publicity = Publicity()
    references: tuple[Reference, ...] = field(default=(), compare=False)

    def all_actions(self) -> tuple[Action, ...]:
        """Withdrawal first, then the others."""
        return ((self.withdraw,) if self.withdraw else ()) + self.actions


# --- the sheet --------------------------------------------------------------------------------------------------------

_TOP = (
    "process", "name", "short", "code", "case_number", "icon", "description", "limits_text", "title", "header", "start", "deadlines",
    "confidential", "register", "search", "public", "withdraw", "actions", "documents", "access",
    "ladder",
)  # fmt: skip


def parse_sheet(file: str, content: bytes) -> tuple[Sheet | None, list[Problem]]:
    """Read a procedure sheet.

    ``file`` is the name to show in findings.  Returns the sheet and no problems, or ``None`` and every problem.
    """
    reader = Reader(file)
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


def _sheet(reader: Reader, root: yaml.Node) -> Sheet:
    top = reader.mapping(root, "procedure", _TOP, required=("process", "name", "code", "title", "header", "start"))
    header_nodes = reader.mapping(top["header"], "header", HEADER_KEYS, required=("applicant",)) if "header" in top else {}
    header = {key: reader.formula(node, f"header.{key}") for key, node in header_nodes.items()}
    name = reader.needed_text(top.get("name"), "name")
    code = _code(reader, top.get("code"))
    access = reader.mapping(top["access"], "access", ("roles",)) if "access" in top else {}
    sheet = Sheet(
        process=reader.refer("process", top.get("process"), "process", reader.needed_text(top.get("process"), "process")) or "",
        name=name,
        short=reader.text(top.get("short"), "short") or name,
        code=code,
        case_number=_number(reader, top.get("case_number"), code),
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
        search=_searched(reader, top.get("search")),
        public=_publicity(reader, top.get("public")),
        references=tuple(reader.references),
    )
    _guard(reader, sheet, top)
    return sheet


def _code(reader: Reader, node: yaml.Node | None) -> str:
    code = reader.needed_text(node, "code")
    if code and (refusal := refusal_of_code(code)) is not None:
        reader.problem(node, "code", refusal)
    return code


def _number(reader: Reader, node: yaml.Node | None, code: str) -> str:
    rule = reader.text(node, "case_number", DEFAULT_NUMBER)
    if (refusal := refusal_of_rule(rule, code)) is not None:
        reader.problem(node, "number", refusal)
    return rule


def _start(reader: Reader, node: yaml.Node | None) -> Start:
    if node is None:
        return Start(None)
    found = reader.mapping(node, "start", ("form", "roles"))
    form = found.get("form")
    return Start(
        reader.refer("form", form, "start.form", reader.optional_text(form, "start.form")), reader.texts(found.get("roles"), "start.roles")
    )


def _limit(reader: Reader, node: yaml.Node) -> Limit:
    found = reader.mapping(node, "deadlines", ("rule", "from"), required=("rule",))
    rule = reader.needed_text(found.get("rule"), "deadlines.rule")
    reader.refer("rule", found.get("rule"), "deadlines.rule", rule)
    return Limit(rule, reader.optional_text(found.get("from"), "deadlines.from"))


def _confidential(reader: Reader, node: yaml.Node | None) -> Confidential | None:
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


def _columns(reader: Reader, node: yaml.Node | None) -> tuple[Column, ...]:
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


def _searched(reader: Reader, node: yaml.Node | None) -> tuple[Searched, ...]:
    seen: set[str] = set()

    def searched(item: yaml.Node) -> Searched:
        found = reader.mapping(item, "search", ("key", "label", "value", "kind"), required=("key", "label", "value"))
        key = reader.needed_text(found.get("key"), "search.key")
        if key in seen:
            reader.problem(item, "duplicate-key", T("“%(where)s” has two rows with the key “%(key)s”. Change one.", where="search.key", key=key))
        seen.add(key)
        if len(key) > 60:
            reader.problem(found.get("key"), "search", T("“%(where)s” is longer than %(most)d characters.", where="search.key", most=60))
        kind = reader.text(found.get("kind"), "search.kind", "text") or "text"
        if kind not in SEARCH_KINDS:
            words = T("“%(kind)s” is not a way to search. Use one of: %(kinds)s.", where="search.kind", kind=kind, kinds=", ".join(SEARCH_KINDS))
            reader.problem(found.get("kind"), "search", words)
        value = reader.formula(found.get("value"), "search.value") or Formula("")
        if value.source and not value.source.startswith("="):
            # The same text for every case finds nothing.
            words = T("“%(where)s” must be an expression with a leading “=”, such as =applicant_name.", where="search.value")
            reader.problem(found.get("value"), "search", words)
        return Searched(key, reader.needed_text(found.get("label"), "search.label"), value, kind)

    rows = reader.items(node, "search", searched)
    if len(rows) > MOST_SEARCHED:
        reader.problem(node, "search", T("“%(where)s” has more than %(most)d rows. Keep those by which people search.", where="search", most=MOST_SEARCHED))
    return rows


def _publicity(reader: Reader, node: yaml.Node | None) -> Publicity:
    if node is None:
        return Publicity()
    found = reader.mapping(node, "public", ("show", "columns", "after"), required=("show",))
    show = reader.needed_text(found.get("show"), "public.show")
    columns = reader.texts(found.get("columns"), "public.columns")
    if show and show not in PUBLIC_SHOWS:
        words = T("“%(show)s” is not a visibility. Use one of: %(shows)s.", where="public.show", show=show, shows=", ".join(PUBLIC_SHOWS))
        reader.problem(found.get("show"), "public", words)
    elif show == "columns" and not columns:
        words = T("Name the columns that outsiders see, or choose “status”.", where="public.columns")
        reader.problem(found.get("columns") or node, "public", words)
    elif show != "columns" and columns:
        words = T("Columns are named, but “show” is “%(show)s”. Choose “columns”, or name none.", where="public.columns", show=show)
        reader.problem(found.get("columns"), "public", words)
    return Publicity(show, columns, reader.texts(found.get("after"), "public.after"))


def _guard(reader: Reader, sheet: Sheet, top: Mapping[str, yaml.Node]) -> None:
    """What is confidential is neither searched by nor shown to outsiders.

    A search answers by a hit or none whoever asks, before any rule about who may see a name could be asked case by case, and the looks
    at confidential fields are recorded where they are shown; so a sheet that would index them is refused as a whole.
    """
    for row, searched in zip(_rows(top.get("search")), sheet.search, strict=False):
        if name := hidden_name(sheet, searched.value):
            words = T("“%(label)s” reads the confidential field “%(field)s”: cases would be found by it. Take the row away, or use another value.", where="search.value", label=searched.label, field=name)  # fmt: skip
            reader.problem(row, "search-confidential", words)
    named = _rows(dict(_pairs(top.get("public"))).get("columns"))
    register = {column.key: column.value for column in sheet.register}
    heads = {"title": sheet.title, **{key: sheet.header.get(key) for key in PUBLIC_HEADS if key in HEADER_KEYS}}
    for item, key in zip(named, sheet.public.columns, strict=False):
        if key not in register and key not in PUBLIC_HEADS:
            words = T("There is no column “%(column)s”. Name a column of the register, or one of: %(heads)s.", where="public.columns", column=key, heads=", ".join(PUBLIC_HEADS))  # fmt: skip
            reader.problem(item, "public-column", words)
            continue
        formula = register[key] if key in register else heads.get(key)
        if formula is not None and (name := hidden_name(sheet, formula)):
            words = T("The column “%(column)s” reads the confidential field “%(field)s”: outsiders would see it. Take the column away.", where="public.columns", column=key, field=name)  # fmt: skip
            reader.problem(item, "public-confidential", words)


def hidden_name(sheet: Sheet, formula: Formula) -> str | None:
    """The confidential field that ``formula`` mentions, in whatever way: as a variable, as an entry of one, or as a name in a text."""
    if sheet.confidential is None or not formula.source.startswith("="):
        return None
    return next((name for name in sheet.confidential.fields if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", formula.source)), None)


def _rows(node: yaml.Node | None) -> list[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _pairs(node: yaml.Node | None) -> list[tuple[str, yaml.Node]]:
    return [(name.value, value) for name, value in node.value] if isinstance(node, yaml.MappingNode) else []


def _action(reader: Reader, node: yaml.Node, where: str) -> Action:
    found = reader.mapping(node, where, ("message", "label", "form", "roles"), required=("message", "label"))
    return Action(
        reader.needed_text(found.get("message"), f"{where}.message"),
        reader.needed_text(found.get("label"), f"{where}.label"),
        reader.refer("form", found.get("form"), f"{where}.form", reader.optional_text(found.get("form"), f"{where}.form")),
        reader.texts(found.get("roles"), f"{where}.roles"),
    )


def _paper(reader: Reader, node: yaml.Node) -> Paper:
    found = reader.mapping(node, "documents", ("id", "name", "at"), required=("id", "name"))
    return Paper(
        reader.needed_text(found.get("id"), "documents.id"),
        reader.needed_text(found.get("name"), "documents.name"),
        reader.refer("element", found.get("at"), "documents.at", reader.optional_text(found.get("at"), "documents.at")),
    )


_MISSING = {
    "process": T("The procedure sheet is for the process “%(id)s”, but no drawing has this process id. Rename the process of the drawing, or correct the sheet."),
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
