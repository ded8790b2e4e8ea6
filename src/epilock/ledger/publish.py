"""The public side of a log: C2SP tiles, for a folder that any web server can serve, and for HTTP.

Everything here is derived: a folder that is lost is written again, byte for byte the same.

Rules kept in this file:
  1. Only what has been hashed to the checkpoint's root is published; a log whose entries do not fit
     its tiles, or its tiles its root, is not.
  2. The order is entries, tiles, checkpoint. Each file is written under one temporary name,
     synced, renamed; the folders are synced before the checkpoint is renamed. So whoever reads a checkpoint
     finds every file that it needs.
  3. A file of a tile or bundle is never changed: the same bytes again are success, others an error.
  4. A folder that already shows another history, or a longer one, is not touched.

What a crash leaves, for each effect of ``write``:

==================  ==============================================================================
crash               what is left, and what the next ``write`` does
==================  ==============================================================================
before a rename     a temporary file, which no one is told of and the next ``write`` removes
after some renames  files that no checkpoint needs yet; the next ``write`` finds them equal
before the sync     the same, or files that are gone; the next ``write`` writes them again
of the folders
around the rename   the old checkpoint or the new one; both are whole, and both are true
of the checkpoint
while partial       partial files that are no longer needed; the next ``write`` that fills a tile
files are removed   removes those beside it, others stay and do no harm
==================  ==============================================================================
"""

from collections.abc import Iterator
from pathlib import Path

from epilock.db import Database, Transaction
from epilock.errors import IntegrityError, NotFoundError
from epilock.ledger import folder as folders
from epilock.ledger import regime
from epilock.ledger import tile as tiles
from epilock.ledger.check import Damage
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.edge import Edge
from epilock.ledger.folder import CHECKPOINT, POLICIES, Published, PublishedFolder
from epilock.ledger.log import Log
from epilock.ledger.tile import ENTRIES, WIDTH, Tile
from epilock.ledger.tree import leaf_row
from epilock.ledger.verify import open_checkpoint


def read(tx: Transaction, log: Log, path: str) -> Published:
    """Return the file at ``path`` below the log's prefix: ``checkpoint``, ``tile/...`` or ``policy/...``.

    ``tx`` must be a reading transaction.

    Raises:
        NotFoundError: There is no such file, or not yet.
        StateError: ``tx`` is a writing transaction.
    """
    return folders.served(path, _body(tx, log, path))


def _body(tx: Transaction, log: Log, path: str) -> bytes:
    if path == CHECKPOINT:
        return log.shown(tx).encode()
    if path.startswith(POLICIES):
        return regime.read(tx, log, path)
    body = _tile(tx, log, Tile.parse(path))
    if body is None:
        raise NotFoundError("this log is not that long yet")
    return body


def _tile(tx: Transaction, log: Log, wanted: Tile) -> bytes | None:
    """Return the bytes of a tile or bundle as the database has them; None if it is not that long."""
    if wanted.level != ENTRIES:
        return log.tile(tx, wanted) or None
    entries = log.entries(tx, wanted.n * WIDTH, wanted.width)
    return tiles.pack(entries) if len(entries) == wanted.width else None


def write(database: Database, log: Log, folder: Path) -> Checkpoint:
    """Bring ``folder`` up to the committed state of ``log``; return what it shows now.

    Raises:
        InconsistentError: The folder shows a longer log, or another history.
        IntegrityError: A row or a file is not what was stored.
        ConflictError: Another process is writing there.
    """
    with folders.alone(folder) as files:
        shown = files.shown(log.origin, log.verifiers)
        with database.read() as tx:
            log.check_at_start(tx, shown)
            signed = log.shown(tx)
            edge = log.edge(tx, shown.size)
            announced = regime.listing(tx, log)
        said, _ = open_checkpoint(signed, log.verifiers)
        if said.size < shown.size:
            return shown  # it was written before witnesses were asked; they follow
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


def compare(database: Database, log: Log, folder: Path) -> Iterator[Damage]:
    """Yield each file of ``folder`` that is not, byte for byte, what the database makes of it.

    Partial files of tiles that have been filled since may be there; they are compared too.

    Raises:
        IntegrityError: The folder's checkpoint was not signed by this log.
    """
    files = PublishedFolder(folder)
    shown = files.shown(log.origin, log.verifiers)
    needed = {*tiles.bundles_of(shown.size), *tiles.of_tree(shown.size)}
    paths = {each.path() for each in needed} if shown.size else set()
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    there -= {CHECKPOINT, folders.LOCK, folders.DRAFT}
    for path in sorted(paths - there):
        yield Damage(path, "is missing")
    for path in sorted(there):
        with database.read() as tx:
            try:
                right = _body(tx, log, path)
            except NotFoundError:
                yield Damage(path, "is no file of this log")
                continue
        if files.find(path) != right:
            yield Damage(path, "is not what the database makes of it")
    with database.read() as tx:
        if log.root(tx, shown.size) != shown.root:
            yield Damage(CHECKPOINT, "has a root that the database does not have")


def _write_bundle(
    tx: Transaction, log: Log, files: PublishedFolder, edge: Edge, bundle: Tile
) -> Edge:
    """Write one bundle and the tiles that it fills; return the edge behind it."""
    first = bundle.n * WIDTH
    entries = log.entries(tx, first, bundle.width)
    if len(entries) != bundle.width:
        raise IntegrityError(f"{bundle.path()}: an entry is missing")
    grown = edge.extended(leaf_row(entries[edge.size - first :]))
    changed = grown.tiles_since(edge.size)
    for tile, hashes in changed:
        if log.tile(tx, tile) != hashes:
            raise IntegrityError(f"{tile.path()}: entries and tile do not fit each other")
    files.put(bundle.path(), tiles.pack(entries))
    for tile, hashes in changed:
        if tile.width == WIDTH:
            files.put(tile.path(), hashes)
    return grown
