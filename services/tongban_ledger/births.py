"""Three questions more: birth certificates are claimed, given back, and children entered under them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from fastapi import FastAPI, Request, Response

from tongban_ledger.bodies import answer, decode
from tongban_shared.births import Claimed, Claims, claim, release
from tongban_shared.errors import RefusedError
from tongban_shared.ids import CaseId, Province
from tongban_shared.ledger_wire import (
    CLAIM_BIRTHS_PATH,
    ENTER_BIRTHS_PATH,
    RELEASE_BIRTHS_PATH,
    Births,
    BirthsHeld,
    HeldBy,
    Verdicts,
)
from tongban_shared.ports import Birth, BirthHeld, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tongban_ledger.door import Call, Door

BIRTHS: Final = msgspec.json.Decoder(Births)


class Keeping(Protocol):
    """What is kept of births; `storage.sql.LedgerStore` has it. Every method raises StoreDownError."""

    async def claims(
        self,
        births: Sequence[Birth],
        rule: Callable[[Sequence[Birth], Mapping[str, Claimed]], Claims],
        recorded_at_us: int,
    ) -> Sequence[BirthHeld]:
        """Take claims or give them back."""
        ...

    async def enter_births(self, births: Sequence[Birth], recorded_at_us: int) -> Sequence[Verdict]:
        """Enter children under their claims."""
        ...


def add_births(app: FastAPI, keeping: Keeping, door: Door, now: Callable[[], float]) -> None:
    """Each is signed by the province whose births they are. now: Unix seconds."""

    def at_us() -> int:
        return int(now() * 1_000_000)

    @app.post(CLAIM_BIRTHS_PATH, summary="Claim birth certificates; the answer says who has them")
    async def claim_births(request: Request) -> Response:
        births = _own(await door.enter(request))
        return answer(_held(await keeping.claims(births, claim, at_us())))

    @app.post(RELEASE_BIRTHS_PATH, summary="Give claims back under which nobody has been entered")
    async def release_births(request: Request) -> Response:
        births = _own(await door.enter(request))
        return answer(_held(await keeping.claims(births, release, at_us())))

    @app.post(ENTER_BIRTHS_PATH, summary="Enter children at epoch 0 under the case's own claims")
    async def enter_births(request: Request) -> Response:
        births = _own(await door.enter(request))
        return answer(Verdicts(tuple(await keeping.enter_births(births, at_us()))))


def _own(call: Call) -> list[Birth]:
    """The births asked about. Raises RefusedError(FORBIDDEN): not the caller's."""
    births = decode(call.body, BIRTHS).births
    if any(birth.province != call.owner for birth in births):
        raise RefusedError("FORBIDDEN", "a province claims and enters its own births only")
    return [Birth(CaseId(b.case_id), Province(b.province), b.certificates, b.persons) for b in births]


def _held(found: Sequence[BirthHeld]) -> BirthsHeld:
    return BirthsHeld(tuple(HeldBy(held.province, held.case_id, held.persons) for held in found))
