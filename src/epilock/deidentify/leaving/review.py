"""The review of a release: what leaves is counted once more, apart from the engine, and passes or is refused.

Rules kept in this file:
  1. Only the released forms are counted, by a plain group-by; nothing of the search or its kernels is asked.
  2. A column of the release that is no quasi-identifier is sensitive: also what only passes.
  3. The column of the records' ids is read and never passes on. It is kept as a keyed hash.
  4. Who is refused gets numbers: what was asked, what was found, what would be allowed.

``watch`` stands between the recoding and the file, ``conclude`` before the file gets its name: a refusal
leaves nothing. What follows from earlier releases of the same data set: ``intersection``.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from epilock.deidentify.leaving.intersection import Earlier, Joint, check_together
from epilock.errors import InputError, RefusedError, TooLargeError

MOST_VALUES = 1 << 22  # different values of a sensitive column
HASH_BYTES = 16
_PLACES = 32  # bits of a value's code beside its class
_SPARSE = 16  # numbers a row from which on sorting is cheaper than a table of them

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a release must satisfy.

    Attributes:
        k: Every class has at least so many rows.
        l: Every class has at least so many different values of each sensitive column.
        rule: Such as ``release/epi-investigation``.
        source: Ids of the law or standard it rests on.
    """

    k: int
    l: int = 1  # noqa: E741 - the model's own letter
    rule: str = ""
    source: tuple[str, ...] = ()

    @classmethod
    def of(cls, asked: "Asked") -> "Rule":
        """Return the rule that a standard asks, such as ``Circumstance.release``."""
        return cls(k=asked.k, l=asked.l, rule=asked.rule, source=tuple(asked.source))


