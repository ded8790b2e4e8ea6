"""What the checks of identifiers promise: a good one gets one spelling, a bad one a helpful answer."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epilock.collect import document, resident_id, telephone
from epilock.collect.answer import Problem
from epilock.collect.identifier import CHECKS, CHOICES
from epilock.standard import load

TODAY = date(2026, 3, 14)

births = st.dates(date(1900, 1, 1), TODAY)
regions = st.sampled_from(sorted(resident_id.PROVINCES))


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A made-up resident ID number that is valid."""
    first = (
        draw(regions)
        + f"{draw(st.integers(100, 9999)):04d}"
        + draw(births).strftime("%Y%m%d")
        + f"{draw(st.integers(1, 999)):03d}"
    )
    return first + resident_id.check_character(first)


def check(category: str, value: str) -> str | Problem:
    return CHECKS[category](value, today=TODAY)


def code_of(category: str, value: str) -> str:
    problem = check(category, value)
    assert isinstance(problem, Problem), "taken, though it should not be"
    return problem.code


class TestResidentId:
    def test_example_of_the_standard(self):
        """GB 11643-1999 prints this number; its check character is X."""
        assert check("identity.resident-id", "11010519491231002X") == "11010519491231002X"

    @given(numbers())
    def test_valid_numbers_are_taken_as_they_are(self, number):
        assert check("identity.resident-id", number) == number

    @given(numbers(), st.sampled_from(["{}", " {} ", "{}\n"]))
    def test_spelling_is_forgiven(self, number, frame):
        """Lower-case x, spaces, hyphens and full-width digits are the same number."""
        grouped = f"{number[:6]} {number[6:14]}-{number[14:]}".lower()
        wide = "".join(chr(ord(c) + 0xFEE0) for c in number)

        for written in (grouped, wide, frame.format(number)):
            assert check("identity.resident-id", written) == number

    @given(numbers(), st.integers(0, 16), st.integers(1, 9))
    def test_one_wrong_digit_is_always_caught(self, number, at, by):
        """MOD 11-2 catches every single substitution."""
        wrong = number[:at] + str((int(number[at]) + by) % 10) + number[at + 1 :]

        assert isinstance(check("identity.resident-id", wrong), Problem)

    @given(numbers(), st.integers(0, 15))
    def test_two_neighbours_swapped_are_always_caught(self, number, at):
        swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
        if swapped != number:
            assert isinstance(check("identity.resident-id", swapped), Problem)

    @pytest.mark.parametrize(
        ("number", "code"),
        [
            ("", "resident-id"),
            ("11010519491231002", "resident-id"),
            ("11010519491231002XX", "resident-id"),
            ("1101051949123100AX", "resident-id"),
            ("990105194912310021", "region"),
            ("110105194902300026", "birth-date"),
            ("110105178912310026", "birth-date"),
            ("110105194912310021", "check-digit"),
        ],
    )
    def test_says_which_part_to_compare(self, number, code):
        assert code_of("identity.resident-id", number) == code

    def test_born_tomorrow(self):
        """A birth date after today is named, not called a wrong digit."""
        first = "110105" + (TODAY + timedelta(days=1)).strftime("%Y%m%d") + "002"

        assert (
            code_of("identity.resident-id", first + resident_id.check_character(first)) == "future"
        )

    def test_fifteen_digits_become_eighteen(self):
        """One person has one number, also with the old card."""
        assert check("identity.resident-id", "110105491231002") == "11010519491231002X"

    @given(numbers())
    def test_tells_what_it_was_made_of(self, number):
        """Birth date, sex and area are read off; nothing is looked up."""
        told = resident_id.tell(number)

        assert told.birth.strftime("%Y%m%d") == number[6:14]
        assert told.sex == ("male" if int(number[16]) % 2 else "female")
        assert (told.area, told.province) == (number[:6], resident_id.PROVINCES[number[:2]])

    @given(st.text(max_size=40))
    def test_anything_gets_an_answer(self, value):
        """Whatever is typed: a number or a problem, never an exception."""
        result = check("identity.resident-id", value)

        assert isinstance(result, (str, Problem))


