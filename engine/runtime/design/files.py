"""The files of one procedure: what they may be called, how large they may be, and which of what is deployed belongs together.

A procedure is the file of its process, the forms and decisions that the process and its sheet name, and the sheet; besides, as
*companions* that are not executed, its README and its scenarios.  Called processes are procedures of their own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from engine.bpmn.validation import nodes
from engine.bpmn.xml import parse_xml, tag
from engine.errors import NotFound, ValidationFailed
from engine.runtime.examining import READERS
from engine.runtime.sheets import parse_sheet
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.catalogue import Definition
    from engine.runtime.desk import Desk

SHEET_FILE = "procedure.yaml"
SCENARIOS = "scenarios/"
COMPANION_SUFFIXES = frozenset({".md"})
FILE_LIMIT = 5 * 1024 * 1024
TOTAL_LIMIT = 20 * 1024 * 1024
FILES_LIMIT = 300
NAME_LIMIT = 120
OWN_ROOM = frozenset({"deadline_rules", "ladders", "supervision_rules"})
"""Files that are edited entry by entry in the room of limits and belong to no single procedure."""
_NAME = re.compile(r"(scenarios/)?[^/\\:*?\"<>|\x00-\x1f\x7f]+\Z")
_SHEET_PROCESS = re.compile(r"^process:[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
# What no database keeps in a text: the zero character, and halves of characters.
_UNKEEPABLE = re.compile("[\x00\ud800-\udfff]")

Part = tuple[str, str, int]
"""Kind, id and version of a deployed definition."""


@dataclass(frozen=True)
class FileSet:
    """The files of a procedure as they stood: ``parts`` are the definitions that each file is."""

    files: dict[str, str]
    parts: dict[str, list[Part]] = field(default_factory=dict)
    name: str = ""


# --- names and sizes --------------------------------------------------------------------------------------------------


def refusal_of_name(name: str) -> Words | None:
    """Why a file of a draft cannot be called that, or ``None``."""
    path = PurePosixPath(name)
    if len(name) > NAME_LIMIT or not _NAME.match(name) or path.name.startswith(".") or path.name != path.name.strip():
        return T("“%(name)s” cannot be the name of a file. Use letters, digits, dots, hyphens and underscores, at most %(most)d.", name=name[:80], most=NAME_LIMIT)
    suffix = path.suffix.lower()
    if path.stem in OWN_ROOM and suffix in (".yaml", ".yml"):
        return T("“%(name)s” belongs to the whole office, not to one procedure. Limits and ladders are changed on the page “Limits”.", name=name)
    if name.startswith(SCENARIOS):
        if suffix != ".json":
            return T("“%(name)s” is no scenario: a scenario is a .json file.", name=name)
    elif suffix not in READERS and suffix not in COMPANION_SUFFIXES:
        kinds = ", ".join([*sorted(READERS), ".md", "scenarios/*.json"])
        return T("“%(name)s” is of no kind that belongs to a procedure. Accepted: %(kinds)s.", name=name, kinds=kinds)
    return None


def check_files(files: Mapping[str, Any]) -> None:
    """Refuse names, sizes and characters that a draft cannot keep.  Raises :class:`ValidationFailed` by file name."""
    errors: dict[str, list[Words]] = {}
    total = 0
    folded: dict[str, str] = {}
    for name, text in files.items():
        refusal = refusal_of_name(name)
        other = folded.setdefault(name.casefold(), name)
        if refusal is None and other != name:
            refusal = T("“%(name)s” and “%(other)s” differ in capital letters only. Rename one.", name=name, other=other)
        if refusal is None and not isinstance(text, str):
            refusal = T("The file %(file)s is not text.", file=name)
        if refusal is None and _UNKEEPABLE.search(text):
            refusal = T("The file %(file)s holds a character that cannot be kept. Save it as UTF-8 text.", file=name)
        if refusal is None and (size := len(text.encode())) > FILE_LIMIT:
            refusal = T("The file %(file)s is larger than %(limit)d MB. Send fewer or smaller files.", file=name, limit=FILE_LIMIT // 2**20)
        if refusal is not None:
            errors[name] = [refusal]
        else:
            total += size
    if errors:
        raise ValidationFailed(next(iter(errors.values()))[0], errors=errors)
    if len(files) > FILES_LIMIT:
        raise ValidationFailed("A draft has at most %(limit)d files.", limit=FILES_LIMIT)
    if total > TOTAL_LIMIT:
        raise ValidationFailed("The files of a draft have at most %(limit)d MB together.", limit=TOTAL_LIMIT // 2**20)


def checksum(text: str) -> str:
    """SHA-256 of a file's text, as deployments have it."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_companion(name: str) -> bool:
    """Whether a file goes with the procedure without being executed."""
    return name.startswith(SCENARIOS) or PurePosixPath(name).suffix.lower() not in READERS


