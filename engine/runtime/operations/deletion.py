"""Deleting a case for good, with all rows that hang on it.

Never deleted: the audit, and the ledger of who has looked at protected identities (``sensitive_view``), which is one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import String, Table, cast, delete, literal, or_, select

from engine.errors import InvalidState, NotFound
from engine.store import tables

if TYPE_CHECKING:
    from engine.runtime.unit import Unit


def delete_instance(unit: Unit, key: int, force: bool, reason: str | None) -> dict[str, int]:
    """Delete an ended case from its root; gives table → number of deleted rows.

    With ``force`` a running one is deleted too, as if it had never been.  Raises :class:`NotFound`, and :class:`InvalidState` for a
    running one and for an instance that another one has called.
    """
    row = _locked(unit, key)
    if row is None:
        raise NotFound("There is no process instance %(key)s.", key=key)
    if row["parent_key"] is not None:
        raise InvalidState("This instance was called by instance %(parent)s; delete the whole case %(root)s.", parent=row["parent_key"], root=row["root_key"])
    if not force and row["state"] in ("ACTIVE", "SUSPENDED"):
        raise InvalidState("This case is still running (%(state)s). Cancel it first.", state=row["state"])
    return _delete(unit, row, "instance.delete", reason)


def delete_past(unit: Unit, key: int) -> bool:
    """Delete a case that is past its removal date; ``False`` when somebody else has done it or the date was moved."""
    row = _locked(unit, key)
    if row is None or row["state"] in ("ACTIVE", "SUSPENDED") or row["removal_at"] is None or row["removal_at"] > unit.tx.now:
        return False
    _delete(unit, row, "instance.remove", None)
    return True


def _locked(unit: Unit, key: int) -> Mapping[str, Any] | None:
    # Not through the unit, which would write the instance back at the end.
    return unit.tx.execute(select(tables.instance).where(tables.instance.c.key == key).with_for_update()).mappings().one_or_none()


def _delete(unit: Unit, row: Mapping[str, Any], action: str, reason: str | None) -> dict[str, int]:
    root, tx = row["key"], unit.tx
    case = tx.execute(select(tables.case_file.c.case_no).where(tables.case_file.c.key == root)).scalar()
    deleted: dict[str, int] = {}
    for table, condition in _rows(root):
        count = tx.execute(delete(table).where(condition)).rowcount
        if count:
            deleted[table.name] = count
    tx.audit(
        action,
        f"instance:{root}",
        process=row["process_id"],
        version=row["version"],
        state=row["state"],
        business_key=row["business_key"],
        case_no=case,
        started_at=row["started_at"].isoformat(),
        ended_at=row["ended_at"] and row["ended_at"].isoformat(),
        removal_at=row["removal_at"] and row["removal_at"].isoformat(),
        deleted=deleted,
        reason=reason,
    )
    return deleted


def _rows(root: int) -> list[tuple[Table, Any]]:
    """What to delete, in an order in which each condition still finds its rows."""
    instances = select(tables.instance.c.key).where(tables.instance.c.root_key == root)
    tasks = select(tables.user_task.c.key).where(tables.user_task.c.root_key == root)
    uploads = select(tables.attachment.c.key).where(tables.attachment.c.case_key == root)
    drafts = select(literal("task:") + cast(tables.user_task.c.key, String)).where(tables.user_task.c.root_key == root)
    orders = select(tables.supervision_order.c.key).where(tables.supervision_order.c.case_key == root)
    bulletins = select(tables.bulletin.c.key).where(tables.bulletin.c.case_key == root)
    clocks = select(tables.clock.c.key).where(tables.clock.c.case_key == root)
    cards = select(tables.card.c.key).where(tables.card.c.case_key == root)
    papers = select(tables.attachment.c.key).where(tables.attachment.c.subject.in_(select(literal("card:") + cast(tables.card.c.key, String)).where(tables.card.c.case_key == root)))
    # A digest speaks of several cases; it is kept until the last of them.
    messages = select(tables.delivery.c.job_key).where(tables.delivery.c.case_key == root, tables.delivery.c.bundle.is_(None))
    return [
        (tables.draft, tables.draft.c.subject.in_(drafts)),
        (tables.task_candidate, tables.task_candidate.c.task_key.in_(tasks)),
        (tables.attachment_content, tables.attachment_content.c.key.in_(uploads)),
        (tables.attachment, tables.attachment.c.case_key == root),
        (tables.job, tables.job.c.key.in_(messages)),
        (tables.delivery, tables.delivery.c.case_key == root),
        (tables.notification, tables.notification.c.case_key == root),
        (tables.attachment_content, tables.attachment_content.c.key.in_(papers)),
        (tables.attachment, tables.attachment.c.key.in_(papers)),
        (tables.card_step, tables.card_step.c.card_key.in_(cards)),
        (tables.card, tables.card.c.case_key == root),
        (tables.supervision_step, tables.supervision_step.c.order_key.in_(orders)),
        (tables.supervision_order, tables.supervision_order.c.case_key == root),
        (tables.bulletin_step, tables.bulletin_step.c.bulletin_key.in_(bulletins)),
        (tables.bulletin, tables.bulletin.c.case_key == root),
        (tables.assessment_entry, tables.assessment_entry.c.case_key == root),
        (tables.ladder_change_item, tables.ladder_change_item.c.clock_key.in_(clocks)),
        (tables.recalculation_item, tables.recalculation_item.c.case_key == root),
        (tables.extension_request, tables.extension_request.c.case_key == root),
        (tables.rung_firing, tables.rung_firing.c.case_key == root),
        (tables.clock, tables.clock.c.case_key == root),
        (tables.trail, tables.trail.c.case_key == root),
        (tables.case_term, tables.case_term.c.case_key == root),
        (tables.case_file, tables.case_file.c.key == root),
        (tables.user_task, tables.user_task.c.root_key == root),
        (tables.activity, tables.activity.c.root_key == root),
        (tables.job, or_(tables.job.c.root_key == root, tables.job.c.instance_key.in_(instances))),
        (tables.incident, tables.incident.c.root_key == root),
        (tables.variable_change, tables.variable_change.c.root_key == root),
        (tables.timer, tables.timer.c.instance_key.in_(instances)),
        (tables.subscription, tables.subscription.c.instance_key.in_(instances)),
        (tables.message_start, tables.message_start.c.instance_key.in_(instances)),
        (tables.instance, tables.instance.c.root_key == root),
    ]
