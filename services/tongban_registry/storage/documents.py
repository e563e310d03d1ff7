"""Documents by their identifier: as this registry issued them, and copies that it keeps for its windows."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import or_, select, update

from tongban_registry.storage import tables as t
from tongban_registry.storage.rows import from_us_or_none, to_us
from tongban_shared.documents.verify import Status
from tongban_shared.storage.engine import read, write

if TYPE_CHECKING:
    from sqlalchemy import Row, Select
    from sqlalchemy.ext.asyncio import AsyncEngine

_COPY = t.DOCUMENT_COPY.c
_STANDING = select(_COPY.status)
_LAPSED = update(t.DOCUMENT_COPY).values(document=None, kept_until=None)


class IssuedRow(msgspec.Struct, frozen=True):
    """A document, how it stands today, and the key of whom it tells; a copy: how it stood `as_of`."""

    document: bytes
    status: Status
    person: str
    as_of: datetime | None = None

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

    async def void_copy(self, licence_id: str) -> Status | None:
        """Another registry's document of which it is known here that it holds no more. Raises StoreDownError.

        None: nothing is known, or only that it held once, which nobody is told (EN3).
        """
        async with read(self._engine) as tx:
            found = (await tx.execute(_STANDING.where(_COPY.licence_id == licence_id))).scalar_one_or_none()
        return None if found is None or found == Status.CURRENT else Status(found)

    async def let_go(self, at: datetime) -> int:
        """Drop the copies that nobody came for in time (EN2); how many. Raises StoreDownError."""
        lapsed = _LAPSED.where(_COPY.kept_until <= to_us(at))
        async with write(self._engine) as tx:
            return int((await tx.execute(lapsed)).rowcount)

    async def hand_out(self, licence_id: str, actor: str, at: datetime) -> IssuedRow | None:
        """What was issued here, else the copy; and who fetched it when, in one transaction.

        Raises StoreDownError.
        """
        async with write(self._engine) as tx:
            row = (await tx.execute(_under(licence_id))).one_or_none()
            if row is None:
                row = (await tx.execute(_kept(licence_id, to_us(at)))).one_or_none()
            if row is None:
                return None
            entry = {"person": row.person, "actor": actor, "purpose": "DOCUMENT", "case_id": row.case_id}
            await tx.execute(t.ACCESS_LOG.insert(), entry | {"result": row.kind, "at": to_us(at)})
        return _issued(row)


def _under(licence_id: str) -> Select[Any]:
    return select(t.DOCUMENT).where(t.DOCUMENT.c.licence_id == licence_id)


def _kept(licence_id: str, at_us: int) -> Select[Any]:
    """A copy that is still kept and was not taken back, as far as is known."""
    in_time = or_(_COPY.kept_until.is_(None), _COPY.kept_until > at_us)
    held = (_COPY.document.is_not(None), _COPY.status == Status.CURRENT.value)
    return select(t.DOCUMENT_COPY).where(_COPY.licence_id == licence_id, *held, in_time)


def _issued(row: Row[Any]) -> IssuedRow:
    as_of = row._mapping.get("as_of")  # noqa: SLF001  # SQLAlchemy's public name for it
    person = row._mapping.get("person", "")  # noqa: SLF001  # as above; a copy is of a case
    return IssuedRow(row.document.encode(), Status(row.status), person, from_us_or_none(as_of))
