"""What the page of witnesses promises: the authority names them, everyone sees how it stands, nobody else decides."""

from datetime import timedelta

import pytest
import town
from playwright.sync_api import expect
from sheet import read
from staff_room import badge
from test_resident import TYPED, _fields
from town_server import CHROMIUM, free_port, serving
from visitor import Visitor

from epilock.ledger import regime
from epilock.ledger.gather import Gatherer
from epilock.ledger.wire import Answer
from epilock.ledger.witness.cosign import Witness
from epilock.ledger.witness.key import Cosigner
from epilock.ledger.witness.memory import Memory


@pytest.fixture
def witness(parts, tmp_path):
    memory = Memory(tmp_path / "audit")
    memory.add(parts.log.signer.verifier)
    return Witness(memory, [Cosigner.ed25519("audit.example", b"\x05" * 32)])


@pytest.fixture
def policy(parts, witness):
    (key,) = witness.verifiers
    text = f"log {parts.log.signer.vkey}\nwitness audit {key.vkey} https://audit.example\nquorum audit\n"
    return text.encode()


@pytest.fixture
def chief(parts, site):
    return badge(parts, site, "jinan", "chief", "administrator")


def announce(visitor, page, body, since):
    form = page.with_field("policy")
    return visitor.post(
        form.action,
        data={"csrf": dict(form.values)["csrf"], "since": since},
        files={"policy": ("city.policy", body)},
    )


class TestAnnounce:
    def test_the_authority_names_who_must_cosign(self, chief, parts, policy, clock):
        page = read(chief, "/console/witnesses")
        assert "nobody is asked to cosign" in page.text
        assert announce(chief, page, policy, clock().date().isoformat()).status_code == 303
        with parts.database.read() as tx:
            assert regime.listing(tx, parts.log)[0].text == policy
        page = read(chief, "/console/witnesses")
        assert "audit.example" in page.text
        assert "in force" in page.text
        assert "never" in page.text

    @pytest.mark.parametrize("body", [b"", b"quorum none\n", b"\xff" * 9])
    def test_what_is_no_policy_is_shown_again(self, chief, parts, body, clock):
        page = read(chief, "/console/witnesses")
        answer = announce(chief, page, body, clock().date().isoformat())
        assert answer.status_code in {400, 422}
        with parts.database.read() as tx:
            assert regime.listing(tx, parts.log) == []

    def test_nobody_else_decides(self, parts, site, policy, clock):
        """An administrator of an organisation below sees it and has no form; others don't see it."""
        admin = badge(parts, site, "sunny", "admin", "administrator")
        page = read(admin, "/console/witnesses")
        assert 'name="policy"' not in page.html
        token = page.html.split('name="csrf" value="')[1].split('"')[0]
        answer = admin.post(
            "/console/witnesses", data={"csrf": token, "since": clock().date().isoformat()},
            files={"policy": ("p", policy)},
        )  # fmt: skip
        assert answer.status_code == 403
        custodian = badge(parts, site, "sunny", "bao", "custodian")
        assert read(custodian, "/console/witnesses").status == 403


class TestState:
    @pytest.fixture
    def asked(self, parts, policy, witness, clock):
        """One round that the witness answers, then one that it does not."""
        self._round(parts, policy, witness, clock)

    def test_a_witness_that_cosigns(self, asked, chief, visitor):
        assert "cosigns" in read(chief, "/console/witnesses").text
        assert "audit.example: entries cosigned: " in read(visitor, "/log").text
        assert visitor.get("/log/checkpoint").text.count("— audit.example ") == 1

    def test_one_that_is_at_odds_stands_out_for_everybody(self, asked, parts, site, visitor, clock):
        clock.forward(hours=2)
        Gatherer(parts.database, parts.log, send=lambda *_: Answer(422, b"")).round(clock())
        chief = badge(parts, site, "jinan", "chief", "administrator")
        assert "is at odds" in read(chief, "/console/witnesses").text
        clock.instant += timedelta(minutes=2)
        assert "at odds" in read(visitor, "/log").text

    @pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
    def test_a_receipt_is_checked_against_it_where_its_person_looks(  # noqa: PLR0917 - who takes part, and time
        self, parts, site, policy, witness, clock, chromium
    ):
        """The browser itself counts who cosigned; when the record is gone, the proof of that too."""
        point = town.open_point(parts, "sunny", "residential-entry", town.NAME)
        filled = _fields(Visitor(site), f"/c/sunny/{point.point}")
        code = filled.send(filled.form(), step="send", **{"f.name": TYPED["f.name"]}).value("code")
        self._round(parts, policy, witness, clock)
        with serving(site, free_port()) as base:
            page = chromium.new_page(locale="en-GB", viewport={"width": 360, "height": 740})
            page.goto(f"{base}/r#{code}")
            page.get_by_text("Everything holds.").wait_for()
            expect(page.locator("#check")).to_contain_text(
                "Also signed by these witnesses: audit.example"
            )
            expect(page.locator("#check")).not_to_contain_text("no other department")
            page.context.close()

    def _round(self, parts, policy, witness, clock):
        with parts.database.write() as tx:
            regime.announce(
                tx, parts.log, standard_ref=parts.standard.ref, text=policy, since=clock().date(),
                now=clock(),
            )  # fmt: skip
        Gatherer(
            parts.database,
            parts.log,
            send=lambda _, body: Answer(200, witness.add_checkpoint(body, now=clock()).encode()),
        ).round(clock())
