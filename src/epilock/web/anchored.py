"""What of the log is kept outside, on a chain: a page, and the proofs of one entry to take home."""

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
from epilock.ledger.folder import TEXT
from epilock.web.log import MOST_INDEX, download
from epilock.web.request import Site, SiteOf

router = APIRouter(include_in_schema=False)
SHOWN = 20


@router.get("/log/anchored")
def get_page(site: SiteOf, request: Request) -> Response:
    """Show the newest anchors: which chain, which contract, which block."""
    with site.parts.database.read() as tx:
        logs = reversed(shards.all_of(site.parts.log))
        heads = [head for log in logs if (head := rows.find_head(tx, log.origin))]
        found = [row for head in heads for row in book.latest(tx, head.log, SHOWN)][:SHOWN]
    duty = site.parts.duty
    shown = [(row, *_where(row)) for row in found]
    own = (duty is not None and duty.is_near) or any(chain in OWN_CHAINS for _, chain, _ in shown)
    return site.pages.show(request, "log/anchored.html", anchors=shown, own=own)


@router.get("/log/anchored/{index}.tlog-proof")
def get_proof(index: int, site: SiteOf) -> Response:
    """Return an entry's proof for the smallest anchored size that holds it."""
    with site.parts.database.read() as tx:
        log, own = shards.at(site.parts.log, index)
        proof = log.proof(tx, own, _covering(site, tx, index).size)
    return download(proof, f"entry-{index}.tlog-proof", TEXT)


@router.get("/log/anchored/{index}.anchor")
def get_anchor(index: int, site: SiteOf) -> Response:
    """Return the proof that this size's root was on the chain."""
    with site.parts.database.read() as tx:
        row = _covering(site, tx, index)
    return download(row.proof or b"", f"entry-{index}.anchor", "application/json")


def _covering(site: Site, tx: Transaction, index: int) -> Anchoring:
    """Return the anchor that covers an entry.

    Raises:
        NotFoundError: None does yet.
    """
    log, own = shards.at(site.parts.log, index)
    head = rows.find_head(tx, log.origin)
    known = head is not None and 0 <= own < MOST_INDEX
    row = book.covering(tx, head.log, own) if head is not None and known else None
    if row is None:
        raise NotFoundError("no anchor with a proof covers this entry yet")
    return row


def _where(row: Anchoring) -> tuple[int, str]:
    """Return the number of the chain and the contract's address."""
    _, chain, contract = row.place.split("/")
    return int(chain), written(bytes.fromhex(contract[2:]))
