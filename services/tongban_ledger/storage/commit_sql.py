"""What the proof of custody reads of the ledger: newest entries along their digests, and lines of the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import Text, bindparam, select

from tongban_ledger.storage.tables import CUSTODY, HEAD, LOG
from tongban_shared.commitment import Tally
from tongban_shared.commitment_wire import Line, LinesFound, Now
from tongban_shared.ledger_wire import Head
from tongban_shared.storage.engine import read
from tongban_shared.storage.plain import plain_rows
from tongban_shared.storage.rowset import rowset

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

# Rows are made on the event loop, which others need too: a few ms at a time.
PAGE_ROWS: Final = 5_000
# In the order of texts: behind every digit; and right behind a whole digest, before the next one.
AFTER_ALL_DIGITS: Final = "g"
NEXT: Final = "0"

ASKED = rowset("asked", digest=Text)
_COLUMNS = (CUSTODY.c.digest, CUSTODY.c.epoch, CUSTODY.c.holder)
_CLAIMS = (
    select(*_COLUMNS)
    .where(CUSTODY.c.digest >= bindparam("begin"), CUSTODY.c.digest < bindparam("end"))
    .order_by(CUSTODY.c.digest)
    .limit(PAGE_ROWS)
)
_NEWEST = select(*_COLUMNS).where(CUSTODY.c.digest == ASKED.c.digest)
_LINES = (
    select(LOG.c.digest, LOG.c.epoch, LOG.c.holder, LOG.c.case_id)
    .where(LOG.c.digest == ASKED.c.digest)
    .order_by(LOG.c.digest, LOG.c.epoch)
)
_HEAD = select(HEAD.c.seq, HEAD.c.hash)


class ClaimRows:
    """What the ledger's store reads for the proof. Every method raises StoreDownError."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def count(self, tally: Tally) -> Head:
        """Add the newest entries under a tally's prefix to it, all of one moment; the head at that moment."""
        async with read(self._engine) as tx:
            head = (await tx.execute(_HEAD)).one()
            begin, end = tally.prefix, tally.prefix + AFTER_ALL_DIGITS
            while rows := await plain_rows(tx, _CLAIMS, {"begin": begin, "end": end}):
                # In a thread: so many terms take longer than the other callers should wait.
                await asyncio.to_thread(tally.add, rows)
                begin = rows[-1][0] + NEXT
            return Head(head.seq, head.hash)

    async def lines(self, digests: Sequence[str]) -> LinesFound:
        """The newest entry of each person that has one, and every line of the log, at one moment."""
        asked = ASKED.bind((digest,) for digest in dict.fromkeys(digests))
        async with read(self._engine) as tx:
            newest = [Now(*row) for row in await tx.execute(_NEWEST, asked)]
            lines = [Line(*row) for row in await tx.execute(_LINES, asked)]
        return LinesFound(tuple(newest), tuple(lines))
