"""Which province answers a request. Pure: path, query, body and catalogue in, a destination out.

A path that no rule here knows is answered by the gateway itself, or is not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import lru_cache
from typing import TypeVar
from urllib.parse import parse_qs

import msgspec

from tongban_shared import ids
from tongban_shared.catalogue import Answers, Catalogue, answering_province
from tongban_shared.errors import RefusedError, UnknownProvinceError
from tongban_shared.ids import Province
from tongban_shared.web.problems import FieldRefusedError

LICENCE_ROOT = "1.2.156.3005.2."
CASE_IDS_MAX = 10_000
FORWARDED_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})

T = TypeVar("T")

_EVENTS = re.compile(r"/v1/cases/[^/]+/events")
_STEP = re.compile(r"[a-z][a-z-]{0,40}")
_TOKEN = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,160}")


class ByBody(Enum):
    """The path alone does not tell: the body does."""

    CASE = "case"
    LOOKUP = "lookup"
    PERSON = "person"
    TASK = "task"
    VERIFICATION = "verification"


@dataclass(frozen=True, slots=True)
class ByPerson:
    """Whoever holds this person answers. The number is checked, and is shown nowhere."""

    id_number: str = field(repr=False)


Destination = Province | ByBody | None
"""A province; the body is to be read; or None: no registry's business."""


def destination(method: str, path: str, query: bytes) -> Destination:
    """Tell where a request goes. Raises BadInputError for an id or code in it that can't be one."""
    parts = path.split("/")
    if method not in FORWARDED_METHODS:
        return None
    match parts:
        case ["", "v1", area, *rest]:
            rule = _RULES.get(area)
            return rule(method, rest, query) if rule else None
        case ["", "v", code] if _TOKEN.fullmatch(code):
            if code.startswith(LICENCE_ROOT):
                return issuing_province(code)
            return _leading_province(code, "DOCUMENT_UNKNOWN")
    return None


def is_stream(method: str, path: str) -> bool:
    """Whether the answer goes on for as long as its case does."""
    return method == "GET" and _EVENTS.fullmatch(path) is not None


def _cases(method: str, rest: Sequence[str], query: bytes) -> Destination:
    """A case is answered where it was accepted; `?province=` reaches the mirror of another party to it."""
    if not rest:
        return ByBody.CASE if method == "POST" else None
    accepting = _accepting_province(rest[0])
    if not all(_STEP.fullmatch(step) for step in rest[1:]):
        return None
    return _asked_province(query) or accepting


@lru_cache(maxsize=CASE_IDS_MAX)
def _accepting_province(raw: str) -> Province:
    """A case is asked for many times, and what its number says never changes. Raises CaseIdError."""
    return ids.province_of_case(ids.case_id(raw))


def _tasks(method: str, rest: Sequence[str], query: bytes) -> Destination:
    """A list names its province, or an office in it; a task is where the office is that the body names."""
    asked = _asked_province(query)
    match rest:
        case [number, step] if _STEP.fullmatch(step):
            _leading_province(number, "TASK_UNKNOWN")
            return asked or ByBody.TASK
        case [_, *_]:
            return None
    if asked is None and method == "GET":
        org = _parameter(query, b"org")
        if org is None:
            raise FieldRefusedError("query.province", "missing")
        return ids.province(ids.org_code(org)[:2])
    return asked


def _registrations(method: str, rest: Sequence[str], query: bytes) -> Destination:
    """A lookup, or an act on one person's registration, such as a hold: both go to the holder."""
    del query
    if method != "POST" or len(rest) != 1 or not _STEP.fullmatch(rest[0]):
        return None
    return ByBody.LOOKUP if rest[0] == "lookup" else ByBody.PERSON


def _documents(method: str, rest: Sequence[str], query: bytes) -> Destination:
    if rest == ["verify"]:
        return ByBody.VERIFICATION if method == "POST" else None
    match rest:
        case [number] if _TOKEN.fullmatch(number):
            return _asked_province(query) or issuing_province(number)
    return None


def _provinces(method: str, rest: Sequence[str], query: bytes) -> Destination:
    """Everything under a province's own path except its keys, which the gateway has."""
    del method, query
    match rest:
        case [_] | [_, "jwks.json"] | []:
            return None
        case [code, *parts] if all(_TOKEN.fullmatch(part) for part in parts):
            return ids.province(code)
    return None


def _ops(method: str, rest: Sequence[str], query: bytes) -> Destination:
    """One province's part of the operators' pages; the country-wide ones are gathered by the gateway."""
    del method
    asked = _asked_province(query)
    match rest:
        case ["provinces", code, step] if _STEP.fullmatch(step):
            return ids.province(code)
        case ["quarantine", number] | ["quarantine", number, "replay" | "drop"]:
            return asked or _leading_province(number, "QUARANTINE_UNKNOWN")
        case ["overview" | "cases" | "quarantine" | "parked" | "acts" | "custody"]:
            return asked
        case ["cases", case_id, "messages"]:
            ids.case_id(case_id)
            return asked
    return None


def _me(method: str, rest: Sequence[str], query: bytes) -> Destination:
    """A person's access log: the holder's, or that of a province that is named because it once was.

    Not gathered from all: each would learn the number of somebody who never was there.
    """
    if method != "POST" or rest != ["access-log"]:
        return None
    return _asked_province(query) or ByBody.PERSON


