"""What the checks of typed answers promise."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.collect import answer
from epilock.collect.answer import Problem

TODAY = date(2026, 3, 14)


def code_of(result: str | Problem) -> str:
    assert isinstance(result, Problem), "taken, though it should not be"
    return result.code


class TestName:
    @pytest.mark.parametrize(
        "name",
        [
            "张三",
            "欧阳锋",
            "阿依古丽·买买提",
            "O'Neill",
            "María-José Ñúñez",
            "Нурсұлтан",
            "محمد",
            "𠮷田",
            "D’Artagnan, Jr.",
            "'t Hooft",
            "མི་ལ་རས་པ",
        ],
    )
    def test_any_script(self, name):
        assert answer.check_name(name, today=TODAY) == name

    def test_one_spelling(self):
        """Spaces and the many middle dots are one."""
        assert answer.check_name("  阿依古丽•买买提 ", today=TODAY) == "阿依古丽·买买提"
        assert answer.check_name("Li\u00a0 Si", today=TODAY) == "Li Si"
        assert answer.check_name("Jose\u0301", today=TODAY) == "José"

    @pytest.mark.parametrize("name", ["13800001234", "张3", "<b>张三</b>", "--", "张三@qq"])
    def test_no_numbers_or_signs(self, name):
        assert code_of(answer.check_name(name, today=TODAY)) == "name"

    def test_length(self):
        assert answer.check_name("张" * 100, today=TODAY) == "张" * 100
        assert code_of(answer.check_name("张" * 101, today=TODAY)) == "too-long"


class TestText:
    @pytest.mark.parametrize("hidden", ["\x00", "\u202e", "\u2066", "\ufeff", "\x1b", "\ud800"])
    def test_hidden_characters(self, hidden):
        """What would change the display, or can't be stored, is refused."""
        assert code_of(answer.check_short_text(f"a{hidden}b", today=TODAY)) == "control-character"

    def test_joiners_stay(self):
        """Persian and Sinhala can't be spelled without them."""
        assert answer.check_short_text("می\u200cخواهم", today=TODAY) == "می\u200cخواهم"

    @pytest.mark.parametrize(
        "text",
        [
            "身份证11010519491231002X",
            "id 110105 19491231 002x",
            "我的号码是１１０１０５１９４９１２３１００２Ｘ",
            "110105-19491231-002X，发热三天",
        ],
    )
    def test_resident_id_in_free_text(self, text):
        """Refused: a field for symptoms is no way around a field that the standard refuses."""
        assert code_of(answer.check_long_text(text, today=TODAY)) == "id-number"

    def test_other_long_numbers_stay(self):
        assert answer.check_long_text("order 110105194912310021", today=TODAY).startswith("order")

    def test_lines(self):
        """Several lines stay lines where they are meant, and become one where not."""
        assert answer.check_long_text("a \t b\r\nc", today=TODAY) == "a b\nc"
        assert answer.check_short_text("a\nb", today=TODAY) == "a b"

    def test_empty(self):
        assert code_of(answer.check_short_text(" \u3000 ", today=TODAY)) == "empty"

    @given(st.text(max_size=200))
    def test_what_is_taken_is_clean(self, value):
        result = answer.check_long_text(value, today=TODAY)
        if isinstance(result, str):
            assert result == result.strip()
            assert result.encode()


class TestTemperature:
    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("36.8", "36.8"),
            ("36,8", "36.8"),
            ("３６．８", "36.8"),
            ("36。8℃", "36.8"),
            ("36.8摄氏度", "36.8"),
            ("37", "37.0"),
            ("36.75 °C", "36.75"),
            ("36度8", "36.8"),
            ("34", "34.0"),
            ("43.0", "43.0"),
        ],
    )
    def test_as_people_write_it(self, written, kept):
        assert answer.check_temperature(written, today=TODAY) == kept

    @pytest.mark.parametrize("written", ["33.9", "43.1", "368", "normal", "", "36.888", "-37"])
    def test_not_a_body_temperature(self, written):
        assert code_of(answer.check_temperature(written, today=TODAY)) == "temperature"

    def test_fahrenheit(self):
        assert code_of(answer.check_temperature("98.6", today=TODAY)) == "fahrenheit"


class TestDates:
    @pytest.mark.parametrize(
        "written",
        [
            "2026-03-14",
            "2026/3/14",
            "2026.3.14",
            "2026年3月14日",
            "20260314",
            "２０２６－０３－１４",
        ],
    )
    def test_as_people_write_it(self, written):
        assert answer.check_past_date(written, today=TODAY) == "2026-03-14"

    def test_tomorrow(self):
        """No birth or onset lies in the future; an appointment may."""
        assert code_of(answer.check_past_date("2026-03-15", today=TODAY)) == "future"
        assert answer.check_date("2026-03-15", today=TODAY) == "2026-03-15"

    @pytest.mark.parametrize("written", ["2026-02-30", "14/03/2026", "yesterday", "2026-13-01", ""])
    def test_not_a_date(self, written):
        assert code_of(answer.check_date(written, today=TODAY)) == "date"

    def test_too_long_ago(self):
        assert code_of(answer.check_date("1826-03-14", today=TODAY)) == "too-old"

    @given(st.dates(date(1900, 1, 1), TODAY))
    def test_iso_dates_stay(self, day):
        assert answer.check_past_date(day.isoformat(), today=TODAY) == day.isoformat()


class TestAgeBand:
    @pytest.mark.parametrize(
        ("written", "kept"),
        [("30-39", "30-39"), ("30至39岁", "30-39"), ("80+", "80+"), ("80岁以上", "80+")],
    )
    def test_bands(self, written, kept):
        assert answer.check_age_band(written, today=TODAY) == kept

    @pytest.mark.parametrize(
        ("age", "band"), [("13", "6-13"), ("14岁", "14-17"), ("37", "30-39"), ("101", "80+")]
    )
    def test_an_exact_age_is_not_kept(self, age, band):
        """The standard allows a band; more than that is dropped at once."""
        assert answer.check_age_band(age, today=TODAY) == band

    @pytest.mark.parametrize("written", ["36-37", "39-30", "131", "old"])
    def test_not_a_band(self, written):
        assert code_of(answer.check_age_band(written, today=TODAY)) == "age-band"


class TestCount:
    @pytest.mark.parametrize(
        ("written", "kept"), [("3", "3"), ("3人", "3"), ("０３", "3"), ("50", "50")]
    )
    def test_small_numbers(self, written, kept):
        assert answer.check_count(written, today=TODAY) == kept

    @pytest.mark.parametrize("written", ["0", "51", "-1", "3.5", "三", "²"])
    def test_others(self, written):
        assert code_of(answer.check_count(written, today=TODAY)) == "count"


class TestNever:
    def test_a_face_is_not_typed(self):
        assert code_of(answer.check_never("anything", today=TODAY)) == "not-text"
