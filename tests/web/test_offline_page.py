"""A volunteer's device in a real browser, without a network or beside a paper ledger: nothing is lost, doubled or left behind."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import numpy as np
import pytest
import segno
import sqlalchemy as sa
import town
import zxingcpp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from playwright.sync_api import Page, Route, expect
from staff_room import badge, hire
from test_chromium import CHROMIUM, CONTRAST, SIZES, Watch
from test_resident_in_browser import SHIFT
from test_sheet_page import camera
from town_server import REQUIRED, every, free_port, serving

from epilock.accounts import session, staff
from epilock.collect import code, offline, outbox
from epilock.collect.answer import Problem
from epilock.collect.identifier import CHECKS
from epilock.errors import FieldsError
from epilock.store import vault
from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
NAME, MOBILE, TODAY = "欧阳测试", "13912345678", town.START.date()
TYPED = (NAME, MOBILE, "36.6")
ID_NUMBER = "110101199003070054"  # of nobody: a number that passes its check
KEYED = {"f-name": NAME, "f-mobile": MOBILE, "f-temperature": "36.6"}
STILL = 0.05  # of the browser's layout shift, in which a line more on a phone is 0.02
# RFC 9180, A.3.1: DHKEM(P-256, HKDF-SHA256), base mode.
PK_E = (
    "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863"
    "c403ce65c9bfcb9382657222d18c4"
)
SK_E = "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb"
PK_R = (
    "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6a"
    "a8f80e30f1d128aafd68a2ce72ea0"
)
SHARED = "c0d26aeab536609a572b07695d933b589dcf363ff9d93c93adea537aeabb8cb8"
KEPT = """
async () => {
  const said = [JSON.stringify({ ...localStorage }), JSON.stringify({ ...sessionStorage }), document.cookie];
  const text = (bytes) => new TextDecoder("utf-8").decode(bytes);
  for (const { name } of await indexedDB.databases()) {
    const db = await new Promise((done) => { const r = indexedDB.open(name); r.onsuccess = () => done(r.result); });
    for (const store of db.objectStoreNames) {
      const rows = await new Promise((done) => {
        const r = db.transaction(store).objectStore(store).getAll(); r.onsuccess = () => done(r.result);
      });
      for (const row of rows) said.push(JSON.stringify(row), row.box ? text(row.box) : "");
    }
    db.close();
  }
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) said.push(request.url, await (await cache.match(request)).text());
  }
  return said.join("\\n");
}
"""
DENIED = """
IDBFactory.prototype.open = () => {
  const asked = { error: new DOMException("denied", "UnknownError") };
  setTimeout(() => asked.onerror(), 0);
  return asked;
};
"""
FULL = """
() => {
  window.add = IDBObjectStore.prototype.add;
  IDBObjectStore.prototype.add = function (row) {
    const asked = window.add.call(this, row);
    this.transaction.abort();
    return asked;
  };
}
"""
UNHEARD = """
async () => {
  const db = await new Promise((done) => { const r = indexedDB.open("epilock"); r.onsuccess = () => done(r.result); });
  const tx = db.transaction("leases", "readwrite"), rows = tx.objectStore("leases");
  rows.openCursor().onsuccess = ({ target: { result } }) => { if (result) result.update({ ...result.value, over: true }); };
  await new Promise((done) => { tx.oncomplete = done; });
  db.close();
}
"""
MANY = """
async (times) => {
  const [{ lease }] = await outbox.leases();
  for (let n = 0; n < times; n += 1) await outbox.add(lease, crypto.getRandomValues(new Uint8Array(1105)));
}
"""
FRESH = "async () => { for (const each of await outbox.leases()) await outbox.keepLease({ ...each, made: 0 }); }"
ROOM = "() => { IDBObjectStore.prototype.add = window.add; }"
VECTOR = """
async ({ d, x, y, theirs }) => {
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const jwk = { kty: "EC", crv: "P-256", x, y };
  const own = {
    privateKey: await crypto.subtle.importKey("jwk", { ...jwk, d }, curve, false, ["deriveBits"]),
    publicKey: await crypto.subtle.importKey("jwk", jwk, curve, true, []),
  };
  const { enc, secret } = await hpke.encapsulate(Uint8Array.from(theirs), own);
  return [[...enc], [...secret]];
}
"""


class Stage:
    """A town whose site can be switched off, and a volunteer's laptop."""

    def __init__(self, home, chromium):
        self.port = free_port()
        self.clock = town.Clock()
        self.base = f"http://127.0.0.1:{self.port}"
        self.parts = town.found(home, self.clock, url=self.base)
        self.clock.forward(minutes=1)
        town.level(self.parts, "I")  # at which the address may be asked
        self.point = town.open_point(
            self.parts,
            "sunny",
            "residential-entry",
            town.NAME,
            town.MOBILE,
            town.HEAT,
            town.ADDRESS,
        )
        self.site = create_app(self.parts)
        self.token = badge(self.parts, self.site, "sunny", "volunteer", "collector").cookies[
            "epilock"
        ]
        self.chromium = chromium

    @contextmanager
    def laptop(self, size=SIZES[1], locale="en-GB") -> Iterator[Page]:
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, locale=locale
        )
        context.add_cookies([{"name": "epilock", "value": self.token, "url": self.base}])
        page = context.new_page()
        page.clock.set_system_time(self.clock())
        yield page
        context.close()

    def take_along(self, page: Page, *, most=200) -> None:
        page.goto(f"{self.base}/console/offline")
        page.locator("#most").fill(str(most))
        page.get_by_role("button", name="Take it along").click()
        page.get_by_text("you may leave the network").wait_for()

    def end(self, page: Page) -> None:
        """The officer ends the lease whose form ``page`` shows."""
        lease = re.search(r"/offline/(l-\w+)", page.url)[1]
        with self.parts.database.write() as tx:
            offline.end(tx, offline.load(tx, "sunny", lease), now=self.clock())

    def stored(self) -> int:
        with self.parts.database.read() as tx:
            query = sa.select(sa.func.count()).select_from(vault.records)
            return int(tx.conn.execute(query).scalar() or 0)


@pytest.fixture(scope="module")
def stage(tmp_path_factory, chromium):
    made = Stage(tmp_path_factory.mktemp("offline") / "home", chromium)
    yield made
    made.parts.close()


@pytest.fixture(scope="module")
def page(stage):
    """A page that holds the scripts; by now they need no server."""
    with stage.laptop() as page:
        with serving(stage.site, stage.port):
            stage.take_along(page)
        yield page


