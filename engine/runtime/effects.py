"""What a command did to process instances, told to the case desk before the commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass
class InstanceEvent:
    """An instance that was started or has ended in this command.

    ``variables`` is the live mapping of the instance's own variables.  ``state`` is ACTIVE for a started one, else COMPLETED or
    TERMINATED.
    """

    key: int
    process_id: str
    version: int
    definition_key: int
    root_key: int
    parent_key: int | None
    business_key: str | None
    variables: dict[str, Any]
    state: str
    reason: str | None = None


@dataclass
class ActivityEvent:
    """An element was activated, completed or terminated.

    ``properties`` are its ``zeebe:properties`` as they read at that moment; ``evaluate`` runs FEEL in the element's scope.
    """

    kind: str
    key: int
    instance_key: int
    root_key: int
    element_id: str
    element_type: str
    name: str | None
    token: int
    properties: dict[str, Any]
    evaluate: Callable[[str], Any]
    started_at: datetime | None = None


@dataclass
class Effects:
    """All events of one command, in order.

    ``tasks_created`` are ``user_task`` rows not yet inserted (the desk may set ``clock_key`` and ``due_at``);
    ``tasks_ended`` rows with their new state (COMPLETED or CANCELED).  ``messages`` holds ``(element_id, name, root_key)`` of
    messages and timers that fired.  ``flows`` holds ``(process_id, flow_id)`` of every sequence flow that a token passed.
    ``following`` are the ``timer`` rows armed in this command that follow limits; ``written_timers`` the keys of those inserted already.
    """

    started: list[InstanceEvent] = field(default_factory=list)
    ended: list[InstanceEvent] = field(default_factory=list)
    activities: list[ActivityEvent] = field(default_factory=list)
    tasks_created: list[dict[str, Any]] = field(default_factory=list)
    tasks_ended: list[dict[str, Any]] = field(default_factory=list)
    fired: list[dict[str, Any]] = field(default_factory=list)
    flows: list[tuple[str, str]] = field(default_factory=list)
    following: list[dict[str, Any]] = field(default_factory=list)
    written_timers: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.started or self.ended or self.activities or self.tasks_created or self.tasks_ended or self.following)
