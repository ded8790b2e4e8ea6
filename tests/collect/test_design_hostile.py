"""Files that are broken, locked or meant to hurt: one clear error each, fast and in bounded memory."""

import io
import json
import random
import time
import tracemalloc
import zipfile

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from epilock.collect.design import MAX_BYTES, Design, read_design
from epilock.collect.design.workbook import read_workbook
from epilock.errors import FileFormatError, InputError, TooLargeError
from epilock.sheets.archive import Archive

BOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="s" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
LINKS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/s.xml"/>'
    "</Relationships>"
)
SHEET = '<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>姓名</t></is></c></row></sheetData></worksheet>'


def package(sheet=SHEET, book=BOOK, links=LINKS, **more):
    """Return a workbook made by hand."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("xl/workbook.xml", book)
        z.writestr("xl/_rels/workbook.xml.rels", links)
        z.writestr("xl/worksheets/s.xml", sheet)
        for name, content in more.items():
            z.writestr(name, content)
    return out.getvalue()


def valid():
    """Return a workbook as Excel makes it."""
    book = openpyxl.Workbook()
    book.active.append(["姓名", "体温"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


VALID = valid()
SHEET_AT = VALID.index(b"xl/worksheets/sheet1.xml") + 60  # within its packed content


class TestNotAForm:
    """Each kind of wrong file is named, with what to do."""

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"", "empty"),
            (b"\xef\xbb\xbf\r\n \r\n", "empty"),
            (b"\0" * 5_000, "empty"),
            (b",,,\n,,,\n", "asks nothing"),
            (b"%PDF-1.7", "PDF"),
            (b"\x89PNG\r\n\x1a\n", "is no form"),
            (b"\0\0\0\x18ftypheic\0\0", "is no form"),
            (b"RIFF\x10\x20\0\0WEBPVP8 \xff\xfe", "is no form"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "before 2007"),
            (
                b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
                + b"\0" * 600
                + "EncryptedPackage".encode("utf-16-le"),
                "encrypted",
            ),
            (b"<html><table><tr><td>name</td></tr></table></html>", "HTML"),
            (b'<?xml version="1.0"?><Questionnaire/>', "XML"),
            (b"PK\x03\x04", "corrupt"),
            (VALID[:-100], "corrupt"),
            (VALID[:SHEET_AT] + b"\0" * 60 + VALID[SHEET_AT + 60 :], "corrupt"),
        ],
    )
    def test_named(self, content, says):
        with pytest.raises(FileFormatError, match=says):
            read_design(content, "form")

    def test_only_named_so(self):
        """What is called a workbook and is none is not read as a line of text."""
        with pytest.raises(FileFormatError, match="corrupt"):
            read_design(b"hello", "form.XLSX")

    def test_other_archive(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            z.writestr("word/document.xml", "<x/>")
        with pytest.raises(FileFormatError, match="a Word document; copy its questions"):
            read_design(out.getvalue(), "f.docx")

    def test_missing_file(self, tmp_path):
        """The message has the name, not the path of the machine."""
        with pytest.raises(FileFormatError, match=r"^none\.csv: cannot be read") as caught:
            read_design(tmp_path / "none.csv")
        assert str(tmp_path) not in str(caught.value)

    def test_a_folder(self, tmp_path):
        with pytest.raises(FileFormatError, match="cannot be read"):
            read_design(tmp_path)

    def test_made_by_hand(self):
        """The made-up package is read, so that its broken cousins fail for their own reason."""
        assert [f.field for f in read_design(package(), "f.xlsx").fields] == ["姓名"]


class TestTooLarge:
    """What is too large is refused before it is unpacked."""

    def test_file(self, tmp_path):
        path = tmp_path / "huge.csv"
        with path.open("wb") as f:
            f.truncate(MAX_BYTES * 50)
        with pytest.raises(TooLargeError, match="20 MB"):
            read_design(path)

    def test_many_long_labels(self):
        """What would take a minute to judge is refused before anybody begins; groups count for each question."""
        words = "姓名电话" * 450
        asked = [{"linkId": str(n), "type": "string", "text": "甲"} for n in range(300)]
        for item in (
            [one | {"text": words} for one in asked],
            [{"linkId": "g", "type": "group", "text": words, "item": asked}],
        ):
            form = json.dumps({"resourceType": "Questionnaire", "item": item}).encode()
            with pytest.raises(
                TooLargeError, match=r"f\.json: its labels and groups exceed 400,000"
            ):
                read_design(form, "f.json")

    def test_unpacked(self):
        with pytest.raises(TooLargeError, match="MB"):
            read_design(
                package(**{f"xl/media/{n}": b"\0" * (30 * 2**20) for n in range(7)}), "f.xlsx"
            )

    def test_ratio(self):
        with pytest.raises(TooLargeError, match="bomb"):
            read_design(package(sheet=" " * (8 * 2**20) + SHEET), "f.xlsx")

    def test_many_parts(self):
        with pytest.raises(TooLargeError, match="parts"):
            read_design(package(**{f"xl/{n}": b"" for n in range(5_100)}), "f.xlsx")

    def test_declared_size_is_a_lie(self):
        """An entry that says it is small is read no further than it says."""
        content = package(sheet=SHEET + " " * 100_000)
        size = (len(SHEET.encode()) + 100_000).to_bytes(4, "little")
        with pytest.raises(InputError):
            read_design(content.replace(size, (10).to_bytes(4, "little")), "f.xlsx")

    def test_token(self):
        """One XML tag of megabytes is not held in memory."""
        noise = random.Random(1).randbytes(2**20).hex()  # noqa: S311 - noise that does not pack
        with pytest.raises(TooLargeError, match="tag"):
            read_design(package(sheet=f'<worksheet a="{noise}"/>'), "f.xlsx")

    def test_far_cell(self):
        sheet = SHEET.replace("A1", "XFD1")
        with pytest.raises(TooLargeError, match="columns"):
            read_design(package(sheet=sheet), "f.xlsx")

    def test_many_sheets(self):
        many = "".join(f'<sheet name="{n}" sheetId="{n}" r:id="rId1"/>' for n in range(60))
        with pytest.raises(TooLargeError, match="sheets"):
            read_design(package(book=BOOK.replace("</sheets>", many + "</sheets>")), "f.xlsx")

    def test_many_elements(self):
        """Rows without end are not followed to it."""
        sheet = SHEET.replace("</sheetData>", "<row/>" * 20_000 + "</sheetData>")
        content = package(sheet=sheet, book=BOOK.replace('name="s"', 'name="survey"'))
        with pytest.raises(TooLargeError, match="elements"):
            read_workbook(Archive(content, "f.xlsx", elements=10_000))

    def test_memory(self):
        """Twenty megabytes of CSV take a few, not hundreds."""
        content = b"name,phone\n" + b"x,y\n" * (5 * 2**20 - 10)
        tracemalloc.start()
        try:
            read_design(content, "f.csv")
            assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
        finally:
            tracemalloc.stop()


class TestXml:
    """No entity is expanded, none is fetched."""

    @pytest.mark.parametrize(
        "doctype",
        [
            '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;">]>',
            '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
            '<!DOCTYPE a [<!ENTITY x SYSTEM "http://example.invalid/">]>',
        ],
    )
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
    def test_doctype(self, doctype, encoding):
        sheet = (f'<?xml version="1.0" encoding="{encoding}"?>' + doctype + SHEET).encode(encoding)
        with pytest.raises(FileFormatError, match="document type"):
            read_design(package(sheet=sheet), "f.xlsx")

    def test_broken(self):
        with pytest.raises(FileFormatError, match="broken XML at line 1"):
            read_design(package(sheet=SHEET[:60]), "f.xlsx")

    def test_missing_part(self):
        with pytest.raises(FileFormatError, match="asks nothing"):
            read_design(package(links=LINKS.replace("s.xml", "t.xml")), "f.xlsx")


def _outcome(content, name):
    """Return "design" or "error"; anything else is raised."""
    try:
        design = read_design(content, name)
    except InputError as e:
        return "error" if str(e).startswith(name) else f"error without the name: {e}"
    assert isinstance(design, Design)
    assert design.fields
    return "design"


BOUNDED = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


class TestAnyBytes:
    """Random bytes and mutated forms give a design or an input error, nothing else."""

    @BOUNDED
    @given(st.binary(max_size=400), st.sampled_from(["f.csv", "f.json", "f.toml", "f.xlsx", "f"]))
    @example(b'"', "f.csv")
    @example(b"a\0b", "f.csv")
    def test_random(self, content, name):
        assert _outcome(content, name) in {"design", "error"}

    @BOUNDED
    @given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=12))
    def test_mutated_package(self, changes):
        content = bytearray(VALID)
        for at, byte in changes:
            content[at] = byte
        assert _outcome(bytes(content), "f.xlsx") in {"design", "error"}

    @BOUNDED
    @given(
        st.integers(0, len(SHEET)),
        st.text(max_size=20),
        st.sampled_from(["sheet", "book", "links"]),
    )
    def test_mutated_parts(self, at, text, part):
        whole = {"sheet": SHEET, "book": BOOK, "links": LINKS}[part]
        content = package(
            **{part: (whole[:at] + text + whole[at + 3 :]).encode("utf-8", "replace")}
        )
        assert _outcome(content, "f.xlsx") in {"design", "error"}

    @BOUNDED
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=8),
            lambda x: (
                st.lists(x, max_size=4)
                | st.dictionaries(
                    st.sampled_from(
                        ["item", "text", "type", "linkId", "code", "_text", "extension"]
                    ),
                    x,
                    max_size=5,
                )
            ),
            max_leaves=12,
        )
    )
    def test_any_questionnaire(self, items):
        content = json.dumps({"resourceType": "Questionnaire", "item": items}).encode()
        assert _outcome(content, "f.json") in {"design", "error"}

    @BOUNDED
    @given(
        st.lists(
            st.lists(
                st.sampled_from(
                    [
                        "type",
                        "name",
                        "label",
                        "text",
                        "begin group",
                        "end group",
                        "note",
                        "姓名",
                        "",
                        "1",
                    ]
                ),
                max_size=4,
            ),
            min_size=1,
            max_size=8,
        )
    )
    def test_any_survey(self, rows):
        book = openpyxl.Workbook()
        book.active.title = "survey"
        for row in rows:
            book.active.append(row)
        out = io.BytesIO()
        book.save(out)
        assert _outcome(out.getvalue(), "f.xlsx") in {"design", "error"}

    @BOUNDED
    @given(
        st.lists(st.lists(st.text(max_size=12), max_size=5), max_size=8),
        st.sampled_from(["utf-8", "gb18030", "utf-16"]),
    )
    def test_any_table(self, rows, encoding):
        text = "\n".join(",".join(row) for row in rows)
        assert _outcome(text.encode(encoding, "replace"), "f.csv") in {"design", "error"}

    @BOUNDED
    @given(st.text(max_size=120))
    def test_any_point(self, text):
        assert _outcome(("[point]\n" + text).encode("utf-8", "replace"), "f.toml") in {
            "design",
            "error",
        }

    def test_fast(self):
        """The worst that fits in the limits is read, or refused, within seconds."""
        start = time.perf_counter()
        _outcome(("姓名" * 400 + ",").encode() * 400, "f.csv")
        _outcome(b"[point]\na = " + b"[" * 900_000, "f.toml")
        assert time.perf_counter() - start < 5
