"""Whatever comes in wrong: a clear answer in the person's language that says what to do, and nothing stored.

Each row of a table is one way to be wrong, sent to the API and, where a browser can be made to send it, to the
resident's page. Counted before and after: rows of every table that holds what people give, and the ledger.
"""

import json
import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa
import town
from sheet import read
from visitor import Visitor

from epilock.db import metadata

GIVEN = {"name": "张三", "mobile": "13800001234", "temperature": "36.5"}
COUNTED = ("records", "parts", "tags", "record_counts", "buckets", "leases", "ledger_entries")
LONG = "长" * 30_000


@pytest.fixture
def gate(parts):
    return town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT)


@pytest.fixture
def path(gate):
    return f"/api/points/sunny/{gate.point}/submissions"


@pytest.fixture
def good(visitor, gate):
    """A submission that would be stored."""
    said = visitor.get(f"/api/points/sunny/{gate.point}").json()
    return {
        "client": str(uuid.uuid4()), "notice": said["notice"], "language": "zh", "fields": GIVEN,
        "given": [a["id"] for a in said["acts"] if a["required"]],
    }  # fmt: skip


def counts(parts) -> dict[str, int]:
    with parts.database.read() as tx:
        return {
            name: tx.conn.execute(
                sa.select(sa.func.count()).select_from(metadata.tables[name])
            ).scalar_one()
            for name in COUNTED
        }


def fields(**change) -> dict:
    return {"fields": {k: v for k, v in {**GIVEN, **change}.items() if v is not None}}


# What is changed in a good submission; status and kind of the answer; what the answer names.
CHANGES = [
    (fields(faith="buddhist"), 422, "fields", "unknown-field"),
    (fields(face="data:image/png;base64,AAAA"), 422, "fields", "unknown-field"),
    (fields(check_in="East gate"), 422, "fields", "unknown-field"),
    (fields(name=None), 422, "fields", "empty"),
    (fields(name=" \t　"), 422, "fields", "empty"),
    (fields(name="张\x00三"), 422, "fields", "name"),
    (fields(name="张\x1b[2J三"), 422, "fields", "name"),
    (fields(name=LONG[:2000]), 422, "fields", "name"),
    (fields(mobile="1380000123"), 422, "fields", "mobile"),
    (fields(mobile="9" * 4000), 422, "fields", "mobile"),
    (fields(temperature="1e400"), 422, "fields", "temperature"),
    (fields(temperature="NaN"), 422, "fields", "temperature"),
    (fields(temperature="-" + "9" * 5000), 422, "fields", "temperature"),
    ({"given": []}, 422, "consent", "missing"),
    ({"given": ["purpose:marketing"]}, 400, "input", ""),
    ({"given": [7]}, 422, "file-format", "given"),
    ({"given": "all"}, 422, "file-format", "given"),
    ({"notice": "0" * 64}, 409, "stale-notice", ""),
    ({"notice": ""}, 409, "stale-notice", ""),
    ({"client": "me"}, 400, "input", "client"),
    ({"client": 7}, 422, "file-format", "client"),
    ({"language": "fr"}, 400, "input", "language"),
    ({"fields": []}, 422, "file-format", "fields"),
    ({"fields": {"name": {"name": "张三"}}}, 422, "file-format", "fields"),
    ({"fields": None}, 422, "file-format", "fields"),
    ({"level": "I"}, 422, "file-format", "not asked"),
]  # fmt: skip


