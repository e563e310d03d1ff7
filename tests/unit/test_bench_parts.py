"""The parts of `tongban bench` that need no server: load, samples, CPU reading, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from tongban_sandbox.bench.caller import post, quantiles
from tongban_sandbox.bench.check import (
    CLAIMED,
    CUSTODY,
    NOT_RECEIPTED,
    OUTCOMES,
    TRANSIT,
    Country,
    check,
)
from tongban_sandbox.bench.cpu import difference, parse_stat
from tongban_sandbox.bench.load import (
    COMPLETED,
    HELD_UP,
    WRONG_NAME,
    Load,
    Share,
    choose,
    draw_load,
    spread,
    windows,
)
from tongban_sandbox.bench.report import flat
from tongban_sandbox.bench.sampler import LOOP, group_of, share
from tongban_sandbox.bench.watching import Watch
from tongban_sandbox.people import AS_OF, households
from tongban_shared.cases.kind import Case, Side
from tongban_shared.ids import CaseId, PersonKey, Province, custody_digest

THREE = [Province("32"), Province("43"), Province("44")]
SECRET = b"s" * 32


@pytest.fixture(scope="module")
def load() -> Load:
    """400 cases among three provinces."""
    return draw_load(400, THREE)


def test_the_same_arguments_draw_the_same_load(load: Load) -> None:
    """A figure can be measured again."""
    assert draw_load(400, THREE) == load


def test_nobody_moves_twice_and_everybody_is_seeded(load: Load) -> None:
    """Every case has people of its own, among those whom the registry of its origin is given."""
    people = {
        code: {m.id_number for home in households(code, count, 1) for m in home.members}
        for code, count in load.people.items()
    }
    moving: list[str] = []
    for case in load.cases:
        numbers = [p["id_number"] for p in (case.body["applicant"], *case.body["members"])]
        assert len(numbers) == case.persons
        assert people[case.origin].issuperset(numbers)
        moving += numbers
    assert len(moving) == len(set(moving))


def test_the_ends_are_mixed(load: Load) -> None:
    """Mostly granted; some refused for the name, some for a hold, which only those persons have."""
    endings = [case.ending for case in load.cases]
    assert endings.count(COMPLETED) > 320
    assert set(endings) == {COMPLETED, WRONG_NAME, HELD_UP, "WITHDRAWN"}
    assert sum(len(numbers) for numbers in load.holds.values()) == endings.count(HELD_UP)
    assert all(case.origin != case.destination for case in load.cases)


def test_a_mixed_load_follows_the_migrations_and_has_all_types() -> None:
    """As in 2023; a temporary card comes with its card's case, and nobody comes with two rows."""
    drawn = draw_load(50, THREE, mixed=600)
    mixed = drawn.cases[drawn.plain :]
    kinds = [case.kind for case in mixed] + ["temporary_id" for case in mixed if case.then]
    assert len(mixed) == 600
    assert kinds.count("migration") / len(kinds) == pytest.approx(0.465, abs=0.06)
    assert kinds.count("id_card") / len(kinds) == pytest.approx(0.212, abs=0.05)
    assert kinds.count("certificate") / len(kinds) == pytest.approx(0.196, abs=0.05)
    assert kinds.count("temporary_id") / len(kinds) == pytest.approx(0.127, abs=0.04)
    assert all(case.kind == "id_card" for case in mixed if case.then)
    asking = [p["id_number"] for c in drawn.cases for p in (c.body["applicant"], *c.body["members"])]
    assert len(asking) == len(set(asking))


async def test_windows_and_officers_act_at_the_commit() -> None:
    """A card that is held back is not reported as made; officers decide; moves are left alone."""
    given: list[tuple[str, str | None]] = []
    watch = Watch("44", lambda command: given.append((command.name, command.case_id)))

    def stands(kind: str, side: Side, state: str, person: str = "p") -> None:
        number = CaseId(f"44-{kind}-{state}")
        case = Case(number, kind, side, state, 1, "", "32", "44", (person,), None, datetime.now(UTC))
        watch.committed([case])

    stands("id_card", Side.DESTINATION, "IN_PRODUCTION")
    stands("temporary_id", Side.DESTINATION, "AUTHORISED")
    stands("certificate", Side.ORIGIN, "CHECKING")
    stands("migration", Side.DESTINATION, "CHECKING")
    assert [name for name, _ in given] == ["made", "printed", "decision"]
    approved = watch.hold_back("q")
    stands("id_card", Side.DESTINATION, "IN_PRODUCTION", "q")
    assert (len(given), approved.done()) == (3, True)


