from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tongban_sandbox import volumes
from tongban_shared.catalogue import load_catalogue
from tongban_shared.ids import PROVINCES, Province
from tongban_shared.provinces import load_provinces

DRAWS = 60_000
BEIJING, GUANGXI, GUANGDONG, HENAN = (Province(code) for code in ("11", "45", "44", "41"))


@pytest.fixture(scope="module")
def pairs() -> list[tuple[Province, Province]]:
    """Migrations drawn with one seed."""
    random = Random(20240307)
    return [volumes.draw_migration_pair(random) for _ in range(DRAWS)]


def test_the_margins_are_those_of_the_census() -> None:
    """Residents sum to the census's total, inflow to 12 483.56 of ten thousand (domain.md §1.2)."""
    rows = volumes.province_volumes()
    assert list(rows) == sorted(PROVINCES)
    assert sum(row.residents for row in rows.values()) == 1_409_778_724
    assert sum(row.inflow_10k for row in rows.values()) == pytest.approx(12_483.56)


def test_names_agree_with_the_province_files() -> None:
    """The load and the registries speak of the same provinces."""
    profiles = load_provinces()
    assert all(row.name == profiles[code].name for code, row in volumes.province_volumes().items())


def test_a_registry_holds_who_is_registered_not_who_lives_there() -> None:
    """Guangdong's 29 million from elsewhere are in other registers; Henan's 16 million away in its own."""
    rows = volumes.province_volumes()
    assert rows[GUANGDONG].registered < rows[GUANGDONG].residents - 27_000_000
    assert rows[HENAN].registered > rows[HENAN].residents + 14_000_000


def test_one_in_a_thousand_is_a_country_of_1_410_000() -> None:
    """The scale divides every province's register, rounded, with somebody everywhere."""
    people = volumes.population(1_000)
    assert set(people) == PROVINCES
    assert sum(people.values()) == pytest.approx(1_410_000, rel=0.001)
    assert set(volumes.population(10**10).values()) == {1}


@pytest.mark.parametrize("scale", [0, -1])
def test_a_scale_of_nothing_is_refused(scale: int) -> None:
    """1 : 1 is the largest country."""
    with pytest.raises(ValueError, match="scale"):
        volumes.population(scale)


@pytest.mark.parametrize("origin", sorted(PROVINCES))
def test_a_row_spreads_all_over_the_thirty_others(origin: Province) -> None:
    """Each row sums to 100 %, nobody is left at home, every other province gets somebody."""
    for row in (volumes.flow_row(origin), volumes.migration_row(origin)):
        assert set(row) == PROVINCES - {origin}
        assert min(row.values()) > 0
    assert sum(volumes.flow_row(origin).values()) == pytest.approx(100)


def test_named_shares_stand_and_the_rest_follows_the_inflow() -> None:
    """From Guangxi 82 % go to Guangdong; the unnamed share the last 7 % in proportion to their inflow."""
    row = volumes.flow_row(GUANGXI)
    assert row[GUANGDONG] == 82
    rows = volumes.province_volumes()
    first, second = BEIJING, Province("43")
    assert row[first] / row[second] == pytest.approx(rows[first].inflow_10k / rows[second].inflow_10k)


def test_a_migration_is_half_flow_half_share_of_moves() -> None:
    """0.5 × row + 0.5 × mDst% (domain.md §5.4)."""
    assert volumes.migration_row(GUANGXI)[GUANGDONG] == pytest.approx(0.5 * 82 + 0.5 * 17.2)
    assert volumes.migration_row(GUANGXI)[BEIJING] < volumes.migration_row(Province("13"))[BEIJING]


def test_nobody_migrates_to_where_he_is(pairs: list[tuple[Province, Province]]) -> None:
    """Origin and destination differ in every draw."""
    assert all(origin != destination for origin, destination in pairs)


def test_origins_come_as_often_as_the_table_says(pairs: list[tuple[Province, Province]]) -> None:
    """By mOrg%, within four standard deviations of the draw."""
    drawn = Counter(origin for origin, _ in pairs)
    for code, row in volumes.province_volumes().items():
        share = row.migration_origin_pct / 100
        assert abs(drawn[code] / DRAWS - share) < 4 * (share / DRAWS) ** 0.5, code


