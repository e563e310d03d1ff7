"""Messages common to every case type. Source: protocol.md §3 (RC)."""

from __future__ import annotations

from typing import ClassVar, Literal

from tongban_shared.messages.envelope import Body, Contract
from tongban_shared.messages.types import MessageId, ReasonCode
from tongban_shared.ports import Family


class Returned(Contract):
    """A message given back to its sender, with the reason."""

    id: MessageId
    code: ReasonCode


class Receipt(Body):
    """RC · These messages are durably taken; or returned to sender. Only this retires an outbox row (C5)."""

    name: ClassVar[str] = "receipt"
    family: ClassVar[Family] = Family.COMMON
    basis: ClassVar[str] = "RC"
    v: Literal[1] = 1
    taken: tuple[MessageId, ...] = ()
    returned: tuple[Returned, ...] = ()


BODIES: tuple[type[Body], ...] = (Receipt,)
