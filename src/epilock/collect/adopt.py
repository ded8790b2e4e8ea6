"""Adopting a form that others designed: what the standard allows becomes a field, the rest is named.

Each field is judged at the highest level: what the circumstance may ask at some level by this method can
be declared, and is active when its level is in force. What is refused, unknown or no personal
information is left out; of the unknown the caller may be asked.

A question keeps its sense: what depends on another answer may be left empty, and what its category's own list of
answers does not answer (the day of a test) is answered in words.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from epilock.collect.answer import Problem, choice_check
from epilock.collect.design import read_design
from epilock.collect.design.field import DesignField
from epilock.collect.identifier import CHOICES
from epilock.collect.point import MAX_FIELDS, Field
from epilock.errors import InputError
from epilock.standard import Standard
from epilock.standard.judge import ALLOWED, UNNAMED, Judgement, judge
from epilock.standard.text import Text

HIGHEST = "I"
_LETTERS = re.compile(r"[^a-z0-9]+")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_DEPENDS = re.compile(r"if\b|如", re.IGNORECASE)  # "If other, please specify"
_LABEL = 200  # characters of a label


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopted:
    """What a form became.

    Attributes:
        fields: What may be declared, in the form's order.
        dropped: Judgements of what was left out, in its order.
    """

    fields: tuple[Field, ...]
    dropped: tuple[Judgement, ...]


def adopt(
    standard: Standard,
    content: bytes,
    ending: str,
    *,
    circumstance: str,
    method: str,
    ask: Callable[[str], str | None] | None = None,
) -> Adopted:
    """Return the fields of the form in ``content`` that a point of ``circumstance`` may declare.

    Args:
        standard: The rules.
        content: The file.
        ending: Of its name, such as ``.csv``; helps to tell its kind.
        circumstance: Code of the standard.
        method: How the point will ask.
        ask: Given the label of an unknown field, returns its category, or None to leave it out.

    Raises:
        InputError: The file is no form, or nothing of it may be asked.
    """
    design = read_design(content, ending=ending)
    fields: list[Field] = []
    dropped: list[Judgement] = []
    judged_all = judge(standard, design.fields, circumstance, HIGHEST)
    for one, found in zip(design.fields, judged_all, strict=True):
        judged = _asked(standard, found, circumstance, ask) if found.verdict == UNNAMED else found
        category = judged.category
        verdict = standard.ask(circumstance, category or "", HIGHEST, method=method)
        if judged.verdict != ALLOWED or category is None or not verdict.allowed:
            dropped.append(
                judged if judged.verdict != ALLOWED else _by_method(judged, verdict.rule)
            )
            continue
        fields.append(_field(standard, one, judged, category, {f.id for f in fields}))
    if not fields:
        raise InputError(f"nothing in this form may be asked in {circumstance}")
    if len(fields) > MAX_FIELDS:
        raise InputError(f"a point has at most {MAX_FIELDS} fields; this form has {len(fields)}")
    return Adopted(fields=tuple(fields), dropped=tuple(dropped))


def _asked(
    standard: Standard, found: Judgement, circumstance: str, ask: Callable[[str], str | None] | None
) -> Judgement:
    category = ask(found.label) if ask is not None else None
    if category is None:
        return found
    if category not in standard.categories:
        raise InputError(f"{category!r} is no category of the standard")
    verdict = standard.ask(circumstance, category, HIGHEST)
    return replace(
        found, category=category, verdict=ALLOWED if verdict.allowed else "refused",
        optional=verdict.optional, rule=verdict.rule, source=verdict.source, advice=verdict.advice,
    )  # fmt: skip


def _by_method(found: Judgement, rule: str) -> Judgement:
    return replace(found, verdict="refused", rule=rule)


def _field(
    standard: Standard, one: DesignField, found: Judgement, category: str, taken: set[str]
) -> Field:
    stem = _LETTERS.sub("_", found.field.lower()).strip("_")
    if not stem or not stem[0].isalpha():
        stem = category.partition(".")[2].replace("-", "_")
    stem = name = stem[:36]
    number = 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    label, own = found.label.strip()[:_LABEL], standard.categories[category].name
    text = Text(label, own.en) if _CHINESE.search(label) else Text(f"{own.zh}（{label}）", label)
    depends = one.depends or bool(_DEPENDS.match(label))
    return Field(
        id=name, category=category, label=text, optional=found.optional or depends,
        words=not _fits(category, one.options),
    )  # fmt: skip


def _fits(category: str, options: Sequence[str] | None) -> bool:
    """Tell whether a question can be answered by the list that its category has, if it has one."""
    listed = CHOICES.get(category)
    if listed is None or options is None:
        return True
    check = choice_check(listed)
    return bool(options) and not any(
        isinstance(check(option, today=date.min), Problem) for option in options
    )
