"""Identifiers: one check for each category of the standard, and those of plates, accounts and codes.

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
from epilock.collect.document import check_document, check_resident_id
from epilock.collect.telephone import check_contact, check_mobile

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
_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


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
CASUALTY = (
    Choice("safe", "平安", "Safe", ("安全",)),
    Choice("injured", "受伤", "Injured", ("伤", "hurt")),
    Choice("missing", "失联", "Missing", ("失踪",)),
    Choice("dead", "遇难", "Dead", ("死亡", "deceased")),
    Choice("unknown", "不清楚", "Not known", ("不知道", "未知")),
)

# Categories answered from a closed list: the page shows these, the check takes only these.
CHOICES: Mapping[str, tuple[Choice, ...]] = MappingProxyType(
    {
        "identity.sex": SEXES,
        "identity.minor-under-14": YES_NO,
        "identity.minor-14-17": YES_NO,
        "health.test-result": RESULTS,
        "health.isolation": ISOLATION,
        "health.code-status": COLOURS,
        "health.pregnancy": YES_NO,
        "casualty.status": CASUALTY,
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
        "need.special-care": check_long_text,
        "relief.loss": check_long_text,
        **{category: choice_check(choices) for category, choices in CHOICES.items()},
    }
)
