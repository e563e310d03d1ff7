"""Questions to the custody ledger, asked after the commit that needs them; answers come back as commands.

While the ledger is away, hand-overs wait in RELEASING and the person stays fully served at the origin.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tongban_registry.births import BirthDesk
from tongban_registry.commands import Command
from tongban_registry.outage import Outage
from tongban_registry.unit import Ask
from tongban_shared.cases.common import Located
from tongban_shared.cases.migration_compose import certificate_digest, certificate_of
from tongban_shared.errors import LedgerDownError, StoreDownError
from tongban_shared.fault_points import fault_point
from tongban_shared.ids import PersonKey, Province
from tongban_shared.ports import Move

if TYPE_CHECKING:
    from tongban_registry.inbox import Hall
    from tongban_registry.monitor import Meters
    from tongban_shared.cases.kind import Case
    from tongban_shared.ports import Ledger

ASKED_AT_ONCE_MAX = 1_000
RETRY_S = 1.0


class Asker:
    """Collects what one province has to ask and asks it in batches."""

    def __init__(self, hall: Hall, ledger: Ledger, meters: Meters) -> None:
        self._hall = hall
        self._ledger = ledger
        self._meters = meters
        self._waiting: deque[Ask] = deque()
        self._wake = asyncio.Event()
        self._births = BirthDesk(hall, ledger)
        self._outage = Outage("custody ledger", hall.office.province)

    def put(self, asks: Iterable[Ask]) -> None:
        """Ask these soon."""
        self._waiting.extend(asks)
        if self._waiting:
            self._wake.set()

    async def run(self) -> None:
        """Ask until cancelled; a ledger that is away is asked again."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), ASKED_AT_ONCE_MAX))]
                try:
                    await self._ask(batch)
                    self._outage.ended()
                except LedgerDownError as error:
                    self._outage.began(error)
                    self._meters.ledger_failures.inc()
                    await self._later(batch)
                except StoreDownError:
                    await self._later(batch)  # the hall says so, which can't work either

    async def _later(self, batch: Sequence[Ask]) -> None:
        self._waiting.extendleft(reversed(batch))
        await asyncio.sleep(RETRY_S)

    async def _ask(self, batch: Sequence[Ask]) -> None:
        await self._births.ask(batch)
        appends = [ask.case for ask in batch if ask.name == "ledger.append"]
        locates = [ask.case for ask in batch if ask.name == "ledger.locate"]
        await self._name([ask.case for ask in batch if ask.name == "ledger.name"])
        if appends:
            verdicts = await self._ledger.append([move_of(case) for case in appends])
            fault_point("asker.asked")
            for case, verdict in zip(appends, verdicts, strict=True):
                self._hall.post(Command("appended", body=verdict.value, case_id=case.id))
        if locates:
            found = await self._ledger.locate([PersonKey(key) for case in locates for key in case.persons])
            for case in locates:
                holders: dict[str, str | None] = {
                    key: found[PersonKey(key)].province if PersonKey(key) in found else None
                    for key in case.persons
                }
                epochs = {key: found[PersonKey(key)].epoch for key in case.persons if PersonKey(key) in found}
                self._hall.post(Command("located", body=Located(holders, epochs), case_id=case.id))

    async def _name(self, cases: Sequence[Case]) -> None:
        """Find the persons of a hand-over whom the ledger names by its own digests alone (G1)."""
        moved = await self._hall.store.ever_moved() if cases else ()
        rows = {self._ledger.digest_of(PersonKey(key)): (key, epoch) for key, epoch in moved}
        for case in cases:
            # Of a hand-over that an earlier version of this program recovered, no epochs are known.
            wanted = zip(case.data.digests, case.data.epochs, strict=False)
            found = [(*rows.get(digest, ("", -1)), epoch) for digest, epoch in wanted]
            # Who has come back since and left again, or stayed, is another hand-over's.
            persons = tuple(key for key, before, epoch in found if before == epoch - 1)
            if persons and all(before >= epoch - 1 for _, before, epoch in found):
                self._hall.post(Command("named", case_id=case.id, persons=persons))


# What a case that waits for the ledger has asked, by its state; any other one looks for its persons.
QUESTIONS = {
    "RELEASING": "ledger.append",
    "CLAIMING": "ledger.claim",
    "NUMBERING": "ledger.number",
    "ENTERING": "ledger.enter",
    "GIVING_BACK": "ledger.release",
}


def question_of(state: str) -> str:
    """The question that is put again after a start."""
    return QUESTIONS.get(state, "ledger.locate")


def move_of(case: Case) -> Move:
    """The hand-over of a case as the ledger takes it."""
    persons = tuple((PersonKey(state.person), state.epoch) for state in case.data.agreed)
    origin, destination = Province(case.origin or ""), Province(case.destination)
    return Move(case.id, origin, destination, certificate_digest(certificate_of(case)), persons)
