"""The sheet of a rule: what an answer meant that named it, found by asking the standard again."""

from collections.abc import Callable

from epilock.errors import InputError
from epilock.standard.circumstance_sheet import medium_text, names, pattern_text, range_text
from epilock.standard.compiled import Standard
from epilock.standard.level import LEVELS
from epilock.standard.model import Category, Verdict
from epilock.standard.sheet import (
    Line,
    Sheet,
    duration,
    line,
    named,
    purpose_lines,
    sources,
)
from epilock.standard.text import NOTHING, Text, joined

FORM_RULES = {
    "no-personal-information": Text("此栏不含个人信息，或由系统填写。", "The field holds no personal information, or the system fills it in."),
    "category-not-named": Text("此栏问的不属于标准的任何一类：写明是哪一类，或删去。", "No category of the standard fits what the field asks: name one, or drop it."),
    "no-such-category": Text("表格写明的类别标准没有。", "The form names a category that the standard does not have."),
}  # fmt: skip


def rule_sheet(standard: Standard, code: str) -> Sheet:
    """Return the sheet of a rule, by asking again what it answered.

    Raises:
        InputError: It is no rule of this standard.
    """
    kind, *words = code.split("/")
    try:
        name, lines = (
            _asked(standard, code) if kind in _ASKED_KINDS else _RULES[kind](standard, words)
        )
    except (KeyError, ValueError, IndexError):
        raise InputError(
            f"the standard has no rule {code[:120]!r}; rules are named by answers, as in "
            "allow/school/IV/health.temperature or retain/quarantine/standard"
        ) from None
    return Sheet("rules", code, name, tuple(x for x in lines if x.values))


def _asked(standard: Standard, code: str) -> tuple[Text, list[Line]]:
    """Explain a rule that says whether a category may be asked."""
    kind, place, *rest = code.split("/")
    where = standard.circumstances[place]
    if kind == "ended" and not rest:
        text = Text(
            "应急已经结束，不再收集。", "The emergency has ended: nothing is collected any more."
        )
        return text, [line("情形", "circumstance", named(where)), sources(standard, ("ERL-85", "PHERL-8"))]  # fmt: skip
    category, verdict, level = _verdict(standard, where.code, code)
    name = named(category)
    if rest[-1].endswith(".*"):
        name = pattern_text(standard, rest[-1])
    return _spoken(standard, verdict, level), [
        line("情形", "circumstance", named(where)), line("类别", "category", name),
        line("可以收集的", "instead", verdict.advice), sources(standard, verdict.source),
    ]  # fmt: skip


def _verdict(standard: Standard, circumstance: str, rule: str) -> tuple[Category, Verdict, str]:
    """Return the first answer that names ``rule``, its category, and the level the rule speaks of.

    Raises:
        KeyError: No answer does.
    """
    for category in standard.categories.values():
        for level in LEVELS:
            verdict = standard.ask(circumstance, category.code, level)
            if verdict.rule == rule:
                return category, verdict, next((w for w in rule.split("/") if w in LEVELS), "")
    raise KeyError(rule)


def _spoken(standard: Standard, verdict: Verdict, level: str) -> Text:
    if verdict.rule.startswith("never/"):
        return Text("任何级别都不得收集。", "It is not collected at any level.")
    if not level:
        return Text("标准没有列出，不得收集。", "The standard does not list it: it is refused.")
    start = standard.from_level(level)
    if verdict.rule.startswith("level/"):
        return Text(f"{start.zh}才可以收集。", f"It may be asked only {start.en} on.")
    box = (
        Text("，选填，另设选框", ", optional, with its own tick box")
        if verdict.optional
        else NOTHING
    )
    return Text(f"{start.zh}可以收集{box.zh}。", f"It may be asked {start.en} on{box.en}.")


def _keeping(standard: Standard, words: list[str]) -> tuple[Text, list[Line]]:
    """Explain ``retain``: the period, its start, its end."""
    where = standard.circumstances[words[0]]
    at = where.retentions[words[1]]
    level = words[2] if len(words) > 2 and words[2] != "ceiling" else "N"  # noqa: PLR2004 - retain/<circumstance>/<id>/<level>
    kept = at[level]
    held = [a.category for a in where.allows.values() if a.retention == kept.id]
    return duration(standard, kept), [
        line("情形", "circumstance", named(where)),
        line("类别", "categories", names(standard, held)),
        line("起算事件未发生", "if the event never comes", Text(
            f"收集后{kept.ceiling_days}日", f"{kept.ceiling_days} days from collection",
        ) if kept.starts != "collection" else ""),
        sources(standard, kept.source),
    ]  # fmt: skip


