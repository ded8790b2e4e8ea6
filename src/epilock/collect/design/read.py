"""Which kind of form a file is, told from its first bytes; the reader of that kind does the rest."""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import NoReturn

from epilock.collect.design.declared import read_point
from epilock.collect.design.fhir import read_fhir
from epilock.collect.design.field import Design, DesignField, make
from epilock.collect.design.header import read_header
from epilock.collect.design.table import decode, read_table
from epilock.collect.design.workbook import Rows, Sheet, read_workbook
from epilock.collect.design.xlsform import is_survey, read_survey, read_xlsform
from epilock.errors import FileFormatError, TooLargeError
from epilock.sheets.archive import Archive

MAX_BYTES = 20 * 2**20

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
FOREIGN = (
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"\x1f\x8b", "gzip"),
    (b"Rar!", "RAR"),
    (b"7z\xbc\xaf", "7z"),
    (b"SQLite format 3\0", "SQLite"),
    (b"PAR1", "Parquet"),
)
UPLOADED = "the file"  # in messages: its name may name a person
# As telephones make it.
_PHOTOGRAPH = re.compile(rb".{4}ftyp(?:hei|mif|avi)|RIFF.{4}WEBP", re.DOTALL)
_TOML = re.compile(r"^\s*(?:#.*\n\s*)*\[\[?(?:point|field)\b", re.MULTILINE)
_MARKUP = re.compile(r"\s*<(?:\?xml|!doctype|html|table|[a-z]+[ >:/])", re.IGNORECASE)


def read_design(source: Path | str | bytes, name: str = "", ending: str = "") -> Design:
    """Return what the form in a file asks.

    Args:
        source: The file's path, or its bytes.
        name: What to call it in messages; the path's last part, or "the file", by default.
        ending: Tells its kind in doubt, such as ``.csv``; that of ``name`` by default.

    Raises:
        FileFormatError: It cannot be read as a form: empty, corrupt, encrypted, of another kind.
        TooLargeError: It is larger than 20 MB, or unpacks to more than the limits of its kind.
    """
    content, name = _content(source, name)
    ending = (ending or PurePath(name).suffix).lower()
    start = content[:8]
    if not content.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        raise FileFormatError(f"{name}: empty")
    if start == OLE:
        refuse_old(name, encrypted=ENCRYPTED in content)
    kind = next((kind for mark, kind in FOREIGN if content.startswith(mark)), "")
    if kind or _PHOTOGRAPH.match(content):
        raise FileFormatError(
            f"{name}: {kind or 'HEIC'} is no form; give the form itself as XLSX, CSV, XLSForm, FHIR JSON or TOML"
        )
    if start.startswith(b"PK"):
        return _from_workbook(read_workbook(Archive(content, name)), name)
    if ending in {".xlsx", ".xlsm"}:
        raise FileFormatError(f"{name}: corrupt, or no XLSX workbook; save the file again")
    return _from_text(content, name, ending)


def refuse_old(name: str, *, encrypted: bool) -> NoReturn:
    """Raise for a file of Office's older container, in which encrypted ones come too."""
    if encrypted:
        raise FileFormatError(f"{name}: encrypted with a password; save it without one")
    raise FileFormatError(f"{name}: an Office file of before 2007 (.xls); save it as .xlsx or CSV")


def _content(source: Path | str | bytes, name: str) -> tuple[bytes, str]:
    """Return the bytes of ``source``, of which no more are read than are allowed."""
    if isinstance(source, bytes):
        content, name = source, name or UPLOADED
    else:
        path = Path(source)
        name = name or path.name
        try:
            with path.open("rb") as stream:
                content = stream.read(MAX_BYTES + 1)
        except OSError as e:
            raise FileFormatError(f"{name}: cannot be read: {e.strerror}") from None
    if len(content) > MAX_BYTES:
        raise TooLargeError(
            f"{name}: larger than {MAX_BYTES // 2**20} MB; a form is its header, not its data"
        )
    return content, name


def _from_text(content: bytes, name: str, ending: str) -> Design:
    """Return the design of a text file: JSON, TOML or CSV."""
    bare = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if ending == ".json" or bare.startswith(b"{"):
        return read_fhir(content.removeprefix(b"\xef\xbb\xbf"), name)
    if ending == ".toml":
        return read_point(content, name)
    text = decode(content, name)
    if ending not in {".csv", ".tsv"} and _TOML.match(text):
        return read_point(content, name)
    if _MARKUP.match(text):
        raise FileFormatError(
            f"{name}: HTML or XML; save the sheet as .xlsx or CSV, a questionnaire as JSON"
        )
    rows = read_table(content, name)
    if is_survey(rows) and _has_types(rows):
        return make("xlsform", "", read_survey(rows, name), name)
    fields, title = read_header(rows, name)
    return make("csv", title, fields, name)


def _has_types(rows: Rows) -> bool:
    """Return whether the rows under a header with ``type`` hold types of questions."""
    filled = [r for r in rows if any(r)]
    column = [c.strip().lower() for c in filled[0]].index("type")
    kinds = {r[column].lower().split(" ")[0].split("_")[0] for r in filled[1:] if column < len(r)}
    return bool(
        kinds
        & {"text", "integer", "select", "begin", "note", "date", "image", "geopoint", "decimal"}
    )


def _from_workbook(sheets: Sequence[Sheet], name: str) -> Design:
    """Return the design of a workbook: an XLSForm, or the headers of all its sheets."""
    if any(s.name.strip().lower() == "survey" and is_survey(s.rows) for s in sheets):
        return read_xlsform(sheets, name)
    fields: list[DesignField] = []
    titles: list[str] = []
    failed: FileFormatError | None = None
    for sheet in sheets:
        filled = [r for r in sheet.rows if any(r)]
        if len(sheets) > 1 and all(sum(bool(c) for c in r) == 1 for r in filled):
            continue  # a page of instructions, or a list of choices
        try:
            found, title = read_header(sheet.rows, name, sheet.name)
        except FileFormatError as e:
            failed = failed or e
            continue
        fields += found
        titles += [title] if title else []
    if failed is not None:
        raise failed
    return make("xlsx", titles[0] if titles else "", fields, name)
