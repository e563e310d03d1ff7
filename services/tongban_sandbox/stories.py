"""Stories, each from application to its end, told through the gateway alone.

The same stories run in one process (`tongban demo`) and over real parts (`tongban live`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tongban_sandbox.choosing import GUANGDONG, JIANGSU, ZHEJIANG, age_of
from tongban_sandbox.people import HEAD, HUSBAND, UNRELATED, WIFE, SyntheticHousehold, SyntheticPerson
from tongban_sandbox.stories_papers import PAPER_STORIES
from tongban_shared.documents.document import present
from tongban_shared.ids import Sex

if TYPE_CHECKING:
    from tongban_sandbox.teller import Teller

CHILDREN, GRADUATES, MIDDLE_AGED, ELDERLY, THREE = range(15), range(22, 28), range(25, 46), 60, 3
PARENT_TO_CHILD, TALENT, JOB_TRANSFER, SPOUSE = "0105", "0108", "0101", "0104"
KINSHIP = "0203"


async def mother_moves_in(teller: Teller) -> None:
    """A mother joins her child in another province, with one visit; an officer decides."""
    teller.title("A mother joins her child: one visit to a window", JIANGSU, GUANGDONG)
    mother = teller.choose(JIANGSU, _is_elderly_woman_alone).members[0]
    child = teller.choose(GUANGDONG, _is_family_of_three)
    case_id = await teller.apply(
        PARENT_TO_CHILD,
        [mother],
        GUANGDONG,
        channel="window",
        address=child.address,
        household_no=child.household_no,
        grades={"KINSHIP_PROOF": "B"},
    )
    await teller.reaches(case_id, "REVIEWING")
    teller.say("the kinship proof was checked against an original (grade B), so an officer decides")
    await teller.decide(case_id, "approve")
    await teller.completes(case_id)
    await teller.lives_in(mother, GUANGDONG)
    home = await teller.household(GUANGDONG, child.household_no)
    teller.check(mother.id_number in {m.id_number for m in home}, "the mother stands in her child's booklet")


async def graduate_settles_first(teller: Teller) -> None:
    """A graduate settles first and looks for work later: by app, decided at once, no officer."""
    teller.title("A graduate settles first, through the app", ZHEJIANG, JIANGSU)
    graduate = _graduate(teller)
    case_id = await teller.apply(TALENT, [graduate], JIANGSU, channel="online", address="示例市人才路1号")
    await teller.completes(case_id)
    await teller.lives_in(graduate, JIANGSU)
    home = await teller.household(JIANGSU, await teller.household_no(JIANGSU, graduate))
    teller.check([m.head for m in home] == [True], "the graduate heads a household of one")


async def household_follows_its_head(teller: Teller) -> None:
    """The head of a household moves on ahead; the origin names a new head; later the rest follow and join."""
    teller.title("A household whose head moves on ahead", GUANGDONG, ZHEJIANG)
    family = teller.choose(GUANGDONG, _is_couple_with_child)
    head, *rest = family.members
    ahead = await teller.apply(JOB_TRANSFER, [head], ZHEJIANG, channel="online", address="示例市新家路8号")
    await teller.completes(ahead)
    await teller.lives_in(head, ZHEJIANG)
    staying = await teller.household(GUANGDONG, family.household_no)
    named = [m.id_number for m in staying if m.head]
    adults = {m.id_number for m in rest if m.relation_code in (HUSBAND, WIFE)}
    teller.check(len(named) == 1 and named[0] in adults, "the origin has named the spouse as new head 户主")
    new_home = await teller.household_no(ZHEJIANG, head)
    teller.say(f"the rest follow, into the head's household (its number is in the booklet: {new_home})")
    second = await teller.apply(
        SPOUSE, rest, ZHEJIANG, channel="window", address="示例市新家路8号", household_no=new_home
    )
    await teller.completes(second)
    for member in rest:
        await teller.lives_in(member, ZHEJIANG)
    joined = await teller.household(ZHEJIANG, new_home)
    everybody = {m.id_number for m in family.members}
    teller.check({m.id_number for m in joined} == everybody, "the whole family is in one booklet again")
    teller.check([m.id_number for m in joined if m.head] == [head.id_number], "with its old head")
    teller.check(not await teller.household(GUANGDONG, family.household_no), "nobody is left at the origin")


async def school_asks_who_the_parents_are(teller: Teller) -> None:
    """A family living elsewhere needs a certificate of kinship; the school checks it, and sees two names."""
    teller.title("A certificate of kinship for a school, without a trip home", JIANGSU, GUANGDONG)
    family = teller.choose(JIANGSU, _is_couple_with_child)
    parent, child = family.members[0], next(m for m in family.members if age_of(m) in CHILDREN)
    case_id = await teller.request(KINSHIP, [parent, child], GUANGDONG, channel="online")
    await teller.completes(case_id)
    document = await teller.document(case_id)
    names = ("person_1.name", "person_2.name")
    shown = present(document, names)
    teller.say(f"the parent shows the school {len(names)} of {len(document.fields)} fields")
    teller.check(await teller.holds(shown), "the school asks the issuer: genuine and valid 有效")
    named = {field.name: field.value for field in shown.fields}
    teller.check(
        named == dict(zip(names, (parent.name, child.name), strict=True)), "it names parent and child"
    )
    other = replace(shown.fields[0], value=f"{shown.fields[0].value}某")
    forged = replace(shown, fields=(other, *shown.fields[1:]))
    teller.check(not await teller.holds(forged), "with another name on it, it is refused 无效")


STORIES = (
    mother_moves_in,
    graduate_settles_first,
    household_follows_its_head,
    school_asks_who_the_parents_are,
    *PAPER_STORIES,
)


async def tell_all(teller: Teller) -> None:
    """Tell all of them; after each one everybody has exactly one home. Raises StoryError."""
    await teller.count_homes("before")
    for story in STORIES:
        await story(teller)
        await teller.count_homes("after")


def _graduate(teller: Teller) -> SyntheticPerson:
    """A young member of a collective household (集体户), such as a university's."""
    home = teller.choose(ZHEJIANG, lambda home: any(_is_graduate(m) for m in home.members))
    return next(m for m in home.members if _is_graduate(m))


def _is_graduate(member: SyntheticPerson) -> bool:
    return member.relation_code == UNRELATED and age_of(member) in GRADUATES


def _is_elderly_woman_alone(home: SyntheticHousehold) -> bool:
    person = home.members[0]
    return len(home.members) == 1 and person.sex is Sex.FEMALE and age_of(person) >= ELDERLY


def _is_family_of_three(home: SyntheticHousehold) -> bool:
    return home.kind == "FAMILY" and len(home.members) == THREE and age_of(home.members[0]) in MIDDLE_AGED


def _is_couple_with_child(home: SyntheticHousehold) -> bool:
    relations = [member.relation_code for member in home.members]
    minors = _minors(home.members)
    return (
        home.kind == "FAMILY"
        and relations[:1] == [HEAD]
        and len(relations) == THREE
        and _couple(relations)
        and minors
    )


def _couple(relations: Sequence[str]) -> bool:
    return HUSBAND in relations or WIFE in relations


def _minors(members: Iterable[SyntheticPerson]) -> bool:
    return any(age_of(member) in CHILDREN for member in members)
