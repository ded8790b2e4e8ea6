"""What an order that sets a level may say, and when it counts."""

from datetime import timedelta

import pytest

from epilock.errors import ConflictError, InputError


class TestDays:
    def test_no_order_is_entered_before_it_is_given(self, city):
        with pytest.raises(InputError, match="not after today"):
            city.level("II", dated=city.today + timedelta(days=1))
        assert city.changes() == []

    @pytest.mark.parametrize("days", [-2000, -1, 0])
    def test_no_level_is_expected_to_end_on_the_day_it_begins_or_before(self, city, days):
        with pytest.raises(InputError, match="the expected end is after"):
            city.level("II", end=city.today + timedelta(days=days))
        assert city.changes() == []

    def test_the_day_it_begins_is_the_one_it_takes_effect(self, city, clock):
        later = clock() + timedelta(days=3)
        with pytest.raises(InputError, match="the expected end is after"):
            city.level("II", end=city.today + timedelta(days=3), effective=later)
        city.level("II", end=city.today + timedelta(days=4), effective=later)

    def test_an_order_of_today_or_before_that_ends_tomorrow_counts(self, city):
        assert city.level("II", end=city.today + timedelta(days=1)) == "II"


class TestChangedMeanwhile:
    def test_what_was_looked_at_before_another_change_is_not_set(self, city, clock):
        city.level("IV", seen=0)
        clock.forward(minutes=5)
        city.level("II", seen=1)
        clock.forward(minutes=5)
        with pytest.raises(ConflictError, match="since you looked"):
            city.level("N", seen=1)
        assert city.changes() == ["IV", "II"]
        assert city.level("N", seen=2) == "N"

    def test_what_is_sent_again_is_answered_with_what_was_set(self, city, clock):
        city.level("IV", seen=0)
        clock.forward(minutes=5)
        assert city.level("IV", seen=0) == "IV"
        assert city.changes() == ["IV"]


class TestRenewal:
    def test_a_level_is_renewed_with_another_expected_end(self, city, clock):
        city.level("II", end=city.today + timedelta(days=7))
        clock.forward(days=7)
        assert city.level("II", end=city.today + timedelta(days=7)) == "II"
        assert city.changes() == ["II", "II"]

    def test_another_issuer_sets_it_no_second_time(self, city, clock):
        city.level("II")
        clock.forward(minutes=5)
        with pytest.raises(ConflictError, match="set already"):
            city.level("II", issuer="Province")
        assert city.changes() == ["II"]
