"""The monitor: reads a published log as any stranger can, and says what is wrong with it.

Steps of one round; each names what it finds (``finding``) and goes on where that makes sense:

1. The checkpoint is read and its signature checked.
2. It is compared with every checkpoint that was seen before: one of the same size has the same root.
3. The entries that are new are read, decoded, audited and hashed; the tiles are compared. Where the
   growing tree passes the size of an earlier checkpoint, it has that checkpoint's root.
4. The tree has the checkpoint's root. Only now is the checkpoint remembered as seen.
5. What others were shown of this log (mirrors, witnesses, the receipts of residents: ``hear``) is compared
   with what was read. Who shows two people two logs is caught as soon as one of them tells.

A log that continues another, which was sealed (``log-continues``), is read after that one, with the
state in which that one was left: so what was collected in the one may be destroyed in the other, and
entries are counted over both. ``rounds`` follows any number of logs.

Two checkpoints that cannot both be are kept with the hashes that show it: see ``conflict``.

A monitor that is kept goes on from where it was; one that is started anew reads the log from its begin.
What it holds in memory grows with the records that are still kept, a bit each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from epilock.errors import (
    EntryError,
    InconsistentError,
    InputError,
    LedgerError,
    NoteError,
    NotFoundError,
    ProofError,
)
from epilock.ledger import checkpoint, entry, note, tile, tree
from epilock.ledger.audit import Auditor, Finding, Findings, Rules
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.conflict import Conflict
from epilock.ledger.edge import Edge
from epilock.ledger.note import Verifier
from epilock.ledger.seen import Seen
from epilock.ledger.source import LogSource
from epilock.ledger.tile import HEIGHT, WIDTH, Tile
from epilock.ledger.tree import leaf_row
from epilock.ledger.verify import open_checkpoint


@dataclass(frozen=True, slots=True)
class Report:
    """What one round found.

    Attributes:
        checkpoint: The checkpoint that the log shows; None if it does not verify.
        size: Entries that were read and hashed to a signed root.
        findings: The gravest first.
        conflicts: Proofs of misbehaviour, of this round and of earlier ones.
    """

    checkpoint: Checkpoint | None
    size: int
    findings: list[Finding]
    conflicts: list[Conflict]


@dataclass(frozen=True, slots=True)
class End:
    """Where a log was sealed for another to go on.

    Attributes:
        said: Its last checkpoint.
        successor: First key of the log that goes on.
        auditor: What audited it.
    """

    said: Checkpoint
    successor: str
    auditor: Auditor


class Monitor:
    """Watches one log.

    Attributes:
        seen: What it remembers between runs; save it after each round.
    """

    def __init__(
        self,
        source: LogSource,
        verifiers: Sequence[Verifier],
        rules: Rules,
        seen: Seen | None = None,
        *,
        earlier: Sequence["Monitor"] = (),
    ) -> None:
        """Watch what ``source`` shows; ``earlier`` are those among which the log that it continues may be."""
        self.seen = seen or Seen()
        self._earlier = tuple(earlier)
        self._source = source
        self._verifiers = tuple(verifiers)
        self._rules = rules
        self._heard: dict[str, str] = {}
        self._missed: dict[str, Exception] = {}
        self._start()

    def end(self) -> "End | None":
        """Return where the log was sealed for another to go on, once all of it was read; None before."""
        said, after = self._verified[0], self._auditor.successor
        if after is None or said.size != self._edge.size:
            return None
        return End(said, after, self._auditor)

    def hear(self, where: str, signed: str) -> None:
        """Take in a checkpoint of this log that is shown at ``where``; the next round compares it.

        Raises:
            NoteError, ForgedError: It is no checkpoint that this log signed.
        """
        open_checkpoint(signed, self._keys())
        self._heard[where] = signed
        self._missed.pop(where, None)

    def miss(self, where: str, error: Exception) -> None:
        """Take in that nothing of this log could be heard at ``where``; the next round says so."""
        self._missed[where] = error

    def round(self, now: datetime) -> Report:
        """Read what is new, and return what is wrong at ``now``."""
        found = Findings()
        if self._orphan is not None and self._before(self._orphan) is not None:
            self._start()  # the log that this one continues has been read by now
        said = self._checkpoint(found)
        if said is not None:
            try:
                self._follow(said, found)
            except (InputError, NotFoundError, ProofError, InconsistentError) as error:
                found.add("unreadable", "log", why=error)
                self._start()
        for conflict in self.seen.conflicts:
            old, new = _stated(conflict.older).size, _stated(conflict.newer).size
            found.add("inconsistent", f"checkpoints of {old} and {new}", old=old, new=new)
        for where, why in self._missed.items():
            found.add("elsewhere-unsigned", where, why=why)
        if self._orphan is None:
            found.take(self._auditor.conclude(now))
        else:
            name = _name(self._orphan.key)
            found.add("history-missing", name, before=name)
        return Report(said, self._edge.size, found.all(), list(self.seen.conflicts))

    def _start(self) -> None:
        """Forget what was read, not what was seen."""
        self._edge = Edge()
        self._auditor = Auditor(self._rules)
        self._orphan: entry.LogContinues | None = None
        self._verified = (Checkpoint("", 0, tree.EMPTY_ROOT), "")

    def _checkpoint(self, found: Findings) -> Checkpoint | None:
        """Step 1: return the checkpoint that the log shows, if it verifies."""
        try:
            self._note = self._source.read("checkpoint").decode()
            return open_checkpoint(self._note, self._keys())[0]
        except UnicodeDecodeError:
            found.add("unsigned", "checkpoint", why="UTF-8")
        except (LedgerError, InputError, NotFoundError) as error:
            found.add("unsigned", "checkpoint", why=error)
        return None

    def _follow(self, said: Checkpoint, found: Findings) -> None:
        """Steps 2 to 4."""
        older = [(_stated(text), text) for text in self.seen.notes]
        older = [(was, text) for was, text in older if was.origin == said.origin]
        for was, text in older:
            if was.size == said.size and was.root != said.root:
                self.seen.accuse(Conflict(text, self._note))
        largest = max((was.size for was, _ in older), default=0)
        if said.size < largest:
            found.add("shrunk", "checkpoint", old=largest, new=said.size)
        if said.size < self._edge.size:
            self._look_back(said)
            return
        began, suspects, differ = self._edge.size, [], Findings()
        for bundle in tile.bundles_of(said.size, since=self._edge.size):
            suspects += self._read_bundle(bundle, older, differ)
        for partial, hashes in self._edge.partial_tiles():
            self._compare(partial, hashes, differ)
        if self._edge.root() != said.root:
            self._start()
            if began:  # what was read before may be what does not fit: read all of it again
                self._follow(said, found)
            else:
                found.add("root", "log", size=said.size)
                found.take(differ)
            return
        found.take(differ)
        for text, size, root in suspects:
            self._accuse(text, size, root, said)
        self.seen.add(self._note)
        self._verified = (said, self._note)
        self._check_keys(said, found)
        self._compare_heard(said, found)

    def _compare_heard(self, said: Checkpoint, found: Findings) -> None:
        """Step 5."""
        for where, text in self._heard.items():
            other = _stated(text)
            if other.origin != said.origin:
                continue
            if other.size > said.size:
                found.add("ahead", where, old=said.size, new=other.size)
                self.seen.add(text)
                continue
            root = tree.span_root(0, other.size, self._node)
            if root != other.root and other.size == said.size:
                self.seen.accuse(Conflict(text, self._note))
            elif root != other.root:
                self._accuse(text, other.size, root, said)

    def _read_bundle(
        self, bundle: Tile, older: Sequence[tuple[Checkpoint, str]], found: Findings
    ) -> list[tuple[str, int, bytes]]:
        """Step 3 for one bundle; return the earlier checkpoints that the tree contradicts.

        Each with its size and the root that the tree has at that size.
        """
        edge, first = self._edge, bundle.n * WIDTH
        entries = self._entries(bundle)[edge.size - first :]
        for index, data in enumerate(entries, edge.size):
            try:
                each = entry.decode(data)
                if index == 0 and isinstance(each, entry.LogContinues):
                    self._continue(each)
                self._auditor.read(index, each)
            except EntryError as error:
                self._auditor.malformed(index, error)
        leaves = leaf_row(entries)
        suspects = []
        for was, text in older:
            if edge.size < was.size <= edge.size + len(entries):
                root = edge.extended(leaves[: tree.HASH_BYTES * (was.size - edge.size)]).root()
                if root != was.root:
                    suspects.append((text, was.size, root))
        self._edge = edge.extended(leaves)
        for changed, hashes in self._edge.tiles_since(edge.size):
            if changed.width == WIDTH:
                self._compare(changed, hashes, found)
        return suspects

    def _continue(self, said: entry.LogContinues) -> None:
        """Go on with the state in which the log was left that this one continues."""
        before = self._before(said)
        if before is None:
            self._orphan = said
            return
        self._auditor = before.auditor.continued()
        signed = {key.vkey for key in note.open_note(self._note, self._keys())[1]}
        left = (before.said.size, before.said.root.hex())
        if left != (said.size, said.root) or before.successor not in signed:
            self._auditor.misfit(self._auditor.base, said)

    def _before(self, said: entry.LogContinues) -> "End | None":
        """Return the end of the log that ``said`` continues, if that was read here."""
        ends = [end for each in self._earlier if (end := each.end()) is not None]
        return next((end for end in ends if end.said.origin == _name(said.key)), None)

    def _look_back(self, said: Checkpoint) -> None:
        """Compare a checkpoint that is smaller than what was read with what was read."""
        root = tree.span_root(0, said.size, self._node)
        newest, text = self._verified
        path = tree.consistency_path(said.size, newest.size, self._node)
        tree.verify_consistency(said.size, newest.size, root, newest.root, path)
        if root != said.root:
            self.seen.accuse(Conflict(self._note, text, root, tuple(path)))

    def _accuse(self, text: str, size: int, root: bytes, said: Checkpoint) -> None:
        """Remember that the signed note ``text`` cannot be, for the tree had ``root`` at its size."""
        if size == said.size:
            return  # two roots for one size: step 2
        path = tree.consistency_path(size, said.size, self._node)
        tree.verify_consistency(size, said.size, root, said.root, path)
        self.seen.accuse(Conflict(text, self._note, root, tuple(path)))

    def _keys(self) -> tuple[Verifier, ...]:
        """Return the keys that were given, and those that were learned.

        The log announced some while others signed it; a log that was sealed named its successor's.
        """
        after = [end.successor for each in self._earlier if (end := each.end()) is not None]
        texts = [*self.seen.keys, *(text for text in after if _is_key_of(text, _name(text)))]
        learned = [Verifier.from_vkey(text) for text in texts]
        return (*self._verifiers, *(key for key in learned if key not in self._verifiers))

    def _check_keys(self, said: Checkpoint, found: Findings) -> None:
        """Learn what keys the log announced; check that those signed which must, and no other."""
        due, ended = self._auditor.keys(said.size)
        good = [text for text in due if _is_key_of(text, said.origin)]
        self.seen.keys = list(dict.fromkeys((*self.seen.keys, *good)))
        signed = {key.vkey for key in note.open_note(self._note, self._keys())[1]}
        for text in due:
            if text not in signed:
                found.add("key-missing", f"key {text}")
        for text in ended:
            if text in signed:
                found.add("key-ended", f"key {text}")

    # -- files -----------------------------------------------------------------------------------

    def _entries(self, bundle: Tile) -> list[bytes]:
        """Return the entries of a bundle; a full one serves where the partial one is gone."""
        try:
            return tile.unpack(self._source.read(bundle.path()), bundle.width)
        except NotFoundError:
            full = Tile(bundle.level, bundle.n)
            return tile.unpack(self._source.read(full.path()), WIDTH)[: bundle.width]

    def _hashes(self, wanted: Tile) -> bytes:
        """Return the hashes of a tile; a full one serves where the partial one is gone."""
        try:
            return self._source.read(wanted.path())
        except NotFoundError:
            full = self._source.read(Tile(wanted.level, wanted.n).path())
            return full[: wanted.width * tree.HASH_BYTES]

    def _compare(self, wanted: Tile, hashes: bytes, found: Findings) -> None:
        if self._hashes(wanted) != hashes:
            found.add("tile", wanted.path())

    def _node(self, height: int, n: int) -> bytes:
        """Return the complete node ``(height, n)`` from the published tiles."""
        level, inner = divmod(height, HEIGHT)
        first = n << inner
        count = self._edge.size >> (HEIGHT * level)
        number = first // WIDTH
        width = min(WIDTH, count - number * WIDTH)
        wanted = Tile(level, number, width)
        hashes = self._hashes(wanted)
        if len(hashes) != tree.HASH_BYTES * width:
            raise ProofError(f"{wanted.path()} does not hold {width} hashes")
        at = tree.HASH_BYTES * (first - number * WIDTH)
        return tree.row_root(hashes[at : at + (tree.HASH_BYTES << inner)])


def rounds(watches: Sequence[Monitor], now: datetime) -> list[Report]:
    """Do a round of each log, the older ones first; say of which the continuation is not among them."""
    reports = [watch.round(now) for watch in watches]
    shown = {each.checkpoint.origin for each in reports if each.checkpoint is not None}
    for place, watch in enumerate(watches):
        end = watch.end()
        if end is not None and _name(end.successor) not in shown:
            found, name = Findings(), _name(end.successor)
            found.add("goes-on", name, after=name)
            report = reports[place]
            reports[place] = replace(report, findings=[*report.findings, *found.all()])
    return reports


def _name(vkey: str) -> str:
    """Return the name of the log whose key this is."""
    return vkey.partition("+")[0]


def _is_key_of(vkey: str, origin: str) -> bool:
    """Tell whether a text that the log announced is a key of that name; a hostile one may be anything."""
    try:
        return Verifier.from_vkey(vkey).name == origin
    except NoteError:
        return False


def _stated(note_text: str) -> Checkpoint:
    return checkpoint.parse(note.parse(note_text)[0])
