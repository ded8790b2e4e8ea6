"""What a person pasted: the questions of a form, one a line, or a row of headers copied out of a sheet."""

import re

from epilock.collect.design.field import Design, DesignField, make
from epilock.errors import TooLargeError
from epilock.standard.label import things

MAX_PASTED = 20_000  # characters; a form of 500 questions of 40 characters
NAME = "what was pasted"  # in messages

_CELLS = re.compile(r"\t")  # what a sheet puts between the cells that are copied out of it
_ALL = re.compile(
    r"[\t,，、;；|]"
)  # a comma may belong to a question, unless there is one line only
_CHINESE = "[\u3400-\u9fff]"
_WIDE = re.compile(  # a word of two characters set wide ("姓  名")
    rf"(?<!{_CHINESE})(?![男是有])({_CHINESE})[ \u3000]+({_CHINESE})(?!{_CHINESE})"
)


def read_pasted(text: str) -> Design:
    """Return the design of pasted text.

    Raises:
        FileFormatError: It holds nothing.
        TooLargeError: It is longer than ``MAX_PASTED`` characters, or has too many lines.
    """
    if len(text) > MAX_PASTED:
        raise TooLargeError(f"{NAME}: more than {MAX_PASTED:,} characters; give a file instead")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    between = _ALL if len(lines) == 1 else _CELLS
    cells = [part for line in lines for part in between.split(line)]
    parts = things(_WIDE.sub(r"\1\2", cell) for cell in cells)
    labels = [label for part in parts if (label := part.strip())]
    fields = [
        DesignField(field=label, label=label, place=f"question {number}")
        for number, label in enumerate(labels, 1)
    ]
    return make("pasted", "", fields, NAME)
