"""Tables of text: CSV as spreadsheets write it, in the encodings they write it in.

UTF-8 with or without byte order mark, UTF-16, GB18030 (what Excel writes in China) and Big5;
separated by comma, semicolon, tab, vertical bar or the Chinese comma (RFC 4180 for the quoting).
"""

import codecs
import csv
import io
import re
from collections import Counter

from epilock.collect.design.field import MAX_TEXT
from epilock.collect.design.workbook import COLUMNS, ROWS, Rows
from epilock.errors import FileFormatError, TooLargeError
from epilock.standard.label import is_known

SAMPLE = 2**20  # bytes that are looked at; the header is far before their end
SEPARATORS = (",", ";", "\t", "|", "，", "；")
LOOK = 30  # rows that decide on the separator
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x1f\ufffe]")
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def read_table(content: bytes, name: str) -> Rows:
    """Return the first rows of a CSV file; its separator is found by trying.

    Raises:
        FileFormatError: It is no text, or in no encoding we know.
        TooLargeError: It has more than ``COLUMNS`` columns.
    """
    return first_rows(decode(content, name), name)[1]


def first_rows(text: str, name: str) -> tuple[str, Rows]:
    """Return the separator of a CSV file's ``text`` and the first rows; raises as ``read_table``."""
    best: Rows = []
    merit = (0, 0)
    chosen = SEPARATORS[0]
    for separator in SEPARATORS:
        rows = _rows(text, separator, name)
        widths = Counter(len(r) for r in rows[:LOOK] if len(r) > 1)
        width, count = max(widths.items(), key=lambda w: (w[1], w[0]), default=(1, 0))
        if (count, width) > merit or not best:
            best, merit, chosen = rows, (count, width), separator
    if len(text) * 4 < SAMPLE:  # not cut off in the middle of a cell
        _check_quotes(text, name)
    if max(map(len, best), default=0) > COLUMNS:
        raise TooLargeError(f"{name}: more than {COLUMNS} columns")
    return chosen, best


def _check_quotes(text: str, name: str) -> None:
    """Raise if a quoted cell never ends: it would swallow the columns after it."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for _ in reader:
            pass
    except csv.Error as e:
        if "end of data" in str(e):
            raise FileFormatError(
                f"{name}: a quotation mark opens a cell that does not end"
            ) from None


def decode(content: bytes, name: str) -> str:
    """Return the text of the first ``SAMPLE`` bytes.

    Raises:
        FileFormatError: No encoding fits, or it holds control characters as no text does.
    """
    return decoded(content, name)[1]


def decoded(content: bytes, name: str) -> tuple[str, str]:
    """Return the encoding of the first ``SAMPLE`` bytes and their text; raises as ``decode``.

    The encoding is that of what follows a byte order mark, where there is one (``MARKS``).
    """
    sample = content[:SAMPLE]
    encoding, text = "", None
    for mark, named in MARKS:
        if sample.startswith(mark):
            encoding, text = named, _decode(sample[len(mark) :], named)
            break
    else:
        encoding, text = _unmarked(sample)
    if text is None:
        raise FileFormatError(
            f"{name}: neither UTF-8, UTF-16 nor GB18030 text; save it as CSV UTF-8"
        )
    if _NO_TEXT.search(text):
        raise FileFormatError(f"{name}: not a text file; save it as CSV UTF-8")
    return encoding, text


def _unmarked(sample: bytes) -> tuple[str, str | None]:
    """Return encoding and text of bytes without a byte order mark."""
    if b"\0" in sample:  # Latin letters and separators of UTF-16 have one zero byte of two
        little = sample[1::2].count(0) >= sample[::2].count(0)
        encoding = "utf-16-le" if little else "utf-16-be"
        return encoding, _decode(sample, encoding)
    if (text := _decode(sample, "utf-8")) is not None:
        return "utf-8", text
    readings = [(e, t) for e in ("gb18030", "big5hkscs") if (t := _decode(sample, e)) is not None]
    return max(readings, key=lambda r: _sense(r[1]), default=("", None))


def _decode(sample: bytes, encoding: str) -> str | None:
    """Return ``sample`` as text; a character cut off at its end is left out."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample, len(sample) < SAMPLE)
    except UnicodeDecodeError:
        return None


def _sense(text: str) -> int:
    """Return how many cells of the first lines make sense as headers: the wrong reading makes none."""
    lines = [line[:2_000] for line in text.splitlines()[:5]]
    cells = [c for line in lines for c in line.replace("\t", ",").replace(";", ",").split(",")]
    return sum(is_known(c) for c in cells[:200])


def _rows(text: str, separator: str, name: str) -> Rows:
    rows: Rows = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for row in reader:
            rows.append([c.strip()[: MAX_TEXT + 1] for c in row])
            if len(rows) == ROWS:
                break
    except csv.Error as e:
        raise FileFormatError(f"{name}: line {reader.line_num} is no CSV: {e}") from None
    return rows
