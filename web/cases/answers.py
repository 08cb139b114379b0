"""What the forms of a case said: schemas and answers for the read-only islands, masked for who may not see names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from flask import current_app, g
from sqlalchemy import Connection, Row

from engine.forms.rights import FieldRights, limited
from engine.runtime.casework.access import key_of_value, mask
from engine.words import Words
from web import security
from web.cases import queries
from web.i18n import say


@dataclass(frozen=True)
class Answers:
    """The answers of one step.  ``island`` is the id of the page's JSON, ``facts`` are (label, text) for print."""

    island: str
    step: str
    actor: str | None
    at: datetime
    view: dict[str, Any]
    facts: tuple[tuple[str, str], ...] = ()


def engine():
    return current_app.extensions["engine"]


@lru_cache(maxsize=512)
def _parsed(definition_key: int, content: bytes) -> dict[str, Any]:
    return json.loads(content)


def form_schema(conn: Connection, form_id: str | None) -> dict[str, Any] | None:
    """The form-js schema of ``form_id`` in its newest version, or ``None`` where there is no form (any more)."""
    catalogue = engine().catalogue
    found = catalogue.find("form", form_id, conn=conn) if form_id else None
    return _parsed(found.key, bytes(catalogue.content(found, conn)[1])) if found is not None else None


def form_model(conn: Connection, form_id: str) -> Any:
    """The compiled form of :func:`form_schema`."""
    return engine().definition("form", form_id, conn=conn).model


