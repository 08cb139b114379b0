"""Deploying files: check everything, then store what is new (design.md §3).

The same content makes no new version, and running instances keep theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError

from engine.bpmn.activities import UserTask
from engine.bpmn.elements import FlowNode
from engine.bpmn.reader import read_bpmn
from engine.bpmn.timers import MODEL_FUNCTIONS, first_due
from engine.bpmn.validation import check, nodes
from engine.bpmn.waiting import reference_to
from engine.bpmn.xml import MAX_BYTES
from engine.deadlines.ladder import load_ladders
from engine.deadlines.monitoring_rules import load_monitoring
from engine.deadlines.rules import load_rules
from engine.dmn import imported_files, read_together
from engine.errors import Conflict, DeploymentRejected, EngineError, Problem
from engine.forms import compile_form, rights
from engine.organisation import DEPUTY_RULES
from engine.runtime import dependents
from engine.runtime.limits import batches, clock_properties, ladder_changes
from engine.runtime.live import MAX_LABEL, names
from engine.runtime.sheets import parse_sheet, unresolved
from engine.runtime.supervision import monitoring
from engine.runtime.types import DeployedDefinition, Deployment
from engine.store import tables
from engine.store.types import new_key
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.organisation import Directory
    from engine.runtime.catalogue import Catalogue
    from engine.runtime.engine import Engine
    from engine.runtime.transaction import Transaction


@dataclass
class Found:
    """One definition inside a file."""

    kind: str
    id: str
    name: str
    file: str
    model: Any


def _bpmn(data: bytes, file: str, beside: Collection[str] = ()) -> tuple[list[Found], list[Problem]]:
    """``beside`` names the files deployed together with this one, which its imports may mean."""
    model = read_bpmn(data, file)
    problems = check(model, beside)
    return [Found("process", id, spec.description, file, spec) for id, spec in model.processes.items()], problems


def _dmn(data: bytes, file: str, beside: Mapping[str, bytes] | None = None, catalogue: Catalogue | None = None) -> tuple[list[Found], list[Problem]]:
    """The decisions of a file; ``beside`` are the files deployed with it, which it may import, as it may what is deployed already."""
    together = {name: content for name, content in (beside or {}).items() if PurePosixPath(name).suffix.lower() == ".dmn"} | {file: data}
    known = {}
    if catalogue is not None and b"importType" in data:
        latest = sorted(catalogue.latest("decision"), key=lambda item: item.version)
        known = {item.model.model.namespace: item.model.model for item in latest}
    model, problems = read_together(together, known)[file]
    if model is None or any(problem.severity == "error" for problem in problems):
        return [], problems
    return [Found("decision", id, decision.name, file, decision) for id, decision in model.decisions.items()], problems


def _form(data: bytes, file: str) -> tuple[list[Found], list[Problem]]:
    form = compile_form(data, file)
    problems = form.check()
    if any(problem.severity == "error" for problem in problems):
        return [], problems
    if not form.id:
        return [], [Problem(file, None, None, "form.no-id", T("The form %(file)s has no id. Give it one, so that tasks can name it.", file=file))]
    return [Found("form", form.id, form.title, file, form)], problems


def _yaml(data: bytes, file: str) -> tuple[list[Found], list[Problem]]:
    stem = PurePosixPath(file).stem
    loaders: dict[str, tuple[str, Callable[[bytes], Any]]] = {
        "deadline_rules": ("rules", load_rules), "ladders": ("ladders", load_ladders), "supervision_rules": ("monitoring", load_monitoring),
    }  # fmt: skip
    if stem in loaders:
        kind, load = loaders[stem]
        try:
            return [Found(kind, kind, stem, file, load(data))], []
        except DeploymentRejected as rejected:
            return [], rejected.problems
        except EngineError as error:
            details = [message for messages in getattr(error, "errors", {}).values() for message in messages]
            return [], [Problem(file, None, None, f"{kind}.unreadable", message) for message in details or [error.message]]
    sheet, problems = parse_sheet(file, data)
    return ([Found("procedure", sheet.process, sheet.name, file, sheet)] if sheet else []), problems


READERS: dict[str, Callable[[bytes, str], tuple[list[Found], list[Problem]]]] = {
    ".bpmn": _bpmn,
    ".dmn": _dmn,
    ".form": _form,
    ".yaml": _yaml,
    ".yml": _yaml,
}


def examine(
    files: Mapping[str, bytes], catalogue: Catalogue | None = None, directory: Directory | None = None
) -> tuple[list[Found], list[Problem]]:
    """Read and check ``files`` (name → content) as a deployment would; used by ``banjie lint`` and the upload page too.

    References to things that neither the files nor the ``catalogue`` have are reported as warnings; with a ``directory``, so are
    groups that name no role and no section of the organisation.
    """
    readers = READERS | {".bpmn": partial(_bpmn, beside=files), ".dmn": partial(_dmn, beside=files, catalogue=catalogue)}
    found: list[Found] = []
    problems: list[Problem] = []
    for file, data in sorted(files.items()):
        suffix = PurePosixPath(file).suffix.lower()
        reader = readers.get(suffix)
        if reader is None:
            problems.append(
                Problem(
                    file,
                    None,
                    None,
                    "file.type",
                    T(
                        "The file %(file)s is of no kind that can be deployed. Accepted: %(kinds)s.",
                        file=file,
                        kinds=", ".join(sorted(READERS)),
                    ),
                )
            )
            continue
        if len(data) > MAX_BYTES:
            message = T(
                "The file %(file)s has %(size)d KB; at most %(limit)d KB are accepted. Split the model with call activities.",
                file=file,
                size=len(data) // 1024,
                limit=MAX_BYTES // 1024,
            )
            problems.append(Problem(file, None, None, "xml.too-large", message))
            continue
        definitions, its_problems = reader(data, file)
        found.extend(definitions)
        problems.extend(its_problems)
    problems.extend(_doubles(found))
    problems.extend(_dead_references(found, catalogue))
    problems.extend(_clock_properties(found, catalogue))
    problems.extend(_field_rights(found, catalogue))
    problems.extend(_deputy_rules(found))
    if directory is not None:
        problems.extend(_unknown_groups(found, directory))
        problems.extend(_for_nobody(found, directory))
    problems.extend(_shared_codes(found, catalogue))
    problems.extend(_unresolved_sheets(found, catalogue))
    if catalogue is not None:
        problems.extend(dependents.check(found, catalogue))
    return found, problems


def _doubles(found: Iterable[Found]) -> Iterable[Problem]:
    seen: dict[tuple[str, str], str] = {}
    for item in found:
        other = seen.setdefault((item.kind, item.id), item.file)
        if other != item.file:
            yield Problem(
                item.file,
                None,
                item.id,
                "deploy.double",
                T(
                    "%(kind)s “%(id)s” stands in %(first)s and in %(second)s. Rename one.",
                    kind=KIND_WORDS.get(item.kind, item.kind),
                    id=item.id,
                    first=other,
                    second=item.file,
                ),
            )


KIND_WORDS: dict[str, Words] = {
    "process": T("process"), "form": T("form"), "decision": T("decision table"), "rule": T("deadline rule"),
    "ladder": T("ladder"), "procedure": T("procedure sheet"), "rules": T("table of deadline rules"),
    "ladders": T("table of ladders"), "monitoring": T("table of supervision rules"),
}  # fmt: skip
"""What the kinds of definitions are called inside a sentence."""
RULE_PROPERTIES = ("deadline", "clock.start", "clock.stop", "clock.extend", "extendable")
"""Properties of an element that name deadline rules; ``*`` means all."""


def _elements(found: Iterable[Found]) -> Iterator[tuple[Found, FlowNode]]:
    """Every element of the processes, the repeated activity inside a multi-instance one too."""
    for item in found:
        if item.kind == "process":
            for node in nodes(item.model):
                yield item, node
                if getattr(node, "inner", None) is not None:
                    yield item, node.inner


def _dead_references(found: list[Found], catalogue: Catalogue | None) -> Iterable[Problem]:
    """Forms, decisions, processes, deadline rules and ladders that a model names and nobody has.

    Late binding: they may come later, so it is a warning.  Values that are computed are known at run time only.
    """

    def known(kind: str, id: str) -> bool:
        return any(item.kind == kind and item.id == id for item in found) or (
            catalogue is not None and catalogue.find(kind, id) is not None
        )

    rules, ladders = (_entries(found, catalogue, kind) for kind in ("rules", "ladders"))
    for item, node in _elements(found):
        for kind, attribute in (("form", "form_id"), ("decision", "decision_id"), ("process", "called")):
            value = getattr(node, attribute, None)
            if value is not None and value.expression is None and value.text.strip("- ") and not known(kind, value.text):
                yield _unknown(item, node, kind, value.text)
        for kind, properties, entries in (("rule", RULE_PROPERTIES, rules), ("ladder", ("ladder",), ladders)):
            for property in properties:
                for id in _literal_names(node.properties.get(property)):
                    if id != "*" and id not in entries:
                        yield _unknown(item, node, kind, id)


def _clock_properties(found: list[Found], catalogue: Catalogue | None) -> Iterable[Problem]:
    """Kinds of pause that do not exist, rules to start anew that nobody has, pauses that nothing can end."""
    rules = _entries(found, catalogue, "rules")
    for item, node in _elements(found):
        for rule, message in clock_properties.problems_of(node.label, node.properties, rules):
            yield Problem(item.file, node.line, node.bpmn_id, rule, message)


def _field_rights(found: list[Found], catalogue: Catalogue | None) -> Iterable[Problem]:
    """Fields to hide or to lock that the step's form does not have; a form that comes later, or is computed, cannot be looked into."""
    forms = {item.id: item.model for item in found if item.kind == "form"}
    for item, node in _elements(found):
        for property in (name for name in rights.PROPERTIES if name in node.properties):
            for message in _rights_problems(node, property, forms, catalogue):
                yield Problem(item.file, node.line, node.bpmn_id, "form.field-rights", message)


