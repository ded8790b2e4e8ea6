"""The register of paper: a page stands in it once, with the day by which it must be gone."""

from datetime import date, timedelta

import pytest

from epilock.collect import paper
from epilock.collect.paper import Sheet
from epilock.errors import ConflictError, InputError, StateError

PAGE = {"book": "A-12", "page": 3, "pages": 50, "place": "cabinet", "sha256": None}


def sheet(**change):
    return Sheet(**{**PAGE, "written": date(2026, 3, 14), **change})


def register(town, **change):
    with town.parts.database.write() as tx:
        return paper.register(
            tx, town.parts.standard, org="garden", point=town.point, sheet=sheet(**change), rows=2,
            by="s1", now=town.clock(),
        )  # fmt: skip


class TestRegister:
    def test_a_page_must_be_gone_a_week_after_it_was_keyed_in(self, town):
        page = register(town)
        assert page.due == date(2026, 3, 21)  # standard: media.paper.destroy_days
        assert (page.is_overdue(page.due), page.is_overdue(page.due + timedelta(days=1))) == (
            False,
            True,
        )

    def test_a_page_is_registered_once(self, town):
        register(town)
        with town.parts.database.read() as tx, pytest.raises(ConflictError):
            paper.check_new(tx, "garden", town.point, sheet(), now=town.clock())
        with pytest.raises(ConflictError):
            register(town)

    def test_what_was_destroyed_is_attested_once_and_comes_last(self, town):
        first, second = register(town), register(town, page=4)
        said = {
            "org": "garden",
            "point": town.point,
            "book": "A-12",
            "page": first.page,
            "by": "s1",
        }
        with town.parts.database.write() as tx:
            paper.attest(tx, **said, now=town.clock())
            with pytest.raises(StateError, match="already"):
                paper.attest(tx, **said, now=town.clock())
            assert [p.page for p in paper.listing(tx, "garden")] == [second.page, first.page]

    @pytest.mark.parametrize(
        "change",
        [{"page": 0}, {"page": 51}, {"pages": 10_001}, {"book": "a/b"}, {"place": ""}, {"sha256": "x"}],
    )  # fmt: skip
    def test_a_page_that_is_no_page_is_not_described(self, change):
        with pytest.raises(InputError):
            sheet(**change)
