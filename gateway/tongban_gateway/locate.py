"""Who holds a person, by the custody ledger: asked anew each time, many questions in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tongban_shared.errors import LedgerDownError
from tongban_shared.ids import PersonKey
from tongban_shared.ports import Custody, Ledger


class _Batch:
    """Questions that go to the ledger together."""

    def __init__(self) -> None:
        self.persons: set[PersonKey] = set()
        self.answer: Mapping[PersonKey, Custody] | None = None
        self.error: LedgerDownError | None = None


class Locator:
    """Gathers the questions that come while a call is under way into the next call.

    An answer is never older than its question: a question only joins a call that has not begun. So a person
    who has just moved is found at once, and nothing is kept.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._next: _Batch | None = None
        self._turn = asyncio.Lock()

    async def holder(self, person: PersonKey) -> Custody | None:
        """Return the newest entry of the person, None if there is none. Raises LedgerDownError."""
        if self._next is None:
            self._next = _Batch()
        batch = self._next
        batch.persons.add(person)
        async with self._turn:
            # Whoever of the batch comes first asks for all; if it was stopped on the way, the next one does.
            if batch.answer is None and batch.error is None:
                await self._ask(batch)
        if batch.answer is None:
            raise LedgerDownError("the custody ledger does not answer") from batch.error
        return batch.answer.get(person)

    async def _ask(self, batch: _Batch) -> None:
        if self._next is batch:
            self._next = None
        try:
            batch.answer = await self._ledger.locate(tuple(batch.persons))
        except LedgerDownError as error:
            batch.error = error
