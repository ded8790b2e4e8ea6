"""What the readers of lists promise: the same rows from every format, one clear error for a bad file."""

import io
import zipfile
from datetime import date, datetime
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from works import table

from epilock.collect.intake.read import fingerprint, open_table
from epilock.collect.intake.table import Source
from epilock.errors import FileFormatError, TooLargeError

HEADERS = ["姓名", "手机号", "体温", "出生日期"]
ROWS = [
    ["测甲", "13800000001", "36.6", "1980-02-29"],
    ["测乙", "13800000002", "37", "1999-12-31"],
    ["", "13800000003", "", ""],
]


def source(tmp_path, content, name="list"):
    path = tmp_path / name
    path.write_bytes(content)
    return Source(path=str(path), name=name)


def read(tmp_path, content, *, after=0, wanted=None, name="list", sheet=""):
    found = source(tmp_path, content, name)
    opened = open_table(Source(path=found.path, name=name, sheet=sheet))
    places = list(opened.columns) if wanted is None else wanted
    return list(opened.rows(places, after))


def workbook(rows, headers=HEADERS, *, above=(), sheets=1):
    book = openpyxl.Workbook()
    for n in range(sheets):
        page = book.active if not n else book.create_sheet()
        page.title = f"page{n}"
        for row in (*above, headers, *rows):
            page.append([None if cell == "" else cell for cell in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parquet(columns, **how):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **how)
    return out.getvalue()


def columns(rows=ROWS):
    return {h: [r[i] or None for r in rows] for i, h in enumerate(HEADERS)}


class TestFormats:
    @pytest.mark.parametrize(
        "content",
        [
            table(ROWS, HEADERS, encoding)
            for encoding in ("utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be")
        ]
        + [table(ROWS, HEADERS).replace(b",", s) for s in (b";", b"\t", b"|")]
        + [table(ROWS, HEADERS).replace(b"\r\n", b"\n"), workbook(ROWS)],
    )
    def test_the_same_rows(self, tmp_path, content):
        assert read(tmp_path, content) == [(n, row) for n, row in enumerate(ROWS, 2)]

    def test_parquet_counts_from_one(self, tmp_path):
        assert read(tmp_path, parquet(columns())) == [(n, row) for n, row in enumerate(ROWS, 1)]

    def test_quotes_separators_and_lines_inside_a_cell(self, tmp_path):
        row = ['测"甲"', "a,b", "one\ntwo", " padded "]
        assert read(tmp_path, table([row], HEADERS)) == [(2, row)]

    def test_what_excel_holds_as_numbers_and_dates(self, tmp_path):
        rows = [
            ["测甲", 13800000001, 36.6, date(1980, 2, 29)],
            ["测乙", 1.38e10, 37.0, date(1999, 12, 31)],
        ]
        assert read(tmp_path, workbook(rows)) == [
            (2, ["测甲", "13800000001", "36.6", "1980-02-29"]),
            (3, ["测乙", "13800000000", "37", "1999-12-31"]),
        ]

    def test_what_parquet_holds_as_numbers_and_dates(self, tmp_path):
        content = parquet(
            {
                "手机号": [13800000001, None], "体温": [36.6, float("nan")],
                "出生日期": [date(1980, 2, 29), None], "时间": [datetime.fromisoformat("2026-03-14T09:30"), None],
                "是否": [True, False], "金额": [Decimal("1.50"), None],
                "职业": pa.array(["焊工", "钳工"]).dictionary_encode(), "照片": [b"x", None],
                "列表": [["a"], None],
            }
        )  # fmt: skip
        assert read(tmp_path, content) == [
            (1, ["13800000001", "36.6", "1980-02-29", "2026-03-14 09:30:00", "yes", "1.5", "焊工"]),
            (2, ["", "", "", "", "no", "", "钳工"]),
        ]

    def test_titles_above_the_header(self, tmp_path):
        above = [["某单位名单"], []]
        assert read(tmp_path, workbook(ROWS, above=above))[0] == (4, ROWS[0])

    def test_a_sheet_is_named_where_there_are_several(self, tmp_path):
        content = workbook(ROWS, sheets=2)
        with pytest.raises(FileFormatError, match="say which one"):
            read(tmp_path, content)
        assert len(read(tmp_path, content, sheet="page1")) == 3
        with pytest.raises(FileFormatError, match="no sheet of that name"):
            read(tmp_path, content, sheet="page9")

    @pytest.mark.parametrize(
        "content", [table(ROWS, HEADERS), workbook(ROWS), parquet(columns(), row_group_size=1)]
    )
    def test_going_on_behind_a_row(self, tmp_path, content):
        everything = read(tmp_path, content)
        for number, _ in everything:
            assert read(tmp_path, content, after=number) == [r for r in everything if r[0] > number]

    @pytest.mark.parametrize("content", [table(ROWS, HEADERS), workbook(ROWS), parquet(columns())])
    def test_only_wanted_columns_are_handed_out(self, tmp_path, content):
        assert [cells for _, cells in read(tmp_path, content, wanted=[2, 0])] == [
            ["36.6", "测甲"], ["37", "测乙"],
        ]  # fmt: skip

    def test_ascii_for_a_megabyte_and_then_chinese(self, tmp_path):
        """The encoding is told from the whole file."""
        rows = [["Li", "13800000001", "36.6", "1980-01-01"]] * 40_000
        content = table(
            [*rows, ROWS[0]], ["name", "mobile", "temperature", "birth date"], "gb18030"
        )
        assert read(tmp_path, content)[-1] == (40_002, ROWS[0])


class TestBadFiles:
    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "empty"), (b"\xef\xbb\xbf\r\n", "empty"), (b"%PDF-1.7", "PDF"),
            (b"PK\x03\x04 broken", "corrupt"), (workbook(ROWS)[:-200], "corrupt"),
            (b"PAR1 broken PAR1", "corrupt Parquet"), (parquet(columns())[:-9], "corrupt Parquet"),
            (b"PARE" + bytes(20), "encrypted"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
             "encrypted with a password"),
            (b"<html><table>", "HTML"), (b"\x89PNG\r\n", "is no list"),
            (bytes(range(256)) * 8, "CSV"), ("测甲,13800000001\n测乙,13800000002\n".encode(), "no header"),
            (table(ROWS * 20_000, HEADERS) + b"\xff\xfe\xff", "the rest is not"),
        ],
    )  # fmt: skip
    def test_one_clear_error(self, tmp_path, content, words):
        with pytest.raises(FileFormatError, match=words) as error:
            read(tmp_path, content)
        assert "1380000" not in str(error.value)

    def test_a_zip_bomb(self, tmp_path):
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(workbook(ROWS))) as old, zipfile.ZipFile(out, "w") as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
            new.writestr("xl/media/a.bin", bytes(2**24), zipfile.ZIP_DEFLATED)
        with pytest.raises(TooLargeError, match="bomb"):
            read(tmp_path, out.getvalue())

    def test_a_quotation_mark_that_does_not_end(self, tmp_path):
        content = table(ROWS[:1] * 300, HEADERS) + b'"' + b"x" * 200_000
        with pytest.raises(FileFormatError, match="the row after 301 is no CSV"):
            read(tmp_path, content)

    def test_parquet_whose_columns_share_a_name(self, tmp_path):
        out = io.BytesIO()
        pq.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, names=["姓名", "姓名"]), out)
        with pytest.raises(FileFormatError, match="names of their own"):
            read(tmp_path, out.getvalue())

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(FileFormatError, match="cannot be read"):
            open_table(Source(path=str(tmp_path / "none"), name="none"))


