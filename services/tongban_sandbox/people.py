"""Synthetic people and households of one province, the same for the same seed. No living person can match.

Id numbers begin with PP0000: people are coded at county level, so nobody has such a number (domain.md §1.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from random import Random
from typing import Literal, NamedTuple, TypeVar

from tongban_shared.ids import ID_CHECKS, ID_WEIGHTS, OrgCode, Province, Sex, province
from tongban_shared.provinces import ProvinceProfile, load_provinces
from tongban_shared.validity import age_on

T = TypeVar("T")
HouseholdKind = Literal["FAMILY", "COLLECTIVE"]
Record = dict[str, str | bool]

AS_OF = date(2025, 1, 1)
"""The day on which the ages below hold; everybody is born before it."""

PEOPLE_MAX = 5_000_000
"""More would crowd the 999 numbers that a birth date has."""

FIRST_DAY = date(1915, 1, 1)
LAST_DAY = (AS_OF - FIRST_DAY).days - 1
YEAR_DAYS = 365.2425
SEQUENCE_MAX = 999

SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩冯邓曹彭曾肖田董潘袁蔡蒋余"
    "于杜叶程魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫雷段龙"
)
MALE_NAMES = "伟强磊军勇杰涛超明刚平辉鹏华飞鑫波斌宇浩凯健俊帆帅旭宁林阳建国志文海峰博晨轩睿泽楠子豪"
FEMALE_NAMES = "芳娜敏静丽艳娟霞燕玲婷雪慧莹红梅洁琳倩颖佳欣怡悦蕾晶璐萍丹茜雅琪梓涵诗若云月秀英兰凤珍"

# Of 100 families. H head, S spouse, C child, F and M the head's father and mother; sizes are near the census.
FAMILIES = (
    *("H",) * 25,
    *("HS",) * 20,
    *("HC",) * 9,
    *("HM",) * 2,
    *("HSC",) * 21,
    *("HSCC",) * 10,
    *("HSCM",) * 3,
    *("HSCFM",) * 5,
    *("HSCCM",) * 2,
    *("HSCCFM",) * 3,
)
COLLECTIVE_SHARE = 0.004
"""Share of collective households (集体户); at 20 to 60 members each they hold about 6 % of the people."""

TWO_CHARACTER_SHARE = 0.8
SERVED_SHARE = 0.05

# GB/T 4761, relation to the head (与户主关系).
HEAD, HUSBAND, WIFE, SON, DAUGHTER, FATHER, MOTHER, UNRELATED = "02", "11", "12", "20", "30", "51", "52", "99"
# GB/T 2261.2, marital status. GB/T 4658, education, by years of age and of 20 adults.
SINGLE, MARRIED, WIDOWED, DIVORCED = "10", "20", "30", "40"
SCHOOL_BY_AGE = (*("90",) * 6, *("80",) * 6, *("70",) * 3, *("60",) * 3)
SCHOOL_OF_ADULTS = (*("70",) * 9, *("60",) * 4, *("40",) * 2, *("30",) * 2, *("20",) * 2, "80")
# GB/T 3304, of 100 households; 01 is Han.
ETHNICITIES = (*("01",) * 91, "02", "03", "04", "05", "06", "07", "08", "11", "15")


@dataclass(slots=True)
class SyntheticPerson:
    """One made-up person. relation_code: GB/T 4761, to the head; 99 in a collective household.

    record: what else provinces exchange of the permanent resident form (常住人口登记表), JSON types, marked
    `"synthetic": true`; empty text where there is nothing to say. Source: domain.md §2.1.
    """

    id_number: str
    name: str
    sex: Sex
    birth_date: date
    relation_code: str
    record: Record = field(repr=False)


@dataclass(slots=True)
class SyntheticHousehold:
    """One made-up household (户). household_no: station code 12, serial 9. A family's head comes first."""

    household_no: str
    kind: HouseholdKind
    address: str
    station_code: OrgCode
    members: list[SyntheticPerson]


def households(province_code: str, people_count: int, seed: int) -> Iterator[SyntheticHousehold]:
    """Yield households of a province with `people_count` members in all, 0 to 5 million.

    Same arguments, same people; no id number comes twice in the country. Raises ValueError on another count,
    UnknownProvinceError.
    """
    if not 0 <= people_count <= PEOPLE_MAX:
        raise ValueError(f"want 0 to {PEOPLE_MAX} people")
    return _Census(_profiles()[province(province_code)], seed).take(people_count)


