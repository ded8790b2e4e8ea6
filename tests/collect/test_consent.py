"""What the acts of authorisation promise: one each, none bundled, none made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_point import COURIER, SAMPLING_POINT, SUPPLIES_POINT, made

from epilock.collect.consent import Acts, check
from epilock.errors import ConsentError
from epilock.standard import load

STANDARD = load()


def acts(**changes: object) -> Acts:
    return made(STANDARD, **changes).authorisation()


class TestOnEmergencyWithAMandate:
    def test_purposes_and_sensitive_are_acknowledged(self):
        """Nobody is made to believe that they had a choice (PIPL 13(4))."""
        asked = acts()
        told = [a for a in asked.items if not a.consent]

        assert {a.kind for a in told} == {"purpose", "sensitive"}
        assert all(a.required for a in told)
        assert all("知悉" in a.text.zh and "同意" not in a.text.zh for a in told)

    def test_optional_stays_free(self):
        """What is optional is consent on every basis, and refusing it blocks nothing."""
        asked = acts()

        assert "optional:contact.address" in asked.ids
        assert "optional:contact.address" not in asked.required
        asked.check(asked.required)

    def test_third_parties_need_no_act(self):
        """The notice names them; separate consent is asked where consent is the basis (PIPL 23)."""
        lawful = acts(**(SUPPLIES_POINT | {"basis": "emergency"}))

        assert not [a for a in lawful.items if a.kind == "third-party"]


class TestOnConsent:
    def test_one_act_for_each(self):
        """Purposes, third parties and each optional category by themselves."""
        asked = acts(**SUPPLIES_POINT)

        assert all(a.consent for a in asked.items)
        assert f"third-party:{COURIER.id}" in asked.required
        assert "optional:health.medication" in asked.ids
        assert len(set(asked.ids)) == len(asked.ids)

    def test_only_the_first_purpose_is_required(self):
        """Whoever wants the goods need not agree to what else is done with the list."""
        asked = acts(**SUPPLIES_POINT)
        purposes = [a for a in asked.items if a.kind == "purpose"]

        assert [a.required for a in purposes] == [True] + [False] * (len(purposes) - 1)

    def test_guardian(self):
        """Below 14 the guardian acts: required where the basis says so, else when the form finds out."""
        assert "guardian" in acts(basis="guardian", mandate=None).required
        assert "guardian" in acts().ids
        assert "guardian" not in acts().required


class TestRights:
    @pytest.mark.parametrize("circumstance", sorted(STANDARD.circumstances))
    def test_supervision_asks_for_no_leave(self, circumstance):
        """Inspection and own access rest on law; a box for them would be a lie."""
        asked = acts(circumstance=circumstance, fields=())

        assert not {"purpose:inspection", "purpose:subject-access"} & set(asked.ids)
        assert any(a.kind == "purpose" for a in asked.items)


class TestChoiceOfOne:
    def test_only_the_one_given_needs_its_act(self):
        """Resident ID or passport: nobody ticks for a document that they don't show."""
        asked = acts(**SAMPLING_POINT)

        assert (
            not {"sensitive:identity.resident-id", "sensitive:identity.passport"} & asked.required
        )
        asked.check(asked.required | {"sensitive:identity.passport"}, ["identity.passport"])
        with pytest.raises(ConsentError) as caught:
            asked.check(asked.required | {"sensitive:identity.passport"}, ["identity.resident-id"])
        assert caught.value.missing == ("sensitive:identity.resident-id",)


class TestCheck:
    def test_names_what_is_missing_in_the_order_of_the_page(self):
        asked = acts()
        with pytest.raises(ConsentError) as caught:
            asked.check([])

        assert caught.value.missing == tuple(a for a in asked.ids if a in asked.required)

    @given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
    def test_all_or_an_error(self, required, given_acts):
        """Nothing is missing, or exactly what is missing is named."""
        missing = required - given_acts
        if not missing:
            check(frozenset(required), given_acts)
            return
        with pytest.raises(ConsentError) as caught:
            check(frozenset(required), given_acts)
        assert set(caught.value.missing) == missing
