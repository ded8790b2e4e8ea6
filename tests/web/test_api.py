"""Programs get what people get: the same notice, the same checks, the same receipt, the same refusals."""

import re
import uuid
from collections.abc import Mapping
from types import MappingProxyType

import httpx
import msgspec
import pytest
import schemathesis
import town
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.checks import not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.generation.stateful.state_machine import StepInput, StepOutput
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from sheet import read
from staff_room import badge
from visitor import Visitor

from epilock.accounts import session, staff
from epilock.collect.point import Point
from epilock.ledger.note import Verifier
from epilock.ledger.verify import verify
from epilock.web.api import document

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
ANSWERS = {"name": "张三", "mobile": "13800001234", "temperature": "36.5"}


@pytest.fixture
def gate(parts):
    return town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT)


def _notice(visitor, gate) -> dict:
    return visitor.get(f"/api/points/sunny/{gate.point}").json()


def _submit(visitor, gate, **changes) -> httpx.Response:
    said = _notice(visitor, gate)
    body = {
        "client": str(uuid.uuid4()),
        "notice": said["notice"],
        "given": [a["id"] for a in said["acts"] if a["required"]],
        "fields": ANSWERS,
        "language": "zh",
        **changes,
    }
    return visitor.post(f"/api/points/sunny/{gate.point}/submissions", json=body)


class TestPoint:
    def test_everything_a_submission_needs(self, visitor, gate):
        said = _notice(visitor, gate)
        assert {f["id"] for f in said["fields"]} == set(ANSWERS)
        assert any(a["required"] for a in said["acts"])
        assert len(said["notice"]) == 64

    def test_a_point_that_is_not_there(self, visitor):
        answer = visitor.get("/api/points/sunny/sunny.aaaaaa")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:epilock:problem:not-found"


class TestSubmission:
    def test_stored_with_a_proof(self, visitor, gate, parts):
        answer = _submit(visitor, gate)
        assert answer.status_code == 201
        key = Verifier.from_vkey(parts.log.signer.vkey)
        assert verify(answer.json()["proof"].encode(), [key]).index == answer.json()["index"]
        assert answer.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            ({"fields": {**ANSWERS, "mobile": "12"}}, (422, "fields")),
            ({"fields": {**ANSWERS, "id_card": "1"}}, (422, "fields")),
            ({"given": []}, (422, "consent")),
            ({"notice": "0" * 64}, (409, "stale-notice")),
            ({"client": "me"}, (400, "input")),
            ({"extra": 1}, (422, "file-format")),
        ],
    )
    def test_what_is_wrong_is_said_and_nothing_is_stored(
        self, visitor, gate, parts, changes, expected
    ):
        with parts.database.read() as tx:
            before = parts.log.size(tx)
        answer = _submit(visitor, gate, **changes)
        slug = answer.json()["type"].removeprefix("urn:epilock:problem:")
        assert (answer.status_code, slug) == expected
        assert ANSWERS["mobile"] not in answer.text
        with parts.database.read() as tx:
            assert parts.log.size(tx) == before

    def test_what_is_not_there_is_no_fault_of_ours(self, visitor, gate, caplog):
        """Whoever submits to a point that is closed or made up writes nothing into the log for operators."""
        body = _submit(visitor, gate).request.content
        nowhere = "/api/points/sunny/sunny.aaaaaa/submissions"
        answer = visitor.post(nowhere, content=body, headers={"Content-Type": "application/json"})
        stale = _submit(visitor, gate, notice="0" * 64)
        faults = [said.getMessage() for said in caplog.records if said.levelname == "ERROR"]
        assert (answer.status_code, stale.status_code, faults) == (404, 409, [])

    def test_the_title_is_in_the_language_that_was_asked_for(self, visitor, gate):
        answer = visitor.post(
            f"/api/points/sunny/{gate.point}/submissions",
            content=b"{",
            headers={"Accept-Language": "zh"},
        )
        assert answer.json()["title"] == "文件读不出来"


class TestReceipt:
    def test_the_whole_way_by_program(self, visitor, gate):
        code = _submit(visitor, gate).json()["receipt"]
        held = visitor.post("/api/receipts", json={"code": code}).json()
        assert held["kept"]
        assert held["openings"] == []
        given = visitor.post("/api/receipts/data", json={"code": code}).json()["answers"]
        assert given["contact.mobile"] == {"mobile": ANSWERS["mobile"]}
        corrected = visitor.post(
            "/api/receipts/correct", json={"code": code, "fields": {**ANSWERS, "name": "李四"}}
        )
        assert corrected.status_code == 200
        erased = visitor.post("/api/receipts/withdraw", json={"code": code}).json()
        assert erased["parts"]
        after = visitor.post("/api/receipts", json={"code": code}).json()
        assert after["kept"] == []
        kinds = {p["kind"] for p in after["proofs"]}
        assert kinds == {"erase", "replaced", "anew", "move"}

    def test_a_request_is_made_once_and_what_comes_of_it_is_told(self, visitor, gate):
        code = _submit(visitor, gate).json()["receipt"]
        wanted = {"code": code, "kind": "complaint", "ground": "leaked"}
        asked = visitor.post("/api/receipts/ask", json=wanted).json()
        assert (asked["kind"], asked["ground"], asked["answer"]) == ("complaint", "leaked", None)
        assert asked["due"].startswith("2026-03-29")
        assert visitor.post("/api/receipts/ask", json=wanted).json() == asked
        held = visitor.post("/api/receipts", json={"code": code}).json()
        assert held["requests"] == [asked]
        for wrong in ({"kind": "praise"}, {"ground": "harms-me"}, {"kind": "x" * 11}):
            assert visitor.post("/api/receipts/ask", json={**wanted, **wrong}).status_code in {
                400,
                422,
            }

    def test_a_wrong_code_says_where(self, visitor):
        answer = visitor.post("/api/receipts", json={"code": "00000-00000-00000-00000-00000-00001"})
        assert answer.status_code == 422
        assert answer.json()["fields"][0]["code"] == "check"


