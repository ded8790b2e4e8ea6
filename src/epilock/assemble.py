"""Everything that is made once, passed by name: databases, keys, log, writer, standard.

``build`` opens an installation; ``found`` makes a new one. Nothing here decides anything.
"""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from epilock import migrate
from epilock.beside import Works
from epilock.collect.intake.run import Intake
from epilock.collect.issue import Press, acts_of
from epilock.collect.record import Keeper
from epilock.collect.tally import Tally
from epilock.collect.writer import Writer
from epilock.db import Database, Transaction, open_engine
from epilock.destroy.due import part_due
from epilock.destroy.hold import is_held
from epilock.destroy.run import Tools
from epilock.errors import ConflictError, EpilockError, InputError, NotFoundError, StateError
from epilock.ledger import entry, rows, shards
from epilock.ledger.anchor.account import read_address
from epilock.ledger.anchor.duty import ChainDuty, Duty, StampDuty
from epilock.ledger.anchor.node import HttpNode, Node, is_near
from epilock.ledger.anchor.schedule import Schedule
from epilock.ledger.anchor.stamp import MOST_ROOT, read_root
from epilock.ledger.anchor.tsa import Authority, HttpAuthority
from epilock.ledger.keyring import SignerOf
from epilock.ledger.log import Log
from epilock.ledger.note import Signer
from epilock.meters import Meters
from epilock.settings import Settings
from epilock.standard import Standard, load
from epilock.store.access import Keys
from epilock.store.keys import KeyStore
from epilock.store.keyservice.client import RemoteKeys
from epilock.store.root.opening import is_missing, open_root
from epilock.use.gate import Gate, compile_table

if TYPE_CHECKING:
    from epilock.traces import Traces
    from epilock.use.release.run import Maker

