"""Mapping: which column of a list goes where, and which is left out by which rule.

A column goes to one of these *targets*:

  ``name``         a field of the point's form, by its id
  ``act:<id>``     an act of authorisation: a cell that says yes is that act
  ``signed-on``    the day on which the person had read the point's notice and signed

Rules kept in this file:
  1. A column is judged by its own words first, as ``standard check`` does. One that the standard refuses
     is left out, and no mapping by hand can bring it in under another name.
  2. A column that nobody mapped goes to the field of its category, if the form has exactly one and no
     other column goes there.
  3. Whatever has no target is left out and listed.
  4. Persons may be told afterwards only in an emergency, on law or emergency (PIPL 13, 18): else each
     row needs the day on which its person signed, and on consent the acts besides.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from epilock.collect.consent import LAWFUL
from epilock.collect.form import Form
from epilock.collect.intake.table import Table
from epilock.errors import ConsentError, InputError, RefusedError
from epilock.standard import Standard
from epilock.standard.judge import ALLOWED, REFUSED, Judgement, judge
from epilock.standard.synonyms import META
from epilock.standard.text import Text

METHOD = "import"
SIGNED = "signed-on"
ACT = "act:"
LEAVE_OUT = "-"
TAKEN, LEFT = "taken", "left"
EMERGENCY_LEVELS = frozenset({"I", "II", "III", "IV"})
_MOST = 80  # characters of a header that are kept

NOT_ASKED = Text("采集点的表单没有这一项。", "The point's form does not ask this.")
NO_ACT = Text(
    "选填项需要本人单独同意：请把写明同意的一列对应到 act:{act}。",
    "An optional field needs its own consent: map the column that states it to act:{act}.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What becomes of one column.

    Attributes:
        place: From 0.
        header: Its name, cut at 80 characters.
        target: Where it goes, or "" if it is left out.
        category: What its words ask, or None.
        verdict: ``taken``, ``refused``, ``left`` (no personal information, or not asked), ``unknown``.
        rule: The rule that says so.
        source: What the rule rests on.
        advice: What would be right.
    """

    place: int
    header: str
    target: str
    category: str | None
    verdict: str
    rule: str
    source: tuple[str, ...]
    advice: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnMap:
    """What an import takes from a list.

    Attributes:
        columns: Each column, in the file's order.
        afterwards: Whether the persons are told afterwards (rule 4).
        missing: Targets that no column goes to and that must have one; nothing is imported before.
    """

    columns: tuple[Column, ...]
    afterwards: bool
    missing: tuple[str, ...] = ()

    @property
    def targets(self) -> dict[str, int]:
        """Place of the column for each target, in the file's order."""
        return {c.target: c.place for c in self.columns if c.target}

    @property
    def left_out(self) -> tuple[Column, ...]:
        """The columns that are never read."""
        return tuple(c for c in self.columns if not c.target)

    def check(self) -> None:
        """Return if nothing is missing.

        Raises:
            InputError: A field that must be filled in has no column.
            ConsentError: Persons can't be told afterwards, and the list does not say that they were
                before, or consented.
        """
        fields = [t for t in self.missing if t != SIGNED and not t.startswith(ACT)]
        if fields:
            raise InputError(
                f"the list has no column for {', '.join(fields)}, which must be filled in; "
                "map one, or correct its header"
            )
        if self.missing:
            raise ConsentError(self.missing)


def map_columns(
    standard: Standard, form: Form, table: Table, by_hand: Mapping[str, str] | None = None
) -> ColumnMap:
    """Return the mapping of ``table`` to ``form``.

    Args:
        standard: The rules.
        form: The point's form in force.
        table: The list.
        by_hand: Header (or ``#3`` for the third column) to target; ``-`` leaves a column out.

    Raises:
        RefusedError: The circumstance takes no imports at this level, the point was not opened for
            them, or ``by_hand`` wants to bring in what the standard refuses.
        InputError: ``by_hand`` names a column or a target that is not there, or a target has two columns.
    """
    _check_method(standard, form)
    wanted = _by_place(table, by_hand or {})
    judged = dict(
        zip(
            table.columns,
            judge(standard, list(table.columns.values()), form.point.circumstance, form.level),
            strict=True,
        )
    )
    targets = {place: _by_hand(form, judged[place], target) for place, target in wanted.items()}
    _automatic(form, judged, targets)
    columns = _without_act(
        form,
        tuple(_column(place, judged[place], targets.get(place, "")) for place in table.columns),
    )
    found = [c.target for c in columns if c.target]
    twice = sorted({t for t in found if found.count(t) > 1})
    if twice:
        raise InputError(f"two columns go to {twice[0]}; map one of them to `-`")
    lawful = form.point.basis in LAWFUL
    afterwards = SIGNED not in found and lawful and form.level in EMERGENCY_LEVELS
    return ColumnMap(
        columns=columns, afterwards=afterwards, missing=_missing(form, found, afterwards=afterwards)
    )


