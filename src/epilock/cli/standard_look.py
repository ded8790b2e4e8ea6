"""``epilock standard list``, ``show`` and ``diff``: what the standard says, and what another version changes."""

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Any

import typer

from epilock.cli.standard_check import Language
from epilock.errors import InputError
from epilock.standard import Standard, load_named, versions
from epilock.standard.difference import KINDS_ZH, Change, Kind, difference
from epilock.standard.sheet import Coded, Sheet, name_of, tables
from epilock.standard.show import show as sheets_of
from epilock.standard.text import Text


class Table(StrEnum):
    """A table of the standard."""

    circumstances = "circumstances"
    categories = "categories"
    purposes = "purposes"
    sources = "sources"
    levels = "levels"
    grades = "grades"
    types = "types"
    ranges = "ranges"
    media = "media"
    methods = "methods"
    alarms = "alarms"
    duties = "duties"
    events = "events"
    event_grades = "event-grades"
    warning_colours = "warning-colours"
    versions = "versions"


Version = Annotated[
    str, typer.Option("--standard", help="A shipped version or a folder; the newest by default.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Spoken = Annotated[Language, typer.Option("--language", help="Of the text.")]
LevelOption = Annotated[str, typer.Option("--level", help="I, II, III, IV, N or E.")]


def list_(
    table: Annotated[Table, typer.Argument(help="What to list.")] = Table.circumstances,
    *,
    circumstance: Annotated[
        str, typer.Option(help="Only categories that this circumstance lists.")
    ] = "",
    level: LevelOption = "",
    grade: Annotated[
        int | None, typer.Option(min=1, max=4, help="Only categories of this grade.")
    ] = None,
    sensitive: Annotated[
        bool, typer.Option("--sensitive", help="Only sensitive categories.")
    ] = False,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Only what was not read in its source.")
    ] = False,
    word: Annotated[str, typer.Option(help="Only what has this in its code or name.")] = "",
    standard: Version = "",
    as_json: AsJson = False,
    language: Spoken = Language.en,
) -> None:
    """List a table of the standard; with --circumstance and --level, what may be asked there."""
    if table is Table.versions:
        _print_versions(as_json=as_json)
        return
    rules = load_named(standard or versions()[-1])
    if table is not Table.categories and (circumstance or level or grade or sensitive):
        raise InputError("--circumstance, --level, --grade and --sensitive are about categories")
    rows = list(tables(rules)[table.value].values())
    if circumstance or level:
        rows = _asked(rules, circumstance, level.upper())
    rows = [
        r for r in rows
        if (grade is None or getattr(r, "grade", None) == grade)
        and (not sensitive or getattr(r, "sensitive", False))
        and not (unverified and r.verified)
        and _has(r, word)
    ]  # fmt: skip
    if as_json:
        found = {"standard": rules.ref, "table": table.value, "rows": [_row(r) for r in rows]}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    width = max((len(r.code) for r in rows), default=0)
    for row in rows:
        typer.echo(f"{row.code:<{width}}  {_say(name_of(row), language)}{_marks(row, language)}")


def show(
    code: Annotated[str, typer.Argument(help="A code of any table, or a rule such as never/….")],
    *,
    level: LevelOption = "",
    standard: Version = "",
    as_json: AsJson = False,
    language: Spoken = Language.en,
) -> None:
    """Show all that the standard says about a code or a rule."""
    rules = load_named(standard or versions()[-1])
    sheets = sheets_of(rules, code, level.upper())
    if as_json:
        found = {"standard": rules.ref, "sheets": [_sheet(s) for s in sheets]}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    for n, sheet in enumerate(sheets):
        if n:
            typer.echo()
        _print_sheet(sheet, language)


def diff(
    before: Annotated[str, typer.Argument(help="A shipped version or a folder.")],
    after: Annotated[str, typer.Argument(help="Another.")],
    *,
    as_json: AsJson = False,
    language: Spoken = Language.en,
) -> None:
    """Say which answers change from one version to another. Exit code 0: none; 1: some."""
    old, new = load_named(before), load_named(after)
    changes = difference(old, new)
    if as_json:
        found = {"before": old.ref, "after": new.ref, "changes": [_change(c) for c in changes]}
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
    else:
        _print_changes(old, new, changes, language)
    if changes:
        raise typer.Exit(1)


def _asked(standard: Standard, circumstance: str, level: str) -> list[Coded]:
    """Return the categories that a circumstance lists, or may ask at ``level``."""
    if not circumstance:
        raise InputError("--level needs --circumstance: what may be asked depends on both")
    where = standard.circumstances.get(circumstance)
    if where is None:
        known = ", ".join(standard.circumstances)
        raise InputError(f"no circumstance {circumstance!r} in the standard; there are {known}")
    if level and level not in standard.levels:
        raise InputError(
            f"no level {level!r} in the standard; there are {', '.join(standard.levels)}"
        )
    return [
        standard.categories[c] for c in where.allows
        if not level or standard.ask(circumstance, c, level).allowed
    ]  # fmt: skip


def _has(row: Coded, word: str) -> bool:
    name = name_of(row)
    return word.casefold() in f"{row.code}\n{name.zh}\n{name.en}".casefold()


def _say(text: Text, language: Language) -> str:
    return str(getattr(text, language.value))


def _marks(row: Coded, language: Language) -> str:
    """Return grade, sensitivity and doubt of a row, for the end of its line."""
    zh = language is Language.zh
    marks = []
    if isinstance(grade := getattr(row, "grade", None), int):
        marks.append(f"{grade}级" if zh else f"grade {grade}")
    if getattr(row, "sensitive", False):
        marks.append("敏感" if zh else "sensitive")
    if not row.verified:
        marks.append("未核对" if zh else "unverified")
    between = "，" if zh else ", "
    return f"  [{between.join(marks)}]" if marks else ""


def _row(row: Coded) -> dict[str, Any]:
    found: dict[str, Any] = {"code": row.code, "name": name_of(row).as_dict()}
    for aspect in ("grade", "sensitive"):
        if hasattr(row, aspect):
            found[aspect] = getattr(row, aspect)
    if hasattr(row, "source"):
        found["source"] = list(row.source)
    return found | {"verified": row.verified}


def _sheet(sheet: Sheet) -> dict[str, Any]:
    return {
        "kind": sheet.kind,
        "code": sheet.code,
        "name": sheet.name.as_dict(),
        "lines": [
            {"label": x.label.as_dict(), "values": [v.as_dict() for v in x.values]}
            for x in sheet.lines
        ],
    }


def _print_sheet(sheet: Sheet, language: Language) -> None:
    typer.echo(f"{sheet.code}  {_say(sheet.name, language)}  [{sheet.kind}]")
    zh = language is Language.zh
    for line in sheet.lines:
        label, values = _say(line.label, language), [_say(v, language) for v in line.values]
        if len(values) == 1:
            typer.echo(f"  {label}：{values[0]}" if zh else f"  {label}: {values[0]}")
        else:
            typer.echo(f"  {label}：" if zh else f"  {label}:")
            for value in values:
                typer.echo(f"    {value}")


def _change(change: Change) -> dict[str, Any]:
    return {
        "kind": change.kind.name,
        "where": change.where,
        "what": change.what,
        "before": change.before.as_dict(),
        "after": change.after.as_dict(),
    }


def _print_changes(
    old: Standard, new: Standard, changes: Iterable[Change], language: Language
) -> None:
    typer.echo(f"{old.ref} -> {new.ref}")
    groups: dict[Kind, list[Change]] = {}
    for change in changes:
        groups.setdefault(change.kind, []).append(change)
    zh = language is Language.zh
    if not groups:
        typer.echo("没有答案变化" if zh else "no answer changes")
    for kind, listed in groups.items():
        typer.echo(f"{KINDS_ZH[kind] if zh else kind.value} ({len(listed)})")
        for c in listed:
            before, after = _say(c.before, language) or "—", _say(c.after, language) or "—"
            typer.echo(f"  {c.where}  {c.what}: {before} -> {after}")


def _print_versions(*, as_json: bool) -> None:
    found = [load_named(v) for v in versions()]
    if as_json:
        rows = [{"version": s.version, "hash": s.hash, "title": s.title.as_dict()} for s in found]
        typer.echo(json.dumps({"table": "versions", "rows": rows}, ensure_ascii=False, indent=1))
        return
    for standard in found:
        typer.echo(f"{standard.version}  {standard.hash}")
