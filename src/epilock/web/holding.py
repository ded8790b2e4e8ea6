"""What a receipt stands for: the record as it is now, how it came to be so, its days, who opened it.

All of it is known without opening the record. Nothing is found by anything but the receipt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa

from epilock.assemble import INSTALLATION
from epilock.collect import code as codes
from epilock.collect import issue, receipt
from epilock.collect.code import ReceiptCode
from epilock.collect.consent import GUARDIAN, LAWFUL
from epilock.collect.form import Form
from epilock.collect.issue import Issued
from epilock.collect.receipt_form import Receipt
from epilock.db import Transaction
from epilock.destroy import certificate, erasure, subject_request
from epilock.destroy import due as dues
from epilock.destroy import hold as holds
from epilock.destroy.certificate import Proof
from epilock.destroy.hold import Hold
from epilock.destroy.subject_request import COMPLAINT, OBJECTION, SubjectRequest
from epilock.errors import ErasedError, FieldsError, NotFoundError
from epilock.ledger import entry, shards
from epilock.registry import organisation as organisations
from epilock.registry.organisation import Organisation
from epilock.standard.clock import Due
from epilock.store import bucket as buckets
from epilock.store import vault
from epilock.store.bucket import LIVE, Bucket
from epilock.store.vault import Record
from epilock.use import decision as decisions
from epilock.use.decision import Decision
from epilock.web.request import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What is held for one receipt.

    Attributes:
        receipt: Serial and id of the receipt.
        code: The short code, in its groups.
        organisation: Who holds it.
        bucket, record: Where it is now; the same as collected if it never moved.
        first: The record as it was collected.
        issued: The notice it was given under.
        form: The form of that notice.
    """

    receipt: ReceiptCode
    code: str
    organisation: Organisation
    bucket: Bucket
    record: Record
    first: Record
    issued: Issued
    form: Form

    @property
    def org(self) -> str:
        """Code of the organisation."""
        return self.organisation.org

    @property
    def left(self) -> tuple[str, ...]:
        """The parts that still live, sorted."""
        if self.record.state != LIVE:
            return ()
        return tuple(sorted(p for p in self.record.left if p in self.bucket.live))

    @property
    def lawful(self) -> bool:
        """Whether what is required was asked by law or for the emergency, not by consent."""
        return self.issued.notice.basis in LAWFUL


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """When one part goes.

    Attributes:
        part: Its name.
        categories: What of the form it may hold.
        due: Its day and the rule that says so.
        hold: What keeps it longer than that, or None.
        days_left: Whole days until its last day is over; None if that has no date yet.
    """

    part: str
    categories: tuple[str, ...]
    due: Due
    hold: Hold | None
    days_left: int | None

    @property
    def last_day(self) -> date | None:
        """The last day on which it is kept, or None if that has no date yet."""
        return self.due.last_day if self.hold is None else self.hold.last_day


def find(tx: Transaction, site: Site, text: str) -> Holding:
    """Return what the receipt code ``text`` stands for.

    Raises:
        FieldsError: It is no code, or no record of this installation has it.
    """
    parsed = codes.parse(text)
    try:
        organisation = organisations.by_serial(tx, parsed.serial)
        chain = _chain(tx, organisation.org, codes.handle(parsed.receipt_id))
    except NotFoundError:
        raise FieldsError([codes.MISREAD.at("code")]) from None
    first, now = chain[0], vault.follow(tx, chain[0])
    point, issued = issue.in_force(tx, organisation.org, now.point)
    if issued.sha256 != now.notice:
        issued = issue.by_hash(tx, organisation.org, now.point, now.notice)
    return Holding(
        receipt=parsed, code=codes.encode(parsed.serial, parsed.receipt_id),
        organisation=organisation, bucket=buckets.load(tx, organisation.org, now.bucket),
        record=now, first=first, issued=issued,
        form=issue.form_of(site.parts.standard, point, issued),
    )  # fmt: skip


def stored_at(tx: Transaction, site: Site, org: str, point: str, client: str) -> datetime | None:
    """Return when the form ``client`` of a point was stored, or None if it never was."""
    secret = site.parts.keys.secret(INSTALLATION, "receipts")
    handle = vault.handle_of(codes.receipt_id(secret, org, point, client))
    try:
        first = _chain(tx, org, handle)[0]
    except NotFoundError:
        return None
    return first.at or datetime.min.replace(tzinfo=UTC)  # what is purged was stored long ago


def days(tx: Transaction, site: Site, held: Holding, *, today: date) -> list[Day]:
    """Return the day of each part that still lives, the first to go first."""
    standard = site.parts.standard
    held_back = hold_on(tx, site, held)
    found = []
    for part in held.left:
        due = dues.part_due(tx, standard, held.bucket, part)
        longer = held_back and due.last_day is not None and held_back.last_day > due.last_day
        hold = held_back if longer else None
        last = due.last_day if hold is None else hold.last_day
        left = None if last is None else max(0, (last - today).days + 1)
        names = tuple(
            f.category
            for f in held.form.fields
            if standard.part_of(held.bucket.circumstance, f.category).name == part
        )
        found.append(Day(part=part, categories=names, due=due, hold=hold, days_left=left))
    return sorted(found, key=lambda d: (d.days_left is None, d.days_left or 0, d.part))


