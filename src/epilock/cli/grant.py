"""Commands about grants: who asked to open what, for what, until when; a second person decides."""

from datetime import timedelta
from typing import Annotated

import typer

from epilock.cli.identity import As, check_over, signed_in
from epilock.cli.installation import At, Home, day, instant_text, opened
from epilock.db import Transaction
from epilock.deidentify.cells.line import SMALLEST
from epilock.deidentify.noise import budget
from epilock.deidentify.noise.answer import Answer, preview
from epilock.deidentify.noise.budget import micro, shown
from epilock.errors import InputError
from epilock.standard.level import midnight
from epilock.use import aggregate
from epilock.use import grant as grants
from epilock.use import review as reviews
from epilock.use.aggregate import Aggregate
from epilock.use.decision import OPENED
from epilock.use.grant import Grant
from epilock.use.question import Noise, Question, account_of, request_of

app = typer.Typer(no_args_is_help=True, help="Grants: leave to open records for a purpose.")

STAGES = (grants.REQUESTED, grants.ACTIVE, grants.REFUSED, grants.REVOKED)
Code = Annotated[str, typer.Argument(help="The grant's code, such as g-k3f7q2xw5mza.")]
Org = Annotated[str, typer.Option("--org", help="Organisation of the grant's holder.")]


@app.command("list")
def list_grants(
    org: Annotated[str, typer.Argument(help="Organisation of the holders.")],
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those refused or revoked.")] = False,
    home: Home = None,
) -> None:
    """List the grants that wait or last, the latest first."""
    with opened(home) as parts, parts.database.read() as tx:
        stages = STAGES if every else STAGES[:2]
        for g in grants.listing(tx, org, stages=stages):
            print(
                f"{g.grant} {g.stage:9} {g.staff} {g.purpose} {g.form} from {g.source}:"
                f" {','.join(g.circumstances)}, {g.used} of {g.subjects} subjects,"
                f" until {instant_text(g.until)}"
            )


