"""One run: a challenge drawn anew, the key of the night made of it, and what everybody answers, verified."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tongban_sandbox.reconcile.voices import LedgerVoice, RegistryVoice, SilentError
from tongban_sandbox.together import end
from tongban_shared.commitment import Keyed, night_key
from tongban_shared.commitment_wire import (
    LEDGER_DIGESTS_MAX,
    LEDGER_PREFIXES_MAX,
    PREFIXES_MAX,
    Counting,
    Line,
    LinesFound,
    Node,
    Now,
    Question,
    Row,
    Signed,
    Statement,
    StatementError,
    opened,
)
from tongban_shared.errors import UnavailableError

if TYPE_CHECKING:
    from tongban_shared.ids import Province
    from tongban_shared.ledger_wire import Head
    from tongban_shared.ports import Verifier

CHALLENGE_SIZE_BYTES: Final = 16
# A database may be slow for a moment, others may be asking too; a province that is away is away for longer.
TRIES: Final = 8
TRY_AGAIN_S: Final = 1.0
# Everybody is asked at the same time, in turns of a second: a sandbox has all of them on one machine.
ASKED_AT_ONCE: Final = 8
NOT_ASKED: Final = "NOT_ASKED"
Say = Callable[[str], None]
Thing = TypeVar("Thing")
One = TypeVar("One")
Other = TypeVar("Other")


@dataclass(frozen=True, slots=True)
class Country:
    """Whom to ask, whose signatures to believe, and the national secret of the ledger's digests."""

    registries: Mapping[Province, RegistryVoice]
    ledger: LedgerVoice
    verifier: Verifier
    secret: bytes = field(repr=False)


class Hearing:
    """One run's questions. A province that has failed is not asked again: `silent` says why."""

    def __init__(self, country: Country, say: Say, *, try_again_s: float = TRY_AGAIN_S) -> None:
        self.challenge = secrets.token_hex(CHALLENGE_SIZE_BYTES)
        self.silent: dict[str, str] = {}
        self.head: Head | None = None
        self.say = say
        self._try_again_s = try_again_s
        self._turns = asyncio.Semaphore(ASKED_AT_ONCE)
        self._country = country
        self._key = night_key(country.secret, self.challenge)
        self.keyed = Keyed(self._key)

    @property
    def provinces(self) -> Sequence[Province]:
        """Those who have answered everything so far."""
        return [province for province in self._country.registries if province not in self.silent]

    def is_silent(self, province: str) -> bool:
        """Whether nothing is known of what a province says."""
        if province not in self._country.registries:
            self.silent.setdefault(province, NOT_ASKED)
        return province in self.silent

    async def whole(self, province: Province) -> Statement | None:
        """What a province says of its whole register; None: it is silent."""
        return await self._ask(province, Question(self.challenge, ("",)))

    async def nodes(self, province: Province, prefixes: Iterable[str]) -> dict[str, Node] | None:
        """What a province says of prefixes; None: it is silent."""
        found: dict[str, Node] = {}
        for some in _parts(prefixes, PREFIXES_MAX):
            said = await self._ask(province, Question(self.challenge, tuple(some)))
            if said is None:
                return None
            found |= {node.prefix: node for node in said.nodes}
        return found

    async def rows(self, province: Province, digests: Iterable[str]) -> dict[str, Row] | None:
        """A province's rows of persons as they stand now; None: it is silent."""
        found: dict[str, Row] = {}
        for some in _parts(digests, PREFIXES_MAX):
            said = await self._ask(province, Question(self.challenge, digests=tuple(some)))
            if said is None:
                return None
            found |= {row.digest: row for row in said.rows}
        return found

    async def ledger_nodes(self, prefixes: Iterable[str]) -> dict[str, Node]:
        """What the ledger says of prefixes. Raises LedgerDownError."""
        found: dict[str, Node] = {}
        for some in _parts(prefixes, LEDGER_PREFIXES_MAX):
            said = await self._patiently(partial(self._country.ledger.sums, self._key, some))
            self.head = said.head
            found |= {node.prefix: node for node in said.nodes}
        return found

    async def ledger_lines(self, digests: Iterable[str]) -> LinesFound:
        """What the ledger says of persons. Raises LedgerDownError."""
        newest: list[Now] = []
        lines: list[Line] = []
        for some in _parts(digests, LEDGER_DIGESTS_MAX):
            said = await self._patiently(partial(self._country.ledger.lines, some))
            newest += said.newest
            lines += said.lines
        return LinesFound(tuple(newest), tuple(lines))

    async def close(self) -> None:
        """Tell everybody that nothing more is asked, so that they forget what they counted for this run."""
        await asyncio.gather(*(self._ask(code, Question(self.challenge)) for code in self.provinces))

    async def _ask(self, province: Province, question: Question) -> Statement | None:
        if province in self.silent:
            return None
        try:
            return await self._statement(province, question)
        except SilentError as error:
            self.silent[province] = error.reason
        except StatementError as error:
            self.silent[province] = f"STATEMENT_{error.reason}"
        return None

    async def _statement(self, province: Province, question: Question) -> Statement:
        async def ask() -> Signed | Counting:
            async with self._turns:
                return await self._country.registries[province].ask(question)

        while isinstance(said := await self._patiently(ask), Counting):
            pass
        return opened(self._country.verifier, said, province, question)

    async def _patiently(self, ask: Callable[[], Awaitable[Thing]]) -> Thing:
        """Ask; who does not answer is asked again a few times. Raises SilentError, UnavailableError."""
        for _ in range(TRIES - 1):
            with suppress(SilentError, UnavailableError):
                return await ask()
            await asyncio.sleep(self._try_again_s)
        return await ask()


def _parts(things: Iterable[Thing], size: int) -> Iterator[Sequence[Thing]]:
    all_of_them = list(things)
    for start in range(0, len(all_of_them), size):
        yield all_of_them[start : start + size]


async def beside(
    one: Coroutine[Any, Any, One], others: Iterable[Coroutine[Any, Any, Other]]
) -> tuple[One, list[Other]]:
    """All of them at once. Whatever one of them raises ends the rest and is raised here."""
    first, rest = asyncio.ensure_future(one), [asyncio.ensure_future(other) for other in others]
    try:
        return await first, [await other for other in rest]
    finally:
        await end([first, *rest])
