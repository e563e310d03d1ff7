"""A registry's database is put back to a backup (protocol.md §6, §7): found out, caught up, nobody lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stories.backups import all_is_well, backup, moved_since, put_back
from tests.stories.forging import stopped_at
from tests.stories.world import Country

A, B, C = "32", "33", "44"
FENCES = pytest.mark.parametrize("fence", [True, False], ids=["fence kept", "fence lost"])
# What is held back while the backup is taken; None: it is from before the application.
MOMENTS = [None, "precheck", "facts", "permit", "offer", "acceptance", "certificate", "settled"]


@FENCES
@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_origin_is_put_back(country: Country, moment: str | None, fence: bool) -> None:  # noqa: FBT001
    """A forgets that it released: the gate finds its own hand-over at the ledger and applies it again."""
    person, copy = await moved_since(country, A, moment)
    await put_back(country, A, copy, fence=fence)
    await all_is_well(country, person, (B, 1))


@FENCES
@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_destination_is_put_back(country: Country, moment: str | None, fence: bool) -> None:  # noqa: FBT001
    """B forgets that it holds: it recalls the records, asks the ledger, and holds again."""
    person, copy = await moved_since(country, B, moment)
    await put_back(country, B, copy, fence=fence)
    await all_is_well(country, person, (B, 1))


@FENCES
async def test_the_destination_is_put_back_after_an_onward_move(country: Country, fence: bool) -> None:  # noqa: FBT001
    """B promised, held and gave away since; A's old certificate that comes again makes nobody a holder."""
    person = country.person(A)
    await stopped_at(country, person, "certificate")
    copy = backup(country, B)
    await country.wire.let_go("certificate")
    await country.wait(lambda: country.registers.claims(person.key) == [B], "held at B")
    await country.move(person, C)
    await put_back(country, B, copy, fence=fence)
    await all_is_well(country, person, (C, 2))


async def test_one_who_left_and_came_back_meanwhile(country: Country) -> None:
    """A gave the person away and took them back since the backup: A holds, at the newest epoch."""
    person = country.person(A)
    copy = backup(country, A)
    await country.move(person, B)
    await country.move(person, A)
    await put_back(country, A, copy)
    await all_is_well(country, person, (A, 2))


async def test_both_sides_are_put_back(country: Country) -> None:
    """Neither remembers the move; the ledger rules, and the origin still has the record."""
    person = country.person(A)
    copies = {code: backup(country, code) for code in (A, B)}
    await country.move(person, B)
    await country.crash(B)
    await put_back(country, A, copies[A])
    await put_back(country, B, copies[B])
    await all_is_well(country, person, (B, 1))


async def test_both_sides_are_put_back_to_before_there_and_back(country: Country) -> None:
    """B has to get the records from A before it can find whom A recalls from it."""
    person = country.person(A)
    copies = {code: backup(country, code) for code in (A, B)}
    await country.move(person, B)
    await country.move(person, A)
    await country.calm()
    await country.crash(B)
    await put_back(country, A, copies[A])
    await put_back(country, B, copies[B])
    await country.pass_time(days=2, step_hours=12)
    await all_is_well(country, person, (A, 2))


async def test_a_family_is_put_back_together(country: Country) -> None:
    """All of a household that moved as one are yielded and restored as one, with one head."""
    family = country.family(A, 2, 1)
    copies = {code: backup(country, code) for code in (A, B)}
    await country.move(family[0], B, members=family[1:])
    await country.calm()
    await country.crash(B)
    await put_back(country, A, copies[A])
    await put_back(country, B, copies[B])
    for member in family:
        await all_is_well(country, member, (B, 1))
    heads = [member for member in family if (country.registers.person(B, member.key) or {})["head"]]
    assert len(heads) == 1


async def test_while_recovering_nobody_is_answered_for(country: Country) -> None:
    """Without ledger and with a fence that is ahead: 503 RECOVERING at the door, health and ops go on."""
    person = country.person(A)
    copy = backup(country, A)
    await country.move(person, B)
    country.ledger.down = True
    await put_back(country, A, copy)
    answer = await country.lookup(person, A)
    assert (answer.status_code, answer.json()["code"]) == (503, "RECOVERING")
    assert answer.headers["retry-after"]
    ready = await country.ask(A, "/readyz")
    assert ready.status_code == 503
    assert (await country.ask(A, "/v1/ops/overview")).status_code == 200
    country.ledger.down = False
    await country.wait(lambda: country.sites[A].live.gate.open, "open")
    await all_is_well(country, person, (B, 1))


async def test_a_person_whose_record_is_on_its_way_is_not_unknown(country: Country) -> None:
    """B holds by the ledger and has not fetched the record: RECOVERING for them, and others are served."""
    person = country.person(A)
    copy = backup(country, B)
    await country.move(person, B)
    country.wire.hold("reissue")
    await put_back(country, B, copy)
    await country.calm()
    answer = await country.lookup(person, B)
    assert (answer.status_code, answer.json()["code"]) == (503, "RECOVERING")
    assert (await country.lookup(country.person(B), B)).status_code == 200
    assert (await country.lookup(country.stranger(), B)).status_code == 404
    await country.wire.let_go("reissue")
    await all_is_well(country, person, (B, 1))


