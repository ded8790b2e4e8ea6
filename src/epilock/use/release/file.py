"""Files of releases: the table and its report, sealed under a key of the release, which is destroyed in the end.

After ``destroy`` no copy of the databases opens the files (``store.file``). Rules kept in this file:
  1. No row of a release rests unsealed.
  2. The key goes first, then the rows. Repeating is harmless.
"""

import sqlalchemy as sa

from epilock.db import Database, Transaction, metadata
from epilock.errors import NotFoundError, TamperedError
from epilock.store import file as files
from epilock.store.access import Keys

TABLE, REPORT = "table", "report"

release_files = sa.Table(
    "release_files",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("release", sa.String(20), primary_key=True),
    sa.Column("kind", sa.String(6), primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

FileRow = tuple[str, str, str, bytes]


def seal(keys: Keys, org: str, release: str, kind: str, body: bytes) -> FileRow:
    """Return the row of a file, its key made if there is none; call it outside any transaction."""
    sealed = files.seal(keys, org, _place(release), _aad(org, release, kind), body)
    return (org, release, kind, sealed)


def keep(tx: Transaction, row: FileRow) -> None:
    """Keep a file in place of the one of its kind."""
    tx.delete(release_files, org=row[0], release=row[1], kind=row[2])
    tx.bulk(release_files, [row])


def read(tx: Transaction, keys: Keys, org: str, release: str, kind: str) -> bytes:
    """Return a file.

    Raises:
        NotFoundError: There is none, or none any more.
        ErasedError: Its key is destroyed.
        TamperedError: It was changed or put in another's place.
    """
    row = tx.find(release_files, org=org, release=release, kind=kind)
    if row is None:
        raise NotFoundError(f"release {release} has no {kind}, or none any more")
    aad = _aad(org, release, kind)
    try:
        return files.unseal(keys, org, _place(release), aad, bytes(row["sealed"]))
    except TamperedError:
        place = f"org={org}, release={release}, kind={kind}"
        raise TamperedError(f"release_files ({place}) is not what was sealed") from None


def kept(tx: Transaction) -> list[tuple[str, str]]:
    """Return organisation and code of the releases that have files."""
    c = release_files.c
    found = tx.conn.execute(sa.select(c.org, c.release).distinct().order_by(c.org, c.release))
    return [(org, release) for org, release in found]


def destroy(database: Database, keys: Keys, org: str, release: str) -> None:
    """Destroy the files of a release for ever."""
    keys.destroy(org, drops=[(_place(release), files.PART)])
    with database.write() as tx:
        tx.delete(release_files, org=org, release=release)


def _place(release: str) -> str:
    return files.place(files.RELEASE, release)


def _aad(org: str, release: str, kind: str) -> bytes:
    return f"epilock/release-file/v1|{org}|{release}|{kind}".encode()
