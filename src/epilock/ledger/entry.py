"""Entries: what the ledger can say. A closed list of types, one canonical form, no personal information.

An entry is canonical JSON (RFC 8785) of at most 16 KiB, an object whose ``type`` names one of ``TYPES``.
Persons appear as nothing: a record is a bucket and a number. Staff appear as an opaque id.

Rules kept in this file:
  1. What ``encode`` returns, ``decode`` accepts, and the other way round: one entry, one spelling.
  2. A type never changes. What must say more is a new type, so that old entries stay readable.
  3. ``collect`` carries no time: beside a bucket's day it would help to single out a person. All other
     entries carry the hour in which it happened; which came first within an hour, the index tells.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Union, get_type_hints

import msgspec
from msgspec import Meta

from epilock.errors import EntryError
from epilock.ledger import field as f

MOST_BYTES = 16 * 1024
HOUR = timedelta(hours=1)  # how exactly an entry tells when


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class Entry(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type",
    tag=_kebab,
):  # fmt: skip
    """What every entry says: by whom, and under which standard."""

    org: f.Slug
    standard: f.StandardRef


class Timed(Entry, frozen=True, kw_only=True):
    """What every entry but ``collect`` says besides: in which hour."""

    at: f.Stamp


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record, named by its place."""

    bucket: f.Bucket
    n: f.Number


class Standard(Timed, frozen=True, kw_only=True):
    """A version of the standard came into force here."""

    org: f.MaybeSlug
    version: f.StandardVersion
    sha256: f.Sha256


class Organisation(Timed, frozen=True, kw_only=True):
    """An organisation was registered."""

    serial: f.Count
    kind: f.Code
    range: f.Range
    parent: f.Slug | None
    area: f.Area
    name: f.Bilingual
    notice_key: f.Key


class Emergency(Timed, frozen=True, kw_only=True):
    """The authority ``org`` declared an emergency."""

    emergency: f.Slug
    kind: f.Code
    area: f.Area
    name: f.Bilingual


class Level(Timed, frozen=True, kw_only=True):
    """The authority ``org`` set the response level of an emergency (ERL 72)."""

    emergency: f.Slug
    level: f.Level
    effective: f.Exact
    issuer: f.Words
    instrument: f.Words
    date: f.Day
    expected_end: f.Day | None


class Mandate(Timed, frozen=True, kw_only=True):
    """An order under which ``org`` may collect was recorded."""

    mandate: f.Id
    authority: f.Slug
    emergency: f.Slug
    issuer: f.Words
    number: f.Words
    date: f.Day
    circumstances: f.Circumstances
    until: f.Day | None


class Agreement(Timed, frozen=True, kw_only=True):
    """A written agreement with a processor was recorded (PIPL 21)."""

    agreement: f.Id
    processor: f.Slug
    purpose: f.Code
    categories: f.Codes
    until: f.Day


class Assessment(Timed, frozen=True, kw_only=True):
    """An impact assessment was recorded (PIPL 55, 56)."""

    assessment: f.Id
    about: f.Code
    date: f.Day
    until: f.Day
    sha256: f.Sha256


class Point(Timed, frozen=True, kw_only=True):
    """A collection point was opened, with the categories it asks for at the level then in force."""

    point: f.Point
    authority: f.Slug
    emergency: f.Slug
    circumstance: f.Circumstance
    method: f.Code
    media: f.Codes
    categories: f.Codes
    optional: f.Codes
    mandate: f.Id | None
    basis: f.Code
    assessment: f.Id | None


class PointClosed(Timed, frozen=True, kw_only=True):
    """A collection point takes nothing any more."""

    point: f.Point
    reason: f.Code


class Notice(Timed, frozen=True, kw_only=True):
    """A point's notice was issued, under a response level."""

    point: f.Point
    version: f.Version
    level: f.Level
    languages: f.Languages
    sha256: f.Sha256


class NoticeCounts(Timed, frozen=True, kw_only=True):
    """How often a notice was shown, its form given, refused or left, from one hour to another."""

    point: f.Point
    notice: f.Sha256
    since: f.When
    until: f.When
    shown: f.Count
    given: f.Count
    refused: f.Count
    left: f.Count


class Bucket(Timed, frozen=True, kw_only=True):
    """A bucket was made: what ``org`` collects in one circumstance on one day."""

    bucket: f.Bucket
    authority: f.Slug
    emergency: f.Slug
    circumstance: f.Circumstance
    day: f.Day
    clock: f.Clock
    parts: f.Parts


class Lease(Timed, frozen=True, kw_only=True):
    """A process may number records ``block * 4096`` to ``block * 4096 + 4095`` of a bucket."""

    lease: f.Id
    bucket: f.Bucket
    block: f.Block
    until: f.When


