"""One run from the first question to the outcome."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tongban_sandbox.reconcile.descent import Books, find_suspects, open_books
from tongban_sandbox.reconcile.hearing import TRY_AGAIN_S, Country, Hearing, Say
from tongban_sandbox.reconcile.settling import Settled, settle
from tongban_shared.registration import CANCELLED

if TYPE_CHECKING:
    from tongban_shared.commitment_wire import Statement, Transfer
    from tongban_shared.ids import Province

CLOSED: Final = frozenset(state.value for state in CANCELLED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run found. silent: who gave no usable statement, and why."""

    persons: int
    head: int
    statements: Mapping[Province, Statement]
    silent: Mapping[str, str]
    settled: Settled
    took_s: float

    @property
    def stray(self) -> int:
        """Persons in transfer whom no open case moves (C3)."""
        return sum(said.transfers.without_case for said in self.statements.values() if said.transfers)

    @property
    def faulty(self) -> bool:
        """Somebody is lost, doubled, somewhere else, not entered, or forgotten in transfer."""
        return bool(self.settled.faults or self.stray)

    @property
    def proven(self) -> bool:
        """Everybody has exactly one home, and everybody was asked."""
        return not (self.faulty or self.silent or self.settled.unknown)

    @property
    def closed(self) -> int:
        """Persons whose registration ended where they are."""
        people = (said.people for said in self.statements.values())
        return sum(count for by_state in people for state, count in by_state.items() if state in CLOSED)

    @property
    def in_transfer(self) -> int:
        """Persons whom some province is handing over."""
        return sum(said.transfers.total for said in self.statements.values() if said.transfers)

    def oldest(self) -> list[tuple[Province, Transfer]]:
        """Of them those that no case moves, then the oldest, each with its origin."""
        found = [
            (code, transfer)
            for code, said in self.statements.items()
            if said.transfers
            for transfer in said.transfers.oldest
        ]
        return sorted(found, key=lambda pair: (pair[1].owner is not None, -(pair[1].age_s or 0)))


async def reconcile(country: Country, say: Say, *, try_again_s: float = TRY_AGAIN_S) -> Outcome:
    """Prove that everybody has exactly one home, or find out who has not. Raises LedgerDownError.

    try_again_s: pause before a province that did not answer is asked again.
    """
    begun_s = time.perf_counter()
    hearing = Hearing(country, say, try_again_s=try_again_s)
    books = await open_books(hearing)
    _say_books(hearing, books, time.perf_counter() - begun_s)
    suspects = await find_suspects(hearing, books)
    if suspects.looked_into:
        say(
            f"sums of {suspects.looked_into} buckets differ: {suspects.listed} persons of them compared,"
            f" {len(suspects.where)} to be looked at one by one"
        )
    settled = await settle(hearing, suspects.where)
    silent = dict(hearing.silent)
    await hearing.close()
    return Outcome(
        persons=books.registered,
        head=hearing.head.seq if hearing.head else 0,
        statements=books.statements,
        silent=silent,
        settled=settled,
        took_s=time.perf_counter() - begun_s,
    )


def _say_books(hearing: Hearing, books: Books, took_s: float) -> None:
    hearing.say(
        f"{len(books.statements)} provinces answer for {books.counted:,} persons, the ledger knows"
        f" {books.registered:,}; all statements signed for this run ({took_s:.1f} s)"
    )
    for province, reason in sorted(hearing.silent.items()):
        hearing.say(f"{province} gives no statement: {reason}")
