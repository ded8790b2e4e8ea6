"""What a resident is promised at a point: told first, asked little, never stored twice, nothing lost."""

import re
from dataclasses import replace

import pytest
import town
from sheet import Sheet, read
from visitor import Visitor

from epilock.collect import issue, reissue, tally
from epilock.collect.notice import fingerprint
from epilock.collect.notice_flow import reached
from epilock.registry import emergency as emergencies
from epilock.standard.text import Text
from epilock.store import vault

MOBILE = "13800001234"
TYPED = {"f.name": "张三", "f.mobile": MOBILE, "f.temperature": "36.5"}


@pytest.fixture
def gate(parts):
    return town.open_point(
        parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT, town.ADDRESS
    )


@pytest.fixture
def address(gate):
    return f"/c/sunny/{gate.point}"


def _needed(page: Sheet) -> list[tuple[str, str]]:
    """The boxes that are marked as needed."""
    return [
        ("act", value)
        for value in re.findall(r'name="act" value="([^"]+)"(?: checked)? required', page.html)
    ]


def _authorise(visitor: Visitor, address: str) -> Sheet:
    page = read(visitor, address)
    return page.send(page.form(), step="authorise")


def _fields(visitor: Visitor, address: str) -> Sheet:
    page = _authorise(visitor, address)
    return page.send(page.form(), *_needed(page), step="fields")


def _stored(parts) -> int:
    with parts.database.read() as tx:
        return len(tx.all(vault.records))


class TestFourLines:
    def test_whoever_sees_nothing_is_not_named_as_seeing_it(self, visitor, parts, gate):
        """The four lines say what the full notice says."""
        standard, asked = parts.standard, [f.category for f in gate.fields]
        seeing = reached(standard, "residential-entry", asked)
        others = set(standard.circumstances["residential-entry"].ranges) - set(seeing)
        text = read(visitor, f"/c/sunny/{gate.point}").text
        assert others
        assert all(standard.ranges[r].name.en in text for r in seeing)
        assert not any(standard.ranges[r].name.en in text for r in others)


class TestReasons:
    def test_a_reason_stands_once_however_many_fields_share_it(self, visitor, parts):
        """A form that others designed asks one category in many fields."""
        again = replace(town.HEAT, id="evening", label=Text("晚间体温", "Evening temperature"))
        point = town.open_point(parts, "sunny", "residential-entry", town.NAME, town.HEAT, again)
        page = _authorise(visitor, f"/c/sunny/{point.point}")
        assert page.text.count("Fever is the first sign") == 1

    def test_chinese_sentences_have_no_space_between_them(self, site, address):
        page = _authorise(Visitor(site, language="zh"), address)
        assert re.search("。[ ]+[一-鿿]", page.html) is None


