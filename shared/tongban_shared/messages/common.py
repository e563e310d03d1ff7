"""Messages common to every case type. Source: protocol.md §3 (RC)."""

from __future__ import annotations

from typing import ClassVar, Literal

from tongban_shared.messages.envelope import Body, Contract
from tongban_shared.messages.types import Count, MessageDigest, MessageId, ReasonCode
from tongban_shared.ports import Family


class Returned(Contract):
    """A message given back to its sender, with the reason."""

    id: MessageId
    code: ReasonCode


class Receipt(Body):
    """RC · These messages are durably taken; or returned to sender. Only this retires an outbox row (C5).

    digests: of each that was taken, the first 16 digits of the SHA-256 of its bytes. A sender that was put
    back may have given a number twice; the receipt for the first does not retire the second (G1).
    """

    name: ClassVar[str] = "receipt"
    family: ClassVar[Family] = Family.COMMON
    basis: ClassVar[str] = "RC"
    v: Literal[1] = 1
    taken: tuple[MessageId, ...] = ()
    digests: tuple[MessageDigest, ...] = ()
    returned: tuple[Returned, ...] = ()


class Reached(Contract):
    """How far a row of messages goes: everything up to this number of this incarnation."""

    incarnation: Count
    seq: Count


class Resend(Body):
    """G1 · The sender's database was put back: send again what you sent it after these, receipted or not.

    An incarnation that is not named was not heard of: send all of it.
    """

    name: ClassVar[str] = "registry.resend"
    family: ClassVar[Family] = Family.COMMON
    basis: ClassVar[str] = "G1"
    v: Literal[1] = 1
    has: tuple[Reached, ...] = ()


class Started(Body):
    """G1 · The sender has started; this is the last message that it remembers having sent you."""

    name: ClassVar[str] = "registry.started"
    family: ClassVar[Family] = Family.COMMON
    basis: ClassVar[str] = "G1"
    v: Literal[1] = 1
    sent: Reached


class Ahead(Body):
    """G1 · Answer to one who started: this message of yours stands here, and you have forgotten it."""

    name: ClassVar[str] = "registry.ahead"
    family: ClassVar[Family] = Family.COMMON
    basis: ClassVar[str] = "G1"
    v: Literal[1] = 1
    seen: Reached


BODIES: tuple[type[Body], ...] = (Receipt, Resend, Started, Ahead)
