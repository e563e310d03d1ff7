"""What a province says under its signature: sums of buckets, claims of small ones, rows of persons asked for.

A census is read within the questions, a second's work in each, and never beside them: when nobody asks any
more, nothing goes on. Sums are those of the census, lists and rows are of now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from tongban_registry.custody import Census
from tongban_registry.storage.rows import from_us
from tongban_registry.views import local
from tongban_shared.cases.kind import Waits
from tongban_shared.commitment import claimed
from tongban_shared.commitment_wire import (
    Counting,
    Listed,
    Node,
    Question,
    Row,
    Signed,
    Statement,
    Transfer,
    Transfers,
    node_of,
    sign,
)
from tongban_shared.errors import RefusedError
from tongban_shared.ids import Province
from tongban_shared.registration import Registration

if TYPE_CHECKING:
    from datetime import datetime

    from tongban_registry.office import Office
    from tongban_registry.storage.custody_sql import CustodyRows, Standing
    from tongban_shared.ports import Clock, Signer

# A question that takes longer than this to answer is answered with how far the census has come.
WORK_S: Final = 1.0
# Two runs at once and no more: a census costs 37 bytes a person. One that is not asked for is forgotten.
RUNS_MAX: Final = 2
BUSY_S: Final = 10.0
IDLE_S: Final = 900.0
OLDEST_MAX: Final = 50
# Lines of the history are numbered before they are committed; so many are read twice.
OVERLAP: Final = 1_000


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks: the province, its signature, the secret of the ledger's digests, its clock."""

    province: Province
    signer: Signer
    secret: bytes = field(repr=False)
    clock: Clock

    @classmethod
    def of(cls, office: Office) -> Speaker:
        """A registry as it speaks."""
        return cls(office.province, office.signer, office.secrets.custody, office.clock)


