"""What the protocol allows to be done for a person who has no home, or two. Pure. Source: protocol.md §5, §6.

The ledger rules: nobody is made holder by hand where it names somebody else, and no line of it is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from tongban_sandbox.reconcile.judge import Evidence, Verdict
from tongban_shared.registration import Registration

NEWEST_COPY: Final = "If that changes nothing, put back the newest copy of its database and start it again."
PAUSE: Final = "Pause {province} (POST /v1/ops/provinces/{province}/pause)"
FIRST_COPY: Final = (
    "{holder} registered this person first, so that no other can send the record: put back the newest"
    " copy of {holder}'s database and start it; its recovery gate catches up with the ledger (G1)."
)
FIRST_PAPER: Final = (
    "If no copy has the record, {holder} enters it anew from the paper form, under the same id number, at"
    " epoch 0: the ledger's line stays."
)
RECALL: Final = (
    "Restart {holder}: its recovery gate reads the ledger and recalls the record of {case} from {origin},"
    " which keeps it for 400 days (G1). {newest_copy}"
)
REISSUE: Final = "If {origin} does not know {case}, restart it too: it then issues the hand-over again (G1)."
BEYOND: Final = (
    "{pause}: it claims epoch {claimed}, which the ledger has not reached. Either it was put back: then"
    " put its newest copy in place. Or the row has no certificate: then it is void (I3)."
)
NEVER: Final = (
    "{pause}: no line of the ledger ever made it holder at epoch {claimed}, so that its row is void (I3). Put"
    " back a copy of its database from before this row, and start it again."
)
YIELD: Final = (
    "{pause} and restart it: its row at epoch {claimed} is void since {case} gave the person to {taker}; its"
    " recovery gate applies that hand-over (G1). {newest_copy}"
)
STANDS: Final = "The ledger rules: {holder} at epoch {epoch} stands."
ENTER: Final = (
    "{province} enters this first registration at the ledger (register_first); until then nobody finds the"
    " person, and no hand-over succeeds."
)
LEDGER_BACK: Final = (
    "Registers know this person beyond a first registration, and the ledger does not: it was put back, or has"
    " lost lines. Stop all hand-overs, put its newest copy in place, and have the chain of its log checked."
)


def repairs(verdict: Verdict, evidence: Evidence) -> list[str]:
    """What to do, in this order."""
    return _REPAIRS[verdict](evidence)


def _lost(evidence: Evidence) -> list[str]:
    epoch, holder = evidence.newest or (0, "")
    if epoch == 0:
        return [FIRST_COPY.format(holder=holder), FIRST_PAPER.format(holder=holder)]
    before = evidence.line(epoch - 1)
    origin, case = before.holder if before else "the origin", _case(evidence, epoch)
    return [
        RECALL.format(holder=holder, case=case, origin=origin, newest_copy=NEWEST_COPY),
        REISSUE.format(origin=origin, case=case),
    ]


def _case(evidence: Evidence, epoch: int) -> str:
    line = evidence.line(epoch)
    return f"case {line.case_id}" if line and line.case_id else "its case"


def _doubled(evidence: Evidence) -> list[str]:
    epoch, holder = evidence.newest or (0, "")
    voids = [_void(evidence, province, claimed) for province, claimed in evidence.others()]
    return [*voids, STANDS.format(holder=holder, epoch=epoch)]


def _void(evidence: Evidence, province: str, claimed: int) -> str:
    """What becomes of a claim that is not the ledger's."""
    epoch, _ = evidence.newest or (0, "")
    pause = PAUSE.format(province=province)
    here, gone = evidence.line(claimed), evidence.line(claimed + 1)
    if claimed > epoch:
        return BEYOND.format(pause=pause, claimed=claimed)
    if here is None or here.holder != province or gone is None:
        return NEVER.format(pause=pause, claimed=claimed)
    case = _case(evidence, claimed + 1)
    return YIELD.format(pause=pause, claimed=claimed, case=case, taker=gone.holder, newest_copy=NEWEST_COPY)


def _elsewhere(evidence: Evidence) -> list[str]:
    """One home, and not the ledger's: who claims must yield, and who should hold must catch up."""
    return [*_doubled(evidence)[:-1], *_lost(evidence)]


def _unentered(evidence: Evidence) -> list[str]:
    claims = evidence.claims()
    if [epoch for _, epoch in claims] == [0]:
        return [ENTER.format(province=claims[0][0])]
    return [LEDGER_BACK]


_REPAIRS: Final[Mapping[Verdict, Callable[[Evidence], list[str]]]] = MappingProxyType(
    {
        Verdict.LOST: _lost,
        Verdict.DOUBLED: _doubled,
        Verdict.ELSEWHERE: _elsewhere,
        Verdict.UNENTERED: _unentered,
    }
)


def where(evidence: Evidence) -> list[str]:
    """What each register says, in a line each."""
    lines = []
    for province, row in sorted(evidence.rows.items()):
        to = f" to {row.to}" if row.to and row.state != Registration.PREPARED else ""
        case = f", case {row.case_id}" if row.case_id else ""
        step = f" ({row.step})" if row.step and row.step != row.state else ""
        epoch = f" at epoch {row.epoch}" if row.epoch >= 0 else ""
        lines.append(f"{province}: {row.state}{epoch}{to}{case}{step}")
    missing = sorted({line.holder for line in evidence.lines[-2:]} - evidence.rows.keys() - evidence.silent)
    lines += [f"{province}: no row" for province in missing]
    return [*lines, *(f"{province}: does not answer" for province in sorted(evidence.silent))]
