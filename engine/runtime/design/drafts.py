"""Drafts: working copies of one procedure's files.

Every designer may open every draft; a save names the revision it was made from, and the second of two that meet is refused with
the name of the first.  Autosaves belong to one person, draft and file, are checked by nobody, and go with that person's next save of that file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, func, select, type_coerce, update
from sqlalchemy.exc import IntegrityError

from engine.bpmn.xml import NCNAME
from engine.errors import Conflict, InvalidState, NotFound, Problem, ValidationFailed
from engine.runtime.casework.access import AccessRefused
from engine.runtime.design import checking
from engine.runtime.design.files import FileSet, Part, check_files, checksum, file_set, main_process, refusal_of_name
from engine.runtime.design.skeleton import skeleton
from engine.store import tables
from engine.store.types import DIALECT_INSERTS, new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.desk import Desk

READERS_OF_DRAFTS = frozenset({"designer", "admin"})
"""Roles that may read drafts; administrators, because they may have to approve one.  Only designers write."""
HERE_FOR = timedelta(minutes=2)
"""How long after the last sign of life a person counts as working on a draft."""
TITLE_LIMIT = 200
NOTE_LIMIT = 500

NO_DRAFT = T("There is no such draft, or it is not for you.")
STATES: dict[str, Words] = {
    "OPEN": T("being drawn"), "SUBMITTED": T("submitted"), "PUBLISHED": T("published"), "DISCARDED": T("discarded"),
}  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """One draft.  ``base`` is the deployment it was branched from; ``parts`` what its files were then: file → (kind, id, version)."""

    key: int
    process_id: str | None
    title: str
    owner: str
    base: int | None
    revision: int
    state: str
    files: dict[str, str]
    saved_by: str
    saved_at: datetime
    created_at: datetime
    parts: dict[str, list[Part]] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)
    from_older: bool = False
    history: list[dict[str, Any]] | None = None

    @property
    def editable(self) -> bool:
        """Whether its files may be saved now."""
        return self.state == "OPEN"


@dataclass(frozen=True)
class Autosave:
    """What one person's editor kept of one file; ``revision`` is the one it was typed over."""

    content: str
    at: datetime
    revision: int


@dataclass(frozen=True)
class Save:
    """One save of a draft: ``changes`` are file → new text, ``None`` for a file that was removed."""

    revision: int
    changes: dict[str, str | None]
    note: str
    by: str
    at: datetime


@dataclass(frozen=True)
class SaveLine:
    """One save without its texts; ``files`` are the names that it changed or removed."""

    revision: int
    files: list[str]
    note: str
    by: str
    at: datetime


# --- making -----------------------------------------------------------------------------------------------------------


def create(
    desk: Desk,
    *,
    process_id: str | None = None,
    title: str,
    by: str,
    files: Mapping[str, str] | None = None,
    made: FileSet | None = None,
    sums: Mapping[str, str] | None = None,
    note: str = "",
    history: list[dict[str, Any]] | None = None,
    token: str | None = None,
    address: str | None = None,
) -> Draft:
    """Begin a draft: with ``files``, with a set ``made`` elsewhere whose parts and ``sums`` are known, or with the smallest valid procedure.

    Raises :class:`ValidationFailed` by field when the title is missing or the id cannot be one or is taken; a ``token`` that was
    used gives the draft that it made.
    """
    errors: dict[str, list[Words]] = {}
    title = " ".join(title.split())
    if not title or len(title) > TITLE_LIMIT:
        errors["title"] = [T("Give the procedure a title of at most %(most)d characters.", most=TITLE_LIMIT)]
    if process_id is not None and not _is_id(process_id):
        errors["process_id"] = [T("An id begins with a letter, Chinese ones included, and has letters, digits and underscores, at most 60.")]
    elif process_id is not None and files is None and made is None and desk.engine.catalogue.find("process", process_id) is not None:
        errors["process_id"] = [T("There is a process “%(id)s” already. Choose another id, or change that one.", id=process_id)]
    if errors:
        raise ValidationFailed("The draft was not made: %(count)d field(s) need attention.", count=len(errors), errors=errors)
    key = new_key()
    if made is None:
        made = FileSet(dict(files) if files is not None else skeleton(process_id or f"procedure_{key % 10**9}", title, _codes(desk)))
    # What comes from outside is a whole: each of its files is meant, also one that is older than what is in use.
    outside = files is not None or bool(made.parts)
    return _insert(
        desk, key, title, made, base=None, from_older=outside, note=note, by=by, token=token, address=address, sums=sums, history=history
    )


