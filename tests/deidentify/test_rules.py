"""A rule makes a hierarchy of whatever it fits, and says where it does not, never what stood there."""

from datetime import date

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from epilock.deidentify.declared import made
from epilock.deidentify.rules.address import Address
from epilock.deidentify.rules.area_code import AreaCode
from epilock.deidentify.rules.day import UNITS, Day
from epilock.deidentify.rules.kinds import KINDS
from epilock.deidentify.rules.number import Age, Coding, Interval, Rounding
from epilock.deidentify.rules.order import Order
from epilock.deidentify.rules.prefix import Phone, Postcode, Prefix
from epilock.deidentify.rules.rule import UnfitError, hierarchy_of
from epilock.errors import InputError

whole = st.integers(-10_000, 10_000)
decimals = st.decimals(-1000, 1000, places=2).map(str)
digits = st.text("0123456789", min_size=1, max_size=4)


@st.composite
def widths(draw):
    """Widths that each are a multiple of the one before."""
    found = [draw(st.integers(1, 20))]
    for factor in draw(st.lists(st.integers(2, 5), max_size=3)):
        found.append(found[-1] * factor)
    return tuple(found)


@st.composite
def nested(draw):
    """Bounds of which each level's are among those of the level before."""
    levels = [sorted(draw(st.sets(whole, min_size=2, max_size=8)))]
    for _ in range(draw(st.integers(0, 2))):
        levels.append(sorted(draw(st.sets(st.sampled_from(levels[-1]), min_size=1))))
    return tuple(map(tuple, levels))


def levels_of(units):
    return st.sets(st.sampled_from(units), min_size=1).map(
        lambda chosen: tuple(unit for unit in units if unit in chosen)
    )


dates = st.dates(date(1890, 1, 1), date(2100, 1, 1))
PLACES = [
    ["", "山东省", "北京市", "新疆维吾尔自治区", "广东"],
    ["", "济南市", "海南藏族自治州", "吉林市", "锡林郭勒盟"],
    ["", "历下区", "市中区", "共和县", "津市市", "浦东新区"],
    ["", "泉城路街道", "虎门镇", "某乡"],
    ["", "经十路1号", "xx小区 3栋"],
]
RULES = [
    (st.builds(lambda w: Interval(widths=w), widths()), whole.map(str)),
    (st.builds(lambda w, o: Interval(widths=w, origin=o, lowest=-50, highest=77), widths(), whole), whole.map(str)),
    (st.builds(lambda b: Interval(bounds=b), nested()), whole.map(str)),
    (st.just(Interval(widths=(0.5, 1, 5), numbers="decimal")), decimals),
    (st.just(Coding(lowest=(-100, -50), highest=(900, 40))), decimals),
    (st.builds(lambda to: Rounding(to=tuple(sorted(to))), st.sets(st.integers(1, 500), min_size=1, max_size=4)), decimals),
    (st.just(Rounding(to=(0.3, 0.7, 5))), decimals),
    (st.builds(lambda w: Age(bands=w), widths()), st.integers(0, 150).map(str) | st.sampled_from(["39岁", "7个月", "3 years"])),
    (
        st.builds(Day, levels_of(UNITS)),
        dates.map(str) | dates.map(lambda d: f"{d.year}年{d.month}月{d.day}日")
        | dates.map(lambda d: f"{d:%Y/%m/%d 10:11:12}") | dates.map(lambda d: f"{d:%Y-%m}") | dates.map(lambda d: f"{d:%Y}"),
    ),
    (
        st.builds(AreaCode, st.sampled_from([(4, 2), (9, 6, 4, 2), (6,)])),
        st.from_regex(r"(11|37|65|82)[0-9]{4}([0-9]{3}([0-9]{3})?)?", fullmatch=True),
    ),
    (
        st.builds(Address, levels_of(("street", "district", "city", "province")), st.just("hide")),
        st.tuples(*map(st.sampled_from, PLACES)).map("".join) | st.text("省市区县镇街道号州 1", max_size=12),
    ),
    (st.just(Phone()), st.from_regex(r"(\+86[ -]?)?1[3-9][0-9]{9}|0[1-9][0-9]{1,2}-[0-9]{7,8}", fullmatch=True)),
    (st.just(Postcode()), st.from_regex(r"[0-9]{6}", fullmatch=True)),
    (st.just(Prefix(keep=(3, 2, 0))), st.text(max_size=6)),
    (st.just(Prefix(hide=(1, 2, 5))), st.text(max_size=6)),
    (st.builds(lambda w: Order(tuple("abcdefghij"), w), widths()), st.sampled_from("abcdefghij")),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "values"), RULES)
