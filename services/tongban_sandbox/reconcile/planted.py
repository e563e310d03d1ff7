"""A country of any size within seconds, in files, with people on the move and faults hidden among them.

Its people are keys and nothing else. Hidden are one who is lost: the destination has no row; and one who is
doubled: the origin was put back to before the hand-over.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import msgspec

from tongban_ledger.storage.sql import open_store as open_ledger
from tongban_registry.health import MIGRATIONS
from tongban_sandbox.reconcile.judge import Verdict
from tongban_sandbox.reconcile.places import LEDGER_FILE
from tongban_sandbox.report import MINUTE_S
from tongban_shared.commitment import DIGEST_DIGITS, Keyed
from tongban_shared.ids import PROVINCES
from tongban_shared.keys import generate_keys, load_secrets
from tongban_shared.storage.migrate import upgrade

KEY_BITS: Final = 128
EACH_KIND: Final = 50
"""At most so many have moved lately, are released and not yet held, and are being released."""
PEOPLE_PER_MOVE: Final = 200
PAGE: Final = 100_000
FAST: Final = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-100000"

PERSON: Final = (
    "INSERT OR REPLACE INTO person (key, epoch, state, case_id, moved_to, version, record_version,"
    " name_check, birth_date, household_id, head, hold, proof_digest) "
)
REST: Final = ", 1, 1, '', '1990-01-01', '', 0, 0, ''"
HELD: Final = PERSON + "SELECT value, 0, 'HELD', NULL, NULL" + REST + " FROM json_each(?)"  # noqa: S608 (constants)
ROW: Final = PERSON + "VALUES (?, ?, ?, ?, ?" + REST + ")"
CASE: Final = (
    "INSERT INTO cases (id, state, origin, destination, side, kind, version, item, persons, data, waits,"
    " opened_at) VALUES (?, ?, ?, ?, ?, 'migration', 1, '', '[]', '{\"migration_type\":\"OTHER\"}',"
    " 'DESTINATION', 0)"
)
HISTORY: Final = (
    "INSERT INTO history (person, case_id, epoch, state, verb, proof_digest, at)"
    " VALUES (?, ?, 0, '', '', '', ?)"
)
NEWEST: Final = (
    "INSERT INTO custody (digest, epoch, holder, certificate_digest)"
    " SELECT substr(value, 1, 32), 0, substr(value, 33), '' FROM json_each(?)"
)
MOVED: Final = "UPDATE custody SET epoch = 1, holder = ? WHERE digest = ?"
LINE: Final = (
    "INSERT INTO custody_log (seq, digest, epoch, holder, origin, case_id, certificate_digest, recorded_at,"
    " hash) VALUES (?, ?, ?, ?, ?, ?, '', 0, '')"
)


@dataclass(slots=True)
class Planted:
    """What was hidden: digest → what it is. in_transfer: persons whom an origin hands over."""

    faults: dict[str, Verdict] = field(default_factory=dict)
    in_transfer: int = 0


class Move(NamedTuple):
    """Somebody whom the ledger has moved, and what the registers have of it: row and case, row there."""

    key: str
    digest: str
    origin: str
    destination: str
    case_id: str
    age_s: int
    at_origin: str
    step: str | None
    there: str | None

    @property
    def stays(self) -> bool:
        """Whether the origin's row does not point on yet."""
        return self.at_origin in ("HELD", "FROZEN")


Homes = Mapping[str, Sequence[str]]
"""Province → the keys of who was registered first there."""
PREPARED: Final = "PREPARED"
KINDS: Final = (
    ("CONFIRMED", None, "HELD"),
    ("RELEASED", "RELEASED", PREPARED),
    ("FROZEN", "RELEASING", PREPARED),
)
LOST: Final = ("CONFIRMED", None, None)
DOUBLED: Final = ("HELD", None, "HELD")


