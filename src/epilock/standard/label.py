"""Labels: from what a form calls a field to the category of the standard it asks for.

Guessing a category is harmless, guessing that a field holds no personal information is not: ``meta``
needs a label that says nothing else, and what no word explains stays unknown.

How a label is read, in this order:
  1. What stands in brackets counts only when the rest says nothing, other persons excepted
     ("电话（家长）").
  2. Words joined by 及, 、, / or "and" are several things ("姓名及电话"); words in a row are one
     thing, the last in Chinese ("身份证姓名" is a name), the one before a preposition in English.
     Blanks between Chinese words part several things where each names one (``parting``).
  3. Another person takes in name and telephone ("家长姓名及电话" is the guardian), keeps the rest
     as it is and is named beside it ("家长工作单位" is an employer, of a guardian).
  4. "If other, please specify" is what the question before it is; a label without a word of its own
     is what its group is about.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from epilock.standard.parting import RULES, SIGNS, Parting, Piece, close, unrepeated
from epilock.standard.synonyms import META, NONE, SELF, SPECIAL, Hit, Synonyms
from epilock.standard.wording import OPEN, bare

TELEPHONE, RELATION = "contact.mobile", "relation"
# Whose telephone stands beside their name; a column of companions is more often a list of names.
NEXT_TO = frozenset({"contact.emergency-contact", "family.guardian", "tracing.close-contacts"})
SEVERAL = 2
MAX_LABEL = 2_000  # characters; a longer label is prose and stays unknown
MAX_PIECES = 40  # of a label; more of them are not put together,
MAX_ROW = 500  # nor more of a row of questions,
MAX_LOOK_UPS = 20_000  # nor any after so many look-ups in one form: half a second

_CONNECTIVE = re.compile(r"[|;()]|及|和|与|或|跟|\b(?:and|or)\b")
_PREPOSITION = re.compile(
    r"\b(?:of|for|from|in|at|to|with|during|since|on|before|after|who|that|where|which|when|if)\b"
)
_DAY = re.compile(
    r"(?:\d{2,4}年)?(?:\d{1,2}月)?\d{1,2}[日号]?|\d{1,4} \d{1,2}(?: \d{1,4})?|"
    r"第?[一二三四五六七八九十\d]{1,3}[天日次周]|星期.|周.|day ?\d{1,3}"
)


@dataclass(frozen=True, slots=True)
class Match:
    """What a label asks for.

    Attributes:
        category: Code of the category, or None.
        meta: The label asks no personal information, or the system fills it in.
        also: Further categories that the same field asks for.
        unnamed: Part of what it asks has no category.
        inherits: It leans on the question before it ("If other, please specify").
    """

    category: str | None = None
    meta: bool = False
    also: tuple[str, ...] = ()
    unnamed: bool = False
    inherits: bool = False

    @property
    def known(self) -> bool:
        """Whether a category, or that none is needed, was found."""
        return self.category is not None or self.meta

    @property
    def parts(self) -> tuple[str, ...]:
        """Every category it asks for."""
        return (self.category, *self.also) if self.category else ()


UNKNOWN = Match()


def guess(label: str, context: str = "", *, circumstance: str = "") -> Match:
    """Return what ``label`` asks for, by the packaged table.

    Args:
        label: As the form has it: a header, a question, the name of a column.
        context: Texts of the groups it stands in, outermost first, joined by `` > ``.
        circumstance: Where it is asked; a few words ("arrival time") depend on it.
    """
    return Reader(Synonyms.load(), circumstance).read(label, context)


def is_known(label: str) -> bool:
    """Return whether ``label``, read as one thing, is understood: so a header is told from data."""
    return Reader(Synonyms.load()).read_whole(label).known


def things(lines: Iterable[str]) -> list[str]:
    """Return what ``lines`` ask, each thing by itself, where only blanks part Chinese questions in a row."""
    reader = Reader(Synonyms.load())
    return [thing for line in lines for thing in reader.things(line)]


def is_day(label: str) -> bool:
    """Return whether ``label`` only names a day ("2月3日", "第二天"): a title says what of."""
    return _DAY.fullmatch(Synonyms.load().wording.reduce(label)) is not None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the labels of one form by one table, as they are meant at one circumstance ("" for any).

    Attributes:
        looked_up: Labels and groups of that form -> the same reduced, and the words found in it.
    """

    synonyms: Synonyms
    circumstance: str = ""
    looked_up: dict[str, tuple[str, list[Hit]]] = field(
        default_factory=dict, compare=False, repr=False
    )

    def read(self, label: str, context: str = "") -> Match:
        """Return what ``label``, in the groups of ``context``, asks for: all of it, and each part."""
        whole = self.read_whole(label, context)
        if len(label) > MAX_LABEL:
            return whole
        strong = any(h.names for h in self._look_up(label)[1])
        pieces = self.parting.pieces(label, RULES if strong else SIGNS)
        if self._is_prose(pieces, MAX_PIECES):
            listed = self._read("；".join(text for _, text in pieces), context)
            codes = [*listed.parts, *whole.parts]
            return _match(codes, unnamed=listed.unnamed or whole.unnamed) if listed.parts else whole
        parts = self.parting.parts(pieces)
        named = [close(p.text).replace("\n", " ") for p in parts if p.codes]
        if len(named) < SEVERAL:
            return whole if whole.parts else self._behind(label, context) or whole
        if strong:  # read as a list; of weak words only the last would count
            named = ["；".join(named)]
        readings = [*(self._read(thing, context) for thing in named), whole]
        codes = [code for reading in readings for code in reading.parts]
        return _match(codes, unnamed=any(reading.unnamed for reading in readings))

    def _behind(self, label: str, context: str) -> Match | None:
        """Return what stands beside a sentence that would take it in ("我已阅读并同意 银行卡号"), if any does."""
        parts = self.parting.parts(self.parting.pieces(label, RULES))
        named = "；".join(close(p.text) for p in parts if p.strong)
        return self._read(named, context) if named and any(p.greedy for p in parts) else None

    def things(self, line: str) -> list[str]:
        """Return what ``line`` asks, each thing by itself; of too much, each piece."""
        pieces = self.parting.pieces(line)
        if self._is_prose(pieces, MAX_ROW):
            return [text for _, text in pieces]
        return unrepeated(self.parting.parts(pieces))

    def _is_prose(self, pieces: Sequence[Piece], most: int) -> bool:
        """Return whether ``pieces`` are too many to see which of them are one thing."""
        return len(pieces) > most or (len(pieces) > 1 and len(self.looked_up) > MAX_LOOK_UPS)

    def read_whole(self, label: str, context: str = "") -> Match:
        """Return what ``label`` asks for as one thing; its lines may be those of a narrow header."""
        if len(label) > MAX_LABEL:
            return UNKNOWN
        closed = close(label)
        gaps = ("", " ") if "\n" in closed else ("",)
        wrapped = [self._read(closed.replace("\n", gap), context) for gap in gaps]
        whole = max(wrapped, key=lambda m: (m.known, len(m.parts)))
        lines = self._read(label, context) if "\n" in label.strip() else UNKNOWN
        if len(lines.parts) <= len(whole.parts):  # else no "…" of a line takes in the next one
            return whole
        if not whole.parts:
            return lines
        return _match([*lines.parts, *whole.parts], unnamed=lines.unnamed or whole.unnamed)

    @property
    def parting(self) -> Parting:
        """What parts a label by the words of the table."""
        return Parting(self._look_up, self.synonyms.covers)

    def _read(self, label: str, context: str) -> Match:
        text, own = self._look_up(label)
        around = self._around(context)
        if any(h.names for h in own):
            return self._held(self._compose(text, own), own, around)
        leans = text.startswith(self.synonyms.conditional) and not any(h.code == META for h in own)
        if leans or bare(text) in self.synonyms.inherits:
            return Match(category=around.category, also=around.also, inherits=True)
        return self._faint(text, own, around)

    def _look_up(self, label: str) -> tuple[str, list[Hit]]:
        """Return ``label`` reduced, and its words; a label is asked several things and searched once."""
        if label not in self.looked_up:
            text = self.synonyms.wording.reduce(label)
            self.looked_up[label] = text, self.synonyms.find(label, text, self.circumstance)
        return self.looked_up[label]

    def _faint(self, text: str, own: Sequence[Hit], around: Match) -> Match:
        """Return what a label asks that no word of its own names."""
        whole = bool(own) and self.synonyms.covers(text, own)
        if any(h.code == META and not h.weak for h in own):
            return Match(meta=True) if whole else UNKNOWN
        if text in self.synonyms.index:
            return Match(meta=True)
        if around.category:
            return around
        if not whole:
            return UNKNOWN
        weak = [h for h in own if h.code not in SPECIAL]
        codes = [h.code for h in (reversed(weak) if text.isascii() else weak)]  # the head is last
        codes = [c for c in codes if c != "identity.name"] or codes  # "Country name" names nobody
        meta = any(h.code == META for h in own)  # "志愿者编号" is no volunteer's name,
        if not meta and sum(h.code == SELF for h in own) == 1:  # "Resident / visitor" a kind
            codes = codes or [h.alone for h in own if h.alone]
        if codes:
            return Match(category=codes[-1])
        nobodys = all(h.code != SELF for h in own)  # "职工编号" is a number of somebody
        return Match(meta=nobodys and any(h.code == META for h in own))

    def _around(self, context: str) -> Match:
        """Return what the nearest group with a word of its own is about."""
        for group in reversed([t[:MAX_LABEL] for t in context.split(" > ") if t.strip()]):
            text, hits = self._look_up(group)
            if any(h.names and h.code != NONE for h in hits):
                return self._compose(text, hits)
        return UNKNOWN

    def _held(self, match: Match, own: Sequence[Hit], around: Match) -> Match:
        """Return ``match`` with name and telephone given to the person its group is about."""
        holder = self.synonyms.holders.get(around.category or "")
        if holder is None or any(h.code == SELF for h in own):
            return match
        taken = [around.category if p in holder.absorbs else p for p in match.parts]
        return _match([c for c in taken if c], unnamed=match.unnamed)

    def _compose(self, text: str, hits: Sequence[Hit]) -> Match:
        """Return what the words of a label ask for together (rules 1-3)."""
        said = [h for h in hits if h.code != META]
        main = [h for h in said if not h.bracketed or self._is_person(h.code)]
        if not any(h.names and not h.bracketed for h in main):
            main = said
        codes: list[str] = []
        found: list[str]
        about = ""
        for start, end, segment in _segments(text, main):
            strong = [h for h in segment if not h.weak]
            if strong and all(self._is_person(h.code) for h in strong):
                strong = segment  # "家长单位": what a weak word says of another person counts
            if self._is_of_place(text, strong, codes):
                found = []
            elif any(h.names for h in strong):
                about, found = self._segment(text, strong, about)
            elif self.synonyms.covers(text[start:end], [h.moved(-start) for h in segment]):
                about, found = self._aside(segment, about)
                found = [c for c in found if c != NONE or not codes]  # "失联时间及地点"
            else:
                found = []
            codes += found
        inside = {c for code in codes for c in self.synonyms.swallows.get(code, ())}
        inside -= {h.code for h in main if h.names}  # "开户行及账号", but not "银行卡号、微信号"
        return _match([c for c in codes if c not in {NONE, *inside}], unnamed=NONE in codes)

    def _aside(self, segment: Sequence[Hit], about: str) -> tuple[str, list[str]]:
        """Return the same for a thing that only weak words name, such as "name" in "name / phone"."""
        code = next((h.code for h in segment if h.weak), None)
        if sum(h.code == SELF for h in segment) == 1:  # "员工本人" only says whose
            code = code or next((h.alone for h in segment if h.alone), None)
        if code is None:
            return ("" if any(h.code == SELF for h in segment) else about), []
        if about and code in self.synonyms.holders[about].absorbs:
            return about, [about]
        return about, [code]

    def _segment(self, text: str, segment: Sequence[Hit], about: str) -> tuple[str, list[str]]:
        """Return whom the next thing is about, and the codes of the one that ``segment`` names.

        Args:
            text: The reduced label.
            segment: The words of one thing, at least one of which names it.
            about: Category of the other person that the things before were about, or "".
        """
        holders = self.synonyms.holders
        if about and all(self._is_relation(text, h) for h in segment):
            return about, [about]
        others = [h for h in segment if not self._is_relation(text, h)]
        if any(self._is_person(h.code) for h in others):
            segment = others  # "Emergency contact relationship" is of that contact
        persons = [h.code for h in segment if h.code in holders and not holders[h.code].place]
        places = [h for h in segment if h.code in holders and holders[h.code].place]
        named = [h for h in segment if h.code not in persons and h.code != SELF]
        attributes = [h for h in named if h not in places]
        if any(h.code == SELF for h in segment):
            about = ""
        who = persons[-1] if persons else about
        if not named:
            return who, [who]
        head = _head(
            text, named if _ends_in_place(text, named, places) else attributes or named
        ).code
        if places and head in holders[places[-1].code].absorbs:
            head = places[-1].code
        if not who:
            return "", [head]
        if head in holders[who].absorbs:
            return who, [who]
        return who, [head, who] if persons else [head]

    def _is_person(self, code: str) -> bool:
        holder = self.synonyms.holders.get(code)
        return holder is not None and not holder.place

    def _is_of_place(self, text: str, segment: Sequence[Hit], codes: Sequence[str]) -> bool:
        """Return whether ``segment`` only is the address of the place named before it."""
        holder = self.synonyms.holders.get(codes[-1]) if codes else None
        if holder is None or not holder.place or len(segment) != 1:
            return False
        hit = segment[0]
        return hit.code in holder.absorbs and text[hit.start : hit.end] in self.synonyms.of_place

    def _is_relation(self, text: str, hit: Hit) -> bool:
        word = text[hit.start : hit.end]
        return any(r in word for r in self.synonyms.relations)

    def names_person(self, label: str) -> str:
        """Return the category of the other person that ``label`` names without a telephone, or ""."""
        text, hits = self._look_up(label)
        codes = {h.code for h in hits} - {"identity.name", META}
        if len(codes) != 1 or self.synonyms.mentions(text, TELEPHONE):
            return ""
        code = codes.pop()
        return code if code in NEXT_TO else ""

    def says_only(self, label: str) -> str:
        """Return ``contact.mobile`` or ``relation`` if ``label`` says nothing but that, of nobody named."""
        text, hits = self._look_up(label)
        if not hits or not self.synonyms.covers(text, hits) or OPEN in text:
            return ""
        if all(h.code == TELEPHONE for h in hits):
            return TELEPHONE
        return RELATION if len(hits) == 1 and self._is_relation(text, hits[0]) else ""


