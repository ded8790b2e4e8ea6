"""A photograph of a page of paper rests sealed, is shown with the whole page only, and goes with the first of it."""

from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from test_opening import approved, people  # noqa: F401 - a fixture

from epilock.caretaker import Caretaker
from epilock.collect import paper
from epilock.collect.paper import Sheet
from epilock.destroy import erasure
from epilock.destroy import run as destruction
from epilock.errors import ErasedError, ForbiddenError, NotFoundError, TamperedError
from epilock.store import bucket as buckets
from epilock.store import file
from epilock.store import photograph as photographs

PICTURE = b"\xff\xd8 a picture of what two people wrote"
ASKED = frozenset({"identity.name", "contact.mobile", "health.temperature", "location.check-in"})


@pytest.fixture
def places(town):
    """Where the three records lie that were keyed in; two of them stand on the page."""
    stored = town.store(*(town.accepted() for _ in range(3)))
    with town.parts.database.read() as tx:
        return [(buckets.load_by_name(tx, "garden", s.bucket).id, s.n) for s in stored]


@pytest.fixture
def page(town, places):
    """The code of a page that was keyed in, with its photograph."""
    return keep(town, places[:2])


def keep(town, places, number=3, categories=ASKED):
    parts, code = town.parts, paper.code_for(uuid4())
    with parts.database.read() as tx:
        records = [(buckets.load(tx, "garden", b).name, n) for b, n in places]
    sealed = photographs.seal(parts.keys, "garden", code, PICTURE, records)
    sheet = Sheet(
        book="A-12", page=number, pages=50, written=date(2026, 3, 14), place="cabinet", sha256=None
    )
    with parts.database.write() as tx:
        paper.register(
            tx, parts.log, parts.standard, org="garden", point=town.point, sheet=sheet, rows=len(places),
            by="s-1", now=town.clock(), code=code,
        )  # fmt: skip
        photographs.keep(tx, "garden", code, sealed, places=places, categories=categories)
    return code


def read(town, code):
    with town.parts.database.read() as tx:
        return photographs.read(tx, town.parts.keys, "garden", code)


def row_of(town, code):
    with town.parts.database.read() as tx:
        return tx.find(photographs.photographs, org="garden", code=code)


def open_(town, people, places, **change):  # noqa: F811 - the fixture's value
    with town.parts.database.write() as tx:
        asked = {"purpose": "tracing", "form": "raw", **change}
        found = approved(town, tx, people["doctor"], people["second"], **asked)
        return town.parts.gate.decide(
            tx, people["doctor"], source="garden", places=places, grant=found.grant,
            now=town.clock(), **asked,
        )  # fmt: skip


def is_lost(town, code, before):
    """Whether no copy of the database gives the photograph back."""
    with town.parts.database.write() as tx:
        tx.delete(photographs.photographs, org="garden", code=code)
        tx.bulk(photographs.photographs, [tuple(before.values())])
    with pytest.raises(ErasedError):
        read(town, code)
    return True


class TestResting:
    def test_it_rests_sealed_and_in_its_own_place(self, town, places, page):
        other = keep(town, places[2:], number=4)
        assert read(town, page) == PICTURE
        stored = bytes(row_of(town, page)["sealed"])
        assert b"two people" not in stored
        with town.parts.database.write() as tx:
            tx.conn.execute(
                sa.update(photographs.photographs)
                .where(photographs.photographs.c.code == other)
                .values(sealed=stored)
            )
        with pytest.raises(TamperedError, match="paper_photographs"):
            read(town, other)

    def test_one_of_before_opens_and_goes_like_any_other(self, town, places, page):
        """Its key lies under the name of its page alone."""
        keys, at = town.parts.keys, file.place(file.PAPER, page)
        aad = f"epilock/paper-photograph/v1|garden|{page}".encode()
        sealed = file.seal(keys, "garden", at, aad, PICTURE)
        with town.parts.database.write() as tx:
            tx.delete(photographs.photographs, org="garden", code=page)
            tx.bulk(photographs.photographs, [("garden", page, sealed, None)])
        assert read(town, page) == PICTURE
        before = row_of(town, page)
        erase(town, places[0])
        assert is_lost(town, page, before)

    def test_its_key_goes_whatever_was_written_past_the_program(self, town, places, page):
        before = row_of(town, page)
        with town.parts.database.write() as tx:
            tx.conn.execute(sa.update(photographs.photographs).values(at="paper/x-other"))
        erase(town, places[0])
        assert is_lost(town, page, before)


