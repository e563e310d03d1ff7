"""What outsiders were told, and whether it can all be true. Pure; knows neither services nor databases.

Each answer took its time, from `begin_s` to `end_s` on one clock; what it says was true at some moment in it.
So only an answer that had ended before another one began came earlier. Source: guards.md §2, protocol.md §4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

TWO_PROVINCES = "two provinces at one epoch"
EPOCH_BACK = "an epoch that goes back"
NOBODY = "none for a registered person"
GONE = "an acknowledged request that is gone"
CHANGED = "a case that had ended has another end"
UNASKED = "a case that nobody asked for"
ELSEWHERE = "a person whose home is not where the cases led"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one person. person: a number of ours; province: None where it was "none".

    source: who said so, for the reader of a fault.
    """

    person: int
    begin_s: float
    end_s: float
    province: str | None
    epoch: int = 0
    source: str = ""


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that can't be true. kind: one of this module's constants."""

    kind: str
    text: str


@dataclass(slots=True)
class Request:
    """One application that was acknowledged. asked_s: when it was handed in first; then when it was taken.

    ended: the end that was shown to the applicant, None before.
    """

    case_id: str
    persons: Sequence[int]
    origin: str
    destination: str
    asked_s: float
    acknowledged_s: float
    ended: str | None = None
    ended_s: float = 0.0


@dataclass(slots=True)
class History:
    """Everything that was heard, in the order in which it was heard."""

    answers: list[Answer] = field(default_factory=list)
    requests: dict[str, Request] = field(default_factory=dict)


def wrong_answers(answers: Iterable[Answer]) -> list[Wrong]:
    """Every answer that contradicts another one, or says "none"."""
    wrong: list[Wrong] = []
    by_person: dict[int, list[Answer]] = {}
    for answer in answers:
        by_person.setdefault(answer.person, []).append(answer)
    for person, told in by_person.items():
        somewhere = [answer for answer in told if answer.province is not None]
        wrong += (Wrong(NOBODY, f"person {person}: {text}") for text in _nowhere(told))
        wrong += (Wrong(TWO_PROVINCES, f"person {person}: {text}") for text in _two_provinces(somewhere))
        wrong += (Wrong(EPOCH_BACK, f"person {person}: {text}") for text in _epochs_back(somewhere))
    return wrong


def _nowhere(told: Sequence[Answer]) -> Iterable[str]:
    """With what was said just before and just after it."""
    ordered = sorted(told, key=lambda answer: answer.begin_s)
    for place, answer in enumerate(ordered):
        if answer.province is None:
            yield ", then ".join(_told(one) for one in ordered[max(0, place - 1) : place + 2])


def _two_provinces(told: Sequence[Answer]) -> Iterable[str]:
    first: dict[int, Answer] = {}
    for answer in told:
        known = first.setdefault(answer.epoch, answer)
        if known.province != answer.province:
            yield f"{_told(known)}, and {_told(answer)}"


def _epochs_back(told: Sequence[Answer]) -> Iterable[str]:
    """Against the highest epoch among all answers that had ended before this one began."""
    by_end = sorted(told, key=lambda answer: answer.end_s)
    ended, highest = 0, None
    for answer in sorted(told, key=lambda answer: answer.begin_s):
        while ended < len(by_end) and by_end[ended].end_s < answer.begin_s:
            before = by_end[ended]
            highest = before if highest is None or before.epoch > highest.epoch else highest
            ended += 1
        if highest is not None and answer.epoch < highest.epoch:
            yield f"{_told(highest)}, and later {_told(answer)}"


def _told(answer: Answer) -> str:
    where = "nowhere" if answer.province is None else f"{answer.province} epoch {answer.epoch}"
    source = f" by {answer.source}" if answer.source else ""
    return f"{where}{source} at {answer.begin_s:.3f}–{answer.end_s:.3f}"


def wrong_requests(requests: Mapping[str, Request], known: Mapping[str, str]) -> list[Wrong]:
    """Compare what was acknowledged with what the registers hold. known: case → its end, "" while open."""
    wrong = [Wrong(GONE, case_id) for case_id in requests if case_id not in known]
    wrong += (Wrong(UNASKED, case_id) for case_id in known if case_id not in requests)
    for case_id, request in requests.items():
        if request.ended is not None and known.get(case_id, request.ended) != request.ended:
            wrong.append(Wrong(CHANGED, f"{case_id}: {request.ended}, now {known[case_id] or 'open'}"))
    return wrong


@dataclass(frozen=True, slots=True)
class Home:
    """Where somebody is registered, and since how many moves."""

    province: str
    epoch: int


def homes_due(first: Mapping[int, str], requests: Iterable[Request], completed: str) -> dict[int, Home]:
    """Where everybody must be. first: the homes at the beginning; requests: in the order of their ends."""
    homes = {person: Home(province, 0) for person, province in first.items()}
    for request in requests:
        if request.ended == completed:
            for person in request.persons:
                homes[person] = Home(request.destination, homes[person].epoch + 1)
    return homes


def wrong_homes(due: Mapping[int, Home], found: Mapping[int, Home]) -> list[Wrong]:
    """Compare where everybody must be with where the ledger has them."""
    return [
        Wrong(ELSEWHERE, f"person {person}: {_at(found.get(person))}, must be {_at(home)}")
        for person, home in due.items()
        if found.get(person) != home
    ]


def _at(home: Home | None) -> str:
    return "nowhere" if home is None else f"{home.province} epoch {home.epoch}"
