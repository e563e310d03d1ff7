"""Replay: a parcel from quarantine comes before the hall once more, as if it had just arrived.

For messages refused for a reason that has gone: a key that was missing, a version not spoken, a case put
right. The row leaves quarantine only after the hall's commit, so a crash costs nothing but a second replay.
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
from tongban_shared.wire import split_entries

if TYPE_CHECKING:
    from tongban_registry.inbox import Hall
    from tongban_registry.storage.report_sql import Found
    from tongban_registry.storage.reports import Reports

NO_LOG = ""
"""The log of a record that was not read from any: it moves no position."""
LOOSE = "kept without the signature that covers it; ask the sender to send it again"

log = structlog.get_logger()


class Replays:
    """Puts quarantined parcels of one province before its hall."""

    def __init__(self, hall: Hall, reports: Reports) -> None:
        self._hall = hall
        self._reports = reports

    async def replay(self, number: int, actor: str, reason: str) -> dict[str, Any]:
        """Replay one; tells what became of it: TAKEN, or REFUSED with the new reason, which is a new entry.

        Raises RefusedError (QUARANTINE_UNKNOWN, BAD_FRAME), StoreDownError.
        """
        row = await self._reports.quarantined(number)
        if row is None:
            raise RefusedError("QUARANTINE_UNKNOWN")
        data = _parcel(row)
        if row.message_id is not None and row.reason != "ID_REUSED":
            await self._reports.forget_taken(row.message_id)
        await self._put(data)
        again = await self._reports.refused_again(row)
        await self._reports.settle_quarantine(number, self._note(row, actor, reason))
        log.info(
            "message replayed", province=self._hall.office.province, message_id=row.message_id, code=again
        )
        return {
            "result": "TAKEN" if again is None else "REFUSED",
            "reason": again,
            "message_id": row.message_id,
        }

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

    def _note(self, row: Found, actor: str, reason: str) -> tuple[str, str]:
        office = self._hall.office
        told = {
            "actor": actor,
            "reason": reason,
            "at": local(office.clock.now()),
            "message_id": row.message_id,
            "refused_for": row.reason,
        }
        return f"ops.replay.{row.n}", msgspec.json.encode(told).decode()


def _parcel(row: Found) -> bytes:
    """The bytes as they came. Raises RefusedError(BAD_FRAME) when they are no parcel that can be verified."""
    try:
        data = base64.b64decode(row.parcel, validate=True)
        split_entries(data)
    except (binascii.Error, WireError) as error:
        raise RefusedError("BAD_FRAME", LOOSE) from error
    return data
