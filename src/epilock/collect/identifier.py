"""Identifiers: resident and travel documents, telephones, plates, accounts; one check per category.

``CHECKS`` maps each category of the standard to its check (see ``answer`` for the shape of one). The
normalised text is what is sealed and what tags are made of: one person has one spelling.

Rules kept in this file:
  1. Every category of the standard has a check; what can't be typed (a face) has one that refuses.
  2. A number that belongs into another field is told so, not "invalid".
  3. Forms follow the issuer's rule where it is public (GB 11643-1999; ICAO 9303; the numbering plan;
     GA 36-2018 for plates); otherwise only length and alphabet are checked.
"""

import re
from collections.abc import Mapping
from datetime import date
from ipaddress import ip_address
from types import MappingProxyType

from epilock.collect import resident_id
from epilock.collect.answer import (
    Check,
    Choice,
    Problem,
    check_address,
    check_age_band,
    check_count,
    check_long_text,
    check_name,
    check_never,
    check_past_date,
    check_short_text,
    check_temperature,
    choice_check,
    fold,
    squeeze,
)

RESIDENT_ID = Problem(
    "resident-id",
    "居民身份证号为18位：17位数字加1位校验码（数字或X），请核对。",
    "A resident ID number has 18 characters: 17 digits and a check digit or X; please compare.",
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
EMAIL = Problem(
    "email",
    "请填写完整的电子邮箱，例如：name@example.cn。",
    "Please give a whole e-mail address, such as name@example.cn.",
)
PLATE = Problem(
    "plate",
    "请填写完整车牌号，例如：鲁A12345，新能源：鲁AD12345。",
    "Please give the whole plate number, such as 鲁A12345, or 鲁AD12345 for new energy.",
)
BANK = Problem(
    "bank-account",
    "请填写8至30位数字的银行账号，并逐位核对。",
    "Please give the bank account number, 8 to 30 digits, and compare digit by digit.",
)
CODE = Problem(
    "code",
    "请照单据填写编号：2至64位字母、数字或 - / . : _。",
    "Please copy the code: 2 to 64 letters, digits or - / . : _.",
)
IP = Problem(
    "ip", "请填写IP地址，例如：192.0.2.1。", "Please give an IP address, such as 192.0.2.1."
)

_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_ABROAD = re.compile(r"\+(?!86)[1-9][0-9]{6,14}")
_LANDLINE = re.compile(
    r"(0(?:10|2[0-9]|[3-9][0-9]{2}))([2-8][0-9]{6,7})(?:(?:转|EXT|#)([0-9]{1,6}))?"
)
_SERVICE = re.compile(r"[48]00[0-9]{7}")
_BRACKETS = str.maketrans("", "", "()（）")
# Ordinary E or G and 8 digits, E, a letter and 7 digits; diplomatic and service D, S, P; Hong Kong and
# Macao K, H, M; other states by ICAO 9303: up to nine letters and digits, at least one digit.
_PASSPORT = re.compile(r"(?=[A-Z]*[0-9])[A-Z0-9]{5,9}")
_MRZ = re.compile(r"([A-Z0-9]{5,9}<*)([0-9])")
_HK_MACAO = re.compile(r"[HM](?:[0-9]{8}|[0-9]{10})")
_TAIWAN = re.compile(r"[0-9]{8}")
_PERMANENT_OLD = re.compile(r"[A-Z]{3}[0-9]{12}")
_PLAIN_DOCUMENT = re.compile(r"[HM](?:[0-9]{8}|[0-9]{10})|[0-9]{8}|[A-Z]{3}[0-9]{12}")
_EMAIL = re.compile(
    r"[^\s@\"<>(),:;\[\]\\]{1,64}@(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_]"
)
_PROVINCE = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE = re.compile(
    rf"[{_PROVINCE}][A-HJ-NP-Z](?:[A-HJ-NP-Z0-9]{{4}}[A-HJ-NP-Z0-9挂学警港澳试超]"
    r"|[A-HJK][A-HJ-NP-Z0-9][0-9]{4}|[0-9]{5}[A-HJK])"
    r"|[0-9]{6}使|使[0-9]{6}"
    rf"|[{_PROVINCE}][A-HJ-NP-Z][0-9]{{4}}领"
    rf"|WJ[{_PROVINCE}]?[0-9]{{4}}[0-9A-Z]|[VKHBSLJNGCEZT军空海][A-Z][0-9]{{5}}"
)
_BANK = re.compile(r"[0-9]{8,30}")
_CARD = re.compile(r"62[0-9]{14,17}")
_CODE = re.compile(r"[A-Z0-9][A-Z0-9/.:_#()-]{0,62}[A-Z0-9)]", re.IGNORECASE)
_NUMBERS = re.compile(
    r"(?<![0-9])(?:(?:\+|00)?86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}(?![0-9])"
    r"|(?<![0-9])0[0-9]{2,3}[ -]?[2-8][0-9]{3}[ -]?[0-9]{3,4}(?![0-9])"
    r"|\+[1-9][0-9]{6,14}(?![0-9])"
)
_LETTER = re.compile(r"[^\W\d_]")
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def check_resident_id(value: str, *, today: date) -> str | Problem:
    """Check a resident ID number of GB 11643-1999; fifteen digits are brought to eighteen."""
    number = squeeze(value)
    if not resident_id.is_form(number):
        if not resident_id.is_old_form(number):
            return RESIDENT_ID
        number = resident_id.upgrade(number)
    fault = resident_id.fault(number, today)
    return number if fault is None else _RESIDENT_ID_FAULTS[fault]


def check_mobile(value: str, *, today: date) -> str | Problem:
    """Check a mobile: eleven digits of the mainland (+86 dropped), or + and 7 to 15 digits abroad."""
    del today
    if _MOBILE.fullmatch(value):
        return value
    number = squeeze(value).translate(_BRACKETS)
    if _ABROAD.fullmatch(number):
        return number
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


def check_email(value: str, *, today: date) -> str | Problem:
    """Check an e-mail address (RFC 5321 lengths); the domain is written in lower case."""
    del today
    text = fold(value)
    if len(text) > 254 or not _EMAIL.fullmatch(text) or ".." in text:  # noqa: PLR2004  # RFC 5321
        return EMAIL
    local, domain = text.rsplit("@", 1)
    return EMAIL if local.startswith(".") or local.endswith(".") else f"{local}@{domain.lower()}"


def check_plate(value: str, *, today: date) -> str | Problem:
    """Check a plate of the mainland (GA 36-2018), also of new energy, police, embassies, forces."""
    del today
    number = squeeze(value)
    return number if _PLATE.fullmatch(number) else PLATE


def check_bank_account(value: str, *, today: date) -> str | Problem:
    """Check a bank account: 8 to 30 digits; a UnionPay card (62) also by its Luhn digit."""
    del today
    number = squeeze(value)
    if not _BANK.fullmatch(number) or (_CARD.fullmatch(number) and not _luhn(number)):
        return BANK
    return number


def _luhn(number: str) -> bool:
    digits = [int(c) for c in reversed(number)]
    return (sum(digits[::2]) + sum(_LUHN_DOUBLED[d] for d in digits[1::2])) % 10 == 0


def check_code(value: str, *, today: date) -> str | Problem:
    """Check a code off a label: a sample, a case, a device; upper case, no spaces."""
    del today
    text = "".join(fold(value).split()).upper()
    return text if _CODE.fullmatch(text) else CODE


def check_ip(value: str, *, today: date) -> str | Problem:
    """Check an IPv4 or IPv6 address; return its shortest form."""
    del today
    try:
        return str(ip_address(fold(value)))
    except ValueError:
        return IP


def check_contact(value: str, *, today: date) -> str | Problem:
    """Check a person to call: one line with a name, a telephone number, or both.

    Forms of others often ask for the two in two fields of one category, so either alone is taken;
    digits alone must be a telephone number.
    """
    text = check_address(value, today=today)
    if text.__class__ is Problem or _LETTER.search(str(text)):
        return text
    return check_phone(str(text), today=today)


def phones_in(text: str) -> tuple[str, ...]:
    """Return the mobiles and land lines that stand in ``text``, normalised, in their order.

    It is how a person who was only mentioned (a contact, a guardian) is found by their own number.
    """
    found = (check_phone(part, today=date.min) for part in _NUMBERS.findall(fold(text)))
    return tuple(p for p in found if isinstance(p, str))


SEXES = (
    Choice("male", "男", "Male", ("m", "1")),
    Choice("female", "女", "Female", ("f", "2")),
    Choice("unstated", "未说明", "Not stated", ("9", "0", "未知", "unknown", "other", "其他")),
)
YES_NO = (
    Choice("yes", "是", "Yes", ("y", "true", "1", "有")),
    Choice("no", "否", "No", ("n", "false", "0", "无", "没有")),
    Choice("unknown", "不清楚", "Not sure", ("不知道", "未知", "unsure")),
)
RESULTS = (
    Choice("negative", "阴性", "Negative", ("neg", "-", "未检出", "not detected")),
    Choice("positive", "阳性", "Positive", ("pos", "+", "检出", "detected")),
    Choice("inconclusive", "待复核", "Inconclusive", ("可疑", "单阳", "indeterminate", "unclear")),
    Choice("pending", "未出结果", "Pending", ("待出", "检测中", "waiting")),
    Choice("not-tested", "未检测", "Not tested", ("not done", "未做")),
)
ISOLATION = (
    Choice("none", "未隔离", "Not isolated", ("无", "no")),
    Choice("home", "居家隔离", "At home", ("居家",)),
    Choice("central", "集中隔离", "At a quarantine site", ("集中", "facility")),
    Choice("hospital", "住院隔离", "In hospital", ("住院",)),
    Choice("released", "已解除", "Released", ("解除", "解除隔离")),
)
COLOURS = (
    Choice("green", "绿码", "Green", ("绿", "绿色")),
    Choice("yellow", "黄码", "Yellow", ("黄", "黄色")),
    Choice("red", "红码", "Red", ("红", "红色")),
    Choice("none", "无健康码", "None", ("无", "no code")),
)

# Categories answered from a closed list: the page shows these, the check takes only these.
CHOICES: Mapping[str, tuple[Choice, ...]] = MappingProxyType(
    {
        "identity.sex": SEXES,
        "identity.minor-under-14": YES_NO,
        "health.test-result": RESULTS,
        "health.isolation": ISOLATION,
        "health.code-status": COLOURS,
        "health.pregnancy": YES_NO,
    }
)

CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "identity.name": check_name,
        "identity.birth-date": check_past_date,
        "identity.age-band": check_age_band,
        "identity.nationality": check_short_text,
        "identity.ethnicity": check_short_text,
        "identity.resident-id": check_resident_id,
        "identity.passport": check_document,
        "identity.signature": check_name,
        "identity.case-id": check_code,
        "contact.mobile": check_mobile,
        "contact.email": check_email,
        "contact.address": check_address,
        "contact.area": check_address,
        "contact.emergency-contact": check_contact,
        "family.household": check_long_text,
        "family.guardian": check_contact,
        "work.employer": check_short_text,
        "work.occupation": check_short_text,
        "education.school": check_short_text,
        "health.temperature": check_temperature,
        "health.symptoms": check_long_text,
        "health.sample-id": check_code,
        "health.vaccination": check_long_text,
        "health.diagnosis": check_long_text,
        "health.history": check_long_text,
        "health.medication": check_long_text,
        "health.clinical-course": check_long_text,
        "biometric.face": check_never,
        "biometric.fingerprint": check_never,
        "biometric.voice": check_never,
        "biometric.gene": check_never,
        "location.check-in": check_address,
        "location.travel-history": check_long_text,
        "location.precise": check_long_text,
        "location.ticket": check_short_text,
        "location.plate": check_plate,
        "location.accommodation": check_address,
        "tracing.close-contacts": check_long_text,
        "tracing.exposure": check_long_text,
        "finance.bank-account": check_bank_account,
        "finance.payment": check_long_text,
        "online.account": check_short_text,
        "online.device-id": check_code,
        "online.ip": check_ip,
        "online.address-book": check_never,
        "online.content": check_never,
        "belief.religion": check_short_text,
        "image.id-document": check_never,
        "image.scene": check_never,
        "need.household-size": check_count,
        "need.supplies": check_long_text,
        **{category: choice_check(choices) for category, choices in CHOICES.items()},
    }
)