class TestStandard:
    def test_a_refusal_names_rule_source_and_what_would_be_allowed(self, visitor):
        answer = visitor.get(
            "/api/standard/ask?circumstance=residential-entry&category=biometric.face&level=II"
        ).json()
        assert answer["allowed"] is False
        assert answer["rule"] == "never/residential-entry/biometric.*"
        assert answer["source"]
        assert answer["advice"]["zh"]

    def test_the_day_is_that_of_the_clock(self, visitor, parts):
        answer = visitor.get(
            "/api/standard/due?authority=jinan&emergency=outbreak-7&circumstance=residential-entry"
            "&part=3-IV&day=2026-03-14"
        ).json()
        assert answer["last_day"] == "2026-04-11"
        assert answer["standard"] == parts.standard.ref

    def test_emergencies_with_their_level(self, visitor):
        (one,) = visitor.get("/api/emergencies").json()
        assert (one["emergency"], one["level"]) == ("outbreak-7", "II")


class TestStaff:
    @pytest.fixture
    def token(self, parts, site):
        badge(parts, site, "sunny", "wang", "custodian")
        with parts.database.write() as tx:
            who = staff.listing(tx, "sunny")[0]
            return session.begin(tx, who, now=parts.now(), kind="api")

    def test_without_a_token_nothing(self, visitor):
        assert visitor.get("/api/staff/due").status_code == 401

    def test_a_token_reaches_what_its_account_reaches(self, visitor, gate, token):
        _submit(visitor, gate)
        found = visitor.get("/api/staff/due", headers={"Authorization": f"Bearer {token}"})
        assert found.status_code == 200
        assert {d["part"] for d in found.json()} >= {"2-IV", "3-IV"}

    def test_a_refusal_is_an_answer_with_its_rule(self, visitor, gate, token):
        _submit(visitor, gate)
        wanted = {
            "source": "sunny", "places": [{"bucket": 1, "n": 0}], "purpose": "personnel", "form": "raw",
        }  # fmt: skip
        answer = visitor.post(
            "/api/staff/open", json=wanted, headers={"Authorization": f"Bearer {token}"}
        )
        assert (answer.json()["verdict"], answer.json()["records"]) == ("refused", [])

    def test_a_browsers_session_is_no_token(self, parts, site, visitor):
        browser = badge(parts, site, "sunny", "li", "custodian")
        headers = {"Authorization": f"Bearer {browser.cookies['epilock']}"}
        assert visitor.get("/api/staff/due", headers=headers).status_code == 401


