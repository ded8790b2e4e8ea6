"""Two versions compared: each answer that changes is named, and nothing else."""

import shutil

import pytest

from epilock.errors import InputError
from epilock.standard import load, load_named, versions
from epilock.standard.difference import Kind, difference
from epilock.standard.load import FOLDER, VERSION


@pytest.fixture
def changed(tmp_path):
    """Return a function that changes one text of a copy and compares it with the packaged standard."""
    folder = shutil.copytree(FOLDER / VERSION, tmp_path / "next")

    def compare(name, old, new):
        path = folder / f"{name}.toml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new, 1), "utf-8")
        return difference(load(), load(folder))

    return compare


def test_same():
    assert difference(load(), load()) == []


def test_a_comment_is_no_answer(changed):
    """Other bytes, another hash, the same answers."""
    assert changed("sources", "# Laws", "# The laws") == []


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("circumstances", 'ask.II = ["location.check-in"]', 'ask.II = ["location.check-in", "work.employer"]',
         (Kind.asked, "residential-entry", "work.employer", "refused", "from Level II")),
        ("circumstances", 'ask.II = ["location.check-in"]', 'ask.III = ["location.check-in"]',
         (Kind.asked, "residential-entry", "location.check-in", "from Level II", "from Level III")),
        ("circumstances", 'ask.III = ["contact.mobile"]\nask.II = ["health.test-result"]',
         'ask.II = ["health.test-result", "contact.mobile"]',
         (Kind.dropped, "workplace-entry", "contact.mobile", "from Level III", "from Level II")),
        ("circumstances", 'ask.I = ["location.travel-history"]', 'ask.I = ["[location.travel-history]"]',
         (Kind.changed, "workplace-entry", "location.travel-history", "from Level I", "from Level I, optional")),
        ("circumstances", "retention.standard = { days = 28, end", "retention.standard = { days = 29, end",
         (Kind.retention, "accommodation", "contact.mobile", "28 days from collection, then destroy",
          "29 days from collection, then destroy")),
        ("circumstances", "days_at = { II = 28, I = 28 }", "days_at = { II = 28, I = 60 }",
         (Kind.retention, "residential-entry", "contact.address at I", "28 days from collection, then destroy",
          "60 days from collection, then destroy")),
        ("circumstances", "ceiling_days = 2922", "ceiling_days = 3000",
         (Kind.retention, "vaccination", "contact.mobile",
          "1827 days from the vaccine's expiry (asked by law), then destroy (at the latest 2922 days from collection)",
          "1827 days from the vaccine's expiry (asked by law), then destroy (at the latest 3000 days from collection)")),
        ("circumstances", 'paper = "II"', 'paper = "III"',
         (Kind.collected, "circumstances", "residential-entry: methods",
          "qr-form = E, interview = E, paper = II", "qr-form = E, interview = E, paper = III")),
        ("purposes", 'forms = ["masked", "raw"]', 'forms = ["masked"]',
         (Kind.seen, "purposes", "personnel: forms", "masked, raw", "masked")),
        ("categories", "grade = 2", "grade = 3", (Kind.protected, "categories", "identity.name: grade", "2", "3")),
        ("scales", "facts = { records = 25 }", "facts = { records = 20 }",
         (Kind.protected, "alarms", "whereabouts: facts", "records = 25", "records = 20")),
        ("version", "end_days = 30", "end_days = 20", (Kind.retention, "version", "end_days", "30", "20")),
        ("sources", 'en = "PIPL art. 6"', 'en = "PIPL, art. 6"',
         (Kind.text, "sources", "PIPL-6: title", "PIPL art. 6", "PIPL, art. 6")),
    ],
)  # fmt: skip
def test_change(changed, name, old, new, expected):
    found = [(c.kind, c.where, c.what, c.before.en, c.after.en) for c in changed(name, old, new)]
    assert expected in found
    assert {f[0] for f in found} == {expected[0]}


def test_a_row_that_is_gone(changed):
    """A circumstance that goes takes its questions along."""
    path = FOLDER / VERSION / "circumstances.toml"
    text = path.read_text("utf-8")
    last = text[text.index("[relief-compensation]") :]
    found = changed("circumstances", last, "")
    assert {c.kind for c in found} == {Kind.row, Kind.dropped}
    assert {c.what for c in found if c.kind is Kind.row} == {"relief-compensation"}


def test_the_other_way_round(changed):
    """What was new one way is gone the other."""
    old = 'ask.II = ["location.check-in"]'
    (change,) = changed("circumstances", old, 'ask.II = ["location.check-in", "work.employer"]')
    assert (change.kind, change.before.zh, change.after.zh) == (Kind.asked, "不得收集", "二级起")


def test_named():
    """A shipped version is found by its name, anything else is a folder."""
    assert VERSION in versions()
    assert load_named(VERSION) is load()
    assert load_named(str(FOLDER / VERSION)).hash == load().hash
    with pytest.raises(
        InputError, match=r"neither a folder nor a shipped version; there are 2026\.1"
    ):
        load_named("1999.1")
