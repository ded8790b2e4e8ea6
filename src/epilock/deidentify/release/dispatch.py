"""A release of a file from beginning to end: made, reviewed, written, registered, told.

Nothing is written before everything is known, and then whole or not at all; the order is that of ``leave``.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from epilock.beside import Told
from epilock.deidentify.evaluation.attack import linkage
from epilock.deidentify.evaluation.covers import ByHierarchy, Gathering
from epilock.deidentify.evaluation.inference import disclosure, membership
from epilock.deidentify.evaluation.learning import Learnt, learn
from epilock.deidentify.evaluation.utility import measures
from epilock.deidentify.leaving.leave import Leave, leaving, rule_of_models
from epilock.deidentify.leaving.review import Rule
from epilock.deidentify.release.config import Config
from epilock.deidentify.release.run import Result, deidentify
from epilock.deidentify.reports import distribution, frontier
from epilock.deidentify.reports import report as reports
from epilock.deidentify.reports.report import Report
from epilock.deidentify.rows.recoding import FullDomain
from epilock.deidentify.search.local.mixed import MixedRecoding
from epilock.deidentify.table import open_table
from epilock.deidentify.writing import check_output, written
from epilock.errors import InputError, TooLargeError

MOST_DRAWN = 200_000  # rows of which membership and learning are told; they are in memory then
ATTACKED = frozenset(
    {"optimal", "beam", "local"}
)  # methods whose forms are those of the hierarchies
MOST_KNOWN = 2  # columns that a report's adversary knows, besides the one who knows all
HELD_OUT = 0.1  # share of rows that a release made for the test of membership does not see
SEED = 1  # of what a report draws: the same table has the same report


def deidentify_file(
    path: Path,
    config: Config,
    out: Path,
    *,
    replace: bool = False,
    told: Told | None = None,
    rule: Rule | None = None,
    register: Path | None = None,
    report: Path | None = None,
    now: datetime,
) -> Result:
    """Write the release of the table in ``path`` to ``out``, whole or not at all, and return what was found.

    Args:
        path: The table.
        config: What is wanted.
        out: The release.
        replace: Whether files that are there are written over.
        told: See ``run.deidentify``.
        rule: What the release is held to, such as a circumstance's.
        register: Directory of the register of releases; without a rule it is held to its own models there.
        report: Where a report is written, HTML or JSON.
        now: For the register and the report.

    Raises:
        ConflictError: A file is there already and ``replace`` is not said; or it is the input.
        RefusedError: It is below ``rule``, or tells too much beside an earlier release; nothing is written.
        InputError: See ``run.deidentify``, ``table.open_table``, ``writing.check_output``, ``leave.leaving``.
    """
    began = time.perf_counter()
    check_output(out, path, replace=replace)
    if report is not None:
        reports.check_path(report, replace=replace)
    if register is not None and rule is None:
        rule = rule_of_models(config.models)
    with leaving(
        config.quasi_identifiers, rule=rule, register=register, dataset=config.dataset,
        record=config.record,
    ) as leave:  # fmt: skip
        source = open_table(path)
        result = deidentify(source, config, told=told, reviewed=True)
        with written(out, leave.schema(result.schema), source, replace=replace) as writer:
            for batch in leave.watch(result.batches(told)):
                writer.write(batch)
            leave.passed(levels=result.optimum, suppressed=result.suppressed, now=now)
        sha256 = leave.left(out)
    result = dataclasses.replace(result, total_seconds=time.perf_counter() - began)
    if report is not None:
        reports.write(
            report, report_of(result, config, leave, sha256, now, told=told), replace=replace
        )
    return result


def report_of(
    result: Result,
    config: Config,
    leave: Leave,
    sha256: str,
    at: datetime,
    *,
    told: Told | None = None,
) -> Report:
    """Return the report of a release that has left."""
    found, recoding = result.to_json(), result.recoding
    least = reports.least_shown(leave.reviewed, found["models"])
    known: tuple[distribution.Distribution, ...] = ()
    if isinstance(recoding, FullDomain):
        known = distribution.of_full_domain(recoding, result.task.counted.classes, least=least)
    elif isinstance(recoding, MixedRecoding):
        known = distribution.of_mixed(recoding.mixed, least=least)
    attacks: dict[str, Any] = {}
    if config.search in ATTACKED and result.suppressed < result.rows:
        attacks = _measured(result, config, 1 / max(1, leave.review.measures().smallest))
    return Report(
        found=found, limit=config.suppression_limit, quasi=config.quasi_identifiers,
        measures=leave.review.measures(), reviewed=leave.reviewed,
        distributions=reports.of_columns(
            result.columns, known, {name: leave.review.frequencies(name) for name in result.columns},
            quasi=config.quasi_identifiers, least=least,
        ),
        frontier=_frontier(result, config, told), least=least, sha256=sha256, at=at, **attacks,
    )  # fmt: skip


def _frontier(result: Result, config: Config, told: Told | None) -> tuple[frontier.Point, ...]:
    """Return the frontier; nothing if the lattice or the table is too large for many searches."""
    try:
        return frontier.along(
            result.task, config.models, search=config.search, sensitive=config.sensitive,
            progress=None if told is None else lambda done, all_: told("frontier", done, all_),
        )  # fmt: skip
    except TooLargeError:
        return ()


def _measured(result: Result, config: Config, threshold: float) -> dict[str, Any]:
    """Return what attacks on the release find, and what use is left, as a report takes it.

    Linkage, disclosure and measures count all rows, alike ones once. Who is a member, and what a model learns,
    is told of rows by themselves: of ``MOST_DRAWN`` drawn at random where there are more.
    """
    names, quasi = [*config.quasi_identifiers, *config.sensitive], config.quasi_identifiers
    known = result.task.hierarchies
    matchers = {name: ByHierarchy(known[name]) for name in quasi}
    drawn = _draw(result.rows)
    found: dict[str, Any] = {"drawn": None if len(drawn) == result.rows else len(drawn)}
    raw, forms = Gathering(names), Gathering(names)
    sample: list[pa.RecordBatch] = []
    seen = 0
    for batch in result.source.batches(names):
        raw.add(batch)
        forms.add(result.recoding.recode(batch, seen))
        chosen = drawn[slice(*np.searchsorted(drawn, [seen, seen + batch.num_rows]))] - seen
        sample.append(batch.take(pa.array(chosen)))
        seen += batch.num_rows
    of_sample = [result.recoding.recode(batch, 0) for batch in sample]
    before, after = pa.Table.from_batches(sample), pa.Table.from_batches(of_sample)
    found["membership"] = _membership(before, result, config, matchers)
    learnt = [_learnt(before, after, name, quasi, matchers) for name in config.sensitive]
    found["learnt"] = [dataclasses.asdict(each) for each in learnt if each is not None]
    try:
        people, release = raw.rows(), forms.rows()
        linked = linkage(
            people, release, quasi, matchers, threshold=threshold, most_known=MOST_KNOWN
        )
        told_of = [disclosure(people, release, quasi, name, matchers) for name in config.sensitive]
    except TooLargeError:
        return found
    domains = {name: known[name].forms[0] for name in quasi}
    worth = measures(people, release, quasi, matchers, domains=domains)
    return found | {
        "linkage": dataclasses.asdict(linked),
        "disclosure": [dataclasses.asdict(each) for each in told_of],
        "worth": tuple(map(dataclasses.asdict, worth)),
    }


def _draw(rows: int) -> npt.NDArray[np.int64]:
    """Return the numbers of ``MOST_DRAWN`` of ``rows``, drawn by ``SEED``, in order; all if there are no more."""
    if rows <= MOST_DRAWN:
        return np.arange(rows)
    draw = np.random.default_rng(SEED)
    return np.sort(draw.choice(rows, MOST_DRAWN, replace=False, shuffle=False))


def _membership(
    before: pa.Table, result: Result, config: Config, matchers: Mapping[str, ByHierarchy]
) -> dict[str, Any] | None:
    """Return how well members are told from rows that were held out of a release made the same way.

    None if the rest alone can't be released, or the models need a population.
    """
    if config.needs_population:
        return None
    held = np.random.default_rng(SEED).random(before.num_rows) < HELD_OUT
    members, others = before.filter(pa.array(~held)), before.filter(pa.array(held))
    alone = dataclasses.replace(config, keep=(), dataset=None, record=None)
    try:
        release = deidentify(members, alone, hierarchies=result.task.hierarchies).table()
        found = membership(members, others, release, config.quasi_identifiers, matchers, seed=SEED)
    except InputError:
        return None
    return dataclasses.asdict(found)


def _learnt(
    before: pa.Table,
    after: pa.Table,
    target: str,
    quasi: Sequence[str],
    matchers: Mapping[str, ByHierarchy],
) -> Learnt | None:
    """Return how a model of ``target`` does; None if it has too few or too many values to be told."""
    try:
        return learn(before, after, quasi, target, matchers, seed=SEED)
    except InputError:
        return None