class TestNotice:
    def test_four_lines_stand_before_anything_is_asked(self, visitor, address):
        page = read(visitor, address)
        assert page.status == 200
        for line in ("Who asks", "What for", "How long", "Who sees it"):
            assert line in page.text
        assert page.text.index("Who sees it") < page.text.index("The full notice")
        assert page.form().fields == []

    def test_the_full_notice_is_the_one_in_the_ledger(self, visitor, address, parts, gate):
        with parts.database.read() as tx:
            _, issued = issue.in_force(tx, "sunny", gate.point)
        assert issued.sha256 in read(visitor, address).text

    def test_the_mark_of_the_poster_is_shown(self, visitor, address, parts):
        mark = fingerprint(parts.notice_signer("sunny").verifier.public)
        assert mark in read(visitor, address).text
        right = read(visitor, f"{address}?k={mark.replace(' ', '')}")
        assert "pasted over" not in right.text

    def test_another_mark_warns_that_the_code_was_pasted_over(self, visitor, address):
        assert "pasted over" in read(visitor, f"{address}?k=aaaabbbbccccdddd").text

    def test_the_short_address_of_the_poster_leads_there(self, visitor, gate, address):
        answer = visitor.get(f"/p/{gate.point}?k=abcd")
        assert (answer.status_code, answer.headers["location"]) == (303, f"{address}?k=abcd")

    @pytest.mark.parametrize(("language", "tag"), [("zh", "zh-CN"), ("en", "en")])
    def test_the_page_says_its_language(self, site, address, language, tag):
        page = read(Visitor(site, language=language), address)
        assert f'<html lang="{tag}">' in page.html
        assert page.headers["content-language"] == tag

    def test_the_first_page_is_under_30_kb_with_its_style(self, visitor, address):
        page = visitor.get(address)
        css = visitor.get("/static/epilock.css")
        assert len(page.content) + len(css.content) < 30_000
        assert "<script" not in page.text

    def test_there_is_no_cookie(self, visitor, address):
        _fields(visitor, address)
        assert len(visitor.cookies) == 0

    def test_a_closed_point_says_so(self, visitor, address, parts, gate):
        town.close_point(parts, "sunny", gate.point)
        assert read(visitor, address).status == 410

    def test_below_its_level_nothing_is_asked(self, visitor, address, parts, clock):
        clock.forward(hours=1)
        town.level(parts, "N")
        page = read(visitor, address)
        assert "nothing is asked" in page.text
        assert page.forms == []

    def test_who_comes_while_it_is_issued_anew_is_told_before_they_begin(
        self, parts, visitor, address, clock
    ):
        clock.forward(minutes=1)
        with parts.database.write() as tx:
            emergencies.change_level(
                tx, parts.log, standard_ref=parts.standard.ref, authority="jinan",
                emergency="outbreak-7", level="III", issuer="济南市指挥部", instrument="No. 8",
                date_=clock().date(), expected_end=None, now=clock(),
            )  # fmt: skip
        page = read(visitor, f"{address}?lang=zh")
        assert page.status == 409
        assert "告知正在重新发布，请过一分钟再看" in page.text
        reissue.go_on(parts.database, parts.press, now=clock)
        assert read(visitor, address).status == 200


class TestAuthorisation:
    def test_no_box_is_ticked_beforehand(self, visitor, address):
        page = _authorise(visitor, address)
        assert page.status == 200
        assert len(page.form().boxes) >= 3
        assert "checked" not in page.html

    def test_a_box_that_is_needed_and_empty_is_named(self, visitor, address):
        page = _authorise(visitor, address)
        again = page.send(page.form(), step="fields")
        assert again.status == 422
        assert len(again.errors) == len(_needed(page))
        assert again.html.startswith("<!doctype html>")
        assert "<title>Error: " in again.html

    def test_what_was_ticked_stays_ticked(self, visitor, address):
        page = _authorise(visitor, address)
        one = _needed(page)[0]
        again = page.send(page.form(), one, step="fields")
        assert one in again.form().values

    def test_what_is_optional_is_asked_only_if_ticked(self, visitor, address, parts, clock):
        clock.forward(hours=1)
        town.level(parts, "I")
        page = _authorise(visitor, address)
        without = page.send(page.form(), *_needed(page), step="fields")
        assert "f.address" not in without.form().fields
        act = ("act", "optional:contact.address")
        with_it = page.send(page.form(), *_needed(page), act, step="fields")
        assert "f.address" in with_it.form().fields

    def test_refusing_stores_nothing_and_is_counted(self, visitor, address, parts):
        page = _authorise(visitor, address)
        refused = page.send(page.form(), step="refuse")
        assert "nothing was kept" in refused.text
        assert _stored(parts) == 0
        ((kinds),) = parts.tally.take().values()
        assert kinds == {"shown": 1, "refused": 1}
        assert set(kinds) <= set(tally.KINDS)


