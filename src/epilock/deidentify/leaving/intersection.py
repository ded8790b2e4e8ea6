"""Releases of one data set held against each other: what their intersections and differences tell.

Each record has, in each release, a class or is absent from it (it was not there yet, is not there any more, or
was suppressed). Records alike in all releases are a *cell* of the joint partition. Rules kept in this file:
  1. Each non-empty cell but the one of records that are in no release has at least k records, and in each
     release that they are in at least l different values of each sensitive column.
  2. What an earlier release was held to holds beside later ones too: of two rules the stricter counts.
  3. So the adversary is covered who knows a person's quasi-identifiers as they were at each release and in
     which releases the person is, and who can even tell which rows of different releases are one record's:
     every set of records that can be made of classes by cutting, joining and subtracting is a union of cells.
  4. Not covered: who knows records of others one by one and takes them away, or the sensitive values
     themselves; no release by classes withstands the former.

Sources: releases that change (Xiao and Tao 2007, m-invariance; Byun et al. 2006), composition of
independent releases (Ganta, Kasiviswanathan and Smith 2008).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from epilock.errors import RefusedError, TooLargeError

MOST_RELEASES = 100
PART = 1 << 20  # records of a release that are joined at once, about


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Earlier:
    """A release that has left.

    Attributes:
        name: By which a refusal calls it, such as ``release 3``.
        assignment: As ``review.Review.assignment`` gave it.
        k, l: What it was held to, and what its people were so promised.
    """

    name: str
    assignment: pa.Table
    k: int = 1
    l: int = 1  # noqa: E741 - the model's own letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """What several releases come to together.

    Attributes:
        earlier: How many earlier ones were looked at.
        cells: Cells of the joint partition.
        smallest: Records of the smallest.
        fewest: Fewest different values of a sensitive column in a cell; None if there is no such column.
    """

    earlier: int
    cells: int
    smallest: int
    fewest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The cells of some releases.

    Attributes:
        cells: How many.
        smallest: Records of the smallest, 0 if there is none.
        where: In which of the releases the records of the smallest are.
        small: How many cells have fewer than k records.
        records: How many records are in them.
        fewest: Fewest different values of a sensitive column in a cell.
    """

    cells: int
    smallest: int
    where: tuple[bool, ...]
    small: int
    records: int
    fewest: int | None


def cells(assignments: Sequence[pa.Table], *, k: int) -> Cells:
    """Return the cells of the joint partition of ``assignments``, held against ``k``."""
    classes = [f"c{i}" for i in range(len(assignments))]
    values = [
        (f"d{i}_{name}", name, i)
        for i, each in enumerate(assignments)
        for name in each.column_names
        if name.startswith("sensitive")
    ]
    fewest = [f"min({name}) FILTER (c{i} IS NOT NULL)" for name, _, i in values]
    with duckdb.connect(":memory:", config={"temp_directory": ""}) as connection:
        for i, each in enumerate(assignments):
            connection.register(f"a{i}", each)
        _fill(
            connection,
            classes,
            values,
            parts=max(each.num_rows for each in assignments) // PART + 1,
        )
        many, least, small, records, *diverse = _row(
            connection,
            "SELECT count(*), coalesce(min(n), 0), count(*) FILTER (n < $k),"
            " coalesce(sum(n) FILTER (n < $k), 0)::BIGINT"
            + "".join(f", {each}" for each in fewest)
            + " FROM cells",
            {"k": k},
        )
        first = connection.execute(
            f"SELECT {', '.join(classes)} FROM cells ORDER BY n, {', '.join(classes)} LIMIT 1"
        ).fetchone()
    return Cells(
        cells=many, smallest=least, where=tuple(each is not None for each in first or ()),
        small=small, records=records,
        fewest=min((each for each in diverse if each is not None), default=None),
    )  # fmt: skip


