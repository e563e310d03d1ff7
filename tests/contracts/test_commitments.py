"""Sums and statements on both databases: what a ledger and a register say is what stands in their tables."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import httpx
import msgspec
import pytest

from tongban_ledger.app import create_app
from tongban_ledger.storage.sql import open_store
from tongban_registry.custody_statements import Speaker, Statements
from tongban_registry.health import MIGRATIONS
from tongban_registry.storage.custody_sql import CustodyRows
from tongban_registry.storage.rows import Changes
from tongban_registry.storage.store import RegistryStore
from tongban_sandbox.clock import SandboxClock
from tongban_sandbox.reconcile.voices import LedgerOverHttp
from tongban_shared.commitment import LEAF_MAX, Claim, Keyed, Sum, night_key, sum_of
from tongban_shared.commitment_wire import (
    LEDGER_PREFIXES_MAX,
    SUMS_PATH,
    Counting,
    Line,
    Node,
    Now,
    Question,
    Statement,
    opened,
)
from tongban_shared.custody import Hop, first
from tongban_shared.errors import LedgerDownError
from tongban_shared.ids import Province
from tongban_shared.keys import generate_keys, load_directory, load_signer
from tongban_shared.ledger_wire import signed_bytes
from tongban_shared.registration import Person, Registration
from tongban_shared.storage.migrate import upgrade

A, B = Province("43"), Province("44")
SECRET = b"of the ledger's digests"
CHALLENGE = "c" * 32
KEY = night_key(SECRET, CHALLENGE)
KEYED = Keyed(KEY)
NOW = 1_800_000_000
CASE = "440120260101000000010"
# One bucket of many, so that it has to be divided, and some others of few.
MANY = [f"ab{number:030x}" for number in range(3 * LEAF_MAX)]
FEW = [f"{number:x}" * 32 for number in range(16)]


@pytest.fixture
async def ledger(sql_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A ledger with persons of two provinces, one of whom has moved."""
    generate_keys(tmp_path / "keys", [A, B, "gateway"])
    store = await open_store(sql_url)
    await store.enter([first(digest, A) for digest in MANY] + [first(digest, B) for digest in FEW], NOW)
    await store.enter([Hop(A, B, ((MANY[0], 0),), "e" * 64, CASE)], NOW)
    application = create_app(store, load_directory(tmp_path / "keys"), now=lambda: NOW)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=application), base_url="http://ledger"
    ) as client:
        yield client
    await store.close()


def asker(client: httpx.AsyncClient, folder: Path) -> LedgerOverHttp:
    """Who asks, with the gateway's signature."""
    return LedgerOverHttp(client, load_signer(folder / "keys", "gateway"), lambda: NOW)


def entered() -> list[Claim]:
    """Everybody as the ledger has them."""
    settled = [Claim(digest, 0, A) for digest in MANY[1:]] + [Claim(digest, 0, B) for digest in FEW]
    return [Claim(MANY[0], 1, B), *settled]


def sums_of(node: Node) -> dict[str, dict[str, Sum]]:
    """A node's sums as plain dictionaries."""
    return {part: dict(by_holder) for part, by_holder in node.sums(KEYED).items()}


def wanted(claims: list[Claim], prefix: str, digits: int) -> dict[str, dict[str, Sum]]:
    """The sums of claims under a prefix, worked out one by one."""
    parts: dict[str, dict[str, list[Claim]]] = {}
    for claim in claims:
        if claim.digest.startswith(prefix):
            parts.setdefault(claim.digest[:digits], {}).setdefault(claim.holder, []).append(claim)
    return {
        part: {holder: sum_of(KEYED, all_of) for holder, all_of in by.items()} for part, by in parts.items()
    }


async def test_the_ledger_s_sums_are_those_of_its_entries(ledger: httpx.AsyncClient, tmp_path: Path) -> None:
    """By part and holder, at each depth, and a bucket of few as a list; with the head of the log."""
    found = await asker(ledger, tmp_path).sums(KEY, ["", "a", "ab", "0", MANY[0]])
    assert found.head.seq == len(MANY) + len(FEW) + 1
    whole, sixteenth, bucket, few, person = found.nodes
    assert sums_of(whole) == wanted(entered(), "", 2)
    assert sums_of(sixteenth) == wanted(entered(), "a", 2)
    assert sums_of(bucket) == wanted(entered(), "ab", 3)
    assert bucket.claims is None
    assert [claim.digest for claim in few.claims or ()] == [FEW[0]]
    assert [(c.digest, c.epoch, c.holder) for c in person.claims or ()] == [(MANY[0], 1, B)]


async def test_the_ledger_tells_the_lines_of_persons(ledger: httpx.AsyncClient, tmp_path: Path) -> None:
    """Newest entry and every line, with the case; of somebody unknown, nothing."""
    found = await asker(ledger, tmp_path).lines([MANY[0], FEW[3], "9" * 31 + "8"])
    assert sorted(found.newest, key=lambda now: now.digest) == [Now(FEW[3], 0, B), Now(MANY[0], 1, B)]
    lines = [Line(MANY[0], 0, A, ""), Line(MANY[0], 1, B, CASE)]
    assert [line for line in found.lines if line.digest == MANY[0]] == lines


