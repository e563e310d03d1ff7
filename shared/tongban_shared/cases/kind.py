"""What a case type is: a table of steps, pure rules, and the checks that run when the program starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from tongban_shared.documents.paper import Paper
from tongban_shared.documents.verify import Status
from tongban_shared.errors import CaseTableError
from tongban_shared.ids import CaseId
from tongban_shared.messages.envelope import Body
from tongban_shared.registration import Surroundings
from tongban_shared.wire import Opened
from tongban_shared.working_days import Stop


class Side(StrEnum):
    """Which side of a case this registry is on."""

    ORIGIN = "ORIGIN"
    DESTINATION = "DESTINATION"


class Waits(StrEnum):
    """Whose move it is."""

    ORIGIN = "ORIGIN"
    DESTINATION = "DESTINATION"
    OFFICER = "OFFICER"
    APPLICANT = "APPLICANT"
    LEDGER = "LEDGER"
    THIRD_PARTY = "THIRD_PARTY"
    NOBODY = "NOBODY"


NEW = "NEW"
LIMIT = "limit"
OK = "ok"
# Verbs by which nobody changes hands: documents, and entries of people who stay in the province.
STAYS = frozenset({"issue", "revoke", "report_lost", "hand_over", "change", "keep"})
# Verbs that make a first registration: only what the ledger has entered may be written.
FIRST = frozenset({"enter"})


def h(hours: int) -> timedelta:
    """Hours of a technical limit."""
    return timedelta(hours=hours)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a case table. `state` may name several states that take the message alike.

    writes: verb of the register or None. sends: a message to the other side, "ledger.…" for the custody ledger.
    limit: how long the next state may last before it becomes a message to oneself; None only when terminal.
    A limit given as text is a rule of the case type (`limits`).
    """

    side: Side
    state: str | tuple[str, ...]
    message: str
    verdict: str
    writes: str | None
    sends: str | None
    next: str
    waits: Waits
    limit: timedelta | str | None
    source: str

    def states(self) -> tuple[str, ...]:
        """The states in which this line holds."""
        return (self.state,) if isinstance(self.state, str) else self.state


class Case(msgspec.Struct, frozen=True):
    """One case (办件) as one side knows it. `data` is the case type's own frozen record.

    promised_at, statutory_at: until when it is to be decided; None where nothing is promised, and while the
    clock stands still, since `stopped_at`. stops: those that have ended. accepted_by: the officer who took it in.
    """

    id: CaseId
    kind: str
    side: Side
    state: str
    version: int
    item: str
    origin: str | None
    destination: str
    persons: tuple[str, ...]
    data: Any
    opened_at: datetime
    due_at: datetime | None = None
    closed_at: datetime | None = None
    waits: Waits = Waits.NOBODY
    refusal: str | None = None
    retry_at: datetime | None = None
    promised_at: datetime | None = None
    statutory_at: datetime | None = None
    stopped_at: datetime | None = None
    stops: tuple[Stop, ...] = ()
    accepted_by: str | None = None

    def other_side(self) -> str | None:
        """The province on the other end."""
        return self.origin if self.side is Side.DESTINATION else self.destination


class Event(msgspec.Struct, frozen=True):
    """What happened: a message from the other side, a command at the door, a passed limit, a ledger's answer.

    stamp: a number that this registry never gave before; document numbers are made of it. bound: a certificate
    that encloses this province's own signed acceptance, whatever this province may have forgotten.
    """

    name: str
    case_id: CaseId
    at: datetime
    stamp: int
    body: Any = None
    message_id: str | None = None
    sender: str | None = None
    opened: Opened | None = None
    bundle: bytes | None = None
    officer: str | None = None
    bound: bool = False

    @property
    def proof(self) -> str:
        """The message cut out with its path, base64: verifiable alone; empty for what is not a message."""
        return "" if self.opened is None else self.opened.proof

    def __repr__(self) -> str:
        """Without body and bundle, which may be personal."""
        return f"Event({self.name}, case {self.case_id})"


