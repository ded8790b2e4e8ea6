"""A list in the console: looked at, brought in, and its people told."""

import pytest
import town
from sheet import Sheet, read
from staff_room import badge
from visitor import Visitor

from epilock.collect import issue
from epilock.collect.intake import register
from epilock.collect.intake.mapping import map_columns
from epilock.collect.intake.read import fingerprint, open_table
from epilock.collect.intake.run import target_of
from epilock.collect.intake.table import Source
from epilock.collect.point import Plan
from epilock.ledger import entry
from epilock.standard.text import Text
from held import Held

LIST = "姓名,手机,体温,身份证号\n测甲,13800000001,36.6,secret-1\n测乙,12,36.5,secret-2\n".encode()


@pytest.fixture
def custodian(parts, site):
    return badge(parts, site, "sunny", "wang", "custodian")


@pytest.fixture
def point(parts):
    town.mandate(parts, "sunny", "workplace-entry")
    town.assess(parts, "sunny", "workplace-entry")
    with parts.database.write() as tx:
        plan = Plan(
            emergency="jinan/outbreak-7", circumstance="workplace-entry", method="import",
            name=Text("工厂", "Works"), fields=(town.NAME, town.MOBILE, town.HEAT),
        )  # fmt: skip
        return issue.open_with_notice(tx, parts.press, org="sunny", plan=plan, now=parts.now())


def send(visitor, page, content=LIST, *, go="", **typed):
    """Send the page's form with a file, as a browser would."""
    form = page.with_field("file")
    data = {**dict(form.values), **typed, **({"go": go} if go else {})}
    data.pop("file", None)
    answer = visitor.post(form.action, data=data, files={"file": ("l.csv", content)})
    while answer.status_code == 303:
        answer = visitor.get(answer.headers["location"])
    return Sheet(visitor, answer)


def said(parts, kind):
    with parts.database.read() as tx:
        every = [entry.decode(e) for e in parts.log.entries(tx, 0, parts.log.size(tx))]
    return [e for e in every if entry.kind(e) == kind]


class TestImport:
    def test_from_the_file_to_the_letters(self, custodian, parts, site, point):
        page = send(custodian, read(custodian, "/console/imports"))
        assert page.status == 200
        assert "Rows looked at: 2, of which 1 would be stored" in page.text
        assert "never/workplace-entry/identity.resident-id" in page.text
        assert "secret" not in page.html
        assert "1380000" not in page.html
        assert said(parts, "import") == []
        page = send(custodian, page, go="import")
        assert page.path.startswith("/console/imports/i-"), page.text
        assert "The list is in" in page.text
        assert "身份证号" in page.text
        letters = custodian.post(
            page.to("/letters").action, data=dict(page.to("/letters").values)
        ).text.split("\r\n")
        assert len(letters) == 3
        assert letters[1].startswith("2,")
        assert [e.records for e in said(parts, "import-notices")] == [1]
        page = page.send(page.with_field("first"), way="letter")
        assert "it is noted that they were told" in page.text.lower()
        assert [(e.records, e.way) for e in said(parts, "import-told")] == [(1, "letter")]
        self.with_the_code(site, letters[1].split(",")[1])

    def with_the_code(self, site, code):
        """Whoever got the letter sees what is held, and the data itself."""
        visitor = Visitor(site)
        page = read(visitor, "/r")
        page = page.send(page.with_field("code"), code=code)
        assert page.status == 200, page.text
        shown = page.send(page.to("/r/data"))
        assert "13800000001" in shown.text

    def test_the_same_file_again_brings_nothing(self, custodian, parts, point):
        page = send(custodian, read(custodian, "/console/imports"))
        first = send(custodian, page, go="import")
        assert send(custodian, page, go="import").path == first.path
        assert len(said(parts, "collect")) == 1

    def test_while_it_comes_in_its_page_says_so_and_nothing_begins_twice(
        self, custodian, parts, point
    ):
        intake, held = parts.intake, Held("rows", 1, 0)
        source = Source(path="", name="list.csv", content=LIST)
        target, file = target_of(intake, "sunny", point.point), fingerprint(source, intake.secret)
        mapping = map_columns(intake.standard, target.form, open_table(source), {})
        with parts.database.write() as tx:
            found = register.begin(
                tx, intake.log, standard_ref=intake.standard.ref, org="sunny", point=point.point,
                notice=target.form.notice, file=file, mapping=mapping, by="s-1", now=parts.now(),
            )  # fmt: skip
        parts.works.begin(("import", "sunny", point.point, file.hex()), held, wait=0)
        page = read(custodian, f"/console/imports/{found.id}")
        assert "The list is coming in. You can leave this page" in page.text
        looked = send(custodian, read(custodian, "/console/imports"))
        assert send(custodian, looked, go="import").path == page.path
        assert (held.begun, said(parts, "collect")) == (1, [])
        held.open.set()
        assert "The list is in" in send(custodian, looked, go="import").text

    def test_a_column_is_mapped_by_hand(self, custodian, point):
        content = LIST.replace("体温".encode(), "项目三".encode())
        page = send(custodian, read(custodian, "/console/imports"), content)
        assert "These still need a column" in page.text
        page = send(custodian, page, content, go="look", **{"to.3": "temperature"})
        assert "These still need a column" not in page.text

    @pytest.mark.parametrize(
        ("content", "words"),
        [(b"", "choose the file"), (b"%PDF-1.7", "PDF"), (b"a" * 1_000_001, "at most")],
    )
    def test_a_bad_file_gets_one_clear_error(self, custodian, point, content, words):
        page = send(custodian, read(custodian, "/console/imports"), content)
        assert page.status in {400, 413, 422}
        assert words in page.text

    def test_letters_are_for_a_custodian(self, custodian, parts, site, point):
        page = send(custodian, read(custodian, "/console/imports"))
        page = send(custodian, page, go="import")
        collector = badge(parts, site, "sunny", "liu", "collector")
        seen = read(collector, page.path)
        assert "letters" not in [f.action.rpartition("/")[2] for f in seen.forms]
        csrf = next(v for f in seen.forms for n, v in f.values if n == "csrf")
        assert collector.post(f"{page.path}/letters", data={"csrf": csrf}).status_code == 403

    def test_another_organisation_sees_nothing(self, custodian, parts, site, point):
        page = send(custodian, read(custodian, "/console/imports"))
        page = send(custodian, page, go="import")
        other = badge(parts, site, "jinan", "zhao", "custodian")
        assert other.get(page.path).status_code == 404

    def test_both_languages(self, custodian, point):
        assert "导入一份名单" in read(custodian, "/console/imports?lang=zh").text
