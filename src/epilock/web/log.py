"""The public log: for programs as C2SP tiles, for people as a page that says what is due and what is overdue.

An address belongs to one log for ever: ``/log/...`` to the first of this installation, ``/log/2/...`` to the
one that goes on where that was sealed, and so on. Entries are counted over all of them (``ledger.shards``).

Nothing here is personal information, so it may be cached and read from anywhere; the page is made at most
once a minute for a state of the log, whoever asks.
"""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from epilock.collect.notice import fingerprint
from epilock.db import Transaction
from epilock.destroy import due as dues
from epilock.destroy import intent as intents
from epilock.destroy import turnover
from epilock.destroy.due import DuePart
from epilock.errors import EntryError, InputError, NotFoundError
from epilock.ledger import entry, publish, regime, rows, shards
from epilock.ledger.anchor import book
from epilock.ledger.anchor.place import Kind
from epilock.ledger.folder import TEXT
from epilock.ledger.gather import State, status
from epilock.ledger.log import Log
from epilock.registry import organisation as organisations
from epilock.registry.organisation import Organisation
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets
from epilock.web import chart as charts
from epilock.web.chart import Chart
from epilock.web.request import Site, SiteOf

router = APIRouter(include_in_schema=False)
ANYWHERE = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
FRESH = timedelta(minutes=1)
USABLE = timedelta(minutes=10)  # while the next one is being made
PER_PAGE = 20
LATEST = 10  # certificates
MOST_INDEX = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One living bucket as strangers see it.

    Attributes:
        name: Name of the bucket.
        org: Code of its organisation.
        circumstance: Code.
        day: Calendar day of collection, or of the event.
        parts: Its living parts, the next to go first.
        overdue: Whether one of them should be gone.
    """

    name: str
    org: str
    circumstance: str
    day: str
    parts: tuple[DuePart, ...]
    overdue: bool

    @property
    def days(self) -> list[tuple[DuePart, list[str], list[str]]]:
        """Its days: one part of each, the names of all that go then, and by which rules."""
        together: dict[object, list[DuePart]] = {}
        for part in self.parts:
            together.setdefault((part.hold and part.hold.until, part.due.at), []).append(part)
        return [
            (parts[0], [p.part for p in parts], list(dict.fromkeys(p.due.rule for p in parts)))
            for parts in together.values()
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What the page shows of one state of the log.

    Attributes:
        size: Entries, of all logs.
        made: When this was put together.
        checkpoint: The signed checkpoint.
        organisations: All, by code.
        holdings: Living buckets, overdue first, then the next to go.
        certificates: The latest destructions, the newest first: index and entry.
        policy: Public path of the policy in force; "" without one.
        witnesses: How it stands with each witness of it.
        chart: What came in and what went, by weeks; None before anything came in.
    """

    size: int
    made: datetime
    checkpoint: str
    organisations: dict[str, Organisation]
    holdings: tuple[Holding, ...]
    certificates: tuple[tuple[int, entry.Certificate], ...]
    policy: str
    witnesses: tuple[State, ...]
    chart: Chart | None


@dataclass(slots=True)
class Gallery:
    """The latest picture, shared by all who ask; ``make`` makes one of what there is at an instant."""

    make: Callable[[datetime], Picture]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _picture: Picture | None = None

    def look(self, now: datetime) -> Picture:
        """Return a picture of the log that is at most a minute old.

        Who asks while somebody else's is being made gets the one before, if that is at most ten minutes old.
        """
        known = self._picture
        is_usable = known is not None and known.made <= now < known.made + USABLE
        if not self._lock.acquire(blocking=not is_usable):
            assert known is not None  # noqa: S101 - it is usable
            return known
        try:
            known = self._picture
            if known is None or not known.made <= now < known.made + FRESH:
                known = self._picture = self.make(now)
            return known
        finally:
            self._lock.release()


def gallery_of(request: Request, site: SiteOf) -> Gallery:
    """Return the gallery of the site that serves ``request``."""
    state = request.app.state
    if not hasattr(state, "gallery"):
        state.gallery = Gallery(partial(_picture, site))
    return state.gallery  # type: ignore[no-any-return]  # set one line above


