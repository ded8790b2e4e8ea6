"""Commands about the ledger: verify a proof and watch a log (both without an installation), and export it.

``verify`` and ``monitor`` stand at the top level; ``app`` is the group ``epilock ledger``.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from epilock.cli.files import read_small
from epilock.cli.installation import At, Home, clock, opened
from epilock.errors import EntryError, EpilockError, InputError, NoteError
from epilock.ledger import entry, policy, publish, seen
from epilock.ledger.audit import StandardRules
from epilock.ledger.finding import Finding
from epilock.ledger.monitor import Monitor, Report
from epilock.ledger.note import Verifier
from epilock.ledger.source import open_source
from epilock.ledger.verify import STEPS, Verified, failed_step
from epilock.ledger.verify import verify as verify_proof
from epilock.standard import load

app = typer.Typer(no_args_is_help=True, help="The transparency log of this installation.")

Keys = Annotated[
    list[str] | None,
    typer.Option("--key", help="Verifier key of the log, from elsewhere than the log. Repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def verify(
    file: Annotated[Path, typer.Argument(help="A .tlog-proof file.")],
    *,
    key: Keys = None,
    entry_file: Annotated[
        Path | None, typer.Option("--entry", help="The entry, if the file does not carry it.")
    ] = None,
    policy_file: Annotated[
        Path | None, typer.Option("--policy", help="A C2SP tlog-policy: logs and witnesses.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a receipt or another proof, offline: exit code 0 only if every step holds."""
    if not key and policy_file is None:
        raise InputError("give the log's --key, or a --policy that lists it")
    keys = _keys(key)
    given = None if entry_file is None else read_small(entry_file)
    rule = None if policy_file is None else policy.parse(read_small(policy_file))
    proof = read_small(file)
    try:
        done = verify_proof(proof, keys, given, rule)
    except EpilockError as error:
        _print_failure(error, as_json=as_json)
        raise typer.Exit(2 if isinstance(error, InputError) else 1) from None
    if as_json:
        _print_json(_verified(done))
    else:
        _print_verified(done, with_policy=policy_file is not None)


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
    watch = Monitor(open_source(log), _keys(key), rules, remembered)
    report = watch.round(instant)
    if state is not None:
        seen.save(watch.seen, state)
    if as_json:
        _print_json(_reported(report))
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


def _keys(given: list[str] | None) -> list[Verifier]:
    """Return the keys that ``--key`` gave.

    Raises:
        InputError: One of them is none.
    """
    try:
        return [Verifier.from_vkey(each) for each in given or ()]
    except NoteError as error:
        raise InputError(f"--key: {error}") from None


def _says(data: bytes) -> entry.Entry | None:
    """Return what an entry says, or None if it is of another kind of log."""
    try:
        return entry.decode(data)
    except EntryError:
        return None


def _print_failure(error: EpilockError, *, as_json: bool) -> None:
    step, name = failed_step(error), type(error).__name__
    if as_json:
        _print_json({"ok": False, "step": step, "error": name, "why": str(error)})
        return
    number = [*STEPS].index(step) + 1
    print(f"NOT VERIFIED, step {number} ({step}), {name}: {_plain(str(error))}")


def _verified(done: Verified) -> dict[str, Any]:
    said = _says(done.entry)
    return {
        "ok": True,
        "origin": done.checkpoint.origin,
        "size": done.checkpoint.size,
        "root": done.checkpoint.root.hex(),
        "index": done.index,
        "witnesses": [each.name for each in done.witnesses],
        "entry": said if said is not None else done.entry.hex(),
    }


def _print_verified(done: Verified, *, with_policy: bool) -> None:
    said = done.checkpoint
    witnesses = ", ".join(each.name for each in done.witnesses) or "none known"
    lines = {
        "file": f"a proof of entry {done.index} in a log of {said.size}",
        "entry": f"{len(done.entry)} bytes",
        "origin": said.origin,
        "signature": f"by the log; witnesses: {witnesses}",
        "policy": "enough witnesses cosigned" if with_policy else "none was given",
        "inclusion": f"the entry is in the tree with the root {said.root.hex()}",
    }
    print("VERIFIED")
    for number, step in enumerate(STEPS, 1):
        print(f"  {number} {step:10} {_plain(lines[step])}")
    found = _says(done.entry)
    if found is None:
        print(f"The entry is of no type of Epilock: {done.entry.hex()}")
        return
    print(f"The entry says ({entry.kind(found)}):")
    for name in found.__struct_fields__:
        value = msgspec.json.encode(getattr(found, name)).decode()
        print(f"  {name:12} {_plain(value)}")


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
        print(f"{each.severity:8} {each.kind}: {_plain(each.about)}{where}{often}")
        print(f"         {_plain(each.detail.zh)}")
        print(f"         {_plain(each.detail.en)}")
    if not report.findings:
        print("nothing is wrong, overdue or contradictory")


def _print_json(value: Any) -> None:
    print(msgspec.json.encode(value).decode())


def _plain(text: str) -> str:
    """Return ``text`` without characters that could steer a terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
