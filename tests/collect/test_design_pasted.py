"""What people paste: questions one a line, or a row of headers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epilock.collect.design import read_pasted
from epilock.collect.design.pasted import MAX_PASTED
from epilock.errors import InputError, TooLargeError


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("姓名\r\n\r\n 手机号 \n", ["姓名", "手机号"]),
        ("姓名\t手机号\t体温", ["姓名", "手机号", "体温"]),
        ("身份证号 电话　姓  名", ["身份证号", "电话", "姓名"]),
        ("1.身份证号 2. 电话\n性别 男 女", ["1.身份证号", "2. 电话", "性别 男 女"]),
        ("（2）　联系电话：\n（三） 住址", ["（2）　联系电话：", "（三） 住址"]),
        ("是否 发热 联系 电话", ["是否 发热", "联系 电话"]),
        ("姓名 属相", ["姓名", "属相"]),
        ("姓名 Name 身份证号 ID No.", ["姓名 Name", "身份证号 ID No."]),
        ("姓名：＿＿ 身份证号：＿＿", ["姓名：＿＿", "身份证号：＿＿"]),
        ("姓名、手机号，体温;住址", ["姓名", "手机号", "体温", "住址"]),
        (
            "Name, as in your passport\nMobile, if any",
            ["Name, as in your passport", "Mobile, if any"],
        ),
    ],
)
def test_a_question_is_a_line_or_a_cell(text, labels):
    """A comma parts questions only where there is one line of them; blanks part Chinese ones, so that none hides."""
    assert [f.label for f in read_pasted(text).fields] == labels


def test_too_much_is_refused_at_once():
    with pytest.raises(TooLargeError, match="20,000"):
        read_pasted("a" * (MAX_PASTED + 1))


@given(st.text(max_size=2_000))
def test_any_text_gives_questions_or_one_clear_error(text):
    try:
        design = read_pasted(text)
    except InputError as error:
        assert "pasted" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert all(f.label.strip() for f in design.fields)
