"""What the site gives a device to keep, and what it takes from it: nothing of anybody, and nothing without a session."""

import json
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from uuid import uuid4

import pytest
import town
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from sheet import read
from staff_room import badge, hire, sign_in
from visitor import Visitor

from epilock.collect import code, offline
from epilock.collect import point as points
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
        return offline.read(*tx.all(offline.offline_leases))


class TestTaking:
    def test_a_point_that_writes_on_paper_is_not_taken_along(self, parts, volunteer, lease):
        point = town.open_paper_point(parts).point
        page = read(volunteer, "/console/offline")
        assert point not in page.html
        assert page.send(page.with_field("point"), point=point).status == 400

    def test_the_same_form_sent_twice_takes_one_lease(self, parts, volunteer):
        """The button was pressed twice, or once more by Back."""
        town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE)
        page = read(volunteer, "/console/offline")
        first, again = (page.send(page.with_field("point")) for _ in range(2))
        assert first.path == again.path
        other = read(volunteer, "/console/offline")
        assert other.send(other.with_field("point")).path != first.path
        with parts.database.read() as tx:
            assert len(tx.all(offline.offline_leases)) == 2

    def test_an_id_that_another_account_used_leads_nowhere(self, parts, site, volunteer, lease):
        page = read(badge(parts, site, "sunny", "other", "collector"), "/console/offline")
        once = uuid4()
        first = page.send(page.with_field("point"), once=str(once))
        assert first.path == f"/offline/{offline.code_for(once)}"
        mine = read(volunteer, "/console/offline")
        assert mine.send(mine.with_field("point"), once=str(once)).status == 409
        assert mine.send(mine.with_field("point"), once="x").status == 400

    def test_who_looks_at_its_page_signs_in_and_comes_back(self, parts, visitor, lease):
        there = visitor.get(f"/offline/{lease.lease}", headers={"accept": "text/html,*/*"})
        assert there.status_code == 303
        assert there.headers["location"].startswith("/console/sign-in?to=%2Foffline%2F")

    def test_a_device_that_keeps_its_page_is_not_led_to_the_door(self, visitor, lease):
        """Else it would keep the door in its place."""
        assert visitor.get(f"/offline/{lease.lease}").status_code == 401


class TestForm:
    def test_the_browser_remembers_nothing_that_is_typed_in_it(self, volunteer, lease):
        """Else the profile on the disk holds names and numbers in clear, whatever is sealed."""
        page = read(volunteer, f"/offline/{lease.lease}")
        assert set(re.findall(r'autocomplete="([^"]*)"', page.html)) == {"off"}


class TestClosing:
    def test_a_point_that_devices_have_with_them_is_closed_knowingly(self, parts, volunteer, lease):
        page = read(volunteer, f"/console/points/{lease.point}")
        assert "Devices that have this point with them: 1." in page.text
        unsure = page.send(page.to("/close"), reason="finished")
        assert unsure.status == 400
        assert "have not sent is lost" in unsure.text
        with parts.database.read() as tx:
            assert points.load(tx, "sunny", lease.point).closed is None
        page.send(page.to("/close"), ("sure", "yes"), reason="finished")
        with parts.database.read() as tx:
            assert points.load(tx, "sunny", lease.point).closed is not None
        assert "ended; its key is gone" in read(volunteer, "/console/offline").text


class TestEnding:
    def test_nobody_but_who_took_it_or_a_custodian_ends_it(self, parts, site, volunteer, lease):
        """What was not sent under it is lost."""
        address = f"/console/offline/{lease.lease}/end"
        other = badge(parts, site, "sunny", "other", "collector")
        csrf = read(other, "/console/offline").value("csrf")
        assert other.post(address, data={"csrf": csrf}).status_code == 403
        assert other.get(address).status_code == 403
        assert "End it" not in read(other, "/console/offline").text
        custodian = badge(parts, site, "sunny", "wang", "custodian")
        csrf = read(custodian, "/console/offline").value("csrf")
        assert custodian.post(address, data={"csrf": csrf}).status_code == 303

    def test_it_asks_first_and_says_which_and_what_is_lost(self, parts, volunteer, lease):
        """Looking at the question ends nothing; it leads back to the list as it was."""
        listed = read(volunteer, "/console/offline?holder=me")
        question = read(volunteer, next(to for to, _ in listed.links if "/end" in to))
        told = ("East Gate", lease.lease, "volunteer", "0 of 200", "can then never be opened")
        assert [words for words in told if words not in question.text] == []
        assert "still taken" in read(volunteer, "/console/offline?holder=me").text
        ended = question.send(question.to("/end"))
        assert "The lease has ended" in ended.text
        assert ("holder", "me") in ended.with_field("holder").values
        assert "its key is gone or about to go" in ended.text
        assert read(volunteer, question.path).status == 410

    def test_rows_say_who_took_it_and_how_many_came_in(self, parts, site, volunteer, lease):
        other = badge(parts, site, "sunny", "other", "collector")
        page = read(other, "/console/offline")
        page = page.send(page.with_field("point"), most="7")
        said = read(other, "/console/offline").text
        assert [w for w in ("volunteer", "0 of 200", "other", "0 of 7") if w not in said] == []


