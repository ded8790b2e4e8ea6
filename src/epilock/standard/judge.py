"""Judge a form that someone else designed: may each of its fields be asked here, at this level?

Pure: labels in, verdicts out. Where a field asks several things, the strictest verdict counts: what
is refused beside what is allowed is still collected.

Verdicts:
  * ``allowed``: the standard lists it at this level, required or with its own tick box.
  * ``refused``: the standard gives no leave, at this level or ever.
  * ``meta``: no personal information, or the system fills it in.
  * ``unknown``: no category of the standard; it must be named or dropped before a point can open.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from epilock.errors import InputError
from epilock.standard.compiled import Standard
from epilock.standard.label import RELATION, TELEPHONE, UNKNOWN, Match, Reader
from epilock.standard.model import Verdict
from epilock.standard.synonyms import META, Synonyms
from epilock.standard.text import Text

ALLOWED, REFUSED, UNNAMED = "allowed", "refused", "unknown"
STRICTEST_FIRST = (REFUSED, UNNAMED, ALLOWED, META)
NAMING = ("PIPL-6",)  # the smallest scope: what has no category has no purpose
NAMED_AT_MOST = 12  # categories that an advice lists

_NOTHING = Text("", "")


class Asked(Protocol):
    """One field of a form, as its reader gives it; ``collect.design.DesignField`` is one."""

    @property
    def field(self) -> str:
        """Its name in the file."""

    @property
    def label(self) -> str:
        """What the person reads."""

    @property
    def context(self) -> str:
        """Texts of its groups, outermost first, joined by `` > ``."""

    @property
    def translations(self) -> tuple[str, ...]:
        """The label in other languages."""

    @property
    def wordings(self) -> tuple[str, ...]:
        """What else it is called."""

    @property
    def category(self) -> str:
        """What its designer or its type settles, or ""."""

    @property
    def coded(self) -> str:
        """What a terminology's code says where its own words say nothing, or ""."""

    @property
    def otherwise(self) -> str:
        """What its type suggests where words say nothing, or ""."""

    @property
    def image(self) -> bool:
        """Whether it takes a picture."""

    @property
    def follows(self) -> str:
        """Field id of the question it continues, or ""."""

    @property
    def required(self) -> bool:
        """Whether it must be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the standard says to one field.

    Attributes:
        field: Its name in the file, unaltered.
        label: What the person reads, unaltered.
        category: The category the verdict is about, or None.
        also: Further categories the same field asks for.
        verdict: ``allowed``, ``refused``, ``meta`` or ``unknown``.
        optional: Allowed only with its own tick box.
        rule: The rule that says so.
        source: Ids of sources it rests on.
        advice: What would be allowed instead, or how to ask it.
    """

    field: str
    label: str
    category: str | None
    also: tuple[str, ...]
    verdict: str
    optional: bool
    rule: str
    source: tuple[str, ...]
    advice: Text


def judge(
    standard: Standard, fields: Iterable[Asked], circumstance: str, level: str
) -> tuple[Judgement, ...]:
    """Return a judgement of each field, in the form's order.

    Raises:
        InputError: The standard knows no such circumstance or level; the message lists them.
    """
    _known("circumstance", circumstance, standard.circumstances)
    _known("level", level, standard.levels)
    bench = _Bench(standard, circumstance, level)
    return tuple(bench.judge(field) for field in fields)


def _known(what: str, code: str, codes: Iterable[str]) -> None:
    if code not in (known := list(codes)):
        raise InputError(f"no {what} {code!r} in the standard; there are {', '.join(known)}")


