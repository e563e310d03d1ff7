"""What the case of an identity card remembers beside the common record of home_data.py."""

from __future__ import annotations

from enum import StrEnum

from tongban_shared.cases.home_data import Asked


class K(StrEnum):
    """From the signature to the counter."""

    APPROVED = "APPROVED"
    IN_PRODUCTION = "IN_PRODUCTION"
    AT_COUNTER = "AT_COUNTER"


class Card(StrEnum):
    """首次申领, 换领, 补领."""

    FIRST = "FIRST"
    REPLACE = "REPLACE"
    REISSUE = "REISSUE"


class IdCardData(Asked, frozen=True):
    """card: which of `Card`. lost: the old one is reported lost. bilingual: in two scripts."""

    card: str = ""
    lost: bool = False
    bilingual: bool = False
