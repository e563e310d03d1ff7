"""Does the proof find what is hidden among so many people, nothing else, and how fast?"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tongban_sandbox.reconcile.places import in_folder
from tongban_sandbox.reconcile.planted import Planted, plant
from tongban_sandbox.reconcile.report import lines
from tongban_sandbox.reconcile.run import Outcome, reconcile

if TYPE_CHECKING:
    from tongban_sandbox.reconcile.hearing import Say


async def self_test(people: int, say: Say) -> bool:
    """Make a country that is thrown away, prove it, and tell whether exactly what was hidden is found."""
    with tempfile.TemporaryDirectory(prefix="tongban-reconcile-") as folder:
        begun_s = time.perf_counter()
        planted = await plant(Path(folder), people)
        hidden = ", ".join(sorted(planted.faults.values()))
        say(
            f"a country of {people:,} people made in {time.perf_counter() - begun_s:.1f} s;"
            f" {planted.in_transfer} of them in transfer; hidden among them: {hidden}"
        )
        async with in_folder(Path(folder)) as country:
            outcome = await reconcile(country, say)
    for line in lines(outcome):
        say(line)
    good = found(outcome, planted)
    say(
        f"{'found exactly what was hidden' if good else 'NOT WHAT WAS HIDDEN'}: {len(planted.faults)} of"
        f" {people:,} in {outcome.took_s:.1f} s"
    )
    return good


def found(outcome: Outcome, planted: Planted) -> bool:
    """Whether the faults found are those hidden, and everybody else is in order."""
    faults = {evidence.digest: verdict for verdict, evidence in outcome.settled.faults}
    unclear = outcome.silent or outcome.settled.unknown or outcome.stray
    return (faults, outcome.in_transfer) == (planted.faults, planted.in_transfer) and not unclear