def _codes(desk: Desk) -> set[str]:
    """The codes of the case numbers in use."""
    return {each.model.code for each in desk.engine.catalogue.latest("procedure") if each.model is not None}


def _is_id(text: str) -> bool:
    return bool(NCNAME.match(text)) and text[:1].isalpha() and text.replace("_", "a").isalnum() and len(text) <= 60


def branch(
    desk: Desk,
    process_id: str,
    *,
    version: int | None = None,
    deployment: int | None = None,
    title: str | None = None,
    note: str = "",
    by: str,
    token: str | None = None,
    address: str | None = None,
) -> Draft:
    """Begin a change of a deployed procedure: from what is in use, from a ``version`` of its process, or as it stood after a ``deployment``.

    Raises :class:`NotFound` when there is no such procedure or version.
    """
    catalogue = desk.engine.catalogue
    with desk.engine.reading() as conn:
        if version is not None and deployment is None:
            chosen = catalogue.find("process", process_id, version, conn=conn)
            if chosen is None:
                raise NotFound("There is no process “%(id)s”.", id=process_id)
            newest = catalogue.find("process", process_id, conn=conn)
            deployment = chosen.deployment_key if newest is None or chosen.key != newest.key else None
        current = file_set(desk, conn, process_id)
        made = current if deployment is None else file_set(desk, conn, process_id, deployment)
    older = any(made.parts.get(name) != parts for name, parts in current.parts.items()) or made.parts.keys() != current.parts.keys()
    base = deployment if deployment is not None else _newest_deployment(desk, made)
    title = title or desk_name(desk, process_id) or made.name
    return _insert(desk, new_key(), title[:TITLE_LIMIT], made, base=base, from_older=older, note=note, by=by, token=token, address=address)


def _newest_deployment(desk: Desk, made: FileSet) -> int | None:
    """The latest deployment that one of the parts came with."""
    keys = [
        found.deployment_key
        for parts in made.parts.values()
        for kind, id, version in parts
        if (found := desk.engine.catalogue.find(kind, id, version)) is not None
    ]
    return max(keys, default=None)


def desk_name(desk: Desk, process_id: str) -> str:
    """The name of a procedure as its sheet has it, else its process; empty when it is not deployed."""
    entry = desk.book().procedure(process_id)
    if entry is not None:
        return entry[1].name
    found = desk.engine.catalogue.find("process", process_id)
    return found.name if found is not None else ""


def copy(desk: Desk, key: int, *, title: str, by: str, token: str | None = None, address: str | None = None) -> Draft:
    """A draft of one's own with the files of another, branched from the same base."""
    with desk.engine.reading() as conn:
        source = get(desk, conn, key, by)
    title = " ".join(title.split())[:TITLE_LIMIT] or source.title
    made = FileSet(source.files, source.parts)
    return _insert(
        desk, new_key(), title, made, base=source.base, from_older=source.from_older, note="", by=by, token=token, address=address,
        sums=source.sums, history=source.history,
    )  # fmt: skip


