"""Inference: what is learnt of a person who is found, and whether it can be told who is in a release at all.

Rules kept in this file:
  1. The adversary knows all quasi-identifiers of a person, believes what the fitting rows of the release say
     (``covers``), each alike, and knew before what the whole release says.
  2. Results are plain dataclasses of numbers, texts and tuples; ``dataclasses.asdict`` is their JSON form.

Sources: homogeneity and background knowledge (Machanavajjhala et al. 2007) · skewness (Li, Li,
Venkatasubramanian 2007) · membership advantage (Yeom, Giacomelli, Fredrikson, Jha 2018) · interval of a
difference of two shares (Newcombe 1998, method 10).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from epilock.deidentify.evaluation.covers import Codes, Fit, Flags, Matcher, Rows, rows_of, targets
from epilock.deidentify.rows.classes import Counts
from epilock.errors import InputError, TooLargeError

MOST_CELLS = 1 << 27  # different rows x sensitive values, held at once
BLOCK_CELLS = 1 << 23
EXCLUDED = (0, 1, 2)  # sensitive values that background knowledge rules out
NORMAL_975 = 1.959963984540054  # of the normal distribution: 95 % two-sided


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What is learnt of a sensitive column by who knows all quasi-identifiers of a person in the release.

    Attributes:
        column: Its name.
        rows: How many people.
        homogeneous: Shares of people whose fitting rows all have one value, when 0, 1 or 2 of the values can
            be ruled out by background knowledge, whichever they are.
        largest_distance: Of the distribution in the fitting rows from that of the whole release: half the
            sum of the differences; the greatest.
        mean_distance: The same, over all people.
        largest_gain: The most that any value's probability grows for any person.
        mean_gain: By how much the likeliest value's probability grows, over all people.
        guessed: Share of people whose value is guessed by taking the likeliest.
        guessed_without: The same without the release of quasi-identifiers: the most frequent value.
    """

    column: str
    rows: int
    homogeneous: tuple[float, ...]
    largest_distance: float
    mean_distance: float
    largest_gain: float
    mean_gain: float
    guessed: float
    guessed_without: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """How well can be told who is in the release.

    The adversary says "in" to whom at least ``least`` rows fit. ``least`` was learnt on one half of both
    groups, the rest was counted on the other.

    Attributes:
        columns: What is known of a person.
        rows_in: People whose rows were in the table, in the half that was counted.
        rows_out: People who were held out, in the half that was counted.
        least: Fitting rows from which on "in" is said.
        told_in: Share of those in of whom "in" is said.
        told_out: Share of those held out of whom "in" is said.
        advantage: The difference: 0 is no better than a coin, 1 is certainty.
        low: Lower end of its interval of 95 %.
        high: Upper end.
    """

    columns: tuple[str, ...]
    rows_in: int
    rows_out: int
    least: int
    told_in: float
    told_out: float
    advantage: float
    low: float
    high: float


def disclosure(
    before: pa.Table | Rows,
    after: pa.Table | Rows,
    columns: Sequence[str],
    sensitive: str,
    matchers: Mapping[str, Matcher],
    *,
    released: Flags | None = None,
) -> Disclosure:
    """Return what the release tells of the column ``sensitive``, which it holds as it was.

    Arguments are those of ``attack.linkage``.

    Raises:
        InputError: See ``attack.linkage``; no row is in the release.
        TooLargeError: More than 2**27 different rows x sensitive values.
    """
    names, every = tuple(columns), (*columns, sensitive)
    forms, truth = Rows.of(after, every), Rows.of(rows_of(before, released), every)
    release, of_form = forms.of_columns(range(len(names)))
    people, of_truth = truth.of_columns(range(len(names)))
    values = tuple(dict.fromkeys([*forms.values[-1], *truth.values[-1]]))
    if max(len(release.rows), len(people.rows)) * len(values) > MOST_CELLS:
        raise TooLargeError(
            f"{len(people.rows):,} different rows with {len(values):,} values of {sensitive} are more than"
            f" {MOST_CELLS:,} cells; group the values first"
        )
    fit, stays = targets(people, release, matchers, sure=released is not None)
    if not fit.people.total:
        raise InputError("no row of the table is in the release")
    held = _histogram(forms, of_form, values, len(release.rows))
    own = _histogram(truth, of_truth, values, len(people.rows))[stays]
    return _disclosed(sensitive, fit, held, own)


