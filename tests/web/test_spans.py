"""Traces tell where the time of a request went, and nothing about anybody: a real receiver looks at what it got."""

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
import zlib
from contextlib import closing

import pytest
import sqlalchemy as sa
import town
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from staff_room import badge
from test_api import ANSWERS, _submit
from visitor import Visitor

from epilock.accounts import session, staff
from epilock.db import Database, open_engine
from epilock.errors import ForbiddenError
from epilock.store.keyservice import address as addresses
from epilock.store.keyservice.desk import Desk, Limits
from epilock.store.keyservice.server import Server
from epilock.traces import SAID, Traces
from epilock.web.app import create_app
from traces import forms_of

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

LAUNCHED = """
import sys
from pathlib import Path
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=sys.argv[1])))
trace.set_tracer_provider(provider)
trace.get_tracer("launcher").start_span("of the launcher").end()
import town
from visitor import Visitor
from epilock.web.app import create_app
parts = town.found(Path(sys.argv[2]), town.Clock())
Visitor(create_app(parts)).get("/api/standard/ask?circumstance=secret-word")
Visitor(create_app(parts)).get("/")
parts.close()
provider.shutdown()
"""


class Receiver:
    """A collector: what was sent, as it came and as it reads."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = zlib.decompress(body, 31)
                receiver.raw.append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/v1/traces"

    @property
    def spans(self) -> list:
        return [
            span
            for body in self.raw
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def parts(tmp_path, clock, receiver):
    made = town.found(tmp_path / "home", clock, EPILOCK_TRACES=receiver.address)
    yield made
    made.close()


@pytest.fixture
def gate(parts):
    return town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT)


def said(span) -> dict[str, object]:
    return {a.key: a.value.string_value or a.value.int_value for a in span.attributes}


class TestWhatIsSent:
    def test_nothing_about_anybody(self, parts, site, gate, receiver):
        """Names, codes, ids, tokens, organisations, addresses: in no form in which they could be written down."""
        visitor = Visitor(site)
        answer = _submit(visitor, gate)
        code = answer.json()["receipt"]
        _submit(visitor, gate, fields={**ANSWERS, "mobile": "13811112222x"})
        visitor.post("/api/receipts", json={"code": code})
        visitor.post("/r", data={"code": code})
        visitor.get("/r?code=secret-word&lang=en")
        visitor.get(
            "/nowhere/13800009999", headers={"User-Agent": "made-up/7", "tracestate": "a=leak"}
        )
        officer = badge(parts, site, "sunny", "wang", "custodian")
        with parts.database.write() as tx:
            who = staff.listing(tx, "sunny")[0]
            token = session.begin(tx, who, now=parts.now(), kind="api")
        visitor.get("/api/staff/due", headers={"Authorization": f"Bearer {token}"})
        officer.get("/console/records/sunny/1/0")
        officer.get("/console/destruction/4711")
        visitor.post(
            "/console/sign-in", data={"org": "sunny", "login": "wang", "password": "wrong-one"}
        )
        parts.close()
        everything = b"".join(receiver.raw)
        given = {
            *ANSWERS.values(), code, code.replace("-", ""), "13811112222x", "secret-word", "13800009999", "made-up",
            "leak", "sunny", "wang", "wrong-one", "4711", gate.point, who.staff, token, officer.cookies["epilock"],
        }  # fmt: skip
        assert len(receiver.spans) > 20
        for value in given - {ANSWERS["temperature"]}:
            for form in forms_of(value):
                assert form not in everything, value

    def test_only_attributes_of_the_list_and_templates(self, parts, site, gate, receiver):
        visitor = Visitor(site)
        _submit(visitor, gate)
        visitor.get(f"/c/sunny/{gate.point}")
        visitor.get("/nowhere")
        visitor.request("BREW", "/nowhere")
        visitor.get("/health")
        parts.close()
        spans = receiver.spans
        assert {key for span in spans for key in said(span)} <= SAID
        assert not [span for span in spans if span.events or span.links or span.trace_state]
        assert {span.name for span in spans} == {
            "GET /api/points/{org}/{point}", "POST /api/points/{org}/{point}/submissions",
            "GET /c/{org}/{point}", "GET", "_OTHER", "transaction read", "transaction write",
        }  # fmt: skip
        stored = next(span for span in spans if span.name.endswith("/submissions"))
        assert said(stored) == {
            "http.request.method": "POST", "http.response.status_code": 201,
            "http.route": "/api/points/{org}/{point}/submissions",
        }  # fmt: skip

    def test_a_transaction_is_a_child_of_its_request_and_that_of_who_asks(
        self, parts, site, gate, receiver
    ):
        headers = {"traceparent": PARENT, "tracestate": "vendor=text"}
        Visitor(site).get(f"/api/points/sunny/{gate.point}", headers=headers)
        parts.close()
        (request,) = [s for s in receiver.spans if s.name == "GET /api/points/{org}/{point}"]
        assert (request.trace_id.hex(), request.parent_span_id.hex()) == tuple(
            PARENT.split("-")[1:3]
        )
        inside = [s for s in receiver.spans if s.parent_span_id == request.span_id]
        assert [said(s)["epilock.transaction"] for s in inside] == ["read"]

    @pytest.mark.parametrize(
        "broken", ["", "00-zz", "x" * 5000, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"]
    )
    def test_a_context_that_is_none_begins_a_new_one(self, parts, site, receiver, broken):
        assert Visitor(site).get("/", headers={"traceparent": broken}).status_code == 200
        parts.close()
        assert not [s for s in receiver.spans if s.name == "GET /" and s.parent_span_id]

    def test_a_transaction_that_fails_says_so_on_each_database(self, database_url, receiver):
        traces, engine = Traces(receiver.address), open_engine(database_url[0])
        traces.watch(engine)
        database = Database(engine, bytes(32))
        with pytest.raises(sa.exc.DBAPIError), database.write() as tx:
            tx.conn.exec_driver_sql("SELECT 張三 FROM nowhere")
        with database.read() as tx:
            tx.conn.exec_driver_sql("SELECT 1")
        database.close()
        traces.close()
        assert [(s.name, s.status.code) for s in receiver.spans] == [
            ("transaction write", 2), ("transaction read", 0),
        ]  # fmt: skip
        assert "張三".encode() not in b"".join(receiver.raw)

    def test_a_question_to_the_key_service_by_its_kind(self, tmp_path, clock, receiver):
        parts, traces = town.found(tmp_path / "other", clock), Traces(receiver.address)
        at = addresses.read(f"unix:{tmp_path}/run/keys.sock")
        server = Server(Desk(parts.key_store(), Limits(), clock), at)
        thread = threading.Thread(target=server.serve)
        thread.start()
        keys = traces.keys(at)
        keys.public_key("sunny", "notice")
        with pytest.raises(ForbiddenError):
            keys.secret("", "no-such-secret")
        keys.close()
        traces.close()
        server.stop()
        thread.join()
        parts.close()
        told = [(s.name, said(s).get("error.type")) for s in receiver.spans]
        assert told == [
            ("keys Ask", None), ("keys PublicKey", None), ("keys Secret", "ForbiddenError"),
        ]  # fmt: skip
        assert b"no-such-secret" not in b"".join(receiver.raw)


class TestCost:
    def test_a_collector_that_is_gone_costs_no_request(self, tmp_path, clock):
        with closing(socket.create_server(("127.0.0.1", 0))) as taken:
            gone = f"http://127.0.0.1:{taken.getsockname()[1]}/v1/traces"
        parts = town.found(tmp_path / "home", clock, EPILOCK_TRACES=gone)
        visitor = Visitor(create_app(parts))
        assert all(visitor.get("/").status_code == 200 for _ in range(20))
        began = time.monotonic()
        parts.close()
        assert time.monotonic() - began < 15

    def test_without_a_collector_none_is_made(self):
        program = (
            "import sys, epilock.cli.app, epilock.assemble, epilock.web.app\n"
            "sys.exit('epilock.traces' in sys.modules or 'opentelemetry.sdk' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

    def test_no_library_sends_anything_of_its_own(self, tmp_path, receiver):
        """FastAPI would, with addresses that were asked for, to a provider that a launcher made for the process."""
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        program = [sys.executable, "-c", LAUNCHED, receiver.address, str(tmp_path / "home")]
        subprocess.run(program, env=environ, check=True)
        assert {span.name for span in receiver.spans} == {"of the launcher"}
