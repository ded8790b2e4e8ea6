"""When too much comes at once, who is inside is served, the rest is told when to return, and nothing piles up."""

import asyncio
import sqlite3
import threading

import httpx
import msgspec
import pytest
import sqlalchemy as sa
import town
from visitor import Visitor

from epilock.collect.writer import Writer
from epilock.errors import BusyError
from epilock.web import problem
from epilock.web.app import create_app
from epilock.web.hall import LONGEST, PACE, Hall


class TestHall:
    def test_one_more_than_the_most_is_turned_away(self):
        hall = Hall(submissions=1)
        with hall.admit(0, submission=True):
            with pytest.raises(BusyError, match="nothing was stored"):
                hall.admit(0, submission=True).__enter__()
            with hall.admit(0, submission=False):  # pages have room of their own
                assert hall.inside(submissions=False) == 1
        with hall.admit(0, submission=True):
            assert hall.turned_away == 1

    def test_octets_are_bounded_across_both(self):
        hall = Hall(octets=100)
        with hall.admit(60, submission=True), pytest.raises(BusyError):
            hall.admit(41, submission=False).__enter__()

    def test_an_error_inside_gives_the_place_back(self):
        hall = Hall(requests=1)
        with pytest.raises(ZeroDivisionError), hall.admit(5, submission=False):
            raise ZeroDivisionError
        with hall.admit(100, submission=False):
            assert hall.inside(submissions=False) == 1

    def test_not_all_come_back_in_the_same_second(self):
        hall = Hall(clock=lambda: 7.0)
        assert {hall.refusal("full").wait for _ in range(8)} == {1, 2}

    def test_the_more_are_turned_away_the_later_they_come_back(self):
        """Eight thousand who ask again and again are some hundreds a second, and not eight thousand."""
        time = [100.0]
        hall = Hall(clock=lambda: time[0])
        waits = [hall.turn_away() for _ in range(50 * PACE)]
        assert max(waits) == LONGEST
        assert sum(waits) / len(waits) > 20
        time[0] += 1
        assert hall.turn_away() > 40  # the last second is remembered
        time[0] += 10
        assert hall.turn_away() <= 2


class TestSite:
    @pytest.fixture
    def gate(self, parts):
        return town.open_point(parts, "sunny", "residential-entry", town.NAME)

    def test_a_program_is_told_when_to_return(self, parts, gate):
        visitor = Visitor(create_app(parts, hall=Hall(submissions=0)))
        answer = visitor.post(f"/api/points/sunny/{gate.point}/submissions", content=b"{}")
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:epilock:problem:busy"
        assert int(answer.headers["retry-after"]) == answer.json()["wait"] > 0
        assert visitor.get("/").status_code == 200

    def test_a_person_reads_it_on_a_page(self, parts):
        visitor = Visitor(create_app(parts, hall=Hall(requests=0)), language="zh")
        answer = visitor.get("/")
        assert answer.status_code == 503
        assert "请等" in answer.text
        assert int(answer.headers["retry-after"]) > 0

    def test_a_rush_is_answered_each_with_stored_or_come_back(self, parts, gate):
        """Fifty at once where eight fit: none waits outside, none is lost, and later all are in."""
        hall = Hall(submissions=8)
        site = create_app(parts, hall=hall)
        said = Visitor(site).get(f"/api/points/sunny/{gate.point}").json()
        bodies = [
            {
                "client": f"00000000-0000-4000-8000-{number:012d}", "notice": said["notice"],
                "given": [a["id"] for a in said["acts"] if a["required"]],
                "fields": {"name": "张三"}, "language": "zh",
            }
            for number in range(50)
        ]  # fmt: skip
        path = f"/api/points/sunny/{gate.point}/submissions"

        async def rush(some):
            transport = httpx.ASGITransport(site)
            async with httpx.AsyncClient(transport=transport, base_url="http://a.example") as all_:
                return await asyncio.gather(*(all_.post(path, json=body) for body in some))

        answers = asyncio.run(rush(bodies))
        statuses = [answer.status_code for answer in answers]
        assert statuses.count(201) == 8
        assert statuses.count(503) == 42 == hall.turned_away
        left = [b for b, answer in zip(bodies, answers, strict=True) if answer.status_code != 201]
        for first in range(0, len(left), 8):
            again = asyncio.run(rush(left[first : first + 8]))
            assert {answer.status_code for answer in again} == {201}
        assert hall.inside(submissions=True) == 0


class TestWriter:
    def test_its_queue_is_bounded(self, parts):
        """While one batch is being stored, two may wait; the third is told to come back."""
        held, seen = threading.Event(), threading.Event()

        class Slow:
            def store(self, accepted, *, now):
                seen.set()
                held.wait(20)
                return [BusyError("not kept", wait=1)] * len(accepted)

        writer = Writer(Slow(), now=parts.now, most=2)
        futures = [writer.submit(None)]
        assert seen.wait(20)
        futures += [writer.submit(None), writer.submit(None)]
        with pytest.raises(BusyError, match="try again"):
            writer.submit(None)
        held.set()
        assert all(isinstance(future.exception(20), BusyError) for future in futures)
        writer.stop()


class TestOutage:
    def test_a_database_that_gives_no_answer_is_no_fault_inside(self, tmp_path):
        gone = sqlite3.OperationalError(f"disk I/O error in {tmp_path}")
        caught = sa.exc.OperationalError("INSERT", {}, gone)
        found = problem.of(caught)
        assert (found.status, found.headers) == (503, {"Retry-After": "5"})
        assert str(tmp_path) not in msgspec.json.decode(found.as_json("t"))["detail"]
