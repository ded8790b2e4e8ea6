"""A resident's walk through a form: what each step's page carries to the next, and what is missing.

The steps are pages of one address: the notice, the authorisation, the fields, the receipt. Each sends
everything on in its form, so nothing that was typed is lost by going back, by an error, or by a change
of language; nothing is kept on the server until the last step, and nothing in the browser.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from starlette.datastructures import FormData

from epilock.collect.consent import GUARDIAN, Act
from epilock.collect.form import Accepted, Form, Submission
from epilock.collect.notice import FieldNotice, Notice
from epilock.collect.point import Field
from epilock.errors import FieldProblem, FieldsError
from epilock.standard import Standard
from epilock.web import widget
from epilock.web.language import Speaker
from epilock.web.request import word, words
from epilock.web.ticket import Ticket
from epilock.web.widget import Widget

NOTICE, AUTHORISE, FIELDS, SEND, REFUSE = "notice", "authorise", "fields", "send", "refuse"
STEPS = (NOTICE, AUTHORISE, FIELDS, SEND, REFUSE)
TYPED = "f."  # prefix of the fields' names, so that no field can be called like a part of the walk
KINDS = ("purpose", "sensitive", "third-party", "optional", "guardian")


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What one page carried.

    Attributes:
        step: The page that is wanted.
        ticket: As ``ticket.write`` wrote it.
        given: Ids of the acts that were ticked.
        typed: Field id to what was typed.
    """

    step: str = NOTICE
    ticket: str = ""
    given: tuple[str, ...] = ()
    typed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, form: FormData) -> "Walk":
        """Return what ``form`` carries; a step that is none begins anew."""
        step = word(form, "switched") if word(form, "lang_to") else word(form, "step")
        return cls(
            step=step if step in STEPS else NOTICE,
            ticket=word(form, "ticket"),
            given=tuple(dict.fromkeys(words(form, "act"))),
            typed={
                name.removeprefix(TYPED): value
                for name, value in form.items()
                if name.startswith(TYPED) and isinstance(value, str) and value
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One field as the page shows it.

    Attributes:
        field: The field.
        said: What the notice says of it.
        widget: How it is asked.
        choice: Whether one answer of its group is enough.
    """

    field: Field
    said: FieldNotice
    widget: Widget
    choice: bool


def grouped(acts: Sequence[Act]) -> list[tuple[str, list[Act]]]:
    """Return the acts by kind, in the order of the page."""
    found = [(kind, [a for a in acts if a.kind == kind]) for kind in KINDS]
    return [(kind, some) for kind, some in found if some]


def missing(standard: Standard, form: Form, given: Sequence[str]) -> list[str]:
    """Return the acts without which the form cannot go on, in the order of the page.

    Of fields of which one is enough (resident ID or passport) each may have an act of its own; then
    one of these acts is needed, and the first of them stands for all.
    """
    wanted = form.acts.required.difference(given)
    for group in choices(standard, form):
        own = [form.acts.by_category.get(f.category) for f in group]
        if all(own) and not set(own) & set(given):
            wanted = wanted.union([str(own[0])])
    return [act for act in form.acts.ids if act in wanted]


def choices(standard: Standard, form: Form) -> list[list[Field]]:
    """Return the groups of required fields of which one answer is enough."""
    groups = standard.circumstances[form.point.circumstance].one_of
    found = [[f for f in form.fields if f.category in group and not f.optional] for group in groups]
    return [group for group in found if len(group) > 1]


def not_ticked(form: Form, act: str) -> str:
    """Return the key of what is said where ``act`` is missing: of a guardian's, why it is asked."""
    return f"resident.authorise.{'child' if act == GUARDIAN and not form.guards_all else 'missing'}"


def is_short(form: Form) -> bool:
    """Tell whether what the form asks fits on the page of its authorisation: one field, not an optional one."""
    return len(form.fields) == 1 and not form.fields[0].optional


def asked(
    standard: Standard, notice: Notice, form: Form, given: Sequence[str], *, method: str = ""
) -> list[Asked]:
    """Return the fields to show: what has an act of its own is asked only if it was ticked.

    On a device that is not the person's own they are asked by another ``method`` than the point's.
    """
    said = {one.id: one for one in notice.fields}
    choice = {f.id for group in choices(standard, form) for f in group}
    return [
        Asked(
            field=f,
            said=said[f.id],
            widget=widget.of(f, method or form.point.method),
            choice=f.id in choice,
        )
        for f in form.fields
        if form.acts.by_category.get(f.category, "") in {"", *given}
    ]


def accept(form: Form, walk: Walk, ticket: Ticket, language: str, *, today: date) -> Accepted:
    """Return what may be stored of the walk; raises what ``Form.accept`` raises.

    What was typed before its box was unticked again is left out: the person took it back.
    """
    shown = {
        f.id for f in form.fields if form.acts.by_category.get(f.category, "") in {"", *walk.given}
    }
    known = {f.id for f in form.fields}
    submission = Submission(
        client=ticket.client,
        notice=ticket.notice,
        given=list(walk.given),
        fields={name: v for name, v in walk.typed.items() if name in shown or name not in known},
        language=language,
    )
    return form.accept(submission, today=today)


def summary(
    t: Speaker, asked: Sequence[Asked], problems: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return the error summary of ``asked`` fields: the id of each control at fault, and what is wrong."""
    found = [
        (f"f-{a.field.id}", f"{t.say(a.field.label).rstrip(':：')}{t('resident.colon')}{problems[a.field.id]}")
        for a in asked
        if a.field.id in problems
    ]  # fmt: skip
    return found or [("walk", says) for says in problems.values()]


def problems(
    form: Form, walk: Walk, ticket: Ticket, language: str, *, today: date
) -> tuple[FieldProblem, ...]:
    """Return what is wrong with the answers of a walk, whether or not its acts were given."""
    try:
        accept(form, replace(walk, given=form.acts.ids), ticket, language, today=today)
    except FieldsError as error:
        return error.problems
    return ()
