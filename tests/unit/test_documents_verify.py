"""Verification: what is genuine passes, anything else is told apart, and no bytes whatever make it raise."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st
from msgspec.structs import replace

from tests.unit.papers import (
    AT,
    FIELDS,
    GUANGDONG,
    ZHEJIANG,
    certificate,
    header,
    key_list,
    signed_anyhow,
    signer_of,
)
from tongban_shared.documents.document import (
    DOCUMENT_SIZE_BYTES_MAX,
    Document,
    Header,
    Issuer,
    encode,
    present,
)
from tongban_shared.documents.licence import LicenceId
from tongban_shared.documents.verify import Reason, Result, Status, Verification, verify
from tongban_shared.ids import OrgCode

KEYS = key_list(GUANGDONG, ZHEJIANG)
TODAY = AT + timedelta(days=10)
END = AT + timedelta(days=90)
BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"


def judged(document: Document, at: datetime = TODAY, status: Status | None = None) -> Verification:
    """The verdict on a document under the keys of both provinces."""
    return verify(encode(document), KEYS, at, status)


def refused(document: Document) -> Reason | None:
    """The reason why a document is invalid."""
    answer = judged(document)
    assert answer.result is Result.INVALID
    assert (answer.document, answer.fields) == (None, {})
    return answer.reason


def test_a_genuine_document_is_valid_and_read() -> None:
    """The verifier gets the result and what the document says."""
    document = certificate()
    assert judged(document) == Verification(Result.VALID, None, document)
    assert judged(document).fields == FIELDS


def test_a_presentation_verifies_like_the_whole() -> None:
    """With any one field, with none, and cut down twice: the signature still stands."""
    document = certificate()
    for name, value in FIELDS.items():
        shown = present(present(document, {name, "purpose"}), [name])
        assert judged(shown).result is Result.VALID
        assert judged(shown).fields == {name: value}
    assert judged(present(document, [])).fields == {}


@pytest.mark.parametrize(
    ("at", "result"),
    [
        (AT - timedelta(seconds=1), Result.NOT_YET_VALID),
        (AT, Result.VALID),
        (END - timedelta(seconds=1), Result.VALID),
        (END, Result.EXPIRED),
    ],
)
def test_validity_begins_and_ends_at_its_moments(at: datetime, result: Result) -> None:
    """The first moment is in, the last one out."""
    assert judged(certificate(), at).result is result


def test_what_has_no_end_does_not_expire() -> None:
    """A document without an end is valid in a hundred years."""
    endless: Header = replace(header(), valid_until=None)
    document = signed_anyhow(replace(certificate(), header=endless), signer_of(GUANGDONG))
    assert judged(document, AT.replace(year=2126)).result is Result.VALID


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (Status.CURRENT, Result.VALID),
        (Status.SUPERSEDED, Result.SUPERSEDED),
        (Status.REVOKED, Result.REVOKED),
    ],
)
def test_the_issuer_has_the_last_word(status: Status, result: Result) -> None:
    """What the issuer says today outweighs the paper, also after its time; `current` adds no time."""
    answer = judged(certificate(), status=status)
    assert (answer.result, answer.status) == (result, status)
    late = Result.EXPIRED if status is Status.CURRENT else result
    assert judged(certificate(), END, status).result is late


def test_a_good_status_saves_no_forgery() -> None:
    """A status speaks of a number; that the paper is the issuer's is asked first."""
    forged = replace(certificate(), header=replace(header(), number="forged"))
    assert judged(forged, status=Status.CURRENT).reason is Reason.SIGNATURE_INVALID
    assert judged(forged, status=Status.REVOKED).result is Result.INVALID


