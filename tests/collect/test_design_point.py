"""Our own points as TOML."""

import pytest

from epilock.collect.design import read_design
from epilock.errors import FileFormatError, TooLargeError

POINT = """
[point]
name = { zh = "东门", en = "East gate" }
circumstance = "residential-entry"

[[field]]
id = "n"
category = "identity.name"
label = { zh = "姓名", en = "Name" }

[[field]]
id = "t"
label = "体温"
optional = false
"""


class TestPoint:
    """Fields with and without a category."""

    def test_fields(self):
        design = read_design(POINT.encode(), "gate.toml")
        first, second = design.fields
        assert (design.kind, design.title, design.language) == ("toml", "东门", "zh")
        assert (first.field, first.label, first.translations, first.category) == (
            "n",
            "姓名",
            ("Name",),
            "identity.name",
        )
        assert (second.category, second.required, second.place) == ("", True, "[[field]] 2")

    def test_told_from_its_content(self):
        assert read_design(POINT.encode(), "upload").kind == "toml"


class TestBroken:
    """One clear error each, and nothing of the file in it."""

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("[point", "broken TOML: at end of document"),
            ("[point]\n[[field]]\nid = \n", "broken TOML: at line 3"),
            ("a = 1", "table .point."),
            ("[point]\nfield = 3", "table .point."),
            ("[point]\n[[field]]\nid = 3", "are texts"),
            ("[point]\n[[field]]\nlabel = 3", "neither a text"),
            ("[point]\n[[field]]\ncategory = 'x'", "neither id nor label"),
            ("field = [1]\n[point]", "no table"),
            ("field = []\n[point]", "asks nothing"),
            ("a = " + "[" * 5_000, "TOML"),
            ("a = " + "9" * 5_000, "TOML"),
        ],
    )
    def test_error(self, text, says):
        with pytest.raises(FileFormatError, match=says):
            read_design(text.encode(), "gate.toml")

    def test_not_utf8(self):
        with pytest.raises(FileFormatError, match="UTF-8"):
            read_design("[point]\nname='东门'".encode("gb18030"), "gate.toml")

    def test_too_large(self):
        with pytest.raises(TooLargeError, match="1 MB"):
            read_design(b"#" * (2**20 + 1), "gate.toml")
