"""Attachments: what may be uploaded, how it is recognised, and how it is read again.

The declared content type is not believed.  A file is what its name's extension says *and* its first bytes confirm; what is
stored and sent later is the type of this table, so no upload can make a browser run it as a page.
"""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, insert, or_, select, update

from engine.errors import InvalidState, NotFound, NotPermitted, ValidationFailed
from engine.runtime.casework.drafts import require_subject
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

FILE_MARK = "files::"
"""How the value of a file field of a form begins; the same text stands in ``attachment.field``."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda content: content.startswith(marks)


def _zip_with(*prefixes: str) -> Callable[[bytes], bool]:
    """A ZIP whose directory lists a member starting with one of ``prefixes``; only the directory is read."""

    def check(content: bytes) -> bool:
        if not content.startswith(_ZIP):
            return False
        try:
            names = zipfile.ZipFile(io.BytesIO(content)).namelist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            return False
        return not prefixes or any(name.startswith(prefixes) for name in names)

    return check


def _text(content: bytes) -> bool:
    """Text in UTF-8 or GB 18030, the two encodings office programs here write."""
    if b"\0" in content:
        return False
    for encoding in ("utf-8", "gb18030"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False


def _either(*checks: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    return lambda content: any(check(content) for check in checks)


_OOXML = "application/vnd.openxmlformats-officedocument"
KINDS: dict[str, tuple[str, Callable[[bytes], bool]]] = {
    # Some scanners put a few bytes before the mark of a PDF; readers accept it within the first 1024.
    "pdf": ("application/pdf", lambda content: b"%PDF-" in content[:1024]),
    "ofd": ("application/ofd", _zip_with("OFD.xml")),
    "doc": ("application/msword", _starts(_OLE)),
    "xls": ("application/vnd.ms-excel", _starts(_OLE)),
    "ppt": ("application/vnd.ms-powerpoint", _starts(_OLE)),
    "docx": (f"{_OOXML}.wordprocessingml.document", _zip_with("word/")),
    "xlsx": (f"{_OOXML}.spreadsheetml.sheet", _zip_with("xl/")),
    "pptx": (f"{_OOXML}.presentationml.presentation", _zip_with("ppt/")),
    "wps": ("application/vnd.ms-works", _either(_starts(_OLE), _zip_with("word/"))),
    "et": ("application/vnd.ms-works", _either(_starts(_OLE), _zip_with("xl/"))),
    "jpg": ("image/jpeg", _starts(b"\xff\xd8\xff")),
    "jpeg": ("image/jpeg", _starts(b"\xff\xd8\xff")),
    "png": ("image/png", _starts(b"\x89PNG\r\n\x1a\n")),
    "txt": ("text/plain", _text),
    "csv": ("text/csv", _text),
    "zip": ("application/zip", _zip_with()),
}
"""Extension → (content type, whether the bytes look like it)."""


@dataclass(frozen=True)
class Download:
    """An attachment with its bytes."""

    key: int
    filename: str
    content_type: str
    size: int
    checksum: str
    content: bytes


def clean_filename(name: str) -> str:
    """The last part of ``name`` without control and direction characters (``cod.<RLO>fdp.exe``), at most 200 characters."""
    name = unicodedata.normalize("NFC", re.split(r"[\\/]", name)[-1])
    name = "".join(char for char in name if unicodedata.category(char) not in ("Cc", "Cf", "Cs")).strip(" .")
    stem, dot, extension = name.rpartition(".")
    return f"{stem[: 199 - len(extension)]}{dot}{extension}" if dot else name[:200]


def recognise(filename: str, content: bytes, allowed: tuple[str, ...], max_bytes: int) -> str:
    """The content type of an upload; :class:`ValidationFailed` says what is wrong with it and what would be right."""
    refusal: Words | None = None
    extension = filename.rpartition(".")[2].lower() if "." in filename else ""
    if not content:
        refusal = T("“%(name)s” is empty.", name=filename)
    elif len(content) > max_bytes:
        refusal = T(
            "“%(name)s” has %(size)s MB; at most %(limit)s MB are allowed.",
            name=filename, size=f"{len(content) / 1048576:.1f}", limit=f"{max_bytes / 1048576:g}",
        )  # fmt: skip
    elif extension not in allowed or extension not in KINDS:
        refusal = T("Files of the kind “%(kind)s” cannot be uploaded. Allowed: %(allowed)s.", kind=extension, allowed=", ".join(allowed))
    elif not KINDS[extension][1](content):
        refusal = T("“%(name)s” is not what its name says. Save it as %(kind)s and upload it again.", name=filename, kind=extension)
    if refusal is not None:
        raise ValidationFailed(refusal, errors={"file": [refusal]})
    return KINDS[extension][0]


def upload(
    desk: Desk, subject: str, field: str, filename: str, content: bytes, *, by: str, case_key: int | None = None, address: str | None = None
) -> int:
    """Store an upload on the form of ``subject``; returns its key.

    The case follows from the subject; ``case_key``, if given, must agree with it.  Raises :class:`ValidationFailed`,
    and what :func:`require_subject` raises.
    """
    with desk.audited(by, address) as tx:
        case = require_subject(desk, tx.conn, subject, by)
        if case_key is not None and case_key != case:
            raise NotFound("The form “%(subject)s” does not belong to this case.", subject=subject)
        return store(desk, tx, case, subject, field, filename, content)


def store(desk: Desk, tx: Any, case: int | None, subject: str, field: str, filename: str, content: bytes) -> int:
    """Store a document within a command; returns its key.  :class:`ValidationFailed` when it is not of a kind that may be uploaded."""
    filename = clean_filename(filename)
    content_type = recognise(filename, content, desk.settings.upload_extensions, desk.settings.upload_max_bytes)
    checksum, key = hashlib.sha256(content).hexdigest(), new_key()
    tx.execute(
        insert(tables.attachment).values(
            key=key, case_key=case, subject=subject, field=field[:255], filename=filename, content_type=content_type,
            size=len(content), checksum=checksum, uploaded_by=tx.by, uploaded_at=tx.now,
        )
    )  # fmt: skip
    tx.execute(insert(tables.attachment_content).values(key=key, content=content))
    tx.audit("attachment.upload", f"attachment:{key}", form=subject, filename=filename, checksum=checksum)
    return key


def references(tx: Any, data: Mapping[str, Any], *, subject: str, case_key: int | None) -> dict[str, list[dict[str, Any]]] | None:
    """The uploads that answers may refer to, by the value of their field (``files::…``); ``None`` when none refers to any.

    Those of the form itself, by the person who submits it, and those the case already has.
    """
    if not mentions_files(data):
        return None
    row = tables.attachment.c
    mine = and_(row.subject == subject, row.uploaded_by == tx.by)
    chosen = select(row.field, row.filename, row.size, row.content_type).where(row.removed_at.is_(None))
    chosen = chosen.where(or_(mine, row.case_key == case_key) if case_key is not None else mine)
    found: dict[str, list[dict[str, Any]]] = {}
    for each in tx.execute(chosen.order_by(row.key)):
        found.setdefault(each.field, []).append({"name": each.filename, "size": each.size, "type": each.content_type})
    return found


def mentions_files(value: Any) -> bool:
    """Whether answers refer to any upload."""
    if isinstance(value, Mapping):
        return any(mentions_files(each) for each in value.values())
    if isinstance(value, (list, tuple)):
        return any(mentions_files(each) for each in value)
    return isinstance(value, str) and value.startswith(FILE_MARK)


def download(desk: Desk, key: int, viewer: str, address: str | None = None) -> Download:
    """An attachment that ``viewer`` may read, with its bytes; :class:`NotFound` otherwise."""
    with desk.engine.reading() as conn:
        row = desk.access.attachment(conn, key, viewer, address)
        content = conn.execute(select(tables.attachment_content.c.content).where(tables.attachment_content.c.key == key)).scalar_one()
    return Download(row.key, row.filename, row.content_type, row.size, row.checksum, bytes(content))


def remove(desk: Desk, key: int, *, by: str, address: str | None = None) -> None:
    """Take one's own upload back while its form is still open.  The bytes stay: what was shown to others is evidence."""
    with desk.audited(by, address) as tx:
        row = desk.access.find_attachment(tx.conn, key, by)
        if row.uploaded_by != by:
            raise NotPermitted("Only who uploaded “%(name)s” may remove it.", name=row.filename)
        if row.case_key is not None:
            kind, _, name = row.subject.partition(":")
            state = select(tables.user_task.c.state).where(tables.user_task.c.key == int(name)) if kind == "task" else None
            if state is None or tx.execute(state).scalar_one_or_none() != "CREATED":
                raise InvalidState("“%(name)s” belongs to a form that was submitted and can no longer be removed.", name=row.filename)
        tx.execute(update(tables.attachment).where(tables.attachment.c.key == key).values(removed_at=tx.now))
        tx.audit("attachment.remove", f"attachment:{key}", filename=row.filename)
