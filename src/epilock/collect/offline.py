"""Collecting without a network: a lease for the day, and the boxes that a browser sealed under it.

A *lease* lets a collector's device fill in one version of a point's notice for the rest of one day, and send
until the end of the next. The device holds a public key and nothing else: it seals each filled form at once
into a *box* (HPKE, RFC 9180, base mode, P-256, HKDF-SHA-256, AES-256-GCM), which it can't open again. Whoever
steals it reads nothing.

The private key never leaves the server. It rests sealed under a key made of the leaves that the lease's first
number has in each part of the day's bucket, so it dies with the first of these parts; and at the lease's end
these leaves are punctured. From then on nobody opens what was not sent in time.

A box's ``info`` is ``epilock/offline/v1``, NUL and the lease's code; its plaintext is a submission whose client
id is the receipt id, a random version 4 UUID, filled up with spaces to a multiple of 1,024 bytes.

Rules kept in this file:
  1. A box counts only while its lease lasts, in the transaction that stores it (``record``).
  2. What is in a box is held to the form of the notice that was leased, on the day of the lease.
  3. A lease is one of the bucket's: the ledger says so, and a certificate waits for its end.
  4. A lease is taken for a number of forms; what comes beyond it is stored only after a custodian allowed more.
  5. A refusal names the form by the end of its receipt code and the fields by name, never by value.
  6. What arrived is noted by the hash of its box, in the transaction that stores it: whichever way it came, the
     device that sealed it is told so for 30 days after the lease's end.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM
from cryptography.hazmat.primitives.hpke import Suite as Hpke
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from epilock.collect import code, issue
from epilock.collect import point as points
from epilock.collect.form import Accepted, Form, Leased, client_id, parse
from epilock.collect.issue import Issued
from epilock.collect.point import Point
from epilock.db import Database, Instant, Json, Transaction, id_from, metadata, sealed_table
from epilock.errors import (
    BoxError,
    ClosedError,
    ConsentError,
    FieldProblem,
    FieldsError,
    FileFormatError,
    InputError,
    LimitError,
    StateError,
    TooLargeError,
)
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.store import keyrows, keytree, vault
from epilock.store.access import Keys

INFO = b"epilock/offline/v1\0"
METHODS = frozenset({"qr-form", "interview"})  # by which a person fills in, or is asked
GRACE = timedelta(days=1)  # after the end of the day, to come back to a network
TOLD = timedelta(days=30)  # after a lease's end: a device is told as long which boxes arrived
MOST = 500  # forms under one lease, and in one exported file
USUAL = 200  # forms of a day at one gate
MAX_BOX = 49_152  # bytes: what a request of 64 KiB holds in base64
_PURPOSE = b"epi-offl"
_HPKE = Hpke(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_CURVE = ec.SECP256R1()

offline_leases = sealed_table(
    "offline_leases",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("lease", sa.String(20), primary_key=True),
    sa.Column("point", sa.String(40), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("holder", sa.String(31), nullable=False),
    sa.Column("bucket", sa.Integer, nullable=False),
    sa.Column("block", sa.Integer, nullable=False),
    sa.Column("parts", Json, nullable=False),
    sa.Column("day", sa.String(10), nullable=False),
    sa.Column("taken", Instant, nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Column("public", sa.LargeBinary(65), nullable=False),
    sa.Column("sealed", sa.LargeBinary),
)
"""``lease`` as in ``leases``; ``version`` of the notice; ``holder`` the account; ``sealed`` the private key, NULL
once its leaves are gone."""

offline_counts = sealed_table(
    "offline_counts",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("lease", sa.String(20), primary_key=True),
    sa.Column("most", sa.Integer, nullable=False),
    sa.Column("stored", sa.Integer, nullable=False),
)
"""How many forms a lease was taken for, and how many have come in under it."""

offline_arrivals = sealed_table(
    "offline_arrivals",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("lease", sa.String(20), primary_key=True),
    sa.Column("box", sa.LargeBinary(32), primary_key=True),
    sa.Column("entry_index", sa.BigInteger, nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Index("offline_arrivals_until", "org", "until"),
)
"""``box`` SHA-256 of a sealed box that needs nothing more, and ``entry_index`` the position of the ledger entry of its
person's answers; ``until`` when it is forgotten that it came."""


