"""Door 1: what may be asked over HTTP, checked once and turned into commands; nothing is stored half."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from tongban_registry.commands import Command
from tongban_registry.contact import ContactIn, sealed_contact
from tongban_registry.materials import Handed, Materials
from tongban_registry.storage.documents import Documents
from tongban_shared.cases.common import Application, PersonRef
from tongban_shared.cases.kinds import KINDS
from tongban_shared.catalogue import REGISTER_CHANGE, Scope
from tongban_shared.errors import LedgerDownError, RefusedError
from tongban_shared.ids import (
    PersonKey,
    case_id,
    check_id_number,
    name_check,
    org_code,
    person_key,
    province,
)
from tongban_shared.messages.types import CODE
from tongban_shared.web.problems import PROBLEMS

if TYPE_CHECKING:
    from tongban_registry.office import Office
    from tongban_registry.storage.store import RegistryStore
    from tongban_shared.cases.kind import Case
    from tongban_shared.catalogue import Catalogue, Item
    from tongban_shared.ports import Ledger


def known_refusal(code: str) -> str:
    """An officer's reason (不予理由), which people are shown with its words. Raises ValueError."""
    if code not in PROBLEMS or not PROBLEMS[code].refusal:
        raise ValueError("not a refusal of the published catalogue")
    return code


PERSONS_MAX = 20
Short = Annotated[str, StringConstraints(min_length=1, max_length=100)]
MaterialKind = Annotated[str, StringConstraints(pattern=CODE)]
ReasonCode = Annotated[str, StringConstraints(max_length=40), AfterValidator(known_refusal)]
Long = Annotated[str, StringConstraints(max_length=500)]


class Checked(NamedTuple):
    """What the door has checked for every case type alike: the persons, and what they handed in."""

    persons: tuple[PersonRef, ...]
    handed: Handed


class Closed(BaseModel):
    """Unknown fields are refused, so that a misspelt one is not lost in silence."""

    model_config = ConfigDict(extra="forbid")


class PersonIn(Closed):
    """A person by number and name; both must match the register."""

    id_number: Annotated[str, StringConstraints(min_length=15, max_length=20)] = Field(repr=False)
    name: Short = Field(repr=False)


class DestinationIn(Closed):
    """Where the persons move to; `household_no` to join a household (投靠)."""

    province: Annotated[str, StringConstraints(max_length=10)]
    org_code: Annotated[str, StringConstraints(max_length=20)]
    address: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(repr=False)
    household_no: Annotated[str, StringConstraints(max_length=30)] | None = None


class MaterialInput(Closed):
    """A material. grade: A issued by authority, B checked against original, C uploaded, D self-made.

    waived_by_licence: not handed in (免提交), for this document of our registries says it; then the grade is
    what the registry finds. document: as issued or presented, for a registry that did not issue it.
    """

    kind: Short
    grade: Literal["A", "B", "C", "D"] | None = None
    licence_id: Annotated[str, StringConstraints(max_length=100)] | None = None
    note: Long | None = None
    waived_by_licence: Annotated[str, StringConstraints(max_length=160)] | None = None
    document: dict[str, Any] | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _graded(self) -> Self:
        """What is handed in has its grade, and what is looked up gets one."""
        waived = self.waived_by_licence is not None
        if waived == (self.grade is not None) or (self.document is not None and not waived):
            raise ValueError("want a grade, or waived_by_licence with or without its document")
        return self


class CommitmentIn(Closed):
    """The applicant's signed word (告知承诺) in place of these materials. version: of the text."""

    materials: Annotated[list[MaterialKind], Field(min_length=1, max_length=20)]
    version: Annotated[str, StringConstraints(max_length=20)]
    signed_at: AwareDatetime


