"""A grant is approved in a real browser by a passkey that the key service knows, and opens as far as it says."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Thread

import pytest
import town
from playwright.sync_api import Browser
from test_passkeys_in_chromium import Device, Stage
from town_server import CHROMIUM, free_port, serving

from epilock import assemble, settings
from epilock.accounts import passkey, staff
from epilock.assemble import open_keys
from epilock.errors import ForbiddenError, RateError
from epilock.store import approval
from epilock.store.keyservice import address as addresses
from epilock.store.keyservice import granted
from epilock.store.keyservice.desk import Desk, Limits, sealing
from epilock.store.keyservice.server import Server
from epilock.use import grant
from epilock.use.grant import ACTIVE, REQUESTED, Grant
from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
ORG, BUCKET = "lishan-cdc", "sunny/outbreak-7/residential-entry/2026-03-14"
TESTED = "sunny/outbreak-7/sampling/2026-03-14"


@pytest.fixture(scope="module")
def split(tmp_path_factory) -> Iterator[tuple[Stage, Desk]]:
    """A town under a name, whose keys are in a service that asks for signed grants."""
    folder, port, clock = tmp_path_factory.mktemp("split"), free_port(), town.Clock()
    url, at = f"http://localhost:{port}", f"unix:{folder}/keys.sock"
    town.found(folder / "home", clock, url=url).close()
    keys = open_keys(settings.read({}, home=folder / "home"))
    desk = Desk(keys, Limits(parts=5), clock, site=approval.site(url))
    server = Server(desk, addresses.read(at))
    thread = Thread(target=server.serve)
    thread.start()
    web = {
        "EPILOCK_URL": url, "EPILOCK_ORIGIN": "epilock.example/log", "EPILOCK_KEY_SERVICE": at,
        "EPILOCK_DATABASE": settings.read({}, home=folder / "home").database,
    }  # fmt: skip
    parts = assemble.build(settings.read(web, home=folder / "web"), now=clock)
    with serving(create_app(parts), port):
        yield Stage(parts, url, clock), desk
    parts.close()
    server.stop()
    thread.join(timeout=10)
    keys.close()


@pytest.fixture
def device(split, chromium: Browser) -> Iterator[Device]:
    split[0].clock.forward(minutes=16)
    made = Device(chromium, split[0])
    yield made
    made.close()


def asked(stage: Stage, login: str) -> Grant:
    """A request for two records, by somebody new."""
    parts = stage.parts
    with parts.database.write() as tx:
        who, _ = staff.add_staff(
            tx, parts.log, standard_ref=parts.standard.ref, org=ORG, login=login,
            roles=("analyst",), now=parts.now(),
        )  # fmt: skip
        return grant.request(
            tx, parts.standard, who, source="sunny", purpose="tracing", form="raw", subjects=2,
            circumstances=("residential-entry",), case="C-1", reason="contact of a case",
            until=parts.now() + timedelta(days=2), now=parts.now(),
        )  # fmt: skip


def sign(device: Device, wanted: Grant) -> None:
    box = device.page.locator("section", has_text=wanted.grant)
    with device.page.expect_navigation():
        box.get_by_role("button", name="Approve with a passkey", exact=True).click()


def stage_of(stage: Stage, wanted: Grant) -> str:
    with stage.parts.database.write() as tx:
        return grant.load(tx, ORG, wanted.grant).stage


def test_it_is_signed_by_an_approver_and_opens_so_many(split, device):
    stage, desk = split
    wanted = asked(stage, "doctor")
    device.set_up("second", "approver", org=ORG)
    device.go("/console/account/passkeys")
    line = device.page.locator("code", has_text="epilock-approver:").inner_text()
    approver = approval.read_approver(line)
    device.reads(approver.fingerprint())

    device.go("/console/approvals")
    sign(device, wanted)
    device.reads("no approver of lishan-cdc that the key service knows")
    assert stage_of(stage, wanted) == REQUESTED

    granted.add(sealing(desk.keys), ORG, approver, now=stage.clock())
    device.go("/console/approvals")
    sign(device, wanted)
    assert stage_of(stage, wanted) == ACTIVE
    (known,) = [g for g in granted.grants(sealing(desk.keys)) if g.statement.grant == wanted.grant]
    assert (known.statement, known.signer) == (wanted.statement(), approver.staff)

    desk.keys.add_bucket("sunny", BUCKET, ["2-IV"])
    leave = stage.parts.keys.under(ORG, wanted.grant)
    for n in (0, 1):
        leave.leaf("sunny", BUCKET, "2-IV", n)
    with pytest.raises(RateError, match="2 of its 2"):
        leave.leaf("sunny", BUCKET, "2-IV", 2)


def test_a_grant_to_count_is_signed_for_so_many_whole_parts(split, device, chromium):
    stage, desk = split
    device.set_up("counter", "analyst", org=ORG)
    device.go("/console/grants")
    device.reads("The key service gives out so many")
    page = device.page
    for name, value in (
        ("purpose", "situation-monitoring"), ("form", "aggregate"), ("source", "sunny"),
    ):  # fmt: skip
        page.locator(f"form[method=post] select[name={name}]").select_option(value)
    page.locator("input[name=circumstance][value=sampling]").check()
    for name, value in (("subjects", "2"), ("parts", "1"), ("reason", "daily report")):
        page.locator(f"#{name}").fill(value)
    device.press("Ask for a grant")
    with stage.parts.database.read() as tx:
        (wanted,) = [
            g for g in grant.listing(tx, ORG, stages=(REQUESTED,)) if g.form == "aggregate"
        ]
    assert wanted.parts == 1

    second = Device(chromium, stage)
    second.set_up("fourth", "approver", org=ORG)
    second.go("/console/account/passkeys")
    line = second.page.locator("code", has_text="epilock-approver:").inner_text()
    granted.add(sealing(desk.keys), ORG, approval.read_approver(line), now=stage.clock())
    second.go("/console/approvals")
    box = second.page.locator("section", has_text=wanted.grant).inner_text()
    assert "each all records of a day of one kind: at most 1" in box
    sign(second, wanted)
    assert stage_of(stage, wanted) == ACTIVE
    second.close()

    desk.keys.add_bucket("sunny", TESTED, ["2-IV", "3-II"])
    leave = stage.parts.keys.under(ORG, wanted.grant)
    assert leave.cover("sunny", TESTED, "2-IV") == desk.keys.cover("sunny", TESTED, "2-IV")
    with pytest.raises(RateError, match="1 of its 1 whole parts"):
        leave.cover("sunny", TESTED, "3-II")
    with pytest.raises(ForbiddenError, match="under a grant"):
        stage.parts.keys.cover("sunny", TESTED, "2-IV")


def test_who_has_no_passkey_reads_what_to_do_and_approves_nothing(split, device):
    stage, _ = split
    wanted = asked(stage, "nurse")
    device.set_up("third", "approver", org=ORG)
    with stage.parts.database.write() as tx:
        who = staff.by_login(tx, ORG, "third")
        tx.update(staff.staff, {"org": ORG, "staff": who.staff}, totp=b"set")
        passkey.remove_all(tx, ORG, who.staff)
    device.go("/console/approvals")
    device.reads("add a passkey on your account's page first")
    assert device.page.get_by_role("button", name="Approve", exact=False).count() == 0
    path = f"{stage.base}/console/approvals/grants/{ORG}/{wanted.grant}"
    csrf = device.page.locator("input[name=csrf]").first.input_value()
    answer = device.page.context.request.post(
        f"{path}?lang=en", form={"csrf": csrf, "verdict": "approve"}
    )
    assert "passkey signs it: approve it in the console" in answer.text()
    assert stage_of(stage, wanted) == REQUESTED
