"""Difference: which answers change from one version of the standard to another.

Answers are compared, not files: two folders that differ in a comment give the same answers. Texts count
too, since notices repeat them. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from epilock.standard.compiled import Standard
from epilock.standard.level import LEVELS
from epilock.standard.model import Circumstance, Retention
from epilock.standard.sheet import Coded, duration, name_of, tables
from epilock.standard.text import Text


class Kind(StrEnum):
    """What kind of answer changes, the gravest for people first."""

    asked = "may newly be asked"
    dropped = "may no longer be asked"
    changed = "asked otherwise"
    retention = "kept otherwise"
    collected = "collected otherwise"
    seen = "seen otherwise"
    protected = "protected otherwise"
    row = "new or gone"
    basis = "rests on something else"
    text = "worded otherwise"


KINDS_ZH = {
    Kind.asked: "新增可收集", Kind.dropped: "不再可收集", Kind.changed: "收集条件变化", Kind.retention: "保存变化",
    Kind.collected: "方式或介质变化", Kind.seen: "使用与流转变化", Kind.protected: "保护变化", Kind.row: "增减",
    Kind.basis: "依据变化", Kind.text: "文字变化",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One answer that changes.

    Attributes:
        kind: What kind of answer it is.
        where: Table or circumstance.
        what: Category, or the name of what changes.
        before: What the first version says, "" if it says nothing.
        after: What the second says.
    """

    kind: Kind
    where: str
    what: str
    before: Text
    after: Text


def difference(before: Standard, after: Standard) -> list[Change]:
    """Return every answer that differs, ordered by kind, then by place; nothing if none does."""
    changes = [
        *_rows(before, after),
        *_numbers(before, after),
        *_circumstances(before, after),
    ]
    order = list(Kind)
    return sorted(changes, key=lambda c: (order.index(c.kind), c.where, c.what))


def _text(value: object) -> Text:
    """Return a value of a row as text, the same in both languages unless it is a text itself."""
    if isinstance(value, Text):
        return value
    if isinstance(value, Mapping):
        value = [f"{k} = {v}" for k, v in value.items()]
    if isinstance(value, (tuple, list, set, frozenset)):
        value = ", ".join(map(str, value))
    return Text(str(value), str(value))


NOTHING = Text("", "")
# What of a row each kind of change is about; all that a row has is named here or in _circumstance.
_ASPECTS: dict[str, Kind] = {
    "name": Kind.text, "title": Kind.text, "says": Kind.text, "why": Kind.text, "necessity": Kind.text,
    "effect": Kind.text, "everyday": Kind.text, "note": Kind.text, "grade": Kind.protected,
    "sensitive": Kind.protected, "mask": Kind.protected, "alarm": Kind.protected,
    "stands_for": Kind.changed, "facts": Kind.protected, "forms": Kind.seen, "needs": Kind.seen,
    "one_subject": Kind.seen, "source": Kind.basis, "verified": Kind.basis, "basis": Kind.basis,
    "purposes": Kind.seen, "range_needs": Kind.seen, "never": Kind.changed, "one_of": Kind.changed,
    "methods": Kind.collected, "media": Kind.collected, "media_only": Kind.collected,
    "step_down_days": Kind.retention, "ranges": Kind.seen,
}  # fmt: skip
_UNORDERED = frozenset({"never", "media", "ranges", "purposes", "forms", "needs", "source", "stands_for", "one_of"})  # fmt: skip


def _rows(before: Standard, after: Standard) -> Iterator[Change]:
    """Yield rows that are new or gone, and what those in both say otherwise."""
    for table, (old, new) in _pairs(before, after):
        for code in sorted({*old, *new}):
            if code not in old:
                yield Change(Kind.row, table, code, NOTHING, name_of(new[code]))
            elif code not in new:
                yield Change(Kind.row, table, code, name_of(old[code]), NOTHING)
            else:
                yield from _row(table, old[code], new[code])


