"""Bodies in and out of the ledger: what breaks its form is refused, and never repeated."""

from __future__ import annotations

import re
from typing import Final, TypeVar

import msgspec
from fastapi import Response

from tongban_shared.errors import RefusedError

# Where in the body the fault is; the rest of the decoder's words may repeat a name that was sent.
PLACE_OF_FAULT: Final = re.compile(r"at `([$a-z0-9_.\[\]]{1,80})`")
Question = TypeVar("Question")


def decode(body: bytes, decoder: msgspec.json.Decoder[Question]) -> Question:
    """Read a body. Raises RefusedError(FIELD_INVALID) that says where."""
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        place = PLACE_OF_FAULT.search(str(error))
        raise RefusedError(
            "FIELD_INVALID", f"the body breaks its form at {place[1] if place else '$'}"
        ) from error


def answer(body: msgspec.Struct) -> Response:
    """Write a body."""
    return Response(msgspec.json.encode(body), media_type="application/json")
