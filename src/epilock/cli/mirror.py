"""A mirror of a log: fetch, verify while fetching, go on where it stopped, serve."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock.cli import logs, supervisor
from epilock.cli.verify import Keys, read_keys
from epilock.errors import EpilockError, InputError
from epilock.ledger.mirror import Mirror
from epilock.ledger.source import open_source
from epilock.ledger.witness import key as witness_keys
from epilock.rounds import Rounds
from epilock.web import connection
from epilock.web.hall import Hall
from epilock.web.mirror import create_mirror_app


def mirror(
    log: Annotated[str, typer.Argument(metavar="URL|DIR", help="Where the log is published.")],
    folder: Annotated[Path, typer.Argument(help="Where the copy lies.")],
    *,
    key: Keys = None,
    cosign: Annotated[
        Path | None, typer.Option(help="keys.json of the mirror's own witness: it cosigns.")
    ] = None,
    serve: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Serve at this port, and go on.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen at, with --serve.")] = "127.0.0.1",
    every: Annotated[float, typer.Option(min=1, help="Seconds between rounds, with --serve.")] = 10,
) -> None:
    """Keep a copy of a published log, verified while it is fetched; repeat to go on."""
    if not key:
        raise InputError("give the log's --key, had from elsewhere than the log itself")
    copy = Mirror(
        open_source(log), read_keys(key), folder,
        cosigners=() if cosign is None else witness_keys.load(cosign),
    )  # fmt: skip
    if serve is None:
        done = copy.round(datetime.now(UTC), say=_say)
        said = done.checkpoint
        print(
            f"{folder} shows {said.size} entries of {said.origin}; {done.fetched} bundles fetched"
        )
        return
    rounds = Rounds("mirror", lambda: _follow(copy), every=every)
    supervisor.end_in_peace()
    logs.begin(logs.TEXT)
    rounds.start()
    try:
        connection.run(create_mirror_app(folder), Hall(), host, serve)
    finally:
        rounds.stop()


def _follow(copy: Mirror) -> None:
    """Do one round; what is wrong with the log is said, and the copy stays as it is."""
    try:
        copy.round(datetime.now(UTC))
    except EpilockError as error:
        print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {type(error).__name__}: {error}")


def _say(kept: int, of: int) -> None:
    if kept == of or kept % (1 << 18) == 0:
        print(f"  {kept:,} of {of:,} entries", flush=True)
