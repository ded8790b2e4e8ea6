"""A handout: headings, and labels with their values, as plain A4 pages to keep (PDF).

No design but what helps reading: large letters, a heading stays with what follows it, page numbers. The
same bytes for the same values: the instant it was made is an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from fpdf import FPDF

from epilock.collect import qr, typeface

MARGIN, LABEL, CODE = (
    20,
    48,
    42,
)  # millimetres: of the page, of the column of labels, of the QR code
_HEADING, _TEXT, _SMALL = 15, 11.5, 9  # points
_LINE = 6.2  # millimetres


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and rows of a label and a value; a row without a label is a sentence."""

    heading: str
    rows: tuple[tuple[str, str], ...]


def pdf(
    title: str, sections: Sequence[Section], *, address: str, language: str, made: datetime
) -> bytes:
    """Return the PDF; ``address`` stands at its top as a QR code, ``made`` is an aware instant."""
    page = _Pages(title, language, made)
    page.head(title, address)
    for section in sections:
        page.section(section)
    return bytes(page.output())


class _Pages(FPDF):
    def __init__(self, title: str, language: str, made: datetime) -> None:
        super().__init__(format="A4", unit="mm")
        with typeface.font_file() as path:
            self.add_font("noto", fname=path)
        self.set_creation_date(made)
        self.set_title(typeface.printable(title))
        self.set_lang({"zh": "zh-CN"}.get(language, language))
        self.set_producer("Epilock")
        self.set_margin(MARGIN)
        self.set_auto_page_break(auto=True, margin=MARGIN)
        self.add_page()

    def footer(self) -> None:
        """Number the page; called by the library."""
        self.set_y(-14)
        self.set_font("noto", size=_SMALL)
        self.cell(0, 6, str(self.page_no()), align="C")

    def head(self, title: str, address: str) -> None:
        self.image(
            BytesIO(qr.png(address)), self.w - MARGIN - CODE, MARGIN - 5, CODE, CODE, alt_text=title
        )
        self.set_font("noto", size=22)
        self.multi_cell(self.epw - CODE - 5, 10, typeface.printable(title), align="L")
        self.set_y(max(self.get_y(), MARGIN + CODE - 5))

    def section(self, section: Section) -> None:
        if self.will_page_break(4 * _LINE):
            self.add_page()
        self.ln(4)
        self.set_font("noto", size=_HEADING)
        self._text(section.heading, self.epw)
        self.set_font("noto", size=_TEXT)
        for label, value in section.rows:
            self._row(label, value)

    def _row(self, label: str, value: str) -> None:
        wide = self.epw - (LABEL if label else 0)
        if self.will_page_break(2 * _LINE):
            self.add_page()
        if label:
            top, page = self.get_y(), self.page
            self._text(label, LABEL - 3)
            below = self.get_y()
            self.page = page
            self.set_xy(self.l_margin + LABEL, top)
            self._text(value, wide)
            if self.page == page:
                self.set_y(max(below, self.get_y()))
        else:
            self._text(value, wide)
        self.ln(1.2)

    def _text(self, text: str, width: float) -> None:
        lines = "\n".join(typeface.printable(line) for line in text.split("\n"))
        self.multi_cell(width, _LINE, lines, align="L", new_x="LMARGIN", new_y="NEXT")
