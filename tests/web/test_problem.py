"""Every error has a status, a name and words for a person; none repeats what someone typed."""

import msgspec
import pytest
import sqlalchemy as sa
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

import epilock.web.app  # noqa: F401 - with it every kind of error is known
from epilock import errors
from epilock.web import language, problem


def kinds(kind=errors.EpilockError):
    """Every kind of error that the program knows, wherever it stands."""
    return [kind, *(each for below in kind.__subclasses__() for each in kinds(below))]


KINDS = sorted(set(kinds()), key=lambda kind: kind.__name__)


def _made(kind: type[errors.EpilockError]) -> errors.EpilockError:
    if kind in {errors.FieldsError, errors.ConsentError}:
        return kind([])  # type: ignore[arg-type]
    if kind is errors.BoxError:
        return kind("7K2MA", [])
    if kind is errors.OldSizeError:
        return kind("said", size=5)
    waits = {errors.RateError, errors.BusyError, errors.OutageError}
    return kind("said", wait=30) if kind in waits else kind("said")


class TestOf:
    @pytest.mark.parametrize("kind", KINDS)
    def test_each_error_has_a_title_and_says_what_to_do(self, kind):
        slug = problem.of(_made(kind)).slug
        phrases = language.load()
        assert f"problem.{slug}.title" in phrases
        assert f"problem.{slug}.do" in phrases

    @pytest.mark.parametrize(
        ("error", "status"),
        [
            (errors.InputError("x"), 400),
            (errors.FieldsError([]), 422),
            (errors.StaleNoticeError("x"), 409),
            (errors.RefusedError("x"), 403),
            (errors.NotFoundError("x"), 404),
            (errors.ClosedError("x"), 410),
            (errors.SignInError("x"), 401),
            (errors.RateError("x", wait=5), 429),
            (errors.BusyError("x", wait=5), 503),
            (errors.OutageError("x", wait=5), 503),
            (errors.ErasedError("x"), 410),
            (errors.RootKeyError("x"), 503),
            (errors.TamperedError("x"), 500),
            (ValueError("x"), 500),
            (MemoryError(), 503),
            (sa.exc.DatabaseError("SELECT 1", None, Exception()), 503),
            (sa.exc.ProgrammingError("SELECT 1", None, Exception()), 500),
            (sa.exc.ProgrammingError(None, None, Exception()), 503),
            (HTTPException(405), 405),
        ],
    )
    def test_the_nearest_class_decides_the_status(self, error, status):
        assert problem.of(error).status == status

    @pytest.mark.parametrize("error", [ValueError("secret"), errors.TamperedError("secret")])
    def test_what_went_wrong_inside_stays_inside(self, error):
        assert "secret" not in problem.of(error).as_json("t").decode()

    @pytest.mark.parametrize(
        "error", [MemoryError(), sa.exc.OperationalError("COMMIT", None, Exception())]
    )
    def test_of_an_outage_nothing_is_said_about_what_was_stored(self, error):
        """What failed may be the answer to a commit."""
        found = problem.of(error)
        phrases = language.load()
        assert "stored" not in found.detail
        assert "not certain" in phrases[f"problem.{found.slug}.do"].en

    def test_a_wait_is_said_in_the_header_too(self):
        found = problem.of(errors.RateError("x", wait=17))
        assert found.headers == {"Retry-After": "17"}

    def test_a_key_that_the_sender_made_up_is_not_repeated(self):
        found = [{"type": "extra_forbidden", "loc": ("body", "13800001234"), "msg": "Extra"}]
        detail = problem.of(RequestValidationError(found)).detail
        assert detail == "body: has a field that is not asked"


class TestAsJson:
    def test_golden(self):
        """RFC 9457, with the fields of the form beside it."""
        one = errors.FieldProblem(field="mobile", code="length", zh="请补全", en="Please complete")
        made = problem.of(errors.FieldsError([one]))
        assert msgspec.json.decode(made.as_json("Some answers need a change")) == {
            "type": "urn:epilock:problem:fields",
            "title": "Some answers need a change",
            "status": 422,
            "fields": [
                {"field": "mobile", "code": "length", "zh": "请补全", "en": "Please complete"}
            ],
        }

    def test_a_refusal_names_rule_source_and_what_would_be_allowed(self):
        error = errors.RefusedError("no", rule="never/x", source=["PIPL-6"], allowed="ask less")
        said = msgspec.json.decode(problem.of(error).as_json("t"))
        assert (said["rule"], said["source"], said["allowed"]) == (
            "never/x",
            ["PIPL-6"],
            "ask less",
        )
