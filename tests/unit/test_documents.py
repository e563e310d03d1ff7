"""Documents as they are made, written down, read and shown in part."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from tests.unit.papers import (
    AT,
    FIELDS,
    GUANGDONG,
    ISSUER,
    ORG_CODE,
    TYPE_CODE,
    ZHEJIANG,
    certificate,
    header,
    salts,
    signer_of,
)
from tongban_shared.clock import BEIJING
from tongban_shared.documents.document import (
    DOCUMENT_SIZE_BYTES_MAX,
    FIELDS_MAX,
    DocumentError,
    Header,
    Issuer,
    decode,
    encode,
    make,
    present,
)
from tongban_shared.documents.licence import ROOT, LicenceError, LicenceId, licence_id, make_licence_id
from tongban_shared.documents.verify import Result, verify
from tongban_shared.ids import ALPHABET, CaseId, OrgCode, mod37_36_check
from tongban_shared.keys import generate_keys, load_directory, load_signer, rotate_keys

PUBLISHED = (
    "1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U",
    "1.2.156.3005.2.11100000000013338W009.11330105002500287C.2025052201.002.0",
)


@pytest.mark.parametrize("published", PUBLISHED)
def test_a_published_identifier_is_taken_and_made_again(published: str) -> None:
    """Identifiers that real authorities published pass, and come out of their parts (domain.md §4.5)."""
    assert licence_id(published) == published
    type_code, issuer, serial, version, _ = published.split(".")[5:]
    assert make_licence_id(type_code, issuer, serial, int(version)) == published


@pytest.mark.parametrize("published", PUBLISHED)
def test_one_wrong_character_of_an_identifier_is_found(published: str) -> None:
    """Each character replaced by each other one of the alphabet, and each left out, is refused."""
    for at in range(len(published)):
        for other in ("", *ALPHABET):
            wrong = published[:at] + other + published[at + 1 :]
            if wrong != published:
                with pytest.raises(LicenceError):
                    licence_id(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        PUBLISHED[0].lower(),
        PUBLISHED[0] + "\n",
        " " + PUBLISHED[0],
        PUBLISHED[0].replace("20230000403", "２0230000403"),
        PUBLISHED[0].removeprefix("1.2.156.3005.2."),
    ],
)
def test_an_identifier_is_never_repaired(wrong: str) -> None:
    """Another spelling is another thing, and the refusal does not repeat it."""
    with pytest.raises(LicenceError) as caught:
        licence_id(wrong)
    assert not wrong or wrong not in str(caught.value)


@pytest.mark.parametrize(
    ("serial", "version"), [("", 1), ("1" * 33, 1), ("a", 1), ("1.1", 1), ("1", 0), ("1", 1000)]
)
def test_an_identifier_needs_a_serial_and_a_version(serial: str, version: int) -> None:
    """No identifier is made of a serial or a version that could not be read again."""
    with pytest.raises(LicenceError):
        make_licence_id(TYPE_CODE, ISSUER, serial, version)


def test_there_is_no_version_before_the_first() -> None:
    """Version 000 is refused even with the right check character."""
    check = mod37_36_check(f"{TYPE_CODE}{ISSUER}1000")
    with pytest.raises(LicenceError):
        licence_id(f"{ROOT}.{TYPE_CODE}.{ISSUER}.1.000.{check}")


def test_a_document_is_read_as_it_was_made() -> None:
    """Bytes and document are two forms of one thing, with every field and date."""
    document = certificate()
    assert decode(encode(document)) == document
    assert {field.name: field.value for field in document.fields} == FIELDS
    assert document.header == header()


def test_any_language_can_write_the_same_bytes() -> None:
    """The canonical form is compact JSON with sorted members: the standard library writes it too."""
    raw = encode(certificate())
    again = json.dumps(json.loads(raw), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert again.encode() == raw


def test_the_same_input_makes_the_same_document() -> None:
    """No clock and no chance of its own: a certificate can be made again, byte for byte."""
    assert encode(certificate(7)) == encode(certificate(7))


def test_a_presentation_says_nothing_of_what_is_left_out() -> None:
    """Name, value and salt of an undisclosed field are not in the bytes; its digest is, among the others."""
    document = certificate()
    shown = present(document, ["relation", "holder.name"])
    raw = encode(shown)
    assert [field.name for field in shown.fields] == ["holder.name", "relation"]
    assert shown.digests == document.digests
    for field in document.fields:
        salt = base64.b64encode(field.salt).decode()
        parts = [json.dumps(part, ensure_ascii=False).encode() for part in (field.name, salt, field.value)]
        inside = [part in raw for part in parts if part != b'""']
        assert set(inside) == {field in shown.fields}


def test_equal_values_have_unequal_digests() -> None:
    """Two certificates that say the same share no digest, so that nobody can link or guess by them."""
    assert not set(certificate(1).digests) & set(certificate(2).digests)


def test_what_is_left_out_does_not_come_back() -> None:
    """A presentation can be cut down further; a field that it lacks can't be asked of it."""
    shown = present(certificate(), ["relation", "purpose"])
    assert [field.name for field in present(shown, {"relation"}).fields] == ["relation"]
    assert present(shown, []).fields == ()
    for names in (["holder.name"], ["no_such_field"], "relation"):
        with pytest.raises(DocumentError):
            present(shown, names)


