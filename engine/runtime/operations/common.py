"""What the operations share: getting an instance that may be changed, naming its tokens, closing what hung on tokens that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import update

from engine.bpmn.elements import FlowNode
from engine.bpmn.execution import Execution, Token
from engine.bpmn.repeating import Body
from engine.errors import InvalidState, ValidationFailed
from engine.store import tables
from engine.words import T, Words

if TYPE_CHECKING:
    from engine.runtime.live import Live
    from engine.runtime.unit import Unit


def refused(field: str, message: Words) -> ValidationFailed:
    """A refusal of one field of an operation."""
    return ValidationFailed(message, errors={field: [message]})


def running(unit: Unit, key: int) -> Live:
    """An instance that has not ended, locked.  Raises :class:`NotFound` or :class:`InvalidState`."""
    live = unit.load(key)
    if live.row["state"] not in ("ACTIVE", "SUSPENDED"):
        raise InvalidState("This case has already ended (%(state)s).", state=live.row["state"])
    return live


def inner_of(execution: Execution) -> dict[FlowNode, Body]:
    """The repeated activities of a model: the activity itself → its body, which counts the repetitions."""
    return {spec.inner: spec for spec in execution.spec.task_specs.values() if isinstance(spec, Body)}


def tokens_on(execution: Execution, where: int | str) -> list[Token]:
    """The live tokens that ``where`` names: a token's id, or an element's (of a repeated activity its body).

    Raises :class:`ValidationFailed` when there is none.
    """
    text = str(where).strip()
    if text.isdigit():
        token = execution.token(int(text))
        found = [] if token is None or token is execution.root else [token]
    else:
        spec = execution.element(text)
        found = [] if spec is None else [token for token in execution.tasks.values() if token.task_spec is spec and token is not execution.root]
    if not found:
        raise refused("cancel", T("Nothing of this case stands on “%(where)s” now. Look at it again: it may have moved on.", where=text))
    return found


def scopes_on(execution: Execution, spec: FlowNode) -> list[Token]:
    """The live tokens that are running scopes of ``spec`` (a process, a sub-process, an item of a repeated sub-process)."""
    # One that has failed on entering has opened nothing yet.
    return [token for token in execution.tasks.values() if token.task_spec is spec and not token.internal_data.get("incident")]


def resolve_gone(unit: Unit, live: Live) -> None:
    """Close the incidents whose tokens are gone: nobody can cure them any more."""
    incident = tables.incident
    alive = list(live.execution.tasks)
    statement = update(incident).where(incident.c.instance_key == live.key, incident.c.resolved_at.is_(None), incident.c.token.is_not(None))
    if not live.execution.ended:
        statement = statement.where(incident.c.token.not_in(alive))
    unit.tx.flush(incident)
    unit.tx.execute(statement.values(resolved_at=unit.tx.now, resolved_by=unit.tx.by))