def fill(
    page: Page,
    name=NAME,
    *,
    address="",
    again="",
    saved=True,
    words=("Seal and save", ""),
) -> str:
    """One person's form; return the receipt's code, provisional or, with a network, soon final."""
    for box in every(page, f"#leased {REQUIRED}"):
        box.check()
    page.locator("#f-name").fill(name)
    page.locator("#f-mobile").fill(MOBILE)
    page.locator("#f-temperature").fill("36.6")
    if address:
        page.locator("input[value='optional:contact.address']").check()
        page.locator("#f-address").fill(address)
    if again:
        page.locator("#again-code").fill(again)
    page.get_by_role("button", name=words[0]).click()
    if not saved:
        page.locator("#summary li").first.wait_for()
        return ""
    (page.get_by_text(words[1]) if words[1] else page.locator("#receipt")).wait_for()
    return page.locator("#code").inner_text()


def address_of(length):
    return ("https://epilock.example/r#" + "7K2MA-" * 40)[:length]


def waiting(page: Page, words: str) -> None:
    page.locator("#waiting", has_text=words).wait_for()


class TestJourney:
    def test_from_a_dead_network_to_the_logged_receipt(self, stage):
        before = stage.stored()
        with stage.laptop(SIZES[0]) as page:
            with serving(stage.site, stage.port):
                watch = Watch(page, stage.base)
                stage.take_along(page)
            page.reload()  # the server is off: what is shown now is what the device kept
            codes = []
            for name in (NAME, "诸葛样本"):
                codes.append(fill(page, name))
                expect(page.get_by_text("provisional: not sent yet")).to_be_visible()
                page.get_by_role("button", name="Next person").click()
            waiting(page, "2 waiting")
            page.get_by_text("No network").wait_for()
            kept = page.evaluate(KEPT)
            assert "East Gate" in kept  # the point is there, and nobody who gave anything
            for secret in (*TYPED, "诸葛样本", *codes, *(c.replace("-", "") for c in codes)):
                assert secret not in kept
            page.get_by_role("link", name="Open the outbox").click()
            page.get_by_role("link", name="East Gate").wait_for()
            with serving(stage.site, stage.port):
                page.get_by_role("button", name="Send now").click()
                waiting(page, "empty")
                page.goto(f"{stage.base}/r#{codes[0]}")
                page.get_by_text("Nobody has opened it").first.wait_for()
            assert watch.strangers == []
        assert stage.stored() == before + 2
        assert code.parse(codes[0]).serial == 3

    def test_a_connection_cut_after_the_server_stored_it_loses_nothing_and_doubles_nothing(
        self, stage
    ):
        before = stage.stored()

        def cut(route: Route) -> None:
            route.fetch()  # the server has it, and its answer is never heard
            route.abort("connectionreset")

        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.context.set_offline(True)
            fill(page)
            waiting(page, "1 waiting")
            page.context.route("**/boxes*", cut)
            with page.expect_event("requestfailed"):
                page.context.set_offline(False)
            waiting(page, "1 waiting")
            assert stage.stored() == before + 1
            page.context.unroute("**/boxes*")
            page.get_by_role("button", name="Send now").click()
            waiting(page, "empty")
        assert stage.stored() == before + 1

    def test_a_file_that_is_brought_late_is_told_what_had_come(self, stage):
        """Also after the end of its lease, when nothing new is taken any more."""
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.context.set_offline(True)
            fill(page)
            page.goto(f"{stage.base}/offline?lang=en")
            with page.expect_download() as exported:
                page.get_by_role("button", name="Export").click()
            page.context.set_offline(False)
            page.get_by_role("button", name="Send now").click()
            waiting(page, "empty")
            before = stage.stored()
            page.goto(f"{stage.base}/console/offline")
            page.get_by_label("The file that a device exported").set_input_files(
                exported.value.path()
            )
            page.get_by_role("button", name="Bring it in").click()
            expect(page.get_by_text("1 had been stored before")).to_be_visible()
            lease = json.loads(exported.value.path().read_text())["boxes"][0]["lease"]
            page.locator(f"a[href*='{lease}/end']").click()
            page.get_by_role("button", name="End it").click()
            page.get_by_label("The file that a device exported").set_input_files(
                exported.value.path()
            )
            page.get_by_role("button", name="Bring it in").click()
            expect(page.get_by_text("1 had been stored before")).to_be_visible()
        assert stage.stored() == before

    def test_a_form_that_is_refused_is_asked_again_under_its_code(self, stage):
        """An identity number in the address passes the device, not the server."""
        before = stage.stored()
        with serving(stage.site, stage.port), stage.laptop(SIZES[0]) as page:
            watch = Watch(page, stage.base)
            stage.take_along(page)
            page.context.set_offline(True)
            receipt = fill(page, address=f"Block 3, {ID_NUMBER}")
            page.context.set_offline(False)
            waiting(page, "1 not taken")
            kept = page.evaluate(KEPT)
            assert receipt[-5:] in kept  # by which its person is found
            for secret in (*TYPED, ID_NUMBER, receipt, receipt[:-6], receipt.replace("-", "")):
                assert secret not in kept
            page.get_by_role("button", name="Next person").click()
            fill(page, "诸葛样本")  # the next one is no worse off
            waiting(page, "1 not taken")
            page.goto(f"{stage.base}/offline?lang=en")
            refused = page.locator("#refused li").first
            expect(refused).to_contain_text(f"…{receipt[-5:]}", use_inner_text=True)
            expect(refused).to_contain_text(
                "Address: Identity numbers must not be written here", use_inner_text=True
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[0][0]
            assert page.evaluate(CONTRAST) == []
            page.get_by_role("link", name="Ask the person again").click()
            other = code.encode(3, bytes.fromhex("c9a646d39c6141b2bf3a000000000000"))
            for wrong in (receipt[:-1], other):
                fill(page, address="Block 3", again=wrong, saved=False)
                expect(page.locator("#summary")).to_contain_text(
                    "not the code of a form that was not taken"
                )
            assert fill(page, address="Block 3", again=receipt.lower().replace("-", " ")) == receipt
            waiting(page, "empty")
            assert stage.stored() == before + 2
            page.goto(f"{stage.base}/r#{receipt}")
            page.get_by_text("Nobody has opened it").first.wait_for()
            assert watch.strangers == []

    def test_a_receipt_of_a_form_that_is_refused_says_so_and_asks_again_at_once(self, stage):
        """The person is still there and holds the code."""
        before = stage.stored()
        with serving(stage.site, stage.port), stage.laptop(SIZES[0]) as page:
            stage.take_along(page)
            receipt = fill(page, address=f"Block 3, {ID_NUMBER}")
            told = page.locator("#receipt ul[data-sent=refused]")
            expect(told).to_contain_text("Address: Identity numbers must not be written here")
            expect(page.get_by_text("provisional: not sent yet")).to_be_hidden()
            expect(page.locator("#code")).to_have_text(receipt)
            assert page.evaluate(CONTRAST) == []
            page.get_by_role("button", name="Ask again now").click()
            expect(page.locator("#again-code")).to_have_value(receipt)
            assert fill(page, address="Block 3") == receipt
            page.get_by_text("stands in the log").wait_for()
            waiting(page, "empty")
        assert stage.stored() == before + 1

    def test_a_form_of_another_organisation_keeps_no_other_back(self, stage):
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            lease = page.locator("#leased").get_attribute("data-lease")
            page.route(f"**/{lease}/boxes?*", lambda route: route.fulfill(status=404, json={}))
            fill(page)
            waiting(page, "1 waiting")
            page.get_by_role("button", name="Next person").click()
            stage.take_along(page)
            fill(page, "诸葛样本")
            page.get_by_text("stands in the log").wait_for()
            waiting(page, "1 waiting")
            page.get_by_text("please sign in with the organisation").wait_for()

    def test_what_is_refused_leaves_only_after_it_is_in_a_file(self, stage):
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            fill(page, address=ID_NUMBER)
            waiting(page, "1 not taken")
            page.goto(f"{stage.base}/offline?lang=en")
            page.locator("#refused li").first.wait_for()
            have, remove = (
                page.get_by_label("I have the file"),
                page.get_by_role("button", name="Take away"),
            )
            expect(have).to_be_disabled()
            expect(remove).to_be_disabled()
            with page.expect_download() as exported:
                page.get_by_role("button", name="Export").click()
            have.check()
            remove.click()
            waiting(page, "empty")
            assert len(json.loads(exported.value.path().read_text())["boxes"]) == 1

    def test_an_outbox_that_is_larger_than_is_taken_at_once_goes_into_several_files(self, stage):
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.context.clear_cookies()
            page.evaluate(MANY, 501)
            page.goto(f"{stage.base}/offline?lang=en")
            waiting(page, "501 waiting")
            page.get_by_role("button", name="Export").click()
            found = []
            for n in (1, 2):
                with page.expect_download() as file:
                    page.get_by_role("link", name=f"File {n} of 2").click()
                found += [box for _, box in outbox.read(file.value.path().read_bytes())]
            assert file.value.suggested_filename == "epilock-outbox-2-of-2.json"
            assert len(set(found)) == 501

    def test_what_is_exported_while_it_is_sent_again_counts_as_in_a_file(self, stage):
        """The answer that refuses it once more comes after the file was written."""
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            fill(page, address=ID_NUMBER)
            waiting(page, "1 not taken")
            held = []
            page.route("**/boxes?*", lambda route: held.append(route))  # noqa: PLW0108 - the browser asks for a function of its own
            with page.expect_request("**/boxes?*"):
                page.goto(f"{stage.base}/offline?lang=en")
            page.locator("#refused li").first.wait_for()
            with page.expect_download():
                page.get_by_role("button", name="Export").click()
            have = page.get_by_label("I have the file")
            expect(have).to_be_enabled()
            with page.expect_response("**/boxes?*"):
                held[0].continue_()
            page.wait_for_function("navigator.locks.query().then((all) => !all.held.length)")
            have.check()
            page.get_by_role("button", name="Take away").click()
            waiting(page, "empty")

    def test_what_is_wrong_with_a_tick_stands_across_it(self, stage):
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.get_by_role("button", name="Seal and save").click()
            tick = page.locator(".tick.wrong").first
            assert tick.locator(".error").bounding_box()["width"] > 200
            assert tick.locator("label").bounding_box()["width"] > 200


class TestReconnection:
    """Nobody presses anything: what waits goes out when the network is back."""

    def test_all_that_waits_is_sent_by_itself(self, stage):
        before = stage.stored()
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.context.set_offline(True)
            for name in ("甲", "乙", "丙"):
                fill(page, f"测试{name}")
                page.get_by_role("button", name="Next person").click()
            waiting(page, "3 waiting")
            page.context.set_offline(False)
            waiting(page, "empty")
        assert stage.stored() == before + 3

    @pytest.mark.parametrize("heard", [True, False])
    def test_a_network_that_goes_in_the_middle_loses_nothing_and_doubles_nothing(
        self, stage, heard
    ):
        """Cut before the second form arrives, or after it is stored and before the device hears of it."""
        before, seen, gone, back = stage.stored(), [], [], []

        def cut(route: Route) -> None:
            seen.append(route)
            if len(seen) == 1 or back:
                route.continue_()
                return
            if len(seen) == 2 and not heard:
                route.fetch()
            route.abort("internetdisconnected")
            gone.append(route)

        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.context.set_offline(True)
            for name in ("甲", "乙", "丙"):
                fill(page, f"测试{name}")
                page.get_by_role("button", name="Next person").click()
            page.context.route("**/boxes*", cut)
            page.context.set_offline(False)
            for _ in range(500):
                if gone:
                    break
                page.wait_for_timeout(20)
            waiting(page, "2 waiting")
            page.get_by_text("No network").wait_for()
            assert stage.stored() == before + (1 if heard else 2)
            back.append(True)
            page.context.set_offline(True)
            page.context.set_offline(False)
            waiting(page, "empty")
        assert stage.stored() == before + 3

    def test_a_network_that_goes_while_a_point_is_taken_along_is_not_called_kept(self, stage):
        """Until every file is there the page says so; opened once more with a network, it is."""
        with stage.laptop() as page:
            with serving(stage.site, stage.port):
                page.goto(f"{stage.base}/console/offline")
                page.context.route(
                    "**/hpke*.js*",
                    lambda r: r.abort() if r.request.resource_type == "fetch" else r.continue_(),
                )
                page.get_by_role("button", name="Take it along").click()
                page.get_by_text("could not be kept").wait_for()
                page.reload()
                page.get_by_text("could not be kept").wait_for()
                page.context.unroute_all()
                page.reload()
                page.get_by_text("you may leave the network").wait_for()
            page.reload()
            page.get_by_text("you may leave the network").wait_for()
            page.get_by_role("link", name="Open the outbox").click()
            page.get_by_role("link", name="East Gate").wait_for()

    def test_two_pages_of_a_device_count_together_and_a_receipt_becomes_final(self, stage):
        """What one page seals or sends the other shows, and the code on the screen is told from the provisional one."""
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page, most=2)
            other = page.context.new_page()
            other.clock.set_system_time(stage.clock())
            other.goto(page.url)
            other.get_by_text("you may leave the network").wait_for()
            page.context.set_offline(True)
            fill(page)
            waiting(other, "1 waiting")
            fill(other)
            waiting(page, "2 waiting")
            expect(page.get_by_text("All 2 forms are filled in")).to_be_visible()
            page.context.set_offline(False)
            for each in (page, other):
                each.get_by_text("stands in the log").wait_for()
                waiting(each, "empty")
                expect(each.get_by_text("provisional: not sent yet")).to_be_hidden()
                expect(each.get_by_text("If it is not found")).to_be_hidden()
            other.get_by_role("button", name="Next person").click()
            expect(other.locator("#leased")).to_be_hidden()

    @pytest.mark.parametrize("path", ["/offline", "/console/offline"])
    def test_a_browser_that_keeps_nothing_says_so_before_anybody_is_asked(self, stage, path):
        with serving(stage.site, stage.port), stage.laptop() as page:
            page.add_init_script(DENIED)
            page.goto(f"{stage.base}{path}")
            if path != "/offline":
                page.get_by_role("button", name="Take it along").click()
            page.get_by_text("This browser lets pages keep nothing").wait_for()

    def test_a_site_that_was_away_is_tried_again_every_minute(self, stage):
        """The device's own network was there all the time, so no event tells it."""
        before = stage.stored()
        with stage.laptop() as page:
            page.clock.install(time=stage.clock())
            with serving(stage.site, stage.port):
                stage.take_along(page)
            fill(page)
            page.get_by_text("No network").wait_for()
            with serving(stage.site, stage.port):
                page.clock.run_for(61_000)
                waiting(page, "empty")
        assert stage.stored() == before + 1


