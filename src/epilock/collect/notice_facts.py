"""What a notice is made of: the facts of a point beside the standard, and the parts of the text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from epilock.collect.consent import Asked
from epilock.standard.text import Text

LANGUAGES = ("zh", "en")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """How to reach who answers for the information.

    Attributes:
        address: Postal or street address; also the desk for people without a phone.
        telephone: Number.
        officer: Who answers for personal information (PIPL 52).
        complaints: The organisation's own channel (NDSMR 20).
        supervisor: The department over it (PIPL 60, 65).
    """

    address: str
    telephone: str
    officer: str
    complaints: str
    supervisor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateFacts:
    """The order a point acts under (ERL 83; CAC notice of 2020-02-04): dates as ``2026-03-01``."""

    issuer: str
    number: str
    date: str
    until: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """An organisation that may be given access, by its circulation range, such as ``R3``."""

    range: str
    name: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdParty:
    """Another handler or a processor under an agreement (PIPL 21, 23).

    Attributes:
        id: Its organisation's code.
        name: Its name.
        contact: Address or telephone.
        purpose: Purpose of the standard.
        method: What it does with it, such as "delivers to the door".
        categories: What it receives.
        until: Last day of the agreement, ``2026-12-31``.
        agreement: Its id.
        needed: Whether the service can't be given without it.
    """

    id: str
    name: Text
    contact: str
    purpose: str
    method: Text
    categories: tuple[str, ...]
    until: str
    agreement: str
    needed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PointFacts:
    """What the notice says beside the standard: facts of the point at one level.

    Attributes:
        org: Code of who collects.
        organisation: Its name.
        contact: How to reach it.
        point: Id of the point.
        point_name: Its public name.
        emergency: ``authority/code``.
        emergency_name: Its name.
        level: In force, ``N`` to ``I`` or ``E``.
        circumstance: Code.
        method: How it is asked.
        media: Where it is kept.
        fields: What is asked at this level, in the form's order.
        basis: ``consent``, ``guardian``, ``law`` or ``emergency``.
        mandate: On law or emergency, the order.
        recipients: Known organisations of the circulation ranges; the ranges themselves are named
            from the standard.
        third_parties: With an agreement in force.
        withdrawal_url: Where a receipt's holder withdraws, corrects and sees.
        languages: Shown, the first one first.
    """

    org: str
    organisation: Text
    contact: Contact
    point: str
    point_name: Text
    emergency: str
    emergency_name: Text
    level: str
    circumstance: str
    method: str
    media: tuple[str, ...]
    fields: Sequence[Asked]
    basis: str
    mandate: MandateFacts | None
    recipients: tuple[Recipient, ...] = ()
    third_parties: tuple[ThirdParty, ...] = ()
    withdrawal_url: str
    languages: tuple[str, ...] = LANGUAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One statement; ``marks`` are of ``required``, ``optional``, ``sensitive``."""

    id: str
    text: Text
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: ``id`` is stable and names its place in a page."""

    id: str
    title: Text
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldNotice:
    """What is said beside one field.

    Attributes:
        id: Field of the form.
        category: Of the standard.
        label: What the person reads.
        optional: Whether it may be left empty.
        sensitive: Whether it is sensitive (PIPL 28).
        why: Why it is asked.
        necessity: Of a sensitive one, why nothing less would do (PIPL 30); else empty.
        effect: Of a sensitive one, what it may do to the person (PIPL 30); else empty.
        without: What happens if it isn't given.
    """

    id: str
    category: str
    label: Text
    optional: bool
    sensitive: bool
    why: Text
    necessity: Text
    effect: Text
    without: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long some categories are kept, and how that ends.

    Attributes:
        retention: Its id in the standard.
        categories: Which.
        days: Days, or None: as long as the emergency, and the standard's ``end_days``.
        starts: ``collection`` or an event.
        ceiling_days: Days from collection after which it goes even if the event never came.
        end: ``destroy`` or ``anonymise``.
        statutory: Whether a law fixes the period.
        rule: Of the standard.
        source: Ids of laws and standards.
    """

    retention: str
    categories: tuple[str, ...]
    days: int | None
    starts: str
    ceiling_days: int
    end: str
    statutory: bool
    rule: str
    source: tuple[str, ...]


def item(id_: str, zh: str, en: str, *marks: str) -> Item:
    """Return one statement."""
    return Item(id=id_, text=Text(zh, en), marks=marks)


def section(id_: str, zh: str, en: str, items: Iterable[Item]) -> Section:
    """Return one section."""
    return Section(id=id_, title=Text(zh, en), items=tuple(items))


def names(texts: Iterable[Text]) -> Text:
    """Return names in a row, in both languages."""
    listed = list(texts)
    return Text("、".join(t.zh for t in listed), ", ".join(t.en for t in listed))
