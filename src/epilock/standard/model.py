"""What the standard consists of: frozen values, as the data files state them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from epilock.standard.text import Text

_NONE = Text("", "")
# In which form records are seen, from the person's own words down to numbers.
FORMS: Mapping[str, Text] = MappingProxyType(
    {
        "raw": Text("原文", "as given"),
        "masked": Text("打码", "partly hidden"),
        "status": Text("状态", "status"),
        "aggregate": Text("人数等统计", "counts"),
        "pseudonymous": Text("代号", "code names"),
        "deidentified": Text("去掉身份", "without identity"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A law, standard or notice that a rule rests on.

    Attributes:
        code: Such as ``PIPL-28``.
        title: What it is.
        verified: Whether the article was read in a public copy; a lawyer still confirms each.
    """

    code: str
    title: Text
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category of personal information.

    Attributes:
        code: Such as ``health.temperature``.
        name: Its name.
        grade: 1 to 4.
        sensitive: Sensitive by PIPL 28, or by our own stricter choice.
        mask: How it is masked for display, such as ``name`` or ``full``.
        why: Why it is asked in an emergency, in plain words.
        necessity: If sensitive: why nothing less would do (PIPL 30).
        effect: If sensitive: what it may mean for the person (PIPL 30).
        stands_for: A stricter form of these categories, and allowed where they are.
        alarm: Kind of record for the count alarms (JI-2017-5): ``whereabouts``, ``health`` or ``other``.
        source: Ids of sources.
        verified: Whether grade and mark were checked against the source.
    """

    code: str
    name: Text
    grade: int
    sensitive: bool
    mask: str
    why: Text
    necessity: Text = _NONE
    effect: Text = _NONE
    stands_for: tuple[str, ...] = ()
    alarm: str
    source: tuple[str, ...]
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A row of a plain table: a grade, level, type, range, medium or other scale.

    Attributes:
        code: Its code.
        name: Its name.
        says: What it means or asks for.
        facts: Further values of the row, such as ``subjects = 10``.
        source: Ids of sources.
        verified: Whether it was checked against the source.
    """

    code: str
    name: Text
    says: Text
    facts: Mapping[str, object] = field(default_factory=dict, hash=False)
    source: tuple[str, ...]
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """A purpose, the forms it may see and who may have it.

    Attributes:
        code: Such as ``tracing``.
        name: Its name.
        forms: Of ``FORMS``.
        ranges: Circulation ranges whose organisations may hold it.
        needs: What it takes: ``grant``, ``case``, ``two-persons``, ``order``, ``receipt``, ...
        one_subject: Raw only one subject at a time.
        source: Ids of sources.
        verified: Whether it was checked against the source.
    """

    code: str
    name: Text
    forms: tuple[str, ...]
    ranges: tuple[str, ...]
    needs: tuple[str, ...]
    one_subject: bool
    source: tuple[str, ...]
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long a part is kept.

    Attributes:
        id: ``standard``, or the name of another retention of the circumstance, such as ``statutory``.
        days: From the start, or None: as long as the emergency, and 30 days.
        starts: ``collection``, or the event that starts the clock.
        ceiling_days: Days from collection after which it goes even if the event never came.
        end: ``destroy`` or ``anonymise`` (keys and links destroyed).
        statutory: Whether a law asks for the period, so that the emergency's end does not shorten it.
        rule: Such as ``retain/quarantine/standard/II``.
        source: Ids of sources.
        verified: Whether the period was read in its source.
    """

    id: str
    days: int | None
    starts: str
    ceiling_days: int
    end: str
    statutory: bool
    rule: str
    source: tuple[str, ...]
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """A category that a circumstance lists.

    Attributes:
        category: Its code.
        level: From this level on.
        optional: Asked with its own tick box.
        retention: Id of its retention.
    """

    category: str
    level: str
    optional: bool
    retention: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Categories that die together and are opened together.

    Attributes:
        name: ``<grade>-<level>``, with ``-<retention>`` if the circumstance has more than one.
        grade: 1 to 4.
        level: The level that allows them.
        retention: Id of their retention.
        categories: Their codes, sorted.
    """

    name: str
    grade: int
    level: str
    retention: str
    categories: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a table made of a circumstance's records must satisfy before it leaves.

    Attributes:
        k: Every class has at least so many records.
        l: Every class has at least so many different values of each sensitive attribute.
        rule: Such as ``release/epi-investigation``.
        source: Ids of sources.
    """

    k: int
    l: int  # noqa: E741 - the model's own letter
    rule: str
    source: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstance:
    """One circumstance of collection.

    Attributes:
        code: Such as ``residential-entry``.
        name: Its name.
        everyday: What a volunteer would call it.
        note: What to know beside the table.
        basis: Of consent, law, emergency, guardian.
        methods: Method to the level it is allowed from (``E``: at any).
        media: Media it may be kept on.
        media_only: For a medium, the only categories it may hold.
        ranges: Circulation ranges it may reach, beside the collector's own R1.
        range_needs: For a range, the only purpose it is reached for.
        purposes: What it serves.
        never: Categories refused at every level; ``biometric.*`` is a family.
        allows: Category to its leave.
        one_of: Groups of categories of which one answer is enough.
        retentions: Id to days by level; see ``Standard.retention``.
        step_down_days: Days until what a lower level forbids is due.
        release: What a de-identified table of its records must satisfy.
        source: Ids of sources.
        verified: Whether all of it was checked.
    """

    code: str
    name: Text
    everyday: Text
    note: Text
    basis: tuple[str, ...]
    methods: Mapping[str, str] = field(hash=False)
    media: tuple[str, ...]
    media_only: Mapping[str, tuple[str, ...]] = field(hash=False)
    ranges: tuple[str, ...]
    range_needs: Mapping[str, str] = field(hash=False)
    purposes: tuple[str, ...]
    never: tuple[str, ...]
    allows: Mapping[str, Allow] = field(hash=False)
    one_of: tuple[tuple[str, ...], ...]
    retentions: Mapping[str, Mapping[str, Retention]] = field(hash=False)
    step_down_days: int
    release: Release
    source: tuple[str, ...]
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """An answer of the standard.

    Attributes:
        allowed: Whether it may be.
        rule: The rule that says so, such as ``allow/school/IV/health.temperature``.
        source: Ids of sources it rests on.
        optional: If allowed: only with its own tick box.
        advice: If refused: what would be allowed instead.
    """

    allowed: bool
    rule: str
    source: tuple[str, ...]
    optional: bool = False
    advice: Text = _NONE
