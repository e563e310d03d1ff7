"""The custody ledger over HTTP, for registry and gateway. It sends keyed digests, never person keys.

    ledger = HttpLedger(httpx.AsyncClient(base_url="http://127.0.0.1:7100"), signer, secrets.custody)

In the one-process sandbox the client has `httpx.ASGITransport(app=ledger_app)`.
"""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeVar

import httpx
import msgspec

from tongban_shared.coalesce import Coalescer
from tongban_shared.errors import LedgerDownError
from tongban_shared.ids import CaseId, PersonKey, Province, custody_digest
from tongban_shared.ledger_wire import (
    APPEND_PATH,
    CLAIM_BIRTHS_PATH,
    CREATED_HEADER,
    ENTER_BIRTHS_PATH,
    FIRST_PATH,
    KEY_HEADER,
    LOCATE_PATH,
    OWNER_HEADER,
    PASSAGES_PATH,
    PERSONS_MAX,
    RELEASE_BIRTHS_PATH,
    SIGNATURE_HEADER,
    Append,
    BirthOf,
    Births,
    BirthsHeld,
    Claim,
    First,
    Locate,
    Located,
    Moving,
    Passages,
    Since,
    Verdicts,
    signed_bytes,
)
from tongban_shared.ports import Birth, BirthHeld, Custody, Move, Passage, Signer, Verdict

# The request's own limits: a request that is cancelled from outside may keep its place in the pool for ever.
TIMEOUT: Final = httpx.Timeout(5.0, connect=1.0, pool=1.0)
# Somebody waits at a window for it, and without it there is a guess, or a case that is located later.
LOCATE_TIMEOUT: Final = httpx.Timeout(2.0, connect=1.0, pool=1.0)
# A ledger that takes calls and answers none is not waited for by everybody in turn.
MUTE_S: Final = 1.0
# What a move weighs besides its persons, so that the heaviest batch stays far under the limit of a body.
MOVE_WEIGHT: Final = 5

Answer = TypeVar("Answer", bound=msgspec.Struct)