class TestProgram:
    @pytest.mark.parametrize(("change", "status", "slug", "names"), CHANGES)
    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_a_submission_that_is_wrong(  # noqa: PLR0917 - a row of the table
        self, site, path, good, parts, change, status, slug, names, language
    ):
        before = counts(parts)
        answer = Visitor(site, language=language).post(path, json={**good, **change})
        says(answer, status, slug, language)
        assert names in answer.text
        assert counts(parts) == before

    @pytest.mark.parametrize(
        ("body", "status", "slug"),
        [
            (b"", 422, "file-format"),
            (b"null", 422, "file-format"),
            (b"[]", 422, "file-format"),
            (b'"' + b"x" * 200, 422, "file-format"),
            (b"[" * 60_000, 422, "file-format"),
            (b'{"fields":' * 6_000, 422, "file-format"),
            (b"name=a&mobile=1", 422, "file-format"),
            (b"\xef\xbb\xbf{}", 422, "file-format"),
            ("{'name': '张三'}".encode("gb18030"), 422, "file-format"),
            ('{"client":"张"}'.encode("utf-16"), 422, "file-format"),
            (b'{"client": 1' + b"0" * 5_000 + b"}", 422, "file-format"),
            (b'{"client": 1e999}', 422, "file-format"),
            (b"{" + b" " * 65_536 + b"}", 413, "too-large"),
        ],
    )
    def test_a_body_that_is_none(  # noqa: PLR0917 - a row of the table
        self, visitor, path, parts, body, status, slug
    ):
        before = counts(parts)
        says(visitor.post(path, content=body), status, slug, "en")
        assert counts(parts) == before

    @pytest.mark.parametrize("escape", ["\\ud800", "\\udfff\\ud800", "\\u0000"])
    def test_half_a_character(self, visitor, path, good, parts, escape):
        before = counts(parts)
        body = json.dumps({**good, "fields": {**GIVEN, "name": "@@"}}).replace("@@", escape)
        answer = visitor.post(path, content=body.encode())
        assert answer.status_code == 422
        assert counts(parts) == before

    def test_a_member_that_stands_twice_counts_once(self, visitor, path, good, parts):
        """RFC 8259 lets a reader choose; what was chosen is checked like any other, here the last."""
        before = counts(parts)
        body = json.dumps(good)[:-1] + ', "notice": "' + "0" * 64 + '"}'
        says(visitor.post(path, content=body.encode()), 409, "stale-notice", "en")
        body = json.dumps(good).replace('"mobile"', '"mobile": "13800009999", "mobile"')
        wrong = body.replace("13800001234", "12")
        says(visitor.post(path, content=wrong.encode()), 422, "fields", "en")
        assert counts(parts) == before

    @pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", ""])
    def test_the_stated_kind_of_a_body_changes_nothing(self, visitor, path, good, parts, kind):
        """It is read as JSON, whatever it is called; and another site's form can't be sent at all."""
        before = counts(parts)
        answer = visitor.post(path, content=b"<a/>", headers={"Content-Type": kind})
        says(answer, 422, "file-format", "en")
        headers = {"Content-Type": kind, "Sec-Fetch-Site": "cross-site"}
        answer = visitor.post(path, content=json.dumps(good).encode(), headers=headers)
        says(answer, 403, "forbidden", "en")
        assert counts(parts) == before

    def test_a_point_that_is_closed_or_was_never_there(self, visitor, path, good, parts, gate):
        town.close_point(parts, "sunny", gate.point)
        before = counts(parts)
        says(visitor.post(path, json=good), 410, "closed", "en")
        elsewhere = path.replace(gate.point, "sunny.aaaaaa")
        says(visitor.post(elsewhere, json=good), 404, "not-found", "en")
        assert counts(parts) == before

    def test_a_level_at_which_nothing_is_asked_any_more(self, visitor, path, good, parts, clock):
        """Under the notice of the level before; then under the new one, with what it no longer asks."""
        clock.forward(hours=1)
        town.level(parts, "N")
        before = counts(parts)
        says(visitor.post(path, json=good), 409, "stale-notice", "en")
        said = visitor.get(path.removesuffix("/submissions")).json()
        given = [a["id"] for a in said["acts"] if a["required"]]
        late = {**good, "notice": said["notice"], "given": given}
        says(visitor.post(path, json=late), 422, "fields", "en")
        assert counts(parts) == before

    def test_after_the_end_of_the_emergency(self, visitor, path, good, parts, clock):
        clock.forward(hours=1)
        town.level(parts, "E")
        before = counts(parts)
        answer = visitor.post(path, json=good)
        assert answer.status_code in {409, 410}
        assert counts(parts) == before

    def test_and_the_good_one_is_stored(self, visitor, path, good, parts):
        """Else everything above could pass for another reason."""
        before = counts(parts)
        assert visitor.post(path, json=good).status_code == 201
        assert counts(parts)["records"] == before["records"] + 1


