"""Sealed copies of other registries' documents, kept for a window until they are handed out.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

from alembic import op

from tongban_registry.storage.tables import DOCUMENT_COPY

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the table where the first migration, which makes the tables as they are now, has not."""
    DOCUMENT_COPY.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """An older program does not see the table."""
