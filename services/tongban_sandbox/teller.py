"""Tells a story: does what people do at window and app, waits, checks, and prints both sides' timelines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tongban_sandbox.timeline import name_of, side_lines, whose_move
from tongban_shared.catalogue import load_catalogue
from tongban_shared.documents.document import Document, decode, encode
from tongban_shared.errors import TongbanError, UnavailableError
from tongban_shared.provinces import load_provinces

if TYPE_CHECKING:
    from tongban_sandbox.api import Api, Reply
    from tongban_sandbox.booklet import Member
    from tongban_sandbox.homes import Homes
    from tongban_sandbox.people import SyntheticHousehold, SyntheticPerson
    from tongban_shared.ids import Province

LIMIT_S = 30.0
PAUSE_S = 0.05
WAIT_S = 5
AWAY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
ENDED = frozenset({"COMPLETED", "REFUSED", "WITHDRAWN", "EXPIRED", "VOIDED"})


class StoryError(TongbanError):
    """A story did not go as it must; the message says what was off."""

    code = "STORY_FAILED"


class Country(Protocol):
    """What the stories need of a country, in one process or of real parts."""

    @property
    def api(self) -> Api:
        """The gateway, or several in turn."""
        ...

    def people_of(self, province: Province) -> Sequence[SyntheticHousehold]:
        """The households that the country was seeded with."""
        ...

    async def household_no(self, province: Province, id_number: str) -> str | None:
        """Look into the register: the household that somebody registered there belongs to."""
        ...

    async def household(self, province: Province, household_no: str) -> Sequence[Member]:
        """Look into the register: the members of a household, as its booklet shows them."""
        ...

    async def homes(self) -> Homes:
        """Look into all registers and the ledger: who has how many homes."""
        ...


class Teller:
    """One telling. Raises StoryError as soon as something is off."""

    def __init__(self, country: Country, say: Callable[[str], None], name: str = "story") -> None:
        self._country = country
        self._out = say
        self._name = f"{name}-{time.time_ns()}"
        self._serial = 0
        self._used: set[str] = set()

    def title(self, what: str, origin: Province, destination: Province) -> None:
        """Begin a story."""
        self._out(f"\n== {what}: {name_of(origin)} → {name_of(destination)}")

    def say(self, text: str) -> None:
        """A line of the story."""
        self._out(f"  {text}")

    def check(self, holds: bool, what: str) -> None:  # noqa: FBT001  # reads like a sentence
        """Print what holds. Raises StoryError if it does not."""
        if not holds:
            raise StoryError(f"it should be so, and is not: {what}")
        self.say(f"✓ {what}")

    def choose(self, province: Province, fits: Callable[[SyntheticHousehold], bool]) -> SyntheticHousehold:
        """The first household that fits and has not been chosen. Raises StoryError if there is none."""
        for home in self._country.people_of(province):
            if home.household_no not in self._used and fits(home):
                self._used.add(home.household_no)
                return home
        raise StoryError(f"nobody in {name_of(province)} fits this story; try another --seed")

    async def apply(
        self,
        item: str,
        persons: Sequence[SyntheticPerson],
        destination: Province,
        *,
        channel: str,
        address: str,
        household_no: str | None = None,
        grades: Mapping[str, str] | None = None,
    ) -> str:
        """Hand in an application with all its materials, grade A but for `grades`; returns the number."""
        profile, kinds = load_provinces()[destination], load_catalogue().item(item).materials
        people = [{"id_number": person.id_number, "name": person.name} for person in persons]
        place = {"province": destination, "org_code": profile.stations[0].code, "address": address}
        if household_no is not None:
            place["household_no"] = household_no
        body = {
            "item": item,
            "channel": channel,
            "applicant": people[0],
            "members": people[1:],
            "destination": place,
            "materials": [{"kind": m.kind, "grade": (grades or {}).get(m.kind, "A")} for m in kinds],
        }
        reply = await self._post("/v1/cases", body)
        case_id = str(reply.body["case_id"])
        self.say(f"applied ({channel}), case {case_id}, {len(people)} moving")
        return case_id

    async def request(
        self,
        item: str,
        persons: Sequence[SyntheticPerson],
        window: Province,
        *,
        channel: str = "window",
        org: str | None = None,
        details: Mapping[str, Any] | None = None,
        grade: str = "A",
    ) -> str:
        """Ask from a province for what the home registry answers; its number. org: another window's."""
        people = [{"id_number": person.id_number, "name": person.name} for person in persons]
        body = {
            "item": item,
            "channel": channel,
            "accepting_org": org or load_provinces()[window].stations[0].code,
            "applicant": people[0],
            "members": people[1:],
            "details": dict(details or {}),
            "materials": [{"kind": m.kind, "grade": grade} for m in load_catalogue().item(item).materials],
            "purpose": "SCHOOL",
        }
        reply = await self._post("/v1/cases", body)
        case_id = str(reply.body["case_id"])
        where = f"at a window in {name_of(window)}" if channel == "window" else "through the app"
        self.say(f"applied {where}: {load_catalogue().item(item).title_zh}, case {case_id}")
        return case_id

    async def document(self, case_id: str) -> Document:
        """Fetch what a case has issued, from whoever issued it. Raises DocumentError, StoryError."""
        case = await self._until(f"/v1/cases/{case_id}", lambda view: bool(view["documents"]), "a document")
        (paper,) = case["documents"]
        raw = await self._until(f"/v1/documents/{paper['licence_id']}", bool, "the document should be there")
        self.say(f"fetched {paper['licence_id']}")
        return decode(msgspec.json.encode(raw, order="sorted"))

    async def holds(self, document: Document) -> bool:
        """Ask through the gateway, as anybody may, whether a document holds."""
        body = {"document": msgspec.json.decode(encode(document))}
        reply = await self._post("/v1/documents/verify", body, expected=HTTPStatus.OK)
        return reply.body["valid"] is True

    async def decide(self, case_id: str, outcome: str, province: Province | None = None) -> None:
        """An officer decides, of the destination or of another province that has the case on its desk."""
        path, query = f"/v1/cases/{case_id}", f"?province={province}" if province else ""
        await self._until(path + query, lambda view: _owner(view) == "officer", f"{case_id}: a task")
        await self._post(f"{path}/decision{query}", {"outcome": outcome, "officer": "officer-1"})
        self.say(f"an officer in {name_of(province) if province else 'the destination'}: {outcome}")

    async def report(self, case_id: str, *steps: str) -> None:
        """The window reports what it has done: printed, made, handed over."""
        for step in steps:
            await self._post(f"/v1/cases/{case_id}/progress", {"step": step, "officer": "window-1"})
            self.say(f"the window reports: {step}")

    async def gets_to(self, case_id: str, step: str) -> dict[str, Any]:
        """Wait until the case has come to this step, as its timeline names it."""
        path = f"/v1/cases/{case_id}"
        return await self._until(path, lambda view: _step(view) == step, f"{case_id} should be {step}")

    async def reaches(self, case_id: str, state: str) -> dict[str, Any]:
        """Wait until the case waits for a person in this state."""

        def waits(case: Mapping[str, Any]) -> bool:
            waiting = case["waiting_for"]
            return case["state"] == state and waiting is not None and waiting["owner"] == "officer"

        case = await self._until(f"/v1/cases/{case_id}", waits, f"case {case_id} should be {state}")
        self.say(whose_move(case))
        return case

    async def completes(self, case_id: str) -> None:
        """Wait until both sides have closed the case, and print both timelines."""

        def over(case: Mapping[str, Any]) -> bool:
            return case["state"] in ENDED

        path = f"/v1/cases/{case_id}"
        case = await self._until(path, over, f"case {case_id} should end", WAIT_S)
        if case["state"] != "COMPLETED":
            raise StoryError(f"case {case_id}: {whose_move(case)}")
        origin = case["origin_province"]
        mirror = await self._until(
            f"{path}?province={origin}", over, f"{name_of(origin)} should close its row"
        )
        for line in side_lines(case, case["destination_province"], "destination 迁入地"):
            self._out(f"  {line}")
        for line in side_lines(mirror, origin, "origin 迁出地"):
            self._out(f"  {line}")
        self.check(mirror["state"] == "COMPLETED", f"completed on both sides, {whose_move(case)}")

    async def lives_in(self, person: SyntheticPerson, province: Province) -> None:
        """Ask through the gateway where somebody is registered."""
        body = {"id_number": person.id_number, "name": person.name, "purpose": "DEMONSTRATION"}
        reply = await self._post("/v1/registrations/lookup", body, expected=HTTPStatus.OK)
        here = (reply.body["province"], reply.body["state"]) == (province, "REGISTERED")
        self.check(
            here, f"asked from outside: registered in {name_of(province)}, epoch {reply.body['epoch']}"
        )

    async def household_no(self, province: Province, person: SyntheticPerson) -> str:
        """The number on somebody's booklet. Raises StoryError if this province has none for them."""
        number = await self._country.household_no(province, person.id_number)
        if number is None:
            raise StoryError(f"{name_of(province)} has no household for a person who settled there")
        return number

    async def household(self, province: Province, household_no: str) -> Sequence[Member]:
        """The members of a household, as its booklet shows them."""
        return await self._country.household(province, household_no)

    async def count_homes(self, when: str) -> None:
        """Print the count. Raises StoryError unless everybody has exactly one home."""
        homes = await self._country.homes()
        if not homes.good:
            raise StoryError(f"somebody has no home or two: {homes}")
        self._out(f"  {when}: {homes}")

    async def _post(self, path: str, body: object, expected: int = HTTPStatus.ACCEPTED) -> Reply:
        """Post with a key; who gets no answer repeats it with the same key."""
        self._serial += 1
        key = f"{self._name}-{self._serial}"
        until = time.monotonic() + LIMIT_S
        while True:
            reply = await self._call("POST", path, body, key=key)
            if reply is not None and reply.status == expected:
                return reply
            away = reply is None or reply.status in AWAY
            if not away or time.monotonic() > until:
                raise StoryError(f"POST {path}: {reply.code if reply else 'no answer'}, want {expected}")
            await asyncio.sleep(PAUSE_S)

    async def _until(
        self, path: str, good: Callable[[Mapping[str, Any]], bool], what: str, wait_s: int = 0
    ) -> dict[str, Any]:
        """Look again and again until it is good. Raises StoryError after 30 s."""
        until = time.monotonic() + LIMIT_S
        last = "no answer"
        while time.monotonic() < until:
            reply = await self._call("GET", path, wait_s=wait_s)
            if reply is not None and reply.status == HTTPStatus.OK:
                if good(reply.body):
                    return dict(reply.body)
                last = whose_move(reply.body)
            elif reply is not None:
                last = reply.code
            await asyncio.sleep(PAUSE_S)
        raise StoryError(f"{what}, but after {LIMIT_S:.0f} s: {last}")

    async def _call(
        self, method: str, path: str, body: object = None, *, key: str | None = None, wait_s: int = 0
    ) -> Reply | None:
        try:
            return await self._country.api.call(method, path, body, key=key, wait_s=wait_s)
        except UnavailableError:
            return None


def _owner(view: Mapping[str, Any]) -> str | None:
    waiting = view["waiting_for"]
    return None if waiting is None else str(waiting["owner"])


def _step(view: Mapping[str, Any]) -> str:
    return str(view["timeline"][-1]["state"])