class Collect(Entry, frozen=True, kw_only=True):
    """A record was collected at a point, under the notice with this hash."""

    point: f.Point
    bucket: f.Bucket
    n: f.Number
    notice: f.Sha256
    parts: f.Parts
    commitment: f.Commitment


class Correct(Timed, frozen=True, kw_only=True):
    """A record was replaced by another, which has a ``collect`` entry; the old one is erased by its own."""

    bucket: f.Bucket
    n: f.Number
    by_bucket: f.Bucket
    by_n: f.Number


class Event(Timed, frozen=True, kw_only=True):
    """The event that starts a record's clock: what is left of it moved to the bucket of that day.

    The new number has no ``collect`` entry; the old one is erased by entries of its own.
    """

    bucket: f.Bucket
    n: f.Number
    event: f.Clock
    day: f.Day
    to_bucket: f.Bucket
    to_n: f.Number


class Role(Timed, frozen=True, kw_only=True):
    """A member of staff has these roles from now on."""

    staff: f.Actor
    roles: f.Codes


class Grant(Timed, frozen=True, kw_only=True):
    """A member of staff may open records: for what, in which form, until when, at most how many.

    ``case`` says whether the number of a case, order or relation was named. The number itself stays with the
    organisation: it can reveal an illness.
    """

    grant: f.Id
    staff: f.Actor
    purpose: f.Code
    form: f.Code
    circumstances: f.Circumstances
    until: f.When
    subjects: f.Count
    case: f.Yes
    approved_by: f.Actor | None


class GrantRevoked(Timed, frozen=True, kw_only=True):
    """A grant ended before its time."""

    grant: f.Id
    by: f.Actor


class Approval(Timed, frozen=True, kw_only=True):
    """A second person decided on a request."""

    request: f.Id
    kind: f.Code
    by: f.Actor
    verdict: f.Code


class Decision(Timed, frozen=True, kw_only=True):
    """Records were opened, or refused; it stands here before plaintext leaves."""

    decision: f.Id
    by: f.Actor
    grant: f.Id | None
    purpose: f.Code
    form: f.Code
    verdict: f.Opened
    rule: f.Rule
    records: Annotated[Sequence[Record], Meta(max_length=f.MOST_RECORDS)]
    count: f.Count


class AggregateDecision(Timed, frozen=True, kw_only=True):
    """Records were counted by what they say, or it was refused; it stands here before a number leaves.

    Of the records of one circumstance from day ``since`` to day ``until``. No record is named: ``records``
    says how many there were, rounded down to tens, and nothing (0) where it was answered with noise;
    ``question`` numbers what was asked under the grant.
    """

    decision: f.Id
    by: f.Actor
    grant: f.Id | None
    purpose: f.Code
    emergency: f.Slug
    circumstance: f.Circumstance
    since: f.Day
    until: f.Day
    counted: f.Code
    verdict: f.Opened
    rule: f.Rule
    records: f.Count
    question: f.Count


class ReleaseDecision(Timed, frozen=True, kw_only=True):
    """Records were opened inside the program to try out a de-identified table, or it was refused; nothing left.

    Of the records of one circumstance from day ``since`` to day ``until``, of which ``records`` says how many
    there were, rounded down to tens; ``question`` numbers what was asked under the grant. If the table leaves,
    a ``release`` with the same code follows.
    """

    release: f.Id
    by: f.Actor
    grant: f.Id
    purpose: f.Code
    emergency: f.Slug
    circumstance: f.Circumstance
    since: f.Day
    until: f.Day
    verdict: f.Opened
    rule: f.Rule
    records: f.Count
    question: f.Count


class Release(Timed, frozen=True, kw_only=True):
    """A de-identified table of one circumstance's records left, under a grant; it stands here before the table leaves.

    ``k`` and ``l`` are what ``rule`` asks: the least records that the table tells apart from others, and the
    least different values that they have of each sensitive attribute. ``smallest`` and ``fewest`` are what
    was measured, together with the ``earlier`` releases of the same data; ``fewest`` is null where nothing
    sensitive is in it. Rows released and rows left out are rounded down to tens, so that two entries do not
    tell who came between. ``sha256`` is of the table's file.
    """

    release: f.Id
    by: f.Actor
    approved_by: f.Actor
    grant: f.Id
    purpose: f.Code
    emergency: f.Slug
    circumstance: f.Circumstance
    rule: f.Rule
    k: f.Count
    l: f.Count  # noqa: E741 - the model's own letter
    smallest: f.Count
    fewest: f.Count | None
    rows: f.Count
    suppressed: f.Count
    earlier: f.Count
    sha256: f.Sha256


