"""Poison: what a province's good signature stands under, and yet means nothing, or nothing to this receiver.

None of it is a lie that only a registry could tell: custody rests on what the holder itself signs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tongban_shared.ids import CaseId, Province, make_case_id
from tongban_shared.keys import load_signer
from tongban_shared.messages import migration as m
from tongban_shared.messages.codec import encode_message
from tongban_shared.messages.envelope import Body, Envelope
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.ports import Family
from tongban_shared.wire import pack, sign_unit

if TYPE_CHECKING:
    from random import Random

    from tongban_sandbox.simulation.country import Country

# No registry comes to this incarnation, so that no id of theirs is taken; nor to these case serials.
INCARNATION = 9_999
SERIAL = 90_000_000
DIGEST = "0" * 64


@dataclass(slots=True)
class Poisoner:
    """Makes them, numbered."""

    country: Country
    random: Random
    made: int = 0

    def strike(self) -> None:
        """Put one poisonous record before a province."""
        self.made += 1
        sender, receiver = self.random.sample(list(self.country.sites), 2)
        kind = self.random.choice(KINDS)
        raw = kind(self, (sender, receiver))
        signer = load_signer(self.country.template.keys, sender)
        unit = sign_unit(signer, f"{INCARNATION}.{self.made}", raw)
        for data in pack(unit.header, unit.leaves):
            self.country.broker.append(receiver, self.random.choice(list(Family)), data, {})

    def message(self, way: tuple[str, str], body: Body, case_id: str, **changes: object) -> bytes:
        """A message with its envelope, with `changes` in it."""
        sender, receiver = way
        envelope = Envelope(
            id=f"{sender}-{receiver}-{INCARNATION}-{self.made}",
            type=body.name,
            body_v=body.v,
            case_id=CaseId(case_id),
            sender=sender,
            receiver=receiver,
            org=f"{sender}0100000000",
            purpose="MIGRATION",
            basis=body.basis,
            seq=self.made,
            at=self.country.sites[Province(sender)].clock.now(),
        )
        return encode_message(envelope.model_copy(update=changes), body)

    def nobodys_case(self, province: str) -> str:
        """A case number that no registry ever gave."""
        clock = self.country.sites[Province(province)].clock
        return make_case_id(Province(province), "01", clock.now().date(), SERIAL + self.made)

    def strangers_case(self, way: tuple[str, str]) -> str:
        """A case of the receiver in which the sender has no part; one that nobody knows if there is none."""
        sender, receiver = way
        cases = self.country.watch.cases
        strangers = [number for number in cases[receiver] if number not in cases[sender]]
        return self.random.choice(strangers) if strangers else self.nobodys_case(sender)

    def person(self) -> str:
        """Anybody."""
        return self.random.choice(list(self.country.residents))


Way = tuple[str, str]
Kind = Callable[[Poisoner, Way], list[bytes]]


def _noise(by: Poisoner, _way: Way) -> list[bytes]:
    return [by.random.randbytes(by.random.randint(1, 200))]


def _unknown_type(by: Poisoner, way: Way) -> list[bytes]:
    body = m.Cancel(reason="WITHDRAWN")
    return [by.message(way, body, by.strangers_case(way), type="migration.unheard_of")]


def _unknown_version(by: Poisoner, way: Way) -> list[bytes]:
    return [by.message(way, m.Cancel(reason="WITHDRAWN"), by.strangers_case(way), body_v=99)]


def _wrong_body(by: Poisoner, way: Way) -> list[bytes]:
    """The body of one type under the name of another."""
    return [by.message(way, m.Cancel(reason="WITHDRAWN"), by.strangers_case(way), type=m.Offer.name)]


def _misdirected(by: Poisoner, way: Way) -> list[bytes]:
    """To the sender itself, and yet before the receiver."""
    sender, _ = way
    return [by.message((sender, sender), m.Cancel(reason="WITHDRAWN"), by.strangers_case(way))]


def _meddling(by: Poisoner, way: Way) -> list[bytes]:
    """A word on somebody else's case."""
    sender, receiver = way
    persons = (m.PersonEpoch(person=by.person(), epoch=by.random.randint(0, 3)),)
    released = (m.PersonReleased(person=persons[0].person, epoch=persons[0].epoch, previous=""),)
    now = by.country.sites[Province(sender)].clock.now()
    body: Body = by.random.choice(
        (
            m.Cancel(reason="WITHDRAWN"),
            m.Withdrawal(reason="WITHDRAWN"),
            m.Refusal(code="HOLD", contact="-"),
            m.Acceptance(digest=DIGEST, persons=persons),
            m.Settled(certificate_no=f"QY{sender}202600000001", persons=persons, effective_at=now),
            m.Certificate(
                certificate_no=f"QY{sender}202600000001",
                origin=sender,
                destination=receiver,
                persons=released,
                digest=DIGEST,
                acceptance="AAAA",
                released_at=now,
            ),
        )
    )
    return [by.message(way, body, by.strangers_case(way))]


def _unasked_permit(by: Poisoner, way: Way) -> list[bytes]:
    """A permit in a case that nobody opened."""
    sender, _ = way
    now = by.country.sites[Province(sender)].clock.now()
    body = m.Permit(
        permit_no=f"ZQ{sender}202600000001",
        persons=(m.PermitPerson(person=by.person(), record_version=1),),
        issued_at=now,
        valid_until=now + timedelta(days=40),
        approver=f"{sender}0100000000",
    )
    return [by.message(way, body, by.nobodys_case(sender))]


def _one_id_twice(by: Poisoner, way: Way) -> list[bytes]:
    """Two questions under one id (M-4)."""
    case_id = by.nobodys_case(way[0])
    asked: list[Any] = [(PersonAsked(person=by.person(), name_check="0" * 32),) for _ in range(2)]
    return [
        by.message(way, m.Precheck(migration_type="OTHER", persons=persons), case_id) for persons in asked
    ]


KINDS: tuple[Kind, ...] = (
    _noise,
    _unknown_type,
    _unknown_version,
    _wrong_body,
    _misdirected,
    _meddling,
    _unasked_permit,
    _one_id_twice,
)
