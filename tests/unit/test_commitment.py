"""The keyed set hash: sums of claims add up as the claims do, and a difference shows."""

from __future__ import annotations

import hmac

from hypothesis import given, strategies as st

from tongban_shared.commitment import (
    BUCKET_DIGITS,
    LEAF_MAX,
    NOTHING,
    Claim,
    Keyed,
    Sum,
    Tally,
    claimed,
    differing,
    night_key,
    sum_of,
)

KEYED = Keyed(b"the key of one night")
DIGESTS = st.text("0123456789abcdef", min_size=32, max_size=32)
CLAIMS = st.builds(Claim, DIGESTS, st.integers(0, 1_000_000), st.sampled_from(["32", "33", "44"]))
A, B = "32", "44"


def total(sums: list[Sum]) -> Sum:
    """All of them."""
    return sum(sums, NOTHING)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_the_prepared_key_gives_what_hmac_gives(key: bytes, message: bytes) -> None:
    """HMAC-SHA256 to the letter, for short and for long keys, again and again."""
    keyed = Keyed(key)
    assert keyed.digest(message) == keyed.digest(message) == hmac.digest(key, message, "sha256")


@given(st.lists(CLAIMS).flatmap(lambda claims: st.tuples(st.just(claims), st.permutations(claims))))
def test_order_does_not_matter(pair: tuple[list[Claim], list[Claim]]) -> None:
    """A set has no order, and its sum has none."""
    claims, shuffled = pair
    assert sum_of(KEYED, claims) == sum_of(KEYED, shuffled)


@given(st.lists(CLAIMS), st.lists(CLAIMS))
def test_adding_and_taking_away_undo_each_other(some: list[Claim], more: list[Claim]) -> None:
    """Two parts make the whole, and the whole without one is the other."""
    whole = sum_of(KEYED, some + more)
    assert whole == sum_of(KEYED, some) + sum_of(KEYED, more)
    assert whole - sum_of(KEYED, more) == sum_of(KEYED, some)


@given(st.lists(CLAIMS), DIGESTS, st.integers(0, 1_000))
def test_a_move_subtracts_here_and_adds_there(others: list[Claim], person: str, epoch: int) -> None:
    """What leaves the origin's sum and enters the destination's is that person alone, one epoch on."""
    gone, come = Claim(person, epoch, A), Claim(person, epoch + 1, B)
    before, after = sum_of(KEYED, [*others, gone]), sum_of(KEYED, [*others, come])
    assert before - sum_of(KEYED, [gone]) + sum_of(KEYED, [come]) == after
    assert before != after


@given(st.lists(CLAIMS, unique=True), st.lists(CLAIMS, unique=True))
def test_equal_sums_mean_equal_claims(some: list[Claim], others: list[Claim]) -> None:
    """Different sets have different sums: another person, another epoch, another holder, one more or less."""
    assert (sum_of(KEYED, some) == sum_of(KEYED, others)) == (set(some) == set(others))


@given(CLAIMS)
def test_somebody_twice_is_not_somebody_once(claim: Claim) -> None:
    """Doubled persons do not cancel out: it adds, it does not take the exclusive or."""
    assert sum_of(KEYED, [claim, claim]) not in (sum_of(KEYED, [claim]), NOTHING)


def test_another_night_has_other_sums() -> None:
    """The key is of the secret and of the challenge; neither yesterday's sum nor a guessed key is of use."""
    claim = [Claim("0" * 32, 0, A)]
    keys = [night_key(b"secret", "1" * 32), night_key(b"secret", "2" * 32), night_key(b"other", "1" * 32)]
    assert len({sum_of(Keyed(key), claim).total for key in keys}) == 3


@given(st.lists(CLAIMS, max_size=3 * LEAF_MAX), st.text("0123456789abcdef", max_size=4))
def test_a_tally_sums_each_part_of_its_prefix(claims: list[Claim], prefix: str) -> None:
    """By part and holder the sums are those of the claims there; few claims are kept themselves."""
    under = [claim for claim in claims if claim.digest.startswith(prefix)]
    tally = Tally(KEYED, prefix)
    tally.add(under[:1])
    tally.add(under[1:])
    sums = tally.sums()
    assert total([found for by_holder in sums.values() for found in by_holder.values()]) == sum_of(
        KEYED, under
    )
    for part, by_holder in sums.items():
        assert len(part) == max(BUCKET_DIGITS, len(prefix) + 1)
        for holder, found in by_holder.items():
            there = [c for c in under if c.digest.startswith(part) and c.holder == holder]
            assert found == sum_of(KEYED, there)
    assert tally.claims() == (under if len(under) <= LEAF_MAX else None)


@given(st.lists(CLAIMS, unique_by=lambda claim: claim.digest, min_size=2), st.data())
def test_what_differs_is_found_and_nothing_else(claims: list[Claim], data: st.DataObject) -> None:
    """With one claim missing and one too much, exactly their prefixes and holders are named."""
    lost = data.draw(st.sampled_from(claims))
    doubled = data.draw(st.sampled_from([claim for claim in claims if claim != lost]))
    second = Claim(doubled.digest, doubled.epoch + 1, doubled.holder)
    ledger, here, there = Tally(KEYED), Tally(KEYED), Tally(KEYED)
    ledger.add(claims)
    here.add([claim for claim in claims[::2] if claim != lost])
    there.add([*(claim for claim in claims[1::2] if claim != lost), second])
    wrong = differing([here.sums(), there.sums()], ledger.sums())
    wanted: dict[str, set[str]] = {}
    for claim in (lost, second):
        wanted.setdefault(claim.digest[:2], set()).add(claim.holder)
    assert wrong == wanted
    assert differing([here.sums(), there.sums()], ledger.sums(), {lost.holder, doubled.holder}) == {}


def test_who_answers_for_a_row() -> None:
    """Held, frozen and closed count here; released counts for the destination at the next epoch (I2, M4)."""
    digest = "d" * 32
    for state in ("HELD", "FROZEN", "CANCELLED_DEATH", "CANCELLED_MILITARY"):
        assert claimed(A, (digest, 3, state, None)) == Claim(digest, 3, A)
    assert claimed(A, (digest, 3, "RELEASED", B)) == Claim(digest, 4, B)
    for state in ("PREPARED", "CONFIRMED", "DROPPED", "ABSENT"):
        assert claimed(A, (digest, 3, state, B)) is None
