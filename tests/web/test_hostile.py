"""Whatever is sent to whatever address: every route is asked, and a route that is new is asked by itself.

Routes come from the application. Where a route has a parameter, it is filled with a thing of ``sunny`` that
is really there, and asked for by an account of another organisation that has every role.
"""

import io
import json
import re
import time
import zipfile
from datetime import date, timedelta
from itertools import product
from uuid import uuid4

import pages
import pytest
import sqlalchemy as sa
import town
from sheet import Sheet, read
from staff_room import badge
from starlette.routing import Route
from visitor import Visitor

from epilock.accounts import session, staff
from epilock.collect import offline, paper
from epilock.collect.intake import register as imports
from epilock.collect.intake.mapping import ColumnMap
from epilock.db import metadata
from epilock.deidentify.noise.budget import Book
from epilock.deidentify.pseudonyms import study as studies
from epilock.destroy import hold as holds
from epilock.registry import mandate as mandates
from epilock.use import aggregate
from epilock.use import allotment as allotments
from epilock.use import grant as grants
from epilock.use import review as reviews
from epilock.use.question import Question as Counted
from epilock.use.release import register
from epilock.use.release.question import Question as Released
from epilock.web import app, security
from epilock.web.console.rooms import ROUTERS
from epilock.web.page import STATIC

