"""What must still be answered while a part is away, each with its own promises. Source: guards.md A1–A3."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from http import HTTPStatus
from secrets import token_hex
from typing import TYPE_CHECKING, Any

from tongban_gateway.http1 import Http1Upstream
from tongban_sandbox.faults.client import ENDS, Reply, call, kinds
from tongban_sandbox.faults.field import Field, StrikeMissedError, Wound
from tongban_sandbox.faults.figures import quantile

if TYPE_CHECKING:
    from tongban_sandbox.faults.client import Client, Failed
    from tongban_sandbox.faults.history import Request
    from tongban_shared.ids import Province

REFUSAL_S_MAX = 1.0
# Calls under way when the part went are answered within this; what comes later is held to the promise.
SETTLING_S = 1.0
EACH_S = 0.1
ENDED_LIMIT_S = 30.0
VIEWS = 5


async def broker_away(field: Field) -> Wound:
    """A1: lookups and applications are answered as ever; what is taken in says honestly whose move it is."""
    client, kafka = field.client, field.country.kafka
    await kafka.kill()
    begin_s = time.monotonic()
    try:
        await asyncio.sleep(field.hold_s)
        taken = [one for one in client.open.values() if one.acknowledged_s > begin_s]
        failed = _failed_since(client, begin_s, ("apply", "lookup"))
        faults = [f"without an answer: {kinds(failed)}"] if failed else []
        faults += await _dishonest(client, taken)
        answered = sum(one.begin_s > begin_s for one in client.history.answers)
        ended = sum(one.acknowledged_s > begin_s for one in client.ended)
    finally:
        healed_s = time.monotonic()
        await kafka.start()
    if not taken or not answered:
        faults.append(f"{len(taken)} applications were taken and {answered} lookups answered")
    if ended:
        faults.append(f"{ended} cases ended without a broker")
    told = f"{len(taken)} applications taken, {answered} lookups answered meanwhile"
    return Wound(healed_s=healed_s, faults=faults, told=[told, *await _words(client, taken[:1])])


async def _views(client: Client, requests: Sequence[Request]) -> list[Reply]:
    return [await client.call(0, "GET", f"/v1/cases/{one.case_id}") for one in requests]


async def _dishonest(client: Client, taken: Sequence[Request]) -> list[str]:
    """What the views of some cases say that can't be so while no message passes."""
    faults = []
    for reply in await _views(client, taken[:VIEWS]):
        waits = reply.body.get("waiting_for") or {}
        if reply.status != HTTPStatus.OK or reply.body["state"] in ENDS or not waits.get("province"):
            faults.append(f"a case that waits for the broker is shown as {reply.status} {reply.body}")
    return faults


async def _words(client: Client, taken: Sequence[Request]) -> list[str]:
    """How one case that was taken in looks to its applicant."""
    shown = []
    for reply in await _views(client, taken):
        waits: Any = reply.body.get("waiting_for") or {}
        state, province, action = reply.body.get("state"), waits.get("province"), waits.get("action")
        shown.append(f"such a case is {state} and waits for {province}: {action}")
    return shown


async def province_away(field: Field) -> Wound:
    """A2: one registry stands still; the others lose no request that does not concern it."""
    client = field.client
    program = field.random.choice(field.country.registries)
    away = frozenset({program.name.partition("-")[2]})
    client.apart = away
    until_s = time.monotonic() + ENDED_LIMIT_S
    while any({one.origin, one.destination} & away for one in client.open.values()):
        if time.monotonic() > until_s:
            raise StrikeMissedError(f"cases of the province are still open after {ENDED_LIMIT_S:.0f} s")
        await asyncio.sleep(EACH_S)
    before_s = time.monotonic()
    await asyncio.sleep(field.hold_s)
    program.freeze()
    begin_s = time.monotonic()
    try:
        await asyncio.sleep(field.hold_s)
        end_s = time.monotonic()
    finally:
        program.thaw()
        client.apart = frozenset()
    lost = [one for one in _failed_since(client, begin_s) if not one.provinces & away]
    faults = [f"{len(lost)} requests of others got no answer: {kinds(lost)}"] if lost else []
    cases = sum(one.ended_s > begin_s for one in client.ended)
    p99 = [_p99(client, away, between) for between in ((before_s, begin_s), (begin_s, end_s))]
    told = [f"lookups elsewhere: p99 {p99[0]}, then {p99[1]}; {cases} cases of others ended meanwhile"]
    return Wound(away, faults=faults if cases else [*faults, "no case of others ended"], told=told)


