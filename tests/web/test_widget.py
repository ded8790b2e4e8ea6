"""Each category brings up a keyboard that fits, and a computer that many share offers no one's data."""

from datetime import date

import pytest

from epilock.collect.identifier import CHECKS, CHOICES
from epilock.collect.point import Field
from epilock.standard.text import Text
from epilock.web import widget


def asked(category, *, words=False):
    return Field(id="a", category=category, label=Text("甲", "a"), optional=False, words=words)


class TestOf:
    @pytest.mark.parametrize("category", sorted(CHECKS))
    def test_every_category_can_be_asked(self, category):
        found = widget.of(asked(category), "qr-form")
        assert found.kind in {"input", "area", "radios", "select"}
        assert found.most <= 2000

    @pytest.mark.parametrize("category", sorted(CHOICES))
    def test_a_closed_list_is_chosen_from_and_its_codes_are_accepted(self, category):

        found = widget.of(asked(category), "qr-form")
        assert found.kind in {"radios", "select"}
        check = CHECKS[category]
        assert [check(code, today=date(2026, 3, 14)) for code, _ in found.choices] == [
            code for code, _ in found.choices
        ]

    def test_what_is_answered_in_words_has_no_list(self):
        found = widget.of(asked("health.test-result", words=True), "interview")
        assert (found.kind, found.choices, found.most) == ("input", (), 300)

    def test_age_bands_that_are_offered_are_accepted(self):

        check = CHECKS["identity.age-band"]
        for code, _ in widget.of(asked("identity.age-band"), "qr-form").choices:
            assert check(code, today=date(2026, 3, 14)) == code

    def test_staff_who_fill_in_for_others_are_offered_nothing(self):
        assert widget.of(asked("contact.mobile"), "qr-form").autocomplete == "tel"
        assert all(widget.of(asked(c), "interview").autocomplete == "off" for c in CHECKS)
