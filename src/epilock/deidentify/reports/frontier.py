"""The frontier of risk and utility: what a release would lose, were the smallest class larger or smaller.

Rules kept in this file:
  1. Each point is a release of its own, made by the same method with another k; all else stays.
  2. The number of searches is bounded, and so is what each looks at. What can't be reached is said, not left out.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.model import KAnonymity, Model
from epilock.deidentify.search.methods import DEFAULT, METHODS, Task
from epilock.deidentify.search.optimum import Progress
from epilock.errors import InputError, TooLargeError, UnattainableError

SERIES = (2, 5, 10, 20, 50, 100)
MOST_SEARCHES = 12
MOST_NODES = 1 << 20  # of a lattice that is searched again and again
MOST_CLASSES = (
    1 << 16
)  # finest ones, of a table that a method without a lattice recodes again and again


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The best release that the method finds in which every class has ``k`` rows.

    Attributes:
        k: At least so many.
        chosen: Whether this is the release that was made.
        levels: Level of each quasi-identifier; None if there is no such release, or it is not one for all rows.
        score: What it loses, or None.
        suppressed: Rows that it leaves out, or None.
        classes: Its classes, or None.
        highest, average: Its risks, as ``review.Measures`` has them, or None.
    """

    k: int
    chosen: bool
    levels: Mapping[str, int] | None = dataclasses.field(hash=False)
    score: float | None
    suppressed: int | None
    classes: int | None
    highest: float | None
    average: float | None


def along(
    task: Task,
    models: Sequence[Model],
    *,
    search: str = DEFAULT,
    sensitive: Sequence[str] = (),
    series: Sequence[int] = SERIES,
    progress: Progress | None = None,
) -> tuple[Point, ...]:
    """Return the points of ``series`` and of the k that ``models`` ask, by rising k.

    Args:
        task: The table and what is minimised, as the release was made of it.
        models: Its models; that of kind k-anonymity is replaced at each point.
        search: By which of ``METHODS``.
        sensitive: The sensitive columns, in the order in which they were counted.
        series: The other k.
        progress: Is told how many searches are done, and how many there are.

    Raises:
        InputError: More than a dozen searches are asked for.
        TooLargeError: The lattice, or the table, is too large to be searched again and again.
    """
    own = max((each.k for each in models if isinstance(each, KAnonymity)), default=None)
    ks = sorted({*series, *(() if own is None else (own,))})
    if len(ks) > MOST_SEARCHES:
        raise InputError(f"a frontier has {MOST_SEARCHES} points at most, not {len(ks)}")
    _check_size(task, search, len(ks))
    others = [each for each in models if not isinstance(each, KAnonymity)]
    points = []
    for done, k in enumerate(ks, 1):
        judge = Judge.of([KAnonymity(k), *others], task.counted, sensitive, task.hierarchies)
        alone = dataclasses.replace(task, judge=judge, progress=None)
        points.append(_point(alone, search, k, chosen=k == own))
        if progress is not None:
            progress(done, len(ks))
    return tuple(points)


def _check_size(task: Task, search: str, times: int) -> None:
    nodes = math.prod(each.height + 1 for each in task.columns.quasi)
    if search == DEFAULT and nodes > MOST_NODES:
        raise TooLargeError(
            f"a lattice of {nodes:,} nodes is not searched {times} times; a frontier is made up to {MOST_NODES:,}"
        )
    classes = len(task.counted.classes)
    if search != DEFAULT and classes > MOST_CLASSES:
        raise TooLargeError(
            f"{classes:,} combinations are not recoded {times} times; a frontier is made up to {MOST_CLASSES:,}"
        )


def _point(task: Task, search: str, k: int, *, chosen: bool) -> Point:
    try:
        found = METHODS[search](task)
    except UnattainableError:
        return Point(
            k=k, chosen=chosen, levels=None, score=None, suppressed=None, classes=None, highest=None,
            average=None,
        )  # fmt: skip
    sizes = found.released.counts[~found.fails & (found.released.counts > 0)]
    names = [each.attribute for each in task.columns.quasi]
    return Point(
        k=k, chosen=chosen,
        levels=None if found.levels is None else dict(zip(names, found.levels, strict=True)),
        score=found.score, suppressed=found.suppressed, classes=found.classes,
        highest=1 / int(sizes.min()) if len(sizes) else 0.0,
        average=len(sizes) / max(1, int(sizes.sum())),
    )  # fmt: skip
