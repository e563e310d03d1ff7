"""The watch over custody: registers and ledger alone, after every commit; what cases say counts for nothing.

At every moment exactly one province answers for a person (protocol.md §1, §5). One claims in HELD or FROZEN;
or nobody does, and the province that the ledger names is bound to: it is PREPARED for that very epoch.

A province whose file was put back is silent until its gate is open: what its rows say counts for nothing
meanwhile. What it had accepted or held before it owes (I4): it fetches it again, and is bound all the time.
And who accepted what an origin cancelled, and the origin has forgotten that, is bound by the certificate.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from tongban_sandbox.simulation.sqlite import Change
    from tongban_shared.custody import Entry

CLAIMING = frozenset({"HELD", "FROZEN"})
ENDED = frozenset({"CANCELLED_DEATH", "CANCELLED_MILITARY", "CANCELLED_ABROAD"})
BINDING = frozenset({"PREPARED", "HELD", "FROZEN"}) | ENDED
IN_TRANSFER = frozenset({"FROZEN", "RELEASED", "PREPARED"})
ACCEPTED = frozenset({"PREPARED", "RESTORING", "VERIFYING", "COMPLETED"})


class BrokenPromiseError(Exception):
    """A promise of the protocol does not hold. about: persons and cases that it concerns."""

    def __init__(self, what: str, *about: str) -> None:
        super().__init__(what)
        self.what = what
        self.about = about


class Row(NamedTuple):
    """A person's row in one register."""

    epoch: int
    state: str
    moved_to: str | None
    home: str
    hold: int


class Known(NamedTuple):
    """A case as one side has it."""

    side: str
    state: str
    persons: str
    closed_at: int | None


class Line(NamedTuple):
    """The newest line of the ledger for a person."""

    epoch: int
    holder: str