class TestFields:
    def test_each_field_says_why_it_is_asked(self, visitor, address):
        page = _fields(visitor, address)
        for field in ("name", "mobile", "temperature"):
            assert f'id="f-{field}-why"' in page.html
            assert f'aria-describedby="f-{field}-why' in page.html

    def test_the_keyboard_fits_the_field(self, visitor, address):
        page = _fields(visitor, address)
        assert re.search(r'id="f-mobile"[^>]*type="tel"[^>]*autocomplete="tel"', page.html)
        assert re.search(r'id="f-temperature"[^>]*inputmode="decimal"', page.html)

    def test_an_error_stands_beside_the_field_and_in_the_summary(self, visitor, address):
        page = _fields(visitor, address)
        wrong = page.send(page.form(), step="send", **{**TYPED, "f.mobile": "123"})
        assert wrong.status == 422
        assert wrong.errors == ["#f-mobile"]
        assert 'id="f-mobile-wrong"' in wrong.html

    def test_nothing_typed_is_lost_on_an_error(self, visitor, address):
        page = _fields(visitor, address)
        wrong = page.send(page.form(), step="send", **{**TYPED, "f.mobile": "123"})
        assert ("f.name", "张三") in wrong.form().values
        assert ("f.mobile", "123") in wrong.form().values

    def test_nothing_typed_is_lost_by_going_back(self, visitor, address):
        page = _fields(visitor, address)
        back = page.send(page.form(), step="authorise", **TYPED)
        notice = back.send(back.form(), *_needed(back), step="notice")
        forth = notice.send(notice.form(), step="authorise")
        page = forth.send(forth.form(), step="fields")
        assert ("f.mobile", MOBILE) in page.form().values

    def test_nothing_typed_is_lost_by_changing_the_language(self, visitor, address):
        page = _fields(visitor, address)
        other = page.send(page.form(), lang_to="zh", **TYPED)
        assert other.status == 200
        assert 'lang="zh-CN"' in other.html
        assert ("f.mobile", MOBILE) in other.form().values

    def test_markup_that_someone_types_stays_text(self, visitor, address):
        page = _fields(visitor, address)
        evil = '"><script>alert(1)</script>'
        wrong = page.send(page.form(), step="send", **{**TYPED, "f.mobile": evil})
        assert "<script>alert" not in wrong.html

    def test_of_a_choice_one_is_enough(self, visitor, parts):
        point = town.open_point(
            parts, "sunny", "sampling", town.NAME, town.ID_CARD, town.PASSPORT, town.MOBILE
        )
        page = _authorise(visitor, f"/c/sunny/{point.point}")
        none = page.send(page.form(), *_needed(page), step="fields")
        assert none.status == 422
        passport = ("act", "sensitive:identity.passport")
        page = page.send(page.form(), *_needed(page), passport, step="fields")
        assert "f.passport" in page.form().fields
        assert "f.id_card" not in page.form().fields
        typed = {"f.name": "张三", "f.mobile": MOBILE, "f.passport": "E12345678"}
        assert page.send(page.form(), step="send", **typed).status == 200


class TestShortForm:
    """A form of one field, such as a venue's: boxes and field are one page."""

    @pytest.fixture
    def venue(self, parts):
        town.mandate(parts, "sunny", "venue-check-in")
        point = town.open_point(parts, "sunny", "venue-check-in", town.MOBILE)
        return f"/c/sunny/{point.point}"

    def test_the_field_stands_below_the_boxes_and_one_button_sends(self, visitor, venue, parts):
        page = _authorise(visitor, venue)
        assert "Step 2 of 2" in page.text
        assert "f.mobile" in page.form().fields
        sent = page.send(page.form(), *_needed(page), step="send", **{"f.mobile": MOBILE})
        assert sent.status == 200
        assert _stored(parts) == 1

    def test_what_is_not_ticked_and_what_is_wrong_are_said_together(self, visitor, venue):
        page = _authorise(visitor, venue)
        wrong = page.send(page.form(), step="send", **{"f.mobile": "12"})
        assert wrong.status == 422
        assert wrong.errors == ["#act-0", "#f-mobile"]
        assert ("f.mobile", "12") in wrong.form().values
        assert wrong.headers["cache-control"] == "no-store"


