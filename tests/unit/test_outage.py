"""What is away is said once."""

from __future__ import annotations

from structlog.testing import capture_logs

from tongban_registry.outage import Outage
from tongban_shared.errors import LedgerDownError


def test_an_outage_is_told_when_it_begins_and_when_it_ends() -> None:
    """However often it is asked in vain: one line at the start, one at the end, and so again next time."""
    outage = Outage("custody ledger", "44")
    with capture_logs() as lines:
        outage.ended()
        for _ in range(2):
            for _ in range(3):
                outage.began(LedgerDownError("secret words"))
            outage.ended()
    told = ["not reached, trying on", "reached again"] * 2
    assert [line["event"] for line in lines] == told
    assert {line["reason"] for line in lines} == {"custody ledger"}
    assert "secret words" not in str(lines)
