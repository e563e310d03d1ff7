"""Requests about a person: the ledger tells the holder, the holder answers, or else the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import msgspec

from tongban_gateway.exchange import is_absent, moved_to, to_caller
from tongban_gateway.forward import Forwarder, ProvinceAwayError
from tongban_gateway.monitor import Monitor
from tongban_gateway.routing import ByPerson, first_guess
from tongban_gateway.upstream import UpstreamRequest, UpstreamResponse
from tongban_shared import ids
from tongban_shared.clock import BEIJING
from tongban_shared.errors import LedgerDownError, RefusedError
from tongban_shared.ids import Province
from tongban_shared.ports import Clock, Custody, Ledger
from tongban_shared.web.problems import Answer, problem_for

HOPS_MAX = 8
"""How many provinces are asked along the pointers that a person who moves often has left behind."""


class _Said(msgspec.Struct):
    state: str = ""
    epoch: int | None = None


_read_said = msgspec.json.Decoder(_Said).decode


def _points_back(answer: UpstreamResponse) -> bool:
    """Whether a province says that it is to hold the person, but that the origin still answers (PREPARED)."""
    if moved_to(answer) is None:
        return False
    try:
        return _read_said(answer.body).state == "ASK_ORIGIN"
    except msgspec.DecodeError:
        return True


def _epoch(answer: UpstreamResponse) -> int | None:
    try:
        return _read_said(answer.body).epoch
    except msgspec.DecodeError:
        return None


def _is_better(answer: UpstreamResponse, best: UpstreamResponse) -> bool:
    """Whether the next province along the pointers knows more: it holds the person, or has moved it on."""
    if answer.status != HTTPStatus.OK:
        return False
    if moved_to(answer) is None or _points_back(best):
        return True
    return not _points_back(answer) and (_epoch(answer) or 0) > (_epoch(best) or 0)


@dataclass(frozen=True, slots=True)
class Trail:
    """The best answer along the pointers. complete: every province that they led to has answered."""

    answer: UpstreamResponse
    complete: bool


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What the ledger said. asked: False when it was down, so that nothing can be said of who is absent."""

    custody: Custody | None
    asked: bool
    province: Province


def _is_missing(where: Whereabouts, answer: UpstreamResponse) -> bool:
    """Whether the ledger has entered somebody of whom the registry, put back, has no record yet (G1)."""
    return where.custody is not None and is_absent(answer)


