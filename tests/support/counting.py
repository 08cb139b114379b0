"""Which statements a budget counts."""

from __future__ import annotations

LOOK = "max(deployment."


def is_periodic(statement: str) -> bool:
    """The look for what another node has deployed: once a second by the machine's own time, so a slow machine meets it in the middle."""
    return LOOK in statement
