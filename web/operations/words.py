"""What the states and kinds of the engine are called."""

from __future__ import annotations

from engine.words import T, Words
from web.admin.audit_views import ACTION_WORDS
from web.spoken import INSTANCE_STATES

STATE_WORDS: dict[str, Words] = {
    "running": T("all that run"),
    "ACTIVE": INSTANCE_STATES["ACTIVE"],
    "SUSPENDED": INSTANCE_STATES["SUSPENDED"],
    "ended": T("all that ended"),
    "COMPLETED": INSTANCE_STATES["COMPLETED"],
    "TERMINATED": INSTANCE_STATES["TERMINATED"],
}
STATE_LIGHTS: dict[str, str] = {"ACTIVE": "green", "SUSPENDED": "grey", "COMPLETED": "blue", "TERMINATED": "hollow"}

ACTIVITY_WORDS: dict[str, Words] = {"ACTIVE": T("current"), "COMPLETED": T("done"), "TERMINATED": T("cancelled")}

BATCH_WORDS: dict[str, Words] = {
    "migrate": T("Migrate"), "cancel": T("Cancel instances"), "retry": T("Try again"), "suspend": T("Suspend"), "resume": T("Resume"), "delete": T("Delete for good"),
}  # fmt: skip
BATCH_STATE_WORDS: dict[str, Words] = {"RUNNING": T("in progress"), "DONE": T("finished"), "CANCELED": T("stopped")}
BATCH_LIGHTS: dict[str, str] = {"RUNNING": "yellow", "DONE": "green", "CANCELED": "grey"}
ITEM_WORDS: dict[str, Words] = {"OPEN": T("waiting"), "DONE": T("done"), "FAILED": T("failed")}

WAIT_WORDS: dict[str, Words] = {
    "timer": T("timer"), "message": T("message"), "signal": T("signal"), "condition": T("condition"), "conditional": T("condition"),
    "error": T("error"), "escalation": T("escalation"), "compensate": T("compensation"), "compensation": T("compensation"),
}  # fmt: skip

INCIDENT_WORDS: dict[str, Words] = {
    "AD_HOC_ERROR": T("ad-hoc sub-process"), "ASSIGNMENT_ERROR": T("assignment"), "CALLED_ELEMENT_ERROR": T("called process"),
    "CANCEL_ERROR": T("cancelling"), "CONDITION_ERROR": T("condition"), "CORRELATION_ERROR": T("correlation"), "DECISION_ERROR": T("decision"),
    "ENDLESS_LOOP": T("endless loop"), "EXPRESSION_ERROR": T("expression"), "JOB_ERROR": T("job"), "JOB_NO_RETRIES": T("no retries left"),
    "MULTI_INSTANCE_ERROR": T("repetition"), "SCRIPT_ERROR": T("script"), "TIMER_ERROR": T("timer"), "UNHANDLED_ERROR": T("error nobody handles"),
    "UNHANDLED_ESCALATION": T("escalation nobody handles"), "UNSUPPORTED_EVENT": T("event"), "VALUE_ERROR": T("value"),
}  # fmt: skip
"""Type of an incident → what it is called; one without an entry shows its code."""

ELEMENT_WORDS: dict[str, Words] = {
    "process": T("Process"), "userTask": T("User task"), "serviceTask": T("Service task"), "sendTask": T("Send task"),
    "receiveTask": T("Receive task"), "scriptTask": T("Script task"), "businessRuleTask": T("Business rule task"), "manualTask": T("Manual task"),
    "task": T("Task"), "subProcess": T("Sub-process"), "transaction": T("Transaction"), "adHocSubProcess": T("Ad-hoc sub-process"),
    "callActivity": T("Call activity"), "startEvent": T("Start event"), "endEvent": T("End event"), "boundaryEvent": T("Boundary event"),
    "intermediateCatchEvent": T("Catching event"), "intermediateThrowEvent": T("Throwing event"), "exclusiveGateway": T("Exclusive gateway"),
    "parallelGateway": T("Parallel gateway"), "inclusiveGateway": T("Inclusive gateway"), "complexGateway": T("Complex gateway"),
    "eventBasedGateway": T("Event-based gateway"),
}  # fmt: skip
"""BPMN tag → what people call it."""

OPERATION_WORDS: dict[str, Words] = ACTION_WORDS
"""Action in the audit → what the log of an instance calls it: as the auditor's log does."""

DETAIL_WORDS: dict[str, Words] = {
    "reason": T("reason"), "old": T("old"), "new": T("new"), "scope": T("scope"), "cancelled": T("cancelled"), "started": T("started"),
    "from_version": T("from version"), "to_version": T("to version"), "retries": T("retries"), "element": T("element"), "message": T("message"),
    "type": T("type"), "new_instance": T("new instance"), "old_instance": T("old instance"), "at": T("started at"), "variables": T("variables"),
    "instance": T("instance"), "job": T("job"), "version": T("version"), "mapping": T("mapping"), "expression": T("expression"), "cause": T("cause"),
}  # fmt: skip
"""Name of a detail in the audit → what it is called."""
