"""Checked in the browser itself: the script agrees with the other verifiers, and the pages that use it work."""

import json
import re
import tempfile
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect
from test_chromium import CHROMIUM, SIZES, _page, _walk, stage

from epilock import verifier
from epilock.destroy import run as runs
from epilock.verifier import alone
from verifier.asked import package
from verifier.asked import stranger as alone_says
from verifier.bent import bent
from verifier.table import VECTORS, Case, cases
from verifier.test_stories import BUCKETS, FIRST, LOG, PARTS, certified, encoded, proofs

__all__ = ["stage"]  # fixture
CASES = cases()
IN_BROWSERS = [
    case for case in CASES if case.step == case.browser
]  # whose outcome needs no ML-DSA-44
MANY = settings(max_examples=150)
KEY = (VECTORS / "vkeys.txt").read_text().split("\n")[0]
in_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="Chromium is not installed")
CHECK = """
async (cases) => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const all = [];
  for (const { files, proofs, leaf, ...given } of cases) {
    for (const [name, data] of Object.entries(files)) given[name] = bytes(data);
    if (proofs) given.proofs = proofs.map(bytes);
    if (leaf) given.leafHash = bytes(leaf);
    const said = await epilock.check(given);
    all.push([said.ok, said.step ?? null, said.error ?? null]);
  }
  return all;
}
"""


def sent(case):
    leaf = bytes.fromhex(case.leaf_hash) if case.leaf_hash else None
    return {
        "files": {part: b64encode(data).decode() for part, data in case.files.items()},
        "keys": case.keys,
        "leaf": None if leaf is None else b64encode(leaf).decode(),
        "proofs": None if case.proofs is None else [b64encode(p).decode() for p in case.proofs],
    }


@pytest.fixture(scope="module")
def page(stage, chromium):
    _, base, _ = stage
    page, watch = _page(chromium, base, SIZES[1], scripts=True)
    page.goto(f"{base}/log/check")
    yield page
    assert (watch.complaints, watch.strangers) == ([], [])
    page.context.close()


def marks(page: Page) -> list[str | None]:
    return [each.get_attribute("data-mark") for each in page.locator("[data-step]").all()]


@in_chromium
class TestScript:
    def test_it_gives_the_answers_of_the_other_verifiers(self, page):
        said = page.evaluate(CHECK, [sent(case) for case in CASES])
        differ = [
            (case.name, answer)
            for case, answer in zip(CASES, said, strict=True)
            if (answer[0], answer[1]) != (case.browser is None, case.browser)
        ]
        assert differ == []

    def test_any_changed_octet_of_a_proof(self, page):
        """Each octet in turn, its lowest bit: it fails, or means the same."""
        proof = (VECTORS / "ct8-leaf5.tlog-proof").read_bytes()
        end = proof.index(b"\xe2\x80\x94 witness")  # beyond are signatures of unknown keys
        changed = [proof[:at] + bytes([proof[at] ^ 1]) + proof[at + 1 :] for at in range(end)]
        entry = b64encode(bytes.fromhex("40414243")).decode()
        given = [
            {"files": {"file": b64encode(each).decode(), "entry": entry}, "keys": [KEY]}
            for each in changed
        ]
        assert {answer[0] for answer in page.evaluate(CHECK, given)} == {False}

    def test_its_errors_have_the_names_of_the_others(self, page):
        said = page.evaluate(CHECK, [sent(case) for case in CASES if case.browser])
        known = {name: error for name, error, _ in alone.STEPS.values()}
        assert {known.get(step, known[""]) for _, step, _ in said} == {e for _, _, e in said}


