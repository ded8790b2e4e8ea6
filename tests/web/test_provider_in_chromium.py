"""A whole sign-in in a real browser at a real identity provider: there, its login, its consent, and back."""

from datetime import UTC, datetime

import oidc_provider
import pytest
import town
from staff_room import code_at, hire
from town_server import CHROMIUM, free_port, serving

from epilock.accounts import credentials, provider, staff, totp
from epilock.assemble import INSTALLATION
from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")


def now() -> datetime:
    return datetime.now(UTC)


def test_from_the_door_to_the_provider_and_into_the_console(tmp_path, chromium):
    port = free_port()
    url = f"http://localhost:{port}"
    parts = town.found(tmp_path / "home", now, url=url)
    hire(parts, "sunny", "wang", "custodian")
    secret, key = parts.keys.secret(INSTALLATION, "totp"), totp.new_key()
    back = f"{url}/console/sign-in/provider/back"
    with (
        oidc_provider.provider(tmp_path / "provider", free_port(), back) as issuer,
        serving(create_app(parts), port),
    ):
        with parts.database.write() as tx:
            who = staff.by_login(tx, "sunny", "wang")
            tx.update(staff.staff, {"org": "sunny", "staff": who.staff}, must_change=False)
            credentials.enrol_totp(
                tx, secret=secret, org="sunny", code=who.staff, key=key, proof=code_at(key, now()), now=now(),
            )  # fmt: skip
            provider.configure(
                tx, secret=parts.keys.secret(INSTALLATION, "provider"), org="sunny", issuer=issuer,
                client=oidc_provider.CLIENT, client_secret=oidc_provider.SECRET, factors=(), now=now(),
            )  # fmt: skip
            provider.link(tx, org="sunny", staff=who.staff, sub="1", now=now())
        page = chromium.new_context(locale="en-GB").new_page()
        page.goto(f"{url}/console/sign-in?to=/console/points")
        page.locator("#provider_org").fill("sunny")
        page.get_by_role("button", name="Use its account", exact=True).click()
        page.get_by_role("link", name="Go on to your organisation's sign-in", exact=True).click()
        page.locator("#id_username").fill(oidc_provider.USER)
        page.locator("#id_password").fill(oidc_provider.PASSWORD)
        page.locator("#id_password").press("Enter")
        page.get_by_role("button", name="Authorize").or_(
            page.locator("input[name=allow]")
        ).first.click()
        page.wait_for_url(f"{url}/console/**")
        assert page.url.partition("?")[0] == f"{url}/console/proof"
        page.goto(f"{url}/console/points")
        assert page.url.partition("?")[0] == f"{url}/console/proof"
        with (
            parts.database.write() as tx
        ):  # the code that enrolled is used up; its step is over in this town
            tx.update(staff.staff, {"org": "sunny", "staff": who.staff}, totp_step=0)
        page.locator("#proof_code").fill(code_at(key, now()))
        with page.expect_navigation():
            page.locator("#proof_code").press("Enter")
        page.goto(f"{url}/console/points")
        assert page.url == f"{url}/console/points"
        page.context.close()
    parts.close()
