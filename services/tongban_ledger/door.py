"""Who calls, and is it really they? Every call is signed by an owner of the public key list."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Final, NamedTuple

from fastapi import Request

from tongban_shared.errors import RefusedError, WireError
from tongban_shared.ledger_wire import (
    CREATED_HEADER,
    KEY_HEADER,
    OWNER_HEADER,
    SIGNATURE_HEADER,
    WINDOW_S,
    signed_bytes,
)
from tongban_shared.ports import Verifier

DIGITS_MAX: Final = 12


class Call(NamedTuple):
    """A call whose signature was verified."""

    owner: str
    body: bytes


class Door:
    """Verifies signatures; `now` is in Unix seconds."""

    def __init__(self, verifier: Verifier, now: Callable[[], float]) -> None:
        self._verifier = verifier
        self._now = now

    async def enter(self, request: Request) -> Call:
        """Return the caller and the body. Raises RefusedError(UNAUTHENTICATED).

        A call repeated by somebody who overheard it within the window changes nothing: all are idempotent.
        """
        body = await request.body()
        owner, key_id, created, signature = (
            request.headers.get(name, "")
            for name in (OWNER_HEADER, KEY_HEADER, CREATED_HEADER, SIGNATURE_HEADER)
        )
        if not self._is_recent(created):
            raise RefusedError("UNAUTHENTICATED", "the call's time is missing or too far from ours")
        signed = signed_bytes(request.method, request.url.path, created, body)
        try:
            self._verifier.verify(owner, key_id, signed, base64.b64decode(signature, validate=True))
        except (WireError, binascii.Error) as error:
            raise RefusedError("UNAUTHENTICATED", "the call's signature is missing or wrong") from error
        return Call(owner, body)

    def _is_recent(self, created: str) -> bool:
        if not (created.isascii() and created.isdigit() and len(created) <= DIGITS_MAX):
            return False
        return abs(self._now() - int(created)) <= WINDOW_S
