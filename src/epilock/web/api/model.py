"""The shapes of what the API takes and gives; names as in the ledger and the pages."""

from datetime import date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from epilock.standard.text import Text


class Taken(BaseModel):
    """A body: what is not asked is refused."""

    model_config = ConfigDict(extra="forbid")


class Words(BaseModel):
    """A text in both languages."""

    zh: str
    en: str

    @classmethod
    def of(cls, text: Text) -> "Words":
        """Return ``text`` in this shape."""
        return cls(zh=text.zh, en=text.en)


class AskedField(BaseModel):
    """One field of a point's form."""

    id: str
    category: str
    label: Words
    optional: bool
    sensitive: bool
    why: Words
    choices: list[str] = Field(description="If not empty, the only answers that are taken.")


class AskedAct(BaseModel):
    """One act of authorisation; ``id`` goes into ``given`` of a submission."""

    id: str
    kind: str
    consent: bool
    required: bool
    text: Words


class Section(BaseModel):
    """One section of the notice."""

    id: str
    title: Words
    items: list[Words]


class PointNotice(BaseModel):
    """A point and its notice in force: read it to the person before anything is asked."""

    org: str
    point: str
    name: Words
    organisation: Words
    level: str
    circumstance: str
    basis: str
    languages: list[str]
    notice: str = Field(description="SHA-256 of the notice; goes into each submission.")
    version: int
    signed: str = Field(description="Signed note of the organisation's notice key.")
    sections: list[Section]
    acts: list[AskedAct]
    fields: list[AskedField]


class ReceiptCode(Taken):
    """The code of a receipt; it opens a record, so it comes in a body and never in an address."""

    code: str = Field(min_length=1, max_length=80)


class ProofWanted(ReceiptCode):
    """Which proof: of the record itself, or the one with this entry's index."""

    entry: int | None = Field(default=None, ge=0, le=2**62)


class Corrected(ReceiptCode):
    """The answers as they should be: field id to value, all of them; ``given`` are acts that come to those of before."""

    fields: dict[str, str] = Field(max_length=100)
    given: list[str] = Field(default=[], max_length=100)


class PartDay(BaseModel):
    """When one part goes; ``last_day`` is null while that depends on the emergency's end, and a hold's while that lasts longer."""

    part: str
    categories: list[str]
    last_day: date | None
    days_left: int | None
    rule: str


class Opening(BaseModel):
    """One decision about the record."""

    at: datetime
    by: str = Field(description="``subject``, or the organisation of who asked.")
    purpose: str
    form: str
    verdict: str
    rule: str
    entry: int


class GoneProof(BaseModel):
    """One proof that something is gone; fetch it with its ``entry``."""

    kind: str
    parts: list[str]
    entry: int


class Asking(ReceiptCode):
    """An objection or a complaint, on a ground of the list; no word of the person's own."""

    kind: str = Field(max_length=10)
    ground: str = Field(max_length=20)


class Asked(BaseModel):
    """A request of the person concerned, until when it is answered, and what came of it."""

    request: str
    kind: str
    ground: str
    asked: datetime
    due: datetime
    answer: str | None
    answered: datetime | None


class Held(BaseModel):
    """What is held for a receipt, known without opening it."""

    code: str
    org: str
    organisation: Words
    point: str
    notice: str
    entry: int
    state: str
    kept: list[PartDay]
    withdrawable: list[str]
    openings: list[Opening]
    proofs: list[GoneProof]
    requests: list[Asked]


class Answers(BaseModel):
    """What a record holds: category to field to value."""

    answers: dict[str, dict[str, str]]


class Erased(BaseModel):
    """The parts that were destroyed just now."""

    parts: list[str]


class Answer(BaseModel):
    """An answer of the standard."""

    allowed: bool
    rule: str
    source: list[str]
    optional: bool
    advice: Words
    standard: str


class Calendar(BaseModel):
    """When a part of a bucket is due, by the levels recorded so far."""

    at: datetime | None
    last_day: date | None
    rule: str
    standard: str


class StandardVersion(BaseModel):
    """Which standard is in force here, and its codes."""

    version: str
    sha256: str
    ref: str
    circumstances: dict[str, Words]
    categories: dict[str, Words]
    purposes: dict[str, Words]
    levels: dict[str, Words]


class EmergencyLevel(BaseModel):
    """An emergency and its history of levels."""

    authority: str
    emergency: str
    kind: str
    area: str
    name: Words
    level: str | None
    history: list["Change"]


class Change(BaseModel):
    """One change of level."""

    at: datetime
    level: str


class Place(Taken):
    """One record: bucket id and number."""

    bucket: int = Field(ge=0, le=2**31 - 1)
    n: int = Field(ge=0, lt=16**6)


class OpenRecords(Taken):
    """What to open, whose, for what, under which grant."""

    source: str = Field(min_length=2, max_length=31)
    places: list[Place] = Field(min_length=1, max_length=500)
    purpose: str = Field(max_length=40)
    form: str = Field(max_length=20)
    grant: str | None = Field(default=None, max_length=20)
    reason: str = Field(default="", max_length=300)


class Opened(BaseModel):
    """A decision and, if it allows it, what it opens, in the order asked."""

    decision: str
    verdict: str
    rule: str
    entry: int
    records: list[dict[str, dict[str, str]]]


class CountRecords(Taken):
    """What to count, of whose records, under which grant to count."""

    grant: str = Field(max_length=20)
    emergency: str = Field(max_length=31)
    circumstance: str = Field(max_length=41)
    by: str = Field(max_length=80, description="A category, whose values are counted, or ``day``.")
    since: date
    until: date = Field(description="The last day, counted too; it must be over (China).")
    epsilon: str | None = Field(
        default=None, max_length=12,
        description="Price of an answer with noise, such as ``0.25``, where the purpose needs a budget.",
    )  # fmt: skip
    values: list[Annotated[str, Field(max_length=200)]] = Field(
        default=[], max_length=200, description="Values that are counted apart, with noise."
    )


class Counted(BaseModel):
    """A decision and, if it allows it, a table without small numbers; with noise, how far off each is."""

    decision: str
    verdict: str
    rule: str
    entry: int
    question: int = Field(description="Which one it is under its grant; 0 if it was refused.")
    cells: dict[str, int] = Field(description="By value; ```` is: not given.")
    others: int | None = Field(
        description="Sum of what is hidden, with noise of what has another value; null if it can't be shown."
    )
    within: int | None = Field(
        description="With noise: each number lies so near, in 19 of 20 cases."
    )


class DuePart(BaseModel):
    """A living part of the organisation's buckets."""

    bucket: str
    id: int
    part: str
    at: datetime | None
    rule: str
    due: bool
    held: bool


EmergencyLevel.model_rebuild()
