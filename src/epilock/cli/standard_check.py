"""``epilock standard check``: judge a form that someone else designed, field by field."""

import json
import unicodedata
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Line

from epilock.collect.design import Design, read_design
from epilock.standard import load
from epilock.standard.judge import ALLOWED, REFUSED, UNNAMED, Judgement, judge
from epilock.standard.synonyms import META
from epilock.standard.text import Text

WORDS = {
    ALLOWED: (Text("可以", "allowed"), "green"),
    REFUSED: (Text("不可以", "refused"), "bold red"),
    META: (Text("不含个人信息", "meta"), "dim"),
    UNNAMED: (Text("不明", "unknown"), "yellow"),
}
COLUMNS = (Text("栏目", "Field"), Text("类别", "Category"), Text("判断", "Verdict"), Text("规则与依据", "Rule and source"), Text("建议", "Advice"))  # fmt: skip


class Language(StrEnum):
    """Language of the answer."""

    zh = "zh"
    en = "en"


def check(
    file: Annotated[
        Path, typer.Argument(help="Point TOML, XLSForm, FHIR Questionnaire, CSV or XLSX.")
    ],
    circumstance: Annotated[str, typer.Option(help="Such as residential-entry.")],
    level: Annotated[str, typer.Option(help="I, II, III, IV, N or E.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    language: Annotated[
        Language | None, typer.Option(help="Of the advice; the form's own by default.")
    ] = None,
) -> None:
    """Judge each field of a form by the standard.

    Exit code 0: nothing is refused or unknown; 1: something is; 2: the file or an option is wrong.
    """
    design = read_design(file)
    standard = load()
    judgements = judge(standard, design.fields, circumstance, level.upper())
    spoken = (language or Language(design.language)).value
    if as_json:
        report = as_report(judgements, str(file), circumstance, level.upper(), spoken)
        text = json.dumps(report, ensure_ascii=False, indent=1)
        typer.echo(text.encode("utf-8", "backslashreplace"))
    else:
        names = {code: c.name for code, c in standard.categories.items()}
        _print(design, judgements, names, spoken)
    if any(j.verdict in {REFUSED, UNNAMED} for j in judgements):
        raise typer.Exit(1)


def as_report(
    judgements: tuple[Judgement, ...], file: str, circumstance: str, level: str, language: str
) -> dict[str, Any]:
    """Return the report that ``--json`` prints; its keys are those of issue 3."""
    return {
        "file": file,
        "circumstance": circumstance,
        "level": level,
        "fields": [
            {
                "field": j.field,
                "label": j.label,
                "category": j.category,
                "verdict": j.verdict,
                "rule": j.rule,
                "source": list(j.source),
                "advice": getattr(j.advice, language),
            }
            for j in judgements
        ],
    }


def _print(
    design: Design, judgements: tuple[Judgement, ...], names: dict[str, Text], language: str
) -> None:
    """Print a table and a line that counts."""

    def say(text: Text) -> str:
        return str(getattr(text, language))

    console = Console(soft_wrap=False)
    table = Table(title=_plain(design.title) or None, show_lines=True)
    for column in COLUMNS:
        table.add_column(say(column), overflow="fold")
    for j in judgements:
        word, style = WORDS[j.verdict]
        name = j.field if j.label in {j.field, ""} else f"{j.field}\n{j.label}"
        asked = [c for c in (j.category, *j.also) if c in names]
        category = "\n".join(f"{say(names[c])} {c}" for c in asked) or "—"
        source = "\n".join(filter(None, (j.rule, " ".join(j.source))))
        table.add_row(
            Line(_plain(name)), Line(category), Line(say(word), style=style), Line(source),
            Line(_plain(say(j.advice))),
        )  # fmt: skip
    console.print(table)
    counts = [
        (say(word), sum(j.verdict == v for j in judgements)) for v, (word, _) in WORDS.items()
    ]
    console.print(Line(" · ".join(f"{word} {n}" for word, n in counts)))


def _plain(text: str) -> str:
    """Return ``text`` without what could steer a terminal: control and formatting characters."""
    return "".join(c for c in text if c == "\n" or unicodedata.category(c)[0] != "C")