@in_chromium
class TestBent:
    """Three verifiers that were written apart give one answer also to what nobody wrote down in a table."""

    @MANY
    @given(st.data())
    def test_a_case_of_which_one_file_is_bent(self, page, data):
        case = data.draw(st.sampled_from(IN_BROWSERS))
        places = [*case.files, *range(len(case.proofs or ())), *(["key"] if case.keys else [])]
        place = data.draw(st.sampled_from(places))
        if place == "key":
            text = data.draw(bent(case.keys[0].encode())).decode(errors="replace")
            case = replace(case, keys=[*case.keys[1:], text])
        elif isinstance(place, int):
            others = list(case.proofs)
            others[place] = data.draw(bent(others[place]))
            case = replace(case, proofs=others)
        else:
            case = replace(case, files=case.files | {place: data.draw(bent(case.files[place]))})
        assert len({*three(page, case)}) == 1

    def test_what_is_long_or_deep_is_no_fault_of_a_verifier(self, page):
        """A policy of a megabyte whose groups stand in each other, and a proof that carries a large entry."""
        policy = (CASES[3].files["policy"]).decode().replace("quorum ed\n", "group g0 any ed\n")
        many = 1_000_000 // len("group g12345 any g12344\n")
        policy += "".join(f"group g{n + 1} any g{n}\n" for n in range(many)) + f"quorum g{many}\n"
        assert {
            *three(page, replace(CASES[3], files=CASES[3].files | {"policy": policy.encode()}))
        } == {(True, None)}
        large = proofs([bytes(700_000)])
        case = Case(
            name="large", step=None, browser=None, files={"file": next(large)}, keys=[LOG.vkey],
            leaf_hash=None,
        )  # fmt: skip
        assert {*three(page, case)} == {(True, None)}

    @MANY
    @given(st.data())
    def test_entries_that_a_log_would_never_write(self, page, data):
        """Of the two that stand alone; the program knows each type's every field and may be stricter."""
        end = certified("sunny", BUCKETS[0], PARTS, (0, 2), complete=True)
        good = [encoded(FIRST), encoded(end)]
        which = data.draw(st.integers(0, 1))
        story = list(good)
        story[which] = data.draw(bent(good[which]) | st.builds(more, st.just(good[which]), FIELDS))
        receipt, proof = proofs(story)
        case = Case(
            name="bent", step=None, browser=None, files={"file": receipt}, keys=[LOG.vkey],
            leaf_hash=None, proofs=[proof],
        )  # fmt: skip
        program, file, script = three(page, case)
        assert file == script
        assert file == program or not program[0]


FIELDS = st.tuples(
    st.sampled_from(["index", "n", "first", "last", "type", "at", "bucket", "x", "parts", "complete", "__proto__", "constructor"]),
    st.sampled_from(
        ["0", "1", "-1", "1.0", "0.5", "1e3", "-0", "1e400", "NaN", "9007199254740991", "9007199254740992",
         "1152921504606846976", "9223372036854775808", '"\\ud800"', '"collect"', '"toString"', "[]", "{}", "null",
         "true", '["2-IV",5]', '{"b":1,"a":2}', '"\\u00e9"', '"é"', "[[[[]]]]", '"2-IV"']
    ),
)  # fmt: skip


def more(data: bytes, change: tuple[str, str]) -> bytes:
    """An entry with one field added or replaced, in canonical order, its value spelled as given."""
    name, value = change
    fields = {
        k: json.dumps(v, ensure_ascii=False, separators=(",", ":"))
        for k, v in json.loads(data).items()
    }
    fields[name] = value
    return ("{" + ",".join(f'"{k}":{fields[k]}' for k in sorted(fields)) + "}").encode()


def three(page: Page, case: Case) -> list[tuple[bool, str | None]]:
    """Whether all holds, and else at which step: for the program, the file that stands alone, the script."""
    with tempfile.TemporaryDirectory() as folder:
        said = [ask(case, Path(folder))[1] for ask in (package, alone_says)]
    script = page.evaluate(CHECK, [sent(case)])[0]
    return [*((each["ok"], each.get("step")) for each in said), (script[0], script[1])]


