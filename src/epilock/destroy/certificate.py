"""Certificates of destruction, and the proof of it that each receipt gets.

A certificate names a bucket, parts and a range of record numbers, and counts (our form of the certificate
of sanitization in NIST SP 800-88 Rev. 1, appendix G). It names no person, and costs the same for ten
records as for ten million: each receipt holds its number, so each has a proof of its own.

What becomes of a receipt's record, part by part, as the log tells it:

    collect ──► erased          (this record alone)
       │  └───► certificate     (with its bucket: the number lies in the range)
       └──────► event, correct  (moved: what was left goes on as another record; the old keys ``erased``)

``prove`` finds the entries, ``check`` reads one of them, ``check_all`` follows the whole story offline:
no database, no network, no clock.

Rules kept in this file:
  1. A certificate that is not complete proves nothing yet: somebody's lease may still hold a key.
  2. A proof is of one part at least; what still lives has none.
  3. A story counts only in the order of the log: a certificate says nothing of what was collected later.
     A log goes on where another was sealed if its first entry, ``log-continues``, says so.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from epilock.db import Transaction
from epilock.destroy import intent as intents
from epilock.destroy.intent import Intent
from epilock.errors import EntryError, ProofError
from epilock.ledger import entry
from epilock.ledger.log import Log
from epilock.ledger.note import Verifier
from epilock.ledger.policy import Policy
from epilock.ledger.shards import all_of, entry_at, proof_at
from epilock.ledger.verify import Verified, verify
from epilock.standard import Standard
from epilock.store import bucket as buckets
from epilock.store import count, vault
from epilock.store.bucket import DESTROYED, DYING, Bucket

MOST_LEASES = 200  # what an entry can list
MOVE, ANEW, REPLACED, LOG = "move", "anew", "replaced", "log"
Place = tuple[str, int]  # bucket name, record number
Stand = tuple[str, int]  # origin of a log, index of an entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One proof.

    Attributes:
        bucket: Name of the bucket that the record lay in.
        n: Its number there.
        parts: Parts of the record that it says are gone; of a move, none.
        kind: ``destroy`` (with the bucket), ``erase`` (this record alone), ``move``, ``anew`` (the record that
            corrects another was stored), ``replaced`` (this
            record alone, for another has taken its place), or ``log`` (another log goes on where the one
            before was sealed).
        index: Position of the entry (``ledger.shards``).
        text: ``.tlog-proof``, the entry in ``extra``.
    """

    bucket: str
    n: int
    parts: tuple[str, ...]
    kind: str
    index: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """One part of a receipt's record that is gone.

    Attributes:
        part: Its name.
        place: Bucket name and number that the record had then.
        index: Index, there, of the entry that says so.
        at: In which hour, as that entry says (``2026-03-14T01:00:00Z``).
        origin: The log in which it stands.
        kind: ``certificate`` or ``erased``.
    """

    part: str
    place: Place
    index: int
    at: str
    origin: str
    kind: str


def make(
    tx: Transaction, standard: Standard, found: Intent, bucket: Bucket, *, now: datetime
) -> entry.Certificate:
    """Return the certificate of ``found``, whose keys are gone, and bring its parts into that state.

    O(log n): the counts are kept with each record, the range is read off both ends of an index.

    Raises:
        TamperedError: A row was changed past this program.
    """
    counted = count.of(tx, bucket, found.parts)
    first, last = vault.numbers(tx, bucket)
    leases = buckets.open_leases(tx, bucket, now=now)
    states = buckets.part_states(tx, bucket.org, bucket.id, lock=True)
    dying = [p for p in found.parts if states[p] == DYING]  # none, if certified incomplete before
    buckets.retire_parts(tx, bucket, dying, DESTROYED, now=now)
    return entry.Certificate(
        org=bucket.org, standard=standard.ref, at=entry.stamp(now), destruction=found.intent,
        bucket=bucket.name, parts=found.parts, first=first, last=last, collected=counted.collected,
        erased=counted.erased, destroyed=counted.left, leases=leases[:MOST_LEASES],
        complete=not leases,
    )  # fmt: skip


