"""Who runs the machine is told whether it is well, in words and numbers that name nobody."""

import json
import logging
import re
import sys
import threading
import time
from pathlib import Path

import pytest
import town
from visitor import Visitor

from epilock.cli import logs
from epilock.errors import BusyError
from epilock.web.app import create_app
from epilock.web.hall import Hall
from epilock.web.machine import CHECKS, Machine

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana.json"
GIVEN = ("张三", "13800001234")
SUFFIXES = ("_total", "_bucket", "_count", "_sum", "_created")


def _numbers(visitor) -> dict[str, float]:
    answer = visitor.get("/metrics")
    assert answer.status_code == 200
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.fixture
def gate(parts):
    return town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE)


def _submit(visitor, gate, **changes):
    said = visitor.get(f"/api/points/sunny/{gate.point}").json()
    body = {
        "client": "00000000-0000-4000-8000-000000000001", "notice": said["notice"],
        "given": [a["id"] for a in said["acts"] if a["required"]],
        "fields": dict(zip(("name", "mobile"), GIVEN, strict=True)), "language": "zh", **changes,
    }  # fmt: skip
    return visitor.post(f"/api/points/sunny/{gate.point}/submissions", json=body)


class TestHealth:
    def test_alive_also_when_the_hall_is_full(self, parts):
        full = Visitor(create_app(parts, hall=Hall(submissions=0, requests=0)))
        assert full.get("/").status_code == 503
        assert full.get("/health").text == "alive\n"
        assert full.get("/ready").status_code == 200


class TestReady:
    def test_each_check_says_how_it_is(self, visitor):
        answer = visitor.get("/ready")
        assert answer.status_code == 200
        assert answer.json().keys() == {"ready", *CHECKS}
        assert answer.json()["database"] == "answers"

    def test_a_process_that_is_about_to_end_is_not(self, parts):
        hall = Hall()
        visitor = Visitor(create_app(parts, hall=hall))
        hall.leaving = True
        answer = visitor.get("/ready")
        assert (answer.status_code, answer.json()["process"]) == (503, "is about to end")

    def test_a_writer_that_stopped_is_named(self, parts, visitor):
        parts.writer.stop()
        answer = visitor.get("/ready")
        assert (answer.status_code, answer.json()["writer"]) == (503, "it has stopped")

    def test_a_writer_whose_batch_is_not_stored_is_named(self, parts, visitor):
        """As when a database gives no answer to it, though it answers others."""
        held = threading.Event()

        class Hanging:
            def store(self, accepted, *, now):
                held.wait(20)
                return [BusyError("not kept", wait=1)] * len(accepted)

        parts.writer.keeper, parts.writer.patience = Hanging(), 0.0
        future = parts.writer.submit(None)
        while not parts.writer.hangs:
            time.sleep(0.001)
        answer = visitor.get("/ready")
        assert (answer.status_code, answer.json()["writer"]) == (
            503, "a batch is not stored after 0 seconds, 0 wait",
        )  # fmt: skip
        held.set()
        assert isinstance(future.exception(20), BusyError)
        parts.writer.patience = 10.0
        assert Visitor(create_app(parts)).get("/ready").status_code == 200

    def test_a_log_whose_head_is_not_its_trees_is_named(self, parts, visitor):
        _submit(
            visitor, town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE)
        )
        with parts.database.write() as tx:
            tx.conn.exec_driver_sql("DELETE FROM ledger_tiles")
        answer = visitor.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["log"] == "does not answer (IntegrityError)"
        assert answer.json()["database"] == "answers"

    def test_no_answer_holds_a_path_or_an_address(self, parts, visitor):
        parts.keys.database.engine.dispose()
        home = parts.settings.home
        home.rename(home.with_name("elsewhere"))
        answer = visitor.get("/ready")
        home.with_name("elsewhere").rename(home)
        assert answer.status_code == 503
        assert str(home) not in answer.text
        assert "does not answer" in answer.json()["disk"]

    def test_a_check_that_hangs_holds_nobody_up(self, parts):
        """Whoever asks is told so in time; and however often they ask, one thread is all that hangs."""
        held = threading.Event()

        class Hanging(Machine):
            def check(self):
                held.wait(20)
                return super().check()

        machine = Hanging(parts, Hall(), patience=0.1)
        site = create_app(parts)
        _inner(site).state.machine = machine
        visitor = Visitor(site)
        for _ in range(2):
            answer = visitor.get("/ready")
            assert (answer.status_code, answer.json()["database"]) == (
                503, "gives no answer in 0.1 seconds",
            )  # fmt: skip
        held.set()


