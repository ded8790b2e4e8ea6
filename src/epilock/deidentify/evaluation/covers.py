"""Covers: which released rows a person's true values fit, whatever level each form is on.

An adversary knows true values, a release holds forms. A form covers a value if it may stand for it; a row of
the release fits a person if each of its forms covers the person's value. Rules kept in this file:
  1. Tables are all that is looked at: nothing of how the release was made is known or believed.
  2. What a form covers is said by a ``Matcher``; ``*`` covers everything.
  3. Work is on different rows. Forms of one column are put into layers, so that no two of a layer cover one
     value; then a person fits at most one different row for each choice of layers, found by look-up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from epilock.deidentify.rows.classes import Counts
from epilock.deidentify.rows.counting import text_of
from epilock.deidentify.rows.hierarchy import ROOT, Hierarchy
from epilock.errors import InputError, TooLargeError

MOST_KEYS = 1 << 62
MOST_DENSE = 1 << 22  # keys that are counted in a table of all; more are sorted
MOST_DIFFERENT = 1 << 22  # rows of a table that is gathered
GATHERED = 1 << 20  # rows that wait, at least, before those that are alike become one

Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
Pairs = tuple[Codes, Codes]


class Matcher(Protocol):
    """Says which forms cover which values of one column."""

    def covers(self, values: Sequence[str], forms: Sequence[str]) -> Pairs:
        """Return which of ``values`` are covered by which of ``forms``: places of both, each pair once.

        Raises:
            InputError: It does not know a value or a form; the message never names it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Same:
    """A column that was released as it is, but for ``*``."""

    def covers(self, values: Sequence[str], forms: Sequence[str]) -> Pairs:
        """Return where value and form are the same; see ``Matcher``."""
        number = {form: at for at, form in enumerate(forms)}
        return _pairs([np.array([number.get(value, -1) for value in values], np.int64)], number)


@dataclass(frozen=True, slots=True)
class ByHierarchy:
    """A column whose forms are those of any level of a hierarchy."""

    hierarchy: Hierarchy

    def covers(self, values: Sequence[str], forms: Sequence[str]) -> Pairs:
        """Return where the form is one of the value's, on any level; see ``Matcher``."""
        known = self.hierarchy
        unknown = sum(value not in known.number_of for value in values)
        if unknown:
            raise InputError(
                f"{unknown} values of column {known.attribute} are missing from its hierarchy"
            )
        number = {form: at for at, form in enumerate(forms)}
        lost = len(number.keys() - {ROOT}.union(*known.forms))
        if lost:
            raise InputError(
                f"{lost} forms of the release's column {known.attribute} are on no level of its hierarchy;"
                " give the hierarchy it was made with, or a matcher of your own"
            )
        place = np.array([known.number_of[value] for value in values], np.int64)
        return _pairs(
            [
                np.array([number.get(form, -1) for form in level], np.int64)[codes[place]]
                for codes, level in zip(known.codes, known.forms, strict=True)
            ],
            number,
        )


def _pairs(levels: Sequence[Codes], number: Mapping[str, int]) -> Pairs:
    """Return the pairs of values and forms: on each level the form of each value, or -1; and all with ``*``."""
    more = [*levels, np.full(len(levels[0]), number.get(ROOT, -1), np.int64)]
    form = np.concatenate(more)
    value = np.tile(np.arange(len(levels[0])), len(more))
    both = np.unique(np.stack([value, form])[:, form >= 0], axis=1)
    return both[0], both[1]


