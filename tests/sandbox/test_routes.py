"""The sandbox's own routes: faults, crashes and the clock, in front of the gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tongban_sandbox.api import InProcess
from tongban_sandbox.routes import SandboxApp
from tongban_sandbox.state import Plan, StateFolder
from tongban_sandbox.traffic import Traffic
from tongban_sandbox.world import World

ROOT = "/sandbox/v1"


@pytest.fixture
async def sandbox(country: Path) -> AsyncIterator[InProcess]:
    """A running country behind its sandbox routes, without traffic."""
    async with World(StateFolder(country, Plan())) as world:
        await world.start()
        yield InProcess(SandboxApp(world, Traffic(world, 0)))


async def test_the_gateway_answers_behind_the_routes(sandbox: InProcess) -> None:
    """What is not the sandbox's goes to the gateway."""
    assert (await sandbox.call("GET", "/v1/items")).status == 200
    assert (await sandbox.call("GET", f"{ROOT}/nothing")).code == "NOT_FOUND"


async def test_people_are_synthetic_and_of_the_province(sandbox: InProcess) -> None:
    """Numbers begin with the province's own prefix, which no living person has."""
    found = (await sandbox.call("GET", f"{ROOT}/people?province=51&limit=5")).body["items"]
    assert len(found) == 5
    assert all(one["synthetic"] and one["id_number"].startswith("510000") for one in found)


async def test_a_killed_province_comes_back(sandbox: InProcess) -> None:
    """Killed, its cases are out of reach; restarted, they are answered again."""
    killed = await sandbox.call("POST", f"{ROOT}/provinces/44/kill")
    assert killed.body == {"province": "44", "running": False, "recovering": False}
    unknown_case = "/v1/cases/44012026112400000001U"
    assert (await sandbox.call("GET", unknown_case)).code == "PROVINCE_UNAVAILABLE"
    assert (await sandbox.call("POST", f"{ROOT}/provinces/44/restart")).body["running"] is True
    assert (await sandbox.call("GET", unknown_case)).code == "CASE_UNKNOWN"


async def test_a_province_can_be_cut_off(sandbox: InProcess) -> None:
    """A province named under `down` is out of reach until the faults are switched off."""
    put = await sandbox.call("PUT", f"{ROOT}/faults", {"down": ["44"], "drop": 0.5})
    assert (put.body["down"], put.body["drop"]) == (["44"], 0.5)
    unknown_case = "/v1/cases/44012026112400000001U"
    assert (await sandbox.call("GET", unknown_case)).code == "PROVINCE_UNAVAILABLE"
    assert (await sandbox.call("PUT", f"{ROOT}/faults", {})).body["down"] == []
    assert (await sandbox.call("GET", unknown_case)).code == "CASE_UNKNOWN"


async def test_faults_beyond_all_bounds_are_refused(sandbox: InProcess) -> None:
    """A share is 0 to 1, and a province is one that exists."""
    assert (await sandbox.call("PUT", f"{ROOT}/faults", {"drop": 2})).code == "FIELD_INVALID"
    assert (await sandbox.call("PUT", f"{ROOT}/faults", {"down": ["99"]})).code == "PROVINCE_UNKNOWN"


async def test_the_clock_moves_on(sandbox: InProcess) -> None:
    """Hours pass at once, in the whole country."""
    moved = await sandbox.call("POST", f"{ROOT}/clock/advance", {"hours": 24})
    assert moved.body["ahead_s"] == 24 * 3_600


async def test_a_register_is_put_back_to_its_backup(sandbox: InProcess) -> None:
    """Without a backup it says what to do; with one the registry catches up, and everybody has one home."""
    refused = await sandbox.call("POST", f"{ROOT}/provinces/44/restore")
    assert refused.code == "STEP_NOT_ALLOWED"
    assert "backup" in refused.body["detail"]
    await sandbox.call("POST", f"{ROOT}/provinces/44/backup")
    restored = await sandbox.call("POST", f"{ROOT}/provinces/44/restore")
    assert restored.body == {"province": "44", "running": True, "recovering": False}
    status = await sandbox.call("GET", f"{ROOT}/status")
    assert status.body["homes"]["good"] is True


async def test_traffic_has_a_mix_and_a_shape(sandbox: InProcess) -> None:
    """All types without a shape unless asked otherwise; an unknown mix is refused and changes nothing."""
    put = await sandbox.call("PUT", f"{ROOT}/traffic", {"cases_per_s": 0})
    assert (put.body["mix"], put.body["shaped"]) == ("2023", False)
    wanted = {"cases_per_s": 0, "mix": "migration", "shaped": True}
    await sandbox.call("PUT", f"{ROOT}/traffic", wanted)
    refused = await sandbox.call("PUT", f"{ROOT}/traffic", {"cases_per_s": 1, "mix": "1999"})
    assert refused.code == "FIELD_INVALID"
    shown = (await sandbox.call("GET", f"{ROOT}/traffic")).body
    assert {name: shown[name] for name in wanted} == wanted
