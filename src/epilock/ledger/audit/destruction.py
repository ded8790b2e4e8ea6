"""Erasure of one record, orders, holds, and the destruction of a bucket's parts."""

from datetime import datetime

from epilock.ledger import entry as e
from epilock.ledger.audit.holdings import Holding
from epilock.ledger.audit.told import Readers, Told, ToldOrder, begin, end, instant, is_day
from epilock.standard.text import Text

ANOTHER_RECORD = Text("与宣布的不是同一记录或部分", "another record or part than announced")
EMERGENCYS_END = Text("事件结束之后", "after the emergency's end")
NOTHING = (None, None)
COUNTED = {
    "collected": Text("收集", "collected"),
    "erased": Text("逐条擦除", "erased one by one"),
    "destroyed": Text("销毁", "destroyed"),
}


def _erasure(told: Told, index: int, said: e.Erasure) -> None:
    holding = told.holding(index, said.bucket)
    if holding is not None:
        told.check_number(index, holding, said.n)
        told.check_parts(index, holding, said.parts)
    told.erasures[said.erasure] = (index, said)


def _erased(told: Told, index: int, said: e.Erased) -> None:
    _, intent = told.erasures.pop(said.erasure, NOTHING)
    if intent is None:
        told.bad("erased-without-intent", said.erasure, index)
    elif not _is_as_announced(intent, said):
        told.bad("elsewhere", said.erasure, index, why=ANOTHER_RECORD)
    holding = told.holding(index, said.bucket)
    if holding is not None and holding.has(said.n):
        holding.erase(said.n, said.parts)
        if not holding.left_of(said.n):
            told.replaced.pop((said.bucket, said.n), None)


def _is_as_announced(intent: e.Erasure, said: e.Erased) -> bool:
    same = (intent.bucket, intent.n) == (said.bucket, said.n)
    return same and set(said.parts) <= set(intent.parts)


def _order(told: Told, index: int, said: e.Order) -> None:
    told.holding(index, said.bucket)
    told.orders[said.order] = ToldOrder(said)


def _order_approved(told: Told, index: int, said: e.OrderApproved) -> None:
    order = told.orders.get(said.order)
    if order is None:
        told.bad("undeclared", f"order {said.order}", index)
    elif order.said.by == said.by:
        told.bad("order-self-approved", said.order, index)
    else:
        order.approved = True


def _order_cancelled(told: Told, index: int, said: e.OrderCancelled) -> None:
    if told.orders.pop(said.order, None) is None:
        told.bad("undeclared", f"order {said.order}", index)


def _hold(told: Told, index: int, said: e.Hold) -> None:
    told.holding(index, said.bucket)
    told.needs(index, "assessment", said.assessment)
    told.holds[said.hold] = said


def _hold_released(told: Told, index: int, said: e.HoldReleased) -> None:
    if told.holds.pop(said.hold, None) is None:
        told.bad("undeclared", f"hold {said.hold}", index)


def _destroy(told: Told, index: int, said: e.Destroy) -> None:
    holding = told.holding(index, said.bucket)
    if holding is None:
        return
    told.check_parts(index, holding, said.parts)
    at = instant(said.at)
    hold = told.hold_on(said.bucket, at)
    if hold is not None:
        told.bad("destroy-held", said.bucket, index, hold=hold)
    _check_dates(told, index, holding, said)
    for part in said.parts:
        holding.dying.setdefault(part, index)
    told.intents[said.destruction] = (index, said)


def _check_dates(told: Told, index: int, holding: Holding, said: e.Destroy) -> None:
    """Check that each part is due when its destruction is announced, and that one of the dates is told."""
    at = instant(said.at)
    dues = [(part, told.due_of(told.findings, holding, part, index)) for part in said.parts]
    known = [(part, due) for part, due in dues if due is not None]
    for part, due in known:
        if (due.at is None or at < e.hour(due.at)) and not told.is_ordered(holding, part, due, at):
            when = EMERGENCYS_END if due.at is None else e.stamp(due.at)
            told.bad("destroy-early", f"{said.bucket} {part}", index, part=part, due=when)
    right = [due.at for _, due in known if due.at is not None]
    if said.due is not None and right and not any(_same(said.due, each) for each in right):
        when = ", ".join(sorted({e.stamp(each) for each in right}))
        told.bad("due-differs", said.bucket, index, stated=said.due, due=when)


def _same(stated: str, due: datetime) -> bool:
    """Tell whether a stated due date means ``due``; a day may mean the midnight that ends it."""
    return e.hour(due) == begin(stated) or (is_day(stated) and due == end(stated))


def _certificate(told: Told, index: int, said: e.Certificate) -> None:
    _, intent = told.intents.get(said.destruction, NOTHING)
    if intent is None:
        told.bad("certificate-without-intent", said.destruction, index)
    elif intent.bucket != said.bucket or set(intent.parts) != set(said.parts):
        told.bad("certificate-differs", said.destruction, index)
    holding = told.holding(index, said.bucket)
    if holding is None:
        return
    told.check_parts(index, holding, said.parts)
    for part in said.parts:
        if part in holding.dead:
            told.bad("certified-twice", said.bucket, index, part=part)
    if holding.dead.keys().isdisjoint(said.parts):
        _check_counts(told, index, holding, said)
    if said.complete and said.leases:
        told.bad("certificate-leases", said.destruction, index)
    if said.complete:
        told.intents.pop(said.destruction, None)
        holding.bury(said.parts, index)
    else:
        holding.incomplete.update(dict.fromkeys(said.parts, index))


def _check_counts(told: Told, index: int, holding: Holding, said: e.Certificate) -> None:
    found = holding.counts(said.parts)
    for what, name in COUNTED.items():
        stated, right = getattr(said, what), getattr(found, what)
        if stated != right:
            about = f"{said.destruction} {what}"
            told.bad("certificate-counts", about, index, what=name, stated=stated, found=right)
    if said.collected - said.erased != said.destroyed:
        told.bad(
            "certificate-sum", said.destruction, index, collected=said.collected,
            erased=said.erased, destroyed=said.destroyed,
        )  # fmt: skip
    if found.collected and not said.first <= found.first <= found.last <= said.last:
        covers, numbers = f"{said.first}-{said.last}", f"{found.first}-{found.last}"
        told.bad("certificate-range", said.destruction, index, stated=covers, found=numbers)


READERS: Readers = {
    e.Erasure: _erasure,
    e.Erased: _erased,
    e.Order: _order,
    e.OrderApproved: _order_approved,
    e.OrderCancelled: _order_cancelled,
    e.Hold: _hold,
    e.HoldReleased: _hold_released,
    e.Destroy: _destroy,
    e.Certificate: _certificate,
}