@cache
def _profiles() -> Mapping[Province, ProvinceProfile]:
    return load_provinces()


@dataclass(frozen=True, slots=True)
class _Day:
    """What follows from a birth date alone: digits and weight in the number, age, the card's dates."""

    date: date
    digits: str
    weight: int
    age: int
    card: Record


@cache
def _day(index: int) -> _Day:
    born = FIRST_DAY + timedelta(days=index)
    digits = f"{born:%Y%m%d}"
    age = age_on(born, AS_OF)
    return _Day(born, digits, _weight(digits, 6), age, _card(born, age))


def _card(born: date, age: int) -> Record:
    """The card of today: from 16 for 10 years, from 26 for 20, from 46 for life (居民身份证法 Art. 5)."""
    issued = max((start for start in (16, 26, 46) if start <= age), default=0)
    until = {16: 26, 26: 46}.get(issued)
    return {
        "id_card_issued_on": _birthday(born, issued) if issued else "",
        "id_card_expires_on": _birthday(born, until) if until else "",
    }


def _birthday(born: date, age: int) -> str:
    leap_day = (born.month, born.day) == (2, 29)
    return born.replace(year=born.year + age, day=28 if leap_day else born.day).isoformat()


def _weight(digits: str, place: int) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, ID_WEIGHTS[place:], strict=False))


_SEQUENCE_WEIGHTS = tuple(_weight(f"{sequence:03d}", 14) for sequence in range(SEQUENCE_MAX + 1))


class _Numbers:
    """Allots one province's id numbers, each once, odd for men, even for women, with their check characters.

    The check is summed from parts that are known beforehand; a test holds it against the validator.
    """

    def __init__(self, province_code: Province) -> None:
        self._prefix = f"{province_code}0000"
        self._prefix_weight = _weight(self._prefix, 0)
        self._next_odd = [1] * (LAST_DAY + 1)
        self._next_even = [2] * (LAST_DAY + 1)

    def take(self, day: int, sex: Sex) -> tuple[str, _Day]:
        """Return a number and the birth date in it: `day`, or the nearest earlier one with a number left."""
        following = self._next_odd if sex is Sex.MALE else self._next_even
        while following[day] > SEQUENCE_MAX:
            day -= 1
        sequence = following[day]
        following[day] = sequence + 2
        born = _day(day)
        check = ID_CHECKS[(self._prefix_weight + born.weight + _SEQUENCE_WEIGHTS[sequence]) % 11]
        return f"{self._prefix}{born.digits}{sequence:03d}{check}", born


class _Role(NamedTuple):
    """A member before name and number are given; `day` is an index, later is younger."""

    relation: str
    sex: Sex
    day: int
    surname: str
    marital: str


