"""Commands about the ledger: watch a log (without an installation), show what ours holds, export it.

``monitor`` stands at the top level; ``app`` is the group ``epilock ledger``.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from epilock.cli.installation import At, Home, clock, opened
from epilock.cli.verify import AsJson, Keys, consistency, plain, print_json, read_keys
from epilock.errors import InputError
from epilock.ledger import publish, seen
from epilock.ledger.audit import StandardRules
from epilock.ledger.finding import Finding
from epilock.ledger.monitor import Monitor, Report
from epilock.ledger.notation import base64_text
from epilock.ledger.source import open_source
from epilock.standard import load

app = typer.Typer(no_args_is_help=True, help="The transparency log of this installation.")

app.command("consistency")(consistency)


def monitor(
    *,
    log: Annotated[str, typer.Option(help="A folder, or an address that begins with https://.")],
    key: Keys = None,
    state: Annotated[
        Path | None, typer.Option(help="File that remembers the checkpoints seen before.")
    ] = None,
    standard: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of another version of the standard. Repeatable."),
    ] = None,
    as_json: AsJson = False,
    now: At = None,
) -> None:
    """Read a whole log as a stranger: exit code 0 only if nothing is wrong, overdue or contradictory."""
    if not key:
        raise InputError("give the log's --key, had from elsewhere than the log itself")
    instant = clock(now)
    rules = StandardRules([load(), *(load(folder) for folder in standard or ())])
    remembered = seen.Seen() if state is None else seen.load(state)
    watch = Monitor(open_source(log), read_keys(key), rules, remembered)
    report = watch.round(instant)
    if state is not None:
        seen.save(watch.seen, state)
    if as_json:
        print_json(_reported(report))
    else:
        _print_report(report)
    if report.findings:
        raise typer.Exit(1)


@app.command("key")
def show_key(*, home: Home = None) -> None:
    """Print the verifier key of this log, to be published elsewhere than beside the log."""
    with opened(home) as parts:
        print(parts.log.signer.vkey)


@app.command("proof")
def show_proof(
    index: Annotated[int, typer.Argument(min=0, max=2**62, help="Index of the entry.")],
    *,
    home: Home = None,
) -> None:
    """Print the .tlog-proof of one entry."""
    with opened(home) as parts, parts.database.read() as tx:
        print(parts.log.proof(tx, index), end="")


@app.command("checkpoint")
def show_checkpoint(
    size: Annotated[
        int | None, typer.Argument(min=0, max=2**62, help="Of that size; the latest if none.")
    ] = None,
    *,
    home: Home = None,
) -> None:
    """Print a signed checkpoint of this log, to be kept by others."""
    with opened(home) as parts, parts.database.read() as tx:
        print(parts.log.checkpoint(tx, size), end="")


@app.command("consistency-proof")
def show_consistency(
    old: Annotated[int, typer.Argument(min=0, max=2**62, help="Size of the older checkpoint.")],
    new: Annotated[
        int | None, typer.Argument(min=0, max=2**62, help="Of the newer; the latest if none.")
    ] = None,
    *,
    home: Home = None,
) -> None:
    """Print the proof that this log only grew between two sizes, for `epilock ledger consistency`."""
    with opened(home) as parts, parts.database.read() as tx:
        for each in parts.log.consistency(tx, old, new):
            print(base64_text(each))


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Folder that a web server serves.")],
    *,
    home: Home = None,
) -> None:
    """Publish the log into a folder (C2SP tiles) that any web server can serve; repeat to go on."""
    with opened(home) as parts:
        shown = publish.write(parts.database, parts.log, folder)
    print(f"{folder} shows {shown.size} entries of {shown.origin}")


@app.command("check")
def check(
    folder: Annotated[Path, typer.Argument(help="The published folder.")], *, home: Home = None
) -> None:
    """Compare a published folder, byte for byte, with what the database makes of it."""
    found = 0
    with opened(home) as parts:
        for damage in publish.compare(parts.database, parts.log, folder):
            found += 1
            print(damage)
    if found:
        raise typer.Exit(1)
    print(f"{folder} is what the database makes of it")


def _reported(report: Report) -> dict[str, Any]:
    said = report.checkpoint
    return {
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
