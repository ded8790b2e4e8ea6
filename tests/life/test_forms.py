"""What is seen of a record, by whom, of how many at once: forms, ranges, second persons, searches."""

from datetime import timedelta

import pytest
from sampled import PERSON, Clinic

from epilock.errors import ForbiddenError, InputError
from epilock.ledger import entry
from epilock.use import grant, search

CODE = {
    "name": "identity.name", "id": "identity.resident-id", "mobile": "contact.mobile",
    "area": "contact.area", "status": "health.code-status",
}  # fmt: skip
HOLDER = {
    **{k: PERSON[k] for k in ("name", "id", "mobile")}, "area": "泉城路街道", "status": "green",
}  # fmt: skip
AGED_16 = "37010220100101001X"


@pytest.fixture
def doctor(clinic):
    return clinic.hire("cdc", "doctor", "analyst")


@pytest.fixture
def second(clinic):
    return clinic.hire("cdc", "second", "approver")


@pytest.fixture
def codes(town):
    return Clinic(town, "health-code", CODE)


def decide(town, who, leave, places, **change):
    asked = {
        "source": leave.source, "purpose": leave.purpose, "form": leave.form, "grant": leave.grant,
        **change,
    }  # fmt: skip
    with town.parts.database.write() as tx:
        return town.parts.gate.decide(tx, who, places=places, now=town.clock(), **asked)


def reveal(town, decided):
    with town.parts.database.read() as tx:
        return town.parts.gate.reveal(tx, decided)


class TestStatus:
    @pytest.fixture
    def leave(self, codes, doctor, second):
        return codes.leave(
            doctor, second, purpose="health-code", form="status", circumstances=("health-code",)
        )

    def test_a_verifier_sees_colour_masked_name_and_expiry_only(self, town, codes, doctor, leave):
        (place,) = codes.keep(HOLDER)
        decided = decide(town, doctor, leave, [place])
        assert reveal(town, decided) == [
            {
                "identity.name": {"name": "欧**"},
                "health.code-status": {"status": "green", "expires": "2026-04-12T00:00+08:00"},
            }
        ]

    def test_one_holder_at_a_time(self, town, codes, doctor, leave):
        places = codes.keep(HOLDER, HOLDER)
        assert decide(town, doctor, leave, places).rule == "one-subject/health-code"

    @pytest.mark.parametrize("form", ["raw", "masked", "aggregate"])
    def test_the_purpose_has_no_other_form(self, codes, doctor, second, form):
        with pytest.raises(Exception, match="no leave for health-code"):
            codes.leave(
                doctor, second, purpose="health-code", form=form, circumstances=("health-code",)
            )

    def test_no_other_purpose_has_this_form(self, codes, doctor, second):
        with pytest.raises(Exception, match="no leave for tracing"):
            codes.leave(
                doctor, second, purpose="tracing", form="status", case="C-1",
                circumstances=("health-code",),
            )  # fmt: skip


class TestGrade4:
    def trace(self, clinic, doctor, second, **change):
        asked = {"purpose": "tracing", "form": "raw", "case": "C-1", "subjects": 100, **change}
        return clinic.leave(doctor, second, **asked)

    def test_one_by_one_it_is_shown(self, town, clinic, doctor, second):
        (place,) = clinic.take("negative")
        (shown,) = reveal(town, decide(town, doctor, self.trace(clinic, doctor, second), [place]))
        assert shown["identity.resident-id"] == {"id": PERSON["id"]}

    def test_it_is_never_listed(self, town, clinic, doctor, second):
        places = clinic.take("negative", "positive")
        shown = reveal(town, decide(town, doctor, self.trace(clinic, doctor, second), places))
        assert [s["identity.resident-id"]["id"] for s in shown] == ["3****************3"] * 2
        assert [s["health.test-result"]["result"] for s in shown] == ["negative", "positive"]


