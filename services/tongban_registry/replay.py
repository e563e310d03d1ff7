"""Quarantine: what was refused is looked at, and comes before the hall once more, or is dropped for good.

Replay is for messages refused for a reason that has gone: a key that was missing, a version not spoken, a
case put right. The row leaves quarantine only after the hall's commit, so a crash costs nothing but a second
replay. Who did it and why is kept, and shown to whoever asks.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from tongban_registry.commands import Command
from tongban_registry.views import local
from tongban_shared.errors import RefusedError, WireError
from tongban_shared.ports import Family, Record
from tongban_shared.wire import Header, Leaf, split_entries

if TYPE_CHECKING:
    from tongban_registry.inbox import Hall
    from tongban_registry.storage.refused import Refusals
    from tongban_registry.storage.report_sql import Found

NO_LOG = ""
"""The log of a record that was not read from any: it moves no position."""
LOOSE = "kept without the signature that covers it; ask the sender to send it again"

log = structlog.get_logger()


class Replays:
    """Looks into one province's quarantine, and empties it by hand."""

    def __init__(self, hall: Hall, refusals: Refusals) -> None:
        self._hall = hall
        self._refusals = refusals

    async def show(self, number: int) -> tuple[Found, dict[str, Any]]:
        """The row, and what its bytes claim: nothing of it is believed. Raises RefusedError."""
        row = await self._found(number)
        return row, _claims(row)

    async def replay(self, number: int, actor: str, reason: str) -> dict[str, Any]:
        """Replay one; tells what became of it: TAKEN, or REFUSED with the new reason, which is a new entry.

        Raises RefusedError (QUARANTINE_UNKNOWN, BAD_FRAME), StoreDownError.
        """
        row = await self._found(number)
        data = _bytes(row)
        if _split(data) is None:
            raise RefusedError("BAD_FRAME", LOOSE)
        if row.message_id is not None and row.reason != "ID_REUSED":
            await self._refusals.forget_taken(row.message_id)
        self._hall.refused_before.forget(row.parcel)
        await self._put(data)
        again = await self._refusals.refused_again(row)
        result = "TAKEN" if again is None else "REFUSED"
        await self._settle(row, {"act": "REPLAY", "actor": actor, "reason": reason, "result": result})
        return {"result": result, "reason": again, "message_id": row.message_id}

    async def drop(self, number: int, actor: str, reason: str) -> dict[str, Any]:
        """Take one out for good: a forgery, or a copy. Raises RefusedError, StoreDownError."""
        row = await self._found(number)
        await self._settle(row, {"act": "DROP", "actor": actor, "reason": reason, "result": "DROPPED"})
        return {"result": "DROPPED", "reason": row.reason, "message_id": row.message_id}

    async def _found(self, number: int) -> Found:
        row = await self._refusals.one(number)
        if row is None:
            raise RefusedError("QUARANTINE_UNKNOWN")
        return row

    async def _put(self, data: bytes) -> None:
        """Put it before the hall and return when its unit of work is committed."""
        record = Record(Family.COMMON, NO_LOG, 0, data)
        await self._hall.put_records([record])
        # A command that means nothing is answered when the unit that takes it is committed. The last one
        # stands behind the unit that took the record.
        waits = True
        while waits:
            waits = self._hall.keeps(record)
            if (await self._hall.ask(Command("pass"))).code == "OVERLOADED":
                raise RefusedError("OVERLOADED")

    async def _settle(self, row: Found, act: dict[str, Any]) -> None:
        office = self._hall.office
        now = office.clock.now()
        told = {
            **act,
            "id": f"{office.province}-{row.n}",
            "at": local(now),
            "message_id": row.message_id,
            "sender": row.sender,
            "refused_for": row.reason,
        }
        await self._refusals.settle(row.n, now, msgspec.json.encode(told).decode())
        # Without the reason: what people write may name somebody.
        log.info(
            "refused message settled",
            province=office.province,
            message_id=row.message_id,
            code=told["act"],
            status=told["result"],
        )


class _Envelope(msgspec.Struct):
    """What is shown of an envelope: never the person, never the body."""

    id: str
    type: str
    sender: str
    receiver: str
    at: str
    case_id: str | None = None
    cause: str | None = None


class _Framed(msgspec.Struct):
    envelope: _Envelope


_framed = msgspec.json.Decoder(_Framed).decode


def _claims(row: Found) -> dict[str, Any]:
    """Size, key and unit of a parcel, and its messages by type and number; empty when it is no parcel."""
    data = _bytes(row)
    parts = _split(data)
    found: dict[str, Any] = {"size_bytes": len(data), "unit": None, "key_id": None, "messages": []}
    if parts is not None:
        header, leaves = parts
        found |= {"unit": header.unit, "key_id": header.key_id}
        found["messages"] = [_envelope(leaf) for leaf in leaves]
    return found


def _envelope(leaf: Leaf) -> dict[str, Any] | None:
    try:
        return msgspec.structs.asdict(_framed(leaf.raw).envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _bytes(row: Found) -> bytes:
    try:
        return base64.b64decode(row.parcel, validate=True)
    except binascii.Error:
        return b""


def _split(data: bytes) -> tuple[Header, tuple[Leaf, ...]] | None:
    """A parcel's parts; None for bytes that are no parcel, which can't be verified ever."""
    try:
        return split_entries(data)
    except WireError:
        return None
