"""Sheets: all that the standard says about one thing, in both languages, for a person who looks it up.

In comes the compiled standard and a code; out goes a sheet of labelled lines. Pure. A code that names
two things ("paper" is a method and a medium) gets a sheet for each.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Protocol

from epilock.errors import InputError
from epilock.standard.compiled import Standard
from epilock.standard.level import LEVELS, severity
from epilock.standard.model import Category, Purpose, Retention, Source
from epilock.standard.text import NOTHING, Text, about, joined

GRAVEST_FIRST = tuple(reversed(LEVELS))


class Coded(Protocol):
    """Any row of the standard."""

    @property
    def code(self) -> str:
        """Its code."""

    @property
    def verified(self) -> bool:
        """Whether it was checked against its source."""


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled line, or several values under one label."""

    label: Text
    values: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the standard says about one thing.

    Attributes:
        kind: The table it stands in, such as ``circumstances`` or ``media``; ``rules`` for a rule.
        code: Its code.
        name: Its name.
        lines: What is said about it, in a fixed order; none without a value.
    """

    kind: str
    code: str
    name: Text
    lines: tuple[Line, ...]


def tables(standard: Standard) -> Mapping[str, Mapping[str, Coded]]:
    """Return every table of the standard by the name that ``standard list`` knows it by."""
    return MappingProxyType({
        "circumstances": standard.circumstances, "categories": standard.categories,
        "purposes": standard.purposes, "sources": standard.sources, "levels": standard.levels,
        "grades": standard.grades, "types": standard.types, "ranges": standard.ranges,
        "media": standard.media, "methods": standard.methods, "alarms": standard.alarms,
        "duties": standard.duties, "events": standard.events,
        "event-grades": standard.event_grades, "warning-colours": standard.warning_colours,
    })  # fmt: skip


def name_of(row: Coded) -> Text:
    """Return the name of a row; a source has a title."""
    name = getattr(row, "name", None) or getattr(row, "title", None)
    return name if isinstance(name, Text) else Text(row.code, row.code)


def find(standard: Standard, code: str) -> list[tuple[str, Coded]]:
    """Return each row called ``code``, with its table.

    Raises:
        InputError: Nothing is called so; the message names what comes near.
    """
    found = [(kind, rows[code]) for kind, rows in tables(standard).items() if code in rows]
    if not found:
        codes = sorted({c for rows in tables(standard).values() for c in rows})
        near = get_close_matches(code, codes, n=3)
        hint = f"; did you mean {' or '.join(near)}" if near else "; see `epilock standard list`"
        raise InputError(f"the standard has nothing called {code[:80]!r}{hint}")
    return found


def plain(text: str) -> Text:
    """Return a text that is the same in both languages."""
    return Text(text, text)


def line(zh: str, en: str, *values: Text | str) -> Line:
    """Return a line; values that are empty in both languages are left out."""
    texts = [plain(v) if isinstance(v, str) else v for v in values]
    return Line(Text(zh, en), tuple(t for t in texts if t.zh or t.en))


def named(row: Coded) -> Text:
    """Return ``name (code)``."""
    name = name_of(row)
    return Text(f"{name.zh}（{row.code}）", f"{name.en} ({row.code})")


def yes_no(*, value: bool) -> Text:
    """Return yes or no."""
    return Text("是", "yes") if value else Text("否", "no")


def sources(standard: Standard, codes: Iterable[str]) -> Line:
    """Return the line of the sources a row rests on, unread ones marked."""
    return line("依据", "sources", *(_cited(standard.sources[code]) for code in codes))


def _cited(source: Source) -> Text:
    title = source.title
    unread = ("", "") if source.verified else ("；未核对原文", "; not read in full")
    return Text(f"{source.code} {title.zh}{unread[0]}", f"{source.code} {title.en}{unread[1]}")


def verified(row: Coded) -> Line:
    """Return the line that says whether a row was checked against its sources."""
    return line("已核对", "verified", yes_no(value=row.verified))


def sheet(standard: Standard, kind: str, row: Coded, body: Iterable[Line]) -> Sheet:
    """Return a sheet of ``body``, its sources and mark, without empty lines."""
    cited = getattr(row, "source", ())
    lines = [*body, *([sources(standard, cited)] if cited else []), verified(row)]
    return Sheet(kind, row.code, name_of(row), tuple(x for x in lines if x.values))


def duration(standard: Standard, kept: Retention) -> Text:
    """Return how long something is kept and how it ends, as one sentence."""
    start = standard.events[kept.starts].name
    ends = Text("匿名化" if kept.end == "anonymise" else "销毁", kept.end)
    if kept.days is None:
        zh, en = "到应急结束后三十日", f"until {standard.end_days} days after the emergency's end"
        zh = f"到应急结束后{standard.end_days}日"
    else:
        zh, en = f"{start.zh}后{kept.days}日", f"{kept.days} days from {start.en}"
    if kept.statutory:
        zh, en = f"{zh}（法定）", f"{en} (asked by law)"
    return Text(f"{zh}，{ends.zh}", f"{en}, then {ends.en}")


def category_lines(standard: Standard, category: Category, level: str) -> list[Line]:
    """Return what the standard says about a category; at ``level`` only, if one is given."""
    grade = standard.grades[str(category.grade)]
    alarm = standard.alarms[category.alarm]
    count = alarm.facts.get("records", "")
    return [
        line("级别", "grade", Text(f"{category.grade}：{grade.says.zh}", f"{category.grade}: {grade.says.en}")),
        line("敏感", "sensitive", yes_no(value=category.sensitive)),
        line("为什么问", "why it is asked", category.why),
        line("必要性", "necessity", category.necessity),
        line("对本人的影响", "effect on the person", category.effect),
        line("显示时遮蔽", "masked as", category.mask),
        line("可代替", "may stand in for", *(named(standard.categories[c]) for c in category.stands_for)),
        line("数量警戒", "count alarm", Text(f"{alarm.name.zh}：{count}", f"{alarm.name.en}: {count}")),
        *_where_asked(standard, category, level),
    ]  # fmt: skip


def _where_asked(standard: Standard, category: Category, level: str) -> list[Line]:
    """Return where a category may be asked, and where never."""
    may, never = [], []
    for where in standard.circumstances.values():
        allow = where.allows.get(category.code)
        if allow is None:
            verdict = standard.ask(where.code, category.code, level or "I")
            if verdict.rule.startswith("never/"):
                never.append(named(where))
            continue
        if level and not standard.ask(where.code, category.code, level).allowed:
            continue
        kept = where.retentions[allow.retention][level or allow.level]
        last = duration(standard, kept)
        box = Text("，选填", ", optional") if allow.optional else NOTHING
        start = standard.from_level(allow.level)
        may.append(about(named(where), Text(
            f"{start.zh}{box.zh}；保存：{last.zh}", f"{start.en}{box.en}; kept {last.en}",
        )))  # fmt: skip
    at = standard.levels[level].name if level else NOTHING
    nowhere = Text("无处可以", "nowhere")
    return [
        line(
            "可以收集" + (f"（{at.zh}）" if level else ""), "may be asked" + (f" at {at.en}" if level else ""),
            *(may or [nowhere]),
        ),
        line("任何级别都不得收集", "never, at any level", *never),
    ]  # fmt: skip


def purpose_lines(standard: Standard, purpose: Purpose) -> list[Line]:
    """Return what the standard says about a purpose."""
    serves = [named(c) for c in standard.circumstances.values() if purpose.code in c.purposes]
    return [
        line("可见形式", "forms it may see", ", ".join(purpose.forms)),
        line("流转范围", "ranges that may have it", *(named(standard.ranges[r]) for r in purpose.ranges)),
        line("条件", "what it takes", ", ".join(purpose.needs)),
        line("一次一人", "one subject at a time", yes_no(value=purpose.one_subject)),
        line("适用情形", "circumstances it serves", *serves),
    ]  # fmt: skip


def source_lines(standard: Standard, source: Source) -> list[Line]:
    """Return every row that rests on a source."""
    rests = [
        line(*_TABLE_NAMES[kind], *(named(r) for r in rows.values() if source.code in getattr(r, "source", ())))
        for kind, rows in tables(standard).items()
        if kind != "sources"
    ]  # fmt: skip
    kept = [
        Text(f"{named(c).zh}：{id_}", f"{named(c).en}: {id_}")
        for c in standard.circumstances.values()
        for id_, at in c.retentions.items()
        if source.code in at["N"].source and source.code not in c.source
    ]
    return [*rests, line("保存期限", "retentions", *kept)]


_TABLE_NAMES = {
    "circumstances": ("情形", "circumstances"), "categories": ("类别", "categories"),
    "purposes": ("目的", "purposes"), "sources": ("依据", "sources"), "levels": ("响应级别", "levels"),
    "grades": ("保护级别", "grades"), "types": ("事件类型", "types"), "ranges": ("流转范围", "ranges"),
    "media": ("介质", "media"), "methods": ("方式", "methods"), "alarms": ("数量警戒", "alarms"),
    "duties": ("义务", "duties"), "events": ("起算事件", "events"),
    "event-grades": ("事件分级", "event grades"), "warning-colours": ("预警颜色", "warning colours"),
}  # fmt: skip


def scale_lines(standard: Standard, kind: str, row: Coded, level: str) -> list[Line]:
    """Return what a row of a plain table says, and what of the standard it governs."""
    says = getattr(row, "says", plain(""))
    facts = getattr(row, "facts", {})
    lines = [
        line("内容", "what it means", says),
        line("数值", "values", *(f"{key} = {value}" for key, value in facts.items())),
    ]
    users = {
        "grades": lambda: [named(c) for c in standard.categories.values() if str(c.grade) == row.code],
        "alarms": lambda: [named(c) for c in standard.categories.values() if c.alarm == row.code],
        "ranges": lambda: [_reached(standard, c.code, row.code) for c in standard.circumstances.values() if row.code in c.ranges],
        "media": lambda: [named(c) for c in standard.circumstances.values() if row.code in c.media],
        "methods": lambda: [
            about(named(c), standard.from_level(c.methods[row.code]))
            for c in standard.circumstances.values()
            if row.code in c.methods and (not level or severity(level) >= severity(c.methods[row.code]))
        ],
        "events": lambda: [
            named(c) for c in standard.circumstances.values()
            if any(at["N"].starts == row.code for at in c.retentions.values())
        ],
        "levels": lambda: [_askable(standard, c.code, row.code) for c in standard.circumstances.values()],
    }  # fmt: skip
    used = users.get(kind, list)()
    return [*lines, line("适用于", "governs", *used)]


def _reached(standard: Standard, circumstance: str, range_: str) -> Text:
    where = standard.circumstances[circumstance]
    need = where.range_needs.get(range_)
    if need is None:
        return named(where)
    purpose = standard.purposes[need].name
    return Text(f"{named(where).zh}：仅限{purpose.zh}", f"{named(where).en}: for {purpose.en} only")


def _askable(standard: Standard, circumstance: str, level: str) -> Text:
    """Return what a circumstance may ask at a level, in one line."""
    where = standard.circumstances[circumstance]
    now = [
        standard.categories[c].name for c in where.allows
        if standard.ask(circumstance, c, level).allowed
    ]  # fmt: skip
    return about(named(where), joined(now) if now else Text("无", "nothing"))