async def test_who_came_back_is_not_said_to_be_gone(country: Country) -> None:
    """A holds again by the ledger, and has the row of before only: RECOVERING, not where they lived since."""
    person = country.person(A)
    await country.move(person, B)
    copy = backup(country, A)
    await country.move(person, A)
    country.wire.hold("reissue")
    await put_back(country, A, copy)
    await country.calm()
    answer = await country.lookup(person, A)
    assert (answer.status_code, answer.json()["code"]) == (503, "RECOVERING")
    await country.wire.let_go("reissue")
    await all_is_well(country, person, (A, 2))


async def test_numbers_are_never_given_twice(country: Country) -> None:
    """After a put-back messages bear a new incarnation: no receiver takes a new one for an old one."""
    copy = backup(country, B)
    await country.move(country.person(A), B)
    await put_back(country, B, copy)
    await country.move(country.person(A), B)
    sent = [letter.label.id for letter in country.wire.sent if letter.label.sender == B]
    assert any(message_id.startswith(f"{B}-{A}-2-") for message_id in sent)
    assert country.registers.count("quarantine") == 0


async def test_an_origin_that_cancelled_since_keeps_the_person(country: Country) -> None:
    """The backup has the person frozen; what ended that comes again, and ends it again."""
    person = country.person(A)
    case = await stopped_at(country, person, "offer")
    copy = backup(country, A)
    await country.act(B, case, "withdrawal")
    await country.until(A, case, "WITHDRAWN")
    await country.wire.let_go("offer")
    await country.until(B, case, "WITHDRAWN")
    await put_back(country, A, copy)
    await all_is_well(country, person, (A, 0))


async def test_an_application_lost_with_the_backup_has_an_end(country: Country) -> None:
    """B has forgotten the application, A asks about it: it ends, with a reason, and the person is free."""
    person = country.person(A)
    copy = backup(country, B)
    case = await stopped_at(country, person, "offer")
    await put_back(country, B, copy)
    await country.wire.let_go("offer")
    await all_is_well(country, person, (A, 0))
    assert (await country.case(B, case)).refusal == "APPLICATION_LOST"
    await country.move(person, B)


@pytest.mark.parametrize(("name", "state"), [("cancel", "VOIDED"), ("refusal", "REFUSED")])
async def test_the_end_of_an_application_lost_with_the_backup(
    country: Country, name: str, state: str
) -> None:
    """B has forgotten the application, and all that comes is A's word that it ended: so it did, here too."""
    person = country.person(A)
    copy = backup(country, B)
    case = await stopped_at(country, person, "permit")
    country.wire.hold(name)
    if name == "cancel":
        country.wire.held.clear()
        await country.act(B, case, "withdrawal")
    else:
        await country.hold(person, "HOLD")
        await country.wire.let_go("permit")
    await country.wait(lambda: any(letter.name == name for letter in country.wire.held), name)
    last = country.wire.taken(name, case)
    country.wire.wipe()
    await put_back(country, B, copy)
    await country.wire.deliver(last)
    await country.until(B, case, state)
    country.wire.holding.clear()
    await all_is_well(country, person, (A, 0))
    assert (await country.case(B, case)).refusal == "APPLICATION_LOST"
    assert country.registers.count("parked") == 0


async def test_a_forgotten_acceptance_still_binds(country: Country) -> None:
    """B accepted, was put back, and the certificate with its acceptance comes: it recalls and holds."""
    person = country.person(A)
    copy = backup(country, B)
    await stopped_at(country, person, "acceptance")
    await put_back(country, B, copy)
    await country.wire.let_go("acceptance")
    await all_is_well(country, person, (B, 1))


async def test_a_peer_tells_one_that_neither_fence_nor_ledger_can_tell(country: Country) -> None:
    """Fence and database are put back together, and nobody moved: the peer that was written to knows more."""
    person = country.person(A)
    await country.move(country.person(A), B)
    await country.calm()
    copy = backup(country, B)
    fence = (country.folder / "fences" / B).read_bytes()
    await stopped_at(country, person, "offer")
    await country.crash(B)
    (country.folder / "fences" / B).write_bytes(fence)
    await put_back(country, B, copy)
    ended = await country.sites[B].live.ended()
    assert type(ended).__name__ == "PutBackError"
    await country.crash(B)
    await country.start(B)
    assert country.sites[B].live.gate.put_back
    await country.wire.let_go("offer")
    await all_is_well(country, person, (A, 0))


