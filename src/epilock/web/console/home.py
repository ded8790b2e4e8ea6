"""The first page of the console: for each role, what waits for its decision today, and nothing else.

A task is there while something can be decided, and gone when that is done; so an empty page means that
nothing waits.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from fastapi import APIRouter
from starlette.responses import Response

from epilock.accounts import arrival as arrivals
from epilock.accounts import attest, guessing, staff
from epilock.collect import point as points
from epilock.collect.intake import register, told
from epilock.db import Transaction
from epilock.destroy import due as dues
from epilock.destroy import freeze
from epilock.destroy import request as requests
from epilock.destroy import subject_request as subject_requests
from epilock.ledger import gather
from epilock.ledger.audit.asked import ANSWER_WITHIN
from epilock.ledger.audit.opening import REVIEW_WITHIN
from epilock.registry import emergency as emergencies
from epilock.registry import organisation as organisations
from epilock.standard.level import ENDED, midnight
from epilock.use import review as reviews
from epilock.web.console.approval import waiting
from epilock.web.console.desk import Desk, DeskOf
from epilock.web.console.received import IS_OPEN, mine

router = APIRouter(include_in_schema=False)
SOON = timedelta(days=3)  # before its last day a task stands out
WARN, BAD = "warn", "bad"
TOLD_FROM = 10  # failed sign-ins of a day: fewer are people who mistype


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Some things of one kind that wait for a decision.

    Attributes:
        name: The kind, as ``console.task`` names it.
        number: How many.
        path: Where they are decided.
        query: What its address asks for.
        tone: "", ``warn`` or ``bad``.
        since: Since when the oldest waits, or None.
        due: Until when the first must be decided, or None.
    """

    name: str
    number: int
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    tone: str = ""
    since: datetime | None = None
    due: datetime | None = None


@router.get("/console")
def get_home(desk: DeskOf) -> Response:
    """Show what waits."""
    with desk.site.parts.database.read() as tx:
        tasks = [
            task for part, ask in _ASKED if desk.may(part) for task in ask(desk, tx) if task.number
        ]
        frozen = freeze.current(tx)
    order = (BAD, WARN, "")
    return desk.show(
        "home.html",
        here="home",
        frozen=frozen,
        tasks=sorted(tasks, key=lambda task: order.index(task.tone)),
    )


def _approvals(desk: Desk, tx: Transaction) -> Iterator[Task]:
    table = waiting([o.org for o in organisations.below(tx, desk.org)])
    c = table.c
    query = sa.select(c.kind, sa.func.count(), sa.func.min(c.since)).group_by(c.kind)
    limits = {"erasure": requests.ANSWER_WITHIN, "opening": REVIEW_WITHIN}
    for kind, number, since in tx.conn.execute(query):
        due = since + limits[kind] if kind in limits else None
        yield Task(
            name=kind, number=number, path="/console/approvals", query={"kind": kind}, since=since,
            due=due, tone=_tone(desk, due) or WARN,
        )  # fmt: skip


def _requests(desk: Desk, tx: Transaction) -> Iterator[Task]:
    if desk.may("approvals"):
        return  # they stand among the approvals
    found = requests.listing(tx, desk.org, stage=requests.ASKED)
    due = min((r.due for r in found), default=None)
    yield Task(
        name="requests", number=len(found), path="/console/requests",
        query={"state": requests.ASKED}, since=min((r.asked for r in found), default=None), due=due,
        tone=_tone(desk, due),
    )  # fmt: skip


def _received(desk: Desk, tx: Transaction) -> Iterator[Task]:
    asked = subject_requests.subject_requests.c.asked
    query = sa.select(sa.func.count(), sa.func.min(asked)).where(mine(desk, tx), IS_OPEN)
    number, since = tx.conn.execute(query).one()
    due = since and since + ANSWER_WITHIN
    yield Task(
        name="received", number=number, path="/console/received", due=due, since=since,
        tone=_tone(desk, due),
    )  # fmt: skip


def _destruction(desk: Desk, tx: Transaction) -> Iterator[Task]:
    if not desk.has("custodian"):
        return
    now = desk.site.now()
    found = dues.calendar(tx, desk.site.parts.standard, now=now, org=desk.org, until=now)
    due = [d for d in found if d.is_due(now)]
    late = [d for d in due if d.is_overdue(now)]
    path = "/console/destruction"
    yield Task(name="overdue", number=len(late), path=path, tone=BAD, since=_first(late))
    fresh = [d for d in due if d not in late]
    yield Task(name="due", number=len(fresh), path=path, tone=WARN, since=_first(fresh))


def _levels(desk: Desk, tx: Transaction) -> Iterator[Task]:
    """Yield the emergencies whose level was expected to have ended by now: the authority decides again."""
    if not desk.has("custodian"):
        return
    c, today = emergencies.levels.c, desk.site.today().isoformat()
    for one in emergencies.everything(tx):
        if one.authority != desk.org:
            continue
        latest = tx.all(
            emergencies.levels, c.org == desk.org, c.emergency == one.emergency,
            order_by=[c.effective.desc()], limit=1,
        )  # fmt: skip
        for day in (row["expected_end"] for row in latest if row["expected_end"]):
            yield Task(
                name="level", number=int(day < today), tone=WARN,
                path=f"/console/levels/{desk.org}/{one.emergency}",
                due=midnight(date.fromisoformat(day) + timedelta(days=1)),
            )  # fmt: skip


