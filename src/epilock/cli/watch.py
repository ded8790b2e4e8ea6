"""The watcher as a process of its own, and the freeze: what was found, and two persons who lift it.

``epilock serve`` watches in its own process. Another process sees what that one can't be asked for: that it was
stopped or replaced. With ``--without-keys`` it needs an account that can read the databases, and no more.
"""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from epilock import settings
from epilock.caretaker import watcher
from epilock.cli.identity import As, signed_in
from epilock.cli.installation import At, Home, instant_text, opened
from epilock.db import Database, open_engine
from epilock.destroy import freeze
from epilock.errors import InputError
from epilock.ledger.check import Damage
from epilock.rounds import Rounds
from epilock.watch.round import EVERY, SECONDS, Sight, Watcher

app = typer.Typer(
    no_args_is_help=True, help="What went around the program, and the freeze of destruction."
)

Seconds = Annotated[
    float, typer.Option(min=0, max=3600, help="Seconds of each round for what costs a scan.")
]
WithoutKeys = Annotated[
    bool,
    typer.Option(
        "--without-keys", help="Read the databases and nothing else; alert, don't freeze."
    ),
]
MemoryFile = Annotated[
    Path | None,
    typer.Option(
        "--memory", help="File of what was seen; with --without-keys.", show_default=False
    ),
]


@app.command("run")
def run(
    *,
    every: Annotated[float, typer.Option(min=1, max=3600, help="Seconds between rounds.")] = EVERY,
    seconds: Seconds = SECONDS,
    without_keys: WithoutKeys = False,
    memory: MemoryFile = None,
    home: Home = None,
) -> None:
    """Look again and again until it is stopped; say what is found."""
    with _watching(home, seconds, memory, without_keys=without_keys) as watching:
        done = threading.Event()
        for kind in (signal.SIGTERM, signal.SIGINT):
            signal.signal(kind, lambda *_: done.set())
        rounds = Rounds("watcher", lambda: _say(watching.round(datetime.now(UTC))), every=every)
        rounds.start()
        print(f"watching every {every:g} seconds (stop with Ctrl-C)", flush=True)
        done.wait()
        rounds.stop()


@app.command("once")
def once(
    *,
    seconds: Seconds = SECONDS,
    without_keys: WithoutKeys = False,
    memory: MemoryFile = None,
    home: Home = None,
) -> None:
    """Look once: exit code 1 if something went around the program."""
    with _watching(home, seconds, memory, without_keys=without_keys) as watching:
        found = watching.round(datetime.now(UTC))
    _say(found)
    if found:
        raise typer.Exit(1)
    print("nothing went around the program")


@app.command("list")
def list_freezes(*, home: Home = None) -> None:
    """List the freezes with what was found: exit code 1 while one lasts."""
    with opened(home) as parts, parts.database.read() as tx:
        found = freeze.listing(tx)
    for each in found:
        print(f"{each.freeze} {each.stage} since {instant_text(each.begun)}, {each.count} findings")
        _say(each.findings)
        if each.asked_by:
            print(f"  asked by {each.asked_by}: {each.reason}")
        if each.lifted_by and each.lifted:
            print(f"  lifted by {each.lifted_by} at {instant_text(each.lifted)}")
    if any(each.stage != freeze.LIFTED for each in found):
        raise typer.Exit(1)
    print("nothing is frozen")


@app.command("ask")
def ask(
    *,
    reason: Annotated[str, typer.Option(help=", ".join(freeze.REASONS))],
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Ask, as a supervisor, that the freeze be lifted; another person agrees."""
    with opened(home, now) as parts:
        staff = signed_in(parts, who, *freeze.MAY_ASK)
        with parts.database.write() as tx:
            found = freeze.ask(
                tx, by=staff.staff, by_org=staff.org, roles=staff.roles, reason=reason,
                now=parts.now(),
            )  # fmt: skip
    print(f"{found.freeze} waits for a second person: `epilock watch lift`")


@app.command("lift")
def lift(*, who: As, home: Home = None, now: At = None) -> None:
    """Lift the freeze as the second person; what is due is destroyed from then on."""
    with opened(home, now) as parts:
        staff = signed_in(parts, who, *freeze.MAY_LIFT)
        with parts.database.write() as tx:
            found = freeze.lift(
                tx, parts.log, standard_ref=parts.standard.ref, by=staff.staff, by_org=staff.org,
                roles=staff.roles, now=parts.now(),
            )  # fmt: skip
    print(f"{found.freeze} is lifted")


@contextmanager
def _watching(
    home: Path | None, seconds: float, memory: Path | None, *, without_keys: bool
) -> Iterator[Watcher]:
    """Give a watcher: of an installation, or of two databases alone."""
    if not without_keys:
        if memory is not None:
            raise InputError("--memory goes with --without-keys; an installation has its own")
        with opened(home, damaged=True) as parts:
            yield watcher(parts, seconds=seconds)
        return
    told = settings.read(os.environ, home=home)
    main, keys = (
        Database(open_engine(url, read_only=True), b"")
        for url in (told.database, told.key_database)
    )
    yield Watcher(
        Sight(
            main=main, keys=keys, path=memory or told.seen, seconds=seconds, command=told.alert
        )
    )  # fmt: skip


def _say(found: Sequence[Damage]) -> None:
    for each in found:
        print(f"  {each.row}: {each.problem}", flush=True)