class Count(NamedTuple):
    """How many forms a lease was taken for (``most``), and how many have come in under it."""

    most: int
    stored: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """A box that can't be stored, and need not be: its person's answers came in under the same receipt.

    Attributes:
        index: Position of the ledger entry of what was stored.
    """

    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One lease as it was when it was loaded; columns as in the table.

    Attributes:
        org: Organisation.
        lease: Its code, as in the ledger.
        point: The point.
        version: Version of the notice that is shown under it.
        holder: Account that took it.
        bucket: Id of the day's bucket.
        block: Block of the bucket's numbers; its first number is the private key's.
        parts: Parts of the bucket whose leaves the private key hangs on.
        day: The day of collection, in China.
        taken: When it was taken.
        until: When it ends.
        public: The public key, an uncompressed point of P-256, 65 bytes.
        sealed: The private key, sealed; None once its leaves are gone.
    """

    org: str
    lease: str
    point: str
    version: int
    holder: str
    bucket: int
    block: int
    parts: tuple[str, ...]
    day: date
    taken: datetime
    until: datetime
    public: bytes
    sealed: bytes | None

    @property
    def number(self) -> int:
        """The record number whose leaves seal the private key; no record ever has it."""
        return self.block * keytree.LEASE_LEAVES

    @property
    def last_filled(self) -> datetime:
        """The end of its day: what is filled in later belongs to another lease."""
        return datetime.combine(self.day + timedelta(days=1), time(), CHINA)


def take(
    tx: Transaction,
    log: Log,
    keys: Keys,
    standard: Standard,
    *,
    org: str,
    point: str,
    holder: str,
    most: int,
    now: Callable[[], datetime],
    code: str = "",
) -> Lease:
    """Lease a point for the rest of today, and for ``most`` forms, to the account ``holder``.

    ``now`` is the clock: what is in force is judged when the turn has come, which is waited for where others write.
    ``code`` is the lease's (``code_for``), or a fresh one is made.

    Raises:
        NotFoundError: There is no such point.
        InputError: It collects in another way: on paper, by lists, by devices; or too many forms are wanted.
        ClosedError: It is closed, asks nothing now, or the day's bucket takes no more.
        StaleNoticeError: Its notice is of another level than the one in force, and is being issued anew.
        ConflictError: There is a lease of this code.
    """
    check_most(most)
    log.append(tx, [], now=now())  # the head first: what is judged now stays so until the commit
    at = now()
    found, issued = issue.in_force(tx, org, point)
    if found.method not in METHODS:
        raise InputError(f"{point} collects by {found.method}, so its form is not taken along")
    if found.closed is not None or not issued.notice.fields:
        raise ClosedError(f"{point} is closed, or asks nothing at the present level")
    issue.check_level(tx, found, issued.notice.level, now=at)
    day = at.astimezone(CHINA).date()
    until = datetime.combine(day + timedelta(days=1), time(), CHINA) + GRACE
    bucket = buckets.ensure(
        tx, log, keys, standard, org=org, authority=found.authority, emergency=found.emergency,
        circumstance=found.circumstance, day=day, now=at,
    )  # fmt: skip
    block = buckets.take_lease(
        tx, log, bucket, standard_ref=standard.ref, holder=holder, until=until, now=at, code=code
    )
    lease_code = tx.get(buckets.leases, org=org, bucket=bucket.id, block=block)["lease"]
    private = ec.generate_private_key(_CURVE)
    lease = Lease(
        org=org, lease=lease_code, point=point, version=issued.notice.version, holder=holder,
        bucket=bucket.id, block=block, parts=bucket.live, day=day, taken=at, until=until,
        public=private.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        ),
        sealed=None,
    )  # fmt: skip
    plain = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    cipher = keys.suite_of(org).cipher(_key(keys, lease, bucket.name))
    sealed = keyrows.wrap(cipher, plain, _aad(keys, lease))
    tx.insert(
        offline_leases, org=org, lease=lease_code, point=point, version=lease.version, holder=holder,
        bucket=bucket.id, block=block, parts=list(lease.parts), day=day.isoformat(), taken=at,
        until=until, public=lease.public, sealed=sealed,
    )  # fmt: skip
    tx.insert(offline_counts, org=org, lease=lease_code, most=most, stored=0)
    return replace(lease, sealed=sealed)


def code_for(form: UUID) -> str:
    """Return the code of the lease that is taken by the form of this id."""
    return id_from("l", form)


def is_held(tx: Transaction, org: str, lease: str, holder: str) -> bool:
    """Tell whether the account ``holder`` has taken a lease of this code."""
    row = tx.find(offline_leases, org=org, lease=lease)
    return row is not None and row["holder"] == holder


def load(tx: Transaction, org: str, lease: str) -> Lease:
    """Return a lease.

    Raises:
        NotFoundError: The organisation has none of this code.
    """
    return read(tx.get(offline_leases, org=org, lease=lease))


def points_of(tx: Transaction, org: str) -> list[str]:
    """Return the codes of the points of which ``org`` has leased some."""
    query = sa.select(offline_leases.c.point).distinct().where(offline_leases.c.org == org)
    return sorted(tx.conn.execute(query).scalars())


def is_running(now: datetime) -> sa.ColumnElement[bool]:
    """Return the condition that what was sealed under a lease, a row of ``offline_leases``, is still taken."""
    return sa.and_(offline_leases.c.sealed.is_not(None), offline_leases.c.until > now)


def is_full() -> sa.ColumnElement[bool]:
    """Return the condition that as many forms have come in under a lease as it was taken for."""
    c, lease = offline_counts.c, offline_leases.c
    return sa.exists().where(c.org == lease.org, c.lease == lease.lease, c.stored >= c.most)


def counts(tx: Transaction, org: str, leases: Collection[str]) -> dict[str, Count]:
    """Return how full each of ``leases`` is; one that was taken before there were limits has none."""
    c = offline_counts.c
    rows = tx.all(offline_counts, c.org == org, c.lease.in_(leases))
    return {row["lease"]: Count(row["most"], row["stored"]) for row in rows}


def digest_of(box: bytes) -> bytes:
    """Return the name by which a box is known that arrived: its SHA-256, 32 bytes."""
    return sha256(box).digest()


def note_arrived(tx: Transaction, lease: Lease, box: bytes, index: int) -> None:
    """Note that the box of SHA-256 ``box`` needs nothing more: its person's answers stand at the entry ``index``."""
    key: dict[str, Any] = {"org": lease.org, "lease": lease.lease, "box": box}
    if tx.find(offline_arrivals, **key) is None:
        tx.insert(offline_arrivals, **key, entry_index=index, until=lease.until + TOLD)


