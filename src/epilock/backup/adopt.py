"""The log as far as anybody has seen it: a restored database takes the entries it lacks, or stays closed.

A restored log is a beginning of the true one. If it grew from there, whoever holds a later checkpoint would
hold the proof of two histories. So before anything is appended, the entries that came after are fetched from
where the log was published or mirrored (``ledger.source``), proved under the longest checkpoint that the log itself
signed, and appended as they are: the same tree, of which any size may be signed again.

Rules kept in this file:
  1. The longest checkpoint of all sources counts; every other, and what each witness has seen, must be a
     beginning of it. Nothing is adopted of a history that does not begin with the restored one.
  2. Who was not asked, or did not answer, has perhaps seen more: the log stays closed, unless the operator takes
     that upon himself (``unheard``).
  3. Nothing is signed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from epilock.db import Database, Transaction
from epilock.errors import EpilockError, InconsistentError, NotFoundError, StateError
from epilock.ledger import regime, tree
from epilock.ledger.checkpoint import Checkpoint
from epilock.ledger.folder import CHECKPOINT
from epilock.ledger.gather import Gatherer
from epilock.ledger.log import Log
from epilock.ledger.proved import ProvedTree
from epilock.ledger.source import LogSource
from epilock.ledger.tile import WIDTH
from epilock.ledger.verify import open_checkpoint
from epilock.ledger.witness.ask import Send
from epilock.standard.level import CHINA

SECONDS = 20.0  # that witnesses have to answer


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was adopted.

    Attributes:
        first: Position of the first entry that the database lacked, over all its logs.
        end: Position after the last.
        source: Where they came from, or None if nothing was lacking.
    """

    first: int
    end: int
    source: LogSource | None


def adopt(tx: Transaction, log: Log, sources: Sequence[LogSource], *, now: datetime) -> Adopted:
    """Append what ``sources`` have of the log and the database lacks.

    Raises:
        InconsistentError: A source shows a history that does not begin with the restored one.
        NoteError, ForgedError: A source's checkpoint is not signed by this log.
        ProofError: A file of a source is not what the checkpoint proves.
        NotFoundError, InputError, TooLargeError: A file can't be read.
        IntegrityError: The restored rows are not what was stored.
        ClosedError: The log was sealed.
    """
    head = log.head(tx)
    log.check_at_start(tx)
    shown = [(_shown(source, log), source) for source in sources]
    said, source = max(shown, key=lambda each: each[0].size, default=(head, None))
    if source is None or said.size <= head.size:
        said, source = head, None
    else:
        proved = ProvedTree(source, said)
        if tree.span_root(0, head.size, proved.node) != head.root:
            raise InconsistentError(
                f"the log shows a history that does not begin with the {head.size} entries of the backup"
            )
        for n in range(head.size // WIDTH, -(-said.size // WIDTH)):
            log.append(tx, proved.entries(n)[max(0, head.size - n * WIDTH) :], now=now)
    for each, _ in shown:
        log.check_at_start(tx, each)
    return Adopted(log.base + head.size, log.base + said.size, source)


def hear(
    tx: Transaction,
    database: Database,
    log: Log,
    *,
    sources: int,
    unheard: bool,
    now: datetime,
    send: Send | None = None,
) -> list[str]:
    """Return which witnesses agree, if nobody who can be asked has seen more of the log than there is now.

    Raises:
        InconsistentError: A witness has seen a longer log, or another.
        StateError: A witness does not answer, or nobody outside was asked, and ``unheard`` is not set.
    """
    announced = regime.in_force(tx, log, now.astimezone(CHINA).date())
    heard: list[str] = []
    silent: list[str] = []
    if announced is not None:
        asking = Gatherer(database, log, send=send, seconds=SECONDS)
        for address, seen in sorted(asking.newest(announced.policy).items()):
            if isinstance(seen, Checkpoint):
                log.check_at_start(tx, seen)
            if isinstance(seen, Checkpoint | NotFoundError):
                heard.append(address)
            else:
                silent.append(_silence(address, seen))
    if silent and not unheard:
        raise StateError(
            f"it is not known how long the log is: {'; '.join(silent)}. Ask again, or go on with --unheard"
        )
    if not heard and not sources and not unheard:
        raise StateError(
            "nobody outside was asked how long the log is: give --log with a mirror or the published log,"
            " or --unheard if nobody else ever saw it"
        )
    return heard


def _shown(source: LogSource, log: Log) -> Checkpoint:
    text = source.read(CHECKPOINT).decode(errors="replace")
    return open_checkpoint(text, log.verifiers)[0]


def _silence(address: str, why: EpilockError) -> str:
    return f"the witness {address} gave no answer ({why})"