@in_chromium
class TestPage:
    def test_a_receipt_is_chosen_and_checked(self, page, tmp_path):
        page.reload()
        entry = tmp_path / "entry"
        entry.write_bytes(bytes.fromhex("40414243"))
        page.get_by_role("button", name="Check").click()
        page.get_by_role("status").get_by_text(
            "Please choose the receipt or proof first."
        ).wait_for()
        expect(page.locator("#check-file")).to_be_focused()
        page.get_by_label("Receipt or proof").set_input_files(VECTORS / "ct8-leaf5.tlog-proof")
        page.get_by_label("Key of the log").fill(KEY)
        page.get_by_label("The entry").set_input_files(entry)
        expect(page.get_by_role("status")).to_have_count(
            1
        )  # there before it speaks, or nobody hears it
        page.get_by_role("button", name="Check").click()
        page.get_by_role("status").get_by_text("Everything holds.").wait_for()
        page.get_by_text(re.compile("entry 5 · entries in all: ")).wait_for()
        assert marks(page) == ["done"] * 7
        entry.write_bytes(b"another")
        page.get_by_label("The entry").set_input_files(entry)
        page.get_by_role("button", name="Check").click()
        page.get_by_text("It does not hold.").wait_for()
        assert marks(page) == ["done"] * 6 + ["failed"]

    def test_what_can_not_be_checked_is_no_forgery(self, page):
        page.reload()
        proof = (VECTORS / "ct8-leaf5.tlog-proof").read_bytes()
        for content, key, said in (
            (b'{"receipt": "x"}', KEY, "This is the receipt as JSON"),
            (bytes(1 << 21), KEY, "too large to be a receipt"),
            (proof, "", "The key of the log is missing"),
            (proof, KEY.replace("+", "+0", 1), "The key was copied wrong"),
            (proof, f"{KEY[:-4]}AAA=", "The key was copied wrong"),
            (proof, KEY[:-7], "The key was copied wrong"),
            (b"\x89PNG\r\n\x1a\n", KEY, "a picture, a PDF or another file"),
            (b"%PDF-1.7 plain", KEY, "a picture, a PDF or another file"),
        ):
            chosen = {"name": "chosen", "mimeType": "text/plain", "buffer": content}
            page.get_by_label("Receipt or proof").set_input_files(chosen)
            page.get_by_label("Key of the log").fill(key)
            page.get_by_role("button", name="Check").click()
            page.get_by_role("status").get_by_text(said).wait_for()
            assert page.get_by_text("It does not hold.").count() == 0

    @pytest.mark.parametrize("damage", ["!" * 44, "A" * 42 + "B="])
    def test_a_proof_that_is_damaged_is_not_laid_to_its_key(self, page, damage):
        """What is no base64 in the file is a slip of the file, whatever a key's slip is called."""
        page.reload()
        lines = (VECTORS / "ct8-leaf5.tlog-proof").read_text().split("\n")
        place = next(n for n, line in enumerate(lines) if len(line) == 44 and line.endswith("="))
        lines[place] = damage[:44]
        broken = {"name": "p", "mimeType": "text/plain", "buffer": "\n".join(lines).encode()}
        page.get_by_label("Receipt or proof").set_input_files(broken)
        page.get_by_label("Key of the log").fill(KEY)
        page.get_by_role("button", name="Check").click()
        page.get_by_role("status").get_by_text("It does not hold.").wait_for()
        expect(page.get_by_text("The key was copied wrong")).to_have_count(0)

    def test_a_browser_that_cannot_read_the_verifier_is_told_so(self, stage, chromium):
        _, base, _ = stage
        page, _ = _page(chromium, base, SIZES[1], scripts=True)
        page.route(
            "**/verify.js*",
            lambda route: route.fulfill(body="what is this", content_type="text/javascript"),
        )
        page.goto(f"{base}/log/entry/1")
        page.get_by_role("status").get_by_text("This browser is too old").wait_for()
        page.context.close()

    def test_without_scripts_there_is_still_the_file_to_take_home(self, stage, chromium):
        _, base, _ = stage
        page, watch = _page(chromium, base, SIZES[0], scripts=False)
        page.goto(f"{base}/log/check")
        expect(page.locator("#check")).to_be_hidden()
        with page.expect_download() as file:
            page.get_by_role("link", name="Download the verifier").click()
        assert file.value.suggested_filename == verifier.NAME
        assert file.value.path().read_bytes() == verifier.source()
        assert (watch.complaints, watch.strangers) == ([], [])
        page.context.close()


@in_chromium
class TestReceipt:
    def test_it_is_checked_where_it_is_shown_and_again_when_it_is_gone(self, stage, chromium):
        parts, base, point = stage
        page, watch = _page(chromium, base, SIZES[0], scripts=True)
        code = "-".join(re.findall(r"[0-9A-Z]{5}", _walk(page, f"{base}/c/sunny/{point}")))
        self.look(page, base, code)
        page.get_by_text("Everything holds.").wait_for()
        assert marks(page) == ["done"] * 7
        assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[0][0]
        runs.run(parts.tools, now=parts.now.forward(days=60))
        self.look(page, base, code)
        page.get_by_text("All of it is gone").wait_for()
        page.get_by_text("Everything holds.").wait_for()
        assert (watch.complaints, watch.strangers) == ([], [])
        page.context.close()

    def look(self, page, base, code):
        page.goto("about:blank")  # else only the part behind "#" would change
        page.goto(f"{base}/r#{code}")