class People:
    """Finds the holder anew for each request: who has just moved is found at once, for nothing is kept.

    The ledger's client gathers questions that come at the same moment into one call.
    """

    def __init__(
        self, forwarder: Forwarder, ledger: Ledger, person_secret: bytes, *, clock: Clock, monitor: Monitor
    ) -> None:
        self._forwarder = forwarder
        self._ledger = ledger
        self._person_secret = person_secret
        self._clock = clock
        self._monitor = monitor

    async def send_to_holder(self, person: ByPerson, request: UpstreamRequest) -> Answer:
        """Have the holder answer, as for an application that the home province decides.

        While the ledger is down, the province that coded the number is asked, and one step further if it says
        so; its word that the person is unknown does not count then. Nor does it where the ledger has entered
        them: their record was lost and is on its way back (G1). Raises what Forwarder.forward raises.
        """
        where = await self._whereabouts(person)
        answer = await self._forwarder.forward(where.province, request)
        self._check_absence(where, answer)
        if _is_missing(where, answer):
            raise RefusedError("RECOVERING")
        return to_caller(answer)

    async def look_up(self, person: ByPerson, request: UpstreamRequest) -> Answer:
        """Answer a lookup: from the holder, else from the one that released, else from the ledger alone.

        A person of whom the ledger knows nothing is asked for all the same where the number was coded, so
        that absent and not allowed look alike and take alike. Never an epoch lower than the ledger's: where a
        registry has not heard yet, the ledger answers. Without the ledger, only a trail followed to its end
        counts, for whoever does not answer may have moved the person on. Raises ProvinceAwayError,
        LedgerDownError.
        """
        where = await self._whereabouts(person)
        try:
            trail = await self._ask_along(where.province, request)
        except ProvinceAwayError:
            if not where.asked:
                raise
            return self._by_ledger_alone(where)
        self._check_absence(where, trail.answer)
        if where.asked and self._ledger_knows_better(where, trail.answer):
            return self._by_ledger_alone(where)
        if not where.asked and not trail.complete:
            raise LedgerDownError(
                "the custody ledger does not answer, nor does one that may have moved them on"
            )
        return to_caller(trail.answer)

    def _ledger_knows_better(self, where: Whereabouts, answer: UpstreamResponse) -> bool:
        """Whether the registry can't tell, or tells of a time before the ledger's newest entry."""
        away = answer.status == HTTPStatus.SERVICE_UNAVAILABLE
        if away or _points_back(answer) or _is_missing(where, answer):
            return True
        if where.custody is None or answer.status != HTTPStatus.OK:
            return False
        epoch = _epoch(answer)
        return epoch is not None and epoch < where.custody.epoch

    async def _ask_along(self, province: Province, request: UpstreamRequest) -> Trail:
        """Ask one province and those it points to, one after another; keep the best answer.

        A province that has released answers with its certificate, which holds even while the next one is away
        or has not heard of it (protocol.md §4); so its answer stands when the next one can't do better.
        """
        best = answer = await self._forwarder.ask(province, request)
        asked = {province}
        while (following := moved_to(answer)) is not None and following not in asked:
            if len(asked) == HOPS_MAX:
                return Trail(best, complete=False)
            self._monitor.followed()
            try:
                answer = await self._forwarder.ask(following, request)
            except ProvinceAwayError:
                return Trail(best, complete=False)
            asked.add(following)
            best = answer if _is_better(answer, best) else best
        return Trail(best, complete=answer.status != HTTPStatus.SERVICE_UNAVAILABLE)

    async def _whereabouts(self, person: ByPerson) -> Whereabouts:
        key = ids.person_key(self._person_secret, person.id_number)
        try:
            custody = (await self._ledger.locate((key,))).get(key)
        except LedgerDownError:
            return Whereabouts(None, asked=False, province=self._guess(person))
        return Whereabouts(custody, asked=True, province=custody.province if custody else self._guess(person))

    def _guess(self, person: ByPerson) -> Province:
        """Where the number was coded, if that province takes part."""
        guess = first_guess(person)
        if guess not in self._forwarder.lanes:
            raise RefusedError("PERSON_UNKNOWN")
        return guess

    def _check_absence(self, where: Whereabouts, answer: UpstreamResponse) -> None:
        """Only the ledger knows that somebody is nowhere: one province's 404 is a guess."""
        if answer.status == HTTPStatus.NOT_FOUND and not where.asked:
            raise LedgerDownError(
                "the custody ledger does not answer, and the first province asked is not it"
            )

    def _by_ledger_alone(self, where: Whereabouts) -> Answer:
        """Province, epoch and the digest that proves them: all that the ledger holds, and nothing personal.

        Registered, because an entry is the holder's own act or binds its acceptance (protocol.md §5, I3, I4).
        Whether a transfer is pending, and whether the name fits the number, nobody can say now: so it says.
        """
        custody = where.custody
        if custody is None:
            return problem_for(RefusedError("PERSON_UNKNOWN"))
        self._monitor.answered_by_ledger()
        body = msgspec.json.encode(
            {
                "province": custody.province,
                "epoch": custody.epoch,
                "state": "REGISTERED",
                "transfer_pending": None,
                "as_of": self._clock.now().astimezone(BEIJING).isoformat(timespec="seconds"),
                "proof": {"certificate_digest": custody.certificate_digest},
                "source": "ledger",
                "name_checked": False,
            }
        )
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ]
        return Answer(HTTPStatus.OK, headers, body)
