"""Cases know what was promised, when their clock stood still and who took them in; people rate them.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tongban_registry.storage.tables import CASES, RATING
from tongban_shared.storage.migrate import add_column

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add columns, index and table where the first migration has not.

    A case of before gets its deadlines when it takes its next step.
    """
    for name in ("promised_at", "statutory_at", "stopped_at"):
        add_column("cases", sa.Column(name, sa.BigInteger, nullable=True))
    for name in ("stops", "accepted_by"):
        add_column("cases", sa.Column(name, sa.Text, nullable=True))
    for index in CASES.indexes:
        index.create(op.get_bind(), checkfirst=True)
    RATING.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """An older program does not see them."""
