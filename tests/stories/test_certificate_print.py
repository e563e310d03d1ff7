"""A certificate on paper: fetched as a page to print, and verified by whoever is shown it."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pypdfium2
import pytest
import zxingcpp

from tests.stories.folk import Resident
from tests.stories.test_certificate import STATUS, A, B, ask_for
from tests.stories.windows import seen as ended
from tests.stories.world import Country
from tongban_registry.settings import PUBLIC_URL
from tongban_registry.typeface import Typeface

PDF = "application/pdf"


async def fetched(country: Country, person: Resident, accept: str) -> httpx.Response:
    """The certificate that was applied for in B, at the door of A, which issued it."""
    case = await ask_for(country, STATUS, person, B)
    (paper,) = (await ended(country, B, case["case_id"], "COMPLETED"))["documents"]
    return await country.ask(A, f"/v1/documents/{paper['licence_id']}", accept=accept)


def read(printed: bytes) -> tuple[str, str]:
    """The text of the one page, and what its one code says."""
    document = pypdfium2.PdfDocument(printed)
    try:
        page = document[0]
        (code,) = zxingcpp.read_barcodes(page.render(scale=2).to_pil())
        return page.get_textpage().get_text_range(), code.text
    finally:
        document.close()


async def test_whoever_scans_the_paper_is_told_that_it_is_valid(country: Country) -> None:
    """Issued by A, printed, shown to somebody with a telephone: the address on it answers at A."""
    person = country.person(A)
    answer = await fetched(country, person, PDF)
    assert (answer.status_code, answer.headers["content-type"]) == (200, PDF)
    assert (answer.headers["x-tongban-status"], answer.headers["vary"]) == ("CURRENT", "Accept")
    text, address = read(answer.content)
    assert person.name in text
    assert person.id_number in text
    assert address.startswith(f"{PUBLIC_URL}/v/")
    page = await country.ask(A, urlsplit(address).path)
    assert page.status_code == 200
    assert "有效 valid" in page.text


async def test_a_paper_that_the_printer_ate_is_printed_again(country: Country) -> None:
    """The same serial, the same bytes, never a second paper (services.md S3)."""
    first = await fetched(country, country.person(A), PDF)
    again = await country.ask(A, first.request.url.path, accept=PDF)
    assert again.content == first.content


async def test_a_name_that_the_font_lacks_is_refused_and_stays_verifiable(
    country: Country, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No paper with a box for a name; the signed document has it all the same."""
    person = country.person(A)
    monkeypatch.setattr(Typeface, "covers", lambda _, text: person.name not in text)
    answer = await fetched(country, person, PDF)
    assert (answer.status_code, answer.json()["code"]) == (406, "GLYPH_MISSING")
    assert person.name not in answer.text
    document = await country.ask(A, answer.request.url.path)
    assert document.status_code == 200


@pytest.mark.parametrize("accept", ["application/json", "*/*", f"{PDF};q=0.5, application/json"])
async def test_whoever_does_not_ask_for_paper_gets_what_can_be_verified(
    country: Country, accept: str
) -> None:
    """The signed document stays the first form of a certificate."""
    answer = await fetched(country, country.person(A), accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["header"]["kind"] == "certificate.registration_status"