@settings(max_examples=60)
@given(data=st.data())
def test_every_rule_makes_a_hierarchy(rules, values, data):
    """It passes its own checks: as many levels for all, each coarser than the one below, * at the end."""
    rule = data.draw(rules)
    drawn = data.draw(st.lists(values | st.just(""), min_size=1, max_size=40))
    found = hierarchy_of(rule, "q", {value: row for row, value in enumerate(drawn, 1)})
    assert set(drawn) <= set(found.number_of)
    assert found.forms[-1] == ("*",)
    sizes = [len(forms) for forms in found.forms]
    assert sizes == sorted(sizes, reverse=True)


def test_every_kind_has_a_property():
    """A rule that is added is drawn here too."""
    assert {find(rules, lambda _: True).kind for rules, _ in RULES} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.kind)
@settings(max_examples=100)
@given(text=st.text(max_size=30))
def test_whatever_stands_in_a_cell_fits_or_not(kind, text):
    """No other error comes out, and none shows the value."""
    rule = {Interval: Interval(widths=(5,)), Coding: Coding(highest=(9,)), Rounding: Rounding(to=(5,)),
            Prefix: Prefix(keep=(1,)), Order: Order(("a", "b"))}.get(kind)  # fmt: skip
    rule = rule or kind()
    for value in (text, text + "Ω"):
        words = ""
        try:
            rule.forms(value)
        except UnfitError as error:
            words = str(error)
        assert "Ω" not in words