def says(answer, status: int, slug: str, language: str) -> None:
    """The answer is a problem document whose title, and each field's advice, is in the language."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["type"] == f"urn:epilock:problem:{slug}"
    assert any("一" <= c <= "鿿" for c in said["title"]) is (language == "zh")
    for one in said.get("fields", ()):
        assert one["zh"]
        assert one["en"]
    assert all(value not in answer.text for value in GIVEN.values())


# What is typed instead of good answers; what the page says in Chinese and in English.
TYPED = [
    {"f.name": ""}, {"f.mobile": "12"}, {"f.temperature": "99"}, {"f.name": "张\x00三"},
    {"f.mobile": "9" * 4000}, {"f.temperature": "1e400"}, {"f.name": "\u202e三张"}, {"f.faith": "x"},
]  # fmt: skip


class TestPage:
    @pytest.mark.parametrize("typed", TYPED)
    @pytest.mark.parametrize(("language", "title"), [("zh", "要改："), ("en", "Error: ")])
    def test_an_answer_that_is_wrong(  # noqa: PLR0917 - a row of the table
        self, site, gate, parts, typed, language, title
    ):
        page = fields_page(Visitor(site, language=language), gate)
        before = counts(parts)
        wrong = page.send(page.form(), step="send", **{**form_of(GIVEN), **typed})
        assert wrong.status == 422
        assert f"<title>{title}" in wrong.html
        assert wrong.errors or any(href == "#walk" for href, _ in wrong.links)
        assert counts(parts) == before

    @pytest.mark.parametrize(
        ("change", "status"),
        [
            ({"act": ""}, 422), ({"ticket": ""}, 409), ({"ticket": "a.b.c.d"}, 409),
            ({"ticket": "ø" * 200}, 409), ({"step": "no-such"}, 200), ({"lang": "fr"}, 200),
        ],
    )  # fmt: skip
    def test_a_form_that_was_tampered_with(self, visitor, gate, parts, change, status):
        page = fields_page(visitor, gate)
        before = counts(parts)
        sent = {"step": "send", **form_of(GIVEN), **change}
        if change == {"lang": "fr"}:
            sent["step"] = "fields"
        answer = page.send(page.form(), **sent)
        assert answer.status == status
        assert counts(parts) == before

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("multipart/form-data; boundary=x", b"--x\r\nnothing"),
            ("multipart/form-data", b"--x--"),
            ("application/x-www-form-urlencoded", b"%ff%fe=%00&step=%c0%80"),
            ("application/x-www-form-urlencoded", b"step=send&" * 6_000),
            ("application/x-www-form-urlencoded; charset=gb18030", "step=发送".encode("gb18030")),
            ("application/json", b"{}"),
            ("text/plain", b"\x00" * 100),
        ],
    )
    def test_a_body_that_is_no_form(self, visitor, gate, parts, kind, body):
        before = counts(parts)
        answer = visitor.post(
            f"/c/sunny/{gate.point}", content=body, headers={"Content-Type": kind}
        )
        assert answer.status_code in {200, 400, 409, 413, 422}
        assert answer.text.startswith("<!doctype html>")
        assert counts(parts) == before

    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_a_body_that_is_too_large(self, site, gate, parts, language):
        before = counts(parts)
        answer = Visitor(site, language=language).post(
            f"/c/sunny/{gate.point}", data={"f.name": LONG}
        )
        assert answer.status_code == 413
        assert f'lang="{"zh-CN" if language == "zh" else "en"}"' in answer.text
        assert counts(parts) == before

    def test_what_only_the_older_notice_asked_is_left_behind(self, visitor, parts, clock):
        """Else the person is told to leave out a field that no page shows any more."""
        clock.forward(hours=1)
        town.level(parts, "I")
        gate = town.open_point(parts, "sunny", "residential-entry", town.NAME, town.ADDRESS)
        page = fields_page(visitor, gate)
        clock.forward(hours=1)
        town.level(parts, "II")
        typed = {"f.name": "张三", "f.address": "幸福路1号"}
        notice = page.send(page.form(), step="send", **typed)
        assert notice.status == 409
        page = notice.send(notice.form(), step="authorise")
        page = page.send(page.form(), *page.form().boxes, step="fields")
        assert "f.address" not in page.form().fields
        assert page.send(page.form(), step="send").status == 200
        assert counts(parts)["records"] == 1

    def test_a_form_that_was_open_since_yesterday(self, visitor, gate, parts, clock):
        page = fields_page(visitor, gate)
        before = counts(parts)
        clock.forward(hours=timedelta(days=1).total_seconds() / 3600)
        assert page.send(page.form(), step="send", **form_of(GIVEN)).status == 409
        assert counts(parts) == before


def form_of(answers: dict[str, str]) -> dict[str, str]:
    return {f"f.{name}": value for name, value in answers.items()}


def fields_page(visitor: Visitor, gate):
    """The page of the fields, everything ticked."""
    page = read(visitor, f"/c/sunny/{gate.point}")
    page = page.send(page.form(), step="authorise")
    ticked = [box for box in page.form().boxes if box != ("act", "guardian")]
    return page.send(page.form(), *ticked, step="fields")