def test_destinations_come_as_often_as_the_row_says(pairs: list[tuple[Province, Province]]) -> None:
    """Of those who leave Henan, by its row, within four standard deviations of the draw."""
    drawn = Counter(destination for origin, destination in pairs if origin == HENAN)
    leaving = drawn.total()
    row = volumes.migration_row(HENAN)
    for code, weight in row.items():
        share = weight / sum(row.values())
        assert abs(drawn[code] / leaving - share) < 4 * (share / leaving) ** 0.5, code


def test_the_same_seed_draws_the_same_cases() -> None:
    """A load can be repeated."""
    runs = []
    for _ in range(2):
        random = Random(5)
        runs.append(
            [
                (
                    volumes.draw_migration_pair(random),
                    volumes.draw_migration_type(random),
                    volumes.draw_outcome(random),
                )
                for _ in range(50)
            ]
        )
    assert runs[0] == runs[1]


def test_the_mix_has_every_type_of_the_catalogue_and_is_whole() -> None:
    """100 % over all types; students are the largest group (domain.md §5.2)."""
    assert set(volumes.MIGRATION_TYPES) == load_catalogue().migration_types
    assert sum(volumes.MIGRATION_TYPES.values()) == pytest.approx(100)
    assert max(volumes.MIGRATION_TYPES, key=volumes.MIGRATION_TYPES.__getitem__) == "STUDENT_GRADUATION"


def test_a_province_with_few_types_is_asked_for_those() -> None:
    """Types are drawn among the supported ones, in the same proportion."""
    random = Random(1)
    supported = load_provinces()[Province("54")].capabilities.migration_types
    drawn = Counter(volumes.draw_migration_type(random, supported) for _ in range(5_000))
    assert set(drawn) == supported
    assert drawn["STUDENT_GRADUATION"] / drawn["SPOUSE"] == pytest.approx(22 / 18, rel=0.15)


def test_most_migrations_are_granted() -> None:
    """88 of 97.3; a correction on the way has nothing to do with the end."""
    random = Random(2)
    ends = Counter(volumes.draw_outcome(random) for _ in range(20_000))
    assert set(ends) == {"COMPLETED", "REFUSED", "WITHDRAWN", "EXPIRED"}
    assert ends["COMPLETED"] / ends.total() == pytest.approx(88 / 97.3, abs=0.01)
    corrected = sum(volumes.draw_correction(random) for _ in range(20_000))
    assert corrected / 20_000 == pytest.approx(0.18, abs=0.015)


def test_the_national_rate_is_that_of_the_domain() -> None:
    """1.73 million migrations are 0.257 a second in office hours; all cases of 2023 are 0.562 (§5.1)."""
    assert volumes.cases_per_s(volumes.CASES_PER_YEAR["migration"]) == pytest.approx(0.257, abs=0.0005)
    assert volumes.cases_per_s(sum(volumes.CASES_PER_YEAR.values())) == pytest.approx(0.562, abs=0.0005)


def test_the_mix_is_that_of_2023_and_migration_has_what_nobody_draws() -> None:
    """45.8, 21.2, 19.6 and 12.7 %; the 0.8 of the newborn are migration's until there are such (§5.1)."""
    whole = volumes.mix_of(volumes.CASES_PER_YEAR)
    assert {name: round(100 * share, 1) for name, share in whole.items()} == {
        "migration": 45.8,
        "id_card": 21.2,
        "certificate": 19.6,
        "temporary_id": 12.7,
        "newborn": 0.8,
    }
    without = volumes.mix_of([name for name in whole if name != "newborn"])
    assert sum(without.values()) == pytest.approx(1)
    assert without["migration"] == pytest.approx(whole["migration"] + whole["newborn"])


def test_people_ask_where_they_live_for_what_their_home_answers() -> None:
    """Home by home%, the accepting place by its row, within four standard deviations (§5.4)."""
    random = Random(9)
    pairs = [volumes.draw_floating_pair(random) for _ in range(DRAWS)]
    homes = Counter(home for home, _ in pairs)
    for code, row in volumes.province_volumes().items():
        share = row.home_pct / 100
        assert abs(homes[code] / DRAWS - share) < 4 * (share / DRAWS) ** 0.5 + 0.001, code
    of_guangxi = [place for home, place in pairs if home == GUANGXI]
    assert of_guangxi.count(GUANGDONG) / len(of_guangxi) == pytest.approx(0.82, abs=0.03)
