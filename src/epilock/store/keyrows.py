"""The key database: its tables, and how a key lies in a row.

A row's key is wrapped as ``nonce (12) | AES-256-GCM`` under the key above it, with associated data that
names everything about the row: a row that was swapped, changed or brought back does not open.

====================  ===============================================  ======================
what                  associated data, fields joined with ``|``        wrapped under
====================  ===============================================  ======================
row of the epoch      epilock/epoch-row/v1 suite org epoch             epoch key (empty text)
tag key               epilock/tag-key/v1 suite org emergency epoch     epoch key
part key              epilock/part-key/v1 suite org bucket part epoch  epoch key
                      seeds
seed                  epilock/seed/v1 suite org bucket part depth      part key
                      prefix
secret                epilock/secret/v1 org name                       root key
====================  ===============================================  ======================

A *part key* stands between the epoch key and the seeds of one part of one bucket. A destruction run
then rewraps one row for each living part, and the seeds of only those parts that lost one: erasing one
person stays quick however many were erased before. ``seeds`` counts the rows of the part, so that a row
that somebody took away is missed.
"""

import os
from collections.abc import Iterable, Mapping

import sqlalchemy as sa

from epilock.db import Transaction, key_metadata
from epilock.errors import TamperedError
from epilock.store.keytree import Node
from epilock.store.suite import NONCE_BYTES, Cipher, Suite

Place = tuple[str, str, str]  # organisation, bucket, part

secrets = sa.Table(
    "secrets",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("name", sa.String(60), primary_key=True),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

epochs = sa.Table(
    "epochs",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("proof", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

tag_keys = sa.Table(
    "tag_keys",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("emergency", sa.String(31), primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

part_keys = sa.Table(
    "part_keys",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.String(200), primary_key=True),
    sa.Column("part", sa.String(60), primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("seeds", sa.Integer, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

seeds = sa.Table(
    "seeds",
    key_metadata,
    sa.Column("org", sa.String(31), primary_key=True),
    sa.Column("bucket", sa.String(200), primary_key=True),
    sa.Column("part", sa.String(60), primary_key=True),
    sa.Column("depth", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("prefix", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)


def wrap(above: Cipher, key: bytes, aad: bytes) -> bytes:
    """Return ``key`` wrapped under the key ``above``; 28 bytes longer."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + above.encrypt(nonce, key, aad)


def unwrap(suite: Suite, above: Cipher, wrapped: bytes, aad: bytes) -> bytes:
    """Return the key.

    Raises:
        TamperedError: The row is not the one that was stored there; the message names it.
    """
    try:
        return suite.open(above, wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], aad)
    except TamperedError:
        raise TamperedError(f"key row {aad.decode()} was changed, moved or brought back") from None


def epoch_aad(suite: Suite, org: str, epoch: int) -> bytes:
    """Return the associated data of an organisation's row of the epoch."""
    return f"epilock/epoch-row/v1|{suite.name}|{org}|{epoch}".encode()


def tag_aad(suite: Suite, org: str, emergency: str, epoch: int) -> bytes:
    """Return the associated data of a tag key."""
    return f"epilock/tag-key/v1|{suite.name}|{org}|{emergency}|{epoch}".encode()


def part_aad(suite: Suite, place: Place, epoch: int, count: int) -> bytes:
    """Return the associated data of the key of a part that has ``count`` seeds."""
    return f"epilock/part-key/v1|{suite.name}|{'|'.join(place)}|{epoch}|{count}".encode()


def seed_aad(suite: Suite, place: Place, node: Node) -> bytes:
    """Return the associated data of the seed of one node."""
    return f"epilock/seed/v1|{suite.name}|{'|'.join(place)}|{node[0]}|{node[1]}".encode()


def secret_context(org: str, name: str) -> bytes:
    """Return the context of a secret under the root key."""
    return f"epilock/secret/v1|{org}|{name}".encode()


def insert_seeds(
    tx: Transaction,
    suite: Suite,
    part_key: bytes,
    place: Place,
    cover: Mapping[Node, bytes],
) -> None:
    """Insert the seeds of one part under its new ``part_key``."""
    encrypt = suite.cipher(part_key).encrypt
    nonces = os.urandom(NONCE_BYTES * len(cover))
    start = seed_aad(suite, place, (0, 0)).removesuffix(b"0|0")
    rows = []
    for i, ((depth, prefix), seed) in enumerate(cover.items()):
        nonce = nonces[NONCE_BYTES * i : NONCE_BYTES * (i + 1)]
        wrapped = nonce + encrypt(nonce, seed, start + b"%d|%d" % (depth, prefix))
        rows.append((*place, depth, prefix, wrapped))
    tx.bulk(seeds, rows)


def select_seeds(
    tx: Transaction,
    suite: Suite,
    part_key: bytes,
    place: Place,
    nodes: Iterable[Node] | None = None,
) -> dict[Node, bytes]:
    """Return the seeds of one part, unwrapped: all, or those of ``nodes`` that are there."""
    org, bucket, part = place
    cipher = suite.cipher(part_key)
    query = sa.select(seeds.c.depth, seeds.c.prefix, seeds.c.wrapped).where(
        seeds.c.org == org, seeds.c.bucket == bucket, seeds.c.part == part
    )
    if nodes is not None:
        query = query.where(sa.tuple_(seeds.c.depth, seeds.c.prefix).in_(list(nodes)))
    return {
        (depth, prefix): unwrap(suite, cipher, wrapped, seed_aad(suite, place, (depth, prefix)))
        for depth, prefix, wrapped in tx.conn.execute(query)
    }
