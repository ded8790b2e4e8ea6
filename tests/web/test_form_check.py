"""Check before you collect: anybody's form is judged at once, and nothing of it stays."""

import io
import logging
import re
from urllib.parse import unquote

import openpyxl
import pytest
import town
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sheet import Sheet, read
from staff_room import badge
from starlette.formparsers import MultiPartParser
from visitor import Visitor

from epilock.collect.design import read_design
from epilock.rate import rates
from epilock.standard import load
from epilock.web import form_check, security
from epilock.web.app import create_app
from epilock.web.askable import GROUPS
from traces import forms_of

GATE = {"circumstance": "residential-entry", "level": "II"}


def workbook() -> bytes:
    """A sheet as Excel makes it."""
    book = openpyxl.Workbook()
    book.active.append(["姓名", "体温"])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


WORKBOOK = workbook()
CANARY = "欧阳金丝雀13976540001"


@pytest.fixture(scope="module")
def clock():
    return town.Clock()


@pytest.fixture(scope="module")
def parts(tmp_path_factory, clock):
    """One town for all: a page that keeps nothing leaves nothing behind for the next test."""
    made = town.found(tmp_path_factory.mktemp("town") / "home", clock)
    yield made
    made.close()


@pytest.fixture(scope="module")
def visitor(parts):
    return Visitor(create_app(parts))


def check(visitor, questions="", file=None, **more) -> Sheet:
    files = {"file": file or ("", b"")}
    return Sheet(
        visitor, visitor.post("/check", data={**GATE, "questions": questions, **more}, files=files)
    )


def said(page: Sheet) -> dict[str, str]:
    """What is said to each field."""
    rows = re.findall(
        r'<th scope="row">([^<]*).*?<span class="tag \w+">([^<]*)', page.html, re.DOTALL
    )
    return dict(rows)


def test_each_circumstance_is_offered_once():
    """In a group, so that a newcomer finds it; a new one of the standard must be given a place."""
    offered = [code for codes in GROUPS.values() for code in codes]
    assert sorted(offered) == sorted(load().circumstances)


class TestPasted:
    def test_each_question_is_judged_with_rule_source_and_what_to_do_instead(self, visitor):
        page = check(visitor, "姓名\n身份证号\n备注\n登记日期")
        assert said(page) == {
            "姓名": "yes", "身份证号": "no", "备注": "not understood", "登记日期": "not personal",
        }  # fmt: skip
        assert "Not allowed: 1" in page.text
        for words in (
            "It is not collected at any level.", "never/residential-entry/identity.resident-id",
            "PIPL art. 28", "What may be asked now: Name, Mobile number",
        ):  # fmt: skip
            assert words in page.text

    def test_it_says_the_same_as_the_terminal(self, visitor):
        """The level decides: an address may be asked at a gate at level I only, and then as an option."""
        assert said(check(visitor, "住址"))["住址"] == "no"
        assert said(check(visitor, "住址", level="I"))["住址"] == "only if optional"

    def test_a_cell_that_asks_several_things_is_answered_for_each(self, visitor, clock):
        clock.forward(minutes=11)
        page = check(visitor, file=("a.csv", "日期,身份证号 姓名\n".encode()))
        assert said(page)["身份证号 姓名"] == "no"
        both = [load().categories[c].name.en for c in ("identity.resident-id", "identity.name")]
        assert ", ".join(both) in page.text

    def test_the_present_level_is_what_it_begins_with(self, visitor):
        page = read(visitor, "/check")
        assert "In force now: Outbreak 7, Level II" in page.text
        assert page.value("level") == "II"
        assert "Level II" in read(visitor, "/check?circumstance=school").text

    def test_without_a_form_it_says_what_may_be_asked_and_what_never(self, visitor):
        page = read(visitor, "/check?circumstance=venue-check-in")
        assert "You may ask now" in page.text
        assert "Anything about health" in page.text

    def test_after_the_end_nothing_may_be_asked(self, visitor):
        assert "you may ask nothing" in read(visitor, "/check?circumstance=school&level=E").text

    def test_nothing_is_lost_on_an_error(self, visitor):
        page = check(visitor, "姓名", file=("x.xlsx", b"PK\x03\x04broken"))
        assert page.status == 422
        assert page.value("questions") == "姓名"
        assert page.value("circumstance") == "residential-entry"


