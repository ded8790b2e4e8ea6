"""The log: entries get their index, the tree grows, a checkpoint is signed; proofs are given.

Rules kept in this file:
  1. Entries, tiles, head and the unsigned checkpoint are written in the caller's transaction,
     together with the state they witness: all of it commits, or nothing.
  2. The head row is locked first (``SELECT ... FOR UPDATE``; on SQLite the transaction holds the write
     lock from its start), so that several processes append in turn.
  3. A checkpoint is signed from a committed row only. Ed25519 is deterministic: signing the same row
     again gives the same bytes, and there is never another root for that size to sign.
  4. What is kept in memory is believed only where it fits the head row; see ``nodes``.
  5. No proof leaves that does not verify.

What a crash or an error leaves, for each effect of one append:

==================  ==========================================  ================================
moment              not done                                    done but reported failed
==================  ==========================================  ================================
``append``          the caller's transaction rolls back:        the same; the edge kept in memory
                    no entry, no index, no checkpoint           no longer fits the head and is
                                                                read again from the rows
commit              as above; the submitter is told it          entries stand and will be found
                    failed and sends again                      by the caller's own key; sending
                                                                again is answered with the same
                                                                receipt (``collect``), so an index
                                                                is never given twice
``sign``            no one saw a checkpoint; the row is there   the same bytes are made again
                    and is signed when it is asked for
``publish.write``   see ``publish``
==================  ==========================================  ================================
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from epilock.db import Transaction
from epilock.errors import (
    ClosedError,
    EntryError,
    InconsistentError,
    IntegrityError,
    NotFoundError,
    ProofError,
    StateError,
)
from epilock.ledger import cosigned, keyring, note, rows, tree
from epilock.ledger.check import Damage, check
from epilock.ledger.checkpoint import Checkpoint, parse
from epilock.ledger.edge import Edge
from epilock.ledger.entry import MOST_BYTES
from epilock.ledger.keyring import Keyring, SignerOf, SigningKey
from epilock.ledger.nodes import Nodes, stored_edge
from epilock.ledger.note import Signer, Verifier
from epilock.ledger.proof import Proof
from epilock.ledger.rows import Head
from epilock.ledger.tile import HEIGHT, WIDTH, Tile
from epilock.ledger.tree import EMPTY_ROOT, leaf_hash, leaf_row


@dataclass(frozen=True, slots=True)
class Batch:
    """What one append did.

    Attributes:
        first: Index of its first entry.
        size: Size of the log with it.
        root: Root of the tree of that size.
        entries: Its entries.
        edge: The tree's right edge, from which its proofs are made without the database.
    """

    first: int
    size: int
    root: bytes
    entries: tuple[bytes, ...] = field(repr=False)
    edge: Edge = field(repr=False, compare=False)


class Log:
    """One log in the main database.

    Threads may share it; several processes may append to the same log, each with its own object.

    Attributes:
        origin: Name of the log, the first line of each checkpoint.
        earlier: The logs of this installation that were sealed before it began, the oldest first.
        base: Number of entries of those, which rows count too: see ``shards``.
    """

    def __init__(
        self,
        origin: str,
        signer_of: SignerOf,
        *,
        earlier: Sequence["Log"] = (),
        base: int = 0,
    ) -> None:
        """Make the object of the log ``origin``; ``signer_of`` gives its Ed25519 keys by number.

        Raises:
            StateError: The first key's name is not the origin.
        """
        first = SigningKey(1, signer_of(1))
        if first.signer.name != origin:
            raise StateError("a log's key is named by its origin")
        self.origin = origin
        self.earlier = tuple(earlier)
        self.base = base
        self._signer_of = signer_of
        self._ring: Keyring = (first,)
        self._ring_version: object = []
        self._nodes = Nodes()

    # -- keys ------------------------------------------------------------------------------------

    @property
    def signer(self) -> Signer:
        """The newest key, which is given to those who verify."""
        return self._ring[-1].signer

    @property
    def verifiers(self) -> tuple[Verifier, ...]:
        """The public halves of all keys that it ever had, the oldest first."""
        return tuple(key.signer.verifier for key in self._ring)

    def ring(self, tx: Transaction) -> Keyring:
        """Return its keys, the oldest first, as the transaction sees them."""
        return self._read_ring(tx, self.number(tx))

    def new_key(self, number: int) -> Signer:
        """Return the key of a number; the key store makes it if there is none."""
        return self._signer_of(number)

    # -- growing ---------------------------------------------------------------------------------

    def append(self, tx: Transaction, entries: Sequence[bytes], *, now: datetime) -> Batch:
        """Append ``entries`` in the caller's transaction; they stand when it has committed.

        Raises:
            EntryError: An entry is larger than 16 KiB.
            IntegrityError: The rows are not what was stored; nothing is appended to such a log.
            ClosedError: The log is sealed.
        """
        for each in entries:
            if len(each) > MOST_BYTES:
                raise EntryError(f"an entry has at most {MOST_BYTES} bytes, not {len(each)}")
        head = rows.lock_head(tx, self.origin)
        edge = self._nodes.edge(tx, head)
        if not entries:
            return Batch(head.size, head.size, head.root, (), edge)
        if not any(key.signs(head.size + len(entries)) for key in self._read_ring(tx, head.log)):
            raise ClosedError(
                f"the log {self.origin} is sealed: nothing can be added to it; where another goes on, a"
                " program that runs must be started again"
            )
        grown = edge.extended(leaf_row(entries))
        after = Head(head.log, grown.size, grown.root())
        rows.put_entries(tx, head.log, head.size, entries)
        rows.put_tiles(tx, head.log, head.size, grown.tiles_since(head.size))
        rows.put_head(tx, self.origin, after)
        rows.put_checkpoint(tx, after, now)
        self._nodes.remember(after, grown.trimmed())
        return Batch(head.size, after.size, after.root, tuple(entries), grown)

    def sign(self, batch: Batch) -> str:
        """Return the signed checkpoint of a ``batch`` whose transaction has committed.

        Only after the commit returned: if it raised, what is committed is unknown, and ``checkpoint``
        reads it. No database, no clock.
        """
        return self.signed(Checkpoint(self.origin, batch.size, batch.root))

    def proofs(self, batch: Batch) -> list[tuple[bytes, ...]]:
        """Return the inclusion path of each entry of ``batch`` in the tree of ``batch.size``."""
        return batch.edge.paths(batch.first)

    def proof_texts(self, batch: Batch, checkpoint: str) -> list[str]:
        """Return the ``.tlog-proof`` of each entry of ``batch``, with the entry as ``extra``.

        ``checkpoint`` is what ``sign`` returned, perhaps with cosignatures.
        """
        paths = batch.edge.path_texts(batch.first)
        return [
            f"c2sp.org/tlog-proof@v1\nextra {b64encode(entry).decode()}\nindex {index}\n{path}\n{checkpoint}"
            for index, (entry, path) in enumerate(
                zip(batch.entries, paths, strict=True), batch.first
            )
        ]

    # -- reading ---------------------------------------------------------------------------------

    def size(self, tx: Transaction) -> int:
        """Return the number of entries."""
        return self._head(tx).size

    def size_before(self, tx: Transaction, instant: datetime) -> int:
        """Return the number of entries that it had before ``instant``."""
        return rows.size_before(tx, self._head(tx), instant)

    def number(self, tx: Transaction) -> int:
        """Return the number of this log in its database; 0 while nothing was appended."""
        return self._head(tx).log

    def head(self, tx: Transaction) -> Checkpoint:
        """Return size and root as the transaction sees them, unsigned."""
        head = self._head(tx)
        self._read_ring(tx, head.log)
        return Checkpoint(self.origin, head.size, head.root)

    def checkpoint(self, tx: Transaction, size: int | None = None) -> str:
        """Return the signed checkpoint of ``size`` (the head's if left out), with cosignatures: a note.

        ``tx`` must be a reading transaction, which sees only what is committed.

        Raises:
            StateError: ``tx`` is a writing transaction.
            NotFoundError: No batch ended with that size.
        """
        if tx.conn.get_execution_options().get("epilock_write"):
            raise StateError("a checkpoint is signed from what is committed: ask while reading")
        head = self._head(tx)
        if size in {None, head.size}:
            root, size = head.root, head.size
        else:
            row = tx.find(rows.checkpoints, log=head.log, size=size)
            if row is None:
                raise NotFoundError(f"this log has no checkpoint of size {size}")
            root, size = bytes(row["root"]), row["size"]
        self._read_ring(tx, head.log)
        signed = self.signed(Checkpoint(self.origin, size, root))
        return signed + cosigned.lines(tx, head.log, size)

    def signed(self, committed: Checkpoint) -> str:
        """Return the note of a checkpoint whose row is committed, by the keys that sign its size."""
        signers = [key.signer for key in self._ring if key.signs(committed.size)]
        return note.sign(committed.text(), signers)

    def shown(self, tx: Transaction) -> str:
        """Return the checkpoint that the public is shown: the newest that witnesses were asked about.

        Without witnesses it is the head's. ``tx`` must be a reading transaction.

        Raises:
            StateError: ``tx`` is a writing transaction.
        """
        return self.checkpoint(tx, cosigned.shown_size(tx, self.number(tx)))

    def entry(self, tx: Transaction, index: int) -> bytes:
        """Return the entry at ``index``.

        Raises:
            NotFoundError: The log is not that long.
        """
        found = self.entries(tx, index, 1)
        if not found:
            raise NotFoundError(f"this log has no entry {index}")
        return found[0]

    def entries(self, tx: Transaction, first: int, count: int) -> list[bytes]:
        """Return up to ``count`` entries from ``first`` on."""
        return rows.read_entries(tx, self._head(tx).log, first, first + count)

    def root(self, tx: Transaction, size: int) -> bytes:
        """Return the root of the first ``size`` entries.

        Raises:
            ProofError: The log is not that long.
        """
        head = self._head(tx)
        _check_size(size, head)
        return tree.span_root(0, size, self._nodes.reader(tx, head))

    def tile(self, tx: Transaction, tile: Tile) -> bytes:
        """Return the hashes of ``tile``, or nothing if the log does not fill it yet.

        Raises:
            IntegrityError: The row is missing or cut off.
        """
        head = self._head(tx)
        if head.size >> (HEIGHT * tile.level) < tile.n * WIDTH + tile.width:
            return b""
        return rows.read_tiles(tx, head.log, [tile])[0]

    def edge(self, tx: Transaction, size: int) -> Edge:
        """Return the right edge of the tree of the first ``size`` entries.

        Raises:
            ProofError: The log is not that long.
            IntegrityError: A row is missing or cut off.
        """
        head = self._head(tx)
        _check_size(size, head)
        return stored_edge(tx, head.log, size)

    def inclusion(self, tx: Transaction, index: int, size: int | None = None) -> list[bytes]:
        """Return the inclusion path of entry ``index`` in the tree of ``size`` (the head's).

        Raises:
            ProofError: There is no such entry in that tree, or the log is not that long.
            IntegrityError: The rows are not what was stored.
        """
        head = self._head(tx)
        size = head.size if size is None else size
        _check_size(size, head)
        return tree.inclusion_path(index, size, self._nodes.reader(tx, head))

    def consistency(self, tx: Transaction, old: int, new: int | None = None) -> list[bytes]:
        """Return the proof that the tree of ``old`` entries is a prefix of that of ``new`` (the head's).

        Raises:
            ProofError: ``old`` is larger than ``new``, or the log is not that long.
            IntegrityError: The rows are not what was stored.
        """
        head = self._head(tx)
        new = head.size if new is None else new
        _check_size(new, head)
        return tree.consistency_path(old, new, self._nodes.reader(tx, head))

    def proof(self, tx: Transaction, index: int, size: int | None = None) -> str:
        """Return the ``.tlog-proof`` of entry ``index``, the entry itself as ``extra``.

        Without a ``size`` it is proved against the checkpoint that the public is shown, or against the
        head's if that does not cover it yet.

        Raises:
            StateError: ``tx`` is a writing transaction.
            NotFoundError: No batch ended with ``size``.
            ProofError: There is no such entry in that tree.
            IntegrityError: The rows are not what was stored.
        """
        if size is None:
            of_public = cosigned.shown_size(tx, self.number(tx)) or 0
            size = of_public if of_public > index else None
        checkpoint = self.checkpoint(tx, size)
        said = parse(note.parse(checkpoint)[0])
        entry, path = self.entry(tx, index), self.inclusion(tx, index, said.size)
        try:
            tree.verify_inclusion(index, said.size, leaf_hash(entry), path, said.root)
        except ProofError:
            raise IntegrityError(f"ledger_entries (idx={index}) is not what was stored") from None
        return Proof(index, tuple(path), checkpoint, entry).text()

    def check_at_start(self, tx: Transaction, known: Checkpoint | None = None) -> None:
        """Return if this database may go on appending.

        ``known`` is the latest checkpoint that anyone else remembers (a mirror, a witness, the folder
        that was published): a database restored from an older backup must not grow another branch.

        Raises:
            InconsistentError: The log is shorter than ``known``, or had another root at its size.
            IntegrityError: Head, tiles and last entries do not fit each other.
        """
        head = self._head(tx)
        edge = stored_edge(tx, head.log, head.size)
        if edge.root() != head.root:
            raise IntegrityError("ledger_tiles: the right edge does not have the head's root")
        first = head.size // WIDTH * WIDTH
        last = rows.read_entries(tx, head.log, first, head.size)
        if leaf_row(last) != (edge.rows[0] if edge.rows else b""):
            raise IntegrityError(f"ledger_entries (idx from {first}) do not fit their tile")
        if known is None:
            return
        if known.origin != self.origin:
            raise InconsistentError("the known checkpoint is of another log")
        if known.size > head.size:
            raise InconsistentError(
                f"this database has {head.size} entries, but {known.size} were published: it was restored"
                " from an older backup; replay what is missing before anything is signed"
            )
        if self.root(tx, known.size) != known.root:
            raise InconsistentError(f"another root was published for {known.size} entries")

    def check(self, tx: Transaction) -> Iterator[Damage]:
        """Yield each row of this log that is not what was stored; see the module ``check``."""
        return check(tx, self.origin)

    # -- inside ----------------------------------------------------------------------------------

    def _head(self, tx: Transaction) -> Head:
        return rows.find_head(tx, self.origin) or Head(0, 0, EMPTY_ROOT)

    def _read_ring(self, tx: Transaction, number: int) -> Keyring:
        """Return the keys, read again where another process changed them (or a change was undone)."""
        version = keyring.version(tx, number)
        if version != self._ring_version:
            self._ring, self._ring_version = keyring.load(tx, number, self._signer_of), version
        return self._ring


def _check_size(size: int, head: Head) -> None:
    if not 0 <= size <= head.size:
        raise ProofError(f"this log has {head.size} entries, not {size}")