@pytest.mark.parametrize(
    ("rule", "value", "forms"),
    [
        (Interval(widths=(5, 10)), "39", ("35-39", "30-39")),
        (Interval(widths=(5, 10)), "-3", ("-5 to -1", "-10 to -1")),
        (Interval(widths=(5, 10), highest=88), "86", ("85-87", "80-87")),
        (Interval(widths=(1, 10), highest=88), "88", (">=88", ">=88")),
        (Interval(bounds=((0, 18, 65), (18, 65))), "17", ("0-17", "<18")),
        (Interval(bounds=((0, 18, 65), (18, 65))), "65", (">=65", ">=65")),
        (Interval(widths=(0.5,), numbers="decimal"), "36.6", ("[36.5, 37)",)),
        (Interval(widths=(0.1,), numbers="decimal"), "0.3", ("[0.3, 0.4)",)),
        (Coding(highest=(90, 80)), "85", ("85", ">=80")),
        (Coding(lowest=(18,), highest=(90,)), "17.5", ("<18",)),
        (Rounding(to=(10, 100)), "46", ("50", "100")),
        (Rounding(to=(10,)), "-5", ("0",)),
        (Age(), "101", (">=90", ">=90", ">=90")),
        (Age(bands=(10,)), "39岁", ("30-39",)),
        (Age(bands=(10,)), "11个月", ("0-9",)),
        (Day(), "2024年3月14日", ("2024-03", "2024-Q1", "2024")),
        (Day(("week", "month", "year")), "2021-01-01", ("2020-W53", "2020-12", "2020")),
        (Day(("day", "decade")), "20240229", ("2024-02-29", "2020s")),
        (Day(("month", "year")), "2024/2/9 10:15", ("2024-02", "2024")),
        (AreaCode((9, 6, 4, 2)), "370102001002", ("370102001", "370102", "3701", "37")),
        (AreaCode((9, 2)), "370102", ("370102", "37")),
        (Address(("street", "city")), "山东省济南市历下区泉城路街道1号", ("山东省济南市历下区泉城路街道", "山东省济南市")),
        (Address(), "北京市海淀区中关村大街1号", ("北京市海淀区", "北京市", "北京市")),
        (Address(), "湖北省荆州市沙市区北京路", ("湖北省荆州市沙市区", "湖北省荆州市", "湖北省")),
        (Address(), "历下区千佛山路", ("历下区", "*", "*")),
        (Address(unknown="hide"), "公司宿舍", ("*", "*", "*")),
        (Phone(), "+86 138-0013-8000", ("1380013****", "138********")),
        (Phone((3,)), "0531-88812345", ("053*********",)),
        (Postcode(), "250014", ("2500**", "250***", "25****")),
        (Prefix(hide=(1, 2)), "1234", ("123*", "12**")),
        (Prefix(keep=(2,)), "中国人民", ("中国**",)),
        (Order(("none", "mild", "severe"), (2,)), "mild", ("none to mild",)),
        (Order(("none", "mild", "severe"), (2,)), "severe", ("severe",)),
    ],
)  # fmt: skip
def test_forms(rule, value, forms):
    assert rule.forms(value) == forms


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (Interval(widths=(5,)), "39.5"), (Interval(widths=(5,)), "n/a"), (Interval(widths=(5,)), " 38"),
        (Age(), "151"), (Age(), "-1"), (Day(), "2023-02-29"), (Day(), "14/03/2024"), (Day(), "2024-00-10"),
        (AreaCode(), "990102"), (AreaCode(), "37010"), (Address(), "公司宿舍"), (Phone(), "12345"),
        (Postcode(), "25001"), (Order(("a",)), "zebra"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit(rule, value):
    """Row and column are named, and what would fit; the value is not."""
    with pytest.raises(InputError, match=r"^row 7, column q: the rule") as raised:
        hierarchy_of(rule, "q", {value: 7})
    assert value not in str(raised.value)


@pytest.mark.parametrize(
    ("kind", "given", "why"),
    [
        ("interval", {"widths": [5, 12]}, "multiple"),
        ("interval", {"widths": [5, 5]}, "rise"),
        ("interval", {"widths": []}, "either widths or bounds"),
        ("interval", {"widths": [0]}, "above 0"),
        ("interval", {"widths": [0.5]}, "decimal"),
        ("interval", {"widths": [float("nan")]}, "must be a number, not nan"),
        ("interval", {"bounds": [[0, 10], [5]]}, "among those"),
        ("interval", {"bounds": [[0, 10]], "highest": 5}, "go with widths"),
        ("interval", {"widths": [5], "lowest": 9, "highest": 3}, "below highest"),
        ("interval", {"width": 5}, "width is no key"),
        ("coding", {}, "lowest, highest or both"),
        ("coding", {"highest": [80, 90]}, "fall"),
        ("rounding", {}, "is missing"),
        ("age", {"highest": 0}, "above 0"),
        ("date", {"levels": ["year", "month"]}, "fine to coarse"),
        ("date", {"levels": ["hour"]}, "must be one of 'day'"),
        ("area-code", {"digits": [5]}, "6 \\(county\\)"),
        ("address", {"levels": ["province", "city"]}, "fine to coarse"),
        ("phone", {"keep": [3, 7]}, "fall"),
        ("prefix", {"keep": [1], "hide": [1]}, "either keep or hide"),
        ("order", {"values": ["a", "a"]}, "each once"),
        ("order", {"values": ["a", "b"], "widths": [2, 3]}, "multiple"),
        ("order", {"values": "ab"}, "must be a list"),
    ],
)  # fmt: skip
def test_a_rule_that_makes_no_sense(kind, given, why):
    """The error names the key of the configuration."""
    with pytest.raises(InputError, match=f"^h.*{why}"):
        made(KINDS[kind], given, "h")
