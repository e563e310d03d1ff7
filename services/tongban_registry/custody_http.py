"""GET /v1/ops/custody with a challenge: this province's signed statement instead of the operators' page."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from fastapi import Depends, Query, Response

from tongban_registry.paging import JSON
from tongban_shared.commitment_wire import CHALLENGE, PREFIX, PREFIXES_MAX, Counting, Question
from tongban_shared.web.problems import FieldRefusedError

if TYPE_CHECKING:
    from tongban_registry.custody_statements import Statements

LIST_LENGTH_MAX: Final = PREFIXES_MAX * 33
_PREFIX: Final = re.compile(PREFIX)
_DIGEST: Final = re.compile(r"[0-9a-f]{32}")

Challenge = Annotated[
    str | None,
    Query(pattern=CHALLENGE, description="drawn anew by each asker; a statement repeats it"),
]
List = Annotated[str | None, Query(max_length=LIST_LENGTH_MAX)]


async def question(challenge: Challenge = None, prefix: List = None, digest: List = None) -> Question | None:
    """What is asked for, None without a challenge. prefix, digest: several with commas between them.

    Neither of them: the asker has finished.
    """
    if challenge is None:
        return None
    prefixes = () if prefix is None else tuple(prefix.split(","))
    digests = () if digest is None else tuple(digest.split(","))
    if len(prefixes) > PREFIXES_MAX or not all(_PREFIX.fullmatch(one) for one in prefixes):
        raise FieldRefusedError("query.prefix", f"want up to {PREFIXES_MAX} beginnings of digests")
    if len(digests) > PREFIXES_MAX or not all(_DIGEST.fullmatch(one) for one in digests):
        raise FieldRefusedError("query.digest", f"want up to {PREFIXES_MAX} digests of 32 digits")
    return Question(challenge, prefixes, digests)


Asked = Annotated[Question | None, Depends(question)]


async def statement(statements: Statements, asked: Question) -> Response:
    """200 with a signed statement, or 202 while the register is being counted: ask again."""
    said = await statements.answer(asked)
    status = HTTPStatus.ACCEPTED if isinstance(said, Counting) else HTTPStatus.OK
    return Response(msgspec.json.encode(said), status, media_type=JSON)
