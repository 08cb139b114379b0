"""Which elements and event definitions of BPMN are executed, by tag."""

from __future__ import annotations

from engine.bpmn import activities, events, gateways
from engine.bpmn.elements import FlowNode

EVENT_KINDS = {
    "messageEventDefinition": "message",
    "timerEventDefinition": "timer",
    "signalEventDefinition": "signal",
    "errorEventDefinition": "error",
    "escalationEventDefinition": "escalation",
    "terminateEventDefinition": "terminate",
    "conditionalEventDefinition": "conditional",
    "linkEventDefinition": "link",
    "cancelEventDefinition": "cancel",
    "compensateEventDefinition": "compensate",
}

ALLOWED_EVENTS = {
    "startEvent": {"none", "message", "timer", "signal", "error", "escalation", "conditional", "compensate"},
    "endEvent": {"none", "message", "signal", "error", "escalation", "terminate", "cancel", "compensate"},
    "intermediateCatchEvent": {"message", "timer", "signal", "conditional", "link"},
    "intermediateThrowEvent": {"none", "message", "signal", "escalation", "compensate", "link"},
    "boundaryEvent": {"message", "timer", "signal", "error", "escalation", "conditional", "cancel", "compensate"},
}
"""Event definitions by position (BPMN 2.0 tables 10.84–10.93); others are refused at deployment, never ignored."""

MAX_ID = 255
"""Characters of an id, as the tables keep it."""

MAX_QUANTITY = 1_000
"""The largest start or completion quantity of an activity."""

CONTAINERS = ("subProcess", "transaction", "adHocSubProcess")

GLOBAL_TASKS = {
    "globalTask": "task",
    "globalUserTask": "userTask",
    "globalManualTask": "manualTask",
    "globalScriptTask": "scriptTask",
    "globalBusinessRuleTask": "businessRuleTask",
}
"""Root elements that a call activity may call as if they were processes of one task (BPMN 2.0 §10.2.4)."""

UNSUPPORTED_EXTENSIONS = {"executionListeners": "execution listener", "taskListeners": "task listener"}
"""Parts of the dialect that would change what happens and that this release does not run: refused, never ignored."""

PARSERS: dict[str, type[FlowNode]] = {
    "startEvent": events.StartEvent,
    "endEvent": events.EndEvent,
    "intermediateCatchEvent": events.CatchEvent,
    "intermediateThrowEvent": events.ThrowEvent,
    "boundaryEvent": events.BoundaryEvent,
    "task": activities.PlainTask,
    "manualTask": activities.ManualTask,
    "userTask": activities.UserTask,
    "serviceTask": activities.ServiceTask,
    "sendTask": activities.SendTask,
    "receiveTask": activities.ReceiveTask,
    "scriptTask": activities.ScriptTask,
    "businessRuleTask": activities.BusinessRuleTask,
    "callActivity": activities.CallActivity,
    "subProcess": activities.SubProcess,
    "transaction": activities.Transaction,
    "adHocSubProcess": activities.AdHocSubProcess,
    "exclusiveGateway": gateways.ExclusiveGateway,
    "parallelGateway": gateways.ParallelGateway,
    "inclusiveGateway": gateways.InclusiveGateway,
    "eventBasedGateway": gateways.EventBasedGateway,
    "complexGateway": gateways.ComplexGateway,
}
