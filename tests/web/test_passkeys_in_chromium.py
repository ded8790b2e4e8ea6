"""Passkeys in a real browser, before a virtual authenticator: made, signed in with, asked again for, and refused."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs

import pytest
import town
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, CDPSession, Page, expect
from staff_room import PASSWORD, hire
from town_server import CHROMIUM, free_port, serving

from epilock.accounts import passkey, staff
from epilock.assemble import Parts
from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")


@dataclass
class Stage:
    parts: Parts
    base: str
    clock: town.Clock


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Iterator[Stage]:
    """A town served under a name: browsers give no passkey to an address."""
    port, clock = free_port(), town.Clock()
    url = f"http://localhost:{port}"
    parts = town.found(tmp_path_factory.mktemp("town") / "home", clock, url=url)
    with serving(create_app(parts), port):
        yield Stage(parts, url, clock)
    parts.close()


class Device:
    """A browser with a virtual authenticator (WebAuthn level 3, section 11)."""

    def __init__(self, chromium: Browser, stage: Stage) -> None:
        self.stage = stage
        self.page: Page = chromium.new_context(locale="en-GB").new_page()
        self.cdp: CDPSession = self.page.context.new_cdp_session(self.page)
        self.cdp.send("WebAuthn.enable")
        self.id = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True,
            "hasUserVerification": True, "isUserVerified": True, "automaticPresenceSimulation": True,
        }})["authenticatorId"]  # fmt: skip

    def verified(self, *, holder: bool) -> None:
        """Let the authenticator find that it is (or is not) its holder who asks."""
        told = {"authenticatorId": self.id, "isUserVerified": holder}
        self.cdp.send("WebAuthn.setUserVerified", told)

    def credentials(self) -> list[dict]:
        return self.cdp.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"]

    def go(self, path: str) -> None:
        self.page.goto(f"{self.stage.base}{path}")

    def press(self, name: str) -> None:
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).click()

    def set_up(self, login: str, *roles: str, org: str = "sunny") -> None:
        """Sign in with a one-time password, choose another, and make a passkey as the only second factor."""
        once = hire(self.stage.parts, org, login, *roles)
        self.go("/console/sign-in")
        for name, value in (("org", org), ("login", login), ("password", once)):
            self.page.locator(f"#{name}").fill(value)
        self.press("Sign in")
        for name, value in (("old", once), ("new", PASSWORD), ("again", PASSWORD)):
            self.page.locator(f"#{name}").fill(value)
        self.press("Change it")
        with self.page.expect_navigation():
            self.page.get_by_role("link", name="Add a passkey").click()
        self.add("office computer")

    def add(self, label: str) -> None:
        self.page.locator("#label").fill(label)
        self.press("Make the passkey")

    def sign_in(self) -> None:
        self.go("/console/sign-in")
        self.press("Use a passkey")

    def sign_out(self) -> None:
        self.press("Sign out")

    def reads(self, words: str) -> None:
        expect(self.page.locator("main")).to_contain_text(words)

    def answer(self, path: str) -> str:
        """What the device answers to the question of a page; it does not arrive."""
        self.go(path)
        self.page.route("**/sign-in/passkey", lambda route: route.abort())
        with self.page.expect_event("requestfailed") as sent:
            self.page.get_by_role("button", name="Use a passkey", exact=True).click()
        self.page.unroute("**/sign-in/passkey")
        return parse_qs(sent.value.post_data)["answer"][0]

    def close(self) -> None:
        self.page.context.close()


@pytest.fixture
def device(stage, chromium) -> Iterator[Device]:
    stage.clock.forward(minutes=16)  # this address has tried often
    made = Device(chromium, stage)
    yield made
    made.close()


def account(stage: Stage, login: str) -> staff.Staff:
    with stage.parts.database.read() as tx:
        return staff.by_login(tx, "sunny", login)


def test_a_passkey_alone_sets_an_account_up_and_signs_it_in(stage, device):
    device.set_up("first", "custodian")
    device.reads("The passkey is added.")
    device.reads("office computer")
    device.sign_out()
    device.sign_in()
    expect(device.page).to_have_url(f"{stage.base}/console")
    expect(device.page.get_by_role("link", name="first", exact=True)).to_be_visible()
    assert [c["isResidentCredential"] for c in device.credentials()] == [True]


def test_with_keys_alone(stage, device):
    device.set_up("keys", "custodian")
    device.sign_out()
    device.go("/console/sign-in")
    wanted = device.page.get_by_role("button", name="Use a passkey", exact=True)
    for _ in range(40):
        device.page.keyboard.press("Tab")
        if wanted.evaluate("e => e === document.activeElement"):
            break
    with device.page.expect_navigation():
        device.page.keyboard.press("Enter")
    expect(device.page).to_have_url(f"{stage.base}/console")


def test_who_the_device_does_not_know_is_not_let_in(stage, device):
    device.set_up("stranger", "custodian")
    device.sign_out()
    device.verified(holder=False)
    device.go("/console/sign-in")
    device.page.get_by_role("button", name="Use a passkey", exact=True).click()
    device.page.get_by_text("The device gave no passkey").wait_for(state="visible")
    expect(device.page).to_have_url(re.compile("/console/sign-in$"))


def test_a_removed_passkey_opens_nothing(stage, device):
    device.set_up("removed", "custodian")
    device.sign_out()
    who = account(stage, "removed")
    with stage.parts.database.write() as tx:
        passkey.remove_all(tx, "sunny", who.staff)
    device.sign_in()
    device.reads("it was removed")


def test_a_disabled_account_is_shut_for_its_passkey(stage, device):
    device.set_up("disabled", "custodian")
    device.sign_out()
    parts, who = stage.parts, account(stage, "disabled")
    with parts.database.write() as tx:
        staff.set_roles(
            tx, parts.log, standard_ref=parts.standard.ref, org="sunny", code=who.staff, roles=(),
            now=parts.now(),
        )  # fmt: skip
    device.sign_in()
    device.reads("disabled")


def test_an_answer_counts_once_in_its_browser_for_five_minutes(stage, device, chromium):
    device.set_up("replayed", "custodian")
    device.sign_out()
    given = device.answer("/console/sign-in")
    request, address = device.page.context.request, f"{stage.base}/console/sign-in/passkey?lang=en"
    foreign = chromium.new_context(locale="en-GB")
    assert "not asked here" in foreign.request.post(address, form={"answer": given}).text()
    foreign.close()
    assert request.post(address, form={"answer": given}).url == f"{stage.base}/console?lang=en"
    again = request.post(address, form={"answer": given})
    assert again.status == 401
    assert "used before" in again.text()
    late = device.answer("/console/sign-in")
    stage.clock.forward(minutes=5)
    assert "more than five minutes" in request.post(address, form={"answer": late}).text()


def test_another_sites_answer_is_refused(stage, device):
    """A page that passes our question on gets an answer that names that page's own address."""
    device.set_up("phished", "custodian")
    device.sign_out()
    given = device.answer("/console/sign-in")
    elsewhere = passkey.place_of("http://epilock.example")
    answer, who = passkey.read(given), account(stage, "phished")
    with stage.parts.database.write() as tx:
        found = passkey.check(
            tx, answer, place=elsewhere, org="sunny", staff=who.staff, challenge=answer.challenge,
            now=stage.clock(),
        )  # fmt: skip
    assert "asked at another address" in str(found)


