"""Making, serving and checking an installation."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Annotated

import typer

from epilock import assemble, inventory, settings
from epilock.accounts import staff
from epilock.assemble import Parts
from epilock.caretaker import Caretaker
from epilock.cli import logs, supervisor
from epilock.cli.installation import At, Home, clock, opened
from epilock.cli.registers import (
    Address,
    Area,
    Complaints,
    NameEn,
    NameZh,
    Officer,
    Supervisor,
    Telephone,
)
from epilock.ledger.anchor.duty import Duty
from epilock.ledger.gather import Gatherer
from epilock.ledger.shards import all_of
from epilock.registry import organisation as organisations
from epilock.rounds import Rounds
from epilock.standard.text import Text
from epilock.store.check import check as check_all
from epilock.web.serve import serve as serve_site

BETWEEN_ROUNDS = 2.0  # seconds from one round of the witnesses to the next
BETWEEN_ANCHORS = 60.0  # seconds from one round of anchoring to the next
GRACE = 2.0  # seconds that the end of the program waits for the outside


def init(
    org: Annotated[str, typer.Argument(help="Code of the first organisation.")],
    *,
    kind: Annotated[str, typer.Option(help=", ".join(organisations.KINDS))] = "government",
    circulation: Annotated[str, typer.Option("--range", help="R1 to R6.")] = "R4",
    name_zh: NameZh,
    name_en: NameEn,
    area: Area,
    address: Address,
    telephone: Telephone,
    officer: Officer,
    complaints: Complaints,
    supervisor: Supervisor,
    administrator: Annotated[str, typer.Option(help="Login of the first administrator.")] = "admin",
    home: Home = None,
    now: At = None,
) -> None:
    """Make a new installation with its first organisation and administrator."""
    fixed = clock(now)
    contact = {
        "address": address, "telephone": telephone, "officer": officer, "complaints": complaints,
        "supervisor": supervisor,
    }  # fmt: skip
    # Checked before anything is made, so that a slip leaves no half-made installation behind.
    organisations.check(org=org, kind=kind, range_=circulation, area=area, contact=contact)
    staff.check_login(administrator)
    parts = assemble.found(settings.read(os.environ, home=home), now=lambda: fixed)
    try:
        with parts.database.write() as tx:
            organisations.register(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, kind=kind,
                range_=circulation, parent=None, area=area, name=Text(name_zh, name_en),
                notice_key=parts.notice_signer(org).vkey, contact=contact, now=fixed,
            )  # fmt: skip
            made, password = staff.add_staff(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, login=administrator,
                roles=("administrator",), now=fixed,
            )  # fmt: skip
    finally:
        parts.close()
    print(f"installation made in {parts.settings.home}")
    print(f"log key: {parts.log.signer.vkey}")
    print(f"administrator {made.login} of {org}, one-time password: {password}")
    print(
        "keep root.key and the folder slots on media of their own, and never together in a backup"
    )


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen at.")] = 8600,
    behind: Annotated[
        str | None,
        typer.Option(
            help="Address of the web server before it, whose X-Forwarded-For is believed."
        ),
    ] = None,
    home: Home = None,
) -> None:
    """Serve pages, console, API and log; in the background records are destroyed and witnesses asked."""
    supervisor.end_in_peace()
    handed = supervisor.inherited(os.environ)
    told = settings.read(os.environ, home=home)
    logs.begin(told.log)
    parts = assemble.build(told, now=lambda: datetime.now(UTC))
    gatherers = [Gatherer(parts.database, log) for log in all_of(parts.log)]
    for each in gatherers:
        each.compare(parts.now())
    caretaker = Caretaker(parts)
    caretaker.start()
    asking = Rounds(
        "witnesses",
        lambda: ask_witnesses(parts, gatherers),
        every=BETWEEN_ROUNDS,
        meters=parts.meters,
    )
    asking.start()
    anchoring = anchor_rounds(parts)
    print(f"serving {parts.settings.url} at {host} port {port} (stop with Ctrl-C)", flush=True)
    supervisor.notify(os.environ, "READY=1")
    try:
        serve_site(parts, host=host, port=port, behind=behind, inherited=handed)
    finally:
        supervisor.notify(os.environ, "STOPPING=1")
        for rounds in anchoring:  # the outside may be slow; breaking off is safe at any point
            rounds.stop(within=GRACE)
        asking.stop()
        caretaker.stop()
        parts.close()


def ask_witnesses(parts: Parts, gatherers: Sequence[Gatherer]) -> None:
    """Ask about each log: the newest, and what was sealed until its last checkpoint is cosigned."""
    for each in gatherers:
        each.round(parts.now())


def anchor_rounds(parts: Parts, *, every: float = BETWEEN_ANCHORS) -> list[Rounds]:
    """Begin to anchor the log beside everything else, at each place that was named."""
    return [_begun(duty, parts, every) for duty in parts.duties]


def _begun(duty: Duty, parts: Parts, every: float) -> Rounds:
    rounds = Rounds(
        f"anchor-{duty.kind.value}",
        lambda: duty.run(now=parts.now()),
        every=every,
        meters=parts.meters,
    )
    rounds.start()
    return rounds


def check(*, home: Home = None) -> None:
    """Open and prove everything that is stored; name each row that is not what it was."""
    found = 0
    with opened(home, damaged=True) as parts:
        stored = check_all(parts.database, parts.key_store(), parts.log)
        for finding in chain(stored, inventory.check(parts.database, parts.log)):
            found += 1
            print(f"{finding.row}: {finding.problem}", file=sys.stderr)
    if found:
        raise typer.Exit(1)
    print("everything is as it was stored")
