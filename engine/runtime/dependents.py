"""Who needs what a new version no longer has: fields of a form, outputs of a decision, documents of a sheet.

A form, a decision or a sheet may be deployed alone, while the processes that read it stay as they are.  What they name or read in it is
held against the version in use: only what the new one takes away is told, with the process and the element that will miss it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.bpmn.elements import Flow, FlowNode
from engine.bpmn.expressions import ModelValue
from engine.bpmn.validation import nodes
from engine.errors import Problem
from engine.feel import FeelError, compile_expression
from engine.feel.api import Expression
from engine.feel.nodes import Filter, Name, Node, Path
from engine.forms import rights
from engine.runtime.live import names as names_in
from engine.words import T

if TYPE_CHECKING:
    from engine.runtime.catalogue import Catalogue

RIGHTS_RULE = "form.needed-field"
"""The one finding that refuses: a field that a step hides must not come back under another name."""


@dataclass(frozen=True)
class Here:
    """A process as it will be when the deployment is done: ``file`` is its file when it is deployed too, else ``None``."""

    id: str
    name: str
    model: Any
    file: str | None

    def elements(self) -> Iterator[FlowNode]:
        """Every element, the repeated activity inside a multi-instance one too."""
        for node in nodes(self.model):
            yield node
            if getattr(node, "inner", None) is not None:
                yield node.inner


@dataclass(frozen=True)
class Read:
    """A place that reads names: ``label`` is what people call it, ``element`` the element it is or belongs to."""

    label: str
    names: frozenset[str]
    process: Here
    node: FlowNode | None


def check(found: Iterable[Any], catalogue: Catalogue) -> Iterator[Problem]:
    """What deployed processes miss in the forms, decisions and sheets among ``found`` (definitions with kind, id, file and model)."""
    found = list(found)
    changed = [(item, old.model) for item in found if item.kind in CHECKS and (old := catalogue.find(item.kind, item.id)) is not None]
    if not changed:
        return
    known = _Known(found, catalogue)
    told: set[tuple[str, str]] = set()
    for item, old in changed:
        for problem in CHECKS[item.kind](item, old, known):
            if (problem.rule, str(problem.message)) not in told:
                told.add((problem.rule, str(problem.message)))
                yield problem


class _Known:
    """What there is once the deployment is done."""

    def __init__(self, found: list[Any], catalogue: Catalogue) -> None:
        self._new = {(item.kind, item.id): item for item in found}
        self._catalogue = catalogue
        self.processes = {each.id: Here(each.id, each.name, each.model, None) for each in catalogue.latest("process")}
        self.processes |= {item.id: Here(item.id, item.name, item.model, item.file) for item in found if item.kind == "process"}
        self._reads: dict[str, list[Read]] = {}

    def model(self, kind: str, id: str) -> Any:
        item = self._new.get((kind, id)) or self._catalogue.find(kind, id)
        return None if item is None else item.model

    def sheets(self) -> Iterator[tuple[str, Any]]:
        latest = {each.id: each.model for each in self._catalogue.latest("procedure")}
        yield from (latest | {id: item.model for (kind, id), item in self._new.items() if kind == "procedure"}).items()

    def forms_of(self, process: Here) -> set[str]:
        """Ids of the forms of a process's steps, and of its sheet."""
        sheet = self.model("procedure", process.id)
        named = {value.text for node in process.elements() if (value := _literal(getattr(node, "form_id", None))) is not None}
        return named | ({each for each in (sheet.start.form, *(one.form for one in sheet.all_actions())) if each} if sheet else set())

    def together(self, process: Here) -> list[Here]:
        """The process and what it calls, directly or not: what sees its variables."""
        reached, waiting = {process.id: process}, [process]
        while waiting:
            for node in waiting.pop().elements():
                called = _literal(getattr(node, "called", None))
                its = self.processes.get(called.text) if called is not None else None
                if its is not None and its.id not in reached:
                    reached[its.id] = its
                    waiting.append(its)
        return list(reached.values())

    def reads(self, process: Here) -> list[Read]:
        """What the elements of a process, the decisions they ask and its sheet read."""
        if process.id not in self._reads:
            self._reads[process.id] = list(self._reads_of(process))
        return self._reads[process.id]

    def _reads_of(self, process: Here) -> Iterator[Read]:
        for node in process.elements():
            asked = _literal(getattr(node, "decision_id", None))
            decision = self.model("decision", asked.text) if asked is not None else None
            # A condition belongs to the element that the flow leaves.
            parts = {name: value for name, value in vars(node).items() if name not in ("flows_in", "default")}
            own = [read for expression in _expressions(parts) for read in _names(expression.tree)]
            yield Read(node.label, frozenset([*own, *(_names_of_decision(decision, set()) if decision is not None else ())]), process, node)
        sheet = self.model("procedure", process.id)
        if sheet is not None:
            own = [read for expression in _expressions([getattr(sheet, each.name) for each in dataclasses.fields(sheet)]) for read in _names(expression.tree)]
            confidential = sheet.confidential.fields if sheet.confidential is not None else ()
            yield Read("procedure.yaml", frozenset([*own, *confidential]), process, None)

    def provided(self, processes: Iterable[Here], without: str) -> set[str]:
        """Variables that something else than the form ``without`` gives: other forms, mappings, results."""
        given: set[str] = set()
        for process in processes:
            for id in self.forms_of(process) - {without}:
                form = self.model("form", id)
                given |= {each.path.partition(".")[0] for each in form.every_field()} if form is not None else set()
            for node in process.elements():
                given |= {each.target.partition(".")[0] for each in (*node.inputs_, *node.outputs_)}
                given |= {name for name in (getattr(node, "result_variable", None),) if name}
        return given