class Verdict(msgspec.Struct, frozen=True):
    """What the rules say of an event: the table's verdict column, and a refusal code where one belongs."""

    name: str = OK
    code: str | None = None
    retry_at: datetime | None = None


class Draft(msgspec.Struct, frozen=True):
    """A message to send, still without envelope. `bundle` is sealed for the receiver by the shell.

    encloses: the identifier of a document of this registry, issued by this step or before; what is signed only
    after the decision can be enclosed by the shell alone (EN1).
    """

    to: str
    body: Body | None
    bundle: bytes | None = None
    encloses: str | None = None

    def __repr__(self) -> str:
        """Without body and bundle, which may be personal."""
        return f"Draft(to {self.to})"


def from_other_side(case: Case, event: Event) -> bool | None:
    """Whether a message is from whom it must be from; None: that is not known yet."""
    other = case.other_side()
    return None if other is None else event.sender == other


def nobody_retired(_case: Case, _event: Event) -> bool:
    """Nobody who was asked before speaks again."""
    return False


def no_voids(_case: Case, _around: Surroundings) -> Mapping[str, Status]:
    """What is issued leaves every other document as it is."""
    return {}


def about_none(_case: Case) -> str:
    """It stands for itself."""
    return ""


def logs_nothing(_case: Case, _event: Event) -> str:
    """No other case is told of it."""
    return ""


Judge = Callable[[Case, Event, Surroundings], Verdict]
Amend = Callable[[Case, Event, Surroundings, Verdict], Case]
Compose = Callable[[Case, Event, Surroundings], tuple[Case, Draft]]
Opening = Callable[[Event, Surroundings], Case]
Limit = Callable[[Case, Event, Surroundings], datetime]
MakePaper = Callable[[Case, Event, Surroundings], Paper]
Variant = Callable[[Case], str | None]
Hears = Callable[[Case, Event], bool | None]
Retired = Callable[[Case, Event], Draft | bool]
About = Callable[[Case], str]
Logs = Callable[[Case, Event], str]
Voids = Callable[[Case, Surroundings], Mapping[str, Status]]
Steps = Mapping[tuple[Side, str, str, str], Step]


@dataclass(frozen=True, slots=True)
class Reads:
    """Messages, by name, that need more than their case: register rows, household members, forms, certificates.

    papers: the persons' documents that are current. under_way: their open cases of types that count.
    transfers: the cases that the persons are frozen for, which may end by this one.
    """

    persons: frozenset[str]
    members: frozenset[str] = frozenset()
    records: frozenset[str] = frozenset()
    proofs: frozenset[str] = frozenset()
    papers: frozenset[str] = frozenset()
    under_way: frozenset[str] = frozenset()
    transfers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class CaseKind:
    """A case type: its table, and per message the pure rules that the table's columns name.

    data: what `Case.data` is, kept as JSON. opens: message → the new case it begins. judges: message → verdict
    (none: "ok"). amends: message → the case that remembers it. composes: what is sent → the case that remembers
    it, and the draft. limits: named limits → when they pass.
    late: (state, message) pairs of a message overtaken by events: taken, receipted, without effect.
    shows: the view's parts that are this type's own, `documents` among them. discloses: messages that tell the
    other side of a person, and verbs that change their entries, for that person's access log. counted: sides on
    which an open case of this type is looked up by its persons, who have one at a time. paper: the document that
    `issue` signs. voids: documents that hold no more once that is issued. reports: what a window tells of a case
    under way (制证, 领取 …). variant: which item of its type a case is; None: its other side's mirror is of none.
    hears: whom a message of a known case must be from. retired: what somebody is told who is not asked any more
    and speaks again, by a past that was put back; True: nothing. It changes nothing here. about: the number of
    another case, or nothing. logs: what the timeline of that one is told of an event, or nothing; it changes in
    nothing else.
    """

    name: str
    data: type[msgspec.Struct]
    reads: Reads
    steps: Steps
    opens: Mapping[str, Opening]
    judges: Mapping[str, Judge]
    amends: Mapping[str, Amend]
    composes: Mapping[str, Compose]
    limits: Mapping[str, Limit]
    late: frozenset[tuple[Side, str, str]]
    terminal: frozenset[str]
    public: Mapping[str, str]
    shows: Callable[[Case], Mapping[str, Any]]
    discloses: frozenset[str]
    counted: frozenset[Side] = frozenset()
    paper: MakePaper | None = None
    voids: Voids = no_voids
    reports: frozenset[str] = frozenset()
    variant: Variant | None = None
    hears: Hears = from_other_side
    retired: Retired = nobody_retired
    about: About = about_none
    logs: Logs = logs_nothing


