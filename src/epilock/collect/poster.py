"""The poster of a point: one A4 page with its QR code, the notice in short and the fingerprint.

Someone may paste another code over ours. So the fingerprint of the organisation's notice key is
printed apart from the code and shown again at the top of the page; the poster tells people to compare.

The page is the same bytes for the same values: the instant it was made is an argument.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from fpdf import FPDF
from fpdf.enums import TextMode

from epilock.collect import qr, typeface
from epilock.collect.notice import Notice
from epilock.collect.notice_page import say
from epilock.collect.notice_short import AT_A_GLANCE
from epilock.errors import InputError
from epilock.standard.text import Text

LINES = 12  # at most so many lines of the notice in short, in each language

# Millimetres. A4 is 210 by 297; printers leave about 5 mm at each edge.
WIDTH, MARGIN = 210, 18
INNER = WIDTH - 2 * MARGIN
BAND = 56.0  # height of the head
CODE = 92.0  # edge of the QR code with its quiet zone
GLANCE = 54.0  # height of what is read from two metres away
FOOT = 268.5  # where the foot begins
GAP = 1.6  # between its rows
LAST = 288.5  # where its last line stands, the key of the log
LABEL = 33.0  # width of the column with "How long"
POINT_MM = 0.3528  # one typographic point

INK, TEAL, PALE, MIST, AMBER, GREY = (
    (17, 34, 43),
    (10, 77, 92),
    (190, 222, 224),
    (240, 246, 246),
    (226, 117, 32),
    (96, 112, 120),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """What every poster says in one language."""

    kind: str
    scan: str
    steps: tuple[str, str, str, str]
    compare: str
    version: str
    url: str
    log: str


_WORDS = {
    "zh": _Words(
        kind="个人信息采集点",
        scan="扫码填写",
        steps=("先看告知", "再勾选同意", "填写必填项", "保存收据码"),
        compare="防止换码：网页顶部应显示同样的四组字母，不同请勿填写。",
        version="告知第{}版",
        url="也可输入网址",
        log="公共账本的公钥，核对收据用",
    ),
    "en": _Words(
        kind="Collection point",
        scan="Scan to fill in",
        steps=(
            "Read the notice",
            "Tick what you agree to",
            "Fill in the fields",
            "Keep the receipt",
        ),
        compare="Against pasted-over codes: the page must show the same four groups on top. "
        "If it does not, do not fill it in.",
        version="Notice version {}",
        url="Or type the address",
        log="Key of the public log, to check a receipt by",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What the poster says in one language.

    Attributes:
        language: ``zh`` or ``en``.
        point: Public name of the point.
        organisation: Name of who collects.
        glance: What is read from two metres away: label and value, such as "How long", "28 days".
        lines: The rest of the notice in short; with ``glance`` at most 12 lines.
    """

    language: str
    point: str
    organisation: str
    glance: tuple[tuple[str, str], ...]
    lines: tuple[str, ...]


def poster(
    sheets: Sequence[Sheet],
    *,
    url: str,
    fingerprint: str,
    version: int,
    sha256: str,
    vkey: str,
    made: datetime,
) -> bytes:
    """Return the PDF of one A4 page in one or two languages, the first one leading.

    Args:
        sheets: One for each language, with as many pairs to be read at a glance in each.
        url: What the QR code holds, see ``qr.point_url``.
        fingerprint: Of the notice key, four groups of four.
        version: Of the notice.
        sha256: Of the notice, hex; its first 16 digits are printed.
        vkey: Verifier key of the log (c2sp.org/signed-note): who checks a receipt has it from another place than the site.
        made: Aware instant that the file says it was made.

    Raises:
        InputError: There are no or too many sheets or lines, or the address is too long.
    """
    long = any(len(s.glance) + len(s.lines) > LINES for s in sheets)
    if long or not 1 <= len(sheets) <= len(_WORDS):
        raise InputError(f"a poster has one or two languages with at most {LINES} lines each")
    page = _Page(made, title=sheets[0].point, language=sheets[0].language)
    _head(page, sheets)
    _code(page, sheets, url)
    _glance(page, sheets)
    _notice(page, sheets)
    _foot(page, sheets, url, fingerprint, f"{version} · {sha256[:16]}")
    _log_key(page, sheets, vkey)
    return bytes(page.pdf.output())


