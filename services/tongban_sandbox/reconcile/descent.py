"""From sums to persons: only buckets that differ are looked into, part by part, down to lists of few.

While people move, sums that were taken at different moments differ a little. That costs one more look at
those few and raises no alarm: who is found here is only looked at again (settling.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Set as AbstractSet
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tongban_sandbox.reconcile.hearing import Hearing, beside
from tongban_shared.commitment import Sum, Sums, differing

if TYPE_CHECKING:
    from tongban_shared.commitment_wire import Listed, Node, Statement
    from tongban_shared.ids import Province

# The ledger counts the whole country in sixteen questions, so that each is answered in a moderate time.
SIXTEENTHS: Final = "0123456789abcdef"
Wrong = Mapping[str, AbstractSet[str]]
"""Prefix → the holders of whom the sums differ."""


@dataclass(frozen=True, slots=True)
class Books:
    """What everybody says of the whole country."""

    statements: Mapping[Province, Statement]
    said: Mapping[Province, Sums]
    ledger: Sums

    @property
    def registered(self) -> int:
        """Persons by the ledger's books."""
        return sum(found.count for found in _all(self.ledger))

    @property
    def counted(self) -> int:
        """Persons by the provinces' books; whoever is between two may be counted by both."""
        return sum(found.count for sums in self.said.values() for found in _all(sums))


@dataclass(slots=True)
class Suspects:
    """Persons of whom the books differ, each with the provinces that list them; and what finding them took.

    looked_into: prefixes. listed: claims that were exchanged one by one.
    """

    where: dict[str, set[str]] = field(default_factory=dict)
    looked_into: int = 0
    listed: int = 0


def _all(sums: Sums) -> Iterable[Sum]:
    return (found for by_holder in sums.values() for found in by_holder.values())


async def open_books(hearing: Hearing) -> Books:
    """Ask everybody for the whole at once. Raises LedgerDownError."""
    provinces = list(hearing.provinces)
    ledger, whole = await beside(_ledger(hearing), (hearing.whole(code) for code in provinces))
    statements = {code: said for code, said in zip(provinces, whole, strict=True) if said is not None}
    said = {code: statement.nodes[0].sums(hearing.keyed) for code, statement in statements.items()}
    return Books(statements, said, ledger)


async def _ledger(hearing: Hearing) -> Sums:
    found: dict[str, Mapping[str, Sum]] = {}
    for prefix in SIXTEENTHS:
        for node in (await hearing.ledger_nodes([prefix])).values():
            found |= node.sums(hearing.keyed)
    return found


@dataclass(frozen=True, slots=True)
class Look:
    """One prefix looked into: the holders in question, and what everybody concerned says of it."""

    holders: AbstractSet[str]
    ledger: Node
    said: Mapping[Province, Node]

    @property
    def is_listed(self) -> bool:
        """Whether all name the persons, so that these can be compared one by one."""
        return all(node.claims is not None for node in (self.ledger, *self.said.values()))


async def find_suspects(hearing: Hearing, books: Books) -> Suspects:
    """Everybody of whom provinces and ledger say different things. Raises LedgerDownError."""
    for holder in {holder for by_holder in books.ledger.values() for holder in by_holder}:
        hearing.is_silent(holder)
    suspects, said = Suspects(), books.said
    wrong: Wrong = differing(said.values(), books.ledger, hearing.silent)
    while wrong:
        suspects.looked_into += len(wrong)
        looks = await _look_into(hearing, wrong, said)
        wrong = {}
        deeper: dict[Province, dict[str, Mapping[str, Sum]]] = {}
        for look in looks:
            if look.is_listed:
                _suspect(look, suspects)
                continue
            parts = {code: node.sums(hearing.keyed) for code, node in look.said.items()}
            for code, sums in parts.items():
                deeper.setdefault(code, {}).update(sums)
            found = differing(parts.values(), look.ledger.sums(hearing.keyed), hearing.silent)
            wrong |= {part: both for part, holders in found.items() if (both := holders & look.holders)}
        said = deeper
    return suspects


async def _look_into(hearing: Hearing, wrong: Wrong, said: Mapping[Province, Sums]) -> list[Look]:
    """Ask ledger and provinces for these prefixes; of the provinces, those whose books name the holders."""
    wanted: dict[Province, list[str]] = {}
    for prefix, holders in wrong.items():
        for code in hearing.provinces:
            named = said.get(code, {}).get(prefix, {}).keys()
            if code in holders or named & holders:
                wanted.setdefault(code, []).append(prefix)
    ledger, nodes = await beside(
        hearing.ledger_nodes(wrong), (hearing.nodes(code, prefixes) for code, prefixes in wanted.items())
    )
    heard = {code: found for code, found in zip(wanted, nodes, strict=True) if found is not None}
    return [
        Look(
            holders - hearing.silent.keys(),
            ledger[prefix],
            {code: found[prefix] for code, found in heard.items() if prefix in found},
        )
        for prefix, holders in wrong.items()
    ]


def _suspect(look: Look, suspects: Suspects) -> None:
    """Compare lists: whoever is not claimed exactly as the ledger says, once."""
    balance: Counter[tuple[str, int, str]] = Counter()
    where: dict[str, set[str]] = {}
    for code, node in look.said.items():
        for claim in _claims(node, look.holders):
            balance[claim.digest, claim.epoch, claim.holder] += 1
            where.setdefault(claim.digest, set()).add(code)
    for claim in _claims(look.ledger, look.holders):
        balance[claim.digest, claim.epoch, claim.holder] -= 1
    suspects.listed += sum(len(node.claims or ()) for node in (look.ledger, *look.said.values()))
    for (digest, _, holder), left in balance.items():
        if left:
            suspects.where.setdefault(digest, set()).update({holder}, where.get(digest, ()))


def _claims(node: Node, holders: AbstractSet[str]) -> Iterable[Listed]:
    return (claim for claim in node.claims or () if claim.holder in holders)
