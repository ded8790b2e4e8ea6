"""What the standard says about one thing: complete, in both languages, and true to its answers."""

import pytest

from epilock.errors import InputError
from epilock.standard import load
from epilock.standard.level import LEVELS
from epilock.standard.sheet import tables
from epilock.standard.show import show

STANDARD = load()
CODES = sorted({code for rows in tables(STANDARD).values() for code in rows})


def values(sheet):
    """Return {English label: English values} of a sheet."""
    return {line.label.en: [v.en for v in line.values] for line in sheet.lines}


def rules():
    """Return every rule that an answer about asking, ways, media or retention names."""
    found = set()
    for where in STANDARD.circumstances.values():
        for level in LEVELS:
            found |= {STANDARD.ask(where.code, c, level).rule for c in STANDARD.categories}
            found |= {f"method/{where.code}/{m}" for m in STANDARD.methods}
            found |= {at[level].rule for at in where.retentions.values()}
        found |= {f"medium/{where.code}/{m}" for m in STANDARD.media}
        found |= {f"step-down/{where.code}/{a.level}" for a in where.allows.values()}
        for purpose in where.purposes:
            found.add(f"see/{where.code}/{purpose}/R3/raw")
    return sorted(found | {f"duty/{d}" for d in STANDARD.duties})


class TestEveryCode:
    """Whatever a table, an answer or a ledger entry names can be looked up."""

    @pytest.mark.parametrize("level", ["", "I", "N", "E"])
    def test_codes(self, level):
        """Every code at every kind of level: no line is empty in either language."""
        for code in CODES:
            for sheet in show(STANDARD, code, level):
                assert sheet.lines
                assert all(v.zh and v.en for line in sheet.lines for v in line.values), code
                assert all(line.label.zh and line.label.en for line in sheet.lines), code

    def test_rules(self):
        """Every rule that an answer names, with the sources it rests on."""
        for rule in rules():
            (sheet,) = show(STANDARD, rule)
            assert sheet.code == rule
            assert sheet.name.zh, rule
            assert values(sheet)["sources"], rule

    def test_two_things_of_one_name(self):
        """Paper is a method and a medium; health-code a circumstance and a purpose."""
        assert {s.kind for s in show(STANDARD, "paper")} == {"methods", "media"}
        assert {s.kind for s in show(STANDARD, "health-code")} == {"circumstances", "purposes"}


class TestCircumstance:
    """A data officer reads one sheet and knows the rules of a gate."""

    def test_all_of_it(self):
        (sheet,) = show(STANDARD, "residential-entry")
        found = values(sheet)
        assert found["from Level IV"][0] == "Name (identity.name): grade 2"
        assert "Full address (contact.address): grade 3, optional" in found["from Level I"]
        assert (
            "biometric.*: Face, Fingerprint, Voiceprint, Genetic information"
            in found["never, at any level"]
        )
        assert found["methods"][-1] == "Paper (paper): from Level II"
        assert (
            found["circulation"][-1]
            == "District health authority and command (R3): for Tracing only"
        )
        assert found["kept, retain/residential-entry/standard"] == [
            "Level I, Level II: 28 days from collection, then destroy",
            "Level III, Level IV, Normalised: 14 days from collection, then destroy",
        ]  # fmt: skip

    @pytest.mark.parametrize("level", LEVELS)
    @pytest.mark.parametrize("code", STANDARD.circumstances)
    def test_at_a_level(self, code, level):
        """What may be asked is what the compiled standard answers."""
        (sheet,) = (s for s in show(STANDARD, code, level) if s.kind == "circumstances")
        listed = values(sheet)[f"may be asked at {STANDARD.levels[level].name.en}"]
        allowed = {c for c in STANDARD.categories if STANDARD.ask(code, c, level).allowed}
        assert {x.rpartition(": ")[0].rpartition("(")[2].rstrip(")") for x in listed} - {
            ""
        } == allowed

    def test_periods_that_were_not_read(self):
        (sheet,) = show(STANDARD, "accommodation")
        (label,) = (x for x in values(sheet) if "statutory" in x)
        assert label.endswith("(period not read in its source)")


class TestCategory:
    def test_where_it_may_be_asked(self):
        found = values(show(STANDARD, "identity.resident-id")[0])
        assert (
            "Sampling (sampling): from Level IV; kept 30 days from collection, then anonymise"
            in found["may be asked"]
        )
        assert "School (school)" not in found["never, at any level"]
        assert "Residential entry (residential-entry)" in found["never, at any level"]
        assert found["grade"][0].startswith("4: never listed")

    def test_nowhere(self):
        assert values(show(STANDARD, "biometric.face")[0])["may be asked"] == ["nowhere"]


class TestUnknown:
    @pytest.mark.parametrize(
        ("code", "says"),
        [
            ("health.temprature", "did you mean health.temperature"),
            ("", "nothing called"),
            ("allow/school", "no rule"),
            ("allow/school/I/health.temperature", "no rule"),  # it is from IV on
            ("never/school/identity.name", "no rule"),
            ("retain/school", "no rule"),
            ("retain/school/standard/V", "no rule"),
            ("step-down/school/II", "no rule"),
            ("see/school/x", "no rule"),
            ("/", "no rule"),
        ],
    )
    def test_named(self, code, says):
        with pytest.raises(InputError, match=says):
            show(STANDARD, code)

    def test_level(self):
        with pytest.raises(InputError, match="no level 'V'"):
            show(STANDARD, "school", "V")
