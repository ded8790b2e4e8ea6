"""Correcting what one gave, by receipt: the form again, filled in, under the notice it was given under.

A leaf of the key tree seals once, so a correction is a new record beside the old one, whose keys are destroyed;
the receipt follows (``destroy.move``). It was collected when the first was, and goes on the same day.

Rules kept in this file:
  1. A record of which a part is gone can be withdrawn, not corrected: the form would ask for that part again.
  2. Opening the old record to fill the form is an opening like any other: decided, and in the log.
"""

from collections.abc import Mapping, Sequence
from uuid import uuid4

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from epilock.collect.consent import GUARDIAN
from epilock.collect.form import Accepted, Submission
from epilock.db import Transaction
from epilock.destroy import run as runs
from epilock.errors import (
    ConflictError,
    ConsentError,
    ErasedError,
    FieldProblem,
    FieldsError,
    StateError,
)
from epilock.standard.text import Text
from epilock.web import holding as holdings
from epilock.web import receipt, walk
from epilock.web.holding import Holding
from epilock.web.request import FormOf, Site, SiteOf, word, words

router = APIRouter(include_in_schema=False)
TYPED = walk.TYPED


@router.post("/r/correct")
def post_correct(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Show the form with what was given."""

    def shown(_tx: Transaction, held: Holding) -> Response:
        check_whole(held)
        return _form(site, request, form, held, _stored(site, held), ticked=guarded(held))

    return receipt.with_code(site, request, form, shown)


@router.post("/r/correct/send")
def post_send(site: SiteOf, request: Request, form: FormOf) -> Response:
    """Store the corrected answers in the old ones' place."""
    typed = {
        name.removeprefix(TYPED): value
        for name, value in form.items()
        if name.startswith(TYPED) and isinstance(value, str) and value
    }

    def shown(_tx: Transaction, held: Holding) -> Response:
        check_whole(held)
        acts = list(dict.fromkeys([*own(held), *words(form, "act")]))
        submission = Submission(
            client=str(uuid4()), notice=held.form.notice, given=acts, fields=typed,
            language=held.record.language or "zh",
        )  # fmt: skip
        try:
            accepted = held.form.accept(submission, today=site.today())
        except FieldsError as error:
            return _form(site, request, form, held, typed, error.problems)
        except ConsentError as error:
            return _form(site, request, form, held, typed, missing=error.missing)
        seen = word(form, "seen", most=9)
        known = int(seen) if seen.isascii() and seen.isdigit() else None
        try:
            differs = put(site, held, accepted, known=known)
        except ConflictError:
            with site.parts.database.read() as now:
                held = holdings.find(now, site, held.code)
            stored = _stored(site, held)
            return _form(site, request, form, held, typed, stored=stored)
        return receipt.page(
            site, request, form, "receipt/corrected.html", held=held, differs=differs
        )

    return receipt.with_code(site, request, form, shown)


def put(site: Site, held: Holding, accepted: Accepted, *, known: int | None = None) -> bool:
    """Put ``accepted`` in the place of what is held; tell whether anything of it differs.

    ``known`` is the number of the record that it was made from, if that is to count.

    Raises:
        ConflictError: It differs, and another than the ``known`` one is held now.
        HeldError: The bucket is held.
        StateError: What is held is not whole, or on its way out.
        RefusedError: It tells something new that may no longer be asked.
        ClosedError: A part that is new in it is being destroyed with its bucket, or was.
    """
    parts, now = site.parts, site.now()
    while True:
        try:
            with parts.database.write() as tx:
                done = site.mover.correct(
                    tx, bucket=held.bucket, n=held.record.n, parts=accepted.parts,
                    given=accepted.given, minor=accepted.minor, now=now, known=known,
                )  # fmt: skip
            break
        except ConflictError:
            raise
        except StateError:  # unless it was corrected meanwhile: then what that left is corrected
            before = held.bucket.id, held.record.n
            with parts.database.read() as tx:
                held = holdings.find(tx, site, held.code)
            if (held.bucket.id, held.record.n) == before:
                raise
    if done is not None:
        runs.complete(parts.tools, now=now, org=held.org)
    return done is not None


def check_whole(held: Holding) -> None:
    """Return if all that was given is still there (rule 1)."""
    if not held.left or set(held.left) != set(held.record.parts):
        raise ErasedError(
            "part of this record is gone: what is left can be withdrawn, not corrected"
        )


def given(held: Holding) -> tuple[str, ...]:
    """Return the acts that the person gave."""
    return held.form.given_acts(held.record.given or 0)


def own(held: Holding) -> list[str]:
    """Return the acts that stay given: all but the guardian's, which is true of what is written now or is not."""
    return [act for act in given(held) if act != GUARDIAN]


def guarded(held: Holding) -> list[str]:
    """Return the guardian's act if it was given."""
    return [act for act in given(held) if act == GUARDIAN]


def _stored(site: Site, held: Holding) -> dict[str, str]:
    """Return what is held by field, after an opening that is decided like any other (rule 2)."""
    opened = receipt.open_for_subject(site, held)
    return {id_: value for fields in opened.values() for id_, value in fields.items()}


def _form(  # noqa: PLR0917 - the request, then what the page shows
    site: Site,
    request: Request,
    form: FormData,
    held: Holding,
    typed: Mapping[str, str],
    problems: tuple[FieldProblem, ...] = (),
    missing: Sequence[str] = (),
    *,
    ticked: Sequence[str] = (),
    stored: Mapping[str, str] | None = None,
) -> Response:
    """Return the form; ``stored`` is what was put in its place meanwhile."""
    t, notice = receipt.speaker(site, request, form), held.issued.notice
    ticked = [*ticked, *words(form, "act")]
    asked = walk.asked(site.parts.standard, notice, held.form, [*given(held), *ticked])
    errors = {p.field: t.say(Text(p.zh, p.en)) for p in problems}
    acts = [act for act in notice.acts if act.id in {*missing, *ticked}]
    wrong = [
        (f"act-{act.id}", t(walk.not_ticked(held.form, act.id), what=t.say(act.text)))
        for act in acts
        if act.id in missing
    ]
    return receipt.page(
        site, request, form, "receipt/correct.html", status=409 if stored else 422 if problems or missing else 200,
        held=held, asked=asked, typed=typed, problems=errors, acts=acts, missing=missing,
        ticked=ticked, stored={f.id: stored.get(f.id, "") for f in held.form.fields if stored.get(f.id, "") != typed.get(f.id, "")} if stored else {},
        labels={f.id: f.label for f in held.form.fields}, wrong=[*wrong, *walk.summary(t, asked, errors)],
    )  # fmt: skip
