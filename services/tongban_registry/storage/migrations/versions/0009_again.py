"""An outbox row knows who wanted it again, so that no receipt of before that retires it.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa

from tongban_shared.storage.migrate import add_column

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column: the incarnation of the receiver that asked."""
    add_column("outbox", sa.Column("again", sa.BigInteger, nullable=True))


def downgrade() -> None:
    """An older program does not see the column."""
