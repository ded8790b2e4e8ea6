"""What a local method found, beside the full-domain optimum for the same limit.

Rules kept in this file:
  1. What is released is the better of the two: generality never costs.
  2. All models are judged once more, on the classes that a reader sees, before anything is an outcome.
  3. A model of the whole release is kept by classes that are large enough: the least size at which it holds
     is sought by doubling and halving.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from epilock.deidentify.criteria.judge import Judge
from epilock.deidentify.criteria.metric import Metric
from epilock.deidentify.rows.classes import Classes
from epilock.deidentify.rows.counting import Columns
from epilock.deidentify.search import beam, optimum
from epilock.deidentify.search.lattice import MOST_NODES
from epilock.deidentify.search.local.mixed import Mixed, MixedRecoding
from epilock.deidentify.search.local.prices import of_classes
from epilock.errors import UnattainableError

HALVINGS = 3

Method = Literal["local", "mondrian", "full-domain"]
FullDomain = optimum.Optimum | beam.Best


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """A release that keeps the models.

    Attributes:
        method: What made it: ``full-domain`` where nothing better was found.
        score: What it loses.
        suppressed: Rows suppressed.
        classes: Classes that its reader sees.
        levels: For each attribute how many released rows are on each level of its hierarchy; an interval
            is on the lowest level on which all its values look alike.
        seconds: How long it took.
        full_domain: The best node for the same limit, or None if no node keeps it.
        mixed: What becomes of each finest class.
    """

    method: Method
    score: float
    suppressed: int
    classes: int
    levels: tuple[tuple[int, ...], ...]
    seconds: float
    full_domain: FullDomain | None
    mixed: Mixed = field(repr=False)
    columns: Columns = field(repr=False)

    def recoding(self, kept: tuple[str, ...] = ()) -> MixedRecoding:
        """Return what turns batches of the table into the release; ``kept`` columns pass unchanged."""
        return MixedRecoding(self.columns, self.mixed, kept)


def better(
    method: Method,
    make: Callable[[Judge], Mixed],
    finest: Classes,
    columns: Columns,
    *,
    judge: Judge,
    metric: Metric,
    limit: int,
) -> Outcome:
    """Return the better of what ``make`` finds for a judge of classes and the full-domain optimum.

    Raises:
        UnattainableError: Neither suppresses ``limit`` rows at most.
    """
    began = time.perf_counter()
    refused: UnattainableError | None = None
    node: FullDomain | None = None
    try:
        if math.prod(h.height + 1 for h in columns.quasi) > MOST_NODES:
            node = beam.search(finest, judge, metric, limit=limit)
        else:
            node = optimum.search(finest, judge, metric, limit=limit)
    except UnattainableError as error:
        refused = error
    best = _least_size(make, judge, limit, metric.rows)
    score = float("inf") if best is None else best.cost(metric)
    if node is not None and (best is None or node.score < score):
        method, best, score = "full-domain", Mixed.of_node(finest, node.levels, judge), node.score
    if best is None:
        raise refused or UnattainableError("no release keeps the models")
    return Outcome(
        method=method, score=score, suppressed=best.rows_suppressed, classes=len(best.sizes()),
        levels=tuple(best.rows_on(a) for a in range(len(columns.quasi))),
        seconds=time.perf_counter() - began, full_domain=node, mixed=best, columns=columns,
    )  # fmt: skip


def _least_size(
    make: Callable[[Judge], Mixed], judge: Judge, limit: int, rows: int
) -> Mixed | None:
    """Return the release of the smallest classes that keeps everything, or None if there is none."""

    def kept(size: int) -> Mixed | None:
        made = make(of_classes(judge, size)).kept_by(judge)
        return made if made.rows_suppressed <= limit else None

    low = high = judge.least
    found = kept(low)
    if not judge.release_models:
        return found
    while found is None and high < rows:
        low, high = high, min(rows, 2 * high)
        found = kept(high)
    for _ in range(HALVINGS):
        middle = (low + high) // 2
        if found is None or middle == low:
            break
        closer = kept(middle)
        low, high = (middle, high) if closer is None else (low, middle)
        found = closer or found
    return found
