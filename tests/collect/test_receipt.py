"""What the receipt promises: all that was agreed to, nothing that was given, provable for ever."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from made_up_point import SUPPLIES_POINT, made

import epilock.collect
from epilock.collect import code, kantara, receipt, receipt_form, receipt_page
from epilock.errors import FileFormatError
from epilock.standard import load

STANDARD = load()
EMERGENCY = made(STANDARD)
CONSENT = made(STANDARD, **SUPPLIES_POINT)
FOLDER = Path(epilock.collect.__file__).parent
AT = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def given(**changes: Any) -> receipt.Given:
    values: dict[str, Any] = {
        "receipt_id": code.receipt_id(bytes(32), "sunny-garden", "sunny-garden.k3f7q2", "c-1"),
        "serial": 5, "given": EMERGENCY.authorisation().required, "language": "zh",
        "guardian": False, "at": AT, "area": "370102", "commitment": "ab" * 32,
        "commitment_key": bytes(32), "committed_by": "HMAC-SHA-256", "origin": "log.example.cn", "index": 7,
        "proof": "c2sp.org/tlog-proof@v1\n",
    }  # fmt: skip
    return receipt.Given(**(values | changes))


def on_consent(**changes: Any) -> receipt_form.Receipt:
    ticked = {"given": CONSENT.authorisation().required} | changes
    return receipt.build(CONSENT, given(**ticked))


def process(found: receipt_form.Receipt, act: str) -> receipt_form.Process:
    (one,) = [p for p in found.records[0].processing if p.act == act]
    return one


class TestForm:
    def test_the_shipped_schema_is_the_code_s(self):
        """Others validate with the file; it can't drift from what we write."""
        shipped = json.loads((FOLDER / "receipt.schema.json").read_text())

        assert shipped == json.loads(json.dumps(receipt_form.json_schema()))

    @pytest.mark.parametrize("found", [receipt.build(EMERGENCY, given()), on_consent()])
    def test_validates(self, found):
        schema = json.loads((FOLDER / "receipt.schema.json").read_text())

        jsonschema_rs.validate(schema, json.loads(found.encode()))

    def test_every_key_has_a_term(self):
        """The mapping to DPV lies in one file and is whole."""
        terms = json.loads((FOLDER / "receipt.context.json").read_text())["@context"]

        def keys(value: Any) -> set[str]:
            if isinstance(value, dict):
                return set(value).union(*map(keys, value.values()))
            return set().union(*map(keys, value)) if isinstance(value, list) else set()

        assert keys(json.loads(on_consent().encode())) - {"schema"} <= set(terms)

    def test_comes_back_and_unknown_fields_do_not(self):
        found = on_consent()

        assert receipt_form.parse(found.encode()) == found
        assert receipt_form.parse(found.pretty().encode()) == found
        for data in (b"", b"[]", found.encode().replace(b'"code"', b'"kode"'), b"\xff"):
            with pytest.raises(FileFormatError):
                receipt_form.parse(data)

    def test_no_key_is_said_twice(self):
        """The public examples repeat ``hasProcess``: the last would win."""

        def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            assert len({k for k, _ in pairs}) == len(pairs)
            return dict(pairs)

        json.loads(on_consent().encode(), object_pairs_hook=unique)


class TestWhoAndWhat:
    def test_the_person_is_a_pseudonym_of_this_receipt(self):
        """Two receipts of one person can't be joined by it."""
        one = on_consent().records[0].pii_principal_id
        two = on_consent(receipt_id=code.receipt_id(bytes(32), "a1", "a1.b", "c")).records[0]

        assert re.fullmatch("subject-[0-9a-f]{20}", one)
        assert two.pii_principal_id != one

    def test_names_notice_and_record(self):
        """The hash of what was seen, and the commitment that stands in the ledger."""
        record = on_consent().records[0]

        assert record.privacy_notice.sha256 == CONSENT.sha256
        assert record.record_id == "ab" * 32

    @pytest.mark.parametrize("by", ["HMAC-SHA-256", "HMAC-SM3"])
    def test_says_how_the_commitment_is_made(self, by):
        assert on_consent(committed_by=by).commitment.algorithm == by

    def test_time_keeps_its_offset(self):
        assert on_consent().created == "2026-03-14T09:00:00+08:00"

    def test_code_and_id_are_one(self):
        found = on_consent()

        assert code.as_uuid(code.parse(found.code).receipt_id) == found.receipt_id

    def test_always_says_where_to_withdraw(self):
        """A receipt that only points to a record is no evidence: rights and withdrawal in each process."""
        for one in on_consent().records[0].processing:
            assert one.withdrawal_method.url == CONSENT.withdrawal_url
            assert one.withdrawal_method.desk == CONSENT.contact.address
            assert one.privacy_rights


