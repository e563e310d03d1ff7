"""Looking at suspects until it is certain what they are, while the country goes on moving people.

One look reads ledger and registers one after another, so that somebody on the move may be seen nowhere, or
twice. Two looks in a row that find the same, each row of which only ever moves on, prove that all those rows
stood together at a moment between the two (the double collect of Afek et al., "Atomic Snapshots of Shared
Memory", 1993). What is in order at one look is in order: a fault does not go away by being looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tongban_sandbox.reconcile.judge import IN_ORDER, Evidence, Verdict, judge

if TYPE_CHECKING:
    from tongban_sandbox.reconcile.hearing import Hearing
    from tongban_shared.commitment_wire import Line, LinesFound

LOOKS_MAX: Final = 30
LOOK_AGAIN_S: Final = 0.1


@dataclass(slots=True)
class Settled:
    """What became of the suspects: faults that are certain; who is being fetched back; and who is not known.

    unknown: a province concerned is silent, or the person moved at each look.
    """

    faults: list[tuple[Verdict, Evidence]] = field(default_factory=list)
    fetched_back: list[Evidence] = field(default_factory=list)
    unknown: list[Evidence] = field(default_factory=list)
    in_order: int = 0


async def settle(
    hearing: Hearing, where: Mapping[str, Iterable[str]], pause_s: float = LOOK_AGAIN_S
) -> Settled:
    """Look at each suspect until it is in order, or a fault for certain. Raises LedgerDownError."""
    settled = Settled()
    seen = {digest: set(provinces) for digest, provinces in where.items()}
    before: dict[str, Evidence] = {}
    for look in range(LOOKS_MAX):
        if not seen:
            break
        if look > 1:
            await asyncio.sleep(pause_s)
        now = await _look(hearing, seen)
        for digest, evidence in now.items():
            if _decided(evidence, before.get(digest), settled):
                del seen[digest]
        before = now
    settled.unknown += [before[digest] for digest in seen]
    return settled


def _decided(evidence: Evidence, before: Evidence | None, settled: Settled) -> bool:
    verdict = judge(evidence)
    if verdict in IN_ORDER:
        settled.in_order += 1
        if verdict is Verdict.FETCHED_BACK:
            settled.fetched_back.append(evidence)
        return True
    if evidence != before:
        return False
    if verdict is Verdict.SILENT:
        settled.unknown.append(evidence)
    else:
        settled.faults.append((verdict, evidence))
    return True


async def _look(hearing: Hearing, seen: Mapping[str, set[str]]) -> dict[str, Evidence]:
    """Ask the ledger, then everybody concerned: who listed the person, and whom the ledger's lines name."""
    found = await hearing.ledger_lines(seen)
    _concern(found, seen)
    wanted: dict[str, list[str]] = {}
    for digest, provinces in seen.items():
        for province in provinces:
            wanted.setdefault(province, []).append(digest)
    heard = [code for code in hearing.provinces if code in wanted]
    answers = await asyncio.gather(*(hearing.rows(code, wanted[code]) for code in heard))
    rows = {code: answer for code, answer in zip(heard, answers, strict=True) if answer is not None}
    silent = frozenset(code for code in wanted if code not in rows and hearing.is_silent(code))
    newest = {one.digest: (one.epoch, one.holder) for one in found.newest}
    lines: dict[str, list[Line]] = {}
    for line in found.lines:
        lines.setdefault(line.digest, []).append(line)
    return {
        digest: Evidence(
            digest=digest,
            newest=newest.get(digest),
            lines=tuple(lines.get(digest, ())),
            rows={code: there[digest] for code, there in sorted(rows.items()) if digest in there},
            silent=silent & provinces,
        )
        for digest, provinces in seen.items()
    }


def _concern(found: LinesFound, seen: Mapping[str, set[str]]) -> None:
    """Who has the person by the ledger, and who had them before, is asked too."""
    for newest in found.newest:
        seen[newest.digest].add(newest.holder)
    last = {line.digest: line.epoch for line in found.lines}
    for line in found.lines:
        if line.epoch >= last[line.digest] - 1:
            seen[line.digest].add(line.holder)
