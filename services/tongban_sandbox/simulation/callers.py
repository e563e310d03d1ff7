"""People: they apply, withdraw, hold, die, and ask all the time where somebody is.

They know what callers know: the answers of the gateway.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from tongban_sandbox.simulation.officers import Officers
from tongban_sandbox.simulation.outside import NOTHING, Reply, Told
from tongban_sandbox.simulation.papers import PaperApplications
from tongban_sandbox.simulation.watch import BrokenPromiseError
from tongban_shared.catalogue import load_catalogue
from tongban_shared.ids import PersonKey, Province

if TYPE_CHECKING:
    from tongban_sandbox.simulation.country import Country
    from tongban_sandbox.simulation.plan import Plan

# Shares of applications that are followed by, or have, each of these.
ASK, HOLD, DIE, REPEAT, HAND_IN, WITHDRAW, LIFT = 0.4, 0.03, 0.01, 0.05, 0.9, 0.08, 0.7
RECENT, NOWHERE, ALONE, WHOLE, COPIED, LEAVE_OUT = 0.15, 0.01, 0.6, 0.7, 0.3, 0.1
SLOW, UNDER_WAY = 0.05, 0.7
# Share of applications that are for a certificate.
ON_PAPER = 0.25
RECENT_MAX = 60
TRIES_MAX = 8
TRY_AGAIN_S = 4.0
AWAY = (0, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)
DAY_S = 86_400.0


class Accepted(NamedTuple):
    """An application that was acknowledged: where and when, under which key, and what it said."""

    province: Province
    at_s: float
    key: str
    body: dict[str, Any]


@dataclass(slots=True)
class Acknowledged:
    """What callers were told is done, and when: it may never be gone."""

    cases: dict[str, Accepted] = field(default_factory=dict)
    withdrawn: dict[str, float] = field(default_factory=dict)
    certified: dict[str, float] = field(default_factory=dict)
    deaths: dict[PersonKey, float] = field(default_factory=dict)
    holds: dict[PersonKey, float] = field(default_factory=dict)
    born: set[str] = field(default_factory=set)


class Callers:
    """Everybody outside."""

    def __init__(self, country: Country, plan: Plan) -> None:
        self.acknowledged = Acknowledged()
        self.replies: Counter[str] = Counter()
        self.calm = False
        self._country = country
        self._plan = plan
        self._random = country.chance.source("callers")
        self._everybody: list[PersonKey] = []
        self._recent: deque[PersonKey] = deque(maxlen=RECENT_MAX)
        self._gone: set[PersonKey] = set()
        self._held: set[PersonKey] = set()
        catalogue = load_catalogue()
        self._items = [item for item in catalogue.items(case_type="migration") if not item.restores]
        self._papers = PaperApplications(country)
        self.acknowledged.born = self._papers.born
        self._lives: set[asyncio.Task[None]] = set()
        self._serial = 0
        self._applying = 0

    def arrive(self) -> None:
        """The country is open: these are its people, and its officers' desks are seen."""
        self._everybody = list(self._country.residents)
        self.officers = Officers(self._country, self)
        self._country.observers.append(self.officers.saw)

    @property
    def busy(self) -> bool:
        """Whether anybody has something left to do."""
        return bool(self._lives)

    # --- the day

    async def day(self) -> None:
        """Until as many applications as planned are accepted, and whatever else people want meanwhile."""
        random = self._random.random
        while (open_ := self._plan.cases - len(self.acknowledged.cases)) > 0:
            await asyncio.sleep(random() * 2 / self._plan.rate)
            if self._applying >= open_:
                continue
            self.begin(self._application())
            if random() < ASK:
                self.begin(self._question())
            if random() < HOLD:
                self.begin(self._hold())
            if random() < DIE:
                self.begin(self._death())

    async def over(self) -> None:
        """Wait until everybody has done what they began."""
        while self._lives:
            await asyncio.wait(self._lives)

    def begin(self, life: Coroutine[Any, Any, None]) -> None:
        """Somebody does something, beside everybody else."""
        task = self._country.loop.outside.spawn(life)
        self._lives.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._lives.discard(task)
        error = task.exception()
        if error is not None:
            raise error

    # --- applying

    async def _application(self) -> None:
        self._serial += 1
        self._applying += 1
        try:
            accepted = await self._apply(f"application-{self._serial}")
        finally:
            self._applying -= 1
        if accepted is not None:
            await self._follow_up(*accepted)
            await self._in_a_hurry(accepted[0])

    async def _in_a_hurry(self, case_id: str) -> None:
        """A temporary card until the real one is made, at two windows at once; a child of two parents."""
        accepted = self.acknowledged.cases[case_id]
        elsewhere = self._random.choice(list(self._country.sites))
        again = self._papers.from_both_parents(accepted.body, elsewhere)
        if again is not None:
            await self._also(again, elsewhere)
        if not self._papers.is_in_a_hurry(accepted.body):
            return
        for window in self._random.sample(list(self._country.sites), 2):
            await self._also(self._papers.temporary(accepted.body["applicant"], window), window)

    async def _also(self, body: dict[str, Any], window: Province) -> None:
        """One more application, of which nobody thinks any more once it is taken."""
        self._serial += 1
        key = f"also-{self._serial}"
        reply = await self.insist("POST", "/v1/cases", body, key)
        if reply.status == HTTPStatus.ACCEPTED:
            at_s = self._country.time.now_s()
            self.acknowledged.cases[reply.body["case_id"]] = Accepted(window, at_s, key, body)

    async def _apply(self, key: str) -> tuple[str, str | None] | None:
        """The case's number, and what the application left out; None if it was not accepted."""
        person = self._somebody()
        holder = Province(self._country.watch.ledger[person].holder)
        destination = self._elsewhere(holder)
        if self._random.random() < ON_PAPER:
            body, destination = self._papers.application(person, destination, holder)
            left_out = None
        else:
            body, left_out = self._body(person, self._members(person, holder), destination)
        self._recent.append(person)
        reply = await self.insist("POST", "/v1/cases", body, key)
        if reply.status != HTTPStatus.ACCEPTED:
            return None
        case_id: str = reply.body["case_id"]
        accepted = Accepted(destination, self._country.time.now_s(), key, body)
        known = self.acknowledged.cases.get(case_id)
        if known is not None and known.key != key and not self._country.forgiven(known.at_s, destination):
            self._break("one case number was given to two applications", case_id)
        self.acknowledged.cases[case_id] = accepted
        return case_id, left_out

    async def _follow_up(self, case_id: str, left_out: str | None) -> None:
        """What else becomes of an application by its applicant's will."""
        random = self._random.random
        accepted = self.acknowledged.cases[case_id]
        if random() < REPEAT:
            await self._look_at(case_id, accepted)
            again = await self.insist("POST", "/v1/cases", accepted.body, accepted.key)
            other = again.status == HTTPStatus.ACCEPTED and again.body["case_id"] != case_id
            if other and not self._country.excused(accepted.at_s, accepted.province):
                self._break("an application repeated under its key became another case", case_id)
        if left_out is not None and random() < HAND_IN:
            await self.think()
            late = {"materials": [{"kind": left_out, "grade": "A"}]}
            await self.insist("POST", f"/v1/cases/{case_id}/materials", late, f"{accepted.key}-materials")
        if random() < WITHDRAW:
            await self.think()
            path, key = f"/v1/cases/{case_id}/withdrawal", f"{accepted.key}-withdrawal"
            reply = await self.insist("POST", path, {}, key)
            if reply.status == HTTPStatus.ACCEPTED:
                self.acknowledged.withdrawn[case_id] = self._country.time.now_s()

    async def _look_at(self, case_id: str, accepted: Accepted) -> None:
        """What was acknowledged is known."""
        reply = await self._country.call("GET", f"/v1/cases/{case_id}")
        excused = self._country.excused(accepted.at_s, accepted.province)
        if reply.status == HTTPStatus.NOT_FOUND and not excused:
            self._break("an acknowledged application is unknown", case_id)

    def _somebody(self, recent: float = RECENT) -> PersonKey:
        """Anybody; often somebody who has just applied: a race, an onward or a return move."""
        if self._recent and self._random.random() < recent:
            return self._random.choice(self._recent)
        return self._random.choice(self._everybody)

    def _elsewhere(self, holder: Province) -> Province:
        others = [code for code in self._country.sites if code != holder]
        return holder if self._random.random() < NOWHERE else self._random.choice(others)

    def _members(self, person: PersonKey, holder: Province) -> list[PersonKey]:
        """Who comes along: mostly nobody, sometimes some, sometimes all of the household."""
        watch, random = self._country.watch, self._random.random
        if random() < ALONE:
            return []
        home = watch.people[person].get(holder)
        mates = [
            key
            for key in self._country.mates[person]
            if key != person and home and (row := watch.people[key].get(holder)) and row.home == home.home
        ]
        return mates[:5] if random() < WHOLE else mates[:1]

    def _body(
        self, person: PersonKey, members: Sequence[PersonKey], to: Province
    ) -> tuple[dict[str, Any], str | None]:
        """The application, and what it leaves out."""
        country, random = self._country, self._random
        item = random.choice(self._items)
        grade = "B" if random.random() < COPIED else "A"
        kinds = [material.kind for material in item.materials]
        secondary = [material.kind for material in item.materials if not material.main]
        body: dict[str, Any] = {
            "item": item.code,
            "applicant": country.residents[person].identity,
            "members": [country.residents[key].identity for key in members] if item.admits_members else [],
            "destination": {
                "province": to,
                "org_code": country.template.profiles[to].county_bureau,
                "address": "示例路1号",
            },
            "materials": [{"kind": kind, "grade": grade} for kind in kinds],
        }
        if not secondary or random.random() > LEAVE_OUT:
            return body, None
        left_out = random.choice(secondary)
        body["materials"] = [entry for entry in body["materials"] if entry["kind"] != left_out]
        return body, left_out

    # --- asking, holding, dying

    async def _question(self) -> None:
        """Where is somebody registered?"""
        country = self._country
        person = self._somebody(UNDER_WAY)
        began_s = country.time.now_s()
        body = {**country.residents[person].identity, "purpose": "BANK"}
        reply = await country.call("POST", "/v1/registrations/lookup", body)
        self.replies[f"lookup {reply.status} {reply.code}"] += 1
        if reply.status == HTTPStatus.OK:
            answer = Told(*(reply.body[name] for name in ("province", "epoch", "state", "source")))
            country.journal.note("told", person, *answer)
            country.history.told(person, began_s, country.time.now_s(), answer)
        elif reply.status == HTTPStatus.NOT_FOUND:
            country.history.nobody(person)
        self._no_fault(reply, person)

    async def _hold(self) -> None:
        person = self._random.choice(self._everybody)
        if person in self._gone or person in self._held:
            return
        self._held.add(person)  # once: two orders that cross would prove nothing
        if await self._enter(person, "HOLD"):
            self.acknowledged.holds[person] = self._country.time.now_s()
        if self._random.random() < LIFT:
            await self.think()
            self.acknowledged.holds.pop(person, None)
            await self._enter(person, "LIFT_HOLD")

    async def _death(self) -> None:
        person = self._somebody()
        self._gone.add(person)
        if await self._enter(person, "DEATH"):
            self.acknowledged.deaths[person] = self._country.time.now_s()

    async def _enter(self, person: PersonKey, kind: str) -> bool:
        self._serial += 1
        identity = self._country.residents[person].identity
        body = {**identity, "kind": kind, "legal_basis": "示例裁定"}
        reply = await self.insist("POST", "/v1/registrations/holds", body, f"entry-{self._serial}")
        return reply.status in (
            HTTPStatus.OK,
            HTTPStatus.ACCEPTED,
        )  # done, or to be done wherever they are then

    # --- how people call

    async def think(self) -> None:
        """Seconds; now and then days."""
        random = self._random.random
        if not self.calm and random() < SLOW:
            await self._country.time.sleep(5 * DAY_S * random())
        else:
            await asyncio.sleep(6 * random() ** 2)

    async def insist(self, method: str, path: str, body: object, key: str) -> Reply:
        """The same request under the same key until there is an answer."""
        reply = NOTHING
        for _ in range(TRIES_MAX):
            reply = await self._country.call(method, path, body, key)
            self.replies[f"{path.rpartition('/')[2]} {reply.status} {reply.code}"] += 1
            if reply.status not in AWAY:
                break
            await asyncio.sleep(TRY_AGAIN_S * self._random.random())
        self._no_fault(reply, path)
        self._country.journal.note("reply", path, key, reply.status, reply.code)
        return reply

    def _no_fault(self, reply: Reply, about: str) -> None:
        if reply.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            self._break(f"a request failed inside: {reply.code}", about)

    def _break(self, what: str, *about: str) -> None:
        self._country.break_off(BrokenPromiseError(what, *about))
