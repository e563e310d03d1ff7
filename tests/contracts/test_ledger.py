"""The custody ledger port (归属账本): the same claims in memory, on SQLite and on PostgreSQL behind HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from tongban_ledger.app import create_app
from tongban_ledger.storage.sql import open_store
from tongban_shared.ids import CaseId, PersonKey, Province
from tongban_shared.keys import generate_keys, load_directory, load_signer
from tongban_shared.ledger_client import HttpLedger
from tongban_shared.ledger_memory import MemoryLedger
from tongban_shared.ports import Birth, BirthHeld, Custody, Ledger, Move, Verdict

A, B, C = Province("43"), Province("44"), Province("11")
APPENDED, CONFLICT = Verdict.APPENDED, Verdict.CONFLICT
SECRET = b"the ledger never sees this secret"
LedgerOf = Callable[[Province], Ledger]


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.live)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """Where the ledger keeps its entries; None for the one in memory."""
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return None if request.param == "memory" else f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
async def ledger_of(database: str | None, tmp_path: Path) -> AsyncIterator[LedgerOf]:
    """One ledger, as each province reaches it: province → its own port."""
    if database is None:
        memory = MemoryLedger()
        yield lambda _: memory
        return
    generate_keys(tmp_path / "keys", [A, B, C])
    store = await open_store(database)
    transport = httpx.ASGITransport(app=create_app(store, load_directory(tmp_path / "keys")))
    async with httpx.AsyncClient(transport=transport, base_url="http://ledger") as client:
        yield lambda province: HttpLedger(client, load_signer(tmp_path / "keys", province), SECRET)
    await store.close()


def key(number: int) -> PersonKey:
    """A person key."""
    return PersonKey(f"{number:032x}")


def digest(number: int) -> str:
    """A certificate's digest."""
    return f"{number:064x}"


def move(*persons: tuple[int, int], origin: Province = A, to: Province = B, certificate: int = 1) -> Move:
    """A hand-over of (person number, epoch) pairs."""
    held = tuple((key(number), epoch) for number, epoch in persons)
    return Move(CaseId("430120260101000000010"), origin, to, digest(certificate), held)


async def registered(ledger_of: LedgerOf, *numbers: int) -> Ledger:
    """Enter persons at A; returns the port as A has it."""
    ledger = ledger_of(A)
    assert set(await ledger.register_first([(key(number), A) for number in numbers])) == {APPENDED}
    return ledger


async def holder(ledger_of: LedgerOf, number: int) -> Custody | None:
    """What the ledger says of one person, asked by C."""
    return (await ledger_of(C).locate([key(number)])).get(key(number))


async def test_a_person_nobody_registered_is_not_found(ledger_of: LedgerOf) -> None:
    """Absent from the answer, and no error."""
    assert await ledger_of(A).locate([key(1)]) == {}
    assert await ledger_of(A).locate([]) == {}


async def test_a_first_registration_is_epoch_zero_without_a_certificate(ledger_of: LedgerOf) -> None:
    """Every province then finds the person there."""
    await registered(ledger_of, 1)
    assert await holder(ledger_of, 1) == Custody(A, 0, "")


async def test_a_repeated_first_registration_is_appended_again(ledger_of: LedgerOf) -> None:
    """A province that lost the answer asks again and learns the same."""
    ledger = await registered(ledger_of, 1)
    assert await ledger.register_first([(key(1), A), (key(1), A)]) == [APPENDED, APPENDED]


async def test_a_person_is_first_registered_by_one_province_only(ledger_of: LedgerOf) -> None:
    """C2: whoever comes second is told."""
    await registered(ledger_of, 1)
    verdicts = await ledger_of(B).register_first([(key(1), B), (key(2), B)])
    assert verdicts == [CONFLICT, APPENDED]
    assert await holder(ledger_of, 1) == Custody(A, 0, "")


async def test_a_hand_over_makes_the_destination_the_holder(ledger_of: LedgerOf) -> None:
    """Epoch one higher, with the certificate that did it."""
    ledger = await registered(ledger_of, 1)
    assert await ledger.append([move((1, 0))]) == [APPENDED]
    assert await holder(ledger_of, 1) == Custody(B, 1, digest(1))


