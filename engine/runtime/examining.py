"""Reading and checking files as a deployment would, without storing anything."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from engine.bpmn.reader import read_bpmn
from engine.bpmn.validation import check
from engine.bpmn.xml import MAX_BYTES
from engine.deadlines.ladder import load_ladders
from engine.deadlines.monitoring_rules import load_monitoring
from engine.deadlines.rules import load_rules
from engine.dmn import read_together
from engine.errors import DeploymentRejected, EngineError, Problem
from engine.forms import compile_form
from engine.runtime import crosschecks
from engine.runtime.crosschecks import Found
from engine.runtime.sheets import parse_sheet
from engine.words import T

if TYPE_CHECKING:
    from engine.organisation import Directory
    from engine.runtime.catalogue import Catalogue


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
    problems.extend(crosschecks.check(found, catalogue, directory))
    return found, problems
