"""Helpers of the stories in which somebody sends what must not be taken."""

from __future__ import annotations

from tests.stories.folk import Resident
from tests.stories.world import Country
from tongban_shared.ids import CaseId
from tongban_shared.messages.migration import (
    Precheck,
)
from tongban_shared.messages.persons import PersonAsked

A, B, C = "32", "33", "44"
DIGEST = "0" * 64
CASE = "44012026030299999999A"


async def goes_on(country: Country, reasons: list[str], at: str = B) -> None:
    """The province refused for these reasons, lives, and a move through it still works."""
    await country.calm()
    assert country.registers.quarantine(at) == reasons
    metrics = country.sites[at].live.hall.meters.quarantined.collect()
    counted = [sample for metric in metrics for sample in metric.samples if sample.name.endswith("_total")]
    totals = {sample.labels["reason"]: sample.value for sample in counted}
    assert totals == {reason: reasons.count(reason) for reason in reasons}
    person = country.person(A)
    await country.move(person, B)
    assert country.registers.holder(person.key) == (B, 1)


def precheck(person: Resident) -> Precheck:
    """A question about one person."""
    asked = (PersonAsked(person=person.key, name_check=person.check),)
    return Precheck(migration_type="HOUSING", persons=asked)


async def stopped_at(country: Country, person: Resident, *names: str) -> CaseId:
    """A case whose messages of these names are held; the last name is on its way."""
    country.wire.hold(*names)
    case = await country.apply(person, B)
    await country.wait(lambda: any(x.name == names[-1] for x in country.wire.held), names[-1])
    return case
