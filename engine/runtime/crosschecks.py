"""What the files of a deployment name in each other and in what is deployed: references, people, codes, rights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.bpmn.activities import UserTask
from engine.bpmn.elements import FlowNode
from engine.bpmn.validation import nodes
from engine.errors import Problem
from engine.forms import rights
from engine.organisation import DEPUTY_RULES
from engine.runtime import dependents
from engine.runtime.limits import clock_properties
from engine.runtime.live import names
from engine.runtime.sheets import unresolved
from engine.runtime.supervision import monitoring
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.organisation import Directory
    from engine.runtime.catalogue import Catalogue


@dataclass
class Found:
    """One definition inside a file."""

    kind: str
    id: str
    name: str
    file: str
    model: Any


def check(found: list[Found], catalogue: Catalogue | None, directory: Directory | None) -> Iterator[Problem]:
    """What is wrong between the definitions ``found`` in the files, and with what the ``catalogue`` and the ``directory`` have.

    References to things that neither the files nor the catalogue have are warnings; with a ``directory``, so are groups that name no
    role and no section of the organisation.
    """
    yield from _doubles(found)
    yield from _dead_references(found, catalogue)
    yield from _clock_properties(found, catalogue)
    yield from _field_rights(found, catalogue)
    yield from _deputy_rules(found)
    if directory is not None:
        yield from _unknown_groups(found, directory)
        yield from _for_nobody(found, directory)
    yield from _shared_codes(found, catalogue)
    yield from _unresolved_sheets(found, catalogue)
    if catalogue is not None:
        yield from dependents.check(found, catalogue)


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
