"""Codes of administrative divisions: GB/T 2260 (six digits), and with streets and villages nine or twelve.

Two digits are the province, four the city, six the county (GB/T 2260-2007); nine the street or town
(GB/T 10114), twelve the village or community (as the National Bureau of Statistics numbers them). A form
is the code's beginning: it follows from every longer beginning.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from epilock.deidentify.rules.rule import UnfitError, check_order
from epilock.errors import InputError

LENGTHS = (2, 4, 6, 9, 12)
_PROVINCE = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[12]")
_CODE = re.compile(r"[0-9]{6}(?:[0-9]{3}(?:[0-9]{3})?)?")


@dataclass(frozen=True, slots=True)
class AreaCode:
    """Area codes by their beginning.

    Attributes:
        digits: How many digits stay, level by level: of 9, 6, 4 and 2.
    """

    kind: ClassVar[str] = "area-code"
    listed: ClassVar[Sequence[str]] = ()
    digits: tuple[int, ...] = (4, 2)

    def __post_init__(self) -> None:
        check_order("digits", self.digits, rising=False)
        if not set(self.digits) <= set(LENGTHS[:-1]):
            raise InputError("digits are some of 9 (street), 6 (county), 4 (city) and 2 (province)")

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the code's beginnings; one that is shorter stays whole."""
        if not _CODE.fullmatch(value):
            raise UnfitError("an area code has 6, 9 or 12 digits")
        if not _PROVINCE.match(value):
            raise UnfitError("an area code begins with the two digits of a province (GB/T 2260)")
        return tuple(value[:many] for many in self.digits)
