"""Deliberately broken builds: one rule of the product forgotten each. The simulator must catch every one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import update

from tongban_registry.gate import Gate
from tongban_registry.outbox import Relay
from tongban_registry.storage import tables as t
from tongban_registry.storage.sql import UnitOfWork
from tongban_shared.errors import StoreDownError, TransportDownError
from tongban_shared.ids import Province
from tongban_shared.messages.codec import message_id_of
from tongban_shared.storage.engine import write
from tongban_shared.wire import split_entries

if TYPE_CHECKING:
    import pytest

    from tongban_registry.envelopes import Parcel


def forget_the_inbox(patch: pytest.MonkeyPatch) -> None:
    """A message that was taken before is taken again."""

    async def nothing_seen(_: UnitOfWork, __: Iterable[str]) -> dict[str, str]:
        return {}

    patch.setattr(UnitOfWork, "seen", nothing_seen)


def believe_the_broker(patch: pytest.MonkeyPatch) -> None:
    """An outbox row is retired when the broker has taken the parcel."""

    async def send(relay: Relay, parcel: Parcel) -> None:
        _, leaves = split_entries(parcel.data)
        sent = [message_id_of(leaf.raw) for leaf in leaves]
        retire = update(t.OUTBOX).where(t.OUTBOX.c.message_id.in_(sent)).values(next_try_at=None)
        try:
            await relay._transport.send(Province(parcel.to), parcel.family, parcel.data, parcel.headers)
            async with write(relay._store.engine) as tx:
                await tx.execute(retire)
        except (TransportDownError, StoreDownError):
            return

    patch.setattr(Relay, "_send", send)


def skip_the_gate(patch: pytest.MonkeyPatch) -> None:
    """A registry speaks as soon as it starts, whatever its file is."""

    async def open_at_once(gate: Gate) -> None:
        gate.open = True

    patch.setattr(Gate, "settle", open_at_once)
