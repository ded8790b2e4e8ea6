"""Decisions of the gate as AuditEvents (HL7 FHIR R4, resources AuditEvent and Bundle), for other departments' systems.

An event says who saw how many records of which bucket, under which purpose and rule, and where the public
log says so too. It holds no record's number and nothing that someone gave. Pure.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from epilock.registry.organisation import Organisation
from epilock.standard import Standard
from epilock.use.decision import OPENED, SUBJECT, Decision

CONTENT_TYPE = "application/fhir+json"
_HL7 = "http://terminology.hl7.org/CodeSystem"
_TYPE = {
    "system": "http://dicom.nema.org/resources/ontology/DCM",
    "code": "110110",
    "display": "Patient Record",
}
_SUCCESS, _REFUSED = "0", "4"  # audit-event-outcome: success, minor failure
# The purposes of the standard for which HL7 has a code too (v3-ActReason).
_REASONS = {"treatment": "TREAT", "tracing": "PUBHLTH", "research": "HRESCH"}


def bundle(
    found: Sequence[Decision],
    *,
    buckets: Mapping[int, str],
    organisations: Mapping[str, Organisation],
    standard: Standard,
    url: str,
    now: datetime,
) -> dict[str, Any]:
    """Return a Bundle of one AuditEvent for each decision about one organisation's records, in their order.

    Args:
        found: The decisions.
        buckets: Name of each bucket that they are about, by id.
        organisations: By code; all that a decision names.
        standard: What its purposes are called.
        url: Address of the installation, in which its codes have a meaning.
        now: When it is made.
    """
    return {
        "resourceType": "Bundle", "type": "collection", "timestamp": _instant(now),
        "entry": [
            {
                "fullUrl": f"{url}/AuditEvent/{one.decision}",
                "resource": _event(one, buckets, organisations, standard, url),
            }
            for one in found
        ],
    }  # fmt: skip


def _event(
    one: Decision,
    buckets: Mapping[int, str],
    organisations: Mapping[str, Organisation],
    standard: Standard,
    url: str,
) -> dict[str, Any]:
    records: dict[str, int] = {}
    for bucket, _ in one.places:
        name = buckets[bucket]
        records[name] = records.get(name, 0) + 1
    return {
        "resourceType": "AuditEvent", "id": one.decision, "type": _TYPE, "action": "R",
        "recorded": _instant(one.at), "outcome": _SUCCESS if one.verdict == OPENED else _REFUSED,
        "outcomeDesc": one.rule, "purposeOfEvent": [_purpose(one, standard)],
        "agent": _agents(one, organisations, url),
        "source": {"site": url, "observer": _organisation(organisations[one.org], url)},
        "entity": [
            *(_records(name, number, one, url) for name, number in records.items()),
            {
                "what": {"identifier": {"system": f"{url}/log/entry", "value": str(one.entry_index)}},
                "type": _coding("audit-entity-type", "4", "Other"), "name": "entry of the public log",
            },
        ],
    }  # fmt: skip


def _purpose(one: Decision, standard: Standard) -> dict[str, Any]:
    name = standard.purposes[one.purpose].name.en if one.purpose in standard.purposes else ""
    coding = [{"system": f"urn:epilock:standard:{standard.ref}", "code": one.purpose}]
    if one.purpose in _REASONS:
        coding.append({"system": f"{_HL7}/v3-ActReason", "code": _REASONS[one.purpose]})
    return {"coding": coding, "text": name or one.purpose}


def _agents(
    one: Decision, organisations: Mapping[str, Organisation], url: str
) -> list[dict[str, Any]]:
    if one.by == SUBJECT:
        return [{"who": {"type": "Patient", "display": "the person concerned"}, "requestor": True}]
    who = {"type": "Practitioner", "identifier": {"system": f"{url}/staff", "value": one.by}}
    return [
        {"who": who, "requestor": True},
        {"who": _organisation(organisations[one.by_org], url), "requestor": False},
    ]


def _organisation(one: Organisation, url: str) -> dict[str, Any]:
    identifier = {"system": f"{url}/organisations", "value": one.org}
    return {"type": "Organization", "identifier": identifier, "display": one.name.en}


def _records(bucket: str, number: int, one: Decision, url: str) -> dict[str, Any]:
    said = {"records": str(number), "form": one.form, "grant": one.grant or ""}
    return {
        "what": {"identifier": {"system": f"{url}/buckets", "value": bucket}},
        "type": _coding("audit-entity-type", "2", "System Object"),
        "role": _coding("object-role", "4", "Domain Resource"),
        "detail": [{"type": name, "valueString": text} for name, text in said.items() if text],
    }


def _coding(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": f"{_HL7}/{system}", "code": code, "display": display}


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