class _Census:
    """Draws one province's households from one seeded source."""

    def __init__(self, profile: ProvinceProfile, seed: int) -> None:
        self._profile = profile
        self._source = Random(f"{seed}:{profile.code}")
        self._random = self._source.random
        self._numbers = _Numbers(profile.code)

    def take(self, people_count: int) -> Iterator[SyntheticHousehold]:
        left, serial = people_count, 0
        while left:
            serial += 1
            collective = self._random() < COLLECTIVE_SHARE
            # A last household that would be too large is cut; it keeps its head, who comes first.
            roles = self._collective()[:left] if collective else self._family(self._pick(FAMILIES)[:left])
            left -= len(roles)
            yield self._household("COLLECTIVE" if collective else "FAMILY", serial, roles)

    def _household(self, kind: HouseholdKind, serial: int, roles: list[_Role]) -> SyntheticHousehold:
        stations = self._profile.stations
        station = stations[serial % len(stations)].code
        road, house, room = serial // 4000 + 1, serial // 40 % 100 + 1, serial % 40 + 101
        address = f"{self._profile.name}示例市示例{road}路{house}号{room}室"
        shared: Record = {
            "synthetic": True,
            "ethnicity_code": self._pick(ETHNICITIES),
            "birthplace_division": f"{self._profile.code}0000",
            "native_place_division": f"{self._profile.code}0000",
            "id_card_issuer": self._profile.county_bureau,
        }
        members = [self._person(role, shared) for role in roles]
        return SyntheticHousehold(f"{station}{serial:09d}", kind, address, station, members)

    def _person(self, role: _Role, shared: Record) -> SyntheticPerson:
        random = self._random
        number, born = self._numbers.take(role.day, role.sex)
        man = role.sex is Sex.MALE
        given = MALE_NAMES if man else FEMALE_NAMES
        name = (
            role.surname + self._pick(given) + (self._pick(given) if random() < TWO_CHARACTER_SHARE else "")
        )
        adult = born.age >= len(SCHOOL_BY_AGE)
        record: Record = {
            **shared,
            **born.card,
            "former_name": "",
            "education_code": self._pick(SCHOOL_OF_ADULTS) if adult else SCHOOL_BY_AGE[born.age],
            "marital_code": role.marital,
            "military_status": "SERVED" if man and adult and random() < SERVED_SHARE else "NONE",
            "photo_digest": f"{self._source.getrandbits(128):032x}",
        }
        return SyntheticPerson(number, name, role.sex, born.date, role.relation, record)

    def _family(self, letters: str) -> list[_Role]:
        roles = self._couple(letters)
        return [*roles, *self._children(letters.count("C"), roles), *self._parents(letters, roles[0])]

    def _couple(self, letters: str) -> list[_Role]:
        """The head, 22 or older, and the spouse; both parents of any children."""
        sex, day, surname = self._sex(0.7), self._born_years_ago(25, 54), self._pick(SURNAMES)
        if "S" in letters:
            other = Sex.FEMALE if sex is Sex.MALE else Sex.MALE
            day = day if "C" in letters else self._born_years_ago(25, 85)
            # Within three years of each other, so that the younger one is 22 at least.
            gap = int((self._random() - 0.5) * 6 * YEAR_DAYS)
            spouse = _Role(
                WIFE if other is Sex.FEMALE else HUSBAND, other, day + gap, self._pick(SURNAMES), MARRIED
            )
            return [_Role(HEAD, sex, day, surname, MARRIED), spouse]
        if letters == "H":
            day = self._born_years_ago(22, 88)
            return [_Role(HEAD, sex, day, surname, self._pick((SINGLE, SINGLE, WIDOWED, DIVORCED)))]
        return [_Role(HEAD, sex, day, surname, DIVORCED if "C" in letters else SINGLE)]

    def _children(self, count: int, couple: Sequence[_Role]) -> list[_Role]:
        """Children bear the father's surname, and are at least 21 years younger than either parent."""
        surname = next((parent.surname for parent in couple if parent.sex is Sex.MALE), couple[0].surname)
        born = max(parent.day for parent in couple) + int((21 + 12 * self._random()) * YEAR_DAYS)
        children = []
        for _ in range(count):
            born = min(born, LAST_DAY - int(self._random() * 300))
            sex = self._sex(0.52)
            children.append(_Role(SON if sex is Sex.MALE else DAUGHTER, sex, born, surname, SINGLE))
            born += 700 + int(self._random() * 1200)
        return children

    def _parents(self, letters: str, head: _Role) -> list[_Role]:
        parents = []
        if "F" in letters:
            parents.append(_Role(FATHER, Sex.MALE, self._elder(head.day), head.surname, MARRIED))
        if "M" in letters:
            marital = MARRIED if "F" in letters else WIDOWED
            parents.append(_Role(MOTHER, Sex.FEMALE, self._elder(head.day), self._pick(SURNAMES), marital))
        return parents

    def _collective(self) -> list[_Role]:
        """20 to 60 young adults who share an address and nothing else."""
        return [
            _Role(UNRELATED, self._sex(0.5), self._born_years_ago(18, 35), self._pick(SURNAMES), SINGLE)
            for _ in range(20 + int(self._random() * 41))
        ]

    def _sex(self, share_of_men: float) -> Sex:
        return Sex.MALE if self._random() < share_of_men else Sex.FEMALE

    def _born_years_ago(self, low: int, high: int) -> int:
        return LAST_DAY - int((low + (high - low) * self._random()) * YEAR_DAYS)

    def _elder(self, day: int) -> int:
        return day - int((21 + 12 * self._random()) * YEAR_DAYS)

    def _pick(self, choices: Sequence[T]) -> T:
        return choices[int(self._random() * len(choices))]