def _fill(
    connection: duckdb.DuckDBPyConnection,
    classes: Sequence[str],
    values: Sequence[tuple[str, str, int]],
    *,
    parts: int,
) -> None:
    """Make the table ``cells``: classes, rows, and the number of different values of each sensitive column.

    Records are joined in ``parts`` by the hash of their ids, so that a join's table is never larger than a
    part; what is kept of a part are its cells, and which values are in them.
    """
    keys = ", ".join(classes)
    parted = [
        f"(SELECT * FROM a{i} WHERE hash(record) % {parts} = $part) AS a{i}"
        for i in range(len(classes))
    ]
    joined = parted[0] + "".join(f" FULL JOIN {each} USING (record)" for each in parted[1:])
    shown = ", ".join(f"a{i}.class AS {name}" for i, name in enumerate(classes))
    held = "".join(f", a{i}.{column} AS {name}" for name, column, i in values)
    for part in range(parts):
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE part AS SELECT {shown}{held} FROM {joined}",
            {"part": part},
        )
        into = "CREATE TEMP TABLE {} AS" if part == 0 else "INSERT INTO {}"
        connection.execute(
            f"{into.format('sizes')} SELECT {keys}, count(*) AS n FROM part GROUP BY ALL"
        )
        for name, _, _ in values:
            connection.execute(
                f"{into.format('of_' + name)} SELECT DISTINCT {keys}, {name} FROM part"
            )
    connection.execute(
        f"CREATE TEMP TABLE cells AS SELECT {keys}, sum(n)::BIGINT AS n FROM sizes GROUP BY ALL"
    )
    for name, _, _ in values:
        alike = " AND ".join(f"cells.{each} IS NOT DISTINCT FROM v.{each}" for each in classes)
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE cells AS SELECT cells.*, v.{name} FROM cells JOIN"
            f" (SELECT {keys}, count(DISTINCT {name}) AS {name} FROM of_{name} GROUP BY ALL) AS v ON {alike}"
        )


def check_together(
    assignment: pa.Table,
    earlier: Sequence[Earlier],
    *,
    k: int,
    l: int,  # noqa: E741 - the model's own letter
    rule: str = "",
    source: Sequence[str] = (),
) -> Joint:
    """Return what a release comes to beside the ``earlier`` ones, if that tells no fewer than ``k`` apart.

    Two are held against each other before all are, so that a refusal names a pair where one is to blame.

    Raises:
        RefusedError: A cell has fewer records than ``k`` or an earlier release asks, or fewer different values
            than ``l`` or an earlier one asks.
        TooLargeError: More than a hundred earlier releases.
    """
    if len(earlier) > MOST_RELEASES:
        raise TooLargeError(
            f"a release can be held against {MOST_RELEASES} earlier ones, not {len(earlier)}"
        )
    groups = [[each] for each in earlier]
    if len(earlier) > 1:
        groups.append(list(earlier))
    if not groups:
        found = cells([assignment], k=k)
    for group in groups:
        most_k, most_l = max([k, *(e.k for e in group)]), max([l, *(e.l for e in group)])
        found = cells([assignment, *(each.assignment for each in group)], k=most_k)
        reason = _reason(found, group, most_k, most_l)
        if reason:
            names = " and ".join(each.name for each in group)
            raise RefusedError(
                f"the release is refused beside {names}: {reason}",
                rule=rule, source=source, allowed=_allowed(group, most_k),
            )  # fmt: skip
    return Joint(
        earlier=len(earlier), cells=found.cells, smallest=found.smallest, fewest=found.fewest
    )


def _reason(found: Cells, group: Sequence[Earlier], k: int, l: int) -> str:  # noqa: E741 - the models' own letters
    if found.cells and found.smallest < k:
        return (
            f"{_told_apart(found, group)} are {found.smallest} where {k} are asked ({found.small} of"
            f" {found.cells} such groups with {found.records} records are smaller)"
        )
    if found.fewest is not None and found.fewest < l:
        return (
            f"records that are alike in all of them have {found.fewest} different values of a sensitive"
            f" column where {l} are asked"
        )
    return ""


def _told_apart(found: Cells, group: Sequence[Earlier]) -> str:
    """Return what the adversary does to tell the smallest cell apart."""
    inside = [each.name for each, there in zip(group, found.where[1:], strict=True) if there]
    outside = [each.name for each, there in zip(group, found.where[1:], strict=True) if not there]
    if not found.where[0]:
        return f"records of one class of {' and '.join(inside)} that this release has no more"
    words = "records of one class of this release"
    if inside:
        words += f" that are in one class of {' and '.join(inside)} too"
    if outside:
        words += f"{' and' if inside else ' that'} are not in {' and '.join(outside)}"
    return words


def _allowed(group: Sequence[Earlier], k: int) -> str:
    one = group[-1].name
    return (
        f"the same records on the recoding of {one} (its levels, its suppressed rows), or coarser in whole"
        f" classes of it; changes once at least {k} records of each class came or went; or the classes made"
        f" from all records at once and {one} withdrawn from whoever has it"
    )


def _row(
    connection: duckdb.DuckDBPyConnection, query: str, values: dict[str, int]
) -> tuple[int, ...]:
    found = connection.execute(query, values).fetchone()
    return () if found is None else found
