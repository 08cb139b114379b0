"""Reading a zip archive that a stranger sends: within firm limits, refused in words, and nothing in it names a place to write to."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from engine.errors import ValidationFailed
from engine.words import T, Words

MEGABYTE = 1024 * 1024
RESOURCE_FORKS = "__MACOSX"
"""A folder that the archiver of some desktops adds; nobody means it."""
# What the standard library raises for archives that are encrypted, torn, or made to confuse it.
_DAMAGED = (
    zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, ValueError, LookupError, struct.error, zlib.error, lzma.LZMAError,
)  # fmt: skip


def open_archive(data: bytes, name: str) -> zipfile.ZipFile:
    """The archive.  Raises :class:`ValidationFailed` when it is none."""
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except _DAMAGED as error:
        raise ValidationFailed("%(file)s is not a zip archive, or it is damaged.", file=name) from error


def members(opened: zipfile.ZipFile, name: str) -> Iterator[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """The files of an archive with their paths.  Raises :class:`ValidationFailed` for a path that leads out of it."""
    for entry in opened.infolist():
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in entry.filename:
            raise ValidationFailed("%(file)s contains the path %(path)s, which leads out of the archive.", file=name, path=entry.filename)
        if path.parts and not entry.is_dir() and path.parts[0] != RESOURCE_FORKS:
            yield entry, path


def unpacked(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, archive: str, *, file_limit: int, room: int, total_limit: int) -> bytes:
    """One file; its bytes are counted while unpacking, whatever the archive claims.

    Raises :class:`ValidationFailed` for one that cannot be read, is larger than ``file_limit`` or than what is left of ``total_limit``.
    """
    try:
        with opened.open(entry) as stream:
            content = stream.read(min(file_limit, room) + 1)
    except _DAMAGED as error:
        raise ValidationFailed("%(path)s in %(file)s cannot be unpacked (encrypted or damaged).", file=archive, path=entry.filename) from error
    if len(content) > file_limit:
        raise ValidationFailed(too_large(entry.filename, file_limit))
    if len(content) > room:
        raise ValidationFailed(too_large(archive, total_limit))
    return content


def too_large(name: str, limit: int) -> Words:
    """The refusal of what is larger than ``limit`` bytes."""
    return T("The file %(file)s is larger than %(limit)d MB. Send fewer or smaller files.", file=name, limit=limit // MEGABYTE)