def _match(codes: Sequence[str], *, unnamed: bool) -> Match:
    """Return a match of ``codes`` in their order, each once."""
    named = tuple(dict.fromkeys(codes))
    return Match(category=named[0] if named else None, also=named[1:], unnamed=unnamed)


def _segments(text: str, hits: Sequence[Hit]) -> Iterator[tuple[int, int, list[Hit]]]:
    """Yield runs of ``hits`` that no connective parts, each with the part of ``text`` it stands in."""
    run: list[Hit] = []
    start = 0
    for hit in hits:
        joined = _CONNECTIVE.search(text, run[-1].end if run else 0, hit.start)
        if run and joined:
            yield start, joined.start(), run
            run = []
        if joined:
            start = _last_connective(text, joined.start(), hit.start)
        run.append(hit)
    if run:
        rest = _CONNECTIVE.search(text, run[-1].end)
        yield start, rest.start() if rest else len(text), run


def _last_connective(text: str, start: int, end: int) -> int:
    """Return where the last connective of ``text[start:end]`` ends."""
    return max(m.end() for m in _CONNECTIVE.finditer(text, start, end))


def _ends_in_place(text: str, named: Sequence[Hit], places: Sequence[Hit]) -> bool:
    """Return whether a Chinese label ends with a place, which what stands before only describes."""
    return bool(places) and named[-1] is places[-1] and not text[named[-1].start].isascii()


def _head(text: str, hits: Sequence[Hit]) -> Hit:
    """Return the word that the others only describe."""
    head = hits[0]
    for hit in hits[1:]:
        if not _PREPOSITION.search(text, head.end, hit.start):
            head = hit
    return head
