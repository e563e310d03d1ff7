"""Materials at the door: what is missing, what may follow, and which licences are looked up.

容缺受理: a secondary material that the catalogue marks may follow within some working days. 免提交: a
document that one of our registries issued is not handed in but named; this registry looks whether it is
genuine, in force and the applicant's own. 告知承诺: a proof is replaced by a signed word.
Source: rules S2, LA, LW, CM; domain.md §4.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from tongban_shared.cases.common import TRUSTED_GRADE, Commitment, MaterialIn
from tongban_shared.documents.licence import LicenceError, licence_id
from tongban_shared.documents.verify import Result, Verification, verify
from tongban_shared.errors import IdNumberError, RefusedError
from tongban_shared.ids import PersonKey, check_id_number, person_key
from tongban_shared.working_days import deadline

if TYPE_CHECKING:
    from tongban_registry.door import ApplicationIn, CommitmentIn, MaterialInput
    from tongban_registry.office import Office
    from tongban_registry.storage.documents import Documents
    from tongban_shared.catalogue import Item

# Genuine and in its time, but whether it was taken back since only its issuer knows: an officer asks there.
SHOWN_GRADE: Final = "B"
# What the applicant answers for (告知承诺), so that an officer looks at the case.
OWN_WORD_GRADE: Final = "D"
HOLDER_FIELD: Final = "person_1.id_number"
NOT_TAKEN: Final[Mapping[Result, str]] = {
    Result.EXPIRED: "LICENCE_NOT_IN_FORCE",
    Result.NOT_YET_VALID: "LICENCE_NOT_IN_FORCE",
    Result.SUPERSEDED: "LICENCE_SUPERSEDED",
    Result.REVOKED: "LICENCE_REVOKED",
    Result.INVALID: "LICENCE_NOT_GENUINE",
}


@dataclass(frozen=True, slots=True)
class Handed:
    """What came with an application. missing: still owed; deferred_until: it may follow until then.

    commitment: the applicant's word for what is neither handed in nor owed.
    """

    materials: tuple[MaterialIn, ...]
    missing: tuple[str, ...] = ()
    deferred_until: datetime | None = None
    commitment: Commitment | None = None


class Materials:
    """Takes what is handed in. documents: as issued here."""

    def __init__(self, office: Office, documents: Documents) -> None:
        self._office = office
        self._documents = documents

    async def taken(
        self, item: Item, given: Sequence[MaterialInput], holder: PersonKey | None
    ) -> tuple[MaterialIn, ...]:
        """Materials as the case keeps them, each licence looked up. Raises RefusedError."""
        return tuple([await self._taken(item, material, holder) for material in given])

    async def _taken(self, item: Item, given: MaterialInput, holder: PersonKey | None) -> MaterialIn:
        if given.waived_by_licence is None:
            # The door has seen to it that what is handed in has its grade.
            grade = given.grade or ""
            return MaterialIn(kind=given.kind, grade=grade, licence_id=given.licence_id, note=given.note)
        known = await self._look_up(item, given, holder)
        return MaterialIn(
            kind=given.kind,
            grade=TRUSTED_GRADE if known else SHOWN_GRADE,
            note=given.note,
            waived_by_licence=given.waived_by_licence,
        )

    async def _look_up(self, item: Item, given: MaterialInput, holder: PersonKey | None) -> bool:
        """Whether this registry issued it, and so knows how it stands. Raises RefusedError: not taken."""
        kinds = self._licences_for(item, given.kind)
        number = _number(given.waived_by_licence or "")
        found = await self._documents.find(number)
        raw = found.document if found is not None else None
        if given.document is not None:
            raw = msgspec.json.encode(given.document, order="sorted")
        if raw is None:
            raise RefusedError("LICENCE_UNKNOWN")
        status = found.status if found is not None else None
        seen = verify(raw, self._office.opener.verifier, self._office.clock.now(), status)
        if seen.result is not Result.VALID:
            raise RefusedError(NOT_TAKEN[seen.result])
        if seen.document is None or seen.document.header.licence_id != number:
            raise RefusedError("LICENCE_NOT_GENUINE")
        if seen.document.header.kind not in kinds:
            raise RefusedError("MATERIAL_INVALID", f"{given.kind}: another kind of licence stands in for it")
        if holder is None or holder != (found.person if found is not None else self._holder(seen)):
            raise RefusedError("LICENCE_OF_ANOTHER")
        return found is not None

    def _licences_for(self, item: Item, kind: str) -> tuple[str, ...]:
        """Kinds of document that stand in for the material. Raises RefusedError: none does."""
        material = item.material(kind)
        if material is None or not material.licences:
            raise RefusedError("MATERIAL_INVALID", f"{kind}: no licence stands in for it in this item")
        if not self._office.profile.capabilities.e_licence_lookup:
            raise RefusedError("CAPABILITY_MISSING", "this province does not look licences up yet")
        return material.licences

    def _holder(self, seen: Verification) -> PersonKey | None:
        """Whom a shown document is about, if it discloses that; a holder who leaves it out is nobody."""
        try:
            number = check_id_number(seen.fields.get(HOLDER_FIELD, ""), self._office.today()).number
        except IdNumberError:
            return None
        return person_key(self._office.secrets.person, number)

    def handed(self, item: Item, materials: tuple[MaterialIn, ...], given: ApplicationIn) -> Handed:
        """What is missing, and whether all of it may follow. materials: as `taken`, of what was given.

        Whoever lacks more than what may follow gets the one notice for all of it. Raises RefusedError.
        """
        word = given.commitment
        if word is not None:
            self._check_commitment(item, word, {material.kind for material in materials})
            materials += tuple(
                MaterialIn(kind=kind, grade=OWN_WORD_GRADE, by_commitment=True) for kind in word.materials
            )
        kinds, promised = {material.kind for material in materials}, given.deferred_materials
        missing = check_materials(item, kinds)
        _check_promised(item, kinds, promised)
        until = None
        if missing and set(missing) <= set(promised):
            days, calendar = self._office.catalogue.deferred_working_days, self._office.profile.calendar
            until = deadline(self._office.clock.now(), days, calendar).astimezone(UTC)
        signed = None if word is None else Commitment(word.version, word.signed_at.astimezone(UTC))
        return Handed(materials, missing, until, signed)

    def _check_commitment(self, item: Item, word: CommitmentIn, handed: set[str]) -> None:
        """Proofs alone, of items that take one, by the text in force (告知承诺). Raises RefusedError."""
        for kind in word.materials:
            material = item.material(kind)
            if material is None or not material.by_commitment:
                raise RefusedError("COMMITMENT_NOT_ADMITTED", f"{kind}: handed in for this item")
        if handed & set(word.materials) or len(set(word.materials)) < len(word.materials):
            raise RefusedError("FIELD_INVALID", "commitment.materials: once each, and not what is handed in")
        if word.version != self._office.catalogue.commitment_version:
            raise RefusedError("COMMITMENT_TEXT")
        if word.signed_at > self._office.clock.now():
            raise RefusedError("FIELD_INVALID", "commitment.signed_at: in the future")


def check_materials(item: Item, given: set[str]) -> tuple[str, ...]:
    """Missing main materials refuse; missing secondary ones are returned, to be asked for once."""
    missing = item.missing(given)
    if any(material.main for material in missing):
        raise RefusedError("MATERIAL_MISSING", "missing: " + ", ".join(material.kind for material in missing))
    return tuple(material.kind for material in missing)


def _check_promised(item: Item, given: set[str], promised: Sequence[str]) -> None:
    """Only what the catalogue marks may follow, and only what is not here. Raises RefusedError."""
    for kind in promised:
        material = item.material(kind)
        if material is None or kind in given:
            raise RefusedError(
                "FIELD_INVALID", "deferred_materials: name what is asked for and not handed in"
            )
        if not material.deferrable:
            raise RefusedError("NOT_DEFERRABLE", f"{kind} is handed in with the application")


def _number(raw: str) -> str:
    """The identifier, if it can be one. Raises RefusedError."""
    try:
        return licence_id(raw)
    except LicenceError as error:
        raise RefusedError("LICENCE_UNKNOWN", "not an identifier of an e-licence") from error
