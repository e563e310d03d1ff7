"""Every move that the world can make next; what one province does is computed once per database and event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cached_property
from typing import NamedTuple

from tongban_registry.asker import move_of
from tongban_registry.gate_rules import catch_up
from tongban_sandbox.model.province import PERMIT_DAYS, Turn
from tongban_sandbox.model.rules import Rules
from tongban_sandbox.model.state import (
    FLAGS,
    KEPT,
    NOW,
    OUTBOX,
    TAKEN,
    WIRE,
    Backup,
    Filing,
    Instance,
    Line,
    Local,
    State,
    Tables,
)
from tongban_shared.cases.common import Application, Decision, Located, PersonRef
from tongban_shared.cases.kind import LIMIT, Case, Side
from tongban_shared.cases.migration_data import MigrationData
from tongban_shared.custody import Hop
from tongban_shared.ids import CaseId, Province
from tongban_shared.ports import Custody, Passage
from tongban_shared.registration import CLAIMING, Person, Registration

CHECK = "0" * 16
HOME = "home"
LATE_CLOCK = NOW + timedelta(days=PERMIT_DAYS + 1)
LIMITS, WITHDRAWALS, WIPES, RESTORES = range(4)
NOT_SPENT = -1


class Move(NamedTuple):
    """A move for people to read: what happened, where, about which case or message number."""

    kind: str
    province: int
    case_id: str = ""
    message: int = -1


class Effect(NamedTuple):
    """What a unit of work left: the database after it, and message numbers sent."""

    local: int
    sent: tuple[int, ...]


class World:
    """The moves of one instance under one set of rules."""

    def __init__(self, instance: Instance, rules: Rules) -> None:
        self.instance = instance
        self.rules = rules
        self.tables = Tables()
        self._effects: dict[tuple[int, str, object], Effect | None] = {}
        self._places = {code: number for number, code in enumerate(instance.provinces)}

    @cached_property
    def start(self) -> State:
        """Everybody at home in the first province; nothing under way."""
        first, *others = self.instance.provinces
        people = tuple(
            Person(key, 0, Registration.HELD, 1, CHECK, date(1990, 1, 1), HOME + key, head=True, record="{}")
            for key in self.instance.persons()
        )
        databases = [Local(first, people=people), *(Local(code) for code in others)]
        ledger = tuple(Line(person.key, 0, first, "") for person in people)
        of = self.instance
        left = (of.limits, of.withdrawals, of.wipes, of.restores)
        numbers = tuple(self.tables.locals(local) for local in databases)
        return State(numbers, self.tables.ledgers(ledger), (), left, 0)

    def moves(self, state: State) -> Iterator[tuple[Move, State]]:
        """All moves from here with where they lead; a move that changes nothing is left out."""
        yield from self._post(state)
        yield from self._filings(state)
        for place, number in enumerate(state.locals):
            for case in self.tables.locals.values[number].cases:
                if case.due_at is not None:
                    yield from self._own(state, place, case)
                    yield from self._ledger(state, place, case)
        if state.left[WIPES] and any(entry & WIRE for entry in state.post):
            post = (entry & ~WIRE for entry in state.post)
            kept = tuple(sorted(entry for entry in post if entry & (OUTBOX | TAKEN)))
            yield Move("wipe", 0), _spend(state._replace(post=kept), WIPES)
        if state.left[RESTORES]:
            yield from self._backups(state)

    # --- a backup, and its way back

    def _backups(self, state: State) -> Iterator[tuple[Move, State]]:
        """Any database is copied at any time; at any later time the copy takes its place."""
        if state.backup is not None:
            place = state.backup.place
            yield Move("restore", place), self._restored(state, state.backup)
            return
        for place, number in enumerate(state.locals):
            post = tuple(sorted(self._copied(entry, place) for entry in state.post))
            yield Move("backup", place), state._replace(post=post, backup=Backup(place, number))

    def _copied(self, entry: int, place: int) -> int:
        message = self.tables.messages.values[entry // FLAGS]
        sent = self._places[message.sender] == place
        taken = self._places[message.receiver] == place and entry & TAKEN
        return entry | KEPT if sent or taken else entry

    def _restored(self, state: State, backup: Backup) -> State:
        """Put back, found out by its fence, caught up with: what it knew of the post is as in the copy."""
        known = (self._as_known(entry, backup.place) for entry in state.post)
        post = sorted(entry for entry in known if entry & (OUTBOX | WIRE))
        numbers = list(state.locals)
        numbers[backup.place] = backup.local
        after = _spend(state._replace(locals=tuple(numbers), post=tuple(post), backup=None), RESTORES)
        if not self.rules.gate:
            return after
        effect = self._effect(backup.local, "recover", state.ledger)
        return after if effect is None else _applied(after, backup.place, effect)

    def _as_known(self, entry: int, place: int) -> int:
        message = self.tables.messages.values[entry // FLAGS]
        known = entry & KEPT
        entry &= ~KEPT
        if self._places[message.sender] == place:
            # In the copy it may wait for its receipt still; one that is not in the copy was never sent.
            return entry | OUTBOX if known and not entry & TAKEN else entry & ~OUTBOX
        if self._places[message.receiver] == place and not known and entry & TAKEN:
            return (entry & ~TAKEN) | (OUTBOX if self.rules.gate else 0)
        return entry

    # --- messages

    def _post(self, state: State) -> Iterator[tuple[Move, State]]:
        """Re-send from the outbox, deliver from the wire (again and again), receipt."""
        for index, entry in enumerate(state.post):
            if index and state.post[index - 1] == entry:
                continue
            number = entry // FLAGS
            message = self.tables.messages.values[number]
            sender = self._places[message.sender]
            if entry & OUTBOX and not entry & WIRE:
                flags = entry | WIRE if self.rules.retire_on_receipt else (entry | WIRE) & ~OUTBOX
                yield Move("send", sender, message.case_id, number), self._swap(state, index, flags)
            if entry & WIRE:
                yield from self._deliver(state, index)
            if entry & TAKEN and entry & OUTBOX:
                yield (
                    Move("receipt", sender, message.case_id, number),
                    self._swap(state, index, entry & ~OUTBOX),
                )

    def _deliver(self, state: State, index: int) -> Iterator[tuple[Move, State]]:
        entry = state.post[index]
        number = entry // FLAGS
        message = self.tables.messages.values[number]
        if entry & TAKEN and self.rules.inbox:
            return
        place = self._places[message.receiver]
        forget = self.instance.forget_taken and self.rules.inbox
        after = self._swap(state, index, self._after_taking(state, entry) if forget else entry | TAKEN)
        for kind in ("repeat",) if entry & TAKEN else ("deliver", "deliver late"):
            if kind == "deliver late" and (message.name != "permit" or not state.left[LIMITS]):
                continue
            effect = self._effect(state.locals[place], kind, number)
            if effect is not None:
                spent = _spend(after, LIMITS) if kind == "deliver late" else after
                yield Move(kind, place, message.case_id, number), _applied(spent, place, effect)

    def _after_taking(self, state: State, entry: int) -> int | None:
        """Repeats and receipts only meet the inbox; a restore may make it forget, then it is sent again."""
        if not state.left[RESTORES]:
            return None
        return entry & ~(OUTBOX | WIRE) | TAKEN

    # --- what starts at a province itself

    def _filings(self, state: State) -> Iterator[tuple[Move, State]]:
        """The door: the ledger names the origin; one open case for each person at one destination."""
        for bit, filing in enumerate(self.instance.filings):
            holder = self._newest(state.ledger)[filing.person].province
            place = self._places[filing.destination]
            here = self.tables.locals.values[state.locals[place]]
            busy = any(c.due_at is not None and c.side is Side.DESTINATION for c in here.cases)
            if state.filed >> bit & 1 or holder == filing.destination or busy:
                continue
            effect = self._effect(state.locals[place], "apply", (filing, holder))
            if effect is not None:
                filed = state._replace(filed=state.filed | 1 << bit)
                yield Move("apply", place, filing.case_id), _applied(filed, place, effect)

    def _own(self, state: State, place: int, case: Case) -> Iterator[tuple[Move, State]]:
        """A passed limit, a withdrawal, an officer's word on an offer that differs."""
        spent = {LIMIT: LIMITS, "withdraw": WITHDRAWALS, "approve": NOT_SPENT, "refuse": NOT_SPENT}
        for kind, budget in spent.items():
            again = kind == LIMIT and self.instance.restores and not state.left[RESTORES]
            if budget != NOT_SPENT and not state.left[budget] and not again:
                continue
            if budget == NOT_SPENT and case.state != "CONFIRMING":
                continue
            effect = self._effect(state.locals[place], kind, case.id)
            if effect is not None and (budget == NOT_SPENT or state.left[budget] or self._ends(effect, case)):
                paid = state if budget == NOT_SPENT else _spend(state, budget)
                yield Move(kind, place, case.id), _applied(paid, place, effect)

    def _ends(self, effect: Effect, case: Case) -> bool:
        """After a restore a limit that had passed may pass again, budget or not, where it ends the case."""
        after = self.tables.locals.values[effect.local].case(case.id)
        return after is not None and after.state in self.rules.kind.terminal

    def _ledger(self, state: State, place: int, case: Case) -> Iterator[tuple[Move, State]]:
        """The ledger enters what is asked; its answer comes in a move of its own, since it may be lost."""
        if case.state == "VERIFYING":
            newest = self._newest(state.ledger)
            found = tuple((key, newest[key].province, newest[key].epoch) for key in case.persons)
            effect = self._effect(state.locals[place], "located", (case.id, found))
            if effect is not None:
                yield Move("located", place, case.id), _applied(state, place, effect)
        if case.state != "RELEASING":
            return
        asked = move_of(case)
        hop = Hop(asked.origin, asked.destination, asked.persons, asked.certificate_digest, case.id)
        lines = self.tables.ledgers.values[state.ledger]
        past = {
            (line.person, line.epoch): Custody(Province(line.holder), line.epoch, line.certificate_digest)
            for line in lines
        }
        judged = self.rules.ledger([hop], self._newest(state.ledger), past)
        fresh = [
            Line(e.person, e.epoch, e.holder, e.certificate_digest, e.origin or "", e.case_id)
            for e in judged.entries
        ]
        if fresh:
            after = self.tables.ledgers((*lines, *fresh))
            yield Move("enter", place, case.id), state._replace(ledger=after)
            return
        effect = self._effect(state.locals[place], "appended", (case.id, judged.verdicts[0].value))
        if effect is not None:
            yield Move("appended", place, case.id), _applied(state, place, effect)

    def _swap(self, state: State, index: int, entry: int | None) -> State:
        """With this entry of the post in place of the one at the index, or with none."""
        post = list(state.post)
        del post[index]
        if entry is not None and (entry & (OUTBOX | WIRE) or state.left[RESTORES]):
            post.append(entry)
        return state._replace(post=tuple(sorted(post)))

    def _newest(self, ledger: int) -> dict[str, Custody]:
        lines = self.tables.ledgers.values[ledger]
        return {
            line.person: Custody(Province(line.holder), line.epoch, line.certificate_digest) for line in lines
        }

    # --- one province's unit of work, computed once

    def _effect(self, local: int, kind: str, about: object) -> Effect | None:
        """None: nothing changes (a repeat, a command refused, a limit that only calls a person)."""
        key = (local, kind, about)
        if key not in self._effects:
            self._effects[key] = self._work(local, kind, about)
        return self._effects[key]

    def _work(self, number: int, kind: str, about: object) -> Effect | None:
        local = self.tables.locals.values[number]
        clock = LATE_CLOCK if kind == "deliver late" else NOW
        turn = Turn(self.rules, local, clock, recalls=bool(self.instance.restores))
        taken = self._play(turn, kind, about)
        if not taken or (_same(local, turn.local) and not turn.sent and kind != "deliver"):
            return None
        sent = tuple(self.tables.messages(message) for message in turn.sent)
        return Effect(self.tables.locals(turn.local), sent)

    def _recover(self, turn: Turn, lines: Sequence[Line]) -> bool:
        """What the registry's own gate concludes from the ledger's log, told to the cases."""
        local = turn.local
        here = {person.key: person for person in local.people if person.state in CLAIMING}
        cases: dict[str, Case] = {case.id: case for case in local.cases}
        told = catch_up(_passages(lines, local.province), cases, here, local.province)
        taken = [turn.command(turn.event(one.name, one.case_id, one.body)) for one in told]
        return any(taken)

    def _play(self, turn: Turn, kind: str, about: object) -> bool:
        if kind == "recover":
            return self._recover(turn, self.tables.ledgers.values[int(str(about))])
        if isinstance(about, int):
            turn.take(self.tables.messages.values[about])
            return True
        if isinstance(about, str):
            body = Decision(kind) if kind in {"approve", "refuse"} else None
            return turn.command(turn.event("decision" if body else kind, about, body))
        match about:
            case (Filing() as filing, str(holder)):
                return turn.command(turn.event("apply", filing.case_id, _application(filing, holder)))
            case (str(case_id), tuple(found)) if kind == "located":
                where = Located({key: at for key, at, _ in found}, {key: epoch for key, _, epoch in found})
                return turn.command(turn.event("located", case_id, where))
            case (str(case_id), verdict):
                return turn.command(turn.event("appended", case_id, verdict))
        raise ValueError(kind)


