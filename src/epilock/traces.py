"""Traces: where the time of a request went, told to a collector of OpenTelemetry (OTLP over HTTP), if one is set.

A span for each request, each transaction and each call to the key service. Rules kept in this file:
  1. A span says nothing but what stands in ``SAID``: no address that was asked for, no id, no value, no text of
     an error; a route is named by its template. What the environment says of resources (``OTEL_RESOURCE_ATTRIBUTES``)
     is not read.
  2. Of what comes in only ``traceparent`` is taken (https://www.w3.org/TR/trace-context/); ``tracestate`` and
     ``baggage`` are texts of strangers.
  3. A collector that is slow or gone costs spans, never requests: they wait in a bounded queue of their own thread.
  4. This module is imported by ``assemble`` alone, and only if a collector is named.
"""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, TypeVar

import sqlalchemy as sa
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from epilock.store.keyservice import wire
from epilock.store.keyservice.address import Address
from epilock.store.keyservice.client import RemoteKeys

METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
SAID = frozenset(
    {
        "http.request.method", "http.route", "http.response.status_code", "db.system.name",
        "epilock.transaction", "epilock.keys.asked", "error.type",
    }
)  # fmt: skip
"""Every attribute that a span may have."""
QUIET = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds, by machines
FAULT = 500
SECONDS = 5  # that the collector has for an answer
_SPAN = "epilock.span"

T = TypeVar("T")
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Traces:
    """What an installation tells a collector.

    Args:
        collector: Address that takes spans, such as ``http://127.0.0.1:4318/v1/traces``.
    """

    def __init__(self, collector: str) -> None:
        about = {"service.name": "epilock", "service.version": version("epilock")}
        self._provider = TracerProvider(resource=Resource(about), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=collector, timeout=SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("epilock")

    @contextmanager
    def span(
        self,
        name: str,
        kind: SpanKind = SpanKind.INTERNAL,
        context: Context | None = None,
        **said: str,
    ) -> Iterator[Span]:
        """Open a span; what goes wrong in it is told by its kind alone. In ``said`` ``__`` stands for a dot."""
        span = self._tracer.start_span(
            name, context, kind, {k.replace("__", "."): v for k, v in said.items()}
        )
        with use_span(span, record_exception=False, set_status_on_exception=False):
            try:
                yield span
            except BaseException as error:
                fail(span, error)
                raise
            finally:
                span.end()

    def around(self, app: App) -> App:
        """Return ``app`` with a span around each request."""

        async def traced(scope: Message, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] in QUIET:
                await app(scope, receive, send)
                return
            method = scope["method"] if scope["method"] in METHODS else "_OTHER"
            with self.span(
                method, SpanKind.SERVER, _parent(scope["headers"]), http__request__method=method
            ) as span:

                async def told(message: Message) -> None:
                    if message["type"] == "http.response.start":
                        span.set_attribute("http.response.status_code", message["status"])
                        if message["status"] >= FAULT:
                            span.set_status(StatusCode.ERROR)
                    await send(message)

                await app(scope, receive, told)
                route = getattr(scope.get("route"), "path", None)
                if route is not None:
                    span.set_attribute("http.route", route)
                    span.update_name(f"{method} {route}")

        return traced

    def watch(self, engine: sa.Engine) -> None:
        """Have a span for each transaction of ``engine``, from before it waits for the lock."""
        system = engine.dialect.name

        def began(conn: sa.Connection) -> None:
            kind = "write" if conn.get_execution_options().get("epilock_write") else "read"
            said = {"db.system.name": system, "epilock.transaction": kind}
            conn.info[_SPAN] = self._tracer.start_span(
                f"transaction {kind}", None, SpanKind.CLIENT, said
            )

        def ended(conn: sa.Connection) -> None:
            span = conn.info.pop(_SPAN, None)
            if span is not None:
                span.end()

        def broken(conn: sa.Connection) -> None:
            if _SPAN in conn.info:
                conn.info[_SPAN].set_status(StatusCode.ERROR)
            ended(conn)

        sa.event.listen(engine, "begin", began, insert=True)
        sa.event.listen(engine, "commit", ended)
        sa.event.listen(engine, "rollback", broken)

    def keys(self, address: Address) -> "TracedKeys":
        """Return what asks the key service at ``address``, with a span for each question."""
        return TracedKeys(address, self)

    def close(self) -> None:
        """Send what waits, and end."""
        self._provider.shutdown()


class TracedKeys(RemoteKeys):
    """What asks a key service, with a span for each question.

    Args:
        address: Of the key service.
        traces: Where spans go.
    """

    def __init__(self, address: Address, traces: Traces) -> None:
        self._traces = traces
        super().__init__(address)

    def _ask(self, request: wire.Request, kind: type[T]) -> T:
        asked = type(request).__name__
        with self._traces.span(f"keys {asked}", SpanKind.CLIENT, epilock__keys__asked=asked):
            return super()._ask(request, kind)


def fail(span: Span, error: BaseException) -> None:
    """Note what kind of error it was, without its text."""
    span.set_status(StatusCode.ERROR)
    span.set_attribute("error.type", type(error).__name__)


def _parent(headers: list[tuple[bytes, bytes]]) -> Context:
    """Return the context that ``traceparent`` names, or an empty one."""
    given = dict(headers).get(b"traceparent", b"").decode("latin-1")
    return TraceContextTextMapPropagator().extract({"traceparent": given}, Context())
