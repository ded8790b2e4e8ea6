"""The public side of a log: C2SP tiles, for a folder that any web server can serve, and for HTTP.

Everything here is derived: a folder that is lost is written again, byte for byte the same.

Rules kept in this file:
  1. Only what has been hashed to the checkpoint's root is published; a log whose entries do not fit
     its tiles, or its tiles its root, is not.
  2. The order is entries, tiles, checkpoint. Each file is written under a temporary name, synced,
     renamed; the folders are synced before the checkpoint is renamed. So whoever reads a checkpoint
     finds every file that it needs.
  3. A file of a tile or bundle is never changed: the same bytes again are success, others an error.
  4. A folder that already shows another history, or a longer one, is not touched.

What a crash leaves, for each effect of ``write``:

==================  ==============================================================================
crash               what is left, and what the next ``write`` does
==================  ==============================================================================
before a rename     a temporary file, which no one is told of and the next ``write`` replaces
after some renames  files that no checkpoint needs yet; the next ``write`` finds them equal
before the sync     the same, or files that are gone; the next ``write`` writes them again
of the folders
around the rename   the old checkpoint or the new one; both are whole, and both are true
of the checkpoint
while partial       partial files that are no longer needed; the next ``write`` that fills a tile
files are removed   removes those beside it, others stay and do no harm
==================  ==============================================================================
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from epilock import durable
from epilock.db import Database, Transaction
from epilock.errors import ConflictError, IntegrityError, LedgerError, NotFoundError
from epilock.ledger import regime
from epilock.ledger import tile as tiles
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.edge import Edge
from epilock.ledger.log import Log
from epilock.ledger.tile import ENTRIES, WIDTH, Tile
from epilock.ledger.tree import EMPTY_ROOT, leaf_hash
from epilock.ledger.verify import open_checkpoint

CHECKPOINT, POLICIES = "checkpoint", "policy/"
LOCK = ".lock"
TEXT = "text/plain; charset=utf-8"
OCTETS = "application/octet-stream"
SECONDS_OF_A_CHECKPOINT = 5
SECONDS_OF_A_TILE = 31_536_000  # a year: it never changes


@dataclass(frozen=True, slots=True)
class Published:
    """One file as it is served.

    Attributes:
        body: Its bytes.
        content_type: As C2SP tlog-tiles asks.
        cache_control: Value of the header of that name.
    """

    body: bytes
    content_type: str
    cache_control: str


def read(tx: Transaction, log: Log, path: str) -> Published:
    """Return the file at ``path`` below the log's prefix: ``checkpoint``, ``tile/...`` or ``policy/...``.

    ``tx`` must be a reading transaction.

    Raises:
        NotFoundError: There is no such file, or not yet.
        StateError: ``tx`` is a writing transaction.
    """
    if path == CHECKPOINT:
        body = log.shown(tx).encode()
        return Published(body, TEXT, f"public, max-age={SECONDS_OF_A_CHECKPOINT}")
    if path.startswith(POLICIES):
        body = regime.read(tx, log, path)
        return Published(body, TEXT, f"public, max-age={SECONDS_OF_A_TILE}, immutable")
    wanted = Tile.parse(path)
    first, count = wanted.n * WIDTH, wanted.width
    if wanted.level == ENTRIES:
        entries = log.entries(tx, first, count)
        whole, body = len(entries) == count, tiles.pack(entries)
    else:
        body = log.tile(tx, wanted)
        whole = bool(body)
    if not whole:
        raise NotFoundError("this log is not that long yet")
    return Published(body, OCTETS, f"public, max-age={SECONDS_OF_A_TILE}, immutable")


def write(database: Database, log: Log, folder: Path) -> Checkpoint:
    """Bring ``folder`` up to the committed state of ``log``; return what it shows now.

    Raises:
        InconsistentError: The folder shows a longer log, or another history.
        IntegrityError: A row or a file is not what was stored.
        ConflictError: Another process is writing there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        shown = _shown(log, folder)
        with database.read() as tx:
            log.check_at_start(tx, shown)
            signed = log.shown(tx)
            edge = log.edge(tx, shown.size)
            announced = regime.listing(tx, log)
        said, _ = open_checkpoint(signed, [log.signer.verifier])
        if said.size < shown.size:
            return shown  # it was written before witnesses were asked; they follow
        files = _Files(folder)
        for each in announced:
            files.put(each.path, each.text)
        for bundle in tiles.bundles_of(said.size, since=shown.size):
            with database.read() as tx:
                edge = _write_bundle(tx, log, files, edge, bundle)
        for partial, hashes in edge.partial_tiles():
            files.put(partial.path(), hashes)
        if edge.root() != said.root:
            raise IntegrityError("the entries do not have the root of the log's own checkpoint")
        files.finish(signed.encode())
    return said


def _write_bundle(tx: Transaction, log: Log, files: "_Files", edge: Edge, bundle: Tile) -> Edge:
    """Write one bundle and the tiles that it fills; return the edge behind it."""
    first = bundle.n * WIDTH
    entries = log.entries(tx, first, bundle.width)
    if len(entries) != bundle.width:
        raise IntegrityError(f"{bundle.path()}: an entry is missing")
    grown = edge.extended([leaf_hash(each) for each in entries[edge.size - first :]])
    changed = grown.tiles_since(edge.size)
    for tile, hashes in changed:
        if log.tile(tx, tile) != hashes:
            raise IntegrityError(f"{tile.path()}: entries and tile do not fit each other")
    files.put(bundle.path(), tiles.pack(entries))
    for tile, hashes in changed:
        if tile.width == WIDTH:
            files.put(tile.path(), hashes)
    return grown


class _Files:
    """Writes files below one folder so that a crash cannot hurt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.touched: set[Path] = set()  # folders whose names must be made durable
        self.outdated: set[Path] = set()  # folders of partial files beside a full one

    def put(self, path: str, body: bytes) -> None:
        """Write a file that never changes.

        Raises:
            IntegrityError: It is there with other bytes.
        """
        target = self.folder / path
        partial = target.with_name(f"{target.name}.p")
        if partial.is_dir():
            self.outdated.add(partial)
        if not target.exists():
            self._replace(target, body)
        elif target.read_bytes() != body:
            raise IntegrityError(f"{path} was published with other bytes")

    def finish(self, checkpoint: bytes) -> None:
        """Make all files durable, then write the checkpoint, then remove partial files of full tiles."""
        for each in sorted(self.touched, reverse=True):
            durable.sync(each)
        target = self.folder / CHECKPOINT
        if not target.exists() or target.read_bytes() != checkpoint:
            self._replace(target, checkpoint)
            durable.sync(self.folder)
        for each in self.outdated:
            shutil.rmtree(each)

    def _replace(self, target: Path, body: bytes) -> None:
        for each in reversed(target.parent.relative_to(self.folder).parents):
            self.touched.add(self.folder / each)
        self.touched.add(target.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        durable.put(target, body)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; the system releases it when the process ends, however it ends."""
    with (folder / LOCK).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConflictError("another process is publishing into this folder") from None
        yield


def _shown(log: Log, folder: Path) -> Checkpoint:
    """Return what the folder shows: the checkpoint there, or the empty tree's."""
    path = folder / CHECKPOINT
    if not path.exists():
        return Checkpoint(log.origin, 0, EMPTY_ROOT)
    try:
        said, _ = open_checkpoint(path.read_text(encoding="utf-8"), [log.signer.verifier])
    except (LedgerError, UnicodeDecodeError) as error:
        raise IntegrityError("the folder's checkpoint was not signed by this log") from error
    return said
