"""A witness in five minutes: ``init`` makes its keys, ``add-log`` names a log, ``serve`` cosigns.

It needs no installation of Epilock beside it, and should run in another department than the log.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock.cli import logs, supervisor
from epilock.errors import InputError, NoteError
from epilock.ledger.note import ED25519, Verifier
from epilock.ledger.witness import key as keys
from epilock.ledger.witness.cosign import Witness
from epilock.ledger.witness.memory import Memory, accused, origin_hash
from epilock.web import connection
from epilock.web.hall import Hall
from epilock.web.witness import create_witness_app

app = typer.Typer(no_args_is_help=True, help="A witness: cosign the logs of other departments.")

Folder = Annotated[Path, typer.Argument(help="The witness's own folder.")]
KEYS, LOGS, POLICY = "keys.json", "logs", "lines.policy"


@app.command("init")
def init(
    folder: Folder,
    *,
    name: Annotated[str, typer.Option(help="Such as witness.example/audit-office.")],
    url: Annotated[str, typer.Option(help="Where it will be reached, for the logs' policies.")],
) -> None:
    """Make a new witness: a folder with its keys (mode 0600), and its lines for policies."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    cosigners = keys.make(folder / KEYS, name)
    (folder / LOGS).mkdir(exist_ok=True)
    lines = [
        f"witness {name}/{kind} {each.verifier.vkey} {url}\n"
        for kind, each in zip(("ed25519", "ml-dsa-44"), cosigners, strict=True)
    ]
    (folder / POLICY).write_text("".join(lines), encoding="utf-8")
    print(f"witness {name} made in {folder}; give {folder / POLICY} to the logs that it watches")


@app.command("add-log")
def add_log(
    folder: Folder, vkey: Annotated[str, typer.Argument(help="The log's verifier key.")]
) -> None:
    """Accept a log, or another key of a log that is known (when it changes its key)."""
    try:
        key = Verifier.from_vkey(vkey)
    except NoteError as error:
        raise InputError(str(error)) from None
    if key.algorithm != ED25519:
        raise InputError("a log of Epilock signs with Ed25519 (type 1); this is a cosigner's key")
    _memory(folder).add(key)
    print(
        f"{key.name} is accepted; its newest checkpoint will be at /{origin_hash(key.name)}/checkpoint"
    )


@app.command("list")
def list_logs(folder: Folder) -> None:
    """List the logs with the size that was cosigned last; exit code 1 if a log misbehaved."""
    memory = _memory(folder)
    for origin in memory.logs():
        with memory.turn(origin) as turn:
            size = turn.text.split("\n")[1] if turn.text else "nothing yet"
        print(f"{origin}: {size}")
    evidence = accused(folder / LOGS)
    for path in evidence:
        print(f"REFUSED, signed by the log and not consistent: {path}")
    if evidence:
        raise typer.Exit(1)


@app.command("key")
def show_keys(folder: Folder) -> None:
    """Print the verifier keys of this witness, Ed25519 first."""
    for each in keys.load(folder / KEYS):
        print(each.verifier.vkey)


@app.command("serve")
def serve(
    folder: Folder,
    *,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8601,
) -> None:
    """Serve add-checkpoint and the newest checkpoints; put TLS before it."""
    witness = Witness(_memory(folder), keys.load(folder / KEYS))
    supervisor.end_in_peace()
    logs.begin(logs.TEXT)
    made = create_witness_app(witness, now=lambda: datetime.now(UTC))
    connection.run(made, Hall(), host, port)


def _memory(folder: Path) -> Memory:
    """Return the memory in a witness's folder.

    Raises:
        InputError: There is no witness.
    """
    if not (folder / LOGS).is_dir():
        raise InputError(f"{folder} holds no witness; make one with `epilock witness init`")
    return Memory(folder / LOGS)
