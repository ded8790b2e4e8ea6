"""XLSForm workbooks: what an ODK or KoboToolbox form asks, and what it takes without asking."""

import io

import openpyxl
import pytest

from epilock.collect.design import read_design
from epilock.errors import FileFormatError

SURVEY = [
    ["type", "name", "label::English (en)", "label::中文 (zh)", "hint", "required", "relevant", "appearance"],
    ["start", "start", "", "", "", "", "", ""],
    ["deviceid", "deviceid", "", "", "", "", "", ""],
    ["note", "intro", "Thank you for your time", "感谢", "", "", "", ""],
    ["begin_group", "g1", "Emergency contact", "紧急联系人", "", "", "", ""],
    ["text", "ec_name", "Name", "姓名", "", "yes", "", ""],
    ["end_group", "", "", "", "", "", "", ""],
    ["begin repeat", "hh", "Household members", "同住人员", "", "", "", ""],
    ["integer", "hh_age", "Age", "年龄", "", "", "", ""],
    ["end repeat", "hh", "", "", "", "", "", ""],
    ["select_multiple symptoms", "sym", "Do you have any symptoms?", "有无症状", "", "true()", "", ""],
    ["text", "sym_other", "If other, please specify", "其他请说明", "", "", "selected(${sym}, 'other')", ""],
    ["geopoint", "gps", "Where is the water point?", "水源位置", "", "", "", ""],
    ["image", "id_pic", "Identity card", "身份证", "", "", "", ""],
    ["image", "sig", "", "", "", "", "", "signature"],
    ["calculate", "score", "", "", "", "", "", ""],
    ["text", "q17", "", "", "Your telephone", "", "", ""],
]  # fmt: skip


def workbook(survey=SURVEY, settings=None):
    """Return the bytes of an XLSForm."""
    book = openpyxl.Workbook()
    book.active.title = "survey"
    for row in survey:
        book.active.append(row)
    book.create_sheet("choices").append(["list_name", "name", "label"])
    if settings:
        sheet = book.create_sheet("settings")
        for row in settings:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def fields(**changes):
    return {f.field: f for f in read_design(workbook(**changes), "form.xlsx").fields}


class TestQuestions:
    """Rows that ask are fields, in order; others are not."""

    def test_names(self):
        assert list(fields()) == [
            "start", "deviceid", "ec_name", "hh_age", "sym", "sym_other", "gps", "id_pic", "sig", "score", "q17",
        ]  # fmt: skip

    def test_kind(self):
        assert read_design(workbook(), "form.xlsx").kind == "xlsform"

    def test_label_and_translation(self):
        """Both languages are asked; the first column is shown."""
        field = fields()["sym"]
        assert (field.label, field.translations) == ("Do you have any symptoms?", ("有无症状",))
        assert field.required

    def test_default_language(self):
        settings = [["form_title", "default_language"], ["健康申报", "中文 (zh)"]]
        design = read_design(workbook(settings=settings), "form.xlsx")
        assert (design.title, design.fields[4].label) == ("健康申报", "有无症状")

    def test_groups(self):
        """A group tells what its questions are about, until it ends."""
        found = fields()
        assert found["ec_name"].context == "Emergency contact"
        assert found["hh_age"].context == "Household members"
        assert found["sym"].context == ""

    def test_follow_up(self):
        assert fields()["sym_other"].follows == "sym"

    def test_hint(self):
        """Where there is no label, name and hint say what is asked."""
        assert fields()["q17"].wordings == ("q17", "Your telephone")


class TestTypes:
    """What a type takes by itself."""

    @pytest.mark.parametrize(
        ("name", "category", "otherwise"),
        [
            ("start", "meta", ""), ("deviceid", "online.device-id", ""), ("gps", "location.precise", ""),
            ("sig", "identity.signature", "image.scene"), ("id_pic", "", "image.scene"), ("score", "", "meta"),
        ],
    )  # fmt: skip
    def test_type(self, name, category, otherwise):
        field = fields()[name]
        assert (field.category, field.otherwise) == (category, otherwise)

    def test_picture(self):
        assert fields()["id_pic"].image

    @pytest.mark.parametrize(
        ("kind", "category"),
        [
            ("audit", "meta"),
            ("phonenumber", "contact.mobile"),
            ("background-audio", "biometric.voice"),
            ("start-geopoint", "location.precise"),
            ("username", "online.account"),
        ],
    )
    def test_background(self, kind, category):
        rows = [["type", "name", "label"], [kind, "x", ""]]
        assert fields(survey=rows)["x"].category == category

    def test_audit_with_location(self):
        rows = [["type", "name", "parameters"], ["audit", "audit", "location-priority=balanced"]]
        assert fields(survey=rows)["audit"].category == "location.precise"


class TestBroken:
    """Groups that do not match."""

    def test_end_without_begin(self):
        with pytest.raises(FileFormatError, match="row 2 ends a group"):
            fields(survey=[SURVEY[0], ["end group"]])

    def test_begin_without_end(self):
        with pytest.raises(FileFormatError, match="do not end"):
            fields(survey=[SURVEY[0], ["begin group", "g"], ["text", "a", "Name"]])

    def test_as_csv(self):
        """A survey sheet saved as CSV is one too; a sheet with a column "type" is not."""
        assert read_design(b"type,name,label\ntext,nm,Full name\n", "f.csv").kind == "xlsform"
        assert read_design(b"type,name,phone\nguest,X,\n", "f.csv").kind == "csv"