def _pairs(
    before: Standard, after: Standard
) -> Iterable[tuple[str, tuple[Mapping[str, Coded], Mapping[str, Coded]]]]:
    newer = tables(after)
    return ((name, (rows, newer[name])) for name, rows in tables(before).items())


def _row(table: str, old: Coded, new: Coded) -> Iterator[Change]:
    for aspect, kind in _ASPECTS.items():
        a, b = getattr(old, aspect, None), getattr(new, aspect, None)
        same = set(a) == set(b) if aspect in _UNORDERED and a and b else a == b
        if not same:
            yield Change(kind, table, f"{old.code}: {aspect}", _text(a), _text(b))


def _numbers(before: Standard, after: Standard) -> Iterator[Change]:
    if before.end_days != after.end_days:
        days = (_text(before.end_days), _text(after.end_days))
        yield Change(Kind.retention, "version", "end_days", *days)
    if before.title != after.title:
        yield Change(Kind.text, "version", "title", before.title, after.title)


def _circumstances(before: Standard, after: Standard) -> Iterator[Change]:
    """Yield what the circumstances of both versions, and new or lost ones, ask and keep otherwise."""
    for code in sorted({*before.circumstances, *after.circumstances}):
        old, new = before.circumstances.get(code), after.circumstances.get(code)
        if old and new and old.release != new.release:
            yield Change(Kind.changed, code, "release", _released(old), _released(new))
        listed = {*(old.allows if old else ()), *(new.allows if new else ())}
        for category in sorted(listed):
            yield from _asked(code, category, (before, after))
            if old and new and category in old.allows and category in new.allows:
                yield from _kept(code, category, (before, old), (after, new))


def _released(where: Circumstance) -> Text:
    says = f"k = {where.release.k}, l = {where.release.l}"
    return Text(says, says)


def _asked(code: str, category: str, versions: tuple[Standard, Standard]) -> Iterator[Change]:
    """Yield a change if a category may be asked at other levels, or is optional no longer."""
    levels = [
        frozenset(x for x in LEVELS if each.ask(code, category, x).allowed) for each in versions
    ]
    says = [_leave(each, code, category) for each in versions]
    if says[0] == says[1] and levels[0] == levels[1]:
        return
    kind = Kind.changed
    if levels[1] - levels[0]:
        kind = Kind.asked
    elif levels[0] - levels[1]:
        kind = Kind.dropped
    yield Change(kind, code, category, *says)


def _leave(standard: Standard, code: str, category: str) -> Text:
    where = standard.circumstances.get(code)
    allow = where.allows.get(category) if where else None
    if allow is None:
        return Text("不得收集", "refused")
    box = Text("，选填", ", optional") if allow.optional else NOTHING
    start = standard.from_level(allow.level)
    return Text(f"{start.zh}{box.zh}", f"{start.en}{box.en}")


def _kept(
    code: str, category: str, old: tuple[Standard, Circumstance], new: tuple[Standard, Circumstance]
) -> Iterator[Change]:
    """Yield a change for each level at which a category is kept otherwise; equal ones together."""
    groups: dict[tuple[Text, Text], list[str]] = {}
    for level in reversed(LEVELS):
        a, b = (
            where.retentions[where.allows[category].retention][level] for _, where in (old, new)
        )
        if _period(a) != _period(b):
            pair = (_duration(old[0], a), _duration(new[0], b))
            groups.setdefault(pair, []).append(level)
    for (a_says, b_says), levels in groups.items():
        at = "" if len(levels) == len(LEVELS) else f" at {', '.join(levels)}"
        yield Change(Kind.retention, code, f"{category}{at}", a_says, b_says)


def _period(kept: Retention) -> tuple[object, ...]:
    return (kept.days, kept.starts, kept.ceiling_days, kept.end, kept.statutory)


def _duration(standard: Standard, kept: Retention) -> Text:
    says = duration(standard, kept)
    if kept.starts == "collection":
        return says
    return Text(
        f"{says.zh}（最迟收集后{kept.ceiling_days}日）",
        f"{says.en} (at the latest {kept.ceiling_days} days from collection)",
    )