def _deputy_rules(found: list[Found]) -> Iterable[Problem]:
    """What a step asks of a deputy in words that the engine does not know: nobody could stand in, and nobody would know why."""
    for item, node in _elements(found):
        value = node.properties.get("deputy")
        if value is not None and value.expression is None and value.text.strip() and value.text.strip() not in DEPUTY_RULES:
            message = T(
                "“%(label)s”: “%(rule)s” is no rule for deputies. Choose one of %(known)s, or remove it.",
                label=node.label, rule=value.text.strip(), known=", ".join(DEPUTY_RULES),
            )  # fmt: skip
            yield Problem(item.file, node.line, node.bpmn_id, "assignment.deputy", message)


def _rights_problems(node: FlowNode, property: str, forms: Mapping[str, Any], catalogue: Catalogue | None) -> Iterable[Words]:
    value, form_id = node.properties[property], getattr(node, "form_id", None)
    if value.expression is not None:
        yield T("“%(label)s”: %(property)s must be a list of fields with commas; it cannot be computed.", label=node.label, property=property)
        return
    if form_id is None:
        yield T("“%(label)s” has %(property)s, but shows no form. Choose a form, or remove it.", label=node.label, property=property)
        return
    form = None
    if form_id.expression is None:
        known = catalogue.find("form", form_id.text) if catalogue is not None and form_id.text not in forms else None
        form = forms.get(form_id.text) or (known.model if known is not None else None)
    paths = [each.path for each in form.every_field()] if form is not None else None
    for name in rights.field_names(value.text):
        if paths is not None and not any(rights.covers([name], path) for path in paths):
            message = T(
                "“%(label)s”: the form “%(form)s” has no field “%(field)s”, which %(property)s names. Correct the name, or remove it.",
                label=node.label, form=form_id.text, field=name, property=property,
            )  # fmt: skip
            yield message
        other = node.properties.get(rights.HIDDEN)
        if property == rights.READONLY and other is not None and name in rights.field_names(other.text):
            yield T("“%(label)s” both hides “%(field)s” and shows it read-only. Choose one.", label=node.label, field=name)


