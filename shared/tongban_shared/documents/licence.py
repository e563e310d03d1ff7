"""The e-licence identifier (电子证照标识), checked once at the door. Source: GB/T 36904, domain.md §4.5.

`1.2.156.3005.2.<type 21>.<issuer 18>.<serial 1 to 32>.<version 3 digits>.<check 1>`
type: the code of the authority that defines the licence, then 3 digits. issuer: a unified social credit code
(统一社会信用代码), taken by its form. version: 001 is the first paper under the serial. check: ISO 7064
MOD 37,36 over type, issuer, serial and version, so that one wrong character is found on paper too.
"""

from __future__ import annotations

import re
from typing import Final, NewType

from tongban_shared.errors import TongbanError
from tongban_shared.ids import mod37_36_check

LicenceId = NewType("LicenceId", str)

ROOT: Final = "1.2.156.3005.2"
VERSION_MAX: Final = 999
# The authority that defines the types of licence used here: an assumption, for no numbers are published.
LICENCE_AUTHORITY: Final = "11100000000013338W"

# [0-9], not \d: digits of other scripts would pass \d and have no check character.
_LICENCE_ID = re.compile(
    re.escape(ROOT)
    + r"\.(?P<body>[0-9A-Z]{18}[0-9]{3}\.[0-9A-Z]{18}\.[0-9A-Z]{1,32}\.(?!000)[0-9]{3})\.(?P<check>[0-9A-Z])"
)


class LicenceError(TongbanError):
    """Not an e-licence identifier: wrong form or check character. The value is not repeated."""

    code = "LICENCE_INVALID"


def make_licence_id(type_code: str, issuer: str, serial: str, version: int = 1) -> LicenceId:
    """Make an identifier with its check character.

    type_code: 21 characters. issuer: 18. serial: 1 to 32 of 0-9 A-Z, never given twice by one issuer for one
    type. version: 1 to 999, one more for each paper that supersedes the one before. Raises LicenceError.
    """
    if not 1 <= version <= VERSION_MAX:
        raise LicenceError(f"a version is 1 to {VERSION_MAX}")
    body = f"{type_code}.{issuer}.{serial}.{version:03d}"
    return licence_id(f"{ROOT}.{body}.{_check(body)}")


def credit_code(province: str) -> str:
    """Unified social credit code of a province's registry; synthetic: nothing but zeros follow."""
    return f"11{province}{0:014d}"


def licence_id(raw: str) -> LicenceId:
    """Check an identifier; nothing is repaired, lower case neither. Raises LicenceError."""
    found = _LICENCE_ID.fullmatch(raw)
    if found is None:
        raise LicenceError("want type 21, issuer 18, serial, version and check character, with dots between")
    if _check(found["body"]) != found["check"]:
        raise LicenceError("the check character of the identifier is another one")
    return LicenceId(raw)


def _check(body: str) -> str:
    """Return the check character; dots do not count. Raises LicenceError."""
    try:
        return mod37_36_check(body.replace(".", ""))
    except ValueError as error:
        raise LicenceError("an identifier has 0-9 and A-Z only") from error