class TestDocument:
    def test_every_operation_is_described_with_its_problem(self, visitor):
        said = visitor.get("/api/openapi.json").json()
        assert "/api/points/{org}/{point}/submissions" in said["paths"]
        for methods in said["paths"].values():
            for operation in methods.values():
                assert "application/problem+json" in operation["responses"]["default"]["content"]
        assert not [path for path in said["paths"] if path.startswith(("/console", "/r", "/c"))]

    def test_no_account_is_changed_by_it(self, visitor):
        """So that a token that leaked makes, changes or disables none, the last administrator's least of all."""
        said = visitor.get("/api/openapi.json").json()
        staffs = {path for path in said["paths"] if path.startswith("/api/staff")}
        assert staffs == {"/api/staff/due", "/api/staff/open", "/api/staff/count"}

    def test_the_page_lists_every_operation(self, visitor):
        said = visitor.get("/api/openapi.json").json()
        page = read(visitor, "/api")
        assert all(path in page.text for path in said["paths"])

    @pytest.mark.parametrize("signed_in", [False, True], ids=["a-stranger", "staff"])
    def test_any_request_gets_what_the_document_says(self, site, gate, parts, signed_in):
        """Bounded fuzzing from the document: no fault inside, no answer that it does not describe."""
        visitor = Visitor(site)
        _submit(visitor, gate)
        headers = {}
        if signed_in:  # else its operations would only ever be refused at the door
            badge(parts, site, "sunny", "wang", "custodian", "analyst")
            with parts.database.write() as tx:
                who = staff.listing(tx, "sunny")[0]
                token = session.begin(tx, who, now=parts.now(), kind="api")
            headers = {"Authorization": f"Bearer {token}"}
        document = msgspec.json.decode(visitor.get("/api/openapi.json").content)
        operations = [o.ok() for o in schemathesis.openapi.from_dict(document).get_all_operations()]
        assert len(operations) >= 14
        for operation in operations:
            _fuzz(visitor, operation, headers)

    def test_each_link_leads_to_an_operation_that_takes_what_it_says(self, visitor):
        said = visitor.get("/api/openapi.json").json()
        known = {
            operation["operationId"]: operation
            for methods in said["paths"].values()
            for operation in methods.values()
        }
        links = [
            link
            for operation in known.values()
            for answer in operation["responses"].values()
            for link in answer.get("links", {}).values()
        ]
        assert len(links) == len(document.LINKS)
        for link in links:
            target = known[link["operationId"]]
            takes = {p["name"] for p in target.get("parameters", ())}
            assert {name.rpartition(".")[2] for name in link.get("parameters", {})} <= takes
            if "requestBody" in link:
                body = target["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                shape = said["components"]["schemas"][body.rpartition("/")[2]]
                assert link["requestBody"].keys() <= shape["properties"].keys()

    def test_what_one_answer_says_serves_in_the_next(self, site, gate, parts):
        """Stateful fuzzing along the document's links: from the notice to the receipt, and all that it opens."""
        wanted, led = {link[:3] for link in document.LINKS}, set()
        for number in range(6):  # once is nearly always enough
            led |= _walk(Visitor(site), gate, number)
            if led == wanted:
                break
        assert led == wanted


def _send(
    visitor: Visitor, case: schemathesis.Case, headers: Mapping[str, str] = MappingProxyType({})
) -> httpx.Response:
    asked = case.as_transport_kwargs(base_url="http://epilock.example")
    sent = {k: v for k, v in asked.items() if k in {"json", "data", "params", "content"}}
    if isinstance(sent.get("data"), bytes | str):
        sent["content"] = sent.pop("data")
    return visitor.request(
        asked["method"], asked["url"], headers={**(asked.get("headers") or {}), **headers}, **sent
    )


def _walk(visitor: Visitor, gate: Point, number: int) -> set[tuple[str, str, str]]:  # noqa: C901 - one walk, with its steps
    """Walk the links of the document, drawn by ``number``; return each that led to what it promises.

    What no answer of the API says is told: a point's address, which is on its poster, what a person would fill in
    there, and the code of a receipt on paper.
    """
    led: set[tuple[str, str, str]] = set()
    schema = schemathesis.openapi.from_dict(visitor.get("/api/openapi.json").json())
    names = {
        o.ok().label: o.ok().definition.raw["operationId"] for o in schema.get_all_operations()
    }
    said = _notice(visitor, gate)
    acts = [act["id"] for act in said["acts"] if act["required"]]
    told = {
        "post_submission": {"fields": ANSWERS, "given": acts, "language": "zh"},
        "post_correct": {"fields": ANSWERS},
        "post_ask": {"kind": "complaint", "ground": "leaked"},
    }
    asked = {"circumstance": "residential-entry", "part": "3-IV", "day": "2026-03-14"}

    class Walk(schema.as_state_machine()):
        def setup(self) -> None:
            self.code = _submit(visitor, gate).json()["receipt"]

        def step(self, input: StepInput) -> StepOutput:  # noqa: A002 - schemathesis' name
            case, linked = input.case, input.transition is not None and input.is_applied
            name = case.operation.definition.raw["operationId"]
            if not linked and name == "post_submission":
                case.path_parameters = {"org": "sunny", "point": gate.point}
            # A third of the bodies stays as it was made up.
            if isinstance(case.body, dict) and len(str(case.body)) % 3:
                case.body = {**case.body, **told.get(name, {})}
                if not linked and "code" in case.body:
                    case.body["code"] = self.code
                if name == "post_submission":
                    read = case.body.get("notice") if linked else said["notice"]
                    case.body |= {"client": str(uuid.uuid4()), "notice": read}
            if name == "get_due":
                case.query = {**case.query, **asked}
            done = super().step(input)
            if linked and done.response.status_code < 300:
                source, status, target = re.findall(
                    r"^(.+) -> \[(\d+)\] (\w+) -> ", input.transition.id
                )[0]
                led.add((names[source], status, target))
            return done

        def call(self, case: schemathesis.Case, **_: object) -> Response:
            return Response.from_httpx(_send(visitor, case), verify=False)

        def validate_response(
            self, response: Response, case: schemathesis.Case, **_: object
        ) -> None:
            case.validate_response(response, checks=CHECKS)

    run_state_machine_as_test(
        seed(number)(Walk),
        settings=settings(
            derandomize=False, max_examples=25, stateful_step_count=10,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    return led


def _fuzz(visitor: Visitor, operation: schemathesis.APIOperation, headers: dict[str, str]) -> None:
    quick = settings(
        max_examples=10, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip

    @quick
    @given(operation.as_strategy())
    def ask(case: schemathesis.Case) -> None:
        answer = _send(visitor, case, headers)
        case.validate_response(answer, checks=CHECKS)

    ask()