class PrivacyBudget(Timed, frozen=True, kw_only=True):
    """A dataset may give away so much privacy from now on, in micro-epsilon, all that was spent included.

    As a whole (no purpose and no recipient), or, out of that, to one recipient for one purpose.
    """

    dataset: f.Id
    purpose: f.Code | None
    recipient: f.Code | None
    epsilon: f.Count
    by: f.Actor


class NoisyRelease(Timed, frozen=True, kw_only=True):
    """An answer with noise was paid for; it stands here before the data is read.

    ``query`` is the hash of the question, ``epsilon`` its price in micro-epsilon.
    """

    release: f.Id
    dataset: f.Id
    purpose: f.Code
    recipient: f.Code
    by: f.Actor
    query: f.Sha256
    epsilon: f.Count


class Study(Timed, frozen=True, kw_only=True):
    """A study was opened, is ending, or the key of its pseudonyms was destroyed: they are anonymous then."""

    study: f.Id
    purpose: f.Code
    stage: f.StudyStage
    by: f.Actor


class Search(Timed, frozen=True, kw_only=True):
    """A member of staff looked for someone by an identifier, under a grant; so many records were listed."""

    search: f.Id
    by: f.Actor
    grant: f.Id
    emergency: f.Slug
    category: f.Code
    found: f.Count


class Review(Timed, frozen=True, kw_only=True):
    """A second person looked at an opening for treatment in an emergency: it was justified, or it was not."""

    decision: f.Id
    by: f.Actor
    verdict: f.Reviewed
    reason: f.Code


class Erasure(Timed, frozen=True, kw_only=True):
    """Intent: parts of one record shall be erased."""

    erasure: f.Id
    bucket: f.Bucket
    n: f.Number
    parts: f.Parts
    reason: f.Code


class Erased(Timed, frozen=True, kw_only=True):
    """Done: the keys of these parts of one record are gone."""

    erasure: f.Id
    bucket: f.Bucket
    n: f.Number
    parts: f.Parts


class Order(Timed, frozen=True, kw_only=True):
    """Someone proposed to destroy parts of a bucket, not before ``not_before``."""

    order: f.Id
    bucket: f.Bucket
    parts: f.Parts
    reason: f.Code
    by: f.Actor
    not_before: f.When


class OrderApproved(Timed, frozen=True, kw_only=True):
    """A second person approved an order."""

    order: f.Id
    by: f.Actor


class OrderCancelled(Timed, frozen=True, kw_only=True):
    """An order will not be carried out."""

    order: f.Id
    by: f.Actor


class Destroy(Timed, frozen=True, kw_only=True):
    """Intent: the keys of these parts of a bucket shall be dropped; ``due`` since, by ``rule``."""

    destruction: f.Id
    bucket: f.Bucket
    parts: f.Parts
    rule: f.Rule
    due: f.When | None


class Certificate(Timed, frozen=True, kw_only=True):
    """Done: the keys of these parts are gone, for the records ``first`` to ``last``.

    ``collected`` counts the records of the bucket that had any of the parts, ``erased`` those of them
    of which none of the parts was left, ``destroyed`` the others. ``leases`` lists leases still out:
    while there are any it is not ``complete``.
    """

    destruction: f.Id
    bucket: f.Bucket
    parts: f.Parts
    first: f.Number
    last: f.Number
    collected: f.Count
    erased: f.Count
    destroyed: f.Count
    leases: f.Ids
    complete: f.Yes


class Hold(Timed, frozen=True, kw_only=True):
    """A bucket must not be destroyed to the end of a day: evidence or investigation, after an assessment (ERL 85)."""

    hold: f.Id
    bucket: f.Bucket
    assessment: f.Id
    reason: f.HoldReason
    until: f.Day
    by: f.Actor


class HoldReleased(Timed, frozen=True, kw_only=True):
    """A hold ended before its time."""

    hold: f.Id
    by: f.Actor


class Freeze(Timed, frozen=True, kw_only=True):
    """Destruction was frozen: rows or files were found changed past the program, in so many places."""

    org: f.MaybeSlug
    freeze: f.Id
    findings: f.Count


class FreezeLifted(Timed, frozen=True, kw_only=True):
    """Two persons lifted a freeze: ``by`` asked for it, ``approved_by`` agreed."""

    org: f.MaybeSlug
    freeze: f.Id
    reason: f.Code
    by: f.Actor
    approved_by: f.Actor


