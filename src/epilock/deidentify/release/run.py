"""A release of a table: values, count, search, and the rows recoded; of a file: ``dispatch``.

A table is read twice, or three times where hierarchies follow from its values; of its rows a few thousand are
in memory at a time. Nothing is written here.
"""

import dataclasses
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from epilock.beside import Told
from epilock.deidentify.criteria import metric
from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.measured import Measured, measure
from epilock.deidentify.release.config import Config
from epilock.deidentify.rows import counting, hierarchy
from epilock.deidentify.rows.counting import Columns, text_of
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import Packing
from epilock.deidentify.rows.recoding import Recoding
from epilock.deidentify.rules.rule import Rule, hierarchy_of
from epilock.deidentify.search.methods import METHODS, Task
from epilock.deidentify.table import InMemory, Table, open_table
from epilock.errors import InputError, TooLargeError

MOST_VALUES = 1 << 22  # different values of a column whose hierarchy follows from them
_ROUNDING = 1e-9  # 0.05 of 20 rows is one row


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """A release, and what was found and measured.

    Attributes:
        optimum: Level of each quasi-identifier; None if it is not the same for all rows.
        score: What the release loses by ``metric``.
        suppressed: Rows left out.
        classes: Classes of the release.
        lattice: Nodes there are, 0 if no lattice was searched.
        checked: Nodes looked at.
        over_limit: Nodes passed by because they suppress too many rows.
        not_better: Nodes passed by because they lose more.
        bound: No node loses less; None for a method that says nothing of that.
        ties: Other optima, as ``optimum``.
        rows: Rows of the table.
        metric: What was minimised.
        search: By which method.
        models: Each model, and what it comes to in the release.
        columns: Columns of the release, in order.
        left_out: Columns of the table that are not in the release.
        search_seconds: How long the search took.
        total_seconds: How long everything took, up to here.
        source: The table.
        task: What the method was given.
        recoding: How rows become rows of the release.
        record: The column of ids that passes on to a review, or None.
    """

    optimum: Mapping[str, int] | None
    score: float
    suppressed: int
    classes: int
    lattice: int
    checked: int
    over_limit: int
    not_better: int
    bound: float | None
    ties: tuple[Mapping[str, int], ...]
    rows: int
    metric: str
    search: str
    models: tuple[Measured, ...]
    columns: tuple[str, ...]
    left_out: tuple[str, ...]
    search_seconds: float
    total_seconds: float
    source: Table = field(repr=False)
    task: Task = field(repr=False)
    recoding: Recoding = field(repr=False)
    record: str | None = field(repr=False, default=None)

    @property
    def schema(self) -> pa.Schema:
        """The columns of the release."""
        return self.recoding.schema(self._read)

    @property
    def _read(self) -> pa.Schema:
        return pa.schema([each for each in self.source.schema if each.name in self._names])

    @property
    def _names(self) -> tuple[str, ...]:
        """The columns that are read: those of the release, and the records' ids for its review."""
        return self.columns if self.record is None else (*self.columns, self.record)

    def batches(self, told: Told | None = None) -> Iterator[pa.RecordBatch]:
        """Yield the rows of the release.

        Raises:
            InputError: The table is not the one that was counted.
        """
        seen = kept = 0
        for batch in self.source.batches(self._names):
            made = self.recoding.recode(batch, seen)
            seen, kept = seen + batch.num_rows, kept + made.num_rows
            if told is not None:
                told("recode", seen, self.rows)
            yield made
        if (seen, kept) != (self.rows, self.rows - self.suppressed):
            raise InputError(
                "the table was changed while it was read: the release would not be the one that was measured;"
                " run it again"
            )

    def table(self) -> pa.Table:
        """Return the release; raises as ``batches`` does."""
        return pa.Table.from_batches(list(self.batches()), self.schema)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the rows, in the order that is documented."""
        return {
            "optimum": self.optimum, "score": self.score, "suppressed": self.suppressed,
            "classes": self.classes, "lattice": self.lattice, "checked": self.checked,
            "search_seconds": round(self.search_seconds, 6),
            "total_seconds": round(self.total_seconds, 6),
            "over_limit": self.over_limit, "not_better": self.not_better, "bound": self.bound, "ties": list(self.ties),
            "rows": self.rows, "metric": self.metric, "search": self.search,
            "models": [
                {
                    "kind": each.model.kind, **dataclasses.asdict(each.model),  # type: ignore[call-overload]  # each is one
                    "measured": each.what, "value": each.value,
                }
                for each in self.models
            ],
            "columns": list(self.columns), "left_out": list(self.left_out),
        }  # fmt: skip


def deidentify(
    table: pa.Table | Table,
    config: Config,
    *,
    population: pa.Table | Table | None = None,
    hierarchies: Mapping[str, Hierarchy] | None = None,
    told: Told | None = None,
    reviewed: bool = False,
) -> Result:
    """Return the release of ``table`` that keeps the models of ``config`` and loses least.

    Args:
        table: An Arrow table, or anything that can be read again and again.
        config: What is wanted.
        population: All persons of whom the table's are some; the file that ``config`` names by default.
        hierarchies: Of attributes, instead of what ``config`` says.
        told: Is told the stage, how far it is and how far it has to go.
        reviewed: Whether the column of ids passes on to a review (``leave``).

    Raises:
        InputError: A column is missing, a value is not in its hierarchy, the table has no rows, ….
        UnattainableError: No release keeps the models within the limit.
        TooLargeError: The lattice, or the table, is too large.
    """
    began = time.perf_counter()
    source = _as_table(table)
    wide = _population(config, population)
    _check_columns(
        source.schema,
        (*config.quasi_identifiers, *config.sensitive, *config.keep, *_ids(config, reviewed)),
        "table",
    )
    if wide is not None:
        _check_columns(wide.schema, config.quasi_identifiers, "population")
    known = _hierarchies(config, source, wide, hierarchies or {}, told)
    columns = Columns(
        Packing.of([known[name] for name in config.quasi_identifiers]), config.sensitive
    )
    needed = (*config.quasi_identifiers, *config.sensitive)
    counted = counting.count(
        _watched(source, needed, "count", told), columns,
        population=None if wide is None else _watched(wide, config.quasi_identifiers, "population", told),
    )  # fmt: skip
    rows = counted.classes.rows
    _check_rows(rows)
    passing = (*config.sensitive, *config.keep)
    record = config.record if reviewed else None
    judge = Judge.of(config.models, counted, config.sensitive, known)
    task = Task(
        columns=columns, counted=counted, judge=judge,
        metric=metric.prepare(config.metric, counted.classes, config.weights),
        limit=int(config.suppression_limit * rows + _ROUNDING),
        passing=passing if record is None else (*passing, record),
        progress=None if told is None else lambda done, all_: told("search", done, all_),
        hierarchies=known,
    )  # fmt: skip
    found = METHODS[config.search](task)
    wanted = {*config.quasi_identifiers, *passing}
    tally = found.tally
    return Result(
        optimum=None if found.levels is None else _named(config, found.levels),
        score=found.score, suppressed=found.suppressed, classes=found.classes,
        lattice=tally.lattice if tally else 0, checked=tally.checked if tally else 0,
        over_limit=tally.over_limit if tally else 0, not_better=tally.not_better if tally else 0,
        bound=found.bound, ties=tuple(_named(config, levels) for levels in found.ties), rows=rows, metric=config.metric,
        search=config.search, models=tuple(
            sorted(
                measure(judge, found.released, found.fails),
                key=lambda each: config.models.index(each.model),
            )
        ),
        columns=tuple(name for name in source.schema.names if name in wanted),
        left_out=tuple(name for name in source.schema.names if name not in wanted),
        search_seconds=found.seconds, total_seconds=time.perf_counter() - began,
        source=source, task=task, recoding=found.recoding, record=record,
    )  # fmt: skip


def _ids(config: Config, reviewed: bool) -> tuple[str, ...]:
    return (config.record,) if reviewed and config.record is not None else ()


def _as_table(table: pa.Table | Table) -> Table:
    return InMemory(table) if isinstance(table, pa.Table) else table


def _named(config: Config, levels: Sequence[int]) -> dict[str, int]:
    return dict(zip(config.quasi_identifiers, levels, strict=True))


def _population(config: Config, given: pa.Table | Table | None) -> Table | None:
    if not config.needs_population:
        return None
    if given is not None:
        return _as_table(given)
    if config.population is None:
        raise InputError("a model compares the table with a population, and none is given")
    return open_table(config.population)


def _check_columns(schema: pa.Schema, names: Sequence[str], what: str) -> None:
    for name in names:
        many = schema.names.count(name)
        if many == 1:
            continue
        if many:
            raise InputError(f"the {what} has {many} columns named {name}; give each its own name")
        near = [place for place, other in enumerate(schema.names, 1) if other.strip() == name]
        hint = (
            f"column {near[0]} has that name with blanks around it: take them away"
            if near
            else "see that its first row names the columns, and that the name is written alike"
        )
        raise InputError(f"the {what} has no column named {name}; {hint}")


def _check_rows(rows: int) -> None:
    if not rows:
        raise InputError("the table has no rows below its header; there is nothing to release")


def _watched(
    source: Table, names: Sequence[str], stage: str, told: Told | None
) -> Iterator[pa.RecordBatch]:
    rows = 0
    for batch in source.batches(names):
        yield batch
        rows += batch.num_rows
        if told is not None:
            told(stage, rows, source.about)


def _hierarchies(
    config: Config,
    source: Table,
    population: Table | None,
    given: Mapping[str, Hierarchy],
    told: Told | None,
) -> dict[str, Hierarchy]:
    """Return the hierarchy of each quasi-identifier, and of each sensitive attribute that has one."""
    found = dict(given)
    by_value: dict[str, Rule | None] = {}
    for name in (*config.quasi_identifiers, *config.sensitive):
        how = config.hierarchies.get(name)
        if name in found:
            continue
        if isinstance(how, Path):
            found[name] = hierarchy.read(how, name)
        elif how is not None or name in config.quasi_identifiers:
            by_value[name] = how
    if not by_value:
        return found
    tables = [_values(_watched(source, list(by_value), "values", told), list(by_value))]
    _check_rows(max(map(len, tables[0].values())))
    if population is not None:
        quasi = [name for name in by_value if name in config.quasi_identifiers]
        tables.append(_values(_watched(population, quasi, "values", told), quasi))
    for name, rule in by_value.items():
        first_rows = [table.get(name, {}) for table in tables]
        found[name] = (
            Hierarchy.of_values(name, sorted(set().union(*first_rows)))
            if rule is None
            else hierarchy_of(rule, name, *first_rows)
        )
    return found


def _values(batches: Iterator[pa.RecordBatch], names: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return the different values of columns, each with the number of the row where it first stands."""
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    rows = 0
    for batch in batches:
        for name, values in found.items():
            column = text_of(batch.column(name))
            different = pc.unique(column)
            for value, place in zip(
                different.to_pylist(), pc.index_in(different, column).to_pylist(), strict=True
            ):
                values.setdefault(value, rows + place + 1)
            if len(values) > MOST_VALUES:
                raise TooLargeError(
                    f"column {name} has more than {MOST_VALUES:,} different values; give it a hierarchy that"
                    " fits it, or leave it out"
                )
        rows += batch.num_rows
    return found
