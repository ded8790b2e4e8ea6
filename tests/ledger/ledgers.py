"""Made-up logs, keys and entries for the tests of the ledger."""

from datetime import UTC, datetime

from epilock.ledger import entry, note, tile
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.edge import Edge
from epilock.ledger.log import Log
from epilock.ledger.note import Signer
from epilock.ledger.tree import leaf_row
from epilock.standard import load

ORIGIN = "log.example/epilock"
STANDARD = load().ref
NOW = datetime(2026, 3, 14, 1, 0, tzinfo=UTC)


def signer(origin=ORIGIN, seed=1):
    return Signer.from_seed(origin, bytes([seed]) * 32)


def new_log(origin=ORIGIN, seed=1):
    return Log(origin, lambda number: signer(origin, seed + number - 1))


def some(count, first=0):
    """Entries of different lengths; the log does not look inside."""
    return [f"entry {i}".encode() * (1 + i % 3) for i in range(first, first + count)]


def collect(n=0, **change):
    values = {
        "org": "jn-cdc", "standard": STANDARD, "point": "jn-cdc.k3f7q2",
        "bucket": "jn-cdc/outbreak-7/residential-entry/2026-03-14", "n": n, "notice": "0" * 64,
        "parts": ["3-IV"], "commitment": "1" * 64,
    }  # fmt: skip
    return entry.Collect(**values | change)


def published(entries, *, keys=None):
    """A published log in memory: path to bytes, as C2SP tlog-tiles lays it out."""
    edge = Edge().extended(leaf_row(entries))
    files = {
        bundle.path(): tile.pack(entries[bundle.n * 256 :][: bundle.width])
        for bundle in tile.bundles_of(len(entries))
    }
    files |= {each.path(): hashes for each, hashes in edge.tiles_since(0)}
    said = Checkpoint(ORIGIN, len(entries), edge.root())
    files["checkpoint"] = note.sign(said.text(), keys or [signer()]).encode()
    return files
