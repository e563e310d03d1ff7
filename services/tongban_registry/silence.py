"""Who answers nothing is only probed: a month of silence must not pile up in a log what lies there already.

A lane, one receiver and family, is silent when a message in it was tried often without receipt. Then each
message is sent once more at most and kept back; one goes out every few minutes, each time another. A receipt
for any of these wakes the lane. Its receiver may have all the rest before it: so if much is left, the lane is
watched, and only what it does not receipt by itself goes out again, so much at a time. Nothing here has to
survive a restart: how often a message was tried stands in its row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from tongban_registry.storage.outbox_sql import Lane, Left

if TYPE_CHECKING:
    from tongban_registry.monitor import Meters
    from tongban_registry.storage.outbox_sql import LaneRows
    from tongban_registry.storage.rows import Waiting

    Row = tuple[str, Waiting]

TRIES_BEFORE_SILENCE = 8
# A message sent into the silence may have been lost on its way, and the lane be silent for another's sake.
RESENDS_INTO_SILENCE = 1
# What is let go has two tries; then the lane is silent again.
TRIES_WHEN_LET_GO = TRIES_BEFORE_SILENCE - 2
LET_GO_PER_ROUND = 500
UNDER_WAY_MAX = 1_000
PROBES_REMEMBERED = 16
PROBE_AGAIN = timedelta(seconds=15)
LOOK_AGAIN = timedelta(seconds=10)

log = structlog.get_logger()


@dataclass(slots=True)
class Silent:
    """A silent lane. left: as last looked at, None until it woke; letting_go: what is left goes out again."""

    probe_at: datetime
    probed_at: datetime | None = None
    probes: deque[str] = field(default_factory=lambda: deque(maxlen=PROBES_REMEMBERED))
    left: Left | None = None
    looked_at: datetime | None = None
    letting_go: bool = False


class Silence:
    """The silent lanes of one province. `more`: whether the last `tend` left something to do at once."""

    def __init__(self, province: str, rows: LaneRows, meters: Meters, pause: Callable[[], timedelta]) -> None:
        self._province = province
        self._rows = rows
        self._meters = meters
        self._pause = pause
        self._lanes: dict[Lane, Silent] = {}
        self.more = False

    async def load(self, now: datetime) -> None:
        """At start: who was silent before is probed first."""
        for lane in await self._rows.tried(TRIES_BEFORE_SILENCE):
            self._fall_silent(lane, now)

    def divide(self, due: Sequence[Row], now: datetime) -> tuple[list[Row], list[str]]:
        """Of what is due: rows to send, and the ids of those to keep back."""
        for lane in {Lane(row.receiver, row.family) for _, row in due if row.tries >= TRIES_BEFORE_SILENCE}:
            silent = self._lanes.get(lane)
            if silent is None or silent.letting_go:
                self._fall_silent(lane, now)
        sent: list[Row] = []
        kept: list[str] = []
        for entry in due:
            if self._kept_back(entry[1]):
                kept.append(entry[1].message_id)
            else:
                sent.append(entry)
        return sent, kept

    def _kept_back(self, row: Waiting) -> bool:
        silent = self._lanes.get(Lane(row.receiver, row.family))
        return silent is not None and not silent.letting_go and row.tries >= RESENDS_INTO_SILENCE

    def heard(self, provinces: Iterable[str], now: datetime) -> None:
        """These have said something: worth a probe at once, though not one for each word."""
        if self._lanes:
            spoken = set(provinces)
            self._hurry((silent for lane, silent in self._lanes.items() if lane.receiver in spoken), now)

    def broker_is_back(self, now: datetime) -> None:
        """Parcels are taken again: perhaps nobody was silent but the broker."""
        self._hurry(self._lanes.values(), now)

    @staticmethod
    def _hurry(lanes: Iterable[Silent], now: datetime) -> None:
        for silent in lanes:
            soon = now if silent.probed_at is None else max(now, silent.probed_at + PROBE_AGAIN)
            silent.probe_at = min(silent.probe_at, soon)

    async def tend(self, now: datetime) -> list[Row]:
        """See who woke, let go what was kept back for them; returns the probes to send."""
        self.more = False
        await self._see_who_woke(now)
        probes: list[Row] = []
        for lane, silent in list(self._lanes.items()):
            if silent.letting_go:
                await self._let_go(lane, now)
            elif silent.left is not None:
                await self._look(lane, silent, now)
            elif silent.probe_at <= now:
                probes += await self._probe(lane, silent, now)
        return probes

    async def _see_who_woke(self, now: datetime) -> None:
        asked = [message_id for silent in self._lanes.values() for message_id in silent.probes]
        retired = await self._rows.retired(asked) if asked else set()
        for lane, silent in self._lanes.items():
            if silent.left is None and not retired.isdisjoint(silent.probes):
                left = await self._rows.left(lane, now)
                silent.left, silent.looked_at = left, now
                silent.letting_go = left.kept <= LET_GO_PER_ROUND
                self._say("answers again", lane, left.kept)

    async def _look(self, lane: Lane, silent: Silent, now: datetime) -> None:
        """As long as it receipts by itself what it was sent before, nothing goes out twice."""
        before = silent.left
        if before is None or silent.looked_at is None or now - silent.looked_at < LOOK_AGAIN:
            return
        left = await self._rows.left(lane, now)
        moves = left.kept < before.kept or left.unit > before.unit
        silent.left, silent.looked_at = left, now
        silent.letting_go = self.more = left.kept <= LET_GO_PER_ROUND or not moves

    async def _let_go(self, lane: Lane, now: datetime) -> None:
        """So much at a time: if it falls silent again, little was sent in vain."""
        if await self._rows.under_way(lane, now) < UNDER_WAY_MAX:
            self.more = True
            let_go = await self._rows.let_go(lane, now, LET_GO_PER_ROUND, tries=TRIES_WHEN_LET_GO)
            if let_go < LET_GO_PER_ROUND:
                self._forget(lane)

    async def _probe(self, lane: Lane, silent: Silent, now: datetime) -> list[Row]:
        row = await self._rows.probe(lane)
        if row is None:
            self._forget(lane)
            return []
        silent.probes.append(row[1].message_id)
        silent.probed_at, silent.probe_at = now, now + self._pause()
        return [row]

    def _fall_silent(self, lane: Lane, now: datetime) -> None:
        self._lanes[lane] = Silent(probe_at=now)
        self._meters.silent_lanes.set(len(self._lanes))
        self._say("silent, only probed", lane)

    def _forget(self, lane: Lane) -> None:
        del self._lanes[lane]
        self._meters.silent_lanes.set(len(self._lanes))

    def _say(self, what: str, lane: Lane, backlog: int | None = None) -> None:
        receiver, family = lane
        log.info(what, province=self._province, receiver=receiver, family=family, backlog=backlog)
