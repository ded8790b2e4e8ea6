"""Wordings: one label, written a hundred ways, brought to one form before words are looked up in it.

The same form serves the labels of forms and the words of the synonym table, so that whatever is
done to one is done to the other.

Rules kept in this file:
  1. Compatibility characters (full width, ligatures, units), case, traditional characters, plural and
     spelling variants make no difference; neither do numbering, asterisks and invisible characters.
  2. Latin words are one space apart; Chinese characters stand without spaces. So one text holds both.
  3. Punctuation is reduced to four signs: ``|`` joins things (、 / & +), ``;`` parts clauses, brackets
     are ``(`` and ``)``. Everything else is gone.
"""

import re
import unicodedata
from collections.abc import Mapping

JOIN, PART, OPEN, CLOSE = "|", ";", "(", ")"

_BRACKETS = str.maketrans(
    {**dict.fromkeys("([{<【〔〖《「『〈", OPEN), **dict.fromkeys(")]}>】〕〗》」』〉", CLOSE)}
)
_TAGS = re.compile(r"</?[a-zA-Z][^<>]{0,200}>|\$\{[^{}]{0,100}\}|&(?:nbsp|lt|gt|amp);")
_NUMBERING = re.compile(
    r"^[\s*★●○□☐#>-]*"
    r"(?:(?:[qQ](?:uestion)?\.?\s?|no\.\s?|第)?\(?\d{1,3}(?:[.-]\d{1,3}){0,3}(?:[题项])?\s*[.、:)\]]\s*(?!\d)"
    r"|\(?[一二三四五六七八九十]{1,3}\s*[、.)]\s*|[qQ]\d{1,3}\s+|[a-zA-Z]{1,5}\d{1,3}[a-z]?\s*[.:)_]\s*|\(?[a-zA-Z]\)\s*|[①-⑳]\s*)+"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_.$-]*")
_POSSESSIVE = re.compile(r"(?<=[a-z])['’`]s\b|['’`]")
_TOKEN = re.compile(r"[a-z0-9]+|\n|[^\sa-z0-9]")
_SQUASH = re.compile(r"[^a-z0-9]")
_SIGNS = re.compile(r"[ |;()]+")
_JOINS = frozenset("、/\\&+|·~～")
_PARTS = frozenset(",;:!?。…\n\r")
_SPELLING = (
    (re.compile(r"isation(s?)$"), "ization"),
    (re.compile(r"(?<=[a-z]{3})ised$"), "ized"),
    (re.compile(r"(?<=[a-z]{3})ising$"), "izing"),
    (re.compile(r"^colour"), "color"),
    (re.compile(r"^licence"), "license"),
    (re.compile(r"centre$"), "center"),
    (re.compile(r"(?<=[a-z]{2})ies$"), "y"),
    (re.compile(r"(?<=[a-z])(ss|x|ch|sh)es$"), r"\1"),
    (re.compile(r"(?<=[a-rt-z0-9])(?<![ui])s$"), ""),
)
SHORT = 3  # letters; shorter words have no plural worth removing (gps, sms, bus)


def _is_word(text: str) -> bool:
    return text.isascii() and text.isalnum()


def _stem(word: str) -> str:
    """Return ``word`` without plural, in American spelling; Chinese characters stay."""
    if len(word) <= SHORT or not word.isascii():
        return word
    for pattern, to in _SPELLING:
        word = pattern.sub(to, word, count=1)
    return word


class Wording:
    """Brings texts to one form.

    Attributes:
        fold: Traditional characters to simplified ones.
        words: Words to the ones the table is written in, such as ``身分`` to ``身份``.
    """

    def __init__(self, fold: Mapping[str, str], words: Mapping[str, str]) -> None:
        self.fold = str.maketrans(dict(fold))
        self.words = tuple(words.items())

    def reduce(self, text: str) -> str:
        """Return ``text`` in the form of rules 1-3, such as ``姓名|phone number``."""
        text = unicodedata.normalize("NFKC", _TAGS.sub(" ", text))
        text = "".join(
            c for c in text if unicodedata.category(c) not in {"Cf", "Cc", "Mn"} or c == "\n"
        )
        text = _NUMBERING.sub("", text.strip())
        if _IDENTIFIER.fullmatch(text):
            text = _HUMP.sub(" ", text)
        text = text.translate(self.fold).translate(_BRACKETS).lower()
        for word, to in self.words:
            text = text.replace(word, to)
        return _join(_POSSESSIVE.sub("", text))


def _join(text: str) -> str:
    """Return the tokens of ``text`` put together: one space between Latin words, none elsewhere."""
    pieces: list[str] = []
    for token in _TOKEN.findall(text):
        if token in _JOINS:
            piece = JOIN
        elif token in _PARTS:
            piece = PART
        elif token in {OPEN, CLOSE}:
            piece = token
        elif token.isalnum():
            piece = _stem(token)
        else:
            continue
        if pieces and _is_word(piece) and _is_word(pieces[-1]):
            pieces.append(" ")
        pieces.append(piece)
    return "".join(pieces).strip("|; ")


def bare(text: str) -> str:
    """Return a reduced text without its punctuation, to be compared as a whole."""
    return _SIGNS.sub(" ", text).strip()


def squash(text: str) -> str:
    """Return only the Latin letters and digits of ``text``, in lower case: the name of a column."""
    return _SQUASH.sub("", unicodedata.normalize("NFKC", text).lower())


def name_parts(text: str) -> tuple[str, ...]:
    """Return the parts of an identifier (``patSfzh``, ``hz_xm``), or nothing if it is none."""
    text = unicodedata.normalize("NFKC", text).strip()
    if not _IDENTIFIER.fullmatch(text):
        return ()
    return tuple(p for p in re.split(r"[^a-z0-9]+", _HUMP.sub("_", text).lower()) if p)


def is_mostly_chinese(text: str) -> bool:
    """Return whether ``text`` is read as Chinese: a Chinese character weighs as two letters."""
    chinese = sum("\u3400" <= c <= "\u9fff" for c in text)
    return chinese * 2 >= sum(c.isascii() and c.isalpha() for c in text) and chinese > 0
