"""Several booths are one room: who moved it, the host's key, and the sittings of every booth."""

import sqlalchemy as sql
from alembic.operations import Operations


def upgrade(operations: Operations) -> None:
    """From version 5."""
    there = sql.inspect(operations.get_bind()).get_table_names()
    if "secrets" not in there:
        operations.create_table(
            "secrets",
            sql.Column("id", sql.Integer, primary_key=True),
            sql.Column("voters", sql.String(64), nullable=False),
        )
    if "pardons" not in there:
        operations.create_table("pardons", sql.Column("until", sql.String(32), primary_key=True))
    operations.add_column("secrets", sql.Column("host", sql.String(64)))
    moved_by = sql.Column("moved_by", sql.String(64), nullable=False, server_default="")
    operations.add_column("room", moved_by)
    operations.create_table(
        "sittings",
        sql.Column("id", sql.String(64), primary_key=True),
        sql.Column("version", sql.Integer, nullable=False),
        sql.Column("booth", sql.String(64), nullable=False),
        sql.Column("deadline", sql.String(32), nullable=False),
        sql.Column("until", sql.String(32)),
        sql.Column("code", sql.String(16), nullable=False),
        sql.Column("approved", sql.Boolean, nullable=False),
        sql.Column("rejected", sql.Boolean, nullable=False),
        sql.Column("facts", sql.Text, nullable=False),
        sql.Column("names", sql.JSON, nullable=False),
        sql.Column("shown", sql.JSON, nullable=False),
    )
    leases = operations.create_table(
        "leases",
        sql.Column("name", sql.String(16), primary_key=True),
        sql.Column("until", sql.String(32), nullable=False),
    )
    operations.bulk_insert(leases, [{"name": "sweep", "until": "2000-01-01T00:00:00+00:00"}])
