"""Authorisation: which single acts a notice asks for, and which of them nothing goes without.

One act, one box, never ticked beforehand; an act has an id that stays the same over versions:

  ``purpose:<code>``       one for each purpose of the circumstance (PIPL 14)
  ``sensitive:<category>`` one for each sensitive category that is asked as required (PIPL 29)
  ``third-party:<id>``     one for each other handler or processor that receives it (PIPL 23)
  ``optional:<category>``  one for each optional category, sensitive or not
  ``guardian``             given by the guardian of a child under 14 (PIPL 31)

Rules kept in this file:
  1. With a mandate, on law or emergency (PIPL 13(3), 13(4)), purposes and required sensitive
     categories are *acknowledged*, not consented to: the box says "I have read", and nobody is made
     to believe that they had a choice. Third parties then need no act: the notice names them.
  2. Whatever is optional is consented to on every basis, and refusing it never blocks the rest
     (PIPL 16).
  3. On consent the first purpose of a circumstance is what it is for, and required; each other
     purpose can be refused by itself. ``use`` opens a record only for purposes its person gave.
  4. What is asked as a choice of one (resident ID or passport) needs the act of the one given only.
  5. Supervision and the subject's own access rest on law alone (PIPL 45, 63): no act is asked.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from epilock.errors import ConsentError
from epilock.standard import Standard
from epilock.standard.text import Text

GUARDIAN = "guardian"
LAWFUL = frozenset({"law", "emergency"})
OF_RIGHT = frozenset({"inspection", "subject-access"})


class Asked(Protocol):
    """A field of a form, as far as authorisation and notice need it."""

    @property
    def id(self) -> str:
        """Its id in the form."""

    @property
    def category(self) -> str:
        """Its category of the standard."""

    @property
    def label(self) -> Text:
        """What the person reads beside it."""

    @property
    def optional(self) -> bool:
        """Whether it may be left empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act of authorisation.

    Attributes:
        id: Such as ``sensitive:health.temperature``.
        kind: ``purpose``, ``sensitive``, ``third-party``, ``optional`` or ``guardian``.
        consent: True for consent, false for an acknowledgement (rule 1).
        required: Whether nothing is accepted without it.
        text: What stands beside the box.
    """

    id: str
    kind: str
    consent: bool
    required: bool
    text: Text


@dataclass(frozen=True, slots=True)
class Acts:
    """The acts of one notice, in the order of its page, compiled.

    Attributes:
        items: Each act.
        ids: Their ids, in order.
        required: Those that nothing goes without.
        by_category: Category to the act that an answer of this category needs (rules 2 and 4).
    """

    items: tuple[Act, ...]
    ids: tuple[str, ...] = field(init=False)
    required: frozenset[str] = field(init=False)
    by_category: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        for name, value in (
            ("ids", tuple(a.id for a in self.items)),
            ("required", frozenset(a.id for a in self.items if a.required)),
            ("by_category", {
                a.id.partition(":")[2]: a.id for a in self.items if a.kind in {"sensitive", "optional"}
            }),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    def check(self, given: Collection[str], answered: Collection[str] = ()) -> None:
        """Return if ``given`` holds every act that is required, also for the ``answered`` categories.

        Raises:
            ConsentError: Acts are missing; they are named in the order of the page.
        """
        needed = self.required.union(
            self.by_category[category] for category in answered if category in self.by_category
        )
        check(needed, given, order=self.ids)


def check(required: frozenset[str], given: Collection[str], *, order: Sequence[str] = ()) -> None:
    """Return if all of ``required`` is in ``given``.

    Raises:
        ConsentError: Acts are missing, named in ``order`` where they stand in it.
    """
    missing = required.difference(given)
    if missing:
        places = {act: n for n, act in enumerate(order)}
        raise ConsentError(sorted(missing, key=lambda act: (places.get(act, len(places)), act)))


class Receiver(Protocol):
    """A third party, as far as authorisation needs it."""

    @property
    def id(self) -> str:
        """Its organisation's code."""

    @property
    def name(self) -> Text:
        """Its name."""

    @property
    def purpose(self) -> str:
        """A purpose of the standard."""

    @property
    def categories(self) -> tuple[str, ...]:
        """What it receives."""

    @property
    def needed(self) -> bool:
        """Whether the service can't be given without it, as goods without a courier."""