async def test_a_repeated_hand_over_is_appended_again(ledger_of: LedgerOf) -> None:
    """An origin that crashed while RELEASING asks again, also after the person has moved on."""
    ledger = await registered(ledger_of, 1)
    assert await ledger.append([move((1, 0))]) == [APPENDED]
    assert await ledger.append([move((1, 0))]) == [APPENDED]
    await ledger_of(B).append([move((1, 1), origin=B, to=C, certificate=2)])
    assert await ledger.append([move((1, 0))]) == [APPENDED]
    assert await holder(ledger_of, 1) == Custody(C, 2, digest(2))


async def test_a_second_certificate_at_the_same_epoch_is_a_conflict(ledger_of: LedgerOf) -> None:
    """I1: at most one certificate for each (person, n), whoever it names."""
    ledger = await registered(ledger_of, 1)
    await ledger.append([move((1, 0))])
    other = [
        move((1, 0), certificate=2),
        move((1, 0), to=C, certificate=1),
        move((1, 0), to=C, certificate=2),
    ]
    assert await ledger.append(other) == [CONFLICT] * 3
    assert await holder(ledger_of, 1) == Custody(B, 1, digest(1))


async def test_all_persons_of_a_hand_over_move_or_none(ledger_of: LedgerOf) -> None:
    """M-2: one member at another epoch keeps the whole household where it is."""
    ledger = await registered(ledger_of, 1, 2, 3)
    await ledger.append([move((2, 0), certificate=9)])
    assert await ledger.append([move((1, 0), (2, 0), (3, 0))]) == [CONFLICT]
    assert await holder(ledger_of, 1) == Custody(A, 0, "")
    assert await holder(ledger_of, 3) == Custody(A, 0, "")


async def test_only_the_holder_hands_a_person_over(ledger_of: LedgerOf) -> None:
    """Not the province before, not one that never had the person, and not one ahead of its time."""
    ledger = await registered(ledger_of, 1)
    assert await ledger_of(C).append([move((1, 0), origin=C, to=B)]) == [CONFLICT]
    assert await ledger.append([move((1, 1))]) == [CONFLICT]
    await ledger.append([move((1, 0))])
    assert await ledger.append([move((1, 1), to=C, certificate=2)]) == [CONFLICT]


async def test_a_person_who_was_never_registered_does_not_move(ledger_of: LedgerOf) -> None:
    """A hand-over needs an entry to compare with."""
    assert await ledger_of(A).append([move((1, 0))]) == [CONFLICT]
    assert await holder(ledger_of, 1) is None


async def test_of_two_hand_overs_in_one_batch_the_first_wins(ledger_of: LedgerOf) -> None:
    """M-3: each is judged on what those before it left."""
    ledger = await registered(ledger_of, 1, 2)
    batch = [move((1, 0)), move((1, 0), to=C, certificate=2), move((1, 0)), move((2, 0), certificate=3)]
    assert await ledger.append(batch) == [APPENDED, CONFLICT, APPENDED, APPENDED]
    assert await holder(ledger_of, 1) == Custody(B, 1, digest(1))


@pytest.mark.parametrize("nonsense", [move(), move((1, 0), (1, 0)), move((1, 0), to=A)])
async def test_a_hand_over_that_is_none_is_a_conflict(ledger_of: LedgerOf, nonsense: Move) -> None:
    """Nobody, somebody twice, or from a province to itself; the rest of its batch is not harmed."""
    ledger = await registered(ledger_of, 1, 2)
    assert await ledger.append([nonsense, move((2, 0))]) == [CONFLICT, APPENDED]


async def test_a_registration_stays_the_first_after_the_person_moved(ledger_of: LedgerOf) -> None:
    """Repeated by the first province it is known, tried by another it is a conflict, also by the holder."""
    ledger = await registered(ledger_of, 1)
    await ledger.append([move((1, 0))])
    assert await ledger.register_first([(key(1), A)]) == [APPENDED]
    assert await ledger_of(B).register_first([(key(1), B)]) == [CONFLICT]