class TestMishaps:
    """A full disk, a wrong clock, a lease that ends, a program that is updated: what was sealed stays."""

    def test_a_full_device_says_so_and_what_was_typed_is_saved_once_there_is_room(self, stage):
        before = stage.stored()
        with stage.laptop() as page:
            with serving(stage.site, stage.port):
                stage.take_along(page)
            page.evaluate(FULL)
            fill(page, words=("Seal and save", "It could not be saved"))
            expect(page.locator("#f-name")).to_have_value(NAME)
            page.evaluate(ROOM)
            page.get_by_role("button", name="Seal and save").click()
            page.get_by_text("provisional: not sent yet").wait_for()
            with serving(stage.site, stage.port):
                page.get_by_role("button", name="Send now").click()
                waiting(page, "empty")
        assert stage.stored() == before + 1

    def test_a_clock_that_runs_ahead_takes_no_point_from_the_device(self, stage):
        """It says that the day is over, and when the clock is right again the form is there, without a network."""
        with stage.laptop() as page:
            with serving(stage.site, stage.port):
                stage.take_along(page)
                form = page.url
                page.clock.set_system_time(stage.clock() + timedelta(days=40))
                page.goto(f"{stage.base}/offline")
                page.get_by_text("only sending is left").wait_for()
                page.reload()
                page.get_by_text("only sending is left").wait_for()
            page.clock.set_system_time(stage.clock())
            page.goto(form)
            page.get_by_role("button", name="Seal and save").wait_for()

    def test_a_lease_that_ends_while_its_form_is_open_takes_nobody_new(self, stage):
        with stage.laptop() as page:
            page.clock.install(time=stage.clock())
            with serving(stage.site, stage.port):
                stage.take_along(page)
            page.get_by_role("button", name="Seal and save").wait_for()
            page.clock.fast_forward(timedelta(days=3) // timedelta(milliseconds=1))
            page.get_by_text("nothing more can be filled in").wait_for()
            expect(page.get_by_role("button", name="Seal and save")).to_be_hidden()

    def test_a_lease_that_ended_leaves_the_device_and_what_was_sealed_stays_with_its_reason(
        self, tmp_path, chromium
    ):
        stage = Stage(tmp_path / "home", chromium)
        with stage.laptop() as page:
            with serving(stage.site, stage.port):
                stage.take_along(page)
            fill(page)
            page.once("dialog", lambda dialog: dialog.accept())
            stage.clock.forward(days=3)
            page.clock.set_system_time(stage.clock())
            page.context.clear_cookies()
            token = badge(stage.parts, stage.site, "sunny", "later", "collector").cookies["epilock"]
            page.context.add_cookies([{"name": "epilock", "value": token, "url": stage.base}])
            with serving(stage.site, stage.port):
                page.goto(f"{stage.base}/offline")
                waiting(page, "1 not taken")
                page.locator("#no-leases").wait_for()
                page.locator("#lost ol li").wait_for()
        stage.parts.close()

    def test_a_program_that_is_updated_keeps_what_waits_and_its_form(self, stage):
        before = stage.stored()
        with stage.laptop() as page:
            with serving(stage.site, stage.port):
                stage.take_along(page)
                form = page.url
            fill(page)
            page.once("dialog", lambda dialog: dialog.accept())
            with serving(updated(stage.site), stage.port):
                page.context.clear_cookies()  # so that nothing is sent yet
                page.goto(f"{stage.base}/offline")
                page.evaluate(
                    "navigator.serviceWorker.getRegistration('/offline').then((r) => r.update())"
                )
                page.wait_for_function(
                    "caches.keys().then((n) => n.some((e) => e.endsWith('-new')) && n.length === 2)"
                )
                page.reload()
                waiting(page, "1 waiting")
            page.goto(form)
            page.get_by_role("button", name="Seal and save").wait_for()
            page.context.add_cookies([{"name": "epilock", "value": stage.token, "url": stage.base}])
            with serving(stage.site, stage.port):
                page.get_by_role("button", name="Send now").click()
                waiting(page, "empty")
        assert stage.stored() == before + 1


def updated(site):
    """The same site, whose worker is another version."""

    async def app(scope, receive, send):
        async def altered(message):
            if scope.get("path") == "/offline/worker.js":
                if message["type"] == "http.response.start":
                    message["headers"] = [
                        h for h in message["headers"] if h[0] != b"content-length"
                    ]
                else:
                    message["body"] = re.sub(
                        rb'(epilock-offline-\w+)"', rb'\1-new"', message.get("body", b"")
                    )
            await send(message)

        await site(scope, receive, altered)

    return app


class TestEnded:
    """A lease that was ended takes nobody's data any more, wherever its form is open."""

    def test_what_is_refused_for_it_closes_its_form_in_every_tab(self, stage):
        before = stage.stored()
        with stage.laptop() as page:
            with serving(stage.site, stage.port):
                stage.take_along(page)
                form, other = page.url, page.context.new_page()
                other.clock.set_system_time(stage.clock())
                other.goto(form)
                other.get_by_text("you may leave the network").wait_for()
                other.locator("#f-name").fill(NAME)
                stage.end(page)
                fill(page, words=("Seal and save", "If this code is not found, nothing was kept"))
                for each in (page, other):
                    each.get_by_text("Ask nobody any more").wait_for()
                    expect(each.locator("#leased")).to_be_hidden()
                    waiting(each, "1 not taken")
                expect(other.locator("#f-name")).to_have_value("")
                expect(page.get_by_text("provisional: not sent yet")).to_be_hidden()
                other.close()
            page.once("dialog", lambda dialog: dialog.accept())
            page.goto(form)  # without a network it is known too
            page.get_by_text("Ask nobody any more").wait_for()
            expect(page.get_by_role("button", name="Seal and save")).to_be_hidden()
        assert stage.stored() == before

    def test_what_can_never_be_opened_is_not_sent_again_and_is_taken_away(self, stage):
        with serving(stage.site, stage.port), stage.laptop(SIZES[0]) as page:
            stage.take_along(page)
            page.context.set_offline(True)
            for name in ("甲", "乙"):
                fill(page, f"测试{name}")
                page.get_by_role("button", name="Next person").click()
            stage.end(page)
            page.context.set_offline(False)
            page.get_by_text("Ask nobody any more").wait_for()
            waiting(page, "2 not taken")
            asked = []
            page.context.on("request", lambda request: asked.append(request.url))
            page.goto(f"{stage.base}/offline?lang=en")
            page.get_by_text("has ended: ask nobody any more").wait_for()
            page.get_by_role("button", name="Send now").click()
            page.wait_for_function("navigator.locks.query().then((all) => !all.held.length)")
            assert [url for url in asked if "/boxes" in url or "/over" in url] == []
            lost = page.locator("#lost")
            expect(lost.locator("li")).to_have_text(["No. 1 · East Gate", "No. 2 · East Gate"])
            expect(page.get_by_text("each sending tries again")).to_be_hidden()
            expect(page.get_by_text("No network")).to_be_hidden()
            assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[0][0]
            assert page.evaluate(CONTRAST) == []
            page.get_by_role("button", name="Take these away").click()
            waiting(page, "empty")
            expect(lost).to_be_hidden()

    def test_what_came_as_a_file_is_not_lost(self, stage):
        """Nobody is asked twice: the device hears from the site what became of each form."""
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.context.set_offline(True)
            for name in ("甲", "乙"):
                fill(page, f"测试{name}")
                page.get_by_role("button", name="Next person").click()
            form = page.url
            page.goto(f"{stage.base}/offline?lang=en")
            with page.expect_download() as file:
                page.get_by_role("button", name="Export").click()
            page.goto(form)
            fill(page, "测试丙")  # after the file was written
            page.once("dialog", lambda dialog: dialog.accept())
            body = file.value.path().read_bytes()
            clerk = outbox.Clerk(
                *(
                    getattr(stage.parts, name)
                    for name in ("database", "keys", "standard", "writer")
                ),
                "sunny",
            )
            assert [each.became for each in clerk.bring_in_file(body, now=stage.clock())] == [
                "stored"
            ] * 2
            stage.end(page)
            page.context.clear_cookies()  # nobody need be signed in
            page.context.set_offline(False)
            page.goto(f"{stage.base}/offline?lang=en")
            waiting(page, "1 not taken")
            expect(page.locator("#lost li")).to_have_text(["No. 3 · East Gate"])

    def test_what_was_stored_and_not_heard_of_is_not_lost(self, stage):
        """The answer was lost on its way, and the lease ended before the form was sent again."""
        before = stage.stored()
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            unheard = []

            def cut(route: Route) -> None:
                route.fetch()
                unheard.append(route)
                route.abort("internetdisconnected")

            page.route("**/boxes?*", cut)
            fill(page)
            page.get_by_text("No network").wait_for()
            stage.end(page)
            page.get_by_role("button", name="Send now").click()
            page.get_by_text("stands in the log").wait_for()
            waiting(page, "empty")
        assert (len(unheard), stage.stored()) == (1, before + 1)

    def test_a_form_whose_point_has_left_the_device_is_not_sent_for_ever(self, stage):
        """A device that an earlier program took the point from: nobody can be asked what became of its form."""
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.context.set_offline(True)
            fill(page)
            stage.end(page)
            page.once("dialog", lambda dialog: dialog.accept())
            page.goto(f"{stage.base}/offline?lang=en")
            page.evaluate(
                "async () => { for (const { lease } of await outbox.leases()) await outbox.dropLease(lease); }"
            )
            page.context.set_offline(False)
            page.get_by_role("button", name="Send now").click()
            waiting(page, "1 not taken")
            expect(page.locator("#lost li")).to_contain_text("look its receipt code up")

    def test_of_what_is_asked_too_late_it_says_that_nobody_knows(self, tmp_path, chromium):
        stage = Stage(tmp_path / "home", chromium)
        with stage.laptop() as page:
            with serving(stage.site, stage.port):
                stage.take_along(page)
            fill(page)
            page.once("dialog", lambda dialog: dialog.accept())
            stage.clock.forward(days=40)
            page.clock.set_system_time(stage.clock())
            with serving(stage.site, stage.port):
                page.goto(f"{stage.base}/offline?lang=en")
                expect(page.locator("#lost li")).to_contain_text("look its receipt code up")
        stage.parts.close()

    @pytest.mark.parametrize("where", ["hub", "form"])
    def test_who_is_not_signed_in_hears_of_it_by_opening_a_page(self, stage, where):
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            form = page.url
            page.context.clear_cookies()
            stage.end(page)
            page.goto(form if where == "form" else f"{stage.base}/offline")
            page.get_by_text(re.compile("ask nobody any more", re.IGNORECASE)).wait_for()

    def test_a_form_that_stands_open_hears_of_it_within_a_minute(self, stage):
        with serving(stage.site, stage.port), stage.laptop() as page:
            page.clock.install(time=stage.clock())
            stage.take_along(page)
            with page.expect_response("**/offline/over*"):
                page.reload()
            stage.end(page)
            asked = []
            page.on("request", lambda request: asked.append(request.url))
            page.clock.run_for(61_000)
            page.get_by_text("Ask nobody any more").wait_for()
            page.clock.run_for(300_000)
            assert len(asked) == 1  # what is known is not asked again

    def test_one_that_ends_while_a_form_is_saved_gives_no_receipt(self, stage):
        """Another page of the device has learnt it, and this one has not heard yet."""
        with stage.laptop() as page:
            with serving(stage.site, stage.port):
                stage.take_along(page)
            page.evaluate(UNHEARD)
            fill(page, words=("Seal and save", "Ask nobody any more"))
            expect(page.locator("#receipt")).to_be_hidden()
            waiting(page, "empty")

    def test_in_chinese(self, stage):
        with serving(stage.site, stage.port), stage.laptop(SIZES[0], "zh-CN") as page:
            page.goto(f"{stage.base}/console/offline")
            page.get_by_role("button", name="带上，今天用").click()
            page.get_by_text("可以断网").wait_for()
            stage.end(page)
            fill(page, words=("锁上并保存", "就是什么也没保存"))
            page.get_by_text("不要再问任何人").wait_for()
            page.once("dialog", lambda dialog: dialog.accept())
            page.goto(f"{stage.base}/offline?lang=zh")
            page.get_by_text("再发送也不会收").wait_for()


class TestWhoSends:
    """The device says what keeps it from sending, and the way leads back to where it sends."""

    def test_signing_in_leads_back_to_the_outbox(self, stage):
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.context.clear_cookies()
            fill(page)
            page.get_by_role("link", name="Sign in").click()
            expect(page.locator("input[name=to]").first).to_have_value("/offline")

    def test_an_account_that_is_not_set_up_is_led_to_that(self, stage):
        hire(stage.parts, "sunny", "new", "collector")
        with stage.parts.database.write() as tx:
            token = session.begin(tx, staff.by_login(tx, "sunny", "new"), now=stage.clock())
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.context.add_cookies([{"name": "epilock", "value": token, "url": stage.base}])
            fill(page)
            page.get_by_role("link", name="Set it up").click()
            expect(page).to_have_url(re.compile("/console/password"))

    def test_an_account_that_may_not_collect_is_not_told_to_sign_in_as_before(self, stage):
        cookie = badge(stage.parts, stage.site, "sunny", "zhou", "analyst").cookies["epilock"]
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.context.add_cookies([{"name": "epilock", "value": cookie, "url": stage.base}])
            fill(page)
            page.get_by_text("This account may not collect").wait_for()
            waiting(page, "1 waiting")

    def test_what_is_more_than_was_allowed_waits_for_a_custodian(self, stage):
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page, most=1)
            page.evaluate(FRESH)  # as on two devices, neither of which knows of the other's form
            page.context.set_offline(True)
            fill(page)
            page.get_by_role("button", name="Next person").click()
            page.evaluate(FRESH)
            page.reload()
            fill(page)
            page.context.set_offline(False)
            page.get_by_text("A custodian can allow more").wait_for()
            waiting(page, "1 waiting")


