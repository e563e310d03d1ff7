"""A document as a page to print: read back by another library, its code by a third."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pypdfium2
import pypdfium2.raw
import pytest
import zxingcpp
from msgspec.structs import replace

from tests.unit.papers import GUANGDONG, certificate, header, salts, signer_of
from tongban_registry import printed_words
from tongban_registry.media import JSON, PDF, prefers
from tongban_registry.printing import print_document
from tongban_registry.typeface import GlyphMissingError, typeface
from tongban_shared.documents.document import Document, make
from tongban_shared.web.problems import problem_for

ADDRESS = "https://verify.example/v/1.2.156.3005.2.11100000000013127D901.11440000000000001A.00000001.001.V"
PERSON = {"name": "合成人甲", "id_number": "440000199003070020", "sex_code": "2", "address": "示例路1号"}
RARE = "𬭼㛃䶮𬱖𫍯〇·"
ABSENT = "𠮷𪚥"
# Bindings made from a C header; they have no types.
pdfium: Any = pypdfium2.raw


def paper(persons: int = 1, **changed: str) -> Document:
    """A certificate of registration about so many synthetic persons."""
    told = {f"person_{n}.{name}": text for n in range(1, persons + 1) for name, text in PERSON.items()}
    fields = {"registration_state": "REGISTERED"} | told | {f"person_1.{k}": v for k, v in changed.items()}
    kind = replace(header(), kind="certificate.registration_status")
    return make(kind, fields, salts(1, len(fields)), signer_of(GUANGDONG))


@contextmanager
def opened(printed: bytes) -> Iterator[pypdfium2.PdfDocument]:
    """The print as a reader library sees it."""
    document = pypdfium2.PdfDocument(printed)
    try:
        yield document
    finally:
        document.close()


def text_of(printed: bytes) -> str:
    """What a reader selects and copies, all pages, without its line ends."""
    with opened(printed) as document:
        pages = [document[number].get_textpage().get_text_range() for number in range(len(document))]
    return "".join(pages).replace("\r\n", "")


def codes_of(printed: bytes) -> list[list[str]]:
    """What a telephone reads from each page as it comes out of a printer of 150 dots an inch."""
    with opened(printed) as document:
        images = [document[number].render(scale=150 / 72).to_pil() for number in range(len(document))]
    return [[code.text for code in zxingcpp.read_barcodes(image)] for image in images]


def test_a_page_says_what_the_document_says() -> None:
    """Title by kind, each field under its label, issuer, numbers, and moments in Beijing time."""
    document = paper()
    text = text_of(print_document(document, ADDRESS))
    head = document.header
    for part in (
        *("户籍信息证明", "Certificate of registration", "姓名 Name 合成人甲", "性别 Sex 女 female"),
        *("公民身份号码 Identity number 440000199003070020", "户口登记状态 Registration 在册 registered"),
        *("签发机关 Issuer 广东省 440100000000", "签发时间 Issued 2026-03-02 09:00:00 北京时间"),
        *("有效期至 Valid until 2026-05-31 09:00:00 北京时间", head.number, head.case_id, head.licence_id),
    ):
        assert part in text, part


def test_the_code_leads_to_the_page_that_verifies() -> None:
    """Decoded from the picture of the page, not from what was meant to be drawn."""
    assert codes_of(print_document(paper(), ADDRESS)) == [[ADDRESS]]


def test_many_persons_take_more_pages_and_the_last_has_the_code() -> None:
    """Nothing is cut off: every person stands there, and the number is at the foot of each page."""
    document = paper(persons=12)
    printed = print_document(document, ADDRESS)
    codes = codes_of(printed)
    assert len(codes) > 1
    assert codes == [*([[]] * (len(codes) - 1)), [ADDRESS]]
    text = text_of(printed)
    assert all(f"人员 {number} Person {number}" in text for number in range(1, 13))
    assert text.count(document.header.licence_id) >= len(codes)


def test_every_font_is_embedded() -> None:
    """A printer that has no Chinese font prints the same page."""
    with opened(print_document(paper(), ADDRESS)) as document:
        page = document[0]
        texts = [part.raw for part in page.get_objects() if part.type == pdfium.FPDF_PAGEOBJ_TEXT]
        assert texts
        assert all(pdfium.FPDFFont_GetIsEmbedded(pdfium.FPDFTextObj_GetFont(part)) == 1 for part in texts)


def test_rare_characters_of_names_are_printed_as_such() -> None:
    """Of the supplementary planes too, and copied from the page they are the same characters."""
    assert RARE in text_of(print_document(paper(name=RARE), ADDRESS))


@pytest.mark.parametrize("character", [*ABSENT, "\U000e0100", "\t", "\x00"])
def test_a_character_without_a_drawing_refuses_the_print(character: str) -> None:
    """Never a box, never a gap: a stable code, and no value in the words."""
    with pytest.raises(GlyphMissingError) as refused:
        print_document(paper(name=f"合成{character}"), ADDRESS)
    answer = problem_for(refused.value)
    assert (refused.value.code, refused.value.reason, answer.status) == (
        "GLYPH_MISSING",
        "GLYPH_MISSING",
        406,
    )
    assert b"GLYPH_MISSING" in answer.body
    assert "合成" not in f"{refused.value}{answer.body.decode()}"


def test_one_document_is_one_file() -> None:
    """No clock and no chance: a second print is the first one, byte for byte."""
    printed = print_document(paper(), ADDRESS)
    assert printed == print_document(paper(), ADDRESS)
    assert printed != print_document(paper(name="合成人乙"), ADDRESS)


def test_other_kinds_and_unknown_fields_are_printed_too() -> None:
    """What has no label stands under its own name; a line feed in a value begins a line."""
    document = certificate()
    fields = {f.name: f.value.replace("𠮷", "吉") for f in document.fields}
    told = make(replace(document.header, kind="permit.other"), fields, salts(), signer_of(GUANGDONG))
    text = text_of(print_document(told, ADDRESS))
    for part in ("户籍业务电子证照", "relation 父子", "holder姓名 Name 合成人甲", "second line"):
        assert part in text, part


def test_all_words_of_the_form_can_be_drawn() -> None:
    """Labels, values, titles of the catalogue and the notice."""
    titles = "".join(map("".join, printed_words._titles().values()))
    words = [
        *printed_words.LABELS.values(),
        *printed_words.WORDS.values(),
        *printed_words.OTHER_TITLE,
        titles,
    ]
    lacking = [
        word for word in (*words, printed_words.SCAN, printed_words.NO_END) if not typeface().covers(word)
    ]
    assert lacking == []


def test_a_print_logs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The libraries would list the characters of a name."""
    with caplog.at_level(logging.DEBUG):
        print_document(paper(), ADDRESS)
    assert caplog.records == []


@pytest.mark.parametrize(
    ("accept", "printed"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/pdf", True),
        ("Application/PDF", True),
        ("application/pdf, application/json", False),
        ("application/pdf;q=0.9, application/json;q=0.8", True),
        ("application/json, application/pdf;q=0.9", False),
        ("application/pdf;q=0", False),
        ("application/pdf, */*;q=0.1", True),
        ("application/*, application/json;q=0.5", True),
        ("text/html", False),
        ("application/pdf;q=x", False),
        ("application/pdf;q=7", False),
        (";;,,q=1", False),
    ],
)
def test_the_header_decides_between_two_forms(accept: str, *, printed: bool) -> None:
    """A print is made for whoever ranks it higher; everybody else gets what can be verified."""
    assert prefers(PDF, JSON, accept) is printed
