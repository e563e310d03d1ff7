"""Scalars of the contracts, each limited once for both decoders: pydantic's and msgspec's."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta
from pydantic import AwareDatetime, Field, StringConstraints

PROVINCE = r"^[0-9]{2}$"
CASE_ID = r"^[0-9]{20}[0-9A-Z]$"
MESSAGE_ID = r"^[0-9]{2}-[0-9]{2}-[0-9]+-[0-9]+$"
HEX_32 = r"^[0-9a-f]{32}$"
HEX_16 = r"^[0-9a-f]{16}$"
HEX_64 = r"^[0-9a-f]{64}$"
CODE = r"^[A-Z][A-Z0-9_]{1,39}$"
ORG = r"^[0-9]{6}[0-9A-Z]{6}$"
DOCUMENT_NO = r"^[A-Z]{2}[0-9]{14}[0-9A-Z]$"


def _whole(pattern: str) -> str:
    r"""The same pattern for msgspec, which uses Python's re: there $ would let a final newline pass."""
    return pattern[:-1] + r"\Z"


# Fits a column and a JSON number of any language.
NUMBER_MAX = 2**53

ProvinceCode = Annotated[str, StringConstraints(pattern=PROVINCE), Meta(pattern=_whole(PROVINCE))]
CaseNumber = Annotated[str, StringConstraints(pattern=CASE_ID), Meta(pattern=_whole(CASE_ID))]
MessageId = Annotated[str, StringConstraints(pattern=MESSAGE_ID), Meta(pattern=_whole(MESSAGE_ID))]
PersonDigest = Annotated[str, StringConstraints(pattern=HEX_32), Meta(pattern=_whole(HEX_32))]
NameCheck = Annotated[str, StringConstraints(pattern=HEX_16), Meta(pattern=_whole(HEX_16))]
MessageDigest = Annotated[str, StringConstraints(pattern=HEX_16), Meta(pattern=_whole(HEX_16))]
Sha256 = Annotated[str, StringConstraints(pattern=HEX_64), Meta(pattern=_whole(HEX_64))]
ReasonCode = Annotated[str, StringConstraints(pattern=CODE), Meta(pattern=_whole(CODE))]
OrgNumber = Annotated[str, StringConstraints(pattern=ORG), Meta(pattern=_whole(ORG))]
DocumentNo = Annotated[str, StringConstraints(pattern=DOCUMENT_NO), Meta(pattern=_whole(DOCUMENT_NO))]
Epoch = Annotated[int, Field(ge=0, le=NUMBER_MAX), Meta(ge=0, le=NUMBER_MAX)]
Count = Annotated[int, Field(ge=0, le=NUMBER_MAX), Meta(ge=0, le=NUMBER_MAX)]
ShortText = Annotated[str, StringConstraints(max_length=200), Meta(max_length=200)]
Sealed = Annotated[str, StringConstraints(max_length=700_000), Meta(max_length=700_000)]
Moment = Annotated[datetime, AwareDatetime, Meta(tz=True)]