class TestSecondPerson:
    """A grant without one can't be made; were one made past the program, it would open no more than this."""

    @pytest.fixture
    def alone(self, town, clinic, doctor, second):
        leave = clinic.leave(
            doctor, second, purpose="tracing", form="masked", case="C-1", subjects=1000
        )
        with town.parts.database.write() as tx:
            tx.update(grant.grants, {"org": "cdc", "grant": leave.grant}, approved_by=None)
        return leave

    def test_ten_of_grade_4_are_enough_for_one(self, town, clinic, doctor, alone):
        assert decide(town, doctor, alone, clinic.take(*["negative"] * 10)).verdict == "opened"

    def test_eleven_need_two(self, town, clinic, doctor, alone):
        decided = decide(town, doctor, alone, clinic.take(*["negative"] * 11))
        assert decided.rule == "two-persons/grade-4"

    def test_a_minor_needs_two(self, town, clinic, doctor, alone):
        places = clinic.take("negative", id=AGED_16)
        assert decide(town, doctor, alone, places).rule == "two-persons/minor"

    @pytest.mark.parametrize(("count", "verdict"), [(24, "opened"), (25, "refused")])
    def test_whereabouts_of_twenty_five_need_two(self, town, doctor, second, count, verdict):
        """JI-2017-5 begins at 50; the standard halves it."""
        gates = Clinic(town, "venue-check-in", {"in": "location.check-in"})
        leave = gates.leave(
            doctor, second, purpose="tracing", form="masked", case="C-1", subjects=1000,
            circumstances=("venue-check-in",),
        )  # fmt: skip
        places = gates.keep(*[{"in": "西门"}] * count)
        with town.parts.database.write() as tx:
            tx.update(grant.grants, {"org": "cdc", "grant": leave.grant}, approved_by=None)
        decided = decide(town, doctor, leave, places)
        assert decided.verdict == verdict
        if verdict == "refused":
            assert decided.rule == "two-persons/alarm/whereabouts"


class TestRange:
    def test_a_health_authority_traces_by_what_it_collected_itself(self, clinic, doctor, second):
        leave = clinic.leave(
            doctor, second, source="cdc", purpose="tracing", form="masked", case="C-1",
            circumstances=("epi-investigation",),
        )  # fmt: skip
        assert leave.stage == grant.ACTIVE

    @pytest.mark.parametrize("purpose", ["tracing", "treatment", "inspection"])
    def test_a_purpose_names_what_it_rests_on(self, clinic, doctor, second, purpose):
        with pytest.raises(InputError, match="the number of the case, order or relation"):
            clinic.leave(doctor, second, purpose=purpose, form="raw")


class TestSearch:
    @pytest.fixture
    def leave(self, clinic, doctor, second):
        return clinic.leave(
            doctor, second, purpose="tracing", form="masked", case="C-1", subjects=1
        )

    def find(self, town, who, leave, **change):
        asked = {
            "source": "garden", "emergency": "flu", "category": "contact.mobile",
            "value": PERSON["mobile"], "grant": leave.grant, **change,
        }  # fmt: skip
        with town.parts.database.write() as tx:
            _, found = search.search(town.parts.gate, tx, who, now=town.clock(), **asked)
        return found

    def test_it_reaches_no_further_than_the_grant(self, town, clinic, doctor, leave):
        """The same telephone stands in the gate's book too, which the grant does not name."""
        town.store()
        (place,) = clinic.take("negative")
        (found,) = self.find(town, doctor, leave)
        assert (found.bucket.id, found.record.n, found.role) == (*place, "subject")

    def test_it_is_an_entry_without_what_was_searched(self, town, clinic, doctor, leave):
        clinic.take("negative")
        self.find(town, doctor, leave)
        with town.parts.database.read() as tx:
            log = town.parts.log
            data = log.entry(tx, log.size(tx) - 1)
        said = entry.decode(data)
        assert (said.by, said.grant, said.found) == (doctor.staff, leave.grant, 1)
        assert PERSON["mobile"].encode() not in data

    def test_a_grant_for_one_person_allows_three(self, town, doctor, leave):
        for _ in range(3):
            assert self.find(town, doctor, leave) == []
        with pytest.raises(ForbiddenError, match="used up"):
            self.find(town, doctor, leave)

    def test_a_grant_to_count_finds_nobody(self, town, clinic, doctor, second):
        with pytest.raises(ForbiddenError, match="opens no record"):
            self.find(town, doctor, clinic.leave(doctor, second))

    def test_nor_does_another_persons_or_one_that_ended(self, town, clinic, doctor, leave):
        with pytest.raises(ForbiddenError, match="of one's own"):
            self.find(town, clinic.hire("cdc", "other", "analyst"), leave)
        town.clock.forward(days=21)
        with pytest.raises(ForbiddenError, match="of one's own"):
            self.find(town, doctor, leave)
        assert leave.until < town.clock() + timedelta(days=1)
