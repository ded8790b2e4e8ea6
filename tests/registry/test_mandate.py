"""What a point may lean on holds from its date to its last day, and on no other."""

from datetime import date, timedelta

import pytest

from epilock.errors import InputError
from epilock.registry.mandate import assessments


class TestAssessment:
    def test_it_holds_from_its_date_to_the_end_of_its_last_day(self, city, clock):
        code = city.assess(city.today, city.today + timedelta(days=1))
        assert city.assessment() == code
        clock.forward(days=1)
        assert city.assessment() == code
        clock.forward(days=1)
        assert city.assessment() is None

    def test_none_is_recorded_before_it_was_made(self, city):
        """Sensitive collection opens after an assessment (PIPL 55), not before one that is promised."""
        tomorrow = city.today + timedelta(days=1)
        with pytest.raises(InputError, match="not after today"):
            city.assess(tomorrow, tomorrow)
        assert city.assessment() is None

    def test_none_ends_before_its_date(self, city):
        with pytest.raises(InputError, match="cannot end before its date"):
            city.assess(city.today, city.today - timedelta(days=1))

    def test_one_that_was_recorded_with_a_date_to_come_holds_from_that_date(self, city, clock):
        with city.database.write() as tx:
            tx.insert(
                assessments, org="jinan", assessment="d-old", about="supplies", date="2026-05-01",
                until="2027-05-01", sha256="0" * 64, recorded=clock(),
            )  # fmt: skip
        assert city.assessment() is None
        clock.forward(days=(date(2026, 5, 1) - city.today).days)
        assert city.assessment() == "d-old"