def _entries(found: Iterable[Found], catalogue: Catalogue | None, kind: str) -> set[str]:
    """The ids of all deadline rules, or ladders, that exist once the deployment is done."""
    books = {item.id: item.model for item in catalogue.latest(kind)} if catalogue else {}
    books |= {item.id: item.model for item in found if item.kind == kind}
    return set().union(*books.values())


def _literal_names(value: Any) -> list[str]:
    return [] if value is None or value.expression is not None else names(value.text)


def _unknown(item: Found, node: FlowNode, kind: str, id: str) -> Problem:
    message = T(
        "“%(label)s” names the %(kind)s “%(id)s”, which is not deployed. Deploy it too, or correct the id.",
        label=node.label,
        kind=KIND_WORDS[kind],
        id=id,
    )
    return Problem(item.file, node.line, node.bpmn_id, f"deploy.unknown-{kind}", message, "warning")


def _unknown_groups(found: Iterable[Found], directory: Directory) -> Iterable[Problem]:
    """Groups of candidates that nobody can belong to: a role, ``section:CODE`` or ``ROLE@CODE`` (see the directory)."""
    if not directory.sections and not directory.roles:
        return
    for item, node in _elements(found):
        for group in _literal_names(getattr(node, "candidate_groups", None)):
            role, at, code = group.partition("@")
            if group.startswith("section:"):
                role, code = "", group.removeprefix("section:")
            elif not at and role in directory.roles:
                continue
            if (role and role not in directory.roles) or code not in directory.sections:
                message = T(
                    "“%(label)s” is offered to the group “%(group)s”, which names no role and no section of the organisation. Correct it.",
                    label=node.label,
                    group=group,
                )
                yield Problem(item.file, node.line, node.bpmn_id, "deploy.unknown-group", message, "warning")


