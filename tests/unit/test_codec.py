"""Bytes of messages: canonical, decoded in the order of trust."""

from __future__ import annotations

import json

import msgspec
import pytest

from tests.unit.letters import envelope, facts
from tongban_shared.errors import WireError
from tongban_shared.messages.codec import (
    CONTRACTS,
    contract_names,
    decode_message,
    encode_contract,
    encode_message,
    message_id_of,
    twin,
)
from tongban_shared.messages.migration import Facts

RAW = encode_message(envelope(1), facts(1))


def test_what_is_encoded_is_decoded() -> None:
    """Envelope and body come back as they were; the bytes are kept."""
    message = decode_message(RAW, "32", "33")
    assert message.raw == RAW
    assert encode_contract(message.body) == encode_contract(facts(1))
    assert encode_contract(message.envelope) == encode_contract(envelope(1))


def test_the_bytes_are_canonical_json() -> None:
    """No spaces, UTF-8 unescaped, the contract's order: one message has one encoding."""
    assert json.dumps(json.loads(RAW), ensure_ascii=False, separators=(",", ":")).encode() == RAW
    assert "户政科".encode() in RAW


def test_pydantic_reads_the_bytes_as_the_same_contract() -> None:
    """The slow contract reads what the fast encoder wrote, and the other way round."""
    body = Facts.model_validate_json(encode_contract(facts(1)))
    assert body == facts(1)
    fast = msgspec.json.decode(facts(1).model_dump_json().encode(), type=twin(Facts))
    assert encode_contract(fast) == encode_contract(facts(1))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "BAD_FRAME"),
        (b"[]", "BAD_FRAME"),
        (b'{"envelope":{},"body":{}}', "BAD_FRAME"),
        (b"\xff" + RAW, "BAD_FRAME"),
        (RAW.replace(b'"sender":"32"', b'"sender":"44"'), "WRONG_SENDER"),
        (RAW.replace(b'"receiver":"33"', b'"receiver":"44"').replace(b"32-33-", b"32-44-"), "WRONG_RECEIVER"),
        (RAW.replace(b'"id":"32-33-', b'"id":"44-33-'), "WRONG_SENDER"),
        (RAW.replace(b'"migration.facts"', b'"migration.fax"'), "UNKNOWN_TYPE"),
        (RAW.replace(b'"body_v":1', b'"body_v":2'), "UNKNOWN_VERSION"),
        (RAW.replace(b'"contact"', b'"kontakt"'), "BAD_BODY"),
        (RAW.replace(b'"status":"OK"', b'"status":"ok"'), "BAD_BODY"),
        (RAW.replace(b'"v":1,"id"', b'"v":2,"id"'), "BAD_FRAME"),
        (RAW.replace(b'"seq":1', b'"seq":1,"more":1'), "BAD_FRAME"),
    ],
)
def test_each_fault_has_its_reason(raw: bytes, reason: str) -> None:
    """The first thing that is wrong, in the order of trust, names the refusal."""
    with pytest.raises(WireError) as raised:
        decode_message(raw, "32", "33")
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (RAW, "32-33-1-1"),
        (b'{"envelope":{"id":"32-33-1-2","news":true},"body":1}', "32-33-1-2"),
        (b'{"envelope":{"id":"whatever"}}', None),
        (b'{"envelope":{"id":7}}', None),
        (b"[]", None),
        (b"{", None),
        (b"\xff", None),
    ],
)
def test_the_id_of_what_can_t_be_understood(raw: bytes, found: str | None) -> None:
    """The id is found in messages of later versions too, so that they can be returned."""
    assert message_id_of(raw) == found


def test_a_twin_is_frozen_and_closed() -> None:
    """The fast twin of every contract refuses what it does not know."""
    for contract in CONTRACTS:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(b'{"no_such_field":1}', type=twin(contract))


def test_every_wire_type_is_its_own() -> None:
    """No two contracts share a wire name."""
    assert len(list(contract_names())) == len(CONTRACTS)