@dataclass(frozen=True, eq=False)
class Rows:
    """The different rows of some columns of a table.

    Attributes:
        columns: Their names.
        values: For each column its different values, in order of first appearance.
        codes: Shape (columns, different rows): places in ``values``.
        rows: How many rows of the table are alike.
    """

    columns: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    codes: Codes = field(repr=False)
    rows: Counts = field(repr=False)

    @classmethod
    def each(cls, table: pa.Table, columns: Sequence[str]) -> "Rows":
        """Return all rows of ``columns``, alike or not, in the table's order.

        Raises:
            InputError: No column is named; the table lacks one of them, or has it twice.
        """
        if not columns:
            raise InputError("name at least one column")
        values: list[tuple[str, ...]] = []
        codes: list[Codes] = []
        for name in columns:
            many = table.schema.names.count(name)
            if many != 1:
                raise InputError(f"the table has {many} columns named {name}; it needs exactly one")
            whole = pa.chunked_array([text_of(c) for c in table.column(name).chunks], pa.string())
            encoded = whole.combine_chunks().dictionary_encode()
            values.append(tuple(encoded.dictionary.to_pylist()))
            codes.append(encoded.indices.to_numpy().astype(np.int64))
        return cls(
            tuple(columns), tuple(values), np.array(codes).reshape(len(codes), table.num_rows),
            np.ones(table.num_rows, np.int64),
        )  # fmt: skip

    @classmethod
    def of(cls, table: "pa.Table | Rows", columns: Sequence[str]) -> "Rows":
        """Return the different rows of ``columns``; raises as ``each`` does."""
        if isinstance(table, Rows):
            return table.of_columns([table.columns.index(name) for name in columns])[0]
        rows = cls.each(table, columns)
        return rows.of_columns(range(len(rows.columns)))[0]

    def of_columns(self, places: Sequence[int]) -> tuple["Rows", Codes]:
        """Return the different rows of the columns at ``places``, and which of them each of these is."""
        key, span = np.zeros(len(self.rows), np.int64), 1
        for place in places:
            many = max(1, len(self.values[place]))
            if span * many > MOST_KEYS:
                different, key = np.unique(key, return_inverse=True)
                span = len(different)
            key, span = key * many + self.codes[place], span * many
        firsts, member = _firsts(key, span)
        counts = np.bincount(member, self.rows, len(firsts)).astype(np.int64)
        return Rows(
            tuple(self.columns[p] for p in places), tuple(self.values[p] for p in places),
            self.codes[list(places)][:, firsts], counts,
        ), member  # fmt: skip

    def filtered(self, stays: Flags) -> "Rows":
        """Return those of the different rows that ``stays`` says."""
        return Rows(self.columns, self.values, self.codes[:, stays], self.rows[stays])

    @property
    def total(self) -> int:
        """The number of rows, alike or not."""
        return int(self.rows.sum())


