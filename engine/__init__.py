"""Banjie's engine: BPMN procedures that run on a database, with people, deadlines and a memory.

from engine import Engine
engine = Engine("sqlite://")
engine.migrate()
"""

from __future__ import annotations

from typing import Any

from engine.errors import (
    Conflict,
    DeploymentRejected,
    EngineError,
    InvalidState,
    NotFound,
    NotPermitted,
    Problem,
    ValidationFailed,
)

__all__ = [
    "Conflict",
    "DeploymentRejected",
    "Engine",
    "EngineError",
    "InvalidState",
    "NotFound",
    "NotPermitted",
    "Problem",
    "ValidationFailed",
]


def __getattr__(name: str) -> Any:
    # ``engine.feel`` and the other libraries below the runtime must be importable without pulling in the database.
    if name == "Engine":
        from engine.runtime.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
