"""How an applicant wants to be told: what is taken, what is refused, and that it shows nowhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.stories.clock import StoryClock
from tongban_registry.contact import ContactIn, open_contact, sealed_contact
from tongban_registry.door import PersonIn
from tongban_registry.office import Office
from tongban_shared.catalogue import load_catalogue
from tongban_shared.ids import Province, mod11_2_check
from tongban_shared.keys import generate_keys, load_directory, load_secrets, load_signer
from tongban_shared.provinces import load_provinces
from tongban_shared.web.problems import FieldRefusedError
from tongban_shared.wire import Opener

HERE = "33"
PLAIN = "33010219900101002"
SOMEBODY = PersonIn(id_number=PLAIN + mod11_2_check(PLAIN), name="张三丰")
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """A province with keys of its own."""
    generate_keys(tmp_path, [HERE])
    directory = load_directory(tmp_path)
    profile = load_provinces()[Province(HERE)]
    return Office(
        profile=profile,
        signer=load_signer(tmp_path, HERE),
        opener=Opener(HERE, directory),
        secrets=load_secrets(tmp_path),
        catalogue=load_catalogue(),
        clock=StoryClock(),
        org=profile.county_bureau,
    )


def address_of(channel: str, address: str | None, office: Office) -> str:
    """What is kept of an address."""
    given = ContactIn.model_validate({"channel": channel, "address": address})
    kept = sealed_contact(given, SOMEBODY, office)
    assert kept is not None
    return open_contact(kept[2], office).address


@pytest.mark.parametrize(
    ("channel", "given", "kept"),
    [
        ("sms", "13800138000", "+8613800138000"),
        ("sms", "+86 138-0013-8000", "+8613800138000"),
        ("sms", "+85291234567", "+85291234567"),
        ("email", "zhang.san@mail.example", "zhang.san@mail.example"),
        ("webhook", "https://agency.example/hook?x=1", "https://agency.example/hook?x=1"),
        ("webhook", "http://127.0.0.1:9000/hook", "http://127.0.0.1:9000/hook"),
        ("webhook", "http://[::1]:9000/hook", "http://[::1]:9000/hook"),
    ],
)
def test_an_address_is_kept_in_one_form(office: Office, channel: str, given: str, kept: str) -> None:
    """Numbers become international ones; the rest stays as it is."""
    assert address_of(channel, given, office) == kept


@pytest.mark.parametrize(
    ("channel", "given"),
    [
        ("sms", "12345"),
        ("sms", "+8612345678901"),
        ("sms", "１３８００１３８０００"),
        ("sms", None),
        ("email", "nobody"),
        ("email", "a@b"),
        ("email", "a@mail.example\r\nBcc: b@mail.example"),
        ("email", "a@mail.example, b@mail.example"),
        ("email", f"{'a' * 250}@mail.example"),
        ("webhook", "http://agency.example/hook"),
        ("webhook", "https://user:word@agency.example/hook"),
        ("webhook", "https://agency.example/hook#part"),
        ("webhook", "https:///hook"),
        ("webhook", "https://agency.example:99999/"),
        ("webhook", "file:///etc/passwd"),
        ("webhook", "https://agency.example/a b"),
        ("none", "13800138000"),
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(
    office: Office, channel: str, given: str | None
) -> None:
    """The problem names the field and the rule, never what was sent."""
    with pytest.raises(FieldRefusedError) as refused:
        address_of(channel, given, office)
    assert refused.value.errors[0]["location"] == "body.contact.address"
    assert given is None or given not in str(refused.value) + repr(refused.value)


def test_who_wants_no_word_gets_none(office: Office) -> None:
    """Without a contact, or with the channel `none`, nothing is kept."""
    assert sealed_contact(None, SOMEBODY, office) is None
    assert sealed_contact(ContactIn(channel="none"), SOMEBODY, office) is None


def test_what_is_kept_can_be_read_by_its_registry_alone(office: Office) -> None:
    """Sealed: no part of address, name or number stands in it; opened: the applicant is masked."""
    given = ContactIn(channel="sms", address="13800138000", language="en")
    kept = sealed_contact(given, SOMEBODY, office)
    assert kept is not None
    assert kept[:2] == ("sms", "en")
    assert "13800138000" not in kept[2] + repr(given)
    opened = open_contact(kept[2], office)
    assert (opened.person, opened.number) == ("张*", f"3301**********{SOMEBODY.id_number[-4:]}")
    assert "138" not in repr(opened)
