"""Addresses in Chinese by their administrative words: 省, 市, 区 or 县, 街道, 镇 or 乡.

A form is the address's beginning up to a unit. Each level is cut from the form below it, so that each
follows from the one below; where a unit is not named, the next larger one that is stands for it, or ``*``.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from epilock.deidentify.rows.hierarchy import ROOT
from epilock.deidentify.rules.rule import UnfitError, check_levels
from epilock.errors import InputError

Unit = Literal["street", "district", "city", "province"]
UNITS: tuple[Unit, ...] = ("province", "city", "district", "street")
_MUNICIPALITIES = "北京|天津|上海|重庆"
_PROVINCES = "河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|甘肃|青海|台湾"
_REGIONS = (
    "内蒙古(?:自治区)?|广西(?:壮族自治区)?|西藏(?:自治区)?|宁夏(?:回族自治区)?|新疆(?:维吾尔自治区)?"
    "|(?:香港|澳门)(?:特别行政区)?"
)
_PROVINCE = re.compile(rf"(?:(?:{_MUNICIPALITIES})市?|(?:{_PROVINCES})省?|{_REGIONS})")
_NAME = r"[^0-9０-９\s,，;；、号室栋]"
_CITY = re.compile(rf"{_NAME}{{1,10}}?(?:自治州|地区|盟|市(?!区))")
_DISTRICT = re.compile(rf"{_NAME}{{1,14}}?(?:自治县|自治旗|新区|区|县|旗|市(?![区市]))")
_STREET = re.compile(rf"{_NAME}{{1,14}}?(?:街道办事处|街道|镇|乡|苏木)")
_BLANK = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Address:
    """Written addresses, cut after a unit.

    Attributes:
        levels: Some of street, district, city and province, in this order.
        unknown: An address whose beginning is no province, city, district or street: ``refuse`` it, or
            ``hide`` it (it becomes ``*``).
    """

    kind: ClassVar[str] = "address"
    listed: ClassVar[Sequence[str]] = ()
    levels: tuple[Unit, ...] = ("district", "city", "province")
    unknown: Literal["refuse", "hide"] = "refuse"

    def __post_init__(self) -> None:
        check_levels("levels", self.levels)
        places = [-UNITS.index(level) for level in self.levels]
        if places != sorted(set(places)):
            raise InputError(f"levels go from fine to coarse, each once: {', '.join(UNITS[::-1])}")

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the address's beginnings."""
        found: list[str] = []
        form = _BLANK.sub("", value)
        for level in self.levels:
            form = ROOT if form == ROOT else _cut(form, level)
            if form == ROOT and not found and self.unknown == "refuse":
                raise UnfitError(
                    'an address that begins with a province, city or district is wanted; unknown = "hide"'
                    " makes others *"
                )
            found.append(form)
        return tuple(found)


def _cut(address: str, level: Unit) -> str:
    """Return ``address`` up to its last unit of ``level`` or above; ``*`` if it names none."""
    end = 0
    for unit, shape in zip(UNITS, (_PROVINCE, _CITY, _DISTRICT, _STREET), strict=True):
        found = shape.match(address, end)
        if found:
            end = found.end()
        if unit == level:
            break
    return address[:end] or ROOT
