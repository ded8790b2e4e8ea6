"""Preparing: the next rows of a list become sealed rows of the database, without database or lock.

One batch is what fits one lease, so that its numbers follow each other. Whoever prepares holds the keys of
one lease and nothing more.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import msgspec

from epilock.collect import code
from epilock.collect.form import Form
from epilock.collect.intake.register import Trouble
from epilock.collect.intake.rows import Checker
from epilock.collect.intake.table import Row
from epilock.ledger import entry
from epilock.store import tags, vault
from epilock.store.bucket import Bucket
from epilock.store.seal import PartRow, Sealer
from epilock.store.suite import Suite
from epilock.store.tags import TagRow

MOST_ROWS = 20_000  # that are read for one batch, however many of them are refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A block of numbers and the seeds that seal under them.

    Attributes:
        bucket: The bucket.
        block: The block.
        seeds: Part to the seed of the block.
        today: The calendar day in China for the checks.
    """

    bucket: Bucket
    block: int
    seeds: Mapping[str, bytes]
    today: date


class Prepared(msgspec.Struct, array_like=True, gc=False):
    """What one lease took; of ``records`` number, handle, parts, acts and age group of each.

    Attributes:
        block: Of the lease.
        last_row: Number of the last row that was looked at.
        more: Whether there may be further rows.
        problems: What was wrong with which row.
    """

    block: int
    last_row: int
    more: bool
    problems: list[Trouble]
    records: list[tuple[int, bytes, tuple[str, ...], int, int]]
    parts: list[PartRow]
    tags: list[TagRow]
    entries: list[bytes]


class Preparer:
    """Prepares batches from a stream of rows; for one thread.

    Args:
        rows: The rows, in the order of ``checker.wanted``.
        checker: The checks.
        form: The form.
        org: Organisation.
        import_id: The import.
        standard_ref: Version of the standard.
        suite: The algorithms.
        tag_key: Of the emergency.
        secret: What receipt ids are derived from.
    """

    def __init__(
        self,
        rows: Iterator[Row],
        checker: Checker,
        form: Form,
        *,
        org: str,
        import_id: str,
        standard_ref: str,
        suite: Suite,
        tag_key: bytes,
        secret: bytes,
    ) -> None:
        self._rows = rows
        self._checker = checker
        self._form = form
        self._org, self._import = org, import_id
        self._standard_ref = standard_ref
        self._suite = suite
        self._tag_key = tag_key
        self._secret = secret

    def next(self, lease: Lease) -> Prepared:
        """Return the batch that fits ``lease``.

        Raises:
            FileFormatError: The file is broken.
            TooLargeError: It is too large.
        """
        sealer = Sealer(lease.bucket, lease.block, lease.seeds, suite=self._suite)
        batch = Prepared(lease.block, 0, False, [], [], [], [], [])  # noqa: FBT003 - in the order of the struct
        writers: dict[tuple[str, ...], Callable[[int, str], bytes]] = {}
        for looked, (row, cells) in enumerate(self._rows, 1):
            batch.last_row = row
            found = self._checker.check(cells, today=lease.today)
            if isinstance(found, list):
                batch.problems += [(row, field, problem) for field, problem in found]
            else:
                self._seal(batch, sealer, writers, row, *found)
            if not sealer.left or looked == MOST_ROWS:
                batch.more = True
                break
        sealer.close()
        return batch

    def _seal(  # noqa: PLR0917 - on the hot path, by position
        self,
        batch: Prepared,
        sealer: Sealer,
        writers: dict[tuple[str, ...], Callable[[int, str], bytes]],
        row: int,
        plain: tags.Plain,
        minor: int,
        given: int,
    ) -> None:
        parts = {part: _encode(answers) for part, answers in plain.items()}
        n = sealer.take()
        sealed = sealer.seal(n, parts)
        names = tuple(sorted(parts))
        write = writers.get(names)
        if write is None:
            write = writers[names] = entry.collecting(
                org=self._org, standard=self._standard_ref, point=self._form.point.point,
                bucket=sealer.bucket.name, notice=self._form.notice, parts=names,
            )  # fmt: skip
        receipt = code.imported_receipt_id(self._secret, self._org, self._import, row)
        batch.records.append((n, vault.handle_of(receipt), names, given, minor))
        batch.entries.append(write(n, sealed.commitment.hex()))
        batch.parts += sealed.rows
        batch.tags += tags.tag_rows(
            self._suite, self._tag_key, (self._org, sealer.bucket.id, n), tags.terms(plain)
        )


_encode = msgspec.json.Encoder(order="sorted").encode
