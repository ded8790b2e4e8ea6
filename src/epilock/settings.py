"""Settings: one place where the environment is read; each has a default that is safe on one machine.

| variable | meaning | default |
|---|---|---|
| ``EPILOCK_HOME`` | folder of databases, keys and slots (mode 0700) | ``./epilock-data`` |
| ``EPILOCK_DATABASE`` | URL of the main database | SQLite in the home |
| ``EPILOCK_KEY_DATABASE`` | URL of the key store's database | another SQLite file in the home |
| ``EPILOCK_ROOT_KEY`` | file of the root key (mode 0600), or the address of a token (``pkcs11:``) or a transit engine (``transit+https:``) | ``root.key`` in the home |
| ``EPILOCK_SLOTS`` | folder of the epoch slots (replicated, never archived) | ``slots`` in the home |
| ``EPILOCK_KEY_SERVICE`` | where the key service is (``unix:PATH`` or ``tls://HOST:PORT``); empty: keys are in this process | empty |
| ``EPILOCK_KEY_SERVICE_TLS`` | folder of ``cert.pem``, ``key.pem`` (0600) and ``ca.pem`` for ``tls://`` | empty |
| ``EPILOCK_ORIGIN`` | origin line of the first log, when an installation is made; it never changes | ``localhost/epilock`` |
| ``EPILOCK_URL`` | public address of the pages, for QR codes | ``http://127.0.0.1:8600`` |
| ``EPILOCK_COOLING_HOURS`` | hours between approval and execution of a destruction order | ``24`` |
| ``EPILOCK_ALERT_COMMAND`` | command that is started when something went around the program; empty: none | empty |
| ``EPILOCK_ANCHOR_RPC`` | address of a chain's node (JSON-RPC); empty: nothing is anchored on a chain | empty |
| ``EPILOCK_ANCHOR_CONTRACT`` | address of the contract that ``epilock anchor deploy`` made | empty |
| ``EPILOCK_ANCHOR_ENTRIES`` | anchor after so many new entries | ``100000`` |
| ``EPILOCK_ANCHOR_HOURS`` | anchor after so many hours, if anything is new | ``24`` |
| ``EPILOCK_ANCHOR_DEPTH`` | blocks that must lie on a root before it counts (1 on chains that never reorganise) | ``32`` |
| ``EPILOCK_ANCHOR_MOST_GWEI`` | the most that is ever offered for a unit of gas, in gwei | ``100`` |
| ``EPILOCK_ANCHOR_PATIENCE`` | minutes before a transaction that is not mined is replaced | ``10`` |
| ``EPILOCK_ANCHOR_TSA`` | address of a time-stamping authority (RFC 3161); empty: nothing is stamped | empty |
| ``EPILOCK_ANCHOR_TSA_ROOT`` | PEM file of the root certificate under which its stamps must stand | empty |
| ``EPILOCK_ANCHOR_TSA_POLICY`` | policy that it is asked for, such as ``1.3.6.1.4.1.32473.1``; empty: its own | empty |
| ``EPILOCK_PLACES`` | CSV file that says where networks are, for sign-ins too far apart; empty: nothing is said of places | empty |
| ``EPILOCK_METRICS_TOKEN`` | what who reads ``/metrics`` from another machine must show (24 characters and more); empty: nobody may | empty |
| ``EPILOCK_TRACES`` | address of a collector that takes traces (OTLP over HTTP), such as ``http://127.0.0.1:4318/v1/traces``; empty: none are made | empty |
| ``EPILOCK_LOG`` | what the process writes of itself: lines of ``text`` or of ``json`` | ``text`` |
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from epilock.errors import InputError
from epilock.store.keyservice.address import Address
from epilock.store.keyservice.address import read as read_address

VARIABLES = (
    "EPILOCK_HOME",
    "EPILOCK_DATABASE",
    "EPILOCK_KEY_DATABASE",
    "EPILOCK_ROOT_KEY",
    "EPILOCK_SLOTS",
    "EPILOCK_KEY_SERVICE",
    "EPILOCK_KEY_SERVICE_TLS",
    "EPILOCK_ORIGIN",
    "EPILOCK_URL",
    "EPILOCK_COOLING_HOURS",
    "EPILOCK_ALERT_COMMAND",
    "EPILOCK_ANCHOR_RPC",
    "EPILOCK_ANCHOR_CONTRACT",
    "EPILOCK_ANCHOR_ENTRIES",
    "EPILOCK_ANCHOR_HOURS",
    "EPILOCK_ANCHOR_DEPTH",
    "EPILOCK_ANCHOR_MOST_GWEI",
    "EPILOCK_ANCHOR_PATIENCE",
    "EPILOCK_ANCHOR_TSA",
    "EPILOCK_ANCHOR_TSA_ROOT",
    "EPILOCK_ANCHOR_TSA_POLICY",
    "EPILOCK_PLACES",
    "EPILOCK_METRICS_TOKEN",
    "EPILOCK_TRACES",
    "EPILOCK_LOG",
)
LOGS = ("text", "json")
LEAST_TOKEN = 24  # characters
MOST_DIGITS = 9
WEI_IN_GWEI = 10**9
# An object identifier: of the first two numbers not every pair exists (X.660), and sixty are many.
_POLICY = re.compile(
    r"(?:[01]\.[1-3]?[0-9]|2\.(?:0|[1-9]\d{0,8}))(?:\.(?:0|[1-9]\d{0,9})){1,12}", re.ASCII
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSettings:
    """On which chain the log is anchored, and how; see the module for each meaning.

    Attributes:
        rpc: Address of the node; it may hold a paid-for key, so it is never shown.
        contract: Address of the contract as it was given, or "".
        depth: Blocks.
        most_price: Wei.
        patience: Time.
    """

    rpc: str = field(repr=False)
    contract: str
    depth: int
    most_price: int
    patience: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class StampSettings:
    """Who stamps the log's roots; see the module for each meaning.

    Attributes:
        address: Of the authority; it may hold a paid-for key, so it is never shown.
        root: PEM file.
        policy: Object identifier in digits and dots, or None.
    """

    address: str = field(repr=False)
    root: Path
    policy: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorSettings:
    """When the log is anchored, and where.

    Attributes:
        entries: New entries.
        every: Time.
        chain: A chain, or None.
        stamps: An authority, or None.
    """

    entries: int
    every: timedelta
    chain: ChainSettings | None
    stamps: StampSettings | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one installation is told; see the module for each meaning."""

    home: Path
    database: str
    key_database: str
    root_key: str
    slots: Path
    key_service: Address | None
    origin: str | None
    url: str
    cooling: timedelta
    alert: str = field(repr=False)  # it may hold a password
    anchor: AnchorSettings
    places: Path | None = None
    metrics_token: str = field(default="", repr=False)
    traces: str = field(default="", repr=False)
    log: str = "text"

    @property
    def seen(self) -> Path:
        """Where the watcher remembers what it saw."""
        return self.home / "seen.json"

    @property
    def secure_cookies(self) -> bool:
        """Whether the pages are served over TLS, so that cookies may insist on it."""
        return self.url.startswith("https://")


