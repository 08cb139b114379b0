"""What a designer uploads: single files and zip archives, unpacked within firm limits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Protocol

from engine.errors import ValidationFailed
from engine.runtime.design.unzipping import MEGABYTE, members, open_archive, too_large, unpacked
from engine.runtime.examining import READERS

FILE_LIMIT = 5 * MEGABYTE
TOTAL_LIMIT = 50 * MEGABYTE
FILES_LIMIT = 300


class Upload(Protocol):
    """What is needed of an uploaded file (``werkzeug.datastructures.FileStorage`` has it)."""

    filename: str | None

    def read(self, size: int = -1) -> bytes: ...


def collect(uploads: Iterable[Upload]) -> dict[str, bytes]:
    """Name → content of every file, archives unpacked.  :class:`ValidationFailed` in words for anything out of bounds.

    A file may have 5 MB, everything together 50 MB in 300 files; both are counted while unpacking, so that an archive that
    claims to be small cannot fill the memory.
    """
    files: dict[str, bytes] = {}
    for upload in uploads:
        name = (upload.filename or "").replace("\\", "/").strip()
        if not name:
            continue
        if name.lower().endswith(".zip"):
            content = upload.read(TOTAL_LIMIT + 1)
            if len(content) > TOTAL_LIMIT:
                raise ValidationFailed(too_large(name, TOTAL_LIMIT))
            for inner, data in _unpacked(name, content, TOTAL_LIMIT - _size(files)):
                _add(files, inner, data)
        else:
            # Browsers may send a path with a single file; only the name counts.
            _add(files, PurePosixPath(name).name, upload.read(FILE_LIMIT + 1))
    if not files:
        raise ValidationFailed("Choose at least one file: %(kinds)s, or a zip of them.", kinds=", ".join(sorted(READERS)))
    return files


def _size(files: dict[str, bytes]) -> int:
    return sum(map(len, files.values()))


def _add(files: dict[str, bytes], name: str, data: bytes) -> None:
    if len(data) > FILE_LIMIT:
        raise ValidationFailed(too_large(name, FILE_LIMIT))
    if name in files:
        raise ValidationFailed("The file %(file)s was sent twice. Send each file once.", file=name)
    files[name] = data
    if len(files) > FILES_LIMIT:
        raise ValidationFailed("More than %(limit)d files at once. Send them in parts.", limit=FILES_LIMIT)
    if _size(files) > TOTAL_LIMIT:
        raise ValidationFailed(too_large(name, TOTAL_LIMIT))


def _unpacked(archive: str, content: bytes, room: int) -> Iterable[tuple[str, bytes]]:
    with open_archive(content, archive) as opened:
        for entry, path in members(opened, archive):
            if path.suffix.lower() in READERS:
                data = unpacked(opened, entry, archive, file_limit=FILE_LIMIT, room=room, total_limit=TOTAL_LIMIT)
                room -= len(data)
                yield str(path), data