def upload_facts(files: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Documents by field value, as the compiled form wants them."""
    return {key: [{"name": each["name"], "size": each["size"], "type": ""} for each in stored] for key, stored in files.items()}


def task_variables(conn: Connection, task: Row) -> dict[str, Any]:
    """The variables visible from a task: its own (input mappings, the item of a loop) over those of the scopes around it."""
    state = json.loads(queries.snapshot_of(conn, task.instance_key))
    tokens = {row[0]: row for row in state["t"]}
    chain: list[dict[str, Any]] = []
    token = tokens.get(task.token)
    while token is not None:
        chain.append((token[4] or {}) if len(token) > 4 else {})
        token = tokens.get(token[2]) if len(token) > 2 else None
    return {name: value for variables in reversed(chain) for name, value in variables.items()}


def keys_of(schema: Mapping[str, Any] | None) -> set[str]:
    """The variables a form reads or writes: the first part of each key and path, at any depth of groups."""
    found: set[str] = set()

    def walk(components: Iterable[Mapping[str, Any]]) -> None:
        for component in components:
            name = component.get("key") or component.get("path")
            if name:
                found.add(str(name).split(".")[0])
            # A group without a path and the rows of a layout belong to the same level; a list with a path holds its own.
            if component.get("components") and not component.get("path"):
                walk(component["components"])

    walk((schema or {}).get("components", ()))
    return found


NAME = re.compile(r"[^\W\d]\w*")


def inputs_of(schema: Any) -> set[str]:
    """The names that a form's expressions and templates may read: conditions, options, texts with ``{{…}}``.

    Every word of an expression counts; a word that is no variable of the case does no harm.
    """
    if isinstance(schema, str):
        return set(NAME.findall(schema)) if schema.startswith("=") or "{{" in schema else set()
    if isinstance(schema, Mapping):
        own = {str(schema["valuesKey"]).split(".")[0]} if schema.get("valuesKey") else set()
        return own.union(*(inputs_of(value) for value in schema.values()))
    if isinstance(schema, (list, tuple)):
        return set().union(*(inputs_of(value) for value in schema))
    return set()


def plain(value: Any) -> Any:
    """Masked data ready for JSON: sentences in the reader's language."""
    if isinstance(value, Words):
        return say(value)
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


@dataclass
class Masking:
    """Whether this reader sees the confidential fields of the case; ``used`` notes that they were really shown."""

    sheet: Any
    hidden: bool
    reason: str = ""

    def of(self, data: Any) -> Any:
        """``data`` as this reader may see it, in the reader's language."""
        return plain(mask(data, self.sheet) if self.hidden else data)

    @property
    def fields(self) -> frozenset[str]:
        rule = self.sheet.confidential if self.sheet is not None else None
        return frozenset(rule.fields) if rule is not None else frozenset()

    def open_files(self, attachments: Sequence[Row], trail: Sequence[Row]) -> list[Row]:
        """The documents this reader may open: those of confidential fields (or of fields unknown) are left out with the names."""
        if not self.hidden:
            return list(attachments)
        said = [line.details.get("data") or {} for line in trail]
        found = {row.key: key_of_value(said, row.field) for row in attachments}
        return [row for row in attachments if row.uploaded_by == g.person.login or (found[row.key] is not None and found[row.key] not in self.fields)]

    def note_shown(self, case: Row | None, data: Any) -> None:
        """Remember that this page shows confidential fields; :func:`record_looks` writes it down."""
        if case is not None and self.shown_in(data):
            g.setdefault("looks", set()).add(case.key)

    def shown_in(self, data: Any) -> list[str]:
        """The confidential fields that ``data`` really shows to somebody who is allowed to see them by a rule."""
        if self.hidden or self.reason in ("", "open"):
            return []
        return sorted(_present(data, self.fields))


def _present(data: Any, fields: frozenset[str]) -> set[str]:
    if isinstance(data, Mapping):
        own = {name for name, value in data.items() if name in fields and value not in (None, "", [], {})}
        return own.union(*(_present(value, fields) for value in data.values()))
    if isinstance(data, (list, tuple)):
        return set().union(*(_present(value, fields) for value in data))
    return set()


def locked(schema: dict[str, Any], hide: Masking) -> dict[str, Any]:
    """The form with its confidential fields disabled for who may not see them: a mask must never be sent back as a value."""
    if not hide.hidden or not hide.fields:
        return schema

    def walk(component: Mapping[str, Any]) -> dict[str, Any]:
        copy = dict(component)
        if copy.get("key") in hide.fields:
            copy["disabled"] = True
        if copy.get("components"):
            copy["components"] = [walk(inner) for inner in copy["components"]]
        return copy

    return walk(schema)


def masking(conn: Connection, case: Row | None) -> Masking:
    """How this case is shown to the signed-in person; each look at confidential fields is recorded by the desk."""
    desk = engine().desk
    if case is None:
        return Masking(None, False)
    sheet = desk.sheet_of(conn, case.procedure_key)
    revealed = desk.access.reveal(conn, case, g.person.login)
    return Masking(sheet, not revealed.allowed, revealed.reason)


def record_looks() -> None:
    """Write down who looked at confidential fields, before the page that shows them leaves the server.

    Outside any reading connection: a look is a command of its own.
    """
    for case_key in g.pop("looks", ()):
        engine().desk.look(case_key, by=g.person.login, address=security.address())


def earlier_answers(conn: Connection, case: Row, trail: Sequence[Row], hide: Masking, files: Mapping[str, Any]) -> list[Answers]:
    """The submitted forms of a case, oldest first; steps without a form or without answers are left out."""
    found = []
    schemas: dict[str, dict | None] = {}
    said: dict[str, Any] = {}
    for line in trail:
        form_id, data = line.details.get("form_id"), line.details.get("data")
        decided = line.details.get("result") if line.action == "decision" else None
        said.update(data or (decided if isinstance(decided, Mapping) else {}))
        if not form_id or not data:
            continue
        if form_id not in schemas:
            schemas[form_id] = form_schema(conn, form_id)
        schema = schemas[form_id]
        if schema is None:
            continue
        # Conditions and texts of the form may read what was said in earlier steps, so that goes along, under the answers.
        reads = inputs_of(schema)
        shown = {name: value for name, value in said.items() if name in reads} | {name: value for name, value in data.items() if name in keys_of(schema)}
        without = FieldRights(frozenset(line.details.get("hidden") or ()))
        view = {"schema": limited(schema, without), "data": hide.of(shown), "files": files}
        hide.note_shown(case, view["data"])
        facts = tuple((label, say(text)) for label, text in form_model(conn, form_id).display(view["data"], view["data"], upload_facts(files)) if text)
        found.append(Answers(f"answers-{line.key}", line.element_name or "", line.actor, line.at, view, facts))
    return found
