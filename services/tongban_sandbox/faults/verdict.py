"""The last look: what outsiders were told, against each other, and against registers and ledger."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tongban_sandbox.bench.check import CUSTODY, check
from tongban_sandbox.faults.client import COMPLETED
from tongban_sandbox.faults.history import (
    GONE,
    UNASKED,
    Home,
    Wrong,
    homes_due,
    wrong_answers,
    wrong_homes,
    wrong_requests,
)
from tongban_shared.ids import custody_digest

if TYPE_CHECKING:
    from tongban_sandbox.bench.check import Country
    from tongban_sandbox.faults.client import Client
    from tongban_shared.keys import Secrets

REFUSED = "SELECT reason, parcel FROM quarantine"
OPEN = "SELECT side, state, waits, count(*) FROM cases WHERE closed_at IS NULL GROUP BY side, state, waits"
STATES = "SELECT id, side, state FROM cases"
TYPE, CASE = re.compile(rb'"type":"([\w.]+)"'), re.compile(rb'"case_id":"(\w+)"')
ENDS = "SELECT id, CASE WHEN closed_at IS NULL THEN '' ELSE state END FROM cases WHERE side = 'DESTINATION'"


@dataclass(slots=True)
class Found:
    """What a check found. persons_*: by the registers; faults: cases and messages that are not at an end.

    told: what is gone and may be, in words.
    """

    persons_lost: int = 0
    persons_doubled: int = 0
    wrong: list[Wrong] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Persons without a home, and acknowledged applications that are gone."""
        return self.persons_lost + sum(wrong.kind == GONE for wrong in self.wrong)

    @property
    def doubled(self) -> int:
        """Persons with two homes, and cases that nobody asked for."""
        return self.persons_doubled + sum(wrong.kind == UNASKED for wrong in self.wrong)

    @property
    def good(self) -> bool:
        """Nothing at all."""
        return not (self.persons_lost or self.persons_doubled or self.wrong or self.faults)


async def judge(look: Country, client: Client, secrets: Secrets) -> Found:
    """Compare everything. Nothing is under way any more."""
    known: dict[str, str] = {}
    for reader in look.registers.values():
        known |= dict(await reader.rows(ENDS))
    requests = client.history.requests
    given_up = {
        case_id for case_id, one in requests.items() if case_id not in known and client.may_forget(one)
    }
    verdict = await check(look, len(requests) - len(given_up))
    entries = {digest: Home(holder, epoch) for digest, epoch, holder in await look.ledger.rows(CUSTODY)}
    people = client.crowd.keys(secrets.person)
    numbers = {custody_digest(secrets.custody, key): person for key, person in people.items()}
    homes = {numbers[digest]: home for digest, home in entries.items() if digest in numbers}
    _end_forgotten(client, known, homes)
    wrong = wrong_requests({key: one for key, one in requests.items() if key not in given_up}, known)
    wrong += wrong_homes(homes_due(client.crowd.first_homes, client.ended, COMPLETED), homes)
    wrong += wrong_answers(client.history.answers)
    wrong += [Wrong(GONE, f"{case_id} was unknown for a while") for case_id in client.gone]
    told = [f"{len(given_up)} applications went with the database that was put back"] if given_up else []
    faults = [*verdict.faults, *await _open(look), *await _refused(look)]
    return Found(verdict.counted.lost, verdict.counted.doubled, wrong, faults, told)


async def _open(look: Country) -> list[str]:
    """Where the cases stand that have not ended."""
    return [
        f"{count} open at {code}: {side} {state}, waits for {waits}"
        for code, reader in look.registers.items()
        for side, state, waits, count in await reader.rows(OPEN)
    ]


async def _refused(look: Country) -> list[str]:
    """What lies in quarantine, by reason, kind of message, and where its case stands now."""
    counted: Counter[str] = Counter()
    for code, reader in look.registers.items():
        states = {case_id: f"{side} {state}" for case_id, side, state in await reader.rows(STATES)}
        for reason, parcel in await reader.rows(REFUSED):
            raw = base64.b64decode(parcel)
            kind, case_id = (
                found[1].decode() if (found := name.search(raw)) else "?" for name in (TYPE, CASE)
            )
            counted[f"{reason}: {kind} at {code}, whose case is {states.get(case_id, 'unknown')}"] += 1
    return [f"{count} of {words}" for words, count in counted.most_common()]


def _end_forgotten(client: Client, known: Mapping[str, str], homes: Mapping[int, Home]) -> None:
    """Whether an application that its register had forgotten for a while was a move, the ledger knows."""
    due = homes_due(client.crowd.first_homes, client.ended, COMPLETED)
    for case_id, request in list(client.forgotten.items()):
        person = request.persons[0]
        moved = homes.get(person) == Home(request.destination, due[person].epoch + 1)
        request.ended = COMPLETED if moved else known.get(case_id) or None
        if request.ended is not None:
            client.ended.append(client.forgotten.pop(case_id))
