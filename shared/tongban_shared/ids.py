"""Identifiers, checked once at the door; behind it the types alone tell what was checked.

Pure functions, no I/O. No error raised here repeats the value that it refuses (domain.md §4.6).
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import MAXYEAR, MINYEAR, date
from enum import StrEnum
from typing import Literal, NewType

from tongban_shared.errors import (
    BirthCertificateError,
    CaseIdError,
    IdNumberError,
    OrgCodeError,
    UnknownProvinceError,
)
from tongban_shared.validity import age_on

Province = NewType("Province", str)
OrgCode = NewType("OrgCode", str)
CaseId = NewType("CaseId", str)
DocumentNo = NewType("DocumentNo", str)
PersonKey = NewType("PersonKey", str)

DocumentKind = Literal["ZQ", "QY"]

AGE_MAX_YEARS = 130
SEQUENCE_MAX = 999
SERIAL_MAX = 99_999_999
SERIALS = SERIAL_MAX + 1
"""So many case numbers a day; document numbers a year."""

PROVINCES = frozenset(
    Province(code)
    for code in (
        *("11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37"),
        *("41", "42", "43", "44", "45", "46", "50", "51", "52", "53", "54"),
        *("61", "62", "63", "64", "65"),
    )
)
"""The 31 division codes with a household registry. Source: GB/T 2260."""

REGIONS_WITHOUT_REGISTRY = frozenset({"71", "81", "82", "83"})
"""Prefixes of residence permits of Hong Kong, Macao and Taiwan residents: right numbers, other service."""

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_VALUES = {character: value for value, character in enumerate(ALPHABET)}
ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ID_CHECKS = "10X98765432"

# [0-9], not \d: full-width and other scripts' digits would pass \d and give another person key.
_ID_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_ORG_CODE = re.compile(r"[0-9]{6}[0-9A-Z]{6}")
_CASE_ID = re.compile(r"[0-9]{20}[0-9A-Z]")
_BIRTH_CERTIFICATE = re.compile(r"[A-Z][0-9]{9}")
_SERVICE = re.compile(r"[0-9]{2}")


class IdFault(StrEnum):
    """Why a citizen identity number is refused: the `reason` of IdNumberError."""

    FORMAT = "FORMAT"
    CHECKSUM = "CHECKSUM"
    DATE = "DATE"
    REGION = "REGION"
    REGION_WITHOUT_REGISTRY = "REGION_WITHOUT_REGISTRY"


class Sex(StrEnum):
    """Sex as an identity number can tell it. Source: GB/T 2261.1."""

    MALE = "1"
    FEMALE = "2"


@dataclass(frozen=True, slots=True)
class CheckedId:
    """A citizen identity number (公民身份号码) that passed every hard check.

    number: 18 characters, X in upper case. division: the 6 digits of first coding, never a place of today.
    warnings: stable codes for a human; DIVISION_UNKNOWN is the only one so far.
    """

    number: str = field(repr=False)
    birth_date: date = field(repr=False)
    sex: Sex
    division: str
    warnings: tuple[str, ...] = ()


def mod37_36_check(body: str) -> str:
    """Return the check character of `body`, 1 or more of 0-9 A-Z. Raises ValueError. Source: ISO 7064."""
    if not body or not _VALUES.keys() >= set(body):
        raise ValueError("want 0-9 and A-Z, one or more")
    product = 36
    for character in body:
        product = (product + _VALUES[character]) % 36 or 36
        product = product * 2 % 37
    return ALPHABET[(37 - product) % 36]


def mod11_2_check(first17: str) -> str:
    """Return the check character, 0-9 or X, of 17 digits. Raises ValueError. Source: GB 11643, ISO 7064."""
    if len(first17) != len(ID_WEIGHTS) or not (first17.isascii() and first17.isdigit()):
        raise ValueError("want 17 digits")
    return ID_CHECKS[sum(w * int(digit) for w, digit in zip(ID_WEIGHTS, first17, strict=True)) % 11]


def check_id_number(raw: str, today: date, known_divisions: Container[str] | None = None) -> CheckedId:
    """Check a citizen identity number of 18 characters; `x` is taken for `X`, nothing else is repaired.

    Raises IdNumberError with the first IdFault in this order: format, checksum, date, region. A division that
    is unknown, retired or younger than the person is a warning only: late registrations have such numbers.
    Source: GB 11643, domain.md §1.1.
    """
    if not _ID_NUMBER.fullmatch(raw):
        raise IdNumberError(IdFault.FORMAT)
    number = raw.upper()
    if mod11_2_check(number[:17]) != number[17]:
        raise IdNumberError(IdFault.CHECKSUM)
    birth_date = _birth_date(number[6:14], today)
    _check_region(number[:2])
    division = number[:6]
    unknown = known_divisions is not None and division not in known_divisions
    return CheckedId(
        number=number,
        birth_date=birth_date,
        sex=Sex.MALE if int(number[16]) % 2 else Sex.FEMALE,
        division=division,
        warnings=("DIVISION_UNKNOWN",) if unknown else (),
    )


def _birth_date(digits: str, today: date) -> date:
    """Read yyyymmdd. Raises IdNumberError(DATE): no calendar day, in the future, or over 130 years ago."""
    birth_date = _calendar_day(digits)
    if birth_date is None or birth_date > today:
        raise IdNumberError(IdFault.DATE)
    if age_on(birth_date, today) > AGE_MAX_YEARS:
        raise IdNumberError(IdFault.DATE)
    return birth_date


def _calendar_day(digits: str) -> date | None:
    """Read 8 digits yyyymmdd; None if the calendar has no such day."""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    except ValueError:
        return None


def _check_region(prefix: str) -> None:
    if prefix in REGIONS_WITHOUT_REGISTRY:
        raise IdNumberError(IdFault.REGION_WITHOUT_REGISTRY)
    if prefix not in PROVINCES:
        raise IdNumberError(IdFault.REGION)


def make_id_number(division: str, born: date, sequence: int) -> str:
    """Make a citizen identity number (公民身份号码).

    division: 6 digits of first coding. sequence: 1 to 999, odd for men, even for women. Raises ValueError.
    Source: GB 11643.
    """
    if not 1 <= sequence <= SEQUENCE_MAX:
        raise ValueError(f"a sequence is 1 to {SEQUENCE_MAX}")
    first17 = f"{division}{born:%Y%m%d}{sequence:03d}"
    return first17 + mod11_2_check(first17)


def province(raw: str) -> Province:
    """Check a province code of two digits. Raises UnknownProvinceError. Source: GB/T 2260."""
    if raw not in PROVINCES:
        raise UnknownProvinceError(raw)
    return Province(raw)


def org_code(raw: str) -> OrgCode:
    """Check a police organisation code (公安机关机构代码) of 12. Raises OrgCodeError. Source: GA 380."""
    if not _ORG_CODE.fullmatch(raw):
        raise OrgCodeError("an organisation code is 6 digits, then 6 digits or capital letters")
    return OrgCode(raw)


def make_case_id(province: Province, service: str, day: date, serial: int) -> CaseId:
    """Make a case number (办件编号) of 21: accepting province 2, service 2, yyyymmdd, serial 8, check.

    service: two digits of the item catalogue. day: of acceptance, local time. serial: 0 to 99_999_999, never
    given twice on one day by one province. Raises ValueError. Source: domain.md §1.3.
    """
    if not _SERVICE.fullmatch(service):
        raise ValueError("a service is two digits")
    body = f"{province}{service}{day:%Y%m%d}{_serial(serial)}"
    return CaseId(body + mod37_36_check(body))


def case_id(raw: str) -> CaseId:
    """Check a case number: form, province, day, check character. Raises CaseIdError."""
    if not _CASE_ID.fullmatch(raw) or mod37_36_check(raw[:-1]) != raw[-1]:
        raise CaseIdError("want 20 digits and their check character")
    if raw[:2] not in PROVINCES or _calendar_day(raw[4:12]) is None:
        raise CaseIdError("want an accepting province and a calendar day in the number")
    return CaseId(raw)


def province_of_case(case_id: CaseId) -> Province:
    """Tell the accepting province (受理地): the number carries it for ever, whoever decides the case."""
    return Province(case_id[:2])


def make_document_no(kind: DocumentKind, province: Province, year: int, serial: int) -> DocumentNo:
    """Make the number, 17 characters, of a permit (准迁证, ZQ) or a migration certificate (迁移证, QY).

    kind, issuing province 2, yyyy, serial 8, check. Raises ValueError. Source: domain.md §1.3.
    """
    if not MINYEAR <= year <= MAXYEAR:
        raise ValueError("a year has four digits")
    body = f"{kind}{province}{year:04d}{_serial(serial)}"
    return DocumentNo(body + mod37_36_check(body))


def _serial(serial: int) -> str:
    if not 0 <= serial <= SERIAL_MAX:
        raise ValueError(f"a serial is 0 to {SERIAL_MAX}")
    return f"{serial:08d}"


def person_key(secret: bytes, id_number: str) -> PersonKey:
    """Return the key that stands for a person in keys, logs and topics: 32 hex characters of HMAC-SHA256.

    One person has one key: a lower-case x would make a second one, so case is folded here too.
    """
    return PersonKey(_keyed(secret, id_number.upper())[:32])


def birth_key(secret: bytes, certificate_no: str) -> str:
    """Return the key that stands for a birth certificate (出生医学证明): 32 hex characters of HMAC-SHA256.

    Raises BirthCertificateError unless it is one capital letter and 9 digits, an assumption.
    """
    if not _BIRTH_CERTIFICATE.fullmatch(certificate_no):
        raise BirthCertificateError("a birth certificate's number is a capital letter and 9 digits")
    return _keyed(secret, f"birth|{certificate_no}")[:32]


def name_check(secret: bytes, id_number: str, name: str) -> str:
    """Return 16 hex characters that agree only for the same number and the same name (compared as NFC)."""
    return _keyed(secret, f"{id_number.upper()}|{unicodedata.normalize('NFC', name)}")[:16]


def custody_digest(secret: bytes, person: PersonKey) -> str:
    """Return 32 hex characters, the custody ledger's (归属账本) name of a person, under its own secret."""
    return _keyed(secret, person)[:32]


def _keyed(secret: bytes, text: str) -> str:
    return hmac.digest(secret, text.encode(), "sha256").hex()
