"""The form of a receipt: its parts and fields, after ISO/IEC TS 27560:2023; see ``receipt``."""

from typing import Annotated, Any, Final, Literal

import msgspec

from epilock.errors import FileFormatError

SCHEMA: Final = "urn:epilock:consent-receipt:v1"
DPV_RECEIPT: Final = "https://w3id.org/dpv/schema/dpv-27560#receipt"
DPV_RECORD: Final = "https://w3id.org/dpv/schema/dpv-27560#record"
State = Literal[
    "ConsentGiven", "RenewedConsentGiven", "ConsentRefused", "ConsentWithdrawn", "ConsentExpired",
    "ConsentTerminated", "ConsentInvalidated",
]  # fmt: skip

Hex32 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Uuid4 = Annotated[
    str, msgspec.Meta(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
]  # fmt: skip
Moment = Annotated[
    str, msgspec.Meta(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[+-][0-9]{2}:[0-9]{2}$")
]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A part of the receipt; unknown fields are refused."""


class PrivacyNotice(_Part, frozen=True):
    """Which notice was shown: its point, version and hash, and the standard it was made from."""

    id: str
    version: int
    sha256: Hex32
    standard: str


class PiiInformation(_Part, frozen=True):
    """One category; ``sensitive_pii_category`` names the law's reason or is null."""

    pii_type: str
    pii_attribute_id: str
    pii_optional: bool
    sensitive_pii_category: str | None


class RetentionPeriod(_Part, frozen=True):
    """How long some categories are kept: ISO 8601 duration (null: until the emergency ends) and its start."""

    categories: list[str]
    duration: str | None
    starts: str
    ceiling: str | None
    end: Literal["destroy", "anonymise"]
    rule: str


class WithdrawalMethod(_Part, frozen=True):
    """Where to withdraw: an address, and a desk for people without a phone."""

    url: str
    desk: str


class Event(_Part, frozen=True):
    """One event of consent; ``ledger_index`` orders them."""

    event_state: State
    event_type: Literal["ExplicitlyExpressedConsent", "ExpressedConsent"]
    event_time: Moment
    validity_duration: str
    entity_id: Literal["subject", "guardian", "controller", "authority"]
    ledger_index: int


class Acknowledgement(_Part, frozen=True):
    """On law or emergency: the person was told, and ticked that they had read it."""

    time: Moment
    entity_id: Literal["subject", "guardian"]


class Process(_Part, frozen=True):
    """What can be accepted or refused by itself: an act of the notice, and what it covers."""

    act: str
    purpose: str
    purpose_title: str
    purpose_type: str
    lawful_basis: str
    pii_information: list[PiiInformation]
    pii_controllers: list[str]
    collection_method: str
    processing_method: list[str]
    storage_locations: list[str]
    retention_period: list[RetentionPeriod]
    geographic_restrictions: list[str]
    recipient_third_parties: list[str]
    withdrawal_method: WithdrawalMethod
    privacy_rights: list[str]
    authority_party: str
    events: list[Event]
    acknowledgement: Acknowledgement | None


class Party(_Part, frozen=True):
    """Who: the controller, a third party, the supervising department."""

    party_id: str
    party_name: str
    party_address: str
    party_contact: str
    party_type: Literal["controller", "third-party", "authority"]


class Record(_Part, frozen=True):
    """The consent record; ``record_id`` is the commitment that stands in the ledger."""

    schema_version: Literal["https://w3id.org/dpv/schema/dpv-27560#record"]
    record_id: Hex32
    pii_principal_id: str
    language: Literal["zh", "en"]
    jurisdiction: str
    service: str
    privacy_notice: PrivacyNotice
    processing: list[Process]
    parties: list[Party]


class Ledger(_Part, frozen=True):
    """Where the record stands in the public log; ``proof`` is a whole ``.tlog-proof`` file."""

    origin: str
    index: int
    proof: str


class Commitment(_Part, frozen=True):
    """The key with which ``record_id`` can be recomputed from what was given."""

    algorithm: Literal["HMAC-SHA-256", "HMAC-SM3"]
    key: str


class Receipt(_Part, frozen=True):
    """The whole receipt."""

    schema: Literal["urn:epilock:consent-receipt:v1"]
    schema_version: Literal["https://w3id.org/dpv/schema/dpv-27560#receipt"]
    receipt_id: Uuid4
    created: Moment
    code: str
    records: Annotated[list[Record], msgspec.Meta(min_length=1, max_length=1)]
    ledger: Ledger
    commitment: Commitment

    def encode(self) -> bytes:
        """Return the canonical bytes (sorted keys)."""
        return msgspec.json.encode(self, order="sorted")

    def pretty(self) -> str:
        """Return the same JSON with line breaks, as it is handed out."""
        return msgspec.json.format(self.encode(), indent=2).decode() + "\n"


def parse(data: bytes) -> Receipt:
    """Return the receipt in a file, canonical or pretty.

    Raises:
        FileFormatError: It is not a receipt; the message names the place.
    """
    try:
        return msgspec.json.decode(data, type=Receipt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FileFormatError(f"not a receipt of {SCHEMA}: {error}") from None


def state(process: Process) -> str:
    """Return the state in force: of the highest ledger index (rule 4); later in the list wins a tie."""
    if not process.events:
        return "NotConsent"
    ordered = sorted(enumerate(process.events), key=lambda pair: (pair[1].ledger_index, pair[0]))
    return ordered[-1][1].event_state


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a receipt; ``receipt.schema.json`` is this."""
    schema = msgspec.json.schema(Receipt)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA, **schema}
