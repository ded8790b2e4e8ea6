"""Where it goes and how it ends: the notice's sections on recipients, third parties and retention.

What is said of recipients is asked of the standard, purpose by purpose and form by form: the text
can't promise less than the gate of ``use`` lets through, nor more.
"""

from collections.abc import Iterable, Sequence

from epilock.collect.notice_facts import Item, Kept, PointFacts, ThirdParty, item, names
from epilock.standard import Standard
from epilock.standard.model import FORMS
from epilock.standard.text import Text

COLLECTION = "collection"
COLLECTOR, PROCESSOR = "R1", "R6"


def recipients(standard: Standard, facts: PointFacts) -> list[Item]:
    """Return who may see it: each range, for which purposes, in which form; and who inspects."""
    items = []
    asked = [field.category for field in facts.fields]
    for code in reached(standard, facts.circumstance, asked):
        name = standard.ranges[code].name
        known = [facts.organisation] if code == COLLECTOR else []
        known += [r.name for r in facts.recipients if r.range == code]
        who = _named(name, names(known)) if known else name
        uses = _uses(standard, facts.circumstance, asked, code)
        items.append(item(f"range:{code}", f"{who.zh}：{uses.zh}。", f"{who.en}: {uses.en}."))
    return [
        *items,
        item(
            "inspection",
            "主管部门依法检查时，可以看打码的内容；看原文要两个人批准（个人信息保护法63条）。",
            "The supervising departments may inspect it partly hidden; to see it as given they need two "
            "persons (PIPL 63).",
        ),
        item(
            "yourself",
            "您自己：凭收据码随时查看。",
            "You yourself: at any time, with your receipt code.",
        ),
        item(
            "nobody-else",
            "除了这里和下一节写明的，谁也看不到。公开的只有人数等统计。",
            "Nobody but these and those of the next section sees it. Only counts are ever made public.",
        ),
    ]


def reached(standard: Standard, circumstance: str, asked: Iterable[str]) -> tuple[str, ...]:
    """Return the ranges whose staff may see something of the categories ``asked``, for some purpose.

    Processors are left out: each of them is named as a third party.
    """
    ranges, categories = standard.circumstances[circumstance].ranges, tuple(asked)
    return tuple(
        r for r in ranges if r != PROCESSOR and _uses(standard, circumstance, categories, r).zh
    )


def _named(name: Text, known: Text) -> Text:
    return Text(f"{name.zh}（{known.zh}）", f"{name.en} ({known.en})")


def _uses(standard: Standard, circumstance: str, asked: Iterable[str], code: str) -> Text:
    """Return for what, and in which form, the range ``code`` may see anything that is ``asked``."""
    categories = dict.fromkeys(asked)
    uses = []
    for code_ in standard.circumstances[circumstance].purposes:
        purpose = standard.purposes[code_]
        forms = [
            _form(form, one_subject=purpose.one_subject)
            for form in FORMS
            if any(
                standard.see(circumstance, c, purpose=code_, range=code, form=form).allowed
                for c in categories
            )
        ]
        if forms:
            uses.append(_named(purpose.name, names(forms)))
    return Text("；".join(u.zh for u in uses), "; ".join(u.en for u in uses))


def _form(form: str, *, one_subject: bool) -> Text:
    if form == "raw" and one_subject:
        return Text("原文一次看一人", "as given, one person at a time")
    return FORMS[form]


def third_parties(standard: Standard, facts: PointFacts) -> list[Item]:
    """Return each third party, or that there is none (PIPL 23)."""
    if not facts.third_parties:
        return [item("none", "不交给任何第三方。", "It goes to no other party.")]
    return [_third_party(standard, party) for party in facts.third_parties]


def _third_party(standard: Standard, party: ThirdParty) -> Item:
    what = names(standard.categories[c].name for c in party.categories)
    purpose = standard.purposes[party.purpose].name
    return item(
        f"third-party:{party.id}",
        f"{party.name.zh}（{party.contact}）：收到{what.zh}；用于{purpose.zh}；方式：{party.method.zh}；"
        f"书面协议{party.agreement}，到{party.until}，之后必须删除或退还。",
        f"{party.name.en} ({party.contact}): receives {what.en}; for {purpose.en}; how: "
        f"{party.method.en}; under written agreement {party.agreement} until {party.until}, and must "
        "then delete or return it.",
    )


def kept_sentence(standard: Standard, kept: Kept) -> Text:
    """Return how long ``kept`` is kept and how it ends, one sentence without the categories."""
    end = (
        Text("到期销毁，有证明可查", "then destroyed, with a proof you can check")
        if kept.end == "destroy"
        else Text("到期去掉身份，永远认不出您", "then made anonymous: nobody can tell it was yours")
    )
    if kept.days is None:
        return Text(
            f"应急期间一直保存，结束后{standard.end_days}天内到期，{end.zh}",
            f"kept during the emergency and at most {standard.end_days} days after its end, {end.en}",
        )
    least = Text("至少", "at least ") if kept.statutory else Text("", "")
    if kept.starts == COLLECTION:
        return Text(
            f"从收集那天起{least.zh}保存{kept.days}天（当天不算），{end.zh}",
            f"kept {least.en}{kept.days} days from the day of collection (not counted), {end.en}",
        )
    event, most = standard.events[kept.starts].says, kept.ceiling_days
    return Text(
        f"从{event.zh}起{least.zh}保存{kept.days}天（当天不算）；一直没有这一天的，最多保存{most}天；{end.zh}",
        f"kept {least.en}{kept.days} days from {event.en} (not counted); if that never comes, {most} days at "
        f"most; {end.en}",
    )


def how_long(standard: Standard, facts: PointFacts, kept: Sequence[Kept]) -> list[Item]:
    """Return each retention with its rule, and what may end or delay it."""
    items = []
    for one in kept:
        what = names(standard.categories[c].name for c in one.categories)
        says = kept_sentence(standard, one)
        basis = ", ".join((one.rule, *one.source))
        items.append(
            item(
                f"kept:{one.retention}:{one.categories[0]}",
                f"{what.zh}：{says.zh}。（{basis}）",
                f"{what.en}: {says.en}. ({basis})",
            )
        )
    if not kept:
        return items
    days = standard.circumstances[facts.circumstance].step_down_days
    return [
        *items,
        item(
            "step-down",
            f"响应级别降低后，不再允许收集的内容，{days}天后提前销毁。",
            f"When the level falls, what may no longer be asked is destroyed {days} days later.",
        ),
        item(
            "end",
            f"应急结束后，最迟{standard.end_days}天内全部销毁；法律规定必须保存的除外。",
            f"After the emergency ends all is destroyed within {standard.end_days} days, except what a law "
            "says must be kept.",
        ),
        item(
            "hold",
            "只有作为证据或为了调查，经过评估，才能晚一点销毁；这期间只存着，不使用，并且公开登记。",
            "Only as evidence or for an investigation, after an assessment, may that come later; meanwhile "
            "it lies unused, and this is listed in public.",
        ),
        item(
            "copies",
            "销毁的是钥匙：备份里的也打不开了。",
            "What is destroyed is the key: no backup can be opened either.",
        ),
    ]
