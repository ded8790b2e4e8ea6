"""The chart of weeks keeps to its frame, and says no more than its numbers."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from epilock.destroy.turnover import Week
from epilock.web import chart

NUMBERS = st.tuples(st.integers(0, 10**9), st.integers(0, 10**9))


@given(st.lists(NUMBERS, min_size=1, max_size=26))
def test_no_bar_leaves_the_frame_and_heights_are_in_proportion(numbers):
    first = date(2026, 1, 5)
    weeks = [
        Week(first=first + timedelta(days=7 * n), collected=a, destroyed=b)
        for n, (a, b) in enumerate(numbers)
    ]
    made = chart.of_weeks(weeks)
    top = made.ticks[-1].value
    assert top >= max(max(pair) for pair in numbers)
    assert 2 <= len(made.ticks) <= 6
    for column, (collected, destroyed) in zip(made.columns, numbers, strict=True):
        assert made.left <= column.x - made.bar
        assert column.x + made.bar <= made.width
        for value, height in ((collected, column.collected), (destroyed, column.destroyed)):
            assert 0 <= height <= made.ground - made.ticks[-1].y
            assert (height > 0) == (value > 0)
            assert height <= 1 + value / top * (made.ground - made.ticks[-1].y) + 0.5


def test_without_a_week_there_is_no_chart():
    assert chart.of_weeks([]) is None
