"""Words for what stands in a case's trail and log."""

from __future__ import annotations

from engine.words import T, Words

ACTIONS: dict[str, Words] = {
    "start": T("opened the case"), "claim": T("claimed"), "unclaim": T("gave back"), "complete": T("handled"), "return": T("returned"),
    "transfer": T("handed on"), "urge": T("urged"), "extend": T("extended a limit"), "extend_refused": T("extension refused"), "extend_asked": T("asked for an extension"), "extend_withdrawn": T("withdrew the request for an extension"), "rule_applied": T("put under another version of a rule"),
    "recalculate": T("due date moved by the calendar"), "recalculate_held": T("earlier due date held back"),
    "recalculate_accept": T("accepted an earlier due date"), "recalculate_keep": T("kept the due date told"),
    "explain": T("stated a reason"), "pause": T("limits paused"), "resume": T("limits go on"), "restart": T("limit starts anew"), "timer": T("time reached"),
    "message": T("message received"), "signal": T("signal received"), "error": T("error handled"), "escalation": T("escalated"),
    "event": T("event"), "accept": T("accepted"), "rung": T("reminder sent"), "decision": T("decided by table"), "close": T("case closed"),
    "order": T("supervision order issued"), "order_answer": T("answered a supervision order"), "order_return": T("returned an answer"),
    "order_close": T("closed a supervision order"), "order_withdraw": T("withdrew a supervision order"),
    "bulletin": T("bulletin issued"), "bulletin_withdraw": T("bulletin withdrawn"),
    "card": T("supervision card issued"), "card_appeal": T("appealed against a card"), "card_uphold": T("upheld a card"), "card_revoke": T("revoked a card"),
}  # fmt: skip
"""Action of a trail line → what it says."""

LOG: dict[str, Words] = {
    "task.claim": T("claimed a task"), "task.unclaim": T("gave a task back"), "task.transfer": T("handed a task on"), "task.assign": T("assigned a task"),
    "case.urge": T("urged"), "case.action": T("sent a message to the case"), "case.extension_requested": T("asked for more time"),
    "access.refused": T("was refused access"), "identity.withheld": T("was not shown confidential fields"), "clock.extend": T("extended a limit"),
    "clock.extend_asked": T("asked for an extension"), "clock.extend_refused": T("refused an extension"), "clock.extend_withdrawn": T("withdrew the request for an extension"),
    "clock.pause": T("paused limits"), "clock.resume": T("let limits go on"), "clock.not_restarted": T("a limit was not started anew"),
    "clock.unknown_kind": T("a pause names an unknown kind"),
    "instance.cancel": T("cancelled the case"), "instance.suspend": T("suspended the case"), "instance.resume": T("resumed the case"),
    "clock.unknown_rule": T("a deadline rule is missing"), "clock.unreadable_start": T("a limit's start could not be read"),
    "clock.not_extended": T("a limit was not extended"), "rung.failed": T("a reminder failed"),
}  # fmt: skip
"""Action of an audit line → what it says; what has no word is shown by its name."""

REASONS: dict[str, Words] = {"role": T("by role"), "assignee": T("as handler"), "starter": T("opened the case")}
"""Why somebody was allowed to see confidential fields."""

MARKS: dict[str, str] = {"complete": "is-done", "start": "is-done", "close": "is-done", "return": "is-returned"}
"""Action of a trail line → its mark."""
