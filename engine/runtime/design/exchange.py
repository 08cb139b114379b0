"""Procedures in and out of the house as a zip with their history.

What a stranger sends is read within firm limits, and nothing in it names a place to write to.
"""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from engine.errors import NotFound, ValidationFailed
from engine.runtime.design import drafts
from engine.runtime.design.drafts import Draft
from engine.runtime.design.files import (
    FILE_LIMIT,
    OWN_ROOM,
    SCENARIOS,
    SHEET_FILE,
    TOTAL_LIMIT,
    FileSet,
    Part,
    check_files,
    checksum,
    file_set,
    main_process,
    refusal_of_name,
)  # fmt: skip
from engine.runtime.design.unzipping import members, open_archive, unpacked
from engine.runtime.design.versions import versions
from engine.runtime.examining import READERS
from engine.runtime.sheets import parse_sheet
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

HISTORY_FILE = "history.json"
HISTORY_LIMIT = 1_000
"""Versions of a foreign history that are kept."""
ENTRIES_LIMIT = 2_000
"""Entries of an archive that are looked at at all."""
EPOCH = (2026, 1, 1, 0, 0, 0)
"""The date of every entry, so that the same files make the same archive."""


# --- zip --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Received:
    """What an archive held: the files of a draft, its history if it brought one, and the names that were not taken."""

    files: dict[str, str]
    history: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def archive_of(desk: Desk, conn: Connection, process_id: str) -> bytes:
    """The procedure in use with its history, as a zip.  Raises :class:`NotFound`."""
    current = file_set(desk, conn, process_id)
    return _zip(current.files, _history(desk, conn, process_id, current))


def archive_of_draft(desk: Desk, conn: Connection, draft: Draft) -> bytes:
    """A draft with the history of its procedure, as a zip."""
    made = FileSet(draft.files, draft.parts)
    try:
        told = _history(desk, conn, draft.process_id or "", made, draft.sums)
    except NotFound:
        told = {"banjie": 1, "process": draft.process_id, "name": draft.title, "versions": draft.history or [], "parts": {}, "sums": {}}
    return _zip(draft.files, told)


def _history(desk: Desk, conn: Connection, process_id: str, made: FileSet, sums: Mapping[str, str] | None = None) -> dict[str, Any]:
    directory = desk.people.directory(conn)
    listed = [
        {
            "number": each.number, "at": each.at.isoformat(), "author": directory.name(each.author or each.by),
            "approver": directory.name(each.approver) if each.approver else "", "reason": each.reason, "process_version": each.process_version,
            "changed": [list(part) for part in each.changed], "companions": list(each.companions),
        }
        for each in versions(desk, conn, process_id)
    ]  # fmt: skip
    known = sums if sums is not None else {name: checksum(made.files[name]) for name in made.parts}
    parts = {name: [list(part) for part in its] for name, its in made.parts.items()}
    return {"banjie": 1, "process": process_id, "name": made.name, "versions": listed, "parts": parts, "sums": dict(known)}