def read(environ: Mapping[str, str], *, home: Path | None = None) -> Settings:
    """Return the settings that ``environ`` gives; ``home`` (a command's option) goes before it.

    Raises:
        InputError: A variable with the prefix is unknown, or has no usable value.
    """
    for name in environ:
        if name.startswith("EPILOCK_") and name not in VARIABLES:
            raise InputError(f"{name} is no setting; the settings are {', '.join(VARIABLES)}")
    folder = home or Path(environ.get("EPILOCK_HOME", "epilock-data"))
    url = environ.get("EPILOCK_URL", "http://127.0.0.1:8600").rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise InputError("EPILOCK_URL must begin with http:// or https://")
    return Settings(
        home=folder,
        database=_database(environ, "EPILOCK_DATABASE", f"sqlite:///{folder}/epilock.sqlite"),
        key_database=_database(environ, "EPILOCK_KEY_DATABASE", f"sqlite:///{folder}/keys.sqlite"),
        root_key=environ.get("EPILOCK_ROOT_KEY", str(folder / "root.key")),
        slots=Path(environ.get("EPILOCK_SLOTS", str(folder / "slots"))),
        key_service=_key_service(environ),
        origin=environ.get("EPILOCK_ORIGIN"),
        url=url,
        cooling=timedelta(hours=_number(environ, "EPILOCK_COOLING_HOURS", 24, least=0)),
        alert=_command(environ, "EPILOCK_ALERT_COMMAND"),
        anchor=_anchor(environ),
        places=Path(environ["EPILOCK_PLACES"]) if environ.get("EPILOCK_PLACES") else None,
        metrics_token=_token(environ, "EPILOCK_METRICS_TOKEN"),
        traces=_address(environ, "EPILOCK_TRACES"),
        log=_choice(environ, "EPILOCK_LOG", LOGS),
    )


