"""Answers: what a person typed into a field, made clean, or the reason why it can't be taken.

Every check has one shape: ``check(value, today=date)`` returns the normalised text, or a ``Problem``
that says what to do. Nothing is raised for what a person typed, so that a good answer costs a few
microseconds and a bad one no more.

Rules kept in this file:
  1. A problem is a constant: it can't hold what was typed.
  2. Text is NFC, trimmed, without control characters or characters that reorder what is displayed
     (Unicode TR 36); Chinese full-width digits and letters count as their ASCII forms.
  3. Free text can't smuggle in a resident identity number: whoever needs one asks for it by its own
     field, which the standard judges (PIPL 6, smallest scope).
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Protocol

from epilock.collect.resident_id import is_resident_id
from epilock.errors import FieldProblem

SHORT = 100  # characters of a name, an employer, a school
MEDIUM = 300  # of an address or a contact
LONG = 2000  # of symptoms or a travel history

LOWEST, HIGHEST = Decimal(34), Decimal(43)  # degrees Celsius that a living person's body has
OLDEST = timedelta(days=366 * 130)


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an answer can't be taken, without the answer.

    Attributes:
        code: Stable name, such as ``check-digit``.
        zh: What to do, in Chinese.
        en: What to do, in English.
    """

    code: str
    zh: str
    en: str

    def at(self, field: str) -> FieldProblem:
        """Return the problem as one of the form's field ``field``."""
        return FieldProblem(field=field, code=self.code, zh=self.zh, en=self.en)


class Check(Protocol):
    """A check of one kind of answer."""

    def __call__(self, value: str, *, today: date) -> str | Problem:
        """Return ``value`` normalised, or what is wrong; ``today`` is the calendar day in China."""


EMPTY = Problem("empty", "请填写此项。", "Please fill in this field.")
CONTROL = Problem(
    "control-character",
    "含有看不见的特殊字符，请重新手工输入。",
    "It contains hidden characters; please type it again by hand.",
)
ID_NUMBER = Problem(
    "id-number",
    "这里不能填写身份证号，请把它删去。",
    "Identity numbers must not be written here; please take it out.",
)
NAME = Problem(
    "name",
    "请填写姓名，不要含数字和符号，例如：张三、阿依古丽·买买提。",
    "Please give a name, without digits or signs, such as: Zhang San, O'Neill.",
)
TEMPERATURE = Problem(
    "temperature",
    "请填写34到43之间的摄氏体温，例如：36.8。",
    "Please give a body temperature in degrees Celsius from 34 to 43, such as 36.8.",
)
FAHRENHEIT = Problem(
    "fahrenheit",
    "这像是华氏度，请换成摄氏度，例如：36.8。",
    "This looks like degrees Fahrenheit; please give Celsius, such as 36.8.",
)
DATE = Problem(
    "date",
    "请按年-月-日填写真实日期，例如：2026-03-14。",
    "Please give a real date as year-month-day, such as 2026-03-14.",
)
FUTURE = Problem(
    "future",
    "日期不能晚于今天，请检查。",
    "The date can't be later than today; please check it.",
)
TOO_OLD = Problem(
    "too-old", "年份太早，请检查年份。", "The year is too long ago; please check the year."
)
AGE_BAND = Problem(
    "age-band",
    "请填写年龄段，例如：30-39，或80+。",
    "Please give an age band, such as 30-39 or 80+.",
)
COUNT = Problem("count", "请填写1到50之间的整数。", "Please give a whole number from 1 to 50.")
UNWANTED = Problem(
    "not-text",
    "此项不能以文字收集，请不要填写。",
    "This can't be collected as text; please leave it empty.",
)

