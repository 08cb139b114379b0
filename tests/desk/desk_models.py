"""A small procedure for the desk's tests: accept → handle (loop) → sign → closed, with a correction branch and a withdrawal."""

from __future__ import annotations

import json

RULES = """
rules:
  - {id: lic.accept, label: 受理审查, limit: 3, unit: wd, status: 待核}
  - {id: lic.close, label: 办结, limit: 20, unit: wd, status: 待核, extension: {limit: 10, unit: wd, max_times: 1, approver: 负责人}}
  - {id: lic.handle, label: 承办, limit: 5, unit: wd, status: 待核}
  - {id: lic.strict, label: 不停的时限, limit: 30, unit: d, pauses: false, status: 待核}
"""

LADDERS = """
ladders:
  standard:
    label: 标准
    rungs:
      - {id: half, when: {used: 0.5}, level: 0, light: green, recipients: [handler], channel: log, actions: [silent], text: 过半}
      - {id: yellow, when: {remaining: {workdays: 1, share: 0.2}}, level: 1, light: yellow, recipients: [handler], channel: inbox,
         actions: [urge], text: 临近期限，请抓紧办理}
      - {id: red, when: due_passed, level: 2, light: red, recipients: [handler, section_chief], channel: inbox,
         actions: [urge, "escalate:late"], text: 已超期}
      - {id: leader, when: {after_due: 2}, level: 3, light: red, recipients: [vice_director], channel: all, actions: [notify], text: 超期两天}
      - {id: bulletin, when: {after_due: 5}, level: 4, light: red, recipients: [supervisor], channel: inbox, actions: [draft_bulletin],
         text: 通报, unless: reason_stated}
"""

SHEET = """
process: licence
name: 许可办理
short: 许可
code: XK
title: '="关于" + subject + "的许可"'
header:
  applicant: '=if secret = true then "匿名(保密)" else applicant_name'
  county: '=county'
  urgency: '=urgency'
  section: '=handler_section'
  received_at: '=received'
start: {form: licence_start, roles: [window]}
confidential:
  fields: [applicant_name, applicant_phone]
  when: '=secret = true'
  visible_to: [window, supervisor]
  visible_to_handler_of: [handle]
register:
  - {key: county, label: 县区, value: '=county'}
  - {key: grade, label: 等级, value: '=grade'}
  - {key: rounds, label: 轮次, value: '=if rounds = null then 0 else rounds'}
withdraw: {message: withdrawn, label: 申请人撤回, form: licence_withdraw, roles: [window]}
access: {roles: [vice_director]}
"""

_TASK = """
    <bpmn:userTask id="{id}" name="{name}">
      <bpmn:extensionElements><zeebe:userTask/>
        <zeebe:formDefinition formId="{form}"/>
        <zeebe:assignmentDefinition {assignment}/>
        <zeebe:properties>{properties}</zeebe:properties>
      </bpmn:extensionElements>
    </bpmn:userTask>"""


def _property(name: str, value: str) -> str:
    return f'<zeebe:property name="{name}" value="{value.replace("&", "&amp;").replace(chr(34), "&quot;").replace("<", "&lt;")}"/>'


def task(id: str, name: str, assignment: str, form: str = "licence_step", **properties: str) -> str:
    rows = "".join(_property(key.replace("__", "."), value) for key, value in properties.items())
    return _TASK.format(id=id, name=name, form=form, assignment=assignment, properties=rows)


def flow(source: str, target: str, condition: str = "") -> str:
    inner = f"<bpmn:conditionExpression>={condition.replace(chr(34), '&quot;')}</bpmn:conditionExpression>" if condition else ""
    return f'<bpmn:sequenceFlow id="{source}_{target}" sourceRef="{source}" targetRef="{target}">{inner}</bpmn:sequenceFlow>'