def _inner(site):
    """Return the application behind the guard and the front."""
    return site._app._site


class TestMetrics:
    def test_what_happens_is_counted(self, visitor, gate):
        assert _submit(visitor, gate).status_code == 201
        assert _submit(visitor, gate).status_code == 201
        assert _submit(visitor, gate, given=[]).status_code == 422
        said = _numbers(visitor)
        assert said['epilock_submissions_total{outcome="stored"}'] == 1
        assert said['epilock_submissions_total{outcome="repeated"}'] == 1
        assert said['epilock_answers_total{kind="submission",status="201"}'] == 2
        assert said['epilock_answers_total{kind="submission",status="422"}'] == 1
        assert said["epilock_batch_submissions_count"] == said["epilock_commit_seconds_count"] == 2
        assert said["epilock_waiting_submissions"] == 0
        assert said["epilock_database_answers"] == 1
        assert said["epilock_entries"] > 0

    def test_no_name_of_anybody_and_no_label_that_grows(self, visitor, gate):
        _submit(visitor, gate)
        visitor.get(f"/r/{GIVEN[1]}")
        visitor.post("/console/sign-in", data={"org": GIVEN[0], "login": GIVEN[1], "password": "x"})
        text = visitor.get("/metrics").text
        assert not [word for word in (*GIVEN, "sunny", gate.point) if word in text]
        labels = {
            label
            for found in re.findall(r"\{(.*?)\}", text)
            for label in re.findall(r"(\w+)=", found)
        }
        assert labels <= {"outcome", "kind", "status", "le", "verdict", "rule", "what", "witness"}

    def test_attempts_to_sign_in(self, visitor):
        form = {"org": "sunny", "login": "nobody", "password": "wrong", "code": ""}
        visitor.post("/console/sign-in", data=form)
        assert _numbers(visitor)['epilock_sign_ins_total{outcome="wrong"}'] == 1

    def test_of_a_rule_only_its_kind_is_a_label(self, parts, visitor):
        parts.meters.decided("refused", f"form/{GIVEN[0]}/{GIVEN[1]}")
        assert _numbers(visitor)['epilock_decisions_total{rule="form",verdict="refused"}'] == 1

    @pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"])
    def test_not_through_another_server(self, visitor, header):
        """A web server on this machine asks for whoever asks it."""
        assert visitor.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403

    def test_from_elsewhere_by_token(self, tmp_path, clock):
        token = "t0ken-" + "x" * 20
        parts = town.found(tmp_path / "other", clock, EPILOCK_METRICS_TOKEN=token)
        visitor = Visitor(create_app(parts))
        asked = {"X-Forwarded-For": "192.0.2.1"}
        told = {**asked, "Authorization": f"Bearer {token}"}
        assert visitor.get("/metrics", headers=told).status_code == 200
        told["Authorization"] += "x"
        assert visitor.get("/metrics", headers=told).status_code == 403
        parts.close()


class TestDashboard:
    def test_it_asks_only_for_what_there_is(self, visitor, gate):
        _submit(visitor, gate)
        text = visitor.get("/metrics").text
        there = set(re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE))
        there |= {name.removesuffix("_total") for name in there}
        panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
        asked = {
            n for p in panels for t in p["targets"] for n in re.findall(r"epilock_\w+", t["expr"])
        }
        assert len(asked) >= 15
        for name in asked:
            assert {name, *(name.removesuffix(s) for s in SUFFIXES)} & there, name

    def test_it_shows_everything_that_there_is(self, visitor):
        text = visitor.get("/metrics").text
        said = DASHBOARD.read_text(encoding="utf-8")
        for name in re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE):
            if not name.endswith("_created"):
                assert name in said, name


class TestLogs:
    def _line(self, kind):
        try:
            int(GIVEN[0])
        except ValueError:
            caught = sys.exc_info()
        record = logging.LogRecord("epilock.x", 40, "x.py", 1, "a round\nof %s", ("tiles",), caught)
        return logs.Lines(kind).format(record)

    def test_json_names_kind_and_place_of_an_error_and_no_value(self):
        said = json.loads(self._line(logs.JSON))
        assert said.keys() == {"at", "level", "from", "thread", "said", "error"}
        assert said["error"].startswith("ValueError at _line")
        assert GIVEN[0] not in str(said)

    def test_text_is_one_line(self):
        assert "\n" not in self._line(logs.TEXT)
        assert GIVEN[0] not in self._line(logs.TEXT)
