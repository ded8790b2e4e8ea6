"""The receipt a person keeps: ISO/IEC TS 27560 in shape, with the ledger's proof beside it.

Field names follow the public guide of the W3C DPV community group to ISO/IEC TS 27560:2023; each has
its DPV term in ``receipt.context.json`` (a JSON-LD context, the one place of that mapping); the form
is ``receipt.schema.json``. ``kantara`` exports to Consent Receipt 1.1, with loss, and nothing is ever
read back from that.

Rules kept in this file:
  1. No value that a person gave stands here, only categories; the person is a pseudonym that is new
     for each receipt.
  2. What can be accepted separately is a separate process with its own events; a box left empty is
     a refusal and recorded as one.
  3. ISO/IEC TS 27560 covers consent only. On law or emergency the basis is said and acts are
     *acknowledgements*: no event of consent is made up.
  4. All events stay; the state in force is that of the highest ledger index, never the latest clock.
  5. The proof and the commitment's key lie beside the record, not in it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

from epilock.collect import code
from epilock.collect.consent import Act
from epilock.collect.notice import Kept, Notice
from epilock.collect.notice_flow import COLLECTION
from epilock.collect.notice_page import say
from epilock.collect.receipt_form import (
    DPV_RECEIPT,
    DPV_RECORD,
    SCHEMA,
    Acknowledgement,
    Commitment,
    Event,
    Ledger,
    Party,
    PiiInformation,
    PrivacyNotice,
    Process,
    Receipt,
    Record,
    RetentionPeriod,
    State,
    WithdrawalMethod,
)
from epilock.standard.level import CHINA

RIGHTS = (
    "PIPL-44 know, decide, restrict, refuse",
    "PIPL-45 see, copy, move",
    "PIPL-46 correct, complete",
    "PIPL-47 delete, withdraw",
    "PIPL-48 explanation",
    "PIPL-49 near relatives",
    "PIPL-50 reasons of a refusal, court",
    "PIPL-65 complain",
)
BASES = {
    "consent": "PIPL-13.1 consent",
    "guardian": "PIPL-13.1, 31 consent of the guardian",
    "law": "PIPL-13.3 statutory duty (not consent: outside ISO/IEC TS 27560)",
    "emergency": "PIPL-13.4 emergency (not consent: outside ISO/IEC TS 27560)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """An event after the collection, such as a withdrawal.

    Attributes:
        act: The act it concerns.
        state: The new state.
        at: When, aware.
        entity: ``subject``, ``guardian``, ``controller`` or ``authority``.
        index: Of its ledger entry.
    """

    act: str
    state: State
    at: datetime
    entity: Literal["subject", "guardian", "controller", "authority"]
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What one stored submission was.

    Attributes:
        receipt_id: 16 bytes.
        serial: Of the organisation in its installation.
        given: Acts that were ticked.
        language: The notice was read in.
        guardian: Whether a guardian acted for a child.
        at: When it was stored, aware.
        area: GB/T 2260 code of the organisation.
        commitment: As in the ledger entry, hex.
        commitment_key: Its key.
        committed_by: What it was made with.
        origin: Of the log.
        index: Of the ``collect`` entry.
        proof: The ``.tlog-proof`` text.
        later: What happened since.
    """

    receipt_id: bytes
    serial: int
    given: Collection[str]
    language: Literal["zh", "en"]
    guardian: bool
    at: datetime
    area: str
    commitment: str
    commitment_key: bytes
    committed_by: Literal["HMAC-SHA-256", "HMAC-SM3"]
    origin: str
    index: int
    proof: str
    later: Sequence[Later] = ()


def pseudonym(receipt_id: bytes) -> str:
    """Return who the receipt is about: a hash that only its holder can make, new for each receipt."""
    return "subject-" + sha256(b"epilock/subject/v1\0" + receipt_id).hexdigest()[:20]


def moment(at: datetime) -> str:
    """Return ``at`` to the second in China's time, with its offset."""
    return at.astimezone(CHINA).isoformat(timespec="seconds")


def build(notice: Notice, given: Given) -> Receipt:
    """Return the receipt of a submission ``given`` under ``notice``."""
    own = notice.authorisation().by_category
    record = Record(
        schema_version=DPV_RECORD, record_id=given.commitment,
        pii_principal_id=pseudonym(given.receipt_id), language=given.language,
        jurisdiction=f"CN-{given.area}", service=say(notice.point_name, given.language),
        privacy_notice=PrivacyNotice(
            id=notice.point, version=notice.version, sha256=notice.sha256, standard=notice.standard
        ),
        processing=[
            _process(notice, act, given, own) for act in notice.acts if _applies(act, given)
        ],
        parties=_parties(notice, given.language),
    )  # fmt: skip
    return Receipt(
        schema=SCHEMA, schema_version=DPV_RECEIPT, receipt_id=code.as_uuid(given.receipt_id),
        created=moment(given.at), code=code.encode(given.serial, given.receipt_id), records=[record],
        ledger=Ledger(origin=given.origin, index=given.index, proof=given.proof),
        commitment=Commitment(algorithm=given.committed_by, key=given.commitment_key.hex()),
    )  # fmt: skip


def _applies(act: Act, given: Given) -> bool:
    """Tell whether ``act`` is a process of this record; a guardian's box is one only for a child."""
    return act.kind != "guardian" or given.guardian