def test_another_province_s_key_makes_no_document_of_this_one() -> None:
    """Signed by Zhejiang in the name of Guangdong: a forgery, under either key's number."""
    forged = signed_anyhow(certificate(), signer_of(ZHEJIANG))
    assert refused(forged) is Reason.SIGNATURE_INVALID
    renumbered = replace(header(), issuer=replace(header().issuer, key_id="33-1"))
    assert refused(signed_anyhow(replace(forged, header=renumbered), signer_of(ZHEJIANG))) is (
        Reason.UNKNOWN_ISSUER
    )


def test_a_province_speaks_for_its_own_organisations_only() -> None:
    """A true key of Zhejiang does not sign for an organisation of Guangdong."""
    foreign: Header = replace(header(), issuer=Issuer(ZHEJIANG, OrgCode("440100000000"), "33-1"))
    document = signed_anyhow(replace(certificate(), header=foreign), signer_of(ZHEJIANG))
    assert refused(document) is Reason.UNKNOWN_ISSUER


def test_an_issuer_without_a_listed_key_is_unknown() -> None:
    """A verifier whose list lacks the key says so, rather than calling the document a forgery."""
    answer = verify(encode(certificate()), key_list(ZHEJIANG), TODAY)
    assert (answer.result, answer.reason) == (Result.INVALID, Reason.UNKNOWN_ISSUER)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "permit"},
        {"number": "2"},
        {"licence_id": header(2).licence_id},
        {"case_id": header(2).case_id},
        {"issued_at": AT - timedelta(days=1)},
        {"valid_from": AT - timedelta(days=1)},
        {"valid_until": None},
        {"as_of": None},
        {"issuer": replace(header().issuer, org_code=OrgCode("440300000000"))},
    ],
)
def test_a_changed_header_breaks_the_signature(change: dict[str, object]) -> None:
    """Every member of the header is under the signature."""
    assert refused(replace(certificate(), header=replace(header(), **change))) is Reason.SIGNATURE_INVALID


@pytest.mark.parametrize("part", ["name", "value", "salt"])
def test_a_changed_field_is_told(part: str) -> None:
    """Name, value and salt of a field are bound; the verdict tells that a field is the fault."""
    document = certificate()
    other = {"name": "relation_b", "value": "母女", "salt": bytes(16)}
    changed = tuple(
        replace(field, **{part: other[part]}) if field.name == "relation" else field
        for field in document.fields
    )
    assert refused(replace(document, fields=changed)) is Reason.FIELD_ALTERED


def test_a_field_of_another_document_does_not_fit() -> None:
    """A genuine field moved from another genuine document of the same issuer is refused."""
    document, other = certificate(1), certificate(2)
    moved = (*document.fields[:-1], other.fields[-1])
    assert moved[-1].name == document.fields[-1].name
    assert refused(replace(document, fields=moved)) is Reason.FIELD_ALTERED
    assert refused(replace(document, digests=other.digests, fields=())) is Reason.SIGNATURE_INVALID


def test_a_wrong_licence_identifier_is_told() -> None:
    """Even an issuer's own signature does not make an identifier right."""
    licence = header().licence_id
    wrong = LicenceId(licence[:-1] + ("0" if licence[-1] != "0" else "1"))
    document = replace(certificate(), header=replace(header(), licence_id=wrong))
    assert refused(signed_anyhow(document, signer_of(GUANGDONG))) is Reason.LICENCE_INVALID


def _spare_bits(raw: bytes) -> bytes:
    """The signature's base64 with a bit set that stands for nothing."""
    last = BASE64.index(chr(raw[-5]))
    return raw[:-5] + BASE64[last + 1].encode() + raw[-4:]


def _turned(raw: bytes) -> bytes:
    """The same members in reverse order."""
    members = dict(reversed(json.loads(raw).items()))
    return json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()


