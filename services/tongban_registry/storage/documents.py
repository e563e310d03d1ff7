"""Documents as this registry issued them: fetched and verified by their identifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select

from tongban_registry.storage import tables as t
from tongban_registry.storage.rows import to_us
from tongban_shared.documents.verify import Status
from tongban_shared.storage.engine import read, write

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row, Select
    from sqlalchemy.ext.asyncio import AsyncEngine


class IssuedRow(msgspec.Struct, frozen=True):
    """A document, how it stands today, and the key of whom it tells."""

    document: bytes
    status: Status
    person: str

    def __repr__(self) -> str:
        """Without anything personal."""
        return f"IssuedRow({self.status})"


class Documents:
    """Reads; documents are written by the unit of work that decides on them, and only there."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def find(self, licence_id: str) -> IssuedRow | None:
        """The document under this identifier. Raises StoreDownError."""
        async with read(self._engine) as tx:
            row = (await tx.execute(_under(licence_id))).one_or_none()
        return None if row is None else _issued(row)

    async def hand_out(self, licence_id: str, actor: str, at: datetime) -> IssuedRow | None:
        """The same, and who fetched it when, in one transaction. Raises StoreDownError."""
        async with write(self._engine) as tx:
            row = (await tx.execute(_under(licence_id))).one_or_none()
            if row is None:
                return None
            entry = {"person": row.person, "actor": actor, "purpose": "DOCUMENT", "case_id": row.case_id}
            await tx.execute(t.ACCESS_LOG.insert(), entry | {"result": row.kind, "at": to_us(at)})
        return _issued(row)


def _under(licence_id: str) -> Select[Any]:
    return select(t.DOCUMENT).where(t.DOCUMENT.c.licence_id == licence_id)


def _issued(row: Row[Any]) -> IssuedRow:
    return IssuedRow(row.document.encode(), Status(row.status), row.person)
