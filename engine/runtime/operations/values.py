"""The values that operations hand out.  Frozen: changing one changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engine.words import Words


@dataclass(frozen=True)
class LiveToken:
    """A token of a running instance.

    ``scope`` is the id of the token it runs in (``None``: it is the process itself), ``waits`` what it waits for besides
    (``timer``, ``message``, ``signal``, ``condition``), ``variables`` those of its own scope only.
    """

    id: int
    element_id: str
    label: str
    element_type: str
    scope: int | None
    incident: bool
    waits: tuple[str, ...]
    variables: dict[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Target:
    """An element at which a token may be started; ``scope`` is the element id of its sub-process, empty for the process."""

    element_id: str
    label: str
    element_type: str
    scope: str


@dataclass(frozen=True)
class VariableChange:
    """One recorded change.  ``scope``: element id, empty for the process instance, ``*`` for what the instance was started with."""

    key: int
    instance_key: int
    scope: str
    name: str
    value: Any = field(hash=False)
    at: datetime
    by: str | None


@dataclass(frozen=True)
class MigrationElement:
    """An element of the old version and where its tokens go (``new`` is ``None``: nowhere)."""

    old: str
    label: str
    element_type: str
    new: str | None


@dataclass(frozen=True)
class MigrationProblem:
    """A finding about one element.  An ``error`` forbids the migration, a ``warning`` concerns only cases that stand there."""

    element_id: str
    message: Words
    severity: str = "error"


@dataclass(frozen=True)
class MigrationPlan:
    """How the tokens of one version of a process find their places in another.

    ``mapping`` holds old element id → new element id, automatic pairs included; ``elements`` all elements of the old version;
    ``candidates`` maps each old id to the new ids of its kind.
    """

    process_id: str
    from_version: int
    to_version: int
    mapping: dict[str, str] = field(hash=False)
    given: dict[str, str] = field(hash=False, default_factory=dict)
    elements: tuple[MigrationElement, ...] = ()
    problems: tuple[MigrationProblem, ...] = ()
    candidates: dict[str, tuple[str, ...]] = field(hash=False, default_factory=dict)

    @property
    def sound(self) -> bool:
        """Whether nothing forbids it."""
        return not any(problem.severity == "error" for problem in self.problems)

    def to_dict(self) -> dict[str, Any]:
        """The arguments of ``Engine.plan_migration`` that give this plan again."""
        return {
            "process_id": self.process_id,
            "from_version": self.from_version,
            "to_version": self.to_version,
            "mapping": dict(self.given),
        }


@dataclass(frozen=True)
class MigrationCheck:
    """Whether one instance can follow a plan; ``tokens`` are the ids of the elements it stands on."""

    instance_key: int
    problems: tuple[MigrationProblem, ...] = ()
    tokens: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not any(problem.severity == "error" for problem in self.problems)


@dataclass(frozen=True)
class Batch:
    """An operation over many instances.  ``state``: RUNNING, DONE or CANCELED; ``done`` and ``failed`` count finished items."""

    key: int
    kind: str
    state: str
    total: int
    done: int
    failed: int
    parameters: dict[str, Any] = field(hash=False)
    created_at: datetime
    created_by: str | None
    ended_at: datetime | None

    @property
    def open(self) -> int:
        """Items that are still to be done."""
        return self.total - self.done - self.failed

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        return 1.0 if not self.total else (self.done + self.failed) / self.total

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Batch:
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class BatchItem:
    """One instance of a batch.  ``state``: OPEN, DONE or FAILED (``message`` says why)."""

    batch_key: int
    instance_key: int
    state: str
    message: str | None


@dataclass(frozen=True)
class CleanUp:
    """What waits to be deleted: ``due`` cases are past their removal date, ``dated`` have one still to come, the first ``next_at``."""

    due: int
    dated: int
    next_at: datetime | None
