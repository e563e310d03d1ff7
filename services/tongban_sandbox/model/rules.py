"""What the search plays by, passed as data: the product's own, or with one rule broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tongban_registry.register import VERBS
from tongban_registry.writing import Verb
from tongban_shared import custody
from tongban_shared.cases.kind import CaseKind
from tongban_shared.cases.migration import MIGRATION
from tongban_shared.custody import Hop, Judgement, Place
from tongban_shared.ports import Custody

LedgerJudge = Callable[[Iterable[Hop], Mapping[str, Custody], Mapping[Place, Custody]], Judgement]


@dataclass(frozen=True, slots=True)
class Rules:
    """inbox: a message taken before has no effect. retire_on_receipt: else on the broker's word.

    gate: a database that was put back passes the recovery gate before it speaks.
    """

    kind: CaseKind = MIGRATION
    verbs: Mapping[str, Verb] = field(default_factory=lambda: VERBS)
    ledger: LedgerJudge = custody.judge
    inbox: bool = True
    retire_on_receipt: bool = True
    gate: bool = True


PRODUCT = Rules()
