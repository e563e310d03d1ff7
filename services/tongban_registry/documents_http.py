"""Documents over HTTP: fetched by their identifier, verified by anybody, and the page behind the QR code."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from html import escape
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from fastapi import APIRouter, Header, Request, Response
from pydantic import Field, StringConstraints

from tongban_registry.door import Closed
from tongban_registry.media import JSON, PDF, prefers
from tongban_registry.printed_words import Kept
from tongban_registry.storage.documents import Documents, IssuedRow
from tongban_registry.views import local
from tongban_shared.documents.document import DocumentError, decode
from tongban_shared.documents.licence import LicenceError, licence_id
from tongban_shared.documents.verify import Reason, Result, Status, Verification, verify
from tongban_shared.errors import RefusedError

if TYPE_CHECKING:
    from tongban_registry.office import Office
    from tongban_shared.ports import Verifier

HTML = "text/html; charset=utf-8"
# A page takes a tenth of a second of one core, too long for everybody else to stand still. Several at once
# would be no faster, and wrest the interpreter from the others more often.
PRESS = ThreadPoolExecutor(max_workers=1, thread_name_prefix="press")
OFFERED: dict[int | str, dict[str, Any]] = {200: {"content": {PDF: {}}}}
LicenceText = Annotated[str, StringConstraints(min_length=1, max_length=160)]


class VerifyIn(Closed):
    """POST /v1/documents/verify: by identifier (code: as the QR has it), or the document itself, or both."""

    licence_id: LicenceText | None = None
    code: LicenceText | None = None
    document: dict[str, Any] | None = Field(default=None, repr=False)

    @cached_property
    def raw(self) -> bytes:
        """The document's canonical bytes, in whatever order and with whatever spaces it came."""
        return msgspec.json.encode(self.document, order="sorted")

    @cached_property
    def number(self) -> str | None:
        """The identifier as named, or as the document names it."""
        return self.licence_id or self.code or _number_in(self.raw)


def document_routes(office: Office, documents: Documents, keys: Verifier, public_url: str) -> APIRouter:
    """Fetch and verify. public_url: what stands before /v/… in the code on a printed document."""
    router = APIRouter(tags=["documents"])

    @router.get(
        "/v1/documents/{number}", summary="A signed document, as issued or to print", responses=OFFERED
    )
    async def fetch(
        request: Request,
        number: str,
        officer: Annotated[str | None, Header(alias="X-Tongban-Officer", max_length=40)] = None,
    ) -> Response:
        found = await documents.hand_out(_checked(number), officer or "agency", office.clock.now())
        if found is None:
            raise RefusedError("DOCUMENT_UNKNOWN")
        headers = {"X-Tongban-Status": found.status, "Vary": "Accept"}
        kept = None if found.as_of is None else Kept(office.province, found.status, found.as_of)
        if kept is not None:
            headers["X-Tongban-Copy-As-Of"] = local(kept.as_of) or ""
        if not prefers(PDF, JSON, ",".join(request.headers.getlist("accept"))):
            return Response(found.document, media_type=JSON, headers=headers)
        address = f"{public_url.rstrip('/')}/v/{number}"
        press = asyncio.get_running_loop()
        page = await press.run_in_executor(PRESS, _printed, found.document, address, kept)
        return Response(page, media_type=PDF, headers=headers)

    @router.post("/v1/documents/verify", summary="Whether a document is genuine and valid")
    async def verification(given: VerifyIn) -> dict[str, Any]:
        number = given.number
        if number is None:
            return shown(Verification(Result.INVALID, Reason.MALFORMED))
        found = await documents.find(_checked(number))
        known = found.status if found is not None else await documents.void_copy(number)
        return shown(_judge(given, (found, known), office, keys))

    @router.get("/v/{code}", summary="The page behind the QR code", response_class=Response)
    async def look(code: str) -> Response:
        found = await documents.find(_checked(code))
        known = found.status if found is not None else None
        answer = shown(_judge(VerifyIn(licence_id=code), (found, known), office, keys))
        status = HTTPStatus.OK if found is not None else HTTPStatus.NOT_FOUND
        return Response(page(answer), status, media_type=HTML)

    return router


def _checked(number: str) -> str:
    """An identifier that can be one. Raises RefusedError(DOCUMENT_UNKNOWN)."""
    try:
        return licence_id(number)
    except LicenceError as error:
        raise RefusedError("DOCUMENT_UNKNOWN") from error


def _printed(raw: bytes, address: str, kept: Kept | None) -> bytes:
    """The page of a stored document, or of a copy. Raises GlyphMissingError."""
    from tongban_registry.printing import print_document  # noqa: PLC0415  # 80 MB with its font: loaded by who prints

    return print_document(decode(raw), address, kept)


def _number_in(raw: bytes) -> str | None:
    """The identifier that a document names; None: not a document."""
    try:
        return decode(raw).header.licence_id
    except DocumentError:
        return None


def _judge(
    given: VerifyIn, known: tuple[IssuedRow | None, Status | None], office: Office, keys: Verifier
) -> Verification:
    """What is shown must be what was issued under its identifier, and neither superseded nor revoked.

    known: what was issued here, and how it stands; of another registry's, that it holds no more (EN3). A
    genuine document of which nothing is known here is another registry's, or was issued before this database
    was put back: its signature proves it, and nobody here can say whether it was taken back since.
    """
    now = office.clock.now()
    found, status = known
    if given.document is not None:
        verified = verify(given.raw, keys, now, status)
        named = verified.document.header.licence_id if verified.document is not None else given.number
        same = named == given.number
        return verified if same else Verification(Result.INVALID, Reason.LICENCE_INVALID, status=status)
    if found is None:
        raise RefusedError("DOCUMENT_UNKNOWN")
    return verify(found.document, keys, now, status)


def shown(verification: Verification) -> dict[str, Any]:
    """The public answer: nothing personal. Source: api.md."""
    document = verification.document
    answer: dict[str, Any] = {
        "valid": verification.result is Result.VALID,
        "status": verification.result.value,
        "reason": verification.reason,
        "checked_online": verification.status is not None,
    }
    if document is None:
        return answer | {"kind": None, "issuer": None, "issued_at": None, "expires_at": None}
    header = document.header
    return answer | {
        "kind": header.kind,
        "issuer": {"province": header.issuer.province, "org_code": header.issuer.org_code},
        "issued_at": local(header.issued_at),
        "expires_at": local(header.valid_until),
    }


WORDS = {
    Result.VALID: "有效 valid",
    Result.EXPIRED: "已过有效期 expired",
    Result.NOT_YET_VALID: "尚未生效 not valid yet",
    Result.SUPERSEDED: "已被替换 superseded",
    Result.REVOKED: "已撤销 revoked",
    Result.INVALID: "无效 not genuine",
}


def page(answer: dict[str, Any]) -> str:
    """A page for a telephone: what the paper is, whether it holds, and until when."""
    issuer = answer["issuer"] or {}
    rows = {
        "状态 status": WORDS[Result(answer["status"])],
        "种类 kind": answer["kind"],
        "签发机关 issuer": issuer.get("org_code"),
        "签发时间 issued": answer["issued_at"],
        "有效期至 valid until": answer["expires_at"],
    }
    lines = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value or '—'))}</dd>" for name, value in rows.items()
    )
    return (
        '<!doctype html><html lang="zh"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>证明核验 verification</title>'
        f"<h1>证明核验 verification</h1><dl>{lines}</dl></html>"
    )