NEW_ORIGIN = "localhost/epilock"
INSTALLATION = ""  # the organisation of secrets that belong to the installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of a running installation.

    Attributes:
        settings: What it was told.
        standard: The rules, compiled.
        database: The main database.
        keys: The key store, or what asks a key service.
        log: The transparency log that takes entries, with those that were sealed before it.
        press: What issuing a notice needs.
        keeper: Seals and stores batches of submissions.
        writer: The queue before the keeper.
        intake: What imports of lists need.
        tally: Counts of notices shown and refused.
        gate: Decides and opens.
        tools: What destruction runs need.
        works: Long work that goes on beside the pages which ask for it.
        chain: To anchor the log on a chain, or None if none was named.
        stamps: To have it stamped, or None if no authority was named.
        meters: What the process counts about itself.
        traces: What tells a collector where time goes, or None if none was named.
        now: The clock.
        session_secret: 32 bytes, for signed form tokens.
    """

    settings: Settings
    standard: Standard
    database: Database
    keys: Keys
    log: Log
    press: Press
    keeper: Keeper
    writer: Writer
    intake: Intake
    tally: Tally
    gate: Gate
    tools: Tools
    works: Works
    chain: ChainDuty | None
    stamps: StampDuty | None
    meters: Meters
    traces: "Traces | None"
    now: Callable[[], datetime]
    session_secret: bytes

    @property
    def duties(self) -> tuple[Duty, ...]:
        """Return where the log is anchored: nowhere, unless it was set."""
        return tuple(duty for duty in (self.chain, self.stamps) if duty is not None)

    @property
    def maker(self) -> "Maker":
        """Return what makes releases, beside the pages that ask for them."""
        from epilock.use.release.run import Maker  # noqa: PLC0415 - half of every command's start

        return Maker(self.gate, self.database, self.now, self.works)

    def notice_signer(self, org: str) -> Signer:
        """Return the notice key of ``org``, made on first use."""
        return self.press.signer(org)

    def close(self) -> None:
        """Store what waits and close the databases; repeating is harmless."""
        self.writer.stop()
        self.database.close()
        self.keys.close()
        if self.traces is not None:
            self.traces.close()

    def key_store(self) -> KeyStore:
        """Return the key store, for work that needs all keys.

        Raises:
            StateError: A key service has it.
        """
        if not isinstance(self.keys, KeyStore):
            raise StateError("this needs all keys: run it where the key service has them")
        return self.keys


def found(settings: Settings, *, now: Callable[[], datetime]) -> Parts:
    """Make a new installation in an empty or missing folder; its log begins with the standard.

    A crash before that first entry leaves keys and empty tables, which the next call goes on with.

    Raises:
        ConflictError: There is an installation already.
    """
    if settings.key_service is not None:
        raise InputError("make the installation where the keys are, without EPILOCK_KEY_SERVICE")
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.slots.mkdir(mode=0o700, parents=True, exist_ok=True)
    open_root(settings.root_key, make=True)
    parts = build(settings, now=now)
    said = entry.Standard(
        org=INSTALLATION, standard=parts.standard.ref, at=entry.stamp(now()),
        version=parts.standard.version, sha256=parts.standard.hash,
    )  # fmt: skip
    with parts.database.write() as tx:
        begun = (
            parts.log.append(tx, [], now=now()).size > 0
        )  # holds the head: one is made at a time
        if not begun:
            parts.log.append(tx, [entry.encode(said)], now=now())
    if begun:
        parts.close()
        raise ConflictError(f"{settings.home} holds an installation already")
    return parts


def build(settings: Settings, *, now: Callable[[], datetime], damaged: bool = False) -> Parts:
    """Open an installation, its schema brought up to date.

    With ``damaged`` neither slots nor log are judged at the start: for the check, which is to name what is
    wrong and not to stop at the first of it. Nothing may be written then.

    Raises:
        NotFoundError: There is none.
        RootKeyError: Its root key is missing, wrong, or readable by others.
        IntegrityError: The log's head does not fit its rows.
        InputError: A place to anchor at has no usable address, contract or root.
    """
    outside = _outside(settings)
    traces = _traces(settings)
    keys: Keys
    if settings.key_service is None:
        keys = open_keys(settings, settle=not damaged)
    elif traces is None:
        keys = RemoteKeys(settings.key_service)
    else:
        keys = traces.keys(settings.key_service)
    engine = open_engine(settings.database)
    migrate.upgrade(engine, "main")
    if traces is not None:
        traces.watch(engine)
    database = Database(engine, keys.secret(INSTALLATION, "integrity"))
    with database.read() as tx:
        name, log = _logs(tx, settings, keys)
        if not damaged:
            for each in shards.all_of(log):
                each.check_at_start(tx)
    standard = load()
    press = Press(log=log, standard=standard, signer=_notice_signers(keys, name), url=settings.url)
    holder = f"{socket.gethostname()}-{os.getpid()}"
    keeper = Keeper(
        database=database, keys=keys, log=log, standard=standard,
        secret=keys.secret(INSTALLATION, "receipts"), holder=holder,
    )  # fmt: skip
    meters, works = Meters(), Works()
    gate = Gate(
        log=log, keys=keys, standard=standard, table=compile_table(standard), acts_of=acts_of,
        is_held=is_held, ends=lambda tx, bucket, part: part_due(tx, standard, bucket, part).at,
        meters=meters,
    )  # fmt: skip
    chain, stamps = _duties(settings, outside, database, keys, log.origin)
    intake = Intake(
        database=database, keys=keys, log=log, standard=standard,
        secret=keys.secret(INSTALLATION, "imports"), holder=holder,
    )  # fmt: skip
    return Parts(
        settings=settings, standard=standard, database=database, keys=keys, log=log, press=press,
        keeper=keeper, writer=Writer(keeper, now=now, meters=meters), intake=intake, tally=Tally(), now=now,
        gate=gate, works=works,
        tools=Tools(database=database, keys=keys, log=log, standard=standard),
        chain=chain, stamps=stamps, meters=meters, traces=traces,
        session_secret=keys.secret(INSTALLATION, "session"),
    )  # fmt: skip


def open_keys(settings: Settings, *, settle: bool = True) -> KeyStore:
    """Open the key store of an installation, its schema brought up to date; ``settle`` what crashes left.

    Raises:
        NotFoundError: There is none.
        RootKeyError: Its root key is missing, wrong, or readable by others.
    """
    if is_missing(settings.root_key):
        raise NotFoundError(f"{settings.home} holds no installation; make one with `epilock init`")
    engine = open_engine(settings.key_database, overwrite=True)
    migrate.upgrade(engine, "keys")
    keys = KeyStore(Database(engine, b""), open_root(settings.root_key), settings.slots)
    if settle:
        keys.settle()
    return keys


def _traces(settings: Settings) -> "Traces | None":
    """Return what tells the collector that was named.

    Raises:
        InputError: The extra ``traces`` is not installed.
    """
    if not settings.traces:
        return None
    try:
        from epilock.traces import Traces  # noqa: PLC0415 - an extra
    except ImportError:
        raise InputError(
            "EPILOCK_TRACES needs the extra `traces`: pip install epilock[traces]"
        ) from None
    return Traces(settings.traces)


def _logs(tx: Transaction, settings: Settings, keys: Keys) -> tuple[str, Log]:
    """Return the name that the installation began with, and its newest log with all earlier ones.

    Raises:
        StateError: The settings name another one than it began with.
    """
    known = rows.all_logs(tx)
    name = known[0][0] if known else settings.origin or NEW_ORIGIN
    if settings.origin not in {None, name}:
        raise StateError(f"the log of this installation is {name}; EPILOCK_ORIGIN says another")
    logs: list[Log] = []
    base = 0
    for origin, size in known or [(name, 0)]:
        signers = _log_signers(keys, origin, len(logs) + 1)
        logs.append(Log(origin, signers, earlier=logs, base=base))
        base += size
    return name, logs[-1]


def successor(parts: Parts, origin: str) -> Log:
    """Return the log ``origin`` that is to follow this installation's newest; its key is made on first use.

    It is for its key and for ``succession.succeed``: how many entries stand before it is known when the
    installation is opened again.

    Raises:
        NoteError: The origin is no name for a log's key.
    """
    return Log(origin, _log_signers(parts.keys, origin, shards.number(parts.log) + 1))


def _outside(settings: Settings) -> tuple[Node | None, bytes | None, Authority | None]:
    """Return the chain's node, its contract and the authority, as far as they are set.

    Raises:
        InputError: One has no usable address, contract or root.
    """
    node = contract = authority = None
    chain, stamps = settings.anchor.chain, settings.anchor.stamps
    if chain is not None:
        node = HttpNode(chain.rpc)
        try:
            contract = read_address(chain.contract) if chain.contract else None
        except ValueError as error:
            raise InputError(f"EPILOCK_ANCHOR_CONTRACT: {error}") from None
    if stamps is not None:
        try:
            with stamps.root.open("rb") as file:
                root = read_root(file.read(MOST_ROOT + 1))
        except (OSError, EpilockError) as error:
            raise InputError(f"EPILOCK_ANCHOR_TSA_ROOT: {error}") from None
        authority = Authority(ask=HttpAuthority(stamps.address), root=root, policy=stamps.policy)
    return node, contract, authority


def _duties(
    settings: Settings,
    outside: tuple[Node | None, bytes | None, Authority | None],
    database: Database,
    keys: Keys,
    origin: str,
) -> tuple[ChainDuty | None, StampDuty | None]:
    told, (node, contract, authority) = settings.anchor, outside
    schedule = Schedule(entries=told.entries, every=told.every)
    chain = stamps = None
    if told.chain is not None and node is not None:
        chain = ChainDuty(
            database=database, origin=origin, node=node, is_near=is_near(told.chain.rpc),
            secret=partial(keys.secret, INSTALLATION, "anchor"), contract=contract,
            depth=told.chain.depth, most_price=told.chain.most_price, patience=told.chain.patience,
            schedule=schedule,
        )  # fmt: skip
    if told.stamps is not None and authority is not None:
        stamps = StampDuty(
            database=database, origin=origin, authority=authority,
            is_near=is_near(told.stamps.address), schedule=schedule,
        )  # fmt: skip
    return chain, stamps


def _log_signers(keys: Keys, origin: str, log: int) -> SignerOf:
    """Return what gives the keys of the log of a number in this installation, by their own number."""
    first = "log" if log == 1 else f"log.{log}"

    def signer(number: int) -> Signer:
        name = first if number == 1 else f"{first}-{number}"
        return Signer(origin, keys.signing_key(INSTALLATION, name))

    return signer


def _notice_signers(keys: Keys, installation: str) -> Callable[[str], Signer]:
    @lru_cache(maxsize=1024)
    def signer(org: str) -> Signer:
        return Signer(f"{installation}/notice/{org}", keys.signing_key(org, "notice"))

    return signer
