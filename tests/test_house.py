"""The rules of the house (``docs/architecture.md``) that a machine can keep."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from engine import Engine
from engine.store import schema
from engine.store.database import Database
from engine.store.tables import metadata

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for folder in ("engine", "web") for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts)

EVERYBODY = {"engine.words", "engine.errors"}
BELOW = {"engine.bpmn", "engine.dmn", "engine.forms", "engine.deadlines", "engine.organisation"}
ARROWS: dict[str, set[str]] = {
    "engine.words": set(),
    "engine.errors": {"engine.words"},
    "engine.feel": EVERYBODY,
    "engine.bpmn": EVERYBODY | {"engine.feel"},
    "engine.dmn": EVERYBODY | {"engine.feel"},
    "engine.forms": EVERYBODY | {"engine.feel"},
    "engine.deadlines": EVERYBODY,
    "engine.organisation": EVERYBODY,
    "engine.store": EVERYBODY,
    "engine.runtime": EVERYBODY | BELOW | {"engine.feel", "engine.store", "engine"},
    "engine.workers": EVERYBODY | {"engine.runtime"},
    "engine": EVERYBODY | {"engine.runtime"},
    "web": EVERYBODY | BELOW | {"engine", "engine.runtime", "engine.workers", "engine.feel"},
}
"""Who may import whom; ``web`` reaches ``engine.store`` in its queries only."""

WALL_CLOCK = {
    "engine/runtime/nodeclock.py": "the clock of real use, which is injected",
    "engine/feel/runtime.py": "the default of FEEL outside an engine",
    "web/demo_clock.py": "the real time that the demo clock moves from",
    "web/scheduler.py": "how long ago this node's own thread woke",
    "web/health/views.py": "how long ago this node's own thread woke",
}
"""The only files that may ask the machine for the time."""


def part_of(module: str) -> str | None:
    """The part of the house a module belongs to: ``engine.feel.lexer`` → ``engine.feel``."""
    names = module.split(".")
    if names[0] == "web":
        return "web"
    if names[0] != "engine":
        return None
    return ".".join(names[:2])


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def test_the_arrows_run_downward():
    wrong = []
    for path in SOURCES:
        module = module_of(path)
        here = part_of(module)
        for line, target in imports(path):
            there = part_of(target)
            if there is None or there == here:
                continue
            if there not in ARROWS:  # a name of the package itself: from engine import Engine
                there = "engine"
            queries = here == "web" and "queries" in path.stem
            if there not in ARROWS[here] and not (there == "engine.store" and queries):
                wrong.append(f"{path.relative_to(ROOT)}:{line}: {here} may not import {target}")
    assert wrong == []


def test_the_engine_knows_no_web_framework():
    forbidden = {"flask", "flask_babel", "flask_wtf", "werkzeug", "jinja2", "waitress", "web"}
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == "engine"
        for line, name in imports(path)
        if name.split(".")[0] in forbidden
    ]
    assert wrong == []


def test_no_procedure_is_known_to_the_code():
    keys = sorted(sheet.parent.name for sheet in (ROOT / "processes").glob("*/procedure.yaml"))
    assert keys
    pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, keys))})\b")
    scripts = [*SOURCES, *(ROOT / "scripts").rglob("*.py")]
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in scripts
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert wrong == []


def test_nobody_asks_the_machine_for_the_time():
    asking = re.compile(r"\b(?:datetime\.now|datetime\.utcnow|datetime\.today|date\.today|utcnow|time\.time|time\.sleep)\(")
    wrong = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in SOURCES
        if path.relative_to(ROOT).as_posix() not in WALL_CLOCK
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if asking.search(line)
    ]
    assert wrong == []
    assert [name for name in WALL_CLOCK if not (ROOT / name).exists()] == []


def test_nobody_evaluates_python():
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec", "compile", "__import__")
    ]
    assert wrong == []


def test_no_stub_is_left():
    marks = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b|raise NotImplementedError\(\"")
    # A narrow exception may pass when the line says why.
    silent = re.compile(r"except[^\n]*:\s*\n\s*pass[ \t]*\n")
    wrong = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if marks.search(path.read_text("utf-8")) or silent.search(path.read_text("utf-8"))
    ]
    assert wrong == []


# --- the schema --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def migrated(empty_database_url) -> Iterator[Connection]:
    """A connection to a database that the migrations alone have made."""
    from alembic import command

    database = Database(empty_database_url)
    with database.writing() as connection:
        command.upgrade(schema.config(connection), "head")
    with database.reading() as connection:
        yield connection
    database.dispose()


def test_the_migrations_lead_to_the_tables(migrated):
    context = MigrationContext.configure(migrated, opts={"compare_type": True, "compare_server_default": True})
    assert compare_metadata(context, metadata) == []


def described(connection: Connection) -> dict:
    """Everything of a schema that matters, in one comparable value."""
    seen = inspect(connection)
    return {
        table: {
            "columns": {column["name"]: (str(column["type"]), column["nullable"], column["default"]) for column in seen.get_columns(table)},
            "key": seen.get_pk_constraint(table),
            "indexes": sorted((index["name"], tuple(index["column_names"]), bool(index["unique"])) for index in seen.get_indexes(table)),
            "unique": sorted((unique["name"], tuple(unique["column_names"])) for unique in seen.get_unique_constraints(table)),
            "foreign": sorted(str(key) for key in seen.get_foreign_keys(table)),
        }
        for table in sorted(seen.get_table_names())
        if table != "alembic_version"
    }


def test_migrated_and_created_are_the_same(migrated, database_url):
    created = Database(database_url)
    with created.reading() as connection:
        assert described(migrated) == described(connection)
        revisions = [other.execute(text("SELECT version_num FROM alembic_version")).all() for other in (migrated, connection)]
    created.dispose()
    assert revisions[0] == revisions[1]


def test_migrating_again_changes_nothing(engine):
    engine.migrate()
    engine.migrate()


def test_every_instant_of_the_schema_has_a_time_zone():
    from sqlalchemy import DateTime

    from engine.store.types import Instant

    assert [str(column) for table in metadata.tables.values() for column in table.c if isinstance(column.type, DateTime)] == []
    assert any(isinstance(column.type, Instant) for column in metadata.tables["instance"].c)


def test_the_public_face_is_there():
    import engine

    for name in engine.__all__:
        assert getattr(engine, name)
    promised = (
        "migrate deploy start user_tasks claim unclaim assign complete publish_message broadcast_signal activate_jobs complete_job fail_job "
        "throw_error run_due instance instances activities incidents cancel suspend resume evaluate evaluate_decision"
    )
    assert [name for name in promised.split() if not callable(getattr(Engine, name, None))] == []