def test_no_minor_is_left_alone() -> None:
    """Whoever leaves leaves an adult behind, or nobody; so no case is refused for a reason of chance."""
    for home in households("44", 3_000, 1):
        party = choose(home, lambda: 0.99, admits_members=False)
        if party is None:
            continue
        staying = [m for m in home.members if m is not party[0] and m not in party[1]]
        adults = [m for m in staying if m.birth_date <= date(AS_OF.year - 18, 1, 1)]
        assert adults or not staying


def test_shares_survive_their_files(load: Load, tmp_path: Path) -> None:
    """Each province finds what it accepts and whom it seeds."""
    load.write(tmp_path)
    shares = [Share.read(tmp_path, code) for code in THREE]
    assert sorted(case.n for one in shares for case in one.cases) == list(range(400))
    assert {code: one.people for code, one in zip(THREE, shares, strict=True)} == load.people


def test_workers_share_all_provinces(load: Load) -> None:
    """Each province once; no more workers than provinces."""
    assert sorted(code for codes in spread(load, 2) for code in codes) == THREE
    assert len(spread(load, 8)) == 3
    assert set(windows(load.cases, 100)) <= set(THREE)


@pytest.mark.parametrize(
    ("frames", "group"),
    [
        ([("asyncpg.connection", "fetch"), ("tongban_registry.storage.sql", "write")], "SQL: asyncpg"),
        ([("tongban_shared.keys", "verify"), ("tongban_shared.wire", "_root")], "verify signatures"),
        ([("tongban_registry.unit", "take_arrival"), ("tongban_registry.inbox", "_decide")], "decide"),
        ([("asyncio.runners", "run"), ("asyncpgx", "f")], LOOP),
    ],
)
def test_a_stack_has_a_group(frames: Sequence[tuple[str, str]], group: str) -> None:
    """The first rule that a frame fits; a module is not its namesake's prefix."""
    assert group_of(frames) == group


def test_shares_are_percent() -> None:
    """Largest first."""
    assert list(share({"a": 1.0, "b": 3.0}).items()) == [("b", 75.0), ("a", 25.0)]


def test_a_stat_line_is_read_whatever_the_name() -> None:
    """A program's name may hold spaces and brackets."""
    line = "7 (a) b) S 3 7 7 0 -1 4194560 100 0 0 0 11 22 33 44 20 0 1 0 5 0 0"
    assert parse_stat(line) == (3, 110)


def test_cores_used() -> None:
    """CPU seconds for a second on the wall; a process that came later is left out."""
    assert difference({"a": 1.0}, {"a": 2.0, "b": 9.0}, 2.0) == {"a": 0.5}


def test_quantiles() -> None:
    """In ms, with the number of values."""
    assert quantiles(list(range(100))) == {"n": 100, "p50": 50, "p95": 95, "p99": 99}
    assert quantiles([]) == {"n": 0}


def test_a_request_is_whole() -> None:
    """Kept connections need the length."""
    assert post("/v1/cases", b"{}", "k").endswith(b"content-length: 2\r\n\r\n{}")


def test_flat_keys() -> None:
    """`kafka_postgres.latency_ms.@10/s.p50` is one key."""
    assert flat({"a": {"b": {"c": 1}}, "d": [2]}) == {"a.b.c": 1, "d": [2]}


class _Fixed:
    """Answers from a dictionary; everything else is counted as none."""

    def __init__(self, answers: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        self._answers = answers

    async def rows(self, question: str) -> Sequence[tuple[Any, ...]]:
        return self._answers.get(question, [] if question == TRANSIT else [(0,)])

    async def close(self) -> None:
        """Nothing to close."""


def country(holder: str, epoch: int, unreceipted: int = 0) -> Country:
    """One person, registered at 44 in epoch 1 after one case; what the ledger says is given."""
    register = _Fixed({CLAIMED: [("p", 1)], OUTCOMES: [("COMPLETED", 1)], NOT_RECEIPTED: [(unreceipted,)]})
    ledger = _Fixed({CUSTODY: [(custody_digest(SECRET, PersonKey("p")), epoch, holder)]})
    return Country({Province("44"): register}, ledger, SECRET)


async def test_a_sound_country_passes() -> None:
    """One home, the ledger's epoch, all receipted."""
    assert not (await check(country("44", 1), 1)).faults


@pytest.mark.parametrize(
    ("looked_at", "cases"),
    [
        (country("43", 1), 1),
        (country("44", 2), 1),
        (country("44", 1, unreceipted=3), 1),
        (country("44", 1), 2),
    ],
)
async def test_a_fault_is_found(looked_at: Country, cases: int) -> None:
    """Another holder, another epoch, a message without receipt, a case that nobody knows."""
    assert len((await check(looked_at, cases)).faults) == 1
