"""One unit of work of one province, as the registry's unit.py and inbox.py do it, by the same functions."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from tongban_registry.unit import PARKED_TRIES_MAX
from tongban_sandbox.model.rules import Rules
from tongban_sandbox.model.state import NOW, Local, Message
from tongban_shared.cases.kind import Case, Draft, Event, Step
from tongban_shared.cases.migration_data import MigrationData
from tongban_shared.decide import Fate, Outcome, decide
from tongban_shared.ids import CaseId
from tongban_shared.messages.codec import encode_contract
from tongban_shared.messages.migration import Certificate
from tongban_shared.registration import CLAIMING, Person, Registration, Surroundings

PERMIT_DAYS, CORRECTION_DAYS = 40, 30
STAMPS_PER_CASE = 1_000
# A settled case answers an inquiry from its record; the other closed ones are never read again.
KEPT_WHOLE = frozenset({"COMPLETED"})
# One that was put back may be asked about them.
KEPT_FOR_RECALLS = KEPT_WHOLE | {"CONFIRMED"}


class Cut(NamedTuple):
    """A message as a proof: here only who says it in which case."""

    proof: str


def _promise(province: str, case_id: str) -> str:
    return f"{province} accepts {case_id}"


def _remembers(case: Case | None) -> bool:
    return case is not None and case.state in {"PREPARED", "COMPLETED", "RESTORING", "VERIFYING"}


class Turn:
    """One transaction: events decided one after another on one province's database."""

    def __init__(self, rules: Rules, local: Local, now: datetime = NOW, *, recalls: bool = False) -> None:
        self.local = local
        self.sent: list[Message] = []
        self._rules = rules
        self._now = now
        self._kept = KEPT_FOR_RECALLS if recalls else KEPT_WHOLE

    def take(self, message: Message, tries: int = 0) -> None:
        """A message seen for the first time, and those parked that its effect sets free."""
        waiting = deque([(message, tries)])
        while waiting:
            current, tries = waiting.popleft()
            fate = self._take_one(current)
            if fate is Fate.PARKED and tries < PARKED_TRIES_MAX:
                self._park(current, tries + 1)
            elif fate is Fate.TAKEN:
                waiting.extend(self._unparked(current.case_id))

    def command(self, event: Event) -> bool:
        """A command, a passed limit or the ledger's answer; whether it was taken."""
        outcome = self._decide(event)
        if outcome is None or outcome.fate is not Fate.TAKEN:
            return False
        for message, tries in self._unparked(event.case_id):
            self.take(message, tries)
        return True

    def event(self, name: str, case_id: str, body: object = None) -> Event:
        """With a stamp that is new for this version of the case."""
        case = self.local.case(case_id)
        stamp = int(case_id[-5:-1]) * STAMPS_PER_CASE + (case.version if case else 0)
        return Event(name, CaseId(case_id), NOW, stamp, body=body)

    def _take_one(self, message: Message) -> Fate:
        event = replace(self.event(message.name, message.case_id, message.body), sender=message.sender)
        event = replace(event, bundle=message.bundle, message_id=message.name)
        if message.name == "inquire":
            case_id, _, text = message.body.certificate.partition(" ")
            certificate = Certificate.model_validate_json(text)
            if (case_id, certificate.origin) != (message.case_id, message.sender):
                return Fate.REFUSED
            event = replace(event, body=certificate)
        if message.name in {"certificate", "inquire"} and not _remembers(self.local.case(message.case_id)):
            promised = _promise(self.local.province, message.case_id)
            event = replace(event, bound=event.body.acceptance == promised)
        if message.name == "acceptance":
            event = replace(event, opened=Cut(_promise(message.sender, message.case_id)))
        outcome = self._decide(event)
        return Fate.PARKED if outcome is None else outcome.fate

    def _decide(self, event: Event) -> Outcome | None:
        case = self.local.case(event.case_id)
        if event.name == "decision":
            event = replace(event, bundle=dict(self.local.bundles).get(event.case_id))
        around = self._around()
        outcome = decide(case, event, self._rules.kind, around)
        if outcome is not None and outcome.fate is Fate.TAKEN and outcome.step is not None:
            self._apply(outcome.case, outcome.step, event)
            if outcome.draft is not None:
                self._send(outcome.draft, outcome.case, outcome.step)
            self._keep(outcome.case, event)
        return outcome

    def _apply(self, case: Case, step: Step, event: Event) -> None:
        if step.writes is None:
            return
        for person in self._rules.verbs[step.writes](case, event, self._around()).persons:
            self.local = self.local.put_person(person)
            if step.writes == "hold":
                self._keep_proof(person.key, case.id, event.body)

    def _keep(self, case: Case, event: Event) -> None:
        """Store the case, closed ones without what is never read again."""
        if event.name == "offer" and event.bundle is not None and case.state == "CONFIRMING":
            bundles = {**dict(self.local.bundles), case.id: event.bundle}
            self.local = replace(self.local, bundles=tuple(sorted(bundles.items())))
        if case.state in self._rules.kind.terminal:
            case = replace(case, version=0, refusal=None, retry_at=None)
            if case.state not in self._kept:
                kept = MigrationData(migration_type=case.data.migration_type, persons=case.data.persons)
                case = replace(case, data=kept)
        self.local = self.local.put_case(case)

    def _send(self, draft: Draft, case: Case, step: Step) -> None:
        if draft.body is None:
            return  # a question to the ledger: the case's state says that it is asked
        name = str(step.sends)
        self.sent.append(Message(self.local.province, draft.to, case.id, name, draft.body, draft.bundle))
        if isinstance(draft.body, Certificate):
            for person in self.local.people:
                if person.state is Registration.RELEASED and person.case_id == case.id:
                    self._keep_proof(person.key, case.id, draft.body)

    def _keep_proof(self, person: str, case_id: str, certificate: Certificate) -> None:
        text = f"{case_id} {encode_contract(certificate).decode()}"
        proofs = {**dict(self.local.proofs), person: text}
        self.local = replace(self.local, proofs=tuple(sorted(proofs.items())))

    def _park(self, message: Message, tries: int) -> None:
        self.local = replace(self.local, parked=(*self.local.parked, (message, tries)))

    def _unparked(self, case_id: str) -> list[tuple[Message, int]]:
        freed = [entry for entry in self.local.parked if entry[0].case_id == case_id]
        kept = tuple(entry for entry in self.local.parked if entry[0].case_id != case_id)
        self.local = replace(self.local, parked=kept)
        return freed

    def _around(self) -> Surroundings:
        people: Mapping[str, Person] = {person.key: person for person in self.local.people}
        members: dict[str, list[Person]] = {}
        for person in people.values():
            if person.state in CLAIMING:
                members.setdefault(person.household_id, []).append(person)
        return Surroundings(
            province=self.local.province,
            org=f"{self.local.province}0100000000",
            contact="-",
            now=self._now,
            permit_valid_days=PERMIT_DAYS,
            correction_days=CORRECTION_DAYS,
            people=people,
            members=members,
            proofs=dict(self.local.proofs),
        )
