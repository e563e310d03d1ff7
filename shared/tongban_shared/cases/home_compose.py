"""What every case that the home registry answers sends, and what people see of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from tongban_shared.cases.common import ask_ledger, to_other_side
from tongban_shared.cases.home import Desk
from tongban_shared.cases.home_data import Asked
from tongban_shared.cases.home_rules import Answering
from tongban_shared.cases.kind import Case, Compose, Draft, Event, Retired, Side
from tongban_shared.ids import Province
from tongban_shared.messages.envelope import Body
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.registration import Surroundings


@dataclass(frozen=True, slots=True)
class Words:
    """What the cases of a type say. contracts: the type's own, by the name of the message."""

    rules: Answering
    contracts: Mapping[str, Any]

    @classmethod
    def of(cls, rules: Answering, bodies: Iterable[type[Body]]) -> Words:
        """From all contracts of the type, as its module of messages lists them."""
        return cls(rules, {body.name.partition(".")[2]: body for body in bodies})

    def compose_requested(self, case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
        """1."""
        data: Asked = case.data
        own = {name: getattr(data, name) for name in self.rules.asks}
        body = self.contracts["requested"](use=data.use, trusted=data.trusted, persons=named(case), **own)
        return to_other_side(case, body)

    def compose_granted(self, case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
        """2."""
        data: Asked = case.data
        paper = {"licence_id": data.licence_id, "kind": data.document, "valid_until": data.valid_until}
        contract = self.contracts[self.rules.grants]
        shape: Any = contract.model_fields["document"].annotation
        told: dict[str, Any] = {"persons": named(case), "document": shape(**paper)}
        case, draft = to_other_side(case, contract(**told))
        return case, replace(draft, encloses=data.licence_id)

    def compose_referral(self, case: Case, _event: Event, around: Surroundings) -> tuple[Case, Draft]:
        """3."""
        moved_to = around.people[case.persons[0]].moved_to
        return to_other_side(case, self.contracts["referral"](moved_to=Province(moved_to or "")))

    def compose_refusal(self, case: Case, _event: Event, around: Surroundings) -> tuple[Case, Draft]:
        """4."""
        contract = self.contracts["refusal"]
        told: dict[str, Any] = {"persons": named(case), "contact": around.contact, "retry_at": case.retry_at}
        if "other_case" in contract.model_fields:
            told["other_case"] = case.data.other_case or None
        return to_other_side(case, contract(code=case.refusal or case.data.reason, **told))

    def compose_correction(self, case: Case, _event: Event, around: Surroundings) -> tuple[Case, Draft]:
        """6."""
        return to_other_side(
            case, self.contracts["correction"](materials=case.data.missing, contact=around.contact)
        )

    def composes(self) -> dict[str, Compose]:
        """What is sent → the case that remembers it, and the draft."""
        return {
            "requested": self.compose_requested,
            self.rules.grants: self.compose_granted,
            "referral": self.compose_referral,
            "refusal": self.compose_refusal,
            "correction": self.compose_correction,
            "withdrawal": tells(self.contracts["withdrawal"]),
            "ledger.locate": ask_ledger,
        }


def retired_by(words: Words, desk: Desk) -> Retired:
    """A home registry that is not asked any more, and answers by a past that was lost: what it granted it takes back.

    It sent the question on and was put back since, or the window was, and asked another one. What is entered
    stands, and is heard as ever.
    """
    taken_back = {"correction"} | ({words.rules.grants} if desk.revocable else set())

    def retired(case: Case, event: Event) -> Draft | bool:
        sender = event.sender or ""
        over = sender in case.data.left or case.closed_at is not None
        if case.side is Side.ORIGIN or sender in {"", case.origin} or not over:
            return False
        if event.name in taken_back:
            return Draft(sender, words.contracts["withdrawal"]())
        return event.name in {"refusal", "referral"}

    return retired


def named(case: Case) -> tuple[PersonAsked, ...]:
    """The case's persons as messages name them."""
    return tuple(PersonAsked(person=ref.person, name_check=ref.name_check) for ref in case.data.persons)


def tells(contract: type[Body]) -> Compose:
    """A message that says nothing but its name."""

    def compose(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
        return to_other_side(case, contract())  # type: ignore[call-arg]  # the version is a default

    return compose


def shows(case: Case) -> Mapping[str, Any]:
    """The part of the case's view that such a case has of its own."""
    data: Asked = case.data
    issued = [{"kind": data.document, "licence_id": data.licence_id}] if data.licence_id else []
    shown: dict[str, Any] = {"documents": issued}
    if data.other_case:
        shown["other_case"] = data.other_case
    return shown
