"""Issuing notices: a point's notice is made, signed, stored and witnessed; a change of level issues anew.

Rules kept in this file:
  1. A notice version is stored with its canonical bytes and its signature and never changed.
  2. A submission is accepted under the version in force only; the level it was issued at is the level
     in force at that instant, or the point says that it must be issued anew.
  3. From a change of level on, a point takes nothing under a notice of another level. So what is issued anew may
     follow the change in transactions of its own (``reissue``).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache

import sqlalchemy as sa

from epilock.collect import notice as notices_
from epilock.collect import point as points_
from epilock.collect import qr
from epilock.collect.consent import LAWFUL
from epilock.collect.form import Form
from epilock.collect.notice import Contact, MandateFacts, Notice, PointFacts, Recipient, ThirdParty
from epilock.collect.point import Plan, Point
from epilock.db import Instant, Transaction, metadata, sealed_table
from epilock.errors import ClosedError, EpilockError, StaleNoticeError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.ledger.note import Signer
from epilock.registry import emergency as emergencies
from epilock.registry import mandate as mandates
from epilock.registry import organisation as organisations
from epilock.standard import Standard
from epilock.standard.level import CHINA
from epilock.standard.text import Text
from epilock.store.vault import Record

OTHER_LEVEL = "the response level has changed, and the notice is being issued anew: please read it again in a minute"

notices = sealed_table(
    "notices",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("point", sa.String(40), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("level", sa.String(3), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("signed", sa.Text, nullable=False),
    sa.Column("issued", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What issuing needs besides the transaction; made once.

    Attributes:
        log: Where each version is witnessed.
        standard: What the notice is made from.
        signer: Gives the notice key of an organisation.
        url: Public address of the pages.
    """

    log: Log
    standard: Standard
    signer: Callable[[str], Signer]
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A notice as it was issued; ``signed`` is the note of the organisation's notice key."""

    notice: Notice
    sha256: str
    signed: str
    issued: datetime


def open_with_notice(
    tx: Transaction, press: Press, *, org: str, plan: Plan, now: datetime, code: str = ""
) -> Point:
    """Open a point and issue its first notice; raises what ``point.open_point`` raises."""
    point = points_.open_point(
        tx, press.log, press.standard, org=org, plan=plan, now=now, code=code
    )
    issue(tx, press, org=org, point=point.point, now=now)
    return points_.load(tx, org, point.point)


def issue(tx: Transaction, press: Press, *, org: str, point: str, now: datetime) -> Issued:
    """Issue the next version of a point's notice at the level in force.

    Raises:
        ClosedError: The point is closed, or its emergency has no level.
    """
    found = points_.load(tx, org, point)
    history = emergencies.history(tx, found.authority, found.emergency)
    level = history.at(now)
    if found.closed is not None or level is None:
        raise ClosedError(f"{point} is closed, or its emergency has no level: it has no new notice")
    made = _build(tx, press, found, level, found.version + 1, now)
    issued = _keep(tx, press, found, made, now)
    said = entry.Notice(
        org=org, standard=press.standard.ref, at=entry.stamp(now), point=point,
        version=found.version + 1, level=level, languages=list(found.languages),
        sha256=issued.sha256,
    )  # fmt: skip
    press.log.append(tx, [entry.encode(said)], now=now)
    return issued


def issue_again(tx: Transaction, press: Press, said: entry.Notice, *, at: datetime) -> bool:
    """Make the notice that an entry speaks of once more, from what the registers say; tell whether it is the same.

    For a restored database that lacks it. Nothing is kept of one that has another hash: an organisation's name, a
    mandate or a contact has changed with what was lost.
    """
    row = tx.find(points_.points, org=said.org, point=said.point)
    if row is None:
        return False
    found = points_.read(row)
    made = _build(tx, press, found, said.level, said.version, at)
    if made.sha256 != said.sha256:
        return False
    _keep(tx, press, found, made, at)
    return True


def in_force(tx: Transaction, org: str, point: str) -> tuple[Point, Issued]:
    """Return a point and its notice in force.

    Raises:
        NotFoundError: There is no such point.
    """
    found = points_.load(tx, org, point)
    return found, version_of(tx, org, point, found.version)


def version_of(tx: Transaction, org: str, point: str, version: int) -> Issued:
    """Return one version of a point's notice.

    Raises:
        NotFoundError: There is no such version.
    """
    return _issued(tx.get(notices, org=org, point=point, version=version))


def by_hash(tx: Transaction, org: str, point: str, sha256: str) -> Issued:
    """Return the version of a point's notice whose hash a record names.

    Raises:
        NotFoundError: The point never issued it.
    """
    rows = tx.all(
        notices, notices.c.org == org, notices.c.point == point, notices.c.sha256 == sha256
    )
    return _issued(rows[0]) if rows else version_of(tx, org, point, 0)


def poster_of(press: Press, point: Point, issued: Issued, *, now: datetime) -> bytes:
    """Return the A4 poster (PDF) of a point's notice."""
    from epilock.collect import poster  # noqa: PLC0415 - a fifth of the program's start, for who prints

    mark = notices_.fingerprint(press.signer(point.org).verifier.public)
    url = qr.point_url(press.url, point.point, mark)
    vkey = press.log.signer.vkey
    return poster.of_notice(issued.notice, url=url, fingerprint=mark, vkey=vkey, made=now)


def form_of(standard: Standard, point: Point, issued: Issued) -> Form:
    """Return the compiled form of an issued notice."""
    return Form(
        standard, point, level=issued.notice.level, version=issued.notice.version,
        notice=issued.sha256, acts=issued.notice.authorisation(),
    )  # fmt: skip


