"""What the standard answers: allowed or refused, each time with rule, source and what would do instead."""

import re
from itertools import product

import pytest

from epilock.standard import load
from epilock.standard.level import LEVELS, severity
from epilock.standard.model import FORMS

STANDARD = load()
EVERY = [
    (where.code, category, level)
    for where in STANDARD.circumstances.values()
    for category in STANDARD.categories
    for level in LEVELS
]


class TestAsk:
    def test_every_answer_names_a_rule_and_a_known_source(self):
        for place in EVERY:
            verdict = STANDARD.ask(*place)
            assert verdict.rule
            assert verdict.source
            assert set(verdict.source) <= set(STANDARD.sources)
            assert verdict.allowed or (verdict.advice.zh and verdict.advice.en)

    def test_a_higher_level_never_takes_leave_away(self):
        """Upward, categories are added; only the end refuses all."""
        for circumstance, category, level in EVERY:
            if level != "E" and STANDARD.ask(circumstance, category, level).allowed:
                for higher in LEVELS[severity(level) :]:
                    assert STANDARD.ask(circumstance, category, higher).allowed

    def test_nothing_is_asked_after_the_end(self):
        assert not any(STANDARD.ask(c, x, "E").allowed for c, x, level in EVERY if level == "E")

    @pytest.mark.parametrize(
        ("circumstance", "category", "level", "rule"),
        [
            (
                "residential-entry",
                "identity.resident-id",
                "I",
                "never/residential-entry/identity.resident-id",
            ),
            ("residential-entry", "biometric.face", "I", "never/residential-entry/biometric.*"),
            (
                "residential-entry",
                "contact.address",
                "II",
                "level/residential-entry/contact.address/I",
            ),
            ("residential-entry", "identity.name", "N", "level/residential-entry/identity.name/IV"),
            (
                "residential-entry",
                "health.diagnosis",
                "I",
                "not-listed/residential-entry/health.diagnosis",
            ),
            ("venue-check-in", "identity.age-band", "I", "never/venue-check-in/identity.*"),
            ("school", "health.symptoms", "E", "ended/school"),
            ("no-such", "identity.name", "I", "not-listed/no-such/identity.name/I"),
        ],
    )
    def test_a_refusal_names_its_rule(self, circumstance, category, level, rule):
        verdict = STANDARD.ask(circumstance, category, level)
        assert (verdict.allowed, verdict.rule) == (False, rule)

    def test_a_refusal_by_level_says_from_when_on(self):
        advice = STANDARD.ask("residential-entry", "contact.address", "II").advice
        assert advice.en.startswith("It may be asked from Level I on.")
        assert advice.zh.startswith("一级起可以收集。")

    def test_a_stricter_form_may_stand_in(self):
        """Whoever may ask for an address may ask for the street only."""
        verdict = STANDARD.ask("supplies", "contact.area", "III")
        assert verdict.allowed
        assert verdict.rule == "stand-in/supplies/III/contact.area"

    def test_a_bracket_is_optional(self):
        assert STANDARD.ask("residential-entry", "contact.address", "I").optional
        assert not STANDARD.ask("residential-entry", "identity.name", "I").optional

    def test_paper_only_at_the_highest_levels(self):
        """Residential entry goes on paper at II and I only."""
        allowed = [
            level
            for level in LEVELS
            if STANDARD.ask("residential-entry", "identity.name", level, method="paper").allowed
        ]
        assert allowed == ["II", "I"]

    def test_a_medium_that_is_not_listed_is_refused(self):
        assert not STANDARD.ask("arrival", "identity.name", "I", medium="paper").allowed


class TestKeep:
    def test_grade_4_never_lies_with_a_third_party(self):
        for where in STANDARD.circumstances.values():
            for category in where.allows:
                if STANDARD.categories[category].grade == 4:
                    assert not STANDARD.keep(where.code, category, "third-party").allowed

    def test_the_laboratory_gets_sample_and_result_only(self):
        kept = [
            c
            for c in STANDARD.circumstances["sampling"].allows
            if STANDARD.keep("sampling", c, "third-party").allowed
        ]
        assert sorted(kept) == ["health.sample-id", "health.test-result"]


