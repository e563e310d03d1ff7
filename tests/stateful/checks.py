"""What must hold after each step, told from registers, ledger and outside answers, never from cases.

Source: protocol.md §1, §4, §5.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from tests.stateful.pair import CODES, Pair
from tests.stories.folk import Resident
from tests.stories.registers import CLAIMING, ENDED
from tongban_shared.ids import PersonKey
from tongban_shared.ports import Custody

KEPT_FOR = {"PREPARED", "HELD", *ENDED}
CLAIMED = {"REGISTERED", "MOVE_OUT_LOCKED"}
# A province that says one of these means itself or whom its certificate names; the other words are pointers.
DEFINITE = {*CLAIMED, "IN_TRANSIT", "CANCELLED"}
OK, UNKNOWN, AWAY = 200, 404, 503


def newest(pair: Pair, key: str) -> Custody:
    """The ledger's last word on a person, also while it is away."""
    return pair.ledger._newest[PersonKey(key)]


def rows_of(pair: Pair, key: str) -> dict[str, dict[str, Any]]:
    """A person's rows in the databases that are known to be the newest."""
    found = {code: pair.registers.person(code, key) for code in CODES if code not in pair.unproven}
    return {code: dict(row) for code, row in found.items() if row is not None}


def check_registers(pair: Pair, person: Resident, silent: AbstractSet[str]) -> None:
    """Never two who claim; and if none does, the ledger names one who is bound to, or who recovers.

    silent: who does not answer for this person just now (503).
    """
    rows = rows_of(pair, person.key)
    claims = {code: row["epoch"] for code, row in rows.items() if row["state"] in CLAIMING | ENDED}
    assert len(claims) <= 1, f"two homes: {claims}"
    if claims:
        return
    holder = newest(pair, person.key)
    row = rows.get(holder.province)
    kept = row is not None and row["state"] in KEPT_FOR and row["epoch"] == holder.epoch
    assert kept or holder.province in pair.unproven | silent, (
        f"no home: {holder.province} at {holder.epoch} by the ledger, and there {row and row['state']}"
    )


class Witness:
    """Somebody outside who asks both provinces after each step, and remembers what they said."""

    def __init__(self) -> None:
        self.best: dict[str, int] = {}

    async def ask(self, pair: Pair, person: Resident) -> AbstractSet[str]:
        """What both say now must be possible together, and after all before. Returns who is silent (503)."""
        told: dict[str, dict[str, Any]] = {}
        silent = set()
        for code in CODES:
            answer = await pair.lookup(person, code)
            assert answer.status_code in {OK, UNKNOWN, AWAY}, answer.text
            if answer.status_code == OK:
                told[code] = answer.json()
            elif answer.status_code == UNKNOWN:
                # While the ledger is away, a door says so, and to the gateway it says nothing.
                held = newest(pair, person.key).province == code and not pair.ledger.down
                assert not held, f"the holder {code} says: unknown"
            else:
                silent.add(code)
        self._judge(person.key, told)
        return silent

    def _judge(self, key: str, told: dict[str, dict[str, Any]]) -> None:
        claims = {code for code, answer in told.items() if answer["state"] in CLAIMED}
        assert len(claims) <= 1, f"two say that the person is registered with them: {claims}"
        definite = {(a["epoch"], a["province"], a["state"]) for a in told.values() if a["state"] in DEFINITE}
        if not definite:
            return
        highest = max(epoch for epoch, _, _ in definite)
        assert len({place for epoch, place, _ in definite if epoch == highest}) == 1, definite
        assert all(epoch == highest for epoch, _, state in definite if state in CLAIMED), definite
        assert highest >= self.best.get(key, 0), f"epoch {self.best[key]} before, now {definite}"
        self.best[key] = highest


def unsettled(pair: Pair) -> str:
    """What is not at its end, for people to read; empty when all is."""
    found = {
        "open cases": pair.registers.count("cases", "closed_at IS NULL"),
        "unreceipted messages": pair.registers.count("outbox", "next_try_at IS NOT NULL"),
        "parked messages": pair.registers.count("parked"),
    }
    return ", ".join(f"{count} {what}" for what, count in found.items() if count)


def has_died(pair: Pair, person: Resident) -> bool:
    """Whether the death is entered anywhere."""
    return any(row["state"] == "CANCELLED_DEATH" for row in rows_of(pair, person.key).values())


def check_end(pair: Pair, person: Resident) -> None:
    """One home, where and since when the ledger says; a person who died is closed there, and not lost."""
    rows = rows_of(pair, person.key)
    holder = newest(pair, person.key)
    homes = {
        code: (row["epoch"], row["state"])
        for code, row in rows.items()
        if row["state"] not in {"RELEASED", "CONFIRMED", "DROPPED"}
    }
    assert list(homes) == [holder.province], f"{homes}, by the ledger {holder.province}"
    epoch, state = homes[holder.province]
    assert (epoch, state in {"HELD", *ENDED}) == (holder.epoch, True), f"{homes}, by the ledger {holder}"
