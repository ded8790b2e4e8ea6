"""What the site gives a device to keep, and what it takes from it: nothing of anybody, and nothing without a session."""

import json
from base64 import b64encode
from uuid import uuid4

import pytest
import town
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from sheet import read
from staff_room import badge

from epilock.collect import code, offline
from epilock.collect.outbox import FORMAT

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

    def test_a_form_that_is_refused_says_which_and_why_and_holds_no_value(
        self, parts, volunteer, lease
    ):
        csrf = volunteer.get("/offline/session", headers=JSON).json()["csrf"]
        client = uuid4()
        send = lambda fields: volunteer.post(  # noqa: E731
            f"/offline/{lease.lease}/boxes",
            json={"csrf": csrf, "box": sealed(parts, lease, client, fields)}, headers=JSON,
        )  # fmt: skip
        answer = send({"name": "欧阳测试", "mobile": "12"})
        said = answer.json()
        assert (answer.status_code, said["type"]) == (422, "urn:epilock:problem:box")
        assert code.encode(3, client.bytes).endswith(said["mark"])
        assert said["fields"][0]["en"].startswith("Mobile: ")
        assert "欧阳测试" not in answer.text
        again = send({"name": "欧阳测试", "mobile": "13912345678"})
        assert (again.status_code, again.json()["became"]) == (201, "stored")
        assert send({"name": "欧阳测试", "mobile": "12"}).json()["became"] == "replaced"


class TestLimit:
    @pytest.mark.parametrize("most", ["", "0", "501", "-1", "x", "²"])
    def test_a_number_that_makes_no_sense_is_refused(self, volunteer, lease, most):
        page = read(volunteer, "/console/offline")
        assert page.send(page.with_field("point"), most=most).status == 400

    def test_in_chinese_it_is_said_in_chinese_and_not_behind_a_fold(self, volunteer, lease):
        page = read(volunteer, "/console/offline?lang=zh")
        page = page.send(page.with_field("point"), most="501")
        assert "带出去填的份数是1到500。" in page.text
        assert "1 to 500 forms" not in page.text

    def test_what_is_beyond_it_waits_for_a_custodian(self, parts, site, volunteer):
        town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE)
        page = read(volunteer, "/console/offline")
        page.send(page.with_field("point"), most="1")
        with parts.database.read() as tx:
            lease = offline.listing(tx, "sunny")[0]
        csrf = volunteer.get("/offline/session", headers=JSON).json()["csrf"]
        fields = {"name": "欧阳测试", "mobile": "13912345678"}
        boxes = [sealed(parts, lease, uuid4(), fields) for _ in range(2)]
        send = lambda box: volunteer.post(  # noqa: E731
            f"/offline/{lease.lease}/boxes", json={"csrf": csrf, "box": box}, headers=JSON
        )
        assert [send(box).status_code for box in boxes] == [201, 409]
        path = f"/console/offline/{lease.lease}/more"
        assert "1 of 1" in read(volunteer, "/console/offline").text
        assert volunteer.post(path, data={"csrf": csrf, "most": "2"}).status_code == 403
        custodian = badge(parts, site, "sunny", "wang", "custodian")
        page = read(custodian, "/console/offline")
        assert page.send(page.to("/more"), most="2").status == 200
        assert [send(box).json()["became"] for box in boxes] == ["repeated", "stored"]


class TestFile:
    def test_each_form_is_answered_for_and_one_that_is_wrong_takes_no_other_with_it(
        self, parts, volunteer, lease
    ):
        good = {"name": "欧阳测试", "mobile": "13912345678"}
        boxes = [
            sealed(parts, lease, uuid4(), fields) for fields in (good, {"name": "诸葛样本"}, good)
        ]
        body = {"format": FORMAT, "boxes": [{"lease": lease.lease, "box": box} for box in boxes]}
        page = read(volunteer, "/console/offline")
        answer = volunteer.post(
            "/console/offline/outbox", data={"csrf": page.value("csrf")},
            files={"file": ("epilock-outbox.json", json.dumps(body))},
        )  # fmt: skip
        assert "2 stored" in answer.text
        assert "No. 2 of the file" in answer.text
        assert "Mobile: " in answer.text
        assert "诸葛样本" not in answer.text


def sealed(parts, lease, client, fields):
    """What a device seals, in base64."""
    with parts.database.read() as tx:
        _, _, form = offline.leased_form(tx, parts.standard, lease)
    said = {
        "client": str(client), "notice": form.notice, "given": list(form.acts.required),
        "fields": fields, "language": "zh",
    }  # fmt: skip
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), lease.public)
    suite = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    info = offline.INFO + lease.lease.encode()
    return b64encode(suite.encrypt(json.dumps(said).encode(), public, info)).decode()
