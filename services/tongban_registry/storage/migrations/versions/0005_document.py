"""Documents that this registry has issued.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

from alembic import op

from tongban_registry.storage.tables import DOCUMENT

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table where the first migration, which makes the tables as they are now, has not."""
    DOCUMENT.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """An older program does not see the table."""
