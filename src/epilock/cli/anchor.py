"""Commands that keep the log's roots outside, on a chain and by time stamps, and read them back.

Where and how often are settings (``EPILOCK_ANCHOR_...``). What ``proof`` writes is checked by ``epilock verify
--anchor``, without any of them.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from epilock import durable
from epilock.assemble import INSTALLATION, Parts
from epilock.cli.failure import explain
from epilock.cli.installation import At, Home, opened
from epilock.errors import (
    AnchorError,
    AnchorRefusedError,
    EpilockError,
    InconsistentError,
    NotFoundError,
    StateError,
    UnreachableError,
)
from epilock.ledger import rows, shards
from epilock.ledger.anchor import book, outbox, stamp
from epilock.ledger.anchor.account import Account, written
from epilock.ledger.anchor.book import Anchoring
from epilock.ledger.anchor.chain import Chain
from epilock.ledger.anchor.duty import ChainDuty, Duty, number
from epilock.ledger.anchor.outbox import Paid
from epilock.ledger.anchor.place import OPEN, Kind, Place, Stage

app = typer.Typer(
    no_args_is_help=True,
    help="Roots of the log outside: on a chain that others keep, under time stamps.",
)

SECOND = 1.0
WEI_IN_COIN = 10**18
Wait = Annotated[float, typer.Option(help="Seconds to wait for the outside; 0 does one step.")]
OWN = {
    Kind.CHAIN: (
        "这是本机或开发用的链：它只证明程序可用，不能证明时间。\n"
        "This chain is one's own: it proves the code, not the time."
    ),
    Kind.STAMPS: (
        "这是本机的时间戳服务：它只证明程序可用，不能证明时间。\n"
        "This authority is one's own: it proves the code, not the time."
    ),
}
DONE = {Kind.CHAIN: "on the chain", Kind.STAMPS: "stamped"}
OPEN_STILL = {
    Kind.CHAIN: "sent, not deep enough on the chain yet: repeat the command to go on",
    Kind.STAMPS: "not stamped yet: repeat the command to go on",
}


@app.command("account")
def show_account(*, home: Home = None) -> None:
    """Print the address that signs and pays; it must be given coins before anything is sent."""
    with opened(home) as parts:
        print(written(Account(parts.keys.secret(INSTALLATION, "anchor")).address))


@app.command("deploy")
def deploy(*, wait: Wait = 300.0, home: Home = None, now: At = None) -> None:
    """Make a contract of our own and open the log in it; repeat to go on, whatever happened."""
    with opened(home, now) as parts:
        duty = _chain(parts)
        _warn(duty)

        def step() -> str | None:
            done = duty.deploy(now=parts.now())
            if done.ready and done.contract is not None:
                return written(done.contract)
            _say(done.reason)
            return None

        address = _until(step, wait)
    if address is None:
        print("not mined deep enough yet: repeat the command to go on")
        raise typer.Exit(1)
    print(f"the log is open in the contract; set EPILOCK_ANCHOR_CONTRACT={address}")
    print("publish this address beside the log's key: whoever checks an anchor needs both")


@app.command("run")
def run(
    *,
    at_once: Annotated[
        bool, typer.Option("--at-once", help="Anchor the newest root though it is not due.")
    ] = False,
    wait: Wait = 0.0,
    home: Home = None,
    now: At = None,
) -> None:
    """Do what is due, as the background does each minute: exit code 1 if it is not done yet."""
    failed: EpilockError | None = None
    is_open = False
    with opened(home, now) as parts:
        for duty in _duties(parts):
            try:
                _warn(duty)
                found = _run_once(duty, parts.now(), at_once=at_once)
                if found is None and wait:
                    found = _until(partial(_again, duty, parts), wait)
            except EpilockError as error:  # the other place is asked all the same
                if failed is not None:
                    typer.echo(explain(failed)[0], err=True)
                failed = error
                continue
            is_open |= found is None
            print(found or OPEN_STILL[duty.kind])
    if failed is not None:
        raise failed
    if is_open:
        raise typer.Exit(1)


@app.command("list")
def list_anchors(*, home: Home = None) -> None:
    """List what was anchored at each place, the newest first; nobody is asked."""
    with opened(home) as parts, parts.database.read() as tx:
        head = rows.find_head(tx, parts.log.origin)
        found = [] if head is None else book.everywhere(tx, head.log)
    place = None
    for row in found:
        if row.place != place:
            place = row.place
            print(place)
        print(_line(row))


@app.command("verify")
def verify(*, home: Home = None) -> None:
    """Read every anchor back and compare it with the log itself: exit code 0 only if all are there."""
    with opened(home) as parts:
        bad = 0
        for duty in _duties(parts):
            _warn(duty)
            place = duty.place()
            print(place.name)
            for row in _rows(duty, place):
                fault = _fault(parts, place, row)
                bad += fault is not None
                print(f"{row.size:>12}  {'holds' if fault is None else f'FAILS: {fault}'}")
        if parts.chain is not None:
            _compare_size(parts, parts.chain)
    if bad:
        raise typer.Exit(1)


@app.command("cost")
def cost(*, home: Home = None) -> None:
    """Say what anchoring on the chain has cost, and what a year of it costs at the price of now."""
    with opened(home) as parts:
        duty = _chain(parts)
        with parts.database.read() as tx:
            paid = outbox.paid(tx, number(duty))
        price = Chain(duty.node).gas_price()
    for line in _costs(paid, price, duty):
        print(line)


@app.command("proof")
def show_proof(
    index: Annotated[int, typer.Argument(min=0, max=2**62, help="Index of the entry.")],
    folder: Annotated[Path, typer.Argument(help="Where the two files are written.")],
    *,
    home: Home = None,
) -> None:
    """Write an entry's .tlog-proof for an anchored size, and the .anchor file that goes with it.

    Of a time stamp also what is stamped and the authority's answer, for `openssl ts -verify`.
    """
    with opened(home) as parts, parts.database.read() as tx:
        log, own = shards.at(parts.log, index)
        head = rows.find_head(tx, log.origin)
        found = [None if head is None else book.covering(tx, head.log, own, k) for k in Kind]
        held = [(row, log.proof(tx, own, row.size)) for row in found if row is not None]
    if not held:
        raise NotFoundError(
            f"no anchor with a proof covers entry {index}; `epilock anchor list` says how they stand"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for row, receipt in held:
        for line in _write(row, receipt, folder, index):
            print(line)


def _write(row: Anchoring, receipt: str, folder: Path, index: int) -> Iterator[str]:
    """Write the files of one anchor; say what they are."""
    name = f"entry-{index}" + ("" if row.kind is Kind.CHAIN else "-stamp")
    proof = row.proof or b""
    durable.replace(folder / f"{name}.tlog-proof", receipt.encode())
    durable.replace(folder / f"{name}.anchor", proof)
    if row.block_hash is not None:
        yield f"entry {index} in the tree of {row.size}, on the chain at block {row.block}"
        yield (
            f"block hash 0x{row.block_hash.hex()}, to be compared with what others show for that block"
        )
    elif row.kind is Kind.STAMPS:
        found = stamp.parse(proof)
        told = stamp.message(found.origin, found.size, found.root)
        durable.replace(folder / f"{name}.message", told)
        durable.replace(folder / f"{name}.tsr", found.reply)
        at = "" if row.at is None else f" at {row.at.isoformat()}"
        yield f"entry {index} in the tree of {row.size}, stamped{at}"
        yield f"SHA-256 of the root's certificate {row.place.partition('/')[2]}"


def _duties(parts: Parts) -> tuple[Duty, ...]:
    if not parts.duties:
        raise StateError(
            "no chain is set: set EPILOCK_ANCHOR_RPC to the address of a node, or EPILOCK_ANCHOR_TSA to"
            " that of a time-stamping authority"
        )
    return parts.duties


def _chain(parts: Parts) -> ChainDuty:
    if parts.chain is None:
        raise StateError("no chain is set: set EPILOCK_ANCHOR_RPC to the address of a node")
    return parts.chain


def _warn(duty: Duty) -> None:
    if not duty.proves_time():
        typer.echo(OWN[duty.kind], err=True)


def _until(step: Callable[[], str | None], wait: float) -> str | None:
    """Repeat ``step`` each second until it says something or ``wait`` seconds are over."""
    end = time.monotonic() + wait
    while True:
        said = step()
        if said is not None or time.monotonic() >= end:
            return said
        time.sleep(SECOND)


def _say(reason: str) -> None:
    if reason:
        typer.echo(f"not yet: {reason}", err=True)


def _again(duty: Duty, parts: Parts) -> str | None:
    return _run_once(duty, parts.now(), at_once=False)


def _run_once(duty: Duty, now: datetime, *, at_once: bool) -> str | None:
    step = duty.run(now=now, at_once=at_once)
    if step is None:
        return "nothing is due"
    if step.progress.stage in OPEN:
        _say(step.progress.reason)
        return None
    if step.progress.stage is Stage.REFUSED:
        raise AnchorRefusedError(f"the root of {step.size} entries: {step.progress.reason}")
    why = f" ({step.progress.reason})" if step.progress.reason else ""
    return f"the root of {step.size} entries is {DONE[duty.kind]}{why}"


def _rows(duty: Duty, place: Place) -> list[Anchoring]:
    with duty.database.read() as tx:
        return book.listed(tx, number(duty), place.name)


def _line(row: Anchoring) -> str:
    where = "" if row.block is None else f"  proof at block {row.block}"
    if row.kind is Kind.STAMPS and row.at is not None:
        where = f"  stamped {row.at.isoformat()}"
    why = f"  {row.reason}" if row.reason else ""
    return f"{row.size:>12}  {row.stage:8}  {row.changed.isoformat()}{where}{why}"


def _fault(parts: Parts, place: Place, row: Anchoring) -> str | None:
    """Return what is wrong with an anchor: the place, the book and the log's tree must agree."""
    try:
        held = place.read(parts.log.origin, row.size)
    except UnreachableError:
        raise
    except AnchorError as error:
        return str(error)
    with parts.database.read() as tx:
        root = parts.log.root(tx, row.size)
    if root != row.root:
        return "the log has another root than the one that was to be anchored"
    if held is None:
        refused = row.stage is Stage.REFUSED
        return f"refused: {row.reason}" if refused else "nothing is held for it there"
    return None if held == root else "another root is held for it there"


