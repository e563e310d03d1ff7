"""Is this document genuine, and is it valid now? Needs the issuers' public keys, and no connection.

Whether a document was superseded or revoked since is known only to its issuer: whoever asked for that online
hands the answer in as `status`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from tongban_shared.documents.document import (
    Document,
    DocumentError,
    Header,
    decode,
    digest,
    signed_bytes,
)
from tongban_shared.documents.licence import LicenceError, licence_id
from tongban_shared.errors import WireError
from tongban_shared.ports import Verifier


class Result(StrEnum):
    """What a verifier may rely on. Only VALID says yes."""

    VALID = "VALID"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SUPERSEDED = "SUPERSEDED"
    REVOKED = "REVOKED"
    INVALID = "INVALID"


class Reason(StrEnum):
    """Why a document is INVALID."""

    MALFORMED = "MALFORMED"
    UNKNOWN_ISSUER = "UNKNOWN_ISSUER"
    SIGNATURE_INVALID = "SIGNATURE_INVALID"
    FIELD_ALTERED = "FIELD_ALTERED"
    LICENCE_INVALID = "LICENCE_INVALID"


class Status(StrEnum):
    """What the issuer says of a document today; answered online only."""

    CURRENT = "CURRENT"
    SUPERSEDED = "SUPERSEDED"
    REVOKED = "REVOKED"


class Verification(msgspec.Struct, frozen=True):
    """The answer. reason: stands with INVALID, and only there. document: None with INVALID.

    What is not proven to be the issuer's word is not passed on, so that nobody shows it by mistake.
    status: as handed in; None: not asked, so that SUPERSEDED and REVOKED are not excluded.
    """

    result: Result
    reason: Reason | None = None
    document: Document | None = None
    status: Status | None = None

    @property
    def fields(self) -> dict[str, str]:
        """The disclosed fields, name to value, in the order of their names; empty with INVALID."""
        return {} if self.document is None else {field.name: field.value for field in self.document.fields}


def verify(raw: bytes, keys: Verifier, at: datetime, status: Status | None = None) -> Verification:
    """Verify a document or a presentation as of `at`, aware. Never raises, whatever the bytes are.

    Genuineness comes first, then the issuer's word on it today, then its time [valid_from, valid_until).
    """
    try:
        document = decode(raw)
    except DocumentError:
        return Verification(Result.INVALID, Reason.MALFORMED, status=status)
    reason = _fault(document, keys)
    if reason is not None:
        return Verification(Result.INVALID, reason, status=status)
    return Verification(_standing(document.header, at, status), None, document, status)


def _fault(document: Document, keys: Verifier) -> Reason | None:
    """Why this is not the issuer's word, or None."""
    header, issuer = document.header, document.header.issuer
    if not issuer.speaks_for_itself:
        return Reason.UNKNOWN_ISSUER
    signed = signed_bytes(header, document.digests)
    try:
        keys.verify(issuer.province, issuer.key_id, signed, document.signature)
    except WireError as error:
        unknown = error.reason == "UNKNOWN_KEY"
        return Reason.UNKNOWN_ISSUER if unknown else Reason.SIGNATURE_INVALID
    if not {digest(field) for field in document.fields} <= set(document.digests):
        return Reason.FIELD_ALTERED
    try:
        licence_id(header.licence_id)
    except LicenceError:
        return Reason.LICENCE_INVALID
    return None


def _standing(header: Header, at: datetime, status: Status | None) -> Result:
    """How a genuine document stands: taken back outweighs run out."""
    if status is Status.REVOKED:
        return Result.REVOKED
    if status is Status.SUPERSEDED:
        return Result.SUPERSEDED
    if at < header.valid_from:
        return Result.NOT_YET_VALID
    if header.valid_until is not None and at >= header.valid_until:
        return Result.EXPIRED
    return Result.VALID
