"""What is asked and said in the proof that everybody has exactly one home: bodies, paths, what is signed.

A statement holds digests, epochs, states and case numbers, and neither person keys nor anything personal.
Freshness needs no clock: the statement repeats the challenge that its asker drew for this run (C4).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec

from tongban_shared.commitment import Claim, Keyed, Sum, Sums, Tally
from tongban_shared.errors import TongbanError, WireError
from tongban_shared.ledger_wire import Body, Digest, Head
from tongban_shared.ports import Signer, Verifier

CUSTODY_PATH: Final = "/v1/ops/custody"
SUMS_PATH: Final = "/v1/custody/sums"
LINES_PATH: Final = "/v1/custody/lines"
LABEL: Final = b"tongban custody statement v1\n"
"""Goes before what is signed, so that no statement can be taken for anything else, nor a thing for one."""
CHALLENGE: Final = "^[0-9a-f]{32}$"
PREFIX: Final = "^[0-9a-f]{0,32}$"
PREFIXES_MAX: Final = 60
"""Prefixes or digests in one question to a registry: they stand in a URL, and 60 make two kilobytes."""
LEDGER_PREFIXES_MAX: Final = 256
LEDGER_DIGESTS_MAX: Final = 1_000


class StatementError(TongbanError):
    """A statement that is not believed; `reason` is a stable code.

    BAD_SIGNATURE, UNKNOWN_KEY, WRONG_PROVINCE, BAD_BODY; STALE: an answer to another run or question.
    """

    code = "STATEMENT_REFUSED"

    def __init__(self, reason: str, province: str) -> None:
        super().__init__(f"{reason}: statement of {province}")
        self.reason = reason


class Part(msgspec.Struct, frozen=True, array_like=True):
    """The sum of one holder's claims under a prefix; `total` in hexadecimal digits."""

    prefix: str
    holder: str
    count: int
    total: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Listed(msgspec.Struct, frozen=True, array_like=True):
    """One claim, and in a province's words the state and the case of the row that makes it."""

    digest: str
    epoch: int
    holder: str
    state: str = ""
    case_id: str | None = None


class Node(msgspec.Struct, frozen=True):
    """What is said of one prefix: the sums of its parts, or, of few persons, the claims themselves."""

    prefix: str
    parts: tuple[Part, ...] = ()
    claims: tuple[Listed, ...] | None = None

    def sums(self, keyed: Keyed) -> Sums:
        """The sums of its parts, whichever way it is said."""
        if self.claims is None:
            return _sums(self.parts)
        tally = Tally(keyed, self.prefix)
        tally.add([Claim(one.digest, one.epoch, one.holder) for one in self.claims])
        return tally.sums()


class Row(msgspec.Struct, frozen=True):
    """One register's row of a person: as it stands there, whatever it says.

    to: where the person goes, by the row or by its case. step: the internal state of that case, None when no
    open case moves the person.
    """

    digest: str
    epoch: int
    state: str
    to: str | None = None
    case_id: str | None = None
    step: str | None = None


class Transfer(msgspec.Struct, frozen=True):
    """Somebody whom this province is handing over. owner: whose move it is. Ages in seconds."""

    digest: str
    epoch: int
    state: str
    to: str | None
    case_id: str | None
    owner: str | None
    age_s: int | None


class Transfers(msgspec.Struct, frozen=True):
    """Everybody in transfer whose origin this province is: how many, and the oldest."""

    total: int
    without_case: int
    oldest: tuple[Transfer, ...]


class Statement(msgspec.Struct, frozen=True):
    """What a province says. rows: of the persons asked for by digest, those that the register knows."""

    province: str
    challenge: str
    as_of: str
    nodes: tuple[Node, ...] = ()
    digests: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    people: Mapping[str, int] = {}
    transfers: Transfers | None = None


class Signed(msgspec.Struct, frozen=True):
    """A statement as text, and the province's signature under exactly this text."""

    statement: str
    owner: str
    key_id: str
    signature: str


class Counting(msgspec.Struct, frozen=True):
    """Not yet: so many rows are read. Ask again."""

    counted: int


class Question(msgspec.Struct, frozen=True):
    """What a province is asked: prefixes of digests ("" is the whole register), or whole digests."""

    challenge: str
    prefixes: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


class SumsAsked(Body, frozen=True):
    """The ledger is asked for sums, under the key of the night; it keeps no secret of its own."""

    key: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    prefixes: Annotated[
        tuple[Annotated[str, msgspec.Meta(pattern=PREFIX)], ...], msgspec.Meta(max_length=LEDGER_PREFIXES_MAX)
    ]


class SumsFound(msgspec.Struct, frozen=True):
    """The ledger's nodes, each of one moment, and the head of its log when the last was read."""

    head: Head
    nodes: tuple[Node, ...]


class LinesAsked(Body, frozen=True):
    """The ledger is asked for everything that it ever entered of these persons."""

    digests: Annotated[tuple[Digest, ...], msgspec.Meta(max_length=LEDGER_DIGESTS_MAX)]


class Line(msgspec.Struct, frozen=True, array_like=True):
    """By this case `holder` took the person at `epoch`; of a first registration there is no case."""

    digest: str
    epoch: int
    holder: str
    case_id: str


class Now(msgspec.Struct, frozen=True, array_like=True):
    """The newest entry of a person."""

    digest: str
    epoch: int
    holder: str


class LinesFound(msgspec.Struct, frozen=True):
    """Newest entries, and all lines of the log in order of epoch."""

    newest: tuple[Now, ...]
    lines: tuple[Line, ...]


def node_of(prefix: str, sums: Sums) -> Node:
    """The sums of a prefix as they are said."""
    parts = (
        Part(part, holder, found.count, f"{found.total:064x}")
        for part, by_holder in sorted(sums.items())
        for holder, found in sorted(by_holder.items())
    )
    return Node(prefix, tuple(parts))


def _sums(parts: Sequence[Part]) -> Sums:
    found: dict[str, dict[str, Sum]] = {}
    for part in parts:
        found.setdefault(part.prefix, {})[part.holder] = Sum(part.count, int(part.total, 16))
    return found


def sign(signer: Signer, statement: Statement) -> Signed:
    """Put the province's signature under a statement."""
    text = msgspec.json.encode(statement).decode()
    signature = base64.b64encode(signer.sign(LABEL + text.encode())).decode("ascii")
    return Signed(text, signer.owner, signer.key_id, signature)


def opened(verifier: Verifier, signed: Signed, province: str, question: Question) -> Statement:
    """The statement, if this province signed it in answer to this question.

    Raises StatementError; STALE: it answers another challenge, or another question.
    """
    if signed.owner != province:
        raise StatementError("WRONG_PROVINCE", signed.owner)
    try:
        signature = base64.b64decode(signed.signature, validate=True)
        verifier.verify(province, signed.key_id, LABEL + signed.statement.encode(), signature)
        statement = msgspec.json.decode(signed.statement, type=Statement)
    except binascii.Error as error:
        raise StatementError("BAD_SIGNATURE", province) from error
    except WireError as error:
        raise StatementError(error.reason, province) from error
    except msgspec.DecodeError as error:
        raise StatementError("BAD_BODY", province) from error
    prefixes = tuple(node.prefix for node in statement.nodes)
    answers = Question(statement.challenge, prefixes, statement.digests)
    if statement.province != province or answers != question:
        raise StatementError("STALE", province)
    return statement
