"""What the page of witnesses promises: the authority names them, everyone sees how it stands, nobody else decides."""

from datetime import timedelta

import pytest
from sheet import read
from staff_room import badge

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
        with parts.database.write() as tx:
            regime.announce(
                tx, parts.log, standard_ref=parts.standard.ref, text=policy, since=clock().date(),
                now=clock(),
            )  # fmt: skip

        def send(_address, body):
            return Answer(200, witness.add_checkpoint(body, now=clock()).encode())

        Gatherer(parts.database, parts.log, send=send).round(clock())

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
