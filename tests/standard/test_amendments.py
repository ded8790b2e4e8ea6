"""What the review of the legal sources changed, letter by letter, seen in the answers of the standard.

E, K and M to Q bind other rooms too; here stands what of them is data. K is wholly the notice's
(``tests/collect/test_notice``).
"""

from datetime import UTC, date, datetime, timedelta

import pytest

from epilock.errors import InputError
from epilock.standard import load
from epilock.standard.clock import due
from epilock.standard.level import LEVELS, History, LevelChange, midnight, severity

STANDARD = load()
NEW = ("evacuation-shelter", "casualties-missing", "relief-compensation")


def says(row, *words):
    """Return whether both languages of a row are there and the English names every one of ``words``."""
    return bool(row.says.zh) and all(word in row.says.en for word in words)


class TestA:
    """Three scales, never mixed; N and E are ours."""

    def test_scales(self):
        assert set(STANDARD.levels) == set(LEVELS) == {"I", "II", "III", "IV", "N", "E"}
        assert list(STANDARD.event_grades) == ["extraordinary", "major", "large", "ordinary"]
        assert list(STANDARD.warning_colours) == ["red", "orange", "yellow", "blue"]

    def test_no_colour_is_a_level(self):
        for other in (*STANDARD.warning_colours, *STANDARD.event_grades):
            with pytest.raises(InputError):
                severity(other)
            assert not STANDARD.ask("residential-entry", "identity.name", other).allowed

    def test_ours(self):
        assert {"OURS"} == set(STANDARD.levels["N"].source)
        assert STANDARD.levels["I"].source == ("ERL-71", "ERL-72")


class TestB:
    """30 days are our ceiling; at the end all that no law keeps is gone by day 30."""

    def test_end(self):
        assert STANDARD.end_days == 30
        assert STANDARD.levels["E"].facts == {"finish_days": 30}
        assert says(STANDARD.duties["hold"], "evidence", "assessment", "only stored")

    @pytest.mark.parametrize("code", STANDARD.circumstances)
    def test_nothing_outlives_it(self, code):
        """The due date of every part that no law keeps is at most 30 days after the end."""
        day, end = date(2026, 3, 2), date(2026, 3, 3)
        history = History((LevelChange(midnight(day), "I"), LevelChange(midnight(end), "E")))
        for part in STANDARD.parts(code):
            at = due(STANDARD, circumstance=code, part=part.name, day=day, clock="collection", history=history)  # fmt: skip
            kept = STANDARD.retention(code, part.name, "I")
            limit = midnight(end + timedelta(days=30)).astimezone(UTC)
            assert kept.statutory or (at.at or datetime.max.replace(tzinfo=UTC)) <= limit

    def test_nothing_is_asked_after_it(self):
        assert not [
            (w, c) for w in STANDARD.circumstances for c in STANDARD.categories
            if STANDARD.ask(w, c, "E").allowed
        ]  # fmt: skip


def test_c_a_retention_ends_in_destruction_or_anonymity():
    """C: de-identified is still personal information (PIPL 73)."""
    ends = {
        at[level].end
        for where in STANDARD.circumstances.values()
        for at in where.retentions.values()
        for level in LEVELS
    }
    assert ends == {"destroy", "anonymise"}
    assert says(STANDARD.duties["deidentified"], "still personal information")


def test_d_emergency_means_another_thing_in_other_types():
    """D: public health, or an urgent need for life, health or property; staff by 13(2)."""
    types = STANDARD.types
    assert says(types["public-health"], "public-health emergency")
    for code in ("natural-disaster", "accident", "social-security"):
        assert says(types[code], "urgent need", "life, health or property")
    assert {"PIPL-13.1", "PIPL-13.2"} <= set(STANDARD.circumstances["staffing"].source)


def test_e_law_and_emergency_name_their_order():
    """E: without a mandate a point works on consent only."""
    assert says(STANDARD.duties["mandate"], "names its order", "consent only")
    bases = {b for where in STANDARD.circumstances.values() for b in where.basis}
    assert bases == {"consent", "law", "emergency", "guardian"}


def test_f_not_everyone_of_an_area():
    """F: below level II residents show, and nothing is kept; the notice says so in this note."""
    note = STANDARD.circumstances["residential-entry"].note
    assert "below level II residents show, and nothing is kept" in note.en
    assert "不记录" in note.zh
    assert not any(STANDARD.ask("residential-entry", c, "N").allowed for c in STANDARD.categories)


