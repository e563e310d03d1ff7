"""The register's verbs: the only code that writes a registration. Pure; the unit of work stores the result.

freeze · thaw · prepare · drop · release · hold · archive, and after a database was put back
restore · resume · yield · prove; enter makes a first holder; issue · revoke · report_lost · hand_over write
documents alone; change enters what an item does to somebody who stays. The tables' `writes` names them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from tongban_registry.changes import change
from tongban_registry.copies import keep
from tongban_registry.writing import Verb, Writing, new_head, see_to_those_who_stay
from tongban_shared.cases.kind import Case, Event
from tongban_shared.cases.kinds import KINDS
from tongban_shared.cases.migration_compose import certificate_digest, certificate_of
from tongban_shared.cases.newborn_data import Child
from tongban_shared.documents.verify import Status
from tongban_shared.effects import Ending
from tongban_shared.ids import Sex
from tongban_shared.messages.migration import Certificate
from tongban_shared.registration import (
    NO_PROOF,
    PROTECTED,
    Household,
    PaperOnFile,
    Person,
    Registration,
    Surroundings,
)

NO_RECORD = "{}"
PROTECTION = frozenset({"BLOCK", "LIFT_BLOCK"})
SHOWS_WHO = frozenset({"id_card", "temporary_id"})
ENDINGS: Mapping[str, Registration] = {
    Ending.DEATH: Registration.CANCELLED_DEATH,
    Ending.MILITARY: Registration.CANCELLED_MILITARY,
    Ending.ABROAD: Registration.CANCELLED_ABROAD,
}
# GB/T 4761, relation to the head (与户主关系): children of the head and of the spouse are the head's.
HEAD, SON, DAUGHTER, OTHER_RELATIVE = "02", "20", "30", "97"
CHILD_OF = frozenset({"01", HEAD, "10", "11", "12"})
# Rows that claim nothing and bind nobody to another case's outcome.
UNDECIDED = frozenset({Registration.PREPARED, Registration.DROPPED})


def freeze(case: Case, _event: Event, around: Surroundings) -> Writing:
    """HELD → FROZEN: still fully served here; a second transfer is refused (M2)."""
    frozen = (around.people[key] for key in case.persons)
    return Writing(persons=[replace(p, state=Registration.FROZEN, case_id=case.id) for p in frozen])


def thaw(case: Case, _event: Event, around: Surroundings) -> Writing:
    """FROZEN → HELD: the transfer ended before the release (MX)."""
    return _set(case, around, state=Registration.HELD, case_id=None)


def prepare(case: Case, event: Event, around: Surroundings) -> Writing:
    """NONE → PREPARED at the next epoch: the bundle is stored, the origin still holds (M3)."""
    entries: list[dict[str, Any]] = msgspec.json.decode(event.bundle or b"[]")
    home = case.data.household_no or case.data.new_household_no
    return Writing(persons=[_prepared(entry, home, case, around) for entry in entries])


def _prepared(entry: Mapping[str, Any], home: str, case: Case, around: Surroundings) -> Person:
    known = around.people.get(entry["person"])
    return Person(
        key=entry["person"],
        epoch=entry["epoch"] + 1,
        state=Registration.PREPARED,
        record_version=entry["record_version"] + 1,
        name_check=entry["name_check"],
        birth_date=date.fromisoformat(entry["birth_date"]),
        household_id=home,
        head=False,
        version=known.version if known else 0,
        case_id=case.id,
        moved_to=case.origin,
        proof_digest=known.proof_digest if known else "",
        record=_settled_record(entry["record"], case, home),
    )


def drop(case: Case, _event: Event, around: Surroundings) -> Writing:
    """PREPARED → NONE, on the origin's signed cancel only; the pointer to the origin stays."""
    writing = Writing()
    for person in _moving(case, around):
        before = Registration.CONFIRMED if person.proof_digest else Registration.DROPPED
        # The pointer reads "held there since the next epoch": the origin holds one before what was prepared.
        epoch = max(0, person.epoch - 2)
        changed = replace(person, state=before, epoch=epoch, case_id=None)
        if before is Registration.DROPPED:  # of one who was here before, the next holder may need the record
            changed = replace(changed, record=NO_RECORD)
        writing.persons.append(changed)
    return writing


def release(case: Case, event: Event, around: Surroundings) -> Writing:
    """FROZEN → RELEASED: tombstone, forward pointer; the household gets a new head or closes (M4, M-2)."""
    digest = certificate_digest(certificate_of(case))
    writing = _set(
        case,
        around,
        state=Registration.RELEASED,
        moved_to=case.destination,
        proof_digest=digest,
        proof=event.proof,
    )
    see_to_those_who_stay(writing, {person.household_id for person in writing.persons}, case, around)
    return writing


