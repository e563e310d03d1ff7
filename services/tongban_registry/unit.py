"""One unit of work in memory: what was read, every event decided in turn, everything that will be written.

No I/O and no clock in here: the inbox reads before and writes after. A message that fails touches its own
case alone; the others of the batch go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set as AbstractSet
from datetime import datetime

import msgspec
from msgspec.structs import replace

from tongban_registry.copies import enclose, standing_at_end
from tongban_registry.envelopes import Outgoing, Sealed
from tongban_registry.loaded import Loaded
from tongban_registry.notices import end_by_case, take_notice
from tongban_registry.office import Counters, Office
from tongban_registry.register import VERBS
from tongban_registry.storage.rows import Changes, copy_row, to_us
from tongban_registry.writing import Writing
from tongban_shared.case_clock import with_deadlines
from tongban_shared.cases.kind import Case, Draft, Event, Side
from tongban_shared.cases.kinds import KINDS
from tongban_shared.decide import Fate, Outcome, decide
from tongban_shared.documents.paper import Paper, sign_paper
from tongban_shared.documents.verify import Status
from tongban_shared.ids import CaseId
from tongban_shared.messages.envelope import Body
from tongban_shared.messages.migration import Certificate
from tongban_shared.notifications import load_templates, notice_of, notification_id
from tongban_shared.registration import PaperOnFile, Person, Registration, Surroundings
from tongban_shared.wire import Opened, cut

PARKED_TRIES_MAX = 5
PARKED_PER_CASE_MAX = 32
# The kind of a message that belongs to a person and to no case.
ABOUT_A_PERSON = "registration"


class Arrival(msgspec.Struct, frozen=True):
    """A message from another province, opened."""

    event: Event
    kind: str
    opened: Opened
    tries: int = 0

    @property
    def parcel(self) -> str:
        """The parcel of one that proves it, base64."""
        return self.opened.proof


class Ask(msgspec.Struct, frozen=True):
    """A question to the custody ledger, asked after the commit: ledger.locate or ledger.append."""

    name: str
    case: Case


class Unit:
    """The working set of one unit of work."""

    def __init__(self, office: Office, counters: Counters, loaded: Loaded, now: datetime) -> None:
        self.office = office
        self.counters = counters
        self.now = now
        self.changes = Changes()
        self.outgoing: list[Outgoing] = []
        self.words: list[tuple[str, Body]] = []
        self.asks: list[Ask] = []
        self.fates: dict[str, int] = {}
        self.notes: dict[str, list[tuple[object, ...]]] = {}
        self._loaded = loaded
        self._parked: dict[str, list[Arrival]] = {}
        self._newly_parked: set[str | None] = set()
        self._busy_until = loaded.busy_until()
        self._handing_over = loaded.handing_over()
        limits = office.profile.limits
        self._around = Surroundings(
            province=office.province,
            org=office.org,
            contact=office.profile.contact,
            now=now,
            permit_valid_days=limits.permit_valid_days,
            correction_days=limits.correction_days,
            people=loaded.people,
            members=loaded.members,
            proofs=loaded.proofs,
            busy_until=self._busy_until,
            papers=loaded.papers,
            under_way=loaded.under_way,
            match_percent=limits.match_percent,
            handing_over=self._handing_over,
            put_back=counters.incarnation > 1,
            calendars=office.calendars,
        )

    def remember_parked(self, arrival: Arrival) -> None:
        """A message parked earlier: tried again as soon as its case moves."""
        self._parked.setdefault(arrival.event.case_id, []).append(arrival)

    def case(self, case_id: str) -> Case | None:
        """The case as it stands within this unit."""
        return self._loaded.cases.get(case_id)

    def under_way(self, persons: Sequence[str], kind: str) -> str | None:
        """The open case of that type which any of these persons has here."""
        known = self._loaded.under_way
        return next((known[person, kind] for person in persons if (person, kind) in known), None)

    # --- messages

    def decide_arrival(self, arrival: Arrival) -> Fate:
        """Decide one message and stage what follows from it."""
        event = arrival.event
        outcome = None if arrival.kind == ABOUT_A_PERSON else self.decide(event, arrival.kind)
        fate = outcome.fate if outcome else Fate.PARKED
        if arrival.kind == ABOUT_A_PERSON:
            fate = take_notice(self, arrival)
        self.fates[fate] = self.fates.get(fate, 0) + 1
        if fate is Fate.PARKED:
            self._park(arrival)
        elif arrival.tries and event.message_id:
            self.changes.unparked.append((event.message_id,))
        if outcome and fate is Fate.REFUSED:
            self.quarantine(
                outcome.code or "STEP_NOT_ALLOWED", event.sender, event.message_id, arrival.parcel
            )
        return fate

    def freed_by(self, case_id: str) -> Sequence[Arrival]:
        """The messages that waited for this case, or for its persons; they are to be decided now."""
        case = self.case(case_id)
        places = (case_id, *(case.persons if case is not None else ()))
        return [arrival for place in places for arrival in self._parked.pop(place, ())]

    def _park(self, arrival: Arrival, *, failed: bool = False) -> None:
        """Keep a message until its cause arrives; bounded per case and in tries (M-5).

        What is about a person waits with the person, however often their case moves (E1).
        """
        patient = arrival.kind == ABOUT_A_PERSON and not failed
        tries = max(arrival.tries, 1) if patient else arrival.tries + 1
        event = arrival.event
        waiting = self._parked.setdefault(event.case_id, [])
        if tries > PARKED_TRIES_MAX or len(waiting) >= PARKED_PER_CASE_MAX:
            if arrival.tries and event.message_id:
                self.changes.unparked.append((event.message_id,))
            self.quarantine("PARKED_TOO_LONG", event.sender, event.message_id, arrival.parcel)
            return
        waiting.append(replace(arrival, tries=tries))
        if tries != arrival.tries:
            self._newly_parked.add(event.message_id)

    def poison(self, arrival: Arrival) -> None:
        """A message whose decision failed: tried again when its case moves, quarantined after that (M-5)."""
        self.fates["POISON"] = self.fates.get("POISON", 0) + 1
        self._park(arrival, failed=True)

    def finish_parked(self) -> None:
        """Write what still waits at the end of the unit."""
        at = to_us(self.now)
        for case_id, waiting in self._parked.items():
            for arrival in (one for one in waiting if one.event.message_id in self._newly_parked):
                row = (arrival.event.message_id, case_id, arrival.parcel, arrival.tries, at)
                self.changes.parked.append(row)

    def quarantine(self, reason: str, sender: str | None, message_id: str | None, parcel: str) -> None:
        """Keep what was refused, with its reason, for people to look at and replay."""
        self.changes.quarantine.append((reason, sender, message_id, parcel, to_us(self.now)))

    # --- any event

    def decide(self, event: Event, kind_name: str) -> Outcome | None:
        """Decide one event of any origin and stage what it writes, sends and asks."""
        case = self._loaded.cases.get(event.case_id)
        kind = KINDS[case.kind if case else kind_name]
        outcome = decide(case, event, kind, self._around)
        if outcome is not None and outcome.fate is Fate.TAKEN:
            outcome = replace(outcome, case=self._promised(outcome.case))
            self._stage(case, outcome, event)
        elif outcome is not None and outcome.draft is not None:
            self._send(outcome.draft, outcome.case, (event, ""))
        return outcome

    def _promised(self, case: Case) -> Case:
        """The case with what people are promised here; a mirror's item is found by its variant."""
        variant = KINDS[case.kind].variant
        if not case.item and variant is not None:
            found = self.office.catalogue.variant(case.kind, variant(case))
            case = case if found is None else replace(case, item=found.code)
        item = self.office.catalogue.by_code.get(case.item)
        return case if item is None else with_deadlines(case, item.time_limit, self.office.profile.calendar)

    def rate(self, case_id: str, rating: tuple[object, ...]) -> bool:
        """Stage a rating; False if the case has one already."""
        fresh = case_id not in self._loaded.rated
        if fresh:
            self._loaded.rated.add(case_id)
            self.changes.ratings.append((case_id, *rating))
        return fresh

    @property
    def false_commitments(self) -> AbstractSet[tuple[str, str]]:
        """Those on record of persons who commit themselves, or are checked: person and case."""
        return self._loaded.false_commitments

    def put_false_commitment(self, row: tuple[object, ...]) -> None:
        """Put one on its person's record."""
        case_id, person, *_ = row
        self._loaded.false_commitments.add((str(person), str(case_id)))
        self.changes.false_commitments.append(row)

    def remark(self, case: Case, name: str, officer: str) -> None:
        """A line of the timeline for what changes nothing of the case."""
        event = f"{case.kind}.{name}"
        row = (case.id, to_us(self.now), self.office.province, event, officer, str(case.state), None)
        self.changes.timeline.append(row)
        self.notes.setdefault(case.id, []).append(row)

    def _stage(self, before: Case | None, outcome: Outcome, event: Event) -> None:
        case, step = outcome.case, outcome.step
        if step is not None and step.writes is not None:
            self._write(VERBS[step.writes](case, event, self._around), step.writes, case)
        if before is not None and case.id not in self.changes.case_base and case.id not in self.changes.cases:
            self.changes.case_base[case.id] = before.version
        self._loaded.cases[case.id] = case
        self.changes.cases[case.id] = case
        if case.state == "RELEASING":
            self._handing_over.update(case.persons)
        if outcome.draft is not None:
            self._send(outcome.draft, case, (event, step.sends if step and step.sends else ""))
        self._note(before, outcome, event)

    def _send(self, draft: Draft, case: Case, cause: tuple[Event, str]) -> None:
        event, name = cause
        if draft.body is None:
            self.asks.append(Ask(name, case))
            return
        document = self._loaded.documents.get(draft.encloses or "")
        if document is not None and self.office.profile.capabilities.encloses_documents:
            way = (case.id, draft.to, self.office.signer)
            draft = replace(draft, body=enclose(draft.body, document, way))
        sequence = self.counters.next_sequence(draft.to)
        self.outgoing.append(
            Outgoing.of(draft, case, event, (self.office, self.counters.incarnation, sequence))
        )

    def _note(self, before: Case | None, outcome: Outcome, event: Event) -> None:
        """Timeline, applications under way, and who saw the person's data."""
        case, step, at = outcome.case, outcome.step, to_us(self.now)
        sent = step.sends if step else None
        actor = event.officer or ("system" if event.sender is None else "registry")
        province = event.sender or self.office.province
        row = (case.id, at, province, f"{case.kind}.{event.name}", actor, str(case.state), sent)
        self.changes.timeline.append(row)
        self.notes.setdefault(case.id, []).append(row)
        kind = KINDS[case.kind]
        entry = kind.logs(case, event)
        if entry:
            self._log(kind.about(case), (at, province, entry, actor))
        self._count(before, case)
        if case.closed_at is not None and case.side is Side.DESTINATION:
            self.changes.claims_done.append((case.id,))
            if kind.paper is not None and step is not None and step.writes != "keep":
                self.changes.copies_done[case.id] = (standing_at_end(case).value, at)
        self._tell(before, case)
        told = next((name for name in (sent, step.writes if step else None) if name in kind.discloses), None)
        to = case.destination if outcome.draft is None else outcome.draft.to
        for person in case.persons if told is not None else ():
            access = (person, f"province:{to}", case.kind.upper(), case.id, told, at)
            self.changes.accesses.append(access)

    def _log(self, case_id: str, entry: tuple[int, str, str, str]) -> None:
        """A line in the timeline of another case, which stays as it is; nothing where it is not known."""
        case = self._loaded.known(case_id)
        if case is not None:
            self.changes.timeline.append((case_id, *entry, str(case.state), None))

    def _count(self, before: Case | None, case: Case) -> None:
        """Which open case a person has of a type that counts: the first one, until it is closed."""
        if case.side not in KINDS[case.kind].counted:
            return
        known = self._loaded.under_way
        if case.closed_at is not None:
            self.changes.errands_done.append((case.id,))
            for person in case.persons:
                if known.get((person, case.kind)) == case.id:
                    del known[person, case.kind]
        elif before is None or before.closed_at is not None:
            for person in case.persons:
                known[person, case.kind] = case.id
                self.changes.errands.append((person, case.kind, case.id))

    def _tell(self, before: Case | None, case: Case) -> None:
        """What the applicant is to be told of it, if they left word how."""
        change = notice_of(before, case)
        if change is not None:
            urgent = load_templates().of(change.told, change.variant).urgent
            place = (notification_id(case.id, case.version), case.id, case.version)
            facts = msgspec.json.encode(change).decode()
            self.changes.notifications.append((*place, facts, int(urgent), int(change.last), to_us(self.now)))

    def _write(self, writing: Writing, verb: str, case: Case) -> None:
        """Stage what a register verb returned, each person with its next version, and the history of it."""
        at = to_us(self.now)
        for person in writing.persons:
            self.put_person(person)
            entry = (person.key, person.epoch, person.state.value, case.id, verb, person.proof_digest, at)
            self.changes.history.append(entry)
            if case.due_at is not None and person.case_id == case.id:
                self._busy_until[person.key] = case.due_at
        for household in writing.households:
            self.changes.households[household.id] = household
        self.changes.households_closed.extend((home,) for home in writing.households_closed)
        self.changes.households_opened.extend((home,) for home in writing.households_opened)
        self._loaded.hold_no_more(writing.standings)
        self.changes.standings.extend((number, to.value) for number, to in writing.standings.items())
        self.changes.documents.extend(self._signed(paper) for paper in writing.papers)
        self.changes.copies.extend(copy_row(copy) for copy in writing.copies)
        for key, ending, officer in writing.endings:
            end_by_case(self, key, ending, officer)
        if writing.papers or writing.standings:
            self._loaded.refile(case.persons[0], writing)

    def _signed(self, paper: Paper) -> tuple[object, ...]:
        """A document row: signed here, stored with the case that it was issued in, or not at all."""
        raw = sign_paper(paper, self.office.signer, self.office.secrets.person)
        self._loaded.documents[paper.licence_id] = raw
        ends = None if paper.valid_until is None else to_us(paper.valid_until)
        place = (paper.licence_id, paper.case_id, paper.person, paper.kind)
        return (*place, raw.decode(), Status.CURRENT.value, to_us(paper.issued_at), ends)

    def put_standings(self, person: str, standings: Mapping[str, Status]) -> None:
        """How documents of a person stand from now on, by their numbers."""
        self._loaded.hold_no_more(standings)
        self.changes.standings.extend((number, to.value) for number, to in standings.items())
        self._loaded.refile(person, Writing(standings=dict(standings)))

    def papers_of(self, person: str) -> Sequence[PaperOnFile]:
        """Their current documents, as they stand within this unit; read for whom something befalls."""
        return self._loaded.papers.get(person, ())

    def put_person(self, person: Person) -> None:
        """Stage one register row over the one that was read."""
        known = self._loaded.people.get(person.key)
        if known is not None and person.key not in self.changes.persons:
            self.changes.person_base[person.key] = known.version
        fresh = replace(person, version=(known.version if known else 0) + 1)
        if known is not None and not fresh.record:
            # A copy without the resident form, as of a household's members; what was read of it stays.
            fresh = replace(fresh, record=known.record)
        self._loaded.people[person.key] = fresh
        self.changes.persons[person.key] = fresh
        if person.record and (known is None or person.record != known.record):
            self.changes.records[person.key] = person.record
        if person.proof:
            # What is decided later in this unit encloses this one, and none of an earlier case.
            self._loaded.proofs[person.key] = self.changes.proofs[person.key] = person.proof
        self._refresh_member(fresh)

    def _refresh_member(self, person: Person) -> None:
        """Decisions later in the same unit see the member as it is now."""
        members = self._loaded.members.get(person.household_id, [])
        for index, member in enumerate(members):
            if member.key == person.key:
                members[index] = person

    def last_notice(self, person: str, entered_by: str) -> tuple[int, int]:
        """Incarnation and number of the last hold, or end of one, from that door that took effect here."""
        return self._loaded.notices.get((person, entered_by), (0, 0))

    def put_notice(self, person: str, entered_by: str, order: tuple[int, int]) -> None:
        """One from that door takes effect."""
        self._loaded.notices[person, entered_by] = self.changes.notices[person, entered_by] = order

    def event(self, name: str, case_id: str, body: object = None, officer: str | None = None) -> Event:
        """A command, a passed limit or a ledger's answer as an event of this unit."""
        stamp = self.counters.next_stamp()
        return Event(name, CaseId(case_id), self.now, stamp, body=body, officer=officer)

    @property
    def people(self) -> Mapping[str, Person]:
        """Register rows as they stand within this unit."""
        return self._loaded.people

    def attach_certificates(self, sealed: Sealed) -> None:
        """Released persons keep the very certificate that names their next holder, as it was signed."""
        proofs = {
            message.case_id: cut(sealed.unit.header, leaf)
            for message, leaf in zip(sealed.messages, sealed.unit.leaves, strict=True)
            if message.name == Certificate.name
        }
        for key, person in self.changes.persons.items():
            if person.state is Registration.RELEASED and person.case_id in proofs:
                self.changes.proofs[key] = proofs[person.case_id]
