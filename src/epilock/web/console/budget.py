"""Budgets: how much the organisation's records may tell, to whom; asked for here, approved by a second person."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.responses import Response

from epilock.db import Transaction
from epilock.deidentify.noise import budget
from epilock.deidentify.noise.budget import MOST_CEILING, Account, micro, shown
from epilock.deidentify.noise.query import MICRO
from epilock.errors import EpilockError, InputError
from epilock.registry import emergency as emergencies
from epilock.registry import organisation as organisations
from epilock.use import allotment as allotments
from epilock.use.allotment import PUBLIC, needs_budget
from epilock.use.question import dataset_of
from epilock.web.console import allotted, listing
from epilock.web.console.desk import CheckedForm, Desk, DeskOf
from epilock.web.console.once import MadeError, once
from epilock.web.problem import of as problem_of
from epilock.web.request import begun, word
from epilock.web.slip import WRONG, Slips, at, status

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
    parts, slips = desk.site.parts, Slips()
    try:
        code = allotments.code_for(begun(form, "once"))
        with once(desk, allotments.is_there, code):
            asked = _asked_for(desk, form, slips)
            if slips:
                return _page(desk, form, slips=slips)
            with parts.database.write() as tx:
                allotments.ask(
                    tx, parts.standard, desk.session.staff, **asked, now=desk.site.now(), code=code
                )
    except MadeError:
        return desk.go("/console/budgets/asked", done="made")
    except WRONG as error:
        return _page(desk, form, error)
    return desk.go("/console/budgets/asked", done="asked")


def _asked_for(desk: Desk, form: FormData, slips: Slips) -> dict[str, Any]:
    """Return what a form asks for; add what is wrong with it, in the order of its fields."""
    asked: dict[str, Any] = {
        "purpose": word(form, "purpose", most=40), "recipient": word(form, "recipient", most=40),
        "ceiling": None, "reason": word(form, "reason", most=300),
    }  # fmt: skip
    ceiling = word(form, "ceiling", most=12)
    with at("dataset", slips):
        circumstance, _, emergency = word(form, "dataset", most=80).partition(":")
        if circumstance not in desk.site.parts.standard.circumstances or not emergency:
            raise InputError("choose whose records from the list")
        asked["dataset"] = dataset_of(circumstance, emergency)
    with at("epsilon", slips):
        asked["epsilon"] = micro(word(form, "epsilon", most=12))
    with at("ceiling", slips):
        asked["ceiling"] = micro(ceiling) if ceiling else None
    with at("reason", slips):
        allotments.check_reason(asked["reason"])
    if "dataset" in slips:
        return asked
    account = Account(
        org=desk.org, dataset=asked["dataset"], purpose=asked["purpose"], recipient=asked["recipient"]
    )  # fmt: skip
    with desk.site.parts.database.read() as tx:
        if "ceiling" not in slips:
            with at("ceiling", slips):
                allotments.check_ceiling(tx, account, asked["ceiling"])
        if "epsilon" not in slips and "ceiling" not in slips:
            with at("epsilon", slips):
                allotments.check_epsilon(tx, account, asked["epsilon"], asked["ceiling"])
    return asked


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


def _page(
    desk: Desk,
    form: FormData | None = None,
    error: EpilockError | None = None,
    slips: Slips | None = None,
) -> Response:
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
        "budgets.html", here=PART, once=uuid4(), status=status(wrong, slips or {}), wrong=wrong,
        slips=slips or {},
        page=page, asked=asked, states=allotted.STATES, datasets=datasets, shown=shown,
        typed=form or FormData(), most=MOST_CEILING // MICRO,
    )  # fmt: skip
