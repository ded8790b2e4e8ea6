"""A release beside those of its data set that left before: also when records have died in between.

A data set is what one organisation collected in one emergency and circumstance. Which record was in which class
of an earlier release stands in the record's own line (``store.lines``), which dies with it. What is left of the
dead are the *joint cells*: how many records had the same class in each release so far, or were in it not at
all. A cell is of at least k records, for else the last release had been refused, and names none.

So the earlier releases are made again for ``deidentify.intersection``: the records of the new release have what
their lines say; all that a cell has beyond them, alive or dead, is absent from the new release, and stands there
under made-up ids. Rules kept in this file:
  1. A record of the new release whose line can't be opened any more makes the release refused.
  2. Of sensitive values codes are kept, and only where the rule asks for different ones (l > 1).
  3. Only the newest release of a data set keeps cells.
  4. A record that was moved (corrected, or its event came) has no line of what it was: it is not released after
     days that it lay in were.
"""

import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from epilock.db import Transaction
from epilock.deidentify.leaving.intersection import Earlier
from epilock.errors import ErasedError, IntegrityError, RefusedError
from epilock.standard.model import Release as Asked
from epilock.store import bucket as buckets
from epilock.store import lines, vault
from epilock.store.access import Keys
from epilock.store.lines import LineRow, Lines
from epilock.use.release.reading import Row
from epilock.use.release.register import Release

ABSENT = -1  # the class of a record that a release left out

Member = tuple[int, ...]  # class of a record in a release, then the code of each sensitive value
Assignment = Mapping[str, Member]  # by record; who is absent is not in it
Pattern = tuple[int, ...]  # class in each release, or ABSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Records that had the same class in each release.

    Attributes:
        size: How many they are.
        codes: For each release they are in and each sensitive column: how many have which code.
    """

    size: int
    codes: Mapping[int, Sequence[Mapping[int, int]]]


def assignments(
    tx: Transaction, keys: Keys, before: Sequence[Release], rows: Sequence[Row], asked: Asked
) -> list[Assignment]:
    """Return for each release ``before`` who was in which class; ``rows`` are the new release's.

    Raises:
        RefusedError: A line can't be opened any more (rule 1).
        IntegrityError: Lines and cells contradict each other.
        TamperedError: A line was changed, moved or put back.
    """
    if not before:
        return []
    _check_moved(tx, before, rows, asked)
    found: list[dict[str, Member]] = [
        _lines(tx, keys, release, rows, asked) for release in before
    ]  # fmt: skip
    return completed(found, before[-1].cells, [row.id for row in rows])


def _check_moved(
    tx: Transaction, before: Sequence[Release], rows: Sequence[Row], asked: Asked
) -> None:
    """Raise if one of ``rows`` is what a record became that may have been in a release ``before`` (rule 4)."""
    question = before[0].question
    days = {
        bucket.id: bucket.day
        for bucket in buckets.of_emergency(tx, question.source, question.emergency)
    }
    mine = {(row.bucket.id, row.n) for row in rows}
    c = vault.records.c
    moved = sa.select(c.bucket, c.moved_bucket, c.moved_n).where(
        c.org == question.source, c.bucket.in_(list(days)), c.moved_bucket.is_not(None)
    )
    for source, bucket, n in tx.conn.execute(moved):
        if (bucket, n) in mine and any(
            each.question.since <= days[source] <= each.question.until for each in before
        ):
            raise RefusedError(
                "a record of it was corrected, or its event came, after it may have left before: nothing says any"
                " more as what it left",
                rule=asked.rule, source=asked.source, allowed="a release of days before the first of these changes",
            )  # fmt: skip


def completed(
    found: Sequence[dict[str, Member]], cells: Any, records: Sequence[str]
) -> list[Assignment]:
    """Return who was in which class of each release: the ``records`` as ``found``, and all others.

    Args:
        found: Of each release those of ``records`` that were in it; the others are added here.
        cells: Of these releases, as ``stated`` gave them.
        records: The new release's.

    Raises:
        IntegrityError: They contradict each other.
    """
    known = _cells(cells)
    mine: dict[Pattern, list[str]] = {}
    for record in records:
        pattern = _pattern(found, record)
        if any(each != ABSENT for each in pattern):
            mine.setdefault(pattern, []).append(record)
    if not mine.keys() <= known.keys():
        raise _contradiction()
    for number, (pattern, cell) in enumerate(known.items()):
        _add_others(found, f"cell {number}", pattern, cell, mine.get(pattern, []))
    return list(found)


def earlier_of(
    before: Sequence[Release], found: Sequence[Assignment], asked: Asked
) -> list[Earlier]:
    """Return the earlier releases as they are held against a new one."""
    return [
        Earlier(
            name=f"release {release.release}", k=release.k or asked.k, l=release.l or asked.l,
            assignment=table_of(each, unknown=asked.l > 1 and release.l == 1 and bool(release.question.sensitive)),
        )
        for release, each in zip(before, found, strict=True)
    ]  # fmt: skip


def table_of(found: Assignment, *, unknown: bool = False) -> pa.Table:
    """Return an assignment for ``intersection``.

    With ``unknown`` sensitive values no codes were kept of (rule 2): they count as one value.
    """
    members = list(found.values())
    columns: dict[str, pa.Array] = {
        "record": pa.array(list(found), pa.string()),
        "class": pa.array([each[0] for each in members], pa.int32()),
    }
    for place in range(1, len(members[0]) if members else 1):
        columns[f"sensitive{place - 1}"] = pa.array([each[place] for each in members], pa.int32())
    if unknown:
        columns["sensitive0"] = pa.array([0] * len(members), pa.int32())
    return pa.table(columns)


def stated(found: Sequence[Assignment]) -> list[Any]:
    """Return the joint cells of all releases of a data set, the new one the last, for its row."""
    sizes: Counter[Pattern] = Counter()
    codes: dict[Pattern, dict[int, list[Counter[int]]]] = {}
    for record in set().union(*found):
        pattern = _pattern(found, record)
        sizes[pattern] += 1
        kept = codes.setdefault(pattern, {})
        for place, each in enumerate(found):
            if record in each:
                _, *values = each[record]
                counters = kept.setdefault(place, [Counter() for _ in values])
                for counter, value in zip(counters, values, strict=True):
                    counter[value] += 1
    return [
        [
            list(pattern),
            sizes[pattern],
            [
                [place, [sorted(c.items()) for c in counters]]
                for place, counters in codes[pattern].items()
            ],
        ]
        for pattern in sorted(sizes)
    ]


def seal(
    keys: Keys, release: Release, rows: Sequence[Row], found: Assignment
) -> list[LineRow]:  # fmt: skip
    """Return the line of each of the release's ``rows``; of one that was left out too."""
    width = max((len(each) for each in found.values()), default=1)
    absent = (ABSENT,) * width
    sealed = []
    for row, desk in _by_bucket(keys, release, rows):
        said = struct.pack(f">{width}i", *found.get(row.id, absent))
        sealed.append(desk.seal(row.n, row.used, said))
    return sealed