class Asked(Protocol):
    """What a standard says that a release must satisfy."""

    @property
    def k(self) -> int:
        """See ``Rule``."""
        ...

    @property
    def l(self) -> int:  # noqa: E743 - the model's own letter
        """See ``Rule``."""
        ...

    @property
    def rule(self) -> str:
        """See ``Rule``."""
        ...

    @property
    def source(self) -> Sequence[str]:
        """See ``Rule``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """What was counted in a release.

    Attributes:
        rows: Rows.
        classes: Different combinations of the quasi-identifiers' forms.
        smallest: Rows of the smallest class, 0 if there are no rows.
        unique: Share of rows that are alone in their class.
        average: Chance to be found of a row picked at random, by who knows all quasi-identifiers.
        highest: The greatest such chance of any row: 1 / ``smallest``.
        fewest: For each sensitive column the smallest number of different values in a class.
    """

    rows: int
    classes: int
    smallest: int
    unique: float
    average: float
    highest: float
    fewest: Mapping[str, int] = field(hash=False)

    @property
    def least_diverse(self) -> int | None:
        """The smallest number of different values of any sensitive column, None without one."""
        return min(self.fewest.values()) if self.fewest else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """A release that passed.

    Attributes:
        rule: By which rule.
        measures: Of the release by itself.
        joint: Of it together with all earlier ones of its data set; None if there are none.
    """

    rule: Rule
    measures: Measures
    joint: Joint | None

    @property
    def smallest(self) -> int:
        """The smallest group of records that anybody can tell apart, by all releases together."""
        found = [self.measures.smallest]
        if self.joint is not None:
            found.append(self.joint.smallest)
        return min(found)

    @property
    def least_diverse(self) -> int | None:
        """The fewest different sensitive values in such a group, None if there is no sensitive column."""
        found = [self.measures.least_diverse, None if self.joint is None else self.joint.fewest]
        return min((each for each in found if each is not None), default=None)


class Review:
    """Counts a release while it is written.

    Attributes:
        quasi: Its quasi-identifiers.
        rows: Rows so far.
    """

    def __init__(
        self, quasi: Sequence[str], *, record: str | None = None, key: bytes = b""
    ) -> None:
        """Begin; ``record`` names the column of ids, which are hashed under ``key`` (``register``)."""
        if record in quasi:
            raise InputError(
                f"{record} holds the records' ids: it can't be a quasi-identifier, for it is never released"
            )
        self.quasi = tuple(quasi)
        self.rows = 0
        self._record, self._key = record, key
        self._numbers: dict[tuple[str, ...], int] = {}
        self._sizes: list[int] = []
        self._sensitive: dict[str, _Sensitive] = {}
        self._ids: list[pa.Array] = []
        self._classes: list[npt.NDArray[np.int32]] = []

    def watch(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count ``batches`` of the release and yield what may be written of them: all but the ids.

        Raises:
            InputError: A column is missing, or a row has no id.
            TooLargeError: A sensitive column has more than four million different values.
        """
        for batch in batches:
            self._take(batch)
            yield batch.select([name for name in batch.schema.names if name != self._record])

    @property
    def classes(self) -> dict[tuple[str, ...], int]:
        """Rows of each combination of forms, in the order of ``quasi``."""
        return dict(zip(self._numbers, self._sizes, strict=True))

    def frequencies(self, name: str) -> dict[str, int]:
        """Return how many rows of the release have each form, or value, of a column."""
        if name in self._sensitive:
            return dict(self._sensitive[name].rows)
        place = self.quasi.index(name)
        found: Counter[str] = Counter()
        for forms, rows in zip(self._numbers, self._sizes, strict=True):
            found[forms[place]] += rows
        return dict(found)

    @property
    def sensitive(self) -> tuple[str, ...]:
        """The columns that are no quasi-identifiers."""
        return tuple(self._sensitive)

    def measures(self) -> Measures:
        """Return what was counted."""
        smallest = min(self._sizes, default=0)
        many = len(self._sizes)
        return Measures(
            rows=self.rows, classes=many, smallest=smallest,
            unique=self._sizes.count(1) / max(1, self.rows), average=many / max(1, self.rows),
            highest=1 / smallest if smallest else 0.0,
            fewest={name: each.fewest(many) for name, each in self._sensitive.items()},
        )  # fmt: skip

    def assignment(self) -> pa.Table:
        """Return record, class and code of each sensitive value; what must never leave its custodian.

        Raises:
            InputError: No column of ids was named, or an id stands twice.
        """
        if self._record is None:
            raise InputError(
                "releases can be held against each other only by the records' ids: name their column"
                " (record) in the configuration; it is not released"
            )
        ids = pa.chunked_array(self._ids, pa.binary(HASH_BYTES))
        if _any_twice(ids):
            raise InputError(
                f"column {self._record}: an id stands in more than one row; give each record an id of its own"
            )
        columns = {"record": ids, "class": _joined(self._classes)}
        for place, each in enumerate(self._sensitive.values()):
            columns[f"sensitive{place}"] = _joined(each.codes)
        return pa.table(columns)

    def conclude(self, rule: Rule, earlier: Sequence[Earlier] = ()) -> Reviewed:
        """Return what was measured, if the release may leave by ``rule``, also beside ``earlier`` ones.

        Raises:
            RefusedError: It may not; nothing of it must be shown or kept.
            InputError: There are earlier releases, and no column of ids.
        """
        found = self.measures()
        check_alone(found, rule, self._sizes)
        joint = None
        if earlier:
            joint = check_together(
                self.assignment(), earlier, k=rule.k, l=rule.l, rule=rule.rule, source=rule.source
            )
        return Reviewed(rule=rule, measures=found, joint=joint)

    def _take(self, batch: pa.RecordBatch) -> None:
        if not self._sensitive:
            others = [n for n in batch.schema.names if n not in {*self.quasi, self._record}]
            self._sensitive = {name: _Sensitive(name) for name in others}
        member = self._members(batch)
        for name, each in self._sensitive.items():
            each.take(member, _text(batch, name), keep=self._record is not None)
        if self._record is not None:
            self._ids.append(self._hashed(_text(batch, self._record)))
            self._classes.append(member.astype(np.int32))
        self.rows += batch.num_rows

    def _members(self, batch: pa.RecordBatch) -> Numbers:
        """Return the number of each row's class, and count the rows."""
        member = np.zeros(batch.num_rows, np.int64)
        columns = [_text(batch, name).dictionary_encode() for name in self.quasi]
        for column in columns:
            member = _numbered(member * max(1, len(column.dictionary)) + column.indices.to_numpy())
        firsts = np.zeros(int(member.max(initial=-1)) + 1, np.int64)
        firsts[member[::-1]] = np.arange(len(member))[::-1]
        shown = [
            column.dictionary.take(column.indices.take(firsts)).to_pylist() for column in columns
        ]
        forms = list(zip(*shown, strict=True))
        numbers = np.fromiter(
            (self._numbers.setdefault(each, len(self._numbers)) for each in forms),
            np.int64,
            len(forms),
        )
        self._sizes += [0] * (len(self._numbers) - len(self._sizes))
        for number, rows in zip(numbers, np.bincount(member, minlength=len(forms)), strict=True):
            self._sizes[number] += int(rows)
        return numbers[member] if forms else member

    def _hashed(self, ids: pa.Array) -> pa.Array:
        if pc.any(pc.equal(ids, "")).as_py():
            raise InputError(
                f"column {self._record}: a row has no id; give each record an id of its own"
            )
        return pa.array(
            [
                hashlib.blake2b(each.encode(), digest_size=HASH_BYTES, key=self._key).digest()
                for each in ids.to_pylist()
            ],
            pa.binary(HASH_BYTES),
        )


