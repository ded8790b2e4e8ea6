"""What comes in is bounded, and what goes out is guarded, whatever page answers."""

import logging

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from visitor import Visitor

from epilock.web import security
from epilock.web.hall import OCTETS, Hall
from epilock.web.problem import of
from epilock.web.security import Guard

SECRET = "13800001234"
UPLOAD = "/console/papers/assessments"


async def _fine(request: Request) -> Response:
    await request.body()
    return PlainTextResponse("fine")


async def _kept(request: Request) -> Response:
    return PlainTextResponse("kept", headers={"Cache-Control": "public, max-age=5"})


async def _broken(request: Request) -> Response:
    raise ValueError(f"an error that holds {SECRET}")


def _client(*, secure: bool = False, hall: Hall | None = None) -> Visitor:
    routes = [
        Route("/", _fine, methods=["GET", "POST"]),
        Route(UPLOAD, _fine, methods=["POST"]),
        Route("/kept", _kept),
        Route("/broken", _broken),
    ]

    def respond(_request: Request, error: Exception) -> Response:
        problem = of(error)
        return PlainTextResponse(problem.slug, problem.status)

    guard = Middleware(Guard, respond=respond, secure=secure, hall=hall or Hall())
    return Visitor(Starlette(routes=routes, middleware=[guard]))


class TestHeaders:
    def test_every_answer_carries_the_policy(self):
        answer = _client().get("/")
        assert answer.headers["content-security-policy"] == security.POLICY
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"

    def test_an_error_carries_it_too(self):
        answer = _client().get("/broken")
        assert answer.status_code == 500
        assert answer.headers["content-security-policy"] == security.POLICY

    def test_a_page_may_say_that_it_can_be_kept(self):
        assert _client().get("/kept").headers["cache-control"] == "public, max-age=5"

    def test_browsers_are_told_to_insist_on_tls_where_there_is_tls(self):
        assert "strict-transport-security" not in _client().get("/").headers
        assert "strict-transport-security" in _client(secure=True).get("/").headers


class TestBodies:
    def test_a_form_has_at_most_64_kib(self):
        assert _client().post("/", content=b"x" * 65_536).status_code == 200
        assert _client().post("/", content=b"x" * 65_537).status_code == 413

    def test_where_a_file_is_taken_one_up_to_twice_its_limit_reaches_the_page(self):
        """The page keeps what was typed; the door could only turn it away."""
        most = security.FILES[UPLOAD].most
        assert _client().post(UPLOAD, content=b"x" * 2 * most).status_code == 200
        assert _client().post(UPLOAD, content=b"x" * (2 * most + 1)).status_code == 413

    def test_the_largest_body_leaves_room_for_others(self):
        """Of what may be inside at once (``hall.py``)."""
        assert (
            max(security.MAX_FORM, *(2 * one.most for one in security.FILES.values())) == 16_000_000
        )
        assert OCTETS >= 4 * security.MAX_FORM

    def test_a_body_of_unstated_length_is_refused(self):
        async def body():
            yield b"x"

        answer = _client().post("/", content=body())
        assert (answer.status_code, answer.text) == (411, "length-required")


class TestOtherSites:
    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_a_form_of_another_site_is_refused(self, site):
        assert _client().post("/", headers={"Sec-Fetch-Site": site}).status_code == 403

    @pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}])
    def test_our_own_forms_and_programs_come_in(self, headers):
        assert _client().post("/", headers=headers).status_code == 200


class TestUnexpectedErrors:
    def test_neither_answer_nor_log_repeats_a_value(self, caplog):
        """An error's message may hold what a person gave; its kind and place do not."""
        with caplog.at_level(logging.DEBUG):
            answer = _client().get("/broken")
        assert SECRET not in answer.text
        assert SECRET not in caplog.text
        assert "ValueError at _broken" in caplog.text
