"""Parcels: what goes in comes out, and a bad byte spoils one message at most, never in silence."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from tests.unit.letters import CASE, envelope, facts
from tongban_shared.errors import WireError
from tongban_shared.keys import KeyDirectory, LocalSigner, generate_keys, load_directory, load_signer
from tongban_shared.messages.codec import encode_message
from tongban_shared.wire import (
    PARCEL_SIZE_BYTES_MAX,
    Opened,
    Opener,
    Refused,
    SignedUnit,
    cut,
    pack,
    sign_unit,
    split_entries,
    split_header,
)

NUMBER = 4


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of two provinces."""
    folder = tmp_path_factory.mktemp("keys")
    generate_keys(folder, ["32", "33"])
    return folder


@pytest.fixture(scope="module")
def signer(keys: Path) -> LocalSigner:
    """The sender's."""
    return load_signer(keys, "32")


@pytest.fixture
def opener(keys: Path) -> Opener:
    """The receiver's, which remembers no root yet."""
    return Opener("33", load_directory(keys))


def unit(signer: LocalSigner, number: int = NUMBER) -> SignedUnit:
    """So many messages under one signature."""
    raws = [encode_message(envelope(seq), facts(seq)) for seq in range(1, number + 1)]
    return sign_unit(signer, "1.7", raws)


def parcel(signer: LocalSigner, number: int = NUMBER) -> bytes:
    """So many messages in one parcel."""
    made = unit(signer, number)
    return next(pack(made.header, made.leaves))


@pytest.mark.parametrize("number", [1, 2, 3, 7, 64])
def test_what_goes_in_comes_out(signer: LocalSigner, opener: Opener, number: int) -> None:
    """All messages of a parcel come out, in order, byte for byte."""
    found = list(opener.open(parcel(signer, number)))
    assert all(isinstance(one, Opened) for one in found)
    ids = [one.message.envelope.id for one in found if isinstance(one, Opened)]
    assert ids == [f"32-33-1-{seq}" for seq in range(1, number + 1)]
    raws = [one.message.raw for one in found if isinstance(one, Opened)]
    assert raws == [leaf.raw for leaf in unit(signer, number).leaves]


def test_every_message_stands_alone(signer: LocalSigner, opener: Opener) -> None:
    """Any message cut out with its path is verified alone, and cutting it again gives the same bytes."""
    made = unit(signer)
    for leaf in made.leaves:
        opened = opener.open_proof(cut(made.header, leaf))
        assert opened.message.raw == leaf.raw
        assert opened.proof == cut(made.header, leaf)


def test_a_parcel_read_without_judging_packs_to_the_same_bytes(signer: LocalSigner) -> None:
    """Splitting and packing again changes no byte."""
    data = parcel(signer)
    header, leaves = split_entries(data)
    assert list(pack(header, leaves)) == [data]


def test_large_units_travel_in_several_parcels(signer: LocalSigner, opener: Opener) -> None:
    """Parcels keep to their size, and all messages arrive."""
    raws = [encode_message(envelope(seq), facts(seq, "联" * 60)) for seq in range(1, 2_001)]
    made = sign_unit(signer, "1.8", raws)
    parcels = list(pack(made.header, made.leaves))
    assert len(parcels) > 1
    assert max(map(len, parcels)) <= PARCEL_SIZE_BYTES_MAX
    assert sum(isinstance(one, Opened) for data in parcels for one in opener.open(data)) == len(raws)


def places(data: bytes) -> Iterator[int]:
    """Every place of a parcel."""
    yield from range(len(data))


def test_no_byte_can_be_changed_unseen(signer: LocalSigner, keys: Path) -> None:
    """Each single changed byte: what stands before passes, the changed message or the rest is refused."""
    data = parcel(signer)
    good = [
        one.message.raw for one in Opener("33", load_directory(keys)).open(data) if isinstance(one, Opened)
    ]
    opener = Opener("33", load_directory(keys))
    ends = entry_ends(data)
    for at in places(data):
        mutated = data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
        found = list(opener.open(mutated))
        before = sum(end <= at for end in ends)
        passed = [one.message.raw for one in found if isinstance(one, Opened)]
        assert passed[:before] == good[:before], at
        assert set(passed) <= set(good), at
        assert len(passed) < len(good), at
        assert any(isinstance(one, Refused) for one in found), at


