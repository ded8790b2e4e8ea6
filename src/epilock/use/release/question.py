"""Questions: which records a release is made of, and as what each of their fields is released.

A field is a category of the standard; ``day`` is the day of collection. Rules kept in this file:
  1. What tells who somebody is, is never released: what a person is found by, speaks of others, or is a
     likeness or a trace (``image``, ``biometric``, ``online``). An address is released cut at its units alone.
  2. What is released is coarsened by a rule that fits its kind, or counts as sensitive; nothing else passes.
  3. A field is left out unless it is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any

from epilock.deidentify.criteria.model import DistinctLDiversity, KAnonymity, Model
from epilock.deidentify.release.config import Config
from epilock.deidentify.rules.address import Address
from epilock.deidentify.rules.area_code import AreaCode
from epilock.deidentify.rules.day import Day
from epilock.deidentify.rules.number import Interval
from epilock.deidentify.rules.order import Order
from epilock.deidentify.rules.rule import Rule
from epilock.errors import InputError
from epilock.standard import Standard
from epilock.standard.model import Release
from epilock.store import tags

DAY = "day"
RECORD = "record"  # the column of the records' ids, which is never released
MOST_DAYS = 366
MOST_FIELDS = 16
SEARCHES = ("optimal", "local")
SUPPRESSED = (0, 1, 5, 10, 20)  # per cent of the rows that may be left out
SENSITIVE, WHOLE = "sensitive", "whole"  # as it is; as it is, or ``*``
COARSE: Mapping[str, Rule] = MappingProxyType(
    {
        "date": Day(levels=("week", "month", "quarter", "year")),
        "birth-date": Day(levels=("month", "year", "decade")),
        "age-band": Order(
            values=("0-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80+"),
            widths=(2, 4),
        ),
        "area-code": AreaCode(digits=(6, 4, 2)),
        "address": Address(levels=("street", "district", "city", "province")),
        "temperature": Interval(widths=(0.5, 1), numbers="decimal"),
        "household": Interval(widths=(2, 4), origin=1),
    }
)  # fmt: skip
_FITTING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        DAY: ("date",),
        "identity.birth-date": ("birth-date",),
        "identity.age-band": ("age-band", WHOLE),
        "contact.area": ("address", "area-code", WHOLE),
        "contact.address": ("address",),
        "health.temperature": ("temperature", SENSITIVE),
        "need.household-size": ("household", WHOLE),
    }
)
"""Of each kind of field what it can be released as, the usual first; of others ``sensitive`` or ``whole``."""
_TELLS_WHO = frozenset({"name", "mobile", "id", "email", "contact", "code"})  # masks
_TRACES = ("biometric.", "image.", "online.", "identity.signature", "location.precise")
_RECOGNISED_BY = ("identity.", "work.", "education.")  # what others know of a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be released.

    Attributes:
        source: Organisation that collected the records.
        emergency, circumstance: Of its records.
        since, until: First and last day (China), both counted.
        fields: Each field that is released, and as what: ``sensitive``, ``whole`` or a key of ``COARSE``.
        suppressed: Most rows that may be left out, per cent.
        search: Of ``SEARCHES``.
    """

    source: str
    emergency: str
    circumstance: str
    since: date
    until: date
    fields: Mapping[str, str]
    suppressed: int
    search: str

    @property
    def quasi(self) -> tuple[str, ...]:
        """The fields by which somebody could be recognised."""
        return tuple(name for name, as_ in self.fields.items() if as_ != SENSITIVE)

    @property
    def sensitive(self) -> tuple[str, ...]:
        """The other fields."""
        return tuple(name for name, as_ in self.fields.items() if as_ == SENSITIVE)

    @property
    def coarse(self) -> dict[str, Rule]:
        """The rule of each field that has one."""
        return {name: COARSE[as_] for name, as_ in self.fields.items() if as_ in COARSE}

    def parts(self, standard: Standard) -> tuple[str, ...]:
        """Return the parts of a record that hold the fields, sorted."""
        return tuple(
            sorted(
                {standard.part_of(self.circumstance, c).name for c in self.fields if c != DAY}
            )
        )  # fmt: skip

    def config(self, rule: Release) -> Config:
        """Return how a release is made that keeps ``rule``."""
        diverse = [DistinctLDiversity(name, rule.l) for name in self.sensitive if rule.l > 1]
        models: tuple[Model, ...] = (KAnonymity(rule.k), *diverse)
        return Config(
            quasi_identifiers=self.quasi, models=models, hierarchies=self.coarse,
            suppression_limit=self.suppressed / 100, search=self.search, record=RECORD,
            keep=() if diverse else self.sensitive,
        )  # fmt: skip

    def stated(self) -> dict[str, Any]:
        """Return what the register keeps of it besides columns of its own."""
        return {
            "fields": list(self.fields.items()),
            "suppressed": self.suppressed,
            "search": self.search,
        }


def check(standard: Standard, question: Question) -> None:
    """Return if the question can be asked at all.

    Raises:
        InputError: Days, fields, what they are released as, the limit or the method.
    """
    if not 0 <= (question.until - question.since).days < MOST_DAYS:
        raise InputError(f"a release covers 1 to {MOST_DAYS} days, the first before the last")
    if question.suppressed not in SUPPRESSED or question.search not in SEARCHES:
        raise InputError("choose the limit of rows left out, and the method, from their lists")
    if not question.quasi or len(question.fields) > MOST_FIELDS:
        raise InputError(
            f"a release has 1 to {MOST_FIELDS} fields, one of them at least coarsened"
        )  # fmt: skip
    known = standard.circumstances.get(question.circumstance)
    for name, as_ in question.fields.items():
        if name != DAY and (known is None or name not in known.allows):
            raise InputError(f"{question.circumstance} has no field {name}")
        if as_ not in ways(standard, name):
            raise InputError(f"{name} can't be released as {as_}")
    if question.fields.keys() <= {DAY}:
        raise InputError("a release of days alone is a count: ask for one")


def levels(rule: Rule) -> int:
    """Return how many levels a rule has between a value and ``*``."""
    return len(
        getattr(rule, "levels", ()) or getattr(rule, "digits", ()) or getattr(rule, "widths", ())
    )


def fields(standard: Standard, circumstance: str) -> list[str]:
    """Return the fields of a circumstance that can be released (rule 1), ``day`` first."""
    where = standard.circumstances[circumstance]
    return [DAY, *(c for c in where.allows if ways(standard, c))]


def ways(standard: Standard, field: str) -> tuple[str, ...]:
    """Return as what a field can be released, the usual first; nothing if it never is."""
    if field in _FITTING:
        return _FITTING[field]
    kind = standard.categories[field]
    tells = field in tags.SUBJECTS or field in tags.MENTIONS or kind.mask in _TELLS_WHO
    if tells or field.startswith(_TRACES):
        return ()
    return (WHOLE, SENSITIVE) if field.startswith(_RECOGNISED_BY) else (SENSITIVE, WHOLE)
