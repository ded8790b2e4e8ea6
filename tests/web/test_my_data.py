"""With the receipt alone a person sees, corrects, withdraws and keeps proofs; without it nothing is found."""

import json
import re

import pytest
import town
from sheet import Sheet, read
from test_resident import MOBILE, TYPED, _fields
from visitor import Visitor

from epilock.collect import code as codes
from epilock.collect import receipt_form
from epilock.destroy import run
from epilock.ledger import entry
from epilock.ledger.note import Verifier
from epilock.ledger.verify import verify
from epilock.store import vault


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

    def test_the_code_stands_in_no_address(self, visitor, code):
        page = _look(visitor, code)
        assert page.path == "/r"
        assert all(code not in href for href, _ in page.links)
        assert page.headers["cache-control"] == "no-store"

    def test_scripts_run_only_where_a_code_is_filled_in_or_a_proof_checked(self, visitor, code):
        asking = read(visitor, "/r")
        shown = _look(visitor, code)
        assert re.findall(r"/static/(\w+\.js)", asking.html) == ["receipt.js"]
        assert re.findall(r"/static/(\w+\.js)", shown.html) == ["verify.js", "check.js"]
        for page in (asking, shown):
            assert "script-src 'self'" in page.headers["content-security-policy"]
        opened = shown.send(shown.to("/r/data"))
        assert "script-src" not in opened.headers["content-security-policy"]


class TestSeeing:
    def test_what_was_given_is_shown_and_that_is_written_down(self, visitor, code, parts):
        page = _look(visitor, code)
        shown = page.send(page.to("/r/data"))
        for value in ("张三", MOBILE, "36.5"):
            assert value in shown.text
        assert _kinds(parts).count("decision") == 1
        assert "you" in _look(visitor, code).text

    def test_the_proof_verifies_offline(self, visitor, code, parts):
        answer = visitor.post("/r/proof", data={"code": code})
        key = Verifier.from_vkey(parts.log.signer.vkey)
        assert verify(answer.content, [key]).index >= 0
        assert "attachment" in answer.headers["content-disposition"]

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

    def test_a_slip_is_said_beside_the_field_and_nothing_is_lost(self, visitor, code, parts):
        page = _look(visitor, code)
        form = page.send(page.to("/r/correct"))
        wrong = form.send(form.to("/r/correct/send"), **{"f.mobile": "12", "f.name": "李四"})
        assert wrong.status == 422
        assert wrong.errors == ["#f-mobile"]
        assert ("f.name", "李四") in wrong.to("/r/correct/send").values
        assert "correct" not in _kinds(parts)

    def test_what_may_no_longer_be_asked_is_not_stored_anew(self, visitor, code, parts, clock):
        clock.forward(hours=1)
        town.level(parts, "N")
        page = _look(visitor, code)
        refused = page.send(page.to("/r/correct"))
        assert refused.status == 403
        assert "level/residential-entry" in refused.text


class TestWithdrawing:
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
        for index in indexes:
            answer = visitor.post("/r/proof", data={"code": code, "entry": index})
            said = entry.decode(verify(answer.content, [key]).entry)
            assert entry.kind(said) == "certificate"
        assert indexes