class _Bench:
    """Judges the fields of one form in turn; it remembers what each was, for those that lean on it.

    Attributes:
        matches: Field id -> what it asks; ``last`` is that of the field before.
        beside: Category of the other person that the field before names, or "".
        telephone: Whether a further bare telephone is somebody else's: the person's own was asked, or
            the circumstance has no use for it.
    """

    def __init__(self, standard: Standard, circumstance: str, level: str) -> None:
        self.standard, self.circumstance, self.level = standard, circumstance, level
        self.synonyms = Synonyms.load()
        self.reader = Reader(self.synonyms, circumstance)
        self.matches: dict[str, Match] = {}
        self.last = UNKNOWN
        self.beside = ""
        self.telephone = TELEPHONE not in standard.circumstances[circumstance].allows

    def judge(self, field: Asked) -> Judgement:
        """Return the judgement of the next field."""
        match = self._beside(field, self._match(field))
        self.matches[field.field] = self.last = match
        declared = field.category if field.category not in {"", META} else ""
        if declared and declared not in self.standard.categories:
            return self._no_such(field, declared)
        parts = tuple(dict.fromkeys((*([declared] if declared else []), *match.parts)))
        if not parts or field.category == META:
            meta = field.category == META or match.meta
            return self._meta(field) if meta else self._unnamed(field)
        return self._weigh(field, parts, match, declared)

    def _beside(self, field: Asked, match: Match) -> Match:
        """Return ``match``, or the person named in the column before if this goes on about that one.

        "姓名, 电话, 紧急联系人, 电话": the second telephone is not the first person's again.
        """
        says = self.reader.says_only(field.label) if field.label and not field.context else ""
        before, self.beside = self.beside, self.reader.names_person(field.label)
        if says == RELATION:
            self.beside = before
        if before and (says == RELATION or (says == TELEPHONE and self.telephone)):
            return Match(before)
        self.telephone = self.telephone or TELEPHONE in match.parts
        return match

    def _match(self, field: Asked) -> Match:
        """Return what a field asks: by its label in every language, else by its other names."""
        if field.coded and not self.reader.read(field.label).known:
            return Match(field.coded)
        match = self.reader.read(field.label, field.context)
        if match.inherits:
            before = self.matches.get(field.follows, self.last)
            return match if not before.known and match.category else before
        for translation in field.translations:
            match = _both(match, self.reader.read(translation, field.context))
        if not match.known and not match.unnamed:
            readings = (self.reader.read(w, field.context) for w in field.wordings)
            match = next((m for m in readings if m.known and not m.inherits), match)
        if not match.known and not match.unnamed and field.otherwise:
            meta = field.otherwise == META
            match = Match(meta=True) if meta else Match(category=field.otherwise)
        if field.image and match.category:
            pictures = [self.synonyms.pictures.get(p, p) for p in match.parts]
            match = Match(pictures[0], also=tuple(pictures[1:]), unnamed=match.unnamed)
        return match

    def _weigh(self, field: Asked, parts: Sequence[str], match: Match, declared: str) -> Judgement:
        """Return the strictest verdict among the things one field asks."""
        verdicts = [self.standard.ask(self.circumstance, p, self.level) for p in parts]
        n = next((i for i, v in enumerate(verdicts) if not v.allowed), 0)
        category, verdict = parts[n], verdicts[n]
        if verdict.allowed and match.unnamed:
            return self._unnamed(field, also=tuple(parts))
        return Judgement(
            field=field.field,
            label=field.label,
            category=category,
            also=tuple(p for p in parts if p != category),
            verdict=ALLOWED if verdict.allowed else REFUSED,
            optional=verdict.optional,
            rule=verdict.rule,
            source=verdict.source,
            advice=self._advice(field, parts, verdict, category, declared),
        )

    def _advice(
        self, field: Asked, parts: Sequence[str], verdict: Verdict, category: str, declared: str
    ) -> Text:
        """Return the standard's own advice, and what this form should change."""
        if verdict.allowed:
            return _TICK if verdict.optional and field.required else _NOTHING
        name = self.standard.categories[category].name
        advice = self._milder(category, verdict.advice)
        leave = self.standard.circumstances[self.circumstance].allows.get(category)
        if leave is not None and leave.optional:
            advice = Text(f"只能选填。{advice.zh}", f"Only as an optional question. {advice.en}")
        if declared and category != declared:
            own = self.standard.categories[declared].name
            advice = Text(
                f"登记为“{own.zh}”，文字却问“{name.zh}”：改文字，或改类别。{advice.zh}",
                f"It is declared as {own.en} but its words ask for {name.en}: change one of them. {advice.en}",
            )
        elif len(parts) > 1:
            names = [
                self.standard.categories[p].name for p in parts
                if not self.standard.ask(self.circumstance, p, self.level).allowed
            ]  # fmt: skip
            zh, en = "”“".join(n.zh for n in names), " and ".join(n.en for n in names)
            are = "are" if len(names) > 1 else "is"
            advice = Text(
                f"此栏一并问了几项，其中“{zh}”不可以问：拆开，只留可以问的。{advice.zh}",
                f"It asks several things at once, of which {en} {are} refused: ask them apart. {advice.en}",
            )
        return Text(advice.zh.strip(), advice.en.strip())

    def _milder(self, category: str, advice: Text) -> Text:
        """Return ``advice``, begun with the stricter forms of ``category`` that are allowed here."""
        names = [
            c.name for c in self.standard.categories.values()
            if category in c.stands_for
            and self.standard.ask(self.circumstance, c.code, self.level).allowed
        ]  # fmt: skip
        if not names:
            return advice
        zh, en = "或".join(n.zh for n in names), " or ".join(n.en for n in names)
        return Text(f"可改问“{zh}”。{advice.zh}", f"Ask for {en} instead. {advice.en}")

    def _meta(self, field: Asked) -> Judgement:
        return _plain(field, META, "form/no-personal-information", (), _NOTHING)

    def _unnamed(self, field: Asked, also: tuple[str, ...] = ()) -> Judgement:
        here = self._askable()
        advice = Text(
            f"标准没有这一类：写明它问的是哪一类，或删去。此处可以问：{here.zh}。",
            f"No category of the standard: name what it asks, or drop it. Here may be asked: {here.en}.",
        )
        rule = "form/category-not-named"
        return _plain(field, UNNAMED, rule, NAMING, advice, also=also)

    def _no_such(self, field: Asked, declared: str) -> Judgement:
        near = get_close_matches(declared, list(self.standard.categories), n=2)
        instead = f"；相近的有 {'、'.join(near)}" if near else ""
        meant = f"; did you mean {' or '.join(near)}" if near else ""
        advice = Text(
            f"标准没有类别 {declared[:60]}{instead}。",
            f"The standard has no category {declared[:60]}{meant}.",
        )
        return _plain(field, UNNAMED, "form/no-such-category", NAMING, advice)

    def _askable(self) -> Text:
        """Return the names of what may be asked here at this level."""
        codes = [
            c for c in self.standard.circumstances[self.circumstance].allows
            if self.standard.ask(self.circumstance, c, self.level).allowed
        ]  # fmt: skip
        names = [self.standard.categories[c].name for c in codes[:NAMED_AT_MOST]]
        more = len(codes) > NAMED_AT_MOST
        zh = "、".join(n.zh for n in names) + ("等" if more else "")
        en = ", ".join(n.en for n in names) + (", and more" if more else "")
        return Text(zh or "无", en or "nothing")


_TICK = Text(
    "只能选填：另设不预先勾选的选框，不填也不影响办理。",
    "Only as an optional question with its own unticked box; leaving it out must not block the rest.",
)


def _both(one: Match, other: Match) -> Match:
    """Return what two languages of one label ask together."""
    if not other.known or other.inherits:
        return one
    if not one.known:
        return other if not one.unnamed else one
    parts = tuple(dict.fromkeys((*one.parts, *other.parts)))
    if not parts:
        return one
    return Match(parts[0], also=parts[1:], unnamed=one.unnamed or other.unnamed)


def _plain(
    field: Asked, verdict: str, rule: str, source: tuple[str, ...], advice: Text,
    *, also: tuple[str, ...] = (),
) -> Judgement:  # fmt: skip
    """Return a judgement that is about no category."""
    return Judgement(
        field=field.field, label=field.label, category=None, also=also, verdict=verdict,
        optional=False, rule=rule, source=source, advice=advice,
    )  # fmt: skip
