from __future__ import annotations

from typing import Any

import pytest

from tests.registry.country import A, B, code_of, counts, ok
from tests.stories.world import Country
from tongban_shared.errors import WireError
from tongban_shared.ids import CaseId, Province
from tongban_shared.keys import KeyDirectory
from tongban_shared.ports import Family

QUARANTINE, ACTS = "/v1/ops/quarantine", "/v1/ops/acts"
WHY = {"actor": "operator-1", "reason": "the key list was behind"}


def directory_of(country: Country, code: str) -> KeyDirectory:
    """The key list that a province verifies with."""
    verifier = country.sites[code].live.office.opener._verifier
    assert isinstance(verifier, KeyDirectory)
    return verifier


async def refused(country: Country, code: str, reason: str) -> dict[str, Any]:
    """The one entry in a province's quarantine, once it is there."""
    await country.wait(lambda: country.registers.quarantine(code) == [reason], f"{reason} at {code}")
    (entry,) = (await ok(country, code, QUARANTINE))["items"]
    assert isinstance(entry, dict)
    return entry


async def facts_under_an_unknown_key(country: Country) -> tuple[CaseId, dict[str, Any]]:
    """B does not know A's key when A's facts arrive; then it does. Receipts are lost, to have one entry."""
    country.wire.dropping.add("receipt")
    known = directory_of(country, B)._sign
    key = known.pop((A, f"{A}-1"))
    case_id = await country.apply(country.person(A), B)
    entry = await refused(country, B, "UNKNOWN_KEY")
    known[A, f"{A}-1"] = key
    return case_id, entry


async def test_a_message_refused_for_want_of_a_key_is_taken_later(country: Country) -> None:
    """Once the key is listed, a replay lets the case go on to its end."""
    case_id, entry = await facts_under_an_unknown_key(country)
    result = await ok(country, B, f"{QUARANTINE}/{entry['id']}/replay", WHY)
    assert (result["result"], result["reason"]) == ("TAKEN", None)
    await country.until(B, case_id, "COMPLETED")
    assert (await ok(country, B, QUARANTINE))["items"] == []