# --- one kind of file after another -------------------------------------------------------------------------------------


def _form(item: Any, old: Any, known: _Known) -> Iterator[Problem]:
    paths = {each.path for each in item.model.every_field()}
    gone = {each.path for each in old.every_field()} - paths
    for process in known.processes.values():
        if item.id not in known.forms_of(process):
            continue
        if process.file is None:
            yield from _lost_rights(item, process, paths)
        if not gone:
            continue
        together = known.together(process)
        given = known.provided(together, item.id)
        # A group that is still there has lost a part; a name that is gone has lost everything.
        lost = {path for path in gone if path.partition(".")[0] not in given}
        lost |= {path.partition(".")[0] for path in lost if not any(rights.covers([path.partition(".")[0]], each) for each in paths)}
        for read in (read for each in together for read in known.reads(each)):
            for name in sorted(read.names & lost):
                yield _missing(item, read, "form.read-field", T(
                    "“%(label)s” of “%(process)s” reads “%(field)s”, which the form “%(form)s” no longer has. Keep the field, or change the process too.",
                    label=read.label, process=read.process.name, field=name, form=item.id,
                ))  # fmt: skip


def _lost_rights(item: Any, process: Here, paths: set[str]) -> Iterator[Problem]:
    """Fields that a deployed step hides or locks and the new form does not have: under another name they would lie open."""
    for node in process.elements():
        form = _literal(getattr(node, "form_id", None))
        if form is None or form.text != item.id:
            continue
        for property in (each for each in rights.PROPERTIES if _literal(node.properties.get(each)) is not None):
            for name in rights.field_names(node.properties[property].text):
                if not any(rights.covers([name], path) for path in paths):
                    message = T(
                        "“%(label)s” of “%(process)s” names the field “%(field)s” of the form “%(form)s” in %(property)s; the new form has no such "
                        "field. Keep the field, or deploy the changed process together with the form.",
                        label=node.label, process=process.name, field=name, form=item.id, property=property,
                    )  # fmt: skip
                    yield Problem(item.file, None, None, RIGHTS_RULE, message)


def _decision(item: Any, old: Any, known: _Known) -> Iterator[Problem]:
    gone = _outputs(old) - _outputs(item.model)
    for process in known.processes.values() if gone else ():
        asked = {
            node.result_variable: node
            for node in process.elements()
            if (value := _literal(getattr(node, "decision_id", None))) is not None and value.text == item.id and node.result_variable
        }
        lost = {f"{variable}.{name}": name for variable in asked for name in gone}
        for read in (read for each in known.together(process) for read in known.reads(each)) if asked else ():
            for name in sorted(read.names & set(lost)):
                yield _missing(item, read, "decision.read-output", T(
                    "“%(label)s” of “%(process)s” reads “%(name)s”, but the decision “%(decision)s” no longer gives “%(output)s”. "
                    "Keep the output, or change the process too.",
                    label=read.label, process=read.process.name, name=name, decision=item.model.name or item.id, output=lost[name],
                ))  # fmt: skip