@router.get("/log")
def get_page(
    *,
    site: SiteOf,
    request: Request,
    gallery: Annotated[Gallery, Depends(gallery_of)],
    org: str = "",
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
    entry: str = "",
) -> Response:
    """Show what is collected where, what is due and overdue, and the certificates."""
    wrong = ""
    if entry:
        log = site.parts.log
        with site.parts.database.read() as tx:
            last = log.base + log.size(tx) - 1
        if entry.isascii() and entry.isdigit() and int(entry[:18]) <= last:
            return site.pages.go(request, f"/log/entry/{int(entry[:18])}")
        wrong = str(InputError(f"the entries of the log are numbered 0 to {last}"))
    picture = gallery.look(site.now())
    holdings = [h for h in picture.holdings if org in {"", h.org}]
    first = (page - 1) * PER_PAGE
    return site.pages.show(
        request, "log/page.html", status=422 if wrong else 200, wrong=wrong, asked=entry[:18], picture=picture, org=org, page=page,
        pages=max(1, -(-len(holdings) // PER_PAGE)), found=len(holdings),
        holdings=holdings[first : first + PER_PAGE], standard=site.parts.standard,
        overdue=[h for h in picture.holdings if h.overdue], now=picture.made,
        vkey=site.parts.log.signer.vkey, logs=_logs(site), told_by=buckets.told_by,
    )  # fmt: skip


@router.get("/log/entry/{index}")
def get_entry(index: int, site: SiteOf, request: Request) -> Response:
    """Show one entry, with its proof to download."""
    with site.parts.database.read() as tx:
        said = _entry(site, tx, index)
        log, own = shards.at(site.parts.log, index)
        head = rows.find_head(tx, log.origin)
        kept = {
            kind.value: head is not None and book.covering(tx, head.log, own, kind) is not None
            for kind in Kind
        }
        size = log.base + (0 if head is None else head.size)
        proof, policy = shards.proof_at(tx, site.parts.log, index), own_policy(tx, site)
    text = msgspec.json.format(said, indent=2).decode()
    return site.pages.show(
        request,
        "log/entry.html",
        script=True,
        proof=proof,
        vkeys=[each.signer.vkey for each in shards.all_of(site.parts.log)],
        policy=policy,
        index=index,
        own=own,
        origin=log.origin,
        many=bool(site.parts.log.earlier),
        size=size,
        text=text,
        kind=_kind(said),
        kept=kept,
    )


def own_policy(tx: Transaction, site: Site) -> str:
    """Return the log's keys and its witnesses', as a policy that asks for none of them.

    The page says who signed; whether that is enough is what a policy from elsewhere says. A browser can't
    check ML-DSA-44 and passes such a witness over.
    """
    log = site.parts.log
    announced = regime.in_force(tx, log, site.today())
    witnesses = announced.policy.witnesses.values() if announced else ()
    lines = [f"log {each.signer.vkey}" for each in shards.all_of(log)]
    lines += [f"witness {place} {key.vkey}" for place, key in enumerate(witnesses)]
    return "\n".join([*lines, "quorum none", ""])


@router.get("/log/proof/{index}.tlog-proof")
def get_proof(index: int, site: SiteOf) -> Response:
    """Return the proof that an entry stands in the log."""
    with site.parts.database.read() as tx:
        _entry(site, tx, index)
        proof = shards.proof_at(tx, site.parts.log, index)
    return download(proof, f"entry-{index}.tlog-proof", TEXT)


@router.get("/log/vkey")
def get_vkey(site: SiteOf) -> Response:
    """Return the key that the first log's checkpoints are signed with."""
    return _vkey(shards.numbered(site.parts.log, 1))


@router.get("/log/{number:int}/vkey")
def get_later_vkey(number: int, site: SiteOf) -> Response:
    """Return the key that a later log's checkpoints are signed with."""
    return _vkey(_later(site, number))


@router.get("/log/keys")
def get_keys(site: SiteOf, request: Request) -> Response:
    """Show the keys of the log and of each organisation's notices, with the marks on their posters."""
    with site.parts.database.read() as tx:
        everyone = organisations.everyone(tx)
    keys = [(o, site.parts.notice_signer(o.org)) for o in everyone]
    rows = [(o, s.vkey, fingerprint(s.verifier.public)) for o, s in keys]
    return site.pages.show(request, "log/keys.html", rows=rows, logs=shards.all_of(site.parts.log))


@router.get("/log/{number:int}/{path:path}")
def get_later_file(number: int, path: str, site: SiteOf) -> Response:
    """Return a file of a later log for programs, as ``get_file`` does of the first."""
    return _file(site, _later(site, number), path)


@router.get("/log/{path:path}")
def get_file(path: str, site: SiteOf) -> Response:
    """Return a file of the first log for programs: ``checkpoint`` or ``tile/...`` (C2SP tlog-tiles)."""
    return _file(site, shards.numbered(site.parts.log, 1), path)


def _file(site: Site, log: Log, path: str) -> Response:
    with site.parts.database.read() as tx:
        file = publish.read(tx, log, path)
    headers = {"Cache-Control": file.cache_control, **ANYWHERE}
    return Response(file.body, media_type=file.content_type, headers=headers)


def address(site: Site, log: Log) -> str:
    """Return the address of a log for programs, below which its files stand."""
    number = shards.number(log)
    return f"{site.parts.settings.url}/log" + (f"/{number}" if number > 1 else "")


def _logs(site: Site) -> list[tuple[Log, str]]:
    return [(log, address(site, log)) for log in shards.all_of(site.parts.log)]


def _later(site: Site, number: int) -> Log:
    """Return a log that is not the first, which has its own address.

    Raises:
        NotFoundError: There is none of that number.
    """
    if number == 1:
        raise NotFoundError("the first log stands at /log")
    return shards.numbered(site.parts.log, number)


def _vkey(log: Log) -> Response:
    return Response(log.signer.vkey + "\n", media_type=TEXT, headers=ANYWHERE)


def download(text: str | bytes, name: str, content_type: str) -> Response:
    """Return a file to keep; ``name`` never holds anything about a person."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=content_type, headers=headers)


def _entry(site: Site, tx: Transaction, index: int) -> bytes:
    if not 0 <= index < MOST_INDEX:
        raise NotFoundError("the log has no such entry")
    return shards.entry_at(tx, site.parts.log, index)


def _kind(said: bytes) -> str:
    """Return the type of an entry, ``collect`` or ``certificate``."""
    return str(msgspec.json.decode(said)["type"])


def _picture(site: Site, now: datetime) -> Picture:
    parts = site.parts
    with parts.database.read() as tx:
        found: dict[str, list[DuePart]] = {}
        for one in dues.calendar(tx, parts.standard, now=now):
            found.setdefault(one.bucket.name, []).append(one)
        holdings = [_holding(tuple(of_bucket), now) for of_bucket in found.values()]
        everyone = {o.org: o for o in organisations.everyone(tx)}
        announced = regime.in_force(tx, parts.log, now.astimezone(CHINA).date())
        return Picture(
            size=parts.log.base + parts.log.size(tx), made=now, checkpoint=parts.log.checkpoint(tx),
            organisations=everyone,
            holdings=tuple(sorted(holdings, key=lambda h: not h.overdue)),
            certificates=tuple(_certificates(site, tx, everyone)),
            policy="" if announced is None else announced.path,
            witnesses=tuple(status(tx, parts.log, now=now)),
            chart=charts.of_weeks(turnover.weeks(tx, now=now)),
        )  # fmt: skip


def _holding(parts: tuple[DuePart, ...], now: datetime) -> Holding:
    bucket = parts[0].bucket
    return Holding(
        name=bucket.name, org=bucket.org, circumstance=bucket.circumstance,
        day=bucket.day.isoformat(), parts=parts, overdue=any(p.is_overdue(now) for p in parts),
    )  # fmt: skip


def _certificates(
    site: Site, tx: Transaction, orgs: Iterable[str]
) -> list[tuple[int, entry.Certificate]]:
    """Return the latest certificates of all organisations, as they stand in the log."""
    c = intents.intents.c
    indexes = [
        row["entry_index"]
        for org in orgs
        for row in tx.all(
            intents.intents, c.org == org, c.kind == intents.DESTROY, c.entry_index.is_not(None),
            order_by=[c.entry_index.desc()], limit=LATEST,
        )
    ]  # fmt: skip
    made = []
    for index in sorted(indexes, reverse=True)[:LATEST]:
        said = entry.decode(shards.entry_at(tx, site.parts.log, index))
        if not isinstance(said, entry.Certificate):
            raise EntryError(f"entry {index} should be a certificate")
        made.append((index, said))
    return made