def hold_on(tx: Transaction, site: Site, held: Holding) -> Hold | None:
    """Return the hold under which nothing of it is destroyed now, not even at its person's wish, or None."""
    return holds.on_bucket(tx, held.org, held.bucket.id, now=site.now())


def openings(tx: Transaction, held: Holding) -> list[Decision]:
    """Return every decision about the record, wherever it lay, the newest first."""
    places = {(r.bucket, r.n) for r in _chain(tx, held.org, held.record.handle)}
    found = [d for b, n in places for d in decisions.history(tx, held.org, b, n)]
    return sorted(found, key=lambda d: d.entry_index, reverse=True)


def requests(tx: Transaction, held: Holding) -> list[SubjectRequest]:
    """Return what the person asked for by receipt, the latest first."""
    places = {(r.bucket, r.n) for r in _chain(tx, held.org, held.record.handle)}
    return subject_request.of_record(tx, held.org, places)


def may_ask(tx: Transaction, site: Site, held: Holding) -> list[str]:
    """Return the kinds of request that are open to the person: an objection only to what can't be withdrawn."""
    going, _ = withdrawable(tx, site, held)
    waiting = {r.kind for r in requests(tx, held) if r.answered is None}
    kinds = [OBJECTION, COMPLAINT] if set(going) != set(held.left) else [COMPLAINT]
    return [kind for kind in kinds if kind not in waiting]


def proofs(tx: Transaction, site: Site, held: Holding) -> tuple[Proof, ...]:
    """Return the proofs of what is gone, the oldest first."""
    return certificate.prove(tx, site.parts.log, held.org, held.first.bucket, held.first.n)


def withdrawable(
    tx: Transaction, site: Site, held: Holding
) -> tuple[tuple[str, ...], Mapping[str, Due]]:
    """Return the parts that their person may have erased now, and those that a law keeps until a day.

    On law or emergency only what was optional rests on consent and can be withdrawn; what was required
    goes on its day, and its person may object. While it is held nothing is erased.
    """
    standard = site.parts.standard
    wanted = list(held.left)
    if held.lawful:
        required = {
            standard.part_of(held.bucket.circumstance, f.category).name
            for f in held.form.fields
            if not f.optional
        }
        wanted = [part for part in wanted if part not in required]
    kept = erasure.kept_by_law(tx, standard, held.bucket, wanted)
    if hold_on(tx, site, held) is not None:
        return (), kept
    return tuple(part for part in wanted if part not in kept), kept


def receipt_of(tx: Transaction, site: Site, held: Holding) -> Receipt:
    """Return the whole receipt (ISO/IEC TS 27560), made anew from what is stored.

    Raises:
        ErasedError: Part of the record is gone, so its commitment can't be opened any more.
    """
    record, parts = held.record, site.parts
    said = entry.decode(shards.entry_at(tx, parts.log, record.entry_index))
    if not isinstance(said, entry.Collect) or set(held.left) != set(record.parts):
        raise ErasedError("part of this record is gone or moved; keep the receipt you saved before")
    log, index = shards.at(parts.log, record.entry_index)
    leaves = [
        parts.keys.leaf(held.org, held.bucket.name, part, record.n) for part in sorted(record.parts)
    ]
    suite = parts.keys.suite_of(held.org)
    acts = held.form.given_acts(record.given or 0)
    return receipt.build(
        held.issued.notice,
        receipt.Given(
            receipt_id=held.receipt.receipt_id, serial=held.receipt.serial, given=acts,
            language="en" if record.language == "en" else "zh", guardian=GUARDIAN in acts,
            at=record.at or held.issued.issued, area=held.organisation.area,
            commitment=said.commitment, commitment_key=suite.commitment_key(leaves), committed_by=suite.commits_by,
            origin=log.origin, index=index, proof=log.proof(tx, index),
        ),
    )  # fmt: skip


def _chain(tx: Transaction, org: str, handle: bytes) -> list[Record]:
    """Return every record that had the receipt's handle, the first collected first.

    Raises:
        NotFoundError: None has.
    """
    b, r = buckets.buckets.c, vault.records.c
    here = sa.and_(r.org == b.org, r.bucket == b.bucket, r.handle == handle)
    query = (
        sa.select(r.bucket, r.n).join_from(buckets.buckets, vault.records, here).where(b.org == org)
    )
    found = [vault.find_record(tx, org, row.bucket, row.n) for row in tx.conn.execute(query)]
    if not found:
        raise NotFoundError("no record of this organisation has that receipt")
    return sorted(found, key=lambda record: record.entry_index)
