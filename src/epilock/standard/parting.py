"""Parting: where one label names several things with nothing but blanks or signs between them.

A blank parts two things, or only stands within one: "身份证号 姓名" asks two, "联系 电话" and "是否 发热"
ask one. The words of the table decide, not the blank:
  1. A blank within a word of the table parts nothing, unless a thing is named on both sides of it, or
     the word is a sentence about the form that takes in whatever follows ("我已阅读并同意").
  2. What says nothing of its own ("是否", "学生", "2.", a single character) belongs to its neighbour.
  3. What stands in brackets stays with what it is said of.
  4. Every other piece stands alone. Between Latin words a blank parts nothing.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from epilock.standard.synonyms import META, SELF, SPECIAL, Hit

BLANKS = re.compile(r"\s+")
RULES = re.compile(r"[\s_＿\-–—]+")  # and lines, which stand for blanks in a narrow header
SIGNS = re.compile(r"[\s_＿\-–—、/／|｜&＆+＋及和与]+")
Piece = tuple[str, str]  # the sign that stands before it, and its text
AHEAD, FAR = 4, 8  # pieces and characters within which a word is sought that goes across a blank

_CHINESE = re.compile("[\u3400-\u9fff]")
_BETWEEN = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")
_OPEN, _CLOSE = "(（[{【〔〖《「『〈", ")）]}】〕〗》」』〉"
_BRACKETED = re.compile(
    rf"[{re.escape(_OPEN)}][^{re.escape(_OPEN + _CLOSE)}]*[{re.escape(_CLOSE)}]"
)


def close(text: str) -> str:
    """Return ``text`` without the blanks between its Chinese characters."""
    return _BETWEEN.sub("", text.strip())


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a label that is not parted further.

    Attributes:
        text: As the label has it.
        codes: Categories that it names by itself.
        strong: Whether a word of it names one wherever it stands.
        idle: Whether it only says whose, or asks to fill in.
        greedy: Whether it has a sentence about the form ("我已阅读…") that would take in what follows.
    """

    text: str
    codes: frozenset[str] = frozenset()
    strong: bool = False
    idle: bool = False
    greedy: bool = False

    @property
    def latin(self) -> bool:
        """Whether no Chinese stands in it."""
        return not _CHINESE.search(self.text)

    def goes_on(self, *, last: bool) -> bool:
        """Return whether it belongs to what stands before it (rule 2), as the last piece or not."""
        if self.idle:
            return last  # else it belongs to what comes
        return not self.codes and (len(self.text) == 1 or self.latin)


def unrepeated(parts: Sequence[Part]) -> list[str]:
    """Return the texts of ``parts``; what says the same again stays with what it repeats ("姓名 Name")."""
    texts: list[str] = []
    said: frozenset[str] = frozenset()
    for part in parts:
        if part.codes and part.codes <= said:
            texts[-1] += f" {part.text}"
        else:
            texts.append(part.text)
            said = part.codes
    return texts


@dataclass(frozen=True, slots=True)
class Parting:
    """Parts labels by the words of a table.

    Attributes:
        look_up: Label -> the same reduced, and its words.
        covers: Tells whether words are all that a reduced label says.
    """

    look_up: Callable[[str], tuple[str, list[Hit]]]
    covers: Callable[[str, Sequence[Hit]], bool]

    def parts(self, pieces: Sequence[Piece]) -> list[Part]:
        """Return what the ``pieces`` of a label name, those that are one thing put together.

        Some ten look-ups a piece: whoever asks sees to it that there are not too many.
        """
        parts, at = [self._part(pieces[0][1])], 1
        while at < len(pieces):
            last = parts[-1]
            used = self._across(last, pieces[at : at + AHEAD])
            if used or last.idle:
                taken = pieces[at : at + (used or 1)]
                parts[-1] = self._joined(last, taken, across=bool(used))
                at += len(taken)
                continue
            part = self._part(pieces[at][1])
            used = 1 + self._across(part, pieces[at + 1 : at + 1 + AHEAD])
            taken = pieces[at : at + used]
            part = self._joined(part, taken[1:], across=True) if used > 1 else part
            at += used
            if part.goes_on(last=at == len(pieces)):
                parts[-1] = self._joined(last, taken, across=False)
            else:
                parts.append(part)
        return parts

    def pieces(self, label: str, at: re.Pattern[str] = BLANKS) -> list[Piece]:
        """Return ``label`` in pieces, parted where ``at`` stands beside Chinese, by one look-up at most."""
        return list(self._pieces(label, at))

    def _pieces(self, label: str, at: re.Pattern[str]) -> Iterator[Piece]:
        kept = [m.span() for m in _BRACKETED.finditer(label)]
        if kept and not self._part(_BRACKETED.sub(" ", label)).codes:
            kept = []
        start, sign = 0, ""
        for found in at.finditer(label):
            i, k = found.span()
            near = bisect_right(kept, (k, len(label)))  # none but the last that begins by here
            inside = any(a < i < b or a == k for a, b in kept[max(0, near - 1) : near])
            if start < i and k < len(label) and not inside and _is_place(label, i, k):
                yield sign, label[start:i]
                start, sign = k, found[0]
        yield sign, label[start:]

    def _part(self, text: str) -> Part:
        reduced, hits = self.look_up(close(text))
        whole = self.covers(reduced, hits)
        strong = [h for h in hits if h.names]
        named = strong or [h for h in hits if whole and h.code not in SPECIAL]
        idle = whole and all(h.code == SELF for h in hits)
        greedy = any(h.gap and h.code == META for h in hits)
        return Part(text, frozenset(h.code for h in named), bool(strong), idle, greedy)

    def _across(self, last: Part, ahead: Sequence[Piece]) -> int:
        """Return how many of the pieces ``ahead`` a word takes in that begins in ``last``, or 0 (rule 1)."""
        end, rest = _end(last.text), ""
        for n, (sign, text) in enumerate(ahead, 1):
            rest += text if n == 1 else sign.strip() + text
            if n > 1 and len(rest) > FAR:
                break
            if self._words(end + rest) != [*self._words(end), *self._words(rest)]:
                first = last.greedy or (last.strong and not last.latin)
                two = first and self._part(rest).strong
                return 0 if two else n  # "IP 地址" is one
        return 0

    def _words(self, text: str) -> list[str]:
        reduced, hits = self.look_up(text)
        return [reduced[h.start : h.end] for h in hits]

    def _joined(self, last: Part, pieces: Sequence[Piece], *, across: bool) -> Part:
        """Return ``last`` with ``pieces`` after it; of a long one only the end is looked at again."""
        text = "".join(sign + text for sign, text in pieces)
        end = self._part(close(last.text[-FAR:] + text))
        return Part(
            last.text + text,
            end.codes if across else last.codes | end.codes,
            strong=last.strong or end.strong,
            idle=last.idle and end.idle,
            greedy=last.greedy or end.greedy,
        )


def _end(text: str) -> str:
    """Return the last ``FAR`` characters of ``text`` closed, at the cost of those only."""
    near = " ".join(text.rsplit(maxsplit=FAR)[-FAR:])
    return close(near[-2 * FAR :])[-FAR:]


def _is_place(label: str, start: int, end: int) -> bool:
    """Return whether the sign at ``start:end`` stands beside a Chinese word or brackets, or breaks a line."""
    before, after = label[max(0, start - FAR) : start].split(), label[end : end + FAR].split()
    beside = "".join((*before[-1:], *after[:1]))
    return "\n" in label[start:end] or bool(_CHINESE.search(beside)) or label[start - 1] in _CLOSE
