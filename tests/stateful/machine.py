"""The machine: every fault and every act of people as a rule, over one pair of provinces.

Rules leave the pair at rest; then everything in checks.py must hold. At the end all faults stop, and all
must come to its end by itself. Source: guards.md §2.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.stateful.checks import Witness, check_end, check_registers, has_died, unsettled
from tests.stateful.pair import CODES, KEPT, LOST, ROLLED_BACK, Pair
from tests.stories.folk import Resident
from tongban_shared import fault_points
from tongban_shared.keys import rotate_keys

MOVERS = 4
ROUNDS_MAX = 14
BACKUPS_MAX = 6
# The longest limit is 90 days, and a clock that set it may have been 50 days ahead.
DAYS_TO_SETTLE = 150
# An acceptance of the offer of a past that its origin lost, and does not know that it did, looks like a lie.
HEALED = {("ID_REUSED", "*"), ("STEP_NOT_ALLOWED", "acceptance")}
POINTS = ("hall.decided", "hall.written", "hall.committed", "hall.fenced", "asker.asked", "gate.renumbered")
# Hours: what is sent again, a review, a day, silence that is asked, a permit that lapses.
LEAPS = (0.1, 3.0, 25.0, 8 * 24.0, 41 * 24.0)

# A death is the end of a mover, so it comes seldom.
EVENTS = ("HOLD", "LIFT_HOLD", "LIFT_HOLD", "DEATH")

codes = st.sampled_from(CODES)
movers = st.integers(0, MOVERS - 1)
numbers = st.integers(0, 30)
rounds = st.integers(0, ROUNDS_MAX)


class PairMachine(RuleBasedStateMachine):
    """One pair, from the morning on which everybody is at home to the day on which all has settled."""

    template: Path
    place: Path | None = None

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="tongban-pair-", dir=self.place))
        self._runner = asyncio.Runner()
        self.witness = Witness()
        self.touched: dict[str, Resident] = {}
        self.dead: set[str] = set()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401  # as the coroutine's
        """Run a step to its end."""
        return self._runner.run(work)

    @initialize()
    def begin(self) -> None:
        """Both provinces run; nobody has moved."""
        shutil.copytree(self.template, self._folder / "pair")
        self.pair: Pair = self.do(Pair.begin(self._folder / "pair"))
        self.people = self.pair.movers()

    # --- what people do

    @rule(who=movers, grade=st.sampled_from("AAB"), together=st.booleans(), rounds=rounds)
    def apply(self, who: int, grade: str, together: bool, rounds: int) -> None:  # noqa: FBT001  # by name
        """Somebody applies to move to the other province, the couple at times together; it goes some way."""
        person = self.people[who]
        members = [self.people[3]] if who == 2 and together else []
        for mover in (person, *members):
            self.touched[mover.key] = mover
        at = self.pair.ledger._newest[person.key].province
        to = next(code for code in CODES if code != at)
        if self.pair.up(to):
            body = self.pair.application(person, to, grade=grade, members=members)
            self._expect(self.do(self.pair.ask(to, "/v1/cases", body)).status_code, 202, 409, 422)
        self.do(self.pair.calm())
        self.do(self.pair.flow(rounds))

    @rule(which=numbers, outcome=st.sampled_from(["approve", "approve", "refuse", "return"]))
    def decide(self, which: int, outcome: str) -> None:
        """An officer decides on a case that waits for one."""
        waiting = self.pair.waiting_for_officers()
        if waiting:
            code, case = waiting[which % len(waiting)]
            body = {"outcome": outcome} | ({"reason_code": "NOT_ELIGIBLE"} if outcome == "refuse" else {})
            self._expect(self.do(self.pair.act(code, case, "decision", body)).status_code, 202, 409)
        self.do(self.pair.calm())

    @rule(which=numbers)
    def withdraw(self, which: int) -> None:
        """An applicant withdraws, in time or too late."""
        query = "SELECT id FROM cases WHERE side = 'DESTINATION' AND closed_at IS NULL ORDER BY id"
        open_ = [(code, row[0]) for code in CODES for row in self.pair.registers.rows(code, query)]
        if open_:
            code, case = open_[which % len(open_)]
            self._expect(self.do(self.pair.act(code, case, "withdrawal")).status_code, 202, 409)
        self.do(self.pair.calm())

    @rule(who=movers, kind=st.sampled_from(EVENTS), at=codes)
    def event(self, who: int, kind: str, at: str) -> None:
        """A court holds or lets go, or somebody dies; it is entered at one of the provinces."""
        person = self.people[who]
        self.touched[person.key] = person
        answer = self.do(self.pair.hold(person, kind, at))
        self._expect(answer.status_code, 200, 202, 404, 409)
        if kind == "DEATH" and answer.status_code < 300:
            self.dead.add(person.key)
        self.do(self.pair.calm())

    # --- what the wire does

    @rule(which=numbers)
    def deliver(self, which: int) -> None:
        """Any one message arrives, before or after others."""
        self.do(self.pair.deliver(which))

    @rule(which=numbers)
    def duplicate(self, which: int) -> None:
        """A message arrives, and stays on the wire to arrive again."""
        self.do(self.pair.deliver(which, keep=True))

    @rule(which=numbers)
    def drop(self, which: int) -> None:
        """A message is lost."""
        letters = self.pair.under_way()
        if letters:
            del letters[which % len(letters)]

    @rule(rounds=rounds)
    def flow(self, rounds: int) -> None:
        """The wire works for a while."""
        self.do(self.pair.flow(rounds))

    @rule(rounds=rounds)
    def good_times(self, rounds: int) -> None:
        """Whoever is down is started, what has no receipt goes out again, and the wire works for a while."""
        self.do(self.pair.mend())
        self.do(self.pair.resend())
        self.do(self.pair.flow(rounds))

    @rule()
    def wipe(self) -> None:
        """The broker loses everything."""
        self.pair.wire.wipe()
        self.do(self.pair.calm())

    # --- what machines do

    @rule(code=codes, stays_down=st.booleans())
    def crash(self, code: str, stays_down: bool) -> None:  # noqa: FBT001  # drawn by name
        """A process is killed, and started again at once or later."""
        if self.pair.up(code):
            self.do(self.pair.crash(code))
        if not stays_down:
            self.do(self.pair.start(code))
        self.do(self.pair.calm())

    @rule(code=codes)
    def restart(self, code: str) -> None:
        """A process is stopped in good order and started."""
        if self.pair.up(code):
            self.do(self.pair.stop(code))
        self.do(self.pair.start(code))
        self.do(self.pair.calm())

    @rule(point=st.sampled_from(POINTS), passes=st.integers(1, 6))
    def strike(self, point: str, passes: int) -> None:
        """Whoever passes a point so often from now on dies there."""
        self.pair.strike_at(point, passes)

    @precondition(lambda self: len(self.pair.backups) < BACKUPS_MAX)
    @rule(code=codes)
    def backup(self, code: str) -> None:
        """A backup is taken."""
        self.pair.save(code)

    @precondition(lambda self: self.pair.backups)
    @rule(which=numbers, mode=st.sampled_from([KEPT, LOST]))
    def restore(self, which: int, mode: str) -> None:
        """A database is put back to a backup; its fence is kept, or lost as well."""
        self.do(self.pair.restore(which % len(self.pair.backups), mode))
        self.do(self.pair.calm())

    @precondition(lambda self: self.pair.backups and not self.pair.ledger.down)
    @rule(which=numbers)
    def restore_with_fence(self, which: int) -> None:
        """Database and fence are put back together; then ledger and peers are all that can tell."""
        self.do(self.pair.restore(which % len(self.pair.backups), ROLLED_BACK))
        self.do(self.pair.calm())

    # --- the same close together, since that is where it hurts

    @rule(who=movers, rounds=rounds, kind=st.sampled_from(EVENTS), at=codes)
    def event_during_a_move(self, who: int, rounds: int, kind: str, at: str) -> None:
        """Somebody is on the way, and then something befalls them."""
        self.apply(who=who, grade="A", together=False, rounds=rounds)
        self.event(who=who, kind=kind, at=at)

    @rule(who=movers, code=codes, rounds=st.tuples(rounds, rounds), mode=st.sampled_from([KEPT, LOST]))
    def put_back_during_a_move(self, who: int, code: str, rounds: tuple[int, int], mode: str) -> None:
        """A backup is taken while somebody is on the way, and put back when they have come further."""
        self.apply(who=who, grade="A", together=True, rounds=rounds[0])
        self.do(self.pair.go_back(code, rounds[1], mode))

    @precondition(lambda self: not self.pair.ledger.down)
    @rule(who=movers, code=codes, rounds=st.tuples(rounds, rounds))
    def put_back_with_fence_during_a_move(self, who: int, code: str, rounds: tuple[int, int]) -> None:
        """The same, and the fence is put back as well."""
        self.apply(who=who, grade="A", together=True, rounds=rounds[0])
        self.do(self.pair.go_back(code, rounds[1], ROLLED_BACK))

    # --- keys, clocks, time, the ledger

    @rule(owner=codes)
    def rotate_key(self, owner: str) -> None:
        """A province gets new keys while everything runs."""
        rotate_keys(self.pair.keys, owner)

    @rule(code=codes, days=st.sampled_from([-50, -2, 0, 2, 50]))
    def skew(self, code: str, days: int) -> None:
        """A province's clock is wrong from now on, or right again."""
        self.pair.offsets[code] = timedelta(days=days)

    @rule(hours=st.sampled_from(LEAPS))
    def pass_time(self, hours: float) -> None:
        """Time passes."""
        self.do(self.pair.pass_time(hours=hours))

    @rule(down=st.sampled_from([False, True, False]))
    def ledger(self, down: bool) -> None:  # noqa: FBT001  # drawn by name
        """The ledger goes away, or is back."""
        self.pair.ledger.down = down
        self.do(self.pair.calm())

    # --- what must hold

    @invariant()
    def exactly_one_home(self) -> None:
        """After each step, for everybody who was ever touched."""
        for person in self.touched.values():
            check_registers(self.pair, person, self.do(self.witness.ask(self.pair, person)))

    @staticmethod
    def _expect(status: int, *may: int) -> None:
        """A door says yes, no for a reason of its own, or that it is away; never that it failed."""
        assert status in {*may, 503}, status

    def teardown(self) -> None:
        """Faults stop, time passes, and everything settles; then all is tidied away."""
        try:
            if hasattr(self, "people"):
                self.do(self._end())
        finally:
            fault_points.strike = None
            if hasattr(self, "pair"):
                self.do(self.pair.close())
            self._runner.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _end(self) -> None:
        await self.pair.heal()
        await self.pair.settle(lambda: not unsettled(self.pair), DAYS_TO_SETTLE)
        assert not unsettled(self.pair), unsettled(self.pair)
        for person in self.touched.values():
            check_registers(self.pair, person, await self.witness.ask(self.pair, person))
            check_end(self.pair, person)
        if not self.pair.put_back_ever:  # what nobody else had heard of went with the database
            closed = {person.key for person in self.touched.values() if has_died(self.pair, person)}
            assert closed >= self.dead, "a death that was taken at a door is not entered"
        refused = self.pair.refused()
        assert refused <= (HEALED if self.pair.put_back_ever else set()), refused