NOBODY = frozenset({"", "null", "[]", '""'})
"""What the three ways to say who does a step hold when they say nothing, a leading ``=`` and blanks aside."""


def _for_nobody(found: Iterable[Found], directory: Directory) -> Iterable[Problem]:
    """Steps of people for which neither a person nor a group is ever named: they lie in nobody's inbox.

    A warning, for a step that names nobody is open to everybody who may read its case, and a model of another tool may mean that.  What
    is computed counts as named, for it is known at run time only.
    """
    if not directory.sections and not directory.roles:
        return
    for item, node in _elements(found):
        if isinstance(node, UserTask) and all(_says_nothing(each) for each in (node.assignee, node.candidate_groups, node.candidate_users)):
            message = T("“%(label)s” is for nobody: it would lie in no inbox. Choose who does it.", label=node.label)
            yield Problem(item.file, node.line, node.bpmn_id, "assignment.nobody", message, "warning")


def _says_nothing(value: Any) -> bool:
    return value is None or value.text.replace(",", " ").strip().removeprefix("=").strip() in NOBODY


def _shared_codes(found: list[Found], catalogue: Catalogue | None) -> Iterable[Problem]:
    """Procedures whose case numbers have the code of another one: the two would draw from one series."""
    own = [item for item in found if item.kind == "procedure"]
    sheets = {item.id: item.model for item in catalogue.latest("procedure")} if catalogue and own else {}
    sheets |= {item.id: item.model for item in own}
    for item in own:
        others = (sheet for id, sheet in sorted(sheets.items()) if id != item.id and sheet is not None and sheet.code == item.model.code)
        if (other := next(others, None)) is not None:
            message = T(
                "The code %(code)s stands in the case numbers of “%(name)s” already: both would count on in one series. Choose another.",
                where="code", code=item.model.code, name=other.name,
            )  # fmt: skip
            yield Problem(item.file, None, None, "procedure.code-taken", message, "warning")


