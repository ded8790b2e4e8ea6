"""A whole sign-in in a real browser at a real identity provider: there, its login, its consent, and back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import oidc_provider
import pytest
import town
from axe_playwright_python.sync_playwright import Axe
from oidc_provider import BASIC, POST
from playwright.sync_api import Browser, Page, expect
from staff_room import code_at, hire
from town_server import CHROMIUM, free_port, serving

from epilock.accounts import credentials, provider, staff, totp
from epilock.assemble import INSTALLATION, Parts
from epilock.web.app import create_app

pytestmark = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")


def now() -> datetime:
    return datetime.now(UTC)


class Office:
    """A site whose compound signs in at a provider, and a browser; ``wang`` is linked."""

    def __init__(self, parts: Parts, url: str, page: Page) -> None:
        self.parts, self.url, self.page, self.key = parts, url, page, totp.new_key()

    def set_up(self, issuer: str) -> None:
        parts, seal = self.parts, self.parts.keys.secret
        hire(parts, "sunny", "wang", "custodian")
        with parts.database.write() as tx:
            who = staff.by_login(tx, "sunny", "wang").staff
            tx.update(staff.staff, {"org": "sunny", "staff": who}, must_change=False)
            credentials.enrol_totp(
                tx, secret=seal(INSTALLATION, "totp"), org="sunny", code=who, key=self.key,
                proof=code_at(self.key, now()), now=now(),
            )  # fmt: skip
            # The code that enrolled is used up; its step is over in this town.
            tx.update(staff.staff, {"org": "sunny", "staff": who}, totp_step=0)
            provider.configure(
                tx, secret=seal(INSTALLATION, "provider"), org="sunny", issuer=issuer, client=oidc_provider.CLIENT,
                client_secret=oidc_provider.SECRET, factors=("mfa",), now=now(),
            )  # fmt: skip
            provider.link(tx, org="sunny", staff=who, sub="1", now=now())

    def sign_in(self, to: str) -> str:
        """Sign in at the provider, on the way to ``to``; return where the browser is led."""
        page = self.page
        page.goto(f"{self.url}/console/sign-in?to={to}")
        page.locator("#provider_org").fill("sunny")
        page.get_by_role("button", name="Use its account", exact=True).click()
        on = page.get_by_role("link", name="Go on to your organisation's sign-in", exact=True)
        on.wait_for()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        on.click()
        page.locator("#id_username").fill(oidc_provider.USER)
        page.locator("#id_password").fill(oidc_provider.PASSWORD)
        page.locator("#id_password").press("Enter")
        page.get_by_role("button", name="Authorize").or_(
            page.locator("input[name=allow]")
        ).first.click()
        page.wait_for_url(f"{self.url}/console/**")
        return self.path

    @property
    def path(self) -> str:
        return self.page.url.partition("?")[0].removeprefix(self.url)


Opens = Callable[..., "Iterator[Office]"]


@pytest.fixture
def opened(tmp_path: Path, chromium: Browser) -> Opens:
    @contextmanager
    def opened(secret_by: str, *amr: str) -> Iterator[Office]:
        port = free_port()
        url = f"http://localhost:{port}"
        parts = town.found(tmp_path / "home", now, url=url)
        context = chromium.new_context(locale="en-GB")
        office, back = Office(parts, url, context.new_page()), provider.back_at(url)
        there = oidc_provider.provider(
            tmp_path / "provider", free_port(), back, secret_by=secret_by, amr=amr
        )
        with there as issuer, serving(create_app(parts), port):
            office.set_up(issuer)
            yield office
            context.close()
        parts.close()

    return opened


def test_from_the_door_to_the_provider_and_into_the_console(opened):
    with opened(BASIC, "pwd") as office:
        assert office.sign_in("/console/points") == "/console/proof"
        office.page.goto(f"{office.url}/console/points")
        assert office.path == "/console/proof"
        office.page.locator("#proof_code").fill(code_at(office.key, now()))
        with office.page.expect_navigation():
            office.page.locator("#proof_code").press("Enter")
        office.page.goto(f"{office.url}/console/points")
        assert office.path == "/console/points"


def test_where_the_factor_there_counts_nothing_more_is_asked(opened):
    """And the client's secret goes into the form, the only way that this provider takes it."""
    with opened(POST, "pwd", "mfa") as office:
        assert office.sign_in("/console/points") == "/console/points"


def test_a_secret_that_is_not_the_clients_lets_nobody_in(opened):
    with opened(POST, "mfa") as office:
        with office.parts.database.write() as tx:
            here = provider.load(tx, "sunny")
            provider.configure(
                tx, secret=office.parts.keys.secret(INSTALLATION, "provider"), org="sunny", issuer=here.issuer,
                client=here.client, client_secret="another", factors=here.factors, now=now(),
            )  # fmt: skip
        office.sign_in("/console/points")
        expect(office.page.locator("main")).to_contain_text(
            "the identity provider refuses", use_inner_text=True
        )
