"""What must be true at the end: everything has ended, everybody has a home, and nothing promised is gone.

What was acknowledged between a backup and the moment at which it was put back may be gone with the database:
no protocol can keep what stood nowhere else. Custody is not excused: whatever the ledger has entered is kept,
nobody stays frozen, and every case that is still known ends.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from tongban_sandbox.simulation.papers import ENTERED, service_of
from tongban_sandbox.simulation.watch import ENDED, BrokenPromiseError
from tongban_shared.ids import PersonKey

if TYPE_CHECKING:
    from tongban_sandbox.simulation.callers import Acknowledged
    from tongban_sandbox.simulation.country import Country
    from tongban_sandbox.simulation.site import Site
    from tongban_shared.ids import Province

UNSENT = "SELECT message_id FROM outbox WHERE next_try_at IS NOT NULL"
REGISTERED = (
    "SELECT key, household_id, open FROM person LEFT JOIN household ON id = household_id"
    " WHERE state IN ('HELD', 'FROZEN')"
)
CERTIFIED = "SELECT key, epoch, proof_digest FROM person WHERE state IN ('HELD', 'FROZEN')"
HOLDING = "SELECT case_id FROM document"
# Cards of one person that are good at the same moment, at one issuer (S4: one serial, whoever asked).
TWO_CARDS = (
    "SELECT a.person FROM document a JOIN document b ON a.person = b.person AND a.kind = b.kind"
    " WHERE a.kind = 'temporary_id' AND a.status = 'CURRENT' AND b.status = 'CURRENT'"
    " AND a.licence_id < b.licence_id AND a.issued_at < b.valid_until AND b.issued_at < a.valid_until"
)
# Copies of cards that were handed out, and of whatever ended in another way, go with their case (EN2).
KEPT_ON = (
    "SELECT id FROM document_copy JOIN cases ON id = case_id WHERE document IS NOT NULL"
    " AND closed_at IS NOT NULL AND (state != 'COMPLETED' OR cases.kind IN ('temporary_id', 'id_card'))"
)
UNDONE = frozenset({"WITHDRAWN", "REFUSED", "EXPIRED", "VOIDED"})
REPEATED_MAX = 20


class Verdict:
    """Looks at registers, ledger and what callers were told."""

    def __init__(self, country: Country, acknowledged: Acknowledged) -> None:
        self._country = country
        self._acknowledged = acknowledged

    def over(self) -> bool:
        """Whether there is nothing left to wait for."""
        watch = self._country.watch
        return not watch.open_cases() and not watch.in_transfer() and not self._unsent()

    def _unsent(self) -> list[tuple[str, str]]:
        return [
            (site.code, str(row[0])) for site in self._country.sites.values() for row in site.read(UNSENT)
        ]

    async def final(self) -> None:
        """All of it."""
        self._liveness()
        self._homes()
        for site in self._country.sites.values():
            self._households(site)
            self._certificates(site)
            self._cards(site)
            self._copies(site)
        self._kept_word()
        self._documents()
        await self._repeats()
        for unheard in self._country.loop.unheard:
            self._break(f"an error that nobody heard: {unheard.get('message')} {unheard.get('exception')!r}")

    def _liveness(self) -> None:
        watch = self._country.watch
        for province, number, state in watch.open_cases()[:1]:
            self._break(f"a case is still open: {state} at {province}", number)
        for key in watch.in_transfer()[:1]:
            self._break("somebody is still in transfer", key)
        for province, message in self._unsent()[:1]:
            self._break(f"a message was never receipted: {message} at {province}", message)

    def _homes(self) -> None:
        """The watch has seen every commit, or it would not agree with the files now."""
        watch = self._country.watch
        seen = {
            code: {k: rows[code] for k, rows in watch.people.items() if code in rows} for code in watch.cases
        }
        for site in self._country.sites.values():
            site.load()
        for code, people in seen.items():
            for key, row in people.items():
                if watch.people[key].get(code) != row:
                    self._break(f"the watch missed a commit of {code}", key)
        children = [key for key in watch.people if key not in self._country.residents]
        born = self._acknowledged.born
        if len(children) > len(born):
            self._break(f"{len(children)} children of {len(born)} births", *children)
        for key in watch.people:
            watch.look(key)
            fault = None if watch.is_lost(key) else watch.at_rest(key)
            if fault is not None:
                self._break(fault, key)

    def _households(self, site: Site) -> None:
        """Whoever is registered is so in an open household, with people of their own alone (M-2)."""
        mates = self._country.mates
        together: dict[str, str] = {}
        for key, home, is_open in site.read(REGISTERED):
            if not is_open:
                self._break("somebody is registered in a household that is closed", str(key))
            if key not in mates:
                continue  # a child, in its parents' household
            first = together.setdefault(str(home), str(key))
            if key not in mates[PersonKey(first)]:
                self._break("two families are in one household", str(key), first)

    def _certificates(self, site: Site) -> None:
        """Above epoch 0 a holder has the very certificate that the ledger knows (I3)."""
        for key, epoch, digest in site.read(CERTIFIED):
            entered = self._country.book.certificate(str(key))
            if epoch and digest != entered:
                self._break("a holder has another certificate than the ledger", str(key))

    def _cards(self, site: Site) -> None:
        """Nobody has two temporary cards of one registry that are good at once."""
        for (key,) in site.read(TWO_CARDS):
            self._break("somebody has two temporary cards", str(key))

    def _copies(self, site: Site) -> None:
        """No window keeps what it handed out, or what holds no more."""
        for (number,) in site.read(KEPT_ON):
            self._break("a window keeps a copy of what has ended", str(number))

    def _kept_word(self) -> None:
        """Each request that was acknowledged had its effect, and is known."""
        watch, word = self._country.watch, self._acknowledged
        for number, accepted in word.cases.items():
            if number not in watch.cases[accepted.province]:
                self._gone("an acknowledged application is gone", number, accepted.at_s, accepted.province)
        for number, at_s in word.withdrawn.items():
            province = word.cases[number].province
            case = watch.cases[province].get(number)
            # An entry in the register that a withdrawal meets on its way stands; its applicant is told so.
            undone = case is not None and (case.state in UNDONE or service_of(number) in ENTERED)
            if not undone and number not in watch.promised:
                self._gone("a withdrawn case was completed", number, at_s, province)
        for key, at_s in (*word.deaths.items(), *word.holds.items()):
            row = watch.people[key][watch.ledger[key].holder]
            if not (row.state in ENDED or (key in word.holds and row.hold)):
                self._gone("an acknowledged death or hold is gone", key, at_s)

    def _documents(self) -> None:
        """Each certificate that a window was told of is with its issuer, who knows whether it was revoked.

        An issuer that was put back to before it issued may decide otherwise when it is asked again; then the
        paper alone proves what it had said.
        """
        held = {str(number) for site in self._country.sites.values() for (number,) in site.read(HOLDING)}
        for number, at_s in self._acknowledged.certified.items():
            told = self._country.watch.cases[number[:2]].get(number)
            if number not in held and told is not None and told.state == "COMPLETED":
                self._gone("a certificate that was issued is gone", number, at_s)

    def _gone(self, what: str, about: str, at_s: float, province: Province | None = None) -> None:
        if not self._country.excused(at_s, province):
            self._break(what, about)

    async def _repeats(self) -> None:
        """An application repeated under its key is the same case, for ever."""
        for number, accepted in list(self._acknowledged.cases.items())[-REPEATED_MAX:]:
            reply = await self._country.call("POST", "/v1/cases", accepted.body, accepted.key)
            if reply.status != HTTPStatus.ACCEPTED or reply.body["case_id"] != number:
                what = f"an application repeated under its key got {reply.status} {reply.code}"
                self._gone(what, number, accepted.at_s, accepted.province)

    def _break(self, what: str, *about: str) -> None:
        self._country.break_off(BrokenPromiseError(what, *about))
