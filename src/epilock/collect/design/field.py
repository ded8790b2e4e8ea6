"""A design: what a form asks, as its own words have it, before anyone judges it."""

from collections.abc import Sequence
from dataclasses import dataclass

from epilock.errors import FileFormatError, TooLargeError
from epilock.standard.wording import is_mostly_chinese

MAX_FIELDS = 2_000
MAX_TEXT = 4_000  # characters of one label; Excel's own limit for a cell is 32,767
MAX_LETTERS = 400_000  # of all labels, each with its groups: a second to judge, ten at worst


@dataclass(frozen=True, slots=True, kw_only=True)
class DesignField:
    """One thing that a form asks.

    Attributes:
        field: Its name in the file: column header, question name, linkId or field id; unaltered.
        label: What the person reads, unaltered; the name where there is no label.
        context: Texts of the groups it stands in, outermost first, joined by `` > ``.
        translations: The same label in other languages, asked for just as much.
        wordings: What else it is called, for a label that says nothing: its name, a hint, a code.
        category: Category that its designer or its type settles ("geopoint"), ``meta``, or "".
        coded: Category that a terminology's code for it says, if its own words say nothing, or "".
        otherwise: Category, or ``meta``, that its type suggests where words say nothing, or "".
        image: It takes a picture, so a label "identity card" asks for a picture of one.
        follows: Field id of the question it continues ("If other, please specify"), or "".
        required: Whether it must be answered, as far as the file says.
        depends: It is asked only where another answer calls for it.
        options: Its own list of answers as people read them; () where it is answered with a text, a number or a day;
            None where the file does not say.
        place: Where it stands, such as ``survey!A3``.
    """

    field: str
    label: str
    context: str = ""
    translations: tuple[str, ...] = ()
    wordings: tuple[str, ...] = ()
    category: str = ""
    coded: str = ""
    otherwise: str = ""
    image: bool = False
    follows: str = ""
    required: bool = False
    depends: bool = False
    options: tuple[str, ...] | None = None
    place: str = ""

    @property
    def letters(self) -> int:
        """How much there is to read: its labels in all languages and its groups."""
        return (
            len(self.label)
            + len(self.context)
            + sum(map(len, (*self.translations, *self.wordings)))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A form someone designed.

    Attributes:
        kind: ``toml``, ``xlsform``, ``fhir``, ``csv``, ``xlsx`` or ``pasted``.
        title: Its title, or "".
        language: ``zh`` or ``en``: the one most of its labels are written in.
        fields: What it asks, in its own order; at least one, at most 2,000.
    """

    kind: str
    title: str
    language: str
    fields: tuple[DesignField, ...]


def make(kind: str, title: str, fields: Sequence[DesignField], name: str) -> Design:
    """Return the design of ``fields``, its language told from their labels.

    Raises:
        FileFormatError: There is no field.
        TooLargeError: There are more than ``MAX_FIELDS`` fields or ``MAX_LETTERS`` characters, or a label is too long.
    """
    if not fields:
        raise FileFormatError(
            f"{name}: it asks nothing; a form has at least one question or column"
        )
    if len(fields) > MAX_FIELDS:
        raise TooLargeError(f"{name}: {len(fields)} fields; at most {MAX_FIELDS} are read")
    for f in fields:
        if max(len(f.label), len(f.field)) > MAX_TEXT:
            raise TooLargeError(
                f"{name}: the label at {f.place or 'a field'} exceeds {MAX_TEXT} characters"
            )
    if sum(f.letters for f in fields) > MAX_LETTERS:
        raise TooLargeError(
            f"{name}: its labels and groups exceed {MAX_LETTERS:,} characters; shorten them or give it in parts"
        )
    chinese = sum(is_mostly_chinese(f.label) for f in fields)
    language = "zh" if chinese * 2 >= len(fields) else "en"
    return Design(kind=kind, title=title.strip()[:200], language=language, fields=tuple(fields))