def _lines(
    tx: Transaction, keys: Keys, release: Release, rows: Sequence[Row], asked: Asked
) -> dict[str, Member]:
    """Return the class in ``release`` of those of ``rows`` that were in it."""
    found: dict[str, Member] = {}
    known: dict[int, dict[int, tuple[int, bytes]]] = {}
    for row, desk in _by_bucket(keys, release, rows):
        if row.bucket.id not in known:
            known[row.bucket.id] = lines.of_bucket(tx, row.bucket, release.release)
        line = known[row.bucket.id].get(row.n)
        if line is None:
            continue
        try:
            said = desk.open(row.n, *line)
        except ErasedError:
            raise RefusedError(
                f"records of it left before, with release {release.release}, and what is needed to hold the two"
                " against each other has been destroyed since",
                rule=asked.rule, source=asked.source, allowed="a release of days that were not released before",
            ) from None  # fmt: skip
        member = struct.unpack(f">{len(said) // 4}i", said)
        if member[0] != ABSENT:
            found[row.id] = member
    return found


def _by_bucket(
    keys: Keys, release: Release, rows: Sequence[Row]
) -> Iterator[tuple[Row, Lines]]:  # fmt: skip
    """Yield rows with what seals and opens their lines, which is made once for each bucket."""
    for _, group in groupby(rows, key=lambda row: row.bucket.id):
        desk: Lines | None = None
        for row in group:
            desk = desk or Lines(keys, row.bucket, release.release, release.parts)
            yield row, desk


def _cells(stated_: Any) -> dict[Pattern, Cell]:
    if stated_ is None:
        raise _contradiction()
    return {
        tuple(pattern): Cell(
            size=size, codes={place: [dict(c) for c in columns] for place, columns in codes}
        )
        for pattern, size, codes in stated_
    }


def _pattern(found: Sequence[Assignment], record: str) -> Pattern:
    return tuple(each[record][0] if record in each else ABSENT for each in found)


def _add_others(
    found: Sequence[dict[str, Member]], name: str, pattern: Pattern, cell: Cell, mine: list[str]
) -> None:
    """Add what a cell has beyond the records ``mine``, under made-up ids, to each release it is in."""
    others = cell.size - len(mine)
    if others < 0:
        raise _contradiction()
    ids = [f"{name}/{each}" for each in range(others)]
    for place, class_ in enumerate(pattern):
        if class_ == ABSENT:
            continue
        columns = []
        for column, codes in enumerate(cell.codes[place], 1):
            rest = Counter(codes)
            rest.subtract(found[place][record][column] for record in mine)
            if min(rest.values(), default=0) < 0:
                raise _contradiction()
            columns.append(list(rest.elements()))
        for each, record in enumerate(ids):
            found[place][record] = (class_, *(column[each] for column in columns))


def _contradiction() -> IntegrityError:
    return IntegrityError(
        "lines and cells of a data set's releases contradict each other; see `epilock check`"
    )