class HttpLedger:
    """The port over HTTP. Calls made while one is under way go together in the next one."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        signer: Signer,
        custody_secret: bytes,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._signer = signer
        self._secret = custody_secret
        self._now = now
        self._mute_until_s = 0.0
        self._locating = Coalescer(self._locate, limit=PERSONS_MAX)
        self._claiming = Coalescer(self._first, limit=PERSONS_MAX)
        self._moving = Coalescer(self._append, limit=PERSONS_MAX, weigh=_weight)

    async def locate(self, persons: Sequence[PersonKey]) -> Mapping[PersonKey, Custody]:
        found = await self._locating.submit(persons)
        return {
            person: custody for person, custody in zip(persons, found, strict=True) if custody is not None
        }

    async def register_first(self, persons: Sequence[tuple[PersonKey, Province]]) -> Sequence[Verdict]:
        return await self._claiming.submit(persons)

    async def append(self, moves: Sequence[Move]) -> Sequence[Verdict]:
        return await self._moving.submit(moves)

    async def passages(self, province: Province, after: int, limit: int) -> Sequence[Passage]:
        if province != self._signer.owner:
            raise ValueError("a province asks for its own hand-overs")
        answer = await self._ask(PASSAGES_PATH, Since(after, limit), Passages)
        return [
            Passage(
                line.seq,
                CaseId(line.case_id),
                line.person,
                line.epoch,
                Province(line.origin),
                Province(line.destination),
                line.certificate_digest,
            )
            for line in answer.passages
        ]

    async def claim_births(self, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        return await self._births(CLAIM_BIRTHS_PATH, births)

    async def release_births(self, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        return await self._births(RELEASE_BIRTHS_PATH, births)

    async def enter_births(self, births: Sequence[Birth]) -> Sequence[Verdict]:
        asked = self._births_of(births)
        return list(_all(await self._ask(ENTER_BIRTHS_PATH, asked, Verdicts), len(births)))

    def digest_of(self, person: PersonKey) -> str:
        return self._digest(person)

    async def _locate(self, persons: Sequence[PersonKey]) -> Sequence[Custody | None]:
        if asyncio.get_running_loop().time() < self._mute_until_s:
            raise LedgerDownError("the custody ledger did not answer in time just now")
        digests = [self._digest(person) for person in persons]
        located = await self._ask(LOCATE_PATH, Locate(tuple(dict.fromkeys(digests))), Located)
        by_digest = {
            place.digest: Custody(Province(place.province), place.epoch, place.certificate_digest)
            for place in located.found
        }
        return [by_digest.get(digest) for digest in digests]

    async def _first(self, persons: Sequence[tuple[PersonKey, Province]]) -> Sequence[Verdict]:
        claims = tuple(Claim(self._digest(person), province) for person, province in persons)
        return _all(await self._ask(FIRST_PATH, First(claims), Verdicts), len(claims))

    async def _append(self, moves: Sequence[Move]) -> Sequence[Verdict]:
        bodies = tuple(
            Moving(
                case_id=move.case_id,
                origin=move.origin,
                destination=move.destination,
                certificate_digest=move.certificate_digest,
                persons=tuple((self._digest(person), epoch) for person, epoch in move.persons),
            )
            for move in moves
        )
        return _all(await self._ask(APPEND_PATH, Append(bodies), Verdicts), len(bodies))

    async def _births(self, path: str, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        answer = await self._ask(path, self._births_of(births), BirthsHeld)
        if len(answer.held) != len(births):
            raise LedgerDownError("the custody ledger answers another number of births")
        return [
            BirthHeld(Province(held.province), CaseId(held.case_id), held.persons) for held in answer.held
        ]

    def _births_of(self, births: Sequence[Birth]) -> Births:
        return Births(
            tuple(
                BirthOf(
                    birth.case_id,
                    birth.province,
                    tuple(self._digest(PersonKey(key)) for key in birth.certificates),
                    tuple(self._digest(PersonKey(key)) for key in birth.persons),
                )
                for birth in births
            )
        )

    def _digest(self, person: PersonKey) -> str:
        return custody_digest(self._secret, person)

    async def _ask(self, path: str, question: msgspec.Struct, kind: type[Answer]) -> Answer:
        body = msgspec.json.encode(question)
        timeout = LOCATE_TIMEOUT if path == LOCATE_PATH else TIMEOUT
        headers = self._sign(path, body)
        try:
            reply = await self._client.post(path, content=body, headers=headers, timeout=timeout)
        # anyio asks a socket that uvloop has just lost for its name, and lets the error of that through.
        except (httpx.HTTPError, AttributeError) as error:
            if isinstance(error, httpx.TimeoutException):
                self._mute_until_s = asyncio.get_running_loop().time() + MUTE_S
            raise LedgerDownError(f"the custody ledger does not answer ({type(error).__name__})") from error
        if reply.status_code != HTTPStatus.OK:
            raise LedgerDownError(f"the custody ledger answers {reply.status_code}")
        try:
            return msgspec.json.decode(reply.content, type=kind)
        except msgspec.DecodeError as error:
            raise LedgerDownError("the custody ledger answers something else") from error

    def _sign(self, path: str, body: bytes) -> dict[str, str]:
        created = str(int(self._now()))
        signature = self._signer.sign(signed_bytes("POST", path, created, body))
        return {
            "content-type": "application/json",
            OWNER_HEADER: self._signer.owner,
            KEY_HEADER: self._signer.key_id,
            CREATED_HEADER: created,
            SIGNATURE_HEADER: base64.b64encode(signature).decode("ascii"),
        }


def _weight(move: Move) -> int:
    return len(move.persons) + MOVE_WEIGHT


def _all(answer: Verdicts, count: int) -> Sequence[Verdict]:
    if len(answer.verdicts) != count:
        raise LedgerDownError("the custody ledger answers another number of verdicts")
    return answer.verdicts