OTHER_SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "white space": lambda raw: raw.replace(b'"fields":', b'"fields": '),
    "line feed at the end": lambda raw: raw + b"\n",
    "second document": lambda raw: raw + raw,
    "byte order mark": lambda raw: b"\xef\xbb\xbf" + raw,
    "unknown member": lambda raw: raw.replace(b'{"digests"', b'{"beside":1,"digests"'),
    "unknown member of the header": lambda raw: raw.replace(b'"kind"', b'"extra":"","kind"'),
    "repeated member": lambda raw: raw.replace(b'"kind"', b'"kind":"permit","kind"'),
    "missing member": lambda raw: raw.replace(b',"v":1', b""),
    "needless escape": lambda raw: raw.replace(b"certificate", b"\\u0063ertificate"),
    "other order": _turned,
    "offset instead of Z": lambda raw: raw.replace(b'Z"', b'+00:00"'),
    "fraction of a second": lambda raw: raw.replace(b'Z"', b'.0Z"'),
    "number as a float": lambda raw: raw.replace(b'"v":1', b'"v":1.0'),
    "other version": lambda raw: raw.replace(b'"v":1', b'"v":2'),
    "spare bits of base64": _spare_bits,
    "base64 without padding": lambda raw: raw.replace(b"==", b""),
    "UTF-16": lambda raw: raw.decode().encode("utf-16"),
    "base64 of it all": base64.b64encode,
}


@pytest.mark.parametrize("spelling", OTHER_SPELLINGS)
def test_a_document_has_one_spelling(spelling: str) -> None:
    """What another reader might take for the same document is refused as malformed."""
    raw = encode(certificate())
    other = OTHER_SPELLINGS[spelling](raw)
    assert other != raw
    assert verify(other, KEYS, TODAY).reason is Reason.MALFORMED


def test_a_field_stands_once_and_in_its_place() -> None:
    """A repeated field, and fields or digests in another order, are malformed."""
    document = certificate()
    turned = document.fields[::-1]
    assert refused(replace(document, fields=turned)) is Reason.MALFORMED
    assert refused(replace(document, fields=document.fields[:1] * 2)) is Reason.MALFORMED
    assert refused(replace(document, digests=document.digests[::-1])) is Reason.MALFORMED


def mutated(raw: bytes, source: random.Random) -> bytes:
    """One byte replaced, inserted or deleted."""
    at, byte = source.randrange(len(raw)), bytes([source.randrange(256)])
    kept = source.choice((raw[at:], raw[at + 1 :]))
    return raw[:at] + source.choice((byte, b"")) + kept


@pytest.mark.parametrize("names", [FIELDS, ["relation"]], ids=["whole", "presentation"])
def test_no_change_of_one_byte_is_valid(names: list[str]) -> None:
    """Of 1 000 documents with one byte replaced, inserted or deleted, each is invalid."""
    raw = encode(present(certificate(), names))
    source = random.Random(20260302)
    changed = [other for _ in range(2_000) if (other := mutated(raw, source)) != raw][:1_000]
    assert len(changed) == 1_000
    for other in changed:
        answer = verify(other, KEYS, TODAY)
        assert answer.result is Result.INVALID, other
        assert answer.document is None


def test_a_document_cut_off_anywhere_is_malformed() -> None:
    """No beginning of a document is a document."""
    raw = encode(certificate())
    answers = {verify(raw[:length], KEYS, TODAY).reason for length in range(len(raw))}
    assert answers == {Reason.MALFORMED}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[" * DOCUMENT_SIZE_BYTES_MAX,
        b'{"header":' * 6_000,
        b'{"beside":' + b"[" * 60_000,
        b"\xff\xfe",
        b'"\\ud800"',
        b"9" * 60_000,
        b" " * (DOCUMENT_SIZE_BYTES_MAX + 1),
    ],
    ids=lambda raw: repr(raw[:12]),
)
def test_hostile_bytes_are_malformed(raw: bytes) -> None:
    """Depth, length, half characters and nothing at all get the same calm answer."""
    assert verify(raw, KEYS, TODAY).reason is Reason.MALFORMED


@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    """Whatever comes in, an answer comes out."""
    assert verify(raw, KEYS, TODAY).result is Result.INVALID
