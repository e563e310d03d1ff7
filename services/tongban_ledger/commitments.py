"""The ledger's half of the proof that everybody has exactly one home: sums by holder, and lines of persons.

The ledger keeps no secret: whoever asks for sums brings the key of the night, worth nothing afterwards.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import msgspec
from fastapi import FastAPI, Request, Response

from tongban_ledger.bodies import answer, decode
from tongban_shared.commitment import Keyed, Tally
from tongban_shared.commitment_wire import (
    LINES_PATH,
    SUMS_PATH,
    LinesAsked,
    LinesFound,
    Listed,
    Node,
    SumsAsked,
    SumsFound,
    node_of,
)
from tongban_shared.ledger_wire import Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tongban_ledger.door import Door

SUMS: Final = msgspec.json.Decoder(SumsAsked)
LINES: Final = msgspec.json.Decoder(LinesAsked)


class Reading(Protocol):
    """What is read of the ledger's storage; `storage.commit_sql.ClaimRows` has it."""

    async def count(self, tally: Tally) -> Head:
        """Add everybody under the tally's prefix; the head of the log then. Raises StoreDownError."""
        ...

    async def lines(self, digests: Sequence[str]) -> LinesFound:
        """Newest entries and lines of these persons. Raises StoreDownError."""
        ...


async def sums(reading: Reading, asked: SumsAsked) -> SumsFound:
    """A node for each prefix. Raises StoreDownError."""
    keyed, nodes, head = Keyed(bytes.fromhex(asked.key)), [], Head(0, "")
    for prefix in asked.prefixes:
        tally = Tally(keyed, prefix)
        head = await reading.count(tally)
        claims = tally.claims() if prefix else None
        if claims is None:
            nodes.append(node_of(prefix, tally.sums()))
        else:
            nodes.append(Node(prefix, claims=tuple(Listed(*claim) for claim in claims)))
    return SumsFound(head, tuple(nodes))


def add_commitments(app: FastAPI, reading: Reading, door: Door) -> None:
    """Two questions more, signed by their askers as all others are."""

    @app.post(SUMS_PATH, summary="Sums of everybody under prefixes of digests, by holder; any owner may ask")
    async def ask_sums(request: Request) -> Response:
        call = await door.enter(request)
        return answer(await sums(reading, decode(call.body, SUMS)))

    @app.post(LINES_PATH, summary="Newest entries and log lines of persons; any owner may ask")
    async def ask_lines(request: Request) -> Response:
        call = await door.enter(request)
        return answer(await reading.lines(decode(call.body, LINES).digests))