async def plant(folder: Path, people: int, seed: int = 1) -> Planted:
    """Make the country in an empty folder. The log has lines of those who move, and of nobody else."""
    codes: list[str] = sorted(PROVINCES)
    generate_keys(folder / "keys", [*codes, "gateway"])
    names = Keyed(load_secrets(folder / "keys").custody)
    random = Random(seed)
    keys = [f"{random.getrandbits(KEY_BITS):032x}" for _ in range(people)]
    homes = {code: sorted(keys[place :: len(codes)]) for place, code in enumerate(codes)}
    digests = {key: names.digest(key.encode()).hex()[:DIGEST_DIGITS] for key in keys}
    moves = list(_moves(homes, digests, random))
    await _tables(folder, codes)
    for code, here in homes.items():
        _fill_register(folder, code, here, moves)
    _fill_ledger(folder, homes, digests, moves)
    lost, doubled = moves[-2:]
    going = sum(move.step is not None for move in moves)
    return Planted({lost.digest: Verdict.LOST, doubled.digest: Verdict.DOUBLED}, going)


def _moves(homes: Homes, digests: Mapping[str, str], random: Random) -> Iterator[Move]:
    each = max(1, min(EACH_KIND, len(digests) // (PEOPLE_PER_MOVE * len(KINDS))))
    left = {code: iter(here) for code, here in homes.items()}
    for serial, kind in enumerate([*(kind for kind in KINDS for _ in range(each)), LOST, DOUBLED]):
        origin, destination = random.sample(sorted(homes), 2)
        key = next(left[origin])
        case_id = f"{destination}0120260101{serial:08d}0"
        yield Move(key, digests[key], origin, destination, case_id, serial * MINUTE_S, *kind)


async def _tables(folder: Path, codes: Sequence[str]) -> None:
    """Empty registers and an empty ledger; one is migrated, the others are copies of it."""
    first, *others = (folder / f"{code}.db" for code in codes)
    await upgrade(f"sqlite:///{first}", MIGRATIONS)
    for other in others:
        shutil.copyfile(first, other)
    await (await open_ledger(f"sqlite:///{folder / LEDGER_FILE}")).close()


def _fill_register(folder: Path, code: str, here: Sequence[str], moves: Sequence[Move]) -> None:
    gone, come = [m for m in moves if m.origin == code], [m for m in moves if m.destination == code]
    with _filling(folder / f"{code}.db") as file:
        file.execute(HELD, (msgspec.json.encode(here).decode(),))
        for move in gone:
            case, to = (move.case_id if move.step else None), (None if move.stays else move.destination)
            file.execute(ROW, (move.key, 0, move.at_origin, case, to))
            if move.step:
                file.execute(CASE, (move.case_id, move.step, move.origin, move.destination, "ORIGIN"))
                file.execute(HISTORY, (move.key, move.case_id, int(time.time() - move.age_s) * 1_000_000))
        for move in (move for move in come if move.there):
            bound = move.there == PREPARED
            case, origin = (move.case_id, move.origin) if bound else (None, None)
            file.execute(ROW, (move.key, 1, move.there, case, origin))
            if bound:
                file.execute(CASE, (move.case_id, PREPARED, move.origin, move.destination, "DESTINATION"))


def _fill_ledger(folder: Path, homes: Homes, digests: Mapping[str, str], moves: Sequence[Move]) -> None:
    with _filling(folder / LEDGER_FILE) as file:
        first = sorted([digests[key] + code for code, here in homes.items() for key in here])
        for start in range(0, len(first), PAGE):
            file.execute(NEWEST, (msgspec.json.encode(first[start : start + PAGE]).decode(),))
        file.executemany(MOVED, [(move.destination, move.digest) for move in moves])
        for seq, move in enumerate(moves):
            file.execute(LINE, (2 * seq + 1, move.digest, 0, move.origin, None, ""))
            file.execute(LINE, (2 * seq + 2, move.digest, 1, move.destination, move.origin, move.case_id))
        file.execute("UPDATE custody_head SET seq = ?", (len(digests) + len(moves),))


@contextmanager
def _filling(path: Path) -> Iterator[sqlite3.Connection]:
    """A file that is thrown away when filling it fails: nothing has to be durable."""
    with closing(sqlite3.connect(path)) as file:
        file.executescript(FAST)
        with file:
            yield file
