"""Sheets: whatever a registration sheet looks like, its columns are read, and nobody's data is."""

import codecs
import io
from datetime import date

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epilock.collect.design import read_design
from epilock.collect.design.workbook import read_workbook
from epilock.errors import FileFormatError, TooLargeError
from epilock.sheets.archive import Archive

HEADER = ["姓名", "联系电话", "住址（楼栋-单元-室）", "体温（℃）"]


def csv(rows, separator=","):
    """Return the text of a CSV file."""
    return "\r\n".join(separator.join(r) for r in rows) + "\r\n"


def xlsx(sheets):
    """Return the bytes of a workbook of {name: rows}."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def columns(design):
    return [f.field for f in design.fields]


class TestEncodings:
    """The same header in every encoding that spreadsheets write."""

    @pytest.mark.parametrize(
        "content",
        [
            csv([HEADER]).encode(),
            codecs.BOM_UTF8 + csv([HEADER]).encode(),
            csv([HEADER]).encode("gb18030"),
            csv([HEADER]).encode("utf-16"),
            codecs.BOM_UTF16_BE + csv([HEADER]).encode("utf-16-be"),
            csv([HEADER]).encode("utf-16-le"),
            csv([HEADER], ";").encode(),
            csv([HEADER], "\t").encode("utf-16"),
            csv([HEADER], "|").encode(),
            csv([HEADER], "，").encode("gb18030"),
        ],
    )
    def test_header(self, content):
        design = read_design(content, "form.csv")
        assert columns(design) == HEADER
        assert (design.kind, design.language) == ("csv", "zh")

    def test_big5(self):
        """A sheet from Taiwan or Hong Kong is not read as the wrong characters."""
        design = read_design("姓名,聯絡電話,體溫\r\n".encode("big5"), "form.csv")
        assert columns(design) == ["姓名", "聯絡電話", "體溫"]

    def test_open_quotation(self):
        """A quotation mark that never closes would hide the columns after it."""
        with pytest.raises(FileFormatError, match="quotation mark"):
            read_design('"姓名,身份证号\n'.encode())

    def test_cut_off_character(self):
        """The sample ends within a character, the file does not."""
        content = csv([HEADER, *[["王", "x", "街", "热"]] * 120_000]).encode()
        assert columns(read_design(content, "form.csv")) == HEADER

    @pytest.mark.parametrize(
        "content", [b"Pr\xe9nom,Nom\xff\r\n", b"\xff\xfe\x00\xd8,", b"name,\x01\x02\x03"]
    )
    def test_no_text(self, content):
        with pytest.raises(FileFormatError, match="text"):
            read_design(content, "form.csv")


class TestWhichRow:
    """The header is found under titles and above data."""

    def test_under_a_title(self):
        """A merged title and a line about the compiler come first."""
        rows = [
            ["阳光花园物资配送登记表（第3周）", "", "", ""],
            ["制表：社区服务站", "", "日期：2020-02-20", ""],
            HEADER,
        ]
        design = read_design(csv([*rows, ["甲某", "", "", ""]]).encode(), "form.csv")
        assert columns(design) == HEADER
        assert design.title == "阳光花园物资配送登记表（第3周）"

    def test_no_header(self):
        """A first line of data is refused, not repeated."""
        with pytest.raises(FileFormatError, match="no header row") as caught:
            read_design("邓艳,13001311896,男\n张三,13001311897,女\n".encode(), "form.csv")
        assert "邓艳" not in str(caught.value)

    def test_numbers_only(self):
        with pytest.raises(FileFormatError, match="no header row"):
            read_design(b"1,2,3\n4,5,6\n", "form.csv")

    def test_unknown_headers(self):
        """A header of which nothing is understood is a header all the same."""
        design = read_design("甲乙丙,丁戊己\nxx,yy\n".encode(), "form.csv")
        assert columns(design) == ["甲乙丙", "丁戊己"]

    def test_one_column(self):
        assert columns(read_design("手机号\n13001311896\n".encode(), "form.csv")) == ["手机号"]

    @pytest.mark.parametrize("heading", [[], ["问题"], ["某某小区登记表"]])
    def test_one_question_a_row(self, heading):
        """A form that is written down as a list is judged whole: what is not read is not allowed."""
        asked = ["手机号", "身份证号", "宗教信仰"]
        design = read_design(csv([[cell] for cell in (*heading, *asked)]).encode(), "form.csv")
        assert [f.label for f in design.fields] == asked

    def test_one_column_of_answers(self):
        rows = [["手机号"], ["13912345678"], ["姓名"]]
        assert columns(read_design(csv(rows).encode(), "list.csv")) == ["手机号"]

    def test_groups_over_columns(self):
        """Two header rows: the upper one names a group of the lower."""
        rows = [["姓名", "体温（℃）", "", "监护人", ""], ["", "上午", "下午", "姓名", "电话"]]
        fields = read_design(csv(rows).encode(), "form.csv").fields
        assert [(f.field, f.context) for f in fields] == [
            ("姓名", ""), ("上午", "体温（℃）"), ("下午", "体温（℃）"), ("姓名", "监护人"), ("电话", "监护人"),
        ]  # fmt: skip

    def test_groups_above(self):
        """The same where every column of the lower row is named."""
        rows = [
            ["本人信息", "", "紧急联系人", ""],
            ["姓名", "性别", "姓名", "电话"],
            ["甲某", "男", "乙某", "13001311896"],
        ]
        fields = read_design(csv(rows).encode(), "form.csv").fields
        assert [f.context for f in fields] == ["本人信息", "本人信息", "紧急联系人", "紧急联系人"]

    def test_columns_named_above_only(self):
        """A column whose name is merged down from the row of groups is asked like the others."""
        rows = [
            ["登记表", "", "", "", "", ""],
            ["序号", "基本信息", "", "监护人", "", "备注"],
            ["", "姓名", "身份证号", "姓名", "电话", ""],
        ]
        found = read_design(csv(rows).encode()).fields
        assert [f.label for f in found] == ["序号", "姓名", "身份证号", "姓名", "电话", "备注"]
        assert [f.context for f in found] == ["", "基本信息", "基本信息", "监护人", "监护人", ""]

    def test_three_rows(self):
        rows = [
            ["班级", "学生", "", "健康情况", "", ""],
            ["", "姓名", "学号", "体温", "", "症状"],
            ["", "", "", "上午", "下午", ""],
            ["三班", "某某", "7", "36.5", "36.6", "无"],
        ]
        found = read_design(csv(rows).encode()).fields
        assert [f.label for f in found] == ["班级", "姓名", "学号", "上午", "下午", "症状"]
        assert found[3].context == "健康情况 > 体温"

    def test_text_below_is_data(self):
        """A row of words under names is somebody's, also where one column has no name."""
        rows = [["班级", "", "姓名"], ["三班", "走读", "某某"], ["四班", "住校", "某某"]]
        found = read_design(csv(rows).encode()).fields
        assert [f.label for f in found] == ["班级", "", "姓名"]

    def test_days(self):
        """Columns of days are about what the title says."""
        rows = [["每日体温登记表", "", ""], ["姓名", "2月3日", "2月4日"], ["甲某", "36.5", "36.6"]]
        fields = read_design(csv(rows).encode(), "form.csv").fields
        assert [(f.field, f.context) for f in fields][1:] == [
            ("2月3日", "每日体温登记表"),
            ("2月4日", "每日体温登记表"),
        ]

    def test_column_without_a_name(self):
        """Data under an empty header is a field that nobody named; an empty column is none."""
        fields = read_design("姓名,,电话,\n甲某,13001311896,1,\n".encode(), "form.csv").fields
        assert [(f.field, f.label) for f in fields] == [
            ("姓名", "姓名"),
            ("(column 2)", ""),
            ("电话", "电话"),
        ]

    def test_drawn_with_cells(self):
        """A form for one person, drawn with cells, is read label by label."""
        rows = [
            ["健康申报表"],
            ["姓名", "", "性别", ""],
            ["身份证号", "", "", ""],
            ["联系电话", "", "职业", ""],
            ["是否发热", "", "", ""],
        ]
        assert columns(read_design(csv(rows).encode(), "form.csv")) == [
            "姓名", "性别", "身份证号", "联系电话", "职业", "是否发热",
        ]  # fmt: skip

    def test_symptoms_below_are_data(self):
        """Data that reads like a header does not become one."""
        rows = [
            ["姓名", "症状", "地区"],
            ["甲某", "发热", "社区"],
            ["乙某", "咳嗽", "街道"],
            ["丙某", "乏力", "村"],
        ]
        assert columns(read_design(csv(rows).encode(), "form.csv")) == ["姓名", "症状", "地区"]