def acts(
    standard: Standard,
    *,
    circumstance: str,
    basis: str,
    fields: Sequence[Asked],
    third_parties: Sequence[Receiver] = (),
) -> Acts:
    """Return the acts that a point of ``circumstance`` asks for on ``basis``.

    Args:
        standard: Says what is sensitive, and the purposes.
        circumstance: Its code.
        basis: ``consent``, ``guardian``, ``law`` or ``emergency``; the last two only with a mandate.
        fields: What is asked at the level in force.
        third_parties: Who receives it beside those of the circulation ranges.
    """
    lawful = basis in LAWFUL
    required = tuple(dict.fromkeys(f.category for f in fields if not f.optional))
    optional = tuple(
        c for c in dict.fromkeys(f.category for f in fields if f.optional) if c not in required
    )
    choices = _choices(standard, circumstance, required)
    items = [
        *_purposes(standard, circumstance, lawful=lawful),
        *(
            _sensitive(standard, c, lawful=lawful, required=c not in choices)
            for c in required
            if standard.categories[c].sensitive
        ),
        *(() if lawful else (_third_party(standard, party) for party in third_parties)),
        *(_optional(standard, c) for c in optional),
        _guardian(required=basis == GUARDIAN),
    ]
    return Acts(tuple(items))


def _choices(standard: Standard, circumstance: str, required: Sequence[str]) -> frozenset[str]:
    """Return the required categories of which another one may be given instead."""
    groups = standard.circumstances[circumstance].one_of
    asked = [[c for c in group if c in required] for group in groups]
    return frozenset(c for group in asked if len(group) > 1 for c in group)


def _purposes(standard: Standard, circumstance: str, *, lawful: bool) -> list[Act]:
    codes = [p for p in standard.circumstances[circumstance].purposes if p not in OF_RIGHT]
    acts = []
    for n, code in enumerate(codes):
        name = standard.purposes[code].name
        says = (
            Text(f"我已知悉信息用于：{name.zh}", f"I have read that it is used for: {name.en}")
            if lawful
            else Text(f"我同意将信息用于：{name.zh}", f"I agree that it is used for: {name.en}")
        )
        acts.append(
            Act(
                id=f"purpose:{code}",
                kind="purpose",
                consent=not lawful,
                required=lawful or n == 0,
                text=says,
            )
        )
    return acts


def _sensitive(standard: Standard, code: str, *, lawful: bool, required: bool) -> Act:
    name = standard.categories[code].name
    says = (
        Text(
            f"我已知悉会收集我的敏感信息：{name.zh}",
            f"I have read that this sensitive information is collected: {name.en}",
        )
        if lawful
        else Text(
            f"我单独同意收集我的敏感信息：{name.zh}",
            f"I agree separately that this sensitive information is collected: {name.en}",
        )
    )
    return Act(
        id=f"sensitive:{code}", kind="sensitive", consent=not lawful, required=required, text=says
    )


def _third_party(standard: Standard, party: Receiver) -> Act:
    what = [standard.categories[c].name for c in party.categories]
    why = standard.purposes[party.purpose].name
    says = Text(
        f"我单独同意把{'、'.join(w.zh for w in what)}提供给{party.name.zh}，用于{why.zh}",
        f"I agree separately that {', '.join(w.en for w in what)} goes to {party.name.en} "
        f"for {why.en}",
    )
    return Act(
        id=f"third-party:{party.id}",
        kind="third-party",
        consent=True,
        required=party.needed,
        text=says,
    )


def _optional(standard: Standard, code: str) -> Act:
    category = standard.categories[code]
    mark = Text("（敏感信息）", " (sensitive)") if category.sensitive else Text("", "")
    says = Text(
        f"我自愿填写{category.name.zh}{mark.zh}；不勾选不影响其他",
        f"I choose to give {category.name.en}{mark.en}; leaving this unticked changes nothing else",
    )
    return Act(id=f"optional:{code}", kind="optional", consent=True, required=False, text=says)


def _guardian(*, required: bool) -> Act:
    says = Text(
        "我是这名未满14周岁儿童的监护人，由我代为填写并同意",
        "I am the guardian of this child under 14; I fill this in and agree for the child",
    )
    return Act(id=GUARDIAN, kind=GUARDIAN, consent=True, required=required, text=says)
