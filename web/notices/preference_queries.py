"""The statement behind the page of preferences."""

from __future__ import annotations

from sqlalchemy import Connection

from engine.runtime.telling import preferences


def of(conn: Connection, login: str) -> preferences.Preference:
    """What a person has chosen, else the defaults."""
    return preferences.load(conn, [login]).get(login, preferences.Preference())
