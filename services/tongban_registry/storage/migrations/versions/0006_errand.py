"""Open cases of a person are known by case type, on either side.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from tongban_registry.storage.tables import ERRAND

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Take over what the older table knew, which was of moves alone."""
    connection = op.get_bind()
    ERRAND.create(connection, checkfirst=True)
    if "applicant" in sa.inspect(connection).get_table_names():
        op.execute(
            "INSERT INTO errand (person, kind, case_id) SELECT person, 'migration', case_id FROM applicant"
        )
        op.drop_table("applicant")


def downgrade() -> None:
    """An older program makes its table anew, empty; it then finds no case that is under way already."""
    op.execute("CREATE TABLE applicant (person TEXT PRIMARY KEY, case_id TEXT NOT NULL)")
    op.drop_table("errand")
