"""The sheet of a circumstance: what may be asked, how, where it is kept, who sees it, until when."""

from collections.abc import Iterable

from epilock.standard.compiled import Standard
from epilock.standard.level import ENDED
from epilock.standard.model import Circumstance
from epilock.standard.sheet import GRAVEST_FIRST, Line, duration, line, named
from epilock.standard.text import Text, about, joined

BASES = {
    "consent": Text("同意", "consent"), "law": Text("法定职责（须写明命令）", "law (the order is named)"),
    "emergency": Text("紧急情况（须写明命令）", "emergency (the order is named)"),
    "guardian": Text("监护人同意", "the guardian's consent"),
}  # fmt: skip


def circumstance_lines(standard: Standard, where: Circumstance, level: str) -> list[Line]:
    """Return what the standard says about a circumstance; at ``level`` only, if one is given."""
    purposes = [named(standard.purposes[p]) for p in where.purposes]
    return [
        line("通常叫", "in plain words", where.everyday),
        line("说明", "note", where.note),
        line("处理依据", "legal basis", *(BASES[b] for b in where.basis)),
        *_asked(standard, where, level),
        line("一项即可", "one of them is enough", *(names(standard, group) for group in where.one_of)),
        line("任何级别都不得收集", "never, at any level", *(pattern_text(standard, p) for p in where.never)),
        line("没有列出的", "what is not listed", Text("一律不得收集", "is refused")),
        line("方式", "methods", *(
            about(named(standard.methods[m]), standard.from_level(at)) for m, at in where.methods.items()
        )),
        line("介质", "media", *(medium_text(standard, where, m) for m in where.media)),
        line("流转范围", "circulation", *(range_text(standard, where, r) for r in where.ranges)),
        line("目的", "purposes", *purposes),
        *_kept(standard, where, level),
        _released(where),
        line("降级后", "after a step down", Text(
            f"不再允许的类别{where.step_down_days}日后销毁",
            f"what the lower level forbids is gone after {where.step_down_days} days",
        )),
    ]  # fmt: skip


def _asked(standard: Standard, where: Circumstance, level: str) -> list[Line]:
    """Return a line for each level that adds something, or what may be asked now and what later."""
    if level:
        at = standard.levels[level].name
        now = [c for c in where.allows if standard.ask(where.code, c, level).allowed]
        later = [c for c in where.allows if c not in now and level != ENDED]
        return [
            line(
                f"{at.zh}可以收集", f"may be asked at {at.en}",
                *([_category(standard, where, c) for c in now] or [Text("无", "nothing")]),
            ),
            line("更高级别才可以", "only from a higher level", *(
                about(named(standard.categories[c]), standard.from_level(where.allows[c].level)) for c in later
            )),
        ]  # fmt: skip
    return [
        line(start.zh, start.en, *(
            _category(standard, where, a.category) for a in where.allows.values() if a.level == at
        ))
        for at, start in ((at, standard.from_level(at)) for at in reversed(GRAVEST_FIRST))
    ]  # fmt: skip


def _category(standard: Standard, where: Circumstance, code: str) -> Text:
    category = standard.categories[code]
    marks_zh = [f"{category.grade}级", *(["敏感"] if category.sensitive else []), *(["选填"] if where.allows[code].optional else [])]  # fmt: skip
    marks_en = [f"grade {category.grade}", *(["sensitive"] if category.sensitive else []), *(["optional"] if where.allows[code].optional else [])]  # fmt: skip
    return about(named(category), Text("，".join(marks_zh), ", ".join(marks_en)))


def names(standard: Standard, codes: Iterable[str]) -> Text:
    """Return the names of categories, in one line."""
    return joined(named(standard.categories[c]) for c in codes)


def pattern_text(standard: Standard, pattern: str) -> Text:
    """Return what a pattern of ``never`` stands for."""
    found = standard.categories.get(pattern)
    if found is not None:
        return named(found)
    family = [c for c in standard.categories if c.startswith(pattern.removesuffix("*"))]
    return about(Text(pattern, pattern), joined(standard.categories[c].name for c in family))


def medium_text(standard: Standard, where: Circumstance, code: str) -> Text:
    """Return a medium with its conditions, and what alone it may hold here."""
    row = standard.media[code]
    zh, en = f"{named(row).zh}：{row.says.zh}", f"{named(row).en}: {row.says.en}"
    if only := where.media_only.get(code):
        names = joined(standard.categories[c].name for c in only)
        zh, en = f"{zh}；只有{names.zh}", f"{en}; {names.en} only"
    return Text(zh, en)


def range_text(standard: Standard, where: Circumstance, code: str) -> Text:
    """Return a circulation range, and the purpose it is reserved for here."""
    name = named(standard.ranges[code])
    need = where.range_needs.get(code)
    if need is None:
        return name
    purpose = standard.purposes[need].name
    return Text(f"{name.zh}：仅限{purpose.zh}", f"{name.en}: for {purpose.en} only")


def _released(where: Circumstance) -> Line:
    """Return what a de-identified table of its records must satisfy."""
    k, l = where.release.k, where.release.l  # noqa: E741 - the models' own letters
    more = (
        Text(f"，敏感项至少{l}种", f", {l} values of what is sensitive") if l > 1 else Text("", "")
    )
    rule = where.release.rule
    return line(
        f"去标识化发布 {rule}", f"released de-identified, {rule}",
        Text(f"每组至少{k}人{more.zh}", f"groups of {k} persons at least{more.en}"),
    )  # fmt: skip


def _kept(standard: Standard, where: Circumstance, level: str) -> list[Line]:
    """Return how long each retention lasts: at a level, or at each that differs."""
    lines = []
    for id_, at in where.retentions.items():
        of = [a.category for a in where.allows.values() if a.retention == id_]
        values: list[tuple[list[str], Text]] = []
        shown = [level] if level else [x for x in GRAVEST_FIRST if x != ENDED]
        for each in shown:
            says = duration(standard, at[each])
            same = next((v for v in values if v[1] == says), None)
            if same is None:
                values.append(([each], says))
            else:
                same[0].append(each)
        texts = [
            says if len(values) == 1 else about(joined(standard.levels[each].name for each in levels), says)
            for levels, says in values
        ]  # fmt: skip
        if len(where.retentions) > 1:
            texts.append(names(standard, of))
        if at["N"].starts != "collection":
            texts.append(Text(
                f"起算事件没有发生的，收集后{at['N'].ceiling_days}日",
                f"{at['N'].ceiling_days} days from collection if that never comes",
            ))  # fmt: skip
        unread = Text("（期限未核对原文）", " (period not read in its source)")
        mark = Text("", "") if at["N"].verified else unread
        lines.append(line(f"保存 retain/{where.code}/{id_}{mark.zh}", f"kept, retain/{where.code}/{id_}{mark.en}", *texts))  # fmt: skip
    return lines