class TestTelephones:
    @pytest.mark.parametrize(
        "written",
        [
            "13800001234",
            "138 0000 1234",
            "138-0000-1234",
            "+86 138 0000 1234",
            "0086-13800001234",
            "\u202d138\u20140000\u20141234\u202c",
            "8613800001234",
            "（+86）13800001234",
            "１３８００００１２３４",
        ],
    )
    def test_one_mobile_one_spelling(self, written):
        assert check("contact.mobile", written) == "13800001234"

    @pytest.mark.parametrize("written", ["12800001234", "1380000123", "138000012345", "", "mobile"])
    def test_not_a_mobile(self, written):
        assert code_of("contact.mobile", written) == "mobile"

    def test_abroad(self):
        """A visitor's number is taken with its country."""
        assert check("contact.mobile", "+852 6123 4567") == "+85261234567"
        assert check("contact.mobile", "00852 6123 4567") == "+85261234567"

    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("0531-80001234", "0531-80001234"),
            ("(010) 8000 1234 转 12", "010-80001234#12"),
            ("+86 531 80001234", "0531-80001234"),
            ("400-800-1234", "4008001234"),
            ("138 0000 1234", "13800001234"),
        ],
    )
    def test_land_lines(self, written, kept):
        assert telephone.check_phone(written, today=TODAY) == kept

    def test_found_in_a_sentence(self):
        """A mentioned person is found by the number that stands in the text."""
        text = "李四（母亲）138 0000 1234，13900005678 或 0531-80001234"

        assert telephone.phones_in(text) == ("13800001234", "13900005678", "0531-80001234")

    @pytest.mark.parametrize(
        "written",
        [
            "李四 13800001234", "李四", "138 0000 1234", "+85261234567", "李四（母亲）+852 6123 4567",
            "李四 (0531) 8000-1234", "李四13800001234和12345678", "李四 400-800-1234", "3号楼12层 李四",
        ],
    )  # fmt: skip
    def test_a_contact_is_a_name_or_a_number_or_both(self, written):
        assert isinstance(check("contact.emergency-contact", written), str)

    @pytest.mark.parametrize(
        "written", ["12345", "李四 1380000123", "李四：138000012345", "Li Si 8000 1234"]
    )
    def test_digits_that_are_no_number(self, written):
        assert code_of("contact.emergency-contact", written) == "phone"


class TestTravelDocuments:
    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("E12345678", "E12345678"),
            ("ea 1234567", "EA1234567"),
            ("L898902C<3", "L898902C"),
            ("H12345678", "H12345678"),
            ("M1234567890", "M1234567890"),
            ("12345678", "12345678"),
            ("CAN110022033010", "CAN110022033010"),
        ],
    )
    def test_known_forms(self, written, kept):
        """L898902C is the specimen of ICAO 9303."""
        assert check("identity.passport", written) == kept

    def test_machine_readable_zone_with_a_slip(self):
        assert code_of("identity.passport", "L898902C<4") == "check-digit"

    def test_residence_permit_of_hong_kong(self):
        first = "81000019900101001"
        number = first + resident_id.check_character(first)

        assert check("identity.passport", number) == number
        assert document.check_residence_permit(number, today=TODAY) == number

    def test_five_star_card(self):
        """The foreigner's card of 2023: 9, place, nationality, birth date, sequence, check."""
        first = "93184019900101001"
        number = first + resident_id.check_character(first)
        wrong = first + ("1" if number[-1] != "1" else "2")

        assert check("identity.passport", number) == number
        assert code_of("identity.passport", wrong) == "check-digit"

    @given(numbers())
    def test_a_resident_id_is_sent_to_its_own_field(self, number):
        """The standard judges it as another category; it can't come in by the passport's field."""
        if number[:6] not in resident_id.RESIDENCE_PERMITS:
            assert code_of("identity.passport", number) == "wrong-field"

    @pytest.mark.parametrize(
        ("check_one", "good", "bad"),
        [
            (document.check_hk_macao_permit, "h 12345678", "H1234567"),
            (document.check_taiwan_permit, "1234 5678", "1234567"),
            (document.check_passport, "AB12345", "ABCDEFG"),
            (document.check_permanent_resident, "can110022033010", "CA110022033010"),
        ],
    )
    def test_each_has_its_own_check(self, check_one, good, bad):
        assert isinstance(check_one(good, today=TODAY), str)
        assert isinstance(check_one(bad, today=TODAY), Problem)