def _unresolved_sheets(found: list[Found], catalogue: Catalogue | None) -> Iterable[Problem]:
    """What the procedure sheets name and nobody has: forms, rules, ladders, elements of their process."""
    deployed = {kind: {item.id: item.model for item in catalogue.latest(kind)} if catalogue else {} for kind in ("process", "form", "rules", "ladders")}
    for item in found:
        if item.kind in deployed:
            deployed[item.kind][item.id] = item.model
    rules, ladders = (set().union(*deployed[kind].values()) for kind in ("rules", "ladders"))
    # A document may belong to a step of a shared sub-process, so the elements of all processes count.
    elements = {node.bpmn_id for process in deployed["process"].values() for node in process.task_specs.values()}
    for item in found:
        if item.kind == "monitoring":
            for rule_id, message in monitoring.problems_of(item.model, {"process": set(deployed["process"]), "rule": rules}):
                yield Problem(item.file, None, rule_id, "monitoring.unknown", message, "warning")
        if item.kind != "procedure":
            continue
        known = {"process": set(deployed["process"]), "form": set(deployed["form"]), "rule": rules, "ladder": ladders, "element": elements}
        yield from unresolved(item.model, item.file, known)


def deploy(
    engine: Engine,
    files: Mapping[str, bytes],
    by: str,
    address: str | None = None,
    *,
    reason: str = "",
    based_on: Mapping[tuple[str, str], int] | None = None,
    first: Callable[[Transaction, int], None] | None = None,
) -> Deployment:
    """Check and store ``files``.  Raises :class:`DeploymentRejected` with all problems; then nothing is stored.

    ``reason`` goes into the log beside who and when.  ``based_on`` names versions, by kind and id, that the files were made from:
    when somebody has deployed a newer one meanwhile, :class:`Conflict` is raised and nothing is stored.  ``first(tx, key)`` is
    called at the beginning of the very transaction that stores the deployment ``key``, for what must be stored together with it.
    """
    files = {name: content.encode() if isinstance(content, str) else bytes(content) for name, content in files.items()}
    found, problems = examine(files, engine.catalogue, engine.desk.people.directory())
    if any(problem.severity == "error" for problem in problems):
        raise DeploymentRejected(sorted(problems, key=lambda problem: problem.severity != "error"))
    if not found:
        message = T("The deployment holds no file with a process, decision, form or sheet.")
        raise DeploymentRejected([Problem(name, None, None, "deploy.empty", message) for name in files or [""]])
    try:
        deployment = _store(engine, files, found, problems, by, address, reason, based_on or {}, first)
    except IntegrityError:
        # Somebody deployed the same thing at the same moment and has taken the version; look again and take the next, or none.
        deployment = _store(engine, files, found, problems, by, address, reason, based_on or {}, first)
    if any(each.kind == "ladders" and each.new and each.version > 1 for each in deployment.definitions):
        # The first of the running clocks follow at once, so that a small office sees the change; the acquirer brings the others.
        ladder_changes.run(engine.desk, batches.SLICE)
    return deployment


def checksums_of(files: Mapping[str, bytes]) -> dict[str, str]:
    """File → SHA-256 of what it says, hexadecimal.

    A decision is new too when a model that it imports is: what it imports is part of what it is.
    """
    imported = imported_files(files)
    parts = {name: b"".join((content, *(files[other] for other in imported.get(name, ())))) for name, content in files.items()}
    return {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}


