"""What a hierarchy promises: coarser level by level, or refused with row and column."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deidentify.tables import FEW, hierarchies
from epilock.deidentify.rows import hierarchy
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.errors import FileFormatError, InputError, TooLargeError


class TestReading:
    def test_levels_shares_and_lifts(self):
        found = hierarchy.parse("a;x;*\nb;x;*\nc;y;*\n", "letter", named="h.csv")
        assert found.forms == (("a", "b", "c"), ("x", "y"), ("*",))
        assert [shares.tolist() for shares in found.shares] == [[1 / 3] * 3, [2 / 3, 1 / 3], [1.0]]
        assert found.lift(0, 1).tolist() == [0, 0, 1]
        assert found.lift(1, 2).tolist() == [0, 0]
        assert found.height == 2

    @pytest.mark.parametrize("text", ["a,x\nb,x\n", "\ufeffa;x\nb;x\n"], ids=["comma", "mark"])
    def test_both_delimiters_and_a_byte_order_mark(self, text, tmp_path):
        path = tmp_path / "h.csv"
        path.write_text(text, encoding="utf-8")
        assert hierarchy.read(path, "letter").forms == (("a", "b"), ("x",))

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "h.csv is empty"),
            ("a;x;*\nb;x\n", "row 2: 2 columns where row 1 has 3"),
            ("a;x\nb;x\na;x\n", "row 3: this value stands twice"),
            (
                "secret-a;x;1\nsecret-b;x;2\n",
                "row 2, column 3: rows 1 and 2 are alike on level 1 but not on",
            ),
        ],
        ids=["empty", "ragged", "twice", "not coarser"],
    )
    def test_what_is_refused(self, text, told):
        """The message names row and column, and no value."""
        with pytest.raises(InputError, match=told) as caught:
            hierarchy.parse(text, "letter", named="h.csv")
        assert "secret" not in str(caught.value)

    def test_another_encoding_says_how_to_save(self, tmp_path):
        path = tmp_path / "h.csv"
        path.write_bytes("济南;山东\n".encode("gb18030"))
        with pytest.raises(FileFormatError, match="save it as UTF-8"):
            hierarchy.read(path, "area")

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(InputError, match=r"h\.csv can't be read"):
            hierarchy.read(tmp_path / "h.csv", "area")

    def test_too_large(self, tmp_path, monkeypatch):
        monkeypatch.setattr(hierarchy, "MOST_BYTES", 3)
        path = tmp_path / "h.csv"
        path.write_text("a;x\n")
        with pytest.raises(TooLargeError):
            hierarchy.read(path, "area")


@FEW
@given(text=st.text(max_size=60))
def test_any_text_is_a_hierarchy_or_is_refused(text):
    try:
        found = hierarchy.parse(text, "any", named="h.csv")
    except InputError:
        return
    assert found.size == len(found.number_of)


@FEW
@given(rows=hierarchies(values=6, levels=5))
def test_what_looks_alike_stays_alike(rows):
    """Lifting in two steps is lifting in one."""
    found = Hierarchy.from_rows("q", rows)
    for low in range(found.height + 1):
        for high in range(low, found.height + 1):
            step = found.lift(low, high)
            assert [found.forms[high][c] for c in step[found.codes[low]]] == [
                row[high] for row in rows
            ]
