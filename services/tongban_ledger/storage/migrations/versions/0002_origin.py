"""Each line of the log says who held the person before, so that a province can ask for its own hand-overs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# The holder at the epoch before is the origin; the column only spares the search.
FILL = """
UPDATE custody_log SET origin = (
    SELECT past.holder FROM custody_log AS past
    WHERE past.digest = custody_log.digest AND past.epoch = custody_log.epoch - 1
) WHERE epoch > 0
"""


def upgrade() -> None:
    """Add the column and fill it from the log itself."""
    op.add_column("custody_log", sa.Column("origin", sa.Text, nullable=True))
    op.execute(FILL)
