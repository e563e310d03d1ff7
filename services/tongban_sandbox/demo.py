"""`tongban demo`: the stories in a country of one process, in a folder that is thrown away after."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from rich.console import Console

from tongban_sandbox.api import OverHttp
from tongban_sandbox.booklet import HOUSEHOLD_OF, MEMBERS_OF, Member, member_of, seeded_households
from tongban_sandbox.state import Plan, StateFolder
from tongban_sandbox.stories import STORIES, tell_all
from tongban_sandbox.teller import Teller
from tongban_sandbox.world import World
from tongban_shared.ids import Province, person_key
from tongban_shared.keys import load_secrets
from tongban_shared.tuning import loop_factory

if TYPE_CHECKING:
    from tongban_sandbox.homes import Homes
    from tongban_sandbox.people import SyntheticHousehold


class EmbeddedCountry:
    """The Country of one World. Calls go through the gateway's HTTP interface, without a socket."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._plan = world.state.manifest.plan
        transport = httpx.ASGITransport(world.gateway)
        self._api = OverHttp([httpx.AsyncClient(transport=transport, base_url="http://gateway")])
        self._secret = load_secrets(world.state.keys).person

    @property
    def api(self) -> OverHttp:
        """The gateway."""
        return self._api

    def people_of(self, province: Province) -> Sequence[SyntheticHousehold]:
        return seeded_households(province, self._plan)

    async def household_no(self, province: Province, id_number: str) -> str | None:
        rows = self._ask(province, HOUSEHOLD_OF, person_key(self._secret, id_number))
        return str(rows[0][0]) if rows else None

    async def household(self, province: Province, household_no: str) -> Sequence[Member]:
        return [member_of(*row) for row in self._ask(province, MEMBERS_OF, household_no)]

    async def homes(self) -> Homes:
        return await self._world.exactly_one_home()

    def _ask(self, province: Province, question: str, value: str) -> Sequence[tuple[str, int]]:
        with self._world.registers.reader(province) as reader:
            return reader.execute(question, (value,)).fetchall()


def run_demo(seed: int) -> None:
    """Tell all stories. Raises StoryError with what was off."""
    console = Console()
    with asyncio.Runner(loop_factory=loop_factory()) as runner, tempfile.TemporaryDirectory() as folder:
        runner.run(_demo(Path(folder) / "sandbox", Plan(seed=seed), console))


async def _demo(folder: Path, plan: Plan, console: Console) -> None:
    began = time.monotonic()
    async with World(StateFolder(folder, plan)) as world:
        await world.start()
        ready_s = time.monotonic() - began
        console.print(
            f"{len(world.profiles)} provinces, {world.people} synthetic people, ready in {ready_s:.1f} s"
        )
        await tell_all(Teller(EmbeddedCountry(world), plain(console), "demo"))
        took_s = time.monotonic() - began
        console.print(f"\n{len(STORIES)} of {len(STORIES)} stories completed in {took_s:.1f} s")


def plain(console: Console) -> Callable[[str], None]:
    """Print lines as they are, whatever stands in them."""
    return partial(console.print, soft_wrap=True, highlight=False, markup=False)
