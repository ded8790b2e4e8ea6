"""How the values of a release are distributed, before and after, as far as that may be shown.

Rules kept in this file:
  1. Only rows that are in the release are counted, before as after: no number tells of a suppressed row.
  2. A number below ``least`` is not shown. What is hidden of a form is one sum, of two values at least and
     never small itself, so that it can't be computed from what the release shows of the form.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from epilock.deidentify.rows import kernels
from epilock.deidentify.rows.classes import Classes, Counts
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.recoding import FullDomain
from epilock.deidentify.search.local.mixed import Mixed


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Numbers of which the small are hidden.

    Attributes:
        cells: Value and rows, the most frequent first.
        hidden: How many values are not shown.
        rows: Rows of them together.
    """

    cells: tuple[tuple[str, int], ...]
    hidden: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form of an attribute in the release.

    Attributes:
        form: As it is written.
        rows: Rows of the release that have it.
        before: What these rows said before; None if that is not known.
    """

    form: str
    rows: int
    before: Shown | None

    @property
    def changed(self) -> bool:
        """Whether its rows said something else before, as far as that is known."""
        return self.before is not None and [value for value, _ in self.before.cells] != [self.form]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One column of the release.

    Attributes:
        attribute: Its name.
        quasi: Whether it is a quasi-identifier.
        level: On which level it is, None if that differs from row to row or there are no levels.
        height: The highest level, None if there are no levels.
        forms: Those that may be shown, the most frequent first.
        hidden: How many forms are not shown.
        rows: Rows of them together.
    """

    attribute: str
    quasi: bool
    level: int | None
    height: int | None
    forms: tuple[Form, ...]
    hidden: int
    rows: int


def shown(counts: Mapping[str, int], least: int) -> Shown:
    """Return what of ``counts`` may be shown, so that no number below ``least`` is told or can be computed."""
    ranked = sorted((n, value) for value, n in counts.items() if n)
    hidden = sum(n < least for n, _ in ranked)
    rows = sum(n for n, _ in ranked[:hidden])
    while hidden and hidden < len(ranked) and (hidden == 1 or rows < least):
        rows += ranked[hidden][0]
        hidden += 1
    cells = sorted(ranked[hidden:], key=lambda cell: (-cell[0], cell[1]))
    return Shown(cells=tuple((value, n) for n, value in cells), hidden=hidden, rows=rows)


def kept_rows(recoding: FullDomain, finest: Classes) -> Counts:
    """Return how many rows of each of the ``finest`` classes are in the release: all or none."""
    lifted = finest.packing.lift(finest.keys, finest.levels, recoding.levels)
    found: Counts = np.where(kernels.are_among(lifted, recoding.suppressed), 0, finest.counts)
    return found


def of_full_domain(
    recoding: FullDomain, finest: Classes, *, least: int
) -> tuple[Distribution, ...]:
    """Return the distributions of the quasi-identifiers of a release whose rows are all on one node."""
    rows = kept_rows(recoding, finest)
    found = []
    for a, (hierarchy, level) in enumerate(
        zip(recoding.columns.quasi, recoding.levels, strict=True)
    ):
        many = np.bincount(finest.packing.codes(finest.keys, a), rows, hierarchy.size).astype(int)
        forms = (hierarchy.forms[level][code] for code in hierarchy.codes[level])
        cells = zip(forms, hierarchy.forms[0], many.tolist(), strict=True)
        found.append(_of_cells(hierarchy, cells, least, level=int(level)))
    return tuple(found)


def of_mixed(mixed: Mixed, *, least: int) -> tuple[Distribution, ...]:
    """Return the distributions of the quasi-identifiers of a release whose classes have forms of their own."""
    kept = ~mixed.suppressed
    rows, packing = mixed.finest.counts[kept], mixed.finest.packing
    found = []
    for a, (hierarchy, forms) in enumerate(zip(packing.hierarchies, mixed.forms, strict=True)):
        of = mixed.of[kept, a].astype(np.int64)
        values = packing.codes(mixed.finest.keys, a)[kept]
        pairs, member = np.unique(of * hierarchy.size + values, return_inverse=True)
        form, value = np.divmod(pairs, hierarchy.size)
        cells = zip(
            (forms.texts[each] for each in form), (hierarchy.forms[0][each] for each in value),
            kernels.add_up(member.astype(np.int32), rows, len(pairs)).tolist(), strict=True,
        )  # fmt: skip
        levels = np.flatnonzero(mixed.rows_on(a))
        level = int(levels[0]) if len(levels) == 1 else None
        found.append(_of_cells(hierarchy, cells, least, level=level))
    return tuple(found)


def _of_cells(
    hierarchy: Hierarchy, cells: Iterable[tuple[str, str, int]], least: int, *, level: int | None
) -> Distribution:
    """Return the distribution of an attribute, of whose released rows ``cells`` are form, value before and number."""
    groups: dict[str, dict[str, int]] = {}
    for form, value, n in cells:
        values = groups.setdefault(form, {})
        values[value] = values.get(value, 0) + n
    before = {form: shown(values, least) for form, values in groups.items()}
    after = {form: sum(values.values()) for form, values in groups.items()}
    return _distribution(
        hierarchy.attribute, after, before, least, level=level, height=hierarchy.height
    )


def of_counts(
    attribute: str, counts: Mapping[str, int], *, least: int, quasi: bool
) -> Distribution:
    """Return the distribution of a column of the release of which nothing else is known."""
    return _distribution(attribute, counts, {}, least, level=None, height=None, quasi=quasi)


def _distribution(
    attribute: str,
    after: Mapping[str, int],
    before: Mapping[str, Shown],
    least: int,
    *,
    level: int | None,
    height: int | None,
    quasi: bool = True,
) -> Distribution:
    seen = shown(after, least)
    return Distribution(
        attribute=attribute, quasi=quasi, level=level, height=height,
        forms=tuple(Form(form=f, rows=n, before=before.get(f)) for f, n in seen.cells),
        hidden=seen.hidden, rows=seen.rows,
    )  # fmt: skip