def _insert(
    desk: Desk, key: int, title: str, made: FileSet, *, base: int | None, from_older: bool, note: str, by: str, token: str | None,
    address: str | None, sums: Mapping[str, str] | None = None, history: list[dict[str, Any]] | None = None,
) -> Draft:  # fmt: skip
    check_files(made.files)
    table = tables.design_draft
    if sums is None:
        sums = {name: checksum(made.files[name]) for name in made.parts}
    try:
        with desk.audited(by, address, role="designer") as tx:
            row = {
                "key": key, "process_id": main_process(made.files), "title": title, "owner": by, "base_key": base, "from_older": from_older,
                "base": {name: [list(part) for part in parts] for name, parts in made.parts.items()}, "base_sums": dict(sums),
                "files": made.files, "history": history, "state": "OPEN", "revision": 1, "created_at": tx.now, "saved_by": by,
                "saved_at": tx.now, "token": token,
            }  # fmt: skip
            tx.add(table, **row)
            tx.add(tables.design_save, key=new_key(), draft_key=key, revision=1, changes=made.files, note=note[:NOTE_LIMIT], by=by, at=tx.now)
            tx.audit("design.create", f"design:{key}", title=title, process=row["process_id"], base=base, files=sorted(made.files))
    except IntegrityError:
        # The second click of a double click gets what the first one made.
        with desk.engine.reading() as conn:
            earlier = conn.execute(select(table).where(table.c.token == token, table.c.owner == by)).mappings().one_or_none() if token else None
        if earlier is None:
            raise
        return _draft(earlier)
    return _draft(row)


# --- reading ----------------------------------------------------------------------------------------------------------


def get(desk: Desk, conn: Connection, key: int, login: str) -> Draft:
    """A draft.  Raises :class:`NotFound`, and notes it, for people who are neither designers nor administrators."""
    require_reader(desk, conn, f"design:{key}", login)
    table = tables.design_draft
    row = conn.execute(select(table).where(table.c.key == key)).mappings().one_or_none()
    if row is None:
        raise NotFound(NO_DRAFT)
    return _draft(row)


def require_reader(desk: Desk, conn: Connection, subject: str, login: str) -> None:
    """Refuse whoever may not look into the designer's room.  Raises :class:`NotFound`."""
    if login == desk.OPERATOR or not READERS_OF_DRAFTS.isdisjoint(desk.people.directory(conn).own_groups(login)):
        return
    refusal = AccessRefused(NO_DRAFT, subject=subject, reason="role")
    desk.record_refusal(refusal, by=login, address=None)
    raise refusal


def _draft(row: Mapping[str, Any]) -> Draft:
    parts = {name: [(kind, id, version) for kind, id, version in its] for name, its in row["base"].items()}
    return Draft(
        row["key"], row["process_id"], row["title"], row["owner"], row["base_key"], row["revision"], row["state"], dict(row["files"]),
        row["saved_by"], row["saved_at"], row["created_at"], parts, dict(row["base_sums"]), row["from_older"], row["history"],
    )  # fmt: skip


def autosaves(desk: Desk, conn: Connection, key: int, login: str) -> dict[str, Autosave]:
    """What the editor of ``login`` kept of each file since their last save of it; one's own only."""
    row = tables.design_autosave.c
    chosen = select(row.file, row.content, row.at, row.revision).where(row.draft_key == key, row.login == login)
    return {each.file: Autosave(each.content, each.at, each.revision) for each in conn.execute(chosen)}


def saves(desk: Desk, conn: Connection, key: int) -> list[Save]:
    """Every save of a draft, the latest first."""
    row = tables.design_save.c
    found = conn.execute(select(row.revision, row.changes, row.note, row.by, row.at).where(row.draft_key == key).order_by(row.revision.desc()))
    return [Save(*each) for each in found]


def saves_listed(conn: Connection, key: int, limit: int = 100) -> list[SaveLine]:
    """The latest saves of a draft, the newest first.  Their texts, which are many times as long, stay in the database."""
    row = tables.design_save.c
    if conn.dialect.name == "sqlite":
        each = func.json_each(row.changes).table_valued("key")
        names = select(func.json_group_array(each.c.key)).select_from(each).scalar_subquery()
    else:
        name = func.jsonb_object_keys(row.changes).column_valued("file")
        names = select(func.jsonb_agg(name)).scalar_subquery()
    chosen = select(row.revision, type_coerce(names, tables.design_save.c.changes.type), row.note, row.by, row.at).where(row.draft_key == key)
    found = conn.execute(chosen.order_by(row.revision.desc()).limit(limit))
    return [SaveLine(revision, sorted(files or ()), note, by, at) for revision, files, note, by, at in found]


