"""What the night operator reads: who is in transfer; who is lost or doubled, and what to do; a last line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tongban_sandbox.reconcile.judge import Evidence, Verdict
from tongban_sandbox.reconcile.repairs import repairs, where
from tongban_sandbox.reconcile.run import Outcome
from tongban_sandbox.report import duration

TRANSFERS_SHOWN: Final = 10
FAULTS_SHOWN: Final = 100
MEANING: Final = {
    Verdict.LOST: "no province answers for this person",
    Verdict.DOUBLED: "more than one province answers for this person",
    Verdict.ELSEWHERE: "another province answers for this person than the ledger names",
    Verdict.UNENTERED: "registered, and unknown to the ledger",
}


def lines(outcome: Outcome) -> Iterator[str]:
    """All of it, the verdict last."""
    yield from _transfers(outcome)
    for evidence in outcome.settled.fetched_back[:TRANSFERS_SHOWN]:
        yield f"fetched back after a restore: {evidence.digest}; {'; '.join(where(evidence))}"
    for verdict, evidence in outcome.settled.faults[:FAULTS_SHOWN]:
        yield from _fault(verdict, evidence)
    hidden = len(outcome.settled.faults) - FAULTS_SHOWN
    if hidden > 0:
        yield f"… and {hidden:,} more; repair these first and run again"
    for evidence in outcome.settled.unknown[:TRANSFERS_SHOWN]:
        yield f"not known: {evidence.digest}; {_ledger(evidence)}; {'; '.join(where(evidence))}"
    yield _verdict(outcome)


def _fault(verdict: Verdict, evidence: Evidence) -> Iterator[str]:
    yield f"{verdict}  {evidence.digest}  {MEANING[verdict]}"
    yield f"  ledger   {_ledger(evidence)}"
    yield from (f"  register {line}" for line in where(evidence))
    yield from (f"  repair   {step}" for step in repairs(verdict, evidence))


def _ledger(evidence: Evidence) -> str:
    if evidence.newest is None:
        return "the ledger does not know this person"
    epoch, holder = evidence.newest
    line = evidence.line(epoch)
    return f"the ledger names {holder} at epoch {epoch}" + (
        f" by case {line.case_id}" if line and line.case_id else ""
    )


def _transfers(outcome: Outcome) -> Iterator[str]:
    if not outcome.in_transfer and not outcome.stray:
        return
    yield f"{outcome.in_transfer:,} persons in transfer, each with case and owner; the oldest:"
    for origin, transfer in outcome.oldest()[:TRANSFERS_SHOWN]:
        age = "age unknown" if transfer.age_s is None else duration(transfer.age_s)
        owner = f"waits for {transfer.owner}" if transfer.owner else "NO OPEN CASE MOVES THIS PERSON (C3)"
        way = f"{origin} → {transfer.to or '?'}"
        yield f"  {transfer.digest}  {way}  {transfer.state}  {age}  case {transfer.case_id or '-'}  {owner}"


def _verdict(outcome: Outcome) -> str:
    scope = (
        f"{outcome.persons:,} persons, {len(outcome.statements)} provinces, ledger head {outcome.head:,}"
        + (f" ({outcome.closed:,} closed)" if outcome.closed else "")
    )
    return f"{scope}: {_in_short(outcome)} ({outcome.took_s:.1f} s)"


def _in_short(outcome: Outcome) -> str:
    if outcome.proven:
        return "exactly one home"
    found = [verdict for verdict, _ in outcome.settled.faults]
    said = [f"{found.count(verdict):,} {verdict}" for verdict in MEANING if verdict in found]
    said += [f"{outcome.stray:,} in transfer without a case"] if outcome.stray else []
    said += [f"{len(outcome.settled.unknown):,} not known"] if outcome.settled.unknown else []
    silent = ", ".join(f"{code} ({reason})" for code, reason in sorted(outcome.silent.items()))
    said += [f"no statement from {silent}"] if silent else []
    return ("" if outcome.faulty else "NOT PROVEN, ") + ", ".join(said)