class _Sensitive:
    """The values of one sensitive column: how often each, and which in which class."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: Counter[str] = Counter()
        self.codes: list[npt.NDArray[np.int32]] = []
        self._numbers: dict[str, int] = {}
        self._pairs = np.zeros(0, np.int64)
        self._new: list[Numbers] = []

    def take(self, member: Numbers, values: pa.Array, *, keep: bool) -> None:
        encoded = values.dictionary_encode()
        texts, places = encoded.dictionary.to_pylist(), encoded.indices.to_numpy()
        for text, many in zip(texts, np.bincount(places, minlength=len(texts)), strict=True):
            self.rows[text] += int(many)
        numbers = [self._numbers.setdefault(text, len(self._numbers)) for text in texts]
        if len(self._numbers) > MOST_VALUES:
            raise TooLargeError(
                f"column {self.name} has more than {MOST_VALUES:,} different values; coarsen it, or leave it out"
            )
        code = np.array(numbers, np.int64)[places] if texts else np.zeros(0, np.int64)
        if keep:
            self.codes.append(code.astype(np.int32))
        self._new.append(np.unique((member << _PLACES) | code))
        if sum(map(len, self._new)) > len(self._pairs):
            self._merge()

    def fewest(self, classes: int) -> int:
        """Return the smallest number of different values in any of ``classes`` classes."""
        self._merge()
        different = np.bincount(self._pairs >> _PLACES, minlength=classes)
        return int(different.min(initial=len(self._numbers)))

    def _merge(self) -> None:
        self._pairs = np.unique(np.concatenate([self._pairs, *self._new]))
        self._new = []


def check_alone(found: Measures, rule: Rule, sizes: Sequence[int]) -> None:
    """Raise unless a release by itself satisfies ``rule``; ``sizes`` are the rows of its classes.

    Raises:
        RefusedError: It does not.
    """
    reasons = []
    if found.smallest < rule.k:
        small = [size for size in sizes if size < rule.k]
        reasons.append(
            f"its smallest class has {found.smallest} rows where {rule.k} are asked"
            f" ({len(small)} of {found.classes} classes with {sum(small)} of {found.rows} rows are smaller)"
        )
    reasons += [
        f"a class has {many} different values of {name} where {rule.l} are asked"
        for name, many in found.fewest.items()
        if many < rule.l
    ]
    if not found.rows:
        reasons = ["it has no rows"]
    if reasons:
        raise RefusedError(
            f"the release is refused: {'; '.join(reasons)}; {found.unique:.2%} of the rows are alone in"
            f" their class, the average risk is {found.average:.4f}, the highest {found.highest:.4f}",
            rule=rule.rule, source=rule.source, allowed=_allowed(rule, tuple(found.fewest)),
        )  # fmt: skip


def _allowed(rule: Rule, sensitive: Sequence[str]) -> str:
    asked = f"[[models]] of kind k-anonymity with k = {rule.k}"
    if rule.l > 1 and sensitive:
        names = ", ".join(sensitive)
        asked += f", and of kind distinct-l-diversity with l = {rule.l} for each of {names}"
    return f"a release made with {asked}; allow more suppression or add levels if there is none"


def _text(batch: pa.RecordBatch, name: str) -> pa.Array:
    if batch.schema.names.count(name) != 1:
        raise InputError(
            f"the release has {batch.schema.names.count(name)} columns named {name}; it needs exactly one"
        )
    return pc.fill_null(pc.cast(batch.column(name), pa.string()), "")


def _numbered(values: Numbers) -> Numbers:
    """Return ``values`` (0 and more) as numbers without gaps, equal where they are equal."""
    most = int(values.max(initial=-1)) + 1
    if most > _SPARSE * len(values):
        return np.unique(values, return_inverse=True)[1]
    there = np.zeros(most, np.int64)
    there[values] = 1
    return (np.cumsum(there) - 1)[values]


def _any_twice(ids: pa.ChunkedArray) -> bool:
    """Return whether a hash stands twice: first by its first eight octets, then of those that share them by all."""
    if not len(ids):
        return False
    first = np.concatenate(
        [
            np.frombuffer(each.buffers()[1], np.uint64)[2 * each.offset :][: 2 * len(each) : 2]
            for each in ids.chunks
            if len(each)
        ]
    )
    ranked = np.sort(first)
    shared = np.unique(ranked[1:][ranked[1:] == ranked[:-1]])
    alike = ids.filter(pa.array(np.isin(first, shared)))
    return bool(pc.count_distinct(alike).as_py() != len(alike))


def _joined(arrays: Sequence[npt.NDArray[np.int32]]) -> npt.NDArray[np.int32]:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.int32)
