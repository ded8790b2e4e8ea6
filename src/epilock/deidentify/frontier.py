"""The frontier of risk and utility: what a release would lose, were the smallest class larger or smaller.

Rules kept in this file:
  1. Each point is an optimum of its own, found by the same search with another k; all else stays.
  2. The number of searches is bounded. What can't be reached is said, not left out.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from epilock.deidentify.counting import Counted
from epilock.deidentify.hierarchy import Hierarchy
from epilock.deidentify.judge import Judge
from epilock.deidentify.metric import Metric
from epilock.deidentify.model import KAnonymity, Model
from epilock.deidentify.search import Progress, search
from epilock.errors import InputError, TooLargeError, UnattainableError

SERIES = (2, 5, 10, 20, 50, 100)
MOST_SEARCHES = 12
MOST_NODES = 1 << 20  # of a lattice that is searched again and again


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The best release in which every class has ``k`` rows.

    Attributes:
        k: At least so many.
        chosen: Whether this is the release that was made.
        levels: Level of each quasi-identifier; None if there is no such release.
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
    counted: Counted,
    models: Sequence[Model],
    metric: Metric,
    *,
    limit: int,
    sensitive: Sequence[str] = (),
    hierarchies: Mapping[str, Hierarchy] | None = None,
    series: Sequence[int] = SERIES,
    progress: Progress | None = None,
) -> tuple[Point, ...]:
    """Return the points of ``series`` and of the k that ``models`` ask, by rising k.

    Args:
        counted: The table, as the release was made of it.
        models: Its models; that of kind k-anonymity is replaced at each point.
        metric: What is minimised.
        limit: Rows that may be suppressed.
        sensitive: The sensitive columns, in the order in which they were counted.
        hierarchies: Of them.
        series: The other k.
        progress: Is told how many searches are done, and how many there are.

    Raises:
        InputError: More than a dozen searches are asked for.
        TooLargeError: The lattice is too large to be searched again and again.
    """
    own = max((each.k for each in models if isinstance(each, KAnonymity)), default=None)
    ks = sorted({*series, *(() if own is None else (own,))})
    if len(ks) > MOST_SEARCHES:
        raise InputError(f"a frontier has {MOST_SEARCHES} points at most, not {len(ks)}")
    nodes = 1
    for each in counted.classes.packing.hierarchies:
        nodes *= each.height + 1
    if nodes > MOST_NODES:
        raise TooLargeError(
            f"a lattice of {nodes:,} nodes is not searched {len(ks)} times; a frontier is made up to {MOST_NODES:,}"
        )
    others = [each for each in models if not isinstance(each, KAnonymity)]
    points = []
    for done, k in enumerate(ks, 1):
        judge = Judge.of([KAnonymity(k), *others], counted, sensitive, hierarchies)
        points.append(_point(counted, judge, metric, limit, k, chosen=k == own))
        if progress is not None:
            progress(done, len(ks))
    return tuple(points)


def _point(
    counted: Counted, judge: Judge, metric: Metric, limit: int, k: int, *, chosen: bool
) -> Point:
    try:
        found = search(counted.classes, judge, metric, limit=limit)
    except UnattainableError:
        return Point(
            k=k, chosen=chosen, levels=None, score=None, suppressed=None, classes=None, highest=None,
            average=None,
        )  # fmt: skip
    released = counted.classes.rolled_up(found.levels)
    fails, _ = judge.judge(released)
    sizes = released.counts[~fails & (released.counts > 0)]
    names = [each.attribute for each in counted.classes.packing.hierarchies]
    return Point(
        k=k, chosen=chosen, levels=dict(zip(names, found.levels, strict=True)), score=found.score,
        suppressed=found.suppressed, classes=found.classes,
        highest=1 / int(sizes.min()) if len(sizes) else 0.0,
        average=len(sizes) / max(1, int(sizes.sum())),
    )  # fmt: skip