def yield_(case: Case, _event: Event, around: Surroundings) -> Writing:
    """HELD or FROZEN → RELEASED, whatever case froze them: the ledger has them elsewhere already (G1).

    The certificate that names their next holder went with the database; the destination sends it back.
    """
    gone = {"moved_to": case.destination, "case_id": case.id, "proof_digest": case.data.certificate_digest}
    left = [
        replace(around.people[key], state=Registration.RELEASED, proof=NO_PROOF, **gone)
        for key in case.persons
    ]
    writing = Writing(persons=left)
    see_to_those_who_stay(writing, {person.household_id for person in writing.persons}, case, around)
    return writing


def restore(case: Case, event: Event, around: Surroundings) -> Writing:
    """→ PREPARED at the next epoch, from the records that the origin sent again; what is newer stays (G1)."""
    entries: list[dict[str, Any]] = msgspec.json.decode(event.bundle or b"[]")
    writing = Writing()
    for entry in entries:
        known = around.people.get(entry["person"])
        older = known is None or known.epoch <= entry["epoch"]
        if older or (known is not None and known.state in UNDECIDED and known.epoch == entry["epoch"] + 1):
            prepared = _prepared(entry, case.data.new_household_no, case, around)
            writing.persons.append(replace(prepared, proof=event.proof))
    return writing


def resume(case: Case, event: Event, around: Surroundings) -> Writing:
    """PREPARED → HELD for those whom the ledger has here at this epoch; the others are pointed on (G1)."""
    holders, epochs = event.body.holders, event.body.epochs
    movers = [person for person in _moving(case, around) if person.state is Registration.PREPARED]
    here = [p for p in movers if (holders[p.key], epochs[p.key]) == (around.province, p.epoch)]
    writing = _settle(case, here, event, around)
    for person in movers:
        if person not in here and holders[person.key] != around.province:
            gone = {"moved_to": holders[person.key], "case_id": None}
            writing.persons.append(replace(person, state=Registration.CONFIRMED, **gone))
    return writing


def hold(case: Case, event: Event, around: Surroundings) -> Writing:
    """PREPARED → HELD at the next epoch, with household and booklet, on the certificate (M5)."""
    movers = _moving(case, around)
    if len(movers) != len(case.persons):
        raise LookupError("a certificate for persons who are not prepared here")
    return _settle(case, movers, event, around)


def _settle(case: Case, movers: Sequence[Person], event: Event, around: Surroundings) -> Writing:
    """Persons held here from now on, in the household they join or in one of their own."""
    data = case.data
    writing = Writing()
    if not movers:
        return writing
    digest = data.certificate_digest or certificate_digest(event.body)
    joined = data.household_no is not None
    head = None if joined else new_head(movers, around).key
    for person in movers:
        writing.persons.append(
            replace(
                person,
                state=Registration.HELD,
                head=person.key == head,
                case_id=None,
                moved_to=None,
                proof=event.proof,
                proof_digest=digest,
                valid_from=data.effective_at,
                valid_to=None,
            )
        )
    if not joined:
        home = movers[0].household_id
        writing.households.append(Household(home, "FAMILY", data.destination_org, data.address))
    return writing


def _settled_record(record: dict[str, Any], case: Case, home: str) -> str:
    """The resident form as it will stand here: address, and why and whence (何因由何地迁来)."""
    settled = record | {
        "address": case.data.address,
        "household_no": home,
        "moved_in": {"reason": case.data.migration_type, "from_province": case.origin},
    }
    return msgspec.json.encode(settled, order="sorted").decode()


def befall(person: Person, kind: str, at: datetime) -> Person:
    """A hold, a protective block, the end of one, or of a registration; `at`: when it was entered."""
    if kind in PROTECTION:
        return _protected(person, on=kind == "BLOCK")
    if kind in ENDINGS:
        return replace(person, state=ENDINGS[kind], valid_to=at)
    return replace(person, hold=kind == "HOLD")


def _protected(person: Person, *, on: bool) -> Person:
    """With a protective block (保护性封锁) in the resident form: so it moves, sealed, with the person."""
    form: dict[str, Any] = msgspec.json.decode(person.record or NO_RECORD)
    form.pop(PROTECTED, None)
    form |= {PROTECTED: True} if on else {}
    return replace(person, record=msgspec.json.encode(form, order="sorted").decode())


def void_at_death(papers: Sequence[PaperOnFile]) -> dict[str, Status]:
    """What the dead had on them to show who they are ends; a certificate of what was so stands (S2)."""
    return {paper.licence_id: Status.REVOKED for paper in papers if paper.kind in SHOWS_WHO}


def archive(case: Case, event: Event, around: Surroundings) -> Writing:
    """RELEASED → CONFIRMED: the row closes at the instant at which the destination's opened (M5, M-8)."""
    writing = _set(case, around, state=Registration.CONFIRMED, valid_to=case.data.effective_at, case_id=None)
    writing.persons = [_proven(person, event) for person in writing.persons]
    return writing


