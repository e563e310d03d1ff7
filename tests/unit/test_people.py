from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import islice

import pytest

from tongban_sandbox import people
from tongban_sandbox.people import SyntheticHousehold, SyntheticPerson, households
from tongban_shared.errors import UnknownProvinceError
from tongban_shared.ids import Province, Sex, check_id_number, org_code
from tongban_shared.provinces import load_provinces

COUNT = 12_000
CHILDREN = {people.SON, people.DAUGHTER}
PARENTS = {people.FATHER, people.MOTHER}


@pytest.fixture(scope="module")
def country() -> list[SyntheticHousehold]:
    """The households of one province."""
    return list(households("44", COUNT, seed=7))


@pytest.fixture(scope="module")
def families(country: list[SyntheticHousehold]) -> list[SyntheticHousehold]:
    """Its family households (家庭户)."""
    return [household for household in country if household.kind == "FAMILY"]


@pytest.fixture(scope="module")
def everybody(country: list[SyntheticHousehold]) -> list[SyntheticPerson]:
    """Its people."""
    return [person for household in country for person in household.members]


def years_between(older: SyntheticPerson, younger: SyntheticPerson) -> float:
    """How much younger, in years."""
    return (younger.birth_date - older.birth_date).days / people.YEAR_DAYS


# Numbers


def test_every_number_passes_the_validator_and_says_the_same(everybody: list[SyntheticPerson]) -> None:
    """Check character, sex and birth date agree with the person, though they were summed in another way."""
    for person in everybody:
        checked = check_id_number(person.id_number, people.AS_OF)
        assert (checked.number, checked.sex, checked.birth_date) == (
            person.id_number,
            person.sex,
            person.birth_date,
        )


def test_no_living_person_can_match(everybody: list[SyntheticPerson]) -> None:
    """All numbers are coded at province level, and every record says that it is made up."""
    assert {person.id_number[:6] for person in everybody} == {"440000"}
    assert all(person.record["synthetic"] is True for person in everybody)


def test_no_number_comes_twice_in_the_country(everybody: list[SyntheticPerson]) -> None:
    """Numbers differ within a province and, by their prefix, between provinces."""
    others = [
        person.id_number for household in households("43", COUNT, seed=7) for person in household.members
    ]
    numbers = {*others, *(person.id_number for person in everybody)}
    assert len(numbers) == 2 * COUNT


def test_a_full_birth_date_makes_way_for_the_day_before() -> None:
    """A date has 499 numbers for women; the next woman is a day older, never a double."""
    numbers = people._Numbers(load_provinces()[Province("44")].code)
    taken = [numbers.take(30_000, Sex.FEMALE) for _ in range(500)]
    assert len({number for number, _ in taken}) == 500
    assert {born.date for _, born in taken[:499]} == {people._day(30_000).date}
    assert taken[499][1].date == people._day(29_999).date
    assert check_id_number(taken[499][0], people.AS_OF).sex is Sex.FEMALE


# Seed and count


def test_the_same_seed_gives_the_same_people(country: list[SyntheticHousehold]) -> None:
    """A run can be repeated; another seed or province gives other people."""
    assert list(households("44", COUNT, seed=7)) == country
    assert list(households("44", COUNT, seed=8)) != country
    names = [person.name for household in country for person in household.members]
    assert [p.name for household in households("43", COUNT, seed=7) for p in household.members] != names


@pytest.mark.parametrize("count", [0, 1, 2, 7, 100, 1_001])
def test_exactly_as_many_people_as_asked_for(count: int) -> None:
    """The last household is cut to fit and still has its head."""
    drawn = list(households("11", count, seed=3))
    assert sum(len(household.members) for household in drawn) == count
    assert all(household.members for household in drawn)
    assert all(h.members[0].relation_code == people.HEAD for h in drawn if h.kind == "FAMILY")


@pytest.mark.parametrize("count", [-1, people.PEOPLE_MAX + 1])
def test_more_people_than_numbers_are_refused(count: int) -> None:
    """The count is checked at the call, before anybody is drawn."""
    with pytest.raises(ValueError, match="people"):
        households("11", count, seed=1)


def test_a_province_without_registry_has_no_people() -> None:
    """Only the 31 codes are drawn for."""
    with pytest.raises(UnknownProvinceError):
        households("81", 10, seed=1)


def test_people_come_one_by_one() -> None:
    """Five million are asked for and three households made: nothing is built ahead."""
    assert len(list(islice(households("41", people.PEOPLE_MAX, seed=1), 3))) == 3


# Households


def test_a_family_has_one_head_who_is_of_age(families: list[SyntheticHousehold]) -> None:
    """Exactly one head (户主), first in the list, with full civil capacity."""
    for family in families:
        assert [member.relation_code for member in family.members].count(people.HEAD) == 1
        head = family.members[0]
        assert head.relation_code == people.HEAD
        assert head.birth_date <= date(people.AS_OF.year - 22, people.AS_OF.month, people.AS_OF.day)


