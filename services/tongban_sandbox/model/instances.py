"""What is searched: small for every commit, larger for `make model`."""

from __future__ import annotations

import dataclasses
from typing import Final

from tongban_sandbox.model.state import Filing, Instance

# Any three codes do; the search knows no place.
HOME, NEAR, FAR = "32", "33", "44"
PERSON: Final = "0" * 32
"""Everybody in an instance is one person: faults of custody need no second one."""


def _filing(serial: int, destination: str) -> Filing:
    return Filing(f"{destination}012026030200000{serial:03d}1", PERSON, destination)


MOVE = Instance("one move", (HOME, NEAR), (_filing(1, NEAR),), limits=2)
"""One person, one move, one withdrawal, one wipe."""
# Without budgets, so that every repeat and every receipt can be played on top.
PLAYED = Instance("one move, every repeat", MOVE.provinces, MOVE.filings, 0, 0, forget_taken=False)
RETURN = Instance("a move and the way back", (HOME, NEAR), (_filing(1, NEAR), _filing(2, HOME)))
RACE = Instance("two destinations at once", (HOME, NEAR, FAR), (_filing(1, NEAR), _filing(2, FAR)))
CHASE = Instance(
    "a third province asks while they go there and back",
    RACE.provinces,
    (*RETURN.filings, _filing(3, FAR)),
    limits=0,
    withdrawals=0,
)
WITHDRAWN_CHASE = dataclasses.replace(CHASE, name=f"{CHASE.name}, and may withdraw", withdrawals=1)
ONWARD = Instance("two at once, then onward", (HOME, NEAR, FAR), (*RACE.filings, _filing(3, FAR)))
PUT_BACK = Instance(
    "one move, one database put back",
    MOVE.provinces,
    MOVE.filings,
    limits=0,
    withdrawals=0,
    wipes=0,
    restores=1,
)
PUT_BACK_HARD = dataclasses.replace(
    PUT_BACK, name="one move, one database put back, and all else", limits=1, withdrawals=1, wipes=1
)
PUT_BACK_RETURN = dataclasses.replace(
    RETURN, name="a move and the way back, one put back", limits=0, withdrawals=0, wipes=0, restores=1
)
ALL: Final = (MOVE, PLAYED, RETURN, RACE, WITHDRAWN_CHASE, ONWARD, PUT_BACK, PUT_BACK_HARD, PUT_BACK_RETURN)
