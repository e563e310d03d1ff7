"""Problems: RFC 9457 bodies with a stable code from the published catalogue, problems.toml.

A problem never repeats a value that was sent, and holds no name, id number or address (domain.md §4.6).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.resources import files
from typing import Any, NamedTuple

import msgspec

from tongban_shared.errors import RefusedError, TongbanError, UnavailableError, WireError
from tongban_shared.web.trace import trace_id

TYPE_PREFIX = "/problems/"
APPEAL = "对本决定不服的，可以自收到之日起六十日内申请行政复议，或者在六个月内提起行政诉讼。"
"""The right of appeal that every refusal names. Source: 行政复议法第二十条, 行政诉讼法第四十六条."""

REASONED_DECISION = "参照行政许可法第三十八条"
"""Who refuses gives the reasons and names the right of appeal, whatever the rule."""

Headers = list[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """One ready HTTP answer, as ASGI wants it."""

    status: int
    headers: Headers
    body: bytes


class FieldRefusedError(RefusedError):
    """One field breaks a rule; where, and which rule, never the value that was sent."""

    def __init__(self, location: str, rule: str) -> None:
        super().__init__("FIELD_INVALID", f"{location}: {rule}")
        self.errors = ({"location": location, "rule": rule},)


class ProblemKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the catalogue; the fields are explained at the head of problems.toml."""

    status: int
    title: str
    detail: str
    legal_basis: str | None = None
    refusal: bool = False
    retryable: bool = False
    retry_after_s: int | None = None


def _load() -> dict[str, ProblemKind]:
    text = files(__package__).joinpath("problems.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, ProblemKind])


PROBLEMS: Mapping[str, ProblemKind] = _load()


def problem(
    code: str,
    *,
    detail: str | None = None,
    instance: str | None = None,
    errors: Sequence[Mapping[str, Any]] | None = None,
    contact: str | None = None,
    retry_after_s: int | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Answer:
    """Return the answer for a code of the catalogue. Raises KeyError for a code that is not published.

    instance: case or trace id; the trace under way unless given. errors: `{location, rule, …}` of each field.
    extra: further members of the body; they can't replace a standard one.
    """
    kind = PROBLEMS[code]
    members = {
        **(extra or {}),
        "type": TYPE_PREFIX + code,
        "title": kind.title,
        "status": kind.status,
        "detail": detail or kind.detail,
        "code": code,
        "instance": instance or trace_id(),
        "legal_basis": kind.legal_basis,
        "contact": contact,
        "appeal": APPEAL if kind.refusal else None,
        "retryable": kind.retryable,
        "errors": errors,
    }
    body = msgspec.json.encode({name: value for name, value in members.items() if value is not None})
    wait_s = retry_after_s if retry_after_s is not None else kind.retry_after_s
    return Answer(kind.status, _headers(body, wait_s), body)


def _headers(body: bytes, wait_s: int | None) -> Headers:
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    if wait_s is not None:
        headers.append((b"retry-after", b"%d" % max(1, wait_s)))
    return headers


def problem_for(error: TongbanError, *, contact: str | None = None) -> Answer:
    """Return the answer for an error of our tree; a defect of ours tells nothing but its trace."""
    code = _published(error)
    if PROBLEMS[code].status >= HTTPStatus.INTERNAL_SERVER_ERROR and not PROBLEMS[code].retryable:
        return problem(code)
    if isinstance(error, RefusedError):
        errors = error.errors if isinstance(error, FieldRefusedError) else None
        detail = error.detail or None
        return problem(code, detail=detail, instance=error.instance, errors=errors, contact=contact)
    wait_s = error.retry_after_s if isinstance(error, UnavailableError) else None
    return problem(code, detail=str(error) or None, contact=contact, retry_after_s=wait_s)


def _published(error: TongbanError) -> str:
    """The error's own code, or the nearest published one: a gap in the catalogue is no reason for a 500."""
    code = error.reason if isinstance(error, RefusedError | WireError) else error.code
    if code in PROBLEMS:
        return code
    return "INPUT_INVALID" if error.http_status < HTTPStatus.INTERNAL_SERVER_ERROR else "INTERNAL"


def refusal_record(code: str, contact: str) -> dict[str, Any]:
    """Return the `refusal` object of a case: code, words, legal basis, contact, appeal.

    A rule without an article of its own is applied by a reasoned decision, whose article stands for it.
    A code that is not published, such as one entered under another version, keeps its code and gets the words
    of NOT_ELIGIBLE: a case is always shown.
    """
    kind = PROBLEMS.get(code, PROBLEMS["NOT_ELIGIBLE"])
    return {
        "code": code,
        "title": kind.title,
        "detail": kind.detail,
        "legal_basis": kind.legal_basis or REASONED_DECISION,
        "contact": contact,
        "appeal": APPEAL,
    }


def published() -> dict[str, dict[str, Any]]:
    """The whole catalogue as plain data, for /problems and for the documentation."""
    return {code: {"code": code, **msgspec.to_builtins(kind)} for code, kind in PROBLEMS.items()}
