"""After a destruction nothing ties an entry of the log to a person: not with every key that still exists.

Whoever holds everything (both databases, the slots, the root key) and knows the person's true data and the
record's number tries all of it: each key that still opens, and each 32 bytes that lie anywhere, as the
commitment's key, as the leaf and as any node above the leaf. The same search finds the key while it lives.
"""

import sqlalchemy as sa

from epilock.collect import issue
from epilock.db import key_metadata, metadata
from epilock.destroy import erasure, run
from epilock.ledger import entry
from epilock.standard.text import Text
from epilock.store import bucket as buckets
from epilock.store import keyrows, keytree, vault
from epilock.store.suite import INTERNATIONAL as SUITE
from epilock.store.suite import KEY_BYTES

ONLY = "check_in"  # one part, so that each piece of key material can be tried alone


def test_no_key_that_still_exists_makes_the_commitment_again(town, clock, home):
    town.point = point(town)
    given = town.store(*(town.accepted() for _ in range(3)))
    truth = {each.index: (each.n, plaintext(town, each)) for each in given}
    before, erased, after = truth
    assert linked(town, home, truth) == {before, erased, after}
    withdraw(town, given[1])
    run.run(town.parts.tools, now=clock())
    assert linked(town, home, truth) == {before, after}  # neighbours' keys are of no use for it
    clock.forward(days=20)
    (living,) = town.store(town.accepted())
    truth[living.index] = (living.n, plaintext(town, living))
    clock.forward(days=10)
    run.run(town.parts.tools, now=clock())
    assert linked(town, home, truth) == {living.index}


def point(town):
    """A gate that asks for one thing."""
    only = [each for each in town.plan().fields if each.id == ONLY]
    with town.parts.database.write() as tx:
        plan = town.plan(fields=tuple(only), name=Text("东门", "East gate"))
        return issue.open_with_notice(
            tx, town.parts.press, org="garden", plan=plan, now=town.clock()
        ).point


def plaintext(town, stored):
    """What the record's parts hold, as the person (or whoever knows them) can write it down again."""
    with town.parts.database.read() as tx:
        bucket = buckets.load_by_name(tx, "garden", stored.bucket)
        parts = vault.open_record(tx, town.parts.keys, "garden", bucket.id, stored.n)
    assert len(parts) == 1
    return vault.commitment_text(parts)


def withdraw(town, stored):
    with town.parts.database.write() as tx:
        bucket = buckets.load_by_name(tx, "garden", stored.bucket)
        erasure.erase(
            tx, town.parts.log, town.parts.standard, org="garden", bucket=bucket.id, n=stored.n,
            reason="withdrawal", now=town.clock(),
        )  # fmt: skip


def linked(town, home, truth):
    """Return the entries, by index, whose commitment some key material makes from the record's true data."""
    pieces, found = material(town, home), set()
    for index, (n, text) in truth.items():
        with town.parts.database.read() as tx:
            wanted = bytes.fromhex(entry.decode(town.parts.log.entry(tx, index)).commitment)
        positions = [node[1] & keytree.ARITY - 1 for node in keytree.path(n)[1:]]
        if any(SUITE.commit(key, text) == wanted for key in tried(pieces, positions)):
            found.add(index)
    return found


def tried(pieces, positions):
    """Yield each piece as the commitment's key, and those of the leaf if it is a node at any depth above it."""
    for piece in pieces:
        yield piece
        for depth in range(len(positions) + 1):
            key = piece
            for position in positions[depth:]:
                key = SUITE.child(key, position)
            yield SUITE.commitment_key([key])


def material(town, home):
    """Every key that can still be had, and every 32 bytes of every file and value where keys might lie."""
    parts, pieces = town.parts, set()
    keys = parts.keys
    slots = [keys.slot(path.stem) for path in sorted(parts.settings.slots.glob("*.slot"))]
    for slot in slots:
        pieces.update(slot.read().values())
    with keys.database.read() as tx:
        for row in tx.conn.execute(sa.select(keyrows.secrets)).mappings():
            pieces.add(keys.unwrap_secret(row["org"], row["name"], row["wrapped"]))
        for row in tx.conn.execute(sa.select(keyrows.tag_keys)).mappings():
            pieces.add(keys.tag_key(row["org"], row["emergency"]))
        for row in tx.conn.execute(sa.select(keyrows.part_keys)).mappings():
            pieces.update(keys.cover(row["org"], row["bucket"], row["part"]).values())
    whole = [
        path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and path.suffix in {".key", ".slot"}
    ]
    for database, tables in ((keys.database, key_metadata), (parts.database, metadata)):
        with database.read() as tx:
            for table in tables.sorted_tables:
                if table.name not in {"ledger_tiles", "ledger_entries"}:  # they are public
                    whole += blobs(tx.conn.execute(sa.select(table)))
    for data in whole:
        pieces.update(data[at : at + KEY_BYTES] for at in range(len(data) - KEY_BYTES + 1))
    return pieces


def blobs(rows):
    return [bytes(value) for row in rows for value in row if isinstance(value, bytes | memoryview)]