class TestStill:
    """Nothing moves under who reads: a page is shown when what the device holds is in it."""

    @pytest.mark.parametrize("size", [(360, 640), (1280, 800)])
    def test_in_each_of_its_states(self, stage, size):
        with stage.laptop(size) as page:
            moved = {}

            def look(state: str, path: str, sign: str) -> None:
                page.goto(stage.base + path)
                page.locator(sign).wait_for()
                moved[state] = page.evaluate(SHIFT)

            with serving(stage.site, stage.port):
                look("no point", "/offline", "#no-leases")
                stage.take_along(page)
                lease = page.url.removeprefix(stage.base)
                look("its form", lease, "#kept.good")
                look("one point", "/offline", "#leases li")
            look("a form without a network", lease, "#kept.good")
            fill(page)
            moved["provisional receipt"] = page.evaluate(SHIFT)
            page.once("dialog", lambda dialog: dialog.accept())
            look("one waits", "/offline", "[data-ended=no-network]")
            page.context.clear_cookies()
            with serving(stage.site, stage.port):
                look("one waits, nobody signed in", "/offline", "[data-ended=sign-in]")
        assert {state: n for state, n in moved.items() if n > STILL} == {}

    def test_a_script_that_never_comes_leaves_the_page_readable(self, stage):
        with stage.laptop() as page, serving(stage.site, stage.port):
            page.route("**/hub*.js", lambda route: route.abort())
            page.goto(f"{stage.base}/offline")
            page.locator("h1").wait_for()