def arrived(tx: Transaction, org: str, lease: str, boxes: Collection[bytes]) -> dict[bytes, int]:
    """Return which of ``boxes`` (SHA-256) arrived under a lease, each with the position of its ledger entry."""
    c = offline_arrivals.c
    rows = tx.all(offline_arrivals, c.org == org, c.lease == lease, c.box.in_(boxes))
    return {row["box"]: row["entry_index"] for row in rows}


def is_told(tx: Transaction, org: str, lease: str, *, now: datetime) -> bool:
    """Tell whether it is still known of each box of a lease if it arrived."""
    row = tx.find(offline_leases, org=org, lease=lease)
    return row is not None and now < read(row).until + TOLD


def forget_arrived(tx: Transaction, *, now: datetime) -> None:
    """Forget which boxes arrived where their time is over."""
    c = offline_arrivals.c
    for each in organisations.everyone(tx):
        tx.conn.execute(sa.delete(offline_arrivals).where(c.org == each.org, c.until <= now))


def check_room(lease: str, found: Count | None, coming: int) -> None:
    """Return if one form more may be stored under ``lease`` beside the ``coming``.

    Raises:
        LimitError: It may not; nothing is lost, for the device keeps the box.
    """
    if found is not None and found.stored + coming >= found.most:
        raise LimitError(
            f"the offline lease {lease} was taken for {found.most} forms, and as many have come in; "
            "nothing was stored: a custodian may allow more, then send again"
        )


def count_stored(tx: Transaction, org: str, lease: str, more: int) -> None:
    """Count ``more`` forms as come in under ``lease``, in the transaction that stores them."""
    row = tx.find(offline_counts, lock=True, org=org, lease=lease)
    if row is not None:
        tx.update(offline_counts, {"org": org, "lease": lease}, stored=row["stored"] + more)


