"""Documents: resident identity cards, passports, permits; each number by its issuer's rule.

A resident ID number is one category of the standard, "passport and others" is another: a number is
taken only in the field of its own, so that no field is a way around the standard.
"""

import re
from datetime import date

from epilock.collect import resident_id
from epilock.collect.answer import Problem, squeeze

RESIDENT_ID = Problem(
    "resident-id",
    "居民身份证号为18位：17位数字加1位校验码（数字或X），请核对。",
    "A resident ID number has 18 characters: 17 digits and a check digit or X; please compare.",
)
DOCUMENT = Problem(
    "document",
    "请填写护照、港澳通行证、台胞证或外国人永久居留证的号码，只含字母和数字。",
    "Please give the number of a passport, Hong Kong, Macao or Taiwan permit or permanent residence card.",
)
DOCUMENT_CHECK = Problem(
    "check-digit",
    "证件号有一位不对（校验码不符），请逐位核对。",
    "One digit of the document's number is wrong; please compare digit by digit.",
)
RESIDENT_ID_HERE = Problem(
    "wrong-field",
    "这是居民身份证号，请填到身份证号一栏，不要填在这里。",
    "This is a resident ID number; it belongs into its own field, not here.",
)
HK_MACAO = Problem(
    "hk-macao-permit",
    "来往内地通行证号为H或M加8位或10位数字。",
    "A mainland travel permit number is H or M and 8 or 10 digits.",
)
TAIWAN = Problem(
    "taiwan-permit",
    "台湾居民来往大陆通行证号为8位数字。",
    "A Taiwan residents' travel permit number has 8 digits.",
)
PERMANENT = Problem(
    "permanent-resident",
    "外国人永久居留证号为9开头的18位，或3个字母加12位数字。",
    "A permanent residence card number has 18 characters beginning with 9, or 3 letters and 12 digits.",
)
PASSPORT = Problem(
    "passport",
    "护照号为5至9位字母和数字，请照护照填写。",
    "A passport number has 5 to 9 letters and digits; please copy it from the passport.",
)
_RESIDENT_ID_FAULTS = {
    "region": Problem(
        "region",
        "身份证号的前6位（地区）不存在，请核对前6位。",
        "The first 6 digits (area) don't exist; please compare them with the card.",
    ),
    "birth-date": Problem(
        "birth-date",
        "身份证号的第7至14位不是真实日期，请核对出生日期部分。",
        "Digits 7 to 14 are not a real date; please compare the birth date part.",
    ),
    "future": Problem(
        "future",
        "身份证号中的出生日期晚于今天，请核对第7至14位。",
        "The birth date in digits 7 to 14 is later than today; please compare.",
    ),
    "check-digit": Problem(
        "check-digit",
        "身份证号有一位不对（校验码不符），请逐位核对。",
        "One digit is wrong (the check digit doesn't match); please compare digit by digit.",
    ),
}

# Ordinary E or G and 8 digits, E, a letter and 7 digits; diplomatic and service D, S, P; Hong Kong and
# Macao K, H, M; other states by ICAO 9303: up to nine letters and digits, at least one digit.
_PASSPORT = re.compile(r"(?=[A-Z]*[0-9])[A-Z0-9]{5,9}")
_MRZ = re.compile(r"([A-Z0-9]{5,9}<*)([0-9])")
_HK_MACAO = re.compile(r"[HM](?:[0-9]{8}|[0-9]{10})")
_TAIWAN = re.compile(r"[0-9]{8}")
_PERMANENT_OLD = re.compile(r"[A-Z]{3}[0-9]{12}")
_PLAIN_DOCUMENT = re.compile(r"[HM](?:[0-9]{8}|[0-9]{10})|[0-9]{8}|[A-Z]{3}[0-9]{12}")


def check_resident_id(value: str, *, today: date) -> str | Problem:
    """Check a resident ID number of GB 11643-1999; fifteen digits are brought to eighteen."""
    number = squeeze(value)
    if not resident_id.is_form(number):
        if not resident_id.is_old_form(number):
            return RESIDENT_ID
        number = resident_id.upgrade(number)
    fault = resident_id.fault(number, today)
    return number if fault is None else _RESIDENT_ID_FAULTS[fault]


def check_passport(value: str, *, today: date) -> str | Problem:
    """Check a passport number as printed or as in its machine-readable zone (ICAO 9303-3)."""
    del today
    number = squeeze(value)
    if "<" in number:  # nine characters with fillers, then the check digit
        found = _MRZ.fullmatch(number)
        if found is None or len(found[1]) != 9:  # noqa: PLR2004  # ICAO 9303: nine characters
            return PASSPORT
        if mrz_check_digit(found[1]) != int(found[2]):
            return DOCUMENT_CHECK
        number = found[1].rstrip("<")
    return number if _PASSPORT.fullmatch(number) else PASSPORT


def mrz_check_digit(field: str) -> int:
    """Return the check digit of an MRZ field (ICAO 9303-3, 4.9): weights 7, 3, 1 modulo 10."""
    values = (0 if c == "<" else int(c, 36) for c in field)
    return sum(v * (7, 3, 1)[i % 3] for i, v in enumerate(values)) % 10


def check_hk_macao_permit(value: str, *, today: date) -> str | Problem:
    """Check a mainland travel permit of a Hong Kong or Macao resident: H or M, 8 or 10 digits."""
    del today
    number = squeeze(value)
    return number if _HK_MACAO.fullmatch(number) else HK_MACAO


def check_taiwan_permit(value: str, *, today: date) -> str | Problem:
    """Check a Taiwan resident's mainland travel permit: 8 digits."""
    del today
    number = squeeze(value)
    return number if _TAIWAN.fullmatch(number) else TAIWAN


def check_permanent_resident(value: str, *, today: date) -> str | Problem:
    """Check a foreigner's permanent residence card: 18 characters from 9 on (2023), or the older 15.

    The newer form has birth date and check character where a resident ID has them.
    """
    number = squeeze(value)
    if _PERMANENT_OLD.fullmatch(number):
        return number
    if not (number.startswith("9") and resident_id.is_form(number)):
        return PERMANENT
    # The division's place holds province and nationality: judge the rest under one that exists.
    if resident_id.check_character(number[:17]) != number[17]:
        return DOCUMENT_CHECK
    stand_in = "110000" + number[6:17]
    fault = resident_id.fault(stand_in + resident_id.check_character(stand_in), today)
    return number if fault is None else PERMANENT


def check_residence_permit(value: str, *, today: date) -> str | Problem:
    """Check the residence permit of a Hong Kong, Macao or Taiwan resident (2018): 81, 82 or 83."""
    number = squeeze(value)
    if number[:6] not in resident_id.RESIDENCE_PERMITS:
        return DOCUMENT
    return check_resident_id(number, today=today)


def check_document(value: str, *, today: date) -> str | Problem:
    """Check any document of the category "passport and others": the first form that fits.

    A resident ID number is sent to its own field: it is another category, judged on its own.
    """
    number = squeeze(value)
    if _PLAIN_DOCUMENT.fullmatch(number):
        return number
    if len(number) == 18 and number[0] == "9":  # noqa: PLR2004  # characters of the newer card
        return check_permanent_resident(number, today=today)
    if number[:6] in resident_id.RESIDENCE_PERMITS:
        return check_residence_permit(number, today=today)
    if resident_id.is_resident_id(number):
        return RESIDENT_ID_HERE
    passport = check_passport(number, today=today)
    return DOCUMENT if passport is PASSPORT else passport