class TestWithoutScripts:
    def test_no_point_is_offered_that_no_device_could_use(self, stage):
        context = stage.chromium.new_context(java_script_enabled=False, locale="en-GB")
        context.add_cookies([{"name": "epilock", "value": stage.token, "url": stage.base}])
        page = context.new_page()
        with serving(stage.site, stage.port):
            page.goto(f"{stage.base}/console/offline")
            expect(page.locator("noscript .box")).to_be_visible()
            expect(page.locator("#take")).to_be_hidden()
            expect(page.get_by_role("button", name="Bring it in")).to_be_visible()
        context.close()


class TestLimit:
    def test_the_device_counts_and_stops(self, stage):
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page, most=2)
            page.context.set_offline(True)
            for n in (1, 2):
                expect(page.locator("#count")).to_have_text(re.compile(f": {n - 1} of 2$"))
                fill(page)
                expect(page.locator("#count")).to_have_text(re.compile(f": {n} of 2$"))
                page.get_by_role("button", name="Next person").click()
            expect(page.get_by_text("All 2 forms are filled in")).to_be_visible()
            expect(page.get_by_role("button", name="Seal and save")).to_be_hidden()
            page.reload()
            page.get_by_text("All 2 forms are filled in").wait_for()


class TestKeysAlone:
    def test_a_whole_form_in_chinese(self, stage):
        """From the box that is ticked to the next person, no mouse."""
        before = stage.stored()
        with serving(stage.site, stage.port), stage.laptop(SIZES[0], "zh-CN") as page:
            page.goto(f"{stage.base}/console/offline")
            page.get_by_role("button", name="带上，今天用").focus()
            page.keyboard.press("Enter")
            page.get_by_text("可以断网").wait_for()
            page.context.set_offline(True)
            page.locator("h1").focus()
            for _ in range(60):  # to the end of the form, by Tab alone
                page.keyboard.press("Tab")
                here = page.evaluate(
                    "({id: document.activeElement.id, kind: document.activeElement.type, need: document.activeElement.required})"
                )
                if here["kind"] == "checkbox" and here["need"]:
                    page.keyboard.press("Space")
                elif here["id"] in KEYED:
                    page.keyboard.insert_text(KEYED[here["id"]])
                elif here["kind"] == "submit":
                    break
            page.keyboard.press("Enter")
            page.get_by_text("还没发送").wait_for()
            expect(page.locator("#receipt h2")).to_be_focused()
            expect(page.get_by_role("img", name="收据的二维码")).to_be_visible()
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")  # the next person
            expect(page.locator("h1")).to_be_focused()
            waiting(page, "发件箱：1 份等待发送")
            page.context.set_offline(False)
            waiting(page, "发件箱是空的")
            assert page.evaluate(CONTRAST) == []
        assert stage.stored() == before + 1

    def test_what_is_refused_is_said_in_chinese(self, stage):
        with serving(stage.site, stage.port), stage.laptop(SIZES[0], "zh-CN") as page:
            page.goto(f"{stage.base}/console/offline")
            page.get_by_role("button", name="带上，今天用").click()
            page.get_by_text("可以断网").wait_for()
            fill(page, address=ID_NUMBER, words=("锁上并保存", "还没发送"))
            waiting(page, "1 份没有被收下")
            page.goto(f"{stage.base}/offline?lang=zh")
            expect(page.locator("#refused li").first).to_contain_text(
                "这里不能填写身份证号", use_inner_text=True
            )
            page.get_by_role("link", name="凭收据码再问本人").focus()
            page.keyboard.press("Enter")
            page.get_by_label("收据码", exact=True).wait_for()


