"""One instance: where it stands, with what, since when, what holds it up, and what was done to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import g, render_template, request, url_for
from sqlalchemy import Connection

from engine.errors import NotFound
from engine.runtime.casework.access import AccessRefused
from engine.runtime.operations.values import LiveToken
from web.operations import blueprint, instance_queries, queries
from web.operations.incident_views import incident_facts
from web.operations.room import Hiding, engine, labels_of, process_names, sees
from web.operations.state import page_number
from web.operations.values import kind_of, short

INCIDENTS_IN_FULL = 5
"""Open incidents of an instance that are shown with their stack; of the others the message."""
BRANCHES_SHOWN = 200
"""A repeated activity may have a thousand tokens; nobody reads them all."""
RUNNING = ("ACTIVE", "SUSPENDED")


@dataclass(frozen=True)
class Branch:
    """A token in the tree of scopes; ``depth`` counts from the process, whose own branch has no token."""

    token: LiveToken | None
    depth: int
    variables: list[dict[str, Any]]


@blueprint.get("/operations/instances/<int:key>")
@sees
def instance(key: int):
    """The page of one instance."""
    page = page_number(request.args)
    with engine().reading() as conn:
        head = head_of(conn, key)
        hiding = Hiding.case(conn, head.root_key)
        passages = instance_queries.passages(conn, key)
        waiting = instance_queries.waiting(conn, key)
        rows = queries.incidents_of(conn, key)
        log = instance_queries.log(conn, key, [row.key for row in rows])
        history, more = instance_queries.history(conn, key, page)
        changes = instance_queries.changes(conn, key)
        labels = labels_of(head.definition_key, conn)
        readable = may_read_case(conn, head)
    running = head.state in RUNNING
    tokens = engine().tokens(key) if running else []
    variables = engine().instance(key).variables
    open_keys = [row.key for row in rows if row.resolved_at is None][:INCIDENTS_IN_FULL]
    found = {each: incident_facts(engine().incident(each), hiding) for each in open_keys}
    incidents = [found.get(row.key) or incident_facts(row, hiding) for row in rows]
    tree = branches(tokens, variables, hiding)
    return render_template(
        "operations/instance.html", head=head, running=running, branches=tree[:BRANCHES_SHOWN], branches_in_all=len(tree), waiting=waiting,
        waits=sum(len(each) for each in waiting.values()), incidents=incidents, open_incidents=sum(row.resolved_at is None for row in rows),
        log=log, hiding=hiding, history=history, more=more, page=page, labels=labels, names=process_names(), readable=readable,
        changes=[(change, short(hiding.of({change.name: change.value})[change.name])) for change in changes],
        about=drawing_facts(head, passages, tokens, rows),
    )  # fmt: skip


def head_of(conn: Connection, key: int) -> Any:
    """The instance's row with process and case.  Raises :class:`NotFound`."""
    head = instance_queries.head(conn, key)
    if head is None:
        raise NotFound("There is no process instance %(key)s.", key=key)
    return head


def may_read_case(conn: Connection, head: Any) -> bool:
    """Whether the case's own page would open for this person; asking is no attempt, so nothing is recorded."""
    if head.case_key is None:
        return False
    try:
        engine().desk.access.find_case(conn, head.case_key, g.person.login)
    except AccessRefused:
        return False
    return True


def branches(tokens: list[LiveToken], variables: dict[str, Any], hiding: Hiding) -> list[Branch]:
    """The process and its tokens as a tree, each scope before what runs in it."""
    inner: dict[int | None, list[LiveToken]] = {}
    for token in tokens:
        inner.setdefault(token.scope, []).append(token)
    found = [Branch(None, 0, variable_lines(variables, hiding))]

    def walk(scope: int | None, depth: int) -> None:
        for token in inner.get(scope, ()):
            found.append(Branch(token, depth, variable_lines(token.variables, hiding)))
            walk(token.id, depth + 1)

    walk(None, 1)
    return found


def variable_lines(variables: dict[str, Any], hiding: Hiding) -> list[dict[str, Any]]:
    """Variables by name, with type, text, and whether they may be corrected here."""
    shown = hiding.of(variables)
    return [
        {"name": name, "kind": kind_of(variables[name]), "text": short(shown[name]), "hidden": hiding.hides(name, variables[name])}
        for name in sorted(variables)
    ]


def drawing_facts(head: Any, passages: list[Any], tokens: list[LiveToken], incidents: list[Any]) -> dict[str, Any]:
    """What the drawing marks: finished elements, live tokens with their number, open incidents with theirs."""

    def counted(elements: list[str]) -> dict[str, int]:
        return {element: elements.count(element) for element in sorted(set(elements))}

    passed: dict[str, int] = {}
    for row in passages:
        passed[row.element_id] = passed.get(row.element_id, 0) + row.count
    return {
        "url": url_for("operations.drawing", key=head.definition_key),
        "done": sorted({row.element_id for row in passages if row.state == "COMPLETED"}),
        "current": sorted({token.element_id for token in tokens}),
        "returned": [],
        "counts": {element: count for element, count in passed.items() if count > 1},
        "tokens": counted([token.element_id for token in tokens]),
        "incidents": counted([row.element_id for row in incidents if row.resolved_at is None]),
    }
