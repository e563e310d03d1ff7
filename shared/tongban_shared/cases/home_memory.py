"""What every case that the home registry answers remembers: how it begins, and the case after each event. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from tongban_shared.cases.common import remember
from tongban_shared.cases.home_data import Asked, H
from tongban_shared.cases.home_rules import (
    HERE,
    MOVED,
    Answering,
    as_supplied,
    refs_of,
    subject,
)
from tongban_shared.cases.kind import NEW, OK, Amend, Case, Event, Opening, Side, Verdict
from tongban_shared.registration import Surroundings


@dataclass(frozen=True, slots=True)
class Memory:
    """How the cases of a type begin and go on."""

    rules: Answering

    def open_application(self, event: Event, around: Surroundings) -> Case:
        """At the accepting province: an application from the door."""
        body = event.body
        return self._begin(event, around, Side.DESTINATION, body.data, origin=body.origin, item=body.item)

    def open_mirror(self, event: Event, around: Surroundings) -> Case:
        """At the home registry: a request, read by as_asked, or the withdrawal of one not known any more."""
        data = self.rules.record(persons=refs_of(event))
        return self._begin(event, around, Side.ORIGIN, data, origin=around.province)

    def open_forgotten(self, event: Event, around: Surroundings) -> Case:
        """At an accepting province that was put back: the answer tells what had been asked (G1).

        Of a correction it does not: whoever was to bring something has to apply anew.
        """
        data = self.rules.record(persons=refs_of(event))
        return self._begin(event, around, Side.DESTINATION, data, origin=event.sender)

    def _begin(  # the fields of a case
        self,
        event: Event,
        around: Surroundings,
        side: Side,
        data: Asked,
        *,
        origin: str | None,
        item: str = "",
    ) -> Case:
        here = side is Side.DESTINATION
        return Case(
            id=event.case_id,
            kind=self.rules.kind,
            side=side,
            state=NEW,
            version=0,
            item=item,
            origin=origin,
            destination=around.province if here else (event.sender or ""),
            persons=tuple(ref.person for ref in data.persons),
            data=data,
            opened_at=event.at,
        )

    def after_door(self, case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
        """Who answers is known; what this registry grants itself is numbered."""
        returned = case.state == H.RETURNED
        if event.name == "materials":
            case = as_supplied(case, event)
        if event.name == "located":
            case = replace(case, origin=event.body.holders.get(case.data.persons[0].person))
        person = subject(case, around)
        if verdict.name == OK and not returned and case.origin == around.province and person is not None:
            case = replace(case, origin=person.moved_to)
        if case.origin == around.province:
            case = remember(case, answering_org=self.rules.station(case, around))
        return self.rules.grant(case, event, around) if verdict.name == HERE.name else case

    def after_requested(self, case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
        """What is asked now counts, also where an earlier question was refused or forgotten."""
        if verdict.name == "again":
            return case if case.persons else self.rules.as_asked(case, event)
        asked = with_other_case(self.rules.as_asked(case, event), verdict, around)
        asked = remember(asked, answering_org=self.rules.station(asked, around))
        return self.rules.grant(asked, event, around) if verdict.name == HERE.name else asked

    def after_decision(self, case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
        """Who decided; an approval is numbered, who moved on is followed, what is asked for is owed."""
        decided = remember(case, officer=event.officer, reason=verdict.code or "", level=0)
        decided = with_other_case(decided, verdict, around)
        if verdict.name == "return":
            return remember(decided, missing=event.body.materials)
        if verdict.name == MOVED.name and case.side is Side.DESTINATION:
            return replace(decided, origin=around.people[case.persons[0]].moved_to)
        return self.rules.grant(decided, event, around) if verdict.name == "approve" else decided

    def opens(self) -> dict[str, Opening]:
        """Message → the case that it begins."""
        return {
            "apply": self.open_application,
            "requested": self.open_mirror,
            "withdrawal": self.open_mirror,
            self.rules.grants: self.open_forgotten,
            "refusal": self.open_forgotten,
            "correction": self.open_forgotten,
        }

    def amends(self) -> dict[str, Amend]:
        """Message → the case that remembers it."""
        return {
            "apply": self.after_door,
            "materials": self.after_door,
            "located": self.after_door,
            "requested": self.after_requested,
            "decision": self.after_decision,
            self.rules.grants: after_grant,
            "referral": after_referral,
            "refusal": after_refusal,
            "correction": after_correction,
            "withdraw": after_withdrawal,
            "withdrawal": after_withdrawal,
        }


def with_other_case(case: Case, verdict: Verdict, around: Surroundings) -> Case:
    """Where that is why it is refused: the case that has the person already."""
    if verdict.code is None or not case.persons:
        return remember(case, other_case="")
    return remember(case, other_case=around.other_case(case.persons[0], case.kind, case.id) or "")


def after_grant(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """What was issued, and until when it is valid; of what was withdrawn meanwhile nothing is shown."""
    if case.state == H.WITHDRAWING:
        return case
    paper = event.body.document
    return remember(case, licence_id=paper.licence_id, document=paper.kind, valid_until=paper.valid_until)


def after_referral(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """The next holder is asked; whoever is pointed to this province itself is looked for anew."""
    left = {*case.data.left, event.sender or ""} - {event.body.moved_to}
    case = remember(case, hops=case.data.hops + 1, left=tuple(sorted(left)))
    if verdict.code is not None:
        return case
    return replace(case, origin=None if event.body.moved_to == around.province else event.body.moved_to)


def after_refusal(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """Why, and which case stands in the way."""
    return remember(case, reason=event.body.code, other_case=getattr(event.body, "other_case", None) or "")


def after_correction(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """What the officer needs beside what was handed in."""
    return remember(case, missing=tuple(event.body.materials))


def after_withdrawal(case: Case, _event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """The applicant's own word."""
    return remember(case, reason="WITHDRAWN")
