"""The beginning of a value is kept, the rest becomes stars: ``1234`` → ``123*`` → ``12**``.

A form is as long as the value, and stars only grow: so each follows from the one below it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from epilock.deidentify.rules.rule import UnfitError, check_order
from epilock.errors import InputError

STAR = "*"
_BETWEEN = re.compile(r"[\s().\-—–]")
_NUMBER = re.compile(r"[0-9]{7,15}")  # of a telephone: ITU-T E.164 allows 15 digits
_POSTCODE = re.compile(r"[0-9]{6}")


def cut(value: str, keep: int) -> str:
    """Return the first ``keep`` characters, and a star for each other one."""
    return value[:keep] + STAR * max(0, len(value) - keep)


@dataclass(frozen=True, slots=True)
class Prefix:
    """Redaction from the end.

    Attributes:
        keep: How many characters stay, level by level; or
        hide: how many at the end become stars, level by level.
    """

    kind: ClassVar[str] = "prefix"
    listed: ClassVar[Sequence[str]] = ()
    keep: tuple[int, ...] = ()
    hide: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.keep) == bool(self.hide):
            raise InputError("give either keep or hide, a list with a number for each level")
        check_order("keep" if self.keep else "hide", self.keep or self.hide, rising=bool(self.hide))
        if min(self.keep or self.hide) < (0 if self.keep else 1):
            raise InputError("numbers of characters are 0 or more, and hide begins at 1")

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the value with more and more stars."""
        if self.keep:
            return tuple(cut(value, many) for many in self.keep)
        return tuple(cut(value, max(0, len(value) - many)) for many in self.hide)


@dataclass(frozen=True, slots=True)
class Phone:
    """Telephone numbers: 7 digits tell operator and city, 3 the operator.

    Blanks, hyphens, brackets and a leading ``+86`` or ``0086`` are no part of the number.

    Attributes:
        keep: How many digits stay, level by level.
    """

    kind: ClassVar[str] = "phone"
    listed: ClassVar[Sequence[str]] = ()
    keep: tuple[int, ...] = (7, 3)

    def __post_init__(self) -> None:
        check_order("keep", self.keep, rising=False)
        if min(self.keep) < 0:
            raise InputError("keep: numbers of digits are 0 or more")

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the number with more and more stars."""
        bare = _BETWEEN.sub("", value)
        digits = re.sub(r"^(?:\+|00)86", "", bare).removeprefix("+")
        if not _NUMBER.fullmatch(digits):
            raise UnfitError("a telephone number has 7 to 15 digits")
        return tuple(cut(digits, many) for many in self.keep)


@dataclass(frozen=True, slots=True)
class Postcode:
    """Chinese postcodes: six digits; two tell the province, three the postal area, four the county.

    Attributes:
        keep: How many digits stay, level by level.
    """

    kind: ClassVar[str] = "postcode"
    listed: ClassVar[Sequence[str]] = ()
    keep: tuple[int, ...] = (4, 3, 2)

    def __post_init__(self) -> None:
        check_order("keep", self.keep, rising=False)
        if min(self.keep) < 0:
            raise InputError("keep: numbers of digits are 0 or more")

    def forms(self, value: str) -> tuple[str, ...]:
        """Return the postcode with more and more stars."""
        if not _POSTCODE.fullmatch(value):
            raise UnfitError("a postcode has six digits")
        return tuple(cut(value, many) for many in self.keep)
