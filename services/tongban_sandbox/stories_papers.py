"""Stories of what the home registry answers from afar: cards, temporary cards, a neighbour city's window."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tongban_sandbox.choosing import GUANGDONG, JIANGSU, ZHEJIANG, age_of
from tongban_shared.ids import Sex

if TYPE_CHECKING:
    from tongban_sandbox.people import SyntheticHousehold, SyntheticPerson
    from tongban_sandbox.teller import Teller

REPLACED, LOST_CARD, TEMPORARY, MARITAL, NEWBORN = "0302", "0303", "0401", "0620", "0501"
STUDENT, WORKER = range(18, 27), range(30, 46)
ZHENJIANG, NANJING = "321100000100", "3201"


async def student_prints_a_temporary_card(teller: Teller) -> None:
    """A student whose card is lost holds a temporary one before the train leaves, far from home."""
    teller.title("A student's temporary card, before the train leaves", JIANGSU, GUANGDONG)
    student = _member(teller.choose(JIANGSU, lambda home: _has(home, STUDENT)), STUDENT)
    card = await teller.request(LOST_CARD, [student], GUANGDONG, details={"lost": True})
    asked_at = time.monotonic()
    case_id = await teller.request(TEMPORARY, [student], GUANGDONG, details={"match_percent": 97})
    await teller.gets_to(case_id, "AUTHORISED")
    teller.say(f"the home registry gave the right to print after {time.monotonic() - asked_at:.2f} s")
    temporary = await teller.document(case_id)
    await teller.report(case_id, "printed")
    await teller.completes(case_id)
    teller.check(await teller.holds(temporary), "whoever checks it hears: valid 有效")
    await teller.decide(card, "approve", JIANGSU)
    await teller.gets_to(card, "IN_PRODUCTION")
    await teller.report(card, "made", "handed_over")
    await teller.completes(card)
    teller.check(not await teller.holds(temporary), "with the real card in hand, the temporary one has ended")
    await teller.lives_in(student, JIANGSU)


async def worker_picks_up_a_new_card(teller: Teller) -> None:
    """A worker's card is lost far from home: dead at once, reviewed at home, made where they live."""
    teller.title("A card lost far from home, picked up where it was lost", GUANGDONG, ZHEJIANG)
    worker = _member(teller.choose(GUANGDONG, lambda home: _has(home, WORKER)), WORKER)
    old_case = await teller.request(REPLACED, [worker], ZHEJIANG)
    await teller.gets_to(old_case, "IN_PRODUCTION")
    await teller.report(old_case, "made", "handed_over")
    await teller.completes(old_case)
    old = await teller.document(old_case)
    teller.check(await teller.holds(old), "the card that they have is valid")
    case_id = await teller.request(LOST_CARD, [worker], ZHEJIANG, details={"lost": True})
    await teller.decide(case_id, "approve", GUANGDONG)
    teller.check(not await teller.holds(old), "what was reported lost is dead, whoever finds it")
    await teller.gets_to(case_id, "IN_PRODUCTION")
    await teller.report(case_id, "made")
    teller.say("the next day: it lies at the counter")
    await teller.report(case_id, "handed_over")
    await teller.completes(case_id)
    teller.check(await teller.holds(await teller.document(case_id)), "the new card is valid")


async def window_serves_the_neighbour_city(teller: Teller) -> None:
    """Married, living between two cities: the near window takes it in for the other city's authority."""
    teller.title("One window for two cities", JIANGSU, JIANGSU)
    home = teller.choose(
        JIANGSU, lambda found: found.station_code.startswith(NANJING) and _has(found, WORKER)
    )
    person = _member(home, WORKER)
    case_id = await teller.request(
        MARITAL,
        [person],
        JIANGSU,
        org=ZHENJIANG,
        details={"changes": {"marital_code": "20"}},
        grade="B",
    )
    await teller.report(case_id, "paper_sent", "paper_received")
    await teller.decide(case_id, "approve")
    view = await teller.gets_to(case_id, "COMPLETED")
    served = view["on_behalf_of"]
    teller.check(str(served).startswith(NANJING), f"taken in by {ZHENJIANG} on behalf of {served}")


async def twins_are_born_elsewhere(teller: Teller) -> None:
    """Twins are born in a third province: registered with their mother, known to both parents' registries."""
    teller.title("Twins, born and taken in far from either parent's home", ZHEJIANG, GUANGDONG)
    mother = _member(teller.choose(ZHEJIANG, lambda home: _has(home, WORKER, Sex.FEMALE)), WORKER, Sex.FEMALE)
    father = _member(teller.choose(JIANGSU, lambda home: _has(home, WORKER, Sex.MALE)), WORKER, Sex.MALE)
    born = datetime.now(UTC).date() - timedelta(days=9)
    twins = [
        {"birth_certificate_no": number, "name": name, "sex": sex, "birth_date": born.isoformat()}
        for number, name, sex in (("T000000001", "示例大", "2"), ("T000000002", "示例小", "1"))
    ]
    case_id = await teller.request(
        NEWBORN,
        [mother],
        GUANGDONG,
        details={
            "follows": "MOTHER",
            "married": True,
            "birthplace": GUANGDONG,
            "other_parent": {"id_number": father.id_number, "name": father.name},
            "children": twins,
        },
    )
    await teller.completes(case_id)
    home = await teller.household(ZHEJIANG, await teller.household_no(ZHEJIANG, mother))
    teller.check(
        sum(member.id_number[6:14] == f"{born:%Y%m%d}" for member in home) == len(twins),
        "both stand in their mother's booklet",
    )


def _has(home: SyntheticHousehold, ages: range, sex: Sex | None = None) -> bool:
    return home.kind == "FAMILY" and any(_fits(member, ages, sex) for member in home.members)


def _member(home: SyntheticHousehold, ages: range, sex: Sex | None = None) -> SyntheticPerson:
    return next(member for member in home.members if _fits(member, ages, sex))


def _fits(member: SyntheticPerson, ages: range, sex: Sex | None) -> bool:
    return age_of(member) in ages and sex in {None, member.sex}


PAPER_STORIES = (
    student_prints_a_temporary_card,
    worker_picks_up_a_new_card,
    window_serves_the_neighbour_city,
    twins_are_born_elsewhere,
)
