"""Tables of one province's registry, the same on SQLite and PostgreSQL.

Times are microseconds since 1970 in UTC; structured values are JSON text; person keys are keyed digests.
The first migration creates exactly this.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, MetaData, Table, Text, text

METADATA = MetaData()
IN_TRANSFER = "state IN ('FROZEN', 'RELEASED', 'PREPARED')"
CALL_BACK_OWED = "due_at IS NOT NULL AND answered_at IS NULL"
# Percent of a page filled at first (PostgreSQL), so that rows that change often are updated in place.
FILL_FACTORS = {"person": 80, "cases": 70, "outbox": 80}


def _key(name: str) -> Column[str]:
    return Column(name, Text, primary_key=True)


def _text(name: str, *, null: bool = False) -> Column[str]:
    return Column(name, Text, nullable=null)


def _big(name: str, *, null: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=null)


def _serial() -> Column[int]:
    """A growing row number: an identity on PostgreSQL, the rowid on SQLite."""
    return Column("n", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True)


PERSON = Table(
    "person",
    METADATA,
    _key("key"),
    _big("version"),
    _big("epoch"),
    _text("state"),
    _big("record_version"),
    _text("name_check"),
    _text("birth_date"),
    _text("household_id"),
    Column("head", Integer, nullable=False),
    Column("hold", Integer, nullable=False),
    _text("case_id", null=True),
    _text("moved_to", null=True),
    _text("proof_digest"),
    _big("valid_from", null=True),
    _big("valid_to", null=True),
    Index("person_household", "household_id"),
    # Only persons in transfer: an index over all states would tempt the planner away from the key.
    Index("person_in_transfer", "state", sqlite_where=text(IN_TRANSFER), postgresql_where=text(IN_TRANSFER)),
)

# Apart from the row that every step changes: the resident form (personal, large), and the newest certificate.
RECORD = Table("record", METADATA, _key("person"), _text("record"))
PROOF = Table("proof", METADATA, _key("person"), _text("proof"))

HOUSEHOLD = Table(
    "household",
    METADATA,
    _key("id"),
    _text("kind"),
    _text("station"),
    _text("address"),
    Column("open", Integer, nullable=False),
)

HISTORY = Table(
    "history",
    METADATA,
    _serial(),
    _text("person"),
    _big("epoch"),
    _text("state"),
    _text("case_id", null=True),
    _text("verb"),
    _text("proof_digest"),
    _big("at"),
    Index("history_person", "person"),
)

# Of each person and door: the last hold, or end of one, that took effect, so that none overtakes it (E1).
NOTICE = Table(
    "notice",
    METADATA,
    _key("person"),
    _key("entered_by"),
    _big("incarnation"),
    _big("number"),
)

# Signed documents as issued: personal, and fetched by who knows the identifier. Times None: without end.
DOCUMENT = Table(
    "document",
    METADATA,
    _key("licence_id"),
    _text("case_id"),
    _text("person"),
    _text("kind"),
    _text("document"),
    _text("status"),
    _big("issued_at"),
    _big("valid_until", null=True),
    Index("document_person", "person"),
)

# Documents of other registries, kept for a window until they are handed out; then only that there was one.
# status: as this registry knows it, as of when; nobody but the issuer knows more.
DOCUMENT_COPY = Table(
    "document_copy",
    METADATA,
    _key("licence_id"),
    _text("case_id"),
    _text("person"),
    _text("kind"),
    _text("document", null=True),
    _text("status"),
    _big("as_of"),
    _big("kept_until", null=True),
    Index("document_copy_case", "case_id"),
    Index(
        "document_copy_kept",
        "kept_until",
        sqlite_where=text("kept_until IS NOT NULL"),
        postgresql_where=text("kept_until IS NOT NULL"),
    ),
)

CASES = Table(
    "cases",
    METADATA,
    _key("id"),
    _text("kind"),
    _text("side"),
    _text("state"),
    _big("version"),
    _text("item"),
    _text("origin", null=True),
    _text("destination"),
    _text("persons"),
    _text("data"),
    _text("waits"),
    _text("refusal", null=True),
    _big("retry_at", null=True),
    _big("opened_at"),
    _big("due_at", null=True),
    _big("closed_at", null=True),
    _big("promised_at", null=True),
    _big("statutory_at", null=True),
    _big("stopped_at", null=True),
    _text("stops", null=True),
    _text("accepted_by", null=True),
    Index(
        "cases_promised",
        "promised_at",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
    Index(
        "cases_due",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index(
        "cases_open",
        "state",
        sqlite_where=text("closed_at IS NULL"),
        postgresql_where=text("closed_at IS NULL"),
    ),
)

# Which open case a person has here, of each type that counts, so that a second one finds the first.
ERRAND = Table(
    "errand",
    METADATA,
    _key("person"),
    _key("kind"),
    _text("case_id"),
    Index("errand_case", "case_id"),
)

TIMELINE = Table(
    "timeline",
    METADATA,
    _serial(),
    _text("case_id"),
    _big("at"),
    _text("province"),
    _text("event"),
    _text("actor"),
    _text("state"),
    _text("sent", null=True),
    Index("timeline_case", "case_id"),
)

# One rating (好差评) for each case. due_at: until when a bad one is called back (回访), None for the others.
RATING = Table(
    "rating",
    METADATA,
    _key("case_id"),
    _big("score"),
    _text("channel"),
    _text("indicators"),
    _text("comment", null=True),
    _big("at"),
    _big("due_at", null=True),
    _big("answered_at", null=True),
    _text("answered_by", null=True),
    _text("answer", null=True),
    Index(
        "rating_owed",
        "due_at",
        sqlite_where=text(CALL_BACK_OWED),
        postgresql_where=text(CALL_BACK_OWED),
    ),
)

# A commitment (告知承诺) that was false: its person gets no second one. due_at: until when an officer sees to
# what was entered by it; None where it was revoked, or nothing was granted.
FALSE_COMMITMENT = Table(
    "false_commitment",
    METADATA,
    _key("case_id"),
    _text("person"),
    _big("at"),
    _text("found_by"),
    _text("found"),
    _big("due_at", null=True),
    _big("answered_at", null=True),
    _text("answered_by", null=True),
    _text("answer", null=True),
    Index("false_commitment_person", "person"),
    Index(
        "false_commitment_owed",
        "due_at",
        sqlite_where=text(CALL_BACK_OWED),
        postgresql_where=text(CALL_BACK_OWED),
    ),
)

CLAIM = Table("claim", METADATA, _key("case_id"), _text("officer"), _text("org"), _big("until"))

INBOX = Table(
    "inbox",
    METADATA,
    _key("message_id"),
    _text("digest"),
    _text("case_id", null=True),
    _big("at"),
    Index("inbox_case", "case_id"),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    _key("message_id"),
    _text("receiver"),
    _big("seq"),
    _text("family"),
    _text("case_id", null=True),
    _big("unit"),
    _big("leaf"),
    _text("path"),
    _text("raw"),
    _big("made_at"),
    _big("next_try_at", null=True),
    _big("tries"),
    _big("receipted_at", null=True),
    _text("returned", null=True),
    _text("digest", null=True),
    _big("again", null=True),
    Index(
        "outbox_pending",
        "next_try_at",
        sqlite_where=text("next_try_at IS NOT NULL"),
        postgresql_where=text("next_try_at IS NOT NULL"),
    ),
    Index("outbox_case", "case_id"),
)

UNIT = Table(
    "unit",
    METADATA,
    Column("n", BigInteger, primary_key=True),
    _text("header"),
    _big("stamp"),
    _big("at"),
    # Covers this unit and all before it; a database put back to before one does not have its hash.
    Column("chain", Text, nullable=False, server_default=""),
)

PARKED = Table(
    "parked",
    METADATA,
    _key("message_id"),
    _text("case_id"),
    _text("parcel"),
    _big("tries"),
    _big("at"),
    Index("parked_case", "case_id"),
)

QUARANTINE = Table(
    "quarantine",
    METADATA,
    _serial(),
    _text("reason"),
    _text("sender", null=True),
    _text("message_id", null=True),
    _text("parcel"),
    _big("at"),
)

IDEMPOTENCY = Table(
    "idempotency",
    METADATA,
    _key("key"),
    _text("digest"),
    _big("status"),
    _text("reply"),
    _text("case_id", null=True),
    _big("at"),
)

ACCESS_LOG = Table(
    "access_log",
    METADATA,
    _serial(),
    _text("person"),
    _text("actor"),
    _text("purpose"),
    _text("case_id", null=True),
    _text("result"),
    _big("at"),
    Index("access_log_person", "person"),
)

POSITIONS = Table("positions", METADATA, _key("family"), _text("log_id"), _big("next"))

META = Table("meta", METADATA, _key("key"), _text("value"))

# How an applicant wants to be told: the address sealed for this registry alone, kept while there is something
# to tell.
CONTACT = Table(
    "contact",
    METADATA,
    _key("case_id"),
    _text("channel"),
    _text("language"),
    _text("sealed"),
)

# What applicants are told, with nothing personal in it. next_try_at: None once sent or given up.
NOTIFICATION = Table(
    "notification",
    METADATA,
    _key("id"),
    _text("case_id"),
    _big("version"),
    _text("channel"),
    _text("change"),
    Column("urgent", Integer, nullable=False),
    Column("last", Integer, nullable=False),
    _big("made_at"),
    _big("next_try_at", null=True),
    _big("tries"),
    _big("sent_at", null=True),
    _text("failed", null=True),
    Index(
        "notification_waiting",
        "next_try_at",
        sqlite_where=text("next_try_at IS NOT NULL"),
        postgresql_where=text("next_try_at IS NOT NULL"),
    ),
    Index(
        "notification_failed",
        "failed",
        sqlite_where=text("failed IS NOT NULL"),
        postgresql_where=text("failed IS NOT NULL"),
    ),
    Index("notification_case", "case_id"),
)
