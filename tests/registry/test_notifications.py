"""Applicants are told of their cases, once for each change, by real servers; no case minds what fails."""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.registry.country import A, B, code_of, ok
from tests.registry.receivers import Receiver, receiver
from tests.stories.folk import Resident
from tests.stories.world import Country
from tongban_registry import post as post_module
from tongban_registry.channels import Post
from tongban_registry.post import PostSettings, open_post
from tongban_registry.postman import BACKOFF_MAX_S, LEASE, TRIES_MAX, Postman
from tongban_registry.storage.notifications import Notifications
from tongban_shared.errors import SettingsError
from tongban_shared.ids import CaseId

SECRET = b"0123456789abcdef0123456789abcdef"
PHONE, MAIL = "13800138000", "somebody@mail.example"
NIGHT_HOURS = 14  # from nine in the morning, when the stories begin
LAST_TRY = timedelta(seconds=BACKOFF_MAX_S + 60)


async def apply(country: Country, person: Resident, contact: object, **details: Any) -> CaseId:  # noqa: ANN401
    """Apply at B with a contact; the case's number, when all is done that can be."""
    body = country.application(person, B, **details) | {"contact": contact}
    answer = await country.ask(B, "/v1/cases", body)
    assert answer.status_code == 202, answer.text
    await country.calm()
    return CaseId(answer.json()["case_id"])


def postman(country: Country, post: Post) -> Postman:
    """A sender at B, in the hands of the test."""
    registry = country.sites[B].live
    return Postman(registry.office, registry.store, post, registry.hall.meters)


async def rounds(country: Country, post: Post, count: int = 4) -> None:
    """So many looks at what is due now."""
    sender = postman(country, post)
    for _ in range(count):
        await sender.round()


@asynccontextmanager
async def telling(folder: Path, **settings: object) -> AsyncIterator[Post]:
    """Channels, made of settings as the program makes them."""
    named: dict[str, Any] = {"quiet_from": "00:00", "quiet_until": "00:00", **settings}
    for name in ("sms_token", "webhooks"):
        if name in named:
            file = folder / name
            file.write_text(str(named[name]), encoding="utf-8")
            named[name] = file
    post = open_post(PostSettings(**named))
    try:
        yield post
    finally:
        await post.close()


def webhooks(there: Receiver) -> str:
    """The file of those that may be called."""
    return f'"127.0.0.1:{there.port}" = "whsec_{base64.b64encode(SECRET).decode()}"\n'


def rows(country: Country, query: str) -> list[Any]:
    """Straight from B's database."""
    return list(country.registers.rows(B, query))


@contextmanager
def metrics(country: Country) -> Iterator[Callable[[str, str, str], float]]:
    """A counter of B, by name, channel and reason."""
    registry = country.sites[B].live.hall.meters.registry

    def value(name: str, channel: str, reason: str) -> float:
        labels = {"channel": channel, "reason": reason}
        return registry.get_sample_value(f"tongban_{name}_total", labels) or 0

    yield value


async def test_a_move_is_told_once_for_each_change(country: Country, tmp_path: Path) -> None:
    """Three messages for a clean case, from the destination alone, however often the sender starts anew."""
    async with receiver() as sms, telling(tmp_path, sms_url=sms.url("/send"), sms_token="t0ken") as post:
        person = country.person(A)
        case_id = await apply(country, person, {"channel": "sms", "address": PHONE})
        assert country.state(B, case_id) == "COMPLETED"
        await rounds(country, post)
        await country.crash(B)
        await country.start(B)
        await country.calm()
        country.clock.advance(1)
        await rounds(country, post)
        assert [sent.json["to"] for sent in sms.requests] == [f"+86{PHONE}"] * 3
        told = [sent.json["text"] for sent in sms.requests]
        assert ["已受理" in told[0], "已批准" in told[1], "居民户口簿" in told[2]] == [True] * 3
        assert all(case_id in text for text in told)
        assert len({sent.headers["idempotency-key"] for sent in sms.requests}) == 3
        assert sms.requests[0].headers["authorization"] == "Bearer t0ken"
        query = "SELECT count(*) FROM notification"
        assert (rows(country, query), country.registers.rows(A, query)) == ([(3,)], [(0,)])