class TestG:
    """Data of a response serves that response alone."""

    @pytest.mark.parametrize("purpose", ["governance", "deployment-control", "research"])
    def test_other_ends_see_nobody(self, purpose):
        found = STANDARD.purposes[purpose]
        assert set(found.forms) <= {"aggregate", "deidentified"}

    def test_policing(self):
        """An end that is not listed is refused, with rule and source."""
        verdict = STANDARD.see("health-code", "identity.name", purpose="policing", range="R5", form="raw")  # fmt: skip
        assert not verdict.allowed
        assert verdict.rule.startswith("not-listed/")
        assert says(STANDARD.duties["response-only"], "that response alone")


def test_h_an_automated_decision_is_explained_and_reviewed():
    """H: the colour of a code: reason, a person within 24 hours, correction, assessment before."""
    duty = STANDARD.duties["automated-decision"]
    assert duty.facts == {"review_hours": 24}
    assert says(duty, "explained", "reviewed by a person", "corrected", "assessed before")
    assert "PIPL-24" in STANDARD.circumstances["health-code"].source


def test_i_minors_of_14_to_17_are_minors():
    """I: a category of their own; approval, audit, guardian told, refusal in writing."""
    assert STANDARD.categories["identity.minor-14-17"].grade == 3
    duty = STANDARD.duties["minors"]
    assert duty.facts == {"under": 18, "guardian_under": 14}
    assert says(duty, "approved and logged", "yearly audit", "guardian", "in writing")


def test_j_a_school_rests_on_law_for_what_is_ordered():
    """J: the rest on the guardian's consent; the guardian is told in both."""
    school = STANDARD.circumstances["school"]
    assert school.basis == ("guardian", "law")
    assert "the guardian is told in both" in school.note.en
    assert {"PHERL-20", "PIPL-31"} <= set(school.source)


def test_l_separate_consent_only_where_consent_is_the_basis():
    """L: for R6 and others."""
    assert says(STANDARD.ranges["R6"], "separate consent where consent is the basis")


def test_m_records_are_kept_three_years_and_logs_six_months():
    """M: assessments, providing and entrusting; network logs."""
    assert STANDARD.duties["assessment"].facts["years"] == 3
    assert STANDARD.duties["providing-record"].facts == {"years": 3}
    assert STANDARD.duties["logs"].facts == {"months": 6}


def test_n_an_assessment_comes_first():
    """N: also before entrusting, providing, publishing and automated decisions."""
    duty = STANDARD.duties["assessment"]
    assert says(duty, "entrusting", "providing", "publishing", "automated decision")
    assert duty.facts["grade"] == 3


def test_o_an_incident_has_its_own_clock():
    """O: 1 M persons or large: 4, 2 or 1 hours by operator; report in 30 days."""
    duty = STANDARD.duties["incident"]
    assert duty.facts == {"persons": 1_000_000, "hours": 4, "report_days": 30}
    assert says(duty, "central organs 2 h", "critical infrastructure 1 h")


def test_p_it_stays_in_mainland_china():
    """P: a transfer abroad is refused; no range reaches abroad."""
    assert says(STANDARD.duties["in-china"], "any transfer abroad is refused")
    verdict = STANDARD.see("arrival", "identity.name", purpose="tracing", range="abroad", form="raw")  # fmt: skip
    assert not verdict.allowed


def test_q_audit_and_officer_by_number():
    """Q: 10 M, 1 M, below 100,000; not read in full, so marked."""
    duty = STANDARD.duties["audit"]
    assert duty.facts == {"persons": 10_000_000, "officer_persons": 1_000_000, "simplified_below": 100_000}  # fmt: skip
    assert not duty.verified