class Request(Timed, frozen=True, kw_only=True):
    """The person concerned asked for something (PIPL 44-50)."""

    request: f.Id
    kind: f.Code
    bucket: f.Bucket
    n: f.Number


class RequestClosed(Timed, frozen=True, kw_only=True):
    """A request was answered."""

    request: f.Id
    verdict: f.Code
    by: f.Actor


class Import(Timed, frozen=True, kw_only=True):
    """An import of a list began; its records have ``collect`` entries like any other.

    ``refused`` lists the categories whose columns were not read; ``file`` is a keyed hash of the file.
    With ``afterwards`` the persons are still to be told (PIPL 18).
    """

    import_id: f.Id
    point: f.Point
    notice: f.Sha256
    file: f.Keyed
    refused: f.Codes
    afterwards: f.Yes
    by: f.Actor


class ImportCompleted(Timed, frozen=True, kw_only=True):
    """An import ended: how many rows became records, and how many were refused."""

    import_id: f.Id
    stored: f.Count
    refused: f.Count


class ImportNotices(Timed, frozen=True, kw_only=True):
    """Letters with notice and receipt code were made for the persons of an import, so many records."""

    import_id: f.Id
    records: f.Count
    by: f.Actor


class ImportTold(Timed, frozen=True, kw_only=True):
    """The persons of an import were told (PIPL 18), so many records, in this way."""

    import_id: f.Id
    records: f.Count
    way: f.Code
    by: f.Actor


class PaperPage(Timed, frozen=True, kw_only=True):
    """A page of a paper ledger was keyed in: ``rows`` records; the paper may exist until the end of ``due``."""

    page: f.Id
    point: f.Point
    written: f.Day
    rows: f.Count
    due: f.Day


class PaperDestroyed(Timed, frozen=True, kw_only=True):
    """A person attests that a page of paper and its photographs were destroyed; nobody else saw it."""

    page: f.Id
    by: f.Actor


class TagsRemade(Timed, frozen=True, kw_only=True):
    """The search tags of an emergency were made anew by a later normaliser."""

    emergency: f.Slug
    version: f.Count


class Policy(Timed, frozen=True, kw_only=True):
    """From a day on, these witnesses must cosign; ``sha256`` is of the policy (C2SP tlog-policy)."""

    org: f.MaybeSlug
    since: f.Day
    sha256: f.Sha256
    witnesses: f.Count


class LogKey(Timed, frozen=True, kw_only=True):
    """From this entry on the log is signed by this key too; it signs the tree that ends with it."""

    org: f.MaybeSlug
    key: f.Key


class LogKeyEnded(Timed, frozen=True, kw_only=True):
    """The tree that ends with this entry is the last that this key signs."""

    org: f.MaybeSlug
    key: f.Key


class LogSealed(Timed, frozen=True, kw_only=True):
    """The log is complete: nothing follows this entry, and no key signs a larger tree.

    What is told of later stands in the log whose first key is ``successor``; null: nothing is.
    """

    org: f.MaybeSlug
    successor: f.Key | None


class LogContinues(Timed, frozen=True, kw_only=True):
    """The first entry of a log that goes on where another one was sealed.

    That one has the key ``key``, ``size`` entries and this ``root``; its last entry names this log's key.
    """

    org: f.MaybeSlug
    key: f.Key
    size: f.Count
    root: f.Sha256


TYPES: Mapping[str, type[Entry]] = {
    _kebab(t.__name__): t
    for t in (
        Standard, Organisation, Emergency, Level, Mandate, Agreement, Assessment, Point, PointClosed,
        Notice, NoticeCounts, Bucket, Lease, Collect, Correct, Event, Role, Grant, GrantRevoked,
        Approval, Decision, AggregateDecision, ReleaseDecision, Release, PrivacyBudget, NoisyRelease, Study, Search, Review, Erasure,
        Erased, Order, OrderApproved, OrderCancelled, Destroy, Certificate, Hold, HoldReleased, Request,
        RequestClosed, Import, ImportCompleted, ImportNotices, ImportTold, PaperPage, PaperDestroyed, TagsRemade, Policy, LogKey, LogKeyEnded, LogSealed,
        LogContinues, Freeze, FreezeLifted,
    )
}  # fmt: skip

_encoder = msgspec.json.Encoder(order="sorted")
_decoder: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(
    Union[tuple(TYPES.values())]  # noqa: UP007 - made from the table
)
_instant = datetime.fromisoformat
_CALENDAR: Mapping[Any, Callable[[str], object]] = {
    f.Day: date.fromisoformat,
    f.Stamp: _instant,
    f.Exact: _instant,
    f.When: _instant,
}


