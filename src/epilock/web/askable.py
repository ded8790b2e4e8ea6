"""What may be asked, what later, what never, and why, in words: for the console and for everybody.

The standard decides; here its answers are put in the order in which people read them.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from epilock.collect.point import Field, needs_assessment
from epilock.collect.template import field_id
from epilock.standard import Standard
from epilock.standard.judge import ALLOWED, REFUSED, UNNAMED, Judgement
from epilock.standard.level import severity
from epilock.standard.model import Category, Circumstance, Verdict
from epilock.standard.rule_sheet import rule_sheet
from epilock.standard.synonyms import META
from epilock.standard.text import Text

NOW, LATER = "now", "later"
OPTIONAL = "optional"  # allowed, with a box of its own
_TONES = {ALLOWED: "good", OPTIONAL: "warn", REFUSED: "bad", UNNAMED: "warn", META: "soft"}

# What people do, by where they do it: twenty circumstances in a row are not read.
GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "door": ("residential-entry", "workplace-entry", "venue-check-in", "school"),
        "journey": ("public-transport", "accommodation", "arrival"),
        "health": (
            "sampling", "vaccination", "fever-clinic", "telemedicine", "quarantine",
            "epi-investigation", "health-code",
        ),
        "help": ("supplies", "evacuation-shelter", "relief-compensation", "casualties-missing"),
        "people": ("staffing", "remote-work", "remote-education"),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why something is so.

    Attributes:
        rule: The rule that says so, such as ``never/residential-entry/biometric.*``.
        says: What the rule says.
        sources: Titles of the laws and standards it rests on.
    """

    rule: str
    says: Text
    sources: tuple[Text, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field that may be put into a form.

    Attributes:
        id: Its id in the form.
        category: Of the standard.
        label: What the person will read.
        when: ``now`` or ``later``.
        optional: Whether it must have a box of its own.
        level: The level it may be asked from, by this method.
        chosen: Whether it is ticked.
        assess: Whether an impact assessment must be in force first (PIPL 55).
        verdict: What the standard says at the level in force.
        words: Whether it is answered in words (``point.Field``).
    """

    id: str
    category: str
    label: Text
    when: str
    optional: bool
    level: str
    chosen: bool
    assess: bool
    verdict: Verdict
    words: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Never:
    """What is asked at no level: one category, or the whole family of ``like``."""

    family: str
    like: Category
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What the standard says to one field of somebody's form.

    Attributes:
        asked: What the person would read, or the field's name.
        name: Names of all that it asks, or None.
        said: ``allowed``, ``optional``, ``refused``, ``unknown`` or ``meta``.
        tone: How it is shown: ``good``, ``warn``, ``bad`` or ``soft``.
        reason: Why.
        advice: What to do instead.
        assess: Whether an impact assessment must be in force before it is asked (PIPL 55).
    """

    asked: str
    name: Text | None
    said: str
    tone: str
    reason: Reason
    advice: Text
    assess: bool


def method_of(where: Circumstance) -> str:
    """Return how a circumstance is mostly asked: by people's own form where it may be."""
    return "qr-form" if "qr-form" in where.methods else next(iter(where.methods))


def reason(standard: Standard, rule: str, sources: Iterable[str]) -> Reason:
    """Return ``rule`` in words, with the titles of ``sources``."""
    titles = tuple(standard.sources[code].title for code in sources)
    return Reason(rule=rule, says=rule_sheet(standard, rule).name, sources=titles)


def from_standard(
    standard: Standard, circumstance: str, level: str, method: str, *, assessed: bool
) -> list[Row]:
    """Return a row for each category that the circumstance lists, what may be asked now first.

    What needs an assessment is ticked only where one is in force: ``assessed``.
    """
    where = standard.circumstances[circumstance]
    rows = []
    for allow in where.allows.values():
        verdict = standard.ask(circumstance, allow.category, level, method=method)
        assess = needs_assessment(standard, allow.category)
        rows.append(
            Row(
                id=field_id(allow.category), category=allow.category,
                label=standard.categories[allow.category].name,
                when=NOW if verdict.allowed else LATER, optional=allow.optional,
                level=_from(where, allow.category, method), verdict=verdict,
                chosen=verdict.allowed and not allow.optional and not _stands_in(verdict)
                and (assessed or not assess),
                assess=assess,
            )
        )  # fmt: skip
    return sorted(rows, key=lambda r: (r.when == LATER, severity(r.level), r.optional))


def from_form(
    standard: Standard,
    fields: Sequence[Field],
    circumstance: str,
    level: str,
    method: str,
    *,
    assessed: bool,
) -> list[Row]:
    """Return a row for each field that a form was adopted with, its own id and label kept; ticked as there."""
    where = standard.circumstances[circumstance]
    rows = []
    for field in fields:
        verdict = standard.ask(circumstance, field.category, level, method=method)
        assess = needs_assessment(standard, field.category)
        rows.append(
            Row(
                id=field.id, category=field.category, label=field.label,
                when=NOW if verdict.allowed else LATER, optional=field.optional or verdict.optional,
                level=_from(where, field.category, method), chosen=assessed or not assess, assess=assess, verdict=verdict,
                words=field.words,
            )
        )  # fmt: skip
    return rows


def choosing(rows: Iterable[Row], ids: Container[str]) -> list[Row]:
    """Return ``rows`` with those of ``ids`` ticked and no others."""
    return [replace(row, chosen=row.id in ids) for row in rows]


def never(standard: Standard, circumstance: str, level: str) -> list[Never]:
    """Return what the circumstance refuses at every level, and why."""
    found = []
    for pattern in standard.circumstances[circumstance].never:
        family = pattern.removesuffix(".*") if pattern.endswith(".*") else ""
        like = next(
            c for c in standard.categories.values()
            if c.code == pattern or (family and c.code.startswith(f"{family}."))
        )  # fmt: skip
        verdict = standard.ask(circumstance, like.code, level)
        why = reason(standard, verdict.rule, verdict.source)
        found.append(Never(family=family, like=like, reason=why))
    return found


def lines(standard: Standard, judgements: Iterable[Judgement]) -> list[Line]:
    """Return what is said to each field, in the form's order."""
    known: dict[str, Reason] = {}  # a form of 2,000 fields meets few rules
    found = []
    for one in judgements:
        if one.rule not in known:
            known[one.rule] = reason(standard, one.rule, one.source)
        said = OPTIONAL if one.verdict == ALLOWED and one.optional else one.verdict
        codes = (one.category, *one.also) if one.category else ()
        names = [standard.categories[code].name for code in codes]
        found.append(
            Line(
                asked=one.label or one.field, name=_all_of(names), said=said, tone=_TONES[said],
                reason=known[one.rule], advice=one.advice,
                assess=one.verdict == ALLOWED and any(needs_assessment(standard, c) for c in codes),
            )
        )  # fmt: skip
    return found


def _all_of(names: Sequence[Text]) -> Text | None:
    """Return ``names`` as one, or None if there are none."""
    if not names:
        return None
    return Text("、".join(n.zh for n in names), ", ".join(n.en for n in names))


def _from(where: Circumstance, category: str, method: str) -> str:
    """Return the level from which ``category`` may be asked by ``method``."""
    return max(where.allows[category].level, where.methods[method], key=severity)


def _stands_in(verdict: Verdict) -> bool:
    """Tell whether a coarser category is allowed in place of a finer one: one of the two is enough."""
    return verdict.rule.startswith("stand-in/")