def of_notice(notice: Notice, *, url: str, fingerprint: str, vkey: str, made: datetime) -> bytes:
    """Return the poster of ``notice`` in its point's languages; raises what ``poster`` raises."""
    sheets = [
        Sheet(
            language=language,
            point=say(notice.point_name, language),
            organisation=say(notice.organisation, language),
            glance=tuple(_parted(say(line, language)) for line in notice.short if _is_glance(line)),
            lines=tuple(say(line, language) for line in notice.short if not _is_glance(line)),
        )
        for language in notice.languages
    ]
    return poster(
        sheets,
        url=url,
        fingerprint=fingerprint,
        version=notice.version,
        sha256=notice.sha256,
        vkey=vkey,
        made=made,
    )


def _is_glance(line: Text) -> bool:
    return line.zh.partition("：")[0] in AT_A_GLANCE


def _parted(line: str) -> tuple[str, str]:
    """Return label and value of a line of the notice in short."""
    label, _, value = line.replace("：", ": ", 1).partition(": ")
    return label, value


class _Page:
    """One A4 page and the few ways in which the poster writes on it."""

    def __init__(self, made: datetime, *, title: str, language: str) -> None:
        self.pdf = FPDF(format="A4", unit="mm")
        self.pdf.set_creation_date(made)
        self.pdf.set_auto_page_break(auto=False)
        self.pdf.set_margin(0)
        self.pdf.c_margin = 0
        with typeface.font_file() as path:
            self.pdf.add_font("noto", fname=path)
        self.pdf.set_title(typeface.printable(title))
        self.pdf.set_lang({"zh": "zh-CN"}.get(language, language))
        self.pdf.set_producer("Epilock")
        self.pdf.add_page()

    def fit(self, text: str, size: float, width: float, *, lines: int = 1) -> float:
        """Return the largest size, at most ``size``, at which ``text`` needs at most ``lines``."""
        while size > 6 and len(self.wrap(text, size, width)) > lines:  # noqa: PLR2004 - points; smaller is unreadable
            size -= 0.5
        return size

    def wrap(self, text: str, size: float, width: float) -> list[str]:
        """Return ``text`` in lines of at most ``width``, broken at spaces or between hanzi."""
        self.pdf.set_font("noto", size=size)
        lines = self.pdf.multi_cell(
            width, text=typeface.printable(text), dry_run=True, output="LINES", align="L"
        )
        return [str(line) for line in lines]  # type: ignore[union-attr]  # LINES gives a list

    def write(
        self,
        text: str,
        x: float,
        y: float,
        *,
        size: float,
        colour: tuple[int, int, int] = INK,
        width: float = INNER,
        leading: float = 1.4,
        heavy: bool = False,
        align: str = "L",
        spacing: float = 0,
    ) -> float:
        """Write ``text`` from (x, y) down in lines of ``width``; return the y below it."""
        self.pdf.set_text_color(*colour)
        self.pdf.set_draw_color(*colour)
        height = size * POINT_MM * leading
        mode = TextMode.FILL_STROKE if heavy else TextMode.FILL
        for line in self.wrap(text, size, width):
            self.pdf.set_font("noto", size=size)
            with self.pdf.local_context(
                text_mode=mode, line_width=size * POINT_MM / 45, char_spacing=spacing
            ):
                self.pdf.set_xy(x, y)
                self.pdf.cell(width, height, line, align=align)
            y += height
        return y

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: tuple[int, int, int] | None = None,
        line: tuple[int, int, int] | None = None,
        radius: float = 3,
    ) -> None:
        """Draw a box with round corners."""
        if fill:
            self.pdf.set_fill_color(*fill)
        if line:
            self.pdf.set_draw_color(*line)
        self.pdf.set_line_width(0.35)
        style = ("D" if line else "") + ("F" if fill else "")
        self.pdf.rect(
            x, y, width, height, style=style, round_corners=radius > 0, corner_radius=radius
        )