def test_a_family_has_one_to_six_members(families: list[SyntheticHousehold]) -> None:
    """All sizes occur; the mean is near the census's 2.6."""
    sizes = Counter(len(family.members) for family in families)
    assert set(sizes) == {1, 2, 3, 4, 5, 6}
    assert 2.3 < sum(size * times for size, times in sizes.items()) / len(families) < 2.9


def test_husband_and_wife_are_told_by_sex(families: list[SyntheticHousehold]) -> None:
    """Relation codes of GB/T 4761 agree with the sex; a spouse is of the other sex and of age to marry."""
    sexes = {"11": "1", "12": "2", "20": "1", "30": "2", "51": "1", "52": "2"}
    for family in families:
        head, *others = family.members
        for member in others:
            assert sexes[member.relation_code] == member.sex
            if member.relation_code in {people.HUSBAND, people.WIFE}:
                assert member.sex != head.sex
                assert check_age(member.birth_date) >= 22
                assert head.record["marital_code"] == member.record["marital_code"] == people.MARRIED


def test_generations_keep_their_distance(families: list[SyntheticHousehold]) -> None:
    """Children are 20 years younger than either parent, the head 20 years younger than his parents."""
    for family in families:
        head, *others = family.members
        couple = [head, *(m for m in others if m.relation_code in {people.HUSBAND, people.WIFE})]
        for member in others:
            if member.relation_code in CHILDREN:
                assert all(years_between(parent, member) > 20 for parent in couple)
            if member.relation_code in PARENTS:
                assert years_between(member, head) > 20


def test_children_bear_their_fathers_surname(families: list[SyntheticHousehold]) -> None:
    """Of a couple the husband's, of a single parent the parent's own."""
    for family in families:
        couple = [m for m in family.members if m.relation_code in {people.HEAD, people.HUSBAND, people.WIFE}]
        father = next((m for m in couple if m.sex is Sex.MALE), couple[0])
        children = [m for m in family.members if m.relation_code in CHILDREN]
        assert all(child.name[0] == father.name[0] for child in children)


def test_some_live_in_collective_households(country: list[SyntheticHousehold]) -> None:
    """集体户: young adults without a head or kin, a few per cent of the people."""
    members = [
        person for household in country if household.kind == "COLLECTIVE" for person in household.members
    ]
    assert 0.01 < len(members) / COUNT < 0.15
    assert {person.relation_code for person in members} == {people.UNRELATED}


def test_a_household_number_names_a_station_of_the_province(country: list[SyntheticHousehold]) -> None:
    """Station code 12 and serial 9 (domain.md §1.3), each once; stations are those of the province's file."""
    stations = {station.code for station in load_provinces()[Province("44")].stations}
    assert {household.station_code for household in country} == stations
    assert len({household.household_no for household in country}) == len(country)
    for household in country:
        assert len(household.household_no) == 21
        assert org_code(household.household_no[:12]) == household.station_code
        assert household.address.startswith("广东省示例市")


def test_a_record_holds_what_provinces_exchange_and_no_more(everybody: list[SyntheticPerson]) -> None:
    """The minimum of domain.md §2.1: no religion, blood type, employer or height."""
    assert {frozenset(person.record) for person in everybody} == {
        frozenset(
            {
                *(
                    "synthetic",
                    "former_name",
                    "ethnicity_code",
                    "birthplace_division",
                    "native_place_division",
                ),
                *("education_code", "marital_code", "military_status", "photo_digest"),
                *("id_card_issued_on", "id_card_expires_on", "id_card_issuer"),
            }
        )
    }


def test_a_card_is_good_for_as_long_as_its_holders_age_allows(everybody: list[SyntheticPerson]) -> None:
    """16 to 25: 10 years, 26 to 45: 20 years, from 46: long-term, which has no end (居民身份证法 Art. 5)."""
    years: dict[str, set[int]] = {"child": set(), "ten": set(), "twenty": set(), "long": set()}
    for person in everybody:
        issued, expires = str(person.record["id_card_issued_on"]), str(person.record["id_card_expires_on"])
        age = check_age(person.birth_date)
        if not issued:
            years["child"].add(age)
        elif not expires:
            years["long"].add(age)
        else:
            years["ten" if int(expires[:4]) - int(issued[:4]) == 10 else "twenty"].add(age)
            assert date.fromisoformat(issued) <= people.AS_OF < date.fromisoformat(expires)
    assert max(years["child"]) < 16 <= min(years["ten"])
    assert max(years["ten"]) < 26 <= min(years["twenty"])
    assert max(years["twenty"]) < 46 <= min(years["long"])


def check_age(born: date) -> int:
    """Full years on the day the people are drawn for."""
    return people.AS_OF.year - born.year - ((people.AS_OF.month, people.AS_OF.day) < (born.month, born.day))
