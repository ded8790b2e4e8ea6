"""With the receipt alone a person sees, corrects, withdraws and keeps proofs; without it nothing is found."""

import csv
import json
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from io import BytesIO

import pytest
import town
import zxingcpp
from PIL import Image
from pypdf import PdfReader
from sheet import Sheet, read
from staff_room import badge
from test_resident import MOBILE, TYPED, _authorise, _fields, _needed
from visitor import Visitor

from epilock.collect import code as codes
from epilock.collect import point as points
from epilock.collect import receipt_form
from epilock.destroy import hold as holds
from epilock.destroy import run
from epilock.ledger import entry
from epilock.ledger.audit import Auditor, StandardRules
from epilock.ledger.note import Verifier
from epilock.ledger.verify import verify
from epilock.registry import mandate as mandates
from epilock.store import vault

KEPT = re.compile(r"Kept until the end of [\w ]+\. Days left: \d+")


@pytest.fixture
def code(parts, visitor):
    """The receipt code of one record, given on consent."""
    point = town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT)
    return _give(visitor, point)


def _give(visitor, point) -> str:
    page = _fields(visitor, f"/c/sunny/{point.point}")
    receipt = page.send(page.form(), step="send", **TYPED)
    assert receipt.status == 200
    return "-".join(re.findall(r"<span>([0-9A-Z]{5})</span>", receipt.html))


def _look(visitor: Visitor, code: str) -> Sheet:
    page = read(visitor, "/r")
    return page.send(page.with_field("code"), code=code)


def _kinds(parts) -> list[str]:
    with parts.database.read() as tx:
        said = parts.log.entries(tx, 0, parts.log.size(tx))
    return [entry.kind(entry.decode(e)) for e in said]


def _audited(parts, now) -> list:
    """What a stranger finds who reads the whole log."""
    auditor = Auditor(StandardRules([parts.standard]))
    with parts.database.read() as tx:
        for index, said in enumerate(parts.log.entries(tx, 0, parts.log.size(tx))):
            auditor.read(index, entry.decode(said))
    return list(auditor.conclude(now).by_key)


class TestLooking:
    def test_days_and_rule_without_opening(self, visitor, code, parts):
        page = _look(visitor, code)
        assert page.status == 200
        assert "Kept until the end of 11 April 2026" in page.text
        assert "Days left: 29" in page.text
        assert "Nobody has opened it" in page.text
        assert MOBILE not in page.html
        assert "decision" not in _kinds(parts)

    def test_small_letters_and_no_hyphens_will_do(self, visitor, code):
        assert _look(visitor, code.lower().replace("-", "")).status == 200

    def test_a_slip_is_placed_in_its_group(self, visitor, code):
        wrong = ("A" if code[0] != "A" else "B") + code[1:]
        page = _look(visitor, wrong)
        assert page.status == 422
        assert "group 1" in page.text

    def test_a_code_of_no_record_is_no_code(self, visitor, code):
        """Whoever guesses learns nothing: a well-formed code is answered like a misread one."""
        other = codes.encode(3, bytes.fromhex("00000000000040008000000000000000"))
        assert _look(visitor, other).status == 422

    def test_a_guesser_waits(self, visitor):
        pages = [_look(visitor, "00000-00000-00000-00000-00000-00001") for _ in range(31)]
        assert pages[-1].status == 429

    def test_a_problem_is_told_in_the_language_that_was_chosen(self, site, visitor, code):
        page = _look(Visitor(site, language="zh"), code)
        form = {"code": code, "entry": "999999"}
        assert '<html lang="zh' in page.html
        for chosen in ({"lang": "en"}, {"lang": "zh", "lang_to": "en"}):
            answer = page.visitor.post("/r/proof", data={**form, **chosen})
            assert (answer.status_code, '<html lang="en' in answer.text) == (404, True)
        for nothing in ({}, {"lang": "xx"}):
            assert '<html lang="zh' in page.visitor.post("/r/proof", data={**form, **nothing}).text

    def test_the_code_stands_in_no_address(self, visitor, code):
        page = _look(visitor, code)
        assert page.path == "/r"
        assert all(code not in href for href, _ in page.links)
        assert page.headers["cache-control"] == "no-store"

    def test_every_page_of_a_receipt_is_forgotten_and_one_checks_a_proof(self, visitor, code):
        asking, shown = read(visitor, "/r"), _look(visitor, code)
        opened = shown.send(shown.to("/r/data"))
        for page in (asking, shown, opened):
            scripts = re.findall(r'<script src="/static/(\w+\.js)', page.html)
            assert scripts == [*(["verify.js", "check.js"] if page is shown else []), "receipt.js"]
            assert "script-src 'self'" in page.headers["content-security-policy"]
            assert page.headers["cache-control"] == "no-store"


