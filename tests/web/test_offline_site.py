"""What the site gives a device to keep, and what it takes from it: nothing of anybody, and nothing without a session."""

import json
from base64 import b64encode

import pytest
import town
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sheet import read
from staff_room import badge

from epilock.collect import offline
from epilock.errors import FileFormatError, InputError
from epilock.web.console.offline import MAX_FILE, read_outbox

JSON = {"accept": "application/json"}


@pytest.fixture
def volunteer(parts, site):
    return badge(parts, site, "sunny", "volunteer", "collector")


@pytest.fixture
def lease(parts, volunteer):
    town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE)
    page = read(volunteer, "/console/offline")
    page.send(page.with_field("point"))
    with parts.database.read() as tx:
        return offline.listing(tx, "sunny")[0]


class TestTaking:
    def test_a_point_that_writes_on_paper_is_not_taken_along(self, parts, volunteer, lease):
        point = town.open_paper_point(parts).point
        page = read(volunteer, "/console/offline")
        assert point not in page.html
        assert page.send(page.with_field("point"), point=point).status == 400


class TestEnding:
    def test_nobody_but_who_took_it_or_a_custodian_ends_it(self, parts, site, volunteer, lease):
        """What was not sent under it is lost."""
        address = f"/console/offline/{lease.lease}/end"
        other = badge(parts, site, "sunny", "other", "collector")
        csrf = read(other, "/console/offline").value("csrf")
        assert other.post(address, data={"csrf": csrf}).status_code == 403
        custodian = badge(parts, site, "sunny", "wang", "custodian")
        csrf = read(custodian, "/console/offline").value("csrf")
        assert custodian.post(address, data={"csrf": csrf}).status_code == 303


class TestKept:
    def test_what_a_device_keeps_names_nobody(self, volunteer, lease):
        for path in ("/offline", f"/offline/{lease.lease}"):
            page = volunteer.get(path)
            assert page.status_code == 200
            assert "volunteer" not in page.text
            assert "csrf" not in page.text
            assert "unsafe" not in page.headers["content-security-policy"]

    def test_a_browser_can_install_it(self, visitor):
        worker = visitor.get("/offline/worker.js")
        assert worker.headers["service-worker-allowed"] == "/offline"
        assert "connect-src 'self'" in worker.headers["content-security-policy"]
        said = json.loads(visitor.get("/offline/manifest.webmanifest").text)
        assert (said["start_url"], said["scope"]) == ("/offline", "/offline")

    def test_signing_out_leaves_what_was_sealed(self, volunteer):
        page = read(volunteer, "/console")
        answer = volunteer.post("/console/sign-out", data={"csrf": page.value("csrf")})
        assert answer.headers["clear-site-data"] == '"cache"'


class TestSent:
    def test_nothing_comes_in_without_a_session_its_token_and_its_organisation(
        self, parts, site, visitor, volunteer, lease
    ):
        path, box = f"/offline/{lease.lease}/boxes", b64encode(b"box").decode()
        assert visitor.get("/offline/session", headers=JSON).status_code == 401
        assert visitor.post(path, json={"csrf": "", "box": box}, headers=JSON).status_code == 401
        assert volunteer.post(path, json={"csrf": "x", "box": box}, headers=JSON).status_code == 401
        stranger = badge(parts, site, "lishan-cdc", "other", "collector")
        csrf = stranger.get("/offline/session", headers=JSON).json()["csrf"]
        assert stranger.post(path, json={"csrf": csrf, "box": box}, headers=JSON).status_code == 404

    def test_a_bad_box_is_answered_with_what_is_wrong(self, volunteer, lease):
        csrf = volunteer.get("/offline/session", headers=JSON).json()["csrf"]
        for body in ({"csrf": csrf, "box": "AAAA"}, {"csrf": csrf, "box": "!"}, {"csrf": csrf}, []):
            answer = volunteer.post(f"/offline/{lease.lease}/boxes", json=body, headers=JSON)
            assert (answer.status_code, answer.headers["content-type"]) == (
                422,
                "application/problem+json",
            )


class TestOutbox:
    def test_lease_and_bytes_of_each_box(self):
        body = {"format": "epilock/outbox/v1", "boxes": [{"lease": "l1", "box": "AAE="}]}
        assert read_outbox(json.dumps(body).encode()) == [("l1", b"\x00\x01")]

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
            read_outbox(body)

    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(body=st.binary(max_size=200) | st.text().map(str.encode))
    def test_whatever_the_file_holds_the_answer_is_an_error_of_ours(self, body):
        with pytest.raises(FileFormatError):
            read_outbox(body)
