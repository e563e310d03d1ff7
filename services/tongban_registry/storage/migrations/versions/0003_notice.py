"""Holds and their ends are numbered at their door, so that none overtakes another on its way to the holder.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

from alembic import op

from tongban_registry.storage.tables import NOTICE

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the table where the first migration, which makes the tables as they are now, has not."""
    NOTICE.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """An older program does not see the table."""
