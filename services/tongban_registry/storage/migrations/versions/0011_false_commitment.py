"""People who committed themselves falsely are on record, and what they got by it is somebody's task.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

from alembic import op

from tongban_registry.storage.tables import FALSE_COMMITMENT

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the table where the first migration has not."""
    FALSE_COMMITMENT.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """An older program does not see it."""