async def test_an_origin_that_was_put_back_gets_its_own_certificate_again(country: Country) -> None:
    """What names the next holder went with the database: the holder sends it back, the origin checks it."""
    person = country.person(A)
    copy = backup(country, A)
    await country.move(person, B)
    before = (await country.lookup(person, A)).json()["proof"]
    country.wire.hold("settled")
    await put_back(country, A, copy)
    await country.calm()
    answer = (await country.lookup(person, A)).json()
    assert (answer["province"], answer["epoch"], answer["proof"]) == (B, 1, None)
    await country.wire.let_go("settled")
    await all_is_well(country, person, (B, 1))
    assert (await country.lookup(person, A)).json()["proof"] == before


async def test_settled_brings_the_certificate_that_came_in_the_same_unit(country: Country) -> None:
    """Certificate and reissue come together: B gets the certificate of this case, not of an earlier one."""
    person = country.person(A)
    await country.move(person, B)
    copy = backup(country, B)
    country.wire.hold("certificate", "reissue")
    case = await country.apply(person, A)
    await country.wait(lambda: any(x.name == "certificate" for x in country.wire.held), "certificate")
    await put_back(country, B, copy)
    await country.wait(lambda: any(x.name == "reissue" for x in country.wire.held), "reissue")
    for name in ("certificate", "reissue"):
        await country.wire.deliver(country.wire.taken(name, case))
    await country.until(A, case, "COMPLETED")
    country.wire.holding.clear()
    await all_is_well(country, person, (A, 2))
    assert country.registers.count("quarantine") == 0
    assert (await country.lookup(person, B)).json()["proof"] is not None


async def test_a_case_number_is_never_given_twice(country: Country) -> None:
    """Applications that came after the backup have their numbers; who applies after it gets another one."""
    copy = backup(country, B)
    given = [await country.apply(country.person(A), B) for _ in range(5)]
    await country.calm()
    last = country.sites[B].live.hall.counters.stamp
    await put_back(country, B, copy)
    assert country.sites[B].live.hall.counters.stamp > last
    given.append(await country.apply(country.person(A), B))
    assert len(set(given)) == len(given)


async def test_an_origin_that_forgot_the_question_needs_no_officer(country: Country) -> None:
    """Question and permit come again together: the facts are told twice, and the permit is still good."""
    person = country.person(A)
    copy = backup(country, A)
    case = await stopped_at(country, person, "permit")
    await put_back(country, A, copy)
    await country.wire.let_go("permit")
    await all_is_well(country, person, (B, 1))
    assert country.state(B, case) == "COMPLETED"
    assert [letter.name for letter in country.wire.sent].count("permit") >= 1


async def test_a_promise_made_to_one_that_was_put_back_is_given_back(country: Country) -> None:
    """B had offered the way back, and was put back to before it held: A's promise does not wait for ever."""
    person = country.person(A)
    await stopped_at(country, person, "certificate")
    copy = backup(country, B)
    await country.wire.let_go("certificate")
    await country.wait(lambda: country.registers.claims(person.key) == [B], "held at B")
    await country.calm()
    country.wire.hold("acceptance")
    case = await country.apply(person, A)
    await country.until(A, case, "PREPARED")
    country.wire.hold("reissue")
    await put_back(country, B, copy)
    await country.calm()
    await country.wire.let_go("acceptance")
    await country.calm()
    await country.wire.let_go("reissue")
    await all_is_well(country, person, (B, 1))


async def test_who_has_moved_on_since_brings_no_wrong_certificate(country: Country) -> None:
    """A asks again for what B settled; the certificate that B has by now is another one, and stays there."""
    person = country.person(A)
    copy = backup(country, A)
    await country.move(person, B)
    await country.move(person, C)
    await put_back(country, A, copy)
    await all_is_well(country, person, (C, 2))
    assert country.registers.count("quarantine") == 0


async def test_whose_record_comes_back_during_a_lookup_is_found(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record arrives between two questions to the database: RECOVERING or the answer, never unknown."""
    person = country.person(A)
    copy = backup(country, B)
    await country.move(person, B)
    country.wire.hold("reissue")
    await put_back(country, B, copy)
    await country.calm()
    live = country.sites[B].live
    look = live.store.lookup

    async def late(*asked: Any) -> Any:  # noqa: ANN401 (passed on)
        found = await look(*asked)
        await country.wire.let_go("reissue")
        await country.wait(lambda: country.registers.claims(person.key) == [B], "held again")
        return found

    monkeypatch.setattr(live.store, "lookup", late)
    answer = await country.lookup(person, B)
    assert (answer.status_code, answer.json()["code"]) == (503, "RECOVERING")
    monkeypatch.undo()
    assert (await country.lookup(person, B)).status_code == 200


async def test_one_who_was_here_only_between_backup_and_put_back(country: Country) -> None:
    """B promised, held and gave back to A since: its recall of the first move is answered, and ends it."""
    person = country.person(A)
    await stopped_at(country, person, "certificate")
    copy = backup(country, B)
    await country.wire.let_go("certificate")
    await country.wait(lambda: country.registers.claims(person.key) == [B], "held at B")
    await country.move(person, A)
    await put_back(country, B, copy)
    await all_is_well(country, person, (A, 2))
