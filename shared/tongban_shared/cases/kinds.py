"""All case types. A new one is its files beside this one and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from tongban_shared.cases.certificate import CERTIFICATE
from tongban_shared.cases.consultation import CONSULTATION
from tongban_shared.cases.id_card import ID_CARD
from tongban_shared.cases.kind import CaseKind
from tongban_shared.cases.migration import MIGRATION
from tongban_shared.cases.newborn import NEWBORN
from tongban_shared.cases.register_change import REGISTER_CHANGE
from tongban_shared.cases.temporary_id import TEMPORARY_ID

KINDS: Mapping[str, CaseKind] = {
    kind.name: kind
    for kind in (MIGRATION, CERTIFICATE, ID_CARD, TEMPORARY_ID, REGISTER_CHANGE, NEWBORN, CONSULTATION)
}