def membership(
    members: pa.Table,
    held_out: pa.Table,
    after: pa.Table,
    columns: Sequence[str],
    matchers: Mapping[str, Matcher],
    *,
    seed: int = 0,
) -> Membership:
    """Return how well can be told whose rows a release was made from.

    Args:
        members: The rows that it was made from.
        held_out: Rows of the same source that it was not made from.
        after: The release of ``members``.
        columns: What the adversary knows of a person: quasi-identifiers, and perhaps more.
        matchers: What forms of a column cover; a column that is not named was released as it is.
        seed: Of the division into halves.

    Raises:
        InputError: Fewer than two rows in one of the groups; a column is missing, a value or form unknown.
    """
    names = tuple(columns)
    release = Rows.of(after, names)
    rng = np.random.default_rng(seed)
    learnt, counted = [], []
    for group in (members, held_out):
        if group.num_rows < 2:  # noqa: PLR2004 - one for each half
            raise InputError("who is in can be told only of two rows or more in each group")
        people = Rows.of(group, names)
        fits = Fit.of(people, release, matchers).matches
        mixed = rng.permutation(np.repeat(fits, people.rows))
        learnt.append(np.sort(mixed[: len(mixed) // 2]))
        counted.append(mixed[len(mixed) // 2 :])
    steps = np.unique(np.concatenate(learnt))
    over = [1 - np.searchsorted(fits, steps) / len(fits) for fits in learnt]
    least = int(steps[np.argmax(over[0] - over[1])])
    told = [int((fits >= least).sum()) for fits in counted]
    many = [len(fits) for fits in counted]
    shares = [t / n for t, n in zip(told, many, strict=True)]
    low, high = _interval(told, many)
    return Membership(
        columns=names, rows_in=many[0], rows_out=many[1], least=least, told_in=shares[0],
        told_out=shares[1], advantage=shares[0] - shares[1], low=low, high=high,
    )  # fmt: skip


def _histogram(rows: Rows, of: Codes, values: tuple[str, ...], many: int) -> Counts:
    """Return how often each of ``values`` (the last column) is in each of ``many`` groups of ``rows``."""
    number = {value: at for at, value in enumerate(values)}
    place = np.array([number[value] for value in rows.values[-1]], np.int64)
    found = np.zeros((many, len(values)), np.int64)
    found[of, place[rows.codes[-1]]] = rows.rows
    return found


def _disclosed(column: str, fit: Fit, held: Counts, own: Counts) -> Disclosure:
    """Return what people learn by whom they fit.

    ``held`` and ``own`` have shape (different rows, values): of the release, and of the people themselves.
    """
    whole = held.sum(axis=0) / held.sum()
    rows = fit.people.rows
    seen = np.zeros(own.shape, np.int64)
    for people, released in fit.pairs():
        for block in np.array_split(
            np.arange(len(people)), len(people) * own.shape[1] // BLOCK_CELLS + 1
        ):
            seen[people[block]] += held[released[block]]
    different, likeliest = (seen > 0).sum(axis=1), seen.max(axis=1)
    belief = seen / seen.sum(axis=1, keepdims=True)
    distance = np.abs(belief - whole).sum(axis=1) / 2
    guess = seen == likeliest[:, None]  # of equally likely ones each is taken as often
    right = (own * guess).sum(axis=1) / guess.sum(axis=1)
    first = whole == whole.max()
    many = int(rows.sum())
    return Disclosure(
        column=column, rows=many,
        homogeneous=tuple(float(rows[different <= 1 + e].sum()) / many for e in EXCLUDED),
        largest_distance=float(distance.max()), mean_distance=float(rows @ distance) / many,
        largest_gain=float((belief - whole).max()),
        mean_gain=float(rows @ belief.max(axis=1)) / many - float(whole.max()),
        guessed=float(right.sum()) / many,
        guessed_without=float(own.sum(axis=0)[first].sum()) / int(first.sum()) / many,
    )  # fmt: skip


def _interval(told: Sequence[int], many: Sequence[int]) -> tuple[float, float]:
    """Return the interval of 95 % of the difference of two shares."""
    (p, low_p, high_p), (q, low_q, high_q) = (
        _wilson(t, n) for t, n in zip(told, many, strict=True)
    )
    return (
        p - q - math.hypot(p - low_p, high_q - q),
        p - q + math.hypot(high_p - p, q - low_q),
    )


def _wilson(told: int, many: int) -> tuple[float, float, float]:
    """Return a share and its interval of 95 % (Wilson 1927)."""
    p, z = told / many, NORMAL_975
    middle = (p + z * z / (2 * many)) / (1 + z * z / many)
    half = z / (1 + z * z / many) * math.sqrt(p * (1 - p) / many + z * z / (4 * many * many))
    return p, middle - half, middle + half
