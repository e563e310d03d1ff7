"""Sends what applicants are to be told, beside everything else: nothing here can fail or delay a case.

A channel that fails has its letters tried again, later each time, and given up in the end; the others go on
meanwhile. Delivery is at least once: see channels.py.
"""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog

from tongban_registry.channels import QUIET_CHANNELS, NotDeliveredError, PermanentError, TemporaryError
from tongban_registry.letters import letter_of
from tongban_registry.storage.notifications import Claimed, End, Notifications
from tongban_shared.errors import StoreDownError, WireError

if TYPE_CHECKING:
    from collections.abc import Collection

    from tongban_registry.channels import Post
    from tongban_registry.monitor import Meters
    from tongban_registry.office import Office
    from tongban_registry.storage.store import RegistryStore

ROUND_S = 1.0
CLAIMED_MAX = 32
AT_ONCE = 8
SEND_S = 15.0
# Longer than a batch can take: CLAIMED_MAX / AT_ONCE × SEND_S, twice over.
LEASE = timedelta(seconds=120)
# Fifteen waits, twice as long each time: given up after most of a day.
TRIES_MAX = 16
BACKOFF_FIRST_S = 30.0
BACKOFF_MAX_S = 6 * 3600.0
REST_S = 60.0

log = structlog.get_logger()


class Postman:
    """One province's sender. `run` beside the other loops; `round` is one look, for tests."""

    def __init__(self, office: Office, store: RegistryStore, post: Post, meters: Meters) -> None:
        self._office = office
        self._audience = store.audience
        self._rows = Notifications(store.engine)
        self._post = post
        self._meters = meters
        self._random = random.Random(office.province)  # jitter, not a secret
        self._busy: dict[str, asyncio.Task[bool]] = {}

    async def run(self) -> None:
        """Until cancelled. A fault of ours stops it for a while, and never the registry."""
        while True:
            rounds = asyncio.create_task(self._rounds())
            try:
                await asyncio.wait({rounds})
            finally:
                await _end([rounds])
            error = None if rounds.cancelled() else rounds.exception()
            log.error("notifications pause", province=self._office.province, error_type=type(error).__name__)
            await self._office.clock.sleep(REST_S)

    async def _rounds(self) -> None:
        try:
            while True:
                more = await self._look()
                if not more:
                    await self._office.clock.sleep(ROUND_S)
                elif self._busy:
                    await asyncio.wait(self._busy.values(), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(self._busy.values())
            self._busy.clear()

    async def _look(self) -> bool:
        """Start a batch on each idle channel that has something to send. True: look again at once."""
        more = False
        for channel, task in [*self._busy.items()]:
            if task.done():
                del self._busy[channel]
                more = task.result() or more
        for channel in await self._due():
            if channel not in self._busy:
                self._busy[channel] = asyncio.create_task(self.deliver(channel))
        return more

    async def round(self) -> None:
        """One batch of each channel, to its end."""
        await asyncio.gather(*(self.deliver(channel) for channel in await self._due()))

    async def _due(self) -> Collection[str]:
        if not self._audience.anybody:
            return ()
        now = self._office.clock.now()
        try:
            return await self._rows.due(now, QUIET_CHANNELS if self._post.quiet.at(now) else ())
        except StoreDownError:
            self._meters.store_failures.inc()
            return ()

    async def deliver(self, channel: str) -> bool:
        """Send one batch of a channel. True when it was full and there may be more."""
        now = self._office.clock.now()
        quiet = channel in QUIET_CHANNELS and self._post.quiet.at(now)
        turns = asyncio.Semaphore(AT_ONCE)
        try:
            claimed = await self._rows.claim(channel, now, now + LEASE, limit=CLAIMED_MAX, quiet=quiet)
            if claimed:
                await self._rows.settle(await asyncio.gather(*(self._one(row, turns) for row in claimed)))
        except StoreDownError:
            # Claims that are not settled come again when their lease is over.
            self._meters.store_failures.inc()
            return False
        return len(claimed) == CLAIMED_MAX

    async def _one(self, claimed: Claimed, turns: asyncio.Semaphore) -> End:
        async with turns:
            try:
                await self._send(claimed)
            except NotDeliveredError as error:
                return self._again(claimed, error)
        self._meters.notifications_sent.labels(claimed.channel).inc()
        return End(claimed, sent_at=self._office.clock.now())

    async def _send(self, claimed: Claimed) -> None:
        """Raises NotDeliveredError."""
        if not claimed.sealed:
            raise PermanentError("no_address")
        if claimed.tries > TRIES_MAX:
            # Its last claim was never settled: whoever held it died over it, and more than once.
            raise PermanentError("never_settled")
        try:
            letter = letter_of(claimed, self._office)
        except WireError:
            raise PermanentError("bad_seal") from None
        try:
            async with asyncio.timeout(SEND_S):
                await self._post.of(claimed.channel).send(letter)
        except TimeoutError:
            raise TemporaryError("timeout") from None

    def _again(self, claimed: Claimed, error: NotDeliveredError) -> End:
        """When to try again; or why not."""
        reason = error.reason
        self._meters.notification_failures.labels(claimed.channel, reason).inc()
        if isinstance(error, TemporaryError) and claimed.tries < TRIES_MAX:
            return End(claimed, next_try_at=self._office.clock.now() + self._backoff(claimed.tries, error))
        self._meters.notifications_given_up.labels(claimed.channel, reason).inc()
        log.warning(
            "notification given up",
            province=self._office.province,
            case_id=claimed.case_id,
            message_id=claimed.id,
            reason=reason,
            attempt=claimed.tries,
        )
        return End(claimed, failed=reason)

    def _backoff(self, tries: int, error: TemporaryError) -> timedelta:
        """Capped exponential with full jitter; never sooner than the channel asked for."""
        limit = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** (tries - 1))
        wait_s = BACKOFF_FIRST_S / 2 + self._random.uniform(0, limit)
        return timedelta(seconds=max(wait_s, min(error.after_s, BACKOFF_MAX_S)))


async def _end(tasks: Collection[asyncio.Task[bool]] | Collection[asyncio.Task[None]]) -> None:
    """Cancel and wait: whoever closes the database next must find nobody at it."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
