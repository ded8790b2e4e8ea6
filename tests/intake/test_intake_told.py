"""What is promised to people who were not asked before: a letter, a register, and that the log says so."""

import pytest
from works import ORG, person, table

from epilock.collect import code
from epilock.collect.intake import told
from epilock.collect.intake.mapping import map_columns
from epilock.collect.intake.preview import preview, shape
from epilock.collect.intake.read import open_table
from epilock.collect.intake.run import target_of
from epilock.destroy import erasure
from epilock.destroy import run as runs
from epilock.errors import ConflictError, InputError, NotFoundError, RefusedError, StateError
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import vault


@pytest.fixture
def done(works):
    """Five good rows (2 to 4, 6, 7) and a bad one (5)."""
    rows = [person(n) for n in range(6)]
    rows[3][1] = "12"
    return works.run(works.point(), works.file(table(rows)))


def letters(works, found):
    return list(told.letters(works.parts.intake, found))


def tell(works, found, **change):
    values = {"way": "letter", "by": "s-anna", "now": works.clock(), **change}
    with works.parts.database.write() as tx:
        return told.mark_told(tx, works.parts.intake, found, **values)


def untold(works, found):
    with works.parts.database.read() as tx:
        return told.untold(tx, found)


class TestLetters:
    def test_one_for_each_record_and_its_code_finds_it(self, works, done):
        made = letters(works, done)
        assert [each.row for each in made] == [2, 3, 4, 6, 7]
        with works.parts.database.read() as tx:
            for each in made:
                receipt = code.parse(each.code).receipt_id
                _, n = vault.find_receipt(tx, ORG, vault.handle_of(receipt))
                assert n == made.index(each)

    def test_the_same_codes_whenever_they_are_made(self, works, done):
        assert letters(works, done) == letters(works, done)

    def test_the_log_says_so_before(self, works, done):
        told.announce(works.parts.intake, ORG, done.id, by="s-anna", now=works.clock())
        assert [(e.records, e.by) for e in works.said("import-notices")] == [(5, "s-anna")]
        with pytest.raises(NotFoundError):
            told.announce(works.parts.intake, ORG, "i-aaaaaaaaaaaa", by="s-anna", now=works.clock())

    def test_none_for_a_record_that_was_erased(self, works, done):
        with works.parts.database.read() as tx:
            bucket = buckets.listing(tx, ORG)[0]
        erase(works, bucket, 1)
        assert [each.row for each in letters(works, done)] == [2, 4, 6, 7]


class TestTold:
    def test_everyone_at_once(self, works, done):
        assert untold(works, done) == 5
        assert tell(works, done) == 5
        assert untold(works, done) == 0
        assert [(e.records, e.way) for e in works.said("import-told")] == [(5, "letter")]
        with pytest.raises(StateError, match="nobody is left"):
            tell(works, done)

    def test_some_and_then_the_others(self, works, done):
        assert tell(works, done, rows=(3, 5)) == 2
        assert untold(works, done) == 3
        with pytest.raises(ConflictError, match="told already"):
            tell(works, done, rows=(5, 6))
        assert tell(works, done, way="message") == 3
        assert [e.records for e in works.said("import-told")] == [2, 3]

    @pytest.mark.parametrize("rows", [(0, 3), (4, 3), (2, 99)])
    def test_rows_that_are_none(self, works, done, rows):
        with pytest.raises(InputError):
            tell(works, done, rows=rows)

    def test_a_way_that_is_none(self, works, done):
        with pytest.raises(InputError, match="letter, message"):
            tell(works, done, way="rumour")

    def test_rows_of_which_nothing_came_in(self, works, done):
        with pytest.raises(StateError, match="nobody is left"):
            tell(works, done, rows=(5, 5))


class TestPreview:
    def look(self, works, content, by_hand=None):
        target = target_of(works.parts.intake, ORG, works.point())
        listed = open_table(works.file(content))
        mapping = map_columns(works.parts.standard, target.form, listed, by_hand)
        return preview(
            target.form, listed, mapping, issued=target.issued.issued.astimezone(CHINA).date(),
            today=works.clock().astimezone(CHINA).date(),
        )  # fmt: skip

    def test_it_shows_shapes_and_no_value_and_stores_nothing(self, works):
        rows = [person(n) for n in range(6)]
        rows[3][1] = "12"
        found = self.look(works, table(rows))
        assert (found.rows, found.good) == (6, 5)
        by_target = {each.column.target: each for each in found.columns}
        assert by_target["mobile"].bad == {"mobile": 1}
        assert by_target["mobile"].good == 5
        assert by_target["mobile"].shapes == ("99999999999", "99")
        assert by_target["name"].shapes == ("字字",)
        assert by_target[""].shapes == ()
        assert "13800000001" not in repr(found)
        assert works.said("import") == []

    def test_a_refused_column_comes_in_under_no_name(self, works):
        rows = [person(n) for n in range(2)]
        with pytest.raises(RefusedError, match="under another name") as refused:
            self.look(works, table(rows), {"身份证号": "name", "姓名": "-"})
        assert refused.value.rule == "never/workplace-entry/identity.resident-id"

    @pytest.mark.parametrize(
        ("by_hand", "words"),
        [
            ({"没有": "name"}, "no such column"), ({"姓名": "nothing"}, "is no target"),
            ({"姓名": "name", "手机号": "name"}, "two columns go to name"),
        ],
    )  # fmt: skip
    def test_a_mapping_that_is_none(self, works, by_hand, words):
        with pytest.raises(InputError, match=words):
            self.look(works, table([person(1)]), by_hand)

    def test_shapes(self):
        assert shape("张三 Li-7") == "字字 Aa-9"
        assert shape("x" * 40) == "a" * 24 + "…"


def erase(works, bucket, n):
    parts = works.parts
    with parts.database.write() as tx:
        erasure.erase(
            tx, parts.log, parts.standard, org=ORG, bucket=bucket.id, n=n, reason="withdrawal",
            now=works.clock(),
        )  # fmt: skip
    runs.complete(parts.tools, now=works.clock())