def _zip(files: Mapping[str, str], history: Mapping[str, Any]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in [*sorted(files.items()), (HISTORY_FILE, json.dumps(history, ensure_ascii=False, indent=2))]:
            made.writestr(zipfile.ZipInfo(name, EPOCH), text.encode(), zipfile.ZIP_DEFLATED)
    return out.getvalue()


def read_archive(data: bytes, name: str) -> Received:
    """The files of an archive.  Raises :class:`ValidationFailed` in words for one that is none, leads elsewhere or is too large.

    Sizes are counted while unpacking, whatever the archive claims; links, encrypted entries and paths that lead out are refused.
    """
    opened = open_archive(data, name)
    raw: dict[str, bytes] = {}
    left_out: list[str] = []
    history: dict[str, Any] = {}
    with opened:
        if len(opened.infolist()) > ENTRIES_LIMIT:
            raise ValidationFailed("%(file)s holds more than %(limit)d files.", file=name, limit=ENTRIES_LIMIT)
        room = TOTAL_LIMIT
        for entry, path in members(opened, name):
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise ValidationFailed("%(file)s contains the link %(path)s. Pack the file itself.", file=name, path=entry.filename)
            if path.name != HISTORY_FILE and refusal_of_name(draft_name(path)) is not None:
                left_out.append(str(path)[:200])
                continue
            content = unpacked(opened, entry, name, file_limit=FILE_LIMIT, room=room, total_limit=TOTAL_LIMIT)
            room -= len(content)
            if path.name == HISTORY_FILE:
                history = _read_history(content)
            elif str(path) in raw:
                raise ValidationFailed("The file %(file)s was sent twice. Send each file once.", file=str(path))
            else:
                raw[str(path)] = content
    if not raw:
        raise ValidationFailed("%(file)s holds no file of a procedure: %(kinds)s.", file=name, kinds=", ".join(sorted(READERS)))
    return Received(draft_files(raw), history, tuple(left_out))


def _read_history(content: bytes) -> dict[str, Any]:
    """What a foreign history says, as far as it has the shape of one; anything else is no history."""
    try:
        told = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(told, dict) or told.get("banjie") != 1:
        return {}
    lines = told.get("versions")
    lines = [_line(each) for each in lines if isinstance(each, dict)][:HISTORY_LIMIT] if isinstance(lines, list) else []
    parts, sums = told.get("parts"), told.get("sums")
    return {"versions": lines, "parts": parts if isinstance(parts, dict) else {}, "sums": sums if isinstance(sums, dict) else {}}


def _line(told: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(told.get(name) or "")[:1000].replace("\x00", "") for name in ("number", "at", "author", "approver", "reason", "process_version")}


def draft_name(path: PurePosixPath) -> str:
    """What a file of an archive or a folder is called in a draft: without its folders, but for scenarios."""
    if path.suffix.lower() == ".json" and len(path.parts) > 1 and path.parts[-2] == SCENARIOS.rstrip("/"):
        return f"{SCENARIOS}{path.name}"
    return path.name


def draft_files(files: Mapping[str, bytes]) -> dict[str, str]:
    """The files as a draft has them.  Raises :class:`ValidationFailed` for two of one name, and for what is no text."""
    found: dict[str, str] = {}
    for path, content in files.items():
        name = draft_name(PurePosixPath(path))
        if name in found:
            words = T("There are two files called %(file)s. A draft is one procedure: send the files of one at a time.", file=name)
            raise ValidationFailed(words, errors={name: [words]})
        try:
            found[name] = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ValidationFailed("The file %(file)s holds a character that cannot be kept. Save it as UTF-8 text.", file=name) from error
    check_files(found)
    return found


def is_procedure(files: Iterable[str]) -> bool:
    """Whether some of the files belong to a procedure and not to the room of limits.  A drawing called “ladders.bpmn” does."""
    paths = [PurePosixPath(name) for name in files]
    return any(path.stem not in OWN_ROOM or path.suffix.lower() not in (".yaml", ".yml") for path in paths)


def title_of(files: Mapping[str, str]) -> str:
    """What the procedure is called by its sheet, else its process's id, else its first file."""
    sheet = parse_sheet(SHEET_FILE, files[SHEET_FILE].encode())[0] if SHEET_FILE in files else None
    return (sheet.name if sheet is not None else main_process(files) or next(iter(files)))[: drafts.TITLE_LIMIT]


def import_draft(
    desk: Desk, received: Received, *, title: str = "", note: str = "", by: str, token: str | None = None, address: str | None = None
) -> Draft:
    """A draft with the files of an archive.  Where its history names versions that are really ours, they are what it is based on."""
    history = received.history
    made = FileSet(received.files, _our_parts(desk, received.files, history))
    return drafts.create(
        desk, title=title or title_of(received.files), made=made, sums={name: str(history["sums"][name]) for name in made.parts}, note=note,
        history=history.get("versions") or None, by=by, token=token, address=address,
    )  # fmt: skip


def _our_parts(desk: Desk, files: Mapping[str, str], history: Mapping[str, Any]) -> dict[str, list[Part]]:
    """The versions that the history names, as far as what was deployed here under them is what the archive was made from."""
    found: dict[str, list[Part]] = {}
    catalogue = desk.engine.catalogue
    for name, sum in (history.get("sums") or {}).items():
        told = (history.get("parts") or {}).get(name)
        if name not in files or not isinstance(told, list):
            continue
        parts = [tuple(each) for each in told if isinstance(each, list) and len(each) == 3 and isinstance(each[2], int)]
        known = [catalogue.find(str(kind), str(id), version) for kind, id, version in parts]
        if parts and all(each is not None and checksum(text_of(catalogue.content(each)[1])) == sum for each in known):
            found[name] = [(str(kind), str(id), version) for kind, id, version in parts]
    return found


def text_of(content: bytes) -> str:
    """A deployed file as text, without the mark that some editors begin with."""
    return content.decode("utf-8-sig", "replace")
