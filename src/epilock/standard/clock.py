"""The clock: on which day a part of a bucket is due, from its day and the history of levels alone.

Anyone who holds the public log and the standard computes the same.

Rules kept in this file:
  1. A period of N days does not count its first day and ends with its last (Civil Code, art. 201): what
     is due begins at the midnight (China) after it.
  2. N is the longest that the levels in force on the first day give.
  3. Until the event that starts its clock has come, a part lies under its ceiling.
  4. A part whose categories a lower level forbids is due ``step-down`` days later; a rise before that
     stops it; what is destroyed stays destroyed.
  5. At the end of the emergency a part is due at the earlier of its own day and 30 days after the end,
     unless a law asks for its period. The end does not begin a step-down; one that runs goes on.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from epilock.errors import InputError
from epilock.standard.compiled import Standard
from epilock.standard.level import CHINA, ENDED, History, midnight, severity
from epilock.standard.model import Part, Retention

COLLECTION = "collection"
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When a part must go.

    Attributes:
        at: First instant (UTC) at which it is due; None while that depends on the emergency's end.
        rule: The rule that says so, such as ``retain/school/standard`` or ``step-down/school/III``.
        last_day: Last calendar day in China on which it may be kept, or None.
    """

    at: datetime | None
    rule: str
    last_day: date | None


@dataclass(frozen=True, slots=True)
class PaperPeriods:
    """How long a page of paper may wait.

    Attributes:
        enter: Until it is keyed in, after the end of its day.
        destroy: Until it is destroyed, after the day on which it was keyed in.
    """

    enter: timedelta
    destroy: timedelta

    def keyed_in_late(self, written: date, keyed: datetime) -> bool:
        """Tell whether a page of the day ``written`` was keyed in at an instant that was too late."""
        return keyed >= midnight(written + _DAY) + self.enter


def paper_periods(standard: Standard) -> PaperPeriods:
    """Return how long a page of paper may wait by the standard (``media.paper``)."""
    facts = standard.media["paper"].facts
    enter, destroy = facts["enter_hours"], facts["destroy_days"]
    assert isinstance(enter, int)  # noqa: S101 - the standard's own data
    assert isinstance(destroy, int)  # noqa: S101 - likewise
    return PaperPeriods(timedelta(hours=enter), timedelta(days=destroy))


def due(
    standard: Standard, *, circumstance: str, part: str, day: date, clock: str, history: History
) -> Due:
    """Return when the part named ``part`` of a bucket of ``day`` is due.

    Args:
        standard: The rules.
        circumstance: Code of the bucket's circumstance.
        part: Name of the part.
        day: Calendar day of collection, or of the event.
        clock: ``collection``, or the event that started the clock.
        history: Levels of the emergency.

    Raises:
        InputError: The circumstance or part is unknown.
    """
    found = _part(standard, circumstance, part)
    kept = _longest(standard, circumstance, part, day, history)
    candidates = [_own(kept, day, clock)]
    if not kept.statutory:
        days = standard.circumstances[circumstance].step_down_days
        candidates.append(_stepped(found, circumstance, day, history, days))
        candidates.append(_ended(circumstance, history, standard.end_days))
    dated = [c for c in candidates if c is not None and c.at is not None]
    if not dated:
        return Due(at=None, rule=kept.rule, last_day=None)
    return min(dated, key=lambda c: c.at or datetime.max.replace(tzinfo=UTC))


def _part(standard: Standard, circumstance: str, name: str) -> Part:
    for part in standard.parts(circumstance):
        if part.name == name:
            return part
    raise InputError(f"{circumstance} has no part {name!r}")


def _longest(
    standard: Standard, circumstance: str, part: str, day: date, history: History
) -> Retention:
    levels = history.during(midnight(day), midnight(day + _DAY)) or (ENDED,)
    kept = [standard.retention(circumstance, part, level) for level in levels]
    return max(kept, key=lambda r: r.days or 0)


def _own(kept: Retention, day: date, clock: str) -> Due | None:
    if clock == COLLECTION and kept.starts != COLLECTION:
        return _after(day, kept.ceiling_days, f"{kept.rule}/ceiling")
    if kept.days is None:
        return None
    return _after(day, kept.days, kept.rule)


def _after(day: date, days: int, rule: str) -> Due:
    last = day + timedelta(days=days)
    return Due(at=midnight(last + _DAY).astimezone(UTC), rule=rule, last_day=last)


def _stepped(part: Part, circumstance: str, day: date, history: History, days: int) -> Due | None:
    """Return when the first unbroken run of ``days`` days of lower levels is over, or None."""
    began: datetime | None = None
    start = midnight(day)
    at_start = history.at(start)
    steps = [] if at_start is None else [(start, at_start)]
    steps += [(c.at, c.level) for c in history.changes if c.at > start]
    for at, level in steps:
        if began is not None and _run_end(began, days) <= at:
            break
        if level == ENDED:
            continue  # rule 5
        if severity(level) >= severity(part.level):
            began = None
        elif began is None:
            began = at
    if began is None:
        return None
    end = _run_end(began, days)
    last = (end - _DAY).astimezone(CHINA).date()
    return Due(at=end, rule=f"step-down/{circumstance}/{part.level}", last_day=last)


def _run_end(began: datetime, days: int) -> datetime:
    return midnight(began.astimezone(CHINA).date() + timedelta(days=days + 1)).astimezone(UTC)


def _ended(circumstance: str, history: History, days: int) -> Due | None:
    """Return 30 days after the end: destruction is finished *by* that day, so it begins with it."""
    ended = history.ended_at()
    if ended is None:
        return None
    day = ended.astimezone(CHINA).date() + timedelta(days=days)
    return Due(at=midnight(day).astimezone(UTC), rule=f"ended/{circumstance}", last_day=day - _DAY)
