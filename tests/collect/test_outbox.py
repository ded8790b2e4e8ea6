"""The file that a device exports: read as it is, or refused as a whole before any of it is looked at."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from epilock.collect import outbox
from epilock.collect.outbox import MAX_BOXES, MAX_FILE
from epilock.errors import FileFormatError, InputError, TooLargeError


class TestOutbox:
    def test_lease_and_bytes_of_each_box(self):
        body = {"format": "epilock/outbox/v1", "boxes": [{"lease": "l1", "box": "AAE="}]}
        assert outbox.read(json.dumps(body).encode()) == [("l1", b"\x00\x01")]

    @pytest.mark.parametrize(
        "body",
        [
            b"[" * 100_000,
            b'{"format":"another","boxes":[]}',
            b'{"format":"epilock/outbox/v1","boxes":[{"lease":"l1","box":"%"}]}',
            b"x" * (MAX_FILE + 1),
        ],
    )
    def test_another_file_is_refused(self, body):
        with pytest.raises(InputError):
            outbox.read(body)

    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(body=st.binary(max_size=200) | st.text().map(str.encode))
    def test_whatever_the_file_holds_the_answer_is_an_error_of_ours(self, body):
        with pytest.raises(FileFormatError):
            outbox.read(body)

    def test_more_than_a_lease_may_hold_is_refused(self):
        box = {"lease": "l1", "box": "AAE="}
        body = {"format": "epilock/outbox/v1", "boxes": [box] * (MAX_BOXES + 1)}
        with pytest.raises(TooLargeError, match="at most 500"):
            outbox.read(json.dumps(body).encode())
