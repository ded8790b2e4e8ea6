"""A ticket ties a form to the notice that was shown, for less than a day."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.errors import StaleNoticeError
from epilock.web import ticket
from epilock.web.ticket import Ticket

NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)
SECRET = bytes(range(32))
POINT = "sunny.k3f7q2"
NOTICE = "ab" * 32
TICKET = Ticket(client="6f9619ff-8b86-4d01-b42d-00cf4fc964ff", notice=NOTICE, since=NOW)


class TestRead:
    def test_what_was_written_is_read(self):
        text = ticket.write(TICKET, SECRET, POINT)
        assert ticket.read(text, SECRET, POINT) == TICKET

    def test_golden(self):
        """Forms that are open while the software is updated go on working."""
        assert ticket.write(TICKET, SECRET, POINT) == (
            "6f9619ff-8b86-4d01-b42d-00cf4fc964ff."
            + NOTICE
            + ".1773450000.0a5460b461286f7877ed8867e2a394f8"
        )

    @pytest.mark.parametrize("later", [timedelta(hours=20, seconds=1), timedelta(minutes=-6)])
    def test_one_that_ran_out_sends_back_to_the_notice(self, later):
        TICKET.check_open(NOW + timedelta(hours=19))
        with pytest.raises(StaleNoticeError):
            TICKET.check_open(NOW + later)

    def test_one_of_another_point_is_none(self):
        text = ticket.write(TICKET, SECRET, "other.aaaaaa")
        with pytest.raises(StaleNoticeError):
            ticket.read(text, SECRET, POINT)

    def test_another_notice_cannot_be_put_in(self):
        text = ticket.write(TICKET, SECRET, POINT).replace("ab", "cd", 1)
        with pytest.raises(StaleNoticeError):
            ticket.read(text, SECRET, POINT)

    @given(st.text(max_size=400))
    def test_any_other_text_is_none(self, text):
        with pytest.raises(StaleNoticeError):
            ticket.read(text, SECRET, POINT)


class TestNew:
    def test_each_form_has_a_client_id_of_its_own(self):
        assert ticket.new(NOTICE, now=NOW).client != ticket.new(NOTICE, now=NOW).client
