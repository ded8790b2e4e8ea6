"""What of the log is kept outside: a page, and the proofs of one entry to take home."""

from datetime import datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from epilock.db import Transaction
from epilock.errors import NotFoundError
from epilock.ledger import rows, shards
from epilock.ledger.anchor import book
from epilock.ledger.anchor.account import written
from epilock.ledger.anchor.book import Anchoring
from epilock.ledger.anchor.duty import OWN_CHAINS
from epilock.ledger.anchor.place import Kind
from epilock.ledger.folder import TEXT
from epilock.web.log import MOST_INDEX, download
from epilock.web.request import Site, SiteOf

router = APIRouter(include_in_schema=False)
SHOWN = 20


@router.get("/log/anchored")
def get_page(site: SiteOf, request: Request) -> Response:
    """Show the newest anchors: which chain, contract and block, or whose time stamp."""
    with site.parts.database.read() as tx:
        logs = reversed(shards.all_of(site.parts.log))
        heads = [head for log in logs if (head := rows.find_head(tx, log.origin))]
        found = [row for head in heads for row in book.latest(tx, head.log, SHOWN)][:SHOWN]
    chained = [(row, *_where(row)) for row in found if row.kind is Kind.CHAIN]
    stamped = [
        (row, row.place.partition("/")[2], _taken(row.at))
        for row in found
        if row.kind is Kind.STAMPS
    ]
    chain, stamps = site.parts.chain, site.parts.stamps
    own_chain = (chain is not None and chain.is_near) or any(n in OWN_CHAINS for _, n, _ in chained)
    return site.pages.show(
        request, "log/anchored.html", chained=chained, stamped=stamped,
        own=bool(chained and own_chain), own_stamps=bool(stamped and stamps and stamps.is_near),
    )  # fmt: skip


@router.get("/log/anchored/{index}.tlog-proof")
def get_proof(index: int, site: SiteOf) -> Response:
    """Return an entry's proof for the smallest size on the chain that holds it."""
    return _receipt(site, index, Kind.CHAIN)


@router.get("/log/anchored/{index}.anchor")
def get_anchor(index: int, site: SiteOf) -> Response:
    """Return the proof that this size's root was on the chain."""
    return _file(site, index, Kind.CHAIN)


@router.get("/log/stamped/{index}.tlog-proof")
def get_stamped_proof(index: int, site: SiteOf) -> Response:
    """Return an entry's proof for the smallest stamped size that holds it."""
    return _receipt(site, index, Kind.STAMPS)


@router.get("/log/stamped/{index}.anchor")
def get_stamp(index: int, site: SiteOf) -> Response:
    """Return the time stamp of this size's root."""
    return _file(site, index, Kind.STAMPS)


def _receipt(site: Site, index: int, kind: Kind) -> Response:
    with site.parts.database.read() as tx:
        log, own = shards.at(site.parts.log, index)
        proof = log.proof(tx, own, _covering(site, tx, index, kind).size)
    return download(proof, f"{_name(index, kind)}.tlog-proof", TEXT)


def _file(site: Site, index: int, kind: Kind) -> Response:
    with site.parts.database.read() as tx:
        row = _covering(site, tx, index, kind)
    return download(row.proof or b"", f"{_name(index, kind)}.anchor", "application/json")


def _name(index: int, kind: Kind) -> str:
    return f"entry-{index}" + ("" if kind is Kind.CHAIN else "-stamp")


def _covering(site: Site, tx: Transaction, index: int, kind: Kind) -> Anchoring:
    """Return the anchor that covers an entry.

    Raises:
        NotFoundError: None does yet.
    """
    log, own = shards.at(site.parts.log, index)
    head = rows.find_head(tx, log.origin)
    known = head is not None and 0 <= own < MOST_INDEX
    row = book.covering(tx, head.log, own, kind) if head is not None and known else None
    if row is None:
        raise NotFoundError("no anchor with a proof covers this entry yet")
    return row


def _where(row: Anchoring) -> tuple[int, str]:
    """Return the number of the chain and the contract's address."""
    _, chain, contract = row.place.split("/")
    return int(chain), written(bytes.fromhex(contract[2:]))


def _taken(at: datetime | None) -> str:
    """Return a stamp's time as it is shown: UTC."""
    return "" if at is None else at.strftime("%Y-%m-%d %H:%M:%S UTC")
