"""Masked: so much is shown that a short list can be told apart, and never the whole of what is sensitive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.standard import load
from epilock.use.mask import MASKS, mask

STANDARD = load()
SENSITIVE = [c.code for c in STANDARD.categories.values() if c.grade >= 3]


@pytest.mark.parametrize(
    ("category", "value", "shown"),
    [
        ("identity.name", "张三丰", "张**"),
        ("identity.name", "张", "**"),
        ("contact.mobile", "13812348000", "138****8000"),
        ("contact.mobile", "12345", "***"),
        ("contact.address", "济南市历下区泉城路180号2单元301室", "济南市历下区泉城路***"),
        ("contact.address", "八一路十二号", "八一路***"),
        ("contact.address", "泉城路", "***"),
        ("contact.email", "zhang.san@example.com", "z***@example.com"),
        ("contact.email", "z@example.com", "***"),
        ("identity.resident-id", "370102199003070913", "3****************3"),
        ("identity.passport", "E1234", "***"),
        ("identity.birth-date", "1990-03-07", "1990-03-**"),
        ("contact.emergency-contact", "李四 13912345678", "李**"),
        ("location.plate", "鲁A12345", "***45"),
        ("health.test-result", "positive", "***"),
        ("contact.area", "泉城路街道", "泉城路街道"),
        ("identity.name", "", ""),
    ],
)
def test_each_category_has_its_form(category, value, shown):
    assert mask(STANDARD, category, value) == shown


def test_every_category_has_a_mask_that_is_known():
    assert {c.mask for c in STANDARD.categories.values()} <= MASKS.keys()


def test_nothing_sensitive_is_plain():
    assert [c for c in SENSITIVE if STANDARD.categories[c].mask == "plain"] == []


@given(st.sampled_from(SENSITIVE), st.text("张1号a@- *", min_size=1, max_size=20))
def test_what_is_sensitive_is_never_shown_whole(category, value):
    assert mask(STANDARD, category, value) != value or set(value) <= {"*"}
