"""The values by which staff find a case (``search`` of the procedure sheet), as an index beside the case file.

The desk writes them once, into ``case_file.terms``; the database itself keeps ``case_term`` in step with that column, as it keeps any
other index.  So opening a case or finishing a task costs no statement more, and no writer can forget the index.
"""

from __future__ import annotations

from sqlalchemy import DDL, Column, Connection, Float, Index, MetaData, String, Table, event

from engine.store.tables.common import key, metadata

WORD = 200
"""Characters kept of a searchable text."""

case_term = Table(
    "case_term",
    metadata,
    key("case_key", primary_key=True),
    Column("name", String(60), primary_key=True, comment="key of the searchable field in the procedure sheet"),
    Column("word", String(WORD), primary_key=True, comment="the value in small letters, width and space evened out; a day as 2026-11-22"),
    Column("kind", String(10), nullable=False, comment="text, exact, date or number"),
    Column("number", Float, comment="the amount, of a number"),
    Index(None, "word"),
    Index(None, "name", "word"),
    Index(None, "name", "number"),
)

_COLUMNS = "case_key, name, word, kind, number"
TRIGGERS: dict[str, tuple[str, ...]] = {
    "sqlite": (
        f"""CREATE TRIGGER case_terms_opened AFTER INSERT ON case_file WHEN json_type(NEW.terms) = 'array' BEGIN
        INSERT INTO case_term ({_COLUMNS}) SELECT NEW."key", json_extract(value, '$[0]'), json_extract(value, '$[1]'),
            json_extract(value, '$[2]'), json_extract(value, '$[3]') FROM json_each(NEW.terms); END""",
        f"""CREATE TRIGGER case_terms_changed AFTER UPDATE OF terms ON case_file BEGIN
        DELETE FROM case_term WHERE case_key = NEW."key";
        INSERT INTO case_term ({_COLUMNS}) SELECT NEW."key", json_extract(value, '$[0]'), json_extract(value, '$[1]'),
            json_extract(value, '$[2]'), json_extract(value, '$[3]') FROM json_each(NEW.terms) WHERE json_type(NEW.terms) = 'array'; END""",
        """CREATE TRIGGER case_terms_removed AFTER DELETE ON case_file BEGIN DELETE FROM case_term WHERE case_key = OLD."key"; END""",
    ),
    "postgresql": (
        f"""CREATE FUNCTION case_terms_follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP <> 'INSERT' THEN DELETE FROM case_term WHERE case_key = OLD."key"; END IF;
        IF TG_OP <> 'DELETE' AND jsonb_typeof(NEW.terms) = 'array' THEN
            INSERT INTO case_term ({_COLUMNS}) SELECT NEW."key", value->>0, value->>1, value->>2, (value->>3)::double precision
            FROM jsonb_array_elements(NEW.terms) AS each(value);
        END IF;
        RETURN NULL; END $$""",
        "CREATE TRIGGER case_terms_follow AFTER INSERT OR UPDATE OF terms OR DELETE ON case_file FOR EACH ROW EXECUTE FUNCTION case_terms_follow()",
    ),
}
"""Dialect → what keeps ``case_term`` in step with ``case_file.terms``: ``[name, word, kind, number]`` for each value.

Whoever rebuilds ``case_file`` on SQLite (a migration that alters a column copies the table) has to make them again.
"""


@event.listens_for(metadata, "after_create")
def _create_triggers(target: MetaData, connection: Connection, **_: object) -> None:
    for statement in TRIGGERS.get(connection.dialect.name, ()):
        connection.execute(DDL(statement.replace("%", "%%")))
