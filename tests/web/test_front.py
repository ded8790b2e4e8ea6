"""The front page leads everywhere, and what everybody may see comes quickly over a poor line."""

import gzip
import re

import pytest
import town
from sheet import read
from staff_room import badge
from visitor import Visitor

from epilock.standard import load
from epilock.web import language

GZIP = {"Accept-Encoding": "gzip"}


class TestFront:
    @pytest.mark.parametrize(
        "where",
        [
            "/r",
            "/log",
            "/log/keys",
            "/log/check",
            "/check",
            "/console",
            "/console/points/new",
            "/api",
        ],
    )
    def test_every_part_of_the_site_is_one_link_away(self, visitor, where):
        page = read(visitor, "/")
        assert page.status == 200
        assert f'href="{where}"' in page.html

    def test_it_says_which_level_is_in_force_and_by_whom(self, visitor):
        page = read(visitor, "/")
        assert "Outbreak 7: Level II (City of Jinan)" in page.text

    def test_it_says_what_the_level_means(self, visitor, parts, clock):
        clock.forward(days=1)
        town.level(parts, "N")
        assert "8 may be opened now" in read(visitor, "/").text

    def test_without_a_level_it_says_that_nothing_is_collected(self, visitor, parts, clock):
        clock.forward(days=1)
        town.level(parts, "E")
        assert "nothing is collected" in read(visitor, "/").text

    def test_each_page_leads_back_to_it(self, visitor):
        for path in ("/r", "/log", "/nowhere"):
            assert 'href="/"' in read(visitor, path).html


class TestSqueeze:
    """``httpx`` unpacks what it asked for, so the length is read off the header."""

    def test_a_notice_and_the_style_sheet_are_compressed(self, visitor, parts):
        point = town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE)
        page = visitor.get(f"/c/sunny/{point.point}", headers=GZIP)
        sheet = visitor.get(
            re.findall(r'href="(/static/epilock.css[^"]*)"', page.text)[0], headers=GZIP
        )
        for answer in (page, sheet):
            assert answer.headers["content-encoding"] == "gzip"
            assert answer.headers["vary"] == "Accept-Encoding"
        wire = sum(int(a.headers["content-length"]) for a in (page, sheet))
        assert wire < 10_000
        assert "East Gate" in page.text

    def test_the_same_page_is_the_same_bytes(self, visitor):
        assert gzip.compress(visitor.get("/r").content, 6, mtime=0) == gzip.compress(
            visitor.get("/r", headers=GZIP).content, 6, mtime=0
        )

    def test_what_holds_a_session_is_not(self, parts, site):
        """Its length would tell about the token beside what a visitor chose (BREACH)."""
        staff = badge(parts, site, "sunny", "wang", "custodian")
        assert "content-encoding" not in staff.get("/console", headers=GZIP).headers

    def test_a_browser_that_does_not_take_it_gets_it_plain(self, site):
        answer = Visitor(site).get("/log", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in answer.headers


class TestProblem:
    def test_a_person_who_looks_up_a_missing_entry_gets_a_page(self, visitor):
        answer = visitor.get("/log/entry/999999", headers={"Accept": "text/html,*/*"})
        assert answer.status_code == 404
        assert "There is no such page" in answer.text

    def test_a_program_gets_a_document(self, visitor):
        answer = visitor.get("/log/entry/999999", headers={"Accept": "application/json"})
        assert answer.headers["content-type"] == "application/problem+json"


def test_every_family_that_must_not_be_asked_has_a_name_for_people():
    phrases = language.load()
    families = {
        pattern.partition(".")[0]
        for where in load().circumstances.values()
        for pattern in where.never
        if pattern.endswith(".*")
    }
    assert {f for f in families if f"askable.family.{f}" not in phrases} == set()
