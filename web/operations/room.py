"""What the views of the room share: who may, doing it and saying so, names, and hiding what is confidential."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any

from flask import current_app, flash, g, request
from sqlalchemy import Connection

from engine.errors import Conflict, EngineError, NotFound
from engine.runtime.casework.access import access_operations, confidential, mask
from engine.words import T, Words
from web import filters, security
from web.i18n import say
from web.operations import blueprint, instance_queries, words
from web.operations.values import KINDS
from web.people import requires
from web.spoken import spoken
from web.supervision.views import register_text

TABS: tuple[tuple[str, Words], ...] = (
    ("operations.index", T("Processes")),
    ("operations.instances", T("Instances")),
    ("operations.incidents", T("Incidents")),
    ("operations.migration", T("Migration")),
    ("operations.batches", T("Batches")),
    ("operations.cleanup", T("Clean-up")),
)


def engine():
    return current_app.extensions["engine"]


def me() -> dict[str, Any]:
    """Who asks, from where, and why, for a command."""
    return {"by": g.person.login, "address": security.address(), "reason": request.form.get("reason", "").strip()[:2000] or None}


def sees(view: Callable) -> Callable:
    """View decorator: only who may see the room; to everybody else the page does not exist, and the audit says who asked."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        g.room = "operations"
        with engine().reading() as conn:
            access_operations(conn, g.person.login, address=security.address())
        return view(*args, **kwargs)

    return checked


def operates(view: Callable) -> Callable:
    """View decorator: only who may intervene.  Who may look only, is told so (403)."""
    return sees(requires("operate")(view))


def may_operate() -> bool:
    return g.person.may("operate")


# --- doing ------------------------------------------------------------------------------------------------------------


def attempt(command: Callable[[], Any], told: Callable[[Any], str]) -> Any:
    """Run a command and leave a message: what was done, or in words why not.  Gives the result, ``None`` for a refusal.

    What does not exist (any more) stays an error: there is no page to go back to.
    """
    try:
        result = command()
    except NotFound:
        raise
    except EngineError as refusal:
        flash(why_not(refusal), "warning")
        return None
    flash(told(result), "success")
    return result if result is not None else True


def why_not(refusal: EngineError) -> str:
    """A refusal in one sentence; for a conflict also who was faster and when."""
    text = say(refusal.message)
    if isinstance(refusal, Conflict):
        if refusal.by and refusal.at:
            text = f"{text} ({filters.person_name(refusal.by)}, {filters.localtime(refusal.at)})"
        text = f"{text} {say(T('Look at how things stand now and try again.'))}"
    return text


# --- naming -----------------------------------------------------------------------------------------------------------


def labels_of(definition_key: int, conn: Connection | None = None) -> dict[str, str]:
    """Element id → label of a version of a process."""
    model = engine().catalogue.get(definition_key, conn=conn).model
    return {spec.bpmn_id: spec.label for spec in model.task_specs.values() if getattr(spec, "bpmn_id", None)}


def process_names() -> dict[str, str]:
    """Process id → name of its newest version."""
    versions = [item for item in engine().catalogue.all() if item.kind == "process"]
    return {item.id: item.name or item.id for item in sorted(versions, key=lambda item: (item.id, item.version))}


def process_versions() -> dict[str, list[int]]:
    """Process id → its versions, the newest first."""
    found: dict[str, list[int]] = {}
    for item in engine().catalogue.all():
        if item.kind == "process":
            found.setdefault(item.id, []).append(item.version)
    return {id: sorted(versions, reverse=True) for id, versions in sorted(found.items())}


def known_as(row: Any) -> str:
    """The number people know an instance by: case number, else business key, else its own key."""
    return row.case_no or row.business_key or str(row.key if hasattr(row, "key") else row.instance_key)


# --- hiding -----------------------------------------------------------------------------------------------------------