async def test_a_message_taken_before_is_decided_afresh(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that was receipted and then found unreadable counts as new when it is replayed."""
    signer = country.sites[B].live.office.signer

    def broken(*_: object) -> bytes:
        raise WireError("BAD_SEAL")

    with monkeypatch.context() as patched:
        patched.setattr(signer, "unseal", broken)
        case_id = await country.apply(country.person(A), B)
        entry = await refused(country, B, "BAD_SEAL")
    assert (await ok(country, B, f"{QUARANTINE}/{entry['id']}/replay", WHY))["result"] == "TAKEN"
    await country.until(B, case_id, "COMPLETED")


async def test_what_is_refused_again_stays(country: Country) -> None:
    """A replay that changes nothing says why, and the message is in quarantine as one new entry."""
    country.wire.dropping.add("receipt")
    del directory_of(country, B)._sign[A, f"{A}-1"]
    await country.apply(country.person(A), B)
    entry = await refused(country, B, "UNKNOWN_KEY")
    result = await ok(country, B, f"{QUARANTINE}/{entry['id']}/replay", WHY)
    assert (result["result"], result["reason"]) == ("REFUSED", "UNKNOWN_KEY")
    assert (await refused(country, B, "UNKNOWN_KEY"))["id"] != entry["id"]


async def test_a_replay_moves_no_position(country: Country) -> None:
    """Where reading goes on is what was read from the broker, not what was replayed."""
    _, entry = await facts_under_an_unknown_key(country)
    await country.calm()
    query = "SELECT family, log_id, next FROM positions ORDER BY family"
    before = country.registers.rows(B, query)
    country.wire.dropping.add("permit")
    await ok(country, B, f"{QUARANTINE}/{entry['id']}/replay", WHY)
    assert country.registers.rows(B, query) == before


async def test_a_replay_is_noted(country: Country) -> None:
    """Who replayed what, why, when and with which result is kept, and other operators can see it."""
    _, entry = await facts_under_an_unknown_key(country)
    await ok(country, B, f"{QUARANTINE}/{entry['id']}/replay", WHY)
    (act,) = (await ok(country, B, ACTS))["items"]
    assert (act["act"], act["id"], act["result"]) == ("REPLAY", entry["id"], "TAKEN")
    assert (act["actor"], act["reason"]) == ("operator-1", "the key list was behind")
    assert (act["refused_for"], act["sender"], act["province"]) == ("UNKNOWN_KEY", A, B)
    assert act["at"].endswith("+08:00")


async def test_a_replay_in_vain_is_noted_too(country: Country) -> None:
    """Each try stands there, the newest first."""
    country.wire.dropping.add("receipt")
    del directory_of(country, B)._sign[A, f"{A}-1"]
    await country.apply(country.person(A), B)
    for _ in range(2):
        entry = await refused(country, B, "UNKNOWN_KEY")
        await ok(country, B, f"{QUARANTINE}/{entry['id']}/replay", WHY)
    acts = (await ok(country, B, ACTS))["items"]
    assert [act["result"] for act in acts] == ["REFUSED", "REFUSED"]


async def test_what_is_dropped_is_gone_for_good(country: Country) -> None:
    """Out of quarantine, with who and why; the message has no effect, and its copies do not bring it back."""
    await country.wire.inner.send(Province(B), Family.MIGRATION, b"nonsense", {})
    entry = await refused(country, B, "BAD_FRAME")
    result = await ok(country, B, f"{QUARANTINE}/{entry['id']}/drop", WHY)
    assert (result["result"], result["reason"]) == ("DROPPED", "BAD_FRAME")
    await country.wire.inner.send(Province(B), Family.MIGRATION, b"nonsense", {})
    await country.calm()
    assert (await ok(country, B, QUARANTINE))["items"] == []
    (act,) = (await ok(country, B, ACTS))["items"]
    assert (act["act"], act["actor"]) == ("DROP", "operator-1")


async def test_copies_of_a_refused_message_are_kept_once(country: Country) -> None:
    """Whoever gets no receipt sends again for ever: quarantine has one row of it all the same."""
    _, entry = await facts_under_an_unknown_key(country)
    del directory_of(country, B)._sign[A, f"{A}-1"]
    for _ in range(5):
        await country.resend()
    assert country.registers.quarantine(B) == ["UNKNOWN_KEY"]
    again = country.sites[B].live.hall.meters.messages.labels("refused_again")._value.get()
    assert again >= 5
    assert (await refused(country, B, "UNKNOWN_KEY"))["id"] == entry["id"]


async def test_an_entry_shows_what_it_claims(country: Country) -> None:
    """Unit, key, messages by type and case; neither a person nor a body."""
    case_id, entry = await facts_under_an_unknown_key(country)
    shown = await ok(country, B, f"{QUARANTINE}/{entry['id']}")
    assert (shown["id"], shown["reason"], shown["key_id"]) == (entry["id"], "UNKNOWN_KEY", f"{A}-1")
    assert [(m["type"], m["case_id"]) for m in shown["messages"]] == [("migration.facts", case_id)]
    text = str(shown)
    (person,) = (await country.case(B, case_id)).persons
    for secret in (person, "body", "record_version"):
        assert secret not in text


@pytest.mark.parametrize("act", ["replay", "drop"])
async def test_an_act_has_an_actor_and_a_reason(country: Country, act: str) -> None:
    """Without them nothing happens."""
    _, entry = await facts_under_an_unknown_key(country)
    before = counts(country)
    for given in ({"actor": "operator-1"}, {"reason": "none"}, {"actor": "", "reason": ""}):
        answer = await country.ask(B, f"{QUARANTINE}/{entry['id']}/{act}", given)
        assert code_of(answer) == (422, "FIELD_INVALID")
    assert counts(country) == before


async def test_bytes_that_are_no_parcel_stay(country: Country) -> None:
    """What can't be verified can't be replayed, and keeps its entry."""
    await country.wire.inner.send(Province(B), Family.MIGRATION, b"nonsense", {})
    entry = await refused(country, B, "BAD_FRAME")
    answer = await country.ask(B, f"{QUARANTINE}/{entry['id']}/replay", WHY)
    assert code_of(answer) == (422, "BAD_FRAME")
    assert (await refused(country, B, "BAD_FRAME"))["id"] == entry["id"]


@pytest.mark.parametrize("entry", [f"{B}-999", f"{A}-1", "x", f"{B}-", f"{B}-1-1"])
async def test_an_entry_that_is_not_there(country: Country, entry: str) -> None:
    """Nothing is replayed under a number that is not in this province's quarantine."""
    for answer in (
        await country.ask(B, f"{QUARANTINE}/{entry}/replay", WHY),
        await country.ask(B, f"{QUARANTINE}/{entry}/drop", WHY),
        await country.ask(B, f"{QUARANTINE}/{entry}"),
    ):
        assert code_of(answer) == (404, "QUARANTINE_UNKNOWN")