ROUTES = [
    route
    for router in (*(module.router for module in app.MODULES), *ROUTERS)
    for route in router.routes
    if isinstance(route, Route)
]
CONSOLE = [route for route in ROUTES if route.path.startswith("/console")]
DOOR = "/console/sign-in"
DOORS = {DOOR, f"{DOOR}/passkey", f"{DOOR}/provider", f"{DOOR}/provider/back"}
# What anybody who is signed in may look at, whoever it belongs to: rules, and levels that are in force.
OPEN = {"/console/points/new/{circumstance}", "/console/levels/{authority}/{emergency}"}
# Where a parameter means another thing than elsewhere.
ANOTHER = {
    "/console/counts/{source}/{decision}": {"decision": "count"},
    "/console/approvals/requests/{org}/{request}": {"request": "erasure"},
    "/console/sheets/{point}": {"point": "paper point"},
    "/console/sheets/{point}/{book}/{page}/destroyed": {"point": "paper point"},
}
# Parameters that name no thing of one organisation: whoever it is, rules, and what is in force for all.
PUBLIC = {
    "org",
    "source",
    "authority",
    "emergency",
    "circumstance",
    "kind",
    "name",
    "index",
    "number:int",
    "path:path",
}
GIVEN = {
    "approve": "yes", "decision": "approve", "answer": "done", "reason": "revocation",
    "event": "left", "day": "2026-03-14", "roles": "custodian", "part": "2-IV", "verdict": "approve",
    "level": "I", "do": "approve", "step": "confirm",
}  # fmt: skip
"""What would do in a form about one's own things."""
REASONS = {"reviews": "life-at-risk", "requests": "objection", "orders": "due", "holds": "evidence"}
# Written while anybody only looks: when a session was seen, attempts that are counted, notices that were shown.
LOOKING = {"sessions", "rates", "notice_counts", "sqlite_sequence"}
SCRIPT = "\"'><script>alert(7)</script><img src=x onerror=alert(7)>"
PATHS = (
    "../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "%00", "a%0d%0aSet-Cookie:%20x=1",
    "-1", "99999999999999999999", "%ff%fe", "张三", "x" * 3000, "{}", "%7B7*7%7D", "..\\..\\x", "'or'1'='1",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    made = pages.found(tmp_path_factory.mktemp("hostile") / "home", town.Clock())
    yield made
    made.parts.close()


@pytest.fixture(scope="module")
def things(place):
    """A real thing of ``sunny`` for each parameter that can have one, and what ``ANOTHER`` names."""
    parts, now, day = place.parts, place.parts.now(), date(2026, 3, 14)
    ref, paper_point = parts.standard.ref, town.open_paper_point(parts).point
    what = {
        "source": "sunny", "emergency": "outbreak-7", "circumstance": "residential-entry", "since": day,
        "until": day,
    }  # fmt: skip
    with parts.database.write() as tx:
        who = next(s for s in staff.listing(tx, "sunny") if s.login == "all")
        asked = tx.all(metadata.tables["subject_requests"])
        lease = offline.take(
            tx, parts.log, parts.keys, parts.standard, org="sunny", point=place.point.point,
            holder=who.staff, most=20, now=lambda: now,
        )  # fmt: skip
        grant = grants.request(
            tx, parts.standard, who, source="sunny", purpose="personnel", form="masked", subjects=3,
            circumstances=("residential-entry",), case=None, reason="made up", now=now,
            until=now + timedelta(days=1),
        ).grant  # fmt: skip
        opening = parts.gate.decide(
            tx, who, source="sunny", places=[(1, 0)], purpose="personnel", form="masked", grant=grant,
            now=now,
        ).decision  # fmt: skip
        tx.insert(  # as ``search.search`` writes it under a grant that is active
            metadata.tables["searches"], org="sunny", search="f-abcdefghijkl", by=who.staff, by_org="sunny",
            grant=grant, emergency="outbreak-7", category="contact.mobile", found=1, at=now, entry_index=1,
        )  # fmt: skip
        reviews.note(tx, "sunny", opening, who.staff, "sunny", "made up", now)
        count = aggregate.decide(
            parts.gate, tx, who, grant=grant, question=Counted(**what, counted="day"), now=now
        ).decision
        release = register.decide(
            parts.gate, tx, who, grant=grant, now=now,
            question=Released(**what, fields={"health.temperature": "temperature"}, suppressed=0, search="optimal"),
        ).release  # fmt: skip
        allotment = allotments.ask(
            tx, parts.standard, who, dataset="gate-1", purpose="situation-monitoring",
            recipient="lishan-cdc", epsilon=500_000, ceiling=4_000_000, reason="made up", now=now,
        ).allotment  # fmt: skip
        assessment = mandates.record_assessment(
            tx, parts.log, standard_ref=ref, org="sunny", about=holds.ABOUT, date_=day, sha256="0" * 64,
            until=date(2027, 3, 1), now=now,
        )  # fmt: skip
        hold = holds.place(
            tx, parts.log, standard_ref=ref, org="sunny", bucket=1, assessment=assessment,
            reason="evidence", last_day=date(2026, 5, 1), by=who.staff, now=now,
        ).hold  # fmt: skip
        book = Book(log=parts.log, standard_ref=ref)
        studies.begin(
            tx, parts.keys, book, org="sunny", study="long-covid", purpose="research", by=who.staff, now=now
        )  # fmt: skip
        studies.ask_end(tx, org="sunny", study="long-covid", by=who.staff, now=now)
        tx.insert(  # as ``order.propose`` writes it when the day has come
            metadata.tables["orders"], org="sunny", order="o-abcdefghijkl", bucket=1, parts=["2-IV"],
            reason="due", stage="proposed", by=who.staff, proposed=now, cooling=0, not_before=now,
        )  # fmt: skip
        tx.insert(  # as ``request.ask`` writes it where nothing is held
            metadata.tables["erasure_requests"], org="sunny", request="q-abcdefghijkl", bucket=1, n=0,
            reason="objection", stage="asked", by=who.staff, asked=now,
        )  # fmt: skip
        sheet = paper.Sheet(book="A-12", page=1, pages=50, written=day, place="here", sha256=None)
        paper.register(
            tx, parts.log, parts.standard, org="sunny", point=paper_point, sheet=sheet, rows=1,
            by=who.staff, now=now, code=paper.code_for(uuid4()),
        )  # fmt: skip
        brought = imports.begin(
            tx, parts.log, standard_ref=ref, org="sunny", point=place.point.point, notice="0" * 64,
            file=bytes(32), mapping=ColumnMap(columns=(), afterwards=True), by=who.staff, now=now,
        ).id  # fmt: skip
    return {
        "org": "sunny", "source": "sunny", "point": place.point.point, "bucket": "1", "n": "0", "version": "1",
        "code": who.staff, "lease": lease.lease, "grant": grant, "decision": opening, "search": "f-abcdefghijkl", "count": count,
        "release": release, "allotment": allotment, "hold": hold, "study": "long-covid",
        "import_id": brought, "order": "o-abcdefghijkl", "book": "A-12", "page": "1",
        "paper point": paper_point, "erasure": "q-abcdefghijkl",
        "request": asked[0]["request"], "authority": "jinan", "emergency": "outbreak-7",
        "circumstance": "residential-entry", "kind": "csv", "name": "epilock.css", "index": "1",
        "number:int": "1", "path:path": "checkpoint",
    }  # fmt: skip


@pytest.fixture(scope="module")
def outsiders(place):
    """Two of the authority for health beside ``sunny``, who have every role there is between them."""
    return [
        badge(place.parts, place.site, "lishan-cdc", "outsider", *pages.ROLES),
        badge(place.parts, place.site, "lishan-cdc", "elsewhere", "administrator"),
    ]


def csrf_of(place, visitor) -> str:
    with place.parts.database.read() as tx:
        return session.find(tx, visitor.cookies["epilock"], now=place.parts.now()).csrf


def filled(route, things, **instead: str) -> str:
    """Return the address of ``route`` with things of ``sunny``, or what is given ``instead`` of one."""
    known = ANOTHER.get(route.path, {})
    return re.sub(
        r"\{([\w:]+)\}", lambda found: instead.get(found[1]) or things[known.get(found[1], found[1])],
        route.path,
    )  # fmt: skip


def absent(known: str) -> str:
    """Return an id of the shape of ``known`` that nothing has."""
    return f"{int(known) + 90}" if known.isdigit() else known[:-5] + "zzzzz"


def answered(visitor, method, path, known, csrf) -> tuple[int, str]:
    """Return status and text of the answer, without the id that was asked for."""
    answer = visitor.request(
        method, path, data={**GIVEN, "csrf": csrf} if method == "POST" else None
    )
    text = answer.text.replace(path, "PATH")
    return answer.status_code, text if known.isdigit() else text.replace(known, "ID")


def state(place) -> dict[str, list]:
    """Every row of every table, but for what is written while anybody only looks."""
    with place.parts.database.read() as tx:
        return {
            name: sorted(map(repr, tx.conn.execute(sa.select(table)).all()))
            for name, table in metadata.tables.items()
            if name not in LOOKING and sa.inspect(tx.conn).has_table(name)
        }


class TestRoutes:
    def test_every_parameter_has_a_thing(self, things):
        """Who adds a parameter says here what would belong to somebody else."""
        named = {name for route in ROUTES for name in re.findall(r"\{([\w:]+)\}", route.path)}
        assert named <= things.keys()

    def test_there_are_many(self):
        assert len(ROUTES) > 120


class TestDoor:
    def test_nobody_comes_in_without_a_session(self, place, things):
        visitor = Visitor(place.site)
        for route in CONSOLE:
            for method in route.methods - {"HEAD"}:
                if route.path not in DOORS:
                    answer = visitor.request(method, filled(route, things))
                    assert answer.status_code == 303, route.path
                    assert answer.headers["location"].startswith(DOOR), route.path

    def test_a_post_without_the_sessions_token_changes_nothing(self, place, things):
        """Each form of the console, sent by who may send it, but from elsewhere."""
        before = state(place)
        for route in CONSOLE:
            if "POST" not in route.methods or route.path in DOORS:
                continue
            for csrf in ("", "0" * 64):
                answer = place.everyone.post(filled(route, things), data={"csrf": csrf, "n": "1"})
                assert answer.status_code == 303, route.path
                assert answer.headers["location"].startswith(DOOR), route.path
        assert state(place) == before
        assert place.everyone.get("/console").status_code == 200  # and the session goes on

    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_no_post_comes_from_another_site(self, place, things, site):
        for route in ROUTES:
            if "POST" in route.methods:
                headers = {"Sec-Fetch-Site": site}
                answer = place.everyone.post(filled(route, things), headers=headers)
                assert answer.status_code == 403, route.path


class TestOtherOrganisations:
    def test_no_page_of_theirs_is_shown(self, place, things, outsiders):
        for outsider, route in product(outsiders, CONSOLE):
            if "GET" not in route.methods or "{" not in route.path or route.path in OPEN:
                continue
            answer = outsider.get(filled(route, things))
            assert answer.status_code in {403, 404}, f"{route.path}: {answer.status_code}"
            assert place.point.name.zh not in answer.text, route.path

    def test_no_form_about_theirs_does_anything(self, place, things, outsiders):
        """With the token of one's own session, and values that would do for one's own things."""
        before = state(place)
        for outsider, route in product(outsiders, CONSOLE):
            if "POST" not in route.methods or "{" not in route.path:
                continue
            csrf = csrf_of(place, outsider)
            answer = outsider.post(filled(route, things), data={**GIVEN, "csrf": csrf})
            assert answer.status_code in {400, 403, 404, 409, 422}, (
                f"{route.path}: {answer.status_code}"
            )
            if answer.status_code not in {403, 404}:
                assert place.point.name.zh not in answer.text, route.path
        assert state(place) == before

    def test_nothing_tells_whether_theirs_is_there(self, place, things, outsiders):
        """Each id of another organisation's gets the answer, word for word, of one that nothing has."""
        told, asked = [], 0
        staffs = [route for route in ROUTES if route.path.startswith(("/console", "/offline"))]
        for outsider, route in product(outsiders, staffs):
            csrf = csrf_of(place, outsider)
            names = [n for n in re.findall(r"\{([\w:]+)\}", route.path) if n not in PUBLIC]
            for name, method in product(names, route.methods - {"HEAD"}):
                known = things[ANOTHER.get(route.path, {}).get(name, name)]
                said = [
                    answered(outsider, method, filled(route, things, **{name: one}), one, csrf)
                    for one in (known, absent(known))
                ]
                asked += 1
                if said[0] != said[1]:
                    told.append(f"{method} {route.path}: {name}: {said[0][0]}, {said[1][0]}")
        assert told == []
        assert asked > 80

    def test_the_token_of_anothers_session_sends_no_form(self, place, things, outsiders):
        """Neither does one's own session take the token of another, nor is another's session shown."""
        before, theirs = state(place), csrf_of(place, place.everyone)
        for outsider, route in product(outsiders, CONSOLE):
            if "POST" in route.methods and route.path not in DOORS:
                answer = outsider.post(filled(route, things), data={**GIVEN, "csrf": theirs})
                assert answer.headers["location"].startswith(DOOR), route.path
        assert state(place) == before


class TestLooking:
    def test_a_get_changes_nothing(self, place, things):
        before = state(place)
        for route in ROUTES:
            if "GET" in route.methods:
                assert place.everyone.get(filled(route, things)).status_code < 500, route.path
        after = state(place)
        assert {name for name in after if after[name] != before[name]} <= set()


class TestAddresses:
    @pytest.mark.parametrize("word", PATHS, ids=range(len(PATHS)))
    def test_no_parameter_leads_out_or_breaks_anything(self, place, things, word):
        for route in ROUTES:
            if "GET" not in route.methods or "{" not in route.path:
                continue
            path = re.sub(r"\{[\w:]+\}", lambda _: word, route.path)
            answer = place.everyone.get(path)
            assert answer.status_code < 500, path
            assert "root:x:" not in answer.text, path
            assert "set-cookie" not in answer.headers, path

    @pytest.mark.parametrize(
        "to", ["https://evil.example/", "//evil.example", "/\\evil.example", "/console/..//evil.example",
               "\thttps://evil.example", "/console//evil.example", "javascript:alert(1)", "/console\r\nX: 1"],
    )  # fmt: skip
    def test_no_redirect_leads_elsewhere(self, place, to):
        visitor = Visitor(place.site)
        asked = {"to": to, "next": to, "back": to, "done": to, "language": "en", "lang": to}
        for route in ROUTES:
            if "GET" not in route.methods or "{" in route.path:
                continue
            for who in (visitor, place.everyone):
                answer = who.get(route.path, params=asked)
                assert answer.status_code < 500, route.path
                where = answer.headers.get("location", "/")
                assert re.match(r"/(?![/\\])", where), f"{route.path} leads to {where}"
                assert "evil.example" not in where.partition("?")[0]
                assert "x" not in {name.lower() for name in answer.headers}


class TestScripts:
    def test_nothing_that_was_typed_runs(self, tmp_path):
        """Each text field of each form of each page is given a script; then every page is looked at again."""
        place = pages.found(tmp_path / "home", town.Clock())
        sent, seen = 0, []
        for name in pages.EVERY:
            if name in {"password", "second-factor", "account"}:
                continue  # they would end the session; what they show is typed by nobody else
            visitor = place.visitor(name)
            page = read(visitor, place.path(name))
            for form in page.forms:
                typed = dict.fromkeys(form.fields, SCRIPT)
                boxes = list(dict(form.boxes).items())
                if form.action.endswith("/sign-out") or not typed:
                    continue
                if form.method == "post":
                    answer = page.send(form, *boxes, **_kept_selects(form, typed))
                else:
                    answer = Sheet(
                        visitor, visitor.get(form.action or place.path(name), params=typed)
                    )
                sent += 1
                seen.append((name, answer))
        seen += [(name, read(place.visitor(name), place.path(name))) for name in pages.EVERY]
        place.parts.close()
        assert sent > 30
        for name, page in seen:
            assert page.status < 500, name
            assert "<script>alert" not in page.html, name
            assert "<img src=x" not in page.html, name

    def test_templates_escape_by_themselves(self):
        """No template says that something needs no escaping; what does not is made by ``trusted``, from our own."""
        for file in (STATIC.parent / "templates").rglob("*.html"):
            assert not re.search(r"\|\s*safe\b|autoescape\s+false", file.read_text("utf-8")), file


def _kept_selects(form, typed):
    """Return what is typed, but for lists to choose from, where half of the forms keep what was chosen."""
    chosen = dict(form.values)
    return {name: chosen[name] if chosen.get(name) else value for name, value in typed.items()}


def _archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return out.getvalue()


ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
    + b"]><worksheet>&j;</worksheet>"
)
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><worksheet>&a;</worksheet>'
BOMBS = {
    "zip.xlsx": _archive(xl__workbook=b"0" * 300_000_000),
    "entities.xlsx": _archive(**{"xl__worksheets__sheet1.xml": ENTITIES, "[Content_Types].xml": ENTITIES}),
    "outside.xlsx": _archive(**{"xl__worksheets__sheet1.xml": OUTSIDE, "[Content_Types].xml": OUTSIDE}),
    "names.xlsx": _archive(**{f"../../x{i}": b"" for i in range(2_000)}),
    "deep.json": b"[" * 400_000 + b"]" * 400_000,
    "deep-object.json": b'{"item":' * 60_000 + b"1" + b"}" * 60_000,
    "wide.csv": b"a," * 400_000,
    "quoted.csv": b'"' + b"a\n" * 400_000,
    "deep.toml": b"a = " + b"[" * 200_000,
    "nothing.parquet": b"PAR1" + b"\xff" * 1000 + b"PAR1",
    "nul.csv": b"\x00" * 900_000,
    "picture.png": b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + b"\x7f\xff\xff\xff" * 2 + b"\x08\x06\x00\x00\x00",
}  # fmt: skip