class TestInChinese:
    @pytest.mark.parametrize(
        ("questions", "file", "said"),
        [
            ("名" * 20_001, None, "贴上的内容：超过20,000个字符"),
            ("", ("a.pdf", b"%PDF-1.7"), "PDF文件不是表"),
            ("", ("a.csv", b"13800000001,37.2\n"), "没有找到表头"),
            ("", ("a.csv", ",".join(f"第{n}项" for n in range(501)).encode()), "最多判断500项"),
        ],
    )
    def test_what_is_wrong_is_said_in_chinese(self, visitor, clock, questions, file, said):
        clock.forward(minutes=11)
        answer = visitor.post(
            "/check?lang=zh",
            data={**GATE, "questions": questions},
            files={"file": file or ("", b"")},
        )
        box = answer.text.partition('role="alert"')[2].partition("</div>")[0]
        assert answer.status_code in {413, 422}
        assert said in box
        assert 'lang="en"' not in box


class TestUploaded:
    def test_what_is_wrong_stands_at_its_field(self, visitor):
        """Of a file and of pasted text, each beside its own; the file is not called what it is not."""
        page = check(visitor, "姓名" * 10_001, file=("登记表.csv", b"%PDF-1.7"))
        assert page.status == 413
        assert "what was pasted: more than 20,000 characters" in page.text.lower()
        for field in ("questions", "file"):
            assert f'id="{field}-wrong"' in page.html
            assert f'href="#{field}"' in page.html
        assert "the file: pdf is no form" in page.text.lower()

    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("form.csv", "姓名,人脸照片\n".encode("gb18030")),
            ("form.toml", '[point]\n[[field]]\nlabel="姓名"\n[[field]]\nlabel="人脸照片"\n'.encode()),
            ("form.xlsx", WORKBOOK),
        ],
    )  # fmt: skip
    def test_any_kind_of_form(self, visitor, name, content):
        assert said(check(visitor, file=(name, content)))["姓名"] == "yes"

    def test_what_is_pasted_and_what_is_uploaded_are_one_form(self, visitor):
        page = check(visitor, "手机号", file=("a.csv", "姓名\n".encode()))
        assert list(said(page)) == ["手机号", "姓名"]

    @settings(
        max_examples=40,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip
    @given(
        content=st.one_of(
            st.binary(max_size=300),
            st.text(max_size=300).map(str.encode),
            st.tuples(
                st.integers(0, len(WORKBOOK) - 1), st.integers(0, 255)
            ).map(lambda cut: WORKBOOK[: cut[0]] + bytes([cut[1]]) + WORKBOOK[cut[0] + 1 :]),
        ),
        ending=st.sampled_from([".csv", ".xlsx", ".json", ".toml", ".exe", ""]),
    )  # fmt: skip
    def test_hostile_bytes_get_an_answer_or_one_clear_error(self, visitor, clock, content, ending):
        clock.forward(minutes=11)  # the limit of an address is another test's promise
        page = check(visitor, file=(f"{CANARY}{ending}", content))
        assert page.status in {200, 413, 422}
        assert CANARY not in page.html  # the file's name is nobody's business

    def test_a_form_that_is_too_large_is_refused_before_it_is_read(self, visitor):
        for size in (1_000_001, 1_900_000):
            big = check(visitor, "姓名", file=("a.csv", b"a" * size))
            assert big.status == 413
            assert "A file of at most 1 MB is taken here" in big.text
            assert big.value("questions") == "姓名"  # and all else that was said
            assert big.value("circumstance") == "residential-entry"

    def test_far_too_large_it_is_turned_away_with_its_limit_and_a_way_back(self, visitor):
        big = check(visitor, file=("a.csv", b"a" * 2_000_000))
        assert big.status == 413
        assert "a file of at most 1 MB is taken here" in big.text
        assert "Nothing was stored" in big.text
        assert "/check" in [href for href, _ in big.links]

    def test_no_upload_of_any_page_touches_the_disk(self, visitor):
        """Lists that are imported hold names; what is allowed to come in is kept in memory."""
        assert visitor.get("/").status_code == 200  # the site is made
        assert MultiPartParser.spool_max_size >= security.MAX_FORM

    def test_a_form_that_would_keep_others_waiting_is_not_judged(self, visitor):
        """Too many fields, or labels too long together: refused, and told where a large form is judged."""
        many = check(visitor, "问题\n" * 501)
        long = check(visitor, file=("a.csv", (",".join(["目的地及联系电话" * 25] * 201)).encode()))
        for page in (many, long):
            assert page.status == 413
            assert "epilock standard check" in page.text


class TestTemplate:
    def test_it_asks_what_of_the_form_may_be_asked(self, visitor):
        """Refused and unknown fields are gone; the file is read back as allowed."""
        page = check(visitor, "姓名\n身份证号\n备注")
        form = page.to("/check/form.csv")
        query = "&".join(f"{n}={v}" for n, v in form.values)
        answer = visitor.get(f"/check/form.csv?{query}")
        assert answer.headers["content-disposition"] == (
            'attachment; filename="residential-entry.csv"'
        )
        assert [f.label for f in read_design(answer.content, "a.csv").fields] == ["Name"]

    def test_as_an_xlsform_and_as_a_point_of_the_present_emergency(self, visitor):
        query = "circumstance=school&level=II&category=identity.name"
        book = openpyxl.load_workbook(io.BytesIO(visitor.get(f"/check/form.xlsx?{query}").content))
        assert "survey" in book.sheetnames
        assert b'emergency = "jinan/outbreak-7"' in visitor.get(f"/check/form.toml?{query}").content

    def test_what_may_not_be_asked_is_in_none(self, visitor):
        query = "circumstance=school&level=II&category=biometric.face"
        assert visitor.get(f"/check/form.csv?{query}").status_code == 403

    def test_with_nothing_ticked_it_says_what_to_do(self, visitor):
        """On the same page, at what is to be ticked."""
        page = read(visitor, "/check/form.csv?circumstance=school&level=II")
        assert page.status == 400
        assert "Tick at least one thing" in page.text
        assert 'id="category-wrong"' in page.html
        assert ("category", "identity.name") in page.to("/check/form.csv").boxes

    def test_it_leads_to_a_point_of_the_same_kind_past_the_door(self, visitor, parts, site):
        """With what is ticked, and nothing else."""
        page = read(visitor, "/check?circumstance=residential-entry&lang=en")
        (to,) = re.findall(r'formaction="(/console/points/new/[^"]+)"', page.html)
        assert to == "/console/points/new/residential-entry"
        asked = f"{to}?circumstance=residential-entry&level=II&category=identity.name"
        door = visitor.get(asked).headers["location"]
        assert unquote(door.partition("to=")[2]).startswith(asked)
        custodian = badge(parts, site, "sunny", "wang", "custodian")
        form = read(custodian, asked).to("/console/points/new")
        assert [value for name, value in form.values if name == "field"] == ["identity_name"]

    def test_what_needs_an_assessment_says_so(self, visitor):
        """A form that may be used only then is not called one that may be used."""
        page = check(visitor, "姓名\n手机号")
        assert "This form may be used once there is an impact assessment" in page.text
        assert 'Marked "needs an impact assessment": 1' in page.text
        page = check(visitor, "姓名")
        assert "This form may be used" in page.text
        assert "once there is an impact assessment" not in page.text


class TestNothingStays:
    def test_nothing_of_a_form_is_stored_or_logged(self, visitor, parts, caplog):
        caplog.set_level(logging.DEBUG)
        with parts.database.read() as tx:
            before = parts.log.size(tx)
        check(visitor, CANARY, file=(f"{CANARY}.csv", CANARY.encode()))
        with parts.database.read() as tx:
            assert parts.log.size(tx) == before
        needles = forms_of(CANARY)
        kept = [p.read_bytes() for p in parts.settings.home.rglob("*") if p.is_file()]
        assert not [n for n in needles for data in (*kept, caplog.text.encode()) if n in data]

    def test_one_address_waits_after_many(self, visitor, parts, clock):
        page = check(visitor, "姓名")
        with parts.database.write() as tx:
            (row,) = tx.all(rates, rates.c.kind == "form-check")
            key = {k: row[k] for k in ("org", "kind", "who")}
            tx.update(rates, key, count=form_check.MOST)
        page = check(visitor, "姓名")
        assert page.status == 429
        assert page.headers["retry-after"]
        assert page.value("questions") == "姓名"
        clock.forward(minutes=11)
        assert check(visitor, "姓名").status == 200
