"""The public log: a stranger can follow it, see what is overdue, and take a proof home."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import town
from sheet import read
from test_resident import TYPED, _fields
from visitor import Visitor

from epilock import assemble
from epilock.destroy import run
from epilock.ledger import succession
from epilock.ledger.note import Verifier
from epilock.ledger.verify import verify
from epilock.web.app import create_app
from epilock.web.log import Gallery

START = datetime(2026, 3, 14, tzinfo=UTC)


@pytest.fixture
def given(parts, visitor):
    """A point that took one record."""
    point = town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT)
    page = _fields(visitor, f"/c/sunny/{point.point}")
    assert page.send(page.form(), step="send", **TYPED).status == 200
    return point


class TestGallery:
    """One picture for all who ask; while it is made anew, the one before."""

    def test_who_asks_while_another_s_is_being_made_gets_the_one_before(self):
        begun, go_on = threading.Event(), threading.Event()

        def make(now):
            if now > START:
                begun.set()
                assert go_on.wait(60)
            return SimpleNamespace(made=now)

        gallery = Gallery(make)
        first, later = gallery.look(START), START + timedelta(minutes=2)
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(gallery.look, later)
            assert begun.wait(60)
            assert gallery.look(later) is first
            go_on.set()
            assert second.result(60).made == later
        assert gallery.look(later) is second.result()

    def test_it_is_a_minute_old_at_most_and_never_of_the_future(self):
        gallery = Gallery(lambda now: SimpleNamespace(made=now))
        first = gallery.look(START)
        assert gallery.look(START + timedelta(seconds=59)) is first
        assert gallery.look(START + timedelta(seconds=60)).made == START + timedelta(seconds=60)
        assert gallery.look(START).made == START


@pytest.mark.usefixtures("given")
class TestFiles:
    def test_a_proof_from_the_site_verifies_with_the_key_from_the_site(self, visitor):
        key = Verifier.from_vkey(visitor.get("/log/vkey").text.strip())
        proof = visitor.get("/log/proof/5.tlog-proof")
        assert "attachment" in proof.headers["content-disposition"]
        assert verify(proof.content, [key]).index == 5

    def test_tiles_may_be_kept_for_ever_and_read_from_anywhere(self, visitor, parts):
        with parts.database.read() as tx:
            size = parts.log.size(tx)
        tile = visitor.get(f"/log/tile/0/000.p/{size}")
        assert tile.status_code == 200
        assert "immutable" in tile.headers["cache-control"]
        assert tile.headers["access-control-allow-origin"] == "*"
        assert visitor.get(f"/log/tile/entries/000.p/{size}").status_code == 200

    @pytest.mark.parametrize(
        "path", ["tile/0/999", "nothing", "tile/x", "entry/999999", "entry/-1"]
    )
    def test_what_is_not_there_is_not_found(self, visitor, path):
        assert visitor.get(f"/log/{path}").status_code in {404, 422}


@pytest.mark.usefixtures("given")
class TestPage:
    def test_the_weeks_stand_as_a_picture_and_as_a_table(self, visitor):
        page = read(visitor, "/log")
        assert '<rect class="came"' in page.html
        assert "Week from Collected Destroyed 9 March 2026 1 0" in page.text

    def test_the_code_of_a_receipt_leads_to_what_was_given(self, visitor, given):
        walk = _fields(visitor, f"/c/sunny/{given.point}")
        code = walk.send(walk.form(), step="send", **TYPED)
        code = "".join(re.search(r'id="code">(.*?)</p>', code.html, re.DOTALL)[1].split())
        code = re.sub(r"<[^>]+>", "", code)
        page = read(visitor, "/log")
        found = page.send(page.with_field("code"), code=code)
        assert (found.status, found.path) == (200, "/r")
        assert "Nobody has opened it" in found.text

    def test_a_bucket_shows_its_day_and_rule(self, visitor):
        page = read(visitor, "/log")
        assert page.status == 200
        assert "Nothing is overdue" in page.text
        assert "the end of 11 April 2026" in page.text
        assert "retain/residential-entry" in page.text

    def test_parts_that_go_together_stand_together(self, visitor):
        page = read(visitor, "/log")
        assert page.text.count("the end of 11 April 2026") == 1
        assert "Name 2-IV , Visit 3-II , Mobile number, Body temperature 3-IV" in page.text

    def test_what_is_due_but_within_the_day_of_grace_is_said_to_be_going(self, visitor, clock):
        clock.instant = datetime(2026, 3, 21, 17, 0, tzinfo=UTC)  # one in the night of the next day
        page = read(visitor, "/log")
        assert "Nothing is overdue" in page.text
        assert "due, being destroyed" in page.text

    def test_what_is_overdue_is_said_first(self, visitor, clock):
        clock.forward(days=40)
        page = read(visitor, "/log")
        assert "Overdue: 1" in page.text

    def test_a_certificate_appears_with_its_counts(self, visitor, clock, parts):
        clock.forward(days=40)
        tools = run.Tools(
            database=parts.database, keys=parts.keys, log=parts.log, standard=parts.standard
        )
        run.run(tools, now=clock())
        page = read(visitor, "/log")
        assert "Nothing is kept at present" in page.text
        indexes = re.findall(r'href="/log/entry/(\d+)"', page.html)
        shown = [read(visitor, f"/log/entry/{index}").text for index in indexes]
        assert sum('"destroyed": 1' in text for text in shown) == 1
        assert "Sunny Garden Committee · Residential entry · 14 March 2026" in page.text

    def test_an_entry_is_looked_up_by_its_number(self, visitor):
        assert read(visitor, "/log?entry=3").path == "/log/entry/3"

    @pytest.mark.parametrize("entry", ["999", "9" * 40, "x", "-1"])
    def test_a_number_that_the_log_does_not_have_is_said_at_its_field(self, visitor, entry):
        page = read(visitor, f"/log?entry={entry}&lang=en")
        assert page.status == 422
        assert "the entries of the log are numbered 0 to" in page.text
        assert 'aria-describedby="entry-wrong"' in page.html
        assert "scanned a code" not in page.text

    def test_one_organisation_alone(self, visitor):
        """What is empty for one of them, or beyond the last page, is not said of all."""
        for path in ("/log?org=lishan-cdc", "/log?page=99"):
            page = read(visitor, path)
            assert "keeps nothing at present, or there is no such page" in page.text
            assert "Nothing is kept" not in page.text

    def test_keys_and_marks_of_all_are_there(self, visitor, parts):
        page = read(visitor, "/log/keys")
        assert parts.notice_signer("sunny").vkey in page.text


@pytest.mark.usefixtures("given")
class TestStranger:
    def test_nothing_in_the_whole_log_is_what_the_person_gave(self, parts):
        with parts.database.read() as tx:
            entries = b"".join(parts.log.entries(tx, 0, parts.log.size(tx)))
        for value in TYPED.values():
            assert value.encode() not in entries


class TestLater:
    """A log was sealed and another goes on: each keeps an address of its own."""

    @pytest.fixture
    def later(self, parts, given, visitor):
        """The site after the succession, and what the old addresses showed before it."""
        assert given
        following = assemble.successor(parts, "log.example/2027")
        before = visitor.get("/log/tile/entries/000.p/5").content
        with parts.database.write() as tx:
            succession.succeed(
                tx, parts.log, following, standard_ref=parts.standard.ref, now=parts.now()
            )
        again = assemble.build(parts.settings, now=parts.now)
        yield Visitor(create_app(again)), again.log, before
        again.close()

    def test_an_address_belongs_to_one_log_for_ever(self, parts, later):
        site, following, before = later
        old, new = site.get("/log/checkpoint").text, site.get("/log/2/checkpoint").text
        assert old.startswith(f"{parts.log.origin}\n{following.base}\n")
        assert new.startswith("log.example/2027\n1\n")
        assert site.get("/log/vkey").text.strip() == parts.log.signer.vkey
        assert site.get("/log/2/vkey").text.strip() == following.signer.vkey
        assert site.get("/log/tile/entries/000.p/5").content == before
        assert site.get("/log/2/tile/entries/000.p/1").status_code == 200
        for path in ("/log/1/checkpoint", "/log/3/checkpoint", "/log/0/vkey", "/log/2/nothing"):
            assert site.get(path).status_code == 404

    def test_entries_are_counted_over_both(self, parts, later):
        site, following, _ = later
        old, new = (site.get(f"/log/proof/{n}.tlog-proof").content for n in (5, following.base))
        assert verify(old, [parts.log.signer.verifier]).index == 5
        assert verify(new, [following.signer.verifier]).index == 0
        page = read(site, f"/log/entry/{following.base}")
        assert "log-continues" in page.text
        assert "In the log log.example/2027 its index is 0" in page.text
        assert site.get(f"/log/entry/{following.base + 1}").status_code == 404

    def test_the_page_tells_how_to_follow_both(self, parts, later):
        site, following, _ = later
        page = read(site, "/log")
        assert f"--key '{parts.log.signer.vkey}'" in page.text
        assert f"/log/2 --key '{following.signer.vkey}'" in page.text
        assert "sealed" in page.text
        assert following.signer.vkey in read(site, "/log/keys").text