def element(tag: str, id: str, name: str = "", inner: str = "", extra: str = "", **properties: str) -> str:
    rows = "".join(_property(key.replace("__", "."), value) for key, value in properties.items())
    extension = f"<bpmn:extensionElements><zeebe:properties>{rows}</zeebe:properties></bpmn:extensionElements>" if rows else ""
    return f'<bpmn:{tag} id="{id}" name="{name}"{extra}>{extension}{inner}</bpmn:{tag}>'


def bpmn() -> bytes:
    body = "".join(
        (
            element("startEvent", "received_event", "收件"),
            task(
                "accept", "受理审查", 'candidateGroups="window"', deadline="lic.accept", deadline__start="=received_at", status="受理审查",
                outcomes="accept=受理;supplement=补正;decline=不予受理", outcomes__opinion="decline", outcomes__confirm="decline=申请到此为止。",
                accepted="true", clock__start="lic.close", clock__start__from="=received_at",
            ),
            '<bpmn:boundaryEvent id="silent_accept" name="逾期视为受理" attachedToRef="accept"><bpmn:timerEventDefinition id="silent_t">'
            "<bpmn:timeDate>=overdue(\"lic.accept\", received_at)</bpmn:timeDate></bpmn:timerEventDefinition></bpmn:boundaryEvent>",
            element("exclusiveGateway", "decided", extra=' default="decided_handle"'),
            task("correct", "补正材料", 'assignee="=starter"', status="待补正", clock__pause="等待补正"),
            task(
                "handle", "承办", 'candidateGroups="=[&quot;clerk@&quot; + handler_section]"', deadline="lic.handle", clock__start="lic.close",
                clock__start__from="=received_at", status="办理中", exclude='=if respondent = null then [] else ["section:" + respondent]',
                extendable="lic.close", outcomes="submit=提交",
            ),
            '<bpmn:boundaryEvent id="late_handling" name="承办超期" attachedToRef="handle" cancelActivity="false">'
            '<bpmn:escalationEventDefinition id="late_e" escalationRef="late"/></bpmn:boundaryEvent>',
            element("intermediateThrowEvent", "late_noted", "登记超期", notify="supervisor", notify__text='="超期 100% " + case_no'),
            element("endEvent", "late_end", "已登记"),
            task("sign", "签发", 'candidateGroups="vice_director"', status="待签发", outcomes="approve=签发;return=退回",
                 outcomes__opinion="return", clock__stop="*"),
            element("exclusiveGateway", "signed", extra=' default="signed_closed"'),
            element("endEvent", "closed", "办结", result="准予", status="已归档"),
            element("endEvent", "declined", "不予受理", result="不予受理", status="不予受理"),
            flow("received_event", "accept"), flow("accept", "decided"), flow("silent_accept", "handle"),
            flow("decided", "correct", 'outcome = "supplement"'), flow("decided", "declined", 'outcome = "decline"'), flow("decided", "handle"),
            flow("correct", "accept"), flow("handle", "sign"), flow("sign", "signed"), flow("signed", "handle", 'outcome = "return"'),
            flow("signed", "closed"), flow("late_handling", "late_noted"), flow("late_noted", "late_end"),
            '<bpmn:subProcess id="withdrawal" name="撤回" triggeredByEvent="true">'
            '<bpmn:startEvent id="withdrawal_asked" name="申请人撤回"><bpmn:messageEventDefinition id="w_m" messageRef="withdrawn"/></bpmn:startEvent>',
            element("endEvent", "withdrawal_done", "已撤回", result="撤回", status="撤回"),
            flow("withdrawal_asked", "withdrawal_done"), "</bpmn:subProcess>",
            '<bpmn:subProcess id="extension" name="延期" triggeredByEvent="true"><bpmn:startEvent id="extension_asked" name="提出延期" '
            'isInterrupting="false"><bpmn:messageEventDefinition id="e_m" messageRef="extension_requested"/></bpmn:startEvent>',
            element("intermediateThrowEvent", "extended", "同意延期", clock__extend="=extension_rule", clock__extend__by="=3",
                    clock__extend__reason="案情复杂"),
            element("endEvent", "extension_done", "延期办毕"),
            flow("extension_asked", "extended"), flow("extended", "extension_done"), "</bpmn:subProcess>",
        )
    )  # fmt: skip
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
  id="licence_model" targetNamespace="urn:test">
  <bpmn:process id="licence" name="许可办理" isExecutable="true">{body}</bpmn:process>
  <bpmn:message id="withdrawn" name="withdrawn"><bpmn:extensionElements><zeebe:subscription correlationKey="=case_no"/></bpmn:extensionElements></bpmn:message>
  <bpmn:message id="extension_requested" name="extension_requested">
    <bpmn:extensionElements><zeebe:subscription correlationKey="=case_no"/></bpmn:extensionElements></bpmn:message>
  <bpmn:escalation id="late" name="超期" escalationCode="late"/>
