"""The register of paper: a page stands in it once, with the day by which it must be gone."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from epilock import inventory
from epilock.collect import paper
from epilock.collect.paper import Sheet
from epilock.errors import ConflictError, InputError, StateError
from epilock.ledger import entry, shards
from epilock.standard.clock import paper_periods

PAGE = {"book": "A-12", "page": 3, "pages": 50, "place": "cabinet", "sha256": None}


def sheet(**change):
    return Sheet(**{**PAGE, "written": date(2026, 3, 14), **change})


def register(town, **change):
    with town.parts.database.write() as tx:
        return paper.register(
            tx, town.parts.log, town.parts.standard, org="garden", point=town.point, sheet=sheet(**change), rows=2,
            by="s-1", now=town.clock(), code=paper.code_for(uuid4()),
        )  # fmt: skip


def attest(town, page):
    parts = town.parts
    with parts.database.write() as tx:
        paper.attest(
            tx, parts.log, standard_ref=parts.standard.ref, org="garden", point=town.point,
            book=page.book, page=page.page, by="s-1", now=town.clock(),
        )  # fmt: skip


def told(town):
    with town.parts.database.read() as tx:
        return [entry.decode(data) for data in shards.entries_at(tx, town.parts.log, 0, 1000)]


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
            paper.check_new(tx, "garden", town.point, sheet())
        with pytest.raises(ConflictError):
            register(town)

    def test_what_was_destroyed_is_attested_once(self, town):
        first = register(town)
        attest(town, first)
        with pytest.raises(StateError, match="already"):
            attest(town, first)

    def test_what_is_keyed_in_after_a_day_is_taken_and_shown_as_late(self, town):
        periods = paper_periods(town.parts.standard)
        assert not register(town).is_late(periods)
        town.clock.forward(hours=38, minutes=59)  # 23:59 of the next day in China
        assert not register(town, page=4).is_late(periods)
        town.clock.forward(minutes=1)
        assert register(town, page=5).is_late(periods)

    @pytest.mark.parametrize(
        "change",
        [{"page": 0}, {"page": 51}, {"pages": 10_001}, {"book": "a/b"}, {"place": ""}, {"sha256": "x"}],
    )  # fmt: skip
    def test_a_page_that_is_no_page_is_not_described(self, change):
        with pytest.raises(InputError):
            sheet(**change)


class TestWitnessed:
    def test_the_log_says_that_it_came_and_that_somebody_answers_for_its_end(self, town):
        page = register(town)
        attest(town, page)
        came, went = told(town)[-2:]
        assert (came.rows, came.written, came.due) == (2, "2026-03-14", "2026-03-21")
        assert (went.page, went.by) == (came.page, "s-1")
        said = entry.encode(came) + entry.encode(went)
        assert b"A-12" not in said  # neither the ledger's number nor its place
        assert b"cabinet" not in said

    def test_a_page_that_could_not_be_registered_is_not_in_the_log(self, town):
        register(town)
        before = len(told(town))
        with pytest.raises(ConflictError):
            register(town)
        assert len(told(town)) == before

    @pytest.mark.parametrize("table", [paper.paper_codes, paper.paper_pages], ids=lambda t: t.name)
    def test_a_row_that_is_gone_is_named(self, town, table):
        attest(town, register(town))
        parts = town.parts
        assert list(inventory.check(parts.database, parts.log)) == []
        with parts.database.write() as tx:
            tx.conn.execute(sa.delete(table))
        assert next(d.row for d in inventory.check(parts.database, parts.log)).startswith(
            table.name
        )

    def test_a_row_that_was_put_back_is_named(self, town):
        """As it was before somebody answered for its end."""
        page = register(town)
        parts = town.parts
        with parts.database.write() as tx:
            before = tx.conn.execute(sa.select(paper.paper_pages)).mappings().one()
        attest(town, page)
        with parts.database.write() as tx:
            tx.conn.execute(sa.update(paper.paper_pages).values(**before))
        damages = list(inventory.check(parts.database, parts.log))
        assert {d.row.startswith("paper_pages") for d in damages} == {True}
