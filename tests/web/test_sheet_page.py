"""A page of a paper ledger: keyed in once, as a whole or not at all."""

import io
import re
import time
from datetime import timedelta
from hashlib import sha256
from uuid import uuid4

import pytest
import sqlalchemy as sa
import town
from PIL import Image
from sheet import read
from staff_room import badge

import passwords
from epilock.accounts import staff
from epilock.collect import issue, paper
from epilock.collect import point as points
from epilock.store import vault
from epilock.use import grant
from epilock.web.console import sheet

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
        assert "is keyed in and registered." in send().text
        assert stored(parts) == 2
        again = send()  # the button was pressed twice, or by Back
        assert (again.status, again.path) == (200, "/console/sheets")
        assert "nothing was done twice" in again.text
        assert "keyed in already" in send(sheet=str(uuid4())).text
        assert stored(parts) == 2

    def test_after_a_crash_before_the_register_the_same_form_doubles_nothing(self, parts, send):
        send()
        with parts.database.write() as tx:
            for table in (paper.paper_pages, paper.paper_codes):
                tx.conn.execute(sa.delete(table))
        assert "is keyed in and registered." in send().text
        assert stored(parts) == 2

    def test_one_wrong_row_and_nothing_is_stored(self, parts, send):
        page = send(**{"r5.mobile": "12"})
        assert (page.status, stored(parts)) == (422, 0)
        assert "Row 5" in page.text
        assert "诸葛样本" in page.html

    def test_what_nobody_signed_and_a_wrong_row_are_said_together(self, parts, send):
        page = send(acts=[], **{"r5.mobile": "12"})
        assert (page.status, stored(parts)) == (422, 0)
        assert page.text.count("leave out whoever did not sign") == 1
        assert "#act-1" in page.html
        assert "Row 5" in page.text

    @pytest.mark.parametrize(
        "typed",
        [
            {"page": "51"}, {"page": "x"}, {"book": "a/b"}, {"place": ""},
            {"written": "2026-03-15"}, {"written": "today"}, {"sheet": "none"},
            {"r1.name": "", "r1.mobile": "", "r5.name": "", "r5.mobile": ""},
        ],
    )  # fmt: skip
    def test_a_page_that_is_not_described_is_not_taken(self, parts, send, typed):
        page = send(**typed)
        assert (400 <= page.status < 500, stored(parts)) == (True, 0)

    @pytest.mark.parametrize(
        ("typed", "field"),
        [
            ({"page": "51"}, "page"), ({"book": "a/b"}, "book"), ({"place": ""}, "place"),
            ({"written": "2026-03-15"}, "written"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_stands_beside_its_field_and_in_the_summary(self, send, typed, field):
        page = send(**typed)
        assert beside(page.html) == [field]
        assert f'href="#{field}"' in page.html

    def test_that_a_page_is_registered_already_stands_beside_its_number(self, send):
        send()
        page = send(sheet=str(uuid4()))
        assert page.status == 409
        assert beside(page.html) == ["page"]
        assert page.html.count("was keyed in already") == 2

    def test_all_that_is_wrong_is_said_at_once(self, send):
        page = send(acts=[], book="a/b", place="", **{"r5.mobile": "12"})
        assert beside(page.html) == ["book", "place"]
        assert "Row 5" in page.text
        assert "#act-1" in page.html

    def test_who_opens_a_point_for_paper_can_key_in_at_once(self, parts, volunteer):
        """Paper as a way to collect says that it is kept on paper too: nobody has to say it twice."""
        town.assess(parts, "sunny", "residential-entry")
        page = read(volunteer, "/console/points/new/residential-entry?method=paper")
        assert "medium" not in page.html
        point = page.send(page.with_field("zh"), zh="南门").path.rpartition("/")[2]
        assert f"/console/sheets/{point}" in read(volunteer, "/console/sheets").html
        assert read(volunteer, f"/console/sheets/{point}").with_field("book")
        with parts.database.read() as tx:
            assert "paper" in issue.in_force(tx, "sunny", point)[1].notice.media

    def test_a_point_that_does_not_say_paper_in_its_notice_takes_none(self, parts, volunteer):
        other = town.open_point(parts, "sunny", "residential-entry", town.NAME)
        assert read(volunteer, f"/console/sheets/{other.point}").status == 403


def beside(html):
    """The fields beside which an error stands, in order."""
    return re.findall(r'<p class="error" id="(\w+)-wrong">', html)


class TestRows:
    """A ledger's page has as many lines as it has; whoever keys it in need not leave one out."""

    @pytest.fixture
    def full(self):
        """A page of 99 lines."""
        rows = range(1, sheet.MOST_ROWS + 1)
        return {f"r{n}.name": "欧阳测试" for n in rows} | {
            f"r{n}.mobile": f"139{n:08}" for n in rows
        }

    def test_each_has_its_number(self, volunteer, point):
        page = read(volunteer, f"/console/sheets/{point}")
        assert re.findall(r'<th scope="row" class="number">(\d+)', page.html) == [
            str(n) for n in range(1, 21)
        ]

    def test_more_are_asked_for_without_storing_or_losing_anything(self, parts, send):
        page = send(more="yes", **{"r20.name": "司徒样本"})
        assert (page.status, stored(parts)) == (200, 0)
        assert page.value("r1.name") == "欧阳测试"
        assert page.value("r20.name") == "司徒样本"
        assert page.value("place") == "cabinet 2"
        assert "r40.name" in page.with_field("book").fields
        assert re.findall(r'id="([^"]+)"[^>]* autofocus', page.html) == ["r21.name"]
        page = page.send(page.with_field("book"), more="yes")
        page = page.send(page.with_field("book"), more="yes")
        page = page.send(page.with_field("book"), more="yes")
        assert "r99.name" in page.with_field("book").fields
        assert "r100.name" not in page.with_field("book").fields
        assert "More rows" not in page.text

    def test_a_page_of_99_lines_is_stored_whole_and_soon(self, parts, send, full):
        began = time.monotonic()
        assert "registered" in send(**full).text
        assert time.monotonic() - began < sheet.SECONDS_TO_STORE / 3
        assert stored(parts) == sheet.MOST_ROWS

    def test_with_one_wrong_all_99_are_still_there(self, parts, send, full):
        page = send(**{**full, "r99.mobile": "12"})
        assert (page.status, stored(parts)) == (422, 0)
        assert "Row 99" in page.text
        assert [page.value(f"r{n}.name") for n in range(1, 100)] == ["欧阳测试"] * 99

    def test_the_widest_point_with_the_longest_page_fits_into_a_form(self, volunteer, point):
        """Each cell is a field of the form, also an empty one."""
        cells = {
            f"r{n}.f{m}": ""
            for n in range(1, sheet.MOST_ROWS + 1)
            for m in range(points.MAX_FIELDS)
        }
        form = read(volunteer, f"/console/sheets/{point}").with_field("book")
        data = {**dict(form.values), **HEAD, **cells, "more": "yes"}
        files = {"photo": ("p.jpg", b"", "image/jpeg")}
        assert volunteer.post(form.action, data=data, files=files).status_code == 200


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
        assert beside(answer.text) == ["photo"]
        assert 'href="#photo"' in answer.text

    @pytest.mark.parametrize("size", [8_000_001, 15_900_000])
    def test_one_that_is_too_large_stores_nothing_and_loses_nothing(self, parts, keyed_in, size):
        answer = keyed_in(bytes(size))
        assert (answer.status_code, stored(parts)) == (413, 0)
        assert "诸葛样本" in answer.text
        assert beside(answer.text) == ["photo"]
        assert answer.text.count("A file of at most 8 MB is taken here") == 2

    @pytest.mark.parametrize(
        ("language", "said"), [("en", "at most 8 MB is taken"), ("zh", "这里的文件最多8 MB")]
    )
    def test_one_that_no_page_takes_is_turned_away_with_the_limit_and_a_way_back(
        self, volunteer, point, language, said
    ):
        path = f"/console/sheets/{point}?lang={language}"
        answer = volunteer.post(path, data={}, files={"photo": ("p.jpg", bytes(16_000_000))})
        assert answer.status_code == 413
        assert said in answer.text
        assert f'href="{path}"' in answer.text

    def test_one_that_was_chosen_for_a_page_that_is_wrong_is_asked_for_again(self, keyed_in):
        for typed in ({"place": ""}, {"more": "yes"}):
            answer = keyed_in(camera(), **typed)
            assert "choose the photograph again" in answer.text
        assert "choose the photograph again" not in keyed_in(b"").text

    def test_it_goes_when_someone_attests_that_the_page_went(
        self, volunteer, officer, point, keyed_in
    ):
        keyed_in(camera())
        path = f"/console/sheets/{point}/A-12/3/destroyed"
        assert path in read(volunteer, "/console/sheets").html
        page = read(volunteer, f"{path}?lang=en")
        assert "can't be taken back" in page.text
        page.send(page.to("/A-12/3/destroyed"))
        again = page.send(page.to("/A-12/3/destroyed"))
        assert (again.status, "nothing was done twice" in again.text) == (200, True)
        assert volunteer.get(path).headers["location"].startswith(path.removesuffix("/destroyed"))
        assert "destroyed" in read(volunteer, f"/console/sheets/{point}/A-12/3?lang=en").text
        record = read(officer, "/console/records/sunny/1/0?lang=en")
        assert not [f for f in record.forms if sum(n == "place" for n, _ in f.values) == 2]

    def test_what_one_attested_another_does_not_attest_again(
        self, parts, site, volunteer, point, keyed_in
    ):
        keyed_in(camera())
        path = f"/console/sheets/{point}/A-12/3/destroyed"
        page = read(volunteer, path)
        page.send(page.to("/A-12/3/destroyed"))
        second = badge(parts, site, "sunny", "second", "collector")
        csrf = read(second, "/console/sheets").value("csrf")
        other = second.post(f"{path}?lang=en", data={"csrf": csrf})
        assert other.status_code == 409
        assert "attested by another person" in other.text


def _second(parts, tx):
    made, _ = staff.add_staff(
        tx, parts.log, standard_ref=parts.standard.ref, org="lishan-cdc", login="second",
        roles=("approver",), now=parts.now(), once=passwords.once(),
    )  # fmt: skip
    return made
