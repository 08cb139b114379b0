"""The values the engine hands out.  Frozen: changing one changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.errors import Problem


@dataclass(frozen=True)
class DeployedDefinition:
    """One versioned thing of a deployment; ``new`` is false when the content was already deployed."""

    key: int
    kind: str
    id: str
    version: int
    name: str
    new: bool


@dataclass(frozen=True)
class Deployment:
    """The answer to a deployment; ``warnings`` are the findings that did not refuse it."""

    key: int
    deployed_at: datetime
    definitions: tuple[DeployedDefinition, ...]
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Instance:
    """A process instance.  ``state``: ACTIVE, COMPLETED, TERMINATED or SUSPENDED; instants are aware UTC."""

    key: int
    process_id: str
    version: int
    state: str
    variables: dict[str, Any] = field(hash=False)
    business_key: str | None
    parent_key: int | None
    root_key: int
    revision: int
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class UserTask:
    """A task for a person.  ``state``: CREATED, COMPLETED or CANCELED."""

    key: int
    instance_key: int
    root_key: int
    process_id: str
    element_id: str
    name: str
    state: str
    assignee: str | None
    candidate_groups: tuple[str, ...]
    candidate_users: tuple[str, ...]
    form_id: str | None
    due_at: datetime | None
    follow_up_at: datetime | None
    priority: int
    created_at: datetime
    ended_at: datetime | None
    completed_by: str | None
    revision: int
    properties: dict[str, Any] = field(hash=False)
    variables: dict[str, Any] = field(hash=False, default_factory=dict)


@dataclass(frozen=True)
class Job:
    """Work for a worker, leased until ``leased_until``; ``attempts`` counts how often it was handed out, this time included."""

    key: int
    instance_key: int | None
    element_id: str | None
    type: str
    retries: int
    headers: dict[str, str] = field(hash=False)
    variables: dict[str, Any] = field(hash=False)
    worker: str | None
    leased_until: datetime | None
    attempts: int = 0
    root_key: int | None = None


@dataclass(frozen=True)
class Activity:
    """One passage of an element.  ``state``: ACTIVE, COMPLETED or TERMINATED."""

    key: int
    instance_key: int
    element_id: str
    element_type: str
    name: str | None
    state: str
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Incident:
    """Something an instance cannot get past by itself.

    ``job_key`` names the job that has no retries left; without it the element itself failed.  ``details`` may hold ``stack`` (the
    chain of calls and scopes, outermost first), ``cause``, ``expression`` and ``seen`` (the values the expression saw).
    """

    key: int
    instance_key: int
    element_id: str
    type: str
    message: str
    created_at: datetime
    resolved_at: datetime | None
    root_key: int | None = None
    token: int | None = None
    job_key: int | None = None
    details: dict[str, Any] | None = field(hash=False, default=None)
    resolved_by: str | None = None
    process_id: str | None = None