CELL = st.text(
    st.characters(codec="gb18030", exclude_categories=["Cs", "Cc", "Co", "Cn"], exclude_characters="\ufeff"),
    max_size=12,
).map(str.strip)  # fmt: skip


class TestAnyTable:
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        rows=st.lists(st.tuples(*[CELL] * 4), max_size=8),
        kind=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "xlsx", "parquet"]),
        after=st.integers(0, 9),
    )
    def test_what_was_written_is_read(self, tmp_path, rows, kind, after):
        """In any format every cell comes back as it was written, and blank rows are passed over."""
        rows = [["测", "13800000001", "36.6", "1980-01-01"], *map(list, rows)]
        first = 1 if kind == "parquet" else 2
        if kind == "xlsx":
            rows = [[f"'{c}" if c[:1] == "=" else c for c in row] for row in rows]
            content = workbook(rows)
        elif kind == "parquet":
            content = parquet(columns(rows))
        else:
            content = table(rows, HEADERS, kind)
        wanted = [(n, row) for n, row in enumerate(rows, first) if any(row) and n > after]
        assert read(tmp_path, content, after=after) == wanted

    @settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        content=st.binary(max_size=300),
        start=st.sampled_from([b"", b"PK\x03\x04", b"PAR1", b"a,b\n"]),
    )
    def test_rubbish_is_named_and_never_anything_else(self, tmp_path, content, start):
        try:
            read(tmp_path, start + content)
        except (FileFormatError, TooLargeError):
            return


class TestFingerprint:
    def test_it_is_keyed_and_of_the_bytes_alone(self, tmp_path):
        one, copy = source(tmp_path, b"a,b"), source(tmp_path, b"a,b", "copy")
        other = source(tmp_path, b"a,c", "other")
        key = bytes(32)
        assert fingerprint(one, key) == fingerprint(copy, key) != fingerprint(other, key)
        assert fingerprint(one, key) != fingerprint(one, bytes([1] * 32))
