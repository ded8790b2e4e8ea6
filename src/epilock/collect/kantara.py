"""Export of a receipt to Kantara Consent Receipt 1.1, for tools that read only that.

It has no place for withdrawal, storage media, refusals or proofs, so it is made from ours and never
read back. Its schema asks for an e-mail address, which an organisation here need not have: ``none``.
"""

from datetime import datetime
from typing import Any

from epilock.collect.receipt_form import Party, Process, Receipt, state

VERSION = "KI-CR-v1.1.0"
GIVEN = frozenset({"ConsentGiven", "RenewedConsentGiven"})


def export(receipt: Receipt) -> dict[str, Any]:
    """Return ``receipt`` as a Kantara 1.1 document, without what was refused or withdrawn."""
    record = receipt.records[0]
    held = [p for p in record.processing if p.acknowledgement is not None or state(p) in GIVEN]
    names = {p.party_id: p.party_name for p in record.parties}
    sensitive = sorted(
        {i.pii_type for p in held for i in p.pii_information if i.sensitive_pii_category}
    )
    return {
        "version": VERSION,
        "jurisdiction": record.jurisdiction,
        "consentTimestamp": int(datetime.fromisoformat(receipt.created).timestamp()),
        "collectionMethod": held[0].collection_method if held else "none",
        "consentReceiptID": receipt.receipt_id,
        "language": record.language,
        "piiPrincipalId": record.pii_principal_id,
        "piiControllers": [_controller(p) for p in record.parties if p.party_type == "controller"],
        "policyUrl": record.processing[0].withdrawal_method.url if record.processing else "",
        "services": [
            {"service": record.service, "purposes": [_purpose(p, names, n) for n, p in enumerate(held)]}
        ],
        "sensitive": bool(sensitive),
        "spiCat": sensitive,
    }  # fmt: skip


def _controller(party: Party) -> dict[str, Any]:
    name, _, phone = party.party_contact.rpartition(", ")
    return {
        "piiController": party.party_name,
        "onBehalf": False,
        "contact": name,
        "address": {"streetAddress": party.party_address, "addressCountry": "CN"},
        "email": "none",
        "phone": phone,
    }


def _purpose(process: Process, names: dict[str, str], place: int) -> dict[str, Any]:
    periods = [
        f"{r.end} {r.duration or 'when the emergency ends,'} after {r.starts}"
        for r in process.retention_period
    ]
    others = [names[p] for p in process.recipient_third_parties if p in names]
    purpose: dict[str, Any] = {
        "purpose": process.purpose_title,
        "consentType": "EXPLICIT" if process.events else "N/A",
        "purposeCategory": [process.purpose],
        "piiCategory": [i.pii_type for i in process.pii_information],
        "primaryPurpose": place == 0,
        "termination": "; ".join(periods) or "on withdrawal",
        "thirdPartyDisclosure": bool(others),
    }
    return purpose | ({"thirdPartyName": ", ".join(others)} if others else {})