def _process(notice: Notice, act: Act, given: Given, own: Mapping[str, str]) -> Process:
    pii = _pii(notice, act, own)
    categories = {p.pii_type for p in pii}
    kept = [k for k in notice.kept if categories.intersection(k.categories)]
    purpose, title = _purpose(notice, act, given.language)
    basis = (
        BASES[notice.basis]
        if not act.consent
        else BASES["guardian" if given.guardian else "consent"]
    )
    ticked = act.id in given.given
    entity: Literal["subject", "guardian"] = "guardian" if given.guardian else "subject"
    return Process(
        act=act.id, purpose=purpose, purpose_title=title, purpose_type=notice.circumstance,
        lawful_basis=basis, pii_information=pii, pii_controllers=[f"org:{notice.org}"],
        collection_method=notice.method, processing_method=["store", "use for the purpose"],
        storage_locations=[f"{medium} in CN-{given.area}" for medium in notice.media],
        retention_period=[_retention(k, categories) for k in kept],
        geographic_restrictions=["CN"], recipient_third_parties=_receivers(notice, act),
        withdrawal_method=WithdrawalMethod(url=notice.withdrawal_url, desk=notice.contact.address),
        privacy_rights=list(RIGHTS), authority_party="authority:supervisor",
        events=_events(act, given, _validity(kept), entity, ticked=ticked) if act.consent else [],
        acknowledgement=Acknowledgement(time=moment(given.at), entity_id=entity)
        if ticked and not act.consent
        else None,
    )  # fmt: skip


def _events(
    act: Act,
    given: Given,
    validity: str,
    entity: Literal["subject", "guardian"],
    *,
    ticked: bool,
) -> list[Event]:
    first = Event(
        event_state="ConsentGiven" if ticked else "ConsentRefused",
        event_type="ExplicitlyExpressedConsent", event_time=moment(given.at),
        validity_duration=validity, entity_id=entity, ledger_index=given.index,
    )  # fmt: skip
    return [
        first,
        *(
            Event(
                event_state=e.state, event_type="ExplicitlyExpressedConsent", event_time=moment(e.at),
                validity_duration=validity, entity_id=e.entity, ledger_index=e.index,
            )
            for e in given.later
            if e.act == act.id
        ),
    ]  # fmt: skip


def _pii(notice: Notice, act: Act, own: Mapping[str, str]) -> list[PiiInformation]:
    """Return the categories that ``act`` covers: those with an act of their ``own`` only there."""
    if act.kind in {"sensitive", "optional"}:
        fields = [f for f in notice.fields if own.get(f.category) == act.id]
    elif act.kind == "third-party":
        party = next(p for p in notice.third_parties if f"third-party:{p.id}" == act.id)
        fields = [f for f in notice.fields if f.category in party.categories]
    elif act.kind == "purpose":
        fields = [f for f in notice.fields if f.category not in own]
    else:
        fields = list(notice.fields)
    return [
        PiiInformation(
            pii_type=f.category, pii_attribute_id=f.id, pii_optional=f.optional,
            sensitive_pii_category="PIPL-28" if f.sensitive else None,
        )
        for f in fields
    ]  # fmt: skip


def _purpose(notice: Notice, act: Act, language: str) -> tuple[str, str]:
    """Return the purpose's code and what was read beside the box."""
    purposes = [a.id.partition(":")[2] for a in notice.acts if a.kind == "purpose"]
    if act.kind == "purpose":
        return act.id.partition(":")[2], say(act.text, language)
    if act.kind == "third-party":
        party = next(p for p in notice.third_parties if f"third-party:{p.id}" == act.id)
        return party.purpose, say(act.text, language)
    return purposes[0], say(act.text, language)


def _receivers(notice: Notice, act: Act) -> list[str]:
    """Return the third parties of an act; without acts of theirs, those of every purpose."""
    if act.kind == "third-party":
        return [f"org:{act.id.partition(':')[2]}"]
    if act.consent or act.kind != "purpose":
        return []
    return [f"org:{p.id}" for p in notice.third_parties if f"purpose:{p.purpose}" == act.id]


def _retention(kept: Kept, categories: Collection[str]) -> RetentionPeriod:
    return RetentionPeriod(
        categories=[c for c in kept.categories if c in categories],
        duration=None if kept.days is None else f"P{kept.days}D", starts=kept.starts,
        ceiling=None if kept.starts == COLLECTION else f"P{kept.ceiling_days}D",
        end="destroy" if kept.end == "destroy" else "anonymise", rule=kept.rule,
    )  # fmt: skip


def _validity(kept: Sequence[Kept]) -> str:
    """Return until when a consent holds: the longest of its retentions."""
    if not kept:
        return "until-event:withdrawal"
    longest = max(kept, key=lambda k: (k.days is None, k.days or 0))
    if longest.days is None:
        return "until-event:end-of-emergency"
    return f"until-event:{longest.starts}+P{longest.days}D"


def _parties(notice: Notice, language: str) -> list[Party]:
    contact = notice.contact
    return [
        Party(
            party_id=f"org:{notice.org}", party_name=say(notice.organisation, language),
            party_address=contact.address, party_contact=f"{contact.officer}, {contact.telephone}",
            party_type="controller",
        ),
        *(
            Party(
                party_id=f"org:{p.id}", party_name=say(p.name, language), party_address=p.contact,
                party_contact=p.contact, party_type="third-party",
            )
            for p in notice.third_parties
        ),
        Party(
            party_id="authority:supervisor", party_name=contact.supervisor,
            party_address=contact.supervisor, party_contact=contact.complaints,
            party_type="authority",
        ),
    ]  # fmt: skip
