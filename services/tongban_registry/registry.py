"""One province's registry, put together: hall, doors, exit, timers. Started and stopped as one."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from tongban_registry.asker import Asker, question_of
from tongban_registry.commands import Command
from tongban_registry.consultation_http import consultation_routes
from tongban_registry.custody_statements import Speaker, Statements
from tongban_registry.documents_http import document_routes
from tongban_registry.door import Door
from tongban_registry.entries import ENTRIES
from tongban_registry.events_http import event_routes
from tongban_registry.gate import Gate
from tongban_registry.health import MIGRATIONS, VERSION, Vitals, first_reason, ledger_check
from tongban_registry.http import case_routes, change_routes, decision_routes, registration_routes
from tongban_registry.inbox import Committed, Hall
from tongban_registry.me_http import me_routes
from tongban_registry.monitor import Meters
from tongban_registry.office import Office
from tongban_registry.ops import Contacts, Ops
from tongban_registry.ops_http import case_list_routes, overview_routes
from tongban_registry.outage import Outage
from tongban_registry.outbox import Relay
from tongban_registry.pause import Pause, PauseGate
from tongban_registry.postman import Postman
from tongban_registry.quarantine_http import quarantine_routes, waiting_routes
from tongban_registry.recovering import RecoveringDoor
from tongban_registry.replay import Replays
from tongban_registry.settings import PUBLIC_URL
from tongban_registry.storage.commitment_sql import FalseCommitments
from tongban_registry.storage.custody_sql import CustodyRows
from tongban_registry.storage.documents import Documents
from tongban_registry.storage.rating_sql import Ratings
from tongban_registry.storage.refused import Refusals
from tongban_registry.storage.reports import Reports
from tongban_registry.storage.store import RegistryStore
from tongban_registry.tasks_http import Desk, task_routes
from tongban_registry.timers import run_timers
from tongban_registry.unit import Ask
from tongban_registry.views import provinces
from tongban_shared.catalogue import load_catalogue
from tongban_shared.errors import StoreDownError, TransportDownError
from tongban_shared.keys import load_directory, load_secrets, load_signer
from tongban_shared.storage.migrate import upgrade
from tongban_shared.web.health import add_health_routes
from tongban_shared.web.install import install, new_app
from tongban_shared.wire import Opener, Roots

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI

    from tongban_registry.channels import Post
    from tongban_shared.ports import Clock, Fence, Inlet, Ledger, Transport
    from tongban_shared.provinces import ProvinceProfile
    from tongban_shared.web.health import Check, Health

log = structlog.get_logger()

POLL_RECORDS_MAX = 200
POLL_TIMEOUT_S = 1.0
POLL_RETRY_S = 1.0
FINISH_S = 5.0
START_S = 2.0


@cache
def _verified_roots(_keys: Path) -> Roots:
    """One memory of verified roots for all provinces of this process that read the same key list."""
    return OrderedDict()


@dataclass(frozen=True, slots=True)
class Surrounds:
    """What a registry is given from outside: pipe, ledger, clock, key folder, and each province's fence.

    public_url: where people reach the page that verifies a document; printed documents name it.
    post: how applicants are told of their cases; None: it waits until somebody is given one.
    """

    transport: Transport
    ledger: Ledger
    clock: Clock
    keys: Path
    fences: Callable[[str], Fence] | None = None
    public_url: str = PUBLIC_URL
    post: Post | None = None


class Registry:
    """One province. `start` runs it in the background; `stop` ends it without losing what it took."""

    def __init__(self, office: Office, store: RegistryStore, around: Surrounds, hall: Hall) -> None:
        self.office = office
        self.store = store
        self.hall = hall
        self.relay = Relay(office, store, around.transport, hall.meters)
        self.asker = Asker(hall, around.ledger, hall.meters)
        self.door = Door(office, around.ledger, store, ENTRIES)
        self.gate = Gate(hall, around.ledger)
        self._transport = around.transport
        self._ledger = around.ledger
        self._public_url = around.public_url
        self._post = around.post
        self._posting: list[asyncio.Task[None]] = []
        self._opening: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._sources: list[asyncio.Task[None]] = []
        self.health: Health | None = None
        self._inlet: Inlet | None = None
        reports = Reports(store.engine)
        self.desk = Desk(office, reports, Ratings(store.engine), FalseCommitments(store.engine))
        self.pause = Pause(reports)
        self.contacts = Contacts(office.clock, reports)
        hall.after_commit = self._leave

    @classmethod
    async def open(cls, profile: ProvinceProfile, database: str, around: Surrounds) -> Registry:
        """Migrate the database, load keys and counters. Raises SettingsError, StoreDownError."""
        await upgrade(database, MIGRATIONS)
        store = await RegistryStore.open(database)
        directory = load_directory(around.keys)
        office = Office(
            profile=profile,
            signer=load_signer(around.keys, profile.code),
            opener=Opener(profile.code, directory, _verified_roots(around.keys)),
            peers=tuple(code for code in directory.provinces() if code != profile.code),
            secrets=load_secrets(around.keys),
            catalogue=load_catalogue(),
            clock=around.clock,
            org=profile.county_bureau,
            calendars={code: other.calendar for code, other in provinces().items()},
        )
        hall = Hall(office, store, await store.counters(), Meters())
        if around.fences is not None:
            hall.fence = around.fences(profile.code)
        return cls(office, store, around, hall)

    async def start(self) -> None:
        """Pass the gate, then read, work and send. Returns when that is done, or while it takes longer.

        Until then the doors say RECOVERING. What a crash left open goes on at once; the log says how much.
        """
        self._opening = asyncio.create_task(self._come_up())
        await asyncio.wait({self._opening}, timeout=START_S)
        if self._opening.done():
            self._opening.result()

    async def _come_up(self) -> None:
        """Try until the database answers: what is done twice here is the same the second time."""
        database = Outage("database", self.office.province)
        while True:
            try:
                await self.gate.settle()
                await self._go_on()
            except StoreDownError as error:
                database.began(error)
                await asyncio.sleep(POLL_RETRY_S)
            else:
                return

    async def _go_on(self) -> None:
        await self.pause.load()
        unreceipted = await self.store.hurry_outbox(self.office.clock.now())
        undecided = await self.store.waiting_for_ledger()
        log.info(
            "going on from here",
            province=self.office.province,
            unit=self.hall.counters.unit,
            backlog=unreceipted,
            count=len(undecided),
        )
        positions = await self.store.positions()
        for case in undecided:
            self.asker.put([Ask(question_of(case.state), case)])
        if self.hall.counters.unit:
            # Those too of whom this database knows nothing: it may be from before the first message to them.
            self.hall.post(Command("started", persons=self.office.peers))
        self._inlet = await self._transport.open_inlet(self.office.province, positions)
        sources = (self._read(self._inlet), run_timers(self.hall))
        workers = (self.hall.run(), self.relay.run(), self.asker.run())
        self._sources = [asyncio.create_task(source) for source in sources]
        self._tasks = [*self._sources, *(asyncio.create_task(worker) for worker in workers)]
        if self._post is not None:
            # Not among the workers: no fault of its own stops the registry.
            postman = Postman(self.office, self.store, self._post, self.hall.meters)
            self._posting = [asyncio.create_task(postman.run())]

    async def _read(self, inlet: Inlet) -> None:
        """Door 2: poll and hand over, as fast as the hall takes it."""
        broker = Outage("broker", self.office.province)
        while True:
            try:
                records = await inlet.poll(POLL_RECORDS_MAX, POLL_TIMEOUT_S)
            except TransportDownError as error:
                broker.began(error)
                self.hall.meters.poll_failures.inc()
                await asyncio.sleep(POLL_RETRY_S)
                continue
            broker.ended()
            if records:
                await self.hall.put_records(records)

    async def _leave(self, committed: Committed) -> None:
        """After a commit: parcels go out from memory, questions to the ledger."""
        if committed.sealed is not None:
            await self.relay.send_soon(committed.sealed.parcels())
            # Whom a receipt goes to has been heard.
            heard = {message.to for message in committed.sealed.messages if not message.seq}
            self.contacts.heard(heard)
            self.relay.heard(heard)
        self.asker.put(committed.asks)

    async def stop(self) -> None:
        """Stop reading, end the hall between two units, let out what was committed, close the database."""
        self.hall.closing.end()
        healthy = bool(self._tasks) and await self.failed() is None
        await _end([self._opening] if self._opening is not None else [])
        await _end(self._sources)
        if healthy:
            # A command that means nothing is answered when the units before it are committed.
            with contextlib.suppress(TimeoutError, StoreDownError):
                async with asyncio.timeout(FINISH_S):
                    await self.hall.ask(Command("pass"))
        await _end([*self._tasks, *self._posting])
        self._tasks = self._sources = []
        if self._inlet is not None:
            await self._inlet.close()
        await self.relay.drain()
        await self.store.close()
        await self.hall.fence.close()
        log.info("registry closed", province=self.office.province)

    async def kill(self) -> None:
        """End as a crash would: nothing more is decided, answered or awaited. For sandbox and tests."""
        await _end([*self._tasks, *([self._opening] if self._opening is not None else [])])
        await self.stop()

    async def failed(self) -> str | None:
        """None while all workers run, else which one stopped; then the process must not go on."""
        opening = self._opening
        if opening is not None and opening.done() and (opening.cancelled() or opening.exception()):
            return "it did not come up"
        stopped = [task for task in self._tasks if task.done()]
        return f"{len(stopped)} of {len(self._tasks)} workers stopped" if stopped else None

    async def ended(self) -> BaseException | None:
        """Return when a worker has stopped, with its error if it had one: the process must not go on."""
        if self._opening is not None:
            await asyncio.wait({self._opening})
            if self._opening.cancelled() or self._opening.exception() is not None:
                return None if self._opening.cancelled() else self._opening.exception()
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        return next((task.exception() for task in done if not task.cancelled()), None)

    def app(self, more: Mapping[str, Check] | None = None) -> FastAPI:
        """The HTTP door. more: checks of the process around it."""
        app = new_app(f"tongban registry {self.office.province}", VERSION)
        vitals = Vitals(
            {"recovery": self._recovery, "workers": self.failed, "database": self._database, **(more or {})}
        )
        vitals.needed_once("transport", self._transport.ready)
        vitals.needed_once("ledger", ledger_check(self._ledger))
        self.health = vitals.health(self.hall.meters.registry)
        add_health_routes(app, self.health)
        app.include_router(case_routes(self.hall, self.door))
        app.include_router(change_routes(self.hall, self.door))
        app.include_router(consultation_routes(self.store))
        app.include_router(event_routes(self.hall, (more or {}).get("process")))
        app.include_router(decision_routes(self.hall, self.desk))
        app.include_router(registration_routes(self.hall, self.door, self.gate))
        app.include_router(task_routes(self.desk))
        app.include_router(self._documents())
        app.include_router(me_routes(self.office, self.door, self.desk.reports))
        self._add_ops(app, self.health)
        app.add_middleware(PauseGate, pause=self.pause)
        app.add_middleware(RecoveringDoor, gate=self.gate)
        install(app)
        return app

    def _documents(self) -> APIRouter:
        documents, keys = Documents(self.store.engine), self.office.opener.verifier
        return document_routes(self.office, documents, keys, self._public_url)

    def _add_ops(self, app: FastAPI, health: Health) -> None:
        ops = Ops(self.hall, self.desk, self.pause, self.contacts)
        ops.ready = partial(first_reason, health)
        app.include_router(overview_routes(ops, self._statements()))
        app.include_router(case_list_routes(ops))
        refusals, code = Refusals(self.store.engine), self.office.province
        app.include_router(quarantine_routes(code, refusals, Replays(self.hall, refusals)))
        app.include_router(waiting_routes(code, refusals))

    async def _recovery(self) -> str | None:
        return None if self.gate.open else "RECOVERING: not known yet whether this database is the newest"

    def _statements(self) -> Statements:
        return Statements(Speaker.of(self.office), CustodyRows(self.store.engine), lambda: self.gate.open)

    async def _database(self) -> str | None:
        await self.store.positions()
        return None


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel and wait; what a task failed with was told by `ended`."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
