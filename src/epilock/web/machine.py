"""For whoever runs the machine: is the process alive, may it be sent requests, and what does it count.

``/health`` says that the event loop turns. ``/ready`` says in words what answers and what does not; 503 if
anything does not. ``/metrics`` is Prometheus's text.

Rules kept in this file:
  1. These three are answered also when the hall is full, each asks the databases at most once a second,
     and a database that hangs holds up nothing else.
  2. No answer holds a path, an address of a database, a secret or anything about a person.
  3. ``/metrics`` is for the machine itself, straight and through no other server, or for who shows the
     token (``EPILOCK_METRICS_TOKEN``).
"""

import asyncio
import hmac
import ipaddress
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from epilock.assemble import INSTALLATION, Parts
from epilock.destroy import due
from epilock.errors import BusyError, EpilockError, ForbiddenError
from epilock.ledger import gather
from epilock.ledger.verify import open_checkpoint
from epilock.web.hall import Hall

HEALTH, READY, METRICS = "/health", "/ready", "/metrics"
SPACE = 256_000_000  # octets that must be free where records are kept
PATIENCE = 3.0  # seconds
SECOND = 1.0
MINUTE = 60.0
BEARER = "Bearer "

router = APIRouter(include_in_schema=False)
T = TypeVar("T")
Check = Callable[[Parts], str]


class NotReadyError(EpilockError):
    """What does not answer, in words."""


def _database(parts: Parts) -> str:
    with parts.database.read() as tx:
        tx.conn.execute(sa.select(sa.literal(1)))
    return "answers"


def _keys(parts: Parts) -> str:
    parts.keys.organisations()  # the key database, or the key service, is asked each time
    parts.keys.secret(INSTALLATION, "integrity")
    return "answer"


def _log(parts: Parts) -> str:
    with parts.database.read() as tx:
        parts.log.check_at_start(tx)
        return f"{parts.log.size(tx)} entries"


def _disk(parts: Parts) -> str:
    free = shutil.disk_usage(parts.settings.home).free
    if free < SPACE:
        raise NotReadyError(f"{free // 1_000_000} MB are free, {SPACE // 1_000_000} are needed")
    return f"{free // 1_000_000} MB are free"


def _writer(parts: Parts) -> str:
    if not parts.writer.alive:
        raise NotReadyError("it has stopped")
    if parts.writer.hangs:
        raise NotReadyError(
            f"a batch is not stored after {parts.writer.patience:g} seconds, {parts.writer.waiting} wait"
        )
    return f"{parts.writer.waiting} wait"


CHECKS: Mapping[str, Check] = {
    "database": _database, "keys": _keys, "log": _log, "disk": _disk, "writer": _writer,
}  # fmt: skip