class TestOver:
    """What a device asks whenever it reaches the site, with a session or after it."""

    def test_a_lease_that_goes_on_is_not_named(self, visitor, lease):
        assert over(visitor, lease) == []

    def test_one_that_was_ended_is(self, parts, clock, visitor, lease):
        with parts.database.write() as tx:
            offline.end(tx, lease, now=clock())
        assert over(visitor, lease) == [lease.lease]

    def test_one_whose_time_is_over_is(self, visitor, clock, lease):
        clock.forward(days=3)
        assert over(visitor, lease) == [lease.lease]

    def test_one_whose_point_has_closed_is(self, parts, clock, visitor, lease):
        with parts.database.write() as tx:
            points.close_point(
                tx, parts.log, parts.standard, org="sunny", point=lease.point, reason="moved",
                now=clock(),
            )  # fmt: skip
        assert over(visitor, lease) == [lease.lease]

    @pytest.mark.parametrize(
        "named", ["", "sunny", "/", "lishan-cdc/{lease}", "sunny/l-zzz", "sunny/%00", "x" * 3000]
    )
    def test_what_is_no_lease_is_not_named(self, parts, clock, visitor, lease, named):
        with parts.database.write() as tx:
            offline.end(tx, lease, now=clock())
        answer = visitor.get(f"/offline/over?lease={named.format(lease=lease.lease)}")
        assert (answer.status_code, answer.json()) == (200, {"over": []})


class TestArrived:
    """What a device asks of a lease that is over, with a session or after it."""

    GOOD = {"name": "欧阳测试", "mobile": "13912345678"}  # noqa: RUF012 - read alone

    def send(self, volunteer, lease, box):
        csrf = volunteer.get("/offline/session", headers=JSON).json()["csrf"]
        return volunteer.post(
            f"/offline/{lease.lease}/boxes", json={"csrf": csrf, "box": box}, headers=JSON
        ).json()

    def test_each_box_that_needs_nothing_more_is_named_for_thirty_days(
        self, parts, clock, visitor, volunteer, lease
    ):
        """Stored, sent once more, or replaced by what its person said again; but none that was refused or never came."""
        client = uuid4()
        stored, never = (sealed(parts, lease, uuid4(), self.GOOD) for _ in range(2))
        bad = sealed(parts, lease, client, {"name": "欧阳测试", "mobile": "12"})
        refused = sealed(parts, lease, uuid4(), {"name": "欧阳测试", "mobile": "12"})
        right = sealed(parts, lease, client, self.GOOD)
        assert [
            self.send(volunteer, lease, box).get("became")
            for box in (stored, stored, bad, refused, right, bad)
        ] == ["stored", "repeated", None, None, "stored", "replaced"]
        boxes = [stored, never, bad, refused, right]
        assert arrived(visitor, lease, boxes) == (True, {stored, bad, right})
        clock.forward(days=31)
        assert arrived(visitor, lease, boxes) == (True, {stored, bad, right})
        clock.forward(days=2)
        with parts.database.write() as tx:
            offline.forget_arrived(tx, now=clock())
        assert arrived(visitor, lease, boxes) == (False, set())

    def test_what_came_before_is_told_to_have_come_after_the_end_too(
        self, parts, clock, volunteer, lease
    ):
        box = sealed(parts, lease, uuid4(), self.GOOD)
        first = self.send(volunteer, lease, box)
        with parts.database.write() as tx:
            offline.end(tx, lease, now=clock())
        assert self.send(volunteer, lease, box) == {**first, "became": "repeated"}
        other = sealed(parts, lease, uuid4(), self.GOOD)
        assert self.send(volunteer, lease, other)["type"] == "urn:epilock:problem:closed"

    def test_another_organisation_s_lease_says_nothing(self, parts, visitor, volunteer, lease):
        box = sealed(parts, lease, uuid4(), self.GOOD)
        self.send(volunteer, lease, box)
        assert arrived(visitor, lease, [box], org="lishan-cdc") == (False, set())

    @pytest.mark.parametrize(
        "body",
        [b"", b"[]", b'{"lease": 1, "boxes": []}', b'{"lease": "sunny/l-a", "boxes": ["zz"]}',
         b'{"lease": "sunny/l-a", "boxes": [' + b",".join([b'""'] * 501) + b"]}"],
    )  # fmt: skip
    def test_what_is_no_question_is_answered_so(self, visitor, body):
        answer = visitor.post("/offline/arrived", content=body, headers=JSON)
        assert (answer.status_code, answer.json()["type"]) == (
            422,
            "urn:epilock:problem:file-format",
        )


def arrived(visitor, lease, boxes, org="sunny"):
    """What the site answers a device about boxes: if it is known, and which came."""
    named = {sha256(b64decode(box)).hexdigest(): box for box in boxes}
    answer = visitor.post(
        "/offline/arrived", json={"lease": f"{org}/{lease.lease}", "boxes": list(named)}
    ).json()
    return answer["known"], {named[each] for each in answer["arrived"]}


class TestAccount:
    """Who is signed in, and what of it keeps a device from sending."""

    def test_one_that_is_not_set_up_is_told_so(self, parts, site, lease):
        new = Visitor(site)
        sign_in(new, "sunny", "new", hire(parts, "sunny", "new", "collector"))
        for path in ("/offline/session", f"/offline/{lease.lease}"):
            answer = new.get(path, headers=JSON)
            assert (answer.status_code, answer.json()["type"]) == (
                401,
                "urn:epilock:problem:unfinished",
            )
        page = new.get(f"/offline/{lease.lease}", headers={"accept": "text/html"})
        assert page.headers["location"].startswith("/console/password")

    def test_one_that_may_not_collect_is_told_so(self, parts, site, lease):
        analyst = badge(parts, site, "sunny", "analyst", "analyst")
        assert analyst.get("/offline/session", headers=JSON).status_code == 403


def over(visitor, lease):
    """What the site answers a device about a lease."""
    return visitor.get(f"/offline/over?lease=sunny/{lease.lease}").json()["over"]


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
            lease = offline.read(*tx.all(offline.offline_leases))
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