class ApplicationIn(Closed):
    """POST /v1/cases. officer: who takes it in at a window, and may not sign it too.

    deferred_materials: what the applicant will bring later (容缺受理), where the catalogue lets it follow.
    """

    item: Annotated[str, StringConstraints(max_length=20)]
    channel: Literal["window", "online"] = "window"
    accepting_org: Annotated[str, StringConstraints(max_length=20)] | None = None
    applicant: PersonIn
    members: Annotated[list[PersonIn], Field(max_length=PERSONS_MAX)] = []
    destination: DestinationIn | None = None
    details: dict[str, Any] = {}
    materials: Annotated[list[MaterialInput], Field(max_length=50)] = []
    deferred_materials: Annotated[list[MaterialKind], Field(max_length=20)] = []
    commitment: CommitmentIn | None = None
    purpose: Annotated[str, StringConstraints(max_length=40)] = "MIGRATION"
    contact: ContactIn | None = None
    officer: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None


class MaterialsIn(Closed):
    """POST /v1/cases/{case_id}/materials."""

    materials: Annotated[list[MaterialInput], Field(min_length=1, max_length=50)]


class DecisionIn(Closed):
    """POST /v1/cases/{case_id}/decision. A refusal names one of /problems, a return what is needed.

    escalate: an expert who was consulted can't tell. note: words; of a consultation they are the advice.
    """

    outcome: Literal["approve", "refuse", "return", "escalate"]
    reason_code: ReasonCode | None = None
    note: Long | None = Field(default=None, repr=False)
    officer: Annotated[str, StringConstraints(max_length=40)] | None = None
    materials: Annotated[list[MaterialKind], Field(max_length=20)] = []


class CheckIn(Closed):
    """POST /v1/cases/{case_id}/commitment: what an officer found out. note: how; of no resident by name."""

    outcome: Literal["holds", "false"]
    note: Annotated[str, StringConstraints(min_length=1, max_length=500)] = Field(repr=False)
    officer: Annotated[str, StringConstraints(max_length=40)] | None = None


class ProgressIn(Closed):
    """POST /v1/cases/{case_id}/progress: what the window reports of a case under way."""

    step: Literal[
        "made",
        "handed_over",
        "printed",
        "returned",
        "paper_sent",
        "paper_received",
        "collected",
        "advice_read",
    ]
    officer: Annotated[str, StringConstraints(max_length=40)] | None = None


class LookupIn(PersonIn):
    """POST /v1/registrations/lookup."""

    purpose: Annotated[str, StringConstraints(min_length=2, max_length=40)]
    case_id: Annotated[str, StringConstraints(max_length=30)] | None = None


class HoldIn(PersonIn):
    """POST /v1/registrations/holds: a court's hold or a protective block, set or lifted, or a death."""

    kind: Literal["HOLD", "LIFT_HOLD", "DEATH", "BLOCK", "LIFT_BLOCK"]
    legal_basis: Short


# A case's record, and the province that answers, if it is known.
Entered = tuple[Any, str | None]
Entry = Callable[["Door", ApplicationIn, "Item", Checked], Awaitable[Entered]]


