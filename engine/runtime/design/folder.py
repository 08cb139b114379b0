"""Procedures as the folder ``processes/NAME`` that engineers keep in git: export, import, and what a start finds there.

A file of the folder and the version in use are compared by what they say: the same, one that was in use before, a new one, or one
that both sides changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select

from engine.errors import NotFound
from engine.runtime.deploy import checksums_of, deploy
from engine.runtime.design import drafts
from engine.runtime.design.exchange import draft_files, draft_name, text_of, title_of
from engine.runtime.design.files import (
    FILE_LIMIT,
    SHEET_FILE,
    FileSet,
    Part,
    add_companion,
    checksum,
    companions,
    file_set,
    is_companion,
    main_process,
    parts_of,
    refusal_of_name,
)
from engine.runtime.desk import DELIVERER
from engine.runtime.examining import READERS
from engine.runtime.examining import examine as examine_deployment
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

MARK_FILE = ".banjie.json"
"""In the folder ``processes``: which version each exported file was, so that an import knows what the file was made from."""
FOLDERS = ("processes", "forms")


# --- the folder -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """A file of the folder beside what is in use: ``same``, ``behind`` (it was in use before), ``new``, or ``conflict`` (both changed)."""

    state: str
    version: int = 0
    by: str = ""
    kind: str = ""
    id: str = ""

    def words(self, file: str, name: str) -> Words:
        """What to tell about a file that is not taken; ``name`` is the person's."""
        if self.state == "behind":
            return T("%(file)s: version %(version)d, by %(name)s, is in use and newer. Export it.", file=file, version=self.version, name=name)
        return T(
            "%(file)s differs, and version %(version)d in use is by %(name)s. Export to another folder and compare, or import it as a draft.",
            file=file, version=self.version, name=name,
        )  # fmt: skip


def judge(desk: Desk, files: Mapping[str, bytes], marks: Mapping[str, Any] | None = None) -> dict[str, Judged]:
    """How each deployable file stands to what is in use; a file that cannot be read counts as new, so that the deployment says why."""
    catalogue = desk.engine.catalogue
    sums = checksums_of(files)
    by_id: dict[tuple[str, str], list[Any]] = {}
    for each in catalogue.all():
        by_id.setdefault((each.kind, each.id), []).append(each)
    found: dict[str, Judged] = {}
    for item in examine_deployment(files, catalogue)[0]:
        known = sorted(by_id.get((item.kind, item.id), ()), key=lambda each: each.version)
        judged = _judged(item, sums[item.file], known, (marks or {}).get(item.file))
        order = ("same", "behind", "new", "conflict")
        if item.file not in found or order.index(judged.state) > order.index(found[item.file].state):
            found[item.file] = judged
    return {name: found.get(name, Judged("new")) for name in files}


def _judged(item: Any, sum: str, known: list[Any], mark: Any) -> Judged:
    if not known:
        return Judged("new")
    latest = known[-1]
    about = {"version": latest.version, "by": latest.deployed_by, "kind": item.kind, "id": item.id}
    if latest.checksum == sum:
        return Judged("same", **about)
    if any(each.checksum == sum for each in known):
        return Judged("behind", **about)
    told = mark.get("parts") if isinstance(mark, dict) else None
    based = [part[2] for part in told if list(part[:2]) == [item.kind, item.id]] if isinstance(told, list) else []
    mine = based == [latest.version] if based else latest.deployed_by == DELIVERER
    return Judged("new" if mine else "conflict", **about)


