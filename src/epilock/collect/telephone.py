"""Telephones: mobiles and land lines, one spelling each, and those that stand in a text."""

import re
from datetime import date

from epilock.collect.answer import Problem, check_address, fold, squeeze

MOBILE = Problem(
    "mobile",
    "请填写11位中国大陆手机号，例如：138 0000 0000；境外号码请以+和国家代码开头。",
    "Please give an 11-digit mainland mobile, such as 138 0000 0000; others begin with + and the country.",
)
PHONE = Problem(
    "phone",
    "请填写手机号，或带区号的固定电话，例如：0531-8000 0000。",
    "Please give a mobile, or a land line with its area code, such as 0531-8000 0000.",
)

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_ABROAD = re.compile(r"\+(?!86)[1-9][0-9]{6,14}")
_LANDLINE = re.compile(
    r"(0(?:10|2[0-9]|[3-9][0-9]{2}))([2-8][0-9]{6,7})(?:(?:转|EXT|#)([0-9]{1,6}))?"
)
_SERVICE = re.compile(r"[48]00[0-9]{7}")
_NUMBERS = re.compile(
    r"(?<![0-9])(?:(?:\+|00)?86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9])"
    r"|(?<![0-9])0[0-9]{2,3}[ -]?[2-8][0-9]{3}[ -]?[0-9]{3,4}(?![0-9])"
    r"|\+[1-9][0-9]{6,14}(?![0-9])"
)
_LETTER = re.compile(r"[^\W\d_]")
_LIKE = re.compile(r"[+(]?[0-9][0-9() -]{5,}[0-9]")  # what is as long as a telephone number
_BRACKETS = str.maketrans("", "", "()（）")


def check_mobile(value: str, *, today: date) -> str | Problem:
    """Check a mobile: eleven digits of the mainland (+86 dropped), or + and 7 to 15 digits abroad."""
    del today
    if _MOBILE.fullmatch(value):
        return value
    number = squeeze(value).translate(_BRACKETS)
    abroad = f"+{number[2:]}" if number.startswith("00") else number  # the other way to write it
    if _ABROAD.fullmatch(abroad):
        return abroad
    number = _drop_country(number)
    return number if _MOBILE.fullmatch(number) else MOBILE


def check_phone(value: str, *, today: date) -> str | Problem:
    """Check a mobile or a land line with its area code; a land line becomes ``0531-80000000``."""
    mobile = check_mobile(value, today=today)
    if mobile.__class__ is str:
        return mobile
    number = squeeze(value).translate(_BRACKETS)
    if number.startswith(("+86", "0086")):
        number = "0" + _drop_country(number).removeprefix("0")
    if found := _LANDLINE.fullmatch(number):
        area, line, extension = found.groups()
        return f"{area}-{line}" + (f"#{extension}" if extension else "")
    return number if _SERVICE.fullmatch(number) else PHONE


def _drop_country(number: str) -> str:
    """Return ``number`` without the mainland's country code."""
    for prefix in ("+86", "0086"):
        if number.startswith(prefix):
            return number.removeprefix(prefix)
    return number[2:] if len(number) == 13 and number.startswith("86") else number  # noqa: PLR2004  # 86 and 11


def check_contact(value: str, *, today: date) -> str | Problem:
    """Check a person to call: one line with a name, a telephone number, or both.

    Forms of others often ask for the two in two fields of one category, so either alone is taken;
    digits alone must be a telephone number, and so must be one of those beside a name.
    """
    text = check_address(value, today=today)
    if text.__class__ is Problem:
        return text
    if not _LETTER.search(str(text)):
        return check_phone(str(text), today=today)
    like = _LIKE.findall(fold(str(text)))
    good = any(check_phone(each, today=today).__class__ is str for each in like)
    return text if good or not like or phones_in(str(text)) else PHONE


def phones_in(text: str) -> tuple[str, ...]:
    """Return the mobiles and land lines that stand in ``text``, normalised, in their order.

    It is how a person who was only mentioned (a contact, a guardian) is found by their own number.
    """
    found = (check_phone(part, today=date.min) for part in _NUMBERS.findall(fold(text)))
    return tuple(p for p in found if isinstance(p, str))
