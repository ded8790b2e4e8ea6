"""What the register promises: private, whole, in order, and nothing of it passed over."""

import stat
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.deidentify.leaving import register
from epilock.deidentify.leaving.review import Review, Rule
from epilock.errors import FileFormatError, InputError, IntegrityError, RefusedError, TamperedError

NOW = datetime(2026, 3, 14, 1, tzinfo=UTC)
RULE = Rule(k=2, rule="release/school", source=("A",))
ROWS = pa.table(
    {"id": ["7131", "7132", "7133", "7134"], "age": ["30", "30", "40", "40"], "ill": list("abab")}
)


def release(folder, rows=ROWS, dataset="clinic"):
    """One release as a caller makes it."""
    with register.opened(folder, dataset) as shelf:
        review = Review(["age"], record="id", key=shelf.key)
        for _ in review.watch(rows.to_batches()):
            pass
        passed = review.conclude(RULE, shelf.earlier())
        said = shelf.announce(
            passed,
            review.assignment(),
            quasi=review.quasi,
            levels={"age": 1},
            suppressed=0,
            now=NOW,
        )
        return shelf.complete(said.number, "ab" * 32)


class TestRegister:
    def test_releases_follow_each_other(self, tmp_path):
        assert (release(tmp_path).number, release(tmp_path).number) == (1, 2)
        with register.opened(tmp_path, "clinic") as shelf:
            first, second = shelf.releases()
        assert (first.earlier, second.earlier, second.smallest) == (0, 1, 2)
        assert (second.rule, second.k, second.sha256) == ("release/school", 2, "ab" * 32)

    def test_the_next_is_held_against_what_is_registered(self, tmp_path):
        release(tmp_path)
        with pytest.raises(RefusedError, match="beside release 1"):
            release(tmp_path, ROWS.set_column(1, "age", [["30", "40", "30", "40"]]))
        with register.opened(tmp_path, "clinic") as shelf:
            assert len(shelf.releases()) == 1

    def test_another_data_set_is_another_matter(self, tmp_path):
        release(tmp_path)
        other = ROWS.set_column(1, "age", [["30", "40", "30", "40"]])
        assert release(tmp_path, other, dataset="school").number == 1

    def test_nobody_else_can_read_it(self, tmp_path):
        release(tmp_path)
        folder = tmp_path / "clinic"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o600}

    def test_it_holds_no_id_and_no_value(self, tmp_path):
        release(tmp_path)
        for path in (tmp_path / "clinic").iterdir():
            assert b"7131" not in path.read_bytes()

    def test_a_crash_before_the_file_left_is_counted(self, tmp_path):
        """What was announced is held against the next, for perhaps it did leave."""
        with register.opened(tmp_path, "clinic") as shelf:
            review = Review(["age"], record="id", key=shelf.key)
            list(review.watch(ROWS.to_batches()))
            shelf.announce(
                review.conclude(RULE),
                review.assignment(),
                quasi=["age"],
                levels=None,
                suppressed=3,
                now=NOW,
            )
        with register.opened(tmp_path, "clinic") as shelf:
            (said,) = shelf.releases()
            assert (said.sha256, said.suppressed, len(shelf.earlier())) == (None, 3, 1)

    def test_a_crash_between_the_two_files_leaves_no_release(self, tmp_path):
        release(tmp_path)
        (tmp_path / "clinic/0002.parquet").write_bytes(b"half")
        assert release(tmp_path).number == 2

    @pytest.mark.parametrize("gone", ["0001.json", "0001.parquet", "key"])
    def test_what_is_missing_is_told(self, gone, tmp_path):
        release(tmp_path)
        release(tmp_path)
        (tmp_path / "clinic" / gone).unlink()
        with pytest.raises(IntegrityError, match="put it"):
            release(tmp_path)

    def test_records_that_were_changed_are_told(self, tmp_path):
        release(tmp_path)
        path = tmp_path / "clinic/0001.parquet"
        path.write_bytes(path.read_bytes()[:-1] + b"x")
        with pytest.raises(TamperedError):
            release(tmp_path)

    def test_a_file_in_anothers_place(self, tmp_path):
        release(tmp_path)
        release(tmp_path)
        folder = tmp_path / "clinic"
        (folder / "0002.json").write_bytes((folder / "0001.json").read_bytes())
        with pytest.raises(IntegrityError, match="another's place"):
            release(tmp_path)

    @pytest.mark.parametrize("name", ["", "../x", "A", "a/b", "a" * 64, "-a"])
    def test_names_of_data_sets(self, name, tmp_path):
        with pytest.raises(InputError, match="data set's name"), register.opened(tmp_path, name):
            pass

    @given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
    def test_anything_else_is_no_release(self, data):
        with pytest.raises(FileFormatError):
            register.parse(data, "0001.json")

    def test_a_large_file_is_no_release(self):
        with pytest.raises(FileFormatError, match="1 MiB"):
            register.parse(b" " * (register.MOST_BYTES + 1), "0001.json")
