"""A signed document as a page to print: A4, with the code that leads to the page where it is verified.

No clock and no chance: a second print of one document is the same bytes. A page takes 0.1 s of one core, the
first one of a process a second more; ask from a thread.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import segno
from fpdf import FPDF
from fpdf.enums import Align, TableBordersLayout, XPos, YPos

from tongban_registry.printed_words import NOTICE, SCAN, Kept, Section, Wording, wording
from tongban_registry.typeface import typeface
from tongban_shared.documents.document import Document

# All in millimetres, but type in points.
WIDTH: Final = 210.0
HEIGHT: Final = 297.0
MARGIN: Final = 18.0
FOOT: Final = 18.0
LABEL_WIDTH: Final = 64.0
CODE: Final = 40.0
QUIET_MODULES: Final = 4
"""Modules of white round the code. Source: ISO/IEC 18004."""
TITLE_PT, SUBTITLE_PT, BODY_PT, SMALL_PT = 22, 12, 10.5, 8

# At INFO they list the characters of every page: sorted, but a person's name all the same.
for _name in ("fontTools", "fpdf"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Bar(NamedTuple):
    """Dark modules of one line of the code that stand side by side; counted from its upper left corner."""

    line: int
    start: int
    length: int


def print_document(document: Document, verify_url: str, kept: Kept | None = None) -> bytes:
    """Return a PDF of one or more A4 pages; the same bytes for the same arguments.

    verify_url: address of the page that verifies this document; the code holds it, and it stands beside it.
    kept: of a copy, whose it is and how the document stood when; printed with it (EN3).
    Raises GlyphMissingError if the font lacks any character of the document.
    """
    words = wording(document, verify_url, kept)
    # The digits are those of the page number.
    font = typeface().cut("".join((*words.characters().split("\n"), "0123456789")))
    with TemporaryDirectory() as folder:
        # fpdf2 takes fonts by path only. What lies there for a moment are shapes without an order.
        file = Path(folder) / "cut.ttf"
        file.write_bytes(font)
        paper = _Paper(file, words.foot)
    paper.set_title(words.title)
    paper.set_creation_date(document.header.issued_at)
    _draw(paper, words)
    return bytes(paper.output())


class _Paper(FPDF):
    """A4 in one typeface; the identifier and the page's number at the foot of each page."""

    def __init__(self, font: Path, foot: str) -> None:
        super().__init__(orientation="portrait", unit="mm", format=(WIDTH, HEIGHT))
        self._foot = foot
        self.set_margin(MARGIN)
        self.set_auto_page_break(auto=True, margin=FOOT)
        self.set_lang("zh-CN")
        self.add_font("body", fname=str(font))
        self.set_font("body", size=BODY_PT)

    def footer(self) -> None:
        """Called by the library at the end of each page."""
        self.set_y(-FOOT + MARGIN / 4)
        self.set_font("body", size=SMALL_PT)
        self.cell(WIDTH - 2 * MARGIN, 5, f"{self._foot}  {self.page_no()}", align=Align.C)


def _draw(paper: _Paper, words: Wording) -> None:
    paper.add_page()
    _line(paper, words.title, TITLE_PT, 11)
    _line(paper, words.subtitle, SUBTITLE_PT, 7)
    for section in words.sections:
        _draw_section(paper, section)
    _draw_code(paper, words.address)


def _line(paper: _Paper, text: str, size_pt: float, height: float) -> None:
    paper.set_font("body", size=size_pt)
    paper.multi_cell(0, height, text, align=Align.C, new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def _draw_section(paper: _Paper, section: Section) -> None:
    paper.ln(2)
    paper.set_font("body", size=SUBTITLE_PT)
    paper.cell(0, 7, section.heading, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_font("body", size=BODY_PT)
    with paper.table(
        section.rows,
        col_widths=(LABEL_WIDTH, WIDTH - 2 * MARGIN - LABEL_WIDTH),
        first_row_as_headings=False,
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        line_height=5,
        padding=0.5,
        text_align=Align.L,
    ):
        pass


def _draw_code(paper: _Paper, address: str) -> None:
    """At the foot of the last page, where it is looked for; on a page of its own if the rows reach there."""
    top = HEIGHT - FOOT - CODE
    if paper.get_y() > top - 4:
        paper.add_page()
    bars, size = _code(address)
    module = CODE / size
    for bar in bars:
        paper.rect(MARGIN + bar.start * module, top + bar.line * module, bar.length * module, module, "F")
    paper.set_xy(MARGIN + CODE + 4, top + 2)
    paper.set_left_margin(MARGIN + CODE + 4)
    paper.set_font("body", size=BODY_PT)
    paper.cell(0, 6, SCAN, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_font("body", size=SMALL_PT)
    paper.multi_cell(0, 4, address, align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.multi_cell(0, 4, NOTICE, align=Align.L, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    paper.set_left_margin(MARGIN)


def _code(address: str) -> tuple[list[Bar], int]:
    """The dark bars of a QR code that survives the loss of 15 %, and its side in modules, white included."""
    code = segno.make(address, error="m", micro=False)
    size = len(code.matrix) + 2 * QUIET_MODULES
    return [bar for line, row in enumerate(code.matrix) for bar in _bars(line, row)], size


def _bars(line: int, row: bytearray) -> Iterator[Bar]:
    for dark, run in groupby(enumerate(row), key=lambda module: module[1]):
        if dark:
            columns = [column for column, _ in run]
            yield Bar(line + QUIET_MODULES, columns[0] + QUIET_MODULES, len(columns))
