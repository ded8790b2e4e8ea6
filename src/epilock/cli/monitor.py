"""Watch logs as a stranger: any number of them, with what mirrors, witnesses and residents were shown.

No installation is needed. Findings go to the terminal, to JSON (an object a line, one for each log) and to
a page; a proof of misbehaviour goes into a file that anyone can check alone.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from epilock.cli import monitor_page
from epilock.cli.files import write as write_file
from epilock.cli.installation import At, clock
from epilock.cli.verdict import plain, print_json
from epilock.cli.verify import AsJson, Keys, read_keys
from epilock.errors import EpilockError, InputError
from epilock.ledger import seen
from epilock.ledger.audit import StandardRules
from epilock.ledger.finding import Finding
from epilock.ledger.hearsay import listen
from epilock.ledger.monitor import Monitor, Report, rounds
from epilock.ledger.note import Verifier
from epilock.ledger.source import open_source
from epilock.standard import load

PATIENCE = 6.0  # seconds after which a log that is a moment behind its witnesses has caught up


@dataclass(frozen=True, slots=True)
class _Watched:
    """One log that is watched.

    Attributes:
        where: Where it is published.
        watch: Its monitor.
        origins: Names that its keys have.
        state: File of its memory, if there is one.
    """

    where: str
    watch: Monitor
    origins: tuple[str, ...]
    state: Path | None


def monitor(
    *,
    log: Annotated[
        list[str],
        typer.Option(
            help="A folder, or an address. Repeatable; a log before the one that continues it."
        ),
    ],
    key: Keys = None,
    also: Annotated[
        list[str] | None,
        typer.Option(help="What others show: a mirror, a witness, a receipt. Repeatable."),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(help="File that remembers what was seen before; a folder if several logs."),
    ] = None,
    standard: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of another version of the standard. Repeatable."),
    ] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Folder for proofs of misbehaviour, a file each.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Write what was found as a page.")] = None,
    every: Annotated[
        float | None, typer.Option(min=1, help="Go on, with so many seconds between rounds.")
    ] = None,
    as_json: AsJson = False,
    now: At = None,
) -> None:
    """Read whole logs as a stranger: exit code 0 only if nothing is wrong, overdue or contradictory."""
    if not key:
        raise InputError("give the log's --key, had from elsewhere than the log itself")
    rules = StandardRules([load(), *(load(folder) for folder in standard or ())])
    watched = list(_watched(log, read_keys(key), rules, state))
    while True:
        reports = _look(watched, also or (), now)
        for (where, report), each in zip(reports, watched, strict=True):
            if each.state is not None:
                seen.save(each.watch.seen, each.state)
            if evidence is not None:
                _keep_evidence(report, evidence)
            if as_json:
                print_json(_reported(where, report))
            else:
                _print_report(report)
        if page is not None:
            write_file(page, monitor_page.page(reports, clock(now)).encode())
        if every is None:
            break
        time.sleep(every)
    if any(report.findings for _, report in reports):
        raise typer.Exit(1)


def _watched(
    logs: Sequence[str], keys: Sequence[Verifier], rules: StandardRules, state: Path | None
) -> Iterator[_Watched]:
    made: list[Monitor] = []
    for where in logs:
        memory = state
        if state is not None and len(logs) > 1:
            state.mkdir(parents=True, exist_ok=True)
            memory = state / f"{sha256(where.encode()).hexdigest()[:16]}.json"
        remembered = seen.Seen() if memory is None else seen.load(memory)
        watch = Monitor(open_source(where), keys, rules, remembered, earlier=made)
        made.append(watch)
        yield _Watched(where, watch, tuple(dict.fromkeys(key.name for key in keys)), memory)


def _look(
    watched: Sequence[_Watched], also: Sequence[str], now: str | None
) -> list[tuple[str, Report]]:
    """Do one round of all; a second one if others are a moment ahead of a log."""
    for each, where in product(watched, also):
        _hear(each, where)
    watches = [each.watch for each in watched]
    reports = rounds(watches, clock(now))
    if now is None and any(f.kind == "ahead" for report in reports for f in report.findings):
        time.sleep(PATIENCE)
        reports = rounds(watches, clock(now))
    return [(each.where, report) for each, report in zip(watched, reports, strict=True)]


def _hear(each: _Watched, where: str) -> None:
    """Let a monitor take in what is shown of its log at ``where``."""
    for origin in each.origins:
        try:
            each.watch.hear(where, listen(where, origin))
        except EpilockError as error:
            each.watch.miss(where, error)
        else:
            return


def _keep_evidence(report: Report, folder: Path) -> None:
    for each in report.conflicts:
        data = each.text().encode()
        folder.mkdir(parents=True, exist_ok=True)
        write_file(folder / f"{sha256(data).hexdigest()[:16]}.json", data)


def _reported(where: str, report: Report) -> dict[str, Any]:
    said = report.checkpoint
    return {
        "log": where,
        "origin": None if said is None else said.origin,
        "size": report.size,
        "root": None if said is None else said.root.hex(),
        "findings": [_finding(each) for each in report.findings],
        "conflicts": [msgspec.json.decode(each.text()) for each in report.conflicts],
    }


def _finding(found: Finding) -> dict[str, Any]:
    return {
        "severity": found.severity, "kind": found.kind, "about": found.about, "index": found.index,
        "count": found.count, "detail": found.detail.as_dict(),
    }  # fmt: skip


def _print_report(report: Report) -> None:
    said = report.checkpoint
    name = "a log whose checkpoint does not verify" if said is None else said.origin
    print(f"{name}: {report.size} entries read and hashed to the signed root")
    for each in report.findings:
        where = "" if each.index is None else f", entry {each.index}"
        often = "" if each.count == 1 else f" ({each.count} times)"
        print(f"{each.severity:8} {each.kind}: {plain(each.about)}{where}{often}")
        print(f"         {plain(each.detail.zh)}")
        print(f"         {plain(each.detail.en)}")
    if not report.findings:
        print("nothing is wrong, overdue or contradictory")