def test_another_accounts_passkey_is_refused_even_with_its_own_answer(stage, device):
    device.set_up("mine", "custodian")
    device.sign_out()
    answer = passkey.read(device.answer("/console/sign-in"))
    hire(stage.parts, "jinan", "yours", "custodian")
    with stage.parts.database.read() as tx:
        yours = staff.by_login(tx, "jinan", "yours").staff
    for org, code in (("sunny", yours), ("jinan", yours), ("jinan", account(stage, "mine").staff)):
        with stage.parts.database.write() as tx:
            found = passkey.check(
                tx, answer, place=passkey.place_of(stage.base), org=org, staff=code,
                challenge=answer.challenge, now=stage.clock(),
            )  # fmt: skip
        assert "not known here" in str(found)


def test_a_counter_that_went_back_shuts_the_passkey_out(stage, device):
    device.set_up("copied", "custodian")
    device.sign_out()
    who = account(stage, "copied")
    with stage.parts.database.write() as tx:
        (mine,) = passkey.of(tx, "sunny", who.staff)
        key = {"org": "sunny", "staff": who.staff, "passkey": mine.passkey}
        tx.update(passkey.passkeys, key, sign_count=1_000)
    device.sign_in()
    device.reads("counter went back")
    with stage.parts.database.read() as tx:
        assert passkey.of(tx, "sunny", who.staff)[0].shut is not None
        assert staff.load(tx, "sunny", who.staff).has_factor  # the password alone lets nobody in


def test_a_forged_answer_shuts_nothing_out(stage, device):
    """The counter counts only under a signature that holds."""
    device.set_up("forged", "custodian")
    device.sign_out()
    who = account(stage, "forged")
    with stage.parts.database.write() as tx:
        (mine,) = passkey.of(tx, "sunny", who.staff)
        key = {"org": "sunny", "staff": who.staff, "passkey": mine.passkey}
        tx.update(passkey.passkeys, key, sign_count=1_000)
    sent = json.loads(device.answer("/console/sign-in"))
    sent["response"]["signature"] = "AAAA"
    answer = passkey.read(json.dumps(sent))
    with stage.parts.database.write() as tx:
        found = passkey.check(
            tx, answer, place=passkey.place_of(stage.base), org="sunny", staff=who.staff,
            challenge=answer.challenge, now=stage.clock(),
        )  # fmt: skip
        assert "does not hold" in str(found)
        assert passkey.of(tx, "sunny", who.staff)[0].shut is None


def test_after_five_minutes_the_passkey_is_asked_for_again_and_nothing_typed_is_lost(stage, device):
    device.set_up("later", "custodian")
    stage.clock.forward(minutes=6)
    device.go("/console/account")
    device.page.locator("#days").select_option("90")
    device.press("Make a token")
    device.reads("Show that it is you")
    expect(device.page).to_have_url(f"{stage.base}/console/account/tokens")
    device.press("Use a passkey")
    device.reads("The token is made")


def test_the_last_second_factor_stays(stage, device):
    device.set_up("last", "custodian")
    device.go("/console/account/passkeys")
    device.press("Remove")
    device.reads("your last second factor")
    assert account(stage, "last").has_passkey


def test_axe_finds_no_fault_on_the_way(stage, device):
    """Pages that only a form answers, or that only some accounts have; the others are in ``test_axe``."""
    device.page.set_viewport_size({"width": 320, "height": 640})
    device.set_up("axe", "custodian")
    _check(device.page)
    device.go("/console/account")
    device.reads("locks you out")
    device.reads("office computer: added 14 March 2026")
    _check(device.page)
    device.press("Make new recovery codes")
    _check(device.page)
    stage.clock.forward(minutes=6)
    device.go("/console/account/passkeys/new")
    _check(device.page)  # the proof
    device.press("Use a passkey")
    _check(device.page)
    device.sign_out()
    _check(device.page)


def _check(page: Page) -> None:
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320, page.url
