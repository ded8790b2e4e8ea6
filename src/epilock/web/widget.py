"""How each category is asked on a screen: the keyboard it brings up, what the browser may fill in, choices.

``autocomplete`` values are those of the HTML standard (4.10.18.7); they help people who type with
difficulty (WCAG 2.2, 1.3.5). Where staff fill the form in for others nothing is offered, so that one
person's data is not proposed for the next.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from epilock.collect.answer import BANDS
from epilock.collect.identifier import CHOICES
from epilock.collect.point import Field
from epilock.standard.text import Text

OWN = "qr-form"  # the method by which people fill in their own form
MOST_RADIOS = 5  # more choices than this become a drop-down list


@dataclass(frozen=True, slots=True, kw_only=True)
class Widget:
    """How one category is asked.

    Attributes:
        kind: ``input``, ``area``, ``radios`` or ``select``.
        type: Of the ``input`` element.
        mode: ``inputmode``: the keyboard.
        autocomplete: What the browser may offer.
        size: Class of the field's width: "", ``mid`` or ``short``.
        most: Longest answer, in characters.
        choices: Code and name of each choice.
    """

    kind: str = "input"
    type: str = "text"
    mode: str = "text"
    autocomplete: str = "off"
    size: str = ""
    most: int = 100
    choices: tuple[tuple[str, Text], ...] = ()


def _area() -> Widget:
    return Widget(kind="area", most=2000)


def _number(mode: str, size: str, autocomplete: str = "off", most: int = 40) -> Widget:
    return Widget(mode=mode, size=size, autocomplete=autocomplete, most=most)


def _choices(choices: tuple[tuple[str, Text], ...]) -> Widget:
    return Widget(kind="radios" if len(choices) <= MOST_RADIOS else "select", choices=choices)


_BANDS = (*(f"{low}-{high}" for low, high in BANDS), "80+")

WIDGETS: Mapping[str, Widget] = MappingProxyType(
    {
        "identity.name": Widget(autocomplete="name"),
        "identity.birth-date": _number("numeric", "mid", "bday"),
        "identity.age-band": _choices(tuple((b, Text(f"{b} 岁", b)) for b in _BANDS)),
        "identity.nationality": Widget(autocomplete="country-name", size="mid"),
        "identity.resident-id": Widget(size="mid", most=40),
        "identity.passport": Widget(size="mid", most=40),
        "contact.mobile": Widget(type="tel", mode="tel", autocomplete="tel", size="mid", most=40),
        "contact.email": Widget(type="email", mode="email", autocomplete="email", most=254),
        "contact.address": Widget(autocomplete="street-address", most=300),
        "contact.area": Widget(most=300),
        "contact.emergency-contact": Widget(most=300),
        "family.guardian": Widget(most=300),
        "family.household": _area(),
        "work.employer": Widget(autocomplete="organization"),
        "work.occupation": Widget(autocomplete="organization-title", size="mid"),
        "health.temperature": _number("decimal", "short"),
        "health.symptoms": _area(),
        "health.vaccination": _area(),
        "health.diagnosis": _area(),
        "health.history": _area(),
        "health.medication": _area(),
        "health.clinical-course": _area(),
        "location.check-in": Widget(most=300),
        "location.travel-history": _area(),
        "location.precise": _area(),
        "location.plate": Widget(size="mid", most=20),
        "location.accommodation": Widget(most=300),
        "tracing.close-contacts": _area(),
        "tracing.exposure": _area(),
        "finance.bank-account": _number("numeric", "mid"),
        "finance.payment": _area(),
        "need.household-size": _number("numeric", "short"),
        "need.supplies": _area(),
        **{
            category: _choices(tuple((c.code, Text(c.zh, c.en)) for c in choices))
            for category, choices in CHOICES.items()
        },
    }
)


_WORDS = Widget(most=300)  # as ``collect.form`` takes them


def of(field: Field, method: str) -> Widget:
    """Return how ``field`` is asked at a point that collects by ``method``."""
    widget = _WORDS if field.words else WIDGETS.get(field.category, Widget())
    return widget if method == OWN else replace(widget, autocomplete="off")