class TestSee:
    def test_the_venue_itself_sees_nothing_of_a_visit(self):
        verdict = STANDARD.see(
            "venue-check-in", "contact.mobile", purpose="tracing", range="R1", form="raw"
        )
        assert not verdict.allowed
        assert verdict.rule.startswith("range/")

    def test_the_district_sees_a_gate_register_for_tracing_only(self):
        see = {"range": "R3", "form": "raw"}
        assert STANDARD.see("residential-entry", "identity.name", purpose="tracing", **see).allowed
        verdict = STANDARD.see("residential-entry", "identity.name", purpose="treatment", **see)
        assert not verdict.allowed

    def test_a_refusal_says_who_may_by_name(self):
        """Nobody needs to know which range R3 is."""
        verdict = STANDARD.see(
            "venue-check-in", "contact.mobile", purpose="tracing", range="R1", form="raw"
        )
        authority = STANDARD.ranges["R3"].name
        assert verdict.advice.en == f"For this purpose only: {authority.en}."
        assert verdict.advice.zh == f"此目的限于：{authority.zh}。"

    def test_no_refusal_speaks_in_codes(self):
        """Neither ranges and purposes nor forms, methods and media."""
        codes = re.compile(r"\bR[1-7]\b|qr-form|own-system|third-party|deidentified|pseudonymous")
        for where in STANDARD.circumstances.values():
            category = next(iter(where.allows))
            asked = [
                STANDARD.see(where.code, category, purpose=p, range=r, form=f)
                for p, r, f in product(STANDARD.purposes, STANDARD.ranges, FORMS)
            ]
            asked += [STANDARD.keep(where.code, category, m) for m in STANDARD.media]
            asked += [
                STANDARD.ask(where.code, category, x, method=m)
                for x, m in product(LEVELS, STANDARD.methods)
            ]
            assert not [v for v in asked if codes.search(v.advice.en + v.advice.zh)]

    def test_a_health_code_serves_no_other_end(self):
        verdict = STANDARD.see(
            "health-code",
            "health.code-status",
            purpose="governance",
            range="R4",
            form="deidentified",
        )
        assert verdict.rule == "purpose/health-code/governance"

    def test_the_person_sees_their_own_everywhere(self):
        for where in STANDARD.circumstances.values():
            for category in where.allows:
                assert STANDARD.see(
                    where.code, category, purpose="subject-access", range="R1", form="raw"
                ).allowed


class TestParts:
    def test_each_listed_category_lies_in_exactly_one_part(self):
        for where in STANDARD.circumstances.values():
            found = [c for part in STANDARD.parts(where.code) for c in part.categories]
            assert sorted(found) == sorted(where.allows)

    def test_a_part_holds_one_grade_level_and_retention(self):
        for where in STANDARD.circumstances.values():
            for part in STANDARD.parts(where.code):
                for category in part.categories:
                    assert STANDARD.categories[category].grade == part.grade
                    assert where.allows[category].level == part.level
                    assert where.allows[category].retention == part.retention


class TestContent:
    def test_all_of_the_draft_is_there(self):
        """18 circumstances and the three of change Y, 11 purposes, 7 ranges, 5 media, 6 levels."""
        assert len(STANDARD.circumstances) == 21
        assert len(STANDARD.purposes) == 11
        assert len(STANDARD.ranges) == 7
        assert len(STANDARD.media) == 5
        assert set(STANDARD.levels) == {"N", "IV", "III", "II", "I", "E"}
        assert len(STANDARD.grades) == 4

    def test_three_scales_are_kept_apart(self):
        assert not set(STANDARD.levels) & (
            set(STANDARD.event_grades) | set(STANDARD.warning_colours)
        )

    def test_every_retention_ends_in_destruction_or_anonymity(self):
        ends = {
            r.end
            for where in STANDARD.circumstances.values()
            for by_level in where.retentions.values()
            for r in by_level.values()
        }
        assert ends == {"destroy", "anonymise"}
