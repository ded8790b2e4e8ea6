"""Synonyms: the table of words that forms use, and where they stand in a label.

The table (``synonyms.toml``) is data; this module only finds its words. What they say together is
decided in ``label``.

Rules kept in this file:
  1. The longest word wins over what lies inside or across it: "体温计" is no temperature.
  2. A Latin word is a whole word; a Chinese one may stand anywhere.
  3. A name of a column ("sfzh", "id_no") is compared as a whole, then by its parts.
  4. One word has one sense; a table that gives it two is refused when it is loaded.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any

from epilock.errors import StandardFileError
from epilock.standard.wording import CLOSE, OPEN, Wording, bare, name_parts, squash

META, NONE, SELF = "meta", "none", "self"
SPECIAL = frozenset({META, NONE, SELF})
START = 2  # characters of a word by which its length is known
_GAP_MIDDLE = r"[^();]{0,70}?"
_GAP_END = r"[^();]{0,80}"
_GAP_SHORT = r"[^();|]{1,3}"
_GAP = re.compile("([…‥])")
_NUMBER = re.compile(r"\bnumber$|^number(?= of )")


@dataclass(frozen=True, slots=True)
class Sense:
    """What a word says: a category, or one of ``meta``, ``none`` and ``self``.

    Attributes:
        code: Of the category, or special.
        weak: Only when the label says nothing else.
        at: Circumstance -> category, where it means something else.
    """

    code: str
    weak: bool = False
    at: Mapping[str, str] = field(default_factory=dict, compare=False, hash=False)


@dataclass(frozen=True, slots=True)
class Hit:
    """A word of the table, found at ``start:end`` of a reduced label.

    Attributes:
        code: What it says at the circumstance asked for.
        weak: Whether it counts only when nothing else is said.
        bracketed: Whether it stands in brackets.
        alone: Category it names when it stands alone ("患者": a name), or "".
        gap: Whether it takes in other words ("我已阅读…").
    """

    start: int
    end: int
    code: str
    weak: bool
    bracketed: bool = False
    alone: str = ""
    gap: bool = False

    @property
    def names(self) -> bool:
        """Whether it names a category, or that there is none, by itself."""
        return not self.weak and self.code not in {META, SELF}

    def moved(self, by: int) -> "Hit":
        """Return the same word ``by`` characters further on."""
        return replace(self, start=self.start + by, end=self.end + by)


@dataclass(frozen=True, slots=True)
class Holder:
    """A category that stands for another person, or a place, and takes in attributes.

    Attributes:
        absorbs: Categories that are part of it: a guardian's name is the guardian.
        place: It is a place or body: it takes in its address, but has no telephone of its own.
    """

    absorbs: frozenset[str]
    place: bool


class Synonyms:
    """The table, ready to be asked.

    Attributes:
        version: Of the table.
        categories: Codes it has words for.
        holders: Those of them that stand for persons and places.
        pictures: Category -> category of a picture of it.
        swallows: Category -> those that are part of it when one label names both.
        of_place: Words that, beside the name of a place, are about it.
        codings: Terminology and code of a question -> category.
        relations: Words that say what somebody is to another.
        inherits: Labels, bare, that lean on the question before them.
        index: Labels that number the lines, in whatever group.
        conditional: Beginnings of labels that do, if they name nothing else.
        wording: The form in which words are compared.
    """

    def __init__(self, data: Mapping[str, Any], name: str = "synonyms.toml") -> None:
        """Read the parsed table ``data``.

        Raises:
            StandardFileError: A word is given twice with different senses, or a table is missing.
        """
        self._name = name
        try:
            self._build(data)
        except (KeyError, TypeError, AttributeError, ValueError) as e:
            raise StandardFileError(
                f"{name}: an entry is missing or of another kind: {e}"
            ) from None

    @staticmethod
    @cache
    def load() -> "Synonyms":
        """Return the packaged table."""
        text = resources.files(__package__).joinpath("synonyms.toml").read_text("utf-8")
        return Synonyms(tomllib.loads(text))

    def _build(self, data: Mapping[str, Any]) -> None:
        self.version = str(data["version"])
        fold = dict(zip(data["fold"]["traditional"], data["fold"]["simplified"], strict=True))
        self.wording = Wording(fold, data["words"])
        self.categories = tuple(data["category"])
        self.pictures: Mapping[str, str] = dict(data["image"])
        self.swallows: Mapping[str, frozenset[str]] = {
            code: frozenset(inside) for code, inside in data["swallows"].items()
        }
        self.codings: Mapping[tuple[str, str], str] = {
            (system, code): category
            for system, table in data["coding"].items()
            for category, codes in table.items()
            for code in codes
        }
        self.of_place = frozenset(data["filler"]["of_place"])
        self.relations = tuple(data["filler"]["relations"])
        self.holders = {
            code: Holder(frozenset(table["absorbs"]), bool(table.get("place")))
            for code, table in data["category"].items()
            if "absorbs" in table
        }
        filler = data["filler"]
        self._prefixes = tuple(filler["prefixes"])
        self.inherits = frozenset(bare(self.wording.reduce(t)) for t in filler["inherits"])
        self.index = frozenset(self.wording.reduce(t) for t in data["meta"].get("index", ()))
        self.conditional = tuple(self.wording.reduce(t) for t in filler["conditional"])
        self._words: dict[str, Sense] = {}
        self._alone: dict[str, str] = {}
        self._gaps: list[tuple[str, re.Pattern[str], Sense]] = []
        self._codes: dict[str, Sense] = {}
        self._add(filler["self"], Sense(SELF))
        for code in (META, NONE):
            self._add_table(data[code], code)
        for code, table in data["category"].items():
            self._add_table(table, code)
        self._add_staff(data["staff"])
        for entry in data["depends"]:
            at = {place: code for code, places in entry["at"].items() for place in places}
            sense = Sense(entry["else"] or NONE, weak=bool(entry.get("weak")), at=at)
            self._add([*entry.get("zh", ()), *entry.get("en", ())], sense)
        self._add_numbers()
        self._lengths = _lengths(self._words)
        self._gaps_by_start: dict[str, list[int]] = {}
        for n, (piece, _, _) in enumerate(self._gaps):
            self._gaps_by_start.setdefault(piece[0], []).append(n)
        self._add_fillers([*filler["zh"], *filler["en"]])

    def _add_staff(self, table: Mapping[str, Any]) -> None:
        """Add those who fill a form in, and their names: nobody the form is about."""
        for word in table["zh"]:
            self._add([word, f"{word}姓名", f"{word}名字"], Sense(META))
            self._add([f"被{word}姓名"], Sense("identity.name"))  # to whom it was done
        for word in table["en"]:
            self._add([word, f"{word} name", f"name of {word}", f"name of the {word}"], Sense(META))

    def _add_numbers(self) -> None:
        """Let ``no`` and ``num`` stand for ``number``, where they say nothing else."""
        for key, sense in list(self._words.items()):
            for short in ("no", "num"):
                other = _NUMBER.sub(short, key)
                if other != key:
                    self._words.setdefault(other, sense)

    def _add_fillers(self, words: Iterable[str]) -> None:
        fillers = {self.wording.reduce(w) for w in words} - {""}
        self._filler_words = frozenset(w for w in fillers if w.isascii())
        chinese = sorted((w for w in fillers if not w.isascii()), key=len, reverse=True)
        self._fillers = re.compile("|".join(map(re.escape, chinese)))

    def _add_table(self, table: Mapping[str, Any], code: str) -> None:
        self._add([*table.get("zh", ()), *table.get("en", ())], Sense(code))
        self._add([*table.get("weak_zh", ()), *table.get("weak_en", ())], Sense(code, weak=True))
        for term in table.get("codes", ()):
            known = self._codes.setdefault(squash(term), Sense(code))
            if known.code != code:
                raise StandardFileError(
                    f"{self._name}: the name {term!r} stands for {known.code} and {code}"
                )

    def _add(self, terms: Iterable[str], sense: Sense) -> None:
        for term in terms:
            if _GAP.search(term):
                self._gaps.append(self._gap(term, sense))
                continue
            key = self.wording.reduce(term)
            if not key:
                raise StandardFileError(f"{self._name}: {term!r} is empty once reduced")
            known = self._words.get(key)
            if known is not None and known.code == SELF != sense.code:
                self._alone[key] = sense.code  # "患者" is whose it is; alone, it is the name
            elif known is not None and (
                known.code != sense.code or bool(known.at) != bool(sense.at)
            ):
                raise StandardFileError(
                    f"{self._name}: {term!r} stands for {known.code} and {sense.code}"
                )
            elif known is None or known.weak:
                self._words[key] = sense

    def _gap(self, term: str, sense: Sense) -> tuple[str, re.Pattern[str], Sense]:
        first, *rest = _GAP.split(term)
        pieces = [self.wording.reduce(first)]
        pattern = _bounded(pieces[0])
        for gap, text in zip(rest[::2], rest[1::2], strict=True):
            pieces.append(self.wording.reduce(text))
            last = len(pieces) * 2 - 2 == len(rest) and not pieces[-1]
            long = _GAP_END if last else _GAP_MIDDLE
            pattern += (_GAP_SHORT if gap == "‥" else long) + _bounded(pieces[-1])
        return max(pieces, key=len), re.compile(pattern), sense

    # -- finding ---------------------------------------------------------------------------------------

    def find(self, label: str, text: str, circumstance: str) -> list[Hit]:
        """Return the words found in a label, in order, none overlapping another.

        Args:
            label: As the form has it: a name of a column is told from its capitals.
            text: The same, reduced.
            circumstance: Where it is asked, or "".
        """
        name = squash(label) if label.isascii() and name_parts(label) else ""
        if name and (sense := self._code(name)) is not None:
            return [Hit(0, len(text), sense.at.get(circumstance, sense.code), sense.weak)]
        found = sorted(self._found(text), key=lambda h: (h[0] - h[1], h[2].weak, h[0]))
        taken = bytearray(len(text))
        hits = []
        for start, end, sense in found:
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                inside = text.count(OPEN, 0, start) > text.count(CLOSE, 0, start)
                word = text[start:end]
                alone = self._alone.get(word, "") if sense.code == SELF else ""
                code = sense.at.get(circumstance, sense.code)
                gap = word not in self._words
                hits.append(Hit(start, end, code, sense.weak, inside, alone, gap))
        hits.sort(key=lambda h: h.start)
        if name and all(h.code in {META, SELF} for h in hits):
            hits = list(self._parts(label, circumstance)) or hits
        return hits

    def _code(self, name: str) -> Sense | None:
        """Return what the squashed name of a column says, with or without number and prefix."""
        plain = name.rstrip("0123456789")
        rest = [plain.removeprefix(p) for p in self._prefixes if plain.startswith(p)]
        forms = [name, plain, *(r for r in rest if len(r) > 1)]
        return next((self._codes[f] for f in forms if f in self._codes), None)

    def _parts(self, label: str, circumstance: str) -> Iterator[Hit]:
        """Yield what the parts of a name say, such as ``t_user_sfzh``."""
        for n, part in enumerate(name_parts(label)):
            sense = self._codes.get(part) if len(part) > 1 else None
            if sense is not None and sense.code != META:
                yield Hit(n, n + 1, sense.at.get(circumstance, sense.code), sense.weak)

    def _found(self, text: str) -> Iterator[tuple[int, int, Sense]]:
        """Yield every word of the table in ``text``, overlapping ones too."""
        for start in range(len(text)):
            if not _edge(text, start):
                continue
            for length in (1, *self._lengths.get(text[start : start + START], ())):
                end = start + length
                sense = self._words.get(text[start:end])
                if sense is not None and end <= len(text) and _edge(text, end):
                    yield start, end, sense
        begun = sorted({n for c in set(text) for n in self._gaps_by_start.get(c, ())})
        for piece, pattern, sense in (self._gaps[n] for n in begun):
            if piece in text:
                for m in pattern.finditer(text):
                    yield m.start(), m.end(), sense

    def mentions(self, text: str, code: str) -> bool:
        """Return whether some word of ``text``, also within a longer one, says ``code``."""
        return any(sense.code == code for _, _, sense in self._found(text))

    def covers(self, text: str, hits: Iterable[Hit]) -> bool:
        """Return whether ``text`` says nothing beyond ``hits``, brackets and fillers."""
        rest, depth, at = "", 0, {i for h in hits for i in range(h.start, h.end)}
        for i, c in enumerate(text):
            depth += (c == OPEN) - (c == CLOSE)
            rest += " " if i in at or depth > 0 or c in "()|;" else c
        rest = self._fillers.sub(" ", rest)
        return all(w in self._filler_words or w.isdigit() for w in rest.split())


def _lengths(words: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Return how long the words are that begin with each two characters: at a place of a text few are tried."""
    found: dict[str, set[int]] = {}
    for word in words:
        if len(word) >= START:
            found.setdefault(word[:START], set()).add(len(word))
    return {start: tuple(sorted(lengths)) for start, lengths in found.items()}


def _edge(text: str, at: int) -> bool:
    """Return whether a word may begin or end at ``at``: not within Latin letters or digits."""
    if at in {0, len(text)}:
        return True
    before, after = text[at - 1], text[at]
    return not (before.isascii() and before.isalnum() and after.isascii() and after.isalnum())


def _bounded(piece: str) -> str:
    """Return a pattern for ``piece`` that does not start or end within a Latin word."""
    pattern = re.escape(piece)
    if piece[:1].isascii() and piece[:1].isalnum():
        pattern = r"(?<![a-z0-9])" + pattern
    if piece[-1:].isascii() and piece[-1:].isalnum():
        pattern += r"(?![a-z0-9])"
    return pattern