UTC_PLUS_8 = AT.astimezone(BEIJING)


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "Certificate"},
        {"kind": "certificate\n"},
        {"number": ""},
        {"issuer": Issuer(ZHEJIANG, OrgCode("330100000000"), "33-1")},
        {"issuer": Issuer(GUANGDONG, OrgCode("330100000000"), "44-1")},
        {"issuer": Issuer(GUANGDONG, OrgCode("4401"), "44-1")},
        {"case_id": CaseId("440220260302000000010")},
        {"issued_at": UTC_PLUS_8},
        {"issued_at": AT.replace(tzinfo=None)},
        {"issued_at": AT.replace(microsecond=1)},
        {"as_of": datetime.min.replace(tzinfo=AT.tzinfo)},
        {"valid_until": AT},
        {"v": 2},
    ],
)
def test_a_header_that_could_not_be_read_is_not_signed(wrong: dict[str, object]) -> None:
    """What a verifier would refuse is refused when it is made."""
    with pytest.raises(DocumentError):
        make(replace(header(), **wrong), FIELDS, salts(), signer_of(GUANGDONG))


def test_a_wrong_licence_identifier_is_not_signed() -> None:
    """The identifier on the document is checked before it is vouched for."""
    wrong: Header = replace(header(), licence_id=LicenceId(PUBLISHED[0][:-1] + "V"))
    with pytest.raises(LicenceError):
        make(wrong, FIELDS, salts(), signer_of(GUANGDONG))


@pytest.mark.parametrize(
    ("fields", "given"),
    [
        ({"name": "甲"}, []),
        ({"name": "甲"}, salts(count=2)),
        ({"a": "甲", "b": "乙"}, [bytes(16), bytes(16)]),
        ({"name": "甲"}, [bytes(15)]),
        ({"Name": "甲"}, salts(count=1)),
        ({"name": "e\u0301"}, salts(count=1)),
        ({"name": "\ud842"}, salts(count=1)),
        ({"name": "甲" * (DOCUMENT_SIZE_BYTES_MAX // 3)}, salts(count=1)),
        ({f"f{n}": "" for n in range(FIELDS_MAX + 1)}, salts(count=FIELDS_MAX + 1)),
    ],
)
def test_fields_and_salts_fit_together(fields: dict[str, str], given: list[bytes]) -> None:
    """Each field has a salt of its own; names and values have one spelling; the whole is not too large."""
    with pytest.raises(DocumentError):
        make(header(), fields, given, signer_of(GUANGDONG))


def test_a_document_may_be_for_ever_and_may_say_nothing() -> None:
    """No end, no `as of` and no field: a receipt that a case was accepted."""
    bare: Header = replace(header(), kind="receipt", valid_until=None, as_of=None)
    document = make(bare, {}, [], signer_of(GUANGDONG))
    assert decode(encode(document)) == document


def test_a_rotation_between_header_and_signature_harms_no_document(tmp_path: Path) -> None:
    """The document names the key that signed it, even if another key followed the issuer's meanwhile."""
    generate_keys(tmp_path, [GUANGDONG])
    signer = load_signer(tmp_path, GUANGDONG)
    rotate_keys(tmp_path, GUANGDONG)
    assert signer.key_id == "44-1"
    document = certificate(signer=signer)
    assert document.header.issuer == Issuer(GUANGDONG, ORG_CODE, "44-2")
    answer = verify(encode(document), load_directory(tmp_path), AT + timedelta(days=1))
    assert answer.result is Result.VALID


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_.]{0,8}", fullmatch=True), st.text(max_size=20)))
def test_any_text_survives(fields: dict[str, str]) -> None:
    """Whatever can be written in a register comes back as it was, or is refused when it is made."""
    given_salts = salts(count=len(fields))
    try:
        document = make(header(), fields, given_salts, signer_of(GUANGDONG))
    except DocumentError:
        return
    assert {field.name: field.value for field in decode(encode(document)).fields} == fields