class TestSeeing:
    def test_what_was_given_is_shown_and_that_is_written_down(self, visitor, code, parts):
        page = _look(visitor, code)
        shown = page.send(page.to("/r/data"))
        for value in ("张三", MOBILE, "36.5"):
            assert value in shown.text
        assert '<span lang="zh-CN">张三</span>' in shown.html
        assert _kinds(parts).count("decision") == 1
        assert "you" in _look(visitor, code).text

    def test_the_proof_verifies_offline(self, visitor, code, parts):
        answer = visitor.post("/r/proof", data={"code": code})
        key = Verifier.from_vkey(parts.log.signer.vkey)
        assert verify(answer.content, [key]).index >= 0
        assert "attachment" in answer.headers["content-disposition"]

    def test_the_line_on_the_page_verifies_without_this_program(
        self, visitor, code, parts, clock, tmp_path
    ):
        """Typed as it stands there, beside the files as they are named: while it is kept, and when it is gone."""
        (tmp_path / "epilock-verifier.py").write_bytes(visitor.get("/log/verifier.py").content)
        for destroyed in (False, True):
            if destroyed:
                clock.forward(days=40)
                run.run(parts.tools, now=clock())
            page = _look(visitor, code)
            for index in re.findall(r'name="entry" value="(\d+)"', page.html):
                proof = visitor.post("/r/proof", data={"code": code, "entry": index})
                (tmp_path / proof.headers["content-disposition"].split('"')[1]).write_bytes(
                    proof.content
                )
            line = shlex.split(
                re.search(r"<code>python (.*?)</code>", page.html)[1].replace("&#39;", "'")
            )
            ran = subprocess.run(
                [sys.executable, *line], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert ran.stdout.startswith("VERIFIED"), ran.stderr
            assert ("--destruction" in line) == destroyed

    def test_the_proof_fits_on_paper(self, visitor, code):
        """As a code with the whole proof in it; without scripts, like all of this."""
        page = _look(visitor, code)
        assert 'action="/r/code' in page.html
        answer = visitor.post("/r/code", data={"code": code})
        assert answer.status_code == 200
        assert "<svg" in answer.text
        assert "saved as a file, verifies" in answer.text

    def test_the_receipt_is_that_of_the_standard_and_holds_no_value(self, visitor, code, parts):
        answer = visitor.post("/r/receipt", data={"code": code})
        assert answer.status_code == 200
        assert receipt_form.parse(answer.content).code == code
        assert MOBILE not in answer.text
        assert json.loads(answer.text)["ledger"]["origin"] == parts.log.origin


class TestCorrecting:
    def test_the_old_answer_is_gone_and_the_code_stays(self, visitor, code, parts):
        page = _look(visitor, code)
        form = page.send(page.to("/r/correct"))
        assert ("f.name", "张三") in form.form().values
        done = form.send(form.to("/r/correct/send"), **{"f.name": "张三丰"})
        assert "Corrected" in done.text
        page = _look(visitor, code)
        assert "张三丰" in page.send(page.to("/r/data")).text
        kinds = _kinds(parts)
        assert kinds.count("correct") == 1
        assert kinds.count("erased") == 1

    def test_it_goes_on_its_day_and_was_given_when_it_was_given(self, visitor, code, parts, clock):
        """What the notice promised holds, also a week later and where the point has closed meanwhile."""
        before = _look(visitor, code)
        clock.forward(days=7)
        with parts.database.write() as tx:
            (point,) = tx.all(points.points)
            points.close_point(
                tx, parts.log, parts.standard, org=point["org"], point=point["point"],
                reason="finished", now=clock(),
            )  # fmt: skip
        waiting = KEPT.findall(_look(visitor, code).text)
        form = before.send(before.to("/r/correct"))
        form.send(form.to("/r/correct/send"), **{"f.name": "张三丰"})
        after = _look(visitor, code)
        assert KEPT.findall(after.text) == waiting != []
        given = re.search(r"\d+ March 2026[^<]*", before.html)[0]
        assert given in after.html
        assert "The old copy that was replaced is destroyed" in after.text
        assert "still kept" in after.text
        run.run(parts.tools, now=clock())
        assert _audited(parts, clock()) == []

    def test_what_is_sent_unchanged_stays_as_it_is(self, visitor, code, parts):
        page = _look(visitor, code)
        form = page.send(page.to("/r/correct"))
        done = form.send(form.to("/r/correct/send"))
        assert "This is what is stored" in done.text
        assert {"correct", "erased"}.isdisjoint(_kinds(parts))

    def test_pressed_twice_it_is_corrected_once_and_says_what_is_stored(self, visitor, code, parts):
        page = _look(visitor, code)
        form = page.send(page.to("/r/correct"))
        form.send(form.to("/r/correct/send"), **{"f.name": "张三丰"})
        again = form.send(form.to("/r/correct/send"), **{"f.name": "张三丰"})
        assert "This is what is stored" in again.text
        assert _kinds(parts).count("correct") == 1

    def test_of_several_at_once_none_is_lost_unseen(self, visitor, code, parts):
        """Another page of the same person had the record moved in between."""
        page = _look(visitor, code)
        form = page.send(page.to("/r/correct")).to("/r/correct/send")
        said = [{**dict(form.values), "f.name": name} for name in ("张三丰", "张三丰", "张无忌")]
        with ThreadPoolExecutor(3) as pool:
            found = list(pool.map(lambda data: visitor.post("/r/correct/send", data=data), said))
        statuses = {answer.status_code for answer in found}
        assert 200 in statuses
        assert statuses <= {200, 409}
        for answer in found:
            assert (answer.status_code == 409) == ("It was corrected elsewhere" in answer.text)
        page = _look(visitor, code)
        assert re.search("张三丰|张无忌", page.send(page.to("/r/data")).text)
        assert _audited(parts, parts.now()) == []

    def test_an_older_page_does_not_undo_a_newer_correction_unseen(self, visitor, code, parts):
        page = _look(visitor, code)
        first, second = (page.send(page.to("/r/correct")) for _ in range(2))
        done = first.send(first.to("/r/correct/send"), **{"f.name": "张三丰"})
        assert "Corrected" in done.text
        other = {"f.mobile": "13900001111"}
        told = second.send(second.to("/r/correct/send"), **other)
        assert told.status == 409
        assert "Name 张三丰" in told.text  # what is stored, beside what was typed
        form = told.to("/r/correct/send")
        assert {("f.name", "张三"), ("f.mobile", "13900001111")} <= set(form.values)
        assert "Corrected" in told.send(form, **{"f.name": "张三丰"}).text
        page = _look(visitor, code)
        data = page.send(page.to("/r/data")).text
        assert ("张三丰" in data, "13900001111" in data) == (True, True)

    def test_a_guardians_word_goes_with_the_child(self, visitor, parts):
        """Who turns out to be grown up is not a child with a guardian on any paper."""
        point = town.open_point(parts, "sunny", "quarantine", town.NAME, town.ID_CARD)
        page = _fields(visitor, f"/c/sunny/{point.point}")
        grown, child = "370102198001010015", "370102202001010014"
        done = page.send(page.form(), step="send", **{"f.name": "张三", "f.id_card": grown})
        code = "-".join(re.findall(r"<span>([0-9A-Z]{5})</span>", done.html))

        def correct(*acts, **typed):
            page = _look(visitor, code)
            page = page.send(page.to("/r/correct"))
            form = page.to("/r/correct/send")
            form.values = [(n, v) for n, v in form.values if n != "act"]
            return page.send(form, *acts, **typed)

        def is_guarded():
            return 'entity_id":"guardian' in visitor.post(
                "/r/receipt", data={"code": code}
            ).text.replace(" ", "")

        wrong = correct(**{"f.id_card": child})
        assert "this is a child under 14" in wrong.text
        assert "Corrected" in correct(("act", "guardian"), **{"f.id_card": child}).text
        assert is_guarded()
        page = _look(visitor, code)
        assert ("act", "guardian") in page.send(page.to("/r/correct")).to("/r/correct/send").values
        assert "Corrected" in correct(**{"f.id_card": grown}).text
        assert not is_guarded()

    def test_who_turns_out_to_be_a_child_needs_a_guardians_tick_and_loses_nothing(
        self, visitor, parts
    ):
        """PIPL 31."""
        point = town.open_point(parts, "sunny", "quarantine", town.NAME, town.ID_CARD)
        page = _fields(visitor, f"/c/sunny/{point.point}")
        done = page.send(
            page.form(), step="send", **{"f.name": "张三", "f.id_card": "370102198001010015"}
        )
        code = "-".join(re.findall(r"<span>([0-9A-Z]{5})</span>", done.html))
        page = _look(visitor, code)
        form = page.send(page.to("/r/correct"))
        wrong = form.send(
            form.to("/r/correct/send"), **{"f.id_card": "370102202001010014", "f.name": "小明"}
        )
        assert wrong.status == 422
        assert wrong.errors == ["#act-guardian"]
        again = wrong.to("/r/correct/send")
        assert ("f.name", "小明") in again.values
        assert "Corrected" in wrong.send(again, ("act", "guardian")).text

    def test_a_slip_is_said_beside_the_field_and_nothing_is_lost(self, visitor, code, parts):
        page = _look(visitor, code)
        form = page.send(page.to("/r/correct"))
        wrong = form.send(form.to("/r/correct/send"), **{"f.mobile": "12", "f.name": "李四"})
        assert wrong.status == 422
        assert wrong.errors == ["#f-mobile"]
        assert ("f.name", "李四") in wrong.to("/r/correct/send").values
        assert "correct" not in _kinds(parts)

    def test_what_is_kept_may_be_corrected_also_where_it_may_no_longer_be_asked(
        self, visitor, code, parts, clock
    ):
        """PIPL 46: as long as it is there, it should be right."""
        clock.forward(hours=1)
        town.level(parts, "N")
        page = _look(visitor, code)
        form = page.send(page.to("/r/correct"))
        assert "Corrected" in form.send(form.to("/r/correct/send"), **{"f.name": "张三丰"}).text
        assert _audited(parts, clock()) == []


class TestWithdrawing:
    def test_pressed_twice_it_is_withdrawn(self, visitor, code, parts):
        page = _look(visitor, code)
        sure = page.send(page.to("/r/withdraw"))
        done = [sure.send(sure.to("/r/withdraw")) for _ in range(2)]
        assert all("Withdrawn and destroyed" in page.text for page in done)
        assert _kinds(parts).count("erased") == 1

    def test_where_nothing_can_be_withdrawn_nothing_is_called_gone(self, visitor, parts):
        town.mandate(parts, "sunny", "residential-entry")
        point = town.open_point(
            parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT
        )
        code = _give(visitor, point)
        answer = visitor.post("/r/withdraw", data={"code": code, "sure": "1"})
        assert answer.status_code == 200
        assert "gone" not in answer.text
        assert "erased" not in _kinds(parts)

    def test_it_asks_once_then_destroys_at_once_with_proof(self, visitor, code, parts):
        page = _look(visitor, code)
        sure = page.send(page.to("/r/withdraw"))
        assert "destroyed at once" in sure.text
        with parts.database.read() as tx:
            assert tx.all(vault.records)[0]["state"] == "live"
        done = sure.send(sure.to("/r/withdraw"))
        assert "Withdrawn and destroyed" in done.text
        after = _look(visitor, code)
        assert "All of it is gone" in after.text
        index = after.value("entry")
        answer = visitor.post("/r/proof", data={"code": code, "entry": index})
        checked = verify(answer.content, [Verifier.from_vkey(parts.log.signer.vkey)])
        assert entry.kind(entry.decode(checked.entry)) == "erased"

    def test_twice_is_harmless(self, visitor, code):
        page = _look(visitor, code)
        sure = page.send(page.to("/r/withdraw"))
        sure.send(sure.to("/r/withdraw"))
        assert sure.send(sure.to("/r/withdraw")).status in {200, 410}

    def test_what_is_held_says_so_and_stays(self, visitor, code, parts):
        """A hold outlasts the period: its person is told the day on which it really goes, and why nothing goes now."""
        assert "Kept until the end of 11 April 2026" in _look(visitor, code).text
        town.assess(parts, "sunny", "hold")
        with parts.database.write() as tx:
            found = mandates.find_assessment(tx, "sunny", "hold", parts.now().date())
            holds.place(
                tx, parts.log, standard_ref=parts.standard.ref, org="sunny", bucket=1, assessment=found,
                reason="evidence", last_day=date(2026, 4, 20), by="s-1", now=parts.now(),
            )  # fmt: skip
        page = _look(visitor, code)
        assert "Kept until the end of 20 April 2026. Days left: 38" in page.text
        assert "By its period it would go after 11 April 2026" in page.text
        sure = page.send(page.to("/r/withdraw"))
        assert "until the end of 20 April 2026 at the latest" in sure.text
        assert visitor.post("/r/withdraw", data={"code": code, "sure": "1"}).status_code == 200
        assert "erased" not in _kinds(parts)

    def test_what_was_required_by_law_is_not_withdrawn(self, visitor, parts):
        town.mandate(parts, "sunny", "residential-entry")
        point = town.open_point(
            parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT
        )
        page = _look(visitor, _give(visitor, point))
        sure = page.send(page.to("/r/withdraw"))
        assert "asked by law" in sure.text
        assert "sure" not in dict(sure.form().values)


class TestAfterItsDay:
    def test_the_certificate_covers_it(self, visitor, code, parts, clock):
        clock.forward(days=40)
        run.run(parts.tools, now=clock())
        page = _look(visitor, code)
        assert "All of it is gone" in page.text
        indexes = re.findall(r'name="entry" value="(\d+)"', page.html)
        key = Verifier.from_vkey(parts.log.signer.vkey)
        kinds = []
        for index in indexes:
            answer = visitor.post("/r/proof", data={"code": code, "entry": index})
            kinds.append(entry.kind(entry.decode(verify(answer.content, [key]).entry)))
        assert set(kinds[:-1]) == {"certificate"}
        assert kinds[-1] == "collect"  # what it was begins the story that the verifier tells


class TestTakingAway:
    """PIPL 45: a copy of everything, for people and for programs."""

    def test_a_copy_for_programs_holds_what_was_given_and_who_opened_it(self, visitor, code, parts):
        answer = visitor.post("/r/copy", data={"code": code, "kind": "json"})
        copy = answer.json()
        assert {"name": "张三"} in copy["answers"].values()
        assert copy["held"]["kept"][0]["last_day"] == "2026-04-11"
        assert _kinds(parts).count("decision") == 1
        assert re.search(r'filename="my-data-\d+\.json"', answer.headers["content-disposition"])

    @pytest.mark.parametrize(
        ("language", "given", "opened"),
        [("zh", "您填的内容", "您本人 ·"), ("en", "What you gave", "you ·")],
    )
    def test_a_copy_to_print(self, visitor, code, language, given, opened):
        answer = visitor.post("/r/copy", data={"code": code, "kind": "pdf", "lang": language})
        text = "".join(page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages)
        for said in (given, opened, "张三", MOBILE, code, "2026"):
            assert said in text
        told = (
            "您同意时看到的原文（English）" in text
        )  # only where it is not the language of the copy
        assert told == (language == "zh")

    def test_of_what_is_partly_gone_the_rest_is_copied(self, visitor, parts, clock):
        town.mandate(parts, "sunny", "residential-entry")
        clock.forward(hours=1)
        town.level(parts, "I")
        point = town.open_point(
            parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT, town.ADDRESS
        )
        page = _authorise(visitor, f"/c/sunny/{point.point}")
        address = ("act", "optional:contact.address")
        page = page.send(page.form(), *_needed(page), address, step="fields")
        sent = page.send(page.form(), step="send", **TYPED, **{"f.address": "幸福路1号"})
        code = "-".join(re.findall(r"<span>([0-9A-Z]{5})</span>", sent.html))
        visitor.post("/r/withdraw", data={"code": code, "sure": "1"})
        copy = visitor.post("/r/copy", data={"code": code, "kind": "json"}).text
        assert "张三" in copy
        assert "幸福路" not in copy
        assert visitor.post("/r/copy", data={"code": code, "kind": "pdf"}).status_code == 200

    def test_any_other_kind_of_file_is_refused(self, visitor, code, parts):
        assert visitor.post("/r/copy", data={"code": code, "kind": "exe"}).status_code == 400
        assert "decision" not in _kinds(parts)

    def test_the_receipt_as_a_picture_is_read_by_a_phone(self, visitor, code):
        answer = visitor.post("/r/picture", data={"code": code})
        (found,) = zxingcpp.read_barcodes(Image.open(BytesIO(answer.content)))
        assert found.text == f"http://epilock.example/r#{code}"
        assert len(answer.content) < 30_000


class TestAsking:
    """An objection and a complaint, answered by whom they concern, read by receipt."""

    @pytest.fixture
    def required(self, parts, visitor):
        """The code of a record that was asked by law, so that it can't be withdrawn."""
        town.mandate(parts, "sunny", "residential-entry")
        return _give(
            visitor,
            town.open_point(parts, "sunny", "residential-entry", town.NAME, town.MOBILE, town.HEAT),
        )

    def ask(self, page, kind, ground):
        form = next(f for f in page.forms if ("kind", kind) in f.values)
        grounds = page.send(form)
        assert grounds.send(grounds.form()).status == 422  # none was chosen
        return grounds.send(grounds.form(), ("ground", ground))

    def answer(self, visitor, answer):
        page = read(visitor, "/console/received")
        form = next(f for f in page.forms if "answer" in f.fields)
        return page.send(form, ("sure", "yes"), answer=answer)

    def test_a_complaint_goes_above_the_organisation(self, visitor, site, parts, code):
        done = self.ask(_look(visitor, code), "complaint", "other-use")
        assert "29 March 2026" in done.text
        page = _look(visitor, code)
        assert "To be answered by 29 March 2026" in page.text
        assert not [f for f in page.forms if ("kind", "complaint") in f.values]
        office = badge(parts, site, "sunny", "office", "custodian", "supervisor")
        assert "Nobody waits" in read(office, "/console/received").text
        above = badge(parts, site, "jinan", "watch", "supervisor")
        assert "used for something else" in read(above, "/console/received").text
        assert "is answered" in self.answer(above, "put-right").text
        assert "it was put right" in _look(visitor, code).text
        assert _kinds(parts)[-1] == "request-closed"

    def test_an_objection_that_is_right_destroys_at_once(self, visitor, site, parts, required):
        self.ask(_look(visitor, required), "objection", "harms-me")
        office = badge(parts, site, "sunny", "office", "custodian")
        self.answer(office, "erased")
        page = _look(visitor, required)
        assert "All of it is gone" in page.text
        assert "Agreed: it is destroyed" in page.text

    def test_nothing_is_destroyed_by_an_answer_that_was_not_confirmed(
        self, visitor, site, parts, required
    ):
        self.ask(_look(visitor, required), "objection", "harms-me")
        office = badge(parts, site, "sunny", "office", "custodian")
        page = read(office, "/console/received")
        form = next(f for f in page.forms if "answer" in f.fields)
        unsure = page.send(form, answer="erased")
        assert (unsure.status, "tick the box first" in unsure.text) == (422, True)
        assert '<option value="erased" selected' in unsure.html
        assert "erased" not in _kinds(parts)
        done = page.send(form, ("sure", "yes"), answer="erased")
        assert "the record is destroyed" in done.text

    def test_the_same_answer_again_is_told_as_done(self, visitor, site, parts, required):
        self.ask(_look(visitor, required), "objection", "harms-me")
        office = badge(parts, site, "sunny", "office", "custodian")
        page = read(office, "/console/received")
        form = next(f for f in page.forms if "answer" in f.fields)
        for said in ("is answered", "nothing was done twice"):
            done = page.send(form, ("sure", "yes"), answer="erased")
            assert (done.path, said in done.text) == ("/console/received", True)
        other = page.send(form, answer="still-needed")
        assert (other.status, "with another answer" in other.text) == (409, True)
        assert _kinds(parts).count("request-closed") == 1

    def test_nothing_is_answered_before_an_answer_is_chosen(self, visitor, site, parts, required):
        """An answer is final and in the log: Enter must not give one."""
        self.ask(_look(visitor, required), "objection", "harms-me")
        office = badge(parts, site, "sunny", "office", "custodian")
        page = read(office, "/console/received")
        form = next(f for f in page.forms if "answer" in f.fields)
        again = page.send(form)
        assert (again.status, "Choose an answer first." in again.text) == (422, True)
        assert 'aria-invalid="true"' in again.html
        assert "request-closed" not in _kinds(parts)
        form = next(f for f in again.forms if "answer" in f.fields)
        assert "is answered" in again.send(form, answer="still-needed").text

    def test_a_last_day_is_the_day_in_china_wherever_it_is_said(
        self, visitor, site, parts, clock, required
    ):
        clock.instant = datetime(2026, 3, 14, 16, 25, 22, 650_991, UTC)  # the 15th in China
        done = self.ask(_look(visitor, required), "objection", "harms-me")
        assert "30 March 2026" in done.text
        assert "To be answered by 30 March 2026" in _look(visitor, required).text
        office = badge(parts, site, "sunny", "office", "custodian")
        assert "by 30 March 2026" in read(office, "/console/received").text
        assert "30 March 2026 00:25" in read(office, "/console").text
        (row,) = csv.DictReader(office.get("/console/received?export=csv").text.splitlines())
        assert row["asked"] == "2026-03-15T00:25:22+08:00"
        assert row["due"] == "2026-03-30T00:25:22+08:00"

    def test_it_stands_where_a_person_learns_that_nothing_can_be_withdrawn(self, visitor, required):
        page = _look(visitor, required)
        page = page.send(page.to("/r/withdraw"))
        assert "you cannot withdraw it yourself" in page.text
        self.ask(page, "objection", "harms-me")
        page = _look(visitor, required)
        page = page.send(page.to("/r/withdraw"))  # it is open already
        assert not [f for f in page.forms if ("kind", "objection") in f.values]

    def test_another_ground_from_an_older_page_is_not_said_to_be_taken(
        self, visitor, required, clock
    ):
        page = _look(visitor, required)
        self.ask(page, "objection", "harms-me")
        clock.forward(days=3)
        again = self.ask(page, "objection", "not-needed")
        assert "You asked before, for this reason: It harms me." in again.text
        assert "29 March 2026" in again.text  # of the first

    def test_what_can_be_withdrawn_needs_no_objection(self, visitor, code):
        page = _look(visitor, code)
        assert not [f for f in page.forms if ("kind", "objection") in f.values]

    def test_asking_twice_is_one_request(self, visitor, code, parts):
        for _ in range(2):
            data = {"code": code, "kind": "complaint", "ground": "leaked"}
            assert visitor.post("/r/ask", data=data).status_code == 200
        assert _kinds(parts).count("request") == 1
        assert visitor.post("/r/ask", data={**data, "kind": "praise"}).status_code == 400
