from __future__ import annotations

from tests.registry.country import OFFICER, A, B, claim, code_of, counts, ok, waiting
from tests.stories.world import Country
from tongban_registry.ops import CHEAP_S, Remembered
from tongban_shared.errors import StoreDownError
from tongban_shared.ids import Province, custody_digest
from tongban_shared.ports import Family

OVERVIEW, CUSTODY, CASES = "/v1/ops/overview", "/v1/ops/custody", "/v1/ops/cases"
WHY = {"actor": "operator-1", "reason": "maintenance"}


async def test_a_quiet_province_has_nothing_to_show(country: Country) -> None:
    """Ready, everybody at home, nothing open and nothing waiting."""
    view = await ok(country, A, OVERVIEW)
    assert (view["province"], view["state"], view["people_held"]) == (A, "READY", 90)
    numbers = ("released_not_held", "open_cases", "in_transfer", "prepared", "backlog", "deadline_breaches")
    assert [view[name] for name in numbers] == [0] * len(numbers)
    ages = ("oldest_released_age_s", "oldest_unreceipted_age_s")
    assert [view[name] for name in ages] == [None, None]
    assert view["last_contact"] == {}


async def test_released_but_not_held_comes_first(country: Country) -> None:
    """The first figure counts persons that neither side claims, with the age of the oldest."""
    country.wire.hold("certificate")
    case_id = await country.apply(country.person(A), B)
    await country.until(A, case_id, "RELEASED")
    country.clock.advance(1)
    view = await ok(country, A, OVERVIEW)
    assert next(iter(view)) == "released_not_held"
    assert (view["released_not_held"], view["oldest_released_age_s"]) == (1, 3600)
    assert (await ok(country, B, OVERVIEW))["prepared"] == 1


async def test_a_message_without_receipt_has_its_age(country: Country) -> None:
    """What was sent and not receipted is pending, and as old as it is."""
    country.wire.hold("precheck")
    await country.apply(country.person(A), B)
    country.clock.advance(0.5)
    view = await ok(country, B, OVERVIEW)
    assert (view["outbox_pending"], view["oldest_unreceipted_age_s"], view["backlog"]) == (1, 1800, 1)


async def test_open_cases_by_state(country: Country) -> None:
    """Counts by public state, and by step for those who know the steps."""
    await waiting(country, country.person(A))
    view = await ok(country, B, OVERVIEW)
    assert (view["open_cases"], view["cases_by_state"]) == (1, {"REVIEWING": 1})
    assert view["cases_by_step"] == {"REVIEWING": 1}


async def test_a_broken_promise_is_a_breach(country: Country) -> None:
    """A case beyond its promise counts, at the side that promised."""
    await waiting(country, country.person(A))
    await country.pass_time(days=6)
    assert (await ok(country, B, OVERVIEW))["deadline_breaches"] == 1


async def test_a_passed_limit_is_a_breach(country: Country) -> None:
    """A step whose limit has passed counts, although a new limit runs."""
    country.wire.hold("precheck")
    await country.apply(country.person(A), B)
    await country.pass_time(days=2.1)
    assert (await ok(country, B, OVERVIEW))["deadline_breaches"] == 1


async def test_last_contact_outlives_a_restart(country: Country) -> None:
    """The newest message of each peer is known before and after a crash."""
    await country.move(country.person(A), B)
    before = (await ok(country, B, OVERVIEW))["last_contact"]
    await country.crash(B)
    await country.start(B)
    assert list(before) == [A]
    assert (await ok(country, B, OVERVIEW))["last_contact"] == before


async def test_custody_counts_claims_by_state(country: Country) -> None:
    """One person under way is claimed by the origin alone, and bound at the destination."""
    country.wire.hold("acceptance")
    case_id = await country.apply(country.person(A), B)
    await country.until(B, case_id, "PREPARED")
    at_a, at_b = await ok(country, A, CUSTODY), await ok(country, B, CUSTODY)
    assert (at_a["claims"], at_a["held"], at_a["frozen"]) == (90, 89, 1)
    assert (at_b["claims"], at_b["held"], at_b["prepared"]) == (90, 90, 1)
    assert at_a["in_transfer_without_case"] == at_b["in_transfer_without_case"] == 0