@app.command("ask")
def ask(
    source: Annotated[str, typer.Argument(help="Organisation that collected the records.")],
    *,
    purpose: Annotated[str, typer.Option(help="Code of the standard, such as tracing.")],
    form: Annotated[str, typer.Option(help=", ".join(grants.FORMS))],
    circumstance: Annotated[list[str], typer.Option(help="Whose records. Repeatable.")],
    subjects: Annotated[
        int,
        typer.Option(
            min=1, max=grants.MOST_SUBJECTS, help="Most persons it may open, tables, or releases."
        ),
    ],
    until: Annotated[str, typer.Option(help=f"Last day, at most {grants.LONGEST.days} days away.")],
    reason: Annotated[str, typer.Option(help="Why; without personal information.")],
    case: Annotated[str | None, typer.Option(help="Case or order it rests on, by number.")] = None,
    study: Annotated[
        str | None, typer.Option(help="Study whose codes are shown (form pseudonymous).")
    ] = None,
    whole: Annotated[
        int | None,
        typer.Option(
            "--parts",
            min=1,
            max=grants.MOST_PARTS,
            help="Most whole parts that tables or releases read, as a key service counts them; else "
            f"{grants.USUAL_DAYS} for each.",
        ),
    ] = None,
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Ask for a grant; it opens nothing until a second person approves it."""
    with opened(home, now) as parts:
        found = signed_in(parts, who, *grants.HOLDERS)
        with parts.database.write() as tx:
            asked = grants.request(
                tx, parts.standard, found, source=source, purpose=purpose, form=form,
                circumstances=tuple(circumstance), subjects=subjects, case=case, reason=reason,
                until=midnight(day(until) + timedelta(days=1)), study=study, parts=whole,
                now=parts.now(),
            )  # fmt: skip
    print(f"{asked.grant} waits for a second person")


@app.command("approve")
def approve(code: Code, *, org: Org, who: As, home: Home = None, now: At = None) -> None:
    """Approve a request as the second person."""
    _decide(code, org, who, home, now, approve=True)
    print(f"{code} is active")


@app.command("refuse")
def refuse(code: Code, *, org: Org, who: As, home: Home = None, now: At = None) -> None:
    """Refuse a request as the second person."""
    _decide(code, org, who, home, now, approve=False)
    print(f"{code} is refused")


@app.command("revoke")
def revoke(code: Code, *, org: Org, who: As, home: Home = None, now: At = None) -> None:
    """End a grant at once."""
    with opened(home, now) as parts:
        found = signed_in(parts, who, "custodian", "analyst", "approver")
        with parts.database.write() as tx:
            check_over(tx, found, org)
            grants.revoke(
                tx, parts.log, standard_ref=parts.standard.ref, org=org, grant=code,
                by=found.staff, now=parts.now(),
            )  # fmt: skip
    print(f"{code} is revoked")


@app.command("reviews")
def list_reviews(
    org: Annotated[str, typer.Argument(help="Organisation whose staff opened.")],
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that were reviewed.")] = False,
    home: Home = None,
    now: At = None,
) -> None:
    """List the openings in an emergency that wait for their review; exit code 1 if one is overdue."""
    with opened(home, now) as parts, parts.database.read() as tx:
        found = reviews.listing(tx, org) if every else reviews.outstanding(tx, org)
        for o in found:
            state = f"{o.verdict} ({o.reason})" if o.reviewed else f"by {instant_text(o.due)}"
            late = " OVERDUE" if o.is_overdue(parts.now()) else ""
            print(f"{o.decision} {instant_text(o.opened)} {o.by} from {o.org}: {state}{late}")
        overdue = any(o.is_overdue(parts.now()) for o in found)
    if overdue:
        raise typer.Exit(1)


@app.command("review")
def review(
    decision: Annotated[str, typer.Argument(help="The opening, such as c-k3f7q2xw5mza.")],
    *,
    source: Annotated[str, typer.Option(help="Organisation that collected the record.")],
    reason: Annotated[str, typer.Option(help=", ".join(reviews.REASONS))],
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Say as the second person whether an opening in an emergency was justified; the reason decides."""
    with opened(home, now) as parts:
        found = signed_in(parts, who, "approver")
        with parts.database.write() as tx:
            done = reviews.review(
                tx, parts.log, standard_ref=parts.standard.ref, org=source, decision=decision,
                by=found, reason=reason, now=parts.now(),
            )  # fmt: skip
    print(f"{decision} was {done.verdict}: {done.reason}")


@app.command("count")
def count(
    code: Code,
    *,
    emergency: Annotated[str, typer.Option(help="Code of the emergency, such as outbreak-7.")],
    circumstance: Annotated[str, typer.Option(help="Whose records.")],
    by: Annotated[str, typer.Option(help="Category whose values are counted, or day.")],
    since: Annotated[str, typer.Option(help="First day.")],
    until: Annotated[str, typer.Option(help="Last day, which must be over.")],
    epsilon: Annotated[
        str,
        typer.Option(help="Price of an answer with noise, such as 0.25, where one is needed."),
    ] = "",
    value: Annotated[
        list[str] | None, typer.Option(help="With noise: a value to be counted apart. Repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With noise: tell error, price and what is left.")
    ] = False,
    who: As,
    home: Home = None,
    now: At = None,
) -> None:
    """Count records under a grant to count; exit code 1 if it is refused."""
    with opened(home, now) as parts:
        found = signed_in(parts, who, *grants.HOLDERS)
        with parts.database.write() as tx:
            leave = grants.load(tx, found.org, code)
            source = leave.source
            question = Question(
                source=source, emergency=emergency, circumstance=circumstance, since=day(since),
                until=day(until), counted=by,
            )  # fmt: skip
            noise = Noise(epsilon=micro(epsilon), values=tuple(value or ())) if epsilon else None
            if dry_run:
                _foretell(tx, leave, question, noise)
                return
            decided = aggregate.decide(
                parts.gate, tx, found, question=question, grant=code, noise=noise, now=parts.now()
            )
        if decided.verdict != OPENED:
            print(f"refused: {decided.rule} (entry {decided.entry_index})")
            raise typer.Exit(1)
        if not decided.left:
            with parts.database.read() as tx:
                counts = aggregate.tally(parts.gate, tx, decided)
            with parts.database.write() as tx:
                decided = aggregate.publish(parts.gate, tx, decided, counts, now=parts.now())
    if decided.answer is None:
        _print_table(decided)
    else:
        _print_answer(decided, decided.answer)


def _foretell(tx: Transaction, leave: Grant, question: Question, noise: Noise | None) -> None:
    """Print what an answer will be off by, what it costs and what is left; nothing is charged."""
    if noise is None:
        raise InputError("--dry-run is for an answer with noise: say --epsilon")
    error = preview(request_of(question, noise))
    left = budget.load(tx, account_of(question, leave.purpose, leave.org))
    print(f"{error}, costs {shown(noise.epsilon)}; nothing was charged")
    print(f"left: {shown(left.left)} of {shown(left.allotted)} epsilon")


def _print_answer(decided: Aggregate, answer: Answer) -> None:
    for value, number in decided.shown.items():
        text = f"under {SMALLEST}" if number is None else f"{number:,}"
        print(f"{text:>9} {value}")
    print(
        f"each {answer.accuracy}, for {shown(answer.epsilon)} epsilon; question {decided.number}, entry"
        f" {decided.entry_index}"
    )


def _print_table(decided: Aggregate) -> None:
    table = decided.table
    if table is None or table.others is None:
        print("no number can be shown: all are too small, also beside earlier tables")
        return
    for value, number in sorted(table.cells.items(), key=lambda cell: (-cell[1], cell[0])):
        print(f"{number:>9,} {value or '(not given)'}")
    if table.others:
        print(f"{table.others:>9,} (others, hidden)")
    print(f"{table.total:>9,} in all; question {decided.number}, entry {decided.entry_index}")


def _decide(code: str, org: str, who: str, home: Home, now: At, *, approve: bool) -> None:
    with opened(home, now) as parts:
        found = signed_in(parts, who, "approver")
        with parts.database.write() as tx:
            grants.decide(
                tx, parts.log, parts.keys, standard_ref=parts.standard.ref, org=org, grant=code, by=found,
                approve=approve, now=parts.now(),
            )  # fmt: skip
