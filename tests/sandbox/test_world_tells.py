"""The whole country in one process tells whoever wants to be told, by the channels of its environment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.registry.receivers import receiver
from tests.sandbox.test_world import an_adult, application
from tongban_sandbox.api import InProcess
from tongban_sandbox.state import Plan, StateFolder
from tongban_sandbox.world import World

LIMIT_S, PAUSE_S = 30.0, 0.1
SECRET = "whsec_" + "QUFB" * 10


async def test_an_application_by_the_gateway_is_told_by_webhook(
    country: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted, approved, done: three calls in this order, for one application to the gateway."""
    async with receiver() as there:
        hooks = tmp_path / "hooks.toml"
        hooks.write_text(f'"127.0.0.1:{there.port}" = "{SECRET}"', encoding="utf-8")
        monkeypatch.setenv("TONGBAN_WEBHOOKS", str(hooks))
        async with World(StateFolder(country, Plan())) as world:
            await world.start()
            contact = {"channel": "webhook", "address": there.url("/cases")}
            body = application(await an_adult(world)) | {"contact": contact}
            reply = await InProcess(world.gateway).call("POST", "/v1/cases", body, key="told")
            assert reply.status == 202, reply
            async with asyncio.timeout(LIMIT_S):
                while len(there.requests) < 3:
                    world.advance(0.005)
                    await asyncio.sleep(PAUSE_S)
        states = [request.json["data"]["state"] for request in there.requests]
        assert states == ["ACCEPTED", "IN_TRANSFER", "COMPLETED"]
        assert {request.json["data"]["case_id"] for request in there.requests} == {reply.body["case_id"]}