</bpmn:definitions>""".encode()


def form(id: str, *keys: str, required: tuple[str, ...] = ()) -> bytes:
    def component(key: str) -> dict:
        kind = {"secret": "checkbox", "urgency": "select", "rounds": "number", "papers": "filepicker"}.get(key, "textfield")
        options = {"values": [{"value": "normal", "label": "平件"}, {"value": "urgent", "label": "加急"}]} if key == "urgency" else {}
        return {**options, "type": kind, "id": f"f_{key}", "key": key, "label": key, "validate": {"required": key in required}}

    return json.dumps({"id": id, "type": "default", "schemaVersion": 19, "components": [component(key) for key in keys]}).encode()


START_KEYS = ("subject", "applicant_name", "applicant_phone", "county", "urgency", "received", "handler_section", "respondent", "secret", "papers")


def files() -> dict[str, bytes]:
    return {
        "processes/licence/licence.bpmn": bpmn(),
        "processes/licence/procedure.yaml": SHEET.encode(),
        "processes/deadline_rules.yaml": RULES.encode(),
        "processes/ladders.yaml": LADDERS.encode(),
        "forms/licence_start.form": form("licence_start", *START_KEYS, required=("subject",)),
        "forms/licence_step.form": form("licence_step", "note", "grade", "rounds"),
        "forms/licence_withdraw.form": form("licence_withdraw", "why", required=("why",)),
    }


SECTIONS = [
    {"code": "bureau", "name": "科技局", "kind": "bureau"},
    {"code": "leaders", "name": "局领导", "kind": "section", "parent_code": "bureau"},
    {"code": "office", "name": "办公室", "kind": "section", "parent_code": "bureau"},
    {"code": "gaoxin", "name": "高新技术科", "kind": "section", "parent_code": "bureau"},
    {"code": "nongcun", "name": "农村科技科", "kind": "section", "parent_code": "bureau"},
]
ROLES = [
    {"code": code, "name": code}
    for code in ("window", "clerk", "section_chief", "vice_director", "director", "supervisor", "auditor", "admin", "designer")
]
PASSWORD = "correct horse 1"


def person(login: str, name: str, section: str, *roles: str) -> dict:
    return {"login": login, "name": name, "section": section, "title": "", "roles": list(roles), "password": PASSWORD}


PEOPLE = [
    person("wang", "王芳", "office", "window", "clerk"),
    person("li", "李强", "gaoxin", "clerk"),
    person("zhao", "赵敏", "gaoxin", "clerk"),
    person("chen", "陈刚", "gaoxin", "section_chief"),
    person("sun", "孙丽", "nongcun", "clerk"),
    person("zhou", "周涛", "nongcun", "section_chief"),
    person("wu", "吴局", "leaders", "vice_director"),
    person("zheng", "郑局", "leaders", "director"),
    person("du", "杜督", "office", "supervisor"),
    person("admin", "管理员", "office", "admin"),
    person("gone", "离职", "gaoxin", "clerk"),
]

START = {
    "subject": "大棚改造", "applicant_name": "张三", "applicant_phone": "13800000000", "county": "川汇区", "urgency": "urgent",
    "handler_section": "gaoxin", "secret": False,
}  # fmt: skip
