"""Tables of the custody ledger, the same on SQLite and PostgreSQL. The migrations create exactly these.

No personal data: a person is a keyed digest whose secret the ledger does not have.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text, UniqueConstraint

METADATA = MetaData()

# The newest entry of each person: what a lookup reads.
CUSTODY = Table(
    "custody",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("certificate_digest", Text, nullable=False),
)

# Every entry, append-only. A place (digest, epoch) is taken once, whatever the code above may do (I1).
LOG = Table(
    "custody_log",
    METADATA,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("certificate_digest", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),  # µs since 1970, UTC; for people only
    Column("hash", Text, nullable=False),
    Column("origin", Text, nullable=True),  # who held the person before; none at a first registration
    UniqueConstraint("digest", "epoch", name="custody_log_place"),
)

# Who has a birth certificate. digest: of the certificate; person: of the child, empty until it is entered.
BIRTH = Table(
    "birth",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("recorded_at", BigInteger, nullable=False),  # µs since 1970, UTC; for people only
)

# One row: the end of the log. A writer locks it first, so two processes on one database take turns.
HEAD = Table(
    "custody_head",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", Text, nullable=False),
)