def assert_below(page: Page, what: str, *, led=True) -> None:
    """The outbox that stays is above ``what``; where one was led to it, its top is on the screen."""
    bar, top, tall = page.evaluate(
        """(what) => {
          const outbox = document.getElementById("outbox");
          const box = outbox.getBoundingClientRect();
          const stays = getComputedStyle(outbox).position === "sticky";
          return [stays ? box.bottom : 0, document.querySelector(what).getBoundingClientRect().top, innerHeight];
        }""",
        what,
    )
    if led or bar:
        assert bar <= top < tall, (what, bar, top)


class TestForm:
    def test_a_slip_takes_no_button_from_under_a_press(self, stage):
        """It is said when the press is over: it moves what is below it."""
        with serving(stage.site, stage.port), stage.laptop((1280, 2600)) as page:
            stage.take_along(page)
            page.locator("#f-mobile").fill("12")
            box = page.get_by_role("button", name="Seal and save").bounding_box()
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 3)
            page.mouse.down()
            page.wait_for_timeout(200)
            expect(page.locator(".slip")).to_have_count(0)
            page.mouse.up()
            page.locator("#summary li").first.wait_for()
            field = page.locator("#f-mobile")
            expect(field).to_have_attribute("aria-invalid", "true")
            expect(field).to_have_attribute("aria-describedby", re.compile(r"\bf-mobile-slip$"))
            expect(page.locator("#f-mobile-slip")).to_be_visible()
            field.fill(MOBILE)
            field.blur()
            expect(field).to_have_attribute("aria-invalid", "false")

    def test_a_slip_is_found_while_the_person_is_there(self, stage):
        with serving(stage.site, stage.port), stage.laptop(SIZES[0]) as page:
            stage.take_along(page)
            page.locator("#f-mobile").fill("12")
            page.locator("#f-mobile").blur()
            expect(page.locator(".slip")).to_have_count(1)
            page.get_by_role("button", name="Seal and save").click()
            expect(page.get_by_role("alert").get_by_role("link").nth(3)).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[0][0]
            expect(page.locator("#f-address")).to_be_hidden()  # its box is not ticked
            page.get_by_label(re.compile("I choose to give")).check()
            expect(page.locator("#f-address")).to_be_visible()
            assert page.evaluate(CONTRAST) == []
            expect(page.get_by_role("button", name="Send now")).to_be_visible()

    @pytest.mark.parametrize("type_size", ["100%", "200%"])
    @pytest.mark.parametrize("width", [320, 360, 1280])
    def test_what_is_jumped_to_stands_below_the_outbox(self, stage, width, type_size):
        """Also where the outbox says the most it can: some wait, some were not taken, another organisation is signed in."""
        with serving(stage.site, stage.port), stage.laptop((width, 640)) as page:
            page.emulate_media(reduced_motion="reduce")
            stage.take_along(page)
            fill(page, address=ID_NUMBER)
            waiting(page, "1 not taken")
            page.get_by_role("button", name="Next person").click()
            page.route("**/boxes?*", lambda route: route.fulfill(status=404, json={}))
            fill(page)
            page.get_by_role("button", name="Next person").click()
            page.get_by_text("please sign in with the organisation").wait_for()
            page.evaluate(f"document.documentElement.style.fontSize = '{type_size}'")
            page.get_by_role("button", name="Seal and save").click()
            assert_below(page, "#summary")
            for n in range(page.locator("#summary a").count()):
                link = page.locator("#summary a").nth(n)
                target = link.get_attribute("href")
                link.focus()
                assert_below(page, f"#summary li:nth-child({n + 1})", led=False)
                page.keyboard.press("Enter")
                expect(page.locator(target)).to_be_focused()
                assert_below(page, f".wrong:has({target}) .slip")
                assert_below(page, target)
            page.locator("#leased button").last.focus()
            for _ in range(20):  # back up the form, by keys alone
                page.keyboard.press("Shift+Tab")
                if page.evaluate("Boolean(document.activeElement.closest('#leased'))"):
                    assert_below(page, ":focus", led=False)

    def test_a_slip_that_is_led_to_leaves_who_is_asked_again(self, stage):
        """Where the link of the summary leads, it is still the refused form that is filled in."""
        with serving(stage.site, stage.port), stage.laptop(SIZES[0]) as page:
            stage.take_along(page)
            fill(page, address=ID_NUMBER)
            waiting(page, "1 not taken")
            page.once("dialog", lambda dialog: dialog.accept())
            page.goto(f"{stage.base}/offline?lang=en")
            page.get_by_role("link", name="Ask the person again").click()
            page.get_by_role("button", name="Seal and save").click()
            page.locator("#summary a").first.click()
            expect(page.get_by_label("Receipt code")).to_be_visible()

    def test_a_day_that_is_over_is_not_filled_in(self, stage):
        with serving(stage.site, stage.port), stage.laptop() as page:
            stage.take_along(page)
            page.clock.set_system_time(town.START.replace(day=15))
            page.reload()
            page.get_by_text("nothing more can be filled in").wait_for()
            expect(page.get_by_role("button", name="Seal and save")).to_be_hidden()


