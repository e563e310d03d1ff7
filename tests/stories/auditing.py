"""The proof of the night over a country of the stories: its doors, and its ledger in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import msgspec

from tests.stories.world import Country
from tongban_sandbox.reconcile.hearing import Country as Asked
from tongban_sandbox.reconcile.report import lines
from tongban_sandbox.reconcile.run import Outcome, reconcile
from tongban_sandbox.reconcile.voices import RegistryOverHttp, RegistryVoice
from tongban_shared.commitment import Keyed, Tally
from tongban_shared.commitment_wire import (
    Counting,
    Line,
    LinesFound,
    Listed,
    Node,
    Now,
    Question,
    Signed,
    SumsFound,
    node_of,
)
from tongban_shared.errors import LedgerDownError
from tongban_shared.ids import PersonKey, Province, custody_digest
from tongban_shared.keys import load_directory, load_secrets
from tongban_shared.ledger_memory import MemoryLedger
from tongban_shared.ledger_wire import Head
from tongban_shared.ports import Birth, BirthHeld, Move, Passage, Verdict


class NamedLedger(MemoryLedger):
    """As in service it knows persons by its own digests, of a secret that only the registries have.

    mute: hand-overs are entered, and the answer is lost; deaf: the same of newborns, and `entered` is set.
    """

    def __init__(self, keys: Path) -> None:
        super().__init__()
        self.mute = self.deaf = False
        self.entered = asyncio.Event()
        self._keys = keys
        self._digest = cache(lambda person: custody_digest(load_secrets(self._keys).custody, person))

    def digest_of(self, person: PersonKey) -> str:
        """As HttpLedger has it."""
        return self._digest(person)

    async def append(self, moves: Sequence[Move]) -> Sequence[Verdict]:
        """Enters, and may not answer."""
        verdicts = await super().append(moves)
        if self.mute:
            raise LedgerDownError("the answer is lost")
        return verdicts

    async def passages(self, province: Province, after: int, limit: int) -> Sequence[Passage]:
        """Persons in it by digest."""
        found = await super().passages(province, after, limit)
        return [replace(passage, person=self.digest_of(PersonKey(passage.person))) for passage in found]

    async def claim_births(self, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        """Children in it by digest."""
        return [self._named(held) for held in await super().claim_births(births)]

    async def release_births(self, births: Sequence[Birth]) -> Sequence[BirthHeld]:
        """Children in it by digest."""
        return [self._named(held) for held in await super().release_births(births)]

    async def enter_births(self, births: Sequence[Birth]) -> Sequence[Verdict]:
        """Enters, and may not answer."""
        verdicts = await super().enter_births(births)
        self.entered.set()
        if self.deaf:
            raise LedgerDownError("the answer is lost")
        return verdicts

    def _named(self, held: BirthHeld) -> BirthHeld:
        return replace(held, persons=tuple(self.digest_of(PersonKey(person)) for person in held.persons))

    async def sums(self, key: bytes, prefixes: Sequence[str]) -> SumsFound:
        """As the service has them."""
        nodes, keyed = [], Keyed(key)
        for prefix in prefixes:
            tally = Tally(keyed, prefix)
            entries = ((self.digest_of(PersonKey(p)), c.epoch, c.province) for p, c in self._newest.items())
            tally.add([entry for entry in entries if entry[0].startswith(prefix)])
            claims = tally.claims()
            listed = tuple(Listed(*claim) for claim in claims or ())
            few = claims is not None and prefix
            nodes.append(Node(prefix, claims=listed) if few else node_of(prefix, tally.sums()))
        return SumsFound(Head(len(self.entries), ""), tuple(nodes))

    async def lines(self, digests: Sequence[str]) -> LinesFound:
        """As the service has them."""
        wanted = {p: d for p in self._newest if (d := self.digest_of(PersonKey(p))) in digests}
        newest = [Now(d, self._newest[p].epoch, self._newest[p].province) for p, d in wanted.items()]
        entries = sorted((e for e in self.entries if e.person in wanted), key=lambda entry: entry.epoch)
        return LinesFound(
            tuple(newest), tuple(Line(wanted[e.person], e.epoch, e.holder, e.case_id) for e in entries)
        )


class AuditedCountry(Country):
    """A country whose ledger can be asked for sums."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.books = NamedLedger(self.keys)
        self.ledger = self.books

    async def prove(self, instead: Mapping[Province, RegistryVoice] | None = None) -> Outcome:
        """One run of the proof, with whoever answers. instead: who speaks for some provinces."""
        registries: dict[Province, RegistryVoice] = {
            Province(code): RegistryOverHttp(site.door) for code, site in self.sites.items() if site.door
        }
        registries |= instead or {}
        secret = load_secrets(self.keys).custody
        asked = Asked(registries, self.books, load_directory(self.keys), secret)
        return await reconcile(asked, lambda _: None, try_again_s=0)

    def digest(self, key: str) -> str:
        """How ledger and statements name a person."""
        return self.books.digest_of(PersonKey(key))


def said(outcome: Outcome) -> str:
    """The report as it is read."""
    return "\n".join(lines(outcome))


class Parrot:
    """Repeats what a province said to somebody else, well signed as it was."""

    def __init__(self, voice: RegistryVoice) -> None:
        self._voice = voice
        self._heard: Signed | Counting | None = None

    async def ask(self, question: Question) -> Signed | Counting:
        """The first answer, whatever is asked."""
        if self._heard is None:
            self._heard = await self._voice.ask(question)
        return self._heard


class Forger:
    """Changes one number in what a province signed."""

    def __init__(self, voice: RegistryVoice) -> None:
        self._voice = voice

    async def ask(self, question: Question) -> Signed | Counting:
        """Somebody more is counted."""
        said = await self._voice.ask(question)
        assert isinstance(said, Signed)
        return msgspec.structs.replace(said, statement=said.statement.replace('"HELD":', '"HELD":1'))
