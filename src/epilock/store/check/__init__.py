"""The check of everything stored: each row that is not what was stored is named.

In come the two databases, the slots and the log; out goes one ``Damage`` after the other, and nothing for
an installation that is as it was left. What proves what:

===========================  ==========================================================================
state rows (every table      their MAC, under the installation's integrity key
with a ``mac`` column)
ledger entries and tiles     the Merkle tree (``Log.check``)
records, buckets, leases     the ledger: what it says was collected, leased, erased, moved or destroyed is
                             so here, and nothing is here that it does not say
sealed parts                 AES-GCM, the record they belong to, and the commitment in the ledger
tags                         made again from the plaintext
counts                       counted again
rows of keys                 unwrapped under the key above; what is destroyed has none
slots                        read; holding one epoch and nothing else
the files of SQLite          its own ``integrity_check`` (indexes, pages, free list)
===========================  ==========================================================================

Always true: memory does not grow with the installation (but with the number of buckets, and of erasures
that are under way); nothing is changed; plaintext and keys stay in here, findings name tables and keys of
rows alone. A whole row of a state table put back to an older state keeps its MAC: for records, buckets,
leases and parts the ledger tells, for the tables of other rooms it must be asked by them.

It reads one consistent state of the main database from start to end. Checks a running installation may
take; a destruction that runs meanwhile is then reported as a key that is gone.
"""

from collections.abc import Iterator

import sqlalchemy as sa

from epilock.db import Database
from epilock.errors import EpilockError
from epilock.ledger.check import Damage
from epilock.ledger.log import Log
from epilock.ledger.shards import all_of
from epilock.store.check import contents, keyring, rows, witness
from epilock.store.keys import KeyStore

__all__ = ["Damage", "check"]


def check(database: Database, keys: KeyStore, log: Log) -> Iterator[Damage]:
    """Yield everything stored that is not what was stored; see the module for what is compared."""
    yield from rows.check_file(database)
    yield from rows.check_file(keys.database)
    yield from _surviving("the main database", _check(database, keys, log))


def _check(database: Database, keys: KeyStore, log: Log) -> Iterator[Damage]:
    with database.read() as tx, rows.as_stored(tx):
        yield from rows.check_sealed(tx)
        for shard in all_of(log):
            yield from _surviving("the ledger", shard.check(tx))
        known = witness.Known(tx)
        yield from _surviving("what the ledger says", witness.check(tx, log, known))
        yield from _surviving("the key database", keyring.check(keys, known))
        yield from _surviving("buckets", contents.check(tx, keys, log, known))


def _surviving(what: str, found: Iterator[Damage]) -> Iterator[Damage]:
    """Yield what is ``found``; damage that stops one part of the check is named and stops no other."""
    try:
        yield from found
    except (EpilockError, UnicodeError, ValueError, TypeError, sa.exc.DatabaseError) as error:
        reason = str(getattr(error, "orig", error)).encode("ascii", "backslashreplace").decode()
        yield Damage(what, f"can't be checked to the end: {reason}")