def prove(case: Case, event: Event, around: Surroundings) -> Writing:
    """CONFIRMED stays so: an origin that was put back keeps its own certificate again (G1)."""
    people = [around.people[key] for key in case.persons if key in around.people]
    return Writing(persons=[_proven(p, event) for p in people if p.state is Registration.CONFIRMED])


def _proven(person: Person, event: Event) -> Person:
    """With the certificate that the destination sent back, if it is the very one that the ledger has."""
    if event.opened is None or not event.body.certificate:
        return person
    digest = certificate_digest(cast("Certificate", event.opened.message.body))
    return replace(person, proof=event.proof) if digest == person.proof_digest else person


def issue(case: Case, event: Event, around: Surroundings) -> Writing:
    """The case's document, and what holds no more beside it; nobody's row changes (CT2, TI2, IC2)."""
    kind = KINDS[case.kind]
    assert kind.paper is not None, f"{case.kind} issues nothing"
    return Writing(papers=[kind.paper(case, event, around)], standings=dict(kind.voids(case, around)))


def enter(case: Case, event: Event, around: Surroundings) -> Writing:
    """→ HELD at epoch 0: the ledger has entered the children here; they live with the parent (NB2).

    Whoever has moved on since, in a past that was put back, is another case's.
    """
    parent = around.people[case.persons[0]]
    new = [c for c in case.data.children if c.key in event.body.here and c.key not in around.people]
    writing = issue(case, event, around)
    # A parent who was released while the ledger answered may have left it closed; it is the child's.
    writing.households_opened.append(parent.household_id)
    writing.persons = [
        Person(
            key=child.key,
            epoch=0,
            state=Registration.HELD,
            record_version=1,
            name_check=child.check,
            birth_date=child.born,
            household_id=parent.household_id,
            head=False,
            record=_first_record(child, case, parent),
            valid_from=event.at,
        )
        for child in new
    ]
    return writing


def _first_record(child: Child, case: Case, parent: Person) -> str:
    """The resident form of a newborn: what the birth certificate says, and the household's of the parent."""
    form: dict[str, Any] = msgspec.json.decode(parent.record)
    shared = ("synthetic", "ethnicity_code", "native_place_division", "address", "id_card_issuer")
    own = {
        "id_number": child.id_number,
        "name": child.name,
        "sex": child.sex,
        "sex_code": child.sex,
        "birth_date": child.born.isoformat(),
        "birthplace_division": f"{case.data.birthplace}0000",
        "household_no": parent.household_id,
        "relation_code": _relation(child, form),
    }
    inherited = {name: form[name] for name in shared if name in form}
    return msgspec.json.encode(inherited | own, order="sorted").decode()


def _relation(child: Child, parent: Mapping[str, Any]) -> str:
    """To the head of the household (GB/T 4761): the head's or their spouse's child, else a relative."""
    if parent.get("relation_code", HEAD) not in CHILD_OF:
        return OTHER_RELATIVE
    return SON if child.sex == Sex.MALE else DAUGHTER


def revoke(case: Case, _event: Event, _around: Surroundings) -> Writing:
    """What was issued holds no more: withdrawn meanwhile, never printed, handed back, never fetched."""
    return Writing(standings={case.data.licence_id: Status.REVOKED})


def report_lost(case: Case, _event: Event, around: Surroundings) -> Writing:
    """挂失: what was lost is dead from the report on, whatever becomes of the case (IC8)."""
    return Writing(standings=dict(KINDS[case.kind].voids(case, around)))


def hand_over(case: Case, _event: Event, around: Surroundings) -> Writing:
    """The card is in its owner's hands: the old one and every temporary one end (IC9)."""
    standings = {}
    for paper in around.papers.get(case.persons[0], ()):
        if paper.kind == "temporary_id":
            standings[paper.licence_id] = Status.REVOKED
        elif paper.kind == case.kind and paper.licence_id != case.data.licence_id:
            standings[paper.licence_id] = Status.SUPERSEDED
    return Writing(standings=standings)


def _set(case: Case, around: Surroundings, **changes: Any) -> Writing:  # noqa: ANN401  # as dataclasses.replace
    return Writing(persons=[replace(person, **changes) for person in _moving(case, around)])


def _moving(case: Case, around: Surroundings) -> list[Person]:
    """The persons whose rows are this case's; a row that a later case has taken is left alone."""
    people = [around.people[key] for key in case.persons if key in around.people]
    return [person for person in people if person.case_id == case.id]


VERBS: Mapping[str, Verb] = {
    "freeze": freeze,
    "thaw": thaw,
    "prepare": prepare,
    "drop": drop,
    "release": release,
    "hold": hold,
    "archive": archive,
    "prove": prove,
    "restore": restore,
    "resume": resume,
    "yield": yield_,
    "issue": issue,
    "revoke": revoke,
    "report_lost": report_lost,
    "hand_over": hand_over,
    "change": change,
    "enter": enter,
    "keep": keep,
}
