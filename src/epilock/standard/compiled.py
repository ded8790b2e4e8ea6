"""The standard, compiled: each question is one look-up, each answer names its rule and source.

Rules kept in this file:
  1. What is not listed is refused; so is every category, circumstance or level that is unknown.
  2. Pure: nothing here reads a clock, a file or a database.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from epilock.errors import InputError
from epilock.standard.level import ENDED, LEVELS, severity
from epilock.standard.model import (
    FORMS,
    Allow,
    Category,
    Circumstance,
    Named,
    Part,
    Purpose,
    Retention,
    Source,
    Verdict,
)
from epilock.standard.text import Text, joined

_OF_RIGHT = ("inspection", "subject-access")  # open in every circumstance (PIPL 45, 63)


class Standard:
    """One version of the standard.

    Attributes:
        version: Such as ``2026.1``.
        hash: SHA-256 of its data files, hex.
        ref: ``version+first 16 digits of hash``, as notices and ledger entries name it.
        title: Its title.
        end_days: Days after the end of an emergency in which all is destroyed.
        sources, categories, purposes, circumstances: By code.
        levels, grades, types, ranges, media, methods, alarms, duties, events, event_grades, warning_colours:
            Plain tables, by code.
    """

    def __init__(
        self,
        *,
        version: str,
        hash_: str,
        title: Text,
        end_days: int,
        sources: Mapping[str, Source],
        scales: Mapping[str, Mapping[str, Named]],
        categories: Mapping[str, Category],
        purposes: Mapping[str, Purpose],
        circumstances: Mapping[str, Circumstance],
    ) -> None:
        self.version, self.hash, self.title = version, hash_, title
        self.ref = f"{version}+{hash_[:16]}"
        self.end_days = end_days
        self.sources = sources
        self.categories = categories
        self.purposes = purposes
        self.circumstances = circumstances
        self.levels = scales["levels"]
        self.grades = scales["grades"]
        self.types = scales["types"]
        self.ranges = scales["ranges"]
        self.media = scales["media"]
        self.methods = scales["methods"]
        self.alarms = scales["alarms"]
        self.duties = scales["duties"]
        self.events = scales["events"]
        self.event_grades = scales["event-grades"]
        self.warning_colours = scales["warning-colours"]
        self._parts = {c.code: _parts(c, categories) for c in circumstances.values()}
        self._part_of = {
            (code, category): part
            for code, parts in self._parts.items()
            for part in parts
            for category in part.categories
        }
        self._ask = self._compile_ask()
        self._methods = self._compile_methods()
        self._keep = self._compile_keep()

    def ask(
        self,
        circumstance: str,
        category: str,
        level: str,
        *,
        method: str | None = None,
        medium: str | None = None,
    ) -> Verdict:
        """Say whether ``category`` may be asked for in ``circumstance`` at ``level``.

        With ``method`` and ``medium`` also: in this way, and kept there. O(1).
        """
        verdict = self._ask.get((circumstance, category, level))
        if verdict is None:
            return _unknown(circumstance, category, level)
        if not verdict.allowed or (method is None and medium is None):
            return verdict
        if method is not None:
            way = self._methods.get((circumstance, method, level))
            if way is None or not way.allowed:
                return way or _unknown(circumstance, method, level)
        if medium is not None:
            kept = self.keep(circumstance, category, medium)
            if not kept.allowed:
                return kept
        return verdict

    def keep(self, circumstance: str, category: str, medium: str) -> Verdict:
        """Say whether ``category`` collected in ``circumstance`` may be kept on ``medium``. O(1)."""
        return self._keep.get((circumstance, category, medium)) or _unknown(
            circumstance, category, medium
        )

    def see(
        self,
        circumstance: str,
        category: str,
        *,
        purpose: str,
        range: str,  # noqa: A002 - the standard's word
        form: str,
    ) -> Verdict:
        """Say whether staff in circulation ``range`` may see ``category`` for ``purpose`` in ``form``."""
        where = self.circumstances.get(circumstance)
        why = self.purposes.get(purpose)
        if where is None or why is None or category not in where.allows:
            return _unknown(circumstance, category, purpose)
        source = tuple(dict.fromkeys((*why.source, *where.source)))
        if purpose not in where.purposes and purpose not in _OF_RIGHT:
            return _refused(
                f"purpose/{circumstance}/{purpose}", source,
                _only(
                    ("本情形只用于", "This circumstance serves only"),
                    [self.purposes[p].name for p in where.purposes],
                ),
            )  # fmt: skip
        if range not in why.ranges or (range not in where.ranges and purpose not in _OF_RIGHT):
            return _refused(
                f"range/{circumstance}/{purpose}/{range}", source,
                _only(
                    ("此目的限于", "For this purpose only"),
                    [self.ranges[r].name for r in why.ranges if r in where.ranges],
                ),
            )  # fmt: skip
        needed = where.range_needs.get(range)
        if needed is not None and purpose not in {needed, *_OF_RIGHT}:
            return _refused(
                f"range-needs/{circumstance}/{range}/{needed}", source,
                _only(
                    (f"{self.ranges[range].name.zh}的目的限于", f"{self.ranges[range].name.en}, for this purpose only"),
                    [self.purposes[needed].name],
                ),
            )  # fmt: skip
        if form not in why.forms:
            return _refused(
                f"form/{purpose}/{form}", source,
                _only(("此目的只能看到", "This purpose may see"), [FORMS[f] for f in why.forms]),
            )  # fmt: skip
        return Verdict(
            allowed=True, rule=f"see/{circumstance}/{purpose}/{range}/{form}", source=source
        )

    def from_level(self, level: str) -> Text:
        """Return from which level on something is allowed, in words, such as "from Level IV"."""
        if level == ENDED:
            return Text("任何级别", "at any level")
        name = self.levels[level].name
        return Text(f"{name.zh}起", f"from {name.en}")

    def parts(self, circumstance: str) -> tuple[Part, ...]:
        """Return the parts of a circumstance's records, sorted by name.

        Raises:
            InputError: There is no such circumstance.
        """
        if circumstance not in self._parts:
            raise InputError(f"{circumstance!r} is no circumstance of the standard")
        return self._parts[circumstance]

    def part_of(self, circumstance: str, category: str) -> Part:
        """Return the part that holds ``category``.

        Raises:
            InputError: The circumstance does not list it.
        """
        found = self._part_of.get((circumstance, category))
        if found is None:
            raise InputError(f"{circumstance} does not list {category}")
        return found

    def retention(self, circumstance: str, part: str, level: str) -> Retention:
        """Return how long the part named ``part`` is kept, if ``level`` was in force on its first day.

        Raises:
            InputError: There is no such circumstance, part or level.
        """
        for found in self.parts(circumstance):
            if found.name == part and level in self.levels:
                return self.circumstances[circumstance].retentions[found.retention][level]
        raise InputError(f"{circumstance} has no part {part!r}, or {level!r} is no level")

    def _compile_ask(self) -> Mapping[tuple[str, str, str], Verdict]:
        table: dict[tuple[str, str, str], Verdict] = {}
        for where in self.circumstances.values():
            for level in LEVELS:
                instead = self._instead(where, level)
                for category in self.categories.values():
                    table[where.code, category.code, level] = self._verdict(
                        where, category, level, instead
                    )
        return MappingProxyType(table)

    def _verdict(
        self, where: Circumstance, category: Category, level: str, instead: Text
    ) -> Verdict:
        source = tuple(dict.fromkeys((*where.source, *category.source)))
        allow = where.allows.get(category.code)
        if allow is None:
            family = category.code.partition(".")[0] + ".*"
            pattern = next((p for p in where.never if p in {category.code, family}), None)
            if pattern is not None:
                return _refused(f"never/{where.code}/{pattern}", source, instead)
            return _refused(f"not-listed/{where.code}/{category.code}", source, instead)
        if level == ENDED:
            return _refused(f"ended/{where.code}", ("ERL-85", "PHERL-8"), instead)
        if severity(level) < severity(allow.level):
            start = self.from_level(allow.level)
            later = Text(
                f"{start.zh}可以收集。{instead.zh}",
                f"It may be asked {start.en} on. {instead.en}",
            )
            return _refused(f"level/{where.code}/{category.code}/{allow.level}", source, later)
        return Verdict(
            allowed=True, rule=_rule(where, category, allow), source=source, optional=allow.optional
        )

    def _instead(self, where: Circumstance, level: str) -> Text:
        now = [
            self.categories[a.category].name
            for a in where.allows.values()
            if level != ENDED and severity(level) >= severity(a.level)
        ]
        if not now:
            return Text(
                "本情形在此级别不得收集任何信息。",
                "At this level this circumstance collects nothing.",
            )
        return _only(("此时可以收集", "What may be asked now"), now)

    def _way(self, method: str, start: str) -> Text:
        name = self.methods[method].name
        if start == ENDED:
            return name
        level = self.from_level(start)
        return Text(f"{name.zh}（{level.zh}）", f"{name.en} ({level.en})")

    def _compile_methods(self) -> Mapping[tuple[str, str, str], Verdict]:
        table = {}
        for where in self.circumstances.values():
            ways = [self._way(method, start) for method, start in where.methods.items()]
            advice = _only(("可用方式", "Ways that are allowed"), ways)
            for method in self.methods:
                start = where.methods.get(method)
                for level in LEVELS:
                    fine = start is not None and severity(level) >= severity(start)
                    rule = f"method/{where.code}/{method}"
                    table[where.code, method, level] = (
                        Verdict(allowed=True, rule=rule, source=where.source)
                        if fine
                        else _refused(rule, where.source, advice)
                    )
        return MappingProxyType(table)

    def _compile_keep(self) -> Mapping[tuple[str, str, str], Verdict]:
        table = {}
        for where in self.circumstances.values():
            media = _only(
                ("可用介质", "Media that are allowed"), [self.media[m].name for m in where.media]
            )
            for code in where.allows:
                for medium, row in self.media.items():
                    highest = row.facts.get("grade", 0)
                    fits = isinstance(highest, int) and self.categories[code].grade <= highest
                    only = where.media_only.get(medium)
                    fine = medium in where.media and (code in only if only is not None else fits)
                    rule = f"medium/{where.code}/{medium}"
                    table[where.code, code, medium] = (
                        Verdict(allowed=True, rule=rule, source=row.source)
                        if fine
                        else _refused(
                            rule, row.source,
                            Text(
                                f"{media.zh}{row.name.zh}：{row.says.zh}。",
                                f"{media.en} {row.name.en}: {row.says.en}.",
                            ),
                        )
                    )  # fmt: skip
        return MappingProxyType(table)


def _only(what: tuple[str, str], names: Sequence[Text]) -> Text:
    """Return a sentence that begins with ``what`` (Chinese, English) and lists ``names``."""
    listed = joined(names)
    return Text(f"{what[0]}：{listed.zh}。", f"{what[1]}: {listed.en}.")


def _rule(where: Circumstance, category: Category, allow: Allow) -> str:
    for other in category.stands_for:
        if other in where.allows and where.allows[other].level == allow.level:
            return f"stand-in/{where.code}/{allow.level}/{category.code}"
    return f"allow/{where.code}/{allow.level}/{category.code}"


def _refused(rule: str, source: tuple[str, ...], advice: Text) -> Verdict:
    return Verdict(allowed=False, rule=rule, source=source, advice=advice)


def _unknown(*what: str) -> Verdict:
    return _refused(
        f"not-listed/{'/'.join(what)}", ("PIPL-6",),
        Text("标准没有列出，不得收集或使用。", "The standard does not list it: it may not be asked or used."),
    )  # fmt: skip


def _parts(where: Circumstance, categories: Mapping[str, Category]) -> tuple[Part, ...]:
    groups: dict[tuple[int, str, str], list[str]] = {}
    for allow in where.allows.values():
        key = (categories[allow.category].grade, allow.level, allow.retention)
        groups.setdefault(key, []).append(allow.category)
    several = len(where.retentions) > 1
    return tuple(
        sorted(
            (
                Part(
                    name=f"{grade}-{level}" + (f"-{retention}" if several else ""), grade=grade,
                    level=level, retention=retention, categories=tuple(sorted(codes)),
                )
                for (grade, level, retention), codes in groups.items()
            ),
            key=lambda part: part.name,
        )
    )  # fmt: skip
