"""What the registers and the ledger say of one person, and what it means. Pure. Source: protocol.md §4 to §6.

The rows looked at must have stood at one moment: settling.py sees to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tongban_shared.commitment import claimed
from tongban_shared.commitment_wire import Line, Row
from tongban_shared.registration import Registration

RELEASING: Final = "RELEASING"
FETCHED_BACK: Final = frozenset({"RESTORING", "VERIFYING", "ENTERING"})
"""Steps of a case in which the ledger's holder fetches a record back that its database has lost (G1), or is
about to write a newborn's first one."""


class Verdict(StrEnum):
    """The first four are in order: nobody has to do anything. With SILENT nothing is known."""

    HOME = "HOME"
    IN_TRANSFER = "IN_TRANSFER"
    FETCHED_BACK = "FETCHED_BACK"
    NOBODY = "NOBODY"
    SILENT = "SILENT"
    LOST = "LOST"
    DOUBLED = "DOUBLED"
    ELSEWHERE = "ELSEWHERE"
    UNENTERED = "UNENTERED"


IN_ORDER: Final = frozenset({Verdict.HOME, Verdict.IN_TRANSFER, Verdict.FETCHED_BACK, Verdict.NOBODY})


@dataclass(frozen=True, slots=True)
class Evidence:
    """One person. newest: the ledger's epoch and holder. rows: by province. silent: who says nothing."""

    digest: str
    newest: tuple[int, str] | None
    lines: tuple[Line, ...]
    rows: Mapping[str, Row]
    silent: frozenset[str] = frozenset()

    def claims(self) -> list[tuple[str, int]]:
        """Who says "registered here", at which epoch."""
        return [
            (province, row.epoch)
            for province, row in sorted(self.rows.items())
            if (claim := claimed(province, (self.digest, row.epoch, row.state, row.to))) is not None
            and claim.holder == province
        ]

    def line(self, epoch: int) -> Line | None:
        """The ledger's line that made somebody holder at an epoch."""
        return next((line for line in self.lines if line.epoch == epoch), None)

    def others(self) -> list[tuple[str, int]]:
        """Claims that are not as the ledger says."""
        return [(province, epoch) for province, epoch in self.claims() if (epoch, province) != self.newest]


def judge(evidence: Evidence) -> Verdict:
    """Who has exactly one home, and who has not."""
    claims, others = evidence.claims(), evidence.others()
    if evidence.newest is None:
        return Verdict.UNENTERED if evidence.rows else Verdict.NOBODY
    if len(claims) > len(others):
        return Verdict.DOUBLED if others else Verdict.HOME
    if evidence.silent:
        return Verdict.SILENT
    others = [claim for claim in others if not _is_releasing(evidence, claim[0])]
    if not others and (on_its_way := _on_its_way(evidence)) is not None:
        return on_its_way
    if not evidence.others():
        return Verdict.LOST
    return Verdict.DOUBLED if len(evidence.others()) > 1 else Verdict.ELSEWHERE


def _is_releasing(evidence: Evidence, province: str) -> bool:
    """Frozen at the origin while the ledger's answer to its own hand-over is on its way (protocol.md §7)."""
    epoch, holder = evidence.newest or (0, "")
    row = evidence.rows[province]
    wanted = (Registration.FROZEN.value, epoch - 1, holder, RELEASING)
    return (row.state, row.epoch, row.to, row.step) == wanted


def _on_its_way(evidence: Evidence) -> Verdict | None:
    """The ledger's holder is bound by its acceptance, or fetches back what it lost; None: neither."""
    epoch, holder = evidence.newest or (0, "")
    there = evidence.rows.get(holder)
    if there is None:
        return None
    if there.step in FETCHED_BACK:
        return Verdict.FETCHED_BACK
    going = [
        province
        for province, row in evidence.rows.items()
        if (row.state, row.epoch, row.to) == (Registration.RELEASED, epoch - 1, holder)
        or _is_releasing(evidence, province)
    ]
    bound = (there.state, there.epoch) == (Registration.PREPARED, epoch)
    return Verdict.IN_TRANSFER if bound and going else None
