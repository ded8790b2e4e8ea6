"""An AuditEvent says what HL7 FHIR R4 asks of one, and nothing of the person."""

from datetime import UTC, datetime

import pytest

from epilock.registry.organisation import Organisation
from epilock.standard import load
from epilock.standard.text import Text
from epilock.use import audit_event
from epilock.use.decision import Decision

AT = datetime(2026, 3, 14, 1, 2, 3, tzinfo=UTC)
STANDARD = load()
ORGANISATIONS = {
    code: Organisation(
        org=code, serial=n, kind="health", range="R3", parent=None, area="370102",
        name=Text("疾控", name), contact={},
    )
    for n, (code, name) in enumerate({"sunny": "Sunny Garden", "cdc": "Lishan CDC"}.items())
}  # fmt: skip


def _bundle(**changes):
    said = {
        "org": "sunny", "decision": "d-aaaa", "by": "s-doctor", "by_org": "cdc", "grant": "g-bbbb",
        "purpose": "tracing", "form": "raw", "verdict": "opened", "rule": "see/x", "review": False,
        "places": ((1, 7), (1, 8), (2, 0)), "categories": (), "at": AT, "entry_index": 17, **changes,
    }  # fmt: skip
    return audit_event.bundle(
        [Decision(**said)], buckets={1: "sunny/a", 2: "sunny/b"},
        organisations=ORGANISATIONS, standard=STANDARD, url="https://epilock.example", now=AT,
    )  # fmt: skip


def test_bytes_that_leave_the_house():
    """Golden vector: another department's reader depends on it."""
    (one,) = _bundle()["entry"]
    event = one["resource"]
    assert one["fullUrl"] == "https://epilock.example/AuditEvent/d-aaaa"
    assert event["type"]["code"] == "110110"
    assert (event["action"], event["outcome"], event["outcomeDesc"]) == ("R", "0", "see/x")
    assert event["recorded"] == "2026-03-14T01:02:03.000Z"
    assert event["purposeOfEvent"][0]["text"] == "Tracing"
    assert {c["code"] for c in event["purposeOfEvent"][0]["coding"]} == {"tracing", "PUBHLTH"}
    assert [a["requestor"] for a in event["agent"]] == [True, False]
    assert event["agent"][1]["who"]["display"] == "Lishan CDC"
    assert event["source"]["observer"]["identifier"]["value"] == "sunny"
    held = [
        (e["what"]["identifier"]["value"], {d["type"]: d["valueString"] for d in e.get("detail", ())})
        for e in event["entity"]
    ]  # fmt: skip
    assert held == [
        ("sunny/a", {"records": "2", "form": "raw", "grant": "g-bbbb"}),
        ("sunny/b", {"records": "1", "form": "raw", "grant": "g-bbbb"}),
        ("17", {}),
    ]


@pytest.mark.parametrize(("verdict", "outcome"), [("opened", "0"), ("refused", "4")])
def test_a_refusal_is_no_success(verdict, outcome):
    assert _bundle(verdict=verdict)["entry"][0]["resource"]["outcome"] == outcome


def test_the_person_concerned_is_named_as_such_and_not_by_name():
    (agent,) = _bundle(by="subject", purpose="subject-access", grant=None)["entry"][0]["resource"]["agent"]  # fmt: skip
    assert agent == {
        "who": {"type": "Patient", "display": "the person concerned"},
        "requestor": True,
    }