class TestEvents:
    def test_a_box_left_empty_is_a_refusal(self):
        found = on_consent()

        assert (
            process(found, "optional:health.medication").events[0].event_state == "ConsentRefused"
        )
        assert receipt_form.state(process(found, CONSENT.acts[0].id)) == "ConsentGiven"

    def test_no_consent_is_made_up_on_an_emergency(self):
        """Acknowledged, not consented: outside ISO/IEC TS 27560, and said so."""
        found = receipt.build(EMERGENCY, given())
        told = process(found, "sensitive:health.temperature")

        assert told.events == []
        assert told.acknowledgement is not None
        assert "not consent" in told.lawful_basis
        assert receipt_form.state(told) == "NotConsent"
        assert process(found, "optional:contact.address").lawful_basis == "PIPL-13.1 consent"

    def test_a_withdrawal_ends_and_keeps_the_past(self):
        """The latest is the highest index in the ledger, whatever the clocks say."""
        act = CONSENT.acts[0].id
        later = receipt.Later(
            act=act, state="ConsentWithdrawn", at=AT - timedelta(days=1), entity="subject", index=90
        )
        found = process(on_consent(later=[later]), act)

        assert [e.event_state for e in found.events] == ["ConsentGiven", "ConsentWithdrawn"]
        assert receipt_form.state(found) == "ConsentWithdrawn"

    def test_each_separable_thing_is_its_own_process(self):
        """A category with a box of its own is covered by that box and no other."""
        for one in on_consent().records[0].processing:
            covered = {p.pii_type for p in one.pii_information}
            if one.act.startswith("purpose:"):
                assert "health.medication" not in covered
        assert [
            p.pii_type for p in process(on_consent(), "optional:health.medication").pii_information
        ] == ["health.medication"]

    def test_a_guardian_acts_for_a_child(self):
        found = on_consent(guardian=True, given=[*CONSENT.authorisation().required, "guardian"])

        assert {e.entity_id for p in found.records[0].processing for e in p.events} == {"guardian"}
        assert process(found, "guardian").lawful_basis.startswith("PIPL-13.1, 31")

    def test_third_parties_are_named_or_none(self):
        """An empty list is stated, not left out."""
        found = on_consent()

        assert process(found, "third-party:swift-feet").recipient_third_parties == [
            "org:swift-feet"
        ]
        assert process(found, CONSENT.acts[0].id).recipient_third_parties == []
        assert "org:swift-feet" in {p.party_id for p in found.records[0].parties}

    def test_retention_has_its_start(self):
        """ISO 8601 duration and the event that starts it."""
        (period, *_) = process(on_consent(), CONSENT.acts[0].id).retention_period

        assert re.fullmatch("P[0-9]+D", period.duration)
        assert period.starts != "collection"
        assert period.ceiling is not None


class TestKantara:
    """Required keys of the public schema, draft 1.1."""

    ROOT = frozenset({
        "version", "jurisdiction", "consentTimestamp", "collectionMethod", "consentReceiptID",
        "piiPrincipalId", "piiControllers", "policyUrl", "services", "sensitive", "spiCat",
    })  # fmt: skip
    PURPOSE = frozenset(
        {"consentType", "purposeCategory", "piiCategory", "termination", "thirdPartyDisclosure"}
    )

    def test_has_all_that_is_required(self):
        made_ = kantara.export(on_consent())

        assert set(made_) >= self.ROOT
        assert made_["version"] == "KI-CR-v1.1.0"
        assert made_["consentTimestamp"] == 1773450000
        for one in made_["piiControllers"]:
            assert set(one) >= {"piiController", "contact", "address", "email", "phone"}
        for purpose in made_["services"][0]["purposes"]:
            assert set(purpose) >= self.PURPOSE
            assert ("thirdPartyName" in purpose) == purpose["thirdPartyDisclosure"]

    def test_what_was_refused_is_not_in_it(self):
        assert "health.medication" not in json.dumps(kantara.export(on_consent()))

    def test_acknowledged_is_not_explicit_consent(self):
        purposes = kantara.export(receipt.build(EMERGENCY, given()))["services"][0]["purposes"]

        assert {p["consentType"] for p in purposes} == {"N/A"}


class TestPage:
    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_says_what_a_person_needs(self, language):
        found = on_consent()
        page = receipt_page.page(STANDARD, CONSENT, found, language)
        text = " ".join(line.value for line in page.lines)

        assert page.code == found.code
        assert all(line.label and line.value for line in page.lines)
        for said in (CONSENT.withdrawal_url, CONSENT.contact.complaints, CONSENT.sha256[:16]):
            assert said in text
        assert len(page.acts) == len(found.records[0].processing)
