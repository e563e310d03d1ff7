"""Documents to build tests of: Guangdong certifies something about synthetic persons."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from tongban_shared.documents.document import Document, Header, Issuer, make, signed_bytes
from tongban_shared.documents.licence import make_licence_id
from tongban_shared.ids import OrgCode, Province, make_case_id
from tongban_shared.keys import SIGNING, KeyDirectory, LocalSigner
from tongban_shared.ports import Signer

GUANGDONG, ZHEJIANG = Province("44"), Province("33")
ORG_CODE = OrgCode("440100000000")
TYPE_CODE, ISSUER = "11100000000013127D901", "11440000000000001A"
AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
FIELDS = {
    "holder.name": "合成人甲",
    "holder.id_number": "440000199003070020",
    "relation": "父子",
    "relative.name": 'synthetic "乙", 𠮷野\nsecond line',
    "purpose": "",
}


def signer_of(owner: Province) -> LocalSigner:
    """A province's keys, the same in every run."""
    secret = base64.b64encode(owner.encode() * 16).decode()
    return LocalSigner(owner, {"key_id": f"{owner}-1", "sign": secret, "seal": secret}, KeyDirectory([]))


def key_list(*owners: Province) -> KeyDirectory:
    """The public keys of these provinces."""
    return KeyDirectory([entry(owner) for owner in owners])


def entry(owner: Province) -> dict[str, str]:
    """What the public list says of one province's signing key."""
    raw = Ed25519PrivateKey.from_private_bytes(owner.encode() * 16).public_key().public_bytes_raw()
    public = base64.b64encode(raw).decode()
    return {"owner": owner, "key_id": f"{owner}-1", "alg": SIGNING, "public": public}


def header(serial: int = 1, at: datetime = AT) -> Header:
    """The header of the n-th certificate, valid for 90 days from `at`."""
    return Header(
        kind="certificate.kinship",
        licence_id=make_licence_id(TYPE_CODE, ISSUER, f"{serial:08d}"),
        number=f"粤证字第{serial:08d}号",
        issuer=Issuer(GUANGDONG, ORG_CODE, f"{GUANGDONG}-1"),
        issued_at=at,
        valid_from=at,
        valid_until=at + timedelta(days=90),
        case_id=make_case_id(GUANGDONG, "02", date(2026, 3, 2), serial),
        as_of=at - timedelta(days=1),
    )


def salts(serial: int = 1, count: int = len(FIELDS)) -> Sequence[bytes]:
    """Salts for one document; from a seed, as only a test may."""
    source = random.Random(serial)
    return [source.randbytes(16) for _ in range(count)]


def certificate(serial: int = 1, signer: Signer | None = None, at: datetime = AT) -> Document:
    """The n-th certificate, by Guangdong's key."""
    return make(header(serial, at), FIELDS, salts(serial), signer or signer_of(GUANGDONG))


def signed_anyhow(document: Document, signer: Signer) -> Document:
    """The document as changed, under a signature that `make` would have refused."""
    return replace(document, signature=signer.sign(signed_bytes(document.header, document.digests)))
