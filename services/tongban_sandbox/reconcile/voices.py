"""Who is asked: registries and ledger, over HTTP or in their own files. None of them is believed unsigned."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import httpx
import msgspec

from tongban_ledger.commitments import sums
from tongban_shared.commitment_wire import (
    CUSTODY_PATH,
    LINES_PATH,
    SUMS_PATH,
    Counting,
    LinesAsked,
    LinesFound,
    Question,
    Signed,
    SumsAsked,
    SumsFound,
)
from tongban_shared.errors import LedgerDownError, RefusedError, TongbanError, UnavailableError
from tongban_shared.ledger_wire import (
    CREATED_HEADER,
    KEY_HEADER,
    OWNER_HEADER,
    SIGNATURE_HEADER,
    signed_bytes,
)

if TYPE_CHECKING:
    from tongban_ledger.commitments import Reading
    from tongban_registry.custody_statements import Statements
    from tongban_shared.ids import Province
    from tongban_shared.ports import Signer

# A ledger of a whole country counts for minutes; a registry answers within a second or two whatever it has.
LEDGER_S: Final = httpx.Timeout(900.0, connect=5.0)
REGISTRY_S: Final = httpx.Timeout(60.0, connect=5.0)
Answer = TypeVar("Answer", bound=msgspec.Struct)


class SilentError(TongbanError):
    """A province gives no statement that can be used; `reason` is a stable code."""

    code = "PROVINCE_UNAVAILABLE"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RegistryVoice(Protocol):
    """One province, asked for statements."""

    async def ask(self, question: Question) -> Signed | Counting:
        """The signed statement, or how far it has counted: then ask again. Raises SilentError."""
        ...


class LedgerVoice(Protocol):
    """The custody ledger, asked for sums and lines."""

    async def sums(self, key: bytes, prefixes: Sequence[str]) -> SumsFound:
        """A node for each prefix, under the key of the night. Raises LedgerDownError."""
        ...

    async def lines(self, digests: Sequence[str]) -> LinesFound:
        """Newest entries and lines of these persons. Raises LedgerDownError."""
        ...


class RegistryOverHttp:
    """A registry at its own address, or through a gateway that is told the province."""

    def __init__(self, client: httpx.AsyncClient, through: Province | None = None) -> None:
        self._client = client
        self._through = through

    async def ask(self, question: Question) -> Signed | Counting:
        """Raises SilentError."""
        asked = {"challenge": question.challenge}
        if question.prefixes:
            asked["prefix"] = ",".join(question.prefixes)
        if question.digests:
            asked["digest"] = ",".join(question.digests)
        if self._through is not None:
            asked["province"] = self._through
        try:
            answer = await self._client.get(CUSTODY_PATH, params=asked, timeout=REGISTRY_S)
            if answer.status_code == HTTPStatus.ACCEPTED:
                return msgspec.json.decode(answer.content, type=Counting)
            if answer.status_code == HTTPStatus.OK:
                return msgspec.json.decode(answer.content, type=Signed)
        except httpx.HTTPError as error:
            raise SilentError(type(error).__name__) from error
        except msgspec.DecodeError as error:
            raise SilentError("BAD_ANSWER") from error
        raise SilentError(_code(answer))


class RegistryInFile:
    """A registry's own statements, made from its database while no process of it need run."""

    def __init__(self, statements: Statements, turns: asyncio.Semaphore) -> None:
        """turns: how many registers of this process are read at once."""
        self._statements = statements
        self._turns = turns

    async def ask(self, question: Question) -> Signed | Counting:
        """Raises SilentError."""
        try:
            async with self._turns:
                return await self._statements.answer(question)
        except RefusedError as error:
            raise SilentError(error.reason) from error
        except UnavailableError as error:
            raise SilentError(error.code) from error


class LedgerOverHttp:
    """The ledger at its address; every question is signed."""

    def __init__(
        self, client: httpx.AsyncClient, signer: Signer, now: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._signer = signer
        self._now = now

    async def sums(self, key: bytes, prefixes: Sequence[str]) -> SumsFound:
        """Raises LedgerDownError."""
        return await self._ask(SUMS_PATH, SumsAsked(key.hex(), tuple(prefixes)), SumsFound)

    async def lines(self, digests: Sequence[str]) -> LinesFound:
        """Raises LedgerDownError."""
        return await self._ask(LINES_PATH, LinesAsked(tuple(digests)), LinesFound)

    async def _ask(self, path: str, question: msgspec.Struct, kind: type[Answer]) -> Answer:
        body = msgspec.json.encode(question)
        created = str(int(self._now()))
        signature = self._signer.sign(signed_bytes("POST", path, created, body))
        headers = {
            "content-type": "application/json",
            OWNER_HEADER: self._signer.owner,
            KEY_HEADER: self._signer.key_id,
            CREATED_HEADER: created,
            SIGNATURE_HEADER: base64.b64encode(signature).decode("ascii"),
        }
        try:
            answer = await self._client.post(path, content=body, headers=headers, timeout=LEDGER_S)
        except httpx.HTTPError as error:
            raise LedgerDownError(f"the custody ledger does not answer ({type(error).__name__})") from error
        if answer.status_code != HTTPStatus.OK:
            raise LedgerDownError(f"the custody ledger answers {_code(answer)}")
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.DecodeError as error:
            raise LedgerDownError("the custody ledger answers something else") from error


class LedgerInFile:
    """The ledger's own database, read while no process of it need run."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    async def sums(self, key: bytes, prefixes: Sequence[str]) -> SumsFound:
        """Raises StoreDownError."""
        return await sums(self._reading, SumsAsked(key.hex(), tuple(prefixes)))

    async def lines(self, digests: Sequence[str]) -> LinesFound:
        """Raises StoreDownError."""
        return await self._reading.lines(digests)


def _code(answer: httpx.Response) -> str:
    """The stable code of a problem, else the status."""
    try:
        body: Any = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        body = None
    named = body.get("code") if isinstance(body, dict) else None
    return named if isinstance(named, str) else f"HTTP_{answer.status_code}"
