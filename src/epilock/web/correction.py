"""Correcting what one gave, by receipt: the form again, filled in, under the notice it was given under.

A leaf of the key tree seals once, so a correction is a new record; the old one's keys are destroyed and the
receipt follows (``destroy.move``).

Rules kept in this file:
  1. What the standard no longer allows is not stored anew: it can be withdrawn, not corrected.
  2. Opening the old record to fill the form is an opening like any other: decided, and in the log.
"""

from collections.abc import Mapping
from uuid import uuid4

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from epilock.collect.form import Submission
from epilock.db import Transaction
from epilock.errors import ErasedError, FieldProblem, FieldsError, RefusedError
from epilock.registry import emergency as emergencies
from epilock.standard.level import ENDED
from epilock.standard.text import Text
from epilock.web import receipt, walk
from epilock.web.holding import Holding
from epilock.web.request import FormOf, Site, SiteOf

router = APIRouter(include_in_schema=False)
TYPED = walk.TYPED


@router.post("/r/correct")
def post_correct(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Show the form with what was given."""

    def shown(tx: Transaction, held: Holding) -> Response:
        check_correctable(tx, site, held)
        opened = receipt.open_for_subject(site, held)
        typed = {id_: value for fields in opened.values() for id_, value in fields.items()}
        return _form(site, request, form, held, typed)

    return receipt.with_code(site, request, form, shown)


@router.post("/r/correct/send")
def post_send(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Store the corrected answers in the old ones' place."""
    typed = {
        name.removeprefix(TYPED): value
        for name, value in form.items()
        if name.startswith(TYPED) and isinstance(value, str) and value
    }

    def shown(tx: Transaction, held: Holding) -> Response:
        check_correctable(tx, site, held)
        submission = Submission(
            client=str(uuid4()), notice=held.form.notice, given=list(given(held)), fields=typed,
            language=held.record.language or "zh",
        )  # fmt: skip
        try:
            accepted = held.form.accept(submission, today=site.today())
        except FieldsError as error:
            return _form(site, request, form, held, typed, error.problems)
        site.corrector.store(
            accepted, receipt=held.receipt.receipt_id, bucket=held.bucket, n=held.record.n,
            now=site.now(),
        )  # fmt: skip
        return receipt.page(site, request, form, "receipt/corrected.html", held=held)

    return receipt.with_code(site, request, form, shown)


def check_correctable(tx: Transaction, site: Site, held: Holding) -> None:
    """Return if the record is whole and all that its form asks may still be asked (rule 1)."""
    if not held.left or set(held.left) != set(held.record.parts):
        raise ErasedError(
            "part of this record is gone: what is left can be withdrawn, not corrected"
        )
    history = emergencies.history(tx, held.bucket.authority, held.bucket.emergency)
    level, standard = history.at(site.now()) or ENDED, site.parts.standard
    for one in held.form.fields:
        verdict = standard.ask(held.bucket.circumstance, one.category, level)
        if not verdict.allowed and not one.optional:
            raise RefusedError(
                f"{one.category} may no longer be asked, so it is not stored anew", rule=verdict.rule,
                source=verdict.source, allowed="withdraw the record, or let it go on its day",
            )  # fmt: skip


def given(held: Holding) -> tuple[str, ...]:
    """Return the acts that the person gave."""
    return held.form.given_acts(held.record.given or 0)


def _form(  # noqa: PLR0917 - the request, then what the page shows
    site: Site,
    request: Request,
    form: FormData,
    held: Holding,
    typed: Mapping[str, str],
    problems: tuple[FieldProblem, ...] = (),
) -> Response:
    t = receipt.speaker(site, request, form)
    asked = walk.asked(site.parts.standard, held.issued.notice, held.form, given(held))
    errors = {p.field: t.say(Text(p.zh, p.en)) for p in problems}
    return receipt.page(
        site, request, form, "receipt/correct.html", status=422 if problems else 200, held=held,
        asked=asked, typed=typed, problems=errors, wrong=walk.summary(t, asked, errors),
    )  # fmt: skip