async def test_a_registry_that_has_channels_sends_by_itself(
    country: Country, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside its other work, within a second of the commit, and again after a fault of its own."""
    async with receiver() as sms, telling(tmp_path, sms_url=sms.url("/"), sms_token="t") as post:
        real = Notifications.due
        faults = iter([TypeError("a fault of ours")])

        async def faulty(self: Notifications, *given: Any) -> Any:  # noqa: ANN401
            for fault in faults:
                raise fault
            return await real(self, *given)

        monkeypatch.setattr(Notifications, "due", faulty)
        await country.stop(B)
        country.around = lambda around: replace(around, post=post)
        await country.start(B)
        contact = {"channel": "sms", "address": PHONE}
        body = country.application(country.person(A), B, grade="B") | {"contact": contact}
        assert (await country.ask(B, "/v1/cases", body)).status_code == 202
        while not sms.came.is_set():
            country.clock.advance(1 / 60)
            with suppress(TimeoutError):
                await asyncio.wait_for(sms.came.wait(), 0.05)
        assert await country.sites[B].live.failed() is None


async def test_who_left_no_contact_is_told_nothing(country: Country) -> None:
    """And nothing is kept for them."""
    case_id = await apply(country, country.person(A), None)
    assert country.state(B, case_id) == "COMPLETED"
    assert rows(country, "SELECT * FROM notification") == []
    assert rows(country, "SELECT * FROM contact") == []


async def test_a_webhook_verifies(country: Country, tmp_path: Path) -> None:
    """Signed over id, time and body; the facts are codes, the words are masked, in the language asked for."""
    async with receiver() as there, telling(tmp_path, webhooks=webhooks(there)) as post:
        contact = {"channel": "webhook", "address": there.url("/hook"), "language": "en"}
        person = country.person(A)
        case_id = await apply(country, person, contact, grade="B")
        await rounds(country, post)
        (sent,) = there.requests
        head = f"{sent.headers['webhook-id']}.{sent.headers['webhook-timestamp']}.".encode()
        mac = base64.b64encode(hmac.new(SECRET, head + sent.body, sha256).digest()).decode()
        assert sent.headers["webhook-signature"] == f"v1,{mac}"
        assert int(sent.headers["webhook-timestamp"]) == int(country.clock.now().timestamp())
        data = sent.json["data"]
        assert (sent.json["type"], sent.path) == ("case.state_changed", "/hook")
        assert (data["case_id"], data["state"], data["refusal"]) == (case_id, "ACCEPTED", None)
        assert sent.headers["webhook-id"] == f"{case_id}-{data['version']}"
        assert re.search(
            r"is accepted as case \w+ and promised by 20\d\d-\d\d-\d\d", data["notification"]["text"]
        )
        assert person.name not in sent.body.decode()
        assert person.id_number not in sent.body.decode()


async def test_nobody_is_called_who_is_not_listed(country: Country, tmp_path: Path) -> None:
    """An address alone makes no registry call a program inside: it is given up at once."""
    async with (
        receiver() as there,
        telling(tmp_path, webhooks='"other.example" = "whsec_' + "QUFB" * 8 + '"') as post,
    ):
        await apply(country, country.person(A), {"channel": "webhook", "address": there.url("/")}, grade="B")
        await rounds(country, post)
        assert there.requests == []
        with metrics(country) as value:
            assert value("notifications_given_up", "webhook", "host_unknown") == 1


async def test_a_mail_is_masked_and_names_the_deadline(country: Country, tmp_path: Path) -> None:
    """What is missing is listed once with its limit; name and number stand there masked, the address not."""
    async with receiver(mail=True) as server:
        settings = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_starttls": False}
        async with telling(tmp_path, smtp_from="hukou@province.example", **settings) as post:
            person = country.person(A)
            item = country.sites[B].live.office.catalogue.item("0101")
            late = [material.kind for material in item.materials if not material.main]
            contact = {"channel": "email", "address": MAIL}
            case_id = await apply(country, person, contact, without=late)
            await rounds(country, post)
        (mail,) = server.mails
        text = mail.get_content()
        assert (mail["to"], mail["subject"]) == (MAIL, "请补正材料")
        assert mail["message-id"].startswith(f"<{case_id}-")
        assert re.search(r"请于20\d\d年\d+月\d+日前补交：\S+", text)
        number = person.id_number
        assert f"{number[:4]}**********{number[-4:]}" in text
        assert f"{person.name[0]}*" in text
        assert number not in text
        assert person.name not in text


async def test_a_channel_that_fails_is_tried_later_and_fails_no_case(
    country: Country, tmp_path: Path
) -> None:
    """The case ends as if nothing was; the same letter is tried again and again, and arrives in the end."""
    async with receiver() as sms, telling(tmp_path, sms_url=sms.url("/"), sms_token="t") as post:
        sms.answer(503)
        case_id = await apply(country, country.person(A), {"channel": "sms", "address": PHONE})
        assert country.state(B, case_id) == "COMPLETED"
        await rounds(country, post)
        assert len(sms.requests) == 1  # what comes after it waits for it
        for count in (2, 3, 4):
            country.clock.advance(LAST_TRY.total_seconds() / 3600)
            await rounds(country, post)
            assert len(sms.requests) == count
        assert len({sent.headers["idempotency-key"] for sent in sms.requests}) == 1
        assert [tries for (tries,) in rows(country, "SELECT max(tries) FROM notification")] == [4]
        sms.answer(200)
        country.clock.advance(LAST_TRY.total_seconds() / 3600)
        await rounds(country, post)
        assert rows(country, "SELECT count(sent_at) FROM notification") == [(3,)]
        with metrics(country) as value:
            assert value("notification_failures", "sms", "refused_for_now") == 4
            assert value("notifications_given_up", "sms", "refused_for_now") == 0


async def test_it_is_given_up_in_the_end(country: Country, tmp_path: Path) -> None:
    """A channel that never comes back costs a bounded number of tries, and operators see how many."""
    async with telling(tmp_path, sms_url="http://127.0.0.1:1/", sms_token="t") as post:
        await apply(country, country.person(A), {"channel": "sms", "address": PHONE}, grade="B")
        for _ in range(TRIES_MAX + 3):
            await rounds(country, post, 1)
            country.clock.advance(LAST_TRY.total_seconds() / 3600)
        assert rows(country, "SELECT tries, failed FROM notification") == [(TRIES_MAX, "unreachable")]
        shown = (await ok(country, B, "/v1/ops/overview"))["notifications"]
        assert shown == {"waiting": 0, "oldest_age_s": None, "failed": 1}
        with metrics(country) as value:
            assert value("notifications_given_up", "sms", "unreachable") == 1


async def test_what_is_refused_for_good_is_not_tried_again(country: Country, tmp_path: Path) -> None:
    """A number that does not exist: one try, counted; the next change is told all the same."""
    async with receiver() as sms, telling(tmp_path, sms_url=sms.url("/"), sms_token="t") as post:
        sms.answer(422, 200)
        await apply(country, country.person(A), {"channel": "sms", "address": PHONE})
        await rounds(country, post)
        assert len(sms.requests) == 3
        assert rows(country, "SELECT failed FROM notification ORDER BY version") == [
            ("refused",),
            (None,),
            (None,),
        ]
        assert rows(country, "SELECT * FROM contact") == []


async def test_a_recipient_whom_the_mail_server_refuses(country: Country, tmp_path: Path) -> None:
    """450 is tried again, 550 is not."""
    async with receiver(mail=True) as server:
        settings = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_starttls": False}
        async with telling(tmp_path, smtp_from="hukou@province.example", **settings) as post:
            server.answer(450, 550)
            await apply(country, country.person(A), {"channel": "email", "address": MAIL}, grade="B")
            await rounds(country, post)
            assert rows(country, "SELECT tries, failed FROM notification") == [(1, None)]
            country.clock.advance(LAST_TRY.total_seconds() / 3600)
            await rounds(country, post)
        assert rows(country, "SELECT tries, failed FROM notification") == [(2, "refused")]
        assert server.mails == []


async def test_a_mail_server_without_starttls_gets_nothing(country: Country, tmp_path: Path) -> None:
    """Unless it is allowed, no mail leaves in the clear; it waits for an operator."""
    async with receiver(mail=True) as server:
        settings = {"smtp_host": "127.0.0.1", "smtp_port": server.port}
        async with telling(tmp_path, smtp_from="hukou@province.example", **settings) as post:
            await apply(country, country.person(A), {"channel": "email", "address": MAIL}, grade="B")
            await rounds(country, post)
        assert server.mails == []
        assert rows(country, "SELECT tries, failed FROM notification") == [(1, None)]


async def test_at_night_people_are_left_alone(country: Country, tmp_path: Path) -> None:
    """An SMS waits for eight in the morning; a program is told at any hour."""
    async with receiver() as there:
        settings = {"sms_url": there.url("/sms"), "sms_token": "t", "webhooks": webhooks(there)}
        async with telling(tmp_path, quiet_from="22:00", quiet_until="08:00", **settings) as post:
            country.clock.advance(NIGHT_HOURS)
            await apply(country, country.person(A), {"channel": "sms", "address": PHONE}, grade="B")
            hook = {"channel": "webhook", "address": there.url("/hook")}
            await apply(country, country.person(A), hook, grade="B")
            await rounds(country, post)
            assert [sent.path for sent in there.requests] == ["/hook"]
            assert (await ok(country, B, "/v1/ops/overview"))["notifications"]["waiting"] == 1
            country.clock.advance(9)
            await rounds(country, post)
            assert [sent.path for sent in there.requests] == ["/hook", "/sms"]


async def test_who_dies_over_a_letter_leaves_it_to_the_next(country: Country, tmp_path: Path) -> None:
    """A claim that was never settled comes again when its lease is over, under the same id."""
    async with receiver() as sms, telling(tmp_path, sms_url=sms.url("/"), sms_token="t") as post:
        await apply(country, country.person(A), {"channel": "sms", "address": PHONE}, grade="B")
        now = country.clock.now()
        claimed = await Notifications(country.sites[B].live.store.engine).claim(
            "sms", now, now + LEASE, limit=9
        )
        assert len(claimed) == 1
        await rounds(country, post)
        assert sms.requests == []
        country.clock.advance(LEASE.total_seconds() / 3600)
        await rounds(country, post)
        assert [sent.headers["idempotency-key"] for sent in sms.requests] == [claimed[0].id]


async def test_what_no_channel_is_set_up_for_goes_to_the_log(country: Country) -> None:
    """Case number and state, and nothing that tells who it is."""
    person = country.person(A)
    case_id = await apply(country, person, {"channel": "email", "address": MAIL}, grade="B")
    with structlog.testing.capture_logs() as lines:
        await rounds(country, Post())
    (line,) = [entry for entry in lines if entry["event"] == "notification"]
    assert (line["case_id"], line["state"]) == (case_id, "ACCEPTED")
    for personal in (person.name, person.id_number, MAIL, person.key):
        assert personal not in str(lines)


async def test_nothing_personal_is_logged_or_stored_in_the_clear(country: Country, tmp_path: Path) -> None:
    """Neither where it is sent nor who is told, whatever goes wrong on the way."""
    person = country.person(A)
    async with receiver() as there, telling(tmp_path, webhooks=webhooks(there)) as post:
        with structlog.testing.capture_logs() as lines:
            there.answer(410)
            url = there.url("/secret-path")
            await apply(country, person, {"channel": "webhook", "address": url}, grade="B")
            kept = rows(country, "SELECT * FROM contact") + rows(country, "SELECT * FROM notification")
            await rounds(country, post)
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["notification given up"]
    for personal in (person.name, person.id_number, "secret-path", person.key):
        assert personal not in str(lines) + str(kept)


async def test_a_contact_that_is_wrong_stores_nothing(country: Country) -> None:
    """The problem names the field, not the value."""
    person = country.person(A)
    for contact in ({"channel": "sms", "address": "1380013"}, {"channel": "email"}):
        body = country.application(person, B) | {"contact": contact}
        answer = await country.ask(B, "/v1/cases", body)
        assert code_of(answer) == (422, "FIELD_INVALID")
        assert answer.json()["errors"][0]["location"] == "body.contact.address"
        assert "1380013" not in answer.text
    assert rows(country, "SELECT * FROM contact") == []
    assert rows(country, "SELECT count(*) FROM cases") == [(0,)]


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"smtp_host": "mail.example"}, "TONGBAN_SMTP_FROM"),
        ({"sms_url": "https://sms.example/"}, "TONGBAN_SMS_TOKEN"),
        ({"webhooks": Path("/nowhere/hooks.toml")}, "hooks.toml"),
    ],
)
def test_half_a_channel_is_no_channel(settings: dict[str, Any], named: str) -> None:
    """The program does not start, and says which setting it wants."""
    with pytest.raises(SettingsError, match=named):
        open_post(PostSettings(**settings))


def test_a_secret_that_is_too_short_names_its_host_alone(tmp_path: Path) -> None:
    """Never the secret."""
    file = tmp_path / "hooks.toml"
    file.write_text('"agency.example" = "whsec_c2hvcnQ="', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"agency\.example") as error:
        open_post(PostSettings(webhooks=file))
    assert "c2hvcnQ" not in str(error.value)


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of every setting."""
    monkeypatch.setenv("TONGBAN_SMTP_PORT", "many")
    with pytest.raises(SettingsError, match="TONGBAN_SMTP_PORT"):
        post_module.load_post_settings()
