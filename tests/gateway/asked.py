"""Requests to a registry, and how they fail."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from tongban_gateway.upstream import Failure, UpstreamFailedError, UpstreamRequest, UpstreamResponse

TIMEOUT_S = 20.0


def get(target: bytes = b"/x", timeout_s: float = TIMEOUT_S) -> UpstreamRequest:
    """A read."""
    return UpstreamRequest("GET", target, [(b"accept", b"application/json")], b"", timeout_s)


def post(body: bytes = b"{}") -> UpstreamRequest:
    """A write."""
    return UpstreamRequest("POST", b"/x", [(b"content-type", b"application/json")], body, TIMEOUT_S)


async def failure_of(sending: Awaitable[UpstreamResponse]) -> Failure:
    """How a request failed."""
    with pytest.raises(UpstreamFailedError) as error:
        await sending
    return error.value.failure
