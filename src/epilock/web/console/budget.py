"""Budgets: how much the organisation's records may tell, to whom; asked for here, approved by a second person."""

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.db import Transaction
from epilock.deidentify.noise import budget
from epilock.deidentify.noise.budget import MOST_CEILING, micro, shown
from epilock.deidentify.noise.query import MICRO
from epilock.errors import BudgetError, EpilockError, InputError, NotFoundError
from epilock.registry import emergency as emergencies
from epilock.registry import organisation as organisations
from epilock.use import allotment as allotments
from epilock.use.allotment import PUBLIC, needs_budget
from epilock.use.question import dataset_of
from epilock.web.console import allotted, listing
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.problem import of as problem_of
from epilock.web.request import word
from epilock.web.slip import WRONG

router = APIRouter(include_in_schema=False, prefix="/console/budgets")
PART = "budgets"


@router.get("")
def get_budgets(desk: DeskOf) -> Response:
    """Show what may be told and has been, and the form that asks for an allotment."""
    desk.enter(PART)
    return _page(desk)


@router.get("/asked")
def get_asked(desk: DeskOf) -> Response:
    """Show what was asked for: what waits for a second person, if the address asks for nothing else."""
    desk.enter(PART)
    with desk.site.parts.database.read() as tx:
        asked = _asked(desk, tx)
        own = allotments.allotments.c.org == desk.org
        page = listing.find(tx, allotted.asked(**asked.filters), desk.query, own)
    if page.export:
        return page.file("budgets-asked")
    return desk.show(
        "budgets_asked.html", here=PART, page=page, asked=asked, stages=allotted.STAGES,
        first=allotted.FIRST, shown=shown,
    )  # fmt: skip


@router.post("")
def post_budget(desk: DeskOf, form: CheckedForm) -> Response:
    """Ask for an allotment; a second person decides."""
    desk.enter(PART)
    parts = desk.site.parts
    try:
        circumstance, _, emergency = word(form, "dataset", most=80).partition(":")
        if circumstance not in parts.standard.circumstances or not emergency:
            raise InputError("choose whose records from the list")
        ceiling = word(form, "ceiling", most=12)
        with parts.database.write() as tx:
            allotments.ask(
                tx, parts.standard, desk.session.staff, dataset=dataset_of(circumstance, emergency),
                purpose=word(form, "purpose", most=40), recipient=word(form, "recipient", most=40),
                epsilon=micro(word(form, "epsilon", most=12)),
                ceiling=micro(ceiling) if ceiling else None,
                reason=word(form, "reason", most=300), now=desk.site.now(),
            )  # fmt: skip
    except (*WRONG, BudgetError, NotFoundError) as error:
        return _page(desk, form, error)
    return desk.go("/console/budgets/asked", done="asked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What can be asked for, and by what both lists are filtered: codes, and how they are called."""

    datasets: list[str]
    purposes: list[tuple[str, str]]
    recipients: list[tuple[str, str]]

    @property
    def filters(self) -> dict[str, list[str]]:
        """Return the codes alone."""
        return {
            "datasets": self.datasets, "purposes": [code for code, _ in self.purposes],
            "recipients": [code for code, _ in self.recipients],
        }  # fmt: skip


def _asked(desk: Desk, tx: Transaction) -> Asked:
    standard = desk.site.parts.standard
    known = {*budget.ceilings(tx, desk.org), *allotments.datasets(tx, desk.org)}
    recipients = [(o.org, desk.name(o.name)) for o in organisations.everyone(tx)]
    return Asked(
        datasets=sorted(known), recipients=[*recipients, (PUBLIC, desk.t("console.budgets.public"))],
        purposes=[
            (code, desk.name(p.name))
            for code, p in standard.purposes.items()
            if needs_budget(standard, code)
        ],
    )  # fmt: skip


def _page(desk: Desk, form: FormData | None = None, error: EpilockError | None = None) -> Response:
    standard = desk.site.parts.standard
    with desk.site.parts.database.read() as tx:
        asked, table = _asked(desk, tx), allotted.accounts()
        plan = allotted.plan(table, **asked.filters)
        page = listing.find(tx, plan, desk.query, table.c.org == desk.org)
        events = sorted({e.emergency for e in emergencies.everything(tx)})
    if page.export:
        return page.file("budgets")
    purposes = {code for code, _ in asked.purposes}
    datasets = [
        (f"{c.code}:{event}", f"{desk.name(c.name)} · {event}")
        for event in events
        for c in standard.circumstances.values()
        if purposes & set(c.purposes)
    ]
    wrong = None if error is None else problem_of(error)
    return desk.show(
        "budgets.html", here=PART, status=200 if wrong is None else wrong.status, wrong=wrong,
        page=page, asked=asked, states=allotted.STATES, datasets=datasets, shown=shown,
        typed=form or FormData(), most=MOST_CEILING // MICRO,
    )  # fmt: skip
