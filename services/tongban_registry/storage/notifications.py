"""What is still to be told, for whoever sends it: which rows are due, whose turn it is, what became of them.

Rows are claimed for a while (a lease): whoever claimed them and died leaves them to be claimed again, and two
processes never hold the same one. Each claim counts a try, so that one that is late changes nothing any more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, ColumnElement, Text, and_, delete, exists, or_, select, update

from tongban_registry.storage import tables as t
from tongban_registry.storage.rows import from_us, to_us, to_us_or_none
from tongban_registry.storage.sql import KEYS
from tongban_shared.storage.engine import read, write
from tongban_shared.storage.rowset import rowset

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

ENDS = rowset("ends", id=Text, tries=BigInteger, next_try_at=BigInteger, sent_at=BigInteger, failed=Text)
_N = t.NOTIFICATION.c
_EARLIER, _LATER = t.NOTIFICATION.alias("earlier"), t.NOTIFICATION.alias("later")
# A case is told in its order: what comes after one that still waits has to wait too.
_OVERTAKES = exists().where(
    _EARLIER.c.case_id == _N.case_id, _EARLIER.c.version < _N.version, _EARLIER.c.next_try_at.is_not(None)
)
# What is urgent takes along what waits before it in the same case.
_HURRIED = or_(
    _N.urgent == 1,
    exists().where(
        _LATER.c.case_id == _N.case_id,
        _LATER.c.version > _N.version,
        _LATER.c.urgent == 1,
        _LATER.c.next_try_at.is_not(None),
    ),
)
_END = (
    update(t.NOTIFICATION)
    .where(_N.id == ENDS.c.id, _N.tries == ENDS.c.tries, _N.next_try_at.is_not(None))
    .values(next_try_at=ENDS.c.next_try_at, sent_at=ENDS.c.sent_at, failed=ENDS.c.failed)
)
_FORGET = delete(t.CONTACT).where(t.CONTACT.c.case_id.in_(KEYS.select("key")))
_CONTACTS = select(t.CONTACT).where(t.CONTACT.c.case_id == KEYS.c.key)


@dataclass(frozen=True, slots=True)
class Claimed:
    """One notification to send now, for the `tries`-th time. sealed: empty when the address is gone."""

    id: str
    case_id: str
    channel: str
    change: str
    last: bool
    made_at: datetime
    tries: int
    language: str
    sealed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class End:
    """What became of one claim: sent, to be tried again at a time, or given up with a reason."""

    claimed: Claimed
    sent_at: datetime | None = None
    next_try_at: datetime | None = None
    failed: str | None = None


class Notifications:
    """Every method raises StoreDownError when the database does not answer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def due(self, now: datetime, quiet: Collection[str] = ()) -> Sequence[str]:
        """Channels with something to send now. quiet: those on which only what is urgent goes out."""
        query = select(_N.channel).where(_ready(now), _awake(quiet)).distinct()
        async with read(self._engine) as tx:
            return sorted((await tx.execute(query)).scalars())

    async def claim(
        self, channel: str, now: datetime, until: datetime, *, limit: int, quiet: bool = False
    ) -> Sequence[Claimed]:
        """Up to `limit` rows of a channel, the longest due first; nobody else gets them before `until`."""
        due = (
            select(_N.id)
            .where(_ready(now), _N.channel == channel, _awake({channel} if quiet else ()))
            .order_by(_N.next_try_at, _N.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
        )
        claim = (
            update(t.NOTIFICATION)
            .where(_N.id.in_(select(due.c.id)))
            .values(next_try_at=to_us(until), tries=_N.tries + 1)
            .returning(_N.id, _N.case_id, _N.change, _N.last, _N.made_at, _N.tries)
        )
        async with write(self._engine) as tx:
            rows = (await tx.execute(claim)).all()
            wanted = sorted({row.case_id for row in rows})
            found = (await tx.execute(_CONTACTS, KEYS.bind([(key,) for key in wanted]))).all()
        told = {row.case_id: (row.language, row.sealed) for row in found}
        return [
            Claimed(
                row.id,
                row.case_id,
                channel,
                row.change,
                bool(row.last),
                from_us(row.made_at),
                row.tries,
                *told.get(row.case_id, ("zh", "")),
            )
            for row in sorted(rows, key=lambda row: row.id)
        ]

    async def settle(self, ends: Sequence[End]) -> None:
        """Note what became of claims, and forget the address of whom there is nothing more to tell."""
        rows = [
            (e.claimed.id, e.claimed.tries, to_us_or_none(e.next_try_at), to_us_or_none(e.sent_at), e.failed)
            for e in ends
        ]
        over = sorted({(e.claimed.case_id,) for e in ends if e.claimed.last and e.next_try_at is None})
        async with write(self._engine) as tx:
            await tx.execute(_END, ENDS.bind(rows))
            if over:
                await tx.execute(_FORGET, KEYS.bind(over))


def _ready(now: datetime) -> ColumnElement[bool]:
    return and_(_N.next_try_at <= to_us(now), ~_OVERTAKES)


def _awake(quiet: Collection[str]) -> ColumnElement[bool]:
    """Not a channel that is quiet now, or urgent."""
    return and_(*(or_(_N.channel != channel, _HURRIED) for channel in quiet), _N.next_try_at.is_not(None))