def _head(page: _Page, sheets: Sequence[Sheet]) -> None:
    """The band: what this is, the point's name, who collects."""
    page.box(0, 0, WIDTH, BAND, fill=TEAL, radius=0)
    page.box(MARGIN, BAND - 1.2, 40, 2.4, fill=AMBER, radius=0)
    page.write(
        "   ".join(_WORDS[s.language].kind for s in sheets), MARGIN, 8, size=10.5, colour=PALE
    )
    first, others = sheets[0], sheets[1:]
    size = page.fit(first.point, 33 if others else 42, INNER)
    y = page.write(
        first.point,
        MARGIN,
        14 if others else 18,
        size=size,
        colour=(255, 255, 255),
        heavy=True,
        leading=1.25,
    )
    for sheet in others:
        size = page.fit(sheet.point, 16, INNER)
        y = page.write(sheet.point, MARGIN, y + 0.5, size=size, colour=(255, 255, 255))
    y += 1
    for n, sheet in enumerate(sheets):
        size = page.fit(sheet.organisation, (15 if others else 18) if n == 0 else 10.5, INNER)
        y = page.write(sheet.organisation, MARGIN, y, size=size, colour=PALE, leading=1.35)


def _code(page: _Page, sheets: Sequence[Sheet], url: str) -> None:
    """The code, and beside it the four steps."""
    top = BAND + 8
    page.box(MARGIN - 2, top - 2, CODE + 4, CODE + 4, fill=(255, 255, 255), line=PALE, radius=4)
    image = BytesIO(qr.png(url, scale=12))
    page.pdf.image(image, MARGIN, top, CODE, CODE)
    left = MARGIN + CODE + 12
    width = WIDTH - MARGIN - left
    y = page.write(
        _WORDS[sheets[0].language].scan, left, top, size=24, colour=TEAL, heavy=True, width=width
    )
    for sheet in sheets[1:]:
        y = page.write(_WORDS[sheet.language].scan, left, y - 1, size=13, colour=TEAL, width=width)
    step = (top + CODE - y - 4) / 4
    for n in range(4):
        at = y + 5 + n * step
        page.pdf.set_fill_color(*(AMBER if n == 3 else TEAL))  # noqa: PLR2004 - the last step is what people forget
        page.pdf.ellipse(left, at, 9, 9, style="F")
        page.write(str(n + 1), left, at + 1.5, size=12.5, colour=(255, 255, 255), width=9,
                   align="C", heavy=True, leading=1.35)  # fmt: skip
        down = at + (0.9 if len(sheets) == 1 else -0.8)
        for k, sheet in enumerate(sheets):
            size = 14 if k == 0 else 9.5
            down = page.write(
                _WORDS[sheet.language].steps[n], left + 13, down, size=size,
                width=width - 13, colour=INK if k == 0 else GREY, leading=1.25,
            )  # fmt: skip


def _glance(page: _Page, sheets: Sequence[Sheet]) -> None:
    """What, how long, where to complain: large enough for whoever stands in the queue."""
    y, most = BAND + CODE + 13, 20.0
    while most > 8 and _glance_height(page, sheets, most) > GLANCE:  # noqa: PLR2004 - points; the rest is smaller still
        most -= 0.5
    for n, size in enumerate(_sizes(page, sheets[0], most)):
        for k, sheet in enumerate(sheets):
            label, value = sheet.glance[n]
            own = _second(size) if k else size
            page.write(label, MARGIN, y, size=own, colour=GREY if k else TEAL, heavy=not k,
                       width=LABEL, leading=1.25)  # fmt: skip
            y = page.write(value, MARGIN + LABEL, y, size=own, width=INNER - LABEL,
                           colour=GREY if k else INK, heavy=not k, leading=1.25)  # fmt: skip
        y += GAP


