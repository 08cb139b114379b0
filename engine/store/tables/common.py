"""What all tables share: the collection they belong to and the shape of a key."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def key(name: str = "key", *args, **kwargs) -> Column:
    return Column(name, BigInteger, *args, autoincrement=False, **kwargs)
