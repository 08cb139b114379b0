"""A procedure whose steps pause, resume and restart limits, with a phase, a called process, and a limit that has a promise."""

from __future__ import annotations

from tests.desk import desk_models as models
from tests.desk.desk_models import element, flow, form, task

RULES = """
rules:
  - {id: lic.accept, label: 受理审查, limit: 3, unit: wd, status: 待核}
  - {id: lic.close, label: 办结, limit: 20, unit: wd, status: 待核, extension: {limit: 10, unit: wd, max_times: 1, approver: 负责人}}
  - {id: lic.handle, label: 承办, limit: 5, unit: wd, status: 待核}
  - {id: lic.strict, label: 不停的时限, limit: 30, unit: d, pauses: false, status: 待核}
  - {id: open.reply, label: 答复, limit: 20, unit: wd, status: 已核, source: 条例, extension: {limit: 20, unit: wd, approver: 负责人}}
  - {id: open.reply.promise, label: 承诺答复, limit: 12, unit: wd, status: 待核, promise_of: open.reply}
  - {id: open.phase, label: 征求意见阶段, limit: 10, unit: wd, status: 待核}
  - {id: open.step, label: 拟稿, limit: 5, unit: wd, status: 待核}
  - {id: open.step.promise, label: 承诺拟稿, limit: 2, unit: wd, status: 待核, promise_of: open.step}
  - {id: open.called, label: 会商, limit: 8, unit: wd, status: 待核}
"""

SHEET = """
process: opening
name: 信息公开
short: 公开
code: GK
title: '=subject'
header: {applicant: '=applicant_name', county: '=county', section: '=handler_section'}
access: {roles: [vice_director]}
start: {form: licence_start, roles: [window]}
"""


def bpmn(**changes: str) -> bytes:
    """The model; ``changes`` replace properties of the step “consult” (``kind="…"``)."""
    consult = {"clock__pause__kind": "consultation", "clock__pause__reason": '="征求" + subject + "意见"', "clock__pause__document": "周科函〔2026〕3号"}
    consult |= {f"clock__pause__{name}": value for name, value in changes.items()}
    inner = "".join(
        (
            element("startEvent", "phase_begin"), task("ask", "发征求意见函", 'candidateGroups="clerk"', **consult),
            task("weigh", "研究意见", 'candidateGroups="clerk"', clock__resume="consultation"), element("endEvent", "phase_end"),
            flow("phase_begin", "ask"), flow("ask", "weigh"), flow("weigh", "phase_end"),
        )
    )  # fmt: skip
    body = "".join(
        (
            element("startEvent", "began", clock__start="open.reply", clock__start__from="=received_at"),
            task("receive", "登记", 'candidateGroups="window"', clock__start="lic.strict"),
            task("correct", "补正", 'candidateGroups="window"', clock__pause__kind="correction", clock__restart="open.reply"),
            element("subProcess", "phase", "征求意见", inner, deadline="open.phase"),
            element("callActivity", "talk", "会商", deadline="open.called").replace(
                "<bpmn:extensionElements>", '<bpmn:extensionElements><zeebe:calledElement processId="talking"/>'
            ),
            task("answer", "答复", 'candidateGroups="clerk"', clock__stop="open.reply", deadline="open.step"),
            element("endEvent", "finished"),
            '<bpmn:boundaryEvent id="phase_off" name="不再征求" attachedToRef="phase"><bpmn:messageEventDefinition id="off_m" messageRef="called_off"/></bpmn:boundaryEvent>',
            flow("began", "receive"), flow("receive", "correct"), flow("correct", "phase"), flow("phase", "talk"), flow("phase_off", "talk"),
            flow("talk", "answer"), flow("answer", "finished"),
        )
    )  # fmt: skip
    called = element("startEvent", "talking_began") + task("meet", "开会", 'candidateGroups="clerk"') + element("endEvent", "talking_ended")
    called += flow("talking_began", "meet") + flow("meet", "talking_ended")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
  id="opening_model" targetNamespace="urn:test">
  <bpmn:process id="opening" name="信息公开" isExecutable="true">{body}</bpmn:process>
  <bpmn:process id="talking" name="会商" isExecutable="true">{called}</bpmn:process>
  <bpmn:message id="called_off" name="called_off"><bpmn:extensionElements><zeebe:subscription correlationKey="=case_no"/></bpmn:extensionElements></bpmn:message>
</bpmn:definitions>""".encode()


def files(**changes: str) -> dict[str, bytes]:
    return {
        **models.files(),
        "processes/opening/opening.bpmn": bpmn(**changes),
        "processes/opening/procedure.yaml": SHEET.encode(),
        "processes/deadline_rules.yaml": RULES.encode(),
        "forms/licence_step.form": form("licence_step", "note", "grade", "rounds"),
    }
