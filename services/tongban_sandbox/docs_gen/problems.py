"""The published problem codes as a page."""

from __future__ import annotations

from collections.abc import Sequence

from tongban_sandbox.docs_gen.text import code, page, table
from tongban_shared.web.problems import APPEAL, PROBLEMS, TYPE_PREFIX, ProblemKind

SOURCE = "shared/tongban_shared/web/problems.toml"
HEAD = ("code", "status", "title", "default detail", "legal basis", "repeat")

INTRODUCTION = f"""Every error is `application/problem+json` (RFC 9457) with one of these codes; its
`type` is `{TYPE_PREFIX}<code>`, and that address serves the entry. A code is never reused for something
else. No problem repeats a value that was sent. `repeat`: whether the same request may succeed later, and
the wait that `Retry-After` proposes when nothing better is known. Codes marked as a decision also carry
the words of the right of appeal: {APPEAL}"""


def problems_page() -> str:
    """docs/problems.md."""
    rows = [_row(name, kind) for name, kind in PROBLEMS.items()]
    return page("Problem codes", SOURCE, [INTRODUCTION, table(HEAD, rows)])


def _row(name: str, kind: ProblemKind) -> Sequence[str]:
    detail = kind.detail + (" (a decision)" if kind.refusal else "")
    return code(name), str(kind.status), kind.title, detail, kind.legal_basis or "", _repeat(kind)


def _repeat(kind: ProblemKind) -> str:
    if not kind.retryable:
        return "no"
    return f"after {kind.retry_after_s} s" if kind.retry_after_s is not None else "later"