def read_marks(root: Path) -> dict[str, Any]:
    """What the last export into a folder noted; nothing when it is missing or somebody has broken it."""
    try:
        told = json.loads((root / "processes" / MARK_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


@dataclass
class Exported:
    """What an export did: paths relative to the folder."""

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


def export_folder(desk: Desk, root: Path, process_ids: Iterable[str] = (), *, force: bool = False) -> Exported:
    """Write what is in use into ``root/processes`` and ``root/forms``; a file that somebody changed there is left and reported.

    ``process_ids``: only these; none: all.  Raises :class:`NotFound` for one that is not deployed.
    """
    answer, marks = Exported(), read_marks(root)
    with desk.engine.reading() as conn:
        wanted = list(process_ids) or [each.id for each in desk.engine.catalogue.latest("process", conn)]
        homes = _homes(conn)
        out: dict[str, tuple[str, list[Part]]] = {}
        for process_id in wanted:
            current = file_set(desk, conn, process_id)
            folder = str(PurePosixPath(homes.get(("process", process_id), f"processes/{process_id}/x")).parent)
            for name, text in current.files.items():
                out[_path_of(folder, name, current.parts.get(name, []), homes)] = (text, current.parts.get(name, []))
    deployed = {each.checksum for each in desk.engine.catalogue.all()}
    for path, (text, parts) in sorted(out.items()):
        target = root / path
        old = target.read_bytes() if target.is_file() else None
        if old == text.encode():
            answer.unchanged.append(path)
        elif old is not None and not force and not _is_ours(old, deployed, marks.get(path)):
            answer.conflicts.append(path)
            continue
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode())
            answer.written.append(path)
        marks[path] = {"sum": checksum(text), "parts": [list(part) for part in parts]}
    (root / "processes").mkdir(parents=True, exist_ok=True)
    (root / "processes" / MARK_FILE).write_text(json.dumps(marks, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return answer


def _is_ours(content: bytes, deployed: set[str], mark: Any) -> bool:
    """Whether a file on disk is one that was in use or was exported, and may so be replaced."""
    sum = checksum(text_of(content))
    return sum in deployed or (isinstance(mark, dict) and mark.get("sum") == sum)


def _homes(conn: Connection) -> dict[tuple[str, str], str]:
    """(kind, id) → the path below ``processes/`` or ``forms/`` that one of its versions came from, the latest that has one."""
    definition, resource = tables.definition, tables.resource
    rows = conn.execute(
        select(definition.c.kind, definition.c.id, resource.c.name)
        .join(resource, resource.c.key == definition.c.resource_key)
        .order_by(definition.c.version)
    )
    return {(row.kind, row.id): row.name for row in rows if _is_home(PurePosixPath(row.name))}


def _is_home(path: PurePosixPath) -> bool:
    return len(path.parts) > 1 and path.parts[0] in FOLDERS and not path.is_absolute() and all(part not in ("..", ".") for part in path.parts)


def _path_of(folder: str, name: str, parts: list[Part], homes: Mapping[tuple[str, str], str]) -> str:
    home = next((homes[part[:2]] for part in parts if part[:2] in homes), None)
    if home is not None:
        return home
    return f"forms/{name}" if name.endswith(".form") else f"{folder}/{name}"


@dataclass
class Imported:
    """What an import did: drafts made (key, title), files put into use, and files not taken with what to tell."""

    drafts: list[tuple[int, str]] = field(default_factory=list)
    published: list[str] = field(default_factory=list)
    refused: list[Words] = field(default_factory=list)


def import_folder(desk: Desk, root: Path, *, publish: bool = False, force: bool = False, by: str) -> Imported:
    """Take over what changed in ``root/processes`` and ``root/forms``: a draft for each procedure, or with ``publish`` at once.

    Files behind what is in use, and files that both sides changed, are reported and not taken, unless ``force``.
    """
    answer = Imported()
    files = _folder_files(root)
    models = {path: content for path, content in files.items() if PurePosixPath(path).suffix.lower() in READERS and not is_companion(path)}
    marks = read_marks(root)
    judged = judge(desk, models, marks)
    directory = desk.people.directory()
    taken = []
    for path, each in judged.items():
        if each.state == "new" or (force and each.state != "same"):
            taken.append(path)
        elif each.state in ("behind", "conflict"):
            answer.refused.append(each.words(path, directory.name(each.by)))
    if publish:
        if taken:
            deploy(desk.engine, {path: models[path] for path in taken}, by, reason="import")
        keep_delivered(desk, files, by=by)
        answer.published = sorted(taken)
        return answer
    for folder in sorted({str(PurePosixPath(path).parent) for path in taken if path.startswith("processes/")} | set(_folders_of_forms(models, taken))):
        for paths in _procedures(files, models, folder):
            if not paths.isdisjoint(taken):
                made = _draft_of(desk, {path: files[path] for path in sorted(paths)}, judged, note=f"{root.name}/{folder}", by=by)
                answer.drafts.append((made.key, made.title))
    return answer


def _draft_of(desk: Desk, chosen: Mapping[str, bytes], judged: Mapping[str, Judged], *, note: str, by: str) -> drafts.Draft:
    """A draft of one procedure that knows which version in use each of its files was made from."""
    texts = draft_files(chosen)
    process_id = main_process(texts)
    parts: dict[str, list[Part]] = {}
    sums: dict[str, str] = {}
    if process_id is not None and desk.engine.catalogue.find("process", process_id) is not None:
        with desk.engine.reading() as conn:
            current = file_set(desk, conn, process_id)
        # A file that both sides changed, or that is older, was made from another version than the one in use.
        based = {draft_name(PurePosixPath(path)) for path in chosen if path in judged and judged[path].state in ("same", "new")}
        parts = {name: its for name, its in current.parts.items() if name in based}
        sums = {name: checksum(current.files[name]) for name in parts}
    title = "" if process_id is None or SHEET_FILE in texts else drafts.desk_name(desk, process_id)
    return drafts.create(desk, title=(title or title_of(texts))[: drafts.TITLE_LIMIT], made=FileSet(texts, parts), sums=sums, note=note, by=by)


def _folder_files(root: Path) -> dict[str, bytes]:
    """Path below ``root`` → content of everything in the folders that belongs to procedures.  Raises :class:`NotFound` for an empty one."""
    found: dict[str, bytes] = {}
    for top in FOLDERS:
        for file in sorted((root / top).rglob("*")):
            path = PurePosixPath(file.relative_to(root).as_posix())
            # What lies in “processes” itself (limits, ladders) belongs to no single procedure.
            own = path.parts[0] == "processes" and len(path.parts) == 2
            if file.is_file() and not file.is_symlink() and not own and refusal_of_name(draft_name(path)) is None and file.stat().st_size <= FILE_LIMIT:
                found[str(path)] = file.read_bytes()
    if not found:
        raise NotFound("%(folder)s holds no folder “processes” with files of procedures.", folder=str(root))
    return found


def _procedures(files: Mapping[str, bytes], models: Mapping[str, bytes], folder: str) -> list[set[str]]:
    """The paths of each procedure of a folder: usually one; a folder like “shared” holds several processes, each with what it names."""
    whole = _of_folder(files, models, folder)
    drawings = [path for path in sorted(whole) if PurePosixPath(path).suffix.lower() == ".bpmn" and not is_companion(path)]
    if len(drawings) < 2:
        return [set(whole)]
    found = examine_deployment({path: content for path, content in whole.items() if path in models})[0]
    main = main_process({draft_name(PurePosixPath(path)): text_of(whole[path]) for path in whole if "/scenarios/" not in path})
    groups: dict[str, set[str]] = {path: {path} for path in drawings}
    for path in drawings:
        own = [item for item in found if item.file == path]
        wanted = _wanted(own) | {("procedure", item.id) for item in own}
        groups[path] |= {item.file for item in found if (item.kind, item.id) in wanted}
    named = set().union(*groups.values())
    # What no drawing names, such as the README, goes with the process that the folder is known by.
    first = next((item.file for item in found if item.kind == "process" and item.id == main), drawings[0])
    groups[first] |= set(whole) - named
    return list(groups.values())


def _wanted(items: Iterable[Any]) -> set[tuple[str, str]]:
    """(kind, id) of the forms and decisions that processes and sheets name."""
    wanted: set[tuple[str, str]] = set()
    for item in items:
        if item.kind == "process":
            for node in item.model.task_specs.values():
                for kind, attribute in (("form", "form_id"), ("decision", "decision_id")):
                    value = getattr(getattr(node, "inner", None) or node, attribute, None)
                    if value is not None and value.expression is None:
                        wanted.add((kind, value.text))
        elif item.kind == "procedure":
            wanted |= {("form", each) for each in (item.model.start.form, *(action.form for action in item.model.all_actions())) if each}
    return wanted


def _wanted_forms(models: Mapping[str, bytes], folder: str) -> set[str]:
    """Ids of the forms that the models of a folder name."""
    inside = {path: content for path, content in models.items() if str(PurePosixPath(path).parent) == folder}
    return {id for kind, id in _wanted(examine_deployment(inside)[0]) if kind == "form"}


def _form_ids(models: Mapping[str, bytes]) -> dict[str, str]:
    return {item.file: item.id for item in examine_deployment({path: data for path, data in models.items() if path.endswith(".form")})[0]}


def _folders_of_forms(models: Mapping[str, bytes], taken: Iterable[str]) -> Iterator[str]:
    """The folders whose procedures use one of the forms that are taken."""
    ids = _form_ids(models)
    changed = {ids[path] for path in taken if path in ids}
    for folder in {str(PurePosixPath(path).parent) for path in models if path.startswith("processes/")}:
        if changed & _wanted_forms(models, folder):
            yield folder


def _of_folder(files: Mapping[str, bytes], models: Mapping[str, bytes], folder: str) -> dict[str, bytes]:
    """The files of one procedure's folder, with the forms it uses."""
    ids, wanted = _form_ids(models), _wanted_forms(models, folder)
    inside = {path: content for path, content in files.items() if path.startswith(f"{folder}/")}
    return inside | {path: models[path] for path, id in ids.items() if id in wanted}


# --- what a start finds in the folder ---------------------------------------------------------------------------------


def keep_delivered(desk: Desk, files: Mapping[str, bytes], *, by: str = DELIVERER) -> None:
    """Note the README and scenarios that lie in the folders of procedures, unless somebody has published others."""
    by_folder: dict[str, dict[str, str]] = {}
    for path, content in files.items():
        each = PurePosixPath(path)
        if each.parts[0] == "processes" and len(each.parts) > 2:
            folder = "/".join(each.parts[:2])
            by_folder.setdefault(folder, {})[draft_name(each)] = text_of(content).replace("\x00", "")
    with desk.engine.transaction(by=by) as tx:
        row = tables.design_companion.c
        for texts in by_folder.values():
            process_id = main_process(texts)
            if process_id is None or desk.engine.catalogue.find("process", process_id, conn=tx.conn) is None:
                continue
            current = companions(tx.conn, process_id)
            theirs = {each.name for each in tx.execute(select(row.name, row.by).where(row.process_id == process_id)) if each.by != by}
            # They belong to the version in use; a version of their own would only puzzle.
            key = max(part.deployment_key for part in parts_of(desk, tx.conn, process_id))
            for name, text in texts.items():
                if is_companion(name) and name not in theirs and current.get(name) != text and refusal_of_name(name) is None:
                    tx.execute(delete(tables.design_companion).where(row.process_id == process_id, row.name == name, row.deployment_key == key))
                    add_companion(tx, process_id, name, text, key, tx.now)