def prove(tx: Transaction, log: Log, org: str, bucket: int, n: int) -> tuple[Proof, ...]:
    """Return the proofs for a record and for what it became, the oldest first; none says what another does.

    Those of a correction include the ``collect`` entry of the record that took its place. ``tx`` must be
    a reading transaction, for checkpoints are signed from what is committed.

    Raises:
        NotFoundError: There is no such record.
        ProofError: An entry does not say what the rows say.
    """
    found: dict[int, Proof] = {}
    for place, record in _story(tx, org, bucket, n):
        if record.n != n or record.bucket != bucket:
            stored = entry.decode(entry_at(tx, log, record.entry_index))
            kind = ANEW if isinstance(stored, entry.Collect) else MOVE
            _add(tx, log, found, record.entry_index, kind, place, ())
        own = intents.of_record(tx, org, record.bucket, record.n)
        done = [*own, *intents.of_bucket(tx, org, record.bucket)]
        left = set(record.parts)
        for intent in sorted(done, key=lambda i: i.entry_index or 0):
            if intent.cause is not None:
                _add(tx, log, found, intent.cause, MOVE, place, ())
            parts = tuple(sorted(left & set(intent.parts)))
            if intent.done is not None and intent.entry_index is not None and parts:
                check(entry_at(tx, log, intent.entry_index), *place)
                kind = intent.kind if intent.cause is None else REPLACED
                _add(tx, log, found, intent.entry_index, kind, place, parts)
                left.difference_update(parts)
    begun = vault.find_record(tx, org, bucket, n).entry_index
    place = _place(tx, org, bucket, n)
    for each in all_of(log):
        if begun < each.base <= max(found, default=0):
            _add(tx, log, found, each.base, LOG, place, ())
    return tuple(found[index] for index in sorted(found))


def check(data: bytes, bucket: str, n: int) -> tuple[str, ...]:
    """Return the parts that the entry ``data`` certifies as gone for record ``n`` of ``bucket``.

    Pure; ``ledger.verify`` has proved before that the entry stands in the log.

    Raises:
        EntryError: It is no entry.
        ProofError: It is no certificate, not complete, or one of another bucket, number or range.
    """
    said = entry.decode(data)
    if isinstance(said, entry.Erased):
        if (said.bucket, said.n) != (bucket, n):
            raise ProofError("this entry is about another record")
        return tuple(said.parts)
    if not isinstance(said, entry.Certificate):
        raise ProofError("this entry certifies no destruction")
    if said.bucket != bucket or not said.first <= n <= said.last:
        raise ProofError("this certificate does not cover the record")
    if not said.complete:
        raise ProofError("this certificate is not complete: leases were still out")
    return tuple(said.parts)


def check_all(
    receipt: str | bytes,
    proofs: Iterable[str | bytes],
    verifiers: Sequence[Verifier] = (),
    policy: Policy | None = None,
) -> tuple[Gone, ...]:
    """Return how each part of a receipt's record went, if the ``proofs`` show that all of it is gone.

    What nobody can show with a few proofs is that an entry is *not* there: that the record did not go on
    under another number. Whoever reads the whole log sees that (``ledger.monitor``), and when that one is
    due.

    Args:
        receipt: The receipt's ``.tlog-proof``, of its ``collect`` entry.
        proofs: Those that ``prove`` gives, in any order; others do no harm.
        verifiers: Keys of the log, had from elsewhere than the log.
        policy: Which witnesses must have cosigned.

    Raises:
        FileFormatError, TooLargeError, NoteError, OriginError, ForgedError, PolicyError, ProofError: A
            proof is not what it should be; see ``ledger.verify``.
        EntryError: What a proof proves is no entry, or the receipt's no ``collect`` entry.
        ProofError: Some part is not shown to be gone; the message names it.
    """
    proved = [verify(text, verifiers, policy=policy) for text in (receipt, *proofs)]
    told = _in_order(proved)
    start = proved[0].checkpoint.origin, proved[0].index
    first = told[start]
    if not isinstance(first, entry.Collect):
        raise EntryError("a receipt proves a `collect` entry")
    story = _Story({(first.bucket, first.n): set(first.parts)}, [], {})
    for stand in list(told)[list(told).index(start) :]:  # rule 3
        if told[stand].org == first.org:
            story.read(stand, told[stand])
    for (bucket, n), parts in story.living.items():
        if parts:
            raise ProofError(f"nothing shows that part {min(parts)} of {bucket} number {n} is gone")
    return tuple(story.gone)