def _store(
    engine: Engine,
    files: Mapping[str, bytes],
    found: list[Found],
    problems: list[Problem],
    by: str,
    address: str | None,
    reason: str,
    based_on: Mapping[tuple[str, str], int],
    first: Callable[[Transaction, int], None] | None,
) -> Deployment:
    """Write what is new among ``found`` in one transaction."""
    checksums = checksums_of(files)
    engine.catalogue.forget()
    with engine.transaction(by=by, address=address) as tx:
        key, now = new_key(), tx.now
        if first is not None:
            first(tx, key)
        resources: dict[str, int] = {}
        answers: list[DeployedDefinition] = []
        rows: list[dict[str, Any]] = []
        fresh: list[tuple[Found, dict[str, Any]]] = []
        for item in found:
            latest = engine.catalogue.find(item.kind, item.id, conn=tx.conn)
            if latest is not None and latest.version > based_on.get((item.kind, item.id), latest.version):
                raise Conflict(
                    "“%(name)s” was changed meanwhile (version %(version)d). Look at the new version and enter your change again.",
                    name=latest.name, version=latest.version, by=latest.deployed_by, at=latest.deployed_at,
                )  # fmt: skip
            if latest is not None and latest.checksum == checksums[item.file]:
                answers.append(DeployedDefinition(latest.key, latest.kind, latest.id, latest.version, latest.name, new=False))
                continue
            resource_key = resources.setdefault(item.file, new_key())
            row = {
                "key": new_key(),
                "kind": item.kind,
                "id": item.id,
                "version": latest.version + 1 if latest else 1,
                "name": item.name[:MAX_LABEL],
                "checksum": checksums[item.file],
                "deployment_key": key,
                "resource_key": resource_key,
                "deployed_at": now,
                "deployed_by": by,
            }
            rows.append(row)
            fresh.append((item, row))
            if item.kind == "ladders" and latest is not None:
                ladder_changes.begin(tx, item.id, row["version"], latest.model, item.model)
            answers.append(DeployedDefinition(row["key"], item.kind, item.id, row["version"], item.name, new=True))
        if rows:
            tx.execute(insert(tables.deployment).values(key=key, deployed_at=now, deployed_by=by))
            tx.execute(
                insert(tables.resource),
                [
                    {"key": its, "deployment_key": key, "name": name, "checksum": checksums[name], "content": files[name]}
                    for name, its in resources.items()
                ],
            )
            tx.execute(insert(tables.definition), rows)
            for item, row in fresh:
                if item.kind == "process":
                    _subscribe_starts(
                        tx,
                        item.model,
                        row["key"],
                        [version.key for version in engine.catalogue.all(tx.conn) if version.kind == "process" and version.id == item.id],
                    )
            deployed = [f"{row['kind']}:{row['id']}:{row['version']}" for row in rows]
            tx.audit("definition.deploy", f"deployment:{key}", definitions=deployed, **({"reason": reason} if reason else {}))
    engine.catalogue.forget()
    return Deployment(key, now, tuple(answers), tuple(problem for problem in problems if problem.severity != "error"))


SUBSCRIBED_STARTS = {"message": "message", "signal": "signal", "conditional": "condition"}
"""Kinds of start events that lie in the table of subscriptions, and what they are called there."""


def _subscribe_starts(tx, spec, definition_key: int, older: list[int]) -> None:
    """Message, signal, condition and timer start events wait for the latest version only."""
    if older:
        for table in (tables.subscription, tables.timer):
            tx.execute(delete(table).where(table.c.definition_key.in_(older)))
    for start in spec.starters:
        for index, definition in enumerate(start.definitions):
            reference = reference_to(start, index)
            if definition.kind in ("message", "signal") and not definition.named:
                continue  # nobody can send it
            if definition.kind in SUBSCRIBED_STARTS:
                tx.add(
                    tables.subscription,
                    key=new_key(),
                    kind=SUBSCRIBED_STARTS[definition.kind],
                    name=str(definition.name.evaluate({})) if definition.name is not None else "",
                    correlation_key="",
                    instance_key=None,
                    token=None,
                    definition_key=definition_key,
                    element_id=reference,
                )
            elif definition.kind == "timer":
                due = first_due(definition.timer_type, definition.timer.evaluate(MODEL_FUNCTIONS), tx.now, start.label)
                tx.add(
                    tables.timer,
                    key=new_key(),
                    instance_key=None,
                    definition_key=definition_key,
                    token=None,
                    element_id=reference,
                    due_at=due.at,
                    occurrence=0,
                    repeats=due.repeats if due.every else None,
                    every=due.every,
                )
