"""Mixed releases: each finest class has forms of its own, on whatever level.

Rules kept in this file:
  1. A class of the release is what its reader sees: all rows with the same texts, wherever they came from.
     Groups that were made apart and look alike are one class; two levels with the same text are one form.
  2. Models are judged on these classes, at the end, whatever a method believes; what fails is suppressed.
  3. A row loses by its own forms. Formulas are those of ``metric``; where one speaks of a node's level it is the
     row's own (a suppressed row counts by its forms for ``entropy``, and as ``*`` for all others).
  4. Population rows go with the table's rows of the same values: a class's population is what is recoded to
     it. Whoever knows the recoding can count no less.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.metric import Floats, Metric, Shape
from epilock.deidentify.rows import kernels
from epilock.deidentify.rows.classes import Classes, Counts
from epilock.deidentify.rows.counting import Columns, codes_of, column_of
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.packing import WORD_BITS, Keys
from epilock.deidentify.rows.recoding import schema_of
from epilock.errors import InputError

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """All forms that one attribute may take in a release.

    Attributes:
        attribute: Name of the column.
        texts: What is written; may repeat.
        shares: Share of the hierarchy's values that a form stands for.
        levels: Lowest level of the hierarchy on which these values look alike.
        rows: Rows of the table that have one of these values.
    """

    attribute: str
    texts: tuple[str, ...] = field(repr=False)
    shares: Floats = field(repr=False)
    levels: Numbers = field(repr=False)
    rows: Floats = field(repr=False)


def forms_of(hierarchy: Hierarchy, rows: Floats) -> Forms:
    """Return the forms of all levels of ``hierarchy``; ``rows`` of the table have each value.

    The form ``code`` of level l has the number ``code`` plus that of all forms of lower levels.
    """
    levels = range(hierarchy.height + 1)
    return Forms(
        hierarchy.attribute,
        tuple(text for level in levels for text in hierarchy.forms[level]),
        np.concatenate(hierarchy.shares),
        np.repeat(np.array(levels, np.int32), [len(forms) for forms in hierarchy.forms]),
        np.concatenate(
            [np.bincount(hierarchy.codes[level], rows, len(hierarchy.forms[level])) for level in levels]
        ),
    )  # fmt: skip


def values_of(finest: Classes) -> Numbers:
    """Return each finest class's value of each attribute, shape (classes, attributes)."""
    packing = finest.packing
    return np.stack(
        [packing.codes(finest.keys, a) for a in range(len(packing.hierarchies))], axis=1
    ).astype(np.int32)


def all_forms(finest: Classes) -> tuple[Forms, ...]:
    """Return the forms of all hierarchies."""
    values = values_of(finest)
    return tuple(
        forms_of(h, np.bincount(values[:, a], finest.counts, h.size).astype(float))
        for a, h in enumerate(finest.packing.hierarchies)
    )


