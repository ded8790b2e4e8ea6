"""What the log has told so far: the state that the readers of entries share, and what they ask of it."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

from epilock.errors import InputError
from epilock.ledger import entry as e
from epilock.ledger.audit.holdings import Holding
from epilock.ledger.audit.rules import Rules
from epilock.ledger.finding import Findings
from epilock.standard.clock import Due
from epilock.standard.level import CHINA, History

DAY_LENGTH = len("2026-03-14")
WINDOW = timedelta(days=31)  # after its end an emergency's records are due within 30 days (ERL 85)


Readers = Mapping[type[e.Entry], Callable[["Told", int, Any], None]]
"""By type, the function that takes in an entry: ``(told, index, entry)``."""


@dataclass(slots=True)
class ToldPoint:
    """A point, the hashes of its notices, and whether it is closed."""

    said: e.Point
    notices: set[str] = field(default_factory=set)
    closed: bool = False


@dataclass(slots=True)
class ToldOrder:
    """An order, and whether another than who proposed it approved it."""

    said: e.Order
    approved: bool = False


@dataclass(slots=True)
class ToldGrant:
    """A grant, whether it was revoked, the records opened under it, and how often what else was done."""

    said: e.Grant
    revoked: bool = False
    opened: set[tuple[str, int]] = field(default_factory=set)
    counted: int = 0
    tried: int = 0
    released: int = 0
    searched: int = 0


@dataclass(slots=True)
class ToldEmergencyOpening:
    """An opening for treatment without a grant, its place, and whether it was reviewed."""

    said: e.Decision
    index: int
    reviewed: bool = False


@dataclass(slots=True)
class ToldImport:
    """An import, its place, how many records it says it stored (None: not yet), how many were told."""

    said: e.Import
    index: int
    stored: int | None = None
    told: int = 0


@dataclass(slots=True)
class ToldBudget:
    """What a dataset or one of its accounts may give away, and what it gave, in micro-epsilon."""

    allotted: int
    spent: int = 0


class Told:
    """The state; it grows with what lives, not with what was ever said.

    Attributes:
        findings: What was found so far.
        rules: What the log is held to.
        levels: Level history by authority and emergency.
        declared: Kind and id of what needs no more than its name.
        points: Points by id.
        holdings: Buckets by name.
        erasures: Erasures that were announced and are not shown to be done, with their index.
        intents: Destructions that were announced and are not certified, with their index.
        replaced: Records that were moved or corrected and are not shown to be erased, with index and
            instant.
        corrections: Index of a correction by the record that corrects, where that is not there yet.
        late: Point and index of what was collected after its point closed and corrects nothing, by record.
        holds: Holds that were not released.
        orders: Orders that were not cancelled.
        grants: Grants by id.
        glass: Openings for treatment without a grant, by decision.
        keys: Keys of the log that were announced, with the index of the entry.
        keys_ended: Keys of the log that ended, likewise.
        sealed: Index of the entry that seals the log.
        successor: First key of the log that goes on where this one is sealed, as that entry names it.
        imports: Imports by id.
        budgets: Budgets of privacy by organisation, dataset, purpose and recipient (None: as a whole).
        requests: Requests of persons that were not answered, with their index, by organisation and code.
        freezes: Freezes that were not lifted, with their index.
        pages: Pages of paper whose destruction was not attested, with their index, by organisation and code.
        ending: Studies whose end was announced and is not shown to be done, by organisation and code.
    """

    def __init__(self, rules: Rules) -> None:
        self.findings = Findings()
        self.rules = rules
        self.levels: dict[tuple[str, str], History] = {}
        self.declared: set[tuple[str, str]] = set()
        self.points: dict[str, ToldPoint] = {}
        self.holdings: dict[str, Holding] = {}
        self.erasures: dict[str, tuple[int, e.Erasure]] = {}
        self.intents: dict[str, tuple[int, e.Destroy]] = {}
        self.replaced: dict[tuple[str, int], tuple[int, str]] = {}
        self.corrections: dict[tuple[str, int], int] = {}
        self.late: dict[tuple[str, int], tuple[str, int]] = {}
        self.keys: dict[str, int] = {}
        self.keys_ended: dict[str, int] = {}
        self.sealed: int | None = None
        self.successor: str | None = None
        self.holds: dict[str, e.Hold] = {}
        self.orders: dict[str, ToldOrder] = {}
        self.grants: dict[str, ToldGrant] = {}
        self.glass: dict[str, ToldEmergencyOpening] = {}
        self.imports: dict[str, ToldImport] = {}
        self.budgets: dict[tuple[str, str, str | None, str | None], ToldBudget] = {}
        self.requests: dict[str, tuple[int, e.Request]] = {}
        self.freezes: dict[str, tuple[int, e.Freeze]] = {}
        self.pages: dict[str, tuple[int, e.PaperPage]] = {}
        self.ending: dict[str, tuple[int, e.Study]] = {}

    def continued(self) -> "Told":
        """Return the state with which the log goes on that continues this one: all but what is of the log."""
        told = deepcopy(self, {id(self.rules): self.rules})
        told.findings, told.keys, told.keys_ended = Findings(), {}, {}
        told.sealed = told.successor = None
        return told

    def bad(self, kind: str, about: str, index: int, **details: object) -> None:
        """Add a finding that the entry at ``index`` shows."""
        self.findings.add(kind, about, index, **details)

    def needs(self, index: int, kind: str, name: str) -> None:
        """Check that something of that kind was declared."""
        if (kind, name) not in self.declared:
            self.bad("undeclared", f"{kind} {name}", index)

    def point(self, index: int, name: str) -> ToldPoint | None:
        """Return a point, or None if it was not declared, which is a finding."""
        point = self.points.get(name)
        if point is None:
            self.bad("undeclared", f"point {name}", index)
        return point

    def holding(self, index: int, name: str) -> Holding | None:
        """Return a bucket, or None if it was not declared, which is a finding."""
        holding = self.holdings.get(name)
        if holding is None:
            self.bad("undeclared", f"bucket {name}", index)
        return holding

    def check_parts(self, index: int, holding: Holding, parts: Sequence[str]) -> None:
        """Check that the bucket has these parts."""
        for part in parts:
            if part not in holding.said.parts:
                self.bad("part-unknown", holding.said.bucket, index, part=part)

    def check_number(self, index: int, holding: Holding, n: int) -> bool:
        """Tell whether the bucket has record ``n``; one that is wholly dead has forgotten its own."""
        if not holding.has(n) and any(holding.living()):
            self.bad("number-unknown", holding.said.bucket, index, n=n)
        return holding.has(n)

    def history(self, authority: str, emergency: str) -> History:
        """Return the levels recorded so far."""
        return self.levels.get((authority, emergency), History(()))

    def due_of(self, to: Findings, holding: Holding, part: str, index: int) -> Due | None:
        """Return when a part is due by the levels recorded so far; None if it cannot be told here."""
        bucket = holding.said
        try:
            due = self.rules.due(bucket, part, self.history(bucket.authority, bucket.emergency))
        except InputError:
            to.add("part-unknown", bucket.bucket, index, part=part)
            return None
        if due is None:
            to.add("standard-unknown", bucket.standard, index)
        return due

    def hold_on(self, bucket: str, at: datetime) -> str | None:
        """Return a hold in force on the bucket at an instant, or None; it ends with a day."""
        holds = (h for h in self.holds.values() if h.bucket == bucket)
        return next((h.hold for h in holds if at < end(h.until)), None)

    def is_ordered(self, holding: Holding, part: str, due: Due, at: datetime) -> bool:
        """Tell whether people could decide that a part goes in the hour ``at``, before the day of the clock.

        They can only after the emergency's end, in the days that the standard gives until all is gone,
        for a part below grade 4, by an order that another than its proposer approved.
        """
        bucket = holding.said
        ended = self.history(bucket.authority, bucket.emergency).ended_at()
        if ended is None or at < e.hour(ended) or due.at is None or due.at > ended + WINDOW:
            return False
        mine = (o for o in self.orders.values() if o.approved and o.said.bucket == bucket.bucket)
        ordered = any(part in o.said.parts and begin(o.said.not_before) <= at for o in mine)
        return ordered and not part.startswith("4-")


def instant(stamp: str) -> datetime:
    """Return the instant that an entry writes; of ``at``, the begin of the hour in which it happened."""
    return datetime.fromisoformat(stamp)


def begin(when: str) -> datetime:
    """Return the first instant of ``when``: of that hour, or of that day in China."""
    return _midnight(when, 0) if is_day(when) else instant(when)


def end(when: str) -> datetime:
    """Return the first instant after ``when``: after that hour, or after that day in China."""
    return _midnight(when, 1) if is_day(when) else instant(when) + e.HOUR


def is_day(when: str) -> bool:
    """Tell whether ``when`` is a calendar day, and not an hour."""
    return len(when) == DAY_LENGTH


def _midnight(day: str, days: int) -> datetime:
    return datetime.combine(date.fromisoformat(day) + timedelta(days=days), time(), CHINA)