class TestR:
    """Alarms by count: the crime's numbers, halved for duty and service."""

    def test_numbers(self):
        assert {k: a.facts["records"] for k, a in STANDARD.alarms.items()} == {
            "whereabouts": 25, "health": 250, "other": 2_500,
        }  # fmt: skip

    @pytest.mark.parametrize("category", STANDARD.categories.values(), ids=lambda c: c.code)
    def test_kinds(self, category):
        """Whereabouts, content and property weigh most; then health, accommodation, transactions."""
        family = category.code.partition(".")[0]
        by_code = {
            "location.accommodation": "health", "finance.payment": "health",
            "finance.bank-account": "whereabouts", "online.content": "whereabouts",
            "online.address-book": "health", "need.special-care": "health", "casualty.status": "health",
        }  # fmt: skip
        by_family = {"location": "whereabouts", "tracing": "whereabouts", "health": "health"}
        expected = by_code.get(category.code) or by_family.get(family, "other")
        assert category.alarm == expected


def test_s_penalties_as_they_are():
    """S: the 1 M fine only on refusal to correct; four further laws."""
    duty = STANDARD.duties["penalties"]
    assert says(duty, "1 M on refusal to correct")
    assert {"ERL-99", "IDPL-110", "PSPL-56", "CL-253-1"} <= set(duty.source)


class TestT:
    """The medical record is the hospital's; here lies the copy for the response, which ends with it."""

    @pytest.mark.parametrize("code", ["fever-clinic", "telemedicine"])
    def test_copy(self, code):
        kept = STANDARD.circumstances[code].retentions["standard"]["I"]
        assert (kept.days, kept.statutory) == (None, False)
        assert "copy for the response" in STANDARD.circumstances[code].note.en
        assert says(STANDARD.duties["medical-copy"], "the one never shortens the other")

    def test_diagnosis(self):
        assert STANDARD.ask("telemedicine", "health.diagnosis", "N").allowed


def test_u_a_vaccination_record_is_kept_at_least_five_years():
    """U: after the vaccine's expiry; the emergency's end does not shorten it."""
    kept = STANDARD.circumstances["vaccination"].retentions["standard"]["I"]
    assert (kept.days or 0) >= 5 * 365 + 2
    assert (kept.starts, kept.statutory, kept.source) == ("vaccine-expiry", True, ("VAL-46", "PIPL-13.3"))  # fmt: skip
    assert says(
        STANDARD.duties["vaccination-record"], "package's id", "expiry", "staff", "at least"
    )


class TestV:
    """Sensitive: the newer standard as a source, ours where stricter."""

    def test_sources(self):
        sensitive = [c for c in STANDARD.categories.values() if c.sensitive]
        other = {"identity.minor-under-14", "biometric.face", "biometric.gene"}
        assert {c.code for c in sensitive if "GBT-45574" not in c.source} == other
        assert all("PIPL-28" in c.source for c in sensitive)

    @pytest.mark.parametrize(
        ("code", "grade"),
        [("identity.resident-id", 4), ("identity.case-id", 3), ("tracing.exposure", 3), ("health.isolation", 3)],
    )  # fmt: skip
    def test_marks(self, code, grade):
        category = STANDARD.categories[code]
        assert (category.grade, category.sensitive) == (grade, True)


def test_w_a_release_has_k_20_and_states_its_level():
    """W: 20 matches public release; levels 1 to 4."""
    duty = STANDARD.duties["deidentified"]
    assert duty.facts == {"k": 20, "levels": 4}
    assert says(duty, "at least 20", "states its level")


def test_x_customs_receive_arrivals():
    """X: as R5; controls of an area need the higher government's decision."""
    arrival = STANDARD.circumstances["arrival"]
    assert "R5" in arrival.ranges
    assert {"FHQL-6", "IDPL-66"} <= set(arrival.source)
    assert says(STANDARD.ranges["R5"], "customs")
    assert "decision of the higher government" in arrival.note.en


class TestY:
    """Circumstances for the other three types of emergency."""

    @pytest.mark.parametrize("code", NEW)
    def test_listed(self, code):
        where = STANDARD.circumstances[code]
        assert {s.partition("-")[0] for s in where.source} & {"ERL"}
        assert STANDARD.ask(code, "identity.name", "I").allowed
        assert not STANDARD.ask(code, "biometric.gene", "I").allowed

    def test_special_care(self):
        assert STANDARD.ask("evacuation-shelter", "need.special-care", "IV").optional
        assert STANDARD.ask("relief-compensation", "need.special-care", "N").optional


def test_z_it_is_never_sold():
    """Z: a rule of its own."""
    assert STANDARD.duties["never-sold"].source == ("PIPL-10", "ERL-84", "CL-253-1")
    assert says(STANDARD.duties["never-sold"], "trade")