def _passages(lines: Sequence[Line], province: str) -> list[Passage]:
    """The hand-overs of the ledger's log from or to a province."""
    return [
        Passage(
            seq,
            CaseId(line.case_id),
            line.person,
            line.epoch,
            Province(line.origin),
            Province(line.holder),
            line.certificate_digest,
        )
        for seq, line in enumerate(lines, 1)
        if line.origin and province in (line.origin, line.holder)
    ]


def _application(filing: Filing, holder: str) -> Application:
    data = MigrationData(
        migration_type="HOUSING",
        automatic=True,
        persons=(PersonRef(person=filing.person, name_check=CHECK),),
        destination_org=f"{filing.destination}0100000000",
        address="-",
    )
    return Application(data, holder, "0107")


def _same(before: Local, after: Local) -> bool:
    """Whether nothing happened but the count of a case's versions."""
    return before == after or (
        before.people == after.people
        and before.parked == after.parked
        and [(c.id, c.state, c.data) for c in before.cases] == [(c.id, c.state, c.data) for c in after.cases]
    )


def _applied(state: State, place: int, effect: Effect) -> State:
    """A commit: the database after it, and what it sends, in the outbox and not on the wire yet."""
    numbers = list(state.locals)
    numbers[place] = effect.local
    post = sorted((*state.post, *(number * FLAGS + OUTBOX for number in effect.sent)))
    return state._replace(locals=tuple(numbers), post=tuple(post))


def _spend(state: State, budget: int) -> State:
    left = list(state.left)
    left[budget] -= left[budget] > 0
    return state._replace(left=tuple(left))
