"""Made-up logs to measure: their entries, their database, their published folder.

Entries are of the usual length and well-formed, so that a monitor finds nothing wrong with them. Nothing
is synced on the way: what a crash spoils is measured again.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import count, islice
from pathlib import Path

import msgspec

from bench import installation
from epilock import db
from epilock.db import Database
from epilock.ledger import entry, note, tile
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.edge import Edge
from epilock.ledger.log import Log
from epilock.ledger.note import Signer
from epilock.ledger.tile import ENTRIES, WIDTH, Tile
from epilock.ledger.tree import leaf_row
from epilock.standard.level import CHINA
from epilock.store import bucket as buckets

ORIGIN = "log.example/bench"
SIGNER = Signer.from_seed(ORIGIN, bytes(32))
NOW = datetime(2026, 3, 14, 1, tzinfo=UTC)
A_DAY = 100_000  # records of one bucket
AT_ONCE = 1 << 16  # entries of one transaction, where a log is only filled


def log() -> Log:
    """Return a log that remembers nothing yet."""
    return Log(ORIGIN, lambda _number: SIGNER)


def database(path: Path) -> Database:
    """Return the database in the file ``path`` with the tables it needs, made if they are not there."""
    engine = db.open_engine(f"sqlite:///{path}")
    db.metadata.create_all(engine)
    return Database(engine, bytes(32))


def storyteller(home: Path) -> Callable[[], Iterator[bytes]]:
    """Return what begins the story of a log that collects without end, ``A_DAY`` records a day.

    ``home`` is a new folder, for the installation that tells the beginning.
    """
    parts = installation.make(home)
    try:
        form, now = installation.form(parts), parts.now()
        point = form.point
        with parts.database.write() as tx:
            opening = parts.log.entries(tx, 0, parts.log.size(tx))
            made = buckets.ensure(
                tx, parts.log, parts.keys, parts.standard, org=point.org, authority=point.authority,
                emergency=point.emergency, circumstance=point.circumstance,
                day=now.astimezone(CHINA).date(), now=now,
            )  # fmt: skip
            declared = entry.decode(parts.log.entries(tx, len(opening), 1)[0])
    finally:
        parts.close()

    def story() -> Iterator[bytes]:
        yield from opening
        for day in count():
            bucket = _another_day(declared, made.day + timedelta(days=day))
            yield entry.encode(bucket)
            said = entry.collecting(
                org=point.org, standard=bucket.standard, point=point.point, bucket=bucket.bucket,
                notice=form.notice, parts=bucket.parts,
            )  # fmt: skip
            for n in range(A_DAY):
                yield said(n, os.urandom(32).hex())

    return story


def _another_day(declared: entry.Entry, day: date) -> entry.Bucket:
    assert isinstance(declared, entry.Bucket)
    name = f"{declared.bucket.rpartition('/')[0]}/{day}"
    return msgspec.structs.replace(declared, bucket=name, day=str(day))


def fill(path: Path, entries: Iterator[bytes], size: int) -> None:
    """Append ``size`` entries to a new log in the file ``path``, in few and large transactions."""
    base, filled = database(path), log()
    try:
        with base.read() as tx:
            tx.conn.exec_driver_sql("PRAGMA cache_size=-200000")
        for first in range(0, size, AT_ONCE):
            some = list(islice(entries, min(AT_ONCE, size - first)))
            with base.write() as tx:
                filled.append(tx, some, now=NOW)
    finally:
        base.close()


def publish(folder: Path, entries: Iterator[bytes], size: int) -> Checkpoint:
    """Write the published log of ``size`` entries into ``folder``; return its checkpoint."""
    edge = Edge()
    for bundle in tile.bundles_of(size):
        some = list(islice(entries, bundle.width))
        grown = edge.extended(leaf_row(some))
        _put(folder, Tile(ENTRIES, bundle.n, bundle.width), tile.pack(some))
        for each, hashes in grown.tiles_since(edge.size):
            if each.width == WIDTH:
                _put(folder, each, hashes)
        edge = grown.trimmed()
    for each, hashes in edge.partial_tiles():
        _put(folder, each, hashes)
    said = Checkpoint(ORIGIN, size, edge.root())
    (folder / "checkpoint").write_text(note.sign(said.text(), [SIGNER]), encoding="utf-8")
    return said


def _put(folder: Path, named: Tile, body: bytes) -> None:
    path = folder / named.path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
