"""Messages to build tests of: 32 writes to 33."""

from __future__ import annotations

from datetime import UTC, datetime

from tongban_shared.messages.envelope import Envelope
from tongban_shared.messages.migration import Facts, PersonFacts

CASE = "33012026030200000001T"
AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def envelope(seq: int) -> Envelope:
    """The envelope of the n-th message from 32 to 33."""
    return Envelope(
        id=f"32-33-1-{seq}",
        type=Facts.name,
        body_v=1,
        case_id=CASE,
        sender="32",
        receiver="33",
        org="320100000000",
        purpose="MIGRATION",
        basis="P2",
        seq=seq,
        at=AT,
    )


def facts(number: int, contact: str = "户政科") -> Facts:
    """Facts on the n-th person."""
    person = PersonFacts(person=f"{number:032x}", status="OK", epoch=number, record_version=1)
    return Facts(persons=(person,), contact=contact)