async def test_custody_names_case_owner_and_age(country: Country) -> None:
    """Everybody in transfer stands there with case, holder, whose move it is, and for how long."""
    country.wire.hold("acceptance")
    person = country.person(A)
    case_id = await country.apply(person, B)
    await country.until(A, case_id, "FROZEN")
    country.clock.advance(2)
    (entry,) = (await ok(country, A, CUSTODY))["in_transfer"]
    assert (entry["case_id"], entry["state"], entry["epoch"], entry["holder"]) == (case_id, "FROZEN", 0, A)
    assert (entry["owner"], entry["age_s"]) == ("destination", 7200)
    assert entry["due_at"] is not None
    secret = country.sites[A].live.office.secrets.custody
    assert entry["person"] == custody_digest(secret, person.key)


async def test_custody_comes_in_pages(country: Country) -> None:
    """Persons in transfer are listed once each, page after page."""
    country.wire.hold("acceptance")
    applied = [await country.apply(country.person(A), B) for _ in range(3)]
    for case_id in applied:
        await country.until(A, case_id, "FROZEN")
    first = await ok(country, A, f"{CUSTODY}?limit=2")
    second = await ok(country, A, f"{CUSTODY}?limit=2&cursor={first['next']}")
    seen = [entry["case_id"] for page in (first, second) for entry in page["in_transfer"]]
    assert (seen, second["next"]) == (sorted(applied), None)


async def test_cases_shows_open_ones(country: Country) -> None:
    """Without a filter: what is open, with step, sides and limit."""
    done = await country.move(country.person(A), B)
    case_id = await waiting(country, country.person(A))
    (case,) = (await ok(country, B, CASES))["items"]
    assert (case["case_id"], case["state"], case["step"], case["side"]) == (
        case_id,
        "REVIEWING",
        "REVIEWING",
        "destination",
    )
    assert (case["origin_province"], case["destination_province"], case["waits_for"]) == (A, B, "officer")
    assert done != case_id


async def test_cases_are_found_by_state_number_item_and_province(country: Country) -> None:
    """Each filter finds what it names, closed cases included where a number or an end is asked for."""
    done = await country.move(country.person(A), B)
    case_id = await waiting(country, country.person(A))

    async def found(query: str) -> list[str]:
        return [case["case_id"] for case in (await ok(country, B, f"{CASES}?{query}"))["items"]]

    assert await found("state=COMPLETED") == [done]
    assert await found("state=REVIEWING") == [case_id]
    assert await found(f"q={done}") == [done]
    assert await found(f"q={done[:12]}") == sorted([done, case_id], reverse=True)
    assert await found("q=0101") == [case_id]
    assert await found(f"province={A}") == [case_id]
    assert await found("province=44") == []
    assert await found("overdue=true") == []
    assert await found("overdue=false") == [case_id]


async def test_an_id_number_is_no_search_word(country: Country) -> None:
    """It must not stand in a URL, so it finds nothing and is not repeated."""
    person = country.person(A)
    answer = await country.ask(A, f"{CASES}?q={person.id_number}")
    assert code_of(answer) == (422, "FIELD_INVALID")
    assert person.id_number not in answer.text


async def test_a_claimed_case_says_by_whom(country: Country) -> None:
    """The list of cases shows the live claim."""
    case_id = await waiting(country, country.person(A))
    await claim(country, case_id, OFFICER)
    assert (await ok(country, B, CASES))["items"][0]["claimed_by"] == OFFICER


