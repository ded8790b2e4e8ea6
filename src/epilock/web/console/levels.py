"""What the lists of emergencies, and of days that another level would change, can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from epilock.destroy.foresee import Foreseen
from epilock.registry import emergency as registry
from epilock.registry.emergency import Emergency
from epilock.registry.organisation import Organisation
from epilock.standard.level import LEVELS, severity
from epilock.web.console.computed import Computed, Question

HERE = "/console/levels"
NONE = "none"  # in the place of a level: none was set yet
AT_ONCE, SOONER, LATER = "at_once", "sooner", "later"
EFFECTS = (AT_ONCE, SOONER, LATER)
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leveled:
    """An emergency in the list: who declared it, and its level now, if it has one."""

    emergency: Emergency
    authority: Organisation
    level: str | None

    @property
    def code(self) -> str:
        """The emergency as papers name it."""
        return f"{self.emergency.authority}/{self.emergency.emergency}"


def emergencies(found: Sequence[Leveled]) -> Computed[Leveled]:
    """Return what the list of emergencies can do."""
    return Computed(
        path=HERE, key=lambda e: e.code, order="-declared",
        sorts={
            "declared": lambda e: e.emergency.declared, "emergency": lambda e: e.emergency.emergency,
            "organisation": lambda e: e.authority.org,
            "level": lambda e: -1 if e.level is None else severity(e.level),
        },
        filters={
            "level": Question(
                fits=lambda e, v: (e.level or NONE) == v, options=(*reversed(LEVELS), NONE)
            ),
            "kind": Question(fits=lambda e, v: e.emergency.kind == v, options=registry.TYPES),
            "organisation": Question(
                fits=lambda e, v: e.authority.org == v,
                options=tuple(dict.fromkeys(e.authority.org for e in found)),
            ),
        },
        columns={
            "emergency": lambda e: e.code, "kind": lambda e: e.emergency.kind,
            "area": lambda e: e.emergency.area, "declared": lambda e: e.emergency.declared,
            "level": lambda e: e.level or "",
        },
    )  # fmt: skip


def days(of: Emergency, level: str, found: Sequence[Foreseen], now: datetime) -> Computed[Foreseen]:
    """Return what the list of the days can do that ``level`` would change."""
    return Computed(
        path=f"{HERE}/{of.authority}/{of.emergency}", fixed={"level": level}, order="then",
        key=lambda f: f"{f.circumstance}.{f.day}.{f.clock}.{f.part}",
        sorts={
            "then": lambda f: f.then or _NEVER, "now": lambda f: f.now or _NEVER,
            "circumstance": lambda f: f.circumstance, "day": lambda f: f.day,
            "parts": lambda f: f.parts, "rule": lambda f: f.rule,
        },
        filters={
            "circumstance": Question(
                fits=lambda f, v: f.circumstance == v, options=sorted({f.circumstance for f in found})
            ),
            "effect": Question(fits=lambda f, v: effect(f, now) == v, options=EFFECTS),
            "day": Question(fits=lambda f, v: str(f.last_then) == v),
        },
        columns={
            "circumstance": lambda f: f.circumstance, "day": lambda f: f.day, "clock": lambda f: f.clock,
            "part": lambda f: f.part, "parts": lambda f: f.parts, "effect": lambda f: effect(f, now),
            "last_day_now": lambda f: f.last_now or "", "last_day_then": lambda f: f.last_then or "",
            "rule": lambda f: f.rule,
        },
    )  # fmt: skip


def effect(found: Foreseen, now: datetime) -> str:
    """Return what becomes of parts whose day would change."""
    if found.then and found.then <= now and not (found.now and found.now <= now):
        return AT_ONCE
    return LATER if found.now and (found.then is None or found.then > found.now) else SOONER