def _silent(desk: Desk, tx: Transaction) -> Iterator[Task]:
    """Yield the open points that ask nothing at the level in force: nobody who scans their code is asked anything."""
    standard, now = desk.site.parts.standard, desk.site.now()
    levels = {
        (e.authority, e.emergency): emergencies.history(tx, e.authority, e.emergency).at(now) or ENDED
        for e in emergencies.everything(tx)
    }  # fmt: skip
    silent = [
        p for p in points.listing(tx, desk.org, only_open=True)
        if not p.active(standard, levels.get((p.authority, p.emergency), ENDED))
    ]  # fmt: skip
    yield Task(name="silent", number=len(silent), path="/console/points", query={"state": "open"})


def _imports(desk: Desk, tx: Transaction) -> Iterator[Task]:
    rows = tx.all(register.imports, register.imports.c.org == desk.org, told.is_left())
    left = told.untold_of(tx, desk.org, [register.read(row) for row in rows])
    yield Task(
        name="untold", number=sum(left.values()), path="/console/imports", query={"state": "untold"},
        tone=WARN,
    )  # fmt: skip


def _oversight(desk: Desk, tx: Transaction) -> Iterator[Task]:
    now = desk.site.now()
    found = dues.calendar(tx, desk.site.parts.standard, now=now, until=now)
    late = [d for d in found if d.is_overdue(now)]
    path = "/console/oversight"
    yield Task(
        name="overdue_anywhere", number=len(late), path=path, query={"has": "overdue"}, tone=BAD,
        since=_first(late),
    )  # fmt: skip
    unseen = [o for o in reviews.outstanding(tx) if o.is_overdue(now)]
    first = min((o.opened for o in unseen), default=None)
    yield Task(
        name="review_late", number=len(unseen), path=path, query={"has": "review"}, tone=BAD, since=first
    )  # fmt: skip


def _witnesses(desk: Desk, tx: Transaction) -> Iterator[Task]:
    states = gather.status(tx, desk.site.parts.log, now=desk.site.now())
    bad = [s for s in states if s.problem]
    since = min((s.since for s in bad if s.since), default=None)
    yield Task(name="witness", number=len(bad), path="/console/witnesses", tone=BAD, since=since)


def _alarms(desk: Desk, tx: Transaction) -> Iterator[Task]:
    """Yield the freeze that this account may have lifted, or lift."""
    found = freeze.current(tx)
    if found is None or organisations.superiors(tx, desk.org):
        return
    asked = found.stage == freeze.ASKED
    may = freeze.MAY_LIFT if asked else freeze.MAY_ASK
    mine = desk.has(*may) and found.asked_by != desk.who
    yield Task(
        name="unfreeze", number=int(mine), path="/console/alarms", tone=BAD,
        since=found.asked if asked else found.begun,
    )  # fmt: skip


def _accounts(desk: Desk, tx: Transaction) -> Iterator[Task]:
    bare = sum(not s.has_factor for s in staff.listing(tx, desk.org))
    yield Task(name="bare", number=bare, path="/console/accounts", tone=WARN)
    failed, since = guessing.failures_of(tx, desk.org, now=desk.site.now())
    tone = BAD if failed >= guessing.SPRAYED else WARN
    told = failed if failed >= TOLD_FROM else 0
    standing = attest.standings(tx, desk.org, now=desk.site.now())
    due = [
        s
        for s in standing
        if s.left is None and s.account.staff != desk.who and s.is_due(desk.site.now())
    ]
    latest = min((s.due for s in due), default=None)
    latest = latest and latest + attest.GRACE
    yield Task(
        name="attest",
        number=len(due),
        path="/console/accounts/review",
        due=latest,
        tone=_tone(desk, latest) or WARN,
    )
    for name, found in arrivals.waiting(tx, desk.org).items():
        yield Task(
            name=name, number=len(found), path="/console/accounts/arrivals", tone=BAD,
            since=min((one.at for one in found), default=None),
        )  # fmt: skip
    yield Task(name="failed", number=told, path="/console/accounts", tone=tone, since=since)


# Part of the console to what its page lets someone decide.
_ASKED: tuple[tuple[str, Callable[[Desk, Transaction], Iterator[Task]]], ...] = (
    ("approvals", _approvals),
    ("requests", _requests),
    ("received", _received),
    ("destruction", _destruction),
    ("levels", _levels),
    ("points", _silent),
    ("imports", _imports),
    ("oversight", _oversight),
    ("witnesses", _witnesses),
    ("alarms", _alarms),
    ("accounts", _accounts),
)


def _first(found: list[dues.DuePart]) -> datetime | None:
    return min((d.due.at for d in found if d.due.at), default=None)


def _tone(desk: Desk, due: datetime | None) -> str:
    if due is None or due - SOON > desk.site.now():
        return ""
    return BAD if due <= desk.site.now() else WARN