def _outputs(decision: Any) -> set[str]:
    """The names that can be read in a decision's result: those of a table with several outputs; a single output is the result itself."""
    clauses = decision.table.outputs if decision.table is not None else ()
    return {clause.name for clause in clauses} if len(clauses) > 1 else set()


def _sheet(item: Any, old: Any, known: _Known) -> Iterator[Problem]:
    """A step of a shared sub-process may name a document of any sheet."""
    kept = {paper.id for _, sheet in known.sheets() for paper in sheet.documents}
    gone = {paper.id: paper.name for paper in old.documents if paper.id not in kept}
    for process in known.processes.values() if gone else ():
        for node in process.elements():
            value = _literal(node.properties.get("document"))
            for id in sorted(set(names_in(value.text)) & set(gone)) if value is not None else ():
                read = Read(node.label, frozenset(), process, node)
                yield _missing(item, read, "procedure.needed-document", T(
                    "“%(label)s” of “%(process)s” prints the document “%(document)s”, which the sheet no longer has. Keep it, or change the process too.",
                    label=node.label, process=process.name, document=gone[id] or id,
                ))  # fmt: skip


CHECKS: dict[str, Callable[[Any, Any, _Known], Iterator[Problem]]] = {"form": _form, "decision": _decision, "procedure": _sheet}


def _missing(item: Any, read: Read, rule: str, message: Any) -> Problem:
    """A warning at the element when its process is deployed too, else at the file that takes the thing away."""
    if read.process.file is not None and read.node is not None:
        return Problem(read.process.file, read.node.line, read.node.bpmn_id, rule, message, "warning")
    return Problem(item.file, None, None, rule, message, "warning")


# --- what is read -------------------------------------------------------------------------------------------------------


def _literal(value: Any) -> ModelValue | None:
    return value if isinstance(value, ModelValue) and value.expression is None and value.text.strip() else None


def _expressions(value: Any) -> Iterator[Expression]:
    """The compiled expressions anywhere in the parts of an element or a sheet; other elements are not entered."""
    if isinstance(value, Expression):
        yield value
    elif isinstance(value, Flow):
        yield from _expressions(value.condition)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _expressions(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _expressions(each)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type | FlowNode):
        for each in dataclasses.fields(value):
            yield from _expressions(getattr(value, each.name))


def _names(tree: Any) -> Iterator[str]:
    """The variables that a FEEL tree reads, and what it reads in them: ``applicant`` and ``applicant.phone``."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Name):
            yield node.name
        if isinstance(node, Path):
            path = _dotted(node)
            if path is not None:
                yield path
        if isinstance(node, list | tuple):
            waiting.extend(node)
        elif isinstance(node, Node) or dataclasses.is_dataclass(node) and not isinstance(node, type):
            waiting.extend(getattr(node, each.name) for each in dataclasses.fields(node))


def _dotted(node: Any) -> str | None:
    """``a.b.c`` of nested paths; a filter between, as in ``items[1].price``, is passed over."""
    parts: list[str] = []
    while isinstance(node, Path | Filter):
        if isinstance(node, Path):
            parts.append(node.name)
        node = node.base
    return ".".join([node.name, *reversed(parts)]) if isinstance(node, Name) else None


def _names_of_decision(decision: Any, seen: set[int]) -> Iterator[str]:
    """The variables that a decision and those it requires read; names of its own outputs are not among them."""
    if id(decision) in seen:
        return
    seen.add(id(decision))
    texts = [clause.expression for clause in decision.table.inputs] if decision.table is not None else [decision.text]
    for text in filter(None, texts):
        try:
            yield from _names(compile_expression(text, names=decision.model.names if decision.model is not None else ()).tree)
        except FeelError:
            continue
    for requirement in decision.requirements:
        if hasattr(requirement.target, "requirements") and hasattr(requirement.target, "table"):
            yield from _names_of_decision(requirement.target, seen)
