"""What the elements of a drawing can name: the organisation, the rules and ladders, and everything that is published."""

from __future__ import annotations

from collections import Counter
from typing import Any

from engine.bpmn.validation import nodes
from engine.runtime.catalogue import Catalogue

MOST_STATUSES = 200


def options_of(engine: Any) -> dict[str, list[Any]]:
    """Lists of ``{"id", "label"}``; a rule has its ``limit`` ``(number, unit)`` or ``None``, a form its ``fields`` and ``every`` field by its full
    path (columns of lists too), a decision its ``outputs``.

    ``groups`` are candidate groups that somebody belongs to: roles, roles in a section, whole sections.  ``statuses`` are the words that
    published procedures write into the status of a case, most used first.
    """
    directory = engine.desk.people.directory()
    catalogue = engine.catalogue
    sections = [each for each in directory.sections.values() if each.active]
    people = [each for each in directory.people.values() if each.active]
    roles = sorted(directory.roles.items(), key=lambda item: item[1])
    held = {(role, each.section_code) for each in people for role in each.roles if role in directory.roles}
    groups = [{"id": role, "label": name} for role, name in roles]
    groups += [
        {"id": f"{role}@{code}", "label": f"{directory.section_name(code)} · {directory.roles[role]}"} for role, code in sorted(held)
    ]
    groups += [{"id": f"section:{each.code}", "label": each.name} for each in sections]
    return {
        "roles": [{"id": role, "label": name} for role, name in roles],
        "sections": [{"id": each.code, "label": each.name, "kind": each.kind} for each in sections],
        "people": [
            {"id": each.login, "label": f"{each.name}（{directory.section_name(each.section_code)}）"}
            for each in sorted(people, key=lambda each: each.name)
        ],
        "groups": groups,
        "rules": [
            {"id": rule.id, "label": f"{rule.label}（{rule.id}）", "limit": None if rule.limit is None else (rule.limit, rule.unit)}
            for rule in _entries(catalogue, "rules")
        ],
        "ladders": [{"id": each.id, "label": each.label or each.id} for each in _entries(catalogue, "ladders")],
        "forms": [_form(each) for each in catalogue.latest("form")],
        "decisions": [
            {
                "id": each.id,
                "label": each.name or each.id,
                "outputs": [clause.name for clause in each.model.table.outputs] if each.model.table else [],
            }
            for each in catalogue.latest("decision")
        ],
        "processes": [{"id": each.id, "label": each.name or each.id} for each in catalogue.latest("process")],
        "statuses": _statuses(catalogue),
        "documents": _documents(catalogue),
    }


def _entries(catalogue: Catalogue, kind: str) -> list[Any]:
    """The rules, or ladders, of all published tables in their latest version, by id.  Of a rule with several versions the newest counts."""
    found: dict[str, Any] = {}
    for definition in catalogue.latest(kind):
        for id, entry in definition.model.items():
            found[id] = entry[-1] if isinstance(entry, list | tuple) else entry
    return [found[id] for id in sorted(found)]


def _form(definition: Any) -> dict[str, Any]:
    fields = [{"key": each.path, "label": each.label, "type": each.type} for each in definition.model.fields()]
    lists = [each.path for each in definition.model.every_field() if each.columns]
    every = [
        {"path": each.path, "label": each.label, "type": each.type, "depth": sum(each.path.startswith(f"{name}.") for name in lists)}
        for each in definition.model.every_field()
    ]
    return {"id": definition.id, "label": definition.name or definition.id, "fields": fields, "every": every}


def _statuses(catalogue: Catalogue) -> list[str]:
    used: Counter[str] = Counter()
    for definition in catalogue.latest("process"):
        for node in nodes(definition.model):
            status = node.properties.get("status")
            if status is not None and status.expression is None and status.text:
                used[status.text] += 1
    return [text for text, _count in used.most_common(MOST_STATUSES)]


def _documents(catalogue: Catalogue) -> list[dict[str, str]]:
    found = {paper.id: paper.name for definition in catalogue.latest("procedure") for paper in definition.model.documents}
    return [{"id": id, "label": name} for id, name in sorted(found.items())]
