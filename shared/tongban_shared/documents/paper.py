"""From what a case decides to issue to the signed document."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from tongban_shared.documents.document import SALT_SIZE_BYTES, Header, Issuer, encode, make
from tongban_shared.documents.licence import LicenceId
from tongban_shared.ids import CaseId, OrgCode, Province
from tongban_shared.ports import Signer

SALT_LABEL = "document salt"


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """A document before it is signed. person: key of the one it tells of. fields: personal, never logged."""

    kind: str
    licence_id: LicenceId
    case_id: CaseId
    person: str
    province: Province
    org_code: OrgCode
    issued_at: datetime
    valid_until: datetime | None
    fields: Mapping[str, str]

    def __repr__(self) -> str:
        """Without anything personal."""
        return f"Paper({self.kind})"


def sign_paper(paper: Paper, signer: Signer, secret: bytes) -> bytes:
    """Return the document's canonical bytes. Raises DocumentError, LicenceError.

    Salts are keyed by the secret, the identifier and the field: nobody else can guess them, and a certificate
    that is issued again after a loss discloses what its first copy did.
    """
    issued = paper.issued_at.astimezone(UTC).replace(microsecond=0)
    header = Header(
        kind=paper.kind,
        licence_id=paper.licence_id,
        number=paper.case_id,
        issuer=Issuer(paper.province, paper.org_code, key_id=signer.key_id),
        issued_at=issued,
        valid_from=issued,
        valid_until=paper.valid_until,
        case_id=paper.case_id,
    )
    salts = [_salt(secret, paper.licence_id, name) for name in sorted(paper.fields)]
    return encode(make(header, paper.fields, salts, signer))


def _salt(secret: bytes, licence_id: str, name: str) -> bytes:
    text = f"{SALT_LABEL}|{licence_id}|{name}"
    return hmac.digest(secret, text.encode(), "sha256")[:SALT_SIZE_BYTES]