def files_at(history: list[Save], revision: int) -> dict[str, str]:
    """The files as the save of ``revision`` left them, from :func:`saves`."""
    files: dict[str, str] = {}
    for save_ in sorted(history, key=lambda each: each.revision):
        if save_.revision > revision:
            break
        for name, text in save_.changes.items():
            if text is None:
                files.pop(name, None)
            else:
                files[name] = text
    return files


def people_here(desk: Desk, conn: Connection, key: int) -> list[tuple[str, datetime]]:
    """Who is working on a draft now, (login, last seen at), the latest first."""
    row = tables.design_presence.c
    chosen = select(row.login, row.seen_at).where(row.draft_key == key, row.seen_at > desk.engine.clock() - HERE_FOR)
    return [tuple(each) for each in conn.execute(chosen.order_by(row.seen_at.desc()))]


def examine(desk: Desk, files: Mapping[str, str]) -> list[Problem]:
    """What stands against publishing them (:func:`checking.examine`), errors first; nothing is stored."""
    return checking.examine(desk, files)


# --- writing ----------------------------------------------------------------------------------------------------------


def save(
    desk: Desk,
    key: int,
    changes: Mapping[str, str | None],
    *,
    revision: int,
    note: str = "",
    by: str,
    address: str | None = None,
) -> Draft:
    """Save files of a draft (``None`` removes one); what the person's editor kept of these files goes, of others it stays.

    A save that changes nothing makes no revision.

    Raises :class:`Conflict` (``by``, ``at``) when somebody saved after ``revision``, :class:`InvalidState` when the draft is not
    open, :class:`ValidationFailed` by file name.
    """
    table = tables.design_draft
    with desk.audited(by, address, role="designer") as tx:
        draft = locked(tx, key)
        if draft.revision != revision:
            raise stale(desk, tx.conn, draft)
        require_open(draft)
        files = {name: text for name, text in (draft.files | dict(changes)).items() if text is not None}
        check_files(files)
        for name in changes:
            if (refusal := refusal_of_name(name)) is not None and name not in draft.files:
                raise ValidationFailed(refusal, errors={name: [refusal]})
        if not files:
            raise ValidationFailed(T("A draft keeps at least one file. Discard the draft instead."))
        real = {name: text for name, text in changes.items() if draft.files.get(name) != text}
        keeping = tables.design_autosave.c
        tx.execute(delete(tables.design_autosave).where(keeping.draft_key == key, keeping.login == by, keeping.file.in_(list(changes))))
        _seen(tx, key, by)
        if real:
            values = {"files": files, "process_id": main_process(files), "revision": revision + 1, "saved_by": by, "saved_at": tx.now}
            saved = update(table).where(table.c.key == key, table.c.revision == revision, table.c.state == "OPEN").values(values)
            if tx.execute(saved).rowcount != 1:
                raise stale(desk, tx.conn, locked(tx, key))
            tx.add(
                tables.design_save, key=new_key(), draft_key=key, revision=revision + 1, changes=real, note=note[:NOTE_LIMIT], by=by, at=tx.now
            )
            tx.audit("design.save", f"design:{key}", revision=revision + 1, files=sorted(real))
        row = tx.execute(select(table).where(table.c.key == key)).mappings().one()
        return _draft(row)


def autosave(desk: Desk, key: int, file: str, content: str, *, revision: int, by: str, address: str | None = None) -> None:
    """Keep what lies in the editor of ``by``, for after a crash; the newest one wins and nobody else sees it."""
    if (refusal := refusal_of_name(file)) is not None:
        raise ValidationFailed(refusal, errors={file: [refusal]})
    check_files({file: content})
    with desk.audited(by, address, role="designer") as tx:
        row = tx.execute(select(tables.design_draft.c.state).where(tables.design_draft.c.key == key)).one_or_none()
        if row is None:
            raise NotFound(NO_DRAFT)
        values = {"content": content, "revision": revision, "at": tx.now}
        statement = DIALECT_INSERTS[tx.conn.dialect.name](tables.design_autosave).values(draft_key=key, login=by, file=file, **values)
        tx.execute(statement.on_conflict_do_update(index_elements=["draft_key", "login", "file"], set_=values))
        _seen(tx, key, by)


