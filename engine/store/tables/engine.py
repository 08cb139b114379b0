"""The engine: what is deployed, what runs, what waits, and the audit."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint, text

from engine.store.tables.common import key, metadata
from engine.store.types import Document, Instant

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
    Column("due_at", Instant, comment="empty while a pause holds the limit that it follows: it sleeps"),
    Column("occurrence", Integer, nullable=False, comment="counts the firings of a cycle, from 0"),
    Column("repeats", Integer, comment="firings left after this one; -1 without end"),
    Column("every", String(100), comment="ISO 8601 duration or cron expression of a cycle"),
    key("case_key", comment="of a timer that follows limits: their case; empty: its instant stands"),
    Column("follows", Document, comment="the limits it asked for, and what it needs to be worked out again"),
    Column("calendar_version", Integer, comment="of a timer that follows limits: the calendar it was worked out with"),
    Index(None, "due_at"),
    Index(None, "instance_key"),
    Index(None, "case_key"),
    Index(None, "calendar_version"),
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