class TestScripts:
    """The small scripts say what the program says."""

    def test_the_key_exchange_is_that_of_rfc_9180(self, page):
        number = ec.derive_private_key(int(SK_E, 16), ec.SECP256R1()).public_key().public_numbers()
        b64 = lambda value: b64encode(value, b"-_").decode().rstrip("=")  # noqa: E731
        enc, secret = page.evaluate(
            VECTOR,
            {
                "d": b64(bytes.fromhex(SK_E)),
                "x": b64(number.x.to_bytes(32)),
                "y": b64(number.y.to_bytes(32)),
                "theirs": list(bytes.fromhex(PK_R)),
            },
        )
        assert (bytes(enc).hex(), bytes(secret).hex()) == (PK_E, SHARED)

    @pytest.mark.parametrize("length", [0, 1, 2048])
    def test_another_implementation_opens_what_it_seals(self, page, length):
        private = ec.generate_private_key(ec.SECP256R1())
        theirs = private.public_key().public_numbers()
        raw = [4, *theirs.x.to_bytes(32), *theirs.y.to_bytes(32)]
        call = "async ([key, n]) => [...await hpke.seal(Uint8Array.from(key), Uint8Array.from([7]), new Uint8Array(n))]"
        sealed = bytes(page.evaluate(call, [raw, length]))
        suite = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
        assert suite.decrypt(sealed, private, b"\x07") == bytes(length)

    def test_the_code_is_the_one_that_the_program_writes(self, page):
        asked = [
            (serial, code.as_uuid(code.receipt_id(bytes(32), "o", "p", str(serial))))
            for serial in (0, 1, 77, 32767)
        ]
        said = page.evaluate(
            "(all) => all.map(([serial, uuid]) => receiptCode(serial, uuid))", asked
        )
        assert said == [code.encode(s, bytes.fromhex(u.replace("-", ""))) for s, u in asked]

    def test_a_code_that_was_typed_is_read_as_the_program_reads_it(self, page):
        good = code.encode(77, code.receipt_id(bytes(32), "o", "p", "c"))
        wrong = [
            good[:-1] + ("0" if good[-1] != "0" else "1"),
            good[1] + good[0] + good[2:],
            good[:-1],
            "",
            "U" * 30,
        ]
        typed = [
            good,
            good.lower(),
            good.replace("-", " "),
            good.replace("0", "O").replace("1", "l"),
            *wrong,
        ]
        said = page.evaluate(
            "(all) => all.map((text) => readReceiptCode(text)?.code ?? null)", typed
        )
        for text, read in zip(typed, said, strict=True):
            try:
                code.parse(text)
            except FieldsError:
                assert read is None
            else:
                assert read == good

    @pytest.mark.parametrize("length", [14, 26, 42, 62, 84, 106, 122, 152, 180, 213])
    def test_its_qr_code_is_the_one_that_another_program_makes(self, page, length):
        """Module by module, where a version is full; what fills a rest is told by its reader (segno adds a byte)."""
        text = address_of(length)
        said = page.evaluate("(text) => qr.make(text)", text)
        made = segno.make(
            text, error="m", version=said["version"], mask=said["mask"], mode="byte",
            boost_error=False,
        )  # fmt: skip
        assert said["rows"] == [list(row) for row in made.matrix]
        smallest = segno.make(text, error="m", mode="byte", micro=False, boost_error=False)
        assert made.version == smallest.version

    @pytest.mark.parametrize("length", [1, 13, 27, 61, 63, 90, 123, 160, 200])
    def test_a_reader_reads_its_qr_code(self, page, length):
        text = address_of(length)
        rows = page.evaluate("(text) => qr.make(text).rows", text)
        white = [[0] * (len(rows) + 8)] * 4
        framed = [*white, *([0] * 4 + row + [0] * 4 for row in rows), *white]
        picture = 255 - 255 * np.kron(np.array(framed, np.uint8), np.ones((4, 4), np.uint8))
        assert zxingcpp.read_barcode(picture).text == text

    def test_what_passes_on_the_device_passes_at_the_server(self, page):
        """The other way round a slip may slip through here, never the reverse."""
        samples = [
            "张三", "阿依古丽·买买提", "O'Neill", "x9", "13912345678", "+86 139 1234 5678", "139-1234-5678",
            "+8613912345678", "+86139", "+44 7700 900123", "36.6", "３６.６", "36。6", "96.8", "44", "3", "50", "51",
            "0", "2026-03-14", "2026-03-15", "1990/1/2", "19900230", "1990-02-30", "1889-01-01", "110101199003070054",
            "11010119900307005X", "990101199003070054", "110101203003070058", "+8-6139", "a\u200bb", "<b>",
        ]  # fmt: skip
        call = "([c, all, today]) => all.map((text) => answers.isGood(c, text, today))"
        taken = 0
        for category in (
            "identity.name", "identity.resident-id", "identity.birth-date", "contact.mobile",
            "health.temperature", "need.household-size",
        ):  # fmt: skip
            said = page.evaluate(call, [category, samples, TODAY.isoformat()])
            for text, good in zip(samples, said, strict=True):
                value = CHECKS[category](text, today=TODAY)
                assert not (good and isinstance(value, Problem)), (category, text)
                taken += good
        assert taken > 12