def _stepping(standard: Standard, words: list[str]) -> tuple[Text, list[Line]]:
    """Explain ``step-down``: what a lower level forbids goes."""
    where = standard.circumstances[words[0]]
    goes = [a.category for a in where.allows.values() if a.level == words[1]]
    if not goes:
        raise KeyError(words[1])
    level = standard.levels[words[1]].name
    return Text(
        f"响应级别降到{level.zh}以下{where.step_down_days}日后销毁；其间回升则停止。",
        f"It is destroyed {where.step_down_days} days after the response fell below {level.en}; a rise before stops it.",
    ), [
        line("情形", "circumstance", named(where)), line("类别", "categories", names(standard, goes)),
        sources(standard, where.source),
    ]  # fmt: skip


def _way(standard: Standard, words: list[str]) -> tuple[Text, list[Line]]:
    """Explain ``method``: in which way it may be collected."""
    where, method = standard.circumstances[words[0]], standard.methods[words[1]]
    at = where.methods.get(method.code)
    text = (
        standard.from_level(at)
        if at
        else Text("本情形不用这种方式。", "This circumstance is not collected in this way.")
    )
    ways = [standard.methods[m].name for m in where.methods]
    return text, [
        line("情形", "circumstance", named(where)), line("方式", "method", named(method)),
        line("可用方式", "ways that are allowed", joined(ways)), sources(standard, where.source),
    ]  # fmt: skip


def _place(standard: Standard, words: list[str]) -> tuple[Text, list[Line]]:
    """Explain ``medium``: where it may be kept."""
    where, medium = standard.circumstances[words[0]], standard.media[words[1]]
    text = medium.says if medium.code in where.media else Text("本情形不用这种介质。", "This circumstance is not kept there.")  # fmt: skip
    return text, [
        line("情形", "circumstance", named(where)),
        line("可用介质", "media that are allowed", *(medium_text(standard, where, m) for m in where.media)),
        sources(standard, medium.source),
    ]  # fmt: skip


def _use(standard: Standard, words: list[str]) -> tuple[Text, list[Line]]:
    """Explain ``purpose``, ``range``, ``range-needs`` and ``see``: who may see it, for what."""
    where = standard.circumstances[words[0]]
    serves = [named(standard.purposes[p]) for p in where.purposes]
    asked = [standard.purposes[w] for w in words[1:] if w in standard.purposes]
    reach = [range_text(standard, where, r) for r in where.ranges]
    if not asked:
        raise KeyError(words[-1])
    return Text("谁可以为什么目的看到。", "Who may see it, for what."), [
        line("情形", "circumstance", named(where)), line("本情形的目的", "purposes it serves", *serves),
        line("流转范围", "circulation", *reach), *purpose_lines(standard, asked[0]),
        sources(standard, dict.fromkeys((*asked[0].source, *where.source))),
    ]  # fmt: skip


def _form(standard: Standard, words: list[str]) -> tuple[Text, list[Line]]:
    """Explain ``form``: of a purpose what it may see, of a form's field what it is."""
    if words[0] in FORM_RULES:
        return FORM_RULES[words[0]], [sources(standard, ("PIPL-6",))]
    purpose = standard.purposes[words[0]]
    return Text("此目的可以看到的形式。", "The forms this purpose may see."), [
        line("目的", "purpose", named(purpose)), *purpose_lines(standard, purpose),
        sources(standard, purpose.source),
    ]  # fmt: skip


def _duty(standard: Standard, words: list[str]) -> tuple[Text, list[Line]]:
    """Explain ``duty``: a row of the duties."""
    row = standard.duties[words[0]]
    return row.says, [line("义务", "duty", named(row)), sources(standard, row.source)]


_Explainer = Callable[[Standard, list[str]], tuple[Text, list[Line]]]
_ASKED_KINDS = frozenset({"allow", "stand-in", "level", "never", "not-listed", "ended"})
_RULES: dict[str, _Explainer] = {
    "retain": _keeping, "step-down": _stepping, "method": _way, "medium": _place,
    "purpose": _use, "range": _use, "range-needs": _use, "see": _use, "form": _form, "duty": _duty,
}  # fmt: skip