_RULES: dict[str, Callable[[str, Sequence[str], bytes], Destination]] = {
    "cases": _cases,
    "tasks": _tasks,
    "registrations": _registrations,
    "documents": _documents,
    "provinces": _provinces,
    "ops": _ops,
    "me": _me,
}


def _leading_province(number: str, unknown: str) -> Province:
    """The two digits that a number begins with. Raises RefusedError(unknown), never PROVINCE_UNKNOWN."""
    try:
        return ids.province(number[:2])
    except UnknownProvinceError as error:
        raise RefusedError(unknown) from error


def _asked_province(query: bytes) -> Province | None:
    if b"province=" not in query:
        return None
    code = _parameter(query, b"province")
    return ids.province(code) if code is not None else None


def _parameter(query: bytes, name: bytes) -> str | None:
    values = parse_qs(query, max_num_fields=50).get(name)
    return values[0].decode("utf-8", "replace") if values else None


def issuing_province(number: str) -> Province:
    """The province of the authority that issued a document. Raises RefusedError(DOCUMENT_UNKNOWN).

    In an e-licence identifier (电子证照标识) the issuer is the second part after the root: a unified social
    credit code, whose third and fourth digits are its province. In the number of a permit or a migration
    certificate the province follows the two letters of the kind. Source: domain.md §1.3, §4.5.
    """
    if number.startswith(LICENCE_ROOT):
        number = number.removeprefix(LICENCE_ROOT).partition(".")[2]
    return _leading_province(number[2:], "DOCUMENT_UNKNOWN")


# What routing reads of a body; all else is the registry's business and goes there unread.


class _Applicant(msgspec.Struct):
    id_number: str | None = None


class _Place(msgspec.Struct):
    province: str | None = None


class _NewCase(msgspec.Struct):
    item: str | None = None
    accepting_org: str | None = None
    applicant: _Applicant | None = None
    destination: _Place | None = None


class _TaskAct(msgspec.Struct):
    org: str | None = None


class _Header(msgspec.Struct):
    licence_id: str | None = None


class _Document(msgspec.Struct):
    licence_id: str | None = None
    header: _Header | None = None


class _Verification(msgspec.Struct):
    licence_id: str | None = None
    code: str | None = None
    document: _Document | None = None


_read_case = msgspec.json.Decoder(_NewCase).decode
_read_lookup = msgspec.json.Decoder(_Applicant).decode
_read_task_act = msgspec.json.Decoder(_TaskAct).decode
_read_verification = msgspec.json.Decoder(_Verification).decode


def destination_of_case(body: bytes, catalogue: Catalogue, today: date) -> Province | ByPerson:
    """Tell who takes in a new case: the province moved to; the window's, or else the applicant's holder.

    Raises BadInputError.
    """
    new = _decoded(_read_case, body)
    if new.item is None:
        raise FieldRefusedError("body.item", "missing")
    item = catalogue.item(new.item)
    moved_to = new.destination.province if new.destination else None
    if item.answers is Answers.ORIGIN:
        if new.accepting_org is not None:  # the window's province takes it in, and asks the home registry
            return ids.province(ids.org_code(new.accepting_org)[:2])
        return _person(new.applicant, "body.applicant.id_number", today)
    if moved_to is None:
        raise FieldRefusedError("body.destination.province", "missing")
    province = ids.province(moved_to)
    return answering_province(item, province, province)


def _named_in(document: _Document | None) -> str | None:
    if document is None:
        return None
    return document.header.licence_id if document.header else document.licence_id


def person_of(body: bytes, today: date) -> ByPerson:
    """Tell whose holder is asked. Raises BadInputError."""
    return _person(_decoded(_read_lookup, body), "body.id_number", today)


def destination_of_task(path: str, body: bytes) -> Province:
    """Tell whose officer acts: both parties to a case have tasks under its number. Raises BadInputError.

    The office in the body tells; without one it is the accepting province, which the number begins with.
    """
    org = _decoded(_read_task_act, body).org if body else None
    return ids.province(ids.org_code(org)[:2] if org is not None else path.split("/")[3][:2])


def destination_of_verification(body: bytes) -> Province:
    """Tell who issued the document that is to be verified. Raises BadInputError."""
    asked = _decoded(_read_verification, body)
    licence_id = asked.licence_id or _named_in(asked.document)
    if licence_id is not None:
        return issuing_province(licence_id)
    if asked.code is not None:
        return _leading_province(asked.code, "DOCUMENT_UNKNOWN")
    raise FieldRefusedError("body.licence_id", "missing")


def _person(applicant: _Applicant | None, location: str, today: date) -> ByPerson:
    if applicant is None or applicant.id_number is None:
        raise FieldRefusedError(location, "missing")
    return ByPerson(ids.check_id_number(applicant.id_number, today).number)


def first_guess(person: ByPerson) -> Province:
    """The province that coded the number first: right for most, and corrected by where it sends us."""
    return Province(person.id_number[:2])


def _decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    """Read a body. What is no JSON at all was refused at the door; here a field has the wrong type."""
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        location = str(error).partition("`$")[2].rstrip("`")
        raise FieldRefusedError(f"body{location}", "wrong_type") from error
    except msgspec.DecodeError as error:
        raise RefusedError("JSON_INVALID") from error
