"""Methods of making a release, by the name that ``search`` gives them: each takes a task and finds a recoding.

To add one, write a function from ``Task`` to ``Found`` and put it into ``METHODS``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.metric import Metric
from epilock.deidentify.rows.classes import Classes
from epilock.deidentify.rows.counting import Columns, Counted
from epilock.deidentify.rows.hierarchy import Hierarchy
from epilock.deidentify.rows.recoding import FullDomain, Recoding
from epilock.deidentify.search import beam, optimum
from epilock.deidentify.search.lattice import Tally
from epilock.deidentify.search.local import mondrian, scheme
from epilock.deidentify.search.local.outcome import Outcome
from epilock.deidentify.search.optimum import Progress


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """What a method is given.

    Attributes:
        columns: What was counted.
        counted: The finest classes.
        judge: What must hold.
        metric: What is minimised.
        limit: Rows that may be suppressed.
        passing: Columns that pass unchanged.
        hierarchies: Of all attributes that have one.
        progress: Is told how far it is, and how far it has to go.
    """

    columns: Columns
    counted: Counted
    judge: Judge
    metric: Metric
    limit: int
    passing: tuple[str, ...]
    hierarchies: Mapping[str, Hierarchy]
    progress: Progress | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """What a method found.

    Attributes:
        recoding: How rows become rows of the release.
        released: The classes of the release, and of what is suppressed.
        fails: Which of them are suppressed.
        levels: The level of each attribute, or None where it is not the same for all rows.
        score: What the release loses.
        suppressed: Rows left out.
        classes: Classes that are kept.
        ties: Other levels with the same score.
        tally: What became of the lattice's nodes, or None where not all of them were settled.
        bound: No generalisation of the whole table to one node loses less, or None where nothing says so.
        seconds: How long it took.
    """

    recoding: Recoding
    released: Classes = field(repr=False)
    fails: npt.NDArray[np.bool_] = field(repr=False)
    levels: tuple[int, ...] | None
    score: float
    suppressed: int
    classes: int
    ties: tuple[tuple[int, ...], ...]
    tally: Tally | None
    bound: float | None
    seconds: float


def optimal(task: Task) -> Found:
    """Return the optimum of full-domain generalisation; raises as ``optimum.search`` does."""
    best = optimum.search(
        task.counted.classes, task.judge, task.metric, limit=task.limit, progress=task.progress
    )
    return _at_node(task, best, ties=best.ties, tally=best.tally, bound=best.score)


def beamed(task: Task) -> Found:
    """Return a good node of a lattice that may be too large to be searched, and its bound (``beam``)."""
    best = beam.search(
        task.counted.classes, task.judge, task.metric, limit=task.limit, progress=task.progress
    )
    return _at_node(task, best, ties=(), tally=None, bound=best.bound)


def _at_node(
    task: Task,
    best: optimum.Optimum | beam.Best,
    *,
    ties: tuple[tuple[int, ...], ...],
    tally: Tally | None,
    bound: float,
) -> Found:
    node = task.counted.classes.rolled_up(best.levels)
    fails, _ = task.judge.judge(node)
    return Found(
        recoding=FullDomain.of(task.columns, node, fails, task.passing),
        released=node, fails=fails, levels=best.levels, score=best.score, suppressed=best.suppressed,
        classes=best.classes, ties=ties, tally=tally, bound=bound, seconds=best.seconds,
    )  # fmt: skip


def locally(task: Task) -> Found:
    """Return a release in which each class has its own levels (``local.scheme``)."""
    return _mixed(
        task,
        scheme.recode(
            task.counted, task.columns, task.judge, task.metric, task.limit, progress=task.progress
        ),
    )


def cut(task: Task) -> Found:
    """Return a release cut in several dimensions, numbers into intervals (``local.mondrian``)."""
    return _mixed(
        task, mondrian.recode(task.counted, task.columns, task.judge, task.metric, task.limit)
    )


def _mixed(task: Task, found: Outcome) -> Found:
    _, released = found.mixed.seen()
    return Found(
        recoding=found.recoding(task.passing), released=released,
        fails=np.zeros(len(released), np.bool_), levels=None, score=found.score,
        suppressed=found.suppressed, classes=found.classes, ties=(), tally=None, bound=None,
        seconds=found.seconds,
    )  # fmt: skip


DEFAULT = "optimal"
METHODS: dict[str, Callable[[Task], Found]] = {
    DEFAULT: optimal,
    "beam": beamed,
    "local": locally,
    "mondrian": cut,
}
