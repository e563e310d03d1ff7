"""Nobody waits without deadline, owner and next action: what must hold of all registers at all times (C3)."""

from __future__ import annotations

from tests.stories.world import Country

FORGOTTEN = "SELECT id FROM cases WHERE closed_at IS NULL AND (due_at IS NULL OR waits = 'NOBODY')"
ENDED_AND_OWED = (
    "SELECT id FROM cases WHERE closed_at IS NOT NULL AND (due_at IS NOT NULL OR waits <> 'NOBODY')"
)
# Who is frozen or bound stands in an open case; so does who was released, until the destination has settled.
WITHOUT_CASE = """
    SELECT key FROM person WHERE state IN ('FROZEN', 'RELEASED', 'PREPARED')
    AND NOT EXISTS (SELECT 1 FROM cases WHERE cases.id = person.case_id AND cases.closed_at IS NULL)
"""


def forgotten(country: Country) -> list[str]:
    """Open cases without limit or owner, ended ones with them, persons in transfer without an open case."""
    queries = (FORGOTTEN, ENDED_AND_OWED, WITHOUT_CASE)
    rows = (country.registers.rows(code, query) for code in country.sites for query in queries)
    return [str(row[0]) for found in rows for row in found]


def states_seen(country: Country) -> set[str]:
    """Every state that any case of the country ever was in."""
    rows = (country.registers.rows(code, "SELECT DISTINCT state FROM timeline") for code in country.sites)
    return {str(row[0]) for found in rows for row in found}