def allow_more(tx: Transaction, lease: Lease, *, most: int, now: datetime) -> None:
    """Let ``most`` forms come in under a lease that lasts.

    Raises:
        InputError: It is no number from 1 to 500.
        ClosedError: The lease has ended.
        StateError: It was allowed as many already.
    """
    check_most(most)
    check_open(lease, now=now)
    found = tx.get(offline_counts, lock=True, org=lease.org, lease=lease.lease)
    if most <= found["most"]:
        raise StateError(f"the lease {lease.lease} was taken for {found['most']} forms already")
    tx.update(offline_counts, {"org": lease.org, "lease": lease.lease}, most=most)


def leased_form(tx: Transaction, standard: Standard, lease: Lease) -> tuple[Point, Issued, Form]:
    """Return the point of a lease, the notice that was leased, and its form."""
    point = points.load(tx, lease.org, lease.point)
    issued = issue.version_of(tx, lease.org, lease.point, lease.version)
    return point, issued, issue.form_of(standard, point, issued)


def check_open(lease: Lease, *, now: datetime) -> None:
    """Return if boxes of the lease are still taken.

    Raises:
        ClosedError: It has ended.
    """
    if lease.sealed is None or now >= lease.until:
        raise ClosedError(
            f"the offline lease {lease.lease} has ended, and its key is gone: "
            "what was sealed under it can't be opened any more; nothing was stored"
        )


def count_running(tx: Transaction, org: str, point: str, *, now: datetime) -> int:
    """Return how many leases of the point run: what their devices have not sent is lost if it closes."""
    c = offline_leases.c
    return len(
        tx.all(
            offline_leases, c.org == org, c.point == point, c.sealed.is_not(None), c.until > now
        )
    )  # fmt: skip


def over(
    tx: Transaction, asked: Collection[tuple[str, str]], *, now: datetime
) -> list[tuple[str, str]]:
    """Return which of the leases ``asked`` about, by organisation and code, take nothing more.

    A lease does when it has ended, or its point has closed. What is no lease is not among them.
    """
    found = []
    for org, code_of in asked:
        row = tx.find(offline_leases, org=org, lease=code_of)
        if row is not None and (
            row["sealed"] is None
            or now >= row["until"]
            or points.load(tx, org, row["point"]).closed is not None
        ):
            found.append((org, code_of))
    return found


def open_box(
    tx: Transaction, keys: Keys, standard: Standard, lease: Lease, box: bytes, *, now: datetime
) -> Accepted | Replaced:
    """Return what may be stored of a box that a device sealed under ``lease``.

    One that can't be stored is replaced where its person was asked again under the same receipt.

    Raises:
        ClosedError: The lease has ended.
        ErasedError: What was collected that day is being destroyed, or was: the key went with it.
        TooLargeError: The box is larger than any form.
        FileFormatError: It was not sealed for this lease, or was changed; or no submission is in it.
        BoxError: What is in it is not what the form takes; it says which form and which fields.
        InputError: Its receipt id is none, so nobody can say whose form it is.
    """
    check_open(lease, now=now)
    if len(box) > MAX_BOX:
        raise TooLargeError(f"a sealed form is at most {MAX_BOX} bytes")
    try:
        plain = _HPKE.decrypt(box, _private(tx, keys, lease), INFO + lease.lease.encode())
    except (InvalidTag, ValueError):
        raise FileFormatError("this was not sealed for this lease, or was changed since") from None
    submission = parse(plain)
    receipt = client_id(submission.client)
    if receipt[6] >> 4 != 4 or receipt[8] >> 6 != 2:  # noqa: PLR2004 - RFC 9562
        raise InputError("the receipt id in a sealed form must be a version 4 UUID")
    _, issued, form = leased_form(tx, standard, lease)
    try:
        accepted = form.accept(submission, today=lease.day)
    except InputError as error:
        stored = vault.find_handle(tx, lease.org, lease.bucket, vault.handle_of(receipt))
        if stored is not None:
            return Replaced(stored.entry_index)
        serial = organisations.load(tx, lease.org).serial
        raise BoxError(mark_of(code.encode(serial, receipt)), _named(error, form, issued)) from None
    return replace(accepted, leased=Leased(lease.lease, lease.day, digest_of(box)))