def drop_autosaves(desk: Desk, key: int, *, by: str, address: str | None = None) -> None:
    """Forget what the own editor kept: the person looked at it and does not want it."""
    with desk.audited(by, address, role="designer") as tx:
        row = tables.design_autosave.c
        tx.execute(delete(tables.design_autosave).where(row.draft_key == key, row.login == by))


def touch(desk: Desk, key: int, *, by: str) -> None:
    """Note that ``by`` is at work on a draft."""
    with desk.engine.transaction(by=by) as tx:
        _seen(tx, key, by)


def _seen(tx: Any, key: int, login: str) -> None:
    statement = DIALECT_INSERTS[tx.conn.dialect.name](tables.design_presence).values(draft_key=key, login=login, seen_at=tx.now)
    tx.execute(statement.on_conflict_do_update(index_elements=["draft_key", "login"], set_={"seen_at": tx.now}))


def rename(desk: Desk, key: int, title: str, *, revision: int, by: str, address: str | None = None) -> None:
    """Give a draft another title."""
    title = " ".join(title.split())
    if not title or len(title) > TITLE_LIMIT:
        words = T("Give the procedure a title of at most %(most)d characters.", most=TITLE_LIMIT)
        raise ValidationFailed(words, errors={"title": [words]})
    _change_state(desk, key, ("OPEN",), {"title": title}, "design.rename", revision=revision, by=by, address=address, title=title)


def discard(desk: Desk, key: int, *, revision: int, by: str, address: str | None = None) -> None:
    """Put a draft away; :func:`restore` takes it back.  Raises :class:`Conflict` when somebody saved meanwhile."""
    _change_state(desk, key, ("OPEN",), {"state": "DISCARDED"}, "design.discard", revision=revision, by=by, address=address)


def restore(desk: Desk, key: int, *, by: str, address: str | None = None) -> None:
    """Take a discarded draft back."""
    _change_state(desk, key, ("DISCARDED",), {"state": "OPEN"}, "design.restore", revision=None, by=by, address=address)


def _change_state(
    desk: Desk, key: int, states: tuple[str, ...], values: Mapping[str, Any], action: str, *, revision: int | None, by: str,
    address: str | None, **details: Any,
) -> None:  # fmt: skip
    table = tables.design_draft
    with desk.audited(by, address, role="designer") as tx:
        draft = locked(tx, key)
        if revision is not None and draft.revision != revision:
            raise stale(desk, tx.conn, draft)
        if all(getattr(draft, name) == value for name, value in values.items()):
            return
        if draft.state not in states:
            require_open(draft)
            raise InvalidState("The draft “%(title)s” is open already.", title=draft.title)
        changed = update(table).where(table.c.key == key, table.c.revision == draft.revision, table.c.state == draft.state).values(values)
        if tx.execute(changed).rowcount != 1:
            raise stale(desk, tx.conn, locked(tx, key))
        tx.audit(action, f"design:{key}", **details)


def locked(tx: Any, key: int) -> Draft:
    table = tables.design_draft
    row = tx.execute(select(table).where(table.c.key == key).with_for_update()).mappings().one_or_none()
    if row is None:
        raise NotFound(NO_DRAFT)
    return _draft(row)


def require_open(draft: Draft) -> None:
    words = {
        "SUBMITTED": T("The draft “%(title)s” is submitted for publication. Withdraw it first, then change it.", title=draft.title),
        "PUBLISHED": T("The draft “%(title)s” is published. Begin a new change of the procedure.", title=draft.title),
        "DISCARDED": T("The draft “%(title)s” was discarded. Restore it first.", title=draft.title),
    }
    if draft.state in words:
        raise InvalidState(words[draft.state])


def stale(desk: Desk, conn: Connection, draft: Draft) -> Conflict:
    name = desk.people.directory(conn).name(draft.saved_by)
    return Conflict(
        "%(name)s has saved the draft “%(title)s” meanwhile. Compare, then save again.", name=name, title=draft.title, by=draft.saved_by,
        at=draft.saved_at,
    )  # fmt: skip