def entry_ends(data: bytes) -> list[int]:
    """Where each message of a parcel ends."""
    _, at = split_header(data)
    header, leaves = split_entries(data)
    ends = []
    for leaf in leaves:
        at += 4 + 2 + len(leaf.path) + 4 + len(leaf.raw)
        ends.append(at)
    assert (ends[-1], header.size) == (len(data), NUMBER)
    return ends


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_noise_is_refused(data: bytes) -> None:
    """Any bytes at all give refusals, never an exception, never a message."""
    opener = Opener("33", KeyDirectory([]))
    assert not [one for one in opener.open(data) if isinstance(one, Opened)]
    assert not [one for one in opener.open(b"TBP1" + data) if isinstance(one, Opened)]


@pytest.mark.parametrize("cut_off", range(1, 60, 7))
def test_a_parcel_cut_short_loses_its_end_only(signer: LocalSigner, opener: Opener, cut_off: int) -> None:
    """A parcel that was cut short: all whole messages pass, the torn one is BAD_FRAME."""
    found = list(opener.open(parcel(signer)[:-cut_off]))
    assert [isinstance(one, Opened) for one in found] == [True, True, True, False]
    assert isinstance(found[-1], Refused)
    assert found[-1].reason == "BAD_FRAME"


def test_a_key_nobody_listed_is_refused(keys: Path, tmp_path: Path) -> None:
    """A good signature by a key that is not in the public list: UNKNOWN_KEY or BAD_SIGNATURE."""
    generate_keys(tmp_path, ["32", "33"])
    data = parcel(load_signer(tmp_path, "32"))
    (found,) = Opener("33", load_directory(keys)).open(data)
    assert isinstance(found, Refused)
    assert found.reason in {"UNKNOWN_KEY", "BAD_SIGNATURE"}


def test_a_message_can_t_move_to_another_unit(signer: LocalSigner, opener: Opener) -> None:
    """A message of one unit under the header of another is refused."""
    made, other = unit(signer), sign_unit(signer, "1.9", [encode_message(envelope(9), facts(9))])
    (found,) = opener.open(next(pack(other.header, made.leaves[:1])))
    assert isinstance(found, Refused)
    assert found.reason == "BAD_SIGNATURE"


@pytest.mark.parametrize("raw", [b"[" * 50_000, b'{"envelope":' * 50_000, b'{"x":' + b"[" * 50_000])
def test_bytes_nested_too_deep_are_refused(signer: LocalSigner, opener: Opener, raw: bytes) -> None:
    """A signed message that no parser can follow is a bad frame, not an exception."""
    made = sign_unit(signer, "1.9", [raw])
    (found,) = opener.open(next(pack(made.header, made.leaves)))
    assert isinstance(found, Refused)
    assert found.reason == "BAD_FRAME"


@pytest.mark.parametrize("proof", ["", "?", "AAAA", base64.b64encode(b"TBP1").decode()])
def test_what_is_no_proof_is_refused(opener: Opener, proof: str) -> None:
    """Text that is not a cut-out message raises WireError."""
    with pytest.raises(WireError):
        opener.open_proof(proof)


def test_the_receiver_s_case_stays_in_the_refusal(signer: LocalSigner, opener: Opener) -> None:
    """A message of an unknown version is refused with its id, so that it can return to its sender."""
    raw = encode_message(envelope(3).model_copy(update={"body_v": 9}), facts(3))
    made = sign_unit(signer, "1.9", [raw])
    (found,) = opener.open(next(pack(made.header, made.leaves)))
    assert isinstance(found, Refused)
    assert (found.reason, found.sender, found.message_id) == ("UNKNOWN_VERSION", "32", "32-33-1-3")
    assert CASE.encode() in found.raw
