"""All tables.  Each column that is not self-evident carries a comment.

Read by ``engine.runtime`` and by the queries of ``web``; written only inside a runtime command (design: one command, one
transaction).  Four groups: the engine, the organisation, the cases, the clocks.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from engine.store.types import Document, Instant

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key(name: str = "key", *args, **kwargs) -> Column:
    return Column(name, BigInteger, *args, autoincrement=False, **kwargs)


# --- the engine -------------------------------------------------------------------------------------------------------

deployment = Table(
    "deployment",
    metadata,
    key(primary_key=True),
    Column("deployed_at", Instant, nullable=False),
    Column("deployed_by", String(100), nullable=False),
)

resource = Table(
    "resource",
    metadata,
    key(primary_key=True),
    key("deployment_key", nullable=False),
    Column("name", String(255), nullable=False),
    Column("checksum", String(64), nullable=False, comment="SHA-256 of the content, hexadecimal"),
    Column("content", LargeBinary, nullable=False),
)

definition = Table(
    "definition",
    metadata,
    key(primary_key=True),
    Column("kind", String(20), nullable=False, comment="process, decision, form, procedure, rules or ladders"),
    Column("id", String(255), nullable=False, comment="id inside its file: process id, decision id, form id, …"),
    Column("version", Integer, nullable=False),
    Column("name", String(500), nullable=False),
    Column("checksum", String(64), nullable=False, comment="of the file; the same content makes no new version"),
    key("deployment_key", nullable=False),
    key("resource_key", nullable=False),
    Column("deployed_at", Instant, nullable=False),
    Column("deployed_by", String(100), nullable=False),
    Column("suspended_at", Instant, comment="since when it starts nothing; empty: it may start"),
    Column(
        "revision",
        Integer,
        nullable=False,
        default=1,
        server_default=text("1"),
        comment="raised by each change of the row, so that other nodes notice it",
    ),
    UniqueConstraint("kind", "id", "version"),
)

instance = Table(
    "instance",
    metadata,
    key(primary_key=True),
    Column("process_id", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    key("definition_key", nullable=False),
    Column("state", String(12), nullable=False, comment="ACTIVE, COMPLETED, TERMINATED or SUSPENDED"),
    Column("business_key", String(255)),
    key("parent_key", comment="the instance whose call activity started this one"),
    Column("parent_token", Integer, comment="token of that call activity in the parent's snapshot"),
    key("root_key", nullable=False, comment="the case: the instance at the top of the call chain"),
    Column("revision", Integer, nullable=False, comment="raised by each command; a stale one is a conflict"),
    Column("snapshot", Text, nullable=False, comment="live tokens and scopes only, JSON"),
    Column("started_at", Instant, nullable=False),
    Column("started_by", String(100)),
    Column("ended_at", Instant),
    Column("ended_by", String(100)),
    Column("end_reason", Text),
    Column("removal_at", Instant, comment="when the clean-up may delete it with its history; empty: kept for ever"),
    Column("correlation_key", String(255), comment="of the message that started it"),
    Index(None, "process_id", "state"),
    Index(None, "business_key"),
    Index(None, "parent_key"),
    Index(None, "root_key"),
    Index(None, "removal_at"),
)

activity = Table(
    "activity",
    metadata,
    key(primary_key=True),
    key("instance_key", nullable=False),
    key("root_key", nullable=False),
    Column("element_id", String(255), nullable=False),
    Column("element_type", String(60), nullable=False, comment="BPMN tag name: userTask, boundaryEvent, …"),
    Column("name", String(500)),
    Column("state", String(12), nullable=False, comment="ACTIVE, COMPLETED or TERMINATED"),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Index(None, "instance_key", "key"),
    Index(None, "root_key", "key"),
)

user_task = Table(
    "user_task",
    metadata,
    key(primary_key=True),
    key("instance_key", nullable=False),
    key("root_key", nullable=False, comment="the case"),
    Column("process_id", String(255), nullable=False),
    Column("definition_key", BigInteger, nullable=False),
    Column("element_id", String(255), nullable=False),
    Column("token", Integer, nullable=False, comment="token in the instance's snapshot"),
    Column("name", String(500), nullable=False),
    Column("assignee", String(100)),
    Column("candidate_groups", Document, nullable=False),
    Column("candidate_users", Document, nullable=False),
    Column("excluded", Document, nullable=False, comment="logins and groups that may not take the task (conflict of interest)"),
    Column("form_id", String(255)),
    Column("properties", Document, nullable=False, comment="zeebe:properties of the element"),
    Column("due_at", Instant),
    Column("follow_up_at", Instant),
    Column("priority", Integer, nullable=False),
    Column("state", String(12), nullable=False, comment="CREATED, COMPLETED or CANCELED"),
    Column("created_at", Instant, nullable=False),
    Column("claimed_at", Instant),
    Column("ended_at", Instant),
    Column("completed_by", String(100)),
    key("clock_key", comment="the clock that governs this task: its own, else its case's"),
    Column("revision", Integer, nullable=False),
    Index(None, "instance_key", "state"),
    Index(None, "root_key", "state"),
    Index(None, "assignee", "state"),
    Index(None, "state", "created_at"),
    Index(None, "completed_by", "ended_at"),
)

task_candidate = Table(
    "task_candidate",
    metadata,
    key("task_key", primary_key=True),
    Column("kind", String(5), primary_key=True, comment="user or group"),
    Column("name", String(255), primary_key=True),
    Index(None, "kind", "name", "task_key"),
)

timer = Table(
    "timer",
    metadata,
    key(primary_key=True),
    key("instance_key", comment="empty for the timer start event of a definition"),
    key("definition_key", comment="of a timer start event"),
    Column("token", Integer),
    Column("element_id", String(255), nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("occurrence", Integer, nullable=False, comment="counts the firings of a cycle, from 0"),
    Column("repeats", Integer, comment="firings left after this one; -1 without end"),
    Column("every", String(100), comment="ISO 8601 duration or cron expression of a cycle"),
    Index(None, "due_at"),
    Index(None, "instance_key"),
)

job = Table(
    "job",
    metadata,
    key(primary_key=True),
    key("instance_key"),
    key("root_key"),
    Column("token", Integer),
    Column("element_id", String(255)),
    Column("type", String(255), nullable=False),
    Column("state", String(12), nullable=False, comment="CREATED, COMPLETED, FAILED or CANCELED"),
    Column("retries", Integer, nullable=False),
    Column("headers", Document, nullable=False),
    Column("payload", Document, comment="what an outbox job carries; jobs of an instance read its variables instead"),
    Column("available_at", Instant, nullable=False, comment="created, or backed off after a failure, or end of the lease"),
    Column("worker", String(100)),
    Column("leased_until", Instant),
    Column("message", Text),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("attempts", Integer, nullable=False, default=0, server_default=text("0"), comment="how often a worker has had it"),
    Index(None, "type", "state", "available_at"),
    Index(None, "instance_key", "state"),
)

incident = Table(
    "incident",
    metadata,
    key(primary_key=True),
    key("instance_key", nullable=False),
    key("root_key", nullable=False),
    Column("element_id", String(255), nullable=False),
    Column("token", Integer),
    Column("type", String(60), nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    key("job_key", comment="the job that has no retries left; empty: the element itself failed"),
    Column("details", Document, comment="stack of call activities and scopes, cause, expression and the values it saw"),
    Column("resolved_by", String(100)),
    Index(None, "instance_key"),
    Index(None, "resolved_at", "key"),
)

subscription = Table(
    "subscription",
    metadata,
    key(primary_key=True),
    Column("kind", String(10), nullable=False, comment="message, signal or condition"),
    Column("name", String(255), nullable=False),
    Column("correlation_key", String(255), nullable=False),
    key("instance_key"),
    Column("token", Integer),
    key("definition_key", comment="of a message or signal start event; then instance_key is empty"),
    Column("element_id", String(255), nullable=False),
    Index(None, "kind", "name", "correlation_key"),
    Index(None, "instance_key"),
    Index(None, "definition_key"),
)

message = Table(
    "message",
    metadata,
    key(primary_key=True),
    Column("name", String(255), nullable=False),
    Column("correlation_key", String(255), nullable=False),
    Column("message_id", String(255)),
    Column("variables", Document, nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    UniqueConstraint("name", "correlation_key", "message_id"),
    Index(None, "expires_at"),
)

message_start = Table(
    "message_start",
    metadata,
    Column("process_id", String(255), primary_key=True),
    Column("correlation_key", String(255), primary_key=True, comment="one running instance a key: this row is the claim"),
    key("instance_key", nullable=False),
    Index(None, "instance_key"),
)

data_store = Table(
    "data_store",
    metadata,
    Column("name", String(255), primary_key=True, comment="of the BPMN data store; shared by all instances"),
    Column("value", Document),
    Column("changed_at", Instant, nullable=False),
)

variable_change = Table(
    "variable_change",
    metadata,
    key(primary_key=True),
    key("instance_key", nullable=False),
    key("root_key", nullable=False),
    Column("scope", String(255), nullable=False, comment="element id of the scope; empty: the process instance"),
    Column("name", Text, nullable=False),
    Column("value", Document, comment="what it became; written at history level “full” only"),
    Column("at", Instant, nullable=False),
    Column("by", String(100)),
    Index(None, "instance_key", "key"),
    Index(None, "root_key"),
)

firing = Table(
    "firing",
    metadata,
    Column("kind", String(20), primary_key=True, comment="timer, rung, …"),
    key("row_key", primary_key=True),
    Column("occurrence", String(60), primary_key=True, comment="the unique insert of this row is the claim"),
    Column("fired_at", Instant, nullable=False),
    Column("node", String(60), nullable=False),
)

audit = Table(
    "audit",
    metadata,
    key(primary_key=True),
    Column("at", Instant, nullable=False),
    Column("by", String(100)),
    Column("action", String(60), nullable=False, comment="dotted verb: task.claim, definition.deploy, access.refused, …"),
    Column("subject", String(255), nullable=False, comment="kind:key of what was acted on"),
    Column("address", String(100), comment="network address of the request"),
    Column("details", Document, nullable=False),
    Index(None, "at"),
    Index(None, "subject"),
)

batch = Table(
    "batch",
    metadata,
    key(primary_key=True),
    Column("kind", String(20), nullable=False, comment="migrate, cancel, retry, suspend, resume or delete"),
    Column("state", String(10), nullable=False, comment="RUNNING, DONE or CANCELED"),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("parameters", Document, nullable=False, comment="what is done to each instance, and why"),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(100)),
    Column("ended_at", Instant),
    Index(None, "state", "key"),
)

batch_item = Table(
    "batch_item",
    metadata,
    key("batch_key", primary_key=True),
    key("instance_key", primary_key=True),
    Column("state", String(6), nullable=False, comment="OPEN, DONE or FAILED"),
    Column("message", Text, comment="why it failed"),
    Index(None, "batch_key", "state"),
)

setting = Table(
    "setting",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", Document, nullable=False),
)

# --- the organisation -------------------------------------------------------------------------------------------------

section = Table(
    "section",
    metadata,
    Column("code", String(60), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("kind", String(20), nullable=False, comment="bureau, section, county, agency or external"),
    Column("parent_code", String(60)),
    Column("position", Integer, nullable=False),
    Column("active", Boolean, nullable=False),
)

person = Table(
    "person",
    metadata,
    Column("login", String(100), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("section_code", String(60), nullable=False),
    Column("title", String(100), nullable=False, comment="post: 科长, 副局长, …"),
    Column("phone", String(40)),
    Column("email", String(200)),
    Column("password_hash", String(200), comment="Argon2id; empty: cannot sign in"),
    Column("active", Boolean, nullable=False),
    Column("language", String(5), nullable=False),
    Column("failed_logins", Integer, nullable=False),
    Column("locked_until", Instant),
    Column("last_login_at", Instant),
    Column("session_epoch", Integer, nullable=False, comment="raised to end all sessions of the person"),
    Index(None, "section_code"),
)

role = Table(
    "role",
    metadata,
    Column("code", String(60), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("description", Text, nullable=False),
)

person_role = Table(
    "person_role",
    metadata,
    Column("login", String(100), primary_key=True),
    Column("role", String(60), primary_key=True),
    Index(None, "role"),
)

deputy = Table(
    "deputy",
    metadata,
    key(primary_key=True),
    Column("login", String(100), nullable=False),
    Column("deputy_login", String(100), nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Index(None, "deputy_login"),
)

# --- the cases --------------------------------------------------------------------------------------------------------

case_file = Table(
    "case_file",
    metadata,
    key(primary_key=True, comment="key of the root process instance"),
    Column("case_no", String(60), nullable=False, unique=True, comment="办件编号"),
    Column("procedure_id", String(255), nullable=False),
    key("procedure_key", nullable=False, comment="definition row of the procedure sheet in force at the start"),
    Column("title", String(500), nullable=False),
    Column("applicant", String(300), nullable=False, comment="as anyone with access may see it; masked when confidential"),
    Column("county", String(100), nullable=False),
    Column("urgency", String(20), nullable=False, comment="特急, 加急 or 平件"),
    Column("section_code", String(60), comment="owner section 主办科室"),
    Column("status", String(40), nullable=False, comment="办件状态, a word of the procedure sheet"),
    Column("result", String(200)),
    Column("starter", String(100), nullable=False),
    Column("start_token", String(64), unique=True, comment="one-time token of the page it was opened from; a replay collides"),
    Column("received_at", Instant, nullable=False),
    Column("accepted_at", Instant),
    Column("closed_at", Instant),
    Column("register", Document, nullable=False, comment="values of the register columns 台账"),
    Column("search", Text, nullable=False, comment="lower-case text the search box looks in; holds nothing confidential"),
    Index(None, "procedure_id", "received_at"),
    Index(None, "starter", "received_at"),
    Index(None, "closed_at"),
)

case_number = Table(
    "case_number",
    metadata,
    Column("prefix", String(60), primary_key=True, comment="a number rule with everything but the serial filled in"),
    Column("last", Integer, nullable=False),
)

trail = Table(
    "trail",
    metadata,
    key(primary_key=True),
    key("case_key", nullable=False),
    key("instance_key"),
    key("task_key"),
    Column("element_id", String(255)),
    Column("element_name", String(500)),
    Column("action", String(40), nullable=False, comment="start, claim, complete, return, urge, extend, pause, timer, message, …"),
    Column("actor", String(100), comment="login; empty: the system"),
    Column("on_behalf_of", String(100)),
    Column("outcome", String(60)),
    Column("outcome_label", String(100)),
    Column("opinion", Text),
    Column("received_at", Instant),
    Column("at", Instant, nullable=False),
    Column("details", Document, nullable=False, comment="for a completed task: form_id and the submitted form data"),
    Column("address", String(100)),
    Index(None, "case_key", "key"),
)

draft = Table(
    "draft",
    metadata,
    Column("subject", String(255), primary_key=True, comment="task:KEY or start:PROCESS"),
    Column("login", String(100), primary_key=True),
    Column("data", Document, nullable=False),
    Column("saved_at", Instant, nullable=False),
)

attachment = Table(
    "attachment",
    metadata,
    key(primary_key=True),
    key("case_key", comment="empty until the start form it belongs to is submitted"),
    Column("subject", String(255), nullable=False, comment="task:KEY or start:PROCESS it was uploaded on"),
    Column("field", String(255), nullable=False),
    Column("filename", String(255), nullable=False),
    Column("content_type", String(100), nullable=False),
    Column("size", Integer, nullable=False, comment="bytes"),
    Column("checksum", String(64), nullable=False),
    Column("uploaded_by", String(100), nullable=False),
    Column("uploaded_at", Instant, nullable=False),
    Column("removed_at", Instant),
    Index(None, "case_key"),
    Index(None, "subject"),
)

attachment_content = Table(
    "attachment_content",
    metadata,
    key(primary_key=True),
    Column("content", LargeBinary, nullable=False),
)

sensitive_view = Table(
    "sensitive_view",
    metadata,
    key(primary_key=True),
    key("case_key", nullable=False),
    Column("fields", Document, nullable=False),
    Column("viewer", String(100), nullable=False),
    Column("reason", String(60), nullable=False, comment="why it was allowed: role or assignee"),
    Column("at", Instant, nullable=False),
    Column("address", String(100)),
    Index(None, "case_key"),
)

notification = Table(
    "notification",
    metadata,
    key(primary_key=True),
    Column("login", String(100), nullable=False),
    Column("kind", String(40), nullable=False, comment="assigned, urged, rung, returned, replied, …"),
    Column("msgid", Text, nullable=False),
    Column("params", Document, nullable=False),
    key("case_key"),
    key("task_key"),
    Column("created_at", Instant, nullable=False),
    Column("read_at", Instant),
    Column("note", Document, comment="a sentence beside it: told to a deputy too, or in whose place"),
    Index(None, "login", "read_at"),
    Index(None, "case_key"),
)

delivery = Table(
    "delivery",
    metadata,
    key(primary_key=True),
    key("notification_key", nullable=False),
    Column("login", String(100), nullable=False, comment="who it is for"),
    Column(
        "channel", String(20), nullable=False, comment="mail, sms, wecom, dingtalk or webhook; the bell is the notification itself"
    ),
    Column(
        "state", String(12), nullable=False, comment="QUEUED, DELAYED, SENT, FAILED, SUPPRESSED, DEPUTY, FALLBACK or GIVEN_UP"
    ),
    Column("kind", String(40), nullable=False, comment="of the notification"),
    key("case_key"),
    Column("urgent", Boolean, nullable=False, comment="a rung of level 3 or higher; may break the quiet hours"),
    Column("ordered", Boolean, nullable=False, comment="the ladder names this channel"),
    Column("on_behalf_of", String(100), comment="whose place the recipient takes"),
    Column("attempts", Integer, nullable=False),
    Column("reason", Document, comment="last error, or why it was held back or given up; a sentence"),
    Column("next_attempt_at", Instant),
    key("job_key", comment="the job that sends it; several deliveries share the job of a digest"),
    Column("bundle", Integer, comment="messages of the digest it went out with; empty: alone"),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    UniqueConstraint("notification_key", "channel", "login"),
    Index(None, "state", "next_attempt_at"),
    Index(None, "job_key"),
    Index(None, "channel", "state"),
)

notice_preference = Table(
    "notice_preference",
    metadata,
    Column("login", String(100), primary_key=True),
    Column("choices", Document, nullable=False, comment="kinds by channel, quiet hours, digest; what is missing is the default"),
    Column("changed_at", Instant, nullable=False),
)

# --- the clocks -------------------------------------------------------------------------------------------------------

clock = Table(
    "clock",
    metadata,
    key(primary_key=True),
    key("case_key", nullable=False),
    key("instance_key", nullable=False),
    Column("element_id", String(255), comment="the element it is bound to; empty: the case as a whole"),
    Column("token", Integer),
    key("task_key"),
    Column("rule_id", String(60), nullable=False),
    Column("label", String(200), nullable=False),
    Column("state", String(12), nullable=False, comment="RUNNING, PAUSED or STOPPED"),
    Column("ledger", Document, nullable=False, comment="budget, pauses and extensions: the truth; what follows is derived"),
    Column("started_at", Instant, nullable=False),
    Column("due_at", Instant, comment="empty while paused"),
    Column("yellow_at", Instant, comment="from here on the light is yellow"),
    Column("overdue_at", Instant, comment="the first instant that is too late"),
    Column("provisional", Boolean, nullable=False),
    Column("stopped_at", Instant),
    Column("ladder_id", String(60), nullable=False),
    Column("next_rung", String(60)),
    Column("next_rung_at", Instant),
    Column("level", Integer, nullable=False, comment="highest rung level fired"),
    Column(
        "calendar_version", Integer, nullable=False, server_default=text("0"), comment="by which version of the calendar it was worked out"
    ),
    Index(None, "case_key"),
    Index(None, "state", "next_rung_at"),
    Index(None, "state", "due_at"),
    Index(None, "state", "calendar_version"),
)

rung_firing = Table(
    "rung_firing",
    metadata,
    key("clock_key", primary_key=True),
    Column("rung", String(60), primary_key=True, comment="a rung fires once: this key is the claim"),
    key("case_key", nullable=False),
    Column("label", String(200), nullable=False),
    Column("level", Integer, nullable=False),
    Column("action", String(60), nullable=False),
    Column("channel", String(40), nullable=False),
    Column("recipients", Document, nullable=False, comment="list of {login, name, role}"),
    Column("planned_at", Instant, nullable=False),
    Column("fired_at", Instant, nullable=False),
    Column("late", Boolean, nullable=False, comment="fired more than two acquirer intervals after it was due"),
    Column("node", String(60), nullable=False),
    Index(None, "case_key"),
)

supervision_order = Table(
    "supervision_order",
    metadata,
    key(primary_key=True),
    Column("number", String(60), nullable=False, unique=True, comment="督办单号"),
    key("case_key", nullable=False),
    key("clock_key", comment="the clock whose ladder issued it; empty: a person did"),
    Column("rung", String(60), comment="the rung that issued it; with the clock it is unique, so a rung issues one order"),
    Column("token", String(100), unique=True, comment="one-time token of the page and the case; a replay collides"),
    Column("level", String(8), nullable=False, comment="blue, yellow or red"),
    Column("to_section", String(60), comment="the section that has to answer"),
    Column("to_login", String(100), comment="the person who has to answer; empty: anybody of the section"),
    Column("text", Text, nullable=False, comment="what is asked for"),
    Column("due_on", Date, nullable=False, comment="office day by which an answer is due"),
    Column("state", String(10), nullable=False, comment="ISSUED, ANSWERED, CLOSED or WITHDRAWN"),
    Column("issued_at", Instant, nullable=False),
    Column("issued_by", String(100), comment="empty: the ladder"),
    Column("answered_at", Instant, comment="of the latest answer"),
    Column("ended_at", Instant),
    Column("ended_by", String(100)),
    Column("revision", Integer, nullable=False),
    UniqueConstraint("clock_key", "rung"),
    Index(None, "case_key"),
    Index(None, "state", "due_on"),
    Index(None, "to_section", "state"),
    Index(None, "to_login", "state"),
)

supervision_step = Table(
    "supervision_step",
    metadata,
    key(primary_key=True),
    key("order_key", nullable=False),
    Column("action", String(10), nullable=False, comment="issue, answer, return, close or withdraw"),
    Column("text", Text, nullable=False),
    Column("actor", String(100), comment="empty: the ladder"),
    Column("at", Instant, nullable=False),
    Index(None, "order_key", "key"),
)

calendar_year = Table(
    "calendar_year",
    metadata,
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("status", String(12), nullable=False, comment="official, provisional or missing"),
    Column("notice", String(200)),
    Column("imported_at", Instant),
)

calendar_day = Table(
    "calendar_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("kind", String(20), nullable=False, comment="workday, weekend, statutory, in_lieu, makeup_workday or closed"),
    Column("name", String(100)),
    Column("source", String(200), nullable=False),
    Column("hours", Document, comment="office hours of this day alone, [[from, to], …]; empty: the usual ones"),
)

calendar_proposal = Table(
    "calendar_proposal",
    metadata,
    key(primary_key=True),
    Column("kind", String(12), nullable=False, comment="notice, closure or correction"),
    Column("state", String(10), nullable=False, comment="PROPOSED, APPROVED, REJECTED or WITHDRAWN"),
    Column("notice", String(200), nullable=False, comment="number of the notice, or where the days come from"),
    Column("reason", Text, nullable=False),
    Column("whole_years", Document, nullable=False, comment="years the notice arranges as a whole and makes official"),
    Column("source_text", Text, nullable=False, comment="what was pasted or uploaded"),
    Column("days", Document, nullable=False, comment="list of {day, kind, name, line, hours}"),
    Column("findings", Document, nullable=False, comment="list of {line, severity, msgid, params}"),
    Column("made_by", String(100), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("decided_by", String(100)),
    Column("decided_at", Instant),
    Column("decision_reason", Text),
    Column("version", Integer, comment="of the calendar that its approval made"),
    Index(None, "state", "key"),
)

recalculation = Table(
    "recalculation",
    metadata,
    key(primary_key=True),
    key("proposal_key", nullable=False),
    Column("version", Integer, nullable=False, comment="of the calendar to which the clocks are brought"),
    Column("state", String(10), nullable=False, comment="RUNNING or DONE"),
    Column("total", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(100)),
    Column("ended_at", Instant),
    Index(None, "state", "key"),
)

recalculation_item = Table(
    "recalculation_item",
    metadata,
    key("recalculation_key", primary_key=True),
    key("clock_key", primary_key=True),
    key("case_key", nullable=False),
    Column("state", String(8), nullable=False, comment="OPEN, SAME, MOVED, HELD, ACCEPTED, KEPT, MOOT or FAILED"),
    Column("old_due_at", Instant),
    Column("new_due_at", Instant, comment="by the new calendar; of a held one what it would become"),
    Column("message", Text, comment="why it failed"),
    Column("decided_by", String(100)),
    Column("decided_at", Instant),
    Column("reason", Text),
    Index(None, "recalculation_key", "state"),
    Index(None, "state"),
    Index(None, "clock_key"),
)
