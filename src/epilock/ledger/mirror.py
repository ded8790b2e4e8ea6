"""A mirror: another place that keeps a published log, so that nobody can take it away or change it.

It fetches, verifies while it fetches, goes on where it was stopped, and serves what it has made durable,
byte for byte what the log published. With keys of its own it cosigns that (c2sp.org/tlog-mirror): a
mirror's cosignature says that the entries *are there*.

Rules kept in this file:
  1. Nothing is written that a signed checkpoint does not prove (``proved``).
  2. The copy grows and never changes: a checkpoint that does not continue it is kept as evidence, with
     the hashes that show it (``conflict``), and the copy stays as it is.
  3. Memory does not grow with the log: a few tiles are held at any time.

A crash leaves files that no checkpoint shows yet; the next round proves them again and fetches none twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from epilock import durable
from epilock.errors import EntryError, InconsistentError, IntegrityError, ProofError
from epilock.ledger import entry, note, tree
from epilock.ledger import folder as folders
from epilock.ledger import tile as tiles
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.conflict import Conflict
from epilock.ledger.folder import CHECKPOINT, PublishedFolder
from epilock.ledger.note import Verifier
from epilock.ledger.proved import ProvedTree
from epilock.ledger.source import LogSource
from epilock.ledger.tile import ENTRIES, WIDTH, Tile
from epilock.ledger.verify import open_checkpoint
from epilock.ledger.witness.key import Cosigner

EVIDENCE = ".evidence"
POLICY_MARK = b'"type":"policy"'  # how the canonical form of such an entry can be told cheaply


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What one round did.

    Attributes:
        checkpoint: What the mirror shows now.
        fetched: Bundles of entries that were fetched.
    """

    checkpoint: Checkpoint
    fetched: int


class Mirror:
    """A copy of one log in a folder.

    Args:
        source: Where the log is published.
        keys: The log's keys.
        folder: Where the copy lies.
        cosigners: The mirror's own keys, if it cosigns.
    """

    def __init__(
        self,
        source: LogSource,
        keys: Sequence[Verifier],
        folder: Path,
        *,
        cosigners: Sequence[Cosigner] = (),
    ) -> None:
        self._source = source
        self._keys = tuple(keys)
        self._folder = folder
        self._cosigners = tuple(cosigners)

    def round(self, now: datetime, *, say: Callable[[int, int], None] | None = None) -> Mirrored:
        """Bring the copy up to what the log shows; ``say`` is told entries kept and entries in all.

        Raises:
            NoteError, ForgedError: The log's checkpoint is not signed by its key.
            InconsistentError: It does not continue this copy; the evidence is in ``.evidence``.
            ProofError: A file is not what the checkpoint proves.
            NotFoundError, InputError, TooLargeError: A file can't be read.
            IntegrityError: A file of the copy is not what was written.
            ConflictError: Another process is writing there.
        """
        signed = self._source.read(CHECKPOINT).decode(errors="replace")
        said, _ = open_checkpoint(signed, self._keys)
        with folders.alone(self._folder) as files:
            had = files.shown(said.origin, self._keys)
            if said.size < had.size:
                self._look_back(files, had, said, signed)
                return Mirrored(had, 0)
            proved = ProvedTree(self._source, said)
            self._check_continues(files, had, proved, signed)
            fetched = 0
            grown = tiles.bundles_of(said.size, since=had.size) if said.size > had.size else ()
            for bundle in grown:
                fetched += self._keep(files, proved, bundle.n)
                if say is not None:
                    say(min((bundle.n + 1) * WIDTH, said.size), said.size)
            for each in tiles.of_tree(said.size, since=had.size):
                if each.level or each.width < WIDTH:
                    files.put(each.path(), proved.tile(each.level, each.n))
            files.finish(self._cosigned(signed, now).encode())
        return Mirrored(said, fetched)

    def _keep(self, files: PublishedFolder, proved: ProvedTree, n: int) -> int:
        """Keep one bundle and its tile; return 1 if it had to be fetched."""
        wanted = Tile(ENTRIES, n, proved.width(0, n))
        data = files.find(wanted.path())
        fetch = data is None
        if data is None:
            entries = proved.entries(n)
        else:
            try:
                entries = tiles.unpack(data, wanted.width)
                proved.check_bundle(n, entries)
            except ProofError:
                raise IntegrityError(
                    f"{wanted.path()} of this copy is not what was fetched"
                ) from None
        self._keep_policies(files, entries)
        files.put(wanted.path(), tiles.pack(entries))
        if wanted.width == WIDTH:
            files.put(Tile(0, n).path(), proved.tile(0, n))
        return int(fetch)

    def _keep_policies(self, files: PublishedFolder, entries: Sequence[bytes]) -> None:
        """Keep the policies that ``entries`` announce: receipts are verified under them for ever."""
        for data in entries:
            if POLICY_MARK not in data:
                continue
            try:
                said = entry.decode(data)
            except EntryError:
                continue
            if isinstance(said, entry.Policy):
                path = f"{folders.POLICIES}{said.sha256}"
                body = files.find(path) or self._source.read(path)
                if sha256(body).hexdigest() != said.sha256:
                    raise ProofError(f"{path} is not the policy that was announced")
                files.put(path, body)

    def _check_continues(
        self, files: PublishedFolder, had: Checkpoint, proved: ProvedTree, signed: str
    ) -> None:
        """Return if the new tree continues what this copy shows.

        Raises:
            InconsistentError: It does not.
        """
        if not had.size:
            return
        root = tree.span_root(0, had.size, proved.node)
        if root == had.root:
            return
        path = tree.consistency_path(had.size, proved.said.size, proved.node)
        same = had.size == proved.said.size
        self._accuse(
            Conflict(self._text(files), signed, b"" if same else root, () if same else tuple(path))
        )

    def _look_back(
        self, files: PublishedFolder, had: Checkpoint, said: Checkpoint, signed: str
    ) -> None:
        """Return if the smaller tree that the log shows now is a beginning of this copy.

        Raises:
            InconsistentError: It is not.
        """
        mine = ProvedTree(_Here(files), had)
        root = tree.span_root(0, said.size, mine.node)
        if root != said.root:
            path = tree.consistency_path(said.size, had.size, mine.node)
            self._accuse(Conflict(signed, self._text(files), root, tuple(path)))

    def _accuse(self, conflict: Conflict) -> None:
        """Keep the evidence and raise.

        Raises:
            InconsistentError: Always.
        """
        folder = self._folder / EVIDENCE
        folder.mkdir(exist_ok=True)
        data = conflict.text().encode()
        path = folder / f"{sha256(data).hexdigest()[:16]}.json"
        durable.replace(path, data)
        raise InconsistentError(
            "the log shows a history that does not continue this copy; "
            f"the proof of it is {EVIDENCE}/{path.name}"
        )

    @staticmethod
    def _text(files: PublishedFolder) -> str:
        text = files.text()
        if text is None:
            raise IntegrityError("this copy lost its checkpoint")
        return text

    def _cosigned(self, signed: str, now: datetime) -> str:
        """Return the note with the mirror's own cosignatures: all of it is durable when it is shown."""
        text, _ = note.parse(signed)
        seconds = int(now.timestamp())
        return signed + "".join(each.cosign(text, seconds).line() for each in self._cosigners)


class _Here:
    """The copy itself as a source."""

    def __init__(self, files: PublishedFolder) -> None:
        self._files = files

    def read(self, path: str) -> bytes:
        """Return the file at ``path``; see ``LogSource``."""
        data = self._files.find(path)
        if data is None:
            raise IntegrityError(f"{path} of this copy is missing")
        return data