# Controls other than tab and newline, bidirectional overrides and isolates, invisible fillers, lone
# surrogates. Joiners (U+200C, U+200D) stay: some scripts can't be spelled without them; so does
# private use, where old input methods put rare characters of names.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
# Variation selectors choose a glyph, not a character: dropped, so that equal names are equal.
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_SPACES = re.compile(r"\s+")
_LINES = re.compile(r"[ \t\r\f\v\u00a0\u3000]+")
_MANY_DIGITS = re.compile(r"(?:\d[ .·•\t\u00a0\u3000－-]*){17}")
_RESIDENT_ID = re.compile(r"(?<![0-9])[0-9]{17}[0-9Xx](?![0-9])")
_GAPS = str.maketrans("", "", " -\u00b7\u2022.\t\u00a0\u2010\u2011\u2012\u2013\u2014\u2212")
_LETTER = re.compile(r"[^\W\d_]")
_NOT_NAME = re.compile(r"[\d_<>{}\[\]|\\@#$%^&*=+~/?!:;\"]")
_TEMPERATURE = re.compile(r"([0-9]{2,3})(?:[.,度点]([0-9]{1,2})?)?(?:°C|℃|°|C|c|度|摄氏度)?")
_DATE = re.compile(r"([0-9]{4})(?:-|/|\.|年)([0-9]{1,2})(?:-|/|\.|月)([0-9]{1,2})日?")
_PLAIN_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
_BAND = re.compile(r"([0-9]{1,3})(?:-|–|—|~|至|到)([0-9]{1,3})岁?|([0-9]{1,3})岁?(?:\+|以上)")
_AGE = re.compile(r"([0-9]{1,3})岁?")


# Full-width ASCII (U+FF01 to U+FF5E), as Chinese keyboards give it, and the ideographic space. Not
# NFKC, which would also read a superscript as a digit.
_WIDTHS = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
# What comes along, unseen, when a number is copied from a chat or an address book.
_UNSEEN = dict.fromkeys(
    (0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2060, 0x206A), 0xFEFF)
)
_FOLDED = _WIDTHS | _UNSEEN


def fold(value: str) -> str:
    """Return ``value`` trimmed, full-width forms as ASCII and nothing unseen: the start of every identifier's check."""
    return value.strip() if value.isascii() else value.translate(_FOLDED).strip()


def squeeze(value: str) -> str:
    """Return ``fold(value)`` without spaces, hyphens and dots, in upper case."""
    return fold(value).translate(_GAPS).upper()


def check_text(value: str, *, limit: int, lines: bool = False) -> str | Problem:
    """Return ``value`` clean by rules 2 and 3, at most ``limit`` characters; one line or several."""
    if not value.isascii():
        value = _SELECTORS.sub("", unicodedata.normalize("NFC", value))
    if _FORBIDDEN.search(value):
        return CONTROL
    if lines:
        value = _LINES.sub(" ", value.replace("\r\n", "\n")).strip()
    else:
        value = _SPACES.sub(" ", value).strip()
    if not value:
        return EMPTY
    if len(value) > limit:
        return _TOO_LONG[limit]
    return ID_NUMBER if _MANY_DIGITS.search(value) and _holds_resident_id(value) else value


_TOO_LONG = {
    limit: Problem(
        "too-long",
        f"太长了，请控制在{limit}个字以内。",
        f"Too long; please keep it within {limit} characters.",
    )
    for limit in (SHORT, MEDIUM, LONG)
}


def _holds_resident_id(value: str) -> bool:
    """Tell whether a valid 18-digit number stands in ``value``, also if written in groups."""
    joined = fold(value).translate(_GAPS)
    return any(is_resident_id(found.upper()) for found in _RESIDENT_ID.findall(joined))


def check_short_text(value: str, *, today: date) -> str | Problem:
    """Check one line of at most 100 characters."""
    del today
    return check_text(value, limit=SHORT)


def check_address(value: str, *, today: date) -> str | Problem:
    """Check one line of at most 300 characters: an address, a place."""
    del today
    return check_text(value, limit=MEDIUM)


def check_long_text(value: str, *, today: date) -> str | Problem:
    """Check several lines of at most 2,000 characters: symptoms, a travel history."""
    del today
    return check_text(value, limit=LONG, lines=True)