def check_level(tx: Transaction, point: Point, level: str, *, now: datetime) -> None:
    """Return if ``level``, at which a point's notice was issued, is in force (rule 3).

    Raises:
        StaleNoticeError: It is not, and the notice is to be issued anew.
    """
    if emergencies.history(tx, point.authority, point.emergency).at(now) != level:
        raise StaleNoticeError(OTHER_LEVEL)


def acts_of(tx: Transaction, record: Record) -> tuple[str, ...] | None:
    """Return the acts that a record's person gave, or None if its basis needs no consent (PIPL 13).

    What was imported claims no act: on a basis of consent it opens for nobody but its person.
    """
    notice = by_hash(tx, record.org, record.point, record.notice).notice
    if notice.basis in LAWFUL:
        return None
    given = record.given or 0
    return tuple(act for i, act in enumerate(notice.authorisation().ids) if given >> i & 1)


def to_be_issued(
    tx: Transaction, *, now: datetime, of: tuple[str, str] | None = None
) -> list[tuple[str, str]]:
    """Return organisation and code of each open point whose notice is of another level than now.

    ``of`` is the authority and the code of an emergency; None: of all. Those of an emergency whose levels can't be
    read are among them: issuing says why.
    """

    @cache
    def level(authority: str, emergency: str) -> str | None:
        try:
            return emergencies.history(tx, authority, emergency).at(now)
        except EpilockError:
            return None

    p, n = points_.points.c, notices.c
    same = sa.and_(n.org == p.org, n.point == p.point, n.version == p.version)
    query = (
        sa.select(p.authority, p.emergency, n.level, p.org, p.point)
        .join_from(points_.points, notices, same)
        .where(p.closed.is_(None))
        .order_by(p.opened, p.org, p.point)
    )
    if of is not None:
        query = query.where(p.authority == of[0], p.emergency == of[1])
    return [
        (row.org, row.point)
        for row in tx.conn.execute(query)
        if row.level != level(row.authority, row.emergency)
    ]


def _build(  # noqa: PLR0917 - what a notice is made of
    tx: Transaction, press: Press, point: Point, level: str, version: int, now: datetime
) -> Notice:
    facts = _facts(tx, press, point, level, now.astimezone(CHINA).date())
    return notices_.build(press.standard, facts, version=version)


def _keep(tx: Transaction, press: Press, point: Point, made: Notice, now: datetime) -> Issued:
    """Write a notice, signed, as the one that is in force."""
    signed = notices_.sign(made, press.signer(point.org))
    digest = made.sha256
    tx.insert(
        notices, org=point.org, point=point.point, version=made.version, sha256=digest,
        level=made.level, body=made.encode(), signed=signed, issued=now,
    )  # fmt: skip
    key = {"org": point.org, "point": point.point}
    tx.update(points_.points, key, version=made.version)
    return Issued(notice=made, sha256=digest, signed=signed, issued=now)


def _issued(row: dict[str, object]) -> Issued:
    return Issued(
        notice=notices_.decode(bytes(row["body"])),  # type: ignore[call-overload]  # a LargeBinary column
        sha256=str(row["sha256"]),
        signed=str(row["signed"]),
        issued=row["issued"],  # type: ignore[arg-type]  # an Instant column
    )


def _facts(tx: Transaction, press: Press, point: Point, level: str, today: date) -> PointFacts:
    organisation = organisations.load(tx, point.org)
    emergency = emergencies.load(tx, point.authority, point.emergency)
    return PointFacts(
        org=point.org, organisation=organisation.name, contact=Contact(**organisation.contact),
        point=point.point, point_name=point.name, emergency=f"{point.authority}/{point.emergency}",
        emergency_name=emergency.name, level=level, circumstance=point.circumstance,
        method=point.method, media=point.media, fields=point.active(press.standard, level),
        basis=point.basis, mandate=_mandate(tx, point), recipients=_recipients(tx, press, point),
        third_parties=_third_parties(tx, point, today), withdrawal_url=f"{press.url}/r",
        languages=point.languages,
    )  # fmt: skip


def _mandate(tx: Transaction, point: Point) -> MandateFacts | None:
    if point.mandate is None:
        return None
    found = mandates.load_mandate(tx, point.org, point.mandate)
    until = None if found.until is None else found.until.isoformat()
    return MandateFacts(
        issuer=found.issuer, number=found.number, date=found.dated.isoformat(), until=until
    )


def _recipients(tx: Transaction, press: Press, point: Point) -> tuple[Recipient, ...]:
    """Return the organisations of this installation that stand in the circumstance's ranges."""
    ranges = {*press.standard.circumstances[point.circumstance].ranges} - {"R1", "R6"}
    return tuple(
        Recipient(range=o.range, name=o.name)
        for o in organisations.in_ranges(tx, ranges)
        if o.org != point.org
    )


def _third_parties(tx: Transaction, point: Point, today: date) -> tuple[ThirdParty, ...]:
    """Return the processors under an agreement that covers something this point asks for."""
    asked = {f.category for f in point.fields}
    found = []
    for agreement in mandates.agreements_in_force(tx, point.org, today):
        shared = tuple(c for c in agreement.categories if c in asked)
        if not shared or "third-party" not in point.media:
            continue
        party = organisations.load(tx, agreement.processor)
        found.append(
            ThirdParty(
                id=party.org,
                name=party.name,
                contact=party.contact["telephone"],
                purpose=agreement.purpose,
                method=Text("按书面协议处理", "handles it under a written agreement"),
                categories=shared,
                until=agreement.until.isoformat(),
                agreement=agreement.agreement,
            )
        )
    return tuple(found)
