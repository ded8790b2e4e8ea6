"""The resident identity number of GB 11643-1999, and what it tells besides.

Eighteen characters: six of the division where it was first given (GB/T 2260), eight of the birth
date, three of a sequence (odd for males), one check character by ISO 7064 MOD 11-2. Until 2013 cards
with fifteen digits were valid: two digits of the year, no check character; they are brought to
eighteen as the standard says, so that one person has one number.

Because the number tells sex, birth date and home area, asking for it asks for these too; the notice
says so (PIPL 17).
"""

import re
from dataclasses import dataclass
from datetime import date
from operator import mul

# GB/T 2260: the first two digits. 81, 82 and 83 are the residence permits of Hong Kong, Macao and
# Taiwan residents (2018), which carry a number of the same form.
PROVINCES = {
    "11": ("北京市", "Beijing"),
    "12": ("天津市", "Tianjin"),
    "13": ("河北省", "Hebei"),
    "14": ("山西省", "Shanxi"),
    "15": ("内蒙古自治区", "Inner Mongolia"),
    "21": ("辽宁省", "Liaoning"),
    "22": ("吉林省", "Jilin"),
    "23": ("黑龙江省", "Heilongjiang"),
    "31": ("上海市", "Shanghai"),
    "32": ("江苏省", "Jiangsu"),
    "33": ("浙江省", "Zhejiang"),
    "34": ("安徽省", "Anhui"),
    "35": ("福建省", "Fujian"),
    "36": ("江西省", "Jiangxi"),
    "37": ("山东省", "Shandong"),
    "41": ("河南省", "Henan"),
    "42": ("湖北省", "Hubei"),
    "43": ("湖南省", "Hunan"),
    "44": ("广东省", "Guangdong"),
    "45": ("广西壮族自治区", "Guangxi"),
    "46": ("海南省", "Hainan"),
    "50": ("重庆市", "Chongqing"),
    "51": ("四川省", "Sichuan"),
    "52": ("贵州省", "Guizhou"),
    "53": ("云南省", "Yunnan"),
    "54": ("西藏自治区", "Tibet"),
    "61": ("陕西省", "Shaanxi"),
    "62": ("甘肃省", "Gansu"),
    "63": ("青海省", "Qinghai"),
    "64": ("宁夏回族自治区", "Ningxia"),
    "65": ("新疆维吾尔自治区", "Xinjiang"),
    "71": ("台湾省", "Taiwan"),
    "81": ("香港特别行政区", "Hong Kong"),
    "82": ("澳门特别行政区", "Macao"),
    "83": ("台湾居民居住证", "Taiwan residents' permit"),
}
RESIDENCE_PERMITS = frozenset({"810000", "820000", "830000"})
EARLIEST = 1890  # year of birth: nobody alive was born before

_NUMBER = re.compile(r"[0-9]{17}[0-9X]")
_OLD_NUMBER = re.compile(r"[0-9]{15}")
# ISO 7064 MOD 11-2: position i of 18 weighs 2^(18-i) mod 11; all weighted digits sum to 1 mod 11.
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ZEROS = 48 * sum(_WEIGHTS)  # the digits are weighed as bytes, "0" being 48
_CHECKS = "10X98765432"


@dataclass(frozen=True, slots=True)
class Told:
    """What a number says about its holder.

    Attributes:
        birth: Date of birth.
        sex: ``male`` or ``female``.
        area: Division code of GB/T 2260, six digits, where the number was first given.
        province: Its province, in Chinese and English.
    """

    birth: date
    sex: str
    area: str
    province: tuple[str, str]


def check_character(first: str) -> str:
    """Return the check character of the first 17 digits (ISO 7064 MOD 11-2)."""
    return _CHECKS[(sum(map(mul, first.encode(), _WEIGHTS)) - _ZEROS) % 11]


def is_resident_id(number: str) -> bool:
    """Tell whether ``number`` (18 characters, upper case) is a valid number of any birth date."""
    return _NUMBER.fullmatch(number) is not None and fault(number, date.max) is None


def is_old_form(number: str) -> bool:
    """Tell whether ``number`` has the form of fifteen digits."""
    return _OLD_NUMBER.fullmatch(number) is not None


def is_form(number: str) -> bool:
    """Tell whether ``number`` has the form of eighteen characters."""
    return _NUMBER.fullmatch(number) is not None


def upgrade(number: str) -> str:
    """Return the 18 characters of a fifteen-digit ``number`` (GB 11643-1999: the year gets "19")."""
    first = f"{number[:6]}19{number[6:]}"
    return first + check_character(first)


def fault(number: str, today: date) -> str | None:
    """Return what is wrong with 18 well-formed characters, or None.

    Returns:
        ``region``, ``birth-date``, ``future`` or ``check-digit``: the first that applies. The check
        character comes last, so that a person learns of the part that is easier to find.
    """
    if number[:2] not in PROVINCES:
        return "region"
    year = int(number[6:10])
    try:
        birth = date(year, int(number[10:12]), int(number[12:14]))
    except ValueError:
        return "birth-date"
    if year < EARLIEST:
        return "birth-date"
    if birth > today:
        return "future"
    return None if check_character(number[:17]) == number[17] else "check-digit"


def tell(number: str) -> Told:
    """Return what a valid ``number`` of 18 characters says (pure, no look-up elsewhere)."""
    return Told(
        birth=date(int(number[6:10]), int(number[10:12]), int(number[12:14])),
        sex="male" if int(number[16]) % 2 else "female",
        area=number[:6],
        province=PROVINCES[number[:2]],
    )
