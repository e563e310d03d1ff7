"""The error tree: every failure a caller can meet has a stable code, an HTTP status and a word on repeating.

TongbanError
├── BadInputError (4xx: the request is wrong; a repeat fails in the same way)
│   ├── IdNumberError · UnknownProvinceError · OrgCodeError · CaseIdError · UnknownItemError
│   ├── BirthCertificateError
│   └── RefusedError(code): refused at the door, the code is from the published catalogue
├── CatalogueError · CaseTableError · SettingsError (the program does not start) · PutBackError (it ends)
├── WireError(code): an envelope that is not taken; goes to quarantine with its code
└── UnavailableError (retryable: 503 with Retry-After)
    └── TransportDownError · LedgerDownError · StoreDownError · FenceDownError · ProvinceDownError

No message of any error holds a name, an id number or an address (domain.md §4.6).
"""

from __future__ import annotations

from typing import ClassVar


class TongbanError(Exception):
    """Base of all errors of this project."""

    code: ClassVar[str] = "INTERNAL"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False


class BadInputError(TongbanError):
    """The request can't be understood or accepted; nothing was stored."""

    code = "INPUT_INVALID"
    http_status = 422


class IdNumberError(BadInputError):
    """The citizen identity number (公民身份号码) is not one. Source: GB 11643-1999."""

    code = "ID_NUMBER_INVALID"

    def __init__(self, reason: str) -> None:
        super().__init__(f"citizen identity number: {reason}")
        self.reason = reason


class UnknownProvinceError(BadInputError):
    """No household registry of this province code takes part."""

    code = "PROVINCE_UNKNOWN"

    def __init__(self, code: str) -> None:
        super().__init__("no province registry has this code")
        self.province = code


class OrgCodeError(BadInputError):
    """Not an organisation code of 12 characters. Source: GA 380."""

    code = "ORG_CODE_INVALID"


class CaseIdError(BadInputError):
    """Not a case number: wrong length, date or check character."""

    code = "CASE_UNKNOWN"
    http_status = 404


class BirthCertificateError(BadInputError):
    """Not the number of a birth certificate (出生医学证明编号). The value is not repeated."""

    code = "BIRTH_CERT_INVALID"


class UnknownItemError(BadInputError):
    """The item catalogue (事项目录) has no such item."""

    code = "ITEM_UNKNOWN"

    def __init__(self, code: str) -> None:
        super().__init__("the item catalogue has no such item; see GET /v1/items")
        self.item = code


class RefusedError(BadInputError):
    """Refused at the door with a code of the published catalogue (`problems.toml`)."""

    def __init__(self, reason: str, detail: str = "", instance: str | None = None) -> None:
        super().__init__(detail or reason)
        self.reason = reason
        self.detail = detail
        self.instance = instance


class CatalogueError(TongbanError):
    """The item catalogue or a province file is wrong; the program does not start."""

    code = "CATALOGUE_INVALID"


class CaseTableError(TongbanError):
    """A case table breaks a rule of custody; the program does not start."""

    code = "CASE_TABLE_INVALID"


class SettingsError(TongbanError):
    """A setting is missing or wrong; the message says which and what to do."""

    code = "SETTINGS_INVALID"


class WireError(TongbanError):
    """A message is refused before it is decoded further; `reason` is its stable code.

    BAD_FRAME, BAD_SIGNATURE, UNKNOWN_KEY, UNKNOWN_VERSION, UNKNOWN_TYPE, WRONG_RECEIVER, WRONG_SENDER,
    BAD_BODY, ID_REUSED, STALE_EPOCH, STEP_NOT_ALLOWED, PARKED_TOO_LONG, BAD_SEAL.
    """

    code = "MESSAGE_REFUSED"
    http_status = 422

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class PutBackError(TongbanError):
    """The database was put back while its registry ran: it ends, and passes the gate when it starts."""


class UnavailableError(TongbanError):
    """A part that this needs is away; try again after `retry_after_s`."""

    code = "UNAVAILABLE"
    http_status = 503
    retryable = True
    retry_after_s: ClassVar[int] = 2


class TransportDownError(UnavailableError):
    """The broker did not take the bytes in time; they may still arrive later."""

    code = "TRANSPORT_DOWN"


class LedgerDownError(UnavailableError):
    """The custody ledger (归属账本) does not answer."""

    code = "LEDGER_DOWN"


class StoreDownError(UnavailableError):
    """The registry's own database does not answer; nothing was accepted."""

    code = "STORE_DOWN"


class FenceDownError(UnavailableError):
    """The fence can't be read or written; what was committed may not leave, so the program ends."""

    code = "STORE_DOWN"


class ProvinceDownError(UnavailableError):
    """The province's registry does not answer the gateway."""

    code = "PROVINCE_UNAVAILABLE"
    retry_after_s = 5
