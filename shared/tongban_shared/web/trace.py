"""W3C trace context: one trace id per request, through HTTP and Kafka. Source: W3C Trace Context, level 1."""

from __future__ import annotations

import random
import re
from contextvars import ContextVar

# Version ff and all-zero ids are void by the standard.
_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?", re.ASCII
)
_random_bits = random.getrandbits
TRACEPARENT: ContextVar[str] = ContextVar("traceparent")
"""Set by the guard for the time of one request, and by whoever takes a message off the wire."""


def continued(received: bytes | str | None) -> str:
    """Return the traceparent of our own span: a received trace goes on, else one starts."""
    text = received.decode("latin-1") if isinstance(received, bytes) else received
    fresh = _random_bits(192).to_bytes(24, "big").hex()
    if text is None or not _TRACEPARENT.fullmatch(text):
        return f"00-{fresh[:32]}-{fresh[32:]}-01"
    return f"00-{text[3:35]}-{fresh[32:]}-{text[53:55]}"


def traceparent() -> str:
    """Return the traceparent to send onwards; outside a request a new one."""
    return TRACEPARENT.get("") or continued(None)


def trace_id() -> str | None:
    """Return the 32 hex characters of the trace under way, or None outside a request."""
    current = TRACEPARENT.get("")
    return current[3:35] or None