async def test_messages_of_a_case_match_on_both_sides(country: Country) -> None:
    """What one side sent, the other has received, under the same number and type; all are receipted."""
    case_id = await country.move(country.person(A), B)
    await country.calm()
    at_a = (await ok(country, A, f"/v1/ops/cases/{case_id}/messages"))["items"]
    at_b = (await ok(country, B, f"/v1/ops/cases/{case_id}/messages"))["items"]
    for here, there in ((at_a, at_b), (at_b, at_a)):
        sent = {(hop["message_id"], hop["type"]) for hop in here if hop["direction"] == "sent"}
        assert sent == {(hop["message_id"], hop["type"]) for hop in there if hop["direction"] == "received"}
        assert all(hop["receipted_at"] and hop["tries"] == 1 for hop in here if hop["direction"] == "sent")
    names = {"precheck", "facts", "permit", "offer", "acceptance", "certificate", "settled"}
    assert {hop["type"] for hop in at_a} == {f"migration.{name}" for name in names}


async def test_messages_show_no_body(country: Country) -> None:
    """A hop is who, what and when; nothing sealed, signed or personal."""
    person = country.person(A)
    case_id = await country.move(person, B)
    text = (await country.ask(A, f"/v1/ops/cases/{case_id}/messages")).text
    for secret in (person.key, person.name, person.id_number, "sealed", "body"):
        assert secret not in text


async def test_the_quarantine_shows_no_bytes(country: Country) -> None:
    """Reason, sender, number and time of what was refused; the bytes stay where they are."""
    await country.wire.inner.send(Province(A), Family.MIGRATION, b"nonsense", {})
    await country.calm()
    (entry,) = (await ok(country, A, "/v1/ops/quarantine"))["items"]
    assert entry.keys() == {"id", "reason", "sender", "message_id", "at"}
    assert (entry["reason"], entry["id"][:3]) == ("BAD_FRAME", f"{A}-")
    assert (await ok(country, A, OVERVIEW))["quarantine"] == 1


async def test_a_paused_province_takes_no_commands(country: Country) -> None:
    """Applications are refused with the time to come again, and nothing is stored."""
    await ok(country, B, "/v1/ops/pause", WHY)
    before = counts(country)
    answer = await country.ask(B, "/v1/cases", country.application(country.person(A), B))
    assert code_of(answer) == (503, "PROVINCE_PAUSED")
    assert int(answer.headers["retry-after"]) > 0
    assert counts(country) == before


async def test_a_paused_province_still_answers_others(country: Country) -> None:
    """Messages go on: a move that needs the paused origin comes to its end. Questions are answered too."""
    await ok(country, A, "/v1/ops/pause", WHY)
    person = country.person(A)
    await country.move(person, B)
    assert (await country.lookup(person, A)).json()["province"] == B
    view = await ok(country, A, OVERVIEW)
    assert (view["state"], view["reason"]) == ("PAUSED", "maintenance")


async def test_a_pause_outlives_a_restart_and_ends_by_hand(country: Country) -> None:
    """Only an operator ends it; the paths of the gateway do the same."""
    paused = await ok(country, B, f"/v1/ops/provinces/{B}/pause", WHY)
    assert (paused["paused"], paused["actor"]) == (True, "operator-1")
    await country.crash(B)
    await country.start(B)
    assert (await ok(country, B, OVERVIEW))["state"] == "PAUSED"
    assert (await ok(country, B, f"/v1/ops/provinces/{B}/resume", {}))["paused"] is False
    await country.apply(country.person(A), B)


async def test_one_province_does_not_pause_another(country: Country) -> None:
    """A registry is paused under its own code only."""
    answer = await country.ask(A, f"/v1/ops/provinces/{B}/pause", WHY)
    assert answer.json()["code"] == "WRONG_PROVINCE"


async def test_an_expensive_count_rests() -> None:
    """A count that took long is not repeated at once; one that fails leaves the last figure."""
    asked: list[int] = []

    async def count() -> int:
        asked.append(1)
        if len(asked) > 1:
            raise StoreDownError("too slow")
        return 7

    remembered = Remembered(count, 0)
    assert (await remembered(), await remembered(), len(asked)) == (7, 7, 2)
    remembered._fresh_until_s = float("inf")
    assert (await remembered(), len(asked), CHEAP_S > 0) == (7, 2, True)
