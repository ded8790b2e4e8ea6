"""A page of a paper ledger: keyed in once, as a whole or not at all."""

import pytest
import sqlalchemy as sa
import town
from sheet import read
from staff_room import badge

from epilock.collect import paper
from epilock.store import vault

HEAD = {"book": "A-12", "page": "3", "pages": "50", "written": "2026-03-14", "place": "cabinet 2"}
ROW_1 = {"r1.name": "欧阳测试", "r1.mobile": "13912345678"}
ROW_5 = {"r5.name": "诸葛样本", "r5.mobile": "13912345679"}


def stored(parts):
    with parts.database.read() as tx:
        return tx.conn.execute(sa.select(sa.func.count()).select_from(vault.records)).scalar()


@pytest.fixture
def volunteer(parts, site):
    return badge(parts, site, "sunny", "volunteer", "collector")


@pytest.fixture
def point(parts):
    return town.open_paper_point(parts).point


@pytest.fixture
def send(volunteer, point):
    """Send a page; the acts are ticked but for those that are taken out."""
    page = read(volunteer, f"/console/sheets/{point}")
    form = page.with_field("book")
    acts = [box for box in form.boxes if box[1] != "guardian"]

    def go(*, acts=acts, **typed):
        return page.send(form, *acts, **{**HEAD, **ROW_1, **ROW_5, **typed})

    return go


class TestKeyingIn:
    def test_rows_are_stored_and_the_page_registered_once(self, parts, send):
        assert "registered" in send().text
        assert stored(parts) == 2
        assert "keyed in already" in send().text
        assert "keyed in already" in send(sheet="another").text
        assert stored(parts) == 2

    def test_after_a_crash_before_the_register_the_same_form_doubles_nothing(self, parts, send):
        send()
        with parts.database.write() as tx:
            tx.conn.execute(sa.delete(paper.paper_pages))
        send()
        assert stored(parts) == 2

    def test_one_wrong_row_and_nothing_is_stored(self, parts, send):
        page = send(**{"r5.mobile": "12"})
        assert (page.status, stored(parts)) == (422, 0)
        assert "Row 5" in page.text
        assert "诸葛样本" in page.html

    @pytest.mark.parametrize(
        "typed",
        [
            {"page": "51"}, {"page": "x"}, {"book": "a/b"}, {"place": ""}, {"sha256": "12"},
            {"written": "2026-03-15"}, {"written": "today"}, {"sheet": "none"}, {"acts": []},
            {"r1.name": "", "r1.mobile": "", "r5.name": "", "r5.mobile": ""},
        ],
    )  # fmt: skip
    def test_a_page_that_is_not_described_is_not_taken(self, parts, send, typed):
        page = send(**typed)
        assert (400 <= page.status < 500, stored(parts)) == (True, 0)

    def test_a_point_that_does_not_say_paper_in_its_notice_takes_none(self, parts, volunteer):
        other = town.open_point(parts, "sunny", "residential-entry", town.NAME)
        assert read(volunteer, f"/console/sheets/{other.point}").status == 403