async def test_sums_are_for_owners_of_keys_alone(ledger: httpx.AsyncClient, tmp_path: Path) -> None:
    """Without a signature 401; a key or a prefix of another form 422; then nothing is said."""
    unsigned = {"key": KEY.hex(), "prefixes": [""]}
    assert (await ledger.post(SUMS_PATH, json=unsigned)).status_code == 401
    for wrong in ({"key": "ab", "prefixes": [""]}, {"key": KEY.hex(), "prefixes": ["xy"]}):
        content = msgspec.json.encode(wrong)
        signer = load_signer(tmp_path / "keys", "gateway")
        signature = signer.sign(signed_bytes("POST", SUMS_PATH, str(NOW), content))
        headers = {
            "X-Tongban-Owner": "gateway",
            "X-Tongban-Key": signer.key_id,
            "X-Tongban-Created": str(NOW),
            "X-Tongban-Signature": base64.b64encode(signature).decode(),
            "content-type": "application/json",
        }
        answer = await ledger.post(SUMS_PATH, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "FIELD_INVALID")
    with pytest.raises(LedgerDownError):
        await asker(ledger, tmp_path).sums(KEY, ["0"] * (LEDGER_PREFIXES_MAX + 1))


def person(number: int, state: Registration, **more: object) -> Person:
    """One row of a register."""
    return msgspec.structs.replace(
        Person(
            key=f"{number:032x}",
            epoch=number % 3,
            state=state,
            record_version=1,
            name_check="",
            birth_date=date(1990, 1, 1),
            household_id="h",
            head=False,
            version=1,
            record="{}",
        ),
        **more,
    )


@pytest.fixture
async def statements(sql_url: str, tmp_path: Path) -> AsyncIterator[Statements]:
    """A register with a person in each state, and many who are at home."""
    generate_keys(tmp_path / "keys", [A])
    await upgrade(sql_url, MIGRATIONS)
    store = await RegistryStore.open(sql_url)
    await store.seed([], everybody())
    speaker = Speaker(A, load_signer(tmp_path / "keys", A), SECRET, SandboxClock())
    yield Statements(speaker, CustodyRows(store.engine))
    await store.close()


def everybody() -> list[Person]:
    """Who stands in the register."""
    states = [*Registration]
    moved = [person(number, state, moved_to=B, case_id=CASE) for number, state in enumerate(states)]
    return [*moved, *(person(number, Registration.HELD) for number in range(100, 1_000))]


async def ask(
    statements: Statements, folder: Path, *prefixes: str, digests: tuple[str, ...] = ()
) -> Statement:
    """The statement, verified, when it is ready."""
    question = Question(CHALLENGE, prefixes, digests)
    while isinstance(said := await statements.answer(question), Counting):
        assert said.counted >= 0
    return opened(load_directory(folder / "keys"), said, A, question)


def counted() -> dict[str, Claim]:
    """Key → what the province answers for, worked out by hand."""
    names = Keyed(SECRET)
    found = {}
    for row in everybody():
        digest = names.digest(row.key.encode()).hex()[:32]
        if row.state is Registration.RELEASED:
            found[row.key] = Claim(digest, row.epoch + 1, B)
        elif row.state.value not in ("PREPARED", "CONFIRMED", "DROPPED"):
            found[row.key] = Claim(digest, row.epoch, A)
    return found


async def test_a_register_s_sums_are_those_of_its_rows(statements: Statements, tmp_path: Path) -> None:
    """The whole, a bucket and a full digest; how many by state; whoever is released counts for B."""
    claims = list(counted().values())
    said = await ask(statements, tmp_path, "")
    assert sums_of(said.nodes[0]) == wanted(claims, "", 2)
    assert said.people["HELD"] == 901
    assert said.people["RELEASED"] == 1
    released = next(claim for claim in claims if claim.holder == B)
    deeper = await ask(statements, tmp_path, released.digest[:2], released.digest)
    assert sums_of(deeper.nodes[0]) == wanted(claims, released.digest[:2], 3)
    assert [(c.digest, c.epoch, c.holder, c.state) for c in deeper.nodes[1].claims or ()] == [
        (*released, "RELEASED")
    ]


async def test_a_register_tells_the_rows_of_persons(statements: Statements, tmp_path: Path) -> None:
    """Each state as it stands, also those that count nowhere; of somebody unknown, nothing."""
    names = Keyed(SECRET)
    digests = {names.digest(row.key.encode()).hex()[:32]: row for row in everybody()[: len(Registration)]}
    said = await ask(statements, tmp_path, digests=(*digests, "0" * 32))
    assert {row.digest: row.state for row in said.rows} == {d: row.state.value for d, row in digests.items()}


async def test_transfers_without_case_come_first(statements: Statements, tmp_path: Path) -> None:
    """Frozen and released persons count in transfer; a case that is not known here is missing (C3)."""
    transfers = (await ask(statements, tmp_path, "")).transfers
    assert transfers is not None
    assert (transfers.total, transfers.without_case) == (2, 3)
    assert {transfer.state for transfer in transfers.oldest} == {"FROZEN", "RELEASED", "PREPARED"}
    assert all(transfer.owner is None for transfer in transfers.oldest)


async def test_who_came_after_the_census_is_known(
    sql_url: str, statements: Statements, tmp_path: Path
) -> None:
    """A row entered later is found by its digest, although the sums are of before."""
    before = await ask(statements, tmp_path, "")
    late = person(5_000, Registration.PREPARED, moved_to=B)
    store = await RegistryStore.open(sql_url)
    await store.seed([], [late])
    async with store.unit() as unit:
        await unit.write(Changes(history=[(late.key, 0, "PREPARED", None, "prepare", "", NOW)]))
    await store.close()
    digest = Keyed(SECRET).digest(late.key.encode()).hex()[:32]
    assert [row.state for row in (await ask(statements, tmp_path, digests=(digest,))).rows] == ["PREPARED"]
    assert (await ask(statements, tmp_path, "")).nodes == before.nodes