class Gathering:
    """The different rows of a table that is read batch by batch and never held."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self._number: list[dict[str, int]] = [{} for _ in self.columns]
        self._codes: list[Codes] = []
        self._counts: list[Counts] = []
        self._waiting, self._room = 0, GATHERED

    def add(self, batch: pa.RecordBatch) -> None:
        """Take in the rows of ``batch``; raises as ``Rows.each`` does."""
        own = Rows.of(pa.Table.from_batches([batch]), self.columns)
        codes = np.empty(own.codes.shape, np.int64)
        for a, number in enumerate(self._number):
            places = [number.setdefault(value, len(number)) for value in own.values[a]]
            codes[a] = np.array(places, np.int64)[own.codes[a]]
        self._codes.append(codes)
        self._counts.append(own.rows)
        self._waiting += len(own.rows)
        if self._waiting > self._room:
            self._room = GATHERED + 2 * len(self.rows().rows)

    def rows(self) -> Rows:
        """Return the different rows of all batches.

        Raises:
            TooLargeError: They are more than four million.
        """
        if self._codes:
            every = Rows(
                self.columns, tuple(tuple(number) for number in self._number),
                np.concatenate(self._codes, axis=1), np.concatenate(self._counts),
            ).of_columns(range(len(self.columns)))[0]  # fmt: skip
            self._codes, self._counts, self._waiting = [every.codes], [every.rows], len(every.rows)
            if len(every.rows) > MOST_DIFFERENT:
                raise TooLargeError(
                    f"the table has more than {MOST_DIFFERENT:,} different rows; attack fewer columns"
                )
            return every
        return Rows.of(
            pa.table({name: pa.array([], pa.string()) for name in self.columns}), self.columns
        )


def _firsts(key: Codes, span: int) -> Pairs:
    """Return the place of the first of each different key below ``span``, by rising key, and which each row has."""
    if span > MOST_DENSE:
        _, firsts, member = np.unique(key, return_index=True, return_inverse=True)
        return firsts, member
    first = np.full(span, -1, np.int64)
    first[key[::-1]] = np.arange(len(key) - 1, -1, -1)
    there = np.flatnonzero(first >= 0)
    place = np.empty(span, np.int64)
    place[there] = np.arange(len(there))
    return first[there], place[key]


@dataclass(frozen=True, eq=False)
class Layers:
    """The forms of one column, in layers that cover no value twice.

    Attributes:
        layer: Of each form.
        form: Shape (layers, values): the form of this layer that covers the value, or -1.
    """

    layer: Codes
    form: Codes

    @classmethod
    def of(cls, pairs: Pairs, values: int, forms: int) -> "Layers":
        """Return the layers of ``forms`` forms, of which ``pairs`` says what of ``values`` values they cover."""
        value, form = pairs
        order = np.argsort(form, kind="stable")
        many = np.bincount(form, minlength=forms)
        covered = np.split(value[order], np.cumsum(many)[:-1])
        layer = np.zeros(forms, np.int64)
        tables: list[Codes] = []
        for each in np.argsort(-many, kind="stable"):
            mine = covered[each]
            free = (at for at, table in enumerate(tables) if (table[mine] < 0).all())
            layer[each] = at = next(free, len(tables))
            if at == len(tables):
                tables.append(np.full(values, -1, np.int64))
            tables[at][mine] = each
        return cls(layer, np.array(tables).reshape(len(tables), values))


@dataclass(frozen=True, eq=False)
class Fit:
    """People (true values) beside a release (forms), on the same columns.

    Attributes:
        people: Different rows of true values.
        release: Different rows of forms.
        layers: For each column.
    """

    people: Rows
    release: Rows
    layers: tuple[Layers, ...]

    @classmethod
    def of(cls, people: Rows, release: Rows, matchers: Mapping[str, Matcher]) -> "Fit":
        """Return both side by side; a column without a matcher was released as it is.

        Raises:
            InputError: A matcher does not know a value or a form.
        """
        layers = tuple(
            Layers.of(matchers.get(name, Same()).covers(values, forms), len(values), len(forms))
            for name, values, forms in zip(
                people.columns, people.values, release.values, strict=True
            )
        )
        return cls(people, release, layers)

    def of_columns(self, places: Sequence[int]) -> tuple["Fit", Codes]:
        """Return the fit on the columns at ``places``, and which of its people each of these is."""
        people, member = self.people.of_columns(places)
        release, _ = self.release.of_columns(places)
        return Fit(people, release, tuple(self.layers[p] for p in places)), member

    def filtered(self, stays: Flags) -> "Fit":
        """Return the fit of those of its people that ``stays`` says."""
        return Fit(self.people.filtered(stays), self.release, self.layers)

    def pairs(self) -> Iterator[tuple[Codes, Codes]]:
        """Yield people and the rows of the release that they fit, as places, for each choice of layers."""
        released = self.release.codes
        if not released.size:
            return
        chosen = [each.layer[codes] for each, codes in zip(self.layers, released, strict=True)]
        choices, which = np.unique(np.array(chosen), axis=1, return_inverse=True)
        sifting = sorted(range(len(self.layers)), key=lambda a: -len(self.release.values[a]))
        order = np.argsort(which, kind="stable")
        ends = np.cumsum(np.bincount(which, minlength=choices.shape[1]))
        for number, rows in enumerate(np.split(order, ends[:-1])):
            people = np.arange(len(self.people.rows))
            at, above = np.zeros(len(people), np.int64), np.zeros(len(rows), np.int64)
            for a in sifting:
                many = len(self.release.values[a])
                known, above = np.unique(above * many + released[a, rows], return_inverse=True)
                form = self.layers[a].form[choices[a, number], self.people.codes[a, people]]
                wanted = at * many + form
                place = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
                fits = (form >= 0) & (known[place] == wanted)
                people, at = people[fits], place[fits]
            back = np.empty(len(rows), np.int64)
            back[above] = rows
            yield people, back[at]

    @cached_property
    def matches(self) -> Counts:
        """For each of the people how many rows of the release fit."""
        found = np.zeros(len(self.people.rows), np.int64)
        for people, rows in self.pairs():
            found[people] += self.release.rows[rows]
        return found

    @cached_property
    def covered(self) -> Counts:
        """For each row of the release how many people it fits."""
        found = np.zeros(len(self.release.rows))
        for people, rows in self.pairs():
            found += np.bincount(rows, self.people.rows[people], len(found))
        return found.astype(np.int64)


def rows_of(before: pa.Table | Rows, released: Flags | None) -> pa.Table | Rows:
    """Return the rows (of gathered ones: the different rows) of ``before`` that ``released`` says, or all.

    Raises:
        InputError: It says something of more or fewer rows than there are.
    """
    if released is None:
        return before
    many = len(before.rows) if isinstance(before, Rows) else before.num_rows
    if len(released) != many:
        raise InputError(f"released says something of {len(released)} rows; the table has {many}")
    return (
        before.filtered(released) if isinstance(before, Rows) else before.filter(pa.array(released))
    )


def targets(
    people: Rows, release: Rows, matchers: Mapping[str, Matcher], *, sure: bool
) -> tuple[Fit, Flags]:
    """Return the people whose rows are in the release, beside it, and which of ``people`` they are.

    These are all of them if that is ``sure``, else those who fit some row.

    Raises:
        InputError: It is sure, and some fit none.
    """
    fit = Fit.of(people, release, matchers)
    stays: Flags = fit.matches > 0
    if sure and not stays.all():
        raise InputError(
            f"{int(people.rows[~stays].sum())} rows said to be released fit no row of the release; check the"
            " matchers, and which rows were released"
        )
    return fit.filtered(stays), stays
