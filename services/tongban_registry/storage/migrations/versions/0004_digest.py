"""An outbox row knows its message's digest, so that no receipt for another one under its number retires it.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa

from tongban_shared.storage.migrate import add_column

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    add_column("outbox", sa.Column("digest", sa.Text, nullable=True))


def downgrade() -> None:
    """An older program does not see the column."""