async def test_a_return_is_a_hand_over_like_any_other(ledger_of: LedgerOf) -> None:
    """M-6: back home is epoch two, not epoch zero."""
    ledger = await registered(ledger_of, 1)
    await ledger.append([move((1, 0))])
    assert await ledger_of(B).append([move((1, 1), origin=B, to=A, certificate=2)]) == [APPENDED]
    assert await holder(ledger_of, 1) == Custody(A, 2, digest(2))


async def test_of_many_at_once_exactly_one_gets_the_person(ledger_of: LedgerOf) -> None:
    """Compare-and-set under contention: fifty certificates for one person, forty-nine conflicts."""
    ledger = await registered(ledger_of, 1)
    calls = (ledger.append([move((1, 0), certificate=number)]) for number in range(50))
    verdicts = [verdict for answer in await asyncio.gather(*calls) for verdict in answer]
    assert sorted(verdicts) == [APPENDED] + [CONFLICT] * 49


async def test_a_batch_larger_than_one_call_is_taken_whole(ledger_of: LedgerOf) -> None:
    """Twelve thousand persons are registered, moved in households of three and found."""
    numbers = range(12_000)
    ledger = await registered(ledger_of, *numbers)
    moves = [move((n, 0), (n + 1, 0), (n + 2, 0), certificate=n) for n in numbers[::3]]
    assert set(await ledger.append(moves)) == {APPENDED}
    found = await ledger.locate([key(n) for n in numbers])
    assert [found[key(n)] for n in numbers] == [Custody(B, 1, digest(n - n % 3)) for n in numbers]


async def test_a_province_finds_its_own_hand_overs_and_no_others(ledger_of: LedgerOf) -> None:
    """Given and taken, in the order of the log, from a place on; first registrations are none."""
    ledger = ledger_of(A)
    await ledger.register_first([(key(1), A), (key(2), A)])
    await ledger_of(C).register_first([(key(3), C)])
    await ledger.append([move((1, 0), certificate=1)])
    await ledger_of(C).append([move((3, 0), origin=C, certificate=2)])
    await ledger.append([move((2, 0), to=C, certificate=3)])
    await ledger_of(B).append([move((1, 1), origin=B, to=A, certificate=4)])
    of_a = await ledger.passages(A, 0, 10)
    assert [(p.person, p.epoch, p.origin, p.destination, p.certificate_digest) for p in of_a] == [
        (ledger.digest_of(key(1)), 1, A, B, digest(1)),
        (ledger.digest_of(key(2)), 1, A, C, digest(3)),
        (ledger.digest_of(key(1)), 2, B, A, digest(4)),
    ]
    assert await ledger.passages(A, of_a[0].seq, 1) == of_a[1:2]
    assert [p.certificate_digest for p in await ledger_of(C).passages(C, 0, 10)] == [digest(2), digest(3)]


# --- births: who registers a child


def birth(number: int, *certificates: int, at: Province = A, children: tuple[int, ...] = ()) -> Birth:
    """A birth of case `number` at a province, with its certificates, and the children to enter."""
    keys = tuple(key(900 + certificate) for certificate in certificates)
    return Birth(CaseId(f"{at}0520260101{number:08d}0"), at, keys, tuple(key(child) for child in children))


def by(whose: Birth) -> BirthHeld:
    """What the ledger says of a birth that nobody has entered yet."""
    return BirthHeld(whose.province, whose.case_id)


async def test_the_first_case_has_the_certificate(ledger_of: LedgerOf) -> None:
    """Whoever comes second is told which case has it, at which province; the first is told the same again."""
    first, second = birth(1, 1), birth(2, 1, at=B)
    assert await ledger_of(A).claim_births([first]) == [by(first)]
    assert await ledger_of(B).claim_births([second]) == [by(first)]
    assert await ledger_of(A).claim_births([first, birth(3, 1)]) == [by(first), by(first)]


