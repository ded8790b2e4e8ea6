"""Records as they are collected, corrected and moved by an event."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from epilock.ledger import entry as e
from epilock.ledger.audit.holdings import Holding
from epilock.ledger.audit.told import Readers, Told, end
from epilock.ledger.finding import Findings
from epilock.standard.text import Text

ANOTHER_PLACE = Text(
    "采集点与该批的机构、事件或情形不同",
    "organisation, emergency or circumstance of point and bucket differ",
)
ANOTHER_DAY = Text(
    "移入的批属于另一天或另一触发事件", "the bucket it moved to is of another day or event"
)
ANOTHER_CLOCK = Text(
    "更正的记录移到了另一批，保存期限因此不同",
    "a corrected record lies in another bucket, so it is kept by another clock",
)


def _collect(told: Told, index: int, said: e.Collect) -> None:
    corrects = told.corrections.pop((said.bucket, said.n), None)
    holding = told.holding(index, said.bucket)
    point = told.point(index, said.point)
    if point is not None:
        if point.closed and corrects is None:
            told.late[said.bucket, said.n] = (said.point, index)
        if said.notice not in point.notices:
            told.bad("undeclared", f"notice {said.notice}", index)
    if holding is None:
        return
    if said.org != holding.said.org or (point is not None and not _fits(point.said, holding.said)):
        told.bad("elsewhere", f"{said.point} in {said.bucket}", index, why=ANOTHER_PLACE)
    if not holding.dead.keys().isdisjoint(said.parts):
        told.bad("collect-after-destruction", said.bucket, index)
    elif not holding.dying.keys().isdisjoint(said.parts):
        told.bad("collect-while-dying", said.bucket, index)
    _add(told, index, holding, said.n, said.parts)


def _correct(told: Told, index: int, said: e.Correct) -> None:
    holding = told.holding(index, said.bucket)
    target = told.holding(index, said.by_bucket)
    told.late.pop(
        (said.by_bucket, said.by_n), None
    )  # a point that closed takes corrections still (PIPL 46)
    if said.by_bucket != said.bucket:
        told.bad("elsewhere", said.by_bucket, index, why=ANOTHER_CLOCK)
    if holding is not None and told.check_number(index, holding, said.n):
        told.replaced[said.bucket, said.n] = (index, said.at)
    if target is not None and not target.has(said.by_n):
        told.corrections[said.by_bucket, said.by_n] = index


def _event(told: Told, index: int, said: e.Event) -> None:
    holding = told.holding(index, said.bucket)
    target = told.holding(index, said.to_bucket)
    if target is not None and (target.said.day, target.said.clock) != (said.day, said.event):
        told.bad("elsewhere", said.to_bucket, index, why=ANOTHER_DAY)
    if holding is None or not told.check_number(index, holding, said.n):
        return
    told.replaced[said.bucket, said.n] = (index, said.at)
    left = holding.left_of(said.n)
    if target is not None and left:
        _add(told, index, target, said.to_n, left)


def list_unproved(told: Told, to: Findings, now: datetime, grace: timedelta) -> None:
    """Add what was collected late, corrected by nothing, or replaced and is not shown to be erased by ``now``."""
    for (bucket, n), index in told.corrections.items():
        to.add("correction-missing", bucket, index, n=n)
    for point, index in told.late.values():
        to.add("point-closed", point, index)
    for (bucket, n), (index, at) in told.replaced.items():
        if now >= end(at) + grace and told.holdings[bucket].left_of(n):
            to.add("replaced-unfinished", bucket, index, n=n)


def _add(told: Told, index: int, holding: Holding, n: int, parts: Sequence[str]) -> None:
    told.check_parts(index, holding, parts)
    if not holding.add(n, parts):
        told.bad("number-repeated", holding.said.bucket, index, n=n)


def _fits(point: e.Point, bucket: e.Bucket) -> bool:
    return (point.org, point.authority, point.emergency, point.circumstance) == (
        bucket.org, bucket.authority, bucket.emergency, bucket.circumstance,
    )  # fmt: skip


READERS: Readers = {e.Collect: _collect, e.Correct: _correct, e.Event: _event}