def _compare_size(parts: Parts, duty: ChainDuty) -> None:
    """Return if the contract knows no larger tree than the log has.

    Raises:
        InconsistentError: It does.
    """
    head = duty.place().head(duty.origin)
    with parts.database.read() as tx:
        size = parts.log.size(tx)
    if head.size > size:
        raise InconsistentError(
            f"a tree of {head.size} entries was anchored, but this log has {size}: the database was restored"
            " from an older backup, or another holds the account's key"
        )


def _costs(paid: list[Paid], price: int, duty: ChainDuty) -> Iterator[str]:
    total = sum(each.gas_used * each.gas_price for each in paid)
    yield f"{len(paid)} transactions mined, {sum(not each.succeeded for each in paid)} of them in vain"
    yield f"{sum(each.gas_used for each in paid)} gas, {_coins(total)} at the most"
    anchors = [each.gas_used for each in paid if each.job.startswith("anchor:") and each.succeeded]
    if not anchors:
        return
    mean = sum(anchors) // len(anchors)
    yield f"an anchor: {mean} gas on average, {_coins(mean * price)} at the price of now"
    rounds = timedelta(days=365) // duty.schedule.every
    yield f"a year of one anchor every {duty.schedule.every}: {_coins(rounds * mean * price)}"


def _coins(wei: int) -> str:
    """Return an amount in the chain's coin, to the wei."""
    whole, part = divmod(wei, WEI_IN_COIN)
    return f"{whole}.{part:018}".rstrip("0").rstrip(".") + " coins"
