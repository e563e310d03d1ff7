"""Lists by pages: opaque cursors that hold the place of the last entry, `Link` headers (RFC 8288).

A cursor is a place in the order, not a number of entries, so a page never skips what moved up meanwhile.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import Query, Response

from tongban_shared.errors import RefusedError

if TYPE_CHECKING:
    from fastapi import Request

    from tongban_registry.storage.report_sql import Place
    from tongban_registry.storage.reports import Page

LIMIT_MAX = 200
INTEGER_MAX = 2**63 - 1
JSON = "application/json"
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str | None, Query(max_length=500)]


def cursor_of(place: Place) -> str:
    """A place as text for the next question."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode("ascii").rstrip("=")


def place_in(cursor: str | None, *kinds: type[int | str]) -> Place | None:
    """The place in a cursor, of values of these kinds. Raises RefusedError(CURSOR_INVALID)."""
    if cursor is None:
        return None
    try:
        place = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=list)
    except (ValueError, msgspec.DecodeError) as error:
        raise RefusedError("CURSOR_INVALID") from error
    if [type(value) for value in place] != list(kinds) or not all(_storable(value) for value in place):
        raise RefusedError("CURSOR_INVALID")
    return tuple(place)


def _storable(value: int | str) -> bool:
    """What a database takes: numbers of 64 bits, text without U+0000."""
    return "\0" not in value if isinstance(value, str) else abs(value) <= INTEGER_MAX


def listed(request: Request, page: Page, items: Iterable[dict[str, Any]]) -> Response:
    """`{items, next}`, and a Link to the next page: the same question with another cursor."""
    following = cursor_of(page.last) if page.last else None
    body = msgspec.json.encode({"items": list(items), "next": following})
    if following is None:
        return Response(body, media_type=JSON)
    query = urlencode(
        [*((k, v) for k, v in request.query_params.multi_items() if k != "cursor"), ("cursor", following)]
    )
    return Response(body, media_type=JSON, headers={"Link": f'<{request.url.path}?{query}>; rel="next"'})
