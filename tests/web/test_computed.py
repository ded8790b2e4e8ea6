"""A list that is worked out leafs, sorts and filters like one of a table."""

import pytest

from epilock.errors import InputError, NotFoundError
from epilock.web.console.computed import Computed, Question, arrange
from epilock.web.console.listing import MOST_EXPORTED, PER_PAGE

ROWS = [(n // 4, f"t-{n:03d}") for n in range(2 * PER_PAGE + 7)]
PLAN: Computed[tuple[int, str]] = Computed(
    path="/things", key=lambda r: r[1], order="size",
    sorts={"size": lambda r: r[0], "code": lambda r: r[1]},
    filters={
        "even": Question(fits=lambda r, v: (r[0] % 2 == 0) == (v == "yes"), options=("yes", "no")),
        "day": Question(fits=lambda *_: True),
    },
    columns={"code": lambda r: r[1]},
)  # fmt: skip


def _walk(query: dict[str, str], way: str = "after") -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for _ in range(10):
        page = arrange(PLAN, ROWS, query)
        assert len(page.rows) <= PER_PAGE
        found = found + page.rows if way == "after" else page.rows + found
        place = getattr(page, way)
        if not place:
            return found
        query = {k: v for k, v in query.items() if k not in {"after", "before"}} | {way: place}
    raise AssertionError("the list has no end")


@pytest.mark.parametrize("order", ["size", "-size", "code", "-code"])
@pytest.mark.parametrize("even", ["", "yes", "no"])
def test_each_row_is_met_once_and_in_order_there_and_back(order, even):
    query = {"order": order, "even": even}
    wanted = [r for r in ROWS if not even or (r[0] % 2 == 0) == (even == "yes")]
    wanted.sort(reverse=order.startswith("-"))
    assert _walk(query) == wanted
    assert _walk(query | {"before": wanted[-1][1]}, "before") == wanted[:-1]
    export = arrange(PLAN, ROWS, query | {"export": "csv"})
    assert (export.rows, export.export) == (wanted, True)


def test_a_place_that_the_filter_hides_is_a_place_and_one_that_is_gone_is_said():
    page = arrange(PLAN, ROWS, {"even": "no", "after": "t-000"})
    assert page.rows[0] == (1, "t-004")
    with pytest.raises(NotFoundError, match="first page"):
        arrange(PLAN, ROWS, {"after": "t-999"})


@pytest.mark.parametrize("query", [{"even": "x"}, {"day": "yesterday"}, {"order": "weight"}])
def test_what_the_list_cannot_do_is_said(query):
    with pytest.raises(InputError, match=r"must be one of|a day is written"):
        arrange(PLAN, ROWS, query)


def test_no_more_than_may_be_taken_away_is():
    with pytest.raises(InputError, match="set a filter first"):
        arrange(PLAN, [(n, f"t-{n:06d}") for n in range(MOST_EXPORTED + 1)], {"export": "csv"})


def test_where_nothing_is_left_it_is_the_first_page():
    last = _walk({"order": "code"})[-1]
    page = arrange(PLAN, ROWS, {"order": "code", "after": last[1]})
    assert page.rows == arrange(PLAN, ROWS, {"order": "code"}).rows
