"""The first schema: everything that tables.py names at version 0.1.

Revision ID: 0001
Revises: none
"""

from __future__ import annotations

from alembic import op

from tongban_registry.storage.tables import FILL_FACTORS, METADATA

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Create all tables and indexes."""
    connection = op.get_bind()
    METADATA.create_all(connection)
    if connection.dialect.name == "postgresql":
        for table, percent in FILL_FACTORS.items():
            op.execute(f"ALTER TABLE {table} SET (fillfactor = {percent})")


def downgrade() -> None:
    """A register is never dropped by a migration."""
    raise NotImplementedError("restore a backup instead: a register is never dropped by a migration")