def _in_order(proved: Sequence[Verified]) -> dict[Stand, entry.Entry]:
    """Return the entries by where they stand, in order, from the log of the first one on (rule 3).

    Raises:
        EntryError: What a proof proves is no entry.
        ProofError: The proofs are of logs that are not shown to follow each other, or contradict.
    """
    data = {(each.checkpoint.origin, each.index): each.entry for each in proved}
    if any(data[each.checkpoint.origin, each.index] != each.entry for each in proved):
        raise ProofError("the proofs are of a log that contradicts itself")
    said = {stand: entry.decode(data[stand]) for stand in sorted(data)}
    after = {
        each.key.partition("+")[0]: (origin, each.size)
        for (origin, index), each in said.items()
        if index == 0 and isinstance(each, entry.LogContinues)
    }
    told: dict[Stand, entry.Entry] = {}
    log: str | None = proved[0].checkpoint.origin
    while log is not None:
        own = {stand: each for stand, each in said.items() if stand[0] == log}
        told |= own
        log, size = after.pop(log, (None, 0))
        if log is not None and max(own)[1] >= size:
            raise ProofError(f"{log} goes on before the end of the log that it says it continues")
    if len(told) < len(said):
        raise ProofError("the proofs are of different logs, and none is shown to go on")
    return told


@dataclass(slots=True)
class _Story:
    """What became of one record, as the entries that were proved tell it, in the order of the log.

    Attributes:
        living: By place, the parts of which no entry has said that they are gone.
        gone: What was said so far.
        collected: Other records that were collected, of which one may correct this one.
    """

    living: dict[Place, set[str]]
    gone: list[Gone]
    collected: dict[Place, set[str]]

    def read(self, stand: Stand, said: entry.Entry) -> None:
        match said:
            case entry.Collect():
                self.collected[said.bucket, said.n] = set(said.parts)
            case entry.Event() if (said.bucket, said.n) in self.living:
                left = self.living[said.bucket, said.n]
                self.living[said.to_bucket, said.to_n] = set(left)
            case entry.Correct() if (said.bucket, said.n) in self.living:
                self._corrected((said.by_bucket, said.by_n))
            case entry.Erased():
                self._take(stand, said, [(said.bucket, said.n)], "erased")
            case entry.Certificate() if said.complete:  # rule 1
                covered = [
                    (bucket, n)
                    for bucket, n in self.living
                    if bucket == said.bucket and said.first <= n <= said.last
                ]
                self._take(stand, said, covered, "certificate")
            case _:
                pass

    def _corrected(self, by: Place) -> None:
        if by not in self.collected:
            raise ProofError(f"give the proof of the `collect` entry of {by[0]} number {by[1]} too")
        self.living[by] = set(self.collected[by])

    def _take(
        self,
        stand: Stand,
        said: entry.Erased | entry.Certificate,
        places: Iterable[Place],
        kind: str,
    ) -> None:
        for place in places:
            left = self.living.get(place, set())
            for part in sorted(left & set(said.parts)):
                left.discard(part)
                origin, index = stand
                gone = Gone(
                    part=part, place=place, index=index, at=said.at, origin=origin, kind=kind
                )
                self.gone.append(gone)


def _story(tx: Transaction, org: str, bucket: int, n: int) -> Iterator[tuple[Place, vault.Record]]:
    """Yield the record and each record it became, with their places."""
    record = vault.find_record(tx, org, bucket, n)
    last = vault.follow(tx, record)  # raises if the moves lead in a circle
    while True:
        yield _place(tx, org, record.bucket, record.n), record
        if record == last or record.moved_bucket is None or record.moved_n is None:
            return
        record = vault.find_record(tx, org, record.moved_bucket, record.moved_n)


def _place(tx: Transaction, org: str, bucket: int, n: int) -> Place:
    return buckets.load(tx, org, bucket).name, n


def _add(  # noqa: PLR0917 - what a proof is made of
    tx: Transaction,
    log: Log,
    found: dict[int, Proof],
    index: int,
    kind: str,
    place: Place,
    parts: tuple[str, ...],
) -> None:
    if index not in found:
        found[index] = Proof(
            bucket=place[0], n=place[1], parts=parts, kind=kind, index=index,
            text=proof_at(tx, log, index),
        )  # fmt: skip
