"""Generalisation hierarchies: what each value of an attribute becomes on each level.

Rules kept in this file:
  1. Level 0 is the value itself; each further level is coarser: values that look alike on one level look
     alike on all above it. A hierarchy that breaks this is refused, for roll-ups would be wrong.
  2. All rows have the same number of levels, no value stands twice.
  3. A message names file, row and column, and never a value: values are somebody's data.

File form (that of ARX): CSV, no header, ``;`` or ``,``; column 0 is the value, column n its form on level n.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from epilock.errors import FileFormatError, InputError, TooLargeError

MOST_BYTES = 256 << 20
MOST_LEVELS = 64
ROOT = "*"

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=False, eq=False)
class Hierarchy:
    """The levels of one attribute.

    Attributes:
        attribute: Name of the column.
        forms: For each level the different forms, in order of first appearance.
        codes: For each level and each value (in the order of ``forms[0]``) the number of its form.
    """

    attribute: str
    forms: tuple[tuple[str, ...], ...]
    codes: tuple[Codes, ...] = field(repr=False)

    @classmethod
    def from_rows(
        cls, attribute: str, rows: Iterable[Sequence[str]], *, named: str = ""
    ) -> "Hierarchy":
        """Return the hierarchy whose rows are a value and its forms, level by level.

        ``named`` says in errors where the rows come from; row numbers count from 1.

        Raises:
            InputError: No rows, ragged rows, a value twice, or a level that is not coarser than the one below.
        """
        where = named or f"hierarchy of {attribute}"
        table = [tuple(row) for row in rows]
        if not table:
            raise InputError(f"{where} is empty; write one row for each value")
        width = len(table[0])
        if not 1 <= width <= MOST_LEVELS:
            raise InputError(f"{where} has {width} levels; 1 to {MOST_LEVELS} can be read")
        for number, row in enumerate(table, 1):
            if len(row) != width:
                raise InputError(
                    f"{where}, row {number}: {len(row)} columns where row 1 has {width}; every value needs"
                    " a form on every level"
                )
        levels = list(zip(*table, strict=True))
        forms: list[tuple[str, ...]] = []
        codes: list[Codes] = []
        for level, column in enumerate(levels):
            numbers: dict[str, int] = {}
            code = np.fromiter(
                (numbers.setdefault(form, len(numbers)) for form in column), np.int32, len(column)
            )
            if level == 0 and len(numbers) < len(column):
                raise InputError(f"{where}, row {_repeated(code)}: this value stands twice")
            if level:
                _check_coarser(where, level, codes[-1], code)
            forms.append(tuple(numbers))
            codes.append(code)
        return cls(attribute, tuple(forms), tuple(codes))

    @classmethod
    def of_values(cls, attribute: str, values: Iterable[str]) -> "Hierarchy":
        """Return the hierarchy of two levels: the value, or ``*``."""
        return cls.from_rows(attribute, [(value, ROOT) for value in values])

    @property
    def height(self) -> int:
        """The number of the highest level."""
        return len(self.forms) - 1

    @property
    def size(self) -> int:
        """The number of values."""
        return len(self.forms[0])

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The code of each value on level 0."""
        return {value: code for code, value in enumerate(self.forms[0])}

    @cached_property
    def shares(self) -> tuple[npt.NDArray[np.float64], ...]:
        """For each level the share of the hierarchy's rows that each form stands for."""
        return tuple(
            np.bincount(code, minlength=len(forms)) / self.size
            for code, forms in zip(self.codes, self.forms, strict=True)
        )

    def lift(self, old: int, new: int) -> Codes:
        """Return for each form of level ``old`` its code on the level ``new`` above it."""
        lifted = np.empty(len(self.forms[old]), np.int32)
        lifted[self.codes[old]] = self.codes[new]
        return lifted


def read(path: Path, attribute: str) -> Hierarchy:
    """Return the hierarchy in the file ``path``.

    Raises:
        TooLargeError: More than 256 MiB.
        FileFormatError: Not UTF-8, or not CSV.
        InputError: See ``Hierarchy.from_rows``; the file can't be opened.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TooLargeError(f"{path.name} is larger than {MOST_BYTES >> 20} MiB")
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(
            f"the hierarchy file {path.name} can't be read: {error.strerror}"
        ) from None
    except UnicodeDecodeError as error:
        raise FileFormatError(
            f"{path.name} is not UTF-8 (octet {error.start}); save it as UTF-8"
        ) from None
    return parse(text, attribute, named=path.name)


def parse(text: str, attribute: str, *, named: str) -> Hierarchy:
    """Return the hierarchy that the CSV ``text`` states; raises as ``read`` does."""
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") >= first.count(",") else ","
    try:
        rows = [
            row for row in csv.reader(text.splitlines(), delimiter=delimiter, strict=True) if row
        ]
    except csv.Error as error:
        raise FileFormatError(f"{named} is not CSV: {error}") from None
    return Hierarchy.from_rows(attribute, rows, named=named)


def _check_coarser(where: str, level: int, below: Codes, here: Codes) -> None:
    """Return if equal forms below are equal here."""
    first = np.full(int(below.max()) + 1, -1, np.int32)
    order = np.arange(len(below) - 1, -1, -1)
    first[below[order]] = here[order]  # the first row of each form has the last word
    wrong = np.flatnonzero(first[below] != here)
    if len(wrong):
        row = int(wrong[0])
        other = int(np.flatnonzero(below == below[row])[0])
        raise InputError(
            f"{where}, row {row + 1}, column {level + 1}: rows {other + 1} and {row + 1} are alike on level"
            f" {level - 1} but not on level {level}; a higher level must not tell apart what a lower one"
            " has merged"
        )


def _repeated(code: Codes) -> int:
    seen: set[int] = set()
    for row, number in enumerate(code.tolist(), 1):
        if number in seen:
            return row
        seen.add(number)
    return 0
