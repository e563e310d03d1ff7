"""All case types. A new one is its files beside this one and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from tongban_shared.cases.certificate import CERTIFICATE
from tongban_shared.cases.kind import CaseKind
from tongban_shared.cases.migration import MIGRATION

KINDS: Mapping[str, CaseKind] = {kind.name: kind for kind in (MIGRATION, CERTIFICATE)}
