"""One format for every certificate, permit, temporary card and receipt: a signed document in JSON.

    {"digests":["…"],"fields":[{"name":"…","salt":"…","value":"…"}],"header":{…},"signature":"…"}

The signature is Ed25519 over `tongban document v1`, a line feed, and the canonical bytes of digests and
header. A digest is SHA-256 over `tongban field v1`, a line feed, and the canonical bytes of one field. So the
holder may leave out any field: its digest stays, tells nothing without the salt, and the rest verifies.

Canonical bytes: UTF-8, members in order of their names, no white space, no escape that JSON does not demand,
bytes as base64 with padding, moments in UTC to the second with Z. A document has one such form and no other
is taken: hence no unknown, missing or repeated member, no second spelling of base64, no byte after the end.

A document proves what its issuer said, not that who shows it is the one it speaks of.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Annotated, Final, Literal

import msgspec
from msgspec.structs import replace

from tongban_shared.documents.licence import LicenceId, licence_id
from tongban_shared.errors import BadInputError, TongbanError
from tongban_shared.ids import CaseId, OrgCode, Province, case_id, org_code, province
from tongban_shared.ports import Signer

DOCUMENT_SIZE_BYTES_MAX: Final = 65_536
FIELDS_MAX: Final = 100
SALT_SIZE_BYTES: Final = 16
DOCUMENT_LABEL: Final = b"tongban document v1\n"
FIELD_LABEL: Final = b"tongban field v1\n"

# \Z, not $: the latter lets a line feed at the end pass.
Kind = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_.]{0,63}\Z")]
FieldName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_.]{0,63}\Z")]
KeyId = Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,64}\Z")]
Number = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Salt = Annotated[bytes, msgspec.Meta(min_length=SALT_SIZE_BYTES, max_length=SALT_SIZE_BYTES)]
Signature = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


class DocumentError(TongbanError):
    """Not a document, or one can't be made of this. The message repeats no value (domain.md §4.6)."""

    code = "DOCUMENT_INVALID"