class Watch:
    """A copy of all registers and of the ledger, kept by their commits, and what must hold of it."""

    def __init__(self, broken: Callable[[BrokenPromiseError], None]) -> None:
        self.people: dict[str, dict[str, Row]] = {}
        self.cases: dict[str, dict[str, Known]] = {}
        self.ledger: dict[str, Line] = {}
        self.silent: set[str] = set()
        self.owed: dict[tuple[str, str], int] = {}
        self.looked = 0
        # Cases whose acceptance was lost with a file: who withdraws one later is heard too late.
        self.promised: set[str] = set()
        self._held: dict[tuple[str, int], str] = {}
        self._forgetful: set[str] = set()
        self._broken = broken

    # --- what happened

    def load(
        self, province: str, people: Iterable[Sequence[object]], cases: Iterable[Sequence[object]]
    ) -> None:
        """Begin anew with what stands in a province's file."""
        for rows in self.people.values():
            rows.pop(province, None)
        self.cases[province] = {}
        for key, *rest in people:
            self.people.setdefault(str(key), {})[province] = Row(*rest)  # type: ignore[arg-type]  # as selected
        for number, *rest in cases:
            self.cases[province][str(number)] = Known(*rest)  # type: ignore[arg-type]  # as selected

    def put_back(self, province: str) -> None:
        """A province's file is about to be replaced by an older one."""
        self.silent.add(province)
        self._forgetful.add(province)
        self.promised.update(
            number for number, case in self.cases[province].items() if case.state in ACCEPTED
        )
        for key, rows in self.people.items():
            row = rows.get(province)
            if row is not None and row.state in BINDING:
                self.owed[province, key] = max(row.epoch, self.owed.get((province, key), 0))

    def speaks(self, province: str) -> None:
        """A province's gate is open: from now on its word counts."""
        if province in self.silent:
            self.silent.discard(province)
            for key, rows in self.people.items():
                if province in rows or self.ledger[key].holder == province:
                    self.look(key)

    def committed(self, province: str, changes: Sequence[Change]) -> None:
        """A province has committed these rows."""
        touched: dict[str, None] = {}
        for table, (key, *rest) in changes:
            if table == "person":
                self.people.setdefault(key, {})[province] = Row(*rest)
                touched[key] = None
            else:
                self.cases[province][key] = Known(*rest)
        for key in touched:
            self.look(key)

    def entered(self, entries: Iterable[Entry]) -> None:
        """The ledger has these lines."""
        touched: dict[str, None] = {}
        for entry in entries:
            self.ledger[entry.person] = Line(entry.epoch, entry.holder)
            if entry.person not in self.people:
                # A child is in the ledger before its register writes it, which its case will do (NB2).
                self.people[entry.person] = {}
                self.owed[entry.holder, entry.person] = entry.epoch
            if entry.origin in self._forgetful:
                # It may have forgotten its own cancel; the acceptance in its certificate binds all the same.
                self.owed[entry.holder, entry.person] = entry.epoch
            touched[entry.person] = None
        for key in touched:
            self.look(key)

    # --- what must hold

    def look(self, key: str) -> None:
        """Check one person."""
        self.looked += 1
        fault = self.fault(key)
        if fault is not None:
            rows = {code: row[:3] for code, row in sorted(self.people[key].items())}
            self._broken(BrokenPromiseError(f"{fault}: {rows}, ledger {self.ledger.get(key)}", key))

    def fault(self, key: str) -> str | None:
        """Which promise does not hold for a person; None: all do."""
        rows = {code: row for code, row in self.people.get(key, {}).items() if code not in self.silent}
        line = self.ledger.get(key)
        if line is None:
            return "the ledger does not know a person"
        claims = [code for code, row in rows.items() if row.state in CLAIMING]
        ended = [code for code, row in rows.items() if row.state in ENDED]
        if len(claims) + len(ended) > 1:
            return "two provinces hold one person"
        for code in claims:
            return self._claim_fault(key, code, rows)
        if ended == [line.holder] or self._bound(key, rows):
            return None
        return "nobody holds a person"

    def _bound(self, key: str, rows: dict[str, Row]) -> bool:
        """Whether the province that the ledger names has accepted, and can't take it back."""
        line = self.ledger[key]
        if line.holder in self.silent or self.owed.get((line.holder, key), -1) >= line.epoch:
            return True
        row = rows.get(line.holder)
        return row is not None and row.state == "PREPARED" and row.epoch == line.epoch

    def _claim_fault(self, key: str, code: str, rows: dict[str, Row]) -> str | None:
        row, line = rows[code], self.ledger[key]
        if row.state == "HELD" and self._held.setdefault((key, row.epoch), code) != code:
            return "two provinces have held one person at one epoch"
        if (code, row.epoch) == (line.holder, line.epoch):
            return None
        # The ledger has entered the hand-over and the origin has not yet heard.
        if row.state != "FROZEN" or row.epoch + 1 != line.epoch:
            return "a province holds a person against the ledger"
        return (
            None if self._bound(key, rows) else "a person is handed over to a province that has not accepted"
        )

    # --- at the end

    def is_lost(self, key: str) -> bool:
        """Whether a register that was put back has forgotten a child with its case: they apply anew."""
        return not self.people[key] and self.ledger[key].holder in self._forgetful

    def open_cases(self) -> list[tuple[str, str, str]]:
        """Cases that have not ended: province, number, state."""
        return [
            (province, number, case.state)
            for province, cases in sorted(self.cases.items())
            for number, case in cases.items()
            if case.closed_at is None
        ]

    def in_transfer(self) -> list[str]:
        """Persons who are between two provinces."""
        return [
            key for key, rows in self.people.items() if any(row.state in IN_TRANSFER for row in rows.values())
        ]

    def at_rest(self, key: str) -> str | None:
        """What is wrong with a person when all is over: one province holds, the ledger's."""
        line, rows = self.ledger[key], self.people[key]
        holders = [code for code, row in rows.items() if row.state == "HELD" or row.state in ENDED]
        epochs = [rows[code].epoch for code in holders]
        return (
            None
            if holders == [line.holder] and epochs == [line.epoch]
            else "the registers and the ledger differ"
        )