class TestSharedComputer:
    """Who presses "back" afterwards, and has the browser send again what it remembers, sees nothing."""

    def test_no_step_of_a_form_that_was_sent_is_shown_again(self, visitor, address):
        page = _fields(visitor, address)
        wrong = {**TYPED, "f.mobile": "123"}
        page.send(page.form(), step="send", **wrong)
        page.send(page.form(), step="send", **TYPED)
        for step, typed in (
            ("fields", TYPED),
            ("authorise", TYPED),
            ("notice", TYPED),
            ("send", wrong),
        ):
            again = page.send(page.form(), step=step, **typed)
            assert again.status == 409
            assert not set(TYPED.values()) & {
                value for form in again.forms for _, value in form.values
            }
            assert "not shown here again" in again.text

    @pytest.mark.parametrize(("minutes", "status"), [(29, 200), (31, 409), (60 * 24, 409)])
    def test_the_receipt_is_shown_again_for_as_long_as_a_connection_is_bad(
        self, visitor, address, clock, minutes, status
    ):
        page = _fields(visitor, address)
        page.send(page.form(), step="send", **TYPED)
        clock.forward(minutes=minutes)
        assert page.send(page.form(), step="send", **TYPED).status == status

    def test_leaving_has_the_browser_forget(self, visitor):
        assert '"cache"' in visitor.get("/left").headers["clear-site-data"]


class TestSend:
    def test_a_receipt_in_groups_and_as_a_code(self, visitor, address, parts):
        page = _fields(visitor, address)
        receipt = page.send(page.form(), step="send", **TYPED)
        assert receipt.status == 200
        assert len(re.findall(r"<span>[0-9A-Z]{5}</span>", receipt.html)) == 6
        assert "data:image/png;base64," in receipt.html
        assert MOBILE not in receipt.html
        assert _stored(parts) == 1

    def test_sending_twice_stores_once_and_shows_the_same_receipt(self, visitor, address, parts):
        page = _fields(visitor, address)
        codes = {
            tuple(re.findall(r"<span>([0-9A-Z]{5})</span>", sent.html))
            for sent in (page.send(page.form(), step="send", **TYPED) for _ in range(2))
        }
        assert len(codes) == 1
        assert _stored(parts) == 1

    def test_the_same_form_with_other_answers_is_not_a_second_record(self, visitor, address, parts):
        page = _fields(visitor, address)
        page.send(page.form(), step="send", **TYPED)
        other = page.send(page.form(), step="send", **{**TYPED, "f.name": "李四"})
        assert other.status == 409
        assert "sent already" in other.text
        assert _stored(parts) == 1

    def test_a_form_under_an_older_notice_is_read_again_and_nothing_is_lost(
        self, visitor, address, parts, clock
    ):
        page = _fields(visitor, address)
        clock.forward(hours=1)
        town.level(parts, "I")
        again = page.send(page.form(), step="send", **TYPED)
        assert again.status == 409
        assert "read the notice again" in again.text
        assert ("f.mobile", MOBILE) in again.form().values
        assert not [v for n, v in again.form().values if n == "act"]
        assert _stored(parts) == 0

    def test_a_form_that_was_open_for_a_day_begins_with_the_notice(self, visitor, address, clock):
        page = _fields(visitor, address)
        clock.forward(hours=21)
        assert "read the notice again" in page.send(page.form(), step="send", **TYPED).text

    def test_a_form_that_was_not_begun_here_begins_with_the_notice(self, visitor, address, parts):
        page = _fields(visitor, address)
        made_up = page.send(page.form(), step="send", ticket="x.y.1.z", **TYPED)
        assert made_up.status == 409
        assert _stored(parts) == 0

    def test_what_was_typed_stands_in_no_address(self, visitor, address):
        page = _fields(visitor, address)
        receipt = page.send(page.form(), step="send", **TYPED)
        assert receipt.path == address
        assert all(MOBILE not in link for link, _ in receipt.links)
        assert receipt.headers["cache-control"] == "no-store"