def _check_method(standard: Standard, form: Form) -> None:
    point = form.point
    where = standard.circumstances[point.circumstance]
    if METHOD not in where.methods:
        raise RefusedError(
            f"{point.circumstance} takes no imports",
            rule=f"method/{point.circumstance}/{METHOD}", source=where.source,
            allowed=f"ways that are allowed: {', '.join(where.methods)}",
        )  # fmt: skip
    if point.method != METHOD:
        raise RefusedError(
            "the notice of this point names another way of collecting than import",
            rule=f"notice/{point.circumstance}/method", source=("PIPL-17",),
            allowed="open a point with the method import and import there",
        )  # fmt: skip


def _by_place(table: Table, by_hand: Mapping[str, str]) -> dict[int, str]:
    headers: dict[str, list[int]] = {}
    for place, asked in table.columns.items():
        headers.setdefault(asked.field, []).append(place)
        headers.setdefault(f"#{place + 1}", []).append(place)
    found = {}
    for header, target in by_hand.items():
        places = headers.get(header, [])
        if len(places) != 1:
            raise InputError(
                "the file has no such column to map; name it by its header or its number: "
                f"{', '.join(f'#{place + 1}' for place in table.columns)}"
                if not places
                else "several columns have that header; name the one meant by its number, such as #3"
            )
        found[places[0]] = target
    return found


def _by_hand(form: Form, judged: Judgement, target: str) -> str:
    if target == LEAVE_OUT:
        return LEAVE_OUT
    act = target.removeprefix(ACT)
    known = target in form.by_id or target == SIGNED or (act != target and act in form.acts.ids)
    if not known:
        raise InputError(
            f"{target!r} is no target; the fields are {', '.join(form.by_id)}; "
            f"others are {SIGNED}, - and {', '.join(ACT + a for a in form.acts.ids)}"
        )
    if judged.verdict == REFUSED and target in form.by_id:
        raise RefusedError(
            "the standard refuses what this column asks; it can't be brought in under another name",
            rule=judged.rule, source=judged.source, allowed=judged.advice.en,
            allowed_zh=judged.advice.zh,
        )  # fmt: skip
    return target


def _automatic(form: Form, judged: Mapping[int, Judgement], targets: dict[int, str]) -> None:
    """Add the targets of rule 2."""
    by_category: dict[str, list[str]] = {}
    for field in form.fields:
        by_category.setdefault(field.category, []).append(field.id)
    for place, found in judged.items():
        if place in targets:
            continue
        fields = by_category.get(found.category or "", [])
        own = found.field if found.field in form.by_id else ""
        target = own or (fields[0] if len(fields) == 1 else "")
        if target and found.verdict != REFUSED and target not in targets.values():
            targets[place] = target


def _column(place: int, judged: Judgement, target: str) -> Column:
    left = judged.verdict if judged.verdict not in {ALLOWED, META} else LEFT
    if target and target != LEAVE_OUT:
        verdict, rule, advice = TAKEN, judged.rule, judged.advice
    elif judged.verdict == ALLOWED:
        verdict, rule, advice = left, "point/not-asked", NOT_ASKED
    else:
        verdict, rule, advice = left, judged.rule, judged.advice
    return Column(
        place=place, header=judged.field[:_MOST], target="" if target == LEAVE_OUT else target,
        category=judged.category, verdict=verdict, rule=rule, source=judged.source, advice=advice,
    )  # fmt: skip


def _without_act(form: Form, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Leave out optional fields of which the list does not say that they were consented to."""
    acts = {c.target for c in columns}
    return tuple(_refused(form, c) if _lacks_act(form, c, acts) else c for c in columns)


def _lacks_act(form: Form, column: Column, acts: Collection[str]) -> bool:
    field = form.by_id.get(column.target)
    if field is None or not field.optional:
        return False
    act = form.acts.by_category.get(field.category, "")
    return act in form.consented and ACT + act not in acts


def _refused(form: Form, column: Column) -> Column:
    category = form.by_id[column.target].category
    act = form.acts.by_category[category]
    return replace(
        column, target="", verdict=REFUSED, rule=f"consent/{category}", source=("PIPL-14", "PIPL-16"),
        advice=Text(NO_ACT.zh.format(act=act), NO_ACT.en.format(act=act)),
    )  # fmt: skip


def _missing(form: Form, found: Sequence[str], *, afterwards: bool) -> tuple[str, ...]:
    fields = [f.id for f in form.fields if f.id in form.needed and f.id not in found]
    if afterwards:
        return tuple(fields)
    lawful = form.point.basis in LAWFUL
    acts = [] if lawful else [ACT + a for a in form.acts.ids if a in form.acts.required]
    return (*fields, *(target for target in (SIGNED, *acts) if target not in found))
