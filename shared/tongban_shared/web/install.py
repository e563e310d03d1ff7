"""One call that gives a FastAPI application the house's manners."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from fastapi import FastAPI

from tongban_shared.web.docs import add_docs, add_problem_catalogue
from tongban_shared.web.guard import Guard
from tongban_shared.web.handlers import add_handlers

PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457 problem with a stable code; the codes are published at /problems.",
    "type": "object",
    "required": ["type", "title", "status", "code", "retryable"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string", "description": "in Chinese, for people"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "pattern": "^[A-Z][A-Z0-9_]+$"},
        "instance": {"type": "string", "description": "case or trace id"},
        "legal_basis": {"type": "string"},
        "contact": {"type": "string"},
        "appeal": {"type": "string", "description": "right of appeal against a refusal"},
        "retryable": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["location", "rule"],
                "properties": {
                    "location": {"type": "string"},
                    "rule": {"type": "string"},
                    "message": {"type": "string"},
                    "limits": {"type": "object"},
                },
            },
        },
    },
}
_PROBLEM_ANSWER = {
    "description": "Problem",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


class Lifespan(Protocol):
    """What FastAPI runs round the life of an application."""

    def __call__(self, app: FastAPI, /) -> AbstractAsyncContextManager[None]:
        """Enter at start, leave at stop."""
        ...


def new_app(
    title: str, version: str, *, lifespan: Lifespan | None = None, openapi_url: str | None = "/openapi.json"
) -> FastAPI:
    """Make a FastAPI application without the pages and redirects that FastAPI adds by itself."""
    return FastAPI(
        title=title,
        version=version,
        lifespan=lifespan,
        openapi_url=openapi_url,
        docs_url=None,
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
    )


def install(app: FastAPI, *, docs: bool = False, guard: bool = True) -> None:
    """Answer errors as problems and put the guard in front; with `docs`, serve the interactive page too.

    guard: False only where one stands further out already, as in the gateway.
    """
    add_handlers(app)
    add_problem_catalogue(app)
    if docs:
        add_docs(app)
    if guard:
        app.add_middleware(Guard)
    _describe_problems(app)


def _describe_problems(app: FastAPI) -> None:
    """Make the OpenAPI document tell the truth: every operation may answer with a problem."""
    original = app.openapi

    def openapi() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        schema = original()
        if fresh:
            _with_problems(schema)
        return schema

    # FastAPI documents this assignment as the way to extend the schema.
    app.openapi = openapi  # type: ignore[method-assign]


def _with_problems(schema: dict[str, Any]) -> None:
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM_SCHEMA
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for path in schema.get("paths", {}).values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = _PROBLEM_ANSWER
