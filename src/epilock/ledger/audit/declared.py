"""What organisations, authorities and points declare: all that later entries refer to."""

from datetime import timedelta

from epilock.ledger import entry as e
from epilock.ledger.audit.holdings import Holding
from epilock.ledger.audit.told import Readers, Told, ToldPoint, end, instant
from epilock.standard.level import History, LevelChange, severity

SLACK = timedelta(minutes=5)  # a level may be entered this long after it took effect


def _organisation(told: Told, _index: int, said: e.Organisation) -> None:
    told.declared.add(("organisation", said.org))


def _emergency(told: Told, _index: int, said: e.Emergency) -> None:
    told.declared.add(("emergency", f"{said.org}/{said.emergency}"))


def _mandate(told: Told, index: int, said: e.Mandate) -> None:
    told.needs(index, "emergency", f"{said.authority}/{said.emergency}")
    told.declared.add(("mandate", said.mandate))


def _assessment(told: Told, _index: int, said: e.Assessment) -> None:
    told.declared.add(("assessment", said.assessment))


def _level(told: Told, index: int, said: e.Level) -> None:
    about = f"{said.org}/{said.emergency}"
    told.needs(index, "emergency", about)
    effective = instant(said.effective)
    late = instant(said.at) - effective
    if late > SLACK:
        minutes = int(late / timedelta(minutes=1))
        told.bad("level-backdated", about, index, minutes=minutes)
    changes = told.history(said.org, said.emergency).changes
    if changes and effective <= changes[-1].at:
        told.bad("level-order", about, index)
    else:
        told.levels[said.org, said.emergency] = History(
            (*changes, LevelChange(effective, said.level))
        )


def _point(told: Told, index: int, said: e.Point) -> None:
    told.needs(index, "organisation", said.org)
    told.needs(index, "emergency", f"{said.authority}/{said.emergency}")
    if said.mandate is not None:
        told.needs(index, "mandate", said.mandate)
    if said.assessment is not None:
        told.needs(index, "assessment", said.assessment)
    levels = told.history(said.authority, said.emergency).during(instant(said.at), end(said.at))
    for category in (*said.categories, *said.optional):
        if all(told.rules.refuses(said, category, level) for level in levels):
            shown = ", ".join(sorted(levels, key=severity)) or "-"
            told.bad("refused", f"{said.point} {category}", index, level=shown)
    if said.point in told.points:
        told.bad("declared-twice", said.point, index)
    else:
        told.points[said.point] = ToldPoint(said)


def _point_closed(told: Told, index: int, said: e.PointClosed) -> None:
    point = told.point(index, said.point)
    if point is not None:
        point.closed = True


def _notice(told: Told, index: int, said: e.Notice) -> None:
    point = told.point(index, said.point)
    if point is not None:
        point.notices.add(said.sha256)


def _notice_counts(told: Told, index: int, said: e.NoticeCounts) -> None:
    point = told.point(index, said.point)
    if point is not None and said.notice not in point.notices:
        told.bad("undeclared", f"notice {said.notice}", index)


def _bucket(told: Told, index: int, said: e.Bucket) -> None:
    told.needs(index, "organisation", said.org)
    told.needs(index, "emergency", f"{said.authority}/{said.emergency}")
    if said.bucket in told.holdings:
        before = told.holdings[said.bucket].said
        if (before.authority, list(before.parts)) != (said.authority, list(said.parts)):
            told.bad("declared-twice", said.bucket, index)
        return
    holding = told.holdings[said.bucket] = Holding(said, index)
    for part in said.parts:  # so that what the standard does not know is found at once
        told.due_of(told.findings, holding, part, index)


def _policy(told: Told, index: int, said: e.Policy) -> None:
    if end(said.since) <= instant(said.at):
        told.bad("policy-backdated", f"policy {said.sha256}", index, since=said.since)


def _names_bucket(told: Told, index: int, said: e.Lease | e.Request) -> None:
    told.holding(index, said.bucket)


READERS: Readers = {
    e.Organisation: _organisation,
    e.Emergency: _emergency,
    e.Mandate: _mandate,
    e.Assessment: _assessment,
    e.Level: _level,
    e.Point: _point,
    e.PointClosed: _point_closed,
    e.Notice: _notice,
    e.NoticeCounts: _notice_counts,
    e.Bucket: _bucket,
    e.Policy: _policy,
    e.Lease: _names_bucket,
    e.Request: _names_bucket,
}