def deployable(files: Mapping[str, str]) -> dict[str, bytes]:
    """The files that a deployment takes, as bytes."""
    return {name: text.encode() for name, text in files.items() if not is_companion(name)}


def definitions_in(files: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(kind, id, file) of what the files define, as far as it can be read; whether it is any good is asked by the check."""
    found: list[tuple[str, str, str]] = []
    for name, content in deployable(files).items():
        suffix = PurePosixPath(name).suffix.lower()
        if suffix in (".bpmn", ".dmn"):
            tree, _problems = parse_xml(content, name)
            kind = "process" if suffix == ".bpmn" else "decision"
            elements = tree.getroot().iter(f"{{*}}{kind}") if tree is not None else ()
            found += [(kind, each.get("id"), name) for each in elements if each.get("id")]
        elif suffix == ".form":
            try:
                form = json.loads(content)
            except (ValueError, RecursionError):
                continue
            if isinstance(form, dict) and isinstance(form.get("id"), str) and form["id"]:
                found.append(("form", form["id"], name))
        elif (sheet := parse_sheet(name, content)[0]) is not None:
            found.append(("procedure", sheet.process, name))
    return found


def main_process(files: Mapping[str, str]) -> str | None:
    """The process that the files are about: the one their sheet names, else the first executable one, else the first."""
    found: list[tuple[bool, str]] = []
    for name in sorted(files):
        if PurePosixPath(name).suffix.lower() == ".bpmn" and not is_companion(name):
            tree, _problems = parse_xml(files[name].encode(), name)
            if tree is not None:
                found += [(each.get("isExecutable") in ("true", "1"), each.get("id") or "") for each in tree.getroot().iter(tag("process"))]
    ids = [id for _, id in sorted(found, key=lambda each: not each[0]) if id]
    named = _SHEET_PROCESS.search(files.get(SHEET_FILE, ""))
    if named and (named[1] in ids or not ids):
        return named[1][:255]
    return ids[0][:255] if ids else None


# --- what is deployed -------------------------------------------------------------------------------------------------


def parts_of(desk: Desk, conn: Connection, process_id: str, deployment_key: int | None = None) -> list[Definition]:
    """The definitions that make up a procedure, as they stood right after a deployment; now without one.

    Raises :class:`NotFound` when the process did not exist then.
    """
    catalogue = desk.engine.catalogue

    def find(kind: str, id: str) -> Definition | None:
        if deployment_key is None:
            return catalogue.find(kind, id, conn=conn)
        return catalogue.deployed_by(kind, id, deployment_key, conn=conn)

    process = find("process", process_id)
    if process is None:
        raise NotFound("There is no process “%(id)s”.", id=process_id)
    sheet = find("procedure", process_id)
    wanted: dict[tuple[str, str], None] = {}
    for node in _all_nodes(process.model):
        for kind, attribute in (("form", "form_id"), ("decision", "decision_id")):
            value = getattr(node, attribute, None)
            if value is not None and value.expression is None and value.text.strip("- "):
                wanted[kind, value.text] = None
    if sheet is not None and sheet.model is not None:
        for each in (sheet.model.start.form, *(action.form for action in sheet.model.all_actions())):
            if each:
                wanted["form", each] = None
    found = [process, *([sheet] if sheet is not None else [])]
    return found + [each for pair in wanted if (each := find(*pair)) is not None]


def _all_nodes(model: Any) -> Iterable[Any]:
    for node in nodes(model):
        yield node
        if getattr(node, "inner", None) is not None:
            yield node.inner


def file_set(desk: Desk, conn: Connection, process_id: str, deployment_key: int | None = None) -> FileSet:
    """The files of a procedure as they stood right after a deployment; those in use without one.  Raises :class:`NotFound`."""
    parts = parts_of(desk, conn, process_id, deployment_key)
    resource, definition = tables.resource, tables.definition
    wanted = {part.resource_key for part in parts}
    contents = {row.key: row for row in conn.execute(select(resource.c.key, resource.c.name, resource.c.content).where(resource.c.key.in_(wanted)))}
    every = conn.execute(
        select(definition.c.kind, definition.c.id, definition.c.version, definition.c.resource_key).where(definition.c.resource_key.in_(wanted))
    ).all()
    files: dict[str, str] = {}
    its_parts: dict[str, list[Part]] = {}
    for part in parts:
        row = contents.pop(part.resource_key, None)
        if row is None:
            continue
        name = _file_name(part, row.name, files)
        files[name] = bytes(row.content).decode("utf-8-sig", "replace")
        its_parts[name] = [(each.kind, each.id, each.version) for each in every if each.resource_key == part.resource_key]
    files |= companions(conn, process_id, deployment_key)
    return FileSet(files, its_parts, parts[0].name or process_id)


def _file_name(part: Definition, stored: str, taken: Mapping[str, str]) -> str:
    """The name of a deployed file inside a draft: without its folder; by its id where that is taken or cannot be used."""
    if part.kind == "procedure":
        return SHEET_FILE
    name = PurePosixPath(stored).name
    if name in taken or refusal_of_name(name) is not None:
        safe = re.sub(r"[^\w.-]", "_", part.id)[:100] or part.kind
        name = f"{safe}{PurePosixPath(stored).suffix.lower()}"
    return name if name not in taken else f"{PurePosixPath(name).stem}_{part.key}{PurePosixPath(name).suffix}"


def companions(conn: Connection, process_id: str, deployment_key: int | None = None) -> dict[str, str]:
    """README and scenarios of a procedure, as they stood right after a deployment; the latest without one."""
    row = tables.design_companion.c
    newest = select(row.name, func.max(row.deployment_key).label("newest")).where(row.process_id == process_id).group_by(row.name)
    if deployment_key is not None:
        newest = newest.where(row.deployment_key <= deployment_key)
    newest = newest.subquery()
    chosen = (
        select(row.name, row.content)
        .join(newest, (newest.c.name == row.name) & (newest.c.newest == row.deployment_key))
        .where(row.process_id == process_id, row.content.is_not(None))
        .order_by(row.name)
    )
    return {each.name: each.content for each in conn.execute(chosen)}


def keep_companions(tx: Any, process_id: str, files: Mapping[str, str], deployment_key: int) -> list[str]:
    """Write the README and scenarios among ``files`` that are new or changed, note those that are gone; gives the names written."""
    if not process_id:
        return []
    before = companions(tx.conn, process_id)
    now = {name: text for name, text in files.items() if is_companion(name)}
    changed = {name: text for name, text in now.items() if before.get(name) != text} | {name: None for name in before if name not in now}
    for name, content in changed.items():
        add_companion(tx, process_id, name, content, deployment_key, tx.now)
    return sorted(changed)


def add_companion(tx: Any, process_id: str, name: str, content: str | None, deployment_key: int, at: datetime) -> None:
    """Buffer one row."""
    tx.add(
        tables.design_companion, key=new_key(), process_id=process_id, name=name, content=content, deployment_key=deployment_key,
        by=tx.by or "", at=at,
    )  # fmt: skip