class TestPlates:
    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("鲁A·12345", "鲁A12345"),
            ("鲁a d12345", "鲁AD12345"),
            ("京A12345D", "京A12345D"),
            ("粤Z1234港", "粤Z1234港"),
            ("沪A1234学", "沪A1234学"),
            ("123456使", "123456使"),
        ],
    )
    def test_known_forms(self, written, kept):
        assert check("location.plate", written) == kept

    @pytest.mark.parametrize("written", ["鲁A1234", "鲁O1234I", "A12345", "鲁AD123", ""])
    def test_not_a_plate(self, written):
        assert code_of("location.plate", written) == "plate"


class TestOtherNumbers:
    def test_email(self):
        assert check("contact.email", " Zhang.San@Example.CN ") == "Zhang.San@example.cn"

    @pytest.mark.parametrize("written", ["a@b", "a b@c.cn", "@c.cn", "a..b@c.cn", "a@-c.cn", ""])
    def test_not_an_email(self, written):
        assert code_of("contact.email", written) == "email"

    def test_bank_card_by_luhn(self):
        """A UnionPay card has a check digit, an account has none."""
        assert check("finance.bank-account", "6222020000000000000") == "6222020000000000000"
        assert code_of("finance.bank-account", "6222020000000000001") == "bank-account"
        assert check("finance.bank-account", "370012345678") == "370012345678"

    def test_ip(self):
        assert check("online.ip", "2001:0db8::0001") == "2001:db8::1"
        assert code_of("online.ip", "1.2.3") == "ip"

    def test_sample_code(self):
        assert check("health.sample-id", "jn-2026/ 0001") == "JN-2026/0001"
        assert code_of("health.sample-id", "样本一") == "code"


class TestClosedLists:
    @pytest.mark.parametrize("category", sorted(CHOICES))
    def test_all_spellings_lead_to_the_code(self, category):
        for choice in CHOICES[category]:
            for word in (choice.code, choice.zh, choice.en.upper(), *choice.also):
                assert check(category, word) == choice.code

    def test_the_problem_lists_the_choices(self):
        problem = check("health.test-result", "maybe")

        assert isinstance(problem, Problem)
        assert "阴性" in problem.zh
        assert "Negative" in problem.en


class TestEveryCategory:
    def test_each_category_of_the_standard_has_a_check(self):
        """And no check is for a category that the standard does not have."""
        assert set(CHECKS) == set(load().categories)

    @pytest.mark.parametrize("category", sorted(CHECKS))
    @settings(max_examples=25)
    @given(value=st.text(max_size=60))
    def test_answers_anything(self, category, value):
        """No exception for what a person types, and no problem that repeats it."""
        result = check(category, value)

        assert isinstance(result, (str, Problem))

    @pytest.mark.parametrize("category", sorted(CHECKS))
    @settings(max_examples=25)
    @given(value=st.text(max_size=60))
    def test_normalising_twice_changes_nothing(self, category, value):
        """What was taken is taken again unchanged: tags of an imported copy agree."""
        once = check(category, value)
        if isinstance(once, str):
            assert check(category, once) == once

    def test_a_problem_becomes_one_of_a_field(self):
        problem = check("contact.mobile", "1")

        assert isinstance(problem, Problem)
        assert problem.at("mobile").field == "mobile"
        assert problem.at("mobile").zh == problem.zh
