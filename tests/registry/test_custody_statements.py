"""GET /v1/ops/custody with a challenge: who may be believed, what is said, and what is not."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import httpx
import msgspec
import pytest

from tests.registry.country import A, B, code_of
from tests.stories.world import Country
from tongban_registry.custody_statements import RUNS_MAX, Speaker, Statements
from tongban_registry.storage.custody_sql import CustodyRows
from tongban_shared.commitment import LEAF_MAX
from tongban_shared.commitment_wire import (
    PREFIXES_MAX,
    Counting,
    Question,
    Signed,
    Statement,
    StatementError,
    opened,
)
from tongban_shared.errors import RefusedError
from tongban_shared.keys import load_directory

CUSTODY = "/v1/ops/custody"
CHALLENGE = "0123456789abcdef" * 2
WHOLE = Question(CHALLENGE, ("",))
PEOPLE = 90


async def ask(country: Country, code: str = A, **query: str) -> httpx.Response:
    """One question."""
    asked = "&".join(f"{name}={value}" for name, value in {"challenge": CHALLENGE, **query}.items())
    return await country.ask(code, f"{CUSTODY}?{asked}")


async def signed(country: Country, code: str = A, **query: str) -> Signed:
    """The answer as it came."""
    answer = await ask(country, code, **query)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=Signed)


def believed(country: Country, said: Signed, question: Question = WHOLE) -> Statement:
    """The statement, if A signed it in answer to this."""
    return opened(load_directory(country.keys), said, A, question)


async def test_a_statement_is_signed_by_its_province(country: Country) -> None:
    """The whole register in sums, under the province's signature and the asker's challenge."""
    statement = believed(country, await signed(country, prefix=""))
    assert (statement.province, statement.challenge, statement.people) == (A, CHALLENGE, {"HELD": PEOPLE})
    assert sum(part.count for part in statement.nodes[0].parts) == PEOPLE


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"statement": lambda text: text.replace('"count":1', '"count":2') + " "}, "BAD_SIGNATURE"),
        ({"signature": lambda text: text[:-4] + "AAA="}, "BAD_SIGNATURE"),
        ({"signature": lambda _: "?"}, "BAD_SIGNATURE"),
        ({"owner": lambda _: B}, "WRONG_PROVINCE"),
        ({"key_id": lambda _: f"{A}-9"}, "UNKNOWN_KEY"),
        ({"key_id": lambda _: f"{B}-1"}, "UNKNOWN_KEY"),
    ],
)
async def test_a_forged_statement_is_refused(country: Country, changes: Any, reason: str) -> None:  # noqa: ANN401
    """Another text, another signature, another author or another key: nothing of it is believed."""
    said = await signed(country, prefix="")
    forged = msgspec.structs.replace(said, **{name: to(getattr(said, name)) for name, to in changes.items()})
    with pytest.raises(StatementError, match=reason):
        believed(country, forged)


async def test_a_stale_statement_is_refused(country: Country) -> None:
    """Well signed, and an answer to another run, another prefix, another person, or of nobody we asked."""
    yesterday = await signed(country, prefix="")
    for question in (
        Question("f" * 32, ("",)),
        Question(CHALLENGE, ("00",)),
        Question(CHALLENGE, ("",), ("0" * 32,)),
        Question(CHALLENGE),
    ):
        with pytest.raises(StatementError, match="STALE"):
            believed(country, yesterday, question)


async def test_one_province_cannot_speak_for_another(country: Country) -> None:
    """B's own statement, well signed, is no statement of A."""
    with pytest.raises(StatementError, match="WRONG_PROVINCE"):
        believed(country, await signed(country, B, prefix=""))


async def test_a_bucket_of_few_is_a_list_of_digests(country: Country) -> None:
    """Digest, epoch, holder, state and case; never a key, a name, a number or an address."""
    country.wire.hold("acceptance")
    person = country.person(A)
    case = await country.apply(person, B)
    await country.until(A, case, "FROZEN")
    (frozen,) = believed(country, await signed(country, prefix="")).transfers.oldest  # type: ignore[union-attr]
    said = await signed(country, prefix=frozen.digest[:2], digest=frozen.digest)
    question = Question(CHALLENGE, (frozen.digest[:2],), (frozen.digest,))
    statement = believed(country, said, question)
    claims = statement.nodes[0].claims or ()
    assert 0 < len(claims) <= LEAF_MAX
    assert (frozen.digest, 0, A, "FROZEN", case) in [msgspec.structs.astuple(claim) for claim in claims]
    assert [(row.state, row.to, row.step) for row in statement.rows] == [("FROZEN", B, "FROZEN")]
    for personal in (person.key, person.id_number, person.identity["name"], "address", "name"):
        assert personal not in said.statement
    assert not re.search(r"(?<![0-9a-f])[0-9]{17}[0-9Xx](?![0-9a-f])", said.statement)


async def test_without_a_challenge_it_is_the_operators_page(country: Country) -> None:
    """As before: counts, and everybody in transfer by pages."""
    assert (await country.ask(A, CUSTODY)).json()["claims"] == PEOPLE


@pytest.mark.parametrize(
    "query",
    [
        {"challenge": "short"},
        {"prefix": "xyz"},
        {"prefix": "A"},
        {"prefix": "a" * 33},
        {"prefix": ",".join(["a"] * (PREFIXES_MAX + 1))},
        {"digest": "a" * 31},
        {"digest": ",".join(["a" * 32] * (PREFIXES_MAX + 1))},
        {"digest": ""},
    ],
)
async def test_a_question_of_another_form_is_refused(country: Country, query: dict[str, str]) -> None:
    """422 that says where, and never what."""
    assert code_of(await ask(country, **query)) == (422, "FIELD_INVALID")


def statements_of(country: Country, work_s: float) -> Statements:
    """A's statements with another patience."""
    registry = country.sites[A].live
    return Statements(Speaker.of(registry.office), CustodyRows(registry.store.engine), lambda: True, work_s)


async def test_a_large_register_is_counted_in_pieces(country: Country) -> None:
    """A question that would take too long is answered with how far it is, until the statement is ready."""
    statements = statements_of(country, work_s=0.0)
    assert await statements.answer(WHOLE) == Counting(PEOPLE)
    said = await statements.answer(WHOLE)
    assert isinstance(said, Signed)
    assert believed(country, said).people == {"HELD": PEOPLE}


async def test_a_run_that_was_ended_is_forgotten(country: Country) -> None:
    """Two runs at once are served, a third is told to come again; one that says goodbye makes room."""
    statements = statements_of(country, work_s=60.0)
    for number in range(RUNS_MAX):
        await statements.answer(Question(f"{number:032x}", ("",)))
    with pytest.raises(RefusedError, match="asking") as refused:
        await statements.answer(WHOLE)
    assert refused.value.reason == "OVERLOADED"
    farewell = Question(f"{0:032x}")
    said = await statements.answer(farewell)
    assert isinstance(said, Signed)
    assert believed(country, said, farewell).nodes == ()
    assert isinstance(await statements.answer(WHOLE), Signed)


async def test_many_askers_of_one_run_count_once(country: Country) -> None:
    """Questions of one run wait for each other and get the same sums."""
    said = await asyncio.gather(*(signed(country, prefix="") for _ in range(5)))
    nodes = [json.loads(one.statement)["nodes"] for one in said]
    assert nodes == [nodes[0]] * 5
