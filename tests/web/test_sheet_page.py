"""A page of a paper ledger: keyed in once, as a whole or not at all."""

import io
import re
from datetime import timedelta
from hashlib import sha256

import pytest
import sqlalchemy as sa
import town
from PIL import Image
from sheet import read
from staff_room import badge

from epilock.accounts import staff
from epilock.collect import paper
from epilock.store import vault
from epilock.use import grant

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
            {"page": "51"}, {"page": "x"}, {"book": "a/b"}, {"place": ""},
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


def camera():
    """A file as a telephone makes it, with its maker."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x010F] = "Camera of Zhang"
    Image.new("RGB", (600, 800), "white").save(out, "JPEG", exif=exif)
    return out.getvalue()


class TestPhotograph:
    @pytest.fixture
    def keyed_in(self, volunteer, point):
        """Send a page with a file; the acts are ticked but the guardian's."""
        page = read(volunteer, f"/console/sheets/{point}")
        form = page.with_field("book")
        acts = [value for _, value in form.boxes if value != "guardian"]

        def go(body, **typed):
            data = {**dict(form.values), **HEAD, **ROW_1, **ROW_5, **typed, "act": acts}
            answer = volunteer.post(
                form.action, data=data, files={"photo": ("p.jpg", body, "image/jpeg")}
            )
            return volunteer.get(answer.headers["location"]) if answer.is_redirect else answer

        return go

    @pytest.fixture
    def officer(self, parts, site):
        """Someone of the health office who may open two records as they were given."""
        doctor = badge(parts, site, "lishan-cdc", "doctor", "analyst")
        with parts.database.write() as tx:
            who, second = (staff.by_login(tx, "lishan-cdc", "doctor"), _second(parts, tx))
            asked = grant.request(
                tx, parts.standard, who, source="sunny", purpose="tracing", form="raw", subjects=3,
                case="C-1", circumstances=("residential-entry",), reason="contact of a case",
                until=parts.now() + timedelta(days=2), now=parts.now(),
            )  # fmt: skip
            grant.decide(
                tx, parts.log, parts.keys, standard_ref=parts.standard.ref, org="lishan-cdc", grant=asked.grant,
                by=second, approve=True, now=parts.now(),
            )  # fmt: skip
        return doctor

    def test_it_is_registered_sealed_and_seen_with_its_page_by_who_may(
        self, parts, volunteer, officer, point, keyed_in
    ):
        body = camera()
        assert keyed_in(body).status_code == 200
        page = read(volunteer, f"/console/sheets/{point}/A-12/3?lang=en")
        assert sha256(body).hexdigest() in page.html
        assert "It rests sealed" in page.text
        assert "/console/records/" not in page.html  # a collector opens no record
        record = read(officer, "/console/records/sunny/1/0?lang=en")
        form = next(f for f in record.forms if sum(n == "place" for n, _ in f.values) == 2)
        opened = record.send(form)
        (picture,) = re.findall(r'<img src="([^"]+photograph[^"]*)"', opened.html)
        answer = officer.get(picture)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "no-store"
        found = Image.open(io.BytesIO(answer.content))
        assert (found.size, b"Zhang" in answer.content) == ((600, 800), False)
        assert volunteer.get(picture).status_code == 403
        parts.now.forward(minutes=16)
        assert officer.get(picture).status_code == 403

    def test_one_record_of_the_page_alone_shows_no_photograph(self, officer, keyed_in):
        keyed_in(camera())
        record = read(officer, "/console/records/sunny/1/0?lang=en")
        opened = record.send(record.to("/open/sunny"))
        assert "欧阳测试" in opened.text
        assert "photograph" not in opened.html

    def test_a_file_that_is_no_photograph_stores_nothing(self, parts, keyed_in):
        answer = keyed_in(b"%PDF-1.7 not a photograph")
        assert (answer.status_code, stored(parts)) == (400, 0)
        assert "诸葛样本" in answer.text  # what was typed is still there

    def test_one_that_is_too_large_stores_nothing(self, parts, keyed_in):
        answer = keyed_in(bytes(8_050_000))
        assert (answer.status_code, stored(parts)) == (413, 0)
        assert keyed_in(bytes(9_000_000)).status_code == 413

    def test_it_goes_when_someone_attests_that_the_page_went(
        self, volunteer, officer, point, keyed_in
    ):
        keyed_in(camera())
        page = read(volunteer, "/console/sheets")
        page.send(page.to("/A-12/3/destroyed"))
        assert "destroyed" in read(volunteer, f"/console/sheets/{point}/A-12/3?lang=en").text
        record = read(officer, "/console/records/sunny/1/0?lang=en")
        assert not [f for f in record.forms if sum(n == "place" for n, _ in f.values) == 2]


def _second(parts, tx):
    made, _ = staff.add_staff(
        tx, parts.log, standard_ref=parts.standard.ref, org="lishan-cdc", login="second",
        roles=("approver",), now=parts.now(),
    )  # fmt: skip
    return made
