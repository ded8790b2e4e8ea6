"""Wherever a file is chosen: its limit is said, looked at before anything is sent, and the same at the door."""

import re

import pages
import pytest
import town
from playwright.sync_api import expect
from town_server import CHROMIUM, free_port, serving

from epilock.web import security
from epilock.web.app import create_app

FIELD = re.compile(r'<input id="([^"]+)" name="\1" type="file"([^>]*)>')
SIZE = re.compile(r"(\d+) ([KM]B)")
HOLDING = {
    "form-check": "/check", "form-check-asked": "/check", "point-fields": "/console/points/upload",
    "point-fields-unassessed": "/console/points/upload", "imports": "/console/imports",
    "offline-leases": "/console/offline/outbox", "assessments": "/console/papers/assessments",
    "roster": "/console/accounts/import", "sheet": "/console/sheets/x", "style": "/check",
}  # fmt: skip
"""Each page with a file to choose, and where it is sent."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = pages.found(tmp_path_factory.mktemp("town") / "home", town.Clock())
    town.open_point(made.parts, "sunny", "workplace-entry", town.NAME, method="import")
    yield made
    made.parts.close()


@pytest.fixture(scope="module")
def base(place):
    with serving(create_app(place.parts), free_port()) as base:
        yield base


class TestFields:
    @pytest.mark.parametrize("name", pages.EVERY)
    def test_each_has_the_limit_of_where_it_is_sent(self, place, name):
        answer = place.visitor(name).get(place.path(name))
        found = FIELD.findall(answer.text)
        if name == "log-check":
            return  # what is checked there is never sent
        assert bool(found) == (name in HOLDING)
        for _, attributes in found:
            most = security.taken_at(HOLDING[name]).most
            assert f'data-most="{most}"' in attributes
            assert f"larger than {security.size_of(most)};" in attributes
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            assert answer.text.count("/static/file.js") == 1

    @pytest.mark.parametrize("language", ["zh", "en"])
    @pytest.mark.parametrize("name", HOLDING.keys() - {"style"})
    def test_each_hint_says_it(self, place, name, language):
        answer = place.visitor(name).get(place.path(name), params={"lang": language})
        (hint,) = re.findall(
            r'id="(?:file|report|photo)-hint">([^<]*)', answer.text.replace("<code>", "")
        )
        most = security.taken_at(HOLDING[name]).most
        assert security.size_of(most) in {" ".join(found) for found in SIZE.findall(hint)}

    @pytest.mark.parametrize("path", security.FILES)
    def test_what_is_turned_away_is_told_the_limit_and_where_to_try_again(self, place, path):
        taken = security.FILES[path]
        answer = place.everyone.post(path, content=b"x" * (2 * taken.most + 1))
        assert answer.status_code == 413
        assert f"a file of at most {security.size_of(taken.most)} is taken here" in answer.text
        assert f'href="{taken.page}"' in answer.text
        assert "Nothing was stored" in answer.text

    def test_a_form_without_a_file_is_told_its_own(self, place):
        answer = place.everyone.post("/console/points/new", content=b"x" * 65_537)
        assert "at most 64 KB is taken here" in answer.text


@pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
class TestInABrowser:
    def test_what_is_too_large_is_said_at_once_and_not_sent(self, base, chromium, tmp_path):
        large, small = tmp_path / "large.csv", tmp_path / "small.csv"
        large.write_bytes(b"a" * 1_000_001)
        small.write_text("name\n", "utf-8")
        page = chromium.new_context(locale="en-GB").new_page()
        sent = []
        page.on("request", lambda request: sent.append(request.method))
        page.goto(f"{base}/check")
        page.locator("#circumstance").select_option("residential-entry")
        page.locator("#file").set_input_files(large)
        expect(page.locator("#file-wrong")).to_contain_text("larger than 1 MB", use_inner_text=True)
        page.get_by_role("button", name="Check").click()
        expect(page.locator("#file")).to_be_focused()
        expect(page.locator("#file")).to_have_attribute("aria-describedby", "file-hint file-wrong")
        expect(page.locator("#circumstance")).to_have_value("residential-entry")
        assert "POST" not in sent
        page.locator("#file").set_input_files(small)
        expect(page.locator(".error")).to_have_count(0)
        page.get_by_role("button", name="Check").click()
        page.get_by_text("Your form, field by field").wait_for()
        page.context.close()

    def test_without_scripts_the_page_says_it_and_keeps_what_was_chosen(
        self, base, chromium, tmp_path
    ):
        large = tmp_path / "large.csv"
        large.write_bytes(b"a" * 1_900_000)
        page = chromium.new_context(locale="en-GB", java_script_enabled=False).new_page()
        page.goto(f"{base}/check")
        page.locator("#circumstance").select_option("residential-entry")
        page.locator("#file").set_input_files(large)
        page.get_by_role("button", name="Check").click()
        expect(page.get_by_role("alert")).to_contain_text("at most 1 MB", use_inner_text=True)
        expect(page.locator("#circumstance")).to_have_value("residential-entry")
        page.context.close()
