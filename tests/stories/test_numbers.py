"""Numbers stay one person's or one case's, whatever is put back how often."""

from __future__ import annotations

from tests.stories.backups import backup, put_back
from tests.stories.world import Country

A, B = "32", "33"


async def test_a_backup_put_back_twice_gives_no_number_twice(country: Country) -> None:
    """What was given after the first time is gone as well, and nobody else has heard of it."""
    copy = backup(country, B)
    given = [await country.apply(country.person(A), B) for _ in range(3)]
    country.wire.hold("precheck")
    for _ in range(2):
        await put_back(country, B, copy)
        given += [await country.apply(country.person(A), B) for _ in range(3)]
    assert len(set(given)) == len(given)
