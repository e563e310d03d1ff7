"""Units of work are chained by hash, so that a registry can tell that its database was put back.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa

from tongban_shared.storage.migrate import add_column

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column."""
    add_column("unit", sa.Column("chain", sa.Text, nullable=False, server_default=""))


def downgrade() -> None:
    """An older program does not see the column."""
