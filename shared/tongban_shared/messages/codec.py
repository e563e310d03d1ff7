"""Bytes of messages. Each contract has one fast twin, derived from it: same fields, same limits, closed too.

pydantic is the contract (schema, door, documents); msgspec decodes the same contract in batches, about five
times as fast. A contract test holds that both take and refuse the same inputs.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Iterable
from types import NoneType, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

import msgspec
from pydantic import BaseModel

from tongban_shared.errors import WireError
from tongban_shared.messages import (
    certificate,
    common,
    consultation,
    id_card,
    migration,
    newborn,
    register_change,
    registration,
    temporary_id,
)
from tongban_shared.messages.envelope import Body, Contract, Envelope
from tongban_shared.messages.types import MESSAGE_ID

CONTRACTS: tuple[type[Body], ...] = (
    *migration.BODIES,
    *certificate.BODIES,
    *id_card.BODIES,
    *temporary_id.BODIES,
    *register_change.BODIES,
    *newborn.BODIES,
    *consultation.BODIES,
    *registration.BODIES,
    *common.BODIES,
)

_twins: dict[type[BaseModel], type[msgspec.Struct]] = {}


def _added(model: type[BaseModel]) -> frozenset[str]:
    return model.added if issubclass(model, Contract) else frozenset()


def twin(model: type[BaseModel]) -> type[msgspec.Struct]:
    """The fast twin of a contract: frozen, closed, same field names and limits.

    A field that was added to a released contract is UNSET, which is false, where a message does not have it.
    """
    known = _twins.get(model)
    if known is None:
        hints = typing.get_type_hints(model, include_extras=True)
        fields: list[Any] = []
        for name, info in model.model_fields.items():
            kind = _fast_type(hints[name])
            if name in _added(model):
                fields.append((name, Union[kind, msgspec.UnsetType], msgspec.UNSET))  # noqa: UP007  # as below
            else:
                fields.append((name, kind) if info.is_required() else (name, kind, info.default))
        known = msgspec.defstruct(
            model.__name__, fields, frozen=True, forbid_unknown_fields=True, kw_only=True
        )
        _twins[model] = known
    return known


def _fast_type(hint: object) -> Any:  # noqa: ANN401  # a type, built at run time
    """The same type with every contract in it replaced by its twin."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        limits = tuple(meta for meta in args[1:] if isinstance(meta, msgspec.Meta))
        return Annotated[(_fast_type(args[0]), *limits)] if limits else _fast_type(args[0])
    if origin in (Union, UnionType):
        return Union[tuple(_fast_type(arg) for arg in args)]  # noqa: UP007  # built from a tuple at run time
    if origin is tuple:
        return tuple.__class_getitem__(tuple(_fast_type(arg) for arg in args))
    if isinstance(hint, type) and hint is not NoneType and issubclass(hint, BaseModel):
        return twin(hint)
    return hint


class _Framed(msgspec.Struct, frozen=True):
    """Only the two parts of a message; the envelope is decoded before the body is touched."""

    envelope: msgspec.Raw
    body: msgspec.Raw


# What a decoder raises for bytes that are no message; nesting without end is a RecursionError.
BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_framed = msgspec.json.Decoder(_Framed)
_envelopes = msgspec.json.Decoder(twin(Envelope))
_bodies: dict[tuple[str, int], msgspec.json.Decoder[Any]] = {
    (contract.name, typing.get_args(contract.model_fields["v"].annotation)[0]): msgspec.json.Decoder(
        twin(contract)
    )
    for contract in CONTRACTS
}
_names = {name for name, _ in _bodies}


def _plain(value: BaseModel) -> object:
    said, added = value.__dict__, _added(type(value))
    return {n: each for n, each in said.items() if each is not None or n not in added} if added else said


_encoder = msgspec.json.Encoder(enc_hook=_plain)


def encode_contract(contract: BaseModel | msgspec.Struct) -> bytes:
    """The canonical bytes of a contract or its twin: JSON in the contract's order, no spaces, UTF-8."""
    return _encoder.encode(contract if isinstance(contract, msgspec.Struct) else _plain(contract))


def encode_message(envelope: Envelope, body: Body) -> bytes:
    """The bytes that are hashed, signed, stored and sent; nothing is ever encoded again."""
    return b'{"envelope":%b,"body":%b}' % (encode_contract(envelope), encode_contract(body))


class Message(msgspec.Struct, frozen=True):
    """A message as read: envelope, body, and the very bytes."""

    envelope: Envelope
    body: Body
    raw: bytes


def decode_message(raw: bytes, sender: str, receiver: str) -> Message:
    """Decode one message in the order of trust: envelope, its versions and addresses, then the body.

    Raises WireError: BAD_FRAME, WRONG_SENDER, WRONG_RECEIVER, UNKNOWN_TYPE, UNKNOWN_VERSION, BAD_BODY.
    """
    try:
        framed = _framed.decode(raw)
        envelope = cast("Envelope", _envelopes.decode(framed.envelope))
    except BROKEN as error:
        raise WireError("BAD_FRAME") from error
    if envelope.sender != sender or not envelope.id.startswith(f"{sender}-{envelope.receiver}-"):
        raise WireError("WRONG_SENDER")
    if envelope.receiver != receiver:
        raise WireError("WRONG_RECEIVER")
    return Message(envelope, decode_body(envelope, framed.body), raw)


def message_id_of(raw: bytes) -> str | None:
    """The id that a message of ours or of a later version carries, if it can be read at all."""
    try:
        found = msgspec.json.decode(raw)["envelope"]["id"]
    except (*BROKEN, KeyError, TypeError):
        return None
    return found if isinstance(found, str) and re.fullmatch(MESSAGE_ID, found) else None


def decode_body(envelope: Envelope, raw: bytes | msgspec.Raw) -> Body:
    """Decode a body by its envelope. Raises WireError: UNKNOWN_TYPE, UNKNOWN_VERSION, BAD_BODY."""
    decoder = _bodies.get((envelope.type, envelope.body_v))
    if decoder is None:
        raise WireError("UNKNOWN_VERSION" if envelope.type in _names else "UNKNOWN_TYPE")
    try:
        return cast("Body", decoder.decode(raw))
    except BROKEN as error:
        raise WireError("BAD_BODY") from error


def contract_names() -> Iterable[str]:
    """Wire types of all contracts."""
    return sorted(_names)