def merged(finest: Classes, member: Numbers, many: int, keys: Keys) -> Classes:
    """Return the ``many`` classes that ``finest`` ones make; ``member`` says into which each goes."""
    population = finest.population
    return Classes(
        finest.packing, finest.levels, keys, kernels.add_up(member, finest.counts, many),
        None if population is None else kernels.add_up(member, population, many),
        tuple(each.merged(member, many) for each in finest.histograms),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Mixed:
    """What becomes of each finest class.

    Attributes:
        finest: The classes at level 0 of each attribute.
        forms: Of each attribute.
        of: Shape (classes, attributes): numbers of forms.
        suppressed: Which classes are left out.
    """

    finest: Classes
    forms: tuple[Forms, ...]
    of: Numbers = field(repr=False)
    suppressed: Flags = field(repr=False)

    @classmethod
    def of_levels(
        cls, finest: Classes, forms: tuple[Forms, ...], levels: npt.NDArray[np.integer], suppressed: Flags
    ) -> "Mixed":  # fmt: skip
        """Return the release where each finest class has its ``levels`` (classes, attributes)."""
        values = values_of(finest)
        of = np.empty(values.shape, np.int32)
        for a, h in enumerate(finest.packing.hierarchies):
            first = np.cumsum([0, *(len(each) for each in h.forms)])
            of[:, a] = first[levels[:, a]] + np.stack(h.codes)[levels[:, a], values[:, a]]
        return cls(finest, forms, of, suppressed)

    @classmethod
    def of_node(cls, finest: Classes, levels: Sequence[int], judge: Judge) -> "Mixed":
        """Return the release of the full-domain node ``levels``."""
        node = finest.rolled_up(levels)
        fails, _ = judge.judge(node)
        lifted = finest.packing.lift(finest.keys, finest.levels, np.asarray(levels, np.int64))
        places = kernels.places_among(lifted, node.keys)
        all_levels = np.tile(np.asarray(levels, np.int64), (len(finest), 1))
        return cls.of_levels(finest, all_forms(finest), all_levels, fails[places])

    def seen(self) -> tuple[Numbers, Classes]:
        """Return the kept finest classes' class of the release, and these classes.

        The first array speaks of the classes that are not suppressed, in their order.
        """
        kept = ~self.suppressed
        columns, sizes = [], []
        for a, forms in enumerate(self.forms):
            numbers: dict[str, int] = {}
            text = [numbers.setdefault(each, len(numbers)) for each in forms.texts]
            columns.append(np.array(text, np.int32)[self.of[kept, a]])
            sizes.append(len(numbers))
        member, firsts, _ = kernels.group(packed(columns, sizes), self.finest.counts[kept])
        keys = tuple(word[kept][firsts] for word in self.finest.keys)
        return member, merged(only(self.finest, kept), member, len(firsts), keys)

    def kept_by(self, judge: Judge) -> "Mixed":
        """Return this release with the classes suppressed that ``judge`` does not pass."""
        member, classes = self.seen()
        fails, _ = judge.judge(classes)
        suppressed = self.suppressed.copy()
        suppressed[~self.suppressed] = fails[member]
        return Mixed(self.finest, self.forms, self.of, suppressed)

    @property
    def rows_suppressed(self) -> int:
        """The number of suppressed rows."""
        return int(self.finest.counts[self.suppressed].sum())

    def sizes(self) -> Counts:
        """Return the rows of each class of the release."""
        _, classes = self.seen()
        counts: Counts = classes.counts[classes.counts > 0]
        return counts

    def rows_on(self, a: int) -> tuple[int, ...]:
        """Return how many kept rows have attribute ``a`` on each level of its hierarchy."""
        kept = ~self.suppressed
        level = self.forms[a].levels[self.of[kept, a]]
        height = self.finest.packing.hierarchies[a].height
        return tuple(int(rows) for rows in np.bincount(level, self.finest.counts[kept], height + 1))

    def cost(self, metric: Metric) -> float:
        """Return what the release loses; see ``metric`` for the formulas."""
        n, s, kept = metric.rows, self.rows_suppressed, ~self.suppressed
        counts = self.finest.counts
        if metric.shape in {Shape.SQUARES, Shape.CLASSES}:
            sizes = self.sizes()
            if metric.shape is Shape.SQUARES:
                return float(np.square(sizes.astype(float)).sum()) + float(n) * s
            return n / max(1, len(sizes) + (s > 0))
        terms = np.zeros(len(self.forms))
        for a, forms in enumerate(self.forms):
            of = self.of[:, a]
            if metric.name == "loss":
                total = float(forms.shares[of[kept]] @ counts[kept]) + s
                span = n - metric.floor[a]
                terms[a] = max(0.0, (total - metric.floor[a]) / span) if span > 0 else 0.0
            elif metric.name == "precision":
                height = max(1, self.finest.packing.hierarchies[a].height)
                terms[a] = (float(forms.levels[of[kept]] @ counts[kept]) / height + s) / n
            else:
                terms[a] = self._entropy(a, s)
        return metric.of_terms(terms)

    def _entropy(self, a: int, s: int) -> float:
        forms, of, counts = self.forms[a], self.of[:, a], self.finest.counts
        hierarchy = self.finest.packing.hierarchies[a]
        values = self.finest.packing.codes(self.finest.keys, a)
        rows = np.bincount(values, counts, hierarchy.size)
        here = counts > 0
        told = float(counts[here] @ np.log2(forms.rows[of[here]] / rows[values[here]]))
        lost = np.bincount(of[self.suppressed], counts[self.suppressed])
        lost = lost[lost > 0]
        return told - float(lost @ np.log2(lost / max(1, s)))


def packed(columns: Sequence[Numbers], sizes: Sequence[int]) -> Keys:
    """Return keys for numbers below ``sizes``, column by column."""
    words: list[npt.NDArray[np.uint64]] = [np.zeros(len(columns[0]), np.uint64)]
    at = 0
    for column, size in zip(columns, sizes, strict=True):
        bits = max(1, (size - 1).bit_length())
        if at + bits > WORD_BITS:
            words.append(np.zeros(len(column), np.uint64))
            at = 0
        words[-1] |= column.astype(np.uint64) << np.uint64(at)
        at += bits
    return tuple(words)


def only(finest: Classes, kept: Flags) -> Classes:
    """Return those of the ``finest`` classes that are ``kept``."""
    if kept.all():
        return finest
    member = np.where(kept, np.cumsum(kept) - 1, int(kept.sum())).astype(np.int32)
    many = int(kept.sum()) + 1  # the last one takes what is left out
    histograms = []
    for each in finest.histograms:
        whole = each.merged(member, many)
        end = int(whole.starts[-2])
        histograms.append(
            type(each)(whole.size, whole.starts[:-1], whole.values[:end], whole.rows[:end])
        )
    population = finest.population
    return Classes(
        finest.packing, finest.levels, tuple(word[kept] for word in finest.keys), finest.counts[kept],
        None if population is None else population[kept], tuple(histograms),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class MixedRecoding:
    """Each row gets the forms of its finest class; rows of suppressed ones are left out.

    Attributes:
        columns: The quasi-identifiers and how they are packed.
        mixed: What becomes of each finest class.
        kept: Names of the columns that pass unchanged.
    """

    columns: Columns
    mixed: Mixed
    kept: tuple[str, ...] = ()

    def schema(self, table: pa.Schema) -> pa.Schema:
        """Return the schema of the release; see ``recoding.schema_of``."""
        return schema_of(table, self.columns, self.kept)

    def recode(self, batch: pa.RecordBatch, first_row: int) -> pa.RecordBatch:
        """Return the rows of the release; see ``recoding.Recoding``.

        Raises:
            InputError: A value is not in its hierarchy, or a row was not there when the table was counted.
        """
        schema = self.schema(batch.schema)
        codes = [codes_of(column_of(batch, h.attribute), h, first_row) for h in self.columns.quasi]
        places = kernels.places_among(self.columns.packing.pack(codes), self.mixed.finest.keys)
        wrong = np.flatnonzero(places < 0)
        if len(wrong):
            raise InputError(
                f"row {first_row + int(wrong[0]) + 1}: these values did not occur together when the table was"
                " counted; the table has changed, count it again"
            )
        stays = ~self.mixed.suppressed[places]
        mask = pa.array(stays)
        made = {
            forms.attribute: pa.DictionaryArray.from_arrays(
                pa.array(self.mixed.of[places[stays], a]), pa.array(forms.texts, pa.string())
            ).dictionary_decode()
            for a, forms in enumerate(self.mixed.forms)
        }
        arrays = [
            made[name] if name in made else column_of(batch, name).filter(mask)
            for name in schema.names
        ]
        return pa.record_batch(arrays, schema=schema)