def check_name(value: str, *, today: date) -> str | Problem:
    """Check a person's name of any script: it has a letter, and no digits or signs of code."""
    del today
    value = value.replace("•", "·").replace("・", "·")
    clean = check_text(value, limit=SHORT)
    if clean.__class__ is Problem:
        return clean
    if not _LETTER.search(clean) or _NOT_NAME.search(clean):  # type: ignore[arg-type]  # a str: checked above
        return NAME
    return clean


def check_temperature(value: str, *, today: date) -> str | Problem:
    """Check a body temperature, 34 to 43 degrees Celsius; one decimal is written out."""
    del today
    found = _TEMPERATURE.fullmatch(fold(value).replace(" ", "").replace("。", "."))
    if found is None:
        return TEMPERATURE
    whole, part = found.groups()
    degrees = Decimal(f"{whole}.{part or 0}")
    if LOWEST <= degrees <= HIGHEST:
        return f"{whole}.{part or 0}"
    # 93.2 and 109.4 degrees Fahrenheit are our two limits.
    return FAHRENHEIT if Decimal(93) <= degrees <= Decimal(110) else TEMPERATURE


def check_date(value: str, *, today: date) -> str | Problem:
    """Check a calendar date in any usual writing, also a future one; return it as ISO 8601."""
    text = fold(value).replace(" ", "")
    found = _DATE.fullmatch(text) or _PLAIN_DATE.fullmatch(text)
    if found is None:
        return DATE
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return DATE
    return TOO_OLD if today - day > OLDEST else day.isoformat()


def check_past_date(value: str, *, today: date) -> str | Problem:
    """Check a date that is not after ``today``: a birth, an onset."""
    day = check_date(value, today=today)
    if day.__class__ is str and day > today.isoformat():
        return FUTURE
    return day


# The cuts at 14 and 18 are the law's (PIPL 28; Minors Protection Law 2).
BANDS = ((0, 5), (6, 13), (14, 17), (18, 29), *((n, n + 9) for n in range(30, 80, 10)))
_NARROWEST = 3  # years between the ends of a band; closer would be an age


def check_age_band(value: str, *, today: date) -> str | Problem:
    """Check an age band; an exact age is reduced to its band of ``BANDS``, which is all we keep."""
    del today
    text = fold(value).replace(" ", "")
    if found := _BAND.fullmatch(text):
        low, high, above = found.groups()
        if above:
            return f"{int(above)}+" if int(above) <= 100 else AGE_BAND  # noqa: PLR2004  # years
        return f"{int(low)}-{int(high)}" if int(high) - int(low) >= _NARROWEST else AGE_BAND
    found = _AGE.fullmatch(text)
    if found is None or int(found[1]) > 130:  # noqa: PLR2004  # years; nobody was older
        return AGE_BAND
    return next((f"{a}-{b}" for a, b in BANDS if a <= int(found[1]) <= b), "80+")


def check_count(value: str, *, today: date) -> str | Problem:
    """Check a small whole number: persons of a household."""
    del today
    text = fold(value).removesuffix("人").strip()
    if text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= 50:  # noqa: PLR2004  # COUNT says so
        return str(int(text))
    return COUNT


def check_never(value: str, *, today: date) -> str | Problem:
    """Refuse any text: faces, prints and images are not typed."""
    del value, today
    return UNWANTED


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of a closed list: what is kept, how it is shown, what else counts as it."""

    code: str
    zh: str
    en: str
    also: tuple[str, ...] = ()


def choice_check(choices: Sequence[Choice]) -> Check:
    """Return the check of a closed list; it takes codes and both languages' names, in any case."""
    known = {
        word.casefold(): choice.code
        for choice in choices
        for word in (choice.code, choice.zh, choice.en, *choice.also)
    }
    problem = Problem(
        "choice",
        f"请从以下选项中选择：{'、'.join(c.zh for c in choices)}。",
        f"Please choose one of: {', '.join(c.en for c in choices)}.",
    )

    def check(value: str, *, today: date) -> str | Problem:
        del today
        return known.get(fold(value).casefold(), problem)

    return check
