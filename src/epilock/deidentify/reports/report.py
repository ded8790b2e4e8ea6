"""The report of a release: what was asked, what was found, what it is worth and what it risks; HTML and JSON.

One file in both languages, Chinese first, that asks for nothing: no script, no address, pictures drawn as SVG,
and its own Content-Security-Policy which forbids the rest. Rules kept in this file:
  1. No raw value of a suppressed row stands in it, and no number below ``least`` of rows that say something:
     ``distribution`` counts rows of the release only, and hides what is small.
  2. Texts are data (``report.toml``), both languages side by side.
  3. Results of attacks and of utility come as the JSON of their own rooms; what is shown of them is named
     here, and nothing else of them passes.
"""

import base64
import dataclasses
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from epilock import durable
from epilock.deidentify.leaving.review import Measures, Reviewed
from epilock.deidentify.reports import chart, distribution
from epilock.deidentify.reports.distribution import Distribution
from epilock.deidentify.reports.frontier import Point
from epilock.errors import ConflictError, InputError

FORMAT = "epilock/deidentify-report/v1"
HERE = Path(__file__).parent
LANGUAGES = {"zh": "zh-CN", "en": "en"}
_LONG = 1000  # scores from here on are counts, and shown without a fraction
LEAST = 10  # rows of a number that is shown, where no rule asks for more
RISKS = ("rows", "highest", "average", "above", "unique")
DISCLOSURE = (
    "column", "rows", "homogeneous", "largest_distance", "mean_distance", "guessed", "guessed_without",
)  # fmt: skip
MEMBERSHIP = ("columns", "advantage", "low", "high", "told_in", "told_out")
WORTH = ("rows", "suppressed", "classes", "loss", "discernibility", "average_class_size")
LEARNT = ("target", "rows", "folds", "majority", "before", "after")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a report tells.

    Attributes:
        found: What the search found, as ``run.Result.to_json`` gives it.
        limit: Share of rows that might be suppressed.
        quasi: The quasi-identifiers.
        measures: What was counted in the release.
        reviewed: The review that it passed, or None if no rule was asked for.
        distributions: Of its columns, in their order.
        frontier: Other k, or nothing.
        least: The smallest number that is shown.
        sha256: Of the released file.
        at: When.
        drawn: Rows of which membership and learning are told, if they were drawn; None if they are all.
        linkage: ``asdict`` of ``attack.Linkage``, or None.
        disclosure: Of each ``inference.Disclosure``.
        membership: Of ``inference.Membership``, or None.
        worth: Of ``utility.Measures`` before and after, or None.
        learnt: Of each ``learning.Learnt``.
    """

    found: Mapping[str, Any]
    limit: float
    quasi: tuple[str, ...]
    measures: Measures
    reviewed: Reviewed | None
    distributions: tuple[Distribution, ...]
    frontier: tuple[Point, ...] = ()
    least: int = LEAST
    sha256: str
    at: datetime
    drawn: int | None = None
    linkage: Mapping[str, Any] | None = None
    disclosure: Sequence[Mapping[str, Any]] = field(default=())
    membership: Mapping[str, Any] | None = None
    worth: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
    learnt: Sequence[Mapping[str, Any]] = field(default=())

    @property
    def worst(self) -> tuple[Mapping[str, Any], ...]:
        """Of each number of known columns the subset with the highest risk, by that number."""
        found: dict[int, Mapping[str, Any]] = {}
        for each in (self.linkage or {}).get("known", ()):
            size = len(each["columns"])
            if size not in found or _risk(each) > _risk(found[size]):
                found[size] = each
        return tuple(found[size] for size in sorted(found))

    def to_json(self) -> dict[str, Any]:
        """Return the report for a machine."""
        reviewed = self.reviewed
        return {
            "format": FORMAT, "at": self.at.isoformat(timespec="seconds"), "sha256": self.sha256,
            "suppression_limit": self.limit, "quasi_identifiers": list(self.quasi),
            **self.found, "measures": dataclasses.asdict(self.measures),
            "review": None if reviewed is None else {
                "rule": dataclasses.asdict(reviewed.rule), "smallest": reviewed.smallest,
                "fewest": reviewed.least_diverse,
                "joint": None if reviewed.joint is None else dataclasses.asdict(reviewed.joint),
            },
            "frontier": [dataclasses.asdict(each) for each in self.frontier],
            "least_shown": self.least,
            "distributions": [dataclasses.asdict(each) for each in self.distributions],
            "attacks": {
                "drawn": self.drawn,
                "linkage": None if self.linkage is None else {
                    "threshold": self.linkage["threshold"],
                    "worst": [
                        {"columns": list(each["columns"]), "before": _only(each["before"], RISKS),
                         "after": _only(each["after"], RISKS)}
                        for each in self.worst
                    ],
                },
                "disclosure": [_only(each, DISCLOSURE) for each in self.disclosure],
                "membership": None if self.membership is None else _only(self.membership, MEMBERSHIP),
            },
            "utility": None if self.worth is None else {
                name: _only(each, WORTH) for name, each in zip(("before", "after"), self.worth, strict=True)
            },
            "learnt": [_only(each, LEARNT) for each in self.learnt],
        }  # fmt: skip

    def to_html(self) -> str:
        """Return the report for people."""
        css = (HERE / "report.css").read_text("utf-8")
        digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
        return _template().render(
            report=self, css=css, policy=f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:",
            speakers=[_Speaker(code) for code in LANGUAGES], frontier=chart.frontier(self.frontier),
            bars=[(each, chart.bars(each)) for each in self.distributions], chart=chart,
        )  # fmt: skip


def write(path: Path, report: Report, *, replace: bool = False) -> None:
    """Write a report, whole or not at all: JSON if the suffix is ``.json``, HTML if it is ``.html``.

    Raises:
        InputError: Another suffix, or it can't be written there.
        ConflictError: The file is there already and ``replace`` is not said.
    """
    check_path(path, replace=replace)
    if path.suffix.lower() == ".json":
        text = json.dumps(report.to_json(), ensure_ascii=False, indent=1) + "\n"
    else:
        text = report.to_html()
    try:
        durable.replace(path, text.encode())
    except OSError as error:
        raise InputError(f"the report {path} can't be written: {error.strerror}") from None


def check_path(path: Path, *, replace: bool) -> None:
    """Raise unless a report can be written to ``path``: told before the work, not after; see ``write``."""
    if path.suffix.lower() not in {".html", ".json"}:
        raise InputError(f"{path.name}: a report ends in .html or .json")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: there is no such directory; make it first")
    if path.exists() and not replace:
        raise ConflictError(f"{path.name} is there already; name a new file, or say --replace")


def least_shown(reviewed: Reviewed | None, models: Sequence[Mapping[str, Any]]) -> int:
    """Return the smallest number that a report shows: the rule's k, or the models', and ten at least."""
    asked = [int(each["k"]) for each in models if each["kind"] == "k-anonymity"]
    if reviewed is not None:
        asked.append(reviewed.rule.k)
    return max([LEAST, *asked])


def of_columns(
    columns: Sequence[str],
    known: Sequence[Distribution],
    counts: Mapping[str, Mapping[str, int]],
    *,
    quasi: Sequence[str],
    least: int,
) -> tuple[Distribution, ...]:
    """Return the distribution of each column: as it is ``known``, else of its ``counts`` after alone."""
    there = {each.attribute: each for each in known}
    return tuple(
        there.get(name)
        or distribution.of_counts(name, counts[name], least=least, quasi=name in quasi)
        for name in columns
    )


class _Speaker:
    """Says texts in one language."""

    def __init__(self, language: str) -> None:
        self.language, self.tag = language, LANGUAGES[language]

    def __call__(self, key: str, **values: object) -> str:
        return texts()[key][self.language].format(**values)

    def knows(self, key: str) -> bool:
        return key in texts()


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Return every text of the report by its key, in each language."""
    with (HERE / "report.toml").open("rb") as stream:
        found: dict[str, dict[str, str]] = tomllib.load(stream)
    return found


@cache
def _template() -> jinja2.Template:
    jinja = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    jinja.filters["n"] = lambda number: f"{number:,}"
    jinja.filters["share"] = lambda number: f"{number:.2%}"
    jinja.filters["score"] = _score
    return jinja.get_template("report.html")


def _score(number: float) -> str:
    return f"{number:.4f}" if abs(number) < _LONG else f"{number:,.0f}"


def _risk(known: Mapping[str, Any]) -> tuple[float, float]:
    return known["after"]["highest"], known["after"]["average"]


def _only(given: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: given[name] for name in names}
