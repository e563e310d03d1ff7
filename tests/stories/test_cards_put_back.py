"""Cards whose window was put back, and whose owner moved meanwhile: one home registry is right (G1)."""

from __future__ import annotations

from tests.stories.backups import backup, put_back
from tests.stories.windows import ask_for, report, seen
from tests.stories.world import Country

A, B, C = "32", "33", "44"
REPLACE = "0302"
APPROVE = {"outcome": "approve", "officer": "home-1"}


async def test_a_card_approved_in_a_lost_past_is_taken_back(country: Country) -> None:
    """B forgot that it asked A, asked C, and handed C's card over: A's approval ends too (seed 3143)."""
    person = country.person(A)
    country.ledger.down = True
    case = await ask_for(country, REPLACE, person, B)
    copy = backup(country, B)
    country.ledger.down = False
    await country.until(A, case, "APPROVED")
    await seen(country, B, case, "IN_PRODUCTION")
    await country.move(person, C)
    await country.calm()
    country.wire.wipe()
    await put_back(country, B, copy)
    await country.until(B, case, "REQUESTED")
    await country.until(C, case, "APPROVED", "CHECKING")
    await country.act(C, case, "decision", APPROVE)
    await seen(country, B, case, "IN_PRODUCTION")
    for step in ("made", "handed_over"):
        assert await report(country, B, case, step) == 202
    await country.until(C, case, "COMPLETED")
    await country.pass_time(days=65, step_hours=24)
    await country.until(A, case, "WITHDRAWN")


async def test_a_window_that_knows_its_case_by_the_approval_asks_nobody(country: Country) -> None:
    """B forgot what was asked for; A, put back too, sends it on: the applicant comes anew (seed 3068)."""
    person = country.person(A)
    copies = {code: backup(country, code) for code in (A, B)}
    case = await ask_for(country, REPLACE, person, B)
    await seen(country, B, case, "IN_PRODUCTION")
    requested = country.wire.taken("requested", case)
    await country.calm()
    country.wire.hold("requested")
    country.wire.wipe()
    await put_back(country, B, copies[B])
    await country.calm()
    await country.resend()
    await country.until(B, case, "IN_PRODUCTION")
    await country.move(person, C)
    country.wire.wipe()
    await put_back(country, A, copies[A])
    await country.calm()
    await country.wire.deliver(requested)
    view = await seen(country, B, case, "REFUSED")
    assert view["refusal"]["code"] == "APPLICATION_LOST"
