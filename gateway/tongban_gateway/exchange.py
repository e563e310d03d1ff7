"""What is passed on to a registry and what is passed back: the same bytes, other headers."""

from __future__ import annotations

import re

from tongban_gateway.upstream import UpstreamRequest, UpstreamResponse
from tongban_shared.ids import PROVINCES, Province
from tongban_shared.web.guard import Scope
from tongban_shared.web.problems import Answer
from tongban_shared.web.trace import traceparent

MOVED_TO = b"x-tongban-moved-to"
"""A registry that is not the holder any more names the next one in this header of its answer."""
ABSENT = b"x-tongban-absent"
"""A registry that has no record under a number says so in this header: it is not the name that is wrong."""

WAIT_S_MAX = 30
# By name, so that nothing slips through: no hop-by-hop header, no forged internal one, and no address of the
# caller, which is personal data that a registry does not need.
PASSED_ON = frozenset(
    {
        *(b"accept", b"accept-language", b"authorization", b"content-type", b"idempotency-key", b"if-match"),
        *(b"if-none-match", b"last-event-id", b"prefer", b"tracestate", b"user-agent"),
        b"x-tongban-officer",
    }
)
NOT_PASSED_BACK = frozenset(
    {
        *(b"connection", b"content-length", b"date", b"keep-alive", b"proxy-authenticate", b"server"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade", b"x-powered-by", MOVED_TO, ABSENT),
    }
)
_WAIT = re.compile(rb"(?:^|[\s,;])wait=([0-9]{1,4})(?![0-9])")


def to_upstream(scope: Scope, body: bytes, answer_timeout_s: float) -> UpstreamRequest:
    """Return the request as the registry gets it; a wait that the caller prefers lengthens the timeout."""
    headers = [header for header in scope["headers"] if header[0] in PASSED_ON]
    for name, value in headers:
        if name == b"prefer":
            answer_timeout_s += preferred_wait_s(value)
    headers.append((b"traceparent", traceparent().encode("ascii")))
    query = scope["query_string"]
    target = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
    return UpstreamRequest(scope["method"], target, headers, body, answer_timeout_s)


def preferred_wait_s(prefer: bytes) -> int:
    """Seconds of `Prefer: wait=N`, at most 30; 0 when it asks for none. Source: RFC 7240."""
    found = _WAIT.search(prefer)
    return min(int(found[1]), WAIT_S_MAX) if found else 0


def to_caller(answer: UpstreamResponse) -> Answer:
    """Return the answer as the caller gets it."""
    headers = [header for header in answer.headers if header[0] not in NOT_PASSED_BACK]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    return Answer(answer.status, headers, answer.body)


def is_absent(answer: UpstreamResponse) -> bool:
    """Whether the registry that answers has no record of the person at all."""
    return any(name == ABSENT for name, _ in answer.headers)


def moved_to(answer: UpstreamResponse) -> Province | None:
    """The province that the answering one names as holder, if it does."""
    for name, value in answer.headers:
        if name == MOVED_TO:
            code = value.decode("latin-1").strip()
            return Province(code) if code in PROVINCES else None
    return None
