"""A country of real services on one loop: provinces, ledger, gateway, wire, and the checkers over them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from tongban_gateway.app import GatewayApp, Options, create_app
from tongban_gateway.breaker import BreakerPolicy
from tongban_gateway.forward import Patience
from tongban_gateway.upstream import AsgiUpstream, UpstreamFailedError, UpstreamRequest
from tongban_sandbox.simulation.broker import Broker
from tongban_sandbox.simulation.clock import NationalTime, ProvinceClock
from tongban_sandbox.simulation.journal import Journal
from tongban_sandbox.simulation.ledger import Book, LedgerLine
from tongban_sandbox.simulation.loop import PROCESS
from tongban_sandbox.simulation.outside import NOTHING, History, Reply
from tongban_sandbox.simulation.site import Fate, Site
from tongban_sandbox.simulation.template import GATEWAY
from tongban_sandbox.simulation.watch import BrokenPromiseError, Watch
from tongban_sandbox.simulation.weather import Weather
from tongban_shared.ids import PersonKey, Province
from tongban_shared.keys import load_directory, load_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tongban_sandbox.simulation.chance import Chance
    from tongban_sandbox.simulation.loop import Process, SimLoop
    from tongban_sandbox.simulation.sqlite import Attendant, Change
    from tongban_sandbox.simulation.template import Resident, Template

ANSWER_S = 30.0
# An answer that was given before the process died may be read a moment after.
SLACK_S = 0.001
ALARM = "alarm"
JSON = [(b"content-type", b"application/json")]
PATIENCE = Patience(breaker=BreakerPolicy(open_s=0.5, open_s_max=2.0))


class Country:
    """One country. Open it inside the loop."""

    def __init__(self, loop: SimLoop, template: Template, folder: Path, chance: Chance) -> None:
        self.loop = loop
        self.chance = chance
        self.template = template
        self.time = NationalTime(loop)
        self.journal = Journal(self.time.now_s)
        self.weather = Weather()
        self.watch = Watch(self.break_off)
        self.history = History(self.break_off)
        self.broker = Broker(self.time, self.weather, self.journal, chance.source("wire"))
        self.book = Book(self.weather, chance.source("ledger"))
        self.sites: dict[Province, Site] = {}
        self.residents: dict[PersonKey, Resident] = {}
        self.observers: list[Callable[[str, Sequence[Change]], None]] = []
        self.mates: Mapping[PersonKey, Sequence[PersonKey]] = {}
        self.failed: asyncio.Future[BrokenPromiseError] = loop.create_future()
        self._folder = folder
        self._gateway: Process = loop.process(GATEWAY)
        self._door: AsgiUpstream | None = None

    def break_off(self, error: BrokenPromiseError) -> None:
        """A promise does not hold: the run ends here."""
        if not self.failed.done():
            self.journal.note("BROKEN", error.what)
            self.failed.set_result(error)

    def said_error(self, words: str) -> None:
        """A service has logged an error: a fault inside it, or an alarm, which is for people."""
        self.journal.note("error", words)
        if words != ALARM and not PROCESS.get(self.loop.outside).dead:
            self.break_off(BrokenPromiseError(f"a service logged an error: {words}"))

    def excused(self, at_s: float, province: Province | None = None) -> bool:
        """Whether what was acknowledged then may be gone: after a backup and before it was put back.

        province: there; None: anywhere.
        """
        sites = self.sites.values() if province is None else (self.sites[province],)
        return any(begin_s <= at_s <= end_s + SLACK_S for site in sites for begin_s, end_s, _ in site.lost)

    def forgiven(self, at_s: float, province: Province) -> bool:
        """Whether it was forgotten without a trace: a file was put back whose fence was lost or put back too.

        Then only a peer can tell, and the province works on until one has.
        """
        return any(
            begin_s <= at_s <= end_s + SLACK_S and fence is not Fate.STAYS
            for begin_s, end_s, fence in self.sites[province].lost
        )

    def attendant_of(self, process: Process) -> Attendant:
        """Who attends to the databases of a process."""
        return self.sites[Province(process.name)]

    async def open(self, provinces: int) -> None:
        """Files, people, ledger, processes, gateway."""
        codes = list(self.template.profiles)[:provinces]
        self.template.new_keys([*codes, GATEWAY])
        for code in codes:
            self._add(code)
        for code, site in self.sites.items():
            people = self.template.residents[code]
            self.residents |= {resident.key: resident for resident in people}
            await self.book.inner.register_first([(resident.key, code) for resident in people])
            site.load()
        self.mates = self._households()
        self.book.entered = self._entered
        self.book.tell()
        await asyncio.gather(*(site.start() for site in self.sites.values()))
        self._door = AsgiUpstream(self._make_gateway())

    def _add(self, code: Province) -> None:
        file = self._folder / f"{code}.db"
        self.template.copy(code, file)
        self.sites[code] = Site(
            self.template.profiles[code],
            file,
            loop=self.loop,
            broker=self.broker,
            ledger=LedgerLine(self.book, code),
            clock=ProvinceClock(self.time, self.chance.source(f"clock {code}")),
            keys=self.template.keys,
            watch=self.watch,
            speaks=self.watch.speaks,
            committed=self._committed,
            journal=self.journal,
            random=self.chance.source(f"site {code}"),
            broken=self.break_off,
        )

    def _committed(self, province: str, changes: Sequence[Change]) -> None:
        for change in changes:
            self.journal.note(change.table, province, *change.row[:3])
        self.watch.committed(province, changes)
        for observer in self.observers:
            self.loop.call_soon(observer, province, changes, context=self.loop.outside.context())

    def _households(self) -> Mapping[PersonKey, Sequence[PersonKey]]:
        """Who lived together at the beginning, by person."""
        homes: dict[str, list[PersonKey]] = {}
        for key in self.residents:
            (row,) = self.watch.people[key].values()
            homes.setdefault(row.home, []).append(key)
        return {key: mates for mates in homes.values() for key in mates}

    def _entered(self, entries: Sequence[Any]) -> None:
        for entry in entries:
            self.journal.note("ledger", entry.person, entry.epoch, entry.holder, entry.case_id)
        self.watch.entered(entries)

    def _make_gateway(self) -> GatewayApp:
        options = Options(
            keys=load_directory(self.template.keys),
            clock=ProvinceClock(self.time, self.chance.source("gateway")),
            patience=PATIENCE,
            ticks=self.loop.time,
        )
        upstreams: Mapping[Province, Site] = self.sites
        ledger = LedgerLine(self.book, GATEWAY)
        return create_app(
            self.template.profiles, upstreams, ledger, load_secrets(self.template.keys), options=options
        )

    async def call(self, method: str, path: str, body: object = None, key: str | None = None) -> Reply:
        """A request from outside, through the gateway."""
        assert self._door is not None
        content = b"" if body is None else msgspec.json.encode(body)
        headers = list(JSON) if content else []
        if key is not None:
            headers.append((b"idempotency-key", key.encode()))
        request = UpstreamRequest(method, path.encode(), headers, content, ANSWER_S)
        try:
            answer = await self._gateway.ask(self._door.send(request))
        except UpstreamFailedError:
            return NOTHING
        return Reply(answer.status, msgspec.json.decode(answer.body) if answer.body else None)
