"""The log: who did what to which object, when and from where.  Read by the auditor, who can do nothing else (三员分立)."""

from __future__ import annotations

from datetime import date

from flask import g, render_template, request

from engine.words import T, Words
from web.admin import blueprint, queries
from web.admin.views import desk, engine, page_number
from web.people import requires

ACTION_GROUPS: dict[str, Words] = {
    "session.": T("Signing in and out"), "access.refused": T("Refused access"), "person.": T("People"), "section.": T("Sections"),
    "role.": T("Roles"), "deputy.": T("Deputies"), "case.": T("Cases"), "task.": T("Tasks"), "definition.": T("Procedure design"),
    "clock.": T("Clocks"), "rung.": T("Escalation"), "attachment.": T("Attachments"), "instance.": T("Process instances"),
    "incident.": T("Incidents"), "batch.": T("Batches"), "cleanup.": T("Clean-up"), "data_store.": T("Data stores"),
    "delivery.": T("Message delivery"), "notice.": T("Notices"), "calendar.": T("Work calendar"),
}  # fmt: skip
"""Beginning of an action → what the filter calls it."""


ACTION_WORDS: dict[str, Words] = {
    "access.refused": T("Access refused"),
    "attachment.remove": T("Attachment removed"),
    "attachment.upload": T("Attachment uploaded"),
    "batch.cancel": T("Batch stopped"),
    "batch.create": T("Batch started"),
    "calendar.approve": T("Change of the work calendar approved"),
    "calendar.keep": T("Due dates kept"),
    "calendar.propose": T("Change of the work calendar proposed"),
    "calendar.recalculated": T("Limits recalculated"),
    "calendar.reject": T("Change of the work calendar rejected"),
    "calendar.shorten": T("Due dates shortened"),
    "calendar.withdraw": T("Change of the work calendar withdrawn"),
    "case.action": T("Case action"),
    "case.extension_requested": T("Extension requested"),
    "case.urge": T("Case urged"),
    "cleanup.run": T("Clean-up started by hand"),
    "clock.explain": T("Reason for a delay stated"),
    "clock.extend": T("Limit extended"),
    "clock.extend_asked": T("Extension of a limit asked for"),
    "clock.extend_refused": T("Extension of a limit refused"),
    "clock.extend_withdrawn": T("Request for an extension withdrawn"),
    "clock.pause": T("Limit paused"),
    "clock.resume": T("Limit resumed"),
    "clock.move": T("Demo clock moved"),
    "clock.not_extended": T("Extension not possible"),
    "clock.unknown_rule": T("Deadline rule unknown"),
    "clock.unreadable_start": T("Start of a limit unreadable"),
    "condition.failed": T("Conditions of a case could not be looked at"),
    "data_store.write": T("Data store written"),
    "definition.check": T("Files checked"),
    "definition.deploy": T("Files published"),
    "definition.resume": T("Process resumed"),
    "definition.suspend": T("Process suspended"),
    "delivery.give_up": T("Messages given up"),
    "delivery.retry": T("Messages sent again"),
    "delivery.test": T("Test message sent"),
    "deputy.end": T("Substitution ended"),
    "deputy.save": T("Substitution arranged"),
    "identity.withheld": T("Identity withheld"),
    "incident.retry": T("Incident tried again"),
    "instance.activate": T("Elements of an ad-hoc sub-process begun"),
    "instance.cancel": T("Process instance ended"),
    "instance.delete": T("Process instance deleted"),
    "instance.migrate": T("Process instance migrated"),
    "instance.move": T("Tokens moved"),
    "instance.remove": T("Process instance cleaned up"),
    "instance.restart": T("Process instance restarted"),
    "instance.restarted": T("Started as a restart"),
    "instance.resume": T("Process instance resumed"),
    "instance.suspend": T("Process instance suspended"),
    "instance.variables": T("Variables changed"),
    "notice.preferences": T("Choice of messages changed"),
    "organisation.import": T("Organisation imported"),
    "person.password": T("Password changed"),
    "person.save": T("Person saved"),
    "person.sessions_ended": T("Signed out everywhere"),
    "person.unlock": T("Account unlocked"),
    "role.save": T("Role saved"),
    "rung.failed": T("Escalation failed"),
    "section.save": T("Section saved"),
    "session.end": T("Signed out"),
    "session.locked": T("Account locked"),
    "session.refused": T("Sign-in refused"),
    "session.start": T("Sign-in"),
    "task.assign": T("Task handed over"),
    "task.claim": T("Task claimed"),
    "task.unclaim": T("Task given back"),
}
"""Action → what the log calls it; an action without an entry shows its code."""


@blueprint.get("/admin/audit")
@requires("audit")
def audit():
    """The log with its filters."""
    g.room = "audit"
    args = request.args
    chosen = queries.AuditFilter(
        by=args.get("by", "").strip()[:100], action=args.get("action", "")[:60], subject=args.get("subject", "").strip()[:255],
        since=_day(args.get("since")), until=_day(args.get("until")), page=page_number(),
    )  # fmt: skip
    with engine().reading() as conn:
        rows, more = queries.log(conn, chosen, engine().calendar)
    return render_template(
        "admin/audit.html", rows=rows, more=more, chosen=chosen, groups=ACTION_GROUPS, action_words=ACTION_WORDS,
        directory=desk().people.directory(),
    )  # fmt: skip


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