class TestShowing:
    def test_to_who_opens_the_whole_page_as_it_was_given(self, town, people, places, page):  # noqa: F811
        decision = open_(town, people, places[:2])
        with town.parts.database.read() as tx:
            assert town.parts.gate.photograph(tx, decision) == page
            assert town.parts.gate.reveal_photograph(tx, decision) == PICTURE

    @pytest.mark.parametrize("which", [[0], [0, 1, 2], [2], [0, 2]])
    def test_not_with_a_part_of_the_page_or_more(self, town, people, places, page, which):  # noqa: F811
        decision = open_(town, people, [places[i] for i in which])
        assert decision.verdict == "opened"
        with town.parts.database.read() as tx, pytest.raises(ForbiddenError, match="photograph"):
            town.parts.gate.reveal_photograph(tx, decision)

    def test_not_masked(self, town, people, places, page):  # noqa: F811
        decision = open_(town, people, places[:2], form="masked")
        with town.parts.database.read() as tx, pytest.raises(ForbiddenError, match="photograph"):
            town.parts.gate.reveal_photograph(tx, decision)

    def test_not_without_a_decision_that_is_committed(self, town, people, places, page):  # noqa: F811
        decision = open_(town, people, places[:2])
        with town.parts.database.read() as tx, pytest.raises(ForbiddenError):
            town.parts.gate.reveal_photograph(tx, replace(decision, decision="c-made-up"))

    @pytest.mark.parametrize(("many", "shown"), [(1, True), (2, False)])
    def test_grade_4_of_one_person_alone(self, town, people, places, many, shown):  # noqa: F811
        grade_4 = "health.diagnosis"
        code = keep(town, places[:many], categories=ASKED | {grade_4})
        decision = open_(town, people, places[:many])
        allowed = replace(decision, categories=(*decision.categories, grade_4))
        with town.parts.database.read() as tx:
            assert town.parts.gate.photograph(tx, allowed) == (code if shown else "")
            assert town.parts.gate.photograph(tx, decision) == ""


class TestGoing:
    def test_with_the_first_record_that_is_erased(self, town, places, page):
        kept, before = keep(town, places[2:], number=4), row_of(town, page)
        erase(town, places[1])
        with pytest.raises(NotFoundError):
            read(town, page)
        assert is_lost(town, page, before)
        assert read(town, kept) == PICTURE

    def test_with_a_part_of_its_bucket(self, town, page):
        before = row_of(town, page)
        destruction.run(town.parts.tools, now=town.clock.forward(days=60))
        assert row_of(town, page) is None
        assert is_lost(town, page, before)

    def test_with_its_page(self, town, page):
        before = row_of(town, page)
        with town.parts.database.write() as tx:
            paper.attest(
                tx, town.parts.log, standard_ref=town.parts.standard.ref, org="garden", point=town.point,
                book="A-12", page=3, by="s-1", now=town.clock(),
            )  # fmt: skip
        sweep(town, town.clock().date())
        assert is_lost(town, page, before)

    def test_after_the_last_day_of_its_page(self, town, page):
        before, last = row_of(town, page), date(2026, 3, 21)
        sweep(town, last)
        assert read(town, page) == PICTURE
        sweep(town, last + timedelta(days=1))
        assert is_lost(town, page, before)

    def test_by_the_clock_of_the_server(self, town, page):
        town.clock.forward(days=9)
        Caretaker(town.parts).round()
        assert row_of(town, page) is None

    def test_a_crash_after_the_keys_leaves_it_to_the_next_run(self, town, places, page):
        class Crash(Exception):  # noqa: N818
            pass

        def step(name):
            if name == "keys done":
                raise Crash

        tools = replace(town.parts.tools, step=step)
        with pytest.raises(Crash):
            erase(town, places[0], tools)
        with pytest.raises(ErasedError):
            read(town, page)
        destruction.complete(town.parts.tools, now=town.clock())
        assert row_of(town, page) is None


def erase(town, place, tools=None):
    parts = town.parts
    with parts.database.write() as tx:
        erasure.erase(
            tx, parts.log, parts.standard, org="garden", bucket=place[0], n=place[1],
            reason="withdrawal", now=town.clock(),
        )  # fmt: skip
    destruction.complete(tools or parts.tools, now=town.clock())


def sweep(town, today):
    return paper.sweep(town.parts.database, town.parts.keys, today=today)