def _token(environ: Mapping[str, str], name: str) -> str:
    token = environ.get(name, "")
    if token and (len(token) < LEAST_TOKEN or not token.isascii() or " " in token):
        raise InputError(f"{name} must have {LEAST_TOKEN} ASCII characters or more, and no space")
    return token


def _choice(environ: Mapping[str, str], name: str, known: Sequence[str]) -> str:
    given = environ.get(name, known[0])
    if given not in known:
        raise InputError(f"{name} must be one of {', '.join(known)}")
    return given


def _database(environ: Mapping[str, str], name: str, default: str) -> str:
    return check_database(environ.get(name, default), name)


def check_database(given: str, name: str) -> str:
    """Return the URL of a database, said by ``name``; it may hold a password, so no error repeats it.

    Raises:
        InputError: It is none.
    """
    try:
        driver = make_url(given).drivername
    except ArgumentError:
        driver = ""
    if driver not in {"sqlite", "postgresql+psycopg"}:
        raise InputError(
            f"{name} must be sqlite:///PATH or postgresql+psycopg://USER@HOST:PORT/DATABASE"
        )
    return given


def _key_service(environ: Mapping[str, str]) -> Address | None:
    given, tls = environ.get("EPILOCK_KEY_SERVICE"), environ.get("EPILOCK_KEY_SERVICE_TLS")
    return read_address(given, Path(tls) if tls else None) if given else None


def _command(environ: Mapping[str, str], name: str) -> str:
    """Return a command; it may hold a password, so no error repeats it.

    Raises:
        InputError: Its quotes do not close.
    """
    given = environ.get(name, "")
    try:
        shlex.split(given)
    except ValueError:
        raise InputError(f"{name} must be a command with its arguments, quotes closed") from None
    return given


def _anchor(environ: Mapping[str, str]) -> AnchorSettings:
    return AnchorSettings(
        entries=_number(environ, "EPILOCK_ANCHOR_ENTRIES", 100_000),
        every=timedelta(hours=_number(environ, "EPILOCK_ANCHOR_HOURS", 24)),
        chain=_chain(environ, _address(environ, "EPILOCK_ANCHOR_RPC")),
        stamps=_stamps(environ, _address(environ, "EPILOCK_ANCHOR_TSA")),
    )


def _chain(environ: Mapping[str, str], rpc: str) -> ChainSettings | None:
    told = ChainSettings(
        rpc=rpc,
        contract=environ.get("EPILOCK_ANCHOR_CONTRACT", ""),
        depth=_number(environ, "EPILOCK_ANCHOR_DEPTH", 32),
        most_price=_number(environ, "EPILOCK_ANCHOR_MOST_GWEI", 100) * WEI_IN_GWEI,
        patience=timedelta(minutes=_number(environ, "EPILOCK_ANCHOR_PATIENCE", 10)),
    )
    return told if rpc else None


def _stamps(environ: Mapping[str, str], address: str) -> StampSettings | None:
    root = environ.get("EPILOCK_ANCHOR_TSA_ROOT", "")
    policy = environ.get("EPILOCK_ANCHOR_TSA_POLICY", "")
    if policy and not _POLICY.fullmatch(policy):
        raise InputError("EPILOCK_ANCHOR_TSA_POLICY must be numbers and dots, such as 1.3.6.1.4.1")
    if not address:
        return None
    if not root:
        raise InputError("EPILOCK_ANCHOR_TSA needs EPILOCK_ANCHOR_TSA_ROOT, the file of its root")
    return StampSettings(address=address, root=Path(root), policy=policy or None)


def _address(environ: Mapping[str, str], name: str) -> str:
    address = environ.get(name, "")
    if address and not address.startswith(("http://", "https://")):
        raise InputError(f"{name} must begin with http:// or https://")
    return address


def _number(environ: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    """Return the whole number that a variable gives, in ASCII digits.

    Raises:
        InputError: It is none, is less than ``least``, or has more than nine digits.
    """
    text = environ.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS or int(text) < least:
        raise InputError(f"{name} must be a whole number from {least} up, such as {default}")
    return int(text)