@dataclass(slots=True)
class _Run:
    """The census of one challenge, and when it was last asked for."""

    census: Census
    used_s: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Statements:
    """One province's statements. may_speak: False while the registry does not know whom it holds."""

    def __init__(
        self,
        speaker: Speaker,
        rows: CustodyRows,
        may_speak: Callable[[], bool] = lambda: True,
        work_s: float = WORK_S,
    ) -> None:
        self._speaker = speaker
        self._rows = rows
        self._may_speak = may_speak
        self._work_s = work_s
        self._runs: dict[str, _Run] = {}

    async def answer(self, question: Question) -> Signed | Counting:
        """The statement, or how many rows are read so far: then ask again. To ask for nothing ends a run.

        Raises RefusedError: RECOVERING, or OVERLOADED when two others are asking. Raises StoreDownError.
        """
        if not self._may_speak():
            raise RefusedError("RECOVERING", "this registry does not know yet whom it holds")
        if not question.prefixes and not question.digests:
            self._runs.pop(question.challenge, None)
            return sign(self._speaker.signer, self._said(question))
        run = await self._run(question.challenge)
        async with run.turn:
            run.used_s = time.monotonic()
            if not await self._count(run.census):
                return Counting(run.census.counted)
            return sign(self._speaker.signer, await self._state(run.census, question))

    async def _run(self, challenge: str) -> _Run:
        run = self._runs.get(challenge)
        if run is None:
            self._forget(IDLE_S)
            if len(self._runs) >= RUNS_MAX:
                self._forget(BUSY_S)
            if len(self._runs) >= RUNS_MAX:
                raise RefusedError("OVERLOADED", f"{RUNS_MAX} others are asking for statements")
            line = await self._rows.last_line()
            census = Census(self._speaker.province, self._speaker.secret, challenge, line)
            run = self._runs.setdefault(challenge, _Run(census, time.monotonic()))
        asyncio.get_running_loop().call_later(IDLE_S + 1, self._forget, IDLE_S)
        return run

    def _forget(self, idle_s: float) -> None:
        """Drop the runs that nobody has asked for since."""
        before_s = time.monotonic() - idle_s
        for challenge in [challenge for challenge, run in self._runs.items() if run.used_s < before_s]:
            del self._runs[challenge]

    async def _count(self, census: Census) -> bool:
        """Read on for a while; tells whether the census is complete."""
        until_s = time.monotonic() + self._work_s
        while not census.complete:
            await asyncio.to_thread(census.take, await self._rows.page(census.after))
            if time.monotonic() >= until_s:
                break
        return census.complete

    def _said(self, question: Question) -> Statement:
        as_of = local(self._speaker.clock.now()) or ""
        return Statement(self._speaker.province, question.challenge, as_of, digests=question.digests)

    async def _state(self, census: Census, question: Question) -> Statement:
        if any(question.prefixes) or question.digests:
            await self._meet_who_came(census)
        whole = "" in question.prefixes
        return msgspec.structs.replace(
            self._said(question),
            nodes=tuple([await self._node(census, prefix) for prefix in question.prefixes]),
            rows=await self._rows_of(census, question.digests),
            people=dict(census.people) if whole else {},
            transfers=await self._transfers(census) if whole else None,
        )

    async def _meet_who_came(self, census: Census) -> None:
        """Persons entered since their place was read: the history tells who they are."""
        while changed := await self._rows.changed(census.line):
            await asyncio.to_thread(census.meet, changed.values())
            newest = max(changed)
            if newest - OVERLAP <= census.line:
                return
            census.line = newest - OVERLAP

    async def _node(self, census: Census, prefix: str) -> Node:
        keys = await asyncio.to_thread(census.keys_under, prefix) if prefix else None
        if keys is None:
            return node_of(prefix, await asyncio.to_thread(census.sums, prefix))
        return Node(prefix, claims=tuple(self._listed(census, await self._rows.now(keys))))

    def _listed(self, census: Census, rows: Sequence[Standing]) -> list[Listed]:
        found = []
        for row in rows:
            digest = census.digest_of(row.key)
            claim = claimed(self._speaker.province, (digest, row.epoch, row.state, row.moved_to))
            if claim is not None:
                found.append(Listed(*claim, row.state, row.case_id))
        return found

    async def _rows_of(self, census: Census, digests: Sequence[str]) -> tuple[Row, ...]:
        """As they stand; also of those who have no row yet, but a case that fetches their record back."""
        if not digests:
            return ()
        coming = await self._rows.fetched_back()
        rows = {}
        for row in await self._rows.now(census.keys_of(digests)):
            digest = census.digest_of(row.key)
            rows[digest] = Row(digest, row.epoch, row.state, _to(row), row.case_id, row.step)
        for digest in set(digests) & coming.keys():
            case_id, step = coming[digest]
            row_now = rows.get(digest, Row(digest, -1, "ABSENT"))
            rows[digest] = msgspec.structs.replace(row_now, case_id=case_id, step=step)
        return tuple(rows[digest] for digest in sorted(rows))

    async def _transfers(self, census: Census) -> Transfers:
        total, without_case, oldest = await self._rows.going(OLDEST_MAX)
        now = self._speaker.clock.now()
        return Transfers(
            total, without_case, tuple(_transfer(census.digest_of(row.key), row, now) for row in oldest)
        )


def _to(row: Standing) -> str | None:
    """Where somebody goes: frozen, the case says so; released, the row itself."""
    return row.destination if row.state == Registration.FROZEN else row.moved_to


def _transfer(digest: str, row: Standing, now: datetime) -> Transfer:
    owners = {Waits.DESTINATION: row.destination, Waits.ORIGIN: row.origin}
    owner = owners.get(Waits(row.waits), row.waits.lower()) if row.waits else None
    age_s = None if row.since is None else max(0, int((now - from_us(row.since)).total_seconds()))
    return Transfer(digest, row.epoch, row.step or row.state, _to(row), row.case_id, owner, age_s)