class TestPaper:
    def test_a_page_is_keyed_in_with_keys_alone(self, stage):
        point = town.open_paper_point(stage.parts).point
        before = stage.stored()
        with serving(stage.site, stage.port), stage.laptop() as page:
            watch = Watch(page, stage.base)
            page.goto(f"{stage.base}/console/sheets/{point}")
            head = {"book": "A-12", "page": "3", "pages": "50", "written": "2026-03-14"}
            for name, value in {**head, "place": "cabinet 2"}.items():
                page.locator(f"#{name}").fill(value)
            for box in every(page, "input[name=act]:not([value=guardian])"):
                box.focus()
                page.keyboard.press("Space")
            photo = {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": camera()}
            page.locator("#photo").set_input_files(photo)
            page.locator("[id='r1.name']").focus()
            for values in ((NAME, "诸葛样本"), ("139", MOBILE)):
                for value in values:
                    page.keyboard.insert_text(value)
                    page.keyboard.press("Enter")
                page.locator("[id='r1.mobile']").focus()
            expect(page.locator("td .error")).to_have_count(1)  # found as it was typed
            page.locator("[id='r1.mobile']").fill(MOBILE)
            page.get_by_role("button", name="Seal and register").focus()
            page.keyboard.press("Enter")
            page.get_by_text("keyed in and registered").wait_for()
            page.get_by_role("link", name="Note as destroyed").focus()
            page.keyboard.press("Enter")
            page.get_by_role("button", name="I attest").focus()
            page.keyboard.press("Enter")
            page.get_by_text("noted that the page was destroyed").wait_for()
            assert (watch.complaints, watch.strangers) == ([], [])
        assert stage.stored() == before + 2