def _glance_height(page: _Page, sheets: Sequence[Sheet], most: float) -> float:
    height = 0.0
    for n, size in enumerate(_sizes(page, sheets[0], most)):
        for k, sheet in enumerate(sheets):
            own = _second(size) if k else size
            rows = len(page.wrap(sheet.glance[n][1], own, INNER - LABEL))
            height += rows * own * POINT_MM * 1.25
        height += GAP
    return height


def _sizes(page: _Page, sheet: Sheet, most: float) -> list[float]:
    """Return the size of each row: a long list of what is asked makes no other row small."""
    return [page.fit(value, most, INNER - LABEL, lines=3) for _, value in sheet.glance]


def _second(size: float) -> float:
    """Return the size of the second language beside a first one of ``size``."""
    return max(8.5, size * 0.6)


def _notice(page: _Page, sheets: Sequence[Sheet]) -> None:
    """The rest of the notice in short: one column a language."""
    top, bottom, gap = BAND + CODE + GLANCE + 15, FOOT - 4, 6
    column = (INNER + 4 - gap * (len(sheets) - 1)) / len(sheets)
    for n, sheet in enumerate(sheets):
        x = MARGIN - 2 + n * (column + gap)
        page.box(x, top, column, bottom - top, fill=MIST, radius=4)
        inner = column - 10
        size = _fit_lines(page, sheet.lines, inner, bottom - top - 6)
        y = top + 3
        for line in sheet.lines:
            page.pdf.set_fill_color(*AMBER)
            page.pdf.ellipse(x + 5, y + size * POINT_MM * 0.5, 1.2, 1.2, style="F")
            y = page.write(line, x + 8.5, y, size=size, width=inner - 3.5, leading=1.32)
            y += size * POINT_MM * 0.22


def _fit_lines(page: _Page, lines: Sequence[str], width: float, height: float) -> float:
    """Return the largest size, 13 points at most, at which all ``lines`` fit into the box."""
    size = 13.0
    while size > 5.5:  # noqa: PLR2004 - points; the smallest print that is still read
        rows = sum(len(page.wrap(line, size, width - 3.5)) for line in lines)
        if size * POINT_MM * (rows * 1.32 + len(lines) * 0.22) <= height:
            break
        size -= 0.25
    return size


def _foot(page: _Page, sheets: Sequence[Sheet], url: str, fingerprint: str, notice: str) -> None:
    """The fingerprint, the address to type, the notice's version and hash."""
    top = FOOT
    y = page.write(fingerprint, MARGIN, top - 1, size=19, colour=TEAL, heavy=True, spacing=1.2,
                   width=84, leading=1.3)  # fmt: skip
    for sheet in sheets:
        y = page.write(_WORDS[sheet.language].compare, MARGIN, y, size=8.2 if len(sheets) > 1 else 9.2,
                       colour=GREY, width=84, leading=1.3)  # fmt: skip
    left = MARGIN + 94
    width = WIDTH - MARGIN - left
    words = " / ".join(_WORDS[s.language].url for s in sheets)
    y = page.write(words, left, top, size=8, colour=GREY, width=width, align="R")
    short = url.removeprefix("https://").partition("?")[0]
    y = page.write(short, left, y, size=page.fit(short, 11, width), width=width, align="R")
    version, _, digest = notice.partition(" · ")
    says = " / ".join(_WORDS[s.language].version.format(version) for s in sheets)
    page.write(f"{says} · {digest}", left, y + 1, size=8, colour=GREY, width=width, align="R")


def _log_key(page: _Page, sheets: Sequence[Sheet], vkey: str) -> None:
    """The key of the log, in one line as it is compared."""
    words = " / ".join(_WORDS[s.language].log for s in sheets)
    said = f"{words}  {vkey}"
    page.write(said, MARGIN, LAST, size=page.fit(said, 7, INNER), colour=GREY)