class TestWorkbooks:
    """XLSX, as Excel, WPS and LibreOffice write it."""

    def test_several_sheets(self):
        """Every sheet with a header counts, hidden or not; a page of instructions does not."""
        content = xlsx(
            {
                "说明": [["请如实填写"], ["每人一行"]],
                "登记": [["标题"], [], HEADER, ["甲某", "1", "街", 36.5]],
                "库存": [["品名", "数量"]],
            }
        )
        design = read_design(content, "form.xlsx")
        assert columns(design) == [*HEADER, "品名", "数量"]
        assert design.fields[0].place == "登记!A3"
        assert (design.kind, design.title) == ("xlsx", "标题")

    def test_hidden_sheet(self):
        book = openpyxl.Workbook()
        book.active.append(["姓名", "体温"])
        hidden = book.create_sheet("内部")
        hidden.append(["身份证号", "银行卡号"])
        hidden.sheet_state = "hidden"
        out = io.BytesIO()
        book.save(out)
        assert columns(read_design(out.getvalue(), "form.xlsx")) == [
            "姓名",
            "体温",
            "身份证号",
            "银行卡号",
        ]

    def test_dates_as_headers(self):
        """A day in a header cell is a day, not the number Excel keeps."""
        content = xlsx(
            {"体温": [["姓名", date(2020, 2, 3), date(2020, 2, 4)], ["甲某", 36.5, 36.6]]}
        )
        assert columns(read_design(content, "f.xlsx")) == ["姓名", "2020-02-03", "2020-02-04"]

    def test_merged_title(self):
        book = openpyxl.Workbook()
        book.active["A1"] = "返乡人员登记表"
        book.active.merge_cells("A1:D1")
        for n, text in enumerate(HEADER, 1):
            book.active.cell(3, n, text)
        out = io.BytesIO()
        book.save(out)
        assert columns(read_design(out.getvalue(), "f.xlsx")) == HEADER

    def test_many_rows(self):
        """A header is read from a long sheet without reading the sheet."""
        content = xlsx({"登记": [HEADER, *[["甲某", "x", "街", 36.5]] * 3_000]})
        assert columns(read_design(content, "f.xlsx")) == HEADER

    def test_too_wide(self):
        content = xlsx({"宽": [[f"列{n}" for n in range(1_200)]]})
        with pytest.raises(TooLargeError, match="1000 columns"):
            read_design(content, "f.xlsx")

    def test_empty_workbook(self):
        with pytest.raises(FileFormatError, match="asks nothing"):
            read_design(xlsx({"空": []}), "f.xlsx")


class TestAgainstOpenpyxl:
    """Our reader of the first rows sees what the library for whole workbooks sees."""

    @settings(max_examples=40)
    @given(
        st.lists(
            st.lists(
                st.none()
                | st.integers(-9, 99)
                | st.booleans()
                | st.text(alphabet="姓名a 1\n&<'", max_size=6),
                max_size=5,
            ),
            max_size=6,
        )
    )
    def test_same_cells(self, rows):
        content = xlsx({"甲": rows, "乙": rows[:1]})
        ours = read_workbook(Archive(content, "f.xlsx"))
        theirs = openpyxl.load_workbook(io.BytesIO(content))
        for sheet in ours:
            seen = {
                (r + 1, c + 1): v
                for r, row in enumerate(sheet.rows)
                for c, v in enumerate(row)
                if v
            }
            wanted = {(c.row, c.column): text(c.value) for row in theirs[sheet.name] for c in row}
            assert seen == {place: v for place, v in wanted.items() if v}


def text(value):
    """Return a cell's value as Excel stores it."""
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value).strip()
