"""How the values of a release are distributed, before and after, as far as that may be shown.

Rules kept in this file:
  1. Only rows that are in the release are counted, before as after: no number tells of a suppressed row.
  2. A number below ``least`` is not shown. What is hidden of a form is one sum, of two values at least and
     never small itself, so that it can't be computed from what the release shows of the form.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from epilock.deidentify import kernels
from epilock.deidentify.classes import Classes, Counts
from epilock.deidentify.recoding import FullDomain


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
        groups: dict[str, dict[str, int]] = {}
        for value, code, n in zip(
            hierarchy.forms[0], hierarchy.codes[level], many.tolist(), strict=True
        ):
            groups.setdefault(hierarchy.forms[level][code], {})[value] = n
        before = {form: shown(values, least) for form, values in groups.items()}
        after = {form: sum(values.values()) for form, values in groups.items()}
        found.append(
            _distribution(
                hierarchy.attribute, after, before, least, level=int(level), height=hierarchy.height
            )
        )
    return tuple(found)


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
