"""Sealed copies of documents: enclosed in a grant by their issuer, kept by the window that asked (EN1, EN2).

The issuer signs after the decision, so the shell encloses what a draft only names. The window keeps a copy
until the paper is handed out; whether the document still holds is its issuer's word alone (EN3).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tongban_registry.envelopes import sealing_context
from tongban_registry.writing import Copy, Writing
from tongban_shared.cases.kind import Case, Event, Side
from tongban_shared.cases.kinds import KINDS
from tongban_shared.documents.document import Document, decode
from tongban_shared.documents.verify import Status, verify
from tongban_shared.errors import WireError
from tongban_shared.messages.home import EnclosedDocument

if TYPE_CHECKING:
    from tongban_registry.arrivals import Batch
    from tongban_registry.commands import Command
    from tongban_registry.loaded import Loaded
    from tongban_registry.office import Office
    from tongban_shared.messages.envelope import Body
    from tongban_shared.ports import Signer
    from tongban_shared.registration import Surroundings

# As long as a certificate is valid: what nobody came for by then is fetched from its issuer, if at all.
KEPT = timedelta(days=30)
# Messages and commands on which a home registry may say once more what it issued earlier.
SAYS_AGAIN = frozenset(
    f"{kind.name}.{step.message}"
    for kind in KINDS.values()
    if kind.paper is not None
    for step in kind.steps.values()
    if step.side is Side.ORIGIN and step.sends in kind.discloses and step.writes is None
)


def numbers_said_again(batch: Batch, commands: Sequence[Command], loaded: Loaded) -> set[str]:
    """Identifiers of the documents that this unit may have to enclose without having issued them."""
    waiting = {row.case_id for row in loaded.parked}
    known = ((command, loaded.cases.get(command.case_id or "")) for command in commands)
    deciding = {case.id for command, case in known if case and f"{case.kind}.{command.name}" in SAYS_AGAIN}
    found = (loaded.cases.get(case_id) for case_id in batch.cases_of(SAYS_AGAIN) | deciding | waiting)
    numbers = (getattr(case.data, "licence_id", "") for case in found if case is not None)
    return {number for number in numbers if number}


def enclose(body: Body, document: bytes, way: tuple[str, str, Signer]) -> Body:
    """A grant with the document that it speaks of, sealed. way: case, receiver, and who seals."""
    case_id, to, signer = way
    enclosed = EnclosedDocument(digest=sha256(document).hexdigest(), sealed="")
    sealed = signer.seal(to, document, sealing_context(case_id, enclosed))
    return body.model_copy(update={"enclosed": enclosed.model_copy(update={"sealed": sealed})})


def open_enclosed(office: Office, event: Event) -> Event:
    """A grant with its document opened; as it is where there is none, as from a registry of before.

    Raises WireError(BAD_SEAL): not sealed for this case, not what its digest says, or not genuinely the
    document that the grant names; nothing of the message is used then.
    """
    enclosed: EnclosedDocument | None = event.body.enclosed or None
    if enclosed is None:
        return event
    raw = office.signer.unseal(event.sender or "", enclosed.sealed, sealing_context(event.case_id, enclosed))
    found = verify(raw, office.opener.verifier, event.at).document
    same = sha256(raw).hexdigest() == enclosed.digest
    if not same or found is None or not _is_granted(found, event):
        raise WireError("BAD_SEAL")
    return replace(event, bundle=raw)


def _is_granted(document: Document, event: Event) -> bool:
    """Whether it is the document that the grant names, of this case, and of the registry that grants."""
    header, granted = document.header, event.body.document
    of = (header.licence_id, header.case_id, header.issuer.province)
    return granted is not None and of == (granted.licence_id, event.case_id, event.sender)


def keep(case: Case, event: Event, _around: Surroundings) -> Writing:
    """The window's copy; none where the grant has none. One of a case that has ended goes by itself (EN2)."""
    if event.bundle is None or event.opened is None:
        return Writing()
    until = None if case.closed_at is None else event.at + KEPT
    valid_until = event.body.document.valid_until
    if until is not None and valid_until is not None:
        until = min(until, valid_until)
    copy = Copy(
        licence_id=event.body.document.licence_id,
        case_id=case.id,
        person=case.persons[0],
        kind=decode(event.bundle).header.kind,
        document=event.bundle,
        as_of=event.opened.message.envelope.at,
        kept_until=until,
    )
    return Writing(copies=[copy])


def standing_at_end(case: Case) -> Status:
    """What a window knows of a document whose case has ended there: handed out, or it holds no more (EN3)."""
    return Status.CURRENT if KINDS[case.kind].public[case.state] == "COMPLETED" else Status.REVOKED
