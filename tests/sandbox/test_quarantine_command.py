"""`tongban quarantine` as operators use it, over HTTP at a registry that runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from tests.registry.country import A, B
from tests.registry.test_parked import settled
from tests.registry.test_quarantine_replay import directory_of
from tests.stories.clock import MORNING
from tests.stories.mischief import forged
from tests.stories.world import Country
from tongban_sandbox.cli import app
from tongban_shared.ids import Province, make_case_id

WHY = ("--actor", "operator-1", "--reason", "the key list was behind")
Command = Callable[..., Coroutine[Any, Any, Result]]


@pytest.fixture
async def country(tmp_path: Path) -> AsyncIterator[Country]:
    """Two provinces; B does not know A's key, so that A's facts are refused there."""
    country = await Country.open(tmp_path, provinces=2, people=90)
    country.wire.dropping.add("receipt")
    keys = directory_of(country, B)._sign
    key = keys.pop((A, f"{A}-1"))
    await country.apply(country.person(A), B)
    await country.wait(lambda: country.registers.quarantine(B) == ["UNKNOWN_KEY"], "a refusal")
    keys[A, f"{A}-1"] = key
    try:
        yield country
    finally:
        await country.close()


@pytest.fixture
async def quarantine(country: Country) -> AsyncIterator[Command]:
    """The command, asking province B's registry on loopback."""
    running = uvicorn.Server(uvicorn.Config(country.sites[B].live.app(), log_config=None, lifespan="off"))
    running.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # it stops with the test
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(running.serve([listener]))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def run(*arguments: str) -> Result:
        line = ["quarantine", *arguments, "--registry", base]
        return await asyncio.to_thread(CliRunner().invoke, app, line)

    # The command's output is what its process would print; the registry's log lines are not.
    with capture_logs():
        yield run
    running.should_exit = True
    await serving
    listener.close()


async def test_list_show_and_replay(country: Country, quarantine: Command) -> None:
    """What is refused is listed, shown, put before the hall again, and gone; who did it is on record."""
    listed = await quarantine("list")
    assert (listed.exit_code, "UNKNOWN_KEY" in listed.output) == (0, True), listed.output
    entry = listed.output.split()[0]
    assert entry.startswith(f"{B}-")
    shown = await quarantine("show", entry)
    assert "migration.facts" in shown.output
    taken = await quarantine("replay", entry, *WHY)
    assert (taken.exit_code, taken.output.split()[:2]) == (0, [entry, "TAKEN"])
    assert (await quarantine("list")).output == ""
    acts = (await quarantine("acts")).output
    assert f"REPLAY  {entry}  TAKEN  UNKNOWN_KEY  operator-1  the key list was behind" in acts
    await country.calm()


async def test_a_replay_in_vain_says_so(country: Country, quarantine: Command) -> None:
    """Exit code 1 with the reason, and the message is on the list again."""
    del directory_of(country, B)._sign[A, f"{A}-1"]
    entry = (await quarantine("list")).output.split()[0]
    refused = await quarantine("replay", entry, *WHY)
    assert (refused.exit_code, refused.output.split()[1:3]) == (1, ["REFUSED", "UNKNOWN_KEY"])
    assert "UNKNOWN_KEY" in (await quarantine("list")).output


async def test_drop(quarantine: Command) -> None:
    """Out for good, on record."""
    entry = (await quarantine("list")).output.split()[0]
    assert (await quarantine("drop", entry, *WHY)).exit_code == 0
    assert (await quarantine("list")).output == ""
    assert "DROP" in (await quarantine("acts")).output


@pytest.mark.parametrize("act", ["replay", "drop"])
@pytest.mark.parametrize("given", [("--actor", "operator-1"), ("--reason", "because"), ()])
async def test_who_and_why_are_required(quarantine: Command, act: str, given: tuple[str, ...]) -> None:
    """Without an actor and a reason nothing happens."""
    entry = (await quarantine("list")).output.split()[0]
    assert (await quarantine(act, entry, *given)).exit_code == 2
    assert entry in (await quarantine("list")).output


async def test_what_is_not_there(quarantine: Command) -> None:
    """One line with the code, exit code 2."""
    answer = await quarantine("show", f"{B}-99")
    assert (answer.exit_code, "QUARANTINE_UNKNOWN" in answer.output) == (2, True)


async def test_nothing_personal_is_printed(country: Country, quarantine: Command) -> None:
    """Neither key nor name nor number of the person whom a refused message is about."""
    entry = (await quarantine("list")).output.split()[0]
    asked = (("list",), ("show", entry), ("acts",))
    printed = "".join([(await quarantine(*words)).output for words in asked])
    rows = country.registers.rows(A, "SELECT key, name_check FROM person")
    assert not [value for row in rows for value in row if str(value) in printed]


async def test_what_waits_for_its_cause(country: Country, quarantine: Command) -> None:
    """Parked messages stand on a list of their own, the oldest first."""
    case_id = make_case_id(Province(A), "01", MORNING.date(), 7)
    await country.wire.deliver(forged(country, settled(country.person(B)), (A, B), case_id=case_id))
    await country.calm()
    (line,) = (await quarantine("parked")).output.splitlines()
    assert (case_id in line, line.endswith("  1")) == (True, True)


async def test_nobody_answers() -> None:
    """A registry that is away is one line and exit code 2."""
    line = ["quarantine", "list", "--registry", "http://127.0.0.1:1"]
    answer = await asyncio.to_thread(CliRunner().invoke, app, line)
    assert (answer.exit_code, "no answer" in answer.output) == (2, True)
