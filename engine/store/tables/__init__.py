"""All tables, by subject.  Each column that is not self-evident carries a comment.

Read by ``engine.runtime`` and by the queries of ``web``; written only inside a runtime command (design: one command, one
transaction).
"""

from engine.store.tables.calendar import calendar_day, calendar_proposal, calendar_year, recalculation, recalculation_item
from engine.store.tables.cards import card, card_step
from engine.store.tables.cases import attachment, attachment_content, case_file, case_number, draft, sensitive_view, trail
from engine.store.tables.clocks import clock, extension_request, rung_firing
from engine.store.tables.common import metadata
from engine.store.tables.design import (
    design_autosave,
    design_companion,
    design_draft,
    design_presence,
    design_run,
    design_save,
    design_submission,
)
from engine.store.tables.engine import (
    activity,
    audit,
    batch,
    batch_item,
    data_store,
    definition,
    deployment,
    firing,
    incident,
    instance,
    job,
    message,
    message_start,
    resource,
    setting,
    subscription,
    task_candidate,
    timer,
    user_task,
    variable_change,
)
from engine.store.tables.organisation import deputy, person, person_role, role, section
from engine.store.tables.supervision import (
    assessment_entry,
    bulletin,
    bulletin_step,
    ladder_change,
    ladder_change_item,
    supervision_order,
    supervision_step,
)
from engine.store.tables.telling import delivery, notice_preference, notification
from engine.store.tables.terms import case_term

__all__ = [
    "activity",
    "assessment_entry",
    "attachment",
    "attachment_content",
    "audit",
    "batch",
    "batch_item",
    "bulletin",
    "bulletin_step",
    "calendar_day",
    "calendar_proposal",
    "calendar_year",
    "card",
    "card_step",
    "case_file",
    "case_number",
    "case_term",
    "clock",
    "data_store",
    "definition",
    "delivery",
    "deployment",
    "deputy",
    "design_autosave",
    "design_companion",
    "design_draft",
    "design_presence",
    "design_run",
    "design_save",
    "design_submission",
    "draft",
    "extension_request",
    "firing",
    "incident",
    "instance",
    "job",
    "ladder_change",
    "ladder_change_item",
    "message",
    "message_start",
    "metadata",
    "notice_preference",
    "notification",
    "person",
    "person_role",
    "recalculation",
    "recalculation_item",
    "resource",
    "role",
    "rung_firing",
    "section",
    "sensitive_view",
    "setting",
    "subscription",
    "supervision_order",
    "supervision_step",
    "task_candidate",
    "timer",
    "trail",
    "user_task",
    "variable_change",
]
