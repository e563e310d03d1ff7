"""The ledger's statements. Each takes a whole batch, so a transaction has the same few whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Text, bindparam, or_, select, update

from tongban_ledger.storage.birth_sql import Rule, known_claims, put_claims
from tongban_ledger.storage.commit_sql import ClaimRows
from tongban_ledger.storage.tables import CUSTODY, HEAD, LOG
from tongban_shared.births import enter as enter_children, hop_of
from tongban_shared.custody import GENESIS, Entry, Hop, Judgement, Place, chain, judge
from tongban_shared.errors import StoreDownError
from tongban_shared.ids import Province
from tongban_shared.ledger_wire import Head, Passed
from tongban_shared.ports import Birth, BirthHeld, Custody, Verdict
from tongban_shared.storage.engine import open_engine, read, write
from tongban_shared.storage.migrate import upgrade
from tongban_shared.storage.rowset import insert_all, rowset, upsert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row
    from sqlalchemy.ext.asyncio import AsyncConnection

MIGRATIONS: Final = Path(__file__).parent / "migrations"
PAGE_ROWS: Final = 5_000

WANTED = rowset("wanted", digest=Text)
PLACES = rowset("places", digest=Text, epoch=BigInteger)
NEWEST = rowset("newest", digest=Text, epoch=BigInteger, holder=Text, certificate_digest=Text)
LINES = rowset(
    "lines",
    seq=BigInteger,
    digest=Text,
    epoch=BigInteger,
    holder=Text,
    certificate_digest=Text,
    case_id=Text,
    recorded_at=BigInteger,
    hash=Text,
    origin=Text,
)

THE_HEAD = select(HEAD.c.seq, HEAD.c.hash)
THE_HEAD_LOCKED = THE_HEAD.with_for_update()  # SQLite: the transaction holds the whole file already
CURRENT = select(CUSTODY).where(CUSTODY.c.digest == WANTED.c.digest)
PAST = select(LOG.c.digest, LOG.c.epoch, LOG.c.holder, LOG.c.certificate_digest).where(
    LOG.c.digest == PLACES.c.digest, LOG.c.epoch == PLACES.c.epoch
)
ADD_LINES = insert_all(LOG, LINES)
PUT_NEWEST = upsert(CUSTODY, NEWEST, ["digest"])
MOVE_HEAD = update(HEAD).values(seq=bindparam("new_seq"), hash=bindparam("new_hash"))
PAGE = select(LOG).where(LOG.c.seq > bindparam("after")).order_by(LOG.c.seq).limit(PAGE_ROWS)

# Read along the key from where the caller stands: what it has not seen yet is a short end of the log.
PASSAGES = (
    select(LOG)
    .where(
        LOG.c.seq > bindparam("after"),
        LOG.c.origin.is_not(None),
        or_(LOG.c.origin == bindparam("province"), LOG.c.holder == bindparam("province")),
    )
    .order_by(LOG.c.seq)
    .limit(bindparam("most"))
)


class LedgerStore(ClaimRows):
    """The ledger on a SQL database."""

    async def locate(self, digests: Sequence[str]) -> dict[str, Custody]:
        """The newest entries of those that have one. Raises StoreDownError."""
        async with read(self._engine) as tx:
            return await _current(tx, digests)

    async def enter(self, hops: Sequence[Hop], recorded_at_us: int) -> Sequence[Verdict]:
        """Judge and enter hops in one transaction, one verdict each. Raises StoreDownError.

        When that is raised nothing or all of it was entered; to enter it again is safe.
        """
        async with write(self._engine) as tx:
            head = await _head(tx, locked=True)
            current = await _current(tx, [person for hop in hops for person, _ in hop.persons])
            judgement = judge(hops, current, await _past(tx, hops, current))
            if judgement.entries:
                await _append(tx, head, judgement, recorded_at_us)
        return judgement.verdicts

    async def claims(self, births: Sequence[Birth], rule: Rule, recorded_at_us: int) -> Sequence[BirthHeld]:
        """Take claims or give them back, as the rule says, in one transaction. Raises StoreDownError."""
        async with write(self._engine) as tx:
            await _head(tx, locked=True)
            found = rule(births, await known_claims(tx, births))
            await put_claims(tx, found.changed, recorded_at_us)
        return found.answers

    async def enter_births(self, births: Sequence[Birth], recorded_at_us: int) -> Sequence[Verdict]:
        """Enter children under their claims, in one transaction. Raises StoreDownError; to repeat is safe."""
        hops = [hop_of(birth) for birth in births]
        async with write(self._engine) as tx:
            head = await _head(tx, locked=True)
            current = await _current(tx, [person for hop in hops for person, _ in hop.persons])
            known, past = await known_claims(tx, births), await _past(tx, hops, current)
            found = enter_children(births, known, current, past)
            if found.entries:
                await _append(tx, head, Judgement([], found.entries, found.newest), recorded_at_us)
            await put_claims(tx, found.changed, recorded_at_us)
        return found.verdicts

    async def head(self) -> Head:
        """The end of the log. Raises StoreDownError."""
        async with read(self._engine) as tx:
            return await _head(tx, locked=False)

    async def passages(self, province: str, after: int, limit: int) -> Sequence[Passed]:
        """Hand-overs from or to a province later than `after`, in order. Raises StoreDownError."""
        async with read(self._engine) as tx:
            rows = await tx.execute(PASSAGES, {"province": province, "after": after, "most": limit})
        return [
            Passed(r.seq, r.case_id, r.digest, r.epoch, r.origin, r.holder, r.certificate_digest)
            for r in rows
        ]

    async def first_broken_line(self) -> int | None:
        """Read the whole log and return the number of the first line that was changed, None if none was.

        A log cut off at its end is told by the head: then the first missing number. Raises StoreDownError.
        """
        async with read(self._engine) as tx:
            last, before = 0, GENESIS
            while page := (await tx.execute(PAGE, {"after": last})).all():
                for row in page:
                    before, last = chain(before, _entry(row), row.recorded_at), last + 1
                    if (row.seq, row.hash) != (last, before):
                        return last
            head = await _head(tx, locked=False)
            return None if (head.seq, head.hash) == (last, before) else last + 1

    async def ready(self) -> str | None:
        """None when the database answers, else the reason why not."""
        try:
            await self.head()
        except StoreDownError as error:
            return error.code
        return None

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


async def open_store(url: str) -> LedgerStore:
    """Bring the schema up to date and open. Raises SettingsError, StoreDownError."""
    await upgrade(url, MIGRATIONS)
    return LedgerStore(await open_engine(url))


async def _head(tx: AsyncConnection, *, locked: bool) -> Head:
    row = (await tx.execute(THE_HEAD_LOCKED if locked else THE_HEAD)).one()
    return Head(row.seq, row.hash)


async def _current(tx: AsyncConnection, digests: Sequence[str]) -> dict[str, Custody]:
    rows = await tx.execute(CURRENT, WANTED.bind((digest,) for digest in dict.fromkeys(digests)))
    return {row.digest: _custody(row) for row in rows}


async def _past(
    tx: AsyncConnection, hops: Sequence[Hop], current: Mapping[str, Custody]
) -> dict[Place, Custody]:
    """Entries at the places that are taken already: repeats, or conflicts. Mostly there are none to read."""
    taken = {
        (person, epoch + 1)
        for hop in hops
        for person, epoch in hop.persons
        if person in current and current[person].epoch > epoch
    }
    if not taken:
        return {}
    rows = await tx.execute(PAST, PLACES.bind(taken))
    return {(row.digest, row.epoch): _custody(row) for row in rows}


async def _append(tx: AsyncConnection, head: Head, judgement: Judgement, recorded_at_us: int) -> None:
    lines, before = [], head.hash
    for seq, entry in enumerate(judgement.entries, head.seq + 1):
        before = chain(before, entry, recorded_at_us)
        fields = (entry.person, entry.epoch, entry.holder, entry.certificate_digest, entry.case_id)
        lines.append((seq, *fields, recorded_at_us, before, entry.origin))
    newest = [
        (person, custody.epoch, custody.province, custody.certificate_digest)
        for person, custody in sorted(judgement.newest.items())
    ]
    await tx.execute(ADD_LINES, LINES.bind(lines))
    await tx.execute(PUT_NEWEST, NEWEST.bind(newest))
    await tx.execute(MOVE_HEAD, {"new_seq": head.seq + len(lines), "new_hash": before})


def _custody(row: Row[Any]) -> Custody:
    return Custody(Province(row.holder), row.epoch, row.certificate_digest)


def _entry(row: Row[Any]) -> Entry:
    return Entry(row.digest, row.epoch, Province(row.holder), row.certificate_digest, row.case_id)
