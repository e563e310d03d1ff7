"""How an applicant wants to be told: checked at the door, sealed for this registry alone, opened to be used.

An address is personal: it is in no log, error or view, and forgotten when there is nothing more to tell.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Literal, Protocol
from urllib.parse import urlsplit

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from tongban_shared.ids import check_id_number
from tongban_shared.notifications import masked_name, masked_number
from tongban_shared.web.problems import FieldRefusedError

if TYPE_CHECKING:
    from tongban_registry.office import Office

SEALED_AS = b"tongban contact v1"
MOBILE = re.compile(r"(?:\+?86)?(1[3-9][0-9]{9})", re.ASCII)
INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
MAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
MAIL_MAX = 254
VISIBLE = re.compile(r"[!-~]+")


class ContactIn(BaseModel):
    """How the applicant wants to be told. address: mobile number, e-mail, or https URL of a webhook."""

    model_config = ConfigDict(extra="forbid")

    channel: Literal["sms", "email", "webhook", "none"]
    address: Annotated[str, StringConstraints(min_length=1, max_length=500)] | None = Field(
        default=None, repr=False
    )
    language: Literal["zh", "en"] = "zh"


class Contact(msgspec.Struct, frozen=True):
    """What is sealed: where to, and the applicant as a notification shows them, masked."""

    address: str
    person: str
    number: str

    def __repr__(self) -> str:
        """Without any of it."""
        return "Contact(…)"


class Named(Protocol):
    """Whoever applies."""

    @property
    def id_number(self) -> str:
        """Checked before."""
        ...

    @property
    def name(self) -> str:
        """As given."""
        ...


def sealed_contact(given: ContactIn | None, applicant: Named, office: Office) -> tuple[str, str, str] | None:
    """Channel, language and sealed address; None: nobody is to be told. Raises FieldRefusedError."""
    if given is None or (given.channel == "none" and given.address is None):
        return None
    address = _checked(given)
    number = check_id_number(applicant.id_number, office.today()).number
    contact = Contact(address, masked_name(applicant.name), masked_number(number))
    sealed = office.signer.seal(office.province, msgspec.json.encode(contact), SEALED_AS)
    return given.channel, given.language, sealed


def open_contact(sealed: str, office: Office) -> Contact:
    """Open what was sealed here. Raises WireError(BAD_SEAL): sealed elsewhere, or with a key that is lost."""
    return msgspec.json.decode(office.signer.unseal(office.province, sealed, SEALED_AS), type=Contact)


def _checked(given: ContactIn) -> str:
    """The address in one form: numbers as E.164. Raises FieldRefusedError, which never repeats it."""
    if given.channel == "none":
        raise FieldRefusedError("body.contact.address", "no address without a channel")
    if given.address is None:
        raise FieldRefusedError("body.contact.address", "missing")
    check, rule = _CHECKS[given.channel]
    address = check(given.address)
    if address is None:
        raise FieldRefusedError("body.contact.address", rule)
    return address


def _mobile(text: str) -> str | None:
    plain = re.sub(r"[ -]", "", text)
    mobile = MOBILE.fullmatch(plain)
    if mobile:
        return f"+86{mobile[1]}"
    abroad = INTERNATIONAL.fullmatch(plain)
    return plain if abroad and not plain.startswith("+86") else None


def _mail(text: str) -> str | None:
    return text if len(text) <= MAIL_MAX and MAIL.fullmatch(text) else None


def _url(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return None
    plain = VISIBLE.fullmatch(text) and parts.hostname and "@" not in parts.netloc and not parts.fragment
    if not plain or not (parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname))):
        return None
    return text


def _loopback(host: str | None) -> bool:
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"


_CHECKS = {
    "sms": (_mobile, "a mobile number of the mainland, or +, country and number"),
    "email": (_mail, "an e-mail address"),
    "webhook": (_url, "an https address without user and fragment"),
}
