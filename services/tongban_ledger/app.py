"""The ledger over HTTP: locate, first registration, hand-over, head. Source: protocol.md §2."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from typing import Final, Protocol

import msgspec
from fastapi import FastAPI, Request, Response

from tongban_ledger.births import Keeping, add_births
from tongban_ledger.bodies import answer, decode
from tongban_ledger.books import Books, Store
from tongban_ledger.commitments import Reading, add_commitments
from tongban_ledger.door import Door
from tongban_shared.custody import Hop, first
from tongban_shared.errors import RefusedError
from tongban_shared.ids import Province
from tongban_shared.ledger_wire import (
    APPEND_PATH,
    FIRST_PATH,
    HEAD_PATH,
    LOCATE_PATH,
    PASSAGES_PATH,
    Append,
    First,
    Locate,
    Located,
    Moving,
    Place,
    Since,
    Verdicts,
)
from tongban_shared.ports import Custody, Verifier
from tongban_shared.web.health import Health, add_health_routes
from tongban_shared.web.install import Lifespan, install, new_app

SERVICE: Final = "tongban-ledger"


class Storage(Store, Reading, Keeping, Protocol):
    """What all parts of the service need of its storage; `storage.sql.LedgerStore` has it."""


def create_app(
    store: Storage,
    verifier: Verifier,
    *,
    now: Callable[[], float] = time.time,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """Make the application; who calls this opens and closes the store. now: Unix seconds."""
    health = Health(SERVICE, version("tongban"), checks={"database": store.ready})
    app = new_app("通办 custody ledger 归属账本", health.version, lifespan=lifespan)
    app.state.health = health
    install(app)
    add_health_routes(app, health)
    books, door = Books(store, health.registry, now), Door(verifier, now)
    _add_questions(app, books, door)
    _add_entries(app, books, door)
    add_births(app, store, door, now)
    add_commitments(app, store, door)
    return app


def _add_questions(app: FastAPI, books: Books, door: Door) -> None:
    @app.post(LOCATE_PATH, summary="Which province holds these persons; any owner may ask")
    async def locate(request: Request) -> Response:
        call = await door.enter(request)
        digests = decode(call.body, LOCATE).digests
        found = zip(digests, await books.locate(digests), strict=True)
        return answer(Located(tuple(_place(digest, custody) for digest, custody in found if custody)))

    @app.post(PASSAGES_PATH, summary="The caller's own hand-overs since a place in the log, given and taken")
    async def passages(request: Request) -> Response:
        call = await door.enter(request)
        return answer(await books.passages(call.owner, decode(call.body, SINCE)))

    @app.get(HEAD_PATH, summary="Number and hash of the log's last entry")
    async def head(request: Request) -> Response:
        await door.enter(request)
        return answer(await books.head())


def _add_entries(app: FastAPI, books: Books, door: Door) -> None:
    @app.post(FIRST_PATH, summary="First registrations, by the province that makes them")
    async def claim(request: Request) -> Response:
        call = await door.enter(request)
        claims = decode(call.body, FIRST).claims
        _check_author(call.owner, (claim.province for claim in claims))
        hops = [first(claim.digest, Province(claim.province)) for claim in claims]
        return answer(Verdicts(tuple(await books.enter(hops))))

    @app.post(APPEND_PATH, summary="Hand-overs, by the origin that gives them away")
    async def append(request: Request) -> Response:
        call = await door.enter(request)
        moves = decode(call.body, APPEND).moves
        _check_author(call.owner, (move.origin for move in moves))
        return answer(Verdicts(tuple(await books.enter([_hop(move) for move in moves]))))


LOCATE: Final = msgspec.json.Decoder(Locate)
SINCE: Final = msgspec.json.Decoder(Since)
FIRST: Final = msgspec.json.Decoder(First)
APPEND: Final = msgspec.json.Decoder(Append)


def _check_author(owner: str, provinces: Iterable[str]) -> None:
    """Only the holder gives a person away (I1); a first registration is made by its own province."""
    if any(province != owner for province in provinces):
        raise RefusedError("FORBIDDEN", "a province enters its own registrations and hand-overs only")


def _hop(move: Moving) -> Hop:
    origin, destination = Province(move.origin), Province(move.destination)
    return Hop(origin, destination, move.persons, move.certificate_digest, move.case_id)


def _place(digest: str, custody: Custody) -> Place:
    return Place(digest, custody.province, custody.epoch, custody.certificate_digest)
