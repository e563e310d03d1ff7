"""How the ledger's client fails, signs and batches."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tongban_shared import ledger_client
from tongban_shared.errors import LedgerDownError
from tongban_shared.ids import CaseId, PersonKey, Province
from tongban_shared.keys import generate_keys, load_directory, load_signer
from tongban_shared.ledger_client import HttpLedger
from tongban_shared.ledger_wire import signed_bytes
from tongban_shared.ports import Move, Verdict

PERSON = PersonKey("5" * 32)
MOVE = Move(CaseId("430120260101000000010"), Province("43"), Province("44"), "c" * 64, ((PERSON, 0),))
LedgerWith = Callable[[Callable[[httpx.Request], httpx.Response]], HttpLedger]


@pytest.fixture
def ledger_with(tmp_path: Path) -> LedgerWith:
    """A client whose requests go to a function."""
    generate_keys(tmp_path, ["43"])

    def make(answer: Callable[[httpx.Request], httpx.Response]) -> HttpLedger:
        client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://ledger")
        return HttpLedger(client, load_signer(tmp_path, "43"), b"secret", now=lambda: 1_000.9)

    return make


def appended(request: httpx.Request) -> httpx.Response:
    """The ledger's answer when all goes well."""
    return httpx.Response(200, json={"verdicts": ["APPENDED"] * len(json.loads(request.content)["moves"])})


def refuse_to_connect(_: httpx.Request) -> httpx.Response:
    """No server there."""
    raise httpx.ConnectError("refused")


def lose_the_socket(_: httpx.Request) -> httpx.Response:
    """The connection broke between two steps of the client."""
    raise AttributeError("'NoneType' object has no attribute 'getpeername'")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(refuse_to_connect, id="no server"),
        pytest.param(lose_the_socket, id="socket lost"),
        pytest.param(lambda _: httpx.Response(503), id="503"),
        pytest.param(lambda _: httpx.Response(401), id="401"),
        pytest.param(lambda _: httpx.Response(200, content=b"<html>"), id="no JSON"),
        pytest.param(lambda _: httpx.Response(200, json={"verdicts": ["MAYBE"]}), id="unknown verdict"),
        pytest.param(lambda _: httpx.Response(200, json={"verdicts": []}), id="too few"),
    ],
)
async def test_whatever_goes_wrong_is_a_ledger_that_is_down(
    ledger_with: LedgerWith, answer: Callable[[httpx.Request], httpx.Response]
) -> None:
    """The port promises one error; it is retryable, and the caller's move waits at FROZEN."""
    with pytest.raises(LedgerDownError):
        await ledger_with(answer).append([MOVE])


@pytest.mark.parametrize(("mute_s", "asked"), [(60.0, 1), (0.0, 5)])
async def test_a_mute_ledger_is_not_waited_for_by_each_in_turn(
    ledger_with: LedgerWith, monkeypatch: pytest.MonkeyPatch, mute_s: float, asked: int
) -> None:
    """After a question in vain the next ones are told so at once, for a while; then it is asked again."""
    monkeypatch.setattr(ledger_client, "MUTE_S", mute_s)
    questions: list[int] = []

    def mute(request: httpx.Request) -> httpx.Response:
        questions.append(1)
        raise httpx.ReadTimeout("nothing came", request=request)

    ledger = ledger_with(mute)
    for _ in range(5):
        with pytest.raises(LedgerDownError):
            await ledger.locate([PERSON])
    assert len(questions) == asked


async def test_the_signature_covers_path_time_and_body(ledger_with: LedgerWith, tmp_path: Path) -> None:
    """What arrives verifies under the caller's public key."""
    seen: list[httpx.Request] = []

    def keep(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return appended(request)

    await ledger_with(keep).append([MOVE])
    headers = seen[0].headers
    signed = signed_bytes("POST", "/v1/custody/append", "1000", seen[0].content)
    signature = base64.b64decode(headers["X-Tongban-Signature"])
    assert headers["X-Tongban-Created"] == "1000"
    load_directory(tmp_path).verify(headers["X-Tongban-Owner"], headers["X-Tongban-Key"], signed, signature)


async def test_no_person_key_leaves_the_house(ledger_with: LedgerWith) -> None:
    """Requests hold keyed digests only."""
    sent: list[bytes] = []

    def keep(request: httpx.Request) -> httpx.Response:
        sent.append(request.content)
        return appended(request)

    await ledger_with(keep).append([MOVE])
    assert PERSON.encode() not in b"".join(sent)


async def test_calls_from_many_tasks_share_requests(ledger_with: LedgerWith) -> None:
    """A hundred tasks, at most two requests."""
    requests: list[int] = []

    def count(request: httpx.Request) -> httpx.Response:
        requests.append(1)
        return appended(request)

    ledger = ledger_with(count)
    answers = await asyncio.gather(*(ledger.append([MOVE]) for _ in range(100)))
    assert answers == [[Verdict.APPENDED]] * 100
    assert len(requests) <= 2
