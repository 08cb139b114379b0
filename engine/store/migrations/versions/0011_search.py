"""the values by which a case is found, and since when outsiders see it"""

import sqlalchemy as sa
from alembic import op

from engine.store.types import Document, Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

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

INDEXES = (("word",), ("name", "word"), ("name", "number"))


def upgrade() -> None:
    op.create_table(
        "case_term",
        sa.Column("case_key", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False, comment="key of the searchable field in the procedure sheet"),
        sa.Column("word", sa.String(length=200), nullable=False, comment="the value in small letters, width and space evened out; a day as 2026-11-22"),
        sa.Column("kind", sa.String(length=10), nullable=False, comment="text, exact, date or number"),
        sa.Column("number", sa.Float(), nullable=True, comment="the amount, of a number"),
        sa.PrimaryKeyConstraint("case_key", "name", "word", name=op.f("pk_case_term")),
    )
    for names in INDEXES:
        op.create_index(op.f("_".join(("ix_case_term", *names))), "case_term", list(names))
    terms = "searchable values: [name, word, kind, number] each; see case_term"
    by = "the procedure sheet whose searchable fields they are; another than the one in use: to be worked out again"
    since = "since when people outside the office may see what the sheet makes public"
    op.add_column("case_file", sa.Column("terms", Document, nullable=True, comment=terms))
    op.add_column("case_file", sa.Column("terms_by", sa.BigInteger(), nullable=True, comment=by))
    op.add_column("case_file", sa.Column("public_at", Instant(), nullable=True, comment=since))
    op.create_index(op.f("ix_case_file_procedure_id_public_at"), "case_file", ["procedure_id", "public_at"])
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(sa.DDL(statement.replace("%", "%%")))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER case_terms_follow ON case_file")
        op.execute("DROP FUNCTION case_terms_follow()")
    else:
        for name in ("opened", "changed", "removed"):
            op.execute(f"DROP TRIGGER case_terms_{name}")
    op.drop_index(op.f("ix_case_file_procedure_id_public_at"), table_name="case_file")
    for name in ("public_at", "terms_by", "terms"):
        op.drop_column("case_file", name)
    op.drop_table("case_term")
