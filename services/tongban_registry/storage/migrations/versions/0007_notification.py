"""Applicants are told of their cases: how each wants to be, and what is still to be told.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from alembic import op

from tongban_registry.storage.tables import CONTACT, NOTIFICATION

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables where the first migration, which makes the tables as they are now, has not."""
    CONTACT.create(op.get_bind(), checkfirst=True)
    NOTIFICATION.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """An older program does not see the tables."""
