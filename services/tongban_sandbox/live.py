"""`tongban live`: the stories over real Kafka and PostgreSQL, each program a process of its own."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from rich.console import Console

from tongban_sandbox.api import OverHttp
from tongban_sandbox.booklet import HOUSEHOLD_OF, MEMBERS_OF, Member, member_of, seeded_households
from tongban_sandbox.choosing import PROVINCES
from tongban_sandbox.demo import plain
from tongban_sandbox.homes import Claims, Homes, Transit, count_homes
from tongban_sandbox.live_parts import Parts
from tongban_sandbox.registers import CLAIMS, CLOSED, IN_TRANSFER, PERSONS_REGISTERED
from tongban_sandbox.state import Plan
from tongban_sandbox.stories import STORIES, tell_all
from tongban_sandbox.teller import StoryError, Teller
from tongban_shared.ids import Province, person_key
from tongban_shared.keys import load_secrets
from tongban_shared.tuning import loop_factory

if TYPE_CHECKING:
    from tongban_sandbox.people import SyntheticHousehold


class LiveCountry:
    """The Country of real parts: calls go to the gateways in turn, looks go into the databases."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._api = OverHttp.at(*parts.gateway_urls)
        self._secret = load_secrets(parts.keys).person

    @property
    def api(self) -> OverHttp:
        """Both gateways, in turn."""
        return self._api

    def people_of(self, province: Province) -> Sequence[SyntheticHousehold]:
        return seeded_households(province, self._parts.plan)

    async def household_no(self, province: Province, id_number: str) -> str | None:
        rows = await self._ask(province, HOUSEHOLD_OF, person_key(self._secret, id_number))
        return str(rows[0][0]) if rows else None

    async def household(self, province: Province, household_no: str) -> Sequence[Member]:
        return [member_of(row[0], row[1]) for row in await self._ask(province, MEMBERS_OF, household_no)]

    async def homes(self) -> Homes:
        """Count between stories, when nothing moves: the databases are read one after another."""
        self._parts.check()
        claims = {code: await self._claims(code) for code in self._parts.provinces}
        rows = await fetch(self._parts.ledger_database, PERSONS_REGISTERED)
        return count_homes(claims, int(rows[0][0]))

    async def _claims(self, province: Province) -> Claims:
        held = {str(row[0]) for row in await self._ask(province, CLAIMS)}
        rows = [Transit(*row) for row in await self._ask(province, IN_TRANSFER)]
        transit = [row for row in rows if row.state != "FROZEN"]
        closed = (await self._ask(province, CLOSED))[0][0]
        return Claims(held, len(rows) - len(transit), transit, int(closed))

    async def _ask(self, province: Province, question: str, *values: str) -> Sequence[Any]:
        return await fetch(self._parts.database(province), question.replace("?", "$1"), *values)


async def fetch(dsn: str, question: str, *values: str) -> Sequence[Any]:
    """Look into a database, beside whatever runs on it."""
    connection = await asyncpg.connect(dsn.replace("postgresql+asyncpg", "postgresql"))
    try:
        return list(await connection.fetch(question, *values))
    finally:
        await connection.close()


def run_live(keep: Path | None, seed: int) -> None:
    """Start everything, tell the stories, stop everything.

    Raises StoryError, ServerMissingError, ServerFailedError with the end of the log of what failed.
    """
    console = Console()
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tongban-live-")))
        runner = stack.enter_context(asyncio.Runner(loop_factory=loop_factory()))
        try:
            runner.run(_live(folder, Plan(seed=seed), console))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


async def _live(folder: Path, plan: Plan, console: Console) -> None:
    began, say = time.monotonic(), plain(console)
    this = asyncio.current_task()
    assert this is not None
    # Told to stop, it stops what it started, as with Ctrl-C.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    parts = Parts(folder, PROVINCES, plan, say)
    try:
        async with parts:
            say(f"everything is ready after {time.monotonic() - began:.1f} s")
            country = LiveCountry(parts)
            try:
                await tell_all(Teller(country, say, "live"))
            except StoryError:
                # Often the reason is that one of the programs is gone; then its log says more.
                parts.check()
                parts.show_logs()
                raise
            finally:
                await country.api.close()
            parts.check()
        say(f"\n{len(STORIES)} of {len(STORIES)} stories completed in {time.monotonic() - began:.1f} s")
    finally:
        parts.postgres.remove()