async def test_of_many_at_once_exactly_one_gets_the_certificate(ledger_of: LedgerOf) -> None:
    """Two parents at two windows at the same moment."""
    asked = [birth(n, 1, at=at) for n in range(8) for at in (A, B)]
    answers = await asyncio.gather(*(ledger_of(one.province).claim_births([one]) for one in asked))
    held = {answer for (answer,) in answers}
    assert len(held) == 1
    assert sum(by(one) in held for one in asked) == 1


async def test_twins_are_claimed_together_or_not_at_all(ledger_of: LedgerOf) -> None:
    """Of two certificates one is another case's: the other stays free."""
    first, twins, third = birth(1, 1), birth(2, 2, 1, at=B), birth(3, 2)
    await ledger_of(A).claim_births([first])
    assert await ledger_of(B).claim_births([twins]) == [by(first)]
    assert await ledger_of(A).claim_births([third]) == [by(third)]


async def test_a_claim_given_back_can_be_taken(ledger_of: LedgerOf) -> None:
    """By its own case alone; what another one gives back is nothing."""
    first, second = birth(1, 1), birth(2, 1, at=B)
    await ledger_of(A).claim_births([first])
    await ledger_of(B).release_births([second])
    assert await ledger_of(B).claim_births([second]) == [by(first)]
    await ledger_of(A).release_births([first])
    assert await ledger_of(B).claim_births([second]) == [by(second)]


async def test_a_child_is_entered_under_its_claim_alone(ledger_of: LedgerOf) -> None:
    """At epoch 0; without a claim, or under another case's, nobody is."""
    child = birth(1, 1, children=(1,))
    assert await ledger_of(A).enter_births([child]) == [CONFLICT]
    await ledger_of(A).claim_births([child])
    assert await ledger_of(A).enter_births([birth(2, 1, children=(2,)), child, child]) == [
        CONFLICT,
        APPENDED,
        APPENDED,
    ]
    held = await holder(ledger_of, 1)
    assert held is not None
    assert (held.province, held.epoch) == (A, 0)
    assert await holder(ledger_of, 2) is None


async def test_one_claim_makes_one_child(ledger_of: LedgerOf) -> None:
    """A registry that has forgotten the number asks with another one, and is told which child there is."""
    child = birth(1, 1, children=(1,))
    await ledger_of(A).claim_births([child])
    await ledger_of(A).enter_births([child])
    assert await ledger_of(A).enter_births([birth(1, 1, children=(2,))]) == [CONFLICT]
    digests = (ledger_of(A).digest_of(key(1)),)
    known = [BirthHeld(A, child.case_id, digests)]
    assert await ledger_of(A).claim_births([birth(1, 1)]) == known
    assert await ledger_of(A).release_births([birth(1, 1)]) == known
    assert await ledger_of(B).claim_births([birth(2, 1, at=B)]) == known
    assert await holder(ledger_of, 2) is None


async def test_a_number_that_anybody_has_is_no_child_s(ledger_of: LedgerOf) -> None:
    """Neither in another province nor in the same one: each number is allotted once."""
    await registered(ledger_of, 1)
    for number, at in ((1, A), (2, B)):
        child = birth(number, number, at=at, children=(1,))
        await ledger_of(at).claim_births([child])
        assert await ledger_of(at).enter_births([child]) == [CONFLICT]
    twins = birth(3, 3, 4, children=(5, 1))
    await ledger_of(A).claim_births([twins])
    assert await ledger_of(A).enter_births([twins]) == [CONFLICT]
    assert await holder(ledger_of, 5) is None


async def test_a_child_moves_like_anybody(ledger_of: LedgerOf) -> None:
    """And a first registration repeated after that makes nobody holder again."""
    child = birth(1, 1, children=(1,))
    await ledger_of(A).claim_births([child])
    await ledger_of(A).enter_births([child])
    assert await ledger_of(A).append([move((1, 0))]) == [APPENDED]
    assert await ledger_of(A).enter_births([child]) == [APPENDED]
    assert await holder(ledger_of, 1) == Custody(B, 1, digest(1))
