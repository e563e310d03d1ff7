"""How every failure becomes a problem: our error tree and FastAPI's own errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tongban_shared.errors import TongbanError
from tongban_shared.web.problems import Answer, problem, problem_for

_CODE_OF_STATUS = {
    400: "JSON_INVALID",
    401: "UNAUTHENTICATED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    406: "NOT_ACCEPTABLE",
    412: "PRECONDITION_FAILED",
    413: "BODY_TOO_LARGE",
    415: "MEDIA_TYPE",
    428: "PRECONDITION_REQUIRED",
    429: "OVERLOADED",
    503: "UNAVAILABLE",
}
_KEPT_HEADERS = frozenset({"allow", "retry-after", "www-authenticate"})
# Rules whose text is written by a validator and might repeat what was sent.
_OWN_WORDS = frozenset({"value_error", "assertion_error"})
# What a caller may name a field; anything else in a location may be a value put where a name belongs.
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z_-]{0,40}[0-9]{0,2}")
_LIMITS = frozenset(
    {"ge", "gt", "le", "lt", "max_length", "min_length", "multiple_of", "pattern", "expected"}
)


def add_handlers(app: FastAPI) -> None:
    """Answer every error that FastAPI or an endpoint raises as problem+json."""

    @app.exception_handler(TongbanError)
    async def on_our_error(_: Request, error: TongbanError) -> Response:
        return as_response(problem_for(error))

    @app.exception_handler(RequestValidationError)
    async def on_invalid_fields(_: Request, error: RequestValidationError) -> Response:
        return as_response(_field_problem(error))

    @app.exception_handler(HTTPException)
    async def on_http_error(_: Request, error: HTTPException) -> Response:
        return as_response(_http_problem(error))


def as_response(answer: Answer) -> Response:
    """One ready answer as a FastAPI response."""
    response = Response(answer.body, answer.status)
    response.raw_headers = answer.headers
    return response


def _field_problem(error: RequestValidationError) -> Answer:
    faults = error.errors()
    if any(fault["type"] == "json_invalid" for fault in faults):
        return problem("JSON_INVALID")
    return problem("FIELD_INVALID", errors=[_field_error(fault) for fault in faults])


def _field_error(fault: Mapping[str, Any]) -> dict[str, Any]:
    """Location, rule, words and limits of one fault; never the value that was sent."""
    limits = {name: value for name, value in fault.get("ctx", {}).items() if name in _LIMITS}
    return {
        "location": ".".join(_location_part(part) for part in fault["loc"]),
        "rule": fault["type"],
        "message": "breaks a rule of this field" if fault["type"] in _OWN_WORDS else fault["msg"],
        **({"limits": limits} if limits else {}),
    }


def _location_part(part: object) -> str:
    if isinstance(part, int):
        return str(part)
    return str(part) if _FIELD_NAME.fullmatch(str(part)) else "*"


def _http_problem(error: HTTPException) -> Answer:
    server_side = error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    answer = problem(_CODE_OF_STATUS.get(error.status_code, "INTERNAL" if server_side else "INPUT_INVALID"))
    kept = ((name.lower(), value) for name, value in (error.headers or {}).items())
    answer.headers.extend((name.encode(), value.encode()) for name, value in kept if name in _KEPT_HEADERS)
    return answer
