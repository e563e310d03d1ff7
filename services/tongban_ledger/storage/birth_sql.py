"""Statements of the birth claims. Each takes a whole batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, Text, delete, select

from tongban_ledger.storage.tables import BIRTH
from tongban_shared.births import Claimed, Claims
from tongban_shared.ids import Province
from tongban_shared.storage.rowset import rowset, upsert

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from tongban_shared.ports import Birth

CERTIFICATES = rowset("certificates", digest=Text)
CLAIMS = rowset("claims", digest=Text, holder=Text, case_id=Text, person=Text, recorded_at=BigInteger)

KNOWN: Final = select(BIRTH).where(BIRTH.c.digest == CERTIFICATES.c.digest)
PUT_CLAIMS: Final = upsert(BIRTH, CLAIMS, ["digest"])
GIVE_BACK: Final = delete(BIRTH).where(BIRTH.c.digest.in_(CERTIFICATES.select("digest")))
Rule = Callable[[Sequence["Birth"], Mapping[str, Claimed]], Claims]


async def known_claims(tx: AsyncConnection, births: Iterable[Birth]) -> dict[str, Claimed]:
    """Who has these births' certificates."""
    wanted = {certificate for birth in births for certificate in birth.certificates}
    rows = await tx.execute(KNOWN, CERTIFICATES.bind((digest,) for digest in sorted(wanted)))
    return {row.digest: Claimed(Province(row.holder), row.case_id, row.person) for row in rows}


async def put_claims(tx: AsyncConnection, changed: Mapping[str, Claimed | None], recorded_at_us: int) -> None:
    """Write what was taken, take out what was given back."""
    taken = [
        (digest, held.province, held.case_id, held.person, recorded_at_us)
        for digest, held in sorted(changed.items())
        if held is not None
    ]
    given_back = [(digest,) for digest, held in sorted(changed.items()) if held is None]
    if taken:
        await tx.execute(PUT_CLAIMS, CLAIMS.bind(taken))
    if given_back:
        await tx.execute(GIVE_BACK, CERTIFICATES.bind(given_back))
