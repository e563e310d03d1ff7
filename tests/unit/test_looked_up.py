"""Whose documents a unit of work reads, for commands that rely on one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tongban_registry.commands import Command
from tongban_registry.loaded import Loaded
from tongban_registry.looked_up import holders, looked_up
from tongban_shared.cases.common import MaterialIn, Supplied
from tongban_shared.cases.kind import Case, Side
from tongban_shared.cases.migration_data import MigrationData
from tongban_shared.ids import CaseId

NUMBER = CaseId("44012026030200000001A")
NAMED = MaterialIn(kind="BOOKLET", grade="A", waived_by_licence="1.2.156")
HANDED = MaterialIn(kind="BOOKLET", grade="A")


def known(*persons: str) -> Loaded:
    """A unit that has read one case of these persons."""
    case = Case(
        id=NUMBER,
        kind="migration",
        side=Side.DESTINATION,
        state="CORRECTION",
        version=1,
        item="0101",
        origin="43",
        destination="44",
        persons=persons,
        data=MigrationData(migration_type="SPOUSE"),
        opened_at=datetime(2026, 3, 2, tzinfo=UTC),
    )
    return Loaded(cases={NUMBER: case})


def brings(material: MaterialIn) -> Command:
    """Something handed in late."""
    return Command("materials", body=Supplied((material,), ()), case_id=NUMBER)


@pytest.mark.parametrize(
    ("material", "persons", "read"),
    [(NAMED, ("a", "b"), {"a"}), (NAMED, (), set()), (HANDED, ("a", "b"), set())],
)
def test_only_the_applicant_s_documents_are_read(
    material: MaterialIn, persons: tuple[str, ...], read: set[str]
) -> None:
    """And only where one is named; a registry that was put back may have forgotten who applied (G1)."""
    assert holders(known(*persons), [brings(material), Command("withdraw", case_id=NUMBER)]) == read


def test_what_is_handed_in_is_not_looked_up() -> None:
    """Nor does any other command look anything up."""
    assert looked_up(brings(HANDED)) == []
    assert looked_up(Command("withdraw", case_id=NUMBER)) == []
    assert looked_up(brings(NAMED)) == [NAMED]