class Issuer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who says it: an organisation, in the name of its province, whose key `key_id` signs."""

    province: Province
    org_code: OrgCode
    key_id: KeyId

    @property
    def speaks_for_itself(self) -> bool:
        """Whether the organisation is one of the province; no province signs for another's."""
        return self.org_code.startswith(self.province)


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every document says openly. Moments are UTC, to the second.

    kind: as in `certificate.kinship`. number: as printed. valid_until: the first moment when it is no longer
    valid; None: it does not end. as_of: the state of the register that it tells of, where that is not the one
    of issued_at: the person is being moved. Source: services.md S3.
    """

    v: Literal[1] = 1
    kind: Kind
    licence_id: LicenceId
    number: Number
    issuer: Issuer
    issued_at: Moment
    valid_from: Moment
    valid_until: Moment | None
    case_id: CaseId
    as_of: Moment | None = None


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that the document says of somebody; without its salt nobody can guess it from its digest."""

    name: FieldName
    value: str
    salt: Salt


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document as issued, or a presentation of it.

    digests: of all fields, ascending as bytes, so that their order tells nothing of names. fields: those that
    are disclosed, ascending by name.
    """

    header: Header
    digests: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=FIELDS_MAX)]
    fields: Annotated[tuple[Field, ...], msgspec.Meta(max_length=FIELDS_MAX)]
    signature: Signature


class _Signed(msgspec.Struct, frozen=True):
    """What the signature covers."""

    digests: tuple[bytes, ...]
    header: Header


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(Document)


def make(header: Header, fields: Mapping[str, str], salts: Sequence[bytes], signer: Signer) -> Document:
    """Commit to each field and sign.

    header.issuer.key_id: replaced by the number of the key that signs. fields: name to value, NFC. salts: as
    many as fields, in the order of the fields' names, 16 random bytes each, used for no other field ever.
    Raises DocumentError, LicenceError.
    """
    licence_id(header.licence_id)
    if header.issuer.province != signer.owner or not header.issuer.speaks_for_itself:
        raise DocumentError("the organisation and the key are not of the same province")
    if not len(fields) == len(salts) == len(set(salts)):
        raise DocumentError("each field takes a salt of its own")
    if not all(unicodedata.is_normalized("NFC", value) for value in fields.values()):
        raise DocumentError("values are written in Unicode's form NFC")
    named = sorted(fields.items())
    salted = tuple(Field(name, value, salt) for (name, value), salt in zip(named, salts, strict=True))
    digests = tuple(sorted(digest(field) for field in salted))
    # What could not be read again is refused before a signature of it is in the world.
    decode(encode(Document(header, digests, salted, bytes(64))))
    return _sign(Document(header, digests, salted, b""), signer)


def _sign(document: Document, signer: Signer) -> Document:
    """Sign under the number of the very key that signs: a rotation may fall between asking and signing."""
    while True:
        key_id = signer.key_id
        issuer = replace(document.header.issuer, key_id=key_id)
        header = replace(document.header, issuer=issuer)
        signature = signer.sign(signed_bytes(header, document.digests))
        if signer.key_id == key_id:
            return replace(document, header=header, signature=signature)


def present(document: Document, names: Collection[str]) -> Document:
    """Disclose only these fields. Raises DocumentError: one is not there, or was left out earlier."""
    wanted = set(names)
    kept = tuple(field for field in document.fields if field.name in wanted)
    if len(kept) != len(wanted):
        raise DocumentError("a field to disclose is not in this document, or was left out before")
    return replace(document, fields=kept)


def digest(field: Field) -> bytes:
    """32 bytes that stand for a field and bind its name, value and salt. Raises DocumentError."""
    return sha256(FIELD_LABEL + _canonical(field)).digest()


def signed_bytes(header: Header, digests: tuple[bytes, ...]) -> bytes:
    """What the issuer signs."""
    return DOCUMENT_LABEL + _canonical(_Signed(digests, header))


def encode(document: Document) -> bytes:
    """The one form of a document in bytes. Raises DocumentError."""
    return _canonical(document)


def _canonical(value: msgspec.Struct) -> bytes:
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError as error:
        raise DocumentError("half a surrogate pair is no character") from error


def decode(raw: bytes) -> Document:
    """Read a document of at most DOCUMENT_SIZE_BYTES_MAX; its form is checked, its truth is not: see verify.

    Raises DocumentError: not the canonical bytes of one.
    """
    if len(raw) > DOCUMENT_SIZE_BYTES_MAX:
        raise DocumentError(f"a document has at most {DOCUMENT_SIZE_BYTES_MAX} bytes")
    try:
        document = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DocumentError("not a document of version 1") from error
    _check_header(document.header)
    names = [field.name.encode() for field in document.fields]
    if not _ascend(document.digests) or not _ascend(names):
        raise DocumentError("digests, and fields by their names, ascend and do not repeat")
    if encode(document) != raw:
        raise DocumentError("not the canonical bytes of the document")
    return document


def _check_header(header: Header) -> None:
    try:
        province(header.issuer.province)
        org_code(header.issuer.org_code)
        case_id(header.case_id)
    except BadInputError as error:
        raise DocumentError("province, organisation or case number is none") from error
    if not all(_is_storable(moment) for moment in _moments(header)):
        raise DocumentError("moments are UTC, in whole seconds, in a year that every time zone has")
    if header.valid_until is not None and header.valid_until <= header.valid_from:
        raise DocumentError("the end of validity comes before its begin")


def _moments(header: Header) -> Iterator[datetime]:
    yield from (header.issued_at, header.valid_from)
    yield from (moment for moment in (header.valid_until, header.as_of) if moment is not None)


def _is_storable(moment: datetime) -> bool:
    utc = moment.tzinfo is UTC or moment.utcoffset() == timedelta(0)
    return utc and moment.microsecond == 0 and MINYEAR < moment.year < MAXYEAR


def _ascend(values: Sequence[bytes]) -> bool:
    """Whether each is more than the one before, so that none is there twice."""
    return all(one < other for one, other in pairwise(values))