def _p99(client: Client, away: frozenset[str], between: tuple[float, float]) -> str:
    begin_s, end_s = between
    took_s = [
        (answer.end_s - answer.begin_s)
        for answer in client.history.answers
        if begin_s <= answer.begin_s and answer.end_s <= end_s
        if answer.province not in away and not answer.source.startswith("case")
    ]
    return f"{1000 * quantile(took_s, 99):.0f} ms" if took_s else "unknown"


async def database_away(field: Field) -> Wound:
    """A3: one registry's database is down: 503 within a second, not ready, alive, nothing half accepted."""
    country = field.country
    program = country.registry(country.apart)
    pid, refused_s = program.pid, list[float]()
    door = Http1Upstream(country.urls[country.apart])
    faults: set[str] = set()
    await country.postgres_apart.stop("immediate")
    until_s = time.monotonic() + SETTLING_S + field.hold_s
    try:
        await asyncio.sleep(SETTLING_S)
        while time.monotonic() < until_s:
            faults |= await _refusals(door, field, refused_s)
            await asyncio.sleep(EACH_S)
    finally:
        healed_s = time.monotonic()
        await country.postgres_apart.start()
        await door.close()
    await program.again_ready()
    if program.pid != pid:
        faults.add("it came back only as a new process")
    told = f"{len(refused_s)} calls refused, the slowest after {max(refused_s, default=0.0):.2f} s"
    return Wound(frozenset({country.apart}), healed_s=healed_s, faults=sorted(faults), told=[told])


async def _refusals(door: Http1Upstream, field: Field, refused_s: list[float]) -> set[str]:
    """One of each call at a registry without a database: what was not answered as promised."""
    faults = set()
    for path, wanted in (("/livez", HTTPStatus.OK), ("/readyz", HTTPStatus.SERVICE_UNAVAILABLE)):
        status = (await call(door, "GET", path)).status
        if status != wanted:
            faults.add(f"{path} is answered {status}")
    client, apart = field.client, field.country.apart
    for work in (_look_up(door, client, apart), _look_at(door, client, apart), _apply(door, client, apart)):
        begin_s = time.monotonic()
        reply = await work
        if reply is None:
            continue
        refused_s.append(time.monotonic() - begin_s)
        if reply.status != HTTPStatus.SERVICE_UNAVAILABLE:
            faults.add(f"a call is answered {reply.status} {reply.code} instead of 503")
        if refused_s[-1] > REFUSAL_S_MAX:
            faults.add(f"a call is refused only after {refused_s[-1]:.1f} s")
    return faults


async def _look_up(door: Http1Upstream, client: Client, province: Province) -> Reply | None:
    drawn = client.crowd.somebody(frozenset({province}))
    if drawn is None:
        return None
    paper = drawn[0].people[drawn[1]]
    return await call(door, "POST", "/v1/registrations/lookup", {**paper, "purpose": "CHECK"})


async def _look_at(door: Http1Upstream, client: Client, province: Province) -> Reply | None:
    for one in client.ended:
        if one.destination == province:
            return await call(door, "GET", f"/v1/cases/{one.case_id}")
    return None


async def _apply(door: Http1Upstream, client: Client, province: Province) -> Reply | None:
    """Apply once and never again: if it is accepted by half, the last check finds a case nobody asked for."""
    drawn = client.crowd.movers(frozenset({province}))
    if drawn is None or drawn[1] != province:
        return None
    party, _ = drawn
    party.busy = True
    try:
        return await call(
            door, "POST", "/v1/cases", client.crowd.application(party, province), key=token_hex(8)
        )
    finally:
        party.busy = False


def _failed_since(client: Client, begin_s: float, kinds: Sequence[str] = ()) -> list[Failed]:
    return [one for one in client.failures if one.at_s > begin_s and (not kinds or one.what in kinds)]