class Hiding:
    """Hides the confidential fields of a case, from everybody: who may see names sees them on the case's page, where it is recorded."""

    def __init__(self, sheet: Any = None, data: Mapping[str, Any] | None = None) -> None:
        guarded = sheet is not None and sheet.confidential is not None and confidential(sheet, data or {})
        self._sheet = sheet if guarded else None
        self._values = sorted(_values(data, frozenset(sheet.confidential.fields)), key=len, reverse=True) if guarded else []

    @classmethod
    def case(cls, conn: Connection, root_key: int) -> Hiding:
        """What is hidden of one case."""
        return cls.cases(conn, [root_key])[root_key]

    @classmethod
    def cases(cls, conn: Connection, root_keys: Iterable[int]) -> dict[int, Hiding]:
        """The same for many, at most two statements; those without a case hide nothing."""
        wanted, desk = list(root_keys), engine().desk
        sheets = {row.key: desk.sheet_of(conn, row.procedure_key) for row in instance_queries.case_rows(conn, wanted)}
        guarded = {key: sheet for key, sheet in sheets.items() if sheet is not None and sheet.confidential is not None}
        answers = instance_queries.answers(conn, guarded) if guarded else {}
        return {key: cls(guarded.get(key), answers.get(key)) for key in wanted}

    def of(self, data: Any) -> Any:
        """``data`` without what is confidential."""
        return _said(mask(data, self._sheet))

    def text(self, sentence: str) -> str:
        """A sentence without the confidential values: what held a case up may quote what it saw."""
        for value in self._values:
            sentence = sentence.replace(value, MASK_MARK)
        return sentence

    def hides(self, name: str, value: Any) -> bool:
        """Whether the variable ``name`` holds, or would hold, something confidential: it cannot be corrected here."""
        fields = self._sheet.confidential.fields if self._sheet is not None else ()
        return name in fields or mask({name: value}, self._sheet) != {name: value}


MASK_MARK = "＊＊＊"


def _values(data: Any, fields: frozenset[str], inside: bool = False) -> set[str]:
    """The texts that stand under one of ``fields``, at any depth; single characters would hide half of every sentence."""
    if isinstance(data, Mapping):
        return {text for name, value in data.items() for text in _values(value, fields, inside or name in fields)}
    if isinstance(data, (list, tuple)):
        return {text for value in data for text in _values(value, fields, inside)}
    return {str(data)} if inside and isinstance(data, str) and len(data) > 1 else set()


def _said(value: Any) -> Any:
    if isinstance(value, Words):
        return say(value)
    if isinstance(value, Mapping):
        return {name: _said(inner) for name, inner in value.items()}
    return [_said(inner) for inner in value] if isinstance(value, (list, tuple)) else value


STORED_SENTENCES = frozenset({"message", "cause", "old", "new", "state"})
"""Details of the audit that may be a sentence or a state of the engine."""


def detail_lines(details: Mapping[str, Any] | None, hiding: Hiding | None = None) -> list[tuple[str, str]]:
    """The details of an audit row as (label, text), nothing left out but what is empty and what is confidential."""
    hiding = hiding or Hiding()
    lines = []
    for name, value in hiding.of(dict(details or {})).items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, dict):
            text = ", ".join(f"{key} = {register_text(each)}" for key, each in value.items())
        else:
            text = spoken(value) if name in STORED_SENTENCES and isinstance(value, str) else register_text(value)
        lines.append((say(words.DETAIL_WORDS.get(name, name)), hiding.text(text)))
    return lines


@blueprint.context_processor
def helpers() -> dict[str, Any]:
    """What the templates of the room say with."""
    return {
        "operations_tabs": TABS,
        "may_operate": may_operate,
        "known_as": known_as,
        "detail_lines": detail_lines,
        "kinds": KINDS,
        "spoken": spoken,
        **{name.lower(): table for name, table in vars(words).items() if name.endswith(("_WORDS", "_LIGHTS"))},
    }