@dataclass(slots=True)
class Machine:
    """What the three addresses are answered from.

    Attributes:
        parts: The running installation.
        hall: What is inside.
        patience: Seconds that a check may take.
    """

    parts: Parts
    hall: Hall
    patience: float = PATIENCE
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="machine")
    )
    _checked: tuple[float, bool, dict[str, str]] | None = None
    _going: dict[str, "asyncio.Future[Any]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.parts.meters.registry.register(_Told(self))

    async def ready(self) -> tuple[bool, dict[str, str]]:
        """Return whether requests may be sent here, and what each check says."""
        if self.hall.leaving:
            return False, {"process": "is about to end"}
        if self._checked is None or time.monotonic() - self._checked[0] > SECOND:
            try:
                good, said = await self._ask("ready", self.check)
            except TimeoutError:
                good, said = False, {"database": f"gives no answer in {self.patience:g} seconds"}
            self._checked = time.monotonic(), good, said
        return self._checked[1], self._checked[2]

    def check(self) -> tuple[bool, dict[str, str]]:
        """Make all checks."""
        said, good = {}, True
        for name, one in CHECKS.items():
            try:
                said[name] = one(self.parts)
            except NotReadyError as error:
                said[name], good = str(error), False
            except Exception as error:  # noqa: BLE001 - whatever it is, it is not ready
                said[name], good = f"does not answer ({type(error).__name__})", False
        return good, said

    async def metrics(self) -> bytes:
        """Return what is counted, as Prometheus reads it.

        Raises:
            BusyError: A database hangs.
        """
        try:
            return await self._ask("metrics", lambda: generate_latest(self.parts.meters.registry))
        except TimeoutError:
            raise BusyError("the database gives no answer", wait=5) from None

    async def _ask(self, what: str, work: Callable[[], T]) -> T:
        """Return what ``work`` gives, made in the one thread for it and for all who ask meanwhile."""
        going = self._going.get(what)
        if going is None or going.done():
            going = asyncio.get_running_loop().run_in_executor(self._threads, work)
            self._going[what] = going
        return await asyncio.wait_for(asyncio.shield(going), self.patience)


class _Told(Collector):
    """What the databases and the hall know, read when it is asked for; that of the databases once a minute."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._kept: tuple[float, list[Metric]] | None = None

    def describe(self) -> list[Metric]:
        """Say nothing, so that registering asks no database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges."""
        machine = self._machine
        parts, hall = machine.parts, machine.hall
        yield _gauge(
            "waiting_submissions", "Submissions that wait for the writer.", parts.writer.waiting
        )
        yield _gauge(
            "inside_submissions", "Submissions being answered.", hall.inside(submissions=True)
        )
        yield _gauge(
            "inside_requests", "Other requests being answered.", hall.inside(submissions=False)
        )
        yield _gauge(
            "turned_away", "Requests and connections turned away since the start.", hall.turned_away
        )
        with suppress(OSError):
            free = shutil.disk_usage(parts.settings.home).free
            yield _gauge("disk_free_bytes", "Free where records are kept.", free)
        answers = 1
        if self._kept is None or time.monotonic() - self._kept[0] > MINUTE:
            try:
                self._kept = time.monotonic(), list(_from_database(parts))
            except (EpilockError, sa.exc.SQLAlchemyError):
                self._kept, answers = None, 0
        yield _gauge("database_answers", "Whether the database was read (1) or not (0).", answers)
        yield from () if self._kept is None else self._kept[1]


def _from_database(parts: Parts) -> Iterator[Metric]:
    now = parts.now()
    with parts.database.read() as tx:
        size = parts.log.head(tx).size
        shown = open_checkpoint(parts.log.shown(tx), parts.log.verifiers)[0].size if size else 0
        witnesses = gather.status(tx, parts.log, now=now)
        going = due.calendar(tx, parts.standard, now=now, until=now)
    yield _gauge("entries", "Entries of the log that takes them.", size)
    yield _gauge(
        "checkpoint_behind_entries", "Entries that the shown checkpoint lacks.", size - shown
    )
    yield _gauge("parts_due", "Parts to be destroyed now.", sum(p.is_due(now) for p in going))
    yield _gauge(
        "parts_overdue", "Parts that should be gone.", sum(p.is_overdue(now) for p in going)
    )
    behind = GaugeMetricFamily(
        "epilock_witness_behind_entries", "Entries a witness has not cosigned.", labels=["witness"]
    )
    troubled = GaugeMetricFamily(
        "epilock_witness_in_trouble",
        "Whether a witness is unreachable or at odds.",
        labels=["witness"],
    )
    for state in witnesses:
        behind.add_metric([state.names[0]], size - state.size)
        troubled.add_metric([state.names[0]], float(state.problem is not None))
    yield behind
    yield troubled


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(f"epilock_{name}", said, value)


@router.get(HEALTH)
async def get_health() -> Response:
    """Tell that the process is alive."""
    return PlainTextResponse("alive\n")


@router.get(READY)
async def get_ready(request: Request) -> Response:
    """Tell whether requests may be sent here, and what does not answer."""
    good, said = await _machine(request).ready()
    body = msgspec.json.encode({"ready": good, **said})
    return Response(body, 200 if good else 503, media_type="application/json")


@router.get(METRICS)
async def get_metrics(request: Request) -> Response:
    """Return what is counted, for Prometheus; on the machine itself, or with the token."""
    machine = _machine(request)
    if not (_is_here(request) or _shows(request, machine.parts.settings.metrics_token)):
        raise ForbiddenError("metrics are for this machine, or for who shows the token")
    return Response(await machine.metrics(), media_type=CONTENT_TYPE_LATEST)


def _machine(request: Request) -> Machine:
    machine = request.app.state.machine
    assert isinstance(machine, Machine)  # noqa: S101 - ``create_app`` put it there
    return machine


def _is_here(request: Request) -> bool:
    """Tell whether this machine asks, and no web server asks for somebody else."""
    if any(
        name in request.headers for name in ("x-forwarded-for", "forwarded", "x-real-ip", "via")
    ):
        return False
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _shows(request: Request, token: str) -> bool:
    shown = request.headers.get("authorization", "")
    return bool(token) and hmac.compare_digest(shown.encode(), f"{BEARER}{token}".encode())
