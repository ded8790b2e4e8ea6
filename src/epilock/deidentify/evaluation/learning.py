"""Learning: how well a simple model, trained on a release, tells what one trained on the table tells.

The model is naive Bayes of categories. Rules kept in this file:
  1. No record is judged by a model that saw it: k folds, the same for both models, drawn by seed, each with
     its share of every value of the target.
  2. Both are asked about records of the table, also those left out of the release. A form's rows are spread
     evenly over the values that it covers (``utility``): where each value has one form in the release that is
     the same as generalising the record that is asked about.
  3. Beside both stands what needs no model: to say the most frequent value always.
  4. Results are plain dataclasses of numbers, texts and tuples; ``dataclasses.asdict`` is their JSON form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from epilock.deidentify.evaluation.covers import Codes, Fit, Flags, Matcher, Rows, Same
from epilock.deidentify.evaluation.utility import Floats, Spread
from epilock.errors import InputError

FOLDS = 5
FEWEST = 2  # folds, and values of the target
SMOOTHING = 1.0  # rows added to each value of each class (Laplace)
MOST_CLASSES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How good the answers are.

    Attributes:
        accuracy: Share of right answers.
        balanced_accuracy: Mean over the target's values of the share of right answers among their records.
        auc: Area under the curve: the chance that a record of a value is thought likelier to have it than
            another record; the mean over values. One half is a coin.
    """

    accuracy: float
    balanced_accuracy: float
    auc: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What was learnt from both tables.

    Attributes:
        target: The column that is told.
        columns: From which.
        rows: Records asked about.
        folds: Into how many parts they were divided.
        majority: Of always saying the most frequent value.
        before: Of the model trained on the table.
        after: Of the model trained on the release.
    """

    target: str
    columns: tuple[str, ...]
    rows: int
    folds: int
    majority: Score
    before: Score
    after: Score


def learn(
    before: pa.Table,
    after: pa.Table,
    columns: Sequence[str],
    target: str,
    matchers: Mapping[str, Matcher],
    *,
    released: Flags | None = None,
    folds: int = FOLDS,
    seed: int = 0,
) -> Learnt:
    """Return how well ``target`` is told from ``columns``.

    Args:
        before: The table as it was.
        after: The release: rows of ``before`` in the same order, some left out, ``target`` as it was.
        columns: The features.
        target: The column that is told.
        matchers: What forms of a column cover; a column that is not named was released as it is.
        released: For each row of ``before`` whether it is in the release. Without it, the rows that fit some
            row of the release.
        folds: Parts, each of which is judged by models of the others.
        seed: Of the division into parts.

    Raises:
        InputError: Rows of the two tables can't be matched one to one; fewer than two values of the target, or
            too many; fewer rows than parts; a column is missing, a value or form unknown.
    """
    names = tuple(columns)
    raw, forms = Rows.each(before, names), Rows.each(after, names)
    stays = _released(raw, forms, matchers) if released is None else released
    label, values = _labels(before, after, target, stays)
    rows = len(label)
    if not FEWEST <= folds <= rows:
        raise InputError(
            f"{rows} rows can be divided into {FEWEST} to {rows} parts, not into {folds}"
        )
    part = np.empty(rows, np.int64)
    mixed = np.random.default_rng(seed).permutation(rows)
    part[mixed[np.argsort(label[mixed], kind="stable")]] = np.arange(rows) % folds
    spreads = [
        Spread.of(name, matchers.get(name, Same()), v, f)
        for name, v, f in zip(names, raw.values, forms.values, strict=True)
    ]
    whole = [Spread.of(name, Same(), v, v) for name, v in zip(names, raw.values, strict=True)]
    beliefs = np.zeros((3, rows, len(values)))
    beliefs[0] = np.bincount(label)
    own = np.flatnonzero(stays)
    for fold in range(folds):
        asked, used, kept = part == fold, part != fold, part[own] != fold
        for which, (table, known, spread) in enumerate(
            [(raw.codes[:, used], label[used], whole), (forms.codes[:, kept], label[own[kept]], spreads)], 1
        ):  # fmt: skip
            model = _train(table, known, len(values), spread)
            beliefs[which, asked] = _ask(model, raw.codes[:, asked])
    majority, trained, released_trained = (_score(belief, label) for belief in beliefs)
    return Learnt(
        target=target, columns=names, rows=rows, folds=folds, majority=majority, before=trained,
        after=released_trained,
    )  # fmt: skip


def _released(raw: Rows, forms: Rows, matchers: Mapping[str, Matcher]) -> Flags:
    every = range(len(raw.columns))
    people, member = raw.of_columns(every)
    fit = Fit.of(people, forms.of_columns(every)[0], matchers)
    found: Flags = (fit.matches > 0)[member]
    return found


def _labels(
    before: pa.Table, after: pa.Table, target: str, stays: Flags
) -> tuple[Codes, tuple[str, ...]]:
    """Return the place of each row's value of the target, and the values.

    Raises:
        InputError: See ``learn``.
    """
    own, released = Rows.each(before, [target]), Rows.each(after, [target])
    if len(stays) != before.num_rows or int(stays.sum()) != after.num_rows:
        raise InputError(
            f"{int(stays.sum()):,} of {len(stays):,} rows of the table would be released, but the release has"
            f" {after.num_rows:,}; say which rows were left out"
        )
    values = own.values[0]
    if not FEWEST <= len(values) <= MOST_CLASSES:
        raise InputError(
            f"{target} has {len(values)} values; what is told must have {FEWEST} to {MOST_CLASSES}"
        )
    label = own.codes[0]
    number = {value: at for at, value in enumerate(values)}
    theirs = np.array([number.get(value, -1) for value in released.values[0]], np.int64)
    if (theirs[released.codes[0]] != label[stays]).any():
        raise InputError(
            f"the release's column {target} is not that of the table row by row; give the release in the"
            " table's order, with this column as it was"
        )
    return label, values


Model = tuple[Floats, list[Floats]]


def _train(codes: Codes, label: Codes, classes: int, spreads: Sequence[Spread]) -> Model:
    """Return the logarithms of naive Bayes: of each class, and for each column of each value in each class."""
    many = np.bincount(label, minlength=classes).astype(float)
    tables = []
    for column, spread in zip(codes, spreads, strict=True):
        forms = int(spread.form.max(initial=-1)) + 1
        counts = np.bincount(column * classes + label, minlength=forms * classes).astype(float)
        by_value = np.stack(
            [spread.over(of_class) for of_class in counts.reshape(forms, classes).T], axis=1
        )
        tables.append(np.log((by_value + SMOOTHING) / (many + SMOOTHING * spread.values)))
    return np.log((many + SMOOTHING) / (many.sum() + SMOOTHING * classes)), tables


def _ask(model: Model, codes: Codes) -> Floats:
    """Return for each record and each class how likely it is, to a factor that its classes share."""
    first, tables = model
    logs = np.tile(first, (codes.shape[1], 1))
    for column, table in zip(codes, tables, strict=True):
        logs += table[column]
    likely: Floats = np.exp(logs - logs.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    return likely


def _score(belief: Floats, label: Codes) -> Score:
    right = belief.argmax(axis=1) == label
    classes = range(belief.shape[1])
    return Score(
        accuracy=float(right.mean()),
        balanced_accuracy=float(np.mean([right[label == each].mean() for each in classes])),
        auc=float(np.mean([_area(belief[:, each], label == each) for each in classes])),
    )


def _area(belief: Floats, has: npt.NDArray[np.bool_]) -> float:
    """Return the chance that one who has it is believed to more than one who has not; ties count half."""
    _, place, many = np.unique(belief, return_inverse=True, return_counts=True)
    rank = np.cumsum(many) - (many - 1) / 2
    own = int(has.sum())
    return float((rank[place[has]].sum() - own * (own + 1) / 2) / (own * (len(has) - own)))
