"""The organisation: people, sections, roles, deputies."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Date, Index, Integer, String, Table, Text

from engine.store.tables.common import key, metadata
from engine.store.types import Instant

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