class TestBombs:
    @pytest.mark.parametrize("name", BOMBS)
    def test_an_upload_is_answered_soon_and_opens_nothing(self, place, name):
        """At each address that takes files; the sizes are below its limit, so that its parser is what answers."""
        csrf, before = csrf_of(place, place.everyone), state(place)
        for path in security.FILES:
            content = BOMBS[name][: security.FILES[path].most]
            files = dict.fromkeys(
                ("file", "form", "list", "document", "policy", "outbox"), (name, content)
            )
            began = time.monotonic()
            for field, sent in files.items():
                answer = place.everyone.post(path, files={field: sent}, data={"csrf": csrf})
                assert answer.status_code < 500, f"{path} {field}: {answer.status_code}"
                assert "root:x:" not in answer.text
            assert time.monotonic() - began < 20
        after = state(place)
        assert {n for n in after if after[n] != before[n]} <= {"imports"}

    def test_deep_json_is_refused_everywhere(self, place, things):
        body = b'{"client":' + b"[" * 25_000 + b"]" * 25_000 + b"}"
        for path in json.loads(Visitor(place.site).get("/api/openapi.json").content)["paths"]:
            where = re.sub(r"\{(\w+)\}", lambda found: things.get(found[1], "x"), path)
            answer = place.everyone.post(
                where, content=body, headers={"Content-Type": "application/json"}
            )
            assert 400 <= answer.status_code < 500, path