def index_steps(steps: Sequence[Step]) -> Steps:
    """Key each line by side, state, message and verdict. Raises CaseTableError if two lines overlap."""
    table: dict[tuple[Side, str, str, str], Step] = {}
    for step in steps:
        for state in step.states():
            key = (step.side, state, step.message, step.verdict)
            if key in table:
                raise CaseTableError(f"two lines for {key}")
            table[key] = step
    return table


def check_table(steps: Sequence[Step], terminal: Iterable[str]) -> None:
    """Refuse a table that could lose or double a person, or let anybody wait for ever.

    Where the register is written: one hand-over only, by the origin, after the ledger took it; what the
    destination accepted it gives up only on the origin's cancel; each state that is not terminal has an owner, a
    limit and a line for its passing.
    """
    ends = frozenset(terminal)
    if any(step.writes is not None and step.writes not in STAYS | FIRST for step in steps):
        _check_hand_over(steps)
    _check_first(steps)
    for step in steps:
        if (step.next in ends) != (step.limit is None):
            raise CaseTableError(
                f"{step.next} after {step.message}: a limit belongs to open states, and only there"
            )
        if (step.next in ends) != (step.waits is Waits.NOBODY):
            raise CaseTableError(
                f"{step.next} after {step.message}: whose move is it? Nobody's, only at the end"
            )
        if step.writes == "drop" and step.message != "cancel":
            raise CaseTableError(f"{step.message} drops what was accepted; only the origin's cancel may")
    limited = {(step.side, state) for step in steps if step.message == LIMIT for state in step.states()}
    for step in steps:
        if step.next not in ends and (step.side, step.next) not in limited:
            raise CaseTableError(f"{step.side} {step.next}: nothing happens when its limit passes")


def _check_first(steps: Sequence[Step]) -> None:
    """A first holder is written when the ledger has entered the person, and never before."""
    for step in steps:
        if step.writes in FIRST and step.message != "entered":
            raise CaseTableError(f"{step.message} can't make a first holder; only the ledger's word does")


def _check_hand_over(steps: Sequence[Step]) -> None:
    """The registration changes hands by one verb, on the origin's side, from the state that asked the ledger."""
    releases = [step for step in steps if step.writes == "release"]
    asking = {step.next for step in steps if step.sends == "ledger.append"}
    if {step.side for step in releases} != {Side.ORIGIN}:
        raise CaseTableError("want one hand-over, by the origin")
    for step in releases:
        if not set(step.states()) <= asking or step.sends != "certificate":
            raise CaseTableError("a release follows the ledger's word and sends the certificate")
    for step in steps:
        if step.writes == "hold" and step.message not in {"certificate", "inquire"}:
            raise CaseTableError(f"{step.message} can't make a holder; only a certificate does")
        if step.writes == "resume" and step.message != "located":
            raise CaseTableError(f"{step.message} can't bring a holder back; only the ledger's word does")
        if step.writes == "yield" and step.message != "recovered":
            raise CaseTableError(
                f"{step.message} can't give anybody up; only what the ledger has entered does"
            )
