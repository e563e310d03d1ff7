"""What can go wrong on purpose: a process dies at a chosen commit; a province sends what it should not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from tests.stories.wire import Letter, letters
from tests.stories.world import Country
from tongban_registry.envelopes import sealing_context
from tongban_registry.inbox import Committed
from tongban_registry.registry import Registry
from tongban_registry.storage.rows import Changes
from tongban_registry.storage.sql import UnitOfWork
from tongban_shared.ids import Province
from tongban_shared.keys import load_signer
from tongban_shared.messages.codec import encode_message
from tongban_shared.messages.envelope import Body, Envelope
from tongban_shared.wire import pack, sign_unit

FORGED = count(900_001)


class ProcessDiedError(BaseException):
    """Thrown where a process is meant to die; no handler of the product takes it for an error of its own."""


async def dies(country: Country, code: str, state: str, moment: str) -> None:
    """Arm a province: its process dies when a case reaches `state`, "before" or "after" the commit of it."""
    site = country.sites[code]
    registry = site.live
    if moment == "before":
        _die_before_commit(registry, state)
    else:
        _die_after_commit(country, code, state)


async def has_died(country: Country, code: str) -> None:
    """Wait until it did; then its end of the wire is dead too."""
    site = country.sites[code]
    async with asyncio.timeout(15):
        error = await site.live.ended()
    assert isinstance(error, ProcessDiedError), error
    await country.crash(code)


def _die_before_commit(registry: Registry, state: str) -> None:
    unit = registry.store.unit

    @asynccontextmanager
    async def doomed() -> AsyncIterator[UnitOfWork]:
        async with unit() as tx:
            write, reached = tx.write, set[str]()

            async def watched(changes: Changes) -> None:
                reached.update(str(case.state) for case in changes.cases.values())
                await write(changes)

            vars(tx)["write"] = watched
            yield tx
            if state in reached:
                raise ProcessDiedError

    vars(registry.store)["unit"] = doomed


def _die_after_commit(country: Country, code: str, state: str) -> None:
    site = country.sites[code]
    leave = site.live.hall.after_commit
    assert leave is not None

    async def doomed(committed: Committed) -> None:
        query = "SELECT count(*) FROM cases WHERE state = ?"
        if country.registers.rows(code, query, state)[0][0]:
            site.end.dead = True
            raise ProcessDiedError
        await leave(committed)

    site.live.hall.after_commit = doomed


def forged(country: Country, body: Body, way: tuple[str, str], **details: Any) -> Letter:  # noqa: ANN401
    """A message signed with a province's own keys that its registry never sent. way: sender, receiver.

    details: case_id, id, bundle (sealed into an offer), envelope (fields to change), raw (bytes instead).
    """
    sender, receiver = way
    signer = load_signer(country.keys, sender)
    case_id = details.get("case_id")
    if "bundle" in details:
        context = sealing_context(str(case_id), body)
        body = body.model_copy(update={"sealed": signer.seal(receiver, details["bundle"], context)})
    number = next(FORGED)
    envelope = Envelope(
        id=details.get("id", f"{sender}-{receiver}-9-{number}"),
        type=body.name,
        body_v=body.v,
        case_id=case_id,
        sender=sender,
        receiver=receiver,
        org=f"{sender}0100000000",
        purpose="MIGRATION",
        basis=body.basis,
        seq=number,
        at=country.clock.now(),
    ).model_copy(update=details.get("envelope", {}))
    raw = details.get("raw") or encode_message(envelope, body)
    unit = sign_unit(signer, f"9.{number}", [raw])
    data = next(pack(unit.header, unit.leaves))
    return next(letters(Province(receiver), body.family, data))