def _dated(kind: type[Entry]) -> tuple[tuple[str, Callable[[str], object]], ...]:
    """Return the fields of ``kind`` that are dates, each with its reader."""
    hints = get_type_hints(kind, include_extras=True)
    optional = {d | None: read for d, read in _CALENDAR.items()}
    readers = {**_CALENDAR, **optional}
    return tuple((name, readers[hint]) for name, hint in hints.items() if hint in readers)


_DATED = {kind: _dated(kind) for kind in TYPES.values()}


def hour(instant: datetime) -> datetime:
    """Return the begin of the hour (UTC) in which an aware ``instant`` lies.

    Raises:
        ValueError: ``instant`` has no offset.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant without an offset cannot be witnessed")
    return instant.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def stamp(instant: datetime) -> str:
    """Return the hour of an aware ``instant`` as entries write it: UTC, ``2026-03-14T01:00:00Z``.

    Raises:
        ValueError: ``instant`` has no offset.
    """
    return exact(hour(instant))


def exact(instant: datetime) -> str:
    """Return an aware ``instant`` in whole seconds, for what is about no person.

    Raises:
        ValueError: ``instant`` has no offset.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant without an offset cannot be witnessed")
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def encode(entry: Entry) -> bytes:
    """Return the canonical bytes of ``entry``.

    Raises:
        EntryError: A value is not of its kind, or the entry is too large.
    """
    try:
        data = _encoder.encode(entry)
    except (msgspec.MsgspecError, TypeError, UnicodeEncodeError) as error:
        raise EntryError(f"{type(entry).__name__}: {error}") from None
    decode(data)
    return data


def collecting(
    *, org: str, standard: str, point: str, bucket: str, notice: str, parts: Sequence[str]
) -> Callable[[int, str], bytes]:
    """Return a fast way to encode the ``collect`` entries that differ in number and commitment alone.

    The returned function takes the number and the commitment (64 lower-case hex digits) and returns
    what ``encode`` would; it checks nothing, for its caller has just computed both.

    Raises:
        EntryError: One of the given values is not of its kind.
    """
    blank = Collect(
        org=org, standard=standard, point=point, bucket=bucket, n=0, notice=notice, parts=parts,
        commitment="0" * 64,
    )  # fmt: skip
    before, hole, after = encode(blank).partition(b'"commitment":"' + b"0" * 64 + b'","n":0,')
    if not hole:
        raise EntryError("keys of a collect entry are not where canonical JSON puts them")
    start = before.decode() + '"commitment":"'
    end = "," + after.decode()

    def collect(n: int, commitment: str) -> bytes:
        return f'{start}{commitment}","n":{n}{end}'.encode()

    return collect


def decode(data: bytes) -> Entry:
    """Return the entry that ``data`` states.

    Raises:
        EntryError: It is too large, of no known type, a value is not of its kind, or it is not the
            canonical form.
    """
    if len(data) > MOST_BYTES:
        raise EntryError(f"an entry has at most {MOST_BYTES} bytes, not {len(data)}")
    try:
        entry = _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise EntryError(f"not an entry of a known type: {error}") from None
    for name, read in _DATED[type(entry)]:
        _check_date(entry, name, read)
    if isinstance(entry, Organisation | Emergency) and entry.name.keys() != {"en", "zh"}:
        raise EntryError("a name is given in `zh` and in `en`, and in nothing else")
    if isinstance(entry, Bucket):
        _check_bucket(entry)
    if _encoder.encode(entry) != data:
        raise EntryError("an entry is written in canonical JSON (RFC 8785): keys sorted, no spaces")
    return entry


def _check_date(entry: Entry, name: str, read: Callable[[str], object]) -> None:
    value = getattr(entry, name)
    if value is None:
        return
    try:
        read(value)
    except ValueError:
        raise EntryError(f"{name} of a {kind(entry)} entry is no day of the calendar") from None


def _check_bucket(entry: Bucket) -> None:
    event = "" if entry.clock == "collection" else f"+{entry.clock}"
    made_of = f"{entry.org}/{entry.emergency}/{entry.circumstance}/{entry.day}{event}"
    if entry.bucket != made_of:
        raise EntryError(
            "a bucket is named org/emergency/circumstance/day, and +event if one starts it"
        )


def kind(entry: Entry) -> str:
    """Return the type of ``entry`` as it is written, such as ``point-closed``."""
    return _kebab(type(entry).__name__)


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON schema (draft 2020-12) of each type."""
    return {name: _schema(of) for name, of in TYPES.items()}


def _schema(of: type[Entry]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([of], ref_template="#/$defs/{name}")
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    schema |= components.pop(of.__name__)
    return schema | ({"$defs": components} if components else {})
