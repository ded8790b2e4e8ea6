"""De-identification of a table at the terminal; no installation is needed."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from epilock.beside import Told
from epilock.deidentify.leaving.review import Rule
from epilock.deidentify.release import config as configuration
from epilock.deidentify.release.dispatch import deidentify_file
from epilock.deidentify.release.run import Result
from epilock.errors import InputError
from epilock.standard.load import load

STAGES = {
    "values": "values",
    "count": "rows counted",
    "population": "population counted",
    "search": "nodes settled",
    "recode": "rows recoded",
    "frontier": "points of the frontier found",
}


def deidentify(
    file: Annotated[
        Path, typer.Argument(metavar="IN", help="The table: a CSV, XLSX or Parquet file.")
    ],
    *,
    config: Annotated[
        Path, typer.Option(metavar="FILE", help="What must hold and what may be coarsened, TOML.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="OUT", help="The release; its suffix says the format.")
    ],
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over a file that is there.")
    ] = False,
    rule: Annotated[
        str,
        typer.Option(
            metavar="CIRCUMSTANCE",
            help="Refuse it unless it keeps the standard's rule for this circumstance.",
        ),
    ] = "",
    register: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The register of releases that it is held against, and added to."
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A report, HTML or JSON by its suffix.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
) -> None:
    """Make a release of a table that keeps privacy models and loses least; tell what was found."""
    wanted = configuration.read(config)
    with _interruptible() as ask, _shown(ask) as told:
        result = deidentify_file(
            file, wanted, out, replace=replace, told=told, register=register, report=report,
            rule=_rule(rule) if rule else None, now=datetime.now(UTC),
        )  # fmt: skip
    if as_json:
        print(json.dumps(result.to_json(), ensure_ascii=False))
    else:
        _print(result, out)


def _rule(circumstance: str) -> Rule:
    """Return what the standard asks of a release of a circumstance's records."""
    known = load().circumstances
    if circumstance not in known:
        raise InputError(
            f"--rule: the standard has no circumstance of that code; it has {', '.join(known)}"
        )
    return Rule.of(known[circumstance].release)


@contextmanager
def _interruptible() -> Iterator[Callable[[], None]]:
    """Let an order to end be an interruption, after which nothing is left over; give what asks for it.

    An exception that a signal raises inside a library may be lost or come out as another: so it is noted too.
    """
    stopped = []

    def stop(*_: object) -> None:
        stopped.append(True)
        raise KeyboardInterrupt

    def ask() -> None:
        if stopped:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ask
    except BaseException:
        ask()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _shown(ask: Callable[[], None]) -> Iterator[Told]:
    """Show on standard error how far it is and how long it will take, if that is a terminal."""
    columns = (
        TextColumn("{task.description:20}"), BarColumn(),
        TextColumn("{task.completed:,.0f} of about {task.total:,.0f}"), TimeElapsedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        tasks: dict[str, TaskID] = {}

        def told(stage: str, done: int, all_: int) -> None:
            ask()
            if stage not in tasks:
                tasks[stage] = progress.add_task(STAGES[stage], total=0)
            progress.update(tasks[stage], completed=done, total=max(all_, done))

        yield told


def _print(result: Result, out: Path) -> None:
    kept = result.rows - result.suppressed
    print(f"{out}: {kept} of {result.rows} rows in {result.classes} classes")
    if result.optimum is not None:
        print("levels: " + ", ".join(f"{name} {level}" for name, level in result.optimum.items()))
    print(f"{result.metric}: {result.score:.6g}")
    for each in result.models:
        value = "nothing is released" if each.value is None else f"{each.value:.6g}"
        print(f"{each.model.kind}: {each.what} {value}")
    if result.left_out:
        print(f"left out: {', '.join(result.left_out)}")
    if result.lattice:
        print(
            f"proof: of {result.lattice} nodes {result.checked} were checked, {result.over_limit} suppress too"
            f" much, {result.not_better} lose more; {len(result.ties)} others are as good"
        )
    print(f"{result.search_seconds:.2f} s of search, {result.total_seconds:.2f} s in all")