class Door:
    """Checks what comes in against catalogue, province file and ledger."""

    def __init__(
        self, office: Office, ledger: Ledger, store: RegistryStore, entries: Mapping[str, Entry]
    ) -> None:
        self.office = office
        self._ledger = ledger
        self._store = store
        self._entries = entries
        self.materials = Materials(office, Documents(store.engine))

    def key_of(self, person: PersonIn) -> tuple[PersonKey, str]:
        """The person's key and the keyed check of the name. Raises IdNumberError."""
        number = check_id_number(person.id_number, self.office.today()).number
        secret = self.office.secrets.person
        return person_key(secret, number), name_check(secret, number, person.name)

    async def application(self, given: ApplicationIn) -> Command:
        """An application as a command. Raises BadInputError with a stable code; then nothing is stored."""
        item = self.office.catalogue.item(given.item)
        if given.accepting_org is not None:
            org_code(given.accepting_org)
        if not self.office.profile.capabilities.supports(item):
            raise RefusedError("TYPE_NOT_SUPPORTED", "this province does not offer this type yet")
        refs = self._persons(given, item)
        materials = await self.materials.taken(item, given.materials, PersonKey(refs[0].person))
        handed = self.materials.handed(item, materials, given)
        data, origin = await self._entries[item.case_type](self, given, item, Checked(refs, handed))
        self._in_area(item, given.accepting_org, origin)
        return Command(
            "apply",
            body=Application(data, origin, item.code),
            persons=tuple(ref.person for ref in data.persons),
            service=item.service_code,
            kind=item.case_type,
            contact=sealed_contact(given.contact, given.applicant, self.office),
            officer=given.officer,
        )

    def _in_area(self, item: Item, accepting_org: str | None, origin: str | None) -> None:
        """An item of one province is for its own people, and for those whom a joint window serves."""
        if item.scope is not Scope.PROVINCE or origin in {None, self.office.province}:
            return
        cities = self.office.profile.serves(accepting_org) if item.case_type == REGISTER_CHANGE else {}
        if not any(city.startswith(origin or "-") for city in cities):
            raise RefusedError("WRONG_PROVINCE", "this item is for those who are registered in the province")

    def destination(self, given: ApplicationIn) -> DestinationIn:
        """Where they move to, in this province. Raises BadInputError."""
        destination = given.destination
        if destination is None:
            raise RefusedError("FIELD_INVALID", "this item needs a destination")
        if province(destination.province) != self.office.province:
            raise RefusedError("WRONG_PROVINCE", "this registry answers for another province")
        if not org_code(destination.org_code).startswith(self.office.province):
            raise RefusedError("ORG_CODE_INVALID", "the organisation is not in the destination province")
        return destination

    def _persons(self, given: ApplicationIn, item: Item) -> tuple[PersonRef, ...]:
        if given.members and not item.admits_members:
            raise RefusedError("FIELD_INVALID", "this item is for one person; it admits no members")
        keys = [self.key_of(person) for person in (given.applicant, *given.members)]
        if len({key for key, _ in keys}) < len(keys):
            raise RefusedError("FIELD_INVALID", "a person is named twice")
        return tuple(PersonRef(person=key, name_check=check) for key, check in keys)

    async def origin(self, keys: Sequence[PersonKey]) -> str | None:
        """The one province that holds all of them; None while the ledger does not answer."""
        try:
            found = await self._ledger.locate(keys)
        except LedgerDownError:
            return None
        holders = {found[key].province if key in found else None for key in keys}
        if None in holders or len(holders) > 1:
            raise RefusedError(
                "NOT_REGISTERED", "number and name are not registered together in one province"
            )
        return holders.pop()

    async def case(self, number: str) -> Case:
        """A case of this registry. Raises BadInputError: no case number, or CASE_UNKNOWN."""
        found = await self._store.case(case_id(number))
        if found is None:
            raise RefusedError("CASE_UNKNOWN")
        return found[0]

    async def takes_members(self, household_no: str) -> bool:
        """Whether a household exists here and is open."""
        return await self._store.takes_members(household_no)

    def registration(self, given: HoldIn) -> Command:
        """A hold, a protective block or a death as a command."""
        key, _ = self.key_of(given)
        return Command("register", body=given.kind, persons=(key,))


def check_asked_for(kinds: Sequence[str], case: Case, catalogue: Catalogue) -> None:
    """What an officer wants handed in beside what was. Raises RefusedError: unknown kinds, or none."""
    unknown = [kind for kind in kinds if kind not in catalogue.material_titles]
    if unknown:
        raise RefusedError("FIELD_INVALID", f"materials: not in the catalogue: {', '.join(unknown)}")
    if not kinds and "correction" in KINDS[case.kind].composes:
        raise RefusedError("FIELD_INVALID", "materials: name all that is needed, in one notice")
