"""How a notification leaves: one small promise, and the log, which keeps it where nothing else is set up.

At least once: a process may die between sending and noting it. Every channel therefore carries the same id
each time (`Webhook-Id`, `Message-ID`, `Idempotency-Key`), so that a receiver can tell a second copy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from tongban_shared.clock import BEIJING
from tongban_shared.errors import TongbanError

if TYPE_CHECKING:
    from collections.abc import Mapping

QUIET_CHANNELS = ("email", "sms")
"""Those that wake people; a webhook wakes a program."""
# Set right by operators or by time; any other status of 400 to 499 stays as it is.
PASSING = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Letter:
    """One notification, ready to be read. Names and numbers in it are masked; the address is not.

    facts: the same for a program. now: when this try is made, aware UTC.
    """

    id: str
    province: str
    case_id: str
    told: str
    language: str
    address: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)
    footer: str = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)
    made_at: datetime
    now: datetime


class NotDeliveredError(TongbanError):
    """A channel did not take a letter; no caller ever meets it.

    reason: one of few words, for metrics; never what was answered.
    """

    code = "NOT_DELIVERED"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TemporaryError(NotDeliveredError):
    """It may be taken later. after_s: not sooner, if the channel said so."""

    def __init__(self, reason: str, after_s: float = 0) -> None:
        super().__init__(reason)
        self.after_s = after_s


class PermanentError(NotDeliveredError):
    """It will never be taken."""


class Channel(Protocol):
    """One way out."""

    async def send(self, letter: Letter) -> None:
        """Return once the other side has taken it. Raises TemporaryError, PermanentError; nothing else."""
        ...

    async def close(self) -> None:
        """Let go of connections. Safe to repeat."""
        ...


class LogChannel:
    """Writes a line with case number and state, and nothing personal. For what no channel is set up for."""

    async def send(self, letter: Letter) -> None:
        """Never fails."""
        log.info(
            "notification",
            province=letter.province,
            case_id=letter.case_id,
            state=letter.told,
            message_id=letter.id,
        )

    async def close(self) -> None:
        """Nothing to let go of."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From when until when people are left alone, in China's time; over midnight when `begins` is later."""

    begins: time = time(22)
    ends: time = time(8)

    def at(self, moment: datetime) -> bool:
        """Whether a moment lies within them; equal ends: never."""
        clock = moment.astimezone(BEIJING).time()
        if self.begins <= self.ends:
            return self.begins <= clock < self.ends
        return clock >= self.begins or clock < self.ends


@dataclass(frozen=True, slots=True)
class Post:
    """The ways out that are set up, by channel; what has none goes to the log."""

    channels: Mapping[str, Channel] = field(default_factory=dict)
    quiet: QuietHours = field(default_factory=QuietHours)
    fallback: Channel = field(default_factory=LogChannel)

    def of(self, channel: str) -> Channel:
        """The way out of a channel."""
        return self.channels.get(channel, self.fallback)

    async def close(self) -> None:
        """Close all."""
        for channel in self.channels.values():
            await channel.close()


def check_status(status: int, retry_after: str | None) -> None:
    """What an HTTP status says of a letter. Raises TemporaryError, PermanentError; 200 to 299 is taken."""
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if status in PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        after = (retry_after or "").strip()
        raise TemporaryError("refused_for_now", float(after) if after.isascii() and after.isdigit() else 0)
    raise PermanentError("refused")