def mark_of(receipt: str) -> str:
    """Return the part of a receipt's code by which a refused form is found again: its last group."""
    return receipt[-code.GROUP :]


def end(tx: Transaction, lease: Lease, *, now: datetime) -> None:
    """End a lease before its time: nothing is waiting any more. Repeating is harmless."""
    if now < lease.until:
        tx.update(offline_leases, {"org": lease.org, "lease": lease.lease}, until=now)
        bucket = buckets.load(tx, lease.org, lease.bucket)
        buckets.return_lease(tx, bucket, lease.block, now=now)


def forget_ended(database: Database, keys: Keys, *, now: datetime) -> int:
    """Destroy the private keys of leases that are over; return how many. Repeating is harmless.

    The leaves go first. A crash then leaves a sealed key that nothing opens, and the next call takes it away.
    """
    with database.read() as tx:
        over = [
            read(row)
            for row in tx.all(
                offline_leases, offline_leases.c.until <= now, offline_leases.c.sealed.is_not(None)
            )
        ]
        names = {lease.lease: buckets.load(tx, lease.org, lease.bucket).name for lease in over}
    for org in {lease.org for lease in over}:
        own = [lease for lease in over if lease.org == org]
        leaves = [(names[each.lease], part, each.number) for each in own for part in each.parts]
        keys.destroy(org, punctures=leaves)
        with database.write() as tx:
            for lease in own:
                tx.update(offline_leases, {"org": org, "lease": lease.lease}, sealed=None)
    return len(over)


def check_most(most: int) -> None:
    """Raise InputError if no point is taken along for ``most`` forms."""
    if not 1 <= most <= MOST:
        raise InputError(f"a point is taken along for 1 to {MOST} forms")


def _named(error: InputError, form: Form, issued: Issued) -> list[FieldProblem]:
    """Return what is wrong in a form, each with the name that stands on the page, in both languages."""
    if isinstance(error, FieldsError):
        return [
            replace(p, zh=f"{label.zh}：{p.zh}", en=f"{label.en}: {p.en}")
            if (label := form.by_id[p.field].label if p.field in form.by_id else None)
            else p
            for p in error.problems
        ]
    if isinstance(error, ConsentError):
        texts = {act.id: act.text for act in issued.notice.acts}
        return [
            FieldProblem(
                field="-", code="consent",
                zh=f"没有勾选：{texts[act].zh}", en=f"This was not ticked: {texts[act].en}",
            )
            for act in error.missing
        ]  # fmt: skip
    # The device and the server disagree about the form itself: a fault of the program, not of its person.
    return [
        FieldProblem(
            field="-", code="form", zh="设备上的表和服务器上的不一致，请重新带上采集点后再问本人。",
            en="The form on the device is not the server's; take the point along anew and ask the person again.",
        )
    ]  # fmt: skip


def _private(tx: Transaction, keys: Keys, lease: Lease) -> ec.EllipticCurvePrivateKey:
    name = buckets.load(tx, lease.org, lease.bucket).name
    suite = keys.suite_of(lease.org)
    cipher = suite.cipher(_key(keys, lease, name))
    plain = keyrows.unwrap(suite, cipher, lease.sealed or b"", _aad(keys, lease))
    key = load_der_private_key(plain, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101 - ``take`` made it
    return key


def _key(keys: Keys, lease: Lease, bucket: str) -> bytes:
    """Return the key that the private key is sealed under, made of one leaf of each part."""
    leaves: Sequence[bytes] = [keys.leaf(lease.org, bucket, p, lease.number) for p in lease.parts]
    suite = keys.suite_of(lease.org)
    return suite.subkey(suite.commitment_key(leaves), _PURPOSE)


def _aad(keys: Keys, lease: Lease) -> bytes:
    return (
        f"epilock/offline-key/v1|{keys.suite_of(lease.org).name}|{lease.org}|{lease.lease}".encode()
    )


def read(row: dict[str, Any]) -> Lease:
    """Return the lease that a row of ``offline_leases`` states."""
    parts: Collection[str] = row["parts"]
    day = date.fromisoformat(row["day"])
    return Lease(**{**row, "parts": tuple(parts), "day": day})
