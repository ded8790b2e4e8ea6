"""Photographs of pages of paper: sealed, each under a key of its own, and gone as soon as anything on it is.

A photograph shows all that stands on its page, so it is treated as the records that were keyed in from it
together: who may open all of them as they were given may see it (``use.gate``), and when a part of one of them is
destroyed its key is destroyed in the same step (``destroy.run``), for nothing can be cut out of a picture.
It also goes with its page, and on the page's last day (``collect.paper``).

Rules kept in this file:
  1. No photograph rests unsealed.
  2. The key goes first, then the rows. Repeating is harmless.
  3. The name under which a key lies says which records are shown (``file.Sheet``), as they stood when the page was
     keyed in; of those of before it says the page alone. What is destroyed is all that it may lie under, so that
     a row that was changed or deleted past this program saves no key.
"""

from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa

from epilock.db import Database, Json, Transaction, metadata, sealed_table
from epilock.errors import NotFoundError, TamperedError
from epilock.store import bucket as buckets
from epilock.store import file
from epilock.store.access import Keys
from epilock.store.file import Sheet

Place = tuple[int, int]  # bucket, record number

photographs = sa.Table(
    "paper_photographs",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("code", sa.String(20), primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.String(200)),
    sqlite_with_rowid=False,
)
"""``code`` of the page, as the log names it; ``sealed`` a JPEG file under the photograph's key; ``at`` the
name under which that lies, or None for one of before, whose name is the page's."""

photographed = sealed_table(
    "photographed",
    metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("code", sa.String(20), nullable=False),
    sa.Column("categories", Json, nullable=False),
    sa.Index("photographed_code", "org", "code"),
)
"""Which records stand on which page that there is a photograph of, and what was asked there."""


def seal(
    keys: Keys, org: str, code: str, picture: bytes, records: Collection[tuple[str, int]]
) -> bytes:
    """Return a photograph sealed, its key made if there is none; call it outside any transaction.

    Args:
        keys: Whoever holds the keys.
        org: The organisation.
        code: The page's.
        picture: A JPEG file.
        records: What stands on the page: (name of the bucket, number).
    """
    return file.seal(keys, org, Sheet.of(code, records).place, _aad(org, code), picture)


def keep(
    tx: Transaction,
    org: str,
    code: str,
    sealed: bytes,
    *,
    places: Sequence[Place],
    categories: Collection[str],
) -> None:
    """Keep a sealed photograph of a page whose records lie at ``places``."""
    for bucket, n in places:
        tx.insert(
            photographed, org=org, bucket=bucket, n=n, code=code, categories=sorted(categories)
        )
    tx.bulk(photographs, [(org, code, sealed, *_bound(tx, org, code))])


def read(tx: Transaction, keys: Keys, org: str, code: str) -> bytes:
    """Return a photograph, a JPEG file.

    Raises:
        NotFoundError: There is none, or none any more.
        ErasedError: Its key is destroyed.
        TamperedError: It was changed or put in another's place.
    """
    row = tx.find(photographs, org=org, code=code)
    if row is None:
        raise NotFoundError("there is no photograph of this page, or none any more")
    at = row["at"] or file.place(file.PAPER, code)
    try:
        return file.unseal(keys, org, at, _aad(org, code), bytes(row["sealed"]))
    except TamperedError:
        raise TamperedError(
            f"paper_photographs (org={org}, code={code}) is not what was sealed"
        ) from None


def places_of(tx: Transaction, org: str, code: str) -> list[Place]:
    """Return where the records of a photographed page lie; none if it has no photograph (any more)."""
    c = photographed.c
    rows = tx.all(photographed, c.org == org, c.code == code, order_by=[c.bucket, c.n])
    return [(row["bucket"], row["n"]) for row in rows]


def beside(tx: Transaction, org: str, at: Place) -> list[Place]:
    """Return where the records lie that stand on one photographed page with this one, itself among them."""
    row = tx.find(photographed, org=org, bucket=at[0], n=at[1])
    return [] if row is None else places_of(tx, org, row["code"])


def of_records(
    tx: Transaction, org: str, places: Collection[Place]
) -> tuple[str, frozenset[str]] | None:
    """Return the page on which exactly these records stand and what was asked there, or None."""
    bucket, n = min(places)
    first = tx.find(photographed, org=org, bucket=bucket, n=n)
    if first is None or set(places_of(tx, org, first["code"])) != set(places):
        return None
    return first["code"], frozenset(first["categories"])


def showing(tx: Transaction, org: str, places: Iterable[tuple[int, int | None]]) -> list[str]:
    """Return the pages whose photograph shows one of the records; None stands for all of a bucket."""
    c, found = photographed.c, set[str]()
    for bucket, n in places:
        where = [c.org == org, c.bucket == bucket, *([] if n is None else [c.n == n])]
        found.update(tx.conn.execute(sa.select(c.code).where(*where).distinct()).scalars())
    return sorted(found)


def drops(tx: Transaction, org: str, codes: Iterable[str]) -> list[tuple[str, str]]:
    """Return what of the key store has to be destroyed so that no photograph of these pages opens (rule 3)."""
    found: list[tuple[str, str]] = []
    for code in codes:
        row = tx.find(photographs, org=org, code=code)
        said = [] if row is None or row["at"] is None else [str(row["at"])]
        places = {file.place(file.PAPER, code), *said, *_bound(tx, org, code)}
        found += ((at, file.PART) for at in sorted(places))
    return found


def forget(tx: Transaction, org: str, codes: Iterable[str]) -> None:
    """Delete the rows of photographs whose keys are destroyed."""
    for code in codes:
        tx.delete(photographs, org=org, code=code)
        tx.delete(photographed, org=org, code=code)


def destroy(database: Database, keys: Keys, org: str, codes: Sequence[str]) -> None:
    """Destroy photographs for ever."""
    if codes:
        with database.read() as tx:
            found = drops(tx, org, codes)
        keys.destroy(org, drops=found)
        with database.write() as tx:
            forget(tx, org, codes)


def _bound(tx: Transaction, org: str, code: str) -> list[str]:
    """Return the place of a photograph that says which records it shows; none if they are not known."""
    records = [(buckets.load(tx, org, b).name, n) for b, n in places_of(tx, org, code)]
    return [Sheet.of(code, records).place] if records else []


def _aad(org: str, code: str) -> bytes:
    return f"epilock/paper-photograph/v1|{org}|{code}".encode()
